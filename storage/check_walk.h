/* storage/check_walk.h - inside of store_check(): where it is, and how a fault
 * is told. Not for callers. */
#ifndef MICA_STORAGE_CHECK_WALK_H
#define MICA_STORAGE_CHECK_WALK_H

#include "storage/check.h"
#include "storage/lmdb.h"

struct checker {
	struct view *v;
	struct store_check_report *r;
	struct rec_ledger ledger;
	enum tree tree; /* walked now */
	struct bytes key;
};

/* Of the entry that is looked at. */
void check_fault(struct checker *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A lookup whose failure to read a record is a fault and not the end. */
bool check_have(struct checker *c, enum tree t, const struct key *k,
        struct bytes *value);
bool check_key_is(const struct checker *c, const struct key *k);
/* The certificate with that sequence. */
bool check_body_at(struct checker *c, uint64_t sequence, struct rec_issue *r);

/* --- check_asked.c: what waits for a person. One entry each. */
void check_approval(struct checker *c, struct bytes value);
void check_waiting(struct checker *c, struct bytes value);

#endif
