/* ca/tbs_certrep.c - what keys are asked for by SCEP (RFC 8894): signed
 * attributes of a CertRep and of GetNextCACert's answer, and content keys. */
#include "ca/tbs_check.h"

#include "ca/tbs_names.h"
#include "der/oid.h"
#include "der/writer.h"

#define MESSAGE_DIGEST_BYTES 32
#define NONCE_MAX_BYTES 64
#define ENCRYPTED_MAX_BYTES 1024

/* Each is there once; those of a failure are there in one alone. */
enum {
	SEEN_CONTENT_TYPE = 1 << 0,
	SEEN_MESSAGE_DIGEST = 1 << 1,
	SEEN_MESSAGE_TYPE = 1 << 2,
	SEEN_STATUS = 1 << 3,
	SEEN_TRANSACTION = 1 << 4,
	SEEN_SENDER = 1 << 5,
	SEEN_RECIPIENT = 1 << 6,
	SEEN_FAIL_INFO = 1 << 7,
	SEEN_FAIL_TEXT = 1 << 8,
};
#define SEEN_ALWAYS (SEEN_FAIL_INFO - 1)
#define SEEN_NEXT_CA (SEEN_CONTENT_TYPE | SEEN_MESSAGE_DIGEST)

struct certrep_view {
	unsigned seen;
	struct bytes content_type, digest, type, status, fail_info;
};

static enum rc read_nonce(struct der *value, const char *what, struct why *why)
{
	struct bytes nonce = BYTES_NONE;
	enum rc rc = der_octet_string(value, &nonce, what, why);

	if (!rc && (nonce.n == 0 || nonce.n > NONCE_MAX_BYTES))
		rc = DENIED(why, "%s of %zu octets", what, nonce.n);
	return rc;
}

static enum rc read_value(struct certrep_view *v, enum oid type,
        struct der *value, unsigned *bit, struct why *why)
{
	struct bytes text;
	const char *what = oid_name(type);

	switch (type) {
	case OID_CONTENT_TYPE:
		*bit = SEEN_CONTENT_TYPE;
		return der_oid(value, &v->content_type, what, why);
	case OID_MESSAGE_DIGEST:
		*bit = SEEN_MESSAGE_DIGEST;
		return der_octet_string(value, &v->digest, what, why);
	case OID_SCEP_MESSAGE_TYPE:
		*bit = SEEN_MESSAGE_TYPE;
		return der_expect(
		        value, DER_PRINTABLE_STRING, &v->type, what, why);
	case OID_SCEP_PKI_STATUS:
		*bit = SEEN_STATUS;
		return der_expect(
		        value, DER_PRINTABLE_STRING, &v->status, what, why);
	case OID_SCEP_TRANSACTION_ID:
		*bit = SEEN_TRANSACTION;
		return der_expect(
		        value, DER_PRINTABLE_STRING, &text, what, why);
	case OID_SCEP_SENDER_NONCE:
		*bit = SEEN_SENDER;
		return read_nonce(value, what, why);
	case OID_SCEP_RECIPIENT_NONCE:
		*bit = SEEN_RECIPIENT;
		return read_nonce(value, what, why);
	case OID_SCEP_FAIL_INFO:
		*bit = SEEN_FAIL_INFO;
		return der_expect(
		        value, DER_PRINTABLE_STRING, &v->fail_info, what, why);
	case OID_SCEP_FAIL_INFO_TEXT:
		*bit = SEEN_FAIL_TEXT;
		return der_expect(value, DER_UTF8_STRING, &text, what, why);
	default:
		return DENIED(why, "an attribute that no CertRep has");
	}
}

static enum rc read_attr(
        struct certrep_view *v, struct der *set, struct why *why)
{
	struct bytes oid = BYTES_NONE;
	struct der attr, values;
	unsigned bit = 0;
	enum rc rc = der_enter(set, DER_SEQUENCE, &attr, "Attribute", why);

	if (!rc)
		rc = der_oid(&attr, &oid, "attrType", why);
	if (!rc)
		rc = der_enter(&attr, DER_SET, &values, "attrValues", why);
	if (!rc)
		rc = der_done(&attr, "Attribute", why);
	if (!rc)
		rc = read_value(v, oid_find(oid), &values, &bit, why);
	if (!rc)
		rc = der_done(&values, "attrValues", why);
	if (!rc && (v->seen & bit))
		rc = why_set(why, RC_MALFORMED, "an attribute stands twice");
	v->seen |= bit;
	return rc;
}

/* Sections 3.2.1.3 and 3.2.1.4 */
static enum rc check_status(const struct certrep_view *v, struct why *why)
{
	bool failure = bytes_eq_str(v->status, "2");
	bool known = failure || bytes_eq_str(v->status, "0") ||
	        bytes_eq_str(v->status, "3");

	if (!known)
		return DENIED(why, "pkiStatus: not one of RFC 8894");
	if (((v->seen & SEEN_FAIL_INFO) != 0) != failure)
		return DENIED(why, "failInfo does not go with pkiStatus");
	if (!failure && (v->seen & SEEN_FAIL_TEXT))
		return DENIED(why, "failInfoText does not go with pkiStatus");
	if (failure &&
	        (v->fail_info.n != 1 || v->fail_info.p[0] < '0' ||
	                v->fail_info.p[0] > '4'))
		return DENIED(why, "failInfo: not one of RFC 8894");
	return RC_OK;
}

static enum rc read_attrs(
        struct certrep_view *v, struct bytes tbs, struct why *why)
{
	struct der set;
	enum rc rc = tbs.n > TBS_CHECK_MAX_BYTES
	        ? why_set(why, RC_TOOBIG, "signedAttrs: too long")
	        : der_open(tbs, DER_SET, &set, "signedAttrs", why);

	if (!rc)
		rc = der_check_set_of(set.rest, "signedAttrs", why);
	while (!rc && der_more(&set))
		rc = read_attr(v, &set, why);
	if (!rc && (v->seen & SEEN_CONTENT_TYPE) &&
	        !oid_is(v->content_type, OID_PKCS7_DATA))
		rc = DENIED(why, "contentType is not id-data");
	return rc;
}

enum rc tbs_check_certrep(struct bytes tbs, struct why *why)
{
	struct certrep_view v = { .seen = 0 };
	enum rc rc = read_attrs(&v, tbs, why);

	if (rc)
		return rc;
	if ((v.seen & SEEN_ALWAYS) != SEEN_ALWAYS)
		return DENIED(why, "signedAttrs: an attribute is missing");
	if (v.digest.n != MESSAGE_DIGEST_BYTES)
		return DENIED(why, "messageDigest: not of SHA-256's length");
	if (!bytes_eq_str(v.type, "3"))
		return DENIED(why, "messageType is not CertRep");
	return check_status(&v, why);
}

enum rc tbs_check_next_ca(
        const struct tbs_policy *p, struct bytes tbs, struct why *why)
{
	struct certrep_view v = { .seen = 0 };
	enum rc rc = read_attrs(&v, tbs, why);

	if (rc)
		return rc;
	if (v.seen != SEEN_NEXT_CA)
		return DENIED(why,
		        "signedAttrs: not contentType and messageDigest alone");
	if (p->next_ca.n == 0 || !bytes_eq(v.digest, p->next_ca))
		return DENIED(why, "messageDigest is not the next CA's");
	return RC_OK;
}

/* --- content keys */

void tbs_put_decrypt(struct buf *b, size_t key_bytes, struct bytes encrypted)
{
	size_t seq = der_begin(b, DER_SEQUENCE);

	der_put_u64(b, key_bytes);
	der_put_octets(b, encrypted);
	der_end(b, seq);
}

enum rc tbs_decrypt_parts(size_t *key_bytes, struct bytes *encrypted,
        struct bytes tbs, struct why *why)
{
	uint64_t n = 0;
	struct der d;
	enum rc rc = der_open(tbs, DER_SEQUENCE, &d, "content key", why);

	if (!rc)
		rc = der_integer_u64(&d, 32, &n, "content key's octets", why);
	if (!rc)
		rc = der_octet_string(
		        &d, encrypted, "encrypted content key", why);
	if (!rc)
		rc = der_done(&d, "content key", why);
	if (rc)
		return rc;
	if (encrypted->n > ENCRYPTED_MAX_BYTES)
		return why_set(why, RC_TOOBIG, "encrypted content key: over %d",
		        ENCRYPTED_MAX_BYTES);
	/* AES-128, AES-192 and DES3, AES-256 */
	if (n != 16 && n != 24 && n != 32)
		return DENIED(why, "content key of %u octets", (unsigned)n);
	*key_bytes = (size_t)n;
	return RC_OK;
}
