/* bare - the limit of est.enroll.*: what TLS and HTTP cost by themselves. An
 * OpenSSL server with no code of ours: a process a core, epoll, TLS 1.3 with
 * the client's certificate verified against the same anchor, one stateless
 * ticket as net/tls gives, and to each request the same canned answer.
 *
 *   bare PORT PROCESSES CHAIN-PEM KEY-PEM ANCHOR-PEM ANSWER-BYTES
 *
 * Prints "ready"; runs until SIGTERM. */
#include "bench/measure.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MAX_BYTES 16384
#define EVENTS 64

struct peer {
	SSL *ssl;
	int fd;
	size_t n; /* of in */
	char in[REQUEST_MAX_BYTES + 1];
};

struct server {
	SSL_CTX *tls;
	int epoll;
	int listener;
	char *answer;
	size_t answer_n;
};

static SSL_CTX *context(char **files)
{
	SSL_CTX *c = SSL_CTX_new(TLS_server_method());
	STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(files[2]);

	if (c == NULL || names == NULL ||
	        SSL_CTX_use_certificate_chain_file(c, files[0]) != 1 ||
	        SSL_CTX_use_PrivateKey_file(c, files[1], SSL_FILETYPE_PEM) !=
	                1 ||
	        SSL_CTX_load_verify_locations(c, files[2], NULL) != 1 ||
	        SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION) != 1 ||
	        SSL_CTX_set1_groups_list(c, "X25519:P-256") != 1 ||
	        SSL_CTX_set_session_id_context(c, (void *)"bare", 4) != 1)
		die("bare: TLS settings");
	SSL_CTX_set_client_CA_list(c, names);
	SSL_CTX_set_verify(c, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(c, 1);
	SSL_CTX_set_options(c, SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(c, SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_RELEASE_BUFFERS);
	return c;
}

static int listen_on(unsigned port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (fd < 0 ||
	        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) ||
	        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) ||
	        bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 1024))
		die("bare: port %u: %s", port, strerror(errno));
	return fd;
}

static void watch(struct server *s, int fd, void *ptr)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = ptr };

	if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &e) != 0)
		die("bare: epoll: %s", strerror(errno));
}

static void accept_one(struct server *s)
{
	int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK);
	struct peer *p;

	if (fd < 0)
		return;
	p = calloc(1, sizeof(*p));
	if (p == NULL || (p->ssl = SSL_new(s->tls)) == NULL ||
	        SSL_set_fd(p->ssl, fd) != 1)
		die("bare: out of memory");
	SSL_set_accept_state(p->ssl);
	p->fd = fd;
	watch(s, fd, p);
}

/* A head and a body of Content-Length bytes; what the load sends, no more. */
static bool whole(struct peer *p)
{
	const char *end, *length;
	struct bytes number, rest;
	uint64_t body;

	p->in[p->n] = '\0';
	end = strstr(p->in, "\r\n\r\n");
	length = strstr(p->in, "Content-Length: ");
	if (end == NULL || length == NULL || length > end)
		return false;
	(void)bytes_cut(bytes_str(length + 16), '\r', &number, &rest);
	return text_u64(number, REQUEST_MAX_BYTES, &body) == RC_OK &&
	        p->n >= (size_t)(end + 4 - p->in) + body;
}

/* False: the peer is gone. The answers are small enough for any socket. */
static bool serve(struct server *s, struct peer *p)
{
	int n;

	while (p->n < REQUEST_MAX_BYTES &&
	        (n = SSL_read(p->ssl, p->in + p->n,
	                 (int)(REQUEST_MAX_BYTES - p->n))) > 0) {
		p->n += (size_t)n;
		if (!whole(p))
			continue;
		if (SSL_get_verify_result(p->ssl) != X509_V_OK ||
		        SSL_get0_peer_certificate(p->ssl) == NULL)
			die("bare: a client without a good certificate");
		if (SSL_write(p->ssl, s->answer, (int)s->answer_n) <= 0)
			return false;
		p->n = 0;
	}
	n = SSL_get_error(p->ssl, -1);
	return n == SSL_ERROR_WANT_READ || n == SSL_ERROR_WANT_WRITE;
}

static void drop(struct peer *p)
{
	ERR_clear_error();
	(void)SSL_shutdown(p->ssl);
	SSL_free(p->ssl);
	(void)close(p->fd);
	free(p);
}

static void run(struct server *s)
{
	struct epoll_event events[EVENTS];

	s->epoll = epoll_create1(0);
	watch(s, s->listener, NULL);
	for (;;) {
		int n = epoll_wait(s->epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			struct peer *p = events[i].data.ptr;

			if (p == NULL)
				accept_one(s);
			else if (!serve(s, p))
				drop(p);
		}
	}
}

static void canned(struct server *s, size_t total)
{
	char head[256];
	int n = snprintf(head, sizeof(head),
	        "HTTP/1.1 200 OK\r\nContent-Type: application/pkcs7-mime; "
	        "smime-type=certs-only\r\nContent-Transfer-Encoding: base64\r\n"
	        "Content-Length: ");
	/* Four digits, and the empty line. */
	size_t body = total - (size_t)n - 8;

	if (total < 1000 || total > 9999)
		die("bare: answers of %zu bytes are not what EST gives", total);
	s->answer = malloc(total + 1);
	if (s->answer == NULL)
		die("bare: out of memory");
	memset(s->answer, 'A', total);
	n = snprintf(s->answer, total, "%s%zu\r\n\r\n", head, body);
	s->answer[n] = 'A';
	s->answer_n = (size_t)n + body;
}

static void ended(int signo)
{
	(void)signo;
	_exit(0);
}

int main(int argc, char **argv)
{
	struct server s = { .tls = NULL };
	unsigned port;
	long n;

	if (argc != 7)
		die("usage: bare PORT PROCESSES CHAIN KEY ANCHOR BYTES");
	port = (unsigned)number_arg(argv[1], 1, 65535);
	n = number_arg(argv[2], 1, 64);
	canned(&s, (size_t)number_arg(argv[6], 1000, 9999));
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGTERM, ended);
	for (long i = 0; i < n; i++) {
		/* All listen before any serves: none gets all the load. */
		s.listener = listen_on(port);
		if (fork() == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			s.tls = context(argv + 3);
			run(&s);
		}
		(void)close(s.listener);
	}
	(void)puts("ready");
	(void)fflush(stdout);
	for (;;)
		(void)pause();
}
