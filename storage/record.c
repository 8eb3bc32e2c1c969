#include "storage/record.h"

#include <string.h>

/* --- keys */

static void key_add_be(struct key *k, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		k->b[k->n++] = (uint8_t)(v >> (8 * (n - 1 - i)));
}

static void key_add(struct key *k, const void *p, size_t n)
{
	if (n > 0)
		memcpy(k->b + k->n, p, n);
	k->n += n;
}

struct bytes key_bytes(const struct key *k)
{
	return bytes_of(k->b, k->n);
}

struct key key_u32(uint32_t v)
{
	struct key k = { .n = 0 };

	key_add_be(&k, v, 4);
	return k;
}

struct key key_u64(uint64_t v)
{
	struct key k = { .n = 0 };

	key_add_be(&k, v, 8);
	return k;
}

struct key key_u64_pair(uint64_t a, uint64_t b)
{
	struct key k = key_u64(a);

	key_add_be(&k, b, 8);
	return k;
}

struct key key_text(const char *text)
{
	struct key k = { .n = 0 };
	size_t n = strlen(text);

	key_add(&k, text, n < STORE_DEVICE_ID_MAX ? n : STORE_DEVICE_ID_MAX);
	return k;
}

struct key key_hash(const uint8_t hash[STORE_HASH_BYTES])
{
	struct key k = { .n = 0 };

	key_add(&k, hash, STORE_HASH_BYTES);
	return k;
}

struct key key_u64_hash(uint64_t v, const uint8_t hash[STORE_HASH_BYTES])
{
	struct key k = key_u64(v);

	key_add(&k, hash, STORE_HASH_BYTES);
	return k;
}

struct key key_hash_u64(const uint8_t hash[STORE_HASH_BYTES], uint64_t v)
{
	struct key k = key_hash(hash);

	key_add_be(&k, v, 8);
	return k;
}

struct key key_cert(const struct cert_key *c)
{
	struct key k = key_u32(c->authority);

	key_add(&k, c->serial, STORE_SERIAL_BYTES);
	return k;
}

struct key key_listed(const struct cert_key *c, uint64_t listed)
{
	struct key k = key_u32(c->authority);

	key_add_be(&k, listed, 8);
	key_add(&k, c->serial, STORE_SERIAL_BYTES);
	return k;
}

struct key key_u64_cert(uint64_t v, const struct cert_key *c)
{
	struct key k = key_u64(v);

	key_add_be(&k, c->authority, 4);
	key_add(&k, c->serial, STORE_SERIAL_BYTES);
	return k;
}

struct key key_scope(uint32_t authority, uint16_t shard)
{
	struct key k = key_u32(authority);

	key_add_be(&k, shard, 2);
	return k;
}

struct key key_scope_listed(
        uint16_t shard, const struct cert_key *c, uint64_t listed)
{
	struct key k = key_scope(c->authority, shard);

	key_add_be(&k, listed, 8);
	key_add(&k, c->serial, STORE_SERIAL_BYTES);
	return k;
}

/* Times before 1970 come first: the sign bit is turned over. */
struct key key_time_u64(int64_t t, uint64_t v)
{
	return key_u64_pair((uint64_t)t ^ (1ULL << 63), v);
}

bool key_read_cert(struct bytes k, struct cert_key *c)
{
	struct unpack u = unpack_of(k);
	struct bytes serial;

	c->authority = unpack_u32(&u);
	serial = unpack_raw(&u, STORE_SERIAL_BYTES);
	if (!unpack_done(&u))
		return false;
	memcpy(c->serial, serial.p, STORE_SERIAL_BYTES);
	return true;
}

bool key_read_listed(struct bytes k, struct cert_key *c, uint64_t *listed)
{
	struct unpack u = unpack_of(k);
	struct bytes serial;

	c->authority = unpack_u32(&u);
	*listed = unpack_u64(&u);
	serial = unpack_raw(&u, STORE_SERIAL_BYTES);
	if (!unpack_done(&u))
		return false;
	memcpy(c->serial, serial.p, STORE_SERIAL_BYTES);
	return true;
}

bool key_read_scope_listed(
        struct bytes k, uint16_t *shard, struct cert_key *c, uint64_t *listed)
{
	struct unpack u = unpack_of(k);
	struct bytes serial;

	c->authority = unpack_u32(&u);
	*shard = unpack_u16(&u);
	*listed = unpack_u64(&u);
	serial = unpack_raw(&u, STORE_SERIAL_BYTES);
	if (!unpack_done(&u))
		return false;
	memcpy(c->serial, serial.p, STORE_SERIAL_BYTES);
	return true;
}

bool key_read_u64_at(struct bytes k, size_t off, uint64_t *v)
{
	struct unpack u = unpack_of(bytes_slice(k, off, 8));

	*v = unpack_u64(&u);
	return unpack_done(&u);
}

bool cert_key_eq(const struct cert_key *a, const struct cert_key *b)
{
	return a->authority == b->authority &&
	        memcmp(a->serial, b->serial, STORE_SERIAL_BYTES) == 0;
}

/* --- fields */

void rec_text(char *out, size_t size, const char *in)
{
	size_t n = in != NULL ? strlen(in) : 0;

	if (n >= size)
		n = size - 1;
	if (n > 0)
		memcpy(out, in, n);
	out[n] = '\0';
}

const char *rec_hex(char *out, const uint8_t *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
	out[2 * n] = '\0';
	return out;
}

static void pack_i64(struct buf *out, int64_t v)
{
	pack_u64(out, (uint64_t)v);
}

static int64_t unpack_i64(struct unpack *u)
{
	return (int64_t)unpack_u64(u);
}

static void pack_hash(struct buf *out, const uint8_t hash[STORE_HASH_BYTES])
{
	pack_raw(out, bytes_of(hash, STORE_HASH_BYTES));
}

static void unpack_hash(struct unpack *u, uint8_t hash[STORE_HASH_BYTES])
{
	struct bytes raw = unpack_raw(u, STORE_HASH_BYTES);

	if (raw.n == STORE_HASH_BYTES)
		memcpy(hash, raw.p, STORE_HASH_BYTES);
	else
		memset(hash, 0, STORE_HASH_BYTES);
}

static void pack_cert_key(struct buf *out, const struct cert_key *c)
{
	pack_u32(out, c->authority);
	pack_raw(out, bytes_of(c->serial, STORE_SERIAL_BYTES));
}

static void unpack_cert_key(struct unpack *u, struct cert_key *c)
{
	struct bytes raw;

	c->authority = unpack_u32(u);
	raw = unpack_raw(u, STORE_SERIAL_BYTES);
	if (raw.n == STORE_SERIAL_BYTES)
		memcpy(c->serial, raw.p, STORE_SERIAL_BYTES);
	else
		memset(c->serial, 0, STORE_SERIAL_BYTES);
}

static struct unpack open_record(struct bytes in)
{
	struct unpack u = unpack_of(in);

	if (unpack_u8(&u) != RECORD_VERSION)
		u.failed = true;
	return u;
}

/* --- records */

void rec_ledger_pack(struct buf *out, const struct rec_ledger *r)
{
	pack_u8(out, RECORD_VERSION);
	pack_u64(out, r->sequence);
	pack_u64(out, r->feed);
	pack_u64(out, r->slot);
	pack_u64(out, r->device);
	pack_u32(out, r->authority);
	pack_u64(out, r->held);
	pack_u64(out, r->revoked);
	pack_i64(out, r->clock_us);
	pack_u64(out, r->audit);
	pack_hash(out, r->audit_head);
}

bool rec_ledger_unpack(struct bytes in, struct rec_ledger *r)
{
	struct unpack u = open_record(in);

	r->sequence = unpack_u64(&u);
	r->feed = unpack_u64(&u);
	r->slot = unpack_u64(&u);
	r->device = unpack_u64(&u);
	r->authority = unpack_u32(&u);
	r->held = unpack_u64(&u);
	r->revoked = unpack_u64(&u);
	r->clock_us = unpack_i64(&u);
	r->audit = unpack_u64(&u);
	unpack_hash(&u, r->audit_head);
	return unpack_done(&u);
}

void rec_slot_pack(struct buf *out, const struct rec_slot *r)
{
	pack_u8(out, RECORD_VERSION);
	pack_u32(out, r->pid);
	pack_i64(out, r->opened_us);
}

bool rec_slot_unpack(struct bytes in, struct rec_slot *r)
{
	struct unpack u = open_record(in);

	r->pid = unpack_u32(&u);
	r->opened_us = unpack_i64(&u);
	return unpack_done(&u);
}

void rec_status_pack(struct buf *out, const struct rec_status *r)
{
	pack_u8(out, RECORD_VERSION);
	pack_u8(out, (uint8_t)r->state);
	pack_u8(out, (uint8_t)r->reason);
	pack_u8(out, r->held_by_suspend);
	pack_u16(out, r->shard);
	pack_u64(out, r->sequence);
	pack_i64(out, r->status_us);
	pack_i64(out, r->invalidity_s);
	pack_i64(out, r->not_after_s);
	pack_u64(out, r->position);
	pack_u64(out, r->listed);
}

bool rec_status_unpack(struct bytes in, struct rec_status *r)
{
	struct unpack u = open_record(in);

	r->state = (enum cert_state)unpack_u8(&u);
	r->reason = (enum cert_reason)unpack_u8(&u);
	r->held_by_suspend = unpack_u8(&u) != 0;
	r->shard = unpack_u16(&u);
	r->sequence = unpack_u64(&u);
	r->status_us = unpack_i64(&u);
	r->invalidity_s = unpack_i64(&u);
	r->not_after_s = unpack_i64(&u);
	r->position = unpack_u64(&u);
	r->listed = unpack_u64(&u);
	return unpack_done(&u);
}

void rec_issue_pack(struct buf *out, const struct rec_issue *r)
{
	const struct store_cert *c = &r->cert;

	pack_u8(out, RECORD_VERSION);
	pack_cert_key(out, &c->key);
	pack_u64(out, c->sequence);
	pack_i64(out, c->begun_us);
	pack_i64(out, c->issued_us);
	pack_i64(out, c->not_before_s);
	pack_i64(out, c->not_after_s);
	pack_u16(out, c->shard);
	pack_u32(out, r->node);
	pack_u64(out, c->slot);
	pack_u64(out, r->txn);
	pack_u64(out, r->device_number);
	pack_str(out, c->device);
	pack_str(out, c->profile);
	pack_str(out, c->requester);
	pack_str(out, r->quota);
	pack_hash(out, c->spki_hash);
	pack_hash(out, c->cert_hash);
	pack_hash(out, c->request_hash);
	pack_u8(out, (uint8_t)r->credential.kind);
	pack_hash(out, r->credential.hash);
	pack_cert_key(out, &r->credential.cert);
	pack_bytes(out, r->data);
	if (r->credential.kind == CREDENTIAL_FOREIGN)
		pack_hash(out, r->credential.spki_hash);
}

bool rec_issue_unpack(struct bytes in, struct rec_issue *r)
{
	struct unpack u = open_record(in);
	struct store_cert *c = &r->cert;

	c->state = 0;
	c->reason = REASON_UNSPECIFIED;
	c->held_by_suspend = false;
	c->status_us = 0;
	c->invalidity_s = 0;
	unpack_cert_key(&u, &c->key);
	c->sequence = unpack_u64(&u);
	c->begun_us = unpack_i64(&u);
	c->issued_us = unpack_i64(&u);
	c->not_before_s = unpack_i64(&u);
	c->not_after_s = unpack_i64(&u);
	c->shard = unpack_u16(&u);
	r->node = unpack_u32(&u);
	c->slot = unpack_u64(&u);
	r->txn = unpack_u64(&u);
	r->device_number = unpack_u64(&u);
	unpack_str(&u, c->device, sizeof(c->device));
	unpack_str(&u, c->profile, sizeof(c->profile));
	unpack_str(&u, c->requester, sizeof(c->requester));
	unpack_str(&u, r->quota, sizeof(r->quota));
	unpack_hash(&u, c->spki_hash);
	unpack_hash(&u, c->cert_hash);
	unpack_hash(&u, c->request_hash);
	r->credential.kind = (enum credential_kind)unpack_u8(&u);
	c->credential = r->credential.kind;
	unpack_hash(&u, r->credential.hash);
	unpack_cert_key(&u, &r->credential.cert);
	r->data = unpack_bytes(&u);
	memset(r->credential.spki_hash, 0, STORE_HASH_BYTES);
	/* Records that are older end here. */
	if (r->credential.kind == CREDENTIAL_FOREIGN && u.rest.n > 0)
		unpack_hash(&u, r->credential.spki_hash);
	return unpack_done(&u);
}

void rec_pending_pack(struct buf *out, const struct rec_pending *r)
{
	pack_u8(out, RECORD_VERSION);
	pack_hash(out, r->request_hash);
	pack_str(out, r->profile);
}

bool rec_pending_unpack(struct bytes in, struct rec_pending *r)
{
	struct unpack u = open_record(in);

	unpack_hash(&u, r->request_hash);
	unpack_str(&u, r->profile, sizeof(r->profile));
	return unpack_done(&u);
}

void rec_device_cert_pack(struct buf *out, const struct rec_device_cert *r)
{
	pack_u8(out, RECORD_VERSION);
	pack_cert_key(out, &r->key);
	pack_i64(out, r->begun_us);
	pack_i64(out, r->not_after_s);
	pack_i64(out, r->max_end_s);
	pack_str(out, r->profile);
}

bool rec_device_cert_unpack(struct bytes in, struct rec_device_cert *r)
{
	struct unpack u = open_record(in);

	unpack_cert_key(&u, &r->key);
	r->begun_us = unpack_i64(&u);
	r->not_after_s = unpack_i64(&u);
	r->max_end_s = unpack_i64(&u);
	unpack_str(&u, r->profile, sizeof(r->profile));
	return unpack_done(&u);
}

void rec_device_pack(struct buf *out, const struct rec_device *r)
{
	const struct store_device *d = &r->device;

	pack_u8(out, RECORD_VERSION);
	pack_u64(out, r->number);
	pack_str(out, d->id);
	pack_str(out, d->anchor);
	pack_u8(out, (uint8_t)d->state);
	pack_u64(out, d->version);
	pack_i64(out, d->created_us);
	pack_i64(out, d->changed_us);
	pack_str(out, d->note);
}

bool rec_device_unpack(struct bytes in, struct rec_device *r)
{
	struct unpack u = open_record(in);
	struct store_device *d = &r->device;

	r->number = unpack_u64(&u);
	unpack_str(&u, d->id, sizeof(d->id));
	unpack_str(&u, d->anchor, sizeof(d->anchor));
	d->state = (enum device_state)unpack_u8(&u);
	d->version = unpack_u64(&u);
	d->created_us = unpack_i64(&u);
	d->changed_us = unpack_i64(&u);
	unpack_str(&u, d->note, sizeof(d->note));
	return unpack_done(&u);
}

void rec_token_pack(struct buf *out, const struct store_token *r)
{
	pack_u8(out, RECORD_VERSION);
	pack_hash(out, r->hash);
	pack_u8(out, (uint8_t)r->state);
	pack_str(out, r->device);
	pack_u32(out, r->authority);
	pack_str(out, r->profile);
	pack_i64(out, r->created_us);
	pack_i64(out, r->expires_us);
	pack_cert_key(out, &r->spent_by);
}

bool rec_token_unpack(struct bytes in, struct store_token *r)
{
	struct unpack u = open_record(in);

	unpack_hash(&u, r->hash);
	r->state = (enum token_state)unpack_u8(&u);
	unpack_str(&u, r->device, sizeof(r->device));
	r->authority = unpack_u32(&u);
	unpack_str(&u, r->profile, sizeof(r->profile));
	r->created_us = unpack_i64(&u);
	r->expires_us = unpack_i64(&u);
	unpack_cert_key(&u, &r->spent_by);
	return unpack_done(&u);
}

void rec_quota_pack(struct buf *out, const struct store_quota *r)
{
	pack_u8(out, RECORD_VERSION);
	pack_str(out, r->name);
	pack_u64(out, r->limit);
	pack_u64(out, r->used);
}

bool rec_quota_unpack(struct bytes in, struct store_quota *r)
{
	struct unpack u = open_record(in);

	unpack_str(&u, r->name, sizeof(r->name));
	r->limit = unpack_u64(&u);
	r->used = unpack_u64(&u);
	return unpack_done(&u);
}

void rec_authority_pack(
        struct buf *out, const struct store_authority *r, struct bytes der)
{
	pack_u8(out, RECORD_VERSION);
	pack_u32(out, r->id);
	pack_str(out, r->name);
	pack_u8(out, (uint8_t)r->state);
	pack_u64(out, r->version);
	pack_i64(out, r->entered_us);
	pack_hash(out, r->cert_hash);
	if (r->state == AUTHORITY_REVOKED) {
		pack_u8(out, (uint8_t)r->reason);
		pack_i64(out, r->revoked_us);
	}
	pack_bytes(out, der);
}

bool rec_authority_unpack(
        struct bytes in, struct store_authority *r, struct bytes *der)
{
	struct unpack u = open_record(in);

	r->id = unpack_u32(&u);
	unpack_str(&u, r->name, sizeof(r->name));
	r->state = (enum authority_state)unpack_u8(&u);
	r->version = unpack_u64(&u);
	r->entered_us = unpack_i64(&u);
	unpack_hash(&u, r->cert_hash);
	r->reason = REASON_UNSPECIFIED;
	r->revoked_us = 0;
	if (r->state == AUTHORITY_REVOKED) {
		r->reason = (enum cert_reason)unpack_u8(&u);
		r->revoked_us = unpack_i64(&u);
	}
	*der = unpack_bytes(&u);
	return unpack_done(&u);
}

void rec_blocked_pack(struct buf *out, int64_t blocked_us)
{
	pack_u8(out, RECORD_VERSION);
	pack_i64(out, blocked_us);
}

bool rec_blocked_unpack(struct bytes in, int64_t *blocked_us)
{
	struct unpack u = open_record(in);

	*blocked_us = unpack_i64(&u);
	return unpack_done(&u);
}

void rec_feed_pack(struct buf *out, const struct store_status_row *r)
{
	pack_u8(out, RECORD_VERSION);
	pack_cert_key(out, &r->key);
	pack_u8(out, (uint8_t)r->state);
	pack_u8(out, (uint8_t)r->reason);
	pack_u16(out, r->shard);
	pack_i64(out, r->status_us);
	pack_i64(out, r->invalidity_s);
	pack_i64(out, r->not_after_s);
	pack_u64(out, r->sequence);
}

bool rec_feed_unpack(struct bytes in, struct store_status_row *r)
{
	struct unpack u = open_record(in);

	unpack_cert_key(&u, &r->key);
	r->state = (enum cert_state)unpack_u8(&u);
	r->reason = (enum cert_reason)unpack_u8(&u);
	r->shard = unpack_u16(&u);
	r->status_us = unpack_i64(&u);
	r->invalidity_s = unpack_i64(&u);
	r->not_after_s = unpack_i64(&u);
	r->sequence = unpack_u64(&u);
	return unpack_done(&u);
}

void rec_crl_pack(struct buf *out, const struct store_crl *r)
{
	pack_u8(out, RECORD_VERSION);
	pack_u32(out, r->authority);
	pack_u16(out, r->shard);
	pack_u64(out, r->given);
	pack_u64(out, r->number);
	pack_i64(out, r->this_update_s);
	pack_i64(out, r->next_update_s);
	pack_i64(out, r->regular_s);
	pack_u64(out, r->position);
	pack_u64(out, r->count);
	pack_u64(out, r->bytes);
	pack_hash(out, r->hash);
	pack_u64(out, r->listed);
	pack_i64(out, r->ends_s);
}

bool rec_crl_unpack(struct bytes in, struct store_crl *r)
{
	struct unpack u = open_record(in);

	r->authority = unpack_u32(&u);
	r->shard = unpack_u16(&u);
	r->given = unpack_u64(&u);
	r->number = unpack_u64(&u);
	r->this_update_s = unpack_i64(&u);
	r->next_update_s = unpack_i64(&u);
	r->regular_s = unpack_i64(&u);
	r->position = unpack_u64(&u);
	r->count = unpack_u64(&u);
	r->bytes = unpack_u64(&u);
	unpack_hash(&u, r->hash);
	r->listed = unpack_u64(&u);
	r->ends_s = unpack_i64(&u);
	return unpack_done(&u);
}

void rec_approval_pack(struct buf *out, const struct store_approval *r)
{
	pack_u8(out, RECORD_VERSION);
	pack_u64(out, r->id);
	pack_u8(out, (uint8_t)r->state);
	pack_str(out, r->action);
	pack_str(out, r->object);
	pack_str(out, r->detail);
	pack_hash(out, r->content);
	pack_u32(out, r->asked_by);
	pack_u32(out, r->decided_by);
	pack_i64(out, r->asked_us);
	pack_i64(out, r->expires_us);
	pack_i64(out, r->decided_us);
	pack_i64(out, r->closed_us);
}

bool rec_approval_unpack(struct bytes in, struct store_approval *r)
{
	struct unpack u = open_record(in);

	r->id = unpack_u64(&u);
	r->state = (enum approval_state)unpack_u8(&u);
	unpack_str(&u, r->action, sizeof(r->action));
	unpack_str(&u, r->object, sizeof(r->object));
	unpack_str(&u, r->detail, sizeof(r->detail));
	unpack_hash(&u, r->content);
	r->asked_by = unpack_u32(&u);
	r->decided_by = unpack_u32(&u);
	r->asked_us = unpack_i64(&u);
	r->expires_us = unpack_i64(&u);
	r->decided_us = unpack_i64(&u);
	r->closed_us = unpack_i64(&u);
	return unpack_done(&u);
}

void rec_id_pack(struct buf *out, uint64_t id)
{
	pack_u64(out, id);
}

bool rec_id_unpack(struct bytes in, uint64_t *id)
{
	struct unpack u = unpack_of(in);

	*id = unpack_u64(&u);
	return unpack_done(&u);
}

void rec_audit_pack(struct buf *out, const struct store_audit_row *r)
{
	pack_u8(out, RECORD_VERSION);
	pack_u64(out, r->number);
	pack_i64(out, r->time_us);
	pack_str(out, r->event);
	pack_str(out, r->actor);
	pack_str(out, r->object);
	pack_str(out, r->detail);
}

bool rec_audit_unpack(struct bytes in, struct store_audit_row *r)
{
	struct unpack u = open_record(in);

	r->number = unpack_u64(&u);
	r->time_us = unpack_i64(&u);
	unpack_str(&u, r->event, sizeof(r->event));
	unpack_str(&u, r->actor, sizeof(r->actor));
	unpack_str(&u, r->object, sizeof(r->object));
	unpack_str(&u, r->detail, sizeof(r->detail));
	return unpack_done(&u);
}

void rec_waiting_pack(struct buf *out, const struct store_waiting *r)
{
	pack_u8(out, RECORD_VERSION);
	pack_u64(out, r->id);
	pack_u8(out, (uint8_t)r->state);
	pack_u32(out, r->authority);
	pack_u8(out, (uint8_t)r->credential);
	pack_str(out, r->device);
	pack_str(out, r->profile);
	pack_str(out, r->label);
	pack_str(out, r->requester);
	pack_hash(out, r->token);
	pack_hash(out, r->spki_hash);
	pack_hash(out, r->request_hash);
	pack_hash(out, r->poll);
	pack_u32(out, r->decided_by);
	pack_i64(out, r->asked_us);
	pack_i64(out, r->expires_us);
	pack_i64(out, r->decided_us);
	pack_i64(out, r->closed_us);
}

bool rec_waiting_unpack(struct bytes in, struct store_waiting *r)
{
	struct unpack u = open_record(in);

	r->id = unpack_u64(&u);
	r->state = (enum waiting_state)unpack_u8(&u);
	r->authority = unpack_u32(&u);
	r->credential = (enum credential_kind)unpack_u8(&u);
	unpack_str(&u, r->device, sizeof(r->device));
	unpack_str(&u, r->profile, sizeof(r->profile));
	unpack_str(&u, r->label, sizeof(r->label));
	unpack_str(&u, r->requester, sizeof(r->requester));
	unpack_hash(&u, r->token);
	unpack_hash(&u, r->spki_hash);
	unpack_hash(&u, r->request_hash);
	unpack_hash(&u, r->poll);
	r->decided_by = unpack_u32(&u);
	r->asked_us = unpack_i64(&u);
	r->expires_us = unpack_i64(&u);
	r->decided_us = unpack_i64(&u);
	r->closed_us = unpack_i64(&u);
	return unpack_done(&u);
}

void rec_waiting_data_pack(
        struct buf *out, struct bytes request, struct bytes tbs)
{
	pack_u8(out, RECORD_VERSION);
	pack_bytes(out, request);
	pack_bytes(out, tbs);
}

bool rec_waiting_data_unpack(
        struct bytes in, struct bytes *request, struct bytes *tbs)
{
	struct unpack u = open_record(in);

	*request = unpack_bytes(&u);
	*tbs = unpack_bytes(&u);
	return unpack_done(&u);
}
