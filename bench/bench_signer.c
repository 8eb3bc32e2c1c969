/* bench_signer - a signature by mica-signer, 64 in flight, against the same
 * check, hash and signature in process, on as many threads and on contexts that
 * are ready. CPU time of both processes, since the way between them is what is
 * measured; against the bare hash and signature stands on lines of their own. */
#include "base/clock.h"
#include "base/thread.h"
#include "bench/measure.h"
#include "bench/signer_peer.h"
#include "der/alg.h"
#include "tests/unit/tbs_make.h"
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define IN_FLIGHT 64
#define A_ROUND 2048
#define ROUNDS 24
#define PATH_BYTES 128
#define CORES_MAX 64

struct bench {
	struct signer_peer peer;
	struct tbs_policy *policy;
	struct buf tbs;
	char dir[PATH_BYTES], key[PATH_BYTES];
	EVP_MD *sha256;
	EVP_PKEY *pkey;
	unsigned cores;
	bool checks; /* in_process() checks as the signer does */
};

static void need(bool ok, const char *what)
{
	if (!ok)
		die("%s", what);
}

static double own_us(void)
{
	struct timespec t;

	need(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) == 0, "CPU clock");
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void make_key(struct bench *b)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		execl(MICA_SIGNER_PATH, "mica-signer", "--ceremony", "make-key",
		        "--out", b->key, "--type", "p256", (char *)NULL);
		_exit(127);
	}
	need(waitpid(pid, &status, 0) == pid && status == 0, "make-key");
}

static void begin_signer(struct bench *b)
{
	static const char *const args[] = { "--key=" PEER_KEY ":issuing.key",
		NULL };

	peer_folder(b->dir);
	(void)snprintf(b->key, sizeof(b->key), "%.64s/issuing.key", b->dir);
	make_key(b);
	peer_begin(&b->peer, b->dir, args, b->policy);
}

static void begin(struct bench *b)
{
	struct tbs_spec spec;

	b->policy = spec_policy(
	        "Issuing", alg_bytes(ALG_ECDSA_SHA256), clock_now_s());
	tbs_spec_init(&spec, clock_now_s());
	b->tbs = BUF_INIT(TBS_CHECK_MAX_BYTES);
	tbs_spec_build(&spec, &b->tbs);
	need(b->policy && !b->tbs.failed, "certificate");
	begin_signer(b);
	b->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	b->pkey = EVP_EC_gen("P-256");
	need(b->sha256 && b->pkey, "key");
	b->cores = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	b->cores = b->cores < CORES_MAX ? b->cores : CORES_MAX;
}

static void end(struct bench *b)
{
	peer_end(&b->peer);
	(void)unlink(b->key);
	(void)rmdir(b->dir);
	tbs_policy_free(b->policy);
	buf_free(&b->tbs);
	EVP_PKEY_free(b->pkey);
	EVP_MD_free(b->sha256);
}

/* --- what is measured */

/* CPU us a signature, of both processes. */
static double by_signer(struct bench *b, unsigned in_flight)
{
	double since = peer_cpu_us(&b->peer);

	peer_sign(
	        &b->peer, in_flight, A_ROUND, SIGNER_CERT, buf_bytes(&b->tbs));
	return (peer_cpu_us(&b->peer) - since) / A_ROUND;
}

static bool held_none(void *ctx, struct bytes name, struct bytes spki)
{
	(void)name;
	(void)ctx;
	(void)spki;
	return false;
}

static void check_one(const struct bench *b)
{
	need(tbs_check(b->policy, buf_bytes(&b->tbs), clock_now_s(), held_none,
	             NULL, NULL) == RC_OK,
	        "check");
}

static void sign_one(const struct bench *b, EVP_MD_CTX *hash, EVP_PKEY_CTX *key)
{
	uint8_t digest[32], signature[80];
	size_t n = sizeof(signature);
	unsigned n_digest;

	need(EVP_DigestInit_ex2(hash, b->sha256, NULL) == 1 &&
	                EVP_DigestUpdate(hash, b->tbs.p, b->tbs.n) == 1 &&
	                EVP_DigestFinal_ex(hash, digest, &n_digest) == 1 &&
	                EVP_PKEY_sign(key, signature, &n, digest, n_digest) ==
	                        1,
	        "sign");
}

static void *in_process(void *ctx)
{
	const struct bench *b = ctx;
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	EVP_PKEY_CTX *key = EVP_PKEY_CTX_new(b->pkey, NULL);

	need(hash && key && EVP_PKEY_sign_init(key) == 1, "EVP_PKEY_CTX");
	for (unsigned i = 0; i < A_ROUND / b->cores; i++) {
		if (b->checks)
			check_one(b);
		sign_one(b, hash, key);
	}
	EVP_PKEY_CTX_free(key);
	EVP_MD_CTX_free(hash);
	return NULL;
}

/* CPU us of one, on as many threads at once as the signer has: with all its
 * cores at work, a machine does each thing more slowly than with one. */
static double by_threads(struct bench *b, bool checks)
{
	pthread_t threads[CORES_MAX];
	double since = own_us();

	b->checks = checks;
	for (unsigned i = 0; i < b->cores; i++)
		need(thread_begin(&threads[i], in_process, b) == 0, "thread");
	for (unsigned i = 0; i < b->cores; i++)
		(void)pthread_join(threads[i], NULL);
	return (own_us() - since) / (A_ROUND / b->cores * b->cores);
}

static void line(const char *name, double value, double limit)
{
	(void)printf("signer.%s value=%.1f unit=us limit=%.1f ratio=%.3f\n",
	        name, value, limit, limit / value);
}

int main(void)
{
	static struct bench b;
	double many[ROUNDS], one[ROUNDS], all[ROUNDS], bare[ROUNDS];

	begin(&b);
	(void)by_signer(&b, IN_FLIGHT);
	for (unsigned i = 0; i < ROUNDS; i++) {
		many[i] = by_signer(&b, IN_FLIGHT);
		all[i] = by_threads(&b, true);
		bare[i] = by_threads(&b, false);
		one[i] = by_signer(&b, 1);
	}
	end(&b);
	line("ipc", quantile(many, ROUNDS, 0.5), quantile(all, ROUNDS, 0.5));
	line("whole", quantile(many, ROUNDS, 0.5), quantile(bare, ROUNDS, 0.5));
	line("one_at_a_time", quantile(one, ROUNDS, 0.5),
	        quantile(bare, ROUNDS, 0.5));
	return 0;
}
