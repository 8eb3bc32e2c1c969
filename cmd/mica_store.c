/* cmd/mica_store.c - mica store check, mica store floor. */
#include "cmd/mica.h"
#include "storage/check.h"

#include <stdio.h>

#define PATH_MAX_BYTES 4096
#define FAULTS_SHOWN 1000

struct found {
	json_t *faults;
	bool json;
};

static void on_fault(void *ctx, const char *text)
{
	struct found *f = ctx;

	if (!f->json)
		printf("%s\n", text);
	else if (json_array_size(f->faults) < FAULTS_SHOWN)
		json_array_append_new(f->faults, json_string(text));
}

static void print_report(
        const struct found *f, const struct store_check_report *r)
{
	if (f->json) {
		print_json_new(json_pack(
		        "{s:I, s:O, s:I, s:I, s:I, s:I, s:I, s:I, "
		        "s:I, s:I, s:I}",
		        "faults", (json_int_t)r->faults, "found", f->faults,
		        "certificates", (json_int_t)r->certificates, "held",
		        (json_int_t)r->held, "revoked", (json_int_t)r->revoked,
		        "intents", (json_int_t)r->intents, "abandoned",
		        (json_int_t)r->abandoned, "devices",
		        (json_int_t)r->devices, "tokens", (json_int_t)r->tokens,
		        "audit_entries", (json_int_t)r->audit_entries,
		        "feed_entries", (json_int_t)r->feed_entries));
		return;
	}
	printf("%llu certificates (%llu held, %llu revoked), %llu in flight, "
	       "%llu abandoned, %llu devices, %llu tokens, %llu audit "
	       "entries: %llu faults\n",
	        (unsigned long long)r->certificates,
	        (unsigned long long)r->held, (unsigned long long)r->revoked,
	        (unsigned long long)r->intents,
	        (unsigned long long)r->abandoned,
	        (unsigned long long)r->devices, (unsigned long long)r->tokens,
	        (unsigned long long)r->audit_entries,
	        (unsigned long long)r->faults);
}

enum cli_exit mica_store_check(struct cli *cli)
{
	struct found found = { json_array(), cli->json };
	struct store_check_report r = { .fault = on_fault, .ctx = &found };
	struct buf path = BUF_INIT(PATH_MAX_BYTES);
	struct why why = WHY_NONE;
	enum cli_exit status;
	enum rc rc = RC_OK;

	if (cli_given(cli, OPT_STORE))
		buf_add_str(&path, cli_value(cli, OPT_STORE));
	else
		rc = config_path(cli, "store.lmdb.path", &path, &why);
	if (rc == RC_OK && buf_cstr(&path) == NULL)
		rc = RC_NOMEM;
	if (rc == RC_OK)
		rc = store_check(buf_cstr(&path), &r, &why);
	if (rc == RC_OK) {
		print_report(&found, &r);
		status = r.faults == 0 ? CLI_OK : CLI_FAILED;
	} else {
		status = cli_fail(cli, rc, &why);
	}
	json_decref(found.faults);
	buf_free(&path);
	return status;
}

/* --- floor */

static const struct print_field floor_fields[] = {
	{ "before", "before" },
	{ "clock floor", "clock_floor" },
	{ "clock", "clock" },
	{ "issuing", "issuing" },
};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum cli_exit mica_store_floor(struct cli *cli)
{
	bool now = cli_given(cli, OPT_NOW), to = cli_given(cli, OPT_TO);
	json_t *answer = NULL, *body = NULL;
	enum cli_exit status;

	if (now && to)
		return cli_usage(cli, "--now, --to: want one of them");
	if (now)
		body = json_pack("{s:b}", "now", 1);
	else if (to)
		body = json_pack("{s:s}", "to", cli_value(cli, OPT_TO));
	status = api_call(cli, now || to ? "POST" : "GET", "/v1/store/floor",
	        body, &answer);
	if (status != CLI_OK)
		return status;
	if (cli->json)
		print_json(answer);
	else
		print_fields(answer, floor_fields, COUNT(floor_fields));
	json_decref(answer);
	return CLI_OK;
}
