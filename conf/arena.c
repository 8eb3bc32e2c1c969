#include "conf/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES 16384

struct arena_block {
	struct arena_block *next;
	size_t used;
	size_t size;
	alignas(max_align_t) uint8_t p[];
};

static struct arena_block *block_new(struct arena *a, size_t n)
{
	size_t size = n > BLOCK_BYTES / 4 ? n : BLOCK_BYTES;
	struct arena_block *b = calloc(1, sizeof(*b) + size);

	if (b == NULL) {
		a->failed = true;
		return NULL;
	}
	b->size = size;
	if (a->head != NULL && size != BLOCK_BYTES) {
		/* A large one stands behind: the head still has room. */
		b->next = a->head->next;
		a->head->next = b;
	} else {
		b->next = a->head;
		a->head = b;
	}
	return b;
}

void *arena_alloc(struct arena *a, size_t n)
{
	struct arena_block *b = a->head;
	void *p;

	if (n > SIZE_MAX / 2) {
		a->failed = true;
		return NULL;
	}
	n = (n + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (b == NULL || n > b->size - b->used)
		b = block_new(a, n);
	if (b == NULL)
		return NULL;
	p = b->p + b->used;
	b->used += n;
	return p;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
	if (size != 0 && count > SIZE_MAX / 2 / size) {
		a->failed = true;
		return NULL;
	}
	return arena_alloc(a, count * size);
}

char *arena_copy(struct arena *a, struct bytes data)
{
	char *p = arena_alloc(a, data.n + 1);

	if (p != NULL && data.n > 0)
		memcpy(p, data.p, data.n);
	return p;
}

char *arena_str(struct arena *a, const char *s)
{
	return arena_copy(a, bytes_str(s));
}

void arena_free(struct arena *a)
{
	while (a->head != NULL) {
		struct arena_block *next = a->head->next;

		free(a->head);
		a->head = next;
	}
	*a = ARENA_INIT;
}
