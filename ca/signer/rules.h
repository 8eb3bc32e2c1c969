/* ca/signer/rules.h - what the signer's keys may sign now: the policy sets that
 * the supervisor sent, by generation, and which public keys are the signer's
 * own. Read by the signing threads, changed by the loop's. Needs base/, der/,
 * ca/tbs_check.h. */
#ifndef MICA_CA_SIGNER_RULES_H
#define MICA_CA_SIGNER_RULES_H

#include "base/bytes.h"
#include "base/why.h"
#include "ca/signer/proto.h"
#include "ca/signer/vault.h"

#define RULES_MADE_MAX 64 /* names of made keys */

struct rules;

/* Keys that vault has loaded count as held. vault outlives it. */
MUST_CHECK enum rc rules_new(struct rules **out, const struct vault *vault);
void rules_free(struct rules *r); /* NULL is a no-op; no reader may be left */

/* Body of a PROTO_POLICY. Nothing changes unless all of it is right. *head
 * is for the log.
 * Errors: RC_MALFORMED; RC_NOTFOUND for a key that is not loaded;
 * RC_CONFLICT for an algorithm that does not fit its key; RC_TOOBIG RC_NOMEM */
MUST_CHECK enum rc rules_put(struct rules *r, struct bytes body,
        struct proto_policy_head *head, struct why *why);
/* RC_NOTFOUND */
MUST_CHECK enum rc rules_drop(
        struct rules *r, uint64_t generation, struct why *why);
/* The public half of a made key is held; it replaces the one of that name.
 * RC_TOOBIG RC_NOMEM */
MUST_CHECK enum rc rules_hold(
        struct rules *r, const char *name, struct bytes spki);

/* May key number key, for that purpose, sign tbs? Thread-safe.
 * Errors: RC_DENIED, and those of tbs_check(). */
MUST_CHECK enum rc rules_check(struct rules *r, size_t key, uint32_t purpose,
        struct bytes tbs, struct why *why);

#endif
