/* net/http_uri.h - parts of a request target (RFC 3986): percent-decoding and
 * query parameters. Pure. Needs base/. */
#ifndef MICA_NET_HTTP_URI_H
#define MICA_NET_HTTP_URI_H

#include "base/buf.h"

/* RFC 3986 2.1. `+` stays a plus: base64 in SCEP and OCSP has it as itself.
 * %00 and an escape that is not two hex digits are refused.
 * Errors: RC_MALFORMED RC_TOOBIG RC_NOMEM. */
MUST_CHECK enum rc http_uri_decode(struct buf *out, struct bytes in);

/* The value of `name=` in a query of `&`-separated pairs, still encoded.
 * False when it is absent; a name that comes twice is taken as absent, since
 * readers differ in which one they would take. */
bool http_uri_param(struct bytes query, const char *name, struct bytes *value);

#endif
