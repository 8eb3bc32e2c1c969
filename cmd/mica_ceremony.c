/* cmd/mica_ceremony.c - what mica-signer does for mica init: keys and CA
 * certificates. No other program makes them. */
#include "cmd/mica_init.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEY_TYPE "p256" /* what every device can verify */
#define ROOT_VALIDITY "30y"
#define ISSUING_VALIDITY "10y"
#define ARGS_MAX 32

/* --- the program: beside this one, where both are built; or installed */
static bool beside(const char *folder, char *out)
{
	char self[INIT_PATH_BYTES];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n <= 0)
		return false;
	self[n] = '\0';
	slash = strrchr(self, '/');
	if (slash == NULL)
		return false;
	*slash = '\0';
	return snprintf(out, INIT_PATH_BYTES, "%s/%smica-signer", self,
	               folder) < INIT_PATH_BYTES &&
	        access(out, X_OK) == 0;
}

enum rc ceremony_find(char out[INIT_PATH_BYTES], struct why *why)
{
	if (beside("", out) || beside("../sbin/", out))
		return RC_OK;
	snprintf(out, INIT_PATH_BYTES, "%s", SBINDIR "/mica-signer");
	return access(out, X_OK) == 0
	        ? RC_OK
	        : why_set(why, RC_NOTFOUND, "%s: %s", out, strerror(errno));
}

/* --- a passphrase for one run, which reads it to its end */
static int passphrase_fd(const struct init *in)
{
	size_t n = strlen(in->passphrase);
	int fd = memfd_create("passphrase", 0);

	if (fd >= 0 &&
	        (write(fd, in->passphrase, n) != (ssize_t)n ||
	                lseek(fd, 0, SEEK_SET) != 0)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

enum rc ceremony_run(const char *signer, char *const argv[], struct why *why)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		execv(signer, argv);
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return why_set(
			        why, RC_IO, "waitpid: %s", strerror(errno));
	if (pid < 0)
		return why_set(why, RC_IO, "fork: %s", strerror(errno));
	/* It has said itself what is wrong. */
	return WIFEXITED(status) && WEXITSTATUS(status) == 0
	        ? RC_OK
	        : why_set(why, RC_IO, "mica-signer --ceremony %s failed",
	                  argv[2]);
}

/* One operation: `name VALUE` pairs up to NULL, `%` before a value for a path in
 * the work folder; with the passphrase by that option, if any. */
static enum rc operate(const struct init *in, const char *signer,
        const char *passphrase_option, const char *const *words,
        struct why *why)
{
	char paths[4][INIT_PATH_BYTES];
	char number[16];
	const char *argv[ARGS_MAX] = { "mica-signer", "--ceremony" };
	size_t n = 2, n_paths = 0;
	int fd = -1;
	enum rc rc;

	for (; *words != NULL; words++)
		argv[n++] = (*words)[0] != '%'
		        ? *words
		        : init_path(in, *words + 1, paths[n_paths++]);
	if (passphrase_option != NULL) {
		fd = passphrase_fd(in);
		if (fd < 0)
			return why_set(
			        why, RC_IO, "memfd: %s", strerror(errno));
		snprintf(number, sizeof(number), "%d", fd);
		argv[n++] = passphrase_option;
		argv[n++] = number;
	}
	argv[n] = NULL;
	rc = ceremony_run(signer, (char *const *)argv, why);
	if (fd >= 0)
		close(fd);
	return rc;
}

enum rc init_ceremony(const struct init *in, struct why *why)
{
	char organization[128], root_name[128], issuing_name[128];
	const char *const root_key[] = { "make-key", "--type", KEY_TYPE,
		"--out", "%root/root.key", NULL };
	const char *const root[] = { "root", "--key", "%root/root.key",
		"--subject", organization, "--subject", root_name, "--validity",
		ROOT_VALIDITY, "--out", "%ca/root.pem", NULL };
	const char *const issuing_key[] = { "make-key", "--type", KEY_TYPE,
		"--out", "%keys/issuing.key", NULL };
	const char *const issuing[] = { "authority", "--issuer-key",
		"%root/root.key", "--issuer-cert", "%ca/root.pem", "--key",
		"%keys/issuing.key", "--subject", organization, "--subject",
		issuing_name, "--validity", ISSUING_VALIDITY, "--path-length",
		"0", "--out", "%ca/issuing.pem", NULL };
	char signer[INIT_PATH_BYTES];
	enum rc rc = ceremony_find(signer, why);

	snprintf(organization, sizeof(organization), "O=%s", in->name);
	snprintf(root_name, sizeof(root_name), "CN=%s Root CA", in->name);
	snprintf(issuing_name, sizeof(issuing_name), "CN=%s Issuing CA",
	        in->name);
	if (rc == RC_OK)
		rc = operate(in, signer, "--passphrase-fd", root_key, why);
	if (rc == RC_OK)
		rc = operate(in, signer, "--passphrase-fd", root, why);
	if (rc == RC_OK)
		rc = operate(in, signer, NULL, issuing_key, why);
	if (rc == RC_OK)
		rc = operate(
		        in, signer, "--issuer-passphrase-fd", issuing, why);
	return rc;
}
