#include "tests/unit/ca_world.h"
#include "ca/policy.h"
#include "ca/tbs_check.h"
#include <check.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CA_EXTS                                                                \
	"[ext]\nbasicConstraints=critical,CA:TRUE\n"                           \
	"keyUsage=critical,keyCertSign,cRLSign\n"                              \
	"subjectKeyIdentifier=hash\n"

EVP_PKEY *world_key(const char *type)
{
	EVP_PKEY *key;

	if (strncmp(type, "P-", 2) == 0)
		key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", type);
	else if (strcmp(type, "RSA") == 0)
		key = EVP_PKEY_Q_keygen(NULL, NULL, type, (size_t)2048);
	else
		key = EVP_PKEY_Q_keygen(NULL, NULL, type);
	ck_assert_ptr_nonnull(key);
	return key;
}

static struct buf take(unsigned char *der, int n)
{
	struct buf b = BUF_INIT(1 << 20);

	ck_assert_int_gt(n, 0);
	buf_add(&b, bytes_of(der, (size_t)n));
	OPENSSL_free(der);
	return b;
}

struct buf world_spki(EVP_PKEY *key)
{
	unsigned char *der = NULL;
	int n = i2d_PUBKEY(key, &der);

	return take(der, n);
}

struct buf world_der(X509 *x)
{
	unsigned char *der = NULL;
	int n = i2d_X509(x, &der);

	return take(der, n);
}

struct buf world_pem(X509 *x)
{
	struct buf b = BUF_INIT(1 << 20);
	BIO *bio = BIO_new(BIO_s_mem());
	char *p;
	long n;

	ck_assert_int_eq(PEM_write_bio_X509(bio, x), 1);
	n = BIO_get_mem_data(bio, &p);
	buf_add(&b, bytes_of(p, (size_t)n));
	BIO_free(bio);
	return b;
}

void world_add_exts(X509 *x, X509 *issuer, const char *exts)
{
	BIO *bio = BIO_new_mem_buf(exts, -1);
	CONF *conf = NCONF_new(NULL);
	X509V3_CTX ctx;
	long line;

	ck_assert_int_eq(NCONF_load_bio(conf, bio, &line), 1);
	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	X509V3_set_nconf(&ctx, conf);
	if (X509V3_EXT_add_nconf(conf, &ctx, "ext", x) != 1)
		ck_abort_msg("%s: %s", exts,
		        ERR_reason_error_string(ERR_get_error()));
	NCONF_free(conf);
	BIO_free(bio);
}

X509 *world_ca(EVP_PKEY *key, const char *cn, X509 *issuer,
        EVP_PKEY *issuer_key, const char *exts)
{
	X509 *x = X509_new();
	X509_NAME *name = X509_get_subject_name(x);

	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	ASN1_TIME_set(X509_getm_notBefore(x), WORLD_NOW_S - 86400);
	ASN1_TIME_adj(X509_getm_notAfter(x), WORLD_NOW_S, WORLD_CA_DAYS, 0);
	X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8,
	        (const unsigned char *)"Example Meters", -1, -1, 0);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
	        (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(
	        x, X509_get_subject_name(issuer != NULL ? issuer : x));
	X509_set_pubkey(x, key);
	world_add_exts(x, issuer != NULL ? issuer : x, exts);
	ck_assert_int_gt(
	        X509_sign(x, issuer_key != NULL ? issuer_key : key,
	                EVP_PKEY_is_a(issuer_key ? issuer_key : key, "ED25519")
	                        ? NULL
	                        : EVP_sha256()),
	        0);
	return x;
}

void world_begin(struct world *w, const char *type)
{
	memset(w, 0, sizeof *w);
	w->root_key = world_key("P-256");
	w->ca_key = world_key(type);
	w->root = world_ca(w->root_key, "Root", NULL, NULL, CA_EXTS);
	w->ca = world_ca(w->ca_key, "Factory", w->root, w->root_key,
	        CA_EXTS "authorityKeyIdentifier=keyid\n");
	w->root_pem = world_pem(w->root);
	w->ca_pem = world_pem(w->ca);
	ck_assert_int_eq(digest_new(&w->digest), RC_OK);
}

void world_end(struct world *w)
{
	world_unload(w);
	digest_free(w->digest);
	buf_free(&w->root_pem);
	buf_free(&w->ca_pem);
	X509_free(w->root);
	X509_free(w->ca);
	EVP_PKEY_free(w->root_key);
	EVP_PKEY_free(w->ca_key);
}

const char *world_yaml(const char *profiles, const char *extra)
{
	static char yaml[16384];

	snprintf(yaml, sizeof yaml,
	        "store: { lmdb: { path: store } }\n"
	        "listen: { est: { authority: factory,\n"
	        "  names: [est.example.com, 192.0.2.1] } }\n"
	        "keys: { factory: { file: factory.key } }\n"
	        "authorities:\n"
	        "  factory:\n"
	        "    certificate: ca.pem\n"
	        "    chain: root.pem\n"
	        "    key: factory\n"
	        "%s"
	        "profiles:\n%s",
	        extra, profiles);
	return yaml;
}

static enum rc read_pem(
        void *ctx, const char *path, struct buf *out, struct why *why)
{
	struct world *w = ctx;

	(void)why;
	buf_add(out,
	        buf_bytes(strstr(path, "root.pem") != NULL ? &w->root_pem
	                                                   : &w->ca_pem));
	return out->failed;
}

enum rc world_load(struct world *w, const char *yaml, struct why *why)
{
	struct conf_errors *errors = calloc(1, sizeof *errors);
	enum rc rc;

	world_unload(w);
	rc = conf_load(
	        &w->conf, "mica.yaml", bytes_str(yaml), read_pem, w, errors);
	if (rc != RC_OK)
		ck_abort_msg(
		        "%s: %s", errors->list[0].path, errors->list[0].text);
	free(errors);
	rc = authorities_new(&w->authorities, w->conf, why);
	if (rc == RC_OK)
		rc = profiles_new(&w->profiles, w->conf, w->authorities, why);
	return rc;
}

void world_unload(struct world *w)
{
	profiles_free(w->profiles);
	authorities_free(w->authorities);
	conf_free(w->conf);
	w->profiles = NULL;
	w->authorities = NULL;
	w->conf = NULL;
}

void world_profiles(struct world *w, const char *profiles, const char *extra)
{
	struct why why = WHY_NONE;
	enum rc rc = world_load(w, world_yaml(profiles, extra), &why);

	if (rc != RC_OK)
		ck_abort_msg("%s: %s", rc_info(rc)->name, why.text);
}

struct authority *world_authority(struct world *w)
{
	return authorities_find(w->authorities, "factory");
}

const struct profile *world_profile(struct world *w, const char *name)
{
	const struct conf_profile *c = conf_profile(w->conf, name);

	ck_assert_ptr_nonnull(c);
	return profiles_find(w->profiles, world_authority(w), c);
}

static bool is_held(void *ctx, struct bytes name, struct bytes spki)
{
	(void)name;
	(void)spki;
	return *(bool *)ctx;
}

enum rc world_policy_says(struct world *w, struct bytes tbs, int64_t now_s,
        bool held, struct why *why)
{
	struct buf packed = BUF_INIT(TBS_POLICY_MAX_BYTES);
	const struct proto_policy_item *items;
	struct tbs_policy *policy;
	struct policy_set *set;
	enum rc rc;
	size_t n;

	ck_assert_int_eq(
	        policy_compile(&set, w->conf, w->authorities, w->profiles, why),
	        RC_OK);
	items = policy_items(set, &n);
	ck_assert_uint_ge(n, 1);
	ck_assert_str_eq(items[0].key, "factory");
	tbs_policy_pack(&packed, items[0].policy);
	ck_assert_msg(
	        tbs_policy_unpack(&policy, buf_bytes(&packed), why) == RC_OK,
	        "%s", why->text);
	rc = tbs_check(policy, tbs, now_s, is_held, &held, why);
	tbs_policy_free(policy);
	policy_free(set);
	buf_free(&packed);
	return rc;
}
