/* Requests that wait for an operator. */
#include "tests/unit/store_contract.h"

#include "base/clock.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

static struct help *const h = &contract;

#define ALICE 1001
#define BOB 1002
#define HOUR_US (INT64_C(3600) * 1000000)

static void add(const char *id)
{
	struct store_device_put op = { .op.actor = "operator uid 0" };

	(void)snprintf(op.device.id, sizeof(op.device.id), "%s", id);
	ck_assert_int_eq(HELP_DO(h, store_device_put, &op), RC_OK);
}

static void a_moment(void)
{
	const struct timespec ms = { .tv_nsec = 1000000 };

	(void)nanosleep(&ms, NULL);
}

/* A device's request by token, and what a poll of it has to say. */
struct ask {
	struct help_issue i;
	struct store_wait wait;
};

static void ask_make(
        struct ask *a, const char *device, const char *text, const char *token)
{
	help_issue(h, &a->i, device, help_device(h, device), text);
	a->wait = (struct store_wait){ .label = "line1",
		.request = BYTES_LIT("a certification request"),
		.life_us = HOUR_US };
	help_hash(a->wait.poll, text);
	a->i.t1.wait = &a->wait;
	if (token == NULL)
		return;
	a->i.t1.credential.kind = CREDENTIAL_TOKEN;
	help_hash(a->i.t1.credential.hash, token);
}

static enum rc ask(const char *device, const char *text, const char *token)
{
	struct ask a;

	ask_make(&a, device, text, token);
	return help_t1(h, &a.i);
}

static enum rc decide(uint64_t id, uint32_t by, bool approve)
{
	struct store_waiting_decide op = {
		.id = id, .by = by, .approve = approve
	};

	return HELP_DO(h, store_waiting_decide, &op);
}

static struct store_waiting get(uint64_t id)
{
	struct store_waiting_get op = { .id = id,
		.request = BUF_INIT(STORE_REQUEST_MAX_BYTES),
		.tbs = BUF_INIT(STORE_DER_MAX_BYTES) };

	ck_assert_int_eq(HELP_DO(h, store_waiting_get, &op), RC_OK);
	ck_assert(bytes_eq_str(
	        buf_bytes(&op.request), "a certification request"));
	ck_assert(bytes_starts(buf_bytes(&op.tbs), BYTES_LIT("tbs ")));
	buf_free(&op.request);
	buf_free(&op.tbs);
	return op.waiting;
}

static size_t listed(bool closed)
{
	struct store_waiting rows[8];
	struct store_waiting_list op = {
		.closed = closed, .rows = rows, .max = 8
	};

	ck_assert_int_eq(HELP_DO(h, store_waiting_list, &op), RC_OK);
	ck_assert(!op.more);
	return op.n;
}

static struct store_waiting_expire expire(void)
{
	struct store_waiting_expire op = { .op.actor = "system keeper" };

	ck_assert_int_eq(HELP_DO(h, store_waiting_expire, &op), RC_OK);
	return op;
}

static enum token_state token_state(const char *text)
{
	struct store_token_get op = { .op.done = NULL };

	help_hash(op.hash, text);
	ck_assert_int_eq(HELP_DO(h, store_token_get, &op), RC_OK);
	return op.token.state;
}

/* The events of the trail that begin with "request.", in a line. */
static void trail(char *out, size_t size)
{
	static struct store_audit_row rows[STORE_ROWS_MAX];
	struct store_audit_scan op = { .rows = rows, .max = STORE_ROWS_MAX };

	ck_assert_int_eq(HELP_DO(h, store_audit_scan, &op), RC_OK);
	ck_assert(!op.broken);
	out[0] = '\0';
	for (size_t i = 0; i < op.n; i++) {
		if (strncmp(rows[i].event, "request.", 8) != 0)
			continue;
		ck_assert_str_eq(rows[i].object, "a");
		(void)snprintf(out + strlen(out), size - strlen(out), "%s ",
		        rows[i].event + 8);
	}
}

START_TEST(request_waits_is_approved_and_issued_once)
{
	char text[256];
	struct ask a;

	add("a");
	help_token(h, "token", "a");
	ck_assert_int_eq(ask("a", "one", "token"), RC_WAITING);
	ck_assert_int_eq(ask("a", "one", "token"), RC_WAITING);
	ck_assert_uint_eq(help_stat(h).intents, 0);
	ck_assert_int_eq(token_state("token"), TOKEN_UNSPENT);
	ck_assert_uint_eq(listed(false), 1);
	ck_assert_str_eq(get(1).device, "a");
	ck_assert_str_eq(get(1).label, "line1");
	ck_assert_int_eq(decide(1, ALICE, true), RC_OK);
	ck_assert_int_eq(decide(1, ALICE, true), RC_OK);
	ask_make(&a, "a", "one", "token");
	ck_assert_int_eq(help_t1(h, &a.i), RC_OK);
	ck_assert_int_eq(get(1).state, WAITING_APPROVED);
	ck_assert_int_eq(help_t2(h, &a.i), RC_OK);
	ck_assert_int_eq(get(1).state, WAITING_ISSUED);
	ck_assert_int_eq(token_state("token"), TOKEN_SPENT);
	ck_assert_uint_eq(listed(false), 0);
	ck_assert_uint_eq(listed(true), 1);
	ck_assert_int_eq(ask("a", "one", "token"), RC_DUPLICATE);
	trail(text, sizeof(text));
	ck_assert_str_eq(text, "wait approve issue ");
}
END_TEST

START_TEST(what_was_approved_outlives_a_signature_that_failed)
{
	struct store_abandon abandon = { .what = ABANDON_ONE };
	struct ask a;

	add("a");
	help_token(h, "token", "a");
	ck_assert_int_eq(ask("a", "one", "token"), RC_WAITING);
	ck_assert_int_eq(decide(1, ALICE, true), RC_OK);
	ask_make(&a, "a", "one", "token");
	ck_assert_int_eq(help_t1(h, &a.i), RC_OK);
	abandon.key = a.i.t1.key;
	ck_assert_int_eq(HELP_DO(h, store_abandon, &abandon), RC_OK);
	ask_make(&a, "a", "one", "token");
	ck_assert_int_eq(help_t1(h, &a.i), RC_OK);
	ck_assert_int_eq(help_t2(h, &a.i), RC_OK);
}
END_TEST

START_TEST(token_that_is_held_serves_no_other_request)
{
	struct ask a;

	add("a");
	help_token(h, "token", "a");
	ck_assert_int_eq(ask("a", "one", "token"), RC_WAITING);
	ck_assert_int_eq(ask("a", "two", "token"), RC_SPENT);
	/* Not where nobody is asked, either. */
	ask_make(&a, "a", "three", "token");
	a.i.t1.wait = NULL;
	ck_assert_int_eq(help_t1(h, &a.i), RC_SPENT);
	ck_assert_int_eq(decide(1, BOB, false), RC_OK);
	ck_assert_int_eq(ask("a", "two", "token"), RC_WAITING);
	ck_assert_uint_eq(listed(false), 1);
}
END_TEST

START_TEST(request_that_came_in_time_outlasts_its_token)
{
	struct ask a, b;

	add("a");
	help_token(h, "token", "a");
	ask_make(&a, "a", "one", "token");
	a.wait.life_us = 3 * HOUR_US;
	ck_assert_int_eq(help_t1(h, &a.i), RC_WAITING);
	clock_set_shift_s(2 * 3600);
	ck_assert_int_eq(decide(1, BOB, true), RC_OK);
	ask_make(&b, "a", "two", "token");
	ck_assert_int_eq(help_t1(h, &b.i), RC_SPENT);
	ask_make(&a, "a", "one", "token");
	ck_assert_int_eq(help_t1(h, &a.i), RC_OK);
	help_token(h, "late", "a");
	clock_set_shift_s(4 * 3600);
	ck_assert_int_eq(ask("a", "three", "late"), RC_DENIED);
	clock_set_shift_s(0);
}
END_TEST

START_TEST(denied_request_stays_denied_whoever_asks)
{
	struct ask a;

	add("a");
	ck_assert_int_eq(ask("a", "one", NULL), RC_WAITING);
	ck_assert_int_eq(decide(1, ALICE, false), RC_OK);
	ck_assert_int_eq(decide(1, ALICE, false), RC_OK);
	ck_assert_int_eq(decide(1, BOB, true), RC_CONFLICT);
	ck_assert_int_eq(ask("a", "one", NULL), RC_DENIED);
	ask_make(&a, "a", "one", NULL);
	a.i.t1.wait = NULL;
	ck_assert_int_eq(help_t1(h, &a.i), RC_DENIED);
	ck_assert_int_eq(ask("a", "two", NULL), RC_WAITING);
}
END_TEST

START_TEST(denial_reaches_what_is_being_signed)
{
	struct ask a;

	add("a");
	ck_assert_int_eq(ask("a", "one", NULL), RC_WAITING);
	ck_assert_int_eq(decide(1, ALICE, true), RC_OK);
	ask_make(&a, "a", "one", NULL);
	ck_assert_int_eq(help_t1(h, &a.i), RC_OK);
	ck_assert_int_eq(decide(1, BOB, false), RC_OK);
	ck_assert_int_eq(help_t2(h, &a.i), RC_DENIED);
	ck_assert_int_eq(help_state(h, &a.i.t1.key), CERT_REVOKED);
	ck_assert_int_eq(get(1).state, WAITING_DENIED);
}
END_TEST

START_TEST(of_two_operators_the_first_approves)
{
	add("a");
	ck_assert_int_eq(ask("a", "one", NULL), RC_WAITING);
	ck_assert_int_eq(decide(1, ALICE, true), RC_OK);
	ck_assert_int_eq(decide(1, BOB, true), RC_CONFLICT);
	ck_assert_uint_eq(get(1).decided_by, ALICE);
	ck_assert_int_eq(decide(1, BOB, false), RC_OK);
	ck_assert_int_eq(decide(1, ALICE, true), RC_CONFLICT);
	ck_assert_int_eq(decide(2, ALICE, true), RC_NOTFOUND);
}
END_TEST

START_TEST(approval_is_of_one_content)
{
	add("a");
	ck_assert_int_eq(ask("a", "one", NULL), RC_WAITING);
	ck_assert_int_eq(decide(1, ALICE, true), RC_OK);
	ck_assert_int_eq(ask("a", "two", NULL), RC_WAITING);
	ck_assert_uint_eq(listed(false), 2);
}
END_TEST

START_TEST(request_runs_out_and_is_forgotten_but_not_its_number)
{
	struct ask a;

	add("a");
	help_token(h, "token", "a");
	ask_make(&a, "a", "one", "token");
	a.wait.life_us = 1;
	ck_assert_int_eq(help_t1(h, &a.i), RC_WAITING);
	a_moment();
	ck_assert_int_eq(decide(1, ALICE, true), RC_CONFLICT);
	ck_assert_uint_eq(expire().expired, 1);
	ck_assert_int_eq(get(1).state, WAITING_EXPIRED);
	a_moment();
	ck_assert_uint_eq(expire().forgotten, 1);
	ck_assert_uint_eq(listed(true), 0);
	ck_assert_int_eq(ask("a", "one", "token"), RC_WAITING);
	ck_assert_int_eq(decide(1, ALICE, true), RC_NOTFOUND);
	ck_assert_int_eq(get(2).state, WAITING_OPEN);
}
END_TEST

/* Before anybody closed what ran out. */
START_TEST(late_request_is_asked_anew_and_a_poll_is_refused)
{
	struct ask a;

	add("a");
	ask_make(&a, "a", "one", NULL);
	a.wait.life_us = 1;
	ck_assert_int_eq(help_t1(h, &a.i), RC_WAITING);
	a_moment();
	ask_make(&a, "a", "one", NULL);
	a.wait.only_look = true;
	ck_assert_int_eq(help_t1(h, &a.i), RC_DENIED);
	ck_assert_int_eq(ask("a", "one", NULL), RC_WAITING);
	ck_assert_int_eq(get(1).state, WAITING_EXPIRED);
	ck_assert_int_eq(get(2).state, WAITING_OPEN);
}
END_TEST

START_TEST(poll_finds_the_newest_of_its_own)
{
	struct store_waiting_get op = { .request = BUF_INIT(64),
		.tbs = BUF_INIT(64) };

	add("a");
	ck_assert_int_eq(ask("a", "one", NULL), RC_WAITING);
	ck_assert_int_eq(ask("a", "two", NULL), RC_WAITING);
	help_hash(op.poll, "two");
	ck_assert_int_eq(HELP_DO(h, store_waiting_get, &op), RC_OK);
	ck_assert_uint_eq(op.waiting.id, 2);
	help_hash(op.poll, "three");
	ck_assert_int_eq(HELP_DO(h, store_waiting_get, &op), RC_NOTFOUND);
	memset(op.poll, 0, sizeof(op.poll));
	ck_assert_int_eq(HELP_DO(h, store_waiting_get, &op), RC_NOTFOUND);
	buf_free(&op.request);
	buf_free(&op.tbs);
}
END_TEST

START_TEST(device_has_so_many_that_wait)
{
	char text[16];

	add("a");
	add("b");
	for (int i = 0; i < STORE_WAITING_DEVICE_MAX; i++) {
		(void)snprintf(text, sizeof(text), "r%d", i);
		ck_assert_int_eq(ask("a", text, NULL), RC_WAITING);
	}
	ck_assert_int_eq(ask("a", "more", NULL), RC_QUOTA);
	ck_assert_int_eq(ask("a", "r0", NULL), RC_WAITING);
	ck_assert_int_eq(ask("b", "one", NULL), RC_WAITING);
	ck_assert_int_eq(decide(1, ALICE, false), RC_OK);
	ck_assert_int_eq(ask("a", "more", NULL), RC_WAITING);
}
END_TEST

START_TEST(so_many_wait_in_all)
{
	char device[16], text[16];

	for (int i = 0; i < STORE_WAITING_MAX; i++) {
		(void)snprintf(device, sizeof(device), "d%d",
		        i / STORE_WAITING_DEVICE_MAX);
		if (i % STORE_WAITING_DEVICE_MAX == 0)
			add(device);
		(void)snprintf(text, sizeof(text), "r%d", i);
		ck_assert_int_eq(ask(device, text, NULL), RC_WAITING);
	}
	add("a");
	ck_assert_int_eq(ask("a", "one", NULL), RC_QUOTA);
}
END_TEST

static enum rc ask_shared(const char *device, const char *text)
{
	struct ask a;

	ask_make(&a, device, text, NULL);
	a.i.t1.credential.kind = CREDENTIAL_SHARED;
	return help_t1(h, &a.i);
}

/* Who knows a shared secret names whatever device he likes. */
START_TEST(shared_secret_does_not_use_up_a_devices_places)
{
	char text[16];

	add("a");
	for (int i = 0; i < STORE_WAITING_DEVICE_MAX; i++) {
		(void)snprintf(text, sizeof(text), "s%d", i);
		ck_assert_int_eq(ask_shared("a", text), RC_WAITING);
	}
	ck_assert_int_eq(ask_shared("a", "more"), RC_QUOTA);
	ck_assert_int_eq(ask("a", "one", NULL), RC_WAITING);
}
END_TEST

START_TEST(shared_secret_does_not_use_up_all_places)
{
	char device[16];

	for (int i = 0; i < STORE_WAITING_SHARED_MAX; i++) {
		(void)snprintf(device, sizeof(device), "d%d", i);
		ck_assert_int_eq(ask_shared(device, device), RC_WAITING);
	}
	ck_assert_int_eq(ask_shared("a", "one"), RC_QUOTA);
	add("a");
	ck_assert_int_eq(ask("a", "two", NULL), RC_WAITING);
}
END_TEST

void contract_waiting(TCase *tc)
{
	tcase_add_test(tc, request_waits_is_approved_and_issued_once);
	tcase_add_test(tc, what_was_approved_outlives_a_signature_that_failed);
	tcase_add_test(tc, token_that_is_held_serves_no_other_request);
	tcase_add_test(tc, request_that_came_in_time_outlasts_its_token);
	tcase_add_test(tc, denied_request_stays_denied_whoever_asks);
	tcase_add_test(tc, denial_reaches_what_is_being_signed);
	tcase_add_test(tc, of_two_operators_the_first_approves);
	tcase_add_test(tc, approval_is_of_one_content);
	tcase_add_test(
	        tc, request_runs_out_and_is_forgotten_but_not_its_number);
	tcase_add_test(tc, late_request_is_asked_anew_and_a_poll_is_refused);
	tcase_add_test(tc, poll_finds_the_newest_of_its_own);
	tcase_add_test(tc, device_has_so_many_that_wait);
	tcase_add_test(tc, so_many_wait_in_all);
	tcase_add_test(tc, shared_secret_does_not_use_up_a_devices_places);
	tcase_add_test(tc, shared_secret_does_not_use_up_all_places);
}
