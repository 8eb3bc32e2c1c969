/* How the daemon is, and what its operator should know. */
#include "admin/endpoint.h"
#include "admin/describe.h"
#include "base/clock.h"
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define SECOND_US 1000000
#define DAY_S INT64_C(86400)
/* An authority needs a ceremony before it expires: time to find the people. */
#define EXPIRY_WARNING_S (90 * DAY_S)
#define PATH_MAX_BYTES 4096
#define AGE_TEXT_BYTES 32

/* What waits for somebody. */
struct queue {
	uint64_t n;
	int64_t oldest_us; /* when it came; 0: there is none */
};

struct status {
	struct store_stat stat;
	struct queue approvals, requests;
	struct store_approval_list approval_list;
	struct store_waiting_list request_list;
	struct store_approval approval_rows[STORE_APPROVALS_MAX];
	struct store_waiting request_rows[STORE_ROWS_MAX];
};

/* --- parts */
static json_t *describe_processes(const struct admin *a)
{
	json_t *list = json_array();
	int bad = list == NULL;

	for (size_t i = 0; bad == 0 && i < a->n_processes; i++) {
		const struct admin_process *p = &a->processes[i];

		bad = json_array_append_new(list,
		        json_pack("{s:s, s:I, s:b, s:I}", "name", p->name,
		                "pid", (json_int_t)p->pid, "ready", p->ready,
		                "restarts", (json_int_t)p->restarts));
	}
	if (bad == 0)
		return list;
	json_decref(list);
	return NULL;
}

static json_t *describe_store(const struct store_stat *s)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, "
	                 "s:I, s:I, s:b}",
	        "issued", (json_int_t)s->issued, "intents",
	        (json_int_t)s->intents, "abandoned", (json_int_t)s->abandoned,
	        "revoked", (json_int_t)s->revoked, "held", (json_int_t)s->held,
	        "devices", (json_int_t)s->devices, "tokens",
	        (json_int_t)s->tokens, "feed_position",
	        (json_int_t)s->feed_position, "audit_last",
	        (json_int_t)s->audit_last, "used_bytes",
	        (json_int_t)s->used_bytes, "size_bytes",
	        (json_int_t)s->size_bytes, "disk_free_bytes",
	        (json_int_t)s->disk_free_bytes, "halted", s->halted);
}

/* Where it is, and what it is called there. */
static json_t *describe_key(const struct conf_key *k)
{
	bool in_token = k->uri != NULL;

	return json_pack("{s:s, s:s, s:s}", "name", k->name, "in",
	        in_token ? "token" : "file", in_token ? "uri" : "file",
	        in_token ? k->uri : k->file);
}

static json_t *describe_authorities(const struct admin *a)
{
	json_t *list = json_array();
	int bad = list == NULL;

	for (size_t i = 0; bad == 0 && i < authorities_count(a->o.authorities);
	        i++) {
		const struct authority *x = authorities_at(a->o.authorities, i);

		bad = json_array_append_new(list,
		        json_pack("{s:s, s:I, s:o, s:o, s:o}", "name",
		                x->conf->name, "id", (json_int_t)x->id,
		                "not_after", describe_time_s(x->not_after_s),
		                "sha256",
		                describe_hex(BYTES_ARRAY(x->cert_hash)), "key",
		                describe_key(x->conf->key)));
	}
	if (bad == 0)
		return list;
	json_decref(list);
	return NULL;
}

/* Tokens, and the keys that cannot be used while they are not there. */
static json_t *describe_away(const struct admin *a)
{
	json_t *list = json_array();
	int bad = list == NULL;

	for (size_t i = 0; bad == 0 && i < a->n_away; i++) {
		const struct admin_away *x = &a->away[i];

		bad = json_array_append_new(list,
		        json_pack("{s:s, s:s, s:o, s:s}", "token", x->token,
		                "keys", x->keys, "since",
		                describe_time_s(x->since_s), "why",
		                x->why.text));
	}
	if (bad == 0)
		return list;
	json_decref(list);
	return NULL;
}

/* --- warnings */
struct warnings {
	json_t *list;
	bool failed;
};

static void warn(struct warnings *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void warn(struct warnings *w, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (json_array_append_new(w->list, json_string(text)) != 0)
		w->failed = true;
}

/* Where `mica init` left the root's key: beside the configuration. */
static bool root_key_is_here(const struct conf *conf, char *folder, size_t size)
{
	const char *slash = strrchr(conf->path, '/');
	int n = slash != NULL ? (int)(slash - conf->path) + 1 : 0;
	struct stat st;

	if ((size_t)snprintf(folder, size, "%.*sroot", n, conf->path) >= size)
		return false;
	return stat(folder, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Made by hand, so it needs more time. */
static void warn_of_issuer_crl(
        const struct authority *x, struct warnings *w, int64_t now_s)
{
	const struct issuer_crl *c = &x->issuer_crl;
	int64_t left_s = c->next_update_s - now_s;

	if (c->name == NULL)
		return;
	if (left_s <= 0)
		warn(w, "the CRL %s of who issued authority %s has run out",
		        c->name, x->conf->name);
	else if (left_s < (c->next_update_s - c->this_update_s) / 4)
		warn(w,
		        "the CRL %s of who issued authority %s runs out in "
		        "%lld days: mica authority crl makes a new one",
		        c->name, x->conf->name, (long long)(left_s / DAY_S));
}

static void warn_of_authorities(const struct admin *a, struct warnings *w)
{
	int64_t now_s = clock_now_s();

	for (size_t i = 0; i < authorities_count(a->o.authorities); i++) {
		const struct authority *x = authorities_at(a->o.authorities, i);
		int64_t left_s = x->not_after_s - now_s;

		if (x->state == AUTHORITY_REVOKED)
			warn(w, "authority %s is revoked: it issues nothing",
			        x->conf->name);
		if (left_s <= 0)
			warn(w, "authority %s has expired", x->conf->name);
		else if (left_s < EXPIRY_WARNING_S)
			warn(w, "authority %s expires in %lld days",
			        x->conf->name, (long long)(left_s / DAY_S));
		warn_of_issuer_crl(x, w, now_s);
	}
}

static void warn_of_crls(const struct admin *a, struct warnings *w)
{
	struct crl_plan_row row;

	for (size_t i = 0; a->o.crls != NULL && crl_plan_at(a->o.crls, i, &row);
	        i++) {
		if (row.out)
			warn(w, "the CRL %s has run out or is missing%s%s",
			        row.file, row.failure[0] != '\0' ? ": " : "",
			        row.failure);
		else if (row.failure[0] != '\0')
			warn(w, "the CRL %s could not be made anew: %s",
			        row.file, row.failure);
	}
}

static void warn_of_code(const struct admin *a, struct warnings *w)
{
	size_t n = a->o.code != NULL ? code_keys_count(a->o.code) : 0;

	for (size_t i = 0; i < n; i++) {
		const struct code_key *k = code_keys_at(a->o.code, i);

		if (k->cert.n == 0)
			warn(w, "code key %s has no certificate: %s",
			        k->conf->name, k->why.text);
		else if (k->not_after_s - clock_now_s() < EXPIRY_WARNING_S)
			warn(w,
			        "the certificate of code key %s is about to "
			        "end",
			        k->conf->name);
	}
}

static void warn_of_away(const struct admin *a, struct warnings *w)
{
	for (size_t i = 0; i < a->n_away; i++)
		warn(w, "token %s: keys %s cannot be used: %s",
		        a->away[i].token, a->away[i].keys, a->away[i].why.text);
}

/* "5 min" */
static const char *age_text(char out[AGE_TEXT_BYTES], int64_t since_us)
{
	long long s = (clock_now_us() - since_us) / SECOND_US;

	s = s > 0 ? s : 0;
	if (s < 120)
		snprintf(out, AGE_TEXT_BYTES, "%lld s", s);
	else if (s < 7200)
		snprintf(out, AGE_TEXT_BYTES, "%lld min", s / 60);
	else if (s < 2 * DAY_S)
		snprintf(out, AGE_TEXT_BYTES, "%lld h", s / 3600);
	else
		snprintf(out, AGE_TEXT_BYTES, "%lld days", s / DAY_S);
	return out;
}

static void warn_of_waiting(const struct status *j, struct warnings *w)
{
	char age[AGE_TEXT_BYTES];

	if (j->approvals.n > 0)
		warn(w,
		        "%llu requests wait for a second operator, or to be "
		        "carried out, the oldest for %s: mica approval list",
		        (unsigned long long)j->approvals.n,
		        age_text(age, j->approvals.oldest_us));
	if (j->requests.n > 0)
		warn(w,
		        "%llu requests of devices wait for an operator, the "
		        "oldest for %s: mica request list",
		        (unsigned long long)j->requests.n,
		        age_text(age, j->requests.oldest_us));
}

static json_t *describe_warnings(const struct admin *a, const struct status *j)
{
	const struct store_stat *s = &j->stat;
	struct warnings w = { json_array(), false };
	char folder[PATH_MAX_BYTES], text[CONF_WARNING_BYTES];

	if (w.list == NULL)
		return NULL;
	if (s->halted)
		warn(&w,
		        "the store is halted after a failed commit: stop "
		        "micad, run `mica store check`, start it again");
	if (clock_now_us() < s->clock_floor_us)
		warn(&w,
		        "the clock is behind the newest record: nothing is "
		        "issued until it is right (if it is, and ran ahead "
		        "before: mica store floor --now)");
	if (s->disk_free_bytes < a->o.conf->store.low_bytes)
		warn(&w,
		        "the store's disk has less room than store.lmdb.low: "
		        "nothing is issued, only revoked, until there is more");
	if (!a->o.own_uid)
		warn(&w,
		        "weaker boundary: the signer shares its uid with the "
		        "other processes; started as root, each has its own");
	if (root_key_is_here(a->o.conf, folder, sizeof(folder)))
		warn(&w, "the root key is on this machine: move %s offline",
		        folder);
	for (size_t i = 0; conf_warning(a->o.conf, i, text); i++)
		warn(&w, "%s", text);
	warn_of_away(a, &w);
	warn_of_authorities(a, &w);
	warn_of_crls(a, &w);
	warn_of_code(a, &w);
	warn_of_waiting(j, &w);
	if (!w.failed)
		return w.list;
	json_decref(w.list);
	return NULL;
}

static json_t *describe_queue(const struct queue *q)
{
	return json_pack("{s:I, s:o}", "count", (json_int_t)q->n, "oldest",
	        q->n > 0 ? describe_time_us(q->oldest_us) : json_null());
}

/* --- the whole: one read after the other */
static void answer(struct call *c)
{
	const struct admin *a = c->admin;
	const struct status *j = c->job;

	call_answer(c, 200,
	        json_pack("{s:s, s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
	                  "s:I, "
	                  "s:o}",
	                "version", PACKAGE_VERSION, "config", a->o.conf->path,
	                "uptime_s",
	                (json_int_t)((clock_mono_us() - a->started_us) /
	                        SECOND_US),
	                "processes", describe_processes(a), "away",
	                describe_away(a), "store", describe_store(&j->stat),
	                "clock_floor", describe_time_us(j->stat.clock_floor_us),
	                "authorities", describe_authorities(a), "requests",
	                describe_queue(&j->requests), "approvals",
	                describe_queue(&j->approvals), "loop_longest_us",
	                (json_int_t)metric_total(
	                        a->o.metrics, METRIC_LOOP_LONGEST_US),
	                "warnings", describe_warnings(a, j)));
}

static void count(struct queue *q, int64_t asked_us)
{
	if (q->n++ == 0)
		q->oldest_us = asked_us;
}

static void look_at_requests(struct call *c);

/* Those that an operator approved wait for their device. */
static void requests_listed(struct store_op *op)
{
	struct call *c = op->ctx;
	struct status *j = c->job;

	for (size_t i = 0; op->rc == RC_OK && i < j->request_list.n; i++)
		if (j->request_rows[i].state == WAITING_OPEN)
			count(&j->requests, j->request_rows[i].asked_us);
	if (op->rc != RC_OK)
		call_refuse(c, op->rc, &op->why);
	else if (j->request_list.more)
		look_at_requests(c);
	else
		answer(c);
}

static void look_at_requests(struct call *c)
{
	struct status *j = c->job;

	j->request_list.op =
	        (struct store_op){ .done = requests_listed, .ctx = c };
	call_store(&j->request_list.op,
	        store_waiting_list(c->admin->o.store, &j->request_list));
}

static void approvals_listed(struct store_op *op)
{
	struct call *c = op->ctx;
	struct status *j = c->job;

	for (size_t i = 0; op->rc == RC_OK && i < j->approval_list.n; i++)
		count(&j->approvals, j->approval_rows[i].asked_us);
	if (op->rc == RC_OK)
		look_at_requests(c);
	else
		call_refuse(c, op->rc, &op->why);
}

static void counted(struct store_op *op)
{
	struct call *c = op->ctx;
	struct status *j = c->job;

	if (op->rc != RC_OK) {
		call_refuse(c, op->rc, &op->why);
		return;
	}
	j->approval_list.op =
	        (struct store_op){ .done = approvals_listed, .ctx = c };
	call_store(&j->approval_list.op,
	        store_approval_list(c->admin->o.store, &j->approval_list));
}

void status_get(struct call *c)
{
	struct status *j = call_job(c, sizeof(*j));

	if (j == NULL)
		return;
	j->approval_list.rows = j->approval_rows;
	j->approval_list.max = STORE_APPROVALS_MAX;
	j->request_list.rows = j->request_rows;
	j->request_list.max = STORE_ROWS_MAX;
	j->stat.op = (struct store_op){ .done = counted, .ctx = c };
	call_store(&j->stat.op, store_stat(c->admin->o.store, &j->stat));
}
