#include "bench/asker.h"
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
#define EVENTS 64

struct link {
	int fd; /* -1: closed */
	size_t nth;
	double since_us;
	size_t n; /* of in */
	char in[ANSWER_MAX_BYTES + 1];
};

struct load {
	const struct asker *a;
	int epoll;
	size_t next, done, bytes;
	struct link *links;
	double *took_us;
};

static void *need(void *p)
{
	if (p == NULL)
		die("ask: out of memory");
	return p;
}

static void open_link(struct load *l, struct link *k)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)l->a->port),
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
	if (k->fd >= 0)
		(void)close(k->fd);
	k->fd = -1;
}

/* Requests are small: the socket takes each at once. */
static void start(struct load *l, struct link *k)
{
	const struct buf *request;

	if (l->next == l->a->n_requests)
		return;
	k->nth = l->next++;
	request = &l->a->requests[k->nth % l->a->n_made];
	k->n = 0;
	k->since_us = mono_us();
	if (!l->a->kept)
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

/* A whole answer; *out is its body. */
static bool is_whole(struct link *k, bool closed, struct bytes *out)
{
	const char *end;
	size_t head, body;

	k->in[k->n] = '\0';
	end = strstr(k->in, "\r\n\r\n");
	if (end == NULL)
		return false;
	if (strncmp(k->in, "HTTP/1.", 7) != 0 ||
	        strncmp(k->in + 8, " 200 ", 5) != 0)
		die("ask: answered\n%s", k->in);
	head = (size_t)(end + 4 - k->in);
	*out = bytes_of(end + 4, k->n - head);
	if (!has_length(k->in, end, &body))
		return closed;
	/* An error of OCSP is five bytes. */
	if (body <= 5)
		die("ask: an answer of %zu bytes", body);
	return out->n >= body;
}

static void readable(struct load *l, struct link *k)
{
	ssize_t n = read(k->fd, k->in + k->n, ANSWER_MAX_BYTES - k->n);
	struct bytes body;

	if (n < 0 || (n == 0 && !is_whole(k, true, &body)))
		die("ask: the connection broke after %zu bytes", k->n);
	k->n += (size_t)n;
	if (!is_whole(k, n == 0, &body))
		return;
	l->took_us[l->done++] = mono_us() - k->since_us;
	l->bytes = k->n;
	if (l->a->answered != NULL)
		l->a->answered(l->a->ctx, k->nth, body);
	if (!l->a->kept)
		close_link(k);
	start(l, k);
}

static void turn(struct load *l)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(l->epoll, events, EVENTS, 10000);

	if (n == 0)
		die("ask: no answer for 10 s; %zu of %zu done", l->done,
		        l->a->n_requests);
	for (int i = 0; i < n; i++)
		readable(l, events[i].data.ptr);
}

static struct asked measure(struct load *l)
{
	const struct asker *a = l->a;
	double cpu_us, since_us, all_us;

	for (size_t i = 0; a->kept && i < a->n_links; i++)
		open_link(l, &l->links[i]);
	(void)usleep(200000);
	cpu_us = pids_cpu_us(&a->pids);
	since_us = mono_us();
	for (size_t i = 0; i < a->n_links; i++)
		start(l, &l->links[i]);
	while (l->done < a->n_requests)
		turn(l);
	all_us = mono_us() - since_us;
	cpu_us = pids_cpu_us(&a->pids) - cpu_us;
	return (struct asked){ .us = cpu_us / (double)l->done,
		.rate = (double)l->done * 1e6 / all_us,
		.p50_ms = quantile(l->took_us, l->done, 0.5) / 1e3,
		.p99_ms = quantile(l->took_us, l->done, 0.99) / 1e3,
		.bytes = l->bytes };
}

struct asked asker_run(const struct asker *a)
{
	struct load l = { .a = a, .epoll = epoll_create1(EPOLL_CLOEXEC) };
	struct asked result;

	l.links = need(calloc(a->n_links, sizeof(*l.links)));
	l.took_us = need(calloc(a->n_requests, sizeof(*l.took_us)));
	for (size_t i = 0; i < a->n_links; i++)
		l.links[i].fd = -1;
	result = measure(&l);
	for (size_t i = 0; i < a->n_links; i++)
		close_link(&l.links[i]);
	(void)close(l.epoll);
	free(l.links);
	free(l.took_us);
	return result;
}

void asked_print(const struct asked *r)
{
	(void)printf("us=%.2f rate=%.0f p50_ms=%.2f p99_ms=%.2f bytes=%zu\n",
	        r->us, r->rate, r->p50_ms, r->p99_ms, r->bytes);
}
