/* tests/unit/tbs_rows.h - tables of certificates held against a policy: each a
 * good one with a change. */
#ifndef MICA_TESTS_UNIT_TBS_ROWS_H
#define MICA_TESTS_UNIT_TBS_ROWS_H

#include "tests/unit/tbs_make.h"

#include <check.h>

struct tbs_row {
	const char *name;
	void (*change)(struct tbs_spec *s); /* NULL: as tbs_spec_init() */
	enum rc rc;
	const char *clause;
};

/* Of no key, and of the one that tbs_make has. */
bool tbs_held_none(void *ctx, struct bytes name, struct bytes spki);
bool tbs_held_all(void *ctx, struct bytes name, struct bytes spki);
void tbs_check_rows(const struct tbs_row *rows, size_t n, tbs_held_fn *held);
#define TBS_CHECK_ROWS(rows, held)                                             \
	tbs_check_rows((rows), sizeof(rows) / sizeof(*(rows)), (held))

/* A change to a TLS server's. */
void tbs_row_server(struct tbs_spec *s);

#endif
