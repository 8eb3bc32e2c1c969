/* cmd/supervisor.h - the parent of all: binds sockets, starts the signer, the
 * keeper and the workers, starts them again when they die, hands over to new
 * ones on SIGHUP. It parses no peer's byte and holds no store. The parts:
 * supervisor.c (life of the daemon), generation.c (one configuration and its
 * processes), process.c (one process). */
#ifndef MICA_CMD_SUPERVISOR_H
#define MICA_CMD_SUPERVISOR_H

#include "base/ipc.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "base/why.h"
#include "cmd/child.h"
#include "cmd/control.h"
#include "cmd/floor.h"
#include "conf/conf.h"

#define WORKERS_MAX 24
/* Third death in so many seconds: the listening sockets close meanwhile. */
#define DEATHS_MAX 3
#define DEATHS_WINDOW_S 10
/* From then on this long, and doubled, between two tries. The third of those
 * still falls into the window, and an HSM that is back after an hour is used
 * within 5 s. */
#define BACKOFF_FIRST_MS 1000
#define BACKOFF_MAX_MS 4000
#define DEAD_SLOTS_MAX 1024
#define CREDENTIALS_MAX 64
/* The processes of a supervisor that was killed end a moment after it, and hold
 * sockets and store until then. */
#define START_WAIT_S 3
#define START_TRIES_A_S 20

/* A signer whose loop answers none of so many pings is ended and replaced: well
 * before the requests that wait for it time out (30 s), and long after what a
 * loaded machine or a large policy may hold its loop up for. */
#define SIGNER_PING_MS 2000
#define SIGNER_PINGS_MAX 5

/* One that has not come up yet loads a key, which is a call into a module for
 * one in a token. That it takes long is told from so many pings on, and after
 * so many (30 s) it is ended and replaced. */
#define SIGNER_SLOW_PINGS 3
#define SIGNER_START_PINGS_MAX 15
#define AWAY_MAX_BYTES 16384

struct supervisor;
struct generation;

enum process_kind { PROCESS_SIGNER, PROCESS_KEEPER, PROCESS_WORKER };

struct process {
	struct supervisor *sup;
	struct generation *gen; /* NULL: the signer, of no generation */
	enum process_kind kind;
	unsigned index; /* of a worker */
	unsigned row;   /* in the metrics */
	pid_t pid;      /* 0: not running */
	bool ready;
	bool leaving;    /* told to go: its death is no failure */
	bool stays_down; /* until somebody says that it is worth a try */
	bool held_up;    /* it did not come up, by no fault of what it read */
	uint64_t slot;
	struct ipc *control;
	int64_t deaths_us[DEATHS_MAX]; /* newest first */
	uint32_t restarts;
	int64_t backoff_ms;
	struct loop_timer *again;
};

/* Listening sockets of one port, one a worker. */
struct ports {
	char address[128]; /* "": off */
	int fds[WORKERS_MAX];
	unsigned n;
};

/* OCSP responders' keys, one an authority that has one. */
struct responder_key {
	const char *authority;
	struct buf spki; /* empty: the signer has not said yet */
	struct buf cert; /* empty: none yet */
	bool answered;   /* the keeper has tried */
};
struct responders {
	struct responder_key *list;
	size_t n;
};

/* Certificates of SCEP's registration authorities. */
struct ra_cert {
	const char *authority;
	struct buf cert; /* empty: none yet */
};
struct ras {
	struct ra_cert *list;
	size_t n;
};

/* CRLs that the keeper handed over, open. */
struct published_file;
struct published {
	struct published_file *list;
	size_t n;
};

/* One configuration, and the processes that run by it. */
struct generation {
	struct supervisor *sup;
	uint32_t number; /* from 1; the signer's policies carry it */
	unsigned set;    /* 0 or 1: which pairs to the signer are its */
	struct conf *conf;
	int bundle_fd;
	struct buf policy; /* packed, for the signer */
	/* PROTO_KEY_LIST's body; empty: not yet */
	struct buf signer_keys;
	struct buf tls_spki, tls_key, tls_chain;
	int tls_fd; /* -1 until the identity is complete */
	struct responders responders;
	struct ras ras;
	struct published published;
	struct ports est, http;
	int admin_fd, prometheus_fd;
	struct process keeper;
	struct process workers[WORKERS_MAX];
	unsigned n_workers;
	bool ruled;   /* the signer took its policy, once */
	bool started; /* the workers, once */
	bool serving; /* all were ready once */
	bool est_off; /* started without a certificate for its listener */
	bool stuck;   /* coming up by SIGHUP, and no certificate to be had */
	bool leaving;
};

struct supervisor {
	struct loop *loop;
	const char *conf_path;
	int exe_fd, signer_exe_fd;
	int keys_fd, store_fd, publish_fd;
	int pin_fds[CREDENTIALS_MAX]; /* of keys whose PIN is a credential */
	unsigned n_pin_fds;           /* in the order of the keys */
	int metrics_fd, shared_fd;
	struct metrics *metrics;
	uint8_t ticket_secret[TLS_TICKET_SECRET_BYTES];
	bool root; /* separate uids */
	uid_t uid, signer_uid;
	gid_t gid, signer_gid;
	/* pairs[set][i]: keeper is 0, worker w is w + 1; [0] theirs, [1] the
	 * signer's */
	int pairs[2][WORKERS_MAX + 1][2];
	unsigned n_pairs;
	struct process signer;
	struct floor floor; /* of the clock, for the signer */
	struct loop_timer *ping;
	unsigned
	        pings_unanswered; /* by the signer, since it last said a word */
	char loading[PROTO_KEY_NAME_MAX + 1]; /* the signer's; "": none */
	int64_t loading_since_s;
	struct buf away; /* PROTO_AWAY's body, as the signer said it last */
	struct generation *now;  /* serving, or coming up first */
	struct generation *next; /* coming up on SIGHUP */
	struct generation *old;  /* draining */
	uint32_t last_number;
	uint64_t dead_slots[DEAD_SLOTS_MAX]; /* not yet abandoned */
	unsigned n_dead_slots;
	bool store_known;   /* a process may hold intents: no daemon start */
	bool reload_wanted; /* when the hand-over under way is done */
	bool reload_reread;
	bool stopping;
	int exit_status;
	struct loop_timer *deadline;
	struct loop_timer *rotate; /* the EST certificate is due */
	struct loop_watch *signals[4];
};

/* --- supervisor.c */
/* Run until told to stop. Returns the exit status. */
int supervisor_run(const char *conf_path);
void supervisor_fail(struct supervisor *s, const char *what, const char *why);
void supervisor_process_down(struct supervisor *s, struct process *p);
void supervisor_tell_processes(struct supervisor *s);
void supervisor_generation_up(struct supervisor *s, struct generation *g);
void supervisor_generation_gone(struct supervisor *s, struct generation *g);
/* g's processes or its policy did not come up. */
void supervisor_generation_failed(struct supervisor *s, struct generation *g);
void supervisor_start_failed(struct supervisor *s, struct process *p);
/* g comes up on SIGHUP and cannot go on before it has a certificate for its
 * listener: a later SIGHUP need not wait for that. */
void supervisor_generation_stuck(struct supervisor *s, struct generation *g);
/* Hand over to processes with a new certificate for the EST listener. */
void supervisor_rotate(struct supervisor *s);
void supervisor_slot_cleared(struct supervisor *s, uint64_t slot);
void conf_errors_log(const char *path, const struct conf_errors *e);

/* --- keyholder.c: what the supervisor says to the signer */
void supervisor_signer_message(struct supervisor *s, const struct ipc_msg *msg);
/* Tell the signer g's responders' keys, for each of which responders_key(g)
 * follows, and its policy; generation_signer_ready(g) follows. */
void supervisor_send_policy(struct supervisor *s, struct generation *g);
/* CONTROL_SIGNER_KEYS, where there are code keys or registration authorities and once all are known. */
void code_keys_tell_keeper(struct generation *g);
/* CONTROL_AWAY: what the signer cannot use, or what holds up its start. */
void supervisor_tell_away(struct supervisor *s);
void supervisor_drop_policy(struct supervisor *s, uint32_t number);
/* A new key for the responder of that index; responders_key(g) follows. */
void supervisor_renew_responder(
        struct supervisor *s, const struct generation *g, size_t index);
/* Supervisor and signer, which a hand-over leaves in place, log by c. */
void supervisor_change_log(struct supervisor *s, const struct conf *c);
/* The store's clock floor, as a keeper told it. */
void supervisor_floor(struct supervisor *s, int64_t floor_s);
/* generation_tls_key(g) follows. */
void supervisor_want_tls_key(struct supervisor *s, struct generation *g);

/* --- key_match.c */
/* Is each authority's key, among those that the signer loaded, the one in its
 * certificate? RC_CONFIG: why names authority, key and certificate. */
MUST_CHECK enum rc key_match(const struct conf *conf,
        const struct proto_key_entry *keys, size_t n, struct why *why);
/* The public half of key name as base64, for a signer whose token is away: as a
 * signer said it before (PROTO_KEY_LIST's body, or empty), or from the
 * certificate of an authority with that key. Empty: nobody knows. */
void key_public(struct buf *out, const struct conf *conf, struct bytes said,
        const char *name);

/* --- watchdog.c */
MUST_CHECK enum rc watchdog_start(struct supervisor *s);

/* --- keys_folder.c */
/* RC_IO RC_PERMISSION; RC_CONFIG: open to others. */
MUST_CHECK enum rc keys_folder_open(int *fd, const char *path, struct why *why);
/* Without a look into any file: the folder, and the files that the configuration
 * names, are there and closed to others. Who may not look finds nothing wrong.
 */
MUST_CHECK enum rc keys_folder_check(const struct conf *c, struct why *why);

/* --- responders.c */
MUST_CHECK enum rc responders_init(struct generation *g);
void responders_clear(struct generation *g);
/* The signer's key for the responder of that index; also a new one's. */
void responders_key(struct generation *g, size_t index, struct bytes spki);
/* The signer cannot make it: workers do not wait for it. */
void responders_refused(struct generation *g, size_t index);
/* CONTROL_RESPONDER's body, from the keeper. */
void responders_cert(struct generation *g, struct bytes body);
/* CONTROL_RESPONDER_RENEW's body. */
void responders_renew(struct generation *g, struct bytes body);
bool responders_answered(const struct generation *g);
void responders_tell_keeper(struct generation *g);
void responders_tell_worker(struct process *p);

/* --- ra_relay.c: certificates of registration authorities */
MUST_CHECK enum rc ras_init(struct generation *g);
void ras_clear(struct generation *g);
void ras_tell_worker(struct process *p);
void ras_cert(struct generation *g, struct bytes body); /* CONTROL_RA */

/* --- published.c */
/* CONTROL_PUBLISHED, from the keeper; its descriptor is duplicated. */
void published_take(struct generation *g, const struct ipc_msg *msg);
void published_tell_worker(struct process *p);
void published_clear(struct generation *g);

/* --- process.c */
/* Whether k's PIN is a credential of systemd, opened by the supervisor. */
bool process_pin_is_credential(const struct conf_key *k);
MUST_CHECK enum rc process_start(struct process *p, struct why *why);
void process_died(struct process *p, int status);
/* Start one that stays down: the operator says that he mended it. */
void process_try_again(struct process *p);
/* Ask to drain (worker, keeper) or stop (signer). */
void process_leave(struct process *p);
void process_kill(struct process *p);
void process_close(struct process *p);
const char *process_name(const struct process *p, char out[24]);
MUST_CHECK enum rc process_send(
        struct process *p, uint16_t type, struct bytes body);

/* --- generation.c */
/* Load, check and bind everything; nothing runs yet. before: whose sockets are
 * shared where the address is the same; NULL at start. reread: from the file,
 * not from before's bundle. Errors are logged. */
MUST_CHECK enum rc generation_new(struct generation **out, struct supervisor *s,
        const struct generation *before, bool reread);
/* What no schema can see: certificates, profiles, names. */
MUST_CHECK enum rc generation_check(const struct conf *c, struct why *why);
/* The signer is ready and has our policy: bring up keeper, then workers. */
void generation_signer_ready(struct generation *g);
/* The signer is a long time coming: the keeper, which says so to who asks, does
 * not wait for it. */
void generation_signer_late(struct generation *g);
/* Once all that they are to be given is there; else nothing happens. */
void generation_start_workers(struct generation *g);
void generation_tls_key(
        struct generation *g, struct bytes spki, struct bytes key_pem);
void generation_message(
        struct generation *g, struct process *p, const struct ipc_msg *msg);
void generation_leave(struct generation *g);
bool generation_running(const struct generation *g);
void generation_kill(struct generation *g);
void generation_free(struct generation *g);
/* Close a worker's listening sockets, and open them again. */
void generation_close_ports(struct generation *g, unsigned worker);
MUST_CHECK enum rc generation_open_ports(
        struct generation *g, unsigned worker, struct why *why);

#endif
