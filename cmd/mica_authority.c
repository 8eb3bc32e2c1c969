/* cmd/mica_authority.c - ceremonies about authorities: a root of one's own,
 * requests and their answers. All by mica-signer. */
#include "ca/cert.h"
#include "ca/pem.h"
#include "base/file.h"
#include "cmd/mica_authority.h"
#include "der/name.h"
#include "enroll/token.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOT_VALIDITY "30y"
#define ROOT_TYPE "p384"
#define CA_VALIDITY "10y"
#define PATH_LENGTH "0"
#define NAME_DEFAULT "Example"
#define SUBJECT_TEXT_MAX_BYTES 8192

/* What mica init made, beside the configuration. */
static const char *beside_config(
        const struct cli *cli, const char *name, char out[CEREMONY_PATH_BYTES])
{
	const char *slash = strrchr(cli->config, '/');
	int n = slash != NULL ? (int)(slash - cli->config) + 1 : 0;

	(void)snprintf(
	        out, CEREMONY_PATH_BYTES, "%.*s%s", n, cli->config, name);
	return out;
}

static void add_subjects(struct ceremony *c, const struct cli *cli)
{
	for (size_t i = 0; i < cli->option[OPT_SUBJECT].n; i++)
		ceremony_add(c, "--subject", cli->option[OPT_SUBJECT].v[i]);
}

static enum cli_exit finish(struct cli *cli, enum rc rc, const struct why *why)
{
	return rc == RC_OK ? CLI_OK : cli_fail(cli, rc, why);
}

/* Of the root's key: a passphrase, or with --module the PIN of its token. */
static enum rc open_secret(
        const struct cli *cli, const char *key, int *fd, struct why *why)
{
	bool token = cli_given(cli, OPT_MODULE);
	enum rc rc = ceremony_passphrase(cli,
	        token ? OPT_PIN_FILE : OPT_ROOT_PASSPHRASE_FILE, key, fd, why);

	if (rc == RC_OK && token && *fd < 0)
		*fd = ceremony_ask("PIN", key);
	return rc;
}

enum rc authority_add_issuer(struct ceremony *c, const struct cli *cli,
        char key[CEREMONY_PATH_BYTES], char cert[CEREMONY_PATH_BYTES],
        struct why *why)
{
	const char *path = cli_value_or(
	        cli, OPT_KEY, beside_config(cli, "root/root.key", key));
	enum rc rc;
	int fd;

	ceremony_add(c, "--issuer-key", path);
	if (cli_given(cli, OPT_MODULE))
		ceremony_add(c, "--issuer-module", cli_value(cli, OPT_MODULE));
	ceremony_add(c, "--issuer-cert",
	        cli_value_or(cli, OPT_FILE,
	                beside_config(cli, "ca/root.pem", cert)));
	rc = open_secret(cli, path, &fd, why);
	if (rc == RC_OK)
		ceremony_add_fd(c, "--issuer-passphrase-fd", fd);
	return rc;
}

/* --- root */
struct root {
	bool token;      /* --module: the key is made in a token */
	const char *key; /* a path, or the token's URI */
	char path[CEREMONY_PATH_BYTES], cert[CEREMONY_PATH_BYTES];
	char transcript[CEREMONY_PATH_BYTES], proof[CEREMONY_PATH_BYTES];
	char organization[128], common_name[128];
	char passphrase[CEREMONY_PASSPHRASE_MAX_BYTES + 1]; /* made */
};

static bool below(const char *dir, const char *name, char *out)
{
	return snprintf(out, CEREMONY_PATH_BYTES, "%s/%s", dir, name) <
	        CEREMONY_PATH_BYTES;
}

static enum rc root_names(
        const struct cli *cli, struct root *r, struct why *why)
{
	const char *dir = cli->args[0];
	const char *name = cli_value_or(cli, OPT_NAME, NAME_DEFAULT);

	if (!below(dir, "root.key", r->path) ||
	        !below(dir, "root.pem", r->cert) ||
	        !below(dir, "root.transcript", r->transcript) ||
	        !below(dir, "root.key.transcript", r->proof) ||
	        snprintf(r->organization, sizeof(r->organization), "O=%s",
	                name) >= (int)sizeof(r->organization) ||
	        snprintf(r->common_name, sizeof(r->common_name),
	                "CN=%s Root CA", name) >= (int)sizeof(r->common_name))
		return why_set(why, RC_TOOBIG, "DIR or --name is too long");
	r->token = cli_given(cli, OPT_MODULE);
	r->key = r->token ? cli_value(cli, OPT_KEY) : r->path;
	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return why_set(why, RC_IO, "%s: %s", dir, strerror(errno));
	return RC_OK;
}

/* Where the key is, and what opens it. */
static enum rc add_root_key(struct ceremony *c, const struct cli *cli,
        const struct root *r, const char *option, struct why *why)
{
	int fd = -1;
	enum rc rc = RC_OK;

	ceremony_add(c, option, r->key);
	if (r->token)
		ceremony_add(c, "--module", cli_value(cli, OPT_MODULE));
	if (r->passphrase[0] != '\0')
		fd = ceremony_secret_fd(r->passphrase);
	else
		rc = open_secret(cli, r->key, &fd, why);
	if (rc == RC_OK && fd < 0)
		rc = why_set(why, RC_NOCRED, "%s: there is no %s", r->key,
		        r->token ? "PIN" : "passphrase");
	ceremony_add_fd(c, "--passphrase-fd", fd);
	return rc;
}

static enum rc make_root(
        const struct cli *cli, const struct root *r, struct why *why)
{
	struct ceremony c;
	enum rc rc;

	ceremony_begin(&c, r->token ? "create-key" : "make-key");
	ceremony_add(&c, "--type", cli_value_or(cli, OPT_TYPE, ROOT_TYPE));
	if (r->token)
		ceremony_add(&c, "--transcript", r->proof);
	rc = add_root_key(&c, cli, r, r->token ? "--key" : "--out", why);
	if (rc == RC_OK)
		rc = ceremony_run(&c, why);
	if (rc != RC_OK)
		return rc;
	ceremony_begin(&c, "root");
	ceremony_add(&c, "--subject", r->organization);
	ceremony_add(&c, "--subject", r->common_name);
	ceremony_add(&c, "--validity",
	        cli_value_or(cli, OPT_VALIDITY, ROOT_VALIDITY));
	if (cli_given(cli, OPT_PATH_LENGTH))
		ceremony_add(
		        &c, "--path-length", cli_value(cli, OPT_PATH_LENGTH));
	ceremony_add(&c, "--out", r->cert);
	ceremony_add(&c, "--transcript", r->transcript);
	rc = add_root_key(&c, cli, r, "--key", why);
	return rc == RC_OK ? ceremony_run(&c, why) : rc;
}

static void show_root(const struct root *r)
{
	printf("%s    the root's key, %s\n", r->key,
	        r->token ? "in the token" : "encrypted");
	printf("%s    its certificate: what devices and services trust\n",
	        r->cert);
	if (r->token)
		printf("%s    the proof of its key, for the witnesses\n",
		        r->proof);
	printf("%s    for the witnesses to sign\n", r->transcript);
	if (r->passphrase[0] != '\0')
		printf("\nThe key's passphrase, shown this once:\n\n    %s\n\n"
		       "Write it down and keep it apart from the key.\n",
		        r->passphrase);
}

enum cli_exit mica_authority_root(struct cli *cli)
{
	struct root r = { .passphrase = "" };
	struct why why = WHY_NONE;
	enum rc rc;

	_Static_assert(sizeof(r.passphrase) > TOKEN_TEXT_CHARS, "fits");
	if (cli_given(cli, OPT_KEY) != cli_given(cli, OPT_MODULE))
		return cli_usage(cli,
		        "--key, a token's URI, and --module belong "
		        "together");
	rc = root_names(cli, &r, &why);
	if (!r.token && !cli_given(cli, OPT_ROOT_PASSPHRASE_FILE))
		token_make(r.passphrase);
	if (rc == RC_OK)
		rc = make_root(cli, &r, &why);
	if (rc == RC_OK)
		show_root(&r);
	bytes_wipe(r.passphrase, sizeof(r.passphrase));
	return finish(cli, rc, &why);
}

/* --- request */

enum rc authority_subject(const char *path, struct buf *out, struct why *why)
{
	struct buf pem = BUF_INIT(2 * PEM_DER_MAX_BYTES);
	struct buf der = BUF_INIT(PEM_DER_MAX_BYTES);
	struct name_attr attr;
	struct name_walk walk;
	struct bytes text;
	struct cert cert;
	enum rc rc = file_read(&pem, path, why);

	text = buf_bytes(&pem);
	if (rc == RC_OK)
		rc = pem_next(&text, "CERTIFICATE", &der, why);
	if (rc == RC_OK)
		rc = cert_parse(&cert, buf_bytes(&der), why);
	if (rc == RC_OK) {
		walk = name_walk(cert.subject);
		while (rc == RC_OK && name_next(&walk, &attr)) {
			rc = oid_print(out, attr.oid);
			buf_add_u8(out, '=');
			if (rc == RC_OK)
				rc = name_attr_text(out, &attr);
			buf_add_u8(out, '\0');
		}
	}
	buf_free(&pem);
	buf_free(&der);
	return rc != RC_OK ? rc : out->failed;
}

/* --subject, or that of the certificate that is to be followed. texts outlives
 * c. */
static enum rc add_request_subject(struct ceremony *c, const struct cli *cli,
        const struct authority_conf *conf, struct buf *texts, struct why *why)
{
	enum rc rc;

	if (cli_given(cli, OPT_SUBJECT)) {
		add_subjects(c, cli);
		return RC_OK;
	}
	if (access(conf->certificate, F_OK) != 0)
		return why_set(why, RC_NOTFOUND,
		        "--subject: which? There is no certificate yet at %s",
		        conf->certificate);
	rc = why_prefix(why, authority_subject(conf->certificate, texts, why),
	        "%s", conf->certificate);
	for (size_t at = 0; rc == RC_OK && at < texts->n;
	        at += strlen((const char *)texts->p + at) + 1)
		ceremony_add(c, "--subject", (const char *)texts->p + at);
	return rc;
}

enum cli_exit mica_authority_request(struct cli *cli)
{
	struct buf texts = BUF_INIT(SUBJECT_TEXT_MAX_BYTES);
	char transcript[CEREMONY_PATH_BYTES];
	struct authority_conf conf;
	struct why why = WHY_NONE;
	struct ceremony c;
	enum rc rc;

	if (!cli_given(cli, OPT_OUT))
		return cli_usage(cli, "--out: where to?");
	ceremony_begin(&c, "request");
	rc = authority_conf_read(cli, cli->args[0], &conf, &why);
	if (rc == RC_OK)
		rc = add_request_subject(&c, cli, &conf, &texts, &why);
	if (rc == RC_OK)
		rc = authority_transcript(
		        cli, cli_value(cli, OPT_OUT), transcript, &why);
	ceremony_add(&c, "--path-length",
	        cli_value_or(cli, OPT_PATH_LENGTH, PATH_LENGTH));
	ceremony_add(&c, "--out", cli_value(cli, OPT_OUT));
	ceremony_add(&c, "--transcript", transcript);
	if (rc == RC_OK)
		rc = key_conf_add(&c, &conf.key, &why);
	if (rc == RC_OK)
		rc = ceremony_run(&c, &why);
	if (rc == RC_OK)
		printf("%s    to be taken to the root, and answered there:\n"
		       "    mica authority sign %s --out %s.pem\n"
		       "%s    for the witnesses to sign\n",
		        cli_value(cli, OPT_OUT), cli_value(cli, OPT_OUT),
		        cli->args[0], transcript);
	buf_free(&texts);
	return finish(cli, rc, &why);
}

/* --- sign */
static void add_each(struct ceremony *c, const struct cli *cli,
        enum cli_option option, const char *name)
{
	for (size_t i = 0; i < cli->option[option].n; i++)
		ceremony_add(c, name, cli->option[option].v[i]);
}

void authority_add_urls(struct ceremony *c, const struct cli *cli)
{
	add_each(c, cli, OPT_CRL_URL, "--crl-url");
	add_each(c, cli, OPT_CA_ISSUERS_URL, "--ca-issuers-url");
}

enum cli_exit mica_authority_sign(struct cli *cli)
{
	char key[CEREMONY_PATH_BYTES], cert[CEREMONY_PATH_BYTES];
	char transcript[CEREMONY_PATH_BYTES];
	struct why why = WHY_NONE;
	struct ceremony c;
	enum rc rc;

	if (!cli_given(cli, OPT_OUT))
		return cli_usage(cli, "--out: where to?");
	ceremony_begin(&c, "sign");
	ceremony_add(&c, "--request", cli->args[0]);
	rc = authority_add_issuer(&c, cli, key, cert, &why);
	if (rc == RC_OK)
		rc = authority_transcript(
		        cli, cli_value(cli, OPT_OUT), transcript, &why);
	add_subjects(&c, cli);
	ceremony_add(
	        &c, "--validity", cli_value_or(cli, OPT_VALIDITY, CA_VALIDITY));
	ceremony_add(&c, "--path-length",
	        cli_value_or(cli, OPT_PATH_LENGTH, PATH_LENGTH));
	authority_add_urls(&c, cli);
	ceremony_add(&c, "--out", cli_value(cli, OPT_OUT));
	ceremony_add(&c, "--transcript", transcript);
	if (cli_given(cli, OPT_YES))
		ceremony_add(&c, "--yes", NULL);
	if (rc == RC_OK)
		rc = ceremony_run(&c, &why);
	if (rc == RC_OK)
		printf("\n%s    the certificate, to be taken back:\n"
		       "    mica authority install NAME %s\n"
		       "%s    for the witnesses to sign\n",
		        cli_value(cli, OPT_OUT), cli_value(cli, OPT_OUT),
		        transcript);
	return finish(cli, rc, &why);
}
