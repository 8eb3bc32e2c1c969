#include "ca/issuer.h"
#include "ca/issuer_job.h"
#include "base/clock.h"
#include "base/log.h"
#include <stdlib.h>
#include <string.h>

#define ISSUER_IN_FLIGHT_MAX 4096 /* the store's and the signer's queue */

static void answer_refused(void *ctx);

static void run_waiting(void *ctx)
{
	job_run_waiting(ctx);
}

enum rc issuer_new(struct issuer **out, const struct issuer_opts *o)
{
	struct issuer *i = calloc(1, sizeof *i);
	enum rc rc;

	*out = NULL;
	if (i == NULL)
		return RC_NOMEM;
	i->o = *o;
	i->task = (struct loop_task){ .fn = answer_refused, .ctx = i };
	rc = digest_new(&i->digest);
	if (rc == RC_OK)
		rc = pubkey_ctx_new(&i->keys_ctx);
	if (rc == RC_OK)
		rc = loop_timer_new(&i->timer, o->loop, run_waiting, i);
	if (rc != RC_OK) {
		issuer_free(i);
		return rc;
	}
	*out = i;
	return RC_OK;
}

void issuer_free(struct issuer *i)
{
	size_t k;

	if (i == NULL)
		return;
	while (i->jobs != NULL)
		job_end(i->jobs);
	for (k = 0; k < i->n_keys; k++)
		pubkey_verifier_free(i->keys[k].verifier);
	free(i->keys);
	loop_timer_free(i->timer);
	pubkey_ctx_free(i->keys_ctx);
	digest_free(i->digest);
	free(i);
}

size_t issuer_pending(const struct issuer *i)
{
	return i->pending;
}

static enum rc key_import(struct issuer *i, const struct authority *a,
        struct issuer_key *k, struct why *why)
{
	struct der in = der_of(a->sig_alg);
	struct spki spki;
	enum sig_alg alg;
	enum rc rc = spki_parse(&spki, a->spki, why);

	if (rc == RC_OK)
		rc = alg_read(&in, &alg, "signature", why);
	if (rc == RC_OK)
		rc = pubkey_verifier_new(
		        &k->verifier, i->keys_ctx, &spki, alg, why);
	k->authority = a;
	return rc;
}

enum rc issuer_verifier(struct pubkey_verifier **out, struct issuer *i,
        const struct authority *a, struct why *why)
{
	struct issuer_key *more;
	size_t k;
	enum rc rc;

	for (k = 0; k < i->n_keys; k++) {
		if (i->keys[k].authority == a) {
			*out = i->keys[k].verifier;
			return RC_OK;
		}
	}
	more = realloc(i->keys, (i->n_keys + 1) * sizeof *more);
	if (more == NULL)
		return RC_NOMEM;
	i->keys = more;
	rc = key_import(i, a, &more[i->n_keys], why);
	if (rc != RC_OK)
		return rc;
	*out = more[i->n_keys++].verifier;
	return RC_OK;
}

/* Requests refused on sight are answered on the loop's next turn. */
static void answer_refused(void *ctx)
{
	struct issuer *i = ctx;
	struct issued nomem = { .rc = RC_NOMEM };
	struct job *job;
	size_t k, n = i->n_refusals;

	i->posted = false;
	while ((job = i->refused) != NULL) {
		i->refused = job->wait;
		job_end(job);
	}
	for (k = 0; k < n; k++)
		i->refusals[k].done(i->refusals[k].ctx, &nomem);
	memmove(i->refusals, i->refusals + n,
	        (i->n_refusals - n) * sizeof *i->refusals);
	i->n_refusals -= n;
}

static void post_refused(struct issuer *i)
{
	if (!i->posted)
		loop_post(i->o.loop, &i->task);
	i->posted = true;
}

void job_refuse(struct job *job, enum rc rc)
{
	struct issuer *i = job->issuer;

	job->result.rc = rc;
	job->wait = i->refused;
	i->refused = job;
	post_refused(i);
}

/* Not even a job fits into memory. Past the reserve there is no way to keep
 * the promise of an answer: end, and be started again. */
static void refuse_nomem(struct issuer *i, issuer_done_fn *done, void *ctx)
{
	if (i->n_refusals == REFUSALS_MAX)
		abort();
	i->refusals[i->n_refusals++] = (struct refusal){ done, ctx };
	post_refused(i);
}

static enum rc check_grant(
        const struct job *job, const struct spki *spki, struct why *why)
{
	const struct grant *g = job->grant;
	uint8_t hash[STORE_HASH_BYTES];
	enum rc rc;

	if (job->issuer->pending > ISSUER_IN_FLIGHT_MAX)
		return why_set(why, RC_BUSY, "too many requests in flight");
	if (grant_deadline_us(g) <= clock_now_us())
		return why_set(why, RC_TIMEOUT, "the grant's deadline passed");
	if (grant_authority(g)->id == 0)
		return why_set(why, RC_UNAVAILABLE,
		        "authority %s is not in the store yet",
		        grant_authority(g)->conf->name);
	rc = digest_sha256(job->issuer->digest, spki->der, hash);
	if (rc == RC_OK &&
	        !bytes_eq(BYTES_ARRAY(hash),
	                bytes_of(grant_spki_hash(g), STORE_HASH_BYTES)))
		rc = why_set(why, RC_DENIED,
		        "the key is not the one that was granted");
	return rc;
}

static void warn_cut(const struct job *job)
{
	log_event(LOG_WARN, "issue.validity_cut", "authority",
	        grant_authority(job->grant)->conf->name, "profile",
	        grant_profile(job->grant)->name, "device",
	        grant_device(job->grant), "why",
	        "the issuer expires before the certificate would", NULL);
}

/* A message that is signed and travels in the clear can be sent again by all who
 * saw it: until the certificate that it got is due to be renewed, it gets no
 * other. (With a token it never does.) */
static int64_t retry_window_us(const struct job *job)
{
	const struct conf_profile *p = grant_profile(job->grant);
	enum credential_kind kind = grant_credential(job->grant)->kind;
	const struct tbs_validity *v = &job->draft.validity;
	int64_t window_us = job->issuer->o.retry_window_us, due_us;

	if (grant_transaction(job->grant)[0] == '\0' ||
	        (kind != CREDENTIAL_OWN && kind != CREDENTIAL_FOREIGN))
		return window_us;
	due_us = 1000000 *
	        (profile_renew_from_s(p, v->not_before_s, v->not_after_s) -
	                v->not_before_s - p->backdate_s);
	return due_us > window_us ? due_us : window_us;
}

static void fill_begin(struct job *job, const struct draft_input *in)
{
	const struct grant *g = job->grant;
	struct store_issue_begin *b = &job->begin;

	memcpy(job->key.serial, job->draft.serial, sizeof job->key.serial);
	job->key.authority = grant_authority(g)->id;
	b->key = job->key;
	b->tbs = buf_bytes(&job->draft.tbs);
	b->device = grant_device(g);
	b->anchor = grant_anchor(g);
	b->profile = grant_profile(g)->name;
	b->quota = grant_quota(g);
	b->credential = *grant_credential(g);
	b->device_version = grant_device_version(g);
	b->authority_version = grant_authority_version(g);
	b->max_active = grant_profile(g)->max_active;
	b->shard = profile_shard(in->profile, job->draft.serial);
	b->not_before_s = job->draft.validity.not_before_s;
	b->not_after_s = job->draft.validity.not_after_s;
	b->deadline_us = grant_deadline_us(g);
	b->retry_after_us = in->now_us - retry_window_us(job);
	memcpy(b->spki_hash, grant_spki_hash(g), sizeof b->spki_hash);
}

/* The request goes on record with what waits: a poll brings none. */
static enum rc fill_wait(struct job *job, const struct csr *csr)
{
	const struct grant_wait *wait = grant_wait(job->grant);

	if (wait->label == NULL || csr == NULL)
		return RC_OK;
	csr_put_shown(&job->request, csr);
	job->asked = (struct store_wait){ .label = wait->label,
		.request = buf_bytes(&job->request),
		.life_us = wait->life_us,
		.only_look = wait->only_look };
	memcpy(job->asked.poll, wait->poll, sizeof job->asked.poll);
	job->begin.wait = &job->asked;
	return job->request.failed;
}

static enum rc prepare(struct job *job, const struct spki *spki,
        const struct csr *csr, struct why *why)
{
	const struct grant *g = job->grant;
	struct draft_input in = {
		.profile = profiles_find(job->issuer->o.profiles,
		        grant_authority(g), grant_profile(g)),
		.device = grant_device(g),
		.names = grant_names(g),
		.max_validity_s = grant_max_validity_s(g),
		.now_us = clock_now_us(),
		.spki = spki,
		.csr = csr,
		.transaction = grant_transaction(g),
	};
	enum rc rc = check_grant(job, spki, why);

	if (rc == RC_OK && in.profile == NULL)
		rc = why_set(why, RC_DENIED,
		        "authority %s does not issue profile %s",
		        grant_authority(g)->conf->name, grant_profile(g)->name);
	if (rc == RC_OK)
		rc = draft_make(&job->draft, &in, job->issuer->digest, why);
	if (rc != RC_OK)
		return rc;
	if (job->draft.validity.cut)
		warn_cut(job);
	fill_begin(job, &in);
	rc = fill_wait(job, csr);
	if (rc != RC_OK)
		return rc;
	return draft_request_hash(job->begin.request_hash, &job->draft, &in,
	        &job->begin.credential, job->issuer->digest);
}

static struct job *job_new(
        struct issuer *i, struct grant *grant, issuer_done_fn *done, void *ctx)
{
	struct job *job = calloc(1, sizeof *job);

	if (job == NULL) {
		grant_free(grant);
		refuse_nomem(i, done, ctx);
		return NULL;
	}
	job->issuer = i;
	job->grant = grant;
	job->done = done;
	job->ctx = ctx;
	job->draft = DRAFT_INIT;
	job->der = BUF_INIT(STORE_DER_MAX_BYTES);
	job->request = BUF_INIT(STORE_REQUEST_MAX_BYTES);
	job->next = i->jobs;
	if (i->jobs != NULL)
		i->jobs->prev = job;
	i->jobs = job;
	i->pending++;
	return job;
}

static void issue(
        struct job *job, const struct spki *spki, const struct csr *csr)
{
	enum rc rc = prepare(job, spki, csr, &job->result.why);

	if (rc == RC_INTERNAL)
		log_event(LOG_ERROR, "issue.broken", "profile",
		        grant_profile(job->grant)->name, "device",
		        grant_device(job->grant), "why", job->result.why.text,
		        NULL);
	if (rc == RC_OK)
		job_begin(job);
	else
		job_refuse(job, rc);
}

void issuer_issue(struct issuer *i, struct grant *grant, const struct csr *csr,
        issuer_done_fn *done, void *ctx)
{
	struct job *job = job_new(i, grant, done, ctx);

	if (job != NULL)
		issue(job, csr_spki(csr), csr);
}

void issuer_issue_system(struct issuer *i, struct grant *grant,
        struct bytes spki, issuer_done_fn *done, void *ctx)
{
	struct job *job = job_new(i, grant, done, ctx);
	struct spki key;
	enum rc rc;

	if (job == NULL)
		return;
	rc = spki_parse(&key, spki, &job->result.why);
	if (rc == RC_OK && !grant_is_system(grant))
		rc = why_set(&job->result.why, RC_DENIED,
		        "possession of the key was not proven");
	if (rc == RC_OK)
		issue(job, &key, NULL);
	else
		job_refuse(job, rc);
}
