/* What storage/store.h promises, judged through it alone: any engine must pass,
 * and any engine behind the shim. */
#include "tests/unit/store_help.h"

#include "base/clock.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct help h;

static void setup(void)
{
	help_begin(&h);
	help_open(&h);
	help_authority(&h);
}

static void teardown(void)
{
	help_end(&h);
}

/* --- T1 and T2 */

START_TEST(issue_is_an_intent_then_issued)
{
	struct store_fetch fetch = { .der = BUF_INIT(STORE_DER_MAX_BYTES) };
	struct help_issue i;

	help_issue(&h, &i, "unit-1", 0, "a");
	ck_assert_int_eq(help_t1(&h, &i), RC_OK);
	ck_assert_int_eq(help_state(&h, &i.t1.key), CERT_INTENT);
	fetch.key = i.t1.key;
	ck_assert_int_eq(HELP_DO(&h, store_fetch, &fetch), RC_OK);
	ck_assert(bytes_eq(buf_bytes(&fetch.der), i.t1.tbs));
	ck_assert_uint_eq(fetch.cert.slot, store_slot(h.store));
	ck_assert_int_eq(help_t2(&h, &i), RC_OK);
	ck_assert_uint_eq(i.t2.sequence, 1);
	ck_assert_int_eq(help_state(&h, &i.t1.key), CERT_ISSUED);
	ck_assert_int_eq(HELP_DO(&h, store_fetch, &fetch), RC_OK);
	ck_assert(bytes_eq(buf_bytes(&fetch.der), i.t2.der));
	ck_assert_str_eq(fetch.cert.device, "unit-1");
	ck_assert_str_eq(fetch.cert.requester, "operator uid 0");
	ck_assert_mem_eq(fetch.cert.cert_hash, i.t2.cert_hash, 32);
	buf_free(&fetch.der);
}
END_TEST

START_TEST(issue_finish_needs_the_intents_tbs)
{
	struct help_issue i;

	help_issue(&h, &i, "unit-1", 0, "a");
	ck_assert_int_eq(help_t1(&h, &i), RC_OK);
	i.der[4] ^= 1;
	ck_assert_int_eq(help_t2(&h, &i), RC_CONFLICT);
	i.der[4] ^= 1;
	ck_assert_int_eq(help_t2(&h, &i), RC_OK);
}
END_TEST

START_TEST(issue_finish_without_an_intent_is_stale)
{
	struct help_issue i;

	help_issue(&h, &i, "unit-1", 0, "a");
	ck_assert_int_eq(help_t2(&h, &i), RC_STALE);
}
END_TEST

START_TEST(token_serves_one_request)
{
	struct help_issue i, other;

	help_token(&h, "token", "unit-1");
	help_issue(&h, &i, "unit-1", help_device(&h, "unit-1"), "a");
	i.t1.credential.kind = CREDENTIAL_TOKEN;
	help_hash(i.t1.credential.hash, "token");
	ck_assert_int_eq(help_t1(&h, &i), RC_OK);
	ck_assert_int_eq(help_t2(&h, &i), RC_OK);
	help_issue(&h, &other, "unit-1", help_device(&h, "unit-1"), "b");
	other.t1.credential = i.t1.credential;
	ck_assert_int_eq(help_t1(&h, &other), RC_SPENT);
	help_issue(&h, &other, "unit-1", help_device(&h, "unit-1"), "a");
	other.t1.credential = i.t1.credential;
	ck_assert_int_eq(help_t1(&h, &other), RC_DUPLICATE);
	ck_assert_mem_eq(&other.t1.twin, &i.t1.key, sizeof(i.t1.key));
}
END_TEST

static TCase *contract_case(const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, issue_is_an_intent_then_issued);
	tcase_add_test(tc, issue_finish_needs_the_intents_tbs);
	tcase_add_test(tc, issue_finish_without_an_intent_is_stale);
	tcase_add_test(tc, token_serves_one_request);
	return tc;
}

int main(void)
{
	Suite *s = suite_create("storage contract");
	SRunner *r;
	int failed;

	suite_add_tcase(s, contract_case("lmdb"));
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
