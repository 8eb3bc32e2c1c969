/* bench/answer.h - one OCSP answer in process, for the benchmarks: a request's
 * DER in, a response's DER out, without cache and signer. Whatever fails ends
 * the program. */
#ifndef MICA_BENCH_ANSWER_H
#define MICA_BENCH_ANSWER_H

#include "ca/digest.h"
#include "ocsp/response.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

#define ANSWER_SIGNATURE_MAX_BYTES 80 /* ECDSA on P-256 */
#define ANSWER_VALID_S 43200

struct answerer {
	EVP_PKEY *key;
	X509 *cert;
	struct buf cert_der;
	uint8_t key_hash[RESPONSE_KEY_HASH_BYTES];
	EVP_PKEY_CTX *sign;
	struct digest *digest;
	struct buf data, out;
};

/* A key and a certificate of its own. */
void answerer_begin(struct answerer *a);
void answerer_end(struct answerer *a);
/* A request about one of this certificate's, by serial; out is the caller's. */
void answerer_request(struct answerer *a, struct buf *out, struct bytes serial);
/* What request asks, as one says it; one's CertID is set here. Into a->out. */
void answerer_answer(struct answerer *a, const struct ocsp_request *request,
        struct single *one);
void answerer_sign(
        struct answerer *a, const uint8_t *digest, uint8_t *sig, size_t *n);

#endif
