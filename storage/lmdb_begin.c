/* T1: the steps of store.h's store_issue_begin, in their order, then the
 * writes. */
#include "storage/lmdb.h"

#include <stdio.h>
#include <string.h>

static const char *credential_name(enum credential_kind kind)
{
	switch (kind) {
	case CREDENTIAL_SYSTEM:
		return "system";
	case CREDENTIAL_OPERATOR:
		return "operator";
	case CREDENTIAL_TOKEN:
		return "token";
	case CREDENTIAL_OWN:
		return "own";
	case CREDENTIAL_FOREIGN:
		return "foreign";
	case CREDENTIAL_SHARED:
		return "shared";
	}
	return "unknown";
}

/* What T1's steps found out for those that follow. */
struct begin {
	struct batch *b;
	struct store_issue_begin *op;
	struct why *why;
	bool has_device;
	struct rec_device device;
	struct store_authority authority;
	uint32_t pending;   /* this device's intents */
	uint32_t in_flight; /* those of this profile */
	struct store_token token;
	struct store_quota quota;
};

static const char *begin_device(const struct store_issue_begin *op)
{
	return op->device != NULL ? op->device : "";
}

/* Step 1. */
static enum rc begin_room(struct begin *t)
{
	struct batch *b = t->b;

	if (b->fenced)
		return why_set(
		        t->why, RC_FENCED, "this process's slot was given up");
	if (t->op->deadline_us != 0 && b->now_us >= t->op->deadline_us)
		return why_set(
		        t->why, RC_TIMEOUT, "the grant's deadline passed");
	if (b->crowded)
		return why_set(
		        t->why, RC_UNAVAILABLE, "%s", b->crowded_why.text);
	if (b->now_us < b->ledger.clock_us - b->v.db->backdate_us)
		return why_set(t->why, RC_UNAVAILABLE,
		        "the clock is behind the store's clock floor: see mica "
		        "store floor");
	return RC_OK;
}

/* An issue's serial is its request id: asked again after RC_UNKNOWN, the same
 * T1 is done. */
static enum rc begin_again(struct begin *t)
{
	const struct store_issue_begin *op = t->op;
	struct key k = key_cert(&op->key);
	struct rec_issue r;

	if (!view_issue(&t->b->v, TREE_INTENT, &k, &r))
		return RC_NOTFOUND;
	if (r.node == t->b->v.db->node && r.cert.slot == t->b->v.db->slot &&
	        bytes_eq(r.data, op->tbs) &&
	        memcmp(r.cert.request_hash, op->request_hash,
	                STORE_HASH_BYTES) == 0)
		return RC_OK;
	return why_set(t->why, RC_CONFLICT, "the serial exists");
}

static enum rc find_in_flight(struct begin *t, uint64_t device_number)
{
	struct key prefix = key_u64(device_number);
	struct rec_pending p;
	enum rc rc = RC_OK;
	struct walk w;

	walk_open(&w, &t->b->v, TREE_PENDING, key_bytes(&prefix));
	for (bool on = walk_from(&w, BYTES_NONE); on; on = walk_next(&w)) {
		if (!rec_pending_unpack(w.value, &p)) {
			view_broken(&t->b->v);
			break;
		}
		if (memcmp(p.request_hash, t->op->request_hash,
		            STORE_HASH_BYTES) == 0) {
			rc = why_set(t->why, RC_BUSY,
			        "the same request is in flight");
			break;
		}
		t->pending++;
		if (strcmp(p.profile, t->op->profile) == 0)
			t->in_flight++;
	}
	walk_close(&w);
	return rc;
}

/* The device's newest certificate decides whether this is a retry. */
static enum rc compare_newest(
        struct begin *t, struct bytes key, const struct rec_device_cert *newest)
{
	const struct store_issue_begin *op = t->op;
	struct view *v = &t->b->v;
	struct store_authority twin;
	struct rec_status status;
	struct rec_issue body;
	struct bytes der;
	uint64_t sequence;
	struct key k;

	/* One that was begun ahead of the clock has dates that ran ahead. */
	if (newest->begun_us < op->retry_after_us ||
	        newest->begun_us > t->b->now_us + t->b->v.db->backdate_us ||
	        newest->not_after_s <= t->b->now_us / 1000000)
		return RC_OK;
	if (!key_read_u64_at(key, 8, &sequence)) {
		view_broken(v);
		return RC_OK;
	}
	k = key_u64(sequence);
	if (!view_issue(v, TREE_BODY, &k, &body) ||
	        !view_status(v, &newest->key, &status)) {
		view_broken(v);
		return RC_OK;
	}
	if (memcmp(body.cert.request_hash, op->request_hash,
	            STORE_HASH_BYTES) != 0)
		return RC_OK;
	/* By an earlier generation, which is not to be trusted any more. */
	if (view_authority(v, newest->key.authority, &twin, &der) &&
	        twin.state == AUTHORITY_REVOKED &&
	        newest->key.authority != op->key.authority)
		return RC_OK;
	if (t->device.device.state != DEVICE_ACTIVE)
		return why_set(t->why, RC_DENIED, "the device is suspended");
	if (status.state != CERT_ISSUED)
		return why_set(t->why, RC_DENIED,
		        "the certificate of this request is revoked or held");
	t->op->twin = newest->key;
	return why_set(t->why, RC_DUPLICATE,
	        "this request has its certificate already");
}

static enum rc find_retry(struct begin *t)
{
	struct key prefix = key_u64(t->device.number);
	struct rec_device_cert newest;
	enum rc rc = RC_OK;
	struct walk w;

	walk_open(&w, &t->b->v, TREE_DEVICE_CERT, key_bytes(&prefix));
	if (walk_last(&w)) {
		if (rec_device_cert_unpack(w.value, &newest))
			rc = compare_newest(t, w.key, &newest);
		else
			view_broken(&t->b->v);
	}
	walk_close(&w);
	return rc;
}

/* Step 2. */
static enum rc begin_retry(struct begin *t)
{
	const char *id = begin_device(t->op);
	enum rc rc;

	if (id[0] == '\0')
		return find_in_flight(t, 0);
	t->has_device = view_device(&t->b->v, id, &t->device);
	if (!t->has_device)
		return RC_OK;
	rc = find_in_flight(t, t->device.number);
	return rc == RC_OK ? find_retry(t) : rc;
}

/* Step 3 (DESIGN rule 14). */
static enum rc begin_blocked(struct begin *t)
{
	struct key k = key_hash(t->op->spki_hash);
	struct bytes value;

	if (view_get(&t->b->v, TREE_BLOCKED, &k, &value))
		return why_set(t->why, RC_BLOCKED,
		        "the public key is known to be compromised");
	return RC_OK;
}

/* Step 4. */
static enum rc begin_versions(struct begin *t)
{
	const struct store_issue_begin *op = t->op;
	struct bytes der;

	if (!view_authority(&t->b->v, op->key.authority, &t->authority, &der))
		return why_set(t->why, RC_STALE, "no such authority");
	/* Its version has changed, too, but asking again will not help. */
	if (t->authority.state == AUTHORITY_REVOKED)
		return view_may_issue(&t->b->v, &t->authority, op->profile,
		               &op->credential, t->b->now_us)
		        ? RC_OK
		        : why_set(t->why, RC_DENIED,
		                  "the authority is revoked");
	if (t->authority.version != op->authority_version)
		return why_set(t->why, RC_STALE, "the authority has changed");
	if (begin_device(op)[0] == '\0')
		return RC_OK;
	if (t->has_device != (op->device_version != 0) ||
	        (t->has_device &&
	                t->device.device.version != op->device_version))
		return why_set(t->why, RC_STALE, "the device has changed");
	return RC_OK;
}

static enum rc check_token(struct begin *t)
{
	const struct store_issue_begin *op = t->op;
	struct store_token *token = &t->token;
	struct store_waiting holder;
	uint32_t authority = op->credential.cert.authority != 0
	        ? op->credential.cert.authority
	        : op->key.authority;

	if (!view_token(&t->b->v, op->credential.hash, token))
		return why_set(t->why, RC_DENIED, "no such token");
	if (strcmp(token->device, begin_device(op)) != 0 ||
	        token->authority != authority ||
	        strcmp(token->profile, op->profile) != 0)
		return why_set(t->why, RC_DENIED,
		        "the token is for another device, authority or "
		        "profile");
	if (token->state != TOKEN_UNSPENT)
		return why_set(t->why, RC_SPENT, "the token was used");
	if (view_token_holder(
	            &t->b->v, op->credential.hash, t->b->now_us, &holder))
		/* Its own came in time, however long the operator takes. */
		return memcmp(holder.request_hash, op->request_hash,
		               STORE_HASH_BYTES) == 0
		        ? RC_OK
		        : why_set(t->why, RC_SPENT,
		                  "another request holds the token and waits "
		                  "for an operator");
	if (token->expires_us <= t->b->now_us)
		return why_set(t->why, RC_DENIED, "the token has expired");
	return RC_OK;
}

/* Who knows what many know is nobody in particular: he may be a device that has
 * no history, and never one that has. */
static enum rc check_first(struct begin *t)
{
	struct key prefix = key_u64(t->device.number);
	struct walk w;
	bool any;

	if (!t->has_device)
		return RC_OK;
	if (t->pending > 0)
		return why_set(t->why, RC_BUSY,
		        "another request of the device is in flight");
	walk_open(&w, &t->b->v, TREE_DEVICE_CERT, key_bytes(&prefix));
	any = walk_last(&w);
	walk_close(&w);
	if (any)
		return why_set(t->why, RC_DENIED,
		        "the device has had a certificate: a shared challenge "
		        "is for the first one alone");
	return RC_OK;
}

/* Step 5. */
static enum rc begin_standing(struct begin *t)
{
	const struct store_credential *c = &t->op->credential;
	struct rec_status status;

	if (!view_may_issue(
	            &t->b->v, &t->authority, t->op->profile, c, t->b->now_us))
		return why_set(t->why, RC_DENIED, "the authority is retired");
	if (t->has_device && t->device.device.state != DEVICE_ACTIVE)
		return why_set(t->why, RC_DENIED, "the device is suspended");
	if (view_foreign_blocked(&t->b->v, c))
		return why_set(t->why, RC_DENIED,
		        "the presented certificate's key is known to be "
		        "compromised");
	if (c->kind == CREDENTIAL_TOKEN)
		return check_token(t);
	if (c->kind == CREDENTIAL_SHARED)
		return check_first(t);
	if (c->kind == CREDENTIAL_OWN &&
	        (!view_status(&t->b->v, &c->cert, &status) ||
	                status.state != CERT_ISSUED))
		return why_set(t->why, RC_DENIED,
		        "the presented certificate is not in good standing");
	return RC_OK;
}

/* Is this one of the certificates that max_active counts? */
static bool counts(struct begin *t, const struct rec_device_cert *r)
{
	struct rec_status status;

	if (strcmp(r->profile, t->op->profile) != 0)
		return false;
	if (!view_status(&t->b->v, &r->key, &status)) {
		view_broken(&t->b->v);
		return false;
	}
	return status.state == CERT_ISSUED || status.state == CERT_HELD;
}

/* Step 6. From the newest back, and no further than certificates live. */
static enum rc begin_active(struct begin *t)
{
	struct key prefix = key_u64(t->device.number);
	uint32_t max = t->op->max_active, active = t->in_flight;
	uint32_t live = t->pending;
	int64_t now_s = t->b->now_us / 1000000;
	struct rec_device_cert r;
	struct walk w;

	if (!t->has_device)
		return RC_OK;
	walk_open(&w, &t->b->v, TREE_DEVICE_CERT, key_bytes(&prefix));
	for (bool on = walk_last(&w); on; on = walk_back(&w)) {
		if (!rec_device_cert_unpack(w.value, &r)) {
			view_broken(&t->b->v);
			break;
		}
		if (r.max_end_s <= now_s || live >= STORE_LIVE_MAX ||
		        (max != 0 && active >= max))
			break;
		if (r.not_after_s <= now_s)
			continue;
		live++;
		if (max != 0 && counts(t, &r))
			active++;
	}
	walk_close(&w);
	if (max != 0 && active >= max)
		return why_set(t->why, RC_QUOTA,
		        "the device has %u certificates of this profile "
		        "already",
		        (unsigned)max);
	if (live >= STORE_LIVE_MAX)
		return why_set(t->why, RC_QUOTA,
		        "the device has too many certificates");
	return RC_OK;
}

/* Step 7. */
static enum rc begin_quota(struct begin *t)
{
	struct store_quota *q = &t->quota;

	if (t->op->quota == NULL)
		return RC_OK;
	if (!view_quota(&t->b->v, t->op->quota, q))
		return why_set(t->why, RC_NOTFOUND, "no such quota");
	if (q->used >= q->limit)
		return why_set(t->why, RC_QUOTA, "the quota is spent");
	return RC_OK;
}

/* Step 9; the intents were looked at by begin_again(). */
static enum rc begin_serial(struct begin *t)
{
	struct rec_status status;

	if (view_status(&t->b->v, &t->op->key, &status))
		return why_set(t->why, RC_CONFLICT, "the serial exists");
	return RC_OK;
}

/* Step 10, once all else would let it pass. */
static enum rc begin_wait(struct begin *t)
{
	return batch_wait(t->b, t->op, t->why);
}

static void audit_begin(struct begin *t)
{
	const struct store_issue_begin *op = t->op;
	char serial[HEX_BYTES(STORE_SERIAL_BYTES)];
	char credential[HEX_BYTES(STORE_HASH_BYTES)];
	char own[HEX_BYTES(STORE_SERIAL_BYTES)];
	char spki[HEX_BYTES(STORE_HASH_BYTES)];
	bool by_cert = op->credential.kind == CREDENTIAL_OWN;
	char detail[STORE_TEXT_MAX + 1];

	(void)snprintf(detail, sizeof(detail),
	        "serial=%s authority=%u profile=%s credential=%s:%s spki=%s "
	        "quota=%s",
	        rec_hex(serial, op->key.serial, STORE_SERIAL_BYTES),
	        (unsigned)op->key.authority, op->profile,
	        credential_name(op->credential.kind),
	        by_cert ? rec_hex(own, op->credential.cert.serial,
	                          STORE_SERIAL_BYTES)
	                : rec_hex(credential, op->credential.hash,
	                          STORE_HASH_BYTES),
	        rec_hex(spki, op->spki_hash, STORE_HASH_BYTES),
	        op->quota != NULL ? op->quota : "-");
	batch_audit(
	        t->b, "issue.begin", op->op.actor, begin_device(op), detail);
}

static void put_intent(struct begin *t)
{
	const struct store_issue_begin *op = t->op;
	struct batch *b = t->b;
	struct rec_issue r = { .credential = op->credential,
		.device_number = t->device.number,
		.node = b->v.db->node,
		.txn = b->txn_id,
		.data = op->tbs };
	struct rec_pending p;
	struct key k = key_cert(&op->key);

	r.cert.key = op->key;
	r.cert.begun_us = b->now_us;
	r.cert.not_before_s = op->not_before_s;
	r.cert.not_after_s = op->not_after_s;
	r.cert.shard = op->shard;
	r.cert.slot = b->v.db->slot;
	rec_text(r.cert.device, sizeof(r.cert.device), op->device);
	rec_text(r.cert.profile, sizeof(r.cert.profile), op->profile);
	rec_text(r.cert.requester, sizeof(r.cert.requester), op->op.actor);
	rec_text(r.quota, sizeof(r.quota), op->quota);
	memcpy(r.cert.spki_hash, op->spki_hash, STORE_HASH_BYTES);
	memcpy(r.cert.request_hash, op->request_hash, STORE_HASH_BYTES);
	rec_issue_pack(batch_record(b), &r);
	batch_put(b, TREE_INTENT, &k);
	memcpy(p.request_hash, op->request_hash, STORE_HASH_BYTES);
	rec_text(p.profile, sizeof(p.profile), op->profile);
	k = key_u64_cert(r.device_number, &op->key);
	rec_pending_pack(batch_record(b), &p);
	batch_put(b, TREE_PENDING, &k);
}

static void begin_write(struct begin *t)
{
	const struct store_issue_begin *op = t->op;
	const char *id = begin_device(op);

	if (!t->has_device && id[0] != '\0') {
		batch_new_device(t->b, &t->device, id, op->anchor, NULL);
		batch_audit(
		        t->b, "device.create", op->op.actor, id, op->anchor);
	}
	if (op->credential.kind == CREDENTIAL_TOKEN) {
		t->token.state = TOKEN_SPENT;
		t->token.spent_by = op->key;
		batch_put_token(t->b, &t->token);
	}
	if (op->quota != NULL) {
		t->quota.used++;
		batch_put_quota(t->b, &t->quota);
	}
	put_intent(t);
	audit_begin(t);
}

enum rc op_issue_begin(struct batch *b, struct store_issue_begin *op)
{
	static enum rc (*const steps[])(struct begin *) = { begin_room,
		begin_retry, begin_blocked, begin_versions, begin_standing,
		begin_active, begin_quota, begin_serial, begin_wait };
	struct begin t = { .b = b, .op = op, .why = &op->op.why };
	enum rc rc = begin_again(&t);

	memset(&op->twin, 0, sizeof(op->twin));
	if (rc != RC_NOTFOUND)
		return rc;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		rc = steps[i](&t);
		if (rc != RC_OK || b->v.err != 0)
			return rc;
	}
	begin_write(&t);
	return RC_OK;
}
