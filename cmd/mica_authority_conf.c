/* cmd/mica_authority_conf.c - keys and authorities in the configuration. */
#include "cmd/mica_authority.h"
#include "base/file.h"
#include "conf/conf.h"
#include "conf/node.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* Started as root, the signer is another user. */
static void find_user(const struct node *root, struct key_conf *out)
{
	const char *name = text_of(node_get(root, "process"), "signer_user");
	const struct passwd *user;

	if (geteuid() != 0)
		return;
	user = getpwnam(
	        name != NULL ? name : config_fallback("process.signer_user"));
	if (user != NULL)
		(void)snprintf(out->as, sizeof(out->as), "%lu:%lu",
		        (unsigned long)user->pw_uid,
		        (unsigned long)user->pw_gid);
}

/* A PIN is a file in the keys' folder, or a credential of the daemon's, which is
 * here only where systemd started us. */
static bool place_pin(const struct cli *cli, const char *folder,
        const char *pin, char out[CEREMONY_PATH_BYTES])
{
	const char *credentials = getenv("CREDENTIALS_DIRECTORY");
	size_t n = strlen(CONF_CREDENTIAL_PREFIX);

	if (pin == NULL || strncmp(pin, CONF_CREDENTIAL_PREFIX, n) != 0)
		return place(cli, folder, pin, out);
	return credentials == NULL ||
	        snprintf(out, CEREMONY_PATH_BYTES, "%s/%s", credentials,
	                pin + n) < CEREMONY_PATH_BYTES;
}

static bool read_token_key(const struct cli *cli, const char *folder,
        const struct node *root, const struct node *key, struct key_conf *out)
{
	find_user(root, out);
	return snprintf(out->key, sizeof(out->key), "%s", text_of(key, "uri")) <
	        (int)sizeof(out->key) &&
	        place(cli, "", text_of(key, "module"), out->module) &&
	        place_pin(cli, folder, text_of(key, "pin"), out->secret);
}

static enum rc find_key(const struct cli *cli, const struct node *root,
        const char *name, struct key_conf *out, struct why *why)
{
	const struct node *key = node_get(node_get(root, "keys"), name);
	const char *folder = text_of(node_get(root, "process"), "keys");
	bool fits;

	if (folder == NULL)
		folder = config_fallback("process.keys");
	fits = snprintf(out->name, sizeof(out->name), "%s", name) <
	        (int)sizeof(out->name);
	if (text_of(key, "uri") != NULL)
		fits = fits && read_token_key(cli, folder, root, key, out);
	else
		fits = fits &&
		        place(cli, folder, text_of(key, "file"), out->key) &&
		        place(cli, folder, text_of(key, "passphrase_file"),
		                out->secret);
	if (!fits)
		return why_set(why, RC_TOOBIG, "keys.%s: too long", name);
	return out->key[0] != '\0'
	        ? RC_OK
	        : why_set(why, RC_NOTFOUND, "%s: there is no keys.%s",
	                  cli->config, name);
}

static enum rc find_authority(const struct cli *cli, const struct node *root,
        const char *name, struct authority_conf *out, struct why *why)
{
	const struct node *a = node_get(node_get(root, "authorities"), name);
	const char *key = text_of(a, "key");

	if (a == NULL)
		return why_set(why, RC_NOTFOUND,
		        "%s: there is no authorities.%s", cli->config, name);
	if (!place(cli, "", text_of(a, "certificate"), out->certificate) ||
	        !place(cli, "", text_of(a, "chain"), out->chain) ||
	        !place(cli, "", text_of(a, "issuer_crl"), out->issuer_crl))
		return why_set(
		        why, RC_TOOBIG, "authorities.%s: too long", name);
	if (key == NULL || out->certificate[0] == '\0')
		return why_set(why, RC_NOTFOUND,
		        "%s: authorities.%s wants key and certificate",
		        cli->config, name);
	return find_key(cli, root, key, &out->key, why);
}

static enum rc parse(const struct cli *cli, struct arena *arena,
        struct node **root, struct why *why)
{
	struct conf_errors *errors = calloc(1, sizeof(*errors));
	struct buf yaml = BUF_INIT(CONF_FILE_MAX_BYTES);
	enum rc rc =
	        errors == NULL ? RC_NOMEM : file_read(&yaml, cli->config, why);

	if (rc == RC_OK) {
		rc = node_parse(root, arena, buf_bytes(&yaml), errors);
		if (rc == RC_CONFIG)
			why_set(why, rc, "%s: no YAML: micad --check-config %s",
			        cli->config, cli->config);
	}
	buf_free(&yaml);
	free(errors);
	return rc;
}

enum rc key_conf_read(const struct cli *cli, const char *name,
        struct key_conf *out, struct why *why)
{
	struct arena arena = ARENA_INIT;
	struct node *root = NULL;
	enum rc rc = parse(cli, &arena, &root, why);

	memset(out, 0, sizeof(*out));
	if (rc == RC_OK)
		rc = find_key(cli, root, name, out, why);
	arena_free(&arena);
	return rc;
}

enum rc key_conf_user(
        const struct cli *cli, struct key_conf *out, struct why *why)
{
	struct arena arena = ARENA_INIT;
	struct node *root = NULL;
	enum rc rc = parse(cli, &arena, &root, why);

	if (rc == RC_OK)
		find_user(root, out);
	arena_free(&arena);
	return rc;
}

enum rc authority_conf_read(const struct cli *cli, const char *name,
        struct authority_conf *out, struct why *why)
{
	struct arena arena = ARENA_INIT;
	struct node *root = NULL;
	enum rc rc = parse(cli, &arena, &root, why);

	memset(out, 0, sizeof(*out));
	if (rc == RC_OK)
		rc = find_authority(cli, root, name, out, why);
	arena_free(&arena);
	return rc;
}

struct source_options {
	const char *key, *module, *secret_fd;
};

static enum rc add_source(struct ceremony *c, const struct key_conf *conf,
        const struct source_options *as, struct why *why)
{
	int fd = -1;

	ceremony_add(c, as->key, conf->key);
	if (conf->module[0] != '\0')
		ceremony_add(c, as->module, conf->module);
	if (conf->as[0] != '\0')
		ceremony_add(c, "--as", conf->as);
	if (conf->secret[0] != '\0') {
		fd = open(conf->secret, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return why_set(why, RC_IO, "%s: %s", conf->secret,
			        strerror(errno));
	} else if (conf->module[0] != '\0') {
		fd = ceremony_ask("PIN", conf->key);
	}
	ceremony_add_fd(c, as->secret_fd, fd);
	return RC_OK;
}

enum rc key_conf_add(
        struct ceremony *c, const struct key_conf *conf, struct why *why)
{
	static const struct source_options options = { "--key", "--module",
		"--passphrase-fd" };

	return add_source(c, conf, &options, why);
}

enum rc key_conf_add_issuer(
        struct ceremony *c, const struct key_conf *conf, struct why *why)
{
	static const struct source_options options = { "--issuer-key",
		"--issuer-module", "--issuer-passphrase-fd" };

	return add_source(c, conf, &options, why);
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
