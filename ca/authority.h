/* ca/authority.h - one issuing authority at run time: its certificate read once,
 * everything that goes into each certificate it issues, and its number in the
 * store. Owned by a set that is made at start from the configuration. */
#ifndef MICA_CA_AUTHORITY_H
#define MICA_CA_AUTHORITY_H

#include "base/bytes.h"
#include "base/why.h"
#include "ca/issuer_crl.h"
#include "conf/conf.h"
#include "storage/store.h"

struct authority {
	const struct conf_authority *conf;
	uint32_t id;      /* in the store; 0 until authorities_enter() */
	uint64_t version; /* of its record, and */
	enum authority_state state; /* what that says */
	struct bytes der;           /* the CA certificate */
	struct bytes subject;       /* Name, DER */
	struct bytes spki;          /* SubjectPublicKeyInfo, DER */
	struct bytes key_id;        /* subjectKeyIdentifier's content */
	uint8_t cert_hash[STORE_HASH_BYTES];
	int64_t not_before_s, not_after_s;
	bool signs_crls;     /* keyUsage cRLSign (RFC 5280 section 4.2.1.3) */
	bool issues_no_cas;  /* pathLenConstraint 0 */
	struct bytes *chain; /* DER certificates above it, issuer first */
	size_t n_chain;
	struct issuer_crl issuer_crl; /* no name: none is configured */
	struct bytes sig_alg; /* AlgorithmIdentifier that its key signs with */
	/* The first generation of its line: itself, unless it replaces one. */
	const struct authority *first;
	/* What this generation and the one before say of each other, DER. */
	struct bytes *cross;
	size_t n_cross;
};

struct authorities;

/* Read every authority's PEM; checks: a CA certificate (basicConstraints CA,
 * keyCertSign), chain links verify, key algorithm known; a cross certificate is
 * for a key of either generation or above it, by another such one.
 * Errors: RC_CONFIG (why names the authority) RC_NOMEM. */
MUST_CHECK enum rc authorities_new(
        struct authorities **out, const struct conf *conf, struct why *why);
void authorities_free(struct authorities *a);
size_t authorities_count(const struct authorities *a);
struct authority *authorities_at(struct authorities *a, size_t i);
struct authority *authorities_find(struct authorities *a, const char *name);
/* By issuer Name and, where key_id is not empty, key identifier: whose
 * certificate is this? NULL: not ours. */
struct authority *authorities_by_issuer(
        struct authorities *a, struct bytes issuer, struct bytes key_id);
/* Fill id and version from the store's records; RC_NOTFOUND when one has not
 * been entered yet (the keeper does that at start). */
MUST_CHECK enum rc authorities_resolve(
        struct authorities *a, struct store *s, struct why *why);

#endif
