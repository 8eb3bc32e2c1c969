/* ca/signer/vault.h - the private keys of mica-signer: read from files, made,
 * and used. A key never changes; threads share it and each has contexts of its
 * own. Needs base/, der/ and libcrypto. */
#ifndef MICA_CA_SIGNER_VAULT_H
#define MICA_CA_SIGNER_VAULT_H

#include "base/buf.h"
#include "base/bytes.h"
#include "base/why.h"
#include "ca/signer/proto.h"
#include "der/alg.h"

#include <openssl/evp.h>
#include <stdatomic.h>

#define VAULT_FILE_MAX_BYTES 65536
#define VAULT_PASSPHRASE_MAX_BYTES 1024
#define VAULT_RSA_MIN_BITS 2048
#define VAULT_RSA_MAX_BITS 8192 /* beyond, a signature takes too long */

#define VAULT_KEY_HASH_BYTES 20
/* Keys that were made and are kept: places for as many, beside the loaded. */
#define VAULT_KEPT_MAX (2 * PROTO_KEPT_MAX)

struct vault;

struct vault_key {
	char name[PROTO_KEY_NAME_MAX + 1];
	EVP_PKEY *pkey;
	enum key_type type;
	enum sig_alg alg; /* the one that it signs with */
	struct bytes spki;
	/* SHA-1 of the content of its BIT STRING (RFC 6960 section 4.2.1) */
	uint8_t hash[VAULT_KEY_HASH_BYTES];
	size_t place;   /* its contexts', in each hand */
	uint64_t stamp; /* of this key among all that had the place */
	atomic_uint refs;
};

MUST_CHECK enum rc vault_new(struct vault **out);
void vault_free(struct vault *v); /* NULL is a no-op */

/* Read the PEM private key in file, a plain name in the folder dir_fd;
 * passphrase_file (NULL: the key is not encrypted) likewise. Both must be
 * regular files, ours, and closed to all others.
 * Errors: RC_PERMISSION; RC_NOCRED for a wrong or missing passphrase;
 * RC_MALFORMED; RC_UNSUPPORTED for a type of key that we do not sign with;
 * RC_WEAKKEY; RC_IO; RC_EXISTS for a name that is taken; RC_NOMEM. */
MUST_CHECK enum rc vault_load(struct vault *v, int dir_fd, const char *name,
        const char *file, const char *passphrase_file, struct why *why);
/* As vault_load, of PEM and a passphrase (NULL: none) in memory. */
MUST_CHECK enum rc vault_add(struct vault *v, const char *name,
        struct bytes pem, const struct bytes *passphrase, struct why *why);
size_t vault_count(const struct vault *v);
struct vault_key *vault_at(const struct vault *v, size_t i);
/* The number of the key of that name, or vault_count(). */
size_t vault_find(const struct vault *v, const char *name);

/* A new pair; rsa_bits for KEY_RSA alone. Freed by the caller. NULL on failure,
 * or for a type that we do not sign with. */
EVP_PKEY *vault_make(enum key_type type, unsigned rsa_bits);
/* A new pair of type KEY_P256 in place number place, under VAULT_KEPT_MAX, which
 * no key that is still kept has. Its private half does not leave. One reference
 * is the caller's; the last one wipes it. RC_NOMEM RC_INTERNAL */
MUST_CHECK enum rc vault_keep(
        struct vault_key **out, const char *name, size_t place, uint64_t stamp);
struct vault_key *vault_key_ref(struct vault_key *k);
void vault_key_unref(struct vault_key *k); /* NULL is a no-op */
/* Append the private key as PKCS#8 DER; buf_wipe() it. */
MUST_CHECK enum rc vault_private(EVP_PKEY *pkey, struct buf *out);

/* One thread's contexts. */
struct vault_hand;
MUST_CHECK enum rc vault_hand_new(struct vault_hand **out, struct vault *v);
void vault_hand_free(struct vault_hand *h); /* NULL is a no-op */
/* Append k's signature over data. RC_INTERNAL RC_NOMEM */
MUST_CHECK enum rc vault_sign(struct vault_hand *h, const struct vault_key *k,
        struct bytes data, struct buf *out);

/* The algorithm that a key of that type signs with; ALG_NONE: none. */
enum sig_alg vault_alg_for(enum key_type type);
/* Append the SubjectPublicKeyInfo of pkey. RC_INTERNAL RC_NOMEM */
MUST_CHECK enum rc vault_spki(EVP_PKEY *pkey, struct buf *out);

#endif
