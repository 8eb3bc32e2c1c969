#include "cmd/tls_identity.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "cmd/runtime.h"
#include <stdlib.h>

#define SPKI_MAX_BYTES 4096
#define CHAIN_MAX_BYTES (256u << 10)
#define AGAIN_S 5

struct tls_identity {
	struct runtime *r;
	struct buf spki;
	int64_t again_s; /* try to issue again then; 0: no need */
};

static void add_pem(struct buf *out, struct bytes der)
{
	buf_add_str(out, "-----BEGIN CERTIFICATE-----\n");
	base64_encode(out, der, 64);
	buf_add_str(out, "-----END CERTIFICATE-----\n");
}

/* The leaf and what stands between it and the root, which the peer has. */
static enum rc tell_chain(
        struct tls_identity *t, const struct authority *a, struct bytes leaf)
{
	struct buf chain = BUF_INIT(CHAIN_MAX_BYTES);
	enum rc rc;

	add_pem(&chain, leaf);
	add_pem(&chain, a->der);
	for (size_t i = 0; i + 1 < a->n_chain; i++)
		add_pem(&chain, a->chain[i]);
	rc = chain.failed != RC_OK
	        ? chain.failed
	        : runtime_tell(t->r, CONTROL_TLS_CERT, buf_bytes(&chain));
	buf_free(&chain);
	return rc;
}

static struct authority *our_authority(const struct tls_identity *t)
{
	return authorities_find(
	        t->r->authorities, t->r->conf->listen.est_authority->name);
}

static void failed(struct tls_identity *t, const char *why)
{
	log_event(LOG_ERROR, "tls.issue_failed", "why", why, NULL);
	t->again_s = clock_now_s() + AGAIN_S;
	if (runtime_tell(t->r, CONTROL_TLS_NONE, BYTES_NONE) != RC_OK)
		log_event(LOG_WARN, "control.failed", NULL);
}

static void issued(void *ctx, const struct issued *result)
{
	struct tls_identity *t = ctx;
	enum rc rc = result->rc;

	if (rc == RC_DUPLICATE)
		rc = RC_OK;
	if (rc == RC_OK)
		rc = tell_chain(t, our_authority(t), result->der);
	if (rc != RC_OK) {
		failed(t,
		        result->why.text[0] != '\0' ? result->why.text
		                                    : rc_info(rc)->text);
		return;
	}
	log_event(LOG_INFO, "tls.issued", NULL);
}

static void issue(struct tls_identity *t)
{
	struct why why = WHY_NONE;
	struct grant *grant = NULL;
	enum rc rc = authorize_system(t->r->authorizer, &grant,
	        t->r->conf->listen.est_authority, profiles_est(t->r->profiles),
	        buf_bytes(&t->spki), NULL, &why);

	t->again_s = 0;
	if (rc != RC_OK) {
		failed(t, why.text);
		return;
	}
	issuer_issue_system(
	        t->r->issuer, grant, buf_bytes(&t->spki), issued, t);
}

void tls_identity_issue(struct tls_identity *t, struct bytes spki)
{
	buf_reset(&t->spki);
	buf_add(&t->spki, spki);
	if (t->spki.failed == RC_OK)
		issue(t);
}

void tls_identity_tick(struct tls_identity *t)
{
	if (t->again_s != 0 && clock_now_s() >= t->again_s)
		issue(t);
}

enum rc tls_identity_new(struct tls_identity **out, struct runtime *r)
{
	struct tls_identity *t = calloc(1, sizeof(*t));

	*out = t;
	if (t == NULL)
		return RC_NOMEM;
	t->r = r;
	t->spki = BUF_INIT(SPKI_MAX_BYTES);
	return RC_OK;
}

void tls_identity_free(struct tls_identity *t)
{
	if (t == NULL)
		return;
	buf_free(&t->spki);
	free(t);
}
