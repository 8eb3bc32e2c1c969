/* bench_signer - a signature by mica-signer, 64 in flight, against the same
 * hash and signature in process on contexts that are ready. CPU time of both
 * processes, since the way between them is what is measured; the check against
 * the policy, which the signer does besides, stands on a line of its own. */
#include "base/clock.h"
#include "base/ipc.h"
#include "ca/signer/proto.h"
#include "ca/signer_client.h"
#include "der/alg.h"
#include "tests/unit/tbs_make.h"
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <signal.h>
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
	struct loop *loop;
	struct ipc *control;
	struct signer_client *client;
	struct signer_call calls[IN_FLIGHT];
	struct tbs_policy *policy;
	struct buf tbs;
	char dir[PATH_BYTES], key[PATH_BYTES];
	int control_fd, client_fd; /* the signer's ends */
	unsigned left, in_flight;
	bool ready;
	clockid_t signer_clock;
	pid_t pid;
	EVP_MD *sha256;
	EVP_MD_CTX *hash;
	EVP_PKEY *pkey;
	EVP_PKEY_CTX *sign;
};

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "bench_signer: %s\n", what);
	exit(1);
}

static double us_of(clockid_t clock)
{
	struct timespec t;

	need(clock_gettime(clock, &t) == 0, "CPU clock");
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* --- the signer */

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

static void child(struct bench *b)
{
	char control[32], client[32], keys[32];
	int dir = open(b->dir, O_RDONLY | O_DIRECTORY);

	(void)snprintf(control, sizeof(control), "--control-fd=%d",
	        fcntl(b->control_fd, F_DUPFD, 20));
	(void)snprintf(client, sizeof(client), "--client-fd=%d",
	        fcntl(b->client_fd, F_DUPFD, 20));
	(void)snprintf(
	        keys, sizeof(keys), "--keys-fd=%d", fcntl(dir, F_DUPFD, 20));
	execl(MICA_SIGNER_PATH, "mica-signer", "--serve", control, client, keys,
	        "--key=issuing:issuing.key", "--log-level=warn", (char *)NULL);
	_exit(127);
}

static void on_control(void *ctx, const struct ipc_msg *msg)
{
	struct bench *b = ctx;
	struct proto_done done;

	if (msg->type != PROTO_DONE)
		return;
	need(proto_done_unpack(&done, msg->body) == RC_OK && !done.rc,
	        "policy");
	b->ready = true;
}

static void on_dead(void *ctx, const struct why *why)
{
	(void)ctx;
	need(false, why->text);
}

static void send_policy(struct bench *b)
{
	struct proto_policy_item item = { "issuing", b->policy };
	struct buf body = BUF_INIT(PROTO_POLICY_MAX_BYTES);
	struct ipc_msg msg = { .type = PROTO_POLICY, .id = 1 };

	proto_policy_pack(&body, 1, &item, 1);
	msg.body = buf_bytes(&body);
	need(ipc_send(b->control, &msg) == RC_OK, "policy");
	buf_free(&body);
	while (!b->ready)
		loop_poll(b->loop);
}

static void begin_signer(struct bench *b)
{
	int control[2], client[2];

	(void)snprintf(b->dir, sizeof(b->dir), "/tmp/bench-signer-XXXXXX");
	need(mkdtemp(b->dir) != NULL, "folder");
	(void)snprintf(b->key, sizeof(b->key), "%.64s/issuing.key", b->dir);
	make_key(b);
	need(loop_new(&b->loop) == RC_OK && ipc_pair(control) == RC_OK &&
	                ipc_pair(client) == RC_OK,
	        "pairs");
	b->control_fd = control[1];
	b->client_fd = client[1];
	b->pid = fork();
	if (b->pid == 0)
		child(b);
	need(ipc_new(&b->control, b->loop, control[0], on_control, on_dead,
	             b) == RC_OK,
	        "control");
	need(signer_client_new(&b->client, b->loop, client[0], NULL) == RC_OK,
	        "client");
	send_policy(b);
	need(clock_getcpuclockid(b->pid, &b->signer_clock) == 0, "CPU clock");
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
	signer_client_free(b->client);
	ipc_free(b->control);
	(void)kill(b->pid, SIGTERM);
	(void)waitpid(b->pid, NULL, 0);
	(void)unlink(b->key);
	(void)rmdir(b->dir);
	(void)close(b->control_fd);
	(void)close(b->client_fd);
	loop_free(b->loop);
	tbs_policy_free(b->policy);
	buf_free(&b->tbs);
	EVP_PKEY_CTX_free(b->sign);
	EVP_PKEY_free(b->pkey);
	EVP_MD_CTX_free(b->hash);
	EVP_MD_free(b->sha256);
}

/* --- what is measured */

static void ask(struct bench *b, struct signer_call *call)
{
	need(signer_sign(b->client, call) == RC_PENDING, "ask");
	b->left--;
	b->in_flight++;
}

static void on_done(struct signer_call *call)
{
	struct bench *b = call->ctx;

	need(call->rc == RC_OK, call->why.text);
	b->in_flight--;
	if (b->left > 0)
		ask(b, call);
	else if (b->in_flight == 0)
		loop_stop(b->loop);
}

/* CPU us a signature, of both processes. */
static double by_signer(struct bench *b, unsigned in_flight)
{
	double since = us_of(CLOCK_PROCESS_CPUTIME_ID) + us_of(b->signer_clock);

	b->left = A_ROUND;
	for (unsigned i = 0; i < in_flight; i++) {
		b->calls[i] = (struct signer_call){ .key = "issuing",
			.purpose = SIGNER_CERT,
			.tbs = buf_bytes(&b->tbs),
			.done = on_done,
			.ctx = b };
		ask(b, &b->calls[i]);
	}
	need(loop_run(b->loop) == RC_OK, "loop");
	return (us_of(CLOCK_PROCESS_CPUTIME_ID) + us_of(b->signer_clock) -
	               since) /
	        A_ROUND;
}

static double in_process(struct bench *b)
{
	double since = us_of(CLOCK_PROCESS_CPUTIME_ID);
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
	return (us_of(CLOCK_PROCESS_CPUTIME_ID) - since) / A_ROUND;
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
	double since = us_of(CLOCK_PROCESS_CPUTIME_ID);
	int64_t now_s = clock_now_s();

	for (unsigned i = 0; i < A_ROUND; i++)
		need(tbs_check(b->policy, buf_bytes(&b->tbs), now_s, held_none,
		             NULL, NULL) == RC_OK,
		        "check");
	return (us_of(CLOCK_PROCESS_CPUTIME_ID) - since) / A_ROUND;
}

static int by_value(const void *x, const void *y)
{
	double a = *(const double *)x, b = *(const double *)y;

	return (a > b) - (a < b);
}

static double median(double *v)
{
	qsort(v, ROUNDS, sizeof(*v), by_value);
	return v[ROUNDS / 2];
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
	report(median(many), median(one), median(limit), median(check));
	return 0;
}
