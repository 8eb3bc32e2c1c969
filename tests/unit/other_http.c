#include "tests/unit/other_http.h"

#include <http_parser.h>

static struct other_request *request_of(http_parser *hp)
{
	return hp->data;
}

/* It leaves white space behind a value (RFC 9112 5.1 excludes it). */
static void value_ends(struct buf *b)
{
	while (b->n > 0 && (b->p[b->n - 1] == ' ' || b->p[b->n - 1] == '\t'))
		b->n--;
}

static int on_name(http_parser *hp, const char *at, size_t n)
{
	value_ends(&request_of(hp)->fields);
	buf_add_u8(&request_of(hp)->fields, '\n');
	buf_add(&request_of(hp)->fields, bytes_of(at, n));
	return 0;
}

static int on_value(http_parser *hp, const char *at, size_t n)
{
	buf_add_u8(&request_of(hp)->fields, '=');
	buf_add(&request_of(hp)->fields, bytes_of(at, n));
	return 0;
}

static int on_body(http_parser *hp, const char *at, size_t n)
{
	buf_add(&request_of(hp)->body, bytes_of(at, n));
	return 0;
}

static int on_done(http_parser *hp)
{
	value_ends(&request_of(hp)->fields);
	request_of(hp)->done = true;
	http_parser_pause(hp, 1);
	return 0;
}

bool other_request_read(
        struct other_request *r, struct bytes in, const char **why)
{
	static const http_parser_settings settings = {
		.on_header_field = on_name,
		.on_header_value = on_value,
		.on_body = on_body,
		.on_message_complete = on_done,
	};
	http_parser hp;

	http_parser_init(&hp, HTTP_REQUEST);
	hp.data = r;
	http_parser_execute(&hp, &settings, (const char *)in.p, in.n);
	r->method = http_method_str((enum http_method)hp.method);
	*why = http_errno_description(HTTP_PARSER_ERRNO(&hp));
	return r->done;
}

void other_request_free(struct other_request *r)
{
	buf_free(&r->fields);
	buf_free(&r->body);
}
