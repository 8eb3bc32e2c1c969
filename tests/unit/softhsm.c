#include "tests/unit/softhsm.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MAX 24

bool softhsm_there(void)
{
	return access(SOFTHSM_MODULE, R_OK) == 0 &&
	        access("/usr/bin/softhsm2-util", X_OK) == 0 &&
	        access("/usr/bin/pkcs11-tool", X_OK) == 0;
}

static void run(const char *const *argv)
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		(void)dup2(null, 1);
		execvp(argv[0], (char **)(uintptr_t)argv);
		_exit(127);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
	        "%s failed", argv[0]);
}

void softhsm_token(struct softhsm *h, const char *label)
{
	const char *const argv[] = { "softhsm2-util", "--init-token", "--free",
		"--label", label, "--so-pin", SOFTHSM_SO_PIN, "--pin",
		SOFTHSM_PIN, NULL };

	(void)h;
	run(argv);
}

void softhsm_open(struct softhsm *h)
{
	char path[128];
	FILE *f;

	(void)snprintf(h->dir, sizeof(h->dir), "/tmp/mica-softhsm.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(h->dir));
	(void)snprintf(path, sizeof(path), "%s/tokens", h->dir);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/softhsm2.conf", h->dir);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	(void)fprintf(f,
	        "directories.tokendir = %s/tokens\n"
	        "objectstore.backend = file\nlog.level = ERROR\n",
	        h->dir);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(setenv("SOFTHSM2_CONF", path, 1), 0);
	softhsm_token(h, "mica");
}

void softhsm_tool(struct softhsm *h, const char *const *words)
{
	const char *argv[WORDS_MAX] = { "pkcs11-tool", "--module",
		SOFTHSM_MODULE, "--token-label", "mica", "--login", "--pin",
		SOFTHSM_PIN };
	size_t n = 8;

	(void)h;
	while (*words && n < WORDS_MAX - 1)
		argv[n++] = *words++;
	run(argv);
}

void softhsm_key(
        struct softhsm *h, const char *type, const char *label, const char *id)
{
	const char *const words[] = { "--keypairgen", "--key-type", type,
		"--label", label, "--id", id, NULL };

	softhsm_tool(h, words);
}

void softhsm_close(struct softhsm *h)
{
	const char *const argv[] = { "rm", "-rf", h->dir, NULL };

	run(argv);
	(void)unsetenv("SOFTHSM2_CONF");
}
