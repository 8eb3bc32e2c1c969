/* Keys made in a token, and a token that says of one what it should not. */
#include "ca/signer/p11_private.h"
#include "ca/signer/token_key.h"
#include "tests/unit/softhsm.h"
#include "tests/unit/test_token.h"

#include <string.h>

static struct softhsm softhsm;
static struct p11_module *module;
static struct p11_uri *uri;
static struct p11_token *token;
static struct p11_session *session;
static struct why why;
static CK_FUNCTION_LIST *real, lying;

static void open_all(void)
{
	softhsm_open(&softhsm);
	ck_assert_int_eq(p11_module_open(&module, SOFTHSM_MODULE, &why), RC_OK);
	ck_assert_int_eq(p11_uri_parse(&uri, "pkcs11:token=mica", &why), RC_OK);
	ck_assert_int_eq(p11_token_open(&token, module, uri,
	                         BYTES_LIT(SOFTHSM_PIN), &why),
	        RC_OK);
	ck_assert_int_eq(
	        p11_session_open(&session, token, P11_WRITE, &why), RC_OK);
	real = module->f;
	lying = *real;
}

static void close_all(void)
{
	module->f = real;
	p11_session_close(session);
	p11_token_close(token);
	p11_uri_free(uri);
	p11_module_close(module);
	softhsm_close(&softhsm);
}

static enum rc make(struct token_key *key, enum key_type type, bool decrypt)
{
	const struct token_key_want want = { .type = type,
		.rsa_bits = 2048,
		.label = BYTES_LIT("one"),
		.decrypt = decrypt };

	return token_key_make(key, session, &want, &why);
}

static CK_ULONG objects(void)
{
	CK_SESSION_HANDLE h = p11_session_handle(session);
	CK_OBJECT_HANDLE found[8];
	CK_ULONG n = 0;

	ck_assert_uint_eq(real->C_FindObjectsInit(h, NULL, 0), CKR_OK);
	ck_assert_uint_eq(real->C_FindObjects(h, found, 8, &n), CKR_OK);
	ck_assert_uint_eq(real->C_FindObjectsFinal(h), CKR_OK);
	return n;
}

START_TEST(key_of_each_type_is_made_once)
{
	static const enum key_type types[] = { KEY_P256, KEY_P384, KEY_ED25519,
		KEY_RSA };
	struct token_key key;

	ck_assert_msg(make(&key, types[_i], false) == RC_OK, "%s", why.text);
	ck_assert_uint_eq(key.n_id, TOKEN_KEY_ID_BYTES);
	ck_assert_uint_ge(key.n_facts, 10);
	ck_assert_uint_eq(key.n_hidden, types[_i] == KEY_RSA ? 6 : 1);
	ck_assert_uint_eq(objects(), 2);
	ck_assert_int_eq(make(&key, KEY_P256, false), RC_EXISTS);
	ck_assert_uint_eq(objects(), 2);
}
END_TEST

START_TEST(key_that_decrypts_is_rsa)
{
	struct token_key key;

	ck_assert_int_eq(make(&key, KEY_P256, true), RC_UNSUPPORTED);
	ck_assert_uint_eq(objects(), 0);
	ck_assert_msg(make(&key, KEY_RSA, true) == RC_OK, "%s", why.text);
}
END_TEST

/* --- a token that is not one to trust */

static CK_RV say_extractable(
        CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, CK_ATTRIBUTE *a, CK_ULONG n)
{
	CK_RV rv = real->C_GetAttributeValue(s, o, a, n);

	if (rv == CKR_OK && n == 1 && a->type == CKA_NEVER_EXTRACTABLE)
		*(CK_BBOOL *)a->pValue = CK_FALSE;
	return rv;
}

static CK_RV show_secrets(
        CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, CK_ATTRIBUTE *a, CK_ULONG n)
{
	if (n == 1 && (a->type == CKA_VALUE || a->type == CKA_PRIME_2)) {
		a->ulValueLen = 1;
		return CKR_OK;
	}
	return real->C_GetAttributeValue(s, o, a, n);
}

START_TEST(key_that_was_extractable_is_destroyed_again)
{
	struct token_key key;

	lying.C_GetAttributeValue = say_extractable;
	module->f = &lying;
	ck_assert_int_eq(make(&key, KEY_P256, false), RC_DENIED);
	ck_assert_ptr_nonnull(strstr(why.text, "CKA_NEVER_EXTRACTABLE off"));
	ck_assert_uint_eq(objects(), 0);
}
END_TEST

START_TEST(key_that_can_be_read_is_destroyed_again)
{
	struct token_key key;

	lying.C_GetAttributeValue = show_secrets;
	module->f = &lying;
	ck_assert_int_eq(
	        make(&key, _i == 0 ? KEY_P256 : KEY_RSA, false), RC_DENIED);
	ck_assert_ptr_nonnull(
	        strstr(why.text, _i == 0 ? "CKA_VALUE" : "CKA_PRIME_2"));
	ck_assert_uint_eq(objects(), 0);
}
END_TEST

TCase *test_token_key(void)
{
	TCase *t = tcase_create("token_key");

	tcase_add_checked_fixture(t, open_all, close_all);
	tcase_add_loop_test(t, key_of_each_type_is_made_once, 0, 4);
	tcase_add_test(t, key_that_decrypts_is_rsa);
	tcase_add_test(t, key_that_was_extractable_is_destroyed_again);
	tcase_add_loop_test(t, key_that_can_be_read_is_destroyed_again, 0, 2);
	return t;
}
