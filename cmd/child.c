#include "cmd/child.h"
#include "base/bytes.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

extern char **environ;

int shared_create(void)
{
	int fd = memfd_create("mica-shared", MFD_CLOEXEC);
	if (fd >= 0 && ftruncate(fd, (off_t)sizeof(struct shared)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

struct shared *shared_map(int fd)
{
	void *p = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE,
	        MAP_SHARED, fd, 0);
	return p == MAP_FAILED ? NULL : p;
}

static bool number_after(const char *arg, const char *head, unsigned *out)
{
	uint64_t v;
	size_t n = strlen(head);

	if (strncmp(arg, head, n) != 0)
		return false;
	if (text_u64(bytes_str(arg + n), UINT32_MAX, &v) != RC_OK)
		return false;
	*out = (unsigned)v;
	return true;
}

enum rc child_args_parse(struct child_args *out, int argc, char *const argv[])
{
	*out = (struct child_args){ .role = CHILD_WORKER };
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--role=keeper") == 0)
			out->role = CHILD_KEEPER;
		else if (strcmp(argv[i], "--role=worker") == 0)
			out->role = CHILD_WORKER;
		else if (strcmp(argv[i], "--daemon-start") == 0)
			out->daemon_start = true;
		else if (strcmp(argv[i], "--own-uid") == 0)
			out->own_uid = true;
		else if (strcmp(argv[i], "--no-est") == 0)
			out->no_est = true;
		else if (!number_after(argv[i], "--index=", &out->index) &&
		        !number_after(argv[i], "--row=", &out->metrics_row) &&
		        !number_after(argv[i], "--workers=", &out->workers) &&
		        !number_after(argv[i], "--parent=", &out->parent))
			return RC_CONFIG;
	}
	return out->workers > 0 ? RC_OK : RC_CONFIG;
}

/* In the child, between fork and exec: async-signal-safe calls only, but for
 * the log line of a failure. */
static void child_fds(const struct child_spec *spec)
{
	int high[CHILD_FDS_MAX];
	int low = CHILD_FIRST_FD + (int)spec->n_fds + 1;
	int exe = fcntl(spec->exe_fd, F_DUPFD, low);
	unsigned i;

	/* Out of the way first, so that no dup2 lands on one still needed. */
	for (i = 0; i < spec->n_fds; i++)
		high[i] = spec->fds[i] < 0
		        ? -1
		        : fcntl(spec->fds[i], F_DUPFD, low + 1);
	for (i = 0; i < spec->n_fds; i++) {
		int to = CHILD_FIRST_FD + (int)i;
		if (high[i] < 0)
			close(to);
		else
			dup2(high[i], to);
	}
	dup2(exe, low - 1);
	fcntl(low - 1, F_SETFD, FD_CLOEXEC);
	close_range((unsigned)low, ~0U, 0);
}

static void child_exec(const struct child_spec *spec)
{
	struct why why = WHY_NONE;
	sigset_t none;
	int null = open("/dev/null", O_RDONLY);

	if (null >= 0)
		dup2(null, 0);
	child_fds(spec);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (spec->become &&
	        sandbox_become(spec->uid, spec->gid, &why) != RC_OK) {
		log_event(LOG_ERROR, "child.privilege", "program",
		        spec->argv[0], "why", why.text, NULL);
		_exit(126);
	}
	/* The fd is close-on-exec, as execveat allows for a binary. */
	fexecve(CHILD_FIRST_FD + (int)spec->n_fds,
	        (char **)(uintptr_t)spec->argv,
	        spec->env != NULL ? (char **)(uintptr_t)spec->env : environ);
	log_event(LOG_ERROR, "child.exec", "program", spec->argv[0], "why",
	        strerror(errno), NULL);
	_exit(127);
}

enum rc child_spawn(pid_t *out, const struct child_spec *spec, struct why *why)
{
	if (spec->n_fds > CHILD_FDS_MAX)
		return why_set(why, RC_IO, "too many descriptors to inherit");
	pid_t pid = fork();
	if (pid < 0)
		return why_set(why, RC_IO, "fork: %s", strerror(errno));
	if (pid == 0)
		child_exec(spec);
	*out = pid;
	return RC_OK;
}
