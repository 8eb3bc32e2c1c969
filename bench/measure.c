#include "bench/measure.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
	exit(1);
}

long number_arg(const char *text, long min, long max)
{
	uint64_t v;

	if (text_u64(bytes_str(text), (uint64_t)max, &v) != RC_OK ||
	        (long)v < min)
		die("%s: not a number from %ld to %ld", text, min, max);
	return (long)v;
}

void pids_parse(struct measure_pids *out, const char *text)
{
	struct bytes rest = bytes_str(text), word;
	uint64_t pid;

	for (out->n = 0; rest.n > 0; out->n++) {
		(void)bytes_cut(rest, ',', &word, &rest);
		if (out->n == MEASURE_PIDS_MAX ||
		        text_u64(word, INT32_MAX, &pid) != RC_OK)
			die("%s: not a list of process ids", text);
		out->pid[out->n] = (long)pid;
	}
}

/* proc(5): utime and stime are fields 14 and 15. The name, field 2, is in
 * parentheses and may hold anything. */
static double pid_cpu_us(long pid)
{
	char path[64], line[1024], *name_end = NULL;
	struct bytes rest, word;
	uint64_t ticks[2] = { 0, 0 };
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	f = fopen(path, "re");
	if (f != NULL && fgets(line, sizeof(line), f) != NULL)
		name_end = strrchr(line, ')');
	if (name_end == NULL)
		die("process %ld is gone", pid);
	(void)fclose(f);
	rest = bytes_str(name_end + 2);
	for (int field = 3; field <= 15; field++) {
		(void)bytes_cut(rest, ' ', &word, &rest);
		if (field >= 14 &&
		        text_u64(word, INT64_MAX, &ticks[field - 14]) != RC_OK)
			die("%s cannot be read", path);
	}
	return (double)(ticks[0] + ticks[1]) * 1e6 /
	        (double)sysconf(_SC_CLK_TCK);
}

double pids_cpu_us(const struct measure_pids *pids)
{
	double sum = 0;

	for (size_t i = 0; i < pids->n; i++)
		sum += pid_cpu_us(pids->pid[i]);
	return sum;
}

double mono_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double quantile(double *v, size_t n, double q)
{
	if (n == 0)
		return 0;
	qsort(v, n, sizeof(*v), compare);
	return v[(size_t)(q * (double)(n - 1))];
}
