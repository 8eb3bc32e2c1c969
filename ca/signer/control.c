/* ca/signer/control.c - what the supervisor says. */
#include "ca/signer/control.h"

#include "base/ipc.h"
#include "base/log.h"
#include "ca/signer/pool.h"
#include "ca/signer/proto.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AWAY_MAX_BYTES (PROTO_AWAY_MAX * sizeof(struct proto_away))
#define KEY_MAX_BYTES 4096
#define KEY_LIST_MAX_BYTES (PROTO_KEYS_MAX * 2048u)

struct control {
	struct control_opts o;
	struct ipc *ipc;
};

static void reply(
        struct control *c, uint64_t id, uint16_t type, struct bytes body)
{
	struct ipc_msg msg = { .type = type, .id = id, .body = body };

	if (c->ipc && ipc_send(c->ipc, &msg))
		log_event(LOG_ERROR, "signer.control_answer_lost", NULL);
}

static void reply_done(
        struct control *c, uint64_t id, enum rc rc, const struct why *why)
{
	struct buf body = BUF_INIT(WHY_MAX_BYTES + 64);

	proto_done_pack(&body, rc, why);
	reply(c, id, PROTO_DONE, buf_bytes(&body));
	buf_free(&body);
}

static void on_policy(struct control *c, const struct ipc_msg *msg)
{
	struct proto_policy_head head = { 0 };
	struct why why = WHY_NONE;
	struct log_num generation, count;
	enum rc rc = rules_put(c->o.rules, msg->body, &head, &why);

	log_event(rc ? LOG_ERROR : LOG_INFO, "signer.policy", "generation",
	        log_i64(&generation, (long long)head.generation), "policies",
	        log_i64(&count, head.count), "rc", rc_info(rc)->name, "why",
	        why.text, NULL);
	reply_done(c, msg->id, rc, &why);
	if (!rc)
		c->o.ruled(c->o.ctx);
}

static void on_policy_drop(struct control *c, const struct ipc_msg *msg)
{
	struct why why = WHY_NONE;
	uint64_t generation;
	enum rc rc = proto_policy_drop_unpack(&generation, msg->body);

	if (!rc)
		rc = rules_drop(c->o.rules, generation, &why);
	reply_done(c, msg->id, rc, &why);
}

static void on_floor(struct control *c, const struct ipc_msg *msg)
{
	struct why why = WHY_NONE;
	int64_t floor_s;
	enum rc rc = proto_floor_unpack(&floor_s, msg->body);

	if (!rc)
		rules_floor(c->o.rules, floor_s);
	reply_done(c, msg->id, rc, &why);
}

static void on_log(struct control *c, const struct ipc_msg *msg)
{
	struct why why = WHY_NONE;
	enum log_level level;
	enum log_form form;
	enum rc rc = proto_log_unpack(&level, &form, msg->body);

	if (!rc)
		log_change(level, form);
	reply_done(c, msg->id, rc, &why);
}

static enum rc make_key(struct control *c, const struct proto_make_key *m,
        struct buf *private_der, struct buf *spki, struct why *why)
{
	EVP_PKEY *pkey;
	enum rc rc;

	if (m->type != KEY_P256)
		return why_set(why, RC_UNSUPPORTED, "key type %u", m->type);
	pkey = vault_make(KEY_P256, 0);
	rc = pkey ? vault_private(pkey, private_der) : RC_INTERNAL;
	if (!rc)
		rc = vault_spki(pkey, spki);
	if (!rc)
		rc = rules_hold(c->o.rules, m->name, buf_bytes(spki));
	EVP_PKEY_free(pkey);
	return why_prefix(why, rc, "key %s", m->name);
}

/* Answer with a key, or with why there is none. */
static void reply_key(struct control *c, const struct ipc_msg *msg,
        const char *name, enum rc rc, struct bytes private_der,
        struct bytes spki, struct why *why)
{
	struct buf body = BUF_INIT(2 * KEY_MAX_BYTES + 64);

	if (!rc) {
		proto_key_pack(&body, &(struct proto_key){ private_der, spki });
		rc = body.failed;
	}
	if (rc) {
		reply_done(c, msg->id, rc, why);
	} else {
		log_event(LOG_INFO,
		        private_der.n > 0 ? "signer.key_given"
		                          : "signer.key_kept",
		        "name", name, NULL);
		reply(c, msg->id, PROTO_KEY, buf_bytes(&body));
	}
	buf_wipe(&body);
}

static void on_listener_key(struct control *c, const struct ipc_msg *msg)
{
	struct buf private_der = BUF_INIT(KEY_MAX_BYTES);
	struct why why = WHY_NONE;
	const struct vault_key *k = NULL;
	enum rc rc;

	if (vault_count(c->o.listener) > 0)
		k = vault_at(c->o.listener, 0);
	rc = k ? vault_private(k->pkey, &private_der)
	       : why_set(&why, RC_NOTFOUND, "no --listener-key was given");
	reply_key(c, msg, "listener", rc, buf_bytes(&private_der),
	        k ? k->spki : BYTES_NONE, &why);
	buf_wipe(&private_der);
}

static void on_make_key(struct control *c, const struct ipc_msg *msg)
{
	struct buf private_der = BUF_INIT(KEY_MAX_BYTES);
	struct buf spki = BUF_INIT(KEY_MAX_BYTES);
	struct why why = WHY_NONE;
	struct proto_make_key m;
	enum rc rc = proto_make_key_unpack(&m, msg->body);

	if (!rc)
		rc = make_key(c, &m, &private_der, &spki, &why);
	reply_key(c, msg, m.name, rc, buf_bytes(&private_der), buf_bytes(&spki),
	        &why);
	buf_wipe(&private_der);
	buf_free(&spki);
}

/* KEEP_KEY and RENEW_KEY: the private half stays. */
static void on_keep_key(struct control *c, const struct ipc_msg *msg)
{
	struct bytes spki = BYTES_NONE;
	struct why why = WHY_NONE;
	struct proto_make_key m;
	enum rc rc = proto_make_key_unpack(&m, msg->body);

	if (!rc && m.type != KEY_P256)
		rc = why_set(&why, RC_UNSUPPORTED, "key type %u", m.type);
	if (!rc)
		rc = rules_keep(c->o.rules, m.name,
		        msg->type == PROTO_RENEW_KEY, &spki, &why);
	reply_key(c, msg, m.name, rc, BYTES_NONE, spki, &why);
}

static void on_keys(struct control *c, const struct ipc_msg *msg)
{
	size_t all = vault_count(c->o.vault), n = 0;
	struct proto_key_entry *list = calloc(all ? all : 1, sizeof(*list));
	struct buf body = BUF_INIT(KEY_LIST_MAX_BYTES);
	struct why why = WHY_NONE;

	for (size_t i = 0; list && i < all; i++) {
		const struct vault_key *k = vault_at(c->o.vault, i);

		if (!vault_key_is_known(k))
			continue;
		memcpy(list[n].name, k->name, sizeof(list[n].name));
		list[n++].spki = k->spki;
	}
	if (list)
		proto_key_list_pack(&body, list, n);
	if (!list || body.failed)
		reply_done(c, msg->id, RC_NOMEM, &why);
	else
		reply(c, msg->id, PROTO_KEY_LIST, buf_bytes(&body));
	buf_free(&body);
	free(list);
}

static void on_message(void *ctx, const struct ipc_msg *msg)
{
	struct control *c = ctx;
	struct why why;

	for (unsigned i = 0; i < msg->n_fds; i++)
		(void)close(msg->fds[i]);
	switch (msg->type) {
	case PROTO_POLICY:
		on_policy(c, msg);
		break;
	case PROTO_POLICY_DROP:
		on_policy_drop(c, msg);
		break;
	case PROTO_PING:
		reply(c, msg->id, PROTO_PONG, BYTES_NONE);
		break;
	case PROTO_LOG:
		on_log(c, msg);
		break;
	case PROTO_FLOOR:
		on_floor(c, msg);
		break;
	case PROTO_MAKE_KEY:
		on_make_key(c, msg);
		break;
	case PROTO_KEEP_KEY:
	case PROTO_RENEW_KEY:
		on_keep_key(c, msg);
		break;
	case PROTO_LISTENER_KEY:
		on_listener_key(c, msg);
		break;
	case PROTO_KEYS:
		on_keys(c, msg);
		break;
	case PROTO_STOP:
		c->o.stop(c->o.ctx);
		break;
	default:
		(void)why_set(
		        &why, RC_UNSUPPORTED, "message type %u", msg->type);
		reply_done(c, msg->id, RC_UNSUPPORTED, &why);
	}
}

static void on_dead(void *ctx, const struct why *why)
{
	struct control *c = ctx;

	log_event(LOG_ERROR, "signer.control_lost", "why", why->text, NULL);
	ipc_free(c->ipc);
	c->ipc = NULL;
	c->o.lost(c->o.ctx);
}

enum rc control_new(struct control **out, const struct control_opts *o)
{
	struct control *c = calloc(1, sizeof(*c));
	enum rc rc;

	*out = NULL;
	if (!c)
		return RC_NOMEM;
	c->o = *o;
	rc = ipc_new(&c->ipc, o->loop, o->fd, on_message, on_dead, c);
	if (rc)
		free(c);
	else
		*out = c;
	return rc;
}

void control_free(struct control *c)
{
	if (!c)
		return;
	ipc_free(c->ipc);
	free(c);
}

void control_tell(struct control *c, uint16_t type, struct bytes body)
{
	reply(c, 0, type, body);
}

void control_tell_away(struct control *c, struct pool *pool)
{
	struct buf body = BUF_INIT(AWAY_MAX_BYTES);
	struct proto_away list[PROTO_AWAY_MAX];

	proto_away_pack(&body, list, pool_away(pool, list));
	reply(c, 0, PROTO_AWAY, buf_bytes(&body));
	buf_free(&body);
}
