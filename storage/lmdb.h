/* storage/lmdb.h - inside of the LMDB engine: its trees, views of them, and
 * the writer thread's batch. Not for callers.
 *
 * liblmdb 0.9.24, synchronous mode only; no DUPSORT (bugs there), no WRITEMAP,
 * NOSYNC, NOMETASYNC or NOLOCK. NORDAHEAD: lookups are random. NOTLS: a read
 * transaction then belongs to the struct that holds it and not to a thread, so
 * that one can be parked (reset) and renewed, and a process that holds two
 * views on one thread is not refused. */
#ifndef MICA_STORAGE_LMDB_H
#define MICA_STORAGE_LMDB_H

#include "storage/audit.h"
#include "storage/engine.h"
#include "storage/record.h"
#include <lmdb.h>
#include <pthread.h>
#include <time.h>

enum tree {
	TREE_META,        /* "schema", "ledger", "unordered" */
	TREE_SLOT,        /* node, slot -> rec_slot; gone: fenced */
	TREE_STATUS,      /* cert key -> rec_status */
	TREE_BODY,        /* sequence -> rec_issue with the DER */
	TREE_INTENT,      /* cert key -> rec_issue with the TBS */
	TREE_PENDING,     /* device number, cert key -> rec_pending */
	TREE_ABANDONED,   /* cert key -> rec_issue without data */
	TREE_DEVICE,      /* id -> rec_device */
	TREE_DEVICE_CERT, /* device number, sequence -> rec_device_cert */
	TREE_EXPIRY,      /* not_after_s, sequence -> nothing */
	TREE_REVOKED,   /* key_listed() -> rec_status, while held or revoked */
	TREE_KEY,       /* SPKI hash, sequence -> nothing */
	TREE_TOKEN,     /* token hash -> store_token */
	TREE_QUOTA,     /* name -> store_quota */
	TREE_AUTHORITY, /* id -> store_authority, DER */
	TREE_BLOCKED,   /* SPKI hash -> time */
	TREE_AUDIT,     /* number -> hash, entry */
	TREE_FEED,      /* position -> store_status_row */
	TREE_SHARD,     /* key_scope_listed() -> as TREE_REVOKED */
	TREE_CRL,       /* authority, shard -> store_crl */
	TREE_APPROVAL,  /* part, id -> store_approval */
	TREE_SUPERSEDE, /* due_s, sequence -> nothing */
	TREE_WAITING,   /* lmdb_waiting.c has its parts */
	TREE_COUNT
};

/* Readers the lock file has room for: workers, the keeper, and mica's own
 * short-lived programs. */
#define DB_READERS_MAX 512

struct batch;
struct completion;

struct db {
	struct store base;
	MDB_env *env;
	MDB_dbi dbi[TREE_COUNT];
	MDB_txn *reader; /* parked between reads */
	struct chain *read_chain;
	bool readonly, index_keys;
	int fd; /* data.mdb; LMDB's */
	uint32_t node;
	uint64_t slot;
	uint64_t low_bytes;
	int64_t backdate_us;
	_Atomic uint32_t *halt;
	_Atomic uint32_t own_halt;
	struct metrics *metrics;
	struct loop *loop;
	/* the writer's */
	struct chain *chain;
	struct buf scratch;
	bool writer_runs;
	pthread_t writer;
	/* shared with the writer, under lock */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool closing;
	struct store_op *queue, **queue_end;
	size_t queued;
	struct store_op *done, **done_end;
	bool done_posted;
	struct completion *completion;
};

/* --- lmdb_tree.c: a transaction as seen by those who read it. The first
 * failure of LMDB stays in err; what is read after it means nothing. */
struct view {
	struct db *db;
	MDB_txn *txn;
	int err;
};

/* False when absent or err. The value is borrowed until the next write. */
bool view_get(
        struct view *v, enum tree t, const struct key *k, struct bytes *value);
/* As view_get; a record that does not read sets err. */
bool view_status(
        struct view *v, const struct cert_key *c, struct rec_status *r);
bool view_issue(
        struct view *v, enum tree t, const struct key *k, struct rec_issue *r);
bool view_device(struct view *v, const char *id, struct rec_device *r);
bool view_authority(struct view *v, uint32_t id, struct store_authority *r,
        struct bytes *der);
bool view_token(struct view *v, const uint8_t *hash, struct store_token *r);
bool view_quota(struct view *v, const char *name, struct store_quota *r);
bool view_ledger(struct view *v, struct rec_ledger *r);
/* False when absent, and then r is a scope of which nothing is known. */
bool view_crl(struct view *v, uint32_t authority, uint16_t shard,
        struct store_crl *r);
uint64_t view_count(struct view *v, enum tree t);
/* A foreign credential whose public key is blocked. */
bool view_foreign_blocked(struct view *v, const struct store_credential *c);
/* Sequence order is no time order: the clock's floor was lowered once. */
bool view_unordered(struct view *v);
/* May it issue, at now_us, what is of that profile and has that credential? */
bool view_may_issue(struct view *v, const struct store_authority *a,
        const char *profile, const struct store_credential *c, int64_t now_us);
/* What a broken record is answered as. */
void view_broken(struct view *v);

/* A walk over the entries whose key begins with prefix. Not across a write to
 * the same tree. */
struct walk {
	struct view *v;
	MDB_cursor *cursor;
	struct bytes prefix; /* borrowed for the length of the walk */
	struct bytes key, value;
};
void walk_open(
        struct walk *w, struct view *v, enum tree t, struct bytes prefix);
void walk_close(struct walk *w);
/* First at or after from (which begins with prefix, or is empty). */
bool walk_from(struct walk *w, struct bytes from);
bool walk_next(struct walk *w);
bool walk_last(struct walk *w);
bool walk_back(struct walk *w);

/* The answer for an LMDB failure that left nothing applied. */
enum rc db_rc(struct why *why, int err);

/* --- lmdb_write.c: the batch that a commit carries. Operations validate all
 * before they write anything, so that a refusal leaves no trace; a failure of
 * LMDB drops the whole batch, and each operation is tried again alone. */
struct batch {
	struct view v;
	bool dirty;
	bool fenced;  /* our slot was taken from us */
	bool crowded; /* nothing may be issued; crowded_why */
	struct why crowded_why;
	struct rec_ledger ledger;
	int64_t now_us;
	uint64_t txn_id;
};
/* Clears and returns the buffer that a record is built in. */
struct buf *batch_record(struct batch *b);
/* Write what was built. */
void batch_put(struct batch *b, enum tree t, const struct key *k);
/* Write what was built at the right edge of the tree. */
void batch_append(struct batch *b, enum tree t, const struct key *k);
void batch_delete(struct batch *b, enum tree t, const struct key *k);
void batch_audit(struct batch *b, const char *event, const char *actor,
        const char *object, const char *detail);
/* Put a record back after a change. */
void batch_put_status(
        struct batch *b, const struct cert_key *c, const struct rec_status *r);
void batch_put_device(struct batch *b, const struct rec_device *r);
void batch_put_token(struct batch *b, const struct store_token *r);
void batch_put_quota(struct batch *b, const struct store_quota *r);
/* Record a change of state after ISSUED: status, revocation tree, counters and
 * feed. Fills r->status_us (unless the state stays) and r->position. */
void batch_change_status(struct batch *b, const struct cert_key *c,
        struct rec_status *r, enum cert_state state, enum cert_reason reason);
/* No T1 passes for the key any more; an audit entry if that is news. */
void batch_block_key(struct batch *b, const uint8_t spki_hash[STORE_HASH_BYTES],
        const char *actor);
/* Suspend or resume, and the audit entry; r is put back. */
void batch_turn_device(struct batch *b, struct rec_device *r,
        enum device_state state, const char *actor, const char *detail);
/* A new device in good standing. */
void batch_new_device(struct batch *b, struct rec_device *r, const char *id,
        const char *anchor, const char *note);

/* --- lmdb_supersede.c */
void batch_supersede_later(
        struct batch *b, const struct cert_key *old, int64_t after_s);
/* When the next one is due; 0: none is noted. */
int64_t view_supersede_due_s(struct view *v);

/* --- lmdb_approval.c */
/* The parts of TREE_APPROVAL; a key begins with one. */
enum approval_part {
	APPROVAL_PART_OPEN,   /* id -> store_approval */
	APPROVAL_PART_CLOSED, /* likewise */
	APPROVAL_PART_LAST,   /* 0 -> the greatest id ever */
	APPROVAL_PARTS
};

/* --- lmdb_waiting.c */
/* The parts of TREE_WAITING; a key begins with one. */
enum waiting_part {
	WAITING_PART_OPEN,    /* id -> store_waiting */
	WAITING_PART_CLOSED,  /* likewise */
	WAITING_PART_DATA,    /* id -> request, TBS */
	WAITING_PART_REQUEST, /* request hash -> id, the newest */
	WAITING_PART_POLL,    /* poll -> id, the newest */
	WAITING_PART_TOKEN,   /* hash of a token that one holds -> id */
	WAITING_PART_LAST,    /* 0 -> the greatest id ever */
	WAITING_PARTS
};
bool view_waiting(struct view *v, uint64_t id, struct store_waiting *r);
/* The newest request with that hash. */
bool view_waiting_request(struct view *v, const uint8_t hash[STORE_HASH_BYTES],
        struct store_waiting *r);
/* The open request that holds the token. */
bool view_token_holder(struct view *v, const uint8_t token[STORE_HASH_BYTES],
        int64_t now_us, struct store_waiting *r);
/* T1's last step. RC_OK: nobody is asked, or an operator has approved. */
enum rc batch_wait(
        struct batch *b, const struct store_issue_begin *op, struct why *why);
/* T2's part. */
void batch_waiting_issued(struct batch *b,
        const uint8_t request_hash[STORE_HASH_BYTES], const char *actor);

/* --- lmdb_crl.c */
/* The scopes of a certificate that was issued, or whose state turned: good to
 * bad is +1, bad to good -1. */
void batch_crl_issued(struct batch *b, const struct store_cert *c);
void batch_crl_turned(
        struct batch *b, const struct cert_key *c, uint16_t shard, int by);

MUST_CHECK enum rc writer_start(struct db *db);
void writer_stop(struct db *db); /* all callbacks have run */
enum rc db_write(struct store *s, struct store_op *op);
bool db_halted(const struct db *db);
void db_halt(struct db *db, const char *what, int err);

/* --- lmdb_space.c: room in the map and on the disk, before it is needed */
/* Room for a batch of n operations that touch so many certificates, with data
 * bytes among them. False: answer RC_UNAVAILABLE (why has the clause) and write
 * nothing. */
bool space_ahead(struct batch *b, size_t n, size_t certs, size_t data_bytes,
        struct why *why);
uint64_t space_used_bytes(struct db *db);
uint64_t space_disk_free_bytes(struct db *db);

/* --- the operations, by kind */
enum rc op_issue_begin(struct batch *b, struct store_issue_begin *op);
enum rc op_issue_finish(struct batch *b, struct store_issue_finish *op);
enum rc op_abandon(struct batch *b, struct store_abandon *op);
enum rc op_set_status(struct batch *b, struct store_set_status *op);
enum rc op_revoke(struct batch *b, struct store_revoke *op);
enum rc op_device_put(struct batch *b, struct store_device_put *op);
enum rc op_device_suspend(struct batch *b, struct store_device_suspend *op);
enum rc op_token_put(struct batch *b, struct store_token_put *op);
enum rc op_quota_put(struct batch *b, struct store_quota_put *op);
enum rc op_quota_change(struct batch *b, struct store_quota_change *op);
enum rc op_authority_put(struct batch *b, struct store_authority_put *op);
enum rc op_authority_revoke(struct batch *b, struct store_authority_revoke *op);
enum rc op_key_block(struct batch *b, struct store_key_block *op);
enum rc op_audit(struct batch *b, struct store_audit *op);
/* An approved request is carried out. RC_CONFLICT, and nothing is written */
enum rc approval_carry_out(
        struct batch *b, uint64_t id, const char *actor, struct why *why);
enum rc op_crl_begin(struct batch *b, struct store_crl_begin *op);
enum rc op_crl_commit(struct batch *b, struct store_crl_commit *op);
enum rc op_supersede(struct batch *b, struct store_supersede *op);
enum rc op_floor_lower(struct batch *b, struct store_floor_lower *op);

enum rc op_approval_ask(struct batch *b, struct store_approval_ask *op);
enum rc op_approval_decide(struct batch *b, struct store_approval_decide *op);
enum rc op_approval_expire(struct batch *b, struct store_approval_expire *op);

enum rc op_waiting_decide(struct batch *b, struct store_waiting_decide *op);
enum rc op_waiting_expire(struct batch *b, struct store_waiting_expire *op);

enum rc db_read(struct store *s, struct store_op *op);
enum rc read_list(struct view *v, struct store_list *op);
enum rc read_device_list(struct view *v, struct store_device_list *op);
enum rc read_audit_scan(struct view *v, struct store_audit_scan *op);
enum rc read_set_status(struct view *v, struct store_set_status *op);
enum rc read_revoke(struct view *v, struct store_revoke *op);
/* Where a paged walk goes on: the first entry after the cursor, from where it
 * is new. RC_MALFORMED: the cursor is of another list. */
MUST_CHECK enum rc cursor_check(
        const struct store_cursor *c, struct bytes prefix, struct why *why);
bool cursor_walk(
        struct walk *w, const struct store_cursor *c, const struct key *from);
bool cursor_keep(struct store_cursor *c, struct bytes key);
enum rc read_changes(struct view *v, struct store_changes *op);
enum rc read_crl_scan(struct view *v, struct store_crl_scan *op);
enum rc read_crl_last(struct view *v, struct store_crl_last *op);
enum rc read_crl_list(struct view *v, struct store_crl_list *op);
enum rc read_census(struct view *v, struct store_census *op);
enum rc read_approval_get(struct view *v, struct store_approval_get *op);
enum rc read_approval_list(struct view *v, struct store_approval_list *op);
enum rc read_waiting_get(struct view *v, struct store_waiting_get *op);
enum rc read_waiting_list(struct view *v, struct store_waiting_list *op);
/* Where a paged walk goes on: the first entry after the cursor, from where it
 * is new. RC_MALFORMED: the cursor is of another list. */
MUST_CHECK enum rc cursor_check(
        const struct store_cursor *c, struct bytes prefix, struct why *why);
bool cursor_walk(
        struct walk *w, const struct store_cursor *c, const struct key *from);
bool cursor_keep(struct store_cursor *c, struct bytes key);

/* --- lmdb_open.c, for check.c too */
extern const char *const db_tree_names[TREE_COUNT];

#endif
