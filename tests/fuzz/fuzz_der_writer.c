/* What the reader takes, the writer writes again to the byte: DER has one
 * encoding. */
#include "der/alg.h"
#include "der/name.h"
#include "der/time.h"
#include "der/writer.h"
#include "tests/fuzz/fuzz.h"

static void rewrite_time(struct buf *out, struct der_item item)
{
	uint8_t text[TIME_GENERALIZED_BYTES];
	int64_t t;

	if (item.tag == DER_UTC_TIME) {
		must(time_parse_utc(item.body, &t) == RC_OK);
		must(time_format_utc(text, t));
	} else {
		must(time_parse_generalized(item.body, &t) == RC_OK);
		must(time_format_generalized(text, t));
	}
	der_put(out, item.tag, bytes_of(text, item.body.n));
}

static void rewrite_oid(struct buf *out, struct bytes body)
{
	struct buf dotted = BUF_INIT(1024), back = BUF_INIT(1024);
	enum rc rc = oid_print(&dotted, body);

	if (rc == RC_OK) {
		must(oid_parse(&back, buf_bytes(&dotted), NULL) == RC_OK);
		der_put_oid(out, buf_bytes(&back));
	} else {
		must(rc == RC_TOOBIG);
		der_put_oid(out, body);
	}
	buf_free(&dotted);
	buf_free(&back);
}

static void rewrite_bits(struct buf *out, struct der_item item)
{
	struct der d = der_of(item.full);
	struct bytes octets;
	uint32_t bits;

	if (der_named_bits(&d, &bits, "x", NULL) == RC_OK)
		der_put_named_bits(out, bits);
	else if (der_bit_octets(&d, &octets, "x", NULL) == RC_OK)
		der_put_bits(out, octets);
	else
		der_put(out, item.tag, item.body);
}

static void rewrite_item(struct buf *out, struct der_item item)
{
	switch (item.tag) {
	case DER_BOOLEAN:
		der_put_bool(out, item.body.p[0] != 0);
		break;
	case DER_INTEGER:
		if (item.body.p[0] & 0x80)
			der_put(out, item.tag, item.body);
		else
			der_put_unsigned(out, item.body);
		break;
	case DER_BIT_STRING:
		rewrite_bits(out, item);
		break;
	case DER_OID:
		rewrite_oid(out, item.body);
		break;
	case DER_UTF8_STRING:
		der_put_utf8(out, item.body);
		break;
	case DER_UTC_TIME:
	case DER_GENERALIZED_TIME:
		rewrite_time(out, item);
		break;
	default:
		der_put(out, item.tag, item.body);
	}
}

static bool is_sorted_set(struct der_item item)
{
	/* of at most DER_SET_OF_MAX elements: each has two bytes or more */
	return item.tag == DER_SET && item.body.n < 2 * DER_SET_OF_MAX &&
	        der_check_set_of(item.body, "x", NULL) == RC_OK;
}

/* No deeper than der_check() let it be. */
static void rewrite(struct buf *out, struct bytes in)
{
	struct der d = der_of(in);
	struct der_item item;

	while (der_more(&d)) {
		size_t mark;

		must(der_next(&d, &item, "x", NULL) == RC_OK);
		if (!(item.tag & 0x20)) {
			rewrite_item(out, item);
			continue;
		}
		mark = der_begin(out, item.tag);
		rewrite(out, item.body);
		if (is_sorted_set(item))
			der_end_set_of(out, mark);
		else
			der_end(out, mark);
	}
}

static void rewrite_spki(struct bytes in)
{
	struct buf out = BUF_INIT(1u << 16);
	struct spki s;

	if (spki_parse(&s, in, NULL) == RC_OK) {
		if (s.type == KEY_RSA)
			spki_put_rsa(&out, s.modulus, s.exponent);
		else
			spki_put_raw(&out, s.type, s.key);
		must(bytes_eq(buf_bytes(&out), in));
	}
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);
	struct buf out = BUF_INIT(size + 16);

	rewrite_spki(in);
	if (der_check(in, "x", NULL) == RC_OK) {
		rewrite(&out, in);
		must(out.failed == RC_OK);
		must(bytes_eq(buf_bytes(&out), in));
	}
	buf_free(&out);
	return 0;
}
