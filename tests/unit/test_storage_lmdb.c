/* The LMDB engine itself: restarts, failures, full disks, several processes.
 * Linked with --wrap for mdb_txn_commit and mdb_put, so that a failure of LMDB
 * needs no hook in the engine. Run as "test_storage_lmdb child WHAT FOLDER" it
 * is the other process of a test. */
#include "tests/unit/store_help.h"

#include "storage/check.h"
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static struct help h;

/* --- LMDB that fails when told to */

static _Atomic int commit_fails; /* the next commit gives this */
static _Atomic int put_fails;    /* the next put but put_skips gives this */
static _Atomic int put_skips;
static _Atomic int commit_takes_ms;
static _Atomic int commits;

int __real_mdb_txn_commit(MDB_txn *txn);
int __wrap_mdb_txn_commit(MDB_txn *txn);
int __real_mdb_put(
        MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data, unsigned flags);
int __wrap_mdb_put(
        MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data, unsigned flags);

static void sleep_ms(int ms)
{
	const struct timespec span = { ms / 1000, ms % 1000 * 1000000L };

	(void)nanosleep(&span, NULL);
}

int __wrap_mdb_txn_commit(MDB_txn *txn)
{
	int err = atomic_exchange(&commit_fails, 0);
	int ms = atomic_load(&commit_takes_ms);

	if (ms > 0)
		sleep_ms(ms);
	if (err != 0) {
		mdb_txn_abort(txn);
		return err;
	}
	atomic_fetch_add(&commits, 1);
	return __real_mdb_txn_commit(txn);
}

int __wrap_mdb_put(
        MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data, unsigned flags)
{
	if (atomic_load(&put_fails) != 0 &&
	        atomic_fetch_sub(&put_skips, 1) == 0)
		return atomic_exchange(&put_fails, 0);
	return __real_mdb_put(txn, dbi, key, data, flags);
}

/* --- fixture and helpers */

static void setup(void)
{
	help_begin(&h);
	help_open(&h);
	help_authority(&h);
}

static void teardown(void)
{
	help_end(&h);
}

static void reopen(void)
{
	store_close(h.store);
	help_open(&h);
}

static void print_fault(void *ctx, const char *text)
{
	(void)ctx;
	(void)fprintf(stderr, "store_check: %s\n", text);
}

static struct store_check_report check_store(void)
{
	struct store_check_report r = { .faults = 0 };
	struct why why = WHY_NONE;
	enum rc rc = store_check(h.folder, &r, &why);

	ck_assert_msg(rc == RC_OK, "%s", why.text);
	return r;
}

/* The store is closed, and sound. */
static void close_and_check(void)
{
	struct store_check_report r = { .fault = print_fault };
	struct why why = WHY_NONE;
	enum rc rc;

	store_close(h.store);
	h.store = NULL;
	rc = store_check(h.folder, &r, &why);
	ck_assert_msg(rc == RC_OK, "%s", why.text);
	ck_assert_uint_eq(r.faults, 0);
}

static enum rc revoke_cert(const struct cert_key *key)
{
	struct store_set_status op = { .key = *key };

	return HELP_DO(&h, store_set_status, &op);
}

static uint64_t quota_used(const char *name)
{
	struct store_quota_get op = { .name = name };

	ck_assert_int_eq(HELP_DO(&h, store_quota_get, &op), RC_OK);
	return op.quota.used;
}

static void put_quota(const char *name, uint64_t limit)
{
	struct store_quota_put op = { .quota = { .limit = limit } };

	(void)snprintf(op.quota.name, sizeof(op.quota.name), "%s", name);
	ck_assert_int_eq(HELP_DO(&h, store_quota_put, &op), RC_OK);
}

static void count_done(struct store_op *op)
{
	(*(size_t *)op->ctx)++;
}

static void wait_until(const size_t *n, size_t want)
{
	for (int i = 0; i < 20000 && *n < want; i++) {
		loop_poll(h.loop);
		if (*n < want)
			sleep_ms(1);
	}
	ck_assert_uint_eq(*n, want);
}

/* Keep the writer in a slow commit, so that what follows waits in the queue. */
static void occupy_writer(struct store_audit *op, size_t *done)
{
	atomic_store(&commit_takes_ms, 50);
	*op = (struct store_audit){ .event = "occupy" };
	op->op.done = count_done;
	op->op.ctx = done;
	ck_assert_int_eq(store_audit(h.store, op), RC_PENDING);
	sleep_ms(20);
	atomic_store(&commit_takes_ms, 0);
	atomic_store(&commits, 0);
}

/* --- restart */

START_TEST(restart_keeps_everything_and_takes_a_new_slot)
{
	struct cert_key key = help_certificate(&h, "unit-1", 0, "a");
	uint64_t slot = store_slot(h.store);
	struct store_stat before, after;

	ck_assert_int_eq(revoke_cert(&key), RC_OK);
	before = help_stat(&h);
	reopen();
	after = help_stat(&h);
	ck_assert_uint_gt(store_slot(h.store), slot);
	ck_assert_int_eq(help_state(&h, &key), CERT_REVOKED);
	ck_assert_uint_eq(after.issued, before.issued);
	ck_assert_uint_eq(after.audit_last, before.audit_last);
	ck_assert_uint_eq(after.feed_position, before.feed_position);
	(void)help_certificate(&h, "unit-1", 1, "b");
	close_and_check();
}
END_TEST

START_TEST(intent_of_an_earlier_start_is_stale_and_abandoned)
{
	struct store_abandon op = { .what = ABANDON_OTHERS };
	struct help_issue i;

	help_issue(&h, &i, "unit-1", 0, "a");
	ck_assert_int_eq(help_t1(&h, &i), RC_OK);
	reopen();
	ck_assert_int_eq(help_t2(&h, &i), RC_STALE);
	ck_assert_int_eq(HELP_DO(&h, store_abandon, &op), RC_OK);
	ck_assert_uint_eq(op.abandoned, 1);
	ck_assert(!op.more);
	ck_assert_int_eq(help_state(&h, &i.t1.key), CERT_ABANDONED);
	close_and_check();
}
END_TEST

START_TEST(store_that_is_not_there_is_not_made_unasked)
{
	struct why why = WHY_NONE;
	struct store *s;

	close_and_check();
	h.opts.create = false;
	help_open(&h);
	store_close(h.store);
	h.store = NULL;
	h.opts.path = "/dev/shm/mica-store-that-is-not-there";
	ck_assert_int_eq(store_open(&s, &h.opts, h.loop, &why), RC_NOTFOUND);
	ck_assert_ptr_null(s);
}
END_TEST

START_TEST(readonly_store_reads_and_takes_no_slot)
{
	struct cert_key key = help_certificate(&h, "unit-1", 0, "a");
	struct store_audit op = { .event = "x" };

	store_close(h.store);
	h.opts.readonly = true;
	help_open(&h);
	ck_assert_uint_eq(store_slot(h.store), 0);
	ck_assert_int_eq(help_state(&h, &key), CERT_ISSUED);
	ck_assert_int_eq(store_audit(h.store, &op), RC_UNAVAILABLE);
	ck_assert_int_eq(op.op.rc, RC_UNAVAILABLE);
}
END_TEST

START_TEST(list_by_key_without_its_index_is_unsupported)
{
	struct store_list op = { .by = LIST_BY_KEY };

	ck_assert_int_eq(HELP_DO(&h, store_list, &op), RC_UNSUPPORTED);
}
END_TEST

/* Change the closed store behind the engine's back. */
static void tamper(const char *tree, int (*change)(MDB_txn *, MDB_dbi))
{
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;

	store_close(h.store);
	h.store = NULL;
	ck_assert_int_eq(mdb_env_create(&env), 0);
	ck_assert_int_eq(mdb_env_set_maxdbs(env, 2), 0);
	ck_assert_int_eq(mdb_env_open(env, h.folder, 0, 0600), 0);
	ck_assert_int_eq(mdb_txn_begin(env, NULL, 0, &txn), 0);
	ck_assert_int_eq(mdb_dbi_open(txn, tree, 0, &dbi), 0);
	ck_assert_int_eq(change(txn, dbi), 0);
	ck_assert_int_eq(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
}

static int put_schema_99(MDB_txn *txn, MDB_dbi dbi)
{
	static uint8_t version[] = { 0, 0, 0, 99 };
	MDB_val key = { 6, "schema" }, val = { 4, version };

	return mdb_put(txn, dbi, &key, &val, 0);
}

START_TEST(another_schema_version_is_refused)
{
	struct why why = WHY_NONE;

	tamper("meta", put_schema_99);
	ck_assert_int_eq(
	        store_open(&h.store, &h.opts, h.loop, &why), RC_CONFLICT);
	ck_assert_ptr_nonnull(strstr(why.text, "99"));
}
END_TEST

/* --- failures */

START_TEST(failed_commit_halts_every_writer_until_restart)
{
	struct store_audit op = { .event = "x" };
	struct cert_key key;
	_Atomic uint32_t halt;

	atomic_init(&halt, 0);
	h.opts.halt = &halt;
	reopen();
	key = help_certificate(&h, "unit-1", 0, "a");
	atomic_store(&commit_fails, EIO);
	op.op.done = count_done;
	op.op.ctx = &(size_t){ 0 };
	ck_assert_int_eq(store_audit(h.store, &op), RC_PENDING);
	wait_until(op.op.ctx, 1);
	ck_assert_int_eq(op.op.rc, RC_UNKNOWN);
	ck_assert_uint_ne(atomic_load(&halt), 0);
	ck_assert_int_eq(store_audit(h.store, &op), RC_UNAVAILABLE);
	ck_assert(help_stat(&h).halted);
	ck_assert_int_eq(help_state(&h, &key), CERT_ISSUED);
	atomic_store(&halt, 0);
	reopen();
	ck_assert_int_eq(HELP_DO(&h, store_audit, &op), RC_OK);
	close_and_check();
}
END_TEST

START_TEST(map_full_at_commit_applies_nothing_and_does_not_halt)
{
	struct store_audit op = { .event = "x" };
	size_t done = 0;

	atomic_store(&commit_fails, MDB_MAP_FULL);
	op.op.done = count_done;
	op.op.ctx = &done;
	ck_assert_int_eq(store_audit(h.store, &op), RC_PENDING);
	wait_until(&done, 1);
	ck_assert_int_eq(op.op.rc, RC_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(op.op.why.text, "full"));
	ck_assert(!help_stat(&h).halted);
	ck_assert_int_eq(HELP_DO(&h, store_audit, &op), RC_OK);
	close_and_check();
}
END_TEST

/* Wherever in a T1 and its neighbours LMDB fails, the batch is done again, one
 * by one, and nothing of the first attempt is left. */
START_TEST(failure_inside_a_batch_harms_no_operation)
{
	enum { N = 6, PUTS = 40 };
	static struct help_issue issues[N];
	struct store_op *ops[N];
	char id[32];

	for (int skip = 0; skip < PUTS; skip += 3) {
		struct store_audit busy;
		size_t done = 0;

		for (size_t i = 0; i < N; i++) {
			(void)snprintf(id, sizeof(id), "unit-%d-%zu", skip, i);
			help_issue(&h, &issues[i], NULL, 0, id);
			ops[i] = &issues[i].t1.op;
		}
		occupy_writer(&busy, &done);
		sleep_ms(60);
		atomic_store(&put_skips, skip);
		atomic_store(&put_fails, MDB_MAP_FULL);
		ck_assert_uint_eq(help_do_all(&h, ops, N,
		                          (help_send_fn *)(void (*)(
		                                  void))store_issue_begin),
		        N);
		wait_until(&done, 1);
	}
	atomic_store(&put_fails, 0);
	close_and_check();
}
END_TEST

static enum rc try_issue(const char *id)
{
	struct help_issue i;
	enum rc rc;

	help_issue(&h, &i, id, 0, id);
	rc = help_t1(&h, &i);
	return rc == RC_OK ? help_t2(&h, &i) : rc;
}

START_TEST(full_map_issues_nothing_but_still_revokes)
{
	struct store_device_suspend suspend = { .id = "unit-0" };
	struct cert_key key;
	enum rc rc = RC_OK;
	char id[32];

	store_close(h.store);
	h.opts.size_bytes = 1u << 20;
	help_open(&h);
	key = help_certificate(&h, "unit-0", 0, "0");
	for (int i = 1; i < 5000 && rc == RC_OK; i++) {
		(void)snprintf(id, sizeof(id), "unit-%d", i);
		rc = try_issue(id);
	}
	ck_assert_int_eq(rc, RC_UNAVAILABLE);
	ck_assert(!help_stat(&h).halted);
	ck_assert_int_eq(HELP_DO(&h, store_device_suspend, &suspend), RC_OK);
	ck_assert_int_eq(revoke_cert(&key), RC_OK);
	ck_assert_int_eq(help_state(&h, &key), CERT_REVOKED);
	close_and_check();
}
END_TEST

/* To the last page: what no longer fits is refused, and the store is sound. */
START_TEST(map_full_to_the_last_page_is_refused_cleanly)
{
	struct store_device_put put = { .expect_version = 0 };
	enum rc rc = RC_OK;

	store_close(h.store);
	h.opts.size_bytes = 1u << 20;
	help_open(&h);
	memset(put.device.note, 'n', STORE_TEXT_MAX);
	for (int i = 0; i < 5000 && rc == RC_OK; i++) {
		(void)snprintf(
		        put.device.id, sizeof(put.device.id), "unit-%d", i);
		rc = HELP_DO(&h, store_device_put, &put);
	}
	ck_assert_int_eq(rc, RC_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(put.op.why.text, "full"));
	ck_assert(!help_stat(&h).halted);
	close_and_check();
}
END_TEST

START_TEST(disk_below_its_watermark_issues_nothing_but_still_revokes)
{
	struct cert_key key = help_certificate(&h, "unit-1", 0, "a");

	store_close(h.store);
	h.opts.low_bytes = UINT64_MAX;
	help_open(&h);
	ck_assert_int_eq(try_issue("unit-2"), RC_UNAVAILABLE);
	ck_assert_int_eq(revoke_cert(&key), RC_OK);
	ck_assert(!help_stat(&h).halted);
	close_and_check();
}
END_TEST

/* A file that may not grow is what a full disk looks like. */
START_TEST(full_disk_is_found_before_a_commit)
{
	struct cert_key key = help_certificate(&h, "unit-1", 0, "a");
	struct store_audit op = { .event = "x" };
	struct rlimit limit;
	enum rc rc = RC_OK;
	char text[96];
	struct stat st;

	(void)snprintf(text, sizeof(text), "%s/data.mdb", h.folder);
	ck_assert_int_eq(stat(text, &st), 0);
	limit.rlim_cur = limit.rlim_max = (rlim_t)st.st_size;
	(void)signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (int i = 0; i < 5000 && rc == RC_OK; i++) {
		(void)snprintf(text, sizeof(text), "unit-new-%d", i);
		rc = try_issue(text);
	}
	ck_assert_int_eq(rc, RC_UNAVAILABLE);
	ck_assert(!help_stat(&h).halted);
	ck_assert_int_eq(revoke_cert(&key), RC_OK);
	for (rc = RC_OK; rc == RC_OK;)
		rc = HELP_DO(&h, store_audit, &op);
	ck_assert_int_eq(rc, RC_UNAVAILABLE);
	ck_assert(!help_stat(&h).halted);
	close_and_check();
}
END_TEST

/* --- group commit */

START_TEST(what_waits_shares_one_commit)
{
	static struct store_audit ops[STORE_BATCH_MAX];
	struct store_audit busy;
	size_t done = 0;

	occupy_writer(&busy, &done);
	for (size_t i = 0; i < STORE_BATCH_MAX; i++) {
		ops[i] = (struct store_audit){ .event = "x" };
		ops[i].op.done = count_done;
		ops[i].op.ctx = &done;
		ck_assert_int_eq(store_audit(h.store, &ops[i]), RC_PENDING);
	}
	wait_until(&done, STORE_BATCH_MAX + 1);
	/* the slow one, and one for all the others */
	ck_assert_int_eq(atomic_load(&commits), 2);
	for (size_t i = 1; i < STORE_BATCH_MAX; i++)
		ck_assert_uint_eq(ops[i].number, ops[i - 1].number + 1);
}
END_TEST

START_TEST(refusals_alone_commit_nothing)
{
	struct help_issue i;
	int before;

	help_issue(&h, &i, "unit-1", 7, "a");
	before = atomic_load(&commits);
	ck_assert_int_eq(help_t1(&h, &i), RC_STALE);
	ck_assert_int_eq(atomic_load(&commits), before);
}
END_TEST

START_TEST(t1_and_t2_of_one_certificate_are_never_in_one_commit)
{
	struct store_audit busy;
	struct help_issue i;
	size_t done = 0;

	help_issue(&h, &i, "unit-1", 0, "a");
	i.t1.op.done = i.t2.op.done = count_done;
	i.t1.op.ctx = i.t2.op.ctx = &done;
	occupy_writer(&busy, &done);
	ck_assert_int_eq(store_issue_begin(h.store, &i.t1), RC_PENDING);
	ck_assert_int_eq(store_issue_finish(h.store, &i.t2), RC_PENDING);
	wait_until(&done, 3);
	ck_assert_int_eq(i.t1.op.rc, RC_OK);
	ck_assert_int_eq(i.t2.op.rc, RC_STALE);
	ck_assert_int_eq(help_t2(&h, &i), RC_OK);
}
END_TEST

START_TEST(queue_that_is_full_is_busy)
{
	static struct store_audit ops[STORE_QUEUE_MAX];
	struct store_audit busy;
	size_t done = 0;

	occupy_writer(&busy, &done);
	for (size_t i = 0; i < STORE_QUEUE_MAX; i++) {
		ops[i] = (struct store_audit){ .event = "x" };
		ops[i].op.done = count_done;
		ops[i].op.ctx = &done;
		ck_assert_int_eq(store_audit(h.store, &ops[i]),
		        i + 1 < STORE_QUEUE_MAX ? RC_PENDING : RC_BUSY);
	}
	wait_until(&done, STORE_QUEUE_MAX);
}
END_TEST

START_TEST(close_finishes_and_calls_back_what_is_queued)
{
	enum { N = 300 };
	static struct store_audit ops[N];
	size_t done = 0;

	for (size_t i = 0; i < N; i++) {
		ops[i] = (struct store_audit){ .event = "x" };
		ops[i].op.done = count_done;
		ops[i].op.ctx = &done;
		ck_assert_int_eq(store_audit(h.store, &ops[i]), RC_PENDING);
	}
	store_close(h.store);
	h.store = NULL;
	ck_assert_uint_eq(done, N);
	for (size_t i = 0; i < N; i++)
		ck_assert_int_eq(ops[i].op.rc, RC_OK);
}
END_TEST

static void close_store(struct store_op *op)
{
	store_close(h.store);
	h.store = NULL;
	count_done(op);
}

START_TEST(callback_may_close_the_store)
{
	struct store_audit first = { .event = "x" }, second = first;
	size_t done = 0;

	first.op.done = close_store;
	second.op.done = count_done;
	first.op.ctx = second.op.ctx = &done;
	ck_assert_int_eq(store_audit(h.store, &first), RC_PENDING);
	ck_assert_int_eq(store_audit(h.store, &second), RC_PENDING);
	wait_until(&done, 2);
}
END_TEST

/* --- other processes */

struct child {
	pid_t pid;
	int in;  /* its standard input */
	int out; /* its standard output */
};

static void spawn(struct child *c, const char *what)
{
	char *argv[] = { "test_storage_lmdb", "child", (char *)(uintptr_t)what,
		h.folder, NULL };
	posix_spawn_file_actions_t fa;
	int in[2], out[2];

	ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	ck_assert_int_eq(posix_spawn_file_actions_init(&fa), 0);
	ck_assert_int_eq(posix_spawn_file_actions_adddup2(&fa, in[0], 0), 0);
	ck_assert_int_eq(posix_spawn_file_actions_adddup2(&fa, out[1], 1), 0);
	ck_assert_int_eq(posix_spawn(&c->pid, "/proc/self/exe", &fa, NULL, argv,
	                         environ),
	        0);
	(void)posix_spawn_file_actions_destroy(&fa);
	(void)close(in[0]);
	(void)close(out[1]);
	c->in = in[1];
	c->out = out[0];
}

static void child_says(const void *p, size_t n)
{
	ck_assert_int_eq(write(1, p, n), (ssize_t)n);
}

static void child_hears(void)
{
	char c;

	ck_assert_int_eq(read(0, &c, 1), 1);
}

static void hear(const struct child *c, void *p, size_t n)
{
	ck_assert_int_eq(read(c->out, p, n), (ssize_t)n);
}

static int reap(struct child *c)
{
	int status = -1;

	ck_assert_int_eq(waitpid(c->pid, &status, 0), c->pid);
	(void)close(c->in);
	(void)close(c->out);
	return status;
}

static void begin_with_token(struct help_issue *i, const char *text)
{
	help_issue(&h, i, "unit-1", help_device(&h, "unit-1"), text);
	i->t1.credential.kind = CREDENTIAL_TOKEN;
	help_hash(i->t1.credential.hash, "token");
	i->t1.quota = "line";
}

/* T1, then nothing: its parent kills it. */
static void child_begins(void)
{
	uint64_t slot = store_slot(h.store);
	struct help_issue i;

	h.serials = 1000;
	begin_with_token(&i, "child");
	ck_assert_int_eq(help_t1(&h, &i), RC_OK);
	child_says(&slot, sizeof(slot));
	for (;;)
		(void)pause();
}

/* Serials of its own, and devices. */
static void issue_many(const char *who, int n)
{
	char id[32];

	for (int i = 0; i < n; i++) {
		(void)snprintf(id, sizeof(id), "%s-%d", who, i);
		(void)help_certificate(&h, id, 0, id);
	}
}

#define EACH 150

static void child_issues(void)
{
	h.serials = 100000;
	child_says("r", 1);
	child_hears();
	issue_many("child", EACH);
}

static void child_is_fenced(void)
{
	uint64_t slot = store_slot(h.store);
	struct help_issue i;

	h.serials = 1000;
	child_says(&slot, sizeof(slot));
	child_hears();
	help_issue(&h, &i, "unit-9", 0, "child");
	ck_assert_int_eq(help_t1(&h, &i), RC_FENCED);
}

START_TEST(killed_between_t1_and_t2_gives_token_and_quota_back)
{
	struct store_abandon op = { .what = ABANDON_SLOT };
	struct help_issue i;
	struct child c;

	help_token(&h, "token", "unit-1");
	put_quota("line", 1);
	spawn(&c, "begins");
	hear(&c, &op.slot, sizeof(op.slot));
	ck_assert_uint_eq(help_stat(&h).intents, 1);
	begin_with_token(&i, "parent");
	ck_assert_int_eq(help_t1(&h, &i), RC_SPENT);
	ck_assert_int_eq(kill(c.pid, SIGKILL), 0);
	ck_assert(WIFSIGNALED(reap(&c)));
	ck_assert_int_eq(HELP_DO(&h, store_abandon, &op), RC_OK);
	ck_assert_uint_eq(op.abandoned, 1);
	ck_assert_uint_eq(help_stat(&h).intents, 0);
	ck_assert_uint_eq(help_stat(&h).abandoned, 1);
	ck_assert_uint_eq(quota_used("line"), 0);
	begin_with_token(&i, "parent");
	ck_assert_int_eq(help_t1(&h, &i), RC_OK);
	ck_assert_int_eq(help_t2(&h, &i), RC_OK);
	close_and_check();
}
END_TEST

START_TEST(two_processes_write_in_one_order)
{
	struct store_check_report r;
	struct child c;
	char ready;

	spawn(&c, "issues");
	hear(&c, &ready, 1);
	ck_assert_int_eq(write(c.in, "g", 1), 1);
	issue_many("parent", EACH);
	ck_assert_int_eq(reap(&c), 0);
	ck_assert_uint_eq(help_stat(&h).issued, 2 * EACH);
	close_and_check();
	r = check_store();
	ck_assert_uint_eq(r.certificates, 2 * EACH);
	ck_assert_uint_eq(r.devices, 2 * EACH);
}
END_TEST

START_TEST(process_whose_slot_was_given_up_is_fenced)
{
	struct store_abandon op = { .what = ABANDON_SLOT };
	struct child c;

	spawn(&c, "is_fenced");
	hear(&c, &op.slot, sizeof(op.slot));
	ck_assert_int_eq(HELP_DO(&h, store_abandon, &op), RC_OK);
	ck_assert_int_eq(write(c.in, "g", 1), 1);
	ck_assert_int_eq(reap(&c), 0);
}
END_TEST

static const struct {
	const char *name;
	void (*run)(void);
} children[] = {
	{ "begins", child_begins },
	{ "issues", child_issues },
	{ "is_fenced", child_is_fenced },
};

static const char *child_what, *child_folder;

START_TEST(child)
{
	ck_assert_int_eq(loop_new(&h.loop), RC_OK);
	h.opts = (struct store_opts){ .path = child_folder,
		.size_bytes = 256u << 20 };
	help_open(&h);
	help_authority(&h);
	for (size_t i = 0; i < sizeof(children) / sizeof(children[0]); i++) {
		if (strcmp(children[i].name, child_what) == 0)
			children[i].run();
	}
	store_close(h.store);
	loop_poll(h.loop);
	loop_free(h.loop);
}
END_TEST

static int child_main(const char *what, const char *folder)
{
	Suite *s = suite_create("child");
	TCase *tc = tcase_create("child");
	SRunner *r;
	int failed;

	child_what = what;
	child_folder = folder;
	tcase_add_test(tc, child);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_set_fork_status(r, CK_NOFORK);
	srunner_run_all(r, CK_SILENT);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* --- store_check */

static int delete_first(MDB_txn *txn, MDB_dbi dbi)
{
	MDB_cursor *cursor;
	MDB_val key, val;
	int err = mdb_cursor_open(txn, dbi, &cursor);

	if (err != 0)
		return err;
	err = mdb_cursor_get(cursor, &key, &val, MDB_FIRST);
	if (err == 0)
		err = mdb_cursor_del(cursor, 0);
	mdb_cursor_close(cursor);
	return err;
}

static int delete_last(MDB_txn *txn, MDB_dbi dbi)
{
	MDB_cursor *cursor;
	MDB_val key, val;
	int err = mdb_cursor_open(txn, dbi, &cursor);

	if (err != 0)
		return err;
	err = mdb_cursor_get(cursor, &key, &val, MDB_LAST);
	if (err == 0)
		err = mdb_cursor_del(cursor, 0);
	mdb_cursor_close(cursor);
	return err;
}

/* Turn over the last bit of the first record. */
static int change_first(MDB_txn *txn, MDB_dbi dbi)
{
	static uint8_t copy[4096];
	MDB_cursor *cursor;
	MDB_val key, val;
	int err = mdb_cursor_open(txn, dbi, &cursor);

	if (err != 0)
		return err;
	err = mdb_cursor_get(cursor, &key, &val, MDB_FIRST);
	if (err == 0 && val.mv_size <= sizeof(copy)) {
		memcpy(copy, val.mv_data, val.mv_size);
		copy[val.mv_size - 1] ^= 1;
		val.mv_data = copy;
		err = mdb_cursor_put(cursor, &key, &val, MDB_CURRENT);
	}
	mdb_cursor_close(cursor);
	return err;
}

static const struct {
	const char *tree;
	int (*change)(MDB_txn *txn, MDB_dbi dbi);
} tampers[] = {
	{ "status", delete_first },
	{ "status", change_first },
	{ "body", delete_first },
	{ "body", change_first },
	{ "intent", delete_first },
	{ "pending", delete_first },
	{ "abandoned", delete_first },
	{ "device", delete_first },
	{ "device_cert", delete_first },
	{ "expiry", delete_first },
	{ "revoked", delete_first },
	{ "revoked", change_first },
	{ "audit", delete_first },
	{ "audit", change_first },
	{ "audit", delete_last },
	{ "feed", delete_first },
	{ "feed", delete_last },
};

/* One of everything. */
static void fill(void)
{
	struct store_abandon abandon = { .what = ABANDON_ONE };
	struct cert_key key;
	struct help_issue i;

	help_token(&h, "token", "unit-1");
	help_issue(&h, &i, "unit-1", 1, "a");
	i.t1.credential.kind = CREDENTIAL_TOKEN;
	help_hash(i.t1.credential.hash, "token");
	ck_assert_int_eq(help_t1(&h, &i), RC_OK);
	ck_assert_int_eq(help_t2(&h, &i), RC_OK);
	key = help_certificate(&h, "unit-1", 1, "b");
	ck_assert_int_eq(revoke_cert(&key), RC_OK);
	help_issue(&h, &i, "unit-2", 0, "c");
	ck_assert_int_eq(help_t1(&h, &i), RC_OK);
	abandon.key = i.t1.key;
	ck_assert_int_eq(HELP_DO(&h, store_abandon, &abandon), RC_OK);
	help_issue(&h, &i, "unit-2", 1, "d");
	ck_assert_int_eq(help_t1(&h, &i), RC_OK);
}

START_TEST(check_finds_what_was_tampered_with)
{
	struct store_check_report r;

	fill();
	tamper(tampers[_i].tree, tampers[_i].change);
	r = check_store();
	ck_assert_msg(r.faults > 0, "%s", tampers[_i].tree);
}
END_TEST

START_TEST(check_counts_what_there_is)
{
	struct store_check_report r;

	fill();
	close_and_check();
	r = check_store();
	ck_assert_uint_eq(r.certificates, 2);
	ck_assert_uint_eq(r.revoked, 1);
	ck_assert_uint_eq(r.held, 0);
	ck_assert_uint_eq(r.intents, 1);
	ck_assert_uint_eq(r.abandoned, 1);
	ck_assert_uint_eq(r.devices, 2);
	ck_assert_uint_eq(r.tokens, 1);
	ck_assert_uint_eq(r.feed_entries, 1);
}
END_TEST

START_TEST(audit_scan_shows_a_changed_entry)
{
	static struct store_audit_row rows[STORE_ROWS_MAX];
	struct store_audit_scan scan = { .rows = rows, .max = STORE_ROWS_MAX };

	fill();
	tamper("audit", change_first);
	help_open(&h);
	(void)HELP_DO(&h, store_audit_scan, &scan);
	ck_assert(scan.broken);
	ck_assert_uint_eq(scan.broken_at, 1);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("storage lmdb");
	TCase *tc = tcase_create("engine");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, restart_keeps_everything_and_takes_a_new_slot);
	tcase_add_test(tc, intent_of_an_earlier_start_is_stale_and_abandoned);
	tcase_add_test(tc, store_that_is_not_there_is_not_made_unasked);
	tcase_add_test(tc, readonly_store_reads_and_takes_no_slot);
	tcase_add_test(tc, list_by_key_without_its_index_is_unsupported);
	tcase_add_test(tc, another_schema_version_is_refused);
	tcase_add_test(tc, failed_commit_halts_every_writer_until_restart);
	tcase_add_test(
	        tc, map_full_at_commit_applies_nothing_and_does_not_halt);
	tcase_add_test(tc, failure_inside_a_batch_harms_no_operation);
	tcase_add_test(tc, full_map_issues_nothing_but_still_revokes);
	tcase_add_test(tc, map_full_to_the_last_page_is_refused_cleanly);
	tcase_add_test(
	        tc, disk_below_its_watermark_issues_nothing_but_still_revokes);
	tcase_add_test(tc, full_disk_is_found_before_a_commit);
	tcase_add_test(tc, what_waits_shares_one_commit);
	tcase_add_test(tc, refusals_alone_commit_nothing);
	tcase_add_test(
	        tc, t1_and_t2_of_one_certificate_are_never_in_one_commit);
	tcase_add_test(tc, queue_that_is_full_is_busy);
	tcase_add_test(tc, close_finishes_and_calls_back_what_is_queued);
	tcase_add_test(tc, callback_may_close_the_store);
	tcase_add_test(tc, killed_between_t1_and_t2_gives_token_and_quota_back);
	tcase_add_test(tc, two_processes_write_in_one_order);
	tcase_add_test(tc, process_whose_slot_was_given_up_is_fenced);
	tcase_add_loop_test(tc, check_finds_what_was_tampered_with, 0,
	        sizeof(tampers) / sizeof(tampers[0]));
	tcase_add_test(tc, check_counts_what_there_is);
	tcase_add_test(tc, audit_scan_shows_a_changed_entry);
	suite_add_tcase(s, tc);
	return s;
}

int main(int argc, char **argv)
{
	SRunner *r;
	int failed;

	if (argc == 4 && strcmp(argv[1], "child") == 0)
		return child_main(argv[2], argv[3]);
	r = srunner_create(suite());
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
