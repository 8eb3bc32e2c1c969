#include "ca/serial.h"
#include "base/rand.h"

#define SERIAL_TIME_BYTES 7 /* microseconds: until the year 4253 */

void serial_make(uint8_t out[SERIAL_BYTES], int64_t now_us)
{
	uint64_t t = (uint64_t)now_us;
	unsigned i;

	out[0] = SERIAL_LEAD;
	for (i = 0; i < SERIAL_TIME_BYTES; i++)
		out[SERIAL_TIME_BYTES - i] = (uint8_t)(t >> (8 * i));
	rand_fill(out + 1 + SERIAL_TIME_BYTES,
	        SERIAL_BYTES - 1 - SERIAL_TIME_BYTES);
}
