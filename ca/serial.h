/* ca/serial.h - serial numbers (RFC 5280 section 4.1.2.2, DESIGN rule 10): one
 * fixed leading byte, 7 bytes of microseconds, 12 random bytes. Positive, 20
 * octets, 96 random bits behind a time-ordered prefix, so that the store's
 * trees grow at their right edge. */
#ifndef MICA_CA_SERIAL_H
#define MICA_CA_SERIAL_H

#include <stdint.h>

#define SERIAL_BYTES 20
/* Below 0x80, so that the number is positive, and not zero, so that its
 * encoding is minimal. */
#define SERIAL_LEAD 0x4d

void serial_make(uint8_t out[SERIAL_BYTES], int64_t now_us);

#endif
