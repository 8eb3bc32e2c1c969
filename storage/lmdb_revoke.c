/* Revoke, hold and release: one certificate, or many by parts. */
#include "storage/lmdb.h"

#include <stdio.h>
#include <string.h>

/* Sequence order is the order of issue but for a clock that was set back, and
 * T2 lets that be no more than the backdating of certificates, which is
 * configured to a day at most. */
#define CLOCK_BACK_MAX_US (86400 * INT64_C(1000000))

/* --- one certificate */

struct change {
	enum store_status_change what;
	enum cert_reason reason;
	int64_t invalidity_s;
	const char *actor;
};

static const char *change_event(enum store_status_change what)
{
	switch (what) {
	case STATUS_REVOKE:
		return "cert.revoke";
	case STATUS_HOLD:
		return "cert.hold";
	case STATUS_RELEASE:
		return "cert.release";
	}
	return "cert.change";
}

static void audit_change(struct batch *b, const struct change *change,
        const char *device, const struct cert_key *c,
        const struct rec_status *r)
{
	char serial[HEX_BYTES(STORE_SERIAL_BYTES)];
	char detail[STORE_TEXT_MAX + 1];

	(void)snprintf(detail, sizeof(detail),
	        "serial=%s authority=%u reason=%d invalidity=%lld",
	        rec_hex(serial, c->serial, STORE_SERIAL_BYTES),
	        (unsigned)c->authority, (int)r->reason,
	        (long long)r->invalidity_s);
	batch_audit(
	        b, change_event(change->what), change->actor, device, detail);
}

/* What the change makes of the state. RC_DUPLICATE: nothing to do. */
static enum rc next_state(const struct change *change,
        const struct rec_status *r, enum cert_state *state, struct why *why)
{
	if (r->state == CERT_ABANDONED)
		return why_set(why, RC_CONFLICT,
		        "the serial was abandoned before it was issued");
	switch (change->what) {
	case STATUS_REVOKE:
		*state = CERT_REVOKED;
		if (r->state == CERT_REVOKED &&
		        (change->reason != REASON_KEY_COMPROMISE ||
		                r->reason == REASON_KEY_COMPROMISE))
			return RC_DUPLICATE;
		return RC_OK;
	case STATUS_HOLD:
		*state = CERT_HELD;
		if (r->state != CERT_ISSUED)
			return why_set(why, RC_CONFLICT,
			        "only an issued certificate can be held");
		return RC_OK;
	case STATUS_RELEASE:
		*state = CERT_ISSUED;
		if (r->state != CERT_HELD)
			return why_set(why, RC_CONFLICT,
			        "the certificate is not held");
		if (r->held_by_suspend)
			return why_set(why, RC_CONFLICT,
			        "the certificate is held by its suspended "
			        "device");
		return RC_OK;
	}
	return why_set(why, RC_UNSUPPORTED, "no such change");
}

static enum cert_reason next_reason(const struct change *change)
{
	switch (change->what) {
	case STATUS_REVOKE:
		return change->reason;
	case STATUS_HOLD:
		return REASON_CERTIFICATE_HOLD;
	case STATUS_RELEASE:
		break;
	}
	return REASON_UNSPECIFIED;
}

/* A later reason does not take back what an earlier one told of the time. */
static int64_t next_invalidity_s(
        const struct change *change, const struct rec_status *r)
{
	if (change->what != STATUS_REVOKE)
		return 0;
	return change->invalidity_s != 0 ? change->invalidity_s
	                                 : r->invalidity_s;
}

/* As next_state(); on RC_OK r is what it has become. */
static enum rc change_cert(struct batch *b, const struct cert_key *c,
        struct rec_status *r, const struct change *change, struct why *why)
{
	enum cert_state state = CERT_ISSUED;
	enum rc rc = next_state(change, r, &state, why);
	struct key k = key_u64(r->sequence);
	struct rec_issue body;

	if (rc != RC_OK)
		return rc;
	if (!view_issue(&b->v, TREE_BODY, &k, &body)) {
		view_broken(&b->v);
		return RC_INTERNAL;
	}
	if (change->what == STATUS_REVOKE &&
	        change->reason == REASON_KEY_COMPROMISE)
		batch_block_key(b, body.cert.spki_hash, change->actor);
	r->held_by_suspend = false;
	r->invalidity_s = next_invalidity_s(change, r);
	batch_change_status(b, c, r, state, next_reason(change));
	audit_change(b, change, body.cert.device, c, r);
	return RC_OK;
}

static struct change change_one(const struct store_set_status *op)
{
	return (struct change){ .what = op->change,
		.reason = op->reason,
		.invalidity_s = op->invalidity_s,
		.actor = op->op.actor };
}

static enum rc one_status(
        struct view *v, struct store_set_status *op, struct rec_status *r)
{
	op->changed = false;
	op->position = 0;
	if (!view_status(v, &op->key, r))
		return why_set(&op->op.why, RC_NOTFOUND, "no such certificate");
	op->position = r->position;
	return RC_OK;
}

enum rc op_set_status(struct batch *b, struct store_set_status *op)
{
	struct change change = change_one(op);
	struct rec_status r;
	enum rc rc = one_status(&b->v, op, &r);

	if (rc == RC_OK)
		rc = change_cert(b, &op->key, &r, &change, &op->op.why);
	if (rc == RC_OK) {
		op->changed = true;
		op->position = r.position;
	}
	return rc == RC_DUPLICATE ? RC_OK : rc;
}

enum rc read_set_status(struct view *v, struct store_set_status *op)
{
	struct change change = change_one(op);
	enum cert_state state;
	struct rec_status r;
	enum rc rc = one_status(v, op, &r);

	if (rc == RC_OK)
		rc = next_state(&change, &r, &state, &op->op.why);
	op->changed = rc == RC_OK;
	return rc == RC_DUPLICATE ? RC_OK : rc;
}

/* --- many: which */

struct selection {
	enum tree tree;
	struct key prefix;
	struct key from; /* where the first part starts; empty: the prefix */
};

static bool issued_at(const struct walk *w, uint64_t *sequence, int64_t *us)
{
	struct rec_issue body;

	if (!key_read_u64_at(w->key, 0, sequence) ||
	        !rec_issue_unpack(w->value, &body)) {
		view_broken(w->v);
		return false;
	}
	*us = body.cert.issued_us;
	return true;
}

/* The first sequence that may have been issued at from_us or later. All before
 * the greatest one that is known to be a day older are older, too. */
static uint64_t first_of_lot(struct view *v, int64_t from_us)
{
	int64_t older_us = from_us - CLOCK_BACK_MAX_US, us;
	uint64_t before = 0, until = 1, at;
	struct walk w;

	if (view_unordered(v))
		return 1;
	walk_open(&w, v, TREE_BODY, BYTES_NONE);
	if (walk_last(&w) && key_read_u64_at(w.key, 0, &at))
		until = at + 1;
	while (v->err == 0 && until - before > 1) {
		uint64_t middle = before + (until - before) / 2;
		struct key k = key_u64(middle);

		/* Purged ones leave gaps. */
		if (!walk_from(&w, key_bytes(&k)) || !issued_at(&w, &at, &us) ||
		        at >= until || us >= older_us)
			until = middle;
		else
			before = at;
	}
	walk_close(&w);
	return before + 1;
}

/* An index that was switched on later lacks what was issued before. */
static bool keys_are_indexed(struct view *v)
{
	return v->db->index_keys &&
	        view_count(v, TREE_KEY) == view_count(v, TREE_BODY);
}

static enum rc select_plan(
        struct view *v, struct store_revoke *op, struct selection *s)
{
	struct rec_device d;

	*s = (struct selection){ .tree = TREE_BODY };
	switch (op->by) {
	case REVOKE_BY_DEVICE:
		if (!view_device(v, op->device, &d))
			return why_set(
			        &op->op.why, RC_NOTFOUND, "no such device");
		s->tree = TREE_DEVICE_CERT;
		s->prefix = key_u64(d.number);
		break;
	case REVOKE_BY_KEY:
		if (!keys_are_indexed(v))
			break;
		s->tree = TREE_KEY;
		s->prefix = key_hash(op->spki_hash);
		break;
	case REVOKE_BY_ISSUE:
		if (op->cursor.n == 0)
			s->from = key_u64(first_of_lot(v, op->from_us));
		break;
	default:
		return why_set(&op->op.why, RC_UNSUPPORTED, "no such choice");
	}
	return cursor_check(&op->cursor, key_bytes(&s->prefix), &op->op.why);
}

static bool of_authorities(const struct store_revoke *op, uint32_t id)
{
	for (size_t i = 0; i < op->n_authorities; i++)
		if (op->authorities[i] == id)
			return true;
	return op->n_authorities == 0;
}

/* The certificate that an entry of the key index or of the bodies is about. */
static bool select_body(struct walk *w, struct rec_issue *body)
{
	uint64_t sequence;
	struct key k;

	if (w->key.n == sizeof(sequence)) {
		if (rec_issue_unpack(w->value, body))
			return true;
	} else if (key_read_u64_at(w->key, STORE_HASH_BYTES, &sequence)) {
		k = key_u64(sequence);
		if (view_issue(w->v, TREE_BODY, &k, body))
			return true;
	}
	view_broken(w->v);
	return false;
}

/* Is the certificate at w meant? */
static bool is_selected(
        struct walk *w, const struct store_revoke *op, struct cert_key *out)
{
	struct rec_device_cert of_device;
	const struct store_cert *c;
	struct rec_issue body;

	if (op->by == REVOKE_BY_DEVICE) {
		if (!rec_device_cert_unpack(w->value, &of_device)) {
			view_broken(w->v);
			return false;
		}
		*out = of_device.key;
		return true;
	}
	if (!select_body(w, &body))
		return false;
	c = &body.cert;
	*out = c->key;
	if (op->by == REVOKE_BY_KEY)
		return memcmp(c->spki_hash, op->spki_hash, STORE_HASH_BYTES) ==
		        0;
	return c->issued_us >= op->from_us && c->issued_us < op->to_us &&
	        c->credential != CREDENTIAL_SYSTEM &&
	        of_authorities(op, c->key.authority);
}

/* Nothing behind w can be of the lot. */
static bool is_past_lot(const struct walk *w, const struct store_revoke *op)
{
	uint64_t sequence;
	int64_t us;

	return op->by == REVOKE_BY_ISSUE && issued_at(w, &sequence, &us) &&
	        us >= op->to_us && us - op->to_us > CLOCK_BACK_MAX_US &&
	        !view_unordered(w->v);
}

/* The next part: up to rows certificates are looked at. Gives how many are
 * meant, with their keys. */
static size_t select_part(struct view *v, struct store_revoke *op,
        const struct selection *s, struct cert_key *keys, size_t rows)
{
	size_t n = 0, looked = 0;
	struct walk w;

	op->next = op->cursor;
	walk_open(&w, v, s->tree, key_bytes(&s->prefix));
	for (bool on = cursor_walk(&w, &op->cursor, &s->from);
	        on && !is_past_lot(&w, op); on = walk_next(&w)) {
		if (looked++ == rows) {
			op->more = true;
			break;
		}
		n += is_selected(&w, op, &keys[n]);
		if (!cursor_keep(&op->next, w.key))
			view_broken(v);
	}
	walk_close(&w);
	return n;
}

/* --- many: what is done with them */

static struct change change_many(const struct store_revoke *op)
{
	return (struct change){ .what = op->change,
		.reason = op->reason,
		.invalidity_s = op->invalidity_s,
		.actor = op->op.actor };
}

static void audit_lot(struct batch *b, const struct store_revoke *op)
{
	static const char *const events[] = { [STATUS_REVOKE] = "lot.revoke",
		[STATUS_HOLD] = "lot.hold",
		[STATUS_RELEASE] = "lot.release" };
	struct store_authority a = { .id = 0 };
	char detail[STORE_TEXT_MAX + 1];
	struct bytes der;

	if (op->n_authorities > 0)
		(void)view_authority(&b->v, op->authorities[0], &a, &der);
	(void)snprintf(detail, sizeof(detail),
	        "from_us=%lld to_us=%lld authorities=%zu reason=%d",
	        (long long)op->from_us, (long long)op->to_us, op->n_authorities,
	        (int)op->reason);
	batch_audit(b, events[op->change], op->op.actor, a.name, detail);
}

/* Before the first part: shut the door that new ones could come through. */
static void shut(struct batch *b, const struct store_revoke *op)
{
	struct rec_device d;

	switch (op->by) {
	case REVOKE_BY_DEVICE:
		if (view_device(&b->v, op->device, &d) &&
		        d.device.state != DEVICE_SUSPENDED)
			batch_turn_device(b, &d, DEVICE_SUSPENDED, op->op.actor,
			        "its certificates are revoked");
		break;
	case REVOKE_BY_KEY:
		if (op->change == STATUS_REVOKE)
			batch_block_key(b, op->spki_hash, op->op.actor);
		break;
	case REVOKE_BY_ISSUE:
		audit_lot(b, op);
		break;
	}
}

static enum rc begin_part(
        struct view *v, struct store_revoke *op, struct selection *s)
{
	op->selected = op->changed = 0;
	op->position = 0;
	op->more = false;
	op->next = op->cursor;
	return select_plan(v, op, s);
}

enum rc op_revoke(struct batch *b, struct store_revoke *op)
{
	struct cert_key keys[STORE_ROWS_MAX];
	struct change change = change_many(op);
	struct why skipped = WHY_NONE;
	struct selection s;
	struct rec_status r;
	enum rc rc = begin_part(&b->v, op, &s);

	if (rc != RC_OK || b->v.err != 0)
		return rc;
	if (op->cursor.n == 0)
		shut(b, op);
	/* Hardly any room: as little as one certificate takes. */
	op->selected = (uint32_t)select_part(
	        &b->v, op, &s, keys, b->crowded ? 1 : STORE_ROWS_MAX);
	for (size_t i = 0; i < op->selected && b->v.err == 0; i++) {
		if (!view_status(&b->v, &keys[i], &r))
			view_broken(&b->v);
		else if (change_cert(b, &keys[i], &r, &change, &skipped) ==
		        RC_OK)
			op->changed++;
	}
	op->position = b->ledger.feed;
	return RC_OK;
}

enum rc read_revoke(struct view *v, struct store_revoke *op)
{
	struct cert_key keys[STORE_ROWS_MAX];
	struct change change = change_many(op);
	struct why skipped = WHY_NONE;
	enum cert_state state;
	struct selection s;
	struct rec_status r;
	enum rc rc = begin_part(v, op, &s);

	if (rc != RC_OK || v->err != 0)
		return rc;
	op->selected = (uint32_t)select_part(v, op, &s, keys, STORE_ROWS_MAX);
	for (size_t i = 0; i < op->selected && v->err == 0; i++) {
		if (!view_status(v, &keys[i], &r))
			view_broken(v);
		else if (next_state(&change, &r, &state, &skipped) == RC_OK)
			op->changed++;
	}
	return RC_OK;
}
