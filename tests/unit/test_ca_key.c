#include "tests/unit/test_ca_csr.h"
#include "ca/keypolicy.h"
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <string.h>

/* Import by pubkey.c and by libcrypto's decoder give the same key. */
static void check_import(EVP_PKEY *key)
{
	struct buf der = spki_of(key);
	const unsigned char *p = der.p;
	EVP_PKEY *theirs = d2i_PUBKEY(NULL, &p, (long)der.n);
	struct why why = WHY_NONE;
	struct spki spki;
	EVP_PKEY *ours;

	check_result("spki", spki_parse(&spki, buf_bytes(&der), &why), RC_OK,
	        &why, "");
	check_result("import", pubkey_import(&ours, keys()->ctx, &spki, &why),
	        RC_OK, &why, "");
	ck_assert_int_eq(EVP_PKEY_eq(ours, theirs), 1);
	check_result("policy", keypolicy_check(&spki, &why), RC_OK, &why, "");
	EVP_PKEY_free(ours);
	EVP_PKEY_free(theirs);
	buf_free(&der);
}

START_TEST(keys_are_imported_as_libcrypto_decodes_them)
{
	EVP_PKEY *rsa3072 = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)3072);

	/* twice: the templates must not keep the first key */
	for (unsigned i = 0; i < 2; i++) {
		EVP_PKEY *again = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");

		check_import(again);
		EVP_PKEY_free(again);
		check_import(keys()->p256);
		check_import(keys()->p384);
		check_import(keys()->ed25519);
		check_import(keys()->rsa);
		check_import(rsa3072);
	}
	ck_assert_uint_eq(ERR_peek_error(), 0);
	EVP_PKEY_free(rsa3072);
}
END_TEST

START_TEST(points_off_their_curve_are_refused)
{
	struct buf der = spki_of(keys()->p256);
	struct why why = WHY_NONE;
	struct spki spki;
	EVP_PKEY *key;

	der.p[der.n - 1] ^= 1;
	ck_assert_int_eq(spki_parse(&spki, buf_bytes(&der), &why), RC_OK);
	check_result("off", pubkey_import(&key, keys()->ctx, &spki, &why),
	        RC_WEAKKEY, &why, "not on its curve");
	ck_assert_ptr_null(key);
	memset(der.p + der.n - 64, 0xff, 64); /* not reduced either */
	ck_assert_int_eq(spki_parse(&spki, buf_bytes(&der), &why), RC_OK);
	check_result("big", pubkey_import(&key, keys()->ctx, &spki, &why),
	        RC_WEAKKEY, &why, "not on its curve");
	ck_assert_uint_eq(ERR_peek_error(), 0);
	buf_free(&der);
}
END_TEST

START_TEST(p521_is_recognised_and_refused)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-521");
	struct buf der = spki_of(key);
	struct why why = WHY_NONE;
	struct spki spki;
	EVP_PKEY *ours;

	ck_assert_int_eq(spki_parse(&spki, buf_bytes(&der), &why), RC_OK);
	ck_assert_uint_eq(keypolicy_type(&spki), 0);
	check_result("policy", keypolicy_check(&spki, &why), RC_WEAKKEY, &why,
	        "p521 is not permitted");
	check_result("import", pubkey_import(&ours, keys()->ctx, &spki, &why),
	        RC_UNSUPPORTED, &why, "p521");
	buf_free(&der);
	EVP_PKEY_free(key);
}
END_TEST

struct raw_row {
	const char *name;
	enum key_type type;
	const char *hex;
	const char *clause;
};

#define ZERO30 "000000000000000000000000000000000000000000000000000000000000"
#define FF30 "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"

static const struct raw_row raw_rows[] = {
	{ "G of P-256", KEY_P256,
	        "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d8"
	        "98c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb640"
	        "6837bf51f5",
	        "public knowledge" },
	{ "G of P-384", KEY_P384,
	        "04aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082"
	        "542a385502f25dbf55296c3a545e3872760ab73617de4a96262c6f5d9e98"
	        "bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a"
	        "431d7c90ea0e5f",
	        "public knowledge" },
	{ "RFC 8032, test 1", KEY_ED25519,
	        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707"
	        "511a",
	        "public knowledge" },
	{ "y = 0", KEY_ED25519, "00" ZERO30 "00", "small order" },
	{ "y = 0, negative", KEY_ED25519, "00" ZERO30 "80", "small order" },
	{ "y = 1", KEY_ED25519, "01" ZERO30 "00", "small order" },
	{ "y = -1", KEY_ED25519, "ec" FF30 "7f", "small order" },
	{ "y = -1, negative", KEY_ED25519, "ec" FF30 "ff", "small order" },
	{ "order 8", KEY_ED25519,
	        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53"
	        "fc05",
	        "small order" },
	{ "order 8, the other", KEY_ED25519,
	        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac"
	        "037a",
	        "small order" },
	{ "y = p", KEY_ED25519, "ed" FF30 "7f", "not reduced" },
	{ "y = 2^255 - 1", KEY_ED25519, "ff" FF30 "ff", "not reduced" },
	{ "y = 2, an ordinary value", KEY_ED25519, "02" ZERO30 "00", NULL },
};

START_TEST(known_and_degenerate_points_are_weak)
{
	const struct raw_row *row = &raw_rows[_i];
	struct buf raw = unhex(row->hex), der = BUF_INIT(256);
	struct why why = WHY_NONE;
	struct spki spki;

	spki_put_raw(&der, row->type, buf_bytes(&raw));
	check_result(row->name, spki_parse(&spki, buf_bytes(&der), &why), RC_OK,
	        &why, "");
	check_result(row->name, keypolicy_check(&spki, &why),
	        row->clause ? RC_WEAKKEY : RC_OK, &why, row->clause);
	buf_free(&raw);
	buf_free(&der);
}
END_TEST

static void check_rsa(const char *name, const BIGNUM *n, const BIGNUM *e,
        enum rc want, const char *clause)
{
	uint8_t n_bytes[1024], e_bytes[64];
	struct buf der = BUF_INIT(4096);
	struct why why = WHY_NONE;
	struct spki spki;

	spki_put_rsa(&der, bytes_of(n_bytes, (size_t)BN_bn2bin(n, n_bytes)),
	        bytes_of(e_bytes, (size_t)BN_bn2bin(e, e_bytes)));
	check_result(name, spki_parse(&spki, buf_bytes(&der), &why), RC_OK,
	        &why, "");
	ck_assert_int_eq((int)spki.bits, BN_num_bits(n));
	check_result(name, keypolicy_check(&spki, &why), want, &why, clause);
	buf_free(&der);
}

static BIGNUM *modulus_of(EVP_PKEY *key)
{
	BIGNUM *n = NULL;

	ck_assert_int_eq(
	        EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n), 1);
	return n;
}

START_TEST(rsa_exponents_are_odd_and_of_17_to_31_bits)
{
	static const struct {
		const char *hex;
		enum rc rc;
		const char *clause;
	} exponents[] = {
		{ "010001", RC_OK, "" },
		{ "7fffffff", RC_OK, "" },
		{ "03", RC_WEAKKEY, "under 65537" },
		{ "ffff", RC_WEAKKEY, "under 65537" },
		{ "010002", RC_WEAKKEY, "even" },
		{ "80000001", RC_WEAKKEY, "more than 31 bits" },
		{ "0100000001", RC_WEAKKEY, "more than 31 bits" },
	};
	BIGNUM *n = modulus_of(keys()->rsa), *e = NULL;

	for (size_t i = 0; i < sizeof(exponents) / sizeof(exponents[0]); i++) {
		BN_hex2bn(&e, exponents[i].hex);
		check_rsa(exponents[i].hex, n, e, exponents[i].rc,
		        exponents[i].clause);
	}
	BN_free(n);
	BN_free(e);
}
END_TEST

START_TEST(rsa_moduli_have_2048_to_4096_bits_and_no_small_factor)
{
	BIGNUM *n = modulus_of(keys()->rsa), *e = BN_new(), *m = BN_new();

	BN_set_word(e, 65537);
	BN_rshift1(m, n);
	BN_set_bit(m, 0);
	check_rsa("2047 bits", m, e, RC_WEAKKEY, "2047 bits");
	BN_lshift(m, n, 2049);
	BN_set_bit(m, 0);
	check_rsa("4097 bits", m, e, RC_WEAKKEY, "4097 bits");
	BN_copy(m, n);
	BN_clear_bit(m, 0);
	check_rsa("even", m, e, RC_WEAKKEY, "even");
	BN_copy(m, n);
	BN_sub_word(m, BN_mod_word(m, 751));
	if (!BN_is_odd(m))
		BN_sub_word(m, 751);
	check_rsa("factor", m, e, RC_WEAKKEY, "has the factor");
	BN_free(n);
	BN_free(e);
	BN_free(m);
}
END_TEST

/* Primes as Infineon's library made them: k·M + (65537^a mod M). */
static BIGNUM *roca_prime(BN_CTX *ctx)
{
	BIGNUM *m = BN_new(), *p = BN_new(), *k = BN_new(), *a = BN_new();

	BN_set_word(m, 2);
	for (unsigned prime = 3; prime <= 701; prime += 2) {
		BN_set_word(p, prime);
		if (BN_check_prime(p, ctx, NULL) == 1)
			BN_mul_word(m, prime);
	}
	do {
		BN_rand(k, 1024 - BN_num_bits(m) + 1, BN_RAND_TOP_ANY,
		        BN_RAND_BOTTOM_ANY);
		BN_rand(a, 64, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY);
		BN_set_word(p, 65537);
		BN_mod_exp(p, p, a, m, ctx);
		BN_mul(k, k, m, ctx);
		BN_add(p, p, k);
	} while (BN_num_bits(p) != 1024 || !BN_is_bit_set(p, 1022) ||
	        BN_check_prime(p, ctx, NULL) != 1);
	BN_free(m);
	BN_free(k);
	BN_free(a);
	return p;
}

START_TEST(roca_keys_are_found)
{
	BN_CTX *ctx = BN_CTX_new();
	BIGNUM *p = roca_prime(ctx), *q = roca_prime(ctx), *e = BN_new();

	BN_set_word(e, 65537);
	BN_mul(p, p, q, ctx);
	check_rsa("roca", p, e, RC_WEAKKEY, "ROCA");
	BN_free(p);
	BN_free(q);
	BN_free(e);
	BN_CTX_free(ctx);
}
END_TEST

/* p just above 3/4 of 2^1024 and q = p + 2b are found in round b^2 / 2p, rounded
 * up; b is a number of 2^503. */
static void check_round(const char *name, BN_ULONG b, enum rc want)
{
	BN_CTX *ctx = BN_CTX_new();
	BIGNUM *p = BN_new(), *q = BN_new(), *e = BN_new();

	BN_set_word(e, 65537);
	BN_set_word(p, 3);
	BN_lshift(p, p, 1022);
	do
		BN_add_word(p, 1);
	while (BN_check_prime(p, ctx, NULL) != 1);
	BN_set_word(q, b);
	BN_lshift(q, q, 503 + 1);
	BN_add(q, q, p);
	do
		BN_add_word(q, 2);
	while (BN_check_prime(q, ctx, NULL) != 1);
	BN_mul(q, p, q, ctx);
	check_rsa(name, q, e, want, want == RC_OK ? "" : "close");
	BN_free(p);
	BN_free(q);
	BN_free(e);
	BN_CTX_free(ctx);
}

START_TEST(a_hundred_rounds_are_made)
{
	check_round("hundredth", 6255, RC_WEAKKEY); /* 99.5 */
	check_round("next", 6286, RC_OK);           /* 100.5 */
}
END_TEST

START_TEST(close_primes_are_found)
{
	BN_CTX *ctx = BN_CTX_new();
	BIGNUM *p = BN_new(), *q = BN_new(), *n = BN_new(), *e = BN_new();

	BN_set_word(e, 65537);
	BN_generate_prime_ex2(p, 1024, 0, NULL, NULL, NULL, ctx);
	/* half of p's bits apart: one round of Fermat; and the square */
	BN_copy(q, p);
	BN_mul(n, p, p, ctx);
	check_rsa("square", n, e, RC_WEAKKEY, "close");
	do
		BN_add_word(q, 2);
	while (BN_check_prime(q, ctx, NULL) != 1);
	BN_mul(n, p, q, ctx);
	check_rsa("neighbours", n, e, RC_WEAKKEY, "close");
	/* a = sqrt(N) + (p - q)^2 / 8 sqrt(N): 2^515 apart takes some rounds */
	BN_zero(q);
	BN_set_bit(q, 515);
	BN_add(q, q, p);
	do
		BN_add_word(q, 2);
	while (BN_check_prime(q, ctx, NULL) != 1);
	BN_mul(n, p, q, ctx);
	check_rsa("rounds", n, e, RC_WEAKKEY, "close");
	BN_free(p);
	BN_free(q);
	BN_free(n);
	BN_free(e);
	BN_CTX_free(ctx);
}
END_TEST

TCase *test_ca_key(void)
{
	TCase *t = tcase_create("key");

	tcase_add_unchecked_fixture(t, keys_make, keys_free);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, keys_are_imported_as_libcrypto_decodes_them);
	tcase_add_test(t, points_off_their_curve_are_refused);
	tcase_add_test(t, p521_is_recognised_and_refused);
	tcase_add_loop_test(t, known_and_degenerate_points_are_weak, 0,
	        sizeof(raw_rows) / sizeof(raw_rows[0]));
	tcase_add_test(t, rsa_exponents_are_odd_and_of_17_to_31_bits);
	tcase_add_test(
	        t, rsa_moduli_have_2048_to_4096_bits_and_no_small_factor);
	tcase_add_test(t, roca_keys_are_found);
	tcase_add_test(t, close_primes_are_found);
	tcase_add_test(t, a_hundred_rounds_are_made);
	return t;
}
