/* enroll/scep_crypt.h - libcrypto's part in SCEP: digests, RSA signatures of
 * others, and the content of EnvelopedData both ways. The RA's private key is
 * the signer's; what it unwraps comes here as a content key. Needs ca/. */
#ifndef MICA_ENROLL_SCEP_CRYPT_H
#define MICA_ENROLL_SCEP_CRYPT_H

#include "base/buf.h"
#include "base/why.h"
#include "ca/cms_read.h"
#include "der/alg.h"

#include <openssl/types.h>

#define SCEP_DIGEST_MAX_BYTES 64

/* Algorithms fetched once, contexts used again. One a thread. */
struct scep_crypt;

/* Errors: RC_NOMEM RC_INTERNAL. */
MUST_CHECK enum rc scep_crypt_new(struct scep_crypt **out);
void scep_crypt_free(struct scep_crypt *c); /* NULL is a no-op */

/* digest: as cms_read.h has them, but OID_NONE. RC_INTERNAL */
MUST_CHECK enum rc scep_crypt_digest(struct scep_crypt *c, enum oid digest,
        struct bytes in, uint8_t out[SCEP_DIGEST_MAX_BYTES], size_t *n);
/* The RSA key of a device, for what follows; the caller frees it with
 * EVP_PKEY_free(). Errors: of pubkey_import(). */
MUST_CHECK enum rc scep_crypt_import(struct scep_crypt *c, EVP_PKEY **out,
        const struct spki *key, struct why *why);
/* PKCS#1 v1.5. Errors: RC_BADSIG RC_INTERNAL. */
MUST_CHECK enum rc scep_crypt_verify(struct scep_crypt *c, EVP_PKEY *key,
        enum oid digest, struct bytes data, struct bytes sig, struct why *why);

/* Append the content of e, decrypted with that key: as long as its cipher has
 * it. RC_BADSIG: it does not open, and nothing says why. RC_NOMEM */
MUST_CHECK enum rc scep_crypt_open(struct scep_crypt *c,
        const struct cms_enveloped *e, struct bytes key, struct buf *out,
        struct why *why);
/* Append an EnvelopedData with content for that RSA key, known by id.
 * Errors: RC_NOMEM RC_TOOBIG RC_INTERNAL. */
MUST_CHECK enum rc scep_crypt_seal(struct scep_crypt *c, struct buf *out,
        enum oid cipher, EVP_PKEY *key, const struct cms_id *id,
        struct bytes content);

#endif
