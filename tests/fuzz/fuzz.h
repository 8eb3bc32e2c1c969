/* tests/fuzz/fuzz.h - what fuzz targets share: the entry, and how one says that
 * a rule was broken. */
#ifndef MICA_TESTS_FUZZ_FUZZ_H
#define MICA_TESTS_FUZZ_FUZZ_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void must(bool ok)
{
	if (!ok)
		abort();
}

/* part points into whole. */
static inline bool inside(struct bytes part, struct bytes whole)
{
	return part.n == 0 ||
	        (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static inline bool contains(struct bytes in, struct bytes what)
{
	for (size_t i = 0; i + what.n <= in.n; i++)
		if (memcmp(in.p + i, what.p, what.n) == 0)
			return true;
	return false;
}

#endif
