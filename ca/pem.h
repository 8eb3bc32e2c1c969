/* ca/pem.h - certificates out of PEM text (RFC 7468 section 5). Text around the
 * blocks is skipped, as section 2 allows. Pure. */
#ifndef MICA_CA_PEM_H
#define MICA_CA_PEM_H

#include "base/buf.h"
#include "base/why.h"

#define PEM_DER_MAX_BYTES 65536 /* of one block */

/* Append the DER of the next block with that label ("CERTIFICATE") and move
 * *text behind it; blocks with other labels are passed over.
 * Errors: RC_NOTFOUND (no more; why is untouched) RC_MALFORMED RC_TOOBIG
 * RC_NOMEM. */
MUST_CHECK enum rc pem_next(struct bytes *text, const char *label,
        struct buf *der, struct why *why);

#endif
