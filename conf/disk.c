/* A configuration from disk. */
#include "conf/error.h"
#include "conf/source.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BYTES 16384
#define ID_BUFFER_BYTES 16384 /* a passwd or group entry; large groups exist */

bool source_system_id(void *ctx, bool is_group, const char *name, uint32_t *id)
{
	char buffer[ID_BUFFER_BYTES];
	struct passwd user;
	struct passwd *user_found = NULL;
	struct group group;
	struct group *group_found = NULL;

	(void)ctx;
	if (is_group) {
		(void)getgrnam_r(
		        name, &group, buffer, sizeof(buffer), &group_found);
		if (group_found != NULL)
			*id = group.gr_gid;
		return group_found != NULL;
	}
	(void)getpwnam_r(name, &user, buffer, sizeof(buffer), &user_found);
	if (user_found != NULL)
		*id = user.pw_uid;
	return user_found != NULL;
}

/* A secret is nobody's but the daemon's own, as it is when it is read again on
 * SIGHUP: as root it has no leave left to read others' files. */
static enum rc check_secret(const struct stat *st, struct why *why)
{
	if ((st->st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return why_set(why, RC_PERMISSION,
		        "mode %04o is open to others: chmod 600",
		        (unsigned)(st->st_mode & 07777));
	if (st->st_uid != geteuid())
		return why_set(why, RC_PERMISSION,
		        "owned by uid %lu, must be %lu, who starts micad",
		        (unsigned long)st->st_uid, (unsigned long)geteuid());
	return RC_OK;
}

static enum rc check_kind(int fd, bool secret, struct why *why)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return why_set(why, RC_IO, "%s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return why_set(why, RC_IO, "not a regular file");
	return secret ? check_secret(&st, why) : RC_OK;
}

static enum rc read_open(int fd, struct buf *out, struct why *why)
{
	ssize_t n;

	do {
		uint8_t *p = buf_room(out, READ_BYTES);

		if (p == NULL)
			break;
		n = read(fd, p, READ_BYTES);
		if (n < 0 && errno != EINTR)
			return why_set(why, RC_IO, "%s", strerror(errno));
		if (n > 0)
			buf_added(out, (size_t)n);
	} while (n != 0);
	return RC_OK;
}

struct place {
	int folder;
	const char *path;
	bool secret;
	size_t max;
};

/* buf_room() asks for a whole step, so the cap given is a step more. */
static enum rc read_file(
        const struct place *at, struct buf *out, struct why *why)
{
	struct buf b = BUF_INIT(at->max + READ_BYTES);
	enum rc rc;
	/* A FIFO must not hold us up before it is refused. */
	int fd = openat(at->folder, at->path,
	        O_RDONLY | O_CLOEXEC | O_NONBLOCK |
	                (at->secret ? O_NOFOLLOW : 0));

	if (fd < 0)
		return why_set(why, RC_IO, "%s",
		        at->secret && errno == ELOOP ? "is a symbolic link"
		                                     : strerror(errno));
	rc = check_kind(fd, at->secret, why);
	if (rc == RC_OK)
		rc = read_open(fd, &b, why);
	(void)close(fd);
	if (rc == RC_OK && b.failed == RC_NOMEM)
		rc = why_set(why, RC_NOMEM, "out of memory");
	else if (rc == RC_OK && (b.failed != RC_OK || b.n > at->max))
		rc = why_set(why, RC_TOOBIG, "larger than %zu bytes", at->max);
	if (rc == RC_OK)
		buf_add(out, buf_bytes(&b));
	buf_wipe(&b);
	return rc == RC_OK ? out->failed : rc;
}

struct disk {
	int folder;
};

static enum rc disk_read(
        void *ctx, const char *path, struct buf *out, struct why *why)
{
	const struct disk *d = ctx;

	return read_file(
	        &(struct place){ d->folder, path, false, CONF_REFER_MAX_BYTES },
	        out, why);
}

static enum rc disk_read_secret(
        void *ctx, const char *path, struct buf *out, struct why *why)
{
	const struct disk *d = ctx;

	return read_file(
	        &(struct place){ d->folder, path, true, CONF_REFER_MAX_BYTES },
	        out, why);
}

static enum rc whole_file(
        struct conf_errors *errors, enum rc rc, const struct why *why)
{
	error_add(errors, 0, 0, "", "cannot be read: %s", why->text);
	return rc == RC_NOMEM ? rc : RC_CONFIG;
}

static enum rc open_folder(int *fd, const char *path, struct why *why)
{
	struct arena arena = ARENA_INIT;
	const char *folder = load_folder(&arena, path);

	*fd = -1;
	if (folder != NULL)
		*fd = open(folder[0] != '\0' ? folder : ".",
		        O_PATH | O_DIRECTORY | O_CLOEXEC);
	arena_free(&arena);
	if (folder == NULL)
		return why_set(why, RC_NOMEM, "out of memory");
	return *fd >= 0 ? RC_OK : why_set(why, RC_IO, "%s", strerror(errno));
}

enum rc source_load_disk(struct load **out, const char *path, struct buf *yaml,
        struct conf_errors *errors)
{
	struct disk disk = { -1 };
	struct load_source source = { disk_read, disk_read_secret,
		source_system_id, &disk };
	struct why why = WHY_NONE;
	enum rc rc;

	*out = NULL;
	errors->n = 0;
	errors->more = false;
	rc = read_file(
	        &(struct place){ AT_FDCWD, path, false, CONF_FILE_MAX_BYTES },
	        yaml, &why);
	if (rc == RC_OK)
		rc = open_folder(&disk.folder, path, &why);
	if (rc != RC_OK)
		return whole_file(errors, rc, &why);
	rc = load_new(out, path, buf_bytes(yaml), &source, errors);
	(void)close(disk.folder);
	return rc;
}

enum rc conf_load_file(
        struct conf **out, const char *path, struct conf_errors *errors)
{
	struct buf yaml = BUF_INIT(CONF_FILE_MAX_BYTES);
	struct load *l;
	enum rc rc = source_load_disk(&l, path, &yaml, errors);

	*out = rc == RC_OK ? &l->conf : NULL;
	buf_free(&yaml);
	return rc;
}
