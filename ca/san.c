#include "ca/san.h"
#include "base/text.h"
#include "der/name.h"
#include "der/oid.h"
#include "der/reader.h"
#include <arpa/inet.h>
#include <string.h>

/* GeneralName's tags (RFC 5280 section 4.2.1.6; the module has IMPLICIT tags,
 * and directoryName, a CHOICE, is EXPLICIT all the same). */
enum {
	TAG_OTHER = DER_CONTEXT_CONS(0),
	TAG_EMAIL = DER_CONTEXT(1),
	TAG_DNS = DER_CONTEXT(2),
	TAG_DIRECTORY = DER_CONTEXT_CONS(4),
	TAG_URI = DER_CONTEXT(6),
	TAG_IP = DER_CONTEXT(7),
	TAG_REGISTERED_ID = DER_CONTEXT(8),
};

#define DNS_MAX_BYTES 253
#define LABEL_MAX_BYTES 63

static bool is_alpha(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool is_label(struct bytes label)
{
	if (label.n == 0 || label.n > LABEL_MAX_BYTES)
		return false;
	if (label.p[0] == '-' || label.p[label.n - 1] == '-')
		return false;
	for (size_t i = 0; i < label.n; i++) {
		if (!is_alpha(label.p[i]) && !is_digit(label.p[i]) &&
		        label.p[i] != '-')
			return false;
	}
	return true;
}

bool san_is_dns(struct bytes name)
{
	struct bytes label;
	bool more;

	if (name.n == 0 || name.n > DNS_MAX_BYTES)
		return false;
	/* RFC 6125 section 6.4.3: the whole leftmost label, over a name */
	if (bytes_starts(name, BYTES_LIT("*.")))
		name = bytes_skip(name, 2);
	do {
		more = bytes_cut(name, '.', &label, &name);
		if (!is_label(label))
			return false;
	} while (more);
	return true;
}

/* Printable ASCII without the space. */
static bool is_graphic(struct bytes text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] <= ' ' || text.p[i] >= 0x7f)
			return false;
	}
	return true;
}

bool san_is_email(struct bytes name)
{
	struct bytes local, domain, none;

	return is_graphic(name) && bytes_cut(name, '@', &local, &domain) &&
	        !bytes_cut(domain, '@', &none, &none) && local.n > 0 &&
	        domain.n > 0;
}

bool san_is_uri(struct bytes name)
{
	struct bytes scheme, rest;

	/* RFC 3986 section 3.1 */
	if (!is_graphic(name) || !bytes_cut(name, ':', &scheme, &rest))
		return false;
	if (scheme.n == 0 || rest.n == 0 || !is_alpha(scheme.p[0]))
		return false;
	for (size_t i = 1; i < scheme.n; i++) {
		uint8_t c = scheme.p[i];

		if (!is_alpha(c) && !is_digit(c) && c != '+' && c != '-' &&
		        c != '.')
			return false;
	}
	return true;
}

/* HardwareModuleName (RFC 4108 section 5). */
static enum rc read_hardware(
        struct der *value, struct san *out, struct why *why)
{
	struct der name;
	enum rc rc;

	rc = der_enter(value, DER_SEQUENCE, &name, "HardwareModuleName", why);
	if (rc == RC_OK)
		rc = der_oid(&name, &out->oid, "hwType", why);
	if (rc == RC_OK)
		rc = der_octet_string(&name, &out->value, "hwSerialNum", why);
	if (rc == RC_OK)
		rc = der_done(&name, "HardwareModuleName", why);
	out->kind = SAN_HARDWARE_MODULE;
	return rc;
}

/* PermanentIdentifier (RFC 4043 section 2). */
static enum rc read_permanent(
        struct der *value, struct san *out, struct why *why)
{
	bool present;
	struct der id;
	enum rc rc;

	rc = der_enter(value, DER_SEQUENCE, &id, "PermanentIdentifier", why);
	if (rc == RC_OK)
		rc = der_optional(&id, DER_UTF8_STRING, &out->value, &present,
		        "identifierValue", why);
	if (rc == RC_OK && !text_is_utf8(out->value))
		rc = why_set(why, RC_MALFORMED, "identifierValue: not UTF-8");
	out->oid = BYTES_NONE;
	if (rc == RC_OK && der_more(&id))
		rc = der_oid(&id, &out->oid, "assigner", why);
	if (rc == RC_OK)
		rc = der_done(&id, "PermanentIdentifier", why);
	out->kind = SAN_PERMANENT_ID;
	return rc;
}

static enum rc read_any(struct der *value, struct san *out, struct why *why)
{
	struct der_item item;
	enum rc rc = der_next(value, &item, "otherName", why);

	if (rc == RC_OK)
		rc = der_check(item.full, "otherName", why);
	if (rc == RC_OK)
		out->value = item.full;
	out->kind = SAN_OTHER;
	return rc;
}

static enum rc read_other(struct bytes body, struct san *out, struct why *why)
{
	struct der other = der_of(body), value;
	enum rc rc;

	rc = der_oid(&other, &out->oid, "otherName type-id", why);
	if (rc == RC_OK)
		rc = der_enter(
		        &other, DER_CONTEXT_CONS(0), &value, "otherName", why);
	if (rc == RC_OK)
		rc = der_done(&other, "otherName", why);
	if (rc != RC_OK)
		return rc;
	if (oid_is(out->oid, OID_ON_HARDWARE_MODULE_NAME))
		rc = read_hardware(&value, out, why);
	else if (oid_is(out->oid, OID_ON_PERMANENT_IDENTIFIER))
		rc = read_permanent(&value, out, why);
	else
		rc = read_any(&value, out, why);
	if (rc == RC_OK)
		rc = der_done(&value, "otherName", why);
	return rc;
}

static enum rc read_directory(
        struct bytes body, struct san *out, struct why *why)
{
	out->kind = SAN_DIRECTORY;
	out->value = body;
	return name_check(body, why);
}

static enum rc take(struct san *out, enum san_kind kind, struct bytes body,
        bool ok, struct why *why)
{
	out->kind = kind;
	out->value = body;
	if (!ok)
		return why_set(why, RC_MALFORMED,
		        "subjectAltName: not a valid %s", san_kind_name(kind));
	return RC_OK;
}

static enum rc read_name(
        const struct der_item *item, struct san *out, struct why *why)
{
	struct bytes body = item->body;

	out->full = item->full;
	out->oid = BYTES_NONE;
	switch (item->tag) {
	case TAG_OTHER:
		return read_other(body, out, why);
	case TAG_EMAIL:
		return take(out, SAN_EMAIL, body, san_is_email(body), why);
	case TAG_DNS:
		return take(out, SAN_DNS, body, san_is_dns(body), why);
	case TAG_DIRECTORY:
		return read_directory(body, out, why);
	case TAG_URI:
		return take(out, SAN_URI, body, san_is_uri(body), why);
	case TAG_IP:
		return take(
		        out, SAN_IP, body, body.n == 4 || body.n == 16, why);
	case TAG_REGISTERED_ID:
		return take(out, SAN_REGISTERED_ID, body, der_body_is_oid(body),
		        why);
	default:
		return why_set(why, RC_UNSUPPORTED,
		        "subjectAltName: GeneralName with tag %02x", item->tag);
	}
}

enum rc san_parse(struct san_list *out, struct bytes value, struct why *why)
{
	struct der_item item;
	struct der names;
	enum rc rc;

	out->n = 0;
	rc = der_open(value, DER_SEQUENCE, &names, "subjectAltName", why);
	if (rc == RC_OK && !der_more(&names))
		return why_set(why, RC_MALFORMED, "subjectAltName: empty");
	while (rc == RC_OK && der_more(&names)) {
		if (out->n == SAN_MAX)
			return why_set(why, RC_TOOBIG,
			        "subjectAltName: more than %d names", SAN_MAX);
		rc = der_next(&names, &item, "subjectAltName", why);
		if (rc == RC_OK)
			rc = read_name(&item, &out->entries[out->n], why);
		if (rc == RC_OK)
			out->n++;
	}
	return rc;
}

const char *san_kind_name(enum san_kind kind)
{
	switch (kind) {
	case SAN_DNS:
		return "dns";
	case SAN_EMAIL:
		return "email";
	case SAN_URI:
		return "uri";
	case SAN_IP:
		return "ip";
	case SAN_DIRECTORY:
		return "directoryName";
	case SAN_REGISTERED_ID:
		return "registeredID";
	case SAN_HARDWARE_MODULE:
		return "hardwareModuleName";
	case SAN_PERMANENT_ID:
		return "permanentIdentifier";
	case SAN_OTHER:
		break;
	}
	return "otherName";
}

static enum rc ip_text(struct buf *out, struct bytes ip)
{
	char text[INET6_ADDRSTRLEN];
	int family = ip.n == 4 ? AF_INET : AF_INET6;

	buf_add_str(out, inet_ntop(family, ip.p, text, sizeof(text)));
	return out->failed;
}

enum rc san_text(struct buf *out, const struct san *san)
{
	enum rc rc;

	switch (san->kind) {
	case SAN_DNS:
	case SAN_EMAIL:
	case SAN_URI:
		buf_add(out, san->value);
		return out->failed;
	case SAN_PERMANENT_ID:
		text_escape(out, san->value);
		return out->failed;
	case SAN_IP:
		return ip_text(out, san->value);
	case SAN_DIRECTORY:
		return name_print(out, san->value);
	case SAN_REGISTERED_ID:
		return oid_print(out, san->value);
	case SAN_HARDWARE_MODULE:
	case SAN_OTHER:
		break;
	}
	rc = oid_print(out, san->oid);
	if (rc == RC_OK) {
		buf_add_u8(out, ' ');
		hex_encode(out, san->value);
		rc = out->failed;
	}
	return rc;
}
