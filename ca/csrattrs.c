/* CsrAttrs ::= SEQUENCE SIZE (0..MAX) OF AttrOrOID (RFC 7030 section 4.5.2).
 * Names and extensions are left unsaid: they come from the grant and the
 * profile whatever the request asks (RFC 9908 section 3.2 would need full
 * values, and ours differ from device to device). */
#include "ca/csrattrs.h"
#include "der/oid.h"
#include "der/writer.h"

/* RFC 9908 section 3.2: the key's type as attribute type, the curve's OID or
 * the modulus' length as its value. Ed25519 has no parameters to say: its
 * OID stands alone. */
static void put_key_ec(struct buf *b, enum oid curve)
{
	size_t attr = der_begin(b, DER_SEQUENCE), set;

	der_put_oid(b, oid_bytes(OID_EC_PUBLIC_KEY));
	set = der_begin(b, DER_SET);
	der_put_oid(b, oid_bytes(curve));
	der_end(b, set);
	der_end(b, attr);
}

static void put_key_rsa(struct buf *b, unsigned bits)
{
	size_t attr = der_begin(b, DER_SEQUENCE), set;

	der_put_oid(b, oid_bytes(OID_RSA_ENCRYPTION));
	set = der_begin(b, DER_SET);
	der_put_u64(b, bits);
	der_end(b, set);
	der_end(b, attr);
}

enum rc csrattrs_build(struct buf *out, const struct conf_profile *profile)
{
	size_t all = der_begin(out, DER_SEQUENCE);

	/* RFC 7030 section 3.5: the server asks for linked proof of possession
	 * by naming challengePassword. */
	if (profile->channel_binding)
		der_put_oid(out, oid_bytes(OID_CHALLENGE_PASSWORD));
	switch (profile->keys) {
	case CONF_KEY_P256:
		put_key_ec(out, OID_P256);
		break;
	case CONF_KEY_P384:
		put_key_ec(out, OID_P384);
		break;
	case CONF_KEY_ED25519:
		der_put_oid(out, oid_bytes(OID_ED25519));
		break;
	case CONF_KEY_RSA2048:
		put_key_rsa(out, 2048);
		break;
	case CONF_KEY_RSA3072:
		put_key_rsa(out, 3072);
		break;
	case CONF_KEY_RSA4096:
		put_key_rsa(out, 4096);
		break;
	default: /* several: the client may choose */
		break;
	}
	der_end(out, all);
	return out->failed;
}
