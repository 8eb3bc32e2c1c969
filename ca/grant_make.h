/* ca/grant_make.h - the one way to make a grant. Included by ca/grant.c and
 * enroll/authorize.c alone; a check in `make check` proves it from the
 * #include lines (DESIGN rule 4: default deny, no front can build one). */
#ifndef MICA_CA_GRANT_MAKE_H
#define MICA_CA_GRANT_MAKE_H

#include "ca/grant.h"

/* What was decided. Pointers may be NULL where it says so; everything but
 * authority and profile, which outlive all grants, is copied. */
struct grant_spec {
	const char *device; /* NULL or "": belongs to no device */
	const char *anchor; /* of a device made by it; NULL: ours */
	const struct authority *authority;
	const struct conf_profile *profile;
	uint8_t spki_hash[STORE_HASH_BYTES];
	const struct grant_names *names; /* NULL: none */
	int64_t max_validity_s;          /* 0: the profile's */
	struct store_credential credential;
	const char *requester; /* the audit trail's actor */
	const char *quota;     /* NULL: none */
	/* What the client calls its request: a retry has the same (SCEP's
	 * transactionID). NULL: nothing. */
	const char *transaction;
	int64_t deadline_us; /* clock_now_us() */
	uint64_t device_version;
	uint64_t authority_version;
	struct grant_wait wait;
	bool system; /* for a key that the signer or the daemon holds */
};

/* Refused are a missing authority, profile, requester, credential or deadline,
 * ids and names longer than the store's or not printable ASCII, more than
 * GRANT_NAMES_MAX names of a kind.
 * Errors: RC_DENIED (why has the clause) RC_NOMEM. */
MUST_CHECK enum rc grant_make(
        struct grant **out, const struct grant_spec *spec, struct why *why);

#endif
