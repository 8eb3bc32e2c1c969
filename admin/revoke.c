/* Revoke, hold, release: one certificate by its serial number, or many by
 * device, by public key, or by when they were issued. */
#include "admin/describe.h"
#include "admin/endpoint.h"
#include "base/clock.h"
#include "base/text.h"

#include <string.h>

/* Many are changed by parts, between which the loop goes on. A call that lasts
 * longer is answered with a cursor, well before its client or a handing over
 * to a new keeper would lose it. */
#define SLICE_US (10 * INT64_C(1000000))
#define SECOND_US INT64_C(1000000)

struct revocation {
	/* as it was asked for */
	const char *serial, *device, *authority, *key, *from, *to;
	bool dry_run;
	/* what it means */
	struct authority_names names;
	uint32_t authorities[STORE_ROWS_MAX]; /* of that name, or all */
	size_t n_authorities;
	struct store_status_row rows[STORE_ROWS_MAX]; /* of the serial */
	struct store_status find;
	struct store_set_status one;
	struct store_revoke many;
	/* how far it is */
	struct loop_task next;
	int64_t until_us;
	uint64_t selected, changed;
};

/* --- what is wanted */

static enum rc read_change(
        const char *text, enum store_status_change *out, struct why *why)
{
	static const char *const texts[] = { [STATUS_REVOKE] = "revoke",
		[STATUS_HOLD] = "hold",
		[STATUS_RELEASE] = "release" };

	*out = STATUS_REVOKE;
	for (size_t i = 0; text != NULL && i < 3; i++)
		if (strcmp(text, texts[i]) == 0) {
			*out = (enum store_status_change)i;
			return RC_OK;
		}
	return text == NULL ? RC_OK
	                    : why_set(why, RC_MALFORMED,
	                              "change: want revoke, hold or release");
}

static enum rc read_time(
        const char *what, const char *text, int64_t *out, struct why *why)
{
	if (text == NULL || text_time_parse(text, out) == RC_OK)
		return RC_OK;
	return why_set(why, RC_MALFORMED,
	        "%s: want a date as 2026-11-22 or a time as "
	        "2026-11-22T10:00:00Z",
	        what);
}

static enum rc read_reason(struct revocation *j, const char *reason,
        const char *invalid_since, struct why *why)
{
	struct store_revoke *m = &j->many;
	enum rc rc = RC_OK;

	if (m->change != STATUS_REVOKE &&
	        (reason != NULL || invalid_since != NULL))
		return why_set(why, RC_MALFORMED,
		        "reason and invalid_since: only a revocation has them");
	if (reason != NULL)
		rc = reason_parse(reason, &m->reason, why);
	if (rc == RC_OK && m->reason == REASON_CERTIFICATE_HOLD)
		return why_set(why, RC_MALFORMED,
		        "reason: certificateHold is no revocation: hold it");
	if (rc == RC_OK)
		rc = read_time(
		        "invalid_since", invalid_since, &m->invalidity_s, why);
	if (rc == RC_OK && m->invalidity_s > clock_now_s())
		rc = why_set(why, RC_MALFORMED, "invalid_since: lies ahead");
	return rc;
}

/* The lot ends now at the latest, so that what is issued meanwhile is surely
 * none of it. */
static enum rc read_lot(struct revocation *j, struct why *why)
{
	struct store_revoke *m = &j->many;
	int64_t from_s = 0, to_s = 0, now_us = clock_now_us();
	enum rc rc = read_time("from", j->from, &from_s, why);

	if (rc == RC_OK)
		rc = read_time("to", j->to, &to_s, why);
	if (rc != RC_OK)
		return rc;
	m->from_us = from_s * SECOND_US;
	m->to_us = now_us;
	if (j->to != NULL && to_s < now_us / SECOND_US)
		m->to_us = to_s * SECOND_US;
	if (m->from_us >= m->to_us)
		return why_set(why, RC_MALFORMED,
		        "from: is not before to (or lies ahead)");
	m->by = REVOKE_BY_ISSUE;
	return RC_OK;
}

static enum rc read_key(struct revocation *j, struct why *why)
{
	struct buf hash = BUF_INIT(STORE_HASH_BYTES);
	enum rc rc = hex_decode(&hash, bytes_str(j->key));

	if (rc == RC_OK && hash.n == STORE_HASH_BYTES)
		memcpy(j->many.spki_hash, hash.p, STORE_HASH_BYTES);
	else
		rc = why_set(why, RC_MALFORMED,
		        "spki_sha256: want %d octets in hexadecimal",
		        STORE_HASH_BYTES);
	buf_free(&hash);
	j->many.by = REVOKE_BY_KEY;
	return rc;
}

static enum rc read_which(struct revocation *j, struct why *why)
{
	int n = (j->serial != NULL) + (j->device != NULL) + (j->key != NULL) +
	        (j->from != NULL);

	if (n != 1)
		return why_set(why, RC_MALFORMED,
		        "serial, device, spki_sha256 or from: want one of "
		        "them");
	if (j->to != NULL && j->from == NULL)
		return why_set(why, RC_MALFORMED, "to: want from, too");
	if (j->authority != NULL && j->serial == NULL && j->from == NULL)
		return why_set(why, RC_MALFORMED,
		        "authority: goes with serial or from");
	if (j->serial != NULL)
		return serial_parse(j->one.key.serial, j->serial, why);
	if (j->key != NULL)
		return read_key(j, why);
	if (j->from != NULL)
		return read_lot(j, why);
	j->many.by = REVOKE_BY_DEVICE;
	j->many.device = j->device;
	if (j->many.change != STATUS_REVOKE)
		return why_set(why, RC_MALFORMED,
		        "device: suspend and resume hold and release all its "
		        "certificates");
	return RC_OK;
}

static enum rc plan(struct call *c, struct revocation *j, struct why *why)
{
	const char *change = NULL, *reason = NULL, *since = NULL;
	const char *cursor = NULL;
	int dry_run = 0;
	enum rc rc = call_body(c, why,
	        "{s?s, s?s, s?s, s?s, s?s, s?s, s?s, s?s, s?s, s?s, s?b}",
	        "serial", &j->serial, "device", &j->device, "spki_sha256",
	        &j->key, "authority", &j->authority, "from", &j->from, "to",
	        &j->to, "change", &change, "reason", &reason, "invalid_since",
	        &since, "cursor", &cursor, "dry_run", &dry_run);

	j->dry_run = dry_run != 0;
	if (rc == RC_OK)
		rc = read_change(change, &j->many.change, why);
	if (rc == RC_OK)
		rc = read_reason(j, reason, since, why);
	if (rc == RC_OK)
		rc = read_which(j, why);
	if (rc == RC_OK && cursor != NULL && j->serial == NULL)
		rc = call_cursor(&j->many.cursor, cursor, why);
	return rc;
}

/* The authorities that are meant: all generations of the name. */
static enum rc choose_authorities(struct revocation *j, struct why *why)
{
	const struct store_authority *rows = j->names.rows;

	for (size_t i = 0; i < j->names.list.n; i++)
		if (j->authority == NULL ||
		        strcmp(rows[i].name, j->authority) == 0)
			j->authorities[j->n_authorities++] = rows[i].id;
	if (j->n_authorities == 0)
		return why_set(why, RC_NOTFOUND, "no authority %s",
		        j->authority != NULL ? j->authority : "");
	for (size_t i = 1;
	        j->from != NULL && j->authority == NULL && i < j->names.list.n;
	        i++)
		if (strcmp(rows[i].name, rows[0].name) != 0)
			return why_set(why, RC_MALFORMED,
			        "authority: which one's certificates?");
	return RC_OK;
}

/* --- what comes of it */

static json_t *describe_done(struct call *c, bool more)
{
	static const char *const changes[] = { [STATUS_REVOKE] = "revoke",
		[STATUS_HOLD] = "hold",
		[STATUS_RELEASE] = "release" };
	const struct revocation *j = c->job;
	const struct store_revoke *m = &j->many;
	json_t *o = json_pack("{s:s, s:b, s:I, s:I}", "change",
	        changes[m->change], "dry_run", j->dry_run, "selected",
	        (json_int_t)j->selected, "changed", (json_int_t)j->changed);
	int bad = o == NULL;

	if (bad == 0 && m->change == STATUS_REVOKE)
		bad = json_object_set_new(
		        o, "reason", json_string(reason_text(m->reason)));
	if (bad == 0 && j->from != NULL)
		bad = json_object_set_new(
		              o, "from", describe_time_us(m->from_us)) |
		        json_object_set_new(
		                o, "to", describe_time_us(m->to_us));
	if (bad == 0 && more)
		bad = json_object_set_new(
		        o, "cursor", describe_cursor(&m->next));
	if (bad == 0)
		return o;
	json_decref(o);
	return NULL;
}

static void refuse(struct call *c, enum rc rc, const struct why *why)
{
	const struct revocation *j = c->job;
	struct why longer = WHY_NONE;

	if (j->changed == 0 || j->dry_run) {
		call_refuse(c, rc, why);
		return;
	}
	(void)why_set(&longer, rc,
	        "%.100s; %llu certificates were changed before that: the "
	        "same again goes on",
	        why->text, (unsigned long long)j->changed);
	call_refuse(c, rc, &longer);
}

/* --- one */

static void changed_one(struct store_op *op)
{
	struct call *c = op->ctx;
	struct revocation *j = c->job;

	if (op->rc != RC_OK) {
		call_refuse(c, op->rc, &op->why);
		return;
	}
	j->selected = 1;
	j->changed = j->one.changed;
	call_answer(c, 200, describe_done(c, false));
}

/* A serial number is unique under its authority alone. */
static enum rc choose_serial(struct revocation *j, struct why *why)
{
	const struct cert_key *found = NULL;

	for (size_t i = 0; i < j->find.n; i++) {
		if (j->rows[i].state == 0)
			continue;
		if (found != NULL)
			return why_set(why, RC_CONFLICT,
			        "%s and %s both have a certificate %s: name "
			        "the authority",
			        authority_names_find(
			                &j->names, found->authority),
			        authority_names_find(
			                &j->names, j->rows[i].key.authority),
			        j->serial);
		found = &j->rows[i].key;
	}
	if (found == NULL)
		return why_set(why, RC_NOTFOUND, "no certificate %s%s%s",
		        j->serial, j->authority != NULL ? " of " : "",
		        j->authority != NULL ? j->authority : "");
	j->one.key = *found;
	return RC_OK;
}

static void found_serial(struct store_op *op)
{
	struct call *c = op->ctx;
	struct revocation *j = c->job;
	struct why why = WHY_NONE;
	enum rc rc = op->rc;

	if (rc != RC_OK)
		why = op->why;
	else
		rc = choose_serial(j, &why);
	if (rc != RC_OK) {
		call_refuse(c, rc, &why);
		return;
	}
	j->one.op = (struct store_op){
		.done = changed_one, .ctx = c, .actor = c->actor
	};
	j->one.change = j->many.change;
	j->one.reason = j->many.reason;
	j->one.invalidity_s = j->many.invalidity_s;
	j->one.dry_run = j->dry_run;
	call_store(&j->one.op, store_set_status(c->admin->o.store, &j->one));
}

static void find_serial(struct call *c)
{
	struct revocation *j = c->job;

	for (size_t i = 0; i < j->n_authorities; i++) {
		j->rows[i].key = j->one.key;
		j->rows[i].key.authority = j->authorities[i];
	}
	j->find =
	        (struct store_status){ .op = { .done = found_serial, .ctx = c },
		        .rows = j->rows,
		        .n = j->n_authorities };
	call_store(&j->find.op, store_status(c->admin->o.store, &j->find));
}

/* --- many */

static void do_part(struct call *c, bool dry_run, store_done_fn *done)
{
	struct revocation *j = c->job;

	j->many.op =
	        (struct store_op){ .done = done, .ctx = c, .actor = c->actor };
	j->many.dry_run = dry_run;
	call_store(&j->many.op, store_revoke(c->admin->o.store, &j->many));
}

static void did_part(struct store_op *op)
{
	struct call *c = op->ctx;
	struct revocation *j = c->job;
	struct store_revoke *m = &j->many;

	if (op->rc != RC_OK) {
		refuse(c, op->rc, &op->why);
		return;
	}
	j->selected += m->selected;
	j->changed += m->changed;
	if (m->more && c->admin->closed) {
		refuse(c, RC_UNAVAILABLE, &op->why);
		return;
	}
	if (!m->more || clock_mono_us() >= j->until_us ||
	        http_req_is_gone(c->req)) {
		call_answer(c, 200, describe_done(c, m->more));
		return;
	}
	m->cursor = m->next;
	loop_post(c->admin->o.loop, &j->next);
}

/* Looked at before, outside of the write lock: most parts of a scan have
 * nothing to change. */
static void looked_at_part(struct store_op *op)
{
	struct call *c = op->ctx;
	struct revocation *j = c->job;

	if (op->rc == RC_OK && j->many.changed > 0)
		do_part(c, false, did_part);
	else
		did_part(op);
}

static void next_part(void *ctx)
{
	struct call *c = ctx;
	struct revocation *j = c->job;

	if (j->dry_run)
		do_part(c, true, did_part);
	else if (j->many.cursor.n == 0)
		do_part(c, false, did_part); /* which begins it */
	else
		do_part(c, true, looked_at_part);
}

static void named(struct store_op *op)
{
	struct call *c = op->ctx;
	struct revocation *j = c->job;
	struct why why = WHY_NONE;
	enum rc rc = op->rc;

	if (rc != RC_OK)
		why = op->why;
	else
		rc = choose_authorities(j, &why);
	if (rc != RC_OK) {
		call_refuse(c, rc, &why);
		return;
	}
	if (j->serial != NULL) {
		find_serial(c);
		return;
	}
	j->many.authorities = j->authorities;
	j->many.n_authorities = j->n_authorities;
	j->until_us = clock_mono_us() + SLICE_US;
	next_part(c);
}

void cert_revoke(struct call *c)
{
	struct revocation *j = call_job(c, sizeof(*j));
	struct why why = WHY_NONE;
	enum rc rc;

	if (j == NULL)
		return;
	rc = plan(c, j, &why);
	if (rc != RC_OK) {
		call_refuse(c, rc, &why);
		return;
	}
	j->next = (struct loop_task){ .fn = next_part, .ctx = c };
	authority_names_init(&j->names);
	j->names.list.op = (struct store_op){ .done = named, .ctx = c };
	call_store(&j->names.list.op,
	        store_authority_list(c->admin->o.store, &j->names.list));
}
