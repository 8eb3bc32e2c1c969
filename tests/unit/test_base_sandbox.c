/* What a process can and cannot do after it gave things up. Each case runs in
 * a child, since nothing is ever given back. */
#include "config.h"

#include "base/ipc.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/rand.h"
#include "base/sandbox.h"
#include "tests/unit/test_base.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define ALL_ROLES 4

typedef bool child_fn(void);

static char dir_path[] = "/tmp/mica-test-XXXXXX";
static int dir = -1;
static int file = -1;

/* The exit status of a child in which check() ran after the sandbox closed:
 * 0 when it returned true. Negative: the signal that ended it. */
static int run_in(enum sandbox_role role, child_fn *check)
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		unsigned n_dirs = role == SANDBOX_KEEPER ? 1 : 0;
		struct why why = WHY_NONE;

		sandbox_undumpable();
		if (sandbox_enter(role, &dir, n_dirs, &why) != RC_OK)
			_exit(2);
		_exit(check() ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status))
		return -WTERMSIG(status);
	return WEXITSTATUS(status);
}

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir_path));
	dir = open(dir_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(dir, 0);
	file = openat(dir, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(file, 0);
	ck_assert_int_eq(ftruncate(file, 1 << 20), 0);
}

static void teardown(void)
{
	(void)unlinkat(dir, "file", 0);
	(void)unlinkat(dir, "published", 0);
	(void)close(file);
	(void)close(dir);
	(void)rmdir(dir_path);
}

static bool lives(void)
{
	return true;
}

#ifndef MICA_SANITIZED

static bool try_execve(void)
{
	char *argv[] = { NULL };

	return execve("/bin/true", argv, argv) == 0;
}

static bool try_execveat(void)
{
	char *argv[] = { NULL };

	return fexecve(file, argv, argv) == 0;
}

static bool try_ptrace(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0;
}

static bool try_vm_read(void)
{
	char a = 0;
	char b = 0;
	struct iovec to = { &a, 1 };
	struct iovec from = { &b, 1 };

	return process_vm_readv(getppid(), &to, 1, &from, 1, 0) == 1;
}

static bool try_vm_write(void)
{
	char a = 0;
	struct iovec v = { &a, 1 };

	return process_vm_writev(getppid(), &v, 1, &v, 1, 0) == 1;
}

static child_fn *const deadly[] = { try_execve, try_execveat, try_ptrace,
	try_vm_read, try_vm_write };

START_TEST(sandbox_kills_for_calls_that_only_an_intruder_makes)
{
	for (int role = 0; role < ALL_ROLES; role++)
		ck_assert_int_eq(
		        run_in((enum sandbox_role)role, deadly[_i]), -SIGSYS);
}
END_TEST

static bool no_open(void)
{
	return open("/etc/passwd", O_RDONLY) < 0 && errno == ENOSYS &&
	        openat(dir, "file", O_RDWR) < 0 && errno == ENOSYS;
}

static bool no_unlink(void)
{
	return unlinkat(dir, "file", 0) < 0 && errno == ENOSYS;
}

static bool no_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == ENOSYS;
}

static bool no_connect(void)
{
	return connect(file, NULL, 0) < 0 && errno == ENOSYS;
}

static bool no_fork(void)
{
	return fork() < 0 && errno == ENOSYS;
}

static bool no_kill(void)
{
	return kill(getppid(), 0) < 0 && errno == ENOSYS &&
	        syscall(SYS_tgkill, getppid(), getppid(), 0) < 0 &&
	        errno == ENOSYS;
}

static bool no_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p != MAP_FAILED && mprotect(p, 4096, PROT_EXEC) < 0 &&
	        errno == ENOSYS &&
	        mmap(NULL, 4096, PROT_READ | PROT_EXEC,
	                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
}

static bool no_stat(void)
{
	struct stat st;

	return stat("/etc/passwd", &st) < 0 && errno == ENOSYS;
}

static bool no_dumpable(void)
{
	return prctl(PR_SET_DUMPABLE, 1) < 0 && errno == ENOSYS;
}

static bool no_rlimit(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
	        setrlimit(RLIMIT_NOFILE, &limit) < 0 && errno == ENOSYS;
}

static const struct {
	child_fn *check;
	bool keeper_too, modules_too;
} refused[] = {
	{ no_open, false, false },
	{ no_unlink, false, false },
	{ no_stat, false, false },
	{ no_socket, true, false },
	{ no_connect, true, false },
	{ no_fork, true, true },
	{ no_kill, true, true },
	{ no_code, true, false },
	{ no_dumpable, true, true },
	{ no_rlimit, true, true },
};

START_TEST(sandbox_refuses_what_the_role_does_not_need)
{
	ck_assert_int_eq(run_in(SANDBOX_WORKER, refused[_i].check), 0);
	ck_assert_int_eq(run_in(SANDBOX_SIGNER, refused[_i].check), 0);
	if (refused[_i].keeper_too)
		ck_assert_int_eq(run_in(SANDBOX_KEEPER, refused[_i].check), 0);
	if (refused[_i].modules_too)
		ck_assert_int_eq(
		        run_in(SANDBOX_SIGNER_TOKENS, refused[_i].check), 0);
}
END_TEST

/* A module loads another one late: code, but never what was just written. */
static bool no_written_code(void)
{
	const int both = PROT_WRITE | PROT_EXEC;
	void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC,
	        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p != MAP_FAILED && mprotect(p, 4096, both) < 0 &&
	        errno == ENOSYS &&
	        mmap(NULL, 4096, PROT_READ | both, MAP_PRIVATE | MAP_ANONYMOUS,
	                -1, 0) == MAP_FAILED;
}

START_TEST(sandbox_signer_with_modules_runs_nothing_that_is_writable)
{
	ck_assert_int_eq(run_in(SANDBOX_SIGNER_TOKENS, no_written_code), 0);
}
END_TEST

static bool no_accept(void)
{
	return accept4(file, NULL, NULL, 0) < 0 && errno == ENOSYS;
}

START_TEST(sandbox_signer_accepts_no_connection)
{
	ck_assert_int_eq(run_in(SANDBOX_SIGNER, no_accept), 0);
	ck_assert_int_eq(run_in(SANDBOX_WORKER, no_accept), 1);
}
END_TEST

static bool has_landlock(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, 1) > 0;
}

static bool keeper_stays_below(void)
{
	return open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES &&
	        open("/proc/self/mem", O_RDWR) < 0 && errno == EACCES &&
	        openat(dir, "../x", O_RDWR | O_CREAT, 0600) < 0 &&
	        errno == EACCES;
}

START_TEST(sandbox_keeper_stays_below_its_folders)
{
	if (has_landlock())
		ck_assert_int_eq(run_in(SANDBOX_KEEPER, keeper_stays_below), 0);
}
END_TEST

#endif

static bool keeper_publishes(void)
{
	int fd = openat(dir, "new", O_WRONLY | O_CREAT | O_EXCL, 0600);

	return fd >= 0 && write(fd, "x", 1) == 1 && fchmod(fd, 0644) == 0 &&
	        fsync(fd) == 0 && close(fd) == 0 &&
	        renameat(dir, "new", dir, "published") == 0 &&
	        mkdirat(dir, "sub", 0700) == 0 &&
	        unlinkat(dir, "sub", AT_REMOVEDIR) == 0;
}

START_TEST(sandbox_keeper_publishes_below_its_folders)
{
	ck_assert_int_eq(run_in(SANDBOX_KEEPER, keeper_publishes), 0);
}
END_TEST

static bool modules_open_what_they_like(void)
{
	int fd = openat(dir, "object", O_RDWR | O_CREAT, 0600);
	int sock = socket(AF_UNIX, SOCK_STREAM, 0);
	struct stat st;

	return fd >= 0 && write(fd, "x", 1) == 1 &&
	        unlinkat(dir, "object", 0) == 0 && sock >= 0 &&
	        stat("/etc/passwd", &st) == 0 &&
	        open("/etc/passwd", O_RDONLY) >= 0;
}

START_TEST(sandbox_lets_modules_open_files_and_sockets)
{
	ck_assert_int_eq(
	        run_in(SANDBOX_SIGNER_TOKENS, modules_open_what_they_like), 0);
}
END_TEST

static void *thread(void *ctx)
{
	(void)prctl(PR_SET_NAME, "writer");
	*(bool *)ctx = true;
	/* A second arena: the allocator of a thread maps memory. */
	free(malloc(1000));
	return NULL;
}

static bool threads_start(void)
{
	bool ran[4] = { false, false, false, false };
	pthread_t threads[4];

	for (int i = 0; i < 4; i++) {
		if (pthread_create(&threads[i], NULL, thread, &ran[i]) != 0)
			return false;
	}
	for (int i = 0; i < 4; i++) {
		if (pthread_join(threads[i], NULL) != 0 || !ran[i])
			return false;
	}
	return true;
}

static bool random_comes(void)
{
	uint8_t a[32] = { 0 };
	uint8_t b[32] = { 0 };

	rand_fill(a, sizeof(a));
	rand_fill(b, sizeof(b));
	return !bytes_eq(BYTES_ARRAY(a), BYTES_ARRAY(b));
}

static bool logs(void)
{
	int null = memfd_create("log", MFD_CLOEXEC);

	if (dup3(null, STDERR_FILENO, 0) < 0)
		return false;
	log_event(LOG_NOTICE, "test.sandbox", "k", "v", NULL);
	return lseek(STDERR_FILENO, 0, SEEK_END) > 0;
}

static unsigned arrived;

static void on_msg(void *ctx, const struct ipc_msg *msg)
{
	(void)ctx;
	arrived += msg->body.n == 100000;
}

static void on_dead(void *ctx, const struct why *why)
{
	(void)ctx;
	(void)why;
}

/* A loop with a timer, and messages that come by memfd. */
static bool loop_and_ipc_work(void)
{
	static uint8_t body[100000];
	struct ipc_msg msg = { .type = 1, .body = BYTES_ARRAY(body) };
	struct loop *loop;
	struct ipc *near;
	struct ipc *far;
	int fds[2] = { dup(100), dup(101) };

	if (loop_new(&loop) != RC_OK ||
	        ipc_new(&near, loop, fds[0], on_msg, on_dead, NULL) != RC_OK ||
	        ipc_new(&far, loop, fds[1], on_msg, on_dead, NULL) != RC_OK ||
	        ipc_send(near, &msg) != RC_OK)
		return false;
	for (int i = 0; i < 4; i++)
		loop_poll(loop);
	return arrived == 1;
}

static bool aborts(void)
{
	abort();
}

static child_fn *const allowed[] = { lives, threads_start, random_comes, logs,
	loop_and_ipc_work };

START_TEST(sandbox_leaves_every_role_what_it_needs)
{
	int fds[2];

	ck_assert_int_eq(ipc_pair(fds), RC_OK);
	ck_assert_int_eq(dup2(fds[0], 100), 100);
	ck_assert_int_eq(dup2(fds[1], 101), 101);
	for (int role = 0; role < ALL_ROLES; role++)
		ck_assert_int_eq(
		        run_in((enum sandbox_role)role, allowed[_i]), 0);
}
END_TEST

START_TEST(sandbox_abort_still_aborts)
{
	for (int role = 0; role < ALL_ROLES; role++)
		ck_assert_int_eq(
		        run_in((enum sandbox_role)role, aborts), -SIGABRT);
}
END_TEST

/* What LMDB does to commit: a shared map to read, writes past it, record
 * locks, a robust mutex between processes. */
static bool store_commits(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_len = 1 };
	struct iovec iov = { &lock, 16 };
	pthread_mutexattr_t attr;
	pthread_mutex_t *mutex;
	uint8_t *map;

	map = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (map == MAP_FAILED)
		return false;
	mutex = (pthread_mutex_t *)map;
	return pthread_mutexattr_init(&attr) == 0 &&
	        pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED) ==
	        0 &&
	        pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST) == 0 &&
	        pthread_mutex_init(mutex, &attr) == 0 &&
	        pthread_mutex_lock(mutex) == 0 &&
	        pthread_mutex_unlock(mutex) == 0 &&
	        fcntl(file, F_SETLK, &lock) == 0 &&
	        pwrite(file, "x", 1, 8192) == 1 &&
	        pwritev(file, &iov, 1, 12288) == 16 &&
	        posix_fallocate(file, 0, 1 << 16) == 0 &&
	        fdatasync(file) == 0 && msync(map, 4096, MS_SYNC) == 0 &&
	        map[8192] == 'x' && madvise(map, 4096, MADV_RANDOM) == 0 &&
	        munmap(map, 1 << 20) == 0;
}

START_TEST(sandbox_lets_a_store_commit)
{
	ck_assert_int_eq(run_in(SANDBOX_WORKER, store_commits), 0);
	ck_assert_int_eq(run_in(SANDBOX_KEEPER, store_commits), 0);
}
END_TEST

START_TEST(sandbox_folders_are_the_keepers_alone)
{
	int dirs[9] = { dir, dir, dir, dir, dir, dir, dir, dir, dir };
	struct why why = WHY_NONE;

	ck_assert_int_eq(
	        sandbox_enter(SANDBOX_WORKER, dirs, 1, &why), RC_INTERNAL);
	ck_assert_int_eq(
	        sandbox_enter(SANDBOX_KEEPER, dirs, 9, &why), RC_INTERNAL);
	ck_assert_str_ne(why.text, "");
}
END_TEST

static bool becomes_only_itself(void)
{
	return sandbox_become(getuid(), getgid(), NULL) == RC_OK &&
	        sandbox_become(getuid() + 1, getgid(), NULL) == RC_PERMISSION &&
	        sandbox_supervisor(NULL) == RC_OK;
}

/* CAP_DAC_OVERRIDE (1) goes at once, root with it for good. */
static bool becomes_another(void)
{
	return sandbox_supervisor(NULL) == RC_OK &&
	        prctl(PR_CAPBSET_READ, 1) == 0 &&
	        sandbox_become(65534, 65534, NULL) == RC_OK &&
	        getuid() == 65534 && getgid() == 65534 &&
	        getgroups(0, NULL) == 0 && setuid(0) != 0;
}

START_TEST(sandbox_become_is_for_good)
{
	child_fn *check =
	        geteuid() == 0 ? becomes_another : becomes_only_itself;
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(check() ? 0 : 1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(sandbox_child_dies_with_its_parent)
{
	ck_assert(sandbox_die_with_parent(getppid()));
	ck_assert(!sandbox_die_with_parent(getpid()));
	sandbox_undumpable();
	ck_assert_int_eq(prctl(PR_GET_DUMPABLE), 0);
}
END_TEST

TCase *test_base_sandbox(void)
{
	TCase *t = tcase_create("sandbox");

	tcase_add_checked_fixture(t, setup, teardown);
#ifndef MICA_SANITIZED
	tcase_add_loop_test(t,
	        sandbox_kills_for_calls_that_only_an_intruder_makes, 0,
	        ROWS(deadly));
	tcase_add_loop_test(t, sandbox_refuses_what_the_role_does_not_need, 0,
	        ROWS(refused));
	tcase_add_test(t, sandbox_signer_accepts_no_connection);
	tcase_add_test(t, sandbox_keeper_stays_below_its_folders);
	tcase_add_test(
	        t, sandbox_signer_with_modules_runs_nothing_that_is_writable);
#endif
	tcase_add_test(t, sandbox_lets_modules_open_files_and_sockets);
	tcase_add_test(t, sandbox_keeper_publishes_below_its_folders);
	tcase_add_loop_test(
	        t, sandbox_leaves_every_role_what_it_needs, 0, ROWS(allowed));
	tcase_add_test(t, sandbox_abort_still_aborts);
	tcase_add_test(t, sandbox_lets_a_store_commit);
	tcase_add_test(t, sandbox_folders_are_the_keepers_alone);
	tcase_add_test(t, sandbox_become_is_for_good);
	tcase_add_test(t, sandbox_child_dies_with_its_parent);
	return t;
}
