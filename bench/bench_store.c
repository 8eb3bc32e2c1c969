/* bench/bench_store.c - T1 and T2 of a certificate, 256 in flight, with so many
 * on record before: bench_store [RECORDS [FOLDER]]. FOLDER must not exist; it
 * is left behind only when given. The limit is what the disk's fdatasync allows
 * when each carries the operations of half the certificates in flight. */
#include "base/clock.h"
#include "base/text.h"
#include "storage/store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define IN_FLIGHT 256
#define MEASURED 20000
#define TBS_BYTES 520
#define DER_BYTES (TBS_BYTES + 80)
#define SYNCS 200

struct flight {
	struct bench *bench;
	struct store_issue_begin t1;
	struct store_issue_finish t2;
	int64_t since_us;
	char device[32];
	uint8_t der[DER_BYTES];
};

struct bench {
	struct loop *loop;
	struct store *store;
	uint32_t authority;
	uint64_t authority_version;
	uint64_t begun, finished, want;
	int64_t *waits_us; /* of T1 and T2 */
	size_t n_waits;
	struct flight flights[IN_FLIGHT];
};

static void die(const char *what, const char *why)
{
	(void)fprintf(stderr, "bench_store: %s: %s\n", what, why);
	exit(EXIT_FAILURE);
}

static void need_pending(enum rc rc, const struct store_op *op)
{
	if (rc != RC_PENDING)
		die(rc_info(rc)->name, op->why.text);
}

static void keep_wait(struct flight *f)
{
	struct bench *b = f->bench;

	if (b->waits_us != NULL && b->n_waits < 2 * MEASURED)
		b->waits_us[b->n_waits++] = clock_mono_us() - f->since_us;
	f->since_us = clock_mono_us();
}

static void begin(struct flight *f);

static void on_finished(struct store_op *op)
{
	struct flight *f = op->ctx;
	struct bench *b = f->bench;

	if (op->rc != RC_OK)
		die("T2", op->why.text);
	keep_wait(f);
	b->finished++;
	if (b->begun < b->want)
		begin(f);
	else if (b->finished == b->want)
		loop_stop(b->loop);
}

static void on_begun(struct store_op *op)
{
	struct flight *f = op->ctx;

	if (op->rc != RC_OK)
		die("T1", op->why.text);
	keep_wait(f);
	need_pending(store_issue_finish(f->bench->store, &f->t2), &f->t2.op);
}

/* A serial as DESIGN rule 10 has it: time, then what is random. */
static void set_serial(struct cert_key *key, uint64_t n)
{
	uint64_t random = n * UINT64_C(0x9e3779b97f4a7c15);
	uint64_t now_us = (uint64_t)clock_now_us();

	key->serial[0] = 0x40;
	for (int i = 0; i < 7; i++)
		key->serial[1 + i] = (uint8_t)(now_us >> (8 * (6 - i)));
	memcpy(key->serial + 8, &random, sizeof(random));
	key->serial[19] = (uint8_t)n;
}

static void begin(struct flight *f)
{
	struct bench *b = f->bench;
	struct store_issue_begin *t1 = &f->t1;
	uint64_t n = b->begun++;

	set_serial(&t1->key, n);
	(void)snprintf(f->device, sizeof(f->device), "unit-%llu",
	        (unsigned long long)n);
	memcpy(t1->spki_hash, t1->key.serial, STORE_SERIAL_BYTES);
	memcpy(t1->request_hash, t1->key.serial, STORE_SERIAL_BYTES);
	memcpy(f->der + 4, t1->key.serial, STORE_SERIAL_BYTES);
	f->t2.key = t1->key;
	memcpy(f->t2.cert_hash, t1->key.serial, STORE_SERIAL_BYTES);
	f->since_us = clock_mono_us();
	need_pending(store_issue_begin(b->store, t1), &t1->op);
}

static void prepare(struct bench *b, struct flight *f)
{
	int64_t now_s = clock_now_s();

	f->bench = b;
	f->der[0] = 0x30;
	f->der[1] = 0x82;
	f->t1 = (struct store_issue_begin){
		.op = { .done = on_begun, .ctx = f, .actor = "bench" },
		.key = { .authority = b->authority },
		.tbs = { f->der + 4, TBS_BYTES },
		.device = f->device,
		.profile = "sensor",
		.credential = { .kind = CREDENTIAL_OPERATOR },
		.authority_version = b->authority_version,
		.max_active = 2,
		.not_before_s = now_s,
		.not_after_s = now_s + 86400,
	};
	f->t2 = (struct store_issue_finish){
		.op = { .done = on_finished, .ctx = f, .actor = "bench" },
		.der = { f->der, DER_BYTES },
	};
}

static void issue(struct bench *b, uint64_t n)
{
	b->want += n;
	for (size_t i = 0; i < IN_FLIGHT && b->begun < b->want; i++)
		begin(&b->flights[i]);
	if (loop_run(b->loop) != RC_OK)
		die("loop", "does not run");
}

static void on_authority(struct store_op *op)
{
	struct bench *b = op->ctx;

	if (op->rc != RC_OK)
		die("authority", op->why.text);
	loop_stop(b->loop);
}

static void enter_authority(struct bench *b)
{
	struct store_authority_put put = {
		.op = { .done = on_authority, .ctx = b, .actor = "bench" },
		.authority = { .name = "bench" },
		.der = BYTES_LIT("bench")
	};

	need_pending(store_authority_put(b->store, &put), &put.op);
	if (loop_run(b->loop) != RC_OK)
		die("loop", "does not run");
	b->authority = put.authority.id;
	b->authority_version = put.authority.version;
}

static double cpu_us(void)
{
	struct rusage r;

	(void)getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e6 +
	        (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* fdatasync a second, each after as many new bytes as a full commit brings. */
static double syncs_a_second(const char *folder)
{
	static uint8_t bytes[IN_FLIGHT * 1024];
	int64_t since_us;
	char path[512];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/sync", folder);
	fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0 || posix_fallocate(fd, 0, SYNCS * sizeof(bytes)) != 0)
		die(path, "cannot be written");
	since_us = clock_mono_us();
	for (int i = 0; i < SYNCS; i++) {
		if (write(fd, bytes, sizeof(bytes)) != sizeof(bytes) ||
		        fdatasync(fd) != 0)
			die(path, "cannot be written");
	}
	since_us = clock_mono_us() - since_us;
	(void)close(fd);
	(void)unlink(path);
	return SYNCS * 1e6 / (double)since_us;
}

static void measure(struct bench *b, uint64_t records, const char *folder)
{
	double limit = syncs_a_second(folder) * IN_FLIGHT / 2;
	double cpu = cpu_us(), rate;
	int64_t since_us = clock_mono_us();

	b->waits_us = calloc(2 * MEASURED, sizeof(*b->waits_us));
	if (b->waits_us == NULL)
		die("memory", "none");
	issue(b, MEASURED);
	rate = MEASURED * 1e6 / (double)(clock_mono_us() - since_us);
	cpu = (cpu_us() - cpu) / MEASURED;
	qsort(b->waits_us, b->n_waits, sizeof(*b->waits_us), by_size);
	(void)printf("store.issue value=%.0f unit=certs/s limit=%.0f "
	             "ratio=%.2f records=%llu cpu_us=%.1f "
	             "commit_p50_us=%lld commit_p99_us=%lld\n",
	        rate, limit, rate / limit, (unsigned long long)records, cpu,
	        (long long)b->waits_us[b->n_waits / 2],
	        (long long)b->waits_us[b->n_waits * 99 / 100]);
	free(b->waits_us);
	b->waits_us = NULL;
}

static void remove_store(const char *folder)
{
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/data.mdb", folder);
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s/lock.mdb", folder);
	(void)unlink(path);
	(void)rmdir(folder);
}

int main(int argc, char **argv)
{
	char own[] = "/var/tmp/bench-store-XXXXXX";
	static struct bench b;
	struct store_opts opts = { .size_bytes = UINT64_C(64) << 30,
		.create = true };
	struct why why = WHY_NONE;
	uint64_t records = 10000;

	if (argc > 1 &&
	        text_u64(bytes_str(argv[1]), 100000000, &records) != RC_OK)
		die(argv[1], "is no number of records");
	opts.path = argc > 2 ? argv[2] : mkdtemp(own);
	if (opts.path == NULL || loop_new(&b.loop) != RC_OK ||
	        store_open(&b.store, &opts, b.loop, &why) != RC_OK)
		die("store", why.text);
	enter_authority(&b);
	for (size_t i = 0; i < IN_FLIGHT; i++)
		prepare(&b, &b.flights[i]);
	if (records > 0)
		issue(&b, records);
	measure(&b, records, opts.path);
	store_close(b.store);
	loop_poll(b.loop);
	loop_free(b.loop);
	if (argc <= 2)
		remove_store(opts.path);
	return EXIT_SUCCESS;
}
