/* What a key may say about certificates: CRLs and OCSP answers. */
#include "base/clock.h"
#include "der/alg.h"
#include "tests/unit/status_make.h"
#include "tests/unit/test_signer.h"
#include <string.h>

#define NOW_S SPEC_NOW_S
#define MY_HASH BYTES_LIT("the responder's key.")

static struct tbs_policy *policy;

static void open_policy(void)
{
	policy = spec_policy("Issuing", alg_bytes(ALG_ECDSA_SHA256), NOW_S);
	ck_assert_ptr_nonnull(policy);
}

static void close_policy(void)
{
	tbs_policy_free(policy);
}

static void judge(const char *name, enum rc want, const char *clause,
        enum rc rc, const struct why *why)
{
	ck_assert_msg(
	        rc == want, "%s: %s (%s)", name, rc_info(rc)->name, why->text);
	if (rc)
		ck_assert_msg(strstr(why->text, clause) != NULL, "%s: %s", name,
		        why->text);
}

/* --- CRLs */

static void c_same(struct crl_spec *s)
{
	(void)s;
}
static void c_none(struct crl_spec *s)
{
	s->n_entries = 0;
}
static void c_plain_entry(struct crl_spec *s)
{
	s->n_entry_ext = 0;
}
static void c_shard(struct crl_spec *s)
{
	crl_spec_ext(s, OID_ISSUING_DISTRIBUTION_POINT, true, SPEC_IDP);
}
static void c_user_shard(struct crl_spec *s)
{
	crl_spec_ext(s, OID_ISSUING_DISTRIBUTION_POINT, true,
	        BYTES_LIT("\x30\x15\xa0\x10\xa0\x0e\x86\x0c"
	                  "http://crl/0\x81\x01\xff"));
}
static void c_user_and_ca(struct crl_spec *s)
{
	crl_spec_ext(s, OID_ISSUING_DISTRIBUTION_POINT, true,
	        BYTES_LIT("\x30\x06\x81\x01\xff\x82\x01\xff"));
}
static void c_idp_false(struct crl_spec *s)
{
	crl_spec_ext(s, OID_ISSUING_DISTRIBUTION_POINT, true,
	        BYTES_LIT("\x30\x03\x81\x01\x00"));
}
static void c_idp_empty(struct crl_spec *s)
{
	crl_spec_ext(s, OID_ISSUING_DISTRIBUTION_POINT, true, SPEC_CA_FALSE);
}
static void c_idp_not_critical(struct crl_spec *s)
{
	crl_spec_ext(s, OID_ISSUING_DISTRIBUTION_POINT, false, SPEC_IDP);
}
static void c_indirect(struct crl_spec *s)
{
	crl_spec_ext(s, OID_ISSUING_DISTRIBUTION_POINT, true,
	        BYTES_LIT("\x30\x03\x84\x01\xff"));
}
static void c_idp_directory_name(struct crl_spec *s)
{
	crl_spec_ext(s, OID_ISSUING_DISTRIBUTION_POINT, true,
	        BYTES_LIT("\x30\x08\xa0\x06\xa0\x04\xa4\x02\x30\x00"));
}
static void c_version(struct crl_spec *s)
{
	s->version = 0;
}
static void c_alg(struct crl_spec *s)
{
	s->sig_alg = alg_bytes(ALG_ED25519);
}
static void c_issuer(struct crl_spec *s)
{
	s->issuer = "Another";
}
static void c_no_next(struct crl_spec *s)
{
	s->no_next = true;
}
static void c_long(struct crl_spec *s)
{
	s->next_s++;
}
static void c_backwards(struct crl_spec *s)
{
	s->next_s = s->this_s;
}
static void c_ahead_enough(struct crl_spec *s)
{
	s->this_s += TBS_FUTURE_MAX_S;
	s->next_s += TBS_FUTURE_MAX_S;
}
static void c_ahead(struct crl_spec *s)
{
	s->this_s += TBS_FUTURE_MAX_S + 1;
	s->next_s += TBS_FUTURE_MAX_S + 1;
}
static void c_unknown_critical(struct crl_spec *s)
{
	s->ext[s->n_ext++] =
	        (struct spec_ext){ BYTES_LIT("\x2a\x03\x04"), true, SPEC_NULL };
}
static void c_unknown(struct crl_spec *s)
{
	s->ext[s->n_ext++] = (struct spec_ext){ BYTES_LIT("\x2a\x03\x04"),
		false, SPEC_NULL };
}
static void c_delta(struct crl_spec *s)
{
	crl_spec_ext(
	        s, OID_DELTA_CRL_INDICATOR, true, BYTES_LIT("\x02\x01\x01"));
}
static void c_no_number(struct crl_spec *s)
{
	crl_spec_drop(s, OID_CRL_NUMBER);
}
static void c_long_number(struct crl_spec *s)
{
	crl_spec_ext(s, OID_CRL_NUMBER, false,
	        BYTES_LIT("\x02\x15\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a"
	                  "\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15"));
}
static void c_negative_number(struct crl_spec *s)
{
	crl_spec_ext(s, OID_CRL_NUMBER, false, BYTES_LIT("\x02\x01\x80"));
}
static void c_no_key_id(struct crl_spec *s)
{
	crl_spec_drop(s, OID_AUTHORITY_KEY_ID);
}
static void c_other_key_id(struct crl_spec *s)
{
	crl_spec_ext(s, OID_AUTHORITY_KEY_ID, false,
	        BYTES_LIT("\x30\x03\x80\x01\x01"));
}
static void c_twice(struct crl_spec *s)
{
	s->ext[s->n_ext] = s->ext[0];
	s->n_ext++;
}
static void c_empty_list(struct crl_spec *s)
{
	s->n_entries = 0;
	s->empty_list = true;
}
static void c_empty_exts(struct crl_spec *s)
{
	s->n_ext = 0;
	s->empty_exts = true;
}
static void c_no_exts(struct crl_spec *s)
{
	s->n_ext = 0;
}
static void c_long_serial(struct crl_spec *s)
{
	s->serial = BYTES_LIT("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b"
	                      "\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15");
}
static void c_indirect_entry(struct crl_spec *s)
{
	s->entry_ext[1].oid = BYTES_LIT("\x55\x1d\x1d"); /* certificateIssuer */
}
static void c_critical_reason(struct crl_spec *s)
{
	s->entry_ext[0].critical = true;
}
static void c_no_reason(struct crl_spec *s)
{
	s->entry_ext[0].value = BYTES_LIT("\x0a\x01\x07");
}
static void c_remove(struct crl_spec *s)
{
	s->entry_ext[0].value = BYTES_LIT("\x0a\x01\x08");
}
static void c_reason_twice(struct crl_spec *s)
{
	s->entry_ext[1] = s->entry_ext[0];
}
static void c_utc_date(struct crl_spec *s)
{
	s->entry_ext[1].value = BYTES_LIT("\x17\x0d"
	                                  "250101000000Z");
}
static void c_more(struct crl_spec *s)
{
	s->after_all = SPEC_NULL;
}

static const struct crl_row {
	const char *name;
	void (*change)(struct crl_spec *s);
	enum rc rc;
	const char *clause;
} crl_rows[] = {
	{ "a full one", c_same, RC_OK, "" },
	{ "nothing revoked", c_none, RC_OK, "" },
	{ "an entry without extensions", c_plain_entry, RC_OK, "" },
	{ "a shard", c_shard, RC_OK, "" },
	{ "a shard of end entities", c_user_shard, RC_OK, "" },
	{ "thisUpdate an hour ahead", c_ahead_enough, RC_OK, "" },
	{ "another issuer", c_issuer, RC_DENIED, "issuer is not the key's" },
	{ "another algorithm", c_alg, RC_DENIED, "signature is not" },
	{ "version 1", c_version, RC_MALFORMED, "version" },
	{ "no nextUpdate", c_no_next, RC_MALFORMED, "nextUpdate" },
	{ "nextUpdate past the cap", c_long, RC_DENIED, "nextUpdate is past" },
	{ "an empty window", c_backwards, RC_DENIED, "not after thisUpdate" },
	{ "thisUpdate far ahead", c_ahead, RC_DENIED, "lies in the future" },
	{ "an unknown critical extension", c_unknown_critical, RC_DENIED,
	        "extension of another type is not" },
	{ "an unknown extension", c_unknown, RC_DENIED, "is not for our CRLs" },
	{ "a delta CRL", c_delta, RC_DENIED, "id-ce-deltaCRLIndicator" },
	{ "no number", c_no_number, RC_DENIED, "cRLNumber is missing" },
	{ "a number too long", c_long_number, RC_DENIED, "over 20 octets" },
	{ "a negative number", c_negative_number, RC_MALFORMED, "cRLNumber" },
	{ "no key identifier", c_no_key_id, RC_DENIED, "is missing" },
	{ "another key identifier", c_other_key_id, RC_DENIED,
	        "authorityKeyIdentifier is not" },
	{ "an extension twice", c_twice, RC_MALFORMED, "stands twice" },
	{ "an empty list of entries", c_empty_list, RC_MALFORMED,
	        "none in it" },
	{ "an empty list of extensions", c_empty_exts, RC_DENIED,
	        "is missing" },
	{ "no extensions", c_no_exts, RC_MALFORMED, "crlExtensions" },
	{ "a serial too long", c_long_serial, RC_MALFORMED, "over 20 octets" },
	{ "another's certificate in it", c_indirect_entry, RC_DENIED,
	        "entry extension" },
	{ "a critical reason", c_critical_reason, RC_DENIED, "is critical" },
	{ "reason 7", c_no_reason, RC_DENIED, "none of a full CRL" },
	{ "removeFromCRL", c_remove, RC_DENIED, "none of a full CRL" },
	{ "a reason twice", c_reason_twice, RC_MALFORMED, "stands twice" },
	{ "an invalidityDate as UTCTime", c_utc_date, RC_MALFORMED,
	        "invalidityDate" },
	{ "user and CA certificates alone", c_user_and_ca, RC_DENIED,
	        "issuingDistributionPoint" },
	{ "a default written out", c_idp_false, RC_MALFORMED, "DER TRUE" },
	{ "an empty scope", c_idp_empty, RC_MALFORMED, "empty" },
	{ "a scope that is not critical", c_idp_not_critical, RC_DENIED,
	        "not critical" },
	{ "an indirect CRL", c_indirect, RC_DENIED,
	        "issuingDistributionPoint" },
	{ "a point that is no URI", c_idp_directory_name, RC_MALFORMED,
	        "issuingDistributionPoint" },
	{ "a field more", c_more, RC_MALFORMED, "trailing bytes" },
};

START_TEST(crl_is_signed_only_as_the_policy_has_it)
{
	const struct crl_row *row = &crl_rows[_i];
	struct buf tbs = BUF_INIT(CRL_SPEC_MAX_BYTES);
	struct why why = WHY_NONE;
	struct crl_spec s;
	enum rc rc;

	crl_spec_init(&s, NOW_S);
	row->change(&s);
	crl_spec_build(&s, &tbs);
	ck_assert(!tbs.failed);
	rc = tbs_check_crl(policy, buf_bytes(&tbs), NOW_S, &why);
	judge(row->name, row->rc, row->clause, rc, &why);
	buf_free(&tbs);
}
END_TEST

START_TEST(crl_refuses_every_truncation)
{
	struct buf tbs = BUF_INIT(CRL_SPEC_MAX_BYTES);
	struct crl_spec s;

	crl_spec_init(&s, NOW_S);
	c_user_shard(&s);
	crl_spec_build(&s, &tbs);
	for (size_t n = 0; n < tbs.n; n++)
		ck_assert_int_ne(
		        tbs_check_crl(policy, bytes_of(tbs.p, n), NOW_S, NULL),
		        RC_OK);
	buf_free(&tbs);
}
END_TEST

/* Time for a million entries; a slow and busy machine has ten times as much. */
START_TEST(crl_of_a_million_entries_is_checked_at_once)
{
	struct buf tbs = BUF_INIT(CRL_SPEC_MAX_BYTES);
	struct crl_spec s;
	int64_t start_us;

	crl_spec_init(&s, NOW_S);
	s.n_entries = 1000000;
	s.n_entry_ext = 1;
	crl_spec_build(&s, &tbs);
	ck_assert(
	        !tbs.failed && tbs.n > 40u << 20 && tbs.n < TBS_CRL_MAX_BYTES);
	start_us = clock_mono_us();
	ck_assert_int_eq(
	        tbs_check_crl(policy, buf_bytes(&tbs), NOW_S, NULL), RC_OK);
	ck_assert_int_lt(clock_mono_us() - start_us, 3000000);
	buf_free(&tbs);
}
END_TEST

START_TEST(crl_over_the_limit_is_not_looked_at)
{
	static const uint8_t byte = 0x30;

	ck_assert_int_eq(
	        tbs_check_crl(policy, bytes_of(&byte, TBS_CRL_MAX_BYTES + 1),
	                NOW_S, NULL),
	        RC_TOOBIG);
}
END_TEST

/* --- OCSP answers */

static void o_same(struct ocsp_spec *s)
{
	(void)s;
}
static void o_sha256(struct ocsp_spec *s)
{
	s->hash = OID_SHA256;
	s->name = SPEC_NAME_SHA256;
	s->key = SPEC_KEY_SHA256;
	s->no_params = true;
}
static void o_revoked(struct ocsp_spec *s)
{
	s->status = BYTES_LIT("\xa1\x16\x18\x0f"
	                      "20250101000000Z\xa0\x03\x0a\x01\x01");
	s->single_ext[0] = (struct spec_ext){ oid_bytes(OID_INVALIDITY_DATE),
		false, SPEC_DATE };
	s->n_single_ext = 1;
}
static void o_unissued(struct ocsp_spec *s)
{
	s->status = BYTES_LIT("\xa1\x16\x18\x0f"
	                      "19700101000000Z\xa0\x03\x0a\x01\x06");
	ocsp_spec_ext(s, OID_OCSP_EXTENDED_REVOKE, false, SPEC_NULL);
	ocsp_spec_ext(s, OID_OCSP_NONCE, false, SPEC_NONCE);
}
static void o_unknown(struct ocsp_spec *s)
{
	s->status = BYTES_LIT("\x82\x00");
	s->serial = BYTES_LIT("a serial of more than twenty octets that is "
	                      "no one's");
}
static void o_bare_nonce(struct ocsp_spec *s)
{
	ocsp_spec_ext(s, OID_OCSP_NONCE, false, BYTES_LIT("no DER"));
}
static void o_many(struct ocsp_spec *s)
{
	s->n_singles = TBS_SINGLES_MAX;
}
static void o_too_many(struct ocsp_spec *s)
{
	s->n_singles = TBS_SINGLES_MAX + 1;
}
static void o_nothing(struct ocsp_spec *s)
{
	s->n_singles = 0;
}
static void o_foreign_name(struct ocsp_spec *s)
{
	s->name = SPEC_KEY_SHA1;
}
static void o_foreign_key(struct ocsp_spec *s)
{
	s->key = SPEC_NAME_SHA1;
}
static void o_foreign_sha256(struct ocsp_spec *s)
{
	o_sha256(s);
	s->name = SPEC_KEY_SHA256;
}
static void o_mixed_hash(struct ocsp_spec *s)
{
	s->hash = OID_SHA256;
}
static void o_sha512(struct ocsp_spec *s)
{
	s->hash = OID_SHA512;
}
static void o_stranger(struct ocsp_spec *s)
{
	s->key_hash = BYTES_LIT("another one's key...");
}
static void o_by_name(struct ocsp_spec *s)
{
	s->responder_tag = DER_CONTEXT_CONS(1);
}
static void o_produced_ahead(struct ocsp_spec *s)
{
	s->produced_s += TBS_FUTURE_MAX_S + 1;
}
static void o_this_ahead(struct ocsp_spec *s)
{
	s->this_s += TBS_FUTURE_MAX_S + 1;
	s->next_s += TBS_FUTURE_MAX_S + 1;
}
static void o_long(struct ocsp_spec *s)
{
	s->next_s++;
}
static void o_far(struct ocsp_spec *s)
{
	s->next_s += 365 * SPEC_DAY_S;
}
static void o_backwards(struct ocsp_spec *s)
{
	s->next_s = s->this_s - 1;
}
static void o_no_next(struct ocsp_spec *s)
{
	s->no_next = true;
}
static void o_version(struct ocsp_spec *s)
{
	s->with_version = true;
}
static void o_good_with_content(struct ocsp_spec *s)
{
	s->status = BYTES_LIT("\x80\x01\x00");
}
static void o_reason_7(struct ocsp_spec *s)
{
	s->status = BYTES_LIT("\xa1\x16\x18\x0f"
	                      "20250101000000Z\xa0\x03\x0a\x01\x07");
}
static void o_status_3(struct ocsp_spec *s)
{
	s->status = BYTES_LIT("\x83\x00");
}
static void o_single_ext(struct ocsp_spec *s)
{
	s->single_ext[0] =
	        (struct spec_ext){ oid_bytes(OID_OCSP_ARCHIVE_CUTOFF), false,
		        SPEC_DATE };
	s->n_single_ext = 1;
}
static void o_ext(struct ocsp_spec *s)
{
	ocsp_spec_ext(s, OID_OCSP_CRL, false, SPEC_NULL);
}
static void o_nonce_twice(struct ocsp_spec *s)
{
	ocsp_spec_ext(s, OID_OCSP_NONCE, false, SPEC_NONCE);
	ocsp_spec_ext(s, OID_OCSP_NONCE, false, SPEC_NONCE);
}
static void o_nonce_critical(struct ocsp_spec *s)
{
	ocsp_spec_ext(s, OID_OCSP_NONCE, true, SPEC_NONCE);
}
static void o_nonce_empty(struct ocsp_spec *s)
{
	ocsp_spec_ext(s, OID_OCSP_NONCE, false, BYTES_NONE);
}
static void o_nonce_long(struct ocsp_spec *s)
{
	static const uint8_t nonce[132];

	ocsp_spec_ext(s, OID_OCSP_NONCE, false, BYTES_ARRAY(nonce));
}
static void o_extended_with_content(struct ocsp_spec *s)
{
	ocsp_spec_ext(s, OID_OCSP_EXTENDED_REVOKE, false, SPEC_CA_FALSE);
}
static void o_more(struct ocsp_spec *s)
{
	s->after_all = SPEC_NULL;
}

static const struct ocsp_row {
	const char *name;
	void (*change)(struct ocsp_spec *s);
	enum rc rc;
	const char *clause;
} ocsp_rows[] = {
	{ "good", o_same, RC_OK, "" },
	{ "good, by SHA-256", o_sha256, RC_OK, "" },
	{ "revoked", o_revoked, RC_OK, "" },
	{ "revoked, as it was never issued", o_unissued, RC_OK, "" },
	{ "unknown", o_unknown, RC_OK, "" },
	{ "a nonce without its OCTET STRING", o_bare_nonce, RC_OK, "" },
	{ "as many as may be", o_many, RC_OK, "" },
	{ "one more", o_too_many, RC_TOOBIG, "responses: over" },
	{ "about nothing", o_nothing, RC_MALFORMED, "none in it" },
	{ "a foreign issuer's name", o_foreign_name, RC_DENIED,
	        "issuerNameHash is not" },
	{ "a foreign issuer's key", o_foreign_key, RC_DENIED,
	        "issuerKeyHash is not" },
	{ "a foreign issuer by SHA-256", o_foreign_sha256, RC_DENIED,
	        "issuerNameHash is not" },
	{ "SHA-1 called SHA-256", o_mixed_hash, RC_DENIED,
	        "issuerNameHash is not" },
	{ "another hash", o_sha512, RC_DENIED, "hash id-sha512" },
	{ "a stranger's responder id", o_stranger, RC_DENIED,
	        "responderID is not the key's" },
	{ "a responder by name", o_by_name, RC_UNSUPPORTED, "byName" },
	{ "producedAt far ahead", o_produced_ahead, RC_DENIED,
	        "producedAt lies" },
	{ "thisUpdate far ahead", o_this_ahead, RC_DENIED, "thisUpdate lies" },
	{ "nextUpdate past the cap", o_long, RC_DENIED, "nextUpdate is past" },
	{ "nextUpdate in a year", o_far, RC_DENIED, "nextUpdate is past" },
	{ "nextUpdate first", o_backwards, RC_DENIED, "not after thisUpdate" },
	{ "no nextUpdate", o_no_next, RC_MALFORMED, "nextUpdate" },
	{ "the version written out", o_version, RC_MALFORMED, "responderID" },
	{ "good with content", o_good_with_content, RC_MALFORMED,
	        "certStatus" },
	{ "reason 7", o_reason_7, RC_MALFORMED, "revocationReason" },
	{ "a fourth status", o_status_3, RC_MALFORMED, "certStatus" },
	{ "archiveCutoff", o_single_ext, RC_DENIED, "single extension" },
	{ "an extension that is not ours", o_ext, RC_DENIED,
	        "extension id-pkix-ocsp-crl is not" },
	{ "a nonce twice", o_nonce_twice, RC_MALFORMED, "stands twice" },
	{ "a critical nonce", o_nonce_critical, RC_DENIED, "is critical" },
	{ "an empty nonce", o_nonce_empty, RC_DENIED, "nonce" },
	{ "a nonce too long", o_nonce_long, RC_DENIED, "nonce" },
	{ "extended-revoke with content", o_extended_with_content, RC_MALFORMED,
	        "extended-revoke" },
	{ "a field more", o_more, RC_MALFORMED, "responseExtensions" },
};

START_TEST(ocsp_answer_is_signed_only_as_the_policy_has_it)
{
	const struct ocsp_row *row = &ocsp_rows[_i];
	struct buf tbs = BUF_INIT(TBS_CHECK_MAX_BYTES);
	struct why why = WHY_NONE;
	struct ocsp_spec s;
	enum rc rc;

	ocsp_spec_init(&s, NOW_S, MY_HASH);
	row->change(&s);
	ocsp_spec_build(&s, &tbs);
	ck_assert(!tbs.failed);
	rc = tbs_check_ocsp(policy, buf_bytes(&tbs), NOW_S, MY_HASH, &why);
	judge(row->name, row->rc, row->clause, rc, &why);
	buf_free(&tbs);
}
END_TEST

START_TEST(ocsp_answer_refuses_every_truncation)
{
	struct buf tbs = BUF_INIT(TBS_CHECK_MAX_BYTES);
	struct ocsp_spec s;

	ocsp_spec_init(&s, NOW_S, MY_HASH);
	o_unissued(&s);
	ocsp_spec_build(&s, &tbs);
	for (size_t n = 0; n < tbs.n; n++)
		ck_assert_int_ne(tbs_check_ocsp(policy, bytes_of(tbs.p, n),
		                         NOW_S, MY_HASH, NULL),
		        RC_OK);
	buf_free(&tbs);
}
END_TEST

START_TEST(ocsp_answer_says_whose_it_is)
{
	struct buf tbs = BUF_INIT(TBS_CHECK_MAX_BYTES);
	struct bytes hash;
	struct ocsp_spec s;

	ocsp_spec_init(&s, NOW_S, MY_HASH);
	ocsp_spec_build(&s, &tbs);
	ck_assert_int_eq(
	        tbs_ocsp_responder(&hash, buf_bytes(&tbs), NULL), RC_OK);
	ck_assert(bytes_eq(hash, MY_HASH));
	buf_reset(&tbs);
	o_by_name(&s);
	ocsp_spec_build(&s, &tbs);
	ck_assert_int_eq(tbs_ocsp_responder(&hash, buf_bytes(&tbs), NULL),
	        RC_UNSUPPORTED);
	buf_free(&tbs);
}
END_TEST

/* DESIGN: below the clock floor status is still signed, dated at the floor. */
START_TEST(status_is_signed_by_a_clock_that_is_known_to_be_wrong)
{
	const int64_t wrong_s = policy->not_before_s - 1;
	struct buf tbs = BUF_INIT(TBS_CHECK_MAX_BYTES);
	struct ocsp_spec o;
	struct crl_spec c;

	ocsp_spec_init(&o, NOW_S, MY_HASH);
	ocsp_spec_build(&o, &tbs);
	ck_assert_int_eq(
	        tbs_check_ocsp(policy, buf_bytes(&tbs), wrong_s, MY_HASH, NULL),
	        RC_OK);
	ck_assert_int_eq(tbs_check_ocsp(policy, buf_bytes(&tbs), wrong_s + 1,
	                         MY_HASH, NULL),
	        RC_DENIED);
	buf_reset(&tbs);
	crl_spec_init(&c, NOW_S);
	crl_spec_build(&c, &tbs);
	ck_assert_int_eq(
	        tbs_check_crl(policy, buf_bytes(&tbs), wrong_s, NULL), RC_OK);
	buf_free(&tbs);
}
END_TEST

TCase *test_tbs_status(void)
{
	TCase *t = tcase_create("tbs_status");

	tcase_add_checked_fixture(t, open_policy, close_policy);
	tcase_add_loop_test(t, crl_is_signed_only_as_the_policy_has_it, 0,
	        sizeof(crl_rows) / sizeof(*crl_rows));
	tcase_add_test(t, crl_refuses_every_truncation);
	tcase_add_test(t, crl_of_a_million_entries_is_checked_at_once);
	tcase_add_test(t, crl_over_the_limit_is_not_looked_at);
	tcase_add_loop_test(t, ocsp_answer_is_signed_only_as_the_policy_has_it,
	        0, sizeof(ocsp_rows) / sizeof(*ocsp_rows));
	tcase_add_test(t, ocsp_answer_refuses_every_truncation);
	tcase_add_test(t, ocsp_answer_says_whose_it_is);
	tcase_add_test(
	        t, status_is_signed_by_a_clock_that_is_known_to_be_wrong);
	return t;
}
