#include "ca/policy.h"
#include "ca/profile_parts.h"
#include "ca/san_write.h"
#include "der/oid.h"
#include "der/time.h"
#include <stdlib.h>

/* The lists of one shape, each as long as the profile's. */
struct shape_lists {
	struct tbs_attr *subject;
	struct tbs_san *san;
	uint8_t (*ip)[SAN_IP_MAX_BYTES]; /* of the san entry beside it */
	struct tbs_eku *eku;
	struct tbs_ext *ext;
};

struct one_policy {
	struct tbs_policy policy;
	struct tbs_shape *shapes;
	struct shape_lists *lists;
	size_t n;
};

struct policy_set {
	struct one_policy *list;
	struct proto_policy_item *items;
	size_t n;
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
static enum rc add_run(
        struct tbs_shape *s, struct tbs_ext *ext, struct bytes run)
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
		e.fixed = !oid_is(e.oid, OID_SUBJECT_KEY_ID);
		if (!e.fixed)
			e.value = BYTES_NONE;
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
	s->ext = l->ext;
	rc = add_run(s, l->ext, buf_bytes(&p->run_head));
	if (rc == RC_OK)
		rc = add_run(s, l->ext, buf_bytes(&p->run_tail));
	return rc;
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
	return rc;
}

enum rc policy_compile(struct policy_set **out, struct authorities *a,
        const struct profiles *p, struct why *why)
{
	struct policy_set *s = calloc(1, sizeof *s);
	enum rc rc = RC_OK;
	size_t n = authorities_count(a), i;

	*out = NULL;
	if (s == NULL)
		return RC_NOMEM;
	s->list = calloc(n + 1, sizeof *s->list);
	s->items = calloc(n + 1, sizeof *s->items);
	if (s->list == NULL || s->items == NULL)
		rc = RC_NOMEM;
	for (i = 0; i < n && rc == RC_OK; i++) {
		const struct authority *one = authorities_at(a, i);

		s->n = i + 1;
		rc = one_compile(&s->list[i], one, p, why);
		s->items[i] = (struct proto_policy_item){ one->conf->key->name,
			&s->list[i].policy };
	}
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
	free(s->items);
	free(s);
}

const struct proto_policy_item *policy_items(
        const struct policy_set *s, size_t *n)
{
	*n = s->n;
	return s->items;
}
