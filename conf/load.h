/* conf/load.h - what the parts of the loader share while a configuration is
 * read. Needs base/. */
#ifndef MICA_CONF_LOAD_H
#define MICA_CONF_LOAD_H

#include "conf/arena.h"
#include "conf/node.h"
#include "conf/schema.h"

/* All files together that a configuration names. */
#define LOAD_REFER_TOTAL_MAX_BYTES (16u << 20)

/* The number of a user or group; false when there is none. */
typedef bool load_id_fn(
        void *ctx, bool is_group, const char *name, uint32_t *id);

/* Where a configuration comes from: the disk and the system's users, or a
 * bundle, which has both in it. */
struct load_source {
	conf_read_fn *read;
	conf_read_fn *secret; /* refuses what others may read */
	load_id_fn *id;
	void *ctx;
};

struct load_file {
	struct load_file *next;
	const char *path;
	struct bytes content;
	bool secret;
};
struct load_id {
	struct load_id *next;
	const char *name;
	uint32_t id;
	bool is_group;
};

/* A reference by name, resolved once everything is read. */
struct load_ref {
	struct load_ref *next;
	const struct node *node;
	const void **slot;
	enum collection_id target;
};

struct load {
	struct conf conf; /* first: what the caller gets */
	struct arena arena;
	struct load_file *files; /* each once, in the order of reading */
	struct load_id *ids;
	size_t refer_bytes;
	/* while loading */
	const struct load_source *source;
	struct conf_errors *errors;
	const char *folder; /* of the configuration's file; "" is the current */
	const struct node *root;
	struct load_ref *refs;
};

/* Read the whole tree into l->conf by the schema table. */
void load_fill(struct load *l);
/* One option from its node into the struct at base. */
void load_option(struct load *l, const struct row *row, const struct node *n,
        uint8_t *base);
/* Point every reference at what it names. */
void load_resolve(struct load *l);
/* What the table cannot say: rules between options. */
void load_check(struct load *l);
/* Those of code keys; before the authorities' defaults are set. */
void load_check_code(struct load *l);
/* Is the profile, under that authority (NULL: any), for code keys alone? */
bool load_is_code(const struct load *l, const struct conf_authority *a,
        const struct conf_profile *p);
/* An entry of a list of users and groups names one of them. */
void load_check_grantee(struct load *l, const struct node *n);

/* A file that the node names, read once; false (and a mistake) when it cannot
 * be had. */
MUST_CHECK bool load_read(struct load *l, const struct node *n,
        const char *path, struct bytes *content);
/* The same of a secret, which is wiped at the end. */
MUST_CHECK bool load_read_secret(struct load *l, const struct node *n,
        const char *path, struct bytes *content);
/* The same for a user or group by name. */
MUST_CHECK bool load_id(
        struct load *l, bool is_group, const char *name, uint32_t *id);
/* path below the configuration's folder, unless it is absolute. */
const char *load_join(struct load *l, const char *path);

#endif
