/* ca/signer/ca_crl.h - the CRL of a CA whose key is not served, such as a root's
 * (RFC 5280 section 5), built, signed and checked. For the ceremony alone.
 * Needs base/, der/, ca/tbs_check.h, libcrypto. */
#ifndef MICA_CA_SIGNER_CA_CRL_H
#define MICA_CA_SIGNER_CA_CRL_H

#include "base/buf.h"
#include "base/why.h"
#include "ca/signer/ca_cert.h"
#include "ca/signer/vault.h"

#define CA_CRL_MAX_BYTES 262144
#define CA_CRL_LIST_MAX_BYTES 65536
#define CA_CRL_ENTRIES_MAX 1024 /* CA certificates: a root has few */

struct ca_crl_opts {
	const struct ca_issuer *issuer;
	uint64_t number;
	int64_t now_s, this_update_s, next_update_s;
	/* Lines "SERIAL TIME [REASON]": hex octets; 2026-11-22T10:00:00Z; a
	 * CRLReason's name (RFC 5280 section 5.3.1), unspecified by default.
	 * Empty lines and those that begin with `#` are skipped. */
	struct bytes list;
	/* The CRL that this one follows, DER; empty: none. What stands there
	 * stands in list too, but for what was held, and its number is lower:
	 * nobody who was revoked is good again because a line was lost. */
	struct bytes before;
};

/* Append the CertificateList's DER, signed by key number signer, the issuer's.
 * Refused (RC_DENIED): an issuer without cRLSign, a revocation in the future, a
 * list that does not follow the CRL before.
 * What was signed is then read and verified by libcrypto.
 * Errors: RC_MALFORMED and RC_TOOBIG for the list; RC_DENIED RC_BADSIG
 * RC_INTERNAL RC_NOMEM. */
MUST_CHECK enum rc ca_crl_sign(struct buf *out, struct vault *vault,
        size_t signer, const struct ca_crl_opts *o, struct why *why);

#endif
