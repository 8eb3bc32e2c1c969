/* ca/san.h - GeneralNames (RFC 5280 section 4.2.1.6) as a list of typed
 * entries. Pure. Needs der/. */
#ifndef MICA_CA_SAN_H
#define MICA_CA_SAN_H

#include "base/buf.h"
#include "base/why.h"

#define SAN_MAX 32 /* entries of one extension */

enum san_kind {
	SAN_DNS,           /* value: ASCII host name, maybe with a `*.` head */
	SAN_EMAIL,         /* value: ASCII addr-spec */
	SAN_URI,           /* value: ASCII, with a scheme */
	SAN_IP,            /* value: 4 or 16 octets */
	SAN_DIRECTORY,     /* value: a checked Name, DER */
	SAN_REGISTERED_ID, /* value: OID content octets */
	SAN_HARDWARE_MODULE, /* RFC 4108 section 5: oid hwType, value hwSerialNum */
	SAN_PERMANENT_ID, /* RFC 4043: oid assigner, value identifierValue in
			      * UTF-8; either may be empty */
	SAN_OTHER,        /* oid type-id, value its DER */
};

/* Views are borrowed from the input. */
struct san {
	enum san_kind kind;
	struct bytes value;
	struct bytes oid;  /* content octets */
	struct bytes full; /* the GeneralName, DER */
};

struct san_list {
	struct san entries[SAN_MAX];
	size_t n;
};

/* Read the value of a subjectAltName extension: at least one name, each of its
 * kind's form. x400Address and ediPartyName are RC_UNSUPPORTED.
 * Errors: RC_MALFORMED RC_TOOBIG RC_UNSUPPORTED. */
MUST_CHECK enum rc san_parse(
        struct san_list *out, struct bytes value, struct why *why);

/* "dns", "ip", "uri", "hardwareModuleName", … Static. */
const char *san_kind_name(enum san_kind kind);
/* The value as one line of text, appended: addresses in their usual form, a
 * Name as RFC 4514 has it, what is not ASCII escaped or as hex.
 * Errors: RC_TOOBIG RC_NOMEM. */
MUST_CHECK enum rc san_text(struct buf *out, const struct san *san);

/* Forms, for whoever takes a name from elsewhere. LDH labels of 1 to 63, 253
 * in all, no trailing dot; a whole `*` label only in front. */
bool san_is_dns(struct bytes name);
/* One `@`, something printable and free of spaces on both sides. */
bool san_is_email(struct bytes name);
/* A scheme, `:`, and printable ASCII without spaces. */
bool san_is_uri(struct bytes name);

#endif
