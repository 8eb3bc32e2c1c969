/* base/bytes.h - borrowed views of bytes. A view owns nothing; whoever returns
 * one says how long it lives. Pure. */
#ifndef MICA_BASE_BYTES_H
#define MICA_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
	const uint8_t *p; /* may be NULL only when n is 0 */
	size_t n;
};

#define BYTES_NONE ((struct bytes){ NULL, 0 })
/* A view of a string literal, without its NUL. */
#define BYTES_LIT(s) ((struct bytes){ (const uint8_t *)(s), sizeof(s) - 1 })
/* A view of a whole array. */
#define BYTES_ARRAY(a) ((struct bytes){ (const uint8_t *)(a), sizeof(a) })

struct bytes bytes_of(const void *p, size_t n);
struct bytes bytes_str(const char *s); /* NULL is the empty view */

bool bytes_eq(struct bytes a, struct bytes b);
bool bytes_eq_str(struct bytes a, const char *s);
/* ASCII letters compare without case. */
bool bytes_eq_nocase(struct bytes a, struct bytes b);
/* For secrets: time depends on the lengths alone. */
bool bytes_eq_secret(struct bytes a, struct bytes b);
/* Order of unsigned bytes, the shorter first when one is the other's head. */
int bytes_cmp(struct bytes a, struct bytes b);
bool bytes_starts(struct bytes a, struct bytes head);

/* n bytes from off, clipped to the view. */
struct bytes bytes_slice(struct bytes a, size_t off, size_t n);
struct bytes bytes_skip(struct bytes a, size_t n);

/* Cut at the first sep: *head is what stands before it, *tail what follows.
 * False, with *head = a and *tail empty, when there is no sep. */
bool bytes_cut(
        struct bytes a, uint8_t sep, struct bytes *head, struct bytes *tail);

/* Overwrite a secret; not removed by the optimiser. */
void bytes_wipe(void *p, size_t n);

#endif
