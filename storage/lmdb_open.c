#include "storage/lmdb.h"

#include "base/clock.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const db_tree_names[TREE_COUNT] = {
	[TREE_META] = "meta",
	[TREE_SLOT] = "slot",
	[TREE_STATUS] = "status",
	[TREE_BODY] = "body",
	[TREE_INTENT] = "intent",
	[TREE_PENDING] = "pending",
	[TREE_ABANDONED] = "abandoned",
	[TREE_DEVICE] = "device",
	[TREE_DEVICE_CERT] = "device_cert",
	[TREE_EXPIRY] = "expiry",
	[TREE_REVOKED] = "revoked",
	[TREE_KEY] = "key",
	[TREE_TOKEN] = "token",
	[TREE_QUOTA] = "quota",
	[TREE_AUTHORITY] = "authority",
	[TREE_BLOCKED] = "blocked",
	[TREE_AUDIT] = "audit",
	[TREE_FEED] = "feed",
	[TREE_SHARD] = "shard",
	[TREE_CRL] = "crl",
	[TREE_APPROVAL] = "approval",
	[TREE_SUPERSEDE] = "supersede",
	[TREE_WAITING] = "waiting",
};

static enum rc open_rc(struct why *why, const char *what, int err)
{
	enum rc rc = RC_IO;

	if (err == ENOENT)
		rc = RC_NOTFOUND;
	else if (err == EACCES || err == EPERM)
		rc = RC_PERMISSION;
	else if (err == ENOMEM)
		rc = RC_NOMEM;
	else if (err == MDB_VERSION_MISMATCH || err == MDB_INVALID)
		rc = RC_CONFLICT;
	return why_set(why, rc, "%s: %s", what, mdb_strerror(err));
}

static uint64_t db_slot(const struct store *s)
{
	return ((const struct db *)s)->slot;
}

static void db_free(struct db *db)
{
	if (db->reader != NULL)
		mdb_txn_abort(db->reader);
	if (db->env != NULL)
		mdb_env_close(db->env);
	chain_free(db->chain);
	chain_free(db->read_chain);
	buf_free(&db->scratch);
	free(db);
}

static void db_close(struct store *s)
{
	struct db *db = (struct db *)s;

	writer_stop(db);
	db_free(db);
}

static const struct store_engine lmdb_engine = {
	.write = db_write,
	.read = db_read,
	.slot = db_slot,
	.close = db_close,
};

static enum rc make_folder(const struct store_opts *o, struct why *why)
{
	if (!o->create || o->readonly)
		return RC_OK;
	if (mkdir(o->path, 0700) == 0 || errno == EEXIST)
		return RC_OK;
	return open_rc(why, o->path, errno);
}

static enum rc open_env(
        struct db *db, const struct store_opts *o, struct why *why)
{
	unsigned flags = MDB_NOTLS | MDB_NORDAHEAD;
	int err, dead;

	if (o->readonly)
		flags |= MDB_RDONLY;
	err = mdb_env_create(&db->env);
	if (err == 0)
		err = mdb_env_set_mapsize(db->env, (size_t)o->size_bytes);
	if (err == 0)
		err = mdb_env_set_maxreaders(db->env, DB_READERS_MAX);
	if (err == 0)
		err = mdb_env_set_maxdbs(db->env, TREE_COUNT);
	if (err == 0)
		err = mdb_env_open(db->env, o->path, flags, 0600);
	if (err == 0)
		err = mdb_env_get_fd(db->env, &db->fd);
	if (err == 0)
		err = mdb_reader_check(db->env, &dead);
	return err == 0 ? RC_OK : open_rc(why, o->path, err);
}

/* 0: no schema here yet. */
static enum rc read_schema(struct view *v, uint32_t *version, struct why *why)
{
	struct key k = key_text("schema");
	struct bytes value;
	struct unpack u;

	*version = 0;
	if (!view_get(v, TREE_META, &k, &value))
		return v->err == 0 ? RC_OK : db_rc(why, v->err);
	u = unpack_of(value);
	*version = unpack_u32(&u);
	if (unpack_done(&u) && *version >= 1 &&
	        *version <= STORE_SCHEMA_VERSION)
		return RC_OK;
	return why_set(why, RC_CONFLICT,
	        "the store has schema version %u, this program reads %u",
	        (unsigned)*version, (unsigned)STORE_SCHEMA_VERSION);
}

static enum rc older(uint32_t version, struct why *why)
{
	return why_set(why, RC_CONFLICT,
	        "the store has schema version %u, which micad brings to %u "
	        "when it starts",
	        (unsigned)version, (unsigned)STORE_SCHEMA_VERSION);
}

/* A store of an earlier version has not all of them. */
static enum rc open_trees(
        struct db *db, MDB_txn *txn, unsigned flags, struct why *why)
{
	struct view v = { .db = db, .txn = txn };
	uint32_t version = 0;
	int err = 0, t;

	for (t = 0; t < TREE_COUNT && err == 0; t++)
		err = mdb_dbi_open(txn, db_tree_names[t], flags, &db->dbi[t]);
	if (err == 0)
		return RC_OK;
	if (err != MDB_NOTFOUND)
		return open_rc(why, "opening the store", err);
	if (t > TREE_META + 1 && read_schema(&v, &version, why) == RC_OK &&
	        version != 0 && version < STORE_SCHEMA_VERSION)
		return older(version, why);
	return why_set(why, RC_NOTFOUND, "the store is empty");
}

static void write_schema(struct batch *b)
{
	struct key k = key_text("schema");

	pack_u32(batch_record(b), STORE_SCHEMA_VERSION);
	batch_put(b, TREE_META, &k);
}

/* Version 1 had the shards' entries in the order of serials. */
static void order_shards(struct batch *b)
{
	struct cert_key c;
	struct rec_status s;
	uint64_t listed;
	struct walk w;
	struct key k;

	b->v.err = mdb_drop(b->v.txn, b->v.db->dbi[TREE_SHARD], 0);
	walk_open(&w, &b->v, TREE_REVOKED, BYTES_NONE);
	for (bool on = walk_from(&w, BYTES_NONE); on; on = walk_next(&w)) {
		if (!key_read_listed(w.key, &c, &listed) ||
		        !rec_status_unpack(w.value, &s)) {
			view_broken(&b->v);
			break;
		}
		if (s.shard == 0)
			continue;
		k = key_scope_listed(s.shard, &c, listed);
		buf_add(batch_record(b), w.value);
		batch_put(b, TREE_SHARD, &k);
	}
	walk_close(&w);
}

static void upgrade(struct batch *b, uint32_t version)
{
	char detail[64];

	if (version < 2)
		order_shards(b);
	write_schema(b);
	(void)snprintf(detail, sizeof(detail), "from=%u to=%u",
	        (unsigned)version, (unsigned)STORE_SCHEMA_VERSION);
	batch_audit(b, "store.upgrade", "", "", detail);
}

/* A store that is new, or of an earlier version, becomes one of this. */
static enum rc enter_schema(struct batch *b, bool create, struct why *why)
{
	uint32_t version;
	enum rc rc = read_schema(&b->v, &version, why);

	if (rc != RC_OK)
		return rc;
	if (version == 0 && !create)
		return why_set(why, RC_NOTFOUND, "the store is empty");
	if (version == 0) {
		write_schema(b);
		batch_audit(b, "store.create", "", "", "");
		return RC_OK;
	}
	if (!view_ledger(&b->v, &b->ledger))
		view_broken(&b->v);
	if (version == STORE_SCHEMA_VERSION)
		return RC_OK;
	if (!create)
		return older(version, why);
	upgrade(b, version);
	return RC_OK;
}

/* The slot, and the schema. */
static enum rc enter(struct batch *b, bool create, struct why *why)
{
	struct db *db = b->v.db;
	struct rec_slot slot = { (uint32_t)getpid(), b->now_us };
	enum rc rc = enter_schema(b, create, why);
	struct key k;

	if (rc != RC_OK)
		return rc;
	db->slot = ++b->ledger.slot;
	if (b->now_us > b->ledger.clock_us)
		b->ledger.clock_us = b->now_us;
	rec_slot_pack(batch_record(b), &slot);
	k = key_u64_pair(db->node, db->slot);
	batch_put(b, TREE_SLOT, &k);
	k = key_text("ledger");
	rec_ledger_pack(batch_record(b), &b->ledger);
	batch_put(b, TREE_META, &k);
	return b->v.err == 0 ? RC_OK : db_rc(why, b->v.err);
}

static enum rc open_writable(struct db *db, bool create, struct why *why)
{
	struct batch b = { .v = { .db = db }, .now_us = clock_now_us() };
	enum rc rc;
	int err;

	err = mdb_txn_begin(db->env, NULL, 0, &b.v.txn);
	if (err != 0)
		return open_rc(why, "opening the store", err);
	rc = open_trees(db, b.v.txn, create ? MDB_CREATE : 0, why);
	if (rc == RC_OK && !space_ahead(&b, 1, 1, 0, why))
		rc = RC_UNAVAILABLE;
	if (rc == RC_OK)
		rc = enter(&b, create, why);
	if (rc != RC_OK) {
		mdb_txn_abort(b.v.txn);
		return rc;
	}
	err = mdb_txn_commit(b.v.txn);
	return err == 0 ? RC_OK : open_rc(why, "opening the store", err);
}

static enum rc open_readonly(struct db *db, struct why *why)
{
	struct view v = { .db = db };
	uint32_t version = 0;
	enum rc rc;
	int err;

	err = mdb_txn_begin(db->env, NULL, MDB_RDONLY, &v.txn);
	if (err != 0)
		return open_rc(why, "opening the store", err);
	rc = open_trees(db, v.txn, 0, why);
	if (rc == RC_OK)
		rc = read_schema(&v, &version, why);
	if (rc == RC_OK && version == 0)
		rc = why_set(why, RC_NOTFOUND, "the store is empty");
	else if (rc == RC_OK && version < STORE_SCHEMA_VERSION)
		rc = older(version, why);
	if (rc != RC_OK) {
		mdb_txn_abort(v.txn);
		return rc;
	}
	/* A commit, or the handles would go with the transaction. */
	err = mdb_txn_commit(v.txn);
	return err == 0 ? RC_OK : open_rc(why, "opening the store", err);
}

static struct db *db_new(const struct store_opts *o, struct loop *loop)
{
	struct db *db = calloc(1, sizeof(*db));

	if (db == NULL)
		return NULL;
	db->base.engine = &lmdb_engine;
	db->readonly = o->readonly;
	db->index_keys = o->index_keys;
	db->node = o->node;
	db->low_bytes = o->low_bytes;
	db->backdate_us = o->backdate_us;
	db->halt = o->halt != NULL ? o->halt : &db->own_halt;
	db->metrics = o->metrics;
	db->loop = loop;
	db->scratch = BUF_INIT(4 * STORE_DER_MAX_BYTES);
	return db;
}

enum rc lmdb_store_open(struct store **out, const struct store_opts *o,
        struct loop *loop, struct why *why)
{
	struct db *db = db_new(o, loop);
	enum rc rc;

	*out = NULL;
	if (db == NULL)
		return why_set(why, RC_NOMEM, "out of memory");
	rc = chain_new(&db->chain);
	if (rc == RC_OK)
		rc = chain_new(&db->read_chain);
	if (rc == RC_OK)
		rc = make_folder(o, why);
	if (rc == RC_OK)
		rc = open_env(db, o, why);
	if (rc == RC_OK && o->readonly)
		rc = open_readonly(db, why);
	else if (rc == RC_OK)
		rc = open_writable(db, o->create, why);
	if (rc == RC_OK && !o->readonly)
		rc = writer_start(db);
	if (rc != RC_OK) {
		db_free(db);
		return rc;
	}
	*out = &db->base;
	return RC_OK;
}
