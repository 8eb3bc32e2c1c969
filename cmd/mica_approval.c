/* cmd/mica_approval.c - mica approval: the other operator's side of the
 * two-person rule; and the asking side, for commands that do by themselves what
 * it covers. */
#include "cmd/mica.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_MAX_BYTES 1024

static const struct print_field columns[] = {
	{ "ID", "id" },
	{ "STATE", "state" },
	{ "ACTION", "action" },
	{ "OBJECT", "object" },
	{ "ASKED BY", "asked_by" },
	{ "EXPIRES", "expires" },
	{ "DECIDED BY", "decided_by" },
};
static const struct print_field lines[] = {
	{ "request", "id" },
	{ "state", "state" },
	{ "action", "action" },
	{ "object", "object" },
	{ "content", "content" },
	{ "sha256", "sha256" },
	{ "asked by", "asked_by" },
	{ "asked", "asked" },
	{ "expires", "expires" },
	{ "decided by", "decided_by" },
	{ "decided", "decided" },
	{ "closed", "closed" },
};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* --- for people: names beside numbers, parameters in a line */

static void make_readable(json_t *row)
{
	const json_t *parameters = json_object_get(row, "parameters");
	/* Nothing that a terminal would act on, or show in another order. */
	char *text = json_dumps(
	        parameters, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII);

	print_user(row, "asked_by");
	print_user(row, "decided_by");
	if (text != NULL)
		json_object_set_new(row, "content", json_string(text));
	free(text);
}

enum cli_exit mica_approval_list(struct cli *cli)
{
	return list_by_state(cli, "/v1/approvals", "approvals", columns,
	        COUNT(columns), make_readable);
}

/* One request, by its number: "" to look, "/approve", "/deny". */
static enum cli_exit call_one(struct cli *cli, const char *verb, json_t **out)
{
	struct buf path = BUF_INIT(PATH_MAX_BYTES);
	enum cli_exit status;

	buf_add_str(&path, "/v1/approvals/");
	api_escape(&path, cli->args[0]);
	buf_add_str(&path, verb);
	status = buf_cstr(&path) == NULL
	        ? cli_fail(cli, path.failed, NULL)
	        : api_call(cli, verb[0] != '\0' ? "POST" : "GET",
	                  buf_cstr(&path), NULL, out);
	buf_free(&path);
	return status;
}

static enum cli_exit show(struct cli *cli, const char *verb, const char *then)
{
	json_t *answer = NULL;
	enum cli_exit status = call_one(cli, verb, &answer);

	if (status == CLI_OK && cli->json) {
		print_json(answer);
	} else if (status == CLI_OK) {
		make_readable(answer);
		print_fields(answer, lines, COUNT(lines));
		if (then != NULL)
			puts(then);
	}
	json_decref(answer);
	return status;
}

enum cli_exit mica_approval_show(struct cli *cli)
{
	return show(cli, "", NULL);
}

enum cli_exit mica_approval_approve(struct cli *cli)
{
	return show(cli, "/approve",
	        "who asked carries it out with the same command again");
}

enum cli_exit mica_approval_deny(struct cli *cli)
{
	return show(cli, "/deny", NULL);
}

/* --- asking */

/* The daemon would say so, too; but where one operator is enough, a key can be
 * made with no daemon there. */
static enum rc is_needed(const struct cli *cli, bool *needed, struct why *why)
{
	struct buf text = BUF_INIT(PATH_MAX_BYTES);
	enum rc rc = config_text(cli, "approvals", &text, why);
	uint64_t n = 1;

	if (rc == RC_OK && text_u64(buf_bytes(&text), UINT32_MAX, &n) != RC_OK)
		rc = why_set(why, RC_CONFIG, "approvals: want a number");
	*needed = n > 1;
	buf_free(&text);
	return rc;
}

enum cli_exit cli_approve(struct cli *cli, const char *action,
        const char *object, json_t *parameters)
{
	struct why why = WHY_NONE;
	json_t *answer = NULL;
	bool needed = false;
	enum rc rc = is_needed(cli, &needed, &why);
	enum cli_exit status = CLI_OK;

	if (rc != RC_OK)
		status = cli_fail(cli, rc, &why);
	if (status == CLI_OK && needed)
		status = api_call(cli, "POST", "/v1/approvals",
		        json_pack("{s:s, s:s, s:O}", "action", action, "object",
		                object, "parameters", parameters),
		        &answer);
	json_decref(answer);
	json_decref(parameters);
	return status;
}
