#include "ca/crl_scopes.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "ca/cert.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define URL_MAX_BYTES 4096
#define PAGE 64

/* An authority as the store knows it: all generations of all names. */
struct known {
	uint32_t id;
	char name[STORE_NAME_MAX + 1];
	const struct authority *same; /* configured, of the same name and key */
};

struct reading {
	struct crl_scopes *out;
	struct store *store;
	struct authorities *authorities;
	struct known known[STORE_ROWS_MAX];
	size_t n_known;
	struct why *why;
};

/* --- generations */

static const struct authority *same_issuer(
        struct authorities *a, struct bytes der)
{
	struct cert c;

	if (cert_parse(&c, der, NULL) != RC_OK)
		return NULL;
	for (size_t i = 0; i < authorities_count(a); i++) {
		const struct authority *one = authorities_at(a, i);

		if (bytes_eq(one->subject, c.subject) &&
		        bytes_eq(one->spki, c.spki))
			return one;
	}
	return NULL;
}

static enum rc read_known(struct reading *r)
{
	struct store_authority *rows = calloc(STORE_ROWS_MAX, sizeof(*rows));
	struct store_authority_list list = { .rows = rows,
		.max = STORE_ROWS_MAX };
	struct store_authority_get get = { .der = BUF_INIT(
		                                   STORE_DER_MAX_BYTES) };
	enum rc rc =
	        rows != NULL ? store_authority_list(r->store, &list) : RC_NOMEM;

	for (size_t i = 0; rc == RC_OK && i < list.n; i++) {
		struct known *k = &r->known[r->n_known++];

		get.id = rows[i].id;
		rc = store_authority_get(r->store, &get);
		if (rc != RC_OK)
			break;
		k->id = rows[i].id;
		memcpy(k->name, rows[i].name, sizeof(k->name));
		k->same = same_issuer(r->authorities, buf_bytes(&get.der));
	}
	buf_free(&get.der);
	free(rows);
	return rc == RC_OK ? rc
	                   : why_set(r->why, rc, "the authorities on record");
}

/* --- scopes */

static enum rc last_of(struct reading *r, uint32_t authority, uint16_t shard,
        struct store_crl *out)
{
	struct store_crl_last last = { .authority = authority, .shard = shard };
	enum rc rc = store_crl_last(r->store, &last);

	*out = (struct store_crl){ .authority = authority, .shard = shard };
	if (rc == RC_OK)
		*out = last.crl;
	return rc == RC_NOTFOUND ? RC_OK : rc;
}

static enum rc add_also(struct reading *r, struct crl_scope *s)
{
	struct store_crl crl;
	enum rc rc = RC_OK;

	for (size_t i = 0; rc == RC_OK && i < r->n_known; i++) {
		const struct known *k = &r->known[i];

		if (k->same != s->authority || k->id == s->authority->id)
			continue;
		if (s->n_also == CRL_ALSO_MAX)
			return why_set(r->why, RC_TOOBIG,
			        "%s: over %d generations of one key",
			        s->authority->conf->name, CRL_ALSO_MAX);
		rc = last_of(r, k->id, s->shard, &crl);
		s->also[s->n_also++] = k->id;
		if (crl.ends_s > s->ends_s)
			s->ends_s = crl.ends_s;
	}
	return rc;
}

/* A shard of an earlier configuration, where the present one has none: its URL
 * was most likely NAME-SHARD.crl beside NAME.crl. */
static void put_url(struct buf *b, const char *url, const char *digits)
{
	struct bytes text = bytes_str(url);
	const struct bytes end = BYTES_LIT(".crl");

	if (strstr(url, CONF_SHARD_VARIABLE) != NULL || text.n < end.n ||
	        !bytes_eq(bytes_skip(text, text.n - end.n), end)) {
		crl_put_url(b, url, digits);
		return;
	}
	buf_add(b, bytes_slice(text, 0, text.n - end.n));
	buf_addf(b, "-%s.crl", digits);
}

static enum rc add_urls(struct crl_scope *s)
{
	const struct conf_authority *c = s->authority->conf;
	char digits[CRL_SHARD_DIGITS + 1];
	struct buf b = BUF_INIT(URL_MAX_BYTES);

	(void)crl_shard_text(digits, s->shard);
	for (size_t i = 0; i < c->n_crl_urls && i < CRL_URLS_MAX; i++) {
		buf_reset(&b);
		put_url(&b, c->crl_urls[i], digits);
		s->urls[s->n_urls] =
		        buf_cstr(&b) != NULL ? strdup(buf_cstr(&b)) : NULL;
		if (s->urls[s->n_urls] == NULL)
			break;
		s->n_urls++;
	}
	buf_free(&b);
	return s->n_urls == c->n_crl_urls ? RC_OK : RC_NOMEM;
}

static void name_file(struct crl_scope *s)
{
	const char *name = s->authority->conf->name;
	char digits[CRL_SHARD_DIGITS + 1];

	if (s->shard == 0)
		(void)snprintf(s->name, sizeof(s->name), "%s.crl", name);
	else
		(void)snprintf(s->name, sizeof(s->name), "%s-%s.crl", name,
		        crl_shard_text(digits, s->shard));
}

static enum rc add_scope(
        struct reading *r, const struct authority *a, uint16_t shard, bool ends)
{
	struct crl_scopes *out = r->out;
	struct crl_scope *s = &out->list[out->n];
	enum rc rc;

	if (out->n == CRL_SCOPES_MAX)
		return why_set(r->why, RC_TOOBIG, "over %d CRLs: fewer shards",
		        CRL_SCOPES_MAX);
	*s = (struct crl_scope){ .authority = a, .shard = shard, .ends = ends };
	rc = last_of(r, a->id, shard, &s->crl);
	s->ends_s = s->crl.ends_s;
	name_file(s);
	out->n++;
	if (rc == RC_OK)
		rc = add_also(r, s);
	if (rc == RC_OK && shard != 0)
		rc = add_urls(s);
	return rc;
}

static enum rc add_authority(struct reading *r, const struct authority *a)
{
	bool retired = a->conf->retired;
	enum rc rc;

	if (!a->signs_crls) {
		log_event(LOG_WARN, "crl.none", "authority", a->conf->name,
		        "why",
		        "its certificate has no cRLSign (RFC 5280 section "
		        "4.2.1.3)",
		        NULL);
		return RC_OK;
	}
	rc = add_scope(r, a, 0, retired);
	for (uint16_t i = 1; rc == RC_OK && i <= a->conf->crl.shards; i++)
		rc = add_scope(r, a, i, retired);
	return rc;
}

static const struct known *known_by_id(const struct reading *r, uint32_t id)
{
	for (size_t i = 0; i < r->n_known; i++)
		if (r->known[i].id == id)
			return &r->known[i];
	return NULL;
}

static bool has_scope(
        const struct reading *r, const struct authority *a, uint16_t shard)
{
	for (size_t i = 0; i < r->out->n; i++)
		if (r->out->list[i].authority == a &&
		        r->out->list[i].shard == shard)
			return true;
	return false;
}

/* What is on record beside the configuration. */
static enum rc add_recorded(struct reading *r, const struct store_crl *crl)
{
	const struct known *k = known_by_id(r, crl->authority);
	char until[TEXT_TIME_BYTES];

	if (k == NULL || crl->ends_s < clock_now_s())
		return RC_OK;
	if (k->same == NULL) {
		if (crl->shard == 0)
			log_event(LOG_WARN, "crl.orphaned", "authority",
			        k->name, "until", text_time(until, crl->ends_s),
			        "why",
			        "certificates live on and their authority is "
			        "not configured: add it, retired, under a "
			        "name of its own",
			        NULL);
		return RC_OK;
	}
	if (!k->same->signs_crls || has_scope(r, k->same, crl->shard) ||
	        k->same->conf->n_crl_urls == 0)
		return RC_OK;
	return add_scope(r, k->same, crl->shard, true);
}

static enum rc read_recorded(struct reading *r)
{
	struct store_crl rows[PAGE];
	struct store_crl_list list = { .rows = rows, .max = PAGE };
	enum rc rc;

	do {
		rc = store_crl_list(r->store, &list);
		for (size_t i = 0; rc == RC_OK && i < list.n; i++)
			rc = add_recorded(r, &rows[i]);
	} while (rc == RC_OK && list.more);
	return rc;
}

enum rc crl_scopes_read(struct crl_scopes *out, struct store *s,
        struct authorities *a, struct why *why)
{
	struct reading *r = calloc(1, sizeof(*r));
	enum rc rc;

	*out = (struct crl_scopes){ .n = 0 };
	out->list = calloc(CRL_SCOPES_MAX, sizeof(*out->list));
	if (r == NULL || out->list == NULL) {
		free(r);
		crl_scopes_free(out);
		return RC_NOMEM;
	}
	r->out = out;
	r->store = s;
	r->authorities = a;
	r->why = why;
	rc = read_known(r);
	for (size_t i = 0; rc == RC_OK && i < authorities_count(a); i++)
		rc = add_authority(r, authorities_at(a, i));
	if (rc == RC_OK)
		rc = read_recorded(r);
	free(r);
	if (rc != RC_OK)
		crl_scopes_free(out);
	return rc;
}

void crl_scopes_free(struct crl_scopes *scopes)
{
	for (size_t i = 0; i < scopes->n; i++)
		for (size_t k = 0; k < scopes->list[i].n_urls; k++)
			free(scopes->list[i].urls[k]);
	free(scopes->list);
	*scopes = (struct crl_scopes){ .n = 0 };
}
