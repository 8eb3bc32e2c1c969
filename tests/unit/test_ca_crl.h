/* tests/unit/test_ca_crl.h - the cases of this binary. */
#ifndef MICA_TESTS_UNIT_TEST_CA_CRL_H
#define MICA_TESTS_UNIT_TEST_CA_CRL_H

#include <check.h>

TCase *test_ca_crl_plan(void);

#endif
