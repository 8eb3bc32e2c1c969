/* ca/signer/p11_key.h - private keys in a token: found by what a URI says of
 * them, never by looking through the token; their public half; what they sign
 * and decrypt. Results as in ca/signer/p11.h. Needs base/, der/, libcrypto. */
#ifndef MICA_CA_SIGNER_P11_KEY_H
#define MICA_CA_SIGNER_P11_KEY_H

#include "base/buf.h"
#include "ca/signer/p11.h"
#include "der/alg.h"

#define P11_SIGNATURE_MAX_BYTES 1024 /* RSA of 8192 bits */
#define P11_LABEL_MAX_BYTES 256      /* also of an id */

/* The private key with uri's object, id, or both. The handle lives as long as
 * the session. RC_NOTFOUND; RC_CONFLICT: more than one; RC_MALFORMED: uri names
 * no private key. */
MUST_CHECK enum rc p11_key_find(struct p11_session *s,
        const struct p11_uri *uri, CK_OBJECT_HANDLE *out, struct why *why);

/* Append key's public half as SubjectPublicKeyInfo: out of the private object
 * where it tells, else of the public key or the certificate that has its id, or
 * its label where it has none. RC_NOTFOUND RC_UNSUPPORTED RC_MALFORMED */
MUST_CHECK enum rc p11_key_public(struct p11_session *s, CK_OBJECT_HANDLE key,
        struct buf *out, struct why *why);

/* Append key's signature of that algorithm, in the form of X.509, over input:
 * the digest, or for Ed25519 the message. It is not verified here. */
MUST_CHECK enum rc p11_sign(struct p11_session *s, CK_OBJECT_HANDLE key,
        enum sig_alg alg, struct bytes input, struct buf *out, struct why *why);

/* Decrypt by RSA into room[*n]; *n is then how many bytes came: raw, the whole
 * block (RSADP, RFC 8017 section 5.1.2), else the message in it by
 * RSAES-PKCS1-v1_5 (section 7.2.2). RC_MALFORMED: not below the modulus, or the
 * padding is wrong, which no other may be told: ca/signer/vault.h. */
MUST_CHECK enum rc p11_decrypt(struct p11_session *s, CK_OBJECT_HANDLE key,
        bool raw, struct bytes cipher, uint8_t *room, size_t *n,
        struct why *why);

/* An attribute's value, appended. RC_NOTFOUND: the object has none, or does not
 * show it; RC_TOOBIG. */
MUST_CHECK enum rc p11_attribute(struct p11_session *s, CK_OBJECT_HANDLE object,
        CK_ATTRIBUTE_TYPE type, struct buf *out, struct why *why);

#endif
