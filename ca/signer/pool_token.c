/* ca/signer/pool_token.c - the threads of a token: each has a session, and a job
 * is taken by one that has. A session that is lost takes no job with it: that
 * goes back to the head of the queue. While the token is away one of them, the
 * scout, looks for it, and the others wait for what it finds. */
#include "ca/signer/pool_private.h"

#include "base/clock.h"
#include "base/log.h"

#include <string.h>

#define US_A_MS INT64_C(1000)
/* Between two tries at a token that is away. */
#define SCOUT_FIRST_US (20 * US_A_MS)
#define SCOUT_MAX_US (1000 * US_A_MS)
/* A module that does not see its token any more begins anew, and then again. */
#define RESTART_AFTER_US (2000 * US_A_MS)
/* Between sessions that are lost before they signed anything. */
#define FRUITLESS_FIRST_US (10 * US_A_MS)
#define FRUITLESS_MAX_US (1000 * US_A_MS)
/* A session that the token had no room for is asked for again. */
#define SHORT_AGAIN_US (30000 * US_A_MS)
/* Of one job, by sessions of their own. */
#define BAD_SIGNATURES_MAX 2

static void event(enum log_level level, const char *name, const struct crew *c,
        const struct why *why)
{
	struct log_num sessions;

	log_event(level, name, "token", c->label, "sessions",
	        log_i64(&sessions, c->n_open), "why", why->text, NULL);
}

/* --- waiting, under the lock */

/* For news of the token, or until_us at the latest; 0: until told. */
static void wait_for_news(struct crew *c, int64_t until_us)
{
	struct timespec until = { until_us / 1000000,
		until_us % 1000000 * 1000 };

	if (until_us == 0)
		(void)pthread_cond_wait(&c->news, &c->lock);
	else
		(void)pthread_cond_timedwait(&c->news, &c->lock, &until);
}

static int64_t doubled(int64_t us, int64_t first_us, int64_t max_us)
{
	us = us == 0 ? first_us : 2 * us;
	return us > max_us ? max_us : us;
}

/* --- sessions. All of these under the lock. */

static void set_open(struct crew *c, bool open)
{
	c->n_open += open ? 1 : (unsigned)-1;
	c->seen = c->seen || open;
	metric_add(c->pool->o.metrics, METRIC_HSM_SESSIONS,
	        open ? 1 : (uint64_t)-1);
}

static void set_away(struct crew *c, const struct why *why)
{
	c->last = *why;
	if (c->away)
		return;
	c->away = true;
	c->away_since_s = clock_now_s();
	c->scout = NULL;
	c->backoff_us = 0;
	c->away_since_us = c->next_try_us = clock_mono_us();
	c->restart_us = c->away_since_us + RESTART_AFTER_US;
	event(LOG_WARN, "signer.token_away", c, why);
	metric_add(c->pool->o.metrics, METRIC_HSM_AWAY, 1);
	pool_changed(c->pool);
}

static void set_back(struct crew *c)
{
	const struct why none = WHY_NONE;

	if (!c->away)
		return;
	c->away = false;
	c->scout = NULL;
	metric_add(c->pool->o.metrics, METRIC_HSM_RECOVERIES, 1);
	event(LOG_NOTICE, "signer.token_back", c, &none);
	metric_add(c->pool->o.metrics, METRIC_HSM_AWAY, (uint64_t)-1);
	pool_changed(c->pool);
	(void)pthread_cond_broadcast(&c->news);
}

/* The token is there, and full: go on with the sessions that there are. */
static void set_short(struct mate *m, const struct why *why)
{
	struct crew *c = m->crew;

	m->retry_us = clock_mono_us() + SHORT_AGAIN_US;
	if (!c->is_short)
		event(LOG_WARN, "signer.sessions_short", c, why);
	c->is_short = true;
	set_back(c);
}

/* What came of m's try to open a session. */
static void tried(struct mate *m, enum rc rc, const struct why *why)
{
	struct crew *c = m->crew;

	if (rc == RC_OK) {
		set_open(c, true);
		set_back(c);
		m->proven = false;
		return;
	}
	metric_add(c->pool->o.metrics, METRIC_HSM_FAILURES, 1);
	if (rc == RC_NOCRED || rc == RC_IO) {
		pool_die(c->pool, rc, why);
		m->retry_us = clock_mono_us() + SHORT_AGAIN_US;
		return;
	}
	if (rc == RC_BUSY && c->n_open > 0) {
		set_short(m, why);
		return;
	}
	set_away(c, why);
	c->scout = m;
	c->backoff_us = doubled(c->backoff_us, SCOUT_FIRST_US, SCOUT_MAX_US);
	c->next_try_us = clock_mono_us() + c->backoff_us;
}

/* Whether m may try now; else *until_us is when to ask again, or 0 for when
 * told. */
static bool may_try(struct mate *m, int64_t *until_us)
{
	struct crew *c = m->crew;
	int64_t now_us = clock_mono_us();

	*until_us = m->retry_us;
	if (now_us < m->retry_us)
		return false;
	if (!c->away)
		return true;
	*until_us = 0;
	if (c->scout && c->scout != m)
		return false;
	c->scout = m;
	*until_us = c->next_try_us;
	return now_us >= c->next_try_us;
}

/* Without the lock. */
static enum rc try_session(struct mate *m, bool restart, struct why *why)
{
	enum rc rc = RC_OK;

	if (restart)
		rc = vault_hand_restart(m->hand, why);
	if (restart && rc == RC_OK)
		log_event(LOG_NOTICE, "signer.module_restarted", "token",
		        m->crew->label, NULL);
	return rc == RC_OK || rc == RC_BUSY ? vault_hand_open(m->hand, why)
	                                    : rc;
}

/* Open m's session, however long that takes. False: the end. */
static bool open_session(struct mate *m)
{
	struct crew *c = m->crew;
	struct why why = WHY_NONE;
	int64_t until_us;
	enum rc rc = RC_CLOSED;
	bool restart;

	while (rc && !c->stopping) {
		if (!may_try(m, &until_us)) {
			wait_for_news(c, until_us);
			continue;
		}
		m->call_since_us = clock_mono_us();
		restart = c->away && m->call_since_us >= c->restart_us;
		if (restart)
			c->restart_us = m->call_since_us + RESTART_AFTER_US;
		(void)pthread_mutex_unlock(&c->lock);
		rc = try_session(m, restart, &why);
		(void)pthread_mutex_lock(&c->lock);
		m->call_since_us = 0;
		tried(m, rc, &why);
	}
	return rc == RC_OK;
}

/* m's session is lost, or not to be trusted any more. */
static void drop_session(struct mate *m, enum rc rc, const struct why *why)
{
	struct crew *c = m->crew;

	event(LOG_INFO, "signer.session_lost", c, why);
	if (m->proven)
		m->backoff_us = 0;
	else
		m->backoff_us = doubled(
		        m->backoff_us, FRUITLESS_FIRST_US, FRUITLESS_MAX_US);
	m->retry_us = clock_mono_us() + m->backoff_us;
	c->last = *why;
	set_open(c, false);
	if (rc == RC_UNAVAILABLE)
		set_away(c, why);
	m->call_since_us = clock_mono_us();
	(void)pthread_mutex_unlock(&c->lock);
	vault_hand_drop(m->hand);
	(void)pthread_mutex_lock(&c->lock);
	m->call_since_us = 0;
}

/* --- jobs */

static void answer(struct pool *p, struct job *job)
{
	struct queue one = { 0 };

	queue_add(&one, job);
	pool_give_back(p, &one);
}

/* Back to the head, for whoever has a session. Under the lock. */
static void put_back(struct crew *c, struct job *job)
{
	queue_push(&c->waiting, job);
	if (c->n_idle > 0)
		(void)pthread_cond_signal(&c->more);
}

/* The next job for m, which has a session. NULL: the end. */
static struct job *take(struct mate *m)
{
	struct crew *c = m->crew;
	struct job *job = NULL;

	while (c->waiting.n == 0 && !c->stopping) {
		c->n_idle++;
		(void)pthread_cond_wait(&c->more, &c->lock);
		c->n_idle--;
	}
	if (c->waiting.n > 0)
		job = queue_pop(&c->waiting);
	return job;
}

/* The token signed, and wrongly: that is not released. Another session may do
 * better, once. True: job is back in the queue. */
static bool bad_signature(
        struct crew *c, struct job *job, const struct vault_key *key)
{
	metric_add(c->pool->o.metrics, METRIC_HSM_BAD_SIGNATURES, 1);
	log_event(LOG_ERROR, "signer.bad_signature", "token", c->label, "key",
	        key->name, "what", "it was not released", NULL);
	if (++job->n_bad >= BAD_SIGNATURES_MAX)
		return false;
	put_back(c, job);
	return true;
}

/* What came of m's call for job, which is still m's. Under the lock. True: it
 * is answered; else it waits again. */
static bool signed_or_waits(struct mate *m, struct job *job,
        const struct vault_key *key, struct bytes signature,
        const struct why *why)
{
	struct crew *c = m->crew;

	switch (job->rc) {
	case RC_OK:
		buf_add(&job->signature, signature);
		job->rc = job->signature.failed;
		return true;
	case RC_BADSIG:
		if (bad_signature(c, job, key))
			return false;
		job->rc = why_set(&job->why, RC_INTERNAL,
		        "the token's signatures do not verify");
		return true;
	case RC_CLOSED:
	case RC_UNAVAILABLE:
	case RC_BUSY:
	case RC_IO:
		put_back(c, job);
		return false;
	default:
		job->why = *why;
		if (job->rc != RC_NOMEM)
			job->rc = RC_INTERNAL;
		return true;
	}
}

static bool is_lost(enum rc rc)
{
	return rc == RC_BADSIG || rc == RC_CLOSED || rc == RC_UNAVAILABLE ||
	        rc == RC_BUSY || rc == RC_IO;
}

/* After the call, under the lock. */
static void called(struct mate *m, enum rc rc, const struct why *why)
{
	struct metrics *metrics = m->crew->pool->o.metrics;

	if (rc == RC_OK) {
		m->proven = true;
		metric_add(metrics, METRIC_HSM_SIGNATURES, 1);
		return;
	}
	metric_add(metrics, METRIC_HSM_FAILURES, 1);
	if (rc == RC_IO)
		pool_die(m->crew->pool, rc, why);
	if (is_lost(rc))
		drop_session(m, rc, why);
}

/* What a call needs that decrypts: the hand has it when it signs. */
struct decryption {
	uint8_t encrypted[RULES_ENCRYPTED_MAX];
	size_t n;
	uint8_t key[RULES_CONTENT_KEY_MAX];
};

static enum rc begin(struct mate *m, const struct rules_verdict *v,
        struct decryption *d, bool *borrows)
{
	*borrows = false;
	if (v->key_bytes == 0)
		return vault_begin(m->hand, v->use, v->data, borrows);
	if (v->data.n > sizeof(d->encrypted))
		return RC_TOOBIG;
	memcpy(d->encrypted, v->data.p, v->data.n);
	d->n = v->data.n;
	return RC_OK;
}

static enum rc finish(struct mate *m, const struct rules_verdict *v,
        struct decryption *d, struct bytes *result, struct why *why)
{
	if (v->key_bytes == 0)
		return vault_finish(m->hand, v->use, result, why);
	*result = bytes_of(d->key, v->key_bytes);
	return vault_decrypt(m->hand, v->use, bytes_of(d->encrypted, d->n),
	        d->key, v->key_bytes, why);
}

/* Without the lock, but where it says so. The hand has all that the call needs:
 * job may be another's, and gone, before it comes back. */
static void sign(struct mate *m, struct job *job, const struct rules_verdict *v)
{
	struct crew *c = m->crew;
	struct why why = WHY_NONE;
	struct bytes signature;
	struct decryption d;
	bool borrows, answered = false;
	enum rc rc;

	job->rc = begin(m, v, &d, &borrows);
	if (job->rc) {
		answer(c->pool, job);
		return;
	}
	(void)pthread_mutex_lock(&c->lock);
	m->call_since_us = clock_mono_us();
	m->job = job;
	m->borrows = borrows;
	(void)pthread_mutex_unlock(&c->lock);
	rc = finish(m, v, &d, &signature, &why);
	(void)pthread_mutex_lock(&c->lock);
	m->call_since_us = 0;
	if (m->job) {
		job->rc = rc;
		answered = signed_or_waits(m, job, v->use, signature, &why);
	}
	m->job = NULL;
	/* First: to let go of a session is a call into the module, too. */
	if (answered)
		answer(c->pool, job);
	called(m, rc, &why);
	(void)pthread_mutex_unlock(&c->lock);
	bytes_wipe(d.key, sizeof(d.key));
}

static void work(struct mate *m, struct job *job)
{
	struct pool *p = m->crew->pool;
	struct rules_verdict v;

	metric_observe_us(p->o.metrics, METRIC_HSM_WAIT_US,
	        (uint64_t)(clock_mono_us() - job->since_us));
	job->rc = rules_check(
	        p->o.rules, job->key, job->purpose, job->tbs, &v, &job->why);
	if (job->rc) {
		answer(p, job);
		return;
	}
	job->why = WHY_NONE;
	sign(m, job, &v);
	vault_key_unref(v.use);
}

void *token_run(void *ctx)
{
	struct mate *m = ctx;
	struct crew *c = m->crew;
	struct job *job;

	(void)pthread_mutex_lock(&c->lock);
	if (vault_hand_is_open(m->hand))
		set_open(c, true);
	while ((vault_hand_is_open(m->hand) || open_session(m)) &&
	        (job = take(m)) != NULL) {
		(void)pthread_mutex_unlock(&c->lock);
		work(m, job);
		(void)pthread_mutex_lock(&c->lock);
	}
	if (vault_hand_is_open(m->hand))
		set_open(c, false);
	(void)pthread_mutex_unlock(&c->lock);
	return NULL;
}

/* --- on the loop */

static void watch_call(struct mate *m, int64_t now_us)
{
	struct crew *c = m->crew;
	int64_t ms = (now_us - m->call_since_us) / US_A_MS;
	struct why why = WHY_NONE;

	if (m->call_since_us == 0 || ms < POOL_STALL_MS)
		return;
	if (m->job && !m->borrows && !m->job->moved) {
		(void)why_set(&why, RC_TIMEOUT,
		        "a call into the module does not return");
		event(LOG_WARN, "signer.call_stalled", c, &why);
		metric_add(c->pool->o.metrics, METRIC_HSM_FAILURES, 1);
		m->job->moved = true;
		put_back(c, m->job);
		m->job = NULL;
	}
	if (ms < POOL_HANG_MAX_MS)
		return;
	(void)why_set(&why, RC_TIMEOUT,
	        "token %s: a call into the module has not returned for %d s",
	        c->label, POOL_HANG_MAX_MS / 1000);
	pool_die(c->pool, RC_TIMEOUT, &why);
}

static void watch_away(struct crew *c, int64_t now_us)
{
	struct why why;

	if (!c->away || now_us - c->away_since_us < POOL_AWAY_MAX_MS * US_A_MS)
		return;
	(void)why_set(&why, RC_UNAVAILABLE, "token %s is away since %d s: %s",
	        c->label, POOL_AWAY_MAX_MS / 1000, c->last.text);
	pool_die(c->pool, RC_UNAVAILABLE, &why);
}

/* The queue is in the order of coming: what was put back came before the rest. */
static struct queue overdue(struct crew *c, int64_t now_us)
{
	int64_t max_ms = c->seen ? POOL_WAIT_MAX_MS : POOL_UNSEEN_WAIT_MAX_MS;
	struct queue late = { 0 };

	while (c->waiting.n > 0 &&
	        now_us - c->waiting.head->since_us > max_ms * US_A_MS) {
		struct job *job = queue_pop(&c->waiting);

		job->rc = why_set(&job->why, RC_UNAVAILABLE, "token %s: %s",
		        c->label,
		        c->n_open == 0 ? c->last.text
		                       : "it is slower than it is asked");
		queue_add(&late, job);
	}
	return late;
}

void token_watch(struct crew *c)
{
	int64_t now_us = clock_mono_us();
	struct queue late;

	(void)pthread_mutex_lock(&c->lock);
	for (unsigned i = 0; i < c->n_started; i++)
		watch_call(&c->mates[i], now_us);
	watch_away(c, now_us);
	late = overdue(c, now_us);
	(void)pthread_mutex_unlock(&c->lock);
	pool_give_back(c->pool, &late);
}
