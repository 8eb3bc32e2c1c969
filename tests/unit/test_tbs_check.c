#include "ca/tbs_check.h"
#include "der/alg.h"
#include "der/time.h"
#include "der/writer.h"
#include "tests/unit/tbs_make.h"
#include "tests/unit/test_signer.h"
#include <stdlib.h>
#include <string.h>

struct row {
	const char *name;
	void (*change)(struct tbs_spec *s); /* NULL: as tbs_spec_init() */
	enum rc rc;
	const char *clause;
};

static bool held_none(void *ctx, struct bytes name, struct bytes spki)
{
	(void)name;
	(void)ctx;
	(void)spki;
	return false;
}

static bool held_all(void *ctx, struct bytes name, struct bytes spki)
{
	(void)name;
	(void)ctx;
	return bytes_eq(spki, spec_spki());
}

static void check_row(
        const struct row *row, const struct tbs_policy *p, tbs_held_fn *held)
{
	struct buf tbs = BUF_INIT(4 * TBS_CHECK_MAX_BYTES);
	struct why why = WHY_NONE;
	struct tbs_spec s;
	enum rc rc;

	tbs_spec_init(&s, SPEC_NOW_S);
	if (row->change)
		row->change(&s);
	tbs_spec_build(&s, &tbs);
	ck_assert_int_eq(tbs.failed, RC_OK);
	rc = tbs_check(p, buf_bytes(&tbs), SPEC_NOW_S, held, NULL, &why);
	ck_assert_msg(rc == row->rc, "%s: %s, not %s (%s)", row->name,
	        rc_info(rc)->name, rc_info(row->rc)->name, why.text);
	if (rc)
		ck_assert_msg(strstr(why.text, row->clause) != NULL,
		        "%s: clause \"%s\" lacks \"%s\"", row->name, why.text,
		        row->clause);
	buf_free(&tbs);
}

static void check_rows(const struct row *rows, size_t n, tbs_held_fn *held)
{
	struct tbs_policy *p =
	        spec_policy("Issuing", alg_bytes(ALG_ECDSA_SHA256), SPEC_NOW_S);

	ck_assert_ptr_nonnull(p);
	for (size_t i = 0; i < n; i++)
		check_row(&rows[i], p, held);
	tbs_policy_free(p);
}
#define CHECK_ROWS(rows, held)                                                 \
	check_rows((rows), sizeof(rows) / sizeof(*(rows)), (held))

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
	static const struct row rows[] = {
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

	CHECK_ROWS(rows, held_none);
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
	static const struct row rows[] = {
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

	CHECK_ROWS(rows, held_none);
}
END_TEST

/* --- the subject */

static void with_country(struct tbs_spec *s)
{
	s->subject[0] = (struct spec_attr){ OID_C, "DE", false };
	s->subject[1] = (struct spec_attr){ OID_O, "Example Meters", false };
	s->subject[2] = (struct spec_attr){ OID_CN, SPEC_CN, false };
	s->n_subject = 3;
}
static void other_country(struct tbs_spec *s)
{
	with_country(s);
	s->subject[0].text = "FR";
}
static void other_org(struct tbs_spec *s)
{
	s->subject[0].text = "Example Meters Ltd";
}
static void no_org(struct tbs_spec *s)
{
	s->subject[0] = s->subject[1];
	s->n_subject = 1;
}
static void no_cn(struct tbs_spec *s)
{
	s->n_subject = 1;
}
static void two_cns(struct tbs_spec *s)
{
	s->subject[2] = s->subject[1];
	s->n_subject = 3;
}
static void swapped(struct tbs_spec *s)
{
	struct spec_attr a = s->subject[0];

	s->subject[0] = s->subject[1];
	s->subject[1] = a;
}
static void foreign_cn(struct tbs_spec *s)
{
	s->subject[1].text = "www.example.com";
}
static void bare_head(struct tbs_spec *s)
{
	s->subject[1].text = "dev-";
}
static void control_character(struct tbs_spec *s)
{
	s->subject[1].text = "dev-1\n2";
}
static void one_rdn(struct tbs_spec *s)
{
	/* Longer than the O, so that it comes second in the sorted SET. */
	s->subject[1].text = SPEC_CN SPEC_CN;
	s->subject[1].same_rdn = true;
}

START_TEST(tbs_check_holds_the_subject_to_the_profile)
{
	static const struct row rows[] = {
		{ "an optional attribute", with_country, RC_OK, "" },
		{ "an optional attribute, differing", other_country, RC_DENIED,
		        "subject: attribute C" },
		{ "a fixed one that goes on", other_org, RC_DENIED,
		        "attribute O" },
		{ "a fixed one missing", no_org, RC_DENIED, "profile" },
		{ "the last one missing", no_cn, RC_DENIED,
		        "attribute CN is missing" },
		{ "one twice", two_cns, RC_DENIED, "attribute CN" },
		{ "another order", swapped, RC_DENIED, "attribute" },
		{ "another head", foreign_cn, RC_DENIED, "attribute CN" },
		{ "an empty variable", bare_head, RC_DENIED, "attribute CN" },
		{ "a control character", control_character, RC_DENIED,
		        "attribute CN" },
		{ "two in one RDN", one_rdn, RC_DENIED, "multi-valued" },
	};

	CHECK_ROWS(rows, held_none);
}
END_TEST

/* --- subjectAltName */

static void add_san(struct tbs_spec *s, uint8_t tag, struct bytes body)
{
	s->san[s->n_san++] = (struct spec_name){ tag, body };
}
static void own_dns(struct tbs_spec *s)
{
	add_san(s, DER_CONTEXT(2), BYTES_LIT("a1.meters.example"));
}
static void two_dns(struct tbs_spec *s)
{
	own_dns(s);
	add_san(s, DER_CONTEXT(2), BYTES_LIT("a2.meters.example"));
}
static void foreign_dns(struct tbs_spec *s)
{
	add_san(s, DER_CONTEXT(2), BYTES_LIT("www.example.com"));
}
static void wildcard_beside_fixed(struct tbs_spec *s)
{
	add_san(s, DER_CONTEXT(2), BYTES_LIT("*.meters.example"));
}
static void foreign_uri(struct tbs_spec *s)
{
	s->san[0].body = BYTES_LIT("urn:other:1");
}
static void no_san(struct tbs_spec *s)
{
	s->n_san = 0;
}
static void foreign_form(struct tbs_spec *s)
{
	add_san(s, DER_CONTEXT(7), BYTES_LIT("\x0a\x00\x00\x01"));
}
static void nul_in_dns(struct tbs_spec *s)
{
	add_san(s, DER_CONTEXT(2), BYTES_LIT("a\0b.meters.example"));
}

static void server(struct tbs_spec *s)
{
	s->subject[0] = (struct spec_attr){ OID_CN, "www.example.com", false };
	s->n_subject = 1;
	s->san[0] = (struct spec_name){ DER_CONTEXT(2),
		BYTES_LIT("www.example.com") };
	s->not_after_s = s->not_before_s + 90 * SPEC_DAY_S - 1;
	tbs_spec_ext(s, OID_EXT_KEY_USAGE, true, SPEC_EKU_SERVER);
	tbs_spec_ext(s, OID_BASIC_CONSTRAINTS, true, SPEC_CA_FALSE);
}
static void server_wildcard(struct tbs_spec *s)
{
	server(s);
	s->san[0].body = BYTES_LIT("*.example.com");
}
static void server_inner_wildcard(struct tbs_spec *s)
{
	server(s);
	s->san[0].body = BYTES_LIT("www.*.com");
}
static void server_addresses(struct tbs_spec *s)
{
	server(s);
	add_san(s, DER_CONTEXT(7), BYTES_LIT("\x0a\x00\x00\x01"));
	add_san(s, DER_CONTEXT(7),
	        BYTES_LIT("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"));
	add_san(s, DER_CONTEXT(1), BYTES_LIT("ops@example.com"));
}
static void server_three_addresses(struct tbs_spec *s)
{
	server_addresses(s);
	add_san(s, DER_CONTEXT(7), BYTES_LIT("\x0a\x00\x00\x02"));
}
static void server_five_octets(struct tbs_spec *s)
{
	server(s);
	add_san(s, DER_CONTEXT(7), BYTES_LIT("\x0a\x00\x00\x01\x02"));
}
static void server_other_email(struct tbs_spec *s)
{
	server(s);
	add_san(s, DER_CONTEXT(1), BYTES_LIT("root@example.com"));
}
static void server_no_subject(struct tbs_spec *s)
{
	server(s);
	s->n_subject = 0;
	s->san_critical = true;
}
static void server_no_subject_not_critical(struct tbs_spec *s)
{
	server_no_subject(s);
	s->san_critical = false;
}

#define OTHER_HW                                                               \
	BYTES_LIT("\x06\x08\x2b\x06\x01\x05\x05\x07\x08\x04"                   \
	          "\xa0\x13\x30\x11\x06\x08\x2b\x06\x01\x04\x01\x82\xa2\x7c"   \
	          "\x04\x05SN-01")
#define OTHER_HW_SERIAL                                                        \
	BYTES_LIT("\x06\x08\x2b\x06\x01\x05\x05\x07\x08\x04"                   \
	          "\xa0\x13\x30\x11\x06\x08\x2b\x06\x01\x04\x01\x82\xa2\x7c"   \
	          "\x04\x05XX-01")
#define OTHER_HW_TYPE                                                          \
	BYTES_LIT("\x06\x08\x2b\x06\x01\x05\x05\x07\x08\x04"                   \
	          "\xa0\x13\x30\x11\x06\x08\x2b\x06\x01\x04\x01\x82\xa2\x7d"   \
	          "\x04\x05SN-01")
#define OTHER_PID                                                              \
	BYTES_LIT("\x06\x08\x2b\x06\x01\x05\x05\x07\x08\x03"                   \
	          "\xa0\x07\x30\x05\x0c\x03p-1")
#define OTHER_PID_VALUE                                                        \
	BYTES_LIT("\x06\x08\x2b\x06\x01\x05\x05\x07\x08\x03"                   \
	          "\xa0\x07\x30\x05\x0c\x03p-2")
#define OTHER_PID_ASSIGNED                                                     \
	BYTES_LIT("\x06\x08\x2b\x06\x01\x05\x05\x07\x08\x03"                   \
	          "\xa0\x11\x30\x0f\x0c\x03p-2"                                \
	          "\x06\x08\x2b\x06\x01\x04\x01\x82\xa2\x7c")
#define OTHER_UPN                                                              \
	BYTES_LIT("\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x14\x02\x03"           \
	          "\xa0\x05\x0c\x03p-1")

static void module(struct tbs_spec *s, struct bytes other)
{
	s->n_subject = 0;
	s->san_critical = true;
	s->not_after_s = s->not_before_s + SPEC_DAY_S;
	s->san[0] = (struct spec_name){ DER_CONTEXT_CONS(0), other };
	tbs_spec_drop(s, OID_EXT_KEY_USAGE);
}
static void module_hw(struct tbs_spec *s)
{
	module(s, OTHER_HW);
}
static void module_hw_serial(struct tbs_spec *s)
{
	module(s, OTHER_HW_SERIAL);
}
static void module_hw_type(struct tbs_spec *s)
{
	module(s, OTHER_HW_TYPE);
}
static void module_pid(struct tbs_spec *s)
{
	module(s, OTHER_PID);
}
static void module_pid_value(struct tbs_spec *s)
{
	module(s, OTHER_PID_VALUE);
}
static void module_pid_assigned(struct tbs_spec *s)
{
	module(s, OTHER_PID_ASSIGNED);
}
static void module_upn(struct tbs_spec *s)
{
	module(s, OTHER_UPN);
}

START_TEST(tbs_check_holds_names_to_the_profile)
{
	static const struct row rows[] = {
		{ "an optional name", own_dns, RC_OK, "" },
		{ "one more than the entry takes", two_dns, RC_DENIED,
		        "dNSName" },
		{ "a name outside", foreign_dns, RC_DENIED, "dNSName" },
		{ "a wildcard for the variable", wildcard_beside_fixed,
		        RC_DENIED, "dNSName" },
		{ "a URI outside", foreign_uri, RC_DENIED,
		        "uniformResourceIdentifier" },
		{ "none at all", no_san, RC_DENIED, "a name is missing" },
		{ "a form outside", foreign_form, RC_DENIED, "iPAddress" },
		{ "a NUL", nul_in_dns, RC_DENIED, "dNSName" },
		{ "an open name", server, RC_OK, "" },
		{ "a wildcard in an open name", server_wildcard, RC_OK, "" },
		{ "a wildcard inside", server_inner_wildcard, RC_DENIED,
		        "dNSName" },
		{ "IPv4, IPv6, a fixed mailbox", server_addresses, RC_OK, "" },
		{ "three of two addresses", server_three_addresses, RC_DENIED,
		        "iPAddress" },
		{ "an address of five octets", server_five_octets, RC_DENIED,
		        "iPAddress" },
		{ "another mailbox", server_other_email, RC_DENIED,
		        "rfc822Name" },
		{ "no subject", server_no_subject, RC_OK, "" },
		{ "no subject, names not critical",
		        server_no_subject_not_critical, RC_DENIED,
		        "empty subject" },
		{ "hardwareModuleName", module_hw, RC_OK, "" },
		{ "another serial number", module_hw_serial, RC_DENIED,
		        "otherName" },
		{ "another module type", module_hw_type, RC_DENIED,
		        "otherName" },
		{ "permanentIdentifier", module_pid, RC_OK, "" },
		{ "another identifier", module_pid_value, RC_DENIED,
		        "otherName" },
		{ "an identifier of the assigner's", module_pid_assigned, RC_OK,
		        "" },
		{ "another otherName", module_upn, RC_DENIED, "otherName" },
	};

	CHECK_ROWS(rows, held_none);
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
	server(s);
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
	static const struct row rows[] = {
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

	CHECK_ROWS(rows, held_none);
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
	static const struct row held[] = {
		{ "an OCSP responder", responder, RC_OK, "" },
		{ "a CA, held or not", responder_ca, RC_DENIED,
		        "a CA certificate" },
		{ "OCSPSigning where no profile has it", ocsp_signing,
		        RC_DENIED, "outside" },
	};
	static const struct row not_held[] = {
		{ "an OCSP responder", responder, RC_DENIED, "does not hold" },
	};

	CHECK_ROWS(held, held_all);
	CHECK_ROWS(not_held, held_none);
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
	ck_assert_int_eq(
	        tbs_check(p, buf_bytes(&tbs), SPEC_NOW_S, held_all, NULL, &why),
	        RC_OK);
	ck_assert_int_eq(tbs_check(p, buf_bytes(&tbs), SPEC_NOW_S, held_none,
	                         NULL, &why),
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
	static const struct row rows[] = {
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

	CHECK_ROWS(rows, held_none);
}
END_TEST

START_TEST(tbs_check_refuses_an_oversized_tbs)
{
	static const uint8_t big[TBS_CHECK_MAX_BYTES + 1];
	struct tbs_policy *p =
	        spec_policy("Issuing", alg_bytes(ALG_ECDSA_SHA256), SPEC_NOW_S);
	struct why why = WHY_NONE;

	ck_assert_int_eq(tbs_check(p, BYTES_ARRAY(big), SPEC_NOW_S, held_none,
	                         NULL, &why),
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
		                         held_none, NULL, &why),
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
	tcase_add_test(t, tbs_check_holds_the_subject_to_the_profile);
	tcase_add_test(t, tbs_check_holds_names_to_the_profile);
	tcase_add_test(t, tbs_check_holds_usage_and_extensions_to_the_profile);
	tcase_add_test(t, tbs_check_lets_held_keys_speak_for_the_authority);
	tcase_add_test(t, tbs_check_allows_cmc_ra_to_held_keys_alone);
	tcase_add_test(t, tbs_check_refuses_what_is_not_rfc_5280);
	tcase_add_test(t, tbs_check_refuses_an_oversized_tbs);
	tcase_add_test(t, tbs_check_refuses_every_truncation);
	return t;
}
