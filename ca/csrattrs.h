/* ca/csrattrs.h - what a profile asks of a certification request, as EST's
 * /csrattrs says it (RFC 7030 section 4.5.2, RFC 8951, RFC 9908). */
#ifndef MICA_CA_CSRATTRS_H
#define MICA_CA_CSRATTRS_H

#include "base/buf.h"
#include "conf/conf.h"

#define CSRATTRS_MAX_BYTES 4096

/* Append a CsrAttrs, DER: challengePassword where the profile demands channel
 * binding, and the key algorithm where it permits exactly one. With nothing to
 * say it is the empty SEQUENCE, which every client reads.
 * Errors: RC_TOOBIG RC_NOMEM. */
MUST_CHECK enum rc csrattrs_build(
        struct buf *out, const struct conf_profile *profile);

#endif
