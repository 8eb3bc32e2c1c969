#include "cmd/superseded.h"
#include "base/clock.h"
#include "base/log.h"
#include <stdlib.h>

struct superseded {
	struct runtime *r;
	struct store_supersede op;
	bool busy;
};

/* More of them wait for the next second: others write, too. */
static void written(struct store_op *op)
{
	struct superseded *s = op->ctx;
	struct log_num n;

	s->busy = false;
	if (op->rc != RC_OK)
		log_event(LOG_WARN, "supersede.failed", "why", op->why.text,
		        NULL);
	else if (s->op.revoked > 0)
		log_event(LOG_INFO, "cert.superseded", "certificates",
		        log_i64(&n, s->op.revoked), NULL);
}

void superseded_tick(struct superseded *s, const struct store_stat *stat)
{
	if (s->busy || stat->supersede_due_s == 0 ||
	        stat->supersede_due_s > clock_now_s())
		return;
	s->op = (struct store_supersede){
		.op = { .done = written, .ctx = s, .actor = s->r->actor }
	};
	s->busy = store_supersede(s->r->store, &s->op) == RC_PENDING;
}

bool superseded_busy(const struct superseded *s)
{
	return s->busy;
}

enum rc superseded_new(struct superseded **out, struct runtime *r)
{
	struct superseded *s = calloc(1, sizeof(*s));

	*out = s;
	if (s == NULL)
		return RC_NOMEM;
	s->r = r;
	return RC_OK;
}

void superseded_free(struct superseded *s)
{
	free(s);
}
