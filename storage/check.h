/* storage/check.h - is the store sound? Walks every tree of a store in one
 * read-only snapshot and holds the records against each other: `mica store
 * check`, after a halt or a restore, and in tests. Works beside a running
 * daemon, but pins the pages of its snapshot while it runs. */
#ifndef MICA_STORAGE_CHECK_H
#define MICA_STORAGE_CHECK_H

#include "base/rc.h"
#include "base/why.h"
#include "storage/store.h"
#include <stdint.h>

struct store_check_report {
	/* One call a fault; text names the tree, the key and what is wrong.
	 * May be NULL. */
	void (*fault)(void *ctx, const char *text);
	void *ctx;
	/* out */
	uint64_t faults;
	uint64_t certificates, intents, abandoned, devices, tokens;
	uint64_t held, revoked;
	uint64_t audit_entries;
	uint64_t feed_entries;
};

/* RC_OK when the walk went through, whatever it found: r->faults tells.
 * Errors: as store_open; RC_IO where LMDB's own structure is broken. */
MUST_CHECK enum rc store_check(
        const char *path, struct store_check_report *r, struct why *why);

/* The hash that an audit entry must have behind one whose hash is before (zeros:
 * it is the first), to hold an export against itself. RC_NOMEM RC_INTERNAL. */
MUST_CHECK enum rc audit_row_hash(const uint8_t before[STORE_HASH_BYTES],
        const struct store_audit_row *row, uint8_t out[STORE_HASH_BYTES]);

#endif
