/* bench/bench_store.c - T1 and T2 of a certificate, 256 in flight, with so many
 * on record before: bench_store [RECORDS [FOLDER]]. FOLDER must not exist; it
 * is left behind only when given. The limit is what the disk's fdatasync allows
 * when each carries the operations of half the certificates in flight. */
#include "bench/fill.h"
#include "bench/measure.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define MEASURED 20000
#define SYNCS 200

static double cpu_us(void)
{
	struct rusage r;

	(void)getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e6 +
	        (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

/* fdatasync a second, each after as many new bytes as a full commit brings. */
static double syncs_a_second(const char *folder)
{
	static uint8_t bytes[FILL_IN_FLIGHT * 1024];
	double since_us;
	char path[512];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/sync", folder);
	fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0 || posix_fallocate(fd, 0, SYNCS * sizeof(bytes)) != 0)
		die("%s cannot be written", path);
	since_us = mono_us();
	for (int i = 0; i < SYNCS; i++) {
		if (write(fd, bytes, sizeof(bytes)) != sizeof(bytes) ||
		        fdatasync(fd) != 0)
			die("%s cannot be written", path);
	}
	since_us = mono_us() - since_us;
	(void)close(fd);
	(void)unlink(path);
	return SYNCS * 1e6 / since_us;
}

static void measure(struct fill *f, uint64_t records, const char *folder)
{
	static double waits_us[2 * MEASURED];
	double limit = syncs_a_second(folder) * FILL_IN_FLIGHT / 2;
	double cpu = cpu_us(), rate, since_us = mono_us();

	f->waits_us = waits_us;
	f->waits_max = 2 * MEASURED;
	fill_issue(f, MEASURED);
	rate = MEASURED * 1e6 / (mono_us() - since_us);
	cpu = (cpu_us() - cpu) / MEASURED;
	(void)printf("store.issue value=%.0f unit=certs/s limit=%.0f "
	             "ratio=%.2f records=%llu cpu_us=%.1f "
	             "commit_p50_us=%.0f commit_p99_us=%.0f\n",
	        rate, limit, rate / limit, (unsigned long long)records, cpu,
	        quantile(waits_us, f->n_waits, 0.5),
	        quantile(waits_us, f->n_waits, 0.99));
}

int main(int argc, char **argv)
{
	char own[] = "/var/tmp/bench-store-XXXXXX";
	static struct fill f;
	uint64_t records = 10000;
	const char *folder;

	if (argc > 1)
		records = (uint64_t)number_arg(argv[1], 0, 100000000);
	folder = argc > 2 ? argv[2] : mkdtemp(own);
	if (folder == NULL)
		die("no folder");
	fill_open(&f, folder);
	if (records > 0)
		fill_issue(&f, records);
	measure(&f, records, folder);
	fill_close(&f);
	if (argc <= 2)
		fill_remove(folder);
	return EXIT_SUCCESS;
}
