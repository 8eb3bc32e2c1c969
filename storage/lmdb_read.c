/* Reads: answered at once, out of a short transaction that no callback runs
 * in, everything copied out. The reader is parked between reads: renewing it
 * costs nanoseconds, and a parked one pins no page. */
#include "storage/lmdb.h"

#include <string.h>

/* A process that died without a close leaves its place in the lock file. */
static int first_reader(struct db *db)
{
	int err = mdb_txn_begin(db->env, NULL, MDB_RDONLY, &db->reader), dead;

	if (err != MDB_READERS_FULL)
		return err;
	err = mdb_reader_check(db->env, &dead);
	if (err == 0)
		err = mdb_txn_begin(db->env, NULL, MDB_RDONLY, &db->reader);
	return err;
}

static int read_begin(struct db *db)
{
	int err = db->reader != NULL ? mdb_txn_renew(db->reader)
	                             : first_reader(db);

	if (err != 0 && db->reader != NULL) {
		mdb_txn_abort(db->reader);
		db->reader = NULL;
	}
	return err;
}

static void fill_status(struct store_cert *c, const struct rec_status *r)
{
	c->state = r->state;
	c->reason = r->reason;
	c->held_by_suspend = r->held_by_suspend;
	c->status_us = r->status_us;
	c->invalidity_s = r->invalidity_s;
}

/* The record of a key, wherever its state keeps it. */
static bool find_issue(
        struct view *v, const struct cert_key *c, struct rec_issue *r)
{
	struct key k = key_cert(c);
	struct rec_status status;

	if (!view_status(v, c, &status)) {
		if (!view_issue(v, TREE_INTENT, &k, r))
			return false;
		r->cert.state = CERT_INTENT;
		r->cert.status_us = r->cert.begun_us;
		return true;
	}
	if (status.state != CERT_ABANDONED)
		k = key_u64(status.sequence);
	if (!view_issue(v,
	            status.state == CERT_ABANDONED ? TREE_ABANDONED : TREE_BODY,
	            &k, r)) {
		view_broken(v);
		return false;
	}
	fill_status(&r->cert, &status);
	return true;
}

static enum rc read_fetch(struct view *v, struct store_fetch *op)
{
	struct rec_issue r;

	buf_reset(&op->der);
	if (!find_issue(v, &op->key, &r))
		return why_set(&op->op.why, RC_NOTFOUND, "no such certificate");
	op->cert = r.cert;
	buf_add(&op->der, r.data);
	return op->der.failed;
}

static enum rc read_status(struct view *v, struct store_status *op)
{
	struct rec_ledger ledger = { 0 };

	for (size_t i = 0; i < op->n && v->err == 0; i++) {
		struct store_status_row *row = &op->rows[i];
		struct cert_key c = row->key;
		struct key k = key_cert(&c);
		struct rec_status r;
		struct bytes value;

		*row = (struct store_status_row){ .key = c };
		if (!view_status(v, &c, &r)) {
			if (view_get(v, TREE_INTENT, &k, &value))
				row->state = CERT_INTENT;
			continue;
		}
		row->state = r.state;
		row->reason = r.reason;
		row->shard = r.shard;
		row->status_us = r.status_us;
		row->invalidity_s = r.invalidity_s;
		row->not_after_s = r.not_after_s;
		row->sequence = r.sequence;
	}
	if (!view_ledger(v, &ledger))
		view_broken(v);
	op->position = ledger.feed;
	return RC_OK;
}

static enum rc read_feed(struct view *v, struct store_feed *op)
{
	struct key from = key_u64(op->from);
	struct rec_ledger ledger = { 0 };
	struct walk w;

	op->n = 0;
	if (!view_ledger(v, &ledger))
		view_broken(v);
	op->last = ledger.feed;
	walk_open(&w, v, TREE_FEED, BYTES_NONE);
	for (bool on = walk_from(&w, key_bytes(&from)); on && op->n < op->max;
	        on = walk_next(&w)) {
		if (!rec_feed_unpack(w.value, &op->rows[op->n++])) {
			view_broken(v);
			break;
		}
	}
	walk_close(&w);
	return RC_OK;
}

static enum rc read_device(struct view *v, struct store_device_get *op)
{
	struct rec_device r;

	if (!view_device(v, op->id, &r))
		return why_set(&op->op.why, RC_NOTFOUND, "no such device");
	op->device = r.device;
	return RC_OK;
}

static enum rc read_token(struct view *v, struct store_token_get *op)
{
	if (!view_token(v, op->hash, &op->token))
		return why_set(&op->op.why, RC_NOTFOUND, "no such token");
	return RC_OK;
}

static enum rc read_quota(struct view *v, struct store_quota_get *op)
{
	if (!view_quota(v, op->name, &op->quota))
		return why_set(&op->op.why, RC_NOTFOUND, "no such quota");
	return RC_OK;
}

static enum rc read_authority(struct view *v, struct store_authority_get *op)
{
	struct bytes der;

	buf_reset(&op->der);
	if (!view_authority(v, op->id, &op->authority, &der))
		return why_set(&op->op.why, RC_NOTFOUND, "no such authority");
	buf_add(&op->der, der);
	return op->der.failed;
}

static enum rc read_authorities(struct view *v, struct store_authority_list *op)
{
	struct bytes der;
	struct walk w;

	op->n = 0;
	walk_open(&w, v, TREE_AUTHORITY, BYTES_NONE);
	for (bool on = walk_from(&w, BYTES_NONE); on && op->n < op->max;
	        on = walk_next(&w)) {
		if (!rec_authority_unpack(w.value, &op->rows[op->n++], &der)) {
			view_broken(v);
			break;
		}
	}
	walk_close(&w);
	return RC_OK;
}

static enum rc read_stat(struct view *v, struct store_stat *op)
{
	struct rec_ledger l = { 0 };
	struct db *db = v->db;
	MDB_envinfo info;
	int err;

	if (!view_ledger(v, &l))
		view_broken(v);
	err = mdb_env_info(db->env, &info);
	if (err != 0)
		v->err = err;
	op->issued = l.sequence;
	op->intents = view_count(v, TREE_INTENT);
	op->abandoned = view_count(v, TREE_ABANDONED);
	op->revoked = l.revoked;
	op->held = l.held;
	op->devices = view_count(v, TREE_DEVICE);
	op->tokens = view_count(v, TREE_TOKEN);
	op->feed_position = l.feed;
	op->audit_last = l.audit;
	op->used_bytes = space_used_bytes(db);
	op->size_bytes = info.me_mapsize;
	op->disk_free_bytes = space_disk_free_bytes(db);
	metric_set(db->metrics, METRIC_STORE_FREE_BYTES, op->disk_free_bytes);
	op->clock_floor_us = l.clock_us - db->backdate_us;
	op->supersede_due_s = view_supersede_due_s(v);
	op->halted = db_halted(db);
	return RC_OK;
}

static enum rc read_any(struct view *v, struct store_op *op)
{
	switch ((enum store_kind)op->kind) {
	case KIND_FETCH:
		return read_fetch(v, (struct store_fetch *)op);
	case KIND_LIST:
		return read_list(v, (struct store_list *)op);
	case KIND_STATUS:
		return read_status(v, (struct store_status *)op);
	case KIND_FEED:
		return read_feed(v, (struct store_feed *)op);
	case KIND_DEVICE_GET:
		return read_device(v, (struct store_device_get *)op);
	case KIND_DEVICE_LIST:
		return read_device_list(v, (struct store_device_list *)op);
	case KIND_TOKEN_GET:
		return read_token(v, (struct store_token_get *)op);
	case KIND_QUOTA_GET:
		return read_quota(v, (struct store_quota_get *)op);
	case KIND_AUTHORITY_LIST:
		return read_authorities(v, (struct store_authority_list *)op);
	case KIND_AUTHORITY_GET:
		return read_authority(v, (struct store_authority_get *)op);
	case KIND_AUDIT_SCAN:
		return read_audit_scan(v, (struct store_audit_scan *)op);
	case KIND_STAT:
		return read_stat(v, (struct store_stat *)op);
	case KIND_WOULD_SET_STATUS:
		return read_set_status(v, (struct store_set_status *)op);
	case KIND_WOULD_REVOKE:
		return read_revoke(v, (struct store_revoke *)op);
	case KIND_CHANGES:
		return read_changes(v, (struct store_changes *)op);
	case KIND_CRL_SCAN:
		return read_crl_scan(v, (struct store_crl_scan *)op);
	case KIND_CRL_LAST:
		return read_crl_last(v, (struct store_crl_last *)op);
	case KIND_CRL_LIST:
		return read_crl_list(v, (struct store_crl_list *)op);
	case KIND_APPROVAL_GET:
		return read_approval_get(v, (struct store_approval_get *)op);
	case KIND_WAITING_GET:
		return read_waiting_get(v, (struct store_waiting_get *)op);
	case KIND_WAITING_LIST:
		return read_waiting_list(v, (struct store_waiting_list *)op);
	case KIND_CENSUS:
		return read_census(v, (struct store_census *)op);
	case KIND_APPROVAL_LIST:
		return read_approval_list(v, (struct store_approval_list *)op);
	default:
		return why_set(&op->why, RC_UNSUPPORTED, "not a read");
	}
}

enum rc db_read(struct store *s, struct store_op *op)
{
	struct db *db = (struct db *)s;
	struct view v = { .db = db };
	enum rc rc = RC_OK;

	v.err = read_begin(db);
	v.txn = db->reader;
	if (v.err == 0) {
		rc = read_any(&v, op);
		mdb_txn_reset(db->reader);
	}
	return v.err == 0 ? rc : db_rc(&op->why, v.err);
}
