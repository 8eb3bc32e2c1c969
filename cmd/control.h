/* cmd/control.h - what the supervisor and its children say to each other over
 * their control pairs (base/ipc.h; bodies by base/pack.h). */
#ifndef MICA_CMD_CONTROL_H
#define MICA_CMD_CONTROL_H

#include "base/buf.h"
#include "base/pack.h"
#include "base/why.h"
#include "ca/signer/proto.h"
#include "conf/conf.h"
#include "net/tls.h"
#include "ocsp/publish.h"
#include <stdbool.h>
#include <sys/types.h>

/* How long an old process may go on after a hand-over or at the end. */
#define DRAIN_S 30

enum control_type {
	/* child to supervisor */
	CONTROL_READY = 1,       /* u64 slot: serving */
	CONTROL_SLOT_CLEARED,    /* u64 slot: its intents are abandoned */
	CONTROL_TLS_CERT,        /* keeper: the EST listener's chain in PEM */
	CONTROL_TLS_NONE,        /* keeper: not to be had now; it tries on */
	CONTROL_RESPONDER,       /* keeper, and from supervisor to workers:
			       * struct control_responder */
	CONTROL_PUBLISHED,       /* keeper, and from supervisor to workers:
			       * struct publish_crl, and the file, open */
	CONTROL_RESPONDER_RENEW, /* keeper: struct control_responder without
				  * DER, which is to have a new key */
	CONTROL_RA,              /* keeper, and from supervisor to workers:
				  * struct control_responder, of an SCEP
				  * registration authority's certificate */
	CONTROL_FLOOR,           /* keeper: i64, the store's clock floor in Unix
			       * time */
	/* supervisor to child */
	CONTROL_DRAIN = 32,    /* accept nothing new, finish, exit 0 */
	CONTROL_SLOT_DEAD,     /* keeper: u64 slot, its process was reaped */
	CONTROL_TLS_KEY,       /* keeper: SubjectPublicKeyInfo to certify */
	CONTROL_PROCESSES,     /* keeper: struct control_process, each */
	CONTROL_RESPONDER_KEY, /* keeper: struct control_responder to certify */
	CONTROL_SIGNER_KEYS,   /* keeper: PROTO_KEY_LIST's body, as it came */
	CONTROL_SUCCEEDED,     /* keeper: another one answers from now on */
	CONTROL_AWAY,          /* keeper: PROTO_AWAY's body */
};

/* What `mica status` tells of a process. */
struct control_process {
	char name[24]; /* "signer", "keeper", "worker-1" */
	pid_t pid;     /* 0: down */
	bool ready;
	uint32_t restarts;
};
#define CONTROL_PROCESSES_MAX 80
void control_processes_pack(
        struct buf *b, const struct control_process *list, size_t n);
/* Returns how many; 0 when malformed. */
size_t control_processes_unpack(
        struct bytes body, struct control_process *list, size_t max);

/* An authority's OCSP responder: its key in the signer, and either the public
 * half, DER, to be certified, or the certificate, DER (empty: it cannot be had
 * now). The key's name is control_responder_key()'s. */
struct control_responder {
	char authority[CONF_NAME_MAX + 1];
	struct bytes der; /* borrowed */
};
void control_responder_pack(
        struct buf *b, const char *authority, struct bytes der);
MUST_CHECK enum rc control_responder_unpack(
        struct control_responder *r, struct bytes body);
const char *control_responder_key(
        char out[PROTO_KEY_NAME_MAX + 1], const char *authority);

void control_published_pack(struct buf *b, const struct publish_crl *crl);
MUST_CHECK enum rc control_published_unpack(
        struct publish_crl *crl, struct bytes body);

/* The sealed memfd that hands a worker its TLS identity. */
void control_tls_pack(struct buf *b, struct bytes chain_pem,
        struct bytes key_pem,
        const uint8_t ticket_secret[TLS_TICKET_SECRET_BYTES]);
/* Views are borrowed from body. RC_MALFORMED. */
MUST_CHECK enum rc control_tls_unpack(struct bytes body,
        struct bytes *chain_pem, struct bytes *key_pem, struct bytes *secret);

#endif
