/* What the key of an SCEP registration authority may be asked for, and what the
 * signer makes of it. */
#include "base/rand.h"
#include "ca/cms_write.h"
#include "der/alg.h"
#include "der/writer.h"
#include "tests/unit/signer_run.h"
#include "tests/unit/test_signer.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

#define ATTRS_MAX 12

/* --- attributes, right but for a change */
struct spec {
	struct {
		enum oid type;
		uint8_t tag;
		struct bytes value;
	} list[ATTRS_MAX];
	size_t n;
};

static void add(struct spec *s, enum oid type, uint8_t tag, struct bytes value)
{
	s->list[s->n].type = type;
	s->list[s->n].tag = tag;
	s->list[s->n++].value = value;
}

static size_t at(const struct spec *s, enum oid type)
{
	size_t i = 0;

	while (s->list[i].type != type)
		i++;
	return i;
}

static void drop(struct spec *s, enum oid type)
{
	s->list[at(s, type)] = s->list[s->n - 1];
	s->n--;
}

static void spec_init(struct spec *s)
{
	static const uint8_t digest[32], nonce[16];

	s->n = 0;
	add(s, OID_CONTENT_TYPE, DER_OID, oid_bytes(OID_PKCS7_DATA));
	add(s, OID_MESSAGE_DIGEST, DER_OCTET_STRING, BYTES_ARRAY(digest));
	add(s, OID_SCEP_MESSAGE_TYPE, DER_PRINTABLE_STRING, BYTES_LIT("3"));
	add(s, OID_SCEP_PKI_STATUS, DER_PRINTABLE_STRING, BYTES_LIT("0"));
	add(s, OID_SCEP_TRANSACTION_ID, DER_PRINTABLE_STRING,
	        BYTES_LIT("a+b="));
	add(s, OID_SCEP_SENDER_NONCE, DER_OCTET_STRING, BYTES_ARRAY(nonce));
	add(s, OID_SCEP_RECIPIENT_NONCE, DER_OCTET_STRING, BYTES_LIT("1"));
}

static void put(struct buf *out, const struct spec *s)
{
	struct cms_attr attrs[ATTRS_MAX];
	struct buf values[ATTRS_MAX];

	for (size_t i = 0; i < s->n; i++) {
		values[i] = BUF_INIT(256);
		der_put(&values[i], s->list[i].tag, s->list[i].value);
		attrs[i] = (struct cms_attr){ s->list[i].type,
			buf_bytes(&values[i]) };
	}
	ck_assert_int_eq(cms_put_attrs(out, attrs, s->n), RC_OK);
	for (size_t i = 0; i < s->n; i++)
		buf_free(&values[i]);
}

/* What is told of the next CA, by its digest, and by another. */
static void next_ca(struct spec *s)
{
	static const uint8_t digest[32] = { 1 };

	s->n = 0;
	add(s, OID_CONTENT_TYPE, DER_OID, oid_bytes(OID_PKCS7_DATA));
	add(s, OID_MESSAGE_DIGEST, DER_OCTET_STRING, BYTES_ARRAY(digest));
}
static void other_next_ca(struct spec *s)
{
	static const uint8_t digest[32] = { 2 };

	next_ca(s);
	s->list[1].value = BYTES_ARRAY(digest);
}
static void next_ca_short(struct spec *s)
{
	next_ca(s);
	s->list[1].value.n = 20;
}
static void next_ca_of_other_content(struct spec *s)
{
	next_ca(s);
	s->list[0].value = oid_bytes(OID_CT_TST_INFO);
}
static void next_ca_signing_time(struct spec *s)
{
	next_ca(s);
	add(s, OID_SIGNING_TIME, DER_UTC_TIME, BYTES_LIT("260101000000Z"));
}
static void next_ca_empty(struct spec *s)
{
	next_ca(s);
	s->list[1].value.n = 0;
}
static void next_ca_bare(struct spec *s)
{
	next_ca(s);
	drop(s, OID_CONTENT_TYPE);
}
static void next_ca_nonce(struct spec *s)
{
	next_ca(s);
	add(s, OID_SCEP_SENDER_NONCE, DER_OCTET_STRING, BYTES_LIT("1"));
}

static void same(struct spec *s)
{
	(void)s;
}
static void failure(struct spec *s)
{
	s->list[at(s, OID_SCEP_PKI_STATUS)].value = BYTES_LIT("2");
	add(s, OID_SCEP_FAIL_INFO, DER_PRINTABLE_STRING, BYTES_LIT("4"));
}
static void failure_text(struct spec *s)
{
	failure(s);
	add(s, OID_SCEP_FAIL_INFO_TEXT, DER_UTF8_STRING, BYTES_LIT("no"));
}
static void pending(struct spec *s)
{
	s->list[at(s, OID_SCEP_PKI_STATUS)].value = BYTES_LIT("3");
}
static void no_content_type(struct spec *s)
{
	drop(s, OID_CONTENT_TYPE);
}
static void no_digest(struct spec *s)
{
	drop(s, OID_MESSAGE_DIGEST);
}
static void no_transaction(struct spec *s)
{
	drop(s, OID_SCEP_TRANSACTION_ID);
}
static void no_recipient(struct spec *s)
{
	drop(s, OID_SCEP_RECIPIENT_NONCE);
}
static void short_digest(struct spec *s)
{
	s->list[at(s, OID_MESSAGE_DIGEST)].value.n = 20;
}
static void other_content(struct spec *s)
{
	s->list[at(s, OID_CONTENT_TYPE)].value = oid_bytes(OID_CT_TST_INFO);
}
static void a_request(struct spec *s)
{
	s->list[at(s, OID_SCEP_MESSAGE_TYPE)].value = BYTES_LIT("19");
}
static void odd_status(struct spec *s)
{
	s->list[at(s, OID_SCEP_PKI_STATUS)].value = BYTES_LIT("1");
}
static void failure_without_info(struct spec *s)
{
	s->list[at(s, OID_SCEP_PKI_STATUS)].value = BYTES_LIT("2");
}
static void success_with_info(struct spec *s)
{
	add(s, OID_SCEP_FAIL_INFO, DER_PRINTABLE_STRING, BYTES_LIT("0"));
}
static void odd_info(struct spec *s)
{
	failure(s);
	s->list[at(s, OID_SCEP_FAIL_INFO)].value = BYTES_LIT("5");
}
static void signing_time(struct spec *s)
{
	add(s, OID_SIGNING_TIME, DER_UTC_TIME, BYTES_LIT("260101000000Z"));
}
static void code(struct spec *s)
{
	add(s, OID_AA_SIGNING_CERTIFICATE_V2, DER_SEQUENCE, BYTES_NONE);
}
static void nonce_empty(struct spec *s)
{
	s->list[at(s, OID_SCEP_SENDER_NONCE)].value.n = 0;
}
static void twice(struct spec *s)
{
	add(s, OID_SCEP_SENDER_NONCE, DER_OCTET_STRING, BYTES_LIT("2"));
}

static const struct {
	const char *name;
	void (*change)(struct spec *s);
	enum rc rc;
} rows[] = {
	{ "success", same, RC_OK },
	{ "pending", pending, RC_OK },
	{ "failure", failure, RC_OK },
	{ "failure with text", failure_text, RC_OK },
	{ "no contentType", no_content_type, RC_DENIED },
	{ "no messageDigest", no_digest, RC_DENIED },
	{ "no transactionID", no_transaction, RC_DENIED },
	{ "no recipientNonce", no_recipient, RC_DENIED },
	{ "SHA-1", short_digest, RC_DENIED },
	{ "a time-stamp", other_content, RC_DENIED },
	{ "a request", a_request, RC_DENIED },
	{ "no status", odd_status, RC_DENIED },
	{ "failure without failInfo", failure_without_info, RC_DENIED },
	{ "success with failInfo", success_with_info, RC_DENIED },
	{ "failInfo 5", odd_info, RC_DENIED },
	{ "signingTime", signing_time, RC_DENIED },
	{ "a code signature's attribute", code, RC_DENIED },
	{ "an empty nonce", nonce_empty, RC_DENIED },
	{ "an attribute twice", twice, RC_MALFORMED },
	{ "the next CA", next_ca, RC_DENIED },
	{ "the next CA, a nonce", next_ca_nonce, RC_DENIED },
};

/* What may be told of the next CA is a digest. */
static const uint8_t NEXT_CA[64] = { 1 };
static const struct {
	const char *name;
	void (*change)(struct spec *s);
	size_t known; /* octets of NEXT_CA in the policy */
	enum rc rc;
} next_rows[] = {
	{ "the next CA", next_ca, 32, RC_OK },
	{ "no next CA", next_ca, 0, RC_DENIED },
	{ "no next CA, and no digest", next_ca_empty, 0, RC_DENIED },
	{ "another next CA", other_next_ca, 32, RC_DENIED },
	{ "SHA-1", next_ca_short, 32, RC_DENIED },
	{ "SHA-256 for SHA-384", next_ca, 48, RC_DENIED },
	{ "a time-stamp", next_ca_of_other_content, 32, RC_DENIED },
	{ "signingTime", next_ca_signing_time, 32, RC_DENIED },
	{ "a nonce", next_ca_nonce, 32, RC_DENIED },
	{ "a CertRep", same, 32, RC_DENIED },
	{ "no contentType", next_ca_bare, 32, RC_DENIED },
};

START_TEST(next_ca_row_is_judged)
{
	struct tbs_policy p = { .next_ca = bytes_of(
		                        NEXT_CA, next_rows[_i].known) };
	struct buf tbs = BUF_INIT(4096);
	struct why why = WHY_NONE;
	struct spec s;
	enum rc rc;

	spec_init(&s);
	next_rows[_i].change(&s);
	put(&tbs, &s);
	rc = tbs_check_next_ca(&p, buf_bytes(&tbs), &why);
	ck_assert_msg(
	        rc == next_rows[_i].rc, "%s: %s", next_rows[_i].name, why.text);
	for (size_t n = 0; n < tbs.n; n++)
		ck_assert_int_ne(
		        tbs_check_next_ca(&p, bytes_of(tbs.p, n), NULL), RC_OK);
	buf_free(&tbs);
}
END_TEST

START_TEST(certrep_row_is_judged)
{
	struct buf tbs = BUF_INIT(4096);
	struct why why = WHY_NONE;
	struct spec s;
	enum rc rc;

	spec_init(&s);
	rows[_i].change(&s);
	put(&tbs, &s);
	rc = tbs_check_certrep(buf_bytes(&tbs), &why);
	ck_assert_msg(rc == rows[_i].rc, "%s: %s", rows[_i].name, why.text);
	buf_free(&tbs);
}
END_TEST

START_TEST(certrep_that_is_cut_short_is_refused)
{
	struct buf tbs = BUF_INIT(4096);
	struct why why = WHY_NONE;
	struct spec s;

	spec_init(&s);
	put(&tbs, &s);
	for (size_t n = 0; n < tbs.n; n++)
		ck_assert_int_ne(
		        tbs_check_certrep(bytes_of(tbs.p, n), &why), RC_OK);
	buf_free(&tbs);
}
END_TEST

START_TEST(content_keys_have_three_lengths)
{
	struct bytes encrypted;
	struct why why = WHY_NONE;
	struct buf tbs = BUF_INIT(4096);
	size_t n;

	for (size_t i = 0; i < 40; i++) {
		enum rc rc;

		buf_reset(&tbs);
		tbs_put_decrypt(&tbs, i, BYTES_LIT("encrypted"));
		rc = tbs_decrypt_parts(&n, &encrypted, buf_bytes(&tbs), &why);
		ck_assert_int_eq(rc == RC_OK, i == 16 || i == 24 || i == 32);
		if (rc == RC_OK)
			ck_assert(bytes_eq_str(encrypted, "encrypted"));
	}
	buf_free(&tbs);
}
END_TEST

/* --- policies, and the signer itself */
#define NEXT SIGNER_PURPOSE_BIT(SIGNER_NEXT_CA)

static struct tbs_policy ra_policy(const struct buf *issuer, uint32_t purposes)
{
	return (struct tbs_policy){ .purposes = purposes,
		.issuer = buf_bytes(issuer),
		.not_before_s = 0,
		.not_after_s = INT64_C(4000000000),
		.sig_alg = alg_bytes(ALG_RSA_SHA256) };
}

START_TEST(ra_policy_has_no_other_purpose)
{
	static const struct {
		uint32_t purposes;
		size_t next_ca; /* octets of */
		enum rc rc;
	} sets[] = {
		{ SIGNER_RA_PURPOSES, 0, RC_OK },
		{ SIGNER_RA_PURPOSES | NEXT, 32, RC_OK },
		{ SIGNER_RA_PURPOSES | NEXT, 20, RC_MALFORMED },
		{ SIGNER_RA_PURPOSES | NEXT, 48, RC_MALFORMED },
		{ SIGNER_RA_PURPOSES | NEXT, 0, RC_MALFORMED },
		{ SIGNER_RA_PURPOSES, 32, RC_MALFORMED },
		{ SIGNER_PURPOSE_BIT(SIGNER_CERT) | NEXT, 32, RC_OK },
		{ SIGNER_PURPOSE_BIT(SIGNER_CERT) | NEXT, 0, RC_MALFORMED },
		{ NEXT, 32, RC_MALFORMED },
		{ SIGNER_PURPOSE_BIT(SIGNER_CODE) | NEXT, 32, RC_MALFORMED },
		{ SIGNER_PURPOSE_BIT(SIGNER_CERT), 0, RC_OK },
		{ SIGNER_PURPOSE_BIT(SIGNER_CERT), 32, RC_MALFORMED },
		{ SIGNER_PURPOSE_BIT(SIGNER_DECRYPT), 0, RC_MALFORMED },
		{ SIGNER_PURPOSE_BIT(SIGNER_CERTREP), 0, RC_MALFORMED },
		{ SIGNER_RA_PURPOSES | SIGNER_PURPOSE_BIT(SIGNER_CERT), 0,
		        RC_MALFORMED },
	};
	struct buf issuer = BUF_INIT(1024);

	spec_issuer(&issuer, "Issuing");
	for (size_t i = 0; i < sizeof(sets) / sizeof(*sets); i++) {
		struct tbs_policy p = ra_policy(&issuer, sets[i].purposes);
		struct tbs_policy *out = NULL;
		struct buf packed = BUF_INIT(4096);

		p.next_ca = bytes_of(NEXT_CA, sets[i].next_ca);
		tbs_policy_pack(&packed, &p);
		ck_assert_int_eq(
		        tbs_policy_unpack(&out, buf_bytes(&packed), NULL),
		        sets[i].rc);
		tbs_policy_free(out);
		buf_free(&packed);
	}
	buf_free(&issuer);
}
END_TEST

static struct signer_run run;

static void send_policy_for(
        const char *key, uint32_t purposes, uint64_t generation)
{
	struct buf issuer = BUF_INIT(1024), body = BUF_INIT(65536);
	struct tbs_policy p;
	const struct proto_policy_item item = { key, &p };
	const struct reply *reply;
	struct proto_done done;

	spec_issuer(&issuer, "Issuing");
	p = ra_policy(&issuer, purposes);
	if (purposes & NEXT)
		p.next_ca = bytes_of(NEXT_CA, 32);
	proto_policy_pack(&body, generation, &item, 1);
	reply = run_ask(&run, &run.supervisor, PROTO_POLICY, buf_bytes(&body));
	ck_assert_int_eq(
	        proto_done_unpack(&done, buf_bytes(&reply->body)), RC_OK);
	ck_assert_msg(done.rc == RC_OK, "%s", done.why.text);
	buf_free(&issuer);
	buf_free(&body);
}

static void send_policy(void)
{
	send_policy_for("rsa", SIGNER_RA_PURPOSES | NEXT, 2);
}

static void open_run(void)
{
	static const char *const keys[] = { "--key=issuing:issuing.key",
		"--key=rsa:rsa.key", NULL };

	run_open(&run);
	run_make_key(&run, "issuing", "p256");
	run_make_key(&run, "rsa", "rsa2048");
	run_start(&run, keys);
	run_policy(&run, 1);
	send_policy();
	run_open_client(&run);
}

static void close_run(void)
{
	run_close(&run);
}

START_TEST(signer_signs_a_certrep)
{
	struct buf tbs = BUF_INIT(4096);
	struct proto_signature m;
	struct spec s;

	spec_init(&s);
	put(&tbs, &s);
	run_sign(&run, "rsa", SIGNER_CERTREP, buf_bytes(&tbs), &m);
	ck_assert_msg(m.rc == RC_OK, "%s", m.why.text);
	ck_assert(run_verifies(
	        run_spki(&run, "rsa"), buf_bytes(&tbs), m.signature));
	run_sign(&run, "issuing", SIGNER_CERTREP, buf_bytes(&tbs), &m);
	ck_assert_int_eq(m.rc, RC_DENIED);
	run_sign(&run, "rsa", SIGNER_CERT, buf_bytes(&tbs), &m);
	ck_assert_int_eq(m.rc, RC_DENIED);
	run_sign(&run, "rsa", SIGNER_NEXT_CA, buf_bytes(&tbs), &m);
	ck_assert_int_eq(m.rc, RC_DENIED);
	buf_free(&tbs);
}
END_TEST

START_TEST(signer_tells_of_the_next_ca_where_it_is_configured)
{
	struct buf tbs = BUF_INIT(4096);
	struct proto_signature m;
	struct spec s;

	next_ca(&s);
	put(&tbs, &s);
	run_sign(&run, "rsa", SIGNER_NEXT_CA, buf_bytes(&tbs), &m);
	ck_assert_msg(m.rc == RC_OK, "%s", m.why.text);
	ck_assert(run_verifies(
	        run_spki(&run, "rsa"), buf_bytes(&tbs), m.signature));
	run_sign(&run, "rsa", SIGNER_CERTREP, buf_bytes(&tbs), &m);
	ck_assert_int_eq(m.rc, RC_DENIED);
	run_sign(&run, "issuing", SIGNER_NEXT_CA, buf_bytes(&tbs), &m);
	ck_assert_int_eq(m.rc, RC_DENIED);
	buf_free(&tbs);
}
END_TEST

/* em: what stands in the block before it is raised to the public exponent. */
static void ask(const uint8_t *em, size_t n_em, size_t key_bytes,
        struct proto_signature *m)
{
	struct bytes spki = run_spki(&run, "rsa");
	const unsigned char *p = spki.p;
	EVP_PKEY *key = d2i_PUBKEY(NULL, &p, (long)spki.n);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	struct buf tbs = BUF_INIT(4096);
	uint8_t block[1024];
	size_t n = sizeof(block);

	ck_assert_int_eq(EVP_PKEY_encrypt_init(ctx), 1);
	ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING), 1);
	ck_assert_int_eq(EVP_PKEY_encrypt(ctx, block, &n, em, n_em), 1);
	tbs_put_decrypt(&tbs, key_bytes, bytes_of(block, n));
	run_sign(&run, "rsa", SIGNER_DECRYPT, buf_bytes(&tbs), m);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(key);
	buf_free(&tbs);
}

/* 00 02, padding, 00, the key at the end: RFC 8017 section 7.2.1 */
static void block_init(uint8_t em[256], size_t key_bytes)
{
	memset(em, 0x5a, 256);
	em[0] = 0;
	em[1] = 2;
	em[256 - key_bytes - 1] = 0;
	memset(em + 256 - key_bytes, 0xc3, key_bytes);
}

START_TEST(signer_unwraps_content_keys)
{
	static const size_t lengths[] = { 16, 24, 32 };
	struct proto_signature m;
	uint8_t em[256];

	for (size_t i = 0; i < 3; i++) {
		block_init(em, lengths[i]);
		ask(em, sizeof(em), lengths[i], &m);
		ck_assert_msg(m.rc == RC_OK, "%s", m.why.text);
		ck_assert(bytes_eq(m.signature,
		        bytes_of(em + 256 - lengths[i], lengths[i])));
	}
	ask(em, sizeof(em), 17, &m);
	ck_assert_int_eq(m.rc, RC_DENIED);
}
END_TEST

static void first_octet(uint8_t *em)
{
	em[0] = 1; /* still below the modulus, which begins with 80 or more */
}
static void block_type(uint8_t *em)
{
	em[1] = 1;
}
static void no_end(uint8_t *em)
{
	em[256 - 17] = 1;
}
static void early_end(uint8_t *em)
{
	em[5] = 0;
}
static void end_in_padding(uint8_t *em)
{
	em[100] = 0;
}
static void short_message(uint8_t *em)
{
	em[256 - 16] = 0;
}
static void long_message(uint8_t *em)
{
	em[256 - 17] = 7;
	em[256 - 25] = 0;
}
static void empty_padding(uint8_t *em)
{
	em[2] = 0;
}

/* What is padded wrongly has a key, too, of that length, the same each time:
 * nobody is told. short_message has right padding and a zero at the head
 * of its key. */
START_TEST(signer_does_not_tell_wrong_padding)
{
	static const struct {
		void (*spoil)(uint8_t *em);
		bool right;
	} ways[] = { { first_octet, false }, { block_type, false },
		{ no_end, false }, { early_end, false },
		{ end_in_padding, false }, { short_message, true },
		{ long_message, false }, { empty_padding, false } };
	struct proto_signature m;
	uint8_t em[256], got[16];

	block_init(em, 16);
	ways[_i].spoil(em);
	ask(em, sizeof(em), 16, &m);
	ck_assert_msg(m.rc == RC_OK, "%s", m.why.text);
	ck_assert_uint_eq(m.signature.n, 16);
	ck_assert_int_eq(
	        bytes_eq(m.signature, bytes_of(em + 240, 16)), ways[_i].right);
	memcpy(got, m.signature.p, 16);
	ask(em, sizeof(em), 16, &m);
	ck_assert(bytes_eq(m.signature, BYTES_ARRAY(got)));
}
END_TEST

START_TEST(signer_denies_what_its_key_cannot_have_opened)
{
	struct buf tbs = BUF_INIT(4096);
	struct proto_signature m;
	uint8_t block[256];

	rand_fill(block, sizeof(block));
	tbs_put_decrypt(&tbs, 16, bytes_of(block, 255));
	run_sign(&run, "rsa", SIGNER_DECRYPT, buf_bytes(&tbs), &m);
	ck_assert_int_eq(m.rc, RC_DENIED);
	run_sign(&run, "issuing", SIGNER_DECRYPT, buf_bytes(&tbs), &m);
	ck_assert_int_eq(m.rc, RC_DENIED);
	buf_free(&tbs);
}
END_TEST

/* One file under two names of the configuration. */
START_TEST(signer_decrypts_with_no_key_that_signs_by_another_name)
{
	static const char *const keys[] = { "--key=issuing:issuing.key",
		"--key=rsa:rsa.key", "--key=twin:rsa.key", NULL };
	struct proto_signature m;
	uint8_t em[256];

	run_open(&run);
	run_make_key(&run, "issuing", "p256");
	run_make_key(&run, "rsa", "rsa2048");
	run_start(&run, keys);
	run_policy(&run, 1);
	send_policy();
	run_open_client(&run);
	block_init(em, 16);
	ask(em, sizeof(em), 16, &m);
	ck_assert_msg(m.rc == RC_OK, "%s", m.why.text);
	send_policy_for("twin", SIGNER_PURPOSE_BIT(SIGNER_CERT), 3);
	ask(em, sizeof(em), 16, &m);
	ck_assert_int_eq(m.rc, RC_CONFIG);
	ck_assert_msg(strstr(m.why.text, "twin") != NULL, "%s", m.why.text);
	run_close(&run);
}
END_TEST

/* A worker taken over has the registration authority's key sign what is an
 * issuer's, a responder's or a code key's; and a certificate is nothing that it
 * signs by any other name. */
START_TEST(signer_denies_a_registration_authority_every_other_purpose)
{
	uint32_t its_own = SIGNER_RA_PURPOSES | NEXT;
	struct proto_signature m;
	struct buf tbs;

	run_tbs(&tbs, NULL);
	for (uint32_t purpose = 0; purpose < 32; purpose++) {
		run_sign(&run, "rsa", purpose, buf_bytes(&tbs), &m);
		ck_assert_msg(m.rc == RC_DENIED ||
		                (m.rc != RC_OK &&
		                        (its_own &
		                                SIGNER_PURPOSE_BIT(purpose))),
		        "purpose %u: %s", (unsigned)purpose,
		        rc_info(m.rc)->name);
		ck_assert_uint_eq(m.signature.n, 0);
	}
	buf_free(&tbs);
}
END_TEST

TCase *test_tbs_certrep(void)
{
	TCase *c = tcase_create("tbs_certrep");

	tcase_add_loop_test(c, next_ca_row_is_judged, 0,
	        sizeof(next_rows) / sizeof(*next_rows));
	tcase_add_loop_test(
	        c, certrep_row_is_judged, 0, sizeof(rows) / sizeof(*rows));
	tcase_add_test(c, certrep_that_is_cut_short_is_refused);
	tcase_add_test(c, content_keys_have_three_lengths);
	tcase_add_test(c, ra_policy_has_no_other_purpose);
	return c;
}

static TCase *signer_ra(const char *name, bool in_token)
{
	TCase *c = tcase_create(name);

	if (in_token)
		tcase_add_checked_fixture(c, run_token_open, run_token_close);
	tcase_add_checked_fixture(c, open_run, close_run);
	tcase_add_test(c, signer_signs_a_certrep);
	tcase_add_test(c, signer_tells_of_the_next_ca_where_it_is_configured);
	tcase_add_test(c, signer_unwraps_content_keys);
	tcase_add_loop_test(
	        c, signer_does_not_tell_wrong_padding, 0, in_token ? 1 : 8);
	tcase_add_test(c, signer_denies_what_its_key_cannot_have_opened);
	tcase_add_test(
	        c, signer_denies_a_registration_authority_every_other_purpose);
	return c;
}

TCase *test_signer_ra(void)
{
	return signer_ra("signer_ra", false);
}

TCase *test_signer_ra_twin(void)
{
	TCase *c = tcase_create("signer_ra_twin");

	tcase_add_test(
	        c, signer_decrypts_with_no_key_that_signs_by_another_name);
	return c;
}

TCase *test_signer_ra_token(void)
{
	return signer_ra("signer_ra_token", true);
}
