#include "ca/signer/p11.h"
#include "tests/unit/softhsm.h"
#include "tests/unit/test_token.h"

#include <string.h>

#define PIN BYTES_LIT(SOFTHSM_PIN)

static struct softhsm softhsm;
static struct p11_module *module;
static struct p11_uri *uri;
static struct p11_token *token;
static struct why why;

static void open_module(void)
{
	enum rc rc = p11_module_open(&module, SOFTHSM_MODULE, &why);

	ck_assert_msg(rc == RC_OK, "%s", why.text);
}

static void close_module(void)
{
	p11_token_close(token);
	token = NULL;
	p11_uri_free(uri);
	uri = NULL;
	p11_module_close(module);
	module = NULL;
}

static enum rc open_token(const char *text, struct bytes pin)
{
	ck_assert_int_eq(p11_uri_parse(&uri, text, &why), RC_OK);
	return p11_token_open(&token, module, uri, pin, &why);
}

/* --- URIs */

static const struct {
	const char *text;
	enum rc rc;
} uris[] = {
	{ "pkcs11:token=mica;object=issuing", RC_OK },
	{ "pkcs11:token=mica;id=%01%02;type=private", RC_OK },
	{ "pkcs11:", RC_OK },
	{ "pkcs11:token=mica;object=issuing?pin-value=1234", RC_MALFORMED },
	{ "pkcs11:token=mica?pin-source=file:/etc/pin", RC_MALFORMED },
	{ "pkcs11:token=mica?module-path=/tmp/evil.so", RC_MALFORMED },
	{ "pkcs11:token=mica?module-name=evil", RC_MALFORMED },
	{ "pkcs11:tokne=mica", RC_MALFORMED },
	{ "pkcs11:token=mi%zzca", RC_MALFORMED },
	{ "issuing.key", RC_MALFORMED },
};

START_TEST(uri_names_a_token_and_an_object_alone)
{
	enum rc rc = p11_uri_parse(&uri, uris[_i].text, &why);

	ck_assert_msg(rc == uris[_i].rc, "%s: %d", uris[_i].text, (int)rc);
	p11_uri_free(uri);
	uri = NULL;
}
END_TEST

START_TEST(uri_gives_label_and_id)
{
	ck_assert_int_eq(
	        p11_uri_parse(&uri, "pkcs11:object=a%20b;id=%01%ff", &why),
	        RC_OK);
	ck_assert(bytes_eq_str(p11_uri_label(uri), "a b"));
	ck_assert(bytes_eq(p11_uri_id(uri), BYTES_LIT("\x01\xff")));
	p11_uri_free(uri);
	uri = NULL;
}
END_TEST

/* --- modules and tokens */

START_TEST(module_that_is_none_is_an_error)
{
	struct p11_module *m;

	ck_assert_int_eq(p11_module_open(&m, "/nonexistent.so", &why), RC_IO);
	ck_assert_ptr_null(m);
	ck_assert_int_eq(
	        p11_module_open(&m, "libc.so.6", &why), RC_UNSUPPORTED);
}
END_TEST

START_TEST(token_that_is_not_there_is_not_found)
{
	ck_assert_int_eq(open_token("pkcs11:token=other", PIN), RC_NOTFOUND);
	ck_assert_ptr_null(token);
}
END_TEST

START_TEST(two_tokens_of_a_label_are_a_conflict)
{
	ck_assert_int_eq(open_token("pkcs11:token=twin", PIN), RC_CONFLICT);
}
END_TEST

START_TEST(sessions_log_in_once_a_token)
{
	struct p11_session *a, *b;

	ck_assert_int_eq(open_token("pkcs11:token=mica", PIN), RC_OK);
	ck_assert_str_eq(p11_token_label(token), "mica");
	ck_assert_int_eq(p11_session_open(&a, token, P11_READ, &why), RC_OK);
	ck_assert_int_eq(p11_session_open(&b, token, P11_WRITE, &why), RC_OK);
	p11_session_close(a);
	p11_session_close(b);
	/* The last one's end was a logout. */
	ck_assert_int_eq(p11_session_open(&a, token, P11_READ, &why), RC_OK);
	p11_session_close(a);
}
END_TEST

/* Even when the right one would be let in: a locked token is worse. */
START_TEST(wrong_pin_is_tried_once)
{
	struct p11_session *s;

	ck_assert_int_eq(
	        open_token("pkcs11:token=mica", BYTES_LIT("0000")), RC_OK);
	ck_assert_int_eq(
	        p11_session_open(&s, token, P11_READ, &why), RC_NOCRED);
	ck_assert_ptr_nonnull(strstr(why.text, "CKR_PIN_INCORRECT"));
	ck_assert_int_eq(
	        p11_session_open(&s, token, P11_READ, &why), RC_NOCRED);
	ck_assert_ptr_nonnull(strstr(why.text, "not tried again"));
	ck_assert_ptr_null(s);
}
END_TEST

START_TEST(no_pin_is_no_try)
{
	struct p11_session *s;

	ck_assert_int_eq(open_token("pkcs11:token=mica", BYTES_NONE), RC_OK);
	ck_assert_int_eq(
	        p11_session_open(&s, token, P11_READ, &why), RC_NOCRED);
	ck_assert_ptr_nonnull(strstr(why.text, "wants a PIN"));
}
END_TEST

START_TEST(results_say_how_to_recover)
{
	ck_assert_int_eq(p11_rc(CKR_OK), RC_OK);
	ck_assert_int_eq(p11_rc(CKR_SESSION_HANDLE_INVALID), RC_CLOSED);
	ck_assert_int_eq(p11_rc(CKR_DEVICE_REMOVED), RC_UNAVAILABLE);
	ck_assert_int_eq(p11_rc(CKR_CRYPTOKI_NOT_INITIALIZED), RC_IO);
	ck_assert_int_eq(p11_rc(CKR_PIN_LOCKED), RC_NOCRED);
	ck_assert_int_eq(p11_rc(CKR_VENDOR_DEFINED | 7), RC_CLOSED);
	ck_assert_str_eq(p11_rv_name(CKR_PIN_LOCKED), "CKR_PIN_LOCKED");
}
END_TEST

/* Before the tests' processes: a module must not be there at a fork. */
static void make_tokens(void)
{
	softhsm_open(&softhsm);
	softhsm_token(&softhsm, "twin");
	softhsm_token(&softhsm, "twin");
}

static void remove_tokens(void)
{
	softhsm_close(&softhsm);
}

TCase *test_p11(void)
{
	TCase *tc = tcase_create("p11");

	tcase_add_unchecked_fixture(tc, make_tokens, remove_tokens);
	tcase_add_checked_fixture(tc, open_module, close_module);
	tcase_add_loop_test(tc, uri_names_a_token_and_an_object_alone, 0,
	        sizeof(uris) / sizeof(*uris));
	tcase_add_test(tc, uri_gives_label_and_id);
	tcase_add_test(tc, module_that_is_none_is_an_error);
	tcase_add_test(tc, token_that_is_not_there_is_not_found);
	tcase_add_test(tc, two_tokens_of_a_label_are_a_conflict);
	tcase_add_test(tc, sessions_log_in_once_a_token);
	tcase_add_test(tc, wrong_pin_is_tried_once);
	tcase_add_test(tc, no_pin_is_no_try);
	tcase_add_test(tc, results_say_how_to_recover);
	return tc;
}
