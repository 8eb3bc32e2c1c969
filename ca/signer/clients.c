/* ca/signer/clients.c - requests in, signatures out. */
#include "ca/signer/clients.h"

#include "base/clock.h"
#include "base/ipc.h"
#include "base/log.h"
#include "ca/signer/proto.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A pair on which nonsense came is read again after a while: a restarted
 * worker inherits it. */
#define REOPEN_MS 1000
/* Lines about refusals a second and client: it must not fill the disk. */
#define LOG_LINES_PER_S 20
#define BODY_MAX_BYTES (PROTO_SIGNATURE_MAX_BYTES + 1024)

struct client {
	struct clients *all;
	unsigned number;
	bool is_keeper;
	int fd;          /* ours, so that ipc can be made again */
	struct ipc *ipc; /* NULL between a bad frame and the next try */
	struct loop_timer *reopen;
	size_t n_jobs, n_bytes, n_large; /* in the pool */
	int64_t log_second;
	unsigned log_lines, log_dropped;
};

struct clients {
	struct loop *loop;
	const struct rules *rules;
	struct metrics *metrics;
	struct pool *pool;
	void (*idle)(void *ctx);
	void *ctx;
	struct buf body; /* of the message that is being made */
	struct client *list;
	unsigned n;
	size_t n_jobs;
	bool draining;
};

struct request {
	struct job job;
	char key[PROTO_KEY_NAME_MAX + 1];
	struct bytes map; /* what job.tbs shows; none: that is copy */
	uint8_t copy[];
};

static void on_message(void *ctx, const struct ipc_msg *msg);
static void on_dead(void *ctx, const struct why *why);

static void log_suppressed(struct client *c)
{
	struct log_num number, count;

	if (c->log_dropped > 0)
		log_event(LOG_WARN, "signer.refused_more", "client",
		        log_i64(&number, c->number), "count",
		        log_i64(&count, c->log_dropped), NULL);
	c->log_dropped = 0;
}

static bool may_log(struct client *c)
{
	int64_t second = clock_mono_us() / 1000000;

	if (second != c->log_second) {
		log_suppressed(c);
		c->log_second = second;
		c->log_lines = 0;
	}
	if (c->log_lines >= LOG_LINES_PER_S) {
		c->log_dropped++;
		return false;
	}
	c->log_lines++;
	return true;
}

static void refused(struct client *c, const char *key, uint32_t purpose,
        enum rc rc, const struct why *why)
{
	/* Not the client's doing: the key could not. */
	bool failed =
	        rc == RC_UNAVAILABLE || rc == RC_INTERNAL || rc == RC_NOMEM;
	struct log_num number, purpose_text;

	metric_add(c->all->metrics, METRIC_SIGN_REFUSED, !failed);
	if (may_log(c))
		log_event(LOG_WARN,
		        failed ? "signer.not_signed" : "signer.refused",
		        "client", log_i64(&number, c->number), "key", key,
		        "purpose", log_i64(&purpose_text, purpose), "rc",
		        rc_info(rc)->name, "why", why->text, NULL);
}

static void answer(
        struct client *c, uint64_t id, const struct proto_signature *signature)
{
	struct ipc_msg msg = { .type = PROTO_SIGNATURE, .id = id };
	struct buf *body = &c->all->body;
	struct log_num number;
	enum rc rc;

	if (!c->ipc)
		return; /* it asks again, or is gone */
	buf_reset(body);
	proto_signature_pack(body, signature);
	msg.body = buf_bytes(body);
	rc = body->failed ? body->failed : ipc_send(c->ipc, &msg);
	if (rc && may_log(c))
		log_event(LOG_ERROR, "signer.answer_lost", "client",
		        log_i64(&number, c->number), "rc", rc_info(rc)->name,
		        NULL);
}

static void refuse(struct client *c, uint64_t id, const char *key,
        uint32_t purpose, enum rc rc, const struct why *why)
{
	struct proto_signature signature = { rc, *why, BYTES_NONE };

	refused(c, key, purpose, rc, why);
	answer(c, id, &signature);
}

/* Looked at where it stands: a CRL may be larger than all that we have. Any of
 * that size came in a file. */
static bool is_large(const struct proto_sign *m)
{
	return m->tbs.n > IPC_INLINE_MAX_BYTES;
}

static enum rc admit(const struct client *c, const struct proto_sign *m,
        size_t *key, struct why *why)
{
	size_t max = tbs_max_bytes(m->purpose);

	*key = rules_find(c->all->rules, m->key);
	if (*key == RULES_NO_KEY)
		return why_set(why, RC_NOTFOUND, "no key %s is loaded", m->key);
	if (max == 0)
		return why_set(why, RC_DENIED, "unknown purpose %u",
		        (unsigned)m->purpose);
	if (m->purpose == SIGNER_CODE && !c->is_keeper)
		return why_set(
		        why, RC_DENIED, "code is signed for a keeper alone");
	if (m->tbs.n > max)
		return why_set(why, RC_TOOBIG, "over %zu bytes to sign", max);
	if (c->n_jobs >= CLIENT_JOBS_MAX ||
	        (is_large(m) ? c->n_large >= CLIENT_LARGE_MAX
	                     : c->n_bytes + m->tbs.n > CLIENT_JOBS_MAX_BYTES))
		return why_set(why, RC_BUSY, "too much in flight");
	return RC_OK;
}

static void submit(
        struct client *c, uint64_t id, size_t key, const struct proto_sign *m)
{
	struct bytes map = is_large(m) ? ipc_take_map(c->ipc) : BYTES_NONE;
	size_t copied = map.n > 0 ? 0 : m->tbs.n;
	struct request *r = malloc(sizeof(*r) + copied);
	struct why why;

	if (!r) {
		ipc_memfd_unmap(map);
		(void)why_set(&why, RC_NOMEM, "out of memory");
		refuse(c, id, m->key, m->purpose, RC_NOMEM, &why);
		return;
	}
	memset(r, 0, sizeof(*r));
	memcpy(r->key, m->key, sizeof(r->key));
	r->map = map;
	if (copied > 0)
		memcpy(r->copy, m->tbs.p, copied);
	r->job = (struct job){ .ctx = c,
		.id = id,
		.key = key,
		.purpose = m->purpose,
		.tbs = map.n > 0 ? m->tbs : bytes_of(r->copy, copied),
		.signature = BUF_INIT(PROTO_SIGNATURE_MAX_BYTES) };
	c->n_jobs++;
	c->n_bytes += copied;
	c->n_large += map.n > 0;
	c->all->n_jobs++;
	pool_put(c->all->pool, &r->job);
}

static void on_sign(struct client *c, const struct ipc_msg *msg)
{
	struct why why = WHY_NONE;
	struct proto_sign m;
	size_t key;
	enum rc rc = proto_sign_unpack(&m, msg->body);

	if (rc) {
		(void)why_set(&why, rc, "a malformed request");
		refuse(c, msg->id, NULL, 0, rc, &why);
		return;
	}
	rc = admit(c, &m, &key, &why);
	if (rc)
		refuse(c, msg->id, m.key, m.purpose, rc, &why);
	else
		submit(c, msg->id, key, &m);
}

static void on_message(void *ctx, const struct ipc_msg *msg)
{
	struct client *c = ctx;
	struct why why;

	for (unsigned i = 0; i < msg->n_fds; i++)
		(void)close(msg->fds[i]);
	if (c->all->draining)
		return; /* it asks the next signer */
	if (msg->type == PROTO_SIGN) {
		on_sign(c, msg);
		return;
	}
	(void)why_set(&why, RC_DENIED, "message type %u is not for clients",
	        msg->type);
	refuse(c, msg->id, NULL, 0, RC_DENIED, &why);
}

void clients_done(struct job *job)
{
	struct request *r = (struct request *)job; /* its first member */
	struct proto_signature signature = { job->rc, job->why,
		buf_bytes(&job->signature) };
	struct client *c = job->ctx;
	struct clients *all = c->all;

	if (job->rc)
		refused(c, r->key, job->purpose, job->rc, &job->why);
	answer(c, job->id, &signature);
	c->n_jobs--;
	if (r->map.n > 0)
		c->n_large--;
	else
		c->n_bytes -= job->tbs.n;
	ipc_memfd_unmap(r->map);
	all->n_jobs--;
	buf_wipe(&job->signature); /* it may be a content key */
	free(r);
	if (all->draining && all->n_jobs == 0)
		all->idle(all->ctx);
}

/* --- the pairs */

static enum rc client_open(struct client *c)
{
	int fd = fcntl(c->fd, F_DUPFD_CLOEXEC, 3);
	enum rc rc;

	if (fd < 0)
		return RC_IO;
	rc = ipc_new(&c->ipc, c->all->loop, fd, on_message, on_dead, c);
	if (rc)
		(void)close(fd);
	return rc;
}

static bool peer_is_gone(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static void on_dead(void *ctx, const struct why *why)
{
	struct client *c = ctx;
	struct log_num number;

	log_event(LOG_WARN, "signer.client_lost", "client",
	        log_i64(&number, c->number), "why", why->text, NULL);
	ipc_free(c->ipc);
	c->ipc = NULL;
	if (!peer_is_gone(c->fd))
		loop_timer_set_ms(c->reopen, REOPEN_MS);
}

static void on_reopen(void *ctx)
{
	struct client *c = ctx;

	if (client_open(c))
		loop_timer_set_ms(c->reopen, REOPEN_MS);
}

enum rc clients_new(struct clients **out, const struct clients_opts *o)
{
	struct clients *all = calloc(1, sizeof(*all));
	enum rc rc = RC_OK;

	*out = NULL;
	if (!all)
		return RC_NOMEM;
	*all = (struct clients){ .loop = o->loop,
		.rules = o->rules,
		.pool = o->pool,
		.metrics = o->metrics,
		.idle = o->idle,
		.ctx = o->ctx,
		.body = BUF_INIT(BODY_MAX_BYTES) };
	all->list = calloc(o->n_fds ? o->n_fds : 1, sizeof(*all->list));
	if (!all->list)
		rc = RC_NOMEM;
	for (; !rc && all->n < o->n_fds; all->n++) {
		struct client *c = &all->list[all->n];

		c->all = all;
		c->number = all->n;
		c->is_keeper = o->keepers[all->n];
		c->fd = o->fds[all->n];
		rc = loop_timer_new(&c->reopen, o->loop, on_reopen, c);
		if (!rc)
			rc = client_open(c);
	}
	if (rc)
		clients_free(all);
	else
		*out = all;
	return rc;
}

void clients_free(struct clients *all)
{
	if (!all)
		return;
	for (unsigned i = 0; i < all->n; i++) {
		struct client *c = &all->list[i];

		log_suppressed(c);
		ipc_free(c->ipc);
		loop_timer_free(c->reopen);
		(void)close(c->fd);
	}
	buf_free(&all->body);
	free(all->list);
	free(all);
}

void clients_tell(struct clients *all, uint16_t type, struct bytes body)
{
	struct ipc_msg msg = { .type = type, .body = body };
	struct log_num number;

	for (unsigned i = 0; i < all->n; i++)
		if (all->list[i].ipc && ipc_send(all->list[i].ipc, &msg))
			log_event(LOG_ERROR, "signer.tell_failed", "client",
			        log_i64(&number, i), NULL);
}

void clients_drain(struct clients *all)
{
	all->draining = true;
	if (all->n_jobs == 0)
		all->idle(all->ctx);
}
