/* ocsp/cache.h - finished HTTP answers about single certificates, of which the
 * least recently used leave when there is no room. Whether one may still be
 * used is for its owner to say (DESIGN.md, "OCSP reads its own writes"). One
 * thread. Needs base/. */
#ifndef MICA_OCSP_CACHE_H
#define MICA_OCSP_CACHE_H

#include "base/bytes.h"
#include "base/rc.h"
#include "net/http_date.h"
#include "storage/store.h"

/* Whose answer it is. form tells CertIDs of one certificate apart. */
struct cache_key {
	uint16_t issuer;
	uint8_t form;
	uint8_t serial[STORE_SERIAL_BYTES]; /* as in struct cert_key */
};

/* SHA-256 in hexadecimal, in quotes. */
#define ANSWER_ETAG_BYTES (2 * 32 + 3)

/* An answer as HTTP sends it. */
struct ocsp_answer {
	struct bytes body;     /* OCSPResponse, DER */
	struct bytes lines;    /* of its header */
	int64_t this_update_s; /* not to be used before, … */
	int64_t fresh_until_s; /* … nor from then on */
	char etag[ANSWER_ETAG_BYTES];
};

struct cache;

/* max_bytes for all that it holds, itself excepted; 0: it keeps nothing.
 * Errors: RC_NOMEM. */
MUST_CHECK enum rc cache_new(struct cache **out, size_t max_bytes);
void cache_free(struct cache *c); /* NULL is a no-op */

/* Borrowed until the next put, drop or clear; NULL: not there. */
const struct ocsp_answer *cache_find(
        struct cache *c, const struct cache_key *key);
/* Copied; replaces what stands there. One that does not fit, or for which
 * there is no memory, is not kept. */
void cache_put(struct cache *c, const struct cache_key *key,
        const struct ocsp_answer *answer);
/* In every form. */
void cache_drop(struct cache *c, uint16_t issuer,
        const uint8_t serial[STORE_SERIAL_BYTES]);
void cache_clear(struct cache *c);

size_t cache_count(const struct cache *c);
size_t cache_bytes(const struct cache *c);

#endif
