/* What a key may say about code, and what the signer makes of it. */
#include "base/clock.h"
#include "tests/unit/code_make.h"
#include "tests/unit/signer_run.h"
#include "tests/unit/test_signer.h"
#include <openssl/evp.h>
#include <string.h>

#define NOW_S SPEC_NOW_S

static struct tbs_policy *code_policy(int64_t now_s)
{
	struct buf name = BUF_INIT(1024), packed = BUF_INIT(4096);
	struct tbs_policy *out = NULL,
	                  p = {
		                  .purposes = SIGNER_PURPOSE_BIT(SIGNER_CODE),
		                  .not_before_s = now_s - SPEC_DAY_S,
		                  .not_after_s = now_s + 3652 * SPEC_DAY_S,
	                  };

	spec_issuer(&name, "Issuing");
	p.issuer = buf_bytes(&name);
	tbs_policy_pack(&packed, &p);
	ck_assert_int_eq(
	        tbs_policy_unpack(&out, buf_bytes(&packed), NULL), RC_OK);
	buf_free(&name);
	buf_free(&packed);
	return out;
}

/* --- rules */

static void s_same(struct code_spec *s)
{
	(void)s;
}
static void s_early(struct code_spec *s)
{
	s->signing_s -= TBS_CODE_SKEW_S;
}
static void s_late(struct code_spec *s)
{
	s->signing_s += TBS_CODE_SKEW_S;
}
static void s_too_early(struct code_spec *s)
{
	s->signing_s -= TBS_CODE_SKEW_S + 1;
}
static void s_too_late(struct code_spec *s)
{
	s->signing_s += TBS_CODE_SKEW_S + 1;
}
static void s_other_content(struct code_spec *s)
{
	s->content_type = OID_CT_TST_INFO;
}
static void s_short_digest(struct code_spec *s)
{
	s->digest.n--;
}
static void s_long_digest(struct code_spec *s)
{
	s->digest = CODE_SPEC_DIGEST;
}
static void s_other_digest(struct code_spec *s)
{
	s->digest_alg = OID_SHA384;
	s->digest = bytes_slice(CODE_SPEC_DIGEST, 0, 48);
}
static void s_sha1(struct code_spec *s)
{
	s->digest_alg = OID_SHA1;
	s->digest.n = 20;
}
static void s_other_alg(struct code_spec *s)
{
	s->alg = ALG_ED25519;
}
static void s_other_cert_hash(struct code_spec *s)
{
	s->cert_sha256 = bytes_slice(CODE_SPEC_DIGEST, 0, 32);
}
static void s_missing(struct code_spec *s)
{
	s->n_attrs--;
}
static void s_twice(struct code_spec *s)
{
	s->attrs[s->n_attrs++] = s->attrs[1];
}
static void s_two_values(struct code_spec *s)
{
	code_spec_attr(s, OID_MESSAGE_DIGEST)->twice = true;
}
static void s_unknown(struct code_spec *s)
{
	s->attrs[s->n_attrs++] =
	        (struct code_attr){ oid_bytes(OID_CHALLENGE_PASSWORD),
		        BYTES_LIT("\x05\x00"), false };
}
static void s_unsorted(struct code_spec *s)
{
	s->unsorted = true;
	s->attrs[0].oid = oid_bytes(OID_AA_CMS_ALGORITHM_PROTECT);
	s->attrs[4].oid = oid_bytes(OID_CONTENT_TYPE);
}
static void s_hash_alg_named(struct code_spec *s)
{
	/* SHA-1 in ESSCertIDv2 */
	code_spec_attr(s, OID_AA_SIGNING_CERTIFICATE_V2)->value =
	        BYTES_LIT("\x30\x12\x30\x10\x30\x0e\x30\x07\x06\x05"
	                  "\x2b\x0e\x03\x02\x1a\x04\x03"
	                  "abc");
}
static void s_after(struct code_spec *s)
{
	s->after_attrs = BYTES_LIT("\x05\x00");
}
static void s_not_its_key(struct code_spec *s)
{
	static uint8_t other[91];

	memcpy(other, s->cert.spki.p, sizeof(other));
	other[90] ^= 1;
	s->cert.spki = BYTES_ARRAY(other);
}
static void s_other_issuer(struct code_spec *s)
{
	s->cert.issuer = "Another";
}
static void s_not_for_code(struct code_spec *s)
{
	tbs_spec_ext(&s->cert, OID_EXT_KEY_USAGE, false, SPEC_EKU_CLIENT);
}
static void s_no_eku(struct code_spec *s)
{
	tbs_spec_drop(&s->cert, OID_EXT_KEY_USAGE);
}
static void s_ca(struct code_spec *s)
{
	tbs_spec_ext(&s->cert, OID_BASIC_CONSTRAINTS, true, SPEC_CA_TRUE);
}
static void s_ended(struct code_spec *s)
{
	s->cert.not_after_s = NOW_S - 1;
}
static void s_ahead(struct code_spec *s)
{
	s->cert.not_before_s = NOW_S + 1;
}

static const struct code_row {
	const char *name;
	void (*change)(struct code_spec *s);
	enum rc want;
	const char *clause;
} code_rows[] = {
	{ "as it should be", s_same, RC_OK, "" },
	{ "signed a little ago", s_early, RC_OK, "" },
	{ "signed a little ahead", s_late, RC_OK, "" },
	{ "signed long ago", s_too_early, RC_DENIED, "signingTime is not now" },
	{ "signed far ahead", s_too_late, RC_DENIED, "signingTime is not now" },
	{ "a time-stamp token", s_other_content, RC_DENIED, "contentType" },
	{ "digest too short", s_short_digest, RC_DENIED, "messageDigest" },
	{ "digest too long", s_long_digest, RC_DENIED, "messageDigest" },
	{ "digest of another length", s_other_digest, RC_DENIED,
	        "digestAlgorithm does not go with" },
	{ "SHA-1", s_sha1, RC_DENIED, "digestAlgorithm does not go with" },
	{ "another algorithm", s_other_alg, RC_DENIED,
	        "signatureAlgorithm is not the key's" },
	{ "another certificate's hash", s_other_cert_hash, RC_DENIED,
	        "signingCertificateV2 is not" },
	{ "an attribute missing", s_missing, RC_DENIED, "is missing" },
	{ "an attribute twice", s_twice, RC_MALFORMED, "twice" },
	{ "two values", s_two_values, RC_MALFORMED, "attrValues" },
	{ "one more attribute", s_unknown, RC_DENIED,
	        "challengePassword is not for code" },
	{ "not in DER's order", s_unsorted, RC_MALFORMED, "signedAttrs" },
	{ "ESSCertIDv2 by another hash", s_hash_alg_named, RC_MALFORMED,
	        "signingCertificateV2" },
	{ "something behind", s_after, RC_MALFORMED, "code" },
	{ "another key's certificate", s_not_its_key, RC_DENIED,
	        "not of this key" },
	{ "another authority's", s_other_issuer, RC_DENIED,
	        "not by the key's authority" },
	{ "a client's certificate", s_not_for_code, RC_DENIED,
	        "not for code signing" },
	{ "a certificate for everything", s_no_eku, RC_DENIED,
	        "not for code signing" },
	{ "a CA's certificate", s_ca, RC_DENIED, "a CA's" },
	{ "one that has ended", s_ended, RC_DENIED, "not valid now" },
	{ "one that begins later", s_ahead, RC_DENIED, "not valid now" },
};

START_TEST(code_row_is_judged)
{
	const struct code_row *row = &code_rows[_i];
	struct tbs_policy *p = code_policy(NOW_S);
	struct buf tbs = BUF_INIT(CODE_SPEC_MAX_BYTES);
	struct bytes cert = BYTES_NONE, attrs;
	struct why why = WHY_NONE;
	struct code_spec s;
	uint8_t hash[32] = { 0 };
	enum rc rc;

	code_spec_init(&s, NOW_S, ALG_ECDSA_SHA256, spec_spki());
	row->change(&s);
	code_spec_build(&s, &tbs);
	ck_assert_int_eq(tbs.failed, RC_OK);
	rc = tbs_code_parts(&cert, &attrs, buf_bytes(&tbs), &why);
	if (rc == RC_OK) {
		const struct tbs_code_key key = { spec_spki(),
			alg_bytes(ALG_ECDSA_SHA256), BYTES_ARRAY(hash) };

		ck_assert_int_eq(EVP_Digest(cert.p, cert.n, hash, NULL,
		                         EVP_sha256(), NULL),
		        1);
		rc = tbs_check_code(p, buf_bytes(&tbs), NOW_S, &key, &why);
	}
	ck_assert_msg(rc == row->want, "%s: %s (%s)", row->name,
	        rc_info(rc)->name, why.text);
	ck_assert_msg(strstr(why.text, row->clause) != NULL, "%s: %s",
	        row->name, why.text);
	buf_free(&tbs);
	tbs_policy_free(p);
}
END_TEST

START_TEST(code_that_is_cut_short_is_refused)
{
	struct tbs_policy *p = code_policy(NOW_S);
	struct buf tbs = BUF_INIT(CODE_SPEC_MAX_BYTES);
	const struct tbs_code_key key = { spec_spki(),
		alg_bytes(ALG_ECDSA_SHA256), BYTES_NONE };
	struct code_spec s;

	code_spec_init(&s, NOW_S, ALG_ECDSA_SHA256, spec_spki());
	code_spec_build(&s, &tbs);
	for (size_t n = 0; n < tbs.n; n++)
		ck_assert_int_eq(tbs_check_code(p, bytes_of(tbs.p, n), NOW_S,
		                         &key, NULL),
		        RC_MALFORMED);
	buf_free(&tbs);
	tbs_policy_free(p);
}
END_TEST

START_TEST(code_policy_has_no_other_purpose)
{
	struct tbs_policy *p = code_policy(NOW_S), *out, bad[4];

	for (size_t i = 0; i < 4; i++)
		bad[i] = *p;
	bad[0].purposes |= SIGNER_PURPOSE_BIT(SIGNER_CERT);
	bad[0].sig_alg = alg_bytes(ALG_ECDSA_SHA256);
	bad[1].sig_alg = alg_bytes(ALG_ECDSA_SHA256);
	bad[2].purposes = SIGNER_PURPOSE_BIT(SIGNER_CERT);
	bad[3].crl = (struct tbs_crl_rule){ SPEC_KEY_ID, 1 };
	for (size_t i = 0; i < 4; i++) {
		struct buf packed = BUF_INIT(4096);

		tbs_policy_pack(&packed, &bad[i]);
		ck_assert_int_eq(
		        tbs_policy_unpack(&out, buf_bytes(&packed), NULL),
		        RC_MALFORMED);
		buf_free(&packed);
	}
	tbs_policy_free(p);
}
END_TEST

/* A shape for one key is for no other, whoever holds that. */
static bool held_as_code(void *ctx, struct bytes name, struct bytes spki)
{
	(void)spki;
	return name.n == 0 || bytes_eq(name, *(const struct bytes *)ctx);
}

START_TEST(certificate_for_one_key_alone)
{
	struct bytes right = BYTES_LIT("firmware"), wrong = BYTES_LIT("tls");
	struct tbs_policy *p =
	        spec_policy("Issuing", alg_bytes(ALG_ECDSA_SHA256), NOW_S);
	struct tbs_shape shape = p->shapes[0];
	struct tbs_policy one = *p, *read;
	struct buf tbs = BUF_INIT(4096), packed = BUF_INIT(65536);
	struct why why = WHY_NONE;
	struct tbs_spec s;

	shape.key_name = right;
	one.shapes = &shape;
	one.n_shapes = 1;
	tbs_policy_pack(&packed, &one);
	ck_assert_int_eq(
	        tbs_policy_unpack(&read, buf_bytes(&packed), NULL), RC_OK);
	tbs_spec_init(&s, NOW_S);
	tbs_spec_build(&s, &tbs);
	ck_assert_int_eq(tbs_check(read, buf_bytes(&tbs), NOW_S, held_as_code,
	                         &right, &why),
	        RC_OK);
	ck_assert_int_eq(tbs_check(read, buf_bytes(&tbs), NOW_S, held_as_code,
	                         &wrong, &why),
	        RC_DENIED);
	ck_assert_ptr_nonnull(strstr(why.text, "not the key that it is for"));
	buf_free(&tbs);
	buf_free(&packed);
	tbs_policy_free(read);
	tbs_policy_free(p);
}
END_TEST

/* --- the signer */

static struct signer_run run;

static void put_policies(void)
{
	int64_t now_s = clock_now_s();
	struct tbs_policy *code = code_policy(now_s);
	struct tbs_policy *ca =
	        spec_policy("Issuing", alg_bytes(ALG_ECDSA_SHA256), now_s);
	const struct proto_policy_item items[] = { { "issuing", ca },
		{ "p384", code }, { "ed25519", code }, { "rsa", code } };
	struct buf body = BUF_INIT(PROTO_POLICY_MAX_BYTES);
	const struct reply *reply;
	struct proto_done done;

	proto_policy_pack(&body, 1, items, 4);
	reply = run_ask(&run, &run.supervisor, PROTO_POLICY, buf_bytes(&body));
	ck_assert_int_eq(
	        proto_done_unpack(&done, buf_bytes(&reply->body)), RC_OK);
	ck_assert_msg(done.rc == RC_OK, "%s", done.why.text);
	buf_free(&body);
	tbs_policy_free(code);
	tbs_policy_free(ca);
}

static void open_run(void)
{
	static const char *const keys[] = { "--key=issuing:issuing.key",
		"--key=p384:p384.key", "--key=ed25519:ed25519.key",
		"--key=rsa:rsa.key", NULL };

	run_open(&run);
	run_make_key(&run, "issuing", "p256");
	run_make_key(&run, "p384", "p384");
	run_make_key(&run, "ed25519", "ed25519");
	run_make_key(&run, "rsa", "rsa2048");
	run_start(&run, keys);
	put_policies();
}

static void close_run(void)
{
	run_close(&run);
}

/* Over the pair of a client, or of a keeper. */
static void ask(bool keeper, const char *key, enum sig_alg alg, struct buf *tbs,
        struct proto_signature *out)
{
	unsigned pair = keeper ? RUN_KEEPER : 0;
	struct code_spec s;

	code_spec_init(&s, clock_now_s(), alg, run_spki(&run, key));
	*tbs = BUF_INIT(CODE_SPEC_MAX_BYTES);
	code_spec_build(&s, tbs);
	if (run.client.ipc == NULL) {
		run_open_peer(&run, &run.client, run.clients[pair][0]);
		run.clients[pair][0] = -1;
	}
	run_sign(&run, key, SIGNER_CODE, buf_bytes(tbs), out);
}

START_TEST(signer_signs_the_attributes_of_code)
{
	static const struct {
		const char *key;
		enum sig_alg alg;
	} keys[] = { { "p384", ALG_ECDSA_SHA384 }, { "ed25519", ALG_ED25519 },
		{ "rsa", ALG_RSA_SHA256 } };
	struct proto_signature m;
	struct bytes attrs;
	struct buf tbs;

	for (size_t i = 0; i < 3; i++) {
		ask(true, keys[i].key, keys[i].alg, &tbs, &m);
		ck_assert_msg(m.rc == RC_OK, "%s: %s", keys[i].key, m.why.text);
		ck_assert_int_eq(
		        tbs_code_parts(NULL, &attrs, buf_bytes(&tbs), NULL),
		        RC_OK);
		ck_assert(run_verifies(
		        run_spki(&run, keys[i].key), attrs, m.signature));
		buf_free(&tbs);
	}
}
END_TEST

START_TEST(signer_denies_code_to_workers)
{
	struct proto_signature m;
	struct buf tbs;

	ask(false, "p384", ALG_ECDSA_SHA384, &tbs, &m);
	ck_assert_int_eq(m.rc, RC_DENIED);
	ck_assert_ptr_nonnull(strstr(m.why.text, "keeper alone"));
	buf_free(&tbs);
}
END_TEST

START_TEST(signer_denies_code_by_an_issuing_key)
{
	struct proto_signature m;
	struct buf tbs;

	ask(true, "issuing", ALG_ECDSA_SHA256, &tbs, &m);
	ck_assert_int_eq(m.rc, RC_DENIED);
	ck_assert_ptr_nonnull(strstr(m.why.text, "no policy for this purpose"));
	buf_free(&tbs);
}
END_TEST

START_TEST(signer_denies_certificates_by_a_code_key)
{
	struct proto_signature m;
	struct buf tbs;

	ask(true, "p384", ALG_ECDSA_SHA384, &tbs, &m);
	buf_free(&tbs);
	run_tbs(&tbs, NULL);
	run_sign(&run, "p384", SIGNER_CERT, buf_bytes(&tbs), &m);
	ck_assert_int_eq(m.rc, RC_DENIED);
	buf_free(&tbs);
}
END_TEST

START_TEST(signer_denies_another_keys_algorithm)
{
	struct proto_signature m;
	struct buf tbs;

	ask(true, "p384", ALG_ECDSA_SHA256, &tbs, &m);
	ck_assert_int_eq(m.rc, RC_DENIED);
	ck_assert_ptr_nonnull(strstr(m.why.text, "not the key's"));
	buf_free(&tbs);
}
END_TEST

TCase *test_tbs_code(void)
{
	TCase *c = tcase_create("tbs_code");

	tcase_add_loop_test(c, code_row_is_judged, 0,
	        sizeof(code_rows) / sizeof(*code_rows));
	tcase_add_test(c, code_that_is_cut_short_is_refused);
	tcase_add_test(c, code_policy_has_no_other_purpose);
	tcase_add_test(c, certificate_for_one_key_alone);
	return c;
}

static TCase *signer_code(const char *name, bool in_token)
{
	TCase *c = tcase_create(name);

	if (in_token)
		tcase_add_checked_fixture(c, run_token_open, run_token_close);
	tcase_add_checked_fixture(c, open_run, close_run);
	tcase_add_test(c, signer_signs_the_attributes_of_code);
	tcase_add_test(c, signer_denies_code_to_workers);
	tcase_add_test(c, signer_denies_code_by_an_issuing_key);
	tcase_add_test(c, signer_denies_certificates_by_a_code_key);
	tcase_add_test(c, signer_denies_another_keys_algorithm);
	return c;
}

TCase *test_signer_code(void)
{
	return signer_code("signer_code", false);
}

TCase *test_signer_code_token(void)
{
	return signer_code("signer_code_token", true);
}
