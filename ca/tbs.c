#include "ca/tbs.h"
#include "ca/profile_parts.h"
#include "der/oid.h"
#include "der/time.h"
#include "der/writer.h"
#include <string.h>

/* version [0] EXPLICIT v3: every certificate of ours has extensions (RFC 5280
 * section 4.1.2.1). */
static const uint8_t VERSION_V3[] = { 0xa0, 0x03, 0x02, 0x01, 0x02 };

enum rc tbs_validity(struct tbs_validity *out, const struct profile *p,
        int64_t now_s, int64_t granted_max_s, struct why *why)
{
	const struct authority *a = p->authority;
	int64_t life = p->conf->validity_s;

	/* Both ends belong to the validity (RFC 5280 section 4.1.2.5). */
	out->not_before_s = now_s - p->conf->backdate_s;
	if (out->not_before_s < a->not_before_s)
		out->not_before_s = a->not_before_s;
	out->cut = false;
	if (life == 0 && granted_max_s == 0) {
		out->not_after_s = TIME_NEVER_S;
	} else {
		if (life == 0 || (granted_max_s > 0 && granted_max_s < life))
			life = granted_max_s;
		out->not_after_s = now_s + life - 1;
		out->cut = out->not_after_s > a->not_after_s;
		if (out->cut)
			out->not_after_s = a->not_after_s;
	}
	if (now_s < a->not_before_s || now_s > a->not_after_s)
		return why_set(why, RC_DENIED, "authority %s is not valid now",
		        a->conf->name);
	return RC_OK;
}

static void put_validity(struct buf *b, const struct tbs_validity *v)
{
	size_t seq = der_begin(b, DER_SEQUENCE);

	der_put_time(b, v->not_before_s);
	der_put_time(b, v->not_after_s);
	der_end(b, seq);
}

/* keyIdentifier by method 1 of RFC 5280 section 4.2.1.2, SHA-1 of the BIT
 * STRING's content: what libcrypto's and GnuTLS's `hash` writes and Matter
 * demands. It names a key and proves nothing, so SHA-1's weakness does not
 * matter, and RFC 7093's SHA-256 form would only look wrong to tools. */
static enum rc put_head(struct buf *b, const struct profile *p,
        const struct spki *spki, struct digest *digest)
{
	size_t at = b->n;

	buf_add(b, buf_bytes(&p->run_head));
	if (p->ski_at == 0 || b->failed != RC_OK)
		return b->failed;
	return digest_sha1(digest, spki->key, b->p + at + p->ski_at);
}

/* The URLs of its CRL say which shard it is in. */
static void put_tail(
        struct buf *b, const struct profile *p, const uint8_t *serial)
{
	char digits[CRL_SHARD_DIGITS + 1];
	size_t at = b->n;

	buf_add(b, buf_bytes(&p->run_tail));
	if (p->n_shard_at == 0 || b->failed != RC_OK)
		return;
	(void)crl_shard_text(digits, profile_shard(p, serial));
	for (size_t i = 0; i < p->n_shard_at; i++)
		memcpy(b->p + at + p->shard_at[i], digits, CRL_SHARD_DIGITS);
}

/* Section 4.2.1.6: critical when the subject is empty. */
static void put_san(struct buf *b, const struct profile *p, struct bytes names)
{
	size_t seq, value;

	if (names.n == 0)
		return;
	seq = der_begin(b, DER_SEQUENCE);
	der_put_oid(b, oid_bytes(OID_SUBJECT_ALT_NAME));
	if (p->n_subject == 0 || p->conf->san_critical)
		der_put_bool(b, true);
	value = der_begin(b, DER_OCTET_STRING);
	der_put(b, DER_SEQUENCE, names);
	der_end(b, value);
	der_end(b, seq);
}

static enum rc put_extensions(struct buf *b, const struct profile *p,
        const struct tbs_input *in, struct digest *digest)
{
	size_t explicit = der_begin(b, DER_CONTEXT_CONS(3));
	size_t seq = der_begin(b, DER_SEQUENCE);
	enum rc rc = put_head(b, p, in->spki, digest);

	put_san(b, p, buf_bytes(&in->names->san));
	put_tail(b, p, in->serial);
	der_end(b, seq);
	der_end(b, explicit);
	return rc;
}

enum rc tbs_build(struct buf *out, const struct profile *p,
        const struct tbs_input *in, struct digest *digest)
{
	size_t tbs = der_begin(out, DER_SEQUENCE);
	enum rc rc;

	buf_add(out, BYTES_ARRAY(VERSION_V3));
	der_put(out, DER_INTEGER, bytes_of(in->serial, SERIAL_BYTES));
	buf_add(out, buf_bytes(&p->run_issuer));
	put_validity(out, &in->validity);
	buf_add(out, buf_bytes(&in->names->subject));
	buf_add(out, in->spki->der);
	rc = put_extensions(out, p, in, digest);
	der_end(out, tbs);
	return rc != RC_OK ? rc : out->failed;
}

enum rc tbs_certificate(struct buf *out, struct bytes tbs, struct bytes sig_alg,
        struct bytes signature)
{
	size_t cert = der_begin(out, DER_SEQUENCE);

	buf_add(out, tbs);
	buf_add(out, sig_alg);
	der_put_bits(out, signature);
	der_end(out, cert);
	return out->failed;
}
