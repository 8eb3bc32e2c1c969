#include "tests/unit/test_der.h"
#include "der/alg.h"
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

/* What libcrypto writes for each algorithm, by signing a request with it. */
struct sign_row {
	enum sig_alg alg;
	const char *key;   /* for EVP_PKEY_Q_keygen */
	const char *curve; /* EC */
	const char *hash;  /* NULL for Ed25519 */
	bool pss;
};

static const struct sign_row sign_rows[] = {
	{ ALG_ECDSA_SHA256, "EC", "P-256", "SHA256", false },
	{ ALG_ECDSA_SHA384, "EC", "P-384", "SHA384", false },
	{ ALG_ECDSA_SHA512, "EC", "P-521", "SHA512", false },
	{ ALG_ED25519, "ED25519", NULL, NULL, false },
	{ ALG_RSA_SHA256, "RSA", NULL, "SHA256", false },
	{ ALG_RSA_SHA384, "RSA", NULL, "SHA384", false },
	{ ALG_RSA_SHA512, "RSA", NULL, "SHA512", false },
	{ ALG_RSA_PSS_SHA256, "RSA", NULL, "SHA256", true },
	{ ALG_RSA_PSS_SHA384, "RSA", NULL, "SHA384", true },
	{ ALG_RSA_PSS_SHA512, "RSA", NULL, "SHA512", true },
};

static EVP_PKEY *make_key(const struct sign_row *row)
{
	if (row->curve)
		return EVP_PKEY_Q_keygen(NULL, NULL, "EC", row->curve);
	if (row->alg == ALG_ED25519)
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
}

static void sign_request(
        X509_REQ *req, EVP_PKEY *key, const struct sign_row *row)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx;

	ck_assert_int_eq(X509_REQ_set_pubkey(req, key), 1);
	ck_assert_int_eq(EVP_DigestSignInit_ex(
	                         ctx, &pctx, row->hash, NULL, NULL, key, NULL),
	        1);
	if (row->pss) {
		ck_assert_int_gt(EVP_PKEY_CTX_set_rsa_padding(
		                         pctx, RSA_PKCS1_PSS_PADDING),
		        0);
		ck_assert_int_gt(EVP_PKEY_CTX_set_rsa_pss_saltlen(
		                         pctx, RSA_PSS_SALTLEN_DIGEST),
		        0);
	}
	ck_assert_int_gt(X509_REQ_sign_ctx(req, ctx), 0);
	EVP_MD_CTX_free(ctx);
}

static void check_spki(EVP_PKEY *key)
{
	unsigned char *der = NULL;
	int n = i2d_PUBKEY(key, &der);
	struct buf back = BUF_INIT(4096);
	struct why why = WHY_NONE;
	struct spki spki;

	check_result("spki", spki_parse(&spki, bytes_of(der, (size_t)n), &why),
	        RC_OK, &why, "");
	ck_assert_int_eq((int)spki.bits,
	        EVP_PKEY_get_id(key) == EVP_PKEY_ED25519
	                ? 256
	                : EVP_PKEY_get_bits(key));
	if (spki.type == KEY_RSA)
		spki_put_rsa(&back, spki.modulus, spki.exponent);
	else
		spki_put_raw(&back, spki.type, spki.key);
	check_bytes("spki", buf_bytes(&back), bytes_of(der, (size_t)n));
	buf_free(&back);
	OPENSSL_free(der);
}

START_TEST(algorithms_and_keys_agree_with_libcrypto)
{
	const struct sign_row *row = &sign_rows[_i];
	EVP_PKEY *key = make_key(row);
	X509_REQ *req = X509_REQ_new();
	const X509_ALGOR *theirs;
	unsigned char *der = NULL;
	struct why why = WHY_NONE;
	enum sig_alg alg;
	struct der d;
	int n;

	ck_assert_ptr_nonnull(key);
	sign_request(req, key, row);
	X509_REQ_get0_signature(req, NULL, &theirs);
	n = i2d_X509_ALGOR((X509_ALGOR *)theirs, &der);
	check_bytes(alg_name(row->alg), alg_bytes(row->alg),
	        bytes_of(der, (size_t)n));
	d = der_of(bytes_of(der, (size_t)n));
	check_result(alg_name(row->alg), alg_read(&d, &alg, "X", &why), RC_OK,
	        &why, "");
	ck_assert_int_eq(alg, row->alg);
	ck_assert(!der_more(&d));
	check_spki(key);
	OPENSSL_free(der);
	X509_REQ_free(req);
	EVP_PKEY_free(key);
}
END_TEST

struct alg_row {
	const char *name;
	const char *hex;
	enum rc rc;
	enum sig_alg alg;
	const char *clause;
};

#define PSS "06092a864886f70d01010a"
#define MGF1 "06092a864886f70d010108"
#define SHA256_NULL "300d06096086480165030402010500"
#define SHA256_ABSENT "300b0609608648016503040201"
#define SHA384_NULL "300d06096086480165030402020500"

static const struct alg_row alg_rows[] = {
	{ "RSA, parameters absent", "300b06092a864886f70d01010b", RC_OK,
	        ALG_RSA_SHA256, "" },
	{ "PSS, hash parameters absent",
	        "303d" PSS "3030 a00d" SHA256_ABSENT
	        "a11a3018" MGF1 SHA256_ABSENT "a203020120",
	        RC_OK, ALG_RSA_PSS_SHA256, "" },
	{ "ECDSA with NULL", "300c06082a8648ce3d0403020500", RC_MALFORMED, 0,
	        "parameters" },
	{ "Ed25519 with NULL", "300706032b65700500", RC_MALFORMED, 0,
	        "parameters" },
	{ "RSA with an INTEGER", "300e06092a864886f70d01010b020100",
	        RC_MALFORMED, 0, "parameters" },
	{ "SHA-1", "300d06092a864886f70d0101050500", RC_UNSUPPORTED, 0,
	        "sha1WithRSAEncryption" },
	{ "unknown", "300406022a04", RC_UNSUPPORTED, 0,
	        "1.2.4 is not accepted" },
	{ "PSS without parameters", "300b" PSS, RC_MALFORMED, 0, "missing" },
	{ "PSS by default", "300d" PSS "3000", RC_UNSUPPORTED, 0, "SHA-1" },
	{ "PSS, another MGF hash",
	        "3041" PSS "3034 a00f" SHA256_NULL "a11c301a" MGF1 SHA384_NULL
	        "a203020120",
	        RC_UNSUPPORTED, 0, "SHA-2 with its own" },
	{ "PSS, another salt",
	        "3041" PSS "3034 a00f" SHA256_NULL "a11c301a" MGF1 SHA256_NULL
	        "a203020114",
	        RC_UNSUPPORTED, 0, "SHA-2 with its own" },
	{ "PSS, trailer written",
	        "3046" PSS "3039 a00f" SHA256_NULL "a11c301a" MGF1 SHA256_NULL
	        "a203020120 a303020101",
	        RC_MALFORMED, 0, "trailing" },
	{ "PSS, bytes after the parameters",
	        "3043" PSS "3034 a00f" SHA256_NULL "a11c301a" MGF1 SHA256_NULL
	        "a203020120 0500",
	        RC_MALFORMED, 0, "trailing" },
	{ "no SEQUENCE", "0500", RC_MALFORMED, 0, "tag" },
};

START_TEST(algorithms_are_an_allow_list)
{
	const struct alg_row *row = &alg_rows[_i];
	struct buf in = unhex(row->hex);
	struct der d = der_of(buf_bytes(&in));
	enum sig_alg alg = ALG_NONE;
	struct why why = WHY_NONE;

	check_result(row->name, alg_read(&d, &alg, "X", &why), row->rc, &why,
	        row->clause);
	ck_assert_int_eq(alg, row->alg);
	buf_free(&in);
}
END_TEST

#define EC "06072a8648ce3d0201"
#define P256 "06082a8648ce3d030107"
#define X32 "0101010101010101010101010101010101010101010101010101010101010101"

static const struct alg_row spki_rows[] = {
	{ "point", "3059 3013" EC P256 "034200 04" X32 X32, RC_OK, 0, "" },
	{ "compressed point", "3039 3013" EC P256 "032200 02" X32,
	        RC_UNSUPPORTED, 0, "compressed" },
	{ "hybrid point", "3059 3013" EC P256 "034200 06" X32 X32, RC_MALFORMED,
	        0, "ECPoint" },
	{ "point at infinity", "3019 3013" EC P256 "03020000", RC_MALFORMED, 0,
	        "ECPoint" },
	{ "no point", "3018 3013" EC P256 "030100", RC_MALFORMED, 0,
	        "ECPoint" },
	{ "point too long", "305a 3013" EC P256 "034300 04" X32 X32 "00",
	        RC_MALFORMED, 0, "ECPoint" },
	{ "point with unused bits", "3059 3013" EC P256 "034201 04" X32 X32,
	        RC_MALFORMED, 0, "canonical" },
	{ "implicit curve", "3051 300b" EC "0500 034200 04" X32 X32,
	        RC_UNSUPPORTED, 0, "named curve" },
	{ "no curve", "304f 3009" EC "034200 04" X32 X32, RC_UNSUPPORTED, 0,
	        "named curve" },
	{ "another curve", "3056 3010" EC "06052b8104000a 034200 04" X32 X32,
	        RC_UNSUPPORTED, 0, "curve 1.3.132.0.10 is not accepted" },
	{ "bytes after the point",
	        "305b 3013" EC P256 "034200 04" X32 X32 "0500", RC_MALFORMED, 0,
	        "trailing" },
	{ "bytes after the key", "3059 3013" EC P256 "034200 04" X32 X32 "00",
	        RC_MALFORMED, 0, "trailing" },
	{ "Ed25519", "302a 300506032b6570 032100" X32, RC_OK, 0, "" },
	{ "Ed25519 of 31 bytes",
	        "3029 300506032b6570 032000 01010101010101010101010101010101"
	        "010101010101010101010101010101",
	        RC_MALFORMED, 0, "32 bytes" },
	{ "Ed25519 with NULL", "302c 300706032b65700500 032100" X32,
	        RC_MALFORMED, 0, "parameters" },
	{ "X25519", "302a 300506032b656e 032100" X32, RC_UNSUPPORTED, 0,
	        "X25519" },
	{ "RSA",
	        "301c 300d06092a864886f70d0101010500 030b00 3008"
	        "02010f 0203010001",
	        RC_OK, 0, "" },
	{ "RSA without NULL",
	        "301a 300b06092a864886f70d010101 030b00 3008"
	        "02010f 0203010001",
	        RC_MALFORMED, 0, "parameters" },
	{ "RSA, negative modulus",
	        "301c 300d06092a864886f70d0101010500 030b00 3008"
	        "0201ff 0203010001",
	        RC_MALFORMED, 0, "negative" },
	{ "RSA, zero modulus",
	        "301c 300d06092a864886f70d0101010500 030b00 3008"
	        "020100 0203010001",
	        RC_MALFORMED, 0, "zero" },
	{ "RSA, bytes after the exponent",
	        "301e 300d06092a864886f70d0101010500 030d00 300a"
	        "02010f 0203010001 0500",
	        RC_MALFORMED, 0, "trailing" },
	{ "RSA, bytes after the key",
	        "301e 300d06092a864886f70d0101010500 030d00 3008"
	        "02010f 0203010001 0500",
	        RC_MALFORMED, 0, "trailing" },
	{ "RSASSA-PSS key", "3011 300b06092a864886f70d01010a 03020000",
	        RC_UNSUPPORTED, 0, "RSASSA-PSS" },
};

START_TEST(keys_are_an_allow_list)
{
	const struct alg_row *row = &spki_rows[_i];
	struct buf in = unhex(row->hex);
	struct why why = WHY_NONE;
	struct spki spki;

	check_result(row->name, spki_parse(&spki, buf_bytes(&in), &why),
	        row->rc, &why, row->clause);
	buf_free(&in);
}
END_TEST

START_TEST(key_types_have_names)
{
	ck_assert_uint_eq(key_type_by_name(BYTES_LIT("p256")), KEY_P256);
	ck_assert_uint_eq(key_type_by_name(BYTES_LIT("rsa")), KEY_RSA);
	ck_assert_uint_eq(key_type_by_name(BYTES_LIT("dsa")), 0);
	ck_assert_str_eq(key_type_name(KEY_ED25519), "ed25519");
	ck_assert_str_eq(key_type_name((enum key_type)0), "none");
	ck_assert(alg_fits_key(ALG_ECDSA_SHA256, KEY_P384));
	ck_assert(!alg_fits_key(ALG_ECDSA_SHA256, KEY_RSA));
	ck_assert(!alg_fits_key(ALG_NONE, KEY_RSA));
	ck_assert_str_eq(alg_name((enum sig_alg)99), "none");
}
END_TEST

START_TEST(a_key_of_wrong_length_is_not_written)
{
	struct buf b = BUF_INIT(128);

	spki_put_raw(&b, KEY_ED25519, BYTES_LIT("short"));
	ck_assert_int_eq(b.failed, RC_MALFORMED);
	buf_reset(&b);
	spki_put_raw(&b, KEY_RSA, BYTES_LIT("short"));
	ck_assert_int_eq(b.failed, RC_MALFORMED);
	buf_free(&b);
}
END_TEST

#define ROWS(a) ((int)(sizeof(a) / sizeof((a)[0])))

TCase *test_der_alg(void)
{
	TCase *t = tcase_create("alg");

	tcase_add_loop_test(t, algorithms_and_keys_agree_with_libcrypto, 0,
	        ROWS(sign_rows));
	tcase_add_loop_test(t, algorithms_are_an_allow_list, 0, ROWS(alg_rows));
	tcase_add_loop_test(t, keys_are_an_allow_list, 0, ROWS(spki_rows));
	tcase_add_test(t, key_types_have_names);
	tcase_add_test(t, a_key_of_wrong_length_is_not_written);
	return t;
}
