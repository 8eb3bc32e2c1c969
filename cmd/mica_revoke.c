/* cmd/mica_revoke.c - mica revoke, mica hold, mica release. */
#include "cmd/mica.h"
#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX_BYTES 65536

struct verb {
	const char *change; /* the API's */
	const char *done, *would;
};

/* --- a public key in a file: of a certificate, of a request, or bare */

/* Each appends the SubjectPublicKeyInfo's DER, encoded from the object it was
 * decoded into: X509_PUBKEY_dup() of OpenSSL 3.0 forgets how many bits of the
 * key are unused, and encodes another one. */
static bool add_key(struct buf *out, const X509_PUBKEY *key)
{
	uint8_t *der = NULL;
	int n = key != NULL ? i2d_X509_PUBKEY(key, &der) : 0;

	if (n > 0)
		buf_add(out, bytes_of(der, (size_t)n));
	OPENSSL_free(der);
	return n > 0;
}

static bool of_cert(struct buf *out, struct bytes in)
{
	const uint8_t *end = in.p;
	X509 *cert = d2i_X509(NULL, &end, (long)in.n);
	bool good = cert != NULL && end == in.p + in.n &&
	        add_key(out, X509_get_X509_PUBKEY(cert));

	X509_free(cert);
	return good;
}

static bool of_request(struct buf *out, struct bytes in)
{
	const uint8_t *end = in.p;
	X509_REQ *req = d2i_X509_REQ(NULL, &end, (long)in.n);
	bool good = req != NULL && end == in.p + in.n &&
	        add_key(out, X509_REQ_get_X509_PUBKEY(req));

	X509_REQ_free(req);
	return good;
}

static bool of_bare(struct buf *out, struct bytes in)
{
	const uint8_t *end = in.p;
	X509_PUBKEY *key = d2i_X509_PUBKEY(NULL, &end, (long)in.n);
	bool good = key != NULL && end == in.p + in.n && add_key(out, key);

	X509_PUBKEY_free(key);
	return good;
}

static bool of_der(struct buf *out, struct bytes in)
{
	return of_cert(out, in) || of_request(out, in) || of_bare(out, in);
}

/* The first block that has one. */
static bool of_pem(struct buf *out, struct bytes text, bool *is_private)
{
	BIO *in = BIO_new_mem_buf(text.p, (int)text.n);
	char *name, *header;
	bool found = false;
	uint8_t *der;
	long n;

	while (in != NULL && !found &&
	        PEM_read_bio(in, &name, &header, &der, &n) == 1) {
		*is_private |= strstr(name, "PRIVATE KEY") != NULL;
		found = of_der(out, bytes_of(der, (size_t)n));
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_clear_free(der, (size_t)n);
	}
	BIO_free(in);
	return found;
}

static enum rc no_key(const char *path, bool is_private, struct why *why)
{
	if (is_private)
		return why_set(why, RC_MALFORMED,
		        "%s: a private key; give its public half: openssl "
		        "pkey -in %s -pubout",
		        path, path);
	return why_set(why, RC_MALFORMED,
	        "%s: no certificate, request or public key in PEM or DER",
	        path);
}

/* SHA-256 of the SubjectPublicKeyInfo, as the store has it. */
static enum rc file_key_hash(const char *path, struct buf *hex, struct why *why)
{
	struct buf file = BUF_INIT(FILE_MAX_BYTES);
	struct buf spki = BUF_INIT(FILE_MAX_BYTES);
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned hash_bytes = 0;
	bool is_private = false;
	enum rc rc = file_read(&file, path, why);

	if (rc == RC_OK && !of_der(&spki, buf_bytes(&file)) &&
	        !of_pem(&spki, buf_bytes(&file), &is_private))
		rc = no_key(path, is_private, why);
	if (rc == RC_OK &&
	        EVP_Digest(spki.p, spki.n, hash, &hash_bytes, EVP_sha256(),
	                NULL) != 1)
		rc = RC_INTERNAL;
	if (rc == RC_OK)
		hex_encode(hex, bytes_of(hash, hash_bytes));
	ERR_clear_error();
	buf_free(&spki);
	buf_free(&file);
	return rc;
}

/* --- what is asked for */

static enum cli_exit check_which(const struct cli *cli)
{
	static const enum cli_option which[] = { OPT_SERIAL, OPT_FILE,
		OPT_DEVICE, OPT_KEY, OPT_FROM };
	int n = 0;

	for (size_t i = 0; i < sizeof(which) / sizeof(which[0]); i++)
		n += cli_given(cli, which[i]);
	if (n == 0 && cli_given(cli, OPT_AUTHORITY))
		return cli_usage(
		        cli, "--from is missing: since when were they issued?");
	if (n != 1)
		return cli_usage(cli, "want one choice of which certificates");
	if (cli_given(cli, OPT_TO) && !cli_given(cli, OPT_FROM))
		return cli_usage(cli, "--to goes with --from");
	if (cli_given(cli, OPT_AUTHORITY) &&
	        (cli_given(cli, OPT_DEVICE) || cli_given(cli, OPT_KEY)))
		return cli_usage(
		        cli, "--authority goes with --serial or --from");
	return CLI_OK;
}

static json_t *request(const struct cli *cli, const struct verb *verb,
        const char *serial, const char *key)
{
	return json_pack("{s:s, s:b, s:s*, s:s*, s:s*, s:s*, s:s*, s:s*, s:s*, "
	                 "s:s*}",
	        "change", verb->change, "dry_run", cli_given(cli, OPT_DRY_RUN),
	        "serial", serial, "spki_sha256", key, "device",
	        cli_value(cli, OPT_DEVICE), "authority",
	        cli_value(cli, OPT_AUTHORITY), "from", cli_value(cli, OPT_FROM),
	        "to", cli_value(cli, OPT_TO), "reason",
	        cli_value(cli, OPT_REASON), "invalid_since",
	        cli_value(cli, OPT_INVALID_SINCE));
}

static void add_up(json_t *sum, const json_t *answer, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(answer, key)) +
	        json_integer_value(json_object_get(sum, key));

	json_object_set_new(sum, key, json_integer(n));
}

/* From part to part, until there is no more. body is taken. */
static enum cli_exit call_all(struct cli *cli, json_t *body, json_t **sum)
{
	enum cli_exit status = CLI_OK;
	json_t *answer;
	bool more = true;

	*sum = json_object();
	while (status == CLI_OK && more) {
		answer = NULL;
		status = api_call(cli, "POST", "/v1/revocations",
		        json_copy(body), &answer);
		if (status != CLI_OK)
			break;
		add_up(*sum, answer, "selected");
		add_up(*sum, answer, "changed");
		json_object_update_missing(*sum, answer);
		more = json_text(answer, "cursor")[0] != '\0';
		json_object_set(
		        body, "cursor", json_object_get(answer, "cursor"));
		json_decref(answer);
		if (more && isatty(STDERR_FILENO))
			fprintf(stderr, "%" JSON_INTEGER_FORMAT " so far\n",
			        json_integer_value(
			                json_object_get(*sum, "changed")));
	}
	json_object_del(*sum, "cursor");
	json_decref(body);
	return status;
}

/* --- what came of it */

static void print_one(const struct cli *cli, const struct verb *verb,
        const json_t *sum, const char *serial)
{
	const char *reason = json_text(sum, "reason");

	if (json_integer_value(json_object_get(sum, "changed")) == 0)
		printf("%s was %s before: nothing to change\n", serial,
		        verb->done);
	else
		printf("%s %s %s%s%s\n", serial,
		        cli_given(cli, OPT_DRY_RUN) ? "would be" : "is",
		        verb->done, reason[0] != '\0' ? ": " : "", reason);
}

static void print_many(
        const struct cli *cli, const struct verb *verb, const json_t *sum)
{
	bool dry_run = cli_given(cli, OPT_DRY_RUN);
	const char *device = cli_value(cli, OPT_DEVICE);

	printf("%s %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT
	       " certificates\n",
	        dry_run ? verb->would : verb->done,
	        json_integer_value(json_object_get(sum, "changed")),
	        json_integer_value(json_object_get(sum, "selected")));
	if (dry_run)
		puts("nothing was changed (--dry-run)");
	else if (device != NULL)
		printf("device %s is suspended; to let it enrol again:  mica "
		       "device resume '%s'\n",
		        device, device);
	else if (cli_given(cli, OPT_KEY) && strcmp(verb->change, "revoke") == 0)
		puts("no certificate is issued for this key any more");
}

static enum cli_exit run(struct cli *cli, const struct verb *verb)
{
	struct buf serial = BUF_INIT(256), key = BUF_INIT(256);
	struct why why = WHY_NONE;
	json_t *sum = NULL;
	enum cli_exit status = check_which(cli);
	enum rc rc = RC_OK;
	bool one = cli_given(cli, OPT_SERIAL) || cli_given(cli, OPT_FILE);

	if (status != CLI_OK)
		return status;
	if (cli_given(cli, OPT_FILE))
		rc = cert_file_serial(cli_value(cli, OPT_FILE), &serial, &why);
	else if (cli_given(cli, OPT_SERIAL))
		buf_add_str(&serial, cli_value(cli, OPT_SERIAL));
	if (rc == RC_OK && cli_given(cli, OPT_KEY))
		rc = file_key_hash(cli_value(cli, OPT_KEY), &key, &why);
	status = rc != RC_OK
	        ? cli_fail(cli, rc, &why)
	        : call_all(cli,
	                  request(cli, verb, one ? buf_cstr(&serial) : NULL,
	                          key.n > 0 ? buf_cstr(&key) : NULL),
	                  &sum);
	if (status == CLI_OK && cli->json)
		print_json(sum);
	else if (status == CLI_OK && one)
		print_one(cli, verb, sum, buf_cstr(&serial));
	else if (status == CLI_OK)
		print_many(cli, verb, sum);
	json_decref(sum);
	buf_free(&serial);
	buf_free(&key);
	return status;
}

enum cli_exit mica_revoke(struct cli *cli)
{
	return run(cli,
	        &(const struct verb){ "revoke", "revoked", "would revoke" });
}

enum cli_exit mica_hold(struct cli *cli)
{
	return run(cli, &(const struct verb){ "hold", "held", "would hold" });
}

enum cli_exit mica_release(struct cli *cli)
{
	return run(cli,
	        &(const struct verb){ "release", "released", "would release" });
}
