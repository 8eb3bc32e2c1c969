/* tests/unit/store_contract.h - the contract's tests, in parts that share the
 * store under test. A part adds its tests to a case whose checked fixture has
 * opened contract.store, with "factory" entered. */
#ifndef MICA_TESTS_UNIT_STORE_CONTRACT_H
#define MICA_TESTS_UNIT_STORE_CONTRACT_H

#include "tests/unit/store_help.h"

#include <check.h>

extern struct help contract; /* of this test's own process (CK_FORK) */

void contract_changes(TCase *tc);
void contract_issue(TCase *tc);
void contract_records(TCase *tc);
void contract_revoke(TCase *tc);
void contract_lists(TCase *tc);
void contract_model(TCase *tc);
void contract_crl(TCase *tc);
void contract_approval(TCase *tc);
void contract_waiting(TCase *tc);
void contract_census(TCase *tc);

#endif
