/* net/http.h - an HTTP/1.1 server on listening sockets: TCP with or without
 * TLS, and Unix sockets. Keep-alive, pipelined requests answered in order, one
 * with a handler at a time; absolute deadlines and caps. Everything runs on
 * the loop's thread. Needs base/, net/http_parse.h, route.h, tls.h, limit.h. */
#ifndef MICA_NET_HTTP_H
#define MICA_NET_HTTP_H

#include "base/loop.h"
#include "base/metrics.h"
#include "net/addr.h"
#include "net/limit.h"
#include "net/route.h"
#include "net/tls.h"
#include <sys/types.h>

/* Deadlines are absolute: a byte now and then does not extend them. */
struct http_limits {
	int64_t handshake_timeout_ms; /* accept to end of TLS handshake */
	/* First byte of a request to the end of its header section; for the
	 * first request from the start of the connection. */
	int64_t header_timeout_ms;
	int64_t body_timeout_ms; /* end of the header section to end of body */
	int64_t idle_timeout_ms; /* answer sent to first byte of the next */
	/* To send an answer, and HTTP_WRITE_BYTES_PER_S on top for its size */
	int64_t write_timeout_ms;
	unsigned connections;
	unsigned connections_per_address; /* an IPv6 /64 is one address */
	unsigned requests_per_connection;
};

#define HTTP_LIMITS_DEFAULT                                                    \
	((struct http_limits){                                                 \
	        .handshake_timeout_ms = 10000,                                 \
	        .header_timeout_ms = 10000,                                    \
	        .body_timeout_ms = 30000,                                      \
	        .idle_timeout_ms = 60000,                                      \
	        .write_timeout_ms = 30000,                                     \
	        .connections = 4096,                                           \
	        .connections_per_address = 256,                                \
	        .requests_per_connection = 10000,                              \
	})

/* The slowest peer that still gets a large CRL. */
#define HTTP_WRITE_BYTES_PER_S 8192
/* After `Connection: close` we wait so long for the peer's own close, since
 * closing over unread input would reset the connection and lose the answer. */
#define HTTP_LINGER_MS 2000
#define HTTP_LINGER_MAX_BYTES (1u << 20)

struct http_server;
struct http_req;

/* limits are copied; metrics may be NULL. One server takes any number of
 * listeners; caps and the gauge of open connections count per server. SIGPIPE
 * is ignored from here on. Errors: RC_NOMEM. */
MUST_CHECK enum rc http_server_new(struct http_server **out, struct loop *loop,
        const struct http_limits *limits, struct metrics *metrics);
/* Close everything at once. Requests that are still with their handlers stay
 * valid until answered. NULL is a no-op. */
void http_server_free(struct http_server *srv);

struct http_listener {
	int fd;                           /* listening; taken on RC_OK */
	const struct http_routes *routes; /* borrowed */
	struct tls_server *tls;           /* borrowed; NULL: plain */
	/* Borrowed, may be NULL: one token a connection, before any byte is
	 * read, so before a TLS handshake costs us anything. */
	struct limit *accept_limit;
};
/* Errors: RC_IO RC_NOMEM. */
MUST_CHECK enum rc http_server_listen(
        struct http_server *srv, const struct http_listener *listener);

/* Stop accepting, close idle connections, finish what is in flight with
 * `Connection: close`; then call done(ctx) once, from the loop. Who cannot
 * wait for that calls http_server_free(). done may be NULL, for who says by a
 * second call what is to be done then. */
void http_server_drain(struct http_server *srv, loop_fn *done, void *ctx);
unsigned http_server_connections(const struct http_server *srv);

/* --- A request. It is the handler's from the call until http_answer(), and
 * all its views are valid for as long. If the peer vanishes meanwhile nothing
 * is said; the handler answers just the same, and the answer goes nowhere. */
enum http_method http_req_method(const struct http_req *req);
struct bytes http_req_path(const struct http_req *req);
struct bytes http_req_rest(const struct http_req *req); /* after the prefix */
struct bytes http_req_query(const struct http_req *req);
struct bytes http_req_host(const struct http_req *req);
struct bytes http_req_header(const struct http_req *req, const char *name);
struct bytes http_req_body(const struct http_req *req);
const struct net_addr *http_req_addr(const struct http_req *req);
/* The peer is gone: work not yet begun may be spared. */
bool http_req_is_gone(const struct http_req *req);
/* Unix sockets (SO_PEERCRED at connect). False on others. */
bool http_req_peer_uid(const struct http_req *req, uid_t *uid, gid_t *gid);
/* The supplementary groups of that process (SO_PEERGROUPS); 0 if there are
 * more than max, on other sockets, and once the peer is gone. */
size_t http_req_peer_groups(
        const struct http_req *req, gid_t *groups, size_t max);
/* What the client showed in its TLS handshake, resumed or not; NULL when the
 * listener is plain. peer->n is 0 when it showed no certificate. */
const struct tls_peer *http_req_tls_peer(struct http_req *req);
/* RC_UNSUPPORTED on a plain listener; else as tls_channel_binding(). */
MUST_CHECK enum rc http_req_channel_binding(
        struct http_req *req, struct tls_binding *out, struct why *why);

/* Name in its customary capitals. Content-Length, Date and Connection are the
 * server's. */
struct http_header {
	const char *name;
	const char *value; /* printable ASCII; anything else makes it a 500 */
};
#define HTTP_ANSWER_HEADERS_MAX 8

/* Answer and give req back. body is copied; to a HEAD it is counted, not
 * sent. */
void http_answer(struct http_req *req, unsigned status,
        const struct http_header *headers, size_t n_headers, struct bytes body);
/* A file that many answers share: it is sent from the kernel's own pages and
 * takes no memory of ours however large it is. Its content may not change. */
struct http_file;
/* fd, open to read, is taken on RC_OK. Errors: RC_IO RC_NOMEM RC_MALFORMED (no
 * regular file, or empty). */
MUST_CHECK enum rc http_file_new(struct http_file **out, int fd);
/* Answers that are under way are finished. NULL is a no-op. */
void http_file_free(struct http_file *f);
/* As http_answer. */
void http_answer_file(struct http_req *req, unsigned status,
        const struct http_header *headers, size_t n_headers,
        struct http_file *file);
/* http_answer in two steps, for what is answered again and again: write the
 * headers as lines once, and answer with those. RC_MALFORMED: not printable. */
MUST_CHECK enum rc http_header_lines(
        struct buf *out, const struct http_header *headers, size_t n_headers);
void http_answer_lines(struct http_req *req, unsigned status,
        struct bytes lines, struct bytes body);
/* text/plain, one line; "\n" is added. */
void http_answer_text(struct http_req *req, unsigned status, const char *text);
/* "Not Found"; "" for a status without a name. */
const char *http_status_text(unsigned status);

#endif
