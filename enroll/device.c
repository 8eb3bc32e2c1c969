#include "enroll/device.h"

#include "base/text.h"
#include "der/name.h"

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

enum rc device_id_read(char out[STORE_DEVICE_ID_MAX + 1],
        const struct device_name *from, struct why *why)
{
	struct buf text = BUF_INIT(NAME_MAX_BYTES);
	struct name_attr attr;
	enum rc rc = name_check(from->name, why);

	if (rc != RC_OK)
		return why_prefix(
		        why, RC_DENIED, "subject of the %s", from->of);
	if (name_count(from->name, from->oid) != 1 ||
	        !name_get(from->name, from->oid, 0, &attr))
		return why_set(why, RC_DENIED,
		        "the %s's subject does not have %s exactly once",
		        from->of, from->attribute);
	rc = name_attr_text(&text, &attr);
	if (rc == RC_OK)
		rc = device_id_check(buf_bytes(&text), why);
	if (rc == RC_OK) {
		memcpy(out, text.p, text.n);
		out[text.n] = '\0';
	} else if (rc != RC_NOMEM) {
		rc = why_prefix(why, RC_DENIED, "%s of the %s", from->attribute,
		        from->of);
	}
	buf_free(&text);
	return rc;
}
