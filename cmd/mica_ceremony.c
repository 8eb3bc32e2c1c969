/* cmd/mica_ceremony.c - running mica-signer --ceremony. */
#include "cmd/mica_ceremony.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define KEY_FILE_MAX_BYTES 65536

/* --- the program: beside this one, where both are built; or installed */
static bool beside(const char *folder, char *out)
{
	char self[CEREMONY_PATH_BYTES];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n <= 0)
		return false;
	self[n] = '\0';
	slash = strrchr(self, '/');
	if (slash == NULL)
		return false;
	*slash = '\0';
	return snprintf(out, CEREMONY_PATH_BYTES, "%s/%smica-signer", self,
	               folder) < CEREMONY_PATH_BYTES &&
	        access(out, X_OK) == 0;
}

static enum rc find_program(char out[CEREMONY_PATH_BYTES], struct why *why)
{
	if (beside("", out) || beside("../sbin/", out))
		return RC_OK;
	snprintf(out, CEREMONY_PATH_BYTES, "%s", SBINDIR "/mica-signer");
	return access(out, X_OK) == 0
	        ? RC_OK
	        : why_set(why, RC_NOTFOUND, "%s: %s", out, strerror(errno));
}

/* --- one run */
void ceremony_begin(struct ceremony *c, const char *operation)
{
	*c = (struct ceremony){
		.argv = { "mica-signer", "--ceremony", operation }, .n = 3
	};
}

void ceremony_add(struct ceremony *c, const char *option, const char *value)
{
	/* The last place is for NULL: ceremony_run() finds a list that is too
	 * long by the count. */
	if (c->n + 2 < CEREMONY_ARGS_MAX) {
		c->argv[c->n] = option;
		c->argv[c->n + 1] = value;
	}
	c->n += value != NULL ? 2 : 1;
}

void ceremony_add_fd(struct ceremony *c, const char *option, int fd)
{
	if (fd < 0)
		return;
	if (c->n_fds == CEREMONY_FDS_MAX) {
		close(fd);
		c->n = CEREMONY_ARGS_MAX;
		return;
	}
	c->fds[c->n_fds] = fd;
	snprintf(c->numbers[c->n_fds], sizeof(c->numbers[0]), "%d", fd);
	ceremony_add(c, option, c->numbers[c->n_fds++]);
}

static enum rc spawn(const char *program, const struct ceremony *c, int *status,
        struct why *why)
{
	pid_t pid = fork();
	int raw = 0;

	if (pid == 0) {
		for (size_t i = 0; i < c->n_fds; i++)
			(void)fcntl(c->fds[i], F_SETFD, 0);
		execv(program, (char *const *)c->argv);
		_exit(127);
	}
	if (pid < 0)
		return why_set(why, RC_IO, "fork: %s", strerror(errno));
	while (waitpid(pid, &raw, 0) < 0)
		if (errno != EINTR)
			return why_set(
			        why, RC_IO, "waitpid: %s", strerror(errno));
	*status = WIFEXITED(raw) ? WEXITSTATUS(raw) : -1;
	return RC_OK;
}

enum rc ceremony_run_status(struct ceremony *c, int *status, struct why *why)
{
	char program[CEREMONY_PATH_BYTES];
	enum rc rc = find_program(program, why);

	*status = -1;
	if (rc == RC_OK && c->n >= CEREMONY_ARGS_MAX)
		rc = why_set(why, RC_TOOBIG, "too many arguments");
	if (rc == RC_OK) {
		c->argv[c->n] = NULL;
		fflush(stdout);
		rc = spawn(program, c, status, why);
	}
	for (size_t i = 0; i < c->n_fds; i++)
		close(c->fds[i]);
	c->n_fds = 0;
	return rc;
}

enum rc ceremony_run(struct ceremony *c, struct why *why)
{
	int status;
	enum rc rc = ceremony_run_status(c, &status, why);

	if (rc == RC_OK && status != 0)
		rc = why_set(why, RC_IO, "mica-signer --ceremony %s failed",
		        c->argv[2]);
	return rc;
}

/* --- secrets */
int ceremony_secret_fd(const char *text)
{
	size_t n = strlen(text);
	int fd = memfd_create("passphrase", MFD_CLOEXEC);

	if (fd >= 0 &&
	        (write(fd, text, n) != (ssize_t)n ||
	                lseek(fd, 0, SEEK_SET) != 0)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Encrypted PKCS#8 and the older form both say so in their text. */
static bool is_encrypted(const char *path)
{
	char line[256];
	FILE *f = fopen(path, "re");
	size_t total = 0;
	bool found = false;

	while (f != NULL && !found && total < KEY_FILE_MAX_BYTES &&
	        fgets(line, sizeof(line), f) != NULL) {
		found = strstr(line, "ENCRYPTED") != NULL;
		total += strlen(line);
	}
	bytes_wipe(line, sizeof(line));
	if (f != NULL)
		fclose(f);
	return found;
}

/* What ends or stops us while somebody types must not leave his terminal
 * without echo. */
static void hold_signals(sigset_t *held)
{
	static const int list[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP };

	(void)sigemptyset(held);
	for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++)
		(void)sigaddset(held, list[i]);
}

/* A line; *n is its length. False: a signal is there, and waits. */
static bool read_line(int tty, int signals, char *out, size_t size, size_t *n)
{
	struct pollfd both[] = { { .fd = signals, .events = POLLIN },
		{ .fd = tty, .events = POLLIN } };

	*n = 0;
	while (*n < size - 1) {
		if (poll(both, 2, -1) < 0 && errno != EINTR)
			break;
		if (both[0].revents != 0)
			return false;
		if (both[1].revents == 0)
			continue;
		if (read(tty, out + *n, 1) != 1 || out[*n] == '\n')
			break;
		++*n;
	}
	out[*n] = '\0';
	return true;
}

/* Unseen from before the question on: who types ahead is not shown either. */
static bool ask_unseen(int tty, int signals, const char *question, char *out,
        size_t size, size_t *n)
{
	struct termios before, hidden;
	bool answered;

	if (tcgetattr(tty, &before) != 0) {
		*n = 0;
		return true;
	}
	hidden = before;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	(void)tcsetattr(tty, TCSAFLUSH, &hidden);
	(void)dprintf(tty, "%s: ", question);
	answered = read_line(tty, signals, out, size, n);
	(void)tcsetattr(tty, TCSAFLUSH, &before);
	(void)dprintf(tty, "\n");
	return answered;
}

/* Asked again after a signal that stopped us and let us go on. */
static size_t ask_held(int tty, const char *question, char *out, size_t size)
{
	sigset_t held, before;
	bool answered = false;
	int signals;
	size_t n = 0;

	hold_signals(&held);
	signals = signalfd(-1, &held, SFD_CLOEXEC);
	while (signals >= 0 && !answered) {
		(void)sigprocmask(SIG_BLOCK, &held, &before);
		answered = ask_unseen(tty, signals, question, out, size, &n);
		(void)sigprocmask(SIG_SETMASK, &before, NULL);
	}
	if (signals >= 0)
		(void)close(signals);
	return n;
}

int ceremony_ask(const char *what, const char *of)
{
	char text[CEREMONY_PASSPHRASE_MAX_BYTES + 1];
	char question[CEREMONY_PATH_BYTES + 64];
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	int fd = -1;

	if (tty < 0)
		return -1;
	(void)snprintf(question, sizeof(question), "%s of %s", what, of);
	if (ask_held(tty, question, text, sizeof(text)) > 0)
		fd = ceremony_secret_fd(text);
	bytes_wipe(text, sizeof(text));
	(void)close(tty);
	return fd;
}

enum rc ceremony_passphrase(const struct cli *cli, enum cli_option option,
        const char *path, int *fd, struct why *why)
{
	const char *file = cli_value(cli, option);

	*fd = -1;
	if (file != NULL) {
		*fd = open(file, O_RDONLY | O_CLOEXEC);
		if (*fd < 0)
			return why_set(
			        why, RC_IO, "%s: %s", file, strerror(errno));
	} else if (is_encrypted(path)) {
		*fd = ceremony_ask("Passphrase", path);
	}
	return RC_OK;
}
