/* tests/unit/ca_world.h - what tests of ca/ share: a root and an issuing CA made
 * on the spot by libcrypto, and a configuration that names them. */
#ifndef MICA_TESTS_UNIT_CA_WORLD_H
#define MICA_TESTS_UNIT_CA_WORLD_H

#include "ca/authority.h"
#include "ca/digest.h"
#include "ca/profile.h"
#include "ca/tbs.h"
#include <openssl/evp.h>
#include <openssl/x509.h>

#define WORLD_NOW_S INT64_C(1900000000) /* 2030-03-17 */
#define WORLD_CA_DAYS 3650

struct world {
	EVP_PKEY *root_key, *ca_key;
	X509 *root, *ca;
	struct buf root_pem, ca_pem;
	struct conf *conf;
	struct authorities *authorities;
	struct profiles *profiles;
	struct digest *digest;
};

/* Keys and certificates; valid from WORLD_NOW_S less a day. type is an
 * argument of EVP_PKEY_Q_keygen: "EC", "ED25519" or "RSA". */
void world_begin(struct world *w, const char *type);
void world_end(struct world *w);

/* A configuration whose profiles section is that text (indented by two), and
 * whose authority "factory" has, beside its files, the lines of extra. */
const char *world_yaml(const char *profiles, const char *extra);
/* Load, compile; a result other than RC_OK is returned with its clause. */
enum rc world_load(struct world *w, const char *yaml, struct why *why);
void world_unload(struct world *w);
/* As world_load; a mistake fails the test. */
void world_profiles(struct world *w, const char *profiles, const char *extra);

struct authority *world_authority(struct world *w);
const struct profile *world_profile(struct world *w, const char *name);

/* What the signer would say to that TBS under the policy that the profiles
 * compile to, there and back through its packed form. held: the TBS's key is
 * the signer's own. */
enum rc world_policy_says(struct world *w, struct bytes tbs, int64_t now_s,
        bool held, struct why *why);

EVP_PKEY *world_key(const char *type); /* a device's key */
/* SubjectPublicKeyInfo, DER; the caller frees it. */
struct buf world_spki(EVP_PKEY *key);
struct buf world_pem(X509 *x);
struct buf world_der(X509 *x);

/* A CA certificate for key, issued by issuer (NULL: itself). exts is a section
 * "ext" in openssl.cnf's language. */
X509 *world_ca(EVP_PKEY *key, const char *cn, X509 *issuer,
        EVP_PKEY *issuer_key, const char *exts);
/* Add a section "ext" of openssl.cnf's language. */
void world_add_exts(X509 *x, X509 *issuer, const char *exts);

#endif
