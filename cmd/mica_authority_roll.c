/* cmd/mica_authority_roll.c - mica authority roll: the next generation of an
 * authority, with a key of its own and the same name; its certificate, or the
 * request for one; what both generations say of each other (RFC 4210 section
 * 4.4); and what has to stand in the configuration. Taken up again, it goes on
 * where it ended. */
#include "cmd/mica_authority.h"
#include "base/file.h"
#include "base/text.h"
#include "ca/pem.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_TYPE "p256"
#define CA_VALIDITY "10y"
#define PATH_LENGTH "0"
#define SUBJECTS_MAX_BYTES 8192
#define NAME_BYTES 96
#define GENERATION_MAX 999999

struct roll {
	struct cli *cli;
	const char *old;
	char name[NAME_BYTES]; /* of the next one */
	struct authority_conf was;
	struct key_conf key;
	bool key_is_new; /* not in the configuration yet */
	char cert[CEREMONY_PATH_BYTES], request[CEREMONY_PATH_BYTES];
	char cross[CEREMONY_PATH_BYTES];
	char root_key[CEREMONY_PATH_BYTES], root_cert[CEREMONY_PATH_BYTES];
	struct buf subject; /* texts, each with its NUL */
};

/* --- names */

/* factory, factory-2, factory-3 */
static enum rc next_name(struct roll *r, struct why *why)
{
	const char *dash = strrchr(r->old, '-');
	size_t n = strlen(r->old);
	uint64_t number = 1;

	if (cli_given(r->cli, OPT_NAME)) {
		n = strlen(cli_value(r->cli, OPT_NAME));
		if (n < sizeof(r->name))
			memcpy(r->name, cli_value(r->cli, OPT_NAME), n + 1);
		return n < sizeof(r->name)
		        ? RC_OK
		        : why_set(why, RC_TOOBIG, "--name: too long");
	}
	if (dash != NULL &&
	        text_u64(bytes_str(dash + 1), GENERATION_MAX, &number) == RC_OK)
		n = (size_t)(dash - r->old);
	return snprintf(r->name, sizeof(r->name), "%.*s-%llu", (int)n, r->old,
	               (unsigned long long)number + 1) < (int)sizeof(r->name)
	        ? RC_OK
	        : why_set(why, RC_TOOBIG, "%s: too long", r->old);
}

/* NAME.END in the folder of another file. */
static bool beside(const struct roll *r, const char *other, const char *end,
        char out[CEREMONY_PATH_BYTES])
{
	const char *slash = strrchr(other, '/');
	int n = slash != NULL ? (int)(slash - other) + 1 : 0;

	return snprintf(out, CEREMONY_PATH_BYTES, "%.*s%s%s", n, other, r->name,
	               end) < CEREMONY_PATH_BYTES;
}

/* As the configuration would name it. */
static const char *in_config(const struct roll *r, const char *path)
{
	const char *slash = strrchr(r->cli->config, '/');
	size_t n = slash != NULL ? (size_t)(slash - r->cli->config) + 1 : 0;

	return n > 0 && strncmp(path, r->cli->config, n) == 0 ? path + n : path;
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

/* What stands in the configuration already, or a file beside the old key's. */
static enum rc find_key(struct roll *r, struct why *why)
{
	enum rc rc = key_conf_read(r->cli, r->name, &r->key, why);

	r->key_is_new = rc == RC_NOTFOUND;
	if (!r->key_is_new)
		return rc;
	*why = WHY_NONE;
	memset(&r->key, 0, sizeof(r->key));
	(void)snprintf(r->key.name, sizeof(r->key.name), "%s", r->name);
	if (r->was.key.module[0] != '\0')
		return why_set(why, RC_NOTFOUND,
		        "the key of %s is in a token: enter keys.%s with a "
		        "uri of its own and run: mica key create %s",
		        r->old, r->name, r->name);
	return beside(r, r->was.key.key, ".key", r->key.key)
	        ? RC_OK
	        : why_set(why, RC_TOOBIG, "a path is too long");
}

static enum rc open_roll(struct roll *r, struct why *why)
{
	const char *root_key = cli_value(r->cli, OPT_KEY);
	const char *root_cert = cli_value(r->cli, OPT_FILE);
	enum rc rc = authority_conf_read(r->cli, r->old, &r->was, why);
	bool fits;

	if (rc == RC_OK)
		rc = next_name(r, why);
	if (rc == RC_OK)
		rc = find_key(r, why);
	if (rc == RC_OK)
		rc = why_prefix(why,
		        authority_subject(r->was.certificate, &r->subject, why),
		        "%s", r->was.certificate);
	if (rc != RC_OK)
		return rc;
	fits = beside(r, r->was.certificate, ".pem", r->cert) &&
	        beside(r, r->was.certificate, ".csr", r->request) &&
	        beside(r, r->was.certificate, ".cross.pem", r->cross) &&
	        (root_key != NULL ||
	                authority_conf_path(
	                        r->cli, "root/root.key", r->root_key)) &&
	        (root_cert != NULL ||
	                authority_conf_path(
	                        r->cli, "ca/root.pem", r->root_cert));
	if (root_key != NULL)
		fits = fits &&
		        snprintf(r->root_key, sizeof(r->root_key), "%s",
		                root_key) < (int)sizeof(r->root_key);
	if (root_cert != NULL)
		fits = fits &&
		        snprintf(r->root_cert, sizeof(r->root_cert), "%s",
		                root_cert) < (int)sizeof(r->root_cert);
	return fits ? RC_OK : why_set(why, RC_TOOBIG, "a path is too long");
}

/* --- steps: each is passed over when what it makes is there */

/* Made by root, it is nobody else's to read; the signer's folder says whose it
 * must be. */
static enum rc give_to_signer(const char *path, struct why *why)
{
	char folder[CEREMONY_PATH_BYTES];
	const char *slash = strrchr(path, '/');
	struct stat st;

	(void)snprintf(folder, sizeof(folder), "%.*s",
	        slash != NULL ? (int)(slash - path) : 1,
	        slash != NULL ? path : ".");
	if (geteuid() != 0)
		return RC_OK;
	if (stat(folder, &st) != 0 || chown(path, st.st_uid, st.st_gid) != 0)
		return why_set(why, RC_IO, "%s: %s", path, strerror(errno));
	return RC_OK;
}

static enum cli_exit make_key(struct roll *r)
{
	const char *type = cli_given(r->cli, OPT_TYPE)
	        ? cli_value(r->cli, OPT_TYPE)
	        : KEY_TYPE;
	struct why why = WHY_NONE;
	enum cli_exit status;
	struct ceremony c;
	enum rc rc;

	if (!r->key_is_new || exists(r->key.key))
		return CLI_OK;
	status = cli_approve(r->cli, "key.create", r->name,
	        json_pack("{s:s, s:s, s:s}", "file", r->key.key, "type", type,
	                "replaces", r->old));
	if (status != CLI_OK)
		return status;
	ceremony_begin(&c, "make-key");
	ceremony_add(&c, "--type", type);
	ceremony_add(&c, "--out", r->key.key);
	rc = ceremony_run(&c, &why);
	if (rc == RC_OK)
		rc = give_to_signer(r->key.key, &why);
	if (rc != RC_OK)
		return cli_fail(r->cli, rc, &why);
	printf("%s    its key\n", r->key.key);
	return CLI_OK;
}

static enum rc ask_for_certificate(struct roll *r, struct why *why)
{
	char transcript[CEREMONY_PATH_BYTES];
	struct ceremony c;
	enum rc rc;

	if (exists(r->cert) || exists(r->request))
		return RC_OK;
	ceremony_begin(&c, "request");
	for (size_t at = 0; at < r->subject.n;
	        at += strlen((const char *)r->subject.p + at) + 1)
		ceremony_add(&c, "--subject", (const char *)r->subject.p + at);
	rc = authority_transcript(r->cli, r->request, transcript, why);
	ceremony_add(&c, "--path-length", PATH_LENGTH);
	ceremony_add(&c, "--out", r->request);
	ceremony_add(&c, "--transcript", transcript);
	if (rc == RC_OK)
		rc = key_conf_add(&c, &r->key, why);
	if (rc == RC_OK)
		rc = ceremony_run(&c, why);
	if (rc == RC_OK)
		printf("%s    its request for a certificate\n", r->request);
	return rc;
}

static enum rc sign_here(struct roll *r, struct why *why)
{
	char transcript[CEREMONY_PATH_BYTES];
	struct ceremony c;
	int fd = -1;
	enum rc rc;

	ceremony_begin(&c, "sign");
	ceremony_add(&c, "--request", r->request);
	ceremony_add(&c, "--issuer-key", r->root_key);
	ceremony_add(&c, "--issuer-cert", r->root_cert);
	rc = ceremony_passphrase(
	        r->cli, OPT_ROOT_PASSPHRASE_FILE, r->root_key, &fd, why);
	if (rc == RC_OK)
		ceremony_add_fd(&c, "--issuer-passphrase-fd", fd);
	if (rc == RC_OK)
		rc = authority_transcript(r->cli, r->cert, transcript, why);
	/* The old one's name, whatever the root's is. */
	for (size_t at = 0; at < r->subject.n;
	        at += strlen((const char *)r->subject.p + at) + 1)
		ceremony_add(&c, "--subject", (const char *)r->subject.p + at);
	ceremony_add(&c, "--validity",
	        cli_given(r->cli, OPT_VALIDITY)
	                ? cli_value(r->cli, OPT_VALIDITY)
	                : CA_VALIDITY);
	ceremony_add(&c, "--path-length", PATH_LENGTH);
	authority_add_urls(&c, r->cli);
	ceremony_add(&c, "--out", r->cert);
	ceremony_add(&c, "--transcript", transcript);
	if (cli_given(r->cli, OPT_YES))
		ceremony_add(&c, "--yes", NULL);
	if (rc == RC_OK)
		rc = ceremony_run(&c, why);
	if (rc == RC_OK)
		printf("%s    its certificate\n", r->cert);
	return rc;
}

/* By the key of one generation, for the certificate of the other. */
static enum rc cross_one(const struct key_conf *key, const char *cert,
        const char *other, const char *out, struct why *why)
{
	struct ceremony c;
	enum rc rc;

	ceremony_begin(&c, "cross");
	rc = key_conf_add_issuer(&c, key, why);
	ceremony_add(&c, "--issuer-cert", cert);
	ceremony_add(&c, "--cert", other);
	ceremony_add(&c, "--out", out);
	return rc == RC_OK ? ceremony_run(&c, why) : rc;
}

static enum rc join(
        const char *out, const char *const parts[2], struct why *why)
{
	struct buf all = BUF_INIT(4 * PEM_DER_MAX_BYTES);
	FILE *f = NULL;
	enum rc rc = RC_OK;
	bool good;

	for (int i = 0; rc == RC_OK && i < 2; i++)
		rc = file_read(&all, parts[i], why);
	if (rc == RC_OK)
		f = fopen(out, "wxe");
	if (rc == RC_OK && f == NULL)
		rc = why_set(why, RC_IO, "%s: %s", out, strerror(errno));
	if (f != NULL) {
		good = fwrite(all.p, 1, all.n, f) == all.n;
		if (fclose(f) != 0 || !good)
			rc = why_set(why, RC_IO, "%s: cannot be written", out);
	}
	buf_free(&all);
	return rc;
}

static enum rc make_cross(struct roll *r, struct why *why)
{
	char new_with_old[CEREMONY_PATH_BYTES];
	char old_with_new[CEREMONY_PATH_BYTES];
	const char *const parts[2] = { new_with_old, old_with_new };
	enum rc rc = RC_OK;

	if (exists(r->cross))
		return RC_OK;
	if (!beside(r, r->cert, ".new-with-old.pem", new_with_old) ||
	        !beside(r, r->cert, ".old-with-new.pem", old_with_new))
		return why_set(why, RC_TOOBIG, "a path is too long");
	if (!exists(new_with_old))
		rc = cross_one(&r->was.key, r->was.certificate, r->cert,
		        new_with_old, why);
	if (rc == RC_OK && !exists(old_with_new))
		rc = cross_one(&r->key, r->cert, r->was.certificate,
		        old_with_new, why);
	if (rc == RC_OK)
		rc = join(r->cross, parts, why);
	if (rc == RC_OK)
		printf("%s    what each says of the other\n", r->cross);
	return rc;
}

/* --- what remains */

static void say_root(const struct roll *r)
{
	printf("\nThe root's key is not here. Take %s to it, answer it there,\n"
	       "    mica authority sign %s --out %s.pem\n"
	       "bring the certificate back as %s,\n"
	       "and repeat this command.\n",
	        r->request, r->request, r->name, r->cert);
}

/* Another root signed it, where one is named. */
static const char *chain_of(const struct roll *r)
{
	return cli_given(r->cli, OPT_FILE) ? r->root_cert : r->was.chain;
}

static void say_config(const struct roll *r)
{
	printf("\nEnter it in %s, beside %s, which stays as it is:\n\n",
	        r->cli->config, r->old);
	if (r->key_is_new)
		printf("keys:\n  %s: { file: %s.key }\n", r->name, r->name);
	printf("authorities:\n  %s:\n    certificate: %s\n", r->name,
	        in_config(r, r->cert));
	if (chain_of(r)[0] != '\0')
		printf("    chain: %s\n", in_config(r, chain_of(r)));
	printf("    key: %s\n    replaces: %s\n    cross: %s\n", r->name,
	        r->old, in_config(r, r->cross));
	printf("    # and profiles, ocsp and crl as %s has them; URLs of its "
	       "own\n\n"
	       "then check it  (micad --check-config %s)  and %s.\n"
	       "From then on clients are given both generations. When to go "
	       "on, "
	       "and how:\n\n"
	       "    mica authority plan %s\n",
	        r->old, r->cli->config,
	        r->key_is_new ? "restart micad, for its new key"
	                      : "send micad SIGHUP",
	        r->name);
}

static enum cli_exit approve(struct roll *r)
{
	struct buf pem = BUF_INIT(2 * PEM_DER_MAX_BYTES);
	struct buf hex = BUF_INIT(128);
	struct why why = WHY_NONE;
	enum rc rc = file_read(&pem, r->cert, &why);
	enum cli_exit status;
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (rc == RC_OK &&
	        EVP_Digest(pem.p, pem.n, hash, &n, EVP_sha256(), NULL) != 1)
		rc = RC_INTERNAL;
	if (rc == RC_OK)
		hex_encode(&hex, bytes_of(hash, n));
	status = rc != RC_OK || buf_cstr(&hex) == NULL
	        ? cli_fail(r->cli, rc, &why)
	        : cli_approve(r->cli, "authority.install", r->name,
	                  json_pack("{s:s, s:s}", "file_sha256", buf_cstr(&hex),
	                          "replaces", r->old));
	buf_free(&pem);
	buf_free(&hex);
	return status;
}

static enum cli_exit run(struct roll *r)
{
	struct why why = WHY_NONE;
	enum cli_exit status = make_key(r);
	enum rc rc = RC_OK;

	if (status != CLI_OK)
		return status;
	rc = ask_for_certificate(r, &why);
	if (rc == RC_OK && !exists(r->cert)) {
		if (!exists(r->root_key)) {
			say_root(r);
			return CLI_OK;
		}
		rc = sign_here(r, &why);
	}
	if (rc == RC_OK && !exists(r->cross)) {
		status = approve(r);
		if (status != CLI_OK)
			return status;
		rc = make_cross(r, &why);
	}
	if (rc != RC_OK)
		return cli_fail(r->cli, rc, &why);
	say_config(r);
	return CLI_OK;
}

enum cli_exit mica_authority_roll(struct cli *cli)
{
	static struct roll r;
	struct why why = WHY_NONE;
	enum cli_exit status;
	enum rc rc;

	r.cli = cli;
	r.old = cli->args[0];
	r.subject = BUF_INIT(SUBJECTS_MAX_BYTES);
	rc = open_roll(&r, &why);
	status = rc == RC_OK ? run(&r) : cli_fail(cli, rc, &why);
	buf_free(&r.subject);
	return status;
}
