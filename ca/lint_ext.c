#include "ca/lint_ext.h"
#include "ca/san.h"
#include "der/reader.h"

static enum rc broken(struct why *why, const char *clause)
{
	return why_set(why, RC_INTERNAL, "lint: %s", clause);
}

static enum rc lint_basic_constraints(const struct lint *l, struct why *why)
{
	bool ca;
	enum rc rc = cert_is_ca(l->cert, &ca, why);
	const struct cert_ext *ext = cert_ext(l->cert, OID_BASIC_CONSTRAINTS);
	struct der in;

	if (rc == RC_OK && ca)
		return broken(why,
		        "basicConstraints: a CA certificate is not "
		        "issued here (RFC 5280 section 4.2.1.9)");
	if (rc == RC_OK)
		rc = der_open(
		        ext->value, DER_SEQUENCE, &in, "basicConstraints", why);
	if (rc == RC_OK && der_more(&in))
		rc = broken(why,
		        "basicConstraints: cA FALSE is not encoded, "
		        "and pathLenConstraint needs cA (RFC 5280 "
		        "section 4.2.1.9)");
	return rc;
}

/* RFC 3279 section 2.3.1, RFC 8813 section 3, RFC 8410 section 5. */
static uint32_t usages_of_key(enum key_type type)
{
	const uint32_t sign = USAGE_DIGITAL_SIGNATURE | USAGE_NON_REPUDIATION;

	switch (type) {
	case KEY_RSA:
		return sign | USAGE_KEY_ENCIPHERMENT | USAGE_DATA_ENCIPHERMENT;
	case KEY_P256:
	case KEY_P384:
	case KEY_P521:
		return sign | USAGE_KEY_AGREEMENT | USAGE_ENCIPHER_ONLY |
		        USAGE_DECIPHER_ONLY;
	case KEY_ED25519:
		break;
	}
	return sign;
}

static enum rc lint_key_usage(const struct lint *l, struct why *why)
{
	const uint32_t only = USAGE_ENCIPHER_ONLY | USAGE_DECIPHER_ONLY;

	if (l->usage == 0)
		return broken(why,
		        "keyUsage without a bit set "
		        "(RFC 5280 section 4.2.1.3)");
	if ((l->usage & (USAGE_KEY_CERT_SIGN | USAGE_CRL_SIGN)) != 0)
		return broken(why,
		        "keyUsage of a CA in an end entity "
		        "(RFC 5280 section 4.2.1.3)");
	if ((l->usage & ~usages_of_key(l->key.type)) != 0)
		return broken(why,
		        "keyUsage that the key's type cannot have "
		        "(RFC 3279 section 2.3.1, RFC 8813 section "
		        "3, RFC 8410 section 5)");
	if ((l->usage & only) != 0 && (l->usage & USAGE_KEY_AGREEMENT) == 0)
		return broken(why,
		        "encipherOnly or decipherOnly without "
		        "keyAgreement (RFC 5280 section 4.2.1.3)");
	return RC_OK;
}

/* RFC 5280 section 4.2.1.12: key usages that may be consistent with a purpose;
 * one of them must be there. 0: any. */
static uint32_t usages_of_purpose(enum oid purpose)
{
	switch (purpose) {
	case OID_KP_SERVER_AUTH:
		return USAGE_DIGITAL_SIGNATURE | USAGE_KEY_ENCIPHERMENT |
		        USAGE_KEY_AGREEMENT;
	case OID_KP_CLIENT_AUTH:
		return USAGE_DIGITAL_SIGNATURE | USAGE_KEY_AGREEMENT;
	case OID_KP_CODE_SIGNING:
		return USAGE_DIGITAL_SIGNATURE;
	case OID_KP_EMAIL_PROTECTION:
		return USAGE_DIGITAL_SIGNATURE | USAGE_NON_REPUDIATION |
		        USAGE_KEY_ENCIPHERMENT | USAGE_KEY_AGREEMENT;
	case OID_KP_TIME_STAMPING:
	case OID_KP_OCSP_SIGNING:
		return USAGE_DIGITAL_SIGNATURE | USAGE_NON_REPUDIATION;
	default:
		return 0;
	}
}

static enum rc lint_purpose(const struct lint *l, const struct cert_ext *ext,
        struct bytes oid, struct why *why)
{
	enum oid purpose = oid_find(oid);
	uint32_t fits = usages_of_purpose(purpose);

	if (purpose == OID_ANY_EKU && ext->critical)
		return broken(why,
		        "anyExtendedKeyUsage in a critical "
		        "extKeyUsage (RFC 5280 section 4.2.1.12)");
	if (l->has_usage && fits != 0 && (l->usage & fits) == 0)
		return broken(why,
		        "keyUsage and extKeyUsage have no purpose "
		        "in common (RFC 5280 section 4.2.1.12)");
	return RC_OK;
}

static enum rc lint_eku(
        const struct lint *l, const struct cert_ext *ext, struct why *why)
{
	struct der list;
	struct bytes oid;
	enum rc rc =
	        der_open(ext->value, DER_SEQUENCE, &list, "extKeyUsage", why);

	if (rc == RC_OK && !der_more(&list))
		return broken(why,
		        "extKeyUsage without a purpose "
		        "(RFC 5280 section 4.2.1.12)");
	while (rc == RC_OK && der_more(&list)) {
		rc = der_oid(&list, &oid, "KeyPurposeId", why);
		if (rc == RC_OK)
			rc = lint_purpose(l, ext, oid, why);
	}
	return rc;
}

static enum rc lint_subject_key_id(const struct lint *l, struct why *why)
{
	struct bytes id;
	enum rc rc = cert_subject_key_id(l->cert, &id, why);

	if (rc == RC_OK && id.n == 0)
		rc = broken(why,
		        "subjectKeyIdentifier is empty "
		        "(RFC 5280 section 4.2.1.2)");
	return rc;
}

static enum rc lint_authority_key_id(const struct lint *l, struct why *why)
{
	struct bytes id;
	enum rc rc = cert_authority_key_id(l->cert, &id, why);

	if (rc == RC_OK && id.n == 0)
		rc = broken(why,
		        "authorityKeyIdentifier without "
		        "keyIdentifier (RFC 5280 section 4.2.1.1)");
	return rc;
}

static enum rc lint_san(const struct cert_ext *ext, struct why *why)
{
	struct san_list list;

	return san_parse(&list, ext->value, why);
}

static enum rc next_policy(struct der *list, struct bytes *oid, struct why *why)
{
	struct der info;
	enum rc rc =
	        der_enter(list, DER_SEQUENCE, &info, "PolicyInformation", why);

	if (rc == RC_OK)
		rc = der_oid(&info, oid, "policyIdentifier", why);
	return rc;
}

static enum rc lint_policies(const struct cert_ext *ext, struct why *why)
{
	struct der all, list, before;
	struct bytes oid, other;
	const uint8_t *here;
	enum rc rc = der_open(
	        ext->value, DER_SEQUENCE, &all, "certificatePolicies", why);

	if (rc == RC_OK && !der_more(&all))
		return broken(why,
		        "certificatePolicies is empty "
		        "(RFC 5280 section 4.2.1.4)");
	list = all;
	while (rc == RC_OK && der_more(&list)) {
		here = list.rest.p;
		before = all;
		rc = next_policy(&list, &oid, why);
		while (rc == RC_OK && before.rest.p < here) {
			rc = next_policy(&before, &other, why);
			if (rc == RC_OK && bytes_eq(oid, other))
				rc = broken(why,
				        "a certificate policy stands twice "
				        "(RFC 5280 section 4.2.1.4)");
		}
	}
	return rc;
}

static enum rc lint_uri(struct bytes uri, struct why *why)
{
	if (!san_is_uri(uri))
		return broken(why,
		        "a location that is not an absolute URI "
		        "(RFC 5280 section 4.2.1.6)");
	return RC_OK;
}

/* Section 4.2.1.13: DistributionPoints of ours are fullName URIs. */
static enum rc lint_crl_point(struct der *points, struct why *why)
{
	struct der point, name, full;
	struct bytes uri;
	enum rc rc = der_enter(
	        points, DER_SEQUENCE, &point, "DistributionPoint", why);

	if (rc == RC_OK)
		rc = der_enter(&point, DER_CONTEXT_CONS(0), &name,
		        "distributionPoint", why);
	if (rc == RC_OK)
		rc = der_enter(
		        &name, DER_CONTEXT_CONS(0), &full, "fullName", why);
	if (rc == RC_OK && !der_more(&full))
		return broken(why,
		        "a distribution point without a name "
		        "(RFC 5280 section 4.2.1.13)");
	while (rc == RC_OK && der_more(&full)) {
		rc = der_expect(&full, DER_CONTEXT(6), &uri, "URI", why);
		if (rc == RC_OK)
			rc = lint_uri(uri, why);
	}
	return rc;
}

static enum rc lint_crl_points(const struct cert_ext *ext, struct why *why)
{
	struct der points;
	enum rc rc = der_open(ext->value, DER_SEQUENCE, &points,
	        "cRLDistributionPoints", why);

	if (rc == RC_OK && !der_more(&points))
		return broken(why,
		        "cRLDistributionPoints is empty "
		        "(RFC 5280 section 4.2.1.13)");
	while (rc == RC_OK && der_more(&points))
		rc = lint_crl_point(&points, why);
	return rc;
}

static enum rc lint_access(
        struct lint *l, const struct cert_ext *ext, struct why *why)
{
	struct der list, one;
	struct bytes method, uri;
	enum rc rc = der_open(
	        ext->value, DER_SEQUENCE, &list, "authorityInfoAccess", why);

	if (rc == RC_OK && !der_more(&list))
		return broken(why,
		        "authorityInfoAccess is empty "
		        "(RFC 5280 section 4.2.2.1)");
	while (rc == RC_OK && der_more(&list)) {
		rc = der_enter(
		        &list, DER_SEQUENCE, &one, "AccessDescription", why);
		if (rc == RC_OK)
			rc = der_oid(&one, &method, "accessMethod", why);
		if (rc == RC_OK)
			rc = der_expect(&one, DER_CONTEXT(6), &uri,
			        "accessLocation", why);
		if (rc == RC_OK)
			rc = lint_uri(uri, why);
		if (rc == RC_OK && oid_is(method, OID_PKIX_OCSP))
			l->ocsp_url = true;
	}
	return rc;
}

static enum rc lint_no_rev_avail(const struct cert_ext *ext, struct why *why)
{
	struct der in = der_of(ext->value);
	enum rc rc = der_null(&in, "noRevAvail", why);

	if (rc == RC_OK)
		rc = der_done(&in, "noRevAvail", why);
	return rc;
}

enum critical { CRITICAL_ANY, CRITICAL_YES, CRITICAL_NO, CRITICAL_CA_ONLY };

/* RFC 5280 section 4.2 on each extension; RFC 9608 on noRevAvail. */
static enum critical criticality(enum oid oid)
{
	switch (oid) {
	case OID_KEY_USAGE: /* SHOULD; ours always are */
		return CRITICAL_YES;
	case OID_AUTHORITY_KEY_ID:
	case OID_SUBJECT_KEY_ID:
	case OID_ISSUER_ALT_NAME: /* SHOULD NOT */
	case OID_SUBJECT_DIRECTORY_ATTRIBUTES:
	case OID_FRESHEST_CRL:
	case OID_CRL_DISTRIBUTION_POINTS: /* SHOULD NOT */
	case OID_AUTHORITY_INFO_ACCESS:
	case OID_SUBJECT_INFO_ACCESS:
	case OID_NO_REV_AVAIL:
		return CRITICAL_NO;
	case OID_NAME_CONSTRAINTS:
	case OID_POLICY_CONSTRAINTS:
	case OID_POLICY_MAPPINGS:
	case OID_INHIBIT_ANY_POLICY:
		return CRITICAL_CA_ONLY;
	default:
		return CRITICAL_ANY;
	}
}

static enum rc lint_critical(
        enum oid oid, const struct cert_ext *ext, struct why *why)
{
	enum critical c = criticality(oid);

	if (c == CRITICAL_CA_ONLY)
		return why_set(why, RC_INTERNAL,
		        "lint: %s belongs to CA certificates alone "
		        "(RFC 5280 section 4.2.1)",
		        oid_name(oid));
	if ((c == CRITICAL_YES && !ext->critical) ||
	        (c == CRITICAL_NO && ext->critical))
		return why_set(why, RC_INTERNAL,
		        "lint: %s must %sbe critical (RFC 5280 section 4.2)",
		        oid_name(oid), ext->critical ? "not " : "");
	return RC_OK;
}

static enum rc lint_value(struct lint *l, enum oid oid,
        const struct cert_ext *ext, struct why *why)
{
	switch (oid) {
	case OID_BASIC_CONSTRAINTS:
		return lint_basic_constraints(l, why);
	case OID_KEY_USAGE:
		return lint_key_usage(l, why);
	case OID_EXT_KEY_USAGE:
		return lint_eku(l, ext, why);
	case OID_SUBJECT_KEY_ID:
		return lint_subject_key_id(l, why);
	case OID_AUTHORITY_KEY_ID:
		return lint_authority_key_id(l, why);
	case OID_SUBJECT_ALT_NAME:
		return lint_san(ext, why);
	case OID_CERTIFICATE_POLICIES:
		return lint_policies(ext, why);
	case OID_CRL_DISTRIBUTION_POINTS:
		return lint_crl_points(ext, why);
	case OID_AUTHORITY_INFO_ACCESS:
		return lint_access(l, ext, why);
	case OID_NO_REV_AVAIL:
		return lint_no_rev_avail(ext, why);
	default:
		return der_check(ext->value, "extnValue", why);
	}
}

enum rc lint_extension(
        struct lint *l, const struct cert_ext *ext, struct why *why)
{
	enum oid oid = oid_find(ext->oid);
	enum rc rc = lint_critical(oid, ext, why);

	if (rc == RC_OK)
		rc = lint_value(l, oid, ext, why);
	return rc;
}
