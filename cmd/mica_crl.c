/* cmd/mica_crl.c - mica crl show, mica crl generate. */
#include "cmd/mica.h"

#include <string.h>
#include <time.h>

#define PATH_MAX_BYTES 1024
/* How long a new CRL is waited for; one of a million entries takes seconds. */
#define LOOKS 600
#define LOOK_NS 200000000

static const struct print_field fields[] = {
	{ "FILE", "file" },
	{ "STATE", "state" },
	{ "NUMBER", "number" },
	{ "ENTRIES", "entries" },
	{ "THIS UPDATE", "this_update" },
	{ "NEXT UPDATE", "next_update" },
	{ "FAILURE", "failure" },
};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static enum cli_exit get(struct cli *cli, json_t **out)
{
	struct buf path = BUF_INIT(PATH_MAX_BYTES);
	enum cli_exit status;

	buf_add_str(&path, "/v1/crls");
	if (cli_given(cli, OPT_AUTHORITY)) {
		buf_add_str(&path, "?authority=");
		api_escape(&path, cli_value(cli, OPT_AUTHORITY));
	}
	status = buf_cstr(&path) == NULL
	        ? cli_fail(cli, path.failed, NULL)
	        : api_call(cli, "GET", buf_cstr(&path), NULL, out);
	buf_free(&path);
	return status;
}

static void show(const struct cli *cli, const json_t *answer)
{
	if (cli->json)
		print_json(answer);
	else
		print_table(
		        json_object_get(answer, "crls"), fields, COUNT(fields));
}

enum cli_exit mica_crl_show(struct cli *cli)
{
	json_t *answer = NULL;
	enum cli_exit status = get(cli, &answer);

	if (status == CLI_OK)
		show(cli, answer);
	json_decref(answer);
	return status;
}

/* Is there a newer one of each that goes on? false and *failure: one was tried
 * and could not be made. */
static bool all_newer(
        const json_t *before, const json_t *now, const char **failure)
{
	const json_t *old = json_object_get(before, "crls"), *row;
	bool all = true;
	size_t i;

	json_array_foreach(json_object_get(now, "crls"), i, row)
	{
		const json_t *was = json_array_get(old, i);

		if (strcmp(json_text(row, "state"), "over") == 0)
			continue;
		if (json_text(row, "failure")[0] != '\0')
			*failure = json_text(row, "failure");
		all = all &&
		        json_integer_value(json_object_get(row, "number")) >
		                json_integer_value(
		                        json_object_get(was, "number"));
	}
	return all;
}

static enum cli_exit wait_for_new(
        struct cli *cli, const json_t *before, json_t **now)
{
	const struct timespec pause = { 0, LOOK_NS };
	enum cli_exit status = CLI_OK;
	const char *failure = NULL;
	struct why why = WHY_NONE;

	for (int i = 0; i < LOOKS && status == CLI_OK; i++) {
		json_decref(*now);
		*now = NULL;
		failure = NULL;
		status = get(cli, now);
		if (status != CLI_OK || all_newer(before, *now, &failure))
			return status;
		if (failure != NULL)
			break;
		nanosleep(&pause, NULL);
	}
	if (status != CLI_OK)
		return status;
	return cli_fail(cli, RC_UNAVAILABLE,
	        failure == NULL
	                ? (why_set(&why, RC_TIMEOUT, "it takes too long"), &why)
	                : (why_set(&why, RC_UNAVAILABLE, "%s", failure), &why));
}

enum cli_exit mica_crl_generate(struct cli *cli)
{
	json_t *before = NULL, *answer = NULL, *now = NULL;
	json_t *body = cli_given(cli, OPT_AUTHORITY)
	        ? json_pack("{s:s}", "authority", cli_value(cli, OPT_AUTHORITY))
	        : json_object();
	enum cli_exit status = get(cli, &before);

	if (status == CLI_OK)
		status = api_call(cli, "POST", "/v1/crls", body, &answer);
	else
		json_decref(body);
	if (status == CLI_OK)
		status = wait_for_new(cli, before, &now);
	if (status == CLI_OK)
		show(cli, now);
	json_decref(before);
	json_decref(answer);
	json_decref(now);
	return status;
}
