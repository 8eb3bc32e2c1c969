/* Whole files: read up to a cap, written whole. */
#include "base/file.h"
#include "tests/unit/test_base.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FILE_BYTES 10000

static char path[64];
static int fd;

static void setup(void)
{
	uint8_t part[FILE_BYTES];

	for (size_t i = 0; i < sizeof(part); i++)
		part[i] = (uint8_t)(i % 251);
	fd = memfd_create("file", 0);
	ck_assert(file_write_all(fd, BYTES_ARRAY(part)));
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
}

static void teardown(void)
{
	(void)close(fd);
}

START_TEST(file_read_has_all_of_it)
{
	struct buf b = BUF_INIT(FILE_BYTES);

	ck_assert_int_eq(file_read(&b, path, NULL), RC_OK);
	ck_assert_uint_eq(b.n, FILE_BYTES);
	for (size_t i = 0; i < b.n; i++)
		ck_assert_uint_eq(b.p[i], i % 251);
	buf_free(&b);
}
END_TEST

START_TEST(file_read_stops_at_the_cap_and_names_it)
{
	struct buf b = BUF_INIT(FILE_BYTES - 1);
	struct why why = WHY_NONE;

	ck_assert_int_eq(file_read(&b, path, &why), RC_TOOBIG);
	ck_assert_ptr_nonnull(strstr(why.text, "over 9999 bytes"));
	buf_free(&b);
}
END_TEST

START_TEST(file_read_says_which_file_is_none)
{
	static const char *const none[] = { "/nowhere/at/all", "/" };
	struct buf b = BUF_INIT(FILE_BYTES);
	struct why why = WHY_NONE;

	ck_assert_int_eq(file_read(&b, none[_i], &why), RC_IO);
	ck_assert_int_eq(strncmp(why.text, none[_i], strlen(none[_i])), 0);
	ck_assert_uint_eq(b.n, 0);
}
END_TEST

START_TEST(file_write_all_fails_where_writing_does)
{
	int reader = open(path, O_RDONLY);

	ck_assert(!file_write_all(reader, bytes_str("x")));
	(void)close(reader);
}
END_TEST

TCase *test_base_file(void)
{
	TCase *t = tcase_create("file");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, file_read_has_all_of_it);
	tcase_add_test(t, file_read_stops_at_the_cap_and_names_it);
	tcase_add_loop_test(t, file_read_says_which_file_is_none, 0, 2);
	tcase_add_test(t, file_write_all_fails_where_writing_does);
	return t;
}
