#ifndef MICA_TESTS_UNIT_TEST_TOKEN_H
#define MICA_TESTS_UNIT_TEST_TOKEN_H

#include <check.h>

TCase *test_p11(void);
TCase *test_vault(void);
TCase *test_p11_loss(void);
TCase *test_token_key(void);

#endif
