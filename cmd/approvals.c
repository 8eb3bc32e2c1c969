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
	struct log_num n;

	a->busy = false;
	if (op->rc != RC_OK)
		log_event(
		        LOG_WARN, "approval.failed", "why", op->why.text, NULL);
	else if (a->op.expired > 0)
		log_event(LOG_NOTICE, "approval.expired", "requests",
		        log_i64(&n, a->op.expired), NULL);
}

void approvals_tick(struct approvals *a)
{
	struct store_approval_list list = { .rows = a->rows,
		.max = STORE_ROWS_MAX };
	int64_t now_us = clock_now_us();
	bool late = false;

	if (a->busy || clock_mono_us() < a->due_us)
		return;
	a->due_us = clock_mono_us() + EVERY_US;
	if (store_approval_list(a->r->store, &list) != RC_OK)
		return;
	metric_set(a->r->metrics, METRIC_APPROVALS_OPEN, list.n);
	for (size_t i = 0; i < list.n; i++)
		late = late || a->rows[i].expires_us <= now_us;
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
