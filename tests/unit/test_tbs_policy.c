#include "base/pack.h"
#include "ca/tbs_check.h"
#include "der/alg.h"
#include "der/name.h"
#include "tests/unit/tbs_make.h"
#include "tests/unit/test_signer.h"
#include <stdio.h>

START_TEST(tbs_policy_reads_what_it_packs)
{
	struct tbs_policy *p =
	        spec_policy("Issuing", alg_bytes(ALG_ECDSA_SHA256), SPEC_NOW_S);
	struct tbs_policy *again = NULL;
	struct buf one = BUF_INIT(TBS_POLICY_MAX_BYTES);
	struct buf two = BUF_INIT(TBS_POLICY_MAX_BYTES);

	ck_assert_ptr_nonnull(p);
	tbs_policy_pack(&one, p);
	ck_assert_int_eq(
	        tbs_policy_unpack(&again, buf_bytes(&one), NULL), RC_OK);
	tbs_policy_pack(&two, again);
	ck_assert(bytes_eq(buf_bytes(&one), buf_bytes(&two)));
	tbs_policy_free(p);
	tbs_policy_free(again);
	buf_free(&one);
	buf_free(&two);
}
END_TEST

START_TEST(tbs_policy_refuses_every_truncation_and_a_byte_more)
{
	struct tbs_policy *p =
	        spec_policy("Issuing", alg_bytes(ALG_ECDSA_SHA256), SPEC_NOW_S);
	struct tbs_policy *again = NULL;
	struct buf packed = BUF_INIT(TBS_POLICY_MAX_BYTES);

	tbs_policy_pack(&packed, p);
	for (size_t n = 0; n < packed.n; n++) {
		ck_assert_int_ne(
		        tbs_policy_unpack(&again, bytes_of(packed.p, n), NULL),
		        RC_OK);
		ck_assert_ptr_null(again);
	}
	buf_add_u8(&packed, 0);
	ck_assert_int_eq(tbs_policy_unpack(&again, buf_bytes(&packed), NULL),
	        RC_MALFORMED);
	tbs_policy_free(p);
	buf_free(&packed);
}
END_TEST

static const struct tbs_shape plain = { .key_usage = 1, .max_validity_s = 1 };

static enum rc unpack_shape(const struct tbs_shape *shape)
{
	struct buf name = BUF_INIT(NAME_MAX_BYTES);
	struct buf packed = BUF_INIT(TBS_POLICY_MAX_BYTES);
	struct tbs_policy p = { .purposes = SIGNER_PURPOSE_BIT(SIGNER_CERT),
		.not_after_s = 1,
		.sig_alg = alg_bytes(ALG_ED25519),
		.shapes = shape,
		.n_shapes = 1 };
	struct tbs_policy *out = NULL;
	enum rc rc;

	spec_issuer(&name, "x");
	p.issuer = buf_bytes(&name);
	tbs_policy_pack(&packed, &p);
	rc = tbs_policy_unpack(&out, buf_bytes(&packed), NULL);
	tbs_policy_free(out);
	buf_free(&name);
	buf_free(&packed);
	return rc;
}

START_TEST(tbs_policy_refuses_shapes_that_make_no_sense)
{
	const struct tbs_ext bc = { .oid = oid_bytes(OID_BASIC_CONSTRAINTS) };
	const struct tbs_ext constraints = { .oid = oid_bytes(
		                                     OID_NAME_CONSTRAINTS) };
	const struct tbs_ext open_number = {
		.oid = oid_bytes(OID_CRL_DISTRIBUTION_POINTS), .numbers = 1
	};
	const struct tbs_ext long_number = {
		.oid = oid_bytes(OID_CRL_DISTRIBUTION_POINTS),
		.fixed = true,
		.numbers = TBS_NUMBER_MAX + 1
	};
	const struct tbs_san half_ip = { .form = TBS_SAN_IP,
		.value = { TBS_AFFIX, BYTES_LIT("\x0a"), BYTES_NONE } };
	const struct tbs_san crossed = { .form = TBS_SAN_DNS,
		.value = { TBS_ANY, BYTES_NONE, BYTES_NONE },
		.min = 2,
		.max = 1 };
	const struct tbs_attr no_mode = { .oid = oid_bytes(OID_CN) };
	const struct tbs_eku no_oid = { .required = true };
	struct tbs_shape s = plain;

	ck_assert_int_eq(unpack_shape(&s), RC_OK);
	s.key_usage = UINT32_C(1) << 5; /* keyCertSign */
	ck_assert_int_eq(unpack_shape(&s), RC_MALFORMED);
	s = plain;
	s.key_usage = UINT32_C(1) << 9;
	ck_assert_int_eq(unpack_shape(&s), RC_MALFORMED);
	s = plain;
	s.max_validity_s = 0;
	ck_assert_int_eq(unpack_shape(&s), RC_MALFORMED);
	s.never = true;
	ck_assert_int_eq(unpack_shape(&s), RC_OK);
	s = plain;
	s.n_ext = s.n_san = 0;
	s.ext = &bc;
	s.n_ext = 1;
	ck_assert_int_eq(unpack_shape(&s), RC_MALFORMED);
	s.ext = &constraints;
	ck_assert_int_eq(unpack_shape(&s), RC_MALFORMED);
	s.ext = &open_number;
	ck_assert_int_eq(unpack_shape(&s), RC_MALFORMED);
	s.ext = &long_number;
	ck_assert_int_eq(unpack_shape(&s), RC_MALFORMED);
	s = plain;
	s.san = &half_ip;
	s.n_san = 1;
	ck_assert_int_eq(unpack_shape(&s), RC_MALFORMED);
	s.san = &crossed;
	ck_assert_int_eq(unpack_shape(&s), RC_MALFORMED);
	s = plain;
	s.subject = &no_mode;
	s.n_subject = 1;
	ck_assert_int_eq(unpack_shape(&s), RC_MALFORMED);
	s = plain;
	s.eku = &no_oid;
	s.n_eku = 1;
	ck_assert_int_eq(unpack_shape(&s), RC_MALFORMED);
}
END_TEST

START_TEST(tbs_policy_refuses_a_count_past_its_limit)
{
	struct buf packed = BUF_INIT(4096);
	struct tbs_policy *out = NULL;

	pack_u8(&packed, 5);
	pack_u32(&packed, 2);
	pack_bytes(&packed, BYTES_LIT("\x30\x00"));
	pack_u64(&packed, 0);
	pack_u64(&packed, 1);
	pack_bytes(&packed, alg_bytes(ALG_ED25519));
	pack_u32(&packed, TBS_SHAPES_MAX + 1);
	ck_assert_int_eq(
	        tbs_policy_unpack(&out, buf_bytes(&packed), NULL), RC_TOOBIG);
	buf_free(&packed);
}
END_TEST

/* Of another format they would teach a fuzzer the refusal alone. */
START_TEST(tbs_policies_kept_for_the_fuzzer_are_of_this_format)
{
	uint8_t in[8192];
	FILE *f = fopen(MICA_SOURCE_DIR
	        "/tests/corpus/tbs_check/policy_and_sensor.bin",
	        "rb");
	struct tbs_policy *p = NULL;
	struct why why = WHY_NONE;
	size_t n, length;

	ck_assert_ptr_nonnull(f);
	n = fread(in, 1, sizeof(in), f);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_uint_gt(n, 2);
	length = (size_t)in[0] << 8 | in[1];
	ck_assert_uint_lt(length + 2, n);
	ck_assert_msg(
	        tbs_policy_unpack(&p, bytes_of(in + 2, length), &why) == RC_OK,
	        "%s", why.text);
	tbs_policy_free(p);
}
END_TEST

TCase *test_tbs_policy(void)
{
	TCase *t = tcase_create("tbs_policy");

	tcase_add_test(t, tbs_policy_reads_what_it_packs);
	tcase_add_test(t, tbs_policy_refuses_every_truncation_and_a_byte_more);
	tcase_add_test(t, tbs_policy_refuses_shapes_that_make_no_sense);
	tcase_add_test(t, tbs_policy_refuses_a_count_past_its_limit);
	tcase_add_test(t, tbs_policies_kept_for_the_fuzzer_are_of_this_format);
	return t;
}
