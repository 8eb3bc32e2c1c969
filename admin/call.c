#include "admin/call.h"

#include "admin/describe.h"
#include "admin/role.h"
#include "base/text.h"
#include "net/http_uri.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void call_end(struct call *c)
{
	struct admin *a = c->admin;

	json_decref(c->body);
	free(c->job);
	free(c->gate);
	free(c);
	a->pending--;
	if (a->closed)
		admin_free(a);
}

bool call_asker(const struct call *c, struct role_asker *who,
        gid_t groups[CALL_GROUPS_MAX])
{
	*who = (struct role_asker){ .groups = groups };
	if (!http_req_peer_uid(c->req, &who->uid, &who->gid))
		return false;
	who->n_groups = http_req_peer_groups(c->req, groups, CALL_GROUPS_MAX);
	return true;
}

void *call_job(struct call *c, size_t size)
{
	c->job = calloc(1, size);
	if (c->job == NULL)
		call_refuse(c, RC_NOMEM, NULL);
	return c->job;
}

static void send_json(struct http_req *req, unsigned status, json_t *json)
{
	static const struct http_header type = { "Content-Type",
		"application/json" };
	char *text = json_dumps(json, JSON_COMPACT);

	if (text != NULL)
		http_answer(req, status, &type, 1, bytes_str(text));
	else
		http_answer_text(req, 503, rc_info(RC_NOMEM)->text);
	free(text);
}

void call_answer(struct call *c, unsigned status, json_t *json)
{
	if (json == NULL) {
		call_refuse(c, RC_NOMEM, NULL);
		return;
	}
	send_json(c->req, status, json);
	json_decref(json);
	call_end(c);
}

void call_refuse(struct call *c, enum rc rc, const struct why *why)
{
	const struct rc_info *info = rc_info(rc);
	bool clause = why != NULL && why->text[0] != '\0';
	/* rc_info() speaks for EST, whose clients know no 403. */
	int status = rc == RC_PERMISSION ? 403 : info->http_status;
	json_t *json = json_pack("{s:{s:s, s:s}}", "error", "code", info->name,
	        "text", clause ? why->text : info->text);

	send_json(c->req, (unsigned)status, json);
	json_decref(json);
	call_end(c);
}

void call_store(struct store_op *op, enum rc begun)
{
	if (begun == RC_PENDING)
		return;
	op->rc = begun;
	op->done(op);
}

/* --- parameters */
static enum rc decode(struct bytes in, char *out, size_t size, const char *what,
        struct why *why)
{
	struct buf b = BUF_INIT(size - 1);
	enum rc rc = http_uri_decode(&b, in);

	if (rc == RC_OK) {
		memcpy(out, b.n > 0 ? (const char *)b.p : "", b.n);
		out[b.n] = '\0';
	} else {
		why_set(why, rc, "%s: %s", what,
		        rc == RC_TOOBIG ? "too long" : "badly encoded");
	}
	buf_free(&b);
	return rc;
}

enum rc call_param(const struct call *c, const char *name, char *out,
        size_t size, struct why *why)
{
	struct bytes value;

	out[0] = '\0';
	if (!http_uri_param(http_req_query(c->req), name, &value))
		return RC_OK;
	return decode(value, out, size, name, why);
}

enum rc call_param_u64(const struct call *c, const char *name, uint64_t max,
        uint64_t *out, struct why *why)
{
	char text[24];
	enum rc rc = call_param(c, name, text, sizeof(text), why);

	if (rc != RC_OK || text[0] == '\0')
		return rc;
	if (text_u64(bytes_str(text), max, out) != RC_OK)
		return why_set(why, RC_MALFORMED,
		        "%s: want a number up to %llu", name,
		        (unsigned long long)max);
	return RC_OK;
}

static bool is_word(struct bytes word, const char *words)
{
	struct bytes one, rest = bytes_str(words);

	while (rest.n > 0) {
		bytes_cut(rest, ' ', &one, &rest);
		if (word.n > 0 && bytes_eq(one, word))
			return true;
	}
	return false;
}

/* Names stand as they are: none of ours has anything to escape. */
enum rc call_check_query(
        const struct call *c, const char *known, struct why *why)
{
	struct bytes query = http_req_query(c->req), pair, name, rest;
	char text[64];

	for (rest = query; rest.n > 0;) {
		struct bytes value;

		bytes_cut(rest, '&', &pair, &rest);
		bytes_cut(pair, '=', &name, &value);
		(void)snprintf(text, sizeof(text), "%.*s", (int)name.n,
		        (const char *)name.p);
		if (!is_word(name, known))
			return why_set(why, RC_MALFORMED,
			        "query: no parameter \"%s\" here", text);
		if (!http_uri_param(query, text, &value))
			return why_set(why, RC_MALFORMED,
			        "query: \"%s\" comes twice", text);
	}
	return RC_OK;
}

enum rc call_cursor(
        struct store_cursor *cursor, const char *text, struct why *why)
{
	struct buf b = BUF_INIT(sizeof(cursor->b));
	enum rc rc = RC_OK;

	if (hex_decode(&b, bytes_str(text)) != RC_OK)
		rc = why_set(why, RC_MALFORMED, "cursor: not one of ours");
	else if (b.n > 0)
		memcpy(cursor->b, b.p, b.n);
	cursor->n = rc == RC_OK ? (uint8_t)b.n : 0;
	buf_free(&b);
	return rc;
}

enum rc call_page(const struct call *c, struct store_cursor *cursor,
        size_t *max, struct why *why)
{
	char text[2 * sizeof(cursor->b) + 1];
	uint64_t rows = ADMIN_PAGE_ROWS;
	enum rc rc = call_param_u64(c, "max", STORE_ROWS_MAX, &rows, why);

	if (rc == RC_OK)
		rc = call_param(c, "cursor", text, sizeof(text), why);
	if (rc == RC_OK && rows == 0)
		rc = why_set(why, RC_MALFORMED, "max: want at least 1");
	if (rc == RC_OK)
		rc = call_cursor(cursor, text, why);
	*max = (size_t)rows;
	return rc;
}

enum rc call_page_by_state(const struct call *c, bool *closed,
        struct store_cursor *cursor, size_t *max, struct why *why)
{
	char state[16];
	enum rc rc = call_param(c, "state", state, sizeof(state), why);

	*closed = rc == RC_OK && strcmp(state, "closed") == 0;
	if (rc == RC_OK)
		rc = call_page(c, cursor, max, why);
	if (rc == RC_OK && state[0] != '\0' && !*closed &&
	        strcmp(state, "open") != 0)
		rc = why_set(why, RC_MALFORMED, "state: want open or closed");
	return rc;
}

void call_answer_page(struct call *c, const char *name, json_t *rows,
        const struct store_cursor *more)
{
	json_t *page = rows != NULL ? json_pack("{s:o}", name, rows) : NULL;

	if (page != NULL && more != NULL &&
	        json_object_set_new(page, "cursor", describe_cursor(more)) !=
	                0) {
		json_decref(page);
		page = NULL;
	}
	call_answer(c, 200, page);
}

enum rc call_rest(const struct call *c, char *out, size_t size, struct why *why)
{
	return decode(http_req_rest(c->req), out, size, "path", why);
}

enum rc call_body(struct call *c, struct why *why, const char *fmt, ...)
{
	json_error_t e;
	va_list args;
	int n;

	va_start(args, fmt);
	n = json_vunpack_ex(c->body, &e, JSON_STRICT, fmt, args);
	va_end(args);
	return n == 0 ? RC_OK
	              : why_set(why, RC_MALFORMED, "request: %s", e.text);
}
