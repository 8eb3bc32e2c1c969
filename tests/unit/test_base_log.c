/* The log: one line an event, whatever the values hold. */
#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "tests/unit/test_base.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static char line[8192];
static int saved = -1;

/* Standard error goes to memory until written() takes it. */
static void setup(void)
{
	int fd = memfd_create("log", 0);

	saved = dup(STDERR_FILENO);
	ck_assert_int_ge(dup2(fd, STDERR_FILENO), 0);
	(void)close(fd);
	log_open("worker-1", LOG_INFO, LOG_TEXT);
}

static void teardown(void)
{
	(void)dup2(saved, STDERR_FILENO);
	(void)close(saved);
}

static size_t written(void)
{
	ssize_t n = pread(STDERR_FILENO, line, sizeof(line) - 1, 0);

	ck_assert_int_ge(n, 0);
	line[n] = '\0';
	return (size_t)n;
}

static const char stamp[] = "2026-11-22T10:00:00.";

/* Move the clock so that the line starts with stamp. */
static void set_clock(void)
{
	clock_set_shift_s(0);
	clock_set_shift_s(1795341600 - clock_now_s());
}

START_TEST(log_text_is_one_line_of_pairs)
{
	struct log_num n;

	set_clock();
	log_event(LOG_NOTICE, "est.denied", "device", "a \"b\"\n", "count",
	        log_i64(&n, -42), "why", NULL, NULL);
	clock_set_shift_s(0);
	written();
	ck_assert_int_eq(strncmp(line, stamp, strlen(stamp) - 3), 0);
	ck_assert_str_eq(line + 23,
	        "Z notice worker-1 est.denied device=\"a \\x22b\\x22\\x0a\" "
	        "count=\"-42\" why=-\n");
}
END_TEST

START_TEST(log_json_is_one_object_a_line)
{
	log_open("keeper", LOG_DEBUG, LOG_JSON);
	log_event(LOG_DEBUG, "store.open", "path", "a\"\\\x01\xff", "x", NULL,
	        NULL);
	written();
	ck_assert_int_eq(strncmp(line, "{\"time\":\"20", 11), 0);
	ck_assert_ptr_nonnull(strstr(line,
	        "Z\",\"level\":\"debug\",\"process\":\"keeper\","
	        "\"event\":\"store.open\",\"path\":\"a\\u0022\\u005c\\u0001"
	        "\\u00ff\",\"x\":\"-\"}\n"));
}
END_TEST

START_TEST(log_leaves_out_what_is_below_its_level)
{
	log_event(LOG_DEBUG, "quiet", NULL);
	ck_assert_uint_eq(written(), 0);
	log_event(LOG_ERROR, "loud", NULL);
	ck_assert_uint_gt(written(), 0);
}
END_TEST

/* Lengths around the cut, and values that grow when they are escaped. */
START_TEST(log_changes_level_and_form)
{
	log_event(LOG_DEBUG, "a", NULL);
	log_change(LOG_DEBUG, LOG_JSON);
	log_event(LOG_DEBUG, "b", NULL);
	(void)written();
	ck_assert_ptr_null(strstr(line, "\"a\""));
	ck_assert_ptr_nonnull(strstr(line, "\"event\":\"b\"}"));
	ck_assert_ptr_nonnull(strstr(line, "\"process\":\"worker-1\""));
}
END_TEST

START_TEST(log_cuts_long_lines_and_closes_them)
{
	char value[4096];
	size_t n;

	log_open("w", LOG_INFO, _i % 2 == 0 ? LOG_TEXT : LOG_JSON);
	for (size_t length = 1900; length < 2100; length++) {
		memset(value, length % 3 == 0 ? '\n' : 'x', length);
		value[length] = '\0';
		ck_assert_int_eq(ftruncate(STDERR_FILENO, 0), 0);
		(void)lseek(STDERR_FILENO, 0, SEEK_SET);
		log_event(LOG_INFO, "e", "k", value, "k2", value, NULL);
		n = written();
		ck_assert_uint_le(n, 2048);
		ck_assert_ptr_eq(strchr(line, '\n'), line + n - 1);
		if (_i % 2 == 0)
			ck_assert_int_eq(line[n - 2], '"');
		else
			ck_assert_int_eq(memcmp(line + n - 3, "\"}\n", 3), 0);
	}
}
END_TEST

START_TEST(log_cuts_even_an_event_that_is_too_long)
{
	char event[4096];

	memset(event, 'e', sizeof(event) - 1);
	event[sizeof(event) - 1] = '\0';
	log_event(LOG_INFO, event, "k", "v", NULL);
	ck_assert_uint_le(written(), 2048);
	ck_assert_int_eq(line[strlen(line) - 1], '\n');
}
END_TEST

TCase *test_base_log(void)
{
	TCase *t = tcase_create("log");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, log_text_is_one_line_of_pairs);
	tcase_add_test(t, log_json_is_one_object_a_line);
	tcase_add_test(t, log_leaves_out_what_is_below_its_level);
	tcase_add_test(t, log_changes_level_and_form);
	tcase_add_loop_test(t, log_cuts_long_lines_and_closes_them, 0, 2);
	tcase_add_test(t, log_cuts_even_an_event_that_is_too_long);
	return t;
}
