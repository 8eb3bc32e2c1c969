/* cmd/approvals.h - requests that wait for a second operator: counted for the
 * metrics, closed when they run out and forgotten later, by the keeper. */
#ifndef MICA_CMD_APPROVALS_H
#define MICA_CMD_APPROVALS_H

#include "cmd/runtime.h"

struct approvals;

MUST_CHECK enum rc approvals_new(struct approvals **out, struct runtime *r);
void approvals_tick(struct approvals *a);
/* Writing: it cannot be freed before the store has called back. */
bool approvals_busy(const struct approvals *a);
void approvals_free(struct approvals *a); /* NULL is a no-op */

#endif
