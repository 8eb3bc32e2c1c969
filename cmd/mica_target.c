/* cmd/mica_target.c - a file that a command writes: it appears whole or not at
 * all. */
#include "cmd/mica.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum rc exists(const char *path, struct why *why)
{
	return why_set(
	        why, RC_EXISTS, "%s exists; --force writes over it", path);
}

enum rc target_open(
        struct target *t, const char *path, bool replace, struct why *why)
{
	int fd;

	*t = (struct target){ .path = path, .replace = replace, .f = stdout };
	if (path == NULL)
		return RC_OK;
	t->f = NULL;
	if (!replace && access(path, F_OK) == 0)
		return exists(path, why);
	if ((size_t)snprintf(t->part, sizeof(t->part), "%s.XXXXXX", path) >=
	        sizeof(t->part))
		return why_set(why, RC_TOOBIG, "%.100s…: too long", path);
	fd = mkstemp(t->part);
	t->f = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (t->f == NULL)
		return why_set(why, RC_IO, "%s: %s", path, strerror(errno));
	return RC_OK;
}

void target_drop(struct target *t)
{
	if (t->path == NULL || t->f == NULL)
		return;
	fclose(t->f);
	t->f = NULL;
	unlink(t->part);
}

/* link(2) writes over nothing. */
static bool put(const struct target *t)
{
	if (t->replace)
		return rename(t->part, t->path) == 0;
	return link(t->part, t->path) == 0 && unlink(t->part) == 0;
}

enum rc target_keep(struct target *t, struct why *why)
{
	bool good;
	int error;

	if (t->path == NULL)
		return fflush(t->f) == 0
		        ? RC_OK
		        : why_set(why, RC_IO, "standard output: %s",
		                  strerror(errno));
	good = fflush(t->f) == 0 && fchmod(fileno(t->f), 0644) == 0 &&
	        fsync(fileno(t->f)) == 0;
	good = fclose(t->f) == 0 && good;
	t->f = NULL;
	if (good && put(t))
		return RC_OK;
	error = errno;
	unlink(t->part);
	return error == EEXIST
	        ? exists(t->path, why)
	        : why_set(why, RC_IO, "%s: %s", t->path, strerror(error));
}
