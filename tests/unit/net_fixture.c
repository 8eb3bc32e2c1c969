#include "tests/unit/net_fixture.h"
#include "base/clock.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Longer than any test waits for something that does come. */
#define PATIENCE_MS 10000

static const struct http_header plain = { "Content-Type", "text/plain" };

static void echo(void *ctx, struct http_req *req)
{
	struct net_fixture *f = ctx;
	struct bytes body = http_req_body(req);

	f->n_calls++;
	http_answer(
	        req, 200, &plain, 1, body.n > 0 ? body : BYTES_LIT("hello"));
}

static void hold(void *ctx, struct http_req *req)
{
	struct net_fixture *f = ctx;

	f->n_calls++;
	f->held = req;
}

static void big(void *ctx, struct http_req *req)
{
	uint8_t *p = malloc(NET_BIG_BYTES);

	(void)ctx;
	ck_assert_ptr_nonnull(p);
	memset(p, 'b', NET_BIG_BYTES);
	http_answer(req, 200, &plain, 1, bytes_of(p, NET_BIG_BYTES));
	free(p);
}

/* A new one each time, given back while it is sent. */
static void file(void *ctx, struct http_req *req)
{
	struct http_file *file = NULL;
	char name[] = "/tmp/mica-net-XXXXXX";
	uint8_t *p = malloc(NET_BIG_BYTES);
	int fd = mkstemp(name);

	(void)ctx;
	(void)unlink(name);
	memset(p, 'f', NET_BIG_BYTES);
	ck_assert_int_eq(write(fd, p, NET_BIG_BYTES), NET_BIG_BYTES);
	ck_assert_int_eq(http_file_new(&file, fd), RC_OK);
	http_answer_file(req, 200, &plain, 1, file);
	http_file_free(file);
	free(p);
}

static void inject(void *ctx, struct http_req *req)
{
	const struct http_header bad = { "Location", "/\r\nX-Bad: y" };

	(void)ctx;
	http_answer(req, 200, &bad, 1, BYTES_LIT("no"));
}

static void rest(void *ctx, struct http_req *req)
{
	(void)ctx;
	http_answer(req, 200, &plain, 1, http_req_rest(req));
}

static void peer(void *ctx, struct http_req *req)
{
	struct net_fixture *f = ctx;
	const struct tls_peer *p = http_req_tls_peer(req);

	ck_assert_ptr_nonnull(p);
	f->n_calls++;
	f->peer = *p;
	f->binding_rc = http_req_channel_binding(req, &f->binding, NULL);
	http_answer_text(req, 200, "peer");
}

static void uid(void *ctx, struct http_req *req)
{
	char text[32] = "none";
	gid_t groups[256];
	uid_t u;
	gid_t g;

	(void)ctx;
	if (http_req_peer_uid(req, &u, &g))
		snprintf(text, sizeof(text), "uid %u groups %zu", (unsigned)u,
		        http_req_peer_groups(req, groups, 256));
	http_answer_text(req, 200, text);
}

static const struct http_routes *routes_new(struct net_fixture *f)
{
	const struct http_route all[] = {
		{ HTTP_GET, HTTP_EXACT, "/echo", 0, echo, f },
		{ HTTP_POST, HTTP_EXACT, "/", NET_BODY_MAX_BYTES, echo, f },
		{ HTTP_POST, HTTP_EXACT, "/echo", NET_BODY_MAX_BYTES, echo, f },
		{ HTTP_GET, HTTP_EXACT, "/hold", 0, hold, f },
		{ HTTP_GET, HTTP_EXACT, "/big", 0, big, f },
		{ HTTP_GET, HTTP_EXACT, "/file", 0, file, f },
		{ HTTP_GET, HTTP_EXACT, "/inject", 0, inject, f },
		{ HTTP_GET, HTTP_PREFIX, "/rest/", 0, rest, f },
		{ HTTP_GET, HTTP_EXACT, "/peer", 0, peer, f },
		{ HTTP_GET, HTTP_EXACT, "/uid", 0, uid, f },
	};
	static struct http_route kept[sizeof(all) / sizeof(all[0])];
	static const struct http_routes table = { kept,
		sizeof(all) / sizeof(all[0]) };

	memcpy(kept, all, sizeof(all));
	return &table;
}

static void start(struct net_fixture *f, const struct http_limits *limits,
        const struct http_listener *listener)
{
	struct http_limits l = limits != NULL ? *limits : HTTP_LIMITS_DEFAULT;

	ck_assert_int_eq(loop_new(&f->loop), RC_OK);
	ck_assert_int_eq(http_server_new(&f->srv, f->loop, &l, NULL), RC_OK);
	ck_assert_int_eq(http_server_listen(f->srv, listener), RC_OK);
}

void net_start(struct net_fixture *f, const struct http_limits *limits,
        struct tls_server *tls, struct limit *accept_limit)
{
	struct http_listener listener = { .tls = tls,
		.accept_limit = accept_limit };
	struct net_addr any;

	memset(f, 0, sizeof(*f));
	listener.routes = routes_new(f);
	ck_assert_int_eq(net_addr_parse(&any, "127.0.0.1:0", NULL), RC_OK);
	ck_assert_int_eq(
	        listen_tcp(&listener.fd, &any, true, &f->addr, NULL), RC_OK);
	start(f, limits, &listener);
}

void net_start_routes(struct net_fixture *f, const struct http_routes *routes)
{
	struct http_listener listener = { .routes = routes };
	struct net_addr any;

	memset(f, 0, sizeof(*f));
	ck_assert_int_eq(net_addr_parse(&any, "127.0.0.1:0", NULL), RC_OK);
	ck_assert_int_eq(
	        listen_tcp(&listener.fd, &any, true, &f->addr, NULL), RC_OK);
	start(f, NULL, &listener);
}

void net_start_fd(
        struct net_fixture *f, const struct http_limits *limits, int fd)
{
	struct http_listener listener = { .fd = fd };

	memset(f, 0, sizeof(*f));
	listener.routes = routes_new(f);
	start(f, limits, &listener);
}

void net_stop(struct net_fixture *f)
{
	http_server_free(f->srv);
	loop_free(f->loop);
}

void net_turn(struct net_fixture *f)
{
	loop_poll(f->loop);
	usleep(200);
}

int net_connect(struct net_fixture *f)
{
	struct sockaddr_storage sa;
	socklen_t n;
	int fd;

	net_addr_to(&f->addr, &sa, &n);
	fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, n), 0);
	return fd;
}

void net_send(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL),
	        (ssize_t)strlen(text));
}

bool net_has(struct buf *b, const char *text)
{
	const char *have = buf_cstr(b);

	return have != NULL && strstr(have, text) != NULL;
}

bool net_read(struct net_fixture *f, int fd, struct buf *out, const char *want,
        int64_t ms)
{
	int64_t end_us = clock_mono_us() + ms * 1000;

	while (clock_mono_us() < end_us) {
		uint8_t *room = buf_room(out, 65536);
		ssize_t n;

		ck_assert_ptr_nonnull(room);
		net_turn(f);
		n = recv(fd, room, 65536, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return true;
		if (n > 0)
			buf_added(out, (size_t)n);
		if (want != NULL && net_has(out, want))
			return false;
	}
	return false;
}

void net_ask(struct net_fixture *f, const char *request, struct buf *out)
{
	int fd = net_connect(f);

	net_send(fd, request);
	ck_assert_msg(net_read(f, fd, out, NULL, PATIENCE_MS),
	        "not closed after: %s", request);
	close(fd);
}
