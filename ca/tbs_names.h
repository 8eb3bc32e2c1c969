/* ca/tbs_names.h - subject and subjectAltName of a TBSCertificate against a
 * shape, for tbs_check alone. Pure. */
#ifndef MICA_CA_TBS_NAMES_H
#define MICA_CA_TBS_NAMES_H

#include "base/why.h"
#include "ca/tbs_check.h"
#include "ca/tbs_read.h"

#define DENIED(why, ...) why_set((why), RC_DENIED, __VA_ARGS__)

/* RC_DENIED names the attribute or name that is outside. */
MUST_CHECK enum rc tbs_check_subject(
        const struct tbs_shape *s, const struct tbs_view *v, struct why *why);
MUST_CHECK enum rc tbs_check_san(
        const struct tbs_shape *s, const struct tbs_view *v, struct why *why);

/* What a clause calls an OID. Static. */
const char *tbs_oid_label(struct bytes oid);

#endif
