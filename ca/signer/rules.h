/* ca/signer/rules.h - what the signer's keys may sign now: the policy sets that
 * the supervisor sent, by generation, the keys that were made and are kept, and
 * which public keys are the signer's own. Read by the signing threads, changed
 * by the loop's. Needs base/, der/, ca/tbs_check.h. */
#ifndef MICA_CA_SIGNER_RULES_H
#define MICA_CA_SIGNER_RULES_H

#include "base/bytes.h"
#include "base/why.h"
#include "ca/signer/proto.h"
#include "ca/signer/vault.h"

#define RULES_MADE_MAX 64 /* names of made keys */
#define RULES_NO_KEY SIZE_MAX

struct rules;

/* Keys that vault has loaded count as held. vault outlives it. */
MUST_CHECK enum rc rules_new(struct rules **out, const struct vault *vault);
void rules_free(struct rules *r); /* NULL is a no-op; no reader may be left */

/* Body of a PROTO_POLICY. No set changes unless all of it is right; kept keys
 * that it names and that are not there are made. *head is for the log.
 * Errors: RC_MALFORMED; RC_NOTFOUND for a key that is not loaded;
 * RC_CONFLICT for an algorithm that does not fit its key, or a purpose that a
 * kept key does not have; RC_TOOBIG RC_NOMEM */
MUST_CHECK enum rc rules_put(struct rules *r, struct bytes body,
        struct proto_policy_head *head, struct why *why);
/* RC_NOTFOUND */
MUST_CHECK enum rc rules_drop(
        struct rules *r, uint64_t generation, struct why *why);
/* PROTO_FLOOR: what is dated up to then is no lie about the future. */
void rules_floor(struct rules *r, int64_t floor_s);
/* The public half of a made key is held; it replaces the one of that name.
 * RC_TOOBIG RC_NOMEM */
MUST_CHECK enum rc rules_hold(
        struct rules *r, const char *name, struct bytes spki);
/* PROTO_KEEP_KEY, and PROTO_RENEW_KEY where fresh. *spki is valid until the
 * loop goes on. RC_UNSUPPORTED for a name that is no kept key's; RC_TOOBIG
 * RC_NOMEM RC_INTERNAL */
MUST_CHECK enum rc rules_keep(struct rules *r, const char *name, bool fresh,
        struct bytes *spki, struct why *why);

/* On the loop: the number of the key of that name, loaded or kept, for
 * rules_check(). RULES_NO_KEY: none. */
size_t rules_find(const struct rules *r, const char *name);
/* What was found right to sign, and with which key, for vault_key_unref(). */
struct rules_verdict {
	struct vault_key *use;
	struct bytes data; /* tbs, or the part of it that is signed */
	/* SIGNER_DECRYPT: octets of the content key that data is encrypted
	 * to, at most RULES_CONTENT_KEY_MAX; 0: data is to be signed. */
	size_t key_bytes;
};
#define RULES_CONTENT_KEY_MAX 32
#define RULES_ENCRYPTED_MAX (VAULT_RSA_MAX_BITS / 8)
/* May key number key, for that purpose, sign tbs? Thread-safe.
 * Errors: RC_DENIED, and those of tbs_check(). */
MUST_CHECK enum rc rules_check(struct rules *r, size_t key, uint32_t purpose,
        struct bytes tbs, struct rules_verdict *verdict, struct why *why);

#endif
