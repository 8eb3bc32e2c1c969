#include "base/clock.h"
#include "net/tls_priv.h"
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <string.h>

#define HOUR_S 3600

/* HKDF (RFC 5869) of the secret and the hour. */
static bool keys_derive(
        struct tls_tickets *t, struct ticket_keys *k, int64_t hour)
{
	static const char label[] = "mica tls ticket";
	uint8_t out[TICKET_NAME_BYTES + TICKET_AES_BYTES + TICKET_MAC_BYTES];
	uint8_t info[sizeof(label) + 8];
	OSSL_PARAM params[4];
	EVP_KDF_CTX *kdf = EVP_KDF_CTX_new(t->kdf);
	bool ok;

	memcpy(info, label, sizeof(label));
	for (int i = 0; i < 8; i++)
		info[sizeof(label) + (size_t)i] =
		        (uint8_t)((uint64_t)hour >> (56 - 8 * i));
	params[0] = OSSL_PARAM_construct_utf8_string(
	        OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0);
	params[1] = OSSL_PARAM_construct_octet_string(
	        OSSL_KDF_PARAM_KEY, t->secret, sizeof(t->secret));
	params[2] = OSSL_PARAM_construct_octet_string(
	        OSSL_KDF_PARAM_INFO, info, sizeof(info));
	params[3] = OSSL_PARAM_construct_end();
	ok = kdf != NULL && EVP_KDF_derive(kdf, out, sizeof(out), params) == 1;
	if (ok) {
		memcpy(k->name, out, sizeof(k->name));
		memcpy(k->aes, out + sizeof(k->name), sizeof(k->aes));
		memcpy(k->mac, out + sizeof(k->name) + sizeof(k->aes),
		        sizeof(k->mac));
		k->hour = hour;
	}
	bytes_wipe(out, sizeof(out));
	EVP_KDF_CTX_free(kdf);
	return ok;
}

static struct ticket_keys *keys_of(struct tls_tickets *t, int64_t hour)
{
	struct ticket_keys *k = &t->keys[hour & 1];

	return k->hour == hour || keys_derive(t, k, hour) ? k : NULL;
}

static bool mac_start(EVP_MAC_CTX *mac, struct ticket_keys *k)
{
	OSSL_PARAM params[3];

	params[0] = OSSL_PARAM_construct_octet_string(
	        OSSL_MAC_PARAM_KEY, k->mac, sizeof(k->mac));
	params[1] = OSSL_PARAM_construct_utf8_string(
	        OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0);
	params[2] = OSSL_PARAM_construct_end();
	return EVP_MAC_CTX_set_params(mac, params) == 1;
}

static int ticket_seal(struct tls_tickets *t, uint8_t *name, uint8_t *iv,
        EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	struct ticket_keys *k = keys_of(t, clock_now_s() / HOUR_S);

	if (k == NULL || RAND_bytes(iv, EVP_MAX_IV_LENGTH) != 1)
		return -1;
	memcpy(name, k->name, sizeof(k->name));
	if (EVP_EncryptInit_ex2(cipher, t->cipher, k->aes, iv, NULL) != 1 ||
	        !mac_start(mac, k))
		return -1;
	return 1;
}

/* 1: use it; 2: use it and hand out a new one; 0: not ours or too old. */
static int ticket_open(struct tls_tickets *t, const uint8_t *name,
        const uint8_t *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	int64_t hour = clock_now_s() / HOUR_S;

	for (int age = 0; age <= 1; age++) {
		struct ticket_keys *k = keys_of(t, hour - age);

		if (k == NULL)
			return -1;
		if (!bytes_eq(bytes_of(name, sizeof(k->name)),
		            BYTES_ARRAY(k->name)))
			continue;
		if (!mac_start(mac, k) ||
		        EVP_DecryptInit_ex2(
		                cipher, t->cipher, k->aes, iv, NULL) != 1)
			return -1;
		return 1 + age;
	}
	return 0;
}

static int ticket_key_cb(SSL *ssl, unsigned char *name, unsigned char *iv,
        EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seal)
{
	struct tls_server *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	return seal ? ticket_seal(&tls->tickets, name, iv, cipher, mac)
	            : ticket_open(&tls->tickets, name, iv, cipher, mac);
}

static SSL_TICKET_RETURN ticket_read_cb(SSL *ssl, SSL_SESSION *session,
        const unsigned char *name, size_t name_n, SSL_TICKET_STATUS status,
        void *unused)
{
	(void)ssl, (void)session, (void)name, (void)name_n, (void)unused;
	switch (status) {
	case SSL_TICKET_SUCCESS:
		return SSL_TICKET_RETURN_USE;
	case SSL_TICKET_SUCCESS_RENEW:
		return SSL_TICKET_RETURN_USE_RENEW;
	case SSL_TICKET_EMPTY:
	case SSL_TICKET_NO_DECRYPT:
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	default:
		return SSL_TICKET_RETURN_ABORT;
	}
}

enum rc tls_tickets_init(
        struct tls_server *tls, const uint8_t secret[TLS_TICKET_SECRET_BYTES])
{
	struct tls_tickets *t = &tls->tickets;

	memcpy(t->secret, secret, sizeof(t->secret));
	t->keys[0].hour = t->keys[1].hour = -1;
	t->kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	t->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	if (t->kdf == NULL || t->cipher == NULL)
		return RC_INTERNAL;
	/* A key opens tickets for the hour after its own, at least. */
	SSL_CTX_set_timeout(tls->ctx, HOUR_S);
	SSL_CTX_set_session_cache_mode(tls->ctx, SSL_SESS_CACHE_OFF);
	/* Two, the default, cost twice as much; a client that opens several
	 * connections at once gets one on each. */
	if (SSL_CTX_set_num_tickets(tls->ctx, 1) != 1 ||
	        SSL_CTX_set_tlsext_ticket_key_evp_cb(tls->ctx, ticket_key_cb) !=
	                1 ||
	        SSL_CTX_set_session_ticket_cb(tls->ctx, tls_peer_ticket_write,
	                ticket_read_cb, NULL) != 1)
		return RC_INTERNAL;
	return RC_OK;
}

void tls_tickets_clear(struct tls_tickets *t)
{
	EVP_KDF_free(t->kdf);
	EVP_CIPHER_free(t->cipher);
	bytes_wipe(t, sizeof(*t));
}
