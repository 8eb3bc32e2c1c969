/* cmd/superseded.h - the keeper's part in profiles.*.renew.supersede_after: the
 * store has noted what is due when; here it is done. */
#ifndef MICA_CMD_SUPERSEDED_H
#define MICA_CMD_SUPERSEDED_H

#include "cmd/runtime.h"

struct superseded;

MUST_CHECK enum rc superseded_new(struct superseded **out, struct runtime *r);
/* After the store is closed: it may still hold our write. NULL is a no-op. */
void superseded_free(struct superseded *s);
/* About once a second, with what the store has just told. */
void superseded_tick(struct superseded *s, const struct store_stat *stat);
bool superseded_busy(const struct superseded *s);

#endif
