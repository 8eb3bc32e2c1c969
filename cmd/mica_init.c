/* cmd/mica_init.c - mica init: from nothing to a CA that micad can run. */
#include "cmd/mica_init.h"
#include "base/file.h"
#include "base/text.h"
#include "conf/conf.h"
#include "conf/value.h"
#include "enroll/token.h"

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define USER "mica"
#define SIGNER_USER "mica-signer"
#define ADD_USER                                                               \
	"useradd --system --user-group --no-create-home "                      \
	"--shell /usr/sbin/nologin "
#define EST_DEFAULT "0.0.0.0:8443"
#define HTTP_DEFAULT "0.0.0.0:8080"
#define METRICS_DEFAULT "127.0.0.1:9090"
#define NAME_DEFAULT "Example"
/* "NAME Issuing CA" is a commonName of at most 64 (RFC 5280 appendix A.1). */
#define NAME_MAX_BYTES 48
#define HOST_MAX_BYTES 254
/* sockaddr_un's, less the NUL. */
#define SOCKET_MAX_BYTES 107

struct est_names {
	const char *list[4];
	size_t n;
	char host[HOST_MAX_BYTES + 1];
};

/* --- what is wanted */
static void default_names(struct est_names *names)
{
	names->list[names->n++] = "localhost";
	names->list[names->n++] = "127.0.0.1";
	names->list[names->n++] = "::1";
	if (gethostname(names->host, sizeof(names->host) - 1) == 0 &&
	        value_is_host(names->host) &&
	        strcmp(names->host, "localhost") != 0)
		names->list[names->n++] = names->host;
}

/* It stands in quotes in YAML, and in a template. */
static bool is_name(const char *name)
{
	struct bytes n = bytes_str(name);

	for (size_t i = 0; i < n.n; i++)
		if (n.p[i] < 0x20 || n.p[i] == 0x7f || n.p[i] == '"' ||
		        n.p[i] == '\\' || n.p[i] == '%')
			return false;
	return n.n > 0 && n.n <= NAME_MAX_BYTES && text_is_utf8(n);
}

static const char *value_or(
        const struct cli *cli, enum cli_option o, const char *fallback)
{
	return cli_given(cli, o) ? cli_value(cli, o) : fallback;
}

static bool is_address(const char *text)
{
	return text[0] == '\0' || value_is_address(text);
}

static enum cli_exit read_options(
        struct cli *cli, struct init *in, struct est_names *names)
{
	in->dir = cli->args[0];
	in->name = value_or(cli, OPT_NAME, NAME_DEFAULT);
	in->root_file = cli_value(cli, OPT_ROOT);
	in->est = value_or(cli, OPT_EST, EST_DEFAULT);
	in->http = value_or(cli, OPT_HTTP, HTTP_DEFAULT);
	in->metrics = value_or(cli, OPT_METRICS, METRICS_DEFAULT);
	in->est_names = cli->option[OPT_EST_NAME].v;
	in->n_est_names = cli->option[OPT_EST_NAME].n;
	if (in->n_est_names == 0) {
		default_names(names);
		in->est_names = names->list;
		in->n_est_names = names->n;
	}
	if (!is_name(in->name))
		return cli_usage(cli,
		        "--name: want 1 to %d bytes without \", \\ and %%",
		        NAME_MAX_BYTES);
	if (!is_address(in->est) || !is_address(in->http) ||
	        !is_address(in->metrics))
		return cli_usage(cli,
		        "an address is wanted as 127.0.0.1:8443 "
		        "or [::1]:8443; \"\" is off");
	for (size_t i = 0; i < in->n_est_names; i++)
		if (!value_is_host(in->est_names[i]))
			return cli_usage(cli,
			        "--est-name %s: not a host name or address",
			        in->est_names[i]);
	return init_token_options(cli, in);
}

static enum rc passphrase(
        const struct cli *cli, struct init *in, struct why *why)
{
	_Static_assert(sizeof(in->passphrase) > TOKEN_TEXT_CHARS, "fits");

	if (in->root_file != NULL || in->token.has_root)
		return RC_OK;
	if (cli_given(cli, OPT_ROOT_PASSPHRASE_FILE))
		return init_read_line(cli_value(cli, OPT_ROOT_PASSPHRASE_FILE),
		        in->passphrase, "passphrase", why);
	token_make(in->passphrase); /* 128 bits that can be written down */
	in->passphrase_made = true;
	return RC_OK;
}

/* Started as root, micad runs its parts as these. */
static enum rc find_users(struct init *in, struct why *why)
{
	const struct passwd *signer;

	in->as_root = geteuid() == 0;
	if (!in->as_root)
		return RC_OK;
	if (getpwnam(USER) == NULL)
		return why_set(
		        why, RC_NOTFOUND, "no user " USER ": " ADD_USER USER);
	signer = getpwnam(SIGNER_USER);
	if (signer == NULL)
		return why_set(why, RC_NOTFOUND,
		        "no user " SIGNER_USER ": " ADD_USER SIGNER_USER);
	in->signer_uid = signer->pw_uid;
	in->signer_gid = signer->pw_gid;
	return RC_OK;
}

/* --- making it */
/* Of the files that mica.yaml names, one may still be with the root. */
static enum rc read_named(
        void *ctx, const char *path, struct buf *out, struct why *why)
{
	const struct init *in = ctx;
	char full[INIT_PATH_BYTES];

	if (in->root_file != NULL && strcmp(path, "ca/issuing.pem") == 0)
		path = "ca/root.pem";
	return file_read(out, init_path(in, path, full), why);
}

/* Held against what micad will read. */
static enum rc check_config(struct init *in, struct bytes yaml, struct why *why)
{
	struct conf_errors *errors = calloc(1, sizeof(*errors));
	struct conf *conf = NULL;
	char path[INIT_PATH_BYTES];
	enum rc rc = RC_NOMEM;

	if (errors != NULL)
		rc = conf_load(&conf, init_path(in, "mica.yaml", path), yaml,
		        read_named, in, errors);
	if (rc == RC_CONFIG && errors->n > 0)
		why_set(why, rc, "mica.yaml:%u: %s: %s", errors->list[0].line,
		        errors->list[0].path, errors->list[0].text);
	conf_free(conf);
	free(errors);
	return rc;
}

static enum rc write_config(struct init *in, struct why *why)
{
	struct buf yaml = BUF_INIT(CONF_FILE_MAX_BYTES);
	enum rc rc;

	init_template(&yaml, in);
	rc = yaml.failed;
	if (rc == RC_OK)
		rc = check_config(in, buf_bytes(&yaml), why);
	if (rc == RC_OK)
		rc = init_write(in, "mica.yaml", 0644, buf_bytes(&yaml), why);
	buf_free(&yaml);
	return rc;
}

static enum rc make_all(struct init *in, struct why *why)
{
	enum rc rc = init_folders(in, why);

	if (rc == RC_OK)
		rc = init_ceremony(in, why);
	if (rc == RC_OK)
		rc = write_config(in, why);
	if (rc == RC_OK)
		rc = init_settle(in, why);
	if (rc != RC_OK)
		init_clean(in);
	return rc;
}

/* --- saying what was made */
static void show_json(const struct init *in)
{
	json_t *o = json_pack("{s:s, s:o, s:o, s:o}", "dir", in->dir, "config",
	        json_sprintf("%s/mica.yaml", in->dir), "root",
	        json_sprintf("%s/ca/root.pem", in->dir), "issuing",
	        json_sprintf("%s/ca/issuing.pem", in->dir));

	if (in->root_file != NULL)
		json_object_set_new(o, "request",
		        json_sprintf("%s/issuing.req.pem", in->dir));
	else if (in->token.has_root)
		json_object_set_new(o, "root_key", json_string(in->token.root));
	else
		json_object_set_new(o, "root_key",
		        json_sprintf("%s/root/root.key", in->dir));
	if (in->token.module != NULL)
		json_object_set_new(
		        o, "issuing_key", json_string(in->token.issuing));
	if (in->passphrase_made)
		json_object_set_new(
		        o, "root_passphrase", json_string(in->passphrase));
	print_json_new(o);
}

static void show_issuing_key(const struct init *in)
{
	const char *d = in->dir;

	if (in->token.module == NULL) {
		printf("%s/keys             the issuing CA's key\n", d);
		return;
	}
	printf("%s  the issuing CA's key, which the token made and keeps\n",
	        in->token.issuing);
	printf("%s/keys             the token's PIN\n", d);
	printf("%s/issuing.key.transcript  the proof, for witnesses to sign\n",
	        d);
}

static void show_root_key(const struct init *in)
{
	const char *d = in->dir;

	if (in->token.has_root) {
		printf("%s  the root's key, in the token\n", in->token.root);
		printf("%s/root.key.transcript  the proof, for witnesses to "
		       "sign\n",
		        d);
		return;
	}
	printf("%s/root/root.key    the root's key, encrypted\n", d);
	if (in->passphrase_made)
		printf("\nThe root key's passphrase, shown this once:\n\n"
		       "    %s\n\nWrite it down and keep it apart from the "
		       "key.\n",
		        in->passphrase);
	printf("\nmicad never reads %s/root. Move it offline, to a medium in "
	       "a safe, and\nkeep a second copy: it makes the next issuing "
	       "CA.\n",
	        d);
}

static void show_request(const struct init *in)
{
	const char *d = in->dir;

	printf("%s/issuing.req.pem  the request for its certificate\n", d);
	printf("\nTake the request to the machine that has the root's key:\n"
	       "    mica authority sign issuing.req.pem --out issuing.pem "
	       "--key root.key --file root.pem\n"
	       "and bring the certificate back:\n"
	       "    mica --config %s/mica.yaml authority install factory "
	       "issuing.pem\n",
	        d);
}

static void show(const struct init *in)
{
	const char *d = in->dir;

	printf("%s/mica.yaml        the configuration\n", d);
	printf("%s/ca/root.pem      what devices and services trust\n", d);
	if (in->root_file == NULL)
		printf("%s/ca/issuing.pem   the CA that issues\n", d);
	show_issuing_key(in);
	if (in->root_file != NULL)
		show_request(in);
	else
		show_root_key(in);
	printf("\nStart the CA:  micad -c %s/mica.yaml\n", d);
}

/* A key without the passphrase that nobody saw would be worth nothing. */
static void hold_signals(bool on)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(on ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

/* Files are gone again. A key in a token stays: it is not ours to say that it is
 * the one that was just made. */
static enum cli_exit failed(const struct cli *cli, const struct init *in,
        enum rc rc, const struct why *why)
{
	if (in->token.module != NULL && rc != RC_EXISTS)
		fprintf(stderr,
		        "mica: look into token %s for keys that were made "
		        "before this failed\n",
		        in->token.label);
	return cli_fail(cli, rc, why);
}

enum cli_exit mica_init(struct cli *cli)
{
	struct init in = { .dir = NULL };
	struct est_names names = { .n = 0 };
	struct why why = WHY_NONE;
	enum cli_exit status = read_options(cli, &in, &names);
	enum rc rc;

	if (status != CLI_OK)
		return status;
	if (strlen(in.dir) + strlen("/admin.sock") > SOCKET_MAX_BYTES &&
	        in.dir[0] == '/')
		return cli_usage(cli,
		        "DIR is too long: a socket below it has to fit "
		        "into %d bytes",
		        SOCKET_MAX_BYTES);
	umask(022);
	hold_signals(true);
	rc = find_users(&in, &why);
	if (rc == RC_OK)
		rc = passphrase(cli, &in, &why);
	if (rc == RC_OK)
		rc = init_token_pin(cli, &in, &why);
	if (rc == RC_OK)
		rc = make_all(&in, &why);
	if (rc != RC_OK)
		status = failed(cli, &in, rc, &why);
	else if (cli->json)
		show_json(&in);
	else
		show(&in);
	bytes_wipe(in.passphrase, sizeof(in.passphrase));
	bytes_wipe(in.token.pin, sizeof(in.token.pin));
	fflush(stdout);
	hold_signals(false);
	return status;
}
