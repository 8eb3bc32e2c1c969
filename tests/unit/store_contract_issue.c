/* T1, T2, abandon: the rules of issuing. */
#include "tests/unit/store_contract.h"

#include "base/clock.h"
#include <stdio.h>
#include <string.h>

static struct help *const h = &contract;

#define HOUR_US (3600 * INT64_C(1000000))

static struct store_token get_token(const char *text)
{
	struct store_token_get get = { .token = { .authority = 0 } };

	help_hash(get.hash, text);
	ck_assert_int_eq(HELP_DO(h, store_token_get, &get), RC_OK);
	return get.token;
}

static void use_token(struct help_issue *i, const char *text)
{
	i->t1.credential.kind = CREDENTIAL_TOKEN;
	help_hash(i->t1.credential.hash, text);
}

static void use_own(struct help_issue *i, const struct cert_key *key)
{
	i->t1.credential.kind = CREDENTIAL_OWN;
	i->t1.credential.cert = *key;
}

static void next_issue(
        struct help_issue *i, const char *device, const char *text)
{
	help_issue(h, i, device, help_device(h, device), text);
}

static enum rc set_status(const struct cert_key *key,
        enum store_status_change change, enum cert_reason reason)
{
	struct store_set_status op = {
		.key = *key, .change = change, .reason = reason
	};

	return HELP_DO(h, store_set_status, &op);
}

static enum rc suspend(const char *id, bool resume)
{
	struct store_device_suspend op = { .id = id, .resume = resume };

	return HELP_DO(h, store_device_suspend, &op);
}

static void put_quota(const char *name, uint64_t limit)
{
	struct store_quota_put op = { .quota = { .limit = limit } };

	(void)snprintf(op.quota.name, sizeof(op.quota.name), "%s", name);
	ck_assert_int_eq(HELP_DO(h, store_quota_put, &op), RC_OK);
}

static uint64_t quota_used(const char *name)
{
	struct store_quota_get op = { .name = name };

	ck_assert_int_eq(HELP_DO(h, store_quota_get, &op), RC_OK);
	return op.quota.used;
}

static enum rc abandon_one(const struct cert_key *key)
{
	struct store_abandon op = { .what = ABANDON_ONE, .key = *key };

	return HELP_DO(h, store_abandon, &op);
}

/* The whole trail holds together, and tells how long it is. */
static uint64_t audit_length(void)
{
	static struct store_audit_row rows[STORE_ROWS_MAX];
	struct store_audit_scan op = {
		.from = 1, .rows = rows, .max = STORE_ROWS_MAX
	};
	uint64_t last = 0;

	do {
		ck_assert_int_eq(HELP_DO(h, store_audit_scan, &op), RC_OK);
		ck_assert(!op.broken);
		last += op.n;
		op.from += op.n;
	} while (op.more);
	return last;
}

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
	length = audit_length();
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	ck_assert_uint_eq(audit_length(), length);
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

	next_issue(&i, "unit-1", "a");
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	next_issue(&other, "unit-2", "b");
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
	put_quota("line", 0);
	length = audit_length();
	next_issue(&i, "unit-1", "a");
	use_token(&i, "token");
	i.t1.quota = "line";
	ck_assert_int_eq(help_t1(h, &i), RC_QUOTA);
	ck_assert_int_eq(get_token("token").state, TOKEN_UNSPENT);
	ck_assert_uint_eq(audit_length(), length);
	ck_assert_uint_eq(help_stat(h).intents, 0);
	ck_assert_int_eq(help_state(h, &i.t1.key), 0);
}
END_TEST

START_TEST(clock_below_the_floor_issues_nothing_but_revokes)
{
	struct cert_key key = help_certificate(h, "unit-1", 0, "a");
	struct help_issue i;

	clock_set_shift_s(-3600);
	next_issue(&i, "unit-1", "b");
	ck_assert_int_eq(help_t1(h, &i), RC_UNAVAILABLE);
	ck_assert_int_eq(
	        set_status(&key, STATUS_REVOKE, REASON_UNSPECIFIED), RC_OK);
	clock_set_shift_s(-60);
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	clock_set_shift_s(0);
}
END_TEST

START_TEST(deadline_that_passed_issues_nothing)
{
	struct help_issue i;

	next_issue(&i, "unit-1", "a");
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

START_TEST(foreign_credential_of_a_blocked_key_is_refused)
{
	struct help_issue i, other;

	next_issue(&i, "unit-1", "a");
	use_foreign(&i, "idevid");
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	block("idevid");
	/* In flight: recorded as revoked, not released. */
	ck_assert_int_eq(help_t2(h, &i), RC_DENIED);
	ck_assert_int_eq(help_state(h, &i.t1.key), CERT_REVOKED);
	next_issue(&i, "unit-1", "b");
	use_foreign(&i, "idevid");
	ck_assert_int_eq(help_t1(h, &i), RC_DENIED);
	next_issue(&other, "unit-2", "c");
	use_foreign(&other, "another idevid");
	ck_assert_int_eq(help_t1(h, &other), RC_OK);
	ck_assert_int_eq(help_t2(h, &other), RC_OK);
}
END_TEST

/* A clock that ran a day ahead, and what it left on record. */
static int64_t run_ahead(struct help_issue *i)
{
	clock_set_shift_s(86400);
	next_issue(i, "unit-1", "ahead");
	ck_assert_int_eq(help_t1(h, i), RC_OK);
	ck_assert_int_eq(help_t2(h, i), RC_OK);
	clock_set_shift_s(0);
	return help_stat(h).clock_floor_us;
}

START_TEST(floor_is_lowered_to_the_clock_and_issuing_goes_on)
{
	struct store_floor_lower f = { .to_clock = true,
		.op = { .actor = "operator uid 0" } };
	struct help_issue i;
	int64_t floor_us = run_ahead(&i);
	uint64_t length = audit_length();

	next_issue(&i, "unit-2", "b");
	ck_assert_int_eq(help_t1(h, &i), RC_UNAVAILABLE);
	ck_assert_int_eq(HELP_DO(h, store_floor_lower, &f), RC_OK);
	ck_assert_int_lt(f.floor_us, floor_us);
	ck_assert_int_le(f.floor_us, clock_now_us());
	ck_assert_int_gt(f.floor_us, clock_now_us() - 600 * INT64_C(1000000));
	ck_assert_int_eq(help_stat(h).clock_floor_us, f.floor_us);
	ck_assert_uint_eq(audit_length(), length + 1);
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	/* It is not ahead any more: nothing changes, nothing is entered. */
	length = audit_length();
	ck_assert_int_eq(HELP_DO(h, store_floor_lower, &f), RC_OK);
	ck_assert_uint_eq(audit_length(), length);
}
END_TEST

START_TEST(floor_is_never_raised_nor_put_below_the_clock)
{
	struct store_floor_lower f = { .op = { .actor = "operator uid 0" } };
	struct help_issue i;
	int64_t floor_us = run_ahead(&i);

	f.floor_us = floor_us + 1;
	ck_assert_int_eq(HELP_DO(h, store_floor_lower, &f), RC_CONFLICT);
	f.floor_us = clock_now_us() - 3600 * INT64_C(1000000);
	ck_assert_int_eq(HELP_DO(h, store_floor_lower, &f), RC_CONFLICT);
	ck_assert_int_eq(help_stat(h).clock_floor_us, floor_us);
	f.floor_us = floor_us - 3600 * INT64_C(1000000);
	ck_assert_int_eq(HELP_DO(h, store_floor_lower, &f), RC_OK);
	ck_assert_int_eq(help_stat(h).clock_floor_us,
	        floor_us - 3600 * INT64_C(1000000));
	next_issue(&i, "unit-2", "b");
	ck_assert_int_eq(help_t1(h, &i), RC_UNAVAILABLE);
}
END_TEST

START_TEST(floor_that_was_lowered_is_told_as_lost)
{
	struct store_floor_lower f = { .to_clock = true };
	struct store_status_row row;
	struct store_changes look = { .rows = &row, .max = 1 };
	struct help_issue i;

	(void)run_ahead(&i);
	ck_assert_int_eq(store_changes(h->store, &look), RC_OK);
	ck_assert_int_eq(HELP_DO(h, store_floor_lower, &f), RC_OK);
	ck_assert_int_eq(store_changes(h->store, &look), RC_OK);
	ck_assert(look.lost);
	ck_assert_int_eq(look.clock_floor_us, f.floor_us);
}
END_TEST

START_TEST(retry_of_what_was_issued_ahead_of_the_clock_is_a_new_request)
{
	struct store_floor_lower f = { .to_clock = true };
	struct help_issue i, again;

	(void)run_ahead(&i);
	ck_assert_int_eq(HELP_DO(h, store_floor_lower, &f), RC_OK);
	next_issue(&again, "unit-1", "ahead");
	ck_assert_int_eq(help_t1(h, &again), RC_OK);
}
END_TEST

START_TEST(lot_is_found_after_the_floor_was_lowered)
{
	struct store_floor_lower f = { .to_clock = true };
	int64_t now_us = clock_now_us();
	struct store_revoke r = { .by = REVOKE_BY_ISSUE,
		.change = STATUS_REVOKE,
		.dry_run = true,
		.from_us = now_us - 60 * INT64_C(1000000),
		.to_us = now_us + 60 * INT64_C(1000000) };
	struct help_issue i;

	clock_set_shift_s(40 * 86400);
	next_issue(&i, "unit-1", "ahead");
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	ck_assert_int_eq(help_t2(h, &i), RC_OK);
	clock_set_shift_s(0);
	ck_assert_int_eq(HELP_DO(h, store_floor_lower, &f), RC_OK);
	(void)help_certificate(h, "unit-2", 0, "b");
	ck_assert_int_eq(store_revoke(h->store, &r), RC_OK);
	ck_assert_uint_eq(r.selected, 1);
}
END_TEST

/* --- retries */

START_TEST(retry_gets_the_stored_certificate)
{
	struct help_issue i, again;

	help_token(h, "token", "unit-1");
	next_issue(&i, "unit-1", "a");
	use_token(&i, "token");
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	ck_assert_int_eq(help_t2(h, &i), RC_OK);
	next_issue(&again, "unit-1", "a");
	use_token(&again, "token");
	ck_assert_int_eq(help_t1(h, &again), RC_DUPLICATE);
	ck_assert_mem_eq(&again.t1.twin, &i.t1.key, sizeof(i.t1.key));
	next_issue(&again, "unit-1", "b");
	use_token(&again, "token");
	ck_assert_int_eq(help_t1(h, &again), RC_SPENT);
}
END_TEST

START_TEST(retry_while_the_first_is_in_flight_is_busy)
{
	struct help_issue i, again;

	next_issue(&i, "unit-1", "a");
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	next_issue(&again, "unit-1", "a");
	ck_assert_int_eq(help_t1(h, &again), RC_BUSY);
	ck_assert_int_eq(help_t2(h, &i), RC_OK);
	ck_assert_int_eq(help_t1(h, &again), RC_DUPLICATE);
}
END_TEST

START_TEST(retry_past_its_window_is_a_new_request)
{
	struct help_issue again;

	(void)help_certificate(h, "unit-1", 0, "a");
	next_issue(&again, "unit-1", "a");
	again.t1.retry_after_us = clock_now_us() + HOUR_US;
	ck_assert_int_eq(help_t1(h, &again), RC_OK);
}
END_TEST

START_TEST(retry_after_a_newer_certificate_is_a_new_request)
{
	struct help_issue again;

	(void)help_certificate(h, "unit-1", 0, "a");
	(void)help_certificate(h, "unit-1", 1, "b");
	next_issue(&again, "unit-1", "a");
	ck_assert_int_eq(help_t1(h, &again), RC_OK);
}
END_TEST

START_TEST(retry_is_denied_when_its_certificate_went_bad)
{
	struct cert_key key = help_certificate(h, "unit-1", 0, "a");
	struct help_issue again;

	ck_assert_int_eq(
	        set_status(&key, STATUS_HOLD, REASON_CERTIFICATE_HOLD), RC_OK);
	next_issue(&again, "unit-1", "a");
	ck_assert_int_eq(help_t1(h, &again), RC_DENIED);
	ck_assert_int_eq(
	        set_status(&key, STATUS_RELEASE, REASON_UNSPECIFIED), RC_OK);
	ck_assert_int_eq(help_t1(h, &again), RC_DUPLICATE);
	ck_assert_int_eq(
	        set_status(&key, STATUS_REVOKE, REASON_SUPERSEDED), RC_OK);
	ck_assert_int_eq(help_t1(h, &again), RC_DENIED);
}
END_TEST

START_TEST(retry_is_denied_to_a_suspended_device)
{
	struct help_issue again;

	(void)help_certificate(h, "unit-1", 0, "a");
	ck_assert_int_eq(suspend("unit-1", false), RC_OK);
	next_issue(&again, "unit-1", "a");
	ck_assert_int_eq(help_t1(h, &again), RC_DENIED);
}
END_TEST

/* --- what T1 decides on */

START_TEST(blocked_key_is_never_begun)
{
	struct store_key_block block = { .op = { .actor = "operator" } };
	struct help_issue i;

	next_issue(&i, "unit-1", "a");
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

	ck_assert_int_eq(
	        set_status(&key, STATUS_REVOKE, REASON_KEY_COMPROMISE), RC_OK);
	next_issue(&i, "unit-2", "a");
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
	ck_assert_int_eq(suspend("unit-1", false), RC_OK);
	next_issue(&i, "unit-1", "b");
	ck_assert_int_eq(help_t1(h, &i), RC_DENIED);
	ck_assert_int_eq(suspend("unit-1", true), RC_OK);
	next_issue(&i, "unit-1", "b");
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
}
END_TEST

START_TEST(token_is_for_one_device_authority_profile_and_time)
{
	struct cert_key spent_by;
	struct help_issue i;

	help_token(h, "token", "unit-1");
	next_issue(&i, "unit-1", "a");
	use_token(&i, "another token");
	ck_assert_int_eq(help_t1(h, &i), RC_DENIED);
	next_issue(&i, "unit-2", "a");
	use_token(&i, "token");
	ck_assert_int_eq(help_t1(h, &i), RC_DENIED);
	next_issue(&i, "unit-1", "a");
	use_token(&i, "token");
	i.t1.profile = "server";
	ck_assert_int_eq(help_t1(h, &i), RC_DENIED);
	i.t1.profile = "sensor";
	clock_set_shift_s(2 * 3600);
	ck_assert_int_eq(help_t1(h, &i), RC_DENIED);
	clock_set_shift_s(0);
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	ck_assert_int_eq(get_token("token").state, TOKEN_SPENT);
	spent_by = get_token("token").spent_by;
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
	next_issue(&i, "unit-1", "a");
	use_token(&i, "token");
	i.t1.key.authority = put.authority.id;
	i.t1.authority_version = put.authority.version;
	ck_assert_int_eq(help_t1(h, &i), RC_DENIED);
	i.t1.credential.cert.authority = 77;
	ck_assert_int_eq(help_t1(h, &i), RC_DENIED);
	i.t1.credential.cert.authority = h->authority;
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	ck_assert_int_eq(get_token("token").state, TOKEN_SPENT);
}
END_TEST

START_TEST(own_certificate_must_be_in_good_standing)
{
	struct cert_key key = help_certificate(h, "unit-1", 0, "a"), none;
	struct help_issue i;

	none = help_serial(h);
	next_issue(&i, "unit-1", "b");
	use_own(&i, &none);
	ck_assert_int_eq(help_t1(h, &i), RC_DENIED);
	use_own(&i, &key);
	ck_assert_int_eq(
	        set_status(&key, STATUS_HOLD, REASON_CERTIFICATE_HOLD), RC_OK);
	ck_assert_int_eq(help_t1(h, &i), RC_DENIED);
	ck_assert_int_eq(
	        set_status(&key, STATUS_RELEASE, REASON_UNSPECIFIED), RC_OK);
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
}
END_TEST

/* --- limits */

static enum rc try_active(const char *text, uint32_t max)
{
	struct help_issue i;
	enum rc rc;

	next_issue(&i, "unit-1", text);
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
	ck_assert_int_eq(
	        set_status(&key, STATUS_HOLD, REASON_CERTIFICATE_HOLD), RC_OK);
	ck_assert_int_eq(try_active("c", 2), RC_QUOTA);
	ck_assert_int_eq(
	        set_status(&key, STATUS_REVOKE, REASON_SUPERSEDED), RC_OK);
	/* an intent counts */
	next_issue(&i, "unit-1", "c");
	i.t1.max_active = 2;
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	ck_assert_int_eq(try_active("d", 2), RC_QUOTA);
	ck_assert_int_eq(abandon_one(&i.t1.key), RC_OK);
	ck_assert_int_eq(try_active("d", 2), RC_OK);
	/* another profile does not */
	next_issue(&i, "unit-1", "e");
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

	next_issue(&i, "unit-1", "long");
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

	put_quota("line", 7);
	for (size_t i = 0; i < MANY; i++) {
		(void)snprintf(id[i], sizeof(id[i]), "unit-%zu", i);
		help_issue(h, &issues[i], id[i], 0, id[i]);
		issues[i].t1.quota = "line";
	}
	ck_assert_uint_eq(begin_many(issues, MANY), 7);
	ck_assert_uint_eq(quota_used("line"), 7);
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
		next_issue(&issues[i], "unit-1", text);
		use_token(&issues[i], "token");
	}
	ck_assert_uint_eq(begin_many(issues, MANY), 1);
}
END_TEST

START_TEST(quota_that_is_not_there_is_not_found)
{
	struct help_issue i;

	next_issue(&i, "unit-1", "a");
	i.t1.quota = "line";
	ck_assert_int_eq(help_t1(h, &i), RC_NOTFOUND);
}
END_TEST

/* --- T2 */

START_TEST(t2_needs_the_intents_tbs)
{
	struct help_issue i;

	help_issue(h, &i, "unit-1", 0, "a");
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	i.der[4] ^= 1;
	ck_assert_int_eq(help_t2(h, &i), RC_CONFLICT);
	i.der[4] ^= 1;
	i.t2.der.n = 3;
	ck_assert_int_eq(help_t2(h, &i), RC_CONFLICT);
	i.t2.der.n = i.t1.tbs.n + 4;
	ck_assert_int_eq(help_t2(h, &i), RC_OK);
}
END_TEST

START_TEST(t2_without_an_intent_is_stale)
{
	struct help_issue i;

	help_issue(h, &i, "unit-1", 0, "a");
	ck_assert_int_eq(help_t2(h, &i), RC_STALE);
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	ck_assert_int_eq(abandon_one(&i.t1.key), RC_OK);
	ck_assert_int_eq(help_t2(h, &i), RC_STALE);
}
END_TEST

static void expect_refused_and_revoked(struct help_issue *i)
{
	struct store_fetch fetch = { .key = i->t1.key,
		.der = BUF_INIT(STORE_DER_MAX_BYTES) };

	ck_assert_int_eq(help_t2(h, i), RC_DENIED);
	ck_assert_int_eq(HELP_DO(h, store_fetch, &fetch), RC_OK);
	ck_assert_int_eq(fetch.cert.state, CERT_REVOKED);
	ck_assert_int_eq(fetch.cert.reason, REASON_CESSATION_OF_OPERATION);
	ck_assert(bytes_eq(buf_bytes(&fetch.der), i->t2.der));
	buf_free(&fetch.der);
}

START_TEST(t2_for_a_device_suspended_since_is_revoked_at_birth)
{
	struct help_issue i;
	uint64_t feed;

	next_issue(&i, "unit-1", "a");
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	ck_assert_int_eq(suspend("unit-1", false), RC_OK);
	feed = help_stat(h).feed_position;
	expect_refused_and_revoked(&i);
	ck_assert_uint_eq(help_stat(h).feed_position, feed + 1);
	ck_assert_uint_eq(help_stat(h).revoked, 1);
}
END_TEST

START_TEST(t2_after_the_presented_certificate_went_bad_is_revoked_at_birth)
{
	struct cert_key key = help_certificate(h, "unit-1", 0, "a");
	struct help_issue i;

	next_issue(&i, "unit-1", "b");
	use_own(&i, &key);
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	ck_assert_int_eq(
	        set_status(&key, STATUS_REVOKE, REASON_UNSPECIFIED), RC_OK);
	expect_refused_and_revoked(&i);
}
END_TEST

START_TEST(t2_after_the_authority_was_retired_is_revoked_at_birth)
{
	struct store_authority_put put = { .authority = { .name = "factory" },
		.der = BYTES_LIT("the next generation") };
	struct help_issue i;

	next_issue(&i, "unit-1", "a");
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	help_hash(put.authority.cert_hash, "next");
	ck_assert_int_eq(HELP_DO(h, store_authority_put, &put), RC_OK);
	expect_refused_and_revoked(&i);
}
END_TEST

static void retire(void)
{
	struct store_authority_put put = { .authority = { .name = "factory" },
		.retired = true };

	help_hash(put.authority.cert_hash, "factory");
	ck_assert_int_eq(HELP_DO(h, store_authority_put, &put), RC_OK);
	ck_assert_uint_eq(put.authority.id, h->authority);
	ck_assert_int_eq(put.authority.state, AUTHORITY_RETIRED);
	h->authority_version = put.authority.version;
}

static void next_responder(struct help_issue *i, const char *text)
{
	help_issue(h, i, "", 0, text);
	i->t1.credential.kind = CREDENTIAL_SYSTEM;
	i->t1.profile = STORE_PROFILE_RESPONDER;
	i->t1.not_after_s += 7 * 86400;
}

START_TEST(retired_authority_has_responders_until_its_last_certificate_ends)
{
	struct help_issue i;

	(void)help_certificate(h, "unit-1", 0, "a");
	retire();
	help_issue(h, &i, "unit-2", 0, "b");
	ck_assert_int_eq(help_t1(h, &i), RC_DENIED);
	/* Not all that is the daemon's own, and nobody else's. */
	next_responder(&i, "c");
	i.t1.profile = "tls-server";
	ck_assert_int_eq(help_t1(h, &i), RC_DENIED);
	next_responder(&i, "d");
	i.t1.credential.kind = CREDENTIAL_OPERATOR;
	ck_assert_int_eq(help_t1(h, &i), RC_DENIED);
	next_responder(&i, "e");
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	ck_assert_int_eq(help_t2(h, &i), RC_OK);
	/* The responder's own certificate does not count. */
	clock_set_shift_s(3 * INT64_C(86400));
	next_responder(&i, "f");
	ck_assert_int_eq(help_t1(h, &i), RC_DENIED);
	clock_set_shift_s(0);
}
END_TEST

START_TEST(t2_after_the_key_was_blocked_is_revoked_at_birth)
{
	struct store_key_block block = { .op = { .actor = "operator" } };
	struct help_issue i;

	next_issue(&i, "unit-1", "a");
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	memcpy(block.spki_hash, i.t1.spki_hash, STORE_HASH_BYTES);
	ck_assert_int_eq(HELP_DO(h, store_key_block, &block), RC_OK);
	expect_refused_and_revoked(&i);
}
END_TEST

static struct store_status_row status_of(const struct cert_key *key)
{
	struct store_status_row row = { .key = *key };
	struct store_status status = { .rows = &row, .n = 1 };

	ck_assert_int_eq(HELP_DO(h, store_status, &status), RC_OK);
	return row;
}

static void supersede_all(void)
{
	struct store_supersede s = { .op = { .actor = "system keeper" } };

	ck_assert_int_eq(HELP_DO(h, store_supersede, &s), RC_OK);
	ck_assert(!s.more);
}

START_TEST(supersede_revokes_the_presented_certificate_in_time)
{
	struct cert_key key = help_certificate(h, "unit-1", 0, "a");
	struct help_issue i;

	ck_assert_int_eq(help_stat(h).supersede_due_s, 0);
	next_issue(&i, "unit-1", "b");
	use_own(&i, &key);
	i.t2.supersede_after_s = 3600;
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	ck_assert_int_eq(help_t2(h, &i), RC_OK);
	ck_assert_int_gt(help_stat(h).supersede_due_s, clock_now_s() + 3500);
	supersede_all();
	ck_assert_int_eq(help_state(h, &key), CERT_ISSUED);
	clock_set_shift_s(3601);
	supersede_all();
	ck_assert_int_eq(status_of(&key).state, CERT_REVOKED);
	ck_assert_int_eq(status_of(&key).reason, REASON_SUPERSEDED);
	ck_assert_int_eq(help_state(h, &i.t1.key), CERT_ISSUED);
	ck_assert_int_eq(help_stat(h).supersede_due_s, 0);
	clock_set_shift_s(0);
}
END_TEST

START_TEST(supersede_leaves_what_was_revoked_and_takes_what_is_held)
{
	struct cert_key a = help_certificate(h, "unit-1", 0, "a");
	struct cert_key b = help_certificate(h, "unit-2", 0, "b");
	struct help_issue i;

	next_issue(&i, "unit-1", "c");
	use_own(&i, &a);
	i.t2.supersede_after_s = 10;
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	ck_assert_int_eq(help_t2(h, &i), RC_OK);
	next_issue(&i, "unit-2", "d");
	use_own(&i, &b);
	i.t2.supersede_after_s = 10;
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	ck_assert_int_eq(help_t2(h, &i), RC_OK);
	ck_assert_int_eq(
	        set_status(&a, STATUS_REVOKE, REASON_KEY_COMPROMISE), RC_OK);
	ck_assert_int_eq(
	        set_status(&b, STATUS_HOLD, REASON_UNSPECIFIED), RC_OK);
	clock_set_shift_s(11);
	supersede_all();
	ck_assert_int_eq(status_of(&a).reason, REASON_KEY_COMPROMISE);
	ck_assert_int_eq(status_of(&b).reason, REASON_SUPERSEDED);
	clock_set_shift_s(0);
}
END_TEST

START_TEST(supersede_goes_by_parts)
{
	struct store_supersede s = { .op = { .actor = "system keeper" } };
	uint64_t revoked = 0;
	struct help_issue i;

	for (int n = 0; n < STORE_ROWS_MAX + 4; n++) {
		char id[16], text[16];
		struct cert_key key;

		(void)snprintf(id, sizeof(id), "unit-%d", n);
		(void)snprintf(text, sizeof(text), "a%d", n);
		key = help_certificate(h, id, 0, text);
		(void)snprintf(text, sizeof(text), "b%d", n);
		next_issue(&i, id, text);
		use_own(&i, &key);
		i.t2.supersede_after_s = 1;
		ck_assert_int_eq(help_t1(h, &i), RC_OK);
		ck_assert_int_eq(help_t2(h, &i), RC_OK);
	}
	clock_set_shift_s(3600);
	for (int part = 0; part < 2 || s.more; part++) {
		ck_assert_int_eq(HELP_DO(h, store_supersede, &s), RC_OK);
		revoked = help_stat(h).revoked;
	}
	ck_assert_uint_eq(revoked, STORE_ROWS_MAX + 4);
	clock_set_shift_s(0);
}
END_TEST

/* --- abandon */

START_TEST(abandon_gives_token_and_quota_back_and_burns_the_serial)
{
	struct help_issue i, again;

	help_token(h, "token", "unit-1");
	put_quota("line", 1);
	next_issue(&i, "unit-1", "a");
	use_token(&i, "token");
	i.t1.quota = "line";
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	ck_assert_uint_eq(quota_used("line"), 1);
	ck_assert_int_eq(abandon_one(&i.t1.key), RC_OK);
	ck_assert_int_eq(help_state(h, &i.t1.key), CERT_ABANDONED);
	ck_assert_int_eq(get_token("token").state, TOKEN_UNSPENT);
	ck_assert_uint_eq(quota_used("line"), 0);
	ck_assert_int_eq(abandon_one(&i.t1.key), RC_STALE);
	ck_assert_int_eq(set_status(&i.t1.key, STATUS_REVOKE, 0), RC_CONFLICT);
	ck_assert_int_eq(help_t1(h, &i), RC_CONFLICT);
	next_issue(&again, "unit-1", "a");
	use_token(&again, "token");
	again.t1.quota = "line";
	ck_assert_int_eq(help_t1(h, &again), RC_OK);
	ck_assert_int_eq(help_t2(h, &again), RC_OK);
	ck_assert_uint_eq(help_stat(h).abandoned, 1);
}
END_TEST

START_TEST(abandon_never_touches_this_process_by_slot)
{
	struct store_abandon op = { .what = ABANDON_OTHERS };
	struct help_issue i;

	next_issue(&i, "unit-1", "a");
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	ck_assert_int_eq(HELP_DO(h, store_abandon, &op), RC_OK);
	ck_assert_uint_eq(op.abandoned, 0);
	op.what = ABANDON_SLOT;
	op.slot = store_slot(h->store);
	ck_assert_int_eq(HELP_DO(h, store_abandon, &op), RC_CONFLICT);
	ck_assert_int_eq(help_t2(h, &i), RC_OK);
}
END_TEST

START_TEST(every_issue_leaves_two_audit_entries)
{
	static struct store_audit_row rows[2];
	struct store_audit_scan scan = { .rows = rows, .max = 2 };
	struct help_issue i;

	(void)help_certificate(h, "unit-1", 0, "a");
	scan.from = audit_length() + 1;
	next_issue(&i, "unit-1", "b");
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	ck_assert_int_eq(help_t2(h, &i), RC_OK);
	ck_assert_int_eq(HELP_DO(h, store_audit_scan, &scan), RC_OK);
	ck_assert_uint_eq(scan.n, 2);
	ck_assert(!scan.more && !scan.broken);
	ck_assert_str_eq(rows[0].event, "issue.begin");
	ck_assert_str_eq(rows[0].actor, "operator uid 0");
	ck_assert_str_eq(rows[0].object, "unit-1");
	ck_assert_ptr_nonnull(strstr(rows[0].detail, "profile=sensor"));
	ck_assert_str_eq(rows[1].event, "issue.finish");
	ck_assert_ptr_nonnull(strstr(rows[1].detail, "sequence=2 cert="));
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
	tcase_add_test(tc, clock_below_the_floor_issues_nothing_but_revokes);
	tcase_add_test(tc, deadline_that_passed_issues_nothing);
	tcase_add_test(tc, foreign_credential_of_a_blocked_key_is_refused);
	tcase_add_test(tc, floor_is_lowered_to_the_clock_and_issuing_goes_on);
	tcase_add_test(tc, floor_is_never_raised_nor_put_below_the_clock);
	tcase_add_test(tc, floor_that_was_lowered_is_told_as_lost);
	tcase_add_test(tc,
	        retry_of_what_was_issued_ahead_of_the_clock_is_a_new_request);
	tcase_add_test(tc, lot_is_found_after_the_floor_was_lowered);
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
	tcase_add_test(tc, t2_needs_the_intents_tbs);
	tcase_add_test(tc, t2_without_an_intent_is_stale);
	tcase_add_test(tc, t2_for_a_device_suspended_since_is_revoked_at_birth);
	tcase_add_test(tc,
	        t2_after_the_presented_certificate_went_bad_is_revoked_at_birth);
	tcase_add_test(
	        tc, t2_after_the_authority_was_retired_is_revoked_at_birth);
	tcase_add_test(tc,
	        retired_authority_has_responders_until_its_last_certificate_ends);
	tcase_add_test(tc, t2_after_the_key_was_blocked_is_revoked_at_birth);
	tcase_add_test(tc, supersede_revokes_the_presented_certificate_in_time);
	tcase_add_test(
	        tc, supersede_leaves_what_was_revoked_and_takes_what_is_held);
	tcase_add_test(tc, supersede_goes_by_parts);
	tcase_add_test(
	        tc, abandon_gives_token_and_quota_back_and_burns_the_serial);
	tcase_add_test(tc, abandon_never_touches_this_process_by_slot);
	tcase_add_test(tc, every_issue_leaves_two_audit_entries);
	tcase_add_test(tc, inputs_over_their_limits_are_too_big);
}
