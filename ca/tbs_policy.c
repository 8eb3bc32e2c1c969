/* ca/tbs_policy.c - a signer policy as bytes and back. */
#include "ca/tbs_check.h"

#include "base/pack.h"
#include "der/alg.h"
#include "der/name.h"
#include "der/oid.h"
#include "der/reader.h"

#include <stdlib.h>
#include <string.h>

#define POLICY_FORMAT 5
#define SHA1_BYTES 20
#define SHA256_BYTES 32
#define KEY_USAGE_BITS 9 /* RFC 5280 4.2.1.3 */
#define KEY_USAGE_CA_BITS (UINT32_C(1) << 5 | UINT32_C(1) << 6)

struct owned {
	struct tbs_policy policy;
	uint8_t *copy; /* what all views point into */
};

static void pack_text(struct buf *b, const struct tbs_text *t)
{
	pack_u8(b, (uint8_t)t->mode);
	pack_bytes(b, t->head);
	pack_bytes(b, t->tail);
}

static void pack_attr(struct buf *b, const struct tbs_attr *a)
{
	pack_bytes(b, a->oid);
	pack_text(b, &a->value);
	pack_u8(b, a->optional);
}

static void pack_san(struct buf *b, const struct tbs_san *s)
{
	pack_u8(b, (uint8_t)s->form);
	pack_bytes(b, s->oid);
	pack_text(b, &s->value);
	pack_u32(b, s->min);
	pack_u32(b, s->max);
}

static void pack_eku(struct buf *b, const struct tbs_eku *e)
{
	pack_bytes(b, e->oid);
	pack_u8(b, e->required);
}

static void pack_ext(struct buf *b, const struct tbs_ext *e)
{
	pack_bytes(b, e->oid);
	pack_u8(b, e->critical);
	pack_u8(b, e->required);
	pack_u8(b, e->fixed);
	pack_bytes(b, e->value);
	pack_u16(b, e->numbers);
}

static void pack_shape(struct buf *b, const struct tbs_shape *s)
{
	pack_bytes(b, s->name);
	pack_u32(b, (uint32_t)s->n_subject);
	for (size_t i = 0; i < s->n_subject; i++)
		pack_attr(b, &s->subject[i]);
	pack_u32(b, (uint32_t)s->n_san);
	for (size_t i = 0; i < s->n_san; i++)
		pack_san(b, &s->san[i]);
	pack_u32(b, (uint32_t)s->n_eku);
	for (size_t i = 0; i < s->n_eku; i++)
		pack_eku(b, &s->eku[i]);
	pack_u8(b, s->eku_critical);
	pack_u32(b, s->key_usage);
	pack_u8(b, s->basic_constraints);
	pack_u32(b, (uint32_t)s->n_ext);
	for (size_t i = 0; i < s->n_ext; i++)
		pack_ext(b, &s->ext[i]);
	pack_u64(b, (uint64_t)s->max_validity_s);
	pack_u8(b, s->never);
	pack_u8(b, s->held_only);
	pack_bytes(b, s->key_name);
}

void tbs_policy_pack(struct buf *b, const struct tbs_policy *p)
{
	pack_u8(b, POLICY_FORMAT);
	pack_u32(b, p->purposes);
	pack_bytes(b, p->issuer);
	pack_u64(b, (uint64_t)p->not_before_s);
	pack_u64(b, (uint64_t)p->not_after_s);
	pack_bytes(b, p->sig_alg);
	pack_u32(b, (uint32_t)p->n_shapes);
	for (size_t i = 0; i < p->n_shapes; i++)
		pack_shape(b, &p->shapes[i]);
	pack_bytes(b, p->crl.key_id);
	pack_u64(b, (uint64_t)p->crl.max_s);
	pack_bytes(b, p->ocsp.name_sha1);
	pack_bytes(b, p->ocsp.key_sha1);
	pack_bytes(b, p->ocsp.name_sha256);
	pack_bytes(b, p->ocsp.key_sha256);
	pack_u64(b, (uint64_t)p->ocsp.max_s);
	pack_bytes(b, p->next_ca);
}

static bool read_bool(struct unpack *u)
{
	uint8_t v = unpack_u8(u);

	if (v > 1)
		u->failed = true;
	return v == 1;
}

static struct bytes read_oid(struct unpack *u)
{
	struct bytes oid = unpack_bytes(u);

	if (!der_body_is_oid(oid))
		u->failed = true;
	return oid;
}

static struct tbs_text read_text(struct unpack *u)
{
	struct tbs_text t = { (enum tbs_mode)unpack_u8(u), BYTES_NONE,
		BYTES_NONE };

	t.head = unpack_bytes(u);
	t.tail = unpack_bytes(u);
	switch (t.mode) {
	case TBS_FIXED:
		u->failed |= t.tail.n > 0;
		break;
	case TBS_AFFIX:
		break;
	case TBS_ANY:
		u->failed |= t.head.n > 0 || t.tail.n > 0;
		break;
	default:
		u->failed = true;
	}
	return t;
}

/* The count of a list; an array of so many, zeroed, or NULL when there are
 * none or it failed. */
static void *read_list(
        struct unpack *u, size_t max, size_t item_bytes, size_t *n, enum rc *rc)
{
	uint32_t count = unpack_u32(u);
	void *list;

	*n = 0;
	if (u->failed || *rc || count == 0)
		return NULL;
	if (count > max) {
		*rc = RC_TOOBIG;
		return NULL;
	}
	list = calloc(count, item_bytes);
	if (!list)
		*rc = RC_NOMEM;
	else
		*n = count;
	return list;
}

static void read_subject(struct unpack *u, struct tbs_shape *s, enum rc *rc)
{
	size_t n;
	struct tbs_attr *list =
	        read_list(u, TBS_ITEMS_MAX, sizeof(*list), &n, rc);

	s->subject = list;
	s->n_subject = n;
	for (size_t i = 0; i < n; i++) {
		list[i].oid = read_oid(u);
		list[i].value = read_text(u);
		list[i].optional = read_bool(u);
	}
}

/* Which form takes an OID, and an address only whole. */
static bool san_is_sound(const struct tbs_san *s)
{
	switch (s->form) {
	case TBS_SAN_DNS:
	case TBS_SAN_EMAIL:
	case TBS_SAN_URI:
		return s->oid.n == 0;
	case TBS_SAN_IP:
		return s->oid.n == 0 && s->value.mode != TBS_AFFIX &&
		        (s->value.mode == TBS_ANY || s->value.head.n == 4 ||
		                s->value.head.n == 16);
	case TBS_SAN_HARDWARE_MODULE:
		return der_body_is_oid(s->oid);
	case TBS_SAN_PERMANENT_ID:
		return s->oid.n == 0 || der_body_is_oid(s->oid);
	}
	return false;
}

static void read_san(struct unpack *u, struct tbs_shape *s, enum rc *rc)
{
	size_t n;
	struct tbs_san *list =
	        read_list(u, TBS_ITEMS_MAX, sizeof(*list), &n, rc);

	s->san = list;
	s->n_san = n;
	for (size_t i = 0; i < n; i++) {
		list[i].form = (enum tbs_san_form)unpack_u8(u);
		list[i].oid = unpack_bytes(u);
		list[i].value = read_text(u);
		list[i].min = unpack_u32(u);
		list[i].max = unpack_u32(u);
		if (!san_is_sound(&list[i]) ||
		        (list[i].max && list[i].min > list[i].max))
			u->failed = true;
	}
}

static void read_eku(struct unpack *u, struct tbs_shape *s, enum rc *rc)
{
	size_t n;
	struct tbs_eku *list =
	        read_list(u, TBS_ITEMS_MAX, sizeof(*list), &n, rc);

	s->eku = list;
	s->n_eku = n;
	for (size_t i = 0; i < n; i++) {
		list[i].oid = read_oid(u);
		list[i].required = read_bool(u);
	}
}

/* Extensions that a shape has fields for, and those of CA certificates. */
static bool ext_is_listable(struct bytes oid)
{
	switch (oid_find(oid)) {
	case OID_KEY_USAGE:
	case OID_EXT_KEY_USAGE:
	case OID_SUBJECT_ALT_NAME:
	case OID_BASIC_CONSTRAINTS:
	case OID_NAME_CONSTRAINTS:
	case OID_POLICY_MAPPINGS:
	case OID_POLICY_CONSTRAINTS:
	case OID_INHIBIT_ANY_POLICY:
		return false;
	default:
		return true;
	}
}

static void read_ext(struct unpack *u, struct tbs_shape *s, enum rc *rc)
{
	size_t n;
	struct tbs_ext *list =
	        read_list(u, TBS_ITEMS_MAX, sizeof(*list), &n, rc);

	s->ext = list;
	s->n_ext = n;
	for (size_t i = 0; i < n; i++) {
		list[i].oid = read_oid(u);
		list[i].critical = read_bool(u);
		list[i].required = read_bool(u);
		list[i].fixed = read_bool(u);
		list[i].value = unpack_bytes(u);
		list[i].numbers = unpack_u16(u);
		if (!ext_is_listable(list[i].oid) ||
		        list[i].numbers > TBS_NUMBER_MAX ||
		        (!list[i].fixed &&
		                (list[i].value.n > 0 || list[i].numbers > 0)))
			u->failed = true;
	}
}

static void read_shape(struct unpack *u, struct tbs_shape *s, enum rc *rc)
{
	s->name = unpack_bytes(u);
	read_subject(u, s, rc);
	read_san(u, s, rc);
	read_eku(u, s, rc);
	s->eku_critical = read_bool(u);
	s->key_usage = unpack_u32(u);
	s->basic_constraints = read_bool(u);
	read_ext(u, s, rc);
	s->max_validity_s = (int64_t)unpack_u64(u);
	s->never = read_bool(u);
	s->held_only = read_bool(u);
	s->key_name = unpack_bytes(u);
	if (s->key_usage >> KEY_USAGE_BITS ||
	        s->key_usage & KEY_USAGE_CA_BITS || s->max_validity_s < 0 ||
	        (!s->max_validity_s && !s->never))
		u->failed = true;
}

static bool is_code(const struct tbs_policy *p)
{
	return p->purposes == SIGNER_PURPOSE_BIT(SIGNER_CODE) &&
	        p->n_shapes == 0;
}

#define NEXT_CA_BIT SIGNER_PURPOSE_BIT(SIGNER_NEXT_CA)

/* One of its purposes: then both, and what it tells of the next CA, and nothing
 * beside. */
static bool ra_is_sound(const struct tbs_policy *p)
{
	if ((p->purposes & SIGNER_RA_PURPOSES) == 0)
		return true;
	return (p->purposes & ~NEXT_CA_BIT) == SIGNER_RA_PURPOSES &&
	        p->n_shapes == 0;
}

/* Beside others, whose policy has an algorithm. */
static bool next_ca_is_sound(const struct tbs_policy *p)
{
	struct der d = der_of(p->sig_alg);
	enum sig_alg alg = ALG_NONE;

	if ((p->purposes & NEXT_CA_BIT) == 0)
		return p->next_ca.n == 0;
	return p->purposes != NEXT_CA_BIT && p->next_ca.n > 0 &&
	        alg_read(&d, &alg, "", NULL) == RC_OK &&
	        p->next_ca.n == alg_digest_bytes(alg_digest(alg));
}

/* A policy has the rule of a purpose exactly when it has the purpose. */
static bool rules_are_sound(const struct tbs_policy *p)
{
	const struct tbs_ocsp_rule *o = &p->ocsp;
	bool crl = p->purposes & SIGNER_PURPOSE_BIT(SIGNER_CRL);
	bool ocsp = p->purposes & SIGNER_PURPOSE_BIT(SIGNER_OCSP);
	bool code = p->purposes & SIGNER_PURPOSE_BIT(SIGNER_CODE);
	size_t sha1 = ocsp ? SHA1_BYTES : 0, sha256 = ocsp ? SHA256_BYTES : 0;

	return (p->purposes & ~SIGNER_PURPOSES) == 0 && (!code || is_code(p)) &&
	        ra_is_sound(p) && next_ca_is_sound(p) &&
	        (p->sig_alg.n == 0) == code && (p->crl.key_id.n > 0) == crl &&
	        (p->crl.max_s != 0) == crl && p->crl.max_s >= 0 &&
	        o->name_sha1.n == sha1 && o->key_sha1.n == sha1 &&
	        o->name_sha256.n == sha256 && o->key_sha256.n == sha256 &&
	        (o->max_s != 0) == ocsp && o->max_s >= 0;
}

static void read_rules(struct unpack *u, struct tbs_policy *p)
{
	p->crl.key_id = unpack_bytes(u);
	p->crl.max_s = (int64_t)unpack_u64(u);
	p->ocsp.name_sha1 = unpack_bytes(u);
	p->ocsp.key_sha1 = unpack_bytes(u);
	p->ocsp.name_sha256 = unpack_bytes(u);
	p->ocsp.key_sha256 = unpack_bytes(u);
	p->ocsp.max_s = (int64_t)unpack_u64(u);
	p->next_ca = unpack_bytes(u);
	if (!rules_are_sound(p))
		u->failed = true;
}

static enum rc read_policy(
        struct tbs_policy *p, struct bytes packed, struct why *why)
{
	struct unpack u = unpack_of(packed);
	struct tbs_shape *shapes;
	enum rc rc = RC_OK;
	size_t n;

	if (unpack_u8(&u) != POLICY_FORMAT)
		return why_set(why, RC_MALFORMED, "policy: unknown format");
	p->purposes = unpack_u32(&u);
	p->issuer = unpack_bytes(&u);
	p->not_before_s = (int64_t)unpack_u64(&u);
	p->not_after_s = (int64_t)unpack_u64(&u);
	p->sig_alg = unpack_bytes(&u);
	shapes = read_list(&u, TBS_SHAPES_MAX, sizeof(*shapes), &n, &rc);
	p->shapes = shapes;
	p->n_shapes = n;
	for (size_t i = 0; i < n && !rc && !u.failed; i++)
		read_shape(&u, &shapes[i], &rc);
	read_rules(&u, p);
	if (rc)
		return why_set(why, rc, "policy: %s", rc_info(rc)->text);
	if (!unpack_done(&u))
		return why_set(why, RC_MALFORMED, "policy: malformed");
	return RC_OK;
}

static enum rc check_head(const struct tbs_policy *p, struct why *why)
{
	struct der d = der_of(p->sig_alg);
	enum sig_alg alg;
	enum rc rc = RC_OK;

	if (!is_code(p))
		rc = alg_read(&d, &alg, "policy signature algorithm", why);
	if (!rc)
		rc = der_done(&d, "policy signature algorithm", why);
	if (!rc)
		rc = name_check(p->issuer, why);
	if (!rc &&
	        (name_is_empty(p->issuer) || p->not_before_s > p->not_after_s))
		rc = why_set(
		        why, RC_MALFORMED, "policy: empty issuer or validity");
	return rc;
}

enum rc tbs_policy_unpack(
        struct tbs_policy **out, struct bytes packed, struct why *why)
{
	struct owned *o;
	enum rc rc;

	*out = NULL;
	if (packed.n > TBS_POLICY_MAX_BYTES)
		return why_set(why, RC_TOOBIG, "policy: over %u bytes",
		        TBS_POLICY_MAX_BYTES);
	o = calloc(1, sizeof(*o));
	if (!o)
		return RC_NOMEM;
	o->copy = malloc(packed.n + 1);
	if (!o->copy) {
		free(o);
		return RC_NOMEM;
	}
	if (packed.n)
		memcpy(o->copy, packed.p, packed.n);
	rc = read_policy(&o->policy, bytes_of(o->copy, packed.n), why);
	if (!rc)
		rc = check_head(&o->policy, why);
	if (rc)
		tbs_policy_free(&o->policy);
	else
		*out = &o->policy;
	return rc;
}

void tbs_policy_free(struct tbs_policy *p)
{
	struct owned *o = (struct owned *)p; /* its first member */

	if (!p)
		return;
	for (size_t i = 0; i < p->n_shapes; i++) {
		free((void *)p->shapes[i].subject);
		free((void *)p->shapes[i].san);
		free((void *)p->shapes[i].eku);
		free((void *)p->shapes[i].ext);
	}
	free((void *)p->shapes);
	free(o->copy);
	free(o);
}
