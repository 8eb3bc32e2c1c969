/* ca/issuer_job.h - one certificate on its way through the issuer; for issuer.c
 * (what comes in) and issuer_run.c (what happens to it) alone. */
#ifndef MICA_CA_ISSUER_JOB_H
#define MICA_CA_ISSUER_JOB_H

#include "ca/draft.h"
#include "ca/issuer.h"
#include "ca/pubkey.h"

struct job {
	struct issuer *issuer;
	struct job *next, *prev; /* all of the issuer's */
	struct job *wait;        /* next of those that try again */
	void (*again)(struct job *job);
	struct grant *grant;
	issuer_done_fn *done; /* NULL once answered */
	void *ctx;
	struct draft draft;
	struct cert_key key;
	struct buf der;
	struct store_wait asked;
	struct buf request; /* where an operator is asked */
	struct store_issue_begin begin;
	struct signer_call call;
	struct store_issue_finish finish;
	struct store_abandon abandon;
	struct store_fetch fetch; /* of a twin, or of what is in doubt */
	struct issued result;
};

/* An authority's key, imported once. */
struct issuer_key {
	const struct authority *authority;
	struct pubkey_verifier *verifier;
};

/* A refusal that found no memory for a job. */
struct refusal {
	issuer_done_fn *done;
	void *ctx;
};
#define REFUSALS_MAX 64

struct issuer {
	struct issuer_opts o;
	struct digest *digest;
	struct pubkey_ctx *keys_ctx;
	struct issuer_key *keys;
	size_t n_keys;
	struct job *jobs;
	size_t pending;
	struct job *refused; /* answered on the next turn, newest first */
	struct refusal refusals[REFUSALS_MAX];
	size_t n_refusals;
	struct loop_task task;
	bool posted;
	struct job *waiting;
	struct loop_timer *timer;
};

/* issuer_run.c */

/* T1, and all that follows; the draft is made. */
void job_begin(struct job *job);
/* Answer if nobody did, and free. */
void job_end(struct job *job);
/* Those that try again: run each of them once. */
void job_run_waiting(struct issuer *i);

/* issuer.c */

/* Answer with rc on the loop's next turn, and end. */
void job_refuse(struct job *job, enum rc rc);
/* Borrowed from i. */
MUST_CHECK enum rc issuer_verifier(struct pubkey_verifier **out,
        struct issuer *i, const struct authority *a, struct why *why);

#endif
