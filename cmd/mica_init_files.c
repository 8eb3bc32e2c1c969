/* cmd/mica_init_files.c - folders and files of mica init: all or nothing. */
#include "cmd/mica_init.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is made only if: */
enum only {
	ALWAYS,
	ROOT_FILE,  /* there is a root's key in a file */
	ROOT_AWAY,  /* the root is kept elsewhere */
	TOKEN,      /* the issuing key is in a token */
	TOKEN_ROOT, /* and the root's, too */
};

/* In the order of moving: with mica.yaml it is a CA. */
static const struct part {
	const char *name;
	mode_t mode; /* of a folder; 0: a file */
	enum only only;
} parts[] = {
	{ "ca", 0755, ALWAYS },
	{ "keys", 0700, ALWAYS },
	{ "root", 0700, ROOT_FILE },
	{ "root.key.transcript", 0, TOKEN_ROOT },
	{ "issuing.key.transcript", 0, TOKEN },
	{ "issuing.req.pem", 0, ROOT_AWAY },
	{ "issuing.req.pem.transcript", 0, ROOT_AWAY },
	{ "mica.yaml", 0, ALWAYS },
};
#define PARTS (sizeof(parts) / sizeof(parts[0]))

/* What may stand in them when it is cleaned up. */
static const char *const files[] = { "ca/root.pem", "ca/issuing.pem",
	"keys/issuing.key", "keys/hsm.pin", "root/root.key", "issuing.req.pem",
	"issuing.req.pem.transcript", "issuing.key.transcript",
	"root.key.transcript", "mica.yaml" };
#define FILES (sizeof(files) / sizeof(files[0]))

static bool is_made(const struct init *in, const struct part *p)
{
	bool away = in->root_file != NULL, token = in->token.module != NULL;

	switch (p->only) {
	case ALWAYS:
		return true;
	case ROOT_FILE:
		return !away && !in->token.has_root;
	case ROOT_AWAY:
		return away;
	case TOKEN:
		return token;
	case TOKEN_ROOT:
		return in->token.has_root;
	}
	return false;
}

static enum rc failed(const char *path, struct why *why)
{
	enum rc rc = errno == EEXIST ? RC_EXISTS
	        : errno == EACCES    ? RC_PERMISSION
	                             : RC_IO;

	return why_set(why, rc, "%s: %s", path, strerror(errno));
}

const char *init_path(const struct init *in, const char *name, char *out)
{
	/* init_folders() saw to it that the longest name fits. */
	(void)snprintf(out, INIT_PATH_BYTES, "%.*s/%s", INIT_PATH_BYTES - 32,
	        in->work, name);
	return out;
}

static enum rc place(
        const struct init *in, const char *name, char *out, struct why *why)
{
	int n = snprintf(out, INIT_PATH_BYTES, "%s/%s", in->dir, name);

	return n < INIT_PATH_BYTES - 32
	        ? RC_OK
	        : why_set(why, RC_TOOBIG, "DIR is too long");
}

/* Nothing that is there is touched. */
static enum rc refuse_what_exists(const struct init *in, struct why *why)
{
	char path[INIT_PATH_BYTES];
	struct stat st;

	for (size_t i = 0; i < PARTS; i++) {
		enum rc rc = place(in, parts[i].name, path, why);

		if (rc != RC_OK)
			return rc;
		if (lstat(path, &st) == 0)
			return why_set(why, RC_EXISTS,
			        "%s exists and is not overwritten", path);
		if (errno != ENOENT)
			return failed(path, why);
	}
	return RC_OK;
}

enum rc init_folders(struct init *in, struct why *why)
{
	char path[INIT_PATH_BYTES];
	enum rc rc;

	in->made_dir = mkdir(in->dir, 0755) == 0;
	if (!in->made_dir && errno != EEXIST)
		return failed(in->dir, why);
	rc = refuse_what_exists(in, why);
	if (rc == RC_OK)
		rc = place(in, ".init-XXXXXX", in->work, why);
	if (rc == RC_OK && mkdtemp(in->work) == NULL) {
		rc = failed(in->dir, why);
		in->work[0] = '\0';
	}
	for (size_t i = 0; rc == RC_OK && i < PARTS; i++)
		if (parts[i].mode != 0 && is_made(in, &parts[i]) &&
		        mkdir(init_path(in, parts[i].name, path),
		                parts[i].mode) != 0)
			rc = failed(path, why);
	return rc;
}

enum rc init_write(const struct init *in, const char *name, mode_t mode,
        struct bytes content, struct why *why)
{
	char path[INIT_PATH_BYTES];
	int fd = open(init_path(in, name, path),
	        O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	bool good = fd >= 0;

	while (good && content.n > 0) {
		ssize_t n = write(fd, content.p, content.n);

		good = n > 0;
		content = bytes_skip(content, good ? (size_t)n : 0);
	}
	good = good && fsync(fd) == 0;
	if (fd >= 0)
		good = close(fd) == 0 && good;
	return good ? RC_OK : failed(path, why);
}

static enum rc give_keys(const struct init *in, struct why *why)
{
	const char *const names[] = {
		in->token.module != NULL ? "keys/hsm.pin" : "keys/issuing.key",
		"keys"
	};
	char path[INIT_PATH_BYTES];

	for (size_t i = 0; in->as_root && i < 2; i++)
		if (chown(init_path(in, names[i], path), in->signer_uid,
		            in->signer_gid) != 0)
			return failed(path, why);
	return RC_OK;
}

static bool move(const struct init *in, size_t i, bool back, struct why *why)
{
	char from[INIT_PATH_BYTES], to[INIT_PATH_BYTES];

	if (!is_made(in, &parts[i]))
		return true;
	init_path(in, parts[i].name, from);
	if (place(in, parts[i].name, to, why) != RC_OK)
		return false;
	if (back)
		return rename(to, from) == 0;
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return true;
	failed(to, why);
	return false;
}

static void sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0) {
		(void)fsync(fd);
		close(fd);
	}
}

enum rc init_settle(struct init *in, struct why *why)
{
	enum rc rc = give_keys(in, why);
	size_t n = 0;

	if (rc != RC_OK)
		return rc;
	while (n < PARTS && move(in, n, false, why))
		n++;
	if (n < PARTS) {
		while (n > 0)
			(void)move(in, --n, true, why);
		return RC_IO;
	}
	sync_folder(in->dir);
	(void)rmdir(in->work);
	return RC_OK;
}

void init_clean(const struct init *in)
{
	char path[INIT_PATH_BYTES];

	if (in->work[0] != '\0') {
		for (size_t i = 0; i < FILES; i++)
			(void)unlink(init_path(in, files[i], path));
		for (size_t i = 0; i < PARTS; i++)
			if (parts[i].mode != 0)
				(void)rmdir(init_path(in, parts[i].name, path));
		(void)rmdir(in->work);
	}
	if (in->made_dir)
		(void)rmdir(in->dir);
}
