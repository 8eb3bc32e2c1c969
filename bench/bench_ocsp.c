/* bench_ocsp - one OCSP answer in process: a request's DER in, a response's DER
 * out, without store, cache and signer. Measured against the signature alone,
 * which nothing can save; beside it, libcrypto's way with the same keys.
 *
 * All run in turns of a few ms in one process, so that frequency and neighbours
 * touch all alike; the medians are compared. */
#include "bench/measure.h"
#include "ca/digest.h"
#include "der/alg.h"
#include "ocsp/response.h"

#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define REQUESTS 64
#define ROUNDS 120
#define SIGNATURE_MAX_BYTES 80 /* ECDSA on P-256 */
#define VALID_S 43200

struct bench {
	EVP_PKEY *key;
	X509 *cert;
	struct buf cert_der;
	uint8_t key_hash[RESPONSE_KEY_HASH_BYTES];
	EVP_PKEY_CTX *sign;
	struct digest *digest;
	struct buf data, out;
	struct buf requests[REQUESTS];
};

static void need(bool ok, const char *what)
{
	if (!ok)
		die("bench_ocsp: %s", what);
}

static void take(struct buf *out, uint8_t *der, int n)
{
	need(n > 0, "encoding");
	*out = BUF_INIT(65536);
	buf_add(out, bytes_of(der, (size_t)n));
	OPENSSL_free(der);
}

static void make_request(struct bench *b, struct buf *out, uint64_t number)
{
	OCSP_REQUEST *r = OCSP_REQUEST_new();
	ASN1_INTEGER *serial = ASN1_INTEGER_new();
	uint8_t *der = NULL;
	int n;

	need(ASN1_INTEGER_set_uint64(serial, number << 32 | 0x40000001) == 1 &&
	                OCSP_request_add0_id(r,
	                        OCSP_cert_id_new(EVP_sha1(),
	                                X509_get_subject_name(b->cert),
	                                X509_get0_pubkey_bitstr(b->cert),
	                                serial)) != NULL,
	        "request");
	n = i2d_OCSP_REQUEST(r, &der);
	take(out, der, n);
	ASN1_INTEGER_free(serial);
	OCSP_REQUEST_free(r);
}

static void begin(struct bench *b)
{
	uint8_t *der = NULL;
	int n;

	b->key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	b->cert = X509_new();
	(void)X509_set_version(b->cert, X509_VERSION_3);
	(void)X509_NAME_add_entry_by_txt(X509_get_subject_name(b->cert), "CN",
	        MBSTRING_ASC, (const uint8_t *)"OCSP responder factory", -1, -1,
	        0);
	(void)X509_set_issuer_name(b->cert, X509_get_subject_name(b->cert));
	(void)X509_gmtime_adj(X509_getm_notBefore(b->cert), -3600);
	(void)X509_gmtime_adj(X509_getm_notAfter(b->cert), 7 * 86400);
	(void)X509_set_pubkey(b->cert, b->key);
	need(X509_sign(b->cert, b->key, EVP_sha256()) > 0, "certificate");
	need(X509_pubkey_digest(b->cert, EVP_sha1(), b->key_hash, NULL) == 1,
	        "hash");
	n = i2d_X509(b->cert, &der);
	take(&b->cert_der, der, n);
	b->sign = EVP_PKEY_CTX_new_from_pkey(NULL, b->key, NULL);
	need(b->sign != NULL && EVP_PKEY_sign_init(b->sign) == 1, "key");
	need(digest_new(&b->digest) == RC_OK, "digest");
	b->data = b->out = BUF_INIT(OCSP_RESPONSE_MAX_BYTES);
	for (unsigned i = 0; i < REQUESTS; i++)
		make_request(b, &b->requests[i], i);
}

static void end(struct bench *b)
{
	for (unsigned i = 0; i < REQUESTS; i++)
		buf_free(&b->requests[i]);
	buf_free(&b->data);
	buf_free(&b->out);
	buf_free(&b->cert_der);
	digest_free(b->digest);
	EVP_PKEY_CTX_free(b->sign);
	X509_free(b->cert);
	EVP_PKEY_free(b->key);
}

static void sign(
        struct bench *b, const uint8_t *digest, uint8_t *sig, size_t *n)
{
	*n = SIGNATURE_MAX_BYTES;
	need(EVP_PKEY_sign(b->sign, sig, n, digest, DIGEST_SHA256_BYTES) == 1,
	        "sign");
}

static void answer(struct bench *b, unsigned i)
{
	uint8_t digest[DIGEST_SHA256_BYTES], sig[SIGNATURE_MAX_BYTES];
	struct ocsp_request r;
	struct single one = { .status = SINGLE_GOOD };
	int64_t now_s = (int64_t)time(NULL);
	struct response_data d = { .key_hash = b->key_hash,
		.produced_s = now_s,
		.this_update_s = now_s,
		.next_update_s = now_s + VALID_S,
		.list = &one,
		.n = 1 };
	size_t n;

	need(ocsp_request_parse(&r, buf_bytes(&b->requests[i]), NULL) == RC_OK,
	        "request");
	one.certid = r.list[0].der;
	buf_reset(&b->data);
	response_put_data(&b->data, &d);
	need(digest_sha256(b->digest, buf_bytes(&b->data), digest) == RC_OK,
	        "hash");
	sign(b, digest, sig, &n);
	buf_reset(&b->out);
	response_put(&b->out, buf_bytes(&b->data), alg_bytes(ALG_ECDSA_SHA256),
	        bytes_of(sig, n), buf_bytes(&b->cert_der));
	need(b->out.failed == RC_OK, "response");
}

static void raw(struct bench *b, unsigned i)
{
	uint8_t sig[SIGNATURE_MAX_BYTES];
	size_t n;

	sign(b, b->requests[i].p, sig, &n);
}

static void by_libcrypto(struct bench *b, unsigned i)
{
	const uint8_t *p = b->requests[i].p;
	OCSP_REQUEST *r = d2i_OCSP_REQUEST(NULL, &p, (long)b->requests[i].n);
	OCSP_BASICRESP *bs = OCSP_BASICRESP_new();
	ASN1_TIME *now = X509_gmtime_adj(NULL, 0);
	ASN1_TIME *next = X509_gmtime_adj(NULL, VALID_S);
	OCSP_RESPONSE *resp;
	uint8_t *der = NULL;

	need(OCSP_basic_add1_status(bs,
	             OCSP_onereq_get0_id(OCSP_request_onereq_get0(r, 0)),
	             V_OCSP_CERTSTATUS_GOOD, 0, NULL, now, next) != NULL &&
	                OCSP_basic_sign(bs, b->cert, b->key, EVP_sha256(), NULL,
	                        OCSP_RESPID_KEY) == 1,
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
	        m[0], m[1], m[1] / m[0], m[2], b.out.n);
	end(&b);
	return 0;
}
