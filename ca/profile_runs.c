/* The constant runs of a profile's TBS: what stands around serial, validity,
 * subject, key and subjectAltName in each certificate. */
#include "ca/profile_compile.h"
#include "ca/san_write.h"
#include "ca/tbs_check.h"
#include "der/oid.h"
#include "der/writer.h"
#include <string.h>

struct ext_mark {
	size_t seq, value;
};

/* Extension (RFC 5280 section 4.1): extnID, critical when true, extnValue. */
static struct ext_mark ext_begin(struct buf *b, struct bytes oid, bool critical)
{
	struct ext_mark m;

	m.seq = der_begin(b, DER_SEQUENCE);
	der_put_oid(b, oid);
	if (critical)
		der_put_bool(b, true);
	m.value = der_begin(b, DER_OCTET_STRING);
	return m;
}

static void ext_end(struct buf *b, struct ext_mark m)
{
	der_end(b, m.value);
	der_end(b, m.seq);
}

/* Section 4.2.1.9: an end entity's basicConstraints is an empty SEQUENCE.
 * Critical, which IEEE 802.1AR allows and Matter demands. */
static void put_basic_constraints(struct buf *b)
{
	struct ext_mark m =
	        ext_begin(b, oid_bytes(OID_BASIC_CONSTRAINTS), true);

	der_put(b, DER_SEQUENCE, BYTES_NONE);
	ext_end(b, m);
}

/* Section 4.2.1.3: conforming CAs SHOULD mark it critical. */
static void put_key_usage(struct buf *b, uint32_t bits)
{
	struct ext_mark m = ext_begin(b, oid_bytes(OID_KEY_USAGE), true);

	der_put_named_bits(b, bits);
	ext_end(b, m);
}

static void put_eku(struct buf *b, const struct profile *p)
{
	struct ext_mark m = ext_begin(
	        b, oid_bytes(OID_EXT_KEY_USAGE), p->conf->eku_critical);
	size_t seq = der_begin(b, DER_SEQUENCE), i;

	for (i = 0; i < p->n_eku; i++)
		der_put_oid(b, oid_value_bytes(&p->eku[i]));
	der_end(b, seq);
	ext_end(b, m);
}

/* Room for the octets, which each certificate has its own of. */
static void put_subject_key_id(struct buf *b, size_t *at)
{
	const uint8_t zero[DIGEST_SHA1_BYTES] = { 0 };
	struct ext_mark m = ext_begin(b, oid_bytes(OID_SUBJECT_KEY_ID), false);

	der_put_octets(b, BYTES_ARRAY(zero));
	*at = b->n - sizeof zero;
	ext_end(b, m);
}

static void put_authority_key_id(struct buf *b, struct bytes id)
{
	struct ext_mark m =
	        ext_begin(b, oid_bytes(OID_AUTHORITY_KEY_ID), false);
	size_t seq = der_begin(b, DER_SEQUENCE);

	der_put(b, DER_CONTEXT(0), id);
	der_end(b, seq);
	ext_end(b, m);
}

static enum rc put_policies(
        struct buf *b, const struct conf_profile *c, struct why *why)
{
	struct ext_mark m =
	        ext_begin(b, oid_bytes(OID_CERTIFICATE_POLICIES), false);
	size_t seq = der_begin(b, DER_SEQUENCE), i;
	enum rc rc = RC_OK;

	for (i = 0; i < c->n_policies && rc == RC_OK; i++) {
		struct buf oid = BUF_INIT(DER_OID_MAX_BYTES);
		size_t info = der_begin(b, DER_SEQUENCE);

		rc = oid_parse(&oid, bytes_str(c->policies[i]), why);
		der_put_oid(b, buf_bytes(&oid));
		der_end(b, info);
		buf_free(&oid);
	}
	der_end(b, seq);
	ext_end(b, m);
	return rc;
}

/* It stands for the digits of a shard until they are known, and the signer's
 * policy says that they come there. */
_Static_assert(TBS_NUMBER_DIGITS == CRL_SHARD_DIGITS, "a place each");

static void put_crl_url(struct buf *b, const char *url)
{
	struct buf text = BUF_INIT(4096);

	crl_put_url(&text, url, TBS_NUMBER_TO_COME);
	san_put(b, SAN_URI, BYTES_NONE, buf_bytes(&text));
	buf_free(&text);
}

/* Section 4.2.1.13: one distribution point; its names are ways to one CRL. */
static void put_crl_points(struct buf *b, const struct conf_authority *a)
{
	struct ext_mark m =
	        ext_begin(b, oid_bytes(OID_CRL_DISTRIBUTION_POINTS), false);
	size_t points = der_begin(b, DER_SEQUENCE);
	size_t point = der_begin(b, DER_SEQUENCE);
	size_t name = der_begin(b, DER_CONTEXT_CONS(0));
	size_t full = der_begin(b, DER_CONTEXT_CONS(0));
	size_t i;

	for (i = 0; i < a->n_crl_urls; i++)
		put_crl_url(b, a->crl_urls[i]);
	der_end(b, full);
	der_end(b, name);
	der_end(b, point);
	der_end(b, points);
	ext_end(b, m);
}

static void put_access(
        struct buf *b, enum oid method, const char *const *urls, size_t n)
{
	size_t i, seq;

	for (i = 0; i < n; i++) {
		seq = der_begin(b, DER_SEQUENCE);
		der_put_oid(b, oid_bytes(method));
		san_put(b, SAN_URI, BYTES_NONE, bytes_str(urls[i]));
		der_end(b, seq);
	}
}

/* Section 4.2.2.1. noRevAvail rules out OCSP (RFC 9608 section 2). */
static void put_info_access(
        struct buf *b, const struct conf_authority *a, bool ocsp)
{
	struct ext_mark m;
	size_t seq;

	if (a->n_aia_urls == 0 && (!ocsp || a->n_ocsp_urls == 0))
		return;
	m = ext_begin(b, oid_bytes(OID_AUTHORITY_INFO_ACCESS), false);
	seq = der_begin(b, DER_SEQUENCE);
	if (ocsp)
		put_access(b, OID_PKIX_OCSP, a->ocsp_urls, a->n_ocsp_urls);
	put_access(b, OID_AD_CA_ISSUERS, a->aia_urls, a->n_aia_urls);
	der_end(b, seq);
	ext_end(b, m);
}

static void put_no_rev_avail(struct buf *b)
{
	struct ext_mark m = ext_begin(b, oid_bytes(OID_NO_REV_AVAIL), false);

	der_put_null(b);
	ext_end(b, m);
}

/* Written by mica itself, or for CA certificates alone. */
static bool ext_is_ours(struct bytes oid)
{
	static const enum oid OURS[] = {
		OID_SUBJECT_KEY_ID,
		OID_KEY_USAGE,
		OID_SUBJECT_ALT_NAME,
		OID_BASIC_CONSTRAINTS,
		OID_NAME_CONSTRAINTS,
		OID_CRL_DISTRIBUTION_POINTS,
		OID_CERTIFICATE_POLICIES,
		OID_POLICY_MAPPINGS,
		OID_AUTHORITY_KEY_ID,
		OID_POLICY_CONSTRAINTS,
		OID_EXT_KEY_USAGE,
		OID_INHIBIT_ANY_POLICY,
		OID_NO_REV_AVAIL,
		OID_AUTHORITY_INFO_ACCESS,
		OID_OCSP_NOCHECK,
	};
	size_t i;

	for (i = 0; i < sizeof OURS / sizeof *OURS; i++)
		if (oid_is(oid, OURS[i]))
			return true;
	return false;
}

static enum rc put_extra(
        struct buf *b, const struct conf_extension *e, struct why *why)
{
	struct buf oid = BUF_INIT(DER_OID_MAX_BYTES);
	struct ext_mark m;
	enum rc rc = oid_parse(&oid, bytes_str(e->oid), why);

	if (rc == RC_OK && ext_is_ours(buf_bytes(&oid)))
		rc = why_set(
		        why, RC_CONFIG, "not an extension to be set by hand");
	if (rc == RC_OK) {
		m = ext_begin(b, buf_bytes(&oid), e->critical);
		der_put_raw(b, e->der);
		ext_end(b, m);
	}
	buf_free(&oid);
	if (rc == RC_OK || rc == RC_NOMEM)
		return rc;
	return why_prefix(why, RC_CONFIG, "extensions, %s", e->oid);
}

static void compile_head(struct profile *p)
{
	struct buf *b = &p->run_head;

	if (p->conf->basic_constraints)
		put_basic_constraints(b);
	if (p->key_usage != 0)
		put_key_usage(b, p->key_usage);
	if (p->n_eku > 0)
		put_eku(b, p);
	if (p->conf->subject_key_id)
		put_subject_key_id(b, &p->ski_at);
	put_authority_key_id(b, p->authority->key_id);
}

/* What a responder is certified for needs no other extension: nobody asks for
 * its status. */
static bool compile_responder(struct profile *p)
{
	struct ext_mark m;

	if (!p->system || !profile_has_eku(p, oid_bytes(OID_KP_OCSP_SIGNING)))
		return false;
	m = ext_begin(&p->run_tail, oid_bytes(OID_OCSP_NOCHECK), false);
	der_put_null(&p->run_tail);
	ext_end(&p->run_tail, m);
	return true;
}

/* Where the digits go, now that nothing of the extension moves any more. */
static enum rc find_digits(struct profile *p, size_t from, struct why *why)
{
	const struct buf *b = &p->run_tail;

	for (size_t i = from; i + CRL_SHARD_DIGITS <= b->n; i++) {
		if (memcmp(b->p + i, TBS_NUMBER_TO_COME, CRL_SHARD_DIGITS) != 0)
			continue;
		if (p->n_shard_at == CRL_URLS_MAX)
			return why_set(why, RC_CONFIG,
			        "crl_urls: over %d of a shard", CRL_URLS_MAX);
		p->shard_at[p->n_shard_at++] = i;
	}
	return RC_OK;
}

static enum rc compile_tail(struct profile *p, struct why *why)
{
	const struct conf_authority *a = p->authority->conf;
	const struct conf_profile *c = p->conf;
	struct buf *b = &p->run_tail;
	enum rc rc = RC_OK;
	size_t i;

	if (compile_responder(p))
		return RC_OK;
	if (c->n_policies > 0)
		rc = put_policies(b, c, why);
	if (a->n_crl_urls > 0 && !c->no_rev_avail) {
		i = b->n;
		put_crl_points(b, a);
		if (rc == RC_OK)
			rc = find_digits(p, i, why);
	}
	put_info_access(b, a, !c->no_rev_avail);
	if (c->no_rev_avail)
		put_no_rev_avail(b);
	for (i = 0; i < c->n_extensions && rc == RC_OK; i++)
		rc = put_extra(b, &c->extensions[i], why);
	return rc;
}

enum rc profile_compile_runs(struct profile *p, struct why *why)
{
	enum rc rc;

	der_put_raw(&p->run_issuer, p->authority->sig_alg);
	der_put_raw(&p->run_issuer, p->authority->subject);
	compile_head(p);
	rc = compile_tail(p, why);
	if (rc == RC_OK)
		rc = p->run_issuer.failed;
	if (rc == RC_OK)
		rc = p->run_head.failed;
	if (rc == RC_OK)
		rc = p->run_tail.failed;
	return rc;
}
