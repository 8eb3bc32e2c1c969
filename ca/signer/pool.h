/* ca/signer/pool.h - the threads that check and sign. The loop puts jobs in and
 * gets them back done; neither side waits for the other. What comes in during
 * one turn of the loop wakes the threads once, and what is done comes back in
 * batches: a wake-up costs as much as a good part of a signature.
 *
 * Software keys have one crew of threads, and each token has another, with a
 * session a thread: a token that is slow or away holds up nobody else. */
#ifndef MICA_CA_SIGNER_POOL_H
#define MICA_CA_SIGNER_POOL_H

#include "base/buf.h"
#include "base/bytes.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "base/why.h"
#include "ca/signer/proto.h"
#include "ca/signer/rules.h"
#include "ca/signer/vault.h"

#define POOL_THREADS_MAX 64 /* of one crew */

/* A request waits so long for a token, and is then refused with
 * RC_UNAVAILABLE: who asked decides whether to ask again. */
#define POOL_WAIT_MAX_MS 15000
/* And so long for one that nobody has seen since this process began. */
#define POOL_UNSEEN_WAIT_MAX_MS 2000
/* A call into a module that takes longer has its job given to another session;
 * what comes out of it at last is dropped. */
#define POOL_STALL_MS 3000
/* One that takes longer does not come back: a new process is the cure. */
#define POOL_HANG_MAX_MS 60000
/* Likewise a token that is away for so long, though its module began anew again
 * and again. Not sooner: with this process go the keys of OCSP responders, and
 * without the token nobody certifies others. */
#define POOL_AWAY_MAX_MS 3600000

struct pool;

/* One request. Whoever put it in owns it again when done is called. */
struct job {
	struct job *next; /* the pool's */
	int64_t since_us; /* the pool's: put in */
	unsigned n_bad;   /* the pool's: signatures that did not verify */
	bool moved;       /* the pool's: taken away from a call that stalls */
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

struct pool_opts {
	struct loop *loop;
	struct vault *vault;
	struct rules *rules;
	struct metrics *metrics;       /* may be NULL */
	unsigned n_threads;            /* for software keys */
	void (*done)(struct job *job); /* on the loop */
	/* On the loop, once: a module is beyond help in this process (RC_IO,
	 * RC_TIMEOUT, RC_UNAVAILABLE), or a token refused its PIN (RC_NOCRED).
	 * What is in the pool is not answered any more. */
	void (*dead)(void *ctx, enum rc rc, const struct why *why);
	/* On the loop: tokens went away or came back. May be NULL. */
	void (*away)(void *ctx);
	void *ctx; /* dead's and away's */
};

/* Starts the threads; those of tokens open their sessions by themselves.
 * Errors: RC_NOMEM RC_IO. */
MUST_CHECK enum rc pool_new(struct pool **out, const struct pool_opts *o);
/* Nothing may be in the pool, unless it is dead. Joins the threads. False: one
 * is held up by a module, and nothing that it may use can be freed, this pool
 * included. NULL is a no-op. */
MUST_CHECK bool pool_free(struct pool *p);
/* The tokens that are away now; returns how many. list holds PROTO_AWAY_MAX. */
size_t pool_away(struct pool *p, struct proto_away *list);
/* On the loop's thread; done is called later, never from here. */
void pool_put(struct pool *p, struct job *job);

#endif
