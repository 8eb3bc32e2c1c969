/* Devices: list, add, show, suspend, resume. */
#include "admin/describe.h"
#include "admin/endpoint.h"
#include "base/text.h"
#include "enroll/device.h"

#include <stdio.h>
#include <string.h>

/* --- list */
struct device_page {
	struct store_device_list list;
	struct store_device rows[STORE_ROWS_MAX];
};

static json_t *describe_rows(const struct device_page *j)
{
	json_t *rows = json_array();

	for (size_t i = 0; rows != NULL && i < j->list.n; i++)
		if (json_array_append_new(rows, describe_device(&j->rows[i])) !=
		        0) {
			json_decref(rows);
			rows = NULL;
		}
	return rows;
}

static void listed(struct store_op *op)
{
	struct call *c = op->ctx;
	struct device_page *j = c->job;

	if (op->rc == RC_OK)
		call_answer_page(c, "devices", describe_rows(j),
		        j->list.more ? &j->list.cursor : NULL);
	else
		call_refuse(c, op->rc, &op->why);
}

void device_list(struct call *c)
{
	struct device_page *j = call_job(c, sizeof(*j));
	struct why why = WHY_NONE;
	enum rc rc;

	if (j == NULL)
		return;
	rc = call_page(c, &j->list.cursor, &j->list.max, &why);
	if (rc != RC_OK) {
		call_refuse(c, rc, &why);
		return;
	}
	j->list.op = (struct store_op){ .done = listed, .ctx = c };
	j->list.rows = j->rows;
	call_store(&j->list.op, store_device_list(c->admin->o.store, &j->list));
}

/* --- add */
static void added(struct store_op *op)
{
	struct call *c = op->ctx;
	struct store_device_put *j = c->job;

	if (op->rc == RC_OK)
		call_answer(c, 200, describe_device(&j->device));
	else
		call_refuse(c, op->rc, &op->why);
}

/* A note is for people: any text on one line. */
static bool is_note(struct bytes text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] < 0x20 || text.p[i] == 0x7f)
			return false;
	return text.n <= STORE_TEXT_MAX && text_is_utf8(text);
}

static enum rc read_device(
        struct call *c, struct store_device *d, struct why *why)
{
	const char *id = "", *note = "";
	enum rc rc = call_body(c, why, "{s:s, s?s}", "id", &id, "note", &note);

	if (rc == RC_OK)
		rc = device_id_check(bytes_str(id), why);
	if (rc == RC_OK)
		rc = device_fits(c, id, why);
	if (rc != RC_OK)
		return rc;
	if (!is_note(bytes_str(note)))
		return why_set(why, RC_MALFORMED,
		        "note: want one line of at most %d bytes",
		        STORE_TEXT_MAX);
	snprintf(d->id, sizeof(d->id), "%s", id);
	snprintf(d->note, sizeof(d->note), "%s", note);
	return RC_OK;
}

void device_add(struct call *c)
{
	struct store_device_put *j = call_job(c, sizeof(*j));
	struct why why = WHY_NONE;
	enum rc rc;

	if (j == NULL)
		return;
	rc = read_device(c, &j->device, &why);
	if (rc != RC_OK) {
		call_refuse(c, rc, &why);
		return;
	}
	j->op = (struct store_op){ .done = added, .ctx = c, .actor = c->actor };
	call_store(&j->op, store_device_put(c->admin->o.store, j));
}

/* --- show: the device, and the first page of its certificates */
struct device_shown {
	char id[STORE_DEVICE_ID_MAX + 1];
	struct store_device_get get;
	struct authority_names names;
	struct store_list list;
	struct store_cert rows[ADMIN_PAGE_ROWS];
};

static json_t *describe_shown(const struct device_shown *j)
{
	json_t *o = describe_device(&j->get.device);
	int bad = o == NULL;

	if (bad == 0)
		bad = json_object_set_new(o, "certificates",
		        describe_certs(j->rows, j->list.n, &j->names));
	if (bad == 0 && j->list.more)
		bad = json_object_set_new(
		        o, "cursor", describe_cursor(&j->list.cursor));
	if (bad == 0)
		return o;
	json_decref(o);
	return NULL;
}

static void shown_certs(struct store_op *op)
{
	struct call *c = op->ctx;

	if (op->rc == RC_OK)
		call_answer(c, 200, describe_shown(c->job));
	else
		call_refuse(c, op->rc, &op->why);
}

static void shown_names(struct store_op *op)
{
	struct call *c = op->ctx;
	struct device_shown *j = c->job;

	if (op->rc != RC_OK) {
		call_refuse(c, op->rc, &op->why);
		return;
	}
	j->list = (struct store_list){ .op = { .done = shown_certs, .ctx = c },
		.by = LIST_BY_DEVICE,
		.device = j->id,
		.rows = j->rows,
		.max = ADMIN_PAGE_ROWS };
	call_store(&j->list.op, store_list(c->admin->o.store, &j->list));
}

static void shown_device(struct store_op *op)
{
	struct call *c = op->ctx;
	struct device_shown *j = c->job;

	if (op->rc != RC_OK) {
		call_refuse(c, op->rc, &op->why);
		return;
	}
	authority_names_init(&j->names);
	j->names.list.op = (struct store_op){ .done = shown_names, .ctx = c };
	call_store(&j->names.list.op,
	        store_authority_list(c->admin->o.store, &j->names.list));
}

void device_show(struct call *c)
{
	struct device_shown *j = call_job(c, sizeof(*j));
	struct why why = WHY_NONE;
	enum rc rc;

	if (j == NULL)
		return;
	rc = call_rest(c, j->id, sizeof(j->id), &why);
	if (rc != RC_OK) {
		call_refuse(c, rc, &why);
		return;
	}
	j->get = (struct store_device_get){
		.op = { .done = shown_device, .ctx = c }, .id = j->id
	};
	call_store(&j->get.op, store_device_get(c->admin->o.store, &j->get));
}

/* --- suspend, resume */
struct device_changed {
	char id[STORE_DEVICE_ID_MAX + 16]; /* and the verb's place */
	struct store_device_suspend op;
};

static void changed(struct store_op *op)
{
	struct call *c = op->ctx;
	const struct device_changed *j = c->job;

	if (op->rc == RC_OK)
		call_answer(c, 200,
		        json_pack("{s:s, s:s, s:I}", "id", j->id, "state",
		                j->op.resume ? "active" : "suspended",
		                "changed", (json_int_t)j->op.changed));
	else
		call_refuse(c, op->rc, &op->why);
}

/* "ID/suspend", cut in its place. No id has a slash in it. */
static enum rc read_change(
        struct call *c, struct device_changed *j, struct why *why)
{
	enum rc rc = call_rest(c, j->id, sizeof(j->id), why);
	char *verb = strchr(j->id, '/');

	if (rc != RC_OK)
		return rc;
	if (verb == NULL ||
	        (strcmp(verb, "/suspend") != 0 && strcmp(verb, "/resume") != 0))
		return why_set(why, RC_NOTFOUND,
		        "devices can suspend and resume, nothing else");
	*verb = '\0';
	j->op.resume = strcmp(verb + 1, "resume") == 0;
	j->op.id = j->id;
	return device_id_check(bytes_str(j->id), why);
}

void device_change(struct call *c)
{
	struct device_changed *j = call_job(c, sizeof(*j));
	struct why why = WHY_NONE;
	enum rc rc;

	if (j == NULL)
		return;
	rc = read_change(c, j, &why);
	if (rc != RC_OK) {
		call_refuse(c, rc, &why);
		return;
	}
	j->op.op = (struct store_op){
		.done = changed, .ctx = c, .actor = c->actor
	};
	call_store(&j->op.op, store_device_suspend(c->admin->o.store, &j->op));
}
