#include "base/pack.h"

#include <string.h>

static void pack_be(struct buf *b, uint64_t v, unsigned n)
{
	uint8_t *p = buf_room(b, n);

	if (p == NULL)
		return;
	for (unsigned i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
	buf_added(b, n);
}

void pack_u8(struct buf *b, uint8_t v)
{
	pack_be(b, v, 1);
}

void pack_u16(struct buf *b, uint16_t v)
{
	pack_be(b, v, 2);
}

void pack_u32(struct buf *b, uint32_t v)
{
	pack_be(b, v, 4);
}

void pack_u64(struct buf *b, uint64_t v)
{
	pack_be(b, v, 8);
}

void pack_bytes(struct buf *b, struct bytes v)
{
	if (v.n > UINT32_MAX) {
		if (b->failed == RC_OK)
			b->failed = RC_TOOBIG;
		return;
	}
	pack_u32(b, (uint32_t)v.n);
	buf_add(b, v);
}

void pack_str(struct buf *b, const char *s)
{
	pack_bytes(b, bytes_str(s));
}

void pack_raw(struct buf *b, struct bytes v)
{
	buf_add(b, v);
}

struct unpack unpack_of(struct bytes data)
{
	return (struct unpack){ data, false };
}

struct bytes unpack_raw(struct unpack *u, size_t n)
{
	struct bytes out;

	if (u->failed || n > u->rest.n) {
		u->failed = true;
		u->rest = BYTES_NONE;
		return BYTES_NONE;
	}
	out = bytes_of(u->rest.p, n);
	u->rest = bytes_skip(u->rest, n);
	return out;
}

static uint64_t unpack_be(struct unpack *u, size_t n)
{
	struct bytes raw = unpack_raw(u, n);
	uint64_t v = 0;

	for (size_t i = 0; i < raw.n; i++)
		v = v << 8 | raw.p[i];
	return v;
}

uint8_t unpack_u8(struct unpack *u)
{
	return (uint8_t)unpack_be(u, 1);
}

uint16_t unpack_u16(struct unpack *u)
{
	return (uint16_t)unpack_be(u, 2);
}

uint32_t unpack_u32(struct unpack *u)
{
	return (uint32_t)unpack_be(u, 4);
}

uint64_t unpack_u64(struct unpack *u)
{
	return unpack_be(u, 8);
}

struct bytes unpack_bytes(struct unpack *u)
{
	return unpack_raw(u, unpack_u32(u));
}

void unpack_str(struct unpack *u, char *out, size_t size)
{
	struct bytes raw = unpack_bytes(u);

	out[0] = '\0';
	if (raw.n == 0)
		return;
	if (raw.n >= size || memchr(raw.p, 0, raw.n) != NULL) {
		u->failed = true;
		u->rest = BYTES_NONE;
		return;
	}
	memcpy(out, raw.p, raw.n);
	out[raw.n] = '\0';
}

bool unpack_done(const struct unpack *u)
{
	return !u->failed && u->rest.n == 0;
}
