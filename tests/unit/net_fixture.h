/* tests/unit/net_fixture.h - a server on loopback and clients that talk to it
 * from the same thread: every wait turns the loop. */
#ifndef MICA_TESTS_UNIT_NET_FIXTURE_H
#define MICA_TESTS_UNIT_NET_FIXTURE_H

#include "net/http.h"
#include "net/listen.h"
#include "tests/unit/net_requests.h"

struct net_fixture {
	struct loop *loop;
	struct http_server *srv;
	struct net_addr addr;  /* where it listens */
	struct http_req *held; /* the request of "/hold", not answered yet */
	unsigned n_calls;      /* of any handler */
	bool drained;
	struct tls_peer peer; /* of the last "/peer": n, verified, resumed */
	struct tls_binding binding;
	enum rc binding_rc;
};

/* What the routes of the fixture do:
 *   GET|POST /echo, POST /
 *                    200, the body or "hello"
 *   GET /hold        is put into held
 *   GET /big         200, NET_BIG_BYTES
 *   GET /file        200, NET_BIG_BYTES out of a file
 *   GET /inject      200 with a header value that has a line end
 *   GET /rest/...    200, what stands after the prefix
 *   GET /peer        200; peer and binding are put into the fixture
 *   GET /uid         200, the peer's uid */
#define NET_BIG_BYTES (8u << 20)
#define NET_BODY_MAX_BYTES NET_REQUEST_BODY_MAX_BYTES

/* limits NULL: the defaults; tls NULL: plain. */
void net_start(struct net_fixture *f, const struct http_limits *limits,
        struct tls_server *tls, struct limit *accept_limit);
/* Other routes than the fixture's, in plain. */
void net_start_routes(struct net_fixture *f, const struct http_routes *routes);
void net_start_fd(
        struct net_fixture *f, const struct http_limits *limits, int fd);
void net_stop(struct net_fixture *f);
void net_turn(struct net_fixture *f); /* the loop, and about a millisecond */

int net_connect(struct net_fixture *f);
void net_send(int fd, const char *text);
/* Read until the end of input (true), or until want stands in out (NULL: only
 * the end), or until ms have gone by; out is the caller's buffer. */
bool net_read(struct net_fixture *f, int fd, struct buf *out, const char *want,
        int64_t ms);
/* One request on its own connection: all that came until the end of input. */
void net_ask(struct net_fixture *f, const char *request, struct buf *out);
bool net_has(struct buf *b, const char *text);

#endif
