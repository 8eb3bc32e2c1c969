/* Authorities: taken back for good. */
#include "admin/approval.h"
#include "admin/describe.h"
#include "admin/endpoint.h"
#include "base/log.h"
#include "ca/cert.h"

#include <string.h>

struct revocation {
	struct authority *authority;
	struct store_authority_revoke revoke;
};

/* What the parent's ceremony is told: RFC 5280 section 5.1.2.6. */
static json_t *describe_revoked(
        const struct authority *a, const struct store_authority_revoke *r)
{
	struct cert c;
	bool read = cert_parse(&c, a->der, NULL) == RC_OK;
	json_t *out = json_pack("{s:s, s:I, s:s, s:s, s:o, s:b, s:b}", "name",
	        a->conf->name, "id", (json_int_t)a->id, "state", "revoked",
	        "reason", reason_text(r->authority.reason), "revoked",
	        describe_time_us(r->authority.revoked_us), "changed",
	        r->changed, "self_signed",
	        read && bytes_eq(c.issuer, c.subject));

	if (out != NULL && read &&
	        json_object_set_new(out, "serial", describe_hex(c.serial)) == 0)
		return out;
	json_decref(out);
	return NULL;
}

static void revoked(struct store_op *op)
{
	struct call *c = op->ctx;
	struct revocation *j = c->job;

	if (op->rc != RC_OK) {
		call_refuse(c, op->rc, &op->why);
		return;
	}
	j->authority->state = j->revoke.authority.state;
	j->authority->version = j->revoke.authority.version;
	if (j->revoke.changed)
		log_event(LOG_WARN, "authority.revoked", "authority",
		        j->authority->conf->name, "reason",
		        reason_text(j->revoke.authority.reason), NULL);
	call_answer(c, 200, describe_revoked(j->authority, &j->revoke));
}

static void revoke(struct call *c)
{
	struct revocation *j = c->job;

	j->revoke.id = j->authority->id;
	j->revoke.op = (struct store_op){
		.done = revoked, .ctx = c, .actor = c->actor
	};
	call_store(&j->revoke.op,
	        store_authority_revoke(c->admin->o.store, &j->revoke));
}

static enum rc plan(struct call *c, struct revocation *j, struct why *why)
{
	char rest[CONF_NAME_MAX + 16], *verb;
	const char *reason;
	enum rc rc = call_rest(c, rest, sizeof(rest), why);

	if (rc != RC_OK)
		return rc;
	verb = strchr(rest, '/');
	if (verb == NULL || strcmp(verb, "/revoke") != 0)
		return why_set(why, RC_NOTFOUND, "want …/revoke");
	*verb = '\0';
	j->authority = authorities_find(c->admin->o.authorities, rest);
	if (j->authority == NULL)
		return why_set(why, RC_NOTFOUND,
		        "no authority %s in the configuration", rest);
	rc = call_body(c, why, "{s:s}", "reason", &reason);
	if (rc == RC_OK)
		rc = reason_parse(reason, &j->revoke.reason, why);
	if (rc == RC_OK && j->revoke.reason == REASON_CERTIFICATE_HOLD)
		rc = why_set(why, RC_MALFORMED,
		        "reason: an authority is not put on hold");
	return rc;
}

/* …/NAME/revoke */
void authority_change(struct call *c)
{
	struct revocation *j = call_job(c, sizeof(*j));
	struct approval_want want = { .action = "authority.revoke",
		.approvals = c->admin->o.conf->approvals };
	struct why why = WHY_NONE;
	json_t *parameters = NULL;
	enum rc rc;

	if (j == NULL)
		return;
	rc = plan(c, j, &why);
	if (rc == RC_OK) {
		parameters = json_pack("{s:s, s:o}", "reason",
		        reason_text(j->revoke.reason), "certificate_sha256",
		        describe_hex(BYTES_ARRAY(j->authority->cert_hash)));
		rc = parameters != NULL ? RC_OK : RC_NOMEM;
	}
	if (rc != RC_OK) {
		call_refuse(c, rc, &why);
		return;
	}
	want.object = j->authority->conf->name;
	want.parameters = parameters;
	call_approve(c, &want, revoke);
	json_decref(parameters);
}
