#include "base/clock.h"
#include "net/http_client.h"
#include "tests/unit/net_fixture.h"
#include "tests/unit/test_net.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOON_MS 3000
#define HOST "Host: h\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" HOST
#define END "Connection: close\r\n\r\n"

static void close_all(struct net_fixture *f, int fd, struct buf *out)
{
	if (fd >= 0)
		close(fd);
	buf_free(out);
	net_stop(f);
}

static struct http_limits quick(void)
{
	struct http_limits l = HTTP_LIMITS_DEFAULT;

	l.handshake_timeout_ms = l.header_timeout_ms = l.body_timeout_ms = 150;
	l.idle_timeout_ms = l.write_timeout_ms = 150;
	return l;
}

/* Send piece again and again, 20 ms apart, until the peer closes. Returns the
 * milliseconds that it took. */
static int64_t drip(
        struct net_fixture *f, int fd, const char *piece, struct buf *out)
{
	int64_t start_us = clock_mono_us();

	while (clock_mono_us() - start_us < SOON_MS * 1000) {
		if (net_read(f, fd, out, NULL, 20))
			break;
		send(fd, piece, strlen(piece), MSG_NOSIGNAL);
	}
	return (clock_mono_us() - start_us) / 1000;
}

struct exchange {
	const char *name, *request, *status;
	const char *has, *has_not; /* in the answer; NULL: not looked at */
};

static const struct exchange exchanges[] = {
	{ "GET", GET("/echo") END, "200 OK", "Content-Length: 5\r\n", NULL },
	{ "Date is sent", GET("/echo") END, "200 OK", "\r\nDate: ", NULL },
	{ "POST",
	        "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 3\r\n" END
	        "abc",
	        "200 OK", "\r\n\r\nabc", "hello" },
	{ "HEAD", "HEAD /echo HTTP/1.1\r\n" HOST END, "200 OK",
	        "Content-Length: 5\r\n", "hello" },
	{ "HEAD of a file", "HEAD /file HTTP/1.1\r\n" HOST END, "200 OK",
	        "Content-Length: 8388608\r\n", "ff" },
	{ "HTTP/1.0 closes", "GET /echo HTTP/1.0\r\n\r\n", "200 OK",
	        "Connection: close\r\n", NULL },
	{ "not found", GET("/other") END, "404 Not Found", NULL, NULL },
	{ "an escaped spelling is no route", GET("/%65cho") END,
	        "404 Not Found", NULL, NULL },
	{ "prefix", GET("/rest/a/b?q") END, "200 OK", "\r\n\r\na/b", NULL },
	{ "method", "DELETE /echo HTTP/1.1\r\n" HOST END,
	        "405 Method Not Allowed", "Allow: GET, HEAD, POST\r\n", NULL },
	{ "an unread body closes",
	        "POST /other HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\n",
	        "404 Not Found", "Connection: close\r\n", NULL },
	{ "body over the route's cap",
	        "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 101\r\n\r\n",
	        "413 Content Too Large", "Connection: close\r\n", NULL },
	{ "body where there is none to be",
	        GET("/echo") "Content-Length: 1\r\n\r\nx",
	        "413 Content Too Large", NULL, NULL },
	{ "both framings",
	        "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n"
	        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" GET("/echo"),
	        "400 Bad Request", "Connection: close\r\n", "200 OK" },
	{ "no length", "POST /echo HTTP/1.1\r\n" HOST "\r\n",
	        "411 Length Required", "Connection: close\r\n", NULL },
	{ "unknown method", "BREW /echo HTTP/1.1\r\n", "501 Not Implemented",
	        "Connection: close\r\n", NULL },
	{ "header injection", GET("/inject") END, "500 ", NULL, "X-Bad" },
	{ "the line end that libest sends is drained",
	        "POST /echo HTTP/1.1\r\n" HOST
	        "Content-Length: 3\r\n\r\nabc\r\n" GET("/rest/x") END,
	        "200 OK", "\r\n\r\nx", NULL },
};

START_TEST(answers_say_what_the_table_says_and_close)
{
	const struct exchange *e = &exchanges[_i];
	struct buf out = BUF_INIT(1 << 20);
	struct net_fixture f;

	net_start(&f, NULL, NULL, NULL);
	net_ask(&f, e->request, &out);
	ck_assert_msg(net_has(&out, "HTTP/1.1 ") &&
	                bytes_starts(bytes_skip(buf_bytes(&out), 9),
	                        bytes_str(e->status)),
	        "%s: %s", e->name, buf_cstr(&out));
	ck_assert_msg(e->has == NULL || net_has(&out, e->has), "%s: %s",
	        e->name, buf_cstr(&out));
	ck_assert_msg(e->has_not == NULL || !net_has(&out, e->has_not),
	        "%s: %s", e->name, buf_cstr(&out));
	close_all(&f, -1, &out);
}
END_TEST

START_TEST(malformed_requests_get_their_status_and_a_closed_connection)
{
	const struct net_refused *t = &net_refused[_i];
	struct buf out = BUF_INIT(1 << 20);
	struct net_fixture f;
	char want[16];
	int fd;

	net_start(&f, NULL, NULL, NULL);
	fd = net_connect(&f);
	ck_assert_int_eq(send(fd, t->input.p, t->input.n, MSG_NOSIGNAL),
	        (ssize_t)t->input.n);
	ck_assert_msg(
	        net_read(&f, fd, &out, NULL, SOON_MS), "%s: open", t->name);
	snprintf(want, sizeof(want), "HTTP/1.1 %u ", t->status);
	ck_assert_msg(bytes_starts(buf_bytes(&out), bytes_str(want)), "%s: %s",
	        t->name, buf_cstr(&out));
	ck_assert(net_has(&out, "Connection: close\r\n"));
	ck_assert_uint_eq(f.n_calls, 0);
	close_all(&f, fd, &out);
}
END_TEST

START_TEST(kept_connection_serves_again_in_http_1_0_too)
{
	struct buf out = BUF_INIT(1 << 20);
	struct net_fixture f;
	int fd;

	net_start(&f, NULL, NULL, NULL);
	fd = net_connect(&f);
	for (unsigned i = 1; i <= 3; i++) {
		net_send(fd,
		        "GET /echo HTTP/1.0\r\n"
		        "Connection: keep-alive\r\n\r\n");
		ck_assert(!net_read(&f, fd, &out, "hello", SOON_MS));
		ck_assert(net_has(&out, "Connection: keep-alive\r\n"));
		ck_assert_uint_eq(f.n_calls, i);
		buf_reset(&out);
	}
	close_all(&f, fd, &out);
}
END_TEST

START_TEST(pipelined_requests_are_answered_in_order)
{
	struct buf out = BUF_INIT(1 << 20);
	struct net_fixture f;
	int fd;

	net_start(&f, NULL, NULL, NULL);
	fd = net_connect(&f);
	net_send(fd,
	        GET("/rest/1") "\r\n" GET("/hold") "\r\n" GET("/rest/3") END);
	net_read(&f, fd, &out, "\r\n\r\n1", SOON_MS);
	net_read(&f, fd, &out, NULL, 50);
	ck_assert_ptr_nonnull(f.held);
	ck_assert(!net_has(&out, "\r\n\r\n3"));
	http_answer_text(f.held, 200, "2");
	ck_assert(net_read(&f, fd, &out, NULL, SOON_MS));
	ck_assert(net_has(&out, "\r\n\r\n2\n"));
	ck_assert(strstr(buf_cstr(&out), "\r\n\r\n2\n") <
	        strstr(buf_cstr(&out), "\r\n\r\n3"));
	close_all(&f, fd, &out);
}
END_TEST

START_TEST(many_pipelined_requests_do_not_grow_the_stack)
{
	struct buf in = BUF_INIT(1 << 20), out = BUF_INIT(4 << 20);
	struct net_fixture f;
	int fd;

	net_start(&f, NULL, NULL, NULL);
	fd = net_connect(&f);
	for (int i = 0; i < 2000; i++)
		buf_add_str(&in, GET("/echo") "\r\n");
	buf_add_str(&in, GET("/rest/last") END);
	net_send(fd, buf_cstr(&in));
	ck_assert(net_read(&f, fd, &out, NULL, SOON_MS));
	ck_assert(net_has(&out, "\r\n\r\nlast"));
	ck_assert_uint_eq(f.n_calls, 2000);
	buf_free(&in);
	close_all(&f, fd, &out);
}
END_TEST

START_TEST(answer_reaches_a_peer_that_closed_its_side)
{
	struct buf out = BUF_INIT(1 << 20);
	struct net_fixture f;
	int fd;

	net_start(&f, NULL, NULL, NULL);
	fd = net_connect(&f);
	net_send(fd, GET("/hold") "\r\n");
	shutdown(fd, SHUT_WR);
	net_read(&f, fd, &out, NULL, 50);
	ck_assert_ptr_nonnull(f.held);
	http_answer_text(f.held, 200, "late");
	ck_assert(net_read(&f, fd, &out, NULL, SOON_MS));
	ck_assert(net_has(&out, "late\n"));
	ck_assert_uint_eq(http_server_connections(f.srv), 0);
	close_all(&f, fd, &out);
}
END_TEST

/* Close so that the server gets a reset. */
static void slam(int fd)
{
	struct linger now = { 1, 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

START_TEST(request_outlives_its_peer)
{
	struct buf out = BUF_INIT(1 << 20);
	struct net_fixture f;
	int fd;

	net_start(&f, NULL, NULL, NULL);
	fd = net_connect(&f);
	net_send(fd, GET("/hold") "X: y\r\n\r\n");
	net_read(&f, fd, &out, NULL, 50);
	ck_assert_ptr_nonnull(f.held);
	slam(fd);
	for (int i = 0; i < 500 && !http_req_is_gone(f.held); i++)
		net_turn(&f);
	ck_assert(http_req_is_gone(f.held));
	ck_assert(bytes_eq_str(http_req_header(f.held, "x"), "y"));
	ck_assert_uint_eq(http_server_connections(f.srv), 1);
	http_answer_text(f.held, 200, "to nobody");
	ck_assert_uint_eq(http_server_connections(f.srv), 0);
	close_all(&f, -1, &out);
}
END_TEST

START_TEST(request_outlives_the_server)
{
	struct buf out = BUF_INIT(1 << 20);
	struct net_fixture f;
	int fd;

	net_start(&f, NULL, NULL, NULL);
	fd = net_connect(&f);
	net_send(fd, GET("/hold") "\r\n");
	net_read(&f, fd, &out, NULL, 50);
	ck_assert_ptr_nonnull(f.held);
	http_server_free(f.srv);
	f.srv = NULL;
	ck_assert(bytes_eq_str(http_req_path(f.held), "/hold"));
	http_answer_text(f.held, 200, "to nobody");
	close_all(&f, fd, &out);
}
END_TEST

static const char *const large[] = { GET("/big") END, GET("/file") END };

START_TEST(large_answer_reaches_a_slow_reader_whole)
{
	struct buf out = BUF_INIT(NET_BIG_BYTES + 65536 + 4096);
	struct net_fixture f;
	int fd;

	net_start(&f, NULL, NULL, NULL);
	fd = net_connect(&f);
	net_send(fd, large[_i]);
	for (int i = 0; i < 50; i++)
		net_turn(&f);
	ck_assert(net_read(&f, fd, &out, NULL, SOON_MS));
	ck_assert_uint_gt(out.n, NET_BIG_BYTES);
	close_all(&f, fd, &out);
}
END_TEST

START_TEST(answer_is_not_lost_to_unread_input)
{
	struct buf out = BUF_INIT(1 << 20);
	struct net_fixture f;
	int fd;

	net_start(&f, NULL, NULL, NULL);
	fd = net_connect(&f);
	net_send(fd,
	        "POST /other HTTP/1.1\r\n" HOST
	        "Content-Length: 900000\r\n\r\n");
	for (int i = 0; i < 20; i++) {
		net_send(fd, GET("/echo") "\r\n");
		net_turn(&f);
	}
	ck_assert(net_read(&f, fd, &out, NULL, SOON_MS));
	ck_assert(net_has(&out, "404 Not Found"));
	ck_assert(!net_has(&out, "200 OK"));
	close_all(&f, fd, &out);
}
END_TEST

START_TEST(continue_is_said_only_to_who_will_be_heard)
{
	struct buf out = BUF_INIT(1 << 20);
	struct net_fixture f;
	int fd;

	net_start(&f, NULL, NULL, NULL);
	fd = net_connect(&f);
	net_send(fd,
	        "POST /echo HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n"
	        "Content-Length: 3\r\n" END);
	ck_assert(!net_read(&f, fd, &out, "100 Continue\r\n\r\n", SOON_MS));
	net_send(fd, "abc");
	ck_assert(net_read(&f, fd, &out, NULL, SOON_MS));
	ck_assert(net_has(&out, "\r\n\r\nHTTP/1.1 200 OK"));
	buf_reset(&out);
	net_ask(&f,
	        "POST /echo HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n"
	        "Content-Length: 300\r\n\r\n",
	        &out);
	ck_assert(!net_has(&out, "100 Continue"));
	ck_assert(net_has(&out, "413 Content Too Large"));
	buf_reset(&out);
	net_ask(&f,
	        "POST /echo HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n"
	        "Content-Length: 3\r\n" END "abc",
	        &out);
	ck_assert(!net_has(&out, "100 Continue"));
	close_all(&f, fd, &out);
}
END_TEST

/* --- Deadlines. */
START_TEST(dripping_header_meets_its_deadline)
{
	struct http_limits l = quick();
	struct buf out = BUF_INIT(1 << 20);
	struct net_fixture f;
	int64_t took_ms;
	int fd;

	net_start(&f, &l, NULL, NULL);
	fd = net_connect(&f);
	net_send(fd, GET("/echo"));
	took_ms = drip(&f, fd, "X: y\r\n", &out);
	ck_assert(net_has(&out, "408 Request Timeout"));
	ck_assert_int_ge(took_ms, 100);
	ck_assert_int_lt(took_ms, 1500);
	close_all(&f, fd, &out);
}
END_TEST

START_TEST(dripping_body_meets_its_deadline)
{
	struct http_limits l = quick();
	struct buf out = BUF_INIT(1 << 20);
	struct net_fixture f;
	int fd;

	net_start(&f, &l, NULL, NULL);
	fd = net_connect(&f);
	net_send(fd,
	        "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 90\r\n\r\n");
	ck_assert_int_lt(drip(&f, fd, "x", &out), 1500);
	ck_assert(net_has(&out, "408 Request Timeout"));
	ck_assert_uint_eq(f.n_calls, 0);
	close_all(&f, fd, &out);
}
END_TEST

START_TEST(idle_connection_is_closed_without_a_word)
{
	struct http_limits l = quick();
	struct buf out = BUF_INIT(1 << 20);
	struct net_fixture f;
	int fd;

	net_start(&f, &l, NULL, NULL);
	fd = net_connect(&f);
	ck_assert(net_read(&f, fd, &out, NULL, 1500));
	ck_assert_uint_eq(out.n, 0);
	close(fd);
	fd = net_connect(&f);
	net_send(fd, GET("/echo") "\r\n");
	net_read(&f, fd, &out, "hello", SOON_MS);
	buf_reset(&out);
	ck_assert(net_read(&f, fd, &out, NULL, 1500));
	ck_assert_uint_eq(out.n, 0);
	close_all(&f, fd, &out);
}
END_TEST

START_TEST(second_request_that_drips_meets_its_deadline)
{
	struct http_limits l = quick();
	struct buf out = BUF_INIT(1 << 20);
	struct net_fixture f;
	int fd;

	l.idle_timeout_ms = 60000;
	net_start(&f, &l, NULL, NULL);
	fd = net_connect(&f);
	net_send(fd, GET("/echo") "\r\n");
	net_read(&f, fd, &out, "hello", SOON_MS);
	net_send(fd, GET("/echo"));
	ck_assert_int_lt(drip(&f, fd, "X: y\r\n", &out), 1500);
	ck_assert(net_has(&out, "408 Request Timeout"));
	close_all(&f, fd, &out);
}
END_TEST

START_TEST(handler_may_take_longer_than_any_deadline)
{
	struct http_limits l = quick();
	struct buf out = BUF_INIT(1 << 20);
	struct net_fixture f;
	int fd;

	net_start(&f, &l, NULL, NULL);
	fd = net_connect(&f);
	net_send(fd, GET("/hold") "\r\n");
	ck_assert(!net_read(&f, fd, &out, NULL, 400));
	http_answer_text(f.held, 200, "at last");
	ck_assert(!net_read(&f, fd, &out, "at last", SOON_MS));
	close_all(&f, fd, &out);
}
END_TEST

START_TEST(peer_that_does_not_read_is_closed)
{
	struct http_limits l = quick();
	struct buf out = BUF_INIT(1 << 20);
	struct net_fixture f;
	int64_t start_us = clock_mono_us();
	int fd;

	/* The rate's share would be minutes: the answer is large. */
	l.write_timeout_ms =
	        200 - (int64_t)(NET_BIG_BYTES / HTTP_WRITE_BYTES_PER_S) * 1000;
	net_start(&f, &l, NULL, NULL);
	fd = net_connect(&f);
	net_send(fd, GET("/big") "\r\n");
	do
		net_turn(&f);
	while (http_server_connections(f.srv) > 0 ||
	        clock_mono_us() - start_us < 100000);
	ck_assert_int_lt(clock_mono_us() - start_us, 2000000);
	close_all(&f, fd, &out);
}
END_TEST

/* --- Caps. */
START_TEST(connection_past_the_cap_is_refused_or_takes_an_idle_ones_place)
{
	struct http_limits l = HTTP_LIMITS_DEFAULT;
	struct buf out = BUF_INIT(1 << 20);
	struct net_fixture f;
	int busy, idle, late;

	l.connections = 2;
	net_start(&f, &l, NULL, NULL);
	busy = net_connect(&f);
	net_send(busy, GET("/hold") "\r\n");
	idle = net_connect(&f);
	net_send(idle, GET("/echo") "\r\n");
	net_read(&f, idle, &out, "hello", SOON_MS);
	late = net_connect(&f);
	ck_assert(net_read(&f, idle, &out, NULL, SOON_MS));
	close(idle);
	/* late has not been served yet, so it is not idle. */
	idle = net_connect(&f);
	ck_assert(net_read(&f, idle, &out, NULL, SOON_MS));
	buf_reset(&out);
	net_send(late, GET("/echo") END);
	ck_assert(net_read(&f, late, &out, NULL, SOON_MS));
	ck_assert(net_has(&out, "hello"));
	http_answer_text(f.held, 200, "");
	close(busy);
	close(late);
	close_all(&f, idle, &out);
}
END_TEST

START_TEST(connections_of_one_address_are_capped)
{
	struct http_limits l = HTTP_LIMITS_DEFAULT;
	struct buf out = BUF_INIT(1 << 20);
	struct net_fixture f;
	int a, b, c;

	l.connections_per_address = 2;
	net_start(&f, &l, NULL, NULL);
	a = net_connect(&f);
	b = net_connect(&f);
	net_turn(&f);
	c = net_connect(&f);
	ck_assert(net_read(&f, c, &out, NULL, SOON_MS));
	ck_assert_uint_eq(http_server_connections(f.srv), 2);
	close(a);
	close(b);
	close_all(&f, c, &out);
}
END_TEST

START_TEST(connection_closes_after_its_share_of_requests)
{
	struct http_limits l = HTTP_LIMITS_DEFAULT;
	struct buf out = BUF_INIT(1 << 20);
	struct net_fixture f;

	l.requests_per_connection = 2;
	net_start(&f, &l, NULL, NULL);
	net_ask(&f, GET("/echo") "\r\n" GET("/echo") "\r\n" GET("/echo") "\r\n",
	        &out);
	ck_assert_uint_eq(f.n_calls, 2);
	ck_assert(net_has(&out, "Connection: close\r\n"));
	close_all(&f, -1, &out);
}
END_TEST

START_TEST(accept_limit_is_charged_for_each_connection)
{
	struct limit_conf conf = { 1, 2, 16 };
	struct buf out = BUF_INIT(1 << 20);
	struct limit *limit;
	struct net_fixture f;

	ck_assert_int_eq(limit_new(&limit, &conf), RC_OK);
	net_start(&f, NULL, NULL, limit);
	for (int i = 0; i < 3; i++) {
		int fd = net_connect(&f);

		send(fd, GET("/echo") END, sizeof(GET("/echo") END) - 1,
		        MSG_NOSIGNAL);
		ck_assert(net_read(&f, fd, &out, NULL, SOON_MS));
		close(fd);
	}
	ck_assert_uint_eq(f.n_calls, 2);
	close_all(&f, -1, &out);
	limit_free(limit);
}
END_TEST

/* --- Drain. */
static void on_drained(void *ctx)
{
	((struct net_fixture *)ctx)->drained = true;
}

START_TEST(drain_finishes_what_is_in_flight_and_closes_the_rest)
{
	struct buf out = BUF_INIT(1 << 20);
	struct net_fixture f;
	int busy, idle;

	net_start(&f, NULL, NULL, NULL);
	busy = net_connect(&f);
	net_send(busy, GET("/hold") "\r\n");
	idle = net_connect(&f);
	net_send(idle, GET("/echo") "\r\n");
	net_read(&f, idle, &out, "hello", SOON_MS);
	http_server_drain(f.srv, on_drained, &f);
	ck_assert(net_read(&f, idle, &out, NULL, SOON_MS));
	close(idle);
	ck_assert(!net_read(&f, busy, &out, NULL, 50));
	ck_assert(!f.drained);
	buf_reset(&out);
	http_answer_text(f.held, 200, "done");
	ck_assert(net_read(&f, busy, &out, NULL, SOON_MS));
	ck_assert(net_has(&out, "Connection: close\r\n"));
	ck_assert(net_has(&out, "done\n"));
	close(busy);
	for (int i = 0; i < 500 && !f.drained; i++)
		net_turn(&f);
	ck_assert(f.drained);
	close_all(&f, -1, &out);
}
END_TEST

START_TEST(drain_of_an_idle_server_is_done_at_once)
{
	struct buf out = BUF_INIT(1 << 20);
	struct net_fixture f;

	net_start(&f, NULL, NULL, NULL);
	http_server_drain(f.srv, on_drained, &f);
	ck_assert(!f.drained);
	net_turn(&f);
	ck_assert(f.drained);
	close_all(&f, -1, &out);
}
END_TEST

/* --- Unix sockets and the client. */
struct call {
	struct http_call conf;
	unsigned status;
	struct buf out;
	enum rc rc;
	bool done;
	pthread_mutex_t lock;
};

static void *call_run(void *ctx)
{
	struct call *c = ctx;
	enum rc rc = http_client_call(&c->conf, &c->status, &c->out, NULL);

	pthread_mutex_lock(&c->lock);
	c->rc = rc;
	c->done = true;
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

static bool call_done(struct call *c)
{
	bool done;

	pthread_mutex_lock(&c->lock);
	done = c->done;
	pthread_mutex_unlock(&c->lock);
	return done;
}

/* The client blocks, so it has a thread; this one turns the loop. */
static void call(struct net_fixture *f, struct call *c)
{
	pthread_t thread;

	pthread_mutex_init(&c->lock, NULL);
	ck_assert_int_eq(pthread_create(&thread, NULL, call_run, c), 0);
	while (!call_done(c))
		net_turn(f);
	pthread_join(thread, NULL);
}

static void socket_path(char *out, size_t n, const char *dir)
{
	snprintf(out, n, "%s/s", dir);
}

START_TEST(unix_socket_tells_who_calls)
{
	char dir[] = "/tmp/mica-net-XXXXXX", path[64], want[32];
	struct call c = { .out = BUF_INIT(4096) };
	struct why why = WHY_NONE;
	struct net_fixture f;
	struct stat st;
	int fd, fd2;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	socket_path(path, sizeof(path), dir);
	ck_assert_int_eq(listen_unix(&fd, path, 0600, &why), RC_OK);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(listen_unix(&fd2, path, 0600, &why), RC_EXISTS);
	net_start_fd(&f, NULL, fd);
	c.conf = (struct http_call){ path, "GET", "/uid", BYTES_NONE, 5000 };
	call(&f, &c);
	ck_assert_int_eq(c.rc, RC_OK);
	ck_assert_uint_eq(c.status, 200);
	snprintf(want, sizeof(want), "uid %u groups %d\n", (unsigned)getuid(),
	        getgroups(0, NULL));
	ck_assert_str_eq(buf_cstr(&c.out), want);
	net_stop(&f);
	/* Nobody is there any more: the file is stale, and is replaced. */
	buf_reset(&c.out);
	ck_assert_int_eq(
	        http_client_call(&c.conf, &c.status, &c.out, &why), RC_CLOSED);
	ck_assert_int_eq(listen_unix(&fd, path, 0660, &why), RC_OK);
	close(fd);
	unlink(path);
	rmdir(dir);
	buf_free(&c.out);
}
END_TEST

START_TEST(client_sends_a_body_and_caps_the_answer)
{
	char dir[] = "/tmp/mica-net-XXXXXX", path[64];
	struct call c = { .out = BUF_INIT(4096) };
	struct net_fixture f;
	int fd;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	socket_path(path, sizeof(path), dir);
	ck_assert_int_eq(listen_unix(&fd, path, 0600, NULL), RC_OK);
	net_start_fd(&f, NULL, fd);
	c.conf = (struct http_call){ path, "POST", "/echo", BYTES_LIT("abc"),
		5000 };
	call(&f, &c);
	ck_assert_int_eq(c.rc, RC_OK);
	ck_assert_str_eq(buf_cstr(&c.out), "abc");
	c.done = false;
	buf_reset(&c.out);
	c.conf = (struct http_call){ path, "GET", "/big", BYTES_NONE, 5000 };
	call(&f, &c);
	ck_assert_int_eq(c.rc, RC_TOOBIG);
	c.done = false;
	buf_reset(&c.out);
	c.conf = (struct http_call){ path, "GET", "/hold", BYTES_NONE, 100 };
	call(&f, &c);
	ck_assert_int_eq(c.rc, RC_TIMEOUT);
	http_answer_text(f.held, 200, "too late");
	net_stop(&f);
	unlink(path);
	rmdir(dir);
	buf_free(&c.out);
}
END_TEST

TCase *test_net_server(void)
{
	TCase *t = tcase_create("server");

	tcase_add_loop_test(t, answers_say_what_the_table_says_and_close, 0,
	        (int)(sizeof(exchanges) / sizeof(exchanges[0])));
	tcase_add_loop_test(t,
	        malformed_requests_get_their_status_and_a_closed_connection, 0,
	        (int)net_refused_count);
	tcase_add_test(t, kept_connection_serves_again_in_http_1_0_too);
	tcase_add_test(t, pipelined_requests_are_answered_in_order);
	tcase_add_test(t, many_pipelined_requests_do_not_grow_the_stack);
	tcase_add_test(t, answer_reaches_a_peer_that_closed_its_side);
	tcase_add_test(t, request_outlives_its_peer);
	tcase_add_test(t, request_outlives_the_server);
	tcase_add_loop_test(t, large_answer_reaches_a_slow_reader_whole, 0, 2);
	tcase_add_test(t, answer_is_not_lost_to_unread_input);
	tcase_add_test(t, continue_is_said_only_to_who_will_be_heard);
	tcase_add_test(t, dripping_header_meets_its_deadline);
	tcase_add_test(t, dripping_body_meets_its_deadline);
	tcase_add_test(t, idle_connection_is_closed_without_a_word);
	tcase_add_test(t, second_request_that_drips_meets_its_deadline);
	tcase_add_test(t, handler_may_take_longer_than_any_deadline);
	tcase_add_test(t, peer_that_does_not_read_is_closed);
	tcase_add_test(t,
	        connection_past_the_cap_is_refused_or_takes_an_idle_ones_place);
	tcase_add_test(t, connections_of_one_address_are_capped);
	tcase_add_test(t, connection_closes_after_its_share_of_requests);
	tcase_add_test(t, accept_limit_is_charged_for_each_connection);
	tcase_add_test(t, drain_finishes_what_is_in_flight_and_closes_the_rest);
	tcase_add_test(t, drain_of_an_idle_server_is_done_at_once);
	tcase_add_test(t, unix_socket_tells_who_calls);
	tcase_add_test(t, client_sends_a_body_and_caps_the_answer);
	return t;
}
