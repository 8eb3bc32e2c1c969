/* ocsp/publish.h - what is signed already, over plain HTTP (RFC 5280 sections
 * 4.2.1.13 and 4.2.2.1): CRLs below /crl/, out of files that the keeper made
 * and handed over open, or as the configuration has that of an authority's
 * issuer, and CA certificates below /ca/, as DER (NAME.cer) and
 * with all above them as a certs-only message (NAME.p7c). */
#ifndef MICA_OCSP_PUBLISH_H
#define MICA_OCSP_PUBLISH_H

#include "ca/authority.h"
#include "ca/crl_run.h"
#include "net/route.h"

#define PUBLISH_CRLS_MAX 512

struct publish;

/* Borrows a. Errors: RC_NOMEM RC_INTERNAL. */
MUST_CHECK enum rc publish_new(struct publish **out, struct authorities *a);
void publish_free(struct publish *p); /* NULL is a no-op */
/* Borrowed from p. */
const struct http_route *publish_routes(const struct publish *p, size_t *n);

struct publish_crl {
	char name[CRL_NAME_MAX]; /* "factory.crl" */
	uint8_t hash[STORE_HASH_BYTES];
	int64_t this_update_s, next_update_s;
	/* A new one may come any time: how long a cache may be behind. */
	int64_t fresh_s;
};
/* Serve fd, which is taken on RC_OK, in place of what had that name. Errors:
 * RC_TOOBIG (over PUBLISH_CRLS_MAX) RC_IO RC_NOMEM RC_MALFORMED. */
MUST_CHECK enum rc publish_crl_put(
        struct publish *p, const struct publish_crl *crl, int fd);

#endif
