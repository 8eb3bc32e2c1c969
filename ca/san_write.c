#include "ca/san_write.h"
#include "der/oid.h"
#include "der/writer.h"
#include <arpa/inet.h>
#include <string.h>

/* HardwareModuleName (RFC 4108 section 5) */
static void put_hardware_module(
        struct buf *b, struct bytes type, struct bytes serial)
{
	size_t seq = der_begin(b, DER_SEQUENCE);

	der_put_oid(b, type);
	der_put_octets(b, serial);
	der_end(b, seq);
}

/* PermanentIdentifier (RFC 4043 section 2) */
static void put_permanent_id(
        struct buf *b, struct bytes assigner, struct bytes id)
{
	size_t seq = der_begin(b, DER_SEQUENCE);

	if (id.n > 0)
		der_put_utf8(b, id);
	if (assigner.n > 0)
		der_put_oid(b, assigner);
	der_end(b, seq);
}

static void put_other(
        struct buf *b, enum san_kind kind, struct bytes oid, struct bytes value)
{
	bool module = kind == SAN_HARDWARE_MODULE;
	size_t name = der_begin(b, DER_CONTEXT_CONS(0)), explicit;

	der_put_oid(b,
	        oid_bytes(module ? OID_ON_HARDWARE_MODULE_NAME
	                         : OID_ON_PERMANENT_IDENTIFIER));
	explicit = der_begin(b, DER_CONTEXT_CONS(0));
	if (module)
		put_hardware_module(b, oid, value);
	else
		put_permanent_id(b, oid, value);
	der_end(b, explicit);
	der_end(b, name);
}

void san_put(
        struct buf *b, enum san_kind kind, struct bytes oid, struct bytes value)
{
	switch (kind) {
	case SAN_EMAIL:
		der_put(b, DER_CONTEXT(1), value);
		break;
	case SAN_DNS:
		der_put(b, DER_CONTEXT(2), value);
		break;
	case SAN_URI:
		der_put(b, DER_CONTEXT(6), value);
		break;
	case SAN_IP:
		der_put(b, DER_CONTEXT(7), value);
		break;
	case SAN_HARDWARE_MODULE:
	case SAN_PERMANENT_ID:
		put_other(b, kind, oid, value);
		break;
	case SAN_DIRECTORY:
	case SAN_REGISTERED_ID:
	case SAN_OTHER:
		b->failed = RC_UNSUPPORTED;
		break;
	}
}

size_t san_ip_octets(struct bytes text, uint8_t out[SAN_IP_MAX_BYTES])
{
	char s[INET6_ADDRSTRLEN];

	if (text.n >= sizeof s)
		return 0;
	memcpy(s, text.p, text.n);
	s[text.n] = '\0';
	if (inet_pton(AF_INET, s, out) == 1)
		return 4;
	return inet_pton(AF_INET6, s, out) == 1 ? 16 : 0;
}

static bool is_pchar(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	        (c >= '0' && c <= '9') ||
	        (c != '\0' && strchr("-._~!$&'()*+,;=:@", c) != NULL);
}

void san_escape_uri(struct buf *out, struct bytes text)
{
	size_t i;

	for (i = 0; i < text.n; i++) {
		if (is_pchar(text.p[i]))
			buf_add_u8(out, text.p[i]);
		else
			buf_addf(out, "%%%02X", text.p[i]);
	}
}
