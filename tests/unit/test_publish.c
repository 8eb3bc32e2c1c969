/* CRLs and CA certificates over plain HTTP. */
#include "base/clock.h"
#include "ocsp/publish.h"
#include "tests/unit/ca_world.h"
#include "tests/unit/net_fixture.h"
#include <check.h>
#include <fcntl.h>
#include <openssl/pkcs7.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n"
#define END "Connection: close\r\n\r\n"
#define TAG                                                                    \
	"\"0700000000000000000000000000000000000000000000000000000000000000\""

static struct world world;
static struct publish *p;
static struct net_fixture net;
static struct http_routes routes;
static struct buf out;

static void put(const char *name, const char *content, int64_t valid_s)
{
	struct publish_crl crl = { .hash = { 7 },
		.this_update_s = WORLD_NOW_S,
		.next_update_s = WORLD_NOW_S + valid_s,
		.fresh_s = 60 };
	int fd = memfd_create("crl", 0);

	(void)snprintf(crl.name, sizeof(crl.name), "%s", name);
	ck_assert_int_eq(
	        write(fd, content, strlen(content)), (ssize_t)strlen(content));
	ck_assert_int_eq(publish_crl_put(p, &crl, fd), RC_OK);
}

static void begin(void)
{
	clock_set_shift_s(0);
	clock_set_shift_s(WORLD_NOW_S - clock_now_s());
	world_begin(&world, "P-256");
	world_profiles(&world, "  p: { subject: { CN: x } }\n",
	        "    crl: { shards: 2 }\n"
	        "    crl_urls: [\"http://p/%{shard}.crl\"]\n");
	ck_assert_int_eq(publish_new(&p, world.authorities), RC_OK);
	routes.routes = publish_routes(p, &routes.n);
	net_start_routes(&net, &routes);
	out = BUF_INIT(1 << 20);
}

static void end(void)
{
	net_stop(&net);
	publish_free(p);
	world_end(&world);
	buf_free(&out);
	clock_set_shift_s(0);
}

static bool ask(const char *request, const char *status)
{
	buf_reset(&out);
	net_ask(&net, request, &out);
	return bytes_starts(bytes_skip(buf_bytes(&out), 9), bytes_str(status));
}

static struct bytes body(void)
{
	const char *text = buf_cstr(&out);
	const char *at = strstr(text, "\r\n\r\n");

	ck_assert_ptr_nonnull(at);
	return bytes_skip(buf_bytes(&out), (size_t)(at - text) + 4);
}

static const struct {
	const char *name, *request, *status, *has, *has_not;
} asks[] = {
	{ "type and validators", GET("/crl/factory.crl") END, "200",
	        "ETag: " TAG "\r\n", NULL },
	{ "body", GET("/crl/factory.crl") END, "200", "\r\n\r\nthe list",
	        NULL },
	{ "media type (RFC 2585)", GET("/crl/factory.crl") END, "200",
	        "Content-Type: application/pkix-crl\r\n", NULL },
	{ "last modified", GET("/crl/factory.crl") END, "200",
	        "Last-Modified: Sun, 17 Mar 2030 17:46:40 GMT\r\n", NULL },
	{ "a cache is behind by no more than a revocation waits",
	        GET("/crl/factory.crl") END, "200", "max-age=60\r\n", NULL },
	{ "nor kept past nextUpdate", GET("/crl/factory-001.crl") END, "200",
	        "max-age=3", "max-age=60" },
	{ "one that has run out is not kept", GET("/crl/factory-002.crl") END,
	        "200", "max-age=0\r\n", NULL },
	{ "HEAD", "HEAD /crl/factory.crl HTTP/1.1\r\nHost: h\r\n" END, "200",
	        "Content-Length: 8\r\n", "the list" },
	{ "its own tag",
	        GET("/crl/factory.crl") "If-None-Match: " TAG "\r\n" END, "304",
	        "ETag: " TAG, "the list" },
	{ "304 says nothing of a content",
	        GET("/crl/factory.crl") "If-None-Match: *\r\n" END, "304",
	        "Expires: ", "Content-Type" },
	{ "another tag", GET("/crl/factory.crl") "If-None-Match: \"x\"\r\n" END,
	        "200", "the list", NULL },
	{ "modified since",
	        GET("/crl/factory.crl") "If-Modified-Since: Sun, 17 Mar 2030 "
	                                "17:46:39 GMT\r\n" END,
	        "200", "the list", NULL },
	{ "not modified since",
	        GET("/crl/factory.crl") "If-Modified-Since: Sun, 17 Mar 2030 "
	                                "17:46:40 GMT\r\n" END,
	        "304", NULL, "the list" },
	{ "of no authority", GET("/crl/other.crl") END, "404", NULL, NULL },
	{ "to come", GET("/crl/factory-003.crl") END, "503",
	        "Retry-After: 5\r\n", NULL },
	{ "of no form", GET("/crl/factory-03.crl") END, "404", NULL, NULL },
	{ "not above the folder", GET("/crl/../factory.crl") END, "404", NULL,
	        NULL },
	{ "POST",
	        "POST /crl/factory.crl HTTP/1.1\r\nHost: h\r\nContent-Length: "
	        "0\r\n" END,
	        "405", NULL, NULL },
	{ "certificate", GET("/ca/factory.cer") END, "200",
	        "Content-Type: application/pkix-cert\r\n", NULL },
	{ "message", GET("/ca/factory.p7c") END, "200",
	        "Content-Type: application/pkcs7-mime; "
	        "smime-type=certs-only\r\n",
	        "Last-Modified" },
	{ "no certificate", GET("/ca/factory.pem") END, "404", NULL, NULL },
	{ "of nobody", GET("/ca/other.cer") END, "404", NULL, NULL },
};

START_TEST(published_files_are_answered_as_http_has_it)
{
	put("factory.crl", "the list", 86400);
	put("factory-001.crl", "one", 30);
	put("factory-002.crl", "two", -1);
	ck_assert_msg(ask(asks[_i].request, asks[_i].status), "%s: %s",
	        asks[_i].name, buf_cstr(&out));
	ck_assert_msg(asks[_i].has == NULL || net_has(&out, asks[_i].has),
	        "%s: %s", asks[_i].name, buf_cstr(&out));
	ck_assert_msg(
	        asks[_i].has_not == NULL || !net_has(&out, asks[_i].has_not),
	        "%s: %s", asks[_i].name, buf_cstr(&out));
}
END_TEST

START_TEST(new_crl_takes_the_place_of_the_old)
{
	put("factory.crl", "old", 60);
	for (int i = 0; i < 20; i++)
		put("factory.crl", "new", 60);
	ck_assert(ask(GET("/crl/factory.crl") END, "200"));
	ck_assert(bytes_eq_str(body(), "new"));
}
END_TEST

START_TEST(certificates_are_the_authoritys_and_those_above_it)
{
	const struct authority *a = world_authority(&world);
	const uint8_t *at;
	struct bytes b;
	PKCS7 *p7;

	ck_assert(ask(GET("/ca/factory.cer") END, "200"));
	ck_assert(bytes_eq(body(), a->der));
	ck_assert(ask(GET("/ca/factory.p7c") END, "200"));
	b = body();
	at = b.p;
	p7 = d2i_PKCS7(NULL, &at, (long)b.n);
	ck_assert_ptr_nonnull(p7);
	ck_assert_int_eq(sk_X509_num(p7->d.sign->cert), 2);
	ck_assert_int_eq(
	        X509_cmp(sk_X509_value(p7->d.sign->cert, 0), world.ca), 0);
	ck_assert_int_eq(
	        X509_cmp(sk_X509_value(p7->d.sign->cert, 1), world.root), 0);
	PKCS7_free(p7);
}
END_TEST

START_TEST(what_is_no_file_is_not_taken)
{
	struct publish_crl crl = { .name = "factory.crl" };
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(publish_crl_put(p, &crl, fds[0]), RC_MALFORMED);
	ck_assert_int_eq(publish_crl_put(p, &crl, -1), RC_IO);
	ck_assert(ask(GET("/crl/factory.crl") END, "503"));
	(void)close(fds[0]);
	(void)close(fds[1]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("publish");
	TCase *tc = tcase_create("publish");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_loop_test(tc, published_files_are_answered_as_http_has_it, 0,
	        sizeof(asks) / sizeof(asks[0]));
	tcase_add_test(tc, new_crl_takes_the_place_of_the_old);
	tcase_add_test(tc, certificates_are_the_authoritys_and_those_above_it);
	tcase_add_test(tc, what_is_no_file_is_not_taken);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
