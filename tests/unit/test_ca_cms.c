/* CMS messages of strangers: what is read out of them, and what is refused. */
#include "ca/cms_read.h"
#include "der/writer.h"
#include "tests/unit/cms_make.h"
#include "tests/unit/test_ca_csr.h"

#include <string.h>

#define CONTENT "what is in it"
#define OID_MESSAGE_TYPE "2.16.840.1.113733.1.9.2"

static struct party rsa, ec;

static void parties_make(void)
{
	party_make(&rsa, "device", 2048);
	party_make(&ec, "curve", 0);
}

static void parties_free(void)
{
	party_free(&rsa);
	party_free(&ec);
}

/* --- SignedData */
static const struct make_attr attrs[] = {
	{ OID_MESSAGE_TYPE, V_ASN1_PRINTABLESTRING, { NULL, 0 }, false },
};

struct signed_row {
	const char *name;
	struct make_signed make;
	enum rc rc;
	const char *clause;
	enum oid digest;
	bool rsa;
};

static const struct signed_row signed_rows[] = {
	{ "plain", { .by = &rsa }, RC_OK, NULL, OID_SHA256, true },
	{ "by key id", { .by = &rsa, .by_key_id = true }, RC_OK, NULL,
	        OID_SHA256, true },
	{ "no certificate", { .by = &rsa, .no_cert = true }, RC_OK, NULL,
	        OID_SHA256, true },
	{ "detached", { .by = &rsa, .detached = true }, RC_OK, NULL, OID_SHA256,
	        true },
	{ "another key", { .by = &ec }, RC_OK, NULL, OID_SHA256, false },
	{ "PSS", { .by = &rsa, .pss = true }, RC_OK, NULL, OID_SHA256, false },
	{ "two signers", { .by = &rsa, .signers = 2 }, RC_MALFORMED,
	        "signerInfos: trailing bytes", OID_NONE, false },
	{ "no attributes", { .by = &rsa, .no_attrs = true }, RC_MALFORMED,
	        "signedAttrs", OID_NONE, false },
};

static struct buf signed_of(struct make_signed m)
{
	m.content = BYTES_LIT(CONTENT);
	m.attrs = attrs;
	m.n_attrs = m.no_attrs ? 0 : 1;
	return make_signed(&m);
}

START_TEST(signed_data_is_read)
{
	const struct signed_row *row = &signed_rows[_i];
	struct buf der = signed_of(row->make);
	struct why why = WHY_NONE;
	struct cms_signed s;
	struct bytes value;
	enum rc rc = cms_read_signed(&s, buf_bytes(&der), &why);

	check_result(row->name, rc, row->rc, &why, row->clause);
	if (rc == RC_OK) {
		ck_assert_int_eq(s.digest, row->digest);
		ck_assert_int_eq(s.rsa, row->rsa);
		ck_assert_uint_eq(s.n_certs, row->make.no_cert ? 0 : 1);
		ck_assert_int_eq(s.has_content, !row->make.detached);
		ck_assert_int_eq(s.signer.key_id.n > 0, row->make.by_key_id);
		if (s.has_content)
			ck_assert(bytes_eq_str(s.content, CONTENT));
		ck_assert_int_eq(
		        cms_attr_value(&s, OID_SCEP_MESSAGE_TYPE, &value, &why),
		        RC_OK);
		ck_assert(bytes_eq(value, BYTES_LIT("\x13\x00")));
		ck_assert_int_eq(
		        cms_attr_value(&s, OID_SCEP_PKI_STATUS, &value, &why),
		        RC_NOTFOUND);
	}
	buf_free(&der);
}
END_TEST

START_TEST(what_was_signed_verifies)
{
	struct buf der = signed_of((struct make_signed){ .by = &rsa });
	struct buf what = BUF_INIT(4096);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	struct why why = WHY_NONE;
	struct cms_signed s;

	ck_assert_int_eq(cms_read_signed(&s, buf_bytes(&der), &why), RC_OK);
	cms_put_what_is_signed(&what, &s);
	ck_assert_int_eq(
	        EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, rsa.key),
	        1);
	ck_assert_int_eq(EVP_DigestVerify(ctx, s.signature.p, s.signature.n,
	                         what.p, what.n),
	        1);
	EVP_MD_CTX_free(ctx);
	buf_free(&what);
	buf_free(&der);
}
END_TEST

START_TEST(an_attribute_has_one_value)
{
	struct make_attr twice[] = {
		{ OID_MESSAGE_TYPE, V_ASN1_PRINTABLESTRING, BYTES_LIT("19"),
		        true },
	};
	struct make_signed m = { .by = &rsa, .attrs = twice, .n_attrs = 1 };
	struct buf der = make_signed(&m);
	struct why why = WHY_NONE;
	struct cms_signed s;
	struct bytes value;

	ck_assert_int_eq(cms_read_signed(&s, buf_bytes(&der), &why), RC_OK);
	ck_assert_int_eq(
	        cms_attr_value(&s, OID_SCEP_MESSAGE_TYPE, &value, &why),
	        RC_MALFORMED);
	buf_free(&der);
}
END_TEST

/* --- EnvelopedData */
struct enveloped_row {
	const char *name;
	struct make_enveloped make;
	const EVP_CIPHER *(*cipher)(void);
	enum rc rc;
	const char *clause;
	enum oid oid;
};

static const struct enveloped_row enveloped_rows[] = {
	{ "AES-128", { .to = &rsa }, EVP_aes_128_cbc, RC_OK, NULL,
	        OID_AES128_CBC },
	{ "AES-192", { .to = &rsa }, EVP_aes_192_cbc, RC_OK, NULL,
	        OID_AES192_CBC },
	{ "AES-256", { .to = &rsa }, EVP_aes_256_cbc, RC_OK, NULL,
	        OID_AES256_CBC },
	{ "DES3", { .to = &rsa }, EVP_des_ede3_cbc, RC_OK, NULL,
	        OID_DES_EDE3_CBC },
	{ "a cipher not on the list", { .to = &rsa }, EVP_camellia_128_cbc,
	        RC_OK, NULL, OID_NONE },
	{ "by key id", { .to = &rsa, .by_key_id = true }, EVP_aes_128_cbc,
	        RC_OK, NULL, OID_AES128_CBC },
	{ "as many recipients as may be",
	        { .to = &rsa, .n = CMS_READ_RECIPIENTS_MAX }, EVP_aes_128_cbc,
	        RC_OK, NULL, OID_AES128_CBC },
	{ "one more", { .to = &rsa, .n = CMS_READ_RECIPIENTS_MAX + 1 },
	        EVP_aes_128_cbc, RC_TOOBIG, "recipientInfos: over 8",
	        OID_NONE },
	{ "key agreement", { .to = &ec, .kind = RECIPIENT_KEY_AGREEMENT },
	        EVP_aes_128_cbc, RC_UNSUPPORTED, "kind key agreement",
	        OID_NONE },
	{ "KEK", { .to = &rsa, .kind = RECIPIENT_KEK }, EVP_aes_128_cbc,
	        RC_UNSUPPORTED, "kind key encryption key", OID_NONE },
	{ "OAEP", { .to = &rsa, .kind = RECIPIENT_OAEP }, EVP_aes_128_cbc,
	        RC_UNSUPPORTED, "not rsaEncryption", OID_NONE },
	{ "password", { .to = &rsa, .kind = RECIPIENT_PASSWORD },
	        EVP_aes_128_cbc, RC_UNSUPPORTED, NULL, OID_NONE },
	{ "AuthEnvelopedData", { .to = &rsa }, EVP_aes_128_gcm, RC_UNSUPPORTED,
	        "contentType is not id-envelopedData", OID_NONE },
};

static struct buf enveloped_of(const struct enveloped_row *row)
{
	struct make_enveloped m = row->make;

	m.content = BYTES_LIT(CONTENT);
	m.cipher = row->cipher();
	return make_enveloped(&m);
}

START_TEST(enveloped_data_is_read)
{
	const struct enveloped_row *row = &enveloped_rows[_i];
	struct buf der = enveloped_of(row);
	struct buf text = BUF_INIT(4096);
	struct why why = WHY_NONE;
	struct cms_enveloped e;
	enum rc rc = cms_read_enveloped(&e, buf_bytes(&der), &why);

	check_result(row->name, rc, row->rc, &why, row->clause);
	if (rc == RC_OK) {
		ck_assert_int_eq(e.cipher, row->oid);
		ck_assert_uint_eq(
		        e.n_recipients, row->make.n ? row->make.n : 1);
		ck_assert_uint_eq(e.recipients[0].encrypted_key.n, 256);
		ck_assert_int_eq(
		        e.recipients[0].id.key_id.n > 0, row->make.by_key_id);
		ck_assert_int_eq(cms_put_ciphertext(&text, &e, &why),
		        e.cipher == OID_NONE ? RC_MALFORMED : RC_OK);
	}
	buf_free(&text);
	buf_free(&der);
}
END_TEST

/* PyScep writes 1, where section 6.1 has 0. */
START_TEST(enveloped_data_says_a_version_up_to_2)
{
	struct buf der = enveloped_of(&enveloped_rows[0]);
	uint8_t *version =
	        (uint8_t *)memmem(der.p, der.n, "\x02\x01\x00\x31", 4) + 2;
	struct why why = WHY_NONE;
	struct cms_enveloped e;

	for (*version = 0; *version < 5; (*version)++)
		check_result("version",
		        cms_read_enveloped(&e, buf_bytes(&der), &why),
		        *version > 2 ? RC_UNSUPPORTED : RC_OK, &why,
		        "EnvelopedData version is above 2");
	buf_free(&der);
}
END_TEST

/* --- BER */
static void same_as_der(struct buf *ber, struct buf *der, const char *name)
{
	struct why why = WHY_NONE;

	ck_assert_msg(ber->n > 0, "%s", name);
	ck_assert_msg(cms_from_ber(der, buf_bytes(ber), &why) == RC_OK,
	        "%s: %s", name, why.text);
	ck_assert(der_check(buf_bytes(der), name, &why) == RC_OK);
}

START_TEST(ber_is_read_as_der)
{
	struct make_enveloped m = {
		.to = &rsa, .content = BYTES_LIT(CONTENT), .stream = true
	};
	struct buf ber =
	        signed_of((struct make_signed){ .by = &rsa, .stream = true });
	struct buf der = BUF_INIT(CMS_READ_MAX_BYTES);
	struct buf text = BUF_INIT(4096);
	struct why why = WHY_NONE;
	struct cms_enveloped e;
	struct cms_signed s;

	ck_assert_int_ne(cms_read_signed(&s, buf_bytes(&ber), &why), RC_OK);
	same_as_der(&ber, &der, "SignedData");
	ck_assert_int_eq(cms_read_signed(&s, buf_bytes(&der), &why), RC_OK);
	ck_assert(bytes_eq_str(s.content, CONTENT));
	buf_free(&ber);
	buf_reset(&der);
	ber = make_enveloped(&m);
	same_as_der(&ber, &der, "EnvelopedData");
	ck_assert_int_eq(cms_read_enveloped(&e, buf_bytes(&der), &why), RC_OK);
	ck_assert(e.pieces);
	ck_assert_int_eq(cms_put_ciphertext(&text, &e, &why), RC_OK);
	ck_assert_uint_eq(text.n, 16);
	buf_free(&text);
	buf_free(&ber);
	buf_free(&der);
}
END_TEST

START_TEST(der_comes_out_as_it_was)
{
	struct buf in = signed_of((struct make_signed){ .by = &rsa });
	struct buf der = BUF_INIT(CMS_READ_MAX_BYTES);

	same_as_der(&in, &der, "SignedData");
	ck_assert(bytes_eq(buf_bytes(&in), buf_bytes(&der)));
	buf_free(&in);
	buf_free(&der);
}
END_TEST

static const struct {
	const char *name, *hex;
	enum rc rc;
	const char *out;
} ber_rows[] = {
	{ "long length", "3081030201ff", RC_OK, "30030201ff" },
	{ "longer length", "308400000003020101", RC_OK, "3003020101" },
	{ "indefinite", "30800201010000", RC_OK, "3003020101" },
	{ "pieces", "24800401aa0402bbcc0000", RC_OK, "0403aabbcc" },
	{ "a piece cut short", "24072405040100040101", RC_MALFORMED, NULL },
	{ "pieces of pieces", "240824030401000401ff", RC_OK, "040200ff" },
	{ "pieces of another kind", "24030201aa", RC_MALFORMED, NULL },
	{ "empty", "", RC_MALFORMED, NULL },
	{ "no length", "30", RC_MALFORMED, NULL },
	{ "cut", "300401", RC_MALFORMED, NULL },
	{ "length cut", "3082ff", RC_MALFORMED, NULL },
	{ "length too long", "3085000000000000", RC_TOOBIG, NULL },
	{ "no end", "3080020101", RC_MALFORMED, NULL },
	{ "half an end", "308002010100", RC_MALFORMED, NULL },
	{ "indefinite primitive", "048000000000", RC_MALFORMED, NULL },
	{ "stray end", "30020000", RC_MALFORMED, NULL },
	{ "trailing", "300000", RC_MALFORMED, NULL },
	{ "high tag", "1f810100", RC_UNSUPPORTED, NULL },
};

START_TEST(ber_rules)
{
	struct buf in = unhex(ber_rows[_i].hex);
	struct buf out = BUF_INIT(256);
	struct why why = WHY_NONE;
	enum rc rc = cms_from_ber(&out, buf_bytes(&in), &why);

	ck_assert_msg(
	        rc == ber_rows[_i].rc, "%s: %s", ber_rows[_i].name, why.text);
	if (rc == RC_OK) {
		struct buf want = unhex(ber_rows[_i].out);

		ck_assert(bytes_eq(buf_bytes(&out), buf_bytes(&want)));
		buf_free(&want);
	}
	buf_free(&out);
	buf_free(&in);
}
END_TEST

START_TEST(ber_depth_is_limited)
{
	uint8_t deep[4 * (DER_DEPTH_MAX + 2)];
	struct buf out = BUF_INIT(4096);
	struct why why = WHY_NONE;
	size_t n = DER_DEPTH_MAX + 2;

	memset(deep, 0, sizeof(deep));
	for (size_t i = 0; i < n; i++)
		memcpy(deep + 2 * i, "\x30\x80", 2);
	ck_assert_int_eq(
	        cms_from_ber(&out, BYTES_ARRAY(deep), &why), RC_TOOBIG);
	buf_free(&out);
}
END_TEST

/* A changed octet is refused or gives views inside the input: the sanitizers
 * and the fuzz target look closer. */
START_TEST(no_octet_can_be_changed_into_a_crash)
{
	struct buf good = signed_of((struct make_signed){ .by = &rsa });
	struct why why = WHY_NONE;
	struct cms_signed s;

	for (size_t i = 0; i < good.n; i++) {
		good.p[i] ^= 0x21;
		if (cms_read_signed(&s, buf_bytes(&good), &why) == RC_OK)
			ck_assert_uint_le(s.content.n, good.n);
		good.p[i] ^= 0x21;
	}
	buf_free(&good);
}
END_TEST

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))

TCase *test_ca_cms(void)
{
	TCase *tc = tcase_create("cms");

	tcase_add_unchecked_fixture(tc, parties_make, parties_free);
	tcase_add_loop_test(tc, signed_data_is_read, 0, ROWS(signed_rows));
	tcase_add_test(tc, what_was_signed_verifies);
	tcase_add_test(tc, an_attribute_has_one_value);
	tcase_add_loop_test(
	        tc, enveloped_data_is_read, 0, ROWS(enveloped_rows));
	tcase_add_test(tc, enveloped_data_says_a_version_up_to_2);
	tcase_add_test(tc, ber_is_read_as_der);
	tcase_add_test(tc, der_comes_out_as_it_was);
	tcase_add_loop_test(tc, ber_rules, 0, ROWS(ber_rows));
	tcase_add_test(tc, ber_depth_is_limited);
	tcase_add_test(tc, no_octet_can_be_changed_into_a_crash);
	return tc;
}
