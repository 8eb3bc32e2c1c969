/* tests/unit/store_tamper.h - a closed store, changed behind the engine's back;
 * and what store_check() says of it. */
#ifndef MICA_TESTS_UNIT_STORE_TAMPER_H
#define MICA_TESTS_UNIT_STORE_TAMPER_H

#include "tests/unit/store_help.h"

#include <check.h>
#include <lmdb.h>

/* Closes the store of h. */
void tamper(struct help *h, const char *tree,
        int (*change)(MDB_txn *txn, MDB_dbi dbi));
/* As tamper(), with ctx. */
void tamper_with(struct help *h, const char *tree,
        int (*change)(void *ctx, MDB_txn *txn, MDB_dbi dbi), void *ctx);
/* Check the closed store; the faults, a line each. Static. */
const char *tamper_faults(struct help *h);

TCase *test_storage_check_asked(void);
TCase *test_storage_upgrade(void);

#endif
