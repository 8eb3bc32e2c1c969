#include "conf/error.h"
#include "conf/load.h"
#include "conf/value.h"

#include <stdio.h>
#include <string.h>

#define SEGMENT_MAX 32
#define KNOWN_MAX_BYTES 160 /* what a message has room for */

static void fill_section(struct load *l, const struct node *node,
        struct bytes prefix, uint8_t *base);

/* The option's path beneath prefix: its next segment, and what follows it. */
static bool beneath(const char *path, struct bytes prefix, struct bytes *seg,
        const char **rest)
{
	size_t n;

	if (prefix.n > 0 &&
	        (!bytes_starts(bytes_str(path), prefix) ||
	                path[prefix.n] != '.'))
		return false;
	path += prefix.n > 0 ? prefix.n + 1 : 0;
	n = strcspn(path, ".[");
	*seg = bytes_of(path, n);
	*rest = path + n;
	return true;
}

static const char *segment_str(char out[SEGMENT_MAX], struct bytes seg)
{
	(void)snprintf(
	        out, SEGMENT_MAX, "%.*s", (int)seg.n, (const char *)seg.p);
	return out;
}

/* How a default would have been read: one value, or "[a, b]". */
static const struct node *fallback_node(
        struct load *l, const struct node *parent, const char *text)
{
	struct node *n = arena_alloc(&l->arena, sizeof(*n));
	struct bytes rest = bytes_str(text);
	struct bytes item;
	bool more = true;

	if (n == NULL)
		return NULL;
	n->parent = (struct node *)parent;
	n->plain = true;
	n->text = strcmp(text, "\"\"") == 0 ? "" : text;
	if (text[0] != '[')
		return n;
	n->kind = NODE_LIST;
	rest = bytes_slice(rest, 1, rest.n - 2);
	while (more) {
		struct node *child = arena_alloc(&l->arena, sizeof(*child));

		more = bytes_cut(rest, ',', &item, &rest);
		rest = bytes_skip(rest, 1);
		if (child == NULL)
			return NULL;
		child->parent = n;
		child->text = arena_copy(&l->arena, item);
		child->index = n->n++;
		if (n->first == NULL)
			n->first = child;
		else
			n->last->next = child;
		n->last = child;
	}
	return n;
}

static void fill_option(struct load *l, size_t i, const struct node *parent,
        const struct node *n, uint8_t *base)
{
	size_t count;
	const struct conf_option *o = &conf_options(&count)[i];
	const struct row *row = &schema_rows()[i];

	if (n == NULL && o->fallback == NULL) {
		node_error_child(l->errors, parent, strrchr(o->path, '.') + 1,
		        "is missing: %s", o->meaning);
		return;
	}
	if (n == NULL && o->fallback[0] != '\0')
		n = fallback_node(l, parent, o->fallback);
	else if (n != NULL && node_is_null(n)) {
		node_error(l->errors, n, "has no value: %s", o->meaning);
		return;
	}
	if (n != NULL)
		load_option(l, row, n, base);
}

static const struct collection *collection_at(struct bytes prefix)
{
	const struct collection *all = schema_collections();

	for (size_t i = 0; i < COLLECTION_COUNT; i++) {
		struct bytes path = bytes_str(all[i].path);

		if (path.n == prefix.n + 2 && bytes_starts(path, prefix))
			return &all[i];
	}
	return NULL;
}

static bool is_collection(
        struct load *l, const struct collection *g, const struct node *node)
{
	if (node == NULL || node_is_null(node))
		return true;
	if (node->kind == (g->named ? NODE_MAP : NODE_LIST))
		return true;
	if (g->named)
		node_error(l->errors, node,
		        "must be a map: one %s by name each", g->singular);
	else
		node_error(l->errors, node,
		        "must be a list: a dash before each %s", g->singular);
	return false;
}

static void fill_element(struct load *l, const struct collection *g,
        const struct node *n, uint8_t *element)
{
	if (g->named) {
		/* Every named struct begins with its name. */
		*(const char **)(void *)element = n->key;
		if (!value_is_name(n->key))
			node_error_key(l->errors, n,
			        "a name is 1 to 64 of A-Z a-z 0-9 . _ -");
	}
	fill_section(l, n, bytes_str(g->path), element);
}

static void fill_collection(struct load *l, const struct collection *g,
        const struct node *parent, const struct node *node,
        struct bytes segment, uint8_t *base)
{
	char name[SEGMENT_MAX];
	uint8_t *elements;
	size_t i = 0;

	if (!is_collection(l, g, node))
		return;
	if (node == NULL || node->n == 0) {
		if (g->required)
			node_error_child(l->errors,
			        node != NULL ? node->parent : parent,
			        segment_str(name, segment),
			        "is missing: at least one %s is needed",
			        g->singular);
		return;
	}
	elements = arena_array(&l->arena, node->n, g->size);
	if (elements == NULL)
		return;
	*(const void **)(void *)(base + g->at) = elements;
	*(size_t *)(void *)(base + g->at_n) = node->n;
	for (const struct node *n = node->first; n != NULL; n = n->next)
		fill_element(l, g, n, elements + g->size * i++);
}

/* A map whose keys are values themselves: subject attributes. */
static void fill_open_map(struct load *l, const struct row *row,
        const struct node *node, uint8_t *base)
{
	if (node == NULL || node_is_null(node))
		return;
	if (node->kind != NODE_MAP) {
		node_error(l->errors, node, "must be a map: ATTRIBUTE: TEXT");
		return;
	}
	for (const struct node *n = node->first; n != NULL; n = n->next)
		load_option(l, row, n, base);
}

static void fill_child(struct load *l, size_t i, const struct node *parent,
        struct bytes segment, const char *rest, uint8_t *base)
{
	size_t count;
	const char *path = conf_options(&count)[i].path;
	struct bytes prefix = bytes_of(path, (size_t)(rest - path));
	const struct collection *g = collection_at(prefix);
	char name[SEGMENT_MAX];
	const struct node *child = node_get(parent, segment_str(name, segment));

	if (rest[0] == '\0')
		fill_option(l, i, parent, child, base);
	else if (g != NULL)
		fill_collection(l, g, parent, child, segment, base);
	else if (strcmp(rest, ".*") == 0)
		fill_open_map(l, &schema_rows()[i], child, base);
	else
		fill_section(l, child, prefix, base);
}

/* Call fn with each segment that may stand at prefix. */
typedef void segment_fn(void *ctx, const char *segment);
static void each_segment(struct bytes prefix, segment_fn *fn, void *ctx)
{
	size_t count;
	const struct conf_option *o = conf_options(&count);
	struct bytes last = BYTES_NONE;
	char name[SEGMENT_MAX];
	struct bytes segment;
	const char *rest;

	for (size_t i = 0; i < count; i++) {
		if (!beneath(o[i].path, prefix, &segment, &rest) ||
		        bytes_eq(segment, last))
			continue;
		last = segment;
		fn(ctx, segment_str(name, segment));
	}
}

struct known { /* what an unknown key could have been */
	const char *key;
	bool found;
	struct nearest near;
	struct buf list; /* "a, b" */
};

static void known_segment(void *ctx, const char *segment)
{
	struct known *k = ctx;

	k->found = k->found || strcmp(segment, k->key) == 0;
	nearest_offer(&k->near, segment);
	buf_addf(&k->list, "%s%s", k->list.n > 0 ? ", " : "", segment);
}

static void check_known(
        struct load *l, const struct node *n, struct bytes prefix)
{
	struct known k = { n->key, false, nearest_to(n->key),
		BUF_INIT(KNOWN_MAX_BYTES) };

	each_segment(prefix, known_segment, &k);
	if (!k.found && k.near.best[0] != '\0')
		node_error_key(l->errors, n,
		        "unknown key (did you mean \"%s\"?)", k.near.best);
	else if (!k.found && k.list.failed == RC_OK)
		node_error_key(l->errors, n, "unknown key; known here: %s",
		        buf_cstr(&k.list));
	else if (!k.found)
		node_error_key(l->errors, n,
		        "unknown key; mica.yaml(5) has those known here");
	buf_free(&k.list);
}

static void fill_section(struct load *l, const struct node *node,
        struct bytes prefix, uint8_t *base)
{
	size_t count;
	const struct conf_option *o = conf_options(&count);
	struct bytes last = BYTES_NONE;
	struct bytes segment;
	const char *rest;

	if (node != NULL && node->kind != NODE_MAP && !node_is_null(node)) {
		node_error(l->errors, node, "must be a map of options");
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (!beneath(o[i].path, prefix, &segment, &rest) ||
		        bytes_eq(segment, last))
			continue;
		last = segment;
		fill_child(l, i, node, segment, rest, base);
	}
	if (node == NULL || node->kind != NODE_MAP)
		return;
	for (const struct node *n = node->first; n != NULL; n = n->next)
		check_known(l, n, prefix);
}

void load_fill(struct load *l)
{
	fill_section(l, l->root, BYTES_NONE, (uint8_t *)&l->conf);
}
