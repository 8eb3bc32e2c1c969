/* ca/signer/ca_urls.h - where the issuer of a CA's certificate has its CRL and
 * its certificate, as that says: cRLDistributionPoints and caIssuers (RFC 5280
 * sections 4.2.1.13 and 4.2.2.1). Needs base/, der/, libcrypto. */
#ifndef MICA_CA_SIGNER_CA_URLS_H
#define MICA_CA_SIGNER_CA_URLS_H

#include "base/buf.h"
#include "base/why.h"

#include <openssl/x509.h>

#define CA_URLS_MAX 8
#define CA_URL_MAX_BYTES 1024

/* Borrowed. Of a CRL they are ways to one and the same. */
struct ca_urls {
	const char *list[CA_URLS_MAX];
	size_t n;
};

/* RC_TOOBIG */
MUST_CHECK enum rc ca_urls_add(
        struct ca_urls *u, const char *url, struct why *why);
/* Each is an absolute http URL (RFC 3986), and stands once. Not https: whoever
 * fetches it would have a certificate to check first (RFC 5280 section 8).
 * RC_DENIED */
MUST_CHECK enum rc ca_urls_check(const struct ca_urls *u, struct why *why);
/* Append the extensions, none for an empty list. */
void ca_urls_put_crls(struct buf *b, const struct ca_urls *u);
void ca_urls_put_issuers(struct buf *b, const struct ca_urls *u);
/* Does cert say these and no others, as libcrypto reads it? */
bool ca_urls_stand(
        X509 *cert, const struct ca_urls *crls, const struct ca_urls *issuers);

#endif
