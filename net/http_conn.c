#include "base/clock.h"
#include "base/log.h"
#include "net/http_priv.h"
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* Input that is kept for a peer that sends ahead; the rest waits in the
 * kernel. The size of a TLS record. */
#define INPUT_MAX_BYTES 16384

static void conn_advance(struct conn *c);

/* --- Deadlines. The timer is set again only for an earlier deadline: one that
 * fires too soon looks and sleeps on. That spares most of the heap's work. */
static void timer_arm(struct conn *c, int64_t now_us)
{
	if (c->armed_us != 0 && c->armed_us <= c->deadline_us)
		return;
	c->armed_us = c->deadline_us;
	loop_timer_set_ms(c->timer, (c->deadline_us - now_us + 999) / 1000);
}

void conn_wait_for(struct conn *c, enum conn_wait wait, int64_t ms)
{
	if (c->wait == WAIT_IDLE)
		TAILQ_REMOVE(&c->srv->idle, c, of_idle);
	c->wait = wait;
	if (wait == WAIT_NONE)
		return;
	if (wait == WAIT_IDLE)
		TAILQ_INSERT_TAIL(&c->srv->idle, c, of_idle);
	c->deadline_us = clock_mono_us() + ms * 1000;
	timer_arm(c, c->deadline_us - ms * 1000);
}

static void expired(struct conn *c)
{
	switch (c->wait) {
	case WAIT_HANDSHAKE:
		metric_add(c->srv->metrics, METRIC_TLS_FAILURES, 1);
		conn_close(c);
		break;
	case WAIT_HEADER:
	case WAIT_BODY:
		if (http_parse_is_idle(&c->parse))
			conn_finish(c);
		else
			conn_refuse(c, 408, "the request took too long");
		break;
	case WAIT_IDLE:
		conn_finish(c);
		break;
	default:
		conn_close(c);
		break;
	}
}

static void on_timer(void *ctx)
{
	struct conn *c = ctx;
	int64_t now_us = clock_mono_us();

	c->armed_us = 0;
	if (c->wait == WAIT_NONE)
		return;
	if (now_us < c->deadline_us)
		timer_arm(c, now_us);
	else
		expired(c);
}

/* --- The end of a connection. */
static void conn_delete(struct conn *c)
{
	if (c->srv != NULL)
		server_forget(c->srv, c);
	tls_peer_free(&c->peer);
	SSL_free(c->ssl);
	http_parse_free(&c->parse);
	free(c);
}

void conn_dead(struct conn *c)
{
	c->state = CONN_DEAD;
	if (!c->advancing)
		conn_delete(c);
}

void conn_close(struct conn *c)
{
	conn_wait_for(c, WAIT_NONE, 0);
	if (c->bev != NULL)
		bufferevent_free(c->bev);
	c->bev = NULL;
	loop_timer_free(c->timer);
	c->timer = NULL;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	if (c->state != CONN_HANDLER)
		conn_dead(c);
}

void conn_finish(struct conn *c)
{
	c->state = CONN_LINGER;
	if (c->ssl != NULL) {
		ERR_clear_error();
		SSL_shutdown(c->ssl); /* our close_notify; not waiting */
		ERR_clear_error();
	}
	if (c->peer_done || shutdown(c->fd, SHUT_WR) != 0) {
		conn_close(c);
		return;
	}
	conn_wait_for(c, WAIT_LINGER, HTTP_LINGER_MS);
	evbuffer_drain(bufferevent_get_input(c->bev),
	        evbuffer_get_length(bufferevent_get_input(c->bev)));
}

static void linger_read(struct conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	size_t n = evbuffer_get_length(in);

	evbuffer_drain(in, n);
	c->lingered += n;
	if (c->lingered > HTTP_LINGER_MAX_BYTES)
		conn_close(c);
}

/* --- Answers. */
static void written(struct conn *c)
{
	if (c->close) {
		conn_finish(c);
		return;
	}
	http_parse_reset(&c->parse);
	c->route = NULL;
	c->state = CONN_READ;
	conn_wait_for(c, WAIT_IDLE, c->srv->limits.idle_timeout_ms);
	if (!c->advancing)
		conn_advance(c);
}

/* What the socket takes at once spares the loop a turn and two system calls.
 * Returns what was taken; false when the connection is broken. */
static bool write_now(
        struct conn *c, struct bytes head, struct bytes body, size_t *taken)
{
	struct iovec iov[2] = { { (void *)head.p, head.n },
		{ (void *)body.p, body.n } };
	ssize_t n;

	*taken = 0;
	if (c->ssl != NULL ||
	        evbuffer_get_length(bufferevent_get_output(c->bev)) > 0)
		return true;
	n = writev(c->fd, iov, 2);
	if (n >= 0)
		*taken = (size_t)n;
	return n >= 0 || errno == EAGAIN || errno == EINTR;
}

void conn_send(struct conn *c, struct bytes head, struct bytes body)
{
	struct evbuffer *out = bufferevent_get_output(c->bev);
	size_t taken, body_taken;

	if (!write_now(c, head, body, &taken)) {
		c->state = CONN_WRITE;
		conn_close(c);
		return;
	}
	body_taken = taken > head.n ? taken - head.n : 0;
	head = bytes_skip(head, taken - body_taken);
	body = bytes_skip(body, body_taken);
	c->state = CONN_WRITE;
	if (head.n + body.n == 0) {
		written(c);
		return;
	}
	conn_wait_for(c, WAIT_WRITE,
	        c->srv->limits.write_timeout_ms +
	                (int64_t)(body.n / HTTP_WRITE_BYTES_PER_S) * 1000);
	/* One chunk of memory makes one TLS record of a small answer. */
	if (evbuffer_expand(out, head.n + body.n) != 0 ||
	        evbuffer_add(out, head.p, head.n) != 0 ||
	        evbuffer_add(out, body.p, body.n) != 0)
		conn_close(c);
}

void conn_send_file(
        struct conn *c, struct bytes head, const struct http_file *file)
{
	struct evbuffer *out = bufferevent_get_output(c->bev);

	c->state = CONN_WRITE;
	conn_wait_for(c, WAIT_WRITE,
	        c->srv->limits.write_timeout_ms +
	                (int64_t)(file->n / HTTP_WRITE_BYTES_PER_S) * 1000);
	if (evbuffer_add(out, head.p, head.n) != 0 ||
	        evbuffer_add_file_segment(
	                out, file->segment, 0, (ev_off_t)file->n) != 0)
		conn_close(c);
}

/* --- Requests. */
static void refuse_method(struct conn *c, unsigned allowed)
{
	struct buf names = BUF_INIT(64);
	struct http_header allow = { "Allow", "" };

	for (int m = 0; m < HTTP_METHOD_COUNT; m++)
		if ((allowed & (1u << m)) != 0)
			buf_addf(&names, "%s%s", names.n > 0 ? ", " : "",
			        http_method_text((enum http_method)m));
	if (buf_cstr(&names) != NULL)
		allow.value = buf_cstr(&names);
	conn_answer(c, 405, &allow, 1, BYTES_LIT("Method Not Allowed\n"));
	buf_free(&names);
}

/* The head is whole: is there anybody for it? Without a route there is no
 * body that we would read, so the connection closes if there is one. */
static void head_done(struct conn *c)
{
	struct http_parse *p = &c->parse;
	unsigned allowed;
	enum rc rc = http_route_find(
	        c->routes, p->method, http_parse_path(p), &c->route, &allowed);

	if (rc != RC_OK) {
		c->close = c->close || p->framing != HTTP_NO_BODY;
		if (rc == RC_UNSUPPORTED)
			refuse_method(c, allowed);
		else
			conn_answer(c, 404, NULL, 0, BYTES_LIT("Not Found\n"));
		return;
	}
	http_parse_body_max(p, c->route->body_max_bytes);
}

/* RFC 9110 10.1.1: only once it is clear that we want the body, and not if it
 * has begun to arrive. */
static void say_continue(struct conn *c)
{
	if (c->parse.wants_100 && http_parse_body(&c->parse).n == 0)
		bufferevent_write(c->bev, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	c->parse.wants_100 = false;
}

static void more_wanted(struct conn *c)
{
	const struct http_limits *limits = &c->srv->limits;

	if (c->peer_done)
		conn_finish(c);
	else if (c->route != NULL && c->wait != WAIT_BODY)
		conn_wait_for(c, WAIT_BODY, limits->body_timeout_ms);
	else if (c->wait == WAIT_IDLE && !http_parse_is_idle(&c->parse))
		conn_wait_for(c, WAIT_HEADER, limits->header_timeout_ms);
}

static void dispatch(struct conn *c)
{
	conn_wait_for(c, WAIT_NONE, 0);
	metric_add(c->srv->metrics, METRIC_HTTP_REQUESTS, 1);
	c->state = CONN_HANDLER;
	c->route->fn(c->route->ctx, (struct http_req *)c);
}

/* A piece of input to the parser. False when nothing is to be done until the
 * next event. */
static bool read_step(struct conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	size_t n = evbuffer_get_contiguous_space(in), used;
	enum http_parse_result result;

	result = http_parse_feed(&c->parse,
	        bytes_of(n > 0 ? evbuffer_pullup(in, (ev_ssize_t)n) : NULL, n),
	        &used);
	evbuffer_drain(in, used);
	switch (result) {
	case HTTP_PARSE_MORE:
		if (evbuffer_get_length(in) > 0)
			return true;
		if (c->route != NULL)
			say_continue(c);
		more_wanted(c);
		return false;
	case HTTP_PARSE_HEAD:
		c->n_requests++;
		c->close = !c->parse.keep_alive ||
		        c->n_requests >= c->srv->limits.requests_per_connection;
		head_done(c);
		return true;
	case HTTP_PARSE_DONE:
		dispatch(c);
		return true;
	default:
		conn_refuse(c, c->parse.status, c->parse.clause);
		return false;
	}
}

/* Read and serve requests as long as there is input; a loop, not a recursion,
 * so that pipelined requests do not grow the stack. */
static void conn_advance(struct conn *c)
{
	c->advancing = true;
	while (c->state == CONN_READ && read_step(c))
		;
	c->advancing = false;
	if (c->state == CONN_DEAD)
		conn_delete(c);
}

/* --- Events. */
static void on_read(struct bufferevent *bev, void *ctx)
{
	struct conn *c = ctx;
	struct loop *loop = c->srv->loop; /* c may go meanwhile */
	int64_t since_us = loop_enter();

	(void)bev;
	if (c->state == CONN_READ)
		conn_advance(c);
	else if (c->state == CONN_LINGER)
		linger_read(c);
	/* In other states the high-water mark stops the peer. */
	loop_leave(loop, since_us);
}

static void on_write(struct bufferevent *bev, void *ctx)
{
	struct conn *c = ctx;
	struct loop *loop = c->srv->loop;
	int64_t since_us = loop_enter();

	if (c->state == CONN_WRITE &&
	        evbuffer_get_length(bufferevent_get_output(bev)) == 0)
		written(c);
	loop_leave(loop, since_us);
}

static void handshake_done(struct conn *c)
{
	metric_add(c->srv->metrics, METRIC_TLS_HANDSHAKES, 1);
	c->state = CONN_READ;
	conn_wait_for(c, WAIT_HEADER, c->srv->limits.header_timeout_ms);
}

static void handshake_failed(struct conn *c)
{
	unsigned long err = bufferevent_get_openssl_error(c->bev);
	const char *reason = err != 0 ? ERR_reason_error_string(err) : NULL;
	char addr[NET_ADDR_TEXT_BYTES];

	metric_add(c->srv->metrics, METRIC_TLS_FAILURES, 1);
	log_event(LOG_INFO, "tls.failed", "peer", net_addr_text(addr, &c->addr),
	        "why", reason != NULL ? reason : "closed by the peer", NULL);
	conn_close(c);
}

/* The peer sends no more; it may still read the answer. */
static void input_ended(struct conn *c)
{
	c->peer_done = true;
	if (c->state == CONN_READ)
		conn_advance(c);
	else if (c->state == CONN_LINGER)
		conn_close(c);
}

static void on_event(struct bufferevent *bev, short what, void *ctx)
{
	struct conn *c = ctx;
	struct loop *loop = c->srv->loop;
	int64_t since_us = loop_enter();

	(void)bev;
	if ((what & BEV_EVENT_CONNECTED) != 0)
		handshake_done(c);
	else if (c->state == CONN_HANDSHAKE)
		handshake_failed(c);
	else if ((what & BEV_EVENT_EOF) != 0)
		input_ended(c);
	else
		conn_close(c);
	loop_leave(loop, since_us);
}

/* --- The beginning. */
static struct bufferevent *bev_new(struct http_server *srv, int fd, SSL *ssl)
{
	struct event_base *base = loop_base(srv->loop);

	if (ssl == NULL)
		return bufferevent_socket_new(base, fd, 0);
	return bufferevent_openssl_socket_new(
	        base, fd, ssl, BUFFEREVENT_SSL_ACCEPTING, 0);
}

static void peer_uid_read(struct conn *c)
{
	struct ucred cred;
	socklen_t n = sizeof(cred);

	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) == 0) {
		c->uid = cred.uid;
		c->gid = cred.gid;
	} else {
		c->addr.local = false;
	}
}

static void conn_start(struct conn *c)
{
	const struct http_limits *limits = &c->srv->limits;

	bufferevent_setcb(c->bev, on_read, on_write, on_event, c);
	bufferevent_setwatermark(c->bev, EV_READ, 0, INPUT_MAX_BYTES);
	if (c->ssl != NULL) {
		c->state = CONN_HANDSHAKE;
		conn_wait_for(c, WAIT_HANDSHAKE, limits->handshake_timeout_ms);
	} else {
		c->state = CONN_READ;
		conn_wait_for(c, WAIT_HEADER, limits->header_timeout_ms);
	}
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

enum rc conn_new(struct http_server *srv, const struct listener *listener,
        int fd, const struct net_addr *addr)
{
	struct tls_server *tls = listener->conf.tls;
	struct conn *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return RC_NOMEM;
	c->srv = srv;
	c->routes = listener->conf.routes;
	c->fd = fd;
	c->addr = *addr;
	http_parse_init(&c->parse);
	if (tls != NULL && (c->ssl = tls_server_ssl(tls)) == NULL)
		goto out;
	if (loop_timer_new(&c->timer, srv->loop, on_timer, c) != RC_OK)
		goto out;
	c->bev = bev_new(srv, fd, c->ssl);
	if (c->bev == NULL)
		goto out;
	if (addr->local)
		peer_uid_read(c);
	server_enter(srv, c);
	conn_start(c);
	return RC_OK;
out:
	loop_timer_free(c->timer);
	SSL_free(c->ssl);
	free(c);
	return RC_NOMEM;
}
