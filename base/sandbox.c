#include "base/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <unistd.h>

static enum rc failed(struct why *why, const char *what)
{
	int error = errno;

	return why_set(why, error == EPERM ? RC_PERMISSION : RC_IO, "%s: %s",
	        what, strerror(error));
}

static bool ids_are(uid_t uid, gid_t gid)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;

	return getresuid(&r, &e, &s) == 0 && getresgid(&rg, &eg, &sg) == 0 &&
	        r == uid && e == uid && s == uid && rg == gid && eg == gid &&
	        sg == gid;
}

/* Whatever securebits say about keeping capabilities over a change of uid. */
static bool drop_all_caps(void)
{
	cap_t none = cap_init();
	bool done = none != NULL && cap_set_proc(none) == 0;

	(void)cap_free(none);
	return done;
}

enum rc sandbox_become(uid_t uid, gid_t gid, struct why *why)
{
	if (geteuid() != 0) {
		if (ids_are(uid, gid))
			return RC_OK;
		return why_set(why, RC_PERMISSION, "only root can become %u",
		        (unsigned)uid);
	}
	if (setgroups(0, NULL) != 0)
		return failed(why, "setgroups");
	if (setresgid(gid, gid, gid) != 0)
		return failed(why, "setresgid");
	if (setresuid(uid, uid, uid) != 0)
		return failed(why, "setresuid");
	if (uid == 0)
		return RC_OK;
	if (!drop_all_caps())
		return failed(why, "cap_set_proc");
	if (!ids_are(uid, gid) || setresuid(0, 0, 0) == 0 || seteuid(0) == 0 ||
	        (gid != 0 && setegid(0) == 0))
		return why_set(why, RC_PERMISSION,
		        "root could be regained after the change of uid");
	return RC_OK;
}

bool sandbox_die_with_parent(pid_t parent)
{
	return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent;
}

void sandbox_undumpable(void)
{
	struct rlimit none = { 0, 0 };

	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0);
}

/* SETUID, SETGID: children drop to their users. KILL: to end them then.
 * NET_BIND_SERVICE: ports below 1024, also after a reload. */
static const cap_value_t supervisor_caps[] = { CAP_SETUID, CAP_SETGID, CAP_KILL,
	CAP_NET_BIND_SERVICE };
#define SUPERVISOR_CAPS (sizeof(supervisor_caps) / sizeof(supervisor_caps[0]))

static bool supervisor_needs(cap_value_t cap)
{
	for (size_t i = 0; i < SUPERVISOR_CAPS; i++) {
		if (supervisor_caps[i] == cap)
			return true;
	}
	return false;
}

/* What an exec as root would bring back. */
static bool drop_bounding(void)
{
	for (cap_value_t cap = 0; cap < cap_max_bits(); cap++) {
		if (supervisor_needs(cap) || cap_get_bound(cap) != 1)
			continue;
		if (cap_drop_bound(cap) != 0)
			return false;
	}
	return true;
}

/* A container may have taken some of them away already. */
static bool keep_supervisor_caps(void)
{
	cap_t had = cap_get_proc();
	cap_t keep = cap_init();
	bool done = had != NULL && keep != NULL;

	for (size_t i = 0; done && i < SUPERVISOR_CAPS; i++) {
		cap_flag_value_t value = CAP_CLEAR;

		done = cap_get_flag(had, supervisor_caps[i], CAP_PERMITTED,
		               &value) == 0 &&
		        cap_set_flag(keep, CAP_PERMITTED, 1,
		                &supervisor_caps[i], value) == 0 &&
		        cap_set_flag(keep, CAP_EFFECTIVE, 1,
		                &supervisor_caps[i], value) == 0;
	}
	done = done && cap_set_proc(keep) == 0;
	(void)cap_free(had);
	(void)cap_free(keep);
	return done;
}

enum rc sandbox_supervisor(struct why *why)
{
	if (geteuid() != 0)
		return RC_OK;
	if (!drop_bounding())
		return failed(why, "capability bounding set");
	if (!keep_supervisor_caps())
		return failed(why, "cap_set_proc");
	return RC_OK;
}
