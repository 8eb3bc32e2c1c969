/* load - EST clients that want certificates, each with a certificate of its
 * own from a maker's CA. Everything they need is made before the clock starts;
 * no request is sent twice. One process, epoll.
 *
 *   load PORT fresh|kept CONNECTIONS REQUESTS PATH MAKER-CERT MAKER-KEY PIDS
 *
 * fresh: each request on a connection of its own; kept: CONNECTIONS, opened
 * before the clock starts, share the requests. PIDS: the server's processes,
 * comma-separated; their CPU time is read at start and end. Prints
 *   us=CPU-TIME-A-REQUEST rate=A-SECOND p50_ms= p99_ms= bytes=OF-AN-ANSWER */
#include "bench/measure.h"
#include "base/rand.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX_BYTES 32768
#define EVENTS 64
#define YEAR_S 31536000L

struct request {
	X509 *cert; /* of the device that makes it */
	struct buf text;
};

struct link {
	SSL *ssl; /* NULL: closed */
	int fd;
	const struct request *request; /* NULL: connected, and idle */
	bool sent;
	double since_us;
	size_t n; /* of in */
	char in[ANSWER_MAX_BYTES + 1];
};

struct load {
	SSL_CTX *tls;
	int epoll;
	unsigned port;
	bool kept;
	size_t n_links, n_requests;
	size_t next, done, idle;
	size_t answer_bytes;
	bool running; /* the clock is */
	struct link *links;
	struct request *requests;
	double *took_us;
	X509 *maker;
	EVP_PKEY *maker_key, *device_key;
	struct measure_pids pids;
};

/* --- what is made before the clock starts */
static void *need(void *p)
{
	if (p == NULL) {
		ERR_print_errors_fp(stderr);
		die("load: out of memory, or a bad file");
	}
	return p;
}

static void extend(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e = need(X509V3_EXT_conf_nid(NULL, NULL, nid, value));

	(void)X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
}

/* The identity that the device left its factory with (IEEE 802.1AR). One key
 * serves them all: a server cannot tell. */
static X509 *idevid(const struct load *l, const char *id)
{
	X509 *x = need(X509_new());
	uint64_t serial;

	rand_fill(&serial, sizeof(serial));
	(void)X509_set_version(x, X509_VERSION_3);
	(void)ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial >> 1);
	(void)X509_NAME_add_entry_by_txt(X509_get_subject_name(x),
	        "serialNumber", MBSTRING_ASC, (const unsigned char *)id, -1, -1,
	        0);
	(void)X509_set_issuer_name(x, X509_get_subject_name(l->maker));
	(void)X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	(void)X509_gmtime_adj(X509_getm_notAfter(x), YEAR_S);
	(void)X509_set_pubkey(x, l->device_key);
	extend(x, NID_key_usage, "critical,digitalSignature");
	if (X509_sign(x, l->maker_key, EVP_sha256()) <= 0)
		die("load: cannot sign");
	return x;
}

static void request_text(struct buf *out, const char *path)
{
	EVP_PKEY *key = need(EVP_EC_gen("P-256"));
	X509_REQ *csr = need(X509_REQ_new());
	struct buf body = BUF_INIT(8192);
	uint8_t *der = NULL;
	int n;

	(void)X509_REQ_set_pubkey(csr, key);
	(void)X509_REQ_sign(csr, key, EVP_sha256());
	n = i2d_X509_REQ(csr, &der);
	if (n <= 0)
		die("load: cannot make a request");
	base64_encode(&body, bytes_of(der, (size_t)n), 64);
	*out = BUF_INIT(16384);
	buf_addf(out,
	        "POST %s HTTP/1.1\r\nHost: localhost\r\n"
	        "Content-Type: application/pkcs10\r\n"
	        "Content-Transfer-Encoding: base64\r\n"
	        "Content-Length: %zu\r\n\r\n",
	        path, body.n);
	buf_add(out, buf_bytes(&body));
	if (out->failed != RC_OK)
		die("load: cannot make a request");
	buf_free(&body);
	OPENSSL_free(der);
	X509_REQ_free(csr);
	EVP_PKEY_free(key);
}

static void make_requests(struct load *l, const char *path)
{
	size_t devices = l->kept ? l->n_links : l->n_requests;
	uint32_t run;

	rand_fill(&run, sizeof(run));
	l->device_key = need(EVP_EC_gen("P-256"));
	l->requests = need(calloc(l->n_requests, sizeof(*l->requests)));
	l->took_us = need(calloc(l->n_requests, sizeof(*l->took_us)));
	for (size_t i = 0; i < l->n_requests; i++) {
		char id[64];

		(void)snprintf(id, sizeof(id), "%08x-%zu", run, i);
		if (i < devices)
			l->requests[i].cert = idevid(l, id);
		request_text(&l->requests[i].text, path);
	}
}

/* --- connections */
static void close_link(struct link *k)
{
	(void)SSL_shutdown(k->ssl);
	SSL_free(k->ssl);
	(void)close(k->fd);
	k->ssl = NULL;
}

static void open_link(struct load *l, struct link *k, X509 *cert)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)l->port),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct epoll_event e = { .data.ptr = k,
		.events = EPOLLIN | EPOLLOUT | EPOLLET };
	int on = 1;

	k->n = 0;
	k->sent = false;
	k->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (k->fd < 0 ||
	        setsockopt(k->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) ||
	        (connect(k->fd, (struct sockaddr *)&a, sizeof(a)) != 0 &&
	                errno != EINPROGRESS))
		die("load: connect: %s", strerror(errno));
	k->ssl = need(SSL_new(l->tls));
	if (SSL_set_fd(k->ssl, k->fd) != 1 ||
	        SSL_use_certificate(k->ssl, cert) != 1 ||
	        SSL_use_PrivateKey(k->ssl, l->device_key) != 1)
		die("load: cannot use a certificate");
	SSL_set_connect_state(k->ssl);
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, k->fd, &e) != 0)
		die("load: epoll: %s", strerror(errno));
}

/* Give it the next request, if there is one. */
static void start(struct load *l, struct link *k)
{
	if (l->next == l->n_requests)
		return;
	k->request = &l->requests[l->next++];
	k->since_us = mono_us();
	k->sent = false;
	k->n = 0;
	if (!l->kept)
		open_link(l, k, k->request->cert);
}

static bool answer_whole(struct link *k)
{
	const char *end, *length;
	struct bytes number, rest;
	uint64_t body;

	k->in[k->n] = '\0';
	end = strstr(k->in, "\r\n\r\n");
	length = strstr(k->in, "Content-Length: ");
	if (end == NULL || length == NULL || length > end)
		return false;
	if (strncmp(k->in, "HTTP/1.1 200 ", 13) != 0)
		die("load: answered\n%s", k->in);
	(void)bytes_cut(bytes_str(length + 16), '\r', &number, &rest);
	return text_u64(number, ANSWER_MAX_BYTES, &body) == RC_OK &&
	        k->n >= (size_t)(end + 4 - k->in) + body;
}

static void answered(struct load *l, struct link *k)
{
	l->took_us[l->done++] = mono_us() - k->since_us;
	l->answer_bytes = k->n;
	k->request = NULL;
	if (!l->kept)
		close_link(k);
	start(l, k);
}

/* Nothing to do but wait? All else ends us. */
static bool waits(struct link *k, int result)
{
	int e = SSL_get_error(k->ssl, result);

	if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
		return true;
	ERR_print_errors_fp(stderr);
	k->in[k->n] = '\0';
	die("load: the connection broke (%d) after\n%s", e, k->in);
}

/* One step; false when it has to wait for the socket. */
static bool step(struct load *l, struct link *k)
{
	int n;

	if (!SSL_is_init_finished(k->ssl)) {
		n = SSL_do_handshake(k->ssl);
		if (n != 1)
			return !waits(k, n);
		if (k->request == NULL)
			l->idle++;
		return true;
	}
	if (k->request == NULL) {
		/* Tickets come after the handshake: take them in. */
		n = SSL_read(k->ssl, k->in, 1);
		return !waits(k, n);
	}
	if (!k->sent) {
		n = SSL_write(
		        k->ssl, k->request->text.p, (int)k->request->text.n);
		if (n <= 0)
			return !waits(k, n);
		k->sent = true;
		return true;
	}
	n = SSL_read(k->ssl, k->in + k->n, (int)(ANSWER_MAX_BYTES - k->n));
	if (n <= 0)
		return !waits(k, n);
	k->n += (size_t)n;
	if (answer_whole(k)) {
		answered(l, k);
		return k->ssl != NULL && k->request != NULL;
	}
	return true;
}

static void turn(struct load *l)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(l->epoll, events, EVENTS, 10000);

	if (n == 0)
		die("load: no answer for 10 s; %zu of %zu done", l->done,
		        l->n_requests);
	for (int i = 0; i < n; i++) {
		struct link *k = events[i].data.ptr;

		while (k->ssl != NULL && step(l, k))
			continue;
	}
}

static void open_kept(struct load *l)
{
	for (size_t i = 0; i < l->n_links; i++)
		open_link(l, &l->links[i], l->requests[i].cert);
	while (l->idle < l->n_links)
		turn(l);
	(void)usleep(300000); /* tickets, and records of connections, settle */
}

static void run(struct load *l)
{
	double cpu, since;

	if (l->kept)
		open_kept(l);
	cpu = pids_cpu_us(&l->pids);
	since = mono_us();
	for (size_t i = 0; i < l->n_links; i++) {
		start(l, &l->links[i]);
		while (l->links[i].ssl != NULL && step(l, &l->links[i]))
			continue;
	}
	while (l->done < l->n_requests)
		turn(l);
	since = mono_us() - since;
	cpu = pids_cpu_us(&l->pids) - cpu;
	(void)printf("us=%.1f rate=%.0f p50_ms=%.2f p99_ms=%.2f bytes=%zu\n",
	        cpu / (double)l->n_requests,
	        (double)l->n_requests * 1e6 / since,
	        quantile(l->took_us, l->done, 0.5) / 1e3,
	        quantile(l->took_us, l->done, 0.99) / 1e3, l->answer_bytes);
}

static void open_maker(struct load *l, const char *cert, const char *key)
{
	FILE *f = need(fopen(cert, "re"));

	l->maker = need(PEM_read_X509(f, NULL, NULL, NULL));
	(void)fclose(f);
	f = need(fopen(key, "re"));
	l->maker_key = need(PEM_read_PrivateKey(f, NULL, NULL, NULL));
	(void)fclose(f);
}

int main(int argc, char **argv)
{
	struct load l = { .done = 0 };

	if (argc != 9)
		die("usage: load PORT fresh|kept CONNECTIONS REQUESTS PATH "
		    "MAKER-CERT MAKER-KEY PIDS");
	(void)signal(SIGPIPE, SIG_IGN);
	l.port = (unsigned)number_arg(argv[1], 1, 65535);
	l.kept = strcmp(argv[2], "kept") == 0;
	l.n_links = (size_t)number_arg(argv[3], 1, 4096);
	l.n_requests = (size_t)number_arg(argv[4], (long)l.n_links, 1000000);
	open_maker(&l, argv[6], argv[7]);
	pids_parse(&l.pids, argv[8]);
	l.links = need(calloc(l.n_links, sizeof(*l.links)));
	l.tls = need(SSL_CTX_new(TLS_client_method()));
	if (SSL_CTX_set_min_proto_version(l.tls, TLS1_3_VERSION) != 1 ||
	        SSL_CTX_set1_groups_list(l.tls, "X25519") != 1)
		die("load: TLS settings");
	SSL_CTX_set_session_cache_mode(l.tls, SSL_SESS_CACHE_OFF);
	l.epoll = epoll_create1(EPOLL_CLOEXEC);
	make_requests(&l, argv[5]);
	run(&l);
	return 0;
}
