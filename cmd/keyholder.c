/* The supervisor's side of the control pair with mica-signer. */
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "ca/signer/proto.h"
#include "der/alg.h"
#include "cmd/supervisor.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TLS_KEY_NAME "est-listener"
#define PEM_MAX_BYTES 16384

static struct generation *generation_by(struct supervisor *s, uint64_t number)
{
	struct generation *const all[] = { s->now, s->next, s->old };

	for (unsigned i = 0; i < 3; i++)
		if (all[i] != NULL && all[i]->number == number)
			return all[i];
	return NULL;
}

static void send(
        struct supervisor *s, uint16_t type, uint64_t id, struct bytes body)
{
	struct ipc_msg msg = { .type = type, .id = id, .body = body };

	if (s->signer.control == NULL ||
	        ipc_send(s->signer.control, &msg) != RC_OK)
		log_event(LOG_WARN, "signer.unreachable", NULL);
}

/* The ids of our requests are the generations' numbers; those about a responder
 * have its index above, from 1. */
#define RESPONDER_SHIFT 32

static void want_responder_key(struct supervisor *s, const struct generation *g,
        size_t index, uint16_t type)
{
	char name[PROTO_KEY_NAME_MAX + 1];
	struct buf b = BUF_INIT(256);

	(void)control_responder_key(name, g->responders.list[index].authority);
	proto_make_key_pack(&b, name, KEY_P256);
	send(s, type, (uint64_t)(index + 1) << RESPONDER_SHIFT | g->number,
	        buf_bytes(&b));
	buf_free(&b);
}

/* The policy names their keys, so these come first. */
static void want_responder_keys(
        struct supervisor *s, const struct generation *g)
{
	for (size_t i = 0; i < g->responders.n; i++)
		want_responder_key(s, g, i, PROTO_KEEP_KEY);
}

void supervisor_renew_responder(
        struct supervisor *s, const struct generation *g, size_t index)
{
	want_responder_key(s, g, index, PROTO_RENEW_KEY);
}

void supervisor_send_policy(struct supervisor *s, struct generation *g)
{
	send(s, PROTO_KEYS, g->number, BYTES_NONE);
	want_responder_keys(s, g);
	send(s, PROTO_POLICY, g->number, buf_bytes(&g->policy));
}

void code_keys_tell_keeper(struct generation *g)
{
	if ((g->conf->n_code > 0 || g->ras.n > 0) && g->signer_keys.n > 0 &&
	        g->keeper.ready &&
	        process_send(&g->keeper, CONTROL_SIGNER_KEYS,
	                buf_bytes(&g->signer_keys)) != RC_OK)
		log_event(LOG_WARN, "control.failed", NULL);
}

void supervisor_drop_policy(struct supervisor *s, uint32_t number)
{
	struct buf b = BUF_INIT(64);

	proto_policy_drop_pack(&b, number);
	send(s, PROTO_POLICY_DROP, 0, buf_bytes(&b));
	buf_free(&b);
}

void supervisor_want_tls_key(struct supervisor *s, struct generation *g)
{
	struct buf b = BUF_INIT(256);

	if (g->conf->listen.est_key != NULL) {
		send(s, PROTO_LISTENER_KEY, g->number, BYTES_NONE);
		return;
	}
	proto_make_key_pack(&b, TLS_KEY_NAME, KEY_P256);
	send(s, PROTO_MAKE_KEY, g->number, buf_bytes(&b));
	buf_free(&b);
}

void supervisor_change_log(struct supervisor *s, const struct conf *c)
{
	struct buf b = BUF_INIT(64);

	log_change(c->log_level, c->log_form);
	proto_log_pack(&b, c->log_level, c->log_form);
	if (s->signer.ready)
		send(s, PROTO_LOG, 0, buf_bytes(&b));
	buf_free(&b);
}

static void send_floor(struct supervisor *s)
{
	struct buf b = BUF_INIT(64);

	proto_floor_pack(&b, s->floor.given_s);
	send(s, PROTO_FLOOR, 0, buf_bytes(&b));
	buf_free(&b);
}

void supervisor_floor(struct supervisor *s, int64_t floor_s)
{
	struct log_num told, given;

	floor_take(&s->floor, floor_s, clock_now_s(), clock_mono_us());
	if (s->floor.given_s < floor_s)
		log_event(LOG_ERROR, "floor.not_believed", "told",
		        log_i64(&told, floor_s), "given",
		        log_i64(&given, s->floor.given_s), "why",
		        "it rose faster than time: see mica store floor", NULL);
	if (s->signer.ready)
		send_floor(s);
}

/* --- what the signer cannot use */

static const struct conf_key *key_named(
        const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->n_keys; i++)
		if (strcmp(conf->keys[i].name, name) == 0)
			return &conf->keys[i];
	return NULL;
}

/* One that has not said hello is asked for nothing, and speaks of no token. */
static bool describe_loading(const struct supervisor *s, struct proto_away *out)
{
	const struct conf_key *k = key_named(s->now->conf, s->loading);

	if (s->signer.ready || k == NULL)
		return false;
	*out = (struct proto_away){ .since_s = s->loading_since_s };
	(void)snprintf(out->token, sizeof(out->token), "%s",
	        k->uri != NULL ? k->uri : k->file);
	(void)snprintf(out->keys, sizeof(out->keys), "%s", k->name);
	(void)why_set(&out->why, RC_TIMEOUT,
	        "the signer starts, and loads this key%s%s",
	        k->uri != NULL ? " by " : "", k->uri != NULL ? k->module : "");
	return true;
}

void supervisor_tell_away(struct supervisor *s)
{
	struct proto_away loading;
	struct buf b = BUF_INIT(AWAY_MAX_BYTES);

	if (s->now == NULL || !s->now->keeper.ready)
		return;
	if (describe_loading(s, &loading))
		proto_away_pack(&b, &loading, 1);
	else if (s->away.n > 0)
		buf_add(&b, buf_bytes(&s->away));
	else
		proto_away_pack(&b, NULL, 0);
	if (process_send(&s->now->keeper, CONTROL_AWAY, buf_bytes(&b)) != RC_OK)
		log_event(LOG_WARN, "keeper.unreachable", NULL);
	buf_free(&b);
}

static void on_loading(struct supervisor *s, struct bytes body)
{
	if (proto_loading_unpack(s->loading, body) != RC_OK)
		s->loading[0] = '\0';
	s->loading_since_s = clock_now_s();
	supervisor_tell_away(s);
}

static void on_away(struct supervisor *s, struct bytes body)
{
	struct generation *const all[] = { s->now, s->next, s->old };

	buf_reset(&s->away);
	buf_add(&s->away, body);
	supervisor_tell_away(s);
	/* What was not known of a key may be by now. */
	for (unsigned i = 0; i < 3; i++)
		if (all[i] != NULL)
			send(s, PROTO_KEYS, all[i]->number, BYTES_NONE);
}

static void on_hello(struct supervisor *s, struct bytes body)
{
	struct generation *const all[] = { s->now, s->next, s->old };
	struct proto_hello hello;

	if (proto_hello_unpack(&hello, body) != RC_OK ||
	        hello.version != PROTO_VERSION) {
		supervisor_fail(s, "signer", "speaks another version");
		return;
	}
	s->signer.ready = true;
	s->loading[0] = '\0';
	supervisor_tell_away(s);
	if (s->floor.known)
		send_floor(s);
	/* Its arguments may be older than the last hand-over. */
	if (s->now != NULL)
		supervisor_change_log(s, s->now->conf);
	for (unsigned i = 0; i < 3; i++)
		if (all[i] != NULL)
			supervisor_send_policy(s, all[i]);
	supervisor_tell_processes(s);
}

static void on_done(struct supervisor *s, uint64_t id, struct bytes body)
{
	struct generation *g = generation_by(s, (uint32_t)id);
	struct proto_done done;

	if (g == NULL)
		return;
	if (proto_done_unpack(&done, body) != RC_OK)
		done = (struct proto_done){ .rc = RC_MALFORMED };
	if (done.rc == RC_OK) {
		generation_signer_ready(g);
		return;
	}
	if (id >> RESPONDER_SHIFT > 0) {
		log_event(LOG_ERROR, "signer.key_refused", "why", done.why.text,
		        NULL);
		responders_refused(g, (size_t)(id >> RESPONDER_SHIFT) - 1);
		generation_start_workers(g);
		return;
	}
	log_event(
	        LOG_ERROR, "signer.policy_refused", "why", done.why.text, NULL);
	supervisor_generation_failed(s, g);
}

static void keep_keys(struct generation *g, struct bytes body)
{
	buf_reset(&g->signer_keys);
	buf_add(&g->signer_keys, body);
	if (g->signer_keys.failed == RC_OK)
		code_keys_tell_keeper(g);
}

/* One that turns up wrong under a configuration that serves, because the signer
 * was started again and its file is another by now, ends only what it signs:
 * the issuer verifies each signature. */
static void on_key_list(struct supervisor *s, uint64_t id, struct bytes body)
{
	struct generation *g = generation_by(s, (uint32_t)id);
	struct proto_key_entry *keys = calloc(PROTO_KEYS_MAX, sizeof(*keys));
	struct why why = WHY_NONE;
	enum rc rc = keys == NULL ? RC_NOMEM : RC_OK;
	size_t n = 0;

	if (rc == RC_OK)
		rc = proto_key_list_unpack(keys, PROTO_KEYS_MAX, &n, body);
	if (rc == RC_OK && g != NULL)
		rc = key_match(g->conf, keys, n, &why);
	free(keys);
	if (rc == RC_OK && g != NULL)
		keep_keys(g, body);
	if (rc == RC_OK || g == NULL)
		return;
	log_event(LOG_ERROR, "key.mismatch", "why",
	        why.text[0] != '\0' ? why.text : rc_info(rc)->text, NULL);
	if (!g->serving)
		supervisor_generation_failed(s, g);
}

static void key_pem(struct buf *out, struct bytes der)
{
	buf_add_str(out, "-----BEGIN PRIVATE KEY-----\n");
	base64_encode(out, der, 64);
	buf_add_str(out, "-----END PRIVATE KEY-----\n");
}

static void on_key(struct supervisor *s, uint64_t id, struct bytes body)
{
	struct generation *g = generation_by(s, (uint32_t)id);
	size_t responder = (size_t)(id >> RESPONDER_SHIFT);
	struct buf pem = BUF_INIT(PEM_MAX_BYTES);
	struct proto_key key;

	if (g == NULL)
		return;
	if (proto_key_unpack(&key, body) != RC_OK) {
		supervisor_generation_failed(s, g);
		return;
	}
	if (responder > 0) {
		responders_key(g, responder - 1, key.spki);
		return;
	}
	key_pem(&pem, key.private_der);
	generation_tls_key(g, key.spki, buf_bytes(&pem));
	buf_wipe(&pem);
}

void supervisor_signer_message(struct supervisor *s, const struct ipc_msg *msg)
{
	for (unsigned i = 0; i < msg->n_fds; i++)
		close(msg->fds[i]);
	s->pings_unanswered = 0; /* whatever it says, it lives */
	switch (msg->type) {
	case PROTO_HELLO:
		on_hello(s, msg->body);
		break;
	case PROTO_LOADING:
		on_loading(s, msg->body);
		break;
	case PROTO_AWAY:
		on_away(s, msg->body);
		break;
	case PROTO_DONE:
		on_done(s, msg->id, msg->body);
		break;
	case PROTO_KEY_LIST:
		on_key_list(s, msg->id, msg->body);
		break;
	case PROTO_KEY:
		on_key(s, msg->id, msg->body);
		break;
	default:
		break;
	}
}
