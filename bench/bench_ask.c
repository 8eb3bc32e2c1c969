/* ask - HTTP clients without TLS that send what they are given, over and over.
 * One process, epoll.
 *
 *   ask PORT fresh|kept CONNECTIONS REQUESTS PIDS FILE...
 *
 * FILE: a whole request as it goes over the wire; they are sent in turn. fresh:
 * each on a connection of its own, read until the server closes; kept: over
 * CONNECTIONS that are opened before the clock starts. PIDS: the server's
 * processes, comma-separated; their CPU time is read at start and end. Prints
 *   us=CPU-TIME-A-REQUEST rate=A-SECOND p50_ms= p99_ms= bytes=OF-AN-ANSWER */
#include "bench/measure.h"
#include "base/buf.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX_BYTES 32768
#define FILE_MAX_BYTES 65536
#define EVENTS 64

struct link {
	int fd; /* -1: closed */
	bool busy;
	double since_us;
	size_t n; /* of in */
	char in[ANSWER_MAX_BYTES + 1];
};

struct load {
	int epoll;
	unsigned port;
	bool kept;
	size_t n_links, n_requests, n_files;
	size_t next, done, bytes;
	struct link *links;
	struct buf *files;
	double *took_us;
	struct measure_pids pids;
};

static void *need(void *p)
{
	if (p == NULL)
		die("ask: out of memory");
	return p;
}

static void read_file(struct buf *out, const char *path)
{
	FILE *f = fopen(path, "re");
	uint8_t *room;

	*out = BUF_INIT(FILE_MAX_BYTES);
	room = need(buf_room(out, FILE_MAX_BYTES));
	if (f == NULL)
		die("ask: %s: %s", path, strerror(errno));
	buf_added(out, fread(room, 1, FILE_MAX_BYTES, f));
	(void)fclose(f);
}

static void open_link(struct load *l, struct link *k)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)l->port),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct epoll_event e = { .data.ptr = k, .events = EPOLLIN };
	int on = 1;

	k->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (k->fd < 0 ||
	        setsockopt(k->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) ||
	        connect(k->fd, (struct sockaddr *)&a, sizeof(a)) != 0)
		die("ask: connect: %s", strerror(errno));
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, k->fd, &e) != 0)
		die("ask: epoll: %s", strerror(errno));
}

static void close_link(struct link *k)
{
	(void)close(k->fd);
	k->fd = -1;
}

/* Requests are small: the socket takes each at once. */
static void start(struct load *l, struct link *k)
{
	const struct buf *request;

	if (l->next == l->n_requests)
		return;
	request = &l->files[l->next++ % l->n_files];
	k->busy = true;
	k->n = 0;
	k->since_us = mono_us();
	if (!l->kept)
		open_link(l, k);
	if (write(k->fd, request->p, request->n) != (ssize_t)request->n)
		die("ask: write: %s", strerror(errno));
}

static bool has_length(const char *head, const char *end, size_t *body)
{
	const char *length = strcasestr(head, "Content-Length: ");
	struct bytes number, rest;
	uint64_t n;

	if (length == NULL || length > end)
		return false;
	(void)bytes_cut(bytes_str(length + 16), '\r', &number, &rest);
	if (text_u64(number, ANSWER_MAX_BYTES, &n) != RC_OK)
		die("ask: answered\n%s", head);
	*body = (size_t)n;
	return true;
}

static bool is_whole(struct link *k, bool closed)
{
	const char *end;
	size_t body;

	k->in[k->n] = '\0';
	end = strstr(k->in, "\r\n\r\n");
	if (end == NULL)
		return false;
	if (strncmp(k->in, "HTTP/1.", 7) != 0 ||
	        strncmp(k->in + 8, " 200 ", 5) != 0)
		die("ask: answered\n%s", k->in);
	/* An error of OCSP is five bytes. */
	if (has_length(k->in, end, &body)) {
		if (body <= 5)
			die("ask: an answer of %zu bytes", body);
		return k->n >= (size_t)(end + 4 - k->in) + body;
	}
	return closed;
}

static void readable(struct load *l, struct link *k)
{
	ssize_t n = read(k->fd, k->in + k->n, ANSWER_MAX_BYTES - k->n);

	if (n < 0 || (n == 0 && !is_whole(k, true)))
		die("ask: the connection broke after %zu bytes", k->n);
	k->n += (size_t)n;
	if (!is_whole(k, n == 0))
		return;
	l->took_us[l->done++] = mono_us() - k->since_us;
	l->bytes = k->n;
	k->busy = false;
	if (!l->kept)
		close_link(k);
	start(l, k);
}

static void run(struct load *l)
{
	struct epoll_event events[EVENTS];
	double cpu_us, since_us, all_us;

	for (size_t i = 0; l->kept && i < l->n_links; i++)
		open_link(l, &l->links[i]);
	(void)usleep(200000);
	cpu_us = pids_cpu_us(&l->pids);
	since_us = mono_us();
	for (size_t i = 0; i < l->n_links; i++)
		start(l, &l->links[i]);
	while (l->done < l->n_requests) {
		int n = epoll_wait(l->epoll, events, EVENTS, 10000);

		if (n == 0)
			die("ask: no answer for 10 s; %zu of %zu done", l->done,
			        l->n_requests);
		for (int i = 0; i < n; i++)
			readable(l, events[i].data.ptr);
	}
	all_us = mono_us() - since_us;
	cpu_us = pids_cpu_us(&l->pids) - cpu_us;
	(void)printf("us=%.2f rate=%.0f p50_ms=%.2f p99_ms=%.2f bytes=%zu\n",
	        cpu_us / (double)l->done, (double)l->done * 1e6 / all_us,
	        quantile(l->took_us, l->done, 0.5) / 1e3,
	        quantile(l->took_us, l->done, 0.99) / 1e3, l->bytes);
}

int main(int argc, char *argv[])
{
	struct load l = { .done = 0 };

	if (argc < 7)
		die("usage: ask PORT fresh|kept CONNECTIONS REQUESTS PIDS "
		    "FILE...");
	l.port = (unsigned)number_arg(argv[1], 1, 65535);
	l.kept = strcmp(argv[2], "kept") == 0;
	l.n_links = (size_t)number_arg(argv[3], 1, 4096);
	l.n_requests = (size_t)number_arg(argv[4], 1, 100000000);
	pids_parse(&l.pids, argv[5]);
	l.n_files = (size_t)argc - 6;
	l.files = need(calloc(l.n_files, sizeof(*l.files)));
	for (size_t i = 0; i < l.n_files; i++)
		read_file(&l.files[i], argv[6 + i]);
	l.links = need(calloc(l.n_links, sizeof(*l.links)));
	l.took_us = need(calloc(l.n_requests, sizeof(*l.took_us)));
	l.epoll = epoll_create1(EPOLL_CLOEXEC);
	run(&l);
	for (size_t i = 0; i < l.n_files; i++)
		buf_free(&l.files[i]);
	free(l.files);
	free(l.links);
	free(l.took_us);
	return 0;
}
