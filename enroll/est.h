/* enroll/est.h - EST over HTTPS (RFC 7030, 8951, 9908): /cacerts, /csrattrs,
 * /simpleenroll, /simplereenroll, with and without label. Reads and answers;
 * whether somebody may have a certificate is enroll/authorize.h's to say, and
 * how one is made is ca/issuer.h's. Needs ca/, net/. */
#ifndef MICA_ENROLL_EST_H
#define MICA_ENROLL_EST_H

#include "ca/authority.h"
#include "ca/issuer.h"
#include "enroll/authorize.h"
#include "net/limit.h"
#include "net/route.h"

struct est;

struct est_opts { /* all borrowed; constant while it serves */
	const struct conf *conf;
	struct authorities *authorities; /* resolved */
	struct authorizer *authorizer;
	struct issuer *issuer;
	struct limit *limit;     /* what one address may ask; NULL: no limit */
	struct metrics *metrics; /* may be NULL */
};

/* The answers of /cacerts and /csrattrs are made here, once.
 * Errors: RC_CONFIG RC_TOOBIG RC_NOMEM RC_INTERNAL. */
MUST_CHECK enum rc est_new(
        struct est **out, const struct est_opts *o, struct why *why);
/* Nothing may be in flight (est_pending). NULL is a no-op. */
void est_free(struct est *est);
/* Requests that await a record or a certificate. */
size_t est_pending(const struct est *est);

/* Of the whole listener: what is no path of ours is 404. Borrowed. */
const struct http_routes *est_routes(const struct est *est);

#endif
