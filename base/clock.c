#include "config.h"

#include "base/clock.h"
#include "base/text.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* The one thing about time that is not the kernel's; set before threads. */
static int64_t shift_us;

#ifdef MICA_TEST_HOOKS
/* Seconds more, in a file that others write while we run. */
static const volatile int64_t *outside_s;

static void follow(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *p = MAP_FAILED;

	if (fd >= 0)
		p = mmap(
		        NULL, sizeof(*outside_s), PROT_READ, MAP_SHARED, fd, 0);
	if (fd >= 0)
		(void)close(fd);
	if (p != MAP_FAILED)
		outside_s = p;
}
#endif

static int64_t read_us(clockid_t id)
{
	struct timespec ts;

	(void)clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_now_us(void)
{
	int64_t now_us = read_us(CLOCK_REALTIME) + shift_us;

#ifdef MICA_TEST_HOOKS
	if (outside_s != NULL)
		now_us += *outside_s * 1000000;
#endif
	return now_us;
}

int64_t clock_now_s(void)
{
	return clock_now_us() / 1000000;
}

int64_t clock_mono_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

void clock_set_shift_s(int64_t shift_s)
{
	shift_us = shift_s * 1000000;
}

void clock_init(void)
{
#ifdef MICA_TEST_HOOKS
	struct bytes text = bytes_str(getenv("MICA_CLOCK_SHIFT_S"));
	bool back = bytes_starts(text, BYTES_LIT("-"));
	uint64_t shift_s;

	if (text_u64(bytes_skip(text, back), INT64_C(1) << 40, &shift_s) ==
	        RC_OK)
		clock_set_shift_s(back ? -(int64_t)shift_s : (int64_t)shift_s);
	if (getenv("MICA_CLOCK_FILE") != NULL)
		follow(getenv("MICA_CLOCK_FILE"));
#endif
}
