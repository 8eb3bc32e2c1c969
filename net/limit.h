/* net/limit.h - token buckets, one an address, in a table of fixed size: what
 * a peer may cost us before we do public-key work for it. Monotonic time from
 * base/clock.h. Not thread-safe. Needs base/. */
#ifndef MICA_NET_LIMIT_H
#define MICA_NET_LIMIT_H

#include "net/addr.h"

struct limit;

struct limit_conf {
	unsigned per_s; /* tokens that an address gains a second */
	unsigned burst; /* and may hold; an unknown address starts with it */
	unsigned slots; /* addresses remembered, rounded up to a power of two */
};

/* Errors: RC_NOMEM RC_CONFIG (a zero). */
MUST_CHECK enum rc limit_new(struct limit **out, const struct limit_conf *conf);
void limit_free(struct limit *limit); /* NULL is a no-op */

/* Take cost tokens; false, and nothing taken, when the address has fewer. When
 * the table is full the fullest of a few buckets is forgotten, which gives its
 * address the least. limit NULL and local peers: always true. */
MUST_CHECK bool limit_take(
        struct limit *limit, const struct net_addr *addr, unsigned cost);

/* Give cost tokens back: what they paid for turned out to be welcome. */
void limit_give(
        struct limit *limit, const struct net_addr *addr, unsigned cost);

#endif
