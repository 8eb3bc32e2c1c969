/* bench_hsm - signatures by a key in a token, through mica-signer.
 *
 *	softhsm SESSIONS    CPU time of one of SoftHSM's, against C_Sign and the
 *	                    verification that the rules ask for, by as many
 *	                    threads
 *	latency SESSIONS MS signatures a second of a device that takes so long
 *	                    for one and costs this machine nothing, against
 *	                    what its sessions could do at most */
#include "base/clock.h"
#include "bench/measure.h"
#include "bench/signer_peer.h"
#include "der/alg.h"
#include "der/writer.h"
#include "tests/p11/token.h"
#include "tests/unit/status_make.h"
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 64
#define A_ROUND 2048
#define ROUNDS 12
#define LATENCY_ROUNDS 5
#define LATENCY_ROUND 16384
#define PATH_BYTES 128
#define URI "--uri=pkcs11:token=" TOKEN_LABEL ";object=" PEER_KEY

struct bench {
	struct token token;
	struct signer_peer peer;
	struct tbs_policy *policy;
	struct buf tbs;
	char dir[PATH_BYTES], pin[PATH_BYTES];
	unsigned sessions;
	CK_OBJECT_HANDLE key;
	CK_SESSION_HANDLE own[THREADS_MAX];
	bool verifies; /* by_hand() */
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

/* --- the signer, with a key in a token */

static void write_pin(struct bench *b)
{
	int fd;

	(void)snprintf(b->pin, sizeof(b->pin), "%.64s/pin", b->dir);
	fd = open(b->pin, O_WRONLY | O_CREAT | O_EXCL, 0600);
	need(fd >= 0 &&
	                write(fd, TOKEN_PIN, strlen(TOKEN_PIN)) ==
	                        (ssize_t)strlen(TOKEN_PIN) &&
	                close(fd) == 0,
	        "PIN");
}

/* An OCSP answer that the key itself gives. */
static void make_answer(struct bench *b)
{
	uint8_t hash[EVP_MAX_MD_SIZE];
	struct ocsp_spec spec;
	struct spki spki;

	need(spki_parse(&spki, b->peer.spki, NULL) == RC_OK &&
	                EVP_Digest(spki.key.p, spki.key.n, hash, NULL,
	                        EVP_sha1(), NULL) == 1,
	        "key");
	ocsp_spec_init(&spec, clock_now_s(), bytes_of(hash, 20));
	b->tbs = BUF_INIT(TBS_CHECK_MAX_BYTES);
	ocsp_spec_build(&spec, &b->tbs);
	need(!b->tbs.failed, "answer");
}

static void begin(struct bench *b, const char *module)
{
	char module_arg[PATH_BYTES * 2], sessions[32];
	const char *args[] = { "--token-key=" PEER_KEY, URI, module_arg,
		"--pin-file=pin", sessions, NULL };
	CK_SESSION_HANDLE session;

	token_open(&b->token, module);
	token_begin(&b->token);
	session = token_session(&b->token);
	need(token_login(&b->token, session, TOKEN_PIN) == CKR_OK, "login");
	b->key = token_make_key(&b->token, session, PEER_KEY, 1);
	peer_folder(b->dir);
	write_pin(b);
	(void)snprintf(module_arg, sizeof(module_arg), "--module=%s", module);
	(void)snprintf(
	        sessions, sizeof(sessions), "--sessions=%u", b->sessions);
	b->policy = spec_policy(
	        "Issuing", alg_bytes(ALG_ECDSA_SHA256), clock_now_s());
	need(b->policy != NULL, "policy");
	peer_begin(&b->peer, b->dir, args, b->policy);
	make_answer(b);
}

static void end(struct bench *b)
{
	peer_end(&b->peer);
	(void)unlink(b->pin);
	(void)rmdir(b->dir);
	tbs_policy_free(b->policy);
	buf_free(&b->tbs);
	token_end(&b->token);
	token_close(&b->token);
}

/* --- CPU time of SoftHSM's */

static double by_signer(struct bench *b)
{
	double since = peer_cpu_us(&b->peer);

	peer_sign(&b->peer, 64, A_ROUND, SIGNER_OCSP, buf_bytes(&b->tbs));
	return (peer_cpu_us(&b->peer) - since) / A_ROUND;
}

struct raw {
	struct bench *b;
	unsigned number;
	EVP_MD *sha256;
	EVP_PKEY *key;
	EVP_PKEY_CTX *verify;
	struct buf der;
};

static void raw_begin(struct raw *raw, struct bench *b, unsigned number)
{
	const uint8_t *p = b->peer.spki.p;

	*raw = (struct raw){ .b = b, .number = number, .der = BUF_INIT(128) };
	raw->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	raw->key = d2i_PUBKEY(NULL, &p, (long)b->peer.spki.n);
	raw->verify = EVP_PKEY_CTX_new(raw->key, NULL);
	need(raw->sha256 && raw->verify &&
	                EVP_PKEY_verify_init(raw->verify) == 1,
	        "EVP_PKEY_CTX");
}

static void raw_end(struct raw *raw)
{
	EVP_PKEY_CTX_free(raw->verify);
	EVP_PKEY_free(raw->key);
	EVP_MD_free(raw->sha256);
	buf_free(&raw->der);
}

/* The signature that a token gives, as libcrypto has them. */
static bool verified(struct raw *raw, const uint8_t *digest, const uint8_t *rs)
{
	size_t seq;

	buf_reset(&raw->der);
	seq = der_begin(&raw->der, DER_SEQUENCE);
	der_put_unsigned(&raw->der, bytes_of(rs, 32));
	der_put_unsigned(&raw->der, bytes_of(rs + 32, 32));
	der_end(&raw->der, seq);
	return !raw->der.failed &&
	        EVP_PKEY_verify(raw->verify, raw->der.p, raw->der.n, digest,
	                TOKEN_DIGEST_BYTES) == 1;
}

static void *raw_thread(void *ctx)
{
	unsigned char digest[EVP_MAX_MD_SIZE], out[TOKEN_SIGNATURE_BYTES];
	struct raw *raw = ctx;
	struct bench *b = raw->b;

	for (unsigned i = 0; i < A_ROUND / b->sessions; i++) {
		need(EVP_Digest(b->tbs.p, b->tbs.n, digest, NULL, raw->sha256,
		             NULL) == 1 &&
		                token_sign(&b->token, b->own[raw->number],
		                        b->key, digest, out) == CKR_OK,
		        "C_Sign");
		if (b->verifies)
			need(verified(raw, digest, out), "verification");
	}
	return NULL;
}

static double by_hand(struct bench *b, bool verifies)
{
	pthread_t threads[THREADS_MAX];
	struct raw raws[THREADS_MAX];
	double since;

	b->verifies = verifies;
	for (unsigned i = 0; i < b->sessions; i++)
		raw_begin(&raws[i], b, i);
	since = own_us();
	for (unsigned i = 0; i < b->sessions; i++)
		need(pthread_create(&threads[i], NULL, raw_thread, &raws[i]) ==
		                0,
		        "thread");
	for (unsigned i = 0; i < b->sessions; i++)
		(void)pthread_join(threads[i], NULL);
	since = own_us() - since;
	for (unsigned i = 0; i < b->sessions; i++)
		raw_end(&raws[i]);
	return since / (A_ROUND / b->sessions * b->sessions);
}

static void softhsm(struct bench *b)
{
	double value[ROUNDS], both[ROUNDS], sign[ROUNDS];
	double v, limit;

	begin(b, token_softhsm());
	for (unsigned i = 0; i < b->sessions; i++)
		b->own[i] = token_session(&b->token);
	(void)by_signer(b);
	for (unsigned i = 0; i < ROUNDS; i++) {
		value[i] = by_signer(b);
		both[i] = by_hand(b, true);
		sign[i] = by_hand(b, false);
	}
	end(b);
	v = quantile(value, ROUNDS, 0.5);
	limit = quantile(both, ROUNDS, 0.5);
	(void)printf("hsm.softhsm value=%.1f unit=us limit=%.1f ratio=%.3f "
	             "c_sign=%.1f sessions=%u\n",
	        v, limit, limit / v, quantile(sign, ROUNDS, 0.5), b->sessions);
}

/* --- signatures a second of a slow device */

static void latency(struct bench *b, unsigned ms)
{
	double rate[LATENCY_ROUNDS], cpu[LATENCY_ROUNDS], since, cpu_since;
	double limit = b->sessions * 1000.0 / ms;

	begin(b, FAULT_MODULE);
	token_want(&b->token, FAULT_REPEATS, 1);
	token_want(&b->token, FAULT_LATENCY_US, ms * 1000);
	peer_sign(&b->peer, 4 * b->sessions, LATENCY_ROUND / 4, SIGNER_OCSP,
	        buf_bytes(&b->tbs));
	for (unsigned i = 0; i < LATENCY_ROUNDS; i++) {
		since = mono_us();
		cpu_since = peer_cpu_us(&b->peer);
		peer_sign(&b->peer, 4 * b->sessions, LATENCY_ROUND, SIGNER_OCSP,
		        buf_bytes(&b->tbs));
		cpu[i] = (peer_cpu_us(&b->peer) - cpu_since) / LATENCY_ROUND;
		rate[i] = LATENCY_ROUND / (mono_us() - since) * 1e6;
	}
	end(b);
	since = quantile(rate, LATENCY_ROUNDS, 0.5);
	(void)printf("hsm.latency%ums value=%.0f unit=/s limit=%.0f ratio=%.3f "
	             "sessions=%u cpu_us=%.1f\n",
	        ms, since, limit, since / limit, b->sessions,
	        quantile(cpu, LATENCY_ROUNDS, 0.5));
}

int main(int argc, char **argv)
{
	static struct bench b;
	bool slow = argc == 4 && strcmp(argv[1], "latency") == 0;

	if (!slow && !(argc == 3 && strcmp(argv[1], "softhsm") == 0))
		die("usage: bench_hsm softhsm SESSIONS | latency SESSIONS MS");
	if (!token_softhsm()) {
		(void)printf("hsm.%s skip: needs SoftHSM\n",
		        slow ? "latency" : "softhsm");
		return 0;
	}
	b.sessions = (unsigned)number_arg(argv[2], 1, THREADS_MAX);
	if (slow)
		latency(&b, (unsigned)number_arg(argv[3], 1, 1000));
	else
		softhsm(&b);
	return 0;
}
