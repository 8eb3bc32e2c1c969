#include "tests/unit/test_der.h"
#include "der/time.h"
#include <openssl/asn1.h>
#include <openssl/x509.h>
#include <time.h>

struct row {
	const char *text;
	int64_t time_s; /* INT64_MIN: refused */
};

static const struct row utc_rows[] = {
	{ "700101000000Z", 0 },
	{ "500101000000Z", TIME_UTC_MIN_S },
	{ "491231235959Z", TIME_UTC_MAX_S },
	{ "000229120000Z", 951825600 },
	{ "010229120000Z", INT64_MIN },
	{ "260431000000Z", INT64_MIN },
	{ "261301000000Z", INT64_MIN },
	{ "260001000000Z", INT64_MIN },
	{ "260100000000Z", INT64_MIN },
	{ "260101240000Z", INT64_MIN },
	{ "260101006000Z", INT64_MIN },
	{ "260101000060Z", INT64_MIN },
	{ "2601010000Z", INT64_MIN },
	{ "260101000000", INT64_MIN },
	{ "260101000000+0000", INT64_MIN },
	{ "260101000000z", INT64_MIN },
	{ "2601010000 0Z", INT64_MIN },
	{ "-60101000000Z", INT64_MIN },
	{ "", INT64_MIN },
};

static const struct row generalized_rows[] = {
	{ "19700101000000Z", 0 },
	{ "00000101000000Z", TIME_MIN_S },
	{ "00000301000000Z", TIME_MIN_S + 60 * 86400 },
	{ "99991231235959Z", TIME_NEVER_S },
	{ "19000228235959Z", -2203891201 },
	{ "19000229000000Z", INT64_MIN },
	{ "20000229000000Z", 951782400 },
	{ "20260101000000.5Z", INT64_MIN },
	{ "20260101000000", INT64_MIN },
	{ "260101000000Z", INT64_MIN },
};

START_TEST(utc_time_reads_one_form_only)
{
	const struct row *row = &utc_rows[_i];
	int64_t got = INT64_MIN;
	enum rc rc = time_parse_utc(bytes_str(row->text), &got);
	uint8_t text[TIME_UTC_BYTES];

	ck_assert_int_eq(rc == RC_OK, row->time_s != INT64_MIN);
	ck_assert_int_eq(got, row->time_s);
	if (rc != RC_OK)
		return;
	ck_assert(time_format_utc(text, got));
	check_bytes(row->text, BYTES_ARRAY(text), bytes_str(row->text));
}
END_TEST

START_TEST(generalized_time_reads_one_form_only)
{
	const struct row *row = &generalized_rows[_i];
	int64_t got = INT64_MIN;
	enum rc rc = time_parse_generalized(bytes_str(row->text), &got);
	uint8_t text[TIME_GENERALIZED_BYTES];

	ck_assert_int_eq(rc == RC_OK, row->time_s != INT64_MIN);
	ck_assert_int_eq(got, row->time_s);
	if (rc != RC_OK)
		return;
	ck_assert(time_format_generalized(text, got));
	check_bytes(row->text, BYTES_ARRAY(text), bytes_str(row->text));
}
END_TEST

START_TEST(times_out_of_range_are_not_written)
{
	uint8_t text[TIME_GENERALIZED_BYTES];

	ck_assert(!time_format_utc(text, TIME_UTC_MIN_S - 1));
	ck_assert(!time_format_utc(text, TIME_UTC_MAX_S + 1));
	ck_assert(!time_format_generalized(text, TIME_MIN_S - 1));
	ck_assert(!time_format_generalized(text, TIME_NEVER_S + 1));
	ck_assert(!time_format_generalized(text, INT64_MIN));
	ck_assert(!time_format_generalized(text, INT64_MAX));
}
END_TEST

/* A stride that is prime to a day, over every era that libcrypto writes. */
START_TEST(times_agree_with_libcrypto)
{
	for (int64_t t = TIME_MIN_S; t <= TIME_NEVER_S; t += 15485863 * 7) {
		uint8_t text[TIME_GENERALIZED_BYTES];
		ASN1_TIME *theirs = ASN1_GENERALIZEDTIME_set(NULL, (time_t)t);
		int64_t back;

		ck_assert_ptr_nonnull(theirs);
		ck_assert(time_format_generalized(text, t));
		check_bytes("libcrypto", BYTES_ARRAY(text),
		        bytes_of(ASN1_STRING_get0_data(theirs),
		                (size_t)ASN1_STRING_length(theirs)));
		ck_assert_int_eq(
		        time_parse_generalized(BYTES_ARRAY(text), &back),
		        RC_OK);
		ck_assert_int_eq(back, t);
		ASN1_TIME_free(theirs);
	}
}
END_TEST

TCase *test_der_time(void)
{
	TCase *t = tcase_create("time");

	tcase_add_loop_test(t, utc_time_reads_one_form_only, 0,
	        sizeof(utc_rows) / sizeof(utc_rows[0]));
	tcase_add_loop_test(t, generalized_time_reads_one_form_only, 0,
	        sizeof(generalized_rows) / sizeof(generalized_rows[0]));
	tcase_add_test(t, times_out_of_range_are_not_written);
	tcase_add_test(t, times_agree_with_libcrypto);
	return t;
}
