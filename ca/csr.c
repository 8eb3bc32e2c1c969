#include "ca/csr.h"
#include "ca/keypolicy.h"
#include "base/text.h"
#include "der/name.h"
#include "der/oid.h"
#include <stdlib.h>
#include <string.h>

struct attribute {
	struct bytes oid;
	struct bytes values; /* content of the SET */
};

struct csr {
	struct bytes info; /* CertificationRequestInfo: what is signed */
	struct bytes subject;
	struct spki spki;
	enum sig_alg alg; /* ALG_NONE: sha1WithRSAEncryption */
	struct bytes sig;
	struct attribute attributes[CSR_ATTRIBUTES_MAX];
	size_t n_attributes;
	bool has_challenge;
	struct bytes challenge;
	struct csr_extension extensions[CSR_EXTENSIONS_MAX];
	size_t n_extensions;
	struct san_list sans;
	bool has_key_usage;
	uint32_t key_usage;
	struct bytes ekus; /* content of ExtKeyUsageSyntax */
	bool wants_ca;
	size_t n_der;
	uint8_t der[];
};

/* A BOOLEAN with DEFAULT FALSE. DER leaves the default out (X.690 section
 * 11.5), yet encoders that write it exist, and nothing of a request is encoded
 * again: it is read either way. */
static enum rc read_default_false(
        struct der *d, bool *out, const char *what, struct why *why)
{
	*out = false;
	return der_at(d, DER_BOOLEAN) ? der_bool(d, out, what, why) : RC_OK;
}

/* BasicConstraints (RFC 5280 section 4.2.1.9). */
static enum rc read_basic_constraints(
        struct csr *csr, struct bytes value, struct why *why)
{
	const char *what = "basicConstraints";
	struct bytes path_len;
	struct der bc;
	enum rc rc;

	rc = der_open(value, DER_SEQUENCE, &bc, what, why);
	if (rc == RC_OK)
		rc = read_default_false(&bc, &csr->wants_ca, what, why);
	if (rc == RC_OK && der_more(&bc))
		rc = der_integer_unsigned(&bc, &path_len, what, why);
	if (rc == RC_OK)
		rc = der_done(&bc, what, why);
	return rc;
}

static enum rc read_key_usage(
        struct csr *csr, struct bytes value, struct why *why)
{
	struct der d = der_of(value);
	enum rc rc = der_named_bits(&d, &csr->key_usage, "keyUsage", why);

	if (rc == RC_OK)
		rc = der_done(&d, "keyUsage", why);
	csr->has_key_usage = rc == RC_OK;
	return rc;
}

/* ExtKeyUsageSyntax (RFC 5280 section 4.2.1.12). */
static enum rc read_ekus(struct csr *csr, struct bytes value, struct why *why)
{
	struct bytes oid;
	struct der d;
	enum rc rc;

	rc = der_open(value, DER_SEQUENCE, &d, "extKeyUsage", why);
	if (rc == RC_OK && !der_more(&d))
		rc = why_set(why, RC_MALFORMED, "extKeyUsage: empty");
	if (rc == RC_OK)
		csr->ekus = d.rest;
	while (rc == RC_OK && der_more(&d))
		rc = der_oid(&d, &oid, "extKeyUsage", why);
	return rc;
}

static enum rc read_known_extension(
        struct csr *csr, const struct csr_extension *e, struct why *why)
{
	switch (oid_find(e->oid)) {
	case OID_SUBJECT_ALT_NAME:
		return san_parse(&csr->sans, e->value, why);
	case OID_KEY_USAGE:
		return read_key_usage(csr, e->value, why);
	case OID_EXT_KEY_USAGE:
		return read_ekus(csr, e->value, why);
	case OID_BASIC_CONSTRAINTS:
		return read_basic_constraints(csr, e->value, why);
	default:
		return RC_OK;
	}
}

/* Extension (RFC 5280 section 4.1). */
static enum rc read_extension(
        struct csr *csr, struct der *extensions, struct why *why)
{
	struct csr_extension e;
	struct der d;
	enum rc rc;

	rc = der_enter(extensions, DER_SEQUENCE, &d, "Extension", why);
	if (rc == RC_OK)
		rc = der_oid(&d, &e.oid, "extnID", why);
	if (rc == RC_OK)
		rc = read_default_false(&d, &e.critical, "critical", why);
	if (rc == RC_OK)
		rc = der_octet_string(&d, &e.value, "extnValue", why);
	if (rc == RC_OK)
		rc = der_done(&d, "Extension", why);
	if (rc != RC_OK)
		return rc;
	if (csr_extension(csr, e.oid))
		return why_set(why, RC_MALFORMED,
		        "extensionRequest: an extension twice");
	if (csr->n_extensions == CSR_EXTENSIONS_MAX)
		return why_set(why, RC_TOOBIG,
		        "extensionRequest: more than %d extensions",
		        CSR_EXTENSIONS_MAX);
	csr->extensions[csr->n_extensions++] = e;
	return read_known_extension(csr, &e, why);
}

static enum rc read_extension_request(
        struct csr *csr, struct der *values, struct why *why)
{
	struct der d;
	enum rc rc;

	rc = der_enter(values, DER_SEQUENCE, &d, "extensionRequest", why);
	while (rc == RC_OK && der_more(&d))
		rc = read_extension(csr, &d, why);
	return rc;
}

/* A DirectoryString by RFC 2985 section 5.4.1; IA5String is what some write. */
static enum rc read_challenge(
        struct csr *csr, struct der *values, struct why *why)
{
	const char *what = "challengePassword";
	struct der_item item;
	enum rc rc = der_next(values, &item, what, why);
	bool ok;

	if (rc != RC_OK)
		return rc;
	if (item.tag == DER_UTF8_STRING)
		ok = text_is_utf8(item.body);
	else if (item.tag == DER_PRINTABLE_STRING)
		ok = der_body_is_printable(item.body);
	else if (item.tag == DER_IA5_STRING)
		ok = der_body_is_ia5(item.body);
	else
		return why_set(why, RC_UNSUPPORTED, "%s: string type %02x",
		        what, item.tag);
	if (!ok || item.body.n == 0)
		return why_set(
		        why, RC_MALFORMED, "%s: not its string type", what);
	if (item.body.n > CSR_CHALLENGE_MAX_BYTES)
		return why_set(why, RC_TOOBIG, "%s: over %d bytes", what,
		        CSR_CHALLENGE_MAX_BYTES);
	csr->has_challenge = true;
	csr->challenge = item.body;
	return RC_OK;
}

/* Both attributes that we read are single-valued (RFC 2985 section 5.4). */
static enum rc read_known_attribute(
        struct csr *csr, struct attribute a, struct why *why)
{
	struct der values = der_of(a.values);
	enum rc rc;

	if (oid_is(a.oid, OID_CHALLENGE_PASSWORD))
		rc = read_challenge(csr, &values, why);
	else if (oid_is(a.oid, OID_EXTENSION_REQUEST))
		rc = read_extension_request(csr, &values, why);
	else
		return RC_OK;
	if (rc == RC_OK && der_more(&values))
		rc = why_set(
		        why, RC_MALFORMED, "attribute: more than one value");
	return rc;
}

static enum rc read_attribute(
        struct csr *csr, struct der *attributes, struct why *why)
{
	struct attribute a;
	struct bytes twice;
	struct der d;
	enum rc rc;

	rc = der_enter(attributes, DER_SEQUENCE, &d, "attribute", why);
	if (rc == RC_OK)
		rc = der_oid(&d, &a.oid, "attribute type", why);
	if (rc == RC_OK)
		rc = der_expect(
		        &d, DER_SET, &a.values, "attribute values", why);
	if (rc == RC_OK)
		rc = der_done(&d, "attribute", why);
	if (rc != RC_OK)
		return rc;
	if (csr_attribute(csr, a.oid, &twice))
		return why_set(why, RC_MALFORMED, "attribute: a type twice");
	if (csr->n_attributes == CSR_ATTRIBUTES_MAX)
		return why_set(why, RC_TOOBIG, "more than %d attributes",
		        CSR_ATTRIBUTES_MAX);
	csr->attributes[csr->n_attributes++] = a;
	return read_known_attribute(csr, a, why);
}

/* RFC 2986 section 4.1. Two liberties, since clients take them and the
 * signature covers the bytes as they came: the SET OF attributes need not be
 * in order, and the empty [0] may be missing. */
static enum rc read_attributes(
        struct csr *csr, struct der *info, struct why *why)
{
	struct bytes full;
	struct der d;
	enum rc rc;

	if (!der_more(info))
		return RC_OK;
	rc = der_expect_full(
	        info, DER_CONTEXT_CONS(0), &full, "attributes", why);
	if (rc == RC_OK)
		rc = der_check(full, "attributes", why);
	if (rc == RC_OK)
		rc = der_open(full, DER_CONTEXT_CONS(0), &d, "attributes", why);
	while (rc == RC_OK && der_more(&d))
		rc = read_attribute(csr, &d, why);
	return rc;
}

/* CertificationRequestInfo (RFC 2986 section 4.1). */
static enum rc read_info(struct csr *csr, struct why *why)
{
	struct bytes spki;
	uint64_t version;
	struct der info;
	enum rc rc;

	rc = der_open(csr->info, DER_SEQUENCE, &info,
	        "CertificationRequestInfo", why);
	if (rc == RC_OK)
		rc = der_integer_u64(
		        &info, UINT8_MAX, &version, "version", why);
	if (rc == RC_OK && version != 0)
		rc = why_set(why, RC_UNSUPPORTED, "version: not v1");
	if (rc == RC_OK)
		rc = der_expect_full(
		        &info, DER_SEQUENCE, &csr->subject, "subject", why);
	if (rc == RC_OK)
		rc = name_check(csr->subject, why);
	if (rc == RC_OK)
		rc = der_expect_full(
		        &info, DER_SEQUENCE, &spki, "subjectPKInfo", why);
	if (rc == RC_OK)
		rc = spki_parse(&csr->spki, spki, why);
	if (rc == RC_OK)
		rc = read_attributes(csr, &info, why);
	if (rc == RC_OK)
		rc = der_done(&info, "CertificationRequestInfo", why);
	return rc;
}

/* AlgorithmIdentifier (RFC 3279 section 2.2.1) */
#define SHA1_WITH_RSA                                                          \
	"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05\x05\x00"

static enum rc read_alg(
        struct csr *csr, struct der *d, bool sha1, struct why *why)
{
	struct bytes old = BYTES_LIT(SHA1_WITH_RSA);
	struct bytes skipped;

	if (!sha1 || !bytes_starts(d->rest, old))
		return alg_read(d, &csr->alg, "signatureAlgorithm", why);
	csr->alg = ALG_NONE;
	return der_expect_full(
	        d, DER_SEQUENCE, &skipped, "signatureAlgorithm", why);
}

/* CertificationRequest (RFC 2986 section 4.2). */
static enum rc read_request(struct csr *csr, bool sha1, struct why *why)
{
	struct der d;
	enum rc rc;

	rc = der_open(
	        csr_der(csr), DER_SEQUENCE, &d, "CertificationRequest", why);
	if (rc == RC_OK)
		rc = der_expect_full(&d, DER_SEQUENCE, &csr->info,
		        "CertificationRequestInfo", why);
	if (rc == RC_OK)
		rc = read_alg(csr, &d, sha1, why);
	if (rc == RC_OK)
		rc = der_bit_octets(&d, &csr->sig, "signature", why);
	if (rc == RC_OK)
		rc = der_done(&d, "CertificationRequest", why);
	if (rc == RC_OK)
		rc = read_info(csr, why);
	return rc;
}

/* The key is fit, and who asks has its private half. */
static enum rc prove(const struct csr *csr, struct pubkey_ctx *keys,
        const struct csr_opts *opts, struct why *why)
{
	const struct pubkey_known *known = &opts->known;
	const struct spki *key = &csr->spki;
	bool again = known->key != NULL && bytes_eq(known->spki, key->der);
	enum rc rc = again ? RC_OK : keypolicy_check(key, why);

	if (rc != RC_OK || opts->proven)
		return rc;
	if (csr->alg == ALG_NONE)
		return pubkey_prove_rsa_sha1(
		        keys, key, csr->info, csr->sig, why);
	if (again)
		return pubkey_verify(keys, known->key, key->type, csr->alg,
		        csr->info, csr->sig, why);
	return pubkey_prove(keys, key, csr->alg, csr->info, csr->sig, why);
}

enum rc csr_parse_with(struct csr **out, struct pubkey_ctx *keys,
        const struct csr_opts *opts, struct bytes der, struct why *why)
{
	struct csr *csr;
	enum rc rc;

	*out = NULL;
	if (der.n == 0)
		return why_set(
		        why, RC_MALFORMED, "CertificationRequest: empty");
	if (der.n > CSR_DER_MAX_BYTES)
		return why_set(why, RC_TOOBIG,
		        "CertificationRequest: over %d bytes",
		        CSR_DER_MAX_BYTES);
	csr = calloc(1, sizeof(*csr) + der.n);
	if (!csr)
		return why_set(why, RC_NOMEM, "%s", rc_info(RC_NOMEM)->text);
	memcpy(csr->der, der.p, der.n);
	csr->n_der = der.n;
	rc = read_request(csr, opts->sha1 || opts->proven, why);
	if (rc == RC_OK)
		rc = prove(csr, keys, opts, why);
	if (rc == RC_OK)
		*out = csr;
	else
		csr_free(csr);
	return rc;
}

enum rc csr_parse(struct csr **out, struct pubkey_ctx *keys, struct bytes der,
        struct why *why)
{
	const struct csr_opts opts = { .sha1 = false };

	return csr_parse_with(out, keys, &opts, der, why);
}

void csr_put_shown(struct buf *b, const struct csr *csr)
{
	size_t at = b->n;

	buf_add(b, csr_der(csr));
	if (csr->has_challenge && b->failed == RC_OK)
		memset(b->p + at + (csr->challenge.p - csr->der), 'x',
		        csr->challenge.n);
}

bool csr_is_for(struct bytes der, struct bytes spki)
{
	struct bytes found;
	struct der d, info;

	return der_open(der, DER_SEQUENCE, &d, "", NULL) == RC_OK &&
	        der_enter(&d, DER_SEQUENCE, &info, "", NULL) == RC_OK &&
	        der_expect(&info, DER_INTEGER, NULL, "", NULL) == RC_OK &&
	        der_expect(&info, DER_SEQUENCE, NULL, "", NULL) == RC_OK &&
	        der_expect_full(&info, DER_SEQUENCE, &found, "", NULL) ==
	        RC_OK &&
	        bytes_eq(found, spki);
}

void csr_free(struct csr *csr)
{
	free(csr);
}

struct bytes csr_der(const struct csr *csr)
{
	return bytes_of(csr->der, csr->n_der);
}

struct bytes csr_subject(const struct csr *csr)
{
	return csr->subject;
}

const struct spki *csr_spki(const struct csr *csr)
{
	return &csr->spki;
}

uint32_t csr_key_type(const struct csr *csr)
{
	return keypolicy_type(&csr->spki);
}

bool csr_challenge(const struct csr *csr, struct bytes *out)
{
	if (csr->has_challenge)
		*out = csr->challenge;
	return csr->has_challenge;
}

bool csr_attribute(
        const struct csr *csr, struct bytes oid, struct bytes *values)
{
	for (size_t i = 0; i < csr->n_attributes; i++) {
		if (!bytes_eq(csr->attributes[i].oid, oid))
			continue;
		*values = csr->attributes[i].values;
		return true;
	}
	return false;
}

size_t csr_extension_count(const struct csr *csr)
{
	return csr->n_extensions;
}

const struct csr_extension *csr_extension_at(const struct csr *csr, size_t i)
{
	return i < csr->n_extensions ? &csr->extensions[i] : NULL;
}

const struct csr_extension *csr_extension(
        const struct csr *csr, struct bytes oid)
{
	for (size_t i = 0; i < csr->n_extensions; i++) {
		if (bytes_eq(csr->extensions[i].oid, oid))
			return &csr->extensions[i];
	}
	return NULL;
}

const struct san_list *csr_sans(const struct csr *csr)
{
	return &csr->sans;
}

bool csr_key_usage(const struct csr *csr, uint32_t *bits)
{
	if (csr->has_key_usage)
		*bits = csr->key_usage;
	return csr->has_key_usage;
}

bool csr_eku(const struct csr *csr, unsigned nth, struct bytes *oid)
{
	struct der d = der_of(csr->ekus);

	for (unsigned i = 0; der_more(&d); i++) {
		if (der_oid(&d, oid, "extKeyUsage", NULL) != RC_OK)
			return false;
		if (i == nth)
			return true;
	}
	return false;
}

bool csr_wants_ca(const struct csr *csr)
{
	return csr->wants_ca;
}
