#include "tests/unit/store_shim.h"

#include "storage/engine.h"
#include <check.h>
#include <stdlib.h>

struct held {
	struct held *next;
	struct shim *shim;
	struct store_op *op;
	store_done_fn *done;
	void *ctx;
	bool read;
	enum rc forced; /* RC_OK, or what is answered after it was applied */
};

struct shim {
	struct store base;
	struct store *inner;
	struct loop_timer *timer;
	struct held *held;
	unsigned n_held;
	uint32_t random;
};

static uint32_t draw(struct shim *s, uint32_t below)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 17;
	s->random ^= s->random << 5;
	return s->random % below;
}

static bool harmless_twice(const struct store_op *op)
{
	switch ((enum store_kind)op->kind) {
	case KIND_ISSUE_BEGIN:
	case KIND_ISSUE_FINISH:
	case KIND_DEVICE_SUSPEND:
	case KIND_REVOKE:
	case KIND_AUTHORITY_PUT:
	case KIND_AUTHORITY_REVOKE:
	case KIND_KEY_BLOCK:
	case KIND_APPROVAL_DECIDE:
	case KIND_APPROVAL_EXPIRE:
	case KIND_WAITING_DECIDE:
	case KIND_WAITING_EXPIRE:
	case KIND_QUOTA_PUT:
	case KIND_CRL_BEGIN:
	case KIND_CRL_COMMIT:
	case KIND_FLOOR_LOWER:
	case KIND_SUPERSEDE:
		return true;
	case KIND_SET_STATUS:
		return ((const struct store_set_status *)op)->change ==
		        STATUS_REVOKE;
	default:
		return false;
	}
}

static void answer(struct held *w, enum rc rc)
{
	struct store_op *op = w->op;

	op->done = w->done;
	op->ctx = w->ctx;
	if (w->forced != RC_OK)
		rc = why_set(&op->why, w->forced, "says the shim");
	op->rc = rc;
	free(w);
	op->done(op);
}

static void on_inner(struct store_op *op)
{
	answer(op->ctx, op->rc);
}

static void forward(struct shim *s, struct held *w)
{
	enum rc rc;

	if (w->read) {
		rc = s->inner->engine->read(s->inner, w->op);
	} else {
		w->op->done = on_inner;
		w->op->ctx = w;
		rc = s->inner->engine->write(s->inner, w->op);
	}
	if (rc != RC_PENDING)
		answer(w, rc);
}

/* A held operation goes on its way, or is lost on it. */
static void release(struct shim *s, bool honest)
{
	struct held **at = &s->held, *w;

	for (uint32_t skip = draw(s, s->n_held); skip > 0; skip--)
		at = &(*at)->next;
	w = *at;
	*at = w->next;
	s->n_held--;
	if (!honest && draw(s, 8) == 0) {
		w->forced = !w->read && harmless_twice(w->op) && draw(s, 2) == 0
		        ? RC_UNKNOWN
		        : RC_UNAVAILABLE;
		answer(w, RC_OK);
		return;
	}
	if (!honest && !w->read && harmless_twice(w->op) && draw(s, 8) == 0)
		w->forced = RC_UNKNOWN;
	forward(s, w);
}

static void on_timer(void *ctx)
{
	struct shim *s = ctx;
	unsigned n = s->n_held > 0 ? 1 + draw(s, s->n_held) : 0;

	while (n-- > 0 && s->n_held > 0)
		release(s, false);
	if (s->n_held > 0)
		loop_timer_set_ms(s->timer, 0);
}

static enum rc hold(struct shim *s, struct store_op *op, bool read)
{
	struct held *w = calloc(1, sizeof(*w));

	ck_assert_ptr_nonnull(w);
	*w = (struct held){ .next = s->held,
		.shim = s,
		.op = op,
		.done = op->done,
		.ctx = op->ctx,
		.read = read };
	s->held = w;
	s->n_held++;
	loop_timer_set_ms(s->timer, 0);
	return RC_PENDING;
}

static enum rc shim_write(struct store *base, struct store_op *op)
{
	struct shim *s = (struct shim *)base;

	switch (draw(s, 12)) {
	case 0:
		return why_set(&op->why, RC_BUSY, "says the shim");
	case 1:
		return why_set(&op->why, RC_UNAVAILABLE, "says the shim");
	default:
		return hold(s, op, false);
	}
}

static enum rc shim_read(struct store *base, struct store_op *op)
{
	struct shim *s = (struct shim *)base;

	if (op->kind == KIND_CHANGES || draw(s, 2) == 0)
		return s->inner->engine->read(s->inner, op);
	return hold(s, op, true);
}

static uint64_t shim_slot(const struct store *base)
{
	return store_slot(((const struct shim *)base)->inner);
}

static void shim_close(struct store *base)
{
	struct shim *s = (struct shim *)base;

	while (s->n_held > 0)
		release(s, true);
	store_close(s->inner);
	loop_timer_free(s->timer);
	free(s);
}

static const struct store_engine shim_engine = {
	.write = shim_write,
	.read = shim_read,
	.slot = shim_slot,
	.close = shim_close,
};

struct store *shim_new(struct store *inner, struct loop *loop, uint32_t seed)
{
	struct shim *s = calloc(1, sizeof(*s));

	ck_assert_ptr_nonnull(s);
	s->base.engine = &shim_engine;
	s->inner = inner;
	s->random = seed | 1;
	ck_assert_int_eq(loop_timer_new(&s->timer, loop, on_timer, s), RC_OK);
	return &s->base;
}
