#include "admin/approval.h"

#include "admin/describe.h"
#include "admin/endpoint.h"
#include "admin/role.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct action {
	const char *name;
	enum conf_role role; /* to ask for it, and to approve it */
	bool by_command; /* the daemon only keeps the request: mica does it */
} actions[] = {
	{ "key.create", CONF_ROLE_ADMIN, true },
	{ "authority.install", CONF_ROLE_ADMIN, true },
	{ "authority.revoke", CONF_ROLE_ADMIN, false },
	{ "code.sign", CONF_ROLE_OPERATOR, false },
};

static const struct action *action_of(const char *name)
{
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (strcmp(actions[i].name, name) == 0)
			return &actions[i];
	return NULL;
}

static enum rc check_action(
        const struct call *c, const struct action *action, struct why *why)
{
	if (action == NULL)
		return why_set(why, RC_MALFORMED, "no such action");
	if (c->role < action->role)
		return why_set(why, RC_PERMISSION,
		        "uid %lu is %s, and %s is for %s",
		        (unsigned long)c->uid, role_text(c->role), action->name,
		        role_text(action->role));
	return RC_OK;
}

/* --- as JSON */

static const char *state_text(const struct store_approval *a)
{
	bool late = a->closed_us == 0 && a->expires_us <= clock_now_us();

	switch (late ? APPROVAL_EXPIRED : a->state) {
	case APPROVAL_PENDING:
		return "pending";
	case APPROVAL_APPROVED:
		return "approved";
	case APPROVAL_CARRIED_OUT:
		return "carried out";
	case APPROVAL_DENIED:
		return "denied";
	case APPROVAL_EXPIRED:
		return "expired";
	}
	return "?";
}

static json_t *describe_approval(const struct store_approval *a)
{
	json_t *out = json_pack("{s:I, s:s, s:s, s:s, s:o, s:o, s:I, s:o, s:o}",
	        "id", (json_int_t)a->id, "state", state_text(a), "action",
	        a->action, "object", a->object, "parameters",
	        json_loads(a->detail, 0, NULL), "sha256",
	        describe_hex(BYTES_ARRAY(a->content)), "asked_by",
	        (json_int_t)a->asked_by, "asked", describe_time_us(a->asked_us),
	        "expires", describe_time_us(a->expires_us));
	int bad = out == NULL;

	if (bad == 0 && a->decided_us != 0)
		bad = json_object_set_new(out, "decided_by",
		              json_integer((json_int_t)a->decided_by)) +
		        json_object_set_new(out, "decided",
		                describe_time_us(a->decided_us));
	if (bad == 0 && a->closed_us != 0)
		bad = json_object_set_new(
		        out, "closed", describe_time_us(a->closed_us));
	if (bad == 0)
		return out;
	json_decref(out);
	return NULL;
}

/* --- the gate */

struct gate {
	call_fn *go;
	struct store_approval_ask ask;
};

static void asked(struct store_op *op)
{
	struct call *c = op->ctx;
	struct gate *g = c->gate;
	const struct store_approval *a = &g->ask.approval;
	struct log_num id;

	if (op->rc != RC_OK) {
		call_refuse(c, op->rc, &op->why);
		return;
	}
	if (g->ask.go) {
		g->go(c);
		return;
	}
	log_event(LOG_NOTICE, "approval.waits", "request",
	        log_i64(&id, (int64_t)a->id), "action", a->action, "object",
	        a->object, NULL);
	call_answer(
	        c, 202, json_pack("{s:o}", "approval", describe_approval(a)));
}

/* Sorted keys, no spaces: one text for one meaning. */
static enum rc write_parameters(
        char out[STORE_TEXT_MAX + 1], const json_t *parameters, struct why *why)
{
	const size_t flags = JSON_SORT_KEYS | JSON_COMPACT | JSON_ENSURE_ASCII;
	size_t n = json_dumpb(parameters, out, STORE_TEXT_MAX, flags);

	out[n <= STORE_TEXT_MAX ? n : 0] = '\0';
	return n > 0 && n <= STORE_TEXT_MAX
	        ? RC_OK
	        : why_set(why, RC_TOOBIG,
	                  "what is to be approved is over %d bytes",
	                  STORE_TEXT_MAX);
}

static enum rc fill(struct gate *g, const struct call *c,
        const struct approval_want *want, struct why *why)
{
	struct store_approval *a = &g->ask.approval;
	char all[STORE_ACTION_MAX + STORE_NAME_MAX + STORE_TEXT_MAX + 4];
	enum rc rc = write_parameters(a->detail, want->parameters, why);
	int n;

	if (rc != RC_OK)
		return rc;
	if (strlen(want->object) > STORE_NAME_MAX)
		return why_set(why, RC_TOOBIG, "object: over %d bytes",
		        STORE_NAME_MAX);
	/* It is shown on the other one's terminal, who goes by it. */
	if (!text_is_print(bytes_str(want->object)))
		return why_set(
		        why, RC_MALFORMED, "object: want printable characters");
	rc = check_action(c, action_of(want->action), why);
	if (rc != RC_OK)
		return rc;
	(void)snprintf(a->action, sizeof(a->action), "%s", want->action);
	(void)snprintf(a->object, sizeof(a->object), "%s", want->object);
	a->asked_by = c->uid;
	a->expires_us =
	        clock_now_us() + c->admin->o.conf->approval_life_s * 1000000;
	n = snprintf(all, sizeof(all), "%s\n%s\n%s", a->action, a->object,
	        a->detail);
	return n < 0 ? RC_INTERNAL
	             : digest_sha256(c->admin->digest, bytes_of(all, (size_t)n),
	                       a->content);
}

void call_approve(struct call *c, const struct approval_want *want, call_fn *go)
{
	struct why why = WHY_NONE;
	struct gate *g;
	enum rc rc;

	if (want->approvals < 2) {
		go(c);
		return;
	}
	g = c->gate = calloc(1, sizeof(*g));
	if (g == NULL) {
		call_refuse(c, RC_NOMEM, NULL);
		return;
	}
	rc = fill(g, c, want, &why);
	if (rc != RC_OK) {
		call_refuse(c, rc, &why);
		return;
	}
	g->go = go;
	g->ask.later = want->later;
	g->ask.op =
	        (struct store_op){ .done = asked, .ctx = c, .actor = c->actor };
	call_store(&g->ask.op, store_approval_ask(c->admin->o.store, &g->ask));
}

uint64_t call_approval(const struct call *c)
{
	const struct gate *g = c->gate;

	return g != NULL ? g->ask.approval.id : 0;
}

/* --- POST /v1/approvals: what the command does by itself, once it may */

static void may_go(struct call *c)
{
	call_answer(c, 200, json_pack("{s:b}", "go", 1));
}

void approval_ask(struct call *c)
{
	struct approval_want want = { .approvals =
		                              c->admin->o.conf->approvals };
	const struct action *action;
	struct why why = WHY_NONE;
	json_t *parameters = NULL;
	enum rc rc =
	        call_body(c, &why, "{s:s, s:s, s:o}", "action", &want.action,
	                "object", &want.object, "parameters", &parameters);

	if (rc == RC_OK && !json_is_object(parameters))
		rc = why_set(&why, RC_MALFORMED, "parameters: want an object");
	action = rc == RC_OK ? action_of(want.action) : NULL;
	if (rc == RC_OK)
		rc = check_action(c, action, &why);
	if (rc == RC_OK && !action->by_command)
		rc = why_set(&why, RC_MALFORMED,
		        "%s: the daemon does that itself", want.action);
	want.parameters = parameters;
	if (rc == RC_OK)
		call_approve(c, &want, may_go);
	else
		call_refuse(c, rc, &why);
}

/* --- to look */

struct listing {
	struct store_approval_list list;
	struct store_approval rows[STORE_ROWS_MAX];
};

static json_t *describe_rows(const struct listing *j)
{
	json_t *rows = json_array();

	for (size_t i = 0; rows != NULL && i < j->list.n; i++)
		if (json_array_append_new(
		            rows, describe_approval(&j->rows[i])) != 0) {
			json_decref(rows);
			rows = NULL;
		}
	return rows;
}

static void listed(struct store_op *op)
{
	struct call *c = op->ctx;
	struct listing *j = c->job;

	if (op->rc == RC_OK)
		call_answer_page(c, "approvals", describe_rows(j),
		        j->list.more ? &j->list.cursor : NULL);
	else
		call_refuse(c, op->rc, &op->why);
}

void approval_list(struct call *c)
{
	struct listing *j = call_job(c, sizeof(*j));
	struct why why = WHY_NONE;
	enum rc rc;

	if (j == NULL)
		return;
	rc = call_page_by_state(
	        c, &j->list.closed, &j->list.cursor, &j->list.max, &why);
	if (rc != RC_OK) {
		call_refuse(c, rc, &why);
		return;
	}
	j->list.rows = j->rows;
	j->list.op = (struct store_op){ .done = listed, .ctx = c };
	call_store(
	        &j->list.op, store_approval_list(c->admin->o.store, &j->list));
}

struct decision {
	struct store_approval_get get;
	struct store_approval_decide decide;
};

static void shown(struct store_op *op)
{
	struct call *c = op->ctx;
	const struct decision *j = c->job;

	if (op->rc != RC_OK)
		call_refuse(c, op->rc, &op->why);
	else
		call_answer(c, 200, describe_approval(&j->get.approval));
}

static void get_request(struct call *c, uint64_t id, store_done_fn *done)
{
	struct decision *j = c->job;

	j->get.id = id;
	j->get.op = (struct store_op){ .done = done, .ctx = c };
	call_store(&j->get.op, store_approval_get(c->admin->o.store, &j->get));
}

static enum rc read_id(const char *text, uint64_t *id, struct why *why)
{
	return text_u64(bytes_str(text), INT64_MAX, id) == RC_OK
	        ? RC_OK
	        : why_set(why, RC_NOTFOUND, "no such request");
}

void approval_show(struct call *c)
{
	struct why why = WHY_NONE;
	char rest[24];
	uint64_t id;
	enum rc rc;

	if (call_job(c, sizeof(struct decision)) == NULL)
		return;
	rc = call_rest(c, rest, sizeof(rest), &why);
	if (rc == RC_OK)
		rc = read_id(rest, &id, &why);
	if (rc == RC_OK)
		get_request(c, id, shown);
	else
		call_refuse(c, rc, &why);
}

/* --- to decide */

static void decided(struct store_op *op)
{
	struct call *c = op->ctx;
	const struct decision *j = c->job;

	if (op->rc != RC_OK)
		call_refuse(c, op->rc, &op->why);
	else
		call_answer(c, 200, describe_approval(&j->decide.approval));
}

static void found(struct store_op *op)
{
	struct call *c = op->ctx;
	struct decision *j = c->job;
	struct why why = op->why;
	enum rc rc = op->rc;

	if (rc == RC_OK)
		rc = check_action(c, action_of(j->get.approval.action), &why);
	if (rc != RC_OK) {
		call_refuse(c, rc, &why);
		return;
	}
	j->decide.id = j->get.id;
	j->decide.by = c->uid;
	j->decide.op = (struct store_op){
		.done = decided, .ctx = c, .actor = c->actor
	};
	call_store(&j->decide.op,
	        store_approval_decide(c->admin->o.store, &j->decide));
}

/* …/ID/approve, …/ID/deny */
void approval_decide(struct call *c)
{
	struct decision *j = call_job(c, sizeof(*j));
	struct why why = WHY_NONE;
	char rest[40], *verb;
	uint64_t id;
	enum rc rc;

	if (j == NULL)
		return;
	rc = call_rest(c, rest, sizeof(rest), &why);
	verb = rc == RC_OK ? strchr(rest, '/') : NULL;
	if (rc == RC_OK && verb != NULL) {
		*verb++ = '\0';
		j->decide.approve = strcmp(verb, "approve") == 0;
	}
	if (rc == RC_OK &&
	        (verb == NULL ||
	                (!j->decide.approve && strcmp(verb, "deny") != 0)))
		rc = why_set(&why, RC_NOTFOUND, "want …/approve or …/deny");
	if (rc == RC_OK)
		rc = read_id(rest, &id, &why);
	if (rc == RC_OK)
		get_request(c, id, found);
	else
		call_refuse(c, rc, &why);
}
