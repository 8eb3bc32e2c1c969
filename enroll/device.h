/* enroll/device.h - what may name a device. One rule for tokens, client
 * certificates and the operator, so that an id means the same wherever it is
 * written: in an URL, a log line, a certificate. Pure. Needs base/. */
#ifndef MICA_ENROLL_DEVICE_H
#define MICA_ENROLL_DEVICE_H

#include "base/bytes.h"
#include "base/why.h"

/* 1 to STORE_DEVICE_ID_MAX bytes of printable ASCII without `"`, `\`, `/` and
 * `%`, which mean something in logs, paths and templates; a letter or a digit
 * first and no space last. Inner spaces and colons are in: makers put
 * "PID:X1 SN:FOC1234ABCD" into a serialNumber, and addresses have colons.
 * Capitals count. Errors: RC_MALFORMED RC_TOOBIG. */
MUST_CHECK enum rc device_id_check(struct bytes id, struct why *why);

#endif
