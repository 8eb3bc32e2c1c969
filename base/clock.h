/* base/clock.h - all time in the program. A test can set it. */
#ifndef MICA_BASE_CLOCK_H
#define MICA_BASE_CLOCK_H

#include <stdint.h>

/* Wall clock, Unix time. */
int64_t clock_now_us(void);
int64_t clock_now_s(void);
/* Monotonic; for deadlines and measured spans only. */
int64_t clock_mono_us(void);

/* Tests: shift the wall clock by so many seconds (0 is the true time). The
 * environment variable MICA_CLOCK_SHIFT_S does the same for whole programs, and
 * MICA_CLOCK_FILE while they run: of the seconds in that file, a native int64,
 * when built with --enable-test-hooks; a release ignores it. */
void clock_set_shift_s(int64_t shift_s);
/* Read both, once, at the start of main(). */
void clock_init(void);

#endif
