/* ca/grant.h - permission to issue one certificate: who, by which authority and
 * profile, for which key and names, on what credential, until when, and the
 * versions of the records it was decided on. Made only by enroll/authorize.c
 * (grant_make.h); consumed by the issuer; nobody else can build one. */
#ifndef MICA_CA_GRANT_H
#define MICA_CA_GRANT_H

#include "ca/authority.h"
#include "conf/conf.h"
#include "storage/store.h"

#define GRANT_NAMES_MAX 32 /* of each kind */

struct grant; /* opaque; immutable */

/* Names that may be put in beside what the profile derives from the device. */
struct grant_names {
	const char *dns[GRANT_NAMES_MAX];
	size_t n_dns;
	const char *ip[GRANT_NAMES_MAX]; /* as text, IPv4 or IPv6 */
	size_t n_ip;
	const char *email[GRANT_NAMES_MAX];
	size_t n_email;
	const char *uri[GRANT_NAMES_MAX];
	size_t n_uri;
};

/* An operator has to agree before it is issued on (storage/store.h). */
struct grant_wait {
	const char *label; /* outlives all grants; NULL: nobody is asked */
	int64_t life_us;
	uint8_t poll[STORE_HASH_BYTES];
	bool only_look;
};

/* All borrowed from the grant. */
const char *grant_device(const struct grant *g); /* "" for system grants */
const char *grant_anchor(const struct grant *g); /* of a device made by it */
const struct authority *grant_authority(const struct grant *g);
const struct conf_profile *grant_profile(const struct grant *g);
const uint8_t *grant_spki_hash(const struct grant *g); /* STORE_HASH_BYTES */
const struct grant_names *grant_names(const struct grant *g);
int64_t grant_max_validity_s(const struct grant *g); /* 0: the profile's */
const struct store_credential *grant_credential(const struct grant *g);
const char *grant_requester(const struct grant *g); /* audit's actor */
const char *grant_quota(const struct grant *g);     /* NULL: none */
#define GRANT_TRANSACTION_MAX 256
const char *grant_transaction(const struct grant *g); /* "": none */
int64_t grant_deadline_us(const struct grant *g);     /* clock_now_us() */
const struct grant_wait *grant_wait(const struct grant *g);
uint64_t grant_device_version(const struct grant *g);
uint64_t grant_authority_version(const struct grant *g);
/* A system grant is for a key that the signer or the daemon holds. */
bool grant_is_system(const struct grant *g);

void grant_free(struct grant *g); /* NULL is a no-op */

#endif
