#ifndef MICA_TESTS_UNIT_TEST_OCSP_H
#define MICA_TESTS_UNIT_TEST_OCSP_H

#include <check.h>

TCase *test_ocsp_cache(void);
TCase *test_ocsp_request(void);
TCase *test_ocsp_response(void);
void test_ocsp_responder(Suite *s);

#endif
