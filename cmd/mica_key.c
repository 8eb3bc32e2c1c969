/* cmd/mica_key.c - mica key create: a key pair that a token makes, and keeps. */
#include "cmd/mica_authority.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TYPE_DEFAULT "p256"

/* On the command line, or in the configuration under keys.NAME: there, a key
 * may be named that does not exist yet. */
static enum rc find(struct cli *cli, struct key_conf *key, struct why *why)
{
	const char *pin = cli_value(cli, OPT_PIN_FILE);
	enum rc rc = RC_OK;

	memset(key, 0, sizeof(*key));
	if (!cli_given(cli, OPT_URI))
		rc = key_conf_read(cli, cli->args[0], key, why);
	else if (snprintf(key->key, sizeof(key->key), "%s",
	                 cli_value(cli, OPT_URI)) >= (int)sizeof(key->key) ||
	        snprintf(key->module, sizeof(key->module), "%s",
	                cli_value(cli, OPT_MODULE)) >= (int)sizeof(key->module))
		rc = why_set(why, RC_TOOBIG, "--uri or --module: too long");
	if (rc == RC_OK && cli_given(cli, OPT_URI) && cli->config_given)
		rc = key_conf_user(cli, key, why);
	if (rc == RC_OK && pin != NULL &&
	        snprintf(key->secret, sizeof(key->secret), "%s", pin) >=
	                (int)sizeof(key->secret))
		rc = why_set(why, RC_TOOBIG, "--pin-file: too long");
	if (rc == RC_OK && key->module[0] == '\0')
		rc = why_set(why, RC_UNSUPPORTED,
		        "keys.%s is in a file; a token's wants uri, module "
		        "and pin",
		        cli->args[0]);
	/* RFC 7512 section 2.4: a PIN or a module. Neither has a place there,
	 * and a request for approval would show it. */
	if (rc == RC_OK && strchr(key->key, '?') != NULL)
		rc = why_set(why, RC_MALFORMED,
		        "the URI has a part behind `?': see --pin-file and "
		        "--module");
	return rc;
}

/* In full: a token is what its URI says, in that module. */
static enum cli_exit approve(
        struct cli *cli, const struct key_conf *key, const char *type)
{
	return cli_approve(cli, "key.create", cli->args[0],
	        json_pack("{s:s, s:s, s:s, s:b}", "uri", key->key, "module",
	                key->module, "type", type, "decrypt",
	                cli_given(cli, OPT_DECRYPT)));
}

static enum rc create(const struct cli *cli, const struct key_conf *key,
        const char *type, const char *transcript, struct why *why)
{
	struct ceremony c;
	enum rc rc;

	ceremony_begin(&c, "create-key");
	ceremony_add(&c, "--type", type);
	if (cli_given(cli, OPT_DECRYPT))
		ceremony_add(&c, "--decrypt", NULL);
	ceremony_add(&c, "--transcript", transcript);
	rc = key_conf_add(&c, key, why);
	return rc == RC_OK ? ceremony_run(&c, why) : rc;
}

enum cli_exit mica_key_create(struct cli *cli)
{
	const char *type = cli_given(cli, OPT_TYPE) ? cli_value(cli, OPT_TYPE)
	                                            : TYPE_DEFAULT;
	char transcript[CEREMONY_PATH_BYTES], stem[CEREMONY_PATH_BYTES];
	static struct key_conf key;
	struct why why = WHY_NONE;
	enum cli_exit status;
	enum rc rc;

	if (cli_given(cli, OPT_URI) != cli_given(cli, OPT_MODULE))
		return cli_usage(cli, "--uri and --module belong together");
	rc = find(cli, &key, &why);
	(void)snprintf(stem, sizeof(stem), "%s.key", cli->args[0]);
	if (rc == RC_OK)
		rc = authority_transcript(cli, stem, transcript, &why);
	/* Before an operator's agreement is used up for nothing. */
	if (rc == RC_OK && access(transcript, F_OK) == 0)
		rc = why_set(&why, RC_EXISTS, "%s: exists", transcript);
	if (rc != RC_OK)
		return cli_fail(cli, rc, &why);
	status = approve(cli, &key, type);
	if (status != CLI_OK)
		return status;
	rc = create(cli, &key, type, transcript, &why);
	if (rc != RC_OK)
		return cli_fail(cli, rc, &why);
	printf("\n%s    for the witnesses to sign\n", transcript);
	return CLI_OK;
}
