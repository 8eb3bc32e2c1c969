/* tests/unit/test_base.h - the parts of the suite of base/. */
#ifndef MICA_TESTS_UNIT_TEST_BASE_H
#define MICA_TESTS_UNIT_TEST_BASE_H

#include <check.h>

#define ROWS(a) ((int)(sizeof(a) / sizeof((a)[0])))

TCase *test_base_text(void);
TCase *test_base_file(void);
TCase *test_base_loop(void);
TCase *test_base_ipc(void);
TCase *test_base_log(void);
TCase *test_base_sandbox(void);

#endif
