#include "enroll/trust.h"

#include "base/buf.h"
#include "ca/cert.h"
#include "ca/pem.h"
#include "der/oid.h"
#include "der/reader.h"
#include "enroll/device.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

/* Of OpenSSL's levels: 112 bits, so no SHA-1 and no RSA below 2048. */
#define AUTH_LEVEL 2

struct anchor {
	const struct conf_anchor *conf;
	X509_STORE *store;
	size_t first, n;     /* its certificates among the trust's ders */
	struct buf identity; /* OID of the attribute, content octets */
};

struct generation {
	uint32_t id;
	char name[STORE_NAME_MAX + 1];
	struct bytes subject; /* borrowed from the anchors' DER */
};

struct trust {
	struct anchor *anchors;
	size_t n_anchors;
	struct generation *generations;
	size_t n_generations;
	struct bytes *ders; /* all of them; owned */
	size_t n_ders;
};

/* --- building */
static struct bytes ders_add(struct trust *t, struct bytes der)
{
	struct bytes *grown;
	uint8_t *copy;

	grown = realloc(t->ders, (t->n_ders + 1) * sizeof(*grown));
	if (grown == NULL)
		return BYTES_NONE;
	t->ders = grown;
	copy = malloc(der.n);
	if (copy == NULL)
		return BYTES_NONE;
	memcpy(copy, der.p, der.n);
	t->ders[t->n_ders] = bytes_of(copy, der.n);
	return t->ders[t->n_ders++];
}

static X509 *certificate_read(struct bytes der)
{
	const uint8_t *p = der.p;
	X509 *x;

	if (der.n > LONG_MAX)
		return NULL;
	x = d2i_X509(NULL, &p, (long)der.n);
	if (x != NULL && p != der.p + der.n) {
		X509_free(x);
		x = NULL;
	}
	return x;
}

static enum rc anchor_add(
        struct trust *t, struct anchor *anchor, struct bytes der)
{
	X509 *x = certificate_read(der);
	enum rc rc = RC_NOMEM;

	if (x == NULL)
		rc = RC_CONFIG;
	else if (ders_add(t, der).n > 0 &&
	        X509_STORE_add_cert(anchor->store, x) == 1)
		rc = RC_OK;
	X509_free(x);
	ERR_clear_error();
	return rc;
}

static enum rc anchor_read(struct trust *t, struct anchor *anchor,
        const struct conf_file *file, struct why *why)
{
	struct bytes text = file->content;
	struct buf der = BUF_INIT(PEM_DER_MAX_BYTES);
	size_t n = 0;
	enum rc rc;

	while ((rc = pem_next(&text, "CERTIFICATE", &der, why)) == RC_OK) {
		rc = anchor_add(t, anchor, buf_bytes(&der));
		if (rc == RC_CONFIG)
			why_set(why, rc, "%s: not a certificate", file->path);
		if (rc != RC_OK)
			break;
		buf_reset(&der);
		n++;
	}
	buf_free(&der);
	if (rc != RC_NOTFOUND)
		return rc;
	if (n == 0)
		return why_set(why, RC_CONFIG,
		        "%s does not hold certificates in PEM", file->path);
	return RC_OK;
}

static enum rc anchor_open(struct trust *t, struct anchor *anchor,
        const struct conf_anchor *conf, struct why *why)
{
	enum rc rc;

	anchor->conf = conf;
	anchor->first = t->n_ders;
	anchor->identity = BUF_INIT(DER_OID_MAX_BYTES);
	anchor->store = X509_STORE_new();
	if (anchor->store == NULL)
		return RC_NOMEM;
	rc = oid_parse_any(&anchor->identity, bytes_str(conf->identity), why);
	if (rc == RC_OK)
		rc = anchor_read(t, anchor, &conf->certificates, why);
	anchor->n = t->n_ders - anchor->first;
	if (rc == RC_NOMEM)
		return rc;
	return rc == RC_OK ? rc
	                   : why_prefix(why, RC_CONFIG, "trust.%s", conf->name);
}

static enum rc anchors_open(
        struct trust *t, const struct conf *conf, struct why *why)
{
	enum rc rc = RC_OK;

	if (conf->n_anchors == 0)
		return RC_OK;
	t->anchors = calloc(conf->n_anchors, sizeof(*t->anchors));
	if (t->anchors == NULL)
		return RC_NOMEM;
	while (rc == RC_OK && t->n_anchors < conf->n_anchors) {
		size_t i = t->n_anchors++;

		rc = anchor_open(t, &t->anchors[i], &conf->anchors[i], why);
	}
	return rc;
}

static enum rc generation_read(struct trust *t, struct store *store,
        const struct store_authority *row, struct why *why)
{
	struct store_authority_get get = {
		.id = row->id,
		.der = BUF_INIT(STORE_DER_MAX_BYTES),
	};
	struct generation *g = &t->generations[t->n_generations];
	struct bytes der;
	struct cert cert;
	enum rc rc;

	rc = store_authority_get(store, &get);
	if (rc != RC_OK)
		goto out;
	der = ders_add(t, buf_bytes(&get.der));
	rc = der.n == 0 ? RC_NOMEM : cert_parse(&cert, der, why);
	if (rc != RC_OK)
		goto out;
	g->id = row->id;
	memcpy(g->name, row->name, sizeof(g->name));
	g->subject = cert.subject;
	t->n_generations++;
out:
	buf_free(&get.der);
	return rc;
}

static enum rc generations_read(
        struct trust *t, struct store *store, struct why *why)
{
	struct store_authority_list list = { .max = STORE_ROWS_MAX };
	enum rc rc;

	list.rows = calloc(list.max, sizeof(*list.rows));
	t->generations = calloc(list.max, sizeof(*t->generations));
	if (list.rows == NULL || t->generations == NULL) {
		free(list.rows);
		return RC_NOMEM;
	}
	rc = store_authority_list(store, &list);
	for (size_t i = 0; rc == RC_OK && i < list.n; i++)
		rc = generation_read(t, store, &list.rows[i], why);
	free(list.rows);
	if (rc == RC_PENDING)
		return why_set(why, RC_INTERNAL,
		        "this store does not answer reads inline");
	return rc;
}

enum rc trust_new(struct trust **out, const struct conf *conf,
        struct store *store, struct why *why)
{
	struct trust *t = calloc(1, sizeof(*t));
	enum rc rc;

	*out = NULL;
	if (t == NULL)
		return RC_NOMEM;
	rc = anchors_open(t, conf, why);
	if (rc == RC_OK)
		rc = generations_read(t, store, why);
	if (rc != RC_OK) {
		trust_free(t);
		return rc;
	}
	*out = t;
	return RC_OK;
}

enum rc trust_check(const struct conf *conf, struct why *why)
{
	struct trust *t = calloc(1, sizeof(*t));
	enum rc rc = t == NULL ? RC_NOMEM : anchors_open(t, conf, why);

	trust_free(t);
	return rc;
}

void trust_free(struct trust *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->n_anchors; i++) {
		X509_STORE_free(t->anchors[i].store);
		buf_free(&t->anchors[i].identity);
	}
	for (size_t i = 0; i < t->n_ders; i++)
		free((void *)t->ders[i].p);
	free(t->anchors);
	free(t->generations);
	free(t->ders);
	free(t);
}

/* --- our own */
const struct bytes *trust_tls_anchors(const struct trust *t, size_t *n)
{
	*n = t->n_ders;
	return t->ders;
}

bool trust_generation(const struct trust *t, struct bytes issuer, size_t *at,
        uint32_t *authority)
{
	while (*at < t->n_generations) {
		const struct generation *g = &t->generations[(*at)++];

		if (bytes_eq(g->subject, issuer)) {
			*authority = g->id;
			return true;
		}
	}
	return false;
}

const char *trust_generation_name(const struct trust *t, uint32_t authority)
{
	for (size_t i = 0; i < t->n_generations; i++) {
		if (t->generations[i].id == authority)
			return t->generations[i].name;
	}
	return NULL;
}

/* --- a foreign chain that TLS has verified */

/* 2.16.840.1.113730.1.1, an older word on what a certificate is for. */
#define NETSCAPE_CERT_TYPE BYTES_LIT("\x60\x86\x48\x01\x86\xf8\x42\x01\x01")

static bool has_netscape_type(const struct cert *c)
{
	for (size_t i = 0; i < c->n_ext; i++) {
		if (bytes_eq(c->ext[i].oid, NETSCAPE_CERT_TYPE))
			return true;
	}
	return false;
}

/* RFC 5280 section 4.2.1.12 */
static bool eku_is_for_clients(const struct cert *c)
{
	const struct cert_ext *e = cert_ext(c, OID_EXT_KEY_USAGE);
	struct bytes oid;
	struct der list;

	if (e == NULL)
		return true;
	if (der_open(e->value, DER_SEQUENCE, &list, "extKeyUsage", NULL) !=
	        RC_OK)
		return false;
	while (der_more(&list)) {
		if (der_oid(&list, &oid, "KeyPurposeId", NULL) != RC_OK)
			return false;
		if (oid_is(oid, OID_KP_CLIENT_AUTH))
			return true;
	}
	return false;
}

static bool key_is_for_clients(const struct cert *c)
{
	uint32_t bits = 0;
	bool present;

	if (cert_key_usage(c, &bits, &present, NULL) != RC_OK)
		return false;
	return !present ||
	        (bits & (USAGE_DIGITAL_SIGNATURE | USAGE_KEY_AGREEMENT)) != 0;
}

/* What TLS left open: time and purpose. */
static bool is_good_now(struct bytes der, bool leaf, int64_t now_s)
{
	struct cert c;

	return cert_parse(&c, der, NULL) == RC_OK && c.not_before_s <= now_s &&
	        now_s < c.not_after_s && eku_is_for_clients(&c) &&
	        !has_netscape_type(&c) && (!leaf || key_is_for_clients(&c));
}

static bool is_of_anchor(
        const struct trust *t, const struct anchor *anchor, struct bytes der)
{
	for (size_t i = 0; i < anchor->n; i++) {
		if (bytes_eq(t->ders[anchor->first + i], der))
			return true;
	}
	return false;
}

/* Verifying the same signatures again tells nothing new, and costs as much as
 * all else that an enrolment does. True: the anchor vouches. False says
 * nothing: anchor_verify() decides, and names the clause. */
static bool anchor_verified(const struct trust *t, const struct anchor *anchor,
        const struct trust_chain *chain, int64_t now_s)
{
	if (!chain->verified)
		return false;
	for (size_t i = 0; i < chain->n; i++) {
		if (!is_good_now(chain->certs[i], i == 0, now_s))
			return false;
		if (i > 0 && is_of_anchor(t, anchor, chain->certs[i]))
			return true;
	}
	return false;
}

/* --- foreign ones */
static STACK_OF(X509) * untrusted_read(const struct bytes *chain, size_t n)
{
	STACK_OF(X509) *stack = sk_X509_new_null();

	for (size_t i = 1; stack != NULL && i < n; i++) {
		X509 *x = certificate_read(chain[i]);

		if (x == NULL)
			continue; /* it may not be needed */
		if (sk_X509_push(stack, x) == 0) {
			X509_free(x);
			break;
		}
	}
	return stack;
}

static enum rc anchor_verify(const struct anchor *anchor, X509 *leaf,
        STACK_OF(X509) * untrusted, int64_t now_s, struct why *why)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *param;
	enum rc rc = RC_NOMEM;

	if (ctx == NULL ||
	        X509_STORE_CTX_init(ctx, anchor->store, leaf, untrusted) != 1)
		goto out;
	param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_time(param, (time_t)now_s);
	X509_VERIFY_PARAM_set_auth_level(param, AUTH_LEVEL);
	/* The anchor may be an issuing CA, with its root elsewhere. */
	if (X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN) !=
	                1 ||
	        X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_CLIENT) !=
	                1)
		goto out;
	rc = RC_OK;
	if (X509_verify_cert(ctx) != 1)
		rc = why_set(why, RC_NOCRED, "trust.%s: %s", anchor->conf->name,
		        X509_verify_cert_error_string(
		                X509_STORE_CTX_get_error(ctx)));
out:
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
	return rc;
}

static enum rc identity_read(struct trust_device *out,
        const struct anchor *anchor, struct bytes name, struct why *why)
{
	const struct device_name from = { .name = name,
		.oid = buf_bytes(&anchor->identity),
		.attribute = anchor->conf->identity,
		.of = "certificate" };
	enum rc rc = device_id_read(out->id, &from, why);

	if (rc == RC_OK)
		out->anchor = anchor->conf;
	return rc;
}

static const struct anchor *anchor_find(
        const struct trust *t, const struct conf_anchor *conf)
{
	for (size_t i = 0; i < t->n_anchors; i++) {
		if (t->anchors[i].conf == conf)
			return &t->anchors[i];
	}
	return NULL;
}

/* The long way: libcrypto verifies all of it. */
static enum rc vouch_unverified(struct trust_device *out, const struct trust *t,
        const struct conf_label *label, const struct trust_chain *chain,
        int64_t now_s, struct why *why)
{
	X509 *leaf = certificate_read(chain->certs[0]);
	STACK_OF(X509) *untrusted = untrusted_read(chain->certs, chain->n);
	const unsigned char *name;
	enum rc rc = RC_NOCRED;
	size_t n;

	if (untrusted == NULL)
		rc = RC_NOMEM;
	if (leaf == NULL || untrusted == NULL)
		goto out;
	if (X509_NAME_get0_der(X509_get_subject_name(leaf), &name, &n) != 1)
		rc = RC_NOMEM;
	for (size_t i = 0; rc == RC_NOCRED && i < label->n_anchors; i++) {
		const struct anchor *anchor = anchor_find(t, label->anchors[i]);

		if (anchor == NULL)
			continue;
		rc = anchor_verify(anchor, leaf, untrusted, now_s, why);
		if (rc == RC_OK)
			rc = identity_read(out, anchor, bytes_of(name, n), why);
	}
out:
	X509_free(leaf);
	sk_X509_pop_free(untrusted, X509_free);
	ERR_clear_error();
	return rc;
}

enum rc trust_vouch(struct trust_device *out, const struct trust *t,
        const struct conf_label *label, const struct trust_chain *chain,
        int64_t now_s, struct why *why)
{
	struct cert leaf;
	enum rc rc;

	memset(out, 0, sizeof(*out));
	rc = why_set(why, RC_NOCRED, "no trust anchor vouches at this label");
	if (chain->n == 0 || label->n_anchors == 0)
		return rc;
	for (size_t i = 0; i < label->n_anchors; i++) {
		const struct anchor *anchor = anchor_find(t, label->anchors[i]);

		if (anchor == NULL || !anchor_verified(t, anchor, chain, now_s))
			continue;
		rc = cert_parse(&leaf, chain->certs[0], why);
		return rc != RC_OK
		        ? rc
		        : identity_read(out, anchor, leaf.subject, why);
	}
	return vouch_unverified(out, t, label, chain, now_s, why);
}
