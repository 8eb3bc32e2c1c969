#include "tests/unit/test_enroll.h"

#include "base/log.h"
#include <stdlib.h>

int main(void)
{
	Suite *s = suite_create("enroll");
	SRunner *r;
	int failed;

	/* Refusals are what is tested here. */
	log_open("test", LOG_ERROR, LOG_TEXT);
	suite_add_tcase(s, test_enroll_wire());
	suite_add_tcase(s, test_enroll_matrix());
	suite_add_tcase(s, test_enroll_challenge());
	suite_add_tcase(s, test_enroll_est());
	suite_add_tcase(s, test_enroll_rate());
	suite_add_tcase(s, test_enroll_trust());
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
