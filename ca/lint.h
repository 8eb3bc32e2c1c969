/* ca/lint.h - the last look at a finished TBSCertificate before it is sent for
 * signing: each rule of RFC 5280 and its updates that an end-entity certificate
 * of ours could break. Written against the encoding, not against the builder,
 * so that a fault of the builder or of a profile is caught. Pure. */
#ifndef MICA_CA_LINT_H
#define MICA_CA_LINT_H

#include "base/bytes.h"
#include "base/why.h"

/* sig_alg: the AlgorithmIdentifier, DER, that the authority signs with;
 * issuer: its Name. Errors: RC_INTERNAL, since the fault is ours; why names
 * the rule and its section. */
MUST_CHECK enum rc lint_tbs(struct bytes tbs, struct bytes sig_alg,
        struct bytes issuer, struct why *why);

#endif
