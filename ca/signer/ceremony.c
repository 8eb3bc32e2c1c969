/* ca/signer/ceremony.c - the operations of mica-signer --ceremony. */
#include "ca/signer/ceremony.h"

#include "base/clock.h"
#include "base/text.h"
#include "ca/signer/ca_cert.h"
#include "ca/signer/ca_crl.h"
#include "ca/signer/ceremony_file.h"
#include "der/name.h"
#include "der/oid.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* Below the 5 minutes that certificates are backdated by, and a device's
 * skewed clock, the CA must be valid already. */
#define BACKDATE_S 3600
#define DAY_S INT64_C(86400)
#define YEAR_DAYS 365
#define VALIDITY_MAX_DAYS (100 * YEAR_DAYS)
#define PATH_LENGTH_MAX 16

enum option_id {
	OPT_OUT = 1,
	OPT_TYPE,
	OPT_PASSPHRASE_FD,
	OPT_KEY,
	OPT_ISSUER_KEY,
	OPT_ISSUER_PASSPHRASE_FD,
	OPT_ISSUER_CERT,
	OPT_SUBJECT,
	OPT_VALIDITY,
	OPT_PATH_LENGTH,
	OPT_NUMBER,
	OPT_REVOKED,
	OPT_COUNT,
};
#define BIT(id) (UINT32_C(1) << (id))

static const struct option options[] = {
	{ "out", required_argument, NULL, OPT_OUT },
	{ "type", required_argument, NULL, OPT_TYPE },
	{ "passphrase-fd", required_argument, NULL, OPT_PASSPHRASE_FD },
	{ "key", required_argument, NULL, OPT_KEY },
	{ "issuer-key", required_argument, NULL, OPT_ISSUER_KEY },
	{ "issuer-passphrase-fd", required_argument, NULL,
	        OPT_ISSUER_PASSPHRASE_FD },
	{ "issuer-cert", required_argument, NULL, OPT_ISSUER_CERT },
	{ "subject", required_argument, NULL, OPT_SUBJECT },
	{ "validity", required_argument, NULL, OPT_VALIDITY },
	{ "path-length", required_argument, NULL, OPT_PATH_LENGTH },
	{ "number", required_argument, NULL, OPT_NUMBER },
	{ "revoked", required_argument, NULL, OPT_REVOKED },
	{ NULL, 0, NULL, 0 },
};

struct key_kind {
	const char *name;
	enum key_type type;
	unsigned bits;
};
static const struct key_kind kinds[] = {
	{ "p256", KEY_P256, 0 },
	{ "p384", KEY_P384, 0 },
	{ "ed25519", KEY_ED25519, 0 },
	{ "rsa2048", KEY_RSA, 2048 },
	{ "rsa3072", KEY_RSA, 3072 },
	{ "rsa4096", KEY_RSA, 4096 },
};

struct args {
	uint32_t given; /* BIT()s */
	const char *out, *key, *issuer_key, *issuer_cert, *revoked;
	const struct key_kind *kind;
	int passphrase_fd, issuer_passphrase_fd;
	struct buf subject_oids; /* what parts' OIDs point into, at the end */
	struct name_part parts[NAME_ATTRS_MAX];
	size_t oid_at[NAME_ATTRS_MAX];
	size_t n_parts;
	int64_t validity_s;
	int path_length;
	uint64_t number;
};

/* --- arguments */

/* ATTRIBUTE=VALUE, by the attribute's name or OID. */
static enum rc read_part(struct args *a, const char *text, struct why *why)
{
	struct name_part *part = &a->parts[a->n_parts];
	struct bytes type, value;
	enum rc rc;

	if (a->n_parts == NAME_ATTRS_MAX ||
	        !bytes_cut(bytes_str(text), '=', &type, &value))
		return why_set(why, RC_MALFORMED,
		        "--subject: want ATTRIBUTE=VALUE, at most %d of them",
		        NAME_ATTRS_MAX);
	a->oid_at[a->n_parts] = a->subject_oids.n;
	rc = oid_parse_any(&a->subject_oids, type, why);
	if (rc)
		return why_prefix(why, rc, "--subject");
	part->text = value;
	a->n_parts++;
	return RC_OK;
}

/* The OIDs stand still only now. */
static void settle_parts(struct args *a)
{
	for (size_t i = 0; i < a->n_parts; i++) {
		size_t end = i + 1 < a->n_parts ? a->oid_at[i + 1]
		                                : a->subject_oids.n;

		a->parts[i].oid = bytes_slice(buf_bytes(&a->subject_oids),
		        a->oid_at[i], end - a->oid_at[i]);
	}
}

/* "90d", "20y" */
static enum rc read_validity(struct args *a, const char *text, struct why *why)
{
	struct bytes t = bytes_str(text);
	uint64_t n = 0, unit = 1;
	enum rc rc = RC_MALFORMED;

	if (t.n > 1 && t.p[t.n - 1] == 'y')
		unit = YEAR_DAYS;
	if (t.n > 1 && (unit > 1 || t.p[t.n - 1] == 'd'))
		rc = text_u64(bytes_slice(t, 0, t.n - 1),
		        VALIDITY_MAX_DAYS / unit, &n);
	if (rc || n == 0)
		return why_set(why, RC_MALFORMED,
		        "--validity: want days or years as in 90d or 20y, at "
		        "most %d years",
		        VALIDITY_MAX_DAYS / YEAR_DAYS);
	a->validity_s = (int64_t)(n * unit) * DAY_S;
	return RC_OK;
}

static enum rc read_kind(struct args *a, const char *text, struct why *why)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (strcmp(kinds[i].name, text) == 0) {
			a->kind = &kinds[i];
			return RC_OK;
		}
	}
	return why_set(why, RC_MALFORMED,
	        "--type: want p256, p384, ed25519, rsa2048, rsa3072 or "
	        "rsa4096");
}

static enum rc read_int(const char *text, int min, int max, int *out,
        const char *what, struct why *why)
{
	uint64_t n;

	if (text_u64(bytes_str(text), (uint64_t)max, &n) || (int)n < min)
		return why_set(why, RC_MALFORMED,
		        "--%s: want a number from %d to %d", what, min, max);
	*out = (int)n;
	return RC_OK;
}

static enum rc read_number(struct args *a, const char *text, struct why *why)
{
	if (text_u64(bytes_str(text), INT64_MAX, &a->number) || a->number == 0)
		return why_set(why, RC_MALFORMED,
		        "--number: want one above that of the CRL before");
	return RC_OK;
}

static enum rc apply(struct args *a, int id, const char *text, struct why *why)
{
	if (id < OPT_OUT || id >= OPT_COUNT)
		return why_set(why, RC_MALFORMED, "unknown option");
	if ((a->given & BIT(id)) && id != OPT_SUBJECT)
		return why_set(why, RC_MALFORMED, "--%s: given twice",
		        options[id - OPT_OUT].name);
	a->given |= BIT(id);
	switch (id) {
	case OPT_OUT:
		a->out = text;
		break;
	case OPT_KEY:
		a->key = text;
		break;
	case OPT_ISSUER_KEY:
		a->issuer_key = text;
		break;
	case OPT_ISSUER_CERT:
		a->issuer_cert = text;
		break;
	case OPT_TYPE:
		return read_kind(a, text, why);
	case OPT_PASSPHRASE_FD:
		return read_int(text, 0, INT_MAX, &a->passphrase_fd,
		        "passphrase-fd", why);
	case OPT_ISSUER_PASSPHRASE_FD:
		return read_int(text, 0, INT_MAX, &a->issuer_passphrase_fd,
		        "issuer-passphrase-fd", why);
	case OPT_SUBJECT:
		return read_part(a, text, why);
	case OPT_VALIDITY:
		return read_validity(a, text, why);
	case OPT_REVOKED:
		a->revoked = text;
		break;
	case OPT_NUMBER:
		return read_number(a, text, why);
	case OPT_PATH_LENGTH:
		return read_int(text, 0, PATH_LENGTH_MAX, &a->path_length,
		        "path-length", why);
	}
	return RC_OK;
}

static enum rc read_args(struct args *a, int argc, char **argv, struct why *why)
{
	enum rc rc = RC_OK;
	int id;

	*a = (struct args){ .passphrase_fd = -1,
		.issuer_passphrase_fd = -1,
		.path_length = CA_CERT_NO_PATH_LENGTH,
		.subject_oids = BUF_INIT(NAME_ATTRS_MAX * DER_OID_MAX_BYTES) };
	opterr = 0;
	while (!rc && (id = getopt_long(argc, argv, "", options, NULL)) != -1)
		rc = apply(a, id, optarg, why);
	if (!rc && optind != argc)
		rc = why_set(why, RC_MALFORMED, "an argument too many");
	settle_parts(a);
	return rc;
}

static enum rc check_args(
        const struct args *a, uint32_t need, uint32_t may, struct why *why)
{
	for (int id = OPT_OUT; id < OPT_COUNT; id++) {
		const char *name = options[id - OPT_OUT].name;

		if ((need & BIT(id)) && !(a->given & BIT(id)))
			return why_set(
			        why, RC_MALFORMED, "--%s: is missing", name);
		if ((a->given & BIT(id)) && !((need | may) & BIT(id)))
			return why_set(why, RC_MALFORMED,
			        "--%s: not for this operation", name);
	}
	return RC_OK;
}

/* --- operations */

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

static enum rc load_key(struct vault *v, const char *name, const char *path,
        int passphrase_fd, struct why *why)
{
	struct buf text = BUF_INIT(VAULT_PASSPHRASE_MAX_BYTES);
	struct buf pem = BUF_INIT(VAULT_FILE_MAX_BYTES);
	struct bytes passphrase;
	enum rc rc = RC_OK;

	if (passphrase_fd >= 0)
		rc = ceremony_read_passphrase(passphrase_fd, &text, why);
	if (!rc)
		rc = ceremony_read_secret(path, &pem, why);
	if (!rc) {
		passphrase = buf_bytes(&text);
		rc = why_prefix(why,
		        vault_add(v, name, buf_bytes(&pem),
		                passphrase_fd >= 0 ? &passphrase : NULL, why),
		        "%s", path);
	}
	buf_wipe(&text);
	buf_wipe(&pem);
	return rc;
}

static enum rc load_issuer(struct ca_issuer **out, const char *path,
        const struct vault_key *key, struct why *why)
{
	struct buf pem = BUF_INIT(CA_CERT_MAX_BYTES);
	enum rc rc = ceremony_read(path, &pem, why);

	if (!rc)
		rc = ca_issuer_parse(out, buf_bytes(&pem), key, why);
	buf_free(&pem);
	return rc;
}

static enum rc write_cert(const struct args *a, struct vault *v, size_t signer,
        struct ca_cert_opts *o, struct why *why)
{
	struct buf subject = BUF_INIT(NAME_MAX_BYTES);
	struct buf der = BUF_INIT(CA_CERT_MAX_BYTES);
	struct buf pem = BUF_INIT(2 * CA_CERT_MAX_BYTES);
	enum rc rc = name_write(&subject, a->parts, a->n_parts, why);

	if (!rc) {
		o->subject = buf_bytes(&subject);
		o->path_length = a->path_length;
		rc = ca_cert_sign(&der, v, signer, o, why);
	}
	if (!rc)
		rc = ceremony_pem(&pem, "CERTIFICATE", buf_bytes(&der));
	if (!rc)
		rc = ceremony_write(a->out, 0644, buf_bytes(&pem), why);
	buf_free(&subject);
	buf_free(&der);
	buf_free(&pem);
	return rc;
}

static enum rc make_root(const struct args *a, struct why *why)
{
	struct ca_cert_opts o = { 0 };
	struct vault *v = NULL;
	enum rc rc = vault_new(&v);

	if (!rc)
		rc = load_key(v, "root", a->key, a->passphrase_fd, why);
	if (!rc) {
		o.subject_key = vault_at(v, 0);
		o.not_before_s = clock_now_s() - BACKDATE_S;
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
		rc = load_key(v, "issuer", a->issuer_key,
		        a->issuer_passphrase_fd, why);
	if (!rc)
		rc = load_key(v, "key", a->key, a->passphrase_fd, why);
	if (!rc)
		rc = load_issuer(&issuer, a->issuer_cert, vault_at(v, 0), why);
	if (!rc) {
		o.issuer = issuer;
		o.subject_key = vault_at(v, 1);
		o.not_before_s = clock_now_s() - BACKDATE_S;
		if (o.not_before_s < ca_issuer_not_before_s(issuer))
			o.not_before_s = ca_issuer_not_before_s(issuer);
		o.not_after_s = clock_now_s() + a->validity_s;
		rc = write_cert(a, v, 0, &o, why);
	}
	ca_issuer_free(issuer);
	vault_free(v);
	return rc;
}

/* Served as it is, so in DER (RFC 5280 section 4.2.1.13). */
static enum rc write_crl(const struct args *a, struct vault *v,
        struct ca_crl_opts *o, struct why *why)
{
	struct buf list = BUF_INIT(CA_CRL_LIST_MAX_BYTES);
	struct buf der = BUF_INIT(CA_CRL_MAX_BYTES);
	enum rc rc = ceremony_read(a->revoked, &list, why);

	if (!rc) {
		o->number = a->number;
		o->list = buf_bytes(&list);
		rc = ca_crl_sign(&der, v, 0, o, why);
	}
	if (!rc)
		rc = ceremony_write(a->out, 0644, buf_bytes(&der), why);
	buf_free(&list);
	buf_free(&der);
	return rc;
}

static enum rc make_crl(const struct args *a, struct why *why)
{
	struct ca_issuer *issuer = NULL;
	struct ca_crl_opts o = { .now_s = clock_now_s() };
	struct vault *v = NULL;
	enum rc rc = vault_new(&v);

	if (!rc)
		rc = load_key(v, "issuer", a->issuer_key,
		        a->issuer_passphrase_fd, why);
	if (!rc)
		rc = load_issuer(&issuer, a->issuer_cert, vault_at(v, 0), why);
	if (!rc) {
		o.issuer = issuer;
		o.this_update_s = o.now_s - BACKDATE_S;
		if (o.this_update_s < ca_issuer_not_before_s(issuer))
			o.this_update_s = ca_issuer_not_before_s(issuer);
		o.next_update_s = o.now_s + a->validity_s;
		rc = write_crl(a, v, &o, why);
	}
	ca_issuer_free(issuer);
	vault_free(v);
	return rc;
}

static const struct operation {
	const char *name;
	uint32_t need, may;
	enum rc (*run)(const struct args *a, struct why *why);
} operations[] = {
	{ "make-key", BIT(OPT_OUT) | BIT(OPT_TYPE), BIT(OPT_PASSPHRASE_FD),
	        make_key },
	{ "root",
	        BIT(OPT_KEY) | BIT(OPT_SUBJECT) | BIT(OPT_VALIDITY) |
	                BIT(OPT_OUT),
	        BIT(OPT_PASSPHRASE_FD) | BIT(OPT_PATH_LENGTH), make_root },
	{ "authority",
	        BIT(OPT_ISSUER_KEY) | BIT(OPT_ISSUER_CERT) | BIT(OPT_KEY) |
	                BIT(OPT_SUBJECT) | BIT(OPT_VALIDITY) |
	                BIT(OPT_PATH_LENGTH) | BIT(OPT_OUT),
	        BIT(OPT_PASSPHRASE_FD) | BIT(OPT_ISSUER_PASSPHRASE_FD),
	        make_authority },
	{ "crl",
	        BIT(OPT_ISSUER_KEY) | BIT(OPT_ISSUER_CERT) | BIT(OPT_NUMBER) |
	                BIT(OPT_VALIDITY) | BIT(OPT_REVOKED) | BIT(OPT_OUT),
	        BIT(OPT_ISSUER_PASSPHRASE_FD), make_crl },
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
	enum rc rc = read_args(&a, argc, argv, &why);
	enum signer_exit status = SIGNER_EXIT_USAGE;

	if (!rc)
		rc = check_args(&a, op->need, op->may, &why);
	if (!rc) {
		rc = op->run(&a, &why);
		status = status_of(rc);
	}
	if (rc)
		complain(op->name, rc, &why);
	buf_free(&a.subject_oids);
	return status;
}

enum signer_exit ceremony(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++)
		if (strcmp(operations[i].name, argv[0]) == 0)
			return run(&operations[i], argc, argv);
	(void)fprintf(stderr,
	        "mica-signer: --ceremony: want make-key, root, "
	        "authority or crl\n");
	return SIGNER_EXIT_USAGE;
}
