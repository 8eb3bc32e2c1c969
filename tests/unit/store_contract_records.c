/* Status changes, devices, tokens, quotas, authorities, the audit trail. */
#include "tests/unit/store_contract.h"

#include "base/clock.h"
#include <stdio.h>
#include <string.h>

static struct help *const h = &contract;

static struct store_status_row get_status(const struct cert_key *key)
{
	struct store_status_row row = { .key = *key };
	struct store_status op = { .rows = &row, .n = 1 };

	ck_assert_int_eq(HELP_DO(h, store_status, &op), RC_OK);
	return row;
}

/* --- status */

static const struct {
	const char *name;
	enum store_status_change first, second;
	enum cert_reason reason1, reason2;
	enum rc rc1, rc2;
	enum cert_state state;
	enum cert_reason reason;
} changes[] = {
	{ "revoke, revoke: the first stands", STATUS_REVOKE, STATUS_REVOKE,
	        REASON_SUPERSEDED, REASON_UNSPECIFIED, RC_OK, RC_OK,
	        CERT_REVOKED, REASON_SUPERSEDED },
	{ "keyCompromise replaces", STATUS_REVOKE, STATUS_REVOKE,
	        REASON_SUPERSEDED, REASON_KEY_COMPROMISE, RC_OK, RC_OK,
	        CERT_REVOKED, REASON_KEY_COMPROMISE },
	{ "revoked cannot be held", STATUS_REVOKE, STATUS_HOLD,
	        REASON_SUPERSEDED, REASON_CERTIFICATE_HOLD, RC_OK, RC_CONFLICT,
	        CERT_REVOKED, REASON_SUPERSEDED },
	{ "revoked cannot be released", STATUS_REVOKE, STATUS_RELEASE,
	        REASON_SUPERSEDED, REASON_UNSPECIFIED, RC_OK, RC_CONFLICT,
	        CERT_REVOKED, REASON_SUPERSEDED },
	{ "held, released", STATUS_HOLD, STATUS_RELEASE,
	        REASON_CERTIFICATE_HOLD, REASON_UNSPECIFIED, RC_OK, RC_OK,
	        CERT_ISSUED, REASON_UNSPECIFIED },
	{ "held, revoked", STATUS_HOLD, STATUS_REVOKE, REASON_CERTIFICATE_HOLD,
	        REASON_PRIVILEGE_WITHDRAWN, RC_OK, RC_OK, CERT_REVOKED,
	        REASON_PRIVILEGE_WITHDRAWN },
	{ "issued cannot be released", STATUS_RELEASE, STATUS_REVOKE,
	        REASON_UNSPECIFIED, REASON_UNSPECIFIED, RC_CONFLICT, RC_OK,
	        CERT_REVOKED, REASON_UNSPECIFIED },
	{ "revoke for certificateHold is no revocation", STATUS_REVOKE,
	        STATUS_HOLD, REASON_CERTIFICATE_HOLD, REASON_UNSPECIFIED,
	        RC_CONFLICT, RC_OK, CERT_HELD, REASON_CERTIFICATE_HOLD },
};

START_TEST(status_changes_as_the_state_allows)
{
	char id[16];

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct cert_key key;
		struct store_status_row row;

		(void)snprintf(id, sizeof(id), "unit-%zu", i);
		key = help_certificate(h, id, 0, id);
		ck_assert_msg(
		        contract_status(&key, changes[i].first,
		                changes[i].reason1, NULL) == changes[i].rc1,
		        "%s", changes[i].name);
		ck_assert_msg(
		        contract_status(&key, changes[i].second,
		                changes[i].reason2, NULL) == changes[i].rc2,
		        "%s", changes[i].name);
		row = get_status(&key);
		ck_assert_msg(row.state == changes[i].state &&
		                row.reason == changes[i].reason,
		        "%s", changes[i].name);
	}
}
END_TEST

START_TEST(status_of_nothing_is_not_found)
{
	struct cert_key key = help_serial(h);

	ck_assert_int_eq(
	        contract_status(&key, STATUS_REVOKE, 0, NULL), RC_NOTFOUND);
	ck_assert_int_eq(get_status(&key).state, 0);
}
END_TEST

START_TEST(feed_has_each_change_once_and_in_order)
{
	struct cert_key a = help_certificate(h, "unit-1", 0, "a");
	struct cert_key b = help_certificate(h, "unit-2", 0, "b");
	struct store_status_row rows[8];
	struct store_feed feed = { .from = 1, .rows = rows, .max = 8 };
	uint64_t at = 99;

	ck_assert_uint_eq(help_stat(h).feed_position, 0);
	ck_assert_int_eq(contract_status(&a, STATUS_HOLD, 6, &at), RC_OK);
	ck_assert_uint_eq(at, 1);
	ck_assert_int_eq(contract_status(&b, STATUS_REVOKE, 4, &at), RC_OK);
	ck_assert_uint_eq(at, 2);
	ck_assert_int_eq(contract_status(&b, STATUS_REVOKE, 4, &at), RC_OK);
	ck_assert_uint_eq(at, 2);
	ck_assert_int_eq(contract_status(&a, STATUS_RELEASE, 0, &at), RC_OK);
	ck_assert_uint_eq(at, 3);
	ck_assert_int_eq(HELP_DO(h, store_feed, &feed), RC_OK);
	ck_assert_uint_eq(feed.n, 3);
	ck_assert_uint_eq(feed.last, 3);
	ck_assert_mem_eq(&rows[0].key, &a, sizeof(a));
	ck_assert_int_eq(rows[0].state, CERT_HELD);
	ck_assert_mem_eq(&rows[1].key, &b, sizeof(b));
	ck_assert_int_eq(rows[1].state, CERT_REVOKED);
	ck_assert_int_eq(rows[2].state, CERT_ISSUED);
	feed.from = 3;
	ck_assert_int_eq(HELP_DO(h, store_feed, &feed), RC_OK);
	ck_assert_uint_eq(feed.n, 1);
	feed.from = 4;
	ck_assert_int_eq(HELP_DO(h, store_feed, &feed), RC_OK);
	ck_assert_uint_eq(feed.n, 0);
}
END_TEST

/* --- devices */

START_TEST(device_changes_only_at_the_version_that_was_read)
{
	struct store_device_put put = { .expect_version = 0 };
	struct store_device_get get = { .id = "unit-1" };

	ck_assert_int_eq(HELP_DO(h, store_device_get, &get), RC_NOTFOUND);
	(void)snprintf(put.device.id, sizeof(put.device.id), "unit-1");
	(void)snprintf(put.device.note, sizeof(put.device.note), "hall 3");
	ck_assert_int_eq(HELP_DO(h, store_device_put, &put), RC_OK);
	ck_assert_uint_eq(put.device.version, 1);
	ck_assert_int_eq(HELP_DO(h, store_device_put, &put), RC_EXISTS);
	put.expect_version = 2;
	ck_assert_int_eq(HELP_DO(h, store_device_put, &put), RC_STALE);
	put.expect_version = 1;
	(void)snprintf(put.device.note, sizeof(put.device.note), "hall 4");
	ck_assert_int_eq(HELP_DO(h, store_device_put, &put), RC_OK);
	ck_assert_int_eq(HELP_DO(h, store_device_get, &get), RC_OK);
	ck_assert_str_eq(get.device.note, "hall 4");
	ck_assert_uint_eq(get.device.version, 2);
	ck_assert_int_eq(get.device.state, DEVICE_ACTIVE);
	(void)snprintf(put.device.id, sizeof(put.device.id), "unit-2");
	ck_assert_int_eq(HELP_DO(h, store_device_put, &put), RC_NOTFOUND);
}
END_TEST

START_TEST(device_made_by_t1_is_bound_to_its_anchor)
{
	struct store_device_get get = { .id = "unit-1" };
	struct help_issue i;

	help_issue(h, &i, "unit-1", 0, "a");
	i.t1.anchor = "maker";
	ck_assert_int_eq(help_t1(h, &i), RC_OK);
	ck_assert_int_eq(HELP_DO(h, store_device_get, &get), RC_OK);
	ck_assert_str_eq(get.device.anchor, "maker");
}
END_TEST

START_TEST(suspend_holds_all_and_resume_releases_its_own)
{
	struct cert_key by_operator = help_certificate(h, "unit-1", 0, "a");
	struct cert_key revoked = help_certificate(h, "unit-1", 1, "b");
	struct cert_key good = help_certificate(h, "unit-1", 1, "c");
	struct cert_key other = help_certificate(h, "unit-2", 0, "d");
	uint64_t version = help_device(h, "unit-1");
	uint32_t changed;

	ck_assert_int_eq(
	        contract_status(&by_operator, STATUS_HOLD, 6, NULL), RC_OK);
	ck_assert_int_eq(
	        contract_status(&revoked, STATUS_REVOKE, 4, NULL), RC_OK);
	ck_assert_int_eq(contract_suspend("unit-1", false, NULL), RC_OK);
	ck_assert_uint_gt(help_device(h, "unit-1"), version);
	ck_assert_int_eq(help_state(h, &by_operator), CERT_HELD);
	ck_assert_int_eq(help_state(h, &revoked), CERT_REVOKED);
	ck_assert_int_eq(help_state(h, &good), CERT_HELD);
	ck_assert_int_eq(help_state(h, &other), CERT_ISSUED);
	ck_assert_int_eq(
	        contract_status(&good, STATUS_RELEASE, 0, NULL), RC_CONFLICT);
	ck_assert_int_eq(contract_suspend("unit-1", false, &changed), RC_OK);
	ck_assert_uint_eq(changed, 0);
	ck_assert_int_eq(contract_suspend("unit-1", true, NULL), RC_OK);
	ck_assert_int_eq(help_state(h, &by_operator), CERT_HELD);
	ck_assert_int_eq(help_state(h, &revoked), CERT_REVOKED);
	ck_assert_int_eq(help_state(h, &good), CERT_ISSUED);
	ck_assert_uint_eq(help_stat(h).held, 1);
	ck_assert_int_eq(contract_suspend("unit-9", false, NULL), RC_NOTFOUND);
}
END_TEST

/* --- tokens */

START_TEST(token_makes_its_device_and_is_known_once)
{
	struct store_token_put put = { .token = { .authority = h->authority,
		                               .device = "unit-1",
		                               .profile = "sensor" } };
	struct store_token_get get = { .token = { .authority = 0 } };

	help_hash(put.token.hash, "token");
	help_hash(get.hash, "token");
	ck_assert_int_eq(HELP_DO(h, store_token_get, &get), RC_NOTFOUND);
	ck_assert_int_eq(HELP_DO(h, store_token_put, &put), RC_OK);
	ck_assert_uint_eq(help_device(h, "unit-1"), 1);
	ck_assert_int_eq(HELP_DO(h, store_token_put, &put), RC_EXISTS);
	ck_assert_int_eq(HELP_DO(h, store_token_get, &get), RC_OK);
	ck_assert_str_eq(get.token.device, "unit-1");
	ck_assert_int_eq(get.token.state, TOKEN_UNSPENT);
	ck_assert_int_eq(contract_suspend("unit-1", false, NULL), RC_OK);
	help_hash(put.token.hash, "another");
	ck_assert_int_eq(HELP_DO(h, store_token_put, &put), RC_DENIED);
	(void)snprintf(put.token.device, sizeof(put.token.device), "unit-2");
	put.token.authority = 99;
	ck_assert_int_eq(HELP_DO(h, store_token_put, &put), RC_NOTFOUND);
	ck_assert_uint_eq(help_device(h, "unit-2"), 0);
	ck_assert_uint_eq(help_stat(h).tokens, 1);
}
END_TEST

/* --- quotas */

START_TEST(quota_is_taken_whole_or_not_at_all)
{
	struct store_quota_put put = {
		.quota = { .name = "line", .limit = 10, .used = 5 }
	};
	struct store_quota_change change = { .name = "line", .n = 7 };

	ck_assert_int_eq(HELP_DO(h, store_quota_change, &change), RC_NOTFOUND);
	ck_assert_int_eq(HELP_DO(h, store_quota_put, &put), RC_OK);
	ck_assert_uint_eq(put.quota.used, 0);
	ck_assert_int_eq(HELP_DO(h, store_quota_change, &change), RC_OK);
	ck_assert_uint_eq(change.quota.used, 7);
	ck_assert_int_eq(HELP_DO(h, store_quota_change, &change), RC_QUOTA);
	put.quota.limit = 3;
	ck_assert_int_eq(HELP_DO(h, store_quota_put, &put), RC_OK);
	ck_assert_uint_eq(put.quota.used, 7);
	change.n = 1;
	ck_assert_int_eq(HELP_DO(h, store_quota_change, &change), RC_QUOTA);
	change.give_back = true;
	change.n = 8;
	ck_assert_int_eq(HELP_DO(h, store_quota_change, &change), RC_CONFLICT);
	change.n = 7;
	ck_assert_int_eq(HELP_DO(h, store_quota_change, &change), RC_OK);
	ck_assert_uint_eq(change.quota.used, 0);
}
END_TEST

/* --- authorities */

static struct store_authority put_authority(const char *name, const char *cert)
{
	struct store_authority_put put = { .der = bytes_str(cert) };

	(void)snprintf(
	        put.authority.name, sizeof(put.authority.name), "%s", name);
	help_hash(put.authority.cert_hash, cert);
	ck_assert_int_eq(HELP_DO(h, store_authority_put, &put), RC_OK);
	return put.authority;
}

START_TEST(authority_gets_a_number_for_each_generation)
{
	struct store_authority first = put_authority("line", "first");
	struct store_authority second = put_authority("line", "second");
	struct store_authority rows[STORE_ROWS_MAX];
	struct store_authority_list list = { .rows = rows,
		.max = STORE_ROWS_MAX };
	struct store_authority_get get = { .id = first.id,
		.der = BUF_INIT(64) };

	ck_assert_uint_ne(first.id, second.id);
	ck_assert_uint_eq(put_authority("line", "second").id, second.id);
	ck_assert_int_eq(HELP_DO(h, store_authority_get, &get), RC_OK);
	ck_assert_int_eq(get.authority.state, AUTHORITY_RETIRED);
	ck_assert_uint_gt(get.authority.version, first.version);
	ck_assert(bytes_eq_str(buf_bytes(&get.der), "first"));
	ck_assert_int_eq(HELP_DO(h, store_authority_list, &list), RC_OK);
	ck_assert_uint_eq(list.n, 3);
	ck_assert_str_eq(rows[0].name, "factory");
	ck_assert_int_eq(rows[0].state, AUTHORITY_ACTIVE);
	/* the configuration goes back */
	ck_assert_uint_eq(put_authority("line", "first").id, first.id);
	ck_assert_int_eq(HELP_DO(h, store_authority_get, &get), RC_OK);
	ck_assert_int_eq(get.authority.state, AUTHORITY_ACTIVE);
	get.id = second.id;
	ck_assert_int_eq(HELP_DO(h, store_authority_get, &get), RC_OK);
	ck_assert_int_eq(get.authority.state, AUTHORITY_RETIRED);
	get.id = 99;
	ck_assert_int_eq(HELP_DO(h, store_authority_get, &get), RC_NOTFOUND);
	buf_free(&get.der);
}
END_TEST

START_TEST(result_over_the_callers_cap_is_too_big)
{
	struct store_authority_get get = { .id = h->authority,
		.der = BUF_INIT(4) };

	ck_assert_int_eq(HELP_DO(h, store_authority_get, &get), RC_TOOBIG);
	buf_free(&get.der);
}
END_TEST

/* --- audit */

START_TEST(audit_entries_are_chained_and_paged)
{
	static struct store_audit_row rows[3];
	struct store_audit_scan scan = { .rows = rows, .max = 3 };
	struct store_audit op = { .op = { .actor = "system keeper" },
		.event = "daemon.start",
		.object = "keeper",
		.detail = "configuration 1" };
	uint64_t first, next;

	ck_assert_int_eq(HELP_DO(h, store_audit, &op), RC_OK);
	first = op.number;
	for (next = first + 1; next < first + 7; next++) {
		ck_assert_int_eq(HELP_DO(h, store_audit, &op), RC_OK);
		ck_assert_uint_eq(op.number, next);
	}
	ck_assert_uint_eq(help_stat(h).audit_last, first + 6);
	next = 1;
	do {
		scan.from = next;
		ck_assert_int_eq(HELP_DO(h, store_audit_scan, &scan), RC_OK);
		ck_assert(!scan.broken);
		for (size_t i = 0; i < scan.n; i++)
			ck_assert_uint_eq(rows[i].number, next++);
	} while (scan.more);
	ck_assert_uint_eq(next, first + 7);
	scan.from = first;
	ck_assert_int_eq(HELP_DO(h, store_audit_scan, &scan), RC_OK);
	ck_assert_str_eq(rows[0].event, "daemon.start");
	ck_assert_str_eq(rows[0].actor, "system keeper");
	ck_assert_str_eq(rows[0].object, "keeper");
	ck_assert_str_eq(rows[0].detail, "configuration 1");
	op.event = "an event whose name is over its limit";
	ck_assert_int_eq(HELP_DO(h, store_audit, &op), RC_TOOBIG);
}
END_TEST

void contract_records(TCase *tc)
{
	tcase_add_test(tc, status_changes_as_the_state_allows);
	tcase_add_test(tc, status_of_nothing_is_not_found);
	tcase_add_test(tc, feed_has_each_change_once_and_in_order);
	tcase_add_test(tc, device_changes_only_at_the_version_that_was_read);
	tcase_add_test(tc, device_made_by_t1_is_bound_to_its_anchor);
	tcase_add_test(tc, suspend_holds_all_and_resume_releases_its_own);
	tcase_add_test(tc, token_makes_its_device_and_is_known_once);
	tcase_add_test(tc, quota_is_taken_whole_or_not_at_all);
	tcase_add_test(tc, authority_gets_a_number_for_each_generation);
	tcase_add_test(tc, result_over_the_callers_cap_is_too_big);
	tcase_add_test(tc, audit_entries_are_chained_and_paged);
}
