#include "ca/policy.h"
#include "ca/certs_only.h"
#include "ca/digest.h"
#include "ca/generations.h"
#include "ca/profile_parts.h"
#include "ca/san_write.h"
#include "der/alg.h"
#include "der/oid.h"
#include "der/time.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What begins a while ago, for clients with skewed clocks, may still last as
 * long as it is configured to from now. */
#define STATUS_BACKDATE_S 3600

/* The lists of one shape, each as long as the profile's. */
struct shape_lists {
	struct tbs_attr *subject;
	struct tbs_san *san;
	uint8_t (*ip)[SAN_IP_MAX_BYTES]; /* of the san entry beside it */
	struct tbs_eku *eku;
	struct tbs_ext *ext;
};

/* Whom OCSP answers are about. */
struct issuer_hashes {
	uint8_t name_sha1[DIGEST_SHA1_BYTES], key_sha1[DIGEST_SHA1_BYTES];
	uint8_t name_sha256[DIGEST_SHA256_BYTES];
	uint8_t key_sha256[DIGEST_SHA256_BYTES];
};

struct one_policy {
	struct tbs_policy policy;
	struct tbs_shape *shapes;
	struct shape_lists *lists;
	size_t n;
	struct issuer_hashes hashes;
	struct tbs_policy responder; /* of responder_key; "": has none */
	char responder_key[PROTO_KEY_NAME_MAX + 1];
	struct tbs_policy ra; /* of its registration authority, if any */
	/* What is told of who replaces it: by itself, and by that. */
	uint8_t next_ca[2][DIGEST_MAX_BYTES];
};

struct policy_set {
	struct one_policy *list;
	size_t n;
	struct tbs_policy *code; /* one a code key */
	struct proto_policy_item *items;
	size_t n_items;
};

static struct tbs_text text_of(const struct name_template *t)
{
	struct tbs_text out = { TBS_FIXED, t->head, t->tail };

	if (t->var != VAR_NONE)
		out.mode = t->head.n + t->tail.n > 0 ? TBS_AFFIX : TBS_ANY;
	return out;
}

static void fill_subject(
        struct tbs_shape *s, struct shape_lists *l, const struct profile *p)
{
	size_t i;

	for (i = 0; i < p->n_subject; i++) {
		l->subject[i].oid = oid_value_bytes(&p->subject[i].oid);
		l->subject[i].value = text_of(&p->subject[i].text);
	}
	s->subject = l->subject;
	s->n_subject = p->n_subject;
}

static enum tbs_san_form form_of(enum san_kind kind)
{
	switch (kind) {
	case SAN_DNS:
		return TBS_SAN_DNS;
	case SAN_IP:
		return TBS_SAN_IP;
	case SAN_EMAIL:
		return TBS_SAN_EMAIL;
	case SAN_URI:
		return TBS_SAN_URI;
	case SAN_HARDWARE_MODULE:
		return TBS_SAN_HARDWARE_MODULE;
	default: /* the last that a profile can have */
		return TBS_SAN_PERMANENT_ID;
	}
}

/* How much of a name an entry fixes: the checker wants the narrow first. */
static int san_order(const void *a, const void *b)
{
	const struct tbs_text *x = &((const struct tbs_san *)a)->value;
	const struct tbs_text *y = &((const struct tbs_san *)b)->value;

	if (x->mode != y->mode)
		return x->mode < y->mode ? -1 : 1;
	if (x->head.n + x->tail.n == y->head.n + y->tail.n)
		return 0;
	return x->head.n + x->tail.n > y->head.n + y->tail.n ? -1 : 1;
}

static struct tbs_san san_of(
        const struct profile_san *san, uint8_t ip[SAN_IP_MAX_BYTES])
{
	const struct name_template *t = &san->text;
	bool list = t->var != VAR_NONE && t->var != VAR_DEVICE;
	struct tbs_san out = {
		.form = form_of(san->kind),
		.oid = oid_value_bytes(&san->oid),
		.value = text_of(t),
		.min = list ? 0 : 1,
		.max = list ? 0 : 1,
	};

	if (san->kind == SAN_IP && t->var == VAR_NONE)
		out.value.head = bytes_of(ip, san_ip_octets(t->head, ip));
	else if (san->kind == SAN_IP)
		out.value = (struct tbs_text){ .mode = TBS_ANY };
	return out;
}

static void fill_san(
        struct tbs_shape *s, struct shape_lists *l, const struct profile *p)
{
	size_t i;

	for (i = 0; i < p->n_san; i++)
		l->san[i] = san_of(&p->san[i], l->ip[i]);
	qsort(l->san, p->n_san, sizeof *l->san, san_order);
	s->san = l->san;
	s->n_san = p->n_san;
}

static void fill_eku(
        struct tbs_shape *s, struct shape_lists *l, const struct profile *p)
{
	size_t i;

	for (i = 0; i < p->n_eku; i++)
		l->eku[i] =
		        (struct tbs_eku){ oid_value_bytes(&p->eku[i]), true };
	s->eku = l->eku;
	s->n_eku = p->n_eku;
	s->eku_critical = p->conf->eku_critical;
}

static bool has_own_field(struct bytes oid)
{
	return oid_is(oid, OID_BASIC_CONSTRAINTS) ||
	        oid_is(oid, OID_KEY_USAGE) || oid_is(oid, OID_EXT_KEY_USAGE);
}

/* The extensions of one constant run, as they were written. */
static enum rc add_run(struct tbs_shape *s, struct tbs_ext *ext,
        struct bytes run, unsigned shards)
{
	struct der all = der_of(run), in;
	struct why why;
	enum rc rc = RC_OK;

	while (rc == RC_OK && der_more(&all)) {
		struct tbs_ext e = { .required = true };

		rc = der_enter(&all, DER_SEQUENCE, &in, "Extension", &why);
		if (rc == RC_OK)
			rc = der_oid(&in, &e.oid, "extnID", &why);
		if (rc == RC_OK && der_at(&in, DER_BOOLEAN))
			rc = der_bool(&in, &e.critical, "critical", &why);
		if (rc == RC_OK)
			rc = der_octet_string(&in, &e.value, "extnValue", &why);
		/* Each certificate's own. */
		e.fixed = !oid_is(e.oid, OID_SUBJECT_KEY_ID);
		if (!e.fixed)
			e.value = BYTES_NONE;
		if (oid_is(e.oid, OID_CRL_DISTRIBUTION_POINTS))
			e.numbers = (uint16_t)shards;
		if (rc == RC_OK && !has_own_field(e.oid))
			ext[s->n_ext++] = e;
	}
	return rc == RC_OK ? RC_OK : RC_INTERNAL;
}

/* More than the runs can hold: what mica writes itself, and the extras. */
static size_t ext_max(const struct profile *p)
{
	return 16 + p->conf->n_extensions;
}

static enum rc lists_new(struct shape_lists *l, const struct profile *p)
{
	l->subject = calloc(p->n_subject + 1, sizeof *l->subject);
	l->san = calloc(p->n_san + 1, sizeof *l->san);
	l->ip = calloc(p->n_san + 1, sizeof *l->ip);
	l->eku = calloc(p->n_eku + 1, sizeof *l->eku);
	l->ext = calloc(ext_max(p), sizeof *l->ext);
	if (l->subject == NULL || l->san == NULL || l->ip == NULL ||
	        l->eku == NULL || l->ext == NULL)
		return RC_NOMEM;
	return RC_OK;
}

static enum rc shape_compile(
        struct tbs_shape *s, struct shape_lists *l, const struct profile *p)
{
	const struct conf_profile *c = p->conf;
	enum rc rc = lists_new(l, p);

	if (rc != RC_OK)
		return rc;
	s->name = bytes_str(c->name);
	fill_subject(s, l, p);
	fill_san(s, l, p);
	fill_eku(s, l, p);
	s->key_usage = p->key_usage;
	s->basic_constraints = c->basic_constraints;
	s->never = c->validity_s == 0;
	/* A grant may cut `never` to any time. */
	s->max_validity_s =
	        s->never ? TIME_NEVER_S : c->validity_s + c->backdate_s;
	s->held_only = p->system;
	if (p->code != NULL)
		s->key_name = bytes_str(p->code->key->name);
	s->ext = l->ext;
	rc = add_run(s, l->ext, buf_bytes(&p->run_head), 0);
	if (rc == RC_OK)
		rc = add_run(s, l->ext, buf_bytes(&p->run_tail),
		        p->n_shard_at > 0 ? p->authority->conf->crl.shards : 0);
	return rc;
}

/* RFC 6960 section 4.1.1: the key's hash is over its BIT STRING's content. */
static enum rc hash_issuer(struct issuer_hashes *h, const struct authority *a)
{
	struct digest *d = NULL;
	struct spki spki;
	struct why why;
	enum rc rc = digest_new(&d);

	if (rc == RC_OK)
		rc = spki_parse(&spki, a->spki, &why);
	if (rc == RC_OK)
		rc = digest_sha1(d, a->subject, h->name_sha1);
	if (rc == RC_OK)
		rc = digest_sha1(d, spki.key, h->key_sha1);
	if (rc == RC_OK)
		rc = digest_sha256(d, a->subject, h->name_sha256);
	if (rc == RC_OK)
		rc = digest_sha256(d, spki.key, h->key_sha256);
	digest_free(d);
	return rc;
}

static void allow_ocsp(struct tbs_policy *p, const struct issuer_hashes *h,
        const struct conf_authority *c)
{
	p->purposes |= SIGNER_PURPOSE_BIT(SIGNER_OCSP);
	p->ocsp = (struct tbs_ocsp_rule){
		.name_sha1 = BYTES_ARRAY(h->name_sha1),
		.key_sha1 = BYTES_ARRAY(h->key_sha1),
		.name_sha256 = BYTES_ARRAY(h->name_sha256),
		.key_sha256 = BYTES_ARRAY(h->key_sha256),
		.max_s = c->ocsp_valid_s + STATUS_BACKDATE_S,
	};
}

/* Its CRLs, and its OCSP answers by its own key or a responder's. */
static enum rc status_compile(struct one_policy *o, const struct authority *a)
{
	const struct conf_authority *c = a->conf;
	enum rc rc = hash_issuer(&o->hashes, a);

	o->policy.purposes |= SIGNER_PURPOSE_BIT(SIGNER_CRL);
	o->policy.crl = (struct tbs_crl_rule){ a->key_id,
		c->crl.valid_s + STATUS_BACKDATE_S };
	if (rc != RC_OK)
		return rc;
	if (c->ocsp_key == CONF_OCSP_CA) {
		allow_ocsp(&o->policy, &o->hashes, c);
		return RC_OK;
	}
	(void)snprintf(o->responder_key, sizeof(o->responder_key), "%s%s",
	        PROTO_OCSP_KEY_PREFIX, c->name);
	o->responder = (struct tbs_policy){
		.issuer = a->subject,
		.not_before_s = a->not_before_s,
		.not_after_s = a->not_after_s,
		.sig_alg = alg_bytes(ALG_ECDSA_SHA256),
	};
	allow_ocsp(&o->responder, &o->hashes, c);
	return RC_OK;
}

static enum rc one_compile(struct one_policy *o, const struct authority *a,
        const struct profiles *all, struct why *why)
{
	enum rc rc = RC_OK;
	size_t n = 0, i;

	while (profiles_at(all, a, n) != NULL)
		n++;
	if (n > TBS_SHAPES_MAX)
		return why_set(why, RC_TOOBIG,
		        "authorities.%s: over %d profiles", a->conf->name,
		        TBS_SHAPES_MAX);
	o->shapes = calloc(n + 1, sizeof *o->shapes);
	o->lists = calloc(n + 1, sizeof *o->lists);
	if (o->shapes == NULL || o->lists == NULL)
		return RC_NOMEM;
	o->n = n;
	for (i = 0; i < n && rc == RC_OK; i++)
		rc = shape_compile(
		        &o->shapes[i], &o->lists[i], profiles_at(all, a, i));
	o->policy = (struct tbs_policy){
		.purposes = SIGNER_PURPOSE_BIT(SIGNER_CERT),
		.issuer = a->subject,
		.not_before_s = a->not_before_s,
		.not_after_s = a->not_after_s,
		.sig_alg = a->sig_alg,
		.shapes = o->shapes,
		.n_shapes = n,
	};
	if (rc == RC_OK)
		rc = status_compile(o, a);
	/* Not for the listener's key, which workers have: one that is taken over
	 * would answer for the authority. */
	for (i = 0; i < n && o->responder_key[0] != '\0'; i++)
		if (profiles_at(all, a, i)->conf == profiles_ocsp(all, a))
			o->shapes[i].key_name = bytes_str(o->responder_key);
	return rc;
}

/* p has its algorithm. */
static enum rc allow_next(struct tbs_policy *p, uint8_t hash[DIGEST_MAX_BYTES],
        const struct authority *next)
{
	struct buf text = BUF_INIT(CERTS_ONLY_MAX_BYTES);
	struct der d = der_of(p->sig_alg);
	enum sig_alg alg = ALG_NONE;
	struct why why;
	size_t n = 0;
	enum rc rc = generations_put_next(&text, next);

	if (rc == RC_OK)
		rc = alg_read(&d, &alg, "signature algorithm", &why);
	if (rc == RC_OK)
		rc = digest_sha2(alg_digest(alg), buf_bytes(&text), hash, &n);
	p->next_ca = bytes_of(hash, n);
	p->purposes |= SIGNER_PURPOSE_BIT(SIGNER_NEXT_CA);
	buf_free(&text);
	return rc;
}

/* It decrypts requests and signs answers, and certifies nothing. Who comes next
 * is told by it and by the authority itself. */
static enum rc add_ra(struct policy_set *s, struct one_policy *o,
        const struct authority *a, const struct authority *next)
{
	enum rc rc = RC_OK;

	o->ra = (struct tbs_policy){
		.purposes = SIGNER_RA_PURPOSES,
		.issuer = a->subject,
		.not_before_s = a->not_before_s,
		.not_after_s = a->not_after_s,
		.sig_alg = alg_bytes(ALG_RSA_SHA256),
	};
	if (next != NULL)
		rc = allow_next(&o->policy, o->next_ca[0], next);
	if (rc == RC_OK && next != NULL)
		rc = allow_next(&o->ra, o->next_ca[1], next);
	s->items[s->n_items++] =
	        (struct proto_policy_item){ a->conf->ra_key->name, &o->ra };
	return rc;
}

static void add_items(struct policy_set *s, const struct authority *a)
{
	struct one_policy *o = &s->list[s->n - 1];

	s->items[s->n_items++] =
	        (struct proto_policy_item){ a->conf->key->name, &o->policy };
	if (o->responder_key[0] != '\0')
		s->items[s->n_items++] =
		        (struct proto_policy_item){ o->responder_key,
			        &o->responder };
}

/* How it signs is the key's to say: its type is not known here. */
static void add_code(struct policy_set *s, struct authorities *a,
        const struct conf *conf, size_t i)
{
	const struct conf_code *c = &conf->code[i];
	const struct authority *issuer =
	        authorities_find(a, c->authority->name);

	s->code[i] = (struct tbs_policy){
		.purposes = SIGNER_PURPOSE_BIT(SIGNER_CODE),
		.issuer = issuer->subject,
		.not_before_s = issuer->not_before_s,
		.not_after_s = issuer->not_after_s,
	};
	s->items[s->n_items++] =
	        (struct proto_policy_item){ c->key->name, &s->code[i] };
}

enum rc policy_compile(struct policy_set **out, const struct conf *conf,
        struct authorities *a, const struct profiles *p, struct why *why)
{
	struct policy_set *s = calloc(1, sizeof *s);
	enum rc rc = RC_OK;
	size_t n = authorities_count(a), i;

	*out = NULL;
	if (s == NULL)
		return RC_NOMEM;
	s->list = calloc(n + 1, sizeof *s->list);
	s->code = calloc(conf->n_code + 1, sizeof *s->code);
	s->items = calloc(3 * n + conf->n_code + 1, sizeof *s->items);
	if (s->list == NULL || s->code == NULL || s->items == NULL)
		rc = RC_NOMEM;
	for (i = 0; i < n && rc == RC_OK; i++) {
		const struct authority *one = authorities_at(a, i);

		s->n = i + 1;
		rc = one_compile(&s->list[i], one, p, why);
		if (rc == RC_OK && one->conf->ra_key != NULL)
			rc = add_ra(s, &s->list[i], one,
			        generations_next(a, conf, one, 0));
		add_items(s, one);
	}
	for (i = 0; i < conf->n_code && rc == RC_OK; i++)
		add_code(s, a, conf, i);
	if (rc != RC_OK) {
		policy_free(s);
		return rc;
	}
	*out = s;
	return RC_OK;
}

static void lists_free(struct shape_lists *l)
{
	free(l->subject);
	free(l->san);
	free(l->ip);
	free(l->eku);
	free(l->ext);
}

void policy_free(struct policy_set *s)
{
	size_t i, j;

	if (s == NULL)
		return;
	for (i = 0; i < s->n; i++) {
		for (j = 0; j < s->list[i].n; j++)
			lists_free(&s->list[i].lists[j]);
		free(s->list[i].lists);
		free(s->list[i].shapes);
	}
	free(s->list);
	free(s->code);
	free(s->items);
	free(s);
}

const struct proto_policy_item *policy_items(
        const struct policy_set *s, size_t *n)
{
	*n = s->n_items;
	return s->items;
}
