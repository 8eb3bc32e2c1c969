#include "net/http_client.h"
#include "base/clock.h"
#include "base/text.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct client {
	int fd;
	int64_t deadline_us;
	struct buf in;   /* answer as it arrives */
	size_t head_n;   /* of its header section, once whole */
	uint64_t length; /* of its body */
	unsigned status;
};

static enum rc io_error(struct why *why, const char *what)
{
	if (errno == ECONNREFUSED || errno == ENOENT)
		return why_set(why, RC_CLOSED, "no daemon listens there");
	if (errno == EACCES || errno == EPERM)
		return why_set(why, RC_PERMISSION,
		        "the admin socket does not admit this user");
	if (errno == EPIPE || errno == ECONNRESET)
		return why_set(why, RC_CLOSED, "the daemon hung up");
	return why_set(why, RC_IO, "%s: %s", what, strerror(errno));
}

static enum rc wait_for(struct client *c, short events, struct why *why)
{
	struct pollfd p = { c->fd, events, 0 };
	int64_t left_us = c->deadline_us - clock_mono_us();
	int n;

	if (left_us > 0)
		n = poll(&p, 1, (int)(left_us / 1000) + 1);
	else
		n = 0;
	if (n == 0)
		return why_set(why, RC_TIMEOUT, "the daemon did not answer");
	return n < 0 && errno != EINTR ? io_error(why, "poll") : RC_OK;
}

static enum rc client_open(struct client *c, const char *path, struct why *why)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(sun.sun_path))
		return why_set(why, RC_TOOBIG, "socket path is over %zu bytes",
		        sizeof(sun.sun_path) - 1);
	memcpy(sun.sun_path, path, strlen(path) + 1);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return io_error(why, "socket");
	if (connect(c->fd, (struct sockaddr *)&sun, sizeof(sun)) != 0)
		return io_error(why, path);
	return RC_OK;
}

static enum rc send_all(struct client *c, struct bytes data, struct why *why)
{
	while (data.n > 0) {
		enum rc rc = wait_for(c, POLLOUT, why);
		ssize_t n;

		if (rc != RC_OK)
			return rc;
		n = send(c->fd, data.p, data.n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return io_error(why, "send");
		data = bytes_skip(data, n > 0 ? (size_t)n : 0);
	}
	return RC_OK;
}

static enum rc request_send(
        struct client *c, const struct http_call *call, struct why *why)
{
	struct buf head = BUF_INIT(HTTP_CLIENT_HEAD_MAX_BYTES);
	enum rc rc;

	buf_addf(&head, "%s %s HTTP/1.1\r\nHost: localhost\r\n", call->method,
	        call->path);
	if (call->body.n > 0)
		buf_add_str(&head, "Content-Type: application/json\r\n");
	buf_addf(&head, "Content-Length: %zu\r\nConnection: close\r\n\r\n",
	        call->body.n);
	rc = head.failed;
	if (rc == RC_OK)
		rc = send_all(c, buf_bytes(&head), why);
	if (rc == RC_OK)
		rc = send_all(c, call->body, why);
	buf_free(&head);
	return rc;
}

static enum rc bad_answer(struct why *why, const char *clause)
{
	return why_set(why, RC_MALFORMED, "answer of the daemon: %s", clause);
}

static enum rc status_parse(
        struct client *c, struct bytes line, struct why *why)
{
	uint64_t status;

	if (!bytes_starts(line, BYTES_LIT("HTTP/1.1 ")) || line.n < 13 ||
	        line.p[12] != ' ' ||
	        text_u64(bytes_slice(line, 9, 3), 599, &status) != RC_OK ||
	        status < 200)
		return bad_answer(why, "bad status line");
	c->status = (unsigned)status;
	return RC_OK;
}

static enum rc length_parse(
        struct client *c, struct bytes field, bool *found, struct why *why)
{
	static const char name[] = "Content-Length: ";

	if (!bytes_eq_nocase(
	            bytes_slice(field, 0, sizeof(name) - 1), BYTES_LIT(name)))
		return RC_OK;
	if (*found ||
	        text_u64(bytes_skip(field, sizeof(name) - 1), INT64_MAX,
	                &c->length) != RC_OK)
		return bad_answer(why, "bad Content-Length");
	*found = true;
	return RC_OK;
}

static enum rc head_parse(struct client *c, struct why *why)
{
	struct bytes rest = bytes_slice(buf_bytes(&c->in), 0, c->head_n);
	struct bytes line;
	bool found = false;
	enum rc rc;

	bytes_cut(rest, '\r', &line, &rest);
	rc = status_parse(c, line, why);
	while (rc == RC_OK && rest.n > 1) {
		bytes_cut(bytes_skip(rest, 1), '\r', &line, &rest);
		rc = length_parse(c, line, &found, why);
	}
	if (rc == RC_OK && !found && c->status != 204)
		rc = bad_answer(why, "no Content-Length");
	return rc;
}

/* One piece. RC_PENDING: go on. */
static enum rc answer_read(struct client *c, struct buf *out, struct why *why)
{
	uint8_t *room = buf_room(&c->in, 4096);
	const uint8_t *end;
	enum rc rc = wait_for(c, POLLIN, why);
	ssize_t n;

	if (room == NULL)
		return why_set(why, c->in.failed, "the answer is too large");
	if (rc != RC_OK)
		return rc;
	n = recv(c->fd, room, 4096, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR
		        ? RC_PENDING
		        : io_error(why, "recv");
	if (n == 0)
		return why_set(why, RC_CLOSED, "the daemon hung up");
	buf_added(&c->in, (size_t)n);
	if (c->head_n == 0) {
		end = memmem(c->in.p, c->in.n, "\r\n\r\n", 4);
		if (end == NULL)
			return c->in.n > HTTP_CLIENT_HEAD_MAX_BYTES
			        ? bad_answer(why, "header section too long")
			        : RC_PENDING;
		c->head_n = (size_t)(end - c->in.p) + 4;
		rc = head_parse(c, why);
		if (rc != RC_OK)
			return rc;
		if (c->length > out->max)
			return why_set(
			        why, RC_TOOBIG, "the answer is too large");
	}
	return c->in.n - c->head_n < c->length ? RC_PENDING : RC_OK;
}

enum rc http_client_call(const struct http_call *call, unsigned *status,
        struct buf *out, struct why *why)
{
	struct client c = { .fd = -1,
		.deadline_us =
		        clock_mono_us() + (int64_t)call->timeout_ms * 1000,
		.in = BUF_INIT(out->max + 2 * HTTP_CLIENT_HEAD_MAX_BYTES) };
	enum rc rc = client_open(&c, call->socket_path, why);

	if (rc == RC_OK)
		rc = request_send(&c, call, why);
	if (rc == RC_OK)
		do
			rc = answer_read(&c, out, why);
		while (rc == RC_PENDING);
	if (rc != RC_OK)
		goto out;
	if (c.in.n - c.head_n != c.length) {
		rc = bad_answer(why, "bytes after the body");
		goto out;
	}
	*status = c.status;
	buf_add(out, bytes_skip(buf_bytes(&c.in), c.head_n));
	rc = out->failed;
out:
	if (c.fd >= 0)
		close(c.fd);
	buf_wipe(&c.in);
	return rc;
}
