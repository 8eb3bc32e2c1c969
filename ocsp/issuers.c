#include "ocsp/issuers.h"

#include "ca/cert.h"
#include "ca/digest.h"
#include "der/alg.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct issuers {
	struct issuer *list;
	size_t n;
	struct digest *digest;
};

static const size_t hash_bytes[CERTID_HASHES] = {
	[CERTID_SHA1] = DIGEST_SHA1_BYTES,
	[CERTID_SHA256] = DIGEST_SHA256_BYTES,
};

static enum rc hash_both(
        struct digest *d, struct bytes in, uint8_t out[CERTID_HASHES][32])
{
	enum rc rc = digest_sha1(d, in, out[CERTID_SHA1]);

	return rc != RC_OK ? rc : digest_sha256(d, in, out[CERTID_SHA256]);
}

/* --- earlier certificates of the same name and key */
static enum rc is_same(const struct issuer *i, struct bytes der, bool *same)
{
	struct why why;
	struct cert *c = malloc(sizeof(*c));
	enum rc rc = c == NULL ? RC_NOMEM : cert_parse(c, der, &why);

	*same = rc == RC_OK && bytes_eq(c->subject, i->authority->subject) &&
	        bytes_eq(c->spki, i->authority->spki);
	free(c);
	return rc == RC_NOMEM ? rc : RC_OK;
}

static enum rc add_earlier(struct issuers *l, struct store *s, uint32_t id)
{
	struct store_authority_get get = { .id = id,
		.der = BUF_INIT(STORE_DER_MAX_BYTES) };
	enum rc rc = store_authority_get(s, &get);
	bool same;

	for (size_t i = 0; rc == RC_OK && i < l->n; i++) {
		struct issuer *one = &l->list[i];

		rc = is_same(one, buf_bytes(&get.der), &same);
		if (rc == RC_OK && same && id != one->ids[0] &&
		        one->n_ids < ISSUER_IDS_MAX)
			one->ids[one->n_ids++] = id;
	}
	buf_free(&get.der);
	return rc;
}

static enum rc find_earlier(struct issuers *l, struct store *s)
{
	struct store_authority_list op = { .max = STORE_ROWS_MAX };
	enum rc rc;

	op.rows = calloc(op.max, sizeof(*op.rows));
	rc = op.rows == NULL ? RC_NOMEM : store_authority_list(s, &op);
	/* The newest first, should there be too many. */
	for (size_t i = rc == RC_OK ? op.n : 0; rc == RC_OK && i > 0; i--)
		rc = add_earlier(l, s, op.rows[i - 1].id);
	free(op.rows);
	/* An engine whose reads leave the loop cannot be asked here. */
	return rc == RC_PENDING ? RC_UNSUPPORTED : rc;
}

/* --- making one */
static enum rc fill(struct issuers *l, struct issuer *i, struct authority *a,
        struct why *why)
{
	struct spki spki;
	enum rc rc = spki_parse(&spki, a->spki, why);

	i->authority = a;
	i->ids[0] = a->id;
	i->n_ids = 1;
	i->cert = BUF_INIT(STORE_DER_MAX_BYTES);
	if (rc == RC_OK)
		rc = hash_both(l->digest, a->subject, i->name_hash);
	if (rc == RC_OK)
		rc = hash_both(l->digest, spki.key, i->key_hash);
	if (rc != RC_OK || a->conf->ocsp_key != CONF_OCSP_CA)
		return rc;
	(void)snprintf(i->key, sizeof(i->key), "%s", a->conf->key->name);
	memcpy(i->responder_hash, i->key_hash[CERTID_SHA1],
	        sizeof(i->responder_hash));
	i->sig_alg = a->sig_alg;
	i->not_after_s = a->not_after_s;
	return RC_OK;
}

enum rc issuers_new(struct issuers **out, struct authorities *a,
        struct store *s, struct why *why)
{
	struct issuers *l = calloc(1, sizeof(*l));
	size_t n = authorities_count(a);
	enum rc rc = RC_NOMEM;

	*out = NULL;
	if (l == NULL)
		return rc;
	l->list = calloc(n, sizeof(*l->list));
	if (l->list != NULL)
		rc = digest_new(&l->digest);
	for (; rc == RC_OK && l->n < n; l->n++) {
		l->list[l->n].index = (uint16_t)l->n;
		rc = fill(l, &l->list[l->n], authorities_at(a, l->n), why);
	}
	if (rc == RC_OK)
		rc = find_earlier(l, s);
	if (rc != RC_OK) {
		issuers_free(l);
		return rc;
	}
	*out = l;
	return RC_OK;
}

void issuers_free(struct issuers *l)
{
	if (l == NULL)
		return;
	for (size_t i = 0; i < l->n; i++)
		buf_free(&l->list[i].cert);
	digest_free(l->digest);
	free(l->list);
	free(l);
}

/* --- asking */
const struct issuer *issuers_find(
        const struct issuers *l, const struct certid *id)
{
	size_t n;

	if (id->hash == CERTID_OTHER)
		return NULL;
	n = hash_bytes[id->hash];
	for (size_t i = 0; i < l->n; i++) {
		const struct issuer *one = &l->list[i];

		if (memcmp(one->key_hash[id->hash], id->key_hash.p, n) == 0 &&
		        memcmp(one->name_hash[id->hash], id->name_hash.p, n) ==
		                0)
			return one;
	}
	return NULL;
}

const struct issuer *issuers_by_id(const struct issuers *l, uint32_t id)
{
	for (size_t i = 0; i < l->n; i++)
		for (size_t k = 0; k < l->list[i].n_ids; k++)
			if (l->list[i].ids[k] == id)
				return &l->list[i];
	return NULL;
}

bool issuers_wait(const struct issuers *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->list[i].key[0] == '\0')
			return true;
	return false;
}

/* --- responders */
static enum rc take_cert(
        struct issuers *l, struct issuer *i, struct bytes der, struct why *why)
{
	struct cert *c = malloc(sizeof(*c));
	enum rc rc = c == NULL ? RC_NOMEM : cert_parse(c, der, why);
	uint8_t hash[DIGEST_SHA1_BYTES];
	struct spki spki;

	if (rc == RC_OK)
		rc = spki_parse(&spki, c->spki, why);
	if (rc == RC_OK && spki.type != KEY_P256)
		rc = why_set(why, RC_UNSUPPORTED, "responder: not a P-256 key");
	if (rc == RC_OK)
		rc = digest_sha1(l->digest, spki.key, hash);
	if (rc == RC_OK) {
		buf_reset(&i->cert);
		buf_add(&i->cert, der);
		rc = i->cert.failed;
	}
	if (rc == RC_OK) {
		memcpy(i->responder_hash, hash, sizeof(hash));
		i->sig_alg = alg_bytes(ALG_ECDSA_SHA256);
		i->not_after_s = c->not_after_s;
	}
	free(c);
	return rc;
}

enum rc issuers_set_responder(struct issuers *l, const char *authority,
        const char *key, struct bytes cert, struct why *why)
{
	for (size_t i = 0; i < l->n; i++) {
		struct issuer *one = &l->list[i];
		enum rc rc;

		if (strcmp(one->authority->conf->name, authority) != 0)
			continue;
		one->version++;
		rc = take_cert(l, one, cert, why);
		if (rc == RC_OK)
			(void)snprintf(one->key, sizeof(one->key), "%s", key);
		return rc;
	}
	return why_set(why, RC_NOTFOUND, "no authority %s", authority);
}
