/* Certificates that were renewed, and are revoked some time after: noted at T2,
 * by when they are due, and worked off from the front. */
#include "storage/lmdb.h"

#include <string.h>

#define SECOND_US INT64_C(1000000)

void batch_supersede_later(
        struct batch *b, const struct cert_key *old, int64_t after_s)
{
	struct rec_status r;
	struct key k;

	if (!view_status(&b->v, old, &r) || r.sequence == 0)
		return;
	k = key_time_u64(b->now_us / SECOND_US + after_s, r.sequence);
	buf_reset(batch_record(b));
	batch_put(b, TREE_SUPERSEDE, &k);
}

static bool read_due(struct bytes key, int64_t *due_s, uint64_t *sequence)
{
	uint64_t t;

	if (!key_read_u64_at(key, 0, &t) || !key_read_u64_at(key, 8, sequence))
		return false;
	*due_s = (int64_t)(t ^ (UINT64_C(1) << 63));
	return true;
}

int64_t view_supersede_due_s(struct view *v)
{
	int64_t due_s = 0;
	uint64_t sequence;
	struct walk w;

	walk_open(&w, v, TREE_SUPERSEDE, BYTES_NONE);
	if (walk_from(&w, BYTES_NONE) && !read_due(w.key, &due_s, &sequence))
		view_broken(v);
	walk_close(&w);
	return due_s;
}

struct due {
	struct key k;
	uint64_t sequence;
};

static size_t find_due(struct batch *b, struct due *list, bool *more)
{
	int64_t now_s = b->now_us / SECOND_US, due_s;
	struct walk w;
	size_t n = 0;

	*more = false;
	walk_open(&w, &b->v, TREE_SUPERSEDE, BYTES_NONE);
	for (bool on = walk_from(&w, BYTES_NONE); on; on = walk_next(&w)) {
		uint64_t sequence;

		if (!read_due(w.key, &due_s, &sequence)) {
			view_broken(&b->v);
			break;
		}
		if (due_s > now_s)
			break;
		*more = n == STORE_ROWS_MAX;
		if (*more)
			break;
		list[n].k = key_time_u64(due_s, sequence);
		list[n++].sequence = sequence;
	}
	walk_close(&w);
	return n;
}

/* Held or good; what was revoked meanwhile keeps its reason, and what ended by
 * itself needs none. */
static bool supersede(struct batch *b, uint64_t sequence, const char *actor)
{
	char serial[HEX_BYTES(STORE_SERIAL_BYTES)];
	struct key k = key_u64(sequence);
	struct rec_status status;
	struct rec_issue body;
	char device[STORE_DEVICE_ID_MAX + 1];
	struct cert_key key;

	if (!view_issue(&b->v, TREE_BODY, &k, &body))
		return false;
	key = body.cert.key;
	memcpy(device, body.cert.device, sizeof(device));
	if (!view_status(&b->v, &key, &status) ||
	        (status.state != CERT_ISSUED && status.state != CERT_HELD) ||
	        status.not_after_s < b->now_us / SECOND_US)
		return false;
	status.held_by_suspend = false;
	batch_change_status(b, &key, &status, CERT_REVOKED, REASON_SUPERSEDED);
	batch_audit(b, "cert.supersede", actor, device,
	        rec_hex(serial, key.serial, STORE_SERIAL_BYTES));
	return true;
}

enum rc op_supersede(struct batch *b, struct store_supersede *op)
{
	struct due list[STORE_ROWS_MAX];
	size_t n = find_due(b, list, &op->more);

	op->revoked = 0;
	for (size_t i = 0; i < n && b->v.err == 0; i++) {
		op->revoked += supersede(b, list[i].sequence, op->op.actor);
		batch_delete(b, TREE_SUPERSEDE, &list[i].k);
	}
	return RC_OK;
}
