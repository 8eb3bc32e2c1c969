#include "base/metrics.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum kind { COUNTER, COUNTER_BY, GAUGE, GAUGE_MAX, HISTOGRAM };
enum unit { PLAIN, MICROSECONDS }; /* microseconds are shown as seconds */

/* Bucket i counts what took at most 2^i us; the last one counts the rest. From
 * 1 us to 8.4 s in 24 steps: a commit takes from tens of us to tens of ms. */
#define BUCKETS 25

#define NAME_BYTES 65 /* of a label, and a NUL */

/* Rows of one name stand together: their labels differ. */
static const struct {
	const char *name;
	const char *label; /* NULL, or `key="value"` */
	const char *help;
	enum kind kind;
	enum unit unit;
} table[METRIC_COUNT] = {
	[METRIC_HTTP_REQUESTS] = { "http_requests_total", NULL,
	        "HTTP requests that were read whole.", COUNTER, PLAIN },
	[METRIC_HTTP_REFUSED] = { "http_refused_total", NULL,
	        "HTTP requests refused as malformed or over a limit.", COUNTER,
	        PLAIN },
	[METRIC_CONNECTIONS_OPEN] = { "connections_open", NULL,
	        "Connections that are open now.", GAUGE, PLAIN },
	[METRIC_CONNECTIONS_REFUSED] = { "connections_refused_total", NULL,
	        "Connections closed at once because of a cap.", COUNTER,
	        PLAIN },
	[METRIC_TLS_HANDSHAKES] = { "tls_handshakes_total", NULL,
	        "TLS handshakes that were completed.", COUNTER, PLAIN },
	[METRIC_TLS_FAILURES] = { "tls_failures_total", NULL,
	        "TLS handshakes that failed.", COUNTER, PLAIN },
	[METRIC_EST_ENROLLED] = { "est_answers_total", "result=\"enrolled\"",
	        "EST requests for a certificate, by result.", COUNTER, PLAIN },
	[METRIC_EST_RENEWED] = { "est_answers_total", "result=\"renewed\"",
	        NULL, COUNTER, PLAIN },
	[METRIC_EST_RETRIED] = { "est_answers_total", "result=\"retried\"",
	        NULL, COUNTER, PLAIN },
	[METRIC_EST_REFUSED] = { "est_answers_total", "result=\"refused\"",
	        NULL, COUNTER, PLAIN },
	[METRIC_SCEP_ENROLLED] = { "scep_answers_total", "result=\"enrolled\"",
	        "SCEP messages, by result.", COUNTER, PLAIN },
	[METRIC_SCEP_RENEWED] = { "scep_answers_total", "result=\"renewed\"",
	        NULL, COUNTER, PLAIN },
	[METRIC_SCEP_RETRIED] = { "scep_answers_total", "result=\"retried\"",
	        NULL, COUNTER, PLAIN },
	[METRIC_SCEP_REFUSED] = { "scep_answers_total", "result=\"refused\"",
	        NULL, COUNTER, PLAIN },
	[METRIC_SHARED_ENROLLED] = { "scep_shared_challenge_total",
	        "result=\"enrolled\"",
	        "SCEP requests at labels with a shared challenge: with it "
	        "(enrolled, refused), or with one that is none (wrong).",
	        COUNTER_BY, PLAIN },
	[METRIC_SHARED_REFUSED] = { "scep_shared_challenge_total",
	        "result=\"refused\"", NULL, COUNTER_BY, PLAIN },
	[METRIC_SHARED_WRONG] = { "scep_shared_challenge_total",
	        "result=\"wrong\"", NULL, COUNTER_BY, PLAIN },
	[METRIC_OCSP_CACHED] = { "ocsp_answers_total", "result=\"cached\"",
	        "OCSP requests, by what answered them.", COUNTER, PLAIN },
	[METRIC_OCSP_SIGNED] = { "ocsp_answers_total", "result=\"signed\"",
	        NULL, COUNTER, PLAIN },
	[METRIC_OCSP_REFUSED] = { "ocsp_answers_total", "result=\"error\"",
	        NULL, COUNTER, PLAIN },
	[METRIC_CRLS_PUBLISHED] = { "crls_published_total", NULL,
	        "CRLs made, checked and published.", COUNTER, PLAIN },
	[METRIC_CRL_FAILURES] = { "crl_failures_total", NULL,
	        "CRLs that could not be made.", COUNTER, PLAIN },
	[METRIC_CRL_ENTRIES] = { "crl_entries", NULL,
	        "Certificates on the newest full CRLs.", GAUGE_MAX, PLAIN },
	[METRIC_CRL_ENDS_S] = { "crl_next_update_timestamp_seconds", NULL,
	        "When the CRL that runs out first does, in Unix time; 0 while "
	        "one is missing.",
	        GAUGE_MAX, PLAIN },
	[METRIC_CRLS_LATE] = { "crls_running_out", NULL,
	        "CRLs with less than a quarter of their life left that could "
	        "not be made anew.",
	        GAUGE_MAX, PLAIN },
	[METRIC_CRLS_OUT] = { "crls_run_out", NULL,
	        "CRLs that are past their nextUpdate or missing.", GAUGE_MAX,
	        PLAIN },
	[METRIC_CODE_SIGNED] = { "code_signatures_total", NULL,
	        "Code signatures that were released.", COUNTER, PLAIN },
	[METRIC_REQUESTS_WAITING] = { "requests_waiting", NULL,
	        "Devices' requests that wait for an operator.", GAUGE_MAX,
	        PLAIN },
	[METRIC_APPROVALS_OPEN] = { "approvals_open", NULL,
	        "Requests that wait for a second operator, or to be carried "
	        "out.",
	        GAUGE_MAX, PLAIN },
	[METRIC_REQUESTS_SINCE] = { "requests_oldest_timestamp_seconds", NULL,
	        "When the oldest of these came, in Unix time; 0: none waits.",
	        GAUGE_MAX, PLAIN },
	[METRIC_APPROVALS_SINCE] = { "approvals_oldest_timestamp_seconds", NULL,
	        "When the oldest of these came, in Unix time; 0: none is "
	        "open.",
	        GAUGE_MAX, PLAIN },
	[METRIC_CERTS_ISSUED] = { "certs_issued_total", NULL,
	        "Certificates issued and on record.", COUNTER, PLAIN },
	[METRIC_CERTS_ABANDONED] = { "certs_abandoned_total", NULL,
	        "Intents that came to nothing; their serials are burnt.",
	        COUNTER, PLAIN },
	[METRIC_SIGN_REQUESTS] = { "sign_requests_total", NULL,
	        "Requests to the signer.", COUNTER, PLAIN },
	[METRIC_SIGN_REFUSED] = { "sign_refused_total", NULL,
	        "Requests that the signer's policy refused.", COUNTER, PLAIN },
	[METRIC_SIGN_PENDING] = { "sign_pending", NULL,
	        "Requests that wait for the signer now.", GAUGE, PLAIN },
	[METRIC_HSM_SESSIONS] = { "hsm_sessions_open", NULL,
	        "Sessions that the signer has open on tokens.", GAUGE, PLAIN },
	[METRIC_HSM_AWAY] = { "hsm_tokens_away", NULL,
	        "Tokens that are not there; their keys cannot be used.", GAUGE,
	        PLAIN },
	[METRIC_HSM_SIGNATURES] = { "hsm_signatures_total", NULL,
	        "Signatures by keys in tokens.", COUNTER, PLAIN },
	[METRIC_HSM_FAILURES] = { "hsm_failures_total", NULL,
	        "Calls into PKCS#11 modules that failed or did not return.",
	        COUNTER, PLAIN },
	[METRIC_HSM_RECOVERIES] = { "hsm_recoveries_total", NULL,
	        "Times that a token was away and came back.", COUNTER, PLAIN },
	[METRIC_HSM_BAD_SIGNATURES] = { "hsm_bad_signatures_total", NULL,
	        "Signatures from tokens that did not verify; none was "
	        "released.",
	        COUNTER, PLAIN },
	[METRIC_HSM_WAIT_US] = { "hsm_wait_seconds", NULL,
	        "Time that a request waited for a session on its token.",
	        HISTOGRAM, MICROSECONDS },
	[METRIC_STORE_COMMITS] = { "store_commits_total", NULL,
	        "Commits to the store.", COUNTER, PLAIN },
	[METRIC_STORE_COMMIT_OPS] = { "store_commit_operations_total", NULL,
	        "Operations in those commits.", COUNTER, PLAIN },
	[METRIC_STORE_COMMIT_US] = { "store_commit_seconds", NULL,
	        "Time that a commit took.", HISTOGRAM, MICROSECONDS },
	[METRIC_STORE_HALTED] = { "store_halted", NULL,
	        "1 after a commit error: nothing is issued until a restart.",
	        GAUGE_MAX, PLAIN },
	[METRIC_STORE_FREE_BYTES] = { "store_free_bytes", NULL,
	        "Space left to the store.", GAUGE_MAX, PLAIN },
	[METRIC_LOOP_LONGEST_US] = { "loop_longest_seconds", NULL,
	        "Longest time that one callback held an event loop, of about "
	        "a minute.",
	        GAUGE_MAX, MICROSECONDS },
	[METRIC_LOOP_HELD_US] = { "loop_held_seconds", NULL,
	        "Times over 50 ms that one callback held an event loop.",
	        HISTOGRAM, MICROSECONDS },
	[METRIC_PROCESS_RESTARTS] = { "process_restarts_total", NULL,
	        "Processes that were started again after they died.", COUNTER,
	        PLAIN },
};

/* Which histogram a metric is; they alone have buckets. */
enum {
	HISTOGRAM_STORE_COMMIT,
	HISTOGRAM_LOOP_HELD,
	HISTOGRAM_HSM_WAIT,
	HISTOGRAM_COUNT
};

/* The same of those that count by a label. */
enum { BY_SHARED_ENROLLED, BY_SHARED_REFUSED, BY_SHARED_WRONG, BY_COUNT };

struct row {
	/* A histogram's value is the sum of what was observed. */
	_Alignas(64) _Atomic uint64_t value[METRIC_COUNT];
	_Atomic uint64_t bucket[HISTOGRAM_COUNT][BUCKETS];
	_Atomic uint64_t by[BY_COUNT][METRICS_NAMES_MAX];
};

/* A label keeps its place for as long as the file lives, whatever the
 * configuration becomes: what was counted stays under its name. */
struct file {
	struct row rows[METRICS_PROCESSES_MAX];
	_Atomic uint32_t n_names;
	char names[METRICS_NAMES_MAX][NAME_BYTES];
};

struct metrics {
	struct file *file;
	struct row *own;
};

static _Atomic uint64_t *buckets_of(struct row *row, enum metric metric)
{
	switch (metric) {
	case METRIC_STORE_COMMIT_US:
		return row->bucket[HISTOGRAM_STORE_COMMIT];
	case METRIC_LOOP_HELD_US:
		return row->bucket[HISTOGRAM_LOOP_HELD];
	case METRIC_HSM_WAIT_US:
		return row->bucket[HISTOGRAM_HSM_WAIT];
	default:
		return NULL;
	}
}

static _Atomic uint64_t *counts_of(struct row *row, enum metric metric)
{
	switch (metric) {
	case METRIC_SHARED_ENROLLED:
		return row->by[BY_SHARED_ENROLLED];
	case METRIC_SHARED_REFUSED:
		return row->by[BY_SHARED_REFUSED];
	case METRIC_SHARED_WRONG:
		return row->by[BY_SHARED_WRONG];
	default:
		return NULL;
	}
}

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW)

int metrics_create(void)
{
	int fd = memfd_create("mica-metrics", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -1;
	if (ftruncate(fd, sizeof(struct file)) != 0 ||
	        fcntl(fd, F_ADD_SEALS, SEALS) != 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

/* What a process that ended held open is not open any more, and of what it
 * found the next one knows better. */
static void clear_gauges(struct row *row)
{
	for (unsigned i = 0; i < METRIC_COUNT; i++) {
		if (table[i].kind == GAUGE || table[i].kind == GAUGE_MAX)
			atomic_store_explicit(
			        &row->value[i], 0, memory_order_relaxed);
	}
}

/* The size stands for the version of the layout; the seals make sure that
 * nobody can cut the file under our feet. */
static bool is_ours(int fd)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & SEALS) == SEALS && fstat(fd, &st) == 0 &&
	        st.st_size == (off_t)sizeof(struct file);
}

enum rc metrics_map(struct metrics **out, int fd, unsigned row)
{
	struct metrics *m;
	void *p;

	*out = NULL;
	if (row >= METRICS_PROCESSES_MAX || !is_ours(fd))
		return RC_MALFORMED;
	m = calloc(1, sizeof(*m));
	if (m == NULL)
		return RC_NOMEM;
	p = mmap(NULL, sizeof(struct file), PROT_READ | PROT_WRITE, MAP_SHARED,
	        fd, 0);
	if (p == MAP_FAILED) {
		free(m);
		return RC_IO;
	}
	m->file = p;
	m->own = &m->file->rows[row];
	clear_gauges(m->own);
	*out = m;
	return RC_OK;
}

void metrics_unmap(struct metrics *m)
{
	if (m == NULL)
		return;
	clear_gauges(m->own);
	(void)munmap(m->file, sizeof(struct file));
	free(m);
}

void metric_add(struct metrics *m, enum metric metric, uint64_t n)
{
	if (m != NULL)
		atomic_fetch_add_explicit(
		        &m->own->value[metric], n, memory_order_relaxed);
}

/* Any process may have written here: no more than there can be. */
static uint32_t names_count(const struct metrics *m)
{
	uint32_t n =
	        atomic_load_explicit(&m->file->n_names, memory_order_acquire);

	return n < METRICS_NAMES_MAX ? n : METRICS_NAMES_MAX;
}

static bool name_find(const struct metrics *m, const char *name, uint32_t *at)
{
	uint32_t n = names_count(m);

	for (*at = 0; *at < n; ++*at)
		if (strncmp(m->file->names[*at], name, NAME_BYTES) == 0)
			return true;
	return false;
}

bool metrics_name(struct metrics *m, const char *name)
{
	uint32_t at;

	if (name_find(m, name, &at))
		return true;
	if (at == METRICS_NAMES_MAX || strlen(name) >= NAME_BYTES)
		return false;
	memcpy(m->file->names[at], name, strlen(name) + 1);
	atomic_store_explicit(&m->file->n_names, at + 1, memory_order_release);
	return true;
}

void metric_add_by(
        struct metrics *m, enum metric metric, const char *name, uint64_t n)
{
	_Atomic uint64_t *counts = m != NULL ? counts_of(m->own, metric) : NULL;
	uint32_t at;

	metric_add(m, metric, n);
	if (counts != NULL && name_find(m, name, &at))
		atomic_fetch_add_explicit(&counts[at], n, memory_order_relaxed);
}

void metric_set(struct metrics *m, enum metric metric, uint64_t v)
{
	if (m != NULL)
		atomic_store_explicit(
		        &m->own->value[metric], v, memory_order_relaxed);
}

static unsigned bucket_index(uint64_t us)
{
	unsigned i = us <= 1 ? 0 : 64 - (unsigned)__builtin_clzll(us - 1);

	return i < BUCKETS - 1 ? i : BUCKETS - 1;
}

void metric_observe_us(struct metrics *m, enum metric metric, uint64_t us)
{
	_Atomic uint64_t *buckets;

	if (m == NULL)
		return;
	buckets = buckets_of(m->own, metric);
	if (buckets == NULL)
		return;
	atomic_fetch_add_explicit(
	        &buckets[bucket_index(us)], 1, memory_order_relaxed);
	metric_add(m, metric, us);
}

static uint64_t sum_values(const struct metrics *m, enum metric metric)
{
	bool largest = table[metric].kind == GAUGE_MAX;
	uint64_t total = 0;

	for (unsigned i = 0; i < METRICS_PROCESSES_MAX; i++) {
		uint64_t v = atomic_load_explicit(
		        &m->file->rows[i].value[metric], memory_order_relaxed);

		if (!largest)
			total += v;
		else if (v > total)
			total = v;
	}
	return total;
}

/* The counts of all buckets; returns their sum. */
static uint64_t sum_buckets(
        const struct metrics *m, enum metric metric, uint64_t out[BUCKETS])
{
	uint64_t count = 0;

	memset(out, 0, BUCKETS * sizeof(out[0]));
	for (unsigned i = 0; i < METRICS_PROCESSES_MAX; i++) {
		_Atomic uint64_t *from = buckets_of(&m->file->rows[i], metric);

		for (unsigned k = 0; k < BUCKETS; k++) {
			uint64_t v = atomic_load_explicit(
			        &from[k], memory_order_relaxed);

			out[k] += v;
			count += v;
		}
	}
	return count;
}

uint64_t metric_total(const struct metrics *m, enum metric metric)
{
	uint64_t buckets[BUCKETS];

	if (table[metric].kind == HISTOGRAM)
		return sum_buckets(m, metric, buckets);
	return sum_values(m, metric);
}

static void render_value(struct buf *out, uint64_t v, enum unit unit)
{
	if (unit == PLAIN)
		buf_addf(out, "%llu", (unsigned long long)v);
	else
		buf_addf(out, "%llu.%06llu", (unsigned long long)v / 1000000,
		        (unsigned long long)v % 1000000);
}

static void render_histogram(
        const struct metrics *m, enum metric metric, struct buf *out)
{
	const char *name = table[metric].name;
	uint64_t buckets[BUCKETS];
	uint64_t count = sum_buckets(m, metric, buckets);
	uint64_t so_far = 0;

	for (unsigned i = 0; i < BUCKETS - 1; i++) {
		so_far += buckets[i];
		buf_addf(out, "mica_%s_bucket{le=\"", name);
		render_value(out, UINT64_C(1) << i, table[metric].unit);
		buf_addf(out, "\"} %llu\n", (unsigned long long)so_far);
	}
	buf_addf(out, "mica_%s_bucket{le=\"+Inf\"} %llu\nmica_%s_sum ", name,
	        (unsigned long long)count, name);
	render_value(out, sum_values(m, metric), table[metric].unit);
	buf_addf(
	        out, "\nmica_%s_count %llu\n", name, (unsigned long long)count);
}

static uint64_t sum_by(const struct metrics *m, enum metric metric, uint32_t at)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < METRICS_PROCESSES_MAX; i++)
		total += atomic_load_explicit(
		        &counts_of(&m->file->rows[i], metric)[at],
		        memory_order_relaxed);
	return total;
}

static bool is_plain(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	        (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '-';
}

static void render_by(
        const struct metrics *m, enum metric metric, struct buf *out)
{
	uint32_t n = names_count(m);

	for (uint32_t at = 0; at < n; at++) {
		const char *name = m->file->names[at];

		buf_addf(out, "mica_%s{label=\"", table[metric].name);
		for (size_t i = 0; i < NAME_BYTES && is_plain(name[i]); i++)
			buf_add_u8(out, (uint8_t)name[i]);
		buf_addf(out, "\",%s} %llu\n", table[metric].label,
		        (unsigned long long)sum_by(m, metric, at));
	}
}

static void render_one(
        const struct metrics *m, enum metric metric, struct buf *out)
{
	const char *name = table[metric].name;
	const char *label = table[metric].label;
	static const char *const types[] = {
		[COUNTER] = "counter",
		[COUNTER_BY] = "counter",
		[GAUGE] = "gauge",
		[GAUGE_MAX] = "gauge",
		[HISTOGRAM] = "histogram",
	};

	if (table[metric].help != NULL)
		buf_addf(out, "# HELP mica_%s %s\n# TYPE mica_%s %s\n", name,
		        table[metric].help, name, types[table[metric].kind]);
	if (table[metric].kind == HISTOGRAM) {
		render_histogram(m, metric, out);
		return;
	}
	if (table[metric].kind == COUNTER_BY) {
		render_by(m, metric, out);
		return;
	}
	buf_addf(out, "mica_%s", name);
	if (label != NULL)
		buf_addf(out, "{%s}", label);
	buf_add_u8(out, ' ');
	render_value(out, sum_values(m, metric), table[metric].unit);
	buf_add_u8(out, '\n');
}

void metrics_render(const struct metrics *m, struct buf *out)
{
	for (unsigned i = 0; i < METRIC_COUNT; i++)
		render_one(m, (enum metric)i, out);
}
