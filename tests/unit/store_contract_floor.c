/* The clock floor. */
#include "tests/unit/store_contract.h"

#include "base/clock.h"

static struct help *const h = &contract;

START_TEST(clock_below_the_floor_issues_nothing_but_revokes)
{
	struct cert_key key = help_certificate(h, "unit-1", 0, "a");
	struct help_issue i;

	clock_set_shift_s(-3600);
	contract_next(&i, "unit-1", "b");
	ck_assert_int_eq(help_t1(h, &i), RC_UNAVAILABLE);
	ck_assert_int_eq(
	        contract_status(&key, STATUS_REVOKE, REASON_UNSPECIFIED, NULL),
	        RC_OK);
	clock_set_shift_s(-60);
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	clock_set_shift_s(0);
}
END_TEST

/* A clock that ran a day ahead, and what it left on record. */
static int64_t run_ahead(struct help_issue *i)
{
	clock_set_shift_s(86400);
	contract_next(i, "unit-1", "ahead");
	ck_assert_int_eq(help_t1(h, i), RC_OK);
	ck_assert_int_eq(help_t2(h, i), RC_OK);
	clock_set_shift_s(0);
	return help_stat(h).clock_floor_us;
}

START_TEST(floor_is_lowered_to_the_clock_and_issuing_goes_on)
{
	struct store_floor_lower f = { .to_clock = true,
		.op = { .actor = "operator uid 0" } };
	struct help_issue i;
	int64_t floor_us = run_ahead(&i);
	uint64_t length = contract_audit_length();

	contract_next(&i, "unit-2", "b");
	ck_assert_int_eq(help_t1(h, &i), RC_UNAVAILABLE);
	ck_assert_int_eq(HELP_DO(h, store_floor_lower, &f), RC_OK);
	ck_assert_int_lt(f.floor_us, floor_us);
	ck_assert_int_le(f.floor_us, clock_now_us());
	ck_assert_int_gt(f.floor_us, clock_now_us() - 600 * INT64_C(1000000));
	ck_assert_int_eq(help_stat(h).clock_floor_us, f.floor_us);
	ck_assert_uint_eq(contract_audit_length(), length + 1);
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	/* It is not ahead any more: nothing changes, nothing is entered. */
	length = contract_audit_length();
	ck_assert_int_eq(HELP_DO(h, store_floor_lower, &f), RC_OK);
	ck_assert_uint_eq(contract_audit_length(), length);
}
END_TEST

START_TEST(floor_is_never_raised_nor_put_below_the_clock)
{
	struct store_floor_lower f = { .op = { .actor = "operator uid 0" } };
	struct help_issue i;
	int64_t floor_us = run_ahead(&i);

	f.floor_us = floor_us + 1;
	ck_assert_int_eq(HELP_DO(h, store_floor_lower, &f), RC_CONFLICT);
	f.floor_us = clock_now_us() - 3600 * INT64_C(1000000);
	ck_assert_int_eq(HELP_DO(h, store_floor_lower, &f), RC_CONFLICT);
	ck_assert_int_eq(help_stat(h).clock_floor_us, floor_us);
	f.floor_us = floor_us - 3600 * INT64_C(1000000);
	ck_assert_int_eq(HELP_DO(h, store_floor_lower, &f), RC_OK);
	ck_assert_int_eq(help_stat(h).clock_floor_us,
	        floor_us - 3600 * INT64_C(1000000));
	contract_next(&i, "unit-2", "b");
	ck_assert_int_eq(help_t1(h, &i), RC_UNAVAILABLE);
}
END_TEST

START_TEST(floor_that_was_lowered_is_told_as_lost)
{
	struct store_floor_lower f = { .to_clock = true };
	struct store_status_row row;
	struct store_changes look = { .rows = &row, .max = 1 };
	struct help_issue i;

	(void)run_ahead(&i);
	ck_assert_int_eq(store_changes(h->store, &look), RC_OK);
	ck_assert_int_eq(HELP_DO(h, store_floor_lower, &f), RC_OK);
	ck_assert_int_eq(store_changes(h->store, &look), RC_OK);
	ck_assert(look.lost);
	ck_assert_int_eq(look.clock_floor_us, f.floor_us);
}
END_TEST

START_TEST(retry_of_what_was_issued_ahead_of_the_clock_is_a_new_request)
{
	struct store_floor_lower f = { .to_clock = true };
	struct help_issue i, again;

	(void)run_ahead(&i);
	ck_assert_int_eq(HELP_DO(h, store_floor_lower, &f), RC_OK);
	contract_next(&again, "unit-1", "ahead");
	ck_assert_int_eq(help_t1(h, &again), RC_OK);
}
END_TEST

START_TEST(lot_is_found_after_the_floor_was_lowered)
{
	struct store_floor_lower f = { .to_clock = true };
	int64_t now_us = clock_now_us();
	struct store_revoke r = { .by = REVOKE_BY_ISSUE,
		.change = STATUS_REVOKE,
		.dry_run = true,
		.from_us = now_us - 60 * INT64_C(1000000),
		.to_us = now_us + 60 * INT64_C(1000000) };
	struct help_issue i;

	clock_set_shift_s(40 * 86400);
	contract_next(&i, "unit-1", "ahead");
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	ck_assert_int_eq(help_t2(h, &i), RC_OK);
	clock_set_shift_s(0);
	ck_assert_int_eq(HELP_DO(h, store_floor_lower, &f), RC_OK);
	(void)help_certificate(h, "unit-2", 0, "b");
	ck_assert_int_eq(store_revoke(h->store, &r), RC_OK);
	ck_assert_uint_eq(r.selected, 1);
}
END_TEST

void contract_floor(TCase *tc)
{
	tcase_add_test(tc, clock_below_the_floor_issues_nothing_but_revokes);
	tcase_add_test(tc, floor_is_lowered_to_the_clock_and_issuing_goes_on);
	tcase_add_test(tc, floor_is_never_raised_nor_put_below_the_clock);
	tcase_add_test(tc, floor_that_was_lowered_is_told_as_lost);
	tcase_add_test(tc,
	        retry_of_what_was_issued_ahead_of_the_clock_is_a_new_request);
	tcase_add_test(tc, lot_is_found_after_the_floor_was_lowered);
}
