#include "tests/unit/test_ca.h"
#include <stdlib.h>

int main(void)
{
	Suite *s = suite_create("ca");
	SRunner *r;
	int failed;

	suite_add_tcase(s, test_ca_authority());
	suite_add_tcase(s, test_ca_generations());
	suite_add_tcase(s, test_ca_code());
	suite_add_tcase(s, test_ca_csrattrs());
	suite_add_tcase(s, test_ca_grant());
	suite_add_tcase(s, test_ca_lint());
	suite_add_tcase(s, test_ca_policy());
	suite_add_tcase(s, test_ca_profile());
	suite_add_tcase(s, test_ca_pubkey());
	suite_add_tcase(s, test_ca_tbs());
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
