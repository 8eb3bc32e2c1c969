#include "ca/cert.h"
#include "der/reader.h"

static enum rc read_version(struct der *d, unsigned *version, struct why *why)
{
	struct der explicit;
	uint64_t v;
	enum rc rc;

	*version = 1;
	if (!der_at(d, DER_CONTEXT_CONS(0)))
		return RC_OK;
	rc = der_enter(d, DER_CONTEXT_CONS(0), &explicit, "version", why);
	if (rc == RC_OK)
		rc = der_integer_u64(&explicit, 2, &v, "version", why);
	if (rc == RC_OK)
		rc = der_done(&explicit, "version", why);
	if (rc != RC_OK)
		return rc;
	if (v == 0) /* X.690 section 11.5: a DEFAULT is left out */
		return why_set(why, RC_MALFORMED, "version: v1 is not encoded");
	*version = (unsigned)v + 1;
	return RC_OK;
}

static enum rc read_validity(struct der *d, struct cert *c, struct why *why)
{
	struct der times;
	enum rc rc = der_enter(d, DER_SEQUENCE, &times, "validity", why);

	if (rc != RC_OK)
		return rc;
	rc = der_time(&times, &c->not_before_s, "notBefore", why);
	if (rc == RC_OK)
		rc = der_time(&times, &c->not_after_s, "notAfter", why);
	if (rc == RC_OK)
		rc = der_done(&times, "validity", why);
	return rc;
}

static enum rc read_extension(
        struct der *d, struct cert_ext *ext, struct why *why)
{
	struct der in;
	enum rc rc = der_enter(d, DER_SEQUENCE, &in, "Extension", why);

	ext->critical = false;
	if (rc == RC_OK)
		rc = der_oid(&in, &ext->oid, "extnID", why);
	if (rc == RC_OK && der_at(&in, DER_BOOLEAN)) {
		rc = der_bool(&in, &ext->critical, "critical", why);
		if (rc == RC_OK && !ext->critical)
			rc = why_set(why, RC_MALFORMED,
			        "critical: FALSE is not encoded");
	}
	if (rc == RC_OK)
		rc = der_octet_string(&in, &ext->value, "extnValue", why);
	if (rc == RC_OK)
		rc = der_done(&in, "Extension", why);
	return rc;
}

static enum rc read_extensions(struct der *d, struct cert *c, struct why *why)
{
	struct der explicit, list;
	enum rc rc;

	if (!der_at(d, DER_CONTEXT_CONS(3)))
		return RC_OK;
	rc = der_enter(d, DER_CONTEXT_CONS(3), &explicit, "extensions", why);
	if (rc == RC_OK)
		rc = der_enter(
		        &explicit, DER_SEQUENCE, &list, "extensions", why);
	if (rc == RC_OK)
		rc = der_done(&explicit, "extensions", why);
	if (rc == RC_OK && !der_more(&list))
		rc = why_set(why, RC_MALFORMED, "extensions: empty");
	while (rc == RC_OK && der_more(&list)) {
		if (c->n_ext == CERT_EXTENSIONS_MAX)
			return why_set(why, RC_TOOBIG, "extensions: over %d",
			        CERT_EXTENSIONS_MAX);
		rc = read_extension(&list, &c->ext[c->n_ext++], why);
	}
	return rc;
}

/* RFC 5280 section 4.1.2.8. Nobody uses them: noted and read past. */
static enum rc skip_unique_ids(struct der *d, struct cert *c, struct why *why)
{
	bool issuer = false, subject = false;
	struct bytes id;
	enum rc rc = der_optional(
	        d, DER_CONTEXT(1), &id, &issuer, "issuerUniqueID", why);

	if (rc == RC_OK)
		rc = der_optional(d, DER_CONTEXT(2), &id, &subject,
		        "subjectUniqueID", why);
	c->unique_ids = issuer || subject;
	return rc;
}

/* What read_validity() reads, passed over. */
static enum rc skip_validity(struct der *in, struct cert *c, struct why *why)
{
	struct bytes validity;

	(void)c;
	return der_expect(in, DER_SEQUENCE, &validity, "validity", why);
}

/* As far as the key. */
static enum rc read_head(struct der *in, struct cert *c,
        enum rc (*validity)(struct der *in, struct cert *c, struct why *why),
        struct why *why)
{
	enum rc rc = read_version(in, &c->version, why);

	if (rc == RC_OK)
		rc = der_integer(in, &c->serial, "serialNumber", why);
	if (rc == RC_OK)
		rc = der_expect_full(
		        in, DER_SEQUENCE, &c->tbs_alg, "signature", why);
	if (rc == RC_OK)
		rc = der_expect_full(
		        in, DER_SEQUENCE, &c->issuer, "issuer", why);
	if (rc == RC_OK)
		rc = validity(in, c, why);
	if (rc == RC_OK)
		rc = der_expect_full(
		        in, DER_SEQUENCE, &c->subject, "subject", why);
	if (rc == RC_OK)
		rc = der_expect_full(in, DER_SEQUENCE, &c->spki,
		        "subjectPublicKeyInfo", why);
	return rc;
}

static enum rc read_tbs(struct der *in, struct cert *c, struct why *why)
{
	enum rc rc = read_head(in, c, read_validity, why);

	if (rc == RC_OK)
		rc = skip_unique_ids(in, c, why);
	if (rc == RC_OK)
		rc = read_extensions(in, c, why);
	if (rc == RC_OK)
		rc = der_done(in, "TBSCertificate", why);
	return rc;
}

static void cert_clear(struct cert *c)
{
	/* The array of extensions is large, and read only up to n_ext. */
	c->der = c->tbs = c->sig_alg = c->signature = BYTES_NONE;
	c->n_ext = 0;
}

enum rc cert_parse_tbs(struct cert *out, struct bytes tbs, struct why *why)
{
	struct der in;
	enum rc rc;

	cert_clear(out);
	if (tbs.n > CERT_MAX_BYTES)
		return why_set(why, RC_TOOBIG, "TBSCertificate: over %d bytes",
		        CERT_MAX_BYTES);
	rc = der_open(tbs, DER_SEQUENCE, &in, "TBSCertificate", why);
	if (rc == RC_OK)
		rc = read_tbs(&in, out, why);
	out->tbs = tbs;
	return rc;
}

enum rc cert_parse(struct cert *out, struct bytes der, struct why *why)
{
	struct bytes tbs, sig_alg, signature;
	struct der in;
	enum rc rc;

	cert_clear(out);
	if (der.n > CERT_MAX_BYTES)
		return why_set(why, RC_TOOBIG, "Certificate: over %d bytes",
		        CERT_MAX_BYTES);
	rc = der_open(der, DER_SEQUENCE, &in, "Certificate", why);
	if (rc == RC_OK)
		rc = der_expect_full(
		        &in, DER_SEQUENCE, &tbs, "tbsCertificate", why);
	if (rc == RC_OK)
		rc = der_expect_full(
		        &in, DER_SEQUENCE, &sig_alg, "signatureAlgorithm", why);
	if (rc == RC_OK)
		rc = der_bit_octets(&in, &signature, "signatureValue", why);
	if (rc == RC_OK)
		rc = der_done(&in, "Certificate", why);
	if (rc == RC_OK)
		rc = cert_parse_tbs(out, tbs, why);
	if (rc != RC_OK)
		return rc;
	out->der = der;
	out->sig_alg = sig_alg;
	out->signature = signature;
	if (!bytes_eq(out->tbs_alg, sig_alg))
		return why_set(why, RC_MALFORMED,
		        "signatureAlgorithm differs from the TBS's "
		        "(RFC 5280 section 4.1.1.2)");
	return RC_OK;
}

enum rc cert_parse_key(struct cert *out, struct bytes der, struct why *why)
{
	struct der in, tbs;
	enum rc rc;

	cert_clear(out);
	if (der.n > CERT_MAX_BYTES)
		return why_set(why, RC_TOOBIG, "Certificate: over %d bytes",
		        CERT_MAX_BYTES);
	rc = der_open(der, DER_SEQUENCE, &in, "Certificate", why);
	if (rc == RC_OK)
		rc = der_enter(&in, DER_SEQUENCE, &tbs, "tbsCertificate", why);
	if (rc == RC_OK)
		rc = read_head(&tbs, out, skip_validity, why);
	out->der = der;
	return rc;
}

const struct cert_ext *cert_ext(const struct cert *c, enum oid oid)
{
	size_t i;

	for (i = 0; i < c->n_ext; i++)
		if (oid_is(c->ext[i].oid, oid))
			return &c->ext[i];
	return NULL;
}

enum rc cert_is_ca(const struct cert *c, bool *ca, struct why *why)
{
	const struct cert_ext *ext = cert_ext(c, OID_BASIC_CONSTRAINTS);
	struct bytes path;
	struct der in;
	enum rc rc;

	*ca = false;
	if (ext == NULL)
		return RC_OK;
	rc = der_open(ext->value, DER_SEQUENCE, &in, "basicConstraints", why);
	if (rc == RC_OK && der_at(&in, DER_BOOLEAN))
		rc = der_bool(&in, ca, "cA", why);
	if (rc == RC_OK && der_more(&in))
		rc = der_integer_unsigned(&in, &path, "pathLenConstraint", why);
	if (rc == RC_OK)
		rc = der_done(&in, "basicConstraints", why);
	return rc;
}

bool cert_path_len(const struct cert *c, uint64_t *len)
{
	const struct cert_ext *ext = cert_ext(c, OID_BASIC_CONSTRAINTS);
	struct der in;
	bool ca;

	return ext != NULL &&
	        der_open(ext->value, DER_SEQUENCE, &in, "", NULL) == RC_OK &&
	        der_bool(&in, &ca, "", NULL) == RC_OK && der_more(&in) &&
	        der_integer_u64(&in, UINT64_MAX, len, "", NULL) == RC_OK;
}

enum rc cert_key_usage(
        const struct cert *c, uint32_t *bits, bool *present, struct why *why)
{
	const struct cert_ext *ext = cert_ext(c, OID_KEY_USAGE);
	struct der in;
	enum rc rc;

	*bits = 0;
	*present = ext != NULL;
	if (ext == NULL)
		return RC_OK;
	in = der_of(ext->value);
	rc = der_named_bits(&in, bits, "keyUsage", why);
	if (rc == RC_OK)
		rc = der_done(&in, "keyUsage", why);
	return rc;
}

enum rc cert_subject_key_id(
        const struct cert *c, struct bytes *id, struct why *why)
{
	const struct cert_ext *ext = cert_ext(c, OID_SUBJECT_KEY_ID);
	struct der in;
	enum rc rc;

	*id = BYTES_NONE;
	if (ext == NULL)
		return RC_OK;
	in = der_of(ext->value);
	rc = der_octet_string(&in, id, "subjectKeyIdentifier", why);
	if (rc == RC_OK)
		rc = der_done(&in, "subjectKeyIdentifier", why);
	return rc;
}

enum rc cert_authority_key_id(
        const struct cert *c, struct bytes *id, struct why *why)
{
	const struct cert_ext *ext = cert_ext(c, OID_AUTHORITY_KEY_ID);
	struct der in;
	bool present;
	enum rc rc;

	*id = BYTES_NONE;
	if (ext == NULL)
		return RC_OK;
	rc = der_open(
	        ext->value, DER_SEQUENCE, &in, "authorityKeyIdentifier", why);
	if (rc == RC_OK)
		rc = der_optional(&in, DER_CONTEXT(0), id, &present,
		        "keyIdentifier", why);
	return rc;
}
