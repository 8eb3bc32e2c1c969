/* der/name.h - X.501 Names (RFC 5280 section 4.1.2.4 and appendix A.1): check,
 * read, write, print (RFC 4514). A Name is its DER, SEQUENCE header included;
 * two are the same when their bytes are. Pure. Needs base/. */
#ifndef MICA_DER_NAME_H
#define MICA_DER_NAME_H

#include "base/buf.h"
#include "base/why.h"
#include "der/oid.h"
#include "der/reader.h"

#define NAME_MAX_BYTES 4096
#define NAME_ATTRS_MAX 32
/* Upper bound for an attribute that RFC 5280 gives none. */
#define NAME_VALUE_MAX_CHARS 256

/* One AttributeTypeAndValue; views are borrowed from the Name. */
struct name_attr {
	struct bytes oid;   /* content octets */
	uint8_t tag;        /* of the value */
	struct bytes value; /* content octets, in tag's character set */
	unsigned rdn;       /* which RDN, from 0; equal in multi-valued ones */
};

/* Structure, string types and their character sets, SET OF order, caps.
 * Readable are UTF8String, PrintableString, IA5String, NumericString,
 * TeletexString and BMPString: foreign issuers have them. An empty Name is
 * well formed. Errors: RC_MALFORMED RC_TOOBIG RC_UNSUPPORTED. */
MUST_CHECK enum rc name_check(struct bytes name, struct why *why);
bool name_is_empty(struct bytes name);

/* Walk the attributes of a checked Name:
 *     struct name_walk w = name_walk(name);
 *     while (name_next(&w, &attr)) … */
struct name_walk {
	struct der rdns;
	struct der attrs;
	unsigned rdn;
};
struct name_walk name_walk(struct bytes name);
bool name_next(struct name_walk *w, struct name_attr *out);

/* The nth (from 0) attribute of that type, in the order of the encoding. */
bool name_get(struct bytes name, struct bytes oid, unsigned nth,
        struct name_attr *out);
/* How many attributes of that type stand in it. */
unsigned name_count(struct bytes name, struct bytes oid);

/* An attribute's value as UTF-8, appended. TeletexString is read as Latin-1,
 * which is what its writers meant. Errors: RC_TOOBIG RC_NOMEM. */
MUST_CHECK enum rc name_attr_text(struct buf *out, const struct name_attr *a);

/* RFC 4514 text: last RDN first, short names of its section 3 and of oid.h
 * where there is one, otherwise the dotted OID with the value as #hex; special
 * characters escaped. Errors: RC_TOOBIG RC_NOMEM. */
MUST_CHECK enum rc name_print(struct buf *out, struct bytes name);

/* What to write: one RDN each, in this order. */
struct name_part {
	struct bytes oid;  /* content octets */
	struct bytes text; /* UTF-8 */
};

/* Append a Name. PrintableString for countryName, serialNumber and
 * dnQualifier, IA5String for emailAddress and domainComponent, UTF8String
 * otherwise. Refused: empty values, NUL bytes, wrong character sets, values
 * over RFC 5280's upper bounds (counted in characters), a countryName that is
 * not two capital letters.
 * Errors: RC_MALFORMED RC_TOOBIG RC_NOMEM; b is then unchanged. */
MUST_CHECK enum rc name_write(struct buf *b, const struct name_part *parts,
        size_t count, struct why *why);
/* The same checks on one part, without writing: for the configuration. */
MUST_CHECK enum rc name_part_check(
        const struct name_part *part, struct why *why);

#endif
