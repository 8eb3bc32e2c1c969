/* cmd/mica_sign.c - mica sign, mica code list. The file stays here: what the
 * daemon sees is its digest. */
#include "cmd/mica.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PART_BYTES (1u << 20) /* of a file, read at once */
#define CMS_MAX_BYTES (1u << 20)
#define NAME_MAX_BYTES 128 /* of a file, as the daemon keeps it */
#define PEM_COLUMNS 64

static const struct print_field columns[] = {
	{ "NAME", "name" },
	{ "DIGEST", "digest" },
	{ "APPROVALS", "approvals" },
	{ "AUTHORITY", "authority" },
	{ "CERTIFICATE", "serial" },
	{ "NOT AFTER", "not_after" },
	{ "FAILURE", "failure" },
};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum cli_exit mica_code_list(struct cli *cli)
{
	json_t *answer = NULL;
	enum cli_exit status = api_call(cli, "GET", "/v1/code", NULL, &answer);

	if (status == CLI_OK && cli->json)
		print_json(answer);
	else if (status == CLI_OK)
		print_table(json_object_get(answer, "code"), columns,
		        COUNT(columns));
	json_decref(answer);
	return status;
}

/* --- the file */

static enum rc digest_fd(int fd, EVP_MD_CTX *ctx, struct file_digest *out,
        const char *path, struct why *why)
{
	uint8_t *part = malloc(PART_BYTES);
	ssize_t n = 0;

	if (part == NULL)
		return RC_NOMEM;
	/* Read once: keep it from pushing out what is in use. */
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	while ((n = read(fd, part, PART_BYTES)) > 0 ||
	        (n < 0 && errno == EINTR)) {
		if (n < 0)
			continue;
		if (EVP_DigestUpdate(ctx, part, (size_t)n) != 1)
			break;
		out->size += (uint64_t)n;
	}
	free(part);
	return n == 0 ? RC_OK
	              : why_set(why, RC_IO, "%s: %s", path, strerror(errno));
}

enum rc file_digest(struct file_digest *out, const char *path, const char *name,
        struct why *why)
{
	bool is_input = strcmp(path, "-") == 0;
	int fd = is_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	EVP_MD *md = EVP_MD_fetch(NULL, name, NULL);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned n = 0;
	enum rc rc = RC_OK;

	*out = (struct file_digest){ .size = 0 };
	if (fd < 0)
		rc = why_set(why, RC_IO, "%s: %s", path, strerror(errno));
	else if (md == NULL || ctx == NULL ||
	        EVP_MD_get_size(md) > FILE_DIGEST_MAX_BYTES ||
	        EVP_DigestInit_ex2(ctx, md, NULL) != 1)
		rc = why_set(why, RC_UNSUPPORTED, "no digest %s", name);
	if (rc == RC_OK)
		rc = digest_fd(fd, ctx, out, path, why);
	if (rc == RC_OK && EVP_DigestFinal_ex(ctx, out->b, &n) != 1)
		rc = RC_INTERNAL;
	out->n = n;
	if (fd >= 0 && !is_input)
		close(fd);
	EVP_MD_CTX_free(ctx);
	EVP_MD_free(md);
	return rc;
}

/* --- which key */

static const json_t *find(const json_t *answer, const char *name)
{
	const json_t *list = json_object_get(answer, "code"), *row;
	size_t i;

	if (name == NULL)
		return json_array_size(list) == 1 ? json_array_get(list, 0)
		                                  : NULL;
	json_array_foreach(list, i, row)
	{
		if (strcmp(json_text(row, "name"), name) == 0)
			return row;
	}
	return NULL;
}

static enum cli_exit choose(
        struct cli *cli, const json_t *answer, const json_t **key)
{
	const char *name = cli_value(cli, OPT_KEY);
	const char *digest = cli_value(cli, OPT_DIGEST);
	size_t n = json_array_size(json_object_get(answer, "code"));
	struct why why = WHY_NONE;
	enum rc rc = RC_NOTFOUND;

	*key = find(answer, name);
	if (*key == NULL && n == 0)
		why_set(&why, rc, "no code keys are configured: mica.yaml(5)");
	else if (*key == NULL && name == NULL)
		why_set(&why, rc,
		        "--key: which one? `mica code list` shows them");
	else if (*key == NULL)
		why_set(&why, rc, "no code key %s", name);
	else if (json_text(*key, "serial")[0] == '\0')
		rc = why_set(&why, RC_UNAVAILABLE,
		        "code key %s has no certificate: %s",
		        json_text(*key, "name"), json_text(*key, "failure"));
	else if (digest != NULL &&
	        strcmp(digest, json_text(*key, "digest")) != 0)
		rc = why_set(&why, RC_UNSUPPORTED,
		        "--digest %s: code key %s signs %s", digest,
		        json_text(*key, "name"), json_text(*key, "digest"));
	else
		return CLI_OK;
	return cli_fail(cli, rc, &why);
}

/* --- what is asked for */

/* The end of its path, for people: printable, and no longer than is kept. */
static const char *file_name(char out[NAME_MAX_BYTES + 1], const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash != NULL && slash[1] != '\0' ? slash + 1 : path;
	size_t n = strlen(name);

	if (n > NAME_MAX_BYTES) {
		name += n - NAME_MAX_BYTES;
		n = NAME_MAX_BYTES;
	}
	for (size_t i = 0; i <= n; i++)
		out[i] = name[i] == '\0' || (name[i] >= ' ' && name[i] <= '~')
		        ? name[i]
		        : '?';
	return out;
}

static enum cli_exit ask(struct cli *cli, const json_t *key,
        const struct file_digest *d, json_t **answer)
{
	struct buf hex = BUF_INIT(2 * FILE_DIGEST_MAX_BYTES);
	char name[NAME_MAX_BYTES + 1];
	json_t *body = NULL;
	enum cli_exit status;

	hex_encode(&hex, bytes_of(d->b, d->n));
	if (buf_cstr(&hex) != NULL)
		body = json_pack("{s:s, s:s, s:s, s:I, s:s}", "key",
		        json_text(key, "name"), "algorithm",
		        json_text(key, "digest"), "digest", buf_cstr(&hex),
		        "size", (json_int_t)d->size, "file",
		        file_name(name, cli->args[0]));
	status = body == NULL ? cli_fail(cli, RC_NOMEM, NULL)
	                      : api_call(cli, "POST", "/v1/code", body, answer);
	buf_free(&hex);
	return status;
}

/* --- where it goes */

static enum rc write_cms(
        struct cli *cli, FILE *f, const json_t *answer, struct why *why)
{
	struct buf der = BUF_INIT(CMS_MAX_BYTES), pem = BUF_INIT(CMS_MAX_BYTES);
	enum rc rc = base64_decode(&der, bytes_str(json_text(answer, "cms")));
	const struct buf *out = &der;

	if (rc == RC_OK && cli_given(cli, OPT_PEM)) {
		/* RFC 7468 section 8: what more programs read than "CMS" */
		buf_add_str(&pem, "-----BEGIN PKCS7-----\n");
		base64_encode(&pem, buf_bytes(&der), PEM_COLUMNS);
		buf_add_str(&pem, "-----END PKCS7-----\n");
		out = &pem;
		rc = pem.failed;
	}
	if (rc != RC_OK)
		why_set(why, rc, "the daemon's answer is not ours");
	else if (fwrite(out->p, 1, out->n, f) != out->n)
		rc = why_set(why, RC_IO, "%s", strerror(errno));
	buf_free(&der);
	buf_free(&pem);
	return rc;
}

static void say(const struct cli *cli, const struct target *t,
        const json_t *answer, const struct file_digest *d)
{
	if (t->path == NULL)
		return;
	if (cli->json)
		print_json(answer);
	else
		printf("%s: %s (%llu bytes) signed by %s, certificate %s\n",
		        t->path, cli->args[0], (unsigned long long)d->size,
		        json_text(answer, "key"), json_text(answer, "serial"));
}

static enum cli_exit sign(struct cli *cli, struct target *t, const json_t *key)
{
	struct file_digest d;
	struct why why = WHY_NONE;
	json_t *answer = NULL;
	enum cli_exit status = CLI_OK;
	enum rc rc =
	        file_digest(&d, cli->args[0], json_text(key, "digest"), &why);

	if (rc == RC_OK)
		status = ask(cli, key, &d, &answer);
	if (rc == RC_OK && status == CLI_OK) {
		rc = write_cms(cli, t->f, answer, &why);
		if (rc == RC_OK)
			rc = target_keep(t, &why);
	}
	if (rc != RC_OK)
		status = cli_fail(cli, rc, &why);
	else if (status == CLI_OK)
		say(cli, t, answer, &d);
	json_decref(answer);
	return status;
}

/* --out, or the file's name with .p7s; of standard input: standard output. */
static enum rc open_target(
        const struct cli *cli, struct target *t, struct why *why)
{
	static char path[TARGET_PATH_MAX];
	const char *out = cli_value(cli, OPT_OUT);

	if (out != NULL && strcmp(out, "-") == 0)
		out = NULL;
	else if (out == NULL && strcmp(cli->args[0], "-") != 0) {
		if ((size_t)snprintf(path, sizeof(path), "%s.p7s",
		            cli->args[0]) >= sizeof(path))
			return why_set(why, RC_TOOBIG, "FILE: too long");
		out = path;
	}
	return target_open(t, out, cli_given(cli, OPT_FORCE), why);
}

enum cli_exit mica_sign(struct cli *cli)
{
	struct target t = { .path = NULL };
	struct why why = WHY_NONE;
	const json_t *key = NULL;
	json_t *keys = NULL;
	enum cli_exit status;
	enum rc rc;

	if (cli_given(cli, OPT_VERIFY))
		return mica_verify(cli);
	if (cli->n_args != 1 || cli_given(cli, OPT_CA) ||
	        cli_given(cli, OPT_CRL) || cli_given(cli, OPT_AT))
		return cli_usage(
		        cli, "FILE.p7s, --ca, --crl, --at: with --verify");
	rc = open_target(cli, &t, &why);
	if (rc != RC_OK)
		return cli_fail(cli, rc, &why);
	status = api_call(cli, "GET", "/v1/code", NULL, &keys);
	if (status == CLI_OK)
		status = choose(cli, keys, &key);
	if (status == CLI_OK)
		status = sign(cli, &t, key);
	if (status != CLI_OK)
		target_drop(&t);
	json_decref(keys);
	return status;
}
