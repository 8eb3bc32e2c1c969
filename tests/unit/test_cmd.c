/* Parts of micad that are pure. */
#include "cmd/floor.h"

#include <check.h>
#include <stdlib.h>

#define SECOND_US INT64_C(1000000)
#define NOW_S INT64_C(1800000000)
#define YEAR_S INT64_C(31536000)

START_TEST(floor_that_is_told_first_is_believed)
{
	struct floor f = { .known = false };

	floor_take(&f, NOW_S + 2 * YEAR_S, NOW_S, 5 * SECOND_US);
	ck_assert(f.known);
	ck_assert_int_eq(f.given_s, NOW_S + 2 * YEAR_S);
}
END_TEST

START_TEST(floor_rises_no_faster_than_time)
{
	struct floor f = { .known = false };

	floor_take(&f, NOW_S - 300, NOW_S, 0);
	ck_assert_int_eq(f.given_s, NOW_S - 300);
	/* The store says next year, the clock ten minutes later. */
	floor_take(&f, NOW_S + YEAR_S, NOW_S + 600, 600 * SECOND_US);
	ck_assert_int_eq(f.given_s, NOW_S + 600);
	floor_take(&f, NOW_S + YEAR_S, NOW_S + 601, 601 * SECOND_US);
	ck_assert_int_eq(f.given_s, NOW_S + 601);
}
END_TEST

START_TEST(floor_stands_when_the_clock_is_set_back)
{
	struct floor f = { .known = false };

	floor_take(&f, NOW_S - 300, NOW_S, 0);
	floor_take(&f, NOW_S + 30, NOW_S - YEAR_S, 60 * SECOND_US);
	ck_assert_int_eq(f.given_s, NOW_S + 30);
	/* And what time passed meanwhile counts, once. */
	floor_take(&f, NOW_S + 90, NOW_S - YEAR_S, 120 * SECOND_US);
	ck_assert_int_eq(f.given_s, NOW_S + 90);
	floor_take(&f, NOW_S + YEAR_S, NOW_S - YEAR_S, 180 * SECOND_US);
	ck_assert_int_eq(f.given_s, NOW_S + 150);
}
END_TEST

START_TEST(floor_that_is_lowered_is_believed_and_not_raised_again)
{
	struct floor f = { .known = false };

	floor_take(&f, NOW_S + YEAR_S, NOW_S, 0);
	floor_take(&f, NOW_S - 300, NOW_S, 0);
	ck_assert_int_eq(f.given_s, NOW_S - 300);
	floor_take(&f, NOW_S + YEAR_S, NOW_S + 1, SECOND_US);
	ck_assert_int_eq(f.given_s, NOW_S + 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cmd");
	TCase *t = tcase_create("floor");
	SRunner *run;
	int failed;

	tcase_add_test(t, floor_that_is_told_first_is_believed);
	tcase_add_test(t, floor_rises_no_faster_than_time);
	tcase_add_test(t, floor_stands_when_the_clock_is_set_back);
	tcase_add_test(
	        t, floor_that_is_lowered_is_believed_and_not_raised_again);
	suite_add_tcase(s, t);
	run = srunner_create(s);
	srunner_run_all(run, CK_ENV);
	failed = srunner_ntests_failed(run);
	srunner_free(run);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
