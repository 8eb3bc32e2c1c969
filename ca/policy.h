/* ca/policy.h - what the signer is told at start and on SIGHUP: for each
 * authority the key it signs with, one shape a profile that it may issue, how
 * long its CRLs and OCSP answers may be good for, and which key those answers
 * are signed with: a responder's, named PROTO_OCSP_KEY_PREFIX and the
 * authority's name, or its own.
 * For each code key: that it signs code, under a certificate of its authority;
 * and that authority's shape for it is for its public key alone.
 * Compiled by the supervisor from the configuration; the signer holds every TBS
 * against it (ca/tbs_check.h). */
#ifndef MICA_CA_POLICY_H
#define MICA_CA_POLICY_H

#include "ca/authority.h"
#include "ca/profile.h"
#include "ca/signer/proto.h"

struct policy_set;

/* conf, and a and p that were made from it, outlive it.
 * Errors: RC_TOOBIG (more shapes than the signer takes) RC_NOMEM RC_INTERNAL.
 */
MUST_CHECK enum rc policy_compile(struct policy_set **out,
        const struct conf *conf, struct authorities *a,
        const struct profiles *p, struct why *why);
void policy_free(struct policy_set *s); /* NULL is a no-op */

/* For proto_policy_pack(); borrowed. */
const struct proto_policy_item *policy_items(
        const struct policy_set *s, size_t *n);

#endif
