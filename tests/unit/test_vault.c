#include "config.h"

#include "ca/signer/vault_private.h"
#include "tests/unit/softhsm.h"
#include "tests/unit/test_token.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#define PIN BYTES_LIT(SOFTHSM_PIN)
#define SESSIONS 4

static struct softhsm softhsm;
static struct vault *vault;
static struct vault_hand *hand;
static struct why why;

/* Keys of all types, in one token; made before the tests' processes. */
static const struct {
	const char *name, *type, *id;
	enum key_type kind;
	enum sig_alg alg;
} keys[] = {
	{ "p256", "EC:secp256r1", "01", KEY_P256, ALG_ECDSA_SHA256 },
	{ "p384", "EC:secp384r1", "02", KEY_P384, ALG_ECDSA_SHA384 },
	{ "ed", "EC:edwards25519", "03", KEY_ED25519, ALG_ED25519 },
	{ "rsa", "rsa:2048", "04", KEY_RSA, ALG_RSA_SHA256 },
};
#define KEYS (sizeof(keys) / sizeof(*keys))

static void make_token(void)
{
	static const char *const lone[] = { "--delete-object", "--type",
		"pubkey", "--label", "lone", NULL };

	softhsm_open(&softhsm);
	for (size_t i = 0; i < KEYS; i++)
		softhsm_key(&softhsm, keys[i].type, keys[i].name, keys[i].id);
	softhsm_key(&softhsm, "EC:secp256r1", "twin", "05");
	softhsm_key(&softhsm, "EC:secp256r1", "twin", "06");
	softhsm_key(&softhsm, "EC:secp256r1", "lone", "07");
	softhsm_tool(&softhsm, lone);
}

static void remove_token(void)
{
	softhsm_close(&softhsm);
}

static void open_vault(void)
{
	ck_assert_int_eq(vault_new(&vault), RC_OK);
}

static void close_vault(void)
{
	vault_hand_free(hand);
	hand = NULL;
	vault_free(vault);
	vault = NULL;
}

static enum rc load_as(const char *name, const char *uri, struct bytes pin)
{
	struct vault_token_key k = { .name = name,
		.uri = uri,
		.module = SOFTHSM_MODULE,
		.pin = pin,
		.sessions = SESSIONS };

	return vault_load_token(vault, &k, &why);
}

static struct vault_key *load(size_t i)
{
	char uri[64];

	(void)snprintf(
	        uri, sizeof(uri), "pkcs11:token=mica;object=%s", keys[i].name);
	ck_assert_msg(load_as(keys[i].name, uri, PIN) == RC_OK, "%s", why.text);
	ck_assert_int_eq(vault_hand_new(&hand, vault, 1), RC_OK);
	return vault_at(vault, vault_count(vault) - 1);
}

/* By libcrypto's own reading of the public half. */
static bool verifies(
        const struct vault_key *k, struct bytes data, struct bytes signature)
{
	const unsigned char *p = k->spki.p;
	EVP_PKEY *pkey = d2i_PUBKEY(NULL, &p, (long)k->spki.n);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	const EVP_MD *md = k->type == KEY_ED25519 ? NULL
	        : k->type == KEY_P384             ? EVP_sha384()
	                                          : EVP_sha256();
	EVP_PKEY_CTX *pctx;
	bool good;

	ck_assert_int_eq(EVP_DigestVerifyInit(ctx, &pctx, md, NULL, pkey), 1);
	if (k->alg == ALG_RSA_PSS_SHA256)
		ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_padding(
		                         pctx, RSA_PKCS1_PSS_PADDING),
		        1);
	good = EVP_DigestVerify(
	               ctx, signature.p, signature.n, data.p, data.n) == 1;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(pkey);
	return good;
}

static void sign_twice(const struct vault_key *k)
{
	struct buf signature = BUF_INIT(4096);

	for (unsigned i = 0; i < 2; i++) {
		enum rc rc;

		buf_reset(&signature);
		rc = vault_sign(
		        hand, k, BYTES_LIT("to be signed"), &signature, &why);
		ck_assert_msg(rc == RC_OK, "%s", why.text);
		ck_assert(verifies(
		        k, BYTES_LIT("to be signed"), buf_bytes(&signature)));
		vault_hand_drop(hand); /* the second has another session */
	}
	buf_free(&signature);
}

START_TEST(token_key_signs)
{
	struct vault_key *k;

#ifdef MICA_SANITIZED
	/* SoftHSM leaks at each signature by Ed25519. */
	if (keys[_i].kind == KEY_ED25519)
		return;
#endif
	k = load((size_t)_i);

	ck_assert_int_eq(k->type, keys[_i].kind);
	ck_assert_int_eq(k->alg, keys[_i].alg);
	sign_twice(k);
}
END_TEST

START_TEST(token_rsa_key_signs_with_pss)
{
	struct vault_key *k = load(3);

	ck_assert_int_eq(vault_use_pss(k, &why), RC_OK);
	sign_twice(k);
}
END_TEST

START_TEST(pss_is_for_rsa_alone)
{
	ck_assert_int_eq(vault_use_pss(load(0), &why), RC_CONFLICT);
}
END_TEST

/* --- decryption, in the token and out of it */

static size_t encrypt(const struct vault_key *k, struct bytes plain,
        int padding, uint8_t *out, size_t max)
{
	const unsigned char *p = k->spki.p;
	EVP_PKEY *pkey = d2i_PUBKEY(NULL, &p, (long)k->spki.n);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
	size_t n = max;

	ck_assert_int_eq(EVP_PKEY_encrypt_init(ctx), 1);
	ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_padding(ctx, padding), 1);
	ck_assert_int_eq(EVP_PKEY_encrypt(ctx, out, &n, plain.p, plain.n), 1);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(pkey);
	return n;
}

/* Where the key is: out of a token; in one that leaves the padding to us, and in
 * one that does not. */
enum { SOFT, RAW, PADDED, PLACES };

static struct vault_key *load_soft(void)
{
	EVP_PKEY *pkey = vault_make(KEY_RSA, 2048);
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long n;

	ck_assert_int_eq(
	        PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL),
	        1);
	n = BIO_get_mem_data(bio, &text);
	ck_assert_int_eq(
	        vault_add(vault, "soft", bytes_of(text, (size_t)n), NULL, &why),
	        RC_OK);
	BIO_free(bio);
	EVP_PKEY_free(pkey);
	ck_assert_int_eq(vault_hand_new(&hand, vault, 0), RC_OK);
	return vault_at(vault, 0);
}

static struct vault_key *load_rsa(int place)
{
	struct vault_key *k;

	if (place == SOFT)
		return load_soft();
	k = load(3);
	if (place == PADDED)
		hand->grips[k->place].way = WAY_PADDED;
	return k;
}

static void decrypted(
        const struct vault_key *k, struct bytes cipher, uint8_t *out, size_t n)
{
	enum rc rc = vault_decrypt(hand, k, cipher, out, n, &why);

	ck_assert_msg(rc == RC_OK, "%s", why.text);
}

START_TEST(decrypt_gives_the_key)
{
	static const uint8_t plain[16] = "sixteen bytes ok";
	const struct vault_key *k = load_rsa(_i);
	uint8_t cipher[512], out[16];
	size_t n = encrypt(k, BYTES_ARRAY(plain), RSA_PKCS1_PADDING, cipher,
	        sizeof(cipher));

	decrypted(k, bytes_of(cipher, n), out, sizeof(out));
	ck_assert_mem_eq(out, plain, sizeof(plain));
	/* SoftHSM leaves the padding to us. */
	ck_assert_int_eq(hand->grips[k->place].way,
	        _i == SOFT          ? WAY_UNKNOWN
	                : _i == RAW ? WAY_RAW
	                            : WAY_PADDED);
}
END_TEST

/* Bleichenbacher's oracle: neither result nor reason tells, nor that what is
 * asked again is another. */
START_TEST(decrypt_of_wrong_padding_gives_bytes_of_the_cipher)
{
	const struct vault_key *k = load_rsa(_i);
	uint8_t plain[256] = { 0, 1, 0xff, 0xff }, cipher[512];
	uint8_t a[16], b[16], c[32];
	size_t n;

	memset(plain + 2, 0xff, sizeof(plain) - 2);
	n = encrypt(
	        k, BYTES_ARRAY(plain), RSA_NO_PADDING, cipher, sizeof(cipher));
	decrypted(k, bytes_of(cipher, n), a, sizeof(a));
	decrypted(k, bytes_of(cipher, n), b, sizeof(b));
	ck_assert_mem_eq(a, b, sizeof(a));
	decrypted(k, bytes_of(cipher, n), c, sizeof(c));
	plain[255] = 0x11;
	n = encrypt(
	        k, BYTES_ARRAY(plain), RSA_NO_PADDING, cipher, sizeof(cipher));
	decrypted(k, bytes_of(cipher, n), b, sizeof(b));
	ck_assert_mem_ne(a, b, sizeof(a));
	ck_assert_int_eq(vault_decrypt(hand, k, bytes_of(cipher, n), c,
	                         sizeof(c) + 1, &why),
	        RC_UNSUPPORTED);
}
END_TEST

START_TEST(decrypt_of_another_length_gives_other_bytes)
{
	static const uint8_t plain[24] = "twenty-four, not sixteen";
	const struct vault_key *k = load_rsa(_i);
	uint8_t cipher[512], a[16], b[16];
	size_t n = encrypt(k, BYTES_ARRAY(plain), RSA_PKCS1_PADDING, cipher,
	        sizeof(cipher));

	decrypted(k, bytes_of(cipher, n), a, sizeof(a));
	decrypted(k, bytes_of(cipher, n), b, sizeof(b));
	ck_assert_mem_eq(a, b, sizeof(a));
	ck_assert_mem_ne(a, plain, sizeof(a));
	ck_assert_mem_ne(a, plain + 8, sizeof(a));
}
END_TEST

START_TEST(decrypt_refuses_what_is_no_cipher)
{
	uint8_t out[16];

	ck_assert_int_eq(vault_decrypt(hand, load_rsa(SOFT), BYTES_LIT("short"),
	                         out, sizeof(out), &why),
	        RC_UNSUPPORTED);
	vault_hand_free(hand);
	ck_assert_int_eq(vault_decrypt(hand, load(0), BYTES_LIT("short"), out,
	                         sizeof(out), &why),
	        RC_UNSUPPORTED);
}
END_TEST

/* --- what is not there, or not right */

static const struct {
	const char *uri;
	const char *pin;
	enum rc rc;
	const char *why;
} refused[] = {
	{ "pkcs11:token=mica;object=none", SOFTHSM_PIN, RC_NOTFOUND,
	        "key k: private key in token mica: no such object" },
	{ "pkcs11:token=none;object=p256", SOFTHSM_PIN, RC_NOTFOUND,
	        "no token matches" },
	{ "pkcs11:token=mica;object=twin", SOFTHSM_PIN, RC_CONFLICT,
	        "more than one" },
	{ "pkcs11:token=mica;object=lone", SOFTHSM_PIN, RC_NOTFOUND,
	        "no public key and no certificate" },
	{ "pkcs11:token=mica", SOFTHSM_PIN, RC_MALFORMED, "no private key" },
	{ "pkcs11:token=mica;object=p256;type=public", SOFTHSM_PIN,
	        RC_MALFORMED, "no private key" },
	{ "pkcs11:token=mica;object=p256", "wrong", RC_NOCRED,
	        "CKR_PIN_INCORRECT" },
	{ "pkcs11:token=mica;object=p256", "", RC_NOCRED, "wants a PIN" },
};

START_TEST(token_key_is_refused)
{
	enum rc rc = load_as("k", refused[_i].uri, bytes_str(refused[_i].pin));

	ck_assert_int_eq(rc, refused[_i].rc);
	ck_assert_msg(
	        strstr(why.text, refused[_i].why) != NULL, "%s", why.text);
	ck_assert_uint_eq(vault_count(vault), 0);
}
END_TEST

START_TEST(key_is_found_by_id_where_labels_are_twins)
{
	ck_assert_int_eq(
	        load_as("k", "pkcs11:token=mica;object=twin;id=%06", PIN),
	        RC_OK);
}
END_TEST

START_TEST(keys_of_one_token_share_it)
{
	ck_assert_int_eq(
	        load_as("a", "pkcs11:token=mica;object=p256", PIN), RC_OK);
	ck_assert_int_eq(
	        load_as("b", "pkcs11:model=SoftHSM%20v2;token=mica;id=%04",
	                PIN),
	        RC_OK);
	ck_assert_uint_eq(vault_tokens(vault), 1);
	ck_assert_int_eq(load_as("c", "pkcs11:token=mica;object=p384",
	                         BYTES_LIT("other")),
	        RC_CONFLICT);
	ck_assert_ptr_nonnull(strstr(why.text, "another PIN"));
}
END_TEST

TCase *test_vault(void)
{
	TCase *tc = tcase_create("vault");

	tcase_add_unchecked_fixture(tc, make_token, remove_token);
	tcase_add_checked_fixture(tc, open_vault, close_vault);
	tcase_add_loop_test(tc, token_key_signs, 0, KEYS);
	tcase_add_test(tc, token_rsa_key_signs_with_pss);
	tcase_add_test(tc, pss_is_for_rsa_alone);
	tcase_add_loop_test(tc, decrypt_gives_the_key, 0, PLACES);
	tcase_add_loop_test(tc,
	        decrypt_of_wrong_padding_gives_bytes_of_the_cipher, 0, PLACES);
	tcase_add_loop_test(
	        tc, decrypt_of_another_length_gives_other_bytes, 0, PLACES);
	tcase_add_test(tc, decrypt_refuses_what_is_no_cipher);
	tcase_add_loop_test(tc, token_key_is_refused, 0,
	        sizeof(refused) / sizeof(*refused));
	tcase_add_test(tc, key_is_found_by_id_where_labels_are_twins);
	tcase_add_test(tc, keys_of_one_token_share_it);
	return tc;
}
