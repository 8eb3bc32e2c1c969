/* enroll/scep.h - SCEP over plain HTTP (RFC 8894), for devices with RSA keys
 * that speak nothing else: GetCACaps, GetCACert, GetNextCACert, and PKIOperation with PKCSReq,
 * RenewalReq, GetCert and GetCRL, by GET and POST. Reads and answers; whether
 * somebody may have a certificate is enroll/authorize.h's to say, and how one
 * is made is ca/issuer.h's. The registration authority's key is the signer's.
 * Needs ca/, net/. */
#ifndef MICA_ENROLL_SCEP_H
#define MICA_ENROLL_SCEP_H

#include "ca/authority.h"
#include "ca/issuer.h"
#include "enroll/authorize.h"
#include "net/limit.h"
#include "net/route.h"

struct scep;

struct scep_opts { /* all borrowed; constant while it serves */
	const struct conf *conf;
	struct store *store;
	struct authorities *authorities; /* resolved */
	struct authorizer *authorizer;
	struct issuer *issuer;
	struct signer_client *signer;
	struct limit *limit;     /* what one address may ask; NULL: no limit */
	struct metrics *metrics; /* may be NULL */
};

/* Errors: RC_CONFIG RC_NOMEM RC_INTERNAL. */
MUST_CHECK enum rc scep_new(
        struct scep **out, const struct scep_opts *o, struct why *why);
/* Nothing may be in flight (scep_pending). NULL is a no-op. */
void scep_free(struct scep *s);
/* Messages that await the signer, a record or a certificate. */
size_t scep_pending(const struct scep *s);

/* The certificate of that authority's registration authority, DER, over the key
 * that the configuration names. Until it is there, and once an empty one says
 * that it is no more, its labels answer 503.
 * Errors: RC_NOTFOUND: no label is that authority's; RC_MALFORMED
 * RC_UNSUPPORTED RC_TOOBIG RC_NOMEM. */
MUST_CHECK enum rc scep_set_ra(struct scep *s, const char *authority,
        struct bytes cert, struct why *why);

/* The newest CRL that was published under that name, open to read, for GetCRL:
 * that of an authority's full scope ("factory.crl"). fd is borrowed. */
void scep_set_crl(struct scep *s, const char *name, int fd);
/* A larger one is for its distribution point alone. */
#define SCEP_CRL_MAX_BYTES (256u << 10)

/* To be put beside others'. Borrowed from s. */
const struct http_route *scep_routes(const struct scep *s, size_t *n);

#endif
