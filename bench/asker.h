/* bench/asker.h - HTTP clients without TLS, for the benchmarks: requests that
 * were made before go out over many connections at once, and what the server's
 * processes spend meanwhile is read. One process, epoll. Whatever fails ends
 * the program. */
#ifndef MICA_BENCH_ASKER_H
#define MICA_BENCH_ASKER_H

#include "bench/measure.h"
#include "base/buf.h"

#include <stdbool.h>

struct asker {
	unsigned port; /* on 127.0.0.1 */
	bool kept;     /* over n_links that are opened before the clock starts;
	            * or each on a connection of its own, read to its end */
	size_t n_links;
	size_t n_requests;
	const struct buf *requests; /* as they go over the wire; in turn */
	size_t n_made;              /* of them */
	struct measure_pids pids;   /* the server's */
	/* The answer to the nth that was sent; only 200s come here. May be
	 * NULL. body is valid during the call. */
	void (*answered)(void *ctx, size_t nth, struct bytes body);
	void *ctx;
};

struct asked {
	double us;   /* CPU time of one */
	double rate; /* a second */
	double p50_ms, p99_ms;
	size_t bytes; /* of an answer */
};

struct asked asker_run(const struct asker *a);
/* us= rate= p50_ms= p99_ms= bytes= */
void asked_print(const struct asked *r);

#endif
