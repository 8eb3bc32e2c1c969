/* base/metrics.h - counters, gauges and histograms: one shared memory file
 * (memfd) with a row of slots a process, written by its owner alone, summed on
 * scrape. All metrics are in one table in metrics.c; labels are bounded. */
#ifndef MICA_BASE_METRICS_H
#define MICA_BASE_METRICS_H

#include "base/buf.h"
#include "base/rc.h"

/* Each metric's name, type, help and labels stand in metrics.c's table. */
enum metric {
	METRIC_HTTP_REQUESTS,       /* counter */
	METRIC_HTTP_REFUSED,        /* counter: malformed or over a limit */
	METRIC_CONNECTIONS_OPEN,    /* gauge */
	METRIC_CONNECTIONS_REFUSED, /* counter: caps */
	METRIC_TLS_HANDSHAKES,      /* counter */
	METRIC_TLS_FAILURES,        /* counter */
	METRIC_EST_ENROLLED,        /* counter */
	METRIC_EST_RENEWED,         /* counter */
	METRIC_EST_RETRIED,      /* counter: a stored certificate handed out */
	METRIC_EST_REFUSED,      /* counter */
	METRIC_SCEP_ENROLLED,    /* counter */
	METRIC_SCEP_RENEWED,     /* counter */
	METRIC_SCEP_RETRIED,     /* counter */
	METRIC_SCEP_REFUSED,     /* counter */
	METRIC_SHARED_ENROLLED,  /* by label: by SCEP's shared challenge */
	METRIC_SHARED_REFUSED,   /* by label: though it was right */
	METRIC_SHARED_WRONG,     /* by label: neither it nor a token */
	METRIC_OCSP_CACHED,      /* counter: answers out of the cache */
	METRIC_OCSP_SIGNED,      /* counter: answers signed anew */
	METRIC_OCSP_REFUSED,     /* counter: error responses */
	METRIC_CRLS_PUBLISHED,   /* counter */
	METRIC_CRL_FAILURES,     /* counter */
	METRIC_CRL_ENTRIES,      /* gauge, keeper: of all full CRLs */
	METRIC_CRL_ENDS_S,       /* gauge, keeper: first nextUpdate */
	METRIC_CRLS_LATE,        /* gauge, keeper: about to run out */
	METRIC_CRLS_OUT,         /* gauge, keeper: run out or missing */
	METRIC_CODE_SIGNED,      /* counter */
	METRIC_APPROVALS_OPEN,   /* gauge, keeper */
	METRIC_APPROVALS_SINCE,  /* gauge, keeper: when the oldest came */
	METRIC_REQUESTS_WAITING, /* gauge, keeper */
	METRIC_REQUESTS_SINCE,   /* gauge, keeper: when the oldest came */
	METRIC_CERTS_ISSUED,     /* counter */
	METRIC_CERTS_ABANDONED,  /* counter */
	METRIC_SIGN_REQUESTS,    /* counter */
	METRIC_SIGN_REFUSED,     /* counter */
	METRIC_SIGN_PENDING,     /* gauge */
	METRIC_HSM_SESSIONS,     /* gauge: open in tokens */
	METRIC_HSM_AWAY,         /* gauge: tokens that are not there */
	METRIC_HSM_SIGNATURES,   /* counter: by keys in tokens */
	METRIC_HSM_FAILURES,     /* counter: calls that failed or stalled */
	METRIC_HSM_RECOVERIES,   /* counter: tokens that came back */
	METRIC_HSM_BAD_SIGNATURES, /* counter: not released */
	METRIC_HSM_WAIT_US,        /* histogram: for a session */
	METRIC_STORE_COMMITS,      /* counter */
	METRIC_STORE_COMMIT_OPS,   /* counter: operations in those commits */
	METRIC_STORE_COMMIT_US,    /* histogram */
	METRIC_STORE_HALTED,       /* gauge 0 or 1 */
	METRIC_STORE_FREE_BYTES,   /* gauge, keeper */
	METRIC_LOOP_LONGEST_US,    /* gauge: max over processes */
	METRIC_LOOP_HELD_US,       /* histogram: callbacks over LOOP_HELD_US */
	METRIC_PROCESS_RESTARTS,   /* counter, supervisor */
	METRIC_COUNT
};

#define METRICS_PROCESSES_MAX 64

struct metrics;

/* The supervisor makes the file; everyone maps it and takes a row, which has
 * one owner at a time. A row outlives its process, so that a restart goes on
 * counting; its gauges end with unmap, and start at 0 again. Errors of map:
 * RC_MALFORMED (no such row, or not our file: another version made it)
 * RC_NOMEM RC_IO. */
int metrics_create(void); /* memfd or -1 */
MUST_CHECK enum rc metrics_map(struct metrics **out, int fd, unsigned row);
void metrics_unmap(struct metrics *m); /* NULL is a no-op */
/* Enter a label, for good: [A-Za-z0-9._-]*. The supervisor alone does, before it
 * starts who counts by it. Twice is harmless. False: there is no more room. */
#define METRICS_NAMES_MAX 16
bool metrics_name(struct metrics *m, const char *name);

/* m may be NULL: a module under test needs no metrics. Any thread may call.
 * A gauge goes down by adding (uint64_t)-1. */
void metric_add(struct metrics *m, enum metric metric, uint64_t n);
void metric_set(struct metrics *m, enum metric metric, uint64_t v);
/* One of those that count by a label of the configuration, which was entered
 * before; for others only the sum over all rises. */
void metric_add_by(
        struct metrics *m, enum metric metric, const char *name, uint64_t n);
void metric_observe_us(struct metrics *m, enum metric metric, uint64_t us);
/* Sum (gauges marked max: the largest; histograms: how many were observed)
 * over all rows. */
uint64_t metric_total(const struct metrics *m, enum metric metric);
/* Prometheus text exposition format 0.0.4. */
void metrics_render(const struct metrics *m, struct buf *out);

#endif
