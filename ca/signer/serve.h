/* ca/signer/serve.h - mica-signer --serve: descriptors given, keys loaded,
 * doors closed, then requests until the supervisor says stop. */
#ifndef MICA_CA_SIGNER_SERVE_H
#define MICA_CA_SIGNER_SERVE_H

#include "base/log.h"
#include "base/why.h"
#include "ca/signer/pool.h"
#include "ca/signer/proto.h"

#include <sys/types.h>

#define SERVE_CLIENTS_MAX 128
#define SERVE_SESSIONS 8 /* on a token, unless said otherwise */

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

/* A key in a file: NAME:FILE[:PASSPHRASE-FILE], cut in its place. Or in a
 * token: uri is not NULL. */
struct serve_key {
	const char *name, *file, *passphrase_file;
	const char *uri, *module;
	const char *pin_file; /* in the keys' folder, or … */
	int pin_fd;           /* … open, or -1 */
	unsigned sessions;
	bool pss; /* RSA: sign with RSASSA-PSS */
};

struct serve_opts {
	int control_fd;
	int client_fds[SERVE_CLIENTS_MAX];
	bool keepers[SERVE_CLIENTS_MAX]; /* --keeper-fd, each */
	unsigned n_clients;
	int keys_fd;
	struct serve_key keys[PROTO_KEYS_MAX];
	size_t n_keys;
	/* The TLS listener's own key, which is handed over and never signs
	 * with here; file NULL: there is none. */
	struct serve_key listener;
	bool has_ids; /* uid and gid were given */
	uid_t uid;
	gid_t gid;
	unsigned threads;
	int metrics_fd; /* -1: none */
	unsigned metrics_row;
	enum log_level log_level;
	enum log_form log_form;
};

/* Until stopped. The parent is who started us: its end is ours. */
enum signer_exit serve(const struct serve_opts *o, pid_t parent);

#endif
