/* cmd/child.h - how micad's processes are started and what they inherit:
 * descriptors at fixed numbers, a few words of argv, nothing by path and
 * nothing by environment. The supervisor calls child_spawn(); the child finds
 * the same numbers. */
#ifndef MICA_CMD_CHILD_H
#define MICA_CMD_CHILD_H

#include "base/rc.h"
#include "base/why.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What a keeper and a worker find open. One that does not apply is closed. */
enum child_fd {
	CHILD_FD_CONTROL = 3, /* our end of the pair with the supervisor */
	CHILD_FD_BUNDLE,     /* sealed memfd: the configuration and its files */
	CHILD_FD_METRICS,    /* base/metrics.h */
	CHILD_FD_SHARED,     /* struct shared */
	CHILD_FD_SIGNER,     /* our end of the pair with mica-signer */
	CHILD_FD_STORE,      /* the store's folder */
	CHILD_FD_EST,        /* worker: listening socket */
	CHILD_FD_HTTP,       /* worker: listening socket */
	CHILD_FD_TLS,        /* worker: sealed memfd, struct in cmd/control.h */
	CHILD_FD_ADMIN,      /* keeper: listening Unix socket */
	CHILD_FD_PROMETHEUS, /* keeper: listening socket */
	CHILD_FD_PUBLISH,    /* keeper: the folder of published CRLs */
	CHILD_FD_END,
};

/* One page that every process maps. */
#define SHARED_REFUSALS 5
struct shared {
	_Atomic uint32_t store_halt;
	/* Of each counter of refusals, how many stand in the audit trail, or
	 * are on their way there: keepers come and go, and overlap. */
	_Atomic uint64_t refusals_told[SHARED_REFUSALS];
};
int shared_create(void);           /* memfd or -1 */
struct shared *shared_map(int fd); /* NULL on failure; never unmapped */

enum child_role { CHILD_KEEPER, CHILD_WORKER };

/* The words of argv, both ways. */
struct child_args {
	enum child_role role;
	unsigned index; /* of the worker; 0 for the keeper */
	unsigned metrics_row;
	unsigned workers;  /* how many there are */
	unsigned parent;   /* the supervisor's pid */
	bool daemon_start; /* keeper: no other process has an intent */
	bool own_uid;      /* the signer has a uid of its own */
	bool no_est;       /* its listener has no certificate yet */
};
/* Errors: RC_CONFIG: not a child's argv. */
MUST_CHECK enum rc child_args_parse(
        struct child_args *out, int argc, char *const argv[]);

struct child_spec {
	int exe_fd;              /* the program */
	const char *const *argv; /* NULL-terminated */
	const char *const *env;  /* likewise; NULL: ours */
	const int *fds;          /* fds[i] becomes descriptor first_fd + i */
	unsigned n_fds;          /* -1: left closed */
	bool become;             /* change to uid and gid first */
	uid_t uid;
	gid_t gid;
};
#define CHILD_FIRST_FD 3
#define CHILD_FDS_MAX 192
/* Fork and exec; standard input is /dev/null, output and error are ours, every
 * other descriptor is closed. Errors: RC_IO. */
MUST_CHECK enum rc child_spawn(
        pid_t *out, const struct child_spec *spec, struct why *why);

#endif
