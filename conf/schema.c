#include "conf/schema.h"
#include "conf/value.h"

#include <stddef.h>
#include <string.h>

static const struct word log_levels[] = {
	{ "error", LOG_ERROR },
	{ "warn", LOG_WARN },
	{ "notice", LOG_NOTICE },
	{ "info", LOG_INFO },
	{ "debug", LOG_DEBUG },
	{ NULL, 0 },
};
static const struct word log_forms[] = {
	{ "text", LOG_TEXT },
	{ "json", LOG_JSON },
	{ NULL, 0 },
};
static const struct word paddings[] = {
	{ "pkcs1", CONF_PADDING_PKCS1 },
	{ "pss", CONF_PADDING_PSS },
	{ NULL, 0 },
};
static const struct word roles[] = {
	{ "auditor", CONF_ROLE_AUDITOR },
	{ "operator", CONF_ROLE_OPERATOR },
	{ "admin", CONF_ROLE_ADMIN },
	{ NULL, 0 },
};
static const struct word key_types[] = {
	{ "p256", CONF_KEY_P256 },
	{ "p384", CONF_KEY_P384 },
	{ "ed25519", CONF_KEY_ED25519 },
	{ "rsa2048", CONF_KEY_RSA2048 },
	{ "rsa3072", CONF_KEY_RSA3072 },
	{ "rsa4096", CONF_KEY_RSA4096 },
	{ NULL, 0 },
};
static const struct word new_keys[] = {
	{ "allowed", CONF_NEW_KEY_ALLOWED },
	{ "required", CONF_NEW_KEY_REQUIRED },
	{ NULL, 0 },
};
static const struct word ocsp_keys[] = {
	{ "responder", CONF_OCSP_RESPONDER },
	{ "ca", CONF_OCSP_CA },
	{ NULL, 0 },
};
static const struct word unissued[] = {
	{ "unknown", CONF_UNISSUED_UNKNOWN },
	{ "revoked", CONF_UNISSUED_REVOKED },
	{ NULL, 0 },
};
static const struct word allows[] = {
	{ "token", CONF_ALLOW_TOKEN },
	{ "idevid", CONF_ALLOW_IDEVID },
	{ "renewal", CONF_ALLOW_RENEWAL },
	{ NULL, 0 },
};
static const struct word approves[] = {
	{ "auto", CONF_APPROVE_AUTO },
	{ "manual", CONF_APPROVE_MANUAL },
	{ NULL, 0 },
};
static const struct word legacies[] = {
	{ "sha1", CONF_LEGACY_SHA1 },
	{ "des3", CONF_LEGACY_DES3 },
	{ "shared_challenge", CONF_LEGACY_SHARED_CHALLENGE },
	{ NULL, 0 },
};
/* RFC 5280 section 4.2.1.3 without keyCertSign and cRLSign: a profile makes no
 * authorities. What a word stands for is ca/profile's to say. */
static const struct word key_usages[] = {
	{ "digitalSignature", 0 },
	{ "nonRepudiation", 0 },
	{ "contentCommitment", 0 },
	{ "keyEncipherment", 0 },
	{ "dataEncipherment", 0 },
	{ "keyAgreement", 0 },
	{ "encipherOnly", 0 },
	{ "decipherOnly", 0 },
	{ NULL, 0 },
};
static const struct word ekus[] = {
	{ "client_auth", 0 },
	{ "server_auth", 0 },
	{ "code_signing", 0 },
	{ "email_protection", 0 },
	{ "time_stamping", 0 },
	{ NULL, 0 },
};
/* Subject attributes by their names in der/oid.def. */
static const struct word attributes[] = {
	{ "CN", 0 },
	{ "serialNumber", 0 },
	{ "C", 0 },
	{ "ST", 0 },
	{ "L", 0 },
	{ "street", 0 },
	{ "postalCode", 0 },
	{ "O", 0 },
	{ "OU", 0 },
	{ "organizationIdentifier", 0 },
	{ "title", 0 },
	{ "SN", 0 },
	{ "GN", 0 },
	{ "name", 0 },
	{ "initials", 0 },
	{ "generationQualifier", 0 },
	{ "pseudonym", 0 },
	{ "dnQualifier", 0 },
	{ "UID", 0 },
	{ "DC", 0 },
	{ "emailAddress", 0 },
	{ "unstructuredName", 0 },
	{ "unstructuredAddress", 0 },
	{ NULL, 0 },
};

#define AT(type, field) .at = offsetof(struct type, field)
#define LIST(type, field, count)                                               \
	AT(type, field), .at_n = offsetof(struct type, count)

static const struct collection collections[COLLECTION_COUNT] = {
	[COLLECTION_KEYS] = { "keys.*", "key", sizeof(struct conf_key),
	        offsetof(struct conf, keys), offsetof(struct conf, n_keys),
	        true, false },
	[COLLECTION_AUTHORITIES] = { "authorities.*", "authority",
	        sizeof(struct conf_authority),
	        offsetof(struct conf, authorities),
	        offsetof(struct conf, n_authorities), true, true },
	[COLLECTION_PROFILES] = { "profiles.*", "profile",
	        sizeof(struct conf_profile), offsetof(struct conf, profiles),
	        offsetof(struct conf, n_profiles), true, false },
	[COLLECTION_CODE] = { "code.*", "code key", sizeof(struct conf_code),
	        offsetof(struct conf, code), offsetof(struct conf, n_code),
	        true, false },
	[COLLECTION_TRUST] = { "trust.*", "trust anchor",
	        sizeof(struct conf_anchor), offsetof(struct conf, anchors),
	        offsetof(struct conf, n_anchors), true, false },
	[COLLECTION_LABELS] = { "enroll.est[]", "label",
	        sizeof(struct conf_label), offsetof(struct conf, labels),
	        offsetof(struct conf, n_labels), false, false },
	[COLLECTION_SCEP] = { "enroll.scep[]", "label",
	        sizeof(struct conf_label), offsetof(struct conf, scep),
	        offsetof(struct conf, n_scep), false, false },
	[COLLECTION_ACCESS] = { "admin.access[]", "entry",
	        sizeof(struct conf_grantee), offsetof(struct conf, access),
	        offsetof(struct conf, n_access), false, false },
	[COLLECTION_EXTENSIONS] = { "profiles.*.extensions[]", "extension",
	        sizeof(struct conf_extension),
	        offsetof(struct conf_profile, extensions),
	        offsetof(struct conf_profile, n_extensions), false, false },
	[COLLECTION_CODE_ACCESS] = { "code.*.access[]", "entry",
	        sizeof(struct conf_grantee), offsetof(struct conf_code, access),
	        offsetof(struct conf_code, n_access), false, false },
};

static const struct row rows[] = {
#define OPTION(path, type, fallback, unit, meaning, ...) { __VA_ARGS__ },
#include "conf/schema.def"
#undef OPTION
};

static const struct conf_option options[] = {
#define OPTION(path, type, fallback, unit, meaning, ...)                       \
	{ path, type, fallback, unit, meaning },
#include "conf/schema.def"
#undef OPTION
};

const struct row *schema_rows(void)
{
	return rows;
}

const struct collection *schema_collections(void)
{
	return collections;
}

const struct word *schema_attributes(void)
{
	return attributes;
}

const struct word *schema_word(const struct word *words, const char *name)
{
	for (; words->name != NULL; words++) {
		if (strcmp(words->name, name) == 0)
			return words;
	}
	return NULL;
}

const struct conf_option *conf_options(size_t *n)
{
	*n = sizeof(options) / sizeof(options[0]);
	return options;
}
