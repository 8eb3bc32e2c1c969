/* The two-person rule: requests, decisions, that each is carried out once, and
 * forgotten in time. Open ones stand before closed ones, and are few. */
#include "storage/lmdb.h"

#include <stdio.h>
#include <string.h>

static struct key key_of(enum approval_part part, uint64_t id)
{
	return key_u64_pair((uint64_t)part, id);
}

static bool find(struct view *v, uint64_t id, struct store_approval *r)
{
	for (int part = APPROVAL_PART_OPEN; part <= APPROVAL_PART_CLOSED;
	        part++) {
		struct key k = key_of((enum approval_part)part, id);
		struct bytes value;

		if (!view_get(v, TREE_APPROVAL, &k, &value))
			continue;
		if (rec_approval_unpack(value, r))
			return true;
		view_broken(v);
	}
	return false;
}

/* The greatest of a part; 0: it is empty. */
static uint64_t last_id(struct view *v, enum approval_part part)
{
	struct key prefix = key_u64((uint64_t)part);
	uint64_t id = 0;
	struct walk w;

	walk_open(&w, v, TREE_APPROVAL, key_bytes(&prefix));
	if (walk_last(&w) && !key_read_u64_at(w.key, 8, &id))
		view_broken(v);
	walk_close(&w);
	return id;
}

static void put(struct batch *b, const struct store_approval *r)
{
	struct key k = key_of(
	        r->closed_us != 0 ? APPROVAL_PART_CLOSED : APPROVAL_PART_OPEN,
	        r->id);

	rec_approval_pack(batch_record(b), r);
	batch_put(b, TREE_APPROVAL, &k);
}

static void close_request(
        struct batch *b, struct store_approval *r, enum approval_state state)
{
	struct key k = key_of(APPROVAL_PART_OPEN, r->id);

	batch_delete(b, TREE_APPROVAL, &k);
	r->state = state;
	r->closed_us = b->now_us;
	put(b, r);
}

/* "authority.revoke factory", and what it was about. */
static void audit(struct batch *b, const struct store_approval *r,
        const char *event, const char *actor)
{
	char object[STORE_ACTION_MAX + STORE_NAME_MAX + 2];
	char hash[HEX_BYTES(STORE_HASH_BYTES)];
	char detail[STORE_TEXT_MAX + 1];

	(void)snprintf(object, sizeof(object), "%s %s", r->action, r->object);
	(void)snprintf(detail, sizeof(detail),
	        "request=%llu content=%s asked_by=%u %.300s",
	        (unsigned long long)r->id,
	        rec_hex(hash, r->content, STORE_HASH_BYTES),
	        (unsigned)r->asked_by, r->detail);
	batch_audit(b, event, actor, object, detail);
}

/* --- to ask */

static bool is_same(
        const struct store_approval *a, const struct store_approval *b)
{
	return a->asked_by == b->asked_by &&
	        strcmp(a->action, b->action) == 0 &&
	        strcmp(a->object, b->object) == 0 &&
	        memcmp(a->content, b->content, STORE_HASH_BYTES) == 0;
}

/* How many are open. */
struct open {
	size_t all, of_operator;
};

/* The open request like that. */
static bool find_open(struct batch *b, const struct store_approval *like,
        struct store_approval *r, struct open *open)
{
	struct key prefix = key_u64(APPROVAL_PART_OPEN);
	struct store_approval one;
	bool found = false;
	struct walk w;

	*open = (struct open){ 0, 0 };
	walk_open(&w, &b->v, TREE_APPROVAL, key_bytes(&prefix));
	for (bool on = walk_from(&w, BYTES_NONE); on; on = walk_next(&w)) {
		if (!rec_approval_unpack(w.value, &one)) {
			view_broken(&b->v);
			break;
		}
		open->all++;
		open->of_operator += one.asked_by == like->asked_by;
		if (one.expires_us > b->now_us && is_same(&one, like)) {
			*r = one;
			found = true;
		}
	}
	walk_close(&w);
	return found;
}

/* One operator leaves room for the others, who may have to stop him. */
static enum rc check_room(const struct open *open, struct why *why)
{
	if (open->of_operator >= STORE_APPROVALS_OPERATOR_MAX)
		return why_set(why, RC_QUOTA,
		        "%d of your requests wait for approval, or to be "
		        "carried out",
		        STORE_APPROVALS_OPERATOR_MAX);
	if (open->all >= STORE_APPROVALS_MAX)
		return why_set(why, RC_QUOTA,
		        "%d requests wait for approval, or to be carried out",
		        STORE_APPROVALS_MAX);
	return RC_OK;
}

/* Stores that are older have none on record, and have forgotten none. */
static uint64_t greatest_id(struct batch *b)
{
	struct key last = key_of(APPROVAL_PART_LAST, 0);
	uint64_t open = last_id(&b->v, APPROVAL_PART_OPEN);
	uint64_t closed = last_id(&b->v, APPROVAL_PART_CLOSED);
	uint64_t id = open > closed ? open : closed;
	struct bytes value;
	uint64_t noted;

	if (!view_get(&b->v, TREE_APPROVAL, &last, &value))
		return id;
	if (!rec_id_unpack(value, &noted))
		view_broken(&b->v);
	return noted > id ? noted : id;
}

static void note_id(struct batch *b, uint64_t id)
{
	struct key last = key_of(APPROVAL_PART_LAST, 0);

	rec_id_pack(batch_record(b), id);
	batch_put(b, TREE_APPROVAL, &last);
}

static void enter(struct batch *b, struct store_approval *r)
{
	r->id = greatest_id(b) + 1;
	note_id(b, r->id);
	r->state = APPROVAL_PENDING;
	r->asked_us = b->now_us;
	r->decided_us = r->closed_us = 0;
	r->decided_by = 0;
	put(b, r);
}

enum rc op_approval_ask(struct batch *b, struct store_approval_ask *op)
{
	struct store_approval r;
	struct open open;
	enum rc rc;

	op->go = false;
	if (!find_open(b, &op->approval, &r, &open)) {
		rc = check_room(&open, &op->op.why);
		if (rc != RC_OK)
			return rc;
		enter(b, &op->approval);
		audit(b, &op->approval, "approval.request", op->op.actor);
		return RC_OK;
	}
	op->go = r.state == APPROVAL_APPROVED;
	if (op->go && !op->later) {
		close_request(b, &r, APPROVAL_CARRIED_OUT);
		audit(b, &r, "approval.carry_out", op->op.actor);
	}
	op->approval = r;
	return RC_OK;
}

enum rc approval_carry_out(
        struct batch *b, uint64_t id, const char *actor, struct why *why)
{
	struct store_approval r;

	if (!find(&b->v, id, &r) || r.state != APPROVAL_APPROVED ||
	        r.closed_us != 0 || r.expires_us <= b->now_us)
		return why_set(why, RC_CONFLICT,
		        "the request was carried out or denied, or ran out, "
		        "meanwhile");
	close_request(b, &r, APPROVAL_CARRIED_OUT);
	audit(b, &r, "approval.carry_out", actor);
	return RC_OK;
}

/* --- to decide */

static enum rc check_decision(const struct batch *b,
        const struct store_approval_decide *op, const struct store_approval *r,
        struct why *why)
{
	if (r->closed_us != 0)
		return why_set(why, RC_CONFLICT, "the request is closed");
	if (r->expires_us <= b->now_us)
		return why_set(why, RC_CONFLICT, "the request has expired");
	if (op->approve && r->asked_by == op->by)
		return why_set(why, RC_DENIED,
		        "nobody approves a request of their own");
	return RC_OK;
}

enum rc op_approval_decide(struct batch *b, struct store_approval_decide *op)
{
	enum approval_state to =
	        op->approve ? APPROVAL_APPROVED : APPROVAL_DENIED;
	struct store_approval *r = &op->approval;
	enum rc rc;

	if (!find(&b->v, op->id, r))
		return why_set(&op->op.why, RC_NOTFOUND, "no such request");
	if (r->state == to && r->decided_by == op->by)
		return RC_OK;
	rc = check_decision(b, op, r, &op->op.why);
	if (rc != RC_OK)
		return rc;
	if (r->state == to)
		return why_set(&op->op.why, RC_CONFLICT,
		        "another operator has approved it");
	r->decided_us = b->now_us;
	r->decided_by = op->by;
	if (op->approve) {
		r->state = to;
		put(b, r);
	} else {
		close_request(b, r, to);
	}
	audit(b, r, op->approve ? "approval.approve" : "approval.deny",
	        op->op.actor);
	return RC_OK;
}

/* --- to run out, and to be forgotten */

/* When time is up for an open one, and for one that is closed. */
static int64_t ends_us(const struct store_approval *r)
{
	return r->closed_us == 0 ? r->expires_us
	                         : r->closed_us + r->expires_us - r->asked_us;
}

static size_t find_late(
        struct batch *b, enum approval_part part, uint64_t *ids, size_t max)
{
	struct key prefix = key_u64((uint64_t)part);
	struct store_approval r;
	struct walk w;
	size_t n = 0;

	walk_open(&w, &b->v, TREE_APPROVAL, key_bytes(&prefix));
	for (bool on = walk_from(&w, BYTES_NONE); on && n < max;
	        on = walk_next(&w)) {
		if (!rec_approval_unpack(w.value, &r)) {
			view_broken(&b->v);
			break;
		}
		if (ends_us(&r) <= b->now_us)
			ids[n++] = r.id;
	}
	walk_close(&w);
	return n;
}

enum rc op_approval_expire(struct batch *b, struct store_approval_expire *op)
{
	uint64_t ids[STORE_ROWS_MAX];
	struct store_approval r;
	size_t n = find_late(b, APPROVAL_PART_CLOSED, ids, STORE_ROWS_MAX);

	op->forgotten = (uint32_t)n;
	if (n > 0)
		note_id(b, greatest_id(b));
	for (size_t i = 0; i < n; i++) {
		struct key k = key_of(APPROVAL_PART_CLOSED, ids[i]);

		batch_delete(b, TREE_APPROVAL, &k);
	}
	n = find_late(b, APPROVAL_PART_OPEN, ids, STORE_ROWS_MAX);
	op->expired = (uint32_t)n;
	for (size_t i = 0; i < n; i++) {
		if (!find(&b->v, ids[i], &r))
			continue;
		close_request(b, &r, APPROVAL_EXPIRED);
		audit(b, &r, "approval.expire", op->op.actor);
	}
	return RC_OK;
}

/* --- to look */

enum rc read_approval_get(struct view *v, struct store_approval_get *op)
{
	if (!find(v, op->id, &op->approval))
		return why_set(&op->op.why, RC_NOTFOUND, "no such request");
	return RC_OK;
}

enum rc read_approval_list(struct view *v, struct store_approval_list *op)
{
	struct key prefix =
	        key_u64(op->closed ? APPROVAL_PART_CLOSED : APPROVAL_PART_OPEN);
	enum rc rc = cursor_check(&op->cursor, key_bytes(&prefix), &op->op.why);
	struct walk w;

	op->n = 0;
	op->more = false;
	if (rc != RC_OK)
		return rc;
	walk_open(&w, v, TREE_APPROVAL, key_bytes(&prefix));
	for (bool on = cursor_walk(&w, &op->cursor, &prefix); on;
	        on = walk_next(&w)) {
		if (op->n == op->max) {
			op->more = true;
			break;
		}
		if (!rec_approval_unpack(w.value, &op->rows[op->n]) ||
		        !cursor_keep(&op->cursor, w.key)) {
			view_broken(v);
			break;
		}
		op->n++;
	}
	walk_close(&w);
	return RC_OK;
}
