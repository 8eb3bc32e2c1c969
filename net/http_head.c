#include "net/http_head.h"
#include "base/text.h"
#include <string.h>

_Static_assert(HTTP_LINE_MAX_BYTES + HTTP_SECTION_MAX_BYTES <= UINT16_MAX,
        "spans are 16 bits wide");

/* What a byte may be part of. */
enum {
	IN_TOKEN = 1,  /* RFC 9110 5.6.2 */
	IN_TARGET = 2, /* RFC 3986 pchar, "/", "?", "%" */
	IN_HOST = 4,   /* RFC 3986 3.2.2 and the port; brackets apart */
};

static unsigned byte_class(uint8_t c)
{
	if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	        (c >= 'a' && c <= 'z'))
		return IN_TOKEN | IN_TARGET | IN_HOST;
	switch (c) {
	case '!':
	case '$':
	case '&':
	case '\'':
	case '*':
	case '+':
	case '-':
	case '.':
	case '_':
	case '~':
	case '%':
		return IN_TOKEN | IN_TARGET | IN_HOST;
	case '(':
	case ')':
	case ',':
	case ';':
	case '=':
	case ':':
		return IN_TARGET | IN_HOST;
	case '/':
	case '?':
	case '@':
		return IN_TARGET;
	case '#':
	case '^':
	case '`':
	case '|':
		return IN_TOKEN;
	default:
		return 0;
	}
}

static bool all_in(struct bytes v, unsigned class)
{
	for (size_t i = 0; i < v.n; i++)
		if ((byte_class(v.p[i]) & class) == 0)
			return false;
	return true;
}

static bool is_digits(struct bytes v)
{
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] < '0' || v.p[i] > '9')
			return false;
	return true;
}

static struct bytes trim(struct bytes v)
{
	while (v.n > 0 && (v.p[0] == ' ' || v.p[0] == '\t'))
		v = bytes_skip(v, 1);
	while (v.n > 0 && (v.p[v.n - 1] == ' ' || v.p[v.n - 1] == '\t'))
		v.n--;
	return v;
}

static struct http_span span_of(const struct http_parse *p, struct bytes v)
{
	if (v.n == 0)
		return (struct http_span){ 0, 0 };
	return (struct http_span){ (uint16_t)(v.p - p->head.p), (uint16_t)v.n };
}

/* uri-host [ ":" port ] (RFC 9110 7.2); no user information. */
static bool is_authority(struct bytes v)
{
	struct bytes host, port = BYTES_NONE;

	if (v.n > 0 && v.p[0] == '[') {
		if (!bytes_cut(bytes_skip(v, 1), ']', &host, &port))
			return false;
		if (port.n > 0 && port.p[0] != ':')
			return false;
		return host.n > 0 && all_in(host, IN_HOST) &&
		        is_digits(bytes_skip(port, 1));
	}
	bytes_cut(v, ':', &host, &port);
	return all_in(host, IN_HOST) && is_digits(port);
}

/* RFC 9112 3.2.2: a server must accept the absolute form, whose authority
 * then stands for Host. *target becomes the origin form; empty is "/". */
static bool take_absolute(struct http_parse *p, struct bytes *target)
{
	struct bytes scheme, rest, authority;
	size_t n = 0;

	if (!bytes_cut(*target, ':', &scheme, &rest) ||
	        !bytes_starts(rest, BYTES_LIT("//")) ||
	        !(bytes_eq_nocase(scheme, BYTES_LIT("http")) ||
	                bytes_eq_nocase(scheme, BYTES_LIT("https"))))
		return http_parse_refuse(
		        p, 400, "request target is no path and no http URI");
	rest = bytes_skip(rest, 2);
	while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?')
		n++;
	authority = bytes_slice(rest, 0, n);
	if (n == 0 || !is_authority(authority))
		return http_parse_refuse(
		        p, 400, "request target has a bad authority");
	p->absolute = true;
	p->host = span_of(p, authority);
	*target = bytes_skip(rest, n);
	return true;
}

static bool target_parse(struct http_parse *p, struct bytes target)
{
	struct bytes path, query;

	if (target.n == 0)
		return http_parse_refuse(p, 400, "request target is empty");
	if (target.p[0] != '/' && !take_absolute(p, &target))
		return false;
	if (!all_in(target, IN_TARGET))
		return http_parse_refuse(
		        p, 400, "request target has a byte that is no URI's");
	bytes_cut(target, '?', &path, &query);
	p->path = span_of(p, path);
	p->query = span_of(p, query);
	return true;
}

static bool method_parse(struct http_parse *p, struct bytes name)
{
	if (name.n == 0 || !all_in(name, IN_TOKEN))
		return http_parse_refuse(p, 400, "method is no token");
	for (int m = 0; m < HTTP_METHOD_COUNT; m++) {
		if (!bytes_eq_str(name, http_method_text((enum http_method)m)))
			continue;
		p->method = (enum http_method)m;
		return true;
	}
	return http_parse_refuse(p, 501, "method is not supported");
}

/* RFC 9110 2.5: a higher minor version is served as our highest. */
static bool version_parse(struct http_parse *p, struct bytes v)
{
	if (v.n != 8 || !bytes_starts(v, BYTES_LIT("HTTP/")) || v.p[6] != '.' ||
	        !is_digits(bytes_slice(v, 5, 1)) ||
	        !is_digits(bytes_slice(v, 7, 1)))
		return http_parse_refuse(
		        p, 400, "request line does not end in an HTTP version");
	if (v.p[5] != '1')
		return http_parse_refuse(p, 505, "HTTP version is not 1.x");
	p->minor = v.p[7] == '0' ? 0 : 1;
	return true;
}

bool http_head_request_line(struct http_parse *p, size_t n)
{
	struct bytes line = bytes_of(p->head.p + p->line_off, n);
	struct bytes method, target, version, rest;

	/* RFC 9112 3: single spaces; we take no other white space. */
	if (!bytes_cut(line, ' ', &method, &rest) ||
	        !bytes_cut(rest, ' ', &target, &version))
		return http_parse_refuse(p, 400,
		        "request line is not method, target and version");
	return version_parse(p, version) && method_parse(p, method) &&
	        target_parse(p, target);
}

/* Fields that decide on framing, routing or identity. A repeated one means
 * that two readers may take different values (RFC 9110 5.3). */
enum known {
	F_HOST,
	F_CONTENT_LENGTH,
	F_TRANSFER_ENCODING,
	F_CONNECTION,
	F_EXPECT,
	F_AUTHORIZATION,
	F_CONTENT_TYPE,
	F_DATE,
	F_FROM,
	F_IF_MODIFIED_SINCE,
	F_IF_UNMODIFIED_SINCE,
	F_MAX_FORWARDS,
	F_REFERER,
	F_USER_AGENT,
	F_KNOWN_COUNT
};

static const struct bytes known_names[F_KNOWN_COUNT] = {
	[F_HOST] = BYTES_LIT("Host"),
	[F_CONTENT_LENGTH] = BYTES_LIT("Content-Length"),
	[F_TRANSFER_ENCODING] = BYTES_LIT("Transfer-Encoding"),
	[F_CONNECTION] = BYTES_LIT("Connection"),
	[F_EXPECT] = BYTES_LIT("Expect"),
	[F_AUTHORIZATION] = BYTES_LIT("Authorization"),
	[F_CONTENT_TYPE] = BYTES_LIT("Content-Type"),
	[F_DATE] = BYTES_LIT("Date"),
	[F_FROM] = BYTES_LIT("From"),
	[F_IF_MODIFIED_SINCE] = BYTES_LIT("If-Modified-Since"),
	[F_IF_UNMODIFIED_SINCE] = BYTES_LIT("If-Unmodified-Since"),
	[F_MAX_FORWARDS] = BYTES_LIT("Max-Forwards"),
	[F_REFERER] = BYTES_LIT("Referer"),
	[F_USER_AGENT] = BYTES_LIT("User-Agent"),
};

/* RFC 9110 8.6: digits alone, no sign, no list. */
static bool content_length_parse(struct http_parse *p, struct bytes value)
{
	enum rc rc = text_u64(value, INT64_MAX, &p->left);

	if (rc == RC_TOOBIG)
		return http_parse_refuse(p, 413, "Content-Length is too large");
	if (rc != RC_OK)
		return http_parse_refuse(
		        p, 400, "Content-Length is not a plain number");
	p->framing = HTTP_LENGTH;
	return true;
}

/* RFC 9112 6.1: chunked is the one coding that we decode. */
static bool transfer_encoding_parse(struct http_parse *p, struct bytes value)
{
	if (value.n == 0)
		return http_parse_refuse(p, 400, "Transfer-Encoding is empty");
	if (!bytes_eq_nocase(value, BYTES_LIT("chunked")))
		return http_parse_refuse(
		        p, 501, "transfer coding is not chunked");
	return true;
}

static void connection_parse(struct http_parse *p, struct bytes value)
{
	struct bytes option;

	while (value.n > 0) {
		bytes_cut(value, ',', &option, &value);
		option = trim(option);
		if (bytes_eq_nocase(option, BYTES_LIT("close")))
			p->says_close = true;
		else if (bytes_eq_nocase(option, BYTES_LIT("keep-alive")))
			p->says_keep_alive = true;
	}
}

static bool host_parse(struct http_parse *p, struct bytes value)
{
	if (!is_authority(value))
		return http_parse_refuse(p, 400, "Host is no host and port");
	if (!p->absolute)
		p->host = span_of(p, value);
	return true;
}

static bool expect_parse(struct http_parse *p, struct bytes value)
{
	if (!bytes_eq_nocase(value, BYTES_LIT("100-continue")))
		return http_parse_refuse(p, 417, "Expect is not 100-continue");
	p->wants_100 = true;
	return true;
}

static bool known_parse(struct http_parse *p, enum known f, struct bytes value)
{
	unsigned bit = 1u << f;
	bool again = (p->seen & bit) != 0;

	p->seen |= bit;
	if (again && f == F_TRANSFER_ENCODING)
		return http_parse_refuse(
		        p, 501, "more than one transfer coding");
	if (again && f != F_CONNECTION)
		return http_parse_refuse(
		        p, 400, "a field that may come once is repeated");
	switch (f) {
	case F_HOST:
		return host_parse(p, value);
	case F_CONTENT_LENGTH:
		return content_length_parse(p, value);
	case F_TRANSFER_ENCODING:
		return transfer_encoding_parse(p, value);
	case F_CONNECTION:
		connection_parse(p, value);
		return true;
	case F_EXPECT:
		return expect_parse(p, value);
	default:
		return true;
	}
}

bool http_head_field_line(struct http_parse *p, size_t n)
{
	struct bytes line = bytes_of(p->head.p + p->line_off, n);
	struct bytes name, value;

	/* RFC 9112 5.2 (obs-fold) and 2.2 (space before the first field). */
	if (line.p[0] == ' ' || line.p[0] == '\t')
		return http_parse_refuse(
		        p, 400, "field line starts with white space");
	/* RFC 9112 5.1: no white space between name and colon. */
	if (!bytes_cut(line, ':', &name, &value) || name.n == 0 ||
	        !all_in(name, IN_TOKEN))
		return http_parse_refuse(p, 400, "field name is no token");
	if (p->n_fields == HTTP_FIELDS_MAX)
		return http_parse_refuse(p, 431, "too many fields");
	value = trim(value);
	p->fields[p->n_fields++] =
	        (struct http_field){ span_of(p, name), span_of(p, value) };
	for (int f = 0; f < F_KNOWN_COUNT; f++)
		if (bytes_eq_nocase(name, known_names[f]))
			return known_parse(p, (enum known)f, value);
	return true;
}

bool http_head_end(struct http_parse *p)
{
	bool has_te = (p->seen & (1u << F_TRANSFER_ENCODING)) != 0;
	bool has_cl = (p->seen & (1u << F_CONTENT_LENGTH)) != 0;

	if (p->minor > 0 && (p->seen & (1u << F_HOST)) == 0)
		return http_parse_refuse(p, 400, "Host is missing");
	/* RFC 9112 6.1 and 6.3: the usual shape of a smuggled request. */
	if (has_te && has_cl)
		return http_parse_refuse(
		        p, 400, "both Transfer-Encoding and Content-Length");
	if (has_te && p->minor == 0)
		return http_parse_refuse(
		        p, 400, "Transfer-Encoding in HTTP/1.0");
	if (has_te)
		p->framing = HTTP_CHUNKED;
	if (p->framing == HTTP_NO_BODY &&
	        (p->method == HTTP_POST || p->method == HTTP_PUT))
		return http_parse_refuse(p, 411, "no length and not chunked");
	p->keep_alive = !p->says_close && (p->minor > 0 || p->says_keep_alive);
	/* RFC 9110 10.1.1: not for HTTP/1.0, nor without content. */
	if (p->minor == 0 || (!has_te && p->left == 0))
		p->wants_100 = false;
	return true;
}
