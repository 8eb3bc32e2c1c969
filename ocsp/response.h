/* ocsp/response.h - OCSPResponse (RFC 6960 section 4.2), as RFC 9919 profiles
 * it, written as DER without a detour: byte for byte what libcrypto makes of
 * the same data. Pure: no I/O, no clock, no globals. Needs der/, storage/. */
#ifndef MICA_OCSP_RESPONSE_H
#define MICA_OCSP_RESPONSE_H

#include "base/buf.h"
#include "ocsp/request.h"
#include "storage/store.h"

/* A whole answer: 32 certificates, and a responder's of any size we issue. */
#define OCSP_RESPONSE_MAX_BYTES (160u << 10)
#define RESPONSE_KEY_HASH_BYTES 20

/* OCSPResponseStatus; each but the first is an answer of its own. */
enum response_status {
	RESPONSE_SUCCESSFUL = 0,
	RESPONSE_MALFORMED = 1,
	RESPONSE_INTERNAL_ERROR = 2,
	RESPONSE_TRY_LATER = 3,
	RESPONSE_UNAUTHORIZED = 6,
};
/* The unsigned OCSPResponse of an error. Static. */
struct bytes response_error(enum response_status status);

enum single_status { SINGLE_GOOD, SINGLE_REVOKED, SINGLE_UNKNOWN };

/* One SingleResponse. */
struct single {
	struct bytes certid; /* CertID, DER, as it was asked */
	enum single_status status;
	/* SINGLE_REVOKED: since when, why (REASON_UNSPECIFIED is left out, RFC
	 * 5280 section 5.3.1), and the invalidityDate (0: none). */
	int64_t revoked_s;
	enum cert_reason reason;
	int64_t invalidity_s;
};

/* A ResponseData; times in whole seconds. */
struct response_data {
	/* SHA-1 of the signing key's BIT STRING content: byKey (RFC 9919
	 * section 3.2.2) */
	const uint8_t *key_hash; /* RESPONSE_KEY_HASH_BYTES */
	int64_t produced_s, this_update_s, next_update_s;
	const struct single *list;
	size_t n;
	struct bytes nonce;   /* the extension's value; empty: none */
	bool extended_revoke; /* RFC 6960 section 4.4.8 */
};

/* Append the ResponseData, which is what gets signed. Returns where in b its
 * responses, the SEQUENCE OF SingleResponse, begin. */
size_t response_put_data(struct buf *b, const struct response_data *d);

/* Append the OCSPResponse around it. sig_alg is an AlgorithmIdentifier, DER;
 * cert the responder's certificate, empty when the CA's own key signed. */
void response_put(struct buf *b, struct bytes data, struct bytes sig_alg,
        struct bytes signature, struct bytes cert);

#endif
