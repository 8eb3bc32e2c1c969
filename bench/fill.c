#include "bench/fill.h"

#include "base/clock.h"
#include "bench/measure.h"
#include "storage/lmdb.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TBS_BYTES 520
#define STORE_BYTES (UINT64_C(64) << 30)
#define DIRECT_IN_TXN 100000

static void need_pending(enum rc rc, const struct store_op *op)
{
	if (rc != RC_PENDING)
		die("%s: %s", rc_info(rc)->name, op->why.text);
}

static void keep_wait(struct fill_flight *l)
{
	struct fill *f = l->fill;
	double now_us = mono_us();

	if (f->waits_us != NULL && f->n_waits < f->waits_max)
		f->waits_us[f->n_waits++] = now_us - l->since_us;
	l->since_us = now_us;
}

static void begin(struct fill_flight *l);

static void on_finished(struct store_op *op)
{
	struct fill_flight *l = op->ctx;
	struct fill *f = l->fill;

	if (op->rc != RC_OK)
		die("T2: %s", op->why.text);
	keep_wait(l);
	f->finished++;
	if (f->begun < f->want)
		begin(l);
	else if (f->finished == f->want)
		loop_stop(f->loop);
}

static void on_begun(struct store_op *op)
{
	struct fill_flight *l = op->ctx;

	if (op->rc != RC_OK)
		die("T1: %s", op->why.text);
	keep_wait(l);
	need_pending(store_issue_finish(l->fill->store, &l->t2), &l->t2.op);
}

/* A serial as DESIGN rule 10 has it: time, then what is random. */
static void set_serial(struct cert_key *key, uint64_t n, uint64_t at_us)
{
	uint64_t random = n * UINT64_C(0x9e3779b97f4a7c15);

	key->serial[0] = 0x40;
	for (int i = 0; i < 7; i++)
		key->serial[1 + i] = (uint8_t)(at_us >> (8 * (6 - i)));
	memcpy(key->serial + 8, &random, sizeof(random));
	key->serial[19] = (uint8_t)n;
}

static void begin(struct fill_flight *l)
{
	struct fill *f = l->fill;
	struct store_issue_begin *t1 = &l->t1;
	uint64_t n = f->begun++;

	set_serial(&t1->key, n, (uint64_t)clock_now_us());
	(void)snprintf(l->device, sizeof(l->device), "unit-%llu",
	        (unsigned long long)n);
	memcpy(t1->spki_hash, t1->key.serial, STORE_SERIAL_BYTES);
	memcpy(t1->request_hash, t1->key.serial, STORE_SERIAL_BYTES);
	memcpy(l->der + 4, t1->key.serial, STORE_SERIAL_BYTES);
	l->t2.key = t1->key;
	memcpy(l->t2.cert_hash, t1->key.serial, STORE_SERIAL_BYTES);
	if (f->keys != NULL)
		f->keys[n] = t1->key;
	l->since_us = mono_us();
	need_pending(store_issue_begin(f->store, t1), &t1->op);
}

static void prepare(struct fill *f, struct fill_flight *l)
{
	int64_t now_s = clock_now_s();

	l->fill = f;
	l->der[0] = 0x30;
	l->der[1] = 0x82;
	l->t1 = (struct store_issue_begin){
		.op = { .done = on_begun, .ctx = l, .actor = "bench" },
		.key = { .authority = f->authority },
		.tbs = { l->der + 4, TBS_BYTES },
		.device = l->device,
		.profile = "sensor",
		.credential = { .kind = CREDENTIAL_OPERATOR },
		.authority_version = f->authority_version,
		.max_active = 2,
		.not_before_s = now_s,
		.not_after_s = now_s + 86400,
	};
	l->t2 = (struct store_issue_finish){
		.op = { .done = on_finished, .ctx = l, .actor = "bench" },
		.der = BYTES_ARRAY(l->der),
	};
}

static void run(struct fill *f)
{
	if (loop_run(f->loop) != RC_OK)
		die("the loop does not run");
}

void fill_issue(struct fill *f, uint64_t n)
{
	f->want += n;
	for (size_t i = 0; i < FILL_IN_FLIGHT && f->begun < f->want; i++)
		begin(&f->flights[i]);
	run(f);
}

static void on_authority(struct store_op *op)
{
	struct fill *f = op->ctx;

	if (op->rc != RC_OK)
		die("authority: %s", op->why.text);
	loop_stop(f->loop);
}

static void enter_authority(struct fill *f)
{
	struct store_authority_put put = {
		.op = { .done = on_authority, .ctx = f, .actor = "bench" },
		.authority = { .name = "bench" },
		.der = BYTES_LIT("bench")
	};

	need_pending(store_authority_put(f->store, &put), &put.op);
	run(f);
	f->authority = put.authority.id;
	f->authority_version = put.authority.version;
}

void fill_open(struct fill *f, const char *folder)
{
	struct store_opts opts = {
		.path = folder, .size_bytes = STORE_BYTES, .create = true
	};
	struct why why = WHY_NONE;

	if (loop_new(&f->loop) != RC_OK ||
	        store_open(&f->store, &opts, f->loop, &why) != RC_OK)
		die("%s: %s", folder, why.text);
	enter_authority(f);
	for (size_t i = 0; i < FILL_IN_FLIGHT; i++)
		prepare(f, &f->flights[i]);
}

void fill_close(struct fill *f)
{
	store_close(f->store);
	loop_poll(f->loop);
	loop_free(f->loop);
}

/* --- straight into the tree */

void fill_direct_key(struct cert_key *key, uint32_t authority, uint64_t at)
{
	*key = (struct cert_key){ .authority = authority };
	/* One each 50 us, since some day. */
	set_serial(key, at, UINT64_C(1700000000000000) + 50 * at);
}

static void need_lmdb(int err)
{
	if (err != 0)
		die("LMDB: %s", mdb_strerror(err));
}

struct direct {
	MDB_txn *txn;
	MDB_dbi tree[TREE_COUNT];
	struct buf record;
};

static void put(struct direct *d, enum tree t, struct key *k)
{
	MDB_val key = { k->n, k->b }, value = { d->record.n, d->record.p };

	need_lmdb(mdb_put(d->txn, d->tree[t], &key, &value, 0));
}

/* In order, and not by MDB_APPEND: with pages as full as the engine's. */
static void put_certificate(struct direct *d, uint32_t authority, uint64_t at,
        enum cert_state state)
{
	bool bad = state == CERT_REVOKED;
	struct rec_status r = { .state = state,
		.reason = bad ? REASON_CESSATION_OF_OPERATION : 0,
		.sequence = at + 1,
		.position = bad ? at + 1 : 0,
		.listed = bad ? at + 1 : 0,
		.status_us = INT64_C(1700000000000000),
		.not_after_s = INT64_C(1900000000) };
	struct cert_key cert;
	struct key k;

	fill_direct_key(&cert, authority, at);
	buf_reset(&d->record);
	rec_status_pack(&d->record, &r);
	k = key_cert(&cert);
	put(d, TREE_STATUS, &k);
	k = key_listed(&cert, r.listed);
	if (bad)
		put(d, TREE_REVOKED, &k);
}

/* How many are listed, and the counters of the whole. */
static void put_counts(
        struct direct *d, uint32_t authority, uint64_t n, bool bad)
{
	struct store_crl crl = { .authority = authority, .listed = n };
	struct key k = key_text("ledger");
	MDB_val key = { k.n, k.b }, value;
	struct rec_ledger ledger;

	need_lmdb(mdb_get(d->txn, d->tree[TREE_META], &key, &value));
	if (!rec_ledger_unpack(bytes_of(value.mv_data, value.mv_size), &ledger))
		die("the ledger does not read");
	ledger.sequence = n;
	ledger.feed = ledger.revoked = bad ? n : 0;
	buf_reset(&d->record);
	rec_ledger_pack(&d->record, &ledger);
	put(d, TREE_META, &k);
	if (!bad)
		return;
	buf_reset(&d->record);
	rec_crl_pack(&d->record, &crl);
	k = key_scope(authority, 0);
	put(d, TREE_CRL, &k);
}

void fill_direct(const struct fill *f, const char *folder, uint64_t n,
        enum cert_state state)
{
	struct direct d = { .record = BUF_INIT(4096) };
	MDB_env *env;

	need_lmdb(mdb_env_create(&env));
	need_lmdb(mdb_env_set_mapsize(env, STORE_BYTES));
	need_lmdb(mdb_env_set_maxdbs(env, TREE_COUNT));
	need_lmdb(mdb_env_open(env, folder, MDB_NORDAHEAD, 0600));
	for (uint64_t at = 0; at < n;) {
		need_lmdb(mdb_txn_begin(env, NULL, 0, &d.txn));
		for (int t = 0; t < TREE_COUNT; t++)
			need_lmdb(mdb_dbi_open(
			        d.txn, db_tree_names[t], 0, &d.tree[t]));
		for (int i = 0; i < DIRECT_IN_TXN && at < n; i++)
			put_certificate(&d, f->authority, at++, state);
		put_counts(&d, f->authority, at, state == CERT_REVOKED);
		need_lmdb(mdb_txn_commit(d.txn));
	}
	mdb_env_close(env);
	buf_free(&d.record);
}

void fill_remove(const char *folder)
{
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/data.mdb", folder);
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s/lock.mdb", folder);
	(void)unlink(path);
	(void)rmdir(folder);
}
