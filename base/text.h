/* base/text.h - bytes as text and back: base64 (RFC 4648), hex, decimal
 * numbers, escaping for logs, UTF-8. Strict unless it says otherwise. Pure. */
#ifndef MICA_BASE_TEXT_H
#define MICA_BASE_TEXT_H

#include "base/buf.h"
#include "base/why.h"

/* RFC 4648 section 4, padded; columns 0 puts it all on one line without a
 * newline, otherwise each line ends in '\n'. */
void base64_encode(struct buf *out, struct bytes in, unsigned columns);
/* As EST clients send it: white space (SP TAB CR LF) is skipped anywhere,
 * padding may be absent, other bytes are RC_MALFORMED, as are nonzero
 * trailing bits. Errors: RC_MALFORMED RC_TOOBIG RC_NOMEM. */
MUST_CHECK enum rc base64_decode(struct buf *out, struct bytes in);

/* Of one digit, either case; -1 if it is none. */
int hex_value(uint8_t c);
void hex_encode(struct buf *out, struct bytes in); /* lower case */
/* Even number of digits, either case, nothing else. */
MUST_CHECK enum rc hex_decode(struct buf *out, struct bytes in);

/* Decimal digits only, no sign, no space, at most max. RC_MALFORMED RC_TOOBIG */
MUST_CHECK enum rc text_u64(struct bytes in, uint64_t max, uint64_t *out);

/* Printable ASCII as it is; `"`, `\` and everything else as \xHH. */
void text_escape(struct buf *out, struct bytes in);
/* RFC 3629: no overlongs, no surrogates, at most U+10FFFF. */
bool text_is_utf8(struct bytes in);
/* 0x20 to 0x7e only. */
bool text_is_print(struct bytes in);

/* RFC 3339 UTC, whole seconds ("2026-11-22T10:00:00Z"); out holds
 * TEXT_TIME_BYTES. */
#define TEXT_TIME_BYTES 32
const char *text_time(char *out, int64_t time_s);
/* Back, with "Z" or "+01:00" behind; a date alone is its midnight in UTC. No
 * fractions, no leap seconds. Errors: RC_MALFORMED. */
MUST_CHECK enum rc text_time_parse(const char *text, int64_t *out);

/* Levenshtein distance for "did you mean"; SIZE_MAX past 32 bytes. */
size_t text_distance(const char *a, const char *b);

#endif
