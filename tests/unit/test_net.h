/* tests/unit/test_net.h - the test cases of net/, one file each. */
#ifndef MICA_TESTS_UNIT_TEST_NET_H
#define MICA_TESTS_UNIT_TEST_NET_H

#include <check.h>

TCase *test_net_parse(void);
TCase *test_net_small(void);
TCase *test_net_server(void);
TCase *test_net_tls(void);

#endif
