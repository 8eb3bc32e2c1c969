/* ca/signer/vault_sign.c - what keys sign and decrypt, by the hand of a thread. */
#include "ca/signer/vault_private.h"

#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

/* What RSAES-PKCS1-v1_5 puts around a message: 00 02, eight bytes or more that
 * are not zero, 00. */
#define PADDING_MIN_BYTES 11
#define SHA256_BYTES 32

enum rc vault_hand_new(struct vault_hand **out, struct vault *v, size_t token)
{
	struct vault_hand *h = calloc(1, sizeof(*h));

	*out = NULL;
	if (!h)
		return RC_NOMEM;
	h->vault = v;
	h->token = token > 0 ? &v->tokens[token - 1] : NULL;
	h->input = BUF_INIT(HAND_MESSAGE_MAX_BYTES);
	h->signature = BUF_INIT(PROTO_SIGNATURE_MAX_BYTES);
	h->digest = EVP_MD_CTX_new();
	if (!h->digest) {
		vault_hand_free(h);
		return RC_NOMEM;
	}
	*out = h;
	return RC_OK;
}

static void grip_clear(struct grip *g)
{
	EVP_PKEY_CTX_free(g->pkey);
	EVP_MD_CTX_free(g->message);
	*g = (struct grip){ 0 };
}

void vault_hand_free(struct vault_hand *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < sizeof(h->grips) / sizeof(*h->grips); i++)
		grip_clear(&h->grips[i]);
	if (h->token)
		vault_hand_drop(h);
	EVP_MD_CTX_free(h->digest);
	buf_free(&h->input);
	buf_free(&h->signature);
	free(h);
}

static EVP_MD *key_md(const struct vault *v, const struct vault_key *k)
{
	return k->alg == ALG_ECDSA_SHA384 ? v->sha384 : v->sha256;
}

/* The salt as long as the digest (RFC 4055 section 3.1). */
static bool set_padding(EVP_PKEY_CTX *ctx, const struct vault_key *k)
{
	if (k->type != KEY_RSA)
		return true;
	if (k->alg != ALG_RSA_PSS_SHA256)
		return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) ==
		        1;
	return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
	        EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) ==
	        1;
}

bool grip_make(struct grip *g, const struct vault *v, const struct vault_key *k)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(k->pkey, NULL);

	if (!ctx ||
	        (k->token > 0 ? EVP_PKEY_verify_init(ctx)
	                      : EVP_PKEY_sign_init(ctx)) != 1 ||
	        !set_padding(ctx, k) ||
	        EVP_PKEY_CTX_set_signature_md(ctx, key_md(v, k)) != 1) {
		EVP_PKEY_CTX_free(ctx);
		return false;
	}
	g->pkey = ctx;
	return true;
}

static enum rc failed(const struct buf *out, struct why *why)
{
	ERR_clear_error();
	return out->failed ? out->failed
	                   : why_set(why, RC_INTERNAL, "the key did not sign");
}

static enum rc sign_digest(struct vault_hand *h, struct grip *g,
        const struct vault_key *k, struct why *why)
{
	size_t n = (size_t)EVP_PKEY_get_size(k->pkey);
	uint8_t *room = buf_room(&h->signature, n);

	if (!room || (!g->pkey && !grip_make(g, h->vault, k)) ||
	        EVP_PKEY_sign(g->pkey, room, &n, h->data.p, h->data.n) != 1)
		return failed(&h->signature, why);
	buf_added(&h->signature, n);
	return RC_OK;
}

static enum rc sign_message(struct vault_hand *h, struct grip *g,
        const struct vault_key *k, struct why *why)
{
	size_t n = (size_t)EVP_PKEY_get_size(k->pkey);
	uint8_t *room = buf_room(&h->signature, n);

	if (!g->message)
		g->message = EVP_MD_CTX_new();
	if (!room || !g->message ||
	        EVP_DigestSignInit(g->message, NULL, NULL, NULL, k->pkey) !=
	                1 ||
	        EVP_DigestSign(g->message, room, &n, h->data.p, h->data.n) != 1)
		return failed(&h->signature, why);
	buf_added(&h->signature, n);
	return RC_OK;
}

static enum rc begin_digest(
        struct vault_hand *h, const struct vault_key *k, struct bytes data)
{
	uint8_t *room = buf_room(&h->input, EVP_MAX_MD_SIZE);
	unsigned n;

	if (!room)
		return h->input.failed;
	if (EVP_DigestInit_ex2(h->digest, key_md(h->vault, k), NULL) != 1 ||
	        EVP_DigestUpdate(h->digest, data.p, data.n) != 1 ||
	        EVP_DigestFinal_ex(h->digest, room, &n) != 1) {
		ERR_clear_error();
		return RC_INTERNAL;
	}
	buf_added(&h->input, n);
	h->data = buf_bytes(&h->input);
	return RC_OK;
}

enum rc vault_begin(struct vault_hand *h, const struct vault_key *k,
        struct bytes data, bool *borrows)
{
	*borrows = false;
	buf_reset(&h->input);
	if (k->type != KEY_ED25519)
		return begin_digest(h, k, data);
	*borrows = k->token == 0 || data.n > HAND_MESSAGE_MAX_BYTES;
	h->data = data;
	if (*borrows)
		return RC_OK;
	buf_add(&h->input, data);
	h->data = buf_bytes(&h->input);
	return h->input.failed;
}

enum rc vault_finish(struct vault_hand *h, const struct vault_key *k,
        struct bytes *signature, struct why *why)
{
	struct grip *g = &h->grips[k->place];
	enum rc rc;

	if (g->stamp != k->stamp)
		grip_clear(g); /* it held the key that was there before */
	g->stamp = k->stamp;
	buf_reset(&h->signature);
	if (k->token > 0)
		rc = vault_token_sign(h, k, g, why);
	else if (k->type == KEY_ED25519)
		rc = sign_message(h, g, k, why);
	else
		rc = sign_digest(h, g, k, why);
	*signature = rc ? BYTES_NONE : buf_bytes(&h->signature);
	return rc;
}

enum rc vault_sign(struct vault_hand *h, const struct vault_key *k,
        struct bytes data, struct buf *out, struct why *why)
{
	struct bytes signature;
	bool borrows;
	enum rc rc = vault_begin(h, k, data, &borrows);

	if (!rc && k->token > 0)
		rc = vault_hand_open(h, why);
	if (!rc)
		rc = vault_finish(h, k, &signature, why);
	if (rc)
		return rc;
	buf_add(out, signature);
	return out->failed;
}

/* --- decryption */

/* All ones where v is zero. */
static uint8_t mask_zero(uint8_t v)
{
	return (uint8_t)((((uint32_t)v - 1) & ~(uint32_t)v) >> 31) *
	        (uint8_t)0xff;
}

/* What a wrong padding gives: of that key and cipher, known to nobody. */
static enum rc decoy(const struct vault *v, const struct vault_key *k,
        struct bytes cipher, uint8_t out[SHA256_BYTES])
{
	uint8_t text[VAULT_RSA_MAX_BITS / 8 + sizeof(k->hash)];
	unsigned n = SHA256_BYTES;

	memcpy(text, k->hash, sizeof(k->hash));
	memcpy(text + sizeof(k->hash), cipher.p, cipher.n);
	if (HMAC(v->sha256, v->secret, sizeof(v->secret), text,
	            sizeof(k->hash) + cipher.n, out, &n) != NULL)
		return RC_OK;
	ERR_clear_error();
	return RC_INTERNAL;
}

void vault_unpad(struct bytes em, uint8_t *out, size_t n)
{
	size_t end = em.n - n - 1;
	uint8_t good = mask_zero(em.p[0]) & mask_zero(em.p[1] ^ 2) &
	        mask_zero(em.p[end]);

	for (size_t i = 2; i < end; i++)
		good &= (uint8_t)~mask_zero(em.p[i]);
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)((em.p[end + 1 + i] & good) |
		        (out[i] & (uint8_t)~good));
}

static enum rc decrypt_software(const struct vault_key *k, struct bytes cipher,
        uint8_t *out, size_t n, struct why *why)
{
	uint8_t em[VAULT_RSA_MAX_BITS / 8];
	size_t n_em = sizeof(em);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(k->pkey, NULL);
	bool ok = ctx && EVP_PKEY_decrypt_init(ctx) == 1 &&
	        EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) == 1 &&
	        EVP_PKEY_decrypt(ctx, em, &n_em, cipher.p, cipher.n) == 1 &&
	        n_em == cipher.n;

	if (ok)
		vault_unpad(bytes_of(em, n_em), out, n);
	bytes_wipe(em, sizeof(em));
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return ok ? RC_OK
	          : why_set(why, RC_UNSUPPORTED,
	                    "not a number below the "
	                    "modulus");
}

enum rc vault_decrypt(struct vault_hand *h, const struct vault_key *k,
        struct bytes cipher, uint8_t *out, size_t n, struct why *why)
{
	uint8_t mac[SHA256_BYTES];
	enum rc rc;

	if (k->type != KEY_RSA || n == 0 || n > sizeof(mac) ||
	        cipher.n != (size_t)EVP_PKEY_get_size(k->pkey) ||
	        cipher.n > VAULT_RSA_MAX_BITS / 8 ||
	        cipher.n < n + PADDING_MIN_BYTES)
		return why_set(why, RC_UNSUPPORTED,
		        "%zu bytes are nothing that this key decrypts",
		        cipher.n);
	rc = decoy(h->vault, k, cipher, mac);
	if (rc)
		return rc;
	memcpy(out, mac, n);
	bytes_wipe(mac, sizeof(mac));
	return k->token > 0 ? vault_token_decrypt(h, k, cipher, out, n, why)
	                    : decrypt_software(k, cipher, out, n, why);
}
