/* net/route.h - which handler answers which method and path. A table a
 * listener, constant while it serves. Paths are compared as sent: an escaped
 * or dotted spelling of a route is not that route. Pure. Needs base/. */
#ifndef MICA_NET_ROUTE_H
#define MICA_NET_ROUTE_H

#include "net/http_parse.h"

struct http_req;

/* Answer req now or later by http_answer(), exactly once. */
typedef void http_handler_fn(void *ctx, struct http_req *req);

enum http_match { HTTP_EXACT, HTTP_PREFIX };

struct http_route {
	enum http_method method; /* a GET route answers HEAD too */
	enum http_match match;
	const char *path;      /* a prefix usually ends in '/' */
	size_t body_max_bytes; /* 0: no body at all */
	http_handler_fn *fn;
	void *ctx;
};

struct http_routes {
	const struct http_route *routes; /* the first that fits is taken */
	size_t n;
};

/* RC_OK, or RC_NOTFOUND (404), or RC_UNSUPPORTED (405) with *allowed a bit set
 * (1 << enum http_method) for the Allow field (RFC 9110 15.5.6). */
MUST_CHECK enum rc http_route_find(const struct http_routes *table,
        enum http_method method, struct bytes path,
        const struct http_route **out, unsigned *allowed);

#endif
