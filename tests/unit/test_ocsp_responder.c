/* The responder on a true store: what it says, and that a change shows in the
 * first answer after it was acknowledged. libcrypto judges the answers. */
#include "base/clock.h"
#include "base/text.h"
#include "net/http_date.h"
#include "tests/unit/ocsp_world.h"
#include "tests/unit/test_ocsp.h"

#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

START_TEST(issued_is_good_for_both_hashes)
{
	struct asked a = ow_about(ow.issued);
	struct told t = ow_ask(&a);

	ck_assert_int_eq(t.error, 0);
	ck_assert_int_eq(t.status[0], V_OCSP_CERTSTATUS_GOOD);
	ck_assert_int_le(t.n_certs, 0);
	ck_assert_int_eq(t.next_s - t.this_s, VALID_S);
	ck_assert_int_le(llabs(t.this_s - clock_now_s()), 1);
	a.md = EVP_sha256();
	ck_assert_int_eq(ow_ask(&a).status[0], V_OCSP_CERTSTATUS_GOOD);
}
END_TEST

START_TEST(second_answer_comes_from_the_cache)
{
	struct asked a = ow_about(ow.issued);

	(void)ow_ask(&a);
	(void)ow_ask(&a);
	ck_assert_uint_eq(ow.signer.asked, 1);
	a.md = EVP_sha256();
	(void)ow_ask(&a);
	(void)ow_ask(&a);
	ck_assert_uint_eq(ow.signer.asked, 2);
}
END_TEST

START_TEST(cached_answer_is_signed_anew_while_half_its_life_is_left)
{
	struct asked a = ow_about(ow.issued);
	int64_t last_s = ow_ask(&a).this_s, first_s = last_s;
	unsigned different = 1;
	struct told t;

	for (int i = 0; i < 24; i++) {
		ow_advance(VALID_S / 12);
		t = ow_ask(&a);
		ck_assert_int_ge(t.next_s - clock_now_s(), VALID_S / 2 - 1);
		ck_assert_int_le(t.this_s, clock_now_s());
		ck_assert_int_eq(t.next_s - t.this_s, VALID_S);
		different += t.this_s != last_s;
		last_s = t.this_s;
	}
	ck_assert_uint_eq(different, ow.signer.asked);
	ck_assert_uint_ge(different, 5); /* in two lives */
	ck_assert_uint_le(different, 6);
	ow_advance(-2 * VALID_S); /* a clock set back */
	ck_assert_int_le(ow_ask(&a).this_s, first_s);
}
END_TEST

/* Each worker signs for itself; a client may meet one and then the other. */
START_TEST(workers_say_the_same_under_one_tag)
{
	struct responder *other;
	struct asked a = ow_about(ow.issued);
	struct http_req first, second;
	struct told t, u;

	ow_advance(VALID_S); /* long after it was issued */
	first = ow_post(&a);
	second = ow_post(&a);
	ow_dispatch(&first);
	ow_wait_answered(&first);
	ow_advance(7);
	other = ow.responder;
	ow_start();
	ow_dispatch(&second);
	ow_wait_answered(&second);
	responder_free(other);
	ck_assert_uint_eq(ow.signer.asked, 2);
	t = ow_read_answer(&first);
	u = ow_read_answer(&second);
	if (t.this_s == u.this_s) { /* no period began just then */
		ck_assert_str_eq(first.etag, second.etag);
		ck_assert_str_eq(first.expires, second.expires);
		ck_assert_int_eq(t.next_s, u.next_s);
	}
	ow_set(ow.issued, STATUS_REVOKE, REASON_UNSPECIFIED);
	ow_req_free(&first);
	first = ow_post(&a);
	ow_dispatch(&first);
	ow_wait_answered(&first);
	ck_assert_str_ne(first.etag, second.etag);
	ow_req_free(&first);
	ow_req_free(&second);
}
END_TEST

START_TEST(change_shows_in_the_next_answer)
{
	ck_assert_int_eq(ow_status_of(ow.issued), V_OCSP_CERTSTATUS_GOOD);
	ow_set(ow.issued, STATUS_HOLD, REASON_CERTIFICATE_HOLD);
	ck_assert_int_eq(ow_status_of(ow.issued), V_OCSP_CERTSTATUS_REVOKED);
	ow_set(ow.issued, STATUS_RELEASE, REASON_UNSPECIFIED);
	ck_assert_int_eq(ow_status_of(ow.issued), V_OCSP_CERTSTATUS_GOOD);
	ow_set(ow.issued, STATUS_REVOKE, REASON_SUPERSEDED);
	ck_assert_int_eq(ow_status_of(ow.issued), V_OCSP_CERTSTATUS_REVOKED);
	ow_set(ow.issued, STATUS_REVOKE, REASON_KEY_COMPROMISE);
	ck_assert_int_eq(ow_status_of(ow.issued), V_OCSP_CERTSTATUS_REVOKED);
	ck_assert_uint_eq(ow.signer.asked, 5);
}
END_TEST

START_TEST(revoked_says_since_when_and_why)
{
	struct asked a = ow_about(ow.issued);
	int64_t now_s = clock_now_s();
	struct told t;

	ow_set(ow.issued, STATUS_REVOKE, REASON_KEY_COMPROMISE);
	t = ow_ask(&a);
	ck_assert_int_eq(t.reason[0], REASON_KEY_COMPROMISE);
	ck_assert_int_ge(t.revoked_s, now_s);
	ck_assert_int_le(t.revoked_s, t.this_s);
	ow_set(ow.issued, STATUS_REVOKE, REASON_UNSPECIFIED);
	ck_assert_int_eq(ow_ask(&a).reason[0], REASON_KEY_COMPROMISE);
}
END_TEST

START_TEST(change_while_it_is_signed_shows)
{
	struct asked a = ow_about(ow.issued);
	struct http_req req = ow_post(&a);

	ow.signer.mode = FAKE_SILENT;
	ow_dispatch(&req);
	loop_poll(ow.store.loop);
	ow_set(ow.issued, STATUS_REVOKE, REASON_KEY_COMPROMISE);
	ck_assert(!req.answered);
	ow.signer.mode = FAKE_SIGNS;
	fake_signer_hello(&ow.signer); /* and the request comes again */
	ow_wait_answered(&req);
	ck_assert_int_eq(
	        ow_read_answer(&req).status[0], V_OCSP_CERTSTATUS_REVOKED);
	ow_req_free(&req);
	/* Nothing else was kept. */
	ck_assert_int_eq(ow_status_of(ow.issued), V_OCSP_CERTSTATUS_REVOKED);
}
END_TEST

START_TEST(requests_alike_share_one_signature)
{
	struct asked a = ow_about(ow.issued);
	struct http_req reqs[5];

	for (int i = 0; i < 5; i++) {
		reqs[i] = ow_post(&a);
		ow_dispatch(&reqs[i]);
	}
	ck_assert_uint_eq(responder_pending(ow.responder), 1);
	for (int i = 0; i < 5; i++) {
		ow_wait_answered(&reqs[i]);
		ck_assert_int_eq(ow_read_answer(&reqs[i]).status[0],
		        V_OCSP_CERTSTATUS_GOOD);
		ow_req_free(&reqs[i]);
	}
	ck_assert_uint_eq(ow.signer.asked, 1);
	ck_assert_uint_eq(responder_pending(ow.responder), 0);
}
END_TEST

START_TEST(who_joins_after_a_change_sees_it)
{
	struct asked a = ow_about(ow.issued);
	struct http_req first = ow_post(&a), second = ow_post(&a);

	ow.signer.mode = FAKE_SILENT;
	ow_dispatch(&first);
	loop_poll(ow.store.loop);
	ow_set(ow.issued, STATUS_REVOKE, REASON_KEY_COMPROMISE);
	ow_dispatch(&second);
	ck_assert_uint_eq(responder_pending(ow.responder), 1);
	ow.signer.mode = FAKE_SIGNS;
	fake_signer_hello(&ow.signer);
	ow_wait_answered(&first);
	ow_wait_answered(&second);
	ck_assert_int_eq(
	        ow_read_answer(&second).status[0], V_OCSP_CERTSTATUS_REVOKED);
	ow_req_free(&first);
	ow_req_free(&second);
}
END_TEST

START_TEST(never_issued_is_unknown_and_not_kept)
{
	struct cert_key key = ow_never_issued();
	struct asked a = ow_about(key);
	struct told t = ow_ask(&a);

	ck_assert_int_eq(t.status[0], V_OCSP_CERTSTATUS_UNKNOWN);
	ck_assert_int_eq(t.next_s - t.this_s, 300);
	ck_assert(!t.extended);
	(void)ow_ask(&a);
	ck_assert_uint_eq(ow.signer.asked, 2);
}
END_TEST

START_TEST(intent_is_unknown_until_it_is_issued)
{
	struct help_issue i;

	help_issue(&ow.store, &i, "unit-2", 0, "two");
	ck_assert_int_eq(help_t1(&ow.store, &i), RC_OK);
	ck_assert_int_eq(ow_status_of(i.t1.key), V_OCSP_CERTSTATUS_UNKNOWN);
	ck_assert_int_eq(help_t2(&ow.store, &i), RC_OK);
	ck_assert_int_eq(ow_status_of(i.t1.key), V_OCSP_CERTSTATUS_GOOD);
}
END_TEST

START_TEST(abandoned_is_never_good)
{
	struct help_issue i;
	struct store_abandon op = { .what = ABANDON_ONE };

	help_issue(&ow.store, &i, "unit-2", 0, "two");
	ck_assert_int_eq(help_t1(&ow.store, &i), RC_OK);
	op.key = i.t1.key;
	ck_assert_int_eq(HELP_DO(&ow.store, store_abandon, &op), RC_OK);
	ck_assert_int_eq(ow_status_of(i.t1.key), V_OCSP_CERTSTATUS_UNKNOWN);
}
END_TEST

START_TEST(serials_that_nobody_can_have_are_unknown)
{
	static const uint8_t high[STORE_SERIAL_BYTES] = { 0xff };
	struct cert_key key = { 0 };

	memcpy(key.serial, high, sizeof(high));
	ck_assert_int_eq(ow_status_of(key), V_OCSP_CERTSTATUS_UNKNOWN);
	key.serial[0] = 0; /* the number zero */
	ck_assert_int_eq(ow_status_of(key), V_OCSP_CERTSTATUS_UNKNOWN);
}
END_TEST

START_TEST(guessing_is_rate_limited)
{
	struct cert_key key = ow_never_issued();
	struct asked a = ow_about(key);

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(ow_ask(&a).error, 0);
	ck_assert_int_eq(ow_ask(&a).error, OCSP_RESPONSE_STATUS_TRYLATER);
	/* What is on record stays free. */
	ck_assert_int_eq(ow_status_of(ow.issued), V_OCSP_CERTSTATUS_GOOD);
	a = ow_about(ow.issued);
	a.nonce_bytes = 16;
	ck_assert_int_eq(ow_ask(&a).error, OCSP_RESPONSE_STATUS_TRYLATER);
}
END_TEST

START_TEST(never_issued_is_revoked_where_configured)
{
	struct cert_key key = ow_never_issued();
	struct asked a = ow_about(key);
	struct told t = ow_ask(&a);
	struct help_issue i;

	ck_assert_int_eq(t.status[0], V_OCSP_CERTSTATUS_REVOKED);
	ck_assert_int_eq(t.reason[0], REASON_CERTIFICATE_HOLD);
	ck_assert_int_eq(t.revoked_s, 0);
	ck_assert(t.extended);
	help_issue(&ow.store, &i, "unit-2", 0, "two");
	ck_assert_int_eq(help_t1(&ow.store, &i), RC_OK);
	ck_assert_int_eq(ow_status_of(i.t1.key), V_OCSP_CERTSTATUS_UNKNOWN);
	a = ow_about(ow.issued);
	t = ow_ask(&a);
	ck_assert_int_eq(t.status[0], V_OCSP_CERTSTATUS_GOOD);
	ck_assert(!t.extended);
}
END_TEST

START_TEST(nonce_is_echoed_and_nothing_kept)
{
	struct asked a = ow_about(ow.issued);
	struct http_req req;
	OCSP_REQUEST *asked;
	OCSP_RESPONSE *told;
	OCSP_BASICRESP *bs;
	const uint8_t *p;

	a.nonce_bytes = 32;
	req = ow_post(&a);
	ow_dispatch(&req);
	ow_wait_answered(&req);
	p = req.body.p;
	asked = d2i_OCSP_REQUEST(NULL, &p, (long)req.body.n);
	p = req.answer.p;
	told = d2i_OCSP_RESPONSE(NULL, &p, (long)req.answer.n);
	bs = OCSP_response_get1_basic(told);
	ck_assert_int_eq(OCSP_check_nonce(asked, bs), 1);
	OCSP_BASICRESP_free(bs);
	OCSP_RESPONSE_free(told);
	OCSP_REQUEST_free(asked);
	ow_req_free(&req);
	a.nonce_bytes = 0;
	ck_assert(!ow_ask(&a).nonce);
	ck_assert_uint_eq(ow.signer.asked, 2);
}
END_TEST

START_TEST(several_in_one_request)
{
	struct asked a = ow_about(ow.issued);
	struct told t;

	a.cert[1] = ow_never_issued();
	a.cert[2] = help_certificate(&ow.store, "unit-2", 0, "two");
	a.n = 3;
	ow_set(a.cert[2], STATUS_REVOKE, REASON_SUPERSEDED);
	t = ow_ask(&a);
	ck_assert_int_eq(t.error, 0);
	ck_assert_int_eq(t.status[0], V_OCSP_CERTSTATUS_GOOD);
	ck_assert_int_eq(t.status[1], V_OCSP_CERTSTATUS_UNKNOWN);
	ck_assert_int_eq(t.status[2], V_OCSP_CERTSTATUS_REVOKED);
}
END_TEST

START_TEST(foreign_issuer_is_unauthorized)
{
	struct asked a = ow_about(ow.issued);

	a.issuer = ow.world.root;
	ck_assert_int_eq(ow_ask(&a).error, OCSP_RESPONSE_STATUS_UNAUTHORIZED);
	ck_assert_uint_eq(ow.signer.asked, 0);
}
END_TEST

START_TEST(unknown_hash_is_unauthorized)
{
	struct asked a = ow_about(ow.issued);

	a.md = EVP_sha384();
	ck_assert_int_eq(ow_ask(&a).error, OCSP_RESPONSE_STATUS_UNAUTHORIZED);
}
END_TEST

START_TEST(what_is_no_request_is_malformed)
{
	struct asked a = { .raw = "0\x80" };

	ck_assert_int_eq(
	        ow_ask(&a).error, OCSP_RESPONSE_STATUS_MALFORMEDREQUEST);
	a.raw = "";
	ck_assert_int_eq(
	        ow_ask(&a).error, OCSP_RESPONSE_STATUS_MALFORMEDREQUEST);
}
END_TEST

START_TEST(signer_that_cannot_sign_is_try_later)
{
	struct asked a = ow_about(ow.issued);

	ow.signer.mode = FAKE_REFUSES;
	ck_assert_int_eq(ow_ask(&a).error, OCSP_RESPONSE_STATUS_TRYLATER);
	ow.signer.mode = FAKE_SIGNS;
	ck_assert_int_eq(ow_status_of(ow.issued), V_OCSP_CERTSTATUS_GOOD);
}
END_TEST

START_TEST(get_in_all_its_spellings)
{
	/* As it is, and with each of these written as an escape; a base URL
	 * that ends in a slash; padding left away. */
	static const char *const escaped[] = { "", "/", "+", "=", "/+=" };
	struct asked a = ow_about(ow.issued);
	struct buf der = BUF_INIT(4096), text = BUF_INIT(4096);
	struct http_req req;

	ow_encode(&der, &a);
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
		ow_dispatch(&req);
		ow_wait_answered(&req);
		ck_assert_int_eq(
		        ow_read_answer(&req).status[0], V_OCSP_CERTSTATUS_GOOD);
		ow_req_free(&req);
	}
	buf_free(&der);
	buf_free(&text);
}
END_TEST

START_TEST(get_that_is_no_base64_is_malformed)
{
	struct http_req req = { .method = HTTP_GET,
		.path = "/ocsp/not%20base64!" };

	ow_dispatch(&req);
	ow_wait_answered(&req);
	ck_assert_int_eq(ow_read_answer(&req).error,
	        OCSP_RESPONSE_STATUS_MALFORMEDREQUEST);
	ow_req_free(&req);
}
END_TEST

/* RFC 9919 section 7.2 */
START_TEST(headers_let_caches_keep_it_and_no_longer)
{
	struct asked a = ow_about(ow.issued);
	struct buf der = BUF_INIT(4096);
	struct http_req req = { .method = HTTP_GET }, again = req;
	char text[HTTP_DATE_BYTES];
	struct told t;

	ow_encode(&der, &a);
	(void)snprintf(req.path, sizeof(req.path), "/ocsp/");
	req.answer = BUF_INIT(4096);
	base64_encode(&req.answer, buf_bytes(&der), 0);
	(void)snprintf(
	        req.path, sizeof(req.path), "/ocsp/%s", buf_cstr(&req.answer));
	buf_free(&req.answer);
	memcpy(again.path, req.path, sizeof(again.path));
	ow_dispatch(&req);
	ow_wait_answered(&req);
	t = ow_read_answer(&req);
	ck_assert_str_eq(req.cache_control,
	        "max-age=3600, public, no-transform, must-revalidate");
	ck_assert_str_eq(req.last_modified, http_date_format(text, t.this_s));
	ck_assert_str_eq(req.expires, http_date_format(text, t.next_s));
	ck_assert_uint_eq(strlen(req.etag), 66);
	again.if_none_match = req.etag;
	ow_dispatch(&again);
	ck_assert(again.answered);
	ck_assert_uint_eq(again.status, 304);
	ck_assert_uint_eq(again.answer.n, 0);
	ck_assert_str_eq(again.etag, req.etag);
	ck_assert_str_eq(again.expires, req.expires);
	ck_assert_str_eq(again.type, "");
	ow_req_free(&again);
	/* Revoked, it is another one. */
	again.answered = false;
	ow_set(ow.issued, STATUS_REVOKE, REASON_UNSPECIFIED);
	ow_dispatch(&again);
	ow_wait_answered(&again);
	ck_assert_uint_eq(again.status, 200);
	ck_assert_int_eq(
	        ow_read_answer(&again).status[0], V_OCSP_CERTSTATUS_REVOKED);
	ow_req_free(&again);
	ow_req_free(&req);
	buf_free(&der);
}
END_TEST

/* A CA certificate that was renewed with its key: CertIDs cannot tell. */
START_TEST(certificates_of_an_earlier_one_of_that_key_are_answered)
{
	X509 *earlier = world_ca(ow.world.ca_key, "Factory", ow.world.root,
	        ow.world.root_key,
	        "[ext]\nbasicConstraints=critical,CA:TRUE\n"
	        "keyUsage=critical,keyCertSign\n"
	        "subjectKeyIdentifier=hash\n");
	struct buf der = world_der(earlier);
	uint8_t hash[STORE_HASH_BYTES];
	struct cert_key old;

	help_hash(hash, "earlier");
	ow_enter("factory", buf_bytes(&der), hash);
	old = help_certificate(&ow.store, "unit-2", 0, "old");
	ow_enter_factory();
	responder_free(ow.responder);
	ow_start();
	ck_assert_int_eq(ow_status_of(old), V_OCSP_CERTSTATUS_GOOD);
	ck_assert_int_eq(ow_status_of(ow.issued), V_OCSP_CERTSTATUS_GOOD);
	ow_set(old, STATUS_REVOKE, REASON_UNSPECIFIED);
	ck_assert_int_eq(ow_status_of(old), V_OCSP_CERTSTATUS_REVOKED);
	buf_free(&der);
	X509_free(earlier);
}
END_TEST

/* --- a responder of its own */
static X509 *responder_cert(EVP_PKEY *key, int days)
{
	X509 *x = world_ca(key, "OCSP", ow.world.ca, ow.world.ca_key,
	        "[ext]\nextendedKeyUsage=OCSPSigning\nnoCheck=yes\n"
	        "keyUsage=critical,digitalSignature\n");

	ASN1_TIME_adj(X509_getm_notAfter(x), WORLD_NOW_S, days, 0);
	ck_assert_int_gt(X509_sign(x, ow.world.ca_key, EVP_sha256()), 0);
	return x;
}

static void set_responder(EVP_PKEY *key, int days)
{
	X509 *x = responder_cert(key, days);
	struct buf der = world_der(x);
	struct why why = WHY_NONE;

	ow.signer.kept = key;
	ck_assert_int_eq(responder_set_key(ow.responder, "factory",
	                         "ocsp/factory", buf_bytes(&der), &why),
	        RC_OK);
	buf_free(&der);
	X509_free(x);
}

START_TEST(responder_signs_once_it_is_there)
{
	EVP_PKEY *key = world_key("P-256");
	struct asked a = ow_about(ow.issued);
	struct told t;

	ck_assert(!responder_is_complete(ow.responder));
	ck_assert_int_eq(ow_ask(&a).error, OCSP_RESPONSE_STATUS_TRYLATER);
	set_responder(key, 1);
	ck_assert(responder_is_complete(ow.responder));
	t = ow_ask(&a);
	ck_assert_int_eq(t.error, 0);
	ck_assert_int_eq(t.status[0], V_OCSP_CERTSTATUS_GOOD);
	ck_assert_int_eq(t.n_certs, 1);
	EVP_PKEY_free(key);
}
END_TEST

START_TEST(answer_does_not_outlive_the_responder)
{
	EVP_PKEY *key = world_key("P-256");
	struct asked a = ow_about(ow.issued);
	struct told t;

	set_responder(key, 1);
	ow_advance(86400 - 60);
	t = ow_ask(&a);
	ck_assert_int_eq(t.next_s, WORLD_NOW_S + 86400);
	ow_advance(120);
	a.md = EVP_sha256();
	ck_assert_int_eq(ow_ask(&a).error, OCSP_RESPONSE_STATUS_TRYLATER);
	EVP_PKEY_free(key);
}
END_TEST

START_TEST(new_responder_while_it_is_signed)
{
	EVP_PKEY *first = world_key("P-256"), *second = world_key("P-256");
	struct asked a = ow_about(ow.issued);
	struct http_req req = ow_post(&a);

	set_responder(first, 1);
	ow.signer.mode = FAKE_SILENT;
	ow_dispatch(&req);
	loop_poll(ow.store.loop);
	set_responder(second, 2);
	ow.signer.mode = FAKE_SIGNS;
	fake_signer_hello(&ow.signer);
	ow_wait_answered(&req);
	ck_assert_int_eq(ow_read_answer(&req).error, 0); /* and it verifies */
	ow_req_free(&req);
	EVP_PKEY_free(first);
	EVP_PKEY_free(second);
}
END_TEST

START_TEST(end_answers_what_waits)
{
	struct asked a = ow_about(ow.issued);
	struct http_req req = ow_post(&a);

	ow.signer.mode = FAKE_SILENT;
	ow_dispatch(&req);
	loop_poll(ow.store.loop);
	responder_free(ow.responder);
	ow.responder = NULL;
	ck_assert(req.answered);
	ck_assert_int_eq(
	        ow_read_answer(&req).error, OCSP_RESPONSE_STATUS_TRYLATER);
	ow_req_free(&req);
}
END_TEST

static TCase *with(const char *name, SFun open)
{
	TCase *t = tcase_create(name);

	tcase_add_checked_fixture(t, open, ow_close);
	return t;
}

void test_ocsp_responder(Suite *s)
{
	TCase *t = with("responder by the CA's key", ow_open_ca);

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
	t = with("responder where nothing is unknown", ow_open_revoked);
	tcase_add_test(t, never_issued_is_revoked_where_configured);
	suite_add_tcase(s, t);
	t = with("responder by a key of its own", ow_open_responder);
	tcase_add_test(t, responder_signs_once_it_is_there);
	tcase_add_test(t, answer_does_not_outlive_the_responder);
	tcase_add_test(t, new_responder_while_it_is_signed);
	suite_add_tcase(s, t);
}
