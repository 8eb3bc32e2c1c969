/* cmd/mica_request.c - mica request: devices' requests that wait for an
 * operator, where a label has `approve: manual`. */
#include "cmd/mica.h"

#include <pwd.h>
#include <stdio.h>

#define PATH_MAX_BYTES 1024
#define WHO_BYTES 64
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct print_field columns[] = {
	{ "ID", "id" },
	{ "STATE", "state" },
	{ "DEVICE", "device" },
	{ "PROFILE", "profile" },
	{ "ASKED", "asked" },
	{ "EXPIRES", "expires" },
	{ "DECIDED BY", "decided_by" },
};
static const struct print_field lines[] = {
	{ "request", "id" },
	{ "state", "state" },
	{ "device", "device" },
	{ "profile", "profile" },
	{ "label", "label" },
	{ "subject", "subject" },
	{ "names", "names" },
	{ "key sha256", "spki_sha256" },
	{ "content sha256", "request_sha256" },
	{ "requester", "requester" },
	{ "asked", "asked" },
	{ "expires", "expires" },
	{ "decided by", "decided_by" },
	{ "decided", "decided" },
	{ "closed", "closed" },
};

static void make_readable(json_t *row)
{
	const json_t *uid = json_object_get(row, "decided_by");
	const struct passwd *pw;
	char who[WHO_BYTES];

	if (!json_is_integer(uid))
		return;
	pw = getpwuid((uid_t)json_integer_value(uid));
	snprintf(who, sizeof(who), "%" JSON_INTEGER_FORMAT "%s%.40s%s",
	        json_integer_value(uid), pw != NULL ? " (" : "",
	        pw != NULL ? pw->pw_name : "", pw != NULL ? ")" : "");
	json_object_set_new(row, "decided_by", json_string(who));
}

enum cli_exit mica_request_list(struct cli *cli)
{
	struct buf path = BUF_INIT(PATH_MAX_BYTES);
	json_t *answer = NULL, *row;
	enum cli_exit status;
	size_t i;

	buf_add_str(&path, "/v1/requests");
	if (cli_given(cli, OPT_STATE)) {
		buf_add_str(&path, "?state=");
		api_escape(&path, cli_value(cli, OPT_STATE));
	}
	status = buf_cstr(&path) == NULL
	        ? cli_fail(cli, path.failed, NULL)
	        : api_list(cli, buf_cstr(&path), "requests", &answer);
	if (status == CLI_OK && cli->json) {
		print_json(answer);
	} else if (status == CLI_OK) {
		json_array_foreach(json_object_get(answer, "requests"), i, row)
		        make_readable(row);
		print_list(answer, "requests", columns, COUNT(columns));
	}
	json_decref(answer);
	buf_free(&path);
	return status;
}

/* One request, by its number: "" to look, "/approve", "/deny". */
static enum cli_exit call_one(
        struct cli *cli, const char *method, const char *verb)
{
	struct buf path = BUF_INIT(PATH_MAX_BYTES);
	json_t *answer = NULL;
	enum cli_exit status;

	buf_add_str(&path, "/v1/requests/");
	api_escape(&path, cli->args[0]);
	buf_add_str(&path, verb);
	status = buf_cstr(&path) == NULL
	        ? cli_fail(cli, path.failed, NULL)
	        : api_call(cli, method, buf_cstr(&path), NULL, &answer);
	if (status == CLI_OK && cli->json) {
		print_json(answer);
	} else if (status == CLI_OK) {
		make_readable(answer);
		print_fields(answer, lines, COUNT(lines));
	}
	json_decref(answer);
	buf_free(&path);
	return status;
}

enum cli_exit mica_request_show(struct cli *cli)
{
	return call_one(cli, "GET", "");
}

enum cli_exit mica_request_approve(struct cli *cli)
{
	return call_one(cli, "POST", "/approve");
}

enum cli_exit mica_request_deny(struct cli *cli)
{
	return call_one(cli, "POST", "/deny");
}
