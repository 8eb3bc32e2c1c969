/* ca/cms_envelope.h - CMS EnvelopedData (RFC 5652 section 6), written: one
 * recipient, who has an RSA key, known by issuer and serial number or by key
 * identifier. What is encrypted comes from elsewhere. Pure. Needs base/, der/.
 */
#ifndef MICA_CA_CMS_ENVELOPE_H
#define MICA_CA_CMS_ENVELOPE_H

#include "base/buf.h"
#include "ca/cms_read.h"

struct cms_envelope {
	struct cms_id to;
	struct bytes encrypted_key; /* by rsaEncryption */
	enum oid cipher;            /* of those that cms_read.h lists */
	struct bytes iv;
	struct bytes ciphertext;
};

/* Append a ContentInfo over id-data. Errors: those of b. */
MUST_CHECK enum rc cms_put_envelope(
        struct buf *b, const struct cms_envelope *e);

#endif
