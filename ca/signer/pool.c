/* ca/signer/pool.c - crews of threads, and the way in and out. */
#include "ca/signer/pool_private.h"

#include "base/clock.h"
#include "base/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What a thread takes at once at most: an answer waits for its batch, and 32
 * ECDSA signatures take 0.5 ms. */
#define TAKE_MAX 32
#define WATCH_MS 250
/* Threads that are not in a module end at once. */
#define JOIN_MAX_S 3

void queue_add(struct queue *q, struct job *job)
{
	job->next = NULL;
	if (q->last)
		q->last->next = job;
	else
		q->head = job;
	q->last = job;
	q->n++;
}

void queue_push(struct queue *q, struct job *job)
{
	job->next = q->head;
	q->head = job;
	if (!q->last)
		q->last = job;
	q->n++;
}

void queue_join(struct queue *q, struct queue *from)
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

struct job *queue_pop(struct queue *q)
{
	struct job *job = q->head;

	q->head = job->next;
	if (!q->head)
		q->last = NULL;
	q->n--;
	return job;
}

/* --- on a thread */

static enum rc decrypt(
        struct vault_hand *hand, const struct rules_verdict *v, struct job *job)
{
	uint8_t key[RULES_CONTENT_KEY_MAX];
	enum rc rc = vault_decrypt(
	        hand, v->use, v->data, key, v->key_bytes, &job->why);

	if (!rc) {
		buf_add(&job->signature, bytes_of(key, v->key_bytes));
		rc = job->signature.failed;
	}
	bytes_wipe(key, sizeof(key));
	return rc;
}

static void work(const struct pool *p, struct vault_hand *hand, struct job *job)
{
	struct rules_verdict v;

	job->rc = rules_check(
	        p->o.rules, job->key, job->purpose, job->tbs, &v, &job->why);
	if (job->rc)
		return;
	job->why = WHY_NONE;
	job->rc = v.key_bytes > 0
	        ? decrypt(hand, &v, job)
	        : vault_sign(hand, v.use, v.data, &job->signature, &job->why);
	vault_key_unref(v.use);
}

/* Wait for jobs and take this thread's share of them. Empty: the end. */
static struct queue take(struct crew *c)
{
	struct queue mine = { 0 };
	size_t share;

	(void)pthread_mutex_lock(&c->lock);
	while (c->waiting.n == 0 && !c->stopping) {
		c->n_idle++;
		(void)pthread_cond_wait(&c->more, &c->lock);
		c->n_idle--;
	}
	share = c->waiting.n / c->n_threads;
	share = share < 1 ? 1 : share > TAKE_MAX ? TAKE_MAX : share;
	while (mine.n < share && c->waiting.n > 0)
		queue_add(&mine, queue_pop(&c->waiting));
	(void)pthread_mutex_unlock(&c->lock);
	return mine;
}

void pool_give_back(struct pool *p, struct queue *mine)
{
	bool post;

	(void)pthread_mutex_lock(&p->lock);
	queue_join(&p->finished, mine);
	post = !p->delivering && p->finished.n > 0;
	p->delivering = p->delivering || post;
	(void)pthread_mutex_unlock(&p->lock);
	if (post)
		loop_post(p->o.loop, &p->deliver);
}

void pool_changed(struct pool *p)
{
	bool post;

	(void)pthread_mutex_lock(&p->lock);
	post = !p->changing;
	p->changing = true;
	(void)pthread_mutex_unlock(&p->lock);
	if (post)
		loop_post(p->o.loop, &p->changed);
}

void pool_die(struct pool *p, enum rc rc, const struct why *why)
{
	bool post;

	(void)pthread_mutex_lock(&p->lock);
	post = p->dead == RC_OK;
	if (post) {
		p->dead = rc;
		p->dead_why = *why;
	}
	(void)pthread_mutex_unlock(&p->lock);
	if (post)
		loop_post(p->o.loop, &p->die);
}

static void *run(void *ctx)
{
	struct mate *m = ctx;
	struct pool *p = m->crew->pool;
	struct queue mine;

	for (mine = take(m->crew); mine.n > 0; mine = take(m->crew)) {
		for (struct job *job = mine.head; job; job = job->next)
			work(p, m->hand, job);
		pool_give_back(p, &mine);
	}
	return NULL;
}

/* --- on the loop */

static void kick(struct crew *c)
{
	size_t wake = c->fresh.n;

	if (wake == 0)
		return;
	(void)pthread_mutex_lock(&c->lock);
	queue_join(&c->waiting, &c->fresh);
	if (wake > c->n_idle)
		wake = c->n_idle;
	(void)pthread_mutex_unlock(&c->lock);
	for (size_t i = 0; i < wake; i++)
		(void)pthread_cond_signal(&c->more);
}

static void on_kick(void *ctx)
{
	struct pool *p = ctx;

	for (size_t i = 0; i < p->n_crews; i++)
		kick(&p->crews[i]);
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
		p->o.done(queue_pop(&done));
}

static void on_die(void *ctx)
{
	struct pool *p = ctx;

	p->o.dead(p->o.ctx, p->dead, &p->dead_why);
}

static void on_changed(void *ctx)
{
	struct pool *p = ctx;

	(void)pthread_mutex_lock(&p->lock);
	p->changing = false;
	(void)pthread_mutex_unlock(&p->lock);
	if (p->o.away)
		p->o.away(p->o.ctx);
}

static void add_names(
        char *out, size_t size, const struct vault *v, size_t token)
{
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < vault_count(v); i++) {
		const struct vault_key *k = vault_at(v, i);

		if (k->token == token && n + strlen(k->name) + 3 < size)
			n += (size_t)snprintf(out + n, size - n, "%s%s",
			        n > 0 ? ", " : "", k->name);
	}
}

size_t pool_away(struct pool *p, struct proto_away *list)
{
	size_t n = 0;

	for (size_t i = 1; i < p->n_crews && n < PROTO_AWAY_MAX; i++) {
		struct crew *c = &p->crews[i];
		struct proto_away *one = &list[n];

		(void)pthread_mutex_lock(&c->lock);
		if (c->away) {
			*one = (struct proto_away){ .why = c->last,
				.since_s = c->away_since_s };
			(void)snprintf(
			        one->token, sizeof(one->token), "%s", c->label);
			add_names(one->keys, sizeof(one->keys), p->o.vault, i);
			n++;
		}
		(void)pthread_mutex_unlock(&c->lock);
	}
	return n;
}

static void on_watch(void *ctx)
{
	struct pool *p = ctx;

	for (size_t i = 1; i < p->n_crews; i++)
		token_watch(&p->crews[i]);
	loop_timer_set_ms(p->watch, WATCH_MS);
}

static struct crew *crew_for(struct pool *p, size_t key)
{
	size_t token = key < vault_count(p->o.vault)
	        ? vault_at(p->o.vault, key)->token
	        : 0;

	return &p->crews[token];
}

void pool_put(struct pool *p, struct job *job)
{
	bool idle = true;

	for (size_t i = 0; idle && i < p->n_crews; i++)
		idle = p->crews[i].fresh.n == 0;
	if (idle)
		loop_post(p->o.loop, &p->kick);
	job->since_us = clock_mono_us();
	queue_add(&crew_for(p, job->key)->fresh, job);
}

/* --- start and end */

static void crew_init(struct crew *c, struct pool *p, size_t token)
{
	pthread_condattr_t attr;

	c->pool = p;
	c->token = token;
	c->n_threads = token == 0 ? p->o.n_threads
	                          : vault_token_sessions(p->o.vault, token);
	c->label = token == 0 ? "" : vault_token_label(p->o.vault, token);
	(void)pthread_mutex_init(&c->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&c->more, NULL);
	(void)pthread_cond_init(&c->news, &attr);
	(void)pthread_condattr_destroy(&attr);
}

static enum rc crew_start(struct crew *c)
{
	while (c->n_started < c->n_threads) {
		struct mate *m = &c->mates[c->n_started];
		enum rc rc;

		m->crew = c;
		rc = vault_hand_new(&m->hand, c->pool->o.vault, c->token);
		/* The session of the start is there for one of them. */
		if (!rc && c->n_started == 0 && c->token > 0 &&
		        vault_token_was_there(c->pool->o.vault, c->token))
			rc = vault_hand_open(m->hand, NULL);
		if (!rc &&
		        thread_begin(&m->thread,
		                c->token == 0 ? run : token_run, m) != 0)
			rc = RC_IO;
		if (rc) {
			vault_hand_free(m->hand);
			return rc;
		}
		c->n_started++;
	}
	return RC_OK;
}

enum rc pool_new(struct pool **out, const struct pool_opts *o)
{
	struct pool *p = calloc(1, sizeof(*p));
	enum rc rc = RC_OK;

	*out = NULL;
	if (!p)
		return RC_NOMEM;
	p->o = *o;
	p->kick = (struct loop_task){ on_kick, p, NULL };
	p->deliver = (struct loop_task){ on_deliver, p, NULL };
	p->die = (struct loop_task){ on_die, p, NULL };
	p->changed = (struct loop_task){ on_changed, p, NULL };
	(void)pthread_mutex_init(&p->lock, NULL);
	p->crews = calloc(1 + vault_tokens(o->vault), sizeof(*p->crews));
	if (!p->crews)
		rc = RC_NOMEM;
	for (; !rc && p->n_crews <= vault_tokens(o->vault); p->n_crews++)
		crew_init(&p->crews[p->n_crews], p, p->n_crews);
	if (!rc && p->n_crews > 1) {
		rc = loop_timer_new(&p->watch, o->loop, on_watch, p);
		if (!rc)
			loop_timer_set_ms(p->watch, WATCH_MS);
	}
	for (size_t i = 0; !rc && i < p->n_crews; i++)
		rc = crew_start(&p->crews[i]);
	if (rc)
		(void)!pool_free(p);
	else
		*out = p;
	return rc;
}

static void crew_stop(struct crew *c)
{
	(void)pthread_mutex_lock(&c->lock);
	c->stopping = true;
	(void)pthread_cond_broadcast(&c->more);
	(void)pthread_cond_broadcast(&c->news);
	(void)pthread_mutex_unlock(&c->lock);
}

static bool crew_join(struct crew *c, const struct timespec *until)
{
	for (; c->n_started > 0; c->n_started--) {
		struct mate *m = &c->mates[c->n_started - 1];

		if (pthread_timedjoin_np(m->thread, NULL, until) != 0)
			return false;
		vault_hand_free(m->hand);
	}
	(void)pthread_cond_destroy(&c->more);
	(void)pthread_cond_destroy(&c->news);
	(void)pthread_mutex_destroy(&c->lock);
	return true;
}

bool pool_free(struct pool *p)
{
	struct timespec until;

	if (!p)
		return true;
	loop_timer_free(p->watch);
	p->watch = NULL;
	for (size_t i = 0; i < p->n_crews; i++)
		crew_stop(&p->crews[i]);
	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += JOIN_MAX_S;
	for (size_t i = 0; i < p->n_crews; i++)
		if (!crew_join(&p->crews[i], &until))
			return false;
	(void)pthread_mutex_destroy(&p->lock);
	free(p->crews);
	free(p);
	return true;
}
