/* Subjects and subjectAltNames held against a policy. */
#include "ca/tbs_check.h"
#include "der/writer.h"
#include "tests/unit/tbs_make.h"
#include "tests/unit/tbs_rows.h"
#include "tests/unit/test_signer.h"
#include <string.h>

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
	static const struct tbs_row rows[] = {
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

	TBS_CHECK_ROWS(rows, tbs_held_none);
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

static void server_wildcard(struct tbs_spec *s)
{
	tbs_row_server(s);
	s->san[0].body = BYTES_LIT("*.example.com");
}
static void server_inner_wildcard(struct tbs_spec *s)
{
	tbs_row_server(s);
	s->san[0].body = BYTES_LIT("www.*.com");
}
static void server_addresses(struct tbs_spec *s)
{
	tbs_row_server(s);
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
	tbs_row_server(s);
	add_san(s, DER_CONTEXT(7), BYTES_LIT("\x0a\x00\x00\x01\x02"));
}
static void server_other_email(struct tbs_spec *s)
{
	tbs_row_server(s);
	add_san(s, DER_CONTEXT(1), BYTES_LIT("root@example.com"));
}
static void server_no_subject(struct tbs_spec *s)
{
	tbs_row_server(s);
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
	static const struct tbs_row rows[] = {
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
		{ "an open name", tbs_row_server, RC_OK, "" },
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

	TBS_CHECK_ROWS(rows, tbs_held_none);
}
END_TEST

TCase *test_tbs_names(void)
{
	TCase *t = tcase_create("tbs_names");

	tcase_add_test(t, tbs_check_holds_the_subject_to_the_profile);
	tcase_add_test(t, tbs_check_holds_names_to_the_profile);
	return t;
}
