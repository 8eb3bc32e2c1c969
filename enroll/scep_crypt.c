#include "enroll/scep_crypt.h"

#include "base/rand.h"
#include "ca/cms_envelope.h"
#include "ca/pubkey.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#define KEY_MAX_BYTES 32   /* AES-256 */
#define BLOCK_MAX_BYTES 16 /* AES */

static const struct {
	enum oid oid;
	const char *name;
} digest_names[] = {
	{ OID_SHA1, "SHA1" },
	{ OID_SHA256, "SHA256" },
	{ OID_SHA384, "SHA384" },
	{ OID_SHA512, "SHA512" },
};
#define N_DIGESTS (sizeof(digest_names) / sizeof(*digest_names))

static const struct {
	enum oid oid;
	const char *name;
} cipher_names[] = {
	{ OID_DES_EDE3_CBC, "DES-EDE3-CBC" },
	{ OID_AES128_CBC, "AES-128-CBC" },
	{ OID_AES192_CBC, "AES-192-CBC" },
	{ OID_AES256_CBC, "AES-256-CBC" },
};
#define N_CIPHERS (sizeof(cipher_names) / sizeof(*cipher_names))

struct scep_crypt {
	struct pubkey_ctx *keys;
	EVP_CIPHER_CTX *cipher;
	EVP_MD *digests[N_DIGESTS];
	EVP_CIPHER *ciphers[N_CIPHERS];
};

static bool fetch_all(struct scep_crypt *c)
{
	bool ok = true;

	for (size_t i = 0; i < N_DIGESTS; i++) {
		c->digests[i] = EVP_MD_fetch(NULL, digest_names[i].name, NULL);
		ok = ok && c->digests[i] != NULL;
	}
	for (size_t i = 0; i < N_CIPHERS; i++) {
		c->ciphers[i] =
		        EVP_CIPHER_fetch(NULL, cipher_names[i].name, NULL);
		ok = ok && c->ciphers[i] != NULL;
	}
	c->cipher = EVP_CIPHER_CTX_new();
	return ok && c->cipher != NULL;
}

enum rc scep_crypt_new(struct scep_crypt **out)
{
	struct scep_crypt *c = calloc(1, sizeof(*c));
	enum rc rc;

	*out = NULL;
	if (c == NULL)
		return RC_NOMEM;
	rc = pubkey_ctx_new(&c->keys);
	if (rc == RC_OK && !fetch_all(c))
		rc = RC_INTERNAL;
	ERR_clear_error();
	if (rc != RC_OK) {
		scep_crypt_free(c);
		return rc;
	}
	*out = c;
	return RC_OK;
}

void scep_crypt_free(struct scep_crypt *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < N_DIGESTS; i++)
		EVP_MD_free(c->digests[i]);
	for (size_t i = 0; i < N_CIPHERS; i++)
		EVP_CIPHER_free(c->ciphers[i]);
	EVP_CIPHER_CTX_free(c->cipher);
	pubkey_ctx_free(c->keys);
	free(c);
}

static const EVP_MD *md_of(const struct scep_crypt *c, enum oid digest)
{
	for (size_t i = 0; i < N_DIGESTS; i++)
		if (digest_names[i].oid == digest)
			return c->digests[i];
	return NULL;
}

static const EVP_CIPHER *cipher_of(const struct scep_crypt *c, enum oid cipher)
{
	for (size_t i = 0; i < N_CIPHERS; i++)
		if (cipher_names[i].oid == cipher)
			return c->ciphers[i];
	return NULL;
}

/* --- digests and signatures */
enum rc scep_crypt_digest(struct scep_crypt *c, enum oid digest,
        struct bytes in, uint8_t out[SCEP_DIGEST_MAX_BYTES], size_t *n)
{
	const EVP_MD *md = md_of(c, digest);
	unsigned used = 0;
	bool ok =
	        md != NULL && EVP_Digest(in.p, in.n, out, &used, md, NULL) == 1;

	ERR_clear_error();
	*n = used;
	return ok ? RC_OK : RC_INTERNAL;
}

static bool verify(
        EVP_PKEY *pkey, const EVP_MD *md, struct bytes digest, struct bytes sig)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	bool ok = ctx != NULL && EVP_PKEY_verify_init(ctx) == 1 &&
	        EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
	        EVP_PKEY_CTX_set_signature_md(ctx, md) == 1 &&
	        EVP_PKEY_verify(ctx, sig.p, sig.n, digest.p, digest.n) == 1;

	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return ok;
}

enum rc scep_crypt_import(struct scep_crypt *c, EVP_PKEY **out,
        const struct spki *key, struct why *why)
{
	return pubkey_import(out, c->keys, key, why);
}

enum rc scep_crypt_verify(struct scep_crypt *c, EVP_PKEY *key, enum oid digest,
        struct bytes data, struct bytes sig, struct why *why)
{
	uint8_t hash[SCEP_DIGEST_MAX_BYTES];
	size_t n;
	enum rc rc = scep_crypt_digest(c, digest, data, hash, &n);

	if (rc == RC_OK &&
	        !verify(key, md_of(c, digest), bytes_of(hash, n), sig))
		rc = why_set(why, RC_BADSIG,
		        "the message's signature does not verify");
	return rc;
}

/* --- EnvelopedData */

/* libcrypto counts in int; what comes here is far shorter. */
static bool run_cipher(struct scep_crypt *c, struct bytes in, struct buf *out)
{
	uint8_t *room = buf_room(out, in.n + BLOCK_MAX_BYTES);
	int n = 0, last = 0;

	if (room == NULL || in.n > INT_MAX - BLOCK_MAX_BYTES ||
	        EVP_CipherUpdate(c->cipher, room, &n, in.p, (int)in.n) != 1 ||
	        EVP_CipherFinal_ex(c->cipher, room + n, &last) != 1)
		return false;
	buf_added(out, (size_t)n + (size_t)last);
	return true;
}

enum rc scep_crypt_open(struct scep_crypt *c, const struct cms_enveloped *e,
        struct bytes key, struct buf *out, struct why *why)
{
	const EVP_CIPHER *cipher = cipher_of(c, e->cipher);
	struct buf text = BUF_INIT(CMS_READ_MAX_BYTES);
	bool ok = cipher != NULL && key.n == cms_cipher_key_bytes(e->cipher) &&
	        cms_put_ciphertext(&text, e, NULL) == RC_OK &&
	        EVP_CipherInit_ex2(
	                c->cipher, cipher, key.p, e->iv.p, 0, NULL) == 1 &&
	        run_cipher(c, buf_bytes(&text), out);

	(void)EVP_CIPHER_CTX_reset(c->cipher);
	ERR_clear_error();
	buf_free(&text);
	if (out->failed == RC_NOMEM)
		return RC_NOMEM;
	return ok ? RC_OK
	          : why_set(why, RC_BADSIG, "the envelope does not open");
}

static bool wrap_key(EVP_PKEY *pkey, struct bytes key, struct buf *out)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	size_t n = (size_t)EVP_PKEY_get_size(pkey);
	uint8_t *room = buf_room(out, n);
	bool ok = room != NULL && ctx != NULL &&
	        EVP_PKEY_encrypt_init(ctx) == 1 &&
	        EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
	        EVP_PKEY_encrypt(ctx, room, &n, key.p, key.n) == 1;

	if (ok)
		buf_added(out, n);
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return ok;
}

enum rc scep_crypt_seal(struct scep_crypt *c, struct buf *out, enum oid cipher,
        EVP_PKEY *key, const struct cms_id *id, struct bytes content)
{
	struct buf text = BUF_INIT(content.n + 2 * BLOCK_MAX_BYTES);
	struct buf wrapped = BUF_INIT(CMS_READ_KEY_MAX_BYTES);
	uint8_t secret[KEY_MAX_BYTES], iv[BLOCK_MAX_BYTES];
	size_t n_key = cms_cipher_key_bytes(cipher);
	struct cms_envelope e = { .to = *id,
		.cipher = cipher,
		.iv = bytes_of(iv, cms_cipher_block_bytes(cipher)) };
	enum rc rc = n_key == 0 ? RC_INTERNAL : RC_OK;

	rand_fill(secret, sizeof(secret));
	rand_fill(iv, sizeof(iv));
	if (rc == RC_OK &&
	        (!wrap_key(key, bytes_of(secret, n_key), &wrapped) ||
	                EVP_CipherInit_ex2(c->cipher, cipher_of(c, cipher),
	                        secret, iv, 1, NULL) != 1 ||
	                !run_cipher(c, content, &text)))
		rc = RC_INTERNAL;
	(void)EVP_CIPHER_CTX_reset(c->cipher);
	ERR_clear_error();
	bytes_wipe(secret, sizeof(secret));
	e.encrypted_key = buf_bytes(&wrapped);
	e.ciphertext = buf_bytes(&text);
	if (rc == RC_OK)
		rc = cms_put_envelope(out, &e);
	buf_free(&wrapped);
	buf_free(&text);
	return rc;
}
