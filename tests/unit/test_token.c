#include "tests/unit/softhsm.h"
#include "tests/unit/test_token.h"
#include "base/log.h"
#include <stdio.h>
#include <stdlib.h>

#define EXIT_SKIPPED 77

int main(void)
{
	Suite *suite = suite_create("token");
	SRunner *runner;
	int failed;

	if (!softhsm_there()) {
		(void)puts("skipped: needs softhsm2 and opensc");
		return EXIT_SKIPPED;
	}
	log_open("test", LOG_NOTICE, LOG_TEXT);
	suite_add_tcase(suite, test_p11());
	suite_add_tcase(suite, test_vault());
	suite_add_tcase(suite, test_p11_loss());
	suite_add_tcase(suite, test_token_key());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
