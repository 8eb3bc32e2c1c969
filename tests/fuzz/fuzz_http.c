/* The HTTP parser over hostile bytes: pieces of any size read alike, and what
 * we accept libhttp-parser (where it is installed) reads the same. */
#include "net/http_parse.h"
#include "net/http_uri.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/other_http.h"
#include <stdlib.h>

#define BODY_MAX_BYTES 4096

static enum http_parse_result feed(
        struct http_parse *p, struct bytes in, size_t step, size_t *used)
{
	enum http_parse_result result = HTTP_PARSE_MORE;
	size_t n;

	*used = 0;
	while (result == HTTP_PARSE_MORE && *used < in.n) {
		result = http_parse_feed(p, bytes_slice(in, *used, step), &n);
		if (result == HTTP_PARSE_MORE && n == 0)
			abort();
		*used += n;
		if (result != HTTP_PARSE_HEAD)
			continue;
		http_parse_body_max(p, BODY_MAX_BYTES);
		result = http_parse_feed(p, BYTES_NONE, &n);
	}
	return result;
}

static void same(struct bytes a, struct bytes b)
{
	if (!bytes_eq(a, b))
		abort();
}

#ifdef HAVE_HTTP_PARSER
static void compare_with_other(const struct http_parse *p, struct bytes in)
{
	struct other_request other = OTHER_REQUEST_INIT;
	const char *why;

	if (!other_request_read(&other, in, &why))
		abort();
	same(bytes_str(other.method), bytes_str(http_method_text(p->method)));
	same(buf_bytes(&other.body), http_parse_body(p));
	other_request_free(&other);
}
#else
static void compare_with_other(const struct http_parse *p, struct bytes in)
{
	(void)p, (void)in;
}
#endif

static void decode(struct bytes path)
{
	struct buf out = BUF_INIT(HTTP_LINE_MAX_BYTES);

	if (http_uri_decode(&out, path) == RC_OK && out.n > path.n)
		abort();
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size), value;
	struct http_parse whole, split;
	size_t whole_used, split_used;
	enum http_parse_result result;

	http_parse_init(&whole);
	http_parse_init(&split);
	result = feed(&whole, in, SIZE_MAX, &whole_used);
	if (feed(&split, in, 1, &split_used) != result)
		abort();
	if (result == HTTP_PARSE_REFUSED && whole.clause != split.clause)
		abort();
	if (result == HTTP_PARSE_DONE) {
		if (whole_used != split_used)
			abort();
		same(http_parse_path(&whole), http_parse_path(&split));
		same(http_parse_query(&whole), http_parse_query(&split));
		same(http_parse_host(&whole), http_parse_host(&split));
		same(http_parse_body(&whole), http_parse_body(&split));
		decode(http_parse_path(&whole));
		(void)http_uri_param(http_parse_query(&whole), "a", &value);
		compare_with_other(&whole, in);
	}
	http_parse_free(&whole);
	http_parse_free(&split);
	return 0;
}
