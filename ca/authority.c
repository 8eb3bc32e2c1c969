#include "ca/authority.h"
#include "ca/cert.h"
#include "ca/pem.h"
#include "der/alg.h"
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#define CHAIN_MAX 8 /* certificates above an authority */

struct ders { /* the certificates in a PEM file */
	struct buf der[CHAIN_MAX];
	struct bytes view[CHAIN_MAX];
	size_t n;
};

struct slot {
	struct authority a;
	struct buf der;
	struct ders chain, cross;
};

struct authorities {
	struct slot *slots;
	size_t n;
};

static enum rc sha256(struct bytes in, uint8_t out[STORE_HASH_BYTES])
{
	if (EVP_Digest(in.p, in.n, out, NULL, EVP_sha256(), NULL) == 1)
		return RC_OK;
	ERR_clear_error();
	return RC_INTERNAL;
}

/* What a key of that type signs with: the hash of its own strength. */
static enum sig_alg alg_of_key(enum key_type type, enum conf_padding padding)
{
	switch (type) {
	case KEY_P256:
		return ALG_ECDSA_SHA256;
	case KEY_P384:
		return ALG_ECDSA_SHA384;
	case KEY_P521:
		return ALG_ECDSA_SHA512;
	case KEY_ED25519:
		return ALG_ED25519;
	case KEY_RSA:
		return padding == CONF_PADDING_PSS ? ALG_RSA_PSS_SHA256
		                                   : ALG_RSA_SHA256;
	}
	return ALG_NONE;
}

/* RFC 5280 sections 4.2.1.9, 4.2.1.3 and 4.2.1.2: who may issue. */
static enum rc check_issues(const struct cert *c, const char *what,
        struct bytes *key_id, struct why *why)
{
	uint32_t usage;
	bool ca, present;
	enum rc rc = cert_is_ca(c, &ca, why);

	if (rc == RC_OK && !ca)
		return why_set(why, RC_CONFIG,
		        "%s is not a CA (RFC 5280 section 4.2.1.9)", what);
	if (rc == RC_OK)
		rc = cert_key_usage(c, &usage, &present, why);
	if (rc == RC_OK && present && !(usage & USAGE_KEY_CERT_SIGN))
		return why_set(why, RC_CONFIG,
		        "%s may not sign certificates (RFC 5280 section "
		        "4.2.1.3)",
		        what);
	if (rc == RC_OK)
		rc = cert_subject_key_id(c, key_id, why);
	if (rc == RC_OK && key_id->n == 0)
		return why_set(why, RC_CONFIG,
		        "%s has no subjectKeyIdentifier (RFC 5280 section "
		        "4.2.1.2)",
		        what);
	return rc;
}

/* What its CRLs may be, and say. */
static void read_crl_facts(struct authority *a, const struct cert *c)
{
	uint64_t path_len;
	uint32_t usage;
	bool present;

	a->signs_crls = cert_key_usage(c, &usage, &present, NULL) == RC_OK &&
	        (!present || (usage & USAGE_CRL_SIGN) != 0);
	a->issues_no_cas = cert_path_len(c, &path_len) && path_len == 0;
}

static enum rc read_facts(struct authority *a, struct why *why)
{
	struct spki spki;
	struct cert c;
	enum rc rc = cert_parse(&c, a->der, why);

	if (rc == RC_OK)
		rc = check_issues(&c, "certificate", &a->key_id, why);
	if (rc == RC_OK)
		rc = spki_parse(&spki, c.spki, why);
	if (rc != RC_OK)
		return rc;
	a->subject = c.subject;
	a->spki = c.spki;
	a->not_before_s = c.not_before_s;
	a->not_after_s = c.not_after_s;
	a->sig_alg = alg_bytes(alg_of_key(spki.type, a->conf->key->padding));
	read_crl_facts(a, &c);
	return sha256(a->der, a->cert_hash);
}

/* The only certificate in a PEM file. */
static enum rc read_one(
        struct buf *der, const struct conf_file *file, struct why *why)
{
	struct bytes text = file->content;
	size_t n;
	enum rc rc = pem_next(&text, "CERTIFICATE", der, why);

	if (rc == RC_NOTFOUND)
		return why_set(why, RC_CONFIG, "%s: no certificate in it",
		        file->path ? file->path : "certificate");
	if (rc != RC_OK)
		return rc;
	n = der->n;
	rc = pem_next(&text, "CERTIFICATE", der, why);
	if (rc == RC_NOTFOUND)
		return RC_OK;
	der->n = n;
	return why_set(why, RC_CONFIG,
	        "%s: one certificate belongs there; those above it go into "
	        "chain",
	        file->path ? file->path : "certificate");
}

static enum rc read_all(struct ders *out, const char *what,
        const struct conf_file *file, struct why *why)
{
	struct bytes text = file->content;
	enum rc rc;

	for (;;) {
		struct buf der = BUF_INIT(PEM_DER_MAX_BYTES);

		rc = pem_next(&text, "CERTIFICATE", &der, why);
		if (rc == RC_OK && out->n == CHAIN_MAX)
			rc = why_set(why, RC_TOOBIG, "%s: over %d of them",
			        what, CHAIN_MAX);
		if (rc != RC_OK) {
			buf_free(&der);
			return rc == RC_NOTFOUND ? RC_OK : rc;
		}
		out->der[out->n] = der;
		out->view[out->n++] = buf_bytes(&der);
	}
}

static void free_all(struct ders *d)
{
	for (size_t i = 0; i < d->n; i++)
		buf_free(&d->der[i]);
}

static X509 *x509_of(struct bytes der)
{
	const unsigned char *p = der.p;

	return d2i_X509(NULL, &p, (long)der.n);
}

/* One link by libcrypto: names, key identifiers, usages, signature. */
static enum rc check_link(
        struct bytes child, struct bytes parent, struct why *why)
{
	X509 *c = x509_of(child), *p = x509_of(parent);
	enum rc rc = RC_CONFIG;
	EVP_PKEY *key = p != NULL ? X509_get0_pubkey(p) : NULL;
	int issued;

	if (c == NULL || key == NULL) {
		why_set(why, rc, "a certificate that libcrypto cannot read");
		goto out;
	}
	issued = X509_check_issued(p, c);
	if (issued != X509_V_OK)
		why_set(why, rc, "%s", X509_verify_cert_error_string(issued));
	else if (X509_verify(c, key) != 1)
		why_set(why, rc, "the signature is not its issuer's");
	else
		rc = RC_OK;
out:
	ERR_clear_error();
	X509_free(c);
	X509_free(p);
	return rc;
}

static enum rc check_chain(const struct authority *a, struct why *why)
{
	struct bytes child = a->der;
	size_t i;

	for (i = 0; i < a->n_chain; i++) {
		enum rc rc = check_link(child, a->chain[i], why);

		if (rc != RC_OK)
			return why_prefix(
			        why, rc, "chain, certificate %zu", i + 1);
		child = a->chain[i];
	}
	return RC_OK;
}

static enum rc slot_load(
        struct slot *s, const struct conf_authority *conf, struct why *why)
{
	enum rc rc;

	s->a.conf = conf;
	s->der = BUF_INIT(2 * PEM_DER_MAX_BYTES);
	rc = read_one(&s->der, &conf->certificate, why);
	s->a.der = buf_bytes(&s->der);
	if (rc == RC_OK)
		rc = read_facts(&s->a, why);
	if (rc == RC_OK)
		rc = read_all(&s->chain, "chain", &conf->chain, why);
	if (rc == RC_OK)
		rc = read_all(&s->cross, "cross", &conf->cross, why);
	s->a.chain = s->chain.view;
	s->a.n_chain = s->chain.n;
	s->a.cross = s->cross.view;
	s->a.n_cross = s->cross.n;
	if (rc == RC_OK)
		rc = check_chain(&s->a, why);
	if (rc == RC_OK && conf->issuer_crl.path != NULL)
		rc = issuer_crl_read(&s->a.issuer_crl, &conf->issuer_crl,
		        s->a.n_chain > 0 ? s->a.chain[0] : BYTES_NONE, why);
	if (rc == RC_OK || rc == RC_NOMEM)
		return rc;
	return why_prefix(why, RC_CONFIG, "authorities.%s", conf->name);
}

/* Issuer name and serial number say which certificate is meant (RFC 5280
 * section 4.1.2.2), so two authorities may not share a key identifier and a
 * name: neither revocation nor renewal could tell them apart. */
static enum rc check_distinct(const struct authorities *a, struct why *why)
{
	size_t i, j;

	for (i = 0; i < a->n; i++) {
		for (j = 0; j < i; j++) {
			const struct authority *x = &a->slots[i].a;
			const struct authority *y = &a->slots[j].a;

			if (bytes_eq(x->subject, y->subject) &&
			        bytes_eq(x->key_id, y->key_id))
				return why_set(why, RC_CONFIG,
				        "authorities.%s: same name and key as "
				        "%s",
				        x->conf->name, y->conf->name);
		}
	}
	return RC_OK;
}

/* --- cross certificates (RFC 4210 section 4.4) */

/* The nth certificate of an authority's own way up; empty behind the last. */
static struct bytes way_up(const struct authority *a, size_t n)
{
	if (n == 0)
		return a->der;
	return n <= a->n_chain ? a->chain[n - 1] : BYTES_NONE;
}

static bool has_spki(struct bytes der, struct bytes spki)
{
	struct cert c;

	return cert_parse(&c, der, NULL) == RC_OK && bytes_eq(c.spki, spki);
}

struct crossing {
	bool known; /* for a key of the two generations' */
	bool links; /* by a certificate of theirs */
};

static void look_for(struct crossing *found, const struct authority *a,
        struct bytes der, const struct cert *c)
{
	struct bytes other;

	for (size_t n = 0; (other = way_up(a, n)).n > 0; n++) {
		found->known = found->known || has_spki(other, c->spki);
		found->links =
		        found->links || check_link(der, other, NULL) == RC_OK;
	}
}

static enum rc check_cross(const struct authority *a,
        const struct authority *before, struct why *why)
{
	for (size_t i = 0; i < a->n_cross; i++) {
		struct crossing found = { false, false };
		struct bytes key_id;
		struct cert c;
		enum rc rc = cert_parse(&c, a->cross[i], why);

		if (rc == RC_OK)
			rc = check_issues(&c, "it", &key_id, why);
		if (rc == RC_OK) {
			look_for(&found, a, a->cross[i], &c);
			look_for(&found, before, a->cross[i], &c);
		}
		if (rc == RC_OK && (!found.known || !found.links))
			rc = why_set(why, RC_CONFIG,
			        found.known ? "no generation has signed it"
			                    : "its key is of no generation");
		if (rc != RC_OK)
			return why_prefix(why, RC_CONFIG,
			        "authorities.%s: cross, certificate %zu",
			        a->conf->name, i + 1);
	}
	return RC_OK;
}

/* The configuration has made sure that this ends. */
static void find_firsts(struct authorities *a)
{
	for (size_t i = 0; i < a->n; i++) {
		const struct conf_authority *c = a->slots[i].a.conf;

		while (c->replaces != NULL)
			c = c->replaces;
		a->slots[i].a.first = authorities_find(a, c->name);
	}
}

static enum rc check_crosses(struct authorities *a, struct why *why)
{
	enum rc rc = RC_OK;

	for (size_t i = 0; rc == RC_OK && i < a->n; i++) {
		const struct conf_authority *c = a->slots[i].a.conf;

		if (c->replaces != NULL)
			rc = check_cross(&a->slots[i].a,
			        authorities_find(a, c->replaces->name), why);
	}
	return rc;
}

/* Our own CRLs stand under NAME.crl. */
static enum rc check_crl_names(const struct authorities *a, struct why *why)
{
	for (size_t i = 0; i < a->n * a->n; i++) {
		const char *name = a->slots[i / a->n].a.issuer_crl.name;
		const char *own = a->slots[i % a->n].a.conf->name;
		size_t n = strlen(own);

		if (name != NULL && strncmp(name, own, n) == 0 &&
		        strcmp(name + n, ".crl") == 0)
			return why_set(why, RC_CONFIG,
			        "authorities.%s: issuer_crl has the name of "
			        "%s's own CRL",
			        a->slots[i / a->n].a.conf->name, own);
	}
	return RC_OK;
}

enum rc authorities_new(
        struct authorities **out, const struct conf *conf, struct why *why)
{
	struct authorities *a = calloc(1, sizeof *a);
	enum rc rc = RC_OK;
	size_t i;

	*out = NULL;
	if (a == NULL)
		return RC_NOMEM;
	a->slots = calloc(conf->n_authorities + 1, sizeof *a->slots);
	if (a->slots == NULL)
		rc = RC_NOMEM;
	for (i = 0; i < conf->n_authorities && rc == RC_OK; i++) {
		a->n = i + 1;
		rc = slot_load(&a->slots[i], &conf->authorities[i], why);
	}
	if (rc == RC_OK)
		rc = check_distinct(a, why);
	if (rc == RC_OK)
		rc = check_crosses(a, why);
	if (rc == RC_OK)
		rc = check_crl_names(a, why);
	if (rc != RC_OK) {
		authorities_free(a);
		return rc;
	}
	find_firsts(a);
	*out = a;
	return RC_OK;
}

void authorities_free(struct authorities *a)
{
	size_t i;

	if (a == NULL)
		return;
	for (i = 0; i < a->n; i++) {
		buf_free(&a->slots[i].der);
		free_all(&a->slots[i].chain);
		free_all(&a->slots[i].cross);
		issuer_crl_free(&a->slots[i].a.issuer_crl);
	}
	free(a->slots);
	free(a);
}

size_t authorities_count(const struct authorities *a)
{
	return a->n;
}

struct authority *authorities_at(struct authorities *a, size_t i)
{
	return i < a->n ? &a->slots[i].a : NULL;
}

struct authority *authorities_find(struct authorities *a, const char *name)
{
	size_t i;

	for (i = 0; i < a->n; i++)
		if (strcmp(a->slots[i].a.conf->name, name) == 0)
			return &a->slots[i].a;
	return NULL;
}

struct authority *authorities_by_issuer(
        struct authorities *a, struct bytes issuer, struct bytes key_id)
{
	size_t i;

	for (i = 0; i < a->n; i++) {
		struct authority *one = &a->slots[i].a;

		if (bytes_eq(one->subject, issuer) &&
		        (key_id.n == 0 || bytes_eq(one->key_id, key_id)))
			return one;
	}
	return NULL;
}

static bool resolve_one(
        struct authority *a, const struct store_authority *rows, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (memcmp(rows[i].cert_hash, a->cert_hash,
		            sizeof a->cert_hash) != 0)
			continue;
		a->id = rows[i].id;
		a->version = rows[i].version;
		a->state = rows[i].state;
		return true;
	}
	return false;
}

enum rc authorities_resolve(
        struct authorities *a, struct store *s, struct why *why)
{
	struct store_authority_list op = { .max = STORE_ROWS_MAX };
	enum rc rc;
	size_t i;

	op.rows = calloc(op.max, sizeof *op.rows);
	if (op.rows == NULL)
		return RC_NOMEM;
	rc = store_authority_list(s, &op);
	if (rc == RC_PENDING) /* an engine whose reads leave the loop */
		rc = RC_UNSUPPORTED;
	if (rc != RC_OK)
		why_set(why, rc, "authorities: %s", op.op.why.text);
	for (i = 0; i < a->n && rc == RC_OK; i++)
		if (!resolve_one(&a->slots[i].a, op.rows, op.n))
			rc = why_set(why, RC_NOTFOUND,
			        "authority %s is not in the store yet",
			        a->slots[i].a.conf->name);
	free(op.rows);
	return rc;
}
