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
void contract_finish(TCase *tc);
void contract_floor(TCase *tc);
void contract_records(TCase *tc);
void contract_revoke(TCase *tc);
void contract_lists(TCase *tc);
void contract_model(TCase *tc);
void contract_crl(TCase *tc);
void contract_approval(TCase *tc);
void contract_waiting(TCase *tc);
void contract_census(TCase *tc);

/* Steps that parts share, on contract.store. */
struct store_token contract_token(const char *text);
void contract_use_token(struct help_issue *i, const char *text);
void contract_use_own(struct help_issue *i, const struct cert_key *key);
void contract_next(struct help_issue *i, const char *device, const char *text);
enum rc contract_status(const struct cert_key *key,
        enum store_status_change change, enum cert_reason reason,
        uint64_t *position); /* position may be NULL */
enum rc contract_suspend(const char *id, bool resume,
        uint32_t *changed); /* changed may be NULL */
void contract_put_quota(const char *name, uint64_t limit);
uint64_t contract_quota_used(const char *name);
enum rc contract_abandon(const struct cert_key *key);
uint64_t contract_audit_length(void);

#endif
