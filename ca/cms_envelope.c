#include "ca/cms_envelope.h"

#include "der/writer.h"

/* EnvelopedData and KeyTransRecipientInfo (RFC 5652 sections 6.1 and 6.2.1):
 * both have 0 for issuer and serial number, 2 for a key identifier. */
static uint64_t version(const struct cms_envelope *e)
{
	return e->to.key_id.n > 0 ? 2 : 0;
}

static void put_rid(struct buf *b, const struct cms_id *id)
{
	size_t rid;

	if (id->key_id.n > 0) {
		der_put(b, DER_CONTEXT(0), id->key_id);
		return;
	}
	rid = der_begin(b, DER_SEQUENCE);
	der_put_raw(b, id->issuer);
	der_put(b, DER_INTEGER, id->serial);
	der_end(b, rid);
}

static void put_recipient(struct buf *b, const struct cms_envelope *e)
{
	size_t info = der_begin(b, DER_SEQUENCE), alg;

	der_put_u64(b, version(e));
	put_rid(b, &e->to);
	alg = der_begin(b, DER_SEQUENCE);
	der_put_oid(b, oid_bytes(OID_RSA_ENCRYPTION));
	der_put_null(b);
	der_end(b, alg);
	der_put_octets(b, e->encrypted_key);
	der_end(b, info);
}

static void put_content(struct buf *b, const struct cms_envelope *e)
{
	size_t info = der_begin(b, DER_SEQUENCE), alg;

	der_put_oid(b, oid_bytes(OID_PKCS7_DATA));
	alg = der_begin(b, DER_SEQUENCE);
	der_put_oid(b, oid_bytes(e->cipher));
	der_put_octets(b, e->iv);
	der_end(b, alg);
	der_put(b, DER_CONTEXT(0), e->ciphertext);
	der_end(b, info);
}

enum rc cms_put_envelope(struct buf *b, const struct cms_envelope *e)
{
	size_t info = der_begin(b, DER_SEQUENCE), wrap, data, set;

	der_put_oid(b, oid_bytes(OID_PKCS7_ENVELOPED_DATA));
	wrap = der_begin(b, DER_CONTEXT_CONS(0));
	data = der_begin(b, DER_SEQUENCE);
	der_put_u64(b, version(e));
	set = der_begin(b, DER_SET);
	put_recipient(b, e);
	der_end(b, set);
	put_content(b, e);
	der_end(b, data);
	der_end(b, wrap);
	der_end(b, info);
	return b->failed;
}
