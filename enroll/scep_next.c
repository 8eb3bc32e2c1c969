/* GetNextCACert (RFC 8894 section 4.7): the certificate of the authority that
 * replaces the label's, for who trusts the old one. The old one's key signs
 * (section 4.7.1), and the signer lets it say what is configured and nothing
 * else. The drafts before the RFC had the registration authority's, too; their
 * clients say which CA they mean, if only by an empty message, and some of them
 * (jscep, PyScep) verify by no other and look for the certificates beside the
 * signature. Who sends a message is answered so. What is signed is always the
 * same, and so is signed once. */
#include "enroll/scep_priv.h"

#include "base/clock.h"
#include "ca/certs_only.h"
#include "ca/cms_write.h"
#include "ca/generations.h"
#include "net/http_uri.h"

#include <stdlib.h>

#define NEXT_CA_TYPE "application/x-x509-next-ca-cert" /* section 4.7.1 */
#define SIGNER_WAIT_US (30 * INT64_C(1000000))
#define ATTRS_MAX_BYTES 256

struct next {
	struct scep *scep;
	struct http_req *req;
	struct ra *ra;
	const struct authority *now, *next;
	enum scep_next_by by;
	struct cms_signer signer;
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
	scep_refuse_plain(n->scep, n->req,
	        &(struct scep_refusal){ rc, why, "", false, NULL });
	next_free(n);
}

static void answer(
        struct http_req *req, const struct ra *ra, enum scep_next_by by)
{
	const struct http_header type = { "Content-Type", NEXT_CA_TYPE };

	http_answer(req, 200, &type, 1, buf_bytes(&ra->next[by]));
}

static enum rc put_answer(struct next *n, struct buf *out)
{
	struct bytes certs[1 + GENERATIONS_CERTS_MAX];
	struct cms_signed_data data = { .content_type = OID_PKCS7_DATA,
		.content = buf_bytes(&n->content),
		.certs = certs,
		.n_certs = 1,
		.signer = &n->signer };
	size_t n_next = 0;
	enum rc rc = generations_next_certs(certs + 1, &n_next, n->next);

	if (rc != RC_OK)
		return rc;
	if (n->by == SCEP_NEXT_BY_RA) {
		certs[0] = buf_bytes(&n->ra->cert);
		data.n_certs += n_next;
	} else {
		certs[0] = n->now->der;
	}
	return cms_put_signed_data(out, &data);
}

static void on_signed(struct signer_call *call)
{
	struct next *n = call->ctx;
	struct buf *out = &n->ra->next[n->by];
	enum rc rc = call->rc;

	buf_reset(out);
	n->signer.signature = call->signature;
	if (rc == RC_OK)
		rc = put_answer(n, out);
	if (rc != RC_OK) {
		buf_reset(out);
		refuse(n, rc, &call->why);
		return;
	}
	answer(n->req, n->ra, n->by);
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
	enum rc rc = scep_crypt_digest(n->scep->crypt, n->signer.digest,
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
	n->signer.attrs = buf_bytes(&n->attrs);
	buf_free(&type);
	buf_free(&hash);
	return rc;
}

static enum rc set_authority(struct next *n)
{
	struct der d = der_of(n->now->sig_alg);
	enum sig_alg alg = ALG_NONE;
	struct why why;
	struct cert cert;
	enum rc rc = cert_parse(&cert, n->now->der, &why);

	if (rc == RC_OK)
		rc = alg_read(&d, &alg, "signature algorithm", &why);
	n->call.key = n->now->conf->key->name;
	n->signer = (struct cms_signer){ .digest = alg_digest(alg),
		.sig_alg = n->now->sig_alg,
		.issuer = cert.issuer,
		.serial = cert.serial };
	if (alg == ALG_RSA_SHA256)
		n->signer.sig_alg = BYTES_LIT(SCEP_RSA_ENCRYPTION);
	return rc;
}

static enum rc set_ra(struct next *n)
{
	n->call.key = n->ra->key_name;
	n->signer = (struct cms_signer){ .digest = OID_SHA256,
		.sig_alg = BYTES_LIT(SCEP_RSA_ENCRYPTION),
		.issuer = n->ra->view.id.issuer,
		.serial = n->ra->view.id.serial };
	return RC_OK;
}

static void sign(struct next *n)
{
	enum rc rc = generations_put_next(&n->content, n->next);

	n->call = (struct signer_call){ .purpose = SIGNER_NEXT_CA,
		.done = on_signed,
		.ctx = n,
		.deadline_us = clock_mono_us() + SIGNER_WAIT_US };
	if (rc == RC_OK)
		rc = n->by == SCEP_NEXT_BY_RA ? set_ra(n) : set_authority(n);
	if (rc == RC_OK)
		rc = put_attrs(n);
	n->call.tbs = buf_bytes(&n->attrs);
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
	        s, req, &(struct scep_refusal){ rc, &why, "", false, NULL });
}

void scep_answer_next(
        struct scep *s, struct http_req *req, const struct scep_label *l)
{
	const struct authority *next = scep_next_ca(s, l);
	struct bytes message;
	enum scep_next_by by =
	        http_uri_param(http_req_query(req), "message", &message)
	        ? SCEP_NEXT_BY_RA
	        : SCEP_NEXT_BY_CA;
	struct next *n;

	if (next == NULL) {
		http_answer_text(req, 404, "there is no next CA certificate");
		return;
	}
	if (l->ra->next[by].n > 0) {
		answer(req, l->ra, by);
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
	n->now = l->authority;
	n->next = next;
	n->by = by;
	n->content = BUF_INIT(CERTS_ONLY_MAX_BYTES);
	n->attrs = BUF_INIT(ATTRS_MAX_BYTES);
	sign(n);
}
