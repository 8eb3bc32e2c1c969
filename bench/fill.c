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

/* In order, and not by MDB_APPEND: with pages as full as the engine's. */
static void put_status(MDB_txn *txn, MDB_dbi tree, uint32_t authority,
        uint64_t at, struct buf *record)
{
	struct rec_status r = { .state = CERT_ISSUED,
		.sequence = at + 1,
		.status_us = INT64_C(1700000000000000),
		.not_after_s = INT64_C(1900000000) };
	struct cert_key cert;
	MDB_val key, value;
	struct key k;

	fill_direct_key(&cert, authority, at);
	k = key_cert(&cert);
	buf_reset(record);
	rec_status_pack(record, &r);
	key = (MDB_val){ k.n, k.b };
	value = (MDB_val){ record->n, record->p };
	need_lmdb(mdb_put(txn, tree, &key, &value, MDB_NOOVERWRITE));
}

void fill_direct(const struct fill *f, const char *folder, uint64_t n)
{
	struct buf record = BUF_INIT(256);
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi tree;

	need_lmdb(mdb_env_create(&env));
	need_lmdb(mdb_env_set_mapsize(env, STORE_BYTES));
	need_lmdb(mdb_env_set_maxdbs(env, TREE_COUNT));
	need_lmdb(mdb_env_open(env, folder, MDB_NORDAHEAD, 0600));
	for (uint64_t at = 0; at < n;) {
		need_lmdb(mdb_txn_begin(env, NULL, 0, &txn));
		need_lmdb(mdb_dbi_open(
		        txn, db_tree_names[TREE_STATUS], 0, &tree));
		for (int i = 0; i < DIRECT_IN_TXN && at < n; i++)
			put_status(txn, tree, f->authority, at++, &record);
		need_lmdb(mdb_txn_commit(txn));
	}
	mdb_env_close(env);
	buf_free(&record);
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
