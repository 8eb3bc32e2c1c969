/* ca/san_write.h - GeneralNames written (RFC 5280 section 4.2.1.6); ca/san.h
 * reads them and judges their forms. Pure. Needs der/. */
#ifndef MICA_CA_SAN_WRITE_H
#define MICA_CA_SAN_WRITE_H

#include "ca/san.h"

#define SAN_IP_MAX_BYTES 16

/* Append one GeneralName of a kind up to SAN_IP, or SAN_HARDWARE_MODULE or
 * SAN_PERMANENT_ID (the latter two with oid). The value is of its form; b
 * fails with RC_UNSUPPORTED on other kinds. */
void san_put(struct buf *b, enum san_kind kind, struct bytes oid,
        struct bytes value);

/* Dotted or colon text to 4 or 16 octets; 0 when it is no address. */
size_t san_ip_octets(struct bytes text, uint8_t out[SAN_IP_MAX_BYTES]);

/* Append text with all percent-encoded that has a meaning in a URI's structure,
 * which is all but pchar (RFC 3986 section 3.3). */
void san_escape_uri(struct buf *out, struct bytes text);

#endif
