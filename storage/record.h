/* storage/record.h - the bytes of the store's keys and records. Every record
 * begins with a version byte; an unknown version does not read. Keys are
 * big-endian, so that the order of bytes is the order of numbers. Pure. */
#ifndef MICA_STORAGE_RECORD_H
#define MICA_STORAGE_RECORD_H

#include "base/pack.h"
#include "storage/store.h"

#define RECORD_VERSION 1
#define CERT_KEY_BYTES (4 + STORE_SERIAL_BYTES)

struct key {
	uint8_t b[STORE_DEVICE_ID_MAX + 8];
	size_t n;
};
struct bytes key_bytes(const struct key *k); /* borrowed from k */
struct key key_u32(uint32_t v);
struct key key_u64(uint64_t v);
struct key key_u64_pair(uint64_t a, uint64_t b);
struct key key_text(const char *text); /* at most STORE_DEVICE_ID_MAX */
struct key key_hash(const uint8_t hash[STORE_HASH_BYTES]);
struct key key_u64_hash(uint64_t v, const uint8_t hash[STORE_HASH_BYTES]);
struct key key_hash_u64(const uint8_t hash[STORE_HASH_BYTES], uint64_t v);
struct key key_cert(const struct cert_key *c);
/* In the order of turning bad: random serials would touch a page each. */
struct key key_listed(const struct cert_key *c, uint64_t listed);
struct key key_u64_cert(uint64_t v, const struct cert_key *c);
struct key key_scope(uint32_t authority, uint16_t shard);
struct key key_scope_listed(
        uint16_t shard, const struct cert_key *c, uint64_t listed);
/* Signed times sort, too. */
struct key key_time_u64(int64_t t, uint64_t v);
/* Reading keys back; false when the length is wrong. */
bool key_read_cert(struct bytes k, struct cert_key *c);
bool key_read_listed(struct bytes k, struct cert_key *c, uint64_t *listed);
bool key_read_scope_listed(
        struct bytes k, uint16_t *shard, struct cert_key *c, uint64_t *listed);
bool key_read_u64_at(struct bytes k, size_t off, uint64_t *v);

bool cert_key_eq(const struct cert_key *a, const struct cert_key *b);

/* Copy text into an array of size bytes, cut to fit; NULL is "". */
void rec_text(char *out, size_t size, const char *in);
/* Lower-case hex of n bytes for an audit entry; out holds HEX_BYTES(n). */
#define HEX_BYTES(n) (2 * (n) + 1)
const char *rec_hex(char *out, const uint8_t *p, size_t n);

/* All counters of the store: one record, read and written once a commit. */
struct rec_ledger {
	uint64_t sequence;
	uint64_t feed;
	uint64_t slot;
	uint64_t device;
	uint32_t authority;
	uint64_t held, revoked;
	int64_t clock_us; /* the greatest commit time */
	uint64_t audit;
	uint8_t audit_head[STORE_HASH_BYTES];
};
void rec_ledger_pack(struct buf *out, const struct rec_ledger *r);
bool rec_ledger_unpack(struct bytes in, struct rec_ledger *r);

struct rec_slot {
	uint32_t pid;
	int64_t opened_us;
};
void rec_slot_pack(struct buf *out, const struct rec_slot *r);
bool rec_slot_unpack(struct bytes in, struct rec_slot *r);

/* 54 bytes: the tree that answers for every certificate must stay small. The
 * shard is for CRLs that are cut in parts; listed is where the revocation tree
 * has it. */
struct rec_status {
	enum cert_state state;
	enum cert_reason reason;
	bool held_by_suspend;
	uint16_t shard;
	uint64_t sequence;
	int64_t status_us, invalidity_s, not_after_s;
	uint64_t position;
	uint64_t listed; /* position at which it turned bad; 0 while good */
};
void rec_status_pack(struct buf *out, const struct rec_status *r);
bool rec_status_unpack(struct bytes in, struct rec_status *r);

/* An intent, an abandoned intent (data empty) or an issued certificate's body
 * (data: the DER). The state of an issued one is in its rec_status alone. */
struct rec_issue {
	struct store_cert cert;
	struct store_credential credential;
	uint64_t device_number; /* 0: belongs to none */
	uint32_t node;
	uint64_t txn; /* LMDB's id of T1's transaction */
	char quota[STORE_NAME_MAX + 1];
	struct bytes data; /* borrowed from the record */
};
void rec_issue_pack(struct buf *out, const struct rec_issue *r);
bool rec_issue_unpack(struct bytes in, struct rec_issue *r);

/* device number, key -> what T1 must know of intents in flight */
struct rec_pending {
	uint8_t request_hash[STORE_HASH_BYTES];
	char profile[STORE_NAME_MAX + 1];
};
void rec_pending_pack(struct buf *out, const struct rec_pending *r);
bool rec_pending_unpack(struct bytes in, struct rec_pending *r);

/* device number, sequence -> what T1 must know of the device's certificates.
 * max_end_s is the latest not_after of this and all older ones: a walk from
 * the newest stops where nothing older can be alive. */
struct rec_device_cert {
	struct cert_key key;
	int64_t begun_us;
	int64_t not_after_s;
	int64_t max_end_s;
	char profile[STORE_NAME_MAX + 1];
};
void rec_device_cert_pack(struct buf *out, const struct rec_device_cert *r);
bool rec_device_cert_unpack(struct bytes in, struct rec_device_cert *r);

struct rec_device {
	struct store_device device;
	uint64_t number; /* from 1, in order of creation */
};
void rec_device_pack(struct buf *out, const struct rec_device *r);
bool rec_device_unpack(struct bytes in, struct rec_device *r);

void rec_token_pack(struct buf *out, const struct store_token *r);
bool rec_token_unpack(struct bytes in, struct store_token *r);

void rec_quota_pack(struct buf *out, const struct store_quota *r);
bool rec_quota_unpack(struct bytes in, struct store_quota *r);

void rec_authority_pack(
        struct buf *out, const struct store_authority *r, struct bytes der);
/* *der is borrowed from the record. */
bool rec_authority_unpack(
        struct bytes in, struct store_authority *r, struct bytes *der);

void rec_blocked_pack(struct buf *out, int64_t blocked_us);
bool rec_blocked_unpack(struct bytes in, int64_t *blocked_us);

void rec_feed_pack(struct buf *out, const struct store_status_row *r);
bool rec_feed_unpack(struct bytes in, struct store_status_row *r);

void rec_crl_pack(struct buf *out, const struct store_crl *r);
bool rec_crl_unpack(struct bytes in, struct store_crl *r);

void rec_id_pack(struct buf *out, uint64_t id);
bool rec_id_unpack(struct bytes in, uint64_t *id);
void rec_approval_pack(struct buf *out, const struct store_approval *r);
bool rec_approval_unpack(struct bytes in, struct store_approval *r);
void rec_waiting_pack(struct buf *out, const struct store_waiting *r);
bool rec_waiting_unpack(struct bytes in, struct store_waiting *r);
/* What one is about: borrowed from in. */
void rec_waiting_data_pack(
        struct buf *out, struct bytes request, struct bytes tbs);
bool rec_waiting_data_unpack(
        struct bytes in, struct bytes *request, struct bytes *tbs);

/* What the hash of an entry covers, after the hash of the one before. */
void rec_audit_pack(struct buf *out, const struct store_audit_row *r);
/* All but the hash. */
bool rec_audit_unpack(struct bytes in, struct store_audit_row *r);

#endif
