#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "net/http_priv.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Connections accepted in one turn of the loop, so that those we have get
 * theirs. */
#define ACCEPT_BATCH 32
/* Out of descriptors: the backlog waits so long. */
#define ACCEPT_RETRY_MS 100
#define HEAD_MAX_BYTES 16384

static struct conn_list *address_bucket(
        struct http_server *srv, struct net_peer peer)
{
	uint64_t h = net_peer_hash(peer, srv->seed);

	return &srv->addresses[h & (ADDRESS_BUCKETS - 1)];
}

static unsigned address_count(struct http_server *srv, struct net_peer peer)
{
	unsigned count = 0;
	struct conn *c;

	LIST_FOREACH(c, address_bucket(srv, peer), of_address)
	count += net_peer_eq(net_addr_peer(&c->addr), peer);
	return count;
}

/* Room for one more? Who is idle longest makes room for who is new. */
static bool admit(struct http_server *srv, const struct listener *l,
        const struct net_addr *addr)
{
	struct conn *idle;

	if (!addr->local &&
	        address_count(srv, net_addr_peer(addr)) >=
	                srv->limits.connections_per_address)
		return false;
	if (!limit_take(l->conf.accept_limit, addr, 1))
		return false;
	if (srv->n_conns < srv->limits.connections)
		return true;
	idle = TAILQ_FIRST(&srv->idle);
	if (idle == NULL)
		return false;
	conn_close(idle);
	return true;
}

static void enter(struct http_server *srv, const struct listener *l, int fd,
        const struct net_addr *addr)
{
	if (!admit(srv, l, addr) || conn_new(srv, l, fd, addr) != RC_OK) {
		metric_add(srv->metrics, METRIC_CONNECTIONS_REFUSED, 1);
		close(fd);
	}
}

static void listeners_enable(struct http_server *srv, bool on)
{
	struct listener *l;

	SLIST_FOREACH(l, &srv->listeners, next)
	loop_watch_enable(l->watch, on);
}

static void on_retry(void *ctx)
{
	listeners_enable(ctx, true);
}

static void accept_failed(struct http_server *srv)
{
	/* What concerns one peer, or nobody, needs no pause. */
	if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED ||
	        errno == EPROTO || errno == EPERM)
		return;
	log_event(LOG_WARN, "http.accept", "error", strerror(errno), NULL);
	listeners_enable(srv, false);
	loop_timer_set_ms(srv->retry, ACCEPT_RETRY_MS);
}

static void on_listener(void *ctx, int fd)
{
	struct listener *l = ctx;

	for (int i = 0; i < ACCEPT_BATCH; i++) {
		struct sockaddr_storage sa = { .ss_family = AF_UNSPEC };
		socklen_t n = sizeof(sa);
		struct net_addr addr;
		int peer = accept4(fd, (struct sockaddr *)&sa, &n,
		        SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (peer < 0) {
			accept_failed(l->srv);
			return;
		}
		net_addr_from(&addr, &sa);
		enter(l->srv, l, peer, &addr);
	}
}

enum rc http_server_new(struct http_server **out, struct loop *loop,
        const struct http_limits *limits, struct metrics *metrics)
{
	struct http_server *srv = calloc(1, sizeof(*srv));

	*out = NULL;
	if (srv == NULL)
		return RC_NOMEM;
	srv->loop = loop;
	srv->limits = *limits;
	srv->metrics = metrics;
	srv->head = BUF_INIT(HEAD_MAX_BYTES);
	rand_fill(&srv->seed, sizeof(srv->seed));
	TAILQ_INIT(&srv->conns);
	TAILQ_INIT(&srv->idle);
	if (loop_timer_new(&srv->retry, loop, on_retry, srv) != RC_OK) {
		free(srv);
		return RC_NOMEM;
	}
	/* A peer that closes early is an error of one write, no signal. */
	signal(SIGPIPE, SIG_IGN);
	*out = srv;
	return RC_OK;
}

enum rc http_server_listen(
        struct http_server *srv, const struct http_listener *conf)
{
	struct listener *l = calloc(1, sizeof(*l));
	enum rc rc;

	if (l == NULL)
		return RC_NOMEM;
	l->srv = srv;
	l->conf = *conf;
	rc = loop_watch_new(&l->watch, srv->loop, conf->fd, on_listener, l);
	if (rc != RC_OK) {
		free(l);
		return rc;
	}
	SLIST_INSERT_HEAD(&srv->listeners, l, next);
	return RC_OK;
}

static void listeners_close(struct http_server *srv)
{
	struct listener *l;

	loop_timer_cancel(srv->retry);
	while ((l = SLIST_FIRST(&srv->listeners)) != NULL) {
		SLIST_REMOVE_HEAD(&srv->listeners, next);
		loop_watch_free(l->watch);
		close(l->conf.fd);
		free(l);
	}
}

static void drained_if_empty(struct http_server *srv)
{
	if (srv->draining && srv->n_conns == 0 && srv->drained.fn != NULL) {
		loop_post(srv->loop, &srv->drained);
		srv->draining = false;
	}
}

void server_enter(struct http_server *srv, struct conn *c)
{
	TAILQ_INSERT_TAIL(&srv->conns, c, of_server);
	LIST_INSERT_HEAD(
	        address_bucket(srv, net_addr_peer(&c->addr)), c, of_address);
	srv->n_conns++;
	metric_set(srv->metrics, METRIC_CONNECTIONS_OPEN, srv->n_conns);
}

void server_forget(struct http_server *srv, struct conn *c)
{
	TAILQ_REMOVE(&srv->conns, c, of_server);
	LIST_REMOVE(c, of_address);
	srv->n_conns--;
	metric_set(srv->metrics, METRIC_CONNECTIONS_OPEN, srv->n_conns);
	drained_if_empty(srv);
}

void http_server_drain(struct http_server *srv, loop_fn *done, void *ctx)
{
	struct conn *c;

	srv->draining = true;
	srv->drained = (struct loop_task){ done, ctx, NULL };
	listeners_close(srv);
	while ((c = TAILQ_FIRST(&srv->idle)) != NULL)
		conn_finish(c);
	drained_if_empty(srv);
}

unsigned http_server_connections(const struct http_server *srv)
{
	return srv->n_conns;
}

void http_server_free(struct http_server *srv)
{
	struct conn *c;

	if (srv == NULL)
		return;
	listeners_close(srv);
	loop_unpost(srv->loop, &srv->drained);
	srv->drained.fn = NULL;
	while ((c = TAILQ_FIRST(&srv->conns)) != NULL) {
		bool lives_on = c->state == CONN_HANDLER;

		conn_close(c);
		if (lives_on) {
			server_forget(srv, c);
			c->srv = NULL;
		}
	}
	loop_timer_free(srv->retry);
	buf_free(&srv->head);
	free(srv);
}
