/* Revoking many: who is meant, part after part, and that nobody slips through
 * while it goes on. */
#include "tests/unit/store_contract.h"

#include "base/clock.h"
#include <stdio.h>
#include <string.h>

static struct help *const h = &contract;

#define MANY (STORE_ROWS_MAX + 44)
#define HOUR_S INT64_C(3600)

struct sum {
	uint32_t selected, changed;
	unsigned parts;
};

/* One part, as an honest caller. A part that was in doubt and went again finds
 * its work done: behind the shim `changed` may be too small. */
static enum rc part(struct store_revoke *op, struct sum *sum)
{
	enum rc rc = HELP_DO(h, store_revoke, op);

	if (rc != RC_OK)
		return rc;
	ck_assert_uint_le(op->selected, STORE_ROWS_MAX);
	ck_assert_uint_le(op->changed, op->selected);
	sum->selected += op->selected;
	sum->changed += op->changed;
	sum->parts++;
	op->cursor = op->next;
	return RC_OK;
}

static struct sum whole(struct store_revoke op)
{
	struct sum sum = { 0 };

	op.op.actor = "operator uid 0";
	do {
		enum rc rc = part(&op, &sum);

		ck_assert_msg(rc == RC_OK, "%s", op.op.why.text);
	} while (op.more);
	return sum;
}

static struct sum would(struct store_revoke op)
{
	op.dry_run = true;
	return whole(op);
}

static struct store_revoke by_device(const char *device)
{
	return (struct store_revoke){ .by = REVOKE_BY_DEVICE,
		.device = device,
		.reason = REASON_CESSATION_OF_OPERATION };
}

static struct store_revoke by_key(const uint8_t hash[STORE_HASH_BYTES])
{
	struct store_revoke op = { .by = REVOKE_BY_KEY,
		.reason = REASON_KEY_COMPROMISE };

	memcpy(op.spki_hash, hash, STORE_HASH_BYTES);
	return op;
}

static struct store_revoke by_issue(int64_t from_us, int64_t to_us)
{
	return (struct store_revoke){ .by = REVOKE_BY_ISSUE,
		.authorities = &h->authority,
		.n_authorities = 1,
		.from_us = from_us,
		.to_us = to_us,
		.reason = REASON_SUPERSEDED };
}

static struct store_status_row status_of(const struct cert_key *key)
{
	struct store_status_row row = { .key = *key };
	struct store_status op = { .rows = &row, .n = 1 };

	ck_assert_int_eq(HELP_DO(h, store_status, &op), RC_OK);
	return row;
}

static void must_be(const struct cert_key *key, enum cert_state state,
        enum cert_reason reason)
{
	struct store_status_row row = status_of(key);

	ck_assert_int_eq(row.state, state);
	ck_assert_int_eq(row.reason, reason);
}

static void must_set(const struct cert_key *key,
        enum store_status_change change, enum cert_reason reason)
{
	struct store_set_status op = {
		.key = *key, .change = change, .reason = reason
	};

	ck_assert_int_eq(HELP_DO(h, store_set_status, &op), RC_OK);
}

static void must_suspend(const char *id, bool resume)
{
	struct store_device_suspend op = { .id = id, .resume = resume };

	ck_assert_int_eq(HELP_DO(h, store_device_suspend, &op), RC_OK);
}

/* MANY devices with a certificate each. */
static void issue_many(void)
{
	static struct help_issue issues[MANY];
	static struct store_op *ops[MANY];
	static char ids[MANY][16];

	for (int i = 0; i < MANY; i++) {
		(void)snprintf(ids[i], sizeof(ids[i]), "many-%d", i);
		help_issue(h, &issues[i], ids[i], 0, ids[i]);
		ops[i] = &issues[i].t1.op;
	}
	ck_assert_uint_eq(
	        help_do_all(h, ops, MANY,
	                (help_send_fn *)(void (*)(void))store_issue_begin),
	        MANY);
	for (int i = 0; i < MANY; i++)
		ops[i] = &issues[i].t2.op;
	/* Recorded already counts as well. */
	(void)help_do_all(h, ops, MANY,
	        (help_send_fn *)(void (*)(void))store_issue_finish);
}

/* --- a device */

START_TEST(revoked_device_has_no_good_certificate_and_gets_none)
{
	struct cert_key keys[4];
	struct help_issue flying, late;
	struct sum sum;

	for (int i = 0; i < 4; i++) {
		char text[8];

		(void)snprintf(text, sizeof(text), "%d", i);
		keys[i] = help_certificate(h, "unit-1", i > 0, text);
	}
	must_set(&keys[1], STATUS_HOLD, 0);
	must_set(&keys[2], STATUS_REVOKE, REASON_SUPERSEDED);
	help_issue(h, &flying, "unit-1", 1, "flying");
	ck_assert_int_eq(help_t1(h, &flying), RC_OK);
	sum = would(by_device("unit-1"));
	ck_assert_uint_eq(sum.selected, 4);
	ck_assert_uint_eq(sum.changed, 3);
	ck_assert_uint_eq(help_device(h, "unit-1"), 1);
	sum = whole(by_device("unit-1"));
	ck_assert_uint_eq(sum.selected, 4);
	must_be(&keys[0], CERT_REVOKED, REASON_CESSATION_OF_OPERATION);
	must_be(&keys[1], CERT_REVOKED, REASON_CESSATION_OF_OPERATION);
	must_be(&keys[2], CERT_REVOKED, REASON_SUPERSEDED);
	/* What was in flight is recorded, and never good. */
	ck_assert_int_eq(help_t2(h, &flying), RC_DENIED);
	ck_assert_int_eq(help_state(h, &flying.t1.key), CERT_REVOKED);
	help_issue(h, &late, "unit-1", help_device(h, "unit-1"), "late");
	ck_assert_int_eq(help_t1(h, &late), RC_DENIED);
	/* An operator may let it in again, and un-revokes nothing. */
	must_suspend("unit-1", true);
	ck_assert_uint_eq(would(by_device("unit-1")).changed, 0);
	help_issue(h, &late, "unit-1", help_device(h, "unit-1"), "late");
	ck_assert_int_eq(help_t1(h, &late), RC_OK);
}
END_TEST

START_TEST(revoked_device_that_is_suspended_keeps_nothing_held)
{
	struct cert_key key = help_certificate(h, "unit-1", 0, "a");

	must_suspend("unit-1", false);
	ck_assert_uint_eq(would(by_device("unit-1")).changed, 1);
	whole(by_device("unit-1"));
	must_suspend("unit-1", true);
	must_be(&key, CERT_REVOKED, REASON_CESSATION_OF_OPERATION);
}
END_TEST

START_TEST(revoke_by_device_refuses_what_is_none)
{
	struct store_revoke op = by_device("nobody");
	struct sum sum = { 0 };

	ck_assert_int_eq(part(&op, &sum), RC_NOTFOUND);
	op.dry_run = true;
	ck_assert_int_eq(part(&op, &sum), RC_NOTFOUND);
	op.device = "";
	ck_assert_int_eq(part(&op, &sum), RC_MALFORMED);
	op.device = "nobody";
	op.change = STATUS_HOLD;
	ck_assert_int_eq(part(&op, &sum), RC_UNSUPPORTED);
}
END_TEST

/* --- a key */

START_TEST(revoked_key_is_blocked_before_its_certificates_are_found)
{
	struct help_issue flying, late;
	struct cert_key mine, other, second;
	struct sum sum;

	mine = help_certificate(h, "unit-1", 0, "a");
	other = help_certificate(h, "unit-2", 0, "b");
	help_issue(h, &late, "unit-3", 0, "c");
	help_issue(h, &flying, "unit-4", 0, "d");
	help_hash(flying.t1.spki_hash, "key a");
	help_hash(late.t1.spki_hash, "key a");
	ck_assert_int_eq(help_t1(h, &late), RC_OK);
	ck_assert_int_eq(help_t2(h, &late), RC_OK);
	second = late.t1.key;
	ck_assert_int_eq(help_t1(h, &flying), RC_OK);
	sum = would(by_key(flying.t1.spki_hash));
	ck_assert_uint_eq(sum.selected, 2);
	ck_assert_uint_eq(sum.changed, 2);
	sum = whole(by_key(flying.t1.spki_hash));
	ck_assert_uint_eq(sum.selected, 2);
	must_be(&mine, CERT_REVOKED, REASON_KEY_COMPROMISE);
	must_be(&second, CERT_REVOKED, REASON_KEY_COMPROMISE);
	must_be(&other, CERT_ISSUED, 0);
	ck_assert_int_eq(help_t2(h, &flying), RC_DENIED);
	ck_assert_int_eq(help_state(h, &flying.t1.key), CERT_REVOKED);
	/* And it may be called what it is. */
	whole(by_key(flying.t1.spki_hash));
	must_be(&flying.t1.key, CERT_REVOKED, REASON_KEY_COMPROMISE);
	help_issue(h, &late, "unit-5", 0, "e");
	help_hash(late.t1.spki_hash, "key a");
	ck_assert_int_eq(help_t1(h, &late), RC_BLOCKED);
}
END_TEST

START_TEST(key_that_nobody_had_is_blocked_all_the_same)
{
	struct store_revoke op;
	struct help_issue issue;

	help_issue(h, &issue, "unit-1", 0, "a");
	op = by_key(issue.t1.spki_hash);
	op.reason = REASON_UNSPECIFIED;
	ck_assert_uint_eq(would(op).selected, 0);
	ck_assert_uint_eq(whole(op).selected, 0);
	ck_assert_int_eq(help_t1(h, &issue), RC_BLOCKED);
}
END_TEST

START_TEST(held_key_is_not_blocked)
{
	struct cert_key key = help_certificate(h, "unit-1", 0, "a");
	struct store_revoke op = { .by = REVOKE_BY_KEY, .change = STATUS_HOLD };
	struct help_issue again;

	help_hash(op.spki_hash, "key a");
	whole(op);
	must_be(&key, CERT_HELD, REASON_CERTIFICATE_HOLD);
	help_issue(h, &again, "unit-1", 1, "b");
	help_hash(again.t1.spki_hash, "key a");
	ck_assert_int_eq(help_t1(h, &again), RC_OK);
	op.change = STATUS_RELEASE;
	whole(op);
	must_be(&key, CERT_ISSUED, 0);
}
END_TEST

/* --- a lot */

static int64_t issued_us(const struct cert_key *key)
{
	struct store_fetch op = { .key = *key, .der = BUF_INIT(4096) };
	int64_t us;

	ck_assert_int_eq(HELP_DO(h, store_fetch, &op), RC_OK);
	us = op.cert.issued_us;
	buf_free(&op.der);
	return us;
}

START_TEST(lot_is_half_open_and_of_its_authorities)
{
	uint32_t other = h->authority + 1;
	struct cert_key keys[5];
	struct store_revoke op;
	char id[16];

	for (int i = 0; i < 5; i++) {
		clock_set_shift_s(i * 2 * HOUR_S);
		(void)snprintf(id, sizeof(id), "unit-%d", i);
		keys[i] = help_certificate(h, id, 0, id);
	}
	op = by_issue(issued_us(&keys[1]), issued_us(&keys[3]));
	op.authorities = &other;
	ck_assert_uint_eq(whole(op).selected, 0);
	op.n_authorities = 0;
	ck_assert_uint_eq(would(op).changed, 2);
	op.authorities = &h->authority;
	op.n_authorities = 1;
	ck_assert_uint_eq(whole(op).selected, 2);
	for (int i = 0; i < 5; i++)
		must_be(&keys[i], i == 1 || i == 2 ? CERT_REVOKED : CERT_ISSUED,
		        i == 1 || i == 2 ? REASON_SUPERSEDED : 0);
	op = by_issue(issued_us(&keys[4]) + 1, INT64_MAX);
	ck_assert_uint_eq(whole(op).selected, 0);
	op = by_issue(INT64_MIN / 2, issued_us(&keys[0]));
	ck_assert_uint_eq(whole(op).selected, 0);
	clock_set_shift_s(0);
}
END_TEST

START_TEST(lot_leaves_out_the_daemons_own)
{
	struct help_issue own;
	struct store_revoke op = by_issue(0, INT64_MAX);

	help_issue(h, &own, NULL, 0, "own");
	own.t1.credential.kind = CREDENTIAL_SYSTEM;
	ck_assert_int_eq(help_t1(h, &own), RC_OK);
	ck_assert_int_eq(help_t2(h, &own), RC_OK);
	(void)help_certificate(h, "unit-1", 0, "a");
	ck_assert_uint_eq(whole(op).selected, 1);
	must_be(&own.t1.key, CERT_ISSUED, 0);
	op = by_key(own.t1.spki_hash);
	ck_assert_uint_eq(whole(op).selected, 1);
}
END_TEST

/* Sequence order is not quite time order. */
START_TEST(lot_is_found_across_a_clock_that_was_set_back)
{
	static const int64_t shifts_s[] = { 0, 200, 3, 250, 10, 20, 280, 60,
		200, 100, 500, 230, 510 };
	enum { N = sizeof(shifts_s) / sizeof(shifts_s[0]) };
	struct cert_key keys[N];
	int64_t us[N];
	uint32_t n;
	char id[16];

	for (int i = 0; i < N; i++) {
		clock_set_shift_s(shifts_s[i]);
		(void)snprintf(id, sizeof(id), "unit-%d", i);
		keys[i] = help_certificate(h, id, 0, id);
		us[i] = issued_us(&keys[i]);
	}
	clock_set_shift_s(0);
	for (int from = 0; from < N; from++)
		for (int to = 0; to < N; to++) {
			n = 0;
			for (int i = 0; i < N; i++)
				n += us[i] >= us[from] && us[i] < us[to];
			ck_assert_uint_eq(
			        would(by_issue(us[from], us[to])).selected, n);
		}
}
END_TEST

START_TEST(lot_is_changed_by_parts_each_harmless_twice)
{
	struct store_revoke op = by_issue(0, INT64_MAX), first;
	uint64_t feed, audit;
	struct sum sum = { 0 };

	issue_many();
	feed = help_stat(h).feed_position;
	audit = help_stat(h).audit_last;
	sum = would(op);
	ck_assert_uint_eq(sum.changed, MANY);
	ck_assert_uint_eq(sum.parts, 2);
	ck_assert_uint_eq(help_stat(h).feed_position, feed);
	ck_assert_uint_eq(help_stat(h).audit_last, audit);

	memset(&sum, 0, sizeof(sum));
	first = op;
	ck_assert_int_eq(part(&op, &sum), RC_OK);
	ck_assert(op.more);
	ck_assert_uint_eq(help_stat(h).revoked, STORE_ROWS_MAX);
	/* Whoever forgot where he was begins anew. */
	feed = help_stat(h).feed_position;
	ck_assert_int_eq(part(&first, &sum), RC_OK);
	ck_assert_uint_eq(first.changed, 0);
	ck_assert_uint_eq(help_stat(h).feed_position, feed);
	ck_assert_int_eq(part(&first, &sum), RC_OK);
	ck_assert(!first.more);
	ck_assert_uint_eq(first.selected, MANY - STORE_ROWS_MAX);
	ck_assert_uint_eq(help_stat(h).revoked, MANY);
	ck_assert_uint_eq(help_stat(h).feed_position, MANY);
}
END_TEST

START_TEST(lot_is_held_and_released_but_for_what_others_hold)
{
	struct cert_key good = help_certificate(h, "unit-1", 0, "a");
	struct cert_key bad = help_certificate(h, "unit-2", 0, "b");
	struct cert_key theirs = help_certificate(h, "unit-3", 0, "c");
	struct store_revoke op = by_issue(0, INT64_MAX);

	must_set(&bad, STATUS_REVOKE, REASON_SUPERSEDED);
	must_suspend("unit-3", false);
	op.change = STATUS_HOLD;
	ck_assert_uint_eq(would(op).changed, 1);
	whole(op);
	must_be(&good, CERT_HELD, REASON_CERTIFICATE_HOLD);
	op.change = STATUS_RELEASE;
	ck_assert_uint_eq(would(op).changed, 1);
	whole(op);
	must_be(&good, CERT_ISSUED, 0);
	must_be(&bad, CERT_REVOKED, REASON_SUPERSEDED);
	must_be(&theirs, CERT_HELD, REASON_CERTIFICATE_HOLD);
}
END_TEST

/* --- what is told of one */

START_TEST(later_compromise_keeps_the_times_that_are_known)
{
	struct cert_key key = help_certificate(h, "unit-1", 0, "a");
	struct store_set_status op = {
		.key = key, .reason = REASON_SUPERSEDED, .invalidity_s = 1234567
	};
	struct store_status_row before;

	ck_assert_int_eq(HELP_DO(h, store_set_status, &op), RC_OK);
	before = status_of(&key);
	clock_set_shift_s(100);
	op.reason = REASON_KEY_COMPROMISE;
	op.invalidity_s = 0;
	ck_assert_int_eq(HELP_DO(h, store_set_status, &op), RC_OK);
	clock_set_shift_s(0);
	must_be(&key, CERT_REVOKED, REASON_KEY_COMPROMISE);
	ck_assert_int_eq(status_of(&key).invalidity_s, 1234567);
	ck_assert_int_eq(status_of(&key).status_us, before.status_us);
}
END_TEST

START_TEST(dry_run_of_one_tells_and_changes_nothing)
{
	struct cert_key key = help_certificate(h, "unit-1", 0, "a");
	struct store_set_status op = { .key = key, .dry_run = true };

	ck_assert_int_eq(HELP_DO(h, store_set_status, &op), RC_OK);
	ck_assert(op.changed);
	must_be(&key, CERT_ISSUED, 0);
	op.change = STATUS_RELEASE;
	ck_assert_int_eq(HELP_DO(h, store_set_status, &op), RC_CONFLICT);
	must_set(&key, STATUS_REVOKE, 0);
	op.change = STATUS_REVOKE;
	ck_assert_int_eq(HELP_DO(h, store_set_status, &op), RC_OK);
	ck_assert(!op.changed);
	op.key = help_serial(h);
	ck_assert_int_eq(HELP_DO(h, store_set_status, &op), RC_NOTFOUND);
}
END_TEST

START_TEST(reasons_that_no_crl_may_have_are_refused)
{
	struct cert_key key = help_certificate(h, "unit-1", 0, "a");
	static const int reasons[] = { -1, 7, 8, 11 };
	struct store_revoke many = by_device("unit-1");
	struct store_set_status one = { .key = key };
	struct sum sum = { 0 };

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		one.reason = many.reason = (enum cert_reason)reasons[i];
		ck_assert_int_eq(
		        HELP_DO(h, store_set_status, &one), RC_MALFORMED);
		ck_assert_int_eq(part(&many, &sum), RC_MALFORMED);
	}
	many.reason = REASON_CERTIFICATE_HOLD;
	ck_assert_int_eq(part(&many, &sum), RC_CONFLICT);
	must_be(&key, CERT_ISSUED, 0);
}
END_TEST

/* --- what is proven of it */

START_TEST(each_certificate_of_a_lot_is_in_the_audit_trail)
{
	struct store_audit_row rows[16];
	struct store_audit_scan scan = { .rows = rows, .max = 16 };
	struct store_revoke op = by_issue(0, INT64_MAX);
	static const char *const events[] = { "lot.revoke", "key.block",
		"cert.revoke", "key.block", "cert.revoke" };

	(void)help_certificate(h, "unit-1", 0, "a");
	(void)help_certificate(h, "unit-2", 0, "b");
	scan.from = help_stat(h).audit_last + 1;
	op.reason = REASON_KEY_COMPROMISE;
	op.invalidity_s = 77;
	whole(op);
	ck_assert_int_eq(HELP_DO(h, store_audit_scan, &scan), RC_OK);
	ck_assert(!scan.broken);
	ck_assert_uint_ge(scan.n, 5);
	for (size_t i = 0; i < 5; i++) {
		ck_assert_str_eq(rows[i].event, events[i]);
		ck_assert_str_eq(rows[i].actor, "operator uid 0");
	}
	ck_assert_str_eq(rows[0].object, "factory");
	ck_assert_str_eq(rows[2].object, "unit-1");
	ck_assert_ptr_nonnull(strstr(rows[2].detail, "reason=1 "));
	ck_assert_ptr_nonnull(strstr(rows[2].detail, "invalidity=77"));
}
END_TEST

void contract_revoke(TCase *tc)
{
	tcase_add_test(
	        tc, revoked_device_has_no_good_certificate_and_gets_none);
	tcase_add_test(tc, revoked_device_that_is_suspended_keeps_nothing_held);
	tcase_add_test(tc, revoke_by_device_refuses_what_is_none);
	tcase_add_test(
	        tc, revoked_key_is_blocked_before_its_certificates_are_found);
	tcase_add_test(tc, key_that_nobody_had_is_blocked_all_the_same);
	tcase_add_test(tc, held_key_is_not_blocked);
	tcase_add_test(tc, lot_is_half_open_and_of_its_authorities);
	tcase_add_test(tc, lot_leaves_out_the_daemons_own);
	tcase_add_test(tc, lot_is_found_across_a_clock_that_was_set_back);
	tcase_add_test(tc, lot_is_changed_by_parts_each_harmless_twice);
	tcase_add_test(tc, lot_is_held_and_released_but_for_what_others_hold);
	tcase_add_test(tc, later_compromise_keeps_the_times_that_are_known);
	tcase_add_test(tc, dry_run_of_one_tells_and_changes_nothing);
	tcase_add_test(tc, reasons_that_no_crl_may_have_are_refused);
	tcase_add_test(tc, each_certificate_of_a_lot_is_in_the_audit_trail);
}
