/* conf/node.h - a YAML 1.1 document as a tree that remembers where everything
 * stood. Only what a configuration needs: aliases, anchors and tags are
 * refused, keys are plain words, and nobody's file can make us deep or large.
 * Needs base/ and libyaml, which is used nowhere else. */
#ifndef MICA_CONF_NODE_H
#define MICA_CONF_NODE_H

#include "conf/arena.h"
#include "conf/conf.h"

#define NODE_DEPTH_MAX 12
#define NODE_COUNT_MAX 65536
#define NODE_SCALAR_MAX_BYTES 32768
#define NODE_PATH_BYTES sizeof(((struct conf_error *)0)->path)

enum node_kind { NODE_SCALAR, NODE_MAP, NODE_LIST };

struct node {
	enum node_kind kind;
	unsigned line, column;
	struct node *parent; /* NULL: the document */
	/* in a map */
	const char *key;
	unsigned key_line, key_column;
	/* a scalar: no control characters inside, a NUL behind */
	const char *text;
	bool plain; /* written without quotes */
	/* a map or list */
	struct node *first, *last;
	size_t n;
	struct node *next; /* sibling */
	size_t index;      /* among its siblings */
};

/* The one document in yaml; an empty one is a map without entries. Mistakes
 * go to errors; *root is NULL only when the tree could not be built at all.
 * Errors: RC_CONFIG RC_NOMEM. */
MUST_CHECK enum rc node_parse(struct node **root, struct arena *arena,
        struct bytes yaml, struct conf_errors *errors);

/* NULL when map is NULL or has no such key. */
const struct node *node_get(const struct node *map, const char *key);
const struct node *node_at(const struct node *list, size_t i);
/* Nothing was written where a value belongs: `key:`, `key: ~`. */
bool node_is_null(const struct node *n);
/* "profiles.sensor.san", "enroll.est[0]"; cut where it is too long. */
void node_path(const struct node *n, char *out, size_t size);

/* A mistake at the node's value, at its key, or one about the child `key`
 * that node should have. */
void node_error(struct conf_errors *errors, const struct node *n,
        const char *fmt, ...) PRINTF_LIKE(3, 4);
void node_error_key(struct conf_errors *errors, const struct node *n,
        const char *fmt, ...) PRINTF_LIKE(3, 4);
void node_error_child(struct conf_errors *errors, const struct node *n,
        const char *key, const char *fmt, ...) PRINTF_LIKE(4, 5);

#endif
