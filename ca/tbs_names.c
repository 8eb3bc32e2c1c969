/* ca/tbs_names.c - subject and subjectAltName against a shape. */
#include "ca/tbs_names.h"

#include "der/name.h"
#include "der/oid.h"
#include "der/reader.h"

/* GeneralName, RFC 5280 section 4.2.1.6 */
#define GN_OTHER DER_CONTEXT_CONS(0)
#define GN_EMAIL DER_CONTEXT(1)
#define GN_DNS DER_CONTEXT(2)
#define GN_URI DER_CONTEXT(6)
#define GN_IP DER_CONTEXT(7)

/* What a variable stands for holds no control characters: no place that shows
 * a name can be fooled by them. */
static bool is_plain(struct bytes v)
{
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] < 0x20 || v.p[i] == 0x7f)
			return false;
	return true;
}

/* The variable part of value, or false when value does not fit. */
static bool text_fits(
        const struct tbs_text *t, struct bytes value, struct bytes *variable)
{
	size_t ends = t->head.n + t->tail.n;

	*variable = BYTES_NONE;
	if (t->mode == TBS_FIXED)
		return bytes_eq(value, t->head);
	if (value.n <= ends || !bytes_starts(value, t->head) ||
	        !bytes_eq(bytes_skip(value, value.n - t->tail.n), t->tail))
		return false;
	*variable = bytes_slice(value, t->head.n, value.n - ends);
	return true;
}

static bool attr_fits(const struct tbs_attr *a, const struct name_attr *found)
{
	struct bytes variable;

	return bytes_eq(found->oid, a->oid) &&
	        (found->tag == DER_UTF8_STRING ||
	                found->tag == DER_PRINTABLE_STRING ||
	                found->tag == DER_IA5_STRING) &&
	        text_fits(&a->value, found->value, &variable) &&
	        is_plain(variable);
}

enum rc tbs_check_subject(
        const struct tbs_shape *s, const struct tbs_view *v, struct why *why)
{
	struct name_walk w = name_walk(v->subject);
	struct name_attr found;
	unsigned rdn = 0;
	size_t i = 0;

	for (; name_next(&w, &found); rdn++) {
		if (found.rdn != rdn)
			return DENIED(why, "subject: a multi-valued RDN");
		while (i < s->n_subject && s->subject[i].optional &&
		        !attr_fits(&s->subject[i], &found))
			i++;
		if (i == s->n_subject || !attr_fits(&s->subject[i], &found))
			return DENIED(why,
			        "subject: attribute %s is outside the profile",
			        tbs_oid_label(found.oid));
		i++;
	}
	for (; i < s->n_subject; i++)
		if (!s->subject[i].optional)
			return DENIED(why, "subject: attribute %s is missing",
			        tbs_oid_label(s->subject[i].oid));
	return RC_OK;
}

/* Letters, digits, `-`, `_` and dots. A wildcard is for a profile that leaves
 * the whole name open, and only as its first label (RFC 6125 section 6.4.3):
 * beside a fixed part it would stand for every device. */
static bool dns_is_plain(struct bytes v, bool whole)
{
	if (whole && bytes_starts(v, BYTES_LIT("*.")))
		v = bytes_skip(v, 2);
	for (size_t i = 0; i < v.n; i++) {
		uint8_t c = v.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		            (c >= '0' && c <= '9') || c == '-' || c == '_' ||
		            c == '.'))
			return false;
	}
	return v.n > 0;
}

static bool ia5_fits(const struct tbs_san *s, struct bytes value)
{
	struct bytes variable;

	if (!der_body_is_ia5(value) || !text_fits(&s->value, value, &variable))
		return false;
	if (s->value.mode == TBS_FIXED)
		return true;
	if (s->form == TBS_SAN_DNS)
		return dns_is_plain(variable, s->value.mode == TBS_ANY);
	return is_plain(variable);
}

/* HardwareModuleName ::= SEQUENCE { hwType OID, hwSerialNum OCTET STRING },
 * RFC 4108 section 5 */
static bool hardware_fits(const struct tbs_san *s, struct der *in)
{
	struct bytes type, serial, variable;
	struct der d;

	return !der_enter(in, DER_SEQUENCE, &d, "", NULL) &&
	        !der_oid(&d, &type, "", NULL) &&
	        !der_octet_string(&d, &serial, "", NULL) && !der_more(&d) &&
	        bytes_eq(type, s->oid) &&
	        text_fits(&s->value, serial, &variable);
}

/* PermanentIdentifier ::= SEQUENCE { identifierValue UTF8String OPTIONAL,
 * assigner OID OPTIONAL }, RFC 4043 section 2. We always write the value. */
static bool permanent_fits(const struct tbs_san *s, struct der *in)
{
	struct bytes id, variable, assigner = BYTES_NONE;
	struct der d;

	return !der_enter(in, DER_SEQUENCE, &d, "", NULL) &&
	        !der_expect(&d, DER_UTF8_STRING, &id, "", NULL) &&
	        (!der_more(&d) || !der_oid(&d, &assigner, "", NULL)) &&
	        !der_more(&d) && bytes_eq(assigner, s->oid) &&
	        text_fits(&s->value, id, &variable) && is_plain(variable);
}

/* OtherName ::= SEQUENCE { type-id OID, value [0] EXPLICIT ANY } */
static bool other_fits(const struct tbs_san *s, struct bytes body)
{
	struct der d = der_of(body), value;
	struct bytes type;
	bool fits;

	if (der_oid(&d, &type, "", NULL) ||
	        der_enter(&d, DER_CONTEXT_CONS(0), &value, "", NULL) ||
	        der_more(&d))
		return false;
	if (s->form == TBS_SAN_HARDWARE_MODULE)
		fits = oid_is(type, OID_ON_HARDWARE_MODULE_NAME) &&
		        hardware_fits(s, &value);
	else
		fits = oid_is(type, OID_ON_PERMANENT_IDENTIFIER) &&
		        permanent_fits(s, &value);
	return fits && !der_more(&value);
}

static bool san_fits(const struct tbs_san *s, const struct der_item *name)
{
	struct bytes variable;

	switch (s->form) {
	case TBS_SAN_DNS:
		return name->tag == GN_DNS && ia5_fits(s, name->body);
	case TBS_SAN_EMAIL:
		return name->tag == GN_EMAIL && ia5_fits(s, name->body);
	case TBS_SAN_URI:
		return name->tag == GN_URI && ia5_fits(s, name->body);
	case TBS_SAN_IP:
		return name->tag == GN_IP &&
		        (name->body.n == 4 || name->body.n == 16) &&
		        text_fits(&s->value, name->body, &variable);
	case TBS_SAN_HARDWARE_MODULE:
	case TBS_SAN_PERMANENT_ID:
		return name->tag == GN_OTHER && other_fits(s, name->body);
	}
	return false;
}

static const char *gn_label(uint8_t tag)
{
	static const char *const label[] = { "otherName", "rfc822Name",
		"dNSName", "x400Address", "directoryName", "ediPartyName",
		"uniformResourceIdentifier", "iPAddress", "registeredID" };
	unsigned n = tag & 0x1f;

	return n < sizeof(label) / sizeof(*label) ? label[n] : "a name";
}

static enum rc match_san(const struct tbs_shape *s, struct bytes value,
        uint32_t *taken, struct why *why)
{
	struct der_item name;
	struct der d;
	enum rc rc = der_open(value, DER_SEQUENCE, &d, "subjectAltName", why);

	if (!rc && !der_more(&d))
		rc = why_set(why, RC_MALFORMED, "subjectAltName: none in it");
	while (!rc && der_more(&d)) {
		size_t i = 0;

		rc = der_next(&d, &name, "subjectAltName", why);
		if (rc)
			return rc;
		while (i < s->n_san &&
		        ((s->san[i].max && taken[i] == s->san[i].max) ||
		                !san_fits(&s->san[i], &name)))
			i++;
		if (i == s->n_san)
			return DENIED(why,
			        "subjectAltName: %s is outside the profile",
			        gn_label(name.tag));
		taken[i]++;
	}
	return rc;
}

enum rc tbs_check_san(
        const struct tbs_shape *s, const struct tbs_view *v, struct why *why)
{
	uint32_t taken[TBS_ITEMS_MAX] = { 0 };
	enum rc rc = RC_OK;

	if (v->san && s->n_san == 0)
		return DENIED(why, "subjectAltName is outside the profile");
	/* RFC 5280 section 4.1.2.6 */
	if (name_is_empty(v->subject) && (!v->san || !v->san->critical))
		return DENIED(why,
		        "an empty subject without a critical subjectAltName");
	if (v->san)
		rc = match_san(s, v->san->value, taken, why);
	for (size_t i = 0; i < s->n_san && !rc; i++)
		if (taken[i] < s->san[i].min)
			rc = DENIED(why, "subjectAltName: a name is missing");
	return rc;
}

const char *tbs_oid_label(struct bytes oid)
{
	enum oid known = oid_find(oid);

	return known == OID_NONE ? "of another type" : oid_name(known);
}
