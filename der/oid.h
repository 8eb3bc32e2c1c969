/* der/oid.h - object identifiers: every one that this program knows, by name,
 * by dotted text and by DER. An OID travels as its content octets, without tag
 * and length. Pure. Needs base/.
 *
 * The table itself is der/oid.def: OID_CN is its row CN, and so on. */
#ifndef MICA_DER_OID_H
#define MICA_DER_OID_H

#include "base/buf.h"
#include "base/why.h"

enum oid {
	OID_NONE, /* not in the table */
#define OID(id, name, dotted, der) OID_##id,
#include "der/oid.def"
#undef OID
	OID_COUNT
};

/* Content octets; empty for OID_NONE. Static. */
struct bytes oid_bytes(enum oid oid);
/* The name of the RFC that defines it ("id-kp-clientAuth", "CN"). Static. */
const char *oid_name(enum oid oid);
const char *oid_dotted(enum oid oid);

/* OID_NONE when it is not in the table. */
enum oid oid_find(struct bytes body);
/* Case is ignored. */
enum oid oid_by_name(struct bytes name);
bool oid_is(struct bytes body, enum oid oid);

/* Dotted text to content octets, appended: at least two arcs, the first 0 to
 * 2, the second under 40 below 0 and 1, no leading zeros, each arc under 2^63.
 * Errors: RC_MALFORMED RC_TOOBIG RC_NOMEM; out is then unchanged. */
MUST_CHECK enum rc oid_parse(
        struct buf *out, struct bytes dotted, struct why *why);
/* A name of the table or dotted text. */
MUST_CHECK enum rc oid_parse_any(
        struct buf *out, struct bytes text, struct why *why);
/* Content octets to dotted text, appended. RC_MALFORMED when they are none;
 * RC_TOOBIG for an arc of 2^63 and more. */
MUST_CHECK enum rc oid_print(struct buf *out, struct bytes body);

#endif
