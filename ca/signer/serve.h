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
#define SERVE_SPKI_MAX_BYTES 2048

/* A key in a file: NAME:FILE[:PASSPHRASE-FILE], cut in its place. Or in a
 * token: uri is not NULL. */
struct serve_key {
	const char *name, *file, *passphrase_file;
	const char *uri, *module;
	const char *spki;     /* in base64; NULL: not known */
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
