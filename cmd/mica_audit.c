/* cmd/mica_audit.c - mica audit list, export, verify. */
#include "cmd/mica.h"
#include "base/text.h"
#include "storage/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_MAX_BYTES 4096
#define PAGE_ROWS 100

static const struct print_field fields[] = {
	{ "NUMBER", "number" },
	{ "TIME", "time" },
	{ "EVENT", "event" },
	{ "ACTOR", "actor" },
	{ "OBJECT", "object" },
	{ "DETAIL", "detail" },
};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum cli_exit mica_audit_list(struct cli *cli)
{
	json_t *answer = NULL;
	enum cli_exit status = api_list(cli, "/v1/audit", "entries", &answer);

	if (status == CLI_OK && cli->json)
		print_json(answer);
	else if (status == CLI_OK)
		print_list(answer, "entries", fields, COUNT(fields));
	json_decref(answer);
	return status;
}

/* --- export: an entry a line */

struct exported {
	json_int_t n, last;
	char hash[2 * STORE_HASH_BYTES + 1];
};

static bool write_page(FILE *f, const json_t *page, struct exported *e)
{
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(page, "entries"), i, row)
	{
		if (json_dumpf(row, f, JSON_COMPACT) != 0 ||
		        fputc('\n', f) == EOF)
			return false;
		e->n++;
		e->last = json_integer_value(json_object_get(row, "number"));
		(void)snprintf(
		        e->hash, sizeof(e->hash), "%s", json_text(row, "hash"));
	}
	return true;
}

static enum cli_exit export_to(struct cli *cli, FILE *f, struct exported *e)
{
	const char *cursor = cli_value(cli, OPT_CURSOR);
	struct buf path = BUF_INIT(PATH_MAX_BYTES);
	enum cli_exit status = CLI_OK;
	json_t *page = NULL;

	buf_addf(&path, "/v1/audit?max=%d&cursor=", PAGE_ROWS);
	api_escape(&path, cursor != NULL ? cursor : "1");
	while (status == CLI_OK && buf_cstr(&path) != NULL) {
		json_decref(page);
		page = NULL;
		status = api_call(cli, "GET", buf_cstr(&path), NULL, &page);
		if (status != CLI_OK)
			break;
		if (!write_page(f, page, e)) {
			status = cli_fail(cli, RC_IO, NULL);
			break;
		}
		if (json_text(page, "cursor")[0] == '\0')
			break;
		buf_reset(&path);
		buf_addf(&path, "/v1/audit?max=%d&cursor=%s", PAGE_ROWS,
		        json_text(page, "cursor"));
	}
	json_decref(page);
	buf_free(&path);
	return status;
}

enum cli_exit mica_audit_export(struct cli *cli)
{
	const char *out = cli_value(cli, OPT_OUT);
	struct exported e = { .n = 0 };
	struct why why = WHY_NONE;
	enum cli_exit status;
	FILE *f;

	if (out == NULL)
		return cli_usage(cli, "--out is missing");
	f = fopen(out, "wxe"); /* an older export is never written over */
	if (f == NULL) {
		why_set(&why, RC_IO, "%s: %s", out, strerror(errno));
		return cli_fail(cli, RC_IO, &why);
	}
	status = export_to(cli, f, &e);
	if (fclose(f) != 0 && status == CLI_OK) {
		why_set(&why, RC_IO, "%s: %s", out, strerror(errno));
		status = cli_fail(cli, RC_IO, &why);
	}
	if (status != CLI_OK) {
		(void)remove(out);
		return status;
	}
	if (cli->json)
		print_json_new(json_pack("{s:I, s:I, s:s}", "entries", e.n,
		        "last", e.last, "hash", e.hash));
	else
		printf("%lld entries; number %lld has the hash %s\n",
		        (long long)e.n, (long long)e.last, e.hash);
	return CLI_OK;
}

/* --- verify */

struct verify {
	const char *file;
	uint64_t line, first;
	struct store_audit_row row; /* the last that was read */
	uint8_t before[STORE_HASH_BYTES];
};

static bool read_text(const json_t *o, const char *key, char *out, size_t size)
{
	const char *text = json_string_value(json_object_get(o, key));

	if (text == NULL || strlen(text) >= size)
		return false;
	memcpy(out, text, strlen(text) + 1);
	return true;
}

static bool read_hash(const json_t *o, uint8_t out[STORE_HASH_BYTES])
{
	struct buf b = BUF_INIT(STORE_HASH_BYTES);
	bool ok = hex_decode(&b, bytes_str(json_text(o, "hash"))) == RC_OK &&
	        b.n == STORE_HASH_BYTES;

	if (ok)
		memcpy(out, b.p, b.n);
	buf_free(&b);
	return ok;
}

static bool read_row(const char *line, struct store_audit_row *r)
{
	json_t *o = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
	bool ok;

	*r = (struct store_audit_row){
		.number = (uint64_t)json_integer_value(
		        json_object_get(o, "number")),
		.time_us = json_integer_value(json_object_get(o, "time_us")),
	};
	ok = r->number > 0 &&
	        read_text(o, "event", r->event, sizeof(r->event)) &&
	        read_text(o, "actor", r->actor, sizeof(r->actor)) &&
	        read_text(o, "object", r->object, sizeof(r->object)) &&
	        read_text(o, "detail", r->detail, sizeof(r->detail)) &&
	        read_hash(o, r->hash);
	json_decref(o);
	return ok;
}

/* An export that does not begin with the first entry has nothing before its own
 * first to follow. */
static enum rc verify_line(struct verify *v, const char *line, struct why *why)
{
	uint64_t expected = v->row.number + 1;
	uint8_t hash[STORE_HASH_BYTES];
	enum rc rc = RC_OK;

	v->line++;
	if (!read_row(line, &v->row))
		return why_set(why, RC_MALFORMED, "%s:%llu: no entry of ours",
		        v->file, (unsigned long long)v->line);
	if (v->line == 1)
		v->first = expected = v->row.number;
	if (v->row.number != expected)
		return why_set(why, RC_CONFLICT,
		        "%s:%llu: entry %llu stands where %llu should", v->file,
		        (unsigned long long)v->line,
		        (unsigned long long)v->row.number,
		        (unsigned long long)expected);
	if (v->line > 1 || v->first == 1) {
		rc = audit_row_hash(v->before, &v->row, hash);
		if (rc == RC_OK && memcmp(hash, v->row.hash, sizeof(hash)) != 0)
			rc = why_set(why, RC_CONFLICT,
			        "%s:%llu: entry %llu does not follow from "
			        "the one before: it was changed",
			        v->file, (unsigned long long)v->line,
			        (unsigned long long)v->row.number);
	}
	memcpy(v->before, v->row.hash, sizeof(v->before));
	return rc;
}

static enum rc verify_file(struct verify *v, struct why *why)
{
	FILE *f = fopen(v->file, "re");
	enum rc rc = RC_OK;
	char *line = NULL;
	size_t room = 0;

	if (f == NULL)
		return why_set(why, RC_IO, "%s: %s", v->file, strerror(errno));
	while (rc == RC_OK && getline(&line, &room, f) > 0)
		rc = verify_line(v, line, why);
	if (rc == RC_OK && v->line == 0)
		rc = why_set(why, RC_MALFORMED, "%s: no entries", v->file);
	free(line);
	(void)fclose(f);
	return rc;
}

/* All up to the last that was exported follow one another, and that one is what
 * it was: the chain ends all before it in its hash. */
static enum rc verify_trail(
        struct store *s, const struct verify *v, struct why *why)
{
	struct store_audit_scan scan = { .from = 1, .max = STORE_ROWS_MAX };
	const struct store_audit_row *last = NULL;
	enum rc rc = RC_OK;

	scan.rows = calloc(scan.max, sizeof(*scan.rows));
	if (scan.rows == NULL)
		return RC_NOMEM;
	while (rc == RC_OK && last == NULL) {
		rc = store_audit_scan(s, &scan);
		if (rc != RC_OK)
			*why = scan.op.why;
		else if (scan.broken && scan.broken_at <= v->row.number)
			rc = why_set(why, RC_CONFLICT,
			        "the store: entry %llu was changed",
			        (unsigned long long)scan.broken_at);
		else if (scan.from + scan.n > v->row.number)
			last = &scan.rows[v->row.number - scan.from];
		else if (!scan.more)
			rc = why_set(why, RC_CONFLICT,
			        "the store: entry %llu is gone: the trail was "
			        "cut off",
			        (unsigned long long)v->row.number);
		scan.from += scan.n;
	}
	if (rc == RC_OK &&
	        memcmp(last->hash, v->row.hash, sizeof(last->hash)) != 0)
		rc = why_set(why, RC_CONFLICT,
		        "the store: entry %llu is not what was exported: it, "
		        "or one before it, was changed, and all after it made "
		        "anew",
		        (unsigned long long)v->row.number);
	free(scan.rows);
	return rc;
}

static enum rc verify_store(
        const struct verify *v, const char *path, struct why *why)
{
	struct store_opts o = { .path = path, .readonly = true };
	struct store *s;
	enum rc rc = store_open(&s, &o, NULL, why);

	if (rc != RC_OK)
		return rc;
	rc = verify_trail(s, v, why);
	store_close(s);
	return rc;
}

enum cli_exit mica_audit_verify(struct cli *cli)
{
	struct verify v = { .file = cli_value(cli, OPT_FILE) };
	struct buf path = BUF_INIT(PATH_MAX_BYTES);
	struct why why = WHY_NONE;
	enum cli_exit status;
	enum rc rc;

	if (v.file == NULL)
		return cli_usage(cli, "--file is missing");
	rc = verify_file(&v, &why);
	if (rc == RC_OK && cli_given(cli, OPT_STORE))
		buf_add_str(&path, cli_value(cli, OPT_STORE));
	else if (rc == RC_OK)
		rc = config_path(cli, "store.lmdb.path", &path, &why);
	if (rc == RC_OK)
		rc = buf_cstr(&path) == NULL
		        ? RC_NOMEM
		        : verify_store(&v, buf_cstr(&path), &why);
	status = rc == RC_OK ? CLI_OK : cli_fail(cli, rc, &why);
	if (rc == RC_OK && cli->json)
		print_json_new(json_pack("{s:I, s:I}", "first",
		        (json_int_t)v.first, "last", (json_int_t)v.row.number));
	else if (rc == RC_OK)
		printf("entries %llu to %llu stand as they were exported\n",
		        (unsigned long long)v.first,
		        (unsigned long long)v.row.number);
	buf_free(&path);
	return status;
}
