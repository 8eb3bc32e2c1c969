/* cmd/mica_config.c - a value out of the configuration. */
#include "cmd/mica.h"
#include "base/file.h"
#include "conf/conf.h"
#include "conf/node.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *config_fallback(const char *option)
{
	size_t n;
	const struct conf_option *o = conf_options(&n);

	for (size_t i = 0; i < n; i++)
		if (strcmp(o[i].path, option) == 0)
			return o[i].fallback;
	return "";
}

/* "admin.socket" in the document; NULL when it does not stand there. */
static const char *find_text(const struct node *n, const char *option)
{
	struct bytes rest = bytes_str(option), word;
	char key[64];
	bool more = true;

	while (more && n != NULL && n->kind == NODE_MAP) {
		more = bytes_cut(rest, '.', &word, &rest);
		snprintf(key, sizeof(key), "%.*s", (int)word.n,
		        (const char *)word.p);
		n = node_get(n, key);
	}
	return !more && n != NULL && n->kind == NODE_SCALAR && !node_is_null(n)
	        ? n->text
	        : NULL;
}

/* Its value in the document, or its default. */
static void find_value(struct bytes yaml, const char *option, struct buf *out)
{
	struct conf_errors *errors = calloc(1, sizeof(*errors));
	struct arena arena = ARENA_INIT;
	struct node *root = NULL;
	const char *text = NULL;

	if (errors != NULL && node_parse(&root, &arena, yaml, errors) == RC_OK)
		text = find_text(root, option);
	buf_add_str(out, text != NULL ? text : config_fallback(option));
	arena_free(&arena);
	free(errors);
}

/* No file: the default, unless it is one that was asked for. */
static enum rc read_value(const struct cli *cli, const char *option,
        struct buf *out, bool *stands, struct why *why)
{
	struct buf yaml = BUF_INIT(CONF_FILE_MAX_BYTES);
	enum rc rc = file_read(&yaml, cli->config, why);

	*stands = rc == RC_OK;
	if (rc == RC_OK)
		find_value(buf_bytes(&yaml), option, out);
	else if (!cli->config_given)
		buf_add_str(out, config_fallback(option));
	buf_free(&yaml);
	return cli->config_given && rc != RC_OK ? rc : out->failed;
}

enum rc config_text(const struct cli *cli, const char *option, struct buf *out,
        struct why *why)
{
	bool stands;

	return read_value(cli, option, out, &stands, why);
}

enum rc config_path(const struct cli *cli, const char *option, struct buf *out,
        struct why *why)
{
	struct buf path = BUF_INIT(CONF_FILE_MAX_BYTES);
	const char *slash = strrchr(cli->config, '/');
	bool stands;
	enum rc rc = read_value(cli, option, &path, &stands, why);

	if (rc == RC_OK && stands && slash != NULL &&
	        (path.n == 0 || path.p[0] != '/'))
		buf_add(out,
		        bytes_of(cli->config,
		                (size_t)(slash - cli->config) + 1));
	buf_add(out, buf_bytes(&path));
	buf_free(&path);
	return rc == RC_OK ? out->failed : rc;
}
