/* What p11 and vault make of a token that fails (tests/p11/fault.h). Its module
 * is loaded in the test's own process, and not before. */
#include "ca/signer/p11.h"
#include "ca/signer/vault.h"
#include "tests/p11/token.h"
#include "tests/unit/softhsm.h"
#include "tests/unit/test_token.h"

#include <string.h>

#define URI "pkcs11:token=" TOKEN_LABEL ";object=issuing"
#define DATA BYTES_LIT("to be signed")

static struct token t;
static struct p11_module *module;
static struct p11_uri *uri;
static struct p11_token *token;
static struct p11_session *session;
static struct vault *vault;
static struct vault_hand *hand;
static struct buf signature = BUF_INIT(4096);
static struct why why;

static void begin(void)
{
	CK_SESSION_HANDLE own;

	token_open(&t, FAULT_MODULE);
	token_begin(&t);
	own = token_session(&t);
	ck_assert_uint_eq(token_login(&t, own, TOKEN_PIN), CKR_OK);
	ck_assert_uint_ne(token_make_key(&t, own, "issuing", 1), 0);
	token_end(&t);
}

static void end(void)
{
	vault_hand_free(hand);
	vault_free(vault);
	p11_session_close(session);
	p11_token_close(token);
	p11_uri_free(uri);
	p11_module_close(module);
	buf_free(&signature);
	token_close(&t);
}

static void open_token(void)
{
	ck_assert_int_eq(p11_module_open(&module, FAULT_MODULE, &why), RC_OK);
	ck_assert_int_eq(p11_uri_parse(&uri, URI, &why), RC_OK);
	ck_assert_int_eq(
	        p11_token_open(&token, module, uri, BYTES_LIT(TOKEN_PIN), &why),
	        RC_OK);
}

static const struct {
	CK_FLAGS flags;
	const char *why;
} locked[] = {
	{ CKF_USER_PIN_LOCKED, "is locked" },
	{ CKF_USER_PIN_FINAL_TRY, "one last try" },
	{ CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_COUNT_LOW, "one last try" },
};

START_TEST(pin_is_not_tried_where_that_may_lock_the_token)
{
	uint64_t logins = token_did(&t, FAULT_LOGINS);

	open_token();
	token_want(&t, FAULT_TOKEN_FLAGS, locked[_i].flags);
	ck_assert_int_eq(
	        p11_session_open(&session, token, P11_READ, &why), RC_NOCRED);
	ck_assert_msg(strstr(why.text, locked[_i].why) != NULL, "%s", why.text);
	ck_assert_uint_eq(token_did(&t, FAULT_LOGINS), logins);
	/* Nothing was refused: once that is mended, it is tried. */
	token_want(&t, FAULT_TOKEN_FLAGS, 0);
	ck_assert_int_eq(
	        p11_session_open(&session, token, P11_READ, &why), RC_OK);
}
END_TEST

START_TEST(pin_that_is_refused_in_other_words_is_not_tried_again)
{
	uint64_t logins = token_did(&t, FAULT_LOGINS);

	open_token();
	token_want(&t, FAULT_LOGIN_RV, CKR_VENDOR_DEFINED + 1);
	/* It may have been the session. */
	ck_assert_int_eq(
	        p11_session_open(&session, token, P11_READ, &why), RC_CLOSED);
	token_want(&t, FAULT_TOKEN_FLAGS, CKF_USER_PIN_COUNT_LOW);
	ck_assert_int_eq(
	        p11_session_open(&session, token, P11_READ, &why), RC_NOCRED);
	ck_assert_int_eq(
	        p11_session_open(&session, token, P11_READ, &why), RC_NOCRED);
	ck_assert_uint_eq(token_did(&t, FAULT_LOGINS), logins + 2);
}
END_TEST

START_TEST(module_restarts_where_no_session_is_open)
{
	open_token();
	ck_assert_int_eq(
	        p11_session_open(&session, token, P11_READ, &why), RC_OK);
	ck_assert_int_eq(p11_module_restart(module, &why), RC_BUSY);
	p11_session_close(session);
	session = NULL;
	p11_enter(module);
	ck_assert_int_eq(p11_module_restart(module, &why), RC_BUSY);
	p11_leave(module);
	ck_assert_int_eq(p11_module_restart(module, &why), RC_OK);
	ck_assert_int_eq(
	        p11_session_open(&session, token, P11_READ, &why), RC_OK);
	ck_assert(!p11_session_is_stale(session));
}
END_TEST

static const struct vault_key *load(void)
{
	struct vault_token_key k = { "issuing", URI, FAULT_MODULE,
		BYTES_LIT(TOKEN_PIN), 2 };
	enum rc rc;

	ck_assert_int_eq(vault_new(&vault), RC_OK);
	rc = vault_load_token(vault, &k, &why);
	ck_assert_msg(rc == RC_OK, "%s", why.text);
	ck_assert_int_eq(vault_hand_new(&hand, vault, 1), RC_OK);
	return vault_at(vault, 0);
}

static enum rc sign(const struct vault_key *k)
{
	buf_reset(&signature);
	return vault_sign(hand, k, DATA, &signature, &why);
}

START_TEST(wrong_signature_is_not_given_out)
{
	const struct vault_key *k = load();

	token_want(&t, FAULT_NEXT_FLIPPED, 1);
	ck_assert_int_eq(sign(k), RC_BADSIG);
	ck_assert_uint_eq(signature.n, 0);
	ck_assert_int_eq(sign(k), RC_OK);
}
END_TEST

static const struct {
	enum fault_want want;
	enum rc rc;
} losses[] = {
	{ FAULT_NEXT_LOST, RC_CLOSED },
	{ FAULT_NEXT_FAILED, RC_CLOSED },
};

START_TEST(lost_session_is_replaced)
{
	const struct vault_key *k = load();

	token_want(&t, losses[_i].want, 1);
	ck_assert_int_eq(sign(k), losses[_i].rc);
	vault_hand_drop(hand);
	ck_assert_int_eq(sign(k), RC_OK);
}
END_TEST

START_TEST(token_that_was_away_is_found_again)
{
	const struct vault_key *k = load();

	ck_assert_int_eq(sign(k), RC_OK);
	token_want(&t, FAULT_OUTAGE, 1);
	ck_assert_int_eq(sign(k), RC_UNAVAILABLE);
	vault_hand_drop(hand);
	ck_assert_int_ne(sign(k), RC_OK);
	token_want(&t, FAULT_OUTAGE, 2);
	ck_assert_int_eq(sign(k), RC_OK);
}
END_TEST

START_TEST(dead_module_says_so)
{
	const struct vault_key *k = load();

	token_want(&t, FAULT_DEAD_RV, CKR_CRYPTOKI_NOT_INITIALIZED);
	ck_assert_int_eq(sign(k), RC_IO);
	token_want(&t, FAULT_DEAD_RV, 0);
}
END_TEST

TCase *test_p11_loss(void)
{
	TCase *tc = tcase_create("loss");

	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_loop_test(tc, pin_is_not_tried_where_that_may_lock_the_token,
	        0, sizeof(locked) / sizeof(*locked));
	tcase_add_test(
	        tc, pin_that_is_refused_in_other_words_is_not_tried_again);
	tcase_add_test(tc, module_restarts_where_no_session_is_open);
	tcase_add_test(tc, wrong_signature_is_not_given_out);
	tcase_add_loop_test(tc, lost_session_is_replaced, 0,
	        sizeof(losses) / sizeof(*losses));
	tcase_add_test(tc, token_that_was_away_is_found_again);
	tcase_add_test(tc, dead_module_says_so);
	return tc;
}
