/* ca/signer/vault_private.h - what vault*.c share. */
#ifndef MICA_CA_SIGNER_VAULT_PRIVATE_H
#define MICA_CA_SIGNER_VAULT_PRIVATE_H

#include "ca/signer/p11_key.h"
#include "ca/signer/vault.h"

#include <pthread.h>

/* Ed25519 signs messages: up to here a hand has its own copy. A CRL beyond is
 * read where it stands. */
#define HAND_MESSAGE_MAX_BYTES 65536

struct vault_token {
	char *path; /* of the module */
	struct p11_module *module;
	bool owns_module; /* the first with that path does */
	struct p11_token *token;
	unsigned sessions;
	struct p11_session *first; /* from the start, for the first hand */
	bool was_there;            /* at the start */
	pthread_mutex_t learning;  /* one hand at a time */
};

struct vault {
	struct vault_key *keys[PROTO_KEYS_MAX];
	size_t n;
	struct vault_token tokens[VAULT_TOKENS_MAX];
	size_t n_tokens;
	EVP_MD *sha256, *sha384; /* fetched once: a fetch takes locks */
	uint8_t secret[32];      /* of what wrong padding gives */
};

/* What one thread needs for one key, made at its first signature. */
struct grip {
	uint64_t stamp;      /* of the key that it holds */
	EVP_PKEY_CTX *pkey;  /* digests: ECDSA and RSA; a token's verifies */
	EVP_MD_CTX *message; /* messages: Ed25519 */
	CK_OBJECT_HANDLE object; /* a token's, in this session; or 0 */
	enum { WAY_UNKNOWN, WAY_RAW, WAY_PADDED } way; /* it decrypts */
};

struct vault_hand {
	struct vault *vault;
	struct vault_token *token; /* NULL: of software keys */
	struct p11_session *session;
	EVP_MD_CTX *digest;
	struct buf input;  /* digest, or message */
	struct bytes data; /* what is signed: input, or what was borrowed */
	struct buf signature;
	struct grip grips[PROTO_KEYS_MAX + VAULT_KEPT_MAX];
};

/* --- vault.c */
struct vault_key *vault_key_new(const char *name);
/* Type, algorithm and public half of k->pkey; it is known then. */
MUST_CHECK enum rc vault_key_describe(struct vault_key *k, struct why *why);
/* Whether there is room for one of that name. */
MUST_CHECK enum rc vault_key_admit(
        const struct vault *v, const char *name, struct why *why);
/* Takes the key. */
void vault_key_put(struct vault *v, struct vault_key *key);

/* --- vault_sign.c */
/* The context that digests of k are signed or verified with. */
MUST_CHECK bool grip_make(
        struct grip *g, const struct vault *v, const struct vault_key *k);

/* out, which holds the decoy, becomes the message where em is 00 02, not
 * zeros, 00 and a message of n bytes; in the same time where it is not. */
void vault_unpad(struct bytes em, uint8_t *out, size_t n);

/* --- vault_token.c */
void vault_tokens_close(struct vault *v);
/* Sign h->data by a token's key, and verify what came. */
MUST_CHECK enum rc vault_token_sign(struct vault_hand *h,
        const struct vault_key *k, struct grip *g, struct why *why);
/* What out has stays where the padding is wrong. */
MUST_CHECK enum rc vault_token_decrypt(struct vault_hand *h,
        const struct vault_key *k, struct bytes cipher, uint8_t *out, size_t n,
        struct why *why);

#endif
