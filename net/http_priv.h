/* net/http_priv.h - what the parts of the HTTP server share: http.c has the
 * server, its listeners and caps; http_conn.c a connection's life; http_req.c
 * requests and their answers. Private to them. */
#ifndef MICA_NET_HTTP_PRIV_H
#define MICA_NET_HTTP_PRIV_H

#include "net/http.h"
#include "net/http_date.h"
#include <sys/queue.h>

struct bufferevent;

/* A connection goes round READ, HANDLER, WRITE until it is to close. */
enum conn_state {
	CONN_HANDSHAKE, /* TLS only */
	CONN_READ,      /* a request is awaited or arriving */
	CONN_HANDLER,   /* it is with its handler, who may answer later */
	CONN_WRITE,     /* the answer is leaving */
	CONN_LINGER,    /* our side is closed; waiting for the peer's close */
	CONN_DEAD,      /* closed, and about to be freed */
};

/* Which deadline runs. */
enum conn_wait {
	WAIT_NONE,
	WAIT_HANDSHAKE,
	WAIT_HEADER,
	WAIT_BODY,
	WAIT_IDLE,
	WAIT_WRITE,
	WAIT_LINGER,
};

struct conn {
	struct http_server *srv; /* NULL once the server is gone */
	const struct http_routes *routes;
	struct bufferevent *bev; /* NULL once closed */
	struct ssl_st *ssl;      /* NULL: plain. Lives as long as conn */
	int fd;                  /* -1 once closed */
	enum conn_state state;
	enum conn_wait wait;
	int64_t deadline_us;
	int64_t armed_us; /* when the timer fires; 0: not set */
	struct loop_timer *timer;
	bool peer_done; /* end of input was seen */
	bool close;     /* after this answer */
	bool advancing; /* conn_advance() is on the stack */
	unsigned n_requests;
	size_t lingered; /* bytes thrown away */
	struct http_parse parse;
	const struct http_route *route;
	struct net_addr addr;
	uid_t uid;
	gid_t gid;
	struct tls_peer peer;
	bool peer_read;
	TAILQ_ENTRY(conn) of_server;
	TAILQ_ENTRY(conn) of_idle; /* while wait is WAIT_IDLE */
	LIST_ENTRY(conn) of_address;
};

TAILQ_HEAD(conn_queue, conn);
LIST_HEAD(conn_list, conn);

#define ADDRESS_BUCKETS 1024 /* a power of two */

struct listener {
	struct http_server *srv;
	struct http_listener conf;
	struct loop_watch *watch;
	SLIST_ENTRY(listener) next;
};
SLIST_HEAD(listener_list, listener);

struct http_server {
	struct loop *loop;
	struct http_limits limits;
	struct metrics *metrics;
	uint64_t seed;
	struct listener_list listeners;
	struct loop_timer *retry; /* accept again after EMFILE */
	struct conn_queue conns;
	struct conn_queue idle; /* the longest idle first */
	struct conn_list addresses[ADDRESS_BUCKETS];
	unsigned n_conns;
	bool draining;
	struct loop_task drained;
	struct buf head; /* where the head of an answer is built */
	int64_t date_s;
	char date[HTTP_DATE_BYTES]; /* of date_s */
};

/* --- http.c */
/* conn is in the server's books from the one to the other. */
void server_enter(struct http_server *srv, struct conn *c);
void server_forget(struct http_server *srv, struct conn *c);

/* --- http_conn.c */
/* Takes fd on RC_OK; ssl is NULL for plain. */
MUST_CHECK enum rc conn_new(struct http_server *srv,
        const struct listener *listener, int fd, const struct net_addr *addr);
/* At once. If the request is with its handler, what it sees stays. */
void conn_close(struct conn *c);
/* Freed now, or by conn_advance() if that is at work on it. */
void conn_dead(struct conn *c);
/* After what is to be said was said: wait for the peer to close. */
void conn_finish(struct conn *c);
/* One segment of libevent's, which counts those who send it. */
struct http_file {
	struct evbuffer_file_segment *segment;
	size_t n;
};

/* Send head and body as the answer to the current request. */
void conn_send(struct conn *c, struct bytes head, struct bytes body);
void conn_send_file(
        struct conn *c, struct bytes head, const struct http_file *file);
void conn_wait_for(struct conn *c, enum conn_wait wait, int64_t ms);

/* --- http_req.c */
/* The answer to a request that never reached a handler; closes after it. */
void conn_refuse(struct conn *c, unsigned status, const char *clause);
void conn_answer(struct conn *c, unsigned status,
        const struct http_header *headers, size_t n_headers, struct bytes body);

#endif
