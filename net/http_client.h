/* net/http_client.h - one blocking request to our own daemon over its Unix
 * socket, for the command line. Reads only what net/http.h writes: HTTP/1.1
 * with Content-Length. Needs base/. */
#ifndef MICA_NET_HTTP_CLIENT_H
#define MICA_NET_HTTP_CLIENT_H

#include "base/buf.h"
#include "base/why.h"

#define HTTP_CLIENT_HEAD_MAX_BYTES 8192

struct http_call {
	const char *socket_path;
	const char *method; /* "GET" */
	const char *path;   /* with query, already encoded */
	struct bytes body;  /* sent as application/json if not empty */
	int timeout_ms;     /* for the whole call */
};

/* On RC_OK *status is the answer's and out has its body (out's cap holds).
 * Errors: RC_CLOSED (nobody listens: no daemon) RC_PERMISSION RC_TIMEOUT
 * RC_MALFORMED RC_TOOBIG RC_IO RC_NOMEM. */
MUST_CHECK enum rc http_client_call(const struct http_call *call,
        unsigned *status, struct buf *out, struct why *why);

#endif
