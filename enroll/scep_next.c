/* GetNextCACert (RFC 8894 section 4.7): the certificate of the authority that
 * replaces the label's, for who trusts the old one. The registration authority
 * signs, as it signs all that clients are told, and the signer lets it say what
 * is configured and nothing else. The signature is always the same, and so is
 * made once. */
#include "enroll/scep_priv.h"

#include "base/clock.h"
#include "ca/certs_only.h"
#include "ca/cms_write.h"
#include "ca/generations.h"

#include <stdlib.h>

#define NEXT_CA_TYPE "application/x-x509-next-ca-cert" /* section 4.7.1 */
#define SIGNER_WAIT_US (30 * INT64_C(1000000))
#define ATTRS_MAX_BYTES 256

struct next {
	struct scep *scep;
	struct http_req *req;
	struct ra *ra;
	struct buf content, attrs;
	struct signer_call call;
};

const struct authority *scep_next_ca(
        const struct scep *s, const struct scep_label *l)
{
	return generations_next(
	        s->o.authorities, s->o.conf, l->authority, clock_now_s());
}

static void next_free(struct next *n)
{
	n->scep->pending--;
	ra_unref(n->ra);
	buf_free(&n->content);
	buf_free(&n->attrs);
	free(n);
}

static void refuse(struct next *n, enum rc rc, const struct why *why)
{
	/* Nothing that the client did. */
	if (rc_info(rc)->http_status != 503)
		rc = RC_INTERNAL;
	scep_refuse_plain(
	        n->scep, n->req, &(struct scep_refusal){ rc, why, "", false });
	next_free(n);
}

static void answer(struct http_req *req, const struct ra *ra)
{
	const struct http_header type = { "Content-Type", NEXT_CA_TYPE };

	http_answer(req, 200, &type, 1, buf_bytes(&ra->next));
}

static void on_signed(struct signer_call *call)
{
	struct next *n = call->ctx;
	const struct scep_reply r = { .content = buf_bytes(&n->content) };
	enum rc rc = call->rc;

	buf_reset(&n->ra->next);
	if (rc == RC_OK)
		rc = scep_reply_put(&n->ra->next, &r, &n->ra->view,
		        buf_bytes(&n->attrs), call->signature);
	if (rc != RC_OK) {
		buf_reset(&n->ra->next);
		refuse(n, rc, &call->why);
		return;
	}
	answer(n->req, n->ra);
	next_free(n);
}

/* The SET OF that is signed. */
static enum rc put_attrs(struct next *n)
{
	struct buf type = BUF_INIT(64), hash = BUF_INIT(128);
	struct cms_attr attrs[2] = { { .type = OID_CONTENT_TYPE },
		{ .type = OID_MESSAGE_DIGEST } };
	uint8_t digest[SCEP_DIGEST_MAX_BYTES];
	size_t n_digest;
	enum rc rc = scep_crypt_digest(n->scep->crypt, OID_SHA256,
	        buf_bytes(&n->content), digest, &n_digest);

	if (rc != RC_OK)
		return rc;
	cms_put_content_type(&type, OID_PKCS7_DATA);
	cms_put_message_digest(&hash, bytes_of(digest, n_digest));
	attrs[0].value = buf_bytes(&type);
	attrs[1].value = buf_bytes(&hash);
	rc = type.failed != RC_OK ? type.failed : hash.failed;
	if (rc == RC_OK)
		rc = cms_put_attrs(&n->attrs, attrs, 2);
	buf_free(&type);
	buf_free(&hash);
	return rc;
}

static void sign(struct next *n, const struct authority *next)
{
	enum rc rc = generations_put_next(&n->content, next);

	if (rc == RC_OK)
		rc = put_attrs(n);
	n->call = (struct signer_call){ .key = n->ra->key_name,
		.purpose = SIGNER_CERTREP,
		.tbs = buf_bytes(&n->attrs),
		.done = on_signed,
		.ctx = n,
		.deadline_us = clock_mono_us() + SIGNER_WAIT_US };
	if (rc == RC_OK)
		rc = signer_sign(n->scep->o.signer, &n->call);
	if (rc != RC_PENDING)
		refuse(n, rc, &n->call.why);
}

static void refuse_at_once(
        struct scep *s, struct http_req *req, enum rc rc, const char *text)
{
	struct why why;

	why_set(&why, rc, "%s", text);
	scep_refuse_plain(
	        s, req, &(struct scep_refusal){ rc, &why, "", false });
}

void scep_answer_next(
        struct scep *s, struct http_req *req, const struct scep_label *l)
{
	const struct authority *next = scep_next_ca(s, l);
	struct next *n;

	if (next == NULL) {
		http_answer_text(req, 404, "there is no next CA certificate");
		return;
	}
	if (l->ra->next.n > 0) {
		answer(req, l->ra);
		return;
	}
	if (!limit_take(s->o.limit, http_req_addr(req), 1)) {
		refuse_at_once(s, req, RC_BUSY, "over the rate of one address");
		return;
	}
	n = calloc(1, sizeof(*n));
	if (n == NULL) {
		refuse_at_once(s, req, RC_NOMEM, "out of memory");
		return;
	}
	s->pending++;
	n->scep = s;
	n->req = req;
	n->ra = ra_ref(l->ra);
	n->content = BUF_INIT(CERTS_ONLY_MAX_BYTES);
	n->attrs = BUF_INIT(ATTRS_MAX_BYTES);
	sign(n, next);
}
