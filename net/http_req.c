#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "net/http_priv.h"

/* struct http_req is the connection as a handler sees it. */
static struct conn *conn_of(const struct http_req *req)
{
	return (struct conn *)req;
}

enum http_method http_req_method(const struct http_req *req)
{
	return conn_of(req)->parse.method;
}

struct bytes http_req_path(const struct http_req *req)
{
	return http_parse_path(&conn_of(req)->parse);
}

struct bytes http_req_rest(const struct http_req *req)
{
	const struct http_route *r = conn_of(req)->route;

	return bytes_skip(http_req_path(req), bytes_str(r->path).n);
}

struct bytes http_req_query(const struct http_req *req)
{
	return http_parse_query(&conn_of(req)->parse);
}

struct bytes http_req_host(const struct http_req *req)
{
	return http_parse_host(&conn_of(req)->parse);
}

struct bytes http_req_header(const struct http_req *req, const char *name)
{
	return http_parse_field(&conn_of(req)->parse, name);
}

struct bytes http_req_body(const struct http_req *req)
{
	return http_parse_body(&conn_of(req)->parse);
}

const struct net_addr *http_req_addr(const struct http_req *req)
{
	return &conn_of(req)->addr;
}

bool http_req_is_gone(const struct http_req *req)
{
	return conn_of(req)->bev == NULL;
}

bool http_req_peer_uid(const struct http_req *req, uid_t *uid, gid_t *gid)
{
	const struct conn *c = conn_of(req);

	if (!c->addr.local)
		return false;
	*uid = c->uid;
	*gid = c->gid;
	return true;
}

size_t http_req_peer_groups(
        const struct http_req *req, gid_t *groups, size_t max)
{
	const struct conn *c = conn_of(req);
	socklen_t n = (socklen_t)(max * sizeof(*groups));

	/* A list that does not fit fails as a whole (ERANGE). */
	if (!c->addr.local || c->fd < 0 ||
	        getsockopt(c->fd, SOL_SOCKET, SO_PEERGROUPS, groups, &n) != 0)
		return 0;
	return n / sizeof(*groups);
}

const struct tls_peer *http_req_tls_peer(struct http_req *req)
{
	struct conn *c = conn_of(req);

	if (c->ssl == NULL)
		return NULL;
	if (!c->peer_read && tls_peer_read(&c->peer, c->ssl) != RC_OK)
		return NULL;
	c->peer_read = true;
	return &c->peer;
}

enum rc http_req_channel_binding(
        struct http_req *req, struct tls_binding *out, struct why *why)
{
	struct conn *c = conn_of(req);

	*out = (struct tls_binding){ .n = 0 };
	if (c->ssl == NULL)
		return why_set(
		        why, RC_UNSUPPORTED, "channel binding without TLS");
	return tls_channel_binding(out, c->ssl, why);
}

/* --- Answers. */
const char *http_status_text(unsigned status)
{
	static const struct {
		unsigned status;
		const char *text;
	} texts[] = {
		{ 200, "OK" },
		{ 201, "Created" },
		{ 202, "Accepted" },
		{ 204, "No Content" },
		{ 301, "Moved Permanently" },
		{ 304, "Not Modified" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 408, "Request Timeout" },
		{ 409, "Conflict" },
		{ 411, "Length Required" },
		{ 413, "Content Too Large" },
		{ 414, "URI Too Long" },
		{ 415, "Unsupported Media Type" },
		{ 417, "Expectation Failed" },
		{ 423, "Locked" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ 501, "Not Implemented" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
		{ 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].status == status)
			return texts[i].text;
	return "";
}

/* Made once a second. */
static const char *date_now(struct http_server *srv)
{
	int64_t now_s = clock_now_s();

	if (srv->date[0] == '\0' || srv->date_s != now_s) {
		srv->date_s = now_s;
		(void)http_date_format(srv->date, now_s);
	}
	return srv->date;
}

static void add_line(struct buf *b, const char *name, const char *value)
{
	buf_add_str(b, name);
	buf_add(b, BYTES_LIT(": "));
	buf_add_str(b, value);
	buf_add(b, BYTES_LIT("\r\n"));
}

static void add_status_line(struct buf *b, unsigned status)
{
	char code[4] = { (char)('0' + status / 100 % 10),
		(char)('0' + status / 10 % 10), (char)('0' + status % 10), 0 };

	buf_add(b, BYTES_LIT("HTTP/1.1 "));
	buf_add_str(b, code);
	buf_add(b, BYTES_LIT(" "));
	buf_add_str(b, http_status_text(status));
	buf_add(b, BYTES_LIT("\r\n"));
}

/* Decimal, without printf's price. */
static void add_length(struct buf *b, size_t n)
{
	char text[24];
	size_t i = sizeof(text) - 1;

	text[i] = '\0';
	do {
		text[--i] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	add_line(b, "Content-Length", text + i);
}

/* A value with a line end would let it write headers, or an answer. */
static bool headers_ok(const struct http_header *headers, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!text_is_print(bytes_str(headers[i].value)))
			return false;
	return n <= HTTP_ANSWER_HEADERS_MAX;
}

enum rc http_header_lines(
        struct buf *out, const struct http_header *headers, size_t n_headers)
{
	if (!headers_ok(headers, n_headers))
		return RC_MALFORMED;
	for (size_t i = 0; i < n_headers; i++)
		add_line(out, headers[i].name, headers[i].value);
	return out->failed;
}

/* What an answer's head says beside what is the server's: headers, and lines of
 * some that were written before. */
struct fields {
	const struct http_header *headers;
	size_t n;
	struct bytes lines;
};

static bool head_build(
        struct conn *c, unsigned status, const struct fields *f, size_t body_n)
{
	struct buf *b = &c->srv->head;

	buf_reset(b);
	add_status_line(b, status);
	add_line(b, "Date", date_now(c->srv));
	if (http_header_lines(b, f->headers, f->n) != RC_OK)
		return false;
	buf_add(b, f->lines);
	/* RFC 9110 8.6: not in a 204; in a 304 it would be another's. */
	if (status != 204 && status != 304)
		add_length(b, body_n);
	if (c->close)
		add_line(b, "Connection", "close");
	else if (c->parse.minor == 0)
		add_line(b, "Connection", "keep-alive");
	buf_add(b, BYTES_LIT("\r\n"));
	return b->failed == RC_OK;
}

/* RC_OK: srv->head says that. RC_INTERNAL: it says 500, and no body is to
 * follow. RC_NOMEM: the connection is closed. */
static enum rc answer_head(struct conn *c, unsigned status,
        const struct fields *fields, size_t body_n)
{
	static const struct fields none;

	/* A connection that is closing down or whose peer will send no more
	 * is not kept. */
	c->close = c->close || c->srv->draining;
	if (head_build(c, status, fields, body_n))
		return RC_OK;
	c->close = true;
	if (head_build(c, 500, &none, 0))
		return RC_INTERNAL;
	c->state = CONN_WRITE;
	conn_close(c);
	return RC_NOMEM;
}

static bool has_body(const struct conn *c, unsigned status)
{
	return c->parse.method != HTTP_HEAD && status != 204 && status != 304;
}

static void answer_bytes(struct conn *c, unsigned status,
        const struct fields *fields, struct bytes body)
{
	enum rc rc = answer_head(c, status, fields, body.n);

	if (rc == RC_NOMEM)
		return;
	if (rc != RC_OK || !has_body(c, status))
		body = BYTES_NONE;
	conn_send(c, buf_bytes(&c->srv->head), body);
}

void conn_answer(struct conn *c, unsigned status,
        const struct http_header *headers, size_t n_headers, struct bytes body)
{
	const struct fields fields = { .headers = headers, .n = n_headers };

	answer_bytes(c, status, &fields, body);
}

void conn_refuse(struct conn *c, unsigned status, const char *clause)
{
	char addr[NET_ADDR_TEXT_BYTES];
	const char *text = http_status_text(status);
	const struct http_header type = { "Content-Type", "text/plain" };
	struct buf body = BUF_INIT(128);

	metric_add(c->srv->metrics, METRIC_HTTP_REFUSED, 1);
	log_event(LOG_INFO, "http.refused", "peer",
	        net_addr_text(addr, &c->addr), "status", text, "why", clause,
	        NULL);
	c->close = true;
	buf_addf(&body, "%s\n", text);
	conn_answer(c, status, &type, 1, buf_bytes(&body));
	buf_free(&body);
}

void http_answer(struct http_req *req, unsigned status,
        const struct http_header *headers, size_t n_headers, struct bytes body)
{
	struct conn *c = conn_of(req);

	if (c->bev == NULL)
		conn_dead(c);
	else
		conn_answer(c, status, headers, n_headers, body);
}

void http_answer_lines(struct http_req *req, unsigned status,
        struct bytes lines, struct bytes body)
{
	const struct fields fields = { .lines = lines };
	struct conn *c = conn_of(req);

	if (c->bev == NULL)
		conn_dead(c);
	else
		answer_bytes(c, status, &fields, body);
}

void http_answer_file(struct http_req *req, unsigned status,
        const struct http_header *headers, size_t n_headers,
        struct http_file *file)
{
	const struct fields fields = { .headers = headers, .n = n_headers };
	struct conn *c = conn_of(req);
	enum rc rc;

	if (c->bev == NULL) {
		conn_dead(c);
		return;
	}
	rc = answer_head(c, status, &fields, file->n);
	if (rc == RC_OK && has_body(c, status))
		conn_send_file(c, buf_bytes(&c->srv->head), file);
	else if (rc != RC_NOMEM)
		conn_send(c, buf_bytes(&c->srv->head), BYTES_NONE);
}

void http_answer_text(struct http_req *req, unsigned status, const char *text)
{
	const struct http_header type = { "Content-Type", "text/plain" };
	struct buf body = BUF_INIT(4096);

	buf_add_str(&body, text);
	buf_add_u8(&body, '\n');
	http_answer(req, status, &type, 1, buf_bytes(&body));
	buf_free(&body);
}
