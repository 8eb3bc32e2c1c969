#include "tests/unit/test_base.h"

#include <stdlib.h>

int main(void)
{
	Suite *suite = suite_create("base");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, test_base_text());
	suite_add_tcase(suite, test_base_file());
	suite_add_tcase(suite, test_base_loop());
	suite_add_tcase(suite, test_base_log());
	suite_add_tcase(suite, test_base_ipc());
	suite_add_tcase(suite, test_base_sandbox());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
