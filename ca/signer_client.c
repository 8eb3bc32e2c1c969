/* ca/signer_client.c - requests to mica-signer and what becomes of them. */
#include "ca/signer_client.h"

#include "base/clock.h"
#include "base/ipc.h"
#include "base/log.h"
#include "base/rand.h"
#include "ca/signer/proto.h"

#include <stdlib.h>
#include <unistd.h>

/* Key name, purpose, lengths. */
#define REQUEST_SLACK_BYTES 256

/* An id is a running number above and a slot below, so that an answer finds
 * its call at once. The running number starts anywhere: what was meant for the
 * process that had this socket before us is not taken for ours. */
#define SLOT_BITS 12
#define SLOT_MASK ((UINT64_C(1) << SLOT_BITS) - 1)
_Static_assert(SIGNER_IN_FLIGHT_MAX == 1 << SLOT_BITS, "a slot for each call");

struct signer_client {
	struct loop *loop;
	struct metrics *metrics;
	struct ipc *ipc;              /* NULL: lost for good */
	struct signer_call in_flight; /* head of a ring, oldest first */
	struct loop_timer *timer;
	int64_t timer_at_us; /* 0: not set */
	size_t n_in_flight;
	uint64_t sequence;
	uint64_t generation; /* of the signer that we know; 0: none */
	struct buf body;
	struct signer_call *slots[SIGNER_IN_FLIGHT_MAX];
	uint16_t spare[SIGNER_IN_FLIGHT_MAX]; /* numbers of empty slots */
	size_t n_spare;
};

static void ring_init(struct signer_call *head)
{
	head->next = head->prev = head;
}

static void ring_add(struct signer_call *head, struct signer_call *call)
{
	call->prev = head->prev;
	call->next = head;
	head->prev->next = call;
	head->prev = call;
}

static void ring_remove(struct signer_call *call)
{
	call->prev->next = call->next;
	call->next->prev = call->prev;
	call->next = call->prev = NULL;
}

/* All of from, which is empty then, to the empty ring to. */
static void ring_move(struct signer_call *to, struct signer_call *from)
{
	ring_init(to);
	while (from->next != from) {
		struct signer_call *call = from->next;

		ring_remove(call);
		ring_add(to, call);
	}
}

static void pending_changed(struct signer_client *c)
{
	metric_set(c->metrics, METRIC_SIGN_PENDING, c->n_in_flight);
}

static void begin(struct signer_client *c, struct signer_call *call)
{
	uint16_t slot = c->spare[--c->n_spare];

	call->id = c->sequence++ << SLOT_BITS | slot;
	c->slots[slot] = call;
	ring_add(&c->in_flight, call);
	c->n_in_flight++;
	pending_changed(c);
}

/* No longer ours; an answer that still comes finds nobody. */
static void end(struct signer_client *c, struct signer_call *call)
{
	uint16_t slot = (uint16_t)(call->id & SLOT_MASK);

	c->slots[slot] = NULL;
	c->spare[c->n_spare++] = slot;
	ring_remove(call);
	c->n_in_flight--;
	pending_changed(c);
}

static void fail(struct signer_client *c, struct signer_call *call, enum rc rc,
        const char *clause)
{
	end(c, call);
	call->signature = BYTES_NONE;
	call->rc = why_set(&call->why, rc, "%s", clause);
	call->done(call);
}

static void fail_all(struct signer_client *c, enum rc rc, const char *clause)
{
	while (c->in_flight.next != &c->in_flight)
		fail(c, c->in_flight.next, rc, clause);
}

static enum rc send_call(
        struct signer_client *c, const struct signer_call *call)
{
	struct ipc_msg msg = { .type = PROTO_SIGN, .id = call->id };

	if (call->sealed != NULL)
		return ipc_send_sealed(c->ipc, PROTO_SIGN, call->id,
		        call->sealed->fd, call->sealed->n);
	buf_reset(&c->body);
	proto_sign_pack(&c->body, call->key, call->purpose, call->tbs);
	msg.body = buf_bytes(&c->body);
	return c->body.failed ? c->body.failed : ipc_send(c->ipc, &msg);
}

/* --- deadlines: one timer for the next of them */

static void set_timer(struct signer_client *c, int64_t at_us)
{
	int64_t left_us = at_us - clock_mono_us();

	if (c->timer_at_us != 0 && c->timer_at_us <= at_us)
		return;
	c->timer_at_us = at_us;
	loop_timer_set_ms(c->timer, left_us > 0 ? left_us / 1000 + 1 : 0);
}

static void on_timer(void *ctx)
{
	struct signer_client *c = ctx;
	int64_t now_us = clock_mono_us();
	struct signer_call all;

	c->timer_at_us = 0;
	/* done may begin and cancel calls: each is back in its ring before. */
	ring_move(&all, &c->in_flight);
	while (all.next != &all) {
		struct signer_call *call = all.next;

		ring_remove(call);
		ring_add(&c->in_flight, call);
		if (call->deadline_us == 0)
			continue;
		if (call->deadline_us <= now_us)
			fail(c, call, RC_TIMEOUT, "the signer did not answer");
		else
			set_timer(c, call->deadline_us);
	}
}

/* --- what the signer says */

static void on_signature(struct signer_client *c, const struct ipc_msg *msg)
{
	struct signer_call *call = c->slots[msg->id & SLOT_MASK];
	struct proto_signature m;

	if (!call || call->id != msg->id)
		return;
	if (proto_signature_unpack(&m, msg->body)) {
		fail(c, call, RC_UNAVAILABLE, "a malformed answer");
		return;
	}
	end(c, call);
	call->rc = m.rc;
	call->why = m.why;
	call->signature = m.signature;
	call->done(call);
}

static void send_again(struct signer_client *c)
{
	struct signer_call all;

	ring_move(&all, &c->in_flight);
	while (all.next != &all) {
		struct signer_call *call = all.next;

		ring_remove(call);
		ring_add(&c->in_flight, call);
		if (!c->ipc || send_call(c, call))
			fail(c, call, RC_UNAVAILABLE, "cannot ask again");
	}
}

static void on_hello(struct signer_client *c, const struct ipc_msg *msg)
{
	struct proto_hello hello;

	if (proto_hello_unpack(&hello, msg->body) ||
	        hello.version != PROTO_VERSION) {
		log_event(LOG_ERROR, "signer.version", NULL);
		return;
	}
	if (hello.generation == c->generation)
		return;
	c->generation = hello.generation;
	send_again(c);
}

static void on_message(void *ctx, const struct ipc_msg *msg)
{
	struct signer_client *c = ctx;

	for (unsigned i = 0; i < msg->n_fds; i++)
		(void)close(msg->fds[i]);
	if (msg->type == PROTO_SIGNATURE)
		on_signature(c, msg);
	else if (msg->type == PROTO_HELLO)
		on_hello(c, msg);
}

static void on_dead(void *ctx, const struct why *why)
{
	struct signer_client *c = ctx;

	log_event(LOG_ERROR, "signer.lost", "why", why->text, NULL);
	ipc_free(c->ipc);
	c->ipc = NULL;
	fail_all(c, RC_UNAVAILABLE, "the signer's socket is closed");
}

/* --- callers */

enum rc signer_client_new(struct signer_client **out, struct loop *loop, int fd,
        struct metrics *metrics)
{
	struct signer_client *c = calloc(1, sizeof(*c));
	enum rc rc;

	*out = NULL;
	if (!c)
		return RC_NOMEM;
	c->loop = loop;
	c->metrics = metrics;
	c->body = BUF_INIT(TBS_CHECK_MAX_BYTES + REQUEST_SLACK_BYTES);
	ring_init(&c->in_flight);
	rand_fill(&c->sequence, sizeof(c->sequence));
	for (size_t i = 0; i < SIGNER_IN_FLIGHT_MAX; i++)
		c->spare[c->n_spare++] = (uint16_t)i;
	rc = loop_timer_new(&c->timer, loop, on_timer, c);
	if (!rc)
		rc = ipc_new(&c->ipc, loop, fd, on_message, on_dead, c);
	if (rc)
		signer_client_free(c);
	else
		*out = c;
	return rc;
}

void signer_client_free(struct signer_client *c)
{
	if (!c)
		return;
	fail_all(c, RC_CLOSED, "the client ends");
	ipc_free(c->ipc);
	loop_timer_free(c->timer);
	buf_free(&c->body);
	free(c);
}

enum rc signer_sign(struct signer_client *c, struct signer_call *call)
{
	enum rc rc;

	if (!c->ipc)
		return why_set(&call->why, RC_UNAVAILABLE,
		        "the signer's socket is closed");
	if (call->sealed == NULL && call->tbs.n > TBS_CHECK_MAX_BYTES)
		return why_set(&call->why, RC_TOOBIG, "over %d bytes to sign",
		        TBS_CHECK_MAX_BYTES);
	if (c->n_in_flight == SIGNER_IN_FLIGHT_MAX)
		return why_set(&call->why, RC_BUSY,
		        "%d signatures are in flight", SIGNER_IN_FLIGHT_MAX);
	begin(c, call);
	rc = send_call(c, call);
	if (rc) {
		end(c, call);
		return why_set(&call->why, rc, "signer: %s", rc_info(rc)->text);
	}
	metric_add(c->metrics, METRIC_SIGN_REQUESTS, 1);
	if (call->deadline_us != 0)
		set_timer(c, call->deadline_us);
	return RC_PENDING;
}

void signer_cancel(struct signer_client *c, struct signer_call *call)
{
	end(c, call);
}
