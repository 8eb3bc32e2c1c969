/* Requests that wait for an operator: entered by T1, decided, closed by T2 or
 * by time, and forgotten. What each asks for stands apart from its state, for
 * all open ones are walked when one more is entered. */
#include "storage/lmdb.h"

#include <stdio.h>
#include <string.h>

static bool is_zero(const uint8_t hash[STORE_HASH_BYTES])
{
	static const uint8_t none[STORE_HASH_BYTES];

	return memcmp(hash, none, STORE_HASH_BYTES) == 0;
}

static bool is_open(const struct store_waiting *r, int64_t now_us)
{
	return r->closed_us == 0 && r->expires_us > now_us;
}

static struct key key_of(enum waiting_part part, uint64_t id)
{
	return key_u64_pair((uint64_t)part, id);
}

bool view_waiting(struct view *v, uint64_t id, struct store_waiting *r)
{
	for (int part = WAITING_PART_OPEN; part <= WAITING_PART_CLOSED;
	        part++) {
		struct key k = key_of((enum waiting_part)part, id);
		struct bytes value;

		if (!view_get(v, TREE_WAITING, &k, &value))
			continue;
		if (rec_waiting_unpack(value, r))
			return true;
		view_broken(v);
	}
	return false;
}

static bool view_id(struct view *v, const struct key *k, uint64_t *id)
{
	struct bytes value;

	if (!view_get(v, TREE_WAITING, k, &value))
		return false;
	if (rec_id_unpack(value, id))
		return true;
	view_broken(v);
	return false;
}

static bool view_by_hash(struct view *v, enum waiting_part part,
        const uint8_t hash[STORE_HASH_BYTES], struct store_waiting *r)
{
	struct key k = key_u64_hash((uint64_t)part, hash);
	uint64_t id;

	if (!view_id(v, &k, &id))
		return false;
	if (view_waiting(v, id, r))
		return true;
	view_broken(v);
	return false;
}

bool view_waiting_request(struct view *v, const uint8_t hash[STORE_HASH_BYTES],
        struct store_waiting *r)
{
	return view_by_hash(v, WAITING_PART_REQUEST, hash, r);
}

bool view_token_holder(struct view *v, const uint8_t token[STORE_HASH_BYTES],
        int64_t now_us, struct store_waiting *r)
{
	return view_by_hash(v, WAITING_PART_TOKEN, token, r) &&
	        is_open(r, now_us);
}

/* --- writing */

static void put(struct batch *b, const struct store_waiting *r)
{
	struct key k = key_of(
	        r->closed_us != 0 ? WAITING_PART_CLOSED : WAITING_PART_OPEN,
	        r->id);

	rec_waiting_pack(batch_record(b), r);
	batch_put(b, TREE_WAITING, &k);
}

static void put_id(struct batch *b, const struct key *k, uint64_t id)
{
	rec_id_pack(batch_record(b), id);
	batch_put(b, TREE_WAITING, k);
}

static void put_by_hash(struct batch *b, enum waiting_part part,
        const uint8_t hash[STORE_HASH_BYTES], uint64_t id)
{
	struct key k = key_u64_hash((uint64_t)part, hash);

	put_id(b, &k, id);
}

/* Unless it has come to be of a later request. */
static void delete_by_hash(struct batch *b, enum waiting_part part,
        const uint8_t hash[STORE_HASH_BYTES], uint64_t id)
{
	struct key k = key_u64_hash((uint64_t)part, hash);
	uint64_t of;

	if (view_id(&b->v, &k, &of) && of == id)
		batch_delete(b, TREE_WAITING, &k);
}

static void audit(struct batch *b, const struct store_waiting *r,
        const char *event, const char *actor)
{
	char request[HEX_BYTES(STORE_HASH_BYTES)];
	char spki[HEX_BYTES(STORE_HASH_BYTES)];
	char detail[STORE_TEXT_MAX + 1];

	(void)snprintf(detail, sizeof(detail),
	        "request=%llu authority=%u profile=%s label=%s spki=%s "
	        "content=%s",
	        (unsigned long long)r->id, (unsigned)r->authority, r->profile,
	        r->label, rec_hex(spki, r->spki_hash, STORE_HASH_BYTES),
	        rec_hex(request, r->request_hash, STORE_HASH_BYTES));
	batch_audit(b, event, actor, r->device, detail);
}

static void close_request(
        struct batch *b, struct store_waiting *r, enum waiting_state state)
{
	struct key k = key_of(WAITING_PART_OPEN, r->id);

	batch_delete(b, TREE_WAITING, &k);
	if (r->credential == CREDENTIAL_TOKEN)
		delete_by_hash(b, WAITING_PART_TOKEN, r->token, r->id);
	r->state = state;
	r->closed_us = b->now_us;
	put(b, r);
}

static void forget(struct batch *b, const struct store_waiting *r)
{
	struct key k = key_of(WAITING_PART_CLOSED, r->id);

	batch_delete(b, TREE_WAITING, &k);
	k = key_of(WAITING_PART_DATA, r->id);
	batch_delete(b, TREE_WAITING, &k);
	delete_by_hash(b, WAITING_PART_REQUEST, r->request_hash, r->id);
	if (!is_zero(r->poll))
		delete_by_hash(b, WAITING_PART_POLL, r->poll, r->id);
}

/* --- T1 */

static enum rc check_room(
        struct batch *b, const struct store_issue_begin *op, struct why *why)
{
	struct key prefix = key_u64(WAITING_PART_OPEN);
	bool shared = op->credential.kind == CREDENTIAL_SHARED;
	size_t all = 0, of_device = 0, of_label = 0;
	struct store_waiting r;
	struct walk w;

	walk_open(&w, &b->v, TREE_WAITING, key_bytes(&prefix));
	for (bool on = walk_from(&w, BYTES_NONE); on; on = walk_next(&w)) {
		if (!rec_waiting_unpack(w.value, &r)) {
			view_broken(&b->v);
			break;
		}
		all++;
		if (shared != (r.credential == CREDENTIAL_SHARED))
			continue;
		if (op->device != NULL && strcmp(r.device, op->device) == 0)
			of_device++;
		if (strcmp(r.label, op->wait->label) == 0)
			of_label++;
	}
	walk_close(&w);
	if (shared && of_label >= STORE_WAITING_SHARED_MAX)
		return why_set(why, RC_QUOTA,
		        "%d requests by the label's shared challenge wait for "
		        "an operator",
		        STORE_WAITING_SHARED_MAX);
	if (of_device >= STORE_WAITING_DEVICE_MAX)
		return why_set(why, RC_QUOTA,
		        "%d requests of the device wait for an operator",
		        STORE_WAITING_DEVICE_MAX);
	if (all >= STORE_WAITING_MAX)
		return why_set(why, RC_QUOTA,
		        "%d requests wait for an operator", STORE_WAITING_MAX);
	return RC_OK;
}

/* A poll finds one request: an earlier one, of the same transaction, is not
 * found any more, and its record says so. */
static void take_poll(struct batch *b, const struct store_waiting *r)
{
	struct store_waiting before;

	if (is_zero(r->poll))
		return;
	if (view_by_hash(&b->v, WAITING_PART_POLL, r->poll, &before)) {
		memset(before.poll, 0, STORE_HASH_BYTES);
		put(b, &before);
	}
	put_by_hash(b, WAITING_PART_POLL, r->poll, r->id);
}

static void enter(struct batch *b, const struct store_issue_begin *op)
{
	const struct store_wait *wait = op->wait;
	struct key last = key_of(WAITING_PART_LAST, 0), k;
	struct store_waiting r = { .state = WAITING_OPEN,
		.authority = op->key.authority,
		.credential = op->credential.kind,
		.asked_us = b->now_us,
		.expires_us = b->now_us + wait->life_us };

	(void)view_id(&b->v, &last, &r.id);
	put_id(b, &last, ++r.id);
	rec_text(r.device, sizeof(r.device), op->device);
	rec_text(r.profile, sizeof(r.profile), op->profile);
	rec_text(r.label, sizeof(r.label), wait->label);
	rec_text(r.requester, sizeof(r.requester), op->op.actor);
	memcpy(r.spki_hash, op->spki_hash, STORE_HASH_BYTES);
	memcpy(r.request_hash, op->request_hash, STORE_HASH_BYTES);
	memcpy(r.poll, wait->poll, STORE_HASH_BYTES);
	put_by_hash(b, WAITING_PART_REQUEST, r.request_hash, r.id);
	take_poll(b, &r);
	if (r.credential == CREDENTIAL_TOKEN) {
		memcpy(r.token, op->credential.hash, STORE_HASH_BYTES);
		put_by_hash(b, WAITING_PART_TOKEN, r.token, r.id);
	}
	put(b, &r);
	k = key_of(WAITING_PART_DATA, r.id);
	rec_waiting_data_pack(batch_record(b), wait->request, op->tbs);
	batch_put(b, TREE_WAITING, &k);
	audit(b, &r, "request.wait", op->op.actor);
}

enum rc batch_wait(
        struct batch *b, const struct store_issue_begin *op, struct why *why)
{
	struct store_waiting r;
	bool known = view_waiting_request(&b->v, op->request_hash, &r);
	enum rc rc;

	if (known && r.state == WAITING_DENIED)
		return why_set(
		        why, RC_DENIED, "an operator refused the request");
	if (op->wait == NULL)
		return RC_OK;
	if (known && is_open(&r, b->now_us))
		return r.state == WAITING_APPROVED
		        ? RC_OK
		        : why_set(why, RC_WAITING,
		                  "the request waits for an operator");
	if (op->wait->only_look)
		return why_set(
		        why, RC_DENIED, "the request is not waiting any more");
	/* One that ran out and was not closed yet is of the same hash. */
	if (known && r.closed_us == 0) {
		close_request(b, &r, WAITING_EXPIRED);
		audit(b, &r, "request.expire", op->op.actor);
	}
	rc = check_room(b, op, why);
	if (rc != RC_OK)
		return rc;
	enter(b, op);
	return why_set(why, RC_WAITING, "the request waits for an operator");
}

/* --- T2 */

void batch_waiting_issued(struct batch *b,
        const uint8_t request_hash[STORE_HASH_BYTES], const char *actor)
{
	struct store_waiting r;

	if (!view_waiting_request(&b->v, request_hash, &r) || r.closed_us != 0)
		return;
	close_request(b, &r, WAITING_ISSUED);
	audit(b, &r, "request.issue", actor);
}

/* --- to decide */

static enum rc check_decision(const struct batch *b,
        const struct store_waiting_decide *op, struct why *why)
{
	const struct store_waiting *r = &op->waiting;

	if (r->closed_us != 0)
		return why_set(why, RC_CONFLICT, "the request is closed");
	if (r->expires_us <= b->now_us)
		return why_set(why, RC_CONFLICT, "the request has expired");
	if (op->approve && r->state == WAITING_APPROVED)
		return why_set(
		        why, RC_CONFLICT, "another operator has approved it");
	return RC_OK;
}

enum rc op_waiting_decide(struct batch *b, struct store_waiting_decide *op)
{
	enum waiting_state to = op->approve ? WAITING_APPROVED : WAITING_DENIED;
	struct store_waiting *r = &op->waiting;
	enum rc rc;

	if (!view_waiting(&b->v, op->id, r))
		return why_set(&op->op.why, RC_NOTFOUND, "no such request");
	if (r->state == to && r->decided_by == op->by)
		return RC_OK;
	rc = check_decision(b, op, &op->op.why);
	if (rc != RC_OK)
		return rc;
	r->decided_us = b->now_us;
	r->decided_by = op->by;
	if (op->approve) {
		r->state = to;
		put(b, r);
	} else {
		close_request(b, r, to);
	}
	audit(b, r, op->approve ? "request.approve" : "request.deny",
	        op->op.actor);
	return RC_OK;
}

/* --- to run out, and to be forgotten */

/* When time is up for an open one, and for one that is closed. */
static int64_t ends_us(const struct store_waiting *r)
{
	return r->closed_us == 0 ? r->expires_us
	                         : r->closed_us + r->expires_us - r->asked_us;
}

/* All open ones, and of the closed ones as many of the oldest: the others have
 * time, and all who write wait for this. */
static size_t find_late(
        struct batch *b, enum waiting_part part, uint64_t *ids, size_t max)
{
	struct key prefix = key_u64((uint64_t)part);
	struct store_waiting r;
	struct walk w;
	size_t n = 0, seen = 0;

	walk_open(&w, &b->v, TREE_WAITING, key_bytes(&prefix));
	for (bool on = walk_from(&w, BYTES_NONE);
	        on && n < max && seen < STORE_WAITING_MAX;
	        on = walk_next(&w), seen++) {
		if (!rec_waiting_unpack(w.value, &r)) {
			view_broken(&b->v);
			break;
		}
		if (ends_us(&r) <= b->now_us)
			ids[n++] = r.id;
	}
	walk_close(&w);
	return n;
}

enum rc op_waiting_expire(struct batch *b, struct store_waiting_expire *op)
{
	uint64_t ids[STORE_ROWS_MAX];
	struct store_waiting r;
	size_t n = find_late(b, WAITING_PART_CLOSED, ids, STORE_ROWS_MAX);

	op->forgotten = (uint32_t)n;
	for (size_t i = 0; i < n; i++)
		if (view_waiting(&b->v, ids[i], &r))
			forget(b, &r);
	n = find_late(b, WAITING_PART_OPEN, ids, STORE_ROWS_MAX);
	op->expired = (uint32_t)n;
	for (size_t i = 0; i < n; i++) {
		if (!view_waiting(&b->v, ids[i], &r))
			continue;
		close_request(b, &r, WAITING_EXPIRED);
		audit(b, &r, "request.expire", op->op.actor);
	}
	return RC_OK;
}

/* --- to look */

static enum rc read_data(struct view *v, struct store_waiting_get *op)
{
	struct key k = key_of(WAITING_PART_DATA, op->waiting.id);
	struct bytes value, request, tbs;

	if (!view_get(v, TREE_WAITING, &k, &value) ||
	        !rec_waiting_data_unpack(value, &request, &tbs)) {
		view_broken(v);
		return RC_OK;
	}
	buf_add(&op->request, request);
	buf_add(&op->tbs, tbs);
	return op->request.failed != RC_OK ? op->request.failed
	                                   : op->tbs.failed;
}

enum rc read_waiting_get(struct view *v, struct store_waiting_get *op)
{
	bool found = op->id != 0
	        ? view_waiting(v, op->id, &op->waiting)
	        : view_by_hash(v, WAITING_PART_POLL, op->poll, &op->waiting);

	if (!found)
		return why_set(&op->op.why, RC_NOTFOUND, "no such request");
	return read_data(v, op);
}

enum rc read_waiting_list(struct view *v, struct store_waiting_list *op)
{
	struct key prefix =
	        key_u64(op->closed ? WAITING_PART_CLOSED : WAITING_PART_OPEN);
	enum rc rc = cursor_check(&op->cursor, key_bytes(&prefix), &op->op.why);
	struct walk w;

	op->n = 0;
	op->more = false;
	if (rc != RC_OK)
		return rc;
	walk_open(&w, v, TREE_WAITING, key_bytes(&prefix));
	for (bool on = cursor_walk(&w, &op->cursor, &prefix); on;
	        on = walk_next(&w)) {
		if (op->n == op->max) {
			op->more = true;
			break;
		}
		if (!rec_waiting_unpack(w.value, &op->rows[op->n]) ||
		        !cursor_keep(&op->cursor, w.key)) {
			view_broken(v);
			break;
		}
		op->n++;
	}
	walk_close(&w);
	return RC_OK;
}
