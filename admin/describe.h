/* admin/describe.h - records of the store as JSON. NULL is out of memory.
 * Private to admin/. */
#ifndef MICA_ADMIN_DESCRIBE_H
#define MICA_ADMIN_DESCRIBE_H

#include "storage/store.h"
#include <jansson.h>

/* Every authority that ever issued: numbers in records become names. */
struct authority_names {
	struct store_authority_list list;
	struct store_authority rows[STORE_ROWS_MAX];
};
/* list is ready to be begun; its op is the caller's to fill. */
void authority_names_init(struct authority_names *n);
/* "?" when there is none. */
const char *authority_names_find(const struct authority_names *n, uint32_t id);

json_t *describe_time_s(int64_t time_s); /* RFC 3339 */
json_t *describe_time_us(int64_t time_us);
json_t *describe_hex(struct bytes in);
json_t *describe_cursor(const struct store_cursor *cursor);
json_t *describe_pem(struct bytes der);

json_t *describe_device(const struct store_device *d);
json_t *describe_cert(
        const struct store_cert *cert, const struct authority_names *names);
json_t *describe_certs(const struct store_cert *rows, size_t n,
        const struct authority_names *names);

/* As it is written everywhere: lower-case hex of the INTEGER, no leading zero
 * octets. */
#define SERIAL_TEXT_BYTES (2 * STORE_SERIAL_BYTES + 1)
const char *serial_text(char *out, const uint8_t serial[STORE_SERIAL_BYTES]);
/* Hex in either case, with or without colons. Errors: RC_MALFORMED. */
MUST_CHECK enum rc serial_parse(
        uint8_t out[STORE_SERIAL_BYTES], const char *text, struct why *why);

/* "keyCompromise"; read in any case. Errors: RC_MALFORMED. */
const char *reason_text(enum cert_reason reason);
MUST_CHECK enum rc reason_parse(
        const char *text, enum cert_reason *out, struct why *why);

#endif
