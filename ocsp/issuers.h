/* ocsp/issuers.h - which CertIDs are about certificates of ours, and who signs
 * the answers: for each authority of the configuration the hashes of its name
 * and key, its numbers in the store, and its responder. Needs ca/, storage/. */
#ifndef MICA_OCSP_ISSUERS_H
#define MICA_OCSP_ISSUERS_H

#include "ca/authority.h"
#include "ca/signer_client.h"
#include "ocsp/request.h"
#include "ocsp/response.h"

/* Certificates of one name and key: renewed, an authority has a new number in
 * the store, and CertIDs cannot tell the two apart. */
#define ISSUER_IDS_MAX 8

struct issuer {
	uint16_t index;
	const struct authority *authority;
	uint32_t ids[ISSUER_IDS_MAX]; /* the configured one first */
	size_t n_ids;
	uint8_t name_hash[CERTID_HASHES][32];
	uint8_t key_hash[CERTID_HASHES][32];
	/* Who signs. No key: nobody yet. version tells one from the next. */
	unsigned version;
	char key[SIGNER_KEY_NAME_MAX + 1];
	uint8_t responder_hash[RESPONSE_KEY_HASH_BYTES];
	struct bytes sig_alg; /* AlgorithmIdentifier, DER; static or borrowed */
	struct buf cert;      /* empty: the authority's own key signs */
	int64_t not_after_s;  /* what it signed cannot be verified after that */
};

struct issuers;

/* a is resolved; both are borrowed, s only for this call.
 * Errors: RC_NOMEM RC_INTERNAL RC_UNSUPPORTED, and the store's. */
MUST_CHECK enum rc issuers_new(struct issuers **out, struct authorities *a,
        struct store *s, struct why *why);
void issuers_free(struct issuers *l); /* NULL is a no-op */

/* By either hash; NULL: not ours, or a hash that we do not know. */
const struct issuer *issuers_find(
        const struct issuers *l, const struct certid *id);
/* By an authority's number in the store; NULL: none that we answer for. */
const struct issuer *issuers_by_id(const struct issuers *l, uint32_t id);
/* Is there one that signs by a responder and has none yet? */
bool issuers_wait(const struct issuers *l);

/* From now on that authority's answers are signed by the key of that name,
 * certified by cert (DER). What this replaces stays valid for what it signed.
 * Errors: RC_NOTFOUND (no such authority) RC_MALFORMED RC_UNSUPPORTED
 * RC_NOMEM. */
MUST_CHECK enum rc issuers_set_responder(struct issuers *l,
        const char *authority, const char *key, struct bytes cert,
        struct why *why);

#endif
