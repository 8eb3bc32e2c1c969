/* ca/signer/clients.h - the doors of mica-signer that workers and the keeper
 * knock at. A client may ask for signatures and nothing else; whatever it
 * sends, the others are served. Code is signed for a keeper alone: it knows who
 * asked and who approved, and no worker, which faces the network, need ever ask. */
#ifndef MICA_CA_SIGNER_CLIENTS_H
#define MICA_CA_SIGNER_CLIENTS_H

#include "base/loop.h"
#include "base/metrics.h"
#include "base/rc.h"
#include "ca/signer/pool.h"
#include "ca/signer/rules.h"

/* What one client may have in flight: messages, their bytes, and CRLs that are
 * read out of the client's own file, which count for no bytes. */
#define CLIENT_JOBS_MAX 8192
#define CLIENT_JOBS_MAX_BYTES (16u << 20)
#define CLIENT_LARGE_MAX 4

struct clients;

struct clients_opts {
	struct loop *loop;
	const struct rules *rules;
	struct pool *pool;
	struct metrics *metrics; /* may be NULL */
	const int *fds;          /* taken */
	const bool *keepers;     /* whether it is a keeper's, each */
	unsigned n_fds;
	void (*idle)(void *ctx); /* after clients_drain(): nothing is left */
	void *ctx;
};
MUST_CHECK enum rc clients_new(
        struct clients **out, const struct clients_opts *o);
/* What was answered leaves before the pairs close. NULL is a no-op. */
void clients_free(struct clients *c);
/* A message to every client. */
void clients_tell(struct clients *c, uint16_t type, struct bytes body);
/* Read no more; call idle once all is answered. */
void clients_drain(struct clients *c);
void clients_done(struct job *job); /* the pool's pool_done_fn */

#endif
