/* ca/cms_read.h - CMS messages of strangers (RFC 5652), read into views before
 * anything of them reaches libcrypto: SignedData with one signer (section 5)
 * and EnvelopedData for RSA recipients (section 6). Strict DER, on allow-lists:
 * key agreement, key encryption keys, passwords, other recipients, attribute
 * certificates, CRLs and unsigned attributes are refused, and an algorithm that
 * is not on the list comes out as OID_NONE, so that whoever reads can still say
 * so to the sender. Form alone: no signature, no key. Pure. Needs base/, der/.
 */
#ifndef MICA_CA_CMS_READ_H
#define MICA_CA_CMS_READ_H

#include "base/buf.h"
#include "base/why.h"
#include "der/oid.h"

#define CMS_READ_MAX_BYTES 65536
#define CMS_READ_CERTS_MAX 8      /* beside one signature */
#define CMS_READ_ATTRS_MAX 32     /* signed ones */
#define CMS_READ_DIGESTS_MAX 8    /* named in SignedData */
#define CMS_READ_RECIPIENTS_MAX 8 /* of one EnvelopedData */
#define CMS_READ_KEY_MAX_BYTES                                                 \
	1024 /* one encrypted key, one signature: RSA of
				     * 8192 bits */

/* Append in as DER: indefinite lengths made definite, lengths written short,
 * OCTET STRINGs in pieces joined (X.690 section 8). BouncyCastle and cryptlib
 * send such messages. What is DER comes out as it was, and nothing else is
 * changed or checked. in is exactly one element.
 * Errors: RC_MALFORMED RC_TOOBIG (size, depth) RC_UNSUPPORTED RC_NOMEM. */
MUST_CHECK enum rc cms_from_ber(
        struct buf *out, struct bytes in, struct why *why);

/* Who signed, or who can decrypt: one or the other (sections 5.3, 6.2.1). */
struct cms_id {
	struct bytes issuer; /* Name, DER; empty: by key_id */
	struct bytes serial; /* INTEGER's content octets */
	struct bytes key_id; /* subjectKeyIdentifier's content */
};

/* One signed attribute (section 5.3). */
struct cms_read_attr {
	struct bytes type;   /* content octets */
	struct bytes values; /* content of the SET OF */
};

/* All views are borrowed from the input. */
struct cms_signed {
	bool has_content;
	struct bytes content;                   /* eContent's octets */
	struct bytes certs[CMS_READ_CERTS_MAX]; /* DER, not looked into */
	size_t n_certs;
	struct cms_id signer;
	/* OID_SHA1, OID_SHA256, OID_SHA384 or OID_SHA512; OID_NONE: another */
	enum oid digest;
	bool rsa; /* PKCS#1 v1.5 with that digest; false: another algorithm */
	struct cms_read_attr attrs[CMS_READ_ATTRS_MAX];
	size_t n_attrs;
	/* signedAttrs as they stand, under their [0]: what was signed is the
	 * same under the tag of a SET (section 5.4). */
	struct bytes attrs_der;
	struct bytes signature;
};

/* A ContentInfo with SignedData over id-data, one SignerInfo in it that has
 * signed attributes. Errors: RC_MALFORMED RC_TOOBIG RC_UNSUPPORTED. */
MUST_CHECK enum rc cms_read_signed(
        struct cms_signed *out, struct bytes der, struct why *why);
/* The one value of the signed attribute of that type, DER.
 * RC_NOTFOUND; RC_MALFORMED for none or several values. */
MUST_CHECK enum rc cms_attr_value(const struct cms_signed *s, enum oid type,
        struct bytes *value, struct why *why);
/* Append what the signature is over: the attributes as a SET OF. */
void cms_put_what_is_signed(struct buf *b, const struct cms_signed *s);

struct cms_recipient {
	struct cms_id id;
	struct bytes encrypted_key;
};

struct cms_enveloped {
	/* Key transport under rsaEncryption alone. */
	struct cms_recipient recipients[CMS_READ_RECIPIENTS_MAX];
	size_t n_recipients;
	/* OID_DES_EDE3_CBC, OID_AES128_CBC, OID_AES192_CBC or OID_AES256_CBC;
	 * OID_NONE: another, and then iv is empty. */
	enum oid cipher;
	struct bytes iv;
	struct bytes content; /* of encryptedContent */
	bool pieces;          /* OCTET STRINGs in it, to be joined */
};

/* A ContentInfo with EnvelopedData over id-data. Errors: RC_MALFORMED RC_TOOBIG
 * RC_UNSUPPORTED. */
MUST_CHECK enum rc cms_read_enveloped(
        struct cms_enveloped *out, struct bytes der, struct why *why);
/* Append the ciphertext. Errors: RC_MALFORMED (not whole blocks), those of
 * out. */
MUST_CHECK enum rc cms_put_ciphertext(
        struct buf *out, const struct cms_enveloped *e, struct why *why);
/* Octets of a key of that cipher, and of its block: 0 for OID_NONE. */
size_t cms_cipher_key_bytes(enum oid cipher);
size_t cms_cipher_block_bytes(enum oid cipher);

#endif
