/* The module that fails on purpose does so exactly as told: what is proved by it
 * stands on that. */
#include "tests/p11/token.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SKIPPED 77
#define THREADS 8

static struct token t;
static CK_SESSION_HANDLE session;
static CK_OBJECT_HANDLE key;
static unsigned char digest[TOKEN_DIGEST_BYTES] =
        "what is signed, 32 bytes of it.";
static unsigned char signature[TOKEN_SIGNATURE_BYTES];

static void set_up(void)
{
	token_open(&t, FAULT_MODULE);
	token_begin(&t);
	session = token_session(&t);
	ck_assert_uint_eq(token_login(&t, session, TOKEN_PIN), CKR_OK);
	key = token_make_key(&t, session, "issuing", 1);
}

static void tear_down(void)
{
	token_end(&t);
	token_close(&t);
}

static CK_RV sign(void)
{
	return token_sign(&t, session, key, digest, signature);
}

static bool verifies(void)
{
	return token_verifies(&t, session, 1, digest, signature);
}

static int64_t now_ms(void)
{
	struct timespec at;

	(void)clock_gettime(CLOCK_MONOTONIC, &at);
	return at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

/* As a program would come back after an outage. */
static void come_back(void)
{
	session = token_session(&t);
	ck_assert_uint_eq(token_login(&t, session, TOKEN_PIN), CKR_OK);
	key = token_find(&t, session, "issuing");
	ck_assert_uint_ne(key, CK_INVALID_HANDLE);
}

START_TEST(what_is_not_spoiled_is_the_token_s_own)
{
	ck_assert_uint_eq(sign(), CKR_OK);
	ck_assert(verifies());
	ck_assert_uint_eq(token_did(&t, FAULT_INITIALIZED), 1);
	ck_assert_uint_eq(token_did(&t, FAULT_SIGNS), 1);
	ck_assert_uint_eq(token_did(&t, FAULT_SIGNED), 1);
	/* The token's first administrator, and ours. */
	ck_assert_uint_eq(token_did(&t, FAULT_LOGINS), 2);
	ck_assert_uint_eq(token_did(&t, FAULT_SESSIONS), 1);
}
END_TEST

START_TEST(only_the_flipped_signature_is_wrong)
{
	token_want(&t, FAULT_NEXT_FLIPPED, 1);
	ck_assert_uint_eq(sign(), CKR_OK);
	ck_assert(!verifies());
	ck_assert_uint_eq(sign(), CKR_OK);
	ck_assert(verifies());
	ck_assert_uint_eq(token_did(&t, FAULT_FLIPPED), 1);
}
END_TEST

START_TEST(a_failed_signature_leaves_the_session_as_it_was)
{
	token_want(&t, FAULT_NEXT_FAILED, 1);
	ck_assert_uint_eq(sign(), CKR_FUNCTION_FAILED);
	ck_assert_uint_eq(sign(), CKR_OK);
	ck_assert(verifies());
}
END_TEST

START_TEST(a_lost_session_is_lost_for_good_and_no_other)
{
	CK_SESSION_HANDLE other = token_session(&t);

	token_want(&t, FAULT_NEXT_LOST, 1);
	ck_assert_uint_eq(sign(), CKR_SESSION_HANDLE_INVALID);
	ck_assert_uint_eq(sign(), CKR_SESSION_HANDLE_INVALID);
	session = other;
	ck_assert_uint_eq(sign(), CKR_OK);
	ck_assert_uint_eq(token_did(&t, FAULT_SESSIONS), 1);
}
END_TEST

START_TEST(a_token_that_was_away_has_lost_sessions_and_login)
{
	CK_SESSION_HANDLE old = session;
	CK_TOKEN_INFO info;
	CK_ULONG n = 0;

	token_want(&t, FAULT_OUTAGE, 1);
	ck_assert_uint_eq(sign(), CKR_DEVICE_REMOVED);
	ck_assert_uint_eq(
	        t.p11->C_GetTokenInfo(t.slot, &info), CKR_TOKEN_NOT_PRESENT);
	ck_assert_uint_eq(t.p11->C_GetSlotList(CK_TRUE, NULL, &n), CKR_OK);
	ck_assert_uint_eq(n, 0);
	ck_assert_uint_eq(token_did(&t, FAULT_SESSIONS), 0);
	token_want(&t, FAULT_OUTAGE, 2);
	ck_assert_uint_eq(sign(), CKR_SESSION_HANDLE_INVALID);
	session = token_session(&t);
	/* The number alone may be an old one's; that one stays lost. */
	ck_assert_uint_ne(session, old);
	ck_assert_uint_eq(token_find(&t, session, "issuing"),
	        CK_INVALID_HANDLE); /* private, and nobody is logged in */
	come_back();
	ck_assert_uint_eq(sign(), CKR_OK);
	ck_assert(verifies());
}
END_TEST

START_TEST(an_outage_that_nobody_saw_counts)
{
	token_want(&t, FAULT_OUTAGE, 2);
	ck_assert_uint_eq(sign(), CKR_SESSION_HANDLE_INVALID);
	come_back();
	ck_assert_uint_eq(sign(), CKR_OK);
}
END_TEST

START_TEST(sessions_are_limited)
{
	CK_SESSION_HANDLE more;

	token_want(&t, FAULT_SESSIONS_MAX, 1);
	ck_assert_uint_eq(t.p11->C_OpenSession(t.slot, CKF_SERIAL_SESSION, NULL,
	                          NULL, &more),
	        CKR_SESSION_COUNT);
	ck_assert_uint_eq(token_did(&t, FAULT_OVER_LIMIT), 1);
	ck_assert_uint_eq(sign(), CKR_OK);
	ck_assert_uint_eq(t.p11->C_CloseSession(session), CKR_OK);
	come_back();
	ck_assert_uint_eq(sign(), CKR_OK);
}
END_TEST

START_TEST(a_login_fails_as_told_and_is_counted)
{
	uint64_t before;

	ck_assert_uint_eq(t.p11->C_Logout(session), CKR_OK);
	before = token_did(&t, FAULT_LOGINS);
	token_want(&t, FAULT_LOGIN_RV, CKR_PIN_LOCKED);
	ck_assert_uint_eq(token_login(&t, session, TOKEN_PIN), CKR_PIN_LOCKED);
	token_want(&t, FAULT_LOGIN_RV, 0);
	ck_assert_uint_eq(
	        token_login(&t, session, "nothing of it"), CKR_PIN_INCORRECT);
	ck_assert_uint_eq(token_login(&t, session, TOKEN_PIN), CKR_OK);
	ck_assert_uint_eq(token_did(&t, FAULT_LOGINS), before + 3);
}
END_TEST

START_TEST(latency_and_hangs_take_their_time)
{
	int64_t since = now_ms();

	token_want(&t, FAULT_LATENCY_US, 50000);
	ck_assert_uint_eq(sign(), CKR_OK);
	ck_assert_int_ge(now_ms() - since, 50);
	token_want(&t, FAULT_LATENCY_US, 0);
	token_want(&t, FAULT_HANG_MS, 300);
	token_want(&t, FAULT_NEXT_HUNG, 1);
	since = now_ms();
	ck_assert_uint_eq(sign(), CKR_OK);
	ck_assert_int_ge(now_ms() - since, 300);
	ck_assert_uint_eq(token_did(&t, FAULT_HUNG), 1);
	ck_assert_uint_eq(sign(), CKR_OK);
	ck_assert_int_lt(now_ms() - since, 600 + 20000);
}
END_TEST

START_TEST(a_dead_module_answers_nothing_else)
{
	CK_SESSION_HANDLE more;

	token_want(&t, FAULT_DEAD_RV, CKR_GENERAL_ERROR);
	ck_assert_uint_eq(sign(), CKR_GENERAL_ERROR);
	ck_assert_uint_eq(t.p11->C_OpenSession(t.slot, CKF_SERIAL_SESSION, NULL,
	                          NULL, &more),
	        CKR_GENERAL_ERROR);
	token_want(&t, FAULT_DEAD_RV, 0);
	ck_assert_uint_eq(sign(), CKR_OK);
}
END_TEST

START_TEST(a_device_that_costs_nothing_repeats_itself)
{
	unsigned char first[TOKEN_SIGNATURE_BYTES];

	token_want(&t, FAULT_REPEATS, 1);
	ck_assert_uint_eq(sign(), CKR_OK);
	memcpy(first, signature, sizeof(first));
	ck_assert_uint_eq(sign(), CKR_OK);
	ck_assert_mem_eq(first, signature, sizeof(first));
	ck_assert(verifies());
	digest[0] ^= 1;
	ck_assert_uint_eq(sign(), CKR_OK);
	ck_assert_mem_ne(first, signature, sizeof(first));
	ck_assert(verifies());
	token_want(&t, FAULT_REPEATS, 0);
	ck_assert_uint_eq(sign(), CKR_OK);
	ck_assert(verifies());
}
END_TEST

static void *sign_on_a_thread(void *ctx)
{
	CK_SESSION_HANDLE own = token_session(&t);
	unsigned char out[TOKEN_SIGNATURE_BYTES];
	CK_RV *rv = ctx;

	*rv = token_sign(&t, own, key, digest, out);
	return NULL;
}

START_TEST(threads_at_once_are_counted)
{
	pthread_t threads[THREADS];
	CK_RV rv[THREADS];

	token_want(&t, FAULT_LATENCY_US, 200000);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL,
		                         sign_on_a_thread, &rv[i]),
		        0);
	for (int i = 0; i < THREADS; i++) {
		(void)pthread_join(threads[i], NULL);
		ck_assert_uint_eq(rv[i], CKR_OK);
	}
	ck_assert_uint_eq(token_did(&t, FAULT_AT_ONCE_MOST), THREADS);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("p11_fault");
	TCase *tests = tcase_create("fault.so");
	SRunner *runner = srunner_create(suite);
	int failed;

	if (!token_softhsm()) {
		(void)printf("SoftHSM is not installed\n");
		srunner_free(runner);
		return SKIPPED;
	}
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, what_is_not_spoiled_is_the_token_s_own);
	tcase_add_test(tests, only_the_flipped_signature_is_wrong);
	tcase_add_test(tests, a_failed_signature_leaves_the_session_as_it_was);
	tcase_add_test(tests, a_lost_session_is_lost_for_good_and_no_other);
	tcase_add_test(
	        tests, a_token_that_was_away_has_lost_sessions_and_login);
	tcase_add_test(tests, an_outage_that_nobody_saw_counts);
	tcase_add_test(tests, sessions_are_limited);
	tcase_add_test(tests, a_login_fails_as_told_and_is_counted);
	tcase_add_test(tests, latency_and_hangs_take_their_time);
	tcase_add_test(tests, a_dead_module_answers_nothing_else);
	tcase_add_test(tests, threads_at_once_are_counted);
	tcase_add_test(tests, a_device_that_costs_nothing_repeats_itself);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
