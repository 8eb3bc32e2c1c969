/* One answer: read the statuses, sign, see that none of them changed
 * meanwhile, send and keep. Each step may end in a callback on the loop. */
#include "ocsp/responder_priv.h"

#include "base/clock.h"
#include "base/log.h"
#include <stdlib.h>
#include <string.h>

/* A signer that cannot sign is told of once in so long. */
#define WARN_EVERY_US INT64_C(10000000)

static void reply_read(struct reply *reply);

static struct reply_list *bucket_of(
        struct responder *r, const struct cache_key *key)
{
	unsigned last = key->serial[STORE_SERIAL_BYTES - 1];

	return &r->by_key[last & (REPLY_BUCKETS - 1)];
}

/* --- its end */
static void reply_free(struct reply *reply)
{
	struct waiter *w;

	if (reply->has_key)
		LIST_REMOVE(reply, of_key);
	LIST_REMOVE(reply, of_all);
	reply->r->pending--;
	while ((w = SLIST_FIRST(&reply->waiters)) != NULL) {
		SLIST_REMOVE_HEAD(&reply->waiters, next);
		if (w != &reply->first)
			free(w);
	}
	buf_free(&reply->data);
	free(reply->singles);
	free(reply->rows);
	free(reply);
}

static void reply_refuse(struct reply *reply, enum response_status status)
{
	struct waiter *w;

	reply->joinable = false;
	SLIST_FOREACH(w, &reply->waiters, next)
	responder_refuse(reply->r, w->req, status);
	reply_free(reply);
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
 * and so to another reply or the cache: what is sent here is ours. */
static void send_all(struct reply *reply, const struct ocsp_answer *answer)
{
	struct responder *r = reply->r;
	struct waiter *w;

	SLIST_FOREACH(w, &reply->waiters, next)
	{
		metric_add(r->o.metrics, METRIC_OCSP_SIGNED, 1);
		r->answered++;
		if (reply->has_nonce)
			answer_send_once(w->req, answer->body);
		else
			answer_send(w->req, answer);
	}
	reply_free(reply);
}

static void reply_send(struct reply *reply, struct bytes body)
{
	struct bytes said =
	        bytes_skip(buf_bytes(&reply->data), reply->singles_at);
	struct buf lines = BUF_INIT(ANSWER_LINES_MAX_BYTES);
	struct ocsp_answer answer = { .body = body };
	enum rc rc = RC_OK;

	reply->joinable = false;
	if (!reply->has_nonce)
		rc = answer_make(&answer, &lines, body, said, &reply->life,
		        reply->r->digest);
	if (rc == RC_OK && reply->keep)
		cache_put(reply->r->cache, &reply->key, &answer);
	if (rc == RC_OK)
		send_all(reply, &answer);
	else
		reply_refuse(reply, RESPONSE_INTERNAL_ERROR);
	buf_free(&lines);
}

/* --- signed */
static void reply_finish(struct reply *reply)
{
	struct buf out = BUF_INIT(OCSP_RESPONSE_MAX_BYTES);

	response_put(&out, buf_bytes(&reply->data), reply->issuer->sig_alg,
	        reply->call.signature, buf_bytes(&reply->issuer->cert));
	if (out.failed == RC_OK)
		reply_send(reply, buf_bytes(&out));
	else
		reply_refuse(reply, RESPONSE_INTERNAL_ERROR);
	buf_free(&out);
}

/* Whoever joined has asked after the statuses were read: what changed until
 * then must show. */
static bool is_current(struct reply *reply)
{
	if (SLIST_NEXT(SLIST_FIRST(&reply->waiters), next) == NULL &&
	        !reply->keep)
		reply->stale = false;
	else if (!responder_look(reply->r))
		reply->stale = true;
	return !reply->stale && reply->issuer_version == reply->issuer->version;
}

static void on_signed(struct signer_call *call)
{
	struct reply *reply = call->ctx;

	reply->signing = false;
	if (call->rc != RC_OK) {
		warn(reply->r, "ocsp.unsigned", call->why.text);
		reply_refuse(reply, RESPONSE_TRY_LATER);
	} else if (is_current(reply)) {
		reply_finish(reply);
	} else if (reply->tries < REPLY_TRIES_MAX) {
		reply_read(reply);
	} else {
		reply_refuse(reply, RESPONSE_TRY_LATER);
	}
}

static void reply_sign(struct reply *reply)
{
	const struct issuer *i = reply->issuer;
	enum rc rc;

	buf_reset(&reply->data);
	reply->singles_at = response_put_data(&reply->data, &reply->parts);
	reply->issuer_version = i->version;
	reply->call = (struct signer_call){ .key = i->key,
		.purpose = SIGNER_OCSP,
		.tbs = buf_bytes(&reply->data),
		.done = on_signed,
		.ctx = reply,
		.deadline_us = clock_mono_us() + REPLY_SIGN_TIMEOUT_US };
	rc = reply->data.failed != RC_OK
	        ? reply->data.failed
	        : signer_sign(reply->r->o.signer, &reply->call);
	if (rc == RC_PENDING) {
		reply->signing = true;
		return;
	}
	warn(reply->r, "ocsp.unsigned", reply->call.why.text);
	reply_refuse(reply, RESPONSE_TRY_LATER);
}

/* --- read */
/* The record, under whichever of the authority's numbers. */
static const struct store_status_row *row_of(
        const struct reply *reply, size_t i)
{
	const struct store_status_row *rows =
	        reply->rows + i * reply->issuer->n_ids;

	for (size_t k = 1; k < reply->issuer->n_ids; k++)
		if (rows[0].state == 0 && rows[k].state != 0)
			return &rows[k];
	return &rows[0];
}

/* What is not on record as issued. An intent can be issued in a moment, so it
 * is not said to be revoked for ever. */
static void set_unissued(struct reply *reply, struct single *s,
        const struct store_status_row *row)
{
	const struct conf_authority *conf = reply->issuer->authority->conf;

	reply->keep = false;
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
	reply->parts.extended_revoke = true;
}

/* Returns whether it was issued. */
static bool set_single(struct reply *reply, struct single *s,
        const struct store_status_row *row)
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
		/* Not in the future, whatever the clock did. */
		s->revoked_s = changed_s < reply->parts.produced_s
		        ? changed_s
		        : reply->parts.produced_s;
		return true;
	default:
		set_unissued(reply, s, row);
		return false;
	}
}

/* When the time began that this certificate's answers are dated in: half the
 * life of an answer each, from another second on for each certificate. Workers
 * that sign for themselves say the same then. */
static int64_t period_s(
        const struct reply *reply, int64_t now_s, int64_t half_s)
{
	const uint8_t *p = reply->key.serial + STORE_SERIAL_BYTES - 4;
	uint32_t shift = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	        (uint32_t)p[2] << 8 | p[3];

	return now_s - (now_s - shift % half_s) % half_s;
}

/* Of one certificate that is on record, for all who ask. */
static void set_shared_life(struct reply *reply, int64_t valid_s)
{
	struct answer_life *l = &reply->life;
	int64_t changed_s = row_of(reply, 0)->status_us / 1000000;
	int64_t half_s = valid_s / 2, now_s = l->this_update_s;
	int64_t from_s = period_s(reply, now_s, half_s);

	/* What is said was not known before it was so. */
	l->this_update_s =
	        changed_s > from_s && changed_s <= now_s ? changed_s : from_s;
	l->next_update_s = l->this_update_s + valid_s;
	l->fresh_until_s = from_s + half_s;
	l->max_age_s = valid_s - half_s;
}

static void set_times(struct reply *reply, bool all_issued)
{
	const struct issuer *i = reply->issuer;
	struct answer_life *l = &reply->life;
	int64_t now_s = reply->parts.produced_s;
	int64_t valid_s = i->authority->conf->ocsp_valid_s;

	if (!all_issued && valid_s > UNISSUED_VALID_S)
		valid_s = UNISSUED_VALID_S;
	*l = (struct answer_life){ .this_update_s = now_s,
		.next_update_s = now_s + valid_s,
		.max_age_s = valid_s / 2 };
	if (reply->keep)
		set_shared_life(reply, valid_s);
	if (l->next_update_s > i->not_after_s) { /* the end is near */
		l->next_update_s = i->not_after_s;
		l->max_age_s = (i->not_after_s - now_s) / 2;
		reply->keep = false;
	}
	reply->parts.this_update_s = l->this_update_s;
	reply->parts.next_update_s = l->next_update_s;
}

/* What it costs to guess serials is the guesser's: signatures about what was
 * not issued are counted by address. */
static bool may_guess(struct reply *reply)
{
	const struct http_req *req = SLIST_FIRST(&reply->waiters)->req;

	return reply->has_nonce || reply->parts.n > 1 ||
	        limit_take(reply->r->o.limit, http_req_addr(req), 1);
}

static void reply_decide(struct reply *reply)
{
	struct response_data *d = &reply->parts;
	bool all_issued = true;

	d->extended_revoke = false;
	d->key_hash = reply->issuer->responder_hash;
	d->produced_s = responder_now_s(reply->r);
	for (size_t i = 0; i < d->n; i++)
		all_issued &=
		        set_single(reply, &reply->singles[i], row_of(reply, i));
	set_times(reply, all_issued);
	if (!all_issued) /* it may be issued while we sign */
		reply->joinable = false;
	if (reply->issuer->key[0] == '\0' || d->next_update_s <= d->produced_s)
		reply_refuse(reply, RESPONSE_TRY_LATER);
	else if (!all_issued && !may_guess(reply))
		reply_refuse(reply, RESPONSE_TRY_LATER);
	else
		reply_sign(reply);
}

static void reply_decide_or_refuse(struct reply *reply, enum rc rc)
{
	if (rc == RC_OK) {
		reply_decide(reply);
		return;
	}
	warn(reply->r, "ocsp.unread", reply->status.op.why.text);
	reply_refuse(reply, RESPONSE_TRY_LATER);
}

static void on_status(struct store_op *op)
{
	reply_decide_or_refuse(op->ctx, op->rc);
}

static void reply_read(struct reply *reply)
{
	enum rc rc;

	reply->tries++;
	reply->stale = false;
	reply->status = (struct store_status){
		.op = { .done = on_status, .ctx = reply },
		.rows = reply->rows,
		.n = reply->parts.n * reply->issuer->n_ids,
	};
	rc = store_status(reply->r->o.store, &reply->status);
	if (rc != RC_PENDING)
		reply_decide_or_refuse(reply, rc);
}

/* --- its beginning */
/* The same bytes in the reply's copy. */
static struct bytes moved(
        const struct reply *reply, struct bytes der, struct bytes part)
{
	return part.n == 0
	        ? BYTES_NONE
	        : bytes_of(reply->request + (part.p - der.p), part.n);
}

static void set_keys(struct reply *reply, size_t i, struct bytes serial)
{
	struct store_status_row *rows = reply->rows + i * reply->issuer->n_ids;

	/* No authority has the number 0: such a serial is nobody's. */
	for (size_t k = 0; k < reply->issuer->n_ids; k++)
		if (serial_pad(rows[k].key.serial, serial))
			rows[k].key.authority = reply->issuer->ids[k];
}

static struct reply *reply_new(struct responder *r, struct bytes der,
        const struct ocsp_request *request, const struct issuer *issuer)
{
	struct reply *reply = calloc(1, sizeof(*reply) + der.n);

	if (reply == NULL)
		return NULL;
	reply->singles = calloc(request->n, sizeof(*reply->singles));
	reply->rows = calloc(request->n * issuer->n_ids, sizeof(*reply->rows));
	if (reply->singles == NULL || reply->rows == NULL) {
		free(reply->singles);
		free(reply->rows);
		free(reply);
		return NULL;
	}
	reply->r = r;
	reply->issuer = issuer;
	reply->data = BUF_INIT(OCSP_RESPONSE_MAX_BYTES);
	memcpy(reply->request, der.p, der.n);
	for (size_t i = 0; i < request->n; i++) {
		reply->singles[i].certid =
		        moved(reply, der, request->list[i].der);
		set_keys(reply, i, request->list[i].serial);
	}
	reply->has_nonce = request->has_nonce;
	reply->parts.nonce = moved(reply, der, request->nonce);
	reply->parts.list = reply->singles;
	reply->parts.n = request->n;
	return reply;
}

void reply_begin(struct responder *r, struct http_req *req, struct bytes der,
        const struct ocsp_request *request, const struct issuer *issuer,
        const struct cache_key *key)
{
	struct reply *reply = reply_new(r, der, request, issuer);

	if (reply == NULL) {
		responder_refuse(r, req, RESPONSE_INTERNAL_ERROR);
		return;
	}
	SLIST_INIT(&reply->waiters);
	reply->first.req = req;
	SLIST_INSERT_HEAD(&reply->waiters, &reply->first, next);
	LIST_INSERT_HEAD(&r->all, reply, of_all);
	r->pending++;
	if (key != NULL) {
		reply->key = *key;
		reply->has_key = reply->joinable = reply->keep = true;
		LIST_INSERT_HEAD(bucket_of(r, key), reply, of_key);
	}
	reply_read(reply);
}

static bool is_about(const struct reply *reply, const struct cache_key *key)
{
	return reply->key.issuer == key->issuer &&
	        memcmp(reply->key.serial, key->serial, sizeof(key->serial)) ==
	        0;
}

bool reply_join(
        struct responder *r, struct http_req *req, const struct cache_key *key)
{
	struct waiter *w;
	struct reply *reply;

	LIST_FOREACH(reply, bucket_of(r, key), of_key)
	if (reply->joinable && reply->key.form == key->form &&
	        is_about(reply, key))
		break;
	w = reply == NULL ? NULL : calloc(1, sizeof(*w));
	if (w == NULL)
		return false;
	w->req = req;
	SLIST_INSERT_HEAD(&reply->waiters, w, next);
	return true;
}

void reply_mark_stale(struct responder *r, const struct cache_key *key)
{
	struct reply *reply;

	if (key == NULL) {
		LIST_FOREACH(reply, &r->all, of_all)
		reply->stale = true;
		return;
	}
	LIST_FOREACH(reply, bucket_of(r, key), of_key)
	if (is_about(reply, key))
		reply->stale = true;
}

void reply_cancel_all(struct responder *r)
{
	struct reply *reply;

	while ((reply = LIST_FIRST(&r->all)) != NULL) {
		if (reply->signing)
			signer_cancel(r->o.signer, &reply->call);
		reply_refuse(reply, RESPONSE_TRY_LATER);
	}
}
