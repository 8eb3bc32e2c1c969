/* net/http_parse.h - one HTTP/1.1 request after the other out of a stream of
 * bytes (RFC 9112, semantics of RFC 9110), strict: where the RFC lets a
 * recipient be lenient, we refuse, because two readers that are lenient in
 * different ways are a smuggled request. Stricter than the RFC in three
 * places: chunk extensions and trailers are refused (RFC 9112 7.1.1, 7.1.2),
 * and so is a list in Content-Length even if its members agree (6.3).
 * Pure: no I/O, no clock. Needs base/. */
#ifndef MICA_NET_HTTP_PARSE_H
#define MICA_NET_HTTP_PARSE_H

#include "base/buf.h"
#include "base/bytes.h"

/* SCEP sends its message in the request line: at least 16 KiB of it. */
#define HTTP_LINE_MAX_BYTES 24576    /* 414 beyond it */
#define HTTP_SECTION_MAX_BYTES 16384 /* all field lines together; 431 */
#define HTTP_FIELDS_MAX 64           /* 431 */
/* RFC 9112 2.2: a server should ignore at least one empty line before a
 * request line (libest sends one after each body). */
#define HTTP_EMPTY_LINES_MAX 2
/* Digits of a chunk size: 4 GiB, far above every body cap. */
#define HTTP_CHUNK_DIGITS_MAX 8

enum http_method {
	HTTP_GET,
	HTTP_HEAD,
	HTTP_POST,
	HTTP_PUT,
	HTTP_DELETE,
	HTTP_METHOD_COUNT
};

const char *http_method_text(enum http_method m);

enum http_parse_result {
	HTTP_PARSE_MORE, /* all input consumed, the request is not whole */
	/* The header section is whole and valid. Reported once; the caller
	 * sets the body cap with http_parse_body_max() and goes on feeding,
	 * even if nothing is left to feed. */
	HTTP_PARSE_HEAD,
	HTTP_PARSE_DONE,   /* the request is whole; rest of input is not ours */
	HTTP_PARSE_REFUSED /* status and clause say why; close after that */
};

struct http_span { /* into the header section */
	uint16_t off;
	uint16_t n;
};

struct http_field {
	struct http_span name;
	struct http_span value; /* without surrounding white space */
};

enum http_framing { HTTP_NO_BODY, HTTP_LENGTH, HTTP_CHUNKED };

struct http_parse {
	/* Read by the caller from HTTP_PARSE_HEAD on. */
	enum http_method method;
	unsigned minor;  /* 0 or 1: HTTP/1.0, HTTP/1.1 and later 1.x */
	bool keep_alive; /* RFC 9112 9.3 */
	bool wants_100;  /* Expect: 100-continue (RFC 9110 10.1.1) */
	enum http_framing framing;
	unsigned status;    /* when refused: 400 411 413 414 417 431 501 505 */
	const char *clause; /* when refused: which rule, a static text */

	/* Private. */
	int state;
	bool after_cr;
	bool absolute; /* the target named the authority */
	bool says_close;
	bool says_keep_alive;
	unsigned seen; /* a bit a known field */
	unsigned empty_lines;
	size_t line_off;    /* where the line being read starts in head */
	size_t section_off; /* and where the field lines do */
	struct http_span path, query, host;
	size_t n_fields;
	uint64_t left; /* of the body, or of the chunk */
	unsigned digits;
	struct buf head;
	struct buf body;
	struct http_field fields[HTTP_FIELDS_MAX];
};

void http_parse_init(struct http_parse *p);
void http_parse_free(struct http_parse *p);
/* For the next request on the same connection; keeps modest memory. */
void http_parse_reset(struct http_parse *p);

/* Feed what has arrived; *used says how much of it was taken (always all of it
 * on HTTP_PARSE_MORE). Feeding in pieces of any size gives the same result. */
enum http_parse_result http_parse_feed(
        struct http_parse *p, struct bytes in, size_t *used);
/* At HTTP_PARSE_HEAD: how large the body may be (413 beyond it). 0 until set */
void http_parse_body_max(struct http_parse *p, size_t max_bytes);
/* No byte of a request has been seen yet (empty lines do not count). */
bool http_parse_is_idle(const struct http_parse *p);

/* Views, borrowed until the next http_parse_reset() or _free(). */
/* As sent, still percent-encoded; starts with '/'. */
struct bytes http_parse_path(const struct http_parse *p);
/* After the '?', without it; empty when there is none. */
struct bytes http_parse_query(const struct http_parse *p);
/* Host, or the authority of an absolute-form target (RFC 9112 3.2.2). */
struct bytes http_parse_host(const struct http_parse *p);
/* The first field of that name, in any case; p is NULL when there is none. */
struct bytes http_parse_field(const struct http_parse *p, const char *name);
struct bytes http_parse_body(const struct http_parse *p);

#endif
