/* The audit trail, as it stands: an export of it is what a later one is held
 * against (mica audit verify). */
#include "admin/describe.h"
#include "admin/endpoint.h"
#include "base/text.h"

#include <stdio.h>

struct audit_page {
	struct store_audit_scan scan;
	struct store_audit_row rows[ADMIN_PAGE_ROWS];
};

/* time_us, beside the time for people, is what the hash is over. */
static json_t *describe_entry(const struct store_audit_row *r)
{
	return json_pack("{s:I, s:o, s:I, s:s, s:s, s:s, s:s, s:o}", "number",
	        (json_int_t)r->number, "time", describe_time_us(r->time_us),
	        "time_us", (json_int_t)r->time_us, "event", r->event, "actor",
	        r->actor, "object", r->object, "detail", r->detail, "hash",
	        describe_hex(BYTES_ARRAY(r->hash)));
}

static json_t *describe_page(const struct audit_page *j)
{
	json_t *list = json_array(), *out;
	int bad = list == NULL;
	char next[24];

	for (size_t i = 0; bad == 0 && i < j->scan.n; i++)
		bad = json_array_append_new(list, describe_entry(&j->rows[i]));
	if (bad != 0) {
		json_decref(list);
		return NULL;
	}
	out = json_pack("{s:o}", "entries", list);
	if (out != NULL && j->scan.more && j->scan.n > 0) {
		(void)snprintf(next, sizeof(next), "%llu",
		        (unsigned long long)j->rows[j->scan.n - 1].number + 1);
		bad = json_object_set_new(out, "cursor", json_string(next));
	}
	if (out != NULL && bad == 0 && j->scan.broken)
		bad = json_object_set_new(out, "broken_at",
		        json_integer((json_int_t)j->scan.broken_at));
	if (bad == 0)
		return out;
	json_decref(out);
	return NULL;
}

static void scanned(struct store_op *op)
{
	struct call *c = op->ctx;

	if (op->rc == RC_OK)
		call_answer(c, 200, describe_page(c->job));
	else
		call_refuse(c, op->rc, &op->why);
}

/* The cursor is a number here: entries have no other order. */
void audit_list(struct call *c)
{
	struct audit_page *j = call_job(c, sizeof(*j));
	uint64_t rows = ADMIN_PAGE_ROWS;
	struct why why = WHY_NONE;
	enum rc rc;

	if (j == NULL)
		return;
	rc = call_param_u64(c, "max", STORE_ROWS_MAX, &rows, &why);
	if (rc == RC_OK && rows == 0)
		rc = why_set(&why, RC_MALFORMED, "max: want at least 1");
	if (rc == RC_OK)
		rc = call_param_u64(
		        c, "cursor", INT64_MAX, &j->scan.from, &why);
	if (rc != RC_OK) {
		call_refuse(c, rc, &why);
		return;
	}
	j->scan.op = (struct store_op){ .done = scanned, .ctx = c };
	j->scan.rows = j->rows;
	j->scan.max = rows < ADMIN_PAGE_ROWS ? (size_t)rows : ADMIN_PAGE_ROWS;
	call_store(&j->scan.op, store_audit_scan(c->admin->o.store, &j->scan));
}
