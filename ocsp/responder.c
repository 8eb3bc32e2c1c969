#include "ocsp/responder_priv.h"

#include "base/clock.h"
#include "base/text.h"
#include "net/http_uri.h"
#include <stdlib.h>
#include <string.h>

/* --- the store's changes */
static void forget_all(struct responder *r)
{
	cache_clear(r->cache);
	reply_mark_stale(r, NULL);
}

static void forget(struct responder *r, const struct cert_key *cert)
{
	const struct issuer *i = issuers_by_id(r->issuers, cert->authority);
	struct cache_key key;

	if (i == NULL)
		return;
	key.issuer = i->index;
	memcpy(key.serial, cert->serial, sizeof(key.serial));
	cache_drop(r->cache, key.issuer, key.serial);
	reply_mark_stale(r, &key);
}

bool responder_look(struct responder *r)
{
	struct store_changes *look = &r->look;

	do {
		if (store_changes(r->o.store, look) != RC_OK) {
			look->snapshot = 0;
			forget_all(r);
			return false;
		}
		if (look->lost)
			forget_all(r);
		for (size_t i = 0; i < look->n; i++)
			forget(r, &look->rows[i].key);
	} while (look->more);
	return true;
}

int64_t responder_now_s(const struct responder *r)
{
	int64_t now_us = clock_now_us();

	if (now_us < r->look.clock_floor_us)
		now_us = r->look.clock_floor_us;
	return now_us / 1000000;
}

/* --- requests */
void responder_refuse(
        struct responder *r, struct http_req *req, enum response_status status)
{
	metric_add(r->o.metrics, METRIC_OCSP_REFUSED, 1);
	r->answered++;
	answer_send_error(req, status);
}

bool serial_pad(uint8_t out[STORE_SERIAL_BYTES], struct bytes serial)
{
	if (serial.n == 0 || (serial.p[0] & 0x80) != 0)
		return false;
	if (serial.p[0] == 0)
		serial = bytes_skip(serial, 1);
	if (serial.n > STORE_SERIAL_BYTES)
		return false;
	memset(out, 0, STORE_SERIAL_BYTES - serial.n);
	if (serial.n > 0)
		memcpy(out + STORE_SERIAL_BYTES - serial.n, serial.p, serial.n);
	return true;
}

static bool key_of(struct cache_key *key, const struct issuer *issuer,
        const struct certid *id)
{
	key->issuer = issuer->index;
	key->form = (uint8_t)(2 * (unsigned)id->hash + id->null_params);
	return serial_pad(key->serial, id->serial);
}

/* One certificate, no nonce: what all may have. */
static void ask_alike(struct responder *r, struct http_req *req,
        struct bytes der, const struct ocsp_request *request,
        const struct issuer *issuer)
{
	bool sure = responder_look(r);
	const struct ocsp_answer *a;
	struct cache_key key;

	if (!sure || !key_of(&key, issuer, &request->list[0])) {
		reply_begin(r, req, der, request, issuer, NULL);
		return;
	}
	a = cache_find(r->cache, &key);
	if (a != NULL && answer_is_fresh(a, responder_now_s(r))) {
		metric_add(r->o.metrics, METRIC_OCSP_CACHED, 1);
		r->answered++;
		answer_send(req, a);
		return;
	}
	if (!reply_join(r, req, &key))
		reply_begin(r, req, der, request, issuer, &key);
}

/* Whose certificates are asked about; NULL unless it is one authority of ours:
 * nobody else may sign for them (RFC 6960 section 4.2.2.2). */
static const struct issuer *issuer_of(
        const struct responder *r, const struct ocsp_request *request)
{
	const struct issuer *i = issuers_find(r->issuers, &request->list[0]);

	for (size_t k = 1; i != NULL && k < request->n; k++)
		if (issuers_find(r->issuers, &request->list[k]) != i)
			i = NULL;
	return i;
}

static void ask(struct responder *r, struct http_req *req, struct bytes der)
{
	struct ocsp_request request;
	const struct issuer *issuer;

	if (ocsp_request_parse(&request, der, NULL) != RC_OK) {
		responder_refuse(r, req, RESPONSE_MALFORMED);
		return;
	}
	issuer = issuer_of(r, &request);
	if (issuer == NULL) {
		responder_refuse(r, req, RESPONSE_UNAUTHORIZED);
		return;
	}
	if (request.n == 1 && !request.has_nonce) {
		ask_alike(r, req, der, &request, issuer);
		return;
	}
	(void)responder_look(r); /* for the clock's floor */
	if (limit_take(r->o.limit, http_req_addr(req), 1))
		reply_begin(r, req, der, &request, issuer, NULL);
	else
		responder_refuse(r, req, RESPONSE_TRY_LATER);
}

static void on_post(void *ctx, struct http_req *req)
{
	ask(ctx, req, http_req_body(req));
}

/* {url}/{url-encoding of the base64 of the DER} (RFC 6960 appendix A.1). A
 * base URL that ends in a slash brings a second one; base64 has its own, which
 * some escape and some do not. */
static void on_get(void *ctx, struct http_req *req)
{
	struct responder *r = ctx;
	struct bytes rest = http_req_rest(req);
	enum rc rc;

	while (rest.n > 0 && rest.p[0] == '/')
		rest = bytes_skip(rest, 1);
	buf_reset(&r->text);
	buf_reset(&r->der);
	rc = http_uri_decode(&r->text, rest);
	if (rc == RC_OK)
		rc = base64_decode(&r->der, buf_bytes(&r->text));
	if (rc == RC_OK)
		ask(r, req, buf_bytes(&r->der));
	else
		responder_refuse(r, req, RESPONSE_MALFORMED);
}

/* --- the responder */
enum rc responder_new(
        struct responder **out, const struct responder_opts *o, struct why *why)
{
	struct responder *r = calloc(1, sizeof(*r));
	enum rc rc;

	*out = NULL;
	if (r == NULL)
		return RC_NOMEM;
	r->o = *o;
	r->look.rows = r->changed;
	r->look.max = STORE_ROWS_MAX;
	r->text = BUF_INIT(HTTP_LINE_MAX_BYTES);
	r->der = BUF_INIT(HTTP_LINE_MAX_BYTES);
	r->routes[0] = (struct http_route){ HTTP_POST, HTTP_EXACT, "/ocsp",
		OCSP_REQUEST_MAX_BYTES, on_post, r };
	r->routes[1] = (struct http_route){ HTTP_POST, HTTP_EXACT, "/ocsp/",
		OCSP_REQUEST_MAX_BYTES, on_post, r };
	r->routes[2] = (struct http_route){ HTTP_GET, HTTP_PREFIX, "/ocsp/", 0,
		on_get, r };
	rc = digest_new(&r->digest);
	if (rc == RC_OK)
		rc = cache_new(&r->cache, o->cache_bytes);
	if (rc == RC_OK)
		rc = issuers_new(&r->issuers, o->authorities, o->store, why);
	if (rc != RC_OK) {
		responder_free(r);
		return rc;
	}
	*out = r;
	return RC_OK;
}

void responder_free(struct responder *r)
{
	if (r == NULL)
		return;
	reply_cancel_all(r);
	issuers_free(r->issuers);
	cache_free(r->cache);
	digest_free(r->digest);
	buf_free(&r->text);
	buf_free(&r->der);
	free(r);
}

uint64_t responder_answered(const struct responder *r)
{
	return r->answered;
}

size_t responder_pending(const struct responder *r)
{
	return r->pending;
}

const struct http_route *responder_routes(const struct responder *r, size_t *n)
{
	*n = sizeof(r->routes) / sizeof(r->routes[0]);
	return r->routes;
}

enum rc responder_set_key(struct responder *r, const char *authority,
        const char *key, struct bytes cert, struct why *why)
{
	return issuers_set_responder(r->issuers, authority, key, cert, why);
}

bool responder_is_complete(const struct responder *r)
{
	return !issuers_wait(r->issuers);
}
