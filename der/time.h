/* der/time.h - UTCTime and GeneralizedTime as RFC 5280 section 4.1.2.5 allows
 * them (seconds present, Z, no fraction), and Unix seconds both ways on the
 * proleptic Gregorian calendar. Pure: no clock, no locale. Needs base/. */
#ifndef MICA_DER_TIME_H
#define MICA_DER_TIME_H

#include "base/bytes.h"
#include "base/rc.h"

/* 99991231235959Z: no well-defined expiration (RFC 5280 section 4.1.2.5). */
#define TIME_NEVER_S INT64_C(253402300799)
/* 00000101000000Z */
#define TIME_MIN_S INT64_C(-62167219200)
/* The first and the last second of UTCTime: 1950 through 2049. */
#define TIME_UTC_MIN_S INT64_C(-631152000)
#define TIME_UTC_MAX_S INT64_C(2524607999)

#define TIME_UTC_BYTES 13         /* YYMMDDHHMMSSZ */
#define TIME_GENERALIZED_BYTES 15 /* YYYYMMDDHHMMSSZ */

/* Content octets in, Unix seconds out; *out is untouched on RC_MALFORMED.
 * A second of 60 is refused: RFC 5280 has no leap seconds. */
MUST_CHECK enum rc time_parse_utc(struct bytes body, int64_t *out);
MUST_CHECK enum rc time_parse_generalized(struct bytes body, int64_t *out);

/* Write exactly TIME_..._BYTES, no NUL. False, and nothing written, when
 * time_s is outside the type's range. */
MUST_CHECK bool time_format_utc(uint8_t *out, int64_t time_s);
MUST_CHECK bool time_format_generalized(uint8_t *out, int64_t time_s);

#endif
