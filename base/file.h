/* base/file.h - whole files, for whoever may wait for them: commands, threads,
 * processes that start. Not for an event loop. */
#ifndef MICA_BASE_FILE_H
#define MICA_BASE_FILE_H

#include "base/buf.h"
#include "base/why.h"

#include <stdio.h>

/* Append all that path holds. Errors: RC_IO; RC_TOOBIG past out's cap, which
 * the clause names; RC_NOMEM. */
MUST_CHECK enum rc file_read(
        struct buf *out, const char *path, struct why *why);
/* Append what is left of f; path is for the clause. Errors as above. */
MUST_CHECK enum rc file_read_rest(
        struct buf *out, FILE *f, const char *path, struct why *why);

/* Write all of data to fd. False: errno says why. */
MUST_CHECK bool file_write_all(int fd, struct bytes data);

#endif
