/* cmd/mica_ceremony.h - running mica-signer --ceremony: no other program makes
 * keys and CA certificates. */
#ifndef MICA_CMD_MICA_CEREMONY_H
#define MICA_CMD_MICA_CEREMONY_H

#include "cmd/mica.h"

#define CEREMONY_PATH_BYTES 4096
#define CEREMONY_ARGS_MAX 96
#define CEREMONY_FDS_MAX 4
#define CEREMONY_PASSPHRASE_MAX_BYTES 1024

/* One run of it, being put together. What is added is borrowed. */
struct ceremony {
	const char *argv[CEREMONY_ARGS_MAX];
	size_t n;
	int fds[CEREMONY_FDS_MAX]; /* the program inherits them */
	char numbers[CEREMONY_FDS_MAX][16];
	size_t n_fds;
};

void ceremony_begin(struct ceremony *c, const char *operation);
/* "--name value"; value NULL: "--name" alone. */
void ceremony_add(struct ceremony *c, const char *option, const char *value);
/* A descriptor that the program reads a secret from to its end; it is taken, and
 * -1 adds nothing. */
void ceremony_add_fd(struct ceremony *c, const char *option, int fd);
/* Run it and wait. What is wrong it says itself, on standard error; why says
 * that it failed. Descriptors are closed whatever the result. */
MUST_CHECK enum rc ceremony_run(struct ceremony *c, struct why *why);
/* The exit status, for who wants to know which failure it was; -1: none. */
MUST_CHECK enum rc ceremony_run_status(
        struct ceremony *c, int *status, struct why *why);

/* A memfd with that content; the program reads it from its beginning. -1. */
int ceremony_secret_fd(const char *text);
/* Asked for at the terminal, unseen: "WHAT of OF: ". -1: there is no terminal, or
 * nothing was typed. */
int ceremony_ask(const char *what, const char *of);
/* The passphrase of the key in the file at path, for ceremony_add_fd(): from the
 * file of that option; or asked for at the terminal, where the key is encrypted
 * and there is one; or -1, and the program says what is missing. */
MUST_CHECK enum rc ceremony_passphrase(const struct cli *cli,
        enum cli_option option, const char *path, int *fd, struct why *why);

#endif
