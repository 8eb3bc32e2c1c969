#include "admin/role.h"

static bool in_group(const struct role_asker *who, gid_t gid)
{
	if (who->gid == gid)
		return true;
	for (size_t i = 0; i < who->n_groups; i++)
		if (who->groups[i] == gid)
			return true;
	return false;
}

static bool is_grantee(
        const struct conf_grantee *g, const struct role_asker *who)
{
	return g->is_group ? in_group(who, g->id) : who->uid == g->id;
}

bool role_is_listed(
        const struct conf_grantee *list, size_t n, const struct role_asker *who)
{
	for (size_t i = 0; i < n; i++)
		if (is_grantee(&list[i], who))
			return true;
	return false;
}

bool role_of(const struct conf *conf, uid_t own, const struct role_asker *who,
        enum conf_role *out)
{
	bool found = false;

	if (who->uid == 0 || who->uid == own) {
		*out = CONF_ROLE_ADMIN;
		return true;
	}
	for (size_t i = 0; i < conf->n_access; i++) {
		const struct conf_grantee *g = &conf->access[i];

		if (is_grantee(g, who) && (!found || g->role > *out)) {
			*out = g->role;
			found = true;
		}
	}
	return found;
}

const char *role_text(enum conf_role role)
{
	switch (role) {
	case CONF_ROLE_AUDITOR:
		return "auditor";
	case CONF_ROLE_OPERATOR:
		return "operator";
	case CONF_ROLE_ADMIN:
		return "admin";
	}
	return "none";
}
