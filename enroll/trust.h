/* enroll/trust.h - whose client certificates mean something: our own
 * authorities, every generation of them, and the foreign ones that the
 * configuration lets vouch for devices (IEEE 802.1AR). TLS has verified that
 * the client holds the key; what the certificate is worth is judged here, at
 * each request. Immutable once made. Needs conf/, storage/, libcrypto. */
#ifndef MICA_ENROLL_TRUST_H
#define MICA_ENROLL_TRUST_H

#include "base/bytes.h"
#include "base/why.h"
#include "conf/conf.h"
#include "storage/store.h"

struct trust;

/* Reads PEM of the configuration and the authorities on record, retired ones
 * too, so the keeper must have entered them. conf outlives it. For start-up:
 * needs a store that answers reads inline.
 * Errors: RC_CONFIG (why names the anchor) RC_NOMEM, or the store's. */
MUST_CHECK enum rc trust_new(struct trust **out, const struct conf *conf,
        struct store *store, struct why *why);
void trust_free(struct trust *t); /* NULL is a no-op */
/* Is there anything in the configuration that trust_new() would refuse? Needs
 * no store. Errors: RC_CONFIG RC_NOMEM */
MUST_CHECK enum rc trust_check(const struct conf *conf, struct why *why);

/* DER of every CA certificate that a client's may chain to: for the TLS
 * listener. Borrowed from t. */
const struct bytes *trust_tls_anchors(const struct trust *t, size_t *n);

/* Our generations whose subject is that issuer: each call gives the next.
 * Start with *at = 0. The name alone proves nothing; the exact record does. */
bool trust_generation(const struct trust *t, struct bytes issuer, size_t *at,
        uint32_t *authority);
/* The configuration's name of that generation; NULL if there is none. */
const char *trust_generation_name(const struct trust *t, uint32_t authority);

struct trust_device {
	const struct conf_anchor *anchor; /* who vouches */
	char id[STORE_DEVICE_ID_MAX + 1];
};

/* What a client showed, its own certificate first. */
struct trust_chain {
	const struct bytes *certs;
	size_t n;
	/* By TLS, as struct tls_peer has it: certs is a chain in order, up to
	 * and with one of trust_tls_anchors(); signatures, names, CA bits and
	 * the strength of keys are good. Otherwise any order will do. */
	bool verified;
};

/* Which of the label's anchors vouches for that chain, and for whom. Strict:
 * signatures, CA bits, path lengths, name constraints, time, key usage, EKU
 * where there is one (clientAuth), and keys of 112 bits of security at least.
 * RC_NOCRED: nobody vouches. RC_DENIED: an anchor does, but the attribute that
 * is the identity is not there exactly once or is no device id. RC_NOMEM. */
MUST_CHECK enum rc trust_vouch(struct trust_device *out, const struct trust *t,
        const struct conf_label *label, const struct trust_chain *chain,
        int64_t now_s, struct why *why);

#endif
