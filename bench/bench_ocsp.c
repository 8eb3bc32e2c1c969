/* bench_ocsp - one OCSP answer in process: a request's DER in, a response's DER
 * out, without store, cache and signer. Measured against the signature alone,
 * which nothing can save; beside it, libcrypto's way with the same keys.
 *
 * All run in turns of a few ms in one process, so that frequency and neighbours
 * touch all alike; the medians are compared. */
#include "bench/answer.h"
#include "bench/measure.h"

#include <openssl/ocsp.h>
#include <stdio.h>
#include <time.h>

#define REQUESTS 64
#define ROUNDS 120

struct bench {
	struct answerer a;
	struct buf requests[REQUESTS];
};

static void need(bool ok, const char *what)
{
	if (!ok)
		die("bench_ocsp: %s", what);
}

static void begin(struct bench *b)
{
	uint8_t serial[8] = { 0x40, 0, 0, 1, 0, 0, 0, 1 };

	answerer_begin(&b->a);
	for (uint8_t i = 0; i < REQUESTS; i++) {
		serial[3] = i;
		answerer_request(&b->a, &b->requests[i], BYTES_ARRAY(serial));
	}
}

static void end(struct bench *b)
{
	for (unsigned i = 0; i < REQUESTS; i++)
		buf_free(&b->requests[i]);
	answerer_end(&b->a);
}

static void answer(struct bench *b, unsigned i)
{
	struct single one = { .status = SINGLE_GOOD };
	struct ocsp_request r;

	need(ocsp_request_parse(&r, buf_bytes(&b->requests[i]), NULL) == RC_OK,
	        "request");
	answerer_answer(&b->a, &r, &one);
}

static void raw(struct bench *b, unsigned i)
{
	uint8_t sig[ANSWER_SIGNATURE_MAX_BYTES];
	size_t n;

	answerer_sign(&b->a, b->requests[i].p, sig, &n);
}

static void by_libcrypto(struct bench *b, unsigned i)
{
	const uint8_t *p = b->requests[i].p;
	OCSP_REQUEST *r = d2i_OCSP_REQUEST(NULL, &p, (long)b->requests[i].n);
	OCSP_BASICRESP *bs = OCSP_BASICRESP_new();
	ASN1_TIME *now = X509_gmtime_adj(NULL, 0);
	ASN1_TIME *next = X509_gmtime_adj(NULL, ANSWER_VALID_S);
	OCSP_RESPONSE *resp;
	uint8_t *der = NULL;

	need(OCSP_basic_add1_status(bs,
	             OCSP_onereq_get0_id(OCSP_request_onereq_get0(r, 0)),
	             V_OCSP_CERTSTATUS_GOOD, 0, NULL, now, next) != NULL &&
	                OCSP_basic_sign(bs, b->a.cert, b->a.key, EVP_sha256(),
	                        NULL, OCSP_RESPID_KEY) == 1,
	        "libcrypto");
	resp = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, bs);
	need(i2d_OCSP_RESPONSE(resp, &der) > 0, "libcrypto");
	OPENSSL_free(der);
	OCSP_RESPONSE_free(resp);
	ASN1_TIME_free(now);
	ASN1_TIME_free(next);
	OCSP_BASICRESP_free(bs);
	OCSP_REQUEST_free(r);
}

/* CPU time, to be set beside the servers'; neighbours do not show in it. */
static double cpu_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

typedef void run_fn(struct bench *b, unsigned i);

static double one_round(struct bench *b, run_fn *run)
{
	double since_us = cpu_us();

	for (unsigned i = 0; i < REQUESTS; i++)
		run(b, i);
	return (cpu_us() - since_us) / REQUESTS;
}

int main(void)
{
	static struct bench b;
	static run_fn *const runs[] = { answer, raw, by_libcrypto };
	static double took[3][ROUNDS];
	double m[3];

	begin(&b);
	for (unsigned i = 0; i < ROUNDS; i++)
		for (unsigned k = 0; k < 3; k++)
			took[k][i] = one_round(&b, runs[k]);
	for (unsigned k = 0; k < 3; k++)
		m[k] = quantile(took[k], ROUNDS, 0.5);
	(void)printf("ocsp.sign value=%.2f unit=us limit=%.2f ratio=%.3f "
	             "libcrypto=%.2f bytes=%zu\n",
	        m[0], m[1], m[1] / m[0], m[2], b.a.out.n);
	end(&b);
	return 0;
}
