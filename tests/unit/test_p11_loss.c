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

static const struct vault_key *load_uri(const char *key_uri)
{
	struct vault_token_key k = { .name = "issuing",
		.uri = key_uri,
		.module = FAULT_MODULE,
		.pin = BYTES_LIT(TOKEN_PIN),
		.sessions = 2 };
	enum rc rc;

	ck_assert_int_eq(vault_new(&vault), RC_OK);
	rc = vault_load_token(vault, &k, &why);
	ck_assert_msg(rc == RC_OK, "%s", why.text);
	ck_assert_int_eq(vault_hand_new(&hand, vault, 1), RC_OK);
	return vault_at(vault, 0);
}

static const struct vault_key *load(void)
{
	return load_uri(URI);
}

static enum rc sign(const struct vault_key *k)
{
	buf_reset(&signature);
	return vault_sign(hand, k, DATA, &signature, &why);
}

/* An RSA pair beside the other key: it signs and decrypts. */
static void make_rsa(void)
{
	CK_MECHANISM m = { CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 };
	unsigned char id = 2, e[] = { 1, 0, 1 };
	CK_ULONG bits = 2048;
	CK_BBOOL yes = CK_TRUE;
	CK_ATTRIBUTE pub[] = {
		{ CKA_MODULUS_BITS, &bits, sizeof(bits) },
		{ CKA_PUBLIC_EXPONENT, e, sizeof(e) },
		{ CKA_TOKEN, &yes, sizeof(yes) },
		{ CKA_ID, &id, 1 },
	};
	CK_ATTRIBUTE prv[] = {
		{ CKA_TOKEN, &yes, sizeof(yes) },
		{ CKA_PRIVATE, &yes, sizeof(yes) },
		{ CKA_SIGN, &yes, sizeof(yes) },
		{ CKA_DECRYPT, &yes, sizeof(yes) },
		{ CKA_ID, &id, 1 },
	};
	CK_SESSION_HANDLE own;
	CK_OBJECT_HANDLE p, k;

	token_begin(&t);
	own = token_session(&t);
	ck_assert_uint_eq(token_login(&t, own, TOKEN_PIN), CKR_OK);
	ck_assert_uint_eq(t.p11->C_GenerateKeyPair(own, &m, pub,
	                          sizeof(pub) / sizeof(*pub), prv,
	                          sizeof(prv) / sizeof(*prv), &p, &k),
	        CKR_OK);
	token_end(&t);
}

/* Each module has its own word for it, and none may reach who asks. */
static const CK_RV padding_words[] = { CKR_ENCRYPTED_DATA_INVALID,
	CKR_FUNCTION_FAILED, CKR_FUNCTION_CANCELED, CKR_DEVICE_ERROR,
	CKR_DEVICE_MEMORY, CKR_ARGUMENTS_BAD, CKR_DATA_INVALID,
	CKR_FUNCTION_NOT_SUPPORTED, CKR_VENDOR_DEFINED + 1 };

START_TEST(wrong_padding_is_not_told_in_whatever_word)
{
	uint8_t cipher[256] = { 0, 1 }, first[16], again[16];
	const struct vault_key *k;

	make_rsa();
	token_want(&t, FAULT_RAW_RV, CKR_MECHANISM_INVALID);
	k = load_uri("pkcs11:token=" TOKEN_LABEL ";id=%02");
	ck_assert_int_eq(vault_decrypt(hand, k, BYTES_ARRAY(cipher), first,
	                         sizeof(first), &why),
	        RC_OK);
	for (size_t i = 0; i < sizeof(padding_words) / sizeof(*padding_words);
	        i++) {
		token_want(&t, FAULT_PADDING_RV, padding_words[i]);
		ck_assert_msg(vault_decrypt(hand, k, BYTES_ARRAY(cipher), again,
		                      sizeof(again), &why) == RC_OK,
		        "%s", why.text);
		ck_assert_mem_eq(again, first, sizeof(first));
	}
	/* What is no padding's fault is told. */
	token_want(&t, FAULT_PADDING_RV, CKR_SESSION_HANDLE_INVALID);
	ck_assert_int_eq(vault_decrypt(hand, k, BYTES_ARRAY(cipher), again,
	                         sizeof(again), &why),
	        RC_CLOSED);
}
END_TEST

/* The module is not even asked whether it is right. */
START_TEST(padding_is_not_left_to_a_token_that_does_without)
{
	uint8_t cipher[256] = { 0, 1 }, first[16], again[16];
	const struct vault_key *k;

	make_rsa();
	token_want(&t, FAULT_PADDING_RV, CKR_SESSION_HANDLE_INVALID);
	k = load_uri("pkcs11:token=" TOKEN_LABEL ";id=%02");
	ck_assert_int_eq(vault_decrypt(hand, k, BYTES_ARRAY(cipher), first,
	                         sizeof(first), &why),
	        RC_OK);
	ck_assert_int_eq(vault_decrypt(hand, k, BYTES_ARRAY(cipher), again,
	                         sizeof(again), &why),
	        RC_OK);
	ck_assert_mem_eq(again, first, sizeof(first));
	/* What is no padding's fault is told. */
	token_want(&t, FAULT_OUTAGE, 1);
	ck_assert_int_ne(vault_decrypt(hand, k, BYTES_ARRAY(cipher), again,
	                         sizeof(again), &why),
	        RC_OK);
}
END_TEST

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

/* --- a token that is away at the start */

static struct vault_token_key expected(const char *name, struct bytes spki)
{
	return (struct vault_token_key){ .name = name,
		.uri = URI,
		.module = FAULT_MODULE,
		.pin = BYTES_LIT(TOKEN_PIN),
		.sessions = 2,
		.expect = true,
		.spki = spki };
}

/* What the key in the token is like, told to who cannot see it. */
static void keep_spki(struct buf *out)
{
	buf_add(out, load()->spki);
	vault_hand_free(hand);
	vault_free(vault);
	hand = NULL;
	vault = NULL;
}

static void expect(struct bytes spki)
{
	struct vault_token_key k = expected("issuing", spki);
	enum rc rc;

	ck_assert_int_eq(vault_new(&vault), RC_OK);
	rc = vault_load_token(vault, &k, &why);
	ck_assert_msg(rc == RC_OK, "%s", why.text);
	ck_assert_uint_eq(vault_tokens(vault), 1);
	ck_assert(!vault_token_was_there(vault, 1));
	ck_assert_int_eq(vault_hand_new(&hand, vault, 1), RC_OK);
}

START_TEST(token_that_is_away_is_refused_unless_it_is_expected)
{
	struct vault_token_key k = expected("issuing", BYTES_NONE);

	k.expect = false;
	token_want(&t, FAULT_OUTAGE, 1);
	ck_assert_int_eq(vault_new(&vault), RC_OK);
	ck_assert_int_eq(vault_load_token(vault, &k, &why), RC_NOTFOUND);
	ck_assert_uint_eq(vault_tokens(vault), 0);
	k.expect = true;
	/* Of that nobody says that it will pass. */
	k.uri = "pkcs11:token=" TOKEN_LABEL
	        ";object=issuing;library-manufacturer=Nobody";
	ck_assert_int_eq(vault_load_token(vault, &k, &why), RC_NOTFOUND);
	ck_assert_msg(
	        strstr(why.text, "another module's") != NULL, "%s", why.text);
	ck_assert_uint_eq(vault_count(vault), 0);
}
END_TEST

START_TEST(expected_key_signs_when_its_token_appears)
{
	struct buf spki = BUF_INIT(4096);
	const struct vault_key *k;

	keep_spki(&spki);
	token_want(&t, FAULT_OUTAGE, 1);
	expect(buf_bytes(&spki));
	ck_assert_str_eq(vault_token_label(vault, 1), TOKEN_LABEL);
	k = vault_at(vault, 0);
	ck_assert(vault_key_is_known(k));
	ck_assert_int_eq(k->alg, ALG_ECDSA_SHA256);
	ck_assert_int_ne(sign(k), RC_OK);
	token_want(&t, FAULT_OUTAGE, 2);
	ck_assert_msg(sign(k) == RC_OK, "%s", why.text);
	buf_free(&spki);
}
END_TEST

START_TEST(expected_module_is_initialised_when_it_can_be)
{
	struct buf spki = BUF_INIT(4096);
	const struct vault_key *k;

	keep_spki(&spki);
	token_want(&t, FAULT_DEAD_RV, CKR_GENERAL_ERROR);
	expect(buf_bytes(&spki));
	k = vault_at(vault, 0);
	ck_assert_int_eq(sign(k), RC_UNAVAILABLE);
	ck_assert_int_eq(vault_hand_restart(hand, &why), RC_CLOSED);
	ck_assert_int_eq(sign(k), RC_UNAVAILABLE);
	token_want(&t, FAULT_DEAD_RV, 0);
	ck_assert_int_eq(vault_hand_restart(hand, &why), RC_OK);
	ck_assert_msg(sign(k) == RC_OK, "%s", why.text);
	buf_free(&spki);
}
END_TEST

START_TEST(key_that_nobody_knows_is_found_when_its_token_appears)
{
	struct vault_token_key twin = expected("twin", BYTES_NONE);
	struct vault_key *k, *other;

	token_want(&t, FAULT_OUTAGE, 1);
	expect(BYTES_NONE);
	ck_assert_int_eq(vault_load_token(vault, &twin, &why), RC_OK);
	ck_assert_uint_eq(vault_tokens(vault), 1);
	k = vault_at(vault, 0);
	other = vault_at(vault, 1);
	ck_assert(!vault_key_is_known(k) && !vault_key_is_known(other));
	ck_assert_int_ne(vault_hand_open(hand, &why), RC_OK);
	token_want(&t, FAULT_OUTAGE, 2);
	ck_assert_int_eq(vault_hand_open(hand, &why), RC_OK);
	ck_assert(vault_key_is_known(k) && vault_key_is_known(other));
	ck_assert_int_eq(sign(k), RC_OK);
	ck_assert(bytes_eq(k->spki, other->spki));
}
END_TEST

/* Its signatures are good, and by another than the one that was certified. */
START_TEST(key_in_the_place_of_the_expected_one_signs_nothing)
{
	EVP_PKEY *stranger = vault_make(KEY_P256, 0);
	struct buf spki = BUF_INIT(4096);

	ck_assert_int_eq(vault_spki(stranger, &spki), RC_OK);
	token_want(&t, FAULT_OUTAGE, 1);
	expect(buf_bytes(&spki));
	token_want(&t, FAULT_OUTAGE, 2);
	ck_assert_int_eq(sign(vault_at(vault, 0)), RC_BADSIG);
	ck_assert_uint_eq(signature.n, 0);
	buf_free(&spki);
	EVP_PKEY_free(stranger);
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
	tcase_add_test(tc, wrong_padding_is_not_told_in_whatever_word);
	tcase_add_test(tc, padding_is_not_left_to_a_token_that_does_without);
	tcase_add_test(tc, wrong_signature_is_not_given_out);
	tcase_add_loop_test(tc, lost_session_is_replaced, 0,
	        sizeof(losses) / sizeof(*losses));
	tcase_add_test(tc, token_that_was_away_is_found_again);
	tcase_add_test(tc, dead_module_says_so);
	tcase_add_test(tc, token_that_is_away_is_refused_unless_it_is_expected);
	tcase_add_test(tc, expected_key_signs_when_its_token_appears);
	tcase_add_test(tc, expected_module_is_initialised_when_it_can_be);
	tcase_add_test(
	        tc, key_that_nobody_knows_is_found_when_its_token_appears);
	tcase_add_test(tc, key_in_the_place_of_the_expected_one_signs_nothing);
	return tc;
}
