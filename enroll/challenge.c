#include "enroll/challenge.h"

#include "der/oid.h"
#include "der/reader.h"
#include "enroll/device.h"

#include <stdio.h>

#define ANCHOR_HEAD "scep/"

_Static_assert(
        sizeof(ANCHOR_HEAD) + CONF_CHALLENGE_LABEL_MAX <= STORE_NAME_MAX + 1,
        "a label's name fits into the name that its devices are bound to");

bool challenge_is_on(const struct conf_label *label)
{
	return (label->legacy & CONF_LEGACY_SHARED_CHALLENGE) != 0 &&
	        label->challenge.content.n >= CONF_CHALLENGE_MIN_BYTES;
}

/* Digests are of one length, whatever came. */
bool challenge_is(struct digest *d, const struct conf_label *label,
        struct bytes challenge)
{
	uint8_t ours[STORE_HASH_BYTES], theirs[STORE_HASH_BYTES];
	bool same;

	if (!challenge_is_on(label) ||
	        digest_sha256(d, label->challenge.content, ours) != RC_OK ||
	        digest_sha256(d, challenge, theirs) != RC_OK)
		return false;
	same = bytes_eq_secret(BYTES_ARRAY(ours), BYTES_ARRAY(theirs));
	bytes_wipe(ours, sizeof(ours));
	bytes_wipe(theirs, sizeof(theirs));
	return same;
}

void challenge_anchor(
        char out[STORE_NAME_MAX + 1], const struct conf_label *label)
{
	(void)snprintf(out, STORE_NAME_MAX + 1, ANCHOR_HEAD "%s", label->label);
}

enum rc challenge_device(char out[STORE_DEVICE_ID_MAX + 1],
        const struct conf_label *label, struct bytes subject, struct why *why)
{
	struct buf oid = BUF_INIT(DER_OID_MAX_BYTES);
	struct device_name from = { .name = subject,
		.attribute = label->challenge_identity,
		.of = "request" };
	enum rc rc =
	        oid_parse_any(&oid, bytes_str(label->challenge_identity), why);

	from.oid = buf_bytes(&oid);
	if (rc == RC_OK)
		rc = device_id_read(out, &from, why);
	else if (rc != RC_NOMEM)
		rc = RC_INTERNAL; /* the configuration was checked */
	buf_free(&oid);
	return rc;
}
