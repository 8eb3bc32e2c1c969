#include "ca/crl_plan.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "ca/crl_look.h"
#include "ca/crl_scopes.h"
#include "ca/tbs_check.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECOND_US INT64_C(1000000)
/* Pages of the feed that a tick reads; what is left comes a second later. */
#define FEED_PAGES 16
/* A CRL is begun so long before the revocation in it has waited too long. */
#define MARGIN_S 5
#define RETRY_FIRST_S 2
#define RETRY_MAX_S 60
/* An alarm that goes on is logged again. */
#define WARN_AGAIN_US (600 * SECOND_US)
/* Less than this part of its life left is an alarm. */
#define LATE_PART 4

struct crl_plan {
	struct crl_plan_opts o;
	struct crl_scopes scopes;
	struct crl_maker *maker;
	struct crl_order order;
	struct crl_scope *making; /* NULL: none */
	struct store_feed feed;
	struct store_status_row rows[STORE_ROWS_MAX];
	uint64_t position; /* of the feed, up to which it was read */
	bool feeding, stopping;
	struct crl_look look;
	struct crl_look_item *look_items; /* room for all */
	bool looking, looked;
};

/* --- files */

static int64_t change_us(const struct stat *st)
{
	return (int64_t)st->st_ctim.tv_sec * SECOND_US +
	        st->st_ctim.tv_nsec / 1000;
}

static void remember_file(struct crl_scope *s, int fd)
{
	struct stat st;

	s->standing = fstat(fd, &st) == 0;
	if (!s->standing)
		return;
	s->inode = (uint64_t)st.st_ino;
	s->file_us = change_us(&st);
}

static void tell(struct crl_plan *p, const struct crl_scope *s, int fd)
{
	const struct crl_published published = { .name = s->name,
		.crl = &s->crl,
		.fresh_s = s->authority->conf->crl.after_revocation_s,
		.fd = fd };

	p->o.published(p->o.ctx, &published);
}

static void looked_at(struct crl_plan *p, const struct crl_look_item *item)
{
	struct crl_scope *s = item->ctx;

	s->unseen = false;
	if (item->fd >= 0) {
		remember_file(s, item->fd);
		tell(p, s, item->fd);
		(void)close(item->fd);
	} else if (item->why.text[0] != '\0') {
		log_event(LOG_WARN, "crl.changed", "file", s->name, "why",
		        item->why.text, NULL);
	}
}

static void on_looked(struct crl_look *look)
{
	struct crl_plan *p = look->ctx;
	bool first = !p->looked;

	p->looking = false;
	p->looked = true;
	for (size_t i = 0; i < look->n; i++)
		looked_at(p, &look->items[i]);
	if (first && p->o.looked != NULL)
		p->o.looked(p->o.ctx);
}

/* At what is unseen. Until that is known no CRL is begun. */
static void look(struct crl_plan *p)
{
	struct crl_look *l = &p->look;

	*l = (struct crl_look){ .loop = p->o.loop,
		.dir = p->o.dir,
		.items = p->look_items,
		.done = on_looked,
		.ctx = p };
	for (size_t i = 0; i < p->scopes.n; i++) {
		struct crl_scope *s = &p->scopes.list[i];

		if (s->unseen)
			l->items[l->n++] = (struct crl_look_item){
				.name = s->name, .crl = s->crl, .ctx = s
			};
	}
	p->looking = true;
	crl_look_begin(l);
}

/* In a hand-over two keepers are at work for a while: what the other has made
 * is as good as ours. */
static bool adopt(struct crl_plan *p, struct crl_scope *s)
{
	struct store_crl_last last = { .authority = s->authority->id,
		.shard = s->shard };

	if (store_crl_last(p->o.store, &last) != RC_OK ||
	        last.crl.number <= s->crl.number)
		return false;
	s->crl = last.crl;
	s->made_mono_us = s->regular_mono_us = clock_mono_us();
	s->unseen = true;
	return true;
}

/* What readers see is still what was put there. */
static void check_file(struct crl_plan *p, struct crl_scope *s)
{
	struct stat st;

	if (!s->standing || s == p->making)
		return;
	if (fstatat(p->o.dir, s->name, &st, 0) == 0 &&
	        (uint64_t)st.st_ino == s->inode && change_us(&st) == s->file_us)
		return;
	s->standing = false;
	if (adopt(p, s))
		return;
	log_event(LOG_WARN, "crl.changed", "file", s->name, "why",
	        "the published file is gone or was replaced: making a new one",
	        NULL);
}

/* --- what is due */

/* Its certificates have all ended, and a regular CRL has said so since. */
static bool is_over(const struct crl_scope *s)
{
	return s->ends && s->crl.regular_s > s->ends_s;
}

static bool is_missing(const struct crl_scope *s)
{
	return s->crl.number == 0 || !s->standing;
}

static bool is_regular_due(
        const struct crl_scope *s, int64_t now_s, int64_t mono_us)
{
	const struct conf_crl *c = &s->authority->conf->crl;
	int64_t half_s = (s->crl.next_update_s - s->crl.this_update_s) / 2;

	if (s->wanted || is_missing(s))
		return true;
	/* By the clock, and, should that stand still or run back, by how long
	 * we have been waiting. */
	return now_s >= s->crl.regular_s + c->every_s ||
	        now_s >= s->crl.this_update_s + half_s ||
	        mono_us >= s->regular_mono_us + c->every_s * SECOND_US;
}

static bool is_changed(const struct crl_scope *s)
{
	return s->changed_position > s->crl.position;
}

/* The first revocation after a pause is published at once, those that follow
 * share the next one. */
static bool is_change_due(const struct crl_scope *s, int64_t mono_us)
{
	int64_t wait_s = s->authority->conf->crl.after_revocation_s;

	wait_s -= wait_s / 4 < MARGIN_S ? wait_s / 4 : MARGIN_S;
	return is_changed(s) && mono_us >= s->made_mono_us + wait_s * SECOND_US;
}

static bool is_due(const struct crl_scope *s, int64_t now_s, int64_t mono_us)
{
	if (is_over(s))
		return false;
	return is_regular_due(s, now_s, mono_us) || is_change_due(s, mono_us);
}

/* --- what there is */

static bool has_run_out(const struct crl_scope *s, int64_t now_s)
{
	return is_missing(s) || s->crl.next_update_s <= now_s;
}

/* It was to be replaced at half of its life, and could not be. */
static bool is_running_out(const struct crl_scope *s, int64_t now_s)
{
	int64_t left_s = s->crl.next_update_s - now_s;
	int64_t life_s = s->crl.next_update_s - s->crl.this_update_s;

	return s->crl.number != 0 && s->failures > 0 &&
	        left_s < life_s / LATE_PART;
}

void crl_plan_state(struct crl_plan *p, struct crl_plan_state *out)
{
	int64_t now_s = clock_now_s(), mono_us = clock_mono_us();

	*out = (struct crl_plan_state){ .n = 0 };
	for (size_t i = 0; i < p->scopes.n; i++) {
		const struct crl_scope *s = &p->scopes.list[i];
		int64_t ends_s = is_missing(s) ? 0 : s->crl.next_update_s;

		if (s->shard == 0)
			out->n_entries += s->crl.count;
		if (is_over(s))
			continue;
		if (out->n++ == 0 || ends_s < out->ends_s) {
			out->ends_s = ends_s;
			out->ends = s->name;
		}
		if (has_run_out(s, now_s))
			out->n_out++;
		else if (is_running_out(s, now_s) && out->n_late++ == 0)
			out->late = s->name;
		out->n_due += is_due(s, now_s, mono_us);
	}
}

static void set_metrics(struct crl_plan *p)
{
	struct crl_plan_state state;

	crl_plan_state(p, &state);
	metric_set(p->o.metrics, METRIC_CRL_ENTRIES, state.n_entries);
	metric_set(p->o.metrics, METRIC_CRL_ENDS_S, (uint64_t)state.ends_s);
	metric_set(p->o.metrics, METRIC_CRLS_LATE, state.n_late);
	metric_set(p->o.metrics, METRIC_CRLS_OUT, state.n_out);
}

/* --- making them */

/* What no longer fits cannot be published: said in time, for a CRL shrinks only
 * as certificates end. */
static void check_size(const struct crl_scope *s)
{
	struct log_num entries, bytes;

	if (s->crl.bytes > TBS_CRL_MAX_BYTES / 4 * 3)
		log_event(LOG_WARN, "crl.large", "file", s->name, "entries",
		        log_i64(&entries, (long long)s->crl.count), "bytes",
		        log_i64(&bytes, (long long)s->crl.bytes), "why",
		        "a CRL may have 1 GiB: let another authority issue",
		        NULL);
}

static void make_next(struct crl_plan *p);

static void log_made(const struct crl_scope *s)
{
	struct log_num number, shard, entries, bytes;
	char until[TEXT_TIME_BYTES];

	log_event(LOG_INFO, "crl.published", "authority",
	        s->authority->conf->name, "shard", log_i64(&shard, s->shard),
	        "number", log_i64(&number, (long long)s->crl.number), "entries",
	        log_i64(&entries, (long long)s->crl.count), "bytes",
	        log_i64(&bytes, (long long)s->crl.bytes), "next_update",
	        text_time(until, s->crl.next_update_s), NULL);
}

static void made(struct crl_plan *p, struct crl_scope *s, int64_t mono_us)
{
	int64_t ends_s = s->ends_s;

	s->crl = p->order.crl;
	s->ends_s = s->crl.ends_s > ends_s ? s->crl.ends_s : ends_s;
	s->failures = 0;
	s->failure = WHY_NONE;
	s->retry_mono_us = 0;
	s->made_mono_us = mono_us;
	if (p->order.regular) {
		s->regular_mono_us = mono_us;
		s->wanted = false;
	}
	remember_file(s, p->order.fd);
	tell(p, s, p->order.fd);
	metric_add(p->o.metrics, METRIC_CRLS_PUBLISHED, 1);
	log_made(s);
	check_size(s);
}

static void failed(struct crl_plan *p, struct crl_scope *s, int64_t mono_us)
{
	int64_t wait_s = RETRY_MAX_S;

	if (s->failures < 5)
		wait_s = RETRY_FIRST_S << s->failures;
	s->failures++;
	s->failure = p->order.why;
	if (s->failure.text[0] == '\0')
		(void)why_set(&s->failure, p->order.rc, "%s",
		        rc_info(p->order.rc)->text);
	s->retry_mono_us = mono_us + wait_s * SECOND_US;
	metric_add(p->o.metrics, METRIC_CRL_FAILURES, 1);
	/* The other keeper of a hand-over is at it. */
	log_event(p->order.rc == RC_FENCED ? LOG_INFO : LOG_WARN, "crl.failed",
	        "file", s->name, "rc", rc_info(p->order.rc)->name, "why",
	        s->failure.text, NULL);
}

static void on_done(struct crl_order *order)
{
	struct crl_plan *p = order->ctx;
	struct crl_scope *s = p->making;
	int64_t mono_us = clock_mono_us();

	p->making = NULL;
	if (order->rc == RC_OK)
		made(p, s, mono_us);
	else
		failed(p, s, mono_us);
	if (order->fd >= 0)
		(void)close(order->fd);
	if (!p->stopping)
		set_metrics(p);
	make_next(p);
}

static void make(struct crl_plan *p, struct crl_scope *s, bool regular)
{
	struct crl_order *o = &p->order;

	*o = (struct crl_order){ .authority = s->authority,
		.shard = s->shard,
		.n_also = s->n_also,
		.n_urls = s->n_urls,
		.valid_s = s->authority->conf->crl.valid_s,
		.regular = regular,
		.done = on_done,
		.ctx = p };
	memcpy(o->also, s->also, sizeof(o->also));
	for (size_t i = 0; i < s->n_urls; i++)
		o->urls[i] = s->urls[i];
	memcpy(o->name, s->name, sizeof(o->name));
	p->making = s;
	o->rc = crl_make(p->maker, o);
	if (o->rc == RC_PENDING)
		return;
	p->making = NULL;
	failed(p, s, clock_mono_us());
}

/* Who runs out first is first. */
static struct crl_scope *pick(
        struct crl_plan *p, int64_t now_s, int64_t mono_us)
{
	struct crl_scope *best = NULL;

	for (size_t i = 0; i < p->scopes.n; i++) {
		struct crl_scope *s = &p->scopes.list[i];

		if (mono_us < s->retry_mono_us || !is_due(s, now_s, mono_us))
			continue;
		if (best == NULL || (is_missing(s) && !is_missing(best)) ||
		        (is_missing(s) == is_missing(best) &&
		                s->crl.next_update_s < best->crl.next_update_s))
			best = s;
	}
	return best;
}

static void make_next(struct crl_plan *p)
{
	int64_t now_s = clock_now_s(), mono_us = clock_mono_us();
	struct crl_scope *s;

	if (p->stopping || p->looking || p->making != NULL)
		return;
	s = pick(p, now_s, mono_us);
	if (s != NULL)
		make(p, s, is_regular_due(s, now_s, mono_us));
}

/* --- revocations */

static bool covers(
        const struct crl_scope *s, const struct store_status_row *row)
{
	if (s->shard != 0 && s->shard != row->shard)
		return false;
	if (row->key.authority == s->authority->id)
		return true;
	for (size_t i = 0; i < s->n_also; i++)
		if (row->key.authority == s->also[i])
			return true;
	return false;
}

static void note_change(struct crl_plan *p, size_t row)
{
	uint64_t position = p->feed.from + row;

	for (size_t i = 0; i < p->scopes.n; i++) {
		struct crl_scope *s = &p->scopes.list[i];

		if (covers(s, &p->rows[row]))
			s->changed_position = position;
	}
	p->position = position;
}

/* True: there may be more. */
static bool take_feed(struct crl_plan *p)
{
	if (p->feed.op.rc != RC_OK)
		return false;
	for (size_t i = 0; i < p->feed.n; i++)
		note_change(p, i);
	return p->feed.n == p->feed.max;
}

static void on_feed(struct store_op *op)
{
	struct crl_plan *p = op->ctx;

	p->feeding = false;
	(void)take_feed(p);
}

static void read_feed(struct crl_plan *p)
{
	for (int i = 0; i < FEED_PAGES && !p->feeding; i++) {
		p->feed = (struct store_feed){
			.from = p->position + 1,
			.rows = p->rows,
			.max = STORE_ROWS_MAX,
			.op = { .done = on_feed, .ctx = p, .actor = p->o.actor }
		};
		p->feed.op.rc = store_feed(p->o.store, &p->feed);
		p->feeding = p->feed.op.rc == RC_PENDING;
		if (p->feeding || !take_feed(p))
			return;
	}
}

/* --- alarms */

static void warn(struct crl_scope *s, enum log_level level, const char *event,
        const char *text, int64_t mono_us)
{
	char until[TEXT_TIME_BYTES];

	if (s->warned_mono_us != 0 && s->warned <= level &&
	        mono_us < s->warned_mono_us + WARN_AGAIN_US)
		return;
	s->warned_mono_us = mono_us;
	s->warned = level;
	log_event(level, event, "file", s->name, "next_update",
	        text_time(until, s->crl.next_update_s), "why", text, NULL);
}

static void check_late(struct crl_scope *s, int64_t now_s, int64_t mono_us)
{
	if (is_over(s))
		return;
	if (s->crl.number != 0 && s->crl.next_update_s <= now_s)
		warn(s, LOG_ERROR, "crl.run_out",
		        "the newest CRL is past its nextUpdate", mono_us);
	else if (is_running_out(s, now_s))
		warn(s, LOG_WARN, "crl.running_out",
		        "no new CRL since half of its life", mono_us);
	else if (s->failures == 0)
		s->warned_mono_us = 0;
}

bool crl_plan_at(struct crl_plan *p, size_t i, struct crl_plan_row *out)
{
	const struct crl_scope *s;

	if (i >= p->scopes.n)
		return false;
	s = &p->scopes.list[i];
	*out = (struct crl_plan_row){ .file = s->name,
		.authority = s->authority->conf->name,
		.crl = &s->crl,
		.over = is_over(s),
		.failure = s->failure.text };
	out->out = !out->over && has_run_out(s, clock_now_s());
	out->due = is_due(s, clock_now_s(), clock_mono_us());
	return true;
}

/* --- */

void crl_plan_tick(struct crl_plan *p)
{
	int64_t now_s = clock_now_s(), mono_us = clock_mono_us();
	bool unseen = false;

	if (p->stopping || p->looking)
		return;
	read_feed(p);
	for (size_t i = 0; i < p->scopes.n; i++) {
		struct crl_scope *s = &p->scopes.list[i];

		check_file(p, s);
		check_late(s, now_s, mono_us);
		unseen |= s->unseen;
	}
	if (unseen)
		look(p);
	set_metrics(p);
	make_next(p);
}

void crl_plan_stop(struct crl_plan *p)
{
	p->stopping = true;
	/* The row of a process that went holds its last values. */
	metric_set(p->o.metrics, METRIC_CRL_ENTRIES, 0);
	metric_set(p->o.metrics, METRIC_CRL_ENDS_S, 0);
	metric_set(p->o.metrics, METRIC_CRLS_LATE, 0);
	metric_set(p->o.metrics, METRIC_CRLS_OUT, 0);
}

bool crl_plan_busy(const struct crl_plan *p)
{
	return p->making != NULL || p->feeding || p->looking;
}

size_t crl_plan_want(struct crl_plan *p, const char *authority)
{
	size_t n = 0;

	for (size_t i = 0; i < p->scopes.n; i++) {
		struct crl_scope *s = &p->scopes.list[i];

		if ((authority != NULL &&
		            strcmp(s->authority->conf->name, authority) != 0) ||
		        is_over(s))
			continue;
		s->wanted = true;
		s->retry_mono_us = 0;
		s->failure = WHY_NONE;
		n++;
	}
	make_next(p);
	return n;
}

/* From where the feed must be read again: before the oldest of what stands. */
static void begin_feed(struct crl_plan *p)
{
	bool any = false;

	for (size_t i = 0; i < p->scopes.n; i++) {
		const struct store_crl *crl = &p->scopes.list[i].crl;

		if (crl->number == 0)
			continue;
		if (!any || crl->position < p->position)
			p->position = crl->position;
		any = true;
	}
}

enum rc crl_plan_new(
        struct crl_plan **out, const struct crl_plan_opts *o, struct why *why)
{
	struct crl_plan *p = calloc(1, sizeof(*p));
	const struct crl_maker_opts mo = { .loop = o->loop,
		.store = o->store,
		.signer = o->signer,
		.dir = o->dir,
		.actor = o->actor };
	enum rc rc;

	*out = NULL;
	if (p == NULL)
		return RC_NOMEM;
	p->o = *o;
	rc = crl_scopes_read(&p->scopes, o->store, o->authorities, why);
	if (rc == RC_OK)
		rc = crl_maker_new(&p->maker, &mo);
	if (rc == RC_OK) {
		p->look_items = calloc(p->scopes.n + 1, sizeof(*p->look_items));
		rc = p->look_items == NULL ? RC_NOMEM : RC_OK;
	}
	if (rc != RC_OK) {
		crl_plan_free(p);
		return rc;
	}
	for (size_t i = 0; i < p->scopes.n; i++) {
		struct crl_scope *s = &p->scopes.list[i];

		s->regular_mono_us = clock_mono_us();
		s->unseen = s->crl.number != 0;
	}
	begin_feed(p);
	look(p);
	*out = p;
	return RC_OK;
}

void crl_plan_free(struct crl_plan *p)
{
	if (p == NULL)
		return;
	crl_maker_free(p->maker);
	crl_scopes_free(&p->scopes);
	free(p->look_items);
	free(p);
}
