#include "tests/unit/test_ocsp.h"

#include <stdlib.h>

int main(void)
{
	Suite *s = suite_create("ocsp");
	SRunner *r;
	int failed;

	suite_add_tcase(s, test_ocsp_cache());
	suite_add_tcase(s, test_ocsp_request());
	suite_add_tcase(s, test_ocsp_response());
	test_ocsp_responder(s);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
