/* Whether each authority's key is the one in its certificate: a wrong one would
 * be found out by the first signature, and CRLs and OCSP answers by those who
 * rely on them. And what keys are like while their token is away. */
#include "base/text.h"
#include "ca/authority.h"
#include "cmd/supervisor.h"
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

/* A key can be written in more than one way. */
static bool same_key(struct bytes a, struct bytes b)
{
	const unsigned char *pa = a.p, *pb = b.p;
	EVP_PKEY *ka, *kb;
	bool same;

	if (bytes_eq(a, b))
		return true;
	ka = d2i_PUBKEY(NULL, &pa, (long)a.n);
	kb = d2i_PUBKEY(NULL, &pb, (long)b.n);
	same = ka != NULL && kb != NULL && EVP_PKEY_eq(ka, kb) == 1;
	EVP_PKEY_free(ka);
	EVP_PKEY_free(kb);
	ERR_clear_error();
	return same;
}

static enum rc match(const struct authority *a,
        const struct proto_key_entry *keys, size_t n, struct why *why)
{
	const struct conf_authority *c = a->conf;

	for (size_t i = 0; i < n; i++) {
		if (strcmp(keys[i].name, c->key->name) != 0)
			continue;
		if (same_key(keys[i].spki, a->spki))
			return RC_OK;
		return why_set(why, RC_CONFIG,
		        "authority %s: key %s is not the one in its "
		        "certificate %s",
		        c->name, c->key->name, c->certificate.path);
	}
	return RC_OK; /* the policy that names it is refused */
}

enum rc key_match(const struct conf *conf, const struct proto_key_entry *keys,
        size_t n, struct why *why)
{
	struct authorities *a = NULL;
	enum rc rc = authorities_new(&a, conf, why);

	for (size_t i = 0; rc == RC_OK && i < authorities_count(a); i++)
		rc = match(authorities_at(a, i), keys, n, why);
	authorities_free(a);
	return rc;
}

static struct bytes said_of(
        struct proto_key_entry *keys, struct bytes said, const char *name)
{
	size_t n = 0;

	if (said.n == 0 ||
	        proto_key_list_unpack(keys, PROTO_KEYS_MAX, &n, said) != RC_OK)
		return BYTES_NONE;
	for (size_t i = 0; i < n; i++)
		if (strcmp(keys[i].name, name) == 0)
			return keys[i].spki;
	return BYTES_NONE;
}

static struct bytes certified(struct authorities *a, const char *name)
{
	for (size_t i = 0; i < authorities_count(a); i++)
		if (strcmp(authorities_at(a, i)->conf->key->name, name) == 0)
			return authorities_at(a, i)->spki;
	return BYTES_NONE;
}

void key_public(struct buf *out, const struct conf *conf, struct bytes said,
        const char *name)
{
	struct proto_key_entry *keys = calloc(PROTO_KEYS_MAX, sizeof(*keys));
	struct authorities *a = NULL;
	struct bytes spki = BYTES_NONE;

	if (keys != NULL)
		spki = said_of(keys, said, name);
	if (spki.n == 0 && authorities_new(&a, conf, NULL) == RC_OK)
		spki = certified(a, name);
	if (spki.n > 0)
		base64_encode(out, spki, 0);
	authorities_free(a);
	free(keys);
}
