/* Compiling profiles: checks, then constant runs of DER. */
#include "ca/profile_parts.h"
#include "ca/profile_compile.h"
#include "ca/cert.h"
#include "der/alg.h"
#include "der/name.h"
#include "der/oid.h"
#include <stdlib.h>
#include <string.h>

/* The profiles that one authority may issue. */
struct group {
	const struct authority *authority;
	struct profile *list;
	size_t n;
	struct ocsp_profile ocsp;
	struct ra_profile ra;
};

struct profiles {
	struct group *groups;
	size_t n;
	struct est_profile est;
};

struct bytes oid_value_bytes(const struct oid_value *oid)
{
	return bytes_of(oid->b, oid->n);
}

static enum rc oid_value_set(
        struct oid_value *out, struct bytes text, struct why *why)
{
	struct buf b = BUF_INIT(sizeof out->b);
	enum rc rc = oid_parse_any(&b, text, why);

	if (rc == RC_OK) {
		memcpy(out->b, b.p, b.n);
		out->n = (uint8_t)b.n;
	}
	buf_free(&b);
	return rc == RC_OK || rc == RC_NOMEM ? rc : RC_CONFIG;
}

static enum rc compile_attr(struct profile *p, struct profile_attr *out,
        const struct conf_attribute *in, struct why *why)
{
	struct name_part part;
	enum rc rc = oid_value_set(&out->oid, bytes_str(in->type), why);

	if (rc == RC_OK)
		rc = template_parse(&out->text, in->value, why);
	if (rc == RC_OK && out->text.var == VAR_NONE) {
		part.oid = oid_value_bytes(&out->oid);
		part.text = out->text.head;
		rc = name_part_check(&part, why);
	}
	if (rc != RC_OK)
		return why_prefix(why, RC_CONFIG, "subject.%s", in->type);
	p->subject_vars |= VAR_BIT(out->text.var);
	return RC_OK;
}

static enum rc compile_subject(struct profile *p, struct why *why)
{
	struct name_part parts[PROFILE_SUBJECT_MAX];
	enum rc rc = RC_OK;
	size_t i;

	if (p->conf->n_subject > PROFILE_SUBJECT_MAX)
		return why_set(why, RC_CONFIG, "subject: over %d attributes",
		        PROFILE_SUBJECT_MAX);
	p->subject = calloc(p->conf->n_subject + 1, sizeof *p->subject);
	if (p->subject == NULL)
		return RC_NOMEM;
	p->n_subject = p->conf->n_subject;
	for (i = 0; i < p->n_subject && rc == RC_OK; i++) {
		rc = compile_attr(p, &p->subject[i], &p->conf->subject[i], why);
		parts[i].oid = oid_value_bytes(&p->subject[i].oid);
		parts[i].text = p->subject[i].text.head;
	}
	if (rc == RC_OK && (p->subject_vars & ~VAR_BIT(VAR_NONE)) == 0)
		rc = name_write(&p->subject_der, parts, p->n_subject, why);
	return rc;
}

/* "OID TEXT": always for a hardware module, by choice for a permanent
 * identifier (the text may have spaces of its own). */
static enum rc compile_san_oid(struct profile_san *out, const char **text,
        const char *value, struct why *why)
{
	struct bytes head, tail;
	bool cut = bytes_cut(bytes_str(value), ' ', &head, &tail);
	struct why ignored;
	enum rc rc;

	*text = value;
	if (out->kind != SAN_HARDWARE_MODULE && out->kind != SAN_PERMANENT_ID)
		return RC_OK;
	rc = cut ? oid_value_set(&out->oid, head, &ignored) : RC_CONFIG;
	if (rc == RC_OK)
		*text = (const char *)tail.p;
	else if (rc == RC_CONFIG && out->kind == SAN_PERMANENT_ID)
		rc = RC_OK;
	else if (rc == RC_CONFIG)
		why_set(why, rc, "\"%s\": not \"TYPE-OID SERIAL\"", value);
	return rc;
}

static enum san_kind san_kind_of(enum conf_san_kind kind)
{
	switch (kind) {
	case CONF_SAN_DNS:
		return SAN_DNS;
	case CONF_SAN_IP:
		return SAN_IP;
	case CONF_SAN_EMAIL:
		return SAN_EMAIL;
	case CONF_SAN_URI:
		return SAN_URI;
	case CONF_SAN_HARDWARE_MODULE:
		return SAN_HARDWARE_MODULE;
	case CONF_SAN_PERMANENT_ID:
		break;
	}
	return SAN_PERMANENT_ID;
}

static enum rc compile_san(struct profile *p, struct profile_san *out,
        const struct conf_san *in, struct why *why)
{
	struct buf probe = BUF_INIT(PROFILE_SAN_MAX_BYTES);
	const char *text;
	enum rc rc;

	out->kind = san_kind_of(in->kind);
	rc = compile_san_oid(out, &text, in->value, why);
	if (rc == RC_OK)
		rc = template_parse(&out->text, text, why);
	if (rc == RC_OK && out->text.var == VAR_NONE)
		rc = profile_put_san(&probe, out, out->text.head, why);
	buf_free(&probe);
	p->san_vars |= VAR_BIT(out->text.var);
	if (rc == RC_OK || rc == RC_NOMEM)
		return rc;
	return why_prefix(why, RC_CONFIG, "san");
}

static enum rc compile_sans(struct profile *p, struct why *why)
{
	enum rc rc = RC_OK;
	size_t i;

	if (p->conf->n_san > PROFILE_SAN_MAX)
		return why_set(why, RC_CONFIG, "san: over %d", PROFILE_SAN_MAX);
	p->san = calloc(p->conf->n_san + 1, sizeof *p->san);
	if (p->san == NULL)
		return RC_NOMEM;
	p->n_san = p->conf->n_san;
	for (i = 0; i < p->n_san && rc == RC_OK; i++)
		rc = compile_san(p, &p->san[i], &p->conf->san[i], why);
	return rc;
}

static const struct usage_name {
	const char *name;
	enum cert_usage bit;
} USAGES[] = {
	{ "digitalSignature", USAGE_DIGITAL_SIGNATURE },
	{ "nonRepudiation", USAGE_NON_REPUDIATION },
	{ "contentCommitment", USAGE_NON_REPUDIATION },
	{ "keyEncipherment", USAGE_KEY_ENCIPHERMENT },
	{ "dataEncipherment", USAGE_DATA_ENCIPHERMENT },
	{ "keyAgreement", USAGE_KEY_AGREEMENT },
	{ "encipherOnly", USAGE_ENCIPHER_ONLY },
	{ "decipherOnly", USAGE_DECIPHER_ONLY },
};

static uint32_t usage_find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof USAGES / sizeof *USAGES; i++)
		if (strcmp(USAGES[i].name, name) == 0)
			return USAGES[i].bit;
	return 0;
}

#define CONF_KEY_RSA (CONF_KEY_RSA2048 | CONF_KEY_RSA3072 | CONF_KEY_RSA4096)
#define CONF_KEY_EC (CONF_KEY_P256 | CONF_KEY_P384)

/* What a key can do: RSA signs and enciphers (RFC 3279 section 2.3.1), EC signs
 * and agrees (RFC 8813 section 3), Ed25519 signs (RFC 8410 section 5). */
static enum rc check_usage_fits(const struct profile *p, struct why *why)
{
	const uint32_t encipher =
	        USAGE_KEY_ENCIPHERMENT | USAGE_DATA_ENCIPHERMENT;
	const uint32_t agree = USAGE_KEY_AGREEMENT;
	const uint32_t only = USAGE_ENCIPHER_ONLY | USAGE_DECIPHER_ONLY;

	if ((p->key_usage & encipher) != 0 &&
	        (p->conf->keys & ~(uint32_t)CONF_KEY_RSA) != 0)
		return why_set(why, RC_CONFIG,
		        "key_usage: only RSA keys can encipher "
		        "(RFC 8813 section 3, RFC 8410 section 5)");
	if ((p->key_usage & agree) != 0 &&
	        (p->conf->keys & ~(uint32_t)CONF_KEY_EC) != 0)
		return why_set(why, RC_CONFIG,
		        "key_usage: only p256 and p384 keys can agree "
		        "(RFC 8410 section 5, RFC 3279 section 2.3.1)");
	if ((p->key_usage & only) != 0 && (p->key_usage & agree) == 0)
		return why_set(why, RC_CONFIG,
		        "key_usage: encipherOnly and decipherOnly mean "
		        "nothing without keyAgreement (RFC 5280 section "
		        "4.2.1.3)");
	return RC_OK;
}

static enum rc compile_usage(struct profile *p, struct why *why)
{
	size_t i;

	for (i = 0; i < p->conf->n_key_usage; i++) {
		uint32_t bit = usage_find(p->conf->key_usage[i]);

		if (bit == 0)
			return why_set(why, RC_CONFIG,
			        "key_usage: %s is not one that an end entity "
			        "may have (RFC 5280 section 4.2.1.3)",
			        p->conf->key_usage[i]);
		p->key_usage |= bit;
	}
	return check_usage_fits(p, why);
}

static const struct eku_name {
	const char *name;
	enum oid oid;
} EKUS[] = {
	{ "client_auth", OID_KP_CLIENT_AUTH },
	{ "server_auth", OID_KP_SERVER_AUTH },
	{ "code_signing", OID_KP_CODE_SIGNING },
	{ "email_protection", OID_KP_EMAIL_PROTECTION },
	{ "time_stamping", OID_KP_TIME_STAMPING },
	{ "ocsp_signing", OID_KP_OCSP_SIGNING },
};

/* Purposes that make their holder part of the authority: mica gives them to
 * keys that it holds itself, never to a device. */
static bool eku_is_ours(struct bytes oid)
{
	return oid_is(oid, OID_KP_OCSP_SIGNING) || oid_is(oid, OID_KP_CMC_RA) ||
	        oid_is(oid, OID_KP_CMC_CA) || oid_is(oid, OID_ANY_EKU);
}

static enum rc compile_eku(struct profile *p, struct oid_value *out,
        const char *name, struct why *why)
{
	size_t i;
	enum rc rc;

	for (i = 0; i < sizeof EKUS / sizeof *EKUS; i++)
		if (strcmp(EKUS[i].name, name) == 0)
			name = oid_dotted(EKUS[i].oid);
	rc = oid_value_set(out, bytes_str(name), why);
	if (rc != RC_OK)
		return why_prefix(why, rc, "eku");
	if (!p->system && eku_is_ours(oid_value_bytes(out)))
		return why_set(why, RC_CONFIG,
		        "eku: %s is for keys that mica itself holds", name);
	for (i = 0; i < p->n_eku; i++)
		if (bytes_eq(oid_value_bytes(&p->eku[i]), oid_value_bytes(out)))
			return why_set(
			        why, RC_CONFIG, "eku: %s stands twice", name);
	return RC_OK;
}

static enum rc compile_ekus(struct profile *p, struct why *why)
{
	enum rc rc = RC_OK;

	if (p->conf->n_eku > PROFILE_EKU_MAX)
		return why_set(why, RC_CONFIG, "eku: over %d", PROFILE_EKU_MAX);
	p->eku = calloc(p->conf->n_eku + 1, sizeof *p->eku);
	if (p->eku == NULL)
		return RC_NOMEM;
	for (p->n_eku = 0; p->n_eku < p->conf->n_eku && rc == RC_OK; p->n_eku++)
		rc = compile_eku(
		        p, &p->eku[p->n_eku], p->conf->eku[p->n_eku], why);
	return rc;
}

static enum rc compile(struct profile *p, struct why *why)
{
	enum rc rc;

	p->subject_der = BUF_INIT(PROFILE_SUBJECT_MAX_BYTES);
	p->run_issuer = BUF_INIT(PROFILE_RUN_MAX_BYTES);
	p->run_head = BUF_INIT(PROFILE_RUN_MAX_BYTES);
	p->run_tail = BUF_INIT(PROFILE_RUN_MAX_BYTES);
	rc = compile_subject(p, why);
	if (rc == RC_OK)
		rc = compile_sans(p, why);
	if (rc == RC_OK)
		rc = compile_usage(p, why);
	if (rc == RC_OK)
		rc = compile_ekus(p, why);
	if (rc == RC_OK)
		rc = profile_compile_runs(p, why);
	if (rc == RC_OK || rc == RC_NOMEM)
		return rc;
	return why_prefix(why, RC_CONFIG, "profiles.%s", p->conf->name);
}

static void profile_clear(struct profile *p)
{
	free(p->subject);
	free(p->san);
	free(p->eku);
	buf_free(&p->subject_der);
	buf_free(&p->run_issuer);
	buf_free(&p->run_head);
	buf_free(&p->run_tail);
}

static enum rc group_add(struct group *g, const struct conf_profile *conf,
        bool system, struct why *why)
{
	struct profile *p = &g->list[g->n++];

	p->conf = conf;
	p->authority = g->authority;
	p->system = system;
	return compile(p, why);
}

/* One for each key: to the signer they are different shapes. */
static enum rc group_add_code(
        struct group *g, const struct conf_code *code, struct why *why)
{
	struct profile *p = &g->list[g->n];
	enum rc rc = group_add(g, code->profile, false, why);

	p->code = code;
	if (rc == RC_OK && !profile_has_eku(p, oid_bytes(OID_KP_CODE_SIGNING)))
		rc = why_set(why, RC_CONFIG,
		        "code.%s.profile: profiles.%s has no code_signing in "
		        "its eku",
		        code->name, code->profile->name);
	return rc;
}

static enum rc group_add_ra(struct group *g, struct why *why)
{
	struct profile *p = &g->list[g->n];

	p->code = &g->ra.own;
	return group_add(g, &g->ra.conf, false, why);
}

static enum rc group_load(struct group *g, const struct profiles *all,
        const struct conf *conf, struct why *why)
{
	const struct conf_authority *a = g->authority->conf;
	enum rc rc = RC_OK;
	size_t i;

	ocsp_profile_init(&g->ocsp, a);
	ra_profile_init(&g->ra, a);
	g->list = calloc(a->n_profiles + conf->n_code + 3, sizeof *g->list);
	if (g->list == NULL)
		return RC_NOMEM;
	for (i = 0; i < a->n_profiles && rc == RC_OK; i++)
		rc = group_add(g, a->profiles[i], false, why);
	for (i = 0; i < conf->n_code && rc == RC_OK; i++)
		if (conf->code[i].authority == a)
			rc = group_add_code(g, &conf->code[i], why);
	if (rc == RC_OK && all->est.used && conf->listen.est_authority == a)
		rc = group_add(g, &all->est.conf, true, why);
	if (rc == RC_OK && g->ocsp.used)
		rc = group_add(g, &g->ocsp.conf, true, why);
	if (rc == RC_OK && g->ra.used)
		rc = group_add_ra(g, why);
	return rc;
}

enum rc profiles_new(struct profiles **out, const struct conf *conf,
        struct authorities *a, struct why *why)
{
	struct profiles *p = calloc(1, sizeof *p);
	enum rc rc;
	size_t i;

	*out = NULL;
	if (p == NULL)
		return RC_NOMEM;
	p->groups = calloc(authorities_count(a) + 1, sizeof *p->groups);
	rc = p->groups ? est_profile_init(&p->est, conf, why) : RC_NOMEM;
	for (i = 0; i < authorities_count(a) && rc == RC_OK; i++) {
		p->groups[i].authority = authorities_at(a, i);
		p->n = i + 1;
		rc = group_load(&p->groups[i], p, conf, why);
	}
	if (rc != RC_OK) {
		profiles_free(p);
		return rc;
	}
	*out = p;
	return RC_OK;
}

void profiles_free(struct profiles *p)
{
	size_t i, j;

	if (p == NULL)
		return;
	for (i = 0; i < p->n; i++) {
		for (j = 0; j < p->groups[i].n; j++)
			profile_clear(&p->groups[i].list[j]);
		free(p->groups[i].list);
	}
	free(p->groups);
	est_profile_clear(&p->est);
	free(p);
}

const struct profile *profiles_find(const struct profiles *p,
        const struct authority *a, const struct conf_profile *conf)
{
	size_t i, j;

	for (i = 0; i < p->n; i++) {
		if (p->groups[i].authority != a)
			continue;
		for (j = 0; j < p->groups[i].n; j++)
			if (p->groups[i].list[j].conf == conf)
				return &p->groups[i].list[j];
	}
	return NULL;
}

const struct profile *profiles_at(
        const struct profiles *p, const struct authority *a, size_t n)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		if (p->groups[i].authority == a && n < p->groups[i].n)
			return &p->groups[i].list[n];
	return NULL;
}

const struct conf_profile *profiles_ocsp(
        const struct profiles *p, const struct authority *a)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		if (p->groups[i].authority == a && p->groups[i].ocsp.used)
			return &p->groups[i].ocsp.conf;
	return NULL;
}

const struct conf_code *profiles_ra(
        const struct profiles *p, const struct authority *a)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		if (p->groups[i].authority == a && p->groups[i].ra.used)
			return &p->groups[i].ra.own;
	return NULL;
}

const struct conf_profile *profiles_est(const struct profiles *p)
{
	return p->est.used ? &p->est.conf : NULL;
}

const struct conf_profile *profile_conf(const struct profile *p)
{
	return p->conf;
}

const struct authority *profile_authority(const struct profile *p)
{
	return p->authority;
}

bool profile_identifies(const struct profile *p, struct bytes oid)
{
	size_t i;

	for (i = 0; i < p->n_subject; i++)
		if (p->subject[i].text.var != VAR_NONE &&
		        bytes_eq(oid_value_bytes(&p->subject[i].oid), oid))
			return true;
	return false;
}

uint16_t profile_shard(
        const struct profile *p, const uint8_t serial[SERIAL_BYTES])
{
	unsigned random = (unsigned)serial[SERIAL_BYTES - 2] << 8 |
	        serial[SERIAL_BYTES - 1];

	if (p->n_shard_at == 0)
		return 0;
	return (uint16_t)(1 + random % p->authority->conf->crl.shards);
}

int64_t profile_renew_from_s(const struct conf_profile *profile,
        int64_t not_before_s, int64_t not_after_s)
{
	int64_t span_s = not_after_s - not_before_s;

	if (profile->renew_from_permille > 0)
		return not_before_s +
		        span_s / 1000 * profile->renew_from_permille;
	return not_before_s + profile->renew_from_s;
}

bool profile_has_eku(const struct profile *p, struct bytes oid)
{
	size_t i;

	for (i = 0; i < p->n_eku; i++)
		if (bytes_eq(oid_value_bytes(&p->eku[i]), oid))
			return true;
	return false;
}
