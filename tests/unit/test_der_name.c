#include "tests/unit/test_der.h"
#include "der/name.h"
#include <openssl/x509.h>
#include <string.h>

struct check_row {
	const char *name;
	const char *hex;
	enum rc rc;
	const char *clause;
};

/* CN = ... with the value's TLV last */
static const struct check_row check_rows[] = {
	{ "empty Name", "3000", RC_OK, "" },
	{ "UTF8String", "300c310a300806035504030c0161", RC_OK, "" },
	{ "TeletexString", "300c310a3008060355040314 01e4", RC_OK, "" },
	{ "BMPString", "300d310b300906035504031e 020061", RC_OK, "" },
	{ "NumericString", "300c310a300806035504031201 31", RC_OK, "" },
	{ "multi-valued RDN",
	        "3016 3114 3008060355040a0c0161 300806035504030c0161",
	        RC_MALFORMED, "out of order" },
	{ "multi-valued RDN in order",
	        "3016 3114 300806035504030c0161 3008060355040a0c0161", RC_OK,
	        "" },
	{ "trailing bytes", "300c310a300806035504030c016100", RC_MALFORMED,
	        "trailing" },
	{ "trailing bytes in the attribute", "300e310c300a06035504030c01610500",
	        RC_MALFORMED, "trailing" },
	{ "empty RDN", "30023100", RC_MALFORMED, "empty" },
	{ "empty value", "300b3109300706035504030c00", RC_MALFORMED,
	        "empty value" },
	{ "NUL in UTF8String", "300d310b300906035504030c026100", RC_MALFORMED,
	        "character set" },
	{ "bad UTF-8", "300c310a300806035504030c01c3", RC_MALFORMED,
	        "character set" },
	{ "asterisk in PrintableString", "300c310a3008060355040313012a",
	        RC_MALFORMED, "character set" },
	{ "8-bit IA5String", "300c310a3008060355040316 0180", RC_MALFORMED,
	        "character set" },
	{ "odd BMPString", "300c310a300806035504031e 0161", RC_MALFORMED,
	        "character set" },
	{ "surrogate in BMPString", "300d310b300906035504031e 02d800",
	        RC_MALFORMED, "character set" },
	{ "letter in NumericString", "300c310a3008060355040312 0161",
	        RC_MALFORMED, "character set" },
	{ "BIT STRING value", "300d310b3009060355040303 020061", RC_UNSUPPORTED,
	        "string type 03" },
	{ "UniversalString", "300f310d300b06035504031c 0400000061",
	        RC_UNSUPPORTED, "string type 1c" },
	{ "no value", "3009310730050603550403", RC_MALFORMED, "missing" },
	{ "RDN that is a SEQUENCE", "300c300a300806035504030c0161",
	        RC_MALFORMED, "tag 30, not 31" },
};

START_TEST(name_check_follows_rfc5280)
{
	const struct check_row *row = &check_rows[_i];
	struct buf in = unhex(row->hex);
	struct why why = WHY_NONE;

	check_result(row->name, name_check(buf_bytes(&in), &why), row->rc, &why,
	        row->clause);
	buf_free(&in);
}
END_TEST

START_TEST(name_has_caps)
{
	struct name_part many[NAME_ATTRS_MAX + 1];
	struct buf b = BUF_INIT(8192);
	struct why why = WHY_NONE;

	for (size_t i = 0; i <= NAME_ATTRS_MAX; i++)
		many[i] =
		        (struct name_part){ oid_bytes(OID_OU), BYTES_LIT("x") };
	ck_assert_int_eq(name_write(&b, many, NAME_ATTRS_MAX, &why), RC_OK);
	ck_assert_int_eq(name_check(buf_bytes(&b), &why), RC_OK);
	buf_reset(&b);
	check_result("attributes",
	        name_write(&b, many, NAME_ATTRS_MAX + 1, &why), RC_TOOBIG, &why,
	        "more than 32");
	buf_free(&b);
}
END_TEST

struct part_row {
	const char *name;
	enum oid oid;
	const char *text;
	enum rc rc;
	const char *clause;
};

#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define UMLAUT8 "\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4"
#define UMLAUT64 UMLAUT8 UMLAUT8 UMLAUT8 UMLAUT8 UMLAUT8 UMLAUT8 UMLAUT8 UMLAUT8

static const struct part_row part_rows[] = {
	{ "64 characters", OID_CN, X64, RC_OK, "" },
	{ "64 characters of two bytes", OID_CN, UMLAUT64, RC_OK, "" },
	{ "65 characters", OID_CN, X64 "x", RC_TOOBIG, "over 64" },
	{ "empty", OID_CN, "", RC_MALFORMED, "empty" },
	{ "bad UTF-8", OID_CN, "\xc3", RC_MALFORMED, "character set" },
	{ "country", OID_C, "DE", RC_OK, "" },
	{ "country in small letters", OID_C, "de", RC_MALFORMED,
	        "two capital" },
	{ "country of one letter", OID_C, "D", RC_MALFORMED, "two capital" },
	{ "country of three letters", OID_C, "DEU", RC_TOOBIG, "over 2" },
	{ "serialNumber is printable", OID_SERIAL_NUMBER, "a_b", RC_MALFORMED,
	        "character set" },
	{ "mail is ASCII", OID_EMAIL, "\u00e4@b", RC_MALFORMED,
	        "character set" },
	{ "mail", OID_EMAIL, "a@b", RC_OK, "" },
	{ "DC label of 64", OID_DC, X64, RC_TOOBIG, "over 63" },
	{ "no OID", OID_NONE, "x", RC_MALFORMED, "OID" },
};

START_TEST(name_parts_keep_rfc5280_bounds)
{
	const struct part_row *row = &part_rows[_i];
	struct name_part part = { oid_bytes(row->oid), bytes_str(row->text) };
	struct why why = WHY_NONE;

	check_result(row->name, name_part_check(&part, &why), row->rc, &why,
	        row->clause);
}
END_TEST

START_TEST(a_refused_part_leaves_the_buffer_alone)
{
	struct name_part parts[] = {
		{ oid_bytes(OID_CN), BYTES_LIT("x") },
		{ oid_bytes(OID_C), BYTES_LIT("x") },
	};
	struct buf b = BUF_INIT(8);

	ck_assert_int_eq(name_write(&b, parts, 2, NULL), RC_MALFORMED);
	ck_assert_uint_eq(b.n, 0);
	ck_assert_int_eq(name_write(&b, parts, 1, NULL), RC_TOOBIG);
	ck_assert_uint_eq(b.n, 0);
	buf_free(&b);
}
END_TEST

/* libcrypto chooses a PrintableString where it can, so it is told the type. */
static void add_theirs(
        X509_NAME *name, const char *oid, int type, const char *text)
{
	ck_assert_int_eq(X509_NAME_add_entry_by_txt(name, oid, type,
	                         (const unsigned char *)text, -1, -1, 0),
	        1);
}

START_TEST(names_agree_with_libcrypto)
{
	struct name_part parts[] = {
		{ oid_bytes(OID_C), BYTES_LIT("DE") },
		{ oid_bytes(OID_DC), BYTES_LIT("example") },
		{ oid_bytes(OID_O), BYTES_LIT("M\xc3\xa4hr & Co") },
		{ oid_bytes(OID_SERIAL_NUMBER), BYTES_LIT("SN-1") },
		{ oid_bytes(OID_MATTER_VID), BYTES_LIT("FFF1") },
		{ oid_bytes(OID_CN), BYTES_LIT("meter-1") },
	};
	X509_NAME *theirs = X509_NAME_new();
	struct buf b = BUF_INIT(NAME_MAX_BYTES);
	unsigned char *der = NULL;
	int n;

	add_theirs(theirs, "C", V_ASN1_PRINTABLESTRING, "DE");
	add_theirs(theirs, "DC", V_ASN1_IA5STRING, "example");
	add_theirs(theirs, "O", V_ASN1_UTF8STRING, "M\xc3\xa4hr & Co");
	add_theirs(theirs, "serialNumber", V_ASN1_PRINTABLESTRING, "SN-1");
	add_theirs(theirs, "1.3.6.1.4.1.37244.2.1", V_ASN1_UTF8STRING, "FFF1");
	add_theirs(theirs, "CN", V_ASN1_UTF8STRING, "meter-1");
	n = i2d_X509_NAME(theirs, &der);
	ck_assert_int_eq(name_write(&b, parts, 6, NULL), RC_OK);
	check_bytes("name", buf_bytes(&b), bytes_of(der, (size_t)n));
	ck_assert_int_eq(name_check(buf_bytes(&b), NULL), RC_OK);
	buf_free(&b);
	OPENSSL_free(der);
	X509_NAME_free(theirs);
}
END_TEST

START_TEST(attributes_are_found_in_order)
{
	/* OU=a, OU=b + CN=c */
	struct buf in = unhex("3022 310a3008060355040b0c0161"
	                      "3114 300806035504030c0163"
	                      "3008060355040b0c0162");
	struct bytes name = buf_bytes(&in);
	struct name_attr a;

	ck_assert_int_eq(name_check(name, NULL), RC_OK);
	ck_assert(!name_is_empty(name));
	ck_assert(name_is_empty(BYTES_LIT("\x30\x00")));
	ck_assert_uint_eq(name_count(name, oid_bytes(OID_OU)), 2);
	ck_assert(name_get(name, oid_bytes(OID_OU), 0, &a));
	check_bytes("first", a.value, BYTES_LIT("a"));
	ck_assert(name_get(name, oid_bytes(OID_OU), 1, &a));
	check_bytes("second", a.value, BYTES_LIT("b"));
	ck_assert_uint_eq(a.rdn, 1);
	ck_assert_uint_eq(a.tag, DER_UTF8_STRING);
	ck_assert(!name_get(name, oid_bytes(OID_OU), 2, &a));
	ck_assert(!name_get(name, oid_bytes(OID_C), 0, &a));
	buf_free(&in);
}
END_TEST

struct print_row {
	const char *hex;
	const char *text;
};

static const struct print_row print_rows[] = {
	{ "3000", "" },
	{ "300c310a300806035504030c0161", "CN=a" },
	{ "3022 310a3008060355040b0c0161 3114 300806035504030c0163"
	  "3008060355040b0c0162",
	        "CN=c+OU=b,OU=a" },
	{ "3010310e300c06035504030c05 20612c6220", "CN=\\ a\\,b\\ " },
	{ "300f310d300b06035504030c04 23616223", "CN=\\#ab#" },
	{ "3011310f300d06035504030c06 2b223c3e3b5c",
	        "CN=\\+\\\"\\<\\>\\;\\\\" },
	{ "300d310b300906035504030c02 0a7f", "CN=\\0a\\7f" },
	{ "300c310a300806035504031401 e4", "CN=\xc3\xa4" },
	{ "300f310d300b06035504031e04 20ac00e4", "CN=\xe2\x82\xac\xc3\xa4" },
	{ "300b3109300706022a040c0161", "1.2.4=#0c0161" },
};

START_TEST(names_print_as_rfc4514)
{
	const struct print_row *row = &print_rows[_i];
	struct buf in = unhex(row->hex);
	struct buf out = BUF_INIT(256);

	ck_assert_int_eq(name_check(buf_bytes(&in), NULL), RC_OK);
	ck_assert_int_eq(name_print(&out, buf_bytes(&in)), RC_OK);
	ck_assert_str_eq(buf_cstr(&out), row->text);
	buf_free(&in);
	buf_free(&out);
}
END_TEST

#define ROWS(a) ((int)(sizeof(a) / sizeof((a)[0])))

TCase *test_der_name(void)
{
	TCase *t = tcase_create("name");

	tcase_add_loop_test(t, name_check_follows_rfc5280, 0, ROWS(check_rows));
	tcase_add_test(t, name_has_caps);
	tcase_add_loop_test(
	        t, name_parts_keep_rfc5280_bounds, 0, ROWS(part_rows));
	tcase_add_test(t, a_refused_part_leaves_the_buffer_alone);
	tcase_add_test(t, names_agree_with_libcrypto);
	tcase_add_test(t, attributes_are_found_in_order);
	tcase_add_loop_test(t, names_print_as_rfc4514, 0, ROWS(print_rows));
	return t;
}
