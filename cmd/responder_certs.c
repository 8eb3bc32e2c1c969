#include "cmd/responder_certs.h"
#include "base/clock.h"
#include "base/log.h"
#include "ca/cert.h"
#include "cmd/runtime.h"
#include <stdlib.h>
#include <string.h>

#define SPKI_MAX_BYTES 4096
#define MESSAGE_MAX_BYTES (STORE_DER_MAX_BYTES + 256)
#define AGAIN_S 5
#define RENEW_AGAIN_S 60 /* the signer makes no key twice in that time */
#define RETIRED_AGAIN_S 3600

struct one {
	struct runtime *r;
	const struct authority *authority;
	const struct conf_profile *profile; /* NULL: signs by itself */
	struct buf spki;                    /* empty: not known yet */
	bool issuing;
	bool changed;   /* another key came meanwhile */
	bool certified; /* the key is, and is followed by a new one */
	int64_t due_s;  /* something is to be done then; 0: nothing */
};

struct responder_certs {
	struct one *list;
	size_t n;
};

static void tell(struct one *o, struct bytes cert)
{
	struct buf b = BUF_INIT(MESSAGE_MAX_BYTES);

	control_responder_pack(&b, o->authority->conf->name, cert);
	if (b.failed != RC_OK ||
	        runtime_tell(o->r, CONTROL_RESPONDER, buf_bytes(&b)) != RC_OK)
		log_event(LOG_WARN, "control.failed", NULL);
	buf_free(&b);
}

/* A retired or revoked authority whose last certificate has ended answers no
 * more. */
static void over(struct one *o)
{
	log_event(LOG_NOTICE, "ocsp.responder_over", "authority",
	        o->authority->conf->name, "why",
	        "the authority is retired or revoked, and its last certificate "
	        "has ended",
	        NULL);
	o->due_s = clock_now_s() + RETIRED_AGAIN_S;
	tell(o, BYTES_NONE);
}

static void failed(struct one *o, enum rc rc, const struct why *why)
{
	if (rc == RC_DENIED &&
	        (o->authority->conf->retired ||
	                o->authority->state == AUTHORITY_REVOKED)) {
		over(o);
		return;
	}
	log_event(LOG_ERROR, "ocsp.responder_failed", "authority",
	        o->authority->conf->name, "why",
	        why->text[0] != '\0' ? why->text : rc_info(rc)->text, NULL);
	o->due_s = clock_now_s() + AGAIN_S;
	tell(o, BYTES_NONE);
}

/* An answer signed in the last moment before the next certificate must still
 * live its whole time: half of the spare week is left for trying again. */
static enum rc set_due(struct one *o, struct bytes der, struct why *why)
{
	struct cert *c = malloc(sizeof(*c));
	enum rc rc = c == NULL ? RC_NOMEM : cert_parse(c, der, why);

	if (rc == RC_OK)
		o->due_s = c->not_after_s - o->authority->conf->ocsp_valid_s -
		        PROFILE_OCSP_SPARE_S / 2;
	/* The authority itself may end before: then there is no better one. */
	if (rc == RC_OK && c->not_after_s == o->authority->not_after_s)
		o->due_s = 0;
	free(c);
	return rc;
}

static void issue(struct one *o);

static void issued(void *ctx, const struct issued *result)
{
	struct one *o = ctx;
	struct why why = result->why;
	enum rc rc = result->rc;

	o->issuing = false;
	if (o->changed) {
		issue(o);
		return;
	}
	if (rc == RC_DUPLICATE)
		rc = RC_OK;
	if (rc == RC_OK)
		rc = set_due(o, result->der, &why);
	if (rc != RC_OK) {
		failed(o, rc, &why);
		return;
	}
	o->certified = true;
	log_event(LOG_INFO, "ocsp.responder_issued", "authority",
	        o->authority->conf->name, NULL);
	tell(o, result->der);
}

static void issue(struct one *o)
{
	struct why why = WHY_NONE;
	struct grant *grant = NULL;
	enum rc rc =
	        authorize_system(o->r->authorizer, &grant, o->authority->conf,
	                o->profile, buf_bytes(&o->spki), NULL, &why);

	o->due_s = 0;
	o->changed = false;
	if (rc != RC_OK) {
		failed(o, rc, &why);
		return;
	}
	o->issuing = true;
	issuer_issue_system(
	        o->r->issuer, grant, buf_bytes(&o->spki), issued, o);
}

static struct one *find(struct responder_certs *c, const char *authority)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->list[i].profile != NULL &&
		        strcmp(c->list[i].authority->conf->name, authority) ==
		                0)
			return &c->list[i];
	return NULL;
}

void responder_certs_issue(struct responder_certs *c, struct bytes body)
{
	struct control_responder m;
	struct one *o = control_responder_unpack(&m, body) == RC_OK
	        ? find(c, m.authority)
	        : NULL;

	if (o == NULL)
		return;
	buf_reset(&o->spki);
	buf_add(&o->spki, m.der);
	o->certified = false;
	if (o->spki.failed != RC_OK)
		return;
	o->changed = o->issuing;
	if (!o->issuing)
		issue(o);
}

/* The key goes with its certificate; CONTROL_RESPONDER_KEY brings the next. */
static void want_key(struct one *o)
{
	struct buf b = BUF_INIT(MESSAGE_MAX_BYTES);

	o->due_s = clock_now_s() + RENEW_AGAIN_S;
	control_responder_pack(&b, o->authority->conf->name, BYTES_NONE);
	if (b.failed != RC_OK ||
	        runtime_tell(o->r, CONTROL_RESPONDER_RENEW, buf_bytes(&b)) !=
	                RC_OK)
		log_event(LOG_WARN, "control.failed", NULL);
	buf_free(&b);
}

void responder_certs_tick(struct responder_certs *c)
{
	int64_t now_s = clock_now_s();

	for (size_t i = 0; i < c->n; i++) {
		struct one *o = &c->list[i];

		if (o->due_s == 0 || now_s < o->due_s || o->issuing)
			continue;
		if (o->certified)
			want_key(o);
		else
			issue(o);
	}
}

enum rc responder_certs_new(struct responder_certs **out, struct runtime *r)
{
	struct responder_certs *c = calloc(1, sizeof(*c));
	size_t n = authorities_count(r->authorities);

	*out = c;
	if (c == NULL)
		return RC_NOMEM;
	c->list = calloc(n, sizeof(*c->list));
	if (c->list == NULL)
		return RC_NOMEM;
	for (c->n = 0; c->n < n; c->n++) {
		const struct authority *a =
		        authorities_at(r->authorities, c->n);

		c->list[c->n] = (struct one){ .r = r,
			.authority = a,
			.profile = profiles_ocsp(r->profiles, a),
			.spki = BUF_INIT(SPKI_MAX_BYTES) };
	}
	return RC_OK;
}

void responder_certs_free(struct responder_certs *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->n; i++)
		buf_free(&c->list[i].spki);
	free(c->list);
	free(c);
}
