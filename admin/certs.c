/* Certificates on record: list, show. */
#include "admin/describe.h"
#include "admin/endpoint.h"
#include "base/clock.h"

#include <string.h>

#define EXPIRES_WITHIN_MAX_S (100 * 365 * INT64_C(86400))

/* --- list */
struct cert_page {
	char device[STORE_DEVICE_ID_MAX + 1];
	char revoked_by[STORE_NAME_MAX + 1]; /* LIST_BY_REVOCATION */
	struct authority_names names;
	struct store_list list;
	struct store_cert rows[STORE_ROWS_MAX];
};

static void listed(struct store_op *op)
{
	struct call *c = op->ctx;
	struct cert_page *j = c->job;

	if (op->rc == RC_OK)
		call_answer_page(c, "certificates",
		        describe_certs(j->rows, j->list.n, &j->names),
		        j->list.more ? &j->list.cursor : NULL);
	else
		call_refuse(c, op->rc, &op->why);
}

static void list_named(struct store_op *op)
{
	struct call *c = op->ctx;
	struct cert_page *j = c->job;

	if (op->rc != RC_OK) {
		call_refuse(c, op->rc, &op->why);
		return;
	}
	j->list.op = (struct store_op){ .done = listed, .ctx = c };
	call_store(&j->list.op, store_list(c->admin->o.store, &j->list));
}

/* state=intent, abandoned, or revoked (held too) with its authority. */
static enum rc plan_state(
        struct call *c, struct cert_page *j, const char *state, struct why *why)
{
	const struct authority *a;

	if (strcmp(state, "intent") == 0) {
		j->list.by = LIST_INTENTS;
		return RC_OK;
	}
	if (strcmp(state, "abandoned") == 0) {
		j->list.by = LIST_ABANDONED;
		return RC_OK;
	}
	if (strcmp(state, "revoked") != 0)
		return why_set(why, RC_MALFORMED,
		        "state: want intent, abandoned or revoked");
	if (j->revoked_by[0] != '\0')
		a = authorities_find(c->admin->o.authorities, j->revoked_by);
	else if (authorities_count(c->admin->o.authorities) == 1)
		a = authorities_at(c->admin->o.authorities, 0);
	else
		return why_set(why, RC_MALFORMED,
		        "authority: which one's revoked certificates?");
	if (a == NULL)
		return why_set(
		        why, RC_NOTFOUND, "no authority %s", j->revoked_by);
	j->list.by = LIST_BY_REVOCATION;
	j->list.authority = a->id;
	return RC_OK;
}

static enum rc plan_list(struct call *c, struct cert_page *j, struct why *why)
{
	char state[16];
	uint64_t within_s = 0;
	enum rc rc = call_page(c, &j->list.cursor, &j->list.max, why);

	if (rc == RC_OK)
		rc = call_param(c, "device", j->device, sizeof(j->device), why);
	if (rc == RC_OK)
		rc = call_param(c, "state", state, sizeof(state), why);
	if (rc == RC_OK)
		rc = call_param_u64(c, "expires_within", EXPIRES_WITHIN_MAX_S,
		        &within_s, why);
	if (rc != RC_OK)
		return rc;
	if ((j->device[0] != '\0') + (state[0] != '\0') + (within_s > 0) > 1)
		return why_set(why, RC_MALFORMED,
		        "device, state and expires_within: want one of them");
	rc = call_param(
	        c, "authority", j->revoked_by, sizeof(j->revoked_by), why);
	if (rc == RC_OK && j->revoked_by[0] != '\0' &&
	        strcmp(state, "revoked") != 0)
		rc = why_set(why, RC_MALFORMED,
		        "authority: goes with state=revoked");
	if (rc != RC_OK)
		return rc;
	if (state[0] != '\0')
		return plan_state(c, j, state, why);
	if (within_s > 0) {
		j->list.by = LIST_BY_EXPIRY;
		j->list.from_s = clock_now_s();
		j->list.to_s = j->list.from_s + (int64_t)within_s;
	} else if (j->device[0] != '\0') {
		j->list.by = LIST_BY_DEVICE;
		j->list.device = j->device;
	} else {
		j->list.by = LIST_BY_SEQUENCE;
	}
	return RC_OK;
}

void cert_list(struct call *c)
{
	struct cert_page *j = call_job(c, sizeof(*j));
	struct why why = WHY_NONE;
	enum rc rc;

	if (j == NULL)
		return;
	rc = plan_list(c, j, &why);
	if (rc != RC_OK) {
		call_refuse(c, rc, &why);
		return;
	}
	j->list.rows = j->rows;
	authority_names_init(&j->names);
	j->names.list.op = (struct store_op){ .done = list_named, .ctx = c };
	call_store(&j->names.list.op,
	        store_authority_list(c->admin->o.store, &j->names.list));
}

/* --- show: a serial number, looked for under each authority in turn */
struct cert_shown {
	char serial[3 * STORE_SERIAL_BYTES];
	char authority[STORE_NAME_MAX + 1]; /* "" is any */
	struct authority_names names;
	struct store_fetch fetch;
	size_t at; /* row of names that is being asked */
};

static json_t *describe_shown(const struct cert_shown *j)
{
	const struct store_cert *cert = &j->fetch.cert;
	json_t *o = describe_cert(cert, &j->names);

	/* Before T2 there are only the bytes that were to be signed. */
	if (o != NULL && cert->issued_us != 0 &&
	        json_object_set_new(o, "certificate",
	                describe_pem(buf_bytes(&j->fetch.der))) != 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}

static void show_end(struct call *c, enum rc rc, const struct why *why)
{
	struct cert_shown *j = c->job;
	json_t *json = rc == RC_OK ? describe_shown(j) : NULL;

	buf_free(&j->fetch.der);
	if (rc == RC_OK)
		call_answer(c, 200, json);
	else
		call_refuse(c, rc, why);
}

static void show_next(struct call *c);

static void fetched(struct store_op *op)
{
	struct call *c = op->ctx;
	struct cert_shown *j = c->job;

	if (op->rc != RC_NOTFOUND) {
		show_end(c, op->rc, &op->why);
		return;
	}
	j->at++;
	show_next(c);
}

static void show_next(struct call *c)
{
	struct cert_shown *j = c->job;
	struct why why = WHY_NONE;

	while (j->at < j->names.list.n && j->authority[0] != '\0' &&
	        strcmp(j->names.rows[j->at].name, j->authority) != 0)
		j->at++;
	if (j->at == j->names.list.n) {
		why_set(&why, RC_NOTFOUND, "no certificate %s%s%s", j->serial,
		        j->authority[0] != '\0' ? " of " : "", j->authority);
		show_end(c, RC_NOTFOUND, &why);
		return;
	}
	j->fetch.key.authority = j->names.rows[j->at].id;
	j->fetch.op = (struct store_op){ .done = fetched, .ctx = c };
	buf_reset(&j->fetch.der);
	call_store(&j->fetch.op, store_fetch(c->admin->o.store, &j->fetch));
}

static void show_named(struct store_op *op)
{
	struct call *c = op->ctx;

	if (op->rc == RC_OK)
		show_next(c);
	else
		call_refuse(c, op->rc, &op->why);
}

void cert_show(struct call *c)
{
	struct cert_shown *j = call_job(c, sizeof(*j));
	struct why why = WHY_NONE;
	enum rc rc;

	if (j == NULL)
		return;
	rc = call_rest(c, j->serial, sizeof(j->serial), &why);
	if (rc == RC_OK)
		rc = serial_parse(j->fetch.key.serial, j->serial, &why);
	if (rc == RC_OK)
		rc = call_param(c, "authority", j->authority,
		        sizeof(j->authority), &why);
	if (rc != RC_OK) {
		call_refuse(c, rc, &why);
		return;
	}
	j->fetch.der = BUF_INIT(STORE_DER_MAX_BYTES);
	authority_names_init(&j->names);
	j->names.list.op = (struct store_op){ .done = show_named, .ctx = c };
	call_store(&j->names.list.op,
	        store_authority_list(c->admin->o.store, &j->names.list));
}
