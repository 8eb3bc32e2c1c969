#include "conf/error.h"
#include "conf/load.h"
#include "conf/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Read as something else before, a secret's mode was not looked at. */
static struct load_file *find_file(
        struct load *l, const char *path, bool secret)
{
	for (struct load_file *f = l->files; f != NULL; f = f->next) {
		bool same = strcmp(f->path, path) == 0;

		if (same && (f->secret || !secret))
			return f;
	}
	return NULL;
}

static struct load_file *keep_file(
        struct load *l, const char *path, struct bytes content, bool secret)
{
	struct load_file *file = arena_alloc(&l->arena, sizeof(*file));
	struct load_file **end = &l->files;
	const char *copy = arena_copy(&l->arena, content);

	while (*end != NULL)
		end = &(*end)->next;
	if (file == NULL || copy == NULL)
		return NULL;
	*file = (struct load_file){ NULL, path, bytes_of(copy, content.n),
		secret };
	return *end = file;
}

static bool read_once(struct load *l, const struct node *n, const char *path,
        bool secret, struct bytes *content)
{
	struct load_file *file = find_file(l, path, secret);
	const struct load_source *from = l->source;
	struct why why = WHY_NONE;
	struct buf b = BUF_INIT(CONF_REFER_MAX_BYTES);
	enum rc rc = RC_OK;

	if (file == NULL)
		rc = (secret ? from->secret : from->read)(
		        from->ctx, path, &b, &why);
	if (rc == RC_OK && l->refer_bytes + b.n > LOAD_REFER_TOTAL_MAX_BYTES)
		rc = why_set(&why, RC_TOOBIG,
		        "all files named together are over 16 MiB");
	if (rc != RC_OK)
		node_error(l->errors, n, "cannot read the file \"%.80s\": %s",
		        path,
		        why.text[0] != '\0' ? why.text : rc_info(rc)->text);
	else if (file == NULL)
		file = keep_file(l, path, buf_bytes(&b), secret);
	l->refer_bytes += rc == RC_OK ? b.n : 0;
	if (file != NULL)
		*content = file->content;
	buf_wipe(&b);
	return file != NULL;
}

bool load_read(struct load *l, const struct node *n, const char *path,
        struct bytes *content)
{
	return read_once(l, n, path, false, content);
}

bool load_read_secret(struct load *l, const struct node *n, const char *path,
        struct bytes *content)
{
	return read_once(l, n, path, true, content);
}

bool load_id(struct load *l, bool is_group, const char *name, uint32_t *id)
{
	struct load_id *known;

	if (!l->source->id(l->source->ctx, is_group, name, id))
		return false;
	known = arena_alloc(&l->arena, sizeof(*known));
	if (known != NULL) {
		*known = (struct load_id){ l->ids, name, *id, is_group };
		l->ids = known;
	}
	return known != NULL;
}

const char *load_join(struct load *l, const char *path)
{
	size_t folder = strlen(l->folder);
	size_t size = folder + strlen(path) + 2;
	char *joined;

	if (path[0] == '/' || folder == 0)
		return path;
	joined = arena_alloc(&l->arena, size);
	if (joined != NULL)
		(void)snprintf(joined, size, "%s%s%s", l->folder,
		        l->folder[folder - 1] == '/' ? "" : "/", path);
	return joined;
}

const char *load_folder(struct arena *arena, const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return "";
	/* "/mica.yaml" stands in "/". */
	return arena_copy(arena,
	        bytes_of(path, slash == path ? 1 : (size_t)(slash - path)));
}

enum rc load_new(struct load **out, const char *path, struct bytes yaml,
        const struct load_source *source, struct conf_errors *errors)
{
	struct load *l = calloc(1, sizeof(*l));
	struct node *root;
	enum rc rc;

	*out = NULL;
	if (l == NULL)
		return RC_NOMEM;
	l->source = source;
	l->errors = errors;
	l->conf.path = arena_str(&l->arena, path);
	l->folder = load_folder(&l->arena, path);
	rc = node_parse(&root, &l->arena, yaml, errors);
	if (root != NULL) {
		l->root = root;
		load_fill(l);
		load_resolve(l);
		load_check(l);
		rc = errors->n > 0 ? RC_CONFIG : RC_OK;
	}
	if (l->arena.failed)
		rc = RC_NOMEM;
	if (rc != RC_OK) {
		conf_free(&l->conf);
		return rc;
	}
	l->source = NULL;
	l->errors = NULL;
	*out = l;
	return RC_OK;
}

void conf_free(struct conf *c)
{
	struct load *l = (struct load *)c;

	if (l == NULL)
		return;
	for (struct load_file *f = l->files; f != NULL; f = f->next)
		if (f->secret)
			bytes_wipe((void *)f->content.p, f->content.n);
	arena_free(&l->arena);
	free(l);
}

enum rc conf_load(struct conf **out, const char *path, struct bytes yaml,
        conf_read_fn *read, void *ctx, struct conf_errors *errors)
{
	struct load_source source = { read, read, source_system_id, ctx };
	struct load *l;
	enum rc rc;

	errors->n = 0;
	errors->more = false;
	rc = load_new(&l, path, yaml, &source, errors);
	*out = rc == RC_OK ? &l->conf : NULL;
	return rc;
}

const struct conf_authority *conf_authority(
        const struct conf *c, const char *name)
{
	for (size_t i = 0; i < c->n_authorities; i++) {
		if (strcmp(c->authorities[i].name, name) == 0)
			return &c->authorities[i];
	}
	return NULL;
}

const struct conf_profile *conf_profile(const struct conf *c, const char *name)
{
	for (size_t i = 0; i < c->n_profiles; i++) {
		if (strcmp(c->profiles[i].name, name) == 0)
			return &c->profiles[i];
	}
	return NULL;
}

const struct conf_authority *conf_authority_next(
        const struct conf *c, const struct conf_authority *a)
{
	for (size_t i = 0; i < c->n_authorities; i++) {
		if (c->authorities[i].replaces == a)
			return &c->authorities[i];
	}
	return NULL;
}

bool conf_authority_is_staged(const struct conf_authority *a)
{
	return a->replaces != NULL && !a->replaces->retired;
}
