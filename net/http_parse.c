#include "net/http_parse.h"
#include "base/text.h"
#include "net/http_head.h"
#include <string.h>

/* What a connection keeps between requests, at most, for each buffer. */
#define KEEP_BYTES 4096

enum state {
	S_LINE,       /* request line, or empty lines before it */
	S_FIELD,      /* field lines */
	S_HEAD,       /* the head was reported, the body has not begun */
	S_LENGTH,     /* body of p->left more bytes */
	S_CHUNK_SIZE, /* hex digits, then CRLF */
	S_CHUNK_DATA, /* p->left more bytes of a chunk */
	S_CHUNK_END,  /* CRLF after a chunk's data */
	S_LAST,       /* CRLF after the last chunk */
	S_DONE,
	S_REFUSED,
};

/* One step: bytes taken from in; the state may have changed. */
typedef size_t step_fn(struct http_parse *p, struct bytes in);

const char *http_method_text(enum http_method m)
{
	static const char *const names[HTTP_METHOD_COUNT] = { "GET", "HEAD",
		"POST", "PUT", "DELETE" };

	return m < HTTP_METHOD_COUNT ? names[m] : "";
}

bool http_parse_refuse(
        struct http_parse *p, unsigned status, const char *clause)
{
	p->state = S_REFUSED;
	p->status = status;
	p->clause = clause;
	return false;
}

void http_parse_init(struct http_parse *p)
{
	memset(p, 0, sizeof(*p));
	p->head = BUF_INIT(HTTP_LINE_MAX_BYTES + HTTP_SECTION_MAX_BYTES);
	p->body = BUF_INIT(0);
}

void http_parse_free(struct http_parse *p)
{
	buf_free(&p->head);
	buf_wipe(&p->body);
}

void http_parse_reset(struct http_parse *p)
{
	struct buf head = p->head, body = p->body;

	if (head.size > KEEP_BYTES)
		buf_free(&head);
	buf_reset(&head);
	if (body.size > KEEP_BYTES)
		buf_free(&body);
	buf_reset(&body);
	body.max = 0;
	/* fields[] need no clearing: n_fields says which are set. */
	memset(p, 0, offsetof(struct http_parse, head));
	p->head = head;
	p->body = body;
}

/* RFC 9110 5.5: control bytes, bare CR and bare LF are refused anywhere in
 * the section (RFC 9112 2.2 would let LF alone end a line). */
static bool head_bytes_ok(struct http_parse *p, struct bytes in)
{
	for (size_t i = 0; i < in.n; i++) {
		uint8_t c = in.p[i];

		if (p->after_cr != (c == '\n'))
			return http_parse_refuse(
			        p, 400, "CR or LF alone in the header section");
		p->after_cr = c == '\r';
		if ((c < 0x20 && c != '\r' && c != '\n' && c != '\t') ||
		        c == 0x7f)
			return http_parse_refuse(
			        p, 400, "control byte in the header section");
	}
	return true;
}

static void empty_line(struct http_parse *p)
{
	buf_reset(&p->head);
	if (++p->empty_lines > HTTP_EMPTY_LINES_MAX)
		http_parse_refuse(p, 400, "empty lines before a request");
}

/* A whole line of n bytes stands at line_off. */
static void head_line(struct http_parse *p, size_t n)
{
	if (p->state == S_LINE && n == 0) {
		empty_line(p);
	} else if (p->state == S_LINE) {
		if (http_head_request_line(p, n))
			p->state = S_FIELD;
	} else if (n == 0) {
		if (http_head_end(p))
			p->state = S_HEAD;
	} else {
		http_head_field_line(p, n);
	}
	p->line_off = p->head.n;
}

/* Up to a line end. The caps count bytes seen, so a line that never ends is
 * refused as soon as it is too long. */
static size_t step_head(struct http_parse *p, struct bytes in)
{
	const uint8_t *lf = memchr(in.p, '\n', in.n);
	size_t n = lf != NULL ? (size_t)(lf - in.p) + 1 : in.n;
	size_t line_n = p->head.n + n - p->line_off;

	if (!head_bytes_ok(p, bytes_slice(in, 0, n)))
		return n;
	if (p->state == S_LINE) {
		p->section_off = p->head.n + n;
		if (p->section_off > HTTP_LINE_MAX_BYTES) {
			http_parse_refuse(p, 414, "request line is too long");
			return n;
		}
	} else if (p->head.n + n - p->section_off > HTTP_SECTION_MAX_BYTES) {
		http_parse_refuse(p, 431, "header section is too long");
		return n;
	}
	buf_add(&p->head, bytes_slice(in, 0, n));
	if (p->head.failed != RC_OK)
		http_parse_refuse(p, 503, "out of memory");
	else if (lf != NULL)
		head_line(p, line_n - 2);
	return n;
}

static void body_begin(struct http_parse *p)
{
	if (p->framing == HTTP_CHUNKED)
		p->state = S_CHUNK_SIZE;
	else if (p->left > p->body.max)
		http_parse_refuse(p, 413, "body is too large");
	else
		p->state = p->left > 0 ? S_LENGTH : S_DONE;
}

static size_t body_take(struct http_parse *p, struct bytes in, int after)
{
	size_t n = in.n < p->left ? in.n : (size_t)p->left;

	buf_add(&p->body, bytes_slice(in, 0, n));
	if (p->body.failed != RC_OK) {
		http_parse_refuse(p, 503, "out of memory");
		return n;
	}
	p->left -= n;
	if (p->left == 0)
		p->state = after;
	return n;
}

static void chunk_begin(struct http_parse *p)
{
	if (p->digits == 0)
		http_parse_refuse(p, 400, "chunk without a size");
	else if (p->left > p->body.max - p->body.n)
		http_parse_refuse(p, 413, "body is too large");
	else
		p->state = p->left > 0 ? S_CHUNK_DATA : S_LAST;
	p->digits = 0;
}

/* RFC 9112 7.1: plain hex digits and CRLF, nothing else. */
static void chunk_size_byte(struct http_parse *p, uint8_t c)
{
	int v = hex_value(c);

	if (p->after_cr) {
		p->after_cr = false;
		if (c != '\n')
			http_parse_refuse(p, 400, "CR alone in a chunk size");
		else
			chunk_begin(p);
	} else if (c == '\r') {
		p->after_cr = true;
	} else if (v < 0) {
		http_parse_refuse(p, 400, "chunk size is not plain hex");
	} else if (p->digits == HTTP_CHUNK_DIGITS_MAX) {
		http_parse_refuse(p, 400, "chunk size is too long");
	} else {
		p->digits++;
		p->left = p->left << 4 | (uint64_t)v;
	}
}

static size_t step_chunk_size(struct http_parse *p, struct bytes in)
{
	size_t i = 0;

	while (i < in.n && p->state == S_CHUNK_SIZE)
		chunk_size_byte(p, in.p[i++]);
	return i;
}

static size_t step_crlf(
        struct http_parse *p, struct bytes in, int after, const char *clause)
{
	if (in.p[0] != (p->after_cr ? '\n' : '\r')) {
		http_parse_refuse(p, 400, clause);
	} else if (p->after_cr) {
		p->after_cr = false;
		p->state = after;
	} else {
		p->after_cr = true;
	}
	return 1;
}

static size_t step(struct http_parse *p, struct bytes in)
{
	switch ((enum state)p->state) {
	case S_LINE:
	case S_FIELD:
		return step_head(p, in);
	case S_LENGTH:
		return body_take(p, in, S_DONE);
	case S_CHUNK_SIZE:
		return step_chunk_size(p, in);
	case S_CHUNK_DATA:
		return body_take(p, in, S_CHUNK_END);
	case S_CHUNK_END:
		return step_crlf(
		        p, in, S_CHUNK_SIZE, "chunk data does not end in CRLF");
	case S_LAST:
		return step_crlf(
		        p, in, S_DONE, "trailers after the last chunk");
	default:
		return 0;
	}
}

enum http_parse_result http_parse_feed(
        struct http_parse *p, struct bytes in, size_t *used)
{
	*used = 0;
	if (p->state == S_HEAD)
		body_begin(p);
	while (p->state < S_DONE && *used < in.n) {
		*used += step(p, bytes_skip(in, *used));
		if (p->state == S_HEAD)
			return HTTP_PARSE_HEAD;
	}
	if (p->state == S_REFUSED)
		return HTTP_PARSE_REFUSED;
	return p->state == S_DONE ? HTTP_PARSE_DONE : HTTP_PARSE_MORE;
}

void http_parse_body_max(struct http_parse *p, size_t max_bytes)
{
	p->body.max = max_bytes;
}

bool http_parse_is_idle(const struct http_parse *p)
{
	return p->state == S_LINE && p->head.n == (p->after_cr ? 1 : 0);
}

static struct bytes view(const struct http_parse *p, struct http_span s)
{
	return bytes_slice(buf_bytes(&p->head), s.off, s.n);
}

struct bytes http_parse_path(const struct http_parse *p)
{
	/* "http://host" has an empty path, which means "/" (RFC 9110 4.2.3) */
	return p->path.n > 0 ? view(p, p->path) : BYTES_LIT("/");
}

struct bytes http_parse_query(const struct http_parse *p)
{
	return view(p, p->query);
}

struct bytes http_parse_host(const struct http_parse *p)
{
	return view(p, p->host);
}

struct bytes http_parse_field(const struct http_parse *p, const char *name)
{
	struct bytes want = bytes_str(name);

	for (size_t i = 0; i < p->n_fields; i++)
		if (bytes_eq_nocase(view(p, p->fields[i].name), want))
			return p->fields[i].value.n > 0
			        ? view(p, p->fields[i].value)
			        : BYTES_LIT("");
	return BYTES_NONE;
}

struct bytes http_parse_body(const struct http_parse *p)
{
	return buf_bytes(&p->body);
}
