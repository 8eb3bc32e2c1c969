/* der/writer.h - DER writer (X.690) over a capped struct buf: append, and fix
 * the length up when a constructed value ends. Nothing is checked on the way:
 * an overflow, or a value that has no valid encoding (RC_MALFORMED), stays in
 * b->failed, and the builder looks there once, at its end. Pure. Needs base/.
 *
 *     size_t seq = der_begin(b, DER_SEQUENCE);
 *     der_put_oid(b, oid_bytes(OID_ED25519));
 *     der_end(b, seq);
 */
#ifndef MICA_DER_WRITER_H
#define MICA_DER_WRITER_H

#include "base/buf.h"
#include "der/reader.h"

/* Begin a constructed value, or one whose content is DER itself (an OCTET
 * STRING, an EXPLICIT tag); the result closes it. Values nest. */
size_t der_begin(struct buf *b, uint8_t tag);
/* A BIT STRING around DER: no unused bits. Closed with der_end(). */
size_t der_begin_bits(struct buf *b);
void der_end(struct buf *b, size_t mark);
/* Sort the elements written since mark (X.690 section 11.6), then end. At most
 * DER_SET_OF_MAX of them. */
#define DER_SET_OF_MAX 64
void der_end_set_of(struct buf *b, size_t mark);

/* Header alone, for content of known length that follows in pieces. */
void der_put_header(struct buf *b, uint8_t tag, size_t content_bytes);
/* How long that header is: 2 to 6. */
size_t der_header_bytes(size_t content_bytes);

/* tag, length, body: any primitive, also under an IMPLICIT tag. */
void der_put(struct buf *b, uint8_t tag, struct bytes body);
/* DER that stands finished elsewhere. */
void der_put_raw(struct buf *b, struct bytes der);
void der_put_null(struct buf *b);
void der_put_bool(struct buf *b, bool v);
void der_put_u64(struct buf *b, uint64_t v);
/* An unsigned magnitude, big endian: leading zeros are dropped and one is put
 * back where the sign bit needs it. Empty is zero. */
void der_put_unsigned(struct buf *b, struct bytes magnitude);
/* As der_put_unsigned under another tag (ENUMERATED, IMPLICIT). */
void der_put_unsigned_as(struct buf *b, uint8_t tag, struct bytes magnitude);
void der_put_oid(struct buf *b, struct bytes oid); /* content octets */
void der_put_octets(struct buf *b, struct bytes v);
void der_put_bits(struct buf *b, struct bytes v); /* whole octets */
/* A NamedBitList: bit 0 of v is bit 0 of the ASN.1; trailing zeros dropped. */
void der_put_named_bits(struct buf *b, uint32_t v);

/* Text; the wrong character set fails with RC_MALFORMED. */
void der_put_utf8(struct buf *b, struct bytes text);
void der_put_printable(struct buf *b, struct bytes text);
void der_put_ia5(struct buf *b, struct bytes text);

/* RFC 5280 section 4.1.2.5: UTCTime from 1950 through 2049, else
 * GeneralizedTime, years 0 to 9999. */
void der_put_time(struct buf *b, int64_t time_s);
void der_put_generalized_time(struct buf *b, int64_t time_s);

#endif
