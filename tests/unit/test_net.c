#include "tests/unit/test_net.h"

#include <stdlib.h>

int main(void)
{
	Suite *suite = suite_create("net");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, test_net_parse());
	suite_add_tcase(suite, test_net_small());
	suite_add_tcase(suite, test_net_server());
	suite_add_tcase(suite, test_net_tls());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
