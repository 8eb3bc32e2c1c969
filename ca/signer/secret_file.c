/* ca/signer/secret_file.c - files that only their owner may read. */
#include "ca/signer/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_BYTES 4096

bool secret_file_name_ok(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n <= NAME_MAX && !strchr(name, '/') &&
	        strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static enum rc check_owner(int fd, const char *name, struct why *why)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return why_set(
		        why, RC_IO, "file %s: %s", name, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return why_set(why, RC_PERMISSION,
		        "file %s: not a regular file", name);
	/* Root, at a ceremony, reads everyone's. */
	if (geteuid() != 0 && st.st_uid != geteuid())
		return why_set(why, RC_PERMISSION,
		        "file %s: owned by uid %lu, must be %lu", name,
		        (unsigned long)st.st_uid, (unsigned long)geteuid());
	if (st.st_mode & (S_IRWXG | S_IRWXO))
		return why_set(why, RC_PERMISSION,
		        "file %s: mode %04o is open to others, must be 0600",
		        name, (unsigned)(st.st_mode & 07777));
	return RC_OK;
}

/* Room for the next read: a byte past the cap is asked for as well, so that
 * content of just the cap is told from more. */
static ssize_t read_some(int fd, struct buf *out)
{
	size_t left = out->max - out->n;
	size_t n = left < CHUNK_BYTES ? left : CHUNK_BYTES;
	uint8_t extra;
	uint8_t *room;
	ssize_t got;

	if (n == 0) {
		got = read(fd, &extra, 1);
		if (got > 0)
			out->failed = RC_TOOBIG;
		return got;
	}
	room = buf_room(out, n);
	if (!room)
		return 0;
	got = read(fd, room, n);
	if (got > 0)
		buf_added(out, (size_t)got);
	return got;
}

enum rc secret_file_read_fd(
        int fd, const char *name, struct buf *out, struct why *why)
{
	ssize_t n;

	do {
		n = read_some(fd, out);
	} while ((n > 0 && !out->failed) || (n < 0 && errno == EINTR));
	if (n < 0)
		return why_set(
		        why, RC_IO, "file %s: %s", name, strerror(errno));
	if (out->failed)
		return why_set(why, out->failed, "file %s: over %zu bytes",
		        name, out->max);
	return RC_OK;
}

enum rc secret_file_read(
        int dir_fd, const char *name, struct buf *out, struct why *why)
{
	enum rc rc;
	int fd;

	if (!secret_file_name_ok(name))
		return why_set(why, RC_PERMISSION,
		        "file %s: not a plain name in the keys' folder", name);
	/* O_NONBLOCK: a FIFO in its place must not hang us. */
	fd = openat(dir_fd, name,
	        O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		rc = errno == ENOENT                        ? RC_NOTFOUND
		        : errno == EACCES || errno == ELOOP ? RC_PERMISSION
		                                            : RC_IO;
		return why_set(why, rc, "file %s: %s", name,
		        errno == ELOOP ? "is a symbolic link"
		                       : strerror(errno));
	}
	rc = check_owner(fd, name, why);
	if (!rc)
		rc = secret_file_read_fd(fd, name, out, why);
	(void)close(fd);
	return rc;
}

void secret_file_strip(struct buf *content)
{
	if (content->n > 0 && content->p[content->n - 1] == '\n')
		content->n--;
}

enum rc secret_file_read_line(
        int dir_fd, const char *name, struct buf *out, struct why *why)
{
	enum rc rc = secret_file_read(dir_fd, name, out, why);

	if (!rc)
		secret_file_strip(out);
	return rc;
}
