#include "tests/unit/test_conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum rc read_anything(
        void *ctx, const char *path, struct buf *out, struct why *why)
{
	(void)ctx;
	if (strstr(path, "missing") != NULL)
		return why_set(why, RC_IO, "No such file or directory");
	buf_addf(out, "content of %s", path);
	return out->failed;
}

struct conf *load(const char *yaml)
{
	static struct conf_errors errors;
	struct conf *c = NULL;
	enum rc rc = conf_load(&c, "etc/mica.yaml", bytes_str(yaml),
	        read_anything, NULL, &errors);

	ck_assert_msg(rc == RC_OK, "%u:%u: %s: %s", errors.list[0].line,
	        errors.list[0].column, errors.list[0].path,
	        errors.list[0].text);
	return c;
}

struct buf slurp(const char *path)
{
	struct buf b = BUF_INIT(1u << 20);
	FILE *f = fopen(path, "r");
	int c;

	ck_assert_msg(f != NULL, "%s", path);
	while ((c = getc(f)) != EOF)
		buf_add_u8(&b, (uint8_t)c);
	(void)fclose(f);
	ck_assert_ptr_nonnull(buf_cstr(&b));
	return b;
}

/* Does the table's path stand for the node's? `*` is any one key. */
static bool matches(const char *path, const struct node *const *up, size_t n)
{
	while (n-- > 0) {
		size_t length = strcspn(path, ".[");
		const char *key = up[n]->key;

		if (key == NULL) {
			if (strncmp(path, "[]", 2) != 0)
				return false;
			path += 2;
		} else if (bytes_eq_str(bytes_of(path, length), "*") ||
		        bytes_eq_str(bytes_of(path, length), key)) {
			path += length;
		} else {
			return false;
		}
		if (*path == '.')
			path++;
	}
	return *path == '\0';
}

static bool find_option(const struct node *n, size_t *option)
{
	const struct node *up[NODE_DEPTH_MAX];
	size_t depth = 0;
	size_t count;
	const struct conf_option *o = conf_options(&count);

	for (const struct node *i = n; i->parent != NULL; i = i->parent)
		up[depth++] = i;
	for (*option = 0; *option < count; (*option)++) {
		if (depth > 0 && matches(o[*option].path, up, depth))
			return true;
	}
	return false;
}

void each_option(const struct node *n, found_fn *fn, void *ctx)
{
	size_t option;

	if (find_option(n, &option)) {
		fn(ctx, option, n);
		return;
	}
	for (const struct node *i = n->first; i != NULL; i = i->next)
		each_option(i, fn, ctx);
}

const char *node_text(char *out, size_t size, const struct node *n)
{
	size_t used = 1;

	if (n->kind == NODE_SCALAR) {
		(void)snprintf(
		        out, size, "%s", n->text[0] != '\0' ? n->text : "\"\"");
		return out;
	}
	(void)snprintf(out, size, "[");
	for (const struct node *i = n->first; i != NULL; i = i->next)
		used += (size_t)snprintf(out + used, size - used, "%s%s",
		        i->index > 0 ? ", " : "", i->text);
	(void)snprintf(out + used, size - used, "]");
	return out;
}

int main(void)
{
	Suite *suite = suite_create("conf");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, test_conf_values());
	suite_add_tcase(suite, test_conf_errors());
	test_conf_load(suite);
	suite_add_tcase(suite, test_conf_sample());
	suite_add_tcase(suite, test_conf_man());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
