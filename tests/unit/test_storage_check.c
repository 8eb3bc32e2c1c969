/* store_check() and what it must find; a changed trail. */
#include "tests/unit/store_tamper.h"

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
	tamper(&h, tampers[_i].tree, tampers[_i].change);
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
	tamper(&h, "audit", change_first);
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
	tcase_add_loop_test(tc, check_finds_what_was_tampered_with, 0,
	        sizeof(tampers) / sizeof(tampers[0]));
	tcase_add_test(tc, check_counts_what_there_is);
	tcase_add_test(tc, audit_scan_shows_a_changed_entry);
	suite_add_tcase(s, tc);
	suite_add_tcase(s, test_storage_check_asked());
	suite_add_tcase(s, test_storage_upgrade());
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
