/* bench/bench_crl.c - a full CRL of so many entries, from the store's index to
 * the published file: bench_crl [ENTRIES [ROUNDS]]. A second process is the
 * signer: the check against the policy, the hash and the signature are in the
 * value. The limit reads the same index, hashes as many bytes, writes them,
 * makes them durable, reads and hashes them again: CPU time of all, in turns. */
#include "base/text.h"
#include "base/clock.h"
#include "base/ipc.h"
#include "bench/fill.h"
#include "bench/measure.h"
#include "ca/crl_run.h"
#include "ca/signer/proto.h"
#include "ca/tbs_check.h"
#include "der/alg.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS_MAX 32
#define PIECE_BYTES 65536
#define VALID_S 86400
#define SAMPLE_MS 2
#define CRL_MAX_BYTES (1u << 30)

/* O=bench */
static const uint8_t name_der[] = { 0x30, 0x10, 0x31, 0x0e, 0x30, 0x0c, 0x06,
	0x03, 0x55, 0x04, 0x0a, 0x0c, 0x05, 'b', 'e', 'n', 'c', 'h' };
static const uint8_t key_id[20] = { 7 };

struct bench {
	struct fill fill;
	EVP_PKEY *key;
	struct buf spki;
	struct conf_key conf_key;
	struct conf_authority conf;
	struct authority authority;
	pid_t pid;
	clockid_t clock; /* the signer's */
	struct signer_client *client;
	struct crl_maker *maker;
	struct crl_order order;
	char store[40], published[40];
	int dir;
	/* memory that belongs to no file, while a CRL is made */
	struct loop_timer *sample;
	size_t before_bytes, peak_bytes;
	double wall_us[ROUNDS_MAX], cpu_us[ROUNDS_MAX];
	double signer_us[ROUNDS_MAX]; /* part of cpu_us */
	double limit_wall_us[ROUNDS_MAX], limit_cpu_us[ROUNDS_MAX];
};

static double us_of(clockid_t clock)
{
	struct timespec t;

	if (clock_gettime(clock, &t) != 0)
		die("CPU clock: %s", strerror(errno));
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static size_t anonymous_bytes(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	uint64_t kib = 0;
	const char *at;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, "RssAnon:", 8) != 0)
			continue;
		at = line + 8 + strspn(line + 8, " \t");
		if (text_u64(bytes_of(at, strspn(at, "0123456789")), UINT32_MAX,
		            &kib) != RC_OK)
			kib = 0;
	}
	if (f != NULL)
		fclose(f);
	return (size_t)kib * 1024;
}

/* --- the signer */

static size_t sign(EVP_PKEY *key, struct bytes tbs, uint8_t *out, size_t size)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) != 1 ||
	        EVP_DigestSign(ctx, out, &size, tbs.p, tbs.n) != 1)
		die("signature");
	EVP_MD_CTX_free(ctx);
	return size;
}

struct signer {
	struct ipc *ipc;
	EVP_PKEY *key;
	struct tbs_policy policy;
};

static void on_sign(void *ctx, const struct ipc_msg *msg)
{
	struct signer *s = ctx;
	struct proto_signature answer = { .rc = RC_OK };
	struct buf body = BUF_INIT(4096);
	struct ipc_msg out = { .type = PROTO_SIGNATURE, .id = msg->id };
	struct proto_sign m;
	uint8_t sig[256];

	if (proto_sign_unpack(&m, msg->body) != RC_OK)
		die("signer: request");
	if (tbs_check_crl(&s->policy, m.tbs, clock_now_s(), &answer.why) !=
	        RC_OK)
		die("signer: %s", answer.why.text);
	answer.signature = bytes_of(sig, sign(s->key, m.tbs, sig, sizeof(sig)));
	proto_signature_pack(&body, &answer);
	out.body = buf_bytes(&body);
	if (ipc_send(s->ipc, &out) != RC_OK)
		die("signer: answer");
	buf_free(&body);
}

static void on_dead(void *ctx, const struct why *why)
{
	(void)ctx;
	(void)why;
	exit(0);
}

static _Noreturn void signer_main(int fd, EVP_PKEY *key)
{
	struct signer s = { .key = key,
		.policy = { .purposes = SIGNER_PURPOSE_BIT(SIGNER_CRL),
		        .issuer = BYTES_ARRAY(name_der),
		        .not_after_s = INT64_C(1) << 40,
		        .sig_alg = alg_bytes(ALG_ECDSA_SHA256),
		        .crl = { BYTES_ARRAY(key_id), VALID_S } } };
	struct loop *loop;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (loop_new(&loop) != RC_OK ||
	        ipc_new(&s.ipc, loop, fd, on_sign, on_dead, &s) != RC_OK ||
	        loop_run(loop) != RC_OK)
		die("signer");
	exit(0);
}

/* Before anything else: a store is not open across fork. */
static void start_signer(struct bench *b, int fds[2])
{
	unsigned char *der = NULL;
	int n;

	b->key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	if (b->key == NULL || ipc_pair(fds) != RC_OK)
		die("key, pair");
	n = i2d_PUBKEY(b->key, &der);
	b->spki = BUF_INIT(4096);
	buf_add(&b->spki, bytes_of(der, (size_t)n));
	OPENSSL_free(der);
	b->pid = fork();
	if (b->pid == 0) {
		close(fds[0]);
		signer_main(fds[1], b->key);
	}
	close(fds[1]);
	if (clock_getcpuclockid(b->pid, &b->clock) != 0)
		die("CPU clock");
}

/* --- a store with so many revoked */

static void fill_store(struct bench *b, size_t n)
{
	struct fill *f = &b->fill;

	(void)snprintf(b->store, sizeof(b->store), "/var/tmp/bench-crl-XXXXXX");
	if (mkdtemp(b->store) == NULL)
		die("no folder");
	fill_open(f, b->store);
	fill_close(f);
	fill_direct(f, b->store, n, CERT_REVOKED);
	fill_open(f, b->store);
}

/* --- the CRL */

static void begin(struct bench *b, int fd)
{
	struct crl_maker_opts o = {
		.loop = b->fill.loop, .store = b->fill.store, .actor = "bench"
	};

	(void)snprintf(b->published, sizeof(b->published),
	        "/var/tmp/bench-crl-XXXXXX");
	if (mkdtemp(b->published) == NULL)
		die("no folder");
	b->dir = open(b->published, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b->dir < 0 ||
	        signer_client_new(&b->client, b->fill.loop, fd, NULL) != RC_OK)
		die("no folder, or no memory");
	o.signer = b->client;
	o.dir = b->dir;
	b->conf_key.name = "bench";
	b->conf.name = "bench";
	b->conf.key = &b->conf_key;
	b->authority = (struct authority){ .conf = &b->conf,
		.id = 1,
		.subject = BYTES_ARRAY(name_der),
		.spki = buf_bytes(&b->spki),
		.key_id = BYTES_ARRAY(key_id),
		.sig_alg = alg_bytes(ALG_ECDSA_SHA256),
		.signs_crls = true };
	if (crl_maker_new(&b->maker, &o) != RC_OK)
		die("no memory");
}

static void on_sample(void *ctx)
{
	struct bench *b = ctx;
	size_t now = anonymous_bytes();

	if (now > b->peak_bytes)
		b->peak_bytes = now;
	loop_timer_set_ms(b->sample, SAMPLE_MS);
}

static void on_made(struct crl_order *order)
{
	struct bench *b = order->ctx;

	if (order->rc != RC_OK)
		die("CRL: %s: %s", rc_info(order->rc)->name, order->why.text);
	close(order->fd);
	loop_stop(b->fill.loop);
}

static void make(struct bench *b)
{
	b->order = (struct crl_order){ .authority = &b->authority,
		.valid_s = VALID_S,
		/* A regular one would let go of what has expired. */
		.regular = false,
		.name = "bench.crl",
		.done = on_made,
		.ctx = b };
	if (crl_make(b->maker, &b->order) != RC_PENDING ||
	        loop_run(b->fill.loop) != RC_OK)
		die("CRL: %s", b->order.why.text);
}

static void measure(struct bench *b, size_t round)
{
	double cpu = us_of(CLOCK_PROCESS_CPUTIME_ID), signer = us_of(b->clock);
	double since_us = mono_us();

	make(b);
	b->wall_us[round] = mono_us() - since_us;
	b->signer_us[round] = us_of(b->clock) - signer;
	b->cpu_us[round] =
	        us_of(CLOCK_PROCESS_CPUTIME_ID) - cpu + b->signer_us[round];
}

/* Looking at it costs, so by itself. */
static void measure_memory(struct bench *b)
{
	b->before_bytes = b->peak_bytes = anonymous_bytes();
	if (loop_timer_new(&b->sample, b->fill.loop, on_sample, b) != RC_OK)
		die("no memory");
	on_sample(b);
	make(b);
	loop_timer_free(b->sample);
}

/* --- the limit */

static void read_index(struct bench *b)
{
	struct store_crl_row rows[STORE_ROWS_MAX];
	struct store_crl_scan scan = {
		.authority = 1, .rows = rows, .max = STORE_ROWS_MAX
	};
	uint64_t n = 0;

	do {
		if (store_crl_scan(b->fill.store, &scan) != RC_OK)
			die("scan: %s", scan.op.why.text);
		n += scan.n;
	} while (scan.more);
	if (n != b->order.crl.count)
		die("scan: another count");
}

static void hash(const uint8_t *p, size_t n)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t out[EVP_MAX_MD_SIZE];

	if (EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1 ||
	        EVP_DigestUpdate(ctx, p, n) != 1 ||
	        EVP_DigestFinal_ex(ctx, out, NULL) != 1)
		die("hash");
	EVP_MD_CTX_free(ctx);
}

static void write_and_read(struct bench *b, const uint8_t *p, size_t n)
{
	int fd = openat(
	        b->dir, "limit", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	static uint8_t piece[PIECE_BYTES];
	ssize_t got;

	if (fd < 0 || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1)
		die("limit: %s", strerror(errno));
	for (size_t at = 0; at < n; at += PIECE_BYTES) {
		size_t part = n - at < PIECE_BYTES ? n - at : PIECE_BYTES;

		if (write(fd, p + at, part) != (ssize_t)part)
			die("limit: %s", strerror(errno));
	}
	if (fsync(fd) != 0 || lseek(fd, 0, SEEK_SET) != 0)
		die("limit: %s", strerror(errno));
	while ((got = read(fd, piece, sizeof(piece))) > 0)
		if (EVP_DigestUpdate(ctx, piece, (size_t)got) != 1)
			die("hash");
	EVP_MD_CTX_free(ctx);
	close(fd);
}

static void measure_limit(
        struct bench *b, const uint8_t *p, size_t n, size_t round)
{
	double cpu = us_of(CLOCK_PROCESS_CPUTIME_ID), since_us = mono_us();

	read_index(b);
	hash(p, n);
	write_and_read(b, p, n);
	b->limit_wall_us[round] = mono_us() - since_us;
	b->limit_cpu_us[round] = us_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	(void)unlinkat(b->dir, "limit", 0);
}

static uint8_t *read_crl(struct bench *b, size_t *n)
{
	int fd = openat(b->dir, "bench.crl", O_RDONLY | O_CLOEXEC);
	uint8_t *p = malloc(CRL_MAX_BYTES);
	ssize_t got;

	*n = 0;
	if (fd < 0 || p == NULL)
		die("bench.crl: %s", strerror(errno));
	while ((got = read(fd, p + *n, CRL_MAX_BYTES - *n)) > 0)
		*n += (size_t)got;
	close(fd);
	return p;
}

/* --- */

static void report(struct bench *b, size_t rounds)
{
	double value = quantile(b->cpu_us, rounds, 0.5);
	double limit = quantile(b->limit_cpu_us, rounds, 0.5);

	(void)printf("crl.full.%llum value=%.0f unit=cpu_ms limit=%.0f "
	             "ratio=%.3f entries=%llu bytes=%llu signer_cpu_ms=%.0f "
	             "ms=%.0f limit_ms=%.0f memory_growth_mb=%.1f\n",
	        (unsigned long long)b->order.crl.count / 1000000, value / 1e3,
	        limit / 1e3, limit / value,
	        (unsigned long long)b->order.crl.count,
	        (unsigned long long)b->order.crl.bytes,
	        quantile(b->signer_us, rounds, 0.5) / 1e3,
	        quantile(b->wall_us, rounds, 0.5) / 1e3,
	        quantile(b->limit_wall_us, rounds, 0.5) / 1e3,
	        (double)(b->peak_bytes - b->before_bytes) / 1e6);
}

static void end(struct bench *b)
{
	crl_maker_free(b->maker);
	signer_client_free(b->client);
	(void)kill(b->pid, SIGTERM);
	(void)waitpid(b->pid, NULL, 0);
	(void)unlinkat(b->dir, "bench.crl", 0);
	close(b->dir);
	(void)rmdir(b->published);
	fill_close(&b->fill);
	fill_remove(b->store);
	EVP_PKEY_free(b->key);
	buf_free(&b->spki);
}

int main(int argc, char **argv)
{
	static struct bench b;
	size_t entries = 1000000, rounds = 5, n;
	uint8_t *crl;
	int fds[2];

	if (argc > 1)
		entries = (size_t)number_arg(argv[1], 1, 15000000);
	if (argc > 2)
		rounds = (size_t)number_arg(argv[2], 1, ROUNDS_MAX);
	start_signer(&b, fds);
	fill_store(&b, entries);
	begin(&b, fds[0]);
	measure_memory(&b);
	crl = read_crl(&b, &n);
	for (size_t i = 0; i < rounds; i++) {
		measure_limit(&b, crl, n, i);
		measure(&b, i);
	}
	free(crl);
	report(&b, rounds);
	end(&b);
	return EXIT_SUCCESS;
}
