#include "config.h"

#include "base/sandbox.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define DIRS_MAX 8

/* A sanitizer's report reads /proc and may run a symbolizer, so these builds
 * confine nothing. */
#ifndef MICA_SANITIZED

#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#ifdef HAVE_LINUX_LANDLOCK_H
#include <linux/landlock.h>
#endif

/* Memory, threads, time, and talking over descriptors that are there. */
static const int allow_all[] = {
	SCMP_SYS(brk),
	SCMP_SYS(clock_getres),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(close),
	SCMP_SYS(close_range),
	SCMP_SYS(dup),
	SCMP_SYS(dup3),
	SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(eventfd2),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(fcntl),
	SCMP_SYS(fstat),
	SCMP_SYS(fstatfs),
	SCMP_SYS(ftruncate),
	SCMP_SYS(futex),
	SCMP_SYS(get_robust_list),
	SCMP_SYS(getegid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getpid),
	SCMP_SYS(getppid),
	SCMP_SYS(getrandom),
	SCMP_SYS(getrusage),
	SCMP_SYS(getsockopt),
	SCMP_SYS(gettid),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(getuid),
	SCMP_SYS(lseek),
	SCMP_SYS(madvise),
	SCMP_SYS(membarrier),
	SCMP_SYS(memfd_create),
	SCMP_SYS(mlock),
	SCMP_SYS(mlock2),
	SCMP_SYS(mremap),
	SCMP_SYS(munlock),
	SCMP_SYS(munmap),
	SCMP_SYS(nanosleep),
	SCMP_SYS(pipe2),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(pread64),
	SCMP_SYS(pwrite64),
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(rseq),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigpending),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigtimedwait),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sendmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(set_tid_address),
	SCMP_SYS(shutdown),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(sysinfo),
	SCMP_SYS(time),
	SCMP_SYS(timerfd_create),
	SCMP_SYS(timerfd_gettime),
	SCMP_SYS(timerfd_settime),
	SCMP_SYS(uname),
	SCMP_SYS(write),
	SCMP_SYS(writev),
};

/* Connections from outside, and a store whose files are open. */
static const int allow_store[] = {
	SCMP_SYS(accept4),
	SCMP_SYS(fallocate),
	SCMP_SYS(fdatasync),
	SCMP_SYS(flock),
	SCMP_SYS(fsync),
	SCMP_SYS(getpeername),
	SCMP_SYS(getsockname),
	SCMP_SYS(msync),
	SCMP_SYS(preadv),
	SCMP_SYS(pwritev),
	SCMP_SYS(sendfile),
	SCMP_SYS(setsockopt),
	SCMP_SYS(sync_file_range),
};

/* Files by name; Landlock says below which folders. */
static const int allow_files[] = {
	SCMP_SYS(access),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(fchmod),
	SCMP_SYS(fchmodat),
	SCMP_SYS(getdents64),
	SCMP_SYS(linkat),
	SCMP_SYS(mkdir),
	SCMP_SYS(mkdirat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(open),
	SCMP_SYS(openat),
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	SCMP_SYS(rename),
	SCMP_SYS(renameat),
	SCMP_SYS(renameat2),
	SCMP_SYS(rmdir),
	SCMP_SYS(stat),
	SCMP_SYS(statfs),
	SCMP_SYS(statx),
	SCMP_SYS(unlink),
	SCMP_SYS(unlinkat),
};

/* What modules of PKCS#11 are known to use beyond: network and Unix sockets,
 * devices, shared memory, and waiting in older ways. */
static const int allow_modules[] = {
	SCMP_SYS(bind),
	SCMP_SYS(chmod),
	SCMP_SYS(connect),
	SCMP_SYS(dup2),
	SCMP_SYS(eventfd),
	SCMP_SYS(getcwd),
	SCMP_SYS(getgroups),
	SCMP_SYS(getresgid),
	SCMP_SYS(getresuid),
	SCMP_SYS(getrlimit),
	SCMP_SYS(inotify_add_watch),
	SCMP_SYS(inotify_init1),
	SCMP_SYS(inotify_rm_watch),
	SCMP_SYS(ioctl),
	SCMP_SYS(lstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(pipe),
	SCMP_SYS(pselect6),
	SCMP_SYS(recvmmsg),
	SCMP_SYS(sched_getparam),
	SCMP_SYS(sched_getscheduler),
	SCMP_SYS(select),
	SCMP_SYS(semctl),
	SCMP_SYS(semget),
	SCMP_SYS(semop),
	SCMP_SYS(semtimedop),
	SCMP_SYS(sendmmsg),
	SCMP_SYS(shmat),
	SCMP_SYS(shmctl),
	SCMP_SYS(shmdt),
	SCMP_SYS(shmget),
	SCMP_SYS(socket),
	SCMP_SYS(socketpair),
	SCMP_SYS(times),
	SCMP_SYS(truncate),
	SCMP_SYS(umask),
	SCMP_SYS(utimensat),
};

/* No honest code of ours comes here: do not let it go on. */
static const int kill_for[] = {
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(ptrace),
};

/* Allowed for some arguments only: (argument & mask) == value. */
struct narrow {
	int call;
	unsigned arg;
	scmp_datum_t mask;
	scmp_datum_t value;
};

#define ALL_BITS UINT64_MAX
#define THREAD_FLAGS                                                           \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)
#define NAMESPACE_FLAGS                                                        \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |         \
	        CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

static const struct narrow narrows[] = {
	/* Threads, no processes. clone3 hides its flags in memory: it answers
	 * ENOSYS, and glibc falls back to clone. */
	{ SCMP_SYS(clone), 0, THREAD_FLAGS | NAMESPACE_FLAGS, THREAD_FLAGS },
	/* Nothing becomes code any more. */
	{ SCMP_SYS(mmap), 2, PROT_EXEC, 0 },
	{ SCMP_SYS(mprotect), 2, PROT_EXEC, 0 },
	/* fstat() as glibc calls it. */
	{ SCMP_SYS(newfstatat), 3, AT_EMPTY_PATH, AT_EMPTY_PATH },
	{ SCMP_SYS(ioctl), 1, 0xffffffff, FIONREAD },
	{ SCMP_SYS(ioctl), 1, 0xffffffff, FIONBIO },
	{ SCMP_SYS(prctl), 0, ALL_BITS, PR_SET_NAME },
	/* getrlimit(), not setrlimit(). */
	{ SCMP_SYS(prlimit64), 2, ALL_BITS, 0 },
};

/* A module may load others late; what is code then is not writable. */
static const struct narrow module_narrows[] = {
	{ SCMP_SYS(mmap), 2, PROT_EXEC | PROT_WRITE, PROT_EXEC },
	{ SCMP_SYS(mprotect), 2, PROT_EXEC | PROT_WRITE, PROT_EXEC },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static bool add_all(
        scmp_filter_ctx filter, uint32_t action, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (seccomp_rule_add(filter, action, calls[i], 0) != 0)
			return false;
	}
	return true;
}

static bool add_narrow(scmp_filter_ctx filter, const struct narrow *n)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, n->call, 1,
	               SCMP_CMP(n->arg, SCMP_CMP_MASKED_EQ, n->mask,
	                       n->value)) == 0;
}

/* Allowed for all arguments, in allow_files or allow_modules. */
static bool is_whole(enum sandbox_role role, int call)
{
	if (role == SANDBOX_SIGNER_TOKENS && call == SCMP_SYS(ioctl))
		return true;
	return (role == SANDBOX_KEEPER || role == SANDBOX_SIGNER_TOKENS) &&
	        call == SCMP_SYS(newfstatat);
}

static bool add_narrows(scmp_filter_ctx filter, enum sandbox_role role)
{
	/* abort() signals its own process; nobody signals another. */
	struct narrow own = { SCMP_SYS(tgkill), 0, 0xffffffff,
		(scmp_datum_t)getpid() };

	for (size_t i = 0; i < COUNT(narrows); i++) {
		if (is_whole(role, narrows[i].call))
			continue;
		if (!add_narrow(filter, &narrows[i]))
			return false;
	}
	for (size_t i = 0;
	        role == SANDBOX_SIGNER_TOKENS && i < COUNT(module_narrows); i++)
		if (!add_narrow(filter, &module_narrows[i]))
			return false;
	return add_narrow(filter, &own);
}

static bool add_rules(scmp_filter_ctx filter, enum sandbox_role role)
{
	uint32_t allow = SCMP_ACT_ALLOW;

	if (!add_all(filter, allow, allow_all, COUNT(allow_all)) ||
	        !add_all(filter, SCMP_ACT_KILL_PROCESS, kill_for,
	                COUNT(kill_for)) ||
	        !add_narrows(filter, role))
		return false;
	if (role != SANDBOX_SIGNER &&
	        !add_all(filter, allow, allow_store, COUNT(allow_store)))
		return false;
	if (role == SANDBOX_SIGNER_TOKENS &&
	        !add_all(filter, allow, allow_modules, COUNT(allow_modules)))
		return false;
	return (role != SANDBOX_KEEPER && role != SANDBOX_SIGNER_TOKENS) ||
	        add_all(filter, allow, allow_files, COUNT(allow_files));
}

static enum rc filter_calls(enum sandbox_role role, struct why *why)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	enum rc rc = RC_OK;

	if (filter == NULL)
		return RC_NOMEM;
	/* A binary tree: the list is long and each call pays for it. All
	 * threads, should there be any. */
	if (seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2) != 0 ||
	        seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) != 0 ||
	        !add_rules(filter, role))
		rc = why_set(why, RC_INTERNAL, "seccomp filter");
	else if (seccomp_load(filter) != 0)
		rc = why_set(why, RC_IO, "seccomp filter was not taken");
	seccomp_release(filter);
	return rc;
}

#ifdef HAVE_LINUX_LANDLOCK_H

/* Rights of Landlock's first ABI, and bits that later ones added; the headers
 * that we build with may not name them. */
#define RIGHTS_ABI_1 ((UINT64_C(1) << 13) - 1)
#define RIGHT_REFER (UINT64_C(1) << 13)     /* ABI 2 */
#define RIGHT_TRUNCATE (UINT64_C(1) << 14)  /* ABI 3 */
#define RIGHT_IOCTL_DEV (UINT64_C(1) << 15) /* ABI 5 */
#define RIGHTS_NEVER                                                           \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |           \
	        LANDLOCK_ACCESS_FS_MAKE_BLOCK)

static uint64_t rights_of(long abi)
{
	uint64_t rights = RIGHTS_ABI_1;

	if (abi >= 2)
		rights |= RIGHT_REFER;
	if (abi >= 3)
		rights |= RIGHT_TRUNCATE;
	if (abi >= 5)
		rights |= RIGHT_IOCTL_DEV;
	return rights;
}

static bool allow_below(int ruleset, int dir, uint64_t rights)
{
	struct landlock_path_beneath_attr below = {
		.allowed_access = rights,
		.parent_fd = dir,
	};

	return syscall(SYS_landlock_add_rule, ruleset,
	               LANDLOCK_RULE_PATH_BENEATH, &below, 0) == 0;
}

static enum rc limit_files(enum sandbox_role role, const int *dirs,
        unsigned n_dirs, struct why *why)
{
	struct landlock_ruleset_attr attr = { 0 };
	bool done = true;
	uint64_t rights;
	long abi;
	int fd;

	abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
	        LANDLOCK_CREATE_RULESET_VERSION);
	if (abi < 1)
		return RC_OK; /* not in this kernel, or turned off */
	attr.handled_access_fs = rights_of(abi);
	fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (fd < 0)
		return why_set(
		        why, RC_IO, "Landlock ruleset: %s", strerror(errno));
	rights = attr.handled_access_fs & ~RIGHTS_NEVER;
	if (role != SANDBOX_SIGNER_TOKENS)
		rights &= ~RIGHT_IOCTL_DEV;
	for (unsigned i = 0; done && i < n_dirs; i++)
		done = allow_below(fd, dirs[i], rights);
	done = done && syscall(SYS_landlock_restrict_self, fd, 0) == 0;
	if (!done)
		(void)why_set(why, RC_IO, "Landlock: %s", strerror(errno));
	(void)close(fd);
	return done ? RC_OK : RC_IO;
}

#else

static enum rc limit_files(enum sandbox_role role, const int *dirs,
        unsigned n_dirs, struct why *why)
{
	(void)role;
	(void)dirs;
	(void)n_dirs;
	(void)why;
	return RC_OK;
}

#endif

static enum rc confine(enum sandbox_role role, const int *dirs, unsigned n_dirs,
        struct why *why)
{
	/* Nobody knows where all modules have their files. */
	int root = role == SANDBOX_SIGNER_TOKENS
	        ? open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)
	        : -1;
	enum rc rc = root >= 0 ? limit_files(role, &root, 1, why)
	                       : limit_files(role, dirs, n_dirs, why);

	if (root >= 0)
		(void)close(root);
	return rc == RC_OK ? filter_calls(role, why) : rc;
}

#else

static enum rc confine(enum sandbox_role role, const int *dirs, unsigned n_dirs,
        struct why *why)
{
	(void)role;
	(void)dirs;
	(void)n_dirs;
	(void)why;
	return RC_OK;
}

#endif

enum rc sandbox_enter(enum sandbox_role role, const int *dirs, unsigned n_dirs,
        struct why *why)
{
	if (n_dirs > DIRS_MAX || (n_dirs > 0 && role != SANDBOX_KEEPER))
		return why_set(why, RC_INTERNAL,
		        "this role has no folders, or too many");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return why_set(why, RC_IO, "no_new_privs: %s", strerror(errno));
	return confine(role, dirs, n_dirs, why);
}
