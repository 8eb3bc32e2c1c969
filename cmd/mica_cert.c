/* cmd/mica_cert.c - mica cert list, mica cert show. */
#include "cmd/mica.h"
#include "base/text.h"
#include "conf/value.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define PATH_MAX_BYTES 2048
#define SERIAL_MAX_BYTES 20 /* RFC 5280 section 4.1.2.2 */

static const struct print_field cert_fields[] = {
	{ "SERIAL", "serial" },
	{ "STATE", "state" },
	{ "DEVICE", "device" },
	{ "PROFILE", "profile" },
	{ "AUTHORITY", "authority" },
	{ "NOT AFTER", "not_after" },
};
static const struct print_field cert_lines[] = {
	{ "serial", "serial" },
	{ "state", "state" },
	{ "reason", "reason" },
	{ "state since", "changed" },
	{ "held by suspend", "held_by_suspend" },
	{ "invalid since", "invalid_since" },
	{ "authority", "authority" },
	{ "profile", "profile" },
	{ "device", "device" },
	{ "requester", "requester" },
	{ "credential", "credential" },
	{ "not before", "not_before" },
	{ "not after", "not_after" },
	{ "issued", "issued" },
	{ "sequence", "sequence" },
	{ "SHA-256", "sha256" },
	{ "key's SHA-256", "spki_sha256" },
};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* --- list */
static enum cli_exit list_path(const struct cli *cli, struct buf *path)
{
	const char *within = cli_value(cli, OPT_EXPIRES_WITHIN);
	int64_t within_ms = 0;

	if (within != NULL &&
	        (!value_duration_ms(within, &within_ms) ||
	                within_ms < VALUE_SECOND_MS))
		return cli_usage(
		        cli, "--expires-within: want a duration as 30d");
	buf_addf(path, "/v1/certs?expires_within=%lld",
	        (long long)(within_ms / VALUE_SECOND_MS));
	if (cli_given(cli, OPT_DEVICE)) {
		buf_add_str(path, "&device=");
		api_escape(path, cli_value(cli, OPT_DEVICE));
	}
	if (cli_given(cli, OPT_STATE)) {
		buf_add_str(path, "&state=");
		api_escape(path, cli_value(cli, OPT_STATE));
	}
	if (cli_given(cli, OPT_AUTHORITY)) {
		buf_add_str(path, "&authority=");
		api_escape(path, cli_value(cli, OPT_AUTHORITY));
	}
	return CLI_OK;
}

enum cli_exit mica_cert_list(struct cli *cli)
{
	struct buf path = BUF_INIT(PATH_MAX_BYTES);
	json_t *answer = NULL;
	enum cli_exit status = list_path(cli, &path);
	const char *text = buf_cstr(&path);

	if (status == CLI_OK && text == NULL)
		status = cli_fail(cli, path.failed, NULL);
	if (status == CLI_OK)
		status = api_list(cli, text, "certificates", &answer);
	buf_free(&path);
	if (status != CLI_OK)
		return status;
	if (cli->json)
		print_json(answer);
	else
		print_list(answer, "certificates", cert_fields,
		        COUNT(cert_fields));
	json_decref(answer);
	return CLI_OK;
}

/* --- show */
enum rc cert_file_serial(const char *path, struct buf *out, struct why *why)
{
	FILE *f = fopen(path, "re");
	X509 *cert = f != NULL ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
	const ASN1_INTEGER *serial;
	enum rc rc = RC_OK;

	if (f == NULL)
		return why_set(why, RC_IO, "%s: %s", path, strerror(errno));
	fclose(f);
	if (cert == NULL)
		return why_set(
		        why, RC_MALFORMED, "%s: no certificate in PEM", path);
	serial = X509_get0_serialNumber(cert);
	if (ASN1_STRING_length(serial) > SERIAL_MAX_BYTES)
		rc = why_set(why, RC_TOOBIG, "%s: serial number over %d octets",
		        path, SERIAL_MAX_BYTES);
	else
		hex_encode(out,
		        bytes_of(ASN1_STRING_get0_data(serial),
		                (size_t)ASN1_STRING_length(serial)));
	X509_free(cert);
	return rc;
}

static enum cli_exit show_path(const struct cli *cli, struct buf *path)
{
	const char *file = cli_value(cli, OPT_FILE);
	struct why why = WHY_NONE;
	enum rc rc = RC_OK;

	if ((file != NULL) == (cli->n_args == 1))
		return cli_usage(cli, "want a serial number or --file");
	buf_add_str(path, "/v1/certs/");
	if (file != NULL)
		rc = cert_file_serial(file, path, &why);
	else
		api_escape(path, cli->args[0]);
	if (rc != RC_OK)
		return cli_fail(cli, rc, &why);
	if (cli_given(cli, OPT_AUTHORITY)) {
		buf_add_str(path, "?authority=");
		api_escape(path, cli_value(cli, OPT_AUTHORITY));
	}
	return CLI_OK;
}

static void print_name(const char *title, const X509_NAME *name)
{
	printf("%-15s  ", title);
	fflush(stdout);
	X509_NAME_print_ex_fp(
	        stdout, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
	putchar('\n');
}

/* What stands in the certificate itself. */
static void print_content(const char *pem)
{
	BIO *in = BIO_new_mem_buf(pem, -1);
	X509 *cert =
	        in != NULL ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;
	int at;

	BIO_free(in);
	if (cert == NULL)
		return;
	print_name("subject", X509_get_subject_name(cert));
	print_name("issuer", X509_get_issuer_name(cert));
	at = X509_get_ext_by_NID(cert, NID_subject_alt_name, -1);
	if (at >= 0) {
		printf("%-15s  ", "names");
		fflush(stdout);
		X509V3_EXT_print_fp(stdout, X509_get_ext(cert, at), 0, 0);
		putchar('\n');
	}
	X509_free(cert);
}

static enum cli_exit print_pem(const struct cli *cli, const char *pem)
{
	struct why why = WHY_NONE;

	if (pem[0] == '\0') {
		why_set(&why, RC_NOTFOUND,
		        "no certificate was issued for that serial number");
		return cli_fail(cli, RC_NOTFOUND, &why);
	}
	fputs(pem, stdout);
	return CLI_OK;
}

enum cli_exit mica_cert_show(struct cli *cli)
{
	struct buf path = BUF_INIT(PATH_MAX_BYTES);
	json_t *answer = NULL;
	enum cli_exit status = show_path(cli, &path);
	const char *text = buf_cstr(&path);

	if (status == CLI_OK && text == NULL)
		status = cli_fail(cli, path.failed, NULL);
	if (status == CLI_OK)
		status = api_call(cli, "GET", text, NULL, &answer);
	buf_free(&path);
	if (status != CLI_OK)
		return status;
	if (cli->json) {
		print_json(answer);
	} else if (cli_given(cli, OPT_PEM)) {
		status = print_pem(cli, json_text(answer, "certificate"));
	} else {
		print_fields(answer, cert_lines, COUNT(cert_lines));
		print_content(json_text(answer, "certificate"));
	}
	json_decref(answer);
	return status;
}
