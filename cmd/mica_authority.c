/* cmd/mica_authority.c - mica authority crl: the CRL of a root, by the ceremony's
 * program, where the root's key is. */
#include "ca/crl.h"
#include "base/clock.h"
#include "cmd/mica_init.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define VALIDITY "90d"
#define CRL_MAX_BYTES (1u << 20)
#define NUMBER_BYTES 24

/* What mica init made, beside the configuration. */
static const char *beside_config(
        const struct cli *cli, const char *name, char out[INIT_PATH_BYTES])
{
	const char *slash = strrchr(cli->config, '/');
	int n = slash != NULL ? (int)(slash - cli->config) + 1 : 0;

	(void)snprintf(out, INIT_PATH_BYTES, "%.*s%s", n, cli->config, name);
	return out;
}

/* The number of the CRL that stands there; 0: none does. */
static uint64_t number_of(const char *path)
{
	struct buf der = BUF_INIT(CRL_MAX_BYTES);
	FILE *f = fopen(path, "re");
	struct crl crl = { .number = 0 };
	uint8_t part[4096];
	size_t n;

	if (f == NULL)
		return 0;
	while ((n = fread(part, 1, sizeof(part), f)) > 0)
		buf_add(&der, bytes_of(part, n));
	fclose(f);
	if (der.failed != RC_OK ||
	        crl_parse(&crl, buf_bytes(&der), NULL) != RC_OK)
		crl.number = 0;
	buf_free(&der);
	return crl.number;
}

static void number_text(char out[NUMBER_BYTES], const char *path)
{
	uint64_t number = number_of(path) + 1;
	int64_t now_s = clock_now_s();

	if (now_s > 0 && (uint64_t)now_s > number)
		number = (uint64_t)now_s;
	(void)snprintf(out, NUMBER_BYTES, "%llu", (unsigned long long)number);
}

static const char *value_or(
        const struct cli *cli, enum cli_option o, const char *fallback)
{
	return cli_given(cli, o) ? cli_value(cli, o) : fallback;
}

/* The program reads the passphrase from a descriptor that it inherits. */
static enum rc open_passphrase(const struct cli *cli, int *fd, struct why *why)
{
	const char *path = cli_value(cli, OPT_ROOT_PASSPHRASE_FILE);

	*fd = -1;
	if (path == NULL)
		return RC_OK;
	*fd = open(path, O_RDONLY);
	return *fd >= 0 ? RC_OK
	                : why_set(why, RC_IO, "%s: %s", path, strerror(errno));
}

static enum rc make(
        const struct cli *cli, const char *out, int fd, struct why *why)
{
	char signer[INIT_PATH_BYTES], key[INIT_PATH_BYTES];
	char cert[INIT_PATH_BYTES], number[NUMBER_BYTES], fd_text[16];
	const char *argv[] = { "mica-signer", "--ceremony", "crl",
		"--issuer-key",
		value_or(
		        cli, OPT_KEY, beside_config(cli, "root/root.key", key)),
		"--issuer-cert",
		value_or(
		        cli, OPT_FILE, beside_config(cli, "ca/root.pem", cert)),
		"--number", number, "--validity",
		value_or(cli, OPT_VALIDITY, VALIDITY), "--revoked",
		value_or(cli, OPT_REVOKED, "/dev/null"), "--out", out,
		fd >= 0 ? "--issuer-passphrase-fd" : NULL, fd_text, NULL };
	enum rc rc = ceremony_find(signer, why);

	number_text(number, cli_value(cli, OPT_OUT));
	(void)snprintf(fd_text, sizeof(fd_text), "%d", fd);
	if (rc == RC_OK)
		rc = ceremony_run(signer, (char *const *)argv, why);
	return rc;
}

enum cli_exit mica_authority_crl(struct cli *cli)
{
	char out[INIT_PATH_BYTES];
	struct why why = WHY_NONE;
	int fd = -1;
	enum rc rc;

	if (!cli_given(cli, OPT_OUT))
		return cli_usage(cli, "--out: where to?");
	if ((size_t)snprintf(out, sizeof(out), "%s.new",
	            cli_value(cli, OPT_OUT)) >= sizeof(out))
		return cli_fail(cli, RC_TOOBIG, NULL);
	rc = open_passphrase(cli, &fd, &why);
	if (rc == RC_OK)
		rc = make(cli, out, fd, &why);
	if (rc == RC_OK && rename(out, cli_value(cli, OPT_OUT)) != 0)
		rc = why_set(&why, RC_IO, "%s: %s", cli_value(cli, OPT_OUT),
		        strerror(errno));
	if (fd >= 0)
		close(fd);
	return rc == RC_OK ? CLI_OK : cli_fail(cli, rc, &why);
}
