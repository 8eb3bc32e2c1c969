/* Stores of earlier schema versions: carried over, and nothing is lost. */
#include "tests/unit/store_tamper.h"

#include "base/clock.h"
#include "storage/lmdb.h"
#include <stdio.h>
#include <string.h>

#define HOUR_US (INT64_C(3600) * 1000000)

static struct help h;
static struct cert_key good, revoked; /* of fill() */

static void issue(struct help_issue *i, const char *device, const char *text)
{
	help_issue(&h, i, device, help_device(&h, device), text);
}

static void finish(struct help_issue *i)
{
	ck_assert_int_eq(help_t1(&h, i), RC_OK);
	ck_assert_int_eq(help_t2(&h, i), RC_OK);
}

static void fill_records(void)
{
	struct store_quota_put quota = { .op.actor = "operator",
		.quota = { .name = "lot", .limit = 10 } };
	struct store_key_block block = { .op.actor = "operator" };
	struct store_approval_ask ask = { .op.actor = "operator",
		.approval = { .asked_by = 1,
		        .action = "code.sign",
		        .object = "factory",
		        .expires_us = clock_now_us() + HOUR_US } };
	struct store_audit audit = { .op.actor = "operator", .event = "note" };

	ck_assert_int_eq(HELP_DO(&h, store_quota_put, &quota), RC_OK);
	help_hash(block.spki_hash, "stolen");
	ck_assert_int_eq(HELP_DO(&h, store_key_block, &block), RC_OK);
	ck_assert_int_eq(HELP_DO(&h, store_approval_ask, &ask), RC_OK);
	ck_assert_int_eq(HELP_DO(&h, store_audit, &audit), RC_OK);
	help_token(&h, "unspent", "unit-9");
}

/* An entry in each tree but that of requests that wait. */
static void fill(void)
{
	struct store_abandon abandon = { .what = ABANDON_ONE };
	struct help_issue i;
	char name[16];

	h.opts.index_keys = true;
	help_open(&h);
	help_authority(&h);
	fill_records();
	for (int n = 0; n < 6; n++) {
		(void)snprintf(name, sizeof(name), "unit-%d", n);
		issue(&i, name, name);
		i.t1.shard = (uint16_t)(n % 3); /* 0: none */
		finish(&i);
		good = i.t1.key;
		if (n % 2 == 0) {
			revoked = i.t1.key;
			ck_assert_int_eq(help_revoke(&h, &revoked), RC_OK);
		}
	}
	issue(&i, "unit-5", "renewed");
	i.t1.credential.kind = CREDENTIAL_OWN;
	i.t1.credential.cert = good;
	i.t2.supersede_after_s = 3600;
	finish(&i);
	help_token(&h, "spent", "unit-6");
	issue(&i, "unit-6", "by token");
	i.t1.credential.kind = CREDENTIAL_TOKEN;
	help_hash(i.t1.credential.hash, "spent");
	finish(&i);
	issue(&i, "unit-7", "abandoned");
	ck_assert_int_eq(help_t1(&h, &i), RC_OK);
	abandon.key = i.t1.key;
	ck_assert_int_eq(HELP_DO(&h, store_abandon, &abandon), RC_OK);
	issue(&i, "unit-8", "in flight");
	ck_assert_int_eq(help_t1(&h, &i), RC_OK);
}

static void setup(void)
{
	help_begin(&h);
	fill();
}

static void teardown(void)
{
	help_end(&h);
}

/* --- what stands in the trees */
struct dump {
	struct buf trees[TREE_COUNT];
};

static int read_tree(void *ctx, MDB_txn *txn, MDB_dbi dbi)
{
	MDB_val key, val;
	MDB_cursor *cursor;
	struct buf *out = ctx;
	int err = mdb_cursor_open(txn, dbi, &cursor);

	ck_assert_int_eq(err, 0);
	while ((err = mdb_cursor_get(cursor, &key, &val, MDB_NEXT)) == 0) {
		pack_bytes(out, bytes_of(key.mv_data, key.mv_size));
		pack_bytes(out, bytes_of(val.mv_data, val.mv_size));
	}
	mdb_cursor_close(cursor);
	ck_assert_int_eq(err, MDB_NOTFOUND);
	ck_assert_int_eq(out->failed, RC_OK);
	return 0;
}

static void dump(struct dump *d)
{
	for (int t = 0; t < TREE_COUNT; t++) {
		d->trees[t] = BUF_INIT(1u << 20);
		tamper_with(&h, db_tree_names[t], read_tree, &d->trees[t]);
	}
}

static void dump_free(struct dump *d)
{
	for (int t = 0; t < TREE_COUNT; t++)
		buf_free(&d->trees[t]);
}

/* --- the older forms */
static int put_schema(MDB_txn *txn, MDB_dbi meta, uint8_t number)
{
	uint8_t version[] = { 0, 0, 0, number };
	MDB_val key = { 6, "schema" }, val = { 4, version };

	return mdb_put(txn, meta, &key, &val, 0);
}

/* Version 2 had no requests that wait for an operator. */
static int become_2(MDB_txn *txn, MDB_dbi meta)
{
	MDB_dbi dbi;
	int err = put_schema(txn, meta, 2);

	if (err == 0)
		err = mdb_dbi_open(txn, "waiting", 0, &dbi);
	return err == 0 ? mdb_drop(txn, dbi, 1) : err;
}

/* Version 1 had shards without the order of revocation, too. */
static int become_1(MDB_txn *txn, MDB_dbi meta)
{
	static uint8_t old[] = { 0, 0, 0, 1, 0, 2, 's' };
	MDB_val key = { sizeof(old), old }, val = { 4, "size" };
	MDB_dbi dbi;
	int err = become_2(txn, meta);

	if (err == 0)
		err = put_schema(txn, meta, 1);
	if (err == 0)
		err = mdb_dbi_open(txn, "shard", 0, &dbi);
	if (err == 0)
		err = mdb_drop(txn, dbi, 0);
	return err == 0 ? mdb_put(txn, dbi, &key, &val, 0) : err;
}

static const struct {
	int (*become)(MDB_txn *txn, MDB_dbi meta);
	const char *name;
} versions[] = { { become_1, "version 1" }, { become_2, "version 2" } };

/* By who may make a store, and by nobody else. */
static void check_refused(const char *name, bool readonly)
{
	struct store_opts other = h.opts;
	struct why why = WHY_NONE;

	other.create = false;
	other.readonly = readonly;
	ck_assert_int_eq(
	        store_open(&h.store, &other, h.loop, &why), RC_CONFLICT);
	ck_assert_msg(strstr(why.text, name) != NULL, "%s", why.text);
}

static void check_same(const struct dump *before, const struct dump *after)
{
	for (int t = 0; t < TREE_WAITING; t++) {
		struct bytes old = buf_bytes(&before->trees[t]);
		struct bytes now = buf_bytes(&after->trees[t]);

		ck_assert_msg(old.n > 0, "%s is empty", db_tree_names[t]);
		if (t == TREE_META || t == TREE_SLOT)
			continue; /* each opening is noted there */
		ck_assert_msg(t == TREE_AUDIT ? bytes_starts(now, old)
		                              : bytes_eq(now, old),
		        "%s", db_tree_names[t]);
	}
}

static void check_audited(int from)
{
	static struct store_audit_row rows[STORE_ROWS_MAX];
	struct store_audit_scan scan = { .rows = rows, .max = STORE_ROWS_MAX };
	char detail[32];

	(void)snprintf(detail, sizeof(detail), "from=%d to=%d", from,
	        STORE_SCHEMA_VERSION);
	ck_assert_int_eq(HELP_DO(&h, store_audit_scan, &scan), RC_OK);
	ck_assert(!scan.broken && !scan.more);
	ck_assert_str_eq(rows[scan.n - 1].event, "store.upgrade");
	ck_assert_str_eq(rows[scan.n - 1].detail, detail);
}

/* A request waits, and is picked up. */
static void check_waiting_works(void)
{
	struct store_waiting_decide decide = {
		.id = 1, .by = 1, .approve = true
	};
	struct store_wait wait = { .label = "line1",
		.request = BYTES_LIT("a certification request"),
		.life_us = HOUR_US };
	struct help_issue i;

	issue(&i, "unit-9", "waits");
	i.t1.wait = &wait;
	i.t1.credential.kind = CREDENTIAL_TOKEN;
	help_hash(i.t1.credential.hash, "unspent");
	ck_assert_int_eq(help_t1(&h, &i), RC_WAITING);
	ck_assert_int_eq(HELP_DO(&h, store_waiting_decide, &decide), RC_OK);
	finish(&i);
}

START_TEST(earlier_schema_version_is_carried_over_and_nothing_is_lost)
{
	struct store_stat stat = help_stat(&h), now;
	struct dump before = { .trees = { { 0 } } };
	struct dump after = { .trees = { { 0 } } };

	dump(&before);
	tamper(&h, "meta", versions[_i].become);
	check_refused(versions[_i].name, false);
	check_refused(versions[_i].name, true);
	help_open(&h);
	dump(&after);
	check_same(&before, &after);
	ck_assert_uint_eq(after.trees[TREE_WAITING].n, 0);
	/* Once: it is of this version now. */
	help_open(&h);
	check_audited(_i + 1);
	now = help_stat(&h);
	ck_assert_uint_eq(now.issued, stat.issued);
	ck_assert_uint_eq(now.revoked, stat.revoked);
	ck_assert_uint_eq(now.feed_position, stat.feed_position);
	ck_assert_int_eq(help_state(&h, &good), CERT_ISSUED);
	ck_assert_int_eq(help_state(&h, &revoked), CERT_REVOKED);
	check_waiting_works();
	(void)help_close_and_check(&h);
	dump_free(&before);
	dump_free(&after);
}
END_TEST

static int become_99(MDB_txn *txn, MDB_dbi meta)
{
	return put_schema(txn, meta, 99);
}

START_TEST(later_schema_version_is_refused)
{
	struct why why = WHY_NONE;

	tamper(&h, "meta", become_99);
	ck_assert_int_eq(
	        store_open(&h.store, &h.opts, h.loop, &why), RC_CONFLICT);
	ck_assert_ptr_nonnull(strstr(why.text, "99"));
}
END_TEST

/* One that says it is of this version, and lacks a tree. */
static int lose_waiting(MDB_txn *txn, MDB_dbi dbi)
{
	return mdb_drop(txn, dbi, 1);
}

START_TEST(store_that_lacks_a_tree_is_not_opened_unasked)
{
	struct store_opts other = h.opts;
	struct why why = WHY_NONE;

	tamper(&h, "waiting", lose_waiting);
	other.create = false;
	ck_assert_int_eq(
	        store_open(&h.store, &other, h.loop, &why), RC_NOTFOUND);
}
END_TEST

TCase *test_storage_upgrade(void)
{
	TCase *tc = tcase_create("upgrade");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc,
	        earlier_schema_version_is_carried_over_and_nothing_is_lost, 0,
	        sizeof(versions) / sizeof(versions[0]));
	tcase_add_test(tc, later_schema_version_is_refused);
	tcase_add_test(tc, store_that_lacks_a_tree_is_not_opened_unasked);
	return tc;
}
