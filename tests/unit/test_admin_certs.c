/* Certificates through the admin API: issued, held, revoked. */
#include "tests/unit/test_admin.h"

#include "base/clock.h"
#include "base/text.h"
#include <stdio.h>
#include <string.h>

enum { OPERATOR = ADMIN_UID_OWN + 2 };

static json_t *get(const char *path, const char *query, unsigned *status)
{
	return admin_test_ask(OPERATOR, path, query, NULL, status);
}

static json_t *post(const char *path, const char *body, unsigned *status)
{
	return admin_test_ask(OPERATOR, path, NULL, body, status);
}

static void must_post(const char *path, const char *body)
{
	unsigned status;
	json_t *o = post(path, body, &status);

	ck_assert_msg(status == 200, "%s %s: %u", path, body, status);
	json_decref(o);
}

/* --- certificates */
json_t *admin_test_issue(const char *names, unsigned *status)
{
	struct bytes csr =
	        world_csr(admin_test_world()->keys[0], "", NULL, NULL);
	struct buf b64 = BUF_INIT(4096), body = BUF_INIT(8192);
	json_t *o;

	base64_encode(&b64, csr, 0);
	buf_addf(&body, "{\"csr\":\"%s\",\"profile\":\"server\"%s}",
	        buf_cstr(&b64), names);
	o = post("/v1/certs", buf_cstr(&body), status);
	buf_free(&b64);
	buf_free(&body);
	world_free(csr);
	return o;
}

static json_t *show(const json_t *issued, unsigned *status)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "/v1/certs/%s",
	        admin_test_text(issued, "serial"));
	return get(path, NULL, status);
}

START_TEST(certificate_is_issued_on_record)
{
	unsigned status;
	json_t *o = admin_test_issue(
	        ",\"dns\":[\"a.example\",\"b.example\"]", &status);
	json_t *record;

	ck_assert_msg(status == 200, "%s", admin_test_code(o));
	/* A server is known by its first name; a root is not in its chain. */
	ck_assert_str_eq(admin_test_text(o, "device"), "a.example");
	ck_assert_uint_eq(json_array_size(json_object_get(o, "chain")), 0);
	record = show(o, &status);
	ck_assert_uint_eq(status, 200);
	ck_assert_str_eq(admin_test_text(record, "state"), "issued");
	ck_assert_str_eq(admin_test_text(record, "device"), "a.example");
	ck_assert_str_eq(
	        admin_test_text(record, "requester"), "operator uid 4003");
	ck_assert_str_eq(admin_test_text(record, "credential"), "operator");
	ck_assert_str_eq(admin_test_text(record, "authority"), "factory");
	ck_assert_str_eq(admin_test_text(record, "certificate"),
	        admin_test_text(o, "certificate"));
	json_decref(record);
	json_decref(o);
}
END_TEST

START_TEST(name_without_a_place_in_the_profile_is_refused)
{
	unsigned status;
	json_t *o = admin_test_issue(
	        ",\"device\":\"a\",\"email\":[\"a@b.example\"]", &status);

	ck_assert_uint_eq(status, 400);
	ck_assert_str_eq(admin_test_code(o), "denied");
	ck_assert_uint_eq(world_issued(admin_test_world()), 0);
	json_decref(o);
}
END_TEST

START_TEST(suspend_holds_and_resume_releases)
{
	unsigned status;
	json_t *o = admin_test_issue(",\"dns\":[\"a.example\"]", &status),
	       *record;

	ck_assert_uint_eq(status, 200);
	must_post("/v1/devices/a.example/suspend", "");
	record = show(o, &status);
	ck_assert_str_eq(admin_test_text(record, "state"), "held");
	ck_assert_str_eq(admin_test_text(record, "reason"), "certificateHold");
	json_decref(record);
	record = get("/v1/certs", "state=revoked", &status);
	ck_assert_uint_eq(
	        json_array_size(json_object_get(record, "certificates")), 1);
	json_decref(record);
	must_post("/v1/devices/a.example/resume", "");
	record = show(o, &status);
	ck_assert_str_eq(admin_test_text(record, "state"), "issued");
	json_decref(record);
	json_decref(o);
}
END_TEST

/* --- revocations */
static json_int_t number(const json_t *o, const char *key)
{
	ck_assert_msg(json_is_integer(json_object_get(o, key)), "no %s", key);
	return json_integer_value(json_object_get(o, key));
}

/* POST what fmt makes of arg; it must be done. */
static json_t *revoked(
        const char *fmt, const char *arg, int selected, int changed)
{
	struct buf body = BUF_INIT(1024);
	const char *at = strchr(fmt, '%');
	unsigned status;
	json_t *o;

	buf_add(&body, bytes_of(fmt, (size_t)(at - fmt)));
	buf_add_str(&body, arg);
	buf_add_str(&body, at + 1);
	o = post("/v1/revocations", buf_cstr(&body), &status);
	ck_assert_msg(
	        status == 200, "%s: %s", buf_cstr(&body), admin_test_code(o));
	ck_assert_int_eq(number(o, "selected"), selected);
	ck_assert_int_eq(number(o, "changed"), changed);
	ck_assert_ptr_null(json_object_get(o, "cursor"));
	buf_free(&body);
	return o;
}

static void must_revoke(
        const char *fmt, const char *arg, int selected, int changed)
{
	json_decref(revoked(fmt, arg, selected, changed));
}

static void must_be(const json_t *issued, const char *state, const char *reason)
{
	unsigned status;
	json_t *record = show(issued, &status);

	ck_assert_uint_eq(status, 200);
	ck_assert_str_eq(admin_test_text(record, "state"), state);
	if (reason != NULL)
		ck_assert_str_eq(admin_test_text(record, "reason"), reason);
	json_decref(record);
}

START_TEST(certificate_is_revoked_by_its_serial_number)
{
	unsigned status;
	json_t *o = admin_test_issue(",\"dns\":[\"a.example\"]", &status),
	       *answer;
	const char *serial = admin_test_text(o, "serial");

	must_revoke("{\"serial\":\"%\",\"dry_run\":true}", serial, 1, 1);
	must_be(o, "issued", NULL);
	must_revoke("{\"serial\":\"%\",\"change\":\"hold\"}", serial, 1, 1);
	must_be(o, "held", "certificateHold");
	must_revoke("{\"serial\":\"%\",\"change\":\"release\"}", serial, 1, 1);
	must_be(o, "issued", NULL);
	answer = revoked("{\"serial\":\"%\",\"authority\":\"factory\","
	                 "\"invalid_since\":\"2026-01-02\"}",
	        serial, 1, 1);
	ck_assert_str_eq(admin_test_text(answer, "reason"), "unspecified");
	json_decref(answer);
	must_be(o, "revoked", "unspecified");
	must_revoke(
	        "{\"serial\":\"%\",\"reason\":\"superseded\"}", serial, 1, 0);
	must_revoke("{\"serial\":\"%\",\"reason\":\"keycompromise\"}", serial,
	        1, 1);
	must_be(o, "revoked", "keyCompromise");
	answer = show(o, &status);
	ck_assert_str_eq(admin_test_text(answer, "invalid_since"),
	        "2026-01-02T00:00:00Z");
	json_decref(answer);
	json_decref(o);
}
END_TEST

START_TEST(state_that_allows_no_change_is_a_conflict)
{
	char body[128];
	unsigned status;
	json_t *o = admin_test_issue(",\"dns\":[\"a.example\"]", &status),
	       *answer;

	(void)snprintf(body, sizeof(body),
	        "{\"serial\":\"%s\",\"change\":\"release\",\"dry_run\":true}",
	        admin_test_text(o, "serial"));
	answer = post("/v1/revocations", body, &status);
	ck_assert_str_eq(admin_test_code(answer), "conflict");
	json_decref(answer);
	json_decref(o);
}
END_TEST

START_TEST(device_is_revoked_whole_and_suspended)
{
	unsigned status;
	json_t *o = admin_test_issue(",\"dns\":[\"a.example\"]", &status),
	       *device;

	must_revoke("{\"device\":\"%\",\"dry_run\":true}", "a.example", 1, 1);
	must_be(o, "issued", NULL);
	must_revoke("{\"device\":\"%\",\"reason\":\"privilegeWithdrawn\"}",
	        "a.example", 1, 1);
	must_be(o, "revoked", "privilegeWithdrawn");
	must_revoke("{\"device\":\"%\"}", "a.example", 1, 0);
	device = get("/v1/devices/a.example", NULL, &status);
	ck_assert_str_eq(admin_test_text(device, "state"), "suspended");
	json_decref(device);
	json_decref(o);
}
END_TEST

START_TEST(key_is_revoked_and_never_certified_again)
{
	unsigned status;
	json_t *o = admin_test_issue(",\"dns\":[\"a.example\"]", &status);
	json_t *record = show(o, &status), *again;

	must_revoke("{\"spki_sha256\":\"%\",\"reason\":\"keyCompromise\"}",
	        admin_test_text(record, "spki_sha256"), 1, 1);
	must_be(o, "revoked", "keyCompromise");
	again = admin_test_issue(",\"dns\":[\"b.example\"]", &status);
	ck_assert_str_eq(admin_test_code(again), "blocked");
	json_decref(again);
	json_decref(record);
	json_decref(o);
}
END_TEST

START_TEST(lot_is_revoked_by_when_it_was_issued)
{
	enum { LOT = STORE_ROWS_MAX + 9 };
	unsigned status;
	json_t *o = admin_test_issue(",\"dns\":[\"a.example\"]", &status);
	char id[16];

	admin_test_world()->h.authority = 1;
	admin_test_world()->h.authority_version = 1;
	for (int i = 1; i < LOT; i++) {
		(void)snprintf(id, sizeof(id), "unit-%d", i);
		(void)help_certificate(&admin_test_world()->h, id, 0, id);
	}
	must_revoke(
	        "{\"from\":\"%\",\"to\":\"2026-01-01\"}", "2020-01-01", 0, 0);
	must_revoke(
	        "{\"from\":\"%\",\"dry_run\":true}", "2020-01-01", LOT, LOT);
	must_revoke("{\"from\":\"%\",\"authority\":\"factory\","
	            "\"to\":\"9999-01-01T00:00:00+02:00\"}",
	        "2020-01-01", LOT, LOT);
	must_be(o, "revoked", "unspecified");
	must_revoke("{\"from\":\"%\"}", "2020-01-01", LOT, 0);
	json_decref(o);
}
END_TEST

void admin_test_certs(TCase *tc)
{
	tcase_add_test(tc, certificate_is_issued_on_record);
	tcase_add_test(tc, name_without_a_place_in_the_profile_is_refused);
	tcase_add_test(tc, suspend_holds_and_resume_releases);
	tcase_add_test(tc, certificate_is_revoked_by_its_serial_number);
	tcase_add_test(tc, state_that_allows_no_change_is_a_conflict);
	tcase_add_test(tc, device_is_revoked_whole_and_suspended);
	tcase_add_test(tc, key_is_revoked_and_never_certified_again);
	tcase_add_test(tc, lot_is_revoked_by_when_it_was_issued);
}
