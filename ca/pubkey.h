/* ca/pubkey.h - public keys of others: from SubjectPublicKeyInfo to EVP_PKEY
 * without OpenSSL 3.0's decoder (which costs more than verifying does), and
 * signatures checked with them. Pure. Needs der/ and libcrypto. */
#ifndef MICA_CA_PUBKEY_H
#define MICA_CA_PUBKEY_H

#include "base/why.h"
#include "der/alg.h"
#include <openssl/types.h>

/* Templates, fetched algorithms and contexts that are used again. One a
 * thread. */
struct pubkey_ctx;

/* Errors: RC_NOMEM RC_INTERNAL. */
MUST_CHECK enum rc pubkey_ctx_new(struct pubkey_ctx **out);
void pubkey_ctx_free(struct pubkey_ctx *ctx); /* NULL is a no-op */

/* The key of a parsed SubjectPublicKeyInfo; the caller frees it with
 * EVP_PKEY_free(). EC points are proven to lie on their curve (SP 800-56A
 * section 5.6.2.3.3; infinity has no form that spki_parse() lets through).
 * What keypolicy_check() asks is not asked here.
 * Errors: RC_WEAKKEY for a point off its curve; RC_UNSUPPORTED RC_NOMEM
 * RC_INTERNAL. */
MUST_CHECK enum rc pubkey_import(EVP_PKEY **out, struct pubkey_ctx *ctx,
        const struct spki *spki, struct why *why);

/* A key that was held against the key policy and imported before. */
struct pubkey_known {
	struct bytes spki; /* DER */
	EVP_PKEY *key;
};

/* Is sig (the BIT STRING's octets) alg's signature by key over data?
 * Errors: RC_BADSIG; RC_UNSUPPORTED when alg does not go with the key's type;
 * RC_NOMEM RC_INTERNAL. */
MUST_CHECK enum rc pubkey_verify(struct pubkey_ctx *ctx, EVP_PKEY *key,
        enum key_type type, enum sig_alg alg, struct bytes data,
        struct bytes sig, struct why *why);

/* pubkey_import() and pubkey_verify() for a key that is seen once. Points of a
 * curve take turns in one key object of ctx, which saves making one.
 * Errors: of both. */
MUST_CHECK enum rc pubkey_prove(struct pubkey_ctx *ctx, const struct spki *spki,
        enum sig_alg alg, struct bytes data, struct bytes sig, struct why *why);

/* The same of sha1WithRSAEncryption, which is no enum sig_alg: for proofs of
 * possession by old equipment, and nothing that is believed later.
 * RC_UNSUPPORTED for keys that are not RSA. */
MUST_CHECK enum rc pubkey_prove_rsa_sha1(struct pubkey_ctx *ctx,
        const struct spki *spki, struct bytes data, struct bytes sig,
        struct why *why);

/* A key that verifies one algorithm's signatures again and again: imported
 * once, its context ready. */
struct pubkey_verifier;

/* Errors: of pubkey_import(); RC_UNSUPPORTED as for pubkey_verify(). ctx
 * outlives it. */
MUST_CHECK enum rc pubkey_verifier_new(struct pubkey_verifier **out,
        struct pubkey_ctx *ctx, const struct spki *spki, enum sig_alg alg,
        struct why *why);
void pubkey_verifier_free(struct pubkey_verifier *v); /* NULL is a no-op */
/* Errors: RC_BADSIG RC_NOMEM RC_INTERNAL. */
MUST_CHECK enum rc pubkey_verifier_check(struct pubkey_verifier *v,
        struct bytes data, struct bytes sig, struct why *why);

/* The same over data that comes in pieces, in this order. Not for Ed25519,
 * whose signatures need it all at once: RC_UNSUPPORTED. */
MUST_CHECK enum rc pubkey_hash_begin(
        struct pubkey_ctx *ctx, enum sig_alg alg, struct why *why);
MUST_CHECK enum rc pubkey_hash_add(struct pubkey_ctx *ctx, struct bytes data);
MUST_CHECK enum rc pubkey_hash_verify(struct pubkey_ctx *ctx, EVP_PKEY *key,
        enum key_type type, enum sig_alg alg, struct bytes sig,
        struct why *why);

#endif
