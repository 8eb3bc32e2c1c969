/* What CRLs are made from: the number series of each scope, and the bounded
 * walk over who is held or revoked in it. */
#include "storage/lmdb.h"

#include <stdio.h>
#include <string.h>

#define DAY_S INT64_C(86400)

/* --- scopes */

static void put_scope(struct batch *b, const struct store_crl *r)
{
	struct key k = key_scope(r->authority, r->shard);

	rec_crl_pack(batch_record(b), r);
	batch_put(b, TREE_CRL, &k);
}

/* Up to the next whole day, so that the record changes once a day and not with
 * each certificate. */
static int64_t day_after(int64_t time_s)
{
	int64_t into = time_s % DAY_S;

	if (into < 0)
		into += DAY_S;
	return into == 0 ? time_s : time_s + (DAY_S - into);
}

static void scope_issued(struct batch *b, uint16_t shard, uint32_t authority,
        int64_t not_after_s)
{
	int64_t ends_s = day_after(not_after_s);
	struct store_crl r;

	(void)view_crl(&b->v, authority, shard, &r);
	if (ends_s <= r.ends_s)
		return;
	r.ends_s = ends_s;
	put_scope(b, &r);
}

void batch_crl_issued(struct batch *b, const struct store_cert *c)
{
	scope_issued(b, 0, c->key.authority, c->not_after_s);
	if (c->shard != 0)
		scope_issued(b, c->shard, c->key.authority, c->not_after_s);
}

static void scope_turned(
        struct batch *b, uint32_t authority, uint16_t shard, int by)
{
	struct store_crl r;

	(void)view_crl(&b->v, authority, shard, &r);
	r.listed = by > 0 ? r.listed + 1 : r.listed - 1;
	put_scope(b, &r);
}

void batch_crl_turned(
        struct batch *b, const struct cert_key *c, uint16_t shard, int by)
{
	scope_turned(b, c->authority, 0, by);
	if (shard != 0)
		scope_turned(b, c->authority, shard, by);
}

/* --- numbers */

/* What the authorities that a CRL covers have had so far: their greatest
 * number, and how many are listed. */
static void look_at_also(struct batch *b, const struct store_crl_begin *op,
        uint64_t *last, uint64_t *listed)
{
	struct store_crl r;

	for (size_t i = 0; i < op->n_also; i++) {
		(void)view_crl(&b->v, op->also[i], op->shard, &r);
		if (r.given > *last)
			*last = r.given;
		*listed += r.listed;
	}
}

enum rc op_crl_begin(struct batch *b, struct store_crl_begin *op)
{
	int64_t floor_us = b->ledger.clock_us - b->v.db->backdate_us;
	int64_t now_us = b->now_us > floor_us ? b->now_us : floor_us;
	struct store_authority a;
	struct store_crl r;
	struct bytes der;
	uint64_t last;

	if (b->fenced)
		return why_set(&op->op.why, RC_FENCED,
		        "this process's slot was given up");
	if (!view_authority(&b->v, op->authority, &a, &der))
		return why_set(&op->op.why, RC_NOTFOUND, "no such authority");
	(void)view_crl(&b->v, op->authority, op->shard, &r);
	last = r.given > op->above ? r.given : op->above;
	op->listed = r.listed;
	look_at_also(b, op, &last, &op->listed);
	op->now_s = now_us / 1000000;
	r.given = last + 1;
	if (op->now_s > 0 && (uint64_t)op->now_s > r.given)
		r.given = (uint64_t)op->now_s;
	put_scope(b, &r);
	op->number = r.given;
	op->position = b->ledger.feed;
	/* A regular one that is dated ahead of the clock proves nothing about
	 * who has ended by now. */
	op->ended_before_s = r.regular_s < op->now_s ? r.regular_s : op->now_s;
	return RC_OK;
}

static bool same_crl(const struct store_crl *a, const struct store_crl *b)
{
	return a->number == b->number &&
	        memcmp(a->hash, b->hash, STORE_HASH_BYTES) == 0;
}

static void audit_commit(struct batch *b, const struct store_crl_commit *op,
        const struct store_crl *r)
{
	char hash[HEX_BYTES(STORE_HASH_BYTES)];
	char detail[STORE_TEXT_MAX + 1];
	struct store_authority a = { .id = 0 };
	struct bytes der;

	(void)view_authority(&b->v, r->authority, &a, &der);
	(void)snprintf(detail, sizeof(detail),
	        "authority=%u shard=%u number=%llu entries=%llu sha256=%s",
	        (unsigned)r->authority, (unsigned)r->shard,
	        (unsigned long long)r->number, (unsigned long long)r->count,
	        rec_hex(hash, r->hash, STORE_HASH_BYTES));
	batch_audit(b, "crl.publish", op->op.actor, a.name, detail);
}

enum rc op_crl_commit(struct batch *b, struct store_crl_commit *op)
{
	const struct store_crl *in = &op->crl;
	struct store_crl r;

	(void)view_crl(&b->v, in->authority, in->shard, &r);
	if (b->fenced || r.given != in->number || r.given == 0)
		return why_set(&op->op.why, RC_FENCED,
		        "another CRL of this scope was begun since");
	if (!same_crl(&r, in)) {
		r.number = in->number;
		r.this_update_s = in->this_update_s;
		r.next_update_s = in->next_update_s;
		r.position = in->position;
		r.count = in->count;
		r.bytes = in->bytes;
		memcpy(r.hash, in->hash, STORE_HASH_BYTES);
		if (op->regular)
			r.regular_s = r.this_update_s;
		put_scope(b, &r);
		audit_commit(b, op, &r);
	}
	op->crl = r;
	return RC_OK;
}

/* --- reads */

static bool scan_row(struct store_crl_scan *op, const struct walk *w)
{
	struct store_crl_row *row = &op->rows[op->n];
	struct rec_status s;

	if (w->key.n < STORE_SERIAL_BYTES || !rec_status_unpack(w->value, &s))
		return false;
	op->seen++;
	if (s.not_after_s < op->ended_before_s)
		return true;
	memcpy(row->serial, w->key.p + w->key.n - STORE_SERIAL_BYTES,
	        STORE_SERIAL_BYTES);
	row->reason = s.reason;
	row->revoked_s = s.status_us / 1000000;
	row->invalidity_s = s.invalidity_s;
	op->n++;
	return true;
}

enum rc read_crl_scan(struct view *v, struct store_crl_scan *op)
{
	struct key prefix = op->shard != 0 ? key_scope(op->authority, op->shard)
	                                   : key_u32(op->authority);
	enum rc rc = cursor_check(&op->cursor, key_bytes(&prefix), &op->op.why);
	struct rec_ledger ledger = { 0 };
	struct walk w;

	op->n = op->seen = 0;
	op->more = false;
	if (rc != RC_OK)
		return rc;
	if (!view_ledger(v, &ledger))
		view_broken(v);
	op->position = ledger.feed;
	walk_open(&w, v, op->shard != 0 ? TREE_SHARD : TREE_REVOKED,
	        key_bytes(&prefix));
	for (bool on = cursor_walk(&w, &op->cursor, &prefix); on;
	        on = walk_next(&w)) {
		if (op->seen == op->max) {
			op->more = true;
			break;
		}
		if (!scan_row(op, &w) || !cursor_keep(&op->cursor, w.key)) {
			view_broken(v);
			break;
		}
	}
	walk_close(&w);
	return RC_OK;
}

enum rc read_crl_last(struct view *v, struct store_crl_last *op)
{
	if (!view_crl(v, op->authority, op->shard, &op->crl))
		return why_set(&op->op.why, RC_NOTFOUND, "no CRL yet");
	return RC_OK;
}

enum rc read_crl_list(struct view *v, struct store_crl_list *op)
{
	enum rc rc = cursor_check(&op->cursor, BYTES_NONE, &op->op.why);
	const struct key start = { .n = 0 };
	struct walk w;

	op->n = 0;
	op->more = false;
	if (rc != RC_OK)
		return rc;
	walk_open(&w, v, TREE_CRL, BYTES_NONE);
	for (bool on = cursor_walk(&w, &op->cursor, &start); on;
	        on = walk_next(&w)) {
		if (op->n == op->max) {
			op->more = true;
			break;
		}
		if (!rec_crl_unpack(w.value, &op->rows[op->n++]) ||
		        !cursor_keep(&op->cursor, w.key)) {
			view_broken(v);
			break;
		}
	}
	walk_close(&w);
	return RC_OK;
}
