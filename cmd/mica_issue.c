/* cmd/mica_issue.c - mica cert issue. */
#include "cmd/mica.h"
#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CSR_FILE_MAX_BYTES 24576

/* The request as text: PEM or base64 as it is, DER in base64. */
static enum rc read_csr(const char *path, struct buf *text, struct why *why)
{
	bool is_input = strcmp(path, "-") == 0;
	FILE *f = is_input ? stdin : fopen(path, "re");
	struct buf raw = BUF_INIT(CSR_FILE_MAX_BYTES);
	bool is_text = true;
	enum rc rc;

	if (f == NULL)
		return why_set(why, RC_IO, "%s: %s", path, strerror(errno));
	rc = file_read_rest(&raw, f, path, why);
	if (!is_input)
		fclose(f);
	for (size_t i = 0; i < raw.n; i++)
		is_text = is_text && raw.p[i] < 0x80 && raw.p[i] != 0;
	if (is_text)
		buf_add(text, buf_bytes(&raw));
	else
		base64_encode(text, buf_bytes(&raw), 0);
	buf_free(&raw);
	return rc != RC_OK ? rc : text->failed;
}

static json_t *values(const struct cli *cli, enum cli_option o)
{
	json_t *list = json_array();

	for (size_t i = 0; i < cli->option[o].n; i++)
		json_array_append_new(list, json_string(cli->option[o].v[i]));
	return list;
}

static json_t *request(const struct cli *cli, const char *csr)
{
	return json_pack("{s:s, s:s, s:s*, s:s*, s:o, s:o, s:o, s:o}", "csr",
	        csr, "profile", cli_value(cli, OPT_PROFILE), "authority",
	        cli_value(cli, OPT_AUTHORITY), "device",
	        cli_value(cli, OPT_DEVICE), "dns", values(cli, OPT_DNS), "ip",
	        values(cli, OPT_IP), "email", values(cli, OPT_EMAIL), "uri",
	        values(cli, OPT_URI));
}

static void write_chain(FILE *f, const json_t *answer)
{
	const json_t *chain = json_object_get(answer, "chain");

	fputs(json_text(answer, "certificate"), f);
	for (size_t i = 0; i < json_array_size(chain); i++)
		fputs(json_string_value(json_array_get(chain, i)), f);
}

static enum cli_exit show(
        const struct cli *cli, struct target *t, const json_t *answer)
{
	struct why why = WHY_NONE, longer;
	enum rc rc = RC_OK;

	if (t->path != NULL || !cli->json) {
		write_chain(t->f, answer);
		rc = target_keep(t, &why);
	}
	if (rc != RC_OK) {
		(void)why_set(&longer, rc,
		        "%s; get it by: mica cert show --pem %s", why.text,
		        json_text(answer, "serial"));
		return cli_fail(cli, rc, &longer);
	}
	if (cli->json)
		print_json(answer);
	else if (t->path != NULL)
		printf("%s: certificate %s of %s and its chain\n", t->path,
		        json_text(answer, "serial"),
		        json_text(answer, "device"));
	return CLI_OK;
}

enum cli_exit mica_cert_issue(struct cli *cli)
{
	struct buf csr = BUF_INIT(2 * CSR_FILE_MAX_BYTES);
	struct target target = { .path = NULL };
	struct why why = WHY_NONE;
	json_t *answer = NULL;
	enum cli_exit status;
	enum rc rc;

	if (!cli_given(cli, OPT_CSR) || !cli_given(cli, OPT_PROFILE))
		return cli_usage(cli, "--csr and --profile are needed");
	rc = read_csr(cli_value(cli, OPT_CSR), &csr, &why);
	if (rc == RC_OK)
		rc = target_open(&target, cli_value(cli, OPT_OUT), true, &why);
	if (rc == RC_OK && buf_cstr(&csr) == NULL)
		rc = RC_NOMEM;
	status = rc != RC_OK ? cli_fail(cli, rc, &why)
	                     : api_call(cli, "POST", "/v1/certs",
	                               request(cli, buf_cstr(&csr)), &answer);
	if (status == CLI_OK)
		status = show(cli, &target, answer);
	else
		target_drop(&target);
	json_decref(answer);
	buf_free(&csr);
	return status;
}
