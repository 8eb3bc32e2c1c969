/* The two-person rule, through the admin API. */
#include "tests/unit/test_admin.h"

#include "base/clock.h"
#include <stdio.h>
#include <string.h>

#define MAKE                                                                   \
	"{\"action\":\"key.create\",\"object\":\"issuing-2\","                 \
	"\"parameters\":{\"type\":\"p256\",\"token\":\"mica\"}}"
#define MAKE_REORDERED                                                         \
	"{\"parameters\":{\"token\":\"mica\",\"type\":\"p256\"},"              \
	"\"object\":\"issuing-2\",\"action\":\"key.create\"}"
#define MAKE_OTHER                                                             \
	"{\"action\":\"key.create\",\"object\":\"issuing-2\","                 \
	"\"parameters\":{\"type\":\"p384\",\"token\":\"mica\"}}"

enum { ROOT = 0, OPERATOR = ADMIN_UID_OWN + 2 };

static unsigned post(uid_t uid, const char *path, const char *body)
{
	unsigned status;

	json_decref(admin_test_ask(uid, path, NULL, body, &status));
	return status;
}

static void need_two(void)
{
	admin_test_conf()->approvals = 2;
	admin_test_conf()->approval_life_s = 3600;
}

START_TEST(one_operator_is_enough_where_one_is)
{
	unsigned status;
	json_t *o;

	ck_assert_uint_eq(post(ADMIN_UID_ADMIN, "/v1/approvals", MAKE), 200);
	o = admin_test_ask(
	        ADMIN_UID_ADMIN, "/v1/approvals", NULL, NULL, &status);
	ck_assert_uint_eq(json_array_size(json_object_get(o, "approvals")), 0);
	json_decref(o);
}
END_TEST

START_TEST(request_waits_for_another_operator_and_goes_once)
{
	unsigned status;
	json_t *o, *a;

	need_two();
	o = admin_test_ask(
	        ADMIN_UID_ADMIN, "/v1/approvals", NULL, MAKE, &status);
	ck_assert_uint_eq(status, 202);
	a = json_object_get(o, "approval");
	ck_assert_str_eq(admin_test_text(a, "state"), "pending");
	ck_assert_str_eq(
	        admin_test_text(json_object_get(a, "parameters"), "type"),
	        "p256");
	json_decref(o);
	ck_assert_uint_eq(post(ADMIN_UID_ADMIN, "/v1/approvals", MAKE), 202);
	ck_assert_uint_eq(post(ROOT, "/v1/approvals/1/approve", ""), 200);
	ck_assert_uint_eq(
	        post(ADMIN_UID_ADMIN, "/v1/approvals", MAKE_OTHER), 202);
	ck_assert_uint_eq(
	        post(ADMIN_UID_ADMIN, "/v1/approvals", MAKE_REORDERED), 200);
	ck_assert_uint_eq(post(ADMIN_UID_ADMIN, "/v1/approvals", MAKE), 202);
	o = admin_test_ask(
	        ROOT, "/v1/approvals", "state=closed", NULL, &status);
	a = json_array_get(json_object_get(o, "approvals"), 0);
	ck_assert_str_eq(admin_test_text(a, "state"), "carried out");
	json_decref(o);
}
END_TEST

/* "… the oldest for 0 s: mica approval list" */
static bool is_warned_of(const json_t *status)
{
	const json_t *row;
	bool found = false;
	size_t i;

	json_array_foreach(json_object_get(status, "warnings"), i, row)
	{
		const char *text = json_string_value(row);

		found = found ||
		        (strstr(text, "1 requests wait for a second") != NULL &&
		                strstr(text, "the oldest for ") != NULL);
	}
	return found;
}

START_TEST(status_warns_while_a_request_waits)
{
	unsigned status;
	json_t *o, *q;

	need_two();
	ck_assert_uint_eq(post(ADMIN_UID_ADMIN, "/v1/approvals", MAKE), 202);
	o = admin_test_ask(ROOT, "/v1/status", NULL, NULL, &status);
	q = json_object_get(o, "approvals");
	ck_assert_int_eq(json_integer_value(json_object_get(q, "count")), 1);
	ck_assert(json_is_string(json_object_get(q, "oldest")));
	ck_assert(is_warned_of(o));
	json_decref(o);
	ck_assert_uint_eq(
	        post(ADMIN_UID_ADMIN, "/v1/approvals/1/deny", ""), 200);
	o = admin_test_ask(ROOT, "/v1/status", NULL, NULL, &status);
	q = json_object_get(o, "approvals");
	ck_assert_int_eq(json_integer_value(json_object_get(q, "count")), 0);
	ck_assert(json_is_null(json_object_get(q, "oldest")));
	ck_assert(!is_warned_of(o));
	json_decref(o);
}
END_TEST

static const struct {
	const char *name;
	uid_t uid;
	const char *verb;
	unsigned status;
	const char *state;
} deciders[] = {
	{ "his own", ADMIN_UID_ADMIN, "approve", 400, "pending" },
	{ "withdrawn", ADMIN_UID_ADMIN, "deny", 200, "denied" },
	{ "of a lesser role", OPERATOR, "approve", 403, "pending" },
	{ "of a lesser role, denied", OPERATOR, "deny", 403, "pending" },
	{ "another's", ADMIN_UID_OWN, "approve", 200, "approved" },
	{ "root's", ROOT, "approve", 200, "approved" },
	{ "denied", ROOT, "deny", 200, "denied" },
};
#define DECIDERS ((int)(sizeof(deciders) / sizeof(deciders[0])))

START_TEST(request_is_decided_by_another_of_its_role)
{
	unsigned status;
	char path[64];
	json_t *o;

	need_two();
	ck_assert_uint_eq(post(ADMIN_UID_ADMIN, "/v1/approvals", MAKE), 202);
	(void)snprintf(
	        path, sizeof(path), "/v1/approvals/1/%s", deciders[_i].verb);
	status = post(deciders[_i].uid, path, "");
	ck_assert_msg(status == deciders[_i].status, "%s: %u",
	        deciders[_i].name, status);
	o = admin_test_ask(ROOT, "/v1/approvals/1", NULL, NULL, &status);
	ck_assert_str_eq(admin_test_text(o, "state"), deciders[_i].state);
	json_decref(o);
}
END_TEST

START_TEST(request_runs_out)
{
	unsigned status;
	json_t *o;

	need_two();
	ck_assert_uint_eq(post(ADMIN_UID_ADMIN, "/v1/approvals", MAKE), 202);
	ck_assert_uint_eq(post(ROOT, "/v1/approvals/1/approve", ""), 200);
	clock_set_shift_s(3601);
	o = admin_test_ask(ROOT, "/v1/approvals/1", NULL, NULL, &status);
	ck_assert_str_eq(admin_test_text(o, "state"), "expired");
	json_decref(o);
	ck_assert_uint_eq(post(ADMIN_UID_ADMIN, "/v1/approvals", MAKE), 202);
	clock_set_shift_s(0);
}
END_TEST

START_TEST(what_the_daemon_does_is_not_asked_for_here)
{
	static const char revoke[] =
	        "{\"action\":\"authority.revoke\",\"object\":\"factory\","
	        "\"parameters\":{}}";
	static char big[3000];
	unsigned status;
	json_t *o;

	need_two();
	ck_assert_uint_eq(post(ADMIN_UID_ADMIN, "/v1/approvals", revoke), 400);
	(void)snprintf(big, sizeof(big),
	        "{\"action\":\"key.create\",\"object\":\"a\",\"parameters\":{"
	        "\"x\":\"%0*d\"}}",
	        STORE_TEXT_MAX, 0);
	o = admin_test_ask(
	        ADMIN_UID_ADMIN, "/v1/approvals", NULL, big, &status);
	ck_assert_str_eq(admin_test_code(o), "too_big");
	json_decref(o);
}
END_TEST

START_TEST(what_is_asked_for_cannot_play_with_a_terminal)
{
	static const char tricky[] =
	        "{\"action\":\"key.create\",\"object\":\"a\\u001b[2Kb\","
	        "\"parameters\":{}}";
	static const char turned[] =
	        "{\"action\":\"key.create\",\"object\":\"a\\u202eb\","
	        "\"parameters\":{}}";

	need_two();
	ck_assert_uint_eq(post(ADMIN_UID_ADMIN, "/v1/approvals", tricky), 400);
	ck_assert_uint_eq(post(ADMIN_UID_ADMIN, "/v1/approvals", turned), 400);
}
END_TEST

/* --- an authority is revoked */

#define REVOKE_PATH "/v1/authorities/factory/revoke"
#define REVOKE "{\"reason\":\"cACompromise\"}"

static const struct {
	const char *path, *body;
	unsigned status;
} mistakes[] = {
	{ "/v1/authorities/none/revoke", REVOKE, 404 },
	{ "/v1/authorities/factory/frob", REVOKE, 404 },
	{ "/v1/authorities/factory", REVOKE, 404 },
	{ REVOKE_PATH, "{}", 400 },
	{ REVOKE_PATH, "{\"reason\":\"frob\"}", 400 },
	{ REVOKE_PATH, "{\"reason\":\"certificateHold\"}", 400 },
};
#define MISTAKES ((int)(sizeof(mistakes) / sizeof(mistakes[0])))

START_TEST(revocation_of_an_authority_is_read_strictly)
{
	unsigned status =
	        post(ADMIN_UID_ADMIN, mistakes[_i].path, mistakes[_i].body);

	ck_assert_msg(status == mistakes[_i].status, "%s %s: %u",
	        mistakes[_i].path, mistakes[_i].body, status);
}
END_TEST

START_TEST(authority_is_revoked_once_two_agree)
{
	unsigned status;
	json_t *o;

	need_two();
	ck_assert_uint_eq(post(ADMIN_UID_ADMIN, REVOKE_PATH, REVOKE), 202);
	ck_assert_uint_eq(post(ROOT, "/v1/approvals/1/approve", ""), 200);
	ck_assert_uint_eq(post(ADMIN_UID_ADMIN, REVOKE_PATH,
	                          "{\"reason\":\"superseded\"}"),
	        202);
	o = admin_test_ask(ADMIN_UID_ADMIN, REVOKE_PATH, NULL, REVOKE, &status);
	ck_assert_uint_eq(status, 200);
	ck_assert_str_eq(admin_test_text(o, "state"), "revoked");
	ck_assert_str_eq(admin_test_text(o, "reason"), "cACompromise");
	ck_assert_str_ne(admin_test_text(o, "serial"), "");
	json_decref(o);
}
END_TEST

void admin_test_approvals(TCase *tc)
{
	tcase_add_test(tc, one_operator_is_enough_where_one_is);
	tcase_add_test(tc, request_waits_for_another_operator_and_goes_once);
	tcase_add_test(tc, status_warns_while_a_request_waits);
	tcase_add_loop_test(
	        tc, request_is_decided_by_another_of_its_role, 0, DECIDERS);
	tcase_add_loop_test(
	        tc, revocation_of_an_authority_is_read_strictly, 0, MISTAKES);
	tcase_add_test(tc, authority_is_revoked_once_two_agree);
	tcase_add_test(tc, request_runs_out);
	tcase_add_test(tc, what_the_daemon_does_is_not_asked_for_here);
	tcase_add_test(tc, what_is_asked_for_cannot_play_with_a_terminal);
}
