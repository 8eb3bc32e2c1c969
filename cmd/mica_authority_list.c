/* cmd/mica_authority_list.c - mica authority list, mica authority plan. */
#include "cmd/mica.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const struct print_field columns[] = {
	{ "NAME", "name" },
	{ "STATE", "state" },
	{ "REPLACES", "replaces" },
	{ "KEY", "key" },
	{ "NOT AFTER", "not_after" },
	{ "DEVICES", "devices" },
	{ "CERTIFICATES", "certificates" },
	{ "CRL", "crl_state" },
	{ "LAST END", "last_end" },
};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static enum cli_exit get(struct cli *cli, json_t **out)
{
	return api_call(cli, "GET", "/v1/authorities", NULL, out);
}

static void say_incomplete(const json_t *answer)
{
	if (json_is_false(json_object_get(answer, "complete")))
		printf("only %" JSON_INTEGER_FORMAT
		       " devices were counted in time\n",
		        json_integer_value(json_object_get(answer, "devices")));
}

enum cli_exit mica_authority_list(struct cli *cli)
{
	json_t *answer = NULL;
	enum cli_exit status = get(cli, &answer);

	if (status == CLI_OK && cli->json) {
		print_json(answer);
	} else if (status == CLI_OK) {
		print_table(json_object_get(answer, "authorities"), columns,
		        COUNT(columns));
		say_incomplete(answer);
	}
	json_decref(answer);
	return status;
}

/* --- the plan: from one generation to the one that replaces it */

struct plan {
	const json_t *old, *new; /* of the answer */
	json_int_t devices;      /* with a valid certificate of either */
	json_int_t recent;       /* of these, renewed since new is there */
};

static const json_t *find(const json_t *answer, const char *name)
{
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(answer, "authorities"), i,
	        row) if (strcmp(json_text(row, "name"), name) == 0) return row;
	return NULL;
}

static json_int_t number(const json_t *row, const char *key)
{
	return json_integer_value(json_object_get(row, key));
}

static enum rc find_both(
        struct plan *p, const json_t *answer, const char *name, struct why *why)
{
	const char *other;

	*p = (struct plan){ .new = find(answer, name) };
	if (p->new == NULL)
		return why_set(why, RC_NOTFOUND, "no authority %s", name);
	other = json_text(p->new, "replaces");
	if (other[0] != '\0') {
		p->old = find(answer, other);
	} else {
		p->old = p->new;
		p->new = find(answer, json_text(p->old, "replaced_by"));
	}
	if (p->old == NULL || p->new == NULL)
		return why_set(why, RC_NOTFOUND,
		        "nothing replaces %s: mica authority roll %s", name,
		        name);
	p->devices = number(p->old, "devices") + number(p->new, "devices");
	p->recent = number(p->old, "recent") + number(p->new, "recent");
	return RC_OK;
}

/* RFC 3339 texts of one form are in the order of time. */
static bool is_past(const char *time_text)
{
	char now[32];
	time_t t = time(NULL);
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL ||
	        strftime(now, sizeof(now), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		return false;
	return time_text[0] != '\0' && strcmp(time_text, now) < 0;
}

static bool is_named(const json_t *row)
{
	return json_array_size(json_object_get(row, "labels")) > 0 ||
	        json_is_true(json_object_get(row, "listener"));
}

static bool is_state(const json_t *row, const char *state)
{
	return strcmp(json_text(row, "state"), state) == 0;
}

/* The four steps, in order; those before the first that is not done are. */
enum step { STEP_HAND_OUT, STEP_ISSUE, STEP_RETIRE, STEP_REMOVE, STEPS };

static enum step step_of(const struct plan *p)
{
	bool old_issues = is_state(p->old, "issuing") && is_named(p->old);

	if (is_state(p->new, "staged") || !is_named(p->new))
		return STEP_ISSUE;
	if (old_issues || is_state(p->old, "issuing"))
		return STEP_RETIRE;
	return STEP_REMOVE;
}

static const char *mark(const struct plan *p, enum step step)
{
	enum step now = step_of(p);

	return step < now ? "done" : step == now ? "next" : "later";
}

static void say_plan(const struct plan *p)
{
	const char *old = json_text(p->old, "name");
	const char *new = json_text(p->new, "name");
	const char *end = json_text(p->old, "last_end");

	printf("1. [%s] Clients are given both generations: since %s.\n",
	        mark(p, STEP_HAND_OUT), json_text(p->new, "entered"));
	printf("   %lld of %lld devices have come for a certificate since, "
	       "and could take %s.\n",
	        (long long)p->recent, (long long)p->devices, new);
	printf("2. [%s] %s issues, and %s no more.\n"
	       "   Safe once who relies on %s alone has %s, or the cross "
	       "certificates, too%s.\n"
	       "   In enroll.est:  authority: %s\n"
	       "   In listen.est.authority last: by it devices verify the "
	       "listener.\n",
	        mark(p, STEP_ISSUE), new, old, old, new,
	        p->recent == p->devices ? ": every device could" : "", new);
	printf("3. [%s] %s is retired: it signs its CRLs and OCSP answers, and "
	       "nothing else.\n"
	       "   Safe as soon as nothing names it: authorities.%s: retired: "
	       "yes\n"
	       "   %lld devices are at %s, and come over as they renew; %lld "
	       "at %s.\n",
	        mark(p, STEP_RETIRE), old, old,
	        (long long)number(p->old, "devices"), old,
	        (long long)number(p->new, "devices"), new);
	printf("4. [%s] %s goes out of the configuration, with replaces and "
	       "cross of %s.\n"
	       "   Not before %s: then the last certificate that it issued has "
	       "ended,\n   and its last CRL is out%s.\n",
	        mark(p, STEP_REMOVE), old, new,
	        end[0] != '\0' ? end : "its first CRL is there",
	        is_past(end) &&
	                        strcmp(json_text(p->old, "crl_state"),
	                                "over") == 0
	                ? ": now"
	                : "");
	if (is_state(p->old, "revoked"))
		printf("%s is revoked: %s is to issue at once.\n", old, new);
}

static json_t *plan_json(const struct plan *p)
{
	static const char *const names[STEPS] = { "hand_out", "issue", "retire",
		"remove" };

	return json_pack("{s:O, s:O, s:s, s:I, s:I}", "old", p->old, "new",
	        p->new, "next", names[step_of(p)], "devices", p->devices,
	        "recent", p->recent);
}

enum cli_exit mica_authority_plan(struct cli *cli)
{
	json_t *answer = NULL;
	struct why why = WHY_NONE;
	enum cli_exit status = get(cli, &answer);
	struct plan p;
	enum rc rc;

	if (status != CLI_OK)
		return status;
	rc = find_both(&p, answer, cli->args[0], &why);
	if (rc != RC_OK) {
		status = cli_fail(cli, rc, &why);
	} else if (cli->json) {
		print_json_new(plan_json(&p));
	} else {
		say_plan(&p);
		say_incomplete(answer);
	}
	json_decref(answer);
	return status;
}
