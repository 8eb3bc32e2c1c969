/* The TBS held against libcrypto's, feature by feature; validity; serials. */
#include "tests/unit/test_ca.h"
#include "ca/draft.h"
#include "ca/lint.h"
#include "der/time.h"
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

static struct world world, ed_world, rsa_world;

static const struct same_case {
	const char *name;
	const char *key;
	const char *profile;   /* YAML, of profile "p" */
	const char *authority; /* YAML */
	const char *device;
	struct grant_names names;
	const char *subject[2 * 10]; /* as libcrypto is to build it */
	const char *exts;
} SAME[] = {
	{ .name = "sensor",
	        .key = "P-256",
	        .profile = "    keys: [p256]\n"
	                   "    subject: { CN: \"%{device}\", O: Example "
	                   "Meters }\n"
	                   "    san: { uri: \"urn:dev:%{device}\" }\n"
	                   "    eku: [client_auth]\n",
	        .device = "meter-1",
	        .subject = { "CN", "meter-1", "O", "Example Meters" },
	        .exts = "keyUsage=critical,digitalSignature\n"
	                "extendedKeyUsage=clientAuth\n"
	                "subjectKeyIdentifier=hash\n"
	                "authorityKeyIdentifier=keyid\n"
	                "subjectAltName=URI:urn:dev:meter-1\n" },
	{ .name = "802.1AR IDevID: never, hardwareModuleName",
	        .key = "P-256",
	        .profile = "    keys: [p256]\n"
	                   "    validity: never\n"
	                   "    subject: { serialNumber: \"%{device}\", O: "
	                   "Example Meters }\n"
	                   "    san: { hardware_module: "
	                   "\"1.3.6.1.4.1.99999.1 %{device}\" }\n",
	        .device = "SN-0001",
	        .subject = { "serialNumber", "SN-0001", "O", "Example Meters" },
	        .exts = "keyUsage=critical,digitalSignature\n"
	                "subjectKeyIdentifier=hash\n"
	                "authorityKeyIdentifier=keyid\n"
	                "subjectAltName=otherName:1.3.6.1.5.5.7.8.4;SEQUENCE:"
	                "hw\n"
	                "[hw]\na=OID:1.3.6.1.4.1.99999.1\n"
	                "b=FORMAT:ASCII,OCTETSTRING:SN-0001\n" },
	{ .name = "Matter DAC: VID and PID, critical basicConstraints",
	        .key = "P-256",
	        .profile = "    keys: [p256]\n"
	                   "    validity: never\n"
	                   "    basic_constraints: yes\n"
	                   "    subject:\n"
	                   "      CN: \"Matter %{device}\"\n"
	                   "      1.3.6.1.4.1.37244.2.1: FFF1\n"
	                   "      1.3.6.1.4.1.37244.2.2: \"8000\"\n",
	        .device = "00A1",
	        .subject = { "CN", "Matter 00A1", "1.3.6.1.4.1.37244.2.1",
	                "FFF1", "1.3.6.1.4.1.37244.2.2", "8000" },
	        .exts = "basicConstraints=critical,CA:FALSE\n"
	                "keyUsage=critical,digitalSignature\n"
	                "subjectKeyIdentifier=hash\n"
	                "authorityKeyIdentifier=keyid\n" },
	{ .name = "the CRL of its shard",
	        .key = "P-256",
	        .profile = "    keys: [p256]\n"
	                   "    subject: { CN: \"%{device}\" }\n",
	        .authority =
	                "    crl: { shards: 1 }\n"
	                "    crl_urls: [\"http://p/%{shard}.crl\",\n"
	                "      \"http://quite-a-long-name-that-takes-the-"
	                "length-into-two-octets.example.com/c-%{shard}\"]\n",
	        .device = "u1",
	        .subject = { "CN", "u1" },
	        .exts = "keyUsage=critical,digitalSignature\n"
	                "subjectKeyIdentifier=hash\n"
	                "authorityKeyIdentifier=keyid\n"
	                "crlDistributionPoints=cdp\n"
	                "[cdp]\n"
	                "fullname=URI:http://p/001.crl,URI:http://quite-a-"
	                "long-name-that-takes-the-length-into-two-octets"
	                ".example.com/c-001\n" },
	{ .name = "TLS server: granted names, RSA",
	        .key = "RSA",
	        .profile = "    keys: [rsa2048]\n"
	                   "    subject: { CN: \"%{dns}\", C: DE, "
	                   "emailAddress: ops@example.com }\n"
	                   "    san: { dns: \"%{dns}\", ip: \"%{ip}\" }\n"
	                   "    key_usage: [digitalSignature, "
	                   "keyEncipherment]\n"
	                   "    eku: [server_auth, client_auth]\n"
	                   "    eku_critical: yes\n",
	        .authority = "    crl_urls: [http://p/crl, http://q/crl]\n"
	                     "    ocsp_urls: [http://p/ocsp]\n"
	                     "    aia: [http://p/ca]\n",
	        .device = "server-1",
	        .names = { .dns = { "a.example.com", "*.example.com" },
	                .n_dns = 2,
	                .ip = { "192.0.2.7", "2001:db8::1" },
	                .n_ip = 2 },
	        .subject = { "CN", "a.example.com", "C", "DE", "emailAddress",
	                "ops@example.com" },
	        .exts = "keyUsage=critical,digitalSignature,keyEncipherment\n"
	                "extendedKeyUsage=critical,serverAuth,clientAuth\n"
	                "subjectKeyIdentifier=hash\n"
	                "authorityKeyIdentifier=keyid\n"
	                "subjectAltName=DNS:a.example.com,DNS:*.example.com,"
	                "IP:192.0.2.7,IP:2001:db8::1\n"
	                "crlDistributionPoints=cdp\n"
	                "authorityInfoAccess=OCSP;URI:http://p/ocsp,"
	                "caIssuers;URI:http://p/ca\n"
	                "[cdp]\nfullname=URI:http://p/crl,URI:http://q/crl\n" },
	{ .name = "empty subject, critical SAN, permanentIdentifier, policies",
	        .key = "ED25519",
	        .profile = "    keys: [ed25519]\n"
	                   "    subject: {}\n"
	                   "    san:\n"
	                   "      permanent_id: [\"1.3.6.1.4.1.99999.4 "
	                   "%{device}\", \"%{device}\"]\n"
	                   "      email: \"%{device}@example.com\"\n"
	                   "    key_usage: [digitalSignature, nonRepudiation]\n"
	                   "    policies: [1.3.6.1.4.1.99999.2, "
	                   "2.23.140.1.2.1]\n",
	        .device = "x-9",
	        .exts = "keyUsage=critical,digitalSignature,nonRepudiation\n"
	                "subjectKeyIdentifier=hash\n"
	                "authorityKeyIdentifier=keyid\n"
	                "subjectAltName=critical,email:x-9@example.com,"
	                "otherName:1.3.6.1.5.5.7.8.3;SEQUENCE:one,"
	                "otherName:1.3.6.1.5.5.7.8.3;SEQUENCE:two\n"
	                "certificatePolicies=1.3.6.1.4.1.99999.2,"
	                "2.23.140.1.2.1\n"
	                "[one]\na=UTF8:x-9\nb=OID:1.3.6.1.4.1.99999.4\n"
	                "[two]\na=UTF8:x-9\n" },
	{ .name = "noRevAvail drops OCSP and CRL; extra extensions",
	        .key = "P-384",
	        .profile = "    keys: [p384]\n"
	                   "    subject: { CN: Unit, DC: example, UID: "
	                   "\"%{device}\" }\n"
	                   "    san_critical: yes\n"
	                   "    san: { dns: \"%{device}.dev.example\" }\n"
	                   "    no_rev_avail: yes\n"
	                   "    subject_key_id: no\n"
	                   "    key_usage: [digitalSignature, keyAgreement]\n"
	                   "    eku: [code_signing, time_stamping, "
	                   "email_protection, 1.3.6.1.4.1.99999.8]\n"
	                   "    extensions:\n"
	                   "      - { oid: 1.3.6.1.4.1.99999.3, critical: yes, "
	                   "der: \"0500\" }\n"
	                   "      - { oid: 1.3.6.1.4.1.99999.5, der: "
	                   "\"0c0141\" }\n",
	        .authority = "    crl_urls: [http://p/crl]\n"
	                     "    ocsp_urls: [http://p/ocsp]\n"
	                     "    aia: [http://p/ca]\n",
	        .device = "u7",
	        .subject = { "CN", "Unit", "DC", "example", "UID", "u7" },
	        .exts = "keyUsage=critical,digitalSignature,keyAgreement\n"
	                "extendedKeyUsage=codeSigning,timeStamping,"
	                "emailProtection,1.3.6.1.4.1.99999.8\n"
	                "authorityKeyIdentifier=keyid\n"
	                "subjectAltName=critical,DNS:u7.dev.example\n"
	                "authorityInfoAccess=caIssuers;URI:http://p/ca\n"
	                "2.5.29.56=DER:0500\n"
	                "1.3.6.1.4.1.99999.3=critical,DER:0500\n"
	                "1.3.6.1.4.1.99999.5=DER:0c0141\n" },
	{ .name = "UTF-8, many subject types, device id escaped in a URI",
	        .key = "P-256",
	        .profile = "    keys: [p256]\n"
	                   "    subject: { C: NO, ST: Troms, L: \"Tromsø\", "
	                   "street: \"Storgata 1\", O: \"Måler AS\", OU: "
	                   "[Metering, \"%{device}\"], dnQualifier: Q1 }\n"
	                   "    san: { uri: [\"spiffe://td.example/%{device}\","
	                   " \"%{uri}\"] }\n",
	        .device = "a/b c",
	        .names = { .uri = { "urn:uuid:1" }, .n_uri = 1 },
	        .subject = { "C", "NO", "ST", "Troms", "L", "Tromsø", "street",
	                "Storgata 1", "O", "Måler AS", "OU", "Metering", "OU",
	                "a/b c", "dnQualifier", "Q1" },
	        .exts = "keyUsage=critical,digitalSignature\n"
	                "subjectKeyIdentifier=hash\n"
	                "authorityKeyIdentifier=keyid\n"
	                "subjectAltName=URI:spiffe://td.example/a%2Fb%20c,"
	                "URI:urn:uuid:1\n" },
};

/* The same certificate by libcrypto; its TBS. */
static struct buf libcrypto_tbs(const struct same_case *c, struct world *w,
        EVP_PKEY *key, const struct tbs_input *in)
{
	X509 *x = X509_new();
	X509_NAME *name = X509_NAME_new();
	struct buf b = BUF_INIT(TBS_BUILD_MAX_BYTES);
	char exts[4096];
	unsigned char *der = NULL;
	BIGNUM *serial = BN_bin2bn(in->serial, SERIAL_BYTES, NULL);
	bool ed = EVP_PKEY_is_a(w->ca_key, "ED25519");
	size_t i;
	int n;

	X509_set_version(x, X509_VERSION_3);
	BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(x));
	ASN1_TIME_set(X509_getm_notBefore(x), in->validity.not_before_s);
	ASN1_TIME_set(X509_getm_notAfter(x), in->validity.not_after_s);
	for (i = 0; c->subject[i] != NULL; i += 2)
		ck_assert_int_eq(
		        X509_NAME_add_entry_by_txt(name, c->subject[i],
		                MBSTRING_UTF8,
		                (const unsigned char *)c->subject[i + 1], -1,
		                -1, 0),
		        1);
	X509_set_subject_name(x, name);
	X509_set_issuer_name(x, X509_get_subject_name(w->ca));
	X509_set_pubkey(x, key);
	snprintf(exts, sizeof exts, "[ext]\n%s", c->exts);
	world_add_exts(x, w->ca, exts);
	ck_assert_int_gt(X509_sign(x, w->ca_key, ed ? NULL : EVP_sha256()), 0);
	n = i2d_re_X509_tbs(x, &der);
	ck_assert_int_gt(n, 0);
	buf_add(&b, bytes_of(der, (size_t)n));
	OPENSSL_free(der);
	BN_free(serial);
	X509_NAME_free(name);
	X509_free(x);
	return b;
}

static void compare(const struct same_case *c, struct world *w)
{
	struct profile_names names = PROFILE_NAMES_INIT;
	struct buf tbs = BUF_INIT(TBS_BUILD_MAX_BYTES), spki_der, expected;
	uint8_t serial[SERIAL_BYTES];
	struct why why = WHY_NONE;
	char profile[4096];
	struct spki spki;
	struct tbs_input in = { serial, { 0, 0, false }, &names, &spki };
	EVP_PKEY *key = world_key(c->key);
	const struct profile *p;

	snprintf(profile, sizeof profile, "  p:\n%s", c->profile);
	world_profiles(w, profile, c->authority ? c->authority : "");
	p = world_profile(w, "p");
	spki_der = world_spki(key);
	ck_assert_int_eq(spki_parse(&spki, buf_bytes(&spki_der), &why), RC_OK);
	serial_make(serial, WORLD_NOW_S * 1000000);
	ck_assert_int_eq(
	        tbs_validity(&in.validity, p, WORLD_NOW_S, 0, &why), RC_OK);
	ck_assert_msg(
	        profile_resolve(&names, p, c->device, &c->names, &why) == RC_OK,
	        "%s", why.text);
	ck_assert_int_eq(tbs_build(&tbs, p, &in, w->digest), RC_OK);
	expected = libcrypto_tbs(c, w, key, &in);
	ck_assert_msg(
	        bytes_eq(buf_bytes(&tbs), buf_bytes(&expected)), "%s", c->name);
	ck_assert_msg(lint_tbs(buf_bytes(&tbs), world_authority(w)->sig_alg,
	                      world_authority(w)->subject, &why) == RC_OK,
	        "%s: %s", c->name, why.text);
	ck_assert_msg(world_policy_says(w, buf_bytes(&tbs), WORLD_NOW_S, false,
	                      &why) == RC_OK,
	        "%s: %s", c->name, why.text);
	profile_names_free(&names);
	buf_free(&tbs);
	buf_free(&spki_der);
	buf_free(&expected);
	EVP_PKEY_free(key);
}

/* --- the profiles that are shipped, with each key that they take */

static const struct shipped_key {
	uint32_t bit;
	const char *type;
} KEYS[] = {
	{ CONF_KEY_P256, "P-256" },
	{ CONF_KEY_P384, "P-384" },
	{ CONF_KEY_ED25519, "ED25519" },
	{ CONF_KEY_RSA2048, "RSA" },
};

static void draft_shipped(
        struct world *w, const struct conf_profile *conf, const char *type)
{
	struct draft d = DRAFT_INIT;
	struct draft_input in = { .device = "unit-1",
		.now_us = WORLD_NOW_S * 1000000 };
	EVP_PKEY *key = world_key(type);
	struct buf der = world_spki(key);
	struct why why = WHY_NONE;
	struct spki spki;

	in.profile = world_profile(w, conf->name);
	in.spki = &spki;
	ck_assert_int_eq(spki_parse(&spki, buf_bytes(&der), &why), RC_OK);
	ck_assert_msg(draft_make(&d, &in, w->digest, &why) == RC_OK, "%s: %s",
	        conf->name, why.text);
	ck_assert_msg(world_policy_says(w, buf_bytes(&d.tbs), WORLD_NOW_S,
	                      false, &why) == RC_OK,
	        "%s: %s", conf->name, why.text);
	draft_free(&d);
	buf_free(&der);
	EVP_PKEY_free(key);
}

static const char *shipped_yaml(void)
{
	static char text[65536];
	FILE *f = fopen(MICA_SOURCE_DIR "/conf/mica.yaml", "r");
	size_t n;

	ck_assert_ptr_nonnull(f);
	n = fread(text, 1, sizeof text - 1, f);
	text[n] = '\0';
	(void)fclose(f);
	return text;
}

START_TEST(shipped_profiles_issue_what_the_signer_signs)
{
	struct why why = WHY_NONE;
	size_t i, k;

	ck_assert_msg(world_load(&world, shipped_yaml(), &why) == RC_OK, "%s",
	        why.text);
	ck_assert_uint_ge(world.conf->n_profiles, 6);
	for (i = 0; i < world.conf->n_profiles; i++)
		for (k = 0; k < sizeof KEYS / sizeof *KEYS; k++)
			if (world.conf->profiles[i].keys & KEYS[k].bit)
				draft_shipped(&world, &world.conf->profiles[i],
				        KEYS[k].type);
}
END_TEST

static void begin(void)
{
	world_begin(&world, "P-256");
	world_begin(&ed_world, "ED25519");
	world_begin(&rsa_world, "RSA");
}

static void end(void)
{
	world_end(&world);
	world_end(&ed_world);
	world_end(&rsa_world);
}

START_TEST(tbs_is_what_libcrypto_builds)
{
	compare(&SAME[_i], &world);
}
END_TEST

START_TEST(tbs_is_what_libcrypto_builds_under_other_ca_keys)
{
	compare(&SAME[0], &ed_world);
	compare(&SAME[1], &rsa_world);
}
END_TEST

START_TEST(certificate_is_what_libcrypto_reads)
{
	struct buf der = world_der(world.ca);
	struct buf again = BUF_INIT(65536);
	const unsigned char *p = der.p;
	const ASN1_BIT_STRING *sig;
	unsigned char *tbs = NULL;
	X509 *x = d2i_X509(NULL, &p, (long)der.n);
	int n = i2d_re_X509_tbs(x, &tbs);

	X509_get0_signature(&sig, NULL, x);
	ck_assert_int_eq(tbs_certificate(&again, bytes_of(tbs, (size_t)n),
	                         alg_bytes(ALG_ECDSA_SHA256),
	                         bytes_of(sig->data, (size_t)sig->length)),
	        RC_OK);
	ck_assert(bytes_eq(buf_bytes(&der), buf_bytes(&again)));
	OPENSSL_free(tbs);
	X509_free(x);
	buf_free(&der);
	buf_free(&again);
}
END_TEST

#define DAY_S 86400

START_TEST(validity_is_backdated_and_cut_but_never_is_not)
{
	const int64_t ca_end = WORLD_NOW_S + WORLD_CA_DAYS * INT64_C(86400);
	struct tbs_validity v;
	struct why why = WHY_NONE;
	const struct profile *days, *never;

	world_profiles(&world,
	        "  days: { keys: [p256], subject: { CN: x }, validity: 30d }\n"
	        "  never: { keys: [p256], subject: { CN: x }, validity: never "
	        "}\n",
	        "");
	days = world_profile(&world, "days");
	never = world_profile(&world, "never");

	ck_assert_int_eq(tbs_validity(&v, days, WORLD_NOW_S, 0, &why), RC_OK);
	ck_assert_int_eq(v.not_before_s, WORLD_NOW_S - 300);
	ck_assert_int_eq(v.not_after_s, WORLD_NOW_S + 30 * DAY_S - 1);
	ck_assert(!v.cut);

	/* The shorter of profile and grant. */
	ck_assert_int_eq(
	        tbs_validity(&v, days, WORLD_NOW_S, DAY_S, &why), RC_OK);
	ck_assert_int_eq(v.not_after_s, WORLD_NOW_S + DAY_S - 1);
	ck_assert_int_eq(
	        tbs_validity(&v, days, WORLD_NOW_S, 99 * DAY_S, &why), RC_OK);
	ck_assert_int_eq(v.not_after_s, WORLD_NOW_S + 30 * DAY_S - 1);
	ck_assert_int_eq(
	        tbs_validity(&v, never, WORLD_NOW_S, DAY_S, &why), RC_OK);
	ck_assert_int_eq(v.not_after_s, WORLD_NOW_S + DAY_S - 1);

	/* Cut to the issuer's end, but for never. */
	ck_assert_int_eq(
	        tbs_validity(&v, days, ca_end - DAY_S, 0, &why), RC_OK);
	ck_assert_int_eq(v.not_after_s, ca_end);
	ck_assert(v.cut);
	ck_assert_int_eq(
	        tbs_validity(&v, never, ca_end - DAY_S, 0, &why), RC_OK);
	ck_assert_int_eq(v.not_after_s, TIME_NEVER_S);
	ck_assert(!v.cut);

	/* An issuer that is not valid issues nothing; nothing is backdated
	 * beyond its beginning. */
	ck_assert_int_eq(
	        tbs_validity(&v, days, ca_end + 1, 0, &why), RC_DENIED);
	ck_assert_int_eq(
	        tbs_validity(&v, never, ca_end + 1, 0, &why), RC_DENIED);
	ck_assert_int_eq(
	        tbs_validity(&v, days, WORLD_NOW_S - 2 * DAY_S, 0, &why),
	        RC_DENIED);
	ck_assert_int_eq(
	        tbs_validity(&v, days, WORLD_NOW_S - DAY_S, 0, &why), RC_OK);
	ck_assert_int_eq(v.not_before_s, WORLD_NOW_S - DAY_S);
}
END_TEST

START_TEST(serials_are_positive_ordered_and_differ)
{
	uint8_t a[SERIAL_BYTES], b[SERIAL_BYTES], c[SERIAL_BYTES];

	serial_make(a, WORLD_NOW_S * 1000000);
	serial_make(b, WORLD_NOW_S * 1000000);
	serial_make(c, WORLD_NOW_S * 1000000 + 1);
	ck_assert_uint_eq(a[0], SERIAL_LEAD);
	ck_assert(!bytes_eq(BYTES_ARRAY(a), BYTES_ARRAY(b)));
	ck_assert_int_lt(bytes_cmp(BYTES_ARRAY(a), BYTES_ARRAY(c)), 0);
	ck_assert_int_lt(bytes_cmp(BYTES_ARRAY(b), BYTES_ARRAY(c)), 0);
}
END_TEST

START_TEST(shards_are_all_taken_and_none_beyond_them)
{
	uint8_t serial[SERIAL_BYTES];
	const struct profile *p;
	bool taken[6] = { false };

	world_profiles(&world, "  p: { subject: { CN: x } }\n",
	        "    crl: { shards: 5 }\n"
	        "    crl_urls: [\"http://p/%{shard}.crl\"]\n");
	p = world_profile(&world, "p");
	for (int i = 0; i < 1000; i++) {
		unsigned shard;

		serial_make(serial, WORLD_NOW_S * 1000000);
		shard = profile_shard(p, serial);
		ck_assert_uint_ge(shard, 1);
		ck_assert_uint_le(shard, 5);
		taken[shard] = true;
	}
	for (int i = 1; i < 6; i++)
		ck_assert(taken[i]);
	world_profiles(&world, "  p: { subject: { CN: x } }\n", "");
	ck_assert_uint_eq(profile_shard(world_profile(&world, "p"), serial), 0);
}
END_TEST

/* What the policy says when the tail of the first or second URL is that. */
static enum rc policy_says_of_urls(
        const struct buf *tbs, const char *first, const char *second)
{
	struct buf b = BUF_INIT(TBS_BUILD_MAX_BYTES);
	const char *ends[] = { first, second };
	const struct bytes start = BYTES_LIT("http://p/");
	size_t n = 0;
	enum rc rc;

	buf_add(&b, buf_bytes(tbs));
	for (size_t i = 0; i + 9 < b.n && n < 2; i++)
		if (bytes_starts(bytes_skip(buf_bytes(&b), i), start)) {
			memcpy(b.p + i + start.n, ends[n], strlen(ends[n]));
			n++;
		}
	ck_assert_uint_eq(n, 2);
	rc = world_policy_says(&world, buf_bytes(&b), WORLD_NOW_S, false, NULL);
	buf_free(&b);
	return rc;
}

START_TEST(signer_takes_the_urls_of_our_shards_alone)
{
	struct draft d = DRAFT_INIT;
	struct draft_input in = { .device = "unit-1",
		.now_us = WORLD_NOW_S * 1000000 };
	EVP_PKEY *key = world_key("P-256");
	struct buf der = world_spki(key);
	struct why why = WHY_NONE;
	struct spki spki;

	world_profiles(&world, "  p: { keys: [p256], subject: { CN: x } }\n",
	        "    crl: { shards: 12 }\n"
	        "    crl_urls: [\"http://p/%{shard}.crl\", "
	        "\"http://p/%{shard}.old\"]\n");
	in.profile = world_profile(&world, "p");
	in.spki = &spki;
	ck_assert_int_eq(spki_parse(&spki, buf_bytes(&der), &why), RC_OK);
	ck_assert_int_eq(draft_make(&d, &in, world.digest, &why), RC_OK);
	ck_assert_int_eq(policy_says_of_urls(&d.tbs, "001.crl", "001.old"), 0);
	ck_assert_int_eq(policy_says_of_urls(&d.tbs, "012.crl", "012.old"), 0);
	ck_assert_int_eq(
	        policy_says_of_urls(&d.tbs, "013.crl", "013.old"), RC_DENIED);
	ck_assert_int_eq(
	        policy_says_of_urls(&d.tbs, "000.crl", "000.old"), RC_DENIED);
	ck_assert_int_eq(
	        policy_says_of_urls(&d.tbs, "001.crl", "002.old"), RC_DENIED);
	ck_assert_int_eq(
	        policy_says_of_urls(&d.tbs, "00x.crl", "00x.old"), RC_DENIED);
	ck_assert_int_eq(
	        policy_says_of_urls(&d.tbs, "001.crk", "001.old"), RC_DENIED);
	draft_free(&d);
	buf_free(&der);
	EVP_PKEY_free(key);
}
END_TEST

TCase *test_ca_tbs(void)
{
	TCase *t = tcase_create("tbs");

	tcase_add_unchecked_fixture(t, begin, end);
	tcase_add_loop_test(t, tbs_is_what_libcrypto_builds, 0,
	        (int)(sizeof SAME / sizeof *SAME));
	tcase_add_test(t, tbs_is_what_libcrypto_builds_under_other_ca_keys);
	tcase_add_test(t, certificate_is_what_libcrypto_reads);
	tcase_add_test(t, shipped_profiles_issue_what_the_signer_signs);
	tcase_add_test(t, validity_is_backdated_and_cut_but_never_is_not);
	tcase_add_test(t, serials_are_positive_ordered_and_differ);
	tcase_add_test(t, shards_are_all_taken_and_none_beyond_them);
	tcase_add_test(t, signer_takes_the_urls_of_our_shards_alone);
	return t;
}
