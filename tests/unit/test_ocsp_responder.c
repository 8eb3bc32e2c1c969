/* The responder on a true store: what it says, and that a change shows in the
 * first answer after it was acknowledged. libcrypto judges the answers. */
#include "base/clock.h"
#include "base/text.h"
#include "net/http.h"
#include "net/http_date.h"
#include "ocsp/responder.h"
#include "tests/unit/ca_signer.h"
#include "tests/unit/ca_world.h"
#include "tests/unit/store_help.h"
#include "tests/unit/test_ocsp.h"

#include <openssl/ocsp.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROFILES                                                               \
	"  sensor:\n"                                                          \
	"    subject: { CN: \"%{device}\" }\n"
#define VALID_S 7200

static struct world world;
static struct help store;
static struct fake_signer signer;
static struct limit *limit;
static struct responder *responder;
static struct cert_key issued;

/* --- HTTP is a struct here */
struct http_req {
	enum http_method method;
	char path[4096];
	struct buf body;
	const char *if_none_match;
	/* out */
	bool answered;
	unsigned status;
	struct buf answer;
	char cache_control[128], etag[128], expires[64], last_modified[64];
	char type[64];
	struct net_addr addr;
};

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

static void dispatch(struct http_req *req)
{
	const char *path = req->method == HTTP_POST ? "/ocsp" : "/ocsp/";
	size_t n;
	const struct http_route *r = responder_routes(responder, &n);

	for (size_t i = 0; i < n; i++)
		if (r[i].method == req->method &&
		        strcmp(r[i].path, path) == 0) {
			r[i].fn(r[i].ctx, req);
			return;
		}
	ck_abort_msg("no route");
}

static void wait_answered(struct http_req *req)
{
	for (int i = 0; i < 1000 && !req->answered; i++)
		loop_poll(store.loop);
	ck_assert(req->answered);
}

static void req_free(struct http_req *req)
{
	buf_free(&req->body);
	buf_free(&req->answer);
}

/* --- what is asked */
struct asked {
	const EVP_MD *md; /* NULL: SHA-1 */
	X509 *issuer;     /* NULL: the factory's */
	struct cert_key cert[3];
	size_t n;
	int nonce_bytes;
	const char *raw; /* instead of all that */
};

static OCSP_CERTID *certid(const struct asked *a, const struct cert_key *key)
{
	X509 *issuer = a->issuer != NULL ? a->issuer : world.ca;
	BIGNUM *bn = BN_bin2bn(key->serial, STORE_SERIAL_BYTES, NULL);
	ASN1_INTEGER *serial = BN_to_ASN1_INTEGER(bn, NULL);
	OCSP_CERTID *id = OCSP_cert_id_new(a->md ? a->md : EVP_sha1(),
	        X509_get_subject_name(issuer), X509_get0_pubkey_bitstr(issuer),
	        serial);

	ASN1_INTEGER_free(serial);
	BN_free(bn);
	return id;
}

static void encode(struct buf *out, const struct asked *a)
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

static struct http_req post(const struct asked *a)
{
	struct http_req req = { .method = HTTP_POST, .body = BUF_INIT(65536) };

	if (a->raw != NULL)
		buf_add_str(&req.body, a->raw);
	else
		encode(&req.body, a);
	return req;
}

static struct asked about(struct cert_key key)
{
	return (struct asked){ .cert = { key }, .n = 1 };
}

/* --- what is answered */
#define TOLD_MAX 3
struct told {
	int error; /* OCSPResponseStatus */
	int status[TOLD_MAX], reason[TOLD_MAX];
	int64_t revoked_s, this_s, next_s;
	bool nonce, extended;
	int n_certs;
};

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
	X509_STORE_add_cert(anchors, world.root);
	sk_X509_push(certs, world.ca);
	ck_assert_int_eq(OCSP_basic_verify(bs, certs, anchors, 0), 1);
	sk_X509_free(certs);
	X509_STORE_free(anchors);
}

static struct told read_answer(const struct http_req *req)
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

static struct told ask(const struct asked *a)
{
	struct http_req req = post(a);
	struct told t;

	dispatch(&req);
	wait_answered(&req);
	ck_assert_uint_eq(req.status, 200);
	ck_assert_str_eq(req.type, "application/ocsp-response");
	t = read_answer(&req);
	if (t.error != 0 || a->nonce_bytes > 0)
		ck_assert_str_eq(req.cache_control, "no-store");
	req_free(&req);
	return t;
}

static int status_of(struct cert_key key)
{
	struct asked a = about(key);
	struct told t = ask(&a);

	ck_assert_int_eq(t.error, 0);
	return t.status[0];
}

/* --- fixtures */
static void enter(const char *name, struct bytes der, const uint8_t *hash)
{
	struct store_authority_put put = { .der = der };

	(void)snprintf(
	        put.authority.name, sizeof(put.authority.name), "%s", name);
	memcpy(put.authority.cert_hash, hash, STORE_HASH_BYTES);
	ck_assert_int_eq(HELP_DO(&store, store_authority_put, &put), RC_OK);
	store.authority = put.authority.id;
	store.authority_version = put.authority.version;
}

static void enter_factory(void)
{
	struct authority *a = world_authority(&world);
	struct why why = WHY_NONE;

	enter("factory", a->der, a->cert_hash);
	ck_assert_int_eq(
	        authorities_resolve(world.authorities, store.store, &why),
	        RC_OK);
}

static void start(void)
{
	struct responder_opts o = { .store = store.store,
		.authorities = world.authorities,
		.signer = signer.client,
		.cache_bytes = 1u << 20,
		.limit = limit };
	struct why why = WHY_NONE;

	ck_assert_int_eq(responder_new(&responder, &o, &why), RC_OK);
}

static void open_with(const char *ocsp)
{
	struct limit_conf conf = { .per_s = 1, .burst = 3, .slots = 16 };
	char extra[128];

	world_begin(&world, "P-256");
	(void)snprintf(
	        extra, sizeof(extra), "    ocsp: { valid: 2h, %s }\n", ocsp);
	world_profiles(&world, PROFILES, extra);
	clock_set_shift_s(0);
	clock_set_shift_s(WORLD_NOW_S - clock_now_s());
	help_begin(&store);
	help_open(&store);
	enter_factory();
	fake_signer_begin(&signer, store.loop, world.ca_key);
	ck_assert_int_eq(limit_new(&limit, &conf), RC_OK);
	start();
	issued = help_certificate(&store, "unit-1", 0, "one");
}

static void open_ca(void)
{
	open_with("key: ca");
}

static void open_revoked(void)
{
	open_with("key: ca, unissued: revoked");
}

static void open_responder(void)
{
	open_with("key: responder");
}

static void close_all(void)
{
	responder_free(responder);
	limit_free(limit);
	fake_signer_end(&signer);
	help_end(&store);
	world_end(&world);
	clock_set_shift_s(0);
}

static void set(struct cert_key key, enum store_status_change change,
        enum cert_reason reason)
{
	struct store_set_status op = {
		.key = key, .change = change, .reason = reason
	};

	ck_assert_int_eq(HELP_DO(&store, store_set_status, &op), RC_OK);
}

static struct cert_key never_issued(void)
{
	return help_serial(&store);
}

static void advance(int64_t s)
{
	int64_t now_s = clock_now_s();

	clock_set_shift_s(0);
	clock_set_shift_s(now_s + s - clock_now_s());
}

/* --- tests */
START_TEST(issued_is_good_for_both_hashes)
{
	struct asked a = about(issued);
	struct told t = ask(&a);

	ck_assert_int_eq(t.error, 0);
	ck_assert_int_eq(t.status[0], V_OCSP_CERTSTATUS_GOOD);
	ck_assert_int_le(t.n_certs, 0);
	ck_assert_int_eq(t.next_s - t.this_s, VALID_S);
	ck_assert_int_le(llabs(t.this_s - clock_now_s()), 1);
	a.md = EVP_sha256();
	ck_assert_int_eq(ask(&a).status[0], V_OCSP_CERTSTATUS_GOOD);
}
END_TEST

START_TEST(second_answer_comes_from_the_cache)
{
	struct asked a = about(issued);

	(void)ask(&a);
	(void)ask(&a);
	ck_assert_uint_eq(signer.asked, 1);
	a.md = EVP_sha256();
	(void)ask(&a);
	(void)ask(&a);
	ck_assert_uint_eq(signer.asked, 2);
}
END_TEST

START_TEST(cached_answer_is_signed_anew_while_half_its_life_is_left)
{
	struct asked a = about(issued);
	int64_t last_s = ask(&a).this_s, first_s = last_s;
	unsigned different = 1;
	struct told t;

	for (int i = 0; i < 24; i++) {
		advance(VALID_S / 12);
		t = ask(&a);
		ck_assert_int_ge(t.next_s - clock_now_s(), VALID_S / 2 - 1);
		ck_assert_int_le(t.this_s, clock_now_s());
		ck_assert_int_eq(t.next_s - t.this_s, VALID_S);
		different += t.this_s != last_s;
		last_s = t.this_s;
	}
	ck_assert_uint_eq(different, signer.asked);
	ck_assert_uint_ge(different, 5); /* in two lives */
	ck_assert_uint_le(different, 6);
	advance(-2 * VALID_S); /* a clock set back */
	ck_assert_int_le(ask(&a).this_s, first_s);
}
END_TEST

/* Each worker signs for itself; a client may meet one and then the other. */
START_TEST(workers_say_the_same_under_one_tag)
{
	struct responder *other;
	struct asked a = about(issued);
	struct http_req first, second;
	struct told t, u;

	advance(VALID_S); /* long after it was issued */
	first = post(&a);
	second = post(&a);
	dispatch(&first);
	wait_answered(&first);
	advance(7);
	other = responder;
	start();
	dispatch(&second);
	wait_answered(&second);
	responder_free(other);
	ck_assert_uint_eq(signer.asked, 2);
	t = read_answer(&first);
	u = read_answer(&second);
	if (t.this_s == u.this_s) { /* no period began just then */
		ck_assert_str_eq(first.etag, second.etag);
		ck_assert_str_eq(first.expires, second.expires);
		ck_assert_int_eq(t.next_s, u.next_s);
	}
	set(issued, STATUS_REVOKE, REASON_UNSPECIFIED);
	req_free(&first);
	first = post(&a);
	dispatch(&first);
	wait_answered(&first);
	ck_assert_str_ne(first.etag, second.etag);
	req_free(&first);
	req_free(&second);
}
END_TEST

START_TEST(change_shows_in_the_next_answer)
{
	ck_assert_int_eq(status_of(issued), V_OCSP_CERTSTATUS_GOOD);
	set(issued, STATUS_HOLD, REASON_CERTIFICATE_HOLD);
	ck_assert_int_eq(status_of(issued), V_OCSP_CERTSTATUS_REVOKED);
	set(issued, STATUS_RELEASE, REASON_UNSPECIFIED);
	ck_assert_int_eq(status_of(issued), V_OCSP_CERTSTATUS_GOOD);
	set(issued, STATUS_REVOKE, REASON_SUPERSEDED);
	ck_assert_int_eq(status_of(issued), V_OCSP_CERTSTATUS_REVOKED);
	set(issued, STATUS_REVOKE, REASON_KEY_COMPROMISE);
	ck_assert_int_eq(status_of(issued), V_OCSP_CERTSTATUS_REVOKED);
	ck_assert_uint_eq(signer.asked, 5);
}
END_TEST

START_TEST(revoked_says_since_when_and_why)
{
	struct asked a = about(issued);
	int64_t now_s = clock_now_s();
	struct told t;

	set(issued, STATUS_REVOKE, REASON_KEY_COMPROMISE);
	t = ask(&a);
	ck_assert_int_eq(t.reason[0], REASON_KEY_COMPROMISE);
	ck_assert_int_ge(t.revoked_s, now_s);
	ck_assert_int_le(t.revoked_s, t.this_s);
	set(issued, STATUS_REVOKE, REASON_UNSPECIFIED);
	ck_assert_int_eq(ask(&a).reason[0], REASON_KEY_COMPROMISE);
}
END_TEST

START_TEST(change_while_it_is_signed_shows)
{
	struct asked a = about(issued);
	struct http_req req = post(&a);

	signer.mode = FAKE_SILENT;
	dispatch(&req);
	loop_poll(store.loop);
	set(issued, STATUS_REVOKE, REASON_KEY_COMPROMISE);
	ck_assert(!req.answered);
	signer.mode = FAKE_SIGNS;
	fake_signer_hello(&signer); /* and the request comes again */
	wait_answered(&req);
	ck_assert_int_eq(
	        read_answer(&req).status[0], V_OCSP_CERTSTATUS_REVOKED);
	req_free(&req);
	/* Nothing else was kept. */
	ck_assert_int_eq(status_of(issued), V_OCSP_CERTSTATUS_REVOKED);
}
END_TEST

START_TEST(requests_alike_share_one_signature)
{
	struct asked a = about(issued);
	struct http_req reqs[5];

	for (int i = 0; i < 5; i++) {
		reqs[i] = post(&a);
		dispatch(&reqs[i]);
	}
	ck_assert_uint_eq(responder_pending(responder), 1);
	for (int i = 0; i < 5; i++) {
		wait_answered(&reqs[i]);
		ck_assert_int_eq(read_answer(&reqs[i]).status[0],
		        V_OCSP_CERTSTATUS_GOOD);
		req_free(&reqs[i]);
	}
	ck_assert_uint_eq(signer.asked, 1);
	ck_assert_uint_eq(responder_pending(responder), 0);
}
END_TEST

START_TEST(who_joins_after_a_change_sees_it)
{
	struct asked a = about(issued);
	struct http_req first = post(&a), second = post(&a);

	signer.mode = FAKE_SILENT;
	dispatch(&first);
	loop_poll(store.loop);
	set(issued, STATUS_REVOKE, REASON_KEY_COMPROMISE);
	dispatch(&second);
	ck_assert_uint_eq(responder_pending(responder), 1);
	signer.mode = FAKE_SIGNS;
	fake_signer_hello(&signer);
	wait_answered(&first);
	wait_answered(&second);
	ck_assert_int_eq(
	        read_answer(&second).status[0], V_OCSP_CERTSTATUS_REVOKED);
	req_free(&first);
	req_free(&second);
}
END_TEST

START_TEST(never_issued_is_unknown_and_not_kept)
{
	struct cert_key key = never_issued();
	struct asked a = about(key);
	struct told t = ask(&a);

	ck_assert_int_eq(t.status[0], V_OCSP_CERTSTATUS_UNKNOWN);
	ck_assert_int_eq(t.next_s - t.this_s, 300);
	ck_assert(!t.extended);
	(void)ask(&a);
	ck_assert_uint_eq(signer.asked, 2);
}
END_TEST

START_TEST(intent_is_unknown_until_it_is_issued)
{
	struct help_issue i;

	help_issue(&store, &i, "unit-2", 0, "two");
	ck_assert_int_eq(help_t1(&store, &i), RC_OK);
	ck_assert_int_eq(status_of(i.t1.key), V_OCSP_CERTSTATUS_UNKNOWN);
	ck_assert_int_eq(help_t2(&store, &i), RC_OK);
	ck_assert_int_eq(status_of(i.t1.key), V_OCSP_CERTSTATUS_GOOD);
}
END_TEST

START_TEST(abandoned_is_never_good)
{
	struct help_issue i;
	struct store_abandon op = { .what = ABANDON_ONE };

	help_issue(&store, &i, "unit-2", 0, "two");
	ck_assert_int_eq(help_t1(&store, &i), RC_OK);
	op.key = i.t1.key;
	ck_assert_int_eq(HELP_DO(&store, store_abandon, &op), RC_OK);
	ck_assert_int_eq(status_of(i.t1.key), V_OCSP_CERTSTATUS_UNKNOWN);
}
END_TEST

START_TEST(serials_that_nobody_can_have_are_unknown)
{
	static const uint8_t high[STORE_SERIAL_BYTES] = { 0xff };
	struct cert_key key = { 0 };

	memcpy(key.serial, high, sizeof(high));
	ck_assert_int_eq(status_of(key), V_OCSP_CERTSTATUS_UNKNOWN);
	key.serial[0] = 0; /* the number zero */
	ck_assert_int_eq(status_of(key), V_OCSP_CERTSTATUS_UNKNOWN);
}
END_TEST

START_TEST(guessing_is_rate_limited)
{
	struct cert_key key = never_issued();
	struct asked a = about(key);

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(ask(&a).error, 0);
	ck_assert_int_eq(ask(&a).error, OCSP_RESPONSE_STATUS_TRYLATER);
	/* What is on record stays free. */
	ck_assert_int_eq(status_of(issued), V_OCSP_CERTSTATUS_GOOD);
	a = about(issued);
	a.nonce_bytes = 16;
	ck_assert_int_eq(ask(&a).error, OCSP_RESPONSE_STATUS_TRYLATER);
}
END_TEST

START_TEST(never_issued_is_revoked_where_configured)
{
	struct cert_key key = never_issued();
	struct asked a = about(key);
	struct told t = ask(&a);
	struct help_issue i;

	ck_assert_int_eq(t.status[0], V_OCSP_CERTSTATUS_REVOKED);
	ck_assert_int_eq(t.reason[0], REASON_CERTIFICATE_HOLD);
	ck_assert_int_eq(t.revoked_s, 0);
	ck_assert(t.extended);
	help_issue(&store, &i, "unit-2", 0, "two");
	ck_assert_int_eq(help_t1(&store, &i), RC_OK);
	ck_assert_int_eq(status_of(i.t1.key), V_OCSP_CERTSTATUS_UNKNOWN);
	a = about(issued);
	t = ask(&a);
	ck_assert_int_eq(t.status[0], V_OCSP_CERTSTATUS_GOOD);
	ck_assert(!t.extended);
}
END_TEST

START_TEST(nonce_is_echoed_and_nothing_kept)
{
	struct asked a = about(issued);
	struct http_req req;
	OCSP_REQUEST *asked;
	OCSP_RESPONSE *told;
	OCSP_BASICRESP *bs;
	const uint8_t *p;

	a.nonce_bytes = 32;
	req = post(&a);
	dispatch(&req);
	wait_answered(&req);
	p = req.body.p;
	asked = d2i_OCSP_REQUEST(NULL, &p, (long)req.body.n);
	p = req.answer.p;
	told = d2i_OCSP_RESPONSE(NULL, &p, (long)req.answer.n);
	bs = OCSP_response_get1_basic(told);
	ck_assert_int_eq(OCSP_check_nonce(asked, bs), 1);
	OCSP_BASICRESP_free(bs);
	OCSP_RESPONSE_free(told);
	OCSP_REQUEST_free(asked);
	req_free(&req);
	a.nonce_bytes = 0;
	ck_assert(!ask(&a).nonce);
	ck_assert_uint_eq(signer.asked, 2);
}
END_TEST

START_TEST(several_in_one_request)
{
	struct asked a = about(issued);
	struct told t;

	a.cert[1] = never_issued();
	a.cert[2] = help_certificate(&store, "unit-2", 0, "two");
	a.n = 3;
	set(a.cert[2], STATUS_REVOKE, REASON_SUPERSEDED);
	t = ask(&a);
	ck_assert_int_eq(t.error, 0);
	ck_assert_int_eq(t.status[0], V_OCSP_CERTSTATUS_GOOD);
	ck_assert_int_eq(t.status[1], V_OCSP_CERTSTATUS_UNKNOWN);
	ck_assert_int_eq(t.status[2], V_OCSP_CERTSTATUS_REVOKED);
}
END_TEST

START_TEST(foreign_issuer_is_unauthorized)
{
	struct asked a = about(issued);

	a.issuer = world.root;
	ck_assert_int_eq(ask(&a).error, OCSP_RESPONSE_STATUS_UNAUTHORIZED);
	ck_assert_uint_eq(signer.asked, 0);
}
END_TEST

START_TEST(unknown_hash_is_unauthorized)
{
	struct asked a = about(issued);

	a.md = EVP_sha384();
	ck_assert_int_eq(ask(&a).error, OCSP_RESPONSE_STATUS_UNAUTHORIZED);
}
END_TEST

START_TEST(what_is_no_request_is_malformed)
{
	struct asked a = { .raw = "0\x80" };

	ck_assert_int_eq(ask(&a).error, OCSP_RESPONSE_STATUS_MALFORMEDREQUEST);
	a.raw = "";
	ck_assert_int_eq(ask(&a).error, OCSP_RESPONSE_STATUS_MALFORMEDREQUEST);
}
END_TEST

START_TEST(signer_that_cannot_sign_is_try_later)
{
	struct asked a = about(issued);

	signer.mode = FAKE_REFUSES;
	ck_assert_int_eq(ask(&a).error, OCSP_RESPONSE_STATUS_TRYLATER);
	signer.mode = FAKE_SIGNS;
	ck_assert_int_eq(status_of(issued), V_OCSP_CERTSTATUS_GOOD);
}
END_TEST

START_TEST(get_in_all_its_spellings)
{
	/* As it is, and with each of these written as an escape; a base URL
	 * that ends in a slash; padding left away. */
	static const char *const escaped[] = { "", "/", "+", "=", "/+=" };
	struct asked a = about(issued);
	struct buf der = BUF_INIT(4096), text = BUF_INIT(4096);
	struct http_req req;

	encode(&der, &a);
	base64_encode(&text, buf_bytes(&der), 0);
	for (size_t e = 0; e < 7; e++) {
		char *p;
		size_t n = text.n;

		req = (struct http_req){ .method = HTTP_GET };
		p = req.path +
		        snprintf(req.path, sizeof(req.path), "/ocsp/%s",
		                e == 5 ? "/" : "");
		while (e == 6 && text.p[n - 1] == '=')
			n--;
		for (size_t i = 0; i < n; i++) {
			char c = (char)text.p[i];

			if (e < 5 && strchr(escaped[e], c) != NULL)
				p += snprintf(p, 4, "%%%02X", (unsigned)c);
			else
				*p++ = c;
		}
		dispatch(&req);
		wait_answered(&req);
		ck_assert_int_eq(
		        read_answer(&req).status[0], V_OCSP_CERTSTATUS_GOOD);
		req_free(&req);
	}
	buf_free(&der);
	buf_free(&text);
}
END_TEST

START_TEST(get_that_is_no_base64_is_malformed)
{
	struct http_req req = { .method = HTTP_GET,
		.path = "/ocsp/not%20base64!" };

	dispatch(&req);
	wait_answered(&req);
	ck_assert_int_eq(
	        read_answer(&req).error, OCSP_RESPONSE_STATUS_MALFORMEDREQUEST);
	req_free(&req);
}
END_TEST

/* RFC 9919 section 7.2 */
START_TEST(headers_let_caches_keep_it_and_no_longer)
{
	struct asked a = about(issued);
	struct buf der = BUF_INIT(4096);
	struct http_req req = { .method = HTTP_GET }, again = req;
	char text[HTTP_DATE_BYTES];
	struct told t;

	encode(&der, &a);
	(void)snprintf(req.path, sizeof(req.path), "/ocsp/");
	req.answer = BUF_INIT(4096);
	base64_encode(&req.answer, buf_bytes(&der), 0);
	(void)snprintf(
	        req.path, sizeof(req.path), "/ocsp/%s", buf_cstr(&req.answer));
	buf_free(&req.answer);
	memcpy(again.path, req.path, sizeof(again.path));
	dispatch(&req);
	wait_answered(&req);
	t = read_answer(&req);
	ck_assert_str_eq(req.cache_control,
	        "max-age=3600, public, no-transform, must-revalidate");
	ck_assert_str_eq(req.last_modified, http_date_format(text, t.this_s));
	ck_assert_str_eq(req.expires, http_date_format(text, t.next_s));
	ck_assert_uint_eq(strlen(req.etag), 66);
	again.if_none_match = req.etag;
	dispatch(&again);
	ck_assert(again.answered);
	ck_assert_uint_eq(again.status, 304);
	ck_assert_uint_eq(again.answer.n, 0);
	ck_assert_str_eq(again.etag, req.etag);
	ck_assert_str_eq(again.expires, req.expires);
	ck_assert_str_eq(again.type, "");
	req_free(&again);
	/* Revoked, it is another one. */
	again.answered = false;
	set(issued, STATUS_REVOKE, REASON_UNSPECIFIED);
	dispatch(&again);
	wait_answered(&again);
	ck_assert_uint_eq(again.status, 200);
	ck_assert_int_eq(
	        read_answer(&again).status[0], V_OCSP_CERTSTATUS_REVOKED);
	req_free(&again);
	req_free(&req);
	buf_free(&der);
}
END_TEST

/* A CA certificate that was renewed with its key: CertIDs cannot tell. */
START_TEST(certificates_of_an_earlier_one_of_that_key_are_answered)
{
	X509 *earlier =
	        world_ca(world.ca_key, "Factory", world.root, world.root_key,
	                "[ext]\nbasicConstraints=critical,CA:TRUE\n"
	                "keyUsage=critical,keyCertSign\n"
	                "subjectKeyIdentifier=hash\n");
	struct buf der = world_der(earlier);
	uint8_t hash[STORE_HASH_BYTES];
	struct cert_key old;

	help_hash(hash, "earlier");
	enter("factory", buf_bytes(&der), hash);
	old = help_certificate(&store, "unit-2", 0, "old");
	enter_factory();
	responder_free(responder);
	start();
	ck_assert_int_eq(status_of(old), V_OCSP_CERTSTATUS_GOOD);
	ck_assert_int_eq(status_of(issued), V_OCSP_CERTSTATUS_GOOD);
	set(old, STATUS_REVOKE, REASON_UNSPECIFIED);
	ck_assert_int_eq(status_of(old), V_OCSP_CERTSTATUS_REVOKED);
	buf_free(&der);
	X509_free(earlier);
}
END_TEST

/* --- a responder of its own */
static X509 *responder_cert(EVP_PKEY *key, int days)
{
	X509 *x = world_ca(key, "OCSP", world.ca, world.ca_key,
	        "[ext]\nextendedKeyUsage=OCSPSigning\nnoCheck=yes\n"
	        "keyUsage=critical,digitalSignature\n");

	ASN1_TIME_adj(X509_getm_notAfter(x), WORLD_NOW_S, days, 0);
	ck_assert_int_gt(X509_sign(x, world.ca_key, EVP_sha256()), 0);
	return x;
}

static void set_responder(EVP_PKEY *key, int days)
{
	X509 *x = responder_cert(key, days);
	struct buf der = world_der(x);
	struct why why = WHY_NONE;

	signer.kept = key;
	ck_assert_int_eq(responder_set_key(responder, "factory", "ocsp/factory",
	                         buf_bytes(&der), &why),
	        RC_OK);
	buf_free(&der);
	X509_free(x);
}

START_TEST(responder_signs_once_it_is_there)
{
	EVP_PKEY *key = world_key("P-256");
	struct asked a = about(issued);
	struct told t;

	ck_assert(!responder_is_complete(responder));
	ck_assert_int_eq(ask(&a).error, OCSP_RESPONSE_STATUS_TRYLATER);
	set_responder(key, 1);
	ck_assert(responder_is_complete(responder));
	t = ask(&a);
	ck_assert_int_eq(t.error, 0);
	ck_assert_int_eq(t.status[0], V_OCSP_CERTSTATUS_GOOD);
	ck_assert_int_eq(t.n_certs, 1);
	EVP_PKEY_free(key);
}
END_TEST

START_TEST(answer_does_not_outlive_the_responder)
{
	EVP_PKEY *key = world_key("P-256");
	struct asked a = about(issued);
	struct told t;

	set_responder(key, 1);
	advance(86400 - 60);
	t = ask(&a);
	ck_assert_int_eq(t.next_s, WORLD_NOW_S + 86400);
	advance(120);
	a.md = EVP_sha256();
	ck_assert_int_eq(ask(&a).error, OCSP_RESPONSE_STATUS_TRYLATER);
	EVP_PKEY_free(key);
}
END_TEST

START_TEST(new_responder_while_it_is_signed)
{
	EVP_PKEY *first = world_key("P-256"), *second = world_key("P-256");
	struct asked a = about(issued);
	struct http_req req = post(&a);

	set_responder(first, 1);
	signer.mode = FAKE_SILENT;
	dispatch(&req);
	loop_poll(store.loop);
	set_responder(second, 2);
	signer.mode = FAKE_SIGNS;
	fake_signer_hello(&signer);
	wait_answered(&req);
	ck_assert_int_eq(read_answer(&req).error, 0); /* and it verifies */
	req_free(&req);
	EVP_PKEY_free(first);
	EVP_PKEY_free(second);
}
END_TEST

START_TEST(end_answers_what_waits)
{
	struct asked a = about(issued);
	struct http_req req = post(&a);

	signer.mode = FAKE_SILENT;
	dispatch(&req);
	loop_poll(store.loop);
	responder_free(responder);
	responder = NULL;
	ck_assert(req.answered);
	ck_assert_int_eq(
	        read_answer(&req).error, OCSP_RESPONSE_STATUS_TRYLATER);
	req_free(&req);
}
END_TEST

static TCase *with(const char *name, SFun open)
{
	TCase *t = tcase_create(name);

	tcase_add_checked_fixture(t, open, close_all);
	return t;
}

void test_ocsp_responder(Suite *s)
{
	TCase *t = with("responder by the CA's key", open_ca);

	tcase_add_test(t, issued_is_good_for_both_hashes);
	tcase_add_test(t, second_answer_comes_from_the_cache);
	tcase_add_test(
	        t, cached_answer_is_signed_anew_while_half_its_life_is_left);
	tcase_add_test(t, workers_say_the_same_under_one_tag);
	tcase_add_test(t, change_shows_in_the_next_answer);
	tcase_add_test(t, revoked_says_since_when_and_why);
	tcase_add_test(t, change_while_it_is_signed_shows);
	tcase_add_test(t, requests_alike_share_one_signature);
	tcase_add_test(t, who_joins_after_a_change_sees_it);
	tcase_add_test(t, never_issued_is_unknown_and_not_kept);
	tcase_add_test(t, intent_is_unknown_until_it_is_issued);
	tcase_add_test(t, abandoned_is_never_good);
	tcase_add_test(t, serials_that_nobody_can_have_are_unknown);
	tcase_add_test(t, guessing_is_rate_limited);
	tcase_add_test(t, nonce_is_echoed_and_nothing_kept);
	tcase_add_test(t, several_in_one_request);
	tcase_add_test(t, foreign_issuer_is_unauthorized);
	tcase_add_test(t, unknown_hash_is_unauthorized);
	tcase_add_test(t, what_is_no_request_is_malformed);
	tcase_add_test(t, signer_that_cannot_sign_is_try_later);
	tcase_add_test(t, get_in_all_its_spellings);
	tcase_add_test(t, get_that_is_no_base64_is_malformed);
	tcase_add_test(t, headers_let_caches_keep_it_and_no_longer);
	tcase_add_test(
	        t, certificates_of_an_earlier_one_of_that_key_are_answered);
	tcase_add_test(t, end_answers_what_waits);
	suite_add_tcase(s, t);
	t = with("responder where nothing is unknown", open_revoked);
	tcase_add_test(t, never_issued_is_revoked_where_configured);
	suite_add_tcase(s, t);
	t = with("responder by a key of its own", open_responder);
	tcase_add_test(t, responder_signs_once_it_is_there);
	tcase_add_test(t, answer_does_not_outlive_the_responder);
	tcase_add_test(t, new_responder_while_it_is_signed);
	suite_add_tcase(s, t);
}
