/* cmd/mica_api.c - the way to the daemon. */
#include "cmd/mica.h"
#include "base/text.h"
#include "net/http_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX_BYTES (4u << 20)
#define PATH_MAX_BYTES 1024
/* An HSM and a slow disk may stand behind it. */
#define TIMEOUT_MS 60000
#define PAGE_ROWS 256  /* the daemon's most */
#define LIST_ROWS 1000 /* unless asked */
#define LIST_ROWS_MAX 1000000

/* --- calls */
static enum rc socket_path(
        const struct cli *cli, struct buf *out, struct why *why)
{
	if (!cli_given(cli, OPT_SOCKET))
		return config_path(cli, "admin.socket", out, why);
	buf_add_str(out, cli_value(cli, OPT_SOCKET));
	return out->failed;
}

static enum cli_exit no_daemon(const struct cli *cli, const char *socket)
{
	struct why why = WHY_NONE;

	why_set(&why, RC_CLOSED, "no daemon answers at %s", socket);
	cli_fail(cli, RC_CLOSED, &why);
	if (!cli->json)
		fprintf(stderr, "start it:  micad -c %s\n", cli->config);
	return CLI_NO_DAEMON;
}

/* What the daemon refused, in its own words. */
static enum cli_exit refused(const struct cli *cli, const json_t *answer)
{
	const json_t *error = json_object_get(answer, "error");

	if (cli->json && error != NULL)
		print_json(answer);
	else
		fprintf(stderr, "mica: %s\n",
		        error != NULL ? json_text(error, "text")
		                      : "the daemon's answer is not ours");
	return CLI_FAILED;
}

/* What is asked for is on record, and waits for another operator. */
static enum cli_exit waits(const struct cli *cli, const json_t *answer)
{
	const json_t *a = json_object_get(answer, "approval");
	json_int_t id = json_integer_value(json_object_get(a, "id"));

	if (cli->json)
		print_json(answer);
	else
		fprintf(stderr,
		        "mica: %s %s waits for another operator, until %s:\n"
		        "  mica approval approve %" JSON_INTEGER_FORMAT "\n"
		        "then repeat this command\n",
		        json_text(a, "action"), json_text(a, "object"),
		        json_text(a, "expires"), id);
	return CLI_WAITS;
}

static enum cli_exit judge(
        const struct cli *cli, unsigned status, struct bytes body, json_t **out)
{
	json_t *answer = json_loadb((const char *)body.p, body.n, 0, NULL);
	enum cli_exit result;

	if (status == 200 && answer != NULL) {
		*out = answer;
		return CLI_OK;
	}
	result = status == 202 && answer != NULL ? waits(cli, answer)
	                                         : refused(cli, answer);
	json_decref(answer);
	return result;
}

json_t *api_ask(struct cli *cli, const char *path)
{
	struct buf socket = BUF_INIT(PATH_MAX_BYTES);
	struct buf answer = BUF_INIT(ANSWER_MAX_BYTES);
	struct http_call call = {
		.method = "GET", .path = path, .timeout_ms = TIMEOUT_MS
	};
	unsigned status = 0;
	json_t *out = NULL;
	enum rc rc = socket_path(cli, &socket, NULL);

	call.socket_path = buf_cstr(&socket);
	if (rc == RC_OK && call.socket_path != NULL)
		rc = http_client_call(&call, &status, &answer, NULL);
	if (rc == RC_OK && status == 200)
		out = json_loadb((const char *)answer.p, answer.n, 0, NULL);
	buf_free(&socket);
	buf_free(&answer);
	return out;
}

enum cli_exit api_call(struct cli *cli, const char *method, const char *path,
        json_t *body, json_t **out)
{
	struct buf socket = BUF_INIT(PATH_MAX_BYTES);
	struct buf answer = BUF_INIT(ANSWER_MAX_BYTES);
	struct http_call call = {
		.method = method, .path = path, .timeout_ms = TIMEOUT_MS
	};
	struct why why = WHY_NONE;
	char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
	unsigned status = 0;
	enum cli_exit result;
	enum rc rc = socket_path(cli, &socket, &why);

	call.body = bytes_str(text);
	call.socket_path = buf_cstr(&socket);
	if (rc == RC_OK && call.socket_path == NULL)
		rc = RC_NOMEM;
	if (rc == RC_OK)
		rc = http_client_call(&call, &status, &answer, &why);
	if (rc == RC_CLOSED)
		result = no_daemon(cli, call.socket_path);
	else if (rc != RC_OK)
		result = cli_fail(cli, rc, &why);
	else
		result = judge(cli, status, buf_bytes(&answer), out);
	free(text);
	json_decref(body);
	buf_free(&socket);
	buf_free(&answer);
	return result;
}

void api_escape(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		uint8_t c = (uint8_t)*text;

		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
		        (c >= 'a' && c <= 'z') || strchr("-._~", c) != NULL)
			buf_add_u8(out, c);
		else
			buf_addf(out, "%%%02X", c);
	}
}

/* --- lists */
static enum cli_exit read_max(const struct cli *cli, uint64_t *max)
{
	const char *text = cli_value(cli, OPT_MAX);

	*max = LIST_ROWS;
	if (text != NULL &&
	        (text_u64(bytes_str(text), LIST_ROWS_MAX, max) != RC_OK ||
	                *max == 0))
		return cli_usage(cli, "--max: want a number from 1 to %d",
		        LIST_ROWS_MAX);
	return CLI_OK;
}

static enum cli_exit get_page(struct cli *cli, const char *path,
        const char *cursor, uint64_t rows, json_t **page)
{
	struct buf b = BUF_INIT(2 * PATH_MAX_BYTES);
	enum cli_exit status;
	const char *full;

	buf_addf(&b, "%s%smax=%llu", path,
	        strchr(path, '?') != NULL ? "&" : "?",
	        (unsigned long long)(rows < PAGE_ROWS ? rows : PAGE_ROWS));
	if (cursor[0] != '\0') {
		buf_add_str(&b, "&cursor=");
		api_escape(&b, cursor);
	}
	full = buf_cstr(&b);
	status = full == NULL ? cli_fail(cli, b.failed, NULL)
	                      : api_call(cli, "GET", full, NULL, page);
	buf_free(&b);
	return status;
}

enum cli_exit api_list(
        struct cli *cli, const char *path, const char *key, json_t **out)
{
	json_t *rows = json_array(), *page = NULL;
	const char *cursor = cli_value(cli, OPT_CURSOR);
	uint64_t max;
	enum cli_exit status = read_max(cli, &max);

	if (cursor == NULL)
		cursor = "";
	while (status == CLI_OK) {
		json_t *before = page;

		page = NULL;
		status = get_page(
		        cli, path, cursor, max - json_array_size(rows), &page);
		json_decref(before);
		if (status != CLI_OK)
			break;
		json_array_extend(rows, json_object_get(page, key));
		cursor = json_text(page, "cursor");
		if (cursor[0] == '\0' || json_array_size(rows) >= max)
			break;
	}
	*out = NULL;
	if (status == CLI_OK)
		*out = json_pack("{s:O}", key, rows);
	if (*out != NULL && cursor[0] != '\0')
		json_object_set_new(*out, "cursor", json_string(cursor));
	if (status == CLI_OK && *out == NULL)
		status = cli_fail(cli, RC_NOMEM, NULL);
	json_decref(page);
	json_decref(rows);
	return status;
}
