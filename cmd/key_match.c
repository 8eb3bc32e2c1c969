/* Whether each authority's key is the one in its certificate: a wrong one would
 * be found out by the first signature, and CRLs and OCSP answers by those who
 * rely on them. */
#include "ca/authority.h"
#include "cmd/supervisor.h"
#include <openssl/err.h>
#include <openssl/x509.h>
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
