/* ocsp/request.h - OCSPRequest (RFC 6960 section 4.1), strictly: which
 * certificates are asked about, and the nonce. Signatures on requests are not
 * asked for and not verified (RFC 9919 section 3.1.2); their form is checked.
 * Pure: no I/O, no clock, no globals. Needs der/. */
#ifndef MICA_OCSP_REQUEST_H
#define MICA_OCSP_REQUEST_H

#include "base/why.h"
#include "der/reader.h"

#define OCSP_REQUEST_MAX_BYTES 16384
#define OCSP_REQUEST_CERTS_MAX 32 /* asked about in one request */
/* RFC 9654 section 2.1 */
#define OCSP_REQUEST_NONCE_MAX_BYTES 128
#define OCSP_REQUEST_EXTENSIONS_MAX 16 /* of one list */
/* Any longer serial is nobody's: RFC 5280 section 4.1.2.2 has 20 octets. */
#define OCSP_REQUEST_SERIAL_MAX_BYTES 64

enum certid_hash {
	CERTID_SHA1,
	CERTID_SHA256,
	CERTID_HASHES,
	CERTID_OTHER = CERTID_HASHES /* well formed; nothing we know */
};

/* All views are borrowed from the input. */
struct certid {
	struct bytes der; /* whole, to be echoed */
	enum certid_hash hash;
	/* The parameters are NULL, not absent: both are in use, and a client
	 * wants its own form back. */
	bool null_params;
	struct bytes name_hash, key_hash;
	struct bytes serial; /* INTEGER's content octets */
};

struct ocsp_request {
	struct certid list[OCSP_REQUEST_CERTS_MAX];
	size_t n; /* at least 1 */
	bool has_nonce;
	/* The extension's value as it came, to be echoed. RFC 9654 has an OCTET
	 * STRING of 1 to 128 octets inside; clients that leave that one out are
	 * in use (BouncyCastle's callers), so other contents of that length
	 * pass as they are. */
	struct bytes nonce;
};

/* Refused: what the grammar does not allow, a nonce of 0 or more than 128
 * octets, a critical extension that we do not know, an extension that comes
 * twice. Errors: RC_MALFORMED RC_UNSUPPORTED RC_TOOBIG; each is
 * malformedRequest to the client. */
MUST_CHECK enum rc ocsp_request_parse(
        struct ocsp_request *out, struct bytes der, struct why *why);

#endif
