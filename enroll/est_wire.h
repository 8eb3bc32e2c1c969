/* enroll/est_wire.h - what EST clients put on the wire, read: paths (RFC 7030
 * section 3.2.2), Basic credentials (RFC 7617), and the table of clients that need their answers in another form. Pure. Needs base/.
 */
#ifndef MICA_ENROLL_EST_WIRE_H
#define MICA_ENROLL_EST_WIRE_H

#include "base/bytes.h"
#include "base/rc.h"

enum est_op {
	EST_CACERTS,
	EST_SIMPLEENROLL,
	EST_SIMPLEREENROLL,
	EST_CSRATTRS,
};

#define EST_LABEL_MAX 64

struct est_path {
	enum est_op op;
	struct bytes label; /* borrowed from the path; empty: none */
};

/* /.well-known/est/[label/]op, and /label/.well-known/est/op as strongSwan has
 * it when a label stands in its URL. Compared as sent: escapes and dot segments
 * are no spelling of a label. RC_NOTFOUND for all else, also for operations
 * that we do not have (serverkeygen, fullcmc). */
MUST_CHECK enum rc est_path_parse(struct est_path *out, struct bytes path);

/* A Basic credential. Wipe it with bytes_wipe() when done. */
struct basic {
	char user[129];
	char secret[129];
};

/* The value of an Authorization field. The last colon parts user and secret:
 * device ids may have colons, tokens have none. RC_NOTFOUND when there is no
 * field, it has another scheme or names no user; RC_MALFORMED, RC_TOOBIG. out holds nothing
 * secret unless RC_OK. */
MUST_CHECK enum rc basic_parse(struct basic *out, struct bytes field);

/* What a client needs beside the RFC. */
struct est_quirk {
	const char *agent;   /* how its User-Agent begins; "": it sends none */
	unsigned columns;    /* of base64 in answers; 0: one line */
	bool bare_challenge; /* 401 without a body */
};

/* Never NULL. */
const struct est_quirk *est_quirk(struct bytes user_agent);

#endif
