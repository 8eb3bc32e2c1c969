#include "ca/pubkey.h"
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rsa.h>
#include <stdlib.h>

/* A key of the curve without a point: a copy that is given one costs a
 * twentieth of what decoding a SubjectPublicKeyInfo does. */
struct curve {
	enum key_type type;
	const char *group;
};

static const struct curve curves[] = {
	{ KEY_P256, "P-256" },
	{ KEY_P384, "P-384" },
};
#define CURVES (sizeof(curves) / sizeof(curves[0]))

enum { MD_SHA256, MD_SHA384, MD_SHA512, MD_COUNT };

static const char *const md_names[MD_COUNT] = { "SHA256", "SHA384", "SHA512" };

/* One key object that the points of a curve pass through, and its context. */
struct turnstile {
	EVP_PKEY *key;
	EVP_PKEY_CTX *verify;
};

struct pubkey_ctx {
	EVP_PKEY *templates[CURVES];
	struct turnstile turnstiles[CURVES];
	EVP_PKEY_CTX *rsa; /* ready for EVP_PKEY_fromdata() */
	EVP_MD *md[MD_COUNT];
	EVP_MD_CTX *hash;
};

static EVP_PKEY *template_new(const char *group)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *key = NULL;

	if (ctx && EVP_PKEY_paramgen_init(ctx) > 0 &&
	        EVP_PKEY_CTX_set_group_name(ctx, group) > 0)
		EVP_PKEY_paramgen(ctx, &key);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static bool turnstile_init(struct turnstile *t, EVP_PKEY *template)
{
	t->key = EVP_PKEY_dup(template);
	if (t->key)
		t->verify = EVP_PKEY_CTX_new_from_pkey(NULL, t->key, NULL);
	return t->verify != NULL;
}

enum rc pubkey_ctx_new(struct pubkey_ctx **out)
{
	struct pubkey_ctx *ctx = calloc(1, sizeof(*ctx));
	enum rc rc = RC_INTERNAL;

	*out = NULL;
	if (!ctx)
		return RC_NOMEM;
	for (size_t i = 0; i < CURVES; i++) {
		ctx->templates[i] = template_new(curves[i].group);
		if (!ctx->templates[i] ||
		        !turnstile_init(&ctx->turnstiles[i], ctx->templates[i]))
			goto out;
	}
	for (size_t i = 0; i < MD_COUNT; i++) {
		ctx->md[i] = EVP_MD_fetch(NULL, md_names[i], NULL);
		if (!ctx->md[i])
			goto out;
	}
	ctx->hash = EVP_MD_CTX_new();
	ctx->rsa = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	if (!ctx->hash || !ctx->rsa || EVP_PKEY_fromdata_init(ctx->rsa) <= 0)
		goto out;
	*out = ctx;
	ctx = NULL;
	rc = RC_OK;
out:
	if (rc != RC_OK)
		ERR_clear_error();
	pubkey_ctx_free(ctx);
	return rc;
}

void pubkey_ctx_free(struct pubkey_ctx *ctx)
{
	if (!ctx)
		return;
	for (size_t i = 0; i < CURVES; i++) {
		EVP_PKEY_free(ctx->templates[i]);
		EVP_PKEY_free(ctx->turnstiles[i].key);
		EVP_PKEY_CTX_free(ctx->turnstiles[i].verify);
	}
	for (size_t i = 0; i < MD_COUNT; i++)
		EVP_MD_free(ctx->md[i]);
	EVP_MD_CTX_free(ctx->hash);
	EVP_PKEY_CTX_free(ctx->rsa);
	free(ctx);
}

/* The decoder of points refuses what is not on the curve; the key then holds
 * what it held. */
static enum rc set_point(EVP_PKEY *key, struct bytes point, struct why *why)
{
	if (EVP_PKEY_set1_encoded_public_key(key, point.p, point.n) != 1)
		return why_set(why, RC_WEAKKEY, "ECPoint: not on its curve");
	return RC_OK;
}

static enum rc import_ec(EVP_PKEY **out, struct pubkey_ctx *ctx, size_t curve,
        struct bytes point, struct why *why)
{
	EVP_PKEY *key = EVP_PKEY_dup(ctx->templates[curve]);
	enum rc rc;

	if (!key)
		return RC_NOMEM;
	rc = set_point(key, point, why);
	if (rc == RC_OK)
		*out = key;
	else
		EVP_PKEY_free(key);
	return rc;
}

static enum rc import_ed25519(EVP_PKEY **out, struct bytes raw)
{
	*out = EVP_PKEY_new_raw_public_key_ex(
	        NULL, "ED25519", NULL, raw.p, raw.n);
	return *out ? RC_OK : RC_NOMEM;
}

/* OSSL_PARAM wants integers in the machine's order; native holds in.n. */
static bool to_native(uint8_t *native, struct bytes in)
{
	BIGNUM *bn = BN_bin2bn(in.p, (int)in.n, NULL);
	bool ok = bn && BN_bn2nativepad(bn, native, (int)in.n) >= 0;

	BN_free(bn);
	return ok;
}

static enum rc import_rsa(
        EVP_PKEY **out, struct pubkey_ctx *ctx, const struct spki *spki)
{
	uint8_t n[SPKI_RSA_MAX_BYTES], e[SPKI_RSA_MAX_BYTES];
	OSSL_PARAM params[3];
	EVP_PKEY *key = NULL;

	if (!to_native(n, spki->modulus) || !to_native(e, spki->exponent))
		return RC_NOMEM;
	params[0] = OSSL_PARAM_construct_BN(
	        OSSL_PKEY_PARAM_RSA_N, n, spki->modulus.n);
	params[1] = OSSL_PARAM_construct_BN(
	        OSSL_PKEY_PARAM_RSA_E, e, spki->exponent.n);
	params[2] = OSSL_PARAM_construct_end();
	if (EVP_PKEY_fromdata(ctx->rsa, &key, EVP_PKEY_PUBLIC_KEY, params) <= 0)
		return RC_INTERNAL;
	*out = key;
	return RC_OK;
}

static enum rc import(EVP_PKEY **out, struct pubkey_ctx *ctx,
        const struct spki *spki, struct why *why)
{
	for (size_t i = 0; i < CURVES; i++) {
		if (spki->type == curves[i].type)
			return import_ec(out, ctx, i, spki->key, why);
	}
	if (spki->type == KEY_ED25519)
		return import_ed25519(out, spki->key);
	if (spki->type == KEY_RSA)
		return import_rsa(out, ctx, spki);
	return why_set(why, RC_UNSUPPORTED, "public key: %s",
	        key_type_name(spki->type));
}

enum rc pubkey_import(EVP_PKEY **out, struct pubkey_ctx *ctx,
        const struct spki *spki, struct why *why)
{
	enum rc rc;

	*out = NULL;
	ERR_clear_error();
	rc = import(out, ctx, spki, why);
	if (rc != RC_OK)
		ERR_clear_error();
	if (rc == RC_NOMEM || rc == RC_INTERNAL)
		return why_set(why, rc, "public key: %s", rc_info(rc)->text);
	return rc;
}

/* The hash of an algorithm, and whether it pads by PSS; NULL for Ed25519. */
static EVP_MD *md_of(const struct pubkey_ctx *ctx, enum sig_alg alg, bool *pss)
{
	*pss = false;
	switch (alg) {
	case ALG_RSA_PSS_SHA256:
		*pss = true;
		return ctx->md[MD_SHA256];
	case ALG_ECDSA_SHA256:
	case ALG_RSA_SHA256:
		return ctx->md[MD_SHA256];
	case ALG_RSA_PSS_SHA384:
		*pss = true;
		return ctx->md[MD_SHA384];
	case ALG_ECDSA_SHA384:
	case ALG_RSA_SHA384:
		return ctx->md[MD_SHA384];
	case ALG_RSA_PSS_SHA512:
		*pss = true;
		return ctx->md[MD_SHA512];
	case ALG_ECDSA_SHA512:
	case ALG_RSA_SHA512:
		return ctx->md[MD_SHA512];
	default:
		return NULL;
	}
}

struct hash {
	uint8_t b[EVP_MAX_MD_SIZE];
	unsigned n;
};

/* Hashing first and verifying the digest saves what EVP_DigestVerifyInit()
 * builds and throws away for each key. */
static enum rc hash_data(struct hash *out, struct pubkey_ctx *ctx,
        const EVP_MD *md, struct bytes data)
{
	if (!EVP_DigestInit_ex2(ctx->hash, md, NULL) ||
	        !EVP_DigestUpdate(ctx->hash, data.p, data.n) ||
	        !EVP_DigestFinal_ex(ctx->hash, out->b, &out->n))
		return RC_INTERNAL;
	return RC_OK;
}

static bool is_ecdsa(enum sig_alg alg)
{
	return alg == ALG_ECDSA_SHA256 || alg == ALG_ECDSA_SHA384 ||
	        alg == ALG_ECDSA_SHA512;
}

/* Make pctx verify digests of alg. ECDSA takes a digest as it is; RSA pads
 * with its name (RFC 8017 section 9.2), or by PSS with MGF1 of the same hash
 * and a salt of its length (RFC 4055 section 3.1). */
static enum rc ready(
        EVP_PKEY_CTX *pctx, const struct pubkey_ctx *ctx, enum sig_alg alg)
{
	bool pss;
	const EVP_MD *md = md_of(ctx, alg, &pss);

	if (EVP_PKEY_verify_init(pctx) <= 0)
		return RC_INTERNAL;
	if (is_ecdsa(alg))
		return RC_OK;
	if (EVP_PKEY_CTX_set_signature_md(pctx, md) <= 0)
		return RC_INTERNAL;
	if (pss &&
	        (EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) <=
	                        0 ||
	                EVP_PKEY_CTX_set_rsa_mgf1_md(pctx, md) <= 0 ||
	                EVP_PKEY_CTX_set_rsa_pss_saltlen(
	                        pctx, RSA_PSS_SALTLEN_DIGEST) <= 0))
		return RC_INTERNAL;
	return RC_OK;
}

static enum rc verify_hash(
        EVP_PKEY_CTX *pctx, const struct hash *hash, struct bytes sig)
{
	return EVP_PKEY_verify(pctx, sig.p, sig.n, hash->b, hash->n) == 1
	        ? RC_OK
	        : RC_BADSIG;
}

static enum rc verify_hashed(struct pubkey_ctx *ctx, EVP_PKEY *key,
        enum sig_alg alg, const struct hash *hash, struct bytes sig)
{
	EVP_PKEY_CTX *pctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	enum rc rc;

	if (!pctx)
		return RC_NOMEM;
	rc = ready(pctx, ctx, alg);
	if (rc == RC_OK)
		rc = verify_hash(pctx, hash, sig);
	EVP_PKEY_CTX_free(pctx);
	return rc;
}

static enum rc verify_digest(struct pubkey_ctx *ctx, EVP_PKEY *key,
        enum sig_alg alg, const EVP_MD *md, struct bytes data, struct bytes sig)
{
	struct hash hash;
	enum rc rc = hash_data(&hash, ctx, md, data);

	return rc == RC_OK ? verify_hashed(ctx, key, alg, &hash, sig) : rc;
}

static enum rc verify_pure(EVP_PKEY *key, struct bytes data, struct bytes sig)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	enum rc rc = RC_INTERNAL;

	if (!ctx)
		return RC_NOMEM;
	if (EVP_DigestVerifyInit_ex(ctx, NULL, NULL, NULL, NULL, key, NULL) ==
	        1)
		rc = EVP_DigestVerify(ctx, sig.p, sig.n, data.p, data.n) == 1
		        ? RC_OK
		        : RC_BADSIG;
	EVP_MD_CTX_free(ctx);
	return rc;
}

static enum rc check_alg(enum sig_alg alg, enum key_type type, struct why *why)
{
	if (alg_fits_key(alg, type))
		return RC_OK;
	return why_set(why, RC_UNSUPPORTED,
	        "signature: %s does not go with a key of type %s",
	        alg_name(alg), key_type_name(type));
}

/* The end of every verification: the clause, and a clean error queue. */
static enum rc verified(enum rc rc, struct why *why)
{
	if (rc == RC_OK)
		return RC_OK;
	ERR_clear_error();
	return why_set(why, rc, "signature: %s", rc_info(rc)->text);
}

enum rc pubkey_verify(struct pubkey_ctx *ctx, EVP_PKEY *key, enum key_type type,
        enum sig_alg alg, struct bytes data, struct bytes sig, struct why *why)
{
	const EVP_MD *md;
	bool pss;
	enum rc rc = check_alg(alg, type, why);

	if (rc != RC_OK)
		return rc;
	ERR_clear_error();
	md = md_of(ctx, alg, &pss);
	rc = md ? verify_digest(ctx, key, alg, md, data, sig)
	        : verify_pure(key, data, sig);
	return verified(rc, why);
}

enum rc pubkey_hash_begin(
        struct pubkey_ctx *ctx, enum sig_alg alg, struct why *why)
{
	bool pss;
	const EVP_MD *md = md_of(ctx, alg, &pss);

	if (md == NULL)
		return why_set(why, RC_UNSUPPORTED,
		        "signature: %s is not made over pieces", alg_name(alg));
	ERR_clear_error();
	return verified(
	        EVP_DigestInit_ex2(ctx->hash, md, NULL) ? RC_OK : RC_INTERNAL,
	        why);
}

enum rc pubkey_hash_add(struct pubkey_ctx *ctx, struct bytes data)
{
	return EVP_DigestUpdate(ctx->hash, data.p, data.n) ? RC_OK
	                                                   : RC_INTERNAL;
}

enum rc pubkey_hash_verify(struct pubkey_ctx *ctx, EVP_PKEY *key,
        enum key_type type, enum sig_alg alg, struct bytes sig, struct why *why)
{
	struct hash hash;
	enum rc rc = check_alg(alg, type, why);

	if (rc != RC_OK)
		return rc;
	ERR_clear_error();
	if (!EVP_DigestFinal_ex(ctx->hash, hash.b, &hash.n))
		return verified(RC_INTERNAL, why);
	return verified(verify_hashed(ctx, key, alg, &hash, sig), why);
}

/* EC by way of the turnstile; it is made ready each time, which is when
 * libcrypto looks at the key that it holds. */
static enum rc prove_ec(struct pubkey_ctx *ctx, struct turnstile *t,
        const struct spki *spki, enum sig_alg alg, struct bytes data,
        struct bytes sig, struct why *why)
{
	struct hash hash;
	bool pss;
	enum rc rc = check_alg(alg, spki->type, why);

	if (rc != RC_OK)
		return rc;
	ERR_clear_error();
	rc = set_point(t->key, spki->key, why);
	if (rc != RC_OK) {
		ERR_clear_error();
		return rc;
	}
	rc = hash_data(&hash, ctx, md_of(ctx, alg, &pss), data);
	if (rc == RC_OK)
		rc = ready(t->verify, ctx, alg);
	if (rc == RC_OK)
		rc = verify_hash(t->verify, &hash, sig);
	return verified(rc, why);
}

enum rc pubkey_prove(struct pubkey_ctx *ctx, const struct spki *spki,
        enum sig_alg alg, struct bytes data, struct bytes sig, struct why *why)
{
	EVP_PKEY *key;
	enum rc rc;

	for (size_t i = 0; i < CURVES; i++) {
		if (spki->type == curves[i].type)
			return prove_ec(ctx, &ctx->turnstiles[i], spki, alg,
			        data, sig, why);
	}
	rc = pubkey_import(&key, ctx, spki, why);
	if (rc == RC_OK)
		rc = pubkey_verify(ctx, key, spki->type, alg, data, sig, why);
	EVP_PKEY_free(key);
	return rc;
}

static enum rc verify_rsa_sha1(struct pubkey_ctx *ctx, EVP_PKEY *key,
        struct bytes data, struct bytes sig)
{
	EVP_PKEY_CTX *pctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	struct hash hash;
	enum rc rc = pctx ? hash_data(&hash, ctx, EVP_sha1(), data) : RC_NOMEM;

	if (rc == RC_OK &&
	        (EVP_PKEY_verify_init(pctx) <= 0 ||
	                EVP_PKEY_CTX_set_signature_md(pctx, EVP_sha1()) <= 0))
		rc = RC_INTERNAL;
	if (rc == RC_OK)
		rc = verify_hash(pctx, &hash, sig);
	EVP_PKEY_CTX_free(pctx);
	return rc;
}

enum rc pubkey_prove_rsa_sha1(struct pubkey_ctx *ctx, const struct spki *spki,
        struct bytes data, struct bytes sig, struct why *why)
{
	EVP_PKEY *key = NULL;
	enum rc rc;

	if (spki->type != KEY_RSA)
		return why_set(why, RC_UNSUPPORTED,
		        "signature: SHA-1 with a key of type %s",
		        key_type_name(spki->type));
	rc = pubkey_import(&key, ctx, spki, why);
	if (rc != RC_OK)
		return rc;
	rc = verified(verify_rsa_sha1(ctx, key, data, sig), why);
	EVP_PKEY_free(key);
	return rc;
}

struct pubkey_verifier {
	struct pubkey_ctx *ctx;
	EVP_PKEY *key;
	EVP_PKEY_CTX *verify; /* NULL: the algorithm takes no digest */
	const EVP_MD *md;
};

enum rc pubkey_verifier_new(struct pubkey_verifier **out,
        struct pubkey_ctx *ctx, const struct spki *spki, enum sig_alg alg,
        struct why *why)
{
	struct pubkey_verifier *v = NULL;
	bool pss;
	enum rc rc = check_alg(alg, spki->type, why);

	*out = NULL;
	if (rc != RC_OK)
		return rc;
	v = calloc(1, sizeof(*v));
	if (!v)
		return RC_NOMEM;
	v->ctx = ctx;
	v->md = md_of(ctx, alg, &pss);
	rc = pubkey_import(&v->key, ctx, spki, why);
	if (rc == RC_OK && v->md) {
		v->verify = EVP_PKEY_CTX_new_from_pkey(NULL, v->key, NULL);
		rc = v->verify ? ready(v->verify, ctx, alg) : RC_NOMEM;
	}
	if (rc == RC_OK)
		*out = v;
	else
		pubkey_verifier_free(v);
	return rc;
}

void pubkey_verifier_free(struct pubkey_verifier *v)
{
	if (!v)
		return;
	EVP_PKEY_CTX_free(v->verify);
	EVP_PKEY_free(v->key);
	free(v);
}

enum rc pubkey_verifier_check(struct pubkey_verifier *v, struct bytes data,
        struct bytes sig, struct why *why)
{
	struct hash hash;
	enum rc rc;

	ERR_clear_error();
	if (!v->md)
		return verified(verify_pure(v->key, data, sig), why);
	rc = hash_data(&hash, v->ctx, v->md, data);
	if (rc == RC_OK)
		rc = verify_hash(v->verify, &hash, sig);
	return verified(rc, why);
}
