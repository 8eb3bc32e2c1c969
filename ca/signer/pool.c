/* ca/signer/pool.c - the threads that check and sign. */
#include "ca/signer/pool.h"

#include <pthread.h>
#include <stdlib.h>

/* What a thread takes at once at most: an answer waits for its batch, and 32
 * ECDSA signatures take 0.5 ms. */
#define TAKE_MAX 32

struct queue {
	struct job *head, *last;
	size_t n;
};

struct pool {
	struct loop *loop;
	struct vault *vault;
	struct rules *rules;
	pool_done_fn *done;
	struct loop_task kick, deliver;
	struct queue fresh; /* the loop's own: put in during this turn */
	pthread_mutex_t lock;
	pthread_cond_t more;
	/* under the lock */
	struct queue waiting, finished;
	unsigned n_idle;
	bool delivering; /* deliver is posted */
	bool stopping;
	pthread_t threads[POOL_THREADS_MAX];
	unsigned n_threads, n_started;
};

static void queue_add(struct queue *q, struct job *job)
{
	job->next = NULL;
	if (q->last)
		q->last->next = job;
	else
		q->head = job;
	q->last = job;
	q->n++;
}

/* All of from to the end of q; from is empty then. */
static void queue_join(struct queue *q, struct queue *from)
{
	if (!from->head)
		return;
	if (q->last)
		q->last->next = from->head;
	else
		q->head = from->head;
	q->last = from->last;
	q->n += from->n;
	*from = (struct queue){ 0 };
}

static struct job *queue_pop(struct queue *q)
{
	struct job *job = q->head;

	q->head = job->next;
	if (!q->head)
		q->last = NULL;
	q->n--;
	return job;
}

/* --- on a thread */

static void work(struct pool *p, struct vault_hand *hand, struct job *job)
{
	struct rules_verdict v;

	job->rc = rules_check(
	        p->rules, job->key, job->purpose, job->tbs, &v, &job->why);
	if (job->rc)
		return;
	job->why = WHY_NONE;
	job->rc = vault_sign(hand, v.use, v.data, &job->signature);
	vault_key_unref(v.use);
	if (job->rc)
		(void)why_set(&job->why, job->rc, "the key did not sign");
}

/* Wait for jobs and take this thread's share of them. Empty: the end. */
static struct queue take(struct pool *p)
{
	struct queue mine = { 0 };
	size_t share;

	(void)pthread_mutex_lock(&p->lock);
	while (p->waiting.n == 0 && !p->stopping) {
		p->n_idle++;
		(void)pthread_cond_wait(&p->more, &p->lock);
		p->n_idle--;
	}
	share = p->waiting.n / p->n_threads;
	share = share < 1 ? 1 : share > TAKE_MAX ? TAKE_MAX : share;
	while (mine.n < share && p->waiting.n > 0)
		queue_add(&mine, queue_pop(&p->waiting));
	(void)pthread_mutex_unlock(&p->lock);
	return mine;
}

static void give_back(struct pool *p, struct queue *mine)
{
	bool post;

	(void)pthread_mutex_lock(&p->lock);
	queue_join(&p->finished, mine);
	post = !p->delivering;
	p->delivering = true;
	(void)pthread_mutex_unlock(&p->lock);
	if (post)
		loop_post(p->loop, &p->deliver);
}

struct thread_start {
	struct pool *pool;
	struct vault_hand *hand;
};

static void *run(void *ctx)
{
	struct thread_start *start = ctx;
	struct vault_hand *hand = start->hand;
	struct pool *p = start->pool;
	struct queue mine;

	free(start);
	for (mine = take(p); mine.n > 0; mine = take(p)) {
		for (struct job *job = mine.head; job; job = job->next)
			work(p, hand, job);
		give_back(p, &mine);
	}
	vault_hand_free(hand);
	return NULL;
}

/* --- on the loop */

static void on_kick(void *ctx)
{
	struct pool *p = ctx;
	size_t wake = p->fresh.n;

	(void)pthread_mutex_lock(&p->lock);
	queue_join(&p->waiting, &p->fresh);
	if (wake > p->n_idle)
		wake = p->n_idle;
	(void)pthread_mutex_unlock(&p->lock);
	for (size_t i = 0; i < wake; i++)
		(void)pthread_cond_signal(&p->more);
}

static void on_deliver(void *ctx)
{
	struct pool *p = ctx;
	struct queue done;

	(void)pthread_mutex_lock(&p->lock);
	done = p->finished;
	p->finished = (struct queue){ 0 };
	p->delivering = false;
	(void)pthread_mutex_unlock(&p->lock);
	while (done.n > 0)
		p->done(queue_pop(&done));
}

void pool_put(struct pool *p, struct job *job)
{
	if (p->fresh.n == 0)
		loop_post(p->loop, &p->kick);
	queue_add(&p->fresh, job);
}

static enum rc start_thread(struct pool *p)
{
	struct thread_start *start = calloc(1, sizeof(*start));
	enum rc rc;

	if (!start)
		return RC_NOMEM;
	start->pool = p;
	rc = vault_hand_new(&start->hand, p->vault);
	if (!rc &&
	        pthread_create(&p->threads[p->n_started], NULL, run, start) !=
	                0)
		rc = RC_IO;
	if (rc) {
		vault_hand_free(start->hand);
		free(start);
		return rc;
	}
	p->n_started++;
	return RC_OK;
}

enum rc pool_new(struct pool **out, struct loop *loop, struct vault *vault,
        struct rules *rules, unsigned n_threads, pool_done_fn *done)
{
	struct pool *p = calloc(1, sizeof(*p));
	enum rc rc = RC_OK;

	*out = NULL;
	if (!p)
		return RC_NOMEM;
	p->loop = loop;
	p->vault = vault;
	p->rules = rules;
	p->done = done;
	p->kick = (struct loop_task){ on_kick, p, NULL };
	p->deliver = (struct loop_task){ on_deliver, p, NULL };
	p->n_threads = n_threads;
	(void)pthread_mutex_init(&p->lock, NULL);
	(void)pthread_cond_init(&p->more, NULL);
	while (p->n_started < n_threads && !rc)
		rc = start_thread(p);
	if (rc)
		pool_free(p);
	else
		*out = p;
	return rc;
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	(void)pthread_mutex_lock(&p->lock);
	p->stopping = true;
	(void)pthread_mutex_unlock(&p->lock);
	(void)pthread_cond_broadcast(&p->more);
	for (unsigned i = 0; i < p->n_started; i++)
		(void)pthread_join(p->threads[i], NULL);
	(void)pthread_cond_destroy(&p->more);
	(void)pthread_mutex_destroy(&p->lock);
	free(p);
}
