/* bench_scep - what an SCEP enrolment costs at least: the operations of
 * libcrypto that no server can save, alone, on keys that are ready and on
 * memory that is there. The device and the RA have RSA-2048, the authority has
 * P-256. In the order in which they come:
 *
 *   message   digest of its content; digest of its attributes, and their
 *             verification by the device's key
 *   envelope  decryption of the content key by the RA's key; of the content,
 *             AES-128-CBC
 *   request   digest, and verification: the device has the key (RFC 2986)
 *   issue     digest and signature by the authority's key; digest and
 *             verification of what was signed, before it is released; digest
 *             of the certificate, for the record
 *   answer    encryption of the certificate, AES-128-CBC; of the content key
 *             for the device's key; digest of that content; digest of the
 *             attributes, and their signature by the RA's key
 *
 * HTTP, DER, the record itself, and the way to the process that has the keys
 * are not in it. Nor is the verification of the CertRep's signature: libcrypto
 * makes one of each RSA signature by the Chinese remainder theorem itself, as
 * part of it. Prints limit=CPU-TIME-OF-ONE */
#include "bench/measure.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define KEYS 16 /* different devices, so that no cache flatters */
#define A_ROUND 64
#define ROUNDS 40
#define RSA_BITS 2048
#define RSA_BYTES (RSA_BITS / 8)
#define AES_BYTES 16
#define HASH_BYTES 32

/* As bench_scep_load's messages and their answers have them, about. */
#define CONTENT_BYTES 1136 /* EnvelopedData with a request */
#define ATTRS_BYTES 256    /* of either message */
#define REQUEST_BYTES 704  /* encrypted: blocks of AES */
#define REQUEST_INFO_BYTES 368
#define TBS_BYTES 624
#define CERT_BYTES 736
#define CERTS_BYTES 800   /* likewise encrypted */
#define ANSWER_BYTES 1232 /* EnvelopedData with the certificate */
#define TEXT_MAX_BYTES 2048

/* A key, ready for what is done with it. */
struct key {
	EVP_PKEY *pkey;
	EVP_PKEY_CTX *sign, *verify, *encrypt, *decrypt; /* or NULL */
	uint8_t sig[RSA_BYTES];
	size_t sig_n;
};

struct bench {
	struct key ra, authority, devices[KEYS];
	EVP_MD *sha256;
	EVP_CIPHER *aes;
	EVP_CIPHER_CTX *cipher;
	uint8_t text[TEXT_MAX_BYTES];
	uint8_t digest[HASH_BYTES]; /* that all signatures are over */
	uint8_t wrapped[RSA_BYTES]; /* a content key, for the RA */
	uint8_t content_key[AES_BYTES], iv[AES_BYTES];
};

static void need(bool ok, const char *what)
{
	if (!ok)
		die("bench_scep: %s", what);
}

/* --- keys */
static EVP_PKEY_CTX *ready(EVP_PKEY *key, int (*init)(EVP_PKEY_CTX *ctx))
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);

	need(ctx != NULL && init(ctx) == 1, "key");
	return ctx;
}

/* A signature by it, for others to verify. */
static void key_sign(struct bench *b, struct key *k)
{
	k->sig_n = sizeof(k->sig);
	need(EVP_PKEY_sign(k->sign, k->sig, &k->sig_n, b->digest, HASH_BYTES) ==
	                1,
	        "signature");
}

static void rsa_make(struct bench *b, struct key *k)
{
	k->pkey = EVP_RSA_gen(RSA_BITS);
	need(k->pkey != NULL, "key");
	k->sign = ready(k->pkey, EVP_PKEY_sign_init);
	k->verify = ready(k->pkey, EVP_PKEY_verify_init);
	k->encrypt = ready(k->pkey, EVP_PKEY_encrypt_init);
	k->decrypt = ready(k->pkey, EVP_PKEY_decrypt_init);
	need(EVP_PKEY_CTX_set_signature_md(k->sign, b->sha256) == 1 &&
	                EVP_PKEY_CTX_set_signature_md(k->verify, b->sha256) ==
	                        1 &&
	                EVP_PKEY_CTX_set_rsa_padding(
	                        k->decrypt, RSA_NO_PADDING) == 1,
	        "key");
	key_sign(b, k);
}

static void begin(struct bench *b)
{
	size_t n = sizeof(b->wrapped);

	b->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	b->aes = EVP_CIPHER_fetch(NULL, "AES-128-CBC", NULL);
	b->cipher = EVP_CIPHER_CTX_new();
	need(b->sha256 != NULL && b->aes != NULL && b->cipher != NULL &&
	                RAND_bytes(b->text, sizeof(b->text)) == 1 &&
	                RAND_bytes(b->digest, sizeof(b->digest)) == 1,
	        "libcrypto");
	rsa_make(b, &b->ra);
	for (unsigned i = 0; i < KEYS; i++)
		rsa_make(b, &b->devices[i]);
	b->authority.pkey = EVP_EC_gen("P-256");
	b->authority.sign = ready(b->authority.pkey, EVP_PKEY_sign_init);
	b->authority.verify = ready(b->authority.pkey, EVP_PKEY_verify_init);
	need(EVP_PKEY_encrypt(b->ra.encrypt, b->wrapped, &n, b->content_key,
	             sizeof(b->content_key)) == 1,
	        "content key");
}

static void key_free(struct key *k)
{
	EVP_PKEY_CTX_free(k->sign);
	EVP_PKEY_CTX_free(k->verify);
	EVP_PKEY_CTX_free(k->encrypt);
	EVP_PKEY_CTX_free(k->decrypt);
	EVP_PKEY_free(k->pkey);
}

static void end(struct bench *b)
{
	key_free(&b->ra);
	key_free(&b->authority);
	for (unsigned i = 0; i < KEYS; i++)
		key_free(&b->devices[i]);
	EVP_MD_free(b->sha256);
	EVP_CIPHER_free(b->aes);
	EVP_CIPHER_CTX_free(b->cipher);
}

/* --- the operations */
static void hash(struct bench *b, size_t n)
{
	uint8_t out[HASH_BYTES];

	need(EVP_Digest(b->text, n, out, NULL, b->sha256, NULL) == 1, "digest");
}

static void verify(struct bench *b, const struct key *k)
{
	need(EVP_PKEY_verify(
	             k->verify, k->sig, k->sig_n, b->digest, HASH_BYTES) == 1,
	        "verification");
}

static void decrypt_key(struct bench *b)
{
	uint8_t out[RSA_BYTES];
	size_t n = sizeof(out);

	need(EVP_PKEY_decrypt(b->ra.decrypt, out, &n, b->wrapped,
	             sizeof(b->wrapped)) == 1 &&
	                memcmp(out + n - AES_BYTES, b->content_key,
	                        AES_BYTES) == 0,
	        "decryption");
}

static void encrypt_key(struct bench *b, const struct key *to)
{
	uint8_t out[RSA_BYTES];
	size_t n = sizeof(out);

	need(EVP_PKEY_encrypt(to->encrypt, out, &n, b->content_key,
	             sizeof(b->content_key)) == 1,
	        "encryption");
}

/* Whole blocks: the padding is not looked at. */
static void run_aes(struct bench *b, size_t n_text, int encrypt)
{
	uint8_t out[TEXT_MAX_BYTES + AES_BYTES];
	int n;

	need(EVP_CipherInit_ex2(b->cipher, b->aes, b->content_key, b->iv,
	             encrypt, NULL) == 1 &&
	                EVP_CipherUpdate(
	                        b->cipher, out, &n, b->text, (int)n_text) == 1,
	        "AES");
}

static void enrol(struct bench *b, const struct key *device)
{
	hash(b, CONTENT_BYTES);
	hash(b, ATTRS_BYTES);
	verify(b, device);
	decrypt_key(b);
	run_aes(b, REQUEST_BYTES, 0);
	hash(b, REQUEST_INFO_BYTES);
	verify(b, device);
	hash(b, TBS_BYTES);
	key_sign(b, &b->authority);
	hash(b, TBS_BYTES);
	verify(b, &b->authority);
	hash(b, CERT_BYTES);
	run_aes(b, CERTS_BYTES, 1);
	encrypt_key(b, device);
	hash(b, ANSWER_BYTES);
	hash(b, ATTRS_BYTES);
	key_sign(b, &b->ra);
}

/* CPU time, to be set beside the servers'. */
static double cpu_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double one_round(struct bench *b)
{
	double since_us = cpu_us();

	for (unsigned i = 0; i < A_ROUND; i++)
		enrol(b, &b->devices[i % KEYS]);
	return (cpu_us() - since_us) / A_ROUND;
}

int main(void)
{
	static struct bench b;
	double took_us[ROUNDS];

	begin(&b);
	(void)one_round(&b);
	for (unsigned i = 0; i < ROUNDS; i++)
		took_us[i] = one_round(&b);
	(void)printf("limit=%.1f\n", quantile(took_us, ROUNDS, 0.5));
	end(&b);
	return 0;
}
