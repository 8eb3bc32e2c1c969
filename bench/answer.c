#include "bench/answer.h"

#include "bench/measure.h"
#include "der/alg.h"
#include <openssl/ocsp.h>
#include <time.h>

static void need(bool ok, const char *what)
{
	if (!ok)
		die("answer: %s", what);
}

static void take(struct buf *out, uint8_t *der, int n)
{
	need(n > 0, "encoding");
	*out = BUF_INIT(65536);
	buf_add(out, bytes_of(der, (size_t)n));
	OPENSSL_free(der);
}

void answerer_request(struct answerer *a, struct buf *out, struct bytes serial)
{
	OCSP_REQUEST *r = OCSP_REQUEST_new();
	BIGNUM *number = BN_bin2bn(serial.p, (int)serial.n, NULL);
	ASN1_INTEGER *integer = BN_to_ASN1_INTEGER(number, NULL);
	uint8_t *der = NULL;
	int n;

	need(integer != NULL &&
	                OCSP_request_add0_id(r,
	                        OCSP_cert_id_new(EVP_sha1(),
	                                X509_get_subject_name(a->cert),
	                                X509_get0_pubkey_bitstr(a->cert),
	                                integer)) != NULL,
	        "request");
	n = i2d_OCSP_REQUEST(r, &der);
	take(out, der, n);
	ASN1_INTEGER_free(integer);
	BN_free(number);
	OCSP_REQUEST_free(r);
}

void answerer_begin(struct answerer *a)
{
	uint8_t *der = NULL;
	int n;

	a->key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	a->cert = X509_new();
	(void)X509_set_version(a->cert, X509_VERSION_3);
	(void)X509_NAME_add_entry_by_txt(X509_get_subject_name(a->cert), "CN",
	        MBSTRING_ASC, (const uint8_t *)"OCSP responder factory", -1, -1,
	        0);
	(void)X509_set_issuer_name(a->cert, X509_get_subject_name(a->cert));
	(void)X509_gmtime_adj(X509_getm_notBefore(a->cert), -3600);
	(void)X509_gmtime_adj(X509_getm_notAfter(a->cert), 7 * 86400);
	(void)X509_set_pubkey(a->cert, a->key);
	need(X509_sign(a->cert, a->key, EVP_sha256()) > 0, "certificate");
	need(X509_pubkey_digest(a->cert, EVP_sha1(), a->key_hash, NULL) == 1,
	        "hash");
	n = i2d_X509(a->cert, &der);
	take(&a->cert_der, der, n);
	a->sign = EVP_PKEY_CTX_new_from_pkey(NULL, a->key, NULL);
	need(a->sign != NULL && EVP_PKEY_sign_init(a->sign) == 1, "key");
	need(digest_new(&a->digest) == RC_OK, "digest");
	a->data = a->out = BUF_INIT(OCSP_RESPONSE_MAX_BYTES);
}

void answerer_end(struct answerer *a)
{
	buf_free(&a->data);
	buf_free(&a->out);
	buf_free(&a->cert_der);
	digest_free(a->digest);
	EVP_PKEY_CTX_free(a->sign);
	X509_free(a->cert);
	EVP_PKEY_free(a->key);
}

void answerer_sign(
        struct answerer *a, const uint8_t *digest, uint8_t *sig, size_t *n)
{
	*n = ANSWER_SIGNATURE_MAX_BYTES;
	need(EVP_PKEY_sign(a->sign, sig, n, digest, DIGEST_SHA256_BYTES) == 1,
	        "sign");
}

void answerer_answer(struct answerer *a, const struct ocsp_request *request,
        struct single *one)
{
	uint8_t digest[DIGEST_SHA256_BYTES], sig[ANSWER_SIGNATURE_MAX_BYTES];
	int64_t now_s = (int64_t)time(NULL);
	struct response_data d = { .key_hash = a->key_hash,
		.produced_s = now_s,
		.this_update_s = now_s,
		.next_update_s = now_s + ANSWER_VALID_S,
		.list = one,
		.n = 1 };
	size_t n;

	one->certid = request->list[0].der;
	buf_reset(&a->data);
	response_put_data(&a->data, &d);
	need(digest_sha256(a->digest, buf_bytes(&a->data), digest) == RC_OK,
	        "hash");
	answerer_sign(a, digest, sig, &n);
	buf_reset(&a->out);
	response_put(&a->out, buf_bytes(&a->data), alg_bytes(ALG_ECDSA_SHA256),
	        bytes_of(sig, n), buf_bytes(&a->cert_der));
	need(a->out.failed == RC_OK, "response");
}
