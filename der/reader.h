/* der/reader.h - strict DER reader (X.690 sections 8, 10 and 11) over borrowed
 * views. What is not the one valid encoding is refused: indefinite or
 * non-minimal lengths, tag numbers over 30, BOOLEANs other than 00 and FF,
 * padded INTEGERs, set unused bits, bytes left over. Pure. Needs base/ only.
 *
 * Every reader takes `what`, the field's name in the words of its RFC, for the
 * clause in why. A view that comes back is borrowed from the input. After an
 * error the cursor stands where it stood and the outputs are untouched.
 * Errors: RC_MALFORMED; RC_TOOBIG for a cap; RC_UNSUPPORTED for a tag number
 * over 30, which no structure that we read has. */
#ifndef MICA_DER_READER_H
#define MICA_DER_READER_H

#include "base/bytes.h"
#include "base/why.h"

/* Constructed values inside each other. The deepest structure that we read,
 * an extension inside a certificate inside CMS, stays under 20. */
#define DER_DEPTH_MAX 24
/* One element, header included: a CRL of ten million entries fits. Views of it
 * take no memory, and lengths stay far from where arithmetic would wrap. */
#define DER_ELEMENT_MAX_BYTES (1u << 30)
/* Content octets of one OID; ours stay under 16. */
#define DER_OID_MAX_BYTES 64

/* Identifier octets, class and constructed bit included. */
enum der_tag {
	DER_BOOLEAN = 0x01,
	DER_INTEGER = 0x02,
	DER_BIT_STRING = 0x03,
	DER_OCTET_STRING = 0x04,
	DER_NULL = 0x05,
	DER_OID = 0x06,
	DER_ENUMERATED = 0x0a,
	DER_UTF8_STRING = 0x0c,
	DER_NUMERIC_STRING = 0x12,
	DER_PRINTABLE_STRING = 0x13,
	DER_TELETEX_STRING = 0x14,
	DER_IA5_STRING = 0x16,
	DER_UTC_TIME = 0x17,
	DER_GENERALIZED_TIME = 0x18,
	DER_VISIBLE_STRING = 0x1a,
	DER_UNIVERSAL_STRING = 0x1c,
	DER_BMP_STRING = 0x1e,
	DER_SEQUENCE = 0x30,
	DER_SET = 0x31,
};
/* [n], primitive (an IMPLICIT primitive) and constructed (EXPLICIT, or an
 * IMPLICIT SEQUENCE or SET); n at most 30. */
#define DER_CONTEXT(n) ((uint8_t)(0x80 | (n)))
#define DER_CONTEXT_CONS(n) ((uint8_t)(0xa0 | (n)))

/* A cursor over the elements that stand side by side in rest. */
struct der {
	struct bytes rest;
	unsigned depth;
};

struct der_item {
	uint8_t tag;
	struct bytes body; /* content octets */
	struct bytes full; /* header and content */
};

struct der der_of(struct bytes in);
bool der_more(const struct der *d);
/* Is the next element's identifier octet tag? False at the end. */
bool der_at(const struct der *d, uint8_t tag);
/* RC_MALFORMED unless every byte was read. */
MUST_CHECK enum rc der_done(
        const struct der *d, const char *what, struct why *why);

/* Any element. */
MUST_CHECK enum rc der_next(
        struct der *d, struct der_item *out, const char *what, struct why *why);
/* The element must carry tag; body may be NULL. */
MUST_CHECK enum rc der_expect(struct der *d, uint8_t tag, struct bytes *body,
        const char *what, struct why *why);
/* As der_expect, giving header and content. */
MUST_CHECK enum rc der_expect_full(struct der *d, uint8_t tag,
        struct bytes *full, const char *what, struct why *why);
/* Absent: RC_OK, *present false, *body empty. */
MUST_CHECK enum rc der_optional(struct der *d, uint8_t tag, struct bytes *body,
        bool *present, const char *what, struct why *why);
/* A constructed element, to be read through *inside, one level deeper. */
MUST_CHECK enum rc der_enter(struct der *d, uint8_t tag, struct der *inside,
        const char *what, struct why *why);
/* As der_enter on an input that is exactly one element. */
MUST_CHECK enum rc der_open(struct bytes in, uint8_t tag, struct der *inside,
        const char *what, struct why *why);

MUST_CHECK enum rc der_bool(
        struct der *d, bool *out, const char *what, struct why *why);
/* Content octets: minimal two's complement. */
MUST_CHECK enum rc der_integer(
        struct der *d, struct bytes *out, const char *what, struct why *why);
/* Zero or greater: the magnitude without leading zeros (zero is empty). */
MUST_CHECK enum rc der_integer_unsigned(
        struct der *d, struct bytes *out, const char *what, struct why *why);
/* 0 to max; RC_TOOBIG above. */
MUST_CHECK enum rc der_integer_u64(struct der *d, uint64_t max, uint64_t *out,
        const char *what, struct why *why);
MUST_CHECK enum rc der_null(struct der *d, const char *what, struct why *why);
/* Content octets: at least one arc, each minimal (X.690 section 8.19). */
MUST_CHECK enum rc der_oid(
        struct der *d, struct bytes *out, const char *what, struct why *why);
MUST_CHECK enum rc der_octet_string(
        struct der *d, struct bytes *out, const char *what, struct why *why);
/* bits without the leading octet; unused is 0 to 7, those bits are zero. */
MUST_CHECK enum rc der_bit_string(struct der *d, struct bytes *bits,
        unsigned *unused, const char *what, struct why *why);
/* A BIT STRING of whole octets. */
MUST_CHECK enum rc der_bit_octets(
        struct der *d, struct bytes *out, const char *what, struct why *why);
/* A NamedBitList (X.690 section 11.2.2: no trailing zero bits) of at most 32
 * bits; bit 0 of the ASN.1 is bit 0 of *out. */
MUST_CHECK enum rc der_named_bits(
        struct der *d, uint32_t *out, const char *what, struct why *why);
/* Time of RFC 5280 section 4.1.2.5: UTCTime through 2049, then
 * GeneralizedTime. Unix seconds. */
MUST_CHECK enum rc der_time(
        struct der *d, int64_t *out, const char *what, struct why *why);
/* GeneralizedTime at any date, as OCSP has it (RFC 6960 section 4.2.1). */
MUST_CHECK enum rc der_generalized_time(
        struct der *d, int64_t *out, const char *what, struct why *why);

/* Checks on content octets, for IMPLICIT tags and stored values. */
bool der_body_is_integer(struct bytes body);
bool der_body_is_oid(struct bytes body);
bool der_body_is_printable(struct bytes body); /* PrintableString's set */
bool der_body_is_ia5(struct bytes body);       /* 00 to 7f */

/* The elements of a SET OF stand in the order of their encodings (X.690
 * section 11.6). body is the SET's content. */
MUST_CHECK enum rc der_check_set_of(
        struct bytes body, const char *what, struct why *why);
/* The whole tree is well formed: exactly one element, all lengths nest, the
 * depth cap holds, universal primitives have their canonical form. For values
 * that we carry without knowing their type. */
MUST_CHECK enum rc der_check(
        struct bytes in, const char *what, struct why *why);

#endif
