#include "tests/unit/ocsp_world.h"

#include "base/clock.h"
#include "base/text.h"

#include <check.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define PROFILES                                                               \
	"  sensor:\n"                                                          \
	"    subject: { CN: \"%{device}\" }\n"

struct ocsp_world ow;

/* --- HTTP is a struct here */

enum http_method http_req_method(const struct http_req *req)
{
	return req->method;
}

struct bytes http_req_rest(const struct http_req *req)
{
	return bytes_skip(bytes_str(req->path), strlen("/ocsp/"));
}

struct bytes http_req_header(const struct http_req *req, const char *name)
{
	return strcmp(name, "If-None-Match") == 0
	        ? bytes_str(req->if_none_match)
	        : BYTES_NONE;
}

struct bytes http_req_body(const struct http_req *req)
{
	return buf_bytes(&req->body);
}

const struct net_addr *http_req_addr(const struct http_req *req)
{
	return &req->addr;
}

static void keep(struct http_req *req, const struct http_header *h)
{
	const struct {
		const char *name;
		char *out;
		size_t size;
	} all[] = {
		{ "Cache-Control", req->cache_control,
		        sizeof(req->cache_control) },
		{ "ETag", req->etag, sizeof(req->etag) },
		{ "Expires", req->expires, sizeof(req->expires) },
		{ "Last-Modified", req->last_modified,
		        sizeof(req->last_modified) },
		{ "Content-Type", req->type, sizeof(req->type) },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(h->name, all[i].name) == 0)
			(void)snprintf(all[i].out, all[i].size, "%s", h->value);
}

void http_answer(struct http_req *req, unsigned status,
        const struct http_header *headers, size_t n_headers, struct bytes body)
{
	ck_assert(!req->answered);
	req->answered = true;
	req->status = status;
	for (size_t i = 0; i < n_headers; i++)
		keep(req, &headers[i]);
	req->answer = BUF_INIT(1u << 20);
	buf_add(&req->answer, body);
}

enum rc http_header_lines(
        struct buf *out, const struct http_header *headers, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_addf(out, "%s: %s\r\n", headers[i].name, headers[i].value);
	return out->failed;
}

void http_answer_lines(struct http_req *req, unsigned status,
        struct bytes lines, struct bytes body)
{
	struct http_header headers[HTTP_ANSWER_HEADERS_MAX];
	char text[4096], *rest = text, *line;
	size_t n = 0;

	ck_assert_uint_lt(lines.n, sizeof(text));
	memcpy(text, lines.p, lines.n);
	text[lines.n] = '\0';
	while ((line = strsep(&rest, "\r")) != NULL && rest != NULL) {
		line += *line == '\n';
		headers[n].name = strsep(&line, ":");
		headers[n++].value = line + 1;
	}
	http_answer(req, status, headers, n, body);
}

void ow_dispatch(struct http_req *req)
{
	const char *path = req->method == HTTP_POST ? "/ocsp" : "/ocsp/";
	size_t n;
	const struct http_route *r = responder_routes(ow.responder, &n);

	for (size_t i = 0; i < n; i++)
		if (r[i].method == req->method &&
		        strcmp(r[i].path, path) == 0) {
			r[i].fn(r[i].ctx, req);
			return;
		}
	ck_abort_msg("no route");
}

void ow_wait_answered(struct http_req *req)
{
	for (int i = 0; i < 1000 && !req->answered; i++)
		loop_poll(ow.store.loop);
	ck_assert(req->answered);
}

void ow_req_free(struct http_req *req)
{
	buf_free(&req->body);
	buf_free(&req->answer);
}

/* --- what is asked */

static OCSP_CERTID *certid(const struct asked *a, const struct cert_key *key)
{
	X509 *issuer = a->issuer != NULL ? a->issuer : ow.world.ca;
	BIGNUM *bn = BN_bin2bn(key->serial, STORE_SERIAL_BYTES, NULL);
	ASN1_INTEGER *serial = BN_to_ASN1_INTEGER(bn, NULL);
	OCSP_CERTID *id = OCSP_cert_id_new(a->md ? a->md : EVP_sha1(),
	        X509_get_subject_name(issuer), X509_get0_pubkey_bitstr(issuer),
	        serial);

	ASN1_INTEGER_free(serial);
	BN_free(bn);
	return id;
}

void ow_encode(struct buf *out, const struct asked *a)
{
	OCSP_REQUEST *r = OCSP_REQUEST_new();
	uint8_t *der = NULL;
	int n;

	for (size_t i = 0; i < a->n; i++)
		ck_assert_ptr_nonnull(
		        OCSP_request_add0_id(r, certid(a, &a->cert[i])));
	if (a->nonce_bytes > 0)
		ck_assert_int_eq(
		        OCSP_request_add1_nonce(r, NULL, a->nonce_bytes), 1);
	n = i2d_OCSP_REQUEST(r, &der);
	buf_add(out, bytes_of(der, (size_t)n));
	OPENSSL_free(der);
	OCSP_REQUEST_free(r);
}

struct http_req ow_post(const struct asked *a)
{
	struct http_req req = { .method = HTTP_POST, .body = BUF_INIT(65536) };

	if (a->raw != NULL)
		buf_add_str(&req.body, a->raw);
	else
		ow_encode(&req.body, a);
	return req;
}

struct asked ow_about(struct cert_key key)
{
	return (struct asked){ .cert = { key }, .n = 1 };
}

/* --- what is answered */

static int64_t seconds(const ASN1_GENERALIZEDTIME *t)
{
	struct tm tm;

	if (t == NULL)
		return 0;
	ck_assert_int_eq(ASN1_TIME_to_tm(t, &tm), 1);
	return (int64_t)timegm(&tm);
}

static void verify(OCSP_BASICRESP *bs)
{
	X509_STORE *anchors = X509_STORE_new();
	STACK_OF(X509) *certs = sk_X509_new_null();
	X509_VERIFY_PARAM *param = X509_STORE_get0_param(anchors);

	X509_VERIFY_PARAM_set_time(param, (time_t)clock_now_s());
	X509_STORE_add_cert(anchors, ow.world.root);
	sk_X509_push(certs, ow.world.ca);
	ck_assert_int_eq(OCSP_basic_verify(bs, certs, anchors, 0), 1);
	sk_X509_free(certs);
	X509_STORE_free(anchors);
}

struct told ow_read_answer(const struct http_req *req)
{
	const uint8_t *p = req->answer.p;
	OCSP_RESPONSE *r = d2i_OCSP_RESPONSE(NULL, &p, (long)req->answer.n);
	OCSP_BASICRESP *bs;
	struct told t = { 0 };

	ck_assert_ptr_nonnull(r);
	ck_assert_ptr_eq(p, req->answer.p + req->answer.n);
	t.error = OCSP_response_status(r);
	bs = OCSP_response_get1_basic(r);
	if (bs != NULL) {
		ASN1_GENERALIZEDTIME *rev = NULL, *this, *next;

		verify(bs);
		for (int i = 0; i < OCSP_resp_count(bs); i++) {
			t.status[i] =
			        OCSP_single_get0_status(OCSP_resp_get0(bs, i),
			                &t.reason[i], &rev, &this, &next);
			t.revoked_s = seconds(rev);
			t.this_s = seconds(this);
			t.next_s = seconds(next);
		}
		t.nonce = OCSP_BASICRESP_get_ext_by_NID(
		                  bs, NID_id_pkix_OCSP_Nonce, -1) >= 0;
		t.extended = OCSP_BASICRESP_get_ext_count(bs) > t.nonce;
		t.n_certs = sk_X509_num(OCSP_resp_get0_certs(bs));
		OCSP_BASICRESP_free(bs);
	}
	OCSP_RESPONSE_free(r);
	return t;
}

struct told ow_ask(const struct asked *a)
{
	struct http_req req = ow_post(a);
	struct told t;

	ow_dispatch(&req);
	ow_wait_answered(&req);
	ck_assert_uint_eq(req.status, 200);
	ck_assert_str_eq(req.type, "application/ocsp-response");
	t = ow_read_answer(&req);
	if (t.error != 0 || a->nonce_bytes > 0)
		ck_assert_str_eq(req.cache_control, "no-store");
	ow_req_free(&req);
	return t;
}

int ow_status_of(struct cert_key key)
{
	struct asked a = ow_about(key);
	struct told t = ow_ask(&a);

	ck_assert_int_eq(t.error, 0);
	return t.status[0];
}

/* --- fixtures */
void ow_enter(const char *name, struct bytes der, const uint8_t *hash)
{
	struct store_authority_put put = { .der = der };

	(void)snprintf(
	        put.authority.name, sizeof(put.authority.name), "%s", name);
	memcpy(put.authority.cert_hash, hash, STORE_HASH_BYTES);
	ck_assert_int_eq(HELP_DO(&ow.store, store_authority_put, &put), RC_OK);
	ow.store.authority = put.authority.id;
	ow.store.authority_version = put.authority.version;
}

void ow_enter_factory(void)
{
	struct authority *a = world_authority(&ow.world);
	struct why why = WHY_NONE;

	ow_enter("factory", a->der, a->cert_hash);
	ck_assert_int_eq(
	        authorities_resolve(ow.world.authorities, ow.store.store, &why),
	        RC_OK);
}

void ow_start(void)
{
	struct responder_opts o = { .store = ow.store.store,
		.authorities = ow.world.authorities,
		.signer = ow.signer.client,
		.cache_bytes = 1u << 20,
		.limit = ow.limit };
	struct why why = WHY_NONE;

	ck_assert_int_eq(responder_new(&ow.responder, &o, &why), RC_OK);
}

static void open_with(const char *ocsp)
{
	struct limit_conf conf = { .per_s = 1, .burst = 3, .slots = 16 };
	char extra[128];

	world_begin(&ow.world, "P-256");
	(void)snprintf(
	        extra, sizeof(extra), "    ocsp: { valid: 2h, %s }\n", ocsp);
	world_profiles(&ow.world, PROFILES, extra);
	clock_set_shift_s(0);
	clock_set_shift_s(WORLD_NOW_S - clock_now_s());
	help_begin(&ow.store);
	help_open(&ow.store);
	ow_enter_factory();
	fake_signer_begin(&ow.signer, ow.store.loop, ow.world.ca_key);
	ck_assert_int_eq(limit_new(&ow.limit, &conf), RC_OK);
	ow_start();
	ow.issued = help_certificate(&ow.store, "unit-1", 0, "one");
}

void ow_open_ca(void)
{
	open_with("key: ca");
}

void ow_open_revoked(void)
{
	open_with("key: ca, unissued: revoked");
}

void ow_open_responder(void)
{
	open_with("key: responder");
}

void ow_close(void)
{
	responder_free(ow.responder);
	limit_free(ow.limit);
	fake_signer_end(&ow.signer);
	help_end(&ow.store);
	world_end(&ow.world);
	clock_set_shift_s(0);
}

void ow_set(struct cert_key key, enum store_status_change change,
        enum cert_reason reason)
{
	struct store_set_status op = {
		.key = key, .change = change, .reason = reason
	};

	ck_assert_int_eq(HELP_DO(&ow.store, store_set_status, &op), RC_OK);
}

struct cert_key ow_never_issued(void)
{
	return help_serial(&ow.store);
}

void ow_advance(int64_t s)
{
	int64_t now_s = clock_now_s();

	clock_set_shift_s(0);
	clock_set_shift_s(now_s + s - clock_now_s());
}
