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
	{ METRIC_HTTP_REFUSED, "http" },
	{ METRIC_TLS_FAILURES, "tls" },
	{ METRIC_SIGN_REFUSED, "signer" },
};
#define REFUSALS (sizeof(refusals) / sizeof(refusals[0]))

struct refusal_audit {
	struct runtime *r;
	uint64_t seen[REFUSALS];
	int64_t due_us; /* clock_mono_us() */
	char detail[STORE_TEXT_MAX + 1];
	struct store_audit op;
	bool busy;
};

static void written(struct store_op *op)
{
	struct refusal_audit *a = op->ctx;

	a->busy = false;
	if (op->rc != RC_OK)
		log_event(LOG_WARN, "audit.failed", "why", op->why.text, NULL);
}

/* What came since the last look; false: nothing. */
static bool take(struct refusal_audit *a, struct buf *text)
{
	bool any = false;

	for (size_t i = 0; i < REFUSALS; i++) {
		uint64_t now = metric_total(a->r->metrics, refusals[i].metric);

		buf_addf(text, "%s=%llu ", refusals[i].name,
		        (unsigned long long)(now - a->seen[i]));
		any = any || now != a->seen[i];
		a->seen[i] = now;
	}
	buf_addf(text, "in %d s", REFUSAL_AUDIT_EVERY_S);
	return any;
}

void refusal_audit_tick(struct refusal_audit *a)
{
	struct buf text = BUF_INIT(STORE_TEXT_MAX);

	if (a->busy || clock_mono_us() < a->due_us)
		return;
	a->due_us = clock_mono_us() + REFUSAL_AUDIT_EVERY_S * 1000000LL;
	if (take(a, &text) && buf_cstr(&text) != NULL) {
		snprintf(a->detail, sizeof(a->detail), "%s", buf_cstr(&text));
		a->op = (struct store_audit){ .event = "refusals",
			.object = "",
			.detail = a->detail,
			.op = { .done = written,
			        .ctx = a,
			        .actor = a->r->actor } };
		a->busy = store_audit(a->r->store, &a->op) == RC_PENDING;
	}
	buf_free(&text);
}

bool refusal_audit_busy(const struct refusal_audit *a)
{
	return a->busy;
}

enum rc refusal_audit_new(struct refusal_audit **out, struct runtime *r)
{
	struct refusal_audit *a = calloc(1, sizeof(*a));
	struct buf text = BUF_INIT(STORE_TEXT_MAX);

	*out = a;
	if (a == NULL)
		return RC_NOMEM;
	a->r = r;
	a->due_us = clock_mono_us() + REFUSAL_AUDIT_EVERY_S * 1000000LL;
	/* Counters outlive a keeper: what stands there now is the start. */
	(void)take(a, &text);
	buf_free(&text);
	return RC_OK;
}

void refusal_audit_free(struct refusal_audit *a)
{
	free(a);
}
