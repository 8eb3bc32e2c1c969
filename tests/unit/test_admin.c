/* The admin API: who may what, what is refused and how, lists page by page; on
 * a real store, with the HTTP server's stand-in of enroll_world.c. */
#include "tests/unit/test_admin.h"

#include "admin/call.h"
#include "admin/describe.h"
#include "admin/role.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OWN = ADMIN_UID_OWN, AUDITOR, OPERATOR, ADMIN, STRANGER };
enum { OPERATORS = 5001, OTHERS };

static struct world w;
static struct conf conf;
static struct admin *admin;
static struct metrics *metrics;

static const struct conf_grantee access_list[] = {
	{ false, AUDITOR, CONF_ROLE_AUDITOR },
	{ false, OPERATOR, CONF_ROLE_OPERATOR },
	{ false, ADMIN, CONF_ROLE_ADMIN },
	{ true, OPERATORS, CONF_ROLE_OPERATOR },
};

/* --- the rest of the HTTP server's stand-in */
bool http_req_peer_uid(const struct http_req *req, uid_t *uid, gid_t *gid)
{
	*uid = req->uid;
	*gid = req->gid;
	return true;
}

size_t http_req_peer_groups(
        const struct http_req *req, gid_t *groups, size_t max)
{
	ck_assert_uint_le(req->n_groups, max);
	memcpy(groups, req->groups, req->n_groups * sizeof(*groups));
	return req->n_groups;
}

struct bytes http_req_query(const struct http_req *req)
{
	return bytes_str(req->query);
}

struct bytes http_req_rest(const struct http_req *req)
{
	return bytes_str(req->path + strlen(req->route->path));
}

bool http_req_is_gone(const struct http_req *req)
{
	return req->answered;
}

void http_answer_text(struct http_req *req, unsigned status, const char *text)
{
	http_answer(req, status, NULL, 0, bytes_str(text));
}

/* --- asking */
static void begin(void)
{
	struct admin_opts o = { .conf = &conf };
	int fd;

	world_begin(&w, NULL);
	conf = *w.conf;
	conf.access = access_list;
	conf.n_access = sizeof(access_list) / sizeof(*access_list);
	fd = metrics_create();
	ck_assert_int_eq(metrics_map(&metrics, fd, 0), RC_OK);
	close(fd);
	o.metrics = metrics;
	o.loop = w.h.loop;
	o.store = w.h.store;
	o.authorities = w.authorities;
	o.profiles = w.profiles;
	o.authorizer = w.authorizer;
	o.issuer = w.issuer;
	ck_assert_int_eq(admin_new(&admin, &o), RC_OK);
	admin->own = OWN;
}

static void end(void)
{
	ck_assert_uint_eq(admin_pending(admin), 0);
	admin_free(admin);
	metrics_unmap(metrics);
	world_end(&w);
}

/* The answer's object; the caller lets go of it. */
static json_t *ask_req(struct http_req *req, unsigned *status)
{
	json_t *json;

	req->routes = admin_routes(admin);
	*status = world_ask(&w, req);
	ck_assert_str_eq(req->content_type, "application/json");
	json = json_loadb((const char *)req->answer.p, req->answer.n, 0, NULL);
	ck_assert(json_is_object(json));
	world_forget(req);
	return json;
}

static json_t *get(const char *path, const char *query, unsigned *status)
{
	struct http_req req = { .path = path, .query = query, .uid = OPERATOR };

	return ask_req(&req, status);
}

static json_t *post(const char *path, const char *body, unsigned *status)
{
	struct http_req req = { .method = HTTP_POST,
		.path = path,
		.body = bytes_str(body),
		.uid = OPERATOR };

	return ask_req(&req, status);
}

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	ck_assert_msg(s != NULL, "no %s", key);
	return s;
}

static const char *code(const json_t *o)
{
	const json_t *error = json_object_get(o, "error");

	ck_assert(json_object_size(o) == 1);
	ck_assert_str_ne(text(error, "text"), "");
	return text(error, "code");
}

static const char *error_text(const json_t *o)
{
	return text(json_object_get(o, "error"), "text");
}

static void must_post(const char *path, const char *body)
{
	unsigned status;
	json_t *o = post(path, body, &status);

	ck_assert_msg(status == 200, "%s %s: %u", path, body, status);
	json_decref(o);
}

/* --- for the other parts */
struct conf *admin_test_conf(void)
{
	return &conf;
}

struct world *admin_test_world(void)
{
	return &w;
}

json_t *admin_test_ask(uid_t uid, const char *path, const char *query,
        const char *body, unsigned *status)
{
	struct http_req req = {
		.method = body != NULL ? HTTP_POST : HTTP_GET,
		.path = path,
		.query = query,
		.body = bytes_str(body),
		.uid = uid,
	};

	return ask_req(&req, status);
}

const char *admin_test_text(const json_t *o, const char *key)
{
	return text(o, key);
}

const char *admin_test_code(const json_t *o)
{
	return code(o);
}

/* --- roles */
static const struct {
	const char *name;
	uid_t uid;
	gid_t gid, group; /* group: a supplementary one */
	int role;         /* -1: none */
} askers[] = {
	{ "root", 0, 0, 0, CONF_ROLE_ADMIN },
	{ "the daemon's own user", OWN, OTHERS, 0, CONF_ROLE_ADMIN },
	{ "an auditor", AUDITOR, OTHERS, 0, CONF_ROLE_AUDITOR },
	{ "an operator", OPERATOR, OTHERS, 0, CONF_ROLE_OPERATOR },
	{ "an admin", ADMIN, OTHERS, 0, CONF_ROLE_ADMIN },
	{ "an operator by group", STRANGER, OPERATORS, 0, CONF_ROLE_OPERATOR },
	{ "an operator by a further group", STRANGER, OTHERS, OPERATORS,
	        CONF_ROLE_OPERATOR },
	{ "an auditor who is an operator by group", AUDITOR, OTHERS, OPERATORS,
	        CONF_ROLE_OPERATOR },
	{ "an admin who is an operator by group", ADMIN, OPERATORS, 0,
	        CONF_ROLE_ADMIN },
	{ "a stranger", STRANGER, OTHERS, OTHERS, -1 },
	/* Numbers of users are not numbers of groups. */
	{ "a group numbered as an admin", STRANGER, ADMIN, ADMIN, -1 },
	{ "a user numbered as a group", OPERATORS, OTHERS, OTHERS, -1 },
};
#define ASKERS ((int)(sizeof(askers) / sizeof(*askers)))

START_TEST(role_is_the_highest_that_applies)
{
	const struct role_asker who = { askers[_i].uid, askers[_i].gid,
		&askers[_i].group, 1 };
	enum conf_role role;
	bool any = role_of(&conf, OWN, &who, &role);

	ck_assert_msg(any == (askers[_i].role >= 0), "%s", askers[_i].name);
	if (any)
		ck_assert_msg(
		        (int)role == askers[_i].role, "%s", askers[_i].name);
}
END_TEST

static const struct {
	enum http_method method;
	const char *path;
	enum conf_role least;
} routes[] = {
	{ HTTP_GET, "/v1/status", CONF_ROLE_AUDITOR },
	{ HTTP_GET, "/v1/devices", CONF_ROLE_AUDITOR },
	{ HTTP_GET, "/v1/devices/x", CONF_ROLE_AUDITOR },
	{ HTTP_POST, "/v1/devices", CONF_ROLE_OPERATOR },
	{ HTTP_POST, "/v1/devices/x/suspend", CONF_ROLE_OPERATOR },
	{ HTTP_POST, "/v1/devices/x/resume", CONF_ROLE_OPERATOR },
	{ HTTP_POST, "/v1/tokens", CONF_ROLE_OPERATOR },
	{ HTTP_GET, "/v1/certs", CONF_ROLE_AUDITOR },
	{ HTTP_GET, "/v1/certs/01", CONF_ROLE_AUDITOR },
	{ HTTP_POST, "/v1/certs", CONF_ROLE_OPERATOR },
	{ HTTP_POST, "/v1/revocations", CONF_ROLE_OPERATOR },
	{ HTTP_GET, "/v1/store/floor", CONF_ROLE_AUDITOR },
	{ HTTP_GET, "/v1/audit", CONF_ROLE_AUDITOR },
	{ HTTP_POST, "/v1/store/floor", CONF_ROLE_ADMIN },
	{ HTTP_GET, "/v1/authorities", CONF_ROLE_AUDITOR },
	{ HTTP_POST, "/v1/authorities/x/revoke", CONF_ROLE_ADMIN },
	{ HTTP_GET, "/v1/approvals", CONF_ROLE_AUDITOR },
	{ HTTP_GET, "/v1/approvals/1", CONF_ROLE_AUDITOR },
	{ HTTP_POST, "/v1/approvals", CONF_ROLE_OPERATOR },
	{ HTTP_POST, "/v1/approvals/1/approve", CONF_ROLE_OPERATOR },
	{ HTTP_GET, "/v1/requests", CONF_ROLE_AUDITOR },
	{ HTTP_GET, "/v1/requests/1", CONF_ROLE_AUDITOR },
	{ HTTP_POST, "/v1/requests/1/approve", CONF_ROLE_OPERATOR },
};
#define ROUTES (sizeof(routes) / sizeof(*routes))

START_TEST(each_route_is_for_its_role_and_above)
{
	for (size_t i = 0; i < ROUTES; i++) {
		struct http_req req = { .method = routes[i].method,
			.path = routes[i].path,
			.uid = askers[_i].uid,
			.gid = askers[_i].gid,
			.groups = { askers[_i].group },
			.n_groups = 1 };
		bool may = askers[_i].role >= (int)routes[i].least;
		unsigned status;
		json_t *o = ask_req(&req, &status);

		ck_assert_msg(may == (status != 403), "%s: %s: %u",
		        askers[_i].name, routes[i].path, status);
		if (!may)
			ck_assert_str_eq(code(o), "permission");
		json_decref(o);
	}
}
END_TEST

/* --- refusals */
static const struct {
	const char *path, *body;
	unsigned status;
	const char *code;
} refusals[] = {
	{ "/v1/devices", "", 400, "malformed" },
	{ "/v1/devices", "{", 400, "malformed" },
	{ "/v1/devices", "[]", 400, "malformed" },
	{ "/v1/devices", "{}", 400, "malformed" },
	{ "/v1/devices", "{\"id\":1}", 400, "malformed" },
	{ "/v1/devices", "{\"id\":\"a\",\"id\":\"b\"}", 400, "malformed" },
	{ "/v1/devices", "{\"id\":\"a\"} x", 400, "malformed" },
	{ "/v1/devices", "{\"id\":\"a\",\"nte\":\"misspelt\"}", 400,
	        "malformed" },
	{ "/v1/devices", "{\"id\":\"\"}", 400, "malformed" },
	{ "/v1/devices", "{\"id\":\"a/b\"}", 400, "malformed" },
	{ "/v1/devices", "{\"id\":\"a\",\"note\":\"two\\nlines\"}", 400,
	        "malformed" },
	{ "/v1/devices/x", "", 404, "not_found" },
	{ "/v1/devices/x/revoke", "", 404, "not_found" },
	{ "/v1/devices/x/suspend", "", 404, "not_found" },
	{ "/v1/devices/%zz/suspend", "", 400, "malformed" },
	{ "/v1/tokens", "{\"device\":\"a\"}", 400, "malformed" },
	{ "/v1/tokens", "{\"device\":\"a\",\"profile\":\"nope\"}", 404,
	        "not_found" },
	/* There, but no label lets its tokens in. */
	{ "/v1/tokens", "{\"device\":\"a\",\"profile\":\"server\"}", 404,
	        "not_found" },
	{ "/v1/tokens",
	        "{\"device\":\"a\",\"profile\":\"keep\",\"authority\":\"b\"}",
	        404, "not_found" },
	{ "/v1/tokens", "{\"device\":\"a\",\"profile\":\"keep\",\"life\":59}",
	        400, "malformed" },
	{ "/v1/tokens",
	        "{\"device\":\"a\",\"profile\":\"keep\",\"life\":315360001}",
	        400, "malformed" },
	{ "/v1/tokens", "{\"device\":\"a\",\"profile\":\"keep\",\"life\":-1}",
	        400, "malformed" },
	{ "/v1/certs", "{\"csr\":\"\"}", 400, "malformed" },
	{ "/v1/certs", "{\"csr\":\"\",\"profile\":\"nope\"}", 404,
	        "not_found" },
	{ "/v1/certs", "{\"csr\":\"\",\"profile\":\"server\"}", 400,
	        "malformed" },
	{ "/v1/certs",
	        "{\"csr\":\"AAAA\",\"profile\":\"server\",\"device\":\"a\"}",
	        400, "malformed" },
	{ "/v1/certs", "{\"csr\":\"\",\"profile\":\"server\",\"dns\":\"a\"}",
	        400, "malformed" },
	{ "/v1/certs", "{\"csr\":\"\",\"profile\":\"server\",\"dns\":[1]}", 400,
	        "malformed" },
	{ "/v1/approvals", "{}", 400, "malformed" },
	{ "/v1/approvals",
	        "{\"action\":\"frob\",\"object\":\"a\",\"parameters\":{}}", 400,
	        "malformed" },
	{ "/v1/approvals",
	        "{\"action\":\"key.create\",\"object\":\"a\","
	        "\"parameters\":{}}",
	        403, "permission" },
	{ "/v1/approvals/1/approve", "", 404, "not_found" },
	{ "/v1/approvals/1/frob", "", 404, "not_found" },
	{ "/v1/approvals/1", "", 404, "not_found" },
	{ "/v1/approvals/x/deny", "", 404, "not_found" },
	{ "/v1/requests/1/approve", "", 404, "not_found" },
	{ "/v1/requests/1/frob", "", 404, "not_found" },
	{ "/v1/requests/0/deny", "", 404, "not_found" },
	{ "/v1/requests/x/deny", "", 404, "not_found" },
	{ "/v1/revocations", "{}", 400, "malformed" },
	{ "/v1/revocations", "{\"serial\":\"01\"}", 404, "not_found" },
	{ "/v1/revocations", "{\"serial\":\"xyz\"}", 400, "malformed" },
	{ "/v1/revocations", "{\"serial\":\"01\",\"device\":\"a\"}", 400,
	        "malformed" },
	{ "/v1/revocations", "{\"serial\":\"01\",\"authority\":\"none\"}", 404,
	        "not_found" },
	{ "/v1/revocations", "{\"device\":\"nobody\"}", 404, "not_found" },
	{ "/v1/revocations", "{\"device\":\"a\",\"authority\":\"factory\"}",
	        400, "malformed" },
	{ "/v1/revocations", "{\"device\":\"a\",\"change\":\"hold\"}", 400,
	        "malformed" },
	{ "/v1/revocations", "{\"device\":\"a\",\"change\":\"frob\"}", 400,
	        "malformed" },
	{ "/v1/revocations", "{\"device\":\"a\",\"cursor\":\"zz\"}", 400,
	        "malformed" },
	{ "/v1/revocations", "{\"spki_sha256\":\"00\"}", 400, "malformed" },
	{ "/v1/revocations", "{\"serial\":\"01\",\"reason\":\"frob\"}", 400,
	        "malformed" },
	{ "/v1/revocations", "{\"serial\":\"01\",\"reason\":\"removeFromCRL\"}",
	        400, "malformed" },
	{ "/v1/revocations",
	        "{\"serial\":\"01\",\"reason\":\"certificateHold\"}", 400,
	        "malformed" },
	{ "/v1/revocations",
	        "{\"serial\":\"01\",\"change\":\"hold\",\"reason\":"
	        "\"superseded\"}",
	        400, "malformed" },
	{ "/v1/revocations", "{\"serial\":\"01\",\"invalid_since\":\"soon\"}",
	        400, "malformed" },
	{ "/v1/revocations",
	        "{\"serial\":\"01\",\"invalid_since\":\"9999-01-01\"}", 400,
	        "malformed" },
	{ "/v1/revocations", "{\"from\":\"2026-01-01\",\"to\":\"2026-01-01\"}",
	        400, "malformed" },
	{ "/v1/revocations", "{\"from\":\"9999-01-01\"}", 400, "malformed" },
	{ "/v1/revocations", "{\"from\":\"yesterday\"}", 400, "malformed" },
	{ "/v1/revocations", "{\"to\":\"2026-01-01\"}", 400, "malformed" },
	{ "/v1/revocations", "{\"from\":\"2026-01-01\",\"authority\":\"none\"}",
	        404, "not_found" },
	{ "/v1/revocations", "{\"serial\":\"01\",\"dry_run\":\"yes\"}", 400,
	        "malformed" },
	{ "/v1/certs",
	        "{\"csr\":\"\",\"profile\":\"server\",\"authority\":\"b\","
	        "\"device\":\"a\"}",
	        404, "not_found" },
};

START_TEST(what_is_wrong_is_refused_in_one_form)
{
	unsigned status;
	json_t *o = post(refusals[_i].path, refusals[_i].body, &status);

	ck_assert_msg(status == refusals[_i].status &&
	                strcmp(code(o), refusals[_i].code) == 0,
	        "%s %s: %u %s", refusals[_i].path, refusals[_i].body, status,
	        code(o));
	json_decref(o);
}
END_TEST

static const struct {
	const char *path, *query;
	unsigned status;
} queries[] = {
	{ "/v1/devices", "max=0", 400 },
	{ "/v1/devices", "max=257", 400 },
	{ "/v1/devices", "max=-1", 400 },
	{ "/v1/devices", "max=256", 200 },
	{ "/v1/devices", "cursor=0", 400 },
	{ "/v1/devices", "cursor=zz", 400 },
	{ "/v1/certs", "state=held", 400 },
	{ "/v1/certs", "state=intent", 200 },
	{ "/v1/certs", "state=abandoned", 200 },
	{ "/v1/certs", "state=revoked", 200 },
	{ "/v1/certs", "state=revoked&authority=factory", 200 },
	{ "/v1/certs", "state=revoked&authority=none", 404 },
	{ "/v1/certs", "device=nobody", 404 },
	{ "/v1/certs", "device=a&state=intent", 400 },
	{ "/v1/certs", "expires_within=2592000", 200 },
	{ "/v1/certs", "expires_within=-5", 400 },
	{ "/v1/certs", "", 200 },
	{ "/v1/certs", "frob=1", 400 },
	{ "/v1/certs", "devise=a", 400 },
	{ "/v1/certs", "device", 200 },
	{ "/v1/certs", "max=1&max=2", 400 },
	{ "/v1/certs", "&", 400 },
	{ "/v1/certs", "authority=factory", 400 },
	{ "/v1/devices/nobody", "authority=factory", 400 },
	{ "/v1/status", "verbose=1", 400 },
	{ "/v1/audit", "", 200 },
	{ "/v1/audit", "max=1&cursor=2", 200 },
	{ "/v1/audit", "max=0", 400 },
	{ "/v1/audit", "cursor=x", 400 },
	{ "/v1/certs/", "", 400 },
	{ "/v1/certs/xyz", "", 400 },
	{ "/v1/certs/00112233445566778899aabbccddeeff0011223344", "", 400 },
	{ "/v1/certs/0011", "", 404 },
	{ "/v1/certs/00:11", "authority=factory", 404 },
	{ "/v1/devices/nobody", "", 404 },
	{ "/v1/approvals", "state=frob", 400 },
	{ "/v1/approvals", "state=closed&max=1", 200 },
	{ "/v1/approvals/1", "", 404 },
	{ "/v1/requests", "state=frob", 400 },
	{ "/v1/requests", "state=closed&max=1", 200 },
	{ "/v1/requests/1", "", 404 },
};

START_TEST(queries_are_read_strictly)
{
	unsigned status;
	json_t *o = get(queries[_i].path, queries[_i].query, &status);

	ck_assert_msg(status == queries[_i].status, "%s?%s: %u",
	        queries[_i].path, queries[_i].query, status);
	json_decref(o);
}
END_TEST

/* --- devices */
START_TEST(device_is_added_once_and_shown)
{
	unsigned status;
	json_t *o;

	must_post(
	        "/v1/devices", "{\"id\":\"PID:X1 SN:7\",\"note\":\"line 1\"}");
	o = post("/v1/devices", "{\"id\":\"PID:X1 SN:7\"}", &status);
	ck_assert_str_eq(code(o), "exists");
	json_decref(o);
	o = get("/v1/devices/PID:X1%20SN:7", NULL, &status);
	ck_assert_uint_eq(status, 200);
	ck_assert_str_eq(text(o, "id"), "PID:X1 SN:7");
	ck_assert_str_eq(text(o, "note"), "line 1");
	ck_assert_str_eq(text(o, "state"), "active");
	ck_assert_uint_eq(
	        json_array_size(json_object_get(o, "certificates")), 0);
	json_decref(o);
}
END_TEST

START_TEST(pages_neither_skip_nor_repeat)
{
	char seen[256] = "", query[512] = "max=2", body[64];
	unsigned pages = 0, status;
	bool more = true;

	for (int i = 0; i < 5; i++) {
		(void)snprintf(body, sizeof(body), "{\"id\":\"d%d\"}", i);
		must_post("/v1/devices", body);
	}
	while (more) {
		json_t *o = get("/v1/devices", query, &status);
		const json_t *rows = json_object_get(o, "devices");
		const json_t *cursor = json_object_get(o, "cursor");

		ck_assert_uint_eq(status, 200);
		ck_assert_uint_le(json_array_size(rows), 2);
		for (size_t i = 0; i < json_array_size(rows); i++)
			(void)snprintf(seen + strlen(seen),
			        sizeof(seen) - strlen(seen), "%s ",
			        text(json_array_get(rows, i), "id"));
		more = cursor != NULL;
		if (more)
			(void)snprintf(query, sizeof(query), "max=2&cursor=%s",
			        json_string_value(cursor));
		pages++;
		json_decref(o);
	}
	ck_assert_str_eq(seen, "d0 d1 d2 d3 d4 ");
	ck_assert_uint_eq(pages, 3);
}
END_TEST

/* --- tokens */
START_TEST(token_is_stored_by_its_hash_and_told_once)
{
	struct store_token_get stored = { .op = { .actor = "" } };
	int64_t now_us = clock_now_us();
	unsigned status;
	json_t *o = post("/v1/tokens",
	        "{\"device\":\"new\",\"profile\":\"keep\",\"life\":3600}",
	        &status);

	ck_assert_uint_eq(status, 200);
	ck_assert_str_eq(text(o, "device"), "new");
	ck_assert_str_eq(text(o, "authority"), "factory");
	ck_assert_str_eq(text(o, "profile"), "keep");
	ck_assert_int_eq(
	        token_hash(w.digest, bytes_str(text(o, "token")), stored.hash),
	        RC_OK);
	ck_assert_int_eq(HELP_DO(&w.h, store_token_get, &stored), RC_OK);
	ck_assert_str_eq(stored.token.device, "new");
	ck_assert_str_eq(stored.token.profile, "keep");
	ck_assert_int_eq(stored.token.state, TOKEN_UNSPENT);
	ck_assert_int_ge(stored.token.expires_us, now_us + 3600000000);
	ck_assert_int_le(stored.token.expires_us, now_us + 3660000000);
	ck_assert_uint_ne(help_device(&w.h, "new"), 0);
	json_decref(o);
}
END_TEST

/* X.520 lets a commonName have 64 characters. */
START_TEST(device_id_that_no_name_can_hold_is_refused_early)
{
	char body[256], id[100] = "";
	unsigned status;
	json_t *o;

	conf.n_labels = 1;
	memset(id, 'a', 65);
	(void)snprintf(body, sizeof(body), "{\"device\": \"%s\"}", id);
	o = post("/v1/tokens", body, &status);
	ck_assert_uint_eq(status, 400);
	ck_assert_ptr_nonnull(strstr(error_text(o), "64"));
	json_decref(o);
	(void)snprintf(body, sizeof(body), "{\"id\": \"%s\"}", id);
	o = post("/v1/devices", body, &status);
	ck_assert_uint_eq(status, 400);
	ck_assert_ptr_nonnull(strstr(error_text(o), "64"));
	json_decref(o);
	id[64] = '\0';
	(void)snprintf(body, sizeof(body), "{\"id\": \"%s\"}", id);
	must_post("/v1/devices", body);
}
END_TEST

START_TEST(token_of_the_only_pair_needs_no_profile)
{
	unsigned status;
	json_t *o;

	/* keep, by two labels */
	conf.n_labels = 1;
	o = post("/v1/tokens", "{\"device\":\"a\"}", &status);
	ck_assert_uint_eq(status, 200);
	ck_assert_str_eq(text(o, "profile"), "keep");
	json_decref(o);
}
END_TEST

START_TEST(token_for_a_suspended_device_is_refused)
{
	unsigned status;
	json_t *o;

	must_post("/v1/devices", "{\"id\":\"a\"}");
	must_post("/v1/devices/a/suspend", "");
	o = post("/v1/tokens", "{\"device\":\"a\",\"profile\":\"keep\"}",
	        &status);
	ck_assert_str_eq(code(o), "denied");
	json_decref(o);
}
END_TEST

/* --- status */
static json_t *lower(const char *body, unsigned *status)
{
	struct http_req req = { .method = HTTP_POST,
		.path = "/v1/store/floor",
		.body = bytes_str(body),
		.uid = ADMIN };

	return ask_req(&req, status);
}

START_TEST(floor_is_shown_and_lowered)
{
	char ahead[TEXT_TIME_BYTES], body[64];
	unsigned status;
	json_t *o;

	clock_set_shift_s(86400);
	must_post("/v1/devices", "{\"id\": \"ahead\"}");
	clock_set_shift_s(0);
	o = get("/v1/store/floor", "", &status);
	ck_assert_uint_eq(status, 200);
	ck_assert(json_is_false(json_object_get(o, "issuing")));
	(void)snprintf(ahead, sizeof(ahead), "%s", text(o, "clock_floor"));
	json_decref(o);
	/* Above it, below the clock, and neither. */
	(void)snprintf(body, sizeof(body), "{\"to\": \"%s\"}", "2999-01-01");
	o = lower(body, &status);
	ck_assert_str_eq(code(o), "conflict");
	json_decref(o);
	o = lower("{\"to\": \"2001-01-01\"}", &status);
	ck_assert_str_eq(code(o), "conflict");
	json_decref(o);
	json_decref(lower("{\"to\": \"soon\"}", &status));
	ck_assert_uint_eq(status, 400);
	json_decref(lower("{}", &status));
	ck_assert_uint_eq(status, 400);
	json_decref(lower("{\"now\": true, \"to\": \"2999-01-01\"}", &status));
	ck_assert_uint_eq(status, 400);
	o = lower("{\"now\": true}", &status);
	ck_assert_uint_eq(status, 200);
	ck_assert(json_is_true(json_object_get(o, "issuing")));
	ck_assert_str_eq(text(o, "before"), ahead);
	ck_assert_str_lt(text(o, "clock_floor"), ahead);
	json_decref(o);
}
END_TEST

START_TEST(status_counts_and_warns)
{
	const struct admin_process p[] = { { "supervisor", 10, true, 0 },
		{ "worker-1", 12, false, 3 } };
	unsigned status;
	json_t *o = admin_test_issue(",\"dns\":[\"a.example\"]", &status);
	const json_t *rows, *warnings;

	json_decref(o);
	admin_set_processes(admin, p, 2);
	o = get("/v1/status", NULL, &status);
	ck_assert_uint_eq(status, 200);
	rows = json_object_get(o, "processes");
	ck_assert_uint_eq(json_array_size(rows), 2);
	ck_assert_str_eq(text(json_array_get(rows, 1), "name"), "worker-1");
	ck_assert_int_eq(json_integer_value(json_object_get(
	                         json_array_get(rows, 1), "restarts")),
	        3);
	ck_assert_int_eq(json_integer_value(json_object_get(
	                         json_object_get(o, "store"), "issued")),
	        1);
	warnings = json_object_get(o, "warnings");
	ck_assert_uint_eq(json_array_size(warnings), 1);
	ck_assert_ptr_nonnull(strstr(
	        json_string_value(json_array_get(warnings, 0)), "boundary"));
	json_decref(o);
}
END_TEST

/* --- serial numbers */
static const struct {
	const char *in, *out; /* NULL: refused */
} serials[] = {
	{ "01", "01" },
	{ "1", "01" },
	{ "00", "00" },
	{ "0000ab", "ab" },
	{ "0aBc", "0abc" },
	{ "4d:06:60", "4d0660" },
	{ "4d0660d54e9192261e9276f4c0002062ba8160a1",
	        "4d0660d54e9192261e9276f4c0002062ba8160a1" },
	{ "4d0660d54e9192261e9276f4c0002062ba8160a100", NULL },
	{ "", NULL },
	{ ":", NULL },
	{ "0x12", NULL },
	{ "-1", NULL },
};

START_TEST(serial_numbers_are_read_as_people_write_them)
{
	uint8_t serial[STORE_SERIAL_BYTES];
	char out[SERIAL_TEXT_BYTES];
	enum rc rc = serial_parse(serial, serials[_i].in, NULL);

	ck_assert_int_eq(rc == RC_OK, serials[_i].out != NULL);
	if (rc == RC_OK)
		ck_assert_str_eq(serial_text(out, serial), serials[_i].out);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof(*(a))))

int main(void)
{
	Suite *s = suite_create("admin");
	TCase *c = tcase_create("admin");
	SRunner *r;
	int failed;

	log_open("test", LOG_ERROR, LOG_TEXT);
	tcase_add_checked_fixture(c, begin, end);
	tcase_add_loop_test(c, role_is_the_highest_that_applies, 0, ASKERS);
	tcase_add_loop_test(c, each_route_is_for_its_role_and_above, 0, ASKERS);
	tcase_add_loop_test(
	        c, what_is_wrong_is_refused_in_one_form, 0, COUNT(refusals));
	tcase_add_loop_test(c, queries_are_read_strictly, 0, COUNT(queries));
	tcase_add_test(c, device_is_added_once_and_shown);
	tcase_add_test(c, pages_neither_skip_nor_repeat);
	tcase_add_test(c, token_is_stored_by_its_hash_and_told_once);
	tcase_add_test(c, device_id_that_no_name_can_hold_is_refused_early);
	tcase_add_test(c, token_of_the_only_pair_needs_no_profile);
	tcase_add_test(c, token_for_a_suspended_device_is_refused);
	tcase_add_test(c, floor_is_shown_and_lowered);
	tcase_add_test(c, status_counts_and_warns);
	tcase_add_loop_test(c, serial_numbers_are_read_as_people_write_them, 0,
	        COUNT(serials));
	admin_test_certs(c);
	admin_test_approvals(c);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
