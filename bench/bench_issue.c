/* bench_issue - one certificate in process: a request's DER in, a certificate's
 * DER out, without store and signer. Measured against the public-key operations
 * that nothing can save: verify (possession), sign, verify (what was signed).
 *
 * Both run in turns of a few ms in one process, on the same keys, so that
 * frequency and neighbours touch both alike; the medians are compared. */
#include "base/clock.h"
#include "ca/draft.h"
#include "ca/pubkey.h"
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define REQUESTS 64 /* different keys, so that no cache flatters */
#define ROUNDS 120
#define SIGNATURE_MAX_BYTES 80 /* ECDSA on P-256 */

static const char YAML[] =
        "store: { lmdb: { path: store } }\n"
        "listen: { est: { address: \"\" } }\n"
        "keys: { factory: { file: factory.key } }\n"
        "authorities:\n"
        "  factory:\n"
        "    certificate: ca.pem\n"
        "    key: factory\n"
        "    crl_urls: [http://pki.example.com/crl/factory.crl]\n"
        "    ocsp_urls: [http://pki.example.com/ocsp]\n"
        "    aia: [http://pki.example.com/ca/factory.crt]\n"
        "profiles:\n"
        "  sensor:\n"
        "    keys: [p256]\n"
        "    subject: { CN: \"%{device}\", O: Example Meters }\n"
        "    san: { uri: \"urn:dev:%{device}\" }\n"
        "    eku: [client_auth]\n";

static const char CA_EXTS[] = "[ext]\nbasicConstraints=critical,CA:TRUE\n"
                              "keyUsage=critical,keyCertSign\n"
                              "subjectKeyIdentifier=hash\n";

struct request {
	struct buf der;
	char device[32];
	EVP_PKEY_CTX *verify; /* raw: the device's key, ready */
	uint8_t digest[32];   /* of what the device signed */
	uint8_t sig[SIGNATURE_MAX_BYTES];
	size_t sig_n;
};

struct bench {
	EVP_PKEY *ca_key;
	struct buf ca_pem;
	struct conf *conf;
	struct authorities *authorities;
	struct profiles *profiles;
	const struct profile *profile;
	struct pubkey_ctx *keys;
	struct pubkey_verifier *ca_verifier;
	struct digest *digest;
	struct draft draft;
	struct buf cert;
	EVP_MD *sha256;
	EVP_PKEY_CTX *sign, *verify; /* the CA's key, ready */
	struct request requests[REQUESTS];
};

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "bench_issue: %s\n", what);
	exit(1);
}

static void add_exts(X509 *x, const char *exts)
{
	BIO *bio = BIO_new_mem_buf(exts, -1);
	CONF *conf = NCONF_new(NULL);
	X509V3_CTX ctx;

	need(NCONF_load_bio(conf, bio, NULL) == 1, "extensions");
	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	X509V3_set_nconf(&ctx, conf);
	need(X509V3_EXT_add_nconf(conf, &ctx, "ext", x) == 1, "extensions");
	NCONF_free(conf);
	BIO_free(bio);
}

static void make_ca(struct bench *b)
{
	X509 *x = X509_new();
	BIO *bio = BIO_new(BIO_s_mem());
	X509_NAME *name = X509_get_subject_name(x);
	char *pem;
	long n;

	b->ca_key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	X509_set_version(x, X509_VERSION_3);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 10 * 365 * 86400);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
	        (const unsigned char *)"Factory", -1, -1, 0);
	X509_set_issuer_name(x, name);
	X509_set_pubkey(x, b->ca_key);
	add_exts(x, CA_EXTS);
	need(X509_sign(x, b->ca_key, EVP_sha256()) > 0, "CA");
	PEM_write_bio_X509(bio, x);
	n = BIO_get_mem_data(bio, &pem);
	b->ca_pem = BUF_INIT(65536);
	buf_add(&b->ca_pem, bytes_of(pem, (size_t)n));
	BIO_free(bio);
	X509_free(x);
}

/* Ready to sign or verify digests: what is left is the operation itself. */
static EVP_PKEY_CTX *raw_ctx(EVP_PKEY *key, bool sign)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);

	need(ctx != NULL &&
	                (sign ? EVP_PKEY_sign_init(ctx)
	                      : EVP_PKEY_verify_init(ctx)) == 1,
	        "EVP_PKEY_CTX");
	return ctx;
}

static void make_request(struct request *r, unsigned number)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	EVP_PKEY_CTX *sign = raw_ctx(key, true);
	X509_REQ *req = X509_REQ_new();
	unsigned char *der = NULL;
	int n;

	(void)snprintf(r->device, sizeof r->device, "meter-%06u", number);
	X509_REQ_set_pubkey(req, key);
	X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(req), "CN",
	        MBSTRING_UTF8, (const unsigned char *)r->device, -1, -1, 0);
	need(X509_REQ_sign(req, key, EVP_sha256()) > 0, "request");
	n = i2d_X509_REQ(req, &der);
	r->der = BUF_INIT(CSR_DER_MAX_BYTES);
	buf_add(&r->der, bytes_of(der, (size_t)n));
	OPENSSL_free(der);
	X509_REQ_free(req);
	r->sig_n = sizeof r->sig;
	need(EVP_PKEY_sign(
	             sign, r->sig, &r->sig_n, r->digest, sizeof r->digest) == 1,
	        "signature");
	EVP_PKEY_CTX_free(sign);
	r->verify = raw_ctx(key, false);
	EVP_PKEY_free(key);
}

static enum rc read_ca(
        void *ctx, const char *path, struct buf *out, struct why *why)
{
	struct bench *b = ctx;

	(void)path;
	(void)why;
	buf_add(out, buf_bytes(&b->ca_pem));
	return out->failed;
}

static void begin(struct bench *b)
{
	struct conf_errors *errors = calloc(1, sizeof *errors);
	struct why why = WHY_NONE;
	struct spki ca;
	unsigned i;

	memset(b, 0, sizeof *b);
	make_ca(b);
	need(errors != NULL &&
	                conf_load(&b->conf, "mica.yaml", bytes_str(YAML),
	                        read_ca, b, errors) == RC_OK,
	        errors ? errors->list[0].text : "no memory");
	free(errors);
	need(authorities_new(&b->authorities, b->conf, &why) == RC_OK,
	        why.text);
	need(profiles_new(&b->profiles, b->conf, b->authorities, &why) == RC_OK,
	        why.text);
	b->profile =
	        profiles_find(b->profiles, authorities_at(b->authorities, 0),
	                conf_profile(b->conf, "sensor"));
	need(pubkey_ctx_new(&b->keys) == RC_OK &&
	                digest_new(&b->digest) == RC_OK,
	        "contexts");
	need(spki_parse(&ca, authorities_at(b->authorities, 0)->spki, &why) ==
	                        RC_OK &&
	                pubkey_verifier_new(&b->ca_verifier, b->keys, &ca,
	                        ALG_ECDSA_SHA256, &why) == RC_OK,
	        why.text);
	b->draft = DRAFT_INIT;
	b->cert = BUF_INIT(STORE_DER_MAX_BYTES);
	b->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	b->sign = raw_ctx(b->ca_key, true);
	b->verify = raw_ctx(b->ca_key, false);
	for (i = 0; i < REQUESTS; i++)
		make_request(&b->requests[i], i);
}

static void end(struct bench *b)
{
	unsigned i;

	for (i = 0; i < REQUESTS; i++) {
		buf_free(&b->requests[i].der);
		EVP_PKEY_CTX_free(b->requests[i].verify);
	}
	EVP_PKEY_CTX_free(b->sign);
	EVP_PKEY_CTX_free(b->verify);
	EVP_MD_free(b->sha256);
	draft_free(&b->draft);
	buf_free(&b->cert);
	buf_free(&b->ca_pem);
	digest_free(b->digest);
	pubkey_verifier_free(b->ca_verifier);
	pubkey_ctx_free(b->keys);
	profiles_free(b->profiles);
	authorities_free(b->authorities);
	conf_free(b->conf);
	EVP_PKEY_free(b->ca_key);
}

/* What the signer does with a TBS, without the way there and back. */
static size_t sign_tbs(struct bench *b, uint8_t sig[SIGNATURE_MAX_BYTES])
{
	uint8_t digest[DIGEST_SHA256_BYTES];
	size_t n = SIGNATURE_MAX_BYTES;

	need(digest_sha256(b->digest, buf_bytes(&b->draft.tbs), digest) ==
	                RC_OK,
	        "hash");
	need(EVP_PKEY_sign(b->sign, sig, &n, digest, sizeof digest) == 1,
	        "sign");
	return n;
}

/* Request in, certificate out. */
static void issue(struct bench *b, const struct request *r)
{
	struct draft_input in = { .profile = b->profile,
		.device = r->device,
		.now_us = clock_now_us() };
	uint8_t sig[SIGNATURE_MAX_BYTES];
	struct why why = WHY_NONE;
	struct csr *csr;
	size_t n;

	need(csr_parse(&csr, b->keys, buf_bytes(&r->der), &why) == RC_OK,
	        why.text);
	in.csr = csr;
	in.spki = csr_spki(csr);
	need(draft_make(&b->draft, &in, b->digest, &why) == RC_OK, why.text);
	n = sign_tbs(b, sig);
	need(pubkey_verifier_check(b->ca_verifier, buf_bytes(&b->draft.tbs),
	             bytes_of(sig, n), &why) == RC_OK,
	        why.text);
	buf_reset(&b->cert);
	need(tbs_certificate(&b->cert, buf_bytes(&b->draft.tbs),
	             alg_bytes(ALG_ECDSA_SHA256), bytes_of(sig, n)) == RC_OK,
	        "certificate");
	csr_free(csr);
}

/* The three operations alone, on digests that are there already. */
static void raw(struct bench *b, const struct request *r)
{
	uint8_t sig[SIGNATURE_MAX_BYTES];
	size_t n = sizeof sig;

	need(EVP_PKEY_verify(r->verify, r->sig, r->sig_n, r->digest,
	             sizeof r->digest) == 1,
	        "raw verify");
	need(EVP_PKEY_sign(b->sign, sig, &n, r->digest, sizeof r->digest) == 1,
	        "raw sign");
	need(EVP_PKEY_verify(b->verify, sig, n, r->digest, sizeof r->digest) ==
	                1,
	        "raw verify");
}

typedef void run_fn(struct bench *b, const struct request *r);

/* CPU time, to be set beside the servers'; neighbours do not show in it. */
static double cpu_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double one_round(struct bench *b, run_fn *run)
{
	double since_us = cpu_us();
	unsigned i;

	for (i = 0; i < REQUESTS; i++)
		run(b, &b->requests[i]);
	return (cpu_us() - since_us) / REQUESTS;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, size_t n)
{
	qsort(v, n, sizeof *v, by_value);
	return v[n / 2];
}

int main(void)
{
	static struct bench b;
	double value[ROUNDS], limit[ROUNDS], v, l;
	unsigned i;

	begin(&b);
	(void)one_round(&b, issue);
	(void)one_round(&b, raw);
	for (i = 0; i < ROUNDS; i++) {
		value[i] = one_round(&b, issue);
		limit[i] = one_round(&b, raw);
	}
	v = median(value, ROUNDS);
	l = median(limit, ROUNDS);
	(void)printf("issue.p256 value=%.1f unit=us limit=%.1f ratio=%.3f\n", v,
	        l, l / v);
	end(&b);
	return 0;
}
