#include "tests/unit/test_der.h"
#include "der/oid.h"
#include <openssl/asn1.h>
#include <openssl/objects.h>

START_TEST(oid_table_agrees_with_libcrypto_and_is_sorted)
{
	for (unsigned i = OID_NONE + 1; i < OID_COUNT; i++) {
		enum oid oid = (enum oid)i;
		const char *name = oid_name(oid);
		ASN1_OBJECT *obj = OBJ_txt2obj(oid_dotted(oid), 1);
		struct buf text = BUF_INIT(256);

		ck_assert_ptr_nonnull(obj);
		check_bytes(name, oid_bytes(oid),
		        bytes_of(OBJ_get0_data(obj), OBJ_length(obj)));
		ck_assert_int_eq(oid_find(oid_bytes(oid)), oid);
		ck_assert_int_eq(oid_by_name(bytes_str(name)), oid);
		ck_assert_int_eq(oid_print(&text, oid_bytes(oid)), RC_OK);
		ck_assert_str_eq(buf_cstr(&text), oid_dotted(oid));
		if (i > OID_NONE + 1)
			ck_assert_int_lt(
			        bytes_cmp(oid_bytes(oid - 1), oid_bytes(oid)),
			        0);
		buf_free(&text);
		ASN1_OBJECT_free(obj);
	}
}
END_TEST

START_TEST(unknown_oids_are_none)
{
	ck_assert_int_eq(oid_find(BYTES_NONE), OID_NONE);
	ck_assert_int_eq(oid_find(BYTES_LIT("\x55\x04")), OID_NONE);
	ck_assert_int_eq(oid_find(BYTES_LIT("\xff\x04")), OID_NONE);
	ck_assert_int_eq(oid_by_name(BYTES_LIT("nosuch")), OID_NONE);
	ck_assert_int_eq(oid_by_name(BYTES_LIT("cn")), OID_CN);
	ck_assert(!oid_is(BYTES_NONE, OID_NONE));
}
END_TEST

struct row {
	const char *text;
	enum rc rc;
	const char *hex;
};

static const struct row rows[] = {
	{ "2.5.4.3", RC_OK, "550403" },
	{ "0.0", RC_OK, "00" },
	{ "1.39", RC_OK, "4f" },
	{ "2.999", RC_OK, "8837" },
	{ "2.9223372036854775727", RC_OK, "ffffffffffffffff7f" },
	{ "1.2.9223372036854775807", RC_OK, "2affffffffffffffff7f" },
	{ "1.2.9223372036854775808", RC_MALFORMED, "" },
	{ "2.9223372036854775728", RC_MALFORMED, "" },
	{ "3.1", RC_MALFORMED, "" },
	{ "1.40", RC_MALFORMED, "" },
	{ "1", RC_MALFORMED, "" },
	{ "1.", RC_MALFORMED, "" },
	{ ".1", RC_MALFORMED, "" },
	{ "1.2.", RC_MALFORMED, "" },
	{ "1..2", RC_MALFORMED, "" },
	{ "1.02", RC_MALFORMED, "" },
	{ "01.2", RC_MALFORMED, "" },
	{ "1.2.-3", RC_MALFORMED, "" },
	{ "1.2.+3", RC_MALFORMED, "" },
	{ "1.2 .3", RC_MALFORMED, "" },
	{ "", RC_MALFORMED, "" },
	{ "1.2.9223372036854775807.9223372036854775807.9223372036854775807"
	  ".9223372036854775807.9223372036854775807.9223372036854775807"
	  ".9223372036854775807.9223372036854775807",
	        RC_TOOBIG, "" },
};

START_TEST(dotted_text_and_der_go_both_ways)
{
	const struct row *row = &rows[_i];
	struct buf got = BUF_INIT(256), back = BUF_INIT(512);
	struct buf want = unhex(row->hex);
	struct why why = WHY_NONE;
	enum rc rc = oid_parse(&got, bytes_str(row->text), &why);

	check_result(row->text, rc, row->rc, &why, "OID");
	check_bytes(row->text, buf_bytes(&got), buf_bytes(&want));
	if (rc == RC_OK) {
		ck_assert_int_eq(oid_print(&back, buf_bytes(&got)), RC_OK);
		ck_assert_str_eq(buf_cstr(&back), row->text);
	}
	buf_free(&got);
	buf_free(&back);
	buf_free(&want);
}
END_TEST

START_TEST(names_and_dotted_text_both_name_an_oid)
{
	struct buf out = BUF_INIT(64);

	ck_assert_int_eq(
	        oid_parse_any(&out, BYTES_LIT("id-kp-clientAuth"), NULL),
	        RC_OK);
	check_bytes("name", buf_bytes(&out), oid_bytes(OID_KP_CLIENT_AUTH));
	buf_reset(&out);
	ck_assert_int_eq(
	        oid_parse_any(&out, BYTES_LIT("2.5.4.3"), NULL), RC_OK);
	check_bytes("dotted", buf_bytes(&out), oid_bytes(OID_CN));
	ck_assert_int_eq(
	        oid_parse_any(&out, BYTES_LIT("x"), NULL), RC_MALFORMED);
	buf_free(&out);
}
END_TEST

START_TEST(oid_print_refuses_what_is_no_oid)
{
	struct buf out = BUF_INIT(64);

	ck_assert_int_eq(oid_print(&out, BYTES_NONE), RC_MALFORMED);
	ck_assert_int_eq(oid_print(&out, BYTES_LIT("\x80\x01")), RC_MALFORMED);
	ck_assert_int_eq(oid_print(&out, BYTES_LIT("\x2a\xff")), RC_MALFORMED);
	ck_assert_int_eq(oid_print(&out,
	                         BYTES_LIT("\x2a\x81\xff\xff\xff\xff\xff\xff"
	                                   "\xff\xff\x7f")),
	        RC_TOOBIG);
	buf_free(&out);
}
END_TEST

TCase *test_der_oid(void)
{
	TCase *t = tcase_create("oid");

	tcase_add_test(t, oid_table_agrees_with_libcrypto_and_is_sorted);
	tcase_add_test(t, unknown_oids_are_none);
	tcase_add_loop_test(t, dotted_text_and_der_go_both_ways, 0,
	        sizeof(rows) / sizeof(rows[0]));
	tcase_add_test(t, names_and_dotted_text_both_name_an_oid);
	tcase_add_test(t, oid_print_refuses_what_is_no_oid);
	return t;
}
