/* Paged walks. A cursor is the last key that was returned, so that what was
 * present throughout is neither skipped nor repeated. */
#include "storage/lmdb.h"

#include <string.h>

/* --- certificates */

struct listing {
	enum tree tree;
	struct key prefix;
	struct key from;    /* where the first page starts; empty: the prefix */
	struct key until;   /* where it ends, exclusive; empty: the prefix */
	size_t sequence_at; /* in the key, of the trees that lead to a body */
};

static enum rc list_device(
        struct view *v, struct store_list *op, struct listing *l)
{
	struct rec_device d;

	if (!view_device(v, op->device, &d))
		return why_set(&op->op.why, RC_NOTFOUND, "no such device");
	l->tree = TREE_DEVICE_CERT;
	l->prefix = key_u64(d.number);
	l->sequence_at = 8;
	return RC_OK;
}

static enum rc list_key(
        struct view *v, struct store_list *op, struct listing *l)
{
	if (!v->db->index_keys)
		return why_set(&op->op.why, RC_UNSUPPORTED,
		        "the store keeps no index of public keys");
	l->tree = TREE_KEY;
	l->prefix = key_hash(op->spki_hash);
	l->sequence_at = STORE_HASH_BYTES;
	return RC_OK;
}

static enum rc list_plan(
        struct view *v, struct store_list *op, struct listing *l)
{
	*l = (struct listing){ .tree = TREE_BODY };
	switch (op->by) {
	case LIST_BY_SEQUENCE:
		return RC_OK;
	case LIST_BY_DEVICE:
		return list_device(v, op, l);
	case LIST_BY_KEY:
		return list_key(v, op, l);
	case LIST_BY_EXPIRY:
		l->tree = TREE_EXPIRY;
		l->from = key_time_u64(op->from_s, 0);
		l->until = key_time_u64(op->to_s, 0);
		l->sequence_at = 8;
		return RC_OK;
	case LIST_BY_REVOCATION:
		l->tree = TREE_REVOKED;
		l->prefix = key_u32(op->authority);
		return RC_OK;
	case LIST_INTENTS:
		l->tree = TREE_INTENT;
		return RC_OK;
	case LIST_ABANDONED:
		l->tree = TREE_ABANDONED;
		return RC_OK;
	}
	return why_set(&op->op.why, RC_UNSUPPORTED, "no such list");
}

/* The body that an index entry leads to. */
static bool list_body(
        const struct listing *l, const struct walk *w, struct rec_issue *r)
{
	struct rec_status status;
	uint64_t sequence = 0;
	struct key k;

	if (l->tree == TREE_REVOKED) {
		if (!rec_status_unpack(w->value, &status))
			return false;
		sequence = status.sequence;
	} else if (!key_read_u64_at(w->key, l->sequence_at, &sequence)) {
		return false;
	}
	k = key_u64(sequence);
	return view_issue(w->v, TREE_BODY, &k, r);
}

static bool list_row(
        const struct listing *l, const struct walk *w, struct store_cert *out)
{
	struct rec_status status;
	struct rec_issue r;

	if (l->tree == TREE_INTENT || l->tree == TREE_ABANDONED ||
	        l->tree == TREE_BODY) {
		if (!rec_issue_unpack(w->value, &r))
			return false;
	} else if (!list_body(l, w, &r)) {
		return false;
	}
	*out = r.cert;
	if (l->tree == TREE_INTENT) {
		out->state = CERT_INTENT;
		out->status_us = out->begun_us;
		return true;
	}
	if (!view_status(w->v, &out->key, &status))
		return false;
	out->state = status.state;
	out->reason = status.reason;
	out->held_by_suspend = status.held_by_suspend;
	out->status_us = status.status_us;
	out->invalidity_s = status.invalidity_s;
	return true;
}

bool cursor_walk(struct walk *w, const struct store_cursor *cursor,
        const struct key *from)
{
	struct bytes at = bytes_of(cursor->b, cursor->n);

	if (at.n == 0)
		return walk_from(w, key_bytes(from));
	if (!walk_from(w, at))
		return false;
	return !bytes_eq(w->key, at) || walk_next(w);
}

enum rc cursor_check(
        const struct store_cursor *c, struct bytes prefix, struct why *why)
{
	if (c->n == 0)
		return RC_OK;
	if (c->n <= sizeof(c->b) && bytes_starts(bytes_of(c->b, c->n), prefix))
		return RC_OK;
	return why_set(why, RC_MALFORMED, "the cursor is not of this list");
}

bool cursor_keep(struct store_cursor *c, struct bytes key)
{
	if (key.n > sizeof(c->b))
		return false;
	memcpy(c->b, key.p, key.n);
	c->n = (uint8_t)key.n;
	return true;
}

enum rc read_list(struct view *v, struct store_list *op)
{
	struct listing l;
	enum rc rc = list_plan(v, op, &l);
	struct bytes until;
	struct walk w;

	op->n = 0;
	op->more = false;
	if (rc == RC_OK)
		rc = cursor_check(
		        &op->cursor, key_bytes(&l.prefix), &op->op.why);
	if (rc != RC_OK)
		return rc;
	until = key_bytes(&l.until);
	walk_open(&w, v, l.tree, key_bytes(&l.prefix));
	for (bool on = cursor_walk(&w, &op->cursor, &l.from); on;
	        on = walk_next(&w)) {
		if (until.n > 0 && bytes_cmp(w.key, until) >= 0)
			break;
		if (op->n == op->max) {
			op->more = true;
			break;
		}
		if (!list_row(&l, &w, &op->rows[op->n++]) ||
		        !cursor_keep(&op->cursor, w.key)) {
			view_broken(v);
			break;
		}
	}
	walk_close(&w);
	return RC_OK;
}

/* --- devices */

enum rc read_device_list(struct view *v, struct store_device_list *op)
{
	enum rc rc = cursor_check(&op->cursor, BYTES_NONE, &op->op.why);
	const struct key start = { .n = 0 };
	struct rec_device r;
	struct walk w;

	op->n = 0;
	op->more = false;
	if (rc != RC_OK)
		return rc;
	walk_open(&w, v, TREE_DEVICE, BYTES_NONE);
	for (bool on = cursor_walk(&w, &op->cursor, &start); on;
	        on = walk_next(&w)) {
		if (op->n == op->max) {
			op->more = true;
			break;
		}
		if (!rec_device_unpack(w.value, &r) ||
		        !cursor_keep(&op->cursor, w.key)) {
			view_broken(v);
			break;
		}
		op->rows[op->n++] = r.device;
	}
	walk_close(&w);
	return RC_OK;
}

/* --- audit */

/* The hash that the entry number follows. */
static bool hash_before(struct view *v, uint64_t number, uint8_t *hash)
{
	struct key k = key_u64(number - 1);
	struct bytes value;

	memset(hash, 0, STORE_HASH_BYTES);
	if (number <= 1)
		return true;
	if (!view_get(v, TREE_AUDIT, &k, &value) || value.n < STORE_HASH_BYTES)
		return false;
	memcpy(hash, value.p, STORE_HASH_BYTES);
	return true;
}

static void break_at(struct store_audit_scan *op, uint64_t number)
{
	if (op->broken)
		return;
	op->broken = true;
	op->broken_at = number;
}

static void scan_entry(struct view *v, struct store_audit_scan *op,
        struct bytes value, uint64_t number, uint8_t *hash)
{
	struct store_audit_row *row = &op->rows[op->n];
	uint8_t link[STORE_HASH_BYTES];
	struct bytes entry;

	if (!chain_read(value, row, &entry)) {
		break_at(op, number);
		return;
	}
	op->n++;
	if (!chain_link(v->db->read_chain, hash, entry, link) ||
	        memcmp(link, row->hash, sizeof(link)) != 0 ||
	        row->number != number)
		break_at(op, number);
	memcpy(hash, row->hash, STORE_HASH_BYTES);
}

enum rc read_audit_scan(struct view *v, struct store_audit_scan *op)
{
	uint64_t number = op->from > 1 ? op->from : 1, at;
	struct key from = key_u64(number);
	uint8_t hash[STORE_HASH_BYTES];
	size_t seen = 0;
	struct walk w;

	op->n = 0;
	op->more = op->broken = false;
	op->broken_at = 0;
	walk_open(&w, v, TREE_AUDIT, BYTES_NONE);
	for (bool on = walk_from(&w, key_bytes(&from)); on;
	        on = walk_next(&w), seen++, number++) {
		if (seen == op->max) {
			op->more = true;
			break;
		}
		if (!key_read_u64_at(w.key, 0, &at) || at != number ||
		        (seen == 0 && !hash_before(v, number, hash))) {
			break_at(op, number);
			break;
		}
		scan_entry(v, op, w.value, number, hash);
	}
	walk_close(&w);
	return RC_OK;
}
