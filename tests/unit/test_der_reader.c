#include "tests/unit/test_der.h"

enum kind {
	NEXT,
	BOOL,
	INTEGER,
	UNSIGNED,
	U64,
	NUL,
	OBJECT,
	BITS,
	OCTET_BITS,
	NAMED_BITS,
	TIME,
	GENERALIZED,
	OPEN,
	CHECK,
};

struct row {
	const char *name;
	enum kind kind;
	const char *hex;
	enum rc rc;
	const char *clause;
};

static const struct row rows[] = {
	{ "empty input", NEXT, "", RC_MALFORMED, "missing" },
	{ "tag alone", NEXT, "02", RC_MALFORMED, "cut short" },
	{ "content cut short", NEXT, "020201", RC_MALFORMED, "cut short" },
	{ "length octets cut short", NEXT, "3082 01", RC_MALFORMED,
	        "cut short" },
	{ "indefinite length", NEXT, "3080 0000", RC_MALFORMED, "indefinite" },
	{ "long form under 128", NEXT, "04817f", RC_MALFORMED, "not minimal" },
	{ "leading zero in length", NEXT, "04820080", RC_MALFORMED,
	        "not minimal" },
	{ "five length octets", NEXT, "04850100000000", RC_TOOBIG, "too long" },
	{ "length over the cap", NEXT, "0484ffffffff", RC_TOOBIG, "too long" },
	{ "reserved length ff", NEXT, "04ff00", RC_MALFORMED, "cut short" },
	{ "high tag number", NEXT, "1f8101 00", RC_UNSUPPORTED, "tag number" },
	{ "high context tag number", NEXT, "bf1f 00", RC_UNSUPPORTED,
	        "tag number" },
	{ "end of contents", NEXT, "0000", RC_MALFORMED, "not DER" },
	{ "constructed OCTET STRING", NEXT, "2400", RC_MALFORMED, "not DER" },
	{ "primitive SEQUENCE", NEXT, "1000", RC_MALFORMED, "not DER" },
	{ "context tag, primitive", NEXT, "8000", RC_OK, "" },
	{ "context tag, constructed", NEXT, "a000", RC_OK, "" },

	{ "true", BOOL, "0101ff", RC_OK, "" },
	{ "false", BOOL, "010100", RC_OK, "" },
	{ "BOOLEAN 01", BOOL, "010101", RC_MALFORMED, "not canonical" },
	{ "BOOLEAN of two octets", BOOL, "0102ffff", RC_MALFORMED,
	        "not canonical" },
	{ "BOOLEAN empty", BOOL, "0100", RC_MALFORMED, "not canonical" },
	{ "BOOLEAN under another tag", BOOL, "0201ff", RC_MALFORMED,
	        "tag 02, not 01" },

	{ "zero", INTEGER, "020100", RC_OK, "" },
	{ "minus one", INTEGER, "0201ff", RC_OK, "" },
	{ "128", INTEGER, "02020080", RC_OK, "" },
	{ "minus 129", INTEGER, "0202ff7f", RC_OK, "" },
	{ "INTEGER empty", INTEGER, "0200", RC_MALFORMED, "not canonical" },
	{ "INTEGER padded by 00", INTEGER, "0202007f", RC_MALFORMED,
	        "not canonical" },
	{ "INTEGER padded by ff", INTEGER, "0202ff80", RC_MALFORMED,
	        "not canonical" },
	{ "unsigned wants no minus", UNSIGNED, "020180", RC_MALFORMED,
	        "negative" },
	{ "nine octets of 64 bits", U64, "0209 00ffffffffffffffff", RC_OK, "" },
	{ "65 bits", U64, "0209 010000000000000000", RC_TOOBIG, "too large" },

	{ "NULL", NUL, "0500", RC_OK, "" },
	{ "NULL with content", NUL, "050100", RC_MALFORMED, "not canonical" },

	{ "OID", OBJECT, "0603550403", RC_OK, "" },
	{ "OID empty", OBJECT, "0600", RC_MALFORMED, "not canonical" },
	{ "OID arc padded", OBJECT, "0603558003", RC_MALFORMED,
	        "not canonical" },
	{ "OID cut inside an arc", OBJECT, "06025583", RC_MALFORMED,
	        "not canonical" },

	{ "no bits", BITS, "030100", RC_OK, "" },
	{ "BIT STRING empty", BITS, "0300", RC_MALFORMED, "not canonical" },
	{ "unused bits of nothing", BITS, "030101", RC_MALFORMED,
	        "not canonical" },
	{ "eight unused bits", BITS, "03020800", RC_MALFORMED,
	        "not canonical" },
	{ "unused bits set", BITS, "03020101", RC_MALFORMED, "not canonical" },
	{ "unused bits clear", BITS, "030201fe", RC_OK, "" },
	{ "octets wanted", OCTET_BITS, "030201fe", RC_MALFORMED,
	        "whole octets" },
	{ "named bits", NAMED_BITS, "03020780", RC_OK, "" },
	{ "named bits with a zero tail", NAMED_BITS, "03020680", RC_MALFORMED,
	        "trailing zero" },
	{ "named bits, zero octet", NAMED_BITS, "03030080 00", RC_MALFORMED,
	        "trailing zero" },
	{ "40 named bits", NAMED_BITS, "03060001010101 01", RC_TOOBIG,
	        "too many" },

	{ "UTCTime", TIME, "170d3236313132323130303030305a", RC_OK, "" },
	{ "UTCTime without seconds", TIME, "170b323631313232313030305a",
	        RC_MALFORMED, "UTCTime" },
	{ "GeneralizedTime in 2050", TIME, "180f32303530303130313030303030305a",
	        RC_OK, "" },
	{ "GeneralizedTime in 2049", TIME, "180f32303439313233313233353935395a",
	        RC_MALFORMED, "before 2050" },
	{ "OCSP takes GeneralizedTime at any date", GENERALIZED,
	        "180f32303439313233313233353935395a", RC_OK, "" },
	{ "OCSP takes no UTCTime", GENERALIZED,
	        "170d3236313132323130303030305a", RC_MALFORMED,
	        "tag 17, not 18" },

	{ "one SEQUENCE", OPEN, "3003020100", RC_OK, "" },
	{ "bytes after the SEQUENCE", OPEN, "300302010000", RC_MALFORMED,
	        "trailing" },

	{ "tree", CHECK, "3009 a003020101 0c02c3a4", RC_OK, "" },
	{ "tree with a tail", CHECK, "300000", RC_MALFORMED, "trailing" },
	{ "inner length past the outer", CHECK, "3003 020201", RC_MALFORMED,
	        "cut short" },
	{ "inner padded INTEGER", CHECK, "3004 02020001", RC_MALFORMED,
	        "tag 02 is not canonical" },
	{ "inner bad UTF-8", CHECK, "3003 0c01c3", RC_MALFORMED,
	        "tag 0c is not canonical" },
	{ "inner bad PrintableString", CHECK, "3003 13012a", RC_MALFORMED,
	        "tag 13 is not canonical" },
	{ "inner bad UTCTime", CHECK, "3003 170130", RC_MALFORMED,
	        "tag 17 is not canonical" },
};

static enum rc run(enum kind kind, struct der *d, struct why *why)
{
	struct der_item item;
	struct bytes out;
	struct der inside;
	unsigned unused;
	uint32_t bits;
	uint64_t u;
	int64_t t;
	bool b;

	switch (kind) {
	case NEXT:
		return der_next(d, &item, "X", why);
	case BOOL:
		return der_bool(d, &b, "X", why);
	case INTEGER:
		return der_integer(d, &out, "X", why);
	case UNSIGNED:
		return der_integer_unsigned(d, &out, "X", why);
	case U64:
		return der_integer_u64(d, UINT64_MAX, &u, "X", why);
	case NUL:
		return der_null(d, "X", why);
	case OBJECT:
		return der_oid(d, &out, "X", why);
	case BITS:
		return der_bit_string(d, &out, &unused, "X", why);
	case OCTET_BITS:
		return der_bit_octets(d, &out, "X", why);
	case NAMED_BITS:
		return der_named_bits(d, &bits, "X", why);
	case TIME:
		return der_time(d, &t, "X", why);
	case GENERALIZED:
		return der_generalized_time(d, &t, "X", why);
	case OPEN:
		return der_open(d->rest, DER_SEQUENCE, &inside, "X", why);
	case CHECK:
		return der_check(d->rest, "X", why);
	}
	return RC_INTERNAL;
}

START_TEST(reader_takes_the_one_valid_encoding_only)
{
	const struct row *row = &rows[_i];
	struct buf in = unhex(row->hex);
	struct der d = der_of(buf_bytes(&in));
	struct why why = WHY_NONE;
	enum rc rc = run(row->kind, &d, &why);

	check_result(row->name, rc, row->rc, &why, row->clause);
	if (rc != RC_OK)
		ck_assert_msg(d.rest.n == in.n, "%s: cursor moved", row->name);
	else if (row->kind != OPEN && row->kind != CHECK)
		ck_assert_msg(der_done(&d, "X", NULL) == RC_OK,
		        "%s: not consumed", row->name);
	buf_free(&in);
}
END_TEST

START_TEST(reader_gives_values)
{
	struct buf in = unhex("02020080 0101ff 03020560 0203010001 0500");
	struct der d = der_of(buf_bytes(&in));
	struct bytes n, none;
	uint32_t bits;
	uint64_t u;
	bool b, present;

	ck_assert_int_eq(der_integer_unsigned(&d, &n, "n", NULL), RC_OK);
	check_bytes("n", n, BYTES_LIT("\x80"));
	ck_assert_int_eq(der_bool(&d, &b, "b", NULL), RC_OK);
	ck_assert(b);
	ck_assert_int_eq(der_named_bits(&d, &bits, "bits", NULL), RC_OK);
	ck_assert_uint_eq(bits, 1u << 1 | 1u << 2);
	ck_assert_int_eq(der_integer_u64(&d, 65537, &u, "u", NULL), RC_OK);
	ck_assert_uint_eq(u, 65537);
	ck_assert_int_eq(
	        der_optional(&d, DER_BOOLEAN, &none, &present, "o", NULL),
	        RC_OK);
	ck_assert(!present && none.n == 0 && der_more(&d));
	ck_assert_int_eq(der_null(&d, "null", NULL), RC_OK);
	ck_assert_int_eq(der_done(&d, "all", NULL), RC_OK);
	buf_free(&in);
}
END_TEST

START_TEST(reader_stops_at_the_depth_cap)
{
	uint8_t in[2 * (DER_DEPTH_MAX + 2)];
	unsigned levels = DER_DEPTH_MAX + 1;
	struct why why = WHY_NONE;
	struct der d;

	for (unsigned i = 0; i < levels; i++) {
		in[2 * i] = DER_SEQUENCE;
		in[2 * i + 1] = (uint8_t)(2 * (levels - 1 - i));
	}
	ck_assert_int_eq(
	        der_check(bytes_of(in + 2, 2 * levels - 2), "X", &why), RC_OK);
	check_result("check", der_check(bytes_of(in, 2 * levels), "X", &why),
	        RC_TOOBIG, &why, "too deep");
	d = der_of(bytes_of(in, 2 * levels));
	for (unsigned i = 0; i < DER_DEPTH_MAX; i++)
		ck_assert_int_eq(
		        der_enter(&d, DER_SEQUENCE, &d, "X", &why), RC_OK);
	check_result("enter", der_enter(&d, DER_SEQUENCE, &d, "X", &why),
	        RC_TOOBIG, &why, "too deep");
}
END_TEST

START_TEST(set_of_must_be_in_order)
{
	struct buf in = unhex("020101 020102 020102 040100");
	struct buf bad = unhex("020102 020101");
	struct why why = WHY_NONE;

	ck_assert_int_eq(der_check_set_of(buf_bytes(&in), "X", &why), RC_OK);
	check_result("bad", der_check_set_of(buf_bytes(&bad), "X", &why),
	        RC_MALFORMED, &why, "out of order");
	buf_free(&in);
	buf_free(&bad);
}
END_TEST

TCase *test_der_reader(void)
{
	TCase *t = tcase_create("reader");

	tcase_add_loop_test(t, reader_takes_the_one_valid_encoding_only, 0,
	        sizeof(rows) / sizeof(rows[0]));
	tcase_add_test(t, reader_gives_values);
	tcase_add_test(t, reader_stops_at_the_depth_cap);
	tcase_add_test(t, set_of_must_be_in_order);
	return t;
}
