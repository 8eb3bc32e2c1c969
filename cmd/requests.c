#include "cmd/requests.h"
#include "base/clock.h"
#include "base/log.h"
#include <stdlib.h>

#define EVERY_US (5 * INT64_C(1000000))

struct requests {
	struct runtime *r;
	int64_t due_us; /* clock_mono_us() */
	struct store_waiting_expire op;
	struct store_waiting rows[STORE_ROWS_MAX];
	bool busy;
};

static void written(struct store_op *op)
{
	struct requests *q = op->ctx;
	struct log_num n, m;

	q->busy = false;
	if (op->rc != RC_OK)
		log_event(
		        LOG_WARN, "request.failed", "why", op->why.text, NULL);
	else if (q->op.expired > 0 || q->op.forgotten > 0)
		log_event(LOG_NOTICE, "request.expired", "requests",
		        log_i64(&n, q->op.expired), "forgotten",
		        log_i64(&m, q->op.forgotten), NULL);
}

/* Those that wait for somebody, since when, and whether one ran out. */
static enum rc look_at_open(struct requests *q, bool *late)
{
	struct store_waiting_list list = { .rows = q->rows,
		.max = STORE_ROWS_MAX };
	int64_t now_us = clock_now_us(), oldest_us = 0;
	uint64_t open = 0;
	enum rc rc;

	do {
		rc = store_waiting_list(q->r->store, &list);
		for (size_t i = 0; rc == RC_OK && i < list.n; i++) {
			const struct store_waiting *r = &q->rows[i];

			*late = *late || r->expires_us <= now_us;
			if (r->state == WAITING_OPEN && open++ == 0)
				oldest_us = r->asked_us;
		}
	} while (rc == RC_OK && list.more);
	if (rc != RC_OK)
		return rc;
	metric_set(q->r->metrics, METRIC_REQUESTS_WAITING, open);
	metric_set(q->r->metrics, METRIC_REQUESTS_SINCE,
	        (uint64_t)(oldest_us / 1000000));
	return RC_OK;
}

/* The oldest tell: those that came later are not forgotten sooner. */
static enum rc look_at_closed(struct requests *q, bool *late)
{
	struct store_waiting_list list = {
		.closed = true, .rows = q->rows, .max = STORE_ROWS_MAX
	};
	int64_t now_us = clock_now_us();
	enum rc rc = store_waiting_list(q->r->store, &list);

	for (size_t i = 0; rc == RC_OK && i < list.n; i++) {
		const struct store_waiting *r = &q->rows[i];

		*late = *late ||
		        r->closed_us + r->expires_us - r->asked_us <= now_us;
	}
	return rc;
}

void requests_tick(struct requests *q)
{
	bool late = false;

	if (q->busy || clock_mono_us() < q->due_us)
		return;
	q->due_us = clock_mono_us() + EVERY_US;
	if (look_at_open(q, &late) != RC_OK ||
	        look_at_closed(q, &late) != RC_OK)
		return;
	if (!late)
		return;
	q->op = (struct store_waiting_expire){
		.op = { .done = written, .ctx = q, .actor = q->r->actor }
	};
	q->busy = store_waiting_expire(q->r->store, &q->op) == RC_PENDING;
}

bool requests_busy(const struct requests *q)
{
	return q->busy;
}

enum rc requests_new(struct requests **out, struct runtime *r)
{
	struct requests *q = calloc(1, sizeof(*q));

	*out = q;
	if (q == NULL)
		return RC_NOMEM;
	q->r = r;
	return RC_OK;
}

void requests_free(struct requests *q)
{
	free(q);
}
