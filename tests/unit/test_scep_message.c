/* pkiMessage: what is read and checked of a client's, and whether libcrypto
 * reads what we answer. */
#include "base/rand.h"
#include "der/writer.h"
#include "enroll/scep_message.h"
#include "tests/unit/scep_make.h"

#include <check.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRANSACTION "a+b/c=0123456789"
#define NONCE "0123456789abcdef"
#define CONTENT "a request"

static struct party device, small, ec, ra, other;
static struct scep_crypt *crypt;

static void world_make(void)
{
	party_make(&device, "device", 2048);
	party_make(&small, "small", 1024);
	party_make(&ec, "curve", 0);
	party_make(&ra, "ra", 2048);
	party_make(&other, "other", 2048);
	ck_assert_int_eq(scep_crypt_new(&crypt), RC_OK);
}

static void world_free(void)
{
	scep_crypt_free(crypt);
	party_free(&device);
	party_free(&small);
	party_free(&ec);
	party_free(&ra);
	party_free(&other);
}

/* One that is right; rows change it. */
static struct make_scep right(void)
{
	return (struct make_scep){ .type = "19",
		.transaction = TRANSACTION,
		.nonce = BYTES_LIT(NONCE),
		.content = BYTES_LIT(CONTENT),
		.from = &device,
		.to = &ra };
}

static struct scep_ra ra_of(struct party *p, struct cert *c)
{
	struct scep_ra out = { .cert = buf_bytes(&p->der) };

	ck_assert_int_eq(cert_parse(c, out.cert, NULL), RC_OK);
	out.id.issuer = c->issuer;
	out.id.serial = c->serial;
	ck_assert_int_eq(cert_subject_key_id(c, &out.id.key_id, NULL), RC_OK);
	return out;
}

static void says(const char *name, enum rc rc, enum rc want,
        const struct why *why, const char *clause)
{
	ck_assert_msg(
	        rc == want, "%s: %s: %s", name, rc_info(rc)->name, why->text);
	if (clause != NULL)
		ck_assert_msg(strstr(why->text, clause) != NULL, "%s: %s", name,
		        why->text);
}

/* --- reading */
static void no_type(struct make_scep *m)
{
	m->type = NULL;
}
static void type_word(struct make_scep *m)
{
	m->type = "1x";
}
static void type_long(struct make_scep *m)
{
	m->type = "1000";
}
static void no_transaction(struct make_scep *m)
{
	m->transaction = NULL;
}
static void transaction_utf8(struct make_scep *m)
{
	m->transaction_type = V_ASN1_UTF8STRING;
}
static void transaction_empty(struct make_scep *m)
{
	m->transaction = "";
}
static void no_nonce(struct make_scep *m)
{
	m->nonce = BYTES_NONE;
}
static void nonce_empty(struct make_scep *m)
{
	m->nonce.n = 0;
}
static void nonce_long(struct make_scep *m)
{
	static const uint8_t octets[SCEP_NONCE_MAX_BYTES + 1];

	m->nonce = BYTES_ARRAY(octets);
}
static void nonce_short(struct make_scep *m)
{
	m->nonce.n = 1;
}
static void as_ber(struct make_scep *m)
{
	m->outer.stream = true;
	m->envelope.stream = true;
}

static const struct {
	const char *name;
	void (*change)(struct make_scep *m);
	enum rc rc;
	const char *clause;
} read_rows[] = {
	{ "right", NULL, RC_OK, NULL },
	{ "BER", as_ber, RC_OK, NULL },
	{ "a short nonce", nonce_short, RC_OK, NULL },
	{ "no messageType", no_type, RC_MALFORMED, "messageType: missing" },
	{ "messageType no number", type_word, RC_MALFORMED, "not a number" },
	{ "messageType long", type_long, RC_TOOBIG, "messageType: over" },
	{ "no transactionID", no_transaction, RC_MALFORMED,
	        "transactionID: missing" },
	{ "transactionID UTF8String", transaction_utf8, RC_MALFORMED,
	        "transactionID" },
	{ "transactionID empty", transaction_empty, RC_MALFORMED,
	        "transactionID" },
	{ "no nonce", no_nonce, RC_MALFORMED, "senderNonce: missing" },
	{ "nonce empty", nonce_empty, RC_MALFORMED, "senderNonce of 0" },
	{ "nonce long", nonce_long, RC_MALFORMED, "senderNonce of 65" },
};

START_TEST(message_is_read)
{
	struct make_scep make = right();
	struct scep_message *m = malloc(sizeof(*m));
	struct why why = WHY_NONE;
	struct buf der;
	enum rc rc;

	if (read_rows[_i].change != NULL)
		read_rows[_i].change(&make);
	der = make_scep(&make);
	rc = scep_message_read(m, buf_bytes(&der), &why);
	says(read_rows[_i].name, rc, read_rows[_i].rc, &why,
	        read_rows[_i].clause);
	if (rc == RC_OK) {
		ck_assert_uint_eq(m->type, SCEP_PKCS_REQ);
		ck_assert(bytes_eq_str(m->transaction_id, TRANSACTION));
		ck_assert(bytes_eq(m->nonce, make.nonce));
	}
	scep_message_free(m);
	buf_free(&der);
	free(m);
}
END_TEST

/* --- checking */
static void type_3(struct make_scep *m)
{
	m->type = "3";
}
static void type_17(struct make_scep *m)
{
	m->type = "17";
}
static void type_18(struct make_scep *m)
{
	m->type = "18";
}
static void type_20(struct make_scep *m)
{
	m->type = "20";
}
static void type_21(struct make_scep *m)
{
	m->type = "21";
}
static void type_22(struct make_scep *m)
{
	m->type = "22";
}
static void md5(struct make_scep *m)
{
	m->md = EVP_md5();
}
static void sha1(struct make_scep *m)
{
	m->md = EVP_sha1();
}
static void sha384(struct make_scep *m)
{
	m->md = EVP_sha384();
}
static void sha512(struct make_scep *m)
{
	m->md = EVP_sha512();
}
static void by_curve(struct make_scep *m)
{
	m->from = &ec;
}
static void by_small(struct make_scep *m)
{
	m->from = &small;
}
static void pss(struct make_scep *m)
{
	m->outer.pss = true;
}
static void no_cert(struct make_scep *m)
{
	m->outer.no_cert = true;
}
static void key_id(struct make_scep *m)
{
	m->outer.by_key_id = true;
}
static void detached(struct make_scep *m)
{
	m->outer.detached = true;
}

static const struct {
	const char *name;
	void (*change)(struct make_scep *m);
	struct scep_legacy legacy;
	enum rc rc;
	const char *clause;
} check_rows[] = {
	{ "right", NULL, { 0 }, RC_OK, NULL },
	{ "RenewalReq", type_17, { 0 }, RC_OK, NULL },
	{ "CertPoll", type_20, { 0 }, RC_OK, NULL },
	{ "GetCert", type_21, { 0 }, RC_OK, NULL },
	{ "GetCRL", type_22, { 0 }, RC_OK, NULL },
	{ "CertRep", type_3, { 0 }, RC_MALFORMED, "messageType 3" },
	{ "UpdateReq", type_18, { 0 }, RC_MALFORMED, "messageType 18" },
	{ "SHA-384", sha384, { 0 }, RC_OK, NULL },
	{ "SHA-512", sha512, { 0 }, RC_OK, NULL },
	{ "signer by key identifier", key_id, { 0 }, RC_OK, NULL },
	{ "SHA-1", sha1, { 0 }, RC_UNSUPPORTED, "SHA-1" },
	{ "SHA-1 where it is allowed", sha1, { .sha1 = true }, RC_OK, NULL },
	{ "MD5", md5, { .sha1 = true }, RC_UNSUPPORTED, "digest other" },
	{ "ECDSA", by_curve, { 0 }, RC_UNSUPPORTED, "EST" },
	{ "PSS", pss, { 0 }, RC_UNSUPPORTED, "PKCS#1 v1.5" },
	{ "RSA-1024", by_small, { 0 }, RC_WEAKKEY, NULL },
	{ "no certificate", no_cert, { 0 }, RC_BADSIG, "not in the message" },
	{ "detached", detached, { 0 }, RC_MALFORMED, "no content" },
};

START_TEST(message_is_checked)
{
	struct make_scep make = right();
	struct scep_message *m = malloc(sizeof(*m));
	struct why why = WHY_NONE;
	struct buf der;
	enum rc rc;

	if (check_rows[_i].change != NULL)
		check_rows[_i].change(&make);
	der = make_scep(&make);
	rc = scep_message_read(m, buf_bytes(&der), &why);
	ck_assert_msg(rc == RC_OK, "%s: %s", check_rows[_i].name, why.text);
	rc = scep_message_check(m, crypt, &check_rows[_i].legacy, &why);
	says(check_rows[_i].name, rc, check_rows[_i].rc, &why,
	        check_rows[_i].clause);
	scep_message_free(m);
	buf_free(&der);
	free(m);
}
END_TEST

/* Wherever a bit falls over, the message is refused: nothing that is signed,
 * and no signature, can be another. */
START_TEST(no_changed_message_passes)
{
	const struct scep_legacy legacy = { true, true };
	struct make_scep make = right();
	struct buf der = make_scep(&make);
	struct scep_message *m = malloc(sizeof(*m));
	struct why why = WHY_NONE;
	unsigned passed = 0;

	for (size_t i = 0; i < der.n; i++) {
		der.p[i] ^= (uint8_t)(1 << i % 8);
		if (scep_message_read(m, buf_bytes(&der), &why) == RC_OK &&
		        scep_message_check(m, crypt, &legacy, &why) == RC_OK) {
			/* The certificate's own signature, its validity, and
			 * which digests SignedData announces say nothing. */
			ck_assert(bytes_eq_str(m->transaction_id, TRANSACTION));
			ck_assert(bytes_eq_str(m->nonce, NONCE));
			ck_assert_uint_eq(m->type, SCEP_PKCS_REQ);
			passed++;
		}
		scep_message_free(m);
		der.p[i] ^= (uint8_t)(1 << i % 8);
	}
	ck_assert_uint_lt(passed, der.n / 3);
	free(m);
	buf_free(&der);
}
END_TEST

/* --- the envelope */
static void aes256(struct make_scep *m)
{
	m->cipher = EVP_aes_256_cbc();
}
static void des3(struct make_scep *m)
{
	m->cipher = EVP_des_ede3_cbc();
}
static void camellia(struct make_scep *m)
{
	m->cipher = EVP_camellia_128_cbc();
}
static void recipient_key_id(struct make_scep *m)
{
	m->envelope.by_key_id = true;
}
static void for_other(struct make_scep *m)
{
	m->to = &other;
}
static void by_password(struct make_scep *m)
{
	m->envelope.kind = RECIPIENT_PASSWORD;
}
static void no_envelope(struct make_scep *m)
{
	m->content = BYTES_NONE;
	m->bare = BYTES_LIT("hello");
}

static const struct {
	const char *name;
	void (*change)(struct make_scep *m);
	struct scep_legacy legacy;
	enum rc rc;
	const char *clause;
} envelope_rows[] = {
	{ "right", NULL, { 0 }, RC_OK, NULL },
	{ "BER", as_ber, { 0 }, RC_OK, NULL },
	{ "AES-256", aes256, { 0 }, RC_OK, NULL },
	{ "by key identifier", recipient_key_id, { 0 }, RC_OK, NULL },
	{ "DES3", des3, { 0 }, RC_UNSUPPORTED, "DES3" },
	{ "DES3 where it is allowed", des3, { .des3 = true }, RC_OK, NULL },
	{ "another cipher", camellia, { .des3 = true }, RC_UNSUPPORTED,
	        "cipher other than AES" },
	{ "for another", for_other, { 0 }, RC_NOTFOUND, "somebody else" },
	{ "by a password", by_password, { 0 }, RC_UNSUPPORTED, NULL },
	{ "none", no_envelope, { 0 }, RC_MALFORMED, NULL },
};

/* What the signer does, done here. */
static struct buf unwrap(EVP_PKEY *key, struct bytes in)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	struct buf out = BUF_INIT(1024);
	size_t n = 1024;
	uint8_t *room = buf_room(&out, n);

	ck_assert_int_eq(EVP_PKEY_decrypt_init(ctx), 1);
	ck_assert_int_eq(EVP_PKEY_decrypt(ctx, room, &n, in.p, in.n), 1);
	buf_added(&out, n);
	EVP_PKEY_CTX_free(ctx);
	return out;
}

START_TEST(envelope_is_opened)
{
	struct make_scep make = right();
	struct scep_message *m = malloc(sizeof(*m));
	struct buf content = BUF_INIT(4096), key;
	struct cert ra_cert;
	struct scep_ra us = ra_of(&ra, &ra_cert);
	struct bytes encrypted_key;
	struct why why = WHY_NONE;
	struct buf der;
	enum rc rc;

	if (envelope_rows[_i].change != NULL)
		envelope_rows[_i].change(&make);
	der = make_scep(&make);
	ck_assert_int_eq(scep_message_read(m, buf_bytes(&der), &why), RC_OK);
	rc = scep_message_envelope(
	        m, &envelope_rows[_i].legacy, &us.id, &encrypted_key, &why);
	says(envelope_rows[_i].name, rc, envelope_rows[_i].rc, &why,
	        envelope_rows[_i].clause);
	if (rc == RC_OK) {
		key = unwrap(ra.key, encrypted_key);
		rc = scep_crypt_open(
		        crypt, &m->envelope, buf_bytes(&key), &content, &why);
		ck_assert_msg(rc == RC_OK, "%s", why.text);
		ck_assert(bytes_eq_str(buf_bytes(&content), CONTENT));
		key.p[0] ^= 1;
		buf_reset(&content);
		ck_assert_int_ne(
		        scep_crypt_open(crypt, &m->envelope,
		                bytes_of(key.p, key.n - 1), &content, &why),
		        RC_OK);
		buf_free(&key);
	}
	buf_free(&content);
	scep_message_free(m);
	buf_free(&der);
	free(m);
}
END_TEST

/* Clients that keep what GetCACert said send for an earlier certificate of the
 * same key and issuer. */
START_TEST(earlier_certificate_of_ours_is_us)
{
	struct make_scep make = right();
	struct buf der = make_scep(&make);
	struct scep_message *m = malloc(sizeof(*m));
	const struct scep_legacy legacy = { 0 };
	struct cert c;
	struct scep_ra us = ra_of(&ra, &c);
	struct why why = WHY_NONE;
	struct bytes key;

	us.id.serial = BYTES_LIT("\x77");
	ck_assert_int_eq(scep_message_read(m, buf_bytes(&der), &why), RC_OK);
	ck_assert_int_eq(
	        scep_message_envelope(m, &legacy, &us.id, &key, &why), RC_OK);
	ck_assert_uint_eq(key.n, 256);
	scep_message_free(m);
	buf_free(&der);
	free(m);
}
END_TEST

START_TEST(signer_that_signed_itself_is_told)
{
	struct make_scep make = right();
	struct buf der = make_scep(&make);
	struct scep_message *m = malloc(sizeof(*m));
	const struct scep_legacy legacy = { 0 };
	struct why why = WHY_NONE;

	ck_assert_int_eq(scep_message_read(m, buf_bytes(&der), &why), RC_OK);
	ck_assert_int_eq(scep_message_check(m, crypt, &legacy, &why), RC_OK);
	ck_assert(scep_signer_is_self(m));
	scep_message_free(m);
	buf_free(&der);
	free(m);
}
END_TEST

/* certmonger's has GeneralizedTimes of this century (RFC 5280 section 4.1.2.5
 * has UTCTime) and 33 octets of serial number. */
START_TEST(signer_that_signed_itself_carries_a_key_and_no_more)
{
	struct party odd = device;
	struct make_scep make = right();
	struct scep_message *m = malloc(sizeof(*m));
	const struct scep_legacy legacy = { 0 };
	struct why why = WHY_NONE;
	ASN1_TIME *time = ASN1_GENERALIZEDTIME_set(NULL, 1790000000);
	BIGNUM *serial = BN_new();
	struct buf der;

	odd.cert = X509_dup(device.cert);
	ck_assert(odd.cert && serial && BN_set_bit(serial, 33 * 8 - 2));
	BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(odd.cert));
	X509_set1_notBefore(odd.cert, time);
	X509_set1_notAfter(odd.cert, time);
	if (_i > 0) /* somebody vouches for it: then all of it counts */
		X509_set_issuer_name(
		        odd.cert, X509_get_subject_name(other.cert));
	ck_assert_int_gt(X509_sign(odd.cert, odd.key, EVP_sha256()), 0);
	make.from = &odd;
	der = make_scep(&make);
	ck_assert_int_eq(scep_message_read(m, buf_bytes(&der), &why), RC_OK);
	says("odd", scep_message_check(m, crypt, &legacy, &why),
	        _i > 0 ? RC_BADSIG : RC_OK, &why, _i > 0 ? "signer's" : NULL);
	scep_message_free(m);
	buf_free(&der);
	free(m);
	X509_free(odd.cert);
	ASN1_TIME_free(time);
	BN_free(serial);
}
END_TEST

/* --- messages of clients that others wrote, kept for the fuzz target too */
static const char *const clients[] = { "micromdm.der", "strongswan.der",
	"bouncy.ber", "key_id.der", "certmonger.der", "cryptlib.der",
	"pyscep.der" };

static struct buf corpus(const char *name)
{
	struct buf out = BUF_INIT(SCEP_MESSAGE_MAX_BYTES);
	uint8_t *room = buf_room(&out, SCEP_MESSAGE_MAX_BYTES);
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/corpus/scep_message/%s",
	        MICA_SOURCE_DIR, name);
	f = fopen(path, "rb");
	ck_assert_ptr_nonnull(f);
	buf_added(&out, fread(room, 1, SCEP_MESSAGE_MAX_BYTES, f));
	fclose(f);
	return out;
}

START_TEST(messages_of_clients_pass)
{
	struct buf der = corpus(clients[_i]);
	struct scep_message *m = malloc(sizeof(*m));
	/* micromdm's client signs with SHA-1 */
	const struct scep_legacy legacy = { .sha1 = _i == 0 };
	struct cms_id us = { .key_id = BYTES_LIT("?") };
	struct why why = WHY_NONE;
	struct bytes key;
	enum rc rc = scep_message_read(m, buf_bytes(&der), &why);

	if (rc == RC_OK)
		rc = scep_message_check(m, crypt, &legacy, &why);
	ck_assert_msg(rc == RC_OK, "%s: %s", clients[_i], why.text);
	rc = scep_message_envelope(m, &legacy, &us, &key, &why);
	/* and encrypts with single DES, whatever GetCACaps says */
	ck_assert_msg(rc == (_i == 0 ? RC_UNSUPPORTED : RC_NOTFOUND), "%s: %s",
	        clients[_i], why.text);
	scep_message_free(m);
	buf_free(&der);
	free(m);
}
END_TEST

/* --- what stands in GetCert, GetCRL and CertPoll */
START_TEST(names_inside_are_read)
{
	struct buf b = BUF_INIT(256);
	struct bytes issuer, subject;
	struct why why = WHY_NONE;
	struct cms_id id;
	size_t seq = der_begin(&b, DER_SEQUENCE);

	der_put(&b, DER_SEQUENCE, BYTES_NONE);
	der_put_u64(&b, 7);
	der_end(&b, seq);
	ck_assert_int_eq(scep_read_serial(&id, buf_bytes(&b), &why), RC_OK);
	ck_assert(bytes_eq_str(id.serial, "\x07"));
	ck_assert_int_eq(
	        scep_read_subject(&issuer, &subject, buf_bytes(&b), &why),
	        RC_MALFORMED);
	buf_reset(&b);
	seq = der_begin(&b, DER_SEQUENCE);
	der_put(&b, DER_SEQUENCE, BYTES_NONE);
	der_put(&b, DER_SEQUENCE, BYTES_NONE);
	der_end(&b, seq);
	ck_assert_int_eq(
	        scep_read_subject(&issuer, &subject, buf_bytes(&b), &why),
	        RC_OK);
	ck_assert_int_eq(
	        scep_read_serial(&id, buf_bytes(&b), &why), RC_MALFORMED);
	ck_assert_int_eq(scep_read_serial(&id, BYTES_NONE, &why), RC_MALFORMED);
	buf_free(&b);
}
END_TEST

/* --- CertRep, read by libcrypto */
static struct buf sign(EVP_PKEY *key, struct bytes data)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	struct buf out = BUF_INIT(1024);
	size_t n = 1024;
	uint8_t *room = buf_room(&out, n);

	ck_assert_int_eq(
	        EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
	ck_assert_int_eq(EVP_DigestSign(ctx, room, &n, data.p, data.n), 1);
	buf_added(&out, n);
	EVP_MD_CTX_free(ctx);
	return out;
}

static struct buf reply_of(struct scep_reply *r)
{
	struct buf attrs = BUF_INIT(4096), out = BUF_INIT(65536), signature;
	struct cert c;
	struct scep_ra us = ra_of(&ra, &c);

	rand_fill(r->nonce, sizeof(r->nonce));
	ck_assert_int_eq(scep_reply_put_attrs(&attrs, r, crypt), RC_OK);
	signature = sign(ra.key, buf_bytes(&attrs));
	ck_assert_int_eq(scep_reply_put(&out, r, &us, buf_bytes(&attrs),
	                         buf_bytes(&signature)),
	        RC_OK);
	buf_free(&attrs);
	buf_free(&signature);
	return out;
}

/* The attribute's text or octets. */
static struct bytes attr_of(CMS_SignerInfo *si, const char *oid, int type)
{
	ASN1_OBJECT *obj = OBJ_txt2obj(oid, 1);
	ASN1_STRING *s = CMS_signed_get0_data_by_OBJ(si, obj, -3, type);

	ASN1_OBJECT_free(obj);
	return s == NULL ? BYTES_NONE
	                 : bytes_of(ASN1_STRING_get0_data(s),
	                           (size_t)ASN1_STRING_length(s));
}

/* Verify, and give back the content. */
static CMS_ContentInfo *verified(const struct buf *der, struct buf *content)
{
	const unsigned char *p = der->p;
	CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)der->n);
	BIO *out = BIO_new(BIO_s_mem());
	char *text;
	long n;

	ck_assert_ptr_nonnull(cms);
	ck_assert_ptr_eq(p, der->p + der->n);
	ck_assert_int_eq(CMS_verify(cms, NULL, NULL, NULL, out,
	                         CMS_NO_SIGNER_CERT_VERIFY | CMS_BINARY),
	        1);
	n = BIO_get_mem_data(out, &text);
	buf_add(content, bytes_of(text, (size_t)n));
	BIO_free(out);
	return cms;
}

static CMS_SignerInfo *signer_of(CMS_ContentInfo *cms)
{
	ck_assert_int_eq(sk_CMS_SignerInfo_num(CMS_get0_SignerInfos(cms)), 1);
	return sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0);
}

static void request_read(struct scep_message *m, struct buf *der)
{
	const struct scep_legacy legacy = { 0 };
	struct make_scep make = right();
	struct why why = WHY_NONE;

	*der = make_scep(&make);
	ck_assert_int_eq(scep_message_read(m, buf_bytes(der), &why), RC_OK);
	ck_assert_int_eq(scep_message_check(m, crypt, &legacy, &why), RC_OK);
}

START_TEST(failure_is_told)
{
	struct scep_message *m = malloc(sizeof(*m));
	struct scep_reply r = { .to = m,
		.status = SCEP_FAILURE,
		.fail = rc_info(RC_UNSUPPORTED)->scep_fail_info,
		.fail_text = "use EST" };
	struct buf der, out, content = BUF_INIT(4096);
	CMS_ContentInfo *cms;
	CMS_SignerInfo *si;

	request_read(m, &der);
	out = reply_of(&r);
	cms = verified(&out, &content);
	si = signer_of(cms);
	ck_assert_uint_eq(content.n, 0);
	ck_assert(bytes_eq_str(attr_of(si, SCEP_OID "2", 19), "3"));
	ck_assert(bytes_eq_str(attr_of(si, SCEP_OID "3", 19), "2"));
	ck_assert(bytes_eq_str(attr_of(si, SCEP_OID "4", 19), "0"));
	ck_assert(bytes_eq_str(attr_of(si, SCEP_TEXT_OID, 12), "use EST"));
	ck_assert(bytes_eq_str(attr_of(si, SCEP_OID "7", 19), TRANSACTION));
	ck_assert(bytes_eq_str(attr_of(si, SCEP_OID "6", 4), NONCE));
	ck_assert(bytes_eq(attr_of(si, SCEP_OID "5", 4), BYTES_ARRAY(r.nonce)));
	CMS_ContentInfo_free(cms);
	buf_free(&content);
	buf_free(&out);
	scep_message_free(m);
	buf_free(&der);
	free(m);
}
END_TEST

static const enum oid seal_ciphers[] = { OID_AES128_CBC, OID_AES192_CBC,
	OID_AES256_CBC, OID_DES_EDE3_CBC };

START_TEST(success_is_opened_by_the_client)
{
	struct scep_message *m = malloc(sizeof(*m));
	struct scep_reply r = { .to = m, .status = SCEP_SUCCESS };
	struct buf der, out, sealed = BUF_INIT(4096), content = BUF_INIT(4096);
	struct cms_id id;
	CMS_ContentInfo *cms, *inner;
	BIO *text = BIO_new(BIO_s_mem());
	const unsigned char *p;
	char *got;
	long n;

	request_read(m, &der);
	id = (struct cms_id){ .issuer = m->signer.issuer,
		.serial = m->signer.serial };
	ck_assert_int_eq(scep_crypt_seal(crypt, &sealed, seal_ciphers[_i],
	                         m->pkey, &id, BYTES_LIT(CONTENT)),
	        RC_OK);
	r.content = buf_bytes(&sealed);
	out = reply_of(&r);
	cms = verified(&out, &content);
	ck_assert(bytes_eq_str(attr_of(signer_of(cms), SCEP_OID "3", 19), "0"));
	p = content.p;
	inner = d2i_CMS_ContentInfo(NULL, &p, (long)content.n);
	ck_assert_ptr_nonnull(inner);
	ck_assert_int_eq(CMS_decrypt(inner, device.key, device.cert, NULL, text,
	                         CMS_BINARY),
	        1);
	n = BIO_get_mem_data(text, &got);
	ck_assert(bytes_eq_str(bytes_of(got, (size_t)n), CONTENT));
	BIO_free(text);
	CMS_ContentInfo_free(inner);
	CMS_ContentInfo_free(cms);
	buf_free(&content);
	buf_free(&sealed);
	buf_free(&out);
	scep_message_free(m);
	buf_free(&der);
	free(m);
}
END_TEST

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))

int main(void)
{
	Suite *s = suite_create("scep");
	TCase *tc = tcase_create("message");
	SRunner *runner;
	int failed;

	tcase_add_unchecked_fixture(tc, world_make, world_free);
	tcase_add_loop_test(tc, message_is_read, 0, ROWS(read_rows));
	tcase_add_loop_test(tc, message_is_checked, 0, ROWS(check_rows));
	tcase_add_test(tc, no_changed_message_passes);
	tcase_add_loop_test(tc, envelope_is_opened, 0, ROWS(envelope_rows));
	tcase_add_test(tc, earlier_certificate_of_ours_is_us);
	tcase_add_test(tc, signer_that_signed_itself_is_told);
	tcase_add_loop_test(
	        tc, signer_that_signed_itself_carries_a_key_and_no_more, 0, 2);
	tcase_add_loop_test(tc, messages_of_clients_pass, 0, ROWS(clients));
	tcase_add_test(tc, names_inside_are_read);
	tcase_add_test(tc, failure_is_told);
	tcase_add_loop_test(
	        tc, success_is_opened_by_the_client, 0, ROWS(seal_ciphers));
	suite_add_tcase(s, tc);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
