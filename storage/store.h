/* storage/store.h - the record of everything the authority did: certificates
 * and their states, devices, one-time tokens, quotas, authorities, the audit
 * chain. Domain operations, not keys and values; an engine stands behind.
 * Needs base/ alone: it takes a path and a size, never the configuration, and
 * knows no DER.
 *
 * What every operation promises:
 * - A write is one atomic transaction. Its callback runs on the loop, once,
 *   after the commit is durable (fdatasync returned); until then nothing of it
 *   may be released. Many writes may share one commit: each has its own result
 *   and a refused one leaves no trace.
 * - A write call returns RC_PENDING and calls back later, or another code at
 *   once (RC_BUSY, RC_UNAVAILABLE, RC_TOOBIG, RC_MALFORMED: not applied) and
 *   never calls. Two writes in flight are applied in either order; one that is
 *   begun in the other's callback is applied after it.
 * - A read fills its results and returns RC_OK or an error, or returns
 *   RC_PENDING and calls back later, never both. What it read was committed.
 * - The operation's struct belongs to the caller, holds still until the
 *   callback, and borrows its inputs until then. Results are copied into it.
 * - Results: RC_OK, RC_DUPLICATE (done before), RC_CONFLICT (exists and
 *   differs), RC_QUOTA, RC_SPENT, RC_NOTFOUND, RC_STALE (a record changed since
 *   it was read, or an intent that is not ours), RC_FENCED, RC_BLOCKED,
 *   RC_BUSY (queue full; not applied), RC_UNAVAILABLE (not applied),
 *   RC_UNKNOWN (in doubt: ask again), RC_TOOBIG, RC_NOMEM. why has the clause.
 * - An audit entry is appended in the same transaction as what it records. */
#ifndef MICA_STORAGE_STORE_H
#define MICA_STORAGE_STORE_H

#include "base/buf.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "base/why.h"
#include <stdatomic.h>

#define STORE_SCHEMA_VERSION 3
#define STORE_SERIAL_BYTES 20   /* RFC 5280 section 4.1.2.2 */
#define STORE_HASH_BYTES 32     /* SHA-256 */
#define STORE_DEVICE_ID_MAX 128 /* bytes, printable ASCII */
#define STORE_NAME_MAX 64       /* authority, profile, anchor, quota names */
#define STORE_ACTOR_MAX 160     /* who asked, in the audit trail */
#define STORE_TEXT_MAX 512      /* an audit entry's detail; a device's note */
#define STORE_DER_MAX_BYTES 65536
#define STORE_ROWS_MAX 256   /* rows a list or a scan returns at most */
#define STORE_BATCH_MAX 256  /* operations a commit carries at most */
#define STORE_LIVE_MAX 1024  /* unexpired certificates of a device */
#define STORE_QUEUE_MAX 4096 /* writes waiting at most, then RC_BUSY */

struct store;

struct store_opts {
	const char *path;    /* a folder; "/proc/self/fd/N" will do */
	uint64_t size_bytes; /* the map; fixed while any process has it open */
	bool create;         /* make the store where there is none */
	bool readonly;       /* no writer thread, no slot */
	bool index_keys;     /* keep the public key index */
	uint32_t node;       /* this machine's number in a cluster; 0 */
	uint64_t low_bytes;  /* below this much free disk: issue nothing */
	int64_t backdate_us; /* clock floor = greatest commit time less this */
	_Atomic uint32_t *halt;  /* shared: nonzero stops writes everywhere;
				  * NULL keeps the flag in the process */
	struct metrics *metrics; /* may be NULL */
};

/* Open, and take a new slot (one durable write, here and not on the loop). With
 * create, a store of an earlier schema version becomes one of this in the same
 * transaction, and the audit trail says so. Open after exec, never across fork,
 * once a process.
 * Errors: RC_NOTFOUND (and create is off) RC_CONFLICT (another schema version)
 * RC_IO RC_NOMEM RC_PERMISSION. */
MUST_CHECK enum rc store_open(struct store **out, const struct store_opts *o,
        struct loop *loop, struct why *why);
/* Finish queued writes, call back, join the writer. NULL is a no-op. */
void store_close(struct store *s);
/* The slot that this process's intents carry. 0 when readonly. */
uint64_t store_slot(const struct store *s);

/* --- an operation: the first member of each operation's struct */
struct store_op;
typedef void store_done_fn(struct store_op *op);

struct store_op {
	/* in */
	store_done_fn *done; /* on the loop; op->rc and op->why are set */
	void *ctx;
	const char *actor; /* "device x", "operator uid 0", "system keeper" */
	/* out */
	enum rc rc;
	struct why why;
	/* the engine's */
	struct store_op *next;
	uint8_t kind;
};

/* --- certificates */
struct cert_key {
	uint32_t authority;                 /* store_authority.id */
	uint8_t serial[STORE_SERIAL_BYTES]; /* left-padded with zeros */
};

enum cert_state {
	CERT_INTENT = 1, /* T1 done: may have been signed, not released */
	CERT_ISSUED,
	CERT_HELD, /* certificateHold */
	CERT_REVOKED,
	CERT_ABANDONED, /* never released; the serial is burnt */
};

/* RFC 5280 section 5.3.1; the numbers are the CRLReason's. */
enum cert_reason {
	REASON_UNSPECIFIED = 0,
	REASON_KEY_COMPROMISE = 1,
	REASON_CA_COMPROMISE = 2,
	REASON_AFFILIATION_CHANGED = 3,
	REASON_SUPERSEDED = 4,
	REASON_CESSATION_OF_OPERATION = 5,
	REASON_CERTIFICATE_HOLD = 6,
	REASON_PRIVILEGE_WITHDRAWN = 9,
	REASON_AA_COMPROMISE = 10,
};

/* The credential a request came with; T1 and T2 read its record again. */
enum credential_kind {
	CREDENTIAL_SYSTEM = 1, /* the daemon itself */
	CREDENTIAL_OPERATOR,   /* over the admin socket */
	CREDENTIAL_TOKEN,      /* hash: SHA-256 of the token; cert.authority:
				* whom it is for, an earlier generation of who
				* issues, maybe; 0: that one */
	CREDENTIAL_OWN,        /* cert: a certificate of ours */
	CREDENTIAL_FOREIGN,    /* hash: SHA-256 of the certificate */
	CREDENTIAL_SHARED,     /* a secret that many devices share; hash: which
				* one it is, nothing of itself */
};

struct store_credential {
	enum credential_kind kind;
	uint8_t hash[STORE_HASH_BYTES];
	struct cert_key cert;
	/* CREDENTIAL_FOREIGN: of its public key. That it is blocked is all that
	 * can be on record against such a certificate; which anchors vouch is
	 * the configuration's, and a hand-over lets what is under way end by
	 * the one it began with. */
	uint8_t spki_hash[STORE_HASH_BYTES];
};

struct store_cert {
	struct cert_key key;
	uint64_t sequence; /* assigned at T2, from 1; 0 before */
	enum cert_state state;
	enum cert_reason reason; /* when held or revoked */
	bool held_by_suspend;
	int64_t begun_us;     /* T1 */
	int64_t issued_us;    /* T2 */
	int64_t status_us;    /* of the last change of state */
	int64_t invalidity_s; /* invalidityDate; 0 is none */
	int64_t not_before_s;
	int64_t not_after_s;
	uint16_t shard; /* of the CRL that its URL names; 0: the full one */
	uint64_t slot;  /* of the process that made the intent */
	char device[STORE_DEVICE_ID_MAX + 1];
	char profile[STORE_NAME_MAX + 1];
	char requester[STORE_ACTOR_MAX + 1]; /* T1's actor */
	enum credential_kind credential;
	uint8_t spki_hash[STORE_HASH_BYTES];
	uint8_t cert_hash[STORE_HASH_BYTES]; /* SHA-256 of the DER; 0 at T1 */
	uint8_t request_hash[STORE_HASH_BYTES];
};

/* T1. Durable before anything is signed: the serial, the whole TBS, who asked
 * and on what grant. In one transaction:
 *  1. the grant's deadline has not passed (RC_TIMEOUT), the clock is not below
 *     the floor, the disk not below low_bytes (RC_UNAVAILABLE);
 *  2. a retry is found: the device's newest certificate has request_hash, is
 *     ISSUED, not expired, was begun at or after retry_after_us, and the device
 *     is active: RC_DUPLICATE, *twin names it. Found, but held or revoked, or
 *     the device suspended: RC_DENIED. A live intent with that hash: RC_BUSY;
 *  3. the public key is not blocked (RC_BLOCKED);
 *  4. authority_version and device_version are as decided on (RC_STALE);
 *     device_version 0: the device must not exist, and is created, bound to
 *     anchor;
 *  5. device and presented credential are in good standing (RC_DENIED): token
 *     unspent (RC_SPENT), unexpired or held by this very request (10.), of this
 *     device, authority and profile; own certificate ISSUED; the key of a
 *     foreign one not blocked; for a shared secret the device never had a
 *     certificate, in whatever state it is now, and no other request of it is in
 *     flight (RC_BUSY);
 *  6. max_active (0: no limit): certificates of this device and profile that
 *     are ISSUED or HELD and unexpired, and its intents (RC_QUOTA). Whatever
 *     max_active says, a device has at most STORE_LIVE_MAX unexpired ones;
 *  7. quota, where named, debited by one (RC_QUOTA, RC_NOTFOUND);
 *  8. the token is redeemed by this serial;
 *  9. RC_CONFLICT when the serial exists;
 * 10. an operator has denied this very request: RC_DENIED. With wait: has one
 *     approved it? If not it is entered, or waits already: RC_WAITING, and
 *     neither token nor quota is touched, but no other request passes with a
 *     token that one holds (RC_SPENT). RC_QUOTA: too many wait.
 * The serial is the request's id: asked again after RC_UNKNOWN, with the same
 * serial, request_hash and TBS, an intent that is there is RC_OK. RC_FENCED:
 * this process's slot was given up by store_abandon(). */
/* An operator has to agree (`approve: manual`). */
struct store_wait {
	const char *label;
	struct bytes request; /* the certification request, DER, less secrets */
	int64_t life_us;
	/* Whom a poll has to come from and what it is for, hashed; all zeros:
	 * nobody polls. */
	uint8_t poll[STORE_HASH_BYTES];
	bool only_look; /* a poll: RC_DENIED where none is open */
};
struct store_issue_begin {
	struct store_op op;
	struct cert_key key;
	struct bytes tbs;
	const char *device; /* NULL or "": the certificate belongs to none */
	const char *anchor; /* for a device created here; "" is ours */
	const char *profile;
	const char *quota; /* NULL: none */
	struct store_credential credential;
	uint64_t device_version;
	uint64_t authority_version;
	uint32_t max_active;
	uint16_t shard; /* as store_cert has it; fixed for good */
	int64_t not_before_s, not_after_s;
	int64_t retry_after_us;
	int64_t deadline_us; /* wall clock; 0: none */
	uint8_t spki_hash[STORE_HASH_BYTES];
	/* SHA-256 over identity, authority, profile, SPKI, names, credential */
	uint8_t request_hash[STORE_HASH_BYTES];
	const struct store_wait *wait; /* NULL: nobody is asked */
	/* out */
	struct cert_key twin; /* RC_DUPLICATE */
};
MUST_CHECK enum rc store_issue_begin(
        struct store *s, struct store_issue_begin *op);

/* T2. der is the whole certificate; its TBS must be the intent's, byte for byte
 * (RC_CONFLICT). Anything but an INTENT of this process's slot: RC_STALE.
 * Device, credential and authority are read again: if any went bad since T1
 * the certificate is recorded as revoked (cessationOfOperation) and the result
 * is RC_DENIED: do not release it. Asked again after RC_UNKNOWN, a certificate
 * of this process that is recorded with that cert_hash is RC_DUPLICATE (or
 * RC_DENIED, as before), with its sequence. */
struct store_issue_finish {
	struct store_op op;
	struct cert_key key;
	struct bytes der;
	uint8_t cert_hash[STORE_HASH_BYTES];
	/* So long after this, store_supersede() revokes the presented own
	 * certificate; 0: never. At once would refuse the retry of a device
	 * that the answer did not reach. */
	int64_t supersede_after_s;
	/* out */
	uint64_t sequence;
};
MUST_CHECK enum rc store_issue_finish(
        struct store *s, struct store_issue_finish *op);

/* Intents that will not be finished: state ABANDONED, token and quota given
 * back in the same transaction. One intent of this process (signing failed),
 * or all of a slot whose process is known to be dead, or, at daemon start and
 * before any other process opens the store, all but this process's. A slot that
 * is given up is fenced: it begins nothing more. */
enum store_abandon_what { ABANDON_ONE, ABANDON_SLOT, ABANDON_OTHERS };
struct store_abandon {
	struct store_op op;
	enum store_abandon_what what;
	struct cert_key key; /* ABANDON_ONE */
	uint64_t slot;       /* ABANDON_SLOT */
	/* out */
	uint32_t abandoned;
	bool more; /* over STORE_ROWS_MAX: call again */
};
MUST_CHECK enum rc store_abandon(struct store *s, struct store_abandon *op);

/* Revoke (superseded) those whose time has come, STORE_ROWS_MAX at a time; what
 * ended or was revoked meanwhile stays as it is. store_stat tells when the next
 * is due. Twice is harmless. */
struct store_supersede {
	struct store_op op;
	/* out */
	uint32_t revoked;
	bool more;
};
MUST_CHECK enum rc store_supersede(struct store *s, struct store_supersede *op);

/* Revoke, hold or release one certificate. Revoking twice is RC_OK and changes
 * nothing, but keyCompromise replaces an earlier reason (the time of revocation
 * stays, and so does invalidity_s where the later one has none); it also blocks
 * the public key (as store_key_block) in the same transaction. Hold: only
 * ISSUED. Release: only HELD, and not what a suspended device holds.
 * RC_CONFLICT when the state does not allow it, RC_NOTFOUND, RC_MALFORMED (no
 * such reason). */
enum store_status_change { STATUS_REVOKE, STATUS_HOLD, STATUS_RELEASE };
struct store_set_status {
	struct store_op op;
	struct cert_key key;
	enum store_status_change change;
	enum cert_reason reason; /* STATUS_REVOKE */
	int64_t invalidity_s;    /* STATUS_REVOKE; 0 is none */
	bool dry_run;            /* a read: what would be answered */
	/* out */
	bool changed;
	uint64_t position; /* in the feed; of the earlier change if none now */
};
MUST_CHECK enum rc store_set_status(
        struct store *s, struct store_set_status *op);

/* Where a walk that goes by parts goes on. */
struct store_cursor {
	uint8_t b[192];
	uint8_t n; /* 0: from the start */
};

/* Revoke, hold or release many: those of a device, of a public key (a scan of
 * all where there is no whole index), or those that some authorities issued at
 * a time (but the daemon's own, whose keys were made elsewhere). A call looks at STORE_ROWS_MAX certificates at most and changes what
 * the rules of store_set_status let it; while there is more, call again with
 * cursor set to next. Each part is one transaction and harmless twice, so a
 * walk that broke off is taken up again anywhere before its end. Every
 * certificate that changes has an audit entry of its own.
 *
 * Nothing slips through while it goes on. The call without a cursor
 * - of a device suspends it (until an operator resumes it), so that T1 and T2
 *   refuse it from then on. To hold its certificates: store_device_suspend.
 * - of a key that is revoked blocks it, whatever the reason: T1 refuses it, and
 *   T2 records as revoked what was in flight.
 * - of a lot enters the lot in the audit trail; keep to_us in the past, for
 *   what is issued later is not of it. */
enum store_revoke_by { REVOKE_BY_DEVICE, REVOKE_BY_KEY, REVOKE_BY_ISSUE };
struct store_revoke {
	struct store_op op;
	enum store_revoke_by by;
	const char *device;
	uint8_t spki_hash[STORE_HASH_BYTES];
	const uint32_t *authorities; /* REVOKE_BY_ISSUE; none: all of them */
	size_t n_authorities;
	int64_t from_us, to_us; /* REVOKE_BY_ISSUE: issued_us, half open */
	enum store_status_change change;
	enum cert_reason reason;
	int64_t invalidity_s;
	bool dry_run; /* a read: counts, and changes nothing */
	struct store_cursor cursor;
	/* out */
	struct store_cursor next;
	bool more;
	uint32_t selected; /* certificates meant, in any state */
	uint32_t changed;
	uint64_t position; /* of the feed after it; 0 in a dry run */
};
MUST_CHECK enum rc store_revoke(struct store *s, struct store_revoke *op);

/* Reads, inline on LMDB. */
struct store_fetch {
	struct store_op op;
	struct cert_key key;
	/* out */
	struct store_cert cert;
	struct buf der; /* the caller gives its cap; the TBS while an intent */
};
MUST_CHECK enum rc store_fetch(struct store *s, struct store_fetch *op);

enum store_list_by {
	LIST_BY_SEQUENCE,   /* all that was issued, in order of issue */
	LIST_BY_DEVICE,     /* device; oldest first */
	LIST_BY_KEY,        /* spki_hash; RC_UNSUPPORTED without the index */
	LIST_BY_EXPIRY,     /* not_after_s in [from_s, to_s) */
	LIST_BY_REVOCATION, /* authority; held and revoked, in that order */
	LIST_INTENTS,       /* in flight */
	LIST_ABANDONED,
};
/* Nothing that was present throughout a walk is skipped or repeated. */
struct store_list {
	struct store_op op;
	enum store_list_by by;
	const char *device;
	uint8_t spki_hash[STORE_HASH_BYTES];
	uint32_t authority;
	int64_t from_s, to_s;
	struct store_cursor cursor; /* in, and out: where to go on */
	struct store_cert *rows;    /* the caller's array */
	size_t max;                 /* at most STORE_ROWS_MAX */
	/* out */
	size_t n;
	bool more;
};
MUST_CHECK enum rc store_list(struct store *s, struct store_list *op);

/* Status of up to STORE_ROWS_MAX certificates in one snapshot. A key that is
 * not there has state 0. */
struct store_status_row {
	struct cert_key key;
	enum cert_state state;
	enum cert_reason reason;
	uint16_t shard;
	int64_t status_us, invalidity_s, not_after_s;
	uint64_t sequence;
};
struct store_status {
	struct store_op op;
	struct store_status_row *rows;
	size_t n;
	/* out */
	uint64_t position; /* of the feed in that snapshot */
};
MUST_CHECK enum rc store_status(struct store *s, struct store_status *op);

/* Status changes after ISSUED, in order, from a position on (first is 1). */
struct store_feed {
	struct store_op op;
	uint64_t from;
	struct store_status_row *rows; /* the caller's array */
	size_t max;
	/* out */
	size_t n;
	uint64_t last; /* newest position there is */
};
MUST_CHECK enum rc store_feed(struct store *s, struct store_feed *op);

/* What changed since the last look, for a cache of what was read. Asked before
 * each use, so it is cheap when nothing did, and it is answered at once:
 * RC_OK, or an error, after which nothing cached may be used. Start with
 * snapshot 0; ask again while more. lost: over STORE_CHANGES_MAX changes, a
 * floor that was lowered (answers may be dated ahead), or the first look: drop
 * all that was cached before. */
#define STORE_CHANGES_MAX 4096
struct store_changes {
	struct store_op op;
	/* in, and out; the store's to set */
	uint64_t snapshot;             /* up to which all was taken */
	uint64_t position;             /* of the feed */
	struct store_status_row *rows; /* the caller's array */
	size_t max;                    /* at least 1 */
	/* out */
	size_t n;
	bool more;
	bool lost;
	/* in, and out: as store_stat has it; stays when unchanged */
	int64_t clock_floor_us;
};
MUST_CHECK enum rc store_changes(struct store *s, struct store_changes *op);

/* --- devices */
enum device_state { DEVICE_ACTIVE = 1, DEVICE_SUSPENDED };
struct store_device {
	char id[STORE_DEVICE_ID_MAX + 1];
	char anchor[STORE_NAME_MAX + 1]; /* who vouches; "" is ourselves */
	enum device_state state;
	uint64_t version; /* rises with each change; 0 does not exist */
	int64_t created_us;
	int64_t changed_us;
	char note[STORE_TEXT_MAX + 1];
};

/* Create (expect_version 0: RC_EXISTS if there is one) or change (RC_STALE).
 * id, anchor, note are taken from device; state and times are the store's. */
struct store_device_put {
	struct store_op op;
	struct store_device device; /* in, and out as stored */
	uint64_t expect_version;
};
MUST_CHECK enum rc store_device_put(
        struct store *s, struct store_device_put *op);

/* Suspend: the state, and a hold on every ISSUED certificate, in one
 * transaction (bounded, since a device has at most STORE_LIVE_MAX unexpired
 * ones). Resume releases those holds alone. Twice is harmless. */
struct store_device_suspend {
	struct store_op op;
	const char *id;
	bool resume;
	/* out */
	uint32_t changed; /* certificates held or released */
};
MUST_CHECK enum rc store_device_suspend(
        struct store *s, struct store_device_suspend *op);

struct store_device_get {
	struct store_op op;
	const char *id;
	/* out */
	struct store_device device;
};
MUST_CHECK enum rc store_device_get(
        struct store *s, struct store_device_get *op);

struct store_device_list {
	struct store_op op;
	struct store_cursor cursor;
	struct store_device *rows;
	size_t max;
	/* out */
	size_t n;
	bool more;
};
MUST_CHECK enum rc store_device_list(
        struct store *s, struct store_device_list *op);

/* --- one-time tokens; the store sees their hash alone */
enum token_state { TOKEN_UNSPENT = 1, TOKEN_SPENT };
struct store_token {
	uint8_t hash[STORE_HASH_BYTES];
	enum token_state state;
	char device[STORE_DEVICE_ID_MAX + 1];
	uint32_t authority;
	char profile[STORE_NAME_MAX + 1];
	int64_t created_us;
	int64_t expires_us;
	struct cert_key spent_by; /* when spent */
};
/* Creates the device where it is absent (bound to ourselves).
 * RC_EXISTS: that hash is known. RC_DENIED: the device is suspended.
 * RC_NOTFOUND: no such authority. */
struct store_token_put {
	struct store_op op;
	struct store_token token;
};
MUST_CHECK enum rc store_token_put(struct store *s, struct store_token_put *op);
struct store_token_get {
	struct store_op op;
	uint8_t hash[STORE_HASH_BYTES];
	/* out */
	struct store_token token;
};
MUST_CHECK enum rc store_token_get(struct store *s, struct store_token_get *op);

/* --- quotas: a named counter with a limit; T1 debits, abandon returns */
struct store_quota {
	char name[STORE_NAME_MAX + 1];
	uint64_t limit;
	uint64_t used;
};
struct store_quota_put { /* create or set the limit; used stays */
	struct store_op op;
	struct store_quota quota; /* in; out as stored */
};
MUST_CHECK enum rc store_quota_put(struct store *s, struct store_quota_put *op);
struct store_quota_get {
	struct store_op op;
	const char *name;
	/* out */
	struct store_quota quota;
};
MUST_CHECK enum rc store_quota_get(struct store *s, struct store_quota_get *op);
/* Reserve n at once (RC_QUOTA: nothing is taken) or return n (never below 0:
 * RC_CONFLICT). */
struct store_quota_change {
	struct store_op op;
	const char *name;
	uint64_t n;
	bool give_back;
	/* out */
	struct store_quota quota;
};
MUST_CHECK enum rc store_quota_change(
        struct store *s, struct store_quota_change *op);

/* --- authorities: a CA certificate gets its number when it enters */
enum authority_state {
	AUTHORITY_ACTIVE = 1,
	AUTHORITY_RETIRED,
	AUTHORITY_REVOKED, /* for good */
};
struct store_authority {
	uint32_t id;                   /* from 1 */
	char name[STORE_NAME_MAX + 1]; /* the configuration's */
	enum authority_state state;
	uint64_t version;
	int64_t entered_us;
	uint8_t cert_hash[STORE_HASH_BYTES]; /* SHA-256 of the certificate */
	enum cert_reason reason;             /* AUTHORITY_REVOKED */
	int64_t revoked_us;
};
/* An authority that is not ACTIVE issues nothing but certificates of that profile
 * under CREDENTIAL_SYSTEM, and those until the last of all others has ended: OCSP
 * answers for them until then. */
#define STORE_PROFILE_RESPONDER "@ocsp"

/* The same certificate again is RC_OK with the id it has. A new certificate
 * under a known name is a new generation: a new id; the old is RETIRED. A
 * retired one that comes again is ACTIVE again (unless it comes as retired), one
 * that was revoked never is.
 * At most STORE_ROWS_MAX of all names and generations (RC_QUOTA). */
struct store_authority_put {
	struct store_op op;
	struct store_authority authority; /* name, cert_hash in; all out */
	struct bytes der;
	bool retired; /* it issues nothing more: RETIRED, whatever it was */
};
MUST_CHECK enum rc store_authority_put(
        struct store *s, struct store_authority_put *op);
/* One generation issues nothing more but responders' certificates, whatever the
 * configuration says: T1 refuses, T2 records as revoked what was in flight. What it issued before
 * stays as it is, and so does the status of that. Twice is RC_OK and changes
 * nothing, but keyCompromise and cACompromise replace another reason.
 * RC_NOTFOUND, RC_MALFORMED (no such reason). */
struct store_authority_revoke {
	struct store_op op;
	uint32_t id;
	enum cert_reason reason;
	/* out */
	bool changed;
	struct store_authority authority;
};
MUST_CHECK enum rc store_authority_revoke(
        struct store *s, struct store_authority_revoke *op);
struct store_authority_list { /* all of them, at most STORE_ROWS_MAX */
	struct store_op op;
	struct store_authority *rows;
	size_t max;
	/* out */
	size_t n;
};
MUST_CHECK enum rc store_authority_list(
        struct store *s, struct store_authority_list *op);
struct store_authority_get { /* by id */
	struct store_op op;
	uint32_t id;
	/* out */
	struct store_authority authority;
	struct buf der; /* the caller gives its cap */
};
MUST_CHECK enum rc store_authority_get(
        struct store *s, struct store_authority_get *op);

/* Which generation the devices are at, by parts of so many devices; a part adds
 * to rows. Valid is what is neither expired nor revoked; held counts. */
#define STORE_CENSUS_DEVICES 1024
struct store_census_row {
	int64_t since_us; /* in */
	uint64_t devices; /* whose newest valid certificate is of it */
	uint64_t recent;  /* of these, that one was begun since since_us */
	uint64_t certs;   /* valid ones of devices */
	int64_t end_s;    /* the last notAfter of these; 0: there are none */
};
struct store_census {
	struct store_op op;
	/* The caller's, by authority id: STORE_ROWS_MAX + 1 of them. */
	struct store_census_row *rows;
	uint64_t next; /* in, and out: where to go on; 0: from the start */
	/* out */
	uint64_t looked; /* devices in this part */
	bool more;
};
MUST_CHECK enum rc store_census(struct store *s, struct store_census *op);

/* --- CRLs: one series of numbers for each scope, which is an authority and a
 * shard (0: the full CRL). Numbers only rise (DESIGN rule 9). */
struct store_crl {
	uint32_t authority;
	uint16_t shard;
	uint64_t given; /* the newest number that was given out */
	/* The newest that was committed; all 0 before the first. */
	uint64_t number;
	int64_t this_update_s, next_update_s;
	int64_t regular_s; /* thisUpdate of the newest regular one */
	uint64_t position; /* of the feed: later changes are not in it */
	uint64_t count;    /* of entries */
	uint64_t bytes;
	uint8_t hash[STORE_HASH_BYTES];
	/* Of the scope itself. */
	uint64_t listed; /* certificates that are held or revoked now */
	int64_t ends_s;  /* none of its certificates lives longer; whole days */
};

/* Give out a number, durably before it is used: the greatest of the last + 1,
 * above + 1 and Unix time. The number is the lease, too: a later begin takes it away. A CRL
 * covers all authorities of the same issuer name and key: also names those
 * beside the one whose series it is. RC_NOTFOUND: no such authority. RC_FENCED:
 * this process's slot was given up. */
struct store_crl_begin {
	struct store_op op;
	uint32_t authority;
	uint16_t shard;
	const uint32_t *also;
	size_t n_also;
	uint64_t above; /* one that is known to be published; 0 */
	/* out */
	uint64_t number;
	int64_t now_s; /* to date it by: the clock, or its floor (rule 11) */
	/* Entries whose certificate ended before this have been on a regular
	 * CRL since and may go (RFC 5280 section 3.3). */
	int64_t ended_before_s;
	uint64_t position;
	uint64_t listed; /* over all authorities that it covers */
};
MUST_CHECK enum rc store_crl_begin(struct store *s, struct store_crl_begin *op);

struct store_crl_row {
	uint8_t serial[STORE_SERIAL_BYTES];
	enum cert_reason reason; /* certificateHold while held */
	int64_t revoked_s;
	int64_t invalidity_s; /* 0: none */
};
/* Held and revoked certificates of a scope by serial, at most STORE_ROWS_MAX at
 * a time. What stays in the list throughout a walk is neither skipped nor
 * repeated. */
struct store_crl_scan {
	struct store_op op;
	uint32_t authority;
	uint16_t shard;
	int64_t ended_before_s; /* leave those out */
	struct store_cursor cursor;
	struct store_crl_row *rows; /* the caller's array */
	size_t max;
	/* out */
	size_t n;
	size_t seen; /* n and those left out */
	bool more;
	uint64_t position; /* of the feed in that snapshot */
};
MUST_CHECK enum rc store_crl_scan(struct store *s, struct store_crl_scan *op);

/* What was made under a number. RC_FENCED: the lease is another's. Twice is
 * RC_OK. */
struct store_crl_commit {
	struct store_op op;
	struct store_crl crl; /* authority, shard, number to hash in; all out */
	bool regular;         /* made by schedule */
};
MUST_CHECK enum rc store_crl_commit(
        struct store *s, struct store_crl_commit *op);

/* RC_NOTFOUND: nothing was issued or numbered in that scope yet. */
struct store_crl_last {
	struct store_op op;
	uint32_t authority;
	uint16_t shard;
	/* out */
	struct store_crl crl;
};
MUST_CHECK enum rc store_crl_last(struct store *s, struct store_crl_last *op);
/* All scopes, by authority and shard. */
struct store_crl_list {
	struct store_op op;
	struct store_cursor cursor;
	struct store_crl *rows;
	size_t max;
	/* out */
	size_t n;
	bool more;
};
MUST_CHECK enum rc store_crl_list(struct store *s, struct store_crl_list *op);

/* --- public keys that are known to be compromised: no T1 passes for them */
struct store_key_block {
	struct store_op op;
	uint8_t spki_hash[STORE_HASH_BYTES];
};
MUST_CHECK enum rc store_key_block(struct store *s, struct store_key_block *op);

/* --- audit: entry n's hash = SHA-256(hash of n-1, entry n) */
struct store_audit_row {
	uint64_t number; /* from 1 */
	int64_t time_us;
	char event[32]; /* "issue.begin", "token.create" */
	char actor[STORE_ACTOR_MAX + 1];
	char object[STORE_DEVICE_ID_MAX + 64];
	char detail[STORE_TEXT_MAX + 1];
	uint8_t hash[STORE_HASH_BYTES];
};
/* For what has no operation of its own: start, stop, configuration. */
struct store_audit {
	struct store_op op;
	const char *event, *object, *detail;
	/* A request that was found approved and is carried out by what this
	 * says; both are on record, or neither is. 0: none. RC_CONFLICT: it was
	 * carried out, denied or ran out meanwhile. */
	uint64_t approval;
	/* out */
	uint64_t number;
};
MUST_CHECK enum rc store_audit(struct store *s, struct store_audit *op);
struct store_audit_scan {
	struct store_op op;
	uint64_t from; /* number; 0 and 1 are the start */
	struct store_audit_row *rows;
	size_t max;
	/* out */
	size_t n;
	bool more;
	bool broken; /* a row's hash does not follow */
	uint64_t broken_at;
};
MUST_CHECK enum rc store_audit_scan(
        struct store *s, struct store_audit_scan *op);

/* --- the two-person rule: what one operator asks for and another approves.
 * A request binds its content by hash, runs out, and is carried out once. Who
 * an operator is, is a uid. A closed one is forgotten as long after as it had
 * to be decided in; its number never comes again. Every step has an audit
 * entry. */
#define STORE_ACTION_MAX 31
#define STORE_APPROVALS_MAX STORE_ROWS_MAX /* open ones */
#define STORE_APPROVALS_OPERATOR_MAX 32    /* open ones of an operator */
enum approval_state {
	APPROVAL_PENDING = 1, /* open: until expires_us */
	APPROVAL_APPROVED,    /* open, too: to be carried out until then */
	APPROVAL_CARRIED_OUT,
	APPROVAL_DENIED,
	APPROVAL_EXPIRED,
};
struct store_approval {
	uint64_t id; /* from 1, in the order they were asked in */
	enum approval_state state;
	char action[STORE_ACTION_MAX + 1]; /* "authority.revoke" */
	char object[STORE_NAME_MAX + 1];   /* the authority, the key */
	char detail[STORE_TEXT_MAX + 1];   /* what the other one is shown */
	uint8_t content[STORE_HASH_BYTES]; /* SHA-256 of all that is asked */
	uint32_t asked_by, decided_by;     /* uid; decided_by once it is */
	int64_t asked_us, expires_us;
	int64_t decided_us; /* approved or denied; 0: not */
	int64_t closed_us;  /* 0 while open */
};

/* Ask to carry something out. An open request of this operator for the same
 * action, object and content is taken up: one that is approved is carried out
 * by this call, durably and once (go), or later, by a store_audit() that names
 * it; one that is pending stays so. Else a new one is entered, to expire at
 * expires_us. One that ran out is never taken up.
 * RC_QUOTA: too many are open, or too many of this operator. */
struct store_approval_ask {
	struct store_op op;
	/* action, object, detail, content, asked_by, expires_us in; all out */
	struct store_approval approval;
	bool later; /* go leaves it approved, for who fails to try again */
	/* out */
	bool go;
};
MUST_CHECK enum rc store_approval_ask(
        struct store *s, struct store_approval_ask *op);

/* Approve or deny. Nobody approves what he asked for (RC_DENIED); to deny it is
 * to withdraw it. Denied, too, while it was not carried out. RC_NOTFOUND,
 * RC_CONFLICT: it is closed, or ran out. The same twice is RC_OK. */
struct store_approval_decide {
	struct store_op op;
	uint64_t id;
	uint32_t by; /* uid */
	bool approve;
	/* out */
	struct store_approval approval;
};
MUST_CHECK enum rc store_approval_decide(
        struct store *s, struct store_approval_decide *op);

/* Close what ran out, forget what was closed long enough ago; STORE_ROWS_MAX of
 * each at a time. Twice is harmless. */
struct store_approval_expire {
	struct store_op op;
	/* out */
	uint32_t expired, forgotten;
};
MUST_CHECK enum rc store_approval_expire(
        struct store *s, struct store_approval_expire *op);

struct store_approval_get {
	struct store_op op;
	uint64_t id;
	/* out */
	struct store_approval approval;
};
MUST_CHECK enum rc store_approval_get(
        struct store *s, struct store_approval_get *op);

/* The open ones, or those that are closed; by id. */
struct store_approval_list {
	struct store_op op;
	bool closed;
	struct store_cursor cursor;
	struct store_approval *rows; /* the caller's array */
	size_t max;
	/* out */
	size_t n;
	bool more;
};
MUST_CHECK enum rc store_approval_list(
        struct store *s, struct store_approval_list *op);

/* --- requests that wait for an operator. T1 enters them (store_wait), T2 closes
 * them; each is of exactly one request_hash: identity, authority, profile, SPKI,
 * names and credential. A closed one is forgotten a life later; its number
 * never comes again. Every step has an audit entry. */
#define STORE_WAITING_MAX 1024     /* open ones */
#define STORE_WAITING_DEVICE_MAX 4 /* open ones of a device */
/* Open ones of a label by a shared secret, which leave room for the others; nor
 * do they count as their device's, which anybody may name. */
#define STORE_WAITING_SHARED_MAX 256
#define STORE_REQUEST_MAX_BYTES 16384
enum waiting_state {
	WAITING_OPEN = 1, /* until expires_us */
	WAITING_APPROVED, /* open, too: to be picked up until then */
	WAITING_ISSUED,
	WAITING_DENIED,
	WAITING_EXPIRED,
};
struct store_waiting {
	uint64_t id; /* from 1, in the order they came in */
	enum waiting_state state;
	uint32_t authority;
	enum credential_kind credential;
	char device[STORE_DEVICE_ID_MAX + 1];
	char profile[STORE_NAME_MAX + 1];
	char label[STORE_NAME_MAX + 1];
	char requester[STORE_ACTOR_MAX + 1];
	uint8_t token[STORE_HASH_BYTES]; /* CREDENTIAL_TOKEN: its hash */
	uint8_t spki_hash[STORE_HASH_BYTES];
	uint8_t request_hash[STORE_HASH_BYTES];
	uint8_t poll[STORE_HASH_BYTES]; /* as store_wait has it */
	uint32_t decided_by;            /* uid; once it is */
	int64_t asked_us, expires_us;
	int64_t decided_us; /* approved or denied; 0: not */
	int64_t closed_us;  /* 0 while open */
};

/* Approve or deny; what was approved can be denied until it is issued, and T2
 * heeds it. RC_NOTFOUND; RC_CONFLICT: it is closed, ran out, or another operator
 * approved it. The same twice by the same one is RC_OK. */
struct store_waiting_decide {
	struct store_op op;
	uint64_t id;
	uint32_t by; /* uid */
	bool approve;
	/* out */
	struct store_waiting waiting;
};
MUST_CHECK enum rc store_waiting_decide(
        struct store *s, struct store_waiting_decide *op);

/* Close what ran out, forget what was closed a life ago; STORE_ROWS_MAX of each
 * at a time. Twice is harmless. */
struct store_waiting_expire {
	struct store_op op;
	/* out */
	uint32_t expired, forgotten;
};
MUST_CHECK enum rc store_waiting_expire(
        struct store *s, struct store_waiting_expire *op);

/* By number, or with id 0 by poll: the newest of those. */
struct store_waiting_get {
	struct store_op op;
	uint64_t id;
	uint8_t poll[STORE_HASH_BYTES];
	/* out; the caller gives the bufs their caps */
	struct store_waiting waiting;
	struct buf request; /* the certification request */
	struct buf tbs;     /* of what was to be issued then: its names */
};
MUST_CHECK enum rc store_waiting_get(
        struct store *s, struct store_waiting_get *op);

/* The open ones, or those that are closed; by id. */
struct store_waiting_list {
	struct store_op op;
	bool closed;
	struct store_cursor cursor;
	struct store_waiting *rows; /* the caller's array */
	size_t max;
	/* out */
	size_t n;
	bool more;
};
MUST_CHECK enum rc store_waiting_list(
        struct store *s, struct store_waiting_list *op);

/* --- the store itself */
struct store_stat {
	struct store_op op;
	/* out */
	uint64_t issued, intents, abandoned, revoked, held, devices, tokens;
	uint64_t feed_position, audit_last;
	uint64_t used_bytes, size_bytes, disk_free_bytes;
	int64_t clock_floor_us;
	int64_t supersede_due_s; /* for store_supersede(); 0: none is noted */
	bool halted;
};
MUST_CHECK enum rc store_stat(struct store *s, struct store_stat *op);

/* Lower the clock floor (DESIGN rule 11), after a clock that ran ahead was set
 * right: nothing else lowers it. To floor_us, or as far as the clock lets it,
 * which is to the clock less backdate_us: what a commit raises it to. There
 * already, it is RC_OK and nothing changes; RC_CONFLICT where floor_us lies
 * above the floor or below what the clock lets it. An audit entry tells both.
 * Who looks by store_changes() is told so as lost. */
struct store_floor_lower {
	struct store_op op;
	bool to_clock;
	int64_t floor_us; /* in, unless to_clock; out as it stands now */
	/* out */
	int64_t before_us;
};
MUST_CHECK enum rc store_floor_lower(
        struct store *s, struct store_floor_lower *op);

#endif
