#include "ca/grant_make.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>

/* A name of a grant: longer than any DNS name or mailbox, and long enough for
 * the URIs that people put into certificates. */
#define GRANT_NAME_MAX_BYTES 1024

struct grant {
	struct grant_spec spec; /* its strings point into text */
	struct grant_names names;
	char *text;
};

/* The strings of a spec, one after the other in one block. */
struct text {
	char *p; /* NULL while the size is measured */
	size_t n;
};

static const char *text_put(struct text *t, const char *s)
{
	size_t n = strlen(s) + 1;
	char *at = NULL;

	if (t->p != NULL) {
		at = t->p + t->n;
		memcpy(at, s, n);
	}
	t->n += n;
	return at;
}

static void text_put_list(
        struct text *t, const char **to, const char *const *from, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		to[i] = text_put(t, from[i]);
}

static void grant_put(
        struct text *t, struct grant *g, const struct grant_spec *spec)
{
	const struct grant_names *n = spec->names;

	t->n = 0;
	g->spec.device = text_put(t, spec->device ? spec->device : "");
	g->spec.anchor = text_put(t, spec->anchor ? spec->anchor : "");
	g->spec.requester = text_put(t, spec->requester);
	g->spec.quota = spec->quota ? text_put(t, spec->quota) : NULL;
	g->spec.transaction =
	        text_put(t, spec->transaction ? spec->transaction : "");
	if (n == NULL)
		return;
	text_put_list(t, g->names.dns, n->dns, n->n_dns);
	text_put_list(t, g->names.ip, n->ip, n->n_ip);
	text_put_list(t, g->names.email, n->email, n->n_email);
	text_put_list(t, g->names.uri, n->uri, n->n_uri);
	g->names.n_dns = n->n_dns;
	g->names.n_ip = n->n_ip;
	g->names.n_email = n->n_email;
	g->names.n_uri = n->n_uri;
}

static enum rc check_text(
        const char *s, size_t max, const char *what, struct why *why)
{
	if (s == NULL)
		return RC_OK;
	if (strlen(s) > max)
		return why_set(why, RC_DENIED, "%s: over %zu bytes", what, max);
	if (!text_is_print(bytes_str(s)))
		return why_set(why, RC_DENIED, "%s: not printable ASCII", what);
	return RC_OK;
}

static enum rc check_list(
        const char *const *list, size_t n, const char *what, struct why *why)
{
	enum rc rc = RC_OK;
	size_t i;

	if (n > GRANT_NAMES_MAX)
		return why_set(why, RC_DENIED, "%s: over %d of them", what,
		        GRANT_NAMES_MAX);
	for (i = 0; i < n && rc == RC_OK; i++) {
		if (list[i] == NULL || list[i][0] == '\0')
			return why_set(why, RC_DENIED, "%s: empty", what);
		rc = check_text(list[i], GRANT_NAME_MAX_BYTES, what, why);
	}
	return rc;
}

static enum rc check_names(const struct grant_names *n, struct why *why)
{
	enum rc rc;

	if (n == NULL)
		return RC_OK;
	rc = check_list(n->dns, n->n_dns, "DNS name", why);
	if (rc == RC_OK)
		rc = check_list(n->ip, n->n_ip, "IP address", why);
	if (rc == RC_OK)
		rc = check_list(n->email, n->n_email, "email address", why);
	if (rc == RC_OK)
		rc = check_list(n->uri, n->n_uri, "URI", why);
	return rc;
}

static enum rc check_spec(const struct grant_spec *s, struct why *why)
{
	enum rc rc;

	if (s->authority == NULL || s->profile == NULL)
		return why_set(
		        why, RC_DENIED, "grant: no authority or no profile");
	if (s->requester == NULL || s->requester[0] == '\0')
		return why_set(why, RC_DENIED, "grant: no requester");
	if (s->credential.kind == 0)
		return why_set(why, RC_DENIED, "grant: no credential");
	if (s->deadline_us <= 0 || s->max_validity_s < 0)
		return why_set(why, RC_DENIED, "grant: no deadline");
	rc = check_text(s->device, STORE_DEVICE_ID_MAX, "device id", why);
	if (rc == RC_OK)
		rc = check_text(s->anchor, STORE_NAME_MAX, "anchor", why);
	if (rc == RC_OK)
		rc = check_text(
		        s->requester, STORE_ACTOR_MAX, "requester", why);
	if (rc == RC_OK)
		rc = check_text(s->quota, STORE_NAME_MAX, "quota", why);
	if (rc == RC_OK)
		rc = check_text(s->transaction, GRANT_TRANSACTION_MAX,
		        "transaction", why);
	if (rc == RC_OK)
		rc = check_names(s->names, why);
	return rc;
}

enum rc grant_make(
        struct grant **out, const struct grant_spec *spec, struct why *why)
{
	struct text text = { NULL, 0 };
	struct grant *g = NULL;
	enum rc rc = check_spec(spec, why);

	*out = NULL;
	if (rc != RC_OK)
		return rc;
	g = calloc(1, sizeof *g);
	if (g == NULL)
		return RC_NOMEM;
	g->spec = *spec;
	grant_put(&text, g, spec);
	text.p = g->text = malloc(text.n);
	if (g->text == NULL) {
		free(g);
		return RC_NOMEM;
	}
	grant_put(&text, g, spec);
	g->spec.names = &g->names;
	*out = g;
	return RC_OK;
}

const char *grant_transaction(const struct grant *g)
{
	return g->spec.transaction;
}

const char *grant_device(const struct grant *g)
{
	return g->spec.device;
}

const char *grant_anchor(const struct grant *g)
{
	return g->spec.anchor;
}

const struct authority *grant_authority(const struct grant *g)
{
	return g->spec.authority;
}

const struct conf_profile *grant_profile(const struct grant *g)
{
	return g->spec.profile;
}

const uint8_t *grant_spki_hash(const struct grant *g)
{
	return g->spec.spki_hash;
}

const struct grant_names *grant_names(const struct grant *g)
{
	return g->spec.names;
}

int64_t grant_max_validity_s(const struct grant *g)
{
	return g->spec.max_validity_s;
}

const struct store_credential *grant_credential(const struct grant *g)
{
	return &g->spec.credential;
}

const char *grant_requester(const struct grant *g)
{
	return g->spec.requester;
}

const char *grant_quota(const struct grant *g)
{
	return g->spec.quota;
}

int64_t grant_deadline_us(const struct grant *g)
{
	return g->spec.deadline_us;
}

const struct grant_wait *grant_wait(const struct grant *g)
{
	return &g->spec.wait;
}

uint64_t grant_device_version(const struct grant *g)
{
	return g->spec.device_version;
}

uint64_t grant_authority_version(const struct grant *g)
{
	return g->spec.authority_version;
}

bool grant_is_system(const struct grant *g)
{
	return g->spec.system;
}

void grant_free(struct grant *g)
{
	if (g == NULL)
		return;
	free(g->text);
	free(g);
}
