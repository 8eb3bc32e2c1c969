/* What changed since a reader last looked: how caches of answers stay true to
 * the store, across processes and without messages. Never by mdb_env_info():
 * the transaction id that it tells was seen ahead of what can be read. */
#include "storage/lmdb.h"

static void read_rows(struct view *v, struct store_changes *op, uint64_t last)
{
	struct key from = key_u64(op->position + 1);
	struct walk w;

	walk_open(&w, v, TREE_FEED, BYTES_NONE);
	for (bool on = walk_from(&w, key_bytes(&from)); on && op->n < op->max;
	        on = walk_next(&w)) {
		if (!rec_feed_unpack(w.value, &op->rows[op->n])) {
			view_broken(v);
			break;
		}
		op->n++;
	}
	walk_close(&w);
	op->position += op->n;
	op->more = op->position < last;
	if (op->more && op->n < op->max) /* a gap: it cannot be told */
		view_broken(v);
}

enum rc read_changes(struct view *v, struct store_changes *op)
{
	uint64_t id = mdb_txn_id(v->txn);
	int64_t floor_us = op->clock_floor_us;
	struct rec_ledger ledger = { 0 };

	op->n = 0;
	op->more = op->lost = false;
	if (id == op->snapshot)
		return RC_OK;
	if (!view_ledger(v, &ledger))
		view_broken(v);
	op->clock_floor_us = ledger.clock_us - v->db->backdate_us;
	if (op->snapshot == 0 || op->clock_floor_us < floor_us ||
	        ledger.feed < op->position ||
	        ledger.feed - op->position > STORE_CHANGES_MAX) {
		op->lost = true;
		op->position = ledger.feed;
	} else if (ledger.feed > op->position) {
		read_rows(v, op, ledger.feed);
	}
	if (v->err == 0 && !op->more)
		op->snapshot = id;
	return RC_OK;
}
