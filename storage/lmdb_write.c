/* The writer thread and group commit. No linger: an idle writer commits at
 * once, and a batch forms while the last commit runs. */
#include "storage/lmdb.h"

#include "base/clock.h"
#include "base/thread.h"
#include "base/log.h"
#include <stdlib.h>
#include <string.h>

/* LMDB's lock is unfair: without a pause the process that just committed takes
 * it again and others wait for hundreds of ms. */
#define YIELD_NS 50000

/* The task that runs callbacks on the loop. It outlives the store, because a
 * posted task cannot be called back. */
struct completion {
	struct loop_task task;
	struct db *db; /* NULL: the store was closed, free this */
};

/* --- what an operation does to a batch */

struct buf *batch_record(struct batch *b)
{
	buf_reset(&b->v.db->scratch);
	return &b->v.db->scratch;
}

static void put(
        struct batch *b, enum tree t, const struct key *k, unsigned flags)
{
	const struct buf *rec = &b->v.db->scratch;
	MDB_val key = { k->n, (void *)(uintptr_t)k->b };
	MDB_val val = { rec->n, rec->p };

	if (b->v.err != 0)
		return;
	if (rec->failed != RC_OK)
		b->v.err = MDB_BAD_VALSIZE;
	else
		b->v.err =
		        mdb_put(b->v.txn, b->v.db->dbi[t], &key, &val, flags);
	b->dirty = true;
}

void batch_put(struct batch *b, enum tree t, const struct key *k)
{
	put(b, t, k, 0);
}

void batch_append(struct batch *b, enum tree t, const struct key *k)
{
	put(b, t, k, MDB_APPEND);
}

void batch_delete(struct batch *b, enum tree t, const struct key *k)
{
	MDB_val key = { k->n, (void *)(uintptr_t)k->b };

	if (b->v.err != 0)
		return;
	b->v.err = mdb_del(b->v.txn, b->v.db->dbi[t], &key, NULL);
	b->dirty = true;
}

void batch_audit(struct batch *b, const char *event, const char *actor,
        const char *object, const char *detail)
{
	struct rec_ledger *l = &b->ledger;
	struct store_audit_row row = { .number = l->audit + 1,
		.time_us = b->now_us };
	static const uint8_t room[STORE_HASH_BYTES];
	struct buf *rec = batch_record(b);
	struct key k = key_u64(row.number);
	uint8_t hash[STORE_HASH_BYTES];

	rec_text(row.event, sizeof(row.event), event);
	rec_text(row.actor, sizeof(row.actor), actor);
	rec_text(row.object, sizeof(row.object), object);
	rec_text(row.detail, sizeof(row.detail), detail);
	pack_raw(rec, BYTES_ARRAY(room));
	rec_audit_pack(rec, &row);
	if (b->v.err != 0)
		return;
	if (rec->failed != RC_OK ||
	        !chain_link(b->v.db->chain, l->audit_head,
	                bytes_skip(buf_bytes(rec), STORE_HASH_BYTES), hash)) {
		view_broken(&b->v);
		return;
	}
	memcpy(rec->p, hash, sizeof(hash));
	batch_append(b, TREE_AUDIT, &k);
	l->audit = row.number;
	memcpy(l->audit_head, hash, sizeof(hash));
}

void batch_put_status(
        struct batch *b, const struct cert_key *c, const struct rec_status *r)
{
	struct key k = key_cert(c);

	rec_status_pack(batch_record(b), r);
	batch_put(b, TREE_STATUS, &k);
}

void batch_put_device(struct batch *b, const struct rec_device *r)
{
	struct key k = key_text(r->device.id);

	rec_device_pack(batch_record(b), r);
	batch_put(b, TREE_DEVICE, &k);
}

void batch_put_token(struct batch *b, const struct store_token *r)
{
	struct key k = key_hash(r->hash);

	rec_token_pack(batch_record(b), r);
	batch_put(b, TREE_TOKEN, &k);
}

void batch_put_quota(struct batch *b, const struct store_quota *r)
{
	struct key k = key_text(r->name);

	rec_quota_pack(batch_record(b), r);
	batch_put(b, TREE_QUOTA, &k);
}

void batch_new_device(struct batch *b, struct rec_device *r, const char *id,
        const char *anchor, const char *note)
{
	struct store_device *d = &r->device;

	memset(r, 0, sizeof(*r));
	rec_text(d->id, sizeof(d->id), id);
	rec_text(d->anchor, sizeof(d->anchor), anchor);
	rec_text(d->note, sizeof(d->note), note);
	d->state = DEVICE_ACTIVE;
	d->version = 1;
	d->created_us = d->changed_us = b->now_us;
	r->number = ++b->ledger.device;
	batch_put_device(b, r);
}

static bool is_bad(enum cert_state s)
{
	return s == CERT_HELD || s == CERT_REVOKED;
}

static void count_state(struct rec_ledger *l, enum cert_state s, bool enter)
{
	uint64_t *n = s == CERT_HELD ? &l->held : &l->revoked;

	if (is_bad(s))
		*n = enter ? *n + 1 : *n - 1;
}

void batch_change_status(struct batch *b, const struct cert_key *c,
        struct rec_status *r, enum cert_state state, enum cert_reason reason)
{
	enum cert_state was = r->state;
	uint64_t position = ++b->ledger.feed;
	uint64_t listed = is_bad(was) ? r->listed : position;
	struct key k = key_listed(c, listed);
	struct key sharded = key_scope_listed(r->shard, c, listed);
	struct store_status_row row;
	struct key at;

	count_state(&b->ledger, was, false);
	count_state(&b->ledger, state, true);
	if (was != state)
		r->status_us = b->now_us;
	r->state = state;
	r->reason = reason;
	r->position = position;
	r->listed = is_bad(state) ? listed : 0;
	batch_put_status(b, c, r);
	if (is_bad(state)) {
		batch_put(b, TREE_REVOKED, &k);
		if (r->shard != 0)
			batch_put(b, TREE_SHARD, &sharded);
	} else if (is_bad(was)) {
		batch_delete(b, TREE_REVOKED, &k);
		if (r->shard != 0)
			batch_delete(b, TREE_SHARD, &sharded);
	}
	if (is_bad(state) != is_bad(was))
		batch_crl_turned(b, c, r->shard, is_bad(state) ? 1 : -1);
	row = (struct store_status_row){ *c, state, reason, r->shard,
		r->status_us, r->invalidity_s, r->not_after_s, r->sequence };
	at = key_u64(r->position);
	rec_feed_pack(batch_record(b), &row);
	batch_append(b, TREE_FEED, &at);
}

static enum rc apply(struct batch *b, struct store_op *op)
{
	switch ((enum store_kind)op->kind) {
	case KIND_ISSUE_BEGIN:
		return op_issue_begin(b, (struct store_issue_begin *)op);
	case KIND_ISSUE_FINISH:
		return op_issue_finish(b, (struct store_issue_finish *)op);
	case KIND_ABANDON:
		return op_abandon(b, (struct store_abandon *)op);
	case KIND_SET_STATUS:
		return op_set_status(b, (struct store_set_status *)op);
	case KIND_REVOKE:
		return op_revoke(b, (struct store_revoke *)op);
	case KIND_DEVICE_PUT:
		return op_device_put(b, (struct store_device_put *)op);
	case KIND_DEVICE_SUSPEND:
		return op_device_suspend(b, (struct store_device_suspend *)op);
	case KIND_TOKEN_PUT:
		return op_token_put(b, (struct store_token_put *)op);
	case KIND_QUOTA_PUT:
		return op_quota_put(b, (struct store_quota_put *)op);
	case KIND_QUOTA_CHANGE:
		return op_quota_change(b, (struct store_quota_change *)op);
	case KIND_AUTHORITY_PUT:
		return op_authority_put(b, (struct store_authority_put *)op);
	case KIND_AUTHORITY_REVOKE:
		return op_authority_revoke(
		        b, (struct store_authority_revoke *)op);
	case KIND_KEY_BLOCK:
		return op_key_block(b, (struct store_key_block *)op);
	case KIND_AUDIT:
		return op_audit(b, (struct store_audit *)op);
	case KIND_CRL_BEGIN:
		return op_crl_begin(b, (struct store_crl_begin *)op);
	case KIND_CRL_COMMIT:
		return op_crl_commit(b, (struct store_crl_commit *)op);
	case KIND_SUPERSEDE:
		return op_supersede(b, (struct store_supersede *)op);
	case KIND_FLOOR_LOWER:
		return op_floor_lower(b, (struct store_floor_lower *)op);
	case KIND_APPROVAL_ASK:
		return op_approval_ask(b, (struct store_approval_ask *)op);
	case KIND_APPROVAL_DECIDE:
		return op_approval_decide(
		        b, (struct store_approval_decide *)op);
	case KIND_APPROVAL_EXPIRE:
		return op_approval_expire(
		        b, (struct store_approval_expire *)op);
	case KIND_WAITING_DECIDE:
		return op_waiting_decide(b, (struct store_waiting_decide *)op);
	case KIND_WAITING_EXPIRE:
		return op_waiting_expire(b, (struct store_waiting_expire *)op);
	default:
		return why_set(&op->why, RC_UNSUPPORTED, "not a write");
	}
}

/* --- one commit */

bool db_halted(const struct db *db)
{
	return atomic_load(db->halt) != 0;
}

/* What a failed commit left on the disk is unknown, and reading it again would
 * read a page cache that never reached the disk: nothing is written by any
 * process until an operator has looked. */
void db_halt(struct db *db, const char *what, int err)
{
	atomic_store(db->halt, 1);
	metric_set(db->metrics, METRIC_STORE_HALTED, 1);
	log_event(LOG_ERROR, "store.halted", "at", what, "why",
	        mdb_strerror(err), NULL);
}

static enum rc halted_rc(struct why *why)
{
	return why_set(why, RC_UNAVAILABLE,
	        "the store is halted after a failed commit: run mica store "
	        "check, then restart");
}

static void answer_all(
        struct store_op **ops, size_t n, enum rc rc, const struct why *why)
{
	for (size_t i = 0; i < n; i++) {
		ops[i]->rc = rc;
		ops[i]->why = *why;
	}
}

/* How many certificates an operation may touch. */
static size_t op_weight(const struct store_op *op)
{
	return op->kind == KIND_REVOKE || op->kind == KIND_SUPERSEDE
	        ? STORE_ROWS_MAX
	        : 1;
}

static size_t weight(struct store_op **ops, size_t n)
{
	size_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += op_weight(ops[i]);
	return sum;
}

static size_t data_bytes(struct store_op **ops, size_t n)
{
	const struct store_issue_begin *begin;
	size_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		begin = (const struct store_issue_begin *)ops[i];
		if (ops[i]->kind == KIND_ISSUE_BEGIN)
			sum += begin->tbs.n +
			        (begin->wait != NULL ? begin->wait->request.n
			                             : 0);
		else if (ops[i]->kind == KIND_ISSUE_FINISH)
			sum += ((struct store_issue_finish *)ops[i])->der.n;
	}
	return sum;
}

static void batch_load(struct batch *b)
{
	struct key k = key_u64_pair(b->v.db->node, b->v.db->slot);
	struct bytes value;

	b->txn_id = mdb_txn_id(b->v.txn);
	if (!view_ledger(&b->v, &b->ledger))
		view_broken(&b->v);
	b->fenced = !view_get(&b->v, TREE_SLOT, &k, &value);
}

static void batch_save(struct batch *b)
{
	struct key k = key_text("ledger");

	if (b->now_us > b->ledger.clock_us)
		b->ledger.clock_us = b->now_us;
	rec_ledger_pack(batch_record(b), &b->ledger);
	batch_put(b, TREE_META, &k);
}

static void apply_all(struct batch *b, struct store_op **ops, size_t n)
{
	batch_load(b);
	for (size_t i = 0; i < n && b->v.err == 0; i++) {
		ops[i]->why = WHY_NONE;
		ops[i]->rc = apply(b, ops[i]);
	}
	if (b->dirty && b->v.err == 0)
		batch_save(b);
}

/* All or nothing. On false nothing was applied, and *why has the reason. */
static bool commit(struct batch *b, struct store_op **ops, size_t n,
        struct why *why, enum rc *rc)
{
	struct db *db = b->v.db;
	int64_t began_us = clock_mono_us();
	int err;

	err = mdb_txn_commit(b->v.txn);
	if (err == 0) {
		metric_add(db->metrics, METRIC_STORE_COMMITS, 1);
		metric_add(db->metrics, METRIC_STORE_COMMIT_OPS, n);
		metric_observe_us(db->metrics, METRIC_STORE_COMMIT_US,
		        (uint64_t)(clock_mono_us() - began_us));
		return true;
	}
	/* Found while it lays out its free list, before it writes a page. */
	if (err == MDB_MAP_FULL) {
		*rc = db_rc(why, err);
		return false;
	}
	db_halt(db, "commit", err);
	(void)why_set(
	        why, RC_UNKNOWN, "the commit failed: %s", mdb_strerror(err));
	answer_all(ops, n, RC_UNKNOWN, why);
	return true;
}

/* False: nothing was applied, *rc and *why say why not. */
static bool try_batch(struct db *db, struct store_op **ops, size_t n,
        struct why *why, enum rc *rc)
{
	struct batch b = { .v = { .db = db } };

	b.v.err = mdb_txn_begin(db->env, NULL, 0, &b.v.txn);
	if (b.v.err != 0) {
		*rc = db_rc(why, b.v.err);
		return false;
	}
	/* After the lock was had: time does not run back between commits. */
	b.now_us = clock_now_us();
	*rc = RC_UNAVAILABLE;
	if (!space_ahead(&b, n, weight(ops, n), data_bytes(ops, n), why)) {
		mdb_txn_abort(b.v.txn);
		return false;
	}
	apply_all(&b, ops, n);
	if (b.v.err != 0) {
		mdb_txn_abort(b.v.txn);
		*rc = db_rc(why, b.v.err);
		return false;
	}
	if (!b.dirty) {
		mdb_txn_abort(b.v.txn);
		return true;
	}
	if (db_halted(db)) {
		mdb_txn_abort(b.v.txn);
		*rc = halted_rc(why);
		return false;
	}
	return commit(&b, ops, n, why, rc);
}

static void run_batch(struct db *db, struct store_op **ops, size_t n)
{
	struct why why = WHY_NONE;
	enum rc rc;

	if (db_halted(db)) {
		rc = halted_rc(&why);
		answer_all(ops, n, rc, &why);
		return;
	}
	if (try_batch(db, ops, n, &why, &rc))
		return;
	if (n == 1) {
		answer_all(ops, n, rc, &why);
		return;
	}
	for (size_t i = 0; i < n; i++)
		run_batch(db, ops + i, 1);
}

/* --- the queue */

static size_t take(struct db *db, struct store_op **ops)
{
	size_t n = 0, heavy = 0;

	while (db->queue != NULL && heavy < STORE_BATCH_MAX) {
		ops[n] = db->queue;
		heavy += op_weight(ops[n]);
		db->queue = db->queue->next;
		ops[n++]->next = NULL;
	}
	if (db->queue == NULL)
		db->queue_end = &db->queue;
	return n;
}

static void give_back(struct db *db, struct store_op **ops, size_t n)
{
	bool post;

	(void)pthread_mutex_lock(&db->lock);
	for (size_t i = 0; i < n; i++) {
		*db->done_end = ops[i];
		db->done_end = &ops[i]->next;
	}
	post = !db->done_posted;
	db->done_posted = true;
	(void)pthread_mutex_unlock(&db->lock);
	if (post)
		loop_post(db->loop, &db->completion->task);
}

static void *writer_main(void *arg)
{
	const struct timespec pause = { 0, YIELD_NS };
	struct store_op *ops[STORE_BATCH_MAX];
	struct db *db = arg;
	size_t n;

	(void)pthread_mutex_lock(&db->lock);
	for (;;) {
		while (db->queue == NULL && !db->closing)
			(void)pthread_cond_wait(&db->wake, &db->lock);
		n = take(db, ops);
		(void)pthread_mutex_unlock(&db->lock);
		if (n == 0)
			return NULL;
		run_batch(db, ops, n);
		give_back(db, ops, n);
		(void)pthread_mutex_lock(&db->lock);
		if (db->queue == NULL)
			continue;
		(void)pthread_mutex_unlock(&db->lock);
		(void)nanosleep(&pause, NULL);
		(void)pthread_mutex_lock(&db->lock);
	}
}

/* On the loop. A callback may write again, or close the store. */
static void call_back(struct completion *c)
{
	struct db *db = c->db;
	struct store_op *op;

	while (c->db != NULL) {
		(void)pthread_mutex_lock(&db->lock);
		op = db->done;
		if (op == NULL) {
			db->done_posted = false;
			(void)pthread_mutex_unlock(&db->lock);
			return;
		}
		db->done = op->next;
		if (db->done == NULL)
			db->done_end = &db->done;
		db->queued--;
		(void)pthread_mutex_unlock(&db->lock);
		op->next = NULL;
		op->done(op);
	}
}

static void completion_run(void *ctx)
{
	struct completion *c = ctx;

	if (c->db != NULL)
		call_back(c);
	if (c->db == NULL)
		free(c);
}

/* Not before the first write: a sandbox that its owner enters after opening
 * holds for the threads that are made later. */
static enum rc writer_run(struct db *db, struct why *why)
{
	if (db->writer_runs)
		return RC_OK;
	if (thread_begin(&db->writer, writer_main, db) != 0)
		return why_set(why, RC_UNAVAILABLE, "no thread to write with");
	db->writer_runs = true;
	return RC_OK;
}

enum rc db_write(struct store *s, struct store_op *op)
{
	struct db *db = (struct db *)s;
	enum rc rc;

	if (db->readonly)
		return why_set(&op->why, RC_UNAVAILABLE,
		        "the store is open for reading only");
	if (db_halted(db))
		return halted_rc(&op->why);
	rc = writer_run(db, &op->why);
	if (rc != RC_OK)
		return rc;
	op->next = NULL;
	(void)pthread_mutex_lock(&db->lock);
	if (db->queued >= STORE_QUEUE_MAX || db->closing) {
		(void)pthread_mutex_unlock(&db->lock);
		return why_set(&op->why, RC_BUSY, "the store's queue is full");
	}
	db->queued++;
	*db->queue_end = op;
	db->queue_end = &op->next;
	(void)pthread_cond_signal(&db->wake);
	(void)pthread_mutex_unlock(&db->lock);
	return RC_PENDING;
}

enum rc writer_start(struct db *db)
{
	struct completion *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return RC_NOMEM;
	c->task = (struct loop_task){ .fn = completion_run, .ctx = c };
	c->db = db;
	db->completion = c;
	db->queue_end = &db->queue;
	db->done_end = &db->done;
	if (pthread_mutex_init(&db->lock, NULL) != 0)
		goto out_completion;
	if (pthread_cond_init(&db->wake, NULL) != 0)
		goto out_lock;
	return RC_OK;
out_lock:
	(void)pthread_mutex_destroy(&db->lock);
out_completion:
	db->completion = NULL;
	free(c);
	return RC_NOMEM;
}

void writer_stop(struct db *db)
{
	struct completion *c = db->completion;
	bool posted;

	if (c == NULL)
		return;
	(void)pthread_mutex_lock(&db->lock);
	db->closing = true;
	(void)pthread_cond_signal(&db->wake);
	(void)pthread_mutex_unlock(&db->lock);
	if (db->writer_runs)
		(void)pthread_join(db->writer, NULL);
	posted = db->done_posted;
	call_back(c);
	c->db = NULL;
	/* A posted task frees itself when the loop gets to it. */
	if (!posted)
		free(c);
	(void)pthread_cond_destroy(&db->wake);
	(void)pthread_mutex_destroy(&db->lock);
}
