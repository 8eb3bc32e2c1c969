#include "ca/crl.h"

#include "conf/conf.h"
#include "der/oid.h"
#include "der/time.h"
#include "der/writer.h"
#include <string.h>

#define VERSION_V2 1

/* --- writing */

static void put_ext(struct buf *b, enum oid oid, bool critical,
        void (*put)(struct buf *b, const void *ctx), const void *ctx)
{
	size_t ext = der_begin(b, DER_SEQUENCE), value;

	der_put_oid(b, oid_bytes(oid));
	if (critical)
		der_put_bool(b, true);
	value = der_begin(b, DER_OCTET_STRING);
	put(b, ctx);
	der_end(b, value);
	der_end(b, ext);
}

/* Entries are all that there are many of, and all that an entry needs is short
 * enough for lengths of one octet: they are written where they will stand. */

/* reasonCode and invalidityDate up to their values (sections 5.3.1, 5.3.2). */
static const uint8_t reason_head[] = { 0x30, 0x0a, 0x06, 0x03, 0x55, 0x1d, 0x15,
	0x04, 0x03, DER_ENUMERATED, 0x01 };
static const uint8_t invalidity_head[] = { 0x30, 0x18, 0x06, 0x03, 0x55, 0x1d,
	0x18, 0x04, 0x11, DER_GENERALIZED_TIME, TIME_GENERALIZED_BYTES };

static uint8_t *append(uint8_t *p, const void *from, size_t n)
{
	memcpy(p, from, n);
	return p + n;
}

/* A positive INTEGER without the zeros that the store pads with. */
static uint8_t *append_serial(uint8_t *p, const uint8_t *serial)
{
	size_t skip = 0;
	bool sign;

	while (skip < STORE_SERIAL_BYTES - 1 && serial[skip] == 0)
		skip++;
	sign = (serial[skip] & 0x80) != 0;
	*p++ = DER_INTEGER;
	*p++ = (uint8_t)(STORE_SERIAL_BYTES - skip + sign);
	if (sign)
		*p++ = 0;
	return append(p, serial + skip, STORE_SERIAL_BYTES - skip);
}

/* Section 5.1.2.6: as in certificates. NULL: no such date. */
static uint8_t *append_time(uint8_t *p, int64_t time_s)
{
	if (time_format_utc(p + 2, time_s)) {
		p[0] = DER_UTC_TIME;
		p[1] = TIME_UTC_BYTES;
	} else if (time_format_generalized(p + 2, time_s)) {
		p[0] = DER_GENERALIZED_TIME;
		p[1] = TIME_GENERALIZED_BYTES;
	} else {
		return NULL;
	}
	return p + 2 + p[1];
}

static uint8_t *append_exts(uint8_t *p, const struct store_crl_row *row)
{
	uint8_t *head = p;

	if (row->reason == REASON_UNSPECIFIED && row->invalidity_s == 0)
		return p;
	p += 2;
	if (row->reason != REASON_UNSPECIFIED) {
		p = append(p, reason_head, sizeof(reason_head));
		*p++ = (uint8_t)row->reason;
	}
	if (row->invalidity_s != 0) {
		p = append(p, invalidity_head, sizeof(invalidity_head));
		if (!time_format_generalized(p, row->invalidity_s))
			return NULL;
		p += TIME_GENERALIZED_BYTES;
	}
	head[0] = DER_SEQUENCE;
	head[1] = (uint8_t)(p - head - 2);
	return p;
}

void crl_put_entry(struct buf *b, const struct store_crl_row *row)
{
	uint8_t *entry = buf_room(b, CRL_ENTRY_MAX_BYTES), *p;

	if (entry == NULL)
		return;
	p = append_serial(entry + 2, row->serial);
	p = append_time(p, row->revoked_s);
	if (p != NULL)
		p = append_exts(p, row);
	if (p == NULL) {
		b->failed = RC_MALFORMED;
		return;
	}
	entry[0] = DER_SEQUENCE;
	entry[1] = (uint8_t)(p - entry - 2);
	buf_added(b, (size_t)(p - entry));
}

static void put_key_id(struct buf *b, const void *ctx)
{
	const struct crl_frame *f = ctx;
	size_t seq = der_begin(b, DER_SEQUENCE);

	der_put(b, DER_CONTEXT(0), f->key_id);
	der_end(b, seq);
}

static void put_number(struct buf *b, const void *ctx)
{
	const struct crl_frame *f = ctx;

	der_put_u64(b, f->number);
}

/* Section 5.2.5. The names are those of the distribution point in the
 * certificates: that is how a reader finds that the two belong together
 * (section 6.3.3). */
static void put_idp(struct buf *b, const void *ctx)
{
	const struct crl_frame *f = ctx;
	static const uint8_t yes = 0xff;
	size_t seq = der_begin(b, DER_SEQUENCE);
	size_t point = der_begin(b, DER_CONTEXT_CONS(0));
	size_t names = der_begin(b, DER_CONTEXT_CONS(0));

	for (size_t i = 0; i < f->n_urls; i++)
		der_put(b, DER_CONTEXT(6), bytes_str(f->urls[i]));
	der_end(b, names);
	der_end(b, point);
	if (f->only_user_certs)
		der_put(b, DER_CONTEXT(1), bytes_of(&yes, 1));
	der_end(b, seq);
}

void crl_put_tail(struct buf *b, const struct crl_frame *f)
{
	size_t explicit = der_begin(b, DER_CONTEXT_CONS(0));
	size_t seq = der_begin(b, DER_SEQUENCE);

	put_ext(b, OID_AUTHORITY_KEY_ID, false, put_key_id, f);
	put_ext(b, OID_CRL_NUMBER, false, put_number, f);
	if (f->shard)
		put_ext(b, OID_ISSUING_DISTRIBUTION_POINT, true, put_idp, f);
	der_end(b, seq);
	der_end(b, explicit);
}

void crl_put_head(struct buf *b, const struct crl_frame *f,
        uint64_t entries_bytes, size_t tail_bytes)
{
	struct buf fields = BUF_INIT(CRL_FRAME_MAX_BYTES);

	if (entries_bytes > DER_ELEMENT_MAX_BYTES) {
		b->failed = RC_TOOBIG;
		return;
	}
	der_put_u64(&fields, VERSION_V2);
	der_put_raw(&fields, f->sig_alg);
	der_put_raw(&fields, f->issuer);
	der_put_time(&fields, f->this_update_s);
	der_put_time(&fields, f->next_update_s);
	if (entries_bytes > 0)
		der_put_header(&fields, DER_SEQUENCE, (size_t)entries_bytes);
	der_put_header(
	        b, DER_SEQUENCE, fields.n + (size_t)entries_bytes + tail_bytes);
	buf_add(b, buf_bytes(&fields));
	if (fields.failed != RC_OK && b->failed == RC_OK)
		b->failed = fields.failed;
	buf_free(&fields);
}

void crl_put_outer(struct buf *head, struct buf *end, struct bytes sig_alg,
        struct bytes signature, uint64_t tbs_bytes)
{
	der_put_raw(end, sig_alg);
	der_put_bits(end, signature);
	if (tbs_bytes > DER_ELEMENT_MAX_BYTES)
		head->failed = RC_TOOBIG;
	else
		der_put_header(head, DER_SEQUENCE, (size_t)tbs_bytes + end->n);
}

const char *crl_shard_text(char out[CRL_SHARD_DIGITS + 1], unsigned shard)
{
	for (int i = CRL_SHARD_DIGITS; i-- > 0; shard /= 10)
		out[i] = (char)('0' + shard % 10);
	out[CRL_SHARD_DIGITS] = '\0';
	return out;
}

void crl_put_url(struct buf *out, const char *url, const char *text)
{
	const char *at = strstr(url, CONF_SHARD_VARIABLE);

	if (at == NULL) {
		buf_add_str(out, url);
		return;
	}
	buf_add(out, bytes_of(url, (size_t)(at - url)));
	buf_add_str(out, text);
	buf_add_str(out, at + strlen(CONF_SHARD_VARIABLE));
}

/* --- reading */

static enum rc read_ext(struct der *d, struct bytes *oid, bool *critical,
        struct bytes *value, struct why *why)
{
	struct der in;
	enum rc rc = der_enter(d, DER_SEQUENCE, &in, "Extension", why);

	*critical = false;
	if (rc == RC_OK)
		rc = der_oid(&in, oid, "extnID", why);
	if (rc == RC_OK && der_at(&in, DER_BOOLEAN)) {
		rc = der_bool(&in, critical, "critical", why);
		if (rc == RC_OK && !*critical)
			rc = why_set(why, RC_MALFORMED,
			        "critical: DEFAULT FALSE is encoded");
	}
	if (rc == RC_OK)
		rc = der_octet_string(&in, value, "extnValue", why);
	return rc == RC_OK ? der_done(&in, "Extension", why) : rc;
}

static enum rc read_key_id(
        struct bytes value, struct bytes *out, struct why *why)
{
	struct der in;
	bool present;
	enum rc rc = der_open(
	        value, DER_SEQUENCE, &in, "authorityKeyIdentifier", why);

	if (rc == RC_OK)
		rc = der_optional(&in, DER_CONTEXT(0), out, &present,
		        "keyIdentifier", why);
	return rc;
}

static enum rc read_number(struct bytes value, uint64_t *out, struct why *why)
{
	struct der in = der_of(value);
	enum rc rc = der_integer_u64(&in, UINT64_MAX, out, "cRLNumber", why);

	return rc == RC_OK ? der_done(&in, "cRLNumber", why) : rc;
}

static enum rc read_crl_ext(struct crl *out, struct der *d, struct why *why)
{
	struct bytes oid, value;
	bool critical;
	enum rc rc = read_ext(d, &oid, &critical, &value, why);

	if (rc != RC_OK)
		return rc;
	if (oid_is(oid, OID_AUTHORITY_KEY_ID))
		return read_key_id(value, &out->key_id, why);
	if (oid_is(oid, OID_CRL_NUMBER)) {
		out->has_number = true;
		return read_number(value, &out->number, why);
	}
	if (oid_is(oid, OID_ISSUING_DISTRIBUTION_POINT))
		out->idp = value;
	else if (critical)
		return why_set(why, RC_UNSUPPORTED,
		        "crlExtensions: an unknown critical one (RFC 5280 "
		        "section 5.2)");
	return RC_OK;
}

static enum rc read_exts(struct crl *out, struct der *d, struct why *why)
{
	struct der explicit, in;
	enum rc rc;

	if (!der_at(d, DER_CONTEXT_CONS(0)))
		return RC_OK;
	rc = der_enter(d, DER_CONTEXT_CONS(0), &explicit, "crlExtensions", why);
	if (rc == RC_OK)
		rc = der_enter(
		        &explicit, DER_SEQUENCE, &in, "crlExtensions", why);
	if (rc == RC_OK)
		rc = der_done(&explicit, "crlExtensions", why);
	while (rc == RC_OK && der_more(&in))
		rc = read_crl_ext(out, &in, why);
	return rc;
}

static enum rc read_times(struct crl *out, struct der *d, struct why *why)
{
	enum rc rc = der_time(d, &out->this_update_s, "thisUpdate", why);

	out->has_next_update =
	        der_at(d, DER_UTC_TIME) || der_at(d, DER_GENERALIZED_TIME);
	if (rc == RC_OK && out->has_next_update)
		rc = der_time(d, &out->next_update_s, "nextUpdate", why);
	return rc;
}

static enum rc read_tbs(struct crl *out, struct bytes *alg, struct why *why)
{
	uint64_t version;
	bool present;
	struct der in;
	enum rc rc = der_open(out->tbs, DER_SEQUENCE, &in, "TBSCertList", why);

	if (rc == RC_OK)
		rc = der_integer_u64(&in, VERSION_V2, &version, "version", why);
	if (rc == RC_OK && version != VERSION_V2)
		return why_set(why, RC_UNSUPPORTED,
		        "version is not v2 (RFC 5280 section 5.1.2.1)");
	if (rc == RC_OK)
		rc = der_expect_full(&in, DER_SEQUENCE, alg, "signature", why);
	if (rc == RC_OK)
		rc = der_expect_full(
		        &in, DER_SEQUENCE, &out->issuer, "issuer", why);
	if (rc == RC_OK)
		rc = read_times(out, &in, why);
	if (rc == RC_OK)
		rc = der_optional(&in, DER_SEQUENCE, &out->entries, &present,
		        "revokedCertificates", why);
	if (rc == RC_OK && present && out->entries.n == 0)
		return why_set(why, RC_MALFORMED,
		        "revokedCertificates is empty (RFC 5280 section "
		        "5.1.2.6)");
	if (rc == RC_OK)
		rc = read_exts(out, &in, why);
	return rc == RC_OK ? der_done(&in, "TBSCertList", why) : rc;
}

enum rc crl_parse(struct crl *out, struct bytes der, struct why *why)
{
	struct bytes alg;
	struct der in;
	enum rc rc = der_open(der, DER_SEQUENCE, &in, "CertificateList", why);

	*out = (struct crl){ .has_number = false };
	if (rc == RC_OK)
		rc = der_expect_full(
		        &in, DER_SEQUENCE, &out->tbs, "tbsCertList", why);
	if (rc == RC_OK)
		rc = der_expect_full(&in, DER_SEQUENCE, &out->sig_alg,
		        "signatureAlgorithm", why);
	if (rc == RC_OK)
		rc = der_bit_octets(
		        &in, &out->signature, "signatureValue", why);
	if (rc == RC_OK)
		rc = der_done(&in, "CertificateList", why);
	if (rc == RC_OK)
		rc = read_tbs(out, &alg, why);
	if (rc == RC_OK && !bytes_eq(alg, out->sig_alg))
		return why_set(why, RC_MALFORMED,
		        "signatureAlgorithm differs from the TBS's (RFC 5280 "
		        "section 5.1.1.2)");
	return rc;
}
