/* tests/unit/test_enroll.h - the test cases of enroll/, one file each. */
#ifndef MICA_TESTS_UNIT_TEST_ENROLL_H
#define MICA_TESTS_UNIT_TEST_ENROLL_H

#include <check.h>

TCase *test_enroll_wire(void);
TCase *test_enroll_matrix(void);
TCase *test_enroll_challenge(void);
TCase *test_enroll_est(void);
TCase *test_enroll_rate(void);
TCase *test_enroll_trust(void);

#endif
