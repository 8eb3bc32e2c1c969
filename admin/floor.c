/* The clock's floor (DESIGN rule 11): what it is, and lower. */
#include "admin/describe.h"
#include "admin/endpoint.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

#define SECOND_US INT64_C(1000000)

static json_t *describe_floor(int64_t floor_us)
{
	int64_t now_us = clock_now_us();

	return json_pack("{s:o, s:o, s:b}", "clock_floor",
	        describe_time_us(floor_us), "clock", describe_time_us(now_us),
	        "issuing", now_us >= floor_us);
}

static void shown(struct store_op *op)
{
	struct call *c = op->ctx;
	const struct store_stat *j = c->job;

	if (op->rc == RC_OK)
		call_answer(c, 200, describe_floor(j->clock_floor_us));
	else
		call_refuse(c, op->rc, &op->why);
}

void floor_show(struct call *c)
{
	struct store_stat *j = call_job(c, sizeof(*j));

	if (j == NULL)
		return;
	j->op = (struct store_op){ .done = shown, .ctx = c };
	call_store(&j->op, store_stat(c->admin->o.store, j));
}

static void log_lowered(const struct store_floor_lower *j)
{
	char before[TEXT_TIME_BYTES], after[TEXT_TIME_BYTES];

	log_event(LOG_WARN, "floor.lowered", "by", j->op.actor, "from",
	        text_time(before, j->before_us / SECOND_US), "to",
	        text_time(after, j->floor_us / SECOND_US), NULL);
}

/* CRLs that are dated ahead count as of no use until then: new ones. */
static void lowered(struct store_op *op)
{
	struct call *c = op->ctx;
	const struct store_floor_lower *j = c->job;
	json_t *answer;

	if (op->rc != RC_OK) {
		call_refuse(c, op->rc, &op->why);
		return;
	}
	if (j->floor_us != j->before_us) {
		log_lowered(j);
		if (c->admin->o.crls != NULL)
			(void)crl_plan_want(c->admin->o.crls, NULL);
	}
	answer = describe_floor(j->floor_us);
	if (answer != NULL &&
	        json_object_set_new(answer, "before",
	                describe_time_us(j->before_us)) != 0) {
		json_decref(answer);
		answer = NULL;
	}
	call_answer(c, 200, answer);
}

static enum rc read_lower(
        struct call *c, struct store_floor_lower *j, struct why *why)
{
	const char *to = NULL;
	int64_t to_s = 0;
	int now = 0;
	enum rc rc = call_body(c, why, "{s?s, s?b}", "to", &to, "now", &now);

	if (rc != RC_OK)
		return rc;
	if ((to != NULL) == (now != 0))
		return why_set(
		        why, RC_MALFORMED, "to or now: want one of them");
	if (to != NULL && text_time_parse(to, &to_s) != RC_OK)
		return why_set(why, RC_MALFORMED,
		        "to: want a date as 2026-11-22 or a time as "
		        "2026-11-22T10:00:00Z");
	j->to_clock = now != 0;
	j->floor_us = to_s * SECOND_US;
	return RC_OK;
}

void floor_lower(struct call *c)
{
	struct store_floor_lower *j = call_job(c, sizeof(*j));
	struct why why = WHY_NONE;
	enum rc rc;

	if (j == NULL)
		return;
	rc = read_lower(c, j, &why);
	if (rc != RC_OK) {
		call_refuse(c, rc, &why);
		return;
	}
	j->op = (struct store_op){
		.done = lowered, .ctx = c, .actor = c->actor
	};
	call_store(&j->op, store_floor_lower(c->admin->o.store, j));
}
