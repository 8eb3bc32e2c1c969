/* ca/tbs_read.h - a TBSCertificate (RFC 5280 section 4.1) taken apart, for
 * tbs_check alone. Strict: what RFC 5280 or DER does not allow is refused.
 * Pure. Needs base/ and der/. All views are borrowed from the input. */
#ifndef MICA_CA_TBS_READ_H
#define MICA_CA_TBS_READ_H

#include "base/bytes.h"
#include "base/why.h"
#include "ca/tbs_check.h"
#include "der/alg.h"

/* keyUsage bits, RFC 5280 section 4.2.1.3 */
#define TBS_KEY_CERT_SIGN (UINT32_C(1) << 5)
#define TBS_CRL_SIGN (UINT32_C(1) << 6)

struct tbs_view_ext {
	struct bytes oid;
	bool critical;
	struct bytes value; /* content of extnValue; in a tbs_view it is
			     * well-formed DER */
};

struct tbs_view {
	struct bytes serial; /* content octets */
	struct bytes sig_alg;
	struct bytes issuer;
	int64_t not_before_s, not_after_s;
	struct bytes subject;
	struct spki spki;
	struct tbs_view_ext ext[TBS_EXTENSIONS_MAX];
	size_t n_ext;
	/* Into ext, or NULL. */
	const struct tbs_view_ext *bc, *ku, *eku, *san;
	bool ca, path_len;  /* of basicConstraints */
	uint32_t key_usage; /* bits; 0 when there is no ku */
};

/* One Extension (RFC 5280 section 4.1), whatever extnValue holds; *e is set. */
MUST_CHECK enum rc tbs_read_ext(
        struct tbs_view_ext *e, struct der *d, struct why *why);
MUST_CHECK enum rc tbs_read(
        struct tbs_view *v, struct bytes tbs, struct why *why);
/* Whether extKeyUsage, already read, holds it. */
bool tbs_has_eku(const struct tbs_view *v, struct bytes oid);

#endif
