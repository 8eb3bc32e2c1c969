/* ca/tbs.h - to-be-signed certificates (RFC 5280 section 4.1.2) spliced from a
 * compiled profile, and certificates put together from them. Byte-identical to
 * what libcrypto would build. Pure but for hashing the key identifier. */
#ifndef MICA_CA_TBS_H
#define MICA_CA_TBS_H

#include "base/buf.h"
#include "ca/digest.h"
#include "ca/profile.h"
#include "ca/serial.h"
#include "der/alg.h"

#define TBS_BUILD_MAX_BYTES 60000 /* leaves room for a signature in the store */

/* What a certificate's validity is, and what was done to it. */
struct tbs_validity {
	int64_t not_before_s;
	int64_t not_after_s;
	bool cut; /* to the issuer's notAfter: the operator wants to know */
};

/* From now - backdate to now + the shorter of the profile's validity and
 * granted_max_s (0: no maximum), cut to the issuer's notAfter. `never` is not
 * cut (RFC 5280 section 4.1.2.5; IEEE 802.1AR). RC_DENIED when nothing is left
 * of it: the issuer has expired or is not yet valid. */
MUST_CHECK enum rc tbs_validity(struct tbs_validity *out,
        const struct profile *p, int64_t now_s, int64_t granted_max_s,
        struct why *why);

struct tbs_input {
	const uint8_t *serial; /* SERIAL_BYTES */
	struct tbs_validity validity;
	const struct profile_names *names;
	const struct spki *spki; /* its DER goes in verbatim */
};

/* Append a TBSCertificate. Errors: RC_TOOBIG RC_NOMEM RC_INTERNAL. */
MUST_CHECK enum rc tbs_build(struct buf *out, const struct profile *p,
        const struct tbs_input *in, struct digest *digest);

/* Append a Certificate: the TBS, the AlgorithmIdentifier, the signature (the
 * BIT STRING's content octets, whole). Errors: RC_TOOBIG RC_NOMEM. */
MUST_CHECK enum rc tbs_certificate(struct buf *out, struct bytes tbs,
        struct bytes sig_alg, struct bytes signature);

#endif
