#include "storage/engine.h"

#include "base/text.h"
#include <string.h>

enum rc store_open(struct store **out, const struct store_opts *o,
        struct loop *loop, struct why *why)
{
	return lmdb_store_open(out, o, loop, why);
}

void store_close(struct store *s)
{
	if (s != NULL)
		s->engine->close(s);
}

uint64_t store_slot(const struct store *s)
{
	return s->engine->slot(s);
}

/* --- inputs against the limits of the header */

struct check {
	struct store_op *op;
	enum rc rc;
};

static void need_length(struct check *c, const char *what, size_t n, size_t max)
{
	if (c->rc == RC_OK && n > max)
		c->rc = why_set(&c->op->why, RC_TOOBIG,
		        "%s is longer than %zu bytes", what, max);
}

static void need_text(
        struct check *c, const char *what, const char *text, size_t max)
{
	if (text != NULL)
		need_length(c, what, strnlen(text, max + 1), max);
}

/* A key of ours: printable, and not empty. */
static void need_name(
        struct check *c, const char *what, const char *text, size_t max)
{
	need_text(c, what, text, max);
	if (c->rc != RC_OK)
		return;
	if (text == NULL || text[0] == '\0' || !text_is_print(bytes_str(text)))
		c->rc = why_set(&c->op->why, RC_MALFORMED,
		        "%s is empty or not printable", what);
}

static struct check check_op(struct store_op *op, enum store_kind kind)
{
	struct check c = { op, RC_OK };

	op->kind = (uint8_t)kind;
	op->next = NULL;
	op->why = WHY_NONE;
	need_text(&c, "the actor", op->actor, STORE_ACTOR_MAX);
	return c;
}

static enum rc write_op(struct store *s, const struct check *c)
{
	enum rc rc = c->rc;

	if (rc == RC_OK)
		rc = s->engine->write(s, c->op);
	/* One that is pending is the engine's, and may be done already. */
	if (rc != RC_PENDING)
		c->op->rc = rc;
	return rc;
}

static enum rc read_op(struct store *s, const struct check *c)
{
	enum rc rc = c->rc;

	if (rc == RC_OK)
		rc = s->engine->read(s, c->op);
	/* One that is pending is the engine's, and may be done already. */
	if (rc != RC_PENDING)
		c->op->rc = rc;
	return rc;
}

/* --- writes */

enum rc store_issue_begin(struct store *s, struct store_issue_begin *op)
{
	struct check c = check_op(&op->op, KIND_ISSUE_BEGIN);

	if (op->device != NULL && op->device[0] != '\0')
		need_name(&c, "the device id", op->device, STORE_DEVICE_ID_MAX);
	need_text(&c, "the anchor", op->anchor, STORE_NAME_MAX);
	need_name(&c, "the profile", op->profile, STORE_NAME_MAX);
	if (op->quota != NULL)
		need_name(&c, "the quota", op->quota, STORE_NAME_MAX);
	need_length(&c, "the TBS", op->tbs.n, STORE_DER_MAX_BYTES);
	if (op->wait != NULL) {
		need_text(&c, "the label", op->wait->label, STORE_NAME_MAX);
		need_length(&c, "the request", op->wait->request.n,
		        STORE_REQUEST_MAX_BYTES);
	}
	return write_op(s, &c);
}

enum rc store_issue_finish(struct store *s, struct store_issue_finish *op)
{
	struct check c = check_op(&op->op, KIND_ISSUE_FINISH);

	need_length(&c, "the certificate", op->der.n, STORE_DER_MAX_BYTES);
	return write_op(s, &c);
}

enum rc store_abandon(struct store *s, struct store_abandon *op)
{
	struct check c = check_op(&op->op, KIND_ABANDON);

	return write_op(s, &c);
}

/* RFC 5280 section 5.3.1: 7 is not used, and 8 is for delta CRLs alone. */
static void need_reason(
        struct check *c, enum store_status_change change, enum cert_reason r)
{
	if (c->rc != RC_OK || change != STATUS_REVOKE)
		return;
	if (r < REASON_UNSPECIFIED || r > REASON_AA_COMPROMISE || r == 7 ||
	        r == 8)
		c->rc = why_set(&c->op->why, RC_MALFORMED, "no such reason: %d",
		        (int)r);
	else if (r == REASON_CERTIFICATE_HOLD)
		c->rc = why_set(&c->op->why, RC_CONFLICT,
		        "certificateHold is no revocation");
}

enum rc store_set_status(struct store *s, struct store_set_status *op)
{
	struct check c = check_op(
	        &op->op, op->dry_run ? KIND_WOULD_SET_STATUS : KIND_SET_STATUS);

	need_reason(&c, op->change, op->reason);
	return op->dry_run ? read_op(s, &c) : write_op(s, &c);
}

enum rc store_revoke(struct store *s, struct store_revoke *op)
{
	struct check c = check_op(
	        &op->op, op->dry_run ? KIND_WOULD_REVOKE : KIND_REVOKE);

	need_reason(&c, op->change, op->reason);
	need_length(&c, "the list", op->n_authorities, STORE_ROWS_MAX);
	if (op->by == REVOKE_BY_DEVICE) {
		need_name(&c, "the device id", op->device, STORE_DEVICE_ID_MAX);
		if (c.rc == RC_OK && op->change != STATUS_REVOKE)
			c.rc = why_set(&op->op.why, RC_UNSUPPORTED,
			        "a device is suspended and resumed");
	}
	return op->dry_run ? read_op(s, &c) : write_op(s, &c);
}

enum rc store_device_put(struct store *s, struct store_device_put *op)
{
	struct check c = check_op(&op->op, KIND_DEVICE_PUT);

	need_name(&c, "the device id", op->device.id, STORE_DEVICE_ID_MAX);
	need_text(&c, "the anchor", op->device.anchor, STORE_NAME_MAX);
	need_text(&c, "the note", op->device.note, STORE_TEXT_MAX);
	return write_op(s, &c);
}

enum rc store_device_suspend(struct store *s, struct store_device_suspend *op)
{
	struct check c = check_op(&op->op, KIND_DEVICE_SUSPEND);

	need_name(&c, "the device id", op->id, STORE_DEVICE_ID_MAX);
	return write_op(s, &c);
}

enum rc store_token_put(struct store *s, struct store_token_put *op)
{
	struct check c = check_op(&op->op, KIND_TOKEN_PUT);

	need_name(&c, "the device id", op->token.device, STORE_DEVICE_ID_MAX);
	need_name(&c, "the profile", op->token.profile, STORE_NAME_MAX);
	return write_op(s, &c);
}

enum rc store_quota_put(struct store *s, struct store_quota_put *op)
{
	struct check c = check_op(&op->op, KIND_QUOTA_PUT);

	need_name(&c, "the quota", op->quota.name, STORE_NAME_MAX);
	return write_op(s, &c);
}

enum rc store_quota_change(struct store *s, struct store_quota_change *op)
{
	struct check c = check_op(&op->op, KIND_QUOTA_CHANGE);

	need_name(&c, "the quota", op->name, STORE_NAME_MAX);
	return write_op(s, &c);
}

enum rc store_authority_put(struct store *s, struct store_authority_put *op)
{
	struct check c = check_op(&op->op, KIND_AUTHORITY_PUT);

	need_name(&c, "the authority", op->authority.name, STORE_NAME_MAX);
	need_length(&c, "the certificate", op->der.n, STORE_DER_MAX_BYTES);
	return write_op(s, &c);
}

enum rc store_authority_revoke(
        struct store *s, struct store_authority_revoke *op)
{
	struct check c = check_op(&op->op, KIND_AUTHORITY_REVOKE);

	need_reason(&c, STATUS_REVOKE, op->reason);
	return write_op(s, &c);
}

enum rc store_key_block(struct store *s, struct store_key_block *op)
{
	struct check c = check_op(&op->op, KIND_KEY_BLOCK);

	return write_op(s, &c);
}

enum rc store_audit(struct store *s, struct store_audit *op)
{
	struct check c = check_op(&op->op, KIND_AUDIT);
	const struct store_audit_row *row = NULL;

	need_name(&c, "the event", op->event, sizeof(row->event) - 1);
	need_text(&c, "the object", op->object, sizeof(row->object) - 1);
	need_text(&c, "the detail", op->detail, STORE_TEXT_MAX);
	return write_op(s, &c);
}

enum rc store_crl_begin(struct store *s, struct store_crl_begin *op)
{
	struct check c = check_op(&op->op, KIND_CRL_BEGIN);

	need_length(&c, "the list", op->n_also, STORE_ROWS_MAX);
	return write_op(s, &c);
}

enum rc store_crl_commit(struct store *s, struct store_crl_commit *op)
{
	struct check c = check_op(&op->op, KIND_CRL_COMMIT);

	return write_op(s, &c);
}

enum rc store_supersede(struct store *s, struct store_supersede *op)
{
	struct check c = check_op(&op->op, KIND_SUPERSEDE);

	return write_op(s, &c);
}

enum rc store_floor_lower(struct store *s, struct store_floor_lower *op)
{
	struct check c = check_op(&op->op, KIND_FLOOR_LOWER);

	return write_op(s, &c);
}

enum rc store_approval_ask(struct store *s, struct store_approval_ask *op)
{
	struct check c = check_op(&op->op, KIND_APPROVAL_ASK);
	struct store_approval *a = &op->approval;

	need_name(&c, "the action", a->action, STORE_ACTION_MAX);
	need_name(&c, "the object", a->object, STORE_NAME_MAX);
	need_text(&c, "the detail", a->detail, STORE_TEXT_MAX);
	return write_op(s, &c);
}

enum rc store_approval_decide(struct store *s, struct store_approval_decide *op)
{
	struct check c = check_op(&op->op, KIND_APPROVAL_DECIDE);

	return write_op(s, &c);
}

enum rc store_approval_expire(struct store *s, struct store_approval_expire *op)
{
	struct check c = check_op(&op->op, KIND_APPROVAL_EXPIRE);

	return write_op(s, &c);
}

enum rc store_waiting_decide(struct store *s, struct store_waiting_decide *op)
{
	struct check c = check_op(&op->op, KIND_WAITING_DECIDE);

	return write_op(s, &c);
}

enum rc store_waiting_expire(struct store *s, struct store_waiting_expire *op)
{
	struct check c = check_op(&op->op, KIND_WAITING_EXPIRE);

	return write_op(s, &c);
}

/* --- reads */

enum rc store_fetch(struct store *s, struct store_fetch *op)
{
	struct check c = check_op(&op->op, KIND_FETCH);

	return read_op(s, &c);
}

enum rc store_list(struct store *s, struct store_list *op)
{
	struct check c = check_op(&op->op, KIND_LIST);

	if (op->by == LIST_BY_DEVICE)
		need_name(&c, "the device id", op->device, STORE_DEVICE_ID_MAX);
	need_length(&c, "the list", op->max, STORE_ROWS_MAX);
	return read_op(s, &c);
}

enum rc store_status(struct store *s, struct store_status *op)
{
	struct check c = check_op(&op->op, KIND_STATUS);

	need_length(&c, "the list", op->n, STORE_ROWS_MAX);
	return read_op(s, &c);
}

enum rc store_feed(struct store *s, struct store_feed *op)
{
	struct check c = check_op(&op->op, KIND_FEED);

	need_length(&c, "the list", op->max, STORE_ROWS_MAX);
	return read_op(s, &c);
}

enum rc store_device_get(struct store *s, struct store_device_get *op)
{
	struct check c = check_op(&op->op, KIND_DEVICE_GET);

	need_name(&c, "the device id", op->id, STORE_DEVICE_ID_MAX);
	return read_op(s, &c);
}

enum rc store_device_list(struct store *s, struct store_device_list *op)
{
	struct check c = check_op(&op->op, KIND_DEVICE_LIST);

	need_length(&c, "the list", op->max, STORE_ROWS_MAX);
	return read_op(s, &c);
}

enum rc store_token_get(struct store *s, struct store_token_get *op)
{
	struct check c = check_op(&op->op, KIND_TOKEN_GET);

	return read_op(s, &c);
}

enum rc store_quota_get(struct store *s, struct store_quota_get *op)
{
	struct check c = check_op(&op->op, KIND_QUOTA_GET);

	need_name(&c, "the quota", op->name, STORE_NAME_MAX);
	return read_op(s, &c);
}

enum rc store_authority_list(struct store *s, struct store_authority_list *op)
{
	struct check c = check_op(&op->op, KIND_AUTHORITY_LIST);

	need_length(&c, "the list", op->max, STORE_ROWS_MAX);
	return read_op(s, &c);
}

enum rc store_authority_get(struct store *s, struct store_authority_get *op)
{
	struct check c = check_op(&op->op, KIND_AUTHORITY_GET);

	return read_op(s, &c);
}

enum rc store_audit_scan(struct store *s, struct store_audit_scan *op)
{
	struct check c = check_op(&op->op, KIND_AUDIT_SCAN);

	need_length(&c, "the list", op->max, STORE_ROWS_MAX);
	return read_op(s, &c);
}

enum rc store_stat(struct store *s, struct store_stat *op)
{
	struct check c = check_op(&op->op, KIND_STAT);

	return read_op(s, &c);
}

/* Asked before each cached answer: nothing here costs more than it must. */
enum rc store_changes(struct store *s, struct store_changes *op)
{
	op->op.kind = KIND_CHANGES;
	op->op.next = NULL;
	op->op.why.text[0] = '\0';
	op->op.rc = s->engine->read(s, &op->op);
	return op->op.rc;
}

enum rc store_crl_scan(struct store *s, struct store_crl_scan *op)
{
	struct check c = check_op(&op->op, KIND_CRL_SCAN);

	need_length(&c, "the list", op->max, STORE_ROWS_MAX);
	return read_op(s, &c);
}

enum rc store_crl_last(struct store *s, struct store_crl_last *op)
{
	struct check c = check_op(&op->op, KIND_CRL_LAST);

	return read_op(s, &c);
}

enum rc store_crl_list(struct store *s, struct store_crl_list *op)
{
	struct check c = check_op(&op->op, KIND_CRL_LIST);

	need_length(&c, "the list", op->max, STORE_ROWS_MAX);
	return read_op(s, &c);
}

enum rc store_approval_get(struct store *s, struct store_approval_get *op)
{
	struct check c = check_op(&op->op, KIND_APPROVAL_GET);

	return read_op(s, &c);
}

enum rc store_approval_list(struct store *s, struct store_approval_list *op)
{
	struct check c = check_op(&op->op, KIND_APPROVAL_LIST);

	need_length(&c, "the list", op->max, STORE_ROWS_MAX);
	return read_op(s, &c);
}

enum rc store_waiting_get(struct store *s, struct store_waiting_get *op)
{
	struct check c = check_op(&op->op, KIND_WAITING_GET);

	return read_op(s, &c);
}

enum rc store_waiting_list(struct store *s, struct store_waiting_list *op)
{
	struct check c = check_op(&op->op, KIND_WAITING_LIST);

	need_length(&c, "the list", op->max, STORE_ROWS_MAX);
	return read_op(s, &c);
}

enum rc store_census(struct store *s, struct store_census *op)
{
	struct check c = check_op(&op->op, KIND_CENSUS);

	return read_op(s, &c);
}
