/* bench/bench_revoke.c - certificates revoked one by one, 256 in flight, when so
 * many are revoked already: bench_revoke [RECORDS [ROUNDS]]. Two stores are the
 * same but for that, copies of one: in one, the limit, none is revoked. The same certificates,
 * drawn at random, are revoked in both, in turns; medians of the rounds. Beside
 * it how fast a lot is revoked by parts. */
#include "bench/fill.h"
#include "bench/measure.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define A_ROUND 8192
#define ROUNDS_MAX 32

struct side {
	struct fill *fill;
	const struct cert_key *keys; /* to be revoked */
	size_t n, sent, done;
	struct store_set_status ops[FILL_IN_FLIGHT];
	double rate[ROUNDS_MAX], cpu_us[ROUNDS_MAX];
};

static double own_cpu_us(void)
{
	struct rusage r;

	(void)getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e6 +
	        (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

/* --- one by one */

static void send_next(struct side *s, struct store_set_status *op)
{
	op->key = s->keys[s->sent++];
	op->change = STATUS_REVOKE;
	op->reason = REASON_SUPERSEDED;
	if (store_set_status(s->fill->store, op) != RC_PENDING)
		die("revoke: %s", op->op.why.text);
}

static void on_revoked(struct store_op *op)
{
	struct side *s = op->ctx;

	if (op->rc != RC_OK)
		die("revoke: %s", op->why.text);
	s->done++;
	if (s->sent < s->n)
		send_next(s, (struct store_set_status *)op);
	else if (s->done == s->n)
		loop_stop(s->fill->loop);
}

static void revoke_each(struct side *s, const struct cert_key *keys, size_t n)
{
	s->keys = keys;
	s->n = n;
	s->sent = s->done = 0;
	for (size_t i = 0; i < FILL_IN_FLIGHT && s->sent < n; i++) {
		s->ops[i].op = (struct store_op){
			.done = on_revoked, .ctx = s, .actor = "bench"
		};
		send_next(s, &s->ops[i]);
	}
	if (loop_run(s->fill->loop) != RC_OK)
		die("the loop does not run");
}

static void measure(struct side *s, const struct cert_key *keys, int round)
{
	double cpu = own_cpu_us(), since_us = mono_us();

	revoke_each(s, keys, A_ROUND);
	s->rate[round] = A_ROUND * 1e6 / (mono_us() - since_us);
	s->cpu_us[round] = (own_cpu_us() - cpu) / A_ROUND;
}

/* --- a lot */

static void on_part(struct store_op *op)
{
	struct store_revoke *part = (struct store_revoke *)op;
	struct fill *f = op->ctx;

	if (op->rc != RC_OK)
		die("lot: %s", op->why.text);
	part->cursor = part->next;
	if (!part->more)
		loop_stop(f->loop);
	else if (store_revoke(f->store, part) != RC_PENDING)
		die("lot: %s", op->why.text);
}

/* Certificates a second of a lot that is everything left good. */
static double revoke_lot(struct fill *f, size_t n)
{
	struct store_revoke part = {
		.op = { .done = on_part, .ctx = f, .actor = "bench" },
		.by = REVOKE_BY_ISSUE,
		.to_us = INT64_MAX,
		.reason = REASON_SUPERSEDED,
	};
	double since_us = mono_us();

	if (store_revoke(f->store, &part) != RC_PENDING ||
	        loop_run(f->loop) != RC_OK)
		die("lot: %s", part.op.why.text);
	return (double)n * 1e6 / (mono_us() - since_us);
}

/* --- two stores */

/* Page by page, as LMDB writes: in larger pieces ext4 would keep the file in
 * folios of many pages, in which a page is dear to write. */
static void copy_store(const char *from, const char *to)
{
	uint8_t part[4096];
	char path[512];
	ssize_t n = 0;
	int in, out;

	(void)snprintf(path, sizeof(path), "%s/data.mdb", from);
	in = open(path, O_RDONLY | O_CLOEXEC);
	(void)snprintf(path, sizeof(path), "%s/data.mdb", to);
	out = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	while (in >= 0 && out >= 0 && (n = read(in, part, sizeof(part))) > 0)
		if (write(out, part, (size_t)n) != n)
			break;
	if (in < 0 || out < 0 || n != 0 || fsync(out) != 0)
		die("%s: %s", path, strerror(errno));
	(void)close(in);
	(void)close(out);
}

/* Those that are measured come first, in no order. */
static void shuffle(struct cert_key *keys, size_t n, size_t first)
{
	uint64_t random = UINT64_C(88172645463325252);

	for (size_t i = 0; i < first; i++) {
		struct cert_key k = keys[i];
		size_t at;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		at = i + (size_t)(random % (n - i));
		keys[i] = keys[at];
		keys[at] = k;
	}
}

static void report(struct side *none, struct side *many, size_t records,
        size_t rounds, double lot_rate)
{
	double value = quantile(many->rate, rounds, 0.5);
	double limit = quantile(none->rate, rounds, 0.5);

	(void)printf("revoke.at_1m value=%.0f unit=revocations/s limit=%.0f "
	             "ratio=%.3f revoked=%zu cpu_us=%.1f limit_cpu_us=%.1f "
	             "lot_rate=%.0f\n",
	        value, limit, value / limit, records,
	        quantile(many->cpu_us, rounds, 0.5),
	        quantile(none->cpu_us, rounds, 0.5), lot_rate);
}

int main(int argc, char **argv)
{
	static struct fill origin, fills[2];
	static struct side none = { .fill = &fills[0] },
	                   many = { .fill = &fills[1] };
	char folder[3][40] = { "/var/tmp/bench-revoke-XXXXXX",
		"/var/tmp/bench-revoke-XXXXXX",
		"/var/tmp/bench-revoke-XXXXXX" };
	size_t records = 1000000, rounds = 7, victims;
	struct cert_key *keys;
	double lot_rate;

	if (argc > 1)
		records = (size_t)number_arg(argv[1], 1, 100000000);
	if (argc > 2)
		rounds = (size_t)number_arg(argv[2], 1, ROUNDS_MAX);
	victims = rounds * A_ROUND;
	keys = calloc(records + victims, sizeof(*keys));
	if (keys == NULL || mkdtemp(folder[0]) == NULL ||
	        mkdtemp(folder[1]) == NULL || mkdtemp(folder[2]) == NULL)
		die("no folder, or no memory");
	origin.keys = keys;
	fill_open(&origin, folder[2]);
	fill_issue(&origin, records + victims);
	fill_close(&origin);
	for (int i = 0; i < 2; i++) {
		copy_store(folder[2], folder[i]);
		fill_open(&fills[i], folder[i]);
	}
	fill_remove(folder[2]);
	shuffle(keys, records + victims, victims);
	revoke_each(&many, keys + victims, records);
	for (size_t i = 0; i < rounds; i++) {
		measure(&none, keys + i * A_ROUND, (int)i);
		measure(&many, keys + i * A_ROUND, (int)i);
	}
	lot_rate = revoke_lot(&fills[0], records);
	report(&none, &many, records, rounds, lot_rate);
	for (int i = 0; i < 2; i++) {
		fill_close(&fills[i]);
		fill_remove(folder[i]);
	}
	free(keys);
	return EXIT_SUCCESS;
}
