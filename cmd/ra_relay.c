/* The supervisor's part in SCEP's registration authorities: it keeps the
 * certificates that the keeper told of, and tells the workers, also those that
 * start later. */
#include "base/log.h"
#include "cmd/supervisor.h"
#include <stdlib.h>
#include <string.h>

#define DER_MAX_BYTES (256u << 10)

enum rc ras_init(struct generation *g)
{
	const struct conf *c = g->conf;

	g->ras.list = calloc(c->n_authorities + 1, sizeof(*g->ras.list));
	if (g->ras.list == NULL)
		return RC_NOMEM;
	for (size_t i = 0; i < c->n_authorities; i++)
		if (c->authorities[i].ra_key != NULL)
			g->ras.list[g->ras.n++] = (struct ra_cert){
				.authority = c->authorities[i].name,
				.cert = BUF_INIT(DER_MAX_BYTES),
			};
	return RC_OK;
}

void ras_clear(struct generation *g)
{
	for (size_t i = 0; i < g->ras.n; i++)
		buf_free(&g->ras.list[i].cert);
	free(g->ras.list);
}

static void send(struct process *p, const struct ra_cert *c)
{
	struct buf b = BUF_INIT(DER_MAX_BYTES + 256);

	control_responder_pack(&b, c->authority, buf_bytes(&c->cert));
	if (b.failed != RC_OK ||
	        process_send(p, CONTROL_RA, buf_bytes(&b)) != RC_OK)
		log_event(LOG_WARN, "control.failed", NULL);
	buf_free(&b);
}

void ras_tell_worker(struct process *p)
{
	const struct ras *all = &p->gen->ras;

	for (size_t i = 0; i < all->n; i++)
		if (all->list[i].cert.n > 0)
			send(p, &all->list[i]);
}

void ras_cert(struct generation *g, struct bytes body)
{
	struct control_responder m;

	if (control_responder_unpack(&m, body) != RC_OK)
		return;
	for (size_t i = 0; i < g->ras.n; i++) {
		struct ra_cert *c = &g->ras.list[i];

		if (strcmp(c->authority, m.authority) != 0)
			continue;
		buf_reset(&c->cert);
		buf_add(&c->cert, m.der);
		for (unsigned w = 0; w < g->n_workers; w++)
			if (g->workers[w].pid != 0)
				send(&g->workers[w], c);
	}
}
