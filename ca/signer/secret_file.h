/* ca/signer/secret_file.h - files that only their owner may read, below a folder
 * that is open already. Needs base/. */
#ifndef MICA_CA_SIGNER_SECRET_FILE_H
#define MICA_CA_SIGNER_SECRET_FILE_H

#include "base/buf.h"
#include "base/why.h"

/* Read name, a plain file name in the folder dir_fd: a regular file, owned by
 * our uid (root may read any), with no mode bit for group or others, no
 * symbolic link. Appended to out, which the caller wipes.
 * Errors: RC_PERMISSION RC_NOTFOUND RC_IO RC_TOOBIG RC_NOMEM. */
MUST_CHECK enum rc secret_file_read(
        int dir_fd, const char *name, struct buf *out, struct why *why);
/* As secret_file_read, less one trailing newline. */
MUST_CHECK enum rc secret_file_read_line(
        int dir_fd, const char *name, struct buf *out, struct why *why);
/* Less one trailing newline. */
void secret_file_strip(struct buf *content);
/* What fd holds, to its end. Errors: RC_IO RC_TOOBIG RC_NOMEM. */
MUST_CHECK enum rc secret_file_read_fd(
        int fd, const char *name, struct buf *out, struct why *why);
/* Whether name stands for a file in a folder and nothing else. */
bool secret_file_name_ok(const char *name);

#endif
