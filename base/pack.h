/* base/pack.h - the one byte encoding of our own records and messages:
 * big-endian integers and length-prefixed bytes. Used by the store's records
 * and by the frames between processes; never on the network. Pure. */
#ifndef MICA_BASE_PACK_H
#define MICA_BASE_PACK_H

#include "base/buf.h"

void pack_u8(struct buf *b, uint8_t v);
void pack_u16(struct buf *b, uint16_t v);
void pack_u32(struct buf *b, uint32_t v);
void pack_u64(struct buf *b, uint64_t v);
void pack_bytes(struct buf *b, struct bytes v); /* u32 length, then bytes */
void pack_str(struct buf *b, const char *s);    /* as bytes, no NUL */
void pack_raw(struct buf *b, struct bytes v);   /* no length */

/* A cursor. A read past the end sets failed, returns zero or the empty view,
 * and all later reads do the same: check once with unpack_done(). */
struct unpack {
	struct bytes rest;
	bool failed;
};

struct unpack unpack_of(struct bytes data);
uint8_t unpack_u8(struct unpack *u);
uint16_t unpack_u16(struct unpack *u);
uint32_t unpack_u32(struct unpack *u);
uint64_t unpack_u64(struct unpack *u);
struct bytes unpack_bytes(struct unpack *u); /* borrowed from data */
struct bytes unpack_raw(struct unpack *u, size_t n);
/* Into a char array of size bytes, NUL-terminated; fails when too long or
 * when it holds a NUL. */
void unpack_str(struct unpack *u, char *out, size_t size);
/* True when nothing failed and every byte was read. */
bool unpack_done(const struct unpack *u);

#endif
