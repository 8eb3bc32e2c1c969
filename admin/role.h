/* admin/role.h - what a process behind the admin socket may do: the kernel says
 * who it is, the configuration what that means. Default deny. Pure. Needs
 * conf/. */
#ifndef MICA_ADMIN_ROLE_H
#define MICA_ADMIN_ROLE_H

#include "conf/conf.h"
#include <sys/types.h>

struct role_asker {
	uid_t uid;
	gid_t gid;
	const gid_t *groups; /* supplementary */
	size_t n_groups;
};

/* The highest role that admin.access gives by user or by any group; root and
 * the daemon's own user are admin. False: none. */
MUST_CHECK bool role_of(const struct conf *conf, uid_t own,
        const struct role_asker *who, enum conf_role *out);

/* Is he, or one of his groups, in that list? Its roles are not looked at. */
MUST_CHECK bool role_is_listed(const struct conf_grantee *list, size_t n,
        const struct role_asker *who);

/* "auditor" */
const char *role_text(enum conf_role role);

#endif
