/* Framed messages between processes, and what a hostile peer may send. */
#include "base/ipc.h"
#include "base/pack.h"
#include "base/rand.h"
#include "tests/unit/test_base.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static struct loop *loop;
static struct ipc *near;
static struct ipc *far;
static int raw; /* the far end, in tests that write frames by hand */

/* What the far end saw. */
static struct {
	unsigned messages;
	unsigned dead;
	uint64_t last_id;
	uint16_t last_type;
	struct buf body;
	int fds[IPC_FDS_MAX];
	unsigned n_fds;
	char why[WHY_MAX_BYTES];
} seen;

static void on_msg(void *ctx, const struct ipc_msg *msg)
{
	(void)ctx;
	seen.messages++;
	seen.last_id = msg->id;
	seen.last_type = msg->type;
	buf_reset(&seen.body);
	buf_add(&seen.body, msg->body);
	ck_assert_int_eq(seen.body.failed, RC_OK);
	seen.n_fds = msg->n_fds;
	memcpy(seen.fds, msg->fds, sizeof(seen.fds));
}

static void on_dead(void *ctx, const struct why *why)
{
	(void)ctx;
	seen.dead++;
	memcpy(seen.why, why->text, sizeof(seen.why));
}

static void setup(void)
{
	memset(&seen, 0, sizeof(seen));
	seen.body = BUF_INIT(IPC_BODY_MAX_BYTES);
	ck_assert_int_eq(loop_new(&loop), RC_OK);
	near = NULL;
	far = NULL;
	raw = -1;
}

static void teardown(void)
{
	ipc_free(near);
	ipc_free(far);
	if (raw >= 0)
		(void)close(raw);
	loop_free(loop);
	buf_free(&seen.body);
}

static void pair(void)
{
	int fds[2];

	ck_assert_int_eq(ipc_pair(fds), RC_OK);
	ck_assert_int_eq(
	        ipc_new(&near, loop, fds[0], on_msg, on_dead, NULL), RC_OK);
	ck_assert_int_eq(
	        ipc_new(&far, loop, fds[1], on_msg, on_dead, NULL), RC_OK);
}

/* far listens; raw writes to it. */
static void raw_pair(void)
{
	int fds[2];

	ck_assert_int_eq(ipc_pair(fds), RC_OK);
	raw = fds[0];
	ck_assert_int_eq(
	        ipc_new(&far, loop, fds[1], on_msg, on_dead, NULL), RC_OK);
}

static void turn(unsigned n)
{
	while (n-- > 0)
		loop_poll(loop);
}

static int open_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static struct ipc_msg message(uint16_t type, uint64_t id, struct bytes body)
{
	return (struct ipc_msg){ .type = type, .id = id, .body = body };
}

START_TEST(message_without_a_loop_is_read_as_any_other)
{
	static const uint8_t large[IPC_NOW_MAX_BYTES + 1];

	raw_pair();
	ck_assert_int_eq(ipc_send_now(raw, 7, BYTES_LIT("now")), RC_OK);
	ck_assert_int_eq(
	        ipc_send_now(raw, 8, bytes_of(large, IPC_NOW_MAX_BYTES)),
	        RC_OK);
	ck_assert_int_eq(ipc_send_now(raw, 9, BYTES_ARRAY(large)), RC_TOOBIG);
	turn(2);
	ck_assert_uint_eq(seen.messages, 2);
	ck_assert_uint_eq(seen.last_type, 8);
	ck_assert_uint_eq(seen.body.n, IPC_NOW_MAX_BYTES);
	/* Nobody is waited for. */
	for (int i = 0; i < 100000; i++)
		if (ipc_send_now(raw, 8, bytes_of(large, 1024)) == RC_BUSY)
			break;
	ck_assert_int_eq(ipc_send_now(raw, 8, bytes_of(large, 1024)), RC_BUSY);
	ipc_free(far);
	far = NULL;
	ck_assert_int_eq(ipc_send_now(raw, 8, BYTES_LIT("nobody")), RC_CLOSED);
}
END_TEST

START_TEST(ipc_delivers_type_id_and_body)
{
	struct ipc_msg msg = message(
	        0xfffe, UINT64_C(0xfedcba9876543210), BYTES_LIT("body"));

	pair();
	ck_assert_int_eq(ipc_send(near, &msg), RC_OK);
	ck_assert_uint_eq(seen.messages, 0);
	turn(3);
	ck_assert_uint_eq(seen.messages, 1);
	ck_assert_uint_eq(seen.last_type, 0xfffe);
	ck_assert_uint_eq(seen.last_id, UINT64_C(0xfedcba9876543210));
	ck_assert(bytes_eq_str(buf_bytes(&seen.body), "body"));
	msg = message(1, 2, BYTES_NONE);
	ck_assert_int_eq(ipc_send(far, &msg), RC_OK);
	turn(3);
	ck_assert_uint_eq(seen.messages, 2);
	ck_assert_uint_eq(seen.body.n, 0);
}
END_TEST

/* Around the edges of inline bodies, and far beyond them. */
static const size_t sizes[] = { 1, 4000, IPC_INLINE_MAX_BYTES - 1,
	IPC_INLINE_MAX_BYTES, IPC_INLINE_MAX_BYTES + 1, 3 << 20 };

static void send_random(size_t n)
{
	uint8_t *p = malloc(n);
	unsigned before = seen.messages;
	struct ipc_msg msg;

	ck_assert_ptr_nonnull(p);
	rand_fill(p, n);
	msg = message(1, 1, bytes_of(p, n));
	ck_assert_int_eq(ipc_send(near, &msg), RC_OK);
	turn(4);
	ck_assert_uint_eq(seen.messages, before + 1);
	ck_assert(bytes_eq(buf_bytes(&seen.body), msg.body));
	free(p);
}

START_TEST(ipc_body_of_any_size_arrives_whole)
{
	int before;

	pair();
	before = open_fds();
	send_random(sizes[_i]);
	ck_assert_int_eq(open_fds(), before);
}
END_TEST

START_TEST(ipc_lives_with_a_small_socket_buffer)
{
	int size = 1;
	int fds[2];

	ck_assert_int_eq(ipc_pair(fds), RC_OK);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF,
		                         &size, sizeof(size)),
		        0);
	ck_assert_int_eq(
	        ipc_new(&near, loop, fds[0], on_msg, on_dead, NULL), RC_OK);
	ck_assert_int_eq(
	        ipc_new(&far, loop, fds[1], on_msg, on_dead, NULL), RC_OK);
	send_random(sizes[_i]);
}
END_TEST

START_TEST(ipc_one_turn_travels_in_one_packet)
{
	struct ipc_msg msg = message(1, 0, BYTES_LIT("0123456789"));
	uint8_t packet[4096];
	int fds[2];

	ck_assert_int_eq(ipc_pair(fds), RC_OK);
	raw = fds[1];
	ck_assert_int_eq(
	        ipc_new(&near, loop, fds[0], on_msg, on_dead, NULL), RC_OK);
	for (unsigned i = 0; i < 64; i++)
		ck_assert_int_eq(ipc_send(near, &msg), RC_OK);
	turn(1);
	ck_assert_int_eq(read(raw, packet, sizeof(packet)), 64 * 26);
}
END_TEST

START_TEST(ipc_descriptors_travel_and_close_on_exec)
{
	struct ipc_msg msg = message(1, 1, BYTES_LIT("x"));
	int before;
	int pipes[2];
	char c;

	pair();
	before = open_fds();
	ck_assert_int_eq(pipe(pipes), 0);
	msg.fds[0] = pipes[1];
	msg.n_fds = 1;
	ck_assert_int_eq(ipc_send(near, &msg), RC_OK);
	(void)close(pipes[1]);
	turn(3);
	ck_assert_uint_eq(seen.n_fds, 1);
	ck_assert_int_eq(fcntl(seen.fds[0], F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(write(seen.fds[0], "!", 1), 1);
	ck_assert_int_eq(read(pipes[0], &c, 1), 1);
	(void)close(seen.fds[0]);
	ck_assert_int_eq(read(pipes[0], &c, 1), 0);
	(void)close(pipes[0]);
	ck_assert_int_eq(open_fds(), before);
}
END_TEST

static void close_received(void *ctx, const struct ipc_msg *msg)
{
	char want[8];
	char got[8];

	(void)ctx;
	/* Each frame gets its own descriptors, in order. */
	for (unsigned i = 0; i < msg->n_fds; i++) {
		(void)snprintf(
		        want, sizeof(want), "%u", (unsigned)msg->id * 8 + i);
		ck_assert_int_eq(pread(msg->fds[i], got, sizeof(got), 0),
		        (ssize_t)strlen(want));
		ck_assert_int_eq(memcmp(got, want, strlen(want)), 0);
		(void)close(msg->fds[i]);
	}
	seen.messages++;
	buf_reset(&seen.body);
	buf_add(&seen.body, msg->body);
}

START_TEST(ipc_many_descriptors_keep_their_frames)
{
	uint8_t large[IPC_INLINE_MAX_BYTES + 1] = { 0 };
	int before = open_fds();
	int fds[2];

	ck_assert_int_eq(ipc_pair(fds), RC_OK);
	ck_assert_int_eq(
	        ipc_new(&near, loop, fds[0], on_msg, on_dead, NULL), RC_OK);
	ck_assert_int_eq(
	        ipc_new(&far, loop, fds[1], close_received, on_dead, NULL),
	        RC_OK);
	for (unsigned i = 0; i < 12; i++) {
		struct ipc_msg msg = message(1, i, BYTES_ARRAY(large));

		for (msg.n_fds = 0; msg.n_fds < 8; msg.n_fds++) {
			char text[8];
			int n = snprintf(
			        text, sizeof(text), "%u", i * 8 + msg.n_fds);

			msg.fds[msg.n_fds] =
			        ipc_memfd("t", bytes_of(text, (size_t)n));
		}
		ck_assert_int_eq(ipc_send(near, &msg), RC_OK);
		for (unsigned k = 0; k < 8; k++)
			(void)close(msg.fds[k]);
	}
	turn(20);
	ck_assert_uint_eq(seen.messages, 12);
	ck_assert_uint_eq(seen.dead, 0);
	ipc_free(near);
	ipc_free(far);
	near = NULL;
	far = NULL;
	ck_assert_int_le(open_fds(), before);
}
END_TEST

START_TEST(ipc_waits_for_a_slow_peer_and_loses_nothing)
{
	static uint8_t body[10000];
	struct ipc_msg msg = message(1, 0, BYTES_ARRAY(body));
	unsigned sent = 0;
	enum rc rc;

	pair();
	/* No turn runs: the far end does not read. */
	while ((rc = ipc_send(near, &msg)) == RC_OK) {
		sent++;
		msg.id++;
	}
	ck_assert_int_eq(rc, RC_BUSY);
	ck_assert_uint_gt(sent, 6000);
	while (seen.messages < sent && seen.dead == 0)
		turn(1);
	ck_assert_uint_eq(seen.last_id, sent - 1);
	ck_assert_int_eq(ipc_send(near, &msg), RC_OK);
}
END_TEST

START_TEST(ipc_refuses_what_no_frame_holds)
{
	struct ipc_msg msg = message(1, 0, BYTES_NONE);

	pair();
	msg.body = bytes_of("", (size_t)IPC_BODY_MAX_BYTES + 1);
	ck_assert_int_eq(ipc_send(near, &msg), RC_TOOBIG);
	msg.body = BYTES_NONE;
	msg.n_fds = IPC_FDS_MAX + 1;
	ck_assert_int_eq(ipc_send(near, &msg), RC_TOOBIG);
	msg.n_fds = 1;
	msg.fds[0] = -1;
	ck_assert_int_eq(ipc_send(near, &msg), RC_NOMEM);
	turn(2);
	ck_assert_uint_eq(seen.messages + seen.dead, 0);
}
END_TEST

START_TEST(ipc_peer_that_closed_is_dead_once)
{
	struct ipc_msg msg = message(1, 0, BYTES_NONE);

	pair();
	ipc_free(far);
	far = NULL;
	turn(3);
	ck_assert_uint_eq(seen.dead, 1);
	ck_assert_str_eq(seen.why, "peer closed");
	ck_assert_int_eq(ipc_send(near, &msg), RC_CLOSED);
	turn(3);
	ck_assert_uint_eq(seen.dead, 1);
}
END_TEST

START_TEST(ipc_free_lets_go_what_was_sent)
{
	struct ipc_msg msg = message(7, 0, BYTES_NONE);

	pair();
	ck_assert_int_eq(ipc_send(near, &msg), RC_OK);
	ipc_free(near);
	near = NULL;
	turn(3);
	ck_assert_uint_eq(seen.messages, 1);
	ck_assert_uint_eq(seen.last_type, 7);
	ck_assert_uint_eq(seen.dead, 1);
}
END_TEST

static void free_far(void *ctx, const struct ipc_msg *msg)
{
	(void)ctx;
	(void)msg;
	seen.messages++;
	ipc_free(far);
	far = NULL;
}

START_TEST(ipc_may_be_freed_by_its_handler)
{
	struct ipc_msg msg = message(7, 0, BYTES_NONE);
	int fds[2];

	ck_assert_int_eq(ipc_pair(fds), RC_OK);
	ck_assert_int_eq(
	        ipc_new(&near, loop, fds[0], on_msg, on_dead, NULL), RC_OK);
	ck_assert_int_eq(
	        ipc_new(&far, loop, fds[1], free_far, on_dead, NULL), RC_OK);
	ck_assert_int_eq(ipc_send(near, &msg), RC_OK);
	ck_assert_int_eq(ipc_send(near, &msg), RC_OK);
	turn(3);
	ck_assert_uint_eq(seen.messages, 1);
}
END_TEST

static void free_near_when_dead(void *ctx, const struct why *why)
{
	on_dead(ctx, why);
	ipc_free(near);
	near = NULL;
}

START_TEST(ipc_may_be_freed_by_its_dead_handler)
{
	struct ipc_msg msg = message(7, 0, BYTES_NONE);
	int fds[2];

	ck_assert_int_eq(ipc_pair(fds), RC_OK);
	ck_assert_int_eq(
	        ipc_new(&near, loop, fds[0], on_msg, free_near_when_dead, NULL),
	        RC_OK);
	ck_assert_int_eq(ipc_send(near, &msg), RC_OK);
	(void)close(fds[1]);
	turn(3);
	ck_assert_uint_eq(seen.dead, 1);
}
END_TEST

START_TEST(ipc_detach_gives_the_socket_back)
{
	struct ipc_msg msg = message(7, 0, BYTES_NONE);
	int fd;

	pair();
	fd = ipc_detach(near);
	near = NULL;
	ck_assert_int_eq(
	        ipc_new(&near, loop, fd, on_msg, on_dead, NULL), RC_OK);
	ck_assert_int_eq(ipc_send(far, &msg), RC_OK);
	turn(3);
	ck_assert_uint_eq(seen.messages, 1);
}
END_TEST

/* type, flags, length, id */
#define HEAD(flags, length) "\0\1" flags "\0\0" length "\0\0\0\0\0\0\0\1"

static const struct {
	const char *clause; /* NULL: accepted */
	struct bytes packet;
	unsigned n_fds;
} hostile[] = {
	{ NULL, BYTES_LIT(HEAD("\0\0", "\0\2") "ab"), 0 },
	{ NULL, BYTES_LIT(HEAD("\1\0", "\0\0")), 1 },
	{ "frame is cut", BYTES_LIT("\0"), 0 },
	{ "frame is cut", BYTES_LIT("\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0"), 0 },
	{ "frame is cut", BYTES_LIT(HEAD("\0\0", "\0\2") "abc"), 0 },
	{ "body is cut", BYTES_LIT(HEAD("\0\0", "\0\3") "ab"), 0 },
	{ "body is cut", BYTES_LIT(HEAD("\0\0", "\xff\xff") "ab"), 0 },
	{ "unknown flags", BYTES_LIT(HEAD("\0\2", "\0\0")), 0 },
	{ "unknown flags", BYTES_LIT(HEAD("\x10\0", "\0\0")), 0 },
	{ "too many descriptors", BYTES_LIT(HEAD("\x0f\0", "\0\0")), 16 },
	{ "descriptors are missing", BYTES_LIT(HEAD("\1\0", "\0\0")), 0 },
	{ "descriptors are missing", BYTES_LIT(HEAD("\2\0", "\0\0")), 1 },
	{ "descriptors are missing", BYTES_LIT(HEAD("\0\1", "\0\1")), 0 },
	{ "descriptors without a frame", BYTES_LIT(HEAD("\0\0", "\0\0")), 1 },
	{ "body length is out of range", BYTES_LIT(HEAD("\0\1", "\0\0")), 1 },
	{ "body length is out of range",
	        BYTES_LIT("\0\1\0\1\x40\0\0\1\0\0\0\0\0\0\0\1"), 1 },
	/* The descriptors in this table are pipes. */
	{ "body file is not sealed or has another size",
	        BYTES_LIT(HEAD("\0\1", "\0\1")), 1 },
	{ "packet is too long", BYTES_LIT(HEAD("\0\0", "\0\0")), 33 },
};

static void raw_send(struct bytes packet, const int *fds, unsigned n_fds)
{
	char control[CMSG_SPACE(64 * sizeof(int))] = { 0 };
	struct iovec iov = { (void *)(uintptr_t)packet.p, packet.n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (n_fds > 0) {
		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	ck_assert_int_eq(sendmsg(raw, &msg, 0), (ssize_t)packet.n);
}

START_TEST(ipc_hostile_frames_kill_the_connection_and_leak_nothing)
{
	int fds[64];
	int before;

	raw_pair();
	ck_assert_int_eq(pipe(fds), 0);
	for (unsigned i = 1; i < 64; i++)
		fds[i] = fds[0];
	before = open_fds();
	raw_send(hostile[_i].packet, fds, hostile[_i].n_fds);
	turn(2);
	if (hostile[_i].clause == NULL) {
		ck_assert_uint_eq(seen.messages, 1);
		ck_assert_uint_eq(seen.dead, 0);
		for (unsigned i = 0; i < seen.n_fds; i++)
			(void)close(seen.fds[i]);
	} else {
		ck_assert_str_eq(seen.why, hostile[_i].clause);
		ck_assert_uint_eq(seen.dead, 1);
	}
	ck_assert_int_eq(open_fds(), before);
}
END_TEST

START_TEST(ipc_good_frame_is_served_before_a_bad_one_kills)
{
	raw_pair();
	raw_send(BYTES_LIT(HEAD("\0\0", "\0\0") HEAD("\0\2", "\0\0")), NULL, 0);
	turn(2);
	ck_assert_uint_eq(seen.messages, 1);
	ck_assert_str_eq(seen.why, "unknown flags");
}
END_TEST

START_TEST(ipc_oversized_packet_kills)
{
	size_t n = IPC_INLINE_MAX_BYTES + 17;
	uint8_t *p = calloc(1, n);

	raw_pair();
	raw_send(bytes_of(p, n), NULL, 0);
	turn(2);
	ck_assert_str_eq(seen.why, "packet is too long");
	free(p);
}
END_TEST

START_TEST(ipc_memfd_body_of_another_size_kills)
{
	int fd = ipc_memfd("t", BYTES_LIT("abc"));

	raw_pair();
	raw_send(BYTES_LIT(HEAD("\0\1", "\0\4")), &fd, 1);
	turn(2);
	ck_assert_uint_eq(seen.dead, 1);
	ck_assert_uint_eq(seen.messages, 0);
	(void)close(fd);
}
END_TEST

static const struct {
	size_t lead, n;
	bool seal;
	bool delivered;
} sealed_bodies[] = {
	{ 0, 3, true, true },
	{ 5, 3, true, true },
	{ IPC_LEAD_MAX_BYTES, 100000, true, true },
	{ IPC_LEAD_MAX_BYTES + 1, 3, true, false },
	{ 5, 3, false, false },
};

START_TEST(ipc_sealed_body_is_the_end_of_its_file)
{
	size_t lead = sealed_bodies[_i].lead, n = sealed_bodies[_i].n;
	int fd = ipc_memfd_open("t");
	uint8_t *p = calloc(1, lead + n);

	pair();
	rand_fill(p, lead + n);
	ck_assert_int_eq(write(fd, p, lead + n), (ssize_t)(lead + n));
	if (sealed_bodies[_i].seal)
		ck_assert_int_eq(ipc_memfd_seal(fd), RC_OK);
	ck_assert_int_eq(ipc_send_sealed(near, 7, 99, fd, n), RC_OK);
	(void)close(fd);
	turn(4);
	ck_assert_uint_eq(seen.messages, sealed_bodies[_i].delivered);
	if (sealed_bodies[_i].delivered) {
		ck_assert_uint_eq(seen.last_type, 7);
		ck_assert_uint_eq(seen.last_id, 99);
		ck_assert(
		        bytes_eq(buf_bytes(&seen.body), bytes_of(p + lead, n)));
	}
	free(p);
}
END_TEST

static struct bytes taken;

static void on_msg_take(void *ctx, const struct ipc_msg *msg)
{
	(void)ctx;
	seen.messages++;
	taken = ipc_take_map(far);
	ck_assert_uint_eq(ipc_take_map(far).n, 0);
	if (taken.n > 0)
		ck_assert_ptr_eq(msg->body.p, taken.p);
}

START_TEST(ipc_body_in_a_file_may_be_kept)
{
	const size_t n = 2 * IPC_INLINE_MAX_BYTES;
	uint8_t *p = calloc(1, n);
	struct ipc_msg msg = message(7, 1, bytes_of(p, n));
	int fds[2];

	rand_fill(p, n);
	ck_assert_int_eq(ipc_pair(fds), RC_OK);
	ck_assert_int_eq(
	        ipc_new(&near, loop, fds[0], on_msg, on_dead, NULL), RC_OK);
	ck_assert_int_eq(
	        ipc_new(&far, loop, fds[1], on_msg_take, on_dead, NULL), RC_OK);
	ck_assert_int_eq(ipc_send(near, &msg), RC_OK);
	turn(4);
	ck_assert_uint_eq(seen.messages, 1);
	ck_assert(bytes_eq(taken, bytes_of(p, n)));
	ipc_memfd_unmap(taken);
	msg.body.n = 3;
	ck_assert_int_eq(ipc_send(near, &msg), RC_OK);
	turn(4);
	ck_assert_uint_eq(seen.messages, 2);
	ck_assert_uint_eq(taken.n, 0);
	free(p);
}
END_TEST

START_TEST(ipc_sealed_body_longer_than_its_file_kills)
{
	int fd = ipc_memfd("t", BYTES_LIT("abc"));

	pair();
	ck_assert_int_eq(ipc_send_sealed(near, 7, 99, fd, 0), RC_MALFORMED);
	ck_assert_int_eq(ipc_send_sealed(near, 7, 99, fd, 4), RC_OK);
	(void)close(fd);
	turn(4);
	ck_assert_uint_eq(seen.messages, 0);
	ck_assert_uint_ge(seen.dead, 1);
}
END_TEST

START_TEST(memfd_is_sealed_and_maps)
{
	struct bytes map;
	int fd = ipc_memfd("t", BYTES_LIT("abc"));

	ck_assert_int_eq(ipc_memfd_map(fd, 3, &map), RC_OK);
	ck_assert(bytes_eq_str(map, "abc"));
	ipc_memfd_unmap(map);
	ck_assert_int_eq(ipc_memfd_map(fd, 2, &map), RC_TOOBIG);
	ck_assert_uint_eq(map.n, 0);
	ck_assert_int_lt(pwrite(fd, "x", 1, 0), 0);
	ck_assert_int_ne(ftruncate(fd, 0), 0);
	ck_assert_int_ne(ftruncate(fd, 9), 0);
	ck_assert_int_ne(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	(void)close(fd);
	fd = ipc_memfd("t", BYTES_NONE);
	ck_assert_int_eq(ipc_memfd_map(fd, 3, &map), RC_OK);
	ipc_memfd_unmap(map);
	(void)close(fd);
	ck_assert_int_eq(ipc_memfd_map(-1, 3, &map), RC_IO);
}
END_TEST

static const struct {
	int seals;
	bool hole;
	enum rc rc;
} seal_sets[] = {
	{ F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL, false,
	        RC_OK },
	{ F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL, false, RC_PERMISSION },
	{ F_SEAL_SHRINK | F_SEAL_WRITE | F_SEAL_SEAL, false, RC_PERMISSION },
	{ F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL, false, RC_PERMISSION },
	{ F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE, false, RC_PERMISSION },
	{ F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL, true,
	        RC_PERMISSION },
};

START_TEST(memfd_without_every_seal_is_refused)
{
	int fd = memfd_create("t", MFD_ALLOW_SEALING);
	struct bytes map;

	ck_assert_int_eq(ftruncate(fd, 100000), 0);
	for (unsigned i = 0; i < 100000 && !seal_sets[_i].hole; i += 4096)
		ck_assert_int_eq(pwrite(fd, "x", 1, i), 1);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seal_sets[_i].seals), 0);
	ck_assert_int_eq(ipc_memfd_map(fd, 1 << 20, &map), seal_sets[_i].rc);
	ipc_memfd_unmap(map);
	(void)close(fd);
}
END_TEST

TCase *test_base_ipc(void)
{
	TCase *t = tcase_create("ipc");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, message_without_a_loop_is_read_as_any_other);
	tcase_add_test(t, ipc_delivers_type_id_and_body);
	tcase_add_loop_test(
	        t, ipc_body_of_any_size_arrives_whole, 0, ROWS(sizes));
	tcase_add_loop_test(
	        t, ipc_lives_with_a_small_socket_buffer, 0, ROWS(sizes));
	tcase_add_test(t, ipc_one_turn_travels_in_one_packet);
	tcase_add_test(t, ipc_descriptors_travel_and_close_on_exec);
	tcase_add_test(t, ipc_many_descriptors_keep_their_frames);
	tcase_add_test(t, ipc_waits_for_a_slow_peer_and_loses_nothing);
	tcase_add_test(t, ipc_refuses_what_no_frame_holds);
	tcase_add_test(t, ipc_peer_that_closed_is_dead_once);
	tcase_add_test(t, ipc_free_lets_go_what_was_sent);
	tcase_add_test(t, ipc_may_be_freed_by_its_handler);
	tcase_add_test(t, ipc_may_be_freed_by_its_dead_handler);
	tcase_add_test(t, ipc_detach_gives_the_socket_back);
	tcase_add_loop_test(t,
	        ipc_hostile_frames_kill_the_connection_and_leak_nothing, 0,
	        ROWS(hostile));
	tcase_add_test(t, ipc_good_frame_is_served_before_a_bad_one_kills);
	tcase_add_test(t, ipc_oversized_packet_kills);
	tcase_add_test(t, ipc_memfd_body_of_another_size_kills);
	tcase_add_test(t, ipc_body_in_a_file_may_be_kept);
	tcase_add_loop_test(t, ipc_sealed_body_is_the_end_of_its_file, 0,
	        ROWS(sealed_bodies));
	tcase_add_test(t, ipc_sealed_body_longer_than_its_file_kills);
	tcase_add_test(t, memfd_is_sealed_and_maps);
	tcase_add_loop_test(
	        t, memfd_without_every_seal_is_refused, 0, ROWS(seal_sets));
	return t;
}
