#include "ca/cms_write.h"

#include "der/writer.h"

/* SignedData and SignerInfo (RFC 5652 sections 5.1 and 5.3) */
#define VERSION_ISSUER_AND_SERIAL 1
#define VERSION_KEY_ID 3

enum rc cms_put_attrs(struct buf *b, const struct cms_attr *attrs, size_t n)
{
	size_t set = der_begin(b, DER_SET);

	for (size_t i = 0; i < n; i++) {
		size_t attr = der_begin(b, DER_SEQUENCE);
		size_t values;

		der_put_oid(b, oid_bytes(attrs[i].type));
		values = der_begin(b, DER_SET);
		der_put_raw(b, attrs[i].value);
		der_end(b, values);
		der_end(b, attr);
	}
	der_end_set_of(b, set);
	return b->failed;
}

void cms_put_content_type(struct buf *b, enum oid type)
{
	der_put_oid(b, oid_bytes(type));
}

void cms_put_message_digest(struct buf *b, struct bytes digest)
{
	der_put_octets(b, digest);
}

static void put_digest_alg(struct buf *b, enum oid digest)
{
	size_t alg = der_begin(b, DER_SEQUENCE);

	der_put_oid(b, oid_bytes(digest));
	der_end(b, alg);
}

/* Its content under an IMPLICIT tag: an AlgorithmIdentifier is short. */
static void put_retagged(struct buf *b, uint8_t tag, struct bytes der)
{
	if (der.n < 2) {
		b->failed = RC_MALFORMED;
		return;
	}
	buf_add_u8(b, tag);
	buf_add(b, bytes_skip(der, 1));
}

void cms_put_algorithm_protection(
        struct buf *b, enum oid digest, struct bytes sig_alg)
{
	size_t seq = der_begin(b, DER_SEQUENCE);

	put_digest_alg(b, digest);
	put_retagged(b, DER_CONTEXT_CONS(1), sig_alg);
	der_end(b, seq);
}

void cms_put_signing_certificate(struct buf *b, struct bytes sha256)
{
	size_t all = der_begin(b, DER_SEQUENCE);
	size_t certs = der_begin(b, DER_SEQUENCE);
	size_t id = der_begin(b, DER_SEQUENCE);

	der_put_octets(b, sha256);
	der_end(b, id);
	der_end(b, certs);
	der_end(b, all);
}

static void put_sid(struct buf *b, const struct cms_signer *s)
{
	size_t sid;

	if (s->key_id.n > 0) {
		der_put(b, DER_CONTEXT(0), s->key_id);
		return;
	}
	sid = der_begin(b, DER_SEQUENCE);
	der_put_raw(b, s->issuer);
	der_put(b, DER_INTEGER, s->serial);
	der_end(b, sid);
}

static uint64_t signer_version(const struct cms_signer *s)
{
	return s->key_id.n > 0 ? VERSION_KEY_ID : VERSION_ISSUER_AND_SERIAL;
}

static void put_signer(struct buf *b, const struct cms_signer *s)
{
	size_t info = der_begin(b, DER_SEQUENCE);

	der_put_u64(b, signer_version(s));
	put_sid(b, s);
	put_digest_alg(b, s->digest);
	if (s->attrs.n > 0) /* [0] IMPLICIT: what was signed is a SET OF */
		put_retagged(b, DER_CONTEXT_CONS(0), s->attrs);
	der_put_raw(b, s->sig_alg);
	der_put_octets(b, s->signature);
	der_end(b, info);
}

static void put_content(struct buf *b, const struct cms_signed_data *s)
{
	size_t info = der_begin(b, DER_SEQUENCE);
	size_t wrap;

	der_put_oid(b, oid_bytes(s->content_type));
	if (!s->detached) {
		wrap = der_begin(b, DER_CONTEXT_CONS(0));
		der_put_octets(b, s->content);
		der_end(b, wrap);
	}
	der_end(b, info);
}

static void put_certs(struct buf *b, const struct cms_signed_data *s)
{
	size_t certs;

	if (s->n_certs == 0)
		return;
	certs = der_begin(b, DER_CONTEXT_CONS(0));
	for (size_t i = 0; i < s->n_certs; i++)
		der_put_raw(b, s->certs[i]);
	der_end(b, certs);
}

enum rc cms_put_signed_data(struct buf *b, const struct cms_signed_data *s)
{
	/* Section 5.1: 3 for other content, too. */
	uint64_t version = s->content_type == OID_PKCS7_DATA
	        ? signer_version(s->signer)
	        : VERSION_KEY_ID;
	size_t info = der_begin(b, DER_SEQUENCE);
	size_t wrap, data, set;

	der_put_oid(b, oid_bytes(OID_PKCS7_SIGNED_DATA));
	wrap = der_begin(b, DER_CONTEXT_CONS(0));
	data = der_begin(b, DER_SEQUENCE);
	der_put_u64(b, version);
	set = der_begin(b, DER_SET);
	put_digest_alg(b, s->signer->digest);
	der_end(b, set);
	put_content(b, s);
	put_certs(b, s);
	set = der_begin(b, DER_SET);
	put_signer(b, s->signer);
	der_end(b, set);
	der_end(b, data);
	der_end(b, wrap);
	der_end(b, info);
	return b->failed;
}
