/* cmd/mica_device.c - mica device …, mica token create. */
#include "cmd/mica.h"
#include "conf/value.h"

#include <stdio.h>

#define PATH_MAX_BYTES 1024

static const struct print_field device_fields[] = {
	{ "DEVICE", "id" },
	{ "STATE", "state" },
	{ "VOUCHED BY", "anchor" },
	{ "CREATED", "created" },
	{ "NOTE", "note" },
};
static const struct print_field device_lines[] = {
	{ "device", "id" },
	{ "state", "state" },
	{ "vouched by", "anchor" },
	{ "created", "created" },
	{ "changed", "changed" },
	{ "note", "note" },
};
static const struct print_field cert_fields[] = {
	{ "SERIAL", "serial" },
	{ "STATE", "state" },
	{ "PROFILE", "profile" },
	{ "NOT AFTER", "not_after" },
};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* To /v1/devices/ID and what comes after. */
static enum cli_exit call_device(
        struct cli *cli, const char *method, const char *after, json_t **out)
{
	struct buf path = BUF_INIT(PATH_MAX_BYTES);
	const char *text;
	enum cli_exit status;

	buf_add_str(&path, "/v1/devices/");
	api_escape(&path, cli->args[0]);
	buf_add_str(&path, after);
	text = buf_cstr(&path);
	status = text == NULL ? cli_fail(cli, path.failed, NULL)
	                      : api_call(cli, method, text, NULL, out);
	buf_free(&path);
	return status;
}

enum cli_exit mica_device_add(struct cli *cli)
{
	const char *note = cli_value(cli, OPT_NOTE);
	json_t *answer = NULL;
	enum cli_exit status = api_call(cli, "POST", "/v1/devices",
	        json_pack("{s:s, s:s*}", "id", cli->args[0], "note", note),
	        &answer);

	if (status != CLI_OK)
		return status;
	if (cli->json)
		print_json(answer);
	else
		print_fields(answer, device_lines, COUNT(device_lines));
	json_decref(answer);
	return CLI_OK;
}

enum cli_exit mica_device_list(struct cli *cli)
{
	json_t *answer = NULL;
	enum cli_exit status = api_list(cli, "/v1/devices", "devices", &answer);

	if (status != CLI_OK)
		return status;
	if (cli->json)
		print_json(answer);
	else
		print_list(
		        answer, "devices", device_fields, COUNT(device_fields));
	json_decref(answer);
	return CLI_OK;
}

static void print_device(const json_t *answer)
{
	const json_t *certs = json_object_get(answer, "certificates");

	print_fields(answer, device_lines, COUNT(device_lines));
	if (json_array_size(certs) == 0)
		return;
	putchar('\n');
	print_table(certs, cert_fields, COUNT(cert_fields));
	if (json_text(answer, "cursor")[0] != '\0')
		printf("and more: mica cert list --device '%s'\n",
		        json_text(answer, "id"));
}

enum cli_exit mica_device_show(struct cli *cli)
{
	json_t *answer = NULL;
	enum cli_exit status = call_device(cli, "GET", "", &answer);

	if (status != CLI_OK)
		return status;
	if (cli->json)
		print_json(answer);
	else
		print_device(answer);
	json_decref(answer);
	return CLI_OK;
}

static enum cli_exit change(
        struct cli *cli, const char *after, const char *done)
{
	json_t *answer = NULL;
	enum cli_exit status = call_device(cli, "POST", after, &answer);

	if (status != CLI_OK)
		return status;
	if (cli->json)
		print_json(answer);
	else
		printf("%s is %s; certificates %s: %" JSON_INTEGER_FORMAT "\n",
		        json_text(answer, "id"), json_text(answer, "state"),
		        done,
		        json_integer_value(json_object_get(answer, "changed")));
	json_decref(answer);
	return CLI_OK;
}

enum cli_exit mica_device_suspend(struct cli *cli)
{
	return change(cli, "/suspend", "held");
}

enum cli_exit mica_device_resume(struct cli *cli)
{
	return change(cli, "/resume", "released");
}

/* --- tokens */
enum cli_exit mica_token_create(struct cli *cli)
{
	const char *device = cli_value(cli, OPT_DEVICE);
	const char *life = cli_value(cli, OPT_LIFE);
	json_t *answer = NULL, *body;
	int64_t life_ms = 0;
	enum cli_exit status;

	if (device == NULL)
		return cli_usage(cli, "--device is missing");
	if (life != NULL &&
	        (!value_duration_ms(life, &life_ms) ||
	                life_ms < VALUE_SECOND_MS))
		return cli_usage(
		        cli, "--life: want a duration as 30min, 24h or 7d");
	body = json_pack("{s:s, s:s*, s:s*}", "device", device, "profile",
	        cli_value(cli, OPT_PROFILE), "authority",
	        cli_value(cli, OPT_AUTHORITY));
	if (body != NULL && life != NULL)
		json_object_set_new(
		        body, "life", json_integer(life_ms / VALUE_SECOND_MS));
	status = api_call(cli, "POST", "/v1/tokens", body, &answer);
	if (status != CLI_OK)
		return status;
	/* The token alone: token=$(mica token create …) */
	if (cli->json)
		print_json(answer);
	else
		puts(json_text(answer, "token"));
	json_decref(answer);
	return CLI_OK;
}
