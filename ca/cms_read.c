#include "ca/cms_read.h"

#include "der/writer.h"

#define TAG_NUMBER 0x1f
#define TAG_CONSTRUCTED 0x20
#define BER_OCTETS_CONSTRUCTED 0x24
#define BER_INDEFINITE 0x80

/* --- BER to DER */

/* An element's head: what stands in it, or up to its end marker. */
struct ber_head {
	uint8_t tag;
	bool indefinite;
	size_t length;
};

static enum rc ber_cut(struct why *why)
{
	return why_set(why, RC_MALFORMED, "CMS: cut short");
}

static enum rc ber_length(struct ber_head *h, struct bytes *in, struct why *why)
{
	size_t octets;

	if (in->n == 0)
		return ber_cut(why);
	octets = in->p[0];
	*in = bytes_skip(*in, 1);
	h->indefinite = octets == BER_INDEFINITE;
	h->length = octets < BER_INDEFINITE ? octets : 0;
	if (octets <= BER_INDEFINITE)
		return RC_OK;
	octets &= 0x7f;
	if (octets > sizeof(uint32_t))
		return why_set(why, RC_TOOBIG, "CMS: an element is too long");
	if (octets > in->n)
		return ber_cut(why);
	for (size_t i = 0; i < octets; i++)
		h->length = h->length << 8 | in->p[i];
	*in = bytes_skip(*in, octets);
	return RC_OK;
}

static enum rc ber_head(struct ber_head *h, struct bytes *in, struct why *why)
{
	enum rc rc;

	if (in->n == 0)
		return ber_cut(why);
	h->tag = in->p[0];
	if ((h->tag & TAG_NUMBER) == TAG_NUMBER)
		return why_set(why, RC_UNSUPPORTED, "CMS: tag number over 30");
	if (h->tag == 0)
		return why_set(why, RC_MALFORMED, "CMS: a stray end marker");
	*in = bytes_skip(*in, 1);
	rc = ber_length(h, in, why);
	if (rc == RC_OK && h->indefinite && !(h->tag & TAG_CONSTRUCTED))
		rc = why_set(why, RC_MALFORMED,
		        "CMS: indefinite length of a primitive");
	if (rc == RC_OK && h->length > in->n)
		rc = ber_cut(why);
	return rc;
}

/* Is the end marker next? It is then taken. */
static bool ber_ends(struct bytes *in)
{
	if (in->n < 2 || in->p[0] != 0 || in->p[1] != 0)
		return false;
	*in = bytes_skip(*in, 2);
	return true;
}

static enum rc ber_one(struct buf *out, struct bytes *in, bool joined,
        unsigned depth, struct why *why);

static enum rc ber_children(struct buf *out, struct bytes *in,
        const struct ber_head *h, bool joined, unsigned depth, struct why *why)
{
	struct bytes inside = bytes_slice(*in, 0, h->length);
	enum rc rc = RC_OK;

	if (depth == DER_DEPTH_MAX)
		return why_set(why, RC_TOOBIG, "CMS: nested too deep");
	if (h->indefinite) {
		while (rc == RC_OK && !ber_ends(in))
			rc = ber_one(out, in, joined, depth + 1, why);
		return rc;
	}
	*in = bytes_skip(*in, h->length);
	while (rc == RC_OK && inside.n > 0)
		rc = ber_one(out, &inside, joined, depth + 1, why);
	return rc;
}

/* joined: a piece of an OCTET STRING, of which the content alone is kept. */
static enum rc ber_one(struct buf *out, struct bytes *in, bool joined,
        unsigned depth, struct why *why)
{
	struct ber_head h = { 0 };
	bool octets;
	size_t mark;
	enum rc rc = ber_head(&h, in, why);

	if (rc != RC_OK)
		return rc;
	octets = h.tag == BER_OCTETS_CONSTRUCTED;
	if (joined && !octets && h.tag != DER_OCTET_STRING)
		return why_set(why, RC_MALFORMED,
		        "CMS: a piece of an OCTET STRING is none");
	if (h.tag & TAG_CONSTRUCTED) {
		mark = joined
		        ? 0
		        : der_begin(out, octets ? DER_OCTET_STRING : h.tag);
		rc = ber_children(out, in, &h, octets, depth, why);
		if (!joined)
			der_end(out, mark);
		return rc;
	}
	if (joined)
		buf_add(out, bytes_slice(*in, 0, h.length));
	else
		der_put(out, h.tag, bytes_slice(*in, 0, h.length));
	*in = bytes_skip(*in, h.length);
	return out->failed;
}

enum rc cms_from_ber(struct buf *out, struct bytes in, struct why *why)
{
	enum rc rc;

	if (in.n > CMS_READ_MAX_BYTES)
		return why_set(why, RC_TOOBIG, "CMS: over %d bytes",
		        CMS_READ_MAX_BYTES);
	rc = ber_one(out, &in, false, 0, why);
	if (rc == RC_OK)
		rc = out->failed;
	if (rc == RC_OK && in.n > 0)
		rc = why_set(why, RC_MALFORMED, "CMS: trailing bytes");
	return rc;
}

/* --- what both have */

/* ContentInfo (section 3); *inside stands in the content's SEQUENCE. */
static enum rc read_info(
        struct der *inside, struct bytes der, enum oid type, struct why *why)
{
	struct der info, wrap;
	struct bytes oid;
	enum rc rc;

	if (der.n > CMS_READ_MAX_BYTES)
		return why_set(why, RC_TOOBIG, "CMS: over %d bytes",
		        CMS_READ_MAX_BYTES);
	rc = der_open(der, DER_SEQUENCE, &info, "ContentInfo", why);
	if (rc == RC_OK)
		rc = der_oid(&info, &oid, "contentType", why);
	if (rc == RC_OK && !oid_is(oid, type))
		rc = why_set(why, RC_UNSUPPORTED, "contentType is not %s",
		        oid_name(type));
	if (rc == RC_OK)
		rc = der_enter(
		        &info, DER_CONTEXT_CONS(0), &wrap, "content", why);
	if (rc == RC_OK)
		rc = der_done(&info, "ContentInfo", why);
	if (rc == RC_OK)
		rc = der_enter(&wrap, DER_SEQUENCE, inside, "content", why);
	return rc == RC_OK ? der_done(&wrap, "content", why) : rc;
}

/* An AlgorithmIdentifier; *params is empty or one element, DER. */
static enum rc read_alg(struct der *d, struct bytes *oid, struct bytes *params,
        const char *what, struct why *why)
{
	struct der_item item = { .full = BYTES_NONE };
	struct der alg;
	enum rc rc = der_enter(d, DER_SEQUENCE, &alg, what, why);

	if (rc == RC_OK)
		rc = der_oid(&alg, oid, what, why);
	if (rc == RC_OK && der_more(&alg))
		rc = der_next(&alg, &item, what, why);
	if (rc == RC_OK && item.full.n > 0)
		rc = der_check(item.full, what, why);
	*params = item.full;
	return rc == RC_OK ? der_done(&alg, what, why) : rc;
}

/* Absent or NULL: senders have both (RFC 3370 sections 2.1 and 4.2.1). */
static bool is_bare(struct bytes params)
{
	return params.n == 0 || bytes_eq(params, BYTES_LIT("\x05\x00"));
}

static enum rc read_bare_alg(
        struct der *d, struct bytes *oid, const char *what, struct why *why)
{
	struct bytes params;
	enum rc rc = read_alg(d, oid, &params, what, why);

	if (rc == RC_OK && !is_bare(params))
		*oid = BYTES_NONE; /* not one that we know */
	return rc;
}

/* issuerAndSerialNumber, or [0] subjectKeyIdentifier (section 10.2.4) */
static enum rc read_id(
        struct der *d, struct cms_id *id, const char *what, struct why *why)
{
	struct der in;
	bool present;
	enum rc rc;

	*id = (struct cms_id){ .issuer = BYTES_NONE };
	rc = der_optional(d, DER_CONTEXT(0), &id->key_id, &present, what, why);
	if (rc != RC_OK)
		return rc;
	if (present)
		return id->key_id.n > 0
		        ? RC_OK
		        : why_set(why, RC_MALFORMED, "%s: empty", what);
	rc = der_enter(d, DER_SEQUENCE, &in, what, why);
	if (rc == RC_OK)
		rc = der_expect_full(
		        &in, DER_SEQUENCE, &id->issuer, "issuer", why);
	if (rc == RC_OK)
		rc = der_integer(&in, &id->serial, "serialNumber", why);
	return rc == RC_OK ? der_done(&in, what, why) : rc;
}

static enum rc read_version(
        struct der *d, uint64_t *version, const char *what, struct why *why)
{
	return der_integer_u64(d, 5, version, what, why);
}

/* --- SignedData */
static enum oid known_digest(struct bytes oid)
{
	static const enum oid known[] = { OID_SHA1, OID_SHA256, OID_SHA384,
		OID_SHA512 };

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (oid_is(oid, known[i]))
			return known[i];
	return OID_NONE;
}

static enum rc read_digests(struct der *d, struct why *why)
{
	struct bytes oid;
	struct der set;
	size_t n = 0;
	enum rc rc = der_enter(d, DER_SET, &set, "digestAlgorithms", why);

	while (rc == RC_OK && der_more(&set)) {
		if (n++ == CMS_READ_DIGESTS_MAX)
			return why_set(why, RC_TOOBIG,
			        "digestAlgorithms: over %d",
			        CMS_READ_DIGESTS_MAX);
		rc = read_bare_alg(&set, &oid, "digestAlgorithms", why);
	}
	return rc;
}

/* EncapsulatedContentInfo (section 5.2) */
static enum rc read_content(
        struct der *d, struct cms_signed *s, struct why *why)
{
	struct der info, wrap;
	struct bytes oid;
	enum rc rc = der_enter(d, DER_SEQUENCE, &info, "encapContentInfo", why);

	if (rc == RC_OK)
		rc = der_oid(&info, &oid, "eContentType", why);
	if (rc == RC_OK && !oid_is(oid, OID_PKCS7_DATA))
		rc = why_set(
		        why, RC_UNSUPPORTED, "eContentType is not id-data");
	s->has_content = rc == RC_OK && der_more(&info);
	if (rc != RC_OK || !s->has_content)
		return rc;
	rc = der_enter(&info, DER_CONTEXT_CONS(0), &wrap, "eContent", why);
	if (rc == RC_OK)
		rc = der_octet_string(&wrap, &s->content, "eContent", why);
	if (rc == RC_OK)
		rc = der_done(&wrap, "eContent", why);
	return rc == RC_OK ? der_done(&info, "encapContentInfo", why) : rc;
}

/* CertificateSet (section 10.2.3): certificates alone */
static enum rc read_certs(struct der *d, struct cms_signed *s, struct why *why)
{
	struct der set;
	enum rc rc;

	if (!der_at(d, DER_CONTEXT_CONS(0)))
		return RC_OK;
	rc = der_enter(d, DER_CONTEXT_CONS(0), &set, "certificates", why);
	while (rc == RC_OK && der_more(&set)) {
		if (s->n_certs == CMS_READ_CERTS_MAX)
			return why_set(why, RC_TOOBIG, "certificates: over %d",
			        CMS_READ_CERTS_MAX);
		if (!der_at(&set, DER_SEQUENCE))
			return why_set(why, RC_UNSUPPORTED,
			        "certificates: one of another kind");
		rc = der_expect_full(&set, DER_SEQUENCE, &s->certs[s->n_certs],
		        "certificates", why);
		if (rc == RC_OK)
			s->n_certs++;
	}
	return rc;
}

static bool attr_is_there(const struct cms_signed *s, struct bytes type)
{
	for (size_t i = 0; i < s->n_attrs; i++)
		if (bytes_eq(s->attrs[i].type, type))
			return true;
	return false;
}

static enum rc read_attr(struct der *d, struct cms_signed *s, struct why *why)
{
	struct cms_read_attr *a = &s->attrs[s->n_attrs];
	struct der attr;
	struct bytes full;
	enum rc rc;

	if (s->n_attrs == CMS_READ_ATTRS_MAX)
		return why_set(why, RC_TOOBIG, "signedAttrs: over %d",
		        CMS_READ_ATTRS_MAX);
	rc = der_enter(d, DER_SEQUENCE, &attr, "signedAttrs", why);
	if (rc == RC_OK)
		rc = der_oid(&attr, &a->type, "attrType", why);
	if (rc == RC_OK && attr_is_there(s, a->type))
		rc = why_set(why, RC_MALFORMED, "signedAttrs: one comes twice");
	if (rc == RC_OK)
		rc = der_expect_full(&attr, DER_SET, &full, "attrValues", why);
	if (rc == RC_OK)
		rc = der_check(full, "attrValues", why);
	if (rc == RC_OK) {
		struct der values = der_of(full);

		rc = der_expect(
		        &values, DER_SET, &a->values, "attrValues", why);
	}
	if (rc == RC_OK)
		rc = der_done(&attr, "signedAttrs", why);
	if (rc == RC_OK)
		s->n_attrs++;
	return rc;
}

/* Their order is not looked at: the signature is over what stands there. */
static enum rc read_attrs(struct der *d, struct cms_signed *s, struct why *why)
{
	struct der set;
	enum rc rc = der_expect_full(
	        d, DER_CONTEXT_CONS(0), &s->attrs_der, "signedAttrs", why);

	if (rc == RC_OK)
		rc = der_open(s->attrs_der, DER_CONTEXT_CONS(0), &set,
		        "signedAttrs", why);
	while (rc == RC_OK && der_more(&set))
		rc = read_attr(&set, s, why);
	return rc;
}

/* rsaEncryption, as RFC 3370 section 3.2 has it, or the algorithm of that very
 * digest (RFC 5754 section 3.2). */
static bool is_rsa(struct bytes oid, enum oid digest)
{
	switch (oid_find(oid)) {
	case OID_RSA_ENCRYPTION:
		return true;
	case OID_RSA_SHA1:
		return digest == OID_SHA1;
	case OID_RSA_SHA256:
		return digest == OID_SHA256;
	case OID_RSA_SHA384:
		return digest == OID_SHA384;
	case OID_RSA_SHA512:
		return digest == OID_SHA512;
	default:
		return false;
	}
}

static enum rc read_signature(
        struct der *d, struct cms_signed *s, struct why *why)
{
	struct bytes oid;
	enum rc rc = read_bare_alg(d, &oid, "signatureAlgorithm", why);

	if (rc == RC_OK)
		rc = der_octet_string(d, &s->signature, "signature", why);
	if (rc == RC_OK && s->signature.n > CMS_READ_KEY_MAX_BYTES)
		rc = why_set(why, RC_TOOBIG, "signature: over %d bytes",
		        CMS_READ_KEY_MAX_BYTES);
	if (rc == RC_OK)
		s->rsa = is_rsa(oid, s->digest);
	return rc;
}

/* SignerInfo (section 5.3) */
static enum rc read_signer(struct der *d, struct cms_signed *s, struct why *why)
{
	struct bytes oid;
	uint64_t version;
	struct der in;
	enum rc rc = der_enter(d, DER_SEQUENCE, &in, "SignerInfo", why);

	if (rc == RC_OK)
		rc = read_version(&in, &version, "SignerInfo version", why);
	if (rc == RC_OK)
		rc = read_id(&in, &s->signer, "sid", why);
	if (rc == RC_OK && version != (s->signer.key_id.n > 0 ? 3 : 1))
		rc = why_set(why, RC_MALFORMED,
		        "SignerInfo version is not that of its sid");
	if (rc == RC_OK)
		rc = read_bare_alg(&in, &oid, "digestAlgorithm", why);
	if (rc == RC_OK) {
		s->digest = known_digest(oid);
		rc = read_attrs(&in, s, why);
	}
	if (rc == RC_OK)
		rc = read_signature(&in, s, why);
	if (rc == RC_OK && der_at(&in, DER_CONTEXT_CONS(1)))
		rc = why_set(why, RC_UNSUPPORTED, "unsignedAttrs");
	return rc == RC_OK ? der_done(&in, "SignerInfo", why) : rc;
}

static enum rc read_signers(
        struct der *d, struct cms_signed *s, struct why *why)
{
	struct der set;
	enum rc rc = der_enter(d, DER_SET, &set, "signerInfos", why);

	if (rc == RC_OK)
		rc = read_signer(&set, s, why);
	return rc == RC_OK ? der_done(&set, "signerInfos", why) : rc;
}

enum rc cms_read_signed(
        struct cms_signed *out, struct bytes der, struct why *why)
{
	uint64_t version;
	struct der in;
	enum rc rc;

	*out = (struct cms_signed){ .digest = OID_NONE };
	rc = read_info(&in, der, OID_PKCS7_SIGNED_DATA, why);
	if (rc == RC_OK)
		rc = read_version(&in, &version, "SignedData version", why);
	if (rc == RC_OK && version != 1 && version != 3)
		rc = why_set(why, RC_MALFORMED,
		        "SignedData version is neither 1 nor 3");
	if (rc == RC_OK)
		rc = read_digests(&in, why);
	if (rc == RC_OK)
		rc = read_content(&in, out, why);
	if (rc == RC_OK)
		rc = read_certs(&in, out, why);
	if (rc == RC_OK && der_at(&in, DER_CONTEXT_CONS(1)))
		rc = why_set(why, RC_UNSUPPORTED, "crls beside a signature");
	if (rc == RC_OK)
		rc = read_signers(&in, out, why);
	return rc == RC_OK ? der_done(&in, "SignedData", why) : rc;
}

enum rc cms_attr_value(const struct cms_signed *s, enum oid type,
        struct bytes *value, struct why *why)
{
	for (size_t i = 0; i < s->n_attrs; i++) {
		struct der d = der_of(s->attrs[i].values);
		struct der_item item;
		enum rc rc;

		if (!oid_is(s->attrs[i].type, type))
			continue;
		rc = der_next(&d, &item, oid_name(type), why);
		if (rc == RC_OK)
			rc = der_done(&d, oid_name(type), why);
		if (rc == RC_OK)
			*value = item.full;
		return rc;
	}
	return why_set(why, RC_NOTFOUND, "%s: missing", oid_name(type));
}

void cms_put_what_is_signed(struct buf *b, const struct cms_signed *s)
{
	buf_add_u8(b, DER_SET);
	buf_add(b, bytes_skip(s->attrs_der, 1));
}

/* --- EnvelopedData */
static const struct {
	enum oid oid;
	size_t key_bytes, block_bytes;
} ciphers[] = {
	{ OID_DES_EDE3_CBC, 24, 8 },
	{ OID_AES128_CBC, 16, 16 },
	{ OID_AES192_CBC, 24, 16 },
	{ OID_AES256_CBC, 32, 16 },
};
#define N_CIPHERS (sizeof(ciphers) / sizeof(*ciphers))

size_t cms_cipher_key_bytes(enum oid cipher)
{
	for (size_t i = 0; i < N_CIPHERS; i++)
		if (ciphers[i].oid == cipher)
			return ciphers[i].key_bytes;
	return 0;
}

size_t cms_cipher_block_bytes(enum oid cipher)
{
	for (size_t i = 0; i < N_CIPHERS; i++)
		if (ciphers[i].oid == cipher)
			return ciphers[i].block_bytes;
	return 0;
}

/* The other choices of RecipientInfo (section 6.2) */
static const char *other_recipient(struct der *d)
{
	if (der_at(d, DER_CONTEXT_CONS(1)))
		return "key agreement";
	if (der_at(d, DER_CONTEXT_CONS(2)))
		return "key encryption key";
	if (der_at(d, DER_CONTEXT_CONS(3)))
		return "password";
	return der_at(d, DER_CONTEXT_CONS(4)) ? "other" : NULL;
}

/* KeyTransRecipientInfo (section 6.2.1) */
static enum rc read_recipient(
        struct der *d, struct cms_recipient *r, struct why *why)
{
	const char *other = other_recipient(d);
	struct bytes oid;
	uint64_t version;
	struct der in;
	enum rc rc;

	if (other != NULL)
		return why_set(why, RC_UNSUPPORTED,
		        "recipientInfos: a recipient of kind %s", other);
	rc = der_enter(d, DER_SEQUENCE, &in, "recipientInfos", why);
	if (rc == RC_OK)
		rc = read_version(&in, &version, "recipient's version", why);
	if (rc == RC_OK)
		rc = read_id(&in, &r->id, "rid", why);
	if (rc == RC_OK && version != (r->id.key_id.n > 0 ? 2 : 0))
		rc = why_set(why, RC_MALFORMED,
		        "recipient's version is not that of its rid");
	if (rc == RC_OK)
		rc = read_bare_alg(&in, &oid, "keyEncryptionAlgorithm", why);
	if (rc == RC_OK && !oid_is(oid, OID_RSA_ENCRYPTION))
		rc = why_set(why, RC_UNSUPPORTED,
		        "keyEncryptionAlgorithm is not rsaEncryption");
	if (rc == RC_OK)
		rc = der_octet_string(
		        &in, &r->encrypted_key, "encryptedKey", why);
	if (rc == RC_OK && r->encrypted_key.n > CMS_READ_KEY_MAX_BYTES)
		rc = why_set(why, RC_TOOBIG, "encryptedKey: over %d bytes",
		        CMS_READ_KEY_MAX_BYTES);
	return rc == RC_OK ? der_done(&in, "recipientInfos", why) : rc;
}

static enum rc read_recipients(
        struct der *d, struct cms_enveloped *e, struct why *why)
{
	struct der set;
	enum rc rc = der_enter(d, DER_SET, &set, "recipientInfos", why);

	if (rc == RC_OK && !der_more(&set))
		rc = why_set(why, RC_MALFORMED, "recipientInfos: empty");
	while (rc == RC_OK && der_more(&set)) {
		if (e->n_recipients == CMS_READ_RECIPIENTS_MAX)
			return why_set(why, RC_TOOBIG,
			        "recipientInfos: over %d",
			        CMS_READ_RECIPIENTS_MAX);
		rc = read_recipient(&set, &e->recipients[e->n_recipients], why);
		if (rc == RC_OK)
			e->n_recipients++;
	}
	return rc;
}

/* The parameters of all on the list are the IV (RFC 3370 section 5.1, RFC 3565
 * section 4.1). */
static enum rc read_cipher(
        struct der *d, struct cms_enveloped *e, struct why *why)
{
	static const char what[] = "contentEncryptionAlgorithm";
	struct bytes oid, params;
	struct der iv;
	enum rc rc = read_alg(d, &oid, &params, what, why);

	for (size_t i = 0; rc == RC_OK && i < N_CIPHERS; i++)
		if (oid_is(oid, ciphers[i].oid))
			e->cipher = ciphers[i].oid;
	if (rc != RC_OK || e->cipher == OID_NONE)
		return rc;
	iv = der_of(params);
	rc = der_octet_string(&iv, &e->iv, what, why);
	if (rc == RC_OK)
		rc = der_done(&iv, what, why);
	if (rc == RC_OK && e->iv.n != cms_cipher_block_bytes(e->cipher))
		rc = why_set(why, RC_MALFORMED, "%s: an IV of %zu octets", what,
		        e->iv.n);
	return rc;
}

/* EncryptedContentInfo (section 6.1). The content's IMPLICIT tag stands around
 * one string, or around the pieces of one, as Go's clients send it. */
static enum rc read_encrypted(
        struct der *d, struct cms_enveloped *e, struct why *why)
{
	struct bytes oid;
	struct der in;
	enum rc rc =
	        der_enter(d, DER_SEQUENCE, &in, "encryptedContentInfo", why);

	if (rc == RC_OK)
		rc = der_oid(&in, &oid, "contentType", why);
	if (rc == RC_OK && !oid_is(oid, OID_PKCS7_DATA))
		rc = why_set(why, RC_UNSUPPORTED,
		        "the encrypted content is not id-data");
	if (rc == RC_OK)
		rc = read_cipher(&in, e, why);
	if (rc != RC_OK)
		return rc;
	e->pieces = der_at(&in, DER_CONTEXT_CONS(0));
	rc = der_expect(&in, e->pieces ? DER_CONTEXT_CONS(0) : DER_CONTEXT(0),
	        &e->content, "encryptedContent", why);
	return rc == RC_OK ? der_done(&in, "encryptedContentInfo", why) : rc;
}

enum rc cms_read_enveloped(
        struct cms_enveloped *out, struct bytes der, struct why *why)
{
	uint64_t version;
	struct der in;
	enum rc rc;

	*out = (struct cms_enveloped){ .cipher = OID_NONE };
	rc = read_info(&in, der, OID_PKCS7_ENVELOPED_DATA, why);
	if (rc == RC_OK)
		rc = read_version(&in, &version, "EnvelopedData version", why);
	/* Section 6.1 has 0 and 2 for what is read here; PyScep says 1. */
	if (rc == RC_OK && version > 2)
		rc = why_set(why, RC_UNSUPPORTED,
		        "EnvelopedData version is above 2");
	if (rc == RC_OK && der_at(&in, DER_CONTEXT_CONS(0)))
		rc = why_set(why, RC_UNSUPPORTED, "originatorInfo");
	if (rc == RC_OK)
		rc = read_recipients(&in, out, why);
	if (rc == RC_OK)
		rc = read_encrypted(&in, out, why);
	if (rc == RC_OK && der_at(&in, DER_CONTEXT_CONS(1)))
		rc = why_set(why, RC_UNSUPPORTED, "unprotectedAttrs");
	return rc == RC_OK ? der_done(&in, "EnvelopedData", why) : rc;
}

enum rc cms_put_ciphertext(
        struct buf *out, const struct cms_enveloped *e, struct why *why)
{
	size_t block = cms_cipher_block_bytes(e->cipher);
	struct der d = der_of(e->content);
	size_t before = out->n;
	struct bytes piece;
	enum rc rc = RC_OK;

	if (!e->pieces)
		buf_add(out, e->content);
	while (rc == RC_OK && e->pieces && der_more(&d)) {
		rc = der_octet_string(&d, &piece, "encryptedContent", why);
		if (rc == RC_OK)
			buf_add(out, piece);
	}
	if (rc == RC_OK)
		rc = out->failed;
	if (rc == RC_OK &&
	        (out->n == before || block == 0 ||
	                (out->n - before) % block != 0))
		rc = why_set(why, RC_MALFORMED,
		        "encryptedContent: not whole blocks");
	return rc;
}
