/* bench_signer - a signature by mica-signer, 64 in flight, against the same
 * hash and signature in process on contexts that are ready. CPU time of both
 * processes, since the way between them is what is measured; the check against
 * the policy, which the signer does besides, stands on a line of its own. */
#include "base/clock.h"
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

struct bench {
	struct signer_peer peer;
	struct tbs_policy *policy;
	struct buf tbs;
	char dir[PATH_BYTES], key[PATH_BYTES];
	EVP_MD *sha256;
	EVP_MD_CTX *hash;
	EVP_PKEY *pkey;
	EVP_PKEY_CTX *sign;
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
	b->hash = EVP_MD_CTX_new();
	b->pkey = EVP_EC_gen("P-256");
	b->sign = EVP_PKEY_CTX_new(b->pkey, NULL);
	need(b->sign && EVP_PKEY_sign_init(b->sign) == 1, "EVP_PKEY_CTX");
}

static void end(struct bench *b)
{
	peer_end(&b->peer);
	(void)unlink(b->key);
	(void)rmdir(b->dir);
	tbs_policy_free(b->policy);
	buf_free(&b->tbs);
	EVP_PKEY_CTX_free(b->sign);
	EVP_PKEY_free(b->pkey);
	EVP_MD_CTX_free(b->hash);
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

static double in_process(struct bench *b)
{
	double since = own_us();
	uint8_t digest[32], signature[80];
	unsigned n_digest;
	size_t n;

	for (unsigned i = 0; i < A_ROUND; i++) {
		n = sizeof(signature);
		need(EVP_DigestInit_ex2(b->hash, b->sha256, NULL) == 1 &&
		                EVP_DigestUpdate(b->hash, b->tbs.p, b->tbs.n) ==
		                        1 &&
		                EVP_DigestFinal_ex(
		                        b->hash, digest, &n_digest) == 1 &&
		                EVP_PKEY_sign(b->sign, signature, &n, digest,
		                        n_digest) == 1,
		        "sign");
	}
	return (own_us() - since) / A_ROUND;
}

static bool held_none(void *ctx, struct bytes name, struct bytes spki)
{
	(void)name;
	(void)ctx;
	(void)spki;
	return false;
}

static double check_alone(struct bench *b)
{
	double since = own_us();
	int64_t now_s = clock_now_s();

	for (unsigned i = 0; i < A_ROUND; i++)
		need(tbs_check(b->policy, buf_bytes(&b->tbs), now_s, held_none,
		             NULL, NULL) == RC_OK,
		        "check");
	return (own_us() - since) / A_ROUND;
}

static void report(double many, double one, double limit, double check)
{
	(void)printf("signer.ipc value=%.1f unit=us limit=%.1f ratio=%.3f\n",
	        many - check, limit, limit / (many - check));
	(void)printf("signer.whole value=%.1f unit=us limit=%.1f ratio=%.3f\n",
	        many, limit, limit / many);
	(void)printf("signer.one_at_a_time value=%.1f unit=us limit=%.1f "
	             "ratio=%.3f\n",
	        one, limit, limit / one);
	(void)printf("signer.check value=%.1f unit=us\n", check);
}

int main(void)
{
	static struct bench b;
	double many[ROUNDS], one[ROUNDS], limit[ROUNDS], check[ROUNDS];

	begin(&b);
	(void)by_signer(&b, IN_FLIGHT);
	for (unsigned i = 0; i < ROUNDS; i++) {
		many[i] = by_signer(&b, IN_FLIGHT);
		limit[i] = in_process(&b);
		one[i] = by_signer(&b, 1);
		check[i] = check_alone(&b);
	}
	end(&b);
	report(quantile(many, ROUNDS, 0.5), quantile(one, ROUNDS, 0.5),
	        quantile(limit, ROUNDS, 0.5), quantile(check, ROUNDS, 0.5));
	return 0;
}
