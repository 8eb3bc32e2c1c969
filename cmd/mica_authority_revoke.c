/* cmd/mica_authority_revoke.c - mica authority revoke. */
#include "cmd/mica.h"

#include <stdio.h>

#define PATH_MAX_BYTES 1024

static void say(const json_t *a)
{
	const char *name = json_text(a, "name");

	printf("%s %s revoked: %s, since %s\n", name,
	        json_is_true(json_object_get(a, "changed")) ? "is"
	                                                    : "was before",
	        json_text(a, "reason"), json_text(a, "revoked"));
	puts("It issues nothing more, for good. OCSP and its CRLs go on for "
	     "what "
	     "it issued.\n\nWhat remains to be done:");
	if (json_is_true(json_object_get(a, "self_signed")))
		puts("- nobody stands above it: relying parties take its "
		     "certificate out of their trust stores");
	else
		printf("- at the ceremony of who issued it, its certificate "
		       "goes onto that CRL:\n"
		       "    echo '%s %s %s' >>revoked\n"
		       "    mica authority crl --revoked revoked --out "
		       "root.crl\n",
		        json_text(a, "serial"), json_text(a, "revoked"),
		        json_text(a, "reason"));
	printf("- where devices may not trust what it issued, that is revoked, "
	       "too:\n"
	       "    mica revoke --authority %s --from TIME --reason %s\n"
	       "- EST goes on handing its certificate out until micad is sent "
	       "SIGHUP\n"
	       "- a new generation takes over:\n"
	       "    mica authority roll %s\n",
	        name, json_text(a, "reason"), name);
}

enum cli_exit mica_authority_revoke(struct cli *cli)
{
	struct buf path = BUF_INIT(PATH_MAX_BYTES);
	json_t *answer = NULL;
	enum cli_exit status;

	if (!cli_given(cli, OPT_REASON))
		return cli_usage(cli,
		        "--reason: why? (keyCompromise, cACompromise, "
		        "superseded, cessationOfOperation, ...)");
	buf_add_str(&path, "/v1/authorities/");
	api_escape(&path, cli->args[0]);
	buf_add_str(&path, "/revoke");
	status = buf_cstr(&path) == NULL
	        ? cli_fail(cli, path.failed, NULL)
	        : api_call(cli, "POST", buf_cstr(&path),
	                  json_pack("{s:s}", "reason",
	                          cli_value(cli, OPT_REASON)),
	                  &answer);
	if (status == CLI_OK && cli->json)
		print_json(answer);
	else if (status == CLI_OK)
		say(answer);
	json_decref(answer);
	buf_free(&path);
	return status;
}
