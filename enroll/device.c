#include "enroll/device.h"

#include "base/text.h"
#include "storage/store.h"

#include <string.h>

static bool is_alnum(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	        (c >= 'a' && c <= 'z');
}

enum rc device_id_check(struct bytes id, struct why *why)
{
	if (id.n == 0)
		return why_set(why, RC_MALFORMED, "the device id is empty");
	if (id.n > STORE_DEVICE_ID_MAX)
		return why_set(why, RC_TOOBIG,
		        "the device id is longer than %d bytes",
		        STORE_DEVICE_ID_MAX);
	if (!text_is_print(id))
		return why_set(why, RC_MALFORMED,
		        "the device id is not printable ASCII");
	for (size_t i = 0; i < id.n; i++) {
		if (strchr("\"\\/%", id.p[i]) != NULL)
			return why_set(why, RC_MALFORMED,
			        "the device id has a '%c' in it", id.p[i]);
	}
	if (!is_alnum(id.p[0]))
		return why_set(why, RC_MALFORMED,
		        "the device id begins with neither letter nor digit");
	if (id.p[id.n - 1] == ' ')
		return why_set(
		        why, RC_MALFORMED, "the device id ends in a space");
	return RC_OK;
}
