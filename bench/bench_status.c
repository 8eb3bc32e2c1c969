/* bench_status - what an OCSP answer that no cache has costs where so many
 * certificates are on record: bench_status [RECORDS]. A request's DER in, the
 * look at what changed, the status out of the store, and a signed response's
 * DER out. Measured against the same with ten thousand on record: the
 * certificates are drawn at random from all of each store, in turns of a few ms
 * in one process; the medians of CPU time are compared. Beside it, what of both
 * is the store's. */
#include "bench/answer.h"
#include "bench/fill.h"
#include "bench/measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FEW 10000
#define REQUESTS 64
#define ROUNDS 400

struct side {
	struct fill fill;
	struct store_changes look;
	struct store_status_row changed[STORE_ROWS_MAX];
	size_t records;
	uint64_t random;
	struct cert_key keys[REQUESTS];
	struct buf requests[REQUESTS];
	double answer_us[ROUNDS], store_us[ROUNDS];
};

static size_t random_below(struct side *s)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return (size_t)(s->random % s->records);
}

static double cpu_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* Others than before, so that nothing of them is at hand. */
static void draw(struct side *s, struct answerer *a)
{
	for (size_t i = 0; i < REQUESTS; i++) {
		fill_direct_key(
		        &s->keys[i], s->fill.authority, random_below(s));
		buf_free(&s->requests[i]);
		answerer_request(
		        a, &s->requests[i], BYTES_ARRAY(s->keys[i].serial));
	}
}

static void read_status(struct side *s, struct store_status_row *row)
{
	struct store_status read = { .rows = row, .n = 1 };

	if (store_changes(s->fill.store, &s->look) != RC_OK ||
	        store_status(s->fill.store, &read) != RC_OK ||
	        row->state != CERT_ISSUED)
		die("no such certificate");
}

static void answer(struct side *s, struct answerer *a, size_t i)
{
	struct store_status_row row = { .key = {
		                                .authority = s->fill.authority,
		                        } };
	struct single one = { .status = SINGLE_GOOD };
	struct ocsp_request r;

	if (ocsp_request_parse(&r, buf_bytes(&s->requests[i]), NULL) != RC_OK ||
	        r.list[0].serial.n != STORE_SERIAL_BYTES)
		die("request");
	memcpy(row.key.serial, r.list[0].serial.p, STORE_SERIAL_BYTES);
	read_status(s, &row);
	answerer_answer(a, &r, &one);
}

static void measure(struct side *s, struct answerer *a, size_t round)
{
	struct store_status_row row = { .state = 0 };
	double since_us;

	draw(s, a);
	since_us = cpu_us();
	for (size_t i = 0; i < REQUESTS; i++)
		answer(s, a, i);
	s->answer_us[round] = (cpu_us() - since_us) / REQUESTS;
	draw(s, a);
	since_us = cpu_us();
	for (size_t i = 0; i < REQUESTS; i++) {
		row.key = s->keys[i];
		read_status(s, &row);
	}
	s->store_us[round] = (cpu_us() - since_us) / REQUESTS;
}

static void side_open(struct side *s, char *folder, size_t records)
{
	if (mkdtemp(folder) == NULL)
		die("no folder");
	s->records = records;
	s->random = UINT64_C(88172645463325252);
	fill_open(&s->fill, folder);
	fill_close(&s->fill);
	fill_direct(&s->fill, folder, records, CERT_ISSUED);
	fill_open(&s->fill, folder);
	s->look.rows = s->changed;
	s->look.max = STORE_ROWS_MAX;
}

static void side_close(struct side *s, const char *folder)
{
	for (size_t i = 0; i < REQUESTS; i++)
		buf_free(&s->requests[i]);
	fill_close(&s->fill);
	fill_remove(folder);
}

int main(int argc, char **argv)
{
	static struct side few, many;
	static struct answerer a;
	char folder[2][40] = { "/var/tmp/bench-status-XXXXXX",
		"/var/tmp/bench-status-XXXXXX" };
	size_t records = 10000000;
	double since_us = mono_us(), filled_s, value, limit;

	if (argc > 1)
		records = (size_t)number_arg(argv[1], FEW, 1000000000);
	answerer_begin(&a);
	side_open(&few, folder[0], FEW);
	side_open(&many, folder[1], records);
	filled_s = (mono_us() - since_us) / 1e6;
	for (size_t i = 0; i < ROUNDS; i++) {
		measure(&few, &a, i);
		measure(&many, &a, i);
	}
	value = quantile(many.answer_us, ROUNDS, 0.5);
	limit = quantile(few.answer_us, ROUNDS, 0.5);
	(void)printf("ocsp.at_10m value=%.2f unit=us limit=%.2f ratio=%.3f "
	             "records=%zu store_us=%.2f limit_store_us=%.2f "
	             "fill_s=%.0f\n",
	        value, limit, limit / value, records,
	        quantile(many.store_us, ROUNDS, 0.5),
	        quantile(few.store_us, ROUNDS, 0.5), filled_s);
	side_close(&few, folder[0]);
	side_close(&many, folder[1]);
	answerer_end(&a);
	return EXIT_SUCCESS;
}
