/* Of store_check(): what waits, or did, for a second operator or for any. */
#include "storage/check_walk.h"

#include <string.h>

/* --- the two-person rule */

/* Decided where its state says that it was, and approved by another one. */
static void check_approval_decision(
        struct checker *c, const struct store_approval *r)
{
	bool decided = r->decided_us != 0;
	bool approved = r->state == APPROVAL_APPROVED ||
	        r->state == APPROVAL_CARRIED_OUT ||
	        (r->state == APPROVAL_EXPIRED && decided);

	if (approved && (!decided || r->decided_by == r->asked_by))
		check_fault(c, "was approved without a second operator");
	if (r->state == APPROVAL_DENIED && !decided)
		check_fault(c, "was denied by nobody");
	if (r->state == APPROVAL_PENDING && decided)
		check_fault(c, "is pending, and was decided");
}

/* Both entries with that number: open, and closed. */
static bool is_twice(struct checker *c, enum tree t, uint64_t id)
{
	struct key open = key_u64_pair(0, id), closed = key_u64_pair(1, id);
	struct bytes value;

	return check_have(c, t, &open, &value) &&
	        check_have(c, t, &closed, &value);
}

/* The greatest number that was given out. 0: none is on record. */
static uint64_t last_id(struct checker *c, enum tree t, uint64_t part)
{
	struct key k = key_u64_pair(part, 0);
	struct bytes value;
	uint64_t id;

	return check_have(c, t, &k, &value) && rec_id_unpack(value, &id) ? id
	                                                                 : 0;
}

static void check_last(struct checker *c, uint64_t part, struct bytes value)
{
	struct key k = key_u64_pair(part, 0);
	uint64_t id;

	if (!check_key_is(c, &k) || !rec_id_unpack(value, &id))
		check_fault(c, "does not read");
}

static void check_asked(struct checker *c, const struct store_approval *r)
{
	struct key k = key_u64_pair(r->closed_us != 0, r->id);
	/* Stores that are older do not have it. */
	uint64_t last = last_id(c, TREE_APPROVAL, APPROVAL_PART_LAST);

	if (!check_key_is(c, &k) ||
	        (r->closed_us != 0) != (r->state > APPROVAL_APPROVED))
		check_fault(c, "is another request, or in another state");
	if (r->state < APPROVAL_PENDING || r->state > APPROVAL_EXPIRED)
		check_fault(c, "has the unknown state %d", (int)r->state);
	if (is_twice(c, TREE_APPROVAL, r->id))
		check_fault(c, "is open, and closed");
	if (last != 0 && r->id > last)
		check_fault(c, "has a number that was not given out");
	check_approval_decision(c, r);
}

void check_approval(struct checker *c, struct bytes value)
{
	struct store_approval r;
	uint64_t part;

	if (!key_read_u64_at(c->key, 0, &part) || part >= APPROVAL_PARTS)
		check_fault(c, "is of no kind that there is");
	else if (part == APPROVAL_PART_LAST)
		check_last(c, part, value);
	else if (rec_approval_unpack(value, &r))
		check_asked(c, &r);
	else
		check_fault(c, "does not read");
}

/* --- requests that wait: the row */

static bool is_zero(const uint8_t hash[STORE_HASH_BYTES])
{
	static const uint8_t none[STORE_HASH_BYTES];

	return memcmp(hash, none, STORE_HASH_BYTES) == 0;
}

/* Where an index leads to; 0: it has no such entry. */
static uint64_t index_id(struct checker *c, enum waiting_part part,
        const uint8_t hash[STORE_HASH_BYTES])
{
	struct key k = key_u64_hash((uint64_t)part, hash);
	struct bytes value;
	uint64_t id;

	return check_have(c, TREE_WAITING, &k, &value) &&
	                rec_id_unpack(value, &id)
	        ? id
	        : 0;
}

/* Nobody else asks for the same while one is open, or denied. Another one may
 * have come after a closed one, and have been forgotten first. */
static void check_found(struct checker *c, const struct store_waiting *r)
{
	uint64_t id = index_id(c, WAITING_PART_REQUEST, r->request_hash);
	bool stands = r->closed_us == 0 || r->state == WAITING_DENIED;

	if (stands ? id != r->id : id != 0 && id < r->id)
		check_fault(c, "is not what its hash leads to");
	if (!is_zero(r->poll) &&
	        index_id(c, WAITING_PART_POLL, r->poll) < r->id)
		check_fault(c, "is not what a poll for it finds");
}

/* What ran out and was not closed yet holds its token no more. */
static void check_token_held(struct checker *c, const struct store_waiting *r)
{
	struct key k = key_hash(r->token);
	struct bytes value;

	if (r->credential != CREDENTIAL_TOKEN)
		return;
	if (!check_have(c, TREE_TOKEN, &k, &value))
		check_fault(c, "its token does not exist");
	if (r->closed_us == 0 && r->expires_us > c->ledger.clock_us &&
	        index_id(c, WAITING_PART_TOKEN, r->token) < r->id)
		check_fault(c, "does not hold its token");
}

static void check_decision(struct checker *c, const struct store_waiting *r)
{
	bool decided = r->decided_us != 0;

	if (!decided &&
	        (r->state == WAITING_APPROVED || r->state == WAITING_DENIED))
		check_fault(c, "was decided by nobody");
	if (decided && r->state == WAITING_OPEN)
		check_fault(c, "is undecided, and was decided");
}

/* One of the device's certificates is what it asked for. */
static bool has_certificate(struct checker *c, const struct store_waiting *r)
{
	struct key k = key_text(r->device);
	struct rec_device device;
	struct rec_issue body;
	bool found = false;
	uint64_t sequence;
	struct bytes value;
	struct walk w;

	if (!check_have(c, TREE_DEVICE, &k, &value) ||
	        !rec_device_unpack(value, &device))
		return false;
	k = key_u64(device.number);
	walk_open(&w, c->v, TREE_DEVICE_CERT, key_bytes(&k));
	for (bool on = walk_last(&w); on && !found; on = walk_back(&w))
		found = key_read_u64_at(w.key, 8, &sequence) &&
		        check_body_at(c, sequence, &body) &&
		        memcmp(body.cert.request_hash, r->request_hash,
		                STORE_HASH_BYTES) == 0;
	walk_close(&w);
	return found;
}

static void check_content(struct checker *c, uint64_t id)
{
	struct key k = key_u64_pair(WAITING_PART_DATA, id);
	struct bytes value, request, tbs;

	if (!check_have(c, TREE_WAITING, &k, &value))
		check_fault(c, "has no content");
	else if (!rec_waiting_data_unpack(value, &request, &tbs))
		check_fault(c, "its content does not read");
}

static void check_request(struct checker *c, const struct store_waiting *r)
{
	struct key k = key_u64_pair(r->closed_us != 0, r->id);
	struct key authority = key_u32(r->authority);
	struct bytes value;

	if (!check_key_is(c, &k) ||
	        (r->closed_us != 0) != (r->state > WAITING_APPROVED))
		check_fault(c, "is another request, or in another state");
	if (r->state < WAITING_OPEN || r->state > WAITING_EXPIRED)
		check_fault(c, "has the unknown state %d", (int)r->state);
	if (is_twice(c, TREE_WAITING, r->id))
		check_fault(c, "is open, and closed");
	if (r->id > last_id(c, TREE_WAITING, WAITING_PART_LAST))
		check_fault(c, "has a number that was not given out");
	if (!check_have(c, TREE_AUTHORITY, &authority, &value))
		check_fault(c, "its authority does not exist");
	check_content(c, r->id);
	check_found(c, r);
	check_token_held(c, r);
	check_decision(c, r);
	if (r->state == WAITING_ISSUED && !has_certificate(c, r))
		check_fault(
		        c, "was issued, and its certificate is not on record");
}

/* --- and what leads to it */

static bool find_row(struct checker *c, uint64_t id, struct store_waiting *r)
{
	for (uint64_t part = WAITING_PART_OPEN; part <= WAITING_PART_CLOSED;
	        part++) {
		struct key k = key_u64_pair(part, id);
		struct bytes value;

		if (check_have(c, TREE_WAITING, &k, &value) &&
		        rec_waiting_unpack(value, r))
			return true;
	}
	return false;
}

static const uint8_t *hash_of(
        const struct store_waiting *r, enum waiting_part part)
{
	switch (part) {
	case WAITING_PART_REQUEST:
		return r->request_hash;
	case WAITING_PART_POLL:
		return r->poll;
	default:
		return r->token;
	}
}

static void check_index(
        struct checker *c, enum waiting_part part, struct bytes value)
{
	struct store_waiting r;
	uint64_t id;
	struct key k;

	if (!rec_id_unpack(value, &id)) {
		check_fault(c, "does not read");
		return;
	}
	if (!find_row(c, id, &r) ||
	        (part == WAITING_PART_TOKEN && r.closed_us != 0)) {
		check_fault(c, "is of a request that does not exist");
		return;
	}
	k = key_u64_hash((uint64_t)part, hash_of(&r, part));
	if (!check_key_is(c, &k))
		check_fault(c, "leads to another request");
}

static void check_data(struct checker *c)
{
	struct store_waiting r;
	uint64_t id;

	if (!key_read_u64_at(c->key, 8, &id) || !find_row(c, id, &r))
		check_fault(c, "is of a request that does not exist");
}

/* What part of the tree it stands in says what it is. */
void check_waiting(struct checker *c, struct bytes value)
{
	struct store_waiting r;
	uint64_t part;

	if (!key_read_u64_at(c->key, 0, &part) || part >= WAITING_PARTS)
		check_fault(c, "is of no kind that there is");
	else if (part == WAITING_PART_DATA)
		check_data(c);
	else if (part == WAITING_PART_LAST)
		check_last(c, part, value);
	else if (part > WAITING_PART_CLOSED)
		check_index(c, (enum waiting_part)part, value);
	else if (rec_waiting_unpack(value, &r))
		check_request(c, &r);
	else
		check_fault(c, "does not read");
}
