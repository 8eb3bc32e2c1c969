/* cmd/mica_init.h - what mica init is made of. Private to mica_init*.c. */
#ifndef MICA_CMD_MICA_INIT_H
#define MICA_CMD_MICA_INIT_H

#include "cmd/mica.h"
#include <sys/types.h>

#define INIT_PATH_BYTES 4096
#define INIT_PASSPHRASE_MAX_BYTES 1024
#define INIT_URI_BYTES 512

/* The token that makes keys and keeps them. */
struct init_token {
	const char *module, *label; /* module NULL: keys are files */
	bool has_root;              /* the root's key, too */
	char issuing[INIT_URI_BYTES], root[INIT_URI_BYTES];
	char pin[INIT_PASSPHRASE_MAX_BYTES + 1];
};

struct init {
	const char *dir;
	const char *name; /* of whoever runs the CA */
	const char *est, *http, *metrics;
	const char *const *est_names;
	size_t n_est_names;
	char passphrase[INIT_PASSPHRASE_MAX_BYTES + 1]; /* of the root key */
	bool passphrase_made;
	/* A root that is kept elsewhere: its certificate. NULL: make one. */
	const char *root_file;
	struct init_token token;
	bool as_root; /* the keys get an owner of their own: */
	uid_t signer_uid;
	gid_t signer_gid;
	/* Everything is made in here, below dir, and moved when it is whole. */
	char work[INIT_PATH_BYTES];
	bool made_dir;
};

/* mica.yaml for that. */
void init_template(struct buf *out, const struct init *in);

/* Folders in i->work. Errors: RC_EXISTS (dir has one of the things that would
 * be made) RC_IO RC_TOOBIG. */
MUST_CHECK enum rc init_folders(struct init *in, struct why *why);
/* A file in i->work. */
MUST_CHECK enum rc init_write(const struct init *in, const char *name,
        mode_t mode, struct bytes content, struct why *why);
/* The keys' owner; then all of it to where it belongs, or nothing. */
MUST_CHECK enum rc init_settle(struct init *in, struct why *why);
/* Remove what init_folders() and all others made, unless it was settled. */
void init_clean(const struct init *in);
/* "WORK/name"; out holds INIT_PATH_BYTES. */
const char *init_path(const struct init *in, const char *name, char *out);

/* --hsm and what belongs to it. CLI_USAGE was said. */
enum cli_exit init_token_options(struct cli *cli, struct init *in);
/* The PIN, out of its file. Errors: RC_IO RC_MALFORMED. */
MUST_CHECK enum rc init_token_pin(
        const struct cli *cli, struct init *in, struct why *why);
/* The first line of a file; out holds INIT_PASSPHRASE_MAX_BYTES + 1. */
MUST_CHECK enum rc init_read_line(
        const char *path, char *out, const char *what, struct why *why);

/* Keys and certificates, by mica-signer --ceremony. */
MUST_CHECK enum rc init_ceremony(const struct init *in, struct why *why);

#endif
