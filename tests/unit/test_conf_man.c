/* man/mica.yaml.5 and the schema table, held against each other. */
#include "conf/schema.h"
#include "conf/value.h"
#include "tests/unit/test_conf.h"

#include <stdio.h>
#include <string.h>

#define MANUAL MICA_SOURCE_DIR "/man/mica.yaml.5"
#define ITEM ".It Cm "
#define LINE_MAX_BYTES 256

static struct buf manual;

static void manual_read(void)
{
	manual = slurp(MANUAL);
}

static void manual_drop(void)
{
	buf_free(&manual);
}

/* "1min to 100y, ", or nothing. */
static const char *range_of(char *out, const struct row *row)
{
	char low[VALUE_TEXT_BYTES];
	char high[VALUE_TEXT_BYTES];

	out[0] = '\0';
	switch (row->kind) {
	case KIND_NUMBER:
		(void)snprintf(out, LINE_MAX_BYTES, "%lld to %lld, ",
		        (long long)row->min, (long long)row->max);
		break;
	case KIND_SIZE:
		(void)snprintf(out, LINE_MAX_BYTES, "%s to %s, ",
		        value_size_text(low, (uint64_t)row->min),
		        value_size_text(high, (uint64_t)row->max));
		break;
	case KIND_SECONDS:
	case KIND_SECONDS_OR_NEVER:
	case KIND_MILLIS:
		(void)snprintf(out, LINE_MAX_BYTES, "%s to %s, ",
		        value_duration_text(low, row->min),
		        value_duration_text(high, row->max));
		break;
	default:
		break;
	}
	return out;
}

/* The line that begins the option's entry, as mdoc. */
static const char *item_of(char *out, size_t option)
{
	char range[LINE_MAX_BYTES];
	size_t count;
	const struct conf_option *o = &conf_options(&count)[option];
	const char *fallback = o->fallback;
	int used = snprintf(
	        out, LINE_MAX_BYTES, ITEM "%s Ar %s", o->path, o->type);
	size_t room = LINE_MAX_BYTES - (size_t)used;

	if (fallback == NULL)
		(void)snprintf(out + used, room, " Pq required\n");
	else if (fallback[0] == '\0')
		(void)snprintf(out + used, room, "\n");
	else
		(void)snprintf(out + used, room, " Pq %sdefault Cm %s\n",
		        range_of(range, &schema_rows()[option]),
		        strcmp(fallback, "\"\"") == 0 ? "\\(dq\\(dq"
		                                      : fallback);
	return out;
}

START_TEST(manual_has_every_option_with_its_type_range_and_default)
{
	char item[LINE_MAX_BYTES];
	size_t count;

	(void)conf_options(&count);
	for (size_t i = 0; i < count; i++)
		ck_assert_msg(strstr((const char *)manual.p,
		                      item_of(item, i)) != NULL,
		        "%s lacks %s", MANUAL, item);
}
END_TEST

START_TEST(manual_has_no_option_that_is_not_in_the_table)
{
	struct bytes rest = buf_bytes(&manual);
	struct bytes line;
	size_t items = 0;
	size_t count;

	(void)conf_options(&count);
	while (rest.n > 0) {
		(void)bytes_cut(rest, '\n', &line, &rest);
		items += bytes_starts(line, BYTES_LIT(ITEM));
	}
	/* The test above found one for each row, and no row is there twice. */
	ck_assert_uint_eq(items, count);
}
END_TEST

START_TEST(table_has_no_option_twice)
{
	size_t count;
	const struct conf_option *o = conf_options(&count);

	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < i; k++)
			ck_assert_str_ne(o[i].path, o[k].path);
	}
}
END_TEST

/* What stands between the option's line and the next one. */
static struct bytes entry_of(size_t option)
{
	char item[LINE_MAX_BYTES];
	const char *p = strstr((const char *)manual.p, item_of(item, option));
	const char *end;

	ck_assert_ptr_nonnull(p);
	p += strlen(item);
	end = strstr(p, "\n.It ");
	return bytes_of(p, end != NULL ? (size_t)(end - p) : strlen(p));
}

static void check_words(size_t option, const struct word *words)
{
	struct bytes entry = entry_of(option);
	char text[4096];
	size_t count;

	ck_assert_uint_lt(entry.n, sizeof(text));
	memcpy(text, entry.p, entry.n);
	text[entry.n] = '\0';
	for (; words != NULL && words->name != NULL; words++)
		ck_assert_msg(strstr(text, words->name) != NULL, "%s lacks %s",
		        conf_options(&count)[option].path, words->name);
}

START_TEST(manual_has_every_word_that_an_option_takes)
{
	size_t count;

	(void)conf_options(&count);
	for (size_t i = 0; i < count; i++) {
		check_words(i, schema_rows()[i].words);
		if (schema_rows()[i].kind == KIND_ATTRIBUTE)
			check_words(i, schema_attributes());
	}
}
END_TEST

START_TEST(manual_example_loads)
{
	const char *begin = strstr((const char *)manual.p, ".Bd -literal");
	const char *end;
	struct buf yaml = BUF_INIT(1u << 16);

	ck_assert_ptr_nonnull(begin);
	begin = strchr(begin, '\n') + 1;
	end = strstr(begin, ".Ed");
	ck_assert_ptr_nonnull(end);
	buf_add(&yaml, bytes_of(begin, (size_t)(end - begin)));
	conf_free(load(buf_cstr(&yaml)));
	buf_free(&yaml);
}
END_TEST

TCase *test_conf_man(void)
{
	TCase *t = tcase_create("man");

	tcase_add_checked_fixture(t, manual_read, manual_drop);
	tcase_add_test(
	        t, manual_has_every_option_with_its_type_range_and_default);
	tcase_add_test(t, manual_has_no_option_that_is_not_in_the_table);
	tcase_add_test(t, table_has_no_option_twice);
	tcase_add_test(t, manual_has_every_word_that_an_option_takes);
	tcase_add_test(t, manual_example_loads);
	return t;
}
