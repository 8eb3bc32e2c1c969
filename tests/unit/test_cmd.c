/* Parts of micad that are pure. */
#include "cmd/floor.h"
#include "cmd/refusal_audit.h"
#include "cmd/runtime.h"
#include "tests/unit/store_help.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* --- refusals in the audit trail */

static struct help h;
static struct shared shared;
static struct runtime runtime;

static void open_store(void)
{
	int fd = metrics_create();

	help_begin(&h);
	help_open(&h);
	ck_assert_int_eq(metrics_map(&runtime.metrics, fd, 0), RC_OK);
	close(fd);
	runtime.store = h.store;
	runtime.shared = &shared;
	(void)snprintf(runtime.actor, sizeof(runtime.actor), "system keeper");
}

static void close_store(void)
{
	metrics_unmap(runtime.metrics);
	help_end(&h);
}

static void flush(struct refusal_audit *a)
{
	while (!refusal_audit_flush(a) || refusal_audit_busy(a))
		loop_poll(h.loop);
}

/* How many entries of refusals there are, and what the last one says. */
static size_t entries(char last[STORE_TEXT_MAX + 1])
{
	static struct store_audit_row rows[STORE_ROWS_MAX];
	struct store_audit_scan scan = { .rows = rows, .max = STORE_ROWS_MAX };
	size_t n = 0;

	ck_assert_int_eq(store_audit_scan(h.store, &scan), RC_OK);
	for (size_t i = 0; i < scan.n; i++) {
		if (strcmp(rows[i].event, "refusals") != 0)
			continue;
		memcpy(last, rows[i].detail, sizeof(rows[i].detail));
		n++;
	}
	return n;
}

START_TEST(refusals_are_summed_up_and_flushed)
{
	char last[STORE_TEXT_MAX + 1] = "";
	struct refusal_audit *a;

	ck_assert_int_eq(refusal_audit_new(&a, &runtime), RC_OK);
	metric_add(runtime.metrics, METRIC_EST_REFUSED, 3);
	metric_add(runtime.metrics, METRIC_SIGN_REFUSED, 1);
	/* Not before its minute is over. */
	refusal_audit_tick(a);
	ck_assert(!refusal_audit_busy(a));
	ck_assert_uint_eq(entries(last), 0);
	flush(a);
	ck_assert_uint_eq(entries(last), 1);
	ck_assert_msg(
	        strstr(last, "est=3 scep=0 http=0 tls=0 signer=1") != NULL,
	        "%s", last);
	/* Nothing more came, so nothing is entered. */
	flush(a);
	ck_assert_uint_eq(entries(last), 1);
	refusal_audit_free(a);
}
END_TEST

START_TEST(refusals_are_told_once_by_keepers_that_overlap)
{
	char last[STORE_TEXT_MAX + 1] = "";
	struct refusal_audit *old, *new;

	ck_assert_int_eq(refusal_audit_new(&old, &runtime), RC_OK);
	metric_add(runtime.metrics, METRIC_TLS_FAILURES, 2);
	ck_assert_int_eq(refusal_audit_new(&new, &runtime), RC_OK);
	metric_add(runtime.metrics, METRIC_TLS_FAILURES, 5);
	flush(old);
	flush(new);
	ck_assert_uint_eq(entries(last), 1);
	ck_assert_msg(strstr(last, "tls=7 ") != NULL, "%s", last);
	/* One that dies leaves the rest to the next. */
	refusal_audit_free(old);
	metric_add(runtime.metrics, METRIC_TLS_FAILURES, 1);
	refusal_audit_free(new);
	ck_assert_int_eq(refusal_audit_new(&new, &runtime), RC_OK);
	flush(new);
	ck_assert_uint_eq(entries(last), 2);
	ck_assert_msg(strstr(last, "tls=1 ") != NULL, "%s", last);
	refusal_audit_free(new);
}
END_TEST

START_TEST(refusals_that_could_not_be_entered_are_kept)
{
	char last[STORE_TEXT_MAX + 1] = "";
	struct store_opts o = h.opts;
	struct refusal_audit *a;
	struct why why;

	ck_assert_int_eq(refusal_audit_new(&a, &runtime), RC_OK);
	metric_add(runtime.metrics, METRIC_EST_REFUSED, 4);
	store_close(h.store);
	o.readonly = true;
	ck_assert_int_eq(store_open(&runtime.store, &o, h.loop, &why), RC_OK);
	flush(a);
	store_close(runtime.store);
	help_open(&h);
	runtime.store = h.store;
	flush(a);
	ck_assert_uint_eq(entries(last), 1);
	ck_assert_msg(strstr(last, "est=4 ") != NULL, "%s", last);
	refusal_audit_free(a);
}
END_TEST

static TCase *refusals(void)
{
	TCase *t = tcase_create("refusals");

	tcase_add_checked_fixture(t, open_store, close_store);
	tcase_add_test(t, refusals_are_summed_up_and_flushed);
	tcase_add_test(t, refusals_are_told_once_by_keepers_that_overlap);
	tcase_add_test(t, refusals_that_could_not_be_entered_are_kept);
	return t;
}

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
	suite_add_tcase(s, refusals());
	run = srunner_create(s);
	srunner_run_all(run, CK_ENV);
	failed = srunner_ntests_failed(run);
	srunner_free(run);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
