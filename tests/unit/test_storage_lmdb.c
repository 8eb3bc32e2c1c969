/* The LMDB engine itself: restarts, failures, full disks, group commit. Linked
 * with --wrap for mdb_txn_commit and mdb_put, so that a failure of LMDB needs
 * no hook in the engine. */
#include "tests/unit/store_help.h"

#include <check.h>
#include <errno.h>
#include <lmdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct help h;

/* --- LMDB that fails when told to */

static _Atomic int commit_fails; /* the next commit gives this */
static _Atomic int put_fails;    /* the next put but put_skips gives this */
static _Atomic int put_skips;
static _Atomic bool commit_waits; /* until this is false */
static _Atomic bool commit_waiting;
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

	while (atomic_load(&commit_waits)) {
		atomic_store(&commit_waiting, true);
		sleep_ms(1);
	}
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

/* Keep the writer in a commit until it is let go, so that what is sent between
 * waits in the queue. */
static void stop_writer(struct store_audit *op, size_t *done)
{
	atomic_store(&commit_waiting, false);
	atomic_store(&commit_waits, true);
	*op = (struct store_audit){ .event = "occupy" };
	op->op.done = count_done;
	op->op.ctx = done;
	ck_assert_int_eq(store_audit(h.store, op), RC_PENDING);
	while (!atomic_load(&commit_waiting))
		sleep_ms(1);
	atomic_store(&commits, 0);
}

static void let_writer_go(void)
{
	atomic_store(&commit_waits, false);
}

/* --- restart */

START_TEST(restart_keeps_everything_and_takes_a_new_slot)
{
	struct cert_key key = help_certificate(&h, "unit-1", 0, "a");
	uint64_t slot = store_slot(h.store);
	struct store_stat before, after;

	ck_assert_int_eq(help_revoke(&h, &key), RC_OK);
	before = help_stat(&h);
	reopen();
	after = help_stat(&h);
	ck_assert_uint_gt(store_slot(h.store), slot);
	ck_assert_int_eq(help_state(&h, &key), CERT_REVOKED);
	ck_assert_uint_eq(after.issued, before.issued);
	ck_assert_uint_eq(after.audit_last, before.audit_last);
	ck_assert_uint_eq(after.feed_position, before.feed_position);
	(void)help_certificate(&h, "unit-1", 1, "b");
	help_close_and_check(&h);
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
	help_close_and_check(&h);
}
END_TEST

START_TEST(store_that_is_not_there_is_not_made_unasked)
{
	struct why why = WHY_NONE;
	struct store *s;

	help_close_and_check(&h);
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

/* --- revoking many */

static uint32_t revoke_all(struct store_revoke op)
{
	uint32_t selected = 0;

	do {
		ck_assert_int_eq(HELP_DO(&h, store_revoke, &op), RC_OK);
		selected += op.selected;
		op.cursor = op.next;
	} while (op.more);
	return selected;
}

/* No index, one that lacks what is older, and a whole one. */
START_TEST(key_is_found_whatever_index_there_is)
{
	struct store_revoke op = {
		.by = REVOKE_BY_KEY, .change = STATUS_HOLD, .dry_run = true
	};
	struct help_issue i;

	h.opts.index_keys = _i == 2;
	reopen();
	help_hash(op.spki_hash, "key same");
	for (int n = 0; n < 4; n++) {
		help_issue(&h, &i, NULL, 0, n == 1 ? "other" : "same");
		i.t1.request_hash[0] = (uint8_t)n;
		ck_assert_int_eq(help_t1(&h, &i), RC_OK);
		ck_assert_int_eq(help_t2(&h, &i), RC_OK);
		if (n == 2) {
			h.opts.index_keys = _i > 0;
			reopen();
		}
	}
	ck_assert_uint_eq(revoke_all(op), 3);
	help_close_and_check(&h);
}
END_TEST

/* Tried again alone, a part begins where it began. */
START_TEST(part_that_failed_in_a_batch_skips_nobody)
{
	struct store_revoke op = { .by = REVOKE_BY_ISSUE, .to_us = INT64_MAX };
	struct store_audit stopped, other = { .event = "x" };
	size_t done = 0;
	char id[16];

	for (int i = 0; i < 3; i++) {
		(void)snprintf(id, sizeof(id), "unit-%d", i);
		(void)help_certificate(&h, id, 0, id);
	}
	op.op.done = other.op.done = count_done;
	op.op.ctx = other.op.ctx = &done;
	stop_writer(&stopped, &done);
	ck_assert_int_eq(store_audit(h.store, &other), RC_PENDING);
	ck_assert_int_eq(store_revoke(h.store, &op), RC_PENDING);
	atomic_store(&put_skips, 9);
	atomic_store(&put_fails, MDB_MAP_FULL);
	let_writer_go();
	wait_until(&done, 3);
	ck_assert_int_eq(atomic_load(&put_fails), 0);
	ck_assert_int_eq(op.op.rc, RC_OK);
	ck_assert_uint_eq(op.changed, 3);
	ck_assert_uint_eq(help_stat(&h).revoked, 3);
	help_close_and_check(&h);
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
	help_close_and_check(&h);
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
	help_close_and_check(&h);
}
END_TEST

/* Wherever in a batch LMDB fails, it is done again, one by one, and nothing of
 * the first attempt is left. */
START_TEST(failure_inside_a_batch_harms_no_operation)
{
	enum { N = 6, PUTS = 3 * N + 1 };
	static struct help_issue issues[N];
	struct store_audit stopped;
	char id[32];

	for (int skip = 0; skip < PUTS; skip++) {
		size_t done = 0;

		stop_writer(&stopped, &done);
		for (size_t i = 0; i < N; i++) {
			(void)snprintf(id, sizeof(id), "unit-%d-%zu", skip, i);
			help_issue(&h, &issues[i], NULL, 0, id);
			issues[i].t1.op.done = count_done;
			issues[i].t1.op.ctx = &done;
			ck_assert_int_eq(
			        store_issue_begin(h.store, &issues[i].t1),
			        RC_PENDING);
		}
		atomic_store(&put_skips, skip);
		atomic_store(&put_fails, MDB_MAP_FULL);
		let_writer_go();
		wait_until(&done, N + 1);
		ck_assert_int_eq(atomic_load(&put_fails), 0);
		ck_assert_int_eq(atomic_load(&commits), 1 + N);
		for (size_t i = 0; i < N; i++)
			ck_assert_int_eq(issues[i].t1.op.rc, RC_OK);
	}
	ck_assert_uint_eq(help_stat(&h).intents, N * PUTS);
	help_close_and_check(&h);
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
	ck_assert_int_eq(help_revoke(&h, &key), RC_OK);
	ck_assert_int_eq(help_state(&h, &key), CERT_REVOKED);
	help_close_and_check(&h);
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
	help_close_and_check(&h);
}
END_TEST

START_TEST(disk_below_its_watermark_issues_nothing_but_still_revokes)
{
	struct store_revoke lot = { .by = REVOKE_BY_ISSUE, .to_us = INT64_MAX };
	struct cert_key key = help_certificate(&h, "unit-1", 0, "a");

	(void)help_certificate(&h, "unit-3", 0, "b");

	store_close(h.store);
	h.opts.low_bytes = UINT64_MAX;
	help_open(&h);
	ck_assert_int_eq(try_issue("unit-2"), RC_UNAVAILABLE);
	ck_assert_int_eq(help_revoke(&h, &key), RC_OK);
	ck_assert_uint_eq(revoke_all(lot), 2);
	ck_assert_uint_eq(help_stat(&h).revoked, 2);
	ck_assert(!help_stat(&h).halted);
	help_close_and_check(&h);
}
END_TEST

/* A file that may not grow is what a full disk looks like. */
START_TEST(full_disk_is_found_before_a_commit)
{
	struct store_revoke lot = { .by = REVOKE_BY_ISSUE, .to_us = INT64_MAX };
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
	ck_assert_int_eq(help_revoke(&h, &key), RC_OK);
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(HELP_DO(&h, store_revoke, &lot), RC_OK);
		lot.cursor = lot.next;
	}
	ck_assert_uint_eq(help_stat(&h).revoked, 5);
	for (rc = RC_OK; rc == RC_OK;)
		rc = HELP_DO(&h, store_audit, &op);
	ck_assert_int_eq(rc, RC_UNAVAILABLE);
	ck_assert(!help_stat(&h).halted);
	help_close_and_check(&h);
}
END_TEST

/* --- group commit */

START_TEST(what_waits_shares_one_commit)
{
	static struct store_audit ops[STORE_BATCH_MAX];
	struct store_audit busy;
	size_t done = 0;

	stop_writer(&busy, &done);
	for (size_t i = 0; i < STORE_BATCH_MAX; i++) {
		ops[i] = (struct store_audit){ .event = "x" };
		ops[i].op.done = count_done;
		ops[i].op.ctx = &done;
		ck_assert_int_eq(store_audit(h.store, &ops[i]), RC_PENDING);
	}
	let_writer_go();
	wait_until(&done, STORE_BATCH_MAX + 1);
	/* the stopped one, and one for all the others */
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
	stop_writer(&busy, &done);
	ck_assert_int_eq(store_issue_begin(h.store, &i.t1), RC_PENDING);
	ck_assert_int_eq(store_issue_finish(h.store, &i.t2), RC_PENDING);
	let_writer_go();
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

	stop_writer(&busy, &done);
	for (size_t i = 0; i < STORE_QUEUE_MAX; i++) {
		ops[i] = (struct store_audit){ .event = "x" };
		ops[i].op.done = count_done;
		ops[i].op.ctx = &done;
		ck_assert_int_eq(store_audit(h.store, &ops[i]),
		        i + 1 < STORE_QUEUE_MAX ? RC_PENDING : RC_BUSY);
	}
	let_writer_go();
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
	tcase_add_loop_test(tc, key_is_found_whatever_index_there_is, 0, 3);
	tcase_add_test(tc, part_that_failed_in_a_batch_skips_nobody);
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
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *r;
	int failed;

	r = srunner_create(suite());
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
