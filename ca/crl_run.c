#include "ca/crl_run.h"

#include "base/clock.h"
#include "base/ipc.h"
#include "base/thread.h"
#include "ca/crl_file.h"
#include "ca/signer/proto.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Entries that are written to the memfd at once. */
#define CHUNK_BYTES 65536
/* Pages of the index that are read in a turn of the loop: under 1 ms. */
#define PAGES_PER_TURN 8
#define SIGN_TIMEOUT_US (60 * INT64_C(1000000))
#define SIGNED_HEAD_MAX_BYTES 256
#define TEMP_MAX (CRL_NAME_MAX + 32)

typedef enum rc work_fn(struct crl_maker *m, struct why *why);

struct crl_maker {
	struct crl_maker_opts o;
	struct crl_order *order; /* NULL: idle */
	struct loop_timer *turn;
	/* the thread that writes files, one at a time */
	pthread_t thread;
	bool joinable;
	struct loop_task worked;
	work_fn *work;
	loop_fn *then;
	enum rc work_rc;
	struct why work_why;
	/* the CRL that is being made */
	uint64_t published; /* number of what stands there now */
	struct store_crl_begin begin;
	struct store_crl_scan scan;
	struct store_crl_commit commit;
	struct signer_call call;
	struct signer_sealed sealed;
	struct store_crl_row rows[STORE_ROWS_MAX];
	size_t covered; /* authorities that were walked: also first */
	struct buf chunk;
	struct buf tail;
	struct buf signature;
	struct crl_frame frame;
	struct crl_file file;
	int memfd;
	uint64_t room;    /* before the entries */
	uint64_t entries; /* bytes of them */
	uint64_t count, seen, position;
	char temp[TEMP_MAX];
};

enum rc crl_maker_new(struct crl_maker **out, const struct crl_maker_opts *o)
{
	struct crl_maker *m = calloc(1, sizeof(*m));

	*out = NULL;
	if (m == NULL)
		return RC_NOMEM;
	m->o = *o;
	m->memfd = -1;
	m->chunk = BUF_INIT(CHUNK_BYTES + CRL_ENTRY_MAX_BYTES);
	m->tail = BUF_INIT(CRL_FRAME_MAX_BYTES);
	m->signature = BUF_INIT(SIGNER_SIGNATURE_MAX_BYTES);
	*out = m;
	return RC_OK;
}

void crl_maker_free(struct crl_maker *m)
{
	if (m == NULL)
		return;
	loop_timer_free(m->turn);
	buf_free(&m->chunk);
	buf_free(&m->tail);
	buf_free(&m->signature);
	free(m);
}

bool crl_maker_busy(const struct crl_maker *m)
{
	return m->order != NULL;
}

/* --- the end */

static void end(struct crl_maker *m, enum rc rc, const struct why *why)
{
	struct crl_order *order = m->order;

	order->rc = rc;
	order->why = *why;
	if (rc != RC_OK && m->file.temp != NULL)
		crl_file_drop(&m->file);
	if (m->memfd >= 0)
		(void)close(m->memfd);
	m->memfd = -1;
	m->file.temp = NULL;
	loop_timer_free(m->turn);
	m->turn = NULL;
	buf_free(&m->chunk);
	m->order = NULL;
	order->done(order);
}

static void fail(struct crl_maker *m, enum rc rc, const char *clause)
{
	struct why why = WHY_NONE;

	(void)why_set(&why, rc, "%s", clause);
	end(m, rc, &why);
}

/* --- the thread */

static void *thread_main(void *ctx)
{
	struct crl_maker *m = ctx;

	m->work_rc = m->work(m, &m->work_why);
	loop_post(m->o.loop, &m->worked);
	return NULL;
}

static void on_worked(void *ctx)
{
	struct crl_maker *m = ctx;

	if (m->joinable)
		(void)pthread_join(m->thread, NULL);
	if (m->work_rc != RC_OK)
		end(m, m->work_rc, &m->work_why);
	else
		m->then(m);
}

static void in_thread(struct crl_maker *m, work_fn *work, loop_fn *then)
{
	m->work = work;
	m->then = then;
	m->work_why = WHY_NONE;
	m->worked = (struct loop_task){ .fn = on_worked, .ctx = m };
	m->joinable = thread_begin(&m->thread, thread_main, m) == 0;
	if (m->joinable)
		return;
	m->work_rc = why_set(&m->work_why, RC_UNAVAILABLE,
	        "no thread to write the CRL with");
	loop_post(m->o.loop, &m->worked);
}

/* --- 7. the name that readers see, once the record says so */

static enum rc publish(struct crl_maker *m, struct why *why)
{
	return crl_file_publish(&m->file, &m->order->fd, why);
}

static void on_published(void *ctx)
{
	struct crl_maker *m = ctx;

	m->order->crl = m->commit.crl;
	end(m, RC_OK, &WHY_NONE);
}

/* --- 6. the record */

static void on_committed(struct store_op *op)
{
	struct crl_maker *m = op->ctx;

	if (op->rc != RC_OK)
		end(m, op->rc, &op->why);
	else
		in_thread(m, publish, on_published);
}

static void commit(void *ctx)
{
	struct crl_maker *m = ctx;
	struct store_crl *crl = &m->commit.crl;
	enum rc rc;

	m->commit = (struct store_crl_commit){ .regular = m->order->regular,
		.op = { .done = on_committed, .ctx = m, .actor = m->o.actor } };
	*crl = (struct store_crl){ .authority = m->begin.authority,
		.shard = m->begin.shard,
		.number = m->frame.number,
		.this_update_s = m->frame.this_update_s,
		.next_update_s = m->frame.next_update_s,
		.position = m->begin.position,
		.count = m->count,
		.bytes = m->file.bytes };
	memcpy(crl->hash, m->file.hash, sizeof(crl->hash));
	rc = store_crl_commit(m->o.store, &m->commit);
	if (rc != RC_PENDING)
		end(m, rc, &m->commit.op.why);
}

/* --- 5. the file */

static enum rc write_and_check(struct crl_maker *m, struct why *why)
{
	enum rc rc = crl_file_write(&m->file, why);

	return rc == RC_OK ? crl_file_check(&m->file, why) : rc;
}

bool crl_is_temp(const char *name)
{
	return name[0] == '.' && strstr(name, ".crl.") != NULL;
}

static void write_file(struct crl_maker *m)
{
	(void)snprintf(m->temp, sizeof(m->temp), ".%s.%llu", m->order->name,
	        (unsigned long long)m->frame.number);
	m->file.dir = m->o.dir;
	m->file.name = m->order->name;
	m->file.temp = m->temp;
	m->file.memfd = m->memfd;
	m->file.frame = &m->frame;
	m->file.authority = m->order->authority;
	m->file.count = m->count;
	m->file.signature = buf_bytes(&m->signature);
	in_thread(m, write_and_check, commit);
}

/* --- 4. the signature */

static void on_signed(struct signer_call *call)
{
	struct crl_maker *m = call->ctx;

	if (call->rc != RC_OK) {
		end(m, call->rc, &call->why);
		return;
	}
	buf_reset(&m->signature);
	buf_add(&m->signature, call->signature);
	if (m->signature.failed != RC_OK)
		fail(m, m->signature.failed, "the CRL's signature");
	else
		write_file(m);
}

static void sign(struct crl_maker *m)
{
	enum rc rc;

	m->call = (struct signer_call){
		.key = m->order->authority->conf->key->name,
		.purpose = SIGNER_CRL,
		.sealed = &m->sealed,
		.done = on_signed,
		.ctx = m,
		.deadline_us = clock_mono_us() + SIGN_TIMEOUT_US,
	};
	rc = signer_sign(m->o.signer, &m->call);
	if (rc != RC_PENDING)
		end(m, rc, &m->call.why);
}

/* --- 3. the TBS around the entries: its end, then its head, whose length only
 * now is known, in front of them */

static bool write_at(int fd, struct bytes data, uint64_t at)
{
	while (data.n > 0) {
		ssize_t n = pwrite(fd, data.p, data.n, (off_t)at);

		if (n <= 0)
			return false;
		at += (uint64_t)n;
		data = bytes_skip(data, (size_t)n);
	}
	return true;
}

static enum rc put_head(struct crl_maker *m)
{
	struct buf tbs = BUF_INIT(CRL_FRAME_MAX_BYTES);
	struct buf all = BUF_INIT(CRL_FRAME_MAX_BYTES + SIGNED_HEAD_MAX_BYTES);
	enum rc rc;

	crl_put_head(&tbs, &m->frame, m->entries, m->tail.n);
	m->file.tbs_bytes = tbs.n + m->entries + m->tail.n;
	m->file.tbs_at = m->room - tbs.n;
	proto_sign_pack_head(&all, m->order->authority->conf->key->name,
	        SIGNER_CRL, (size_t)m->file.tbs_bytes);
	buf_add(&all, buf_bytes(&tbs));
	rc = tbs.failed != RC_OK ? tbs.failed : all.failed;
	m->sealed.fd = m->memfd;
	m->sealed.n = all.n + (size_t)m->entries + m->tail.n;
	if (rc == RC_OK &&
	        (all.n > m->room ||
	                !write_at(m->memfd, buf_bytes(&all), m->room - all.n)))
		rc = RC_IO;
	buf_free(&tbs);
	buf_free(&all);
	return rc;
}

static void finish_tbs(struct crl_maker *m)
{
	enum rc rc = m->tail.failed;

	if (rc == RC_OK &&
	        !write_at(m->memfd, buf_bytes(&m->tail), m->room + m->entries))
		rc = RC_IO;
	if (rc == RC_OK)
		rc = put_head(m);
	if (rc == RC_OK)
		rc = ipc_memfd_seal(m->memfd);
	if (rc == RC_TOOBIG)
		fail(m, rc, "too many entries for one CRL: it may have 1 GiB");
	else if (rc != RC_OK)
		fail(m, rc, "the CRL could not be put together");
	else
		sign(m);
}

/* --- 2. the entries, some pages a turn */

static bool flush_chunk(struct crl_maker *m)
{
	bool ok = m->chunk.failed == RC_OK &&
	        write_at(m->memfd, buf_bytes(&m->chunk), m->room + m->entries);

	m->entries += m->chunk.n;
	buf_reset(&m->chunk);
	return ok;
}

/* The store counts who is listed, apart from the index that was walked: the
 * two may differ by what changed meanwhile, and by nothing else. */
static bool agrees(const struct crl_maker *m)
{
	uint64_t moved = m->position - m->begin.position;
	uint64_t a = m->seen, b = m->begin.listed;

	return (a > b ? a - b : b - a) <= moved;
}

static void scanned_all(struct crl_maker *m)
{
	if (!flush_chunk(m))
		fail(m, RC_IO, "the CRL's memory file");
	else if (!agrees(m))
		fail(m, RC_INTERNAL,
		        "the revocation index and its count do not agree: run "
		        "mica store check");
	else
		finish_tbs(m);
}

static void scan_start(struct crl_maker *m)
{
	const struct crl_order *o = m->order;

	m->scan.authority = m->covered < o->n_also ? o->also[m->covered]
	                                           : m->begin.authority;
	m->scan.cursor.n = 0;
}

/* False: it failed, and the order has ended. */
static bool take_page(struct crl_maker *m)
{
	for (size_t i = 0; i < m->scan.n; i++) {
		crl_put_entry(&m->chunk, &m->rows[i]);
		m->count++;
		if (m->chunk.n >= CHUNK_BYTES && !flush_chunk(m)) {
			fail(m, RC_IO, "the CRL's memory file");
			return false;
		}
	}
	m->seen += m->scan.seen;
	m->position = m->scan.position;
	return true;
}

/* True: the walk goes on. */
static bool took_page(struct crl_maker *m)
{
	if (m->scan.op.rc != RC_OK) {
		end(m, m->scan.op.rc, &m->scan.op.why);
		return false;
	}
	if (!take_page(m))
		return false;
	if (m->scan.more)
		return true;
	if (m->covered++ < m->order->n_also) {
		scan_start(m);
		return true;
	}
	scanned_all(m);
	return false;
}

static void on_scanned(struct store_op *op)
{
	struct crl_maker *m = op->ctx;

	if (took_page(m))
		loop_timer_set_ms(m->turn, 0);
}

static void scan_next(void *ctx)
{
	struct crl_maker *m = ctx;

	for (int i = 0; i < PAGES_PER_TURN; i++) {
		enum rc rc = store_crl_scan(m->o.store, &m->scan);

		if (rc == RC_PENDING)
			return;
		m->scan.op.rc = rc;
		if (!took_page(m))
			return;
	}
	loop_timer_set_ms(m->turn, 0);
}

/* --- 1. the number */

static void fill_frame(struct crl_maker *m)
{
	const struct crl_order *o = m->order;
	const struct authority *a = o->authority;

	m->frame = (struct crl_frame){ .sig_alg = a->sig_alg,
		.issuer = a->subject,
		.key_id = a->key_id,
		.number = m->begin.number,
		.this_update_s = m->begin.now_s,
		.next_update_s = m->begin.now_s + o->valid_s,
		.shard = o->shard != 0,
		.n_urls = o->n_urls,
		.only_user_certs = a->issues_no_cas };
	memcpy(m->frame.urls, o->urls, sizeof(m->frame.urls));
	buf_reset(&m->tail);
	crl_put_tail(&m->tail, &m->frame);
}

/* What is in front of the entries is written last, but may not be a hole. */
static bool make_room(struct crl_maker *m)
{
	static const uint8_t zeros[1024];

	m->room = 0;
	m->memfd = ipc_memfd_open("mica-crl");
	while (m->memfd >= 0 &&
	        m->room < m->order->authority->subject.n +
	                        SIGNED_HEAD_MAX_BYTES + 1024) {
		if (!write_at(m->memfd, BYTES_ARRAY(zeros), m->room))
			return false;
		m->room += sizeof(zeros);
	}
	return m->memfd >= 0;
}

static void on_begun(struct store_op *op)
{
	struct crl_maker *m = op->ctx;

	if (op->rc != RC_OK) {
		end(m, op->rc, &op->why);
		return;
	}
	if (!make_room(m)) {
		fail(m, RC_IO, "the CRL's memory file");
		return;
	}
	fill_frame(m);
	m->chunk = BUF_INIT(CHUNK_BYTES + CRL_ENTRY_MAX_BYTES);
	m->entries = m->count = m->seen = 0;
	m->position = m->begin.position;
	m->covered = 0;
	m->scan = (struct store_crl_scan){ .shard = m->order->shard,
		.ended_before_s = m->begin.ended_before_s,
		.rows = m->rows,
		.max = STORE_ROWS_MAX,
		.op = { .done = on_scanned, .ctx = m, .actor = m->o.actor } };
	scan_start(m);
	scan_next(m);
}

static enum rc look(struct crl_maker *m, struct why *why)
{
	(void)why;
	m->published =
	        crl_file_number(m->o.dir, m->order->name, m->order->authority);
	return RC_OK;
}

static void begin(void *ctx)
{
	struct crl_maker *m = ctx;
	const struct crl_order *o = m->order;
	enum rc rc;

	m->begin = (struct store_crl_begin){ .authority = o->authority->id,
		.shard = o->shard,
		.also = o->also,
		.n_also = o->n_also,
		.above = m->published,
		.op = { .done = on_begun, .ctx = m, .actor = m->o.actor } };
	rc = store_crl_begin(m->o.store, &m->begin);
	if (rc != RC_PENDING)
		end(m, rc, &m->begin.op.why);
}

enum rc crl_make(struct crl_maker *m, struct crl_order *order)
{
	enum rc rc;

	order->fd = -1;
	order->why = WHY_NONE;
	if (m->order != NULL)
		return why_set(&order->why, RC_BUSY, "a CRL is being made");
	rc = loop_timer_new(&m->turn, m->o.loop, scan_next, m);
	if (rc != RC_OK)
		return rc;
	m->order = order;
	in_thread(m, look, begin);
	return RC_PENDING;
}
