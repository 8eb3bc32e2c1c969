/* DESIGN rule 1, step by step: T1, signature, its verification, T2, release.
 * Each step ends in a callback on the loop. */
#include "ca/issuer_job.h"
#include "base/clock.h"
#include "base/log.h"
#include <stdlib.h>
#include <string.h>

/* How soon a write that did not get through is tried again. */
#define AGAIN_MS 100

static void abandon(struct job *job);
static void finish(struct job *job);
static void resolve(struct job *job);
static void sign(struct job *job);

static void answer(struct job *job, enum rc rc)
{
	issuer_done_fn *done = job->done;

	job->done = NULL;
	job->result.rc = rc;
	if (done == NULL)
		return;
	if (rc == RC_OK)
		metric_add(job->issuer->o.metrics, METRIC_CERTS_ISSUED, 1);
	done(job->ctx, &job->result);
}

void job_end(struct job *job)
{
	struct issuer *i = job->issuer;

	answer(job, job->result.rc);
	if (job->prev != NULL)
		job->prev->next = job->next;
	else
		i->jobs = job->next;
	if (job->next != NULL)
		job->next->prev = job->prev;
	i->pending--;
	grant_free(job->grant);
	draft_free(&job->draft);
	buf_free(&job->der);
	buf_free(&job->request);
	buf_free(&job->fetch.der);
	free(job);
}

static void end(struct job *job, enum rc rc)
{
	job->result.rc = rc;
	job_end(job);
}

/* The clause of a store operation becomes the answer's. */
static void end_op(struct job *job, const struct store_op *op)
{
	job->result.why = op->why;
	end(job, op->rc);
}

static void again(struct job *job, void (*fn)(struct job *job))
{
	struct issuer *i = job->issuer;

	job->again = fn;
	job->wait = i->waiting;
	if (i->waiting == NULL)
		loop_timer_set_ms(i->timer, AGAIN_MS);
	i->waiting = job;
}

void job_run_waiting(struct issuer *i)
{
	struct job *job = i->waiting, *next;

	i->waiting = NULL;
	for (; job != NULL; job = next) {
		next = job->wait;
		job->again(job);
	}
}

static bool late(const struct job *job)
{
	return grant_deadline_us(job->grant) <= clock_now_us();
}

/* Was it not applied, so that the same again is right? */
static bool not_applied(enum rc rc)
{
	return rc == RC_BUSY || rc == RC_UNAVAILABLE || rc == RC_NOMEM;
}

/* --- after T1 failed: the serial is burnt, token and quota come back */

/* Tried until it succeeds or the process ends, when the keeper abandons the
 * slot. The client is not kept waiting for more than the first try. */
static void on_abandoned(struct store_op *op)
{
	struct job *job = op->ctx;

	if (op->rc == RC_OK)
		metric_add(job->issuer->o.metrics, METRIC_CERTS_ABANDONED, 1);
	if (not_applied(op->rc) || op->rc == RC_UNKNOWN) {
		answer(job, job->result.rc);
		again(job, abandon);
		return;
	}
	job_end(job);
}

static void abandon(struct job *job)
{
	struct store_abandon *a = &job->abandon;
	enum rc rc;

	memset(a, 0, sizeof *a);
	a->op = (struct store_op){
		.done = on_abandoned,
		.ctx = job,
		.actor = grant_requester(job->grant),
	};
	a->what = ABANDON_ONE;
	a->key = job->key;
	rc = store_abandon(job->issuer->o.store, a);
	if (rc == RC_PENDING)
		return;
	a->op.rc = rc;
	on_abandoned(&a->op);
}

static void fail(struct job *job, enum rc rc)
{
	job->result.rc = rc;
	abandon(job);
}

/* --- T2 */

static void release(struct job *job)
{
	job->result.key = job->key;
	job->result.der = buf_bytes(&job->der);
	end(job, RC_OK);
}

static void on_finished(struct store_op *op)
{
	struct job *job = op->ctx;

	if (op->rc == RC_OK) {
		release(job);
	} else if (op->rc == RC_UNKNOWN) {
		again(job, resolve);
	} else if (not_applied(op->rc) && !late(job)) {
		again(job, finish);
	} else if (op->rc == RC_DENIED || op->rc == RC_STALE) {
		/* On record as revoked, or not ours any more. */
		end_op(job, op);
	} else {
		job->result.why = op->why;
		fail(job, op->rc);
	}
}

static void finish(struct job *job)
{
	struct store_issue_finish *f = &job->finish;
	enum rc rc;

	f->op = (struct store_op){
		.done = on_finished,
		.ctx = job,
		.actor = grant_requester(job->grant),
	};
	rc = store_issue_finish(job->issuer->o.store, f);
	if (rc == RC_PENDING)
		return;
	f->op.rc = rc;
	on_finished(&f->op);
}

static enum rc assemble(struct job *job, struct bytes signature)
{
	struct store_issue_finish *f = &job->finish;
	enum rc rc = tbs_certificate(&job->der, buf_bytes(&job->draft.tbs),
	        grant_authority(job->grant)->sig_alg, signature);

	f->key = job->key;
	f->der = buf_bytes(&job->der);
	f->supersede_after_s = grant_profile(job->grant)->supersede_after_s;
	if (rc == RC_OK)
		rc = digest_sha256(job->issuer->digest, f->der, f->cert_hash);
	return rc;
}

/* --- the signature */

static enum rc verify(struct job *job, struct bytes signature)
{
	const struct authority *a = grant_authority(job->grant);
	struct pubkey_verifier *v;
	enum rc rc = issuer_verifier(&v, job->issuer, a, &job->result.why);

	if (rc == RC_OK)
		rc = pubkey_verifier_check(v, buf_bytes(&job->draft.tbs),
		        signature, &job->result.why);
	if (rc == RC_OK || rc == RC_NOMEM)
		return rc;
	/* A signer that signs wrongly is broken or not ours. */
	log_event(LOG_ERROR, "issue.bad_signature", "authority", a->conf->name,
	        "why", job->result.why.text, NULL);
	return why_set(&job->result.why, RC_INTERNAL,
	        "the signer's signature does not verify by the certificate of "
	        "authority %s: is key %s its key?",
	        a->conf->name, a->conf->key->name);
}

static void on_signed(struct signer_call *call)
{
	struct job *job = call->ctx;
	enum rc rc = call->rc;

	if (rc != RC_OK) {
		job->result.why = call->why;
		log_event(LOG_WARN, "issue.not_signed", "authority",
		        grant_authority(job->grant)->conf->name, "profile",
		        grant_profile(job->grant)->name, "rc",
		        rc_info(rc)->name, "why", call->why.text, NULL);
		/* The signer's policy is compiled from the same configuration:
		 * a refusal is a fault of ours, not the client's doing. */
		fail(job, rc == RC_DENIED ? RC_INTERNAL : rc);
		return;
	}
	rc = verify(job, call->signature);
	if (rc == RC_OK)
		rc = assemble(job, call->signature);
	if (rc == RC_OK)
		finish(job);
	else
		fail(job, rc);
}

static void sign(struct job *job)
{
	struct signer_call *c = &job->call;
	int64_t left_us = grant_deadline_us(job->grant) - clock_now_us();
	enum rc rc;

	if (left_us <= 0) {
		why_set(&job->result.why, RC_TIMEOUT,
		        "the grant's deadline passed");
		fail(job, RC_TIMEOUT);
		return;
	}
	*c = (struct signer_call){
		.key = grant_authority(job->grant)->conf->key->name,
		.purpose = SIGNER_CERT,
		.tbs = buf_bytes(&job->draft.tbs),
		.done = on_signed,
		.ctx = job,
		.deadline_us = clock_mono_us() + left_us,
	};
	rc = signer_sign(job->issuer->o.signer, c);
	if (rc != RC_PENDING) {
		job->result.why = c->why;
		fail(job, rc);
	}
}

/* --- in doubt: ask the record */

static void on_resolved(struct store_op *op)
{
	struct job *job = op->ctx;
	enum cert_state state = job->fetch.cert.state;

	if (op->rc == RC_NOTFOUND) { /* T1 was not applied */
		why_set(&job->result.why, RC_UNAVAILABLE,
		        "the store did not take the request");
		end(job, RC_UNAVAILABLE);
	} else if (op->rc != RC_OK) {
		again(job, resolve);
	} else if (state == CERT_INTENT && job->der.n == 0) {
		sign(job);
	} else if (state == CERT_INTENT && !late(job)) {
		finish(job);
	} else if (state == CERT_INTENT) {
		fail(job, RC_TIMEOUT);
	} else if (state == CERT_ISSUED && job->der.n > 0) {
		release(job);
	} else {
		why_set(&job->result.why, RC_DENIED,
		        "the certificate went bad before it was released");
		end(job, RC_DENIED);
	}
}

static void fetch(
        struct job *job, const struct cert_key *key, store_done_fn *done)
{
	struct store_fetch *f = &job->fetch;
	enum rc rc;

	buf_free(&f->der);
	memset(f, 0, sizeof *f);
	f->op = (struct store_op){ .done = done, .ctx = job };
	f->key = *key;
	f->der = BUF_INIT(STORE_DER_MAX_BYTES);
	rc = store_fetch(job->issuer->o.store, f);
	if (rc == RC_PENDING)
		return;
	f->op.rc = rc;
	done(&f->op);
}

static void resolve(struct job *job)
{
	fetch(job, &job->key, on_resolved);
}

/* --- a retry: the stored certificate again (DESIGN rule 3) */

static void on_twin(struct store_op *op)
{
	struct job *job = op->ctx;

	if (op->rc != RC_OK) {
		end_op(job, op);
		return;
	}
	/* In good standing when T1 looked; say nothing if that changed. */
	if (job->fetch.cert.state != CERT_ISSUED) {
		why_set(&job->result.why, RC_DENIED,
		        "the certificate that was issued is not valid any "
		        "more");
		end(job, RC_DENIED);
		return;
	}
	job->result.key = job->fetch.key;
	job->result.der = buf_bytes(&job->fetch.der);
	job->result.retried = true;
	end(job, RC_DUPLICATE);
}

/* --- T1 */

static void on_begun(struct store_op *op)
{
	struct job *job = op->ctx;

	if (op->rc == RC_OK)
		sign(job);
	else if (op->rc == RC_DUPLICATE)
		fetch(job, &job->begin.twin, on_twin);
	else if (op->rc == RC_UNKNOWN)
		again(job, resolve);
	else
		end_op(job, op);
}

void job_begin(struct job *job)
{
	struct store_issue_begin *b = &job->begin;
	enum rc rc;

	b->op = (struct store_op){
		.done = on_begun,
		.ctx = job,
		.actor = grant_requester(job->grant),
	};
	rc = store_issue_begin(job->issuer->o.store, b);
	if (rc == RC_PENDING)
		return;
	job->result.why = b->op.why;
	job_refuse(job, rc);
}
