#include "net/addr.h"
#include "net/http_date.h"
#include "net/limit.h"
#include "net/listen.h"
#include "net/route.h"
#include "tests/unit/test_net.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

START_TEST(addresses_read_and_print_alike)
{
	static const char *const good[] = { "192.0.2.1:8443", "0.0.0.0:0",
		"[::1]:80", "[2001:db8::1]:65535", "[::]:0" };
	char text[NET_ADDR_TEXT_BYTES];
	struct net_addr a;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ck_assert_int_eq(net_addr_parse(&a, good[i], NULL), RC_OK);
		ck_assert_str_eq(net_addr_text(text, &a), good[i]);
	}
	a = (struct net_addr){ .local = true };
	ck_assert_str_eq(net_addr_text(text, &a), "unix");
}
END_TEST

START_TEST(addresses_that_need_a_lookup_or_a_guess_are_refused)
{
	static const char *const bad[] = { "", ":80", "192.0.2.1", "host:80",
		"192.0.2.1:65536", "192.0.2.1:-1", "192.0.2.1:", "::1:80",
		"[::1]80", "[::1:80", "[]:80", "192.0.2:80", "192.0.2.1:8a" };
	struct net_addr a;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(net_addr_parse(&a, bad[i], NULL) == RC_MALFORMED,
		        "%s", bad[i]);
}
END_TEST

static struct net_peer peer_of(const char *text)
{
	struct net_addr a;

	ck_assert_int_eq(net_addr_parse(&a, text, NULL), RC_OK);
	return net_addr_peer(&a);
}

START_TEST(an_ipv6_64_is_one_peer)
{
	ck_assert(net_peer_eq(
	        peer_of("[2001:db8::1]:1"), peer_of("[2001:db8::ffff:2]:2")));
	ck_assert(!net_peer_eq(
	        peer_of("[2001:db8::1]:1"), peer_of("[2001:db8:0:1::1]:1")));
	ck_assert(!net_peer_eq(peer_of("192.0.2.1:1"), peer_of("192.0.2.2:1")));
	ck_assert(net_peer_eq(
	        peer_of("192.0.2.1:1"), peer_of("[::ffff:192.0.2.1]:2")));
}
END_TEST

static void handler(void *ctx, struct http_req *req)
{
	(void)ctx, (void)req;
}

START_TEST(first_route_that_fits_is_taken)
{
	static const struct http_route routes[] = {
		{ HTTP_GET, HTTP_EXACT, "/a", 0, handler, NULL },
		{ HTTP_POST, HTTP_EXACT, "/a", 0, handler, NULL },
		{ HTTP_GET, HTTP_PREFIX, "/p/", 0, handler, NULL },
		{ HTTP_GET, HTTP_EXACT, "/p/x", 0, handler, NULL },
	};
	static const struct http_routes table = { routes, 4 };
	static const struct {
		enum http_method method;
		const char *path;
		enum rc rc;
		size_t route;
		unsigned allowed;
	} rows[] = {
		{ HTTP_GET, "/a", RC_OK, 0, 0 },
		{ HTTP_HEAD, "/a", RC_OK, 0, 0 },
		{ HTTP_POST, "/a", RC_OK, 1, 1u << HTTP_GET | 1u << HTTP_HEAD },
		{ HTTP_GET, "/p/x", RC_OK, 2, 0 },
		{ HTTP_GET, "/p/", RC_OK, 2, 0 },
		{ HTTP_GET, "/p", RC_NOTFOUND, 0, 0 },
		{ HTTP_GET, "/a/", RC_NOTFOUND, 0, 0 },
		{ HTTP_GET, "/A", RC_NOTFOUND, 0, 0 },
		{ HTTP_PUT, "/p/x", RC_UNSUPPORTED, 0,
		        1u << HTTP_GET | 1u << HTTP_HEAD },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct http_route *r = NULL;
		unsigned allowed;

		ck_assert_int_eq(http_route_find(&table, rows[i].method,
		                         bytes_str(rows[i].path), &r, &allowed),
		        rows[i].rc);
		if (rows[i].rc == RC_OK)
			ck_assert_ptr_eq(r, &routes[rows[i].route]);
		else
			ck_assert_uint_eq(allowed, rows[i].allowed);
	}
}
END_TEST

START_TEST(bucket_empties_and_fills_at_its_rate)
{
	struct limit_conf conf = { 100, 3, 8 };
	struct net_addr a, b;
	struct limit *l;

	ck_assert_int_eq(limit_new(&l, &conf), RC_OK);
	ck_assert_int_eq(net_addr_parse(&a, "192.0.2.1:1", NULL), RC_OK);
	ck_assert_int_eq(net_addr_parse(&b, "192.0.2.2:1", NULL), RC_OK);
	ck_assert(limit_take(l, &a, 2));
	ck_assert(!limit_take(l, &a, 2));
	ck_assert(limit_take(l, &a, 1));
	ck_assert(!limit_take(l, &a, 1));
	ck_assert(limit_take(l, &b, 3));
	usleep(15000); /* one token in 10 ms */
	ck_assert(limit_take(l, &a, 1));
	usleep(60000); /* never more than the burst */
	ck_assert(!limit_take(l, &a, 4));
	ck_assert(limit_take(l, &a, 3));
	limit_give(l, &a, 2);
	ck_assert(limit_take(l, &a, 2));
	limit_give(l, &a, 100); /* nor by what is given back */
	ck_assert(!limit_take(l, &a, 4));
	limit_free(l);
}
END_TEST

START_TEST(a_crowd_does_not_free_a_spent_bucket)
{
	struct limit_conf conf = { 1, 5, 64 };
	struct net_addr a, crowd;
	struct limit *l;

	ck_assert_int_eq(limit_new(&l, &conf), RC_OK);
	ck_assert_int_eq(net_addr_parse(&a, "192.0.2.1:1", NULL), RC_OK);
	ck_assert_int_eq(net_addr_parse(&crowd, "10.0.0.0:1", NULL), RC_OK);
	ck_assert(limit_take(l, &a, 5));
	for (unsigned i = 0; i < 10000; i++) {
		crowd.ip[14] = (uint8_t)(i >> 8);
		crowd.ip[15] = (uint8_t)i;
		(void)!limit_take(l, &crowd, 1);
	}
	ck_assert(!limit_take(l, &a, 5));
	limit_free(l);
}
END_TEST

START_TEST(local_peers_have_no_limit)
{
	struct limit_conf conf = { 1, 1, 8 };
	struct net_addr local = { .local = true }, a;
	struct limit *l;

	ck_assert_int_eq(limit_new(&l, &conf), RC_OK);
	ck_assert_int_eq(net_addr_parse(&a, "192.0.2.1:1", NULL), RC_OK);
	for (int i = 0; i < 5; i++) {
		ck_assert(limit_take(l, &local, 100));
		ck_assert(limit_take(NULL, &a, 100));
	}
	limit_free(l);
	conf.burst = 0;
	ck_assert_int_eq(limit_new(&l, &conf), RC_CONFIG);
}
END_TEST

START_TEST(several_sockets_share_a_port_only_when_asked_to)
{
	struct net_addr any, bound;
	int a, b, c;

	ck_assert_int_eq(net_addr_parse(&any, "127.0.0.1:0", NULL), RC_OK);
	ck_assert_int_eq(listen_tcp(&a, &any, true, &bound, NULL), RC_OK);
	ck_assert_uint_ne(bound.port, 0);
	ck_assert_int_eq(listen_tcp(&b, &bound, true, NULL, NULL), RC_OK);
	ck_assert_int_eq(listen_tcp(&c, &bound, false, NULL, NULL), RC_EXISTS);
	ck_assert_int_eq(listen_inherited(a, NULL), RC_OK);
	close(b);
	close(a);
}
END_TEST

START_TEST(inherited_descriptor_must_listen)
{
	char name[] = "/tmp/mica-net-XXXXXX";
	struct why why = WHY_NONE;
	int fd = mkstemp(name), pair[2];

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(listen_inherited(fd, &why), RC_CONFIG);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ck_assert_int_eq(listen_inherited(pair[0], &why), RC_CONFIG);
	ck_assert_int_eq(listen_inherited(-1, &why), RC_CONFIG);
	/* A file in the place of a socket is not removed. */
	ck_assert_int_eq(listen_unix(&pair[0], name, 0600, &why), RC_EXISTS);
	ck_assert_int_eq(access(name, F_OK), 0);
	unlink(name);
	close(fd);
	close(pair[1]);
}
END_TEST

START_TEST(dates_print_and_read_alike)
{
	static const struct {
		int64_t time_s;
		const char *text;
	} dates[] = {
		{ 784111777, "Sun, 06 Nov 1994 08:49:37 GMT" },
		{ 0, "Thu, 01 Jan 1970 00:00:00 GMT" },
		{ 951782400, "Tue, 29 Feb 2000 00:00:00 GMT" },
		{ 4102444799, "Thu, 31 Dec 2099 23:59:59 GMT" },
	};
	char text[HTTP_DATE_BYTES];
	int64_t time_s;

	for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
		ck_assert_str_eq(
		        http_date_format(text, dates[i].time_s), dates[i].text);
		ck_assert(http_date_parse(bytes_str(dates[i].text), &time_s));
		ck_assert_int_eq(time_s, dates[i].time_s);
	}
}
END_TEST

START_TEST(dates_of_other_forms_are_not_read)
{
	static const char *const others[] = { "",
		"Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
		"Sun, 06 Nov 1994 08:49:37 UTC",
		"Sun, 06 nov 1994 08:49:37 GMT",
		"Sun, 32 Nov 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 24:49:37 GMT",
		"Sun, 06 Nov 1994 08:49:-7 GMT",
		"Sun, 06 Nov 1994 08:49:37 GMT " };
	int64_t time_s;

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		ck_assert(!http_date_parse(bytes_str(others[i]), &time_s));
}
END_TEST

/* RFC 9110 sections 13.1.2 and 13.1.3 */
START_TEST(conditions_are_judged)
{
	static const struct {
		const char *none_match, *since;
		bool same;
	} cases[] = {
		{ NULL, NULL, false },
		{ "\"a\"", NULL, true },
		{ "W/\"a\"", NULL, true },
		{ "\"b\", \"a\"", NULL, true },
		{ "*", NULL, true },
		{ "\"b\"", NULL, false },
		{ "a", NULL, false },
		{ "", NULL, false },
		{ NULL, "Thu, 01 Jan 1970 00:16:40 GMT", true },
		{ NULL, "Thu, 01 Jan 1970 00:16:41 GMT", true },
		{ NULL, "Thu, 01 Jan 1970 00:16:39 GMT", false },
		{ NULL, "yesterday", false },
		/* the tag decides alone */
		{ "\"b\"", "Thu, 01 Jan 1970 00:16:41 GMT", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_msg(http_not_modified(bytes_str(cases[i].none_match),
		                      bytes_str(cases[i].since), "\"a\"",
		                      1000) == cases[i].same,
		        "case %zu", i);
}
END_TEST

TCase *test_net_small(void)
{
	TCase *t = tcase_create("small");

	tcase_add_test(t, addresses_read_and_print_alike);
	tcase_add_test(t, addresses_that_need_a_lookup_or_a_guess_are_refused);
	tcase_add_test(t, an_ipv6_64_is_one_peer);
	tcase_add_test(t, first_route_that_fits_is_taken);
	tcase_add_test(t, bucket_empties_and_fills_at_its_rate);
	tcase_add_test(t, a_crowd_does_not_free_a_spent_bucket);
	tcase_add_test(t, local_peers_have_no_limit);
	tcase_add_test(t, several_sockets_share_a_port_only_when_asked_to);
	tcase_add_test(t, inherited_descriptor_must_listen);
	tcase_add_test(t, dates_print_and_read_alike);
	tcase_add_test(t, dates_of_other_forms_are_not_read);
	tcase_add_test(t, conditions_are_judged);
	return t;
}
