/* Signatures checked with keys that take turns in one object, and with keys
 * that stay. (How keys are imported is tests/unit/test_ca_key.c's.) */
#include "tests/unit/test_ca.h"
#include "ca/pubkey.h"
#include <openssl/rsa.h>
#include <string.h>

#define DATA BYTES_LIT("what was signed")

static struct pubkey_ctx *ctx;

static void begin(void)
{
	ck_assert_int_eq(pubkey_ctx_new(&ctx), RC_OK);
}

static void end(void)
{
	pubkey_ctx_free(ctx);
}

struct signer {
	EVP_PKEY *key;
	struct buf der;
	struct spki spki;
	uint8_t sig[512];
	size_t n;
};

static void sign(struct signer *s, const char *md, bool pss)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	EVP_PKEY_CTX *p;

	s->n = sizeof s->sig;
	ck_assert_int_eq(
	        EVP_DigestSignInit_ex(c, &p, md, NULL, NULL, s->key, NULL), 1);
	if (pss) {
		EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING);
		EVP_PKEY_CTX_set_rsa_pss_saltlen(p, RSA_PSS_SALTLEN_DIGEST);
	}
	ck_assert_int_eq(EVP_DigestSign(c, s->sig, &s->n, DATA.p, DATA.n), 1);
	EVP_MD_CTX_free(c);
}

static struct signer signer_new(const char *type, const char *md, bool pss)
{
	struct signer s = { .key = world_key(type) };
	struct why why = WHY_NONE;

	s.der = world_spki(s.key);
	ck_assert_int_eq(spki_parse(&s.spki, buf_bytes(&s.der), &why), RC_OK);
	sign(&s, md, pss);
	return s;
}

static void signer_end(struct signer *s)
{
	EVP_PKEY_free(s->key);
	buf_free(&s->der);
}

static enum rc prove(
        const struct signer *key, enum sig_alg alg, const struct signer *sig)
{
	struct why why = WHY_NONE;

	return pubkey_prove(
	        ctx, &key->spki, alg, DATA, bytes_of(sig->sig, sig->n), &why);
}

START_TEST(keys_that_take_turns_do_not_stand_in_for_each_other)
{
	struct signer a = signer_new("P-256", "SHA256", false);
	struct signer b = signer_new("P-256", "SHA256", false);
	struct signer c = signer_new("P-384", "SHA384", false);
	struct signer off = signer_new("P-256", "SHA256", false);
	int i;

	/* The last octet of Y: no longer on the curve. */
	off.der.p[off.der.n - 1] ^= 1;
	for (i = 0; i < 3; i++) {
		ck_assert_int_eq(prove(&a, ALG_ECDSA_SHA256, &a), RC_OK);
		ck_assert_int_eq(prove(&b, ALG_ECDSA_SHA256, &a), RC_BADSIG);
		ck_assert_int_eq(prove(&b, ALG_ECDSA_SHA256, &b), RC_OK);
		ck_assert_int_eq(prove(&a, ALG_ECDSA_SHA256, &b), RC_BADSIG);
		ck_assert_int_eq(prove(&c, ALG_ECDSA_SHA384, &c), RC_OK);
		/* A key that is refused leaves no other in its place. */
		ck_assert_int_eq(prove(&a, ALG_ECDSA_SHA256, &a), RC_OK);
		ck_assert_int_eq(prove(&off, ALG_ECDSA_SHA256, &a), RC_WEAKKEY);
		ck_assert_int_eq(
		        prove(&off, ALG_ECDSA_SHA256, &off), RC_WEAKKEY);
	}
	ck_assert_int_eq(prove(&a, ALG_RSA_SHA256, &a), RC_UNSUPPORTED);
	ck_assert_int_eq(prove(&a, ALG_ECDSA_SHA384, &a), RC_BADSIG);
	signer_end(&a);
	signer_end(&b);
	signer_end(&c);
	signer_end(&off);
}
END_TEST

static const struct alg_case {
	const char *key, *md;
	bool pss;
	enum sig_alg alg;
} ALGS[] = {
	{ "P-256", "SHA256", false, ALG_ECDSA_SHA256 },
	{ "P-256", "SHA384", false, ALG_ECDSA_SHA384 },
	{ "P-384", "SHA384", false, ALG_ECDSA_SHA384 },
	{ "P-384", "SHA512", false, ALG_ECDSA_SHA512 },
	{ "ED25519", NULL, false, ALG_ED25519 },
	{ "RSA", "SHA256", false, ALG_RSA_SHA256 },
	{ "RSA", "SHA512", false, ALG_RSA_SHA512 },
	{ "RSA", "SHA256", true, ALG_RSA_PSS_SHA256 },
	{ "RSA", "SHA384", true, ALG_RSA_PSS_SHA384 },
};

START_TEST(verifier_checks_again_and_again)
{
	const struct alg_case *c = &ALGS[_i];
	struct signer s = signer_new(c->key, c->md, c->pss);
	struct signer other = signer_new(c->key, c->md, c->pss);
	struct pubkey_verifier *v;
	struct why why = WHY_NONE;
	int i;

	ck_assert_int_eq(
	        pubkey_verifier_new(&v, ctx, &s.spki, c->alg, &why), RC_OK);
	for (i = 0; i < 3; i++) {
		ck_assert_int_eq(prove(&s, c->alg, &s), RC_OK);
		ck_assert_int_eq(prove(&s, c->alg, &other), RC_BADSIG);
		ck_assert_int_eq(pubkey_verifier_check(
		                         v, DATA, bytes_of(s.sig, s.n), &why),
		        RC_OK);
		ck_assert_int_eq(pubkey_verifier_check(v, BYTES_LIT("else"),
		                         bytes_of(s.sig, s.n), &why),
		        RC_BADSIG);
		ck_assert_int_eq(pubkey_verifier_check(v, DATA,
		                         bytes_of(other.sig, other.n), &why),
		        RC_BADSIG);
		ck_assert_int_eq(
		        pubkey_verifier_check(v, DATA, BYTES_NONE, &why),
		        RC_BADSIG);
	}
	pubkey_verifier_free(v);
	signer_end(&s);
	signer_end(&other);
}
END_TEST

START_TEST(verifier_needs_an_algorithm_of_its_key)
{
	struct signer s = signer_new("P-256", "SHA256", false);
	struct pubkey_verifier *v;
	struct why why = WHY_NONE;

	ck_assert_int_eq(
	        pubkey_verifier_new(&v, ctx, &s.spki, ALG_ED25519, &why),
	        RC_UNSUPPORTED);
	ck_assert_ptr_null(v);
	signer_end(&s);
}
END_TEST

TCase *test_ca_pubkey(void)
{
	TCase *t = tcase_create("pubkey");

	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, keys_that_take_turns_do_not_stand_in_for_each_other);
	tcase_add_loop_test(t, verifier_checks_again_and_again, 0,
	        (int)(sizeof ALGS / sizeof *ALGS));
	tcase_add_test(t, verifier_needs_an_algorithm_of_its_key);
	return t;
}
