#include "tests/unit/scep_make.h"
#include "tests/unit/test_ca_csr.h"
#include "base/text.h"
#include "ca/keypolicy.h"
#include "der/oid.h"
#include "der/name.h"
#include "der/writer.h"
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

static struct keys made;

void keys_make(void)
{
	ck_assert_int_eq(pubkey_ctx_new(&made.ctx), RC_OK);
	made.p256 = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	made.p384 = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
	made.ed25519 = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	made.rsa = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	ck_assert(made.p256 && made.p384 && made.ed25519 && made.rsa);
}

void keys_free(void)
{
	pubkey_ctx_free(made.ctx);
	EVP_PKEY_free(made.p256);
	EVP_PKEY_free(made.p384);
	EVP_PKEY_free(made.ed25519);
	EVP_PKEY_free(made.rsa);
}

const struct keys *keys(void)
{
	return &made;
}

struct buf unhex(const char *hex)
{
	struct buf out = BUF_INIT(1u << 20);

	ck_assert_int_eq(hex_decode(&out, bytes_str(hex)), RC_OK);
	return out;
}

void check_result(const char *name, enum rc rc, enum rc want,
        const struct why *why, const char *clause)
{
	ck_assert_msg(rc == want, "%s: %s, not %s (%s)", name,
	        rc_info(rc)->name, rc_info(want)->name, why->text);
	if (want != RC_OK)
		ck_assert_msg(strstr(why->text, clause) != NULL,
		        "%s: clause \"%s\" lacks \"%s\"", name, why->text,
		        clause);
}

struct buf spki_of(EVP_PKEY *key)
{
	struct buf out = BUF_INIT(4096);
	unsigned char *der = NULL;
	int n = i2d_PUBKEY(key, &der);

	ck_assert_int_gt(n, 0);
	buf_add(&out, bytes_of(der, (size_t)n));
	OPENSSL_free(der);
	return out;
}

static void put_signature(
        struct buf *b, const struct csr_parts *parts, struct bytes info)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx;
	uint8_t sig[1024];
	size_t n = sizeof(sig);

	ck_assert_int_eq(EVP_DigestSignInit_ex(ctx, &pctx, parts->hash, NULL,
	                         NULL, parts->key, NULL),
	        1);
	if (parts->pss) {
		ck_assert_int_gt(EVP_PKEY_CTX_set_rsa_padding(
		                         pctx, RSA_PKCS1_PSS_PADDING),
		        0);
		ck_assert_int_gt(EVP_PKEY_CTX_set_rsa_pss_saltlen(
		                         pctx, RSA_PSS_SALTLEN_DIGEST),
		        0);
	}
	ck_assert_int_eq(EVP_DigestSign(ctx, sig, &n, info.p, info.n), 1);
	der_put_bits(b, bytes_of(sig, n));
	EVP_MD_CTX_free(ctx);
}

struct buf csr_make(const struct csr_parts *parts)
{
	struct name_part cn = { oid_bytes(OID_CN), BYTES_LIT("device-1") };
	struct buf out = BUF_INIT(65536), info = BUF_INIT(65536);
	struct buf spki = spki_of(parts->key);
	size_t mark = der_begin(&info, DER_SEQUENCE);

	der_put_u64(&info, parts->version);
	ck_assert_int_eq(name_write(&info, &cn, 1, NULL), RC_OK);
	der_put_raw(&info, parts->spki.n ? parts->spki : buf_bytes(&spki));
	der_put_raw(&info, parts->attributes);
	der_end(&info, mark);
	mark = der_begin(&out, DER_SEQUENCE);
	der_put_raw(&out, buf_bytes(&info));
	alg_put(&out, parts->alg);
	put_signature(&out, parts, buf_bytes(&info));
	der_end(&out, mark);
	ck_assert_int_eq(out.failed, RC_OK);
	buf_free(&info);
	buf_free(&spki);
	return out;
}

#define NO_ATTRIBUTES BYTES_LIT("\xa0\x00")

static struct csr_parts p256_parts(void)
{
	return (struct csr_parts){ .key = keys()->p256,
		.alg = ALG_ECDSA_SHA256,
		.hash = "SHA256",
		.attributes = NO_ATTRIBUTES };
}

START_TEST(csr_reads_what_libcrypto_writes)
{
	X509_REQ *req = X509_REQ_new();
	STACK_OF(X509_EXTENSION) *exts = sk_X509_EXTENSION_new_null();
	unsigned char *der = NULL, *subject = NULL;
	struct why why = WHY_NONE;
	struct bytes got;
	struct csr *csr;
	uint32_t bits;
	int n, n_subject;

	X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(req), "CN",
	        MBSTRING_UTF8, (const unsigned char *)"device-1", -1, -1, 0);
	X509_REQ_set_pubkey(req, keys()->p256);
	X509_REQ_add1_attr_by_txt(req, "challengePassword", MBSTRING_ASC,
	        (const unsigned char *)"secret", -1);
	sk_X509_EXTENSION_push(exts,
	        X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name,
	                "DNS:a.example,IP:10.0.0.1"));
	sk_X509_EXTENSION_push(exts,
	        X509V3_EXT_conf_nid(NULL, NULL, NID_key_usage,
	                "critical,digitalSignature,keyAgreement"));
	sk_X509_EXTENSION_push(exts,
	        X509V3_EXT_conf_nid(NULL, NULL, NID_ext_key_usage,
	                "serverAuth,clientAuth"));
	sk_X509_EXTENSION_push(exts,
	        X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints,
	                "critical,CA:TRUE,pathlen:0"));
	X509_REQ_add_extensions(req, exts);
	ck_assert_int_gt(X509_REQ_sign(req, keys()->p256, EVP_sha256()), 0);
	n = i2d_X509_REQ(req, &der);
	n_subject = i2d_X509_NAME(X509_REQ_get_subject_name(req), &subject);

	check_result("parse",
	        csr_parse(&csr, keys()->ctx, bytes_of(der, (size_t)n), &why),
	        RC_OK, &why, "");
	ck_assert(bytes_eq(csr_der(csr), bytes_of(der, (size_t)n)));
	ck_assert(bytes_eq(
	        csr_subject(csr), bytes_of(subject, (size_t)n_subject)));
	ck_assert_uint_eq(csr_key_type(csr), CONF_KEY_P256);
	ck_assert(csr_challenge(csr, &got));
	ck_assert(bytes_eq_str(got, "secret"));
	ck_assert(csr_attribute(csr, oid_bytes(OID_EXTENSION_REQUEST), &got));
	ck_assert(!csr_attribute(csr, oid_bytes(OID_CN), &got));
	ck_assert_uint_eq(csr_extension_count(csr), 4);
	ck_assert_ptr_eq(csr_extension_at(csr, 1),
	        csr_extension(csr, oid_bytes(OID_KEY_USAGE)));
	ck_assert(csr_extension_at(csr, 1)->critical);
	ck_assert_ptr_null(csr_extension_at(csr, 4));
	ck_assert_ptr_null(csr_extension(csr, oid_bytes(OID_CN)));
	ck_assert_uint_eq(csr_sans(csr)->n, 2);
	ck_assert(bytes_eq_str(csr_sans(csr)->entries[0].value, "a.example"));
	ck_assert_int_eq(csr_sans(csr)->entries[1].kind, SAN_IP);
	ck_assert(csr_key_usage(csr, &bits));
	ck_assert_uint_eq(bits, 1u << 0 | 1u << 4);
	ck_assert(csr_eku(csr, 1, &got));
	ck_assert(oid_is(got, OID_KP_CLIENT_AUTH));
	ck_assert(!csr_eku(csr, 2, &got));
	ck_assert(csr_wants_ca(csr));

	csr_free(csr);
	OPENSSL_free(der);
	OPENSSL_free(subject);
	sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
	X509_REQ_free(req);
}
END_TEST

START_TEST(csr_that_asks_for_nothing_reads_empty)
{
	struct csr_parts parts = p256_parts();
	struct buf in = csr_make(&parts);
	struct why why = WHY_NONE;
	struct bytes got;
	struct csr *csr;
	uint32_t bits;

	check_result("parse",
	        csr_parse(&csr, keys()->ctx, buf_bytes(&in), &why), RC_OK, &why,
	        "");
	ck_assert(!csr_challenge(csr, &got));
	ck_assert_uint_eq(csr_extension_count(csr), 0);
	ck_assert_uint_eq(csr_sans(csr)->n, 0);
	ck_assert(!csr_key_usage(csr, &bits));
	ck_assert(!csr_eku(csr, 0, &got));
	ck_assert(!csr_wants_ca(csr));
	csr_free(csr);
	csr_free(NULL);
	buf_free(&in);
}
END_TEST

struct sign_row {
	enum sig_alg alg;
	char key; /* 2 P-256, 3 P-384, e Ed25519, r RSA */
	const char *hash;
	bool pss;
	uint32_t type;
};

static const struct sign_row sign_rows[] = {
	{ ALG_ECDSA_SHA256, '2', "SHA256", false, CONF_KEY_P256 },
	{ ALG_ECDSA_SHA512, '2', "SHA512", false, CONF_KEY_P256 },
	{ ALG_ECDSA_SHA384, '3', "SHA384", false, CONF_KEY_P384 },
	{ ALG_ED25519, 'e', NULL, false, CONF_KEY_ED25519 },
	{ ALG_RSA_SHA256, 'r', "SHA256", false, CONF_KEY_RSA2048 },
	{ ALG_RSA_SHA384, 'r', "SHA384", false, CONF_KEY_RSA2048 },
	{ ALG_RSA_SHA512, 'r', "SHA512", false, CONF_KEY_RSA2048 },
	{ ALG_RSA_PSS_SHA256, 'r', "SHA256", true, CONF_KEY_RSA2048 },
	{ ALG_RSA_PSS_SHA384, 'r', "SHA384", true, CONF_KEY_RSA2048 },
	{ ALG_RSA_PSS_SHA512, 'r', "SHA512", true, CONF_KEY_RSA2048 },
};

static EVP_PKEY *key_named(char name)
{
	switch (name) {
	case '2':
		return keys()->p256;
	case '3':
		return keys()->p384;
	case 'e':
		return keys()->ed25519;
	default:
		return keys()->rsa;
	}
}

static int theirs_verifies(struct bytes der)
{
	const unsigned char *p = der.p;
	X509_REQ *req = d2i_X509_REQ(NULL, &p, (long)der.n);
	int ok = req && X509_REQ_verify(req, X509_REQ_get0_pubkey(req)) == 1;

	X509_REQ_free(req);
	return ok;
}

/* The last byte of the signature, and one byte of what it covers. */
START_TEST(possession_is_proven_as_libcrypto_proves_it)
{
	const struct sign_row *row = &sign_rows[_i];
	struct csr_parts parts = { .key = key_named(row->key),
		.alg = row->alg,
		.hash = row->hash,
		.pss = row->pss,
		.attributes = NO_ATTRIBUTES };
	struct buf in = csr_make(&parts);
	struct why why = WHY_NONE;
	struct csr *csr;
	uint8_t *cn;

	ck_assert(theirs_verifies(buf_bytes(&in)));
	check_result(alg_name(row->alg),
	        csr_parse(&csr, keys()->ctx, buf_bytes(&in), &why), RC_OK, &why,
	        "");
	ck_assert_uint_eq(csr_key_type(csr), row->type);
	csr_free(csr);
	in.p[in.n - 1] ^= 1;
	ck_assert(!theirs_verifies(buf_bytes(&in)));
	check_result(alg_name(row->alg),
	        csr_parse(&csr, keys()->ctx, buf_bytes(&in), &why), RC_BADSIG,
	        &why, "signature");
	ck_assert_ptr_null(csr);
	in.p[in.n - 1] ^= 1;
	cn = memmem(in.p, in.n, "device-1", 8);
	cn[0] ^= 1;
	check_result(alg_name(row->alg),
	        csr_parse(&csr, keys()->ctx, buf_bytes(&in), &why), RC_BADSIG,
	        &why, "signature");
	buf_free(&in);
}
END_TEST

START_TEST(another_keys_signature_is_no_possession)
{
	EVP_PKEY *other = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	struct buf spki = spki_of(other);
	struct csr_parts parts = p256_parts();
	struct why why = WHY_NONE;
	struct csr *csr;
	struct buf in;

	parts.spki = buf_bytes(&spki);
	in = csr_make(&parts);
	check_result("stolen key",
	        csr_parse(&csr, keys()->ctx, buf_bytes(&in), &why), RC_BADSIG,
	        &why, "signature");
	buf_free(&in);
	buf_free(&spki);
	EVP_PKEY_free(other);
}
END_TEST

/* What is known is taken for the request's key where it is that, and nowhere
 * else. */
START_TEST(a_known_key_serves_for_its_own_request_alone)
{
	EVP_PKEY *other = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	struct buf own = spki_of(keys()->p256), others = spki_of(other);
	const struct {
		const char *name;
		struct csr_opts opts;
		enum rc want;
	} rows[] = {
		{ "own", { .known = { buf_bytes(&own), keys()->p256 } },
		        RC_OK },
		{ "own name", { .known = { buf_bytes(&own), other } },
		        RC_BADSIG },
		{ "another's", { .known = { buf_bytes(&others), other } },
		        RC_OK },
		{ "none", { .known = { BYTES_NONE, NULL } }, RC_OK },
	};
	struct csr_parts parts = p256_parts(), stolen = p256_parts();
	struct buf in = csr_make(&parts), bad;
	struct why why = WHY_NONE;
	struct csr *csr;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_msg(csr_parse_with(&csr, keys()->ctx, &rows[i].opts,
		                      buf_bytes(&in), &why) == rows[i].want,
		        "%s: %s", rows[i].name, why.text);
		csr_free(csr);
	}
	stolen.spki = buf_bytes(&others);
	bad = csr_make(&stolen);
	check_result("stolen key",
	        csr_parse_with(&csr, keys()->ctx, &rows[2].opts,
	                buf_bytes(&bad), &why),
	        RC_BADSIG, &why, "signature");
	buf_free(&bad);
	buf_free(&in);
	buf_free(&own);
	buf_free(&others);
	EVP_PKEY_free(other);
}
END_TEST

START_TEST(an_algorithm_of_another_key_is_refused)
{
	struct csr_parts parts = p256_parts();
	struct why why = WHY_NONE;
	struct csr *csr;
	struct buf in;

	parts.alg = ALG_RSA_SHA256;
	in = csr_make(&parts);
	check_result("alg", csr_parse(&csr, keys()->ctx, buf_bytes(&in), &why),
	        RC_UNSUPPORTED, &why, "does not go with");
	buf_free(&in);
}
END_TEST

static struct buf sha1_request(EVP_PKEY *key)
{
	struct buf out = BUF_INIT(4096);
	X509_REQ *req = X509_REQ_new();
	unsigned char *der = NULL;
	int n;

	X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(req), "CN",
	        MBSTRING_UTF8, (const unsigned char *)"device-1", -1, -1, 0);
	X509_REQ_set_pubkey(req, key);
	ck_assert_int_gt(X509_REQ_sign(req, key, EVP_sha1()), 0);
	n = i2d_X509_REQ(req, &der);
	ck_assert_int_gt(n, 0);
	buf_add(&out, bytes_of(der, (size_t)n));
	OPENSSL_free(der);
	X509_REQ_free(req);
	return out;
}

static const struct csr_opts sha1 = { .sha1 = true };

START_TEST(sha1_with_rsa_is_possession_only_where_that_is_said)
{
	struct buf in = sha1_request(keys()->rsa);
	struct why why = WHY_NONE;
	struct csr *csr;

	check_result("sha1", csr_parse(&csr, keys()->ctx, buf_bytes(&in), &why),
	        RC_UNSUPPORTED, &why, "not accepted");
	check_result("sha1",
	        csr_parse_with(&csr, keys()->ctx, &sha1, buf_bytes(&in), &why),
	        RC_OK, &why, "");
	ck_assert_uint_eq(csr_key_type(csr), CONF_KEY_RSA2048);
	csr_free(csr);
	in.p[in.n - 1] ^= 1;
	check_result("sha1",
	        csr_parse_with(&csr, keys()->ctx, &sha1, buf_bytes(&in), &why),
	        RC_BADSIG, &why, "signature");
	ck_assert_ptr_null(csr);
	buf_free(&in);
	in = sha1_request(keys()->p256);
	check_result("ecdsa",
	        csr_parse_with(&csr, keys()->ctx, &sha1, buf_bytes(&in), &why),
	        RC_UNSUPPORTED, &why, "not accepted");
	buf_free(&in);
	in = csr_make(&(struct csr_parts){ .key = keys()->rsa,
	        .alg = ALG_RSA_SHA256,
	        .hash = "SHA256",
	        .attributes = NO_ATTRIBUTES });
	check_result("sha256",
	        csr_parse_with(&csr, keys()->ctx, &sha1, buf_bytes(&in), &why),
	        RC_OK, &why, "");
	csr_free(csr);
	buf_free(&in);
}
END_TEST

START_TEST(key_of_a_request_that_is_refused_is_known)
{
	struct buf in = sha1_request(keys()->rsa);
	struct buf other = sha1_request(keys()->p256);
	struct why why = WHY_NONE;
	struct csr *csr;
	struct bytes spki;

	ck_assert_int_eq(
	        csr_parse_with(&csr, keys()->ctx, &sha1, buf_bytes(&in), &why),
	        RC_OK);
	spki = csr_spki(csr)->der;
	ck_assert(csr_is_for(buf_bytes(&in), spki));
	ck_assert(!csr_is_for(buf_bytes(&other), spki));
	ck_assert(!csr_is_for(BYTES_NONE, spki));
	for (size_t n = 0; n < in.n; n++)
		ck_assert(!csr_is_for(bytes_of(in.p, n), spki));
	csr_free(csr);
	buf_free(&in);
	buf_free(&other);
}
END_TEST

START_TEST(request_is_shown_without_its_challenge)
{
	static const char secret[] = "a token of one device";
	static const struct csr_opts proven = { .proven = true };
	struct buf in = make_request(keys()->rsa, "device-1", secret);
	struct buf shown = BUF_INIT(CSR_DER_MAX_BYTES);
	struct csr *csr, *kept;
	struct why why = WHY_NONE;
	struct bytes challenge;

	buf_add_str(&shown, "before ");
	ck_assert_int_eq(
	        csr_parse(&csr, keys()->ctx, buf_bytes(&in), &why), RC_OK);
	csr_put_shown(&shown, csr);
	ck_assert_uint_eq(shown.n, 7 + in.n);
	ck_assert_int_eq(csr_parse(&kept, keys()->ctx,
	                         bytes_skip(buf_bytes(&shown), 7), &why),
	        RC_BADSIG);
	ck_assert_msg(csr_parse_with(&kept, keys()->ctx, &proven,
	                      bytes_skip(buf_bytes(&shown), 7), &why) == RC_OK,
	        "%s", why.text);
	ck_assert(csr_challenge(kept, &challenge));
	ck_assert_uint_eq(challenge.n, sizeof(secret) - 1);
	ck_assert_ptr_null(memchr(challenge.p, 'a', challenge.n));
	ck_assert(bytes_eq(csr_spki(kept)->der, csr_spki(csr)->der));
	csr_free(kept);
	csr_free(csr);
	buf_free(&in);
	buf_free(&shown);
}
END_TEST

START_TEST(csr_is_v1_whole_and_of_bounded_size)
{
	struct csr_parts parts = p256_parts();
	struct buf in = csr_make(&parts);
	struct why why = WHY_NONE;
	uint8_t *big = calloc(1, CSR_DER_MAX_BYTES + 1);
	struct csr *csr;

	check_result("empty", csr_parse(&csr, keys()->ctx, BYTES_NONE, &why),
	        RC_MALFORMED, &why, "empty");
	check_result("big",
	        csr_parse(&csr, keys()->ctx,
	                bytes_of(big, CSR_DER_MAX_BYTES + 1), &why),
	        RC_TOOBIG, &why, "over 16384");
	buf_add_u8(&in, 0);
	check_result("tail", csr_parse(&csr, keys()->ctx, buf_bytes(&in), &why),
	        RC_MALFORMED, &why, "trailing");
	for (size_t n = 0; n < in.n - 1; n++)
		ck_assert_int_eq(
		        csr_parse(&csr, keys()->ctx, bytes_of(in.p, n), &why),
		        RC_MALFORMED);
	buf_free(&in);
	parts.version = 1;
	in = csr_make(&parts);
	check_result("version",
	        csr_parse(&csr, keys()->ctx, buf_bytes(&in), &why),
	        RC_UNSUPPORTED, &why, "not v1");
	buf_free(&in);
	free(big);
}
END_TEST

static TCase *test_csr(void)
{
	TCase *t = tcase_create("csr");

	tcase_add_unchecked_fixture(t, keys_make, keys_free);
	tcase_add_test(t, csr_reads_what_libcrypto_writes);
	tcase_add_test(t, csr_that_asks_for_nothing_reads_empty);
	tcase_add_loop_test(t, possession_is_proven_as_libcrypto_proves_it, 0,
	        sizeof(sign_rows) / sizeof(sign_rows[0]));
	tcase_add_test(t, another_keys_signature_is_no_possession);
	tcase_add_test(t, a_known_key_serves_for_its_own_request_alone);
	tcase_add_test(t, an_algorithm_of_another_key_is_refused);
	tcase_add_test(t, sha1_with_rsa_is_possession_only_where_that_is_said);
	tcase_add_test(t, key_of_a_request_that_is_refused_is_known);
	tcase_add_test(t, request_is_shown_without_its_challenge);
	tcase_add_test(t, csr_is_v1_whole_and_of_bounded_size);
	return t;
}

int main(void)
{
	Suite *suite = suite_create("ca_csr");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, test_csr());
	suite_add_tcase(suite, test_csr_attributes());
	suite_add_tcase(suite, test_csr_wire());
	suite_add_tcase(suite, test_ca_key());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
