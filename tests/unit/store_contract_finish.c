/* T2, what it supersedes, abandon. */
#include "tests/unit/store_contract.h"

#include "base/clock.h"
#include <stdio.h>
#include <string.h>

static struct help *const h = &contract;

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
	ck_assert_int_eq(contract_abandon(&i.t1.key), RC_OK);
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

	contract_next(&i, "unit-1", "a");
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	ck_assert_int_eq(contract_suspend("unit-1", false, NULL), RC_OK);
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

	contract_next(&i, "unit-1", "b");
	contract_use_own(&i, &key);
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	ck_assert_int_eq(
	        contract_status(&key, STATUS_REVOKE, REASON_UNSPECIFIED, NULL),
	        RC_OK);
	expect_refused_and_revoked(&i);
}
END_TEST

START_TEST(t2_after_the_authority_was_retired_is_revoked_at_birth)
{
	struct store_authority_put put = { .authority = { .name = "factory" },
		.der = BYTES_LIT("the next generation") };
	struct help_issue i;

	contract_next(&i, "unit-1", "a");
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

	contract_next(&i, "unit-1", "a");
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
	contract_next(&i, "unit-1", "b");
	contract_use_own(&i, &key);
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

	contract_next(&i, "unit-1", "c");
	contract_use_own(&i, &a);
	i.t2.supersede_after_s = 10;
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	ck_assert_int_eq(help_t2(h, &i), RC_OK);
	contract_next(&i, "unit-2", "d");
	contract_use_own(&i, &b);
	i.t2.supersede_after_s = 10;
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	ck_assert_int_eq(help_t2(h, &i), RC_OK);
	ck_assert_int_eq(
	        contract_status(&a, STATUS_REVOKE, REASON_KEY_COMPROMISE, NULL),
	        RC_OK);
	ck_assert_int_eq(
	        contract_status(&b, STATUS_HOLD, REASON_UNSPECIFIED, NULL),
	        RC_OK);
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
		contract_next(&i, id, text);
		contract_use_own(&i, &key);
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
	contract_put_quota("line", 1);
	contract_next(&i, "unit-1", "a");
	contract_use_token(&i, "token");
	i.t1.quota = "line";
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	ck_assert_uint_eq(contract_quota_used("line"), 1);
	ck_assert_int_eq(contract_abandon(&i.t1.key), RC_OK);
	ck_assert_int_eq(help_state(h, &i.t1.key), CERT_ABANDONED);
	ck_assert_int_eq(contract_token("token").state, TOKEN_UNSPENT);
	ck_assert_uint_eq(contract_quota_used("line"), 0);
	ck_assert_int_eq(contract_abandon(&i.t1.key), RC_STALE);
	ck_assert_int_eq(contract_status(&i.t1.key, STATUS_REVOKE, 0, NULL),
	        RC_CONFLICT);
	ck_assert_int_eq(help_t1(h, &i), RC_CONFLICT);
	contract_next(&again, "unit-1", "a");
	contract_use_token(&again, "token");
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

	contract_next(&i, "unit-1", "a");
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
	scan.from = contract_audit_length() + 1;
	contract_next(&i, "unit-1", "b");
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

void contract_finish(TCase *tc)
{
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
}
