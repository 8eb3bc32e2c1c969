/* bench/measure.h - what the benchmarks share: time, CPU time of processes,
 * quantiles, and an end with a word. Not linked into anything else. */
#ifndef MICA_BENCH_MEASURE_H
#define MICA_BENCH_MEASURE_H

#include <stddef.h>
#include <stdint.h>

#define MEASURE_PIDS_MAX 32

struct measure_pids {
	long pid[MEASURE_PIDS_MAX];
	size_t n;
};

/* Say why on standard error and exit with 1. */
_Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A whole number from min to max, or die. */
long number_arg(const char *text, long min, long max);

/* "12,345,78" */
void pids_parse(struct measure_pids *out, const char *text);
/* User and system time of all their threads so far. It ticks at 10 ms: measure
 * seconds. */
double pids_cpu_us(const struct measure_pids *pids);

double mono_us(void);
/* Sorts v. */
double quantile(double *v, size_t n, double q);

#endif
