#include "net/limit.h"
#include "base/clock.h"
#include "base/rand.h"
#include <stdlib.h>

/* Slots that an address may be in: enough that a set seldom overflows. */
#define WAYS 8
/* Tokens are counted in millionths: a whole number a microsecond. */
#define TOKEN UINT64_C(1000000)

struct bucket {
	struct net_peer peer;
	uint64_t micro_tokens;
	int64_t at_us; /* when that was true; 0: the slot is free */
};

struct limit {
	uint64_t per_s;
	uint64_t full; /* in millionths */
	uint64_t seed;
	size_t n_sets; /* a power of two */
	struct bucket buckets[];
};

enum rc limit_new(struct limit **out, const struct limit_conf *conf)
{
	struct limit *l;
	size_t sets = 1;

	*out = NULL;
	if (conf->per_s == 0 || conf->burst == 0 || conf->slots == 0)
		return RC_CONFIG;
	while (sets * WAYS < conf->slots)
		sets *= 2;
	l = calloc(1, sizeof(*l) + sets * WAYS * sizeof(struct bucket));
	if (l == NULL)
		return RC_NOMEM;
	l->per_s = conf->per_s;
	l->full = conf->burst * TOKEN;
	l->n_sets = sets;
	rand_fill(&l->seed, sizeof(l->seed));
	*out = l;
	return RC_OK;
}

void limit_free(struct limit *limit)
{
	free(limit);
}

static uint64_t tokens_now(
        const struct limit *l, const struct bucket *b, int64_t now_us)
{
	uint64_t span_us, missing = l->full - b->micro_tokens;

	if (b->at_us == 0)
		return l->full;
	span_us = now_us > b->at_us ? (uint64_t)(now_us - b->at_us) : 0;
	if (span_us > missing / l->per_s)
		return l->full;
	return b->micro_tokens + span_us * l->per_s;
}

/* The peer's bucket, or a new one in place of the fullest of its set, which
 * differs least from a new one. */
static struct bucket *bucket_find(
        struct limit *l, struct net_peer peer, int64_t now_us)
{
	size_t set = (size_t)net_peer_hash(peer, l->seed) & (l->n_sets - 1);
	struct bucket *b = &l->buckets[set * WAYS], *fullest = b;

	for (int i = 0; i < WAYS; i++) {
		if (b[i].at_us != 0 && net_peer_eq(b[i].peer, peer))
			return &b[i];
		if (tokens_now(l, &b[i], now_us) >
		        tokens_now(l, fullest, now_us))
			fullest = &b[i];
	}
	*fullest = (struct bucket){ peer, l->full, now_us };
	return fullest;
}

static struct bucket *bucket_now(
        struct limit *limit, const struct net_addr *addr)
{
	int64_t now_us = clock_mono_us();
	struct bucket *b = bucket_find(limit, net_addr_peer(addr), now_us);

	b->micro_tokens = tokens_now(limit, b, now_us);
	b->at_us = now_us;
	return b;
}

bool limit_take(struct limit *limit, const struct net_addr *addr, unsigned cost)
{
	struct bucket *b;

	if (limit == NULL || addr->local)
		return true;
	b = bucket_now(limit, addr);
	if (b->micro_tokens < cost * TOKEN)
		return false;
	b->micro_tokens -= cost * TOKEN;
	return true;
}

void limit_give(struct limit *limit, const struct net_addr *addr, unsigned cost)
{
	struct bucket *b;

	if (limit == NULL || addr->local)
		return;
	b = bucket_now(limit, addr);
	b->micro_tokens += cost * TOKEN;
	if (b->micro_tokens > limit->full)
		b->micro_tokens = limit->full;
}
