/* ca/signer/ca_cert.h - certificates of CAs (RFC 5280 section 4), built, signed
 * and checked. For the ceremony alone: nothing that serves includes this.
 * Needs base/, der/, libcrypto. */
#ifndef MICA_CA_SIGNER_CA_CERT_H
#define MICA_CA_SIGNER_CA_CERT_H

#include "base/buf.h"
#include "base/why.h"
#include "ca/signer/vault.h"

#define CA_CERT_MAX_BYTES 65536
#define CA_CERT_NO_PATH_LENGTH (-1)

/* The certificate of the CA that signs. */
struct ca_issuer;
/* Read exactly one PEM certificate: a CA's, with keyCertSign, whose key is that
 * one. Errors: RC_MALFORMED RC_CONFLICT RC_DENIED RC_NOMEM. */
MUST_CHECK enum rc ca_issuer_parse(struct ca_issuer **out, struct bytes pem,
        const struct vault_key *key, struct why *why);
int64_t ca_issuer_not_before_s(const struct ca_issuer *i);
struct bytes ca_issuer_subject(const struct ca_issuer *i); /* Name, DER */
struct bytes ca_issuer_key_id(const struct ca_issuer *i);
bool ca_issuer_signs_crls(const struct ca_issuer *i); /* cRLSign */
void ca_issuer_free(struct ca_issuer *i);             /* NULL is a no-op */

struct ca_cert_opts {
	const struct ca_issuer *issuer; /* NULL: signs itself */
	struct bytes subject;           /* Name, DER */
	const struct vault_key *subject_key;
	int path_length; /* or CA_CERT_NO_PATH_LENGTH */
	int64_t not_before_s, not_after_s;
};

/* Append the certificate's DER, signed by key number signer. Refused
 * (RC_DENIED): an end past the issuer's, a path length that the issuer's does
 * not leave. What was signed is then read and verified by libcrypto.
 * Errors: RC_DENIED RC_BADSIG RC_INTERNAL RC_NOMEM. */
MUST_CHECK enum rc ca_cert_sign(struct buf *out, struct vault *vault,
        size_t signer, const struct ca_cert_opts *o, struct why *why);

#endif
