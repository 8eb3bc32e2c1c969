/* Which generation of an authority the devices are at. Devices are numbered as
 * they came, and each one's certificates stand together, the newest last. */
#include "storage/lmdb.h"

#include "base/clock.h"

/* Of one part, whatever so many devices have. */
#define ENTRIES_MAX 8192

struct census {
	struct view *v;
	struct store_census *op;
	int64_t now_s;
	size_t entries;
};

static bool is_valid(struct census *c, const struct rec_device_cert *r)
{
	struct rec_status status;

	if (r->not_after_s <= c->now_s)
		return false;
	if (!view_status(c->v, &r->key, &status)) {
		view_broken(c->v);
		return false;
	}
	return status.state == CERT_ISSUED || status.state == CERT_HELD;
}

static void count(struct census *c, const struct rec_device_cert *r, bool first)
{
	struct store_census_row *row;

	if (r->key.authority > STORE_ROWS_MAX) {
		view_broken(c->v);
		return;
	}
	row = &c->op->rows[r->key.authority];
	row->certs++;
	if (r->not_after_s > row->end_s)
		row->end_s = r->not_after_s;
	if (!first)
		return;
	row->devices++;
	row->recent += r->begun_us >= row->since_us;
}

static void count_device(struct census *c, uint64_t number)
{
	struct key prefix = key_u64(number);
	struct rec_device_cert r;
	bool first = true;
	struct walk w;

	walk_open(&w, c->v, TREE_DEVICE_CERT, key_bytes(&prefix));
	for (bool on = walk_last(&w); on; on = walk_back(&w)) {
		if (!rec_device_cert_unpack(w.value, &r)) {
			view_broken(c->v);
			break;
		}
		c->entries++;
		if (r.max_end_s <= c->now_s)
			break;
		if (!is_valid(c, &r))
			continue;
		count(c, &r, first);
		first = false;
	}
	walk_close(&w);
}

enum rc read_census(struct view *v, struct store_census *op)
{
	struct census c = { v, op, clock_now_s(), 0 };
	struct rec_ledger ledger = { 0 };
	uint64_t number = op->next == 0 ? 1 : op->next;

	if (!view_ledger(v, &ledger))
		view_broken(v);
	op->looked = 0;
	for (; number <= ledger.device && v->err == 0; number++) {
		if (op->looked == STORE_CENSUS_DEVICES ||
		        c.entries >= ENTRIES_MAX)
			break;
		count_device(&c, number);
		op->looked++;
	}
	op->next = number;
	op->more = number <= ledger.device;
	return RC_OK;
}
