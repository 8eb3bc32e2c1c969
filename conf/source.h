/* conf/source.h - the two places that a configuration comes from: the disk,
 * and a bundle in memory. Needs base/. */
#ifndef MICA_CONF_SOURCE_H
#define MICA_CONF_SOURCE_H

#include "conf/load.h"

/* Load from source. The result's struct conf is freed with conf_free(). */
MUST_CHECK enum rc load_new(struct load **out, const char *path,
        struct bytes yaml, const struct load_source *source,
        struct conf_errors *errors);
/* The folder part of a path; "" when it has none. */
const char *load_folder(struct arena *arena, const char *path);

/* Load from disk; the file itself is appended to yaml. */
MUST_CHECK enum rc source_load_disk(struct load **out, const char *path,
        struct buf *yaml, struct conf_errors *errors);

/* The system's users and groups. */
bool source_system_id(void *ctx, bool is_group, const char *name, uint32_t *id);

#endif
