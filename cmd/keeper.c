#include "cmd/keeper.h"
#include "admin/admin.h"
#include "base/clock.h"
#include "base/log.h"
#include "cmd/approvals.h"
#include "cmd/crls.h"
#include "cmd/health.h"
#include "cmd/responder_certs.h"
#include "cmd/ra_certs.h"
#include "cmd/refusal_audit.h"
#include "cmd/requests.h"
#include "cmd/runtime.h"
#include "cmd/superseded.h"
#include "cmd/tls_identity.h"
#include "enroll/code_keys.h"
#include "net/http.h"
#include "net/listen.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TICK_MS 1000
/* The supervisor is told the clock's floor when it rose by so much, and at once
 * when it was lowered. */
#define FLOOR_STEP_S 60
/* Dead processes' slots that wait for their intents to be abandoned. */
#define SLOTS_MAX 1024

struct keeper {
	struct runtime r;
	struct admin *admin;
	struct health *health;
	struct tls_identity *identity;
	struct responder_certs *responders;
	struct code_keys *code;
	struct ra_certs *ras;
	struct crl_plan *crls;
	struct http_server *http;
	struct loop_timer *tick, *pending;
	struct store_abandon abandon;
	uint64_t slots[SLOTS_MAX];
	unsigned n_slots;
	bool abandoning;
	bool up;
	bool serving;   /* admin API and metrics */
	bool succeeded; /* by another keeper, which serves */
	bool draining;
	bool flushed; /* what was refused until the end is in the audit trail */
	bool floor_told;
	int64_t floor_s; /* what the supervisor was told last */
	struct refusal_audit *refusals;
	struct superseded *superseded;
	struct approvals *approvals;
	struct requests *requests;
};

/* --- start: one store write at a time, waited for on the loop */
struct wait {
	struct loop *loop;
	enum rc rc;
};

static void waited(struct store_op *op)
{
	struct wait *wait = op->ctx;

	wait->rc = op->rc;
	loop_stop(wait->loop);
}

static enum rc wait_for(
        struct wait *wait, enum rc begun, struct store_op *op, struct why *why)
{
	enum rc rc = begun;

	if (rc == RC_PENDING) {
		wait->rc = RC_CLOSED; /* should the loop end before the write */
		rc = loop_run(wait->loop);
		if (rc == RC_OK)
			rc = wait->rc;
	}
	if (rc != RC_OK && why->text[0] == '\0')
		*why = op->why;
	return rc;
}

static enum rc enter_authority(
        struct keeper *k, const struct authority *a, struct why *why)
{
	struct wait wait = { .loop = k->r.loop };
	struct store_authority_put put = { .der = a->der,
		.retired = a->conf->retired,
		.op = { .done = waited, .ctx = &wait, .actor = k->r.actor } };

	snprintf(put.authority.name, sizeof(put.authority.name), "%s",
	        a->conf->name);
	memcpy(put.authority.cert_hash, a->cert_hash,
	        sizeof(put.authority.cert_hash));
	return wait_for(
	        &wait, store_authority_put(k->r.store, &put), &put.op, why);
}

static enum rc abandon_others(struct keeper *k, struct why *why)
{
	struct wait wait = { .loop = k->r.loop };
	struct store_abandon op = { .what = ABANDON_OTHERS,
		.op = { .done = waited, .ctx = &wait, .actor = k->r.actor } };
	uint32_t total = 0;
	struct log_num n;
	enum rc rc;

	do {
		rc = wait_for(
		        &wait, store_abandon(k->r.store, &op), &op.op, why);
		total += rc == RC_OK ? op.abandoned : 0;
	} while (rc == RC_OK && op.more);
	if (total > 0)
		log_event(LOG_NOTICE, "store.abandoned", "intents",
		        log_i64(&n, total), NULL);
	return rc;
}

static enum rc audit_start(struct keeper *k, struct why *why)
{
	struct wait wait = { .loop = k->r.loop };
	struct store_audit op = { .event = "keeper.start",
		.object = "",
		.detail = k->r.args->daemon_start ? "daemon start" : "restart",
		.op = { .done = waited, .ctx = &wait, .actor = k->r.actor } };

	return wait_for(&wait, store_audit(k->r.store, &op), &op.op, why);
}

static enum rc enter_all(struct keeper *k, struct why *why)
{
	enum rc rc = audit_start(k, why);

	for (size_t i = 0;
	        rc == RC_OK && i < authorities_count(k->r.authorities); i++)
		rc = enter_authority(
		        k, authorities_at(k->r.authorities, i), why);
	if (rc == RC_OK && k->r.args->daemon_start)
		rc = abandon_others(k, why);
	return rc;
}

/* --- dead processes' intents */
static void abandon_next(struct keeper *k);

static void tell_cleared(struct keeper *k, uint64_t slot)
{
	struct buf b = BUF_INIT(16);

	pack_u64(&b, slot);
	if (runtime_tell(&k->r, CONTROL_SLOT_CLEARED, buf_bytes(&b)) != RC_OK)
		log_event(LOG_WARN, "control.failed", NULL);
	buf_free(&b);
}

static void abandoned(struct store_op *op)
{
	struct keeper *k = op->ctx;
	struct log_num n, slot;

	k->abandoning = false;
	if (op->rc != RC_OK) {
		log_event(LOG_WARN, "store.abandon_failed", "why", op->why.text,
		        NULL);
		return; /* the next tick tries again */
	}
	if (k->abandon.abandoned > 0)
		log_event(LOG_NOTICE, "store.abandoned", "intents",
		        log_i64(&n, k->abandon.abandoned), "slot",
		        log_i64(&slot, (int64_t)k->abandon.slot), NULL);
	metric_add(k->r.metrics, METRIC_CERTS_ABANDONED, k->abandon.abandoned);
	if (!k->abandon.more) {
		tell_cleared(k, k->slots[0]);
		k->n_slots--;
		memmove(k->slots, k->slots + 1,
		        k->n_slots * sizeof(k->slots[0]));
	}
	abandon_next(k);
}

static void abandon_next(struct keeper *k)
{
	enum rc rc;

	if (k->abandoning || k->n_slots == 0)
		return;
	k->abandon = (struct store_abandon){ .what = ABANDON_SLOT,
		.slot = k->slots[0],
		.op = { .done = abandoned, .ctx = k, .actor = k->r.actor } };
	rc = store_abandon(k->r.store, &k->abandon);
	k->abandoning = rc == RC_PENDING;
}

static void slot_dead(struct keeper *k, uint64_t slot)
{
	for (unsigned i = 0; i < k->n_slots; i++)
		if (k->slots[i] == slot)
			return;
	if (k->n_slots < SLOTS_MAX)
		k->slots[k->n_slots++] = slot;
	abandon_next(k);
}

/* --- the supervisor's messages */
static enum rc open_listener(struct keeper *k, int fd,
        const struct http_routes *routes, struct why *why)
{
	struct http_listener l = { .fd = fd, .routes = routes };
	enum rc rc = listen_inherited(fd, why);

	return rc != RC_OK ? rc : http_server_listen(k->http, &l);
}

/* The sockets are the keeper's before it, too, until it is its turn: one that
 * comes up by the side of another is told of the processes when it serves. */
static void start_serving(struct keeper *k)
{
	struct why why = WHY_NONE;
	enum rc rc = RC_OK;

	if (k->serving || k->succeeded || k->draining)
		return;
	k->serving = true;
	rc = open_listener(k, CHILD_FD_ADMIN, admin_routes(k->admin), &why);
	if (rc == RC_OK && k->r.conf->listen.metrics[0] != '\0')
		rc = open_listener(
		        k, CHILD_FD_PROMETHEUS, health_routes(k->health), &why);
	if (rc == RC_OK)
		return;
	log_event(LOG_ERROR, "keeper.failed", "why", why.text, NULL);
	loop_stop(k->r.loop);
}

/* By a configuration that is no longer in force nobody may be answered, however
 * long the old workers take to end. */
static void stop_serving(struct keeper *k)
{
	k->succeeded = true;
	if (k->serving && !k->draining)
		http_server_drain(k->http, NULL, NULL);
}

static void processes(struct keeper *k, struct bytes body)
{
	struct control_process in[CONTROL_PROCESSES_MAX];
	struct admin_process out[CONTROL_PROCESSES_MAX];
	size_t n = control_processes_unpack(body, in, CONTROL_PROCESSES_MAX);
	bool all = n > 0;

	for (size_t i = 0; i < n; i++) {
		out[i] = (struct admin_process){ .pid = in[i].pid,
			.ready = in[i].ready,
			.restarts = in[i].restarts };
		memcpy(out[i].name, in[i].name, sizeof(out[i].name));
		all = all && in[i].ready;
	}
	admin_set_processes(k->admin, out, n);
	health_set_ready(k->health, all);
	start_serving(k);
}

static void signer_keys(struct keeper *k, struct bytes body)
{
	struct proto_key_entry *keys = calloc(PROTO_KEYS_MAX, sizeof(*keys));
	size_t n = 0;

	if (keys == NULL ||
	        proto_key_list_unpack(keys, PROTO_KEYS_MAX, &n, body) != RC_OK)
		n = 0;
	for (size_t i = 0; i < n; i++) {
		code_keys_loaded(k->code, keys[i].name, keys[i].spki);
		ra_certs_loaded(k->ras, keys[i].name, keys[i].spki);
	}
	free(keys);
}

static void away(struct keeper *k, struct bytes body)
{
	struct proto_away in[PROTO_AWAY_MAX];
	struct admin_away out[PROTO_AWAY_MAX];
	size_t n = 0;

	if (proto_away_unpack(in, &n, body) != RC_OK)
		return;
	for (size_t i = 0; i < n; i++) {
		out[i] = (struct admin_away){ .since_s = in[i].since_s,
			.why = in[i].why };
		memcpy(out[i].token, in[i].token, sizeof(out[i].token));
		memcpy(out[i].keys, in[i].keys, sizeof(out[i].keys));
	}
	health_set_away(k->health, in, n);
	admin_set_away(k->admin, out, n);
}

static void on_control(void *ctx, const struct ipc_msg *msg)
{
	struct keeper *k = ctx;
	struct unpack u = unpack_of(msg->body);

	switch (msg->type) {
	case CONTROL_SLOT_DEAD:
		slot_dead(k, unpack_u64(&u));
		break;
	case CONTROL_TLS_KEY:
		tls_identity_issue(k->identity, msg->body);
		break;
	case CONTROL_RESPONDER_KEY:
		responder_certs_issue(k->responders, msg->body);
		break;
	case CONTROL_SIGNER_KEYS:
		signer_keys(k, msg->body);
		break;
	case CONTROL_SUCCEEDED:
		stop_serving(k);
		break;
	case CONTROL_PROCESSES:
		processes(k, msg->body);
		break;
	case CONTROL_AWAY:
		away(k, msg->body);
		break;
	default:
		break;
	}
}

/* --- periodic */
/* Not at each commit: the signer has room for it (TBS_FUTURE_MAX_S). */
static void tell_floor(struct keeper *k, int64_t floor_s)
{
	struct buf b = BUF_INIT(16);

	if (k->floor_told && floor_s >= k->floor_s &&
	        floor_s - k->floor_s < FLOOR_STEP_S)
		return;
	pack_u64(&b, (uint64_t)floor_s);
	k->floor_told =
	        runtime_tell(&k->r, CONTROL_FLOOR, buf_bytes(&b)) == RC_OK;
	k->floor_s = floor_s;
	buf_free(&b);
}

static void on_tick(void *ctx)
{
	struct keeper *k = ctx;
	struct store_stat stat = { .op = { .actor = k->r.actor } };

	if (store_stat(k->r.store, &stat) == RC_OK) {
		metric_set(k->r.metrics, METRIC_STORE_FREE_BYTES,
		        stat.disk_free_bytes);
		metric_set(k->r.metrics, METRIC_STORE_HALTED, stat.halted);
		health_set_store(k->health, &stat);
		tell_floor(k, stat.clock_floor_us / 1000000);
		superseded_tick(k->superseded, &stat);
	}
	abandon_next(k);
	refusal_audit_tick(k->refusals);
	approvals_tick(k->approvals);
	requests_tick(k->requests);
	tls_identity_tick(k->identity);
	responder_certs_tick(k->responders);
	code_keys_tick(k->code);
	ra_certs_tick(k->ras);
	crl_plan_tick(k->crls);
	loop_timer_set_ms(k->tick, TICK_MS);
}

/* --- ending */
static void finish(void *ctx)
{
	struct keeper *k = ctx;

	if (!k->flushed)
		k->flushed = refusal_audit_flush(k->refusals);
	if (k->flushed && issuer_pending(k->r.issuer) == 0 && !k->abandoning &&
	        !refusal_audit_busy(k->refusals) &&
	        !approvals_busy(k->approvals) && !requests_busy(k->requests) &&
	        !code_keys_busy(k->code) && !superseded_busy(k->superseded) &&
	        !ra_certs_busy(k->ras) && !crl_plan_busy(k->crls) &&
	        admin_pending(k->admin) == 0)
		loop_stop(k->r.loop);
	else
		loop_timer_set_ms(k->pending, 20);
}

static void on_stop(void *ctx)
{
	struct keeper *k = ctx;

	if (k->draining)
		return;
	k->draining = true;
	if (k->crls != NULL)
		crl_plan_stop(k->crls);
	/* Told so while it starts: that comes to its end first. */
	if (k->up)
		http_server_drain(k->http, finish, k);
}

/* --- opening */
static enum rc open_http(struct keeper *k)
{
	struct http_limits l = HTTP_LIMITS_DEFAULT;
	struct admin_opts ao = { .conf = k->r.conf,
		.loop = k->r.loop,
		.store = k->r.store,
		.authorities = k->r.authorities,
		.profiles = k->r.profiles,
		.authorizer = k->r.authorizer,
		.issuer = k->r.issuer,
		.metrics = k->r.metrics,
		.crls = k->crls,
		.code = k->code,
		.signer = k->r.signer,
		.own_uid = k->r.args->own_uid };
	enum rc rc = admin_new(&k->admin, &ao);

	if (rc == RC_OK)
		rc = health_new(&k->health, k->r.metrics, k->crls);
	if (rc == RC_OK)
		rc = http_server_new(&k->http, k->r.loop, &l, NULL);
	return rc;
}

static enum rc open_code(struct keeper *k)
{
	const struct code_keys_opts o = { .list = k->r.conf->code,
		.n = k->r.conf->n_code,
		.issued_event = "code.certificate",
		.failed_event = "code.no_certificate",
		.store = k->r.store,
		.authorities = k->r.authorities,
		.authorizer = k->r.authorizer,
		.issuer = k->r.issuer };

	return code_keys_new(&k->code, &o);
}

static enum rc open_all(
        struct keeper *k, const struct child_args *args, struct why *why)
{
	const int published = CHILD_FD_PUBLISH;
	enum rc rc = runtime_open(&k->r, args, on_control, on_stop, k, why);

	if (rc == RC_OK)
		rc = sandbox_enter(SANDBOX_KEEPER, &published, 1, why);
	if (rc == RC_OK)
		rc = enter_all(k, why);
	if (rc == RC_OK)
		rc = runtime_open_ca(&k->r, why);
	if (rc == RC_OK)
		rc = tls_identity_new(&k->identity, &k->r);
	if (rc == RC_OK)
		rc = responder_certs_new(&k->responders, &k->r);
	if (rc == RC_OK)
		rc = open_code(k);
	if (rc == RC_OK)
		rc = ra_certs_new(&k->ras, &k->r);
	if (rc == RC_OK)
		rc = crls_new(&k->crls, &k->r, why);
	if (rc == RC_OK)
		rc = refusal_audit_new(&k->refusals, &k->r);
	if (rc == RC_OK)
		rc = superseded_new(&k->superseded, &k->r);
	if (rc == RC_OK)
		rc = approvals_new(&k->approvals, &k->r);
	if (rc == RC_OK)
		rc = requests_new(&k->requests, &k->r);
	if (rc == RC_OK)
		rc = loop_timer_new(&k->tick, k->r.loop, on_tick, k);
	if (rc == RC_OK)
		rc = loop_timer_new(&k->pending, k->r.loop, finish, k);
	if (rc == RC_OK)
		rc = open_http(k);
	if (rc != RC_OK)
		return rc;
	on_tick(k);
	k->up = true;
	if (k->draining)
		http_server_drain(k->http, finish, k);
	return runtime_ready(&k->r);
}

int keeper_run(const struct child_args *args)
{
	struct keeper *k = calloc(1, sizeof(*k));
	struct why why = WHY_NONE;
	bool clean;
	enum rc rc;

	if (k == NULL)
		return 1;
	rc = open_all(k, args, &why);
	if (rc == RC_OK)
		rc = loop_run(k->r.loop);
	if (rc != RC_OK)
		log_event(LOG_ERROR, "keeper.failed", "why",
		        why.text[0] != '\0' ? why.text : rc_info(rc)->text,
		        NULL);
	clean = rc == RC_OK && k->draining;
	http_server_free(k->http);
	admin_free(k->admin);
	health_free(k->health);
	tls_identity_free(k->identity);
	responder_certs_free(k->responders);
	code_keys_free(k->code);
	ra_certs_free(k->ras);
	crl_plan_free(k->crls);
	loop_timer_free(k->tick);
	loop_timer_free(k->pending);
	runtime_close(&k->r);
	refusal_audit_free(k->refusals);
	superseded_free(k->superseded);
	approvals_free(k->approvals);
	requests_free(k->requests);
	free(k);
	return clean ? 0 : 1;
}
