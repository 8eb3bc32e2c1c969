#include "der/name.h"
#include "base/text.h"
#include "der/writer.h"

/* How an attribute is written: its string type and its upper bound in
 * characters (RFC 5280 appendix A.1, RFC 2985, X.520). */
struct rule {
	enum oid oid;
	uint8_t tag;
	unsigned max;
};

static const struct rule rules[] = {
	{ OID_CN, DER_UTF8_STRING, 64 },
	{ OID_SERIAL_NUMBER, DER_PRINTABLE_STRING, 64 },
	{ OID_C, DER_PRINTABLE_STRING, 2 },
	{ OID_L, DER_UTF8_STRING, 128 },
	{ OID_ST, DER_UTF8_STRING, 128 },
	{ OID_STREET, DER_UTF8_STRING, 128 },
	{ OID_O, DER_UTF8_STRING, 64 },
	{ OID_OU, DER_UTF8_STRING, 64 },
	{ OID_TITLE, DER_UTF8_STRING, 64 },
	{ OID_POSTAL_CODE, DER_UTF8_STRING, 40 },
	{ OID_PSEUDONYM, DER_UTF8_STRING, 128 },
	{ OID_DN_QUALIFIER, DER_PRINTABLE_STRING, NAME_VALUE_MAX_CHARS },
	{ OID_DC, DER_IA5_STRING, 63 },
	{ OID_EMAIL, DER_IA5_STRING, 255 },
	{ OID_UNSTRUCTURED_NAME, DER_UTF8_STRING, 255 },
};

static struct rule rule_of(struct bytes oid)
{
	struct rule any = { OID_NONE, DER_UTF8_STRING, NAME_VALUE_MAX_CHARS };

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (oid_is(oid, rules[i].oid))
			return rules[i];
	}
	return any;
}

static bool has_nul(struct bytes text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == 0)
			return true;
	}
	return false;
}

static bool is_numeric(struct bytes text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] != ' ' && (text.p[i] < '0' || text.p[i] > '9'))
			return false;
	}
	return true;
}

static uint32_t bmp_at(struct bytes text, size_t i)
{
	return (uint32_t)text.p[i] << 8 | text.p[i + 1];
}

/* UCS-2: whole characters, no U+0000 and no surrogates. */
static bool is_bmp(struct bytes text)
{
	if (text.n % 2 != 0)
		return false;
	for (size_t i = 0; i < text.n; i += 2) {
		uint32_t c = bmp_at(text, i);

		if (c == 0 || (c >= 0xd800 && c <= 0xdfff))
			return false;
	}
	return true;
}

static enum rc check_value(const struct der_item *value, struct why *why)
{
	struct bytes text = value->body;
	bool ok;

	switch (value->tag) {
	case DER_UTF8_STRING:
		ok = text_is_utf8(text) && !has_nul(text);
		break;
	case DER_PRINTABLE_STRING:
		ok = der_body_is_printable(text);
		break;
	case DER_IA5_STRING:
		ok = der_body_is_ia5(text) && !has_nul(text);
		break;
	case DER_NUMERIC_STRING:
		ok = is_numeric(text);
		break;
	case DER_TELETEX_STRING:
		ok = !has_nul(text);
		break;
	case DER_BMP_STRING:
		ok = is_bmp(text);
		break;
	default:
		return why_set(why, RC_UNSUPPORTED,
		        "Name: value of string type %02x", value->tag);
	}
	if (!ok)
		return why_set(why, RC_MALFORMED,
		        "Name: value outside its character set");
	if (text.n == 0)
		return why_set(why, RC_MALFORMED, "Name: empty value");
	return RC_OK;
}

/* One AttributeTypeAndValue (RFC 5280 section 4.1.2.4). */
static enum rc read_attr(struct der *attrs, struct bytes *oid,
        struct der_item *value, struct why *why)
{
	struct der atv;
	enum rc rc;

	rc = der_enter(attrs, DER_SEQUENCE, &atv, "AttributeTypeAndValue", why);
	if (rc == RC_OK)
		rc = der_oid(&atv, oid, "AttributeType", why);
	if (rc == RC_OK)
		rc = der_next(&atv, value, "AttributeValue", why);
	if (rc == RC_OK)
		rc = der_done(&atv, "AttributeTypeAndValue", why);
	return rc;
}

static enum rc check_rdn(struct der *rdns, unsigned *count, struct why *why)
{
	struct der_item value;
	struct bytes oid;
	struct der attrs;
	enum rc rc;

	rc = der_enter(rdns, DER_SET, &attrs, "RelativeDistinguishedName", why);
	if (rc == RC_OK && !der_more(&attrs))
		rc = why_set(
		        why, RC_MALFORMED, "RelativeDistinguishedName: empty");
	if (rc == RC_OK)
		rc = der_check_set_of(
		        attrs.rest, "RelativeDistinguishedName", why);
	while (rc == RC_OK && der_more(&attrs)) {
		if (++*count > NAME_ATTRS_MAX)
			return why_set(why, RC_TOOBIG,
			        "Name: more than %d attributes",
			        NAME_ATTRS_MAX);
		rc = read_attr(&attrs, &oid, &value, why);
		if (rc == RC_OK)
			rc = check_value(&value, why);
	}
	return rc;
}

enum rc name_check(struct bytes name, struct why *why)
{
	unsigned count = 0;
	struct der rdns;
	enum rc rc;

	if (name.n > NAME_MAX_BYTES)
		return why_set(
		        why, RC_TOOBIG, "Name: over %d bytes", NAME_MAX_BYTES);
	rc = der_open(name, DER_SEQUENCE, &rdns, "Name", why);
	while (rc == RC_OK && der_more(&rdns))
		rc = check_rdn(&rdns, &count, why);
	return rc;
}

bool name_is_empty(struct bytes name)
{
	struct der rdns;

	return der_open(name, DER_SEQUENCE, &rdns, "Name", NULL) == RC_OK &&
	        !der_more(&rdns);
}

struct name_walk name_walk(struct bytes name)
{
	struct name_walk w = { 0 };

	if (der_open(name, DER_SEQUENCE, &w.rdns, "Name", NULL) != RC_OK)
		w.rdns = der_of(BYTES_NONE);
	return w;
}

bool name_next(struct name_walk *w, struct name_attr *out)
{
	struct der_item value;
	struct bytes oid;

	while (!der_more(&w->attrs)) {
		if (!der_more(&w->rdns))
			return false;
		if (der_enter(&w->rdns, DER_SET, &w->attrs, "RDN", NULL) !=
		        RC_OK)
			return false;
		w->rdn++;
	}
	if (read_attr(&w->attrs, &oid, &value, NULL) != RC_OK)
		return false;
	*out = (struct name_attr){ oid, value.tag, value.body, w->rdn - 1 };
	return true;
}

bool name_get(struct bytes name, struct bytes oid, unsigned nth,
        struct name_attr *out)
{
	struct name_walk w = name_walk(name);
	struct name_attr a;

	while (name_next(&w, &a)) {
		if (!bytes_eq(a.oid, oid) || nth-- > 0)
			continue;
		*out = a;
		return true;
	}
	return false;
}

unsigned name_count(struct bytes name, struct bytes oid)
{
	struct name_walk w = name_walk(name);
	struct name_attr a;
	unsigned n = 0;

	while (name_next(&w, &a))
		n += bytes_eq(a.oid, oid);
	return n;
}

/* A character of the basic multilingual plane as UTF-8 (RFC 3629). */
static void add_utf8(struct buf *out, uint32_t c)
{
	if (c < 0x80) {
		buf_add_u8(out, (uint8_t)c);
		return;
	}
	if (c < 0x800) {
		buf_add_u8(out, (uint8_t)(0xc0 | c >> 6));
	} else {
		buf_add_u8(out, (uint8_t)(0xe0 | c >> 12));
		buf_add_u8(out, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
	}
	buf_add_u8(out, (uint8_t)(0x80 | (c & 0x3f)));
}

enum rc name_attr_text(struct buf *out, const struct name_attr *a)
{
	struct bytes v = a->value;

	switch (a->tag) {
	case DER_TELETEX_STRING:
		for (size_t i = 0; i < v.n; i++)
			add_utf8(out, v.p[i]);
		break;
	case DER_BMP_STRING:
		for (size_t i = 0; i + 1 < v.n; i += 2)
			add_utf8(out, bmp_at(v, i));
		break;
	default:
		buf_add(out, v);
	}
	return out->failed;
}

/* RFC 4514 section 2.4; controls, which it leaves alone, go as hex pairs, so
 * that a name stays one line. */
static void escape(struct buf *out, struct bytes text)
{
	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];
		bool first = i == 0, last = i + 1 == text.n;

		if (c < 0x20 || c == 0x7f) {
			buf_addf(out, "\\%02x", c);
			continue;
		}
		if ((c == ' ' && (first || last)) || (c == '#' && first) ||
		        c == '"' || c == '+' || c == ',' || c == ';' ||
		        c == '<' || c == '>' || c == '\\')
			buf_add_u8(out, '\\');
		buf_add_u8(out, c);
	}
}

static enum rc print_attr(struct buf *out, const struct name_attr *a)
{
	/* a value in UTF-8 is at most three times its encoding */
	struct buf text = BUF_INIT(NAME_MAX_BYTES * 3);
	enum oid known = oid_find(a->oid);
	enum rc rc;

	if (known == OID_NONE) {
		rc = oid_print(out, a->oid);
		if (rc != RC_OK)
			return rc;
		buf_add_str(out, "=#");
		der_put(&text, a->tag, a->value);
		hex_encode(out, buf_bytes(&text));
	} else {
		buf_addf(out, "%s=", oid_name(known));
		if (name_attr_text(&text, a) == RC_OK)
			escape(out, buf_bytes(&text));
	}
	rc = text.failed != RC_OK ? text.failed : out->failed;
	buf_free(&text);
	return rc;
}

enum rc name_print(struct buf *out, struct bytes name)
{
	struct name_attr attrs[NAME_ATTRS_MAX];
	struct name_walk w = name_walk(name);
	size_t start, end, n = 0;
	enum rc rc = RC_OK;

	while (n < NAME_ATTRS_MAX && name_next(&w, &attrs[n]))
		n++;
	/* RFC 4514 section 2.1: the last RDN first */
	for (end = n; end > 0 && rc == RC_OK; end = start) {
		start = end - 1;
		while (start > 0 && attrs[start - 1].rdn == attrs[start].rdn)
			start--;
		for (size_t i = start; i < end && rc == RC_OK; i++) {
			if (i > start)
				buf_add_u8(out, '+');
			else if (end < n)
				buf_add_u8(out, ',');
			rc = print_attr(out, &attrs[i]);
		}
	}
	return rc;
}

/* For text that is UTF-8. */
static size_t count_chars(struct bytes text)
{
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++)
		n += (text.p[i] & 0xc0) != 0x80;
	return n;
}

/* ISO 3166 codes, which X.520 wants for countryName: two capitals. */
static bool is_country(struct bytes text)
{
	return text.n == 2 && text.p[0] >= 'A' && text.p[0] <= 'Z' &&
	        text.p[1] >= 'A' && text.p[1] <= 'Z';
}

enum rc name_part_check(const struct name_part *part, struct why *why)
{
	struct rule rule = rule_of(part->oid);
	enum oid known = oid_find(part->oid);
	const char *what = known == OID_NONE ? "attribute" : oid_name(known);
	bool ok = true;

	if (!der_body_is_oid(part->oid))
		return why_set(why, RC_MALFORMED, "Name: not an OID");
	if (part->text.n == 0)
		return why_set(why, RC_MALFORMED, "Name: %s: empty", what);
	if (rule.tag == DER_PRINTABLE_STRING)
		ok = der_body_is_printable(part->text);
	else if (rule.tag == DER_IA5_STRING)
		ok = der_body_is_ia5(part->text);
	if (!ok || !text_is_utf8(part->text) || has_nul(part->text))
		return why_set(why, RC_MALFORMED,
		        "Name: %s: outside its character set", what);
	if (count_chars(part->text) > rule.max)
		return why_set(why, RC_TOOBIG, "Name: %s: over %u characters",
		        what, rule.max);
	if (rule.oid == OID_C && !is_country(part->text))
		return why_set(
		        why, RC_MALFORMED, "Name: C: not two capital letters");
	return RC_OK;
}

enum rc name_write(struct buf *b, const struct name_part *parts, size_t count,
        struct why *why)
{
	size_t start = b->n, name;
	enum rc rc;

	if (count > NAME_ATTRS_MAX)
		return why_set(why, RC_TOOBIG, "Name: more than %d attributes",
		        NAME_ATTRS_MAX);
	for (size_t i = 0; i < count; i++) {
		rc = name_part_check(&parts[i], why);
		if (rc != RC_OK)
			return rc;
	}
	name = der_begin(b, DER_SEQUENCE);
	for (size_t i = 0; i < count; i++) {
		size_t rdn = der_begin(b, DER_SET);
		size_t atv = der_begin(b, DER_SEQUENCE);

		der_put_oid(b, parts[i].oid);
		der_put(b, rule_of(parts[i].oid).tag, parts[i].text);
		der_end(b, atv);
		der_end(b, rdn);
	}
	der_end(b, name);
	if (b->failed == RC_OK && b->n - start <= NAME_MAX_BYTES)
		return RC_OK;
	b->n = start;
	return why_set(why, b->failed != RC_OK ? b->failed : RC_TOOBIG,
	        "Name: %s", rc_info(RC_TOOBIG)->text);
}
