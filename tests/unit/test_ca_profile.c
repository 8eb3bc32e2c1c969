/* Profiles: what is refused at start, what is refused for one certificate;
 * authorities; csrattrs. */
#include "tests/unit/test_ca.h"
#include "ca/csrattrs.h"
#include "base/text.h"
#include <string.h>

static struct world world;

static void begin(void)
{
	world_begin(&world, "P-256");
}

static void end(void)
{
	world_end(&world);
}

/* --- what no profile may be */

#define SUBJECT "    subject: { CN: \"%{device}\" }\n"

static const struct bad_profile {
	const char *profile, *clause;
} BAD[] = {
	{ "    subject: { CN: \"%{devcie}\" }\n", "unknown variable" },
	{ "    subject: { CN: \"%{csr.CN}\" }\n", "unknown variable" },
	{ "    subject: { CN: \"%{device\" }\n", "no }" },
	{ "    subject: { CN: \"%{device} %{dns}\" }\n",
	        "more than one variable" },
	{ "    subject: { C: Germany }\n", "subject.C" },
	{ SUBJECT "    san: { dns: \"a b\" }\n", "4.2.1.6" },
	{ SUBJECT "    san: { ip: 1.2.3 }\n", "4.2.1.6" },
	{ SUBJECT "    san: { email: nobody }\n", "4.2.1.6" },
	{ SUBJECT "    san: { uri: nothing }\n", "4.2.1.6" },
	{ SUBJECT "    key_usage: [keyEncipherment]\n", "only RSA" },
	{ SUBJECT "    key_usage: [decipherOnly]\n", "keyAgreement" },
	{ SUBJECT "    eku: [1.3.6.1.5.5.7.3.9]\n", "itself holds" },
	{ SUBJECT "    eku: [1.3.6.1.5.5.7.3.28]\n", "itself holds" },
	{ SUBJECT "    eku: [2.5.29.37.0]\n", "itself holds" },
	{ SUBJECT "    eku: [client_auth, 1.3.6.1.5.5.7.3.2]\n", "twice" },
	{ SUBJECT "    extensions: [{ oid: 2.5.29.19, der: \"3000\" }]\n",
	        "by hand" },
	{ SUBJECT "    extensions: [{ oid: 1.3.6.1.5.5.7.48.1.5, der: "
	          "\"0500\" }]\n",
	        "by hand" },
};

START_TEST(profile_refuses_at_start)
{
	const struct bad_profile *c = &BAD[_i];
	struct why why = WHY_NONE;
	char yaml[2048];
	enum rc rc;

	snprintf(yaml, sizeof yaml, "  p:\n    keys: [p256]\n%s", c->profile);
	rc = world_load(&world, world_yaml(yaml, ""), &why);
	ck_assert_msg(rc == RC_CONFIG, "%s passes", c->profile);
	ck_assert_msg(strstr(why.text, c->clause) != NULL, "%s: %s", c->profile,
	        why.text);
	ck_assert_msg(strncmp(why.text, "profiles.p", 10) == 0, "%s", why.text);
}
END_TEST

START_TEST(profile_is_for_the_authorities_that_name_it)
{
	world_profiles(&world,
	        "  a: { keys: [p256], subject: { CN: x } }\n"
	        "  b: { keys: [p256], subject: { CN: x } }\n",
	        "    profiles: [b]\n");
	ck_assert_ptr_null(world_profile(&world, "a"));
	ck_assert_ptr_nonnull(world_profile(&world, "b"));
}
END_TEST

START_TEST(est_listener_has_a_profile_of_its_own)
{
	const struct conf_profile *conf;
	struct profile_names n = PROFILE_NAMES_INIT;
	struct why why = WHY_NONE;
	const struct profile *p;

	world_profiles(
	        &world, "  a: { keys: [p256], subject: { CN: x } }\n", "");
	conf = profiles_est(world.profiles);
	ck_assert_ptr_nonnull(conf);
	p = profiles_find(world.profiles, world_authority(&world), conf);
	ck_assert_ptr_nonnull(p);
	ck_assert(profile_has_eku(
	        p, BYTES_LIT("\x2b\x06\x01\x05\x05\x07\x03\x1c")));
	ck_assert_int_eq(profile_resolve(&n, p, "", NULL, &why), RC_OK);
	ck_assert(bytes_eq(buf_bytes(&n.san),
	        BYTES_LIT("\x82\x0f"
	                  "est.example.com"
	                  "\x87\x04\xc0\x00\x02\x01")));
	profile_names_free(&n);
}
END_TEST

/* --- what no certificate may be named */

#define ALL_NAMES                                                              \
	"  p:\n    keys: [p256]\n    subject: { CN: \"%{device}\" "            \
	"}\n"                                                                  \
	"    san: { dns: [\"%{dns}\", \"%{device}.example\"], ip: \"%{ip}\","  \
	" email: \"%{email}\", uri: \"%{uri}\" }\n"

static const struct bad_names {
	const char *device;
	struct grant_names names;
	const char *clause;
} BAD_NAMES[] = {
	{ "", { .n_dns = 0 }, "%{device}" },
	{ "a_b", { .n_dns = 0 }, "dns" },
	{ "*", { .n_dns = 0 }, "*" },
	{ "*.evil", { .n_dns = 0 }, "*" },
	{ "x", { .dns = { "a b" }, .n_dns = 1 }, "dns" },
	{ "x", { .dns = { "a..b" }, .n_dns = 1 }, "dns" },
	{ "x", { .ip = { "300.1.1.1" }, .n_ip = 1 }, "ip" },
	{ "x", { .ip = { "1.1.1.1/8" }, .n_ip = 1 }, "ip" },
	{ "x", { .email = { "@x" }, .n_email = 1 }, "email" },
	{ "x", { .uri = { "relative" }, .n_uri = 1 }, "uri" },
};

START_TEST(profile_refuses_names_of_the_wrong_form)
{
	const struct bad_names *c = &BAD_NAMES[_i];
	struct profile_names n = PROFILE_NAMES_INIT;
	struct why why = WHY_NONE;

	world_profiles(&world, ALL_NAMES, "");
	ck_assert_msg(profile_resolve(&n, world_profile(&world, "p"), c->device,
	                      &c->names, &why) == RC_DENIED,
	        "%s passes", c->device);
	ck_assert_msg(strstr(why.text, c->clause) != NULL, "%s", why.text);
	profile_names_free(&n);
}
END_TEST

START_TEST(granted_names_without_a_place_are_refused)
{
	const struct grant_names dns = { .dns = { "a", "b" }, .n_dns = 2 };
	struct profile_names n = PROFILE_NAMES_INIT;
	struct why why = WHY_NONE;

	world_profiles(&world,
	        "  none: { keys: [p256], subject: { CN: x } }\n"
	        "  first: { keys: [p256], subject: { CN: \"%{dns}\" } }\n"
	        "  only: { keys: [p256], subject: {}, san: { dns: \"%{dns}\" } "
	        "}\n",
	        "");
	ck_assert_int_eq(profile_resolve(&n, world_profile(&world, "none"), "d",
	                         &dns, &why),
	        RC_DENIED);
	/* The subject takes one; the second would be lost. */
	ck_assert_int_eq(profile_resolve(&n, world_profile(&world, "first"),
	                         "d", &dns, &why),
	        RC_DENIED);
	ck_assert_int_eq(profile_resolve(&n, world_profile(&world, "first"),
	                         "d", NULL, &why),
	        RC_DENIED);
	ck_assert_int_eq(profile_resolve(&n, world_profile(&world, "only"), "d",
	                         NULL, &why),
	        RC_DENIED);
	ck_assert_ptr_nonnull(strstr(why.text, "no name at all"));
	ck_assert_int_eq(profile_resolve(&n, world_profile(&world, "only"), "d",
	                         &dns, &why),
	        RC_OK);
	profile_names_free(&n);
}
END_TEST

/* --- authorities */

START_TEST(authority_has_the_facts_of_its_certificate)
{
	struct buf der = world_der(world.ca), root = world_der(world.root);
	struct authority *a;
	uint8_t hash[32];

	world_profiles(
	        &world, "  a: { keys: [p256], subject: { CN: x } }\n", "");
	a = world_authority(&world);
	ck_assert(bytes_eq(a->der, buf_bytes(&der)));
	ck_assert_uint_eq(a->n_chain, 1);
	ck_assert(bytes_eq(a->chain[0], buf_bytes(&root)));
	ck_assert_int_eq(a->not_before_s, WORLD_NOW_S - 86400);
	ck_assert(bytes_eq(a->sig_alg, alg_bytes(ALG_ECDSA_SHA256)));
	ck_assert_uint_eq(a->key_id.n, 20);
	ck_assert_int_eq(digest_sha256(world.digest, a->der, hash), RC_OK);
	ck_assert(bytes_eq(BYTES_ARRAY(hash), BYTES_ARRAY(a->cert_hash)));
	ck_assert_ptr_eq(
	        authorities_by_issuer(world.authorities, a->subject, a->key_id),
	        a);
	ck_assert_ptr_eq(authorities_by_issuer(
	                         world.authorities, a->subject, BYTES_NONE),
	        a);
	ck_assert_ptr_null(authorities_by_issuer(
	        world.authorities, a->subject, BYTES_LIT("other")));
	ck_assert_ptr_null(authorities_find(world.authorities, "nobody"));
	buf_free(&der);
	buf_free(&root);
}
END_TEST

static void refused(struct buf *pem, const char *clause)
{
	struct why why = WHY_NONE;
	struct buf kept = world.ca_pem;
	enum rc rc;

	world.ca_pem = *pem;
	rc = world_load(&world,
	        world_yaml("  a: { keys: [p256], subject: { CN: x } }\n", ""),
	        &why);
	world.ca_pem = kept;
	buf_free(pem);
	ck_assert_int_eq(rc, RC_CONFIG);
	ck_assert_msg(strstr(why.text, clause) != NULL &&
	                strncmp(why.text, "authorities.factory", 19) == 0,
	        "%s", why.text);
}

static void refused_exts(const char *exts, const char *clause)
{
	X509 *x = world_ca(
	        world.ca_key, "Factory", world.root, world.root_key, exts);
	struct buf pem = world_pem(x);

	X509_free(x);
	refused(&pem, clause);
}

START_TEST(authority_must_be_a_ca)
{
	refused_exts("[ext]\nsubjectKeyIdentifier=hash\n", "not a CA");
	refused_exts("[ext]\nbasicConstraints=critical,CA:TRUE\n"
	             "keyUsage=digitalSignature\nsubjectKeyIdentifier=hash\n",
	        "may not sign");
	refused_exts("[ext]\nbasicConstraints=critical,CA:TRUE\n",
	        "subjectKeyIdentifier");
}
END_TEST

START_TEST(authority_chain_must_verify)
{
	X509 *fake = world_ca(world.ca_key, "Factory", world.root, world.ca_key,
	        "[ext]\nbasicConstraints=critical,CA:TRUE\n"
	        "subjectKeyIdentifier=hash\n");
	struct buf pem = world_pem(fake);

	X509_free(fake);
	refused(&pem, "chain");
}
END_TEST

START_TEST(authority_file_holds_one_certificate)
{
	struct buf two = world_pem(world.ca), none = BUF_INIT(100);
	struct buf cut = world_pem(world.ca);

	buf_add(&two, buf_bytes(&world.root_pem));
	refused(&two, "one certificate");
	buf_add_str(&none, "no PEM here\n");
	refused(&none, "no certificate");
	cut.n -= 30;
	refused(&cut, "PEM");
}
END_TEST

/* --- csrattrs: RFC 7030 section 4.5.2 */

static const struct attrs_case {
	uint32_t keys;
	bool binding;
	const char *hex;
} ATTRS[] = {
	{ CONF_KEY_P256 | CONF_KEY_ED25519, false, "3000" },
	{ CONF_KEY_P256 | CONF_KEY_ED25519, true,
	        "300b06092a864886f70d010907" },
	{ CONF_KEY_P256, false,
	        "3017301506072a8648ce3d0201310a06082a8648ce3d030107" },
	{ CONF_KEY_P384, false,
	        "3014301206072a8648ce3d0201310706052b81040022" },
	{ CONF_KEY_RSA2048, false,
	        "3013301106092a864886f70d010101310402020800" },
	{ CONF_KEY_RSA4096, true,
	        "301e06092a864886f70d010907301106092a864886f70d01010131040202"
	        "1000" },
	{ CONF_KEY_ED25519, false, "300506032b6570" },
};

START_TEST(csrattrs_say_what_the_profile_wants)
{
	const struct attrs_case *c = &ATTRS[_i];
	const struct conf_profile p = { .keys = c->keys,
		.channel_binding = c->binding };
	struct buf out = BUF_INIT(CSRATTRS_MAX_BYTES), hex = BUF_INIT(8192);

	ck_assert_int_eq(csrattrs_build(&out, &p), RC_OK);
	hex_encode(&hex, buf_bytes(&out));
	ck_assert_str_eq(buf_cstr(&hex), c->hex);
	buf_free(&out);
	buf_free(&hex);
}
END_TEST

TCase *test_ca_profile(void)
{
	TCase *t = tcase_create("profile");

	tcase_add_unchecked_fixture(t, begin, end);
	tcase_add_loop_test(t, profile_refuses_at_start, 0,
	        (int)(sizeof BAD / sizeof *BAD));
	tcase_add_test(t, profile_is_for_the_authorities_that_name_it);
	tcase_add_test(t, est_listener_has_a_profile_of_its_own);
	tcase_add_loop_test(t, profile_refuses_names_of_the_wrong_form, 0,
	        (int)(sizeof BAD_NAMES / sizeof *BAD_NAMES));
	tcase_add_test(t, granted_names_without_a_place_are_refused);
	return t;
}

TCase *test_ca_authority(void)
{
	TCase *t = tcase_create("authority");

	tcase_add_unchecked_fixture(t, begin, end);
	tcase_add_test(t, authority_has_the_facts_of_its_certificate);
	tcase_add_test(t, authority_must_be_a_ca);
	tcase_add_test(t, authority_chain_must_verify);
	tcase_add_test(t, authority_file_holds_one_certificate);
	return t;
}

TCase *test_ca_csrattrs(void)
{
	TCase *t = tcase_create("csrattrs");

	tcase_add_loop_test(t, csrattrs_say_what_the_profile_wants, 0,
	        (int)(sizeof ATTRS / sizeof *ATTRS));
	return t;
}
