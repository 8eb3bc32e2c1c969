/* ca/policy.h - what the signer is told at start and on SIGHUP: for each key,
 * the issuer it signs for and one shape a profile that it may sign. Compiled
 * by the supervisor from the configuration and the authorities, checked in the
 * signer by ca/tbs_check against every TBS. */
#ifndef MICA_CA_POLICY_H
#define MICA_CA_POLICY_H

#include "ca/authority.h"
#include "ca/profile.h"

struct tbs_policy; /* ca/tbs_check.h */

/* Compile the policy of every key that an authority signs with. *out is the
 * caller's, to be freed with tbs_policy_free().
 * Errors: RC_CONFIG RC_NOMEM. */
MUST_CHECK enum rc policy_compile(struct tbs_policy **out,
        struct authorities *a, const struct profiles *p, struct why *why);

#endif
