/* Authorities and their generations: keys, ends, CRLs, and how many devices are
 * at which. */
#include "admin/describe.h"
#include "admin/endpoint.h"
#include "base/clock.h"
#include "ca/generations.h"

#include <string.h>

/* How long one answer may count before it says how far it came. */
#define COUNT_US (20 * INT64_C(1000000))

struct listing {
	struct store_authority_list list;
	struct store_authority rows[STORE_ROWS_MAX];
	struct store_census census;
	struct store_census_row counts[STORE_ROWS_MAX + 1];
	uint64_t looked;
	int64_t until_us;
	struct loop_task next;
};

/* --- one generation */

static bool is_named(const struct conf *conf, const struct conf_authority *a)
{
	for (size_t i = 0; i < conf->n_labels; i++)
		if (conf->labels[i].authority == a)
			return true;
	return false;
}

static const char *state_of(const struct conf *conf,
        const struct conf_authority *a, const struct store_authority *row)
{
	if (row->state == AUTHORITY_REVOKED)
		return "revoked";
	if (a == NULL)
		return "not configured";
	if (a->retired)
		return "retired";
	if (conf_authority_is_staged(a) && !is_named(conf, a))
		return "staged";
	return "issuing";
}

/* What in the configuration issues from it. */
static json_t *describe_uses(
        const struct conf *conf, const struct conf_authority *a)
{
	json_t *list = json_array();
	int bad = list == NULL;

	for (size_t i = 0; bad == 0 && i < conf->n_labels; i++)
		if (conf->labels[i].authority == a)
			bad = json_array_append_new(
			        list, json_string(conf->labels[i].label));
	if (bad == 0)
		return list;
	json_decref(list);
	return NULL;
}

/* end_s: the last one of devices' certificates, of which the CRL, made before,
 * may not know; it knows of the daemon's own. */
static int add_crl(
        json_t *out, struct crl_plan *plan, const char *name, int64_t end_s)
{
	struct crl_plan_row row;
	int bad = 0;

	for (size_t i = 0; plan != NULL && crl_plan_at(plan, i, &row); i++) {
		if (row.crl->shard != 0 || strcmp(row.authority, name) != 0)
			continue;
		bad += json_object_set_new(out, "crl_state",
		        json_string(row.over      ? "over"
		                        : row.out ? "out"
		                        : row.due ? "due"
		                                  : "ok"));
		if (row.crl->number != 0)
			bad += json_object_set_new(out, "crl_next_update",
			        describe_time_s(row.crl->next_update_s));
		if (row.crl->ends_s > end_s)
			end_s = row.crl->ends_s;
	}
	/* None of what it issued lives longer. */
	if (end_s != 0)
		bad += json_object_set_new(
		        out, "last_end", describe_time_s(end_s));
	return bad;
}

static int add_configured(json_t *out, const struct admin *a,
        const struct authority *x, int64_t end_s)
{
	const struct conf *conf = a->o.conf;
	const struct conf_authority *c = x->conf;
	const struct conf_authority *next = conf_authority_next(conf, c);
	bool token = c->key->uri != NULL;
	int bad = json_object_set_new(
	                  out, "not_after", describe_time_s(x->not_after_s)) +
	        json_object_set_new(out, "key_id", describe_hex(x->key_id)) +
	        json_object_set_new(out, "key", json_string(c->key->name)) +
	        json_object_set_new(out, "key_place",
	                json_string(token ? c->key->uri : c->key->file)) +
	        json_object_set_new(out, "labels", describe_uses(conf, c)) +
	        json_object_set_new(out, "listener",
	                json_boolean(conf->listen.est_authority == c)) +
	        json_object_set_new(
	                out, "cross", json_integer((json_int_t)x->n_cross));

	if (c->replaces != NULL)
		bad += json_object_set_new(
		        out, "replaces", json_string(c->replaces->name));
	if (next != NULL)
		bad += json_object_set_new(
		        out, "replaced_by", json_string(next->name));
	return bad + add_crl(out, a->o.crls, c->name, end_s);
}

static struct authority *configured(
        const struct admin *a, const struct store_authority *row)
{
	for (size_t i = 0; i < authorities_count(a->o.authorities); i++) {
		struct authority *x = authorities_at(a->o.authorities, i);

		if (x->id == row->id)
			return x;
	}
	return NULL;
}

static json_t *describe_generation(const struct admin *a,
        const struct listing *j, const struct store_authority *row)
{
	const struct authority *x = configured(a, row);
	const struct store_census_row *n = &j->counts[row->id];
	json_t *out = json_pack("{s:s, s:I, s:s, s:o, s:o, s:I, s:I, s:I}",
	        "name", x != NULL ? x->conf->name : row->name, "id",
	        (json_int_t)row->id, "state",
	        state_of(a->o.conf, x != NULL ? x->conf : NULL, row), "entered",
	        describe_time_us(row->entered_us), "sha256",
	        describe_hex(BYTES_ARRAY(row->cert_hash)), "devices",
	        (json_int_t)n->devices, "recent", (json_int_t)n->recent,
	        "certificates", (json_int_t)n->certs);
	int bad = out == NULL;

	if (bad == 0 && row->state == AUTHORITY_REVOKED)
		bad = json_object_set_new(out, "reason",
		              json_string(reason_text(row->reason))) +
		        json_object_set_new(out, "revoked",
		                describe_time_us(row->revoked_us));
	if (bad == 0 && x != NULL)
		bad = add_configured(out, a, x, n->end_s);
	if (bad == 0)
		return out;
	json_decref(out);
	return NULL;
}

/* --- all of them */

static void answer(struct call *c)
{
	struct listing *j = c->job;
	json_t *list = json_array();
	json_t *out = json_pack("{s:o, s:I, s:b}", "authorities", list,
	        "devices", (json_int_t)j->looked, "complete", !j->census.more);
	int bad = out == NULL;

	for (size_t i = 0; bad == 0 && i < j->list.n; i++)
		bad = json_array_append_new(
		        list, describe_generation(c->admin, j, &j->rows[i]));
	if (bad == 0) {
		call_answer(c, 200, out);
		return;
	}
	json_decref(out);
	call_refuse(c, RC_NOMEM, NULL);
}

static void count_part(void *ctx);

static void counted(struct store_op *op)
{
	struct call *c = op->ctx;
	struct listing *j = c->job;

	if (op->rc != RC_OK) {
		call_refuse(c, op->rc, &op->why);
		return;
	}
	j->looked += j->census.looked;
	if (!j->census.more || c->admin->closed ||
	        clock_mono_us() >= j->until_us || http_req_is_gone(c->req))
		answer(c);
	else
		loop_post(c->admin->o.loop, &j->next);
}

static void count_part(void *ctx)
{
	struct call *c = ctx;
	struct listing *j = c->job;

	j->census.op = (struct store_op){ .done = counted, .ctx = c };
	call_store(&j->census.op, store_census(c->admin->o.store, &j->census));
}

/* Since when the newest generation of its line is handed out: who has come by
 * since then could have taken it. */
static int64_t since_us(const struct admin *a, const struct listing *j,
        const struct authority *x)
{
	const struct conf_authority *newest =
	        generation_newest(a->o.conf, x->conf);

	for (size_t i = 0; i < j->list.n; i++) {
		const struct authority *y = configured(a, &j->rows[i]);

		if (y != NULL && y->conf == newest)
			return j->rows[i].entered_us;
	}
	return 0;
}

static void listed(struct store_op *op)
{
	struct call *c = op->ctx;
	struct listing *j = c->job;

	if (op->rc != RC_OK) {
		call_refuse(c, op->rc, &op->why);
		return;
	}
	for (size_t i = 0; i < j->list.n; i++) {
		const struct authority *x = configured(c->admin, &j->rows[i]);

		if (x != NULL)
			j->counts[x->id].since_us = since_us(c->admin, j, x);
	}
	j->census.rows = j->counts;
	j->until_us = clock_mono_us() + COUNT_US;
	count_part(c);
}

void authority_list(struct call *c)
{
	struct listing *j = call_job(c, sizeof(*j));

	if (j == NULL)
		return;
	j->next = (struct loop_task){ .fn = count_part, .ctx = c };
	j->list.rows = j->rows;
	j->list.max = STORE_ROWS_MAX;
	j->list.op = (struct store_op){ .done = listed, .ctx = c };
	call_store(
	        &j->list.op, store_authority_list(c->admin->o.store, &j->list));
}
