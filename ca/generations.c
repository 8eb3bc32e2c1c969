#include "ca/generations.h"

#include "ca/certs_only.h"

#include <string.h>

bool generation_continues(const struct conf_authority *a, const char *name)
{
	for (; a != NULL; a = a->replaces)
		if (strcmp(a->name, name) == 0)
			return true;
	return false;
}

const struct conf_authority *generation_newest(
        const struct conf *c, const struct conf_authority *a)
{
	const struct conf_authority *next;

	while ((next = conf_authority_next(c, a)) != NULL)
		a = next;
	return a;
}

struct list {
	struct bytes *certs;
	size_t n;
	bool full;
};

static void add(struct list *l, struct bytes der)
{
	for (size_t i = 0; i < l->n; i++)
		if (bytes_eq(l->certs[i], der))
			return;
	if (l->n == GENERATIONS_CERTS_MAX)
		l->full = true;
	else
		l->certs[l->n++] = der;
}

static void add_with_chain(struct list *l, const struct authority *a)
{
	add(l, a->der);
	for (size_t i = 0; i < a->n_chain; i++)
		add(l, a->chain[i]);
}

/* One that has ended helps nobody, and one that was revoked must not be trusted
 * anew. */
static bool is_good(const struct authority *a, int64_t now_s)
{
	return a->state != AUTHORITY_REVOKED && a->not_after_s > now_s;
}

enum rc generations_certs(struct bytes certs[GENERATIONS_CERTS_MAX], size_t *n,
        struct authorities *all, const struct conf *conf,
        const struct authority *a, int64_t now_s)
{
	const struct conf_authority *newest = generation_newest(conf, a->conf);
	const struct conf_authority *c;
	struct list l = { .certs = certs };
	const struct authority *g, *before;

	add_with_chain(&l, a);
	for (c = newest; c != NULL; c = c->replaces) {
		g = authorities_find(all, c->name);
		if (g != NULL && g != a && is_good(g, now_s))
			add_with_chain(&l, g);
	}
	for (c = newest; c != NULL && c->replaces != NULL; c = c->replaces) {
		g = authorities_find(all, c->name);
		before = authorities_find(all, c->replaces->name);
		if (g == NULL || before == NULL || !is_good(g, now_s) ||
		        !is_good(before, now_s))
			continue;
		for (size_t i = 0; i < g->n_cross; i++)
			add(&l, g->cross[i]);
	}
	*n = l.n;
	return l.full ? RC_TOOBIG : RC_OK;
}

const struct authority *generations_next(struct authorities *all,
        const struct conf *conf, const struct authority *a, int64_t now_s)
{
	const struct conf_authority *newest = generation_newest(conf, a->conf);
	const struct authority *next = authorities_find(all, newest->name);

	return next != NULL && next != a && is_good(next, now_s) ? next : NULL;
}

enum rc generations_next_certs(struct bytes certs[GENERATIONS_CERTS_MAX],
        size_t *n, const struct authority *next)
{
	struct list l = { .certs = certs };

	add_with_chain(&l, next);
	*n = l.n;
	return l.full ? RC_TOOBIG : RC_OK;
}

enum rc generations_put_next(struct buf *out, const struct authority *next)
{
	struct bytes certs[GENERATIONS_CERTS_MAX];
	size_t n;
	enum rc rc = generations_next_certs(certs, &n, next);

	return rc == RC_OK ? certs_only_put(out, certs, n) : rc;
}
