/* base/buf.h - the only growing buffer: a cap is given at creation and a write
 * past it fails and stays failed, so a builder checks once, at its end. */
#ifndef MICA_BASE_BUF_H
#define MICA_BASE_BUF_H

#include "base/bytes.h"
#include "base/rc.h"

struct buf {
	uint8_t *p;
	size_t n;       /* bytes written */
	size_t size;    /* bytes allocated */
	size_t max;     /* cap in bytes */
	enum rc failed; /* RC_OK, or the first RC_TOOBIG or RC_NOMEM */
};

/* No allocation happens before the first write. */
#define BUF_INIT(max_bytes) ((struct buf){ NULL, 0, 0, (max_bytes), RC_OK })

void buf_free(struct buf *b);  /* wipes nothing; b can be used again */
void buf_wipe(struct buf *b);  /* as buf_free, after overwriting */
void buf_reset(struct buf *b); /* empty, keeps the memory, clears failed */

/* Room for n more bytes at the end, or NULL (b->failed says why). The caller
 * fills them and then calls buf_added(). */
uint8_t *buf_room(struct buf *b, size_t n);
void buf_added(struct buf *b, size_t n);

void buf_add(struct buf *b, struct bytes data);
void buf_add_u8(struct buf *b, uint8_t v);
void buf_add_str(struct buf *b, const char *s);
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Remove n bytes from the head. */
void buf_drop(struct buf *b, size_t n);

struct bytes buf_bytes(const struct buf *b); /* borrowed until the next call */
/* NUL-terminate beyond n (does not count) and return it; NULL on failure. */
const char *buf_cstr(struct buf *b);
/* Take the memory; the caller frees it with free(). NULL if failed or empty. */
uint8_t *buf_take(struct buf *b, size_t *n);

#endif
