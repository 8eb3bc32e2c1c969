/* Devices, tokens, quotas, authorities, blocked keys. */
#include "storage/lmdb.h"

#include "base/text.h"
#include <stdio.h>
#include <string.h>

/* --- devices */

enum rc op_device_put(struct batch *b, struct store_device_put *op)
{
	struct store_device *in = &op->device;
	struct rec_device r;
	bool found = view_device(&b->v, in->id, &r);
	struct store_device *d = &r.device;

	if (op->expect_version == 0 && found)
		return why_set(&op->op.why, RC_EXISTS, "the device exists");
	if (op->expect_version != 0 && !found)
		return why_set(&op->op.why, RC_NOTFOUND, "no such device");
	if (found && d->version != op->expect_version)
		return why_set(&op->op.why, RC_STALE, "the device has changed");
	if (!found) {
		batch_new_device(b, &r, in->id, in->anchor, in->note);
	} else {
		rec_text(d->anchor, sizeof(d->anchor), in->anchor);
		rec_text(d->note, sizeof(d->note), in->note);
		d->version++;
		d->changed_us = b->now_us;
		batch_put_device(b, &r);
	}
	batch_audit(b, found ? "device.change" : "device.create", op->op.actor,
	        d->id, d->anchor);
	op->device = *d;
	return RC_OK;
}

/* Live certificates of a device that suspend holds or resume releases. */
static size_t find_held(struct batch *b, uint64_t device_number, bool resume,
        struct cert_key *keys, size_t max)
{
	struct key prefix = key_u64(device_number);
	int64_t now_s = b->now_us / 1000000;
	struct rec_device_cert r;
	struct rec_status status;
	struct walk w;
	size_t n = 0;

	walk_open(&w, &b->v, TREE_DEVICE_CERT, key_bytes(&prefix));
	for (bool on = walk_last(&w); on && n < max; on = walk_back(&w)) {
		if (!rec_device_cert_unpack(w.value, &r) ||
		        !view_status(&b->v, &r.key, &status)) {
			view_broken(&b->v);
			break;
		}
		if (r.max_end_s <= now_s)
			break;
		if (r.not_after_s <= now_s)
			continue;
		if (resume ? status.state == CERT_HELD && status.held_by_suspend
		           : status.state == CERT_ISSUED)
			keys[n++] = r.key;
	}
	walk_close(&w);
	return n;
}

static void suspend_one(struct batch *b, const struct store_device_suspend *op,
        const struct cert_key *c)
{
	struct rec_status r;

	if (!view_status(&b->v, c, &r))
		return;
	r.held_by_suspend = !op->resume;
	if (op->resume)
		batch_change_status(b, c, &r, CERT_ISSUED, REASON_UNSPECIFIED);
	else
		batch_change_status(
		        b, c, &r, CERT_HELD, REASON_CERTIFICATE_HOLD);
}

void batch_turn_device(struct batch *b, struct rec_device *r,
        enum device_state state, const char *actor, const char *detail)
{
	r->device.state = state;
	r->device.version++;
	r->device.changed_us = b->now_us;
	batch_put_device(b, r);
	batch_audit(b,
	        state == DEVICE_ACTIVE ? "device.resume" : "device.suspend",
	        actor, r->device.id, detail);
}

enum rc op_device_suspend(struct batch *b, struct store_device_suspend *op)
{
	enum device_state state = op->resume ? DEVICE_ACTIVE : DEVICE_SUSPENDED;
	struct cert_key keys[STORE_LIVE_MAX];
	char detail[32];
	struct rec_device r;
	size_t n;

	op->changed = 0;
	if (!view_device(&b->v, op->id, &r))
		return why_set(&op->op.why, RC_NOTFOUND, "no such device");
	if (r.device.state == state)
		return RC_OK;
	n = find_held(b, r.number, op->resume, keys, STORE_LIVE_MAX);
	for (size_t i = 0; i < n; i++)
		suspend_one(b, op, &keys[i]);
	op->changed = (uint32_t)n;
	(void)snprintf(detail, sizeof(detail), "certificates=%zu", n);
	batch_turn_device(b, &r, state, op->op.actor, detail);
	return RC_OK;
}

/* --- tokens */

enum rc op_token_put(struct batch *b, struct store_token_put *op)
{
	struct store_token *t = &op->token;
	struct key k = key_hash(t->hash);
	char detail[STORE_TEXT_MAX + 1];
	struct store_authority a;
	struct rec_device d;
	struct bytes value;
	bool found;

	if (view_get(&b->v, TREE_TOKEN, &k, &value))
		return why_set(&op->op.why, RC_EXISTS, "the token exists");
	if (!view_authority(&b->v, t->authority, &a, &value))
		return why_set(&op->op.why, RC_NOTFOUND, "no such authority");
	found = view_device(&b->v, t->device, &d);
	if (found && d.device.state != DEVICE_ACTIVE)
		return why_set(
		        &op->op.why, RC_DENIED, "the device is suspended");
	if (!found) {
		batch_new_device(b, &d, t->device, "", "");
		batch_audit(b, "device.create", op->op.actor, t->device, "");
	}
	t->state = TOKEN_UNSPENT;
	t->created_us = b->now_us;
	memset(&t->spent_by, 0, sizeof(t->spent_by));
	batch_put_token(b, t);
	(void)snprintf(detail, sizeof(detail),
	        "authority=%u profile=%s expires=%lld", (unsigned)t->authority,
	        t->profile, (long long)(t->expires_us / 1000000));
	batch_audit(b, "token.create", op->op.actor, t->device, detail);
	return RC_OK;
}

/* --- quotas */

static void write_quota(struct batch *b, const struct store_quota *q,
        const char *event, const char *actor)
{
	char detail[64];

	batch_put_quota(b, q);
	(void)snprintf(detail, sizeof(detail), "limit=%llu used=%llu",
	        (unsigned long long)q->limit, (unsigned long long)q->used);
	batch_audit(b, event, actor, q->name, detail);
}

enum rc op_quota_put(struct batch *b, struct store_quota_put *op)
{
	struct store_quota q;

	if (!view_quota(&b->v, op->quota.name, &q)) {
		q = op->quota;
		q.used = 0;
	} else {
		q.limit = op->quota.limit;
	}
	write_quota(b, &q, "quota.put", op->op.actor);
	op->quota = q;
	return RC_OK;
}

enum rc op_quota_change(struct batch *b, struct store_quota_change *op)
{
	struct store_quota *q = &op->quota;

	if (!view_quota(&b->v, op->name, q))
		return why_set(&op->op.why, RC_NOTFOUND, "no such quota");
	if (op->give_back && op->n > q->used)
		return why_set(&op->op.why, RC_CONFLICT,
		        "more is given back than was taken");
	if (!op->give_back &&
	        (q->used > q->limit || op->n > q->limit - q->used))
		return why_set(&op->op.why, RC_QUOTA, "the quota is spent");
	q->used = op->give_back ? q->used - op->n : q->used + op->n;
	write_quota(b, q, op->give_back ? "quota.return" : "quota.reserve",
	        op->op.actor);
	return RC_OK;
}

/* --- authorities */

static void put_authority(
        struct batch *b, const struct store_authority *a, struct bytes der)
{
	struct key k = key_u32(a->id);

	rec_authority_pack(batch_record(b), a, der);
	batch_put(b, TREE_AUTHORITY, &k);
}

/* Bring an authority to a state. Its record is packed from a borrowed view of
 * itself, before anything is written. */
static void turn_authority(
        struct batch *b, uint32_t id, enum authority_state state)
{
	struct store_authority a;
	struct bytes der;

	if (!view_authority(&b->v, id, &a, &der) || a.state == state)
		return;
	a.state = state;
	a.version++;
	put_authority(b, &a, der);
}

struct generations {
	uint32_t same;                   /* id with this certificate; 0 */
	uint32_t active[STORE_ROWS_MAX]; /* ids under this name */
	size_t n_active;
};

static void find_generations(struct batch *b, const struct store_authority *in,
        struct generations *g)
{
	struct store_authority a;
	struct bytes der;
	struct walk w;

	*g = (struct generations){ 0 };
	walk_open(&w, &b->v, TREE_AUTHORITY, BYTES_NONE);
	for (bool on = walk_from(&w, BYTES_NONE); on; on = walk_next(&w)) {
		if (!rec_authority_unpack(w.value, &a, &der)) {
			view_broken(&b->v);
			break;
		}
		if (memcmp(a.cert_hash, in->cert_hash, STORE_HASH_BYTES) == 0)
			g->same = a.id;
		else if (a.state == AUTHORITY_ACTIVE &&
		        strcmp(a.name, in->name) == 0 &&
		        g->n_active < STORE_ROWS_MAX)
			g->active[g->n_active++] = a.id;
	}
	walk_close(&w);
}

static enum rc enter_authority(struct batch *b, struct store_authority_put *op)
{
	struct store_authority *a = &op->authority;

	if (b->ledger.authority >= STORE_ROWS_MAX)
		return why_set(&op->op.why, RC_QUOTA, "too many authorities");
	a->id = ++b->ledger.authority;
	a->state = op->retired ? AUTHORITY_RETIRED : AUTHORITY_ACTIVE;
	a->version = 1;
	a->entered_us = b->now_us;
	put_authority(b, a, op->der);
	return RC_OK;
}

/* One that is on record already. */
static void again_authority(struct batch *b, struct store_authority_put *op,
        const struct generations *g)
{
	enum authority_state state =
	        op->retired ? AUTHORITY_RETIRED : AUTHORITY_ACTIVE;
	struct bytes der;

	turn_authority(b, g->same, state);
	(void)view_authority(&b->v, g->same, &op->authority, &der);
	batch_audit(b, "authority.enter", op->op.actor, op->authority.name,
	        op->retired ? "retired" : "an earlier generation again");
}

enum rc op_authority_put(struct batch *b, struct store_authority_put *op)
{
	enum authority_state state =
	        op->retired ? AUTHORITY_RETIRED : AUTHORITY_ACTIVE;
	struct generations g;
	struct bytes der;
	enum rc rc;

	find_generations(b, &op->authority, &g);
	if (g.same != 0) {
		if (!view_authority(&b->v, g.same, &op->authority, &der) ||
		        op->authority.state == state ||
		        op->authority.state == AUTHORITY_REVOKED)
			return RC_OK;
		again_authority(b, op, &g);
	} else {
		rc = enter_authority(b, op);
		if (rc != RC_OK)
			return rc;
		batch_audit(b, "authority.enter", op->op.actor,
		        op->authority.name, "a new certificate");
	}
	for (size_t i = 0; i < g.n_active && !op->retired; i++)
		turn_authority(b, g.active[i], AUTHORITY_RETIRED);
	return RC_OK;
}

static bool is_compromise(enum cert_reason r)
{
	return r == REASON_KEY_COMPROMISE || r == REASON_CA_COMPROMISE;
}

enum rc op_authority_revoke(struct batch *b, struct store_authority_revoke *op)
{
	struct store_authority *a = &op->authority;
	char detail[64];
	struct bytes der;

	op->changed = false;
	if (!view_authority(&b->v, op->id, a, &der))
		return why_set(&op->op.why, RC_NOTFOUND, "no such authority");
	if (a->state == AUTHORITY_REVOKED &&
	        (a->reason == op->reason || is_compromise(a->reason) ||
	                !is_compromise(op->reason)))
		return RC_OK;
	if (a->state != AUTHORITY_REVOKED)
		a->revoked_us = b->now_us;
	a->state = AUTHORITY_REVOKED;
	a->reason = op->reason;
	a->version++;
	put_authority(b, a, der);
	op->changed = true;
	(void)snprintf(detail, sizeof(detail), "authority=%u reason=%d",
	        (unsigned)a->id, (int)a->reason);
	batch_audit(b, "authority.revoke", op->op.actor, a->name, detail);
	return RC_OK;
}

/* --- the rest */

void batch_block_key(struct batch *b, const uint8_t spki_hash[STORE_HASH_BYTES],
        const char *actor)
{
	char text[HEX_BYTES(STORE_HASH_BYTES)];
	struct key k = key_hash(spki_hash);
	struct bytes value;

	if (view_get(&b->v, TREE_BLOCKED, &k, &value))
		return;
	rec_blocked_pack(batch_record(b), b->now_us);
	batch_put(b, TREE_BLOCKED, &k);
	batch_audit(b, "key.block", actor,
	        rec_hex(text, spki_hash, STORE_HASH_BYTES), "");
}

enum rc op_key_block(struct batch *b, struct store_key_block *op)
{
	batch_block_key(b, op->spki_hash, op->op.actor);
	return RC_OK;
}

/* What is issued from now on has earlier times than what was before. */
static void lower_floor(
        struct batch *b, struct store_floor_lower *op, int64_t floor_us)
{
	struct key k = key_text("unordered");
	char before[TEXT_TIME_BYTES], after[TEXT_TIME_BYTES];
	char detail[STORE_TEXT_MAX + 1];

	b->ledger.clock_us = floor_us + b->v.db->backdate_us;
	buf_reset(batch_record(b));
	batch_put(b, TREE_META, &k);
	(void)snprintf(detail, sizeof(detail), "from=%s to=%s",
	        text_time(before, op->before_us / 1000000),
	        text_time(after, floor_us / 1000000));
	batch_audit(b, "floor.lower", op->op.actor, "", detail);
	op->floor_us = floor_us;
}

enum rc op_floor_lower(struct batch *b, struct store_floor_lower *op)
{
	int64_t backdate_us = b->v.db->backdate_us;
	int64_t least_us = b->now_us - backdate_us;
	int64_t to_us = op->to_clock ? least_us : op->floor_us;

	op->before_us = b->ledger.clock_us - backdate_us;
	if (to_us == op->before_us ||
	        (op->to_clock && op->before_us <= least_us)) {
		op->floor_us = op->before_us;
		return RC_OK;
	}
	if (to_us > op->before_us)
		return why_set(&op->op.why, RC_CONFLICT,
		        "the clock floor is below that already, and nothing "
		        "but time raises it");
	if (to_us < least_us)
		return why_set(&op->op.why, RC_CONFLICT,
		        "the clock itself is past that: set it right first");
	lower_floor(b, op, to_us);
	return RC_OK;
}

enum rc op_audit(struct batch *b, struct store_audit *op)
{
	enum rc rc = RC_OK;

	if (op->approval != 0)
		rc = approval_carry_out(
		        b, op->approval, op->op.actor, &op->op.why);
	if (rc != RC_OK)
		return rc;
	batch_audit(b, op->event, op->op.actor, op->object, op->detail);
	op->number = b->ledger.audit;
	return RC_OK;
}
