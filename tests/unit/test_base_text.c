/* The pure part of base/: codes, clauses, views, buffers, packing, text. */
#include "base/buf.h"
#include "base/bytes.h"
#include "base/pack.h"
#include "base/rand.h"
#include "base/text.h"
#include "base/why.h"
#include "tests/unit/test_base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

START_TEST(rc_every_code_has_name_text_and_status)
{
	for (int i = 0; i < RC_COUNT; i++) {
		const struct rc_info *info = rc_info((enum rc)i);

		ck_assert_ptr_nonnull(info->name);
		ck_assert_uint_gt(strlen(info->text), 0);
		ck_assert_int_ge(info->http_status, 200);
		ck_assert_int_ne(info->http_status, 403);
		ck_assert_uint_eq(
		        strspn(info->name, "abcdefghijklmnopqrstuvwxyz_"),
		        strlen(info->name));
		for (int j = 0; j < i; j++)
			ck_assert_str_ne(info->name, rc_info((enum rc)j)->name);
	}
	ck_assert_ptr_eq(rc_info((enum rc)1000), rc_info(RC_INTERNAL));
	ck_assert_ptr_eq(rc_info((enum rc) - 1), rc_info(RC_INTERNAL));
}
END_TEST

static const struct {
	enum rc rc;
	int status;
} statuses[] = {
	{ RC_OK, 200 },
	{ RC_NOCRED, 401 },
	{ RC_DENIED, 400 },
	{ RC_SPENT, 400 },
	{ RC_BADBINDING, 400 },
	{ RC_BUSY, 503 },
	{ RC_UNAVAILABLE, 503 },
	{ RC_UNKNOWN, 503 },
	{ RC_NOTFOUND, 404 },
	{ RC_TOOBIG, 413 },
	{ RC_INTERNAL, 500 },
	{ RC_IO, 500 },
	{ RC_NOMEM, 503 },
};

START_TEST(rc_statuses_are_those_est_clients_handle)
{
	ck_assert_int_eq(
	        rc_info(statuses[_i].rc)->http_status, statuses[_i].status);
}
END_TEST

START_TEST(why_shows_only_printable_ascii)
{
	struct why why = WHY_NONE;

	ck_assert_int_eq(
	        why_set(&why, RC_DENIED, "a\n%s\x80z", "\x1b[2J"), RC_DENIED);
	ck_assert_str_eq(why.text, "a??[2J?z");
	ck_assert_int_eq(why_set(NULL, RC_IO, "x"), RC_IO);
}
END_TEST

START_TEST(why_cuts_what_is_too_long)
{
	char longer[2 * WHY_MAX_BYTES];
	struct why why = WHY_NONE;

	memset(longer, 'a', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	why_set(&why, RC_DENIED, "%s", longer);
	ck_assert_uint_eq(strlen(why.text), WHY_MAX_BYTES - 1);
	why_prefix(&why, RC_DENIED, "profile");
	ck_assert_uint_eq(strlen(why.text), WHY_MAX_BYTES - 1);
	ck_assert_int_eq(strncmp(why.text, "profile: aaa", 12), 0);
	why_prefix(&why, RC_DENIED, "%s", longer);
	ck_assert_uint_eq(strlen(why.text), WHY_MAX_BYTES - 1);
}
END_TEST

START_TEST(why_prefix_keeps_the_clause)
{
	struct why why = WHY_NONE;

	why_prefix(&why, RC_OK, "alone");
	ck_assert_str_eq(why.text, "alone");
	why_set(&why, RC_OK, "%s again", why.text);
	ck_assert_str_eq(why.text, "alone again");
	ck_assert_int_eq(why_prefix(&why, RC_QUOTA, "line %d", 3), RC_QUOTA);
	ck_assert_str_eq(why.text, "line 3: alone again");
}
END_TEST

START_TEST(bytes_compare_by_value)
{
	struct bytes abc = BYTES_LIT("abc");

	ck_assert(bytes_eq(abc, bytes_str("abc")));
	ck_assert(!bytes_eq(abc, BYTES_LIT("abd")));
	ck_assert(!bytes_eq(abc, BYTES_LIT("ab")));
	ck_assert(bytes_eq(BYTES_NONE, bytes_str(NULL)));
	ck_assert(bytes_eq_str(abc, "abc"));
	ck_assert(bytes_eq_nocase(abc, BYTES_LIT("aBC")));
	ck_assert(!bytes_eq_nocase(BYTES_LIT("["), BYTES_LIT("{")));
	ck_assert(!bytes_eq_nocase(abc, BYTES_LIT("ab")));
	ck_assert(bytes_eq_secret(abc, BYTES_LIT("abc")));
	ck_assert(!bytes_eq_secret(abc, BYTES_LIT("bbc")));
	ck_assert(!bytes_eq_secret(abc, BYTES_LIT("abcd")));
	ck_assert(bytes_eq_secret(BYTES_NONE, BYTES_NONE));
	ck_assert(bytes_starts(abc, BYTES_LIT("ab")));
	ck_assert(bytes_starts(abc, BYTES_NONE));
	ck_assert(!bytes_starts(abc, BYTES_LIT("abcd")));
}
END_TEST

START_TEST(bytes_order_is_unsigned_and_shorter_first)
{
	ck_assert_int_eq(bytes_cmp(BYTES_LIT("a"), BYTES_LIT("ab")), -1);
	ck_assert_int_eq(
	        bytes_cmp(BYTES_LIT("\xff"), BYTES_LIT("\x01\x01")), 1);
	ck_assert_int_eq(bytes_cmp(BYTES_LIT("x"), BYTES_LIT("x")), 0);
	ck_assert_int_eq(bytes_cmp(BYTES_NONE, BYTES_LIT("x")), -1);
}
END_TEST

START_TEST(bytes_slices_are_clipped)
{
	struct bytes abc = BYTES_LIT("abc");
	struct bytes head;
	struct bytes tail;

	ck_assert(bytes_eq_str(bytes_slice(abc, 1, SIZE_MAX), "bc"));
	ck_assert_uint_eq(bytes_slice(abc, 3, 1).n, 0);
	ck_assert_uint_eq(bytes_skip(abc, SIZE_MAX).n, 0);
	ck_assert(bytes_cut(BYTES_LIT("k=v=w"), '=', &head, &tail));
	ck_assert(bytes_eq_str(head, "k"));
	ck_assert(bytes_eq_str(tail, "v=w"));
	ck_assert(bytes_cut(BYTES_LIT("k="), '=', &head, &tail));
	ck_assert_uint_eq(tail.n, 0);
	ck_assert(!bytes_cut(abc, '=', &head, &tail));
	ck_assert(bytes_eq(head, abc));
	ck_assert_uint_eq(tail.n, 0);
	ck_assert(!bytes_cut(BYTES_NONE, '=', &head, &tail));
}
END_TEST

START_TEST(buf_never_passes_its_cap_and_stays_failed)
{
	struct buf b = BUF_INIT(4);

	buf_add_str(&b, "abcd");
	ck_assert_int_eq(b.failed, RC_OK);
	ck_assert_str_eq(buf_cstr(&b), "abcd");
	buf_add_u8(&b, 'e');
	ck_assert_int_eq(b.failed, RC_TOOBIG);
	buf_drop(&b, 4);
	buf_add_u8(&b, 'e');
	ck_assert_uint_eq(b.n, 0);
	ck_assert_ptr_null(buf_room(&b, 1));
	buf_reset(&b);
	buf_add_u8(&b, 'e');
	ck_assert(bytes_eq_str(buf_bytes(&b), "e"));
	buf_free(&b);
	buf_add_str(&b, "abcde");
	ck_assert_int_eq(b.failed, RC_TOOBIG);
	ck_assert_ptr_null(b.p);
	buf_wipe(&b);
}
END_TEST

START_TEST(buf_grows_and_keeps_what_it_holds)
{
	struct buf b = BUF_INIT(100000);
	uint8_t *p;
	size_t n;

	for (unsigned i = 0; i < 20000; i++)
		buf_addf(&b, "%05u", i);
	ck_assert_int_eq(b.failed, RC_OK);
	ck_assert_uint_eq(b.n, 100000);
	ck_assert(bytes_eq_str(
	        bytes_slice(buf_bytes(&b), 99990, 10), "1999819999"));
	buf_drop(&b, 99995);
	ck_assert(bytes_eq_str(buf_bytes(&b), "19999"));
	p = buf_take(&b, &n);
	ck_assert_uint_eq(n, 5);
	ck_assert_mem_eq(p, "19999", 5);
	free(p);
	ck_assert_ptr_null(buf_take(&b, &n));
	ck_assert_uint_eq(n, 0);
	ck_assert_str_eq(buf_cstr(&b), "");
	buf_free(&b);
}
END_TEST

START_TEST(buf_refuses_sizes_that_wrap)
{
	struct buf b = BUF_INIT(SIZE_MAX);

	buf_add_u8(&b, 1);
	ck_assert_ptr_null(buf_room(&b, SIZE_MAX));
	ck_assert_int_eq(b.failed, RC_TOOBIG);
	buf_reset(&b);
	ck_assert_ptr_null(buf_room(&b, SIZE_MAX - 1));
	ck_assert_int_eq(b.failed, RC_NOMEM);
	buf_free(&b);
}
END_TEST

START_TEST(pack_reads_back_what_it_wrote)
{
	struct buf b = BUF_INIT(256);
	struct unpack u;
	char text[4];

	pack_u8(&b, 0xfe);
	pack_u16(&b, 0xfedc);
	pack_u32(&b, 0xfedcba98);
	pack_u64(&b, UINT64_C(0xfedcba9876543210));
	pack_bytes(&b, BYTES_LIT("x\0y"));
	pack_str(&b, "abc");
	pack_raw(&b, BYTES_LIT("zz"));
	ck_assert_mem_eq(b.p, "\xfe\xfe\xdc\xfe\xdc\xba\x98", 7);
	u = unpack_of(buf_bytes(&b));
	ck_assert_uint_eq(unpack_u8(&u), 0xfe);
	ck_assert_uint_eq(unpack_u16(&u), 0xfedc);
	ck_assert_uint_eq(unpack_u32(&u), 0xfedcba98);
	ck_assert_uint_eq(unpack_u64(&u), UINT64_C(0xfedcba9876543210));
	ck_assert(bytes_eq(unpack_bytes(&u), BYTES_LIT("x\0y")));
	unpack_str(&u, text, sizeof(text));
	ck_assert_str_eq(text, "abc");
	ck_assert(!unpack_done(&u));
	ck_assert(bytes_eq_str(unpack_raw(&u, 2), "zz"));
	ck_assert(unpack_done(&u));
	buf_free(&b);
}
END_TEST

START_TEST(unpack_past_the_end_fails_and_stays_failed)
{
	struct unpack u = unpack_of(BYTES_LIT("\0\0\0\5abcd"));

	ck_assert_uint_eq(unpack_bytes(&u).n, 0);
	ck_assert(u.failed);
	ck_assert_uint_eq(unpack_u8(&u), 0);
	ck_assert(!unpack_done(&u));
	u = unpack_of(BYTES_LIT("\1\2\3"));
	ck_assert_uint_eq(unpack_u32(&u), 0);
	ck_assert(u.failed);
}
END_TEST

START_TEST(unpack_str_refuses_what_is_no_string)
{
	struct unpack u = unpack_of(BYTES_LIT("\0\0\0\4abcd"));
	char text[4];

	unpack_str(&u, text, sizeof(text));
	ck_assert(u.failed);
	ck_assert_str_eq(text, "");
	u = unpack_of(BYTES_LIT("\0\0\0\2a\0"));
	unpack_str(&u, text, sizeof(text));
	ck_assert(u.failed);
	u = unpack_of(BYTES_LIT("\0\0\0\0"));
	unpack_str(&u, text, sizeof(text));
	ck_assert(unpack_done(&u));
}
END_TEST

/* RFC 4648 section 10 */
static const struct {
	const char *plain;
	const char *coded;
} base64_vectors[] = {
	{ "", "" },
	{ "f", "Zg==" },
	{ "fo", "Zm8=" },
	{ "foo", "Zm9v" },
	{ "foob", "Zm9vYg==" },
	{ "fooba", "Zm9vYmE=" },
	{ "foobar", "Zm9vYmFy" },
	{ "\xfb\xff\xfe", "+//+" },
};

START_TEST(base64_speaks_the_vectors_of_rfc_4648)
{
	struct buf b = BUF_INIT(64);

	base64_encode(&b, bytes_str(base64_vectors[_i].plain), 0);
	ck_assert_str_eq(buf_cstr(&b), base64_vectors[_i].coded);
	buf_reset(&b);
	ck_assert_int_eq(
	        base64_decode(&b, bytes_str(base64_vectors[_i].coded)), RC_OK);
	ck_assert_str_eq(buf_cstr(&b), base64_vectors[_i].plain);
	buf_free(&b);
}
END_TEST

START_TEST(base64_breaks_lines_at_columns)
{
	struct buf b = BUF_INIT(64);

	base64_encode(&b, BYTES_LIT("foobarf"), 4);
	ck_assert_str_eq(buf_cstr(&b), "Zm9v\nYmFy\nZg==\n");
	buf_free(&b);
}
END_TEST

static const struct {
	const char *name;
	const char *in;
	enum rc rc;
	const char *out;
} base64_inputs[] = {
	{ "white space", " Zm\r\n9v\tYg\n==\n", RC_OK, "foob" },
	{ "space inside padding", "Zg= =", RC_OK, "f" },
	{ "padding absent 1", "Zm8", RC_OK, "fo" },
	{ "padding absent 2", "Zg", RC_OK, "f" },
	{ "half the padding", "Zg=", RC_MALFORMED, NULL },
	{ "too much padding", "Zm8==", RC_MALFORMED, NULL },
	{ "padding without need", "Zm9v=", RC_MALFORMED, NULL },
	{ "four pads", "Zm9v====", RC_MALFORMED, NULL },
	{ "only padding", "=", RC_MALFORMED, NULL },
	{ "digit after padding", "Zg==Zg==", RC_MALFORMED, NULL },
	{ "lone digit", "Zm9vZ", RC_MALFORMED, NULL },
	{ "trailing bits", "Zh==", RC_MALFORMED, NULL },
	{ "trailing bits, no padding", "Zm9", RC_MALFORMED, NULL },
	{ "url alphabet", "-__-", RC_MALFORMED, NULL },
	{ "form feed", "Zm\f9v", RC_MALFORMED, NULL },
	{ "high byte", "Zm9\xc3", RC_MALFORMED, NULL },
};

START_TEST(base64_decodes_strictly)
{
	struct buf b = BUF_INIT(64);

	buf_add_str(&b, ">");
	ck_assert_msg(base64_decode(&b, bytes_str(base64_inputs[_i].in)) ==
	                base64_inputs[_i].rc,
	        "%s", base64_inputs[_i].name);
	if (base64_inputs[_i].out != NULL)
		ck_assert_str_eq(buf_cstr(&b) + 1, base64_inputs[_i].out);
	else
		ck_assert_uint_eq(b.n, 1);
	buf_free(&b);
}
END_TEST

START_TEST(base64_respects_the_cap)
{
	struct buf b = BUF_INIT(5);

	ck_assert_int_eq(base64_decode(&b, BYTES_LIT("Zm9vYmFy")), RC_TOOBIG);
	buf_reset(&b);
	ck_assert_int_eq(
	        base64_decode(&b, BYTES_LIT("\n\n\n\n\n\n\n\nZm9vYmE=")),
	        RC_OK);
	buf_free(&b);
}
END_TEST

START_TEST(base64_and_hex_round_trip_random_bytes)
{
	struct buf coded = BUF_INIT(4096);
	struct buf plain = BUF_INIT(4096);
	uint8_t raw[600];

	for (size_t n = 0; n < sizeof(raw); n++) {
		rand_fill(raw, n);
		buf_reset(&coded);
		buf_reset(&plain);
		base64_encode(&coded, bytes_of(raw, n), (unsigned)n % 80);
		ck_assert_int_eq(
		        base64_decode(&plain, buf_bytes(&coded)), RC_OK);
		ck_assert(bytes_eq(buf_bytes(&plain), bytes_of(raw, n)));
		buf_reset(&coded);
		buf_reset(&plain);
		hex_encode(&coded, bytes_of(raw, n));
		ck_assert_int_eq(hex_decode(&plain, buf_bytes(&coded)), RC_OK);
		ck_assert(bytes_eq(buf_bytes(&plain), bytes_of(raw, n)));
	}
	buf_free(&coded);
	buf_free(&plain);
}
END_TEST

START_TEST(hex_takes_pairs_of_digits_only)
{
	static const char *const bad[] = { "0", "0g", "g0", " 0", "0x00",
		"0:", "@0", "`0" };
	struct buf b = BUF_INIT(2);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(
		        hex_decode(&b, bytes_str(bad[i])), RC_MALFORMED);
	ck_assert_uint_eq(b.n, 0);
	ck_assert_int_eq(hex_decode(&b, BYTES_LIT("aFC0")), RC_OK);
	ck_assert_mem_eq(b.p, "\xaf\xc0", 2);
	ck_assert_int_eq(hex_decode(&b, BYTES_LIT("00")), RC_TOOBIG);
	buf_free(&b);
}
END_TEST

static const struct {
	const char *in;
	uint64_t max;
	enum rc rc;
	uint64_t value;
} numbers[] = {
	{ "0", 0, RC_OK, 0 },
	{ "007", 7, RC_OK, 7 },
	{ "8", 7, RC_TOOBIG, 0 },
	{ "10", 9, RC_TOOBIG, 0 },
	{ "18446744073709551615", UINT64_MAX, RC_OK, UINT64_MAX },
	{ "18446744073709551616", UINT64_MAX, RC_TOOBIG, 0 },
	{ "99999999999999999999999999", UINT64_MAX, RC_TOOBIG, 0 },
	{ "99999999999999999999x", UINT64_MAX, RC_MALFORMED, 0 },
	{ "", 9, RC_MALFORMED, 0 },
	{ "+1", 9, RC_MALFORMED, 0 },
	{ "-1", 9, RC_MALFORMED, 0 },
	{ " 1", 9, RC_MALFORMED, 0 },
	{ "1 ", 9, RC_MALFORMED, 0 },
	{ "0x1", 9, RC_MALFORMED, 0 },
};

START_TEST(numbers_are_plain_decimal_up_to_max)
{
	uint64_t v;

	ck_assert_int_eq(
	        text_u64(bytes_str(numbers[_i].in), numbers[_i].max, &v),
	        numbers[_i].rc);
	ck_assert_uint_eq(v, numbers[_i].value);
}
END_TEST

START_TEST(escape_leaves_nothing_that_a_terminal_obeys)
{
	struct buf b = BUF_INIT(64);

	text_escape(&b, BYTES_LIT("a \"\\\n\x1b\xff~\x7f"));
	ck_assert_str_eq(buf_cstr(&b), "a \\x22\\x5c\\x0a\\x1b\\xff~\\x7f");
	ck_assert(text_is_print(BYTES_LIT(" ~")));
	ck_assert(!text_is_print(BYTES_LIT("\x7f")));
	ck_assert(!text_is_print(BYTES_LIT("\x1f")));
	buf_free(&b);
}
END_TEST

static const struct {
	const char *in;
	bool valid;
} utf8_inputs[] = {
	{ "", true },
	{ "plain", true },
	{ "\xc3\xa9", true },
	{ "\xe2\x82\xac", true },
	{ "\xf0\x9f\x98\x80", true },
	{ "\xf4\x8f\xbf\xbf", true },
	{ "\xed\x9f\xbf", true },
	{ "\xc0\x80", false },         /* overlong NUL */
	{ "\xc1\xbf", false },         /* overlong */
	{ "\xe0\x9f\xbf", false },     /* overlong */
	{ "\xf0\x8f\xbf\xbf", false }, /* overlong */
	{ "\xed\xa0\x80", false },     /* surrogate */
	{ "\xf4\x90\x80\x80", false }, /* past U+10FFFF */
	{ "\xf5\x80\x80\x80", false },
	{ "\x80", false },
	{ "\xc3", false },
	{ "\xe2\x82", false },
	{ "\xe2\x82x", false },
	{ "\xc3x", false },
};

START_TEST(utf8_follows_rfc_3629)
{
	ck_assert_msg(text_is_utf8(bytes_str(utf8_inputs[_i].in)) ==
	                utf8_inputs[_i].valid,
	        "input %d", _i);
}
END_TEST

static const struct {
	int64_t time_s;
	const char *text;
} times[] = {
	{ 0, "1970-01-01T00:00:00Z" },
	{ -1, "1969-12-31T23:59:59Z" },
	{ 951782399, "2000-02-28T23:59:59Z" },
	{ 951782400, "2000-02-29T00:00:00Z" },
	{ 951868800, "2000-03-01T00:00:00Z" },
	{ 1795341600, "2026-11-22T10:00:00Z" },
	{ 4107542400, "2100-03-01T00:00:00Z" },
	{ 4107542399, "2100-02-28T23:59:59Z" },
	{ 253402300799, "9999-12-31T23:59:59Z" },
	{ INT64_MAX, "9999-12-31T23:59:59Z" },
	{ INT64_MIN, "0000-01-01T00:00:00Z" },
};

START_TEST(time_is_written_as_rfc_3339)
{
	char out[TEXT_TIME_BYTES];

	ck_assert_str_eq(text_time(out, times[_i].time_s), times[_i].text);
}
END_TEST

START_TEST(time_agrees_with_the_c_library)
{
	char ours[TEXT_TIME_BYTES];
	char theirs[TEXT_TIME_BYTES];
	int64_t back = -1;
	struct tm tm;

	/* A prime step visits all months, hours and leap rules. */
	for (time_t t = -62167219200; t <= 253402300799; t += 8640011) {
		ck_assert_ptr_nonnull(gmtime_r(&t, &tm));
		/* %Y does not pad years before 1000. */
		tm.tm_year += 1900;
		(void)snprintf(theirs, 5, "%04u", (unsigned)tm.tm_year % 10000);
		(void)strftime(theirs + 4, sizeof(theirs) - 4,
		        "-%m-%dT%H:%M:%SZ", &tm);
		ck_assert_str_eq(text_time(ours, t), theirs);
		ck_assert_int_eq(text_time_parse(ours, &back), RC_OK);
		ck_assert_int_eq(back, t);
	}
}
END_TEST

static const struct {
	const char *text;
	enum rc rc;
	int64_t time_s;
} time_texts[] = {
	{ "1970-01-01T00:00:00Z", RC_OK, 0 },
	{ "2000-02-29T23:59:59Z", RC_OK, 951868799 },
	{ "2000-02-29", RC_OK, 951782400 },
	{ "2000-02-29T01:00:00+01:00", RC_OK, 951782400 },
	{ "2000-02-28T18:30:00-05:30", RC_OK, 951782400 },
	{ "1900-02-29", RC_MALFORMED, 0 },
	{ "2026-02-30", RC_MALFORMED, 0 },
	{ "2026-00-10", RC_MALFORMED, 0 },
	{ "2026-13-10", RC_MALFORMED, 0 },
	{ "2026-11-00", RC_MALFORMED, 0 },
	{ "2026-11-31", RC_MALFORMED, 0 },
	{ "2026-11-3", RC_MALFORMED, 0 },
	{ "226-11-30", RC_MALFORMED, 0 },
	{ "2026-11-30T10:00:00", RC_MALFORMED, 0 },
	{ "2026-11-30T10:00Z", RC_MALFORMED, 0 },
	{ "2026-11-30T24:00:00Z", RC_MALFORMED, 0 },
	{ "2026-11-30T10:60:00Z", RC_MALFORMED, 0 },
	{ "2026-11-30T10:00:60Z", RC_MALFORMED, 0 },
	{ "2026-11-30T10:00:00.5Z", RC_MALFORMED, 0 },
	{ "2026-11-30T10:00:00+24:00", RC_MALFORMED, 0 },
	{ "2026-11-30T10:00:00+01:60", RC_MALFORMED, 0 },
	{ "2026-11-30T10:00:00Z ", RC_MALFORMED, 0 },
	{ "2026-11-30 10:00:00Z", RC_MALFORMED, 0 },
	{ "+026-11-30", RC_MALFORMED, 0 },
	{ "today", RC_MALFORMED, 0 },
	{ "", RC_MALFORMED, 0 },
};

START_TEST(time_is_read_strictly)
{
	int64_t time_s = 0;

	ck_assert_int_eq(text_time_parse(time_texts[_i].text, &time_s),
	        time_texts[_i].rc);
	ck_assert_int_eq(time_s, time_texts[_i].time_s);
}
END_TEST

START_TEST(distance_counts_edits)
{
	ck_assert_uint_eq(text_distance("kitten", "sitting"), 3);
	ck_assert_uint_eq(text_distance("", "abc"), 3);
	ck_assert_uint_eq(text_distance("same", "same"), 0);
	ck_assert_uint_eq(text_distance("authoritys", "authorities"), 2);
	ck_assert_uint_eq(
	        text_distance("", "123456789012345678901234567890123"),
	        SIZE_MAX);
}
END_TEST

TCase *test_base_text(void)
{
	TCase *t = tcase_create("pure");

	tcase_add_test(t, rc_every_code_has_name_text_and_status);
	tcase_add_loop_test(
	        t, rc_statuses_are_those_est_clients_handle, 0, ROWS(statuses));
	tcase_add_test(t, why_shows_only_printable_ascii);
	tcase_add_test(t, why_cuts_what_is_too_long);
	tcase_add_test(t, why_prefix_keeps_the_clause);
	tcase_add_test(t, bytes_compare_by_value);
	tcase_add_test(t, bytes_order_is_unsigned_and_shorter_first);
	tcase_add_test(t, bytes_slices_are_clipped);
	tcase_add_test(t, buf_never_passes_its_cap_and_stays_failed);
	tcase_add_test(t, buf_grows_and_keeps_what_it_holds);
	tcase_add_test(t, buf_refuses_sizes_that_wrap);
	tcase_add_test(t, pack_reads_back_what_it_wrote);
	tcase_add_test(t, unpack_past_the_end_fails_and_stays_failed);
	tcase_add_test(t, unpack_str_refuses_what_is_no_string);
	tcase_add_loop_test(t, base64_speaks_the_vectors_of_rfc_4648, 0,
	        ROWS(base64_vectors));
	tcase_add_test(t, base64_breaks_lines_at_columns);
	tcase_add_loop_test(t, base64_decodes_strictly, 0, ROWS(base64_inputs));
	tcase_add_test(t, base64_respects_the_cap);
	tcase_add_test(t, base64_and_hex_round_trip_random_bytes);
	tcase_add_test(t, hex_takes_pairs_of_digits_only);
	tcase_add_loop_test(
	        t, numbers_are_plain_decimal_up_to_max, 0, ROWS(numbers));
	tcase_add_test(t, escape_leaves_nothing_that_a_terminal_obeys);
	tcase_add_loop_test(t, utf8_follows_rfc_3629, 0, ROWS(utf8_inputs));
	tcase_add_loop_test(t, time_is_written_as_rfc_3339, 0, ROWS(times));
	tcase_add_test(t, time_agrees_with_the_c_library);
	tcase_add_loop_test(t, time_is_read_strictly, 0, ROWS(time_texts));
	tcase_add_test(t, distance_counts_edits);
	return t;
}
