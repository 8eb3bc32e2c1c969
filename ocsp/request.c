#include "ocsp/request.h"

#include "der/oid.h"

static const size_t hash_bytes[CERTID_HASHES] = {
	[CERTID_SHA1] = 20,
	[CERTID_SHA256] = 32,
};

/* --- CertID (RFC 6960 section 4.1.1) */
static enum certid_hash hash_of(struct bytes oid)
{
	if (oid_is(oid, OID_SHA1))
		return CERTID_SHA1;
	if (oid_is(oid, OID_SHA256))
		return CERTID_SHA256;
	return CERTID_OTHER;
}

static enum rc read_hash_alg(struct der *d, struct certid *id, struct why *why)
{
	struct der alg;
	struct der_item params;
	struct bytes oid;
	enum rc rc = der_enter(d, DER_SEQUENCE, &alg, "hashAlgorithm", why);

	if (rc == RC_OK)
		rc = der_oid(&alg, &oid, "hashAlgorithm", why);
	if (rc != RC_OK)
		return rc;
	id->hash = hash_of(oid);
	id->null_params = der_at(&alg, DER_NULL);
	if (id->hash != CERTID_OTHER) {
		if (id->null_params)
			rc = der_null(&alg, "hashAlgorithm.parameters", why);
	} else if (der_more(&alg)) {
		rc = der_next(&alg, &params, "hashAlgorithm.parameters", why);
		if (rc == RC_OK)
			rc = der_check(
			        params.full, "hashAlgorithm.parameters", why);
	}
	return rc != RC_OK ? rc : der_done(&alg, "hashAlgorithm", why);
}

static enum rc check_lengths(const struct certid *id, struct why *why)
{
	if (id->serial.n > OCSP_REQUEST_SERIAL_MAX_BYTES)
		return why_set(why, RC_TOOBIG, "serialNumber: over %d octets",
		        OCSP_REQUEST_SERIAL_MAX_BYTES);
	if (id->hash == CERTID_OTHER)
		return RC_OK;
	if (id->name_hash.n != hash_bytes[id->hash])
		return why_set(why, RC_MALFORMED,
		        "issuerNameHash: not the length of its hash");
	if (id->key_hash.n != hash_bytes[id->hash])
		return why_set(why, RC_MALFORMED,
		        "issuerKeyHash: not the length of its hash");
	return RC_OK;
}

static enum rc read_certid(struct der *d, struct certid *id, struct why *why)
{
	const uint8_t *at = d->rest.p;
	struct der in;
	enum rc rc = der_enter(d, DER_SEQUENCE, &in, "CertID", why);

	if (rc == RC_OK)
		rc = read_hash_alg(&in, id, why);
	if (rc == RC_OK)
		rc = der_octet_string(
		        &in, &id->name_hash, "issuerNameHash", why);
	if (rc == RC_OK)
		rc = der_octet_string(&in, &id->key_hash, "issuerKeyHash", why);
	if (rc == RC_OK)
		rc = der_integer(&in, &id->serial, "serialNumber", why);
	if (rc == RC_OK)
		rc = der_done(&in, "CertID", why);
	if (rc != RC_OK)
		return rc;
	id->der = bytes_of(at, (size_t)(d->rest.p - at));
	return check_lengths(id, why);
}

/* --- extensions */
struct extension {
	struct bytes oid, value;
	bool critical;
};

static enum rc read_extension(
        struct der *d, struct extension *x, struct why *why)
{
	struct der in;
	enum rc rc = der_enter(d, DER_SEQUENCE, &in, "Extension", why);

	x->critical = false;
	if (rc == RC_OK)
		rc = der_oid(&in, &x->oid, "extnID", why);
	if (rc == RC_OK && der_at(&in, DER_BOOLEAN)) {
		rc = der_bool(&in, &x->critical, "critical", why);
		if (rc == RC_OK && !x->critical)
			rc = why_set(why, RC_MALFORMED,
			        "critical: FALSE is not encoded");
	}
	if (rc == RC_OK)
		rc = der_octet_string(&in, &x->value, "extnValue", why);
	return rc != RC_OK ? rc : der_done(&in, "Extension", why);
}

static enum rc read_nonce(
        struct ocsp_request *r, const struct extension *x, struct why *why)
{
	struct der d = der_of(x->value);
	struct bytes octets;

	if (der_octet_string(&d, &octets, "nonce", NULL) != RC_OK ||
	        der_more(&d))
		octets = x->value;
	if (octets.n == 0)
		return why_set(why, RC_MALFORMED,
		        "nonce: empty (RFC 9654 section 2.1)");
	if (octets.n > OCSP_REQUEST_NONCE_MAX_BYTES)
		return why_set(why, RC_MALFORMED,
		        "nonce: over %d octets (RFC 9654 section 2.1)",
		        OCSP_REQUEST_NONCE_MAX_BYTES);
	r->has_nonce = true;
	r->nonce = x->value;
	return RC_OK;
}

/* Acceptable responses and preferred algorithms (RFC 6960 sections 4.4.3 and
 * 4.4.7) are read past: there is one form that every client must take, and one
 * algorithm that the responder's key has. */
static enum rc take_extension(struct ocsp_request *r, bool of_request,
        const struct extension *x, struct why *why)
{
	if (of_request && oid_is(x->oid, OID_OCSP_NONCE))
		return read_nonce(r, x, why);
	if (of_request &&
	        (oid_is(x->oid, OID_OCSP_RESPONSE) ||
	                oid_is(x->oid, OID_OCSP_PREF_SIG_ALGS)))
		return RC_OK;
	if (x->critical)
		return why_set(
		        why, RC_MALFORMED, "an unknown extension is critical");
	return RC_OK;
}

static bool seen_before(
        const struct extension *list, size_t n, struct bytes oid)
{
	for (size_t i = 0; i < n; i++)
		if (bytes_eq(list[i].oid, oid))
			return true;
	return false;
}

static enum rc read_extensions(struct ocsp_request *r, struct der *d,
        uint8_t tag, bool of_request, struct why *why)
{
	struct extension list[OCSP_REQUEST_EXTENSIONS_MAX];
	struct der explicit, in;
	size_t n = 0;
	enum rc rc = der_enter(d, tag, &explicit, "extensions", why);

	if (rc == RC_OK)
		rc = der_enter(&explicit, DER_SEQUENCE, &in, "extensions", why);
	if (rc == RC_OK)
		rc = der_done(&explicit, "extensions", why);
	if (rc == RC_OK && !der_more(&in)) /* RFC 5280 section 4.1: 1..MAX */
		rc = why_set(why, RC_MALFORMED, "extensions: empty");
	while (rc == RC_OK && der_more(&in)) {
		if (n == OCSP_REQUEST_EXTENSIONS_MAX)
			return why_set(why, RC_TOOBIG, "extensions: over %d",
			        OCSP_REQUEST_EXTENSIONS_MAX);
		rc = read_extension(&in, &list[n], why);
		if (rc == RC_OK && seen_before(list, n, list[n].oid))
			rc = why_set(why, RC_MALFORMED,
			        "extensions: one stands twice");
		if (rc == RC_OK)
			rc = take_extension(r, of_request, &list[n++], why);
	}
	return rc;
}

/* --- TBSRequest */
static enum rc read_version(struct der *d, struct why *why)
{
	if (!der_at(d, DER_CONTEXT_CONS(0)))
		return RC_OK;
	/* v1 is the only one, and the default: X.690 section 11.5 */
	return why_set(why, RC_MALFORMED, "version: other than v1");
}

/* requestorName: a GeneralName, of no use to us. */
static enum rc skip_name(struct der *d, struct why *why)
{
	struct bytes name;
	bool present;
	enum rc rc = der_optional(
	        d, DER_CONTEXT_CONS(1), &name, &present, "requestorName", why);

	return rc != RC_OK || !present ? rc
	                               : der_check(name, "requestorName", why);
}

static enum rc read_request(
        struct ocsp_request *r, struct der *d, struct why *why)
{
	struct der in;
	enum rc rc = der_enter(d, DER_SEQUENCE, &in, "Request", why);

	if (rc == RC_OK)
		rc = read_certid(&in, &r->list[r->n++], why);
	if (rc == RC_OK && der_at(&in, DER_CONTEXT_CONS(0)))
		rc = read_extensions(r, &in, DER_CONTEXT_CONS(0), false, why);
	return rc != RC_OK ? rc : der_done(&in, "Request", why);
}

static enum rc read_list(struct ocsp_request *r, struct der *d, struct why *why)
{
	struct der in;
	enum rc rc = der_enter(d, DER_SEQUENCE, &in, "requestList", why);

	if (rc == RC_OK && !der_more(&in))
		rc = why_set(why, RC_MALFORMED, "requestList: empty");
	while (rc == RC_OK && der_more(&in)) {
		if (r->n == OCSP_REQUEST_CERTS_MAX)
			return why_set(why, RC_TOOBIG, "requestList: over %d",
			        OCSP_REQUEST_CERTS_MAX);
		rc = read_request(r, &in, why);
	}
	return rc;
}

static enum rc read_tbs(struct ocsp_request *r, struct der *d, struct why *why)
{
	struct der in;
	enum rc rc = der_enter(d, DER_SEQUENCE, &in, "tbsRequest", why);

	if (rc == RC_OK)
		rc = read_version(&in, why);
	if (rc == RC_OK)
		rc = skip_name(&in, why);
	if (rc == RC_OK)
		rc = read_list(r, &in, why);
	if (rc == RC_OK && der_at(&in, DER_CONTEXT_CONS(2)))
		rc = read_extensions(r, &in, DER_CONTEXT_CONS(2), true, why);
	return rc != RC_OK ? rc : der_done(&in, "tbsRequest", why);
}

/* --- optionalSignature */
static enum rc skip_certs(struct der *d, struct why *why)
{
	struct der explicit, certs;
	struct der_item cert;
	enum rc rc = RC_OK;

	if (!der_at(d, DER_CONTEXT_CONS(0)))
		return RC_OK;
	rc = der_enter(d, DER_CONTEXT_CONS(0), &explicit, "certs", why);
	if (rc == RC_OK)
		rc = der_enter(&explicit, DER_SEQUENCE, &certs, "certs", why);
	if (rc == RC_OK)
		rc = der_done(&explicit, "certs", why);
	while (rc == RC_OK && der_more(&certs)) {
		rc = der_next(&certs, &cert, "certs", why);
		if (rc == RC_OK)
			rc = der_check(cert.full, "certs", why);
	}
	return rc;
}

static enum rc skip_signature(struct der *d, struct why *why)
{
	struct der explicit, in;
	struct bytes alg, bits;
	enum rc rc = RC_OK;

	if (!der_at(d, DER_CONTEXT_CONS(0)))
		return RC_OK;
	rc = der_enter(d, DER_CONTEXT_CONS(0), &explicit, "signature", why);
	if (rc == RC_OK)
		rc = der_enter(&explicit, DER_SEQUENCE, &in, "signature", why);
	if (rc == RC_OK)
		rc = der_done(&explicit, "signature", why);
	if (rc == RC_OK)
		rc = der_expect_full(
		        &in, DER_SEQUENCE, &alg, "signatureAlgorithm", why);
	if (rc == RC_OK)
		rc = der_check(alg, "signatureAlgorithm", why);
	if (rc == RC_OK)
		rc = der_bit_octets(&in, &bits, "signature", why);
	if (rc == RC_OK)
		rc = skip_certs(&in, why);
	return rc != RC_OK ? rc : der_done(&in, "signature", why);
}

enum rc ocsp_request_parse(
        struct ocsp_request *out, struct bytes der, struct why *why)
{
	struct der in;
	enum rc rc;

	out->n = 0;
	out->has_nonce = false;
	out->nonce = BYTES_NONE;
	if (der.n > OCSP_REQUEST_MAX_BYTES)
		return why_set(why, RC_TOOBIG, "OCSPRequest: over %d bytes",
		        OCSP_REQUEST_MAX_BYTES);
	rc = der_open(der, DER_SEQUENCE, &in, "OCSPRequest", why);
	if (rc == RC_OK)
		rc = read_tbs(out, &in, why);
	if (rc == RC_OK)
		rc = skip_signature(&in, why);
	return rc != RC_OK ? rc : der_done(&in, "OCSPRequest", why);
}
