/* cmd/mica_request.c - mica request: devices' requests that wait for an
 * operator, where a label has `approve: manual`. */
#include "cmd/mica.h"

#define PATH_MAX_BYTES 1024
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
	print_user(row, "decided_by");
}

enum cli_exit mica_request_list(struct cli *cli)
{
	return list_by_state(cli, "/v1/requests", "requests", columns,
	        COUNT(columns), make_readable);
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
