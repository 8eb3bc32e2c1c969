/* The folder of the signer's keys, by those who do not read them. */
#include "cmd/supervisor.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum rc keys_folder_open(int *fd, const char *path, struct why *why)
{
	struct stat st;

	*fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0 || fstat(*fd, &st) != 0)
		return why_set(why, errno == EACCES ? RC_PERMISSION : RC_IO,
		        "%s: %s", path, strerror(errno));
	/* The signer looks at each file's own mode. */
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return why_set(why, RC_CONFIG,
		        "%s: others than its owner may put keys there: "
		        "chmod 700 %s",
		        path, path);
	return RC_OK;
}

/* As the signer will see it, as far as one may look who is not it. */
static enum rc check_file(
        int fd, const char *folder, const char *file, struct why *why)
{
	struct stat st;

	if (file == NULL)
		return RC_OK;
	if (fstatat(fd, file, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == EACCES ? RC_OK
		                       : why_set(why, RC_CONFIG, "%s/%s: %s",
		                                 folder, file, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return why_set(why, RC_CONFIG, "%s/%s: not a regular file",
		        folder, file);
	if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return why_set(why, RC_CONFIG,
		        "%s/%s: mode %04o is open to others: chmod 600 %s/%s",
		        folder, file, (unsigned)(st.st_mode & 07777), folder,
		        file);
	return RC_OK;
}

enum rc keys_folder_check(const struct conf *c, struct why *why)
{
	int fd;
	enum rc rc = keys_folder_open(&fd, c->keys_dir, why);

	for (size_t i = 0; rc == RC_OK && i < c->n_keys; i++) {
		const struct conf_key *k = &c->keys[i];

		rc = check_file(fd, c->keys_dir, k->file, why);
		if (rc == RC_OK)
			rc = check_file(
			        fd, c->keys_dir, k->passphrase_file, why);
		if (rc == RC_OK && !process_pin_is_credential(k))
			rc = check_file(fd, c->keys_dir, k->pin, why);
		if (rc != RC_OK)
			rc = why_prefix(why, rc, "keys.%s", k->name);
	}
	if (rc == RC_OK)
		rc = check_file(fd, c->keys_dir, c->listen.est_key, why);
	if (fd >= 0)
		(void)close(fd);
	return rc == RC_PERMISSION ? RC_OK : rc;
}
