/* ca/certs_only.h - certificates as a certs-only CMS message (RFC 5272
 * section 4.1, RFC 5652 section 5.1): what EST answers with, and what stands behind /ca/NAME.p7c. Pure. Needs base/,
 * der/. */
#ifndef MICA_CA_CERTS_ONLY_H
#define MICA_CA_CERTS_ONLY_H

#include "base/buf.h"

#define CERTS_ONLY_MAX_BYTES (1u << 20)

/* Append a ContentInfo with those certificates, DER each, in the order given:
 * CertificateSet is a SET OF, but CMS asks DER of signed attributes alone, and
 * readers expect the issuer before what stands above it.
 * Errors: RC_TOOBIG RC_NOMEM. */
MUST_CHECK enum rc certs_only_put(
        struct buf *out, const struct bytes *certs, size_t n);

/* The same with one CRL and no certificates (RFC 8894 section 3.3.4). */
MUST_CHECK enum rc crls_only_put(struct buf *out, struct bytes crl);

#endif
