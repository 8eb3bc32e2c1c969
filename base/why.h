/* base/why.h - the clause that a refusal names: what the client, the log and
 * the audit trail are told. Lives on the caller's stack; never allocates. */
#ifndef MICA_BASE_WHY_H
#define MICA_BASE_WHY_H

#include "base/rc.h"

#define WHY_MAX_BYTES 256

struct why {
	char text[WHY_MAX_BYTES]; /* NUL-terminated, printable ASCII only */
};

#define WHY_NONE ((struct why){ { 0 } })

/* Set the clause and return rc, so that a parser can `return why_set(…)`.
 * Bytes outside printable ASCII are shown as `?`; too long is cut.
 * why may be NULL. */
enum rc why_set(struct why *why, enum rc rc, const char *fmt, ...)
        PRINTF_LIKE(3, 4);

/* Put "prefix: " before what stands. why may be NULL; returns rc. */
enum rc why_prefix(struct why *why, enum rc rc, const char *fmt, ...)
        PRINTF_LIKE(3, 4);

#endif
