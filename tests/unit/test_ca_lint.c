/* Each rule of the lint is broken once, in a TBS put together by hand. */
#include "tests/unit/test_ca.h"
#include "ca/lint.h"
#include "der/name.h"
#include "der/oid.h"
#include "der/writer.h"
#include <string.h>

struct ext {
	enum oid oid;
	bool critical;
	struct bytes value;
};
#define EXTS_MAX 12

struct parts {
	struct bytes version, serial, alg, issuer, validity, subject, spki;
	struct bytes after_spki;
	struct ext ext[EXTS_MAX];
	size_t n_ext;
	struct bytes sig_alg, authority; /* what lint is told */
};

#define HEX(s) BYTES_LIT(s)

static const uint8_t P256_SPKI[] =
        "\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86"
        "\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04"
        "\x6b\x17\xd1\xf2\xe1\x2c\x42\x47\xf8\xbc\xe6\xe5\x63\xa4\x40\xf2"
        "\x77\x03\x7d\x81\x2d\xeb\x33\xa0\xf4\xa1\x39\x45\xd8\x98\xc2\x96"
        "\x4f\xe3\x42\xe2\xfe\x1a\x7f\x9b\x8e\xe7\xeb\x4a\x7c\x0f\x9e\x16"
        "\x2b\xce\x33\x57\x6b\x31\x5e\xce\xcb\xb6\x40\x68\x37\xbf\x51\xf5";

#define NAME_CN "\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01"
#define KU_SIGN HEX("\x03\x02\x07\x80")

static void add(struct parts *p, enum oid oid, bool critical, struct bytes v)
{
	p->ext[p->n_ext++] = (struct ext){ oid, critical, v };
}

static struct ext *find(struct parts *p, enum oid oid)
{
	size_t i;

	for (i = 0; i < p->n_ext; i++)
		if (p->ext[i].oid == oid)
			return &p->ext[i];
	ck_abort();
}

static void drop(struct parts *p, enum oid oid)
{
	struct ext *e = find(p, oid);

	*e = p->ext[--p->n_ext];
}

static void set(struct parts *p, enum oid oid, struct bytes v)
{
	find(p, oid)->value = v;
}

/* One that breaks no rule. */
static struct parts sound(void)
{
	struct parts p = {
		.version = HEX("\xa0\x03\x02\x01\x02"),
		.serial = HEX("\x02\x01\x07"),
		.alg = alg_bytes(ALG_ECDSA_SHA256),
		.issuer = HEX(NAME_CN "A"),
		.validity = HEX("\x30\x1e\x17\x0d"
		                "300101000000Z"
		                "\x17\x0d"
		                "310101000000Z"),
		.subject = HEX(NAME_CN "B"),
		.spki = bytes_of(P256_SPKI, sizeof P256_SPKI - 1),
		.sig_alg = alg_bytes(ALG_ECDSA_SHA256),
		.authority = HEX(NAME_CN "A"),
	};

	add(&p, OID_BASIC_CONSTRAINTS, true, HEX("\x30\x00"));
	add(&p, OID_KEY_USAGE, true, KU_SIGN);
	add(&p, OID_EXT_KEY_USAGE, false,
	        HEX("\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x02"));
	add(&p, OID_SUBJECT_KEY_ID, false, HEX("\x04\x01\x01"));
	add(&p, OID_AUTHORITY_KEY_ID, false, HEX("\x30\x03\x80\x01\x02"));
	add(&p, OID_SUBJECT_ALT_NAME, false,
	        HEX("\x30\x05\x82\x03"
	            "a.b"));
	add(&p, OID_CERTIFICATE_POLICIES, false,
	        HEX("\x30\x06\x30\x04\x06\x02\x2a\x03"));
	add(&p, OID_CRL_DISTRIBUTION_POINTS, false,
	        HEX("\x30\x0d\x30\x0b\xa0\x09\xa0\x07\x86\x05"
	            "x:/yz"));
	add(&p, OID_AUTHORITY_INFO_ACCESS, false,
	        HEX("\x30\x13\x30\x11\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x01"
	            "\x86\x05"
	            "x:/yz"));
	return p;
}

static struct buf build(const struct parts *p)
{
	struct buf b = BUF_INIT(65536);
	size_t tbs = der_begin(&b, DER_SEQUENCE), outer, list, ext, value, i;

	buf_add(&b, p->version);
	buf_add(&b, p->serial);
	buf_add(&b, p->alg);
	buf_add(&b, p->issuer);
	buf_add(&b, p->validity);
	buf_add(&b, p->subject);
	buf_add(&b, p->spki);
	buf_add(&b, p->after_spki);
	outer = der_begin(&b, DER_CONTEXT_CONS(3));
	list = der_begin(&b, DER_SEQUENCE);
	for (i = 0; i < p->n_ext; i++) {
		ext = der_begin(&b, DER_SEQUENCE);
		der_put_oid(&b, oid_bytes(p->ext[i].oid));
		if (p->ext[i].critical)
			der_put_bool(&b, true);
		value = der_begin(&b, DER_OCTET_STRING);
		buf_add(&b, p->ext[i].value);
		der_end(&b, value);
		der_end(&b, ext);
	}
	der_end(&b, list);
	der_end(&b, outer);
	der_end(&b, tbs);
	ck_assert_int_eq(b.failed, RC_OK);
	return b;
}

static void version_2(struct parts *p)
{
	p->version = HEX("\xa0\x03\x02\x01\x01");
}
static void version_1(struct parts *p)
{
	p->version = BYTES_NONE;
}
static void unique_id(struct parts *p)
{
	p->after_spki = HEX("\x81\x02\x00\x01");
}
static void serial_zero(struct parts *p)
{
	p->serial = HEX("\x02\x01\x00");
}
static void serial_negative(struct parts *p)
{
	p->serial = HEX("\x02\x01\x80");
}
static void serial_long(struct parts *p)
{
	p->serial = HEX("\x02\x15\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01"
	                "\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01");
}
static void serial_padded(struct parts *p)
{
	p->serial = HEX("\x02\x02\x00\x07");
}
static void other_algorithm(struct parts *p)
{
	p->alg = alg_bytes(ALG_ECDSA_SHA384);
}
static void other_issuer(struct parts *p)
{
	p->issuer = HEX(NAME_CN "X");
}
static void empty_issuer(struct parts *p)
{
	p->issuer = p->authority = HEX("\x30\x00");
}
static void times_swapped(struct parts *p)
{
	p->validity = HEX("\x30\x1e\x17\x0d"
	                  "310101000000Z"
	                  "\x17\x0d"
	                  "300101000000Z");
}
static void generalized_before_2050(struct parts *p)
{
	p->validity = HEX("\x30\x20\x17\x0d"
	                  "300101000000Z"
	                  "\x18\x0f"
	                  "20310101000000Z");
}
static void time_without_seconds(struct parts *p)
{
	p->validity = HEX("\x30\x1c\x17\x0d"
	                  "300101000000Z"
	                  "\x17\x0b"
	                  "3101010000Z");
}
static void subject_teletex(struct parts *p)
{
	p->subject = HEX("\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x14\x01"
	                 "B");
}
static void country_utf8(struct parts *p)
{
	p->subject = HEX("\x30\x0d\x31\x0b\x30\x09\x06\x03\x55\x04\x06\x0c\x02"
	                 "DE");
}
static void country_three(struct parts *p)
{
	p->subject = HEX("\x30\x0e\x31\x0c\x30\x0a\x06\x03\x55\x04\x06\x13\x03"
	                 "DEU");
}
static void serial_number_utf8(struct parts *p)
{
	p->subject = HEX("\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x05\x0c\x01"
	                 "B");
}
static void attribute_empty(struct parts *p)
{
	p->subject = HEX("\x30\x0b\x31\x09\x30\x07\x06\x03\x55\x04\x03\x0c"
	                 "\x00");
}
static void common_name_long(struct parts *p)
{
	p->subject = HEX(
	        "\x30\x4c\x31\x4a\x30\x48\x06\x03\x55\x04\x03\x0c\x41"
	        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	        "aaa");
}
static void nobody(struct parts *p)
{
	p->subject = HEX("\x30\x00");
	drop(p, OID_SUBJECT_ALT_NAME);
}
static void empty_subject_san_not_critical(struct parts *p)
{
	p->subject = HEX("\x30\x00");
}
static void key_broken(struct parts *p)
{
	p->spki = HEX("\x30\x02\x05\x00");
}
static void extension_twice(struct parts *p)
{
	add(p, OID_SUBJECT_KEY_ID, false, HEX("\x04\x01\x01"));
}
static void ca_true(struct parts *p)
{
	set(p, OID_BASIC_CONSTRAINTS, HEX("\x30\x03\x01\x01\xff"));
}
static void path_length(struct parts *p)
{
	set(p, OID_BASIC_CONSTRAINTS, HEX("\x30\x03\x02\x01\x00"));
}
static void usage_empty(struct parts *p)
{
	set(p, OID_KEY_USAGE, HEX("\x03\x01\x00"));
}
static void usage_cert_sign(struct parts *p)
{
	set(p, OID_KEY_USAGE, HEX("\x03\x02\x02\x84"));
}
static void usage_crl_sign(struct parts *p)
{
	set(p, OID_KEY_USAGE, HEX("\x03\x02\x01\x82"));
}
static void usage_encipher_with_ec(struct parts *p)
{
	set(p, OID_KEY_USAGE, HEX("\x03\x02\x05\xa0"));
}
static void usage_only_without_agreement(struct parts *p)
{
	set(p, OID_KEY_USAGE, HEX("\x03\x02\x00\x81"));
}
static void usage_not_critical(struct parts *p)
{
	find(p, OID_KEY_USAGE)->critical = false;
}
static void eku_empty(struct parts *p)
{
	set(p, OID_EXT_KEY_USAGE, HEX("\x30\x00"));
}
static void eku_against_usage(struct parts *p)
{
	set(p, OID_KEY_USAGE, HEX("\x03\x02\x06\x40"));
}
static void eku_any_critical(struct parts *p)
{
	struct ext *e = find(p, OID_EXT_KEY_USAGE);

	e->critical = true;
	e->value = HEX("\x30\x06\x06\x04\x55\x1d\x25\x00");
}
static void ski_critical(struct parts *p)
{
	find(p, OID_SUBJECT_KEY_ID)->critical = true;
}
static void ski_empty(struct parts *p)
{
	set(p, OID_SUBJECT_KEY_ID, HEX("\x04\x00"));
}
static void aki_critical(struct parts *p)
{
	find(p, OID_AUTHORITY_KEY_ID)->critical = true;
}
static void aki_absent(struct parts *p)
{
	drop(p, OID_AUTHORITY_KEY_ID);
}
static void aki_without_id(struct parts *p)
{
	set(p, OID_AUTHORITY_KEY_ID, HEX("\x30\x00"));
}
static void san_empty(struct parts *p)
{
	set(p, OID_SUBJECT_ALT_NAME, HEX("\x30\x00"));
}
static void san_dns_underscore(struct parts *p)
{
	set(p, OID_SUBJECT_ALT_NAME,
	        HEX("\x30\x05\x82\x03"
	            "a_b"));
}
static void san_dns_blank(struct parts *p)
{
	set(p, OID_SUBJECT_ALT_NAME, HEX("\x30\x03\x82\x01 "));
}
static void san_ip_five(struct parts *p)
{
	set(p, OID_SUBJECT_ALT_NAME,
	        HEX("\x30\x07\x87\x05\x01\x02\x03\x04\x05"));
}
static void san_email_name(struct parts *p)
{
	set(p, OID_SUBJECT_ALT_NAME,
	        HEX("\x30\x05\x81\x03"
	            "a.b"));
}
static void san_uri_relative(struct parts *p)
{
	set(p, OID_SUBJECT_ALT_NAME,
	        HEX("\x30\x05\x86\x03"
	            "/ab"));
}
static void policies_empty(struct parts *p)
{
	set(p, OID_CERTIFICATE_POLICIES, HEX("\x30\x00"));
}
static void policy_twice(struct parts *p)
{
	set(p, OID_CERTIFICATE_POLICIES,
	        HEX("\x30\x0c\x30\x04\x06\x02\x2a\x03\x30\x04\x06\x02\x2a"
	            "\x03"));
}
static void cdp_empty(struct parts *p)
{
	set(p, OID_CRL_DISTRIBUTION_POINTS, HEX("\x30\x00"));
}
static void cdp_nameless(struct parts *p)
{
	set(p, OID_CRL_DISTRIBUTION_POINTS,
	        HEX("\x30\x06\x30\x04\xa0\x02\xa0\x00"));
}
static void cdp_relative(struct parts *p)
{
	set(p, OID_CRL_DISTRIBUTION_POINTS,
	        HEX("\x30\x0d\x30\x0b\xa0\x09\xa0\x07\x86\x05"
	            "/a/bc"));
}
static void aia_critical(struct parts *p)
{
	find(p, OID_AUTHORITY_INFO_ACCESS)->critical = true;
}
static void aia_empty(struct parts *p)
{
	set(p, OID_AUTHORITY_INFO_ACCESS, HEX("\x30\x00"));
}
static void no_rev_avail(struct parts *p, struct bytes value)
{
	drop(p, OID_CRL_DISTRIBUTION_POINTS);
	drop(p, OID_AUTHORITY_INFO_ACCESS);
	add(p, OID_NO_REV_AVAIL, false, value);
}
static void no_rev_avail_value(struct parts *p)
{
	no_rev_avail(p, HEX("\x30\x00"));
}
static void no_rev_avail_critical(struct parts *p)
{
	no_rev_avail(p, HEX("\x05\x00"));
	find(p, OID_NO_REV_AVAIL)->critical = true;
}
static void no_rev_avail_and_cdp(struct parts *p)
{
	drop(p, OID_AUTHORITY_INFO_ACCESS);
	add(p, OID_NO_REV_AVAIL, false, HEX("\x05\x00"));
}
static void no_rev_avail_and_ocsp(struct parts *p)
{
	drop(p, OID_CRL_DISTRIBUTION_POINTS);
	add(p, OID_NO_REV_AVAIL, false, HEX("\x05\x00"));
}
static void name_constraints(struct parts *p)
{
	add(p, OID_NAME_CONSTRAINTS, true, HEX("\x30\x00"));
}
static void inhibit_any(struct parts *p)
{
	add(p, OID_INHIBIT_ANY_POLICY, true, HEX("\x02\x01\x00"));
}
static void foreign_not_der(struct parts *p)
{
	add(p, OID_TLS_FEATURE, false, HEX("\x30\x05\x02"));
}

static const struct lint_case {
	const char *name;
	void (*breaks)(struct parts *p);
	const char *clause; /* stands in why */
} CASES[] = {
	{ "v2 with extensions", version_2, "4.1.2.1" },
	{ "v1 with extensions", version_1, "4.1.2.1" },
	{ "unique identifier", unique_id, "4.1.2.8" },
	{ "serial 0", serial_zero, "4.1.2.2" },
	{ "negative serial", serial_negative, "4.1.2.2" },
	{ "serial of 21 octets", serial_long, "20 octets" },
	{ "serial not minimal", serial_padded, "serialNumber" },
	{ "inner algorithm differs", other_algorithm, "4.1.1.2" },
	{ "foreign issuer", other_issuer, "authority's subject" },
	{ "empty issuer", empty_issuer, "4.1.2.4" },
	{ "notAfter before notBefore", times_swapped, "4.1.2.5" },
	{ "GeneralizedTime before 2050", generalized_before_2050, "notAfter" },
	{ "UTCTime without seconds", time_without_seconds, "notAfter" },
	{ "subject in TeletexString", subject_teletex, "4.1.2.4" },
	{ "country in UTF8String", country_utf8, "4.1.2.4" },
	{ "country of three letters", country_three, "lint" },
	{ "serialNumber in UTF8String", serial_number_utf8, "4.1.2.4" },
	{ "empty attribute", attribute_empty, "lint" },
	{ "CN of 65 characters", common_name_long, "lint" },
	{ "no name at all", nobody, "4.1.2.6" },
	{ "empty subject, SAN not critical", empty_subject_san_not_critical,
	        "4.1.2.6" },
	{ "SubjectPublicKeyInfo malformed", key_broken, "lint" },
	{ "extension twice", extension_twice, "section 4.2)" },
	{ "cA TRUE", ca_true, "4.2.1.9" },
	{ "pathLenConstraint", path_length, "4.2.1.9" },
	{ "keyUsage without bits", usage_empty, "4.2.1.3" },
	{ "keyCertSign", usage_cert_sign, "4.2.1.3" },
	{ "cRLSign", usage_crl_sign, "4.2.1.3" },
	{ "keyEncipherment with EC", usage_encipher_with_ec, "RFC 8813" },
	{ "encipherOnly alone", usage_only_without_agreement, "4.2.1.3" },
	{ "keyUsage not critical", usage_not_critical, "id-ce-keyUsage" },
	{ "EKU without a purpose", eku_empty, "4.2.1.12" },
	{ "EKU against KU", eku_against_usage, "4.2.1.12" },
	{ "any EKU, critical", eku_any_critical, "4.2.1.12" },
	{ "SKI critical", ski_critical, "subjectKeyIdentifier" },
	{ "SKI empty", ski_empty, "4.2.1.2" },
	{ "AKI critical", aki_critical, "authorityKeyIdentifier" },
	{ "AKI absent", aki_absent, "4.2.1.1" },
	{ "AKI without id", aki_without_id, "4.2.1.1" },
	{ "SAN empty", san_empty, "lint" },
	{ "DNS name with _", san_dns_underscore, "lint" },
	{ "DNS name blank", san_dns_blank, "lint" },
	{ "IP of five octets", san_ip_five, "lint" },
	{ "email without @", san_email_name, "lint" },
	{ "relative URI", san_uri_relative, "lint" },
	{ "policies empty", policies_empty, "4.2.1.4" },
	{ "policy twice", policy_twice, "4.2.1.4" },
	{ "CDP empty", cdp_empty, "4.2.1.13" },
	{ "CDP without a name", cdp_nameless, "4.2.1.13" },
	{ "CDP relative", cdp_relative, "absolute URI" },
	{ "AIA critical", aia_critical, "authorityInfoAccess" },
	{ "AIA empty", aia_empty, "4.2.2.1" },
	{ "noRevAvail with a value", no_rev_avail_value, "noRevAvail" },
	{ "noRevAvail critical", no_rev_avail_critical, "noRevAvail" },
	{ "noRevAvail and CDP", no_rev_avail_and_cdp, "RFC 9608" },
	{ "noRevAvail and OCSP", no_rev_avail_and_ocsp, "RFC 9608" },
	{ "nameConstraints", name_constraints, "nameConstraints" },
	{ "inhibitAnyPolicy", inhibit_any, "inhibitAnyPolicy" },
	{ "another extension is no DER", foreign_not_der, "lint" },
};

static enum rc lint(const struct parts *p, struct why *why)
{
	struct buf tbs = build(p);
	enum rc rc = lint_tbs(buf_bytes(&tbs), p->sig_alg, p->authority, why);

	buf_free(&tbs);
	return rc;
}

START_TEST(lint_passes_what_breaks_no_rule)
{
	struct parts p = sound();
	struct why why = WHY_NONE;

	ck_assert_msg(lint(&p, &why) == RC_OK, "%s", why.text);
	find(&p, OID_SUBJECT_ALT_NAME)->critical = true;
	p.subject = HEX("\x30\x00");
	ck_assert_msg(lint(&p, &why) == RC_OK, "%s", why.text);
	no_rev_avail(&p, HEX("\x05\x00"));
	ck_assert_msg(lint(&p, &why) == RC_OK, "%s", why.text);
}
END_TEST

START_TEST(lint_catches_a_broken_rule)
{
	const struct lint_case *c = &CASES[_i];
	struct parts p = sound();
	struct why why = WHY_NONE;

	c->breaks(&p);
	ck_assert_msg(lint(&p, &why) == RC_INTERNAL, "%s passes", c->name);
	ck_assert_msg(strstr(why.text, c->clause) != NULL, "%s: %s", c->name,
	        why.text);
}
END_TEST

START_TEST(lint_refuses_bytes_left_over)
{
	struct parts p = sound();
	struct buf tbs = build(&p);
	struct why why = WHY_NONE;

	buf_add_u8(&tbs, 0);
	ck_assert_int_eq(
	        lint_tbs(buf_bytes(&tbs), p.sig_alg, p.authority, &why),
	        RC_INTERNAL);
	buf_free(&tbs);
}
END_TEST

TCase *test_ca_lint(void)
{
	TCase *t = tcase_create("lint");

	tcase_add_test(t, lint_passes_what_breaks_no_rule);
	tcase_add_loop_test(t, lint_catches_a_broken_rule, 0,
	        (int)(sizeof CASES / sizeof *CASES));
	tcase_add_test(t, lint_refuses_bytes_left_over);
	return t;
}
