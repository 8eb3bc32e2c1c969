#include "ocsp/publish.h"

#include "base/clock.h"
#include "base/text.h"
#include "ca/certs_only.h"
#include "ca/digest.h"
#include "net/http.h"
#include "net/http_date.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* CA certificates change with a roll-over alone. */
#define CERT_FRESH_S 3600
/* Where a CRL will be in a moment: the daemon has just started. */
#define RETRY_AFTER_S "5"
#define ROUTES 2
#define ETAG_BYTES (2 * STORE_HASH_BYTES + 3)

struct crl_slot {
	struct publish_crl crl;
	struct http_file *file;
};

struct cert_file {
	const char *authority;
	const char *suffix;
	const char *type;
	struct bytes der; /* of message, or of the authority */
	struct buf message;
	uint8_t hash[DIGEST_SHA256_BYTES];
	bool dated;
	int64_t last_modified_s;
};

/* An authority's issuer's, which is made elsewhere. */
struct issuers_crl {
	const struct issuer_crl *crl;
	uint8_t hash[DIGEST_SHA256_BYTES];
};

struct publish {
	struct authorities *authorities;
	struct http_route routes[ROUTES];
	struct crl_slot *crls[PUBLISH_CRLS_MAX];
	size_t n_crls;
	struct issuers_crl *others;
	size_t n_others;
	struct cert_file *certs; /* two of each authority */
	size_t n_certs;
};

/* --- header fields */

struct fields {
	struct http_header list[HTTP_ANSWER_HEADERS_MAX];
	size_t n;
	char etag[ETAG_BYTES];
	char modified[HTTP_DATE_BYTES], expires[HTTP_DATE_BYTES];
	char control[80];
};

static void add(struct fields *f, const char *name, const char *value)
{
	f->list[f->n++] = (struct http_header){ name, value };
}

/* 304 carries what 200 would, but for what speaks of the content (RFC 9110
 * section 15.4.5): Content-Type is last. */
static void fill(struct fields *f, const uint8_t hash[STORE_HASH_BYTES],
        int64_t fresh_s, const char *type)
{
	struct buf b = BUF_INIT(ETAG_BYTES);

	buf_add_u8(&b, '"');
	hex_encode(&b, bytes_of(hash, STORE_HASH_BYTES));
	buf_add_u8(&b, '"');
	(void)snprintf(f->etag, sizeof(f->etag), "%s",
	        buf_cstr(&b) != NULL ? buf_cstr(&b) : "\"\"");
	buf_free(&b);
	(void)snprintf(f->control, sizeof(f->control),
	        "public, no-transform, must-revalidate, max-age=%lld",
	        (long long)fresh_s);
	add(f, "ETag", f->etag);
	add(f, "Cache-Control", f->control);
	add(f, "Expires",
	        http_date_format(f->expires, clock_now_s() + fresh_s));
	add(f, "Content-Type", type);
}

static void add_modified(struct fields *f, int64_t time_s)
{
	struct http_header type = f->list[--f->n];

	add(f, "Last-Modified", http_date_format(f->modified, time_s));
	f->list[f->n++] = type;
}

static bool is_known(
        struct http_req *req, const struct fields *f, int64_t last_modified_s)
{
	return http_not_modified(http_req_header(req, "If-None-Match"),
	        http_req_header(req, "If-Modified-Since"), f->etag,
	        last_modified_s);
}

/* --- CRLs */

static struct crl_slot *find_crl(const struct publish *p, struct bytes name)
{
	for (size_t i = 0; i < p->n_crls; i++)
		if (bytes_eq_str(name, p->crls[i]->crl.name))
			return p->crls[i];
	return NULL;
}

static bool all_digits(struct bytes text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
	return true;
}

/* Is it the name of a CRL that there will be? NAME.crl, or NAME-SHARD.crl. */
static bool is_awaited(const struct publish *p, struct bytes name)
{
	for (size_t i = 0; i < authorities_count(p->authorities); i++) {
		const struct conf_authority *a =
		        authorities_at(p->authorities, i)->conf;
		struct bytes rest = name;

		if (!bytes_starts(name, bytes_str(a->name)))
			continue;
		rest = bytes_skip(name, bytes_str(a->name).n);
		if (bytes_eq_str(rest, ".crl"))
			return true;
		if (a->crl.shards > 0 && rest.n == 1 + CRL_SHARD_DIGITS + 4 &&
		        rest.p[0] == '-' &&
		        all_digits(bytes_slice(rest, 1, CRL_SHARD_DIGITS)) &&
		        bytes_eq_str(
		                bytes_skip(rest, 1 + CRL_SHARD_DIGITS), ".crl"))
			return true;
	}
	return false;
}

static void no_crl(
        const struct publish *p, struct http_req *req, struct bytes name)
{
	const struct http_header later[] = { { "Retry-After", RETRY_AFTER_S },
		{ "Content-Type", "text/plain" } };

	if (is_awaited(p, name))
		http_answer(req, 503, later, 2, BYTES_LIT("not made yet\n"));
	else
		http_answer_text(req, 404, "no such CRL");
}

/* Never kept past its nextUpdate. */
static int64_t fresh_for_s(int64_t fresh_s, int64_t next_update_s)
{
	int64_t left_s = next_update_s - clock_now_s();

	if (left_s > fresh_s)
		left_s = fresh_s;
	return left_s > 0 ? left_s : 0;
}

static const struct issuers_crl *find_other(
        const struct publish *p, struct bytes name)
{
	for (size_t i = 0; i < p->n_others; i++)
		if (bytes_eq_str(name, p->others[i].crl->name))
			return &p->others[i];
	return NULL;
}

static void get_other(const struct issuers_crl *o, struct http_req *req)
{
	struct fields f = { .n = 0 };

	fill(&f, o->hash, fresh_for_s(CERT_FRESH_S, o->crl->next_update_s),
	        "application/pkix-crl");
	add_modified(&f, o->crl->this_update_s);
	if (is_known(req, &f, o->crl->this_update_s))
		http_answer(req, 304, f.list, f.n - 1, BYTES_NONE);
	else
		http_answer(req, 200, f.list, f.n, buf_bytes(&o->crl->der));
}

static void get_crl(void *ctx, struct http_req *req)
{
	const struct publish *p = ctx;
	struct crl_slot *slot = find_crl(p, http_req_rest(req));
	const struct issuers_crl *other = find_other(p, http_req_rest(req));
	struct fields f = { .n = 0 };

	if (slot == NULL && other != NULL) {
		get_other(other, req);
		return;
	}
	if (slot == NULL) {
		no_crl(p, req, http_req_rest(req));
		return;
	}
	fill(&f, slot->crl.hash,
	        fresh_for_s(slot->crl.fresh_s, slot->crl.next_update_s),
	        "application/pkix-crl");
	add_modified(&f, slot->crl.this_update_s);
	if (is_known(req, &f, slot->crl.this_update_s))
		http_answer(req, 304, f.list, f.n - 1, BYTES_NONE);
	else
		http_answer_file(req, 200, f.list, f.n, slot->file);
}

enum rc publish_crl_put(
        struct publish *p, const struct publish_crl *crl, int fd)
{
	struct crl_slot *slot = find_crl(p, bytes_str(crl->name));
	struct http_file *file;
	enum rc rc;

	if (slot == NULL && p->n_crls == PUBLISH_CRLS_MAX)
		return RC_TOOBIG;
	if (slot == NULL) {
		slot = calloc(1, sizeof(*slot));
		if (slot == NULL)
			return RC_NOMEM;
		p->crls[p->n_crls] = slot;
	}
	rc = http_file_new(&file, fd);
	if (rc != RC_OK) {
		if (slot->file == NULL) {
			free(slot);
			p->crls[p->n_crls] = NULL;
		}
		return rc;
	}
	if (slot->file == NULL)
		p->n_crls++;
	http_file_free(slot->file);
	slot->file = file;
	slot->crl = *crl;
	return RC_OK;
}

/* --- CA certificates */

static const struct cert_file *find_cert(
        const struct publish *p, struct bytes name)
{
	for (size_t i = 0; i < p->n_certs; i++) {
		const struct cert_file *c = &p->certs[i];
		struct bytes head = bytes_str(c->authority);

		if (bytes_starts(name, head) &&
		        bytes_eq_str(bytes_skip(name, head.n), c->suffix))
			return c;
	}
	return NULL;
}

static void get_cert(void *ctx, struct http_req *req)
{
	const struct cert_file *c = find_cert(ctx, http_req_rest(req));
	struct fields f = { .n = 0 };

	if (c == NULL) {
		http_answer_text(req, 404, "no such certificate");
		return;
	}
	fill(&f, c->hash, CERT_FRESH_S, c->type);
	if (c->dated)
		add_modified(&f, c->last_modified_s);
	if (is_known(req, &f, c->dated ? c->last_modified_s : INT64_MAX))
		http_answer(req, 304, f.list, f.n - 1, BYTES_NONE);
	else
		http_answer(req, 200, f.list, f.n, c->der);
}

/* What stands above an authority can change with the configuration and keep its
 * dates: a message has no Last-Modified. */
static enum rc fill_message(struct cert_file *c, const struct authority *a)
{
	struct bytes *all = calloc(a->n_chain + 1, sizeof(*all));
	enum rc rc;

	if (all == NULL)
		return RC_NOMEM;
	all[0] = a->der;
	for (size_t i = 0; i < a->n_chain; i++)
		all[i + 1] = a->chain[i];
	c->message = BUF_INIT(CERTS_ONLY_MAX_BYTES);
	rc = certs_only_put(&c->message, all, a->n_chain + 1);
	c->der = buf_bytes(&c->message);
	free(all);
	return rc;
}

static enum rc fill_certs(
        struct cert_file *c, const struct authority *a, struct digest *digest)
{
	enum rc rc;

	c[0] = (struct cert_file){ .authority = a->conf->name,
		.suffix = ".cer",
		.type = "application/pkix-cert",
		.der = a->der,
		.dated = true,
		.last_modified_s = a->not_before_s };
	c[1] = (struct cert_file){ .authority = a->conf->name,
		.suffix = ".p7c",
		.type = "application/pkcs7-mime; smime-type=certs-only" };
	rc = fill_message(&c[1], a);
	for (int i = 0; i < 2 && rc == RC_OK; i++)
		rc = digest_sha256(digest, c[i].der, c[i].hash);
	return rc;
}

static enum rc fill_all_certs(struct publish *p)
{
	size_t n = authorities_count(p->authorities);
	struct digest *digest;
	enum rc rc = digest_new(&digest);

	if (rc != RC_OK)
		return rc;
	p->certs = calloc(2 * n + 1, sizeof(*p->certs));
	if (p->certs == NULL)
		rc = RC_NOMEM;
	for (size_t i = 0; i < n && rc == RC_OK; i++) {
		rc = fill_certs(&p->certs[p->n_certs],
		        authorities_at(p->authorities, i), digest);
		p->n_certs += 2;
	}
	digest_free(digest);
	return rc;
}

static enum rc fill_others(struct publish *p)
{
	size_t n = authorities_count(p->authorities);
	struct digest *digest;
	enum rc rc = digest_new(&digest);

	if (rc != RC_OK)
		return rc;
	p->others = calloc(n + 1, sizeof(*p->others));
	if (p->others == NULL)
		rc = RC_NOMEM;
	for (size_t i = 0; i < n && rc == RC_OK; i++) {
		struct issuers_crl *o = &p->others[p->n_others];

		o->crl = &authorities_at(p->authorities, i)->issuer_crl;
		if (o->crl->name == NULL)
			continue;
		rc = digest_sha256(digest, buf_bytes(&o->crl->der), o->hash);
		p->n_others++;
	}
	digest_free(digest);
	return rc;
}

/* --- */

enum rc publish_new(struct publish **out, struct authorities *a)
{
	struct publish *p = calloc(1, sizeof(*p));
	enum rc rc;

	*out = NULL;
	if (p == NULL)
		return RC_NOMEM;
	p->authorities = a;
	p->routes[0] = (struct http_route){ HTTP_GET, HTTP_PREFIX, "/crl/", 0,
		get_crl, p };
	p->routes[1] = (struct http_route){ HTTP_GET, HTTP_PREFIX, "/ca/", 0,
		get_cert, p };
	rc = fill_all_certs(p);
	if (rc == RC_OK)
		rc = fill_others(p);
	if (rc != RC_OK)
		publish_free(p);
	else
		*out = p;
	return rc;
}

void publish_free(struct publish *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->n_crls; i++) {
		http_file_free(p->crls[i]->file);
		free(p->crls[i]);
	}
	for (size_t i = 0; i < p->n_certs; i++)
		buf_free(&p->certs[i].message);
	free(p->certs);
	free(p->others);
	free(p);
}

const struct http_route *publish_routes(const struct publish *p, size_t *n)
{
	*n = ROUTES;
	return p->routes;
}
