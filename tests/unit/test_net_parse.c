#include "net/http_parse.h"
#include "net/http_uri.h"
#include "tests/unit/net_requests.h"
#include "tests/unit/other_http.h"
#include "tests/unit/test_net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GET "GET / HTTP/1.1\r\n"
#define POST "POST / HTTP/1.1\r\nHost: h\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

struct accepted {
	const char *name;
	struct bytes input; /* one request, maybe more bytes after it */
	enum http_method method;
	const char *path, *query, *host, *body;
	bool keep_alive;
	size_t rest; /* bytes that are not its own */
};

#define A(name, text, ...)                                                     \
	{                                                                      \
		name, BYTES_LIT(text), __VA_ARGS__                             \
	}

static const struct accepted accepted[] = {
	A("plain GET", GET "Host: h\r\n\r\n", HTTP_GET, "/", "", "h", "", true,
	        0),
	A("query", "GET /a/b?c=d&e=%2F+?/ HTTP/1.1\r\nHost: h:80\r\n\r\n",
	        HTTP_GET, "/a/b", "c=d&e=%2F+?/", "h:80", "", true, 0),
	A("double slash and base64",
	        "GET /ocsp//MFEwTzBN+A/B%3D HTTP/1.1\r\nHost: h\r\n\r\n",
	        HTTP_GET, "/ocsp//MFEwTzBN+A/B%3D", "", "h", "", true, 0),
	A("no space after the colon", GET "Host:h\r\nX:\r\n\r\n", HTTP_GET, "/",
	        "", "h", "", true, 0),
	A("white space around values", GET "Host: \t h \t\r\n\r\n", HTTP_GET,
	        "/", "", "h", "", true, 0),
	A("a byte over 127 in a value", GET "Host: h\r\nX: \xc3\xa4\r\n\r\n",
	        HTTP_GET, "/", "", "h", "", true, 0),
	A("IPv6 Host", GET "Host: [::1]:8443\r\n\r\n", HTTP_GET, "/", "",
	        "[::1]:8443", "", true, 0),
	A("empty Host", GET "Host:\r\n\r\n", HTTP_GET, "/", "", "", "", true,
	        0),
	A("HEAD", "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", HTTP_HEAD, "/", "", "h",
	        "", true, 0),
	A("DELETE", "DELETE /x HTTP/1.1\r\nHost: h\r\n\r\n", HTTP_DELETE, "/x",
	        "", "h", "", true, 0),
	A("a later minor version", "GET / HTTP/1.2\r\nHost: h\r\n\r\n",
	        HTTP_GET, "/", "", "h", "", true, 0),
	A("close", GET "Host: h\r\nConnection: foo, Close\r\n\r\n", HTTP_GET,
	        "/", "", "h", "", false, 0),
	A("two Connection fields",
	        GET "Host: h\r\nConnection: a\r\nConnection: close\r\n\r\n",
	        HTTP_GET, "/", "", "h", "", false, 0),
	A("HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", HTTP_GET, "/", "",
	        "", "", false, 0),
	A("HTTP/1.0 kept alive",
	        "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", HTTP_GET,
	        "/", "", "", "", true, 0),
	A("HTTP/1.0 with a body",
	        "POST /ocsp HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello",
	        HTTP_POST, "/ocsp", "", "", "hello", false, 0),
	A("length", POST "Content-Length: 5\r\n\r\nhello", HTTP_POST, "/", "",
	        "h", "hello", true, 0),
	A("length 0", POST "Content-Length: 0\r\n\r\n", HTTP_POST, "/", "", "h",
	        "", true, 0),
	A("GET with a body", GET "Host: h\r\nContent-Length: 5\r\n\r\nhello",
	        HTTP_GET, "/", "", "h", "hello", true, 0),
	A("names in any case",
	        "POST / HTTP/1.1\r\nhOST: h\r\n"
	        "cONTENT-lENGTH: 5\r\n\r\nhello",
	        HTTP_POST, "/", "", "h", "hello", true, 0),
	A("chunks", CHUNKED "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", HTTP_POST, "/",
	        "", "h", "hello!", true, 0),
	A("chunk sizes in hex, with zeros",
	        CHUNKED "0A\r\n0123456789\r\na\r\n0123456789\r\n00\r\n\r\n",
	        HTTP_POST, "/", "", "h", "01234567890123456789", true, 0),
	A("chunked in capitals",
	        POST "Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n"
	             "\r\n",
	        HTTP_POST, "/", "", "h", "hello", true, 0),
	A("no chunks", CHUNKED "0\r\n\r\n", HTTP_POST, "/", "", "h", "", true,
	        0),
	A("an empty line before", "\r\n" GET "Host: h\r\n\r\n", HTTP_GET, "/",
	        "", "h", "", true, 0),
	A("absolute target", "GET http://o:80/a?b HTTP/1.1\r\nHost: h\r\n\r\n",
	        HTTP_GET, "/a", "b", "o:80", "", true, 0),
	A("absolute target, https",
	        "GET HTTPS://[::1]/a HTTP/1.1\r\nHost: h\r\n\r\n", HTTP_GET,
	        "/a", "", "[::1]", "", true, 0),
	A("absolute target without a path",
	        "GET http://o HTTP/1.1\r\nHost: h\r\n\r\n", HTTP_GET, "/", "",
	        "o", "", true, 0),
	A("absolute target, query only",
	        "GET http://o?q HTTP/1.1\r\nHost: h\r\n\r\n", HTTP_GET, "/",
	        "q", "o", "", true, 0),
	A("pipelined", GET "Host: h\r\n\r\n" GET, HTTP_GET, "/", "", "h", "",
	        true, sizeof(GET) - 1),
	A("pipelined after a body",
	        POST "Content-Length: 5\r\n\r\nhello\r\n" GET, HTTP_POST, "/",
	        "", "h", "hello", true, sizeof(GET) + 1),
	A("pipelined after chunks", CHUNKED "0\r\n\r\n" GET, HTTP_POST, "/", "",
	        "h", "", true, sizeof(GET) - 1),
};

/* Feed in pieces of at most step bytes. Returns what was consumed. */
static size_t feed(struct http_parse *p, struct bytes in, size_t step,
        enum http_parse_result *result)
{
	size_t off = 0, used;

	*result = HTTP_PARSE_MORE;
	while (*result == HTTP_PARSE_MORE && off < in.n) {
		*result = http_parse_feed(p, bytes_slice(in, off, step), &used);
		off += used;
		if (*result != HTTP_PARSE_HEAD)
			continue;
		http_parse_body_max(p, NET_REQUEST_BODY_MAX_BYTES);
		*result = http_parse_feed(p, BYTES_NONE, &used);
	}
	return off;
}

START_TEST(malformed_is_refused_with_its_status)
{
	const struct net_refused *t = &net_refused[_i];
	static const size_t steps[] = { SIZE_MAX, 1, 2, 3, 7 };

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct http_parse p;
		enum http_parse_result result;

		http_parse_init(&p);
		feed(&p, t->input, steps[i], &result);
		ck_assert_msg(result == HTTP_PARSE_REFUSED,
		        "%s: accepted, step %zu", t->name, steps[i]);
		ck_assert_msg(p.status == t->status, "%s: %u %s", t->name,
		        p.status, p.clause);
		ck_assert_ptr_nonnull(p.clause);
		http_parse_free(&p);
	}
}
END_TEST

static void check_str(const char *name, struct bytes have, const char *want)
{
	ck_assert_msg(bytes_eq_str(have, want), "%s: \"%.*s\", not \"%s\"",
	        name, (int)have.n, (const char *)have.p, want);
}

static void check_accepted(
        const struct accepted *t, struct http_parse *p, size_t step)
{
	enum http_parse_result result;
	size_t used = feed(p, t->input, step, &result);

	ck_assert_msg(result == HTTP_PARSE_DONE, "%s: %u %s", t->name,
	        p->status, p->clause);
	ck_assert_msg(t->input.n - used == t->rest, "%s: %zu left", t->name,
	        t->input.n - used);
	ck_assert_int_eq(p->method, t->method);
	check_str(t->name, http_parse_path(p), t->path);
	check_str(t->name, http_parse_query(p), t->query);
	check_str(t->name, http_parse_host(p), t->host);
	check_str(t->name, http_parse_body(p), t->body);
	ck_assert_msg(
	        p->keep_alive == t->keep_alive, "%s: keep-alive", t->name);
}

START_TEST(accepted_forms_read_right_in_pieces_of_any_size)
{
	const struct accepted *t = &accepted[_i];
	struct http_parse p;

	http_parse_init(&p);
	for (size_t step = 1; step <= t->input.n; step++) {
		check_accepted(t, &p, step);
		http_parse_reset(&p);
	}
	http_parse_free(&p);
}
END_TEST

START_TEST(fields_are_found_by_name_in_any_case)
{
	struct bytes in = BYTES_LIT(
	        GET "Host: h\r\nAuthorization: Basic x\r\nX-Empty:\r\n\r\n");
	enum http_parse_result result;
	struct http_parse p;

	http_parse_init(&p);
	feed(&p, in, SIZE_MAX, &result);
	check_str("value", http_parse_field(&p, "authorization"), "Basic x");
	ck_assert_ptr_nonnull(http_parse_field(&p, "x-empty").p);
	ck_assert_uint_eq(http_parse_field(&p, "x-empty").n, 0);
	ck_assert_ptr_null(http_parse_field(&p, "X-Other").p);
	http_parse_free(&p);
}
END_TEST

/* head, n times c, tail. */
static enum http_parse_result feed_long(struct http_parse *p, const char *head,
        size_t n, char c, const char *tail)
{
	size_t head_n = strlen(head), tail_n = strlen(tail);
	uint8_t *in = malloc(head_n + n + tail_n);
	enum http_parse_result result;

	ck_assert_ptr_nonnull(in);
	memcpy(in, head, head_n);
	memset(in + head_n, c, n);
	memcpy(in + head_n + n, tail, tail_n);
	feed(p, bytes_of(in, head_n + n + tail_n), SIZE_MAX, &result);
	free(in);
	return result;
}

START_TEST(request_line_takes_16_kib_and_is_capped)
{
	struct http_parse p;

	http_parse_init(&p);
	ck_assert_int_eq(feed_long(&p, "GET /", 16384, 'a',
	                         " HTTP/1.1\r\nHost: h\r\n\r\n"),
	        HTTP_PARSE_DONE);
	http_parse_reset(&p);
	ck_assert_int_eq(feed_long(&p, "GET /", HTTP_LINE_MAX_BYTES - 16, 'a',
	                         " HTTP/1.1\r\nHost: h\r\n\r\n"),
	        HTTP_PARSE_DONE);
	http_parse_reset(&p);
	ck_assert_int_eq(feed_long(&p, "GET /", HTTP_LINE_MAX_BYTES - 15, 'a',
	                         " HTTP/1.1\r\nHost: h\r\n\r\n"),
	        HTTP_PARSE_REFUSED);
	ck_assert_uint_eq(p.status, 414);
	http_parse_reset(&p);
	ck_assert_int_eq(feed_long(&p, "GET /", HTTP_LINE_MAX_BYTES, 'a', ""),
	        HTTP_PARSE_REFUSED);
	ck_assert_uint_eq(p.status, 414);
	http_parse_free(&p);
}
END_TEST

START_TEST(header_section_is_capped_in_bytes)
{
	struct http_parse p;

	http_parse_init(&p);
	ck_assert_int_eq(feed_long(&p, GET "Host: h\r\nX: ",
	                         HTTP_SECTION_MAX_BYTES - 16, 'a', "\r\n\r\n"),
	        HTTP_PARSE_DONE);
	http_parse_reset(&p);
	ck_assert_int_eq(feed_long(&p, GET "Host: h\r\nX: ",
	                         HTTP_SECTION_MAX_BYTES - 15, 'a', "\r\n\r\n"),
	        HTTP_PARSE_REFUSED);
	ck_assert_uint_eq(p.status, 431);
	http_parse_free(&p);
}
END_TEST

START_TEST(header_section_is_capped_in_fields)
{
	struct buf in = BUF_INIT(4096);
	struct http_parse p;
	enum http_parse_result result;

	buf_add_str(&in, GET "Host: h\r\n");
	for (int i = 1; i < HTTP_FIELDS_MAX; i++)
		buf_add_str(&in, "X: y\r\n");
	http_parse_init(&p);
	feed(&p, buf_bytes(&in), SIZE_MAX, &result);
	ck_assert_int_eq(result, HTTP_PARSE_MORE);
	feed(&p, BYTES_LIT("X: y\r\n"), SIZE_MAX, &result);
	ck_assert_int_eq(result, HTTP_PARSE_REFUSED);
	ck_assert_uint_eq(p.status, 431);
	http_parse_free(&p);
	buf_free(&in);
}
END_TEST

START_TEST(expect_counts_only_with_content_in_http_1_1)
{
	static const struct {
		struct bytes in;
		bool wants;
	} rows[] = {
		{ BYTES_LIT(POST "Content-Length: 5\r\nExpect: 100-Continue"
		                 "\r\n\r\n"),
		        true },
		{ BYTES_LIT(POST "Content-Length: 0\r\nExpect: 100-continue"
		                 "\r\n\r\n"),
		        false },
		{ BYTES_LIT("POST / HTTP/1.0\r\nContent-Length: 5\r\n"
		            "Expect: 100-continue\r\n\r\n"),
		        false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_parse p;
		enum http_parse_result result;

		http_parse_init(&p);
		feed(&p, rows[i].in, SIZE_MAX, &result);
		ck_assert_int_eq(p.wants_100, rows[i].wants);
		http_parse_free(&p);
	}
}
END_TEST

START_TEST(stray_empty_line_leaves_the_connection_idle)
{
	enum http_parse_result result;
	struct http_parse p;

	http_parse_init(&p);
	feed(&p, BYTES_LIT("\r"), 1, &result);
	ck_assert(http_parse_is_idle(&p));
	feed(&p, BYTES_LIT("\n"), 1, &result);
	ck_assert(http_parse_is_idle(&p));
	feed(&p, BYTES_LIT("G"), 1, &result);
	ck_assert(!http_parse_is_idle(&p));
	http_parse_free(&p);
}
END_TEST

START_TEST(percent_decoding_refuses_nul_and_bad_escapes)
{
	static const struct {
		const char *in, *out; /* NULL: refused */
	} rows[] = {
		{ "", "" },
		{ "a+b", "a+b" },
		{ "%2F%2f%0a", "//\n" },
		{ "%c3%A4", "\xc3\xa4" },
		{ "%00", NULL },
		{ "%", NULL },
		{ "%2", NULL },
		{ "%2g", NULL },
		{ "%+2", NULL },
		{ "%%41", NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf out = BUF_INIT(16);
		enum rc rc = http_uri_decode(&out, bytes_str(rows[i].in));

		if (rows[i].out == NULL)
			ck_assert_int_eq(rc, RC_MALFORMED);
		else
			check_str(rows[i].in, buf_bytes(&out), rows[i].out);
		buf_free(&out);
	}
}
END_TEST

START_TEST(query_parameters_are_found_once_or_not_at_all)
{
	struct bytes v;

	ck_assert(http_uri_param(
	        BYTES_LIT("operation=GetCACaps&message=0"), "message", &v));
	check_str("message", v, "0");
	ck_assert(http_uri_param(BYTES_LIT("a=b=c&message"), "a", &v));
	check_str("a", v, "b=c");
	ck_assert(http_uri_param(BYTES_LIT("a=b&message"), "message", &v));
	ck_assert_uint_eq(v.n, 0);
	ck_assert(!http_uri_param(BYTES_LIT("a=b&a=c"), "a", &v));
	ck_assert(!http_uri_param(BYTES_LIT("aa=b"), "a", &v));
	ck_assert(!http_uri_param(BYTES_NONE, "a", &v));
}
END_TEST

#ifdef HAVE_HTTP_PARSER
static void our_fields(const struct http_parse *p, struct buf *out)
{
	const uint8_t *head = p->head.p;

	for (size_t i = 0; i < p->n_fields; i++) {
		const struct http_field *f = &p->fields[i];

		buf_add_u8(out, '\n');
		buf_add(out, bytes_of(head + f->name.off, f->name.n));
		buf_add_u8(out, '=');
		buf_add(out, bytes_of(head + f->value.off, f->value.n));
	}
}

START_TEST(what_we_accept_http_parser_reads_the_same)
{
	const struct accepted *t = &accepted[_i];
	struct other_request other = OTHER_REQUEST_INIT;
	struct buf fields = BUF_INIT(4096);
	enum http_parse_result result;
	const char *why = NULL;
	struct http_parse p;

	http_parse_init(&p);
	feed(&p, t->input, SIZE_MAX, &result);
	our_fields(&p, &fields);
	ck_assert_msg(other_request_read(&other, t->input, &why),
	        "%s: http_parser disagrees: %s", t->name, why);
	ck_assert_str_eq(other.method, http_method_text(p.method));
	check_str(t->name, http_parse_body(&p), buf_cstr(&other.body));
	check_str(t->name, buf_bytes(&fields), buf_cstr(&other.fields));
	other_request_free(&other);
	http_parse_free(&p);
	buf_free(&fields);
}
END_TEST
#endif

TCase *test_net_parse(void)
{
	TCase *t = tcase_create("parse");
	int n_accepted = (int)(sizeof(accepted) / sizeof(accepted[0]));

	tcase_add_loop_test(t, malformed_is_refused_with_its_status, 0,
	        (int)net_refused_count);
	tcase_add_loop_test(t, accepted_forms_read_right_in_pieces_of_any_size,
	        0, n_accepted);
	tcase_add_test(t, fields_are_found_by_name_in_any_case);
	tcase_add_test(t, request_line_takes_16_kib_and_is_capped);
	tcase_add_test(t, header_section_is_capped_in_bytes);
	tcase_add_test(t, header_section_is_capped_in_fields);
	tcase_add_test(t, expect_counts_only_with_content_in_http_1_1);
	tcase_add_test(t, stray_empty_line_leaves_the_connection_idle);
	tcase_add_test(t, percent_decoding_refuses_nul_and_bad_escapes);
	tcase_add_test(t, query_parameters_are_found_once_or_not_at_all);
#ifdef HAVE_HTTP_PARSER
	tcase_add_loop_test(
	        t, what_we_accept_http_parser_reads_the_same, 0, n_accepted);
#else
	puts("SKIP: what_we_accept_http_parser_reads_the_same: "
	     "no libhttp-parser");
#endif
	return t;
}
