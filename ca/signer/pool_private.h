/* ca/signer/pool_private.h - what pool*.c share. */
#ifndef MICA_CA_SIGNER_POOL_PRIVATE_H
#define MICA_CA_SIGNER_POOL_PRIVATE_H

#include "ca/signer/pool.h"

#include <pthread.h>

struct queue {
	struct job *head, *last;
	size_t n;
};

struct crew;

/* A thread, and what it is about; all but crew, thread and hand under the
 * crew's lock. */
struct mate {
	struct crew *crew;
	pthread_t thread;
	struct vault_hand *hand;
	/* of a token */
	int64_t call_since_us; /* in a call into the module; 0: not */
	struct job *job;       /* in that call; taken away when it stalls */
	bool borrows;          /* the call reads the job's bytes */
	bool proven;           /* this session has signed */
	int64_t retry_us;      /* not before: open a session */
	int64_t backoff_us;
};

/* Threads that do the same. */
struct crew {
	struct pool *pool;
	size_t token; /* 0: of software keys */
	const char *label;
	struct queue fresh; /* the loop's own: put in during this turn */
	pthread_mutex_t lock;
	pthread_cond_t more; /* jobs, for those that can do them */
	pthread_cond_t news; /* of the token, for the others; monotonic */
	/* under the lock */
	struct queue waiting;
	unsigned n_idle;
	bool stopping;
	/* of a token, under the lock */
	unsigned n_open;      /* sessions */
	bool seen;            /* it had a session, once */
	bool away;            /* one mate, the scout, looks for it */
	bool is_short;        /* it has fewer sessions than asked for */
	struct mate *scout;   /* NULL: the next one to come */
	int64_t away_since_s; /* by the calendar, to be told */
	int64_t away_since_us, next_try_us, backoff_us, restart_us;
	struct why last; /* what was wrong */
	struct mate mates[POOL_THREADS_MAX];
	unsigned n_threads, n_started;
};

struct pool {
	struct pool_opts o;
	struct loop_task kick, deliver, die, changed;
	struct loop_timer *watch; /* NULL: no tokens */
	pthread_mutex_t lock;
	/* under the lock */
	struct queue finished;
	bool delivering; /* deliver is posted */
	bool changing;   /* changed is posted */
	enum rc dead;    /* and die is posted */
	struct why dead_why;
	struct crew *crews; /* of software keys, then a token each */
	size_t n_crews;
};

/* --- pool.c */
void queue_add(struct queue *q, struct job *job);
void queue_push(struct queue *q, struct job *job); /* at the head */
struct job *queue_pop(struct queue *q);            /* of one that has some */
/* All of from to the end of q; from is empty then. */
void queue_join(struct queue *q, struct queue *from);
/* To the loop; mine is empty then. */
void pool_give_back(struct pool *p, struct queue *mine);
/* A token went away or came back. */
void pool_changed(struct pool *p);
/* This process is of no more use. */
void pool_die(struct pool *p, enum rc rc, const struct why *why);

/* --- pool_token.c */
void *token_run(void *mate);
/* On the loop, now and then: calls that stall, jobs that waited too long. */
void token_watch(struct crew *c);

#endif
