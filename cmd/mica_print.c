/* cmd/mica_print.c - answers for people and for programs. */
#include "cmd/mica.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>

#define COLUMNS_MAX 12
#define CELL_BYTES 640
#define WHO_BYTES 64
#define PATH_MAX_BYTES 1024

void print_json(const json_t *json)
{
	json_dumpf(json, stdout, JSON_INDENT(2));
	putchar('\n');
}

void print_json_new(json_t *json)
{
	print_json(json);
	json_decref(json);
}

const char *json_text(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s != NULL ? s : "";
}

static const char *cell(const json_t *object, const char *key, char *room)
{
	const json_t *v = json_object_get(object, key);

	if (json_is_string(v))
		return json_string_value(v);
	if (json_is_integer(v))
		snprintf(room, CELL_BYTES, "%" JSON_INTEGER_FORMAT,
		        json_integer_value(v));
	else
		snprintf(room, CELL_BYTES, "%s",
		        json_is_true(v)            ? "yes"
		                : json_is_false(v) ? "no"
		                                   : "");
	return room;
}

/* The last column is not padded. */
static void print_row(const json_t *row, const struct print_field *f, size_t n,
        const int *width)
{
	char room[CELL_BYTES];

	for (size_t i = 0; i < n; i++) {
		const char *text =
		        row != NULL ? cell(row, f[i].key, room) : f[i].title;

		if (i + 1 < n)
			printf("%-*s  ", width[i], text);
		else
			printf("%s\n", text);
	}
}

void print_table(const json_t *rows, const struct print_field *fields, size_t n)
{
	int width[COLUMNS_MAX] = { 0 };
	char room[CELL_BYTES];
	const json_t *row;
	size_t at;

	for (size_t i = 0; i < n; i++) {
		width[i] = (int)strlen(fields[i].title);
		json_array_foreach(rows, at, row)
		{
			int w = (int)strlen(cell(row, fields[i].key, room));

			width[i] = w > width[i] ? w : width[i];
		}
	}
	print_row(NULL, fields, n, width);
	json_array_foreach(rows, at, row)
	{
		print_row(row, fields, n, width);
	}
}

void print_fields(
        const json_t *object, const struct print_field *fields, size_t n)
{
	char room[CELL_BYTES];
	int width = 0;

	for (size_t i = 0; i < n; i++) {
		int w = (int)strlen(fields[i].title);

		width = w > width ? w : width;
	}
	for (size_t i = 0; i < n; i++) {
		const char *text = cell(object, fields[i].key, room);

		if (text[0] != '\0')
			printf("%-*s  %s\n", width, fields[i].title, text);
	}
}

void print_list(const json_t *answer, const char *key,
        const struct print_field *fields, size_t n)
{
	const json_t *rows = json_object_get(answer, key);
	const char *cursor = json_text(answer, "cursor");

	if (json_array_size(rows) > 0)
		print_table(rows, fields, n);
	fflush(stdout);
	if (cursor[0] != '\0')
		fprintf(stderr, "more: --cursor %s\n", cursor);
}

void print_user(json_t *row, const char *key)
{
	const json_t *uid = json_object_get(row, key);
	char who[WHO_BYTES];
	const struct passwd *pw;

	if (!json_is_integer(uid))
		return;
	pw = getpwuid((uid_t)json_integer_value(uid));
	snprintf(who, sizeof(who), "%" JSON_INTEGER_FORMAT "%s%.40s%s",
	        json_integer_value(uid), pw != NULL ? " (" : "",
	        pw != NULL ? pw->pw_name : "", pw != NULL ? ")" : "");
	json_object_set_new(row, key, json_string(who));
}

enum cli_exit list_by_state(struct cli *cli, const char *at, const char *key,
        const struct print_field *fields, size_t n,
        void (*make_readable)(json_t *row))
{
	struct buf path = BUF_INIT(PATH_MAX_BYTES);
	json_t *answer = NULL, *row;
	enum cli_exit status;
	size_t i;

	buf_add_str(&path, at);
	if (cli_given(cli, OPT_STATE)) {
		buf_add_str(&path, "?state=");
		api_escape(&path, cli_value(cli, OPT_STATE));
	}
	status = buf_cstr(&path) == NULL
	        ? cli_fail(cli, path.failed, NULL)
	        : api_list(cli, buf_cstr(&path), key, &answer);
	if (status == CLI_OK && cli->json) {
		print_json(answer);
	} else if (status == CLI_OK) {
		json_array_foreach(json_object_get(answer, key), i, row)
		        make_readable(row);
		print_list(answer, key, fields, n);
	}
	json_decref(answer);
	buf_free(&path);
	return status;
}
