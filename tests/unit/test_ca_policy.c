/* What the signer is told about CRLs and OCSP answers, by libcrypto's eyes. */
#include "ca/policy.h"
#include "ca/digest.h"
#include "der/alg.h"
#include "tests/unit/ca_world.h"
#include "tests/unit/test_ca.h"
#include <openssl/ocsp.h>
#include <stdio.h>
#include <string.h>

#define PROFILES "  a: { keys: [p256], subject: { CN: x } }\n"
#define SLACK_S 3600

static struct world world;
static struct policy_set *set;

static void begin(void)
{
	world_begin(&world, "ED25519");
}

static void end(void)
{
	policy_free(set);
	world_end(&world);
}

static const struct proto_policy_item *compile(const char *extra, size_t *n)
{
	struct why why = WHY_NONE;

	world_profiles(&world, PROFILES, extra);
	ck_assert_int_eq(policy_compile(&set, world.conf, world.authorities,
	                         world.profiles, &why),
	        RC_OK);
	return policy_items(set, n);
}

static bool same(struct bytes ours, const ASN1_OCTET_STRING *theirs)
{
	return bytes_eq(ours,
	        bytes_of(ASN1_STRING_get0_data(theirs),
	                (size_t)ASN1_STRING_length(theirs)));
}

static void expect_hashes(const EVP_MD *md, struct bytes name, struct bytes key)
{
	ASN1_OCTET_STRING *name_hash, *key_hash;
	OCSP_CERTID *issuer =
	        OCSP_cert_id_new(md, X509_get_subject_name(world.ca),
	                X509_get0_pubkey_bitstr(world.ca),
	                X509_get0_serialNumber(world.ca));
	ck_assert_ptr_nonnull(issuer);
	ck_assert_int_eq(
	        OCSP_id_get0_info(&name_hash, NULL, &key_hash, NULL, issuer),
	        1);
	ck_assert(same(name, name_hash));
	ck_assert(same(key, key_hash));
	OCSP_CERTID_free(issuer);
}

START_TEST(policy_names_the_issuer_as_ocsp_does)
{
	const struct proto_policy_item *items;
	const struct tbs_ocsp_rule *o;
	size_t n;

	items = compile("    ocsp: { valid: 6h }\n", &n);
	ck_assert_uint_eq(n, 2);
	o = &items[1].policy->ocsp;
	expect_hashes(EVP_sha1(), o->name_sha1, o->key_sha1);
	expect_hashes(EVP_sha256(), o->name_sha256, o->key_sha256);
	ck_assert_int_eq(o->max_s, 6 * 3600 + SLACK_S);
}
END_TEST

START_TEST(policy_lets_the_responder_answer_and_nothing_else)
{
	const struct proto_policy_item *items;
	size_t n;

	items = compile("    crl: { valid: 2d }\n", &n);
	ck_assert_uint_eq(n, 2);
	ck_assert_str_eq(items[0].key, "factory");
	ck_assert_uint_eq(items[0].policy->purposes,
	        SIGNER_PURPOSE_BIT(SIGNER_CERT) |
	                SIGNER_PURPOSE_BIT(SIGNER_CRL));
	ck_assert_int_eq(
	        items[0].policy->crl.max_s, 2 * INT64_C(86400) + SLACK_S);
	ck_assert_str_eq(items[1].key, "ocsp/factory");
	for (size_t i = 0; i < items[0].policy->n_shapes; i++) {
		const struct tbs_shape *s = &items[0].policy->shapes[i];
		bool responder = bytes_eq(s->name, BYTES_LIT("@ocsp"));

		ck_assert(bytes_eq(s->key_name,
		        responder ? BYTES_LIT("ocsp/factory") : BYTES_NONE));
	}
	ck_assert_uint_eq(
	        items[1].policy->purposes, SIGNER_PURPOSE_BIT(SIGNER_OCSP));
	ck_assert_uint_eq(items[1].policy->n_shapes, 0);
	/* Whatever the CA's key is. */
	ck_assert(bytes_eq(
	        items[1].policy->sig_alg, alg_bytes(ALG_ECDSA_SHA256)));
}
END_TEST

START_TEST(policy_lets_the_ca_key_answer_where_it_is_configured)
{
	const struct proto_policy_item *items;
	size_t n;

	items = compile("    ocsp: { key: ca }\n", &n);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(items[0].policy->purposes, SIGNER_PURPOSES_ISSUER);
}
END_TEST

START_TEST(policy_binds_code_certificates_to_the_key_they_are_for)
{
	static const char yaml[] =
	        "keys: { k: { file: k }, fw: { file: fw } }\n"
	        "authorities:\n"
	        "  factory: { certificate: ca.pem, chain: root.pem, key: k,\n"
	        "             ocsp: { key: ca } }\n"
	        "profiles:\n"
	        "  a: { keys: [p256], subject: { CN: x } }\n"
	        "  c: { keys: [p256], subject: { CN: y }, eku: %s }\n"
	        "code: { fw: { key: fw, authority: factory, profile: c } }\n";
	const struct proto_policy_item *items;
	struct why why = WHY_NONE;
	char text[1024];
	size_t n;

	(void)snprintf(text, sizeof(text), yaml, "[code_signing]");
	ck_assert_msg(world_load(&world, text, &why) == RC_OK, "%s", why.text);
	ck_assert_int_eq(policy_compile(&set, world.conf, world.authorities,
	                         world.profiles, &why),
	        RC_OK);
	items = policy_items(set, &n);
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(items[0].policy->n_shapes, 3); /* and the listener */
	for (size_t i = 0; i < 3; i++) {
		const struct tbs_shape *s = &items[0].policy->shapes[i];
		bool code = bytes_eq(s->name, BYTES_LIT("c"));

		ck_assert(bytes_eq(
		        s->key_name, code ? BYTES_LIT("fw") : BYTES_NONE));
	}
	ck_assert_str_eq(items[1].key, "fw");
	ck_assert_uint_eq(
	        items[1].policy->purposes, SIGNER_PURPOSE_BIT(SIGNER_CODE));
	ck_assert_uint_eq(items[1].policy->sig_alg.n, 0);
	ck_assert(bytes_eq(items[1].policy->issuer, items[0].policy->issuer));
	world_unload(&world);
	(void)snprintf(text, sizeof(text), yaml, "[client_auth]");
	ck_assert_int_eq(world_load(&world, text, &why), RC_CONFIG);
	ck_assert_ptr_nonnull(strstr(why.text, "no code_signing in its eku"));
}
END_TEST

START_TEST(policy_lets_a_registration_authority_answer_and_certify_nothing)
{
	static const char yaml[] =
	        "keys: { k: { file: k }, ra: { file: ra } }\n"
	        "authorities:\n"
	        "  factory: { certificate: ca.pem, chain: root.pem, key: k,\n"
	        "             ocsp: { key: ca }, ra: { key: ra } }\n"
	        "profiles:\n"
	        "  a: { keys: [p256], subject: { CN: x } }\n";
	const struct proto_policy_item *items;
	const struct conf_code *own;
	struct why why = WHY_NONE;
	size_t n, bound = 0;

	ck_assert_msg(world_load(&world, yaml, &why) == RC_OK, "%s", why.text);
	ck_assert_int_eq(policy_compile(&set, world.conf, world.authorities,
	                         world.profiles, &why),
	        RC_OK);
	items = policy_items(set, &n);
	ck_assert_uint_eq(n, 2);
	for (size_t i = 0; i < n; i++) {
		const struct tbs_policy *p = items[i].policy;
		bool ra = strcmp(items[i].key, "ra") == 0;

		ck_assert_int_eq(p->purposes == SIGNER_RA_PURPOSES, ra);
		ck_assert_int_eq(p->n_shapes == 0, ra);
		/* its certificate is for its own key */
		for (size_t k = 0; k < p->n_shapes; k++)
			bound += bytes_eq(p->shapes[k].key_name,
			                 BYTES_LIT("ra")) &&
			        bytes_eq(p->shapes[k].name, BYTES_LIT("@ra"));
	}
	ck_assert_uint_eq(bound, 1);
	own = profiles_ra(world.profiles, authorities_at(world.authorities, 0));
	ck_assert_ptr_nonnull(own);
	ck_assert_str_eq(own->device, "ra:factory");
	ck_assert_int_eq(own->profile->validity_s, 365 * 86400);
}
END_TEST

/* By the digest that a policy's algorithm has is told who comes next. */
START_TEST(digest_is_libcryptos)
{
	static const struct {
		enum oid oid;
		const char *name;
	} digests[] = { { OID_SHA256, "SHA256" }, { OID_SHA384, "SHA384" },
		{ OID_SHA512, "SHA512" } };
	uint8_t ours[DIGEST_MAX_BYTES], theirs[EVP_MAX_MD_SIZE];
	size_t n;

	for (size_t i = 0; i < 3; i++) {
		ck_assert_int_eq(
		        digest_sha2(digests[i].oid, BYTES_LIT("abc"), ours, &n),
		        RC_OK);
		ck_assert_int_eq(EVP_Q_digest(NULL, digests[i].name, NULL,
		                         "abc", 3, theirs, NULL),
		        1);
		ck_assert_uint_eq(n, alg_digest_bytes(digests[i].oid));
		ck_assert_mem_eq(ours, theirs, n);
	}
	ck_assert_int_eq(
	        digest_sha2(OID_SHA1, BYTES_LIT("abc"), ours, &n), RC_INTERNAL);
}
END_TEST

TCase *test_ca_policy(void)
{
	TCase *t = tcase_create("policy");

	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, digest_is_libcryptos);
	tcase_add_test(t, policy_names_the_issuer_as_ocsp_does);
	tcase_add_test(t, policy_lets_the_responder_answer_and_nothing_else);
	tcase_add_test(t, policy_lets_the_ca_key_answer_where_it_is_configured);
	tcase_add_test(
	        t, policy_binds_code_certificates_to_the_key_they_are_for);
	tcase_add_test(t,
	        policy_lets_a_registration_authority_answer_and_certify_nothing);
	return t;
}
