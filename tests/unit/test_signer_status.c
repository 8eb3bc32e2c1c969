/* CRLs and OCSP answers, and the keys that are kept for the latter, of the real
 * program. */
#include "base/clock.h"
#include "der/alg.h"
#include "tests/unit/signer_run.h"
#include "tests/unit/status_make.h"
#include "tests/unit/test_signer.h"
#include <openssl/evp.h>
#include <string.h>

#define KEPT "ocsp/factory"
#define HASH_BYTES 20
#define SPKI_MAX_BYTES 256

static struct signer_run run;
static uint8_t issuing_hash[HASH_BYTES];

static void hash_of(struct bytes spki, uint8_t out[HASH_BYTES])
{
	struct spki key;

	ck_assert_int_eq(spki_parse(&key, spki, NULL), RC_OK);
	ck_assert_int_eq(
	        EVP_Digest(key.key.p, key.key.n, out, NULL, EVP_sha1(), NULL),
	        1);
}

static void open_one(void)
{
	static const char *const one_key[] = { "--key=issuing:issuing.key",
		NULL };

	run_open(&run);
	run_make_key(&run, "issuing", "p256");
	run_start(&run, one_key);
	run_policy(&run, 1);
	run_open_client(&run);
	hash_of(run_spki(&run, "issuing"), issuing_hash);
}

static void close_one(void)
{
	run_close(&run);
}

static void crl_to_sign(struct buf *out, void (*change)(struct crl_spec *s))
{
	struct crl_spec s;

	crl_spec_init(&s, clock_now_s());
	if (change)
		change(&s);
	*out = BUF_INIT(CRL_SPEC_MAX_BYTES);
	crl_spec_build(&s, out);
	ck_assert_int_eq(out->failed, RC_OK);
}

static void answer_to_sign(struct buf *out, const uint8_t hash[HASH_BYTES],
        void (*change)(struct ocsp_spec *s))
{
	struct ocsp_spec s;

	ocsp_spec_init(&s, clock_now_s(), bytes_of(hash, HASH_BYTES));
	if (change)
		change(&s);
	*out = BUF_INIT(TBS_CHECK_MAX_BYTES);
	ocsp_spec_build(&s, out);
	ck_assert_int_eq(out->failed, RC_OK);
}

START_TEST(signer_signs_crls_and_answers_of_the_ca_key)
{
	struct bytes spki = run_spki(&run, "issuing");
	struct proto_signature m;
	struct buf tbs;

	crl_to_sign(&tbs, NULL);
	run_sign(&run, "issuing", SIGNER_CRL, buf_bytes(&tbs), &m);
	ck_assert_msg(m.rc == RC_OK, "%s", m.why.text);
	ck_assert(run_verifies(spki, buf_bytes(&tbs), m.signature));
	buf_free(&tbs);
	answer_to_sign(&tbs, issuing_hash, NULL);
	run_sign(&run, "issuing", SIGNER_OCSP, buf_bytes(&tbs), &m);
	ck_assert_msg(m.rc == RC_OK, "%s", m.why.text);
	ck_assert(run_verifies(spki, buf_bytes(&tbs), m.signature));
	/* One is not the other. */
	run_sign(&run, "issuing", SIGNER_CRL, buf_bytes(&tbs), &m);
	ck_assert_int_eq(m.rc, RC_MALFORMED);
	run_sign(&run, "issuing", SIGNER_CERT, buf_bytes(&tbs), &m);
	ck_assert_int_eq(m.rc, RC_MALFORMED);
	buf_free(&tbs);
}
END_TEST

static void as_large(struct crl_spec *s)
{
	s->n_entries = 400000;
}

/* Two at once, so that one is read while the other one comes. */
START_TEST(signer_reads_a_large_crl_where_it_stands)
{
	struct buf tbs, body = BUF_INIT(CRL_SPEC_MAX_BYTES);
	struct ipc_msg msg = { .type = PROTO_SIGN };
	struct proto_signature m;

	crl_to_sign(&tbs, as_large);
	ck_assert_uint_gt(tbs.n, 16u << 20);
	proto_sign_pack(&body, "issuing", SIGNER_CRL, buf_bytes(&tbs));
	msg.body = buf_bytes(&body);
	msg.id = 1000000;
	ck_assert_int_eq(ipc_send(run.client.ipc, &msg), RC_OK);
	run_sign(&run, "issuing", SIGNER_CRL, buf_bytes(&tbs), &m);
	ck_assert_msg(m.rc == RC_OK, "%s", m.why.text);
	ck_assert(run_verifies(
	        run_spki(&run, "issuing"), buf_bytes(&tbs), m.signature));
	while (!run_find(&run.client, msg.id))
		run_turn(&run);
	ck_assert_int_eq(
	        proto_signature_unpack(
	                &m, buf_bytes(&run_find(&run.client, msg.id)->body)),
	        RC_OK);
	ck_assert_int_eq(m.rc, RC_OK);
	buf_free(&body);
	buf_free(&tbs);
}
END_TEST

/* --- the worker taken over */

static void c_issuer(struct crl_spec *s)
{
	s->issuer = "Another";
}
static void c_critical(struct crl_spec *s)
{
	s->ext[s->n_ext++] =
	        (struct spec_ext){ BYTES_LIT("\x2a\x03\x04"), true, SPEC_NULL };
}
static void c_delta(struct crl_spec *s)
{
	crl_spec_ext(
	        s, OID_DELTA_CRL_INDICATOR, true, BYTES_LIT("\x02\x01\x01"));
}
static void c_long(struct crl_spec *s)
{
	s->next_s++;
}
static void c_ahead(struct crl_spec *s)
{
	s->this_s += SPEC_DAY_S;
	s->next_s += SPEC_DAY_S;
}

START_TEST(signer_refuses_forged_crls)
{
	static const struct {
		const char *name;
		void (*change)(struct crl_spec *s);
		const char *clause;
	} rows[] = {
		{ "another issuer", c_issuer, "issuer is not the key's" },
		{ "an unknown critical extension", c_critical,
		        "is not for our CRLs" },
		{ "a delta CRL", c_delta,
		        "id-ce-deltaCRLIndicator is not for our CRLs" },
		{ "nextUpdate past the cap", c_long, "nextUpdate is past" },
		{ "tomorrow's", c_ahead, "thisUpdate lies in the future" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct proto_signature m;
		struct buf tbs;

		crl_to_sign(&tbs, rows[i].change);
		run_sign(&run, "issuing", SIGNER_CRL, buf_bytes(&tbs), &m);
		ck_assert_msg(m.rc == RC_DENIED, "%s: %s", rows[i].name,
		        rc_info(m.rc)->name);
		ck_assert_msg(strstr(m.why.text, rows[i].clause) != NULL,
		        "%s: %s", rows[i].name, m.why.text);
		ck_assert_uint_eq(m.signature.n, 0);
		ck_assert_msg(run_logged(&run, rows[i].clause), "%s: no log",
		        rows[i].name);
		buf_free(&tbs);
	}
}
END_TEST

static void o_foreign(struct ocsp_spec *s)
{
	s->key = SPEC_NAME_SHA1;
}
static void o_stranger(struct ocsp_spec *s)
{
	s->key_hash = BYTES_LIT("a stranger's key hash");
	s->key_hash.n = HASH_BYTES;
}
static void o_far(struct ocsp_spec *s)
{
	s->next_s += 365 * SPEC_DAY_S;
}
static void o_ahead(struct ocsp_spec *s)
{
	s->produced_s += SPEC_DAY_S;
}
static void o_extension(struct ocsp_spec *s)
{
	ocsp_spec_ext(s, OID_OCSP_ARCHIVE_CUTOFF, false, SPEC_DATE);
}

static const struct forged {
	const char *name;
	void (*change)(struct ocsp_spec *s);
	const char *clause;
} forged[] = {
	{ "a foreign issuer", o_foreign, "issuerKeyHash is not our issuer's" },
	{ "a stranger's responder id", o_stranger,
	        "responderID is not the key's" },
	{ "nextUpdate in a year", o_far, "nextUpdate is past" },
	{ "tomorrow's", o_ahead, "producedAt lies in the future" },
	{ "an extension that is not ours", o_extension,
	        "is not for our answers" },
};

static void refuse_forged(const char *key, const uint8_t hash[HASH_BYTES])
{
	for (size_t i = 0; i < sizeof(forged) / sizeof(*forged); i++) {
		struct proto_signature m;
		struct buf tbs;

		answer_to_sign(&tbs, hash, forged[i].change);
		run_sign(&run, key, SIGNER_OCSP, buf_bytes(&tbs), &m);
		ck_assert_msg(m.rc == RC_DENIED, "%s: %s", forged[i].name,
		        rc_info(m.rc)->name);
		ck_assert_msg(strstr(m.why.text, forged[i].clause) != NULL,
		        "%s: %s", forged[i].name, m.why.text);
		ck_assert_msg(run_logged(&run, forged[i].clause), "%s: no log",
		        forged[i].name);
		buf_free(&tbs);
	}
}

START_TEST(signer_refuses_forged_answers)
{
	refuse_forged("issuing", issuing_hash);
}
END_TEST

/* --- keys that are kept */

static struct kept_key {
	uint8_t spki[SPKI_MAX_BYTES];
	size_t n;
	uint8_t hash[HASH_BYTES];
} kept;

static const struct reply *ask_key(
        uint16_t type, const char *name, enum key_type key_type)
{
	struct buf body = BUF_INIT(256);
	const struct reply *reply;

	proto_make_key_pack(&body, name, key_type);
	reply = run_ask(&run, &run.supervisor, type, buf_bytes(&body));
	buf_free(&body);
	return reply;
}

static enum rc done_rc(const struct reply *reply)
{
	struct proto_done done;

	ck_assert_int_eq(reply->type, PROTO_DONE);
	ck_assert_int_eq(
	        proto_done_unpack(&done, buf_bytes(&reply->body)), RC_OK);
	return done.rc;
}

static void keep(uint16_t type, struct kept_key *out)
{
	const struct reply *reply = ask_key(type, KEPT, KEY_P256);
	struct proto_key key;

	ck_assert_int_eq(reply->type, PROTO_KEY);
	ck_assert_int_eq(
	        proto_key_unpack(&key, buf_bytes(&reply->body)), RC_OK);
	/* The private half does not leave. */
	ck_assert_uint_eq(key.private_der.n, 0);
	ck_assert_uint_le(key.spki.n, sizeof(out->spki));
	memcpy(out->spki, key.spki.p, key.spki.n);
	out->n = key.spki.n;
	hash_of(key.spki, out->hash);
}

static enum rc kept_policy(uint64_t generation, uint32_t purposes)
{
	struct tbs_policy *p = spec_policy(
	        "Issuing", alg_bytes(ALG_ECDSA_SHA256), clock_now_s());
	struct proto_policy_item item = { KEPT, p };
	struct buf body = BUF_INIT(PROTO_POLICY_MAX_BYTES);
	enum rc rc;

	ck_assert_ptr_nonnull(p);
	p->purposes = purposes;
	if (!(purposes & SIGNER_PURPOSE_BIT(SIGNER_CRL)))
		p->crl = (struct tbs_crl_rule){ 0 };
	proto_policy_pack(&body, generation, &item, 1);
	rc = done_rc(
	        run_ask(&run, &run.supervisor, PROTO_POLICY, buf_bytes(&body)));
	tbs_policy_free(p);
	buf_free(&body);
	return rc;
}

static void open_kept(void)
{
	open_one();
	keep(PROTO_KEEP_KEY, &kept);
	ck_assert_int_eq(
	        kept_policy(2, SIGNER_PURPOSE_BIT(SIGNER_OCSP)), RC_OK);
}

static enum rc sign_answer(const struct kept_key *k)
{
	struct proto_signature m;
	struct buf tbs;

	answer_to_sign(&tbs, k->hash, NULL);
	run_sign(&run, KEPT, SIGNER_OCSP, buf_bytes(&tbs), &m);
	if (m.rc == RC_OK)
		ck_assert(run_verifies(
		        bytes_of(k->spki, k->n), buf_bytes(&tbs), m.signature));
	buf_free(&tbs);
	return m.rc;
}

static void for_kept_key(struct tbs_spec *s)
{
	s->subject[0] = (struct spec_attr){ OID_CN, "Responder", false };
	s->n_subject = 1;
	s->n_san = 0;
	s->spki = bytes_of(kept.spki, kept.n);
	s->not_after_s = s->not_before_s + 7 * SPEC_DAY_S;
	tbs_spec_ext(s, OID_EXT_KEY_USAGE, false, SPEC_EKU_OCSP);
	tbs_spec_ext(s, OID_OCSP_NOCHECK, false, SPEC_NULL);
}

static enum rc certify_kept(void)
{
	struct proto_signature m;
	struct buf tbs;

	run_tbs(&tbs, for_kept_key);
	run_sign(&run, "issuing", SIGNER_CERT, buf_bytes(&tbs), &m);
	buf_free(&tbs);
	return m.rc;
}

START_TEST(kept_key_signs_answers_and_may_be_certified)
{
	struct kept_key again;

	ck_assert_int_eq(sign_answer(&kept), RC_OK);
	ck_assert_int_eq(certify_kept(), RC_OK);
	keep(PROTO_KEEP_KEY, &again);
	ck_assert(bytes_eq(BYTES_ARRAY(kept.hash), BYTES_ARRAY(again.hash)));
	ck_assert(run_logged(&run, "signer.ready"));
}
END_TEST

/* The shape "responder" is for that key alone from now on. */
static void bind_responder(void)
{
	struct tbs_policy *p = spec_policy(
	        "Issuing", alg_bytes(ALG_ECDSA_SHA256), clock_now_s());
	struct proto_policy_item item = { "issuing", p };
	struct buf body = BUF_INIT(PROTO_POLICY_MAX_BYTES);
	struct tbs_shape shapes[8];
	const struct tbs_shape *own;

	ck_assert_ptr_nonnull(p);
	ck_assert_uint_le(p->n_shapes, 8);
	own = p->shapes;
	memcpy(shapes, own, p->n_shapes * sizeof(*shapes));
	for (size_t i = 0; i < p->n_shapes; i++)
		if (bytes_eq(shapes[i].name, BYTES_LIT("responder")))
			shapes[i].key_name = BYTES_LIT(KEPT);
	p->shapes = shapes;
	proto_policy_pack(&body, 1, &item, 1);
	p->shapes = own;
	ck_assert_int_eq(done_rc(run_ask(&run, &run.supervisor, PROTO_POLICY,
	                         buf_bytes(&body))),
	        RC_OK);
	tbs_policy_free(p);
	buf_free(&body);
}

/* A listener's key is the signer's, too, but it is in every worker. */
START_TEST(responder_is_certified_for_its_kept_key_alone)
{
	const struct reply *reply =
	        ask_key(PROTO_MAKE_KEY, "est-listener", KEY_P256);
	struct kept_key own = kept;
	struct proto_key made;

	ck_assert_int_eq(
	        proto_key_unpack(&made, buf_bytes(&reply->body)), RC_OK);
	memcpy(kept.spki, made.spki.p, made.spki.n);
	ck_assert_int_eq(certify_kept(), RC_OK);
	bind_responder();
	ck_assert_int_eq(certify_kept(), RC_DENIED);
	kept = own;
	ck_assert_int_eq(certify_kept(), RC_OK);
}
END_TEST

START_TEST(kept_key_signs_nothing_else)
{
	static const char clause[] =
	        "the key signs OCSP answers and nothing else";
	struct proto_signature m;
	struct buf tbs;

	run_tbs(&tbs, NULL);
	run_sign(&run, KEPT, SIGNER_CERT, buf_bytes(&tbs), &m);
	ck_assert_int_eq(m.rc, RC_DENIED);
	ck_assert_str_eq(m.why.text, clause);
	ck_assert(run_logged(&run, clause));
	ck_assert(run_logged(&run, KEPT));
	buf_free(&tbs);
	crl_to_sign(&tbs, NULL);
	run_sign(&run, KEPT, SIGNER_CRL, buf_bytes(&tbs), &m);
	ck_assert_int_eq(m.rc, RC_DENIED);
	ck_assert_str_eq(m.why.text, clause);
	buf_free(&tbs);
	/* nor in another one's name */
	memcpy(kept.hash, issuing_hash, sizeof(kept.hash));
	ck_assert_int_eq(sign_answer(&kept), RC_DENIED);
}
END_TEST

START_TEST(kept_key_refuses_forged_answers)
{
	refuse_forged(KEPT, kept.hash);
}
END_TEST

START_TEST(kept_key_that_is_renewed_signs_beside_the_new_one)
{
	struct kept_key second, third;

	keep(PROTO_RENEW_KEY, &second);
	ck_assert(!bytes_eq(BYTES_ARRAY(kept.hash), BYTES_ARRAY(second.hash)));
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_int_eq(sign_answer(&kept), RC_OK);
		ck_assert_int_eq(sign_answer(&second), RC_OK);
	}
	ck_assert_int_eq(certify_kept(), RC_OK);
	keep(PROTO_RENEW_KEY, &third);
	ck_assert_int_eq(sign_answer(&kept), RC_DENIED);
	ck_assert_int_eq(certify_kept(), RC_DENIED);
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_int_eq(sign_answer(&second), RC_OK);
		ck_assert_int_eq(sign_answer(&third), RC_OK);
	}
}
END_TEST

static void drop_policy(uint64_t generation)
{
	struct buf body = BUF_INIT(64);

	proto_policy_drop_pack(&body, generation);
	ck_assert_int_eq(done_rc(run_ask(&run, &run.supervisor,
	                         PROTO_POLICY_DROP, buf_bytes(&body))),
	        RC_OK);
	buf_free(&body);
}

START_TEST(kept_key_ends_with_its_last_policy)
{
	struct kept_key fresh;

	ck_assert_int_eq(
	        kept_policy(3, SIGNER_PURPOSE_BIT(SIGNER_OCSP)), RC_OK);
	drop_policy(2);
	ck_assert_int_eq(sign_answer(&kept), RC_OK);
	drop_policy(3);
	ck_assert_int_eq(sign_answer(&kept), RC_NOTFOUND);
	ck_assert_int_eq(certify_kept(), RC_DENIED);
	/* A policy that names it makes another one. */
	ck_assert_int_eq(
	        kept_policy(4, SIGNER_PURPOSE_BIT(SIGNER_OCSP)), RC_OK);
	keep(PROTO_KEEP_KEY, &fresh);
	ck_assert(!bytes_eq(BYTES_ARRAY(kept.hash), BYTES_ARRAY(fresh.hash)));
	ck_assert_int_eq(sign_answer(&fresh), RC_OK);
}
END_TEST

START_TEST(kept_key_takes_no_policy_for_more_than_answers)
{
	ck_assert_int_eq(kept_policy(3, SIGNER_PURPOSES_ISSUER), RC_CONFLICT);
	ck_assert_int_eq(kept_policy(3,
	                         SIGNER_PURPOSE_BIT(SIGNER_OCSP) |
	                                 SIGNER_PURPOSE_BIT(SIGNER_CERT)),
	        RC_CONFLICT);
}
END_TEST

START_TEST(kept_keys_have_names_and_types_of_their_own)
{
	ck_assert_int_eq(done_rc(ask_key(PROTO_KEEP_KEY, "issuing", KEY_P256)),
	        RC_UNSUPPORTED);
	ck_assert_int_eq(done_rc(ask_key(PROTO_KEEP_KEY, KEPT "/2", KEY_P256)),
	        RC_MALFORMED);
	ck_assert_int_eq(done_rc(ask_key(PROTO_KEEP_KEY, "ocsp/", KEY_P256)),
	        RC_MALFORMED);
	ck_assert_int_eq(done_rc(ask_key(PROTO_KEEP_KEY, KEPT, KEY_RSA)),
	        RC_UNSUPPORTED);
}
END_TEST

static void tell_floor(int64_t floor_s)
{
	struct buf body = BUF_INIT(64);
	const struct reply *reply;
	struct proto_done done;

	proto_floor_pack(&body, floor_s);
	reply = run_ask(&run, &run.supervisor, PROTO_FLOOR, buf_bytes(&body));
	ck_assert_int_eq(reply->type, PROTO_DONE);
	ck_assert_int_eq(
	        proto_done_unpack(&done, buf_bytes(&reply->body)), RC_OK);
	ck_assert_int_eq(done.rc, RC_OK);
	buf_free(&body);
}

static enum rc sign_ahead(enum signer_purpose purpose)
{
	struct proto_signature m;
	struct tbs_spec cert;
	struct buf tbs;

	if (purpose == SIGNER_CRL) {
		crl_to_sign(&tbs, c_ahead);
	} else if (purpose == SIGNER_OCSP) {
		answer_to_sign(&tbs, issuing_hash, o_ahead);
	} else {
		tbs = BUF_INIT(TBS_CHECK_MAX_BYTES);
		tbs_spec_init(&cert, clock_now_s() + SPEC_DAY_S);
		cert.not_before_s = clock_now_s() + SPEC_DAY_S;
		tbs_spec_build(&cert, &tbs);
	}
	run_sign(&run, "issuing", purpose, buf_bytes(&tbs), &m);
	buf_free(&tbs);
	return m.rc;
}

/* DESIGN rule 11: by the floor, status goes on, and certificates do not. */
START_TEST(floor_dates_crls_and_answers_and_no_certificates)
{
	ck_assert_int_eq(sign_ahead(SIGNER_CRL), RC_DENIED);
	ck_assert_int_eq(sign_ahead(SIGNER_OCSP), RC_DENIED);
	tell_floor(clock_now_s() + SPEC_DAY_S);
	ck_assert_int_eq(sign_ahead(SIGNER_CRL), RC_OK);
	ck_assert_int_eq(sign_ahead(SIGNER_OCSP), RC_OK);
	ck_assert_int_eq(sign_ahead(SIGNER_CERT), RC_DENIED);
	/* Lowered, it permits no more. */
	tell_floor(clock_now_s() - 300);
	ck_assert_int_eq(sign_ahead(SIGNER_CRL), RC_DENIED);
	ck_assert_int_eq(sign_ahead(SIGNER_OCSP), RC_DENIED);
}
END_TEST

TCase *test_signer_status(void)
{
	TCase *t = tcase_create("signer_status");

	tcase_add_checked_fixture(t, open_one, close_one);
	tcase_add_test(t, signer_signs_crls_and_answers_of_the_ca_key);
	tcase_add_test(t, signer_reads_a_large_crl_where_it_stands);
	tcase_add_test(t, signer_refuses_forged_crls);
	tcase_add_test(t, signer_refuses_forged_answers);
	tcase_add_test(t, floor_dates_crls_and_answers_and_no_certificates);
	return t;
}

TCase *test_signer_status_token(void)
{
	TCase *t = tcase_create("signer_status_token");

	tcase_add_checked_fixture(t, run_token_open, run_token_close);
	tcase_add_checked_fixture(t, open_one, close_one);
	tcase_add_test(t, signer_signs_crls_and_answers_of_the_ca_key);
	tcase_add_test(t, signer_refuses_forged_crls);
	tcase_add_test(t, signer_refuses_forged_answers);
	return t;
}

TCase *test_signer_kept(void)
{
	TCase *t = tcase_create("signer_kept");

	tcase_add_checked_fixture(t, open_kept, close_one);
	tcase_add_test(t, kept_key_signs_answers_and_may_be_certified);
	tcase_add_test(t, responder_is_certified_for_its_kept_key_alone);
	tcase_add_test(t, kept_key_signs_nothing_else);
	tcase_add_test(t, kept_key_refuses_forged_answers);
	tcase_add_test(t, kept_key_that_is_renewed_signs_beside_the_new_one);
	tcase_add_test(t, kept_key_ends_with_its_last_policy);
	tcase_add_test(t, kept_key_takes_no_policy_for_more_than_answers);
	tcase_add_test(t, kept_keys_have_names_and_types_of_their_own);
	return t;
}
