#include "base/file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define PART_BYTES 4096

enum rc file_read_rest(
        struct buf *out, FILE *f, const char *path, struct why *why)
{
	size_t n = PART_BYTES;
	uint8_t part[PART_BYTES];

	while (out->failed == RC_OK && n == PART_BYTES) {
		n = fread(part, 1, sizeof(part), f);
		buf_add(out, bytes_of(part, n));
	}
	bytes_wipe(part, sizeof(part)); /* it may have been a secret */
	if (ferror(f))
		return why_set(why, RC_IO, "%s: %s", path, strerror(errno));
	if (out->failed == RC_TOOBIG)
		return why_set(
		        why, RC_TOOBIG, "%s: over %zu bytes", path, out->max);
	return out->failed;
}

enum rc file_read(struct buf *out, const char *path, struct why *why)
{
	FILE *f = fopen(path, "re");
	enum rc rc;

	if (f == NULL)
		return why_set(why, RC_IO, "%s: %s", path, strerror(errno));
	rc = file_read_rest(out, f, path, why);
	(void)fclose(f);
	return rc;
}

bool file_write_all(int fd, struct bytes data)
{
	while (data.n > 0) {
		ssize_t n = write(fd, data.p, data.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data = bytes_skip(data, (size_t)n);
	}
	return true;
}
