#include "admin/admin.h"

#include "admin/endpoint.h"
#include "admin/role.h"
#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct admin_endpoint endpoints[] = {
	{ HTTP_GET, HTTP_EXACT, "/v1/status", 0, CONF_ROLE_AUDITOR,
	        status_get },
	{ HTTP_GET, HTTP_EXACT, "/v1/devices", 0, CONF_ROLE_AUDITOR,
	        device_list },
	{ HTTP_POST, HTTP_EXACT, "/v1/devices", ADMIN_BODY_MAX_BYTES,
	        CONF_ROLE_OPERATOR, device_add },
	{ HTTP_GET, HTTP_PREFIX, "/v1/devices/", 0, CONF_ROLE_AUDITOR,
	        device_show },
	/* …/ID/suspend, …/ID/resume */
	{ HTTP_POST, HTTP_PREFIX, "/v1/devices/", 0, CONF_ROLE_OPERATOR,
	        device_change },
	{ HTTP_POST, HTTP_EXACT, "/v1/tokens", ADMIN_BODY_MAX_BYTES,
	        CONF_ROLE_OPERATOR, token_create },
	{ HTTP_GET, HTTP_EXACT, "/v1/certs", 0, CONF_ROLE_AUDITOR, cert_list },
	{ HTTP_POST, HTTP_EXACT, "/v1/certs", ADMIN_ISSUE_BODY_MAX_BYTES,
	        CONF_ROLE_OPERATOR, cert_issue },
	{ HTTP_GET, HTTP_PREFIX, "/v1/certs/", 0, CONF_ROLE_AUDITOR,
	        cert_show },
	{ HTTP_POST, HTTP_EXACT, "/v1/revocations", ADMIN_BODY_MAX_BYTES,
	        CONF_ROLE_OPERATOR, cert_revoke },
	{ HTTP_GET, HTTP_EXACT, "/v1/code", 0, CONF_ROLE_AUDITOR, code_list },
	{ HTTP_POST, HTTP_EXACT, "/v1/code", ADMIN_BODY_MAX_BYTES,
	        CONF_ROLE_OPERATOR, code_sign },
	{ HTTP_GET, HTTP_EXACT, "/v1/crls", 0, CONF_ROLE_AUDITOR, crl_list },
	{ HTTP_POST, HTTP_EXACT, "/v1/crls", ADMIN_BODY_MAX_BYTES,
	        CONF_ROLE_OPERATOR, crl_generate },
	{ HTTP_GET, HTTP_EXACT, "/v1/audit", 0, CONF_ROLE_AUDITOR, audit_list },
	{ HTTP_GET, HTTP_EXACT, "/v1/store/floor", 0, CONF_ROLE_AUDITOR,
	        floor_show },
	{ HTTP_POST, HTTP_EXACT, "/v1/store/floor", ADMIN_BODY_MAX_BYTES,
	        CONF_ROLE_ADMIN, floor_lower },
	{ HTTP_GET, HTTP_EXACT, "/v1/authorities", 0, CONF_ROLE_AUDITOR,
	        authority_list },
	/* …/NAME/revoke */
	{ HTTP_POST, HTTP_PREFIX, "/v1/authorities/", ADMIN_BODY_MAX_BYTES,
	        CONF_ROLE_ADMIN, authority_change },
	{ HTTP_GET, HTTP_EXACT, "/v1/approvals", 0, CONF_ROLE_AUDITOR,
	        approval_list },
	{ HTTP_POST, HTTP_EXACT, "/v1/approvals", ADMIN_BODY_MAX_BYTES,
	        CONF_ROLE_OPERATOR, approval_ask },
	{ HTTP_GET, HTTP_PREFIX, "/v1/approvals/", 0, CONF_ROLE_AUDITOR,
	        approval_show },
	/* …/ID/approve, …/ID/deny */
	{ HTTP_POST, HTTP_PREFIX, "/v1/approvals/", 0, CONF_ROLE_OPERATOR,
	        approval_decide },
	{ HTTP_GET, HTTP_EXACT, "/v1/requests", 0, CONF_ROLE_AUDITOR,
	        request_list },
	{ HTTP_GET, HTTP_PREFIX, "/v1/requests/", 0, CONF_ROLE_AUDITOR,
	        request_show },
	/* …/ID/approve, …/ID/deny */
	{ HTTP_POST, HTTP_PREFIX, "/v1/requests/", 0, CONF_ROLE_OPERATOR,
	        request_decide },
};
#define ENDPOINTS (sizeof(endpoints) / sizeof(endpoints[0]))
_Static_assert(ENDPOINTS <= ADMIN_ROUTES_MAX, "routes");

/* The parameters that a query may have; all others have none. */
static const struct {
	call_fn *fn;
	const char *known;
} queries[] = {
	{ device_list, "max cursor" },
	{ audit_list, "max cursor" },
	{ cert_list, "max cursor device state authority expires_within" },
	{ cert_show, "authority" },
	{ crl_list, "authority" },
	{ approval_list, "max cursor state" },
	{ request_list, "max cursor state" },
};

static enum rc check_query(const struct call *c, call_fn *fn, struct why *why)
{
	const char *known = "";

	for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++)
		if (queries[i].fn == fn)
			known = queries[i].known;
	return call_check_query(c, known, why);
}

/* --- who may */
static enum rc permit(struct call *c, enum conf_role least, struct why *why)
{
	gid_t groups[CALL_GROUPS_MAX];
	struct role_asker who;

	if (!call_asker(c, &who, groups))
		return why_set(why, RC_PERMISSION,
		        "the admin API is for the Unix socket alone");
	c->uid = who.uid;
	snprintf(c->actor, sizeof(c->actor), "operator uid %lu",
	        (unsigned long)who.uid);
	if (!role_of(c->admin->o.conf, c->admin->own, &who, &c->role))
		return why_set(why, RC_PERMISSION,
		        "uid %lu has no role in admin.access",
		        (unsigned long)who.uid);
	if (c->role < least)
		return why_set(why, RC_PERMISSION,
		        "uid %lu is %s, and this is for %s",
		        (unsigned long)who.uid, role_text(c->role),
		        role_text(least));
	return RC_OK;
}

/* A browser can be made to send a form to a local address, but not as JSON,
 * and never to a Unix socket; so the type is not asked for. */
static enum rc read_body(struct call *c, struct why *why)
{
	struct bytes body = http_req_body(c->req);
	json_error_t e;

	if (body.n == 0)
		return RC_OK;
	c->body = json_loadb(
	        (const char *)body.p, body.n, JSON_REJECT_DUPLICATES, &e);
	if (c->body == NULL)
		return why_set(why, RC_MALFORMED, "request: %s", e.text);
	if (!json_is_object(c->body))
		return why_set(why, RC_MALFORMED, "request: want an object");
	return RC_OK;
}

static void dispatch(void *ctx, struct http_req *req)
{
	const struct admin_route *route = ctx;
	struct call *c = calloc(1, sizeof(*c));
	struct why why = WHY_NONE;
	enum rc rc;

	if (c == NULL) {
		http_answer_text(req, 503, rc_info(RC_NOMEM)->text);
		return;
	}
	c->admin = route->admin;
	c->req = req;
	c->admin->pending++;
	rc = permit(c, route->endpoint->role, &why);
	if (rc == RC_OK)
		rc = check_query(c, route->endpoint->fn, &why);
	if (rc == RC_OK)
		rc = read_body(c, &why);
	if (rc == RC_OK) {
		route->endpoint->fn(c);
		return;
	}
	if (rc == RC_PERMISSION)
		log_event(LOG_WARN, "admin.refused", "why", why.text, NULL);
	call_refuse(c, rc, &why);
}

/* --- its life */
enum rc admin_new(struct admin **out, const struct admin_opts *o)
{
	struct admin *a = calloc(1, sizeof(*a));
	enum rc rc = a != NULL ? RC_OK : RC_NOMEM;

	*out = NULL;
	if (rc == RC_OK)
		rc = digest_new(&a->digest);
	if (rc == RC_OK)
		rc = pubkey_ctx_new(&a->keys);
	if (rc != RC_OK) {
		admin_free(a);
		return rc;
	}
	a->o = *o;
	a->own = getuid();
	a->started_us = clock_mono_us();
	for (size_t i = 0; i < ENDPOINTS; i++) {
		const struct admin_endpoint *e = &endpoints[i];

		a->route[i] = (struct admin_route){ a, e };
		a->table[i] = (struct http_route){ e->method, e->match, e->path,
			e->body_max_bytes, dispatch, &a->route[i] };
	}
	a->routes = (struct http_routes){ a->table, ENDPOINTS };
	*out = a;
	return RC_OK;
}

void admin_free(struct admin *a)
{
	if (a == NULL)
		return;
	a->closed = true;
	if (a->pending > 0)
		return;
	digest_free(a->digest);
	pubkey_ctx_free(a->keys);
	free(a);
}

const struct http_routes *admin_routes(const struct admin *a)
{
	return &a->routes;
}

size_t admin_pending(const struct admin *a)
{
	return a->pending;
}

void admin_set_processes(
        struct admin *a, const struct admin_process *list, size_t n)
{
	a->n_processes = n < ADMIN_PROCESSES_MAX ? n : ADMIN_PROCESSES_MAX;
	memcpy(a->processes, list, a->n_processes * sizeof(*list));
}

void admin_set_away(struct admin *a, const struct admin_away *list, size_t n)
{
	a->n_away = n < ADMIN_AWAY_MAX ? n : ADMIN_AWAY_MAX;
	memcpy(a->away, list, a->n_away * sizeof(*list));
}
