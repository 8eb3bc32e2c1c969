/* admin/call.h - one request to the admin API, from the route table to its one
 * answer. Private to admin/. */
#ifndef MICA_ADMIN_CALL_H
#define MICA_ADMIN_CALL_H

#include "admin/admin.h"
#include "ca/digest.h"
#include "ca/pubkey.h"
#include "net/http.h"
#include <jansson.h>

#define ADMIN_BODY_MAX_BYTES 4096        /* of most requests */
#define ADMIN_ISSUE_BODY_MAX_BYTES 65536 /* a CSR and its names, as JSON */
#define ADMIN_PAGE_ROWS 100              /* of a list, unless asked */
#define ADMIN_PROCESSES_MAX 128
#define ADMIN_ROUTES_MAX 32

struct call;
struct admin_endpoint;

/* What the route table hands to the dispatcher. */
struct admin_route {
	struct admin *admin;
	const struct admin_endpoint *endpoint;
};

struct admin {
	struct admin_opts o;
	uid_t own; /* the daemon's */
	int64_t started_us;
	struct digest *digest;
	struct pubkey_ctx *keys;
	struct admin_process processes[ADMIN_PROCESSES_MAX];
	size_t n_processes;
	struct admin_away away[ADMIN_AWAY_MAX];
	size_t n_away;
	size_t pending; /* calls that wait for an answer */
	bool closed;    /* freed with the last of them */
	struct admin_route route[ADMIN_ROUTES_MAX];
	struct http_route table[ADMIN_ROUTES_MAX];
	struct http_routes routes;
};

/* What a route does; exactly one answer ends the call. */
typedef void call_fn(struct call *c);

struct admin_endpoint {
	enum http_method method;
	enum http_match match;
	const char *path;
	size_t body_max_bytes;
	enum conf_role role; /* the least that may */
	call_fn *fn;
};

struct call {
	struct admin *admin;
	struct http_req *req;
	json_t *body; /* an object; NULL when the request has none */
	void *job;    /* the handler's, freed with the call */
	void *gate;   /* approval.c's, freed with the call */
	uid_t uid;    /* who asks, */
	enum conf_role role;
	char actor[32];
};

/* Who asks, by the kernel; who borrows groups. False: not over the Unix socket. */
#define CALL_GROUPS_MAX 256 /* more count as none */
struct role_asker;
bool call_asker(const struct call *c, struct role_asker *who,
        gid_t groups[CALL_GROUPS_MAX]);

/* Zeroed memory in c->job. NULL: the call was refused and is over. */
void *call_job(struct call *c, size_t size);

/* Answer, and end the call. json is taken; NULL means out of memory. */
void call_answer(struct call *c, unsigned status, json_t *json);
/* {"error": {"code": "not_found", "text": "no such device"}}. why may be NULL
 * or empty. Ends the call. */
void call_refuse(struct call *c, enum rc rc, const struct why *why);

/* Every store operation goes through this, so that what is answered at once and
 * what is answered later end in the same callback: call_store(&op, store_…()).
 * op->done and op->ctx are set before. */
void call_store(struct store_op *op, enum rc begun);

/* A parameter of the query, decoded and NUL-terminated; "" when absent.
 * Errors: RC_MALFORMED RC_TOOBIG. */
MUST_CHECK enum rc call_param(const struct call *c, const char *name, char *out,
        size_t size, struct why *why);
/* As call_param, a decimal number up to max. */
MUST_CHECK enum rc call_param_u64(const struct call *c, const char *name,
        uint64_t max, uint64_t *out, struct why *why);
/* Refuses what is not among the words of known (separated by spaces), or comes
 * twice: a misspelt parameter never passes as an absent one. */
MUST_CHECK enum rc call_check_query(
        const struct call *c, const char *known, struct why *why);
/* `cursor` and `max` of a list. */
MUST_CHECK enum rc call_page(const struct call *c, struct store_cursor *cursor,
        size_t *max, struct why *why);
/* As that, and `state`: open, which is also what its absence means, or closed. */
MUST_CHECK enum rc call_page_by_state(const struct call *c, bool *closed,
        struct store_cursor *cursor, size_t *max, struct why *why);
/* Answer with a page of a list: {NAME: rows, "cursor": ...}. rows is taken; NULL
 * means out of memory. more may be NULL: it is the last page. */
void call_answer_page(struct call *c, const char *name, json_t *rows,
        const struct store_cursor *more);
/* A cursor as describe_cursor() wrote it. Errors: RC_MALFORMED. */
MUST_CHECK enum rc call_cursor(
        struct store_cursor *cursor, const char *text, struct why *why);
/* What stands behind the route's prefix, decoded and NUL-terminated. */
MUST_CHECK enum rc call_rest(
        const struct call *c, char *out, size_t size, struct why *why);

/* The body by a jansson format; what it does not name is refused, so that a
 * misspelt option never passes as an absent one. Strings are borrowed from the
 * body. Errors: RC_MALFORMED. */
MUST_CHECK enum rc call_body(
        struct call *c, struct why *why, const char *fmt, ...);

#endif
