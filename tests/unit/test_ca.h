/* What the tests of ca/ share. */
#ifndef MICA_TESTS_UNIT_TEST_CA_H
#define MICA_TESTS_UNIT_TEST_CA_H

#include "tests/unit/ca_world.h"
#include <check.h>

TCase *test_ca_authority(void);
TCase *test_ca_code(void);
TCase *test_ca_csrattrs(void);
TCase *test_ca_generations(void);
TCase *test_ca_grant(void);
TCase *test_ca_lint(void);
TCase *test_ca_policy(void);
TCase *test_ca_profile(void);
TCase *test_ca_pubkey(void);
TCase *test_ca_tbs(void);

#endif
