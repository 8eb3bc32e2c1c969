#include "der/writer.h"
#include "base/text.h"
#include "der/time.h"
#include <string.h>

static void fail(struct buf *b, enum rc rc)
{
	if (b->failed == RC_OK)
		b->failed = rc;
}

/* Octets of a long-form length after its first; 0 for the short form. */
static size_t length_octets(size_t n)
{
	if (n < 0x80)
		return 0;
	if (n <= 0xff)
		return 1;
	if (n <= 0xffff)
		return 2;
	if (n <= 0xffffff)
		return 3;
	return 4;
}

static void write_length(uint8_t *p, size_t n)
{
	size_t octets = length_octets(n);

	if (octets == 0) {
		*p = (uint8_t)n;
		return;
	}
	*p++ = (uint8_t)(0x80 | octets);
	while (octets-- > 0)
		*p++ = (uint8_t)(n >> 8 * octets);
}

size_t der_header_bytes(size_t content_bytes)
{
	return 2 + length_octets(content_bytes);
}

void der_put_header(struct buf *b, uint8_t tag, size_t content_bytes)
{
	size_t n = der_header_bytes(content_bytes);
	uint8_t *p;

	if (content_bytes > DER_ELEMENT_MAX_BYTES - n) {
		fail(b, RC_TOOBIG);
		return;
	}
	p = buf_room(b, n);
	if (!p)
		return;
	p[0] = tag;
	write_length(p + 1, content_bytes);
	buf_added(b, n);
}

/* Header, and room for the content, which the caller fills in. */
static uint8_t *put_room(struct buf *b, uint8_t tag, size_t n)
{
	size_t head = der_header_bytes(n);
	uint8_t *p;

	if (n > DER_ELEMENT_MAX_BYTES - head) {
		fail(b, RC_TOOBIG);
		return NULL;
	}
	p = buf_room(b, head + n);
	if (!p)
		return NULL;
	p[0] = tag;
	write_length(p + 1, n);
	buf_added(b, head + n);
	return p + head;
}

size_t der_begin(struct buf *b, uint8_t tag)
{
	/* One octet stands for the length: most values are short, and moving
	 * the rest up costs less than knowing every length beforehand. */
	put_room(b, tag, 0);
	return b->n;
}

size_t der_begin_bits(struct buf *b)
{
	size_t mark = der_begin(b, DER_BIT_STRING);

	buf_add_u8(b, 0);
	return mark;
}

void der_end(struct buf *b, size_t mark)
{
	size_t n, octets;

	if (b->failed != RC_OK)
		return;
	n = b->n - mark;
	octets = length_octets(n);
	if (n > DER_ELEMENT_MAX_BYTES - 2 - octets) {
		fail(b, RC_TOOBIG);
		return;
	}
	if (octets > 0) {
		if (!buf_room(b, octets))
			return;
		memmove(b->p + mark + octets, b->p + mark, n);
		buf_added(b, octets);
	}
	write_length(b->p + mark - 1, n);
}

static void reverse(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		uint8_t t = p[i];

		p[i] = p[n - 1 - i];
		p[n - 1 - i] = t;
	}
}

/* Move the last `tail` of n bytes to the front. */
static void rotate(uint8_t *p, size_t n, size_t tail)
{
	reverse(p, n - tail);
	reverse(p + n - tail, tail);
	reverse(p, n);
}

/* Lengths of the elements in body, in their order; 0 when there are too many
 * or they are no DER. */
static size_t element_lengths(struct bytes body, size_t *len)
{
	struct der d = der_of(body);
	struct der_item item;
	size_t count = 0;

	while (der_more(&d)) {
		if (count == DER_SET_OF_MAX)
			return 0;
		if (der_next(&d, &item, "SET OF", NULL) != RC_OK)
			return 0;
		len[count++] = item.full.n;
	}
	return count;
}

/* Insertion sort in place: sets here hold one or two elements. */
void der_end_set_of(struct buf *b, size_t mark)
{
	size_t len[DER_SET_OF_MAX];
	size_t count, end = mark;

	if (b->failed != RC_OK)
		return;
	count = element_lengths(bytes_skip(buf_bytes(b), mark), len);
	if (count == 0 && b->n > mark) {
		fail(b, RC_MALFORMED);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		struct bytes added = bytes_of(b->p + end, len[i]);
		size_t at = mark, j = 0;

		while (j < i &&
		        bytes_cmp(bytes_of(b->p + at, len[j]), added) <= 0)
			at += len[j++];
		rotate(b->p + at, end + added.n - at, added.n);
		end += added.n;
		memmove(len + j + 1, len + j, (i - j) * sizeof(len[0]));
		len[j] = added.n;
	}
	der_end(b, mark);
}

void der_put(struct buf *b, uint8_t tag, struct bytes body)
{
	uint8_t *p = put_room(b, tag, body.n);

	if (p && body.n > 0)
		memcpy(p, body.p, body.n);
}

void der_put_raw(struct buf *b, struct bytes der)
{
	buf_add(b, der);
}

void der_put_null(struct buf *b)
{
	put_room(b, DER_NULL, 0);
}

void der_put_bool(struct buf *b, bool v)
{
	uint8_t *p = put_room(b, DER_BOOLEAN, 1);

	if (p)
		*p = v ? 0xff : 0x00;
}

void der_put_u64(struct buf *b, uint64_t v)
{
	uint8_t octets[8];

	for (unsigned i = 0; i < 8; i++)
		octets[i] = (uint8_t)(v >> (56 - 8 * i));
	der_put_unsigned(b, BYTES_ARRAY(octets));
}

void der_put_unsigned_as(struct buf *b, uint8_t tag, struct bytes magnitude)
{
	size_t pad;
	uint8_t *p;

	while (magnitude.n > 0 && magnitude.p[0] == 0)
		magnitude = bytes_skip(magnitude, 1);
	pad = magnitude.n == 0 || magnitude.p[0] & 0x80 ? 1 : 0;
	p = put_room(b, tag, magnitude.n + pad);
	if (!p)
		return;
	if (pad)
		*p++ = 0;
	if (magnitude.n > 0)
		memcpy(p, magnitude.p, magnitude.n);
}

void der_put_unsigned(struct buf *b, struct bytes magnitude)
{
	der_put_unsigned_as(b, DER_INTEGER, magnitude);
}

void der_put_oid(struct buf *b, struct bytes oid)
{
	if (oid.n == 0 || oid.n > DER_OID_MAX_BYTES) {
		fail(b, RC_MALFORMED);
		return;
	}
	der_put(b, DER_OID, oid);
}

void der_put_octets(struct buf *b, struct bytes v)
{
	der_put(b, DER_OCTET_STRING, v);
}

void der_put_bits(struct buf *b, struct bytes v)
{
	uint8_t *p;

	if (v.n > DER_ELEMENT_MAX_BYTES) {
		fail(b, RC_TOOBIG);
		return;
	}
	p = put_room(b, DER_BIT_STRING, v.n + 1);
	if (!p)
		return;
	*p++ = 0;
	if (v.n > 0)
		memcpy(p, v.p, v.n);
}

void der_put_named_bits(struct buf *b, uint32_t v)
{
	uint8_t body[5] = { 0 };
	unsigned used = 0;

	for (unsigned i = 0; i < 32; i++) {
		if (!(v >> i & 1))
			continue;
		body[1 + i / 8] |= (uint8_t)(0x80 >> i % 8);
		used = i + 1;
	}
	body[0] = (uint8_t)((8 - used % 8) % 8);
	der_put(b, DER_BIT_STRING, bytes_of(body, 1 + (used + 7) / 8));
}

void der_put_utf8(struct buf *b, struct bytes text)
{
	if (!text_is_utf8(text)) {
		fail(b, RC_MALFORMED);
		return;
	}
	der_put(b, DER_UTF8_STRING, text);
}

void der_put_printable(struct buf *b, struct bytes text)
{
	if (!der_body_is_printable(text)) {
		fail(b, RC_MALFORMED);
		return;
	}
	der_put(b, DER_PRINTABLE_STRING, text);
}

void der_put_ia5(struct buf *b, struct bytes text)
{
	if (!der_body_is_ia5(text)) {
		fail(b, RC_MALFORMED);
		return;
	}
	der_put(b, DER_IA5_STRING, text);
}

void der_put_time(struct buf *b, int64_t time_s)
{
	uint8_t text[TIME_UTC_BYTES];

	if (time_format_utc(text, time_s))
		der_put(b, DER_UTC_TIME, BYTES_ARRAY(text));
	else
		der_put_generalized_time(b, time_s);
}

void der_put_generalized_time(struct buf *b, int64_t time_s)
{
	uint8_t text[TIME_GENERALIZED_BYTES];

	if (time_format_generalized(text, time_s))
		der_put(b, DER_GENERALIZED_TIME, BYTES_ARRAY(text));
	else
		fail(b, RC_MALFORMED);
}
