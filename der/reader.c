#include "der/reader.h"
#include "base/text.h"
#include "der/time.h"

#define TAG_CLASS 0xc0
#define TAG_CONSTRUCTED 0x20
#define TAG_NUMBER 0x1f

struct der der_of(struct bytes in)
{
	return (struct der){ in, 0 };
}

bool der_more(const struct der *d)
{
	return d->rest.n > 0;
}

bool der_at(const struct der *d, uint8_t tag)
{
	return d->rest.n > 0 && d->rest.p[0] == tag;
}

enum rc der_done(const struct der *d, const char *what, struct why *why)
{
	if (d->rest.n > 0)
		return why_set(why, RC_MALFORMED, "%s: trailing bytes", what);
	return RC_OK;
}

/* X.690 section 8.1.2; the universal types that exist in DER are primitive
 * except SEQUENCE and SET (sections 8.6.4.1 and 10.2). */
static enum rc check_tag(uint8_t tag, const char *what, struct why *why)
{
	uint8_t number = tag & TAG_NUMBER;
	bool constructed = tag & TAG_CONSTRUCTED;

	if (number == TAG_NUMBER)
		return why_set(
		        why, RC_UNSUPPORTED, "%s: tag number over 30", what);
	if ((tag & TAG_CLASS) != 0)
		return RC_OK;
	if (number == 0 || constructed != (number == 0x10 || number == 0x11))
		return why_set(why, RC_MALFORMED, "%s: tag %02x is not DER",
		        what, tag);
	return RC_OK;
}

/* X.690 sections 8.1.3 and 10.1: definite, in the fewest octets. in stands at
 * the first length octet; *used and *length are set. */
static enum rc read_length(struct bytes in, size_t *used, size_t *length,
        const char *what, struct why *why)
{
	size_t octets, n = 0;

	if (in.n == 0)
		return why_set(why, RC_MALFORMED, "%s: cut short", what);
	if (in.p[0] < 0x80) {
		*used = 1;
		*length = in.p[0];
		return RC_OK;
	}
	octets = in.p[0] & 0x7f;
	if (octets == 0)
		return why_set(
		        why, RC_MALFORMED, "%s: indefinite length", what);
	if (octets > in.n - 1)
		return why_set(why, RC_MALFORMED, "%s: cut short", what);
	if (in.p[1] == 0)
		return why_set(
		        why, RC_MALFORMED, "%s: length is not minimal", what);
	if (octets > 4)
		return why_set(why, RC_TOOBIG, "%s: too long", what);
	for (size_t i = 1; i <= octets; i++)
		n = n << 8 | in.p[i];
	if (n < 0x80)
		return why_set(
		        why, RC_MALFORMED, "%s: length is not minimal", what);
	*used = 1 + octets;
	*length = n;
	return RC_OK;
}

enum rc der_next(
        struct der *d, struct der_item *out, const char *what, struct why *why)
{
	size_t used = 0, length = 0;
	enum rc rc;

	if (d->rest.n == 0)
		return why_set(why, RC_MALFORMED, "%s: missing", what);
	rc = check_tag(d->rest.p[0], what, why);
	if (rc != RC_OK)
		return rc;
	rc = read_length(bytes_skip(d->rest, 1), &used, &length, what, why);
	if (rc != RC_OK)
		return rc;
	used += 1;
	if (length > DER_ELEMENT_MAX_BYTES - used)
		return why_set(why, RC_TOOBIG, "%s: too long", what);
	if (length > d->rest.n - used)
		return why_set(why, RC_MALFORMED, "%s: cut short", what);
	out->tag = d->rest.p[0];
	out->body = (struct bytes){ d->rest.p + used, length };
	out->full = (struct bytes){ d->rest.p, used + length };
	d->rest.p += used + length;
	d->rest.n -= used + length;
	return RC_OK;
}

static enum rc next_tagged(struct der *d, uint8_t tag, struct der_item *out,
        const char *what, struct why *why)
{
	if (der_more(d) && d->rest.p[0] != tag)
		return why_set(why, RC_MALFORMED, "%s: tag %02x, not %02x",
		        what, d->rest.p[0], tag);
	return der_next(d, out, what, why);
}

enum rc der_expect(struct der *d, uint8_t tag, struct bytes *body,
        const char *what, struct why *why)
{
	struct der_item item;
	enum rc rc = next_tagged(d, tag, &item, what, why);

	if (rc == RC_OK && body)
		*body = item.body;
	return rc;
}

enum rc der_expect_full(struct der *d, uint8_t tag, struct bytes *full,
        const char *what, struct why *why)
{
	struct der_item item;
	enum rc rc = next_tagged(d, tag, &item, what, why);

	if (rc == RC_OK)
		*full = item.full;
	return rc;
}

enum rc der_optional(struct der *d, uint8_t tag, struct bytes *body,
        bool *present, const char *what, struct why *why)
{
	enum rc rc;

	if (!der_at(d, tag)) {
		*body = BYTES_NONE;
		*present = false;
		return RC_OK;
	}
	rc = der_expect(d, tag, body, what, why);
	if (rc == RC_OK)
		*present = true;
	return rc;
}

enum rc der_enter(struct der *d, uint8_t tag, struct der *inside,
        const char *what, struct why *why)
{
	struct bytes body;
	enum rc rc;

	if (d->depth >= DER_DEPTH_MAX)
		return why_set(why, RC_TOOBIG, "%s: nested too deep", what);
	rc = der_expect(d, tag, &body, what, why);
	if (rc == RC_OK)
		*inside = (struct der){ body, d->depth + 1 };
	return rc;
}

enum rc der_open(struct bytes in, uint8_t tag, struct der *inside,
        const char *what, struct why *why)
{
	struct der d = der_of(in);
	struct der body;
	enum rc rc = der_enter(&d, tag, &body, what, why);

	if (rc == RC_OK)
		rc = der_done(&d, what, why);
	if (rc == RC_OK)
		*inside = body;
	return rc;
}

/* Checks on content octets, each by its clause of X.690. */

static bool body_is_bool(struct bytes body)
{
	/* section 11.1 */
	return body.n == 1 && (body.p[0] == 0x00 || body.p[0] == 0xff);
}

bool der_body_is_integer(struct bytes body)
{
	/* section 8.3.2: the first nine bits are not all alike */
	if (body.n == 0)
		return false;
	if (body.n == 1)
		return true;
	if (body.p[0] == 0x00)
		return body.p[1] >= 0x80;
	if (body.p[0] == 0xff)
		return body.p[1] < 0x80;
	return true;
}

bool der_body_is_oid(struct bytes body)
{
	bool start = true;

	if (body.n == 0 || body.n > DER_OID_MAX_BYTES)
		return false;
	for (size_t i = 0; i < body.n; i++) {
		/* section 8.19.2: no arc begins with 80 */
		if (start && body.p[i] == 0x80)
			return false;
		start = !(body.p[i] & 0x80);
	}
	return start;
}

static bool body_is_bits(struct bytes body)
{
	/* sections 8.6.2 and 11.2.1 */
	if (body.n == 0 || body.p[0] > 7)
		return false;
	if (body.n == 1)
		return body.p[0] == 0;
	return (body.p[body.n - 1] & ((1u << body.p[0]) - 1)) == 0;
}

bool der_body_is_printable(struct bytes body)
{
	for (size_t i = 0; i < body.n; i++) {
		uint8_t c = body.p[i];
		bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
		bool digit = c >= '0' && c <= '9';

		if (letter || digit)
			continue;
		switch (c) {
		case ' ':
		case '\'':
		case '(':
		case ')':
		case '+':
		case ',':
		case '-':
		case '.':
		case '/':
		case ':':
		case '=':
		case '?':
			break;
		default:
			return false;
		}
	}
	return true;
}

bool der_body_is_ia5(struct bytes body)
{
	for (size_t i = 0; i < body.n; i++) {
		if (body.p[i] > 0x7f)
			return false;
	}
	return true;
}

/* Read one element of tag whose content passes ok. */
static enum rc checked(struct der *d, uint8_t tag, bool (*ok)(struct bytes),
        struct bytes *out, const char *what, struct why *why)
{
	struct der at = *d;
	struct bytes body;
	enum rc rc = der_expect(&at, tag, &body, what, why);

	if (rc != RC_OK)
		return rc;
	if (!ok(body))
		return why_set(why, RC_MALFORMED, "%s: not canonical", what);
	*d = at;
	*out = body;
	return RC_OK;
}

enum rc der_bool(struct der *d, bool *out, const char *what, struct why *why)
{
	struct bytes body;
	enum rc rc = checked(d, DER_BOOLEAN, body_is_bool, &body, what, why);

	if (rc == RC_OK)
		*out = body.p[0] == 0xff;
	return rc;
}

enum rc der_integer(
        struct der *d, struct bytes *out, const char *what, struct why *why)
{
	return checked(d, DER_INTEGER, der_body_is_integer, out, what, why);
}

enum rc der_integer_unsigned(
        struct der *d, struct bytes *out, const char *what, struct why *why)
{
	struct der at = *d;
	struct bytes body;
	enum rc rc = der_integer(&at, &body, what, why);

	if (rc != RC_OK)
		return rc;
	if (body.p[0] & 0x80)
		return why_set(why, RC_MALFORMED, "%s: negative", what);
	*d = at;
	*out = body.p[0] == 0 ? bytes_skip(body, 1) : body;
	return RC_OK;
}

enum rc der_integer_u64(struct der *d, uint64_t max, uint64_t *out,
        const char *what, struct why *why)
{
	struct der at = *d;
	struct bytes magnitude;
	uint64_t v = 0;
	enum rc rc = der_integer_unsigned(&at, &magnitude, what, why);

	if (rc != RC_OK)
		return rc;
	for (size_t i = 0; i < magnitude.n && magnitude.n <= 8; i++)
		v = v << 8 | magnitude.p[i];
	if (magnitude.n > 8 || v > max)
		return why_set(why, RC_TOOBIG, "%s: too large", what);
	*d = at;
	*out = v;
	return RC_OK;
}

static bool body_is_empty(struct bytes body)
{
	return body.n == 0;
}

enum rc der_null(struct der *d, const char *what, struct why *why)
{
	struct bytes body;

	return checked(d, DER_NULL, body_is_empty, &body, what, why);
}

enum rc der_oid(
        struct der *d, struct bytes *out, const char *what, struct why *why)
{
	return checked(d, DER_OID, der_body_is_oid, out, what, why);
}

enum rc der_octet_string(
        struct der *d, struct bytes *out, const char *what, struct why *why)
{
	return der_expect(d, DER_OCTET_STRING, out, what, why);
}

enum rc der_bit_string(struct der *d, struct bytes *bits, unsigned *unused,
        const char *what, struct why *why)
{
	struct bytes body;
	enum rc rc = checked(d, DER_BIT_STRING, body_is_bits, &body, what, why);

	if (rc != RC_OK)
		return rc;
	*unused = body.p[0];
	*bits = bytes_skip(body, 1);
	return RC_OK;
}

enum rc der_bit_octets(
        struct der *d, struct bytes *out, const char *what, struct why *why)
{
	struct der at = *d;
	struct bytes bits;
	unsigned unused;
	enum rc rc = der_bit_string(&at, &bits, &unused, what, why);

	if (rc != RC_OK)
		return rc;
	if (unused != 0)
		return why_set(why, RC_MALFORMED, "%s: not whole octets", what);
	*d = at;
	*out = bits;
	return RC_OK;
}

enum rc der_named_bits(
        struct der *d, uint32_t *out, const char *what, struct why *why)
{
	struct der at = *d;
	struct bytes bits;
	unsigned unused;
	uint32_t v = 0;
	enum rc rc = der_bit_string(&at, &bits, &unused, what, why);

	if (rc != RC_OK)
		return rc;
	if (bits.n > 4)
		return why_set(why, RC_TOOBIG, "%s: too many bits", what);
	if (bits.n > 0 && !(bits.p[bits.n - 1] >> unused & 1))
		return why_set(
		        why, RC_MALFORMED, "%s: trailing zero bits", what);
	for (size_t i = 0; i < bits.n * 8; i++) {
		if (bits.p[i / 8] & 0x80 >> i % 8)
			v |= UINT32_C(1) << i;
	}
	*d = at;
	*out = v;
	return RC_OK;
}

enum rc der_time(struct der *d, int64_t *out, const char *what, struct why *why)
{
	struct der at = *d;
	struct bytes body;
	int64_t t;
	enum rc rc;

	if (!der_at(d, DER_UTC_TIME)) {
		rc = der_generalized_time(&at, &t, what, why);
		if (rc != RC_OK)
			return rc;
		if (t >= TIME_UTC_MIN_S && t <= TIME_UTC_MAX_S)
			return why_set(why, RC_MALFORMED,
			        "%s: GeneralizedTime before 2050", what);
	} else {
		rc = der_expect(&at, DER_UTC_TIME, &body, what, why);
		if (rc != RC_OK)
			return rc;
		if (time_parse_utc(body, &t) != RC_OK)
			return why_set(
			        why, RC_MALFORMED, "%s: not a UTCTime", what);
	}
	*d = at;
	*out = t;
	return RC_OK;
}

enum rc der_generalized_time(
        struct der *d, int64_t *out, const char *what, struct why *why)
{
	struct der at = *d;
	struct bytes body;
	enum rc rc = der_expect(&at, DER_GENERALIZED_TIME, &body, what, why);

	if (rc != RC_OK)
		return rc;
	if (time_parse_generalized(body, out) != RC_OK)
		return why_set(
		        why, RC_MALFORMED, "%s: not a GeneralizedTime", what);
	*d = at;
	return RC_OK;
}

enum rc der_check_set_of(struct bytes body, const char *what, struct why *why)
{
	struct der d = der_of(body);
	struct bytes last = BYTES_NONE;
	struct der_item item;

	while (der_more(&d)) {
		enum rc rc = der_next(&d, &item, what, why);

		if (rc != RC_OK)
			return rc;
		if (bytes_cmp(last, item.full) > 0)
			return why_set(why, RC_MALFORMED,
			        "%s: SET OF out of order", what);
		last = item.full;
	}
	return RC_OK;
}

static bool body_is_canonical(uint8_t tag, struct bytes body)
{
	int64_t t;

	switch (tag) {
	case DER_BOOLEAN:
		return body_is_bool(body);
	case DER_INTEGER:
	case DER_ENUMERATED:
		return der_body_is_integer(body);
	case DER_BIT_STRING:
		return body_is_bits(body);
	case DER_NULL:
		return body_is_empty(body);
	case DER_OID:
		return der_body_is_oid(body);
	case DER_UTF8_STRING:
		return text_is_utf8(body);
	case DER_PRINTABLE_STRING:
		return der_body_is_printable(body);
	case DER_IA5_STRING:
		return der_body_is_ia5(body);
	case DER_UTC_TIME:
		return time_parse_utc(body, &t) == RC_OK;
	case DER_GENERALIZED_TIME:
		return time_parse_generalized(body, &t) == RC_OK;
	default:
		return true;
	}
}

enum rc der_check(struct bytes in, const char *what, struct why *why)
{
	struct der open[DER_DEPTH_MAX + 1] = { der_of(in) };
	struct der_item item;
	unsigned depth = 0;
	enum rc rc;

	rc = der_next(&open[0], &item, what, why);
	if (rc == RC_OK)
		rc = der_done(&open[0], what, why);
	if (rc != RC_OK)
		return rc;
	open[0] = der_of(in);
	for (;;) {
		while (!der_more(&open[depth])) {
			if (depth-- == 0)
				return RC_OK;
		}
		rc = der_next(&open[depth], &item, what, why);
		if (rc != RC_OK)
			return rc;
		if (!(item.tag & TAG_CONSTRUCTED)) {
			if (!body_is_canonical(item.tag, item.body))
				return why_set(why, RC_MALFORMED,
				        "%s: tag %02x is not canonical", what,
				        item.tag);
			continue;
		}
		if (depth == DER_DEPTH_MAX)
			return why_set(
			        why, RC_TOOBIG, "%s: nested too deep", what);
		open[++depth] = der_of(item.body);
	}
}
