/* ca/digest.h - SHA-256 and SHA-1 with the algorithms fetched once. One object
 * a thread; libcrypto's one-shot calls look the algorithm up each time, which
 * costs more than hashing a certificate does. Needs base/ and libcrypto. */
#ifndef MICA_CA_DIGEST_H
#define MICA_CA_DIGEST_H

#include "base/bytes.h"
#include "base/rc.h"
#include "der/oid.h"

#define DIGEST_SHA256_BYTES 32
#define DIGEST_SHA1_BYTES 20
#define DIGEST_MAX_BYTES 64

struct digest;

/* Errors: RC_NOMEM RC_INTERNAL. */
MUST_CHECK enum rc digest_new(struct digest **out);
void digest_free(struct digest *d); /* NULL is a no-op */

/* Errors: RC_INTERNAL. */
MUST_CHECK enum rc digest_sha256(
        struct digest *d, struct bytes in, uint8_t out[DIGEST_SHA256_BYTES]);
/* By SHA-256, SHA-384 or SHA-512, for what is done once: the algorithm is looked
 * up. Errors: RC_INTERNAL, for another OID, too. */
MUST_CHECK enum rc digest_sha2(enum oid digest, struct bytes in,
        uint8_t out[DIGEST_MAX_BYTES], size_t *n);
/* For key identifiers alone, which are names and not proofs. */
MUST_CHECK enum rc digest_sha1(
        struct digest *d, struct bytes in, uint8_t out[DIGEST_SHA1_BYTES]);

#endif
