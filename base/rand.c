#include "base/rand.h"

#include <errno.h>
#include <stdlib.h>
#include <stdint.h>
#include <sys/random.h>
#include <sys/types.h>

void rand_fill(void *p, size_t n)
{
	uint8_t *at = p;

	while (n > 0) {
		ssize_t got = getrandom(at, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			abort();
		at += got;
		n -= (size_t)got;
	}
}
