/* T1, T2 and what happens to an intent that will not be finished. */
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
	}
	return "unknown";
}

/* --- T1 */

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
	if (b->crowded)
		return why_set(
		        t->why, RC_UNAVAILABLE, "%s", b->crowded_why.text);
	if (b->now_us < b->ledger.clock_us - b->v.db->backdate_us)
		return why_set(t->why, RC_UNAVAILABLE,
		        "the clock is behind the store's clock floor");
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
	struct rec_status status;
	struct rec_issue body;
	uint64_t sequence;
	struct key k;

	if (newest->begun_us < op->retry_after_us ||
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

	if (!view_authority(&t->b->v, op->key.authority, &t->authority, &der) ||
	        t->authority.version != op->authority_version)
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

	if (!view_token(&t->b->v, op->credential.hash, token))
		return why_set(t->why, RC_DENIED, "no such token");
	if (strcmp(token->device, begin_device(op)) != 0 ||
	        token->authority != op->key.authority ||
	        strcmp(token->profile, op->profile) != 0)
		return why_set(t->why, RC_DENIED,
		        "the token is for another device, authority or "
		        "profile");
	if (token->state != TOKEN_UNSPENT)
		return why_set(t->why, RC_SPENT, "the token was used");
	if (token->expires_us <= t->b->now_us)
		return why_set(t->why, RC_DENIED, "the token has expired");
	return RC_OK;
}

/* Step 5. */
static enum rc begin_standing(struct begin *t)
{
	const struct store_credential *c = &t->op->credential;
	struct rec_status status;

	if (t->authority.state != AUTHORITY_ACTIVE)
		return why_set(t->why, RC_DENIED, "the authority is retired");
	if (t->has_device && t->device.device.state != DEVICE_ACTIVE)
		return why_set(t->why, RC_DENIED, "the device is suspended");
	if (c->kind == CREDENTIAL_TOKEN)
		return check_token(t);
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
		begin_active, begin_quota, begin_serial };
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
	if (c->kind == CREDENTIAL_TOKEN &&
	        (!view_token(v, c->hash, &token) ||
	                token.state != TOKEN_SPENT ||
	                !cert_key_eq(&token.spent_by, &cert->key)))
		return why_set(f->why, RC_DENIED, "the token went bad");
	if (!view_authority(v, cert->key.authority, &a, &value) ||
	        a.state != AUTHORITY_ACTIVE)
		return why_set(f->why, RC_DENIED, "the authority was retired");
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
	struct key k;

	c->sequence = ++b->ledger.sequence;
	c->issued_us = b->now_us;
	memcpy(c->cert_hash, f->op->cert_hash, STORE_HASH_BYTES);
	f->intent.data = f->op->der;
	rec_issue_pack(batch_record(b), &f->intent);
	k = key_u64(c->sequence);
	batch_append(b, TREE_BODY, &k);
	f->status = (struct rec_status){ .state = CERT_ISSUED,
		.sequence = c->sequence,
		.status_us = b->now_us,
		.not_after_s = c->not_after_s };
	batch_put_status(b, &c->key, &f->status);
	put_device_cert(f);
	buf_reset(batch_record(b));
	k = key_time_u64(c->not_after_s, c->sequence);
	batch_put(b, TREE_EXPIRY, &k);
	if (b->v.db->index_keys) {
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

static void supersede(struct finish *f)
{
	const struct cert_key *old = &f->intent.credential.cert;
	char serial[HEX_BYTES(STORE_SERIAL_BYTES)];
	struct rec_status status;

	if (!f->op->supersede || f->intent.credential.kind != CREDENTIAL_OWN ||
	        !view_status(&f->b->v, old, &status))
		return;
	batch_change_status(
	        f->b, old, &status, CERT_REVOKED, REASON_SUPERSEDED);
	batch_audit(f->b, "cert.supersede", f->op->op.actor,
	        f->intent.cert.device,
	        rec_hex(serial, old->serial, STORE_SERIAL_BYTES));
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
	op->sequence = c->sequence;
	if (rc == RC_OK) {
		supersede(&f);
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

	op->abandoned = 0;
	op->more = false;
	if (op->what == ABANDON_ONE)
		return abandon_one(b, op);
	if (op->what == ABANDON_SLOT && op->slot == b->v.db->slot)
		return why_set(&op->op.why, RC_CONFLICT,
		        "this process's own slot is in use");
	n = find_orphans(b, op, keys, STORE_ROWS_MAX);
	for (size_t i = 0; i < n; i++) {
		struct key k = key_cert(&keys[i]);

		if (view_issue(&b->v, TREE_INTENT, &k, &r))
			abandon(b, op, &r);
	}
	fence(b, op);
	return RC_OK;
}
