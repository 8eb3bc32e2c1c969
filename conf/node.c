#include "conf/node.h"
#include "conf/error.h"

#include <stdio.h>
#include <string.h>
#include <yaml.h>

struct builder {
	struct arena *arena;
	struct conf_errors *errors;
	struct bytes yaml;
	struct node *root;
	struct node *open; /* the map or list that is being filled */
	struct node *key;  /* a map's key that waits for its value */
	size_t depth;
	size_t count;
};

/* What one event did: go on, or give up (the mistake is in errors). */
enum step { STEP_ON, STEP_STOP, STEP_DONE };

static enum step stop_at(
        struct builder *b, const yaml_event_t *e, const char *what)
{
	char path[NODE_PATH_BYTES];

	node_path(b->open, path, sizeof(path));
	error_add(b->errors, (unsigned)e->start_mark.line + 1,
	        (unsigned)e->start_mark.column + 1, path, "%s", what);
	return STEP_STOP;
}

static struct node *node_new(
        struct builder *b, enum node_kind kind, const yaml_event_t *e)
{
	struct node *n = arena_alloc(b->arena, sizeof(*n));

	if (n == NULL)
		return NULL;
	n->kind = kind;
	n->line = (unsigned)e->start_mark.line + 1;
	n->column = (unsigned)e->start_mark.column + 1;
	n->parent = b->open;
	return n;
}

static void check_duplicate(struct builder *b, const struct node *key)
{
	const struct node *old = node_get(b->open, key->text);
	char path[NODE_PATH_BYTES];

	if (old == NULL)
		return;
	node_path(old, path, sizeof(path));
	error_add(b->errors, key->line, key->column, path,
	        "stands here a second time; the first is on line %u",
	        old->key_line);
}

/* Hang n into the open map or list, or keep it as the key of what follows. */
static enum step attach(
        struct builder *b, struct node *n, const yaml_event_t *e)
{
	struct node *in = b->open;

	if (in == NULL) {
		b->root = n;
		return STEP_ON;
	}
	if (in->kind == NODE_MAP && b->key == NULL) {
		if (n->kind != NODE_SCALAR)
			return stop_at(b, e, "a key must be a plain word");
		check_duplicate(b, n);
		b->key = n;
		return STEP_ON;
	}
	if (in->n == CONF_ENTRIES_MAX)
		return stop_at(b, e, "has more than 256 entries");
	if (in->kind == NODE_MAP) {
		n->key = b->key->text;
		n->key_line = b->key->line;
		n->key_column = b->key->column;
		b->key = NULL;
	}
	n->index = in->n++;
	if (in->first == NULL)
		in->first = n;
	else
		in->last->next = n;
	in->last = n;
	return STEP_ON;
}

/* NUL among them: what stands in the tree is a C string, on one line. */
static bool has_control(struct bytes text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < 0x20 || text.p[i] == 0x7f)
			return true;
	}
	return false;
}

static enum step on_scalar(struct builder *b, const yaml_event_t *e)
{
	struct bytes text =
	        bytes_of(e->data.scalar.value, e->data.scalar.length);
	struct node *n;

	if (text.n > NODE_SCALAR_MAX_BYTES)
		return stop_at(b, e, "a value is longer than 32 KiB");
	if (has_control(text))
		return stop_at(b, e, "a value holds a control character");
	n = node_new(b, NODE_SCALAR, e);
	if (n == NULL)
		return STEP_STOP;
	n->text = arena_copy(b->arena, text);
	n->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	return n->text == NULL ? STEP_STOP : attach(b, n, e);
}

static enum step on_open(
        struct builder *b, enum node_kind kind, const yaml_event_t *e)
{
	struct node *n;

	if (++b->depth > NODE_DEPTH_MAX)
		return stop_at(b, e, "is nested too deeply");
	n = node_new(b, kind, e);
	if (n == NULL || attach(b, n, e) != STEP_ON)
		return STEP_STOP;
	b->open = n;
	return STEP_ON;
}

static enum step on_close(struct builder *b)
{
	b->open = b->open->parent;
	b->depth--;
	return STEP_ON;
}

static const char *refused(const yaml_event_t *e)
{
	static const char anchor[] =
	        "YAML anchors and aliases (& and *) are not supported: "
	        "write the value out";
	static const char tag[] =
	        "YAML tags (!) are not supported; quote a text that begins "
	        "with one";

	switch (e->type) {
	case YAML_ALIAS_EVENT:
		return anchor;
	case YAML_SCALAR_EVENT:
		if (e->data.scalar.anchor != NULL)
			return anchor;
		return e->data.scalar.tag != NULL ? tag : NULL;
	case YAML_MAPPING_START_EVENT:
		if (e->data.mapping_start.anchor != NULL)
			return anchor;
		return e->data.mapping_start.tag != NULL ? tag : NULL;
	case YAML_SEQUENCE_START_EVENT:
		if (e->data.sequence_start.anchor != NULL)
			return anchor;
		return e->data.sequence_start.tag != NULL ? tag : NULL;
	default:
		return NULL;
	}
}

static enum step on_event(struct builder *b, const yaml_event_t *e)
{
	const char *why_not = refused(e);

	if (why_not != NULL)
		return stop_at(b, e, why_not);
	if (++b->count > NODE_COUNT_MAX)
		return stop_at(b, e, "the file has too many entries");
	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (b->root != NULL)
			return stop_at(b, e, "a second YAML document begins");
		return STEP_ON;
	case YAML_SCALAR_EVENT:
		return on_scalar(b, e);
	case YAML_MAPPING_START_EVENT:
		return on_open(b, NODE_MAP, e);
	case YAML_SEQUENCE_START_EVENT:
		return on_open(b, NODE_LIST, e);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		return on_close(b);
	case YAML_STREAM_END_EVENT:
		return STEP_DONE;
	default:
		return STEP_ON;
	}
}

/* Line and column of a byte. */
static void locate(
        struct bytes yaml, size_t offset, unsigned *line, unsigned *column)
{
	*line = 1;
	*column = 1;
	for (size_t i = 0; i < offset && i < yaml.n; i++) {
		(*column)++;
		if (yaml.p[i] == '\n') {
			(*line)++;
			*column = 1;
		}
	}
}

/* YAML's most frequent trap, which libyaml cannot name. */
static bool indented_by_tab(struct bytes yaml, size_t line)
{
	struct bytes text = BYTES_NONE;

	for (size_t i = 0; i <= line; i++)
		(void)bytes_cut(yaml, '\n', &text, &yaml);
	while (bytes_starts(text, BYTES_LIT(" ")))
		text = bytes_skip(text, 1);
	return bytes_starts(text, BYTES_LIT("\t"));
}

static enum step syntax_error(struct builder *b, const yaml_parser_t *p)
{
	const char *what = p->problem != NULL ? p->problem : "unreadable";
	unsigned line = (unsigned)p->problem_mark.line + 1;
	unsigned column = (unsigned)p->problem_mark.column + 1;

	if (p->error == YAML_MEMORY_ERROR) {
		b->arena->failed = true;
		return STEP_STOP;
	}
	if (p->error == YAML_READER_ERROR)
		locate(b->yaml, p->problem_offset, &line, &column);
	else if (indented_by_tab(b->yaml, p->problem_mark.line))
		what = "a tab stands where only spaces may";
	else if (p->context != NULL) {
		error_add(b->errors, line, column, "",
		        "is not YAML: %s (%s, line %zu)", what, p->context,
		        p->context_mark.line + 1);
		return STEP_STOP;
	}
	error_add(b->errors, line, column, "", "is not YAML: %s", what);
	return STEP_STOP;
}

static enum step next_event(struct builder *b, yaml_parser_t *p)
{
	enum step step;
	yaml_event_t e;

	if (!yaml_parser_parse(p, &e))
		return syntax_error(b, p);
	step = on_event(b, &e);
	yaml_event_delete(&e);
	return step;
}

enum rc node_parse(struct node **root, struct arena *arena, struct bytes yaml,
        struct conf_errors *errors)
{
	static const yaml_event_t nowhere;
	struct builder b = { .arena = arena, .errors = errors };
	enum step step = STEP_ON;
	yaml_parser_t p;

	*root = NULL;
	if (yaml.n > CONF_FILE_MAX_BYTES) {
		error_add(errors, 0, 0, "", "is larger than 1 MiB");
		return RC_CONFIG;
	}
	if (!yaml_parser_initialize(&p))
		return RC_NOMEM;
	/* Said to be UTF-8, libyaml no longer looks for a byte order mark. */
	if (bytes_starts(yaml, BYTES_LIT("\xef\xbb\xbf")))
		yaml = bytes_skip(yaml, 3);
	b.yaml = yaml;
	yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
	/* libyaml takes no NULL, not even for an empty file. */
	yaml_parser_set_input_string(
	        &p, yaml.n > 0 ? yaml.p : (const uint8_t *)"", yaml.n);
	while (step == STEP_ON)
		step = next_event(&b, &p);
	yaml_parser_delete(&p);
	if (step == STEP_DONE && (b.root == NULL || node_is_null(b.root)))
		b.root = node_new(&b, NODE_MAP, &nowhere);
	if (arena->failed)
		return RC_NOMEM;
	if (step != STEP_DONE)
		return RC_CONFIG;
	*root = b.root;
	return errors->n > 0 ? RC_CONFIG : RC_OK;
}

const struct node *node_get(const struct node *map, const char *key)
{
	if (map == NULL || map->kind != NODE_MAP)
		return NULL;
	for (const struct node *n = map->first; n != NULL; n = n->next) {
		if (strcmp(n->key, key) == 0)
			return n;
	}
	return NULL;
}

const struct node *node_at(const struct node *list, size_t i)
{
	const struct node *n = list != NULL ? list->first : NULL;

	while (n != NULL && n->index < i)
		n = n->next;
	return n;
}

bool node_is_null(const struct node *n)
{
	return n->kind == NODE_SCALAR && n->plain &&
	        (n->text[0] == '\0' || strcmp(n->text, "~") == 0 ||
	                strcmp(n->text, "null") == 0);
}

void node_path(const struct node *n, char *out, size_t size)
{
	const struct node *up[NODE_DEPTH_MAX + 1];
	size_t depth = 0;
	size_t used = 0;

	out[0] = '\0';
	for (; n != NULL && n->parent != NULL && depth <= NODE_DEPTH_MAX;
	        n = n->parent)
		up[depth++] = n;
	while (depth-- > 0 && used < size) {
		int wrote;

		if (up[depth]->key != NULL)
			wrote = snprintf(out + used, size - used, "%s%s",
			        used > 0 ? "." : "", up[depth]->key);
		else
			wrote = snprintf(out + used, size - used, "[%zu]",
			        up[depth]->index);
		used += wrote > 0 ? (size_t)wrote : 0;
	}
}

void node_error(
        struct conf_errors *errors, const struct node *n, const char *fmt, ...)
{
	char path[NODE_PATH_BYTES];
	va_list ap;

	node_path(n, path, sizeof(path));
	va_start(ap, fmt);
	error_addv(errors, n->line, n->column, path, fmt, ap);
	va_end(ap);
}

void node_error_key(
        struct conf_errors *errors, const struct node *n, const char *fmt, ...)
{
	char path[NODE_PATH_BYTES];
	va_list ap;

	node_path(n, path, sizeof(path));
	va_start(ap, fmt);
	error_addv(errors, n->key_line, n->key_column, path, fmt, ap);
	va_end(ap);
}

void node_error_child(struct conf_errors *errors, const struct node *n,
        const char *key, const char *fmt, ...)
{
	char path[NODE_PATH_BYTES];
	size_t used;
	va_list ap;

	node_path(n, path, sizeof(path));
	used = strlen(path);
	(void)snprintf(path + used, sizeof(path) - used, "%s%s",
	        used > 0 ? "." : "", key);
	va_start(ap, fmt);
	error_addv(errors, n != NULL ? n->line : 0, n != NULL ? n->column : 0,
	        path, fmt, ap);
	va_end(ap);
}
