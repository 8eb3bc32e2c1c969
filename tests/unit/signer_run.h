/* tests/unit/signer_run.h - the real mica-signer as a child, with a temporary
 * folder of keys, and both ends of every pair as a supervisor has them. */
#ifndef MICA_TESTS_UNIT_SIGNER_RUN_H
#define MICA_TESTS_UNIT_SIGNER_RUN_H

#include "base/buf.h"
#include "base/ipc.h"
#include "base/loop.h"
#include "ca/signer/proto.h"
#include "tests/unit/tbs_make.h"

#include <sys/types.h>

#define RUN_CLIENTS 2
#define RUN_KEEPER 1 /* the one of them that counts as a keeper */
#define RUN_REPLIES_MAX 4096
#define RUN_WAIT_MS 20000

/* Our side of a pair, by messages. */
struct reply {
	uint16_t type;
	uint64_t id;
	struct buf body;
};
struct peer {
	struct ipc *ipc;
	struct reply *replies;
	size_t n;
	bool dead;
};

struct signer_run {
	struct loop *loop;
	char dir[64];
	int dir_fd, log_fd;
	int control[2];              /* ours, the signer's */
	int clients[RUN_CLIENTS][2]; /* ours (-1: given away), the signer's */
	struct peer supervisor;
	struct peer client; /* on pair 0, if opened */
	pid_t pid;          /* 0: none */
	uint64_t next_id;
	const char *const *key_args; /* NULL-terminated "--key=…" */
};

/* Path of the program. */
const char *run_program(void);
/* Run it to its end with these arguments (NULL-terminated); what it wrote to
 * standard error is in *text, a static buffer. Its exit status. */
int run_to_end(const char *const *args, const char **text);
/* As run_to_end, with passphrase on descriptor 9. */
int run_to_end_secret(
        const char *const *args, const char *secret, const char **text);

/* Folder, loop, pairs; no process yet. */
void run_open(struct signer_run *r);
/* A fixture that comes before the one with run_open(): what run_make_key() makes
 * is in a SoftHSM token then, and run_start() has it from there. */
void run_token_open(void);
void run_token_close(void);
/* Make NAME.key of that type in the folder. */
void run_make_key(struct signer_run *r, const char *name, const char *type);
/* Start the process and wait for its hello to the supervisor. */
void run_start(struct signer_run *r, const char *const *key_args);
/* A policy of shapes for key "issuing", generation; waits until taken. */
void run_policy(struct signer_run *r, uint64_t generation);
/* kill -9 and reap. */
void run_kill(struct signer_run *r);
void run_close(struct signer_run *r);

/* Speak by hand on pair 0. */
void run_open_client(struct signer_run *r);
void run_open_peer(struct signer_run *r, struct peer *p, int fd);
void run_close_peer(struct peer *p);
/* Send and wait for the answer under a new id. Borrowed until the peer is
 * closed. */
const struct reply *run_ask(
        struct signer_run *r, struct peer *p, uint16_t type, struct bytes body);
const struct reply *run_find(const struct peer *p, uint64_t id);
/* Ask for a signature with key. */
void run_sign(struct signer_run *r, const char *key, uint32_t purpose,
        struct bytes tbs, struct proto_signature *out);
/* One turn of the loop, a millisecond at most. */
void run_turn(struct signer_run *r);
/* Whether its log holds text by now, waiting a while. */
bool run_logged(struct signer_run *r, const char *text);
/* The public key of key, from PROTO_KEYS. Static. */
struct bytes run_spki(struct signer_run *r, const char *key);
/* A TBS as tbs_spec_init() has it, dated now. */
void run_tbs(struct buf *out, void (*change)(struct tbs_spec *s));
/* Does libcrypto verify signature over tbs with spki? */
bool run_verifies(struct bytes spki, struct bytes tbs, struct bytes signature);

#endif
