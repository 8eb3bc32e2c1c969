/* T1: what is issued, retries, what T1 decides on, limits. */
#include "tests/unit/store_contract.h"

#include "base/clock.h"
#include <stdio.h>
#include <string.h>

#define HOUR_US (3600 * INT64_C(1000000))

static struct help *const h = &contract;

START_TEST(issue_is_an_intent_then_issued)
{
	struct store_fetch fetch = { .der = BUF_INIT(STORE_DER_MAX_BYTES) };
	struct help_issue i;

	help_issue(h, &i, "unit-1", 0, "a");
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	ck_assert_int_eq(help_state(h, &i.t1.key), CERT_INTENT);
	fetch.key = i.t1.key;
	ck_assert_int_eq(HELP_DO(h, store_fetch, &fetch), RC_OK);
	ck_assert(bytes_eq(buf_bytes(&fetch.der), i.t1.tbs));
	ck_assert_uint_eq(fetch.cert.slot, store_slot(h->store));
	ck_assert_int_eq(help_t2(h, &i), RC_OK);
	ck_assert_uint_eq(i.t2.sequence, 1);
	ck_assert_int_eq(help_state(h, &i.t1.key), CERT_ISSUED);
	ck_assert_int_eq(HELP_DO(h, store_fetch, &fetch), RC_OK);
	ck_assert(bytes_eq(buf_bytes(&fetch.der), i.t2.der));
	ck_assert_str_eq(fetch.cert.device, "unit-1");
	ck_assert_str_eq(fetch.cert.profile, "sensor");
	ck_assert_str_eq(fetch.cert.requester, "operator uid 0");
	ck_assert_int_eq(fetch.cert.credential, CREDENTIAL_OPERATOR);
	ck_assert_mem_eq(fetch.cert.cert_hash, i.t2.cert_hash, 32);
	ck_assert_mem_eq(fetch.cert.spki_hash, i.t1.spki_hash, 32);
	ck_assert_mem_eq(fetch.cert.request_hash, i.t1.request_hash, 32);
	ck_assert_int_eq(fetch.cert.not_after_s, i.t1.not_after_s);
	buf_free(&fetch.der);
}
END_TEST

START_TEST(issue_without_a_device_is_on_record_too)
{
	struct help_issue i;

	help_issue(h, &i, NULL, 0, "a");
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	ck_assert_int_eq(help_t2(h, &i), RC_OK);
	ck_assert_int_eq(help_state(h, &i.t1.key), CERT_ISSUED);
	ck_assert_uint_eq(help_stat(h).devices, 0);
}
END_TEST

START_TEST(t1_asked_again_is_the_same_t1)
{
	struct help_issue i;
	uint64_t length;

	help_issue(h, &i, "unit-1", 0, "a");
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	length = contract_audit_length();
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	ck_assert_uint_eq(contract_audit_length(), length);
	ck_assert_uint_eq(help_stat(h).intents, 1);
}
END_TEST

START_TEST(t2_asked_again_is_a_duplicate)
{
	struct help_issue i;
	enum rc rc;

	help_issue(h, &i, "unit-1", 0, "a");
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	ck_assert_int_eq(help_t2(h, &i), RC_OK);
	rc = HELP_DO(h, store_issue_finish, &i.t2);
	ck_assert_int_eq(rc, RC_DUPLICATE);
	ck_assert_uint_eq(i.t2.sequence, 1);
	ck_assert_uint_eq(help_stat(h).issued, 1);
}
END_TEST

START_TEST(serial_is_used_once)
{
	struct help_issue i, other;

	contract_next(&i, "unit-1", "a");
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	contract_next(&other, "unit-2", "b");
	other.t1.key = i.t1.key;
	ck_assert_int_eq(help_t1(h, &other), RC_CONFLICT);
	ck_assert_int_eq(help_t2(h, &i), RC_OK);
	ck_assert_int_eq(help_t1(h, &other), RC_CONFLICT);
	ck_assert_uint_eq(help_device(h, "unit-2"), 0);
}
END_TEST

START_TEST(refused_t1_leaves_no_trace)
{
	struct help_issue i;
	uint64_t length;

	help_token(h, "token", "unit-1");
	contract_put_quota("line", 0);
	length = contract_audit_length();
	contract_next(&i, "unit-1", "a");
	contract_use_token(&i, "token");
	i.t1.quota = "line";
	ck_assert_int_eq(help_t1(h, &i), RC_QUOTA);
	ck_assert_int_eq(contract_token("token").state, TOKEN_UNSPENT);
	ck_assert_uint_eq(contract_audit_length(), length);
	ck_assert_uint_eq(help_stat(h).intents, 0);
	ck_assert_int_eq(help_state(h, &i.t1.key), 0);
}
END_TEST

START_TEST(deadline_that_passed_issues_nothing)
{
	struct help_issue i;

	contract_next(&i, "unit-1", "a");
	i.t1.deadline_us = clock_now_us() - 1;
	ck_assert_int_eq(help_t1(h, &i), RC_TIMEOUT);
	ck_assert_uint_eq(help_device(h, "unit-1"), 0);
	i.t1.deadline_us = clock_now_us() + HOUR_US;
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
}
END_TEST

static void use_foreign(struct help_issue *i, const char *text)
{
	i->t1.credential.kind = CREDENTIAL_FOREIGN;
	help_hash(i->t1.credential.hash, text);
	help_hash(i->t1.credential.spki_hash, text);
}

static void block(const char *text)
{
	struct store_key_block op = { .op = { .actor = "operator uid 0" } };

	help_hash(op.spki_hash, text);
	ck_assert_int_eq(HELP_DO(h, store_key_block, &op), RC_OK);
}

static void use_shared(struct help_issue *i)
{
	i->t1.credential.kind = CREDENTIAL_SHARED;
	help_hash(i->t1.credential.hash, "scep/old");
}

START_TEST(shared_secret_is_for_a_devices_first_certificate)
{
	struct help_issue one, two;

	contract_next(&one, "unit-1", "a");
	use_shared(&one);
	ck_assert_int_eq(help_t1(h, &one), RC_OK);
	/* Not two at once, either. */
	contract_next(&two, "unit-1", "b");
	use_shared(&two);
	ck_assert_int_eq(help_t1(h, &two), RC_BUSY);
	ck_assert_int_eq(contract_abandon(&one.t1.key), RC_OK);
	contract_next(&two, "unit-1", "b");
	use_shared(&two);
	ck_assert_int_eq(help_t1(h, &two), RC_OK);
	ck_assert_int_eq(help_t2(h, &two), RC_OK);
	contract_next(&one, "unit-1", "a");
	use_shared(&one);
	ck_assert_int_eq(help_t1(h, &one), RC_DENIED);
	ck_assert_int_eq(help_revoke(h, &two.t1.key), RC_OK);
	contract_next(&one, "unit-1", "a");
	use_shared(&one);
	ck_assert_int_eq(help_t1(h, &one), RC_DENIED);
	/* The same one again is a retry, before that rule is asked. */
	contract_next(&one, "unit-2", "c");
	use_shared(&one);
	ck_assert_int_eq(help_t1(h, &one), RC_OK);
	ck_assert_int_eq(help_t2(h, &one), RC_OK);
	contract_next(&two, "unit-2", "c");
	use_shared(&two);
	ck_assert_int_eq(help_t1(h, &two), RC_DUPLICATE);
}
END_TEST

START_TEST(foreign_credential_of_a_blocked_key_is_refused)
{
	struct help_issue i, other;

	contract_next(&i, "unit-1", "a");
	use_foreign(&i, "idevid");
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	block("idevid");
	/* In flight: recorded as revoked, not released. */
	ck_assert_int_eq(help_t2(h, &i), RC_DENIED);
	ck_assert_int_eq(help_state(h, &i.t1.key), CERT_REVOKED);
	contract_next(&i, "unit-1", "b");
	use_foreign(&i, "idevid");
	ck_assert_int_eq(help_t1(h, &i), RC_DENIED);
	contract_next(&other, "unit-2", "c");
	use_foreign(&other, "another idevid");
	ck_assert_int_eq(help_t1(h, &other), RC_OK);
	ck_assert_int_eq(help_t2(h, &other), RC_OK);
}
END_TEST

/* --- retries */

START_TEST(retry_gets_the_stored_certificate)
{
	struct help_issue i, again;

	help_token(h, "token", "unit-1");
	contract_next(&i, "unit-1", "a");
	contract_use_token(&i, "token");
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	ck_assert_int_eq(help_t2(h, &i), RC_OK);
	contract_next(&again, "unit-1", "a");
	contract_use_token(&again, "token");
	ck_assert_int_eq(help_t1(h, &again), RC_DUPLICATE);
	ck_assert_mem_eq(&again.t1.twin, &i.t1.key, sizeof(i.t1.key));
	contract_next(&again, "unit-1", "b");
	contract_use_token(&again, "token");
	ck_assert_int_eq(help_t1(h, &again), RC_SPENT);
}
END_TEST

START_TEST(retry_while_the_first_is_in_flight_is_busy)
{
	struct help_issue i, again;

	contract_next(&i, "unit-1", "a");
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	contract_next(&again, "unit-1", "a");
	ck_assert_int_eq(help_t1(h, &again), RC_BUSY);
	ck_assert_int_eq(help_t2(h, &i), RC_OK);
	ck_assert_int_eq(help_t1(h, &again), RC_DUPLICATE);
}
END_TEST

START_TEST(retry_past_its_window_is_a_new_request)
{
	struct help_issue again;

	(void)help_certificate(h, "unit-1", 0, "a");
	contract_next(&again, "unit-1", "a");
	again.t1.retry_after_us = clock_now_us() + HOUR_US;
	ck_assert_int_eq(help_t1(h, &again), RC_OK);
}
END_TEST

START_TEST(retry_after_a_newer_certificate_is_a_new_request)
{
	struct help_issue again;

	(void)help_certificate(h, "unit-1", 0, "a");
	(void)help_certificate(h, "unit-1", 1, "b");
	contract_next(&again, "unit-1", "a");
	ck_assert_int_eq(help_t1(h, &again), RC_OK);
}
END_TEST

START_TEST(retry_is_denied_when_its_certificate_went_bad)
{
	struct cert_key key = help_certificate(h, "unit-1", 0, "a");
	struct help_issue again;

	ck_assert_int_eq(contract_status(&key, STATUS_HOLD,
	                         REASON_CERTIFICATE_HOLD, NULL),
	        RC_OK);
	contract_next(&again, "unit-1", "a");
	ck_assert_int_eq(help_t1(h, &again), RC_DENIED);
	ck_assert_int_eq(
	        contract_status(&key, STATUS_RELEASE, REASON_UNSPECIFIED, NULL),
	        RC_OK);
	ck_assert_int_eq(help_t1(h, &again), RC_DUPLICATE);
	ck_assert_int_eq(
	        contract_status(&key, STATUS_REVOKE, REASON_SUPERSEDED, NULL),
	        RC_OK);
	ck_assert_int_eq(help_t1(h, &again), RC_DENIED);
}
END_TEST

START_TEST(retry_is_denied_to_a_suspended_device)
{
	struct help_issue again;

	(void)help_certificate(h, "unit-1", 0, "a");
	ck_assert_int_eq(contract_suspend("unit-1", false, NULL), RC_OK);
	contract_next(&again, "unit-1", "a");
	ck_assert_int_eq(help_t1(h, &again), RC_DENIED);
}
END_TEST

/* --- what T1 decides on */

START_TEST(blocked_key_is_never_begun)
{
	struct store_key_block block = { .op = { .actor = "operator" } };
	struct help_issue i;

	contract_next(&i, "unit-1", "a");
	memcpy(block.spki_hash, i.t1.spki_hash, STORE_HASH_BYTES);
	ck_assert_int_eq(HELP_DO(h, store_key_block, &block), RC_OK);
	ck_assert_int_eq(HELP_DO(h, store_key_block, &block), RC_OK);
	ck_assert_int_eq(help_t1(h, &i), RC_BLOCKED);
}
END_TEST

START_TEST(revoking_for_key_compromise_blocks_the_key)
{
	struct cert_key key = help_certificate(h, "unit-1", 0, "a");
	struct help_issue i;

	ck_assert_int_eq(contract_status(&key, STATUS_REVOKE,
	                         REASON_KEY_COMPROMISE, NULL),
	        RC_OK);
	contract_next(&i, "unit-2", "a");
	ck_assert_int_eq(help_t1(h, &i), RC_BLOCKED);
}
END_TEST

START_TEST(versions_that_moved_are_stale)
{
	struct store_device_put put = { .expect_version = 1 };
	struct help_issue i;

	(void)help_certificate(h, "unit-1", 0, "a");
	help_issue(h, &i, "unit-1", 0, "b");
	ck_assert_int_eq(help_t1(h, &i), RC_STALE);
	help_issue(h, &i, "unit-2", 1, "b");
	ck_assert_int_eq(help_t1(h, &i), RC_STALE);
	(void)snprintf(put.device.id, sizeof(put.device.id), "unit-1");
	ck_assert_int_eq(HELP_DO(h, store_device_put, &put), RC_OK);
	help_issue(h, &i, "unit-1", 1, "b");
	ck_assert_int_eq(help_t1(h, &i), RC_STALE);
	help_issue(h, &i, "unit-1", 2, "b");
	i.t1.authority_version++;
	ck_assert_int_eq(help_t1(h, &i), RC_STALE);
	i.t1.authority_version--;
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
}
END_TEST

START_TEST(suspended_device_gets_nothing)
{
	struct help_issue i;

	(void)help_certificate(h, "unit-1", 0, "a");
	ck_assert_int_eq(contract_suspend("unit-1", false, NULL), RC_OK);
	contract_next(&i, "unit-1", "b");
	ck_assert_int_eq(help_t1(h, &i), RC_DENIED);
	ck_assert_int_eq(contract_suspend("unit-1", true, NULL), RC_OK);
	contract_next(&i, "unit-1", "b");
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
}
END_TEST

START_TEST(token_is_for_one_device_authority_profile_and_time)
{
	struct cert_key spent_by;
	struct help_issue i;

	help_token(h, "token", "unit-1");
	contract_next(&i, "unit-1", "a");
	contract_use_token(&i, "another token");
	ck_assert_int_eq(help_t1(h, &i), RC_DENIED);
	contract_next(&i, "unit-2", "a");
	contract_use_token(&i, "token");
	ck_assert_int_eq(help_t1(h, &i), RC_DENIED);
	contract_next(&i, "unit-1", "a");
	contract_use_token(&i, "token");
	i.t1.profile = "server";
	ck_assert_int_eq(help_t1(h, &i), RC_DENIED);
	i.t1.profile = "sensor";
	clock_set_shift_s(2 * 3600);
	ck_assert_int_eq(help_t1(h, &i), RC_DENIED);
	clock_set_shift_s(0);
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	ck_assert_int_eq(contract_token("token").state, TOKEN_SPENT);
	spent_by = contract_token("token").spent_by;
	ck_assert_mem_eq(&spent_by, &i.t1.key, sizeof(spent_by));
}
END_TEST

START_TEST(token_of_an_earlier_generation_is_good_where_the_grant_says_so)
{
	struct store_authority_put put = { .authority.name = "factory-2",
		.der = BYTES_LIT("the certificate of factory-2") };
	struct help_issue i;

	help_hash(put.authority.cert_hash, "factory-2");
	ck_assert_int_eq(HELP_DO(h, store_authority_put, &put), RC_OK);
	help_token(h, "token", "unit-1");
	contract_next(&i, "unit-1", "a");
	contract_use_token(&i, "token");
	i.t1.key.authority = put.authority.id;
	i.t1.authority_version = put.authority.version;
	ck_assert_int_eq(help_t1(h, &i), RC_DENIED);
	i.t1.credential.cert.authority = 77;
	ck_assert_int_eq(help_t1(h, &i), RC_DENIED);
	i.t1.credential.cert.authority = h->authority;
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	ck_assert_int_eq(contract_token("token").state, TOKEN_SPENT);
}
END_TEST

START_TEST(own_certificate_must_be_in_good_standing)
{
	struct cert_key key = help_certificate(h, "unit-1", 0, "a"), none;
	struct help_issue i;

	none = help_serial(h);
	contract_next(&i, "unit-1", "b");
	contract_use_own(&i, &none);
	ck_assert_int_eq(help_t1(h, &i), RC_DENIED);
	contract_use_own(&i, &key);
	ck_assert_int_eq(contract_status(&key, STATUS_HOLD,
	                         REASON_CERTIFICATE_HOLD, NULL),
	        RC_OK);
	ck_assert_int_eq(help_t1(h, &i), RC_DENIED);
	ck_assert_int_eq(
	        contract_status(&key, STATUS_RELEASE, REASON_UNSPECIFIED, NULL),
	        RC_OK);
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
}
END_TEST

/* --- limits */

static enum rc try_active(const char *text, uint32_t max)
{
	struct help_issue i;
	enum rc rc;

	contract_next(&i, "unit-1", text);
	i.t1.max_active = max;
	rc = help_t1(h, &i);
	return rc == RC_OK ? help_t2(h, &i) : rc;
}

START_TEST(max_active_counts_what_lives)
{
	struct cert_key key = help_certificate(h, "unit-1", 0, "a");
	struct help_issue i;

	ck_assert_int_eq(try_active("b", 1), RC_QUOTA);
	ck_assert_int_eq(try_active("b", 2), RC_OK);
	ck_assert_int_eq(try_active("c", 2), RC_QUOTA);
	/* held counts, revoked does not */
	ck_assert_int_eq(contract_status(&key, STATUS_HOLD,
	                         REASON_CERTIFICATE_HOLD, NULL),
	        RC_OK);
	ck_assert_int_eq(try_active("c", 2), RC_QUOTA);
	ck_assert_int_eq(
	        contract_status(&key, STATUS_REVOKE, REASON_SUPERSEDED, NULL),
	        RC_OK);
	/* an intent counts */
	contract_next(&i, "unit-1", "c");
	i.t1.max_active = 2;
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	ck_assert_int_eq(try_active("d", 2), RC_QUOTA);
	ck_assert_int_eq(contract_abandon(&i.t1.key), RC_OK);
	ck_assert_int_eq(try_active("d", 2), RC_OK);
	/* another profile does not */
	contract_next(&i, "unit-1", "e");
	i.t1.profile = "server";
	i.t1.max_active = 1;
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	/* nor does what has expired */
	clock_set_shift_s(2 * 86400);
	ck_assert_int_eq(try_active("f", 1), RC_OK);
	clock_set_shift_s(0);
}
END_TEST

START_TEST(max_active_sees_past_a_short_lived_certificate)
{
	struct help_issue i;

	contract_next(&i, "unit-1", "long");
	i.t1.not_after_s += 86400;
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	ck_assert_int_eq(help_t2(h, &i), RC_OK);
	(void)help_certificate(h, "unit-1", 1, "short");
	clock_set_shift_s(86400 + 3600);
	ck_assert_int_eq(try_active("next", 1), RC_QUOTA);
	ck_assert_int_eq(try_active("next", 2), RC_OK);
	clock_set_shift_s(0);
}
END_TEST

#define MANY 24

static size_t begin_many(struct help_issue *issues, size_t n)
{
	struct store_op *ops[MANY];

	for (size_t i = 0; i < n; i++)
		ops[i] = &issues[i].t1.op;
	return help_do_all(
	        h, ops, n, (help_send_fn *)(void (*)(void))store_issue_begin);
}

START_TEST(max_active_holds_under_concurrent_requests)
{
	struct help_issue issues[MANY];
	struct store_device_put put = { .expect_version = 0 };
	char text[16];

	(void)snprintf(put.device.id, sizeof(put.device.id), "unit-1");
	ck_assert_int_eq(HELP_DO(h, store_device_put, &put), RC_OK);
	for (size_t i = 0; i < MANY; i++) {
		(void)snprintf(text, sizeof(text), "%zu", i);
		help_issue(h, &issues[i], "unit-1", 1, text);
		issues[i].t1.max_active = 3;
	}
	ck_assert_uint_eq(begin_many(issues, MANY), 3);
	ck_assert_uint_eq(help_stat(h).intents, 3);
}
END_TEST

START_TEST(quota_is_never_exceeded_by_concurrent_requests)
{
	struct help_issue issues[MANY];
	char id[MANY][16];

	contract_put_quota("line", 7);
	for (size_t i = 0; i < MANY; i++) {
		(void)snprintf(id[i], sizeof(id[i]), "unit-%zu", i);
		help_issue(h, &issues[i], id[i], 0, id[i]);
		issues[i].t1.quota = "line";
	}
	ck_assert_uint_eq(begin_many(issues, MANY), 7);
	ck_assert_uint_eq(contract_quota_used("line"), 7);
	ck_assert_uint_eq(help_stat(h).devices, 7);
}
END_TEST

START_TEST(token_serves_one_of_concurrent_requests)
{
	struct help_issue issues[MANY];
	char text[16];

	help_token(h, "token", "unit-1");
	for (size_t i = 0; i < MANY; i++) {
		(void)snprintf(text, sizeof(text), "%zu", i);
		contract_next(&issues[i], "unit-1", text);
		contract_use_token(&issues[i], "token");
	}
	ck_assert_uint_eq(begin_many(issues, MANY), 1);
}
END_TEST

START_TEST(quota_that_is_not_there_is_not_found)
{
	struct help_issue i;

	contract_next(&i, "unit-1", "a");
	i.t1.quota = "line";
	ck_assert_int_eq(help_t1(h, &i), RC_NOTFOUND);
}
END_TEST

START_TEST(inputs_over_their_limits_are_too_big)
{
	char id[STORE_DEVICE_ID_MAX + 2];
	struct help_issue i;

	memset(id, 'x', sizeof(id));
	id[sizeof(id) - 1] = '\0';
	help_issue(h, &i, id, 0, "a");
	ck_assert_int_eq(help_t1(h, &i), RC_TOOBIG);
	id[STORE_DEVICE_ID_MAX] = '\0';
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	help_issue(h, &i, "a\nb", 0, "b");
	ck_assert_int_eq(help_t1(h, &i), RC_MALFORMED);
	help_issue(h, &i, "unit-1", 0, "b");
	i.t1.tbs.n = STORE_DER_MAX_BYTES + 1;
	ck_assert_int_eq(help_t1(h, &i), RC_TOOBIG);
}
END_TEST

void contract_issue(TCase *tc)
{
	tcase_add_test(tc, issue_is_an_intent_then_issued);
	tcase_add_test(tc, issue_without_a_device_is_on_record_too);
	tcase_add_test(tc, t1_asked_again_is_the_same_t1);
	tcase_add_test(tc, t2_asked_again_is_a_duplicate);
	tcase_add_test(tc, serial_is_used_once);
	tcase_add_test(tc, refused_t1_leaves_no_trace);
	tcase_add_test(tc, deadline_that_passed_issues_nothing);
	tcase_add_test(tc, foreign_credential_of_a_blocked_key_is_refused);
	tcase_add_test(tc, shared_secret_is_for_a_devices_first_certificate);
	tcase_add_test(tc, retry_gets_the_stored_certificate);
	tcase_add_test(tc, retry_while_the_first_is_in_flight_is_busy);
	tcase_add_test(tc, retry_past_its_window_is_a_new_request);
	tcase_add_test(tc, retry_after_a_newer_certificate_is_a_new_request);
	tcase_add_test(tc, retry_is_denied_when_its_certificate_went_bad);
	tcase_add_test(tc, retry_is_denied_to_a_suspended_device);
	tcase_add_test(tc, blocked_key_is_never_begun);
	tcase_add_test(tc, revoking_for_key_compromise_blocks_the_key);
	tcase_add_test(tc, versions_that_moved_are_stale);
	tcase_add_test(tc, suspended_device_gets_nothing);
	tcase_add_test(tc, token_is_for_one_device_authority_profile_and_time);
	tcase_add_test(tc,
	        token_of_an_earlier_generation_is_good_where_the_grant_says_so);
	tcase_add_test(tc, own_certificate_must_be_in_good_standing);
	tcase_add_test(tc, max_active_counts_what_lives);
	tcase_add_test(tc, max_active_sees_past_a_short_lived_certificate);
	tcase_add_test(tc, max_active_holds_under_concurrent_requests);
	tcase_add_test(tc, quota_is_never_exceeded_by_concurrent_requests);
	tcase_add_test(tc, token_serves_one_of_concurrent_requests);
	tcase_add_test(tc, quota_that_is_not_there_is_not_found);
	tcase_add_test(tc, inputs_over_their_limits_are_too_big);
}
