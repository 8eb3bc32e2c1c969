/* cmd/mica_init_keys.c - what mica-signer does for mica init: keys and CA
 * certificates. */
#include "base/file.h"
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

static enum rc add_secret(struct ceremony *c, const char *secret,
        const char *option, struct why *why)
{
	int fd = ceremony_secret_fd(secret);

	if (fd < 0)
		return why_set(why, RC_IO, "memfd: %s", strerror(errno));
	ceremony_add_fd(c, option, fd);
	return RC_OK;
}

/* The signer's user speaks to the token, so that it can later, too. as outlives
 * c. */
static void add_user(struct ceremony *c, const struct init *in, char as[32])
{
	if (!in->as_root || in->token.module == NULL)
		return;
	(void)snprintf(as, 32, "%lu:%lu", (unsigned long)in->signer_uid,
	        (unsigned long)in->signer_gid);
	ceremony_add(c, "--as", as);
}

/* The options of a key: as its own, or as an issuer's. */
struct key_options {
	const char *key, *module, *secret;
};
static const struct key_options own = { "--key", "--module",
	"--passphrase-fd" };
static const struct key_options issuers = { "--issuer-key", "--issuer-module",
	"--issuer-passphrase-fd" };

/* path holds INIT_PATH_BYTES and outlives c. */
static enum rc add_root_key(struct ceremony *c, const struct init *in,
        const struct key_options *o, char *path, struct why *why)
{
	if (!in->token.has_root) {
		ceremony_add(c, o->key, init_path(in, "root/root.key", path));
		return add_secret(c, in->passphrase, o->secret, why);
	}
	ceremony_add(c, o->key, in->token.root);
	ceremony_add(c, o->module, in->token.module);
	return add_secret(c, in->token.pin, o->secret, why);
}

static enum rc add_issuing_key(
        struct ceremony *c, const struct init *in, char *path, struct why *why)
{
	if (in->token.module == NULL) {
		ceremony_add(
		        c, own.key, init_path(in, "keys/issuing.key", path));
		return RC_OK;
	}
	ceremony_add(c, own.key, in->token.issuing);
	ceremony_add(c, own.module, in->token.module);
	return add_secret(c, in->token.pin, own.secret, why);
}

static enum rc make_in_token(const struct init *in, const char *uri,
        const char *name, struct why *why)
{
	char transcript[INIT_PATH_BYTES], as[32];
	struct ceremony c;
	enum rc rc;

	ceremony_begin(&c, "create-key");
	ceremony_add(&c, "--type", KEY_TYPE);
	ceremony_add(&c, "--key", uri);
	ceremony_add(&c, "--module", in->token.module);
	ceremony_add(&c, "--transcript", init_path(in, name, transcript));
	ceremony_add(&c, "--quiet", NULL);
	add_user(&c, in, as);
	rc = add_secret(&c, in->token.pin, "--passphrase-fd", why);
	return rc == RC_OK ? ceremony_run(&c, why) : rc;
}

static enum rc make_root_key(const struct init *in, struct why *why)
{
	char key[INIT_PATH_BYTES];
	struct ceremony c;
	enum rc rc;

	if (in->token.has_root)
		return make_in_token(
		        in, in->token.root, "root.key.transcript", why);
	ceremony_begin(&c, "make-key");
	ceremony_add(&c, "--type", KEY_TYPE);
	ceremony_add(&c, "--out", init_path(in, "root/root.key", key));
	rc = add_secret(&c, in->passphrase, "--passphrase-fd", why);
	return rc == RC_OK ? ceremony_run(&c, why) : rc;
}

static enum rc make_root(
        const struct init *in, const struct names *names, struct why *why)
{
	char key[INIT_PATH_BYTES], cert[INIT_PATH_BYTES], as[32];
	struct ceremony c;
	enum rc rc = make_root_key(in, why);

	if (rc != RC_OK)
		return rc;
	ceremony_begin(&c, "root");
	ceremony_add(&c, "--subject", names->organization);
	ceremony_add(&c, "--subject", names->root);
	ceremony_add(&c, "--validity", ROOT_VALIDITY);
	ceremony_add(&c, "--out", init_path(in, "ca/root.pem", cert));
	add_user(&c, in, as);
	rc = add_root_key(&c, in, &own, key, why);
	return rc == RC_OK ? ceremony_run(&c, why) : rc;
}

/* With its PIN, where it is in a token. */
static enum rc make_issuing_key(const struct init *in, struct why *why)
{
	char key[INIT_PATH_BYTES];
	struct ceremony c;
	enum rc rc;

	if (in->token.module != NULL) {
		rc = make_in_token(
		        in, in->token.issuing, "issuing.key.transcript", why);
		return rc == RC_OK ? init_write(in, "keys/hsm.pin", 0600,
		                             bytes_str(in->token.pin), why)
		                   : rc;
	}
	ceremony_begin(&c, "make-key");
	ceremony_add(&c, "--type", KEY_TYPE);
	ceremony_add(&c, "--out", init_path(in, "keys/issuing.key", key));
	return ceremony_run(&c, why);
}

static enum rc make_issuing(
        const struct init *in, const struct names *names, struct why *why)
{
	char root_key[INIT_PATH_BYTES], root[INIT_PATH_BYTES];
	char key[INIT_PATH_BYTES], cert[INIT_PATH_BYTES], as[32];
	struct ceremony c;
	enum rc rc;

	ceremony_begin(&c, "authority");
	ceremony_add(&c, "--issuer-cert", init_path(in, "ca/root.pem", root));
	ceremony_add(&c, "--subject", names->organization);
	ceremony_add(&c, "--subject", names->issuing);
	ceremony_add(&c, "--validity", ISSUING_VALIDITY);
	ceremony_add(&c, "--path-length", "0");
	ceremony_add(&c, "--out", init_path(in, "ca/issuing.pem", cert));
	add_user(&c, in, as);
	rc = add_root_key(&c, in, &issuers, root_key, why);
	if (rc == RC_OK)
		rc = add_issuing_key(&c, in, key, why);
	return rc == RC_OK ? ceremony_run(&c, why) : rc;
}

/* What the root's machine is asked to sign. */
static enum rc make_request(
        const struct init *in, const struct names *names, struct why *why)
{
	char key[INIT_PATH_BYTES], request[INIT_PATH_BYTES];
	char transcript[INIT_PATH_BYTES], as[32];
	struct ceremony c;
	enum rc rc;

	ceremony_begin(&c, "request");
	ceremony_add(&c, "--subject", names->organization);
	ceremony_add(&c, "--subject", names->issuing);
	ceremony_add(&c, "--path-length", "0");
	ceremony_add(&c, "--out", init_path(in, "issuing.req.pem", request));
	ceremony_add(&c, "--transcript",
	        init_path(in, "issuing.req.pem.transcript", transcript));
	add_user(&c, in, as);
	rc = add_issuing_key(&c, in, key, why);
	return rc == RC_OK ? ceremony_run(&c, why) : rc;
}

static enum rc copy_root(const struct init *in, struct why *why)
{
	struct buf pem = BUF_INIT(PEM_DER_MAX_BYTES);
	struct buf der = BUF_INIT(PEM_DER_MAX_BYTES);
	struct bytes text;
	struct cert cert;
	enum rc rc = file_read(&pem, in->root_file, why);

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
		rc = init_write(in, "ca/root.pem", 0644, buf_bytes(&pem), why);
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
