#include "ocsp/cache.h"

#include "base/rand.h"
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

/* An answer with a P-256 responder's certificate, and what is kept beside it. */
#define ENTRY_USUAL_BYTES 1536
#define BUCKETS_MIN 16

struct entry {
	struct cache_key key;
	struct ocsp_answer answer;
	LIST_ENTRY(entry) of_bucket;
	TAILQ_ENTRY(entry) of_use;
	uint8_t bytes[]; /* body, lines */
};

LIST_HEAD(bucket, entry);
TAILQ_HEAD(use, entry);

struct cache {
	size_t max_bytes, bytes, count;
	uint64_t seed;
	struct use use; /* the last used first */
	size_t mask;
	struct bucket *buckets;
};

/* Serials are random, but not all of them are ours: the seed keeps whoever
 * made one from choosing its bucket. All forms share one. */
static struct bucket *bucket_of(
        struct cache *c, uint16_t issuer, const uint8_t *serial)
{
	uint64_t h = c->seed ^ issuer, word;

	for (size_t at = 4; at + 8 <= STORE_SERIAL_BYTES; at += 8) {
		memcpy(&word, serial + at, 8);
		h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	return &c->buckets[h & c->mask];
}

static size_t entry_bytes(const struct entry *e)
{
	return sizeof(*e) + e->answer.body.n + e->answer.lines.n;
}

static bool is_key(const struct entry *e, const struct cache_key *key)
{
	return e->key.issuer == key->issuer && e->key.form == key->form &&
	        memcmp(e->key.serial, key->serial, sizeof(key->serial)) == 0;
}

static struct entry *find(struct cache *c, const struct cache_key *key)
{
	struct entry *e;

	LIST_FOREACH(e, bucket_of(c, key->issuer, key->serial), of_bucket)
	if (is_key(e, key))
		return e;
	return NULL;
}

static void forget(struct cache *c, struct entry *e)
{
	LIST_REMOVE(e, of_bucket);
	TAILQ_REMOVE(&c->use, e, of_use);
	c->bytes -= entry_bytes(e);
	c->count--;
	free(e);
}

enum rc cache_new(struct cache **out, size_t max_bytes)
{
	struct cache *c = calloc(1, sizeof(*c));
	size_t n = BUCKETS_MIN;

	*out = NULL;
	if (c == NULL)
		return RC_NOMEM;
	while (n < max_bytes / ENTRY_USUAL_BYTES)
		n *= 2;
	c->buckets = calloc(n, sizeof(*c->buckets));
	if (c->buckets == NULL) {
		free(c);
		return RC_NOMEM;
	}
	c->max_bytes = max_bytes;
	c->mask = n - 1;
	rand_fill(&c->seed, sizeof(c->seed));
	TAILQ_INIT(&c->use);
	*out = c;
	return RC_OK;
}

void cache_clear(struct cache *c)
{
	while (!TAILQ_EMPTY(&c->use))
		forget(c, TAILQ_FIRST(&c->use));
}

void cache_free(struct cache *c)
{
	if (c == NULL)
		return;
	cache_clear(c);
	free(c->buckets);
	free(c);
}

const struct ocsp_answer *cache_find(
        struct cache *c, const struct cache_key *key)
{
	struct entry *e = find(c, key);

	if (e == NULL)
		return NULL;
	if (e != TAILQ_FIRST(&c->use)) {
		TAILQ_REMOVE(&c->use, e, of_use);
		TAILQ_INSERT_HEAD(&c->use, e, of_use);
	}
	return &e->answer;
}

void cache_put(struct cache *c, const struct cache_key *key,
        const struct ocsp_answer *answer)
{
	struct entry *e = find(c, key);
	size_t size = sizeof(*e) + answer->body.n + answer->lines.n;

	if (e != NULL)
		forget(c, e);
	if (size > c->max_bytes)
		return;
	while (c->bytes + size > c->max_bytes)
		forget(c, TAILQ_LAST(&c->use, use));
	e = malloc(size);
	if (e == NULL)
		return;
	e->key = *key;
	e->answer = *answer;
	memcpy(e->bytes, answer->body.p, answer->body.n);
	e->answer.body.p = e->bytes;
	if (answer->lines.n > 0)
		memcpy(e->bytes + answer->body.n, answer->lines.p,
		        answer->lines.n);
	e->answer.lines.p = e->bytes + answer->body.n;
	LIST_INSERT_HEAD(bucket_of(c, key->issuer, key->serial), e, of_bucket);
	TAILQ_INSERT_HEAD(&c->use, e, of_use);
	c->bytes += size;
	c->count++;
}

void cache_drop(struct cache *c, uint16_t issuer,
        const uint8_t serial[STORE_SERIAL_BYTES])
{
	struct entry *e = LIST_FIRST(bucket_of(c, issuer, serial)), *next;

	for (; e != NULL; e = next) {
		next = LIST_NEXT(e, of_bucket);
		if (e->key.issuer == issuer &&
		        memcmp(e->key.serial, serial, STORE_SERIAL_BYTES) == 0)
			forget(c, e);
	}
}

size_t cache_count(const struct cache *c)
{
	return c->count;
}

size_t cache_bytes(const struct cache *c)
{
	return c->bytes;
}
