/* The two-person rule, and authorities that are revoked. */
#include "tests/unit/store_contract.h"

#include "base/clock.h"
#include <stdio.h>
#include <string.h>

static struct help *const h = &contract;

#define ALICE 1001
#define BOB 1002
#define HOUR_US (INT64_C(3600) * 1000000)

static struct store_approval_ask ask_for(
        uint32_t by, const char *action, const char *content)
{
	struct store_approval_ask op = { .op.actor = "operator",
		.approval = { .asked_by = by,
		        .object = "factory",
		        .detail = "reason=cACompromise",
		        .expires_us = clock_now_us() + HOUR_US } };

	(void)snprintf(
	        op.approval.action, sizeof(op.approval.action), "%s", action);
	help_hash(op.approval.content, content);
	return op;
}

static struct store_approval_ask ask(uint32_t by, const char *content)
{
	struct store_approval_ask op = ask_for(by, "authority.revoke", content);

	ck_assert_int_eq(HELP_DO(h, store_approval_ask, &op), RC_OK);
	return op;
}

static enum rc decide(uint64_t id, uint32_t by, bool approve)
{
	struct store_approval_decide op = {
		.id = id, .by = by, .approve = approve
	};

	return HELP_DO(h, store_approval_decide, &op);
}

static struct store_approval get(uint64_t id)
{
	struct store_approval_get op = { .id = id };

	ck_assert_int_eq(HELP_DO(h, store_approval_get, &op), RC_OK);
	return op.approval;
}

static size_t listed(bool closed)
{
	struct store_approval rows[8];
	struct store_approval_list op = {
		.closed = closed, .rows = rows, .max = 8
	};

	ck_assert_int_eq(HELP_DO(h, store_approval_list, &op), RC_OK);
	ck_assert(!op.more);
	return op.n;
}

/* The events of the trail that begin with "approval.", in a line. */
static void trail(char *out, size_t size)
{
	static struct store_audit_row rows[STORE_ROWS_MAX];
	struct store_audit_scan op = { .rows = rows, .max = STORE_ROWS_MAX };

	ck_assert_int_eq(HELP_DO(h, store_audit_scan, &op), RC_OK);
	ck_assert(!op.broken);
	out[0] = '\0';
	for (size_t i = 0; i < op.n; i++) {
		if (strncmp(rows[i].event, "approval.", 9) != 0)
			continue;
		ck_assert_str_eq(rows[i].object, "authority.revoke factory");
		(void)snprintf(out + strlen(out), size - strlen(out), "%s ",
		        rows[i].event + 9);
	}
}

START_TEST(approval_goes_from_one_operator_to_another_and_is_used_once)
{
	struct store_approval_ask op = ask(ALICE, "content");
	uint64_t id = op.approval.id;
	char text[256];

	ck_assert(!op.go);
	ck_assert_int_eq(op.approval.state, APPROVAL_PENDING);
	op = ask(ALICE, "content");
	ck_assert(!op.go);
	ck_assert_uint_eq(op.approval.id, id);
	ck_assert_int_eq(decide(id, BOB, true), RC_OK);
	ck_assert_int_eq(decide(id, BOB, true), RC_OK);
	ck_assert_int_eq(get(id).state, APPROVAL_APPROVED);
	ck_assert_uint_eq(get(id).decided_by, BOB);
	op = ask(ALICE, "content");
	ck_assert(op.go);
	ck_assert_uint_eq(op.approval.id, id);
	ck_assert_int_eq(get(id).state, APPROVAL_CARRIED_OUT);
	op = ask(ALICE, "content");
	ck_assert(!op.go);
	ck_assert_uint_eq(op.approval.id, id + 1);
	ck_assert_uint_eq(listed(true), 1);
	ck_assert_uint_eq(listed(false), 1);
	trail(text, sizeof(text));
	ck_assert_str_eq(text, "request approve carry_out request ");
}
END_TEST

static enum rc enter(uint64_t approval)
{
	struct store_audit op = { .op.actor = "operator",
		.event = "code.sign",
		.object = "firmware",
		.detail = "sha256",
		.approval = approval };

	return HELP_DO(h, store_audit, &op);
}

static bool may_go_later(uint32_t by, const char *content)
{
	struct store_approval_ask op = ask_for(by, "authority.revoke", content);

	op.later = true;
	ck_assert_int_eq(HELP_DO(h, store_approval_ask, &op), RC_OK);
	return op.go;
}

START_TEST(approval_for_later_is_spent_by_the_entry_that_names_it)
{
	uint64_t id = ask(ALICE, "content").approval.id;
	char text[256];

	ck_assert(!may_go_later(ALICE, "content"));
	ck_assert_int_eq(enter(id), RC_CONFLICT);
	ck_assert_int_eq(decide(id, BOB, true), RC_OK);
	/* As often as it fails. */
	ck_assert(may_go_later(ALICE, "content"));
	ck_assert(may_go_later(ALICE, "content"));
	ck_assert_int_eq(get(id).state, APPROVAL_APPROVED);
	ck_assert_int_eq(enter(id), RC_OK);
	ck_assert_int_eq(get(id).state, APPROVAL_CARRIED_OUT);
	/* Of two that went at once, one comes too late. */
	ck_assert_int_eq(enter(id), RC_CONFLICT);
	ck_assert_int_eq(enter(id + 1), RC_CONFLICT);
	ck_assert(!may_go_later(ALICE, "content"));
	trail(text, sizeof(text));
	ck_assert_str_eq(text, "request approve carry_out request ");
}
END_TEST

START_TEST(approval_for_later_that_is_gone_by_then_is_not_spent)
{
	uint64_t denied = ask(ALICE, "denied").approval.id;
	uint64_t late = ask(ALICE, "late").approval.id;

	ck_assert_int_eq(decide(denied, BOB, true), RC_OK);
	ck_assert_int_eq(decide(late, BOB, true), RC_OK);
	ck_assert(may_go_later(ALICE, "denied"));
	ck_assert(may_go_later(ALICE, "late"));
	ck_assert_int_eq(decide(denied, BOB, false), RC_OK);
	ck_assert_int_eq(enter(denied), RC_CONFLICT);
	ck_assert_int_eq(get(denied).state, APPROVAL_DENIED);
	clock_set_shift_s(3601);
	ck_assert_int_eq(enter(late), RC_CONFLICT);
	clock_set_shift_s(0);
	ck_assert_int_eq(get(late).state, APPROVAL_APPROVED);
}
END_TEST

START_TEST(approval_is_never_by_who_asked)
{
	struct store_approval_ask op = ask(ALICE, "content");

	ck_assert_int_eq(decide(op.approval.id, ALICE, true), RC_DENIED);
	ck_assert_int_eq(get(op.approval.id).state, APPROVAL_PENDING);
	ck_assert_int_eq(decide(op.approval.id, ALICE, false), RC_OK);
	ck_assert_int_eq(get(op.approval.id).state, APPROVAL_DENIED);
}
END_TEST

START_TEST(approval_is_for_its_content_action_and_operator_alone)
{
	uint64_t id = ask(ALICE, "content").approval.id;
	struct store_approval_ask other =
	        ask_for(ALICE, "code.sign", "content");

	ck_assert_int_eq(decide(id, BOB, true), RC_OK);
	ck_assert(!ask(ALICE, "other content").go);
	ck_assert(!ask(BOB, "content").go);
	ck_assert_int_eq(HELP_DO(h, store_approval_ask, &other), RC_OK);
	ck_assert(!other.go);
	ck_assert(ask(ALICE, "content").go);
}
END_TEST

START_TEST(approval_that_was_denied_is_asked_for_anew)
{
	uint64_t id = ask(ALICE, "content").approval.id;

	ck_assert_int_eq(decide(id, BOB, true), RC_OK);
	ck_assert_int_eq(decide(id, 0, true), RC_CONFLICT);
	ck_assert_int_eq(decide(id, BOB, false), RC_OK);
	ck_assert_int_eq(decide(id, BOB, false), RC_OK);
	ck_assert_int_eq(decide(id, BOB, true), RC_CONFLICT);
	ck_assert_uint_eq(ask(ALICE, "content").approval.id, id + 1);
	ck_assert_int_eq(decide(99, BOB, true), RC_NOTFOUND);
}
END_TEST

START_TEST(approval_that_ran_out_is_of_no_use)
{
	struct store_approval_ask op =
	        ask_for(ALICE, "authority.revoke", "content");
	struct store_approval_expire expire = { .op.actor = "system" };
	char text[256];
	uint64_t id;

	op.approval.expires_us = clock_now_us() - 1;
	ck_assert_int_eq(HELP_DO(h, store_approval_ask, &op), RC_OK);
	id = op.approval.id;
	ck_assert_int_eq(decide(id, BOB, true), RC_CONFLICT);
	ck_assert_uint_eq(ask(ALICE, "content").approval.id, id + 1);
	ck_assert_int_eq(HELP_DO(h, store_approval_expire, &expire), RC_OK);
	ck_assert_int_eq(get(id).state, APPROVAL_EXPIRED);
	ck_assert_int_eq(get(id + 1).state, APPROVAL_PENDING);
	ck_assert_int_eq(HELP_DO(h, store_approval_expire, &expire), RC_OK);
	trail(text, sizeof(text));
	ck_assert_str_eq(text, "request request expire ");
}
END_TEST

static struct store_approval_expire expire(void)
{
	struct store_approval_expire op = { .op.actor = "system keeper" };

	ck_assert_int_eq(HELP_DO(h, store_approval_expire, &op), RC_OK);
	return op;
}

/* As long after it was closed as it had to be decided in. */
START_TEST(closed_approval_is_forgotten_but_not_its_number)
{
	struct store_approval_get gone = { .id = 1 };
	uint64_t id = ask(ALICE, "content").approval.id;
	char text[256];

	ck_assert_uint_eq(id, 1);
	ck_assert_int_eq(decide(id, BOB, false), RC_OK);
	clock_set_shift_s(3590);
	ck_assert_uint_eq(expire().forgotten, 0);
	ck_assert_uint_eq(listed(true), 1);
	clock_set_shift_s(3610);
	ck_assert_uint_eq(expire().forgotten, 1);
	ck_assert_uint_eq(listed(true), 0);
	ck_assert_int_eq(HELP_DO(h, store_approval_get, &gone), RC_NOTFOUND);
	ck_assert_uint_eq(ask(ALICE, "content").approval.id, id + 1);
	trail(text, sizeof(text));
	ck_assert_str_eq(text, "request deny request ");
	clock_set_shift_s(0);
}
END_TEST

static enum rc ask_nth(uint32_t by, int i)
{
	struct store_approval_ask op;
	char content[16];

	(void)snprintf(content, sizeof(content), "c%d", i);
	op = ask_for(by, "authority.revoke", content);
	return HELP_DO(h, store_approval_ask, &op);
}

START_TEST(operator_has_so_many_open_and_leaves_room_for_others)
{
	for (int i = 0; i < STORE_APPROVALS_OPERATOR_MAX; i++)
		ck_assert_int_eq(ask_nth(ALICE, i), RC_OK);
	ck_assert_int_eq(ask_nth(ALICE, 99), RC_QUOTA);
	ck_assert_int_eq(ask_nth(ALICE, 0), RC_OK);
	ck_assert_int_eq(ask_nth(BOB, 0), RC_OK);
	ck_assert_int_eq(decide(1, BOB, true), RC_OK);
	ck_assert_int_eq(ask_nth(ALICE, 99), RC_QUOTA);
	ck_assert_int_eq(decide(2, BOB, false), RC_OK);
	ck_assert_int_eq(ask_nth(ALICE, 99), RC_OK);
}
END_TEST

START_TEST(so_many_approvals_are_open_in_all)
{
	const int of_each = STORE_APPROVALS_OPERATOR_MAX;

	for (int i = 0; i < STORE_APPROVALS_MAX; i++)
		ck_assert_int_eq(
		        ask_nth((uint32_t)(2000 + i / of_each), i), RC_OK);
	ck_assert_int_eq(ask_nth(ALICE, 0), RC_QUOTA);
}
END_TEST

/* --- revoked authorities */

static struct store_authority_revoke revoke(enum cert_reason reason)
{
	struct store_authority_revoke op = {
		.id = h->authority, .reason = reason, .op.actor = "operator"
	};

	ck_assert_int_eq(HELP_DO(h, store_authority_revoke, &op), RC_OK);
	return op;
}

START_TEST(revoked_authority_issues_nothing_and_never_comes_back)
{
	struct cert_key before = help_certificate(h, "unit-1", 0, "before");
	struct store_authority_put put = { .der = bytes_str("certificate") };
	struct store_authority_list list = { .max = 0 };
	struct store_authority rows[4];
	struct help_issue in_flight, late;

	help_issue(h, &in_flight, "unit-2", 0, "in flight");
	ck_assert_int_eq(help_t1(h, &in_flight), RC_OK);
	ck_assert_int_eq(
	        revoke(REASON_SUPERSEDED).authority.state, AUTHORITY_REVOKED);
	ck_assert_int_eq(help_t2(h, &in_flight), RC_DENIED);
	help_issue(h, &late, "unit-3", 0, "late");
	ck_assert_int_eq(help_t1(h, &late), RC_DENIED);
	ck_assert_int_eq(help_state(h, &before), CERT_ISSUED);
	list.rows = rows;
	list.max = 4;
	ck_assert_int_eq(HELP_DO(h, store_authority_list, &list), RC_OK);
	ck_assert_uint_eq(list.n, 1);
	put.authority = rows[0];
	ck_assert_int_eq(HELP_DO(h, store_authority_put, &put), RC_OK);
	ck_assert_int_eq(put.authority.state, AUTHORITY_REVOKED);
	ck_assert_int_eq(put.authority.reason, REASON_SUPERSEDED);
	ck_assert(put.authority.revoked_us != 0);
	help_issue(h, &late, "unit-3", 0, "late");
	late.t1.authority_version = put.authority.version;
	ck_assert_int_eq(help_t1(h, &late), RC_DENIED);
}
END_TEST

START_TEST(revoked_authority_certifies_who_signs_its_status)
{
	struct help_issue responder;

	(void)help_certificate(h, "unit-1", 0, "a");
	(void)revoke(REASON_CA_COMPROMISE);
	help_issue(h, &responder, "", 0, "responder");
	responder.t1.credential.kind = CREDENTIAL_SYSTEM;
	ck_assert_int_eq(help_t1(h, &responder), RC_DENIED);
	responder.t1.profile = STORE_PROFILE_RESPONDER;
	ck_assert_int_eq(help_t1(h, &responder), RC_OK);
	ck_assert_int_eq(help_t2(h, &responder), RC_OK);
}
END_TEST

START_TEST(revoked_authority_changes_its_reason_for_a_compromise_alone)
{
	static const struct {
		enum cert_reason reason, then;
	} steps[] = {
		{ REASON_SUPERSEDED, REASON_SUPERSEDED },
		{ REASON_CESSATION_OF_OPERATION, REASON_SUPERSEDED },
		{ REASON_CA_COMPROMISE, REASON_CA_COMPROMISE },
		{ REASON_SUPERSEDED, REASON_CA_COMPROMISE },
	};
	struct store_authority_revoke none = { .id = 99,
		.reason = REASON_SUPERSEDED };

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		ck_assert_int_eq(revoke(steps[i].reason).authority.reason,
		        steps[i].then);
	ck_assert_int_eq(
	        HELP_DO(h, store_authority_revoke, &none), RC_NOTFOUND);
	none.reason = 7;
	ck_assert_int_eq(
	        HELP_DO(h, store_authority_revoke, &none), RC_MALFORMED);
}
END_TEST

void contract_approval(TCase *tc)
{
	tcase_add_test(tc,
	        approval_goes_from_one_operator_to_another_and_is_used_once);
	tcase_add_test(
	        tc, approval_for_later_is_spent_by_the_entry_that_names_it);
	tcase_add_test(
	        tc, approval_for_later_that_is_gone_by_then_is_not_spent);
	tcase_add_test(tc, approval_is_never_by_who_asked);
	tcase_add_test(
	        tc, approval_is_for_its_content_action_and_operator_alone);
	tcase_add_test(tc, approval_that_was_denied_is_asked_for_anew);
	tcase_add_test(tc, approval_that_ran_out_is_of_no_use);
	tcase_add_test(tc, closed_approval_is_forgotten_but_not_its_number);
	tcase_add_test(
	        tc, operator_has_so_many_open_and_leaves_room_for_others);
	tcase_add_test(tc, so_many_approvals_are_open_in_all);
	tcase_add_test(
	        tc, revoked_authority_issues_nothing_and_never_comes_back);
	tcase_add_test(tc, revoked_authority_certifies_who_signs_its_status);
	tcase_add_test(tc,
	        revoked_authority_changes_its_reason_for_a_compromise_alone);
}
