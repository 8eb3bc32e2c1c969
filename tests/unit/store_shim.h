/* tests/unit/store_shim.h - a store that behaves as badly as the contract lets
 * it: writes wait and change places, are refused as busy or unavailable, or
 * end in doubt (applied or not); reads answer later. What passes behind it
 * relies on nothing but the contract. */
#ifndef MICA_TESTS_UNIT_STORE_SHIM_H
#define MICA_TESTS_UNIT_STORE_SHIM_H

#include "storage/store.h"

/* Takes inner. Outcomes follow from seed alone. RC_UNKNOWN is told only of
 * operations that are harmless to send again. */
struct store *shim_new(struct store *inner, struct loop *loop, uint32_t seed);

#endif
