/* cmd/mica_init_token.c - mica init --hsm: which token makes the keys. */
#include "cmd/mica_init.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LABEL_DEFAULT "mica"
#define LABEL_MAX_BYTES 32 /* of a token, PKCS#11 section 3.2 */

enum rc init_read_line(
        const char *path, char *out, const char *what, struct why *why)
{
	FILE *f = fopen(path, "re");
	char *got = NULL;
	bool failed;

	if (f == NULL)
		return why_set(why, RC_IO, "%s: %s", path, strerror(errno));
	got = fgets(out, INIT_PASSPHRASE_MAX_BYTES + 1, f);
	failed = ferror(f) != 0;
	fclose(f);
	if (failed)
		return why_set(why, RC_IO, "%s: cannot be read", path);
	out[strcspn(out, "\n")] = '\0';
	return got != NULL && out[0] != '\0'
	        ? RC_OK
	        : why_set(why, RC_MALFORMED, "%s: no %s in it", path, what);
}

/* It stands in quotes in YAML. */
static bool is_path(const char *path)
{
	return path[0] == '/' && strpbrk(path, "\"\\\n") == NULL;
}

static bool put_uri(char *out, const char *label, const char *object)
{
	struct buf b = BUF_INIT(INIT_URI_BYTES - 1);
	const char *text;

	buf_add_str(&b, "pkcs11:token=");
	api_escape(&b, label);
	buf_addf(&b, ";object=%s", object);
	text = buf_cstr(&b);
	if (text != NULL)
		(void)snprintf(out, INIT_URI_BYTES, "%s", text);
	buf_free(&b);
	return text != NULL;
}

enum cli_exit init_token_options(struct cli *cli, struct init *in)
{
	struct init_token *t = &in->token;

	if (!cli_given(cli, OPT_HSM)) {
		if (cli_given(cli, OPT_MODULE) || cli_given(cli, OPT_TOKEN) ||
		        cli_given(cli, OPT_PIN_FILE) ||
		        cli_given(cli, OPT_ROOT_HSM))
			return cli_usage(cli,
			        "--module, --token, --pin-file and --root-hsm "
			        "go with --hsm");
		return CLI_OK;
	}
	t->module = cli_value(cli, OPT_MODULE);
	t->label = cli_given(cli, OPT_TOKEN) ? cli_value(cli, OPT_TOKEN)
	                                     : LABEL_DEFAULT;
	t->has_root = cli_given(cli, OPT_ROOT_HSM);
	if (t->module == NULL || !cli_given(cli, OPT_PIN_FILE))
		return cli_usage(cli, "--hsm wants --module and --pin-file");
	if (!is_path(t->module))
		return cli_usage(cli, "--module: want an absolute path");
	if (t->has_root && in->root_file != NULL)
		return cli_usage(cli,
		        "--root names a root that is elsewhere, --root-hsm "
		        "makes one here");
	if (strlen(t->label) > LABEL_MAX_BYTES ||
	        !put_uri(t->issuing, t->label, "issuing") ||
	        !put_uri(t->root, t->label, "root"))
		return cli_usage(cli, "--token: a label has at most %d bytes",
		        LABEL_MAX_BYTES);
	return CLI_OK;
}

enum rc init_token_pin(const struct cli *cli, struct init *in, struct why *why)
{
	return in->token.module == NULL
	        ? RC_OK
	        : init_read_line(cli_value(cli, OPT_PIN_FILE), in->token.pin,
	                  "PIN", why);
}
