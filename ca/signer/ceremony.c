/* ca/signer/ceremony.c - the operations of mica-signer --ceremony. */
#include "ca/signer/ceremony.h"

#include "base/clock.h"
#include "ca/signer/ca_cert.h"
#include "ca/signer/ca_crl.h"
#include "ca/signer/ceremony_args.h"
#include "ca/signer/ceremony_file.h"
#include "ca/signer/ceremony_ops.h"
#include "ca/signer/transcript.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum rc make_key(const struct args *a, struct why *why)
{
	struct buf text = BUF_INIT(VAULT_PASSPHRASE_MAX_BYTES);
	struct buf pem = BUF_INIT(VAULT_FILE_MAX_BYTES);
	EVP_PKEY *pkey = NULL;
	struct bytes passphrase;
	enum rc rc = RC_OK;

	if (a->passphrase_fd >= 0)
		rc = ceremony_read_passphrase(a->passphrase_fd, &text, why);
	if (rc)
		goto out;
	passphrase = buf_bytes(&text);
	pkey = vault_make(a->kind->type, a->kind->bits);
	rc = pkey ? ceremony_key_pem(&pem, pkey,
	                    a->passphrase_fd >= 0 ? &passphrase : NULL)
	          : RC_INTERNAL;
	if (!rc)
		rc = ceremony_write(a->out, 0600, buf_bytes(&pem), why);
out:
	EVP_PKEY_free(pkey);
	buf_wipe(&text);
	buf_wipe(&pem);
	return rc;
}

struct key_source ceremony_key(const struct args *a)
{
	return (struct key_source){ a->key, a->module, a->passphrase_fd, a };
}

struct key_source ceremony_issuer_key(const struct args *a)
{
	return (struct key_source){ a->issuer_key, a->issuer_module,
		a->issuer_passphrase_fd, a };
}

bool ceremony_is_uri(const char *key)
{
	return bytes_starts(bytes_str(key), BYTES_LIT("pkcs11:"));
}

enum rc ceremony_become(const struct args *a, struct why *why)
{
	if (!(a->given & BIT(OPT_AS)))
		return RC_OK;
	if (setgroups(0, NULL) != 0 || setegid(a->gid) != 0 ||
	        seteuid(a->uid) != 0)
		return why_set(why, RC_PERMISSION, "--as: %s", strerror(errno));
	return RC_OK;
}

void ceremony_come_back(const struct args *a)
{
	if ((a->given & BIT(OPT_AS)) &&
	        (seteuid(getuid()) != 0 || setegid(getgid()) != 0))
		abort();
}

static enum rc load_from_token(struct vault *v, const struct vault_token_key *k,
        const struct args *as, struct why *why)
{
	enum rc rc = ceremony_become(as, why);

	if (!rc)
		rc = vault_load_token(v, k, why);
	ceremony_come_back(as);
	return rc;
}

static enum rc load_from_file(struct vault *v, const char *name,
        struct key_source from, struct bytes passphrase, struct why *why)
{
	struct buf pem = BUF_INIT(VAULT_FILE_MAX_BYTES);
	enum rc rc = ceremony_read_secret(from.key, &pem, why);

	if (!rc)
		rc = why_prefix(why,
		        vault_add(v, name, buf_bytes(&pem),
		                from.secret_fd >= 0 ? &passphrase : NULL, why),
		        "%s", from.key);
	buf_wipe(&pem);
	return rc;
}

enum rc ceremony_load_key(struct vault *v, const char *name,
        struct key_source from, struct why *why)
{
	struct buf secret = BUF_INIT(VAULT_PASSPHRASE_MAX_BYTES);
	struct vault_token_key k = { .name = name,
		.uri = from.key,
		.module = from.module,
		.sessions = 1 };
	enum rc rc = RC_OK;

	if (ceremony_is_uri(from.key) != (from.module != NULL))
		return why_set(why, RC_MALFORMED,
		        "%s: a module belongs to a URI, and a URI wants one",
		        from.key);
	if (from.secret_fd >= 0)
		rc = ceremony_read_passphrase(from.secret_fd, &secret, why);
	k.pin = buf_bytes(&secret);
	if (!rc)
		rc = from.module ? load_from_token(v, &k, from.as, why)
		                 : load_from_file(v, name, from, k.pin, why);
	buf_wipe(&secret);
	return rc;
}

enum rc ceremony_load_issuer(struct ca_issuer **out, const char *path,
        const struct vault_key *key, struct why *why)
{
	struct buf pem = BUF_INIT(CA_CERT_MAX_BYTES);
	enum rc rc = ceremony_read(path, &pem, why);

	if (!rc)
		rc = ca_issuer_parse(out, buf_bytes(&pem), key, why);
	buf_free(&pem);
	return rc;
}

static enum rc write_root_transcript(const struct args *a,
        const struct vault_key *key, struct bytes der, struct why *why)
{
	struct buf t = BUF_INIT(TRANSCRIPT_MAX_BYTES);

	transcript_begin(&t, "mica-signer", "mica ceremony: a root is made");
	transcript_section(&t, "Key");
	transcript_file(&t, "Where:", a->key);
	if (!a->module)
		transcript_line(&t, "Encrypted:", "%s",
		        a->passphrase_fd >= 0 ? "by a passphrase" : "no");
	transcript_key(&t, key->spki);
	transcript_file(&t, "Written to:", a->out);
	transcript_cert(&t, "Certificate (DER; PEM below)", der);
	return ceremony_write_transcript(a->transcript, &t, why);
}

static enum rc write_cert(const struct args *a, struct vault *v, size_t signer,
        struct ca_cert_opts *o, struct why *why)
{
	struct buf subject = BUF_INIT(NAME_MAX_BYTES);
	struct buf der = BUF_INIT(CA_CERT_MAX_BYTES);
	enum rc rc = name_write(&subject, a->parts, a->n_parts, why);

	if (!rc) {
		o->subject = buf_bytes(&subject);
		o->path_length = a->path_length;
		rc = ca_cert_sign(&der, v, signer, o, why);
	}
	if (!rc)
		rc = ceremony_write_pem(
		        a->out, "CERTIFICATE", buf_bytes(&der), why);
	if (!rc && a->transcript)
		rc = write_root_transcript(
		        a, vault_at(v, signer), buf_bytes(&der), why);
	buf_free(&subject);
	buf_free(&der);
	return rc;
}

static enum rc make_root(const struct args *a, struct why *why)
{
	struct ca_cert_opts o = { 0 };
	struct vault *v = NULL;
	enum rc rc = vault_new(&v);

	if (!rc)
		rc = ceremony_load_key(v, "root", ceremony_key(a), why);
	if (!rc) {
		o.subject_spki = vault_at(v, 0)->spki;
		o.not_before_s = clock_now_s() - CEREMONY_BACKDATE_S;
		o.not_after_s = clock_now_s() + a->validity_s;
		rc = write_cert(a, v, 0, &o, why);
	}
	vault_free(v);
	return rc;
}

static enum rc make_authority(const struct args *a, struct why *why)
{
	struct ca_issuer *issuer = NULL;
	struct ca_cert_opts o = { 0 };
	struct vault *v = NULL;
	enum rc rc = vault_new(&v);

	if (!rc)
		rc = ceremony_load_key(
		        v, "issuer", ceremony_issuer_key(a), why);
	if (!rc)
		rc = ceremony_load_key(v, "key", ceremony_key(a), why);
	if (!rc)
		rc = ceremony_load_issuer(
		        &issuer, a->issuer_cert, vault_at(v, 0), why);
	if (!rc) {
		o.issuer = issuer;
		o.subject_spki = vault_at(v, 1)->spki;
		o.not_before_s = clock_now_s() - CEREMONY_BACKDATE_S;
		if (o.not_before_s < ca_issuer_not_before_s(issuer))
			o.not_before_s = ca_issuer_not_before_s(issuer);
		o.not_after_s = clock_now_s() + a->validity_s;
		rc = write_cert(a, v, 0, &o, why);
	}
	ca_issuer_free(issuer);
	vault_free(v);
	return rc;
}

static enum rc write_crl_transcript(const struct args *a,
        const struct ca_crl_opts *o, struct bytes der, struct why *why)
{
	struct buf t = BUF_INIT(TRANSCRIPT_MAX_BYTES);

	transcript_begin(&t, "mica-signer", "mica ceremony: a CRL is signed");
	transcript_section(&t, "By");
	transcript_name(&t, "Issuer:", ca_issuer_subject(o->issuer));
	transcript_file(&t, "Issuer's key:", a->issuer_key);
	transcript_sha256(&t, "Certificate SHA-256:", ca_issuer_der(o->issuer));
	if (o->before.n > 0)
		transcript_sha256(&t, "CRL before SHA-256:", o->before);
	transcript_file(&t, "Written to:", a->out);
	transcript_crl(&t, "CRL (DER; PEM below)", der);
	return ceremony_write_transcript(a->transcript, &t, why);
}

/* Served as it is, so in DER (RFC 5280 section 4.2.1.13). */
static enum rc write_crl(const struct args *a, struct vault *v,
        struct ca_crl_opts *o, struct why *why)
{
	struct buf list = BUF_INIT(CA_CRL_LIST_MAX_BYTES);
	struct buf before = BUF_INIT(CA_CRL_MAX_BYTES);
	struct buf der = BUF_INIT(CA_CRL_MAX_BYTES);
	enum rc rc = ceremony_read(a->revoked, &list, why);

	if (!rc && a->before)
		rc = ceremony_read(a->before, &before, why);
	if (!rc) {
		o->number = a->number;
		o->list = buf_bytes(&list);
		o->before = buf_bytes(&before);
		rc = ca_crl_sign(&der, v, 0, o, why);
	}
	if (!rc)
		rc = ceremony_write(a->out, 0644, buf_bytes(&der), why);
	if (!rc && a->transcript)
		rc = write_crl_transcript(a, o, buf_bytes(&der), why);
	buf_free(&list);
	buf_free(&before);
	buf_free(&der);
	return rc;
}

static enum rc make_crl(const struct args *a, struct why *why)
{
	struct ca_issuer *issuer = NULL;
	struct ca_crl_opts o = { .now_s = clock_now_s() };
	struct vault *v = NULL;
	enum rc rc = ceremony_absent(a->transcript, why);

	if (!rc)
		rc = vault_new(&v);
	if (!rc)
		rc = ceremony_load_key(
		        v, "issuer", ceremony_issuer_key(a), why);
	if (!rc)
		rc = ceremony_load_issuer(
		        &issuer, a->issuer_cert, vault_at(v, 0), why);
	if (!rc) {
		o.issuer = issuer;
		o.this_update_s = o.now_s - CEREMONY_BACKDATE_S;
		if (o.this_update_s < ca_issuer_not_before_s(issuer))
			o.this_update_s = ca_issuer_not_before_s(issuer);
		o.next_update_s = o.now_s + a->validity_s;
		rc = write_crl(a, v, &o, why);
	}
	ca_issuer_free(issuer);
	vault_free(v);
	return rc;
}

/* How a key is got at, beside where it is. */
#define KEY_MAY (BIT(OPT_PASSPHRASE_FD) | BIT(OPT_MODULE) | BIT(OPT_AS))
#define ISSUER_MAY                                                             \
	(BIT(OPT_ISSUER_PASSPHRASE_FD) | BIT(OPT_ISSUER_MODULE) | BIT(OPT_AS))

static const struct operation {
	const char *name;
	uint32_t need, may;
	enum rc (*run)(const struct args *a, struct why *why);
} operations[] = {
	{ "make-key", BIT(OPT_OUT) | BIT(OPT_TYPE), BIT(OPT_PASSPHRASE_FD),
	        make_key },
	{ "create-key", BIT(OPT_KEY) | BIT(OPT_MODULE) | BIT(OPT_TYPE),
	        KEY_MAY | BIT(OPT_DECRYPT) | BIT(OPT_TRANSCRIPT) |
	                BIT(OPT_QUIET),
	        ceremony_create_key },
	{ "root",
	        BIT(OPT_KEY) | BIT(OPT_SUBJECT) | BIT(OPT_VALIDITY) |
	                BIT(OPT_OUT),
	        KEY_MAY | BIT(OPT_PATH_LENGTH) | BIT(OPT_TRANSCRIPT),
	        make_root },
	{ "authority",
	        BIT(OPT_ISSUER_KEY) | BIT(OPT_ISSUER_CERT) | BIT(OPT_KEY) |
	                BIT(OPT_SUBJECT) | BIT(OPT_VALIDITY) |
	                BIT(OPT_PATH_LENGTH) | BIT(OPT_OUT),
	        KEY_MAY | ISSUER_MAY, make_authority },
	{ "crl",
	        BIT(OPT_ISSUER_KEY) | BIT(OPT_ISSUER_CERT) | BIT(OPT_NUMBER) |
	                BIT(OPT_VALIDITY) | BIT(OPT_REVOKED) | BIT(OPT_OUT),
	        ISSUER_MAY | BIT(OPT_BEFORE) | BIT(OPT_TRANSCRIPT), make_crl },
	{ "request", BIT(OPT_KEY) | BIT(OPT_SUBJECT) | BIT(OPT_OUT),
	        KEY_MAY | BIT(OPT_PATH_LENGTH) | BIT(OPT_TRANSCRIPT),
	        ceremony_request },
	{ "sign",
	        BIT(OPT_ISSUER_KEY) | BIT(OPT_ISSUER_CERT) | BIT(OPT_REQUEST) |
	                BIT(OPT_VALIDITY) | BIT(OPT_OUT),
	        ISSUER_MAY | BIT(OPT_SUBJECT) | BIT(OPT_PATH_LENGTH) |
	                BIT(OPT_TRANSCRIPT) | BIT(OPT_YES) | BIT(OPT_CRL_URL) |
	                BIT(OPT_CA_ISSUERS_URL),
	        ceremony_sign },
	{ "cross",
	        BIT(OPT_ISSUER_KEY) | BIT(OPT_ISSUER_CERT) | BIT(OPT_CERT) |
	                BIT(OPT_OUT),
	        ISSUER_MAY | BIT(OPT_TRANSCRIPT), ceremony_cross },
	{ "check-key", BIT(OPT_KEY) | BIT(OPT_CERT), KEY_MAY,
	        ceremony_check_key },
};

static enum signer_exit status_of(enum rc rc)
{
	switch (rc) {
	case RC_OK:
		return SIGNER_EXIT_OK;
	case RC_NOCRED:
		return SIGNER_EXIT_PASSPHRASE;
	case RC_PERMISSION:
		return SIGNER_EXIT_PERMISSION;
	case RC_EXISTS:
		return SIGNER_EXIT_EXISTS;
	case RC_WEAKKEY:
	case RC_UNSUPPORTED:
	case RC_CONFLICT:
		return SIGNER_EXIT_KEY;
	case RC_CLOSED:
	case RC_UNAVAILABLE:
	case RC_BUSY:
		return SIGNER_EXIT_TOKEN;
	default:
		return SIGNER_EXIT_FAILED;
	}
}

static void complain(const char *operation, enum rc rc, const struct why *why)
{
	(void)fprintf(stderr, "mica-signer: %s: %s\n", operation,
	        why->text[0] ? why->text : rc_info(rc)->text);
}

static enum signer_exit run(const struct operation *op, int argc, char **argv)
{
	struct why why = WHY_NONE;
	struct args a;
	enum rc rc = args_read(&a, argc, argv, &why);
	enum signer_exit status = SIGNER_EXIT_USAGE;

	if (!rc)
		rc = args_check(&a, op->need, op->may, &why);
	if (!rc) {
		rc = op->run(&a, &why);
		status = status_of(rc);
	}
	if (rc)
		complain(op->name, rc, &why);
	args_free(&a);
	return status;
}

enum signer_exit ceremony(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++)
		if (strcmp(operations[i].name, argv[0]) == 0)
			return run(&operations[i], argc, argv);
	(void)fprintf(stderr,
	        "mica-signer: --ceremony: want make-key, create-key, root, "
	        "authority, "
	        "crl, request, sign, cross or check-key\n");
	return SIGNER_EXIT_USAGE;
}
