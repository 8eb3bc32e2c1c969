/* cmd/mica_install_check.c - is a certificate fit to be an authority's? */
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "ca/authority.h"
#include "ca/cert.h"
#include "cmd/mica_install.h"
#include "conf/conf.h"
#include "der/name.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PEM_FILE_MAX_BYTES (1u << 20)
#define PEM_COLUMNS 64
#define ROOT_FILE "ca/root.pem" /* by mica init, beside the configuration */

void install_init(struct install *in, const char *name)
{
	memset(in, 0, sizeof(*in));
	in->name = name;
	in->cert_pem = BUF_INIT(PEM_FILE_MAX_BYTES);
	in->chain_pem = BUF_INIT(PEM_FILE_MAX_BYTES);
	in->crl = BUF_INIT(INSTALL_CRL_MAX_BYTES);
}

static void free_certs(struct install_certs *c)
{
	for (size_t i = 0; i < c->n; i++)
		buf_free(&c->der[i]);
	c->n = 0;
}

void install_free(struct install *in)
{
	free_certs(&in->given);
	free_certs(&in->chain);
	buf_free(&in->cert_pem);
	buf_free(&in->chain_pem);
	buf_free(&in->crl);
}

/* --- reading */
static enum rc add_der(
        struct install_certs *c, struct bytes der, struct why *why)
{
	if (c->n == INSTALL_CERTS_MAX)
		return why_set(why, RC_TOOBIG, "over %d certificates",
		        INSTALL_CERTS_MAX);
	c->der[c->n] = BUF_INIT(PEM_DER_MAX_BYTES);
	buf_add(&c->der[c->n], der);
	return c->der[c->n++].failed;
}

static enum rc read_pem(
        struct install_certs *c, const char *path, struct why *why)
{
	struct buf pem = BUF_INIT(PEM_FILE_MAX_BYTES);
	struct buf der = BUF_INIT(PEM_DER_MAX_BYTES);
	enum rc rc = file_read(&pem, path, why);
	struct bytes text = buf_bytes(&pem);
	size_t before = c->n;

	while (rc == RC_OK) {
		buf_reset(&der);
		rc = pem_next(&text, "CERTIFICATE", &der, why);
		if (rc == RC_OK)
			rc = add_der(c, buf_bytes(&der), why);
	}
	if (rc == RC_NOTFOUND)
		rc = c->n > before
		        ? RC_OK
		        : why_set(why, RC_MALFORMED, "no certificate in it");
	buf_free(&pem);
	buf_free(&der);
	return why_prefix(why, rc, "%s", path);
}

static bool is_self_signed(struct bytes der)
{
	struct cert c;

	return cert_parse(&c, der, NULL) == RC_OK &&
	        bytes_eq(c.issuer, c.subject);
}

static void put_pem(struct buf *out, struct bytes der)
{
	buf_add_str(out, "-----BEGIN CERTIFICATE-----\n");
	base64_encode(out, der, PEM_COLUMNS);
	buf_add_str(out, "-----END CERTIFICATE-----\n");
}

/* The root is the configuration's, and no other that comes along. What stands
 * between is as given, if anything is, else as it was. */
static enum rc make_chain(
        struct install *in, const struct install_certs *old, struct why *why)
{
	struct bytes root;
	enum rc rc = RC_OK;

	if (old->n == 0 || !is_self_signed(buf_bytes(&old->der[old->n - 1])))
		return why_set(why, RC_NOTFOUND,
		        "authorities.%s.chain does not end in a root, to hold "
		        "the certificate against",
		        in->name);
	root = buf_bytes(&old->der[old->n - 1]);
	for (size_t i = 1; rc == RC_OK && i < in->given.n; i++) {
		struct bytes der = buf_bytes(&in->given.der[i]);

		if (bytes_eq(der, root))
			continue;
		if (is_self_signed(der))
			return why_set(why, RC_CONFLICT,
			        "another root was given than the one that "
			        "authorities.%s.chain has",
			        in->name);
		rc = add_der(&in->chain, der, why);
	}
	in->new_chain = in->chain.n > 0;
	for (size_t i = 0; rc == RC_OK && !in->new_chain && i + 1 < old->n; i++)
		rc = add_der(&in->chain, buf_bytes(&old->der[i]), why);
	if (rc == RC_OK)
		rc = add_der(&in->chain, root, why);
	return rc;
}

/* The root's own file is what devices are given to trust and what the root's
 * commands take for its certificate: a CA that stands below it would be an
 * anchor there, or stand in its place. */
static enum rc check_place(
        const struct install *in, const struct cli *cli, struct why *why)
{
	char root[CEREMONY_PATH_BYTES];
	struct stat a, b;

	if (!in->new_chain || !authority_conf_path(cli, ROOT_FILE, root) ||
	        stat(root, &a) != 0 || stat(in->conf.chain, &b) != 0 ||
	        a.st_dev != b.st_dev || a.st_ino != b.st_ino)
		return RC_OK;
	return why_set(why, RC_CONFLICT,
	        "%s is the root's alone: copy it, name the copy in "
	        "authorities.%s.chain, and repeat this",
	        root, in->name);
}

static enum rc read_crl(
        struct install *in, const struct cli *cli, struct why *why)
{
	in->crl_path = cli_value(cli, OPT_CRL);
	if (in->crl_path == NULL && in->conf.issuer_crl[0] != '\0')
		in->crl_path = in->conf.issuer_crl;
	return in->crl_path != NULL ? file_read(&in->crl, in->crl_path, why)
	                            : RC_OK;
}

enum rc install_read(struct install *in, const struct cli *cli, struct why *why)
{
	struct install_certs old = { .n = 0 };
	enum rc rc = authority_conf_read(cli, in->name, &in->conf, why);

	for (size_t i = 1; rc == RC_OK && i < cli->n_args; i++)
		rc = read_pem(&in->given, cli->args[i], why);
	if (rc == RC_OK && in->conf.chain[0] != '\0')
		rc = read_pem(&old, in->conf.chain, why);
	if (rc == RC_OK)
		rc = make_chain(in, &old, why);
	if (rc == RC_OK)
		rc = check_place(in, cli, why);
	if (rc == RC_OK)
		rc = read_crl(in, cli, why);
	free_certs(&old);
	if (rc != RC_OK)
		return rc;
	put_pem(&in->cert_pem, buf_bytes(&in->given.der[0]));
	for (size_t i = 0; i < in->chain.n; i++)
		put_pem(&in->chain_pem, buf_bytes(&in->chain.der[i]));
	return in->cert_pem.failed != RC_OK ? in->cert_pem.failed
	                                    : in->chain_pem.failed;
}

/* --- by our own eyes */
static enum rc digest(
        const struct buf *of, char text[2 * INSTALL_SHA256_BYTES + 1])
{
	unsigned char out[EVP_MAX_MD_SIZE];
	struct buf hex = BUF_INIT(2 * INSTALL_SHA256_BYTES);
	enum rc rc;

	if (EVP_Digest(of->p, of->n, out, NULL, EVP_sha256(), NULL) != 1)
		return RC_INTERNAL;
	hex_encode(&hex, bytes_of(out, INSTALL_SHA256_BYTES));
	rc = hex.failed;
	if (rc == RC_OK)
		memcpy(text, hex.p, hex.n);
	buf_free(&hex);
	return rc;
}

static enum rc describe(
        struct install *in, const struct cert *c, struct why *why)
{
	struct buf text = BUF_INIT(sizeof(in->subject) - 1);
	enum rc rc = name_print(&text, c->subject);

	if (rc == RC_OK)
		(void)snprintf(in->subject, sizeof(in->subject), "%.*s",
		        (int)text.n, (const char *)text.p);
	in->not_after_s = c->not_after_s;
	buf_free(&text);
	if (rc != RC_OK)
		return why_set(why, rc, "its subject is too long");
	rc = digest(&in->given.der[0], in->sha256);
	return rc == RC_OK ? digest(&in->chain_pem, in->chain_sha256) : rc;
}

static enum rc check_form(struct install *in, struct why *why)
{
	int64_t now_s = clock_now_s();
	char when[TEXT_TIME_BYTES];
	struct cert c;
	uint32_t usage;
	bool ca, present;
	enum rc rc = cert_parse(&c, buf_bytes(&in->given.der[0]), why);

	if (rc == RC_OK)
		rc = describe(in, &c, why);
	if (rc == RC_OK)
		rc = cert_is_ca(&c, &ca, why);
	if (rc == RC_OK)
		rc = cert_key_usage(&c, &usage, &present, why);
	if (rc != RC_OK)
		return rc;
	if (!ca)
		return why_set(why, RC_DENIED,
		        "it is not a CA's: basicConstraints is not CA:TRUE");
	if (!present || !(usage & USAGE_KEY_CERT_SIGN) ||
	        !(usage & USAGE_CRL_SIGN))
		return why_set(why, RC_DENIED,
		        "keyUsage wants keyCertSign and cRLSign");
	if (c.not_after_s < now_s)
		return why_set(why, RC_DENIED, "it expired on %s",
		        text_time(when, c.not_after_s));
	if (c.not_before_s > now_s)
		return why_set(why, RC_DENIED, "it is not valid before %s",
		        text_time(when, c.not_before_s));
	return RC_OK;
}

/* --- by libcrypto's */
static X509 *x509_of(const struct buf *der)
{
	const unsigned char *p = der->p;

	return d2i_X509(NULL, &p, (long)der->n);
}

static X509_CRL *crl_of(const struct buf *text)
{
	const unsigned char *p = text->p;
	X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)text->n);
	BIO *bio = NULL;

	if (crl == NULL)
		bio = BIO_new_mem_buf(text->p, (int)text->n);
	if (bio != NULL)
		crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL);
	BIO_free(bio);
	ERR_clear_error();
	return crl;
}

struct judge {
	X509_STORE *store;
	X509_STORE_CTX *ctx;
	STACK_OF(X509) * between;
	X509 *cert;
};

static bool judge_trust(struct judge *j, const struct install *in)
{
	X509 *root = x509_of(&in->chain.der[in->chain.n - 1]);
	bool good = root != NULL && X509_STORE_add_cert(j->store, root) == 1;

	X509_free(root);
	for (size_t i = 0; good && i + 1 < in->chain.n; i++) {
		X509 *x = x509_of(&in->chain.der[i]);

		good = x != NULL && sk_X509_push(j->between, x) > 0;
		if (!good)
			X509_free(x);
	}
	return good;
}

static enum rc judge_run(struct judge *j, struct why *why)
{
	int error;

	if (X509_STORE_set_flags(j->store,
	            X509_V_FLAG_X509_STRICT | X509_V_FLAG_CHECK_SS_SIGNATURE) !=
	                1 ||
	        X509_STORE_CTX_init(j->ctx, j->store, j->cert, j->between) != 1)
		return RC_NOMEM;
	X509_STORE_CTX_set_time(j->ctx, 0, (time_t)clock_now_s());
	if (X509_verify_cert(j->ctx) == 1)
		return RC_OK;
	error = X509_STORE_CTX_get_error(j->ctx);
	return why_set(why, RC_BADSIG, "against the configured root: %s",
	        X509_verify_cert_error_string(error));
}

static enum rc check_chain(const struct install *in, struct why *why)
{
	struct judge j = { X509_STORE_new(), X509_STORE_CTX_new(),
		sk_X509_new_null(), x509_of(&in->given.der[0]) };
	enum rc rc = RC_MALFORMED;

	if (j.store == NULL || j.ctx == NULL || j.between == NULL)
		rc = RC_NOMEM;
	else if (j.cert == NULL || !judge_trust(&j, in))
		why_set(why, rc, "a certificate that libcrypto cannot read");
	else
		rc = judge_run(&j, why);
	X509_STORE_CTX_free(j.ctx);
	X509_STORE_free(j.store);
	sk_X509_pop_free(j.between, X509_free);
	X509_free(j.cert);
	ERR_clear_error();
	return rc;
}

/* Is one of them named by its issuer's CRL? *spoke: this one's issuer it is. */
static enum rc check_revoked(const struct buf *cert, const struct buf *above,
        X509_CRL *crl, bool *spoke, struct why *why)
{
	X509 *c = x509_of(cert), *issuer = x509_of(above);
	EVP_PKEY *key = issuer != NULL ? X509_get0_pubkey(issuer) : NULL;
	const ASN1_TIME *next = X509_CRL_get0_nextUpdate(crl);
	time_t now = (time_t)clock_now_s();
	X509_REVOKED *entry = NULL;
	enum rc rc = RC_OK;

	if (c == NULL || key == NULL)
		rc = RC_MALFORMED;
	else if (X509_NAME_cmp(X509_get_issuer_name(c),
	                 X509_CRL_get_issuer(crl)) != 0)
		goto out;
	else if (X509_CRL_verify(crl, key) != 1)
		rc = why_set(why, RC_BADSIG, "the CRL is not its issuer's");
	else if (next == NULL || X509_cmp_time(next, &now) < 0)
		rc = why_set(why, RC_DENIED, "the CRL has run out");
	else if (X509_CRL_get0_by_cert(crl, &entry, c) == 1)
		rc = why_set(why, RC_DENIED, "revoked by its issuer");
	*spoke = true;
out:
	X509_free(c);
	X509_free(issuer);
	return rc;
}

/* The root's CRL says nothing of an authority that has another CA between; but
 * one that was asked for has to say something. */
static enum rc check_crl(
        const struct install *in, const struct cli *cli, struct why *why)
{
	const struct buf *cert = &in->given.der[0];
	X509_CRL *crl;
	bool spoke = false;
	enum rc rc = RC_OK;

	if (in->crl_path == NULL)
		return RC_OK;
	crl = crl_of(&in->crl);
	if (crl == NULL)
		rc = why_set(why, RC_MALFORMED, "no CRL");
	for (size_t i = 0; rc == RC_OK && i < in->chain.n; i++) {
		rc = check_revoked(cert, &in->chain.der[i], crl, &spoke, why);
		cert = &in->chain.der[i];
	}
	if (rc == RC_OK && !spoke && cli_given(cli, OPT_CRL))
		rc = why_set(why, RC_DENIED, "it is nobody's in this chain");
	X509_CRL_free(crl);
	ERR_clear_error();
	return why_prefix(why, rc, "%s", in->crl_path);
}

/* Names that libcrypto can hold against nameConstraints; with others in a chain
 * every device's certificate would be refused. */
static bool constraints_understood(X509 *cert)
{
	NAME_CONSTRAINTS *nc =
	        X509_get_ext_d2i(cert, NID_name_constraints, NULL, NULL);
	STACK_OF(GENERAL_SUBTREE) *const lists[] = {
		nc != NULL ? nc->permittedSubtrees : NULL,
		nc != NULL ? nc->excludedSubtrees : NULL
	};
	bool good = nc != NULL ||
	        X509_get_ext_by_NID(cert, NID_name_constraints, -1) < 0;

	for (size_t k = 0; k < 2; k++)
		for (int i = 0; i < sk_GENERAL_SUBTREE_num(lists[k]); i++) {
			const GENERAL_SUBTREE *s =
			        sk_GENERAL_SUBTREE_value(lists[k], i);

			good = good && s->maximum == NULL &&
			        (s->base->type == GEN_DIRNAME ||
			                s->base->type == GEN_DNS ||
			                s->base->type == GEN_EMAIL ||
			                s->base->type == GEN_URI ||
			                s->base->type == GEN_IPADD);
		}
	NAME_CONSTRAINTS_free(nc);
	return good;
}

static enum rc check_constraints(const struct install *in, struct why *why)
{
	X509 *cert = x509_of(&in->given.der[0]);
	bool good = cert != NULL && constraints_understood(cert);

	X509_free(cert);
	ERR_clear_error();
	return good ? RC_OK
	            : why_set(why, RC_DENIED,
	                      "its nameConstraints are of a form that nobody "
	                      "here understands");
}

/* --- by micad's */
struct with_new {
	const struct install *in;
	const struct cli *cli;
};

/* The configuration's files, but for those that are to be replaced. */
static enum rc read_with_new(
        void *ctx, const char *path, struct buf *out, struct why *why)
{
	const struct with_new *w = ctx;
	char full[CEREMONY_PATH_BYTES];

	if (!authority_conf_path(w->cli, path, full))
		return why_set(why, RC_TOOBIG, "%s: too long", path);
	if (strcmp(full, w->in->conf.certificate) == 0)
		buf_add(out, buf_bytes(&w->in->cert_pem));
	else if (w->in->new_chain && strcmp(full, w->in->conf.chain) == 0)
		buf_add(out, buf_bytes(&w->in->chain_pem));
	else
		return file_read(out, full, why);
	return out->failed;
}

static enum rc check_config(
        const struct install *in, const struct cli *cli, struct why *why)
{
	struct conf_errors *errors = calloc(1, sizeof(*errors));
	struct buf yaml = BUF_INIT(CONF_FILE_MAX_BYTES);
	struct with_new with = { in, cli };
	struct authorities *all = NULL;
	struct conf *conf = NULL;
	enum rc rc =
	        errors == NULL ? RC_NOMEM : file_read(&yaml, cli->config, why);

	if (rc == RC_OK)
		rc = conf_load(&conf, cli->config, buf_bytes(&yaml),
		        read_with_new, &with, errors);
	if (rc == RC_CONFIG && errors->n > 0)
		why_set(why, rc, "%s:%u: %s: %s", cli->config,
		        errors->list[0].line, errors->list[0].path,
		        errors->list[0].text);
	if (rc == RC_OK)
		rc = authorities_new(&all, conf, why);
	authorities_free(all);
	conf_free(conf);
	buf_free(&yaml);
	free(errors);
	return rc;
}

enum rc install_check(
        struct install *in, const struct cli *cli, struct why *why)
{
	enum rc rc = check_form(in, why);

	if (rc == RC_OK)
		rc = check_constraints(in, why);
	if (rc == RC_OK)
		rc = check_chain(in, why);
	if (rc == RC_OK)
		rc = check_crl(in, cli, why);
	if (rc == RC_OK)
		rc = check_config(in, cli, why);
	return rc;
}
