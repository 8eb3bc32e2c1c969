/* conf/value.h - the notations of mica.yaml: durations, sizes, percentages,
 * addresses, names. Pure: text in, value out; false when it is not one.
 * Needs base/. */
#ifndef MICA_CONF_VALUE_H
#define MICA_CONF_VALUE_H

#include "base/buf.h"

#define VALUE_SECOND_MS INT64_C(1000)
#define VALUE_MINUTE_MS (60 * VALUE_SECOND_MS)
#define VALUE_HOUR_MS (60 * VALUE_MINUTE_MS)
#define VALUE_DAY_MS (24 * VALUE_HOUR_MS)
#define VALUE_YEAR_MS (365 * VALUE_DAY_MS)

/* A number and its unit, one of ms s min h d w y (365 days), nothing between:
 * "90d". A bare "0" needs none. */
MUST_CHECK bool value_duration_ms(const char *text, int64_t *out);
/* A number and its unit, one of B KiB MiB GiB TiB: "64GiB". */
MUST_CHECK bool value_size_bytes(const char *text, uint64_t *out);
/* "66%", "99.5%": at most one decimal. */
MUST_CHECK bool value_permille(const char *text, uint32_t *out);
/* yes, no, true, false. */
MUST_CHECK bool value_bool(const char *text, bool *out);

/* The largest unit that gives a whole number. */
#define VALUE_TEXT_BYTES 32
const char *value_duration_text(char *out, int64_t ms);
const char *value_size_text(char *out, uint64_t bytes);

/* [A-Za-z0-9._-]+, at most CONF_NAME_MAX. */
bool value_is_name(const char *text);
/* "192.0.2.1:8443" or "[2001:db8::1]:8443"; port 0 is the kernel's choice. */
bool value_is_address(const char *text);
/* An IP address, or a DNS name (RFC 1123 section 2.1: letters, digits and
 * hyphens), perhaps with `*` as its first label. */
bool value_is_host(const char *text);
/* http:// or https://, a host, printable ASCII without spaces. */
bool value_is_url(const char *text);
/* What is wrong with a PKCS#11 URI for a private key (RFC 7512), or NULL: it
 * names an object or an id, and has no query. */
const char *value_pkcs11_fault(const char *text);
/* A relative path without `..` in it. */
bool value_is_below(const char *text);

#endif
