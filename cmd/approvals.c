#include "cmd/approvals.h"
#include "base/clock.h"
#include "base/log.h"
#include <stdlib.h>

#define EVERY_US (5 * INT64_C(1000000))

struct approvals {
	struct runtime *r;
	int64_t due_us; /* clock_mono_us() */
	struct store_approval_expire op;
	struct store_approval rows[STORE_ROWS_MAX];
	bool busy;
};

static void written(struct store_op *op)
{
	struct approvals *a = op->ctx;
	struct log_num n, m;

	a->busy = false;
	if (op->rc != RC_OK)
		log_event(
		        LOG_WARN, "approval.failed", "why", op->why.text, NULL);
	else if (a->op.expired > 0 || a->op.forgotten > 0)
		log_event(LOG_NOTICE, "approval.expired", "requests",
		        log_i64(&n, a->op.expired), "forgotten",
		        log_i64(&m, a->op.forgotten), NULL);
}

/* Those that wait, and whether one ran out. */
static enum rc look_at_open(struct approvals *a, bool *late)
{
	struct store_approval_list list = { .rows = a->rows,
		.max = STORE_ROWS_MAX };
	int64_t now_us = clock_now_us();
	enum rc rc = store_approval_list(a->r->store, &list);

	if (rc != RC_OK)
		return rc;
	metric_set(a->r->metrics, METRIC_APPROVALS_OPEN, list.n);
	metric_set(a->r->metrics, METRIC_APPROVALS_SINCE,
	        list.n > 0 ? (uint64_t)(a->rows[0].asked_us / 1000000) : 0);
	for (size_t i = 0; i < list.n; i++)
		*late = *late || a->rows[i].expires_us <= now_us;
	return RC_OK;
}

/* The oldest tell: those that came later are not forgotten sooner. */
static enum rc look_at_closed(struct approvals *a, bool *late)
{
	struct store_approval_list list = {
		.closed = true, .rows = a->rows, .max = STORE_ROWS_MAX
	};
	int64_t now_us = clock_now_us();
	enum rc rc = store_approval_list(a->r->store, &list);

	for (size_t i = 0; rc == RC_OK && i < list.n; i++) {
		const struct store_approval *r = &a->rows[i];

		*late = *late ||
		        r->closed_us + r->expires_us - r->asked_us <= now_us;
	}
	return rc;
}

void approvals_tick(struct approvals *a)
{
	bool late = false;

	if (a->busy || clock_mono_us() < a->due_us)
		return;
	a->due_us = clock_mono_us() + EVERY_US;
	if (look_at_open(a, &late) != RC_OK ||
	        look_at_closed(a, &late) != RC_OK)
		return;
	if (!late)
		return;
	a->op = (struct store_approval_expire){
		.op = { .done = written, .ctx = a, .actor = a->r->actor }
	};
	a->busy = store_approval_expire(a->r->store, &a->op) == RC_PENDING;
}

bool approvals_busy(const struct approvals *a)
{
	return a->busy;
}

enum rc approvals_new(struct approvals **out, struct runtime *r)
{
	struct approvals *a = calloc(1, sizeof(*a));

	*out = a;
	if (a == NULL)
		return RC_NOMEM;
	a->r = r;
	return RC_OK;
}

void approvals_free(struct approvals *a)
{
	free(a);
}
