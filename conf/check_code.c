/* Code keys: what they sign with is nobody else's, and so is the profile of
 * their certificates under the authority that certifies them. Else an operator,
 * or a device by a token, could have a certificate of that kind for a key that
 * is no secret. */
#include "conf/error.h"
#include "conf/load.h"

#include <stdio.h>
#include <string.h>

bool load_is_code(const struct load *l, const struct conf_authority *a,
        const struct conf_profile *p)
{
	for (size_t i = 0; i < l->conf.n_code; i++)
		if ((a == NULL || l->conf.code[i].authority == a) &&
		        l->conf.code[i].profile == p)
			return true;
	return false;
}

static void check_key(
        struct load *l, const struct conf_code *c, const struct node *n)
{
	const struct node *at = node_get(n, "key");

	if (c->key == NULL)
		return;
	for (size_t i = 0; i < l->conf.n_authorities; i++)
		if (l->conf.authorities[i].key == c->key)
			node_error(l->errors, at,
			        "key \"%s\" is of authority \"%s\": a key that "
			        "signs code signs nothing else",
			        c->key->name, l->conf.authorities[i].name);
	for (const struct conf_code *o = l->conf.code; o < c; o++)
		if (o->key == c->key)
			node_error(l->errors, at,
			        "key \"%s\" is of code.%s: each has its own",
			        c->key->name, o->name);
}

static void check_authority(
        struct load *l, const struct conf_code *c, const struct node *n)
{
	const struct conf_authority *a = c->authority;

	if (a == NULL || c->profile == NULL)
		return;
	if (a->retired)
		node_error(l->errors, node_get(n, "authority"),
		        "authority \"%s\" is retired", a->name);
	for (size_t i = 0; i < a->n_profiles; i++)
		if (a->profiles[i] == c->profile)
			node_error(l->errors, node_get(n, "profile"),
			        "authority \"%s\" may issue it to anyone: take "
			        "it out of authorities.%s.profiles",
			        a->name, a->name);
}

static void check_device(
        struct load *l, struct conf_code *c, const struct node *n)
{
	char device[CONF_NAME_MAX + 8];

	if (c->device == NULL && c->name != NULL) {
		(void)snprintf(device, sizeof(device), "code:%s", c->name);
		c->device = arena_copy(&l->arena, bytes_str(device));
	}
	for (const struct conf_code *o = l->conf.code; o < c; o++)
		if (c->device != NULL && o->device != NULL &&
		        strcmp(o->device, c->device) == 0)
			node_error(l->errors, n, "has the device of code.%s",
			        o->name);
}

void load_check_code(struct load *l)
{
	const struct node *all = node_get(l->root, "code");
	struct conf_code *c = (struct conf_code *)l->conf.code;

	for (size_t i = 0; i < l->conf.n_code; i++) {
		const struct node *n = node_at(all, i);
		const struct node *access = node_get(n, "access");

		check_key(l, &c[i], n);
		check_authority(l, &c[i], n);
		check_device(l, &c[i], n);
		for (size_t k = 0; k < c[i].n_access; k++)
			load_check_grantee(l, node_at(access, k));
	}
}
