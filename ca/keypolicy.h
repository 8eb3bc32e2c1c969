/* ca/keypolicy.h - which public keys are fit to be certified, whatever a
 * profile permits: P-256, P-384, Ed25519, RSA of 2048 to 4096 bits that shows
 * none of the known faults of making. Pure. Needs conf/, der/, libcrypto. */
#ifndef MICA_CA_KEYPOLICY_H
#define MICA_CA_KEYPOLICY_H

#include "base/why.h"
#include "conf/conf.h"
#include "der/alg.h"

#define KEYPOLICY_RSA_MIN_BITS 2048
#define KEYPOLICY_RSA_MAX_BITS 4096

/* The enum conf_key_type bit of a key, to hold against conf_profile.keys; 0
 * for a key that no profile can permit. */
uint32_t keypolicy_type(const struct spki *spki);

/* Refused with RC_WEAKKEY, the clause in why: curves other than P-256 and
 * P-384, known points of small or public private keys, Ed25519 points of small
 * order, and RSA keys of other sizes, with an exponent that is even, under
 * 65537 or of more than 31 bits, with a modulus that is even, has a factor
 * under 752, bears the ROCA fingerprint (CVE-2017-15361), or falls to Fermat's
 * method in few steps (CVE-2022-26320). Whether an EC point is on its curve is
 * pubkey_import()'s to say. Errors: RC_WEAKKEY RC_NOMEM RC_INTERNAL. */
MUST_CHECK enum rc keypolicy_check(const struct spki *spki, struct why *why);

#endif
