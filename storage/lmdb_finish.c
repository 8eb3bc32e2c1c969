/* T2, and what happens to an intent that will not be finished. */
#include "storage/lmdb.h"

#include <stdio.h>
#include <string.h>

/* --- T2 */

struct finish {
	struct batch *b;
	struct store_issue_finish *op;
	struct why *why;
	struct rec_issue intent;
	struct rec_status status;
};

/* The intent is gone. T2 asked again after RC_UNKNOWN is done; anything else
 * is stale. */
static enum rc finish_again(struct finish *f)
{
	struct store_issue_finish *op = f->op;
	struct rec_status status;
	struct rec_issue body;
	struct key k;

	if (view_status(&f->b->v, &op->key, &status) && status.sequence != 0) {
		k = key_u64(status.sequence);
		if (view_issue(&f->b->v, TREE_BODY, &k, &body) &&
		        body.cert.slot == f->b->v.db->slot &&
		        memcmp(body.cert.cert_hash, op->cert_hash,
		                STORE_HASH_BYTES) == 0) {
			op->sequence = status.sequence;
			return status.state == CERT_ISSUED
			        ? why_set(f->why, RC_DUPLICATE,
			                  "recorded already")
			        : why_set(f->why, RC_DENIED,
			                  "recorded as revoked");
		}
	}
	return why_set(f->why, RC_STALE, "no such intent of this process");
}

/* The TBS is the first thing inside the certificate's outer SEQUENCE. */
static bool holds_tbs(struct bytes der, struct bytes tbs)
{
	size_t head = 2;

	if (der.n < 2)
		return false;
	if ((der.p[1] & 0x80) != 0)
		head += der.p[1] & 0x7f;
	return tbs.n > 0 && bytes_starts(bytes_skip(der, head), tbs);
}

static enum rc finish_check(struct finish *f)
{
	struct batch *b = f->b;
	struct key k = key_cert(&f->op->key);

	if (!view_issue(&b->v, TREE_INTENT, &k, &f->intent))
		return finish_again(f);
	/* Not durable yet: whoever signed did not wait for T1. */
	if (f->intent.node != b->v.db->node ||
	        f->intent.cert.slot != b->v.db->slot ||
	        f->intent.txn == b->txn_id)
		return why_set(
		        f->why, RC_STALE, "no such intent of this process");
	if (!holds_tbs(f->op->der, f->intent.data))
		return why_set(f->why, RC_CONFLICT,
		        "the certificate is not the intent's");
	return RC_OK;
}

/* What the grant was decided on, read again. RC_DENIED: it went bad. */
static enum rc finish_standing(struct finish *f)
{
	const struct store_credential *c = &f->intent.credential;
	const struct store_cert *cert = &f->intent.cert;
	struct key spki = key_hash(cert->spki_hash);
	struct view *v = &f->b->v;
	struct store_waiting waiting;
	struct store_authority a;
	struct rec_status status;
	struct store_token token;
	struct rec_device d;
	struct bytes value;

	if (cert->device[0] != '\0' &&
	        (!view_device(v, cert->device, &d) ||
	                d.device.state != DEVICE_ACTIVE))
		return why_set(f->why, RC_DENIED, "the device was suspended");
	if (c->kind == CREDENTIAL_OWN &&
	        (!view_status(v, &c->cert, &status) ||
	                status.state != CERT_ISSUED))
		return why_set(f->why, RC_DENIED,
		        "the presented certificate went bad");
	if (view_foreign_blocked(v, c))
		return why_set(f->why, RC_DENIED,
		        "the presented certificate's key became known as "
		        "compromised");
	if (c->kind == CREDENTIAL_TOKEN &&
	        (!view_token(v, c->hash, &token) ||
	                token.state != TOKEN_SPENT ||
	                !cert_key_eq(&token.spent_by, &cert->key)))
		return why_set(f->why, RC_DENIED, "the token went bad");
	if (!view_authority(v, cert->key.authority, &a, &value) ||
	        !view_may_issue(v, &a, cert->profile, c, f->b->now_us))
		return why_set(f->why, RC_DENIED,
		        "the authority was retired or revoked");
	if (view_waiting_request(v, cert->request_hash, &waiting) &&
	        waiting.state == WAITING_DENIED)
		return why_set(f->why, RC_DENIED,
		        "an operator refused the request after all");
	if (view_get(v, TREE_BLOCKED, &spki, &value))
		return why_set(f->why, RC_DENIED,
		        "the public key became known as compromised");
	return RC_OK;
}

static void put_device_cert(struct finish *f)
{
	const struct store_cert *c = &f->intent.cert;
	struct key prefix = key_u64(f->intent.device_number);
	struct rec_device_cert r = { .key = c->key,
		.begun_us = c->begun_us,
		.not_after_s = c->not_after_s,
		.max_end_s = c->not_after_s };
	struct rec_device_cert before;
	struct walk w;
	struct key k;

	if (f->intent.device_number == 0)
		return;
	rec_text(r.profile, sizeof(r.profile), c->profile);
	walk_open(&w, &f->b->v, TREE_DEVICE_CERT, key_bytes(&prefix));
	if (walk_last(&w)) {
		if (!rec_device_cert_unpack(w.value, &before))
			view_broken(&f->b->v);
		else if (before.max_end_s > r.max_end_s)
			r.max_end_s = before.max_end_s;
	}
	walk_close(&w);
	k = key_u64_pair(f->intent.device_number, c->sequence);
	rec_device_cert_pack(batch_record(f->b), &r);
	batch_put(f->b, TREE_DEVICE_CERT, &k);
}

static void forget_intent(struct batch *b, const struct rec_issue *r)
{
	struct key k = key_cert(&r->cert.key);

	batch_delete(b, TREE_INTENT, &k);
	k = key_u64_cert(r->device_number, &r->cert.key);
	batch_delete(b, TREE_PENDING, &k);
}

static void put_certificate(struct finish *f)
{
	struct store_cert *c = &f->intent.cert;
	struct batch *b = f->b;
	/* A lot is found by its time of issue: sequence order is time order
	 * within what the clock may be set back, in flight or not. */
	int64_t floor_us = b->ledger.clock_us - b->v.db->backdate_us;
	struct key k;

	c->sequence = ++b->ledger.sequence;
	c->issued_us = b->now_us > floor_us ? b->now_us : floor_us;
	memcpy(c->cert_hash, f->op->cert_hash, STORE_HASH_BYTES);
	f->intent.data = f->op->der;
	rec_issue_pack(batch_record(b), &f->intent);
	k = key_u64(c->sequence);
	batch_append(b, TREE_BODY, &k);
	f->status = (struct rec_status){ .state = CERT_ISSUED,
		.shard = c->shard,
		.sequence = c->sequence,
		.status_us = b->now_us,
		.not_after_s = c->not_after_s };
	batch_put_status(b, &c->key, &f->status);
	put_device_cert(f);
	buf_reset(batch_record(b));
	k = key_time_u64(c->not_after_s, c->sequence);
	batch_put(b, TREE_EXPIRY, &k);
	/* Nobody asks about a responder's own (RFC 6960 section 4.2.2.2.1), and
	 * it would keep its authority's answers going for ever. */
	if (strcmp(c->profile, STORE_PROFILE_RESPONDER) != 0)
		batch_crl_issued(b, c);
	if (b->v.db->index_keys) {
		buf_reset(batch_record(b));
		k = key_hash_u64(c->spki_hash, c->sequence);
		batch_put(b, TREE_KEY, &k);
	}
}

static void audit_certificate(struct batch *b, const char *event,
        const char *actor, const struct store_cert *c)
{
	char serial[HEX_BYTES(STORE_SERIAL_BYTES)];
	char hash[HEX_BYTES(STORE_HASH_BYTES)];
	char detail[STORE_TEXT_MAX + 1];

	(void)snprintf(detail, sizeof(detail),
	        "serial=%s authority=%u sequence=%llu cert=%s",
	        rec_hex(serial, c->key.serial, STORE_SERIAL_BYTES),
	        (unsigned)c->key.authority, (unsigned long long)c->sequence,
	        rec_hex(hash, c->cert_hash, STORE_HASH_BYTES));
	batch_audit(b, event, actor, c->device, detail);
}

enum rc op_issue_finish(struct batch *b, struct store_issue_finish *op)
{
	struct finish f = { .b = b, .op = op, .why = &op->op.why };
	const struct store_cert *c = &f.intent.cert;
	enum rc rc;

	op->sequence = 0;
	rc = finish_check(&f);
	if (rc != RC_OK || b->v.err != 0)
		return rc;
	rc = finish_standing(&f);
	forget_intent(b, &f.intent);
	put_certificate(&f);
	batch_waiting_issued(b, c->request_hash, op->op.actor);
	op->sequence = c->sequence;
	if (rc == RC_OK) {
		if (op->supersede_after_s > 0 &&
		        f.intent.credential.kind == CREDENTIAL_OWN)
			batch_supersede_later(b, &f.intent.credential.cert,
			        op->supersede_after_s);
		audit_certificate(b, "issue.finish", op->op.actor, c);
		return RC_OK;
	}
	batch_change_status(b, &c->key, &f.status, CERT_REVOKED,
	        REASON_CESSATION_OF_OPERATION);
	audit_certificate(b, "issue.refuse", op->op.actor, c);
	return rc;
}

/* --- abandon */

static void return_token(struct batch *b, const struct rec_issue *r)
{
	struct store_token token;

	if (r->credential.kind != CREDENTIAL_TOKEN ||
	        !view_token(&b->v, r->credential.hash, &token) ||
	        token.state != TOKEN_SPENT ||
	        !cert_key_eq(&token.spent_by, &r->cert.key))
		return;
	token.state = TOKEN_UNSPENT;
	memset(&token.spent_by, 0, sizeof(token.spent_by));
	batch_put_token(b, &token);
}

static void return_quota(struct batch *b, const struct rec_issue *r)
{
	struct store_quota quota;

	if (r->quota[0] == '\0' || !view_quota(&b->v, r->quota, &quota) ||
	        quota.used == 0)
		return;
	quota.used--;
	batch_put_quota(b, &quota);
}

static void abandon(
        struct batch *b, struct store_abandon *op, struct rec_issue *r)
{
	struct key k = key_cert(&r->cert.key);
	struct rec_status status = { .state = CERT_ABANDONED,
		.shard = r->cert.shard,
		.status_us = b->now_us,
		.not_after_s = r->cert.not_after_s };

	r->data = BYTES_NONE;
	return_token(b, r);
	return_quota(b, r);
	rec_issue_pack(batch_record(b), r);
	batch_put(b, TREE_ABANDONED, &k);
	batch_put_status(b, &r->cert.key, &status);
	forget_intent(b, r);
	audit_certificate(b, "issue.abandon", op->op.actor, &r->cert);
	op->abandoned++;
}

static enum rc abandon_one(struct batch *b, struct store_abandon *op)
{
	struct key k = key_cert(&op->key);
	struct rec_issue r;

	if (!view_issue(&b->v, TREE_INTENT, &k, &r) ||
	        r.node != b->v.db->node || r.cert.slot != b->v.db->slot)
		return why_set(&op->op.why, RC_STALE,
		        "no such intent of this process");
	abandon(b, op, &r);
	return RC_OK;
}

static bool is_orphan(const struct db *db, const struct store_abandon *op,
        const struct rec_issue *r)
{
	if (r->node != db->node || r->cert.slot == db->slot)
		return false;
	return op->what == ABANDON_OTHERS || r->cert.slot == op->slot;
}

static size_t find_orphans(struct batch *b, struct store_abandon *op,
        struct cert_key *keys, size_t max)
{
	struct rec_issue r;
	struct walk w;
	size_t n = 0;

	walk_open(&w, &b->v, TREE_INTENT, BYTES_NONE);
	for (bool on = walk_from(&w, BYTES_NONE); on; on = walk_next(&w)) {
		if (!rec_issue_unpack(w.value, &r)) {
			view_broken(&b->v);
			break;
		}
		if (!is_orphan(b->v.db, op, &r))
			continue;
		if (n == max) {
			op->more = true;
			break;
		}
		keys[n++] = r.cert.key;
	}
	walk_close(&w);
	return n;
}

static size_t find_slots(
        struct batch *b, struct store_abandon *op, uint64_t *slots, size_t max)
{
	struct key prefix = key_u64(b->v.db->node);
	struct walk w;
	uint64_t slot;
	size_t n = 0;

	walk_open(&w, &b->v, TREE_SLOT, key_bytes(&prefix));
	for (bool on = walk_from(&w, BYTES_NONE); on; on = walk_next(&w)) {
		if (!key_read_u64_at(w.key, 8, &slot) ||
		        slot == b->v.db->slot ||
		        (op->what == ABANDON_SLOT && slot != op->slot))
			continue;
		if (n == max) {
			op->more = true;
			break;
		}
		slots[n++] = slot;
	}
	walk_close(&w);
	return n;
}

/* A slot that is given up can begin nothing more: its process, should it be
 * alive after all, is fenced. */
static void fence(struct batch *b, struct store_abandon *op)
{
	uint64_t slots[STORE_ROWS_MAX];
	size_t n = find_slots(b, op, slots, STORE_ROWS_MAX);
	struct key k;

	for (size_t i = 0; i < n; i++) {
		k = key_u64_pair(b->v.db->node, slots[i]);
		batch_delete(b, TREE_SLOT, &k);
	}
}

enum rc op_abandon(struct batch *b, struct store_abandon *op)
{
	struct cert_key keys[STORE_ROWS_MAX];
	struct rec_issue r;
	size_t n;
	int readers;

	op->abandoned = 0;
	op->more = false;
	if (op->what == ABANDON_ONE)
		return abandon_one(b, op);
	if (op->what == ABANDON_SLOT && op->slot == b->v.db->slot)
		return why_set(&op->op.why, RC_CONFLICT,
		        "this process's own slot is in use");
	/* One that died inside a read would keep its pages from reuse. */
	(void)mdb_reader_check(b->v.db->env, &readers);
	n = find_orphans(b, op, keys, STORE_ROWS_MAX);
	for (size_t i = 0; i < n; i++) {
		struct key k = key_cert(&keys[i]);

		if (view_issue(&b->v, TREE_INTENT, &k, &r))
			abandon(b, op, &r);
	}
	fence(b, op);
	return RC_OK;
}
