/* ca/signer/vault.h - the private keys of mica-signer: read from files, made, or
 * in tokens (PKCS#11), and used. A key never changes, except that one whose token
 * is not there becomes known once; threads share it and each has a hand of its
 * own. Needs base/, der/, libcrypto and p11-kit. */
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

/* Tokens with keys, and sessions on one, each of which has a thread. */
#define VAULT_TOKENS_MAX 16
#define VAULT_SESSIONS_MAX 64

#define VAULT_KEY_HASH_BYTES 20
/* Keys that were made and are kept: places for as many, beside the loaded. */
#define VAULT_KEPT_MAX (2 * PROTO_KEPT_MAX)

struct vault;
struct p11_uri;

struct vault_key {
	char name[PROTO_KEY_NAME_MAX + 1];
	EVP_PKEY *pkey; /* of a token's key, the public half */
	/* Number of the token that has it, from 1; 0: a software key */
	size_t token;
	struct p11_uri *uri; /* NULL: a software key */
	bool pss;            /* RSA: it signs with RSASSA-PSS */
	/* vault_key_is_known(): what follows, and pkey, stands */
	atomic_bool known;
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

/* A key in a token. Keys of one token share its sessions, of which the largest
 * number counts. */
struct vault_token_key {
	const char *name;
	const char *uri;    /* RFC 7512 */
	const char *module; /* absolute path */
	struct bytes pin;   /* wiped by whoever has it */
	unsigned sessions;  /* 1 to VAULT_SESSIONS_MAX */
	/* Where the token is not there now, the key is expected: it is loaded
	 * all the same, and used when the token appears. */
	bool expect;
	/* The public half that it is to have then, SubjectPublicKeyInfo; empty:
	 * it becomes known then. */
	struct bytes spki;
};
/* Log in, find the key and its public half, and let it sign once: a key that
 * does not fit its public half is found here. The process must not fork any
 * more, and this may wait for the module as long as that likes.
 * Errors: those of ca/signer/p11.h; RC_NOTFOUND: no such token, or no such key;
 * RC_CONFLICT: more than one, or two PINs for one token; RC_BADSIG; RC_WEAKKEY
 * RC_UNSUPPORTED RC_MALFORMED RC_EXISTS RC_TOOBIG RC_NOMEM. */
MUST_CHECK enum rc vault_load_token(
        struct vault *v, const struct vault_token_key *k, struct why *why);
/* Whether its token was there, or what it is like was told. Thread-safe. */
bool vault_key_is_known(const struct vault_key *k);
/* How many tokens there are: they have the numbers from 1 to that. */
size_t vault_tokens(const struct vault *v);
unsigned vault_token_sessions(const struct vault *v, size_t token);
const char *vault_token_label(const struct vault *v, size_t token);
/* Whether it was there when its keys were loaded. */
bool vault_token_was_there(const struct vault *v, size_t token);

/* Sign with RSASSA-PSS (RFC 8017 section 8.1) from now on, before it is
 * shared. RC_CONFLICT: not an RSA key, as far as is known. */
MUST_CHECK enum rc vault_use_pss(struct vault_key *k, struct why *why);
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

/* One thread's contexts: for software keys, or for those in one token, with a
 * session on it, which only the thread uses. */
struct vault_hand;
/* token: 0 for software keys. No session is opened. */
MUST_CHECK enum rc vault_hand_new(
        struct vault_hand **out, struct vault *v, size_t token);
void vault_hand_free(struct vault_hand *h); /* NULL is a no-op */

/* Append k's signature over data. A token's hand opens its session if it has
 * none. A signature by a token's key was verified.
 * Errors: RC_INTERNAL RC_NOMEM; of a token also RC_BADSIG and those of
 * ca/signer/p11.h, which say what helps. */
MUST_CHECK enum rc vault_sign(struct vault_hand *h, const struct vault_key *k,
        struct bytes data, struct buf *out, struct why *why);
/* Decrypt cipher, of which n bytes are expected, by an RSA key with
 * RSAES-PKCS1-v1_5. Where the padding or the length is wrong the bytes look like
 * random ones, and nothing tells: whoever goes on with them fails later, as
 * with a wrong key (RFC 3218 section 2.3.2). They are the same each time for
 * one cipher and key, as those of a right padding are: asked for again, others
 * would tell the two apart. n is 32 at most.
 * Errors: as vault_sign(); RC_UNSUPPORTED: not an RSA key, or cipher is not as
 * long as its modulus. */
MUST_CHECK enum rc vault_decrypt(struct vault_hand *h,
        const struct vault_key *k, struct bytes cipher, uint8_t *out, size_t n,
        struct why *why);

/* vault_sign() in two steps, for a thread that may be held up by a module:
 * vault_begin() reads data, and the module is not called; vault_finish() works
 * on what the hand has, and gives the signature, valid until the next begin.
 * *borrows: data is too long for that and must live until finish is done. */
MUST_CHECK enum rc vault_begin(struct vault_hand *h, const struct vault_key *k,
        struct bytes data, bool *borrows);
MUST_CHECK enum rc vault_finish(struct vault_hand *h, const struct vault_key *k,
        struct bytes *signature, struct why *why);
/* Look for the token and open a session on it, where there is none. */
MUST_CHECK enum rc vault_hand_open(struct vault_hand *h, struct why *why);
/* With no session: have the module begin anew, for a token that it does not see
 * any more. RC_BUSY: another session of the module is open, nothing is done. */
MUST_CHECK enum rc vault_hand_restart(struct vault_hand *h, struct why *why);
bool vault_hand_is_open(const struct vault_hand *h);
/* Let go of a session that is lost. */
void vault_hand_drop(struct vault_hand *h);

/* The algorithm that a key of that type signs with; ALG_NONE: none. */
enum sig_alg vault_alg_for(enum key_type type);
/* Append the SubjectPublicKeyInfo of pkey. RC_INTERNAL RC_NOMEM */
MUST_CHECK enum rc vault_spki(EVP_PKEY *pkey, struct buf *out);

#endif
