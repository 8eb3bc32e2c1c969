/* ca/tbs_read.c - take a TBSCertificate apart (RFC 5280 section 4.1). */
#include "ca/tbs_read.h"

#include "der/name.h"
#include "der/oid.h"
#include "der/reader.h"

#include <string.h>

#define VERSION_3 2 /* RFC 5280 section 4.1.2.1 */

static enum rc read_head(struct tbs_view *v, struct der *d, struct why *why)
{
	struct der inside;
	uint64_t version;
	enum rc rc;

	if (!der_at(d, DER_CONTEXT_CONS(0)))
		return why_set(why, RC_MALFORMED, "version is not v3");
	rc = der_enter(d, DER_CONTEXT_CONS(0), &inside, "version", why);
	if (!rc)
		rc = der_integer_u64(
		        &inside, UINT32_MAX, &version, "version", why);
	if (!rc)
		rc = der_done(&inside, "version", why);
	if (!rc && version != VERSION_3)
		rc = why_set(why, RC_MALFORMED, "version is not v3");
	if (!rc)
		rc = der_integer(d, &v->serial, "serialNumber", why);
	if (!rc)
		rc = der_expect_full(
		        d, DER_SEQUENCE, &v->sig_alg, "signature", why);
	if (!rc)
		rc = der_expect_full(
		        d, DER_SEQUENCE, &v->issuer, "issuer", why);
	return rc;
}

static enum rc read_validity(struct tbs_view *v, struct der *d, struct why *why)
{
	struct der inside;
	enum rc rc = der_enter(d, DER_SEQUENCE, &inside, "validity", why);

	if (!rc)
		rc = der_time(&inside, &v->not_before_s, "notBefore", why);
	if (!rc)
		rc = der_time(&inside, &v->not_after_s, "notAfter", why);
	if (!rc)
		rc = der_done(&inside, "validity", why);
	if (!rc && v->not_after_s < v->not_before_s)
		rc = why_set(why, RC_MALFORMED, "notAfter is before notBefore");
	return rc;
}

static enum rc read_subject(struct tbs_view *v, struct der *d, struct why *why)
{
	struct bytes spki;
	enum rc rc =
	        der_expect_full(d, DER_SEQUENCE, &v->subject, "subject", why);

	if (!rc)
		rc = name_check(v->subject, why);
	if (!rc)
		rc = der_expect_full(
		        d, DER_SEQUENCE, &spki, "subjectPublicKeyInfo", why);
	if (!rc)
		rc = spki_parse(&v->spki, spki, why);
	return rc;
}

static bool has_ext(const struct tbs_view *v, struct bytes oid)
{
	for (size_t i = 0; i < v->n_ext; i++)
		if (bytes_eq(v->ext[i].oid, oid))
			return true;
	return false;
}

enum rc tbs_read_ext(struct tbs_view_ext *e, struct der *d, struct why *why)
{
	struct der inside;
	enum rc rc = der_enter(d, DER_SEQUENCE, &inside, "extension", why);

	*e = (struct tbs_view_ext){ BYTES_NONE, false, BYTES_NONE };
	if (!rc)
		rc = der_oid(&inside, &e->oid, "extnID", why);
	if (!rc && der_at(&inside, DER_BOOLEAN)) {
		rc = der_bool(&inside, &e->critical, "critical", why);
		if (!rc && !e->critical) /* a DEFAULT, X.690 section 11.5 */
			rc = why_set(why, RC_MALFORMED,
			        "critical: the default is written out");
	}
	if (!rc)
		rc = der_octet_string(&inside, &e->value, "extnValue", why);
	return rc ? rc : der_done(&inside, "extension", why);
}

static enum rc read_ext(struct tbs_view *v, struct der *d, struct why *why)
{
	struct tbs_view_ext e;
	enum rc rc = tbs_read_ext(&e, d, why);

	if (!rc)
		rc = der_check(e.value, "extnValue", why);
	if (rc)
		return rc;
	/* RFC 5280 section 4.2: one instance of each */
	if (has_ext(v, e.oid))
		return why_set(why, RC_MALFORMED, "an extension stands twice");
	if (v->n_ext == TBS_EXTENSIONS_MAX)
		return why_set(why, RC_TOOBIG, "over %d extensions",
		        TBS_EXTENSIONS_MAX);
	v->ext[v->n_ext++] = e;
	return RC_OK;
}

static enum rc read_exts(struct tbs_view *v, struct der *d, struct why *why)
{
	struct der wrap, list;
	enum rc rc;

	if (!der_more(d))
		return RC_OK;
	if (!der_at(d, DER_CONTEXT_CONS(3)))
		return why_set(why, RC_MALFORMED,
		        "unique identifiers, or unknown fields, after the key");
	rc = der_enter(d, DER_CONTEXT_CONS(3), &wrap, "extensions", why);
	if (!rc)
		rc = der_enter(&wrap, DER_SEQUENCE, &list, "extensions", why);
	if (!rc)
		rc = der_done(&wrap, "extensions", why);
	if (!rc && !der_more(&list))
		rc = why_set(why, RC_MALFORMED, "extensions: none in it");
	while (!rc && der_more(&list))
		rc = read_ext(v, &list, why);
	return rc;
}

/* RFC 5280 section 4.2.1.9 */
static enum rc read_bc(struct tbs_view *v, struct why *why)
{
	static const char what[] = "basicConstraints";
	struct der d;
	uint64_t len;
	enum rc rc = der_open(v->bc->value, DER_SEQUENCE, &d, what, why);

	if (!rc && der_at(&d, DER_BOOLEAN)) {
		rc = der_bool(&d, &v->ca, what, why);
		if (!rc && !v->ca)
			rc = why_set(why, RC_MALFORMED,
			        "basicConstraints: the default is written out");
	}
	if (!rc && der_at(&d, DER_INTEGER)) {
		rc = der_integer_u64(&d, UINT32_MAX, &len, what, why);
		v->path_len = true;
	}
	return rc ? rc : der_done(&d, what, why);
}

/* RFC 5280 section 4.2.1.3: at least one bit is set. */
static enum rc read_ku(struct tbs_view *v, struct why *why)
{
	struct der d = der_of(v->ku->value);
	enum rc rc = der_named_bits(&d, &v->key_usage, "keyUsage", why);

	if (!rc)
		rc = der_done(&d, "keyUsage", why);
	if (!rc && v->key_usage == 0)
		rc = why_set(why, RC_MALFORMED, "keyUsage: no bit is set");
	return rc;
}

/* RFC 5280 section 4.2.1.12 */
static enum rc read_eku(struct tbs_view *v, struct why *why)
{
	struct bytes oid;
	struct der d;
	enum rc rc =
	        der_open(v->eku->value, DER_SEQUENCE, &d, "extKeyUsage", why);

	if (!rc && !der_more(&d))
		rc = why_set(why, RC_MALFORMED, "extKeyUsage: none in it");
	while (!rc && der_more(&d))
		rc = der_oid(&d, &oid, "extKeyUsage", why);
	return rc;
}

static enum rc read_known(struct tbs_view *v, struct why *why)
{
	enum rc rc = RC_OK;

	for (size_t i = 0; i < v->n_ext; i++) {
		const struct tbs_view_ext *e = &v->ext[i];

		if (oid_is(e->oid, OID_BASIC_CONSTRAINTS))
			v->bc = e;
		else if (oid_is(e->oid, OID_KEY_USAGE))
			v->ku = e;
		else if (oid_is(e->oid, OID_EXT_KEY_USAGE))
			v->eku = e;
		else if (oid_is(e->oid, OID_SUBJECT_ALT_NAME))
			v->san = e;
	}
	if (v->bc)
		rc = read_bc(v, why);
	if (!rc && v->ku)
		rc = read_ku(v, why);
	if (!rc && v->eku)
		rc = read_eku(v, why);
	return rc;
}

enum rc tbs_read(struct tbs_view *v, struct bytes tbs, struct why *why)
{
	struct der d;
	enum rc rc;

	memset(v, 0, sizeof(*v));
	if (tbs.n > TBS_CHECK_MAX_BYTES)
		return why_set(why, RC_TOOBIG, "TBSCertificate: over %d bytes",
		        TBS_CHECK_MAX_BYTES);
	rc = der_open(tbs, DER_SEQUENCE, &d, "TBSCertificate", why);
	if (!rc)
		rc = read_head(v, &d, why);
	if (!rc)
		rc = read_validity(v, &d, why);
	if (!rc)
		rc = read_subject(v, &d, why);
	if (!rc)
		rc = read_exts(v, &d, why);
	if (!rc)
		rc = der_done(&d, "TBSCertificate", why);
	if (!rc)
		rc = read_known(v, why);
	return rc;
}

bool tbs_has_eku(const struct tbs_view *v, struct bytes oid)
{
	struct bytes found;
	struct der d;

	if (!v->eku ||
	        der_open(v->eku->value, DER_SEQUENCE, &d, "extKeyUsage", NULL))
		return false;
	while (der_more(&d) && !der_oid(&d, &found, "extKeyUsage", NULL))
		if (bytes_eq(found, oid))
			return true;
	return false;
}
