/* base/sandbox.h - what a child process gives up after exec: privileges,
 * system calls, files. Each step is best-effort only where the kernel lacks
 * it, and says so by its result. */
#ifndef MICA_BASE_SANDBOX_H
#define MICA_BASE_SANDBOX_H

#include "base/rc.h"
#include "base/why.h"
#include <stdbool.h>
#include <sys/types.h>

enum sandbox_role {
	SANDBOX_WORKER, /* sockets given, store files, no new files */
	SANDBOX_KEEPER, /* as worker, and publishes files below its folders */
	SANDBOX_SIGNER, /* no sockets but those given, no files once loaded */
	/* A signer with PKCS#11 modules, which want files, devices, sockets and
	 * threads of their own: what its uid may open, it may. It executes
	 * nothing, and no memory is writable and code at once. */
	SANDBOX_SIGNER_TOKENS,
};

/* Become uid and gid for good: supplementary groups dropped, real, effective
 * and saved ids set, then proven by trying to come back. */
MUST_CHECK enum rc sandbox_become(uid_t uid, gid_t gid, struct why *why);
/* SIGKILL when the parent dies; false if it died already. Set after
 * sandbox_become(): a change of uid clears it. */
MUST_CHECK bool sandbox_die_with_parent(pid_t parent);
/* No core dumps, no ptrace, no /proc/self/mem for others. */
void sandbox_undumpable(void);
/* Keep only the capabilities a supervisor needs (SETUID SETGID KILL
 * NET_BIND_SERVICE); a no-op for a process that is not root. */
MUST_CHECK enum rc sandbox_supervisor(struct why *why);
/* no_new_privs, Landlock where the kernel has it (no path at all, except that
 * a keeper may read and write below dirs[]), and the role's seccomp filter:
 * default ENOSYS; exec, ptrace and process_vm_* kill. To be called before the
 * first thread is made, with the event loop, the store and all that OpenSSL
 * loads already open. Afterwards no memory becomes code (but see
 * SANDBOX_SIGNER_TOKENS): no dlopen(), and no pthread_exit() or
 * pthread_cancel(), which load libgcc. Built with
 * sanitizers, Landlock and the filter are left out. n_dirs at most 8. */
MUST_CHECK enum rc sandbox_enter(enum sandbox_role role, const int *dirs,
        unsigned n_dirs, struct why *why);

#endif
