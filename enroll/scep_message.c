#include "enroll/scep_message.h"

#include "ca/cms_write.h"
#include "ca/keypolicy.h"
#include "der/writer.h"

#include <openssl/evp.h>
#include <string.h>

#define TYPE_MAX_DIGITS 3
#define REPLY_ATTRS_MAX 9

/* --- reading */

/* The one value of an attribute, which is of that type. */
static enum rc read_value(const struct scep_message *m, enum oid oid,
        uint8_t tag, struct bytes *out, struct why *why)
{
	struct bytes value;
	struct der d;
	enum rc rc = cms_attr_value(&m->cms, oid, &value, why);

	if (rc == RC_NOTFOUND)
		return RC_MALFORMED;
	if (rc != RC_OK)
		return rc;
	d = der_of(value);
	return der_expect(&d, tag, out, oid_name(oid), why);
}

static enum rc read_printable(const struct scep_message *m, enum oid oid,
        size_t max, struct bytes *out, struct why *why)
{
	enum rc rc = read_value(m, oid, DER_PRINTABLE_STRING, out, why);

	if (rc != RC_OK)
		return rc;
	if (out->n == 0 || !der_body_is_printable(*out))
		return why_set(why, RC_MALFORMED, "%s: not a PrintableString",
		        oid_name(oid));
	if (out->n > max)
		return why_set(why, RC_TOOBIG, "%s: over %zu characters",
		        oid_name(oid), max);
	return RC_OK;
}

static enum rc read_type(struct scep_message *m, struct why *why)
{
	struct bytes text;
	enum rc rc = read_printable(
	        m, OID_SCEP_MESSAGE_TYPE, TYPE_MAX_DIGITS, &text, why);

	m->type = 0;
	for (size_t i = 0; rc == RC_OK && i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return why_set(
			        why, RC_MALFORMED, "messageType: not a number");
		m->type = m->type * 10 + (uint64_t)(text.p[i] - '0');
	}
	return rc;
}

static enum rc read_nonce(struct scep_message *m, struct why *why)
{
	enum rc rc = read_value(
	        m, OID_SCEP_SENDER_NONCE, DER_OCTET_STRING, &m->nonce, why);

	if (rc == RC_OK &&
	        (m->nonce.n == 0 || m->nonce.n > SCEP_NONCE_MAX_BYTES))
		rc = why_set(why, RC_MALFORMED, "senderNonce of %zu octets",
		        m->nonce.n);
	return rc;
}

enum rc scep_message_read(
        struct scep_message *m, struct bytes in, struct why *why)
{
	enum rc rc;

	memset(m, 0, sizeof(*m));
	m->der = BUF_INIT(SCEP_MESSAGE_MAX_BYTES);
	m->inner = BUF_INIT(SCEP_MESSAGE_MAX_BYTES);
	rc = cms_from_ber(&m->der, in, why);
	if (rc == RC_OK)
		rc = cms_read_signed(&m->cms, buf_bytes(&m->der), why);
	if (rc == RC_OK)
		rc = read_printable(m, OID_SCEP_TRANSACTION_ID,
		        SCEP_TRANSACTION_MAX_BYTES, &m->transaction_id, why);
	if (rc == RC_OK)
		rc = read_nonce(m, why);
	return rc == RC_OK ? read_type(m, why) : rc;
}

void scep_message_free(struct scep_message *m)
{
	buf_free(&m->der);
	buf_free(&m->inner);
	EVP_PKEY_free(m->pkey);
	m->pkey = NULL;
}

/* --- checking */
static enum rc check_type(const struct scep_message *m, struct why *why)
{
	switch (m->type) {
	case SCEP_RENEWAL_REQ:
	case SCEP_PKCS_REQ:
	case SCEP_CERT_POLL:
	case SCEP_GET_CERT:
	case SCEP_GET_CRL:
		return RC_OK;
	default:
		return why_set(why, RC_MALFORMED,
		        "messageType %u is no request that is answered here",
		        (unsigned)m->type);
	}
}

static enum rc check_algorithms(const struct scep_message *m,
        const struct scep_legacy *legacy, struct why *why)
{
	if (!m->cms.rsa)
		return why_set(why, RC_UNSUPPORTED,
		        "SCEP is for RSA keys with PKCS#1 v1.5; EST takes "
		        "others");
	if (m->cms.digest == OID_NONE)
		return why_set(why, RC_UNSUPPORTED,
		        "signed with a digest other than SHA-2");
	if (m->cms.digest == OID_SHA1 && !legacy->sha1)
		return why_set(why, RC_UNSUPPORTED,
		        "signed with SHA-1, which this label does not take");
	return RC_OK;
}

static bool is_signer(const struct cert *c, const struct cms_id *id)
{
	struct bytes key_id;

	if (id->key_id.n == 0)
		return bytes_eq(c->issuer, id->issuer) &&
		        bytes_eq(c->serial, id->serial);
	return cert_subject_key_id(c, &key_id, NULL) == RC_OK &&
	        bytes_eq(key_id, id->key_id);
}

/* What a client signed for itself carries its key and no more. */
static bool read_signer(struct cert *c, struct bytes der)
{
	return cert_parse(c, der, NULL) == RC_OK ||
	        (cert_parse_key(c, der, NULL) == RC_OK &&
	                bytes_eq(c->issuer, c->subject));
}

static enum rc find_signer(struct scep_message *m, struct why *why)
{
	for (size_t i = 0; i < m->cms.n_certs; i++)
		if (read_signer(&m->signer, m->cms.certs[i]) &&
		        is_signer(&m->signer, &m->cms.signer))
			return RC_OK;
	return why_set(why, RC_BADSIG,
	        "the signer's certificate is not in the message");
}

static enum rc check_key(
        struct scep_message *m, struct scep_crypt *crypt, struct why *why)
{
	enum rc rc = spki_parse(&m->key, m->signer.spki, why);

	if (rc == RC_OK && m->key.type != KEY_RSA)
		rc = why_set(why, RC_UNSUPPORTED,
		        "the signer's certificate has no RSA key");
	if (rc == RC_OK)
		rc = keypolicy_check(&m->key, why);
	if (rc == RC_OK)
		rc = scep_crypt_import(crypt, &m->pkey, &m->key, why);
	return rc;
}

/* RFC 5652 sections 11.1 and 11.2 */
static enum rc check_content(
        struct scep_message *m, struct scep_crypt *crypt, struct why *why)
{
	uint8_t digest[SCEP_DIGEST_MAX_BYTES];
	struct bytes value;
	size_t n;
	enum rc rc = read_value(m, OID_CONTENT_TYPE, DER_OID, &value, why);

	if (rc == RC_OK && !oid_is(value, OID_PKCS7_DATA))
		rc = why_set(why, RC_MALFORMED,
		        "the signed contentType is not id-data");
	if (rc == RC_OK && !m->cms.has_content)
		rc = why_set(why, RC_MALFORMED, "no content");
	if (rc == RC_OK)
		rc = read_value(
		        m, OID_MESSAGE_DIGEST, DER_OCTET_STRING, &value, why);
	if (rc == RC_OK)
		rc = scep_crypt_digest(
		        crypt, m->cms.digest, m->cms.content, digest, &n);
	if (rc == RC_OK && !bytes_eq(value, bytes_of(digest, n)))
		rc = why_set(why, RC_BADSIG,
		        "messageDigest is not that of the content");
	return rc;
}

static enum rc check_signature(
        struct scep_message *m, struct scep_crypt *crypt, struct why *why)
{
	struct buf what = BUF_INIT(SCEP_MESSAGE_MAX_BYTES);
	enum rc rc;

	cms_put_what_is_signed(&what, &m->cms);
	rc = what.failed;
	if (rc == RC_OK)
		rc = scep_crypt_verify(crypt, m->pkey, m->cms.digest,
		        buf_bytes(&what), m->cms.signature, why);
	buf_free(&what);
	return rc;
}

enum rc scep_message_check(struct scep_message *m, struct scep_crypt *crypt,
        const struct scep_legacy *legacy, struct why *why)
{
	enum rc rc = check_type(m, why);

	if (rc == RC_OK)
		rc = check_algorithms(m, legacy, why);
	if (rc == RC_OK)
		rc = find_signer(m, why);
	if (rc == RC_OK)
		rc = check_key(m, crypt, why);
	if (rc == RC_OK)
		rc = check_content(m, crypt, why);
	return rc == RC_OK ? check_signature(m, crypt, why) : rc;
}

bool scep_signer_is_self(const struct scep_message *m)
{
	return bytes_eq(m->signer.issuer, m->signer.subject);
}

/* --- the envelope */
static bool is_us(const struct cms_id *id, const struct cms_id *us)
{
	if (id->key_id.n > 0)
		return bytes_eq(id->key_id, us->key_id);
	return bytes_eq(id->issuer, us->issuer) &&
	        bytes_eq(id->serial, us->serial);
}

static const struct cms_recipient *find_us(
        const struct cms_enveloped *e, const struct cms_id *us)
{
	for (size_t i = 0; i < e->n_recipients; i++)
		if (is_us(&e->recipients[i].id, us))
			return &e->recipients[i];
	for (size_t i = 0; i < e->n_recipients; i++)
		if (e->recipients[i].id.key_id.n == 0 &&
		        bytes_eq(e->recipients[i].id.issuer, us->issuer))
			return &e->recipients[i];
	return NULL;
}

enum rc scep_message_envelope(struct scep_message *m,
        const struct scep_legacy *legacy, const struct cms_id *us,
        struct bytes *encrypted_key, struct why *why)
{
	const struct cms_recipient *r;
	enum rc rc = cms_from_ber(&m->inner, m->cms.content, why);

	if (rc == RC_OK)
		rc = cms_read_enveloped(
		        &m->envelope, buf_bytes(&m->inner), why);
	if (rc != RC_OK)
		return rc;
	if (m->envelope.cipher == OID_NONE)
		return why_set(why, RC_UNSUPPORTED,
		        "encrypted with a cipher other than AES");
	if (m->envelope.cipher == OID_DES_EDE3_CBC && !legacy->des3)
		return why_set(why, RC_UNSUPPORTED,
		        "encrypted with DES3, which this label does not take");
	r = find_us(&m->envelope, us);
	if (r == NULL)
		return why_set(why, RC_NOTFOUND, "encrypted for somebody else");
	*encrypted_key = r->encrypted_key;
	return RC_OK;
}

/* --- what stands in it */
enum rc scep_read_serial(struct cms_id *out, struct bytes der, struct why *why)
{
	static const char what[] = "IssuerAndSerialNumber";
	struct der d;
	enum rc rc = der_open(der, DER_SEQUENCE, &d, what, why);

	*out = (struct cms_id){ .issuer = BYTES_NONE };
	if (rc == RC_OK)
		rc = der_expect_full(&d, DER_SEQUENCE, &out->issuer, what, why);
	if (rc == RC_OK)
		rc = der_integer(&d, &out->serial, what, why);
	return rc == RC_OK ? der_done(&d, what, why) : rc;
}

enum rc scep_read_subject(struct bytes *issuer, struct bytes *subject,
        struct bytes der, struct why *why)
{
	static const char what[] = "IssuerAndSubject";
	struct der d;
	enum rc rc = der_open(der, DER_SEQUENCE, &d, what, why);

	if (rc == RC_OK)
		rc = der_expect_full(&d, DER_SEQUENCE, issuer, what, why);
	if (rc == RC_OK)
		rc = der_expect_full(&d, DER_SEQUENCE, subject, what, why);
	return rc == RC_OK ? der_done(&d, what, why) : rc;
}

/* --- CertRep */

/* Attributes are gathered with their values one behind the other in text. */
struct reply_attrs {
	struct cms_attr list[REPLY_ATTRS_MAX];
	size_t start[REPLY_ATTRS_MAX + 1];
	size_t n;
	struct buf text;
};

static void attr_done(struct reply_attrs *a, enum oid type)
{
	a->list[a->n].type = type;
	a->start[++a->n] = a->text.n;
}

static void add_digit(struct reply_attrs *a, enum oid type, int value)
{
	char digit = (char)('0' + value);

	der_put_printable(&a->text, bytes_of(&digit, 1));
	attr_done(a, type);
}

static void add_octets(struct reply_attrs *a, enum oid type, struct bytes value)
{
	der_put_octets(&a->text, value);
	attr_done(a, type);
}

static void add_all(
        struct reply_attrs *a, const struct scep_reply *r, struct bytes digest)
{
	cms_put_content_type(&a->text, OID_PKCS7_DATA);
	attr_done(a, OID_CONTENT_TYPE);
	cms_put_message_digest(&a->text, digest);
	attr_done(a, OID_MESSAGE_DIGEST);
	add_digit(a, OID_SCEP_MESSAGE_TYPE, SCEP_CERT_REP);
	add_digit(a, OID_SCEP_PKI_STATUS, (int)r->status);
	der_put_printable(&a->text, r->to->transaction_id);
	attr_done(a, OID_SCEP_TRANSACTION_ID);
	add_octets(a, OID_SCEP_SENDER_NONCE, BYTES_ARRAY(r->nonce));
	add_octets(a, OID_SCEP_RECIPIENT_NONCE, r->to->nonce);
	if (r->status != SCEP_FAILURE)
		return;
	add_digit(a, OID_SCEP_FAIL_INFO, r->fail);
	der_put_utf8(&a->text,
	        bytes_slice(
	                bytes_str(r->fail_text), 0, SCEP_FAIL_TEXT_MAX_BYTES));
	attr_done(a, OID_SCEP_FAIL_INFO_TEXT);
}

enum rc scep_reply_put_attrs(
        struct buf *b, const struct scep_reply *r, struct scep_crypt *crypt)
{
	struct reply_attrs a = { .text = BUF_INIT(4096) };
	uint8_t digest[SCEP_DIGEST_MAX_BYTES];
	size_t n;
	enum rc rc =
	        scep_crypt_digest(crypt, OID_SHA256, r->content, digest, &n);

	if (rc != RC_OK)
		return rc;
	add_all(&a, r, bytes_of(digest, n));
	rc = a.text.failed;
	for (size_t i = 0; rc == RC_OK && i < a.n; i++)
		a.list[i].value = bytes_slice(buf_bytes(&a.text), a.start[i],
		        a.start[i + 1] - a.start[i]);
	if (rc == RC_OK)
		rc = cms_put_attrs(b, a.list, a.n);
	buf_free(&a.text);
	return rc;
}

/* Section 3.2 leaves it out where there is none, but OpenSSL's PKCS#7, by which
 * sscep and certmonger read it, takes that for a fault, and cryptlib an empty
 * string. */
enum rc scep_reply_put(struct buf *b, const struct scep_reply *r,
        const struct scep_ra *ra, struct bytes attrs, struct bytes signature)
{
	const struct cms_signer signer = { .digest = OID_SHA256,
		.sig_alg = BYTES_LIT(SCEP_RSA_ENCRYPTION),
		.issuer = ra->id.issuer,
		.serial = ra->id.serial,
		.attrs = attrs,
		.signature = signature };
	const struct cms_signed_data data = { .content_type = OID_PKCS7_DATA,
		.content = r->content,
		.detached = r->detached && r->content.n == 0,
		.certs = &ra->cert,
		.n_certs = 1,
		.signer = &signer };

	return cms_put_signed_data(b, &data);
}
