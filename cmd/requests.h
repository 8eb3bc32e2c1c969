/* cmd/requests.h - certification requests that wait for an operator: counted
 * for the metrics, closed when they run out and forgotten later, by the
 * keeper. */
#ifndef MICA_CMD_REQUESTS_H
#define MICA_CMD_REQUESTS_H

#include "cmd/runtime.h"

struct requests;

MUST_CHECK enum rc requests_new(struct requests **out, struct runtime *r);
void requests_tick(struct requests *q);
/* Writing: it cannot be freed before the store has called back. */
bool requests_busy(const struct requests *q);
void requests_free(struct requests *q); /* NULL is a no-op */

#endif
