/* The supervisor's part in OCSP responders: it has the signer make their keys,
 * the keeper certify them, and tells the workers, also those that start later.
 * Workers start when each was answered for: with a certificate, or without one
 * that cannot be had now, so that a full disk does not end all service. */
#include "base/log.h"
#include "cmd/supervisor.h"
#include <stdlib.h>
#include <string.h>

#define DER_MAX_BYTES (256u << 10)

/* Nobody asks where nothing listens: the policy names the keys just the same,
 * but they need no certificate. */
static bool is_wanted(const struct generation *g)
{
	return g->conf->listen.http[0] != '\0';
}

enum rc responders_init(struct generation *g)
{
	struct responders *l = &g->responders;
	const struct conf *c = g->conf;

	l->list = calloc(c->n_authorities + 1, sizeof(*l->list));
	if (l->list == NULL)
		return RC_NOMEM;
	for (size_t i = 0; i < c->n_authorities; i++)
		if (c->authorities[i].ocsp_key == CONF_OCSP_RESPONDER)
			l->list[l->n++] = (struct responder_key){
				.authority = c->authorities[i].name,
				.spki = BUF_INIT(DER_MAX_BYTES),
				.cert = BUF_INIT(DER_MAX_BYTES),
				.answered = !is_wanted(g),
			};
	return RC_OK;
}

void responders_clear(struct generation *g)
{
	struct responders *l = &g->responders;

	for (size_t i = 0; i < l->n; i++) {
		buf_free(&l->list[i].spki);
		buf_free(&l->list[i].cert);
	}
	free(l->list);
}

bool responders_answered(const struct generation *g)
{
	for (size_t i = 0; i < g->responders.n; i++)
		if (!g->responders.list[i].answered)
			return false;
	return true;
}

static void send(struct process *p, uint16_t type,
        const struct responder_key *k, struct bytes der)
{
	struct buf b = BUF_INIT(DER_MAX_BYTES + 256);

	control_responder_pack(&b, k->authority, der);
	if (b.failed != RC_OK || process_send(p, type, buf_bytes(&b)) != RC_OK)
		log_event(LOG_WARN, "control.failed", NULL);
	buf_free(&b);
}

void responders_tell_keeper(struct generation *g)
{
	struct responders *l = &g->responders;

	for (size_t i = 0; i < l->n; i++)
		if (l->list[i].spki.n > 0 && is_wanted(g))
			send(&g->keeper, CONTROL_RESPONDER_KEY, &l->list[i],
			        buf_bytes(&l->list[i].spki));
}

void responders_tell_worker(struct process *p)
{
	struct responders *l = &p->gen->responders;

	for (size_t i = 0; i < l->n; i++)
		if (l->list[i].cert.n > 0)
			send(p, CONTROL_RESPONDER, &l->list[i],
			        buf_bytes(&l->list[i].cert));
}

static size_t index_of(const struct responders *l, const char *authority)
{
	size_t i = 0;

	while (i < l->n && strcmp(l->list[i].authority, authority) != 0)
		i++;
	return i;
}

/* For who serves alone: the signer keeps two keys of a name, and in a hand-over
 * the other generation may still use the first. */
void responders_renew(struct generation *g, struct bytes body)
{
	struct control_responder m;
	size_t i;

	if (g != g->sup->now || g->sup->old != NULL || g->sup->next != NULL ||
	        control_responder_unpack(&m, body) != RC_OK)
		return;
	i = index_of(&g->responders, m.authority);
	if (i < g->responders.n)
		supervisor_renew_responder(g->sup, g, i);
}

void responders_key(struct generation *g, size_t index, struct bytes spki)
{
	struct responder_key *k = &g->responders.list[index];

	if (index >= g->responders.n || bytes_eq(buf_bytes(&k->spki), spki))
		return;
	buf_reset(&k->spki);
	buf_add(&k->spki, spki);
	if (g->keeper.ready && is_wanted(g))
		send(&g->keeper, CONTROL_RESPONDER_KEY, k, buf_bytes(&k->spki));
}

void responders_refused(struct generation *g, size_t index)
{
	if (index < g->responders.n)
		g->responders.list[index].answered = true;
}

void responders_cert(struct generation *g, struct bytes body)
{
	struct responders *l = &g->responders;
	struct control_responder m;
	struct responder_key *k;
	size_t at;

	if (control_responder_unpack(&m, body) != RC_OK)
		return;
	at = index_of(l, m.authority);
	if (at == l->n)
		return;
	k = &l->list[at];
	k->answered = true;
	if (m.der.n == 0)
		return;
	buf_reset(&k->cert);
	buf_add(&k->cert, m.der);
	for (unsigned i = 0; i < g->n_workers; i++)
		if (g->workers[i].pid != 0)
			send(&g->workers[i], CONTROL_RESPONDER, k, m.der);
}
