/* cmd/mica_authority_crl.c - the CRL of a root, signed where its key is, and the
 * list of what it has revoked, which is kept there. */
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "ca/cert.h"
#include "ca/crl.h"
#include "ca/pem.h"
#include "cmd/mica_authority.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CRL_VALIDITY "90d"
#define CRL_MAX_BYTES (1u << 20)
#define LIST_MAX_BYTES (1u << 20)
#define NUMBER_BYTES 24

struct crl_run {
	const struct cli *cli;
	char key[CEREMONY_PATH_BYTES], cert[CEREMONY_PATH_BYTES];
	char number[NUMBER_BYTES];
	/* beside what they take the place of once all is done */
	char out[CEREMONY_PATH_BYTES], list[CEREMONY_PATH_BYTES];
};

/* --- the CRL before */

/* The number of the CRL that stands there; 0: none does. */
static uint64_t number_of(const char *path)
{
	struct buf der = BUF_INIT(CRL_MAX_BYTES);
	struct crl crl = { .number = 0 };

	if (file_read(&der, path, NULL) != RC_OK ||
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

/* --- the list */

/* "SERIAL TIME REASON" of the certificate at path. */
static enum rc add_line(struct buf *list, const struct cli *cli,
        const char *path, struct why *why)
{
	struct buf pem = BUF_INIT(2 * PEM_DER_MAX_BYTES);
	struct buf der = BUF_INIT(PEM_DER_MAX_BYTES);
	struct cert *cert = malloc(sizeof(*cert));
	char time[TEXT_TIME_BYTES];
	struct bytes text;
	enum rc rc = cert == NULL ? RC_NOMEM : file_read(&pem, path, why);

	text = buf_bytes(&pem);
	if (rc == RC_OK)
		rc = pem_next(&text, "CERTIFICATE", &der, why);
	if (rc == RC_OK)
		rc = cert_parse(cert, buf_bytes(&der), why);
	if (rc == RC_OK) {
		if (list->n > 0 && list->p[list->n - 1] != '\n')
			buf_add_u8(list, '\n');
		hex_encode(list, cert->serial);
		buf_addf(list, " %s %s\n", text_time(time, clock_now_s()),
		        cli_value_or(cli, OPT_REASON, "unspecified"));
		rc = list->failed;
	}
	free(cert);
	buf_free(&pem);
	buf_free(&der);
	return why_prefix(why, rc, "%s", path);
}

static enum rc write_file(const char *path, struct bytes text, struct why *why)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	bool done = fd >= 0 && file_write_all(fd, text) && fsync(fd) == 0;

	if (fd >= 0 && close(fd) != 0)
		done = false;
	return done ? RC_OK
	            : why_set(why, RC_IO, "%s: %s", path, strerror(errno));
}

/* The list of --revoked with what --revoke adds. */
static enum rc write_list(const struct crl_run *r, struct why *why)
{
	const struct cli_values *certs = &r->cli->option[OPT_REVOKE];
	const char *path = cli_value(r->cli, OPT_REVOKED);
	struct buf list = BUF_INIT(LIST_MAX_BYTES);
	enum rc rc = RC_OK;

	if (access(path, F_OK) == 0)
		rc = file_read(&list, path, why);
	for (size_t i = 0; rc == RC_OK && i < certs->n; i++)
		rc = add_line(&list, r->cli, certs->v[i], why);
	if (rc == RC_OK)
		rc = write_file(r->list, buf_bytes(&list), why);
	buf_free(&list);
	return rc;
}

/* --- the whole */

static enum rc sign_crl(struct crl_run *r, struct why *why)
{
	const struct cli *cli = r->cli;
	const char *before = cli_value(cli, OPT_OUT);
	struct ceremony c;
	enum rc rc;

	number_text(r->number, before);
	ceremony_begin(&c, "crl");
	rc = authority_add_issuer(&c, cli, r->key, r->cert, why);
	ceremony_add(&c, "--number", r->number);
	ceremony_add(&c, "--validity",
	        cli_value_or(cli, OPT_VALIDITY, CRL_VALIDITY));
	ceremony_add(&c, "--revoked",
	        cli_given(cli, OPT_REVOKE)
	                ? r->list
	                : cli_value_or(cli, OPT_REVOKED, "/dev/null"));
	if (!cli_given(cli, OPT_FORCE) && access(before, F_OK) == 0)
		ceremony_add(&c, "--before", before);
	if (cli_given(cli, OPT_TRANSCRIPT))
		ceremony_add(
		        &c, "--transcript", cli_value(cli, OPT_TRANSCRIPT));
	ceremony_add(&c, "--out", r->out);
	return rc == RC_OK ? ceremony_run(&c, why) : rc;
}

static enum rc replace(const char *by, const char *path, struct why *why)
{
	return rename(by, path) == 0
	        ? RC_OK
	        : why_set(why, RC_IO, "%s: %s", path, strerror(errno));
}

static bool beside(char out[CEREMONY_PATH_BYTES], const char *path)
{
	return snprintf(out, CEREMONY_PATH_BYTES, "%s.new", path) <
	        CEREMONY_PATH_BYTES;
}

enum cli_exit mica_authority_crl(struct cli *cli)
{
	const char *list = cli_value(cli, OPT_REVOKED);
	bool adds = cli_given(cli, OPT_REVOKE);
	struct crl_run r = { .cli = cli };
	struct why why = WHY_NONE;
	enum rc rc = RC_OK;

	if (!cli_given(cli, OPT_OUT))
		return cli_usage(cli, "--out: where to?");
	if (adds && list == NULL)
		return cli_usage(cli, "--revoked: which list is kept?");
	if (cli_given(cli, OPT_REASON) && !adds)
		return cli_usage(cli, "--reason: of which --revoke?");
	if (!beside(r.out, cli_value(cli, OPT_OUT)) ||
	        (adds && !beside(r.list, list)))
		return cli_fail(cli, RC_TOOBIG, NULL);
	if (adds)
		rc = write_list(&r, &why);
	if (rc == RC_OK)
		rc = sign_crl(&r, &why);
	/* First the list: a CRL that is newer than its list would be the one
	 * that the next does not follow. */
	if (rc == RC_OK && adds)
		rc = replace(r.list, list, &why);
	else if (adds)
		(void)unlink(r.list);
	if (rc == RC_OK)
		rc = replace(r.out, cli_value(cli, OPT_OUT), &why);
	return rc == RC_OK ? CLI_OK : cli_fail(cli, rc, &why);
}
