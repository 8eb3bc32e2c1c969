/* enroll/device.h - what may name a device. One rule for tokens, client
 * certificates, requests and the operator, so that an id means the same wherever
 * it is written: in an URL, a log line, a certificate. Pure. Needs base/, der/.
 */
#ifndef MICA_ENROLL_DEVICE_H
#define MICA_ENROLL_DEVICE_H

#include "base/bytes.h"
#include "base/why.h"
#include "storage/store.h"

/* 1 to STORE_DEVICE_ID_MAX bytes of printable ASCII without `"`, `\`, `/` and
 * `%`, which mean something in logs, paths and templates; a letter or a digit
 * first and no space last. Inner spaces and colons are in: makers put
 * "PID:X1 SN:FOC1234ABCD" into a serialNumber, and addresses have colons.
 * Capitals count. Errors: RC_MALFORMED RC_TOOBIG. */
MUST_CHECK enum rc device_id_check(struct bytes id, struct why *why);

/* The id out of a Name, which has that attribute (OID, content octets) exactly
 * once: RFC 5280 says nothing against one that comes twice, and as an identity
 * it would be whichever a reader takes first. The clause has the attribute's
 * name and whose Name it is ("certificate").
 * Errors: RC_DENIED RC_NOMEM. */
struct device_name {
	struct bytes name; /* DER */
	struct bytes oid;
	const char *attribute;
	const char *of;
};
MUST_CHECK enum rc device_id_read(char out[STORE_DEVICE_ID_MAX + 1],
        const struct device_name *from, struct why *why);

#endif
