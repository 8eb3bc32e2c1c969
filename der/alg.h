/* der/alg.h - AlgorithmIdentifiers and SubjectPublicKeyInfo: an allow-list.
 * Parameters as the RFCs have them: absent for ECDSA (RFC 5758 section 3.2)
 * and Ed25519 (RFC 8410 section 3), NULL for RSA PKCS#1 v1.5 and rsaEncryption
 * (RFC 4055 sections 5 and 1.2), RSASSA-PSS-params with SHA-2, MGF1 of the
 * same hash and a salt of its length (RFC 4055 section 3.1), namedCurve for EC
 * keys (RFC 5480 section 2.1.1). Pure. Needs base/. */
#ifndef MICA_DER_ALG_H
#define MICA_DER_ALG_H

#include "base/buf.h"
#include "base/why.h"
#include "der/oid.h"
#include "der/reader.h"

enum sig_alg {
	ALG_NONE,
	ALG_ECDSA_SHA256,
	ALG_ECDSA_SHA384,
	ALG_ECDSA_SHA512,
	ALG_ED25519,
	ALG_RSA_SHA256,
	ALG_RSA_SHA384,
	ALG_RSA_SHA512,
	ALG_RSA_PSS_SHA256,
	ALG_RSA_PSS_SHA384,
	ALG_RSA_PSS_SHA512,
	ALG_COUNT
};

/* Bits, so that a profile can hold the set that it permits. */
enum key_type {
	KEY_P256 = 1 << 0,
	KEY_P384 = 1 << 1,
	KEY_P521 = 1 << 2, /* recognised; the key policy decides */
	KEY_ED25519 = 1 << 3,
	KEY_RSA = 1 << 4,
};

/* A lower-case word ("ecdsa-sha256", "p256"); "none" for what is not one. */
const char *alg_name(enum sig_alg alg);
const char *key_type_name(enum key_type type);
/* 0 when name is no key type. */
unsigned key_type_by_name(struct bytes name);
/* Whether a key of that type can make that signature. */
bool alg_fits_key(enum sig_alg alg, enum key_type type);
/* The digest that a CMS SignerInfo names beside it (RFC 5652 section 5.3): that
 * of the signature itself; SHA-512 for Ed25519 (RFC 8419 section 3.1).
 * OID_NONE for ALG_NONE. */
enum oid alg_digest(enum sig_alg alg);
/* 32, 48 or 64; 0 for an OID that is no SHA-2 of those sizes. */
size_t alg_digest_bytes(enum oid digest);

/* Read one signature AlgorithmIdentifier.
 * Errors: RC_MALFORMED; RC_UNSUPPORTED for what is not on the list. */
MUST_CHECK enum rc alg_read(
        struct der *d, enum sig_alg *out, const char *what, struct why *why);
/* Its one encoding, SEQUENCE header included. Static. */
struct bytes alg_bytes(enum sig_alg alg);
void alg_put(struct buf *b, enum sig_alg alg);

/* All views are borrowed from the input. */
struct spki {
	enum key_type type;
	unsigned bits;        /* 256, 384, 521; RSA: of the modulus */
	struct bytes der;     /* the whole SubjectPublicKeyInfo */
	struct bytes key;     /* content of the BIT STRING: EC point (04, X, Y),
				* the 32 bytes of Ed25519, RSAPublicKey */
	struct bytes modulus; /* RSA only: magnitude, no leading zero */
	struct bytes exponent; /* RSA only: magnitude, no leading zero */
};

/* RSA moduli beyond this are not looked at. */
#define SPKI_RSA_MAX_BYTES 1024

/* Parse exactly one SubjectPublicKeyInfo. Checked is form: whether a point is
 * on its curve, or a modulus fit for use, is the key policy's to say.
 * Compressed points and explicit curves are RC_UNSUPPORTED.
 * Errors: RC_MALFORMED RC_TOOBIG RC_UNSUPPORTED. */
MUST_CHECK enum rc spki_parse(
        struct spki *out, struct bytes der, struct why *why);
/* Write one: EC point, or raw Ed25519 key. */
void spki_put_raw(struct buf *b, enum key_type type, struct bytes key);
void spki_put_rsa(struct buf *b, struct bytes modulus, struct bytes exponent);

#endif
