/* EST on the wire: forms of requests and answers, statuses, what is told to
 * whom, channel binding, rates; and the grants that no device asks for. */
#include "tests/unit/enroll_world.h"
#include "tests/unit/test_enroll.h"

#include "base/clock.h"
#include "base/text.h"
#include "ca/cert.h"
#include "ca/san.h"
#include <stdio.h>
#include <string.h>

#define DEVICE "meter-1"
#define ENROLL "/.well-known/est/simpleenroll"

static struct world w;

static void begin(void)
{
	world_begin(&w, NULL);
}

static void end(void)
{
	world_end(&w);
}

static struct http_req post(const char *path, struct bytes body)
{
	return (struct http_req){
		.method = HTTP_POST, .path = path, .body = body
	};
}

/* --- what is told without a credential */
START_TEST(cacerts_answers_with_the_chain)
{
	struct http_req req = { .path = "/.well-known/est/cacerts" };
	struct bytes cert;

	ck_assert_uint_eq(world_ask(&w, &req), 200);
	ck_assert_str_eq(req.content_type,
	        "application/pkcs7-mime; smime-type=certs-only");
	ck_assert_ptr_null(memchr(req.answer.p, '\n', req.answer.n));
	cert = world_answer_cert(&req);
	ck_assert(bytes_eq(cert, authorities_at(w.authorities, 0)->der));
	world_free(cert);
	world_forget(&req);
}
END_TEST

START_TEST(cacerts_has_short_lines_for_libest)
{
	struct http_req req = { .path = "/.well-known/est/rotate/cacerts",
		.user_agent = "libest 3.2.0" };
	struct bytes line;
	struct bytes rest;

	ck_assert_uint_eq(world_ask(&w, &req), 200);
	rest = buf_bytes(&req.answer);
	while (bytes_cut(rest, '\n', &line, &rest))
		ck_assert_uint_le(line.n, 64);
	ck_assert_uint_eq(rest.n, 0);
	world_forget(&req);
}
END_TEST

START_TEST(csrattrs_is_never_empty)
{
	struct http_req req = { .path = "/.well-known/est/csrattrs" };

	ck_assert_uint_eq(world_ask(&w, &req), 200);
	ck_assert_str_eq(req.content_type, "application/csrattrs");
	ck_assert_uint_ge(req.answer.n, 4);
	world_forget(&req);
}
END_TEST

static const struct {
	enum http_method method;
	const char *path;
	unsigned status;
	const char *allow;
} statuses[] = {
	{ HTTP_GET, "/.well-known/est/nobody/cacerts", 404, "" },
	{ HTTP_GET, "/.well-known/est/nobody/simpleenroll", 404, "" },
	{ HTTP_POST, "/.well-known/est/nobody/simpleenroll", 404, "" },
	{ HTTP_POST, "/.well-known/est/serverkeygen", 404, "" },
	{ HTTP_POST, "/.well-known/est/fullcmc", 404, "" },
	{ HTTP_GET, "/", 404, "" },
	{ HTTP_POST, "/.well-known/est/cacerts", 405, "GET, HEAD" },
	{ HTTP_POST, "/.well-known/est/csrattrs", 405, "GET, HEAD" },
	{ HTTP_GET, "/.well-known/est/simpleenroll", 405, "POST" },
	{ HTTP_GET, "/.well-known/est/simplereenroll", 405, "POST" },
};

START_TEST(wrong_path_is_404_and_wrong_method_405)
{
	struct http_req req = { .method = statuses[_i].method,
		.path = statuses[_i].path };

	ck_assert_uint_eq(world_ask(&w, &req), statuses[_i].status);
	ck_assert_str_eq(req.allow, statuses[_i].allow);
	world_forget(&req);
}
END_TEST

/* --- what a stranger learns */
static void refused_text(struct http_req *req, char *out, size_t size)
{
	struct bytes head;
	struct bytes tail;

	req->user_agent = "curl/7.88.1";
	ck_assert_uint_eq(world_ask(&w, req), 401);
	ck_assert_str_eq(req->challenge, "Basic realm=\"mica\"");
	ck_assert_str_eq(req->content_type, "text/plain");
	ck_assert(bytes_cut(buf_bytes(&req->answer), '(', &head, &tail));
	ck_assert(bytes_starts(tail, BYTES_LIT("reference ")));
	ck_assert_int_lt(
	        snprintf(out, size, "%.*s", (int)head.n, head.p), (int)size);
	world_forget(req);
}

START_TEST(no_agent_no_body_in_the_challenge)
{
	struct http_req req = post(ENROLL, BYTES_NONE);

	ck_assert_uint_eq(world_ask(&w, &req), 401);
	ck_assert_str_eq(req.challenge, "Basic realm=\"mica\"");
	ck_assert_uint_eq(buf_bytes(&req.answer).n, 0);
	world_forget(&req);
}
END_TEST

START_TEST(a_stranger_learns_nothing)
{
	struct bytes csr = world_csr(w.keys[0], "", NULL, NULL);
	struct http_req req = post(ENROLL, csr);
	char first[128];
	char text[128];
	char basic[512];
	char token[TOKEN_TEXT_CHARS + 1];

	refused_text(&req, first, sizeof(first));
	world_token(&w, DEVICE, "keep", 60, token);
	req.authorization = world_basic(basic, DEVICE, "wrong");
	refused_text(&req, text, sizeof(text));
	ck_assert_str_eq(text, first);
	req.authorization = world_basic(basic, "meter-2", token);
	refused_text(&req, text, sizeof(text));
	ck_assert_str_eq(text, first);
	/* Not even that the request is malformed. */
	req.body = BYTES_LIT("garbage");
	refused_text(&req, text, sizeof(text));
	ck_assert_str_eq(text, first);
	world_free(csr);
}
END_TEST

static const char *with_token(
        struct http_req *req, char *basic, const char *profile)
{
	char token[TOKEN_TEXT_CHARS + 1];

	world_token(&w, DEVICE, profile, WORLD_DAY_S, token);
	req->authorization = world_basic(basic, DEVICE, token);
	return basic;
}

static bool answer_has(const struct http_req *req, const char *text)
{
	return memmem(req->answer.p, req->answer.n, text, strlen(text)) != NULL;
}

START_TEST(whoever_proved_who_it_is_is_told_the_clause)
{
	struct http_req req = post(ENROLL, BYTES_LIT("garbage!"));
	char basic[512];

	with_token(&req, basic, "keep");
	ck_assert_uint_eq(world_ask(&w, &req), 400);
	ck_assert(answer_has(&req, "base64"));
	ck_assert(answer_has(&req, "(reference "));
	world_forget(&req);
	req.body = BYTES_NONE;
	ck_assert_uint_eq(world_ask(&w, &req), 400);
	world_forget(&req);
	/* No try of those spent the token. */
	req.body = world_csr(w.keys[0], "", NULL, NULL);
	ck_assert_uint_eq(world_ask(&w, &req), 200);
	world_free(req.body);
	world_forget(&req);
}
END_TEST

START_TEST(a_name_of_another_device_is_refused)
{
	struct http_req req =
	        post(ENROLL, world_csr(w.keys[0], "meter-2", NULL, NULL));
	char basic[512];

	with_token(&req, basic, "keep");
	ck_assert_uint_eq(world_ask(&w, &req), 400);
	ck_assert(answer_has(&req, "meter-2"));
	world_free(req.body);
	world_forget(&req);
}
END_TEST

/* --- forms of a request */
static struct bytes as_base64(struct buf *out, struct bytes der, int form)
{
	static const char head[] = "-----BEGIN CERTIFICATE REQUEST-----\n";

	if (form == 0)
		return der;
	if (form == 3)
		buf_add_str(out, head);
	base64_encode(out, der, form == 1 ? 0 : 64);
	if (form == 3)
		buf_add_str(out, "-----END CERTIFICATE REQUEST-----\n");
	return buf_bytes(out);
}

START_TEST(a_request_may_be_der_base64_or_pem)
{
	struct bytes csr = world_csr(w.keys[0], "", NULL, NULL);
	struct buf text = BUF_INIT(8192);
	struct http_req req = post(ENROLL, as_base64(&text, csr, _i));
	char basic[512];

	with_token(&req, basic, "keep");
	ck_assert_uint_eq(world_ask(&w, &req), 200);
	ck_assert_str_eq(req.content_type,
	        "application/pkcs7-mime; smime-type=certs-only");
	world_free(csr);
	world_forget(&req);
	buf_free(&text);
}
END_TEST

static const char *const pair_paths[] = { "/.well-known/est/simpleenroll",
	"/.well-known/est/keep/simpleenroll",
	"/.well-known/est/again/simpleenroll",
	"/again/.well-known/est/simpleenroll" };

START_TEST(a_token_works_at_any_label_of_its_pair)
{
	struct http_req req =
	        post(pair_paths[_i], world_csr(w.keys[0], "", NULL, NULL));
	char basic[512];

	with_token(&req, basic, "keep");
	ck_assert_uint_eq(world_ask(&w, &req), 200);
	world_free(req.body);
	world_forget(&req);
}
END_TEST

/* --- channel binding */
#define BOUND "/.well-known/est/bound/simpleenroll"
static const struct {
	const char *name;
	const char *path, *profile;
	const char *challenge; /* the binding is the bytes "unique" */
	enum rc binding_rc;
	unsigned status;
} bindings[] = {
	{ "not demanded, absent", ENROLL, "keep", NULL, RC_OK, 200 },
	{ "not demanded, right", ENROLL, "keep", "dW5pcXVl", RC_OK, 200 },
	{ "not demanded, wrong", ENROLL, "keep", "dW5pcXVk", RC_OK, 400 },
	{ "not demanded, no base64", ENROLL, "keep", "unique?", RC_OK, 400 },
	{ "demanded, absent", BOUND, "bound", NULL, RC_OK, 400 },
	{ "demanded, right", BOUND, "bound", "dW5pcXVl", RC_OK, 200 },
	{ "demanded, wrong", BOUND, "bound", "dW5pcXVk", RC_OK, 400 },
	{ "no extended master secret", BOUND, "bound", "dW5pcXVl",
	        RC_BADBINDING, 400 },
};

START_TEST(a_challenge_password_is_channel_binding)
{
	struct http_req req = post(bindings[_i].path,
	        world_csr(w.keys[0], "", NULL, bindings[_i].challenge));
	char basic[512];

	req.binding = (struct tls_binding){
		.p = "unique", .n = 6, .type = "tls-unique"
	};
	req.binding_rc = bindings[_i].binding_rc;
	with_token(&req, basic, bindings[_i].profile);
	ck_assert_msg(world_ask(&w, &req) == bindings[_i].status, "%s: %u",
	        bindings[_i].name, req.status);
	world_free(req.body);
	world_forget(&req);
}
END_TEST

/* --- names of a renewal (RFC 7030 section 4.2.2) */
static const struct {
	const char *name;
	const char *cn, *uri;
	unsigned status;
} renewals[] = {
	{ "asks for no name", "", NULL, 200 },
	{ "asks for its names", DEVICE, "urn:dev:" DEVICE, 200 },
	{ "another subject", "meter-2", "urn:dev:" DEVICE, 400 },
	{ "another alternative name", DEVICE, "urn:dev:meter-2", 400 },
	{ "asks for some of its names", DEVICE, NULL, 200 },
	{ "no subject, another alternative name", "", "urn:dev:meter-2", 400 },
};

START_TEST(a_renewal_is_for_the_same_names)
{
	struct bytes old = world_enrol(&w, "rotate", DEVICE, w.keys[0]);
	struct http_req req = post("/.well-known/est/rotate/simplereenroll",
	        world_csr(w.keys[1], renewals[_i].cn, renewals[_i].uri, NULL));

	clock_set_shift_s(6 * WORLD_DAY_S);
	req.chain[0] = old;
	req.n_chain = 1;
	ck_assert_msg(world_ask(&w, &req) == renewals[_i].status, "%s: %u",
	        renewals[_i].name, req.status);
	world_free(req.body);
	world_free(old);
	world_forget(&req);
}
END_TEST

START_TEST(a_repeated_renewal_gets_the_same_certificate)
{
	struct bytes old = world_enrol(&w, "rotate", DEVICE, w.keys[0]);
	struct http_req req = post("/.well-known/est/rotate/simplereenroll",
	        world_csr(w.keys[1], "", NULL, NULL));
	struct bytes first;
	struct bytes again;

	clock_set_shift_s(6 * WORLD_DAY_S);
	req.chain[0] = old;
	req.n_chain = 1;
	ck_assert_uint_eq(world_ask(&w, &req), 200);
	first = world_answer_cert(&req);
	world_forget(&req);
	ck_assert_uint_eq(world_ask(&w, &req), 200);
	again = world_answer_cert(&req);
	world_forget(&req);
	ck_assert(bytes_eq(first, again));
	ck_assert_uint_eq(world_issued(&w), 2);
	world_free(first);
	world_free(again);
	world_free(old);
	world_free(req.body);
}
END_TEST

START_TEST(a_certificate_of_a_retired_generation_is_renewed)
{
	struct bytes old = world_enrol(&w, "rotate", DEVICE, w.keys[0]);
	struct http_req req = post("/.well-known/est/rotate/simplereenroll",
	        world_csr(w.keys[1], "", NULL, NULL));
	struct bytes cert;

	world_roll(&w);
	clock_set_shift_s(6 * WORLD_DAY_S);
	req.chain[0] = old;
	req.n_chain = 1;
	ck_assert_uint_eq(world_ask(&w, &req), 200);
	cert = world_answer_cert(&req);
	ck_assert(!bytes_eq(cert, old));
	world_free(cert);
	world_free(old);
	world_free(req.body);
	world_forget(&req);
}
END_TEST

/* IEEE 802.1AR with both identities from one house: what was issued here is an
 * IDevID where the configuration makes its issuer an anchor. */
START_TEST(own_certificate_enrols_where_its_issuer_is_an_anchor)
{
	struct bytes old = world_enrol(&w, "rotate", DEVICE, w.keys[0]);
	struct http_req req = post("/.well-known/est/ldevid/simpleenroll",
	        world_csr(w.keys[1], "", NULL, NULL));
	struct store_device_suspend suspend = { .id = DEVICE };

	req.chain[0] = old;
	req.n_chain = 1;
	ck_assert_uint_eq(world_ask(&w, &req), 200);
	world_forget(&req);
	ck_assert_int_eq(HELP_DO(&w.h, store_device_suspend, &suspend), RC_OK);
	ck_assert_uint_eq(world_ask(&w, &req), 400);
	world_forget(&req);
	world_free(req.body);
	world_free(old);
}
END_TEST

/* --- rates */
static struct limit *limit;

static void begin_limited(void)
{
	const struct limit_conf conf = { .per_s = 1, .burst = 2, .slots = 64 };

	ck_assert_int_eq(limit_new(&limit, &conf), RC_OK);
	world_begin(&w, limit);
}

static void end_limited(void)
{
	world_end(&w);
	limit_free(limit);
}

START_TEST(an_address_over_its_rate_is_told_when_to_come_back)
{
	struct http_req req = post(ENROLL, BYTES_NONE);

	for (int i = 0; i < 2; i++) {
		ck_assert_uint_eq(world_ask(&w, &req), 401);
		world_forget(&req);
	}
	ck_assert_uint_eq(world_ask(&w, &req), 503);
	ck_assert_str_eq(req.retry_after, "1");
	world_forget(&req);
	/* What costs nothing is answered. */
	req = (struct http_req){ .path = "/.well-known/est/cacerts" };
	ck_assert_uint_eq(world_ask(&w, &req), 200);
	world_forget(&req);
}
END_TEST

/* --- grants that no device asks for */
struct wish {
	struct authorize a;
	struct bytes der;
	struct bytes cert; /* what was issued; owned */
	enum rc rc;
	bool done;
};

static enum rc bring(struct authorize *a, struct why *why)
{
	struct wish *wish = a->ctx;
	struct pubkey_ctx *keys;
	enum rc rc;

	ck_assert_int_eq(pubkey_ctx_new(&keys), RC_OK);
	rc = csr_parse(&a->csr, keys, wish->der, why);
	pubkey_ctx_free(keys);
	return rc;
}

static void on_wish(void *ctx, const struct issued *result)
{
	struct wish *wish = ctx;

	wish->rc = result->rc;
	wish->cert = result->rc == RC_OK
	        ? bytes_of(OPENSSL_memdup(result->der.p, result->der.n),
	                  result->der.n)
	        : BYTES_NONE;
	wish->done = true;
}

static void wait_for(struct wish *wish)
{
	while (!wish->done)
		loop_poll(w.h.loop);
}

/* An operator's certificate of profile `server` for DEVICE, by these names. */
static struct bytes operator_issue(const struct grant_names *names)
{
	struct wish wish = {
		.a = { .authority = conf_authority(w.conf, "factory"),
		        .profile = conf_profile(w.conf, "server"),
		        .device_id = BYTES_LIT(DEVICE),
		        .names = names,
		        .actor = "operator uid 0",
		        .bring_csr = bring },
		.der = world_csr(w.keys[0], "", NULL, NULL),
	};

	wish.a.ctx = &wish;
	ck_assert_int_eq(authorize_operator(w.authorizer, &wish.a), RC_OK);
	issuer_issue(w.issuer, wish.a.grant, wish.a.csr, on_wish, &wish);
	csr_free(wish.a.csr);
	wait_for(&wish);
	ck_assert_int_eq(wish.rc, RC_OK);
	world_free(wish.der);
	return wish.cert;
}

static void check_sans(struct bytes der, const char *const *texts, size_t n)
{
	struct cert cert;
	struct san_list list;
	const struct cert_ext *san;

	ck_assert_int_eq(cert_parse(&cert, der, NULL), RC_OK);
	san = cert_ext(&cert, OID_SUBJECT_ALT_NAME);
	ck_assert_ptr_nonnull(san);
	ck_assert_int_eq(san_parse(&list, san->value, NULL), RC_OK);
	ck_assert_uint_eq(list.n, n);
	for (size_t i = 0; i < n; i++) {
		struct buf text = BUF_INIT(256);

		ck_assert_int_eq(san_text(&text, &list.entries[i]), RC_OK);
		ck_assert_msg(bytes_eq_str(buf_bytes(&text), texts[i]), "%.*s",
		        (int)text.n, (const char *)text.p);
		buf_free(&text);
	}
}

static const struct grant_names server_names = {
	.dns = { "a.example.com", "b.example.com" },
	.n_dns = 2,
	.ip = { "192.0.2.1", "2001:db8::1" },
	.n_ip = 2,
};
static const char *const server_sans[] = { "a.example.com", "b.example.com",
	"192.0.2.1", "2001:db8::1" };

START_TEST(an_operator_grants_names)
{
	struct bytes cert = operator_issue(&server_names);
	struct store_device_get get = { .id = DEVICE };

	check_sans(cert, server_sans, 4);
	ck_assert_int_eq(HELP_DO(&w.h, store_device_get, &get), RC_OK);
	ck_assert_str_eq(get.device.anchor, "");
	world_free(cert);
}
END_TEST

START_TEST(a_renewal_keeps_what_the_operator_granted)
{
	struct bytes old = operator_issue(&server_names);
	struct http_req req = post("/.well-known/est/server/simplereenroll",
	        world_csr(w.keys[1], "", NULL, NULL));
	struct bytes cert;

	req.chain[0] = old;
	req.n_chain = 1;
	ck_assert_msg(world_ask(&w, &req) == 200, "%.*s", (int)req.answer.n,
	        (const char *)req.answer.p);
	cert = world_answer_cert(&req);
	check_sans(cert, server_sans, 4);
	world_free(cert);
	world_free(old);
	world_free(req.body);
	world_forget(&req);
}
END_TEST

START_TEST(an_operator_cannot_name_a_device_wrongly)
{
	struct wish wish = { .a = {
		                     .authority =
		                             conf_authority(w.conf, "factory"),
		                     .profile = conf_profile(w.conf, "server"),
		                     .device_id = BYTES_LIT("a/b"),
		                     .actor = "operator uid 0",
		                     .bring_csr = bring,
		             } };

	wish.a.ctx = &wish;
	ck_assert_int_eq(
	        authorize_operator(w.authorizer, &wish.a), RC_MALFORMED);
	ck_assert_ptr_null(wish.a.grant);
}
END_TEST

START_TEST(a_system_grant_is_for_the_key_it_names)
{
	struct bytes key = BYTES_LIT("some key");
	struct grant *grant;
	uint8_t hash[STORE_HASH_BYTES];

	ck_assert_int_eq(authorize_system(w.authorizer, &grant,
	                         conf_authority(w.conf, "factory"),
	                         conf_profile(w.conf, "server"), key,
	                         &server_names, NULL),
	        RC_OK);
	ck_assert_int_eq(digest_sha256(w.digest, key, hash), RC_OK);
	ck_assert(bytes_eq(BYTES_ARRAY(hash),
	        bytes_of(grant_spki_hash(grant), STORE_HASH_BYTES)));
	ck_assert(grant_is_system(grant));
	ck_assert_str_eq(grant_device(grant), "");
	grant_free(grant);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof(*(a))))

TCase *test_enroll_est(void)
{
	TCase *tc = tcase_create("est");

	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, cacerts_answers_with_the_chain);
	tcase_add_test(tc, cacerts_has_short_lines_for_libest);
	tcase_add_test(tc, csrattrs_is_never_empty);
	tcase_add_loop_test(
	        tc, wrong_path_is_404_and_wrong_method_405, 0, COUNT(statuses));
	tcase_add_test(tc, no_agent_no_body_in_the_challenge);
	tcase_add_test(tc, a_stranger_learns_nothing);
	tcase_add_test(tc, whoever_proved_who_it_is_is_told_the_clause);
	tcase_add_test(tc, a_name_of_another_device_is_refused);
	tcase_add_loop_test(tc, a_request_may_be_der_base64_or_pem, 0, 4);
	tcase_add_loop_test(tc, a_token_works_at_any_label_of_its_pair, 0,
	        COUNT(pair_paths));
	tcase_add_loop_test(tc, a_challenge_password_is_channel_binding, 0,
	        COUNT(bindings));
	tcase_add_loop_test(
	        tc, a_renewal_is_for_the_same_names, 0, COUNT(renewals));
	tcase_add_test(tc, a_repeated_renewal_gets_the_same_certificate);
	tcase_add_test(tc, a_certificate_of_a_retired_generation_is_renewed);
	tcase_add_test(
	        tc, own_certificate_enrols_where_its_issuer_is_an_anchor);
	tcase_add_test(tc, an_operator_grants_names);
	tcase_add_test(tc, a_renewal_keeps_what_the_operator_granted);
	tcase_add_test(tc, an_operator_cannot_name_a_device_wrongly);
	tcase_add_test(tc, a_system_grant_is_for_the_key_it_names);
	return tc;
}

TCase *test_enroll_rate(void)
{
	TCase *tc = tcase_create("rate");

	tcase_add_checked_fixture(tc, begin_limited, end_limited);
	tcase_add_test(tc, an_address_over_its_rate_is_told_when_to_come_back);
	return tc;
}
