/* conf/arena.h - memory that is freed all at once: what a configuration owns.
 * Needs base/. */
#ifndef MICA_CONF_ARENA_H
#define MICA_CONF_ARENA_H

#include "base/bytes.h"

struct arena_block;

struct arena {
	struct arena_block *head;
	bool failed; /* some allocation did; stays set */
};

#define ARENA_INIT ((struct arena){ NULL, false })

/* Zeroed, aligned for any type; NULL when memory is short. */
void *arena_alloc(struct arena *a, size_t n);
void *arena_array(struct arena *a, size_t count, size_t size);
/* A copy with a NUL behind it. */
char *arena_copy(struct arena *a, struct bytes data);
char *arena_str(struct arena *a, const char *s);
void arena_free(struct arena *a);

#endif
