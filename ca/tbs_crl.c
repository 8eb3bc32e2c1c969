/* ca/tbs_crl.c - hold a TBSCertList (RFC 5280 section 5.1) against a key's
 * policy. Entries are walked once, each on its own: however many there are, no
 * memory is taken. */
#include "ca/tbs_names.h"
#include "ca/tbs_status.h"
#include "der/oid.h"
#include "der/reader.h"

#define VERSION_2 1 /* RFC 5280 section 5.1.2.1 */
/* RFC 5280 section 5.2.3 */
#define NUMBER_MAX_BYTES 20
#define REASON_MAX 10 /* RFC 5280 section 5.3.1 */
#define REASON_UNUSED 7
#define REASON_REMOVE_FROM_CRL 8 /* for delta CRLs alone */

/* IssuingDistributionPoint's fields, RFC 5280 section 5.2.5 */
#define IDP_POINT DER_CONTEXT_CONS(0)
#define IDP_FULL_NAME DER_CONTEXT_CONS(0)
#define IDP_USER_CERTS DER_CONTEXT(1)
#define IDP_CA_CERTS DER_CONTEXT(2)
#define NAME_URI DER_CONTEXT(6)

static enum rc check_head(const struct tbs_policy *p, struct der *d,
        int64_t now_s, struct why *why)
{
	struct bytes sig_alg, issuer;
	struct tbs_window w;
	uint64_t version;
	enum rc rc = der_integer_u64(d, UINT32_MAX, &version, "version", why);

	if (!rc && version != VERSION_2)
		rc = why_set(why, RC_MALFORMED, "version is not v2");
	if (!rc)
		rc = der_expect_full(
		        d, DER_SEQUENCE, &sig_alg, "signature", why);
	if (!rc)
		rc = der_expect_full(d, DER_SEQUENCE, &issuer, "issuer", why);
	if (!rc)
		rc = der_time(d, &w.this_update_s, "thisUpdate", why);
	/* Section 5.1.2.5: CRLs of this profile have it. */
	if (!rc)
		rc = der_time(d, &w.next_update_s, "nextUpdate", why);
	if (rc)
		return rc;
	if (!bytes_eq(sig_alg, p->sig_alg))
		return DENIED(why, "signature is not the key's algorithm");
	if (!bytes_eq(issuer, p->issuer))
		return DENIED(why, "issuer is not the key's");
	return tbs_check_window(p, &w, p->crl.max_s, now_s, why);
}

/* --- entries */

static bool reason_is_listed(uint8_t reason)
{
	return reason <= REASON_MAX && reason != REASON_UNUSED &&
	        reason != REASON_REMOVE_FROM_CRL;
}

static enum rc check_reason(const struct tbs_view_ext *e, struct why *why)
{
	struct der d = der_of(e->value);
	struct bytes body;
	enum rc rc = der_expect(&d, DER_ENUMERATED, &body, "reasonCode", why);

	if (!rc)
		rc = der_done(&d, "reasonCode", why);
	if (rc)
		return rc;
	if (e->critical)
		return DENIED(why, "reasonCode is critical");
	if (body.n != 1 || !reason_is_listed(body.p[0]))
		return DENIED(why, "reasonCode is none of a full CRL");
	return RC_OK;
}

/* Any other says more than whose entry it is: certificateIssuer (section
 * 5.3.3) would speak of a foreign CA's certificates. */
static enum rc check_entry_ext(struct der *d, unsigned *seen, struct why *why)
{
	struct tbs_view_ext e;
	enum rc rc = tbs_read_ext(&e, d, why);
	enum oid oid;

	if (rc)
		return rc;
	oid = oid_find(e.oid);
	if (oid != OID_CRL_REASON && oid != OID_INVALIDITY_DATE)
		return DENIED(why, "entry extension %s is not for our CRLs",
		        tbs_oid_label(e.oid));
	if (*seen & 1u << (oid == OID_CRL_REASON))
		return why_set(why, RC_MALFORMED, "an extension stands twice");
	*seen |= 1u << (oid == OID_CRL_REASON);
	return oid == OID_CRL_REASON ? check_reason(&e, why)
	                             : tbs_check_invalidity_date(&e, why);
}

/* Nothing but a reasonCode, as nearly all entries have it: taken apart, it would
 * cost more than all the rest of the entry. */
static bool is_reason_alone(struct bytes exts)
{
	const struct bytes head = BYTES_LIT("\x30\x0c\x30\x0a\x06\x03\x55\x1d"
	                                    "\x15\x04\x03\x0a\x01");

	return exts.n == head.n + 1 && bytes_starts(exts, head) &&
	        reason_is_listed(exts.p[head.n]);
}

static enum rc check_entry(struct der *list, struct why *why)
{
	struct der entry, exts;
	struct bytes serial;
	int64_t revoked_s;
	unsigned seen = 0;
	enum rc rc = der_enter(
	        list, DER_SEQUENCE, &entry, "revokedCertificates", why);

	if (!rc)
		rc = der_integer(&entry, &serial, "userCertificate", why);
	if (!rc && serial.n > TBS_SERIAL_BYTES)
		rc = why_set(why, RC_MALFORMED,
		        "userCertificate: over %d octets", TBS_SERIAL_BYTES);
	if (!rc)
		rc = der_time(&entry, &revoked_s, "revocationDate", why);
	if (rc || !der_more(&entry) || is_reason_alone(entry.rest))
		return rc;
	rc = der_enter(&entry, DER_SEQUENCE, &exts, "crlEntryExtensions", why);
	if (!rc && !der_more(&exts))
		rc = why_set(
		        why, RC_MALFORMED, "crlEntryExtensions: none in it");
	while (!rc && der_more(&exts))
		rc = check_entry_ext(&exts, &seen, why);
	return rc ? rc : der_done(&entry, "revokedCertificates", why);
}

/* Section 5.1.2.6: absent when there are none. */
static enum rc check_entries(struct der *d, struct why *why)
{
	struct der list;
	enum rc rc;

	if (!der_at(d, DER_SEQUENCE))
		return RC_OK;
	rc = der_enter(d, DER_SEQUENCE, &list, "revokedCertificates", why);
	if (!rc && !der_more(&list))
		rc = why_set(
		        why, RC_MALFORMED, "revokedCertificates: none in it");
	while (!rc && der_more(&list))
		rc = check_entry(&list, why);
	return rc;
}

/* --- the CRL's extensions */

static enum rc check_key_id(const struct tbs_policy *p,
        const struct tbs_view_ext *e, struct why *why)
{
	static const char what[] = "authorityKeyIdentifier";
	struct bytes id;
	struct der d;
	enum rc rc = der_open(e->value, DER_SEQUENCE, &d, what, why);

	if (!rc)
		rc = der_expect(&d, DER_CONTEXT(0), &id, what, why);
	if (!rc)
		rc = der_done(&d, what, why);
	if (!rc && (e->critical || !bytes_eq(id, p->crl.key_id)))
		rc = DENIED(why, "authorityKeyIdentifier is not the key's");
	return rc;
}

static enum rc check_number(const struct tbs_view_ext *e, struct why *why)
{
	struct der d = der_of(e->value);
	struct bytes number;
	enum rc rc = der_integer_unsigned(&d, &number, "cRLNumber", why);

	if (!rc)
		rc = der_done(&d, "cRLNumber", why);
	if (!rc && (e->critical || number.n > NUMBER_MAX_BYTES))
		rc = DENIED(why, "cRLNumber is critical, or over %d octets",
		        NUMBER_MAX_BYTES);
	return rc;
}

static enum rc check_point(struct der *idp, struct why *why)
{
	static const char what[] = "issuingDistributionPoint";
	struct der point, names;
	enum rc rc = der_enter(idp, IDP_POINT, &point, what, why);

	if (!rc)
		rc = der_enter(&point, IDP_FULL_NAME, &names, what, why);
	if (!rc)
		rc = der_done(&point, what, why);
	if (!rc && !der_more(&names))
		rc = why_set(why, RC_MALFORMED, "%s: no name in it", what);
	while (!rc && der_more(&names))
		rc = der_expect(&names, NAME_URI, NULL, what, why);
	return rc;
}

/* [n] IMPLICIT BOOLEAN DEFAULT FALSE: there it is TRUE. */
static enum rc check_flag(
        struct der *idp, uint8_t tag, bool *out, struct why *why)
{
	struct bytes body;
	enum rc rc = der_optional(
	        idp, tag, &body, out, "issuingDistributionPoint", why);

	if (!rc && *out && (body.n != 1 || body.p[0] != 0xff))
		rc = why_set(why, RC_MALFORMED,
		        "issuingDistributionPoint: not a DER TRUE");
	return rc;
}

/* Which part of our own certificates it is about, and never whose: neither some
 * reasons alone nor an indirect CRL. */
static enum rc check_idp(const struct tbs_view_ext *e, struct why *why)
{
	static const char what[] = "issuingDistributionPoint";
	bool user = false, ca = false;
	struct der d;
	enum rc rc = der_open(e->value, DER_SEQUENCE, &d, what, why);

	if (!rc && !der_more(&d))
		rc = why_set(why, RC_MALFORMED, "%s: empty", what);
	if (!rc && der_at(&d, IDP_POINT))
		rc = check_point(&d, why);
	if (!rc)
		rc = check_flag(&d, IDP_USER_CERTS, &user, why);
	if (!rc)
		rc = check_flag(&d, IDP_CA_CERTS, &ca, why);
	if (!rc && (!e->critical || (user && ca) || der_more(&d)))
		rc = DENIED(why,
		        "%s: not critical, or with a field that our CRLs do "
		        "not have",
		        what);
	return rc;
}

struct crl_exts {
	bool key_id, number, idp;
};

static enum rc check_ext(const struct tbs_policy *p, struct der *d,
        struct crl_exts *seen, struct why *why)
{
	struct tbs_view_ext e;
	bool *which;
	enum rc rc = tbs_read_ext(&e, d, why);

	if (rc)
		return rc;
	if (oid_is(e.oid, OID_AUTHORITY_KEY_ID)) {
		which = &seen->key_id;
		rc = check_key_id(p, &e, why);
	} else if (oid_is(e.oid, OID_CRL_NUMBER)) {
		which = &seen->number;
		rc = check_number(&e, why);
	} else if (oid_is(e.oid, OID_ISSUING_DISTRIBUTION_POINT)) {
		which = &seen->idp;
		rc = check_idp(&e, why);
	} else {
		return DENIED(why, "extension %s is not for our CRLs",
		        tbs_oid_label(e.oid));
	}
	if (!rc && *which)
		rc = why_set(why, RC_MALFORMED, "an extension stands twice");
	*which = true;
	return rc;
}

/* Sections 5.2.1 and 5.2.3: the first two are in every CRL. */
static enum rc check_exts(
        const struct tbs_policy *p, struct der *d, struct why *why)
{
	struct crl_exts seen = { false, false, false };
	struct der wrap, list;
	enum rc rc =
	        der_enter(d, DER_CONTEXT_CONS(0), &wrap, "crlExtensions", why);

	if (!rc)
		rc = der_enter(
		        &wrap, DER_SEQUENCE, &list, "crlExtensions", why);
	if (!rc)
		rc = der_done(&wrap, "crlExtensions", why);
	while (!rc && der_more(&list))
		rc = check_ext(p, &list, &seen, why);
	if (!rc && !seen.key_id)
		rc = DENIED(why, "authorityKeyIdentifier is missing");
	if (!rc && !seen.number)
		rc = DENIED(why, "cRLNumber is missing");
	return rc;
}

enum rc tbs_check_crl(const struct tbs_policy *p, struct bytes tbs,
        int64_t now_s, struct why *why)
{
	struct der d;
	enum rc rc;

	if (tbs.n > TBS_CRL_MAX_BYTES)
		return why_set(why, RC_TOOBIG, "TBSCertList: over %u bytes",
		        TBS_CRL_MAX_BYTES);
	rc = der_open(tbs, DER_SEQUENCE, &d, "TBSCertList", why);
	if (!rc)
		rc = check_head(p, &d, now_s, why);
	if (!rc)
		rc = check_entries(&d, why);
	if (!rc)
		rc = check_exts(p, &d, why);
	return rc ? rc : der_done(&d, "TBSCertList", why);
}

size_t tbs_max_bytes(uint32_t purpose)
{
	switch (purpose) {
	case SIGNER_CERT:
	case SIGNER_OCSP:
	case SIGNER_CODE:
	case SIGNER_CERTREP:
	case SIGNER_DECRYPT:
	case SIGNER_NEXT_CA:
		return TBS_CHECK_MAX_BYTES;
	case SIGNER_CRL:
		return TBS_CRL_MAX_BYTES;
	default:
		return 0;
	}
}
