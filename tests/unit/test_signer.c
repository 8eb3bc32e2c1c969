#include "tests/unit/test_signer.h"
#include "base/log.h"
#include "tests/unit/softhsm.h"
#include <stdio.h>
#include <stdlib.h>

/* Where a test that is left out is a failure. */
static bool in_ci(void)
{
	const char *ci = getenv("MICA_TEST_CI");

	return ci != NULL && ci[0] != '\0';
}

int main(void)
{
	Suite *suite = suite_create("signer");
	SRunner *runner;
	int failed;

	log_open("test", LOG_NOTICE, LOG_TEXT);
	suite_add_tcase(suite, test_tbs_check());
	suite_add_tcase(suite, test_tbs_names());
	suite_add_tcase(suite, test_tbs_certrep());
	suite_add_tcase(suite, test_tbs_code());
	suite_add_tcase(suite, test_tbs_policy());
	suite_add_tcase(suite, test_tbs_status());
	suite_add_tcase(suite, test_signer_proto());
	suite_add_tcase(suite, test_signer_ceremony());
	suite_add_tcase(suite, test_signer_request());
	suite_add_tcase(suite, test_signer_start());
	suite_add_tcase(suite, test_signer_serve());
	suite_add_tcase(suite, test_signer_code());
	suite_add_tcase(suite, test_signer_ra());
	suite_add_tcase(suite, test_signer_ra_twin());
	suite_add_tcase(suite, test_signer_status());
	suite_add_tcase(suite, test_signer_kept());
	suite_add_tcase(suite, test_signer_client());
	/* The worker taken over, with the keys in a token. */
	if (softhsm_there()) {
		suite_add_tcase(suite, test_signer_serve_token());
		suite_add_tcase(suite, test_signer_code_token());
		suite_add_tcase(suite, test_signer_ra_token());
		suite_add_tcase(suite, test_signer_status_token());
	} else if (in_ci()) {
		(void)fprintf(stderr, "SoftHSM is not installed\n");
		return EXIT_FAILURE;
	}
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
