/* CRLs: numbers that only rise, a lease that is taken away, and lists that hold
 * who is held or revoked. */
#include "tests/unit/store_contract.h"

#include "base/clock.h"
#include <stdio.h>
#include <string.h>

static struct help *const h = &contract;

static const struct store_op operator= { .actor = "operator uid 0" };

static struct store_crl_begin begin(uint16_t shard)
{
	struct store_crl_begin op = { .op = operator, .shard = shard };

	op.authority = h->authority;
	ck_assert_int_eq(HELP_DO(h, store_crl_begin, &op), RC_OK);
	return op;
}

static enum rc commit(const struct store_crl_begin *b, bool regular)
{
	struct store_crl_commit op = { .op = operator, .regular = regular };

	op.crl.authority = b->authority;
	op.crl.shard = b->shard;
	op.crl.number = b->number;
	op.crl.this_update_s = b->now_s;
	op.crl.next_update_s = b->now_s + 86400;
	op.crl.position = b->position;
	op.crl.count = b->listed;
	op.crl.bytes = 1000;
	memset(op.crl.hash, 7, sizeof(op.crl.hash));
	return HELP_DO(h, store_crl_commit, &op);
}

static struct store_crl last(uint16_t shard)
{
	struct store_crl_last op = { .authority = h->authority,
		.shard = shard };

	ck_assert_int_eq(HELP_DO(h, store_crl_last, &op), RC_OK);
	return op.crl;
}

/* A certificate of a shard that ends so many days from now. */
static struct cert_key certificate(const char *text, uint16_t shard, int days)
{
	struct help_issue i;

	help_issue(h, &i, "unit-1", help_device(h, "unit-1"), text);
	i.t1.shard = shard;
	i.t1.not_after_s = clock_now_s() + days * 86400;
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	ck_assert_int_eq(help_t2(h, &i), RC_OK);
	return i.t1.key;
}

static void change(const struct cert_key *key, enum store_status_change what,
        enum cert_reason reason, int64_t invalidity_s)
{
	struct store_set_status op = { .op = operator, .key = * key };
	enum rc rc;

	op.change = what;
	op.reason = reason;
	op.invalidity_s = invalidity_s;
	rc = HELP_DO(h, store_set_status, &op);
	ck_assert_msg(rc == RC_OK, "%s", op.op.why.text);
}

static void revoke(const struct cert_key *key)
{
	change(key, STATUS_REVOKE, REASON_SUPERSEDED, 0);
}

/* The rows of a scope, walked in pages of so many. */
static size_t scan(uint16_t shard, int64_t ended_before_s, size_t page,
        struct store_crl_row *out, size_t max)
{
	struct store_crl_row rows[STORE_ROWS_MAX];
	struct store_crl_scan op = { .authority = h->authority,
		.shard = shard,
		.ended_before_s = ended_before_s,
		.rows = rows,
		.max = page };
	size_t n = 0;

	do {
		ck_assert_int_eq(HELP_DO(h, store_crl_scan, &op), RC_OK);
		ck_assert_uint_le(op.n, op.seen);
		for (size_t i = 0; i < op.n; i++) {
			ck_assert_uint_lt(n, max);
			out[n++] = rows[i];
		}
	} while (op.more);
	return n;
}

START_TEST(crl_number_is_unix_time_and_rises_by_one_within_a_second)
{
	uint64_t before = 0;

	for (int i = 0; i < 20; i++) {
		struct store_crl_begin b = begin(0);

		ck_assert_uint_gt(b.number, before);
		ck_assert_uint_ge(b.number, (uint64_t)b.now_s);
		before = b.number;
	}
	ck_assert_uint_eq(last(0).given, before);
	ck_assert_uint_eq(last(0).number, 0);
}
END_TEST

START_TEST(crl_number_rises_when_the_clock_goes_back)
{
	struct store_crl_begin a, b;

	clock_set_shift_s(86400);
	a = begin(0);
	clock_set_shift_s(-86400);
	b = begin(0);
	clock_set_shift_s(0);
	ck_assert_uint_eq(b.number, a.number + 1);
	/* Dated at the floor: the greatest commit less the backdate. */
	ck_assert_int_ge(b.now_s, a.now_s - 301);
	ck_assert_int_le(b.now_s, a.now_s);
}
END_TEST

START_TEST(crl_number_of_each_scope_is_its_own)
{
	struct store_crl_begin full = begin(0), shard = begin(3);

	ck_assert_uint_le(shard.number, full.number + 2);
	ck_assert_int_eq(commit(&shard, true), RC_OK);
	ck_assert_uint_eq(last(0).number, 0);
	ck_assert_uint_eq(last(3).number, shard.number);
}
END_TEST

START_TEST(crl_number_rises_over_all_authorities_it_covers)
{
	struct store_authority_put put = { .op = operator,
		.der = BYTES_LIT("renewed") };
	struct store_crl_begin a, b = { .op = operator};
	struct cert_key key = certificate("old", 0, 1);

	revoke(&key);
	clock_set_shift_s(86400);
	a = begin(0);
	clock_set_shift_s(0);
	(void)snprintf(
	        put.authority.name, sizeof(put.authority.name), "factory");
	help_hash(put.authority.cert_hash, "renewed");
	ck_assert_int_eq(HELP_DO(h, store_authority_put, &put), RC_OK);
	b.authority = put.authority.id;
	b.also = &h->authority;
	b.n_also = 1;
	ck_assert_int_eq(HELP_DO(h, store_crl_begin, &b), RC_OK);
	ck_assert_uint_gt(b.number, a.number);
	ck_assert_uint_eq(b.listed, 1);
}
END_TEST

/* A restored store knows less than readers do (DESIGN rule 9). */
START_TEST(crl_number_is_above_what_is_published)
{
	struct store_crl_begin op = { .op = operator, .above = UINT32_MAX };

	op.authority = h->authority;
	ck_assert_int_eq(HELP_DO(h, store_crl_begin, &op), RC_OK);
	ck_assert_uint_ge(op.number, UINT32_MAX + UINT64_C(1));
	ck_assert_uint_gt(begin(0).number, op.number);
}
END_TEST

START_TEST(crl_of_no_authority_is_not_found)
{
	struct store_crl_begin op = { .op = operator, .authority = 77 };
	struct store_crl_last l = { .authority = 77 };

	ck_assert_int_eq(HELP_DO(h, store_crl_begin, &op), RC_NOTFOUND);
	ck_assert_int_eq(HELP_DO(h, store_crl_last, &l), RC_NOTFOUND);
}
END_TEST

START_TEST(crl_commit_is_fenced_by_a_later_begin)
{
	struct store_crl_begin a = begin(0), b = begin(0);

	ck_assert_int_eq(commit(&a, true), RC_FENCED);
	ck_assert_uint_eq(last(0).number, 0);
	ck_assert_int_eq(commit(&b, true), RC_OK);
	ck_assert_int_eq(commit(&b, true), RC_OK);
	ck_assert_uint_eq(last(0).number, b.number);
	ck_assert_uint_eq(last(0).bytes, 1000);
	ck_assert_int_eq(last(0).this_update_s, b.now_s);
}
END_TEST

START_TEST(crl_commit_without_a_begin_is_fenced)
{
	struct store_crl_begin none = { .authority = h->authority };

	ck_assert_int_eq(commit(&none, true), RC_FENCED);
}
END_TEST

START_TEST(crl_lists_held_and_revoked_and_forgets_released)
{
	struct cert_key good = certificate("good", 0, 1);
	struct cert_key held = certificate("held", 0, 1);
	struct cert_key bad = certificate("bad", 0, 1);
	struct store_crl_row rows[4];
	int64_t now_s = clock_now_s();

	(void)good;
	change(&held, STATUS_HOLD, REASON_CERTIFICATE_HOLD, 0);
	change(&bad, STATUS_REVOKE, REASON_KEY_COMPROMISE, now_s - 1000);
	ck_assert_uint_eq(scan(0, 0, 1, rows, 4), 2);
	ck_assert_mem_eq(rows[0].serial, held.serial, STORE_SERIAL_BYTES);
	ck_assert_int_eq(rows[0].reason, REASON_CERTIFICATE_HOLD);
	ck_assert_mem_eq(rows[1].serial, bad.serial, STORE_SERIAL_BYTES);
	ck_assert_int_eq(rows[1].reason, REASON_KEY_COMPROMISE);
	ck_assert_int_eq(rows[1].invalidity_s, now_s - 1000);
	ck_assert_int_ge(rows[1].revoked_s, now_s - 1);
	ck_assert_uint_eq(last(0).listed, 2);
	change(&held, STATUS_RELEASE, REASON_UNSPECIFIED, 0);
	ck_assert_uint_eq(scan(0, 0, 256, rows, 4), 1);
	ck_assert_uint_eq(last(0).listed, 1);
}
END_TEST

START_TEST(crl_of_a_shard_lists_its_own_alone)
{
	struct cert_key none = certificate("none", 0, 1);
	struct cert_key one = certificate("one", 1, 1);
	struct cert_key two = certificate("two", 2, 1);
	struct store_status_row row = { .key = two };
	struct store_status status = { .rows = &row, .n = 1 };
	struct store_crl_row rows[4];

	revoke(&none);
	revoke(&one);
	revoke(&two);
	ck_assert_uint_eq(scan(0, 0, 2, rows, 4), 3);
	ck_assert_uint_eq(scan(1, 0, 2, rows, 4), 1);
	ck_assert_mem_eq(rows[0].serial, one.serial, STORE_SERIAL_BYTES);
	ck_assert_uint_eq(scan(2, 0, 2, rows, 4), 1);
	ck_assert_mem_eq(rows[0].serial, two.serial, STORE_SERIAL_BYTES);
	ck_assert_uint_eq(scan(3, 0, 2, rows, 4), 0);
	ck_assert_uint_eq(begin(0).listed, 3);
	ck_assert_uint_eq(begin(2).listed, 1);
	ck_assert_int_eq(HELP_DO(h, store_status, &status), RC_OK);
	ck_assert_uint_eq(row.shard, 2);
}
END_TEST

/* RFC 5280 section 3.3: not removed until it was on one regularly scheduled
 * CRL issued beyond the certificate's validity. */
START_TEST(crl_entry_stays_through_one_regular_crl_past_expiry)
{
	struct cert_key key = certificate("short", 0, 1);
	struct store_crl_row rows[2];
	struct store_crl_begin b;

	revoke(&key);
	b = begin(0);
	ck_assert_int_eq(commit(&b, true), RC_OK);
	clock_set_shift_s(2 * 86400);
	b = begin(0);
	ck_assert_uint_eq(scan(0, b.ended_before_s, 2, rows, 2), 1);
	/* One that a revocation caused does not count. */
	ck_assert_int_eq(commit(&b, false), RC_OK);
	b = begin(0);
	ck_assert_uint_eq(scan(0, b.ended_before_s, 2, rows, 2), 1);
	ck_assert_int_eq(commit(&b, true), RC_OK);
	clock_set_shift_s(2 * 86400 + 10);
	b = begin(0);
	ck_assert_uint_eq(scan(0, b.ended_before_s, 2, rows, 2), 0);
	/* Counted where it stands: nothing was purged. */
	ck_assert_uint_eq(b.listed, 1);
	clock_set_shift_s(0);
}
END_TEST

START_TEST(crl_position_tells_what_is_not_in_it_yet)
{
	struct cert_key key = certificate("one", 0, 1);
	struct store_crl_begin b = begin(0);

	ck_assert_uint_eq(b.position, 0);
	revoke(&key);
	ck_assert_uint_eq(begin(0).position, help_stat(h).feed_position);
}
END_TEST

START_TEST(crl_scope_ends_with_its_last_certificate)
{
	int64_t now_s = clock_now_s();

	(void)certificate("long", 0, 100);
	(void)certificate("short", 5, 10);
	ck_assert_int_ge(last(0).ends_s, now_s + 100 * 86400);
	ck_assert_int_le(last(0).ends_s, now_s + 102 * 86400);
	ck_assert_int_ge(last(5).ends_s, now_s + 10 * 86400);
	ck_assert_int_le(last(5).ends_s, now_s + 12 * 86400);
}
END_TEST

START_TEST(crl_scopes_are_listed_in_order)
{
	struct store_crl rows[1];
	struct store_crl_list op = { .rows = rows, .max = 1 };
	uint16_t found[4];
	size_t n = 0;

	(void)begin(7);
	(void)begin(0);
	(void)begin(300);
	do {
		ck_assert_int_eq(HELP_DO(h, store_crl_list, &op), RC_OK);
		ck_assert_uint_eq(op.n, 1);
		found[n++] = rows[0].shard;
	} while (op.more && n < 4);
	ck_assert_uint_eq(n, 3);
	ck_assert_uint_eq(found[0], 0);
	ck_assert_uint_eq(found[1], 7);
	ck_assert_uint_eq(found[2], 300);
}
END_TEST

void contract_crl(TCase *tc)
{
	tcase_add_test(
	        tc, crl_number_is_unix_time_and_rises_by_one_within_a_second);
	tcase_add_test(tc, crl_number_rises_when_the_clock_goes_back);
	tcase_add_test(tc, crl_number_of_each_scope_is_its_own);
	tcase_add_test(tc, crl_number_rises_over_all_authorities_it_covers);
	tcase_add_test(tc, crl_number_is_above_what_is_published);
	tcase_add_test(tc, crl_of_no_authority_is_not_found);
	tcase_add_test(tc, crl_commit_is_fenced_by_a_later_begin);
	tcase_add_test(tc, crl_commit_without_a_begin_is_fenced);
	tcase_add_test(tc, crl_lists_held_and_revoked_and_forgets_released);
	tcase_add_test(tc, crl_of_a_shard_lists_its_own_alone);
	tcase_add_test(tc, crl_entry_stays_through_one_regular_crl_past_expiry);
	tcase_add_test(tc, crl_position_tells_what_is_not_in_it_yet);
	tcase_add_test(tc, crl_scope_ends_with_its_last_certificate);
	tcase_add_test(tc, crl_scopes_are_listed_in_order);
}
