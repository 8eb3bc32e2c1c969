#include "ca/tbs_check.h"
#include "der/alg.h"
#include "der/time.h"
#include "der/writer.h"
#include "tests/unit/tbs_make.h"
#include "tests/unit/tbs_rows.h"
#include "tests/unit/test_signer.h"
#include <stdlib.h>
#include <string.h>

/* --- what no policy can allow */

static void ca_true(struct tbs_spec *s)
{
	tbs_spec_ext(s, OID_BASIC_CONSTRAINTS, true, SPEC_CA_TRUE);
}
static void path_length_alone(struct tbs_spec *s)
{
	tbs_spec_ext(s, OID_BASIC_CONSTRAINTS, true,
	        BYTES_LIT("\x30\x03\x02\x01\x00"));
}
static void cert_sign(struct tbs_spec *s)
{
	tbs_spec_ext(s, OID_KEY_USAGE, true, BYTES_LIT("\x03\x02\x02\x84"));
}
static void crl_sign(struct tbs_spec *s)
{
	tbs_spec_ext(s, OID_KEY_USAGE, true, BYTES_LIT("\x03\x02\x01\x02"));
}
static void name_constraints(struct tbs_spec *s)
{
	tbs_spec_ext(s, OID_NAME_CONSTRAINTS, true, BYTES_LIT("\x30\x00"));
}
static void ocsp_signing(struct tbs_spec *s)
{
	tbs_spec_ext(s, OID_EXT_KEY_USAGE, false, SPEC_EKU_OCSP);
}
static void cmc_ra(struct tbs_spec *s)
{
	tbs_spec_ext(s, OID_EXT_KEY_USAGE, false, SPEC_EKU_CMC_RA);
}
static void nocheck(struct tbs_spec *s)
{
	tbs_spec_ext(s, OID_OCSP_NOCHECK, false, SPEC_NULL);
}

START_TEST(tbs_check_refuses_what_no_policy_can_allow)
{
	static const struct tbs_row rows[] = {
		{ "CA:TRUE", ca_true, RC_DENIED, "a CA certificate" },
		{ "a path length alone", path_length_alone, RC_DENIED,
		        "pathLenConstraint" },
		{ "keyCertSign", cert_sign, RC_DENIED, "keyCertSign" },
		{ "cRLSign", crl_sign, RC_DENIED, "cRLSign" },
		{ "nameConstraints", name_constraints, RC_DENIED,
		        "is for CAs" },
		{ "OCSPSigning for a key that is not held", ocsp_signing,
		        RC_DENIED, "id-kp-OCSPSigning" },
		{ "cmcRA for a key that is not held", cmc_ra, RC_DENIED,
		        "id-kp-cmcRA" },
		{ "ocsp-nocheck for a key that is not held", nocheck, RC_DENIED,
		        "ocsp-nocheck" },
	};

	TBS_CHECK_ROWS(rows, tbs_held_none);
}
END_TEST

/* --- what every certificate under a key has in common */

static void version_1(struct tbs_spec *s)
{
	s->version = 1;
}
static void short_serial(struct tbs_spec *s)
{
	s->serial = bytes_slice(s->serial, 0, 19);
}
static void long_serial(struct tbs_spec *s)
{
	/* Its first octet costs a zero before it: 21. */
	s->serial = BYTES_LIT("\x81\x02\x03\x04\x05\x06\x07\x08\x09\x0a"
	                      "\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14");
}
static void other_alg(struct tbs_spec *s)
{
	s->sig_alg = alg_bytes(ALG_ECDSA_SHA384);
}
static void other_issuer(struct tbs_spec *s)
{
	s->issuer = "Issuing 2";
}
static void starts_before_issuer(struct tbs_spec *s)
{
	s->not_before_s = SPEC_NOW_S - 2 * SPEC_DAY_S;
}
static void starts_tomorrow(struct tbs_spec *s)
{
	s->not_before_s = SPEC_NOW_S + SPEC_DAY_S;
}
static void ends_after_issuer(struct tbs_spec *s)
{
	s->not_after_s = SPEC_NOW_S + 3653 * SPEC_DAY_S;
}
static void ends_before_it_starts(struct tbs_spec *s)
{
	s->not_after_s = s->not_before_s - 1;
}
static void never_not_allowed(struct tbs_spec *s)
{
	s->not_after_s = TIME_NEVER_S;
}
static void too_long(struct tbs_spec *s)
{
	s->not_after_s = s->not_before_s + 731 * SPEC_DAY_S;
}
static void just_long_enough(struct tbs_spec *s)
{
	s->not_after_s = s->not_before_s + 731 * SPEC_DAY_S - 1;
}

START_TEST(tbs_check_holds_the_head_to_the_issuer)
{
	static const struct tbs_row rows[] = {
		{ "as the profile has it", NULL, RC_OK, "" },
		{ "v2", version_1, RC_MALFORMED, "v3" },
		{ "19 octets of serial", short_serial, RC_DENIED, "serial" },
		{ "21 octets of serial", long_serial, RC_DENIED, "serial" },
		{ "another algorithm", other_alg, RC_DENIED, "algorithm" },
		{ "another issuer", other_issuer, RC_DENIED, "issuer" },
		{ "older than the issuer", starts_before_issuer, RC_DENIED,
		        "notBefore" },
		{ "post-dated", starts_tomorrow, RC_DENIED, "future" },
		{ "outlives the issuer", ends_after_issuer, RC_DENIED,
		        "past the issuer's" },
		{ "ends before it starts", ends_before_it_starts, RC_MALFORMED,
		        "notAfter" },
		{ "never", never_not_allowed, RC_DENIED, "never" },
		{ "a second too long", too_long, RC_DENIED, "longer" },
		{ "to the second", just_long_enough, RC_OK, "" },
	};

	TBS_CHECK_ROWS(rows, tbs_held_none);
}
END_TEST

/* --- usage and extensions */

static void no_eku(struct tbs_spec *s)
{
	tbs_spec_drop(s, OID_EXT_KEY_USAGE);
}
static void foreign_eku(struct tbs_spec *s)
{
	tbs_spec_ext(s, OID_EXT_KEY_USAGE, false, SPEC_EKU_SERVER);
}
static void any_eku(struct tbs_spec *s)
{
	tbs_spec_ext(s, OID_EXT_KEY_USAGE, false, SPEC_EKU_ANY);
}
static void optional_eku(struct tbs_spec *s)
{
	tbs_spec_ext(s, OID_EXT_KEY_USAGE, false,
	        BYTES_LIT("\x30\x14"
	                  "\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x02"
	                  "\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x11"));
}
static void optional_eku_alone(struct tbs_spec *s)
{
	tbs_spec_ext(s, OID_EXT_KEY_USAGE, false,
	        BYTES_LIT("\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x11"));
}
static void eku_critical(struct tbs_spec *s)
{
	tbs_spec_ext(s, OID_EXT_KEY_USAGE, true, SPEC_EKU_CLIENT);
}
static void eku_empty(struct tbs_spec *s)
{
	tbs_spec_ext(s, OID_EXT_KEY_USAGE, false, BYTES_LIT("\x30\x00"));
}
static void no_ku(struct tbs_spec *s)
{
	tbs_spec_drop(s, OID_KEY_USAGE);
}
static void ku_outside(struct tbs_spec *s)
{
	tbs_spec_ext(s, OID_KEY_USAGE, true, BYTES_LIT("\x03\x02\x05\xa0"));
}
static void ku_not_critical(struct tbs_spec *s)
{
	tbs_spec_ext(s, OID_KEY_USAGE, false, SPEC_KU_SIGN);
}
static void ku_zero(struct tbs_spec *s)
{
	tbs_spec_ext(s, OID_KEY_USAGE, true, BYTES_LIT("\x03\x01\x00"));
}
static void bc_unasked(struct tbs_spec *s)
{
	tbs_spec_ext(s, OID_BASIC_CONSTRAINTS, true, SPEC_CA_FALSE);
}
static void bc_default_written(struct tbs_spec *s)
{
	tbs_spec_ext(s, OID_BASIC_CONSTRAINTS, true,
	        BYTES_LIT("\x30\x03\x01\x01\x00"));
}
static void bc_missing(struct tbs_spec *s)
{
	tbs_row_server(s);
	tbs_spec_drop(s, OID_BASIC_CONSTRAINTS);
}
static void no_rev_avail(struct tbs_spec *s)
{
	tbs_spec_ext(s, OID_NO_REV_AVAIL, false, SPEC_NULL);
}
static void no_rev_avail_critical(struct tbs_spec *s)
{
	tbs_spec_ext(s, OID_NO_REV_AVAIL, true, SPEC_NULL);
}
static void unknown_extension(struct tbs_spec *s)
{
	s->ext[s->n_ext++] = (struct spec_ext){ BYTES_LIT("\x2a\x03\x04"),
		false, SPEC_NULL };
}
static void foreign_aki(struct tbs_spec *s)
{
	tbs_spec_ext(s, OID_AUTHORITY_KEY_ID, false,
	        BYTES_LIT("\x30\x03\x80\x01\x01"));
}
static void no_aki(struct tbs_spec *s)
{
	tbs_spec_drop(s, OID_AUTHORITY_KEY_ID);
}
static void forever(struct tbs_spec *s)
{
	s->subject[0] = s->subject[1];
	s->n_subject = 1;
	s->n_san = 0;
	s->not_after_s = TIME_NEVER_S;
	tbs_spec_ext(s, OID_EXT_KEY_USAGE, false, SPEC_EKU_ANY);
	tbs_spec_drop(s, OID_KEY_USAGE);
}
static void forever_for_a_day(struct tbs_spec *s)
{
	forever(s);
	s->not_after_s = s->not_before_s + SPEC_DAY_S;
}
static void forever_with_ku(struct tbs_spec *s)
{
	forever(s);
	tbs_spec_ext(s, OID_KEY_USAGE, true, SPEC_KU_SIGN);
}

START_TEST(tbs_check_holds_usage_and_extensions_to_the_profile)
{
	static const struct tbs_row rows[] = {
		{ "no extKeyUsage means any", no_eku, RC_DENIED,
		        "extKeyUsage is missing" },
		{ "an EKU outside", foreign_eku, RC_DENIED,
		        "id-kp-serverAuth is outside" },
		{ "anyExtendedKeyUsage unnamed", any_eku, RC_DENIED,
		        "anyExtendedKeyUsage" },
		{ "one that may be there", optional_eku, RC_OK, "" },
		{ "the required one missing", optional_eku_alone, RC_DENIED,
		        "id-kp-clientAuth is missing" },
		{ "EKU critical", eku_critical, RC_DENIED, "critical" },
		{ "EKU empty", eku_empty, RC_MALFORMED, "extKeyUsage" },
		{ "no keyUsage", no_ku, RC_DENIED, "keyUsage is missing" },
		{ "a bit outside", ku_outside, RC_DENIED, "a bit outside" },
		{ "keyUsage not critical", ku_not_critical, RC_DENIED,
		        "keyUsage is not critical" },
		{ "keyUsage without a bit", ku_zero, RC_MALFORMED, "keyUsage" },
		{ "CA:FALSE unasked", bc_unasked, RC_DENIED,
		        "basicConstraints is outside" },
		{ "CA:FALSE written out", bc_default_written, RC_MALFORMED,
		        "basicConstraints" },
		{ "CA:FALSE missing", bc_missing, RC_DENIED,
		        "basicConstraints is missing" },
		{ "an optional extension", no_rev_avail, RC_OK, "" },
		{ "an optional extension, critical", no_rev_avail_critical,
		        RC_DENIED, "critical" },
		{ "an unknown extension", unknown_extension, RC_DENIED,
		        "another type is outside" },
		{ "another AKI", foreign_aki, RC_DENIED,
		        "id-ce-authorityKeyIdentifier is not as" },
		{ "no AKI", no_aki, RC_DENIED,
		        "id-ce-authorityKeyIdentifier is missing" },
		{ "never, any purpose, where named", forever, RC_OK, "" },
		{ "only never", forever_for_a_day, RC_DENIED, "longer" },
		{ "keyUsage unasked", forever_with_ku, RC_DENIED,
		        "keyUsage: a bit" },
	};

	TBS_CHECK_ROWS(rows, tbs_held_none);
}
END_TEST

static void responder(struct tbs_spec *s)
{
	s->subject[0] = (struct spec_attr){ OID_CN, "Responder", false };
	s->n_subject = 1;
	s->n_san = 0;
	s->not_after_s = s->not_before_s + 30 * SPEC_DAY_S - 1;
	tbs_spec_ext(s, OID_EXT_KEY_USAGE, false, SPEC_EKU_OCSP);
	tbs_spec_ext(s, OID_OCSP_NOCHECK, false, SPEC_NULL);
}
static void responder_ca(struct tbs_spec *s)
{
	responder(s);
	ca_true(s);
}

START_TEST(tbs_check_lets_held_keys_speak_for_the_authority)
{
	static const struct tbs_row held[] = {
		{ "an OCSP responder", responder, RC_OK, "" },
		{ "a CA, held or not", responder_ca, RC_DENIED,
		        "a CA certificate" },
		{ "OCSPSigning where no profile has it", ocsp_signing,
		        RC_DENIED, "outside" },
	};
	static const struct tbs_row not_held[] = {
		{ "an OCSP responder", responder, RC_DENIED, "does not hold" },
	};

	TBS_CHECK_ROWS(held, tbs_held_all);
	TBS_CHECK_ROWS(not_held, tbs_held_none);
}
END_TEST

START_TEST(tbs_check_allows_cmc_ra_to_held_keys_alone)
{
	struct tbs_policy *p =
	        spec_policy("Issuing", alg_bytes(ALG_ECDSA_SHA256), SPEC_NOW_S);
	struct buf tbs = BUF_INIT(TBS_CHECK_MAX_BYTES);
	struct why why = WHY_NONE;
	struct tbs_spec s;

	tbs_spec_init(&s, SPEC_NOW_S);
	responder(&s);
	tbs_spec_drop(&s, OID_OCSP_NOCHECK);
	cmc_ra(&s);
	tbs_spec_build(&s, &tbs);
	ck_assert_int_eq(tbs_check(p, buf_bytes(&tbs), SPEC_NOW_S, tbs_held_all,
	                         NULL, &why),
	        RC_OK);
	ck_assert_int_eq(tbs_check(p, buf_bytes(&tbs), SPEC_NOW_S,
	                         tbs_held_none, NULL, &why),
	        RC_DENIED);
	buf_free(&tbs);
	tbs_policy_free(p);
}
END_TEST

/* --- form */

static void unique_id(struct tbs_spec *s)
{
	s->after_spki = BYTES_LIT("\x81\x02\x00\x01");
}
static void trailing(struct tbs_spec *s)
{
	s->after_all = SPEC_NULL;
}
static void twice(struct tbs_spec *s)
{
	s->ext[s->n_ext] = s->ext[0];
	s->n_ext++;
}
static void no_extensions(struct tbs_spec *s)
{
	s->n_san = s->n_ext = 0;
}
static void bad_value(struct tbs_spec *s)
{
	tbs_spec_ext(s, OID_SUBJECT_KEY_ID, false, BYTES_LIT("\x04\x05\x01"));
}
static void bad_key(struct tbs_spec *s)
{
	s->spki = BYTES_LIT("\x30\x03\x02\x01\x00");
}
static void many_extensions(struct tbs_spec *s)
{
	/* Each of an OID of its own: 2.40.i. */
	static uint8_t oids[TBS_EXTENSIONS_MAX][3];

	for (size_t i = 0; i < TBS_EXTENSIONS_MAX; i++) {
		oids[i][0] = 0x78;
		oids[i][1] = 0x28;
		oids[i][2] = (uint8_t)i;
		s->ext[s->n_ext++] = (struct spec_ext){ BYTES_ARRAY(oids[i]),
			false, SPEC_NULL };
	}
}
START_TEST(tbs_check_refuses_what_is_not_rfc_5280)
{
	static const struct tbs_row rows[] = {
		{ "subjectUniqueID", unique_id, RC_MALFORMED, "identifiers" },
		{ "a field too many", trailing, RC_MALFORMED, "" },
		{ "an extension twice", twice, RC_MALFORMED, "twice" },
		{ "no extensions", no_extensions, RC_DENIED, "missing" },
		{ "an extension that is no DER", bad_value, RC_MALFORMED,
		        "extnValue" },
		{ "no public key", bad_key, RC_MALFORMED, "" },
		{ "too many extensions", many_extensions, RC_TOOBIG,
		        "extensions" },
	};

	TBS_CHECK_ROWS(rows, tbs_held_none);
}
END_TEST

START_TEST(tbs_check_refuses_an_oversized_tbs)
{
	static const uint8_t big[TBS_CHECK_MAX_BYTES + 1];
	struct tbs_policy *p =
	        spec_policy("Issuing", alg_bytes(ALG_ECDSA_SHA256), SPEC_NOW_S);
	struct why why = WHY_NONE;

	ck_assert_int_eq(tbs_check(p, BYTES_ARRAY(big), SPEC_NOW_S,
	                         tbs_held_none, NULL, &why),
	        RC_TOOBIG);
	tbs_policy_free(p);
}
END_TEST

START_TEST(tbs_check_refuses_every_truncation)
{
	struct tbs_policy *p =
	        spec_policy("Issuing", alg_bytes(ALG_ECDSA_SHA256), SPEC_NOW_S);
	struct buf tbs = BUF_INIT(TBS_CHECK_MAX_BYTES);
	struct tbs_spec s;
	struct why why;

	tbs_spec_init(&s, SPEC_NOW_S);
	tbs_spec_build(&s, &tbs);
	for (size_t n = 0; n < tbs.n; n++) {
		why = WHY_NONE;
		ck_assert_int_ne(tbs_check(p, bytes_of(tbs.p, n), SPEC_NOW_S,
		                         tbs_held_none, NULL, &why),
		        RC_OK);
		ck_assert_str_ne(why.text, "");
	}
	buf_free(&tbs);
	tbs_policy_free(p);
}
END_TEST

TCase *test_tbs_check(void)
{
	TCase *t = tcase_create("tbs_check");

	tcase_add_test(t, tbs_check_refuses_what_no_policy_can_allow);
	tcase_add_test(t, tbs_check_holds_the_head_to_the_issuer);
	tcase_add_test(t, tbs_check_holds_usage_and_extensions_to_the_profile);
	tcase_add_test(t, tbs_check_lets_held_keys_speak_for_the_authority);
	tcase_add_test(t, tbs_check_allows_cmc_ra_to_held_keys_alone);
	tcase_add_test(t, tbs_check_refuses_what_is_not_rfc_5280);
	tcase_add_test(t, tbs_check_refuses_an_oversized_tbs);
	tcase_add_test(t, tbs_check_refuses_every_truncation);
	return t;
}
