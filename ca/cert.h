/* ca/cert.h - certificates read into views (RFC 5280 section 4.1), strictly.
 * Form alone: no signature, no policy, no time. Pure. Needs base/ and der/. */
#ifndef MICA_CA_CERT_H
#define MICA_CA_CERT_H

#include "base/bytes.h"
#include "base/why.h"
#include "der/oid.h"

#define CERT_MAX_BYTES 65536
#define CERT_EXTENSIONS_MAX 64

struct cert_ext {
	struct bytes oid; /* content octets */
	bool critical;
	struct bytes value; /* the extension's DER */
};

/* All views are borrowed from the input. */
struct cert {
	struct bytes der; /* whole; empty when only a TBS was read */
	struct bytes tbs;
	unsigned version;     /* 1, 2 or 3 */
	struct bytes serial;  /* INTEGER's content octets */
	struct bytes tbs_alg; /* AlgorithmIdentifier, DER, inside the TBS */
	struct bytes issuer, subject; /* Name, DER */
	int64_t not_before_s, not_after_s;
	struct bytes spki; /* SubjectPublicKeyInfo, DER */
	bool unique_ids;   /* issuerUniqueID or subjectUniqueID stands in it */
	struct cert_ext ext[CERT_EXTENSIONS_MAX];
	size_t n_ext;
	struct bytes sig_alg;   /* outer AlgorithmIdentifier, DER */
	struct bytes signature; /* BIT STRING's content octets */
};

/* Exactly one certificate. The two AlgorithmIdentifiers must agree (section
 * 4.1.1.2). Errors: RC_MALFORMED RC_TOOBIG RC_UNSUPPORTED. */
MUST_CHECK enum rc cert_parse(
        struct cert *out, struct bytes der, struct why *why);
/* Exactly one TBSCertificate. */
MUST_CHECK enum rc cert_parse_tbs(
        struct cert *out, struct bytes tbs, struct why *why);

/* Names, serial number and key of exactly one certificate that vouches for
 * nothing, such as clients of SCEP make for one message (certmonger's have a
 * GeneralizedTime of this century). The rest is not looked at: no times, no
 * extensions, no signature. Errors: RC_MALFORMED RC_TOOBIG. */
MUST_CHECK enum rc cert_parse_key(
        struct cert *out, struct bytes der, struct why *why);

/* The first extension of that type; NULL when absent. Borrowed from c. */
const struct cert_ext *cert_ext(const struct cert *c, enum oid oid);

/* Section 4.2.1.9; absent: not a CA. */
MUST_CHECK enum rc cert_is_ca(const struct cert *c, bool *ca, struct why *why);
/* Section 4.2.1.9, pathLenConstraint; false when there is none. */
bool cert_path_len(const struct cert *c, uint64_t *len);
/* Section 4.2.1.3, bit 0 is digitalSignature; absent: *present is false. */
MUST_CHECK enum rc cert_key_usage(
        const struct cert *c, uint32_t *bits, bool *present, struct why *why);
/* Section 4.2.1.2; absent: empty. */
MUST_CHECK enum rc cert_subject_key_id(
        const struct cert *c, struct bytes *id, struct why *why);
/* Section 4.2.1.1, the keyIdentifier; absent: empty. */
MUST_CHECK enum rc cert_authority_key_id(
        const struct cert *c, struct bytes *id, struct why *why);

/* RFC 5280 section 4.2.1.3 */
enum cert_usage {
	USAGE_DIGITAL_SIGNATURE = 1 << 0,
	USAGE_NON_REPUDIATION = 1 << 1,
	USAGE_KEY_ENCIPHERMENT = 1 << 2,
	USAGE_DATA_ENCIPHERMENT = 1 << 3,
	USAGE_KEY_AGREEMENT = 1 << 4,
	USAGE_KEY_CERT_SIGN = 1 << 5,
	USAGE_CRL_SIGN = 1 << 6,
	USAGE_ENCIPHER_ONLY = 1 << 7,
	USAGE_DECIPHER_ONLY = 1 << 8,
};

#endif
