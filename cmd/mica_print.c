/* cmd/mica_print.c - answers for people and for programs. */
#include "cmd/mica.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS_MAX 12
#define CELL_BYTES 640

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
