#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BYTES 64

static void fail(struct buf *b, enum rc rc)
{
	if (b->failed == RC_OK)
		b->failed = rc;
}

/* One byte more than the caller asked for is always allocated, so that
 * buf_cstr() and buf_addf() have room for a NUL that does not count. Memory
 * that is left behind is wiped: a secret that was built here leaves no copy. */
static bool grow(struct buf *b, size_t want)
{
	size_t size = b->size < FIRST_BYTES ? FIRST_BYTES : b->size;
	uint8_t *p;

	if (want >= SIZE_MAX / 2) {
		fail(b, RC_NOMEM);
		return false;
	}
	while (size < want + 1)
		size *= 2;
	if (b->max < SIZE_MAX && size > b->max + 1)
		size = b->max + 1;
	p = malloc(size);
	if (p == NULL) {
		fail(b, RC_NOMEM);
		return false;
	}
	if (b->n > 0)
		memcpy(p, b->p, b->n);
	bytes_wipe(b->p, b->n);
	free(b->p);
	b->p = p;
	b->size = size;
	return true;
}

void buf_free(struct buf *b)
{
	free(b->p);
	*b = BUF_INIT(b->max);
}

void buf_wipe(struct buf *b)
{
	bytes_wipe(b->p, b->size);
	buf_free(b);
}

void buf_reset(struct buf *b)
{
	b->n = 0;
	b->failed = RC_OK;
}

uint8_t *buf_room(struct buf *b, size_t n)
{
	if (b->failed != RC_OK)
		return NULL;
	if (n > b->max - b->n) {
		fail(b, RC_TOOBIG);
		return NULL;
	}
	if (b->size < b->n + n + 1 && !grow(b, b->n + n))
		return NULL;
	return b->p + b->n;
}

void buf_added(struct buf *b, size_t n)
{
	b->n += n;
}

void buf_add(struct buf *b, struct bytes data)
{
	uint8_t *p;

	if (data.n == 0)
		return;
	p = buf_room(b, data.n);
	if (p == NULL)
		return;
	memcpy(p, data.p, data.n);
	b->n += data.n;
}

void buf_add_u8(struct buf *b, uint8_t v)
{
	uint8_t *p = buf_room(b, 1);

	if (p == NULL)
		return;
	*p = v;
	b->n++;
}

void buf_add_str(struct buf *b, const char *s)
{
	buf_add(b, bytes_str(s));
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	uint8_t *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0) {
		fail(b, RC_INTERNAL);
		return;
	}
	p = buf_room(b, (size_t)n);
	if (p == NULL)
		return;
	va_start(ap, fmt);
	(void)vsnprintf((char *)p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->n += (size_t)n;
}

void buf_drop(struct buf *b, size_t n)
{
	if (n >= b->n) {
		b->n = 0;
		return;
	}
	if (n == 0)
		return;
	b->n -= n;
	memmove(b->p, b->p + n, b->n);
}

struct bytes buf_bytes(const struct buf *b)
{
	return bytes_of(b->p, b->n);
}

const char *buf_cstr(struct buf *b)
{
	uint8_t *end = buf_room(b, 0);

	if (end == NULL)
		return NULL;
	*end = '\0';
	return (const char *)b->p;
}

uint8_t *buf_take(struct buf *b, size_t *n)
{
	uint8_t *p = b->p;

	if (b->failed != RC_OK || b->n == 0) {
		*n = 0;
		return NULL;
	}
	*n = b->n;
	*b = BUF_INIT(b->max);
	return p;
}
