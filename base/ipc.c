#include "base/ipc.h"
#include "base/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_BYTES 16
/* A packet holds at least one frame with the largest inline body. */
#define PACKET_MAX_BYTES (HEAD_BYTES + IPC_INLINE_MAX_BYTES)
/* The kernel takes 253 (SCM_MAX_FD); a frame has up to IPC_FDS_MAX + 1. */
#define PACKET_FDS_MAX 32
/* Room for several packets, so that a busy peer costs no extra turn. The
 * kernel doubles it, and refuses packets that come within 32 bytes of it. */
#define SNDBUF_BYTES (256 * 1024)
#define SNDBUF_SLACK_BYTES 32
/* After so many packets other descriptors get their turn. */
#define PACKETS_PER_TURN 16
#define RETRY_MS 10

/* Flags: bit 0, the body is in a memfd, which comes before the frame's own
 * descriptors; bit 1, something may stand in front of the body there; bits 8
 * to 11, how many descriptors there are. */
#define FLAG_MEMFD 0x0001u
#define FLAG_LEAD 0x0002u
#define FLAG_FDS_SHIFT 8
#define FLAGS_KNOWN 0x0f03u

struct packet {
	struct packet *next;
	struct buf bytes;
	int fds[PACKET_FDS_MAX];
	unsigned n_fds;
	size_t weight; /* heads and whole bodies, wherever they are */
};

struct ipc {
	struct loop *loop;
	ipc_fn *fn;
	ipc_dead_fn *dead;
	void *ctx;
	struct loop_watch *readable;
	struct loop_watch *writable;
	struct loop_timer *retry;
	struct loop_task flush;
	struct packet *head; /* oldest */
	struct packet *last;
	struct packet *spare; /* keeps the memory of the one sent last */
	uint8_t *in;          /* PACKET_MAX_BYTES */
	size_t packet_max;    /* what the socket takes */
	size_t queued;        /* weight of all packets */
	struct bytes map;     /* of the body that the handler looks at */
	int fd;
	bool posted;  /* flush is on the loop's list */
	bool blocked; /* waits for writable or retry */
	bool is_dead;
	bool entered; /* one of our callbacks is on the stack */
	bool freed;   /* ipc_free() was called from it */
};

static void close_all(const int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		(void)close(fds[i]);
}

static void packet_free(struct packet *p)
{
	if (p == NULL)
		return;
	close_all(p->fds, p->n_fds);
	buf_free(&p->bytes);
	free(p);
}

/* The head of the queue has left or is given up. */
static void packet_pop(struct ipc *ipc)
{
	struct packet *p = ipc->head;

	ipc->head = p->next;
	if (ipc->head == NULL)
		ipc->last = NULL;
	ipc->queued -= p->weight;
	if (ipc->spare != NULL) {
		packet_free(p);
		return;
	}
	close_all(p->fds, p->n_fds);
	p->n_fds = 0;
	p->weight = 0;
	buf_reset(&p->bytes);
	ipc->spare = p;
}

static struct packet *packet_push(struct ipc *ipc)
{
	struct packet *p = ipc->spare;

	if (p == NULL) {
		p = calloc(1, sizeof(*p));
		if (p == NULL)
			return NULL;
		p->bytes = BUF_INIT(PACKET_MAX_BYTES);
	}
	ipc->spare = NULL;
	p->next = NULL;
	if (ipc->last == NULL)
		ipc->head = p;
	else
		ipc->last->next = p;
	ipc->last = p;
	return p;
}

/* The packet that takes a frame of so many bytes and descriptors. */
static struct packet *packet_for(struct ipc *ipc, size_t n, unsigned n_fds)
{
	struct packet *p = ipc->last;

	if (p == NULL || n > ipc->packet_max - p->bytes.n ||
	        n_fds > PACKET_FDS_MAX - p->n_fds)
		p = packet_push(ipc);
	return p;
}

enum rc ipc_pair(int fds[2])
{
	int type = SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK;
	int size = SNDBUF_BYTES;

	if (socketpair(AF_UNIX, type, 0, fds) != 0)
		return RC_IO;
	/* What the system grants is read back by ipc_new(). */
	for (int i = 0; i < 2; i++)
		(void)setsockopt(
		        fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return RC_OK;
}

static size_t socket_packet_max(int fd)
{
	socklen_t n = sizeof(int);
	int size = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &n) != 0 ||
	        size <= SNDBUF_SLACK_BYTES + HEAD_BYTES)
		return 0;
	size -= SNDBUF_SLACK_BYTES;
	return size < PACKET_MAX_BYTES ? (size_t)size : PACKET_MAX_BYTES;
}

static void destroy(struct ipc *ipc)
{
	loop_watch_free(ipc->readable);
	loop_watch_free(ipc->writable);
	loop_timer_free(ipc->retry);
	if (ipc->posted)
		loop_unpost(ipc->loop, &ipc->flush);
	while (ipc->head != NULL)
		packet_pop(ipc);
	packet_free(ipc->spare);
	if (ipc->fd >= 0)
		(void)close(ipc->fd);
	free(ipc->in);
	free(ipc);
}

/* Each callback runs between these two, since it may call ipc_free(). */
static void enter(struct ipc *ipc)
{
	ipc->entered = true;
}

static void leave(struct ipc *ipc)
{
	ipc->entered = false;
	if (ipc->freed)
		destroy(ipc);
}

static void die(struct ipc *ipc, const char *clause)
{
	struct why why = WHY_NONE;

	if (ipc->is_dead || ipc->freed)
		return;
	ipc->is_dead = true;
	loop_watch_enable(ipc->readable, false);
	loop_watch_enable(ipc->writable, false);
	loop_timer_cancel(ipc->retry);
	while (ipc->head != NULL)
		packet_pop(ipc);
	(void)why_set(&why, RC_CLOSED, "%s", clause);
	ipc->dead(ipc->ctx, &why);
}

static ssize_t packet_send(int fd, const struct packet *p)
{
	union {
		char p[CMSG_SPACE(PACKET_FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { p->bytes.p, p->bytes.n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	size_t fds_bytes = p->n_fds * sizeof(int);
	struct cmsghdr *c;

	if (p->n_fds > 0) {
		memset(&control, 0, sizeof(control));
		msg.msg_control = control.p;
		msg.msg_controllen = CMSG_SPACE(fds_bytes);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(fds_bytes);
		memcpy(CMSG_DATA(c), p->fds, fds_bytes);
	}
	return sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* RC_OK when all has left, RC_BUSY when the socket is full, RC_NOMEM when the
 * kernel is short of memory or descriptors for a moment, RC_CLOSED. */
static enum rc send_queued(struct ipc *ipc)
{
	while (ipc->head != NULL) {
		/* A packet may be empty for want of memory; sent, it would
		 * look like the end. */
		if (ipc->head->bytes.n == 0 ||
		        packet_send(ipc->fd, ipc->head) >= 0) {
			packet_pop(ipc);
			continue;
		}
		switch (errno) {
		case EINTR:
			continue;
		case EAGAIN:
			return RC_BUSY;
		case ENOMEM:
		case ENOBUFS:
		case ETOOMANYREFS:
			return RC_NOMEM;
		default:
			/* EMSGSIZE as well: nobody may shrink the buffer of a
			 * socket that is in use. */
			return RC_CLOSED;
		}
	}
	return RC_OK;
}

static void flush(struct ipc *ipc)
{
	enum rc rc;

	if (ipc->is_dead)
		return;
	rc = send_queued(ipc);
	if (rc == RC_CLOSED) {
		die(ipc,
		        errno == EPIPE || errno == ECONNRESET ? "peer closed"
		                                              : "cannot send");
		return;
	}
	if (rc == RC_NOMEM)
		loop_timer_set_ms(ipc->retry, RETRY_MS);
	if (ipc->blocked || rc == RC_BUSY)
		loop_watch_enable(ipc->writable, rc == RC_BUSY);
	ipc->blocked = rc != RC_OK;
}

static void on_flush(void *ctx)
{
	struct ipc *ipc = ctx;

	ipc->posted = false;
	enter(ipc);
	flush(ipc);
	leave(ipc);
}

static void on_retry(void *ctx)
{
	struct ipc *ipc = ctx;

	enter(ipc);
	flush(ipc);
	leave(ipc);
}

static void on_writable(void *ctx, int fd)
{
	(void)fd;
	on_retry(ctx);
}

/* The descriptors of a packet, given out to its frames in their order. */
struct received {
	int fds[PACKET_FDS_MAX];
	unsigned n;
	unsigned next;
};

struct frame {
	struct ipc_msg msg;
	size_t length;
	size_t lead_max; /* bytes before the body in its memfd */
	int memfd;       /* or -1 */
};

/* NULL, or the clause that the frame violates. What it took from fds is the
 * caller's in any case. */
static const char *frame_parse(
        struct frame *f, struct unpack *u, struct received *got)
{
	unsigned flags;

	*f = (struct frame){ .memfd = -1 };
	f->msg.type = unpack_u16(u);
	flags = unpack_u16(u);
	f->length = unpack_u32(u);
	f->msg.id = unpack_u64(u);
	if (u->failed)
		return "frame is cut";
	if ((flags & ~FLAGS_KNOWN) != 0 ||
	        (flags & (FLAG_LEAD | FLAG_MEMFD)) == FLAG_LEAD)
		return "unknown flags";
	f->msg.n_fds = flags >> FLAG_FDS_SHIFT;
	if (f->msg.n_fds > IPC_FDS_MAX)
		return "too many descriptors";
	if ((flags & FLAG_MEMFD) == 0) {
		f->msg.body = unpack_raw(u, f->length);
		if (u->failed)
			return "body is cut";
	} else if (f->length == 0 || f->length > IPC_BODY_MAX_BYTES) {
		return "body length is out of range";
	}
	if (f->msg.n_fds + (flags & FLAG_MEMFD) > got->n - got->next)
		return "descriptors are missing";
	if ((flags & FLAG_MEMFD) != 0)
		f->memfd = got->fds[got->next++];
	if ((flags & FLAG_LEAD) != 0)
		f->lead_max = IPC_LEAD_MAX_BYTES;
	for (unsigned i = 0; i < f->msg.n_fds; i++)
		f->msg.fds[i] = got->fds[got->next++];
	return NULL;
}

struct bytes ipc_take_map(struct ipc *ipc)
{
	struct bytes map = ipc->map;

	ipc->map = BYTES_NONE;
	return map;
}

static const char *frame_deliver(struct ipc *ipc, struct frame *f)
{
	struct bytes map = BYTES_NONE;

	if (f->memfd >= 0) {
		enum rc rc =
		        ipc_memfd_map(f->memfd, f->length + f->lead_max, &map);

		(void)close(f->memfd);
		if (rc != RC_OK || map.n < f->length ||
		        map.n - f->length > f->lead_max) {
			ipc_memfd_unmap(map);
			close_all(f->msg.fds, f->msg.n_fds);
			return "body file is not sealed or has another size";
		}
		f->msg.body = bytes_skip(map, map.n - f->length);
	}
	ipc->map = map;
	ipc->fn(ipc->ctx, &f->msg);
	ipc_memfd_unmap(ipc_take_map(ipc));
	return NULL;
}

static const char *packet_deliver(
        struct ipc *ipc, struct bytes packet, struct received *got)
{
	struct unpack u = unpack_of(packet);
	const char *clause = NULL;
	struct frame f;

	while (clause == NULL && u.rest.n > 0 && !ipc->freed) {
		clause = frame_parse(&f, &u, got);
		if (clause == NULL)
			clause = frame_deliver(ipc, &f);
	}
	if (clause == NULL && !ipc->freed && got->next != got->n)
		clause = "descriptors without a frame";
	close_all(got->fds + got->next, got->n - got->next);
	return clause;
}

static void take_fds(struct msghdr *msg, struct received *got)
{
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		size_t n = c->cmsg_len - CMSG_LEN(0);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		/* The control buffer holds no more than PACKET_FDS_MAX. */
		memcpy(got->fds + got->n, CMSG_DATA(c), n);
		got->n += (unsigned)(n / sizeof(int));
	}
}

/* True when there may be more to read. */
static bool receive(struct ipc *ipc)
{
	union {
		char p[CMSG_SPACE(PACKET_FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { ipc->in, PACKET_MAX_BYTES };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.p,
		.msg_controllen = sizeof(control.p) };
	struct received got = { .n = 0, .next = 0 };
	const char *clause;
	ssize_t n;

	n = recvmsg(ipc->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return errno == EINTR;
	if (n < 0) {
		die(ipc,
		        errno == ECONNRESET ? "peer closed" : "cannot receive");
		return false;
	}
	take_fds(&msg, &got);
	if ((msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
		close_all(got.fds, got.n);
		clause = "packet is too long";
	} else if (n == 0) {
		close_all(got.fds, got.n);
		clause = "peer closed";
	} else {
		clause =
		        packet_deliver(ipc, bytes_of(ipc->in, (size_t)n), &got);
	}
	if (clause != NULL)
		die(ipc, clause);
	return clause == NULL && !ipc->freed && !ipc->is_dead;
}

static void on_readable(void *ctx, int fd)
{
	struct ipc *ipc = ctx;
	unsigned n = 0;

	(void)fd;
	enter(ipc);
	while (n < PACKETS_PER_TURN && receive(ipc))
		n++;
	leave(ipc);
}

enum rc ipc_new(struct ipc **out, struct loop *loop, int fd, ipc_fn *fn,
        ipc_dead_fn *dead, void *ctx)
{
	struct ipc *ipc = calloc(1, sizeof(*ipc));
	enum rc rc = RC_NOMEM;

	*out = NULL;
	if (ipc == NULL)
		return RC_NOMEM;
	*ipc = (struct ipc){ .loop = loop,
		.fn = fn,
		.dead = dead,
		.ctx = ctx,
		.fd = -1,
		.flush = { on_flush, ipc, NULL } };
	ipc->in = malloc(PACKET_MAX_BYTES);
	if (ipc->in == NULL)
		goto out;
	ipc->packet_max = socket_packet_max(fd);
	if (ipc->packet_max == 0) {
		rc = RC_IO;
		goto out;
	}
	rc = loop_watch_new(&ipc->readable, loop, fd, on_readable, ipc);
	if (rc != RC_OK)
		goto out;
	rc = loop_watch_new_write(&ipc->writable, loop, fd, on_writable, ipc);
	if (rc != RC_OK)
		goto out;
	rc = loop_timer_new(&ipc->retry, loop, on_retry, ipc);
	if (rc != RC_OK)
		goto out;
	ipc->fd = fd;
	*out = ipc;
	return RC_OK;
out:
	destroy(ipc);
	return rc;
}

int ipc_detach(struct ipc *ipc)
{
	int fd = ipc->fd;

	ipc->fd = -1;
	ipc->freed = true;
	loop_watch_enable(ipc->readable, false);
	loop_watch_enable(ipc->writable, false);
	loop_timer_cancel(ipc->retry);
	if (!ipc->entered)
		destroy(ipc);
	return fd;
}

void ipc_free(struct ipc *ipc)
{
	int fd;

	if (ipc == NULL)
		return;
	/* What was sent in this turn still leaves, if the socket takes it. */
	if (!ipc->is_dead)
		(void)send_queued(ipc);
	fd = ipc_detach(ipc);
	(void)close(fd);
}

static void frame_head(
        struct buf *b, const struct ipc_msg *msg, bool by_memfd, bool lead)
{
	unsigned flags = msg->n_fds << FLAG_FDS_SHIFT;

	if (by_memfd)
		flags |= FLAG_MEMFD;
	if (lead)
		flags |= FLAG_LEAD;
	pack_u16(b, msg->type);
	pack_u16(b, (uint16_t)flags);
	pack_u32(b, (uint32_t)msg->body.n);
	pack_u64(b, msg->id);
}

/* Duplicates of what travels with msg: the body's memfd first, which is sealed
 * unless that is -1. */
static enum rc collect_fds(const struct ipc_msg *msg, bool by_memfd, int sealed,
        int *fds, unsigned *n)
{
	*n = 0;
	if (by_memfd) {
		fds[*n] = sealed >= 0 ? fcntl(sealed, F_DUPFD_CLOEXEC, 3)
		                      : ipc_memfd("mica-ipc", msg->body);
		if (fds[*n] < 0)
			return RC_NOMEM;
		++*n;
	}
	for (unsigned i = 0; i < msg->n_fds; i++) {
		fds[*n] = fcntl(msg->fds[i], F_DUPFD_CLOEXEC, 3);
		if (fds[*n] < 0) {
			close_all(fds, *n);
			return RC_NOMEM;
		}
		++*n;
	}
	return RC_OK;
}

static enum rc send_msg(struct ipc *ipc, const struct ipc_msg *msg, int sealed)
{
	size_t whole = HEAD_BYTES + msg->body.n;
	bool by_memfd = sealed >= 0 || whole > ipc->packet_max;
	size_t n = by_memfd ? HEAD_BYTES : whole;
	int fds[IPC_FDS_MAX + 1];
	struct packet *p;
	unsigned n_fds;
	enum rc rc;

	if (ipc->is_dead || ipc->freed)
		return RC_CLOSED;
	if (msg->body.n > IPC_BODY_MAX_BYTES || msg->n_fds > IPC_FDS_MAX)
		return RC_TOOBIG;
	/* One body of any size may wait alone. */
	if (ipc->queued > 0 && ipc->queued + whole > IPC_QUEUE_MAX_BYTES)
		return RC_BUSY;
	rc = collect_fds(msg, by_memfd, sealed, fds, &n_fds);
	if (rc != RC_OK)
		return rc;
	p = packet_for(ipc, n, n_fds);
	if (p == NULL || buf_room(&p->bytes, n) == NULL) {
		close_all(fds, n_fds);
		return RC_NOMEM;
	}
	frame_head(&p->bytes, msg, by_memfd, sealed >= 0);
	if (!by_memfd)
		buf_add(&p->bytes, msg->body);
	memcpy(p->fds + p->n_fds, fds, n_fds * sizeof(int));
	p->n_fds += n_fds;
	p->weight += whole;
	ipc->queued += whole;
	if (!ipc->posted && !ipc->blocked) {
		ipc->posted = true;
		loop_post(ipc->loop, &ipc->flush);
	}
	return RC_OK;
}

enum rc ipc_send(struct ipc *ipc, const struct ipc_msg *msg)
{
	return send_msg(ipc, msg, -1);
}

enum rc ipc_send_now(int fd, uint16_t type, struct bytes body)
{
	const struct ipc_msg msg = { .type = type, .body = body };
	struct buf b = BUF_INIT(HEAD_BYTES + IPC_NOW_MAX_BYTES);
	enum rc rc;

	frame_head(&b, &msg, false, false);
	buf_add(&b, body);
	rc = b.failed;
	if (rc == RC_OK &&
	        send(fd, b.p, b.n, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)b.n)
		rc = errno == EAGAIN ? RC_BUSY : RC_CLOSED;
	buf_free(&b);
	return rc;
}

enum rc ipc_send_sealed(
        struct ipc *ipc, uint16_t type, uint64_t id, int fd, size_t n)
{
	const struct ipc_msg msg = {
		.type = type, .id = id, .body = { NULL, n }
	};

	return n == 0 ? RC_MALFORMED : send_msg(ipc, &msg, fd);
}
