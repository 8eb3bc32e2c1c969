#include "der/oid.h"
#include "base/text.h"
#include "der/reader.h"
#include <string.h>

struct row {
	const char *name;
	const char *dotted;
	struct bytes der;
};

static const struct row rows[OID_COUNT] = {
	{ "none", "", { NULL, 0 } },
#define OID(id, name, dotted, der) { name, dotted, BYTES_LIT(der) },
#include "der/oid.def"
#undef OID
};

/* Arcs are held in 63 bits, so that the sum of the first two cannot wrap. */
#define ARC_MAX (UINT64_C(1) << 63)

static const struct row *row_of(enum oid oid)
{
	return &rows[(unsigned)oid < OID_COUNT ? oid : OID_NONE];
}

struct bytes oid_bytes(enum oid oid)
{
	return row_of(oid)->der;
}

const char *oid_name(enum oid oid)
{
	return row_of(oid)->name;
}

const char *oid_dotted(enum oid oid)
{
	return row_of(oid)->dotted;
}

enum oid oid_find(struct bytes body)
{
	unsigned lo = OID_NONE + 1, hi = OID_COUNT;

	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;
		int order = bytes_cmp(body, rows[mid].der);

		if (order == 0)
			return (enum oid)mid;
		if (order < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return OID_NONE;
}

enum oid oid_by_name(struct bytes name)
{
	for (unsigned i = OID_NONE + 1; i < OID_COUNT; i++) {
		if (bytes_eq_nocase(name, bytes_str(rows[i].name)))
			return (enum oid)i;
	}
	return OID_NONE;
}

bool oid_is(struct bytes body, enum oid oid)
{
	return oid != OID_NONE && bytes_eq(body, oid_bytes(oid));
}

/* One arc in base 128, high octets first; returns how many were written. */
static size_t put_arc(uint8_t *out, uint64_t arc)
{
	size_t n = 1;

	for (uint64_t v = arc >> 7; v != 0; v >>= 7)
		n++;
	for (size_t i = n; i-- > 0; arc >>= 7)
		out[i] = (uint8_t)((arc & 0x7f) | (i + 1 < n ? 0x80 : 0));
	return n;
}

static enum rc read_arc(struct bytes text, uint64_t max, uint64_t *out)
{
	if (text.n > 1 && text.p[0] == '0')
		return RC_MALFORMED;
	return text_u64(text, max, out);
}

enum rc oid_parse(struct buf *out, struct bytes dotted, struct why *why)
{
	uint8_t body[DER_OID_MAX_BYTES + 10];
	struct bytes arc, rest;
	uint64_t first, v;
	size_t n = 0;
	bool more;

	if (!bytes_cut(dotted, '.', &arc, &rest) ||
	        read_arc(arc, 2, &first) != RC_OK)
		return why_set(why, RC_MALFORMED,
		        "OID: does not begin with 0., 1. or 2.");
	do {
		uint64_t max = ARC_MAX - 1;

		if (n == 0)
			max = first < 2 ? 39 : ARC_MAX - 81;
		more = bytes_cut(rest, '.', &arc, &rest);
		if (read_arc(arc, max, &v) != RC_OK)
			return why_set(why, RC_MALFORMED,
			        "OID: an arc is no number in range");
		n += put_arc(body + n, n == 0 ? first * 40 + v : v);
		if (n > DER_OID_MAX_BYTES)
			return why_set(why, RC_TOOBIG, "OID: too long");
	} while (more);
	buf_add(out, bytes_of(body, n));
	return out->failed;
}

enum rc oid_parse_any(struct buf *out, struct bytes text, struct why *why)
{
	enum oid known = oid_by_name(text);

	if (known == OID_NONE)
		return oid_parse(out, text, why);
	buf_add(out, oid_bytes(known));
	return out->failed;
}

enum rc oid_print(struct buf *out, struct bytes body)
{
	size_t start = out->n;
	uint64_t arc = 0;
	bool first = true;

	if (!der_body_is_oid(body))
		return RC_MALFORMED;
	for (size_t i = 0; i < body.n; i++) {
		if (arc >> 56) {
			out->n = start;
			return RC_TOOBIG;
		}
		arc = arc << 7 | (body.p[i] & 0x7f);
		if (body.p[i] & 0x80)
			continue;
		if (first) {
			unsigned root = arc < 40 ? 0 : arc < 80 ? 1 : 2;

			buf_addf(out, "%u.", root);
			arc -= root * 40;
		} else {
			buf_addf(out, ".");
		}
		buf_addf(out, "%llu", (unsigned long long)arc);
		first = false;
		arc = 0;
	}
	return out->failed;
}
