/* A certificate on an operator's word: request, grant, issuer, chain. */
#include "admin/describe.h"
#include "admin/endpoint.h"
#include "ca/cert.h"

#include <string.h>

struct cert_issued {
	struct authorize a;
	struct grant_names names;
	const char *csr; /* PEM or base64, in the body */
	const struct authority *authority;
};

/* --- what is wanted */
static enum rc read_names(json_t *list, const char *what, const char **out,
        size_t *n, struct why *why)
{
	size_t i;
	json_t *name;

	if (list != NULL && !json_is_array(list))
		return why_set(why, RC_MALFORMED, "%s: want a list", what);
	if (json_array_size(list) > GRANT_NAMES_MAX)
		return why_set(why, RC_TOOBIG, "%s: want at most %d names",
		        what, GRANT_NAMES_MAX);
	json_array_foreach(list, i, name)
	{
		if (!json_is_string(name))
			return why_set(
			        why, RC_MALFORMED, "%s: want text", what);
		out[i] = json_string_value(name);
	}
	*n = json_array_size(list);
	return RC_OK;
}

static bool may_issue(
        const struct conf_authority *a, const struct conf_profile *p)
{
	for (size_t i = 0; i < a->n_profiles; i++)
		if (a->profiles[i] == p)
			return true;
	return false;
}

/* The one that is named, or the only one that issues that profile and is not
 * the next generation of another. */
static enum rc find_authority(const struct conf *conf, const char *name,
        const struct conf_profile *profile, const struct conf_authority **out,
        struct why *why)
{
	*out = NULL;
	for (size_t i = 0; i < conf->n_authorities; i++) {
		const struct conf_authority *a = &conf->authorities[i];

		if (!may_issue(a, profile) ||
		        (name != NULL ? strcmp(name, a->name) != 0
		                      : conf_authority_is_staged(a)))
			continue;
		if (*out != NULL)
			return why_set(why, RC_MALFORMED,
			        "%s and %s both issue %s: name the authority",
			        (*out)->name, a->name, profile->name);
		*out = a;
	}
	if (*out != NULL)
		return RC_OK;
	if (name == NULL)
		return why_set(why, RC_NOTFOUND, "no authority issues %s",
		        profile->name);
	return why_set(why, RC_NOTFOUND, "no authority %s that issues %s", name,
	        profile->name);
}

struct issue_wanted {
	const char *profile, *authority, *device;
	json_t *dns, *ip, *email, *uri;
};

static enum rc read_all_names(const struct issue_wanted *w,
        struct grant_names *names, struct why *why)
{
	enum rc rc = read_names(w->dns, "dns", names->dns, &names->n_dns, why);

	if (rc == RC_OK)
		rc = read_names(w->ip, "ip", names->ip, &names->n_ip, why);
	if (rc == RC_OK)
		rc = read_names(
		        w->email, "email", names->email, &names->n_email, why);
	if (rc == RC_OK)
		rc = read_names(w->uri, "uri", names->uri, &names->n_uri, why);
	return rc;
}

static enum rc plan(struct call *c, struct cert_issued *j, struct why *why)
{
	const struct conf *conf = c->admin->o.conf;
	struct issue_wanted w = { .profile = NULL };
	enum rc rc =
	        call_body(c, why, "{s:s, s:s, s?s, s?s, s?o, s?o, s?o, s?o}",
	                "csr", &j->csr, "profile", &w.profile, "authority",
	                &w.authority, "device", &w.device, "dns", &w.dns, "ip",
	                &w.ip, "email", &w.email, "uri", &w.uri);

	if (rc == RC_OK)
		rc = read_all_names(&w, &j->names, why);
	if (rc != RC_OK)
		return rc;
	j->a.profile = conf_profile(conf, w.profile);
	if (j->a.profile == NULL)
		return why_set(why, RC_NOTFOUND, "no profile %s", w.profile);
	rc = find_authority(
	        conf, w.authority, j->a.profile, &j->a.authority, why);
	if (rc != RC_OK)
		return rc;
	/* A server is known by its first name. */
	if (w.device == NULL && j->names.n_dns > 0)
		w.device = j->names.dns[0];
	if (w.device == NULL)
		return why_set(why, RC_MALFORMED,
		        "device: is missing, and there is no DNS name to "
		        "take it from");
	j->a.device_id = bytes_str(w.device);
	j->authority =
	        authorities_find(c->admin->o.authorities, j->a.authority->name);
	return j->authority != NULL ? RC_OK : RC_INTERNAL;
}

static enum rc bring_csr(struct authorize *a, struct why *why)
{
	struct call *c = a->ctx;
	struct cert_issued *j = c->job;
	struct buf der = BUF_INIT(CSR_DER_MAX_BYTES);
	enum rc rc = csr_from_wire(&der, bytes_str(j->csr), why);

	if (rc == RC_OK)
		rc = csr_parse(&a->csr, c->admin->keys, buf_bytes(&der), why);
	buf_free(&der);
	return rc;
}

/* --- what comes of it */
static bool signs_itself(struct bytes der)
{
	struct cert cert;

	return cert_parse(&cert, der, NULL) == RC_OK &&
	        bytes_eq(cert.subject, cert.issuer);
}

/* The issuer first; a root is for the reader to have already. */
static json_t *describe_chain(const struct authority *a)
{
	json_t *chain = json_array();
	int bad = chain == NULL;

	if (bad == 0 && !signs_itself(a->der))
		bad = json_array_append_new(chain, describe_pem(a->der));
	for (size_t i = 0; bad == 0 && i < a->n_chain; i++)
		if (!signs_itself(a->chain[i]))
			bad = json_array_append_new(
			        chain, describe_pem(a->chain[i]));
	if (bad == 0)
		return chain;
	json_decref(chain);
	return NULL;
}

static void issue_end(struct call *c, enum rc rc, const struct why *why)
{
	struct cert_issued *j = c->job;

	csr_free(j->a.csr);
	call_refuse(c, rc, why);
}

static void on_issued(void *ctx, const struct issued *r)
{
	struct call *c = ctx;
	const struct cert_issued *j = c->job;
	char serial[SERIAL_TEXT_BYTES];

	if (r->rc != RC_OK && r->rc != RC_DUPLICATE) {
		call_refuse(c, r->rc, &r->why);
		return;
	}
	call_answer(c, 200,
	        json_pack("{s:s, s:s, s:s, s:s, s:b, s:o, s:o}", "serial",
	                serial_text(serial, r->key.serial), "authority",
	                j->authority->conf->name, "profile", j->a.profile->name,
	                "device", j->a.device, "retried", r->retried,
	                "certificate", describe_pem(r->der), "chain",
	                describe_chain(j->authority)));
}

static void authorized(struct authorize *a)
{
	struct call *c = a->ctx;
	struct csr *csr = a->csr;

	if (a->rc == RC_OK && c->admin->closed) {
		grant_free(a->grant);
		issue_end(c, RC_UNAVAILABLE, NULL);
		return;
	}
	if (a->rc != RC_OK) {
		issue_end(c, a->rc, &a->why);
		return;
	}
	issuer_issue(c->admin->o.issuer, a->grant, csr, on_issued, c);
	csr_free(csr);
}

void cert_issue(struct call *c)
{
	struct cert_issued *j = call_job(c, sizeof(*j));
	struct why why = WHY_NONE;
	enum rc rc;

	if (j == NULL)
		return;
	rc = plan(c, j, &why);
	if (rc != RC_OK) {
		call_refuse(c, rc, &why);
		return;
	}
	j->a.names = &j->names;
	j->a.actor = c->actor;
	j->a.bring_csr = bring_csr;
	j->a.done = authorized;
	j->a.ctx = c;
	rc = authorize_operator(c->admin->o.authorizer, &j->a);
	if (rc == RC_PENDING)
		return;
	j->a.rc = rc;
	authorized(&j->a);
}
