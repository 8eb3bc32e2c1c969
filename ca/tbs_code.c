/* ca/tbs_code.c - hold the signed attributes of a code signature (RFC 5652
 * section 5.3), and the certificate they are made under, against a key's
 * policy. */
#include "ca/tbs_names.h"
#include "ca/tbs_read.h"
#include "der/oid.h"
#include "der/reader.h"

/* Exactly these, each once. */
enum attr_bit {
	ATTR_CONTENT_TYPE = 1 << 0,
	ATTR_MESSAGE_DIGEST = 1 << 1,
	ATTR_SIGNING_TIME = 1 << 2,
	ATTR_SIGNING_CERTIFICATE = 1 << 3,
	ATTR_ALGORITHM_PROTECT = 1 << 4,
	ATTR_ALL = (1 << 5) - 1,
};

struct code_view {
	unsigned seen; /* enum attr_bit */
	struct bytes content_type;
	struct bytes digest;
	int64_t signing_s;
	struct bytes cert_sha256;
	struct bytes digest_alg; /* its OID */
	struct bytes sig_alg;    /* content of the AlgorithmIdentifier */
};

enum rc tbs_code_parts(struct bytes *cert, struct bytes *attrs,
        struct bytes tbs, struct why *why)
{
	struct bytes c = BYTES_NONE, a = BYTES_NONE;
	struct der d;
	enum rc rc;

	if (tbs.n > TBS_CHECK_MAX_BYTES)
		return why_set(why, RC_TOOBIG, "code: over %d bytes",
		        TBS_CHECK_MAX_BYTES);
	rc = der_open(tbs, DER_SEQUENCE, &d, "code", why);
	if (!rc)
		rc = der_expect_full(&d, DER_SEQUENCE, &c, "certificate", why);
	if (!rc)
		rc = der_expect_full(&d, DER_SET, &a, "signedAttrs", why);
	if (!rc)
		rc = der_done(&d, "code", why);
	if (rc)
		return rc;
	if (cert)
		*cert = c;
	*attrs = a;
	return RC_OK;
}

/* --- the attributes */

/* RFC 5035 section 4: one ESSCertIDv2 by SHA-256, its DEFAULT, and nothing
 * beside it. */
static enum rc read_signing_certificate(
        struct der *value, struct bytes *hash, struct why *why)
{
	static const char what[] = "signingCertificateV2";
	struct der all, certs, id;
	enum rc rc = der_enter(value, DER_SEQUENCE, &all, what, why);

	if (!rc)
		rc = der_enter(&all, DER_SEQUENCE, &certs, what, why);
	if (!rc)
		rc = der_done(&all, what, why);
	if (!rc)
		rc = der_enter(&certs, DER_SEQUENCE, &id, what, why);
	if (!rc)
		rc = der_done(&certs, what, why);
	if (!rc)
		rc = der_octet_string(&id, hash, what, why);
	return rc ? rc : der_done(&id, what, why);
}

/* RFC 6211 section 2 */
static enum rc read_protect(
        struct der *value, struct code_view *v, struct why *why)
{
	static const char what[] = "cmsAlgorithmProtect";
	struct der all, digest;
	enum rc rc = der_enter(value, DER_SEQUENCE, &all, what, why);

	if (!rc)
		rc = der_enter(&all, DER_SEQUENCE, &digest, what, why);
	if (!rc)
		rc = der_oid(&digest, &v->digest_alg, what, why);
	if (!rc) /* parameters are absent (RFC 5754 section 2) */
		rc = der_done(&digest, what, why);
	if (!rc)
		rc = der_expect(
		        &all, DER_CONTEXT_CONS(1), &v->sig_alg, what, why);
	return rc ? rc : der_done(&all, what, why);
}

static enum rc read_value(struct code_view *v, enum attr_bit which,
        struct der *value, struct why *why)
{
	switch (which) {
	case ATTR_CONTENT_TYPE:
		return der_oid(value, &v->content_type, "contentType", why);
	case ATTR_MESSAGE_DIGEST:
		return der_octet_string(
		        value, &v->digest, "messageDigest", why);
	case ATTR_SIGNING_TIME:
		return der_time(value, &v->signing_s, "signingTime", why);
	case ATTR_SIGNING_CERTIFICATE:
		return read_signing_certificate(value, &v->cert_sha256, why);
	default:
		return read_protect(value, v, why);
	}
}

static enum attr_bit bit_of(struct bytes oid)
{
	switch (oid_find(oid)) {
	case OID_CONTENT_TYPE:
		return ATTR_CONTENT_TYPE;
	case OID_MESSAGE_DIGEST:
		return ATTR_MESSAGE_DIGEST;
	case OID_SIGNING_TIME:
		return ATTR_SIGNING_TIME;
	case OID_AA_SIGNING_CERTIFICATE_V2:
		return ATTR_SIGNING_CERTIFICATE;
	case OID_AA_CMS_ALGORITHM_PROTECT:
		return ATTR_ALGORITHM_PROTECT;
	default:
		return 0;
	}
}

static enum rc read_attr(struct code_view *v, struct der *set, struct why *why)
{
	struct bytes oid = BYTES_NONE;
	struct der attr, values;
	enum attr_bit which;
	enum rc rc = der_enter(set, DER_SEQUENCE, &attr, "Attribute", why);

	if (!rc)
		rc = der_oid(&attr, &oid, "attrType", why);
	if (!rc)
		rc = der_enter(&attr, DER_SET, &values, "attrValues", why);
	if (!rc)
		rc = der_done(&attr, "Attribute", why);
	if (rc)
		return rc;
	which = bit_of(oid);
	if (which == 0)
		return DENIED(why, "attribute %s is not for code signatures",
		        tbs_oid_label(oid));
	if (v->seen & which)
		return why_set(why, RC_MALFORMED, "an attribute stands twice");
	v->seen |= which;
	rc = read_value(v, which, &values, why);
	return rc ? rc : der_done(&values, "attrValues", why);
}

static enum rc read_attrs(
        struct code_view *v, struct bytes attrs, struct why *why)
{
	struct der set;
	enum rc rc = der_open(attrs, DER_SET, &set, "signedAttrs", why);

	if (!rc)
		rc = der_check_set_of(set.rest, "signedAttrs", why);
	while (!rc && der_more(&set))
		rc = read_attr(v, &set, why);
	if (!rc && v->seen != ATTR_ALL)
		rc = DENIED(why, "signedAttrs: an attribute is missing");
	return rc;
}

static enum rc check_algorithms(const struct code_view *v,
        const struct tbs_code_key *key, struct why *why)
{
	struct bytes own = BYTES_NONE;
	enum sig_alg alg = ALG_NONE;
	struct der d = der_of(key->sig_alg);
	enum oid digest;
	enum rc rc = alg_read(&d, &alg, "the key's algorithm", why);

	if (!rc) {
		d = der_of(key->sig_alg);
		rc = der_expect(&d, DER_SEQUENCE, &own, "algorithm", why);
	}
	if (rc)
		return rc;
	digest = alg_digest(alg);
	if (!bytes_eq(v->sig_alg, own))
		return DENIED(why,
		        "cmsAlgorithmProtect: signatureAlgorithm is not the "
		        "key's");
	if (!oid_is(v->digest_alg, digest))
		return DENIED(why,
		        "cmsAlgorithmProtect: digestAlgorithm does not go with "
		        "the key's");
	if (v->digest.n != alg_digest_bytes(digest))
		return DENIED(why, "messageDigest: not of the length of %s",
		        oid_name(digest));
	return RC_OK;
}

static enum rc check_attrs(const struct code_view *v, int64_t now_s,
        const struct tbs_code_key *key, struct why *why)
{
	if (!oid_is(v->content_type, OID_PKCS7_DATA))
		return DENIED(why, "contentType is not id-data");
	if (v->signing_s < now_s - TBS_CODE_SKEW_S ||
	        v->signing_s > now_s + TBS_CODE_SKEW_S)
		return DENIED(why, "signingTime is not now");
	if (key->cert_sha256.n != TBS_CODE_CERT_HASH_BYTES ||
	        !bytes_eq(v->cert_sha256, key->cert_sha256))
		return DENIED(why,
		        "signingCertificateV2 is not the certificate's hash");
	return check_algorithms(v, key, why);
}

/* --- the certificate */

static enum rc check_cert(const struct tbs_policy *p, struct bytes der,
        int64_t now_s, const struct tbs_code_key *key, struct why *why)
{
	struct bytes tbs = BYTES_NONE;
	struct tbs_view v;
	struct der d;
	enum rc rc = der_open(der, DER_SEQUENCE, &d, "certificate", why);

	/* Whether its signature is good is for those to say who hold the
	 * authority's certificate: what is checked is that it is this key's. */
	if (!rc)
		rc = der_expect_full(
		        &d, DER_SEQUENCE, &tbs, "TBSCertificate", why);
	if (!rc)
		rc = tbs_read(&v, tbs, why);
	if (rc)
		return rc;
	if (!bytes_eq(v.spki.der, key->spki))
		return DENIED(why, "certificate: not of this key");
	if (!bytes_eq(v.issuer, p->issuer))
		return DENIED(why, "certificate: not by the key's authority");
	if (v.ca || (v.key_usage & TBS_KEY_CERT_SIGN))
		return DENIED(why, "certificate: a CA's");
	if (!tbs_has_eku(&v, oid_bytes(OID_KP_CODE_SIGNING)))
		return DENIED(why, "certificate: not for code signing");
	if (now_s < v.not_before_s || now_s > v.not_after_s)
		return DENIED(why, "certificate: not valid now");
	return RC_OK;
}

enum rc tbs_check_code(const struct tbs_policy *p, struct bytes tbs,
        int64_t now_s, const struct tbs_code_key *key, struct why *why)
{
	struct code_view v = { .seen = 0 };
	struct bytes cert = BYTES_NONE, attrs = BYTES_NONE;
	enum rc rc = tbs_code_parts(&cert, &attrs, tbs, why);

	if (!rc)
		rc = read_attrs(&v, attrs, why);
	if (!rc)
		rc = check_attrs(&v, now_s, key, why);
	if (!rc)
		rc = check_cert(p, cert, now_s, key, why);
	return rc;
}
