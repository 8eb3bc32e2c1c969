#include "tests/unit/test_der.h"
#include "der/oid.h"
#include "der/time.h"
#include "der/writer.h"
#include <openssl/asn1.h>
#include <stdlib.h>
#include <string.h>

static void check_hex(const char *name, struct buf *b, const char *hex)
{
	struct buf want = unhex(hex);

	ck_assert_int_eq(b->failed, RC_OK);
	check_bytes(name, buf_bytes(b), buf_bytes(&want));
	buf_free(&want);
	buf_free(b);
}

START_TEST(writer_writes_each_type)
{
	struct buf b = BUF_INIT(1024);
	size_t seq;

	der_put_u64(&b, 0);
	der_put_u64(&b, 128);
	der_put_unsigned(&b, BYTES_LIT("\x00\x00\x80"));
	der_put_unsigned_as(&b, DER_ENUMERATED, BYTES_LIT("\x04"));
	check_hex("integers", &b, "020100 02020080 02020080 0a0104");
	der_put_bool(&b, true);
	der_put_bool(&b, false);
	der_put_null(&b);
	der_put_oid(&b, oid_bytes(OID_CN));
	check_hex("small", &b, "0101ff 010100 0500 0603550403");
	der_put_bits(&b, BYTES_LIT("\xaa"));
	der_put_octets(&b, BYTES_LIT("\xaa"));
	der_put_named_bits(&b, 0);
	der_put_named_bits(&b, 1u << 0 | 1u << 2);
	der_put_named_bits(&b, 1u << 8);
	check_hex("strings", &b, "030200aa 0401aa 030100 030205a0 0303070080");
	der_put_utf8(&b, BYTES_LIT("\xc3\xa4"));
	der_put_printable(&b, BYTES_LIT("A b"));
	der_put_ia5(&b, BYTES_LIT("a@b"));
	check_hex("text", &b, "0c02c3a4 1303412062 1603614062");
	der_put_time(&b, TIME_UTC_MAX_S);
	der_put_time(&b, TIME_UTC_MAX_S + 1);
	check_hex("times", &b,
	        "170d3439313233313233353935395a"
	        "180f32303530303130313030303030305a");
	seq = der_begin(&b, DER_SEQUENCE);
	der_end(&b, der_begin_bits(&b));
	der_end(&b, seq);
	check_hex("nested", &b, "3003030100");
}
END_TEST

START_TEST(wrong_text_and_times_fail_the_buffer)
{
	struct buf b = BUF_INIT(64);

	der_put_utf8(&b, BYTES_LIT("\xc3"));
	ck_assert_int_eq(b.failed, RC_MALFORMED);
	buf_reset(&b);
	der_put_printable(&b, BYTES_LIT("a@b"));
	ck_assert_int_eq(b.failed, RC_MALFORMED);
	buf_reset(&b);
	der_put_ia5(&b, BYTES_LIT("\x80"));
	ck_assert_int_eq(b.failed, RC_MALFORMED);
	buf_reset(&b);
	der_put_time(&b, TIME_NEVER_S + 1);
	ck_assert_int_eq(b.failed, RC_MALFORMED);
	buf_reset(&b);
	der_put_oid(&b, BYTES_NONE);
	ck_assert_int_eq(b.failed, RC_MALFORMED);
	buf_free(&b);
}
END_TEST

/* Around every length at which the header grows. */
START_TEST(lengths_are_minimal_at_every_step)
{
	static const size_t sizes[] = { 0, 1, 126, 127, 128, 129, 255, 256,
		65535, 65536, 70000 };
	uint8_t *fill = calloc(1, 70000);

	ck_assert_ptr_nonnull(fill);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct bytes body = bytes_of(fill, sizes[i]);
		struct buf b = BUF_INIT(1u << 20), c = BUF_INIT(1u << 20);
		struct der d;
		struct bytes got;
		size_t mark;

		der_put(&b, DER_OCTET_STRING, body);
		ck_assert_uint_eq(b.n, der_header_bytes(body.n) + body.n);
		mark = der_begin(&c, DER_OCTET_STRING);
		der_put_raw(&c, body);
		der_end(&c, mark);
		check_bytes("begin and end", buf_bytes(&c), buf_bytes(&b));
		buf_reset(&c);
		der_put_header(&c, DER_OCTET_STRING, body.n);
		der_put_raw(&c, body);
		check_bytes("header", buf_bytes(&c), buf_bytes(&b));
		d = der_of(buf_bytes(&b));
		ck_assert_int_eq(der_octet_string(&d, &got, "X", NULL), RC_OK);
		ck_assert_uint_eq(got.n, body.n);
		buf_free(&b);
		buf_free(&c);
	}
	free(fill);
}
END_TEST

START_TEST(a_spent_cap_stays_failed)
{
	/* what fits in 8 bytes, until the length needs a second octet */
	struct buf b = BUF_INIT(130);
	uint8_t body[128] = { 0 };
	size_t seq = der_begin(&b, DER_SEQUENCE);

	der_put_raw(&b, BYTES_ARRAY(body));
	ck_assert_int_eq(b.failed, RC_OK);
	der_end(&b, seq);
	ck_assert_int_eq(b.failed, RC_TOOBIG);
	seq = der_begin(&b, DER_SEQUENCE);
	der_put_null(&b);
	der_end_set_of(&b, seq);
	ck_assert_int_eq(b.failed, RC_TOOBIG);
	buf_reset(&b);
	der_put_header(&b, DER_OCTET_STRING, SIZE_MAX - 2);
	ck_assert_int_eq(b.failed, RC_TOOBIG);
	buf_free(&b);
}
END_TEST

START_TEST(set_of_is_sorted_as_written)
{
	struct buf b = BUF_INIT(1024);
	size_t set = der_begin(&b, DER_SET);

	der_put_utf8(&b, BYTES_LIT("b"));
	der_put_u64(&b, 300);
	der_put_utf8(&b, BYTES_LIT("aa"));
	der_put_u64(&b, 5);
	der_put_u64(&b, 5);
	der_put_utf8(&b, BYTES_LIT("a"));
	der_end_set_of(&b, set);
	check_hex("set", &b,
	        "3114 020105 020105 0202012c 0c0161 0c0162 0c026161");
	set = der_begin(&b, DER_SET);
	der_end_set_of(&b, set);
	check_hex("empty", &b, "3100");
	set = der_begin(&b, DER_SET);
	for (unsigned i = 0; i <= DER_SET_OF_MAX; i++)
		der_put_u64(&b, DER_SET_OF_MAX - i);
	der_end_set_of(&b, set);
	ck_assert_int_eq(b.failed, RC_MALFORMED);
	buf_reset(&b);
	set = der_begin(&b, DER_SET);
	for (unsigned i = 0; i < DER_SET_OF_MAX; i++)
		der_put_u64(&b, DER_SET_OF_MAX - i);
	der_end_set_of(&b, set);
	ck_assert_int_eq(b.failed, RC_OK);
	ck_assert_int_eq(
	        der_check_set_of(bytes_skip(buf_bytes(&b), 3), "X", NULL),
	        RC_OK);
	buf_free(&b);
}
END_TEST

START_TEST(integers_agree_with_libcrypto)
{
	static const uint64_t values[] = { 0, 1, 127, 128, 255, 256, 32767,
		32768, INT64_MAX, UINT64_MAX };

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		ASN1_INTEGER *theirs = ASN1_INTEGER_new();
		struct buf b = BUF_INIT(64);
		unsigned char *der = NULL;
		int n;

		ck_assert_int_eq(ASN1_INTEGER_set_uint64(theirs, values[i]), 1);
		n = i2d_ASN1_INTEGER(theirs, &der);
		der_put_u64(&b, values[i]);
		check_bytes("integer", buf_bytes(&b), bytes_of(der, (size_t)n));
		buf_free(&b);
		OPENSSL_free(der);
		ASN1_INTEGER_free(theirs);
	}
}
END_TEST

TCase *test_der_writer(void)
{
	TCase *t = tcase_create("writer");

	tcase_add_test(t, writer_writes_each_type);
	tcase_add_test(t, wrong_text_and_times_fail_the_buffer);
	tcase_add_test(t, lengths_are_minimal_at_every_step);
	tcase_add_test(t, a_spent_cap_stays_failed);
	tcase_add_test(t, set_of_is_sorted_as_written);
	tcase_add_test(t, integers_agree_with_libcrypto);
	return t;
}
