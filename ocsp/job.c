/* One answer: read the statuses, sign, see that none of them changed
 * meanwhile, send and keep. Each step may end in a callback on the loop. */
#include "ocsp/responder_priv.h"

#include "base/clock.h"
#include "base/log.h"
#include <stdlib.h>
#include <string.h>

/* A signer that cannot sign is told of once in so long. */
#define WARN_EVERY_US INT64_C(10000000)

static void job_read(struct job *job);

static struct job_list *bucket_of(
        struct responder *r, const struct cache_key *key)
{
	unsigned last = key->serial[STORE_SERIAL_BYTES - 1];

	return &r->by_key[last & (JOB_BUCKETS - 1)];
}

/* --- its end */
static void job_free(struct job *job)
{
	struct waiter *w;

	if (job->has_key)
		LIST_REMOVE(job, of_key);
	LIST_REMOVE(job, of_all);
	job->r->pending--;
	while ((w = SLIST_FIRST(&job->waiters)) != NULL) {
		SLIST_REMOVE_HEAD(&job->waiters, next);
		if (w != &job->first)
			free(w);
	}
	buf_free(&job->data);
	free(job->singles);
	free(job->rows);
	free(job);
}

static void job_refuse(struct job *job, enum response_status status)
{
	struct waiter *w;

	job->joinable = false;
	SLIST_FOREACH(w, &job->waiters, next)
	responder_refuse(job->r, w->req, status);
	job_free(job);
}

static void warn(struct responder *r, const char *event, const char *why)
{
	int64_t now_us = clock_mono_us();

	if (r->warned_us != 0 && now_us - r->warned_us < WARN_EVERY_US)
		return;
	r->warned_us = now_us;
	log_event(LOG_WARN, event, "why", why, NULL);
}

/* An answer is sent by a connection that may go on to its next request at once,
 * and so to another job or the cache: what is sent here is ours. */
static void job_send(struct job *job, struct bytes body)
{
	const struct response_data *d = &job->parts;
	struct responder *r = job->r;
	struct ocsp_answer answer;
	struct waiter *w;

	job->joinable = false;
	if (answer_make(&answer, body, d->this_update_s, d->next_update_s,
	            r->digest) != RC_OK) {
		job_refuse(job, RESPONSE_INTERNAL_ERROR);
		return;
	}
	if (job->keep)
		cache_put(r->cache, &job->key, &answer);
	SLIST_FOREACH(w, &job->waiters, next)
	{
		metric_add(r->o.metrics, METRIC_OCSP_SIGNED, 1);
		if (job->has_nonce)
			answer_send_once(w->req, body);
		else
			answer_send(w->req, &answer);
	}
	job_free(job);
}

/* --- signed */
static void job_finish(struct job *job)
{
	struct buf out = BUF_INIT(OCSP_RESPONSE_MAX_BYTES);

	response_put(&out, buf_bytes(&job->data), job->issuer->sig_alg,
	        job->call.signature, buf_bytes(&job->issuer->cert));
	if (out.failed == RC_OK)
		job_send(job, buf_bytes(&out));
	else
		job_refuse(job, RESPONSE_INTERNAL_ERROR);
	buf_free(&out);
}

/* Whoever joined has asked after the statuses were read: what changed until
 * then must show. */
static bool is_current(struct job *job)
{
	if (SLIST_NEXT(SLIST_FIRST(&job->waiters), next) == NULL && !job->keep)
		job->stale = false;
	else if (!responder_look(job->r))
		job->stale = true;
	return !job->stale && job->issuer_version == job->issuer->version;
}

static void on_signed(struct signer_call *call)
{
	struct job *job = call->ctx;

	job->signing = false;
	if (call->rc != RC_OK) {
		warn(job->r, "ocsp.unsigned", call->why.text);
		job_refuse(job, RESPONSE_TRY_LATER);
	} else if (is_current(job)) {
		job_finish(job);
	} else if (job->tries < JOB_TRIES_MAX) {
		job_read(job);
	} else {
		job_refuse(job, RESPONSE_TRY_LATER);
	}
}

static void job_sign(struct job *job)
{
	const struct issuer *i = job->issuer;
	enum rc rc;

	buf_reset(&job->data);
	response_put_data(&job->data, &job->parts);
	job->issuer_version = i->version;
	job->call = (struct signer_call){ .key = i->key,
		.purpose = SIGNER_OCSP,
		.tbs = buf_bytes(&job->data),
		.done = on_signed,
		.ctx = job,
		.deadline_us = clock_mono_us() + JOB_SIGN_TIMEOUT_US };
	rc = job->data.failed != RC_OK
	        ? job->data.failed
	        : signer_sign(job->r->o.signer, &job->call);
	if (rc == RC_PENDING) {
		job->signing = true;
		return;
	}
	warn(job->r, "ocsp.unsigned", job->call.why.text);
	job_refuse(job, RESPONSE_TRY_LATER);
}

/* --- read */
/* The record, under whichever of the authority's numbers. */
static const struct store_status_row *row_of(const struct job *job, size_t i)
{
	const struct store_status_row *rows =
	        job->rows + i * job->issuer->n_ids;

	for (size_t k = 1; k < job->issuer->n_ids; k++)
		if (rows[0].state == 0 && rows[k].state != 0)
			return &rows[k];
	return &rows[0];
}

/* What is not on record as issued. An intent can be issued in a moment, so it
 * is not said to be revoked for ever. */
static void set_unissued(
        struct job *job, struct single *s, const struct store_status_row *row)
{
	const struct conf_authority *conf = job->issuer->authority->conf;

	job->keep = false;
	if (conf->ocsp_unissued == CONF_UNISSUED_UNKNOWN ||
	        row->state == CERT_INTENT) {
		s->status = SINGLE_UNKNOWN;
		return;
	}
	/* RFC 6960 section 2.2 */
	s->status = SINGLE_REVOKED;
	s->reason = REASON_CERTIFICATE_HOLD;
	s->revoked_s = 0;
	s->invalidity_s = 0;
	job->parts.extended_revoke = true;
}

/* Returns whether it was issued. */
static bool set_single(
        struct job *job, struct single *s, const struct store_status_row *row)
{
	int64_t changed_s = row->status_us / 1000000;

	switch (row->state) {
	case CERT_ISSUED:
		s->status = SINGLE_GOOD;
		return true;
	case CERT_HELD:
	case CERT_REVOKED:
		s->status = SINGLE_REVOKED;
		s->reason = row->reason;
		s->invalidity_s = row->invalidity_s;
		/* Not after thisUpdate, whatever the clock did. */
		s->revoked_s = changed_s < job->parts.this_update_s
		        ? changed_s
		        : job->parts.this_update_s;
		return true;
	default:
		set_unissued(job, s, row);
		return false;
	}
}

static void set_times(struct job *job, bool all_issued)
{
	const struct issuer *i = job->issuer;
	struct response_data *d = &job->parts;
	int64_t valid_s = i->authority->conf->ocsp_valid_s;

	if (!all_issued && valid_s > UNISSUED_VALID_S)
		valid_s = UNISSUED_VALID_S;
	d->next_update_s = d->this_update_s + valid_s;
	if (d->next_update_s > i->not_after_s)
		d->next_update_s = i->not_after_s;
}

/* What it costs to guess serials is the guesser's: signatures about what was
 * not issued are counted by address. */
static bool may_guess(struct job *job)
{
	const struct http_req *req = SLIST_FIRST(&job->waiters)->req;

	return job->has_nonce || job->parts.n > 1 ||
	        limit_take(job->r->o.limit, http_req_addr(req), 1);
}

static void job_decide(struct job *job)
{
	struct response_data *d = &job->parts;
	bool all_issued = true;

	d->extended_revoke = false;
	d->key_hash = job->issuer->responder_hash;
	d->produced_s = d->this_update_s = responder_now_s(job->r);
	for (size_t i = 0; i < d->n; i++)
		all_issued &= set_single(job, &job->singles[i], row_of(job, i));
	set_times(job, all_issued);
	if (!all_issued) /* it may be issued while we sign */
		job->joinable = false;
	if (job->issuer->key[0] == '\0' || d->next_update_s <= d->this_update_s)
		job_refuse(job, RESPONSE_TRY_LATER);
	else if (!all_issued && !may_guess(job))
		job_refuse(job, RESPONSE_TRY_LATER);
	else
		job_sign(job);
}

static void job_decide_or_refuse(struct job *job, enum rc rc)
{
	if (rc == RC_OK) {
		job_decide(job);
		return;
	}
	warn(job->r, "ocsp.unread", job->status.op.why.text);
	job_refuse(job, RESPONSE_TRY_LATER);
}

static void on_status(struct store_op *op)
{
	job_decide_or_refuse(op->ctx, op->rc);
}

static void job_read(struct job *job)
{
	enum rc rc;

	job->tries++;
	job->stale = false;
	job->status = (struct store_status){
		.op = { .done = on_status, .ctx = job },
		.rows = job->rows,
		.n = job->parts.n * job->issuer->n_ids,
	};
	rc = store_status(job->r->o.store, &job->status);
	if (rc != RC_PENDING)
		job_decide_or_refuse(job, rc);
}

/* --- its beginning */
/* The same bytes in the job's copy. */
static struct bytes moved(
        const struct job *job, struct bytes der, struct bytes part)
{
	return part.n == 0 ? BYTES_NONE
	                   : bytes_of(job->request + (part.p - der.p), part.n);
}

static void set_keys(struct job *job, size_t i, struct bytes serial)
{
	struct store_status_row *rows = job->rows + i * job->issuer->n_ids;

	/* No authority has the number 0: such a serial is nobody's. */
	for (size_t k = 0; k < job->issuer->n_ids; k++)
		if (serial_pad(rows[k].key.serial, serial))
			rows[k].key.authority = job->issuer->ids[k];
}

static struct job *job_new(struct responder *r, struct bytes der,
        const struct ocsp_request *request, const struct issuer *issuer)
{
	struct job *job = calloc(1, sizeof(*job) + der.n);

	if (job == NULL)
		return NULL;
	job->singles = calloc(request->n, sizeof(*job->singles));
	job->rows = calloc(request->n * issuer->n_ids, sizeof(*job->rows));
	if (job->singles == NULL || job->rows == NULL) {
		free(job->singles);
		free(job->rows);
		free(job);
		return NULL;
	}
	job->r = r;
	job->issuer = issuer;
	job->data = BUF_INIT(OCSP_RESPONSE_MAX_BYTES);
	memcpy(job->request, der.p, der.n);
	for (size_t i = 0; i < request->n; i++) {
		job->singles[i].certid = moved(job, der, request->list[i].der);
		set_keys(job, i, request->list[i].serial);
	}
	job->has_nonce = request->has_nonce;
	job->parts.nonce = moved(job, der, request->nonce);
	job->parts.list = job->singles;
	job->parts.n = request->n;
	return job;
}

void job_begin(struct responder *r, struct http_req *req, struct bytes der,
        const struct ocsp_request *request, const struct issuer *issuer,
        const struct cache_key *key)
{
	struct job *job = job_new(r, der, request, issuer);

	if (job == NULL) {
		responder_refuse(r, req, RESPONSE_INTERNAL_ERROR);
		return;
	}
	SLIST_INIT(&job->waiters);
	job->first.req = req;
	SLIST_INSERT_HEAD(&job->waiters, &job->first, next);
	LIST_INSERT_HEAD(&r->all, job, of_all);
	r->pending++;
	if (key != NULL) {
		job->key = *key;
		job->has_key = job->joinable = job->keep = true;
		LIST_INSERT_HEAD(bucket_of(r, key), job, of_key);
	}
	job_read(job);
}

static bool is_about(const struct job *job, const struct cache_key *key)
{
	return job->key.issuer == key->issuer &&
	        memcmp(job->key.serial, key->serial, sizeof(key->serial)) == 0;
}

bool job_join(
        struct responder *r, struct http_req *req, const struct cache_key *key)
{
	struct waiter *w;
	struct job *job;

	LIST_FOREACH(job, bucket_of(r, key), of_key)
	if (job->joinable && job->key.form == key->form && is_about(job, key))
		break;
	w = job == NULL ? NULL : calloc(1, sizeof(*w));
	if (w == NULL)
		return false;
	w->req = req;
	SLIST_INSERT_HEAD(&job->waiters, w, next);
	return true;
}

void job_mark_stale(struct responder *r, const struct cache_key *key)
{
	struct job *job;

	if (key == NULL) {
		LIST_FOREACH(job, &r->all, of_all)
		job->stale = true;
		return;
	}
	LIST_FOREACH(job, bucket_of(r, key), of_key)
	if (is_about(job, key))
		job->stale = true;
}

void job_cancel_all(struct responder *r)
{
	struct job *job;

	while ((job = LIST_FIRST(&r->all)) != NULL) {
		if (job->signing)
			signer_cancel(r->o.signer, &job->call);
		job_refuse(job, RESPONSE_TRY_LATER);
	}
}
