#include "cmd/ra_certs.h"
#include "base/log.h"
#include "cmd/runtime.h"
#include "enroll/code_keys.h"
#include <stdlib.h>

#define MESSAGE_MAX_BYTES (STORE_DER_MAX_BYTES + 256)

struct ra_certs {
	struct runtime *r;
	struct conf_code *list;
	size_t n;
	struct code_keys *keys;
};

static void changed(void *ctx, const struct code_key *key)
{
	const struct ra_certs *c = ctx;
	struct buf b = BUF_INIT(MESSAGE_MAX_BYTES);

	control_responder_pack(&b, key->conf->authority->name, key->cert);
	if (b.failed != RC_OK ||
	        runtime_tell(c->r, CONTROL_RA, buf_bytes(&b)) != RC_OK)
		log_event(LOG_WARN, "control.failed", NULL);
	buf_free(&b);
}

static enum rc open_keys(struct ra_certs *c)
{
	const struct code_keys_opts o = { .list = c->list,
		.n = c->n,
		.issued_event = "scep.ra_certificate",
		.failed_event = "scep.no_ra_certificate",
		.changed = changed,
		.ctx = c,
		.store = c->r->store,
		.authorities = c->r->authorities,
		.authorizer = c->r->authorizer,
		.issuer = c->r->issuer };

	return code_keys_new(&c->keys, &o);
}

enum rc ra_certs_new(struct ra_certs **out, struct runtime *r)
{
	struct ra_certs *c = calloc(1, sizeof(*c));
	size_t n = authorities_count(r->authorities);

	*out = c;
	if (c == NULL)
		return RC_NOMEM;
	c->r = r;
	c->list = calloc(n + 1, sizeof(*c->list));
	if (c->list == NULL)
		return RC_NOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct authority *a = authorities_at(r->authorities, i);
		const struct conf_code *ra = profiles_ra(r->profiles, a);

		if (ra != NULL && !a->conf->retired)
			c->list[c->n++] = *ra;
	}
	return open_keys(c);
}

void ra_certs_free(struct ra_certs *c)
{
	if (c == NULL)
		return;
	code_keys_free(c->keys);
	free(c->list);
	free(c);
}

bool ra_certs_busy(const struct ra_certs *c)
{
	return code_keys_busy(c->keys);
}

void ra_certs_loaded(struct ra_certs *c, const char *name, struct bytes spki)
{
	code_keys_loaded(c->keys, name, spki);
}

void ra_certs_tick(struct ra_certs *c)
{
	code_keys_tick(c->keys);
}
