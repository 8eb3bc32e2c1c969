/* Lists: all of them, in order, in pages, nothing skipped or repeated. */
#include "tests/unit/store_contract.h"

#include "base/clock.h"
#include <stdio.h>
#include <string.h>

static struct help *const h = &contract;

#define N 9

static struct cert_key keys[N]; /* in order of issue */

/* unit-0, unit-1 and unit-2 in turn; certificate i ends i days later. */
static void issue_some(void)
{
	struct help_issue issue;
	char id[16], text[16];

	for (int i = 0; i < N; i++) {
		(void)snprintf(id, sizeof(id), "unit-%d", i % 3);
		(void)snprintf(text, sizeof(text), "%d", i);
		help_issue(h, &issue, id, help_device(h, id), text);
		issue.t1.not_after_s += i * 86400;
		ck_assert_int_eq(help_t1(h, &issue), RC_OK);
		ck_assert_int_eq(help_t2(h, &issue), RC_OK);
		keys[i] = issue.t1.key;
	}
}

/* Walk a list in pages of two; gives the count, and the indices of keys. */
static size_t walk(struct store_list *op, int *found, size_t max)
{
	struct store_cert rows[2];
	size_t n = 0;

	op->rows = rows;
	op->max = 2;
	op->cursor.n = 0;
	do {
		ck_assert_int_eq(HELP_DO(h, store_list, op), RC_OK);
		ck_assert(op->n == 2 || !op->more);
		for (size_t i = 0; i < op->n; i++) {
			ck_assert_uint_lt(n, max);
			found[n] = -1;
			for (int k = 0; k < N; k++) {
				if (memcmp(&keys[k], &rows[i].key,
				            sizeof(keys[k])) == 0)
					found[n] = k;
			}
			n++;
		}
	} while (op->more);
	return n;
}

START_TEST(list_by_sequence_is_in_order_of_issue)
{
	struct store_list op = { .by = LIST_BY_SEQUENCE };
	int found[N];

	ck_assert_uint_eq(walk(&op, found, N), 0);
	issue_some();
	ck_assert_uint_eq(walk(&op, found, N), N);
	for (int i = 0; i < N; i++)
		ck_assert_int_eq(found[i], i);
}
END_TEST

START_TEST(list_goes_on_after_its_cursor_when_more_was_issued)
{
	struct store_cert rows[N];
	struct store_list op = {
		.by = LIST_BY_SEQUENCE, .rows = rows, .max = N
	};

	issue_some();
	ck_assert_int_eq(HELP_DO(h, store_list, &op), RC_OK);
	ck_assert(!op.more);
	(void)help_certificate(h, "unit-0", 1, "more");
	ck_assert_int_eq(HELP_DO(h, store_list, &op), RC_OK);
	ck_assert_uint_eq(op.n, 1);
	ck_assert_uint_eq(rows[0].sequence, N + 1);
}
END_TEST

START_TEST(list_by_device_has_its_own_alone)
{
	struct store_list op = { .by = LIST_BY_DEVICE, .device = "unit-1" };
	int found[N];

	issue_some();
	ck_assert_uint_eq(walk(&op, found, N), 3);
	ck_assert_int_eq(found[0], 1);
	ck_assert_int_eq(found[1], 4);
	ck_assert_int_eq(found[2], 7);
	op.device = "unit-9";
	op.cursor.n = 0;
	ck_assert_int_eq(HELP_DO(h, store_list, &op), RC_NOTFOUND);
}
END_TEST

START_TEST(list_by_key_finds_the_public_key)
{
	struct store_list op = { .by = LIST_BY_KEY };
	int found[N];

	issue_some();
	help_hash(op.spki_hash, "key 5");
	ck_assert_uint_eq(walk(&op, found, N), 1);
	ck_assert_int_eq(found[0], 5);
	help_hash(op.spki_hash, "key 99");
	ck_assert_uint_eq(walk(&op, found, N), 0);
}
END_TEST

START_TEST(list_by_expiry_is_half_open)
{
	struct store_fetch fetch = { .der = BUF_INIT(256) };
	struct store_list op = { .by = LIST_BY_EXPIRY };
	int found[N];

	issue_some();
	fetch.key = keys[2];
	ck_assert_int_eq(HELP_DO(h, store_fetch, &fetch), RC_OK);
	op.from_s = fetch.cert.not_after_s;
	fetch.key = keys[5];
	ck_assert_int_eq(HELP_DO(h, store_fetch, &fetch), RC_OK);
	op.to_s = fetch.cert.not_after_s;
	ck_assert_uint_eq(walk(&op, found, N), 3);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(found[i], i + 2);
	buf_free(&fetch.der);
}
END_TEST

START_TEST(list_by_revocation_has_held_and_revoked)
{
	struct store_list op = { .by = LIST_BY_REVOCATION };
	struct store_set_status change = { .key = keys[0] };
	int found[N];

	issue_some();
	op.authority = h->authority;
	for (int i = 1; i <= 3; i++) {
		change.key = keys[i];
		change.change = i == 2 ? STATUS_HOLD : STATUS_REVOKE;
		ck_assert_int_eq(HELP_DO(h, store_set_status, &change), RC_OK);
	}
	ck_assert_uint_eq(walk(&op, found, N), 3);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(found[i], i + 1);
	change.key = keys[2];
	change.change = STATUS_RELEASE;
	ck_assert_int_eq(HELP_DO(h, store_set_status, &change), RC_OK);
	ck_assert_uint_eq(walk(&op, found, N), 2);
	op.authority = 99;
	ck_assert_uint_eq(walk(&op, found, N), 0);
}
END_TEST

START_TEST(intents_and_abandoned_are_listed)
{
	struct store_list op = { .by = LIST_INTENTS };
	struct store_abandon abandon = { .what = ABANDON_ONE };
	struct help_issue issue;
	struct store_cert row;
	int found[N];

	help_issue(h, &issue, "unit-1", 0, "a");
	ck_assert_int_eq(help_t1(h, &issue), RC_OK);
	ck_assert_uint_eq(walk(&op, found, N), 1);
	op.by = LIST_ABANDONED;
	ck_assert_uint_eq(walk(&op, found, N), 0);
	abandon.key = issue.t1.key;
	ck_assert_int_eq(HELP_DO(h, store_abandon, &abandon), RC_OK);
	op.cursor.n = 0;
	op.rows = &row;
	op.max = 1;
	ck_assert_int_eq(HELP_DO(h, store_list, &op), RC_OK);
	ck_assert_uint_eq(op.n, 1);
	ck_assert_int_eq(row.state, CERT_ABANDONED);
	ck_assert_str_eq(row.device, "unit-1");
	op.by = LIST_INTENTS;
	ck_assert_uint_eq(walk(&op, found, N), 0);
}
END_TEST

START_TEST(cursor_of_another_list_is_malformed)
{
	struct store_cert row;
	struct store_list op = {
		.by = LIST_BY_DEVICE, .device = "unit-1", .rows = &row, .max = 1
	};

	issue_some();
	ck_assert_int_eq(HELP_DO(h, store_list, &op), RC_OK);
	op.device = "unit-2";
	ck_assert_int_eq(HELP_DO(h, store_list, &op), RC_MALFORMED);
	op.max = STORE_ROWS_MAX + 1;
	ck_assert_int_eq(HELP_DO(h, store_list, &op), RC_TOOBIG);
}
END_TEST

START_TEST(devices_are_listed_in_pages)
{
	struct store_device rows[2];
	struct store_device_list op = { .rows = rows, .max = 2 };
	size_t n = 0;
	char id[16];

	issue_some();
	do {
		ck_assert_int_eq(HELP_DO(h, store_device_list, &op), RC_OK);
		for (size_t i = 0; i < op.n; i++) {
			(void)snprintf(id, sizeof(id), "unit-%zu", n++);
			ck_assert_str_eq(rows[i].id, id);
		}
	} while (op.more);
	ck_assert_uint_eq(n, 3);
}
END_TEST

START_TEST(status_rows_are_of_one_snapshot)
{
	struct store_status_row rows[N + 1];
	struct store_status op = { .rows = rows, .n = N + 1 };

	issue_some();
	for (int i = 0; i < N; i++)
		rows[i].key = keys[i];
	rows[N].key = help_serial(h);
	ck_assert_int_eq(HELP_DO(h, store_status, &op), RC_OK);
	for (int i = 0; i < N; i++) {
		ck_assert_int_eq(rows[i].state, CERT_ISSUED);
		ck_assert_uint_eq(rows[i].sequence, (uint64_t)i + 1);
	}
	ck_assert_int_eq(rows[N].state, 0);
	ck_assert_uint_eq(op.position, 0);
}
END_TEST

void contract_lists(TCase *tc)
{
	tcase_add_test(tc, list_by_sequence_is_in_order_of_issue);
	tcase_add_test(tc, list_goes_on_after_its_cursor_when_more_was_issued);
	tcase_add_test(tc, list_by_device_has_its_own_alone);
	tcase_add_test(tc, list_by_key_finds_the_public_key);
	tcase_add_test(tc, list_by_expiry_is_half_open);
	tcase_add_test(tc, list_by_revocation_has_held_and_revoked);
	tcase_add_test(tc, intents_and_abandoned_are_listed);
	tcase_add_test(tc, cursor_of_another_list_is_malformed);
	tcase_add_test(tc, devices_are_listed_in_pages);
	tcase_add_test(tc, status_rows_are_of_one_snapshot);
}
