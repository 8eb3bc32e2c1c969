/* net/http_date.h - dates in header fields (RFC 9110 section 5.6.7) and the
 * conditions that a client puts on a GET (sections 13.1.2 and 13.1.3). Without
 * the locale. Pure. Needs base/. */
#ifndef MICA_NET_HTTP_DATE_H
#define MICA_NET_HTTP_DATE_H

#include "base/bytes.h"
#include <stdint.h>

/* "Sun, 06 Nov 1994 08:49:37 GMT" and its NUL */
#define HTTP_DATE_BYTES 30

/* IMF-fixdate; a year beyond 9999 is written as its last four digits. */
const char *http_date_format(char out[HTTP_DATE_BYTES], int64_t time_s);
/* IMF-fixdate alone: who still sends another form is answered in full. The day
 * of the week is not looked at. */
bool http_date_parse(struct bytes in, int64_t *time_s);

/* Is what the client has still right? if_none_match and if_modified_since are
 * the fields' values, p NULL where absent; the first rules out the second.
 * etag has its quotes. */
bool http_not_modified(struct bytes if_none_match,
        struct bytes if_modified_since, const char *etag,
        int64_t last_modified_s);

#endif
