/* store_check() and what it must find; schema versions; a changed trail. */
#include "tests/unit/store_help.h"

#include <check.h>
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>

static struct help h;

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

/* As version 1 had it: shards without the order of revocation. */
static int put_schema_1(MDB_txn *txn, MDB_dbi dbi)
{
	static uint8_t version[] = { 0, 0, 0, 1 };
	static uint8_t old[] = { 0, 0, 0, 1, 0, 2, 's' };
	MDB_val key = { 6, "schema" }, val = { 4, version };
	int err = mdb_put(txn, dbi, &key, &val, 0);

	if (err == 0)
		err = mdb_dbi_open(txn, "shard", 0, &dbi);
	if (err == 0)
		err = mdb_drop(txn, dbi, 0);
	key = (MDB_val){ sizeof(old), old };
	return err == 0 ? mdb_put(txn, dbi, &key, &val, 0) : err;
}

START_TEST(earlier_schema_version_is_carried_over)
{
	static const char *const names[] = { "unit-1", "unit-2", "unit-3" };
	struct store_opts other = h.opts;
	struct why why = WHY_NONE;
	struct store_check_report r;
	struct cert_key key;
	struct help_issue i;

	for (int n = 0; n < 3; n++) {
		help_issue(&h, &i, names[n], 0, names[n]);
		i.t1.shard = (uint16_t)n; /* 0: none */
		key = i.t1.key;
		ck_assert_int_eq(help_t1(&h, &i), RC_OK);
		ck_assert_int_eq(help_t2(&h, &i), RC_OK);
		ck_assert_int_eq(help_revoke(&h, &key), RC_OK);
	}
	tamper("meta", put_schema_1);
	/* By who may make a store, and by nobody else. */
	other.create = false;
	ck_assert_int_eq(
	        store_open(&h.store, &other, h.loop, &why), RC_CONFLICT);
	ck_assert_ptr_nonnull(strstr(why.text, "version 1"));
	help_open(&h);
	r = help_close_and_check(&h);
	ck_assert_uint_eq(r.faults, 0);
	ck_assert_uint_eq(r.revoked, 3);
}
END_TEST

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
	ck_assert_int_eq(help_revoke(&h, &key), RC_OK);
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
	r = help_check(&h);
	ck_assert_msg(r.faults > 0, "%s", tampers[_i].tree);
}
END_TEST

START_TEST(check_counts_what_there_is)
{
	struct store_check_report r;

	fill();
	r = help_close_and_check(&h);
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
	Suite *s = suite_create("storage check");
	TCase *tc = tcase_create("check");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, another_schema_version_is_refused);
	tcase_add_test(tc, earlier_schema_version_is_carried_over);
	tcase_add_loop_test(tc, check_finds_what_was_tampered_with, 0,
	        sizeof(tampers) / sizeof(tampers[0]));
	tcase_add_test(tc, check_counts_what_there_is);
	tcase_add_test(tc, audit_scan_shows_a_changed_entry);
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
