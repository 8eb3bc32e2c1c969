/* ca/draft_csr.h - what a request asks for, held against what was resolved;
 * for draft.c alone. */
#ifndef MICA_CA_DRAFT_CSR_H
#define MICA_CA_DRAFT_CSR_H

#include "ca/draft.h"

/* in->csr is not NULL; d->names are resolved. The rules:
 * - an attribute whose value says whom the certificate is for must be one of
 *   the resolved values of its type (string types aside); other attributes are
 *   the profile's business and asked for in vain;
 * - each alternative name asked for must be among the resolved ones;
 * - no CA, no CA key usage, no purpose that the profile lacks.
 * An empty subject asks for nothing. Errors: RC_DENIED RC_NOMEM. */
MUST_CHECK enum rc draft_check_csr(
        const struct draft *d, const struct draft_input *in, struct why *why);

#endif
