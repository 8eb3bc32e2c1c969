/* cmd/mica_init_keys.c - what mica-signer does for mica init: keys and CA
 * certificates. */
#include "ca/cert.h"
#include "ca/pem.h"
#include "cmd/mica_ceremony.h"
#include "cmd/mica_init.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define KEY_TYPE "p256" /* what every device can verify */
#define ROOT_VALIDITY "30y"
#define ISSUING_VALIDITY "10y"

struct names {
	char organization[128], root[128], issuing[128];
};

static enum rc add_passphrase(struct ceremony *c, const struct init *in,
        const char *option, struct why *why)
{
	int fd = ceremony_secret_fd(in->passphrase);

	if (fd < 0)
		return why_set(why, RC_IO, "memfd: %s", strerror(errno));
	ceremony_add_fd(c, option, fd);
	return RC_OK;
}

static enum rc make_root(
        const struct init *in, const struct names *names, struct why *why)
{
	char key[INIT_PATH_BYTES], cert[INIT_PATH_BYTES];
	struct ceremony c;
	enum rc rc;

	ceremony_begin(&c, "make-key");
	ceremony_add(&c, "--type", KEY_TYPE);
	ceremony_add(&c, "--out", init_path(in, "root/root.key", key));
	rc = add_passphrase(&c, in, "--passphrase-fd", why);
	if (rc == RC_OK)
		rc = ceremony_run(&c, why);
	if (rc != RC_OK)
		return rc;
	ceremony_begin(&c, "root");
	ceremony_add(&c, "--key", key);
	ceremony_add(&c, "--subject", names->organization);
	ceremony_add(&c, "--subject", names->root);
	ceremony_add(&c, "--validity", ROOT_VALIDITY);
	ceremony_add(&c, "--out", init_path(in, "ca/root.pem", cert));
	rc = add_passphrase(&c, in, "--passphrase-fd", why);
	return rc == RC_OK ? ceremony_run(&c, why) : rc;
}

static enum rc make_issuing_key(const struct init *in, struct why *why)
{
	char key[INIT_PATH_BYTES];
	struct ceremony c;

	ceremony_begin(&c, "make-key");
	ceremony_add(&c, "--type", KEY_TYPE);
	ceremony_add(&c, "--out", init_path(in, "keys/issuing.key", key));
	return ceremony_run(&c, why);
}

static enum rc make_issuing(
        const struct init *in, const struct names *names, struct why *why)
{
	char root_key[INIT_PATH_BYTES], root[INIT_PATH_BYTES];
	char key[INIT_PATH_BYTES], cert[INIT_PATH_BYTES];
	struct ceremony c;
	enum rc rc;

	ceremony_begin(&c, "authority");
	ceremony_add(
	        &c, "--issuer-key", init_path(in, "root/root.key", root_key));
	ceremony_add(&c, "--issuer-cert", init_path(in, "ca/root.pem", root));
	ceremony_add(&c, "--key", init_path(in, "keys/issuing.key", key));
	ceremony_add(&c, "--subject", names->organization);
	ceremony_add(&c, "--subject", names->issuing);
	ceremony_add(&c, "--validity", ISSUING_VALIDITY);
	ceremony_add(&c, "--path-length", "0");
	ceremony_add(&c, "--out", init_path(in, "ca/issuing.pem", cert));
	rc = add_passphrase(&c, in, "--issuer-passphrase-fd", why);
	return rc == RC_OK ? ceremony_run(&c, why) : rc;
}

/* What the root's machine is asked to sign. */
static enum rc make_request(
        const struct init *in, const struct names *names, struct why *why)
{
	char key[INIT_PATH_BYTES], request[INIT_PATH_BYTES];
	char transcript[INIT_PATH_BYTES];
	struct ceremony c;

	ceremony_begin(&c, "request");
	ceremony_add(&c, "--key", init_path(in, "keys/issuing.key", key));
	ceremony_add(&c, "--subject", names->organization);
	ceremony_add(&c, "--subject", names->issuing);
	ceremony_add(&c, "--path-length", "0");
	ceremony_add(&c, "--out", init_path(in, "issuing.req.pem", request));
	ceremony_add(&c, "--transcript",
	        init_path(in, "issuing.req.pem.transcript", transcript));
	return ceremony_run(&c, why);
}

static enum rc copy_root(const struct init *in, struct why *why)
{
	struct buf pem = BUF_INIT(PEM_DER_MAX_BYTES);
	struct buf der = BUF_INIT(PEM_DER_MAX_BYTES);
	struct bytes text;
	struct cert cert;
	enum rc rc = config_read_file(in->root_file, &pem, why);

	text = buf_bytes(&pem);
	if (rc == RC_OK)
		rc = pem_next(&text, "CERTIFICATE", &der, why);
	if (rc == RC_OK)
		rc = cert_parse(&cert, buf_bytes(&der), why);
	if (rc == RC_OK && !bytes_eq(cert.issuer, cert.subject))
		rc = why_set(why, RC_MALFORMED, "not a root's certificate");
	if (rc == RC_NOTFOUND)
		rc = why_set(why, RC_MALFORMED, "no certificate in PEM");
	rc = why_prefix(why, rc, "%s", in->root_file);
	if (rc == RC_OK)
		rc = init_write(in, "ca/root.pem", buf_bytes(&pem), why);
	buf_free(&pem);
	buf_free(&der);
	return rc;
}

enum rc init_ceremony(const struct init *in, struct why *why)
{
	struct names names;
	enum rc rc;

	snprintf(names.organization, sizeof(names.organization), "O=%s",
	        in->name);
	snprintf(names.root, sizeof(names.root), "CN=%s Root CA", in->name);
	snprintf(names.issuing, sizeof(names.issuing), "CN=%s Issuing CA",
	        in->name);
	rc = in->root_file != NULL ? copy_root(in, why)
	                           : make_root(in, &names, why);
	if (rc == RC_OK)
		rc = make_issuing_key(in, why);
	if (rc == RC_OK)
		rc = in->root_file != NULL ? make_request(in, &names, why)
		                           : make_issuing(in, &names, why);
	return rc;
}
