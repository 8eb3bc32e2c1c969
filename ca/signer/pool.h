/* ca/signer/pool.h - the threads that check and sign. The loop puts jobs in and
 * gets them back done; neither side waits for the other. What comes in during
 * one turn of the loop wakes the threads once, and what is done comes back in
 * batches: a wake-up costs as much as a good part of a signature. */
#ifndef MICA_CA_SIGNER_POOL_H
#define MICA_CA_SIGNER_POOL_H

#include "base/buf.h"
#include "base/bytes.h"
#include "base/loop.h"
#include "base/why.h"
#include "ca/signer/rules.h"
#include "ca/signer/vault.h"

#define POOL_THREADS_MAX 64

struct pool;

/* One request. Whoever put it in owns it again when done is called. */
struct job {
	struct job *next; /* the pool's */
	void *ctx;        /* whose request it is */
	uint64_t id;
	size_t key; /* rules_find() */
	uint32_t purpose;
	struct bytes tbs; /* must live until done */
	/* out */
	enum rc rc;
	struct why why;
	struct buf signature; /* given empty, with its cap */
};

typedef void pool_done_fn(struct job *job); /* on the loop */

/* Starts the threads. Errors: RC_NOMEM RC_IO. */
MUST_CHECK enum rc pool_new(struct pool **out, struct loop *loop,
        struct vault *vault, struct rules *rules, unsigned n_threads,
        pool_done_fn *done);
/* Nothing may be in the pool. Joins the threads. NULL is a no-op. */
void pool_free(struct pool *p);
/* On the loop's thread; done is called later, never from here. */
void pool_put(struct pool *p, struct job *job);

#endif
