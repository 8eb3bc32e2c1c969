#include "enroll/scep_priv.h"

#include "base/log.h"
#include "base/rand.h"
#include "base/text.h"
#include "ca/certs_only.h"
#include "net/http_uri.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CAPS_TYPE "text/plain"
/* RFC 8894 section 4.2.1.2 */
#define RA_CERT_TYPE "application/x-x509-ca-ra-cert"
#define SCEP_PATH "/scep"
/* What Cisco's clients put behind the path that they are given. */
#define PROGRAM_PATH "/pkiclient.exe"
#define CGI_PATH "/cgi-bin/pkiclient.exe"
/* Where clients of Microsoft's server look, without being told. */
#define NDES_PATH "/certsrv/mscep/mscep.dll"

/* --- refusals */
void scep_refused(const struct scep *s, const struct http_req *req,
        const struct scep_refusal *r, char text[SCEP_REFUSAL_TEXT_BYTES])
{
	const struct rc_info *info = rc_info(r->rc);
	char from[NET_ADDR_TEXT_BYTES];
	char reference[9];
	uint32_t random;

	rand_fill(&random, sizeof(random));
	snprintf(reference, sizeof(reference), "%08x", (unsigned)random);
	snprintf(text, SCEP_REFUSAL_TEXT_BYTES, "%s (reference %s)",
	        r->verified ? r->why->text : info->text, reference);
	log_event(LOG_NOTICE, "scep.refused", "reference", reference, "result",
	        info->name, "why", r->why->text, "device",
	        r->device[0] == '\0' ? NULL : r->device, "label", r->label,
	        "peer", net_addr_text(from, http_req_addr(req)), NULL);
	metric_add(s->o.metrics, METRIC_SCEP_REFUSED, 1);
}

void scep_refuse_plain(const struct scep *s, struct http_req *req,
        const struct scep_refusal *r)
{
	static const struct http_header headers[] = {
		{ "Content-Type", CAPS_TYPE },
		{ "Retry-After", "10" },
	};
	unsigned status = (unsigned)rc_info(r->rc)->http_status;
	char text[SCEP_REFUSAL_TEXT_BYTES];
	struct buf line = BUF_INIT(SCEP_REFUSAL_TEXT_BYTES + 1);

	/* There is nothing to authenticate with over HTTP. */
	if (status == 401)
		status = 400;
	scep_refused(s, req, r, text);
	buf_addf(&line, "%s\n", text);
	http_answer(
	        req, status, headers, status == 503 ? 2 : 1, buf_bytes(&line));
	buf_free(&line);
}

/* --- registration authorities */
struct ra *ra_ref(struct ra *ra)
{
	ra->refs++;
	return ra;
}

void ra_unref(struct ra *ra)
{
	if (ra == NULL || --ra->refs > 0)
		return;
	buf_free(&ra->cert);
	buf_free(&ra->answer);
	for (size_t i = 0; i < SCEP_NEXT_SIGNERS; i++)
		buf_free(&ra->next[i]);
	free(ra);
}

/* The RA's certificate first: clients take the first that is no CA's. */
static enum rc answer_build(struct ra *ra, const struct authority *a)
{
	struct bytes *certs = calloc(a->n_chain + 2, sizeof(*certs));
	enum rc rc;

	if (certs == NULL)
		return RC_NOMEM;
	certs[0] = buf_bytes(&ra->cert);
	certs[1] = a->der;
	for (size_t i = 0; i < a->n_chain; i++)
		certs[i + 2] = a->chain[i];
	rc = certs_only_put(&ra->answer, certs, a->n_chain + 2);
	free(certs);
	return rc;
}

static enum rc ra_new(struct ra **out, const struct authority *a,
        struct bytes cert, struct why *why)
{
	struct ra *ra = calloc(1, sizeof(*ra));
	enum rc rc;

	*out = NULL;
	if (ra == NULL)
		return RC_NOMEM;
	ra->refs = 1;
	ra->key_name = a->conf->ra_key->name;
	ra->cert = BUF_INIT(CERT_MAX_BYTES);
	ra->answer = BUF_INIT(CERTS_ONLY_MAX_BYTES);
	for (size_t i = 0; i < SCEP_NEXT_SIGNERS; i++)
		ra->next[i] = BUF_INIT(CERTS_ONLY_MAX_BYTES);
	buf_add(&ra->cert, cert);
	rc = ra->cert.failed;
	if (rc == RC_OK)
		rc = cert_parse(&ra->parsed, buf_bytes(&ra->cert), why);
	ra->view.cert = buf_bytes(&ra->cert);
	ra->view.id.issuer = ra->parsed.issuer;
	ra->view.id.serial = ra->parsed.serial;
	if (rc == RC_OK)
		rc = cert_subject_key_id(&ra->parsed, &ra->view.id.key_id, why);
	if (rc == RC_OK)
		rc = answer_build(ra, a);
	if (rc == RC_OK)
		*out = ra;
	else
		ra_unref(ra);
	return rc;
}

enum rc scep_set_ra(struct scep *s, const char *authority, struct bytes cert,
        struct why *why)
{
	struct ra *ra = NULL;
	enum rc rc = RC_NOTFOUND;

	for (size_t i = 0; i < s->n_labels; i++) {
		struct scep_label *label = &s->labels[i];

		if (strcmp(label->authority->conf->name, authority) != 0)
			continue;
		rc = ra != NULL || cert.n == 0
		        ? RC_OK
		        : ra_new(&ra, label->authority, cert, why);
		if (rc != RC_OK)
			return rc;
		ra_unref(label->ra);
		label->ra = ra != NULL ? ra_ref(ra) : NULL;
	}
	ra_unref(ra);
	return rc;
}

/* --- CRLs */
static bool is_crl_of(const char *name, const struct authority *a)
{
	size_t n = strlen(a->conf->name);

	return strncmp(name, a->conf->name, n) == 0 &&
	        strcmp(name + n, ".crl") == 0;
}

void scep_set_crl(struct scep *s, const char *name, int fd)
{
	for (size_t i = 0; i < s->n_labels; i++) {
		struct scep_label *label = &s->labels[i];

		if (!is_crl_of(name, label->authority))
			continue;
		if (label->crl_fd >= 0)
			close(label->crl_fd);
		label->crl_fd = dup(fd);
	}
}

/* --- paths and operations */
static void answer_plain(
        struct http_req *req, unsigned status, const char *text)
{
	http_answer_text(req, status, text);
}

static bool cut_tail(struct bytes *in, const char *tail)
{
	struct bytes t = bytes_str(tail);

	if (in->n < t.n || !bytes_eq(bytes_skip(*in, in->n - t.n), t))
		return false;
	in->n -= t.n;
	return true;
}

/* /scep, /scep/LABEL and /cgi-bin/pkiclient.exe, with what clients add; and
 * /certsrv/mscep/mscep.dll. */
static const struct scep_label *label_find(
        const struct scep *s, struct bytes path)
{
	struct bytes base = BYTES_LIT(SCEP_PATH);

	if (bytes_eq_str(path, NDES_PATH))
		path = BYTES_NONE;
	(void)(cut_tail(&path, CGI_PATH) || cut_tail(&path, PROGRAM_PATH) ||
	        cut_tail(&path, "/"));
	if (bytes_starts(path, base))
		path = bytes_skip(path, base.n);
	else if (path.n > 0)
		return NULL;
	if (path.n > 0 && path.p[0] == '/')
		path = bytes_skip(path, 1);
	for (size_t i = 0; i < s->n_labels; i++)
		if (bytes_eq_str(path, s->labels[i].conf->label))
			return &s->labels[i];
	return NULL;
}

static void answer_caps(
        const struct scep *s, struct http_req *req, const struct scep_label *l)
{
	const struct http_header type = { "Content-Type", CAPS_TYPE };
	struct buf text = BUF_INIT(256);

	/* In the order of preference. strongSwan takes AES for spoken only
	 * where SHA-384 is, too. */
	buf_add_str(&text,
	        "SCEPStandard\nPOSTPKIOperation\nAES\nSHA-256\n"
	        "SHA-384\nSHA-512\n");
	if (l->conf->allow & CONF_ALLOW_RENEWAL)
		buf_add_str(&text, "Renewal\n");
	if (scep_next_ca(s, l) != NULL)
		buf_add_str(&text, "GetNextCACert\n");
	if (l->legacy.sha1)
		buf_add_str(&text, "SHA-1\n");
	if (l->legacy.des3)
		buf_add_str(&text, "DES3\n");
	http_answer(req, 200, &type, 1, buf_bytes(&text));
	buf_free(&text);
}

static void refuse_without_ra(const struct scep *s, struct http_req *req)
{
	struct why why;

	why_set(&why, RC_UNAVAILABLE,
	        "the registration authority has no certificate yet");
	scep_refuse_plain(s, req,
	        &(struct scep_refusal){
	                RC_UNAVAILABLE, &why, "", false, NULL });
}

static void answer_certs(
        const struct scep *s, struct http_req *req, const struct scep_label *l)
{
	const struct http_header type = { "Content-Type", RA_CERT_TYPE };

	if (l->ra == NULL)
		refuse_without_ra(s, req);
	else
		http_answer(req, 200, &type, 1, buf_bytes(&l->ra->answer));
}

static void answer_next(
        struct scep *s, struct http_req *req, const struct scep_label *l)
{
	if (l->ra == NULL)
		refuse_without_ra(s, req);
	else
		scep_answer_next(s, req, l);
}

static void operate(struct scep *s, struct http_req *req,
        const struct scep_label *label, struct bytes message)
{
	struct why why = WHY_NONE;

	if (label->ra == NULL) {
		refuse_without_ra(s, req);
	} else if (!limit_take(s->o.limit, http_req_addr(req), 1)) {
		why_set(&why, RC_BUSY, "over the rate of one address");
		scep_refuse_plain(s, req,
		        &(struct scep_refusal){
		                RC_BUSY, &why, "", false, label->conf->label });
	} else {
		scep_exchange(s, req, label, message);
	}
}

/* Section 4.1: the message in base64, percent-encoded or not. */
static void operate_by_get(
        struct scep *s, struct http_req *req, const struct scep_label *label)
{
	struct buf text = BUF_INIT(HTTP_LINE_MAX_BYTES);
	struct buf der = BUF_INIT(HTTP_LINE_MAX_BYTES);
	struct bytes message = BYTES_NONE;
	struct why why;
	enum rc rc = RC_MALFORMED;

	if (http_uri_param(http_req_query(req), "message", &message))
		rc = http_uri_decode(&text, message);
	if (rc == RC_OK)
		rc = base64_decode(&der, buf_bytes(&text));
	if (rc == RC_OK) {
		operate(s, req, label, buf_bytes(&der));
	} else {
		why_set(&why, rc, "message is missing or no base64");
		scep_refuse_plain(s, req,
		        &(struct scep_refusal){
		                rc, &why, "", false, label->conf->label });
	}
	buf_free(&text);
	buf_free(&der);
}

static bool is_operation(const struct http_req *req, const char *name)
{
	struct bytes value;

	return http_uri_param(http_req_query(req), "operation", &value) &&
	        bytes_eq_str(value, name);
}

static void on_get(void *ctx, struct http_req *req)
{
	struct scep *s = ctx;
	const struct scep_label *label = label_find(s, http_req_path(req));

	if (label == NULL)
		answer_plain(req, 404, http_status_text(404));
	else if (is_operation(req, "GetCACaps"))
		answer_caps(s, req, label);
	else if (is_operation(req, "GetCACert"))
		answer_certs(s, req, label);
	else if (is_operation(req, "GetNextCACert"))
		answer_next(s, req, label);
	else if (is_operation(req, "PKIOperation"))
		operate_by_get(s, req, label);
	else
		answer_plain(req, 400, "no SCEP operation that is done here");
}

static void on_post(void *ctx, struct http_req *req)
{
	struct scep *s = ctx;
	const struct scep_label *label = label_find(s, http_req_path(req));

	if (label == NULL)
		answer_plain(req, 404, http_status_text(404));
	else if (is_operation(req, "PKIOperation"))
		operate(s, req, label, http_req_body(req));
	else
		answer_plain(req, 400, "no SCEP operation that is done here");
}

const struct http_route *scep_routes(const struct scep *s, size_t *n)
{
	*n = s->n_labels > 0 ? SCEP_ROUTES : 0;
	return s->routes;
}

size_t scep_pending(const struct scep *s)
{
	return s->pending;
}

/* --- making one */
static void routes_make(struct scep *s)
{
	static const struct {
		enum http_match match;
		const char *path;
	} paths[SCEP_ROUTES / 2] = {
		{ HTTP_EXACT, SCEP_PATH },
		{ HTTP_PREFIX, SCEP_PATH "/" },
		{ HTTP_EXACT, CGI_PATH },
		{ HTTP_EXACT, PROGRAM_PATH },
		{ HTTP_EXACT, NDES_PATH },
	};

	for (size_t i = 0; i < SCEP_ROUTES / 2; i++) {
		s->routes[2 * i] = (struct http_route){ HTTP_GET,
			paths[i].match, paths[i].path, 0, on_get, s };
		s->routes[2 * i + 1] = (struct http_route){ HTTP_POST,
			paths[i].match, paths[i].path, SCEP_MESSAGE_MAX_BYTES,
			on_post, s };
	}
}

static enum rc labels_open(struct scep *s, struct why *why)
{
	const struct conf *conf = s->o.conf;

	s->labels = calloc(conf->n_scep + 1, sizeof(*s->labels));
	if (s->labels == NULL)
		return RC_NOMEM;
	for (size_t i = 0; i < conf->n_scep; i++) {
		const struct conf_label *c = &conf->scep[i];
		struct scep_label *l = &s->labels[i];

		l->conf = c;
		l->crl_fd = -1;
		l->authority =
		        authorities_find(s->o.authorities, c->authority->name);
		l->legacy.sha1 = c->legacy & CONF_LEGACY_SHA1;
		l->legacy.des3 = c->legacy & CONF_LEGACY_DES3;
		if (l->authority == NULL)
			return why_set(why, RC_CONFIG,
			        "enroll.scep: no authority %s",
			        c->authority->name);
		s->n_labels++;
	}
	return RC_OK;
}

enum rc scep_new(struct scep **out, const struct scep_opts *o, struct why *why)
{
	struct scep *s = calloc(1, sizeof(*s));
	enum rc rc;

	*out = NULL;
	if (s == NULL)
		return RC_NOMEM;
	s->o = *o;
	routes_make(s);
	rc = pubkey_ctx_new(&s->keys);
	if (rc == RC_OK)
		rc = scep_crypt_new(&s->crypt);
	if (rc == RC_OK)
		rc = labels_open(s, why);
	if (rc != RC_OK)
		scep_free(s);
	else
		*out = s;
	return rc;
}

void scep_free(struct scep *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n_labels; i++) {
		ra_unref(s->labels[i].ra);
		if (s->labels[i].crl_fd >= 0)
			close(s->labels[i].crl_fd);
	}
	free(s->labels);
	scep_crypt_free(s->crypt);
	pubkey_ctx_free(s->keys);
	free(s);
}
