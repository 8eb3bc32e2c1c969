#include "base/pack.h"
#include "ca/signer/proto.h"
#include "tests/unit/test_signer.h"
#include <string.h>

START_TEST(proto_names_are_plain)
{
	char name[PROTO_KEY_NAME_MAX + 2];

	memset(name, 'a', sizeof(name));
	name[PROTO_KEY_NAME_MAX + 1] = '\0';
	ck_assert(!proto_name_ok(name));
	name[PROTO_KEY_NAME_MAX] = '\0';
	ck_assert(proto_name_ok(name));
	ck_assert(!proto_name_ok(""));
	ck_assert(!proto_name_ok("a/b"));
	ck_assert(!proto_name_ok("a b"));
}
END_TEST

START_TEST(proto_sign_refuses_every_truncation_and_a_byte_more)
{
	struct buf body = BUF_INIT(1024);
	struct proto_sign m;

	proto_sign_pack(&body, "issuing", SIGNER_CERT, BYTES_LIT("tbs"));
	ck_assert_int_eq(proto_sign_unpack(&m, buf_bytes(&body)), RC_OK);
	ck_assert_str_eq(m.key, "issuing");
	ck_assert_uint_eq(m.purpose, SIGNER_CERT);
	ck_assert(bytes_eq_str(m.tbs, "tbs"));
	for (size_t n = 0; n < body.n; n++)
		ck_assert_int_eq(proto_sign_unpack(&m, bytes_of(body.p, n)),
		        RC_MALFORMED);
	buf_add_u8(&body, 0);
	ck_assert_int_eq(proto_sign_unpack(&m, buf_bytes(&body)), RC_MALFORMED);
	buf_free(&body);
}
END_TEST

START_TEST(proto_signature_comes_exactly_with_success)
{
	struct proto_signature m = { RC_OK, WHY_NONE, BYTES_NONE };
	struct buf body = BUF_INIT(1024);

	proto_signature_pack(&body, &m);
	ck_assert_int_eq(
	        proto_signature_unpack(&m, buf_bytes(&body)), RC_MALFORMED);
	buf_reset(&body);
	m.rc = RC_DENIED;
	m.signature = BYTES_LIT("sig");
	proto_signature_pack(&body, &m);
	ck_assert_int_eq(
	        proto_signature_unpack(&m, buf_bytes(&body)), RC_MALFORMED);
	buf_reset(&body);
	m.rc = RC_COUNT; /* no result code */
	m.signature = BYTES_NONE;
	proto_signature_pack(&body, &m);
	ck_assert_int_eq(
	        proto_signature_unpack(&m, buf_bytes(&body)), RC_MALFORMED);
	buf_free(&body);
}
END_TEST

START_TEST(proto_loading_refuses_every_truncation_and_a_byte_more)
{
	char name[PROTO_KEY_NAME_MAX + 1];
	struct buf body = BUF_INIT(1024);

	proto_loading_pack(&body, "issuing");
	ck_assert_int_eq(proto_loading_unpack(name, buf_bytes(&body)), RC_OK);
	ck_assert_str_eq(name, "issuing");
	for (size_t n = 0; n < body.n; n++)
		ck_assert_int_eq(
		        proto_loading_unpack(name, bytes_of(body.p, n)),
		        RC_MALFORMED);
	buf_add_u8(&body, 0);
	ck_assert_int_eq(
	        proto_loading_unpack(name, buf_bytes(&body)), RC_MALFORMED);
	buf_free(&body);
}
END_TEST

START_TEST(proto_away_is_read_as_it_was_written_and_to_its_end)
{
	const struct proto_away in[] = {
		{ "mica", "issuing, code", 1700000000, { "gone" } },
		{ "other", "", -1, { "" } },
	};
	struct proto_away out[PROTO_AWAY_MAX];
	struct buf body = BUF_INIT(4096);
	size_t n = 9;

	proto_away_pack(&body, NULL, 0);
	ck_assert_int_eq(proto_away_unpack(out, &n, buf_bytes(&body)), RC_OK);
	ck_assert_uint_eq(n, 0);
	buf_reset(&body);
	proto_away_pack(&body, in, 2);
	ck_assert_int_eq(proto_away_unpack(out, &n, buf_bytes(&body)), RC_OK);
	ck_assert_uint_eq(n, 2);
	for (size_t i = 0; i < n; i++) {
		ck_assert_str_eq(out[i].token, in[i].token);
		ck_assert_str_eq(out[i].keys, in[i].keys);
		ck_assert_int_eq(out[i].since_s, in[i].since_s);
		ck_assert_str_eq(out[i].why.text, in[i].why.text);
	}
	for (size_t i = 0; i < body.n; i++)
		ck_assert_int_ne(
		        proto_away_unpack(out, &n, bytes_of(body.p, i)), RC_OK);
	buf_reset(&body);
	pack_u32(&body, PROTO_AWAY_MAX + 1);
	ck_assert_int_eq(
	        proto_away_unpack(out, &n, buf_bytes(&body)), RC_TOOBIG);
	buf_free(&body);
}
END_TEST

START_TEST(proto_key_list_counts)
{
	struct proto_key_entry keys[2] = { { "a", BYTES_LIT("1") },
		{ "b", BYTES_LIT("2") } };
	struct buf body = BUF_INIT(1024);
	size_t n;

	proto_key_list_pack(&body, keys, 2);
	ck_assert_int_eq(proto_key_list_unpack(keys, 1, &n, buf_bytes(&body)),
	        RC_TOOBIG);
	ck_assert_int_eq(
	        proto_key_list_unpack(keys, 2, &n, buf_bytes(&body)), RC_OK);
	ck_assert_uint_eq(n, 2);
	ck_assert_str_eq(keys[1].name, "b");
	buf_free(&body);
}
END_TEST

TCase *test_signer_proto(void)
{
	TCase *t = tcase_create("proto");

	tcase_add_test(t, proto_names_are_plain);
	tcase_add_test(t, proto_sign_refuses_every_truncation_and_a_byte_more);
	tcase_add_test(t, proto_signature_comes_exactly_with_success);
	tcase_add_test(
	        t, proto_loading_refuses_every_truncation_and_a_byte_more);
	tcase_add_test(t, proto_away_is_read_as_it_was_written_and_to_its_end);
	tcase_add_test(t, proto_key_list_counts);
	return t;
}
