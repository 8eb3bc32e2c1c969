/* cmd/mica_authority_conf.c - an authority in the configuration. */
#include "cmd/mica_authority.h"
#include "conf/conf.h"
#include "conf/node.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *text_of(const struct node *map, const char *key)
{
	const struct node *n = map != NULL && map->kind == NODE_MAP
	        ? node_get(map, key)
	        : NULL;

	return n != NULL && n->kind == NODE_SCALAR && !node_is_null(n) ? n->text
	                                                               : NULL;
}

/* path below the configuration's folder, and below folder in it. */
static bool join(const struct cli *cli, const char *folder, const char *path,
        char out[CEREMONY_PATH_BYTES])
{
	const char *slash = strrchr(cli->config, '/');
	int n = slash != NULL ? (int)(slash - cli->config) + 1 : 0;
	const char *first = folder[0] != '\0' ? folder : path;

	return snprintf(out, CEREMONY_PATH_BYTES, "%.*s%s%s%s",
	               first[0] == '/' ? 0 : n, cli->config, folder,
	               folder[0] != '\0' ? "/" : "",
	               path) < CEREMONY_PATH_BYTES;
}

static bool place(const struct cli *cli, const char *folder, const char *path,
        char out[CEREMONY_PATH_BYTES])
{
	out[0] = '\0';
	return path == NULL || join(cli, folder, path, out);
}

bool authority_conf_path(
        const struct cli *cli, const char *path, char out[CEREMONY_PATH_BYTES])
{
	return join(cli, "", path, out);
}

static enum rc read_key(const struct cli *cli, const struct node *root,
        const char *name, struct authority_conf *out, struct why *why)
{
	const struct node *key = node_get(node_get(root, "keys"), name);
	const char *folder = text_of(node_get(root, "process"), "keys");

	if (folder == NULL)
		folder = config_fallback("process.keys");
	if (snprintf(out->key_name, sizeof(out->key_name), "%s", name) >=
	                (int)sizeof(out->key_name) ||
	        !place(cli, folder, text_of(key, "file"), out->key) ||
	        !place(cli, folder, text_of(key, "passphrase_file"),
	                out->passphrase_file))
		return why_set(why, RC_TOOBIG, "keys.%s: too long", name);
	return out->key[0] != '\0'
	        ? RC_OK
	        : why_set(why, RC_NOTFOUND, "%s: keys.%s names no key",
	                  cli->config, name);
}

static enum rc read_authority(const struct cli *cli, const struct node *root,
        const char *name, struct authority_conf *out, struct why *why)
{
	const struct node *a = node_get(node_get(root, "authorities"), name);
	const char *key = text_of(a, "key");

	if (a == NULL)
		return why_set(why, RC_NOTFOUND,
		        "%s: there is no authorities.%s", cli->config, name);
	if (!place(cli, "", text_of(a, "certificate"), out->certificate) ||
	        !place(cli, "", text_of(a, "chain"), out->chain))
		return why_set(
		        why, RC_TOOBIG, "authorities.%s: too long", name);
	if (key == NULL || out->certificate[0] == '\0')
		return why_set(why, RC_NOTFOUND,
		        "%s: authorities.%s wants key and certificate",
		        cli->config, name);
	return read_key(cli, root, key, out, why);
}

enum rc authority_conf_read(const struct cli *cli, const char *name,
        struct authority_conf *out, struct why *why)
{
	struct conf_errors *errors = calloc(1, sizeof(*errors));
	struct buf yaml = BUF_INIT(CONF_FILE_MAX_BYTES);
	struct arena arena = ARENA_INIT;
	struct node *root = NULL;
	enum rc rc = errors == NULL ? RC_NOMEM
	                            : config_read_file(cli->config, &yaml, why);

	memset(out, 0, sizeof(*out));
	if (rc == RC_OK) {
		rc = node_parse(&root, &arena, buf_bytes(&yaml), errors);
		if (rc == RC_CONFIG)
			why_set(why, rc, "%s: no YAML: micad --check-config %s",
			        cli->config, cli->config);
	}
	if (rc == RC_OK)
		rc = read_authority(cli, root, name, out, why);
	arena_free(&arena);
	buf_free(&yaml);
	free(errors);
	return rc;
}

enum rc authority_conf_add_key(
        struct ceremony *c, const struct authority_conf *conf, struct why *why)
{
	int fd;

	ceremony_add(c, "--key", conf->key);
	if (conf->passphrase_file[0] == '\0')
		return RC_OK;
	fd = open(conf->passphrase_file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return why_set(why, RC_IO, "%s: %s", conf->passphrase_file,
		        strerror(errno));
	ceremony_add_fd(c, "--passphrase-fd", fd);
	return RC_OK;
}

enum rc authority_transcript(const struct cli *cli, const char *path,
        char out[CEREMONY_PATH_BYTES], struct why *why)
{
	const char *given = cli_value(cli, OPT_TRANSCRIPT);
	int n = given != NULL
	        ? snprintf(out, CEREMONY_PATH_BYTES, "%s", given)
	        : snprintf(out, CEREMONY_PATH_BYTES, "%s.transcript", path);

	return n < CEREMONY_PATH_BYTES
	        ? RC_OK
	        : why_set(why, RC_TOOBIG, "the transcript's path is too long");
}
