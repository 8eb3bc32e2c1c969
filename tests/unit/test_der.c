#include "tests/unit/test_der.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>

struct buf unhex(const char *hex)
{
	struct buf digits = BUF_INIT(1u << 20);
	struct buf out = BUF_INIT(1u << 20);

	for (; *hex; hex++) {
		if (*hex != ' ')
			buf_add_u8(&digits, (uint8_t)*hex);
	}
	ck_assert_int_eq(hex_decode(&out, buf_bytes(&digits)), RC_OK);
	buf_free(&digits);
	return out;
}

void check_result(const char *name, enum rc rc, enum rc want,
        const struct why *why, const char *clause)
{
	ck_assert_msg(rc == want, "%s: %s, not %s (%s)", name,
	        rc_info(rc)->name, rc_info(want)->name, why->text);
	if (want != RC_OK)
		ck_assert_msg(strstr(why->text, clause) != NULL,
		        "%s: clause \"%s\" lacks \"%s\"", name, why->text,
		        clause);
}

void check_bytes(const char *name, struct bytes got, struct bytes want)
{
	struct buf a = BUF_INIT(1u << 20), b = BUF_INIT(1u << 20);

	hex_encode(&a, got);
	hex_encode(&b, want);
	ck_assert_msg(bytes_eq(got, want), "%s: %s, not %s", name, buf_cstr(&a),
	        buf_cstr(&b));
	buf_free(&a);
	buf_free(&b);
}

int main(void)
{
	Suite *suite = suite_create("der");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, test_der_reader());
	suite_add_tcase(suite, test_der_writer());
	suite_add_tcase(suite, test_der_time());
	suite_add_tcase(suite, test_der_oid());
	suite_add_tcase(suite, test_der_name());
	suite_add_tcase(suite, test_der_alg());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
