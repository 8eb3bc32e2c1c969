#include "base/clock.h"
#include "tests/unit/net_fixture.h"
#include "tests/unit/test_net.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOON_MS 5000
#define GET "GET /peer HTTP/1.1\r\nHost: h\r\n"
#define CLOSE "Connection: close\r\n\r\n"

struct identity {
	EVP_PKEY *key;
	X509 *cert;
	uint8_t *der;
	size_t der_n;
};

/* A root, an issuer below it, clients of both; a server; a stranger. */
struct pki {
	struct identity server, root, issuer, client, late, web, stranger;
	/* An issuer that has keyCertSign but no basicConstraints. */
	struct identity half, below_half;
};

static void extend(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	ck_assert_ptr_nonnull(ext);
	ck_assert_int_eq(X509_add_ext(cert, ext, -1), 1);
	X509_EXTENSION_free(ext);
}

static void identity_new(struct identity *out, const char *name,
        const struct identity *issuer, bool ca, long until_s, int usage_nid,
        const char *usage)
{
	static long serial = 1;
	X509_NAME *subject = X509_NAME_new();

	out->key = EVP_EC_gen("P-256");
	out->cert = X509_new();
	ck_assert(subject != NULL && out->key != NULL && out->cert != NULL);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
	        (const unsigned char *)name, -1, -1, 0);
	X509_set_version(out->cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(out->cert), serial++);
	X509_set_subject_name(out->cert, subject);
	X509_set_issuer_name(out->cert,
	        issuer != NULL ? X509_get_subject_name(issuer->cert) : subject);
	X509_gmtime_adj(X509_getm_notBefore(out->cert), -7200);
	X509_gmtime_adj(X509_getm_notAfter(out->cert), until_s);
	X509_set_pubkey(out->cert, out->key);
	if (ca)
		extend(out->cert, NID_basic_constraints, "critical,CA:TRUE");
	if (usage_nid != NID_undef)
		extend(out->cert, usage_nid, usage);
	ck_assert_int_gt(
	        X509_sign(out->cert, issuer != NULL ? issuer->key : out->key,
	                EVP_sha256()),
	        0);
	X509_NAME_free(subject);
	out->der = NULL;
	out->der_n = (size_t)i2d_X509(out->cert, &out->der);
}

static void identity_free(struct identity *id)
{
	EVP_PKEY_free(id->key);
	X509_free(id->cert);
	OPENSSL_free(id->der);
}

static void pki_new(struct pki *p)
{
	identity_new(&p->server, "server", NULL, false, 3600, NID_undef, NULL);
	identity_new(&p->root, "root", NULL, true, 3600, NID_undef, NULL);
	identity_new(
	        &p->issuer, "issuer", &p->root, true, 3600, NID_undef, NULL);
	identity_new(
	        &p->client, "client", &p->issuer, false, 3600, NID_undef, NULL);
	identity_new(
	        &p->late, "late", &p->issuer, false, -3600, NID_undef, NULL);
	identity_new(&p->web, "web", &p->issuer, false, 3600, NID_ext_key_usage,
	        "serverAuth");
	identity_new(&p->half, "half", &p->root, false, 3600, NID_key_usage,
	        "keyCertSign");
	identity_new(&p->below_half, "below", &p->half, false, 3600, NID_undef,
	        NULL);
	identity_new(
	        &p->stranger, "client", NULL, false, 3600, NID_undef, NULL);
}

static void pki_free(struct pki *p)
{
	identity_free(&p->server);
	identity_free(&p->root);
	identity_free(&p->issuer);
	identity_free(&p->client);
	identity_free(&p->late);
	identity_free(&p->web);
	identity_free(&p->stranger);
	identity_free(&p->half);
	identity_free(&p->below_half);
}

static struct bytes der_of(const struct identity *id)
{
	return bytes_of(id->der, id->der_n);
}

static BIO *cert_pem(const struct identity *id)
{
	BIO *bio = BIO_new(BIO_s_mem());

	ck_assert_int_eq(PEM_write_bio_X509(bio, id->cert), 1);
	return bio;
}

static BIO *key_pem(const struct identity *id, const char *passphrase)
{
	BIO *bio = BIO_new(BIO_s_mem());

	ck_assert_int_eq(PEM_write_bio_PrivateKey(bio, id->key,
	                         passphrase != NULL ? EVP_aes_128_cbc() : NULL,
	                         NULL, 0, NULL, (void *)passphrase),
	        1);
	return bio;
}

static struct bytes bio_bytes(BIO *bio)
{
	char *p;
	long n = BIO_get_mem_data(bio, &p);

	return bytes_of(p, (size_t)n);
}

static enum rc server_try(struct tls_server **out, const struct identity *cert,
        const struct identity *key, const char *passphrase,
        const struct bytes *anchors, size_t n_anchors)
{
	BIO *chain = cert_pem(cert), *priv = key_pem(key, passphrase);
	struct tls_conf conf = { .chain_pem = bio_bytes(chain),
		.key_pem = bio_bytes(priv),
		.anchors = anchors,
		.n_anchors = n_anchors,
		.ticket_secret = "thirty-two bytes of test secret" };
	struct why why = WHY_NONE;
	enum rc rc = tls_server_new(out, &conf, &why);

	BIO_free(chain);
	BIO_free(priv);
	return rc;
}

static struct tls_server *server_new(
        const struct pki *p, const struct identity *anchor)
{
	struct bytes anchors[1] = { BYTES_NONE };
	struct tls_server *tls = NULL;

	if (anchor != NULL)
		anchors[0] = der_of(anchor);
	ck_assert_int_eq(server_try(&tls, &p->server, &p->server, NULL, anchors,
	                         anchor != NULL),
	        RC_OK);
	return tls;
}

/* --- A client that turns the server's loop while it waits. */
struct client {
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;
	SSL_SESSION *session; /* the last ticket */
};

static int on_session(SSL *ssl, SSL_SESSION *session)
{
	struct client *c = SSL_get_app_data(ssl);

	SSL_SESSION_free(c->session);
	c->session = session;
	return 1;
}

/* own NULL: no certificate; chain: sent behind it, may be NULL. */
static void client_new(struct client *c, int version,
        const struct identity *own, const struct identity *chain)
{
	c->ctx = SSL_CTX_new(TLS_client_method());
	c->session = NULL;
	ck_assert_ptr_nonnull(c->ctx);
	SSL_CTX_set_min_proto_version(c->ctx, version);
	SSL_CTX_set_max_proto_version(c->ctx, version);
	SSL_CTX_set_session_cache_mode(
	        c->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(c->ctx, on_session);
	if (own != NULL) {
		SSL_CTX_use_certificate(c->ctx, own->cert);
		SSL_CTX_use_PrivateKey(c->ctx, own->key);
	}
	if (chain != NULL)
		SSL_CTX_add1_chain_cert(c->ctx, chain->cert);
	c->ssl = NULL;
	c->fd = -1;
}

static bool client_connect(struct client *c, struct net_fixture *f)
{
	int64_t end_us = clock_mono_us() + SOON_MS * 1000;
	int n = -1;

	c->fd = net_connect(f);
	c->ssl = SSL_new(c->ctx);
	SSL_set_app_data(c->ssl, c);
	SSL_set_fd(c->ssl, c->fd);
	SSL_set_tlsext_host_name(c->ssl, "127.0.0.1"); /* as some clients do */
	if (c->session != NULL)
		SSL_set_session(c->ssl, c->session);
	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	while (n != 1 && clock_mono_us() < end_us) {
		n = SSL_connect(c->ssl);
		if (n != 1 && SSL_get_error(c->ssl, n) != SSL_ERROR_WANT_READ)
			break;
		net_turn(f);
	}
	ERR_clear_error();
	return n == 1;
}

static void client_send(struct client *c, const char *text)
{
	ck_assert_int_eq(
	        SSL_write(c->ssl, text, (int)strlen(text)), (int)strlen(text));
}

/* Until the server closes; true if it did so by close_notify. */
static bool client_read(
        struct client *c, struct net_fixture *f, struct buf *out)
{
	int64_t end_us = clock_mono_us() + SOON_MS * 1000;
	int err = SSL_ERROR_WANT_READ;

	while (err == SSL_ERROR_WANT_READ && clock_mono_us() < end_us) {
		uint8_t *room = buf_room(out, 16384);
		int n = SSL_read(c->ssl, room, 16384);

		if (n > 0)
			buf_added(out, (size_t)n);
		else
			err = SSL_get_error(c->ssl, n);
		net_turn(f);
	}
	ERR_clear_error();
	return err == SSL_ERROR_ZERO_RETURN;
}

/* Without a close_notify OpenSSL would forget the session. */
static void client_hang_up(struct client *c)
{
	if (c->ssl != NULL)
		SSL_shutdown(c->ssl);
	ERR_clear_error();
	SSL_free(c->ssl);
	c->ssl = NULL;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

static void client_free(struct client *c)
{
	client_hang_up(c);
	SSL_SESSION_free(c->session);
	SSL_CTX_free(c->ctx);
}

/* One request; the fixture has seen the peer. */
static void client_ask(struct client *c, struct net_fixture *f)
{
	struct buf out = BUF_INIT(65536);
	unsigned before = f->n_calls;

	ck_assert(client_connect(c, f));
	client_send(c, GET CLOSE);
	ck_assert(client_read(c, f, &out));
	ck_assert(net_has(&out, "200 OK"));
	ck_assert_uint_eq(f->n_calls, before + 1);
	buf_free(&out);
}

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

START_TEST(client_certificates_are_judged_and_never_end_the_handshake)
{
	struct pki p;
	struct net_fixture f;
	struct tls_server *tls;
	const struct {
		const char *name;
		const struct identity *own, *chain;
		bool verified;
		size_t n;
	} rows[] = {
		{ "none", NULL, NULL, false, 0 },
		{ "with its issuer", &p.client, &p.issuer, true, 3 },
		{ "without its issuer", &p.client, NULL, false, 1 },
		{ "expired", &p.late, &p.issuer, true, 3 },
		{ "for servers", &p.web, &p.issuer, true, 3 },
		{ "of a stranger", &p.stranger, NULL, false, 1 },
		{ "of an issuer that is no CA", &p.below_half, &p.half, false,
		        1 },
		{ "the anchor itself", &p.root, NULL, true, 1 },
	};

	pki_new(&p);
	tls = server_new(&p, &p.root);
	net_start(&f, NULL, tls, NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct client c;

		client_new(&c, versions[_i], rows[i].own, rows[i].chain);
		client_ask(&c, &f);
		ck_assert_msg(f.peer.verified == rows[i].verified, "%s: %s",
		        rows[i].name, f.peer.reason);
		ck_assert_msg(f.peer.n == rows[i].n, "%s: %zu", rows[i].name,
		        f.peer.n);
		ck_assert(!f.peer.resumed);
		ck_assert(rows[i].n == 0 || rows[i].verified ||
		        f.peer.reason != NULL);
		client_free(&c);
	}
	net_stop(&f);
	tls_server_free(tls);
	pki_free(&p);
}
END_TEST

/* X509_V_FLAG_PARTIAL_CHAIN: an issuer is anchor enough. */
START_TEST(an_intermediate_may_be_the_anchor)
{
	struct pki p;
	struct net_fixture f;
	struct tls_server *tls;
	struct client c;

	pki_new(&p);
	tls = server_new(&p, &p.issuer);
	net_start(&f, NULL, tls, NULL);
	client_new(&c, versions[_i], &p.client, NULL);
	client_ask(&c, &f);
	ck_assert(f.peer.verified);
	ck_assert_uint_eq(f.peer.n, 2);
	client_free(&c);
	net_stop(&f);
	tls_server_free(tls);
	pki_free(&p);
}
END_TEST

/* The views of the fixture's peer are gone with its connection; what they
 * were is held here, by one request that is still with its handler. */
static void check_chain(struct client *c, struct net_fixture *f,
        const struct pki *p, bool resumed)
{
	const struct tls_peer *peer;

	ck_assert(client_connect(c, f));
	client_send(c, "GET /hold HTTP/1.1\r\nHost: h\r\n" CLOSE);
	f->held = NULL;
	for (int i = 0; i < 1000 && f->held == NULL; i++)
		net_turn(f);
	ck_assert_ptr_nonnull(f->held);
	peer = http_req_tls_peer(f->held);
	ck_assert_int_eq(peer->resumed, resumed);
	ck_assert(peer->verified);
	ck_assert_uint_eq(peer->n, 3);
	ck_assert(bytes_eq(peer->cert[0], der_of(&p->client)));
	ck_assert(bytes_eq(peer->cert[1], der_of(&p->issuer)));
	ck_assert(bytes_eq(peer->cert[2], der_of(&p->root)));
	/* It does not depend on the connection either. */
	client_hang_up(c);
	for (int i = 0; i < 1000 && !http_req_is_gone(f->held); i++)
		net_turn(f);
	ck_assert(bytes_eq(
	        http_req_tls_peer(f->held)->cert[0], der_of(&p->client)));
	http_answer_text(f->held, 200, "");
}

START_TEST(another_worker_resumes_a_session_with_its_whole_chain)
{
	struct tls_server *first, *second;
	struct net_fixture f, g;
	struct client c;
	struct pki p;

	pki_new(&p);
	first = server_new(&p, &p.root);
	second = server_new(&p, &p.root);
	net_start(&f, NULL, first, NULL);
	client_new(&c, versions[_i], &p.client, &p.issuer);
	client_ask(&c, &f); /* reads to the end, so it has the ticket */
	client_hang_up(&c);
	ck_assert_ptr_nonnull(c.session);
	net_stop(&f);
	net_start(&g, NULL, second, NULL);
	check_chain(&c, &g, &p, true);
	/* And a session that was resumed is resumed again. */
	client_ask(&c, &g);
	client_hang_up(&c);
	check_chain(&c, &g, &p, true);
	client_free(&c);
	net_stop(&g);
	tls_server_free(first);
	tls_server_free(second);
	pki_free(&p);
}
END_TEST

START_TEST(session_is_not_resumed_under_other_anchors)
{
	struct tls_server *first, *second;
	struct net_fixture f, g;
	struct client c;
	struct pki p;

	pki_new(&p);
	first = server_new(&p, &p.root);
	second = server_new(&p, &p.stranger);
	net_start(&f, NULL, first, NULL);
	client_new(&c, versions[_i], &p.client, &p.issuer);
	client_ask(&c, &f);
	client_hang_up(&c);
	net_stop(&f);
	net_start(&g, NULL, second, NULL);
	client_ask(&c, &g);
	ck_assert(!g.peer.resumed);
	ck_assert(!g.peer.verified);
	client_free(&c);
	net_stop(&g);
	tls_server_free(first);
	tls_server_free(second);
	pki_free(&p);
}
END_TEST

START_TEST(ticket_opens_in_its_hour_and_the_next)
{
	static const struct {
		int64_t shift_s;
		bool resumed;
	} rows[] = { { 0, true }, { 3600, true }, { 7200, false } };
	struct tls_server *tls;
	struct net_fixture f;
	struct client c;
	struct pki p;

	pki_new(&p);
	tls = server_new(&p, &p.root);
	net_start(&f, NULL, tls, NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		clock_set_shift_s(0);
		client_new(&c, versions[_i], &p.client, &p.issuer);
		client_ask(&c, &f);
		client_hang_up(&c);
		clock_set_shift_s(rows[i].shift_s);
		client_ask(&c, &f);
		ck_assert_msg(f.peer.resumed == rows[i].resumed, "%d s",
		        (int)rows[i].shift_s);
		client_free(&c);
	}
	clock_set_shift_s(0);
	net_stop(&f);
	tls_server_free(tls);
	pki_free(&p);
}
END_TEST

static void check_binding(
        const struct net_fixture *f, struct client *c, bool resumed)
{
	uint8_t want[64];
	size_t n = 32;

	if (SSL_version(c->ssl) == TLS1_3_VERSION)
		ck_assert_int_eq(SSL_export_keying_material(c->ssl, want, n,
		                         "EXPORTER-Channel-Binding", 24,
		                         (const unsigned char *)"", 0, 1),
		        1);
	else if (resumed) /* RFC 5929 3.1: the server's is the first */
		n = SSL_get_peer_finished(c->ssl, want, sizeof(want));
	else
		n = SSL_get_finished(c->ssl, want, sizeof(want));
	ck_assert_int_eq(f->binding_rc, RC_OK);
	ck_assert_int_eq(f->peer.resumed, resumed);
	ck_assert(bytes_eq(
	        bytes_of(f->binding.p, f->binding.n), bytes_of(want, n)));
}

START_TEST(both_ends_see_one_channel_binding_resumed_or_not)
{
	struct tls_server *tls;
	struct net_fixture f;
	struct client c;
	struct pki p;

	pki_new(&p);
	tls = server_new(&p, NULL);
	net_start(&f, NULL, tls, NULL);
	client_new(&c, versions[_i], NULL, NULL);
	client_ask(&c, &f);
	check_binding(&f, &c, false);
	client_hang_up(&c);
	client_ask(&c, &f);
	check_binding(&f, &c, true);
	client_free(&c);
	net_stop(&f);
	tls_server_free(tls);
	pki_free(&p);
}
END_TEST

START_TEST(tls_unique_without_extended_master_secret_is_refused)
{
	struct tls_server *tls;
	struct net_fixture f;
	struct client c;
	struct pki p;

	pki_new(&p);
	tls = server_new(&p, NULL);
	net_start(&f, NULL, tls, NULL);
	client_new(&c, TLS1_2_VERSION, NULL, NULL);
	SSL_CTX_set_options(c.ctx, SSL_OP_NO_EXTENDED_MASTER_SECRET);
	client_ask(&c, &f);
	ck_assert_int_eq(f.binding_rc, RC_BADBINDING);
	client_free(&c);
	net_stop(&f);
	tls_server_free(tls);
	pki_free(&p);
}
END_TEST

START_TEST(tls_1_1_and_plain_http_are_refused)
{
	struct buf out = BUF_INIT(65536);
	struct tls_server *tls;
	struct net_fixture f;
	struct client c;
	struct pki p;

	pki_new(&p);
	tls = server_new(&p, NULL);
	net_start(&f, NULL, tls, NULL);
	client_new(&c, TLS1_1_VERSION, NULL, NULL);
	SSL_CTX_set_security_level(c.ctx, 0);
	ck_assert(!client_connect(&c, &f));
	net_ask(&f, GET CLOSE, &out);
	ck_assert(!net_has(&out, "HTTP"));
	client_free(&c);
	net_stop(&f);
	tls_server_free(tls);
	buf_free(&out);
	pki_free(&p);
}
END_TEST

START_TEST(stalled_handshake_meets_its_deadline)
{
	struct http_limits l = HTTP_LIMITS_DEFAULT;
	struct buf out = BUF_INIT(65536);
	struct tls_server *tls;
	struct net_fixture f;
	struct pki p;
	int fd;

	l.handshake_timeout_ms = 100;
	pki_new(&p);
	tls = server_new(&p, NULL);
	net_start(&f, &l, tls, NULL);
	fd = net_connect(&f);
	net_send(fd, "\x16\x03\x01");
	ck_assert(net_read(&f, fd, &out, NULL, 1500));
	close(fd);
	net_stop(&f);
	tls_server_free(tls);
	buf_free(&out);
	pki_free(&p);
}
END_TEST

/* The client says nothing more, by close_notify or by FIN alone, and still
 * gets what it asked for. */
START_TEST(answer_reaches_a_client_that_closed_its_side)
{
	struct tls_server *tls;
	struct net_fixture f;
	struct pki p;

	pki_new(&p);
	tls = server_new(&p, NULL);
	net_start(&f, NULL, tls, NULL);
	for (int polite = 0; polite <= 1; polite++) {
		struct buf out = BUF_INIT(65536);
		struct client c;

		client_new(&c, versions[_i], NULL, NULL);
		ck_assert(client_connect(&c, &f));
		client_send(&c, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
		if (polite)
			SSL_shutdown(c.ssl);
		shutdown(c.fd, SHUT_WR);
		f.held = NULL;
		for (int i = 0; i < 1000 && f.held == NULL; i++)
			net_turn(&f);
		for (int i = 0; i < 50; i++)
			net_turn(&f);
		ck_assert(!http_req_is_gone(f.held));
		http_answer_text(f.held, 200, "late");
		ck_assert(client_read(&c, &f, &out));
		ck_assert(net_has(&out, "late\n"));
		ck_assert_uint_eq(http_server_connections(f.srv), 0);
		client_free(&c);
		buf_free(&out);
	}
	net_stop(&f);
	tls_server_free(tls);
	pki_free(&p);
}
END_TEST

static const char *const large[] = {
	"GET /big HTTP/1.1\r\nHost: h\r\n" CLOSE,
	"GET /file HTTP/1.1\r\nHost: h\r\n" CLOSE,
};

/* In both versions. */
START_TEST(large_answer_arrives_whole_over_tls)
{
	struct buf out = BUF_INIT(NET_BIG_BYTES + 65536);
	struct tls_server *tls;
	struct net_fixture f;
	struct client c;
	struct pki p;

	pki_new(&p);
	tls = server_new(&p, NULL);
	net_start(&f, NULL, tls, NULL);
	client_new(&c, versions[_i % 2], NULL, NULL);
	ck_assert(client_connect(&c, &f));
	client_send(&c, large[_i / 2]);
	ck_assert(client_read(&c, &f, &out));
	ck_assert_uint_gt(out.n, NET_BIG_BYTES);
	client_free(&c);
	net_stop(&f);
	tls_server_free(tls);
	buf_free(&out);
	pki_free(&p);
}
END_TEST

START_TEST(renegotiation_is_refused)
{
	struct tls_server *tls;
	struct net_fixture f;
	struct client c;
	struct pki p;
	int n = 1;

	pki_new(&p);
	tls = server_new(&p, NULL);
	net_start(&f, NULL, tls, NULL);
	client_new(&c, TLS1_2_VERSION, NULL, NULL);
	ck_assert(client_connect(&c, &f));
	ck_assert_int_eq(SSL_renegotiate(c.ssl), 1);
	for (int i = 0; i < 100 && n != 0; i++) {
		n = SSL_do_handshake(c.ssl);
		n = n == 1 ? 0 : SSL_get_error(c.ssl, n) == SSL_ERROR_WANT_READ;
		net_turn(&f);
	}
	/* OpenSSL's client takes the server's no_renegotiation as an end. */
	ck_assert(SSL_renegotiate_pending(c.ssl) || ERR_peek_error() != 0);
	ERR_clear_error();
	client_free(&c);
	net_stop(&f);
	tls_server_free(tls);
	pki_free(&p);
}
END_TEST

START_TEST(bad_keys_and_anchors_are_configuration_errors)
{
	struct bytes cut, text = BYTES_LIT("no certificate");
	struct tls_server *tls;
	struct pki p;

	pki_new(&p);
	ck_assert_int_eq(server_try(&tls, &p.server, &p.client, NULL, NULL, 0),
	        RC_CONFIG);
	/* An encrypted key asks nobody for its passphrase. */
	ck_assert_int_eq(
	        server_try(&tls, &p.server, &p.server, "secret", NULL, 0),
	        RC_CONFIG);
	cut = bytes_slice(der_of(&p.root), 0, p.root.der_n - 1);
	ck_assert_int_eq(server_try(&tls, &p.server, &p.server, NULL, &cut, 1),
	        RC_CONFIG);
	ck_assert_int_eq(server_try(&tls, &p.server, &p.server, NULL, &text, 1),
	        RC_CONFIG);
	ck_assert_ptr_null(tls);
	pki_free(&p);
}
END_TEST

TCase *test_net_tls(void)
{
	TCase *t = tcase_create("tls");

	tcase_add_loop_test(t,
	        client_certificates_are_judged_and_never_end_the_handshake, 0,
	        2);
	tcase_add_loop_test(t, an_intermediate_may_be_the_anchor, 0, 2);
	tcase_add_loop_test(
	        t, another_worker_resumes_a_session_with_its_whole_chain, 0, 2);
	tcase_add_loop_test(
	        t, session_is_not_resumed_under_other_anchors, 0, 2);
	tcase_add_loop_test(t, ticket_opens_in_its_hour_and_the_next, 0, 2);
	tcase_add_loop_test(
	        t, both_ends_see_one_channel_binding_resumed_or_not, 0, 2);
	tcase_add_test(t, tls_unique_without_extended_master_secret_is_refused);
	tcase_add_test(t, tls_1_1_and_plain_http_are_refused);
	tcase_add_test(t, stalled_handshake_meets_its_deadline);
	tcase_add_loop_test(
	        t, answer_reaches_a_client_that_closed_its_side, 0, 2);
	tcase_add_loop_test(t, large_answer_arrives_whole_over_tls, 0, 4);
	tcase_add_test(t, renegotiation_is_refused);
	tcase_add_test(t, bad_keys_and_anchors_are_configuration_errors);
	return t;
}
