/* ca/tbs_ocsp.c - hold a ResponseData (RFC 6960 section 4.2.1) against a key's
 * policy. */
#include "ca/tbs_names.h"
#include "ca/tbs_status.h"
#include "der/oid.h"
#include "der/reader.h"

#define KEY_HASH_BYTES 20
/* An OCTET STRING of 128 octets with its header (RFC 9654 section 2.1). What
 * is inside is the client's and is echoed as it came. */
#define NONCE_MAX_BYTES 131
/* What is echoed may be longer than any serial that exists. */
#define ASKED_SERIAL_MAX_BYTES 64
#define REASON_MAX 10 /* RFC 5280 section 5.3.1 */
#define REASON_UNUSED 7

/* CertStatus */
#define STATUS_GOOD DER_CONTEXT(0)
#define STATUS_REVOKED DER_CONTEXT_CONS(1)
#define STATUS_UNKNOWN DER_CONTEXT(2)

/* version is v1, a DEFAULT that DER leaves out: responderID stands first. */
static enum rc read_responder(
        struct der *d, struct bytes *key_hash, struct why *why)
{
	struct der by_key;
	enum rc rc;

	if (der_at(d, DER_CONTEXT_CONS(1)))
		return why_set(why, RC_UNSUPPORTED, "responderID is byName");
	rc = der_enter(d, DER_CONTEXT_CONS(2), &by_key, "responderID", why);
	if (!rc)
		rc = der_octet_string(&by_key, key_hash, "responderID", why);
	return rc ? rc : der_done(&by_key, "responderID", why);
}

static enum rc open_data(struct bytes tbs, struct der *d, struct why *why)
{
	if (tbs.n > TBS_CHECK_MAX_BYTES)
		return why_set(why, RC_TOOBIG, "ResponseData: over %d bytes",
		        TBS_CHECK_MAX_BYTES);
	return der_open(tbs, DER_SEQUENCE, d, "ResponseData", why);
}

enum rc tbs_ocsp_responder(
        struct bytes *key_hash, struct bytes tbs, struct why *why)
{
	struct der d;
	enum rc rc = open_data(tbs, &d, why);

	return rc ? rc : read_responder(&d, key_hash, why);
}

/* hashAlgorithm: SHA-1 or SHA-256, parameters absent or NULL as the client had
 * them. */
static enum rc read_hash(struct der *d, enum oid *out, struct why *why)
{
	struct bytes oid;
	struct der alg;
	enum rc rc = der_enter(d, DER_SEQUENCE, &alg, "hashAlgorithm", why);

	if (!rc)
		rc = der_oid(&alg, &oid, "hashAlgorithm", why);
	if (!rc && der_more(&alg))
		rc = der_null(&alg, "hashAlgorithm", why);
	if (!rc)
		rc = der_done(&alg, "hashAlgorithm", why);
	if (rc)
		return rc;
	*out = oid_find(oid);
	if (*out != OID_SHA1 && *out != OID_SHA256)
		return DENIED(why, "certID: hash %s is not one that we answer",
		        tbs_oid_label(oid));
	return RC_OK;
}

static enum rc check_cert_id(
        const struct tbs_ocsp_rule *o, struct der *d, struct why *why)
{
	struct bytes name, key, serial;
	enum oid hash = OID_NONE;
	bool sha1;
	struct der id;
	enum rc rc = der_enter(d, DER_SEQUENCE, &id, "certID", why);

	if (!rc)
		rc = read_hash(&id, &hash, why);
	if (!rc)
		rc = der_octet_string(&id, &name, "issuerNameHash", why);
	if (!rc)
		rc = der_octet_string(&id, &key, "issuerKeyHash", why);
	if (!rc)
		rc = der_integer(&id, &serial, "serialNumber", why);
	if (!rc)
		rc = der_done(&id, "certID", why);
	if (rc)
		return rc;
	sha1 = hash == OID_SHA1;
	if (!bytes_eq(name, sha1 ? o->name_sha1 : o->name_sha256))
		return DENIED(
		        why, "certID: issuerNameHash is not our issuer's");
	if (!bytes_eq(key, sha1 ? o->key_sha1 : o->key_sha256))
		return DENIED(why, "certID: issuerKeyHash is not our issuer's");
	if (serial.n > ASKED_SERIAL_MAX_BYTES)
		return why_set(why, RC_TOOBIG, "serialNumber: over %d octets",
		        ASKED_SERIAL_MAX_BYTES);
	return RC_OK;
}

static enum rc check_reason(struct der *info, struct why *why)
{
	struct bytes body;
	struct der d;
	enum rc rc;

	if (!der_more(info))
		return RC_OK;
	rc = der_enter(info, DER_CONTEXT_CONS(0), &d, "revocationReason", why);
	if (!rc)
		rc = der_expect(
		        &d, DER_ENUMERATED, &body, "revocationReason", why);
	if (!rc)
		rc = der_done(&d, "revocationReason", why);
	if (!rc &&
	        (body.n != 1 || body.p[0] > REASON_MAX ||
	                body.p[0] == REASON_UNUSED))
		rc = why_set(
		        why, RC_MALFORMED, "revocationReason is no reason");
	return rc;
}

static enum rc check_status(struct der *d, struct why *why)
{
	struct bytes body;
	int64_t revoked_s;
	struct der info;
	enum rc rc;

	if (der_at(d, STATUS_GOOD) || der_at(d, STATUS_UNKNOWN)) {
		rc = der_expect(d, d->rest.p[0], &body, "certStatus", why);
		if (!rc && body.n > 0)
			rc = why_set(why, RC_MALFORMED,
			        "certStatus: not an empty NULL");
		return rc;
	}
	rc = der_enter(d, STATUS_REVOKED, &info, "certStatus", why);
	if (!rc)
		rc = der_generalized_time(
		        &info, &revoked_s, "revocationTime", why);
	if (!rc)
		rc = check_reason(&info, why);
	return rc ? rc : der_done(&info, "certStatus", why);
}

/* An Extensions list under [1], if there is one. */
static enum rc open_exts(
        struct der *d, struct der *list, const char *what, struct why *why)
{
	struct der wrap;
	enum rc rc;

	*list = der_of(BYTES_NONE);
	if (!der_more(d))
		return RC_OK;
	rc = der_enter(d, DER_CONTEXT_CONS(1), &wrap, what, why);
	if (!rc)
		rc = der_enter(&wrap, DER_SEQUENCE, list, what, why);
	if (!rc)
		rc = der_done(&wrap, what, why);
	if (!rc && !der_more(list))
		rc = why_set(why, RC_MALFORMED, "%s: none in it", what);
	return rc;
}

/* invalidityDate, once */
static enum rc check_single_exts(struct der *d, struct why *why)
{
	struct tbs_view_ext e;
	struct der list;
	enum rc rc = open_exts(d, &list, "singleExtensions", why);

	if (rc || !der_more(&list))
		return rc;
	rc = tbs_read_ext(&e, &list, why);
	if (rc)
		return rc;
	if (!oid_is(e.oid, OID_INVALIDITY_DATE))
		return DENIED(why, "single extension %s is not for our answers",
		        tbs_oid_label(e.oid));
	rc = tbs_check_invalidity_date(&e, why);
	return rc ? rc : der_done(&list, "singleExtensions", why);
}

static enum rc check_single(const struct tbs_policy *p, struct der *responses,
        int64_t now_s, struct why *why)
{
	struct der single, next;
	struct tbs_window w;
	enum rc rc = der_enter(
	        responses, DER_SEQUENCE, &single, "SingleResponse", why);

	if (!rc)
		rc = check_cert_id(&p->ocsp, &single, why);
	if (!rc)
		rc = check_status(&single, why);
	if (!rc)
		rc = der_generalized_time(
		        &single, &w.this_update_s, "thisUpdate", why);
	/* RFC 9919 section 3.2.4: always there. */
	if (!rc)
		rc = der_enter(
		        &single, DER_CONTEXT_CONS(0), &next, "nextUpdate", why);
	if (!rc)
		rc = der_generalized_time(
		        &next, &w.next_update_s, "nextUpdate", why);
	if (!rc)
		rc = der_done(&next, "nextUpdate", why);
	if (!rc)
		rc = tbs_check_window(p, &w, p->ocsp.max_s, now_s, why);
	if (!rc)
		rc = check_single_exts(&single, why);
	return rc ? rc : der_done(&single, "SingleResponse", why);
}

static enum rc check_responses(const struct tbs_policy *p, struct der *d,
        int64_t now_s, struct why *why)
{
	struct der list;
	size_t n = 0;
	enum rc rc = der_enter(d, DER_SEQUENCE, &list, "responses", why);

	if (!rc && !der_more(&list))
		rc = why_set(why, RC_MALFORMED, "responses: none in it");
	for (; !rc && der_more(&list); n++) {
		if (n == TBS_SINGLES_MAX)
			return why_set(why, RC_TOOBIG, "responses: over %d",
			        TBS_SINGLES_MAX);
		rc = check_single(p, &list, now_s, why);
	}
	return rc;
}

struct answer_exts {
	bool nonce, extended_revoke;
};

static enum rc check_ext(
        struct der *d, struct answer_exts *seen, struct why *why)
{
	struct tbs_view_ext e;
	bool *which;
	enum rc rc = tbs_read_ext(&e, d, why);

	if (rc)
		return rc;
	if (oid_is(e.oid, OID_OCSP_NONCE)) {
		which = &seen->nonce;
		if (e.value.n == 0 || e.value.n > NONCE_MAX_BYTES)
			rc = DENIED(why, "nonce: not 1 to 128 octets");
	} else if (oid_is(e.oid, OID_OCSP_EXTENDED_REVOKE)) {
		struct der value = der_of(e.value);

		which = &seen->extended_revoke;
		rc = der_null(&value, "extended-revoke", why);
		if (!rc)
			rc = der_done(&value, "extended-revoke", why);
	} else {
		return DENIED(why, "extension %s is not for our answers",
		        tbs_oid_label(e.oid));
	}
	if (!rc && e.critical)
		rc = DENIED(
		        why, "extension %s is critical", tbs_oid_label(e.oid));
	if (!rc && *which)
		rc = why_set(why, RC_MALFORMED, "an extension stands twice");
	*which = true;
	return rc;
}

static enum rc check_exts(struct der *d, struct why *why)
{
	struct answer_exts seen = { false, false };
	struct der list;
	enum rc rc = open_exts(d, &list, "responseExtensions", why);

	while (!rc && der_more(&list))
		rc = check_ext(&list, &seen, why);
	return rc;
}

enum rc tbs_check_ocsp(const struct tbs_policy *p, struct bytes tbs,
        int64_t now_s, struct bytes key_hash, struct why *why)
{
	struct bytes responder;
	int64_t produced_s;
	struct der d;
	enum rc rc = open_data(tbs, &d, why);

	if (!rc)
		rc = read_responder(&d, &responder, why);
	if (!rc &&
	        (key_hash.n != KEY_HASH_BYTES ||
	                !bytes_eq(responder, key_hash)))
		rc = DENIED(why, "responderID is not the key's");
	if (!rc)
		rc = der_generalized_time(&d, &produced_s, "producedAt", why);
	if (!rc)
		rc = tbs_check_not_ahead(
		        p, produced_s, now_s, "producedAt", why);
	if (!rc)
		rc = check_responses(p, &d, now_s, why);
	if (!rc)
		rc = check_exts(&d, why);
	return rc ? rc : der_done(&d, "ResponseData", why);
}
