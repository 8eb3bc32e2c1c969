/* ca/signer/ca_cert.h - certificates of CAs (RFC 5280 section 4), built, signed
 * and checked. For the ceremony alone: nothing that serves includes this.
 * Needs base/, der/, libcrypto. */
#ifndef MICA_CA_SIGNER_CA_CERT_H
#define MICA_CA_SIGNER_CA_CERT_H

#include "base/buf.h"
#include "base/why.h"
#include "ca/signer/ca_urls.h"
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
int64_t ca_issuer_not_after_s(const struct ca_issuer *i);
struct bytes ca_issuer_der(const struct ca_issuer *i);
struct bytes ca_issuer_subject(const struct ca_issuer *i); /* Name, DER */
struct bytes ca_issuer_key_id(const struct ca_issuer *i);
bool ca_issuer_signs_crls(const struct ca_issuer *i); /* cRLSign */
void ca_issuer_free(struct ca_issuer *i);             /* NULL is a no-op */

struct ca_cert_opts {
	const struct ca_issuer *issuer; /* NULL: signs itself */
	struct bytes subject;           /* Name, DER */
	struct bytes subject_spki;      /* SubjectPublicKeyInfo, DER */
	int path_length;                /* or CA_CERT_NO_PATH_LENGTH */
	int64_t not_before_s, not_after_s;
	/* Of the issuer; a root, which has none, has none of these. */
	struct ca_urls crls, issuers;
	/* Another generation of the issuer, which may have its name: then it is
	 * self-issued, which path lengths do not count (RFC 5280 section
	 * 4.2.1.9). Never the issuer's own key. */
	bool cross;
};

/* May the issuer sign for that subject (Name, DER)? What its nameConstraints do
 * not permit (RFC 5280 section 4.2.1.10), and its own name, it may not.
 * Errors: RC_DENIED RC_NOMEM. */
MUST_CHECK enum rc ca_issuer_permits(
        const struct ca_issuer *i, struct bytes subject, struct why *why);

/* Append basicConstraints of a CA and keyUsage keyCertSign and cRLSign, both
 * critical (RFC 5280 sections 4.2.1.9 and 4.2.1.3). */
void ca_cert_put_constraints(struct buf *b, int path_length);

/* What ca_cert_sign() refuses, before anything is signed. RC_DENIED RC_NOMEM */
MUST_CHECK enum rc ca_cert_check(const struct ca_cert_opts *o, struct why *why);
/* Append the certificate's DER, signed by key number signer. Refused
 * (RC_DENIED): an end past the issuer's, a path length that the issuer's does
 * not leave, a name that it does not permit. What was signed is then read, and
 * verified by libcrypto up to the issuer by the letter of RFC 5280.
 * Errors: RC_DENIED RC_BADSIG RC_INTERNAL RC_NOMEM. */
MUST_CHECK enum rc ca_cert_sign(struct buf *out, struct vault *vault,
        size_t signer, const struct ca_cert_opts *o, struct why *why);

#endif
