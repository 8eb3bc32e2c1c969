/* net/tls_priv.h - what the three parts of net/tls share. Private to them. */
#ifndef MICA_NET_TLS_PRIV_H
#define MICA_NET_TLS_PRIV_H

#include "net/tls.h"
#include <openssl/ssl.h>

#define TICKET_NAME_BYTES 16
#define TICKET_AES_BYTES 32
#define TICKET_MAC_BYTES 32

/* One hour's keys. */
struct ticket_keys {
	int64_t hour; /* Unix time / 3600; -1: not derived yet */
	uint8_t name[TICKET_NAME_BYTES];
	uint8_t aes[TICKET_AES_BYTES];
	uint8_t mac[TICKET_MAC_BYTES];
};

struct tls_tickets {
	uint8_t secret[TLS_TICKET_SECRET_BYTES];
	EVP_KDF *kdf;
	EVP_CIPHER *cipher;
	struct ticket_keys keys[2]; /* of even and of odd hours */
};

struct tls_server {
	SSL_CTX *ctx;
	struct tls_tickets tickets;
};

/* Resumption without state here (RFC 5077, RFC 8446 4.6.1). */
MUST_CHECK enum rc tls_tickets_init(
        struct tls_server *tls, const uint8_t secret[TLS_TICKET_SECRET_BYTES]);
void tls_tickets_clear(struct tls_tickets *t);

/* A session's ticket carries the chain that was verified, which OpenSSL's
 * session alone does not. */
int tls_peer_ticket_write(SSL *ssl, void *unused);

/* why is set from OpenSSL's error queue, which is drained. Returns rc. */
enum rc tls_error(struct why *why, enum rc rc, const char *what);

#endif
