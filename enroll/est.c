#include "enroll/est.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/text.h"
#include "ca/csrattrs.h"
#include "ca/certs_only.h"
#include "ca/generations.h"
#include "enroll/est_wire.h"
#include "net/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CERTS_ONLY_TYPE "application/pkcs7-mime; smime-type=certs-only"
/* How soon a client that waits for an operator may ask again. */
#define EST_WAITING_RETRY_S "60"
#define CSRATTRS_TYPE "application/csrattrs"
/* Base64 of a certs-only message with line ends. */
#define ANSWER_MAX_BYTES (CERTS_ONLY_MAX_BYTES / 2 * 3)

struct est_label {
	const struct conf_label *conf;
	struct buf cacerts;  /* certs-only, DER */
	struct buf csrattrs; /* CsrAttrs, DER */
};

struct est {
	struct est_opts o;
	struct pubkey_ctx *keys;
	struct est_label *labels;
	size_t n_labels;
	size_t pending;
	struct http_route route[2];
	struct http_routes routes;
};

/* One enrolment on its way. */
struct enrolment {
	struct est *est;
	struct http_req *req;
	const struct est_label *label;
	struct authorize a;
	struct basic basic;
	char from[NET_ADDR_TEXT_BYTES];
};

/* --- answers */
static const struct est_quirk *quirk_of(const struct http_req *req)
{
	return est_quirk(http_req_header(req, "User-Agent"));
}

static void answer_plain(struct http_req *req, unsigned status,
        const struct http_header *extra, size_t n, const char *text)
{
	struct http_header headers[HTTP_ANSWER_HEADERS_MAX];
	struct buf line = BUF_INIT(1024);

	headers[0] = (struct http_header){ "Content-Type", "text/plain" };
	for (size_t i = 0; i < n; i++)
		headers[i + 1] = extra[i];
	buf_addf(&line, "%s\n", text);
	http_answer(req, status, headers, n + 1, buf_bytes(&line));
	buf_free(&line);
}

static void answer_base64(
        struct http_req *req, const char *type, struct bytes der)
{
	const struct http_header headers[] = {
		{ "Content-Type", type },
		/* RFC 8951 has clients ignore it; older ones look for it. */
		{ "Content-Transfer-Encoding", "base64" },
	};
	struct buf text = BUF_INIT(ANSWER_MAX_BYTES);

	base64_encode(&text, der, quirk_of(req)->columns);
	if (text.failed == RC_OK)
		http_answer(req, 200, headers,
		        sizeof(headers) / sizeof(*headers), buf_bytes(&text));
	else
		answer_plain(req, 500, NULL, 0, rc_info(RC_INTERNAL)->text);
	buf_free(&text);
}

/* In seconds: what is busy or was overtaken is soon done, what is gone has to
 * be brought back. */
static const char *retry_after_s(enum rc rc)
{
	return rc == RC_BUSY || rc == RC_STALE ? "1" : "10";
}

struct refusal {
	enum rc rc;
	const struct why *why;
	const char *device; /* "" when not known */
	bool verified;      /* the clause may be told */
};

/* A stranger learns the kind of refusal and a number that the log has, too. */
static void refuse(
        struct est *est, struct http_req *req, const struct refusal *r)
{
	const struct rc_info *info = rc_info(r->rc);
	struct http_header extra[1];
	size_t n = 0;
	char from[NET_ADDR_TEXT_BYTES];
	char text[WHY_MAX_BYTES + 32];
	char reference[9];
	uint32_t random;

	rand_fill(&random, sizeof(random));
	snprintf(reference, sizeof(reference), "%08x", (unsigned)random);
	snprintf(text, sizeof(text), "%s (reference %s)",
	        r->verified ? r->why->text : info->text, reference);
	log_event(LOG_NOTICE, "est.refused", "reference", reference, "result",
	        info->name, "why", r->why->text, "device",
	        r->device[0] == '\0' ? NULL : r->device, "peer",
	        net_addr_text(from, http_req_addr(req)), NULL);
	metric_add(est->o.metrics, METRIC_EST_REFUSED, 1);
	if (info->http_status == 401) {
		/* libest reads the first challenge only. */
		extra[n++] = (struct http_header){ "WWW-Authenticate",
			"Basic realm=\"mica\"" };
		if (quirk_of(req)->bare_challenge) {
			http_answer(req, 401, extra, n, BYTES_NONE);
			return;
		}
	} else if (info->http_status == 503) {
		extra[n++] = (struct http_header){ "Retry-After",
			retry_after_s(r->rc) };
	}
	answer_plain(req, (unsigned)info->http_status, extra, n, text);
}

/* --- the certification request of an enrolment */

/* RFC 7030 section 3.5, RFC 9266: a challengePassword is the base64 of what
 * only the two ends of this TLS connection know. */
static enum rc binding_check(struct enrolment *e, struct why *why)
{
	struct tls_binding binding;
	struct buf sent = BUF_INIT(CSR_CHALLENGE_MAX_BYTES);
	struct bytes challenge;
	enum rc rc;

	if (!csr_challenge(e->a.csr, &challenge)) {
		if (!e->label->conf->profile->channel_binding)
			return RC_OK;
		return why_set(why, RC_BADBINDING,
		        "the profile demands channel binding in "
		        "challengePassword (RFC 7030 section 3.5)");
	}
	rc = http_req_channel_binding(e->req, &binding, why);
	if (rc != RC_OK)
		return rc == RC_UNSUPPORTED ? RC_BADBINDING : rc;
	rc = base64_decode(&sent, challenge);
	if (rc != RC_OK ||
	        !bytes_eq_secret(
	                buf_bytes(&sent), bytes_of(binding.p, binding.n)))
		rc = why_set(why, RC_BADBINDING,
		        "challengePassword is not the %s of this connection "
		        "(RFC 7030 section 3.5)",
		        binding.type);
	buf_free(&sent);
	return rc;
}

static enum rc bring_csr(struct authorize *a, struct why *why)
{
	struct enrolment *e = a->ctx;
	struct buf der = BUF_INIT(CSR_DER_MAX_BYTES);
	enum rc rc;

	rc = csr_from_wire(&der, http_req_body(e->req), why);
	if (rc == RC_OK)
		rc = csr_parse(&a->csr, e->est->keys, buf_bytes(&der), why);
	if (rc == RC_OK)
		rc = binding_check(e, why);
	buf_free(&der);
	return rc;
}

/* --- an enrolment's way */
static void enrolment_free(struct enrolment *e)
{
	e->est->pending--;
	csr_free(e->a.csr);
	bytes_wipe(&e->basic, sizeof(e->basic));
	free(e);
}

static void enrolment_refuse(
        struct enrolment *e, enum rc rc, const struct why *why)
{
	refuse(e->est, e->req,
	        &(struct refusal){ rc, why, e->a.device, e->a.verified });
	enrolment_free(e);
}

static void log_issued(const struct enrolment *e, const struct issued *result)
{
	struct buf serial = BUF_INIT(2 * STORE_SERIAL_BYTES + 1);
	struct metrics *m = e->est->o.metrics;
	const char *event = "est.enrolled";

	if (result->retried) {
		event = "est.retried";
		metric_add(m, METRIC_EST_RETRIED, 1);
	} else if (e->a.message == MESSAGE_RENEW) {
		event = "est.renewed";
		metric_add(m, METRIC_EST_RENEWED, 1);
	} else {
		metric_add(m, METRIC_EST_ENROLLED, 1);
	}
	hex_encode(&serial, BYTES_ARRAY(result->key.serial));
	log_event(LOG_INFO, event, "device", e->a.device, "serial",
	        buf_cstr(&serial), "label", e->label->conf->label, "peer",
	        e->from, NULL);
	buf_free(&serial);
}

/* RFC 7030 section 4.2.3: an operator has not decided yet. The client comes
 * again with the same request. */
static void answer_waiting(struct enrolment *e)
{
	const struct http_header retry = { "Retry-After", EST_WAITING_RETRY_S };

	log_event(LOG_INFO, "est.waits", "device", e->a.device, "label",
	        e->label->conf->label, "peer", e->from, NULL);
	answer_plain(e->req, (unsigned)rc_info(RC_WAITING)->http_status, &retry,
	        1, rc_info(RC_WAITING)->text);
	enrolment_free(e);
}

/* RFC 7030 section 4.2.3: the certificate that was issued, and no other. */
static void on_issued(void *ctx, const struct issued *result)
{
	struct enrolment *e = ctx;
	struct buf message = BUF_INIT(CERTS_ONLY_MAX_BYTES);
	struct why why = result->why;
	enum rc rc = result->rc;

	if (rc == RC_WAITING) {
		answer_waiting(e);
		return;
	}
	if (rc == RC_OK || rc == RC_DUPLICATE)
		rc = certs_only_put(&message, &result->der, 1);
	if (rc == RC_OK) {
		log_issued(e, result);
		/* A line or a gateway that enrols many is one address. */
		if (!result->retried)
			limit_give(e->est->o.limit, http_req_addr(e->req), 1);
		answer_base64(e->req, CERTS_ONLY_TYPE, buf_bytes(&message));
		enrolment_free(e);
	} else {
		enrolment_refuse(e, rc, &why);
	}
	buf_free(&message);
}

static void on_authorized(struct authorize *a)
{
	struct enrolment *e = a->ctx;

	if (a->rc != RC_OK)
		enrolment_refuse(e, a->rc, &a->why);
	else
		issuer_issue(e->est->o.issuer, a->grant, a->csr, on_issued, e);
}

static enum rc enrolment_read(struct enrolment *e, struct why *why)
{
	const struct tls_peer *peer = http_req_tls_peer(e->req);
	struct bytes field = http_req_header(e->req, "Authorization");
	enum rc rc;

	if (peer != NULL) {
		e->a.chain = peer->cert;
		e->a.n_chain = peer->n;
		e->a.chain_verified = peer->verified;
	}
	rc = basic_parse(&e->basic, field);
	if (rc == RC_OK)
		e->a.basic = &e->basic;
	if (rc == RC_OK || rc == RC_NOTFOUND)
		return RC_OK;
	return why_set(why, RC_NOCRED, "malformed Basic credential");
}

static void enrol(struct est *est, struct http_req *req,
        const struct est_label *label, enum enroll_message message)
{
	struct enrolment *e = calloc(1, sizeof(*e));
	struct why why = WHY_NONE;
	enum rc rc;

	if (e == NULL) {
		refuse(est, req,
		        &(struct refusal){ RC_NOMEM, &why, "", false });
		return;
	}
	est->pending++;
	e->est = est;
	e->req = req;
	e->label = label;
	net_addr_text(e->from, http_req_addr(req));
	e->a.message = message;
	e->a.label = label->conf;
	e->a.from = e->from;
	e->a.bring_csr = bring_csr;
	e->a.done = on_authorized;
	e->a.ctx = e;
	rc = enrolment_read(e, &why);
	if (rc != RC_OK)
		enrolment_refuse(e, rc, &why);
	else if (authorize_device(est->o.authorizer, &e->a) != RC_PENDING)
		on_authorized(&e->a);
}

/* --- routes */
static const struct est_label *label_find(
        const struct est *est, struct bytes name)
{
	for (size_t i = 0; i < est->n_labels; i++) {
		if (bytes_eq_str(name, est->labels[i].conf->label))
			return &est->labels[i];
	}
	return NULL;
}

static void answer_allow(struct http_req *req, const char *allow)
{
	const struct http_header extra = { "Allow", allow };

	answer_plain(req, 405, &extra, 1, http_status_text(405));
}

static void on_get(void *ctx, struct http_req *req)
{
	const struct est *est = ctx;
	const struct est_label *label;
	struct est_path path;

	if (est_path_parse(&path, http_req_path(req)) != RC_OK ||
	        (label = label_find(est, path.label)) == NULL)
		answer_plain(req, 404, NULL, 0, http_status_text(404));
	else if (path.op == EST_CACERTS)
		answer_base64(req, CERTS_ONLY_TYPE, buf_bytes(&label->cacerts));
	else if (path.op == EST_CSRATTRS)
		answer_base64(req, CSRATTRS_TYPE, buf_bytes(&label->csrattrs));
	else
		answer_allow(req, "POST");
}

static void on_post(void *ctx, struct http_req *req)
{
	struct est *est = ctx;
	const struct est_label *label;
	struct why why = WHY_NONE;
	struct est_path path;

	if (est_path_parse(&path, http_req_path(req)) != RC_OK ||
	        (label = label_find(est, path.label)) == NULL) {
		answer_plain(req, 404, NULL, 0, http_status_text(404));
	} else if (path.op != EST_SIMPLEENROLL &&
	        path.op != EST_SIMPLEREENROLL) {
		answer_allow(req, "GET, HEAD");
	} else if (!limit_take(est->o.limit, http_req_addr(req), 1)) {
		why_set(&why, RC_BUSY, "over the rate of one address");
		refuse(est, req, &(struct refusal){ RC_BUSY, &why, "", false });
	} else {
		enrol(est, req, label,
		        path.op == EST_SIMPLEENROLL ? MESSAGE_ENROLL
		                                    : MESSAGE_RENEW);
	}
}

const struct http_routes *est_routes(const struct est *est)
{
	return &est->routes;
}

size_t est_pending(const struct est *est)
{
	return est->pending;
}

/* --- making one */

static enum rc cacerts_build(
        struct buf *out, const struct est_opts *o, const struct authority *a)
{
	struct bytes certs[GENERATIONS_CERTS_MAX];
	size_t n = 0;
	enum rc rc = generations_certs(
	        certs, &n, o->authorities, o->conf, a, clock_now_s());

	return rc == RC_OK ? certs_only_put(out, certs, n) : rc;
}

static enum rc label_open(const struct est *est, struct est_label *label,
        const struct conf_label *conf, struct why *why)
{
	const struct authority *a =
	        authorities_find(est->o.authorities, conf->authority->name);
	enum rc rc;

	label->conf = conf;
	label->cacerts = BUF_INIT(CERTS_ONLY_MAX_BYTES);
	label->csrattrs = BUF_INIT(CSRATTRS_MAX_BYTES);
	rc = a == NULL ? RC_CONFIG : cacerts_build(&label->cacerts, &est->o, a);
	if (rc == RC_OK)
		rc = csrattrs_build(&label->csrattrs, conf->profile);
	if (rc != RC_OK)
		why_set(why, rc, "label \"%s\": %s", conf->label,
		        rc_info(rc)->text);
	return rc;
}

static enum rc labels_open(struct est *est, struct why *why)
{
	const struct conf *conf = est->o.conf;
	enum rc rc = RC_OK;

	if (conf->n_labels == 0)
		return RC_OK;
	est->labels = calloc(conf->n_labels, sizeof(*est->labels));
	if (est->labels == NULL)
		return RC_NOMEM;
	while (rc == RC_OK && est->n_labels < conf->n_labels) {
		size_t i = est->n_labels++;

		rc = label_open(est, &est->labels[i], &conf->labels[i], why);
	}
	return rc;
}

enum rc est_new(struct est **out, const struct est_opts *o, struct why *why)
{
	struct est *est = calloc(1, sizeof(*est));
	enum rc rc;

	*out = NULL;
	if (est == NULL)
		return RC_NOMEM;
	est->o = *o;
	est->route[0] = (struct http_route){ HTTP_GET, HTTP_PREFIX, "/", 0,
		on_get, est };
	est->route[1] = (struct http_route){ HTTP_POST, HTTP_PREFIX, "/",
		CSR_WIRE_MAX_BYTES, on_post, est };
	est->routes = (struct http_routes){ est->route, 2 };
	rc = pubkey_ctx_new(&est->keys);
	if (rc == RC_OK)
		rc = labels_open(est, why);
	if (rc != RC_OK) {
		est_free(est);
		return rc;
	}
	*out = est;
	return RC_OK;
}

void est_free(struct est *est)
{
	if (est == NULL)
		return;
	for (size_t i = 0; i < est->n_labels; i++) {
		buf_free(&est->labels[i].cacerts);
		buf_free(&est->labels[i].csrattrs);
	}
	pubkey_ctx_free(est->keys);
	free(est->labels);
	free(est);
}
