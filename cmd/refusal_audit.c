#include "cmd/refusal_audit.h"
#include "base/clock.h"
#include "base/log.h"
#include "cmd/runtime.h"
#include <stdio.h>
#include <stdlib.h>

static const struct {
	enum metric metric;
	const char *name;
} refusals[] = {
	{ METRIC_EST_REFUSED, "est" },
	{ METRIC_SCEP_REFUSED, "scep" },
	{ METRIC_HTTP_REFUSED, "http" },
	{ METRIC_TLS_FAILURES, "tls" },
	{ METRIC_SIGN_REFUSED, "signer" },
};
#define REFUSALS (sizeof(refusals) / sizeof(refusals[0]))

_Static_assert(REFUSALS == SHARED_REFUSALS, "counters");

struct refusal_audit {
	struct runtime *r;
	uint64_t taken[REFUSALS]; /* by the write under way */
	int64_t since_us;         /* clock_mono_us() */
	char detail[STORE_TEXT_MAX + 1];
	struct store_audit op;
	bool busy;
};

static void written(struct store_op *op)
{
	struct refusal_audit *a = op->ctx;

	a->busy = false;
	if (op->rc == RC_OK)
		return;
	log_event(LOG_WARN, "audit.failed", "why", op->why.text, NULL);
	/* In doubt: told twice is better than never. */
	for (size_t i = 0; i < REFUSALS; i++)
		atomic_fetch_sub(&a->r->shared->refusals_told[i], a->taken[i]);
}

/* What came since somebody looked. */
static uint64_t take_one(_Atomic uint64_t *told, uint64_t now)
{
	uint64_t was = atomic_load(told);

	while (was < now)
		if (atomic_compare_exchange_weak(told, &was, now))
			return now - was;
	return 0;
}

/* False: nothing came. */
static bool take(struct refusal_audit *a, struct buf *text)
{
	int64_t now_us = clock_mono_us();
	bool any = false;

	for (size_t i = 0; i < REFUSALS; i++) {
		a->taken[i] = take_one(&a->r->shared->refusals_told[i],
		        metric_total(a->r->metrics, refusals[i].metric));
		buf_addf(text, "%s=%llu ", refusals[i].name,
		        (unsigned long long)a->taken[i]);
		any = any || a->taken[i] != 0;
	}
	buf_addf(
	        text, "in %lld s", (long long)(now_us - a->since_us) / 1000000);
	a->since_us = now_us;
	return any;
}

bool refusal_audit_flush(struct refusal_audit *a)
{
	struct buf text = BUF_INIT(STORE_TEXT_MAX);
	enum rc rc;

	if (a->busy)
		return false;
	if (take(a, &text) && buf_cstr(&text) != NULL) {
		snprintf(a->detail, sizeof(a->detail), "%s", buf_cstr(&text));
		a->op = (struct store_audit){ .event = "refusals",
			.object = "",
			.detail = a->detail,
			.op = { .done = written,
			        .ctx = a,
			        .actor = a->r->actor } };
		a->busy = true;
		rc = store_audit(a->r->store, &a->op);
		if (rc != RC_PENDING) {
			a->op.op.rc = rc;
			written(&a->op.op);
		}
	}
	buf_free(&text);
	return true;
}

void refusal_audit_tick(struct refusal_audit *a)
{
	int64_t due_us = a->since_us + REFUSAL_AUDIT_EVERY_S * 1000000LL;

	if (clock_mono_us() >= due_us)
		(void)refusal_audit_flush(a);
}

bool refusal_audit_busy(const struct refusal_audit *a)
{
	return a->busy;
}

enum rc refusal_audit_new(struct refusal_audit **out, struct runtime *r)
{
	struct refusal_audit *a = calloc(1, sizeof(*a));

	*out = a;
	if (a == NULL)
		return RC_NOMEM;
	a->r = r;
	a->since_us = clock_mono_us();
	return RC_OK;
}

void refusal_audit_free(struct refusal_audit *a)
{
	free(a);
}
