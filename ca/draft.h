/* ca/draft.h - everything that happens to a certificate before it is put on
 * record: the request held against the profile and the names, serial and
 * validity chosen, the TBS built and linted. No store, no signer: the same code
 * runs in the issuer and in the in-process benchmark. */
#ifndef MICA_CA_DRAFT_H
#define MICA_CA_DRAFT_H

#include "base/buf.h"
#include "ca/csr.h"
#include "ca/digest.h"
#include "ca/profile.h"
#include "ca/tbs.h"

/* What a certificate is made from; all borrowed while draft_make() runs. */
struct draft_input {
	const struct profile *profile;
	const char *device;              /* "" for none */
	const struct grant_names *names; /* may be NULL */
	int64_t max_validity_s;          /* 0: the profile's */
	int64_t now_us;
	const struct spki *spki;
	const struct csr *csr;   /* NULL: a bare key, which asks for nothing */
	const char *transaction; /* the client's; NULL or "": none */
};

struct draft {
	uint8_t serial[SERIAL_BYTES];
	struct tbs_validity validity;
	struct profile_names names;
	struct buf tbs;
};
#define DRAFT_INIT                                                             \
	((struct draft){ .names = PROFILE_NAMES_INIT,                          \
	        .tbs = BUF_INIT(TBS_BUILD_MAX_BYTES) })
void draft_free(struct draft *d);

/* Fill d, which may have been used before and keeps its memory. Refused
 * (RC_DENIED) is a request whose names differ from those resolved, or that asks
 * for a CA or for a purpose that the profile does not have, and a key of a type
 * that it does not permit.
 * Errors: RC_DENIED RC_TOOBIG RC_NOMEM RC_INTERNAL (lint, which is our fault).
 */
MUST_CHECK enum rc draft_make(struct draft *d, const struct draft_input *in,
        struct digest *digest, struct why *why);

/* What makes two requests the same (DESIGN rule 3): SHA-256 over identity,
 * authority, profile, SPKI, resolved names, credential, and the client's
 * transaction where it has one.
 * Errors: RC_NOMEM RC_INTERNAL. */
MUST_CHECK enum rc draft_request_hash(uint8_t out[DIGEST_SHA256_BYTES],
        const struct draft *d, const struct draft_input *in,
        const struct store_credential *credential, struct digest *digest);

#endif
