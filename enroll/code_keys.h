/* enroll/code_keys.h - the keeper's code keys, and others that the signer loads
 * for one service and our own authorities certify (an SCEP registration
 * authority's): which public key the signer has
 * under each name, and the certificate that our own authority gave it. One is
 * issued, under a system grant, where there is none on record, and again when
 * two thirds of its life are over: on record and audited like any other, under
 * the key's device. One that was revoked is not replaced, unless as superseded.
 * Needs ca/ and storage/. */
#ifndef MICA_ENROLL_CODE_KEYS_H
#define MICA_ENROLL_CODE_KEYS_H

#include "ca/authority.h"
#include "ca/issuer.h"
#include "der/alg.h"
#include "enroll/authorize.h"

struct code_keys;

struct code_key;

struct code_keys_opts {               /* all borrowed */
	const struct conf_code *list; /* the configuration's, or alike */
	size_t n;
	const char *issued_event, *failed_event; /* for the log */
	/* Told of each certificate, new or found, and, with an empty one, that
	 * it is refused, because it was revoked or is held; may be NULL. */
	void (*changed)(void *ctx, const struct code_key *key);
	void *ctx;
	struct store *store;
	struct authorities *authorities; /* resolved */
	struct authorizer *authorizer;
	struct issuer *issuer;
};
/* Errors: RC_NOMEM RC_INTERNAL. */
MUST_CHECK enum rc code_keys_new(
        struct code_keys **out, const struct code_keys_opts *o);
/* Nothing may be in flight (code_keys_busy). NULL is a no-op. */
void code_keys_free(struct code_keys *k);
bool code_keys_busy(const struct code_keys *k);

/* A key that the signer loaded, by the configuration's name of it. */
void code_keys_loaded(struct code_keys *k, const char *name, struct bytes spki);
/* Once a second: what failed, what is about to end, what was revoked. */
void code_keys_tick(struct code_keys *k);

struct code_key {
	const struct conf_code *conf;
	const struct authority *authority;
	struct bytes spki; /* empty: the signer has not told */
	enum sig_alg alg;  /* that it signs with */
	struct bytes cert; /* DER; empty: none now, and why says why */
	uint8_t cert_sha256[DIGEST_SHA256_BYTES];
	struct cert_key cert_key;
	int64_t not_before_s, not_after_s;
	struct why why;
};
size_t code_keys_count(const struct code_keys *k);
/* Borrowed until the loop goes on. */
const struct code_key *code_keys_at(const struct code_keys *k, size_t i);

#endif
