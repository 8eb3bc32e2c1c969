/* ca/signer/proto.h - the messages between mica-signer, its clients (workers
 * and keeper) and the supervisor: types of base/ipc frames and their bodies in
 * base/pack form. Every side checks what it reads.
 *
 * Each client has a SEQPACKET pair with the signer and may send SIGN alone.
 * The control pair is the supervisor's; no other process holds it.
 * Needs base/ and ca/tbs_check.h. */
#ifndef MICA_CA_SIGNER_PROTO_H
#define MICA_CA_SIGNER_PROTO_H

#include "base/buf.h"
#include "base/bytes.h"
#include "base/log.h"
#include "base/why.h"
#include "ca/tbs_check.h"

#define PROTO_VERSION 1
/* The configuration's name of a key, [A-Za-z0-9._-]+, or the name of one that
 * the signer made and keeps: what it is for, '/', whose it is
 * ("ocsp/factory"). */
#define PROTO_KEY_NAME_MAX 80
#define PROTO_OCSP_KEY_PREFIX "ocsp/"
#define PROTO_KEYS_MAX 256
#define PROTO_KEPT_MAX 256              /* names of keys that are kept */
#define PROTO_SIGNATURE_MAX_BYTES 65536 /* post-quantum ones are large */
#define PROTO_POLICIES_MAX 1024         /* in one POLICY */
#define PROTO_POLICY_MAX_BYTES (64u << 20)
#define PROTO_GENERATIONS_MAX 16 /* POLICY sets alive at once */

/* Exit statuses of mica-signer; its manual has them too. */
enum signer_exit {
	SIGNER_EXIT_OK = 0,
	SIGNER_EXIT_FAILED = 1,
	SIGNER_EXIT_USAGE = 2,
	SIGNER_EXIT_KEY = 3,        /* a key is missing or unusable */
	SIGNER_EXIT_PASSPHRASE = 4, /* wrong, or missing */
	SIGNER_EXIT_PERMISSION = 5, /* a secret is open to others */
	SIGNER_EXIT_SANDBOX = 6,
	SIGNER_EXIT_EXISTS = 7, /* refuses to overwrite (--ceremony) */
	/* A token refused its PIN, or has one try left. Whoever starts us again
	 * by itself may lock the token. */
	SIGNER_EXIT_PIN = 8,
	SIGNER_EXIT_TOKEN = 9, /* a module or a token is of no use */
};

enum proto_type {
	/* signer to the supervisor, once, when its keys are loaded; to the
	 * clients, once, with the first policy */
	PROTO_HELLO = 1,
	/* signer to the supervisor, before it loads a key: its name. Who hears
	 * no more knows which one holds it up. */
	PROTO_LOADING = 4,
	/* signer to the supervisor, whenever it changes: struct proto_away,
	 * each. None are before the first. */
	PROTO_AWAY = 5,
	/* client to signer, and the answer under the same id */
	PROTO_SIGN = 2,
	PROTO_SIGNATURE = 3,
	/* supervisor to signer; each answered under its id by PROTO_DONE, or
	 * by what stands beside it */
	PROTO_POLICY = 16,
	PROTO_POLICY_DROP = 17,
	PROTO_MAKE_KEY = 18,     /* PROTO_KEY, or PROTO_DONE with the error */
	PROTO_KEYS = 19,         /* empty body; PROTO_KEY_LIST */
	PROTO_LISTENER_KEY = 21, /* empty body; PROTO_KEY, or PROTO_DONE: the
				  * key file of --listener-key */
	PROTO_STOP = 20,      /* empty body; answers what it has, then exits 0.
			      * No answer of its own */
	PROTO_KEEP_KEY = 22,  /* PROTO_KEY, or PROTO_DONE with the error */
	PROTO_RENEW_KEY = 23, /* likewise */
	PROTO_FLOOR = 24,
	PROTO_LOG = 26,  /* what the signer logs from now on */
	PROTO_PING = 25, /* empty body; PROTO_PONG, by the signer's loop */
	PROTO_DONE = 32,
	PROTO_KEY = 33,
	PROTO_KEY_LIST = 34,
	PROTO_PONG = 35,
};

/* generation: a random number of that signer process. Whoever sees a new one
 * sends again what is unanswered. */
struct proto_hello {
	uint64_t generation;
	uint32_t version; /* PROTO_VERSION */
};
void proto_hello_pack(struct buf *b, const struct proto_hello *m);
MUST_CHECK enum rc proto_hello_unpack(struct proto_hello *m, struct bytes body);

struct proto_sign {
	char key[PROTO_KEY_NAME_MAX + 1];
	uint32_t purpose; /* enum signer_purpose */
	struct bytes tbs; /* borrowed */
};
void proto_sign_pack(struct buf *b, const char *key,
        enum signer_purpose purpose, struct bytes tbs);
/* All but the TBS itself, which follows: for one that is not held in memory. */
void proto_sign_pack_head(struct buf *b, const char *key,
        enum signer_purpose purpose, size_t tbs_bytes);
/* RC_MALFORMED; the purpose may be one that does not exist. */
MUST_CHECK enum rc proto_sign_unpack(struct proto_sign *m, struct bytes body);

/* rc RC_OK and the signature, or an error and its clause: RC_DENIED (policy),
 * RC_NOTFOUND (no such key), RC_MALFORMED RC_TOOBIG RC_UNSUPPORTED (the TBS),
 * RC_BUSY (too many in flight), RC_INTERNAL. */
struct proto_signature {
	enum rc rc;
	struct why why;
	struct bytes signature; /* content of the BIT STRING; borrowed */
};
void proto_signature_pack(struct buf *b, const struct proto_signature *m);
MUST_CHECK enum rc proto_signature_unpack(
        struct proto_signature *m, struct bytes body);

/* A set of policies: each names a key; a key may be named more than once, and
 * one policy that allows is enough. The sets of all generations that were
 * not dropped are valid side by side. A set that names a key which is neither
 * loaded nor of the kind that is kept, or whose signature algorithm does not fit it, is refused whole, and
 * nothing changes. A generation sent again replaces its set. */
struct proto_policy_item {
	const char *key;
	const struct tbs_policy *policy;
};
void proto_policy_pack(struct buf *b, uint64_t generation,
        const struct proto_policy_item *items, size_t n);
/* The reader walks: head, then count times item. */
struct proto_policy_head {
	uint64_t generation;
	uint32_t count;
};
struct unpack;
MUST_CHECK enum rc proto_policy_unpack_head(
        struct proto_policy_head *m, struct unpack *u);
/* key holds PROTO_KEY_NAME_MAX + 1; *policy is for tbs_policy_free(). */
MUST_CHECK enum rc proto_policy_unpack_item(char *key,
        struct tbs_policy **policy, struct unpack *u, struct why *why);

void proto_policy_drop_pack(struct buf *b, uint64_t generation);
MUST_CHECK enum rc proto_policy_drop_unpack(
        uint64_t *generation, struct bytes body);

/* The store's clock floor, in Unix time (DESIGN rule 11): CRLs and OCSP answers
 * may be dated up to then, whatever the signer's own clock says; a later one
 * takes its place, a lower one too. Certificates are never dated by it. The
 * floor comes from the store, which a worker that was taken over can write, so
 * the supervisor lets it rise no faster than time does (cmd/floor.h). */
void proto_floor_pack(struct buf *b, int64_t floor_s);
MUST_CHECK enum rc proto_floor_unpack(int64_t *floor_s, struct bytes body);

void proto_log_pack(struct buf *b, enum log_level level, enum log_form form);
MUST_CHECK enum rc proto_log_unpack(
        enum log_level *level, enum log_form *form, struct bytes body);

/* A new key pair, made by the signer for a TLS listener. Its public half counts
 * as held until another MAKE_KEY of that name or the signer's end. type is
 * enum key_type of der/alg.h: KEY_P256. */
struct proto_make_key {
	char name[PROTO_KEY_NAME_MAX + 1];
	uint32_t type;
};
void proto_make_key_pack(struct buf *b, const char *name, uint32_t type);
MUST_CHECK enum rc proto_make_key_unpack(
        struct proto_make_key *m, struct bytes body);
/* KEEP_KEY has the same body and another meaning: the pair stays in the signer,
 * clients have it sign by that name, and the answer's private_der is empty. One
 * of that name that is there, as a policy named it or by an earlier KEEP_KEY, is
 * told again; RENEW_KEY makes a new one beside it, and both sign, until a third
 * one comes: responderID says which. Such names begin with
 * PROTO_OCSP_KEY_PREFIX: these keys sign SIGNER_OCSP alone, and only a
 * ResponseData whose responderID is byKey of themselves. A name that policies
 * had and that none has any more ends with its keys. */

struct proto_key {
	struct bytes private_der; /* PKCS#8; borrowed. Wipe what you copy */
	struct bytes spki;        /* borrowed */
};
void proto_key_pack(struct buf *b, const struct proto_key *m);
MUST_CHECK enum rc proto_key_unpack(struct proto_key *m, struct bytes body);

/* The keys that were loaded from files, in the order of the arguments. */
struct proto_key_entry {
	char name[PROTO_KEY_NAME_MAX + 1];
	struct bytes spki; /* borrowed */
};
void proto_key_list_pack(
        struct buf *b, const struct proto_key_entry *keys, size_t n);
/* At most max of them; RC_TOOBIG past that. */
MUST_CHECK enum rc proto_key_list_unpack(
        struct proto_key_entry *keys, size_t max, size_t *n, struct bytes body);

void proto_loading_pack(struct buf *b, const char *key);
/* key holds PROTO_KEY_NAME_MAX + 1 */
MUST_CHECK enum rc proto_loading_unpack(char *key, struct bytes body);

/* A token that its keys cannot be used in now. */
#define PROTO_AWAY_MAX 16
struct proto_away {
	char token[128]; /* its label, or what is known of it */
	char keys[256];  /* names, with commas; cut where there are too many */
	int64_t since_s; /* Unix time */
	struct why why;
};
void proto_away_pack(struct buf *b, const struct proto_away *list, size_t n);
/* At most PROTO_AWAY_MAX of them. */
MUST_CHECK enum rc proto_away_unpack(
        struct proto_away *list, size_t *n, struct bytes body);

struct proto_done {
	enum rc rc;
	struct why why;
};
void proto_done_pack(struct buf *b, enum rc rc, const struct why *why);
MUST_CHECK enum rc proto_done_unpack(struct proto_done *m, struct bytes body);

/* 1 to PROTO_KEY_NAME_MAX of [A-Za-z0-9._-]. */
bool proto_name_ok(const char *name);
/* PROTO_OCSP_KEY_PREFIX and such a name. */
bool proto_kept_name_ok(const char *name);

#endif
