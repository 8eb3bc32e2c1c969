/* ocsp/responder.h - OCSP over HTTP (RFC 6960, RFC 9919, RFC 9654): POST and
 * GET. What may be kept comes from a cache that is held against the store
 * before each use, so that an answer shows what was acknowledged before it was
 * asked for; the rest is signed for the request. Needs ca/, net/, storage/. */
#ifndef MICA_OCSP_RESPONDER_H
#define MICA_OCSP_RESPONDER_H

#include "ca/authority.h"
#include "ca/signer_client.h"
#include "net/limit.h"
#include "net/route.h"

struct responder;

struct responder_opts { /* all borrowed */
	struct store *store;
	struct authorities *authorities; /* resolved */
	struct signer_client *signer;
	size_t cache_bytes;
	/* Of signatures that serve one address alone; NULL: no limit. */
	struct limit *limit;
	struct metrics *metrics; /* may be NULL */
};

/* Errors: RC_NOMEM RC_INTERNAL RC_UNSUPPORTED, and the store's. */
MUST_CHECK enum rc responder_new(struct responder **out,
        const struct responder_opts *o, struct why *why);
/* What waits for the signer is answered with tryLater; nothing may wait for the
 * store (responder_pending). NULL is a no-op. */
void responder_free(struct responder *r);
/* Requests that await a record or a signature. */
size_t responder_pending(const struct responder *r);

/* All that were answered, errors too. */
uint64_t responder_answered(const struct responder *r);

/* Below /ocsp. Borrowed. */
const struct http_route *responder_routes(const struct responder *r, size_t *n);

/* As issuers_set_responder(). Until it has one, an authority that does not sign
 * itself answers tryLater. */
MUST_CHECK enum rc responder_set_key(struct responder *r, const char *authority,
        const char *key, struct bytes cert, struct why *why);
/* Has each authority somebody who signs? */
bool responder_is_complete(const struct responder *r);

#endif
