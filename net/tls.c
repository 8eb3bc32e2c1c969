#include "net/tls_priv.h"
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

/* TLS 1.2: forward secrecy and AEAD only. TLS 1.3 has nothing else. */
#define CIPHERS_TLS12 "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AESCCM:!AESCCM8"
#define GROUPS "X25519:P-256:P-384:P-521"
/* 112 bits: RSA 2048 and up, SHA-256 and up, in what clients show too. Said
 * here because a system's openssl.cnf would set it otherwise. */
#define SECURITY_LEVEL 2

enum rc tls_error(struct why *why, enum rc rc, const char *what)
{
	unsigned long err = ERR_peek_error();
	const char *reason = err != 0 ? ERR_reason_error_string(err) : NULL;

	ERR_clear_error();
	return why_set(why, rc, "%s: %s", what,
	        reason != NULL ? reason : "no reason given");
}

/* Never ask a terminal. */
static int no_passphrase(char *out, int size, int writing, void *unused)
{
	(void)out, (void)size, (void)writing, (void)unused;
	return -1;
}

static BIO *bio_of(struct bytes data)
{
	return data.n > INT32_MAX ? NULL : BIO_new_mem_buf(data.p, (int)data.n);
}

static enum rc use_chain(SSL_CTX *ctx, struct bytes pem, struct why *why)
{
	BIO *bio = bio_of(pem);
	X509 *cert = NULL;
	enum rc rc = RC_CONFIG;

	if (bio == NULL)
		return RC_NOMEM;
	cert = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
	if (cert == NULL || SSL_CTX_use_certificate(ctx, cert) != 1) {
		tls_error(why, rc, "certificate of the listener");
		goto out;
	}
	X509_free(cert);
	while ((cert = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) !=
	        NULL) {
		if (SSL_CTX_add1_chain_cert(ctx, cert) != 1) {
			tls_error(why, rc, "chain of the listener");
			goto out;
		}
		X509_free(cert);
	}
	/* The end of the text is the one good reason to stop. */
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
		tls_error(why, rc, "chain of the listener");
		goto out;
	}
	ERR_clear_error();
	rc = RC_OK;
out:
	X509_free(cert);
	BIO_free(bio);
	return rc;
}

static enum rc use_key(SSL_CTX *ctx, struct bytes pem, struct why *why)
{
	BIO *bio = bio_of(pem);
	EVP_PKEY *key = NULL;
	enum rc rc = RC_OK;

	if (bio == NULL)
		return RC_NOMEM;
	key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	if (key == NULL || SSL_CTX_use_PrivateKey(ctx, key) != 1 ||
	        SSL_CTX_check_private_key(ctx) != 1)
		rc = tls_error(why, RC_CONFIG, "private key of the listener");
	EVP_PKEY_free(key);
	BIO_free(bio);
	return rc;
}

static enum rc use_anchor(SSL_CTX *ctx, struct bytes der, struct why *why)
{
	const unsigned char *p = der.p;
	X509 *cert = der.n > INT32_MAX ? NULL : d2i_X509(NULL, &p, (long)der.n);
	enum rc rc = RC_OK;

	if (cert == NULL || p != der.p + der.n ||
	        X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), cert) != 1 ||
	        SSL_CTX_add_client_CA(ctx, cert) != 1)
		rc = tls_error(why, RC_CONFIG, "trust anchor");
	X509_free(cert);
	return rc;
}

/* RFC 5280 4.2.1.9: an issuer has basicConstraints with cA. OpenSSL also lets
 * one pass that has keyCertSign alone. What stands in the store is trusted
 * whatever it says. */
static bool issuers_are_cas(X509_STORE_CTX *store)
{
	STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(store);

	for (int i = 1; i < sk_X509_num(chain) - 1; i++)
		if ((X509_get_extension_flags(sk_X509_value(chain, i)) &
		            EXFLAG_CA) == 0)
			return false;
	return true;
}

/* A certificate that leads nowhere does not end the handshake in an alert that
 * the client shows as a riddle: the front sees it as unverified and answers
 * 401 with a text. SSL_get_verify_result() keeps what was found. */
static int verify_cb(X509_STORE_CTX *store, void *unused)
{
	(void)unused;
	if (X509_verify_cert(store) == 1) {
		if (!issuers_are_cas(store))
			X509_STORE_CTX_set_error(store, X509_V_ERR_INVALID_CA);
	} else if (X509_STORE_CTX_get_error(store) == X509_V_OK) {
		X509_STORE_CTX_set_error(store, X509_V_ERR_UNSPECIFIED);
	}
	ERR_clear_error();
	return 1;
}

/* DESIGN.md, rule 6: time and EKU are for whoever knows what they mean for
 * this client; a renewal may come late, an IDevID may say nothing of EKU. */
static enum rc use_anchors(
        SSL_CTX *ctx, const struct tls_conf *conf, struct why *why)
{
	X509_VERIFY_PARAM *param = SSL_CTX_get0_param(ctx);
	enum rc rc = RC_OK;

	for (size_t i = 0; i < conf->n_anchors && rc == RC_OK; i++)
		rc = use_anchor(ctx, conf->anchors[i], why);
	if (rc != RC_OK || conf->n_anchors == 0)
		return rc;
	if (X509_VERIFY_PARAM_set_flags(param,
	            X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_NO_CHECK_TIME) !=
	                1 ||
	        X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_ANY) != 1)
		return tls_error(why, RC_INTERNAL, "verify parameters");
	SSL_CTX_set_verify_depth(ctx, TLS_CHAIN_MAX - 1);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, verify_cb, NULL);
	return RC_OK;
}

/* What a session says of its client holds under the anchors it was checked
 * against, and under no others. */
static enum rc session_context(SSL_CTX *ctx, const struct tls_conf *conf)
{
	uint8_t id[EVP_MAX_MD_SIZE];
	unsigned id_n = 0;
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = md != NULL &&
	        EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
	        EVP_DigestUpdate(md, "mica", 4) == 1;

	for (size_t i = 0; ok && i < conf->n_anchors; i++)
		ok = EVP_DigestUpdate(
		             md, conf->anchors[i].p, conf->anchors[i].n) == 1;
	ok = ok && EVP_DigestFinal_ex(md, id, &id_n) == 1 &&
	        SSL_CTX_set_session_id_context(ctx, id, id_n) == 1;
	EVP_MD_CTX_free(md);
	return ok ? RC_OK : RC_INTERNAL;
}

/* RFC 7301: we speak http/1.1 to whoever asks for it, and let others be. */
static int alpn_cb(SSL *ssl, const unsigned char **out, unsigned char *out_n,
        const unsigned char *in, unsigned in_n, void *unused)
{
	static const unsigned char ours[] = "\x08http/1.1";
	unsigned char *found;

	(void)ssl, (void)unused;
	if (SSL_select_next_proto(&found, out_n, ours, sizeof(ours) - 1, in,
	            in_n) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_NOACK;
	*out = found;
	return SSL_TLSEXT_ERR_OK;
}

static enum rc use_protocol(SSL_CTX *ctx, struct why *why)
{
	SSL_CTX_set_security_level(ctx, SECURITY_LEVEL);
	SSL_CTX_set_options(ctx,
	        SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
	                SSL_OP_CIPHER_SERVER_PREFERENCE |
	                SSL_OP_PRIORITIZE_CHACHA |
	                SSL_OP_IGNORE_UNEXPECTED_EOF);
	/* The anchors of our clients are no place to build our own chain
	 * from. Idle connections give their buffers back. */
	SSL_CTX_set_mode(
	        ctx, SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_max_cert_list(ctx, TLS_CHAIN_MAX_BYTES);
	SSL_CTX_set_alpn_select_cb(ctx, alpn_cb, NULL);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
	        SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) != 1 ||
	        SSL_CTX_set_cipher_list(ctx, CIPHERS_TLS12) != 1 ||
	        SSL_CTX_set1_groups_list(ctx, GROUPS) != 1)
		return tls_error(why, RC_INTERNAL, "protocol settings");
	return RC_OK;
}

static enum rc server_setup(
        struct tls_server *tls, const struct tls_conf *conf, struct why *why)
{
	enum rc rc = use_protocol(tls->ctx, why);

	if (rc == RC_OK)
		rc = use_chain(tls->ctx, conf->chain_pem, why);
	if (rc == RC_OK)
		rc = use_key(tls->ctx, conf->key_pem, why);
	if (rc == RC_OK)
		rc = use_anchors(tls->ctx, conf, why);
	if (rc == RC_OK)
		rc = session_context(tls->ctx, conf);
	if (rc == RC_OK)
		rc = tls_tickets_init(tls, conf->ticket_secret);
	return rc;
}

enum rc tls_server_new(
        struct tls_server **out, const struct tls_conf *conf, struct why *why)
{
	struct tls_server *tls = calloc(1, sizeof(*tls));
	enum rc rc = RC_NOMEM;

	*out = NULL;
	ERR_clear_error();
	if (tls == NULL)
		return rc;
	tls->ctx = SSL_CTX_new(TLS_server_method());
	if (tls->ctx == NULL || SSL_CTX_set_app_data(tls->ctx, tls) != 1)
		goto out;
	rc = server_setup(tls, conf, why);
	if (rc == RC_OK) {
		*out = tls;
		tls = NULL;
	}
out:
	ERR_clear_error();
	tls_server_free(tls);
	return rc;
}

void tls_server_free(struct tls_server *tls)
{
	if (tls == NULL)
		return;
	SSL_CTX_free(tls->ctx);
	tls_tickets_clear(&tls->tickets);
	free(tls);
}

struct ssl_st *tls_server_ssl(struct tls_server *tls)
{
	SSL *ssl;

	ERR_clear_error();
	ssl = SSL_new(tls->ctx);
	ERR_clear_error();
	return ssl;
}
