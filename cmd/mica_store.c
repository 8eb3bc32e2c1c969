/* cmd/mica_store.c - mica store check. */
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
