#include "ca/lint.h"
#include "ca/lint_ext.h"
#include "der/name.h"

#define SERIAL_MAX_OCTETS 20

static enum rc broken(struct why *why, const char *clause)
{
	return why_set(why, RC_INTERNAL, "lint: %s", clause);
}

static enum rc lint_version(const struct cert *c, struct why *why)
{
	if (c->version != 3)
		return broken(why,
		        "version is not v3, with extensions "
		        "(RFC 5280 section 4.1.2.1)");
	if (c->unique_ids)
		return broken(why,
		        "unique identifiers MUST NOT be generated "
		        "(RFC 5280 section 4.1.2.8)");
	return RC_OK;
}

static enum rc lint_serial(const struct cert *c, struct why *why)
{
	if (c->serial.n > SERIAL_MAX_OCTETS)
		return broken(why,
		        "serialNumber over 20 octets "
		        "(RFC 5280 section 4.1.2.2)");
	if (c->serial.n == 0 || (c->serial.p[0] & 0x80) != 0 ||
	        (c->serial.n == 1 && c->serial.p[0] == 0))
		return broken(why,
		        "serialNumber is not positive "
		        "(RFC 5280 section 4.1.2.2)");
	return RC_OK;
}

static enum rc lint_issuer(const struct cert *c, struct bytes sig_alg,
        struct bytes issuer, struct why *why)
{
	if (!bytes_eq(c->tbs_alg, sig_alg))
		return broken(why,
		        "signature is not the algorithm that signs "
		        "(RFC 5280 section 4.1.1.2)");
	if (name_is_empty(c->issuer))
		return broken(
		        why, "issuer is empty (RFC 5280 section 4.1.2.4)");
	if (!bytes_eq(c->issuer, issuer))
		return broken(why,
		        "issuer is not the authority's subject "
		        "(RFC 5280 section 6.1.3)");
	return RC_OK;
}

/* That each time has the form of its year was seen while parsing. */
static enum rc lint_validity(const struct cert *c, struct why *why)
{
	if (c->not_after_s < c->not_before_s)
		return broken(why,
		        "notAfter is before notBefore "
		        "(RFC 5280 section 4.1.2.5)");
	return RC_OK;
}

/* RFC 5280 section 4.1.2.4 and appendix A.1: DirectoryString as PrintableString
 * or UTF8String, and the types that have one string type each. */
static bool string_type_fits(const struct name_attr *a)
{
	if (oid_is(a->oid, OID_C) || oid_is(a->oid, OID_SERIAL_NUMBER) ||
	        oid_is(a->oid, OID_DN_QUALIFIER))
		return a->tag == DER_PRINTABLE_STRING;
	if (oid_is(a->oid, OID_EMAIL) || oid_is(a->oid, OID_DC))
		return a->tag == DER_IA5_STRING;
	return a->tag == DER_UTF8_STRING || a->tag == DER_PRINTABLE_STRING;
}

static enum rc lint_subject(const struct cert *c, struct why *why)
{
	struct name_walk w;
	struct name_attr a;
	struct name_part part;
	enum rc rc = name_check(c->subject, why);

	if (rc != RC_OK)
		return rc;
	w = name_walk(c->subject);
	while (name_next(&w, &a)) {
		if (!string_type_fits(&a))
			return broken(why,
			        "subject attribute of the wrong string type "
			        "(RFC 5280 section 4.1.2.4)");
		/* Character sets, upper bounds, two letters of a country. */
		part.oid = a.oid;
		part.text = a.value;
		rc = name_part_check(&part, why);
		if (rc != RC_OK)
			return rc;
	}
	return RC_OK;
}

static enum rc lint_alt_name(const struct cert *c, struct why *why)
{
	const struct cert_ext *san = cert_ext(c, OID_SUBJECT_ALT_NAME);

	if (name_is_empty(c->subject) && (san == NULL || !san->critical))
		return broken(why,
		        "an empty subject needs a critical subjectAltName "
		        "(RFC 5280 section 4.1.2.6)");
	return RC_OK;
}

static enum rc lint_twice(const struct cert *c, struct why *why)
{
	size_t i, j;

	for (i = 1; i < c->n_ext; i++)
		for (j = 0; j < i; j++)
			if (bytes_eq(c->ext[i].oid, c->ext[j].oid))
				return broken(why,
				        "an extension stands twice "
				        "(RFC 5280 section 4.2)");
	return RC_OK;
}

static enum rc lint_extensions(struct lint *l, struct why *why)
{
	const struct cert *c = l->cert;
	enum rc rc = cert_key_usage(c, &l->usage, &l->has_usage, why);
	size_t i;

	for (i = 0; i < c->n_ext && rc == RC_OK; i++)
		rc = lint_extension(l, &c->ext[i], why);
	if (rc == RC_OK && cert_ext(c, OID_AUTHORITY_KEY_ID) == NULL)
		rc = broken(why,
		        "no authorityKeyIdentifier "
		        "(RFC 5280 section 4.2.1.1)");
	if (rc == RC_OK && cert_ext(c, OID_NO_REV_AVAIL) != NULL &&
	        (l->ocsp_url || cert_ext(c, OID_FRESHEST_CRL) != NULL ||
	                cert_ext(c, OID_CRL_DISTRIBUTION_POINTS) != NULL))
		rc = broken(why,
		        "noRevAvail beside a way to ask for revocation "
		        "(RFC 9608 section 2)");
	return rc;
}

static enum rc lint_fields(struct lint *l, struct bytes sig_alg,
        struct bytes issuer, struct why *why)
{
	const struct cert *c = l->cert;
	enum rc rc = lint_version(c, why);

	if (rc == RC_OK)
		rc = lint_serial(c, why);
	if (rc == RC_OK)
		rc = lint_issuer(c, sig_alg, issuer, why);
	if (rc == RC_OK)
		rc = lint_validity(c, why);
	if (rc == RC_OK)
		rc = lint_subject(c, why);
	if (rc == RC_OK)
		rc = lint_alt_name(c, why);
	if (rc == RC_OK)
		rc = lint_twice(c, why);
	if (rc == RC_OK)
		rc = spki_parse(&l->key, c->spki, why);
	return rc;
}

enum rc lint_tbs(struct bytes tbs, struct bytes sig_alg, struct bytes issuer,
        struct why *why)
{
	struct cert cert;
	struct lint l = { .cert = &cert };
	enum rc rc = cert_parse_tbs(&cert, tbs, why);

	if (rc == RC_OK)
		rc = lint_fields(&l, sig_alg, issuer, why);
	if (rc == RC_OK)
		rc = lint_extensions(&l, why);
	if (rc == RC_OK || rc == RC_INTERNAL)
		return rc;
	return why_prefix(why, RC_INTERNAL, "lint");
}
