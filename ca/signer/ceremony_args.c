/* ca/signer/ceremony_args.c - the arguments of mica-signer --ceremony. */
#include "ca/signer/ceremony_args.h"

#include "base/text.h"
#include "ca/signer/ca_cert.h"
#include "der/oid.h"

#include <getopt.h>
#include <limits.h>
#include <string.h>

#define DAY_S INT64_C(86400)
#define YEAR_DAYS 365
#define VALIDITY_MAX_DAYS (100 * YEAR_DAYS)
#define PATH_LENGTH_MAX 16
#define REPEATED (BIT(OPT_SUBJECT) | BIT(OPT_CRL_URL) | BIT(OPT_CA_ISSUERS_URL))

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
	{ "cert", required_argument, NULL, OPT_CERT },
	{ "request", required_argument, NULL, OPT_REQUEST },
	{ "transcript", required_argument, NULL, OPT_TRANSCRIPT },
	{ "yes", no_argument, NULL, OPT_YES },
	{ "module", required_argument, NULL, OPT_MODULE },
	{ "issuer-module", required_argument, NULL, OPT_ISSUER_MODULE },
	{ "decrypt", no_argument, NULL, OPT_DECRYPT },
	{ "as", required_argument, NULL, OPT_AS },
	{ "quiet", no_argument, NULL, OPT_QUIET },
	{ "crl-url", required_argument, NULL, OPT_CRL_URL },
	{ "ca-issuers-url", required_argument, NULL, OPT_CA_ISSUERS_URL },
	{ "before", required_argument, NULL, OPT_BEFORE },
	{ NULL, 0, NULL, 0 },
};

static const struct key_kind kinds[] = {
	{ "p256", KEY_P256, 0 },
	{ "p384", KEY_P384, 0 },
	{ "ed25519", KEY_ED25519, 0 },
	{ "rsa2048", KEY_RSA, 2048 },
	{ "rsa3072", KEY_RSA, 3072 },
	{ "rsa4096", KEY_RSA, 4096 },
};

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

/* "104:111" */
static enum rc read_ids(struct args *a, const char *text, struct why *why)
{
	struct bytes uid, gid;
	uint64_t u, g;

	if (!bytes_cut(bytes_str(text), ':', &uid, &gid) ||
	        text_u64(uid, UINT32_MAX - 1, &u) ||
	        text_u64(gid, UINT32_MAX - 1, &g))
		return why_set(why, RC_MALFORMED, "--as: want UID:GID");
	a->uid = (uid_t)u;
	a->gid = (gid_t)g;
	return RC_OK;
}

static enum rc apply(struct args *a, int id, const char *text, struct why *why)
{
	if (id < OPT_OUT || id >= OPT_COUNT)
		return why_set(why, RC_MALFORMED, "unknown option");
	if ((a->given & BIT(id)) && !(REPEATED & BIT(id)))
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
	case OPT_BEFORE:
		a->before = text;
		break;
	case OPT_CERT:
		a->cert = text;
		break;
	case OPT_REQUEST:
		a->request = text;
		break;
	case OPT_MODULE:
		a->module = text;
		break;
	case OPT_ISSUER_MODULE:
		a->issuer_module = text;
		break;
	case OPT_TRANSCRIPT:
		a->transcript = text;
		break;
	case OPT_AS:
		return read_ids(a, text, why);
	case OPT_CRL_URL:
		return why_prefix(
		        why, ca_urls_add(&a->crls, text, why), "--crl-url");
	case OPT_CA_ISSUERS_URL:
		return why_prefix(why, ca_urls_add(&a->issuers, text, why),
		        "--ca-issuers-url");
	case OPT_NUMBER:
		return read_number(a, text, why);
	case OPT_PATH_LENGTH:
		return read_int(text, 0, PATH_LENGTH_MAX, &a->path_length,
		        "path-length", why);
	}
	return RC_OK;
}

enum rc args_read(struct args *a, int argc, char **argv, struct why *why)
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

enum rc args_check(
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

void args_free(struct args *a)
{
	buf_free(&a->subject_oids);
}
