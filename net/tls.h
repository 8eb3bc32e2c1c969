/* net/tls.h - the server's side of TLS 1.2 and 1.3: one context a listener,
 * optional client certificates, stateless resumption that workers share, and
 * channel bindings. Translates OpenSSL's errors and drains its queue.
 * Needs base/ and OpenSSL. */
#ifndef MICA_NET_TLS_H
#define MICA_NET_TLS_H

#include "base/bytes.h"
#include "base/rc.h"
#include "base/why.h"

#define TLS_TICKET_SECRET_BYTES 32
#define TLS_CHAIN_MAX 8           /* certificates a client may show */
#define TLS_CHAIN_MAX_BYTES 65536 /* all of them; post-quantum ones are large */

struct tls_server;
struct ssl_st;

struct tls_conf {
	struct bytes chain_pem; /* leaf first */
	struct bytes key_pem;   /* not encrypted */
	/* Whom we may trust to have issued a client's certificate: one DER
	 * certificate each, self-signed or not. None: no certificate is asked
	 * for. */
	const struct bytes *anchors;
	size_t n_anchors;
	/* Processes with the same secret resume each other's sessions. A
	 * session is resumed only under the same set of anchors. */
	uint8_t ticket_secret[TLS_TICKET_SECRET_BYTES];
};

/* conf is copied. Errors: RC_CONFIG (PEM, key that is not the leaf's, anchor)
 * RC_NOMEM RC_INTERNAL. */
MUST_CHECK enum rc tls_server_new(
        struct tls_server **out, const struct tls_conf *conf, struct why *why);
void tls_server_free(struct tls_server *tls); /* NULL is a no-op */

/* One connection's state, not yet bound to a socket; SSL_free() is the
 * caller's. NULL when out of memory. For net/http alone. */
struct ssl_st *tls_server_ssl(struct tls_server *tls);

/* What a client showed. Views are borrowed from it. */
struct tls_peer {
	/* A chain to one of the anchors verifies: signatures, names, basic
	 * constraints, path length, key usage. NOT checked here: time, EKU and
	 * status; whoever decides on it must (DESIGN.md, rule 6). */
	bool verified;
	const char
	        *reason; /* why it does not, a static text; NULL if it does */
	/* cert[0] is the leaf. Verified: the chain that was built, up to and
	 * with the anchor. Not verified: the leaf alone. */
	struct bytes cert[TLS_CHAIN_MAX + 1];
	size_t n; /* 0: no certificate */
	bool resumed;
	void *owned; /* private */
};

/* After the handshake. Errors: RC_NOMEM. */
MUST_CHECK enum rc tls_peer_read(struct tls_peer *out, struct ssl_st *ssl);
void tls_peer_free(struct tls_peer *peer);

#define TLS_BINDING_MAX_BYTES 64
struct tls_binding {
	uint8_t p[TLS_BINDING_MAX_BYTES];
	size_t n;
	const char *type; /* "tls-unique" or "tls-exporter" */
};
/* TLS 1.2: tls-unique (RFC 5929 3.1), the first Finished of this handshake;
 * without extended master secret (RFC 7627) it binds nothing and is refused.
 * TLS 1.3: tls-exporter (RFC 9266), 32 bytes. Errors: RC_BADBINDING
 * RC_INTERNAL. */
MUST_CHECK enum rc tls_channel_binding(
        struct tls_binding *out, struct ssl_st *ssl, struct why *why);

#endif
