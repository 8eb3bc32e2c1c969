/* cmd/mica_status.c - mica status. */
#include "cmd/mica.h"
#include "conf/value.h"

#include <stdio.h>
#include <string.h>

static const struct print_field process_fields[] = {
	{ "PROCESS", "name" },
	{ "PID", "pid" },
	{ "READY", "ready" },
	{ "RESTARTS", "restarts" },
};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static json_int_t number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* Three digits are enough to see what matters. */
static const char *size_text(char *out, size_t size, json_int_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double v = (double)bytes;
	size_t u = 0;

	while (v >= 1024 && u + 1 < COUNT(units)) {
		v /= 1024;
		u++;
	}
	snprintf(out, size, u > 0 && v < 100 ? "%.1f %s" : "%.0f %s", v,
	        units[u]);
	return out;
}

static const char *uptime_text(char *out, size_t size, json_int_t s)
{
	if (s < 120)
		snprintf(out, size, "%lld s", (long long)s);
	else if (s < 7200)
		snprintf(out, size, "%lld min", (long long)s / 60);
	else if (s < 172800)
		snprintf(out, size, "%lld h", (long long)s / 3600);
	else
		snprintf(out, size, "%lld d", (long long)s / 86400);
	return out;
}

static void print_store(const json_t *s)
{
	char used[24], size[24], disk[24];

	printf("certificates  %lld issued, of these %lld held and %lld "
	       "revoked; %lld in flight, %lld abandoned\n",
	        (long long)number(s, "issued"), (long long)number(s, "held"),
	        (long long)number(s, "revoked"),
	        (long long)number(s, "intents"),
	        (long long)number(s, "abandoned"));
	printf("devices       %lld; tokens %lld\n",
	        (long long)number(s, "devices"),
	        (long long)number(s, "tokens"));
	printf("store         %s of %s used, %s of disk free; %lld audit "
	       "entries\n",
	        size_text(used, sizeof(used), number(s, "used_bytes")),
	        size_text(size, sizeof(size), number(s, "size_bytes")),
	        size_text(disk, sizeof(disk), number(s, "disk_free_bytes")),
	        (long long)number(s, "audit_last"));
}

static void print_status(const json_t *answer)
{
	const json_t *authorities = json_object_get(answer, "authorities");
	const json_t *warnings = json_object_get(answer, "warnings");
	const json_t *row;
	char up[32];
	size_t i;

	printf("micad %s, up %s, by %s\n\n", json_text(answer, "version"),
	        uptime_text(up, sizeof(up), number(answer, "uptime_s")),
	        json_text(answer, "config"));
	print_table(json_object_get(answer, "processes"), process_fields,
	        COUNT(process_fields));
	putchar('\n');
	print_store(json_object_get(answer, "store"));
	printf("clock floor   %s\n", json_text(answer, "clock_floor"));
	json_array_foreach(authorities, i, row)
	{
		const json_t *key = json_object_get(row, "key");
		const char *in = json_text(key, "in");

		printf("authority     %s until %s; its key is in %s %s\n",
		        json_text(row, "name"), json_text(row, "not_after"), in,
		        json_text(key,
		                strcmp(in, "token") == 0 ? "uri" : "file"));
	}
	json_array_foreach(warnings, i, row)
	{
		printf("warning       %s\n", json_string_value(row));
	}
}

enum cli_exit mica_status(struct cli *cli)
{
	json_t *answer = NULL;
	enum cli_exit status =
	        api_call(cli, "GET", "/v1/status", NULL, &answer);

	if (status != CLI_OK)
		return status;
	if (cli->json)
		print_json(answer);
	else
		print_status(answer);
	json_decref(answer);
	return CLI_OK;
}
