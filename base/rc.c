#include "base/rc.h"

/* failInfo */
#define BAD_ALG 0
#define BAD_MESSAGE_CHECK 1
#define BAD_REQUEST 2
#define BAD_CERT_ID 4

/* HTTP statuses are those that EST clients handle (RFC 7030 section 4.2.3):
 * what the client did wrong is 400, what it may try again unchanged is 503. */
static const struct rc_info infos[RC_COUNT] = {
	[RC_OK] = { "ok", "Done", 200, BAD_REQUEST },
	[RC_PENDING] = { "pending", "Accepted, not decided yet", 202,
	        BAD_REQUEST },
	[RC_MALFORMED] = { "malformed", "The request is malformed", 400,
	        BAD_REQUEST },
	[RC_TOOBIG] = { "too_big", "The request is too large", 413,
	        BAD_REQUEST },
	[RC_UNSUPPORTED] = { "unsupported", "This is not supported", 400,
	        BAD_ALG },
	[RC_WEAKKEY] = { "weak_key", "The key policy refuses this key", 400,
	        BAD_ALG },
	[RC_BADSIG] = { "bad_signature", "The signature does not verify", 400,
	        BAD_MESSAGE_CHECK },
	[RC_BADBINDING] = { "bad_binding",
	        "The request is not bound to this connection", 400,
	        BAD_MESSAGE_CHECK },
	[RC_NOCRED] = { "no_credential", "A valid credential is needed", 401,
	        BAD_REQUEST },
	[RC_DENIED] = { "denied", "The request is refused", 400, BAD_REQUEST },
	[RC_NOTFOUND] = { "not_found", "There is no such thing", 404,
	        BAD_CERT_ID },
	[RC_DUPLICATE] = { "duplicate", "This was done before", 200,
	        BAD_REQUEST },
	[RC_WAITING] = { "waiting", "The request waits for an operator", 202,
	        BAD_REQUEST },
	[RC_CONFLICT] = { "conflict", "It exists and differs", 400,
	        BAD_REQUEST },
	[RC_QUOTA] = { "quota", "The quota is spent", 400, BAD_REQUEST },
	[RC_SPENT] = { "spent", "The token was used before", 400, BAD_REQUEST },
	[RC_STALE] = { "stale", "A record changed meanwhile, try again", 503,
	        BAD_REQUEST },
	[RC_FENCED] = { "fenced", "Another process took over, try again", 503,
	        BAD_REQUEST },
	[RC_BLOCKED] = { "blocked", "This key is known to be compromised", 400,
	        BAD_REQUEST },
	[RC_BUSY] = { "busy", "Too busy, try again later", 503, BAD_REQUEST },
	[RC_UNAVAILABLE] = { "unavailable", "Not available, try again later",
	        503, BAD_REQUEST },
	[RC_UNKNOWN] = { "unknown", "The outcome is not known, ask again", 503,
	        BAD_REQUEST },
	[RC_TIMEOUT] = { "timeout", "It took too long, try again later", 503,
	        BAD_REQUEST },
	[RC_CLOSED] = { "closed", "The peer closed the connection", 503,
	        BAD_REQUEST },
	[RC_EXISTS] = { "exists", "It exists and is not overwritten", 400,
	        BAD_REQUEST },
	[RC_PERMISSION] = { "permission", "This is not permitted", 400,
	        BAD_REQUEST },
	[RC_CONFIG] = { "config", "The configuration is wrong", 500,
	        BAD_REQUEST },
	[RC_IO] = { "io", "The operating system reported an error", 500,
	        BAD_REQUEST },
	[RC_NOMEM] = { "no_memory", "Out of memory, try again later", 503,
	        BAD_REQUEST },
	[RC_INTERNAL] = { "internal", "Internal error", 500, BAD_REQUEST },
};

const struct rc_info *rc_info(enum rc rc)
{
	unsigned i = (unsigned)rc;

	return &infos[i < RC_COUNT ? i : RC_INTERNAL];
}
