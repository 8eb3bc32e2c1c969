/* base/rand.h - random bytes from the kernel (getrandom(2)). Never fails once
 * the kernel's pool is seeded; aborts the process if the kernel refuses, since
 * nothing safe can follow. */
#ifndef MICA_BASE_RAND_H
#define MICA_BASE_RAND_H

#include <stddef.h>

void rand_fill(void *p, size_t n);

#endif
