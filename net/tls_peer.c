#include "base/pack.h"
#include "net/tls_priv.h"
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

/* Packed: u32 length and DER of each certificate. */
static void pack_cert(struct buf *b, const X509 *cert)
{
	unsigned char *p;
	int n = i2d_X509(cert, NULL);
	uint8_t *room;

	if (n <= 0) {
		b->failed = RC_INTERNAL;
		return;
	}
	pack_u32(b, (uint32_t)n);
	room = buf_room(b, (size_t)n);
	if (room == NULL)
		return;
	p = room;
	i2d_X509(cert, &p);
	buf_added(b, (size_t)n);
}

/* What stands behind the leaf. */
static void pack_issuers(struct buf *b, SSL *ssl)
{
	STACK_OF(X509) *chain = SSL_get0_verified_chain(ssl);

	for (int i = 1; i < sk_X509_num(chain) && i <= TLS_CHAIN_MAX; i++)
		pack_cert(b, sk_X509_value(chain, i));
}

static bool is_verified(SSL *ssl)
{
	return SSL_get0_peer_certificate(ssl) != NULL &&
	        SSL_get_verify_result(ssl) == X509_V_OK;
}

/* Called for each ticket. On a resumed session what was written at its first
 * handshake is still there. */
int tls_peer_ticket_write(SSL *ssl, void *unused)
{
	struct buf b = BUF_INIT(TLS_CHAIN_MAX_BYTES);
	int ok = 1;

	(void)unused;
	if (SSL_session_reused(ssl) || !is_verified(ssl))
		return 1;
	pack_issuers(&b, ssl);
	if (b.failed != RC_OK ||
	        SSL_SESSION_set1_ticket_appdata(
	                SSL_get_session(ssl), b.p, b.n) != 1)
		ok = 0;
	buf_free(&b);
	return ok;
}

static void pack_resumed_issuers(struct buf *b, SSL *ssl)
{
	void *data = NULL;
	size_t n = 0;

	if (SSL_SESSION_get0_ticket_appdata(SSL_get_session(ssl), &data, &n) ==
	        1)
		buf_add(b, bytes_of(data, n));
}

enum rc tls_peer_read(struct tls_peer *out, struct ssl_st *ssl)
{
	X509 *leaf = SSL_get0_peer_certificate(ssl);
	/* Leaf and issuers are each below the cap on their own. */
	struct buf b = BUF_INIT(2 * TLS_CHAIN_MAX_BYTES);
	struct unpack u;
	size_t n;

	memset(out, 0, sizeof(*out));
	out->resumed = SSL_session_reused(ssl) == 1;
	if (leaf == NULL)
		return RC_OK;
	out->verified = is_verified(ssl);
	if (!out->verified)
		out->reason = X509_verify_cert_error_string(
		        SSL_get_verify_result(ssl));
	pack_cert(&b, leaf);
	if (out->verified && out->resumed)
		pack_resumed_issuers(&b, ssl);
	else if (out->verified)
		pack_issuers(&b, ssl);
	ERR_clear_error();
	if (b.failed != RC_OK) {
		buf_free(&b);
		memset(out, 0, sizeof(*out));
		return RC_NOMEM;
	}
	out->owned = buf_take(&b, &n);
	u = unpack_of(bytes_of(out->owned, n));
	while (u.rest.n > 0 && out->n <= TLS_CHAIN_MAX)
		out->cert[out->n++] = unpack_bytes(&u);
	return RC_OK;
}

void tls_peer_free(struct tls_peer *peer)
{
	free(peer->owned);
	memset(peer, 0, sizeof(*peer));
}

/* RFC 9266 section 2. */
static enum rc exporter(struct tls_binding *out, SSL *ssl, struct why *why)
{
	static const char label[] = "EXPORTER-Channel-Binding";

	out->type = "tls-exporter";
	out->n = 32;
	if (SSL_export_keying_material(ssl, out->p, out->n, label,
	            sizeof(label) - 1, (const unsigned char *)"", 0, 1) != 1)
		return tls_error(why, RC_INTERNAL, "tls-exporter");
	return RC_OK;
}

/* RFC 5929 3.1: the first Finished of the most recent handshake: the client's
 * in a full one, ours in a resumed one. */
static enum rc unique(struct tls_binding *out, SSL *ssl, struct why *why)
{
	out->type = "tls-unique";
	if (SSL_get_extms_support(ssl) != 1)
		return why_set(why, RC_BADBINDING,
		        "tls-unique needs extended master secret (RFC 7627)");
	out->n = SSL_session_reused(ssl)
	        ? SSL_get_finished(ssl, out->p, sizeof(out->p))
	        : SSL_get_peer_finished(ssl, out->p, sizeof(out->p));
	if (out->n == 0 || out->n > sizeof(out->p))
		return why_set(why, RC_INTERNAL, "tls-unique: no Finished");
	return RC_OK;
}

enum rc tls_channel_binding(
        struct tls_binding *out, struct ssl_st *ssl, struct why *why)
{
	memset(out, 0, sizeof(*out));
	ERR_clear_error();
	return SSL_version(ssl) >= TLS1_3_VERSION ? exporter(out, ssl, why)
	                                          : unique(out, ssl, why);
}
