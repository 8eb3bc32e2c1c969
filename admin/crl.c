/* CRLs: how they are, and new ones now. */
#include "admin/describe.h"
#include "admin/endpoint.h"

#include <string.h>

static const char *state_of(const struct crl_plan_row *row)
{
	if (row->over)
		return "over";
	if (row->out)
		return "out";
	return row->due ? "due" : "ok";
}

static json_t *describe_crl(const struct crl_plan_row *row)
{
	const struct store_crl *c = row->crl;
	json_t *out = json_pack("{s:s, s:s, s:I, s:s, s:I}", "file", row->file,
	        "authority", row->authority, "shard", (json_int_t)c->shard,
	        "state", state_of(row), "number", (json_int_t)c->number);
	int bad = out == NULL;

	if (bad == 0 && c->number != 0)
		bad = json_object_set_new(out, "this_update",
		              describe_time_s(c->this_update_s)) +
		        json_object_set_new(out, "next_update",
		                describe_time_s(c->next_update_s)) +
		        json_object_set_new(out, "entries",
		                json_integer((json_int_t)c->count)) +
		        json_object_set_new(out, "bytes",
		                json_integer((json_int_t)c->bytes)) +
		        json_object_set_new(out, "sha256",
		                describe_hex(BYTES_ARRAY(c->hash)));
	if (bad == 0 && row->failure[0] != '\0')
		bad = json_object_set_new(
		        out, "failure", json_string(row->failure));
	if (bad == 0)
		return out;
	json_decref(out);
	return NULL;
}

static bool fits(const struct crl_plan_row *row, const char *authority)
{
	return authority[0] == '\0' || strcmp(row->authority, authority) == 0;
}

static json_t *describe_crls(struct crl_plan *plan, const char *authority)
{
	json_t *list = json_array();
	int bad = list == NULL;
	struct crl_plan_row row;

	for (size_t i = 0; bad == 0 && crl_plan_at(plan, i, &row); i++)
		if (fits(&row, authority))
			bad = json_array_append_new(list, describe_crl(&row));
	if (bad == 0)
		return json_pack("{s:o}", "crls", list);
	json_decref(list);
	return NULL;
}

static enum rc check_plan(const struct call *c, struct why *why)
{
	return c->admin->o.crls != NULL
	        ? RC_OK
	        : why_set(why, RC_UNAVAILABLE, "no CRLs are made here");
}

void crl_list(struct call *c)
{
	char authority[CONF_NAME_MAX + 1];
	struct why why = WHY_NONE;
	enum rc rc =
	        call_param(c, "authority", authority, sizeof(authority), &why);

	if (rc == RC_OK)
		rc = check_plan(c, &why);
	if (rc != RC_OK)
		call_refuse(c, rc, &why);
	else
		call_answer(c, 200, describe_crls(c->admin->o.crls, authority));
}

/* They are made one after the other: who wants to wait looks again. */
void crl_generate(struct call *c)
{
	struct why why = WHY_NONE;
	const char *authority = NULL;
	size_t n = 0;
	enum rc rc = check_plan(c, &why);

	if (rc == RC_OK && c->body != NULL)
		rc = call_body(c, &why, "{s?s}", "authority", &authority);
	if (rc == RC_OK) {
		n = crl_plan_want(c->admin->o.crls, authority);
		if (n == 0)
			rc = why_set(&why, RC_NOTFOUND, "no such CRL");
	}
	if (rc != RC_OK)
		call_refuse(c, rc, &why);
	else
		call_answer(c, 200, json_pack("{s:I}", "crls", (json_int_t)n));
}
