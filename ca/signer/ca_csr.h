/* ca/signer/ca_csr.h - certification requests of CAs (PKCS#10, RFC 2986): made
 * for a key that is here, and read where an issuer answers them. For the
 * ceremony alone. Needs base/, der/, libcrypto. */
#ifndef MICA_CA_SIGNER_CA_CSR_H
#define MICA_CA_SIGNER_CA_CSR_H

#include "base/buf.h"
#include "base/why.h"
#include "ca/signer/vault.h"

#define CA_CSR_MAX_BYTES 16384

/* Append the DER of a request for that subject (Name, DER) by key number key:
 * it asks for a CA's basicConstraints with that path length and for keyUsage
 * keyCertSign and cRLSign, and nothing else. What was signed is then read by
 * libcrypto, and its key and subject compared.
 * Errors: RC_BADSIG RC_INTERNAL RC_NOMEM. */
MUST_CHECK enum rc ca_csr_sign(struct buf *out, struct vault *vault, size_t key,
        struct bytes subject, int path_length, struct why *why);

/* A request that proved possession of its key. Views are the object's own. */
struct ca_csr {
	struct buf der, subject, spki; /* whole; Name; SubjectPublicKeyInfo */
	int path_length; /* asked for, or CA_CERT_NO_PATH_LENGTH */
};

/* Read exactly one request in PEM: its signature is by its key, its key is of a
 * type and size that CAs have, its subject is well formed and not empty, and it
 * asks for a CA's certificate. ca_csr_free() it whatever the result.
 * Errors: RC_MALFORMED RC_BADSIG RC_WEAKKEY RC_UNSUPPORTED RC_DENIED RC_NOMEM.
 */
MUST_CHECK enum rc ca_csr_read(
        struct ca_csr *out, struct bytes pem, struct why *why);
void ca_csr_free(struct ca_csr *c);

#endif
