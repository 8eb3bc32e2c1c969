/* admin/request.c - certification requests that wait for an operator: a label
 * has `approve: manual`. Who asked is a device; any operator decides. */
#include "admin/describe.h"
#include "admin/endpoint.h"
#include "base/clock.h"
#include "base/text.h"
#include "ca/san.h"
#include "ca/tbs_read.h"
#include "der/name.h"

#include <string.h>

#define NAMES_MAX_BYTES 16384

static const char *state_text(const struct store_waiting *r)
{
	bool late = r->closed_us == 0 && r->expires_us <= clock_now_us();

	switch (late ? WAITING_EXPIRED : r->state) {
	case WAITING_OPEN:
		return "waiting";
	case WAITING_APPROVED:
		return "approved";
	case WAITING_ISSUED:
		return "issued";
	case WAITING_DENIED:
		return "denied";
	case WAITING_EXPIRED:
		return "expired";
	}
	return "?";
}

static json_t *describe_waiting(const struct store_waiting *r)
{
	json_t *out = json_pack(
	        "{s:I, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "id",
	        (json_int_t)r->id, "state", state_text(r), "device", r->device,
	        "profile", r->profile, "label", r->label, "requester",
	        r->requester, "spki_sha256",
	        describe_hex(BYTES_ARRAY(r->spki_hash)), "request_sha256",
	        describe_hex(BYTES_ARRAY(r->request_hash)), "asked",
	        describe_time_us(r->asked_us), "expires",
	        describe_time_us(r->expires_us));
	int bad = out == NULL;

	if (bad == 0 && r->decided_us != 0)
		bad = json_object_set_new(out, "decided_by",
		              json_integer((json_int_t)r->decided_by)) +
		        json_object_set_new(out, "decided",
		                describe_time_us(r->decided_us));
	if (bad == 0 && r->closed_us != 0)
		bad = json_object_set_new(
		        out, "closed", describe_time_us(r->closed_us));
	if (bad == 0)
		return out;
	json_decref(out);
	return NULL;
}

/* --- to look */

struct listing {
	struct store_waiting_list list;
	struct store_waiting rows[STORE_ROWS_MAX];
};

static json_t *describe_rows(const struct listing *j)
{
	json_t *rows = json_array();

	for (size_t i = 0; rows != NULL && i < j->list.n; i++)
		if (json_array_append_new(
		            rows, describe_waiting(&j->rows[i])) != 0) {
			json_decref(rows);
			rows = NULL;
		}
	return rows;
}

static void listed(struct store_op *op)
{
	struct call *c = op->ctx;
	struct listing *j = c->job;

	if (op->rc == RC_OK)
		call_answer_page(c, "requests", describe_rows(j),
		        j->list.more ? &j->list.cursor : NULL);
	else
		call_refuse(c, op->rc, &op->why);
}

void request_list(struct call *c)
{
	struct listing *j = call_job(c, sizeof(*j));
	struct why why = WHY_NONE;
	enum rc rc;

	if (j == NULL)
		return;
	rc = call_page_by_state(
	        c, &j->list.closed, &j->list.cursor, &j->list.max, &why);
	if (rc != RC_OK) {
		call_refuse(c, rc, &why);
		return;
	}
	j->list.rows = j->rows;
	j->list.op = (struct store_op){ .done = listed, .ctx = c };
	call_store(
	        &j->list.op, store_waiting_list(c->admin->o.store, &j->list));
}

struct decision {
	struct store_waiting_get get;
	struct store_waiting_decide decide;
};

static json_t *text_of(struct buf *text)
{
	const char *s = buf_cstr(text);
	json_t *out = s != NULL ? json_string(s) : NULL;

	buf_free(text);
	return out;
}

/* "dns x.example, ip 192.0.2.1" */
static enum rc put_sans(struct buf *text, struct bytes value)
{
	struct san_list sans;
	enum rc rc = san_parse(&sans, value, NULL);

	for (size_t i = 0; rc == RC_OK && i < sans.n; i++) {
		buf_addf(text, "%s%s ", i == 0 ? "" : ", ",
		        san_kind_name(sans.entries[i].kind));
		rc = san_text(text, &sans.entries[i]);
	}
	return rc;
}

/* The names that would be certified, as the TBS has them. */
static int add_names(json_t *out, struct bytes tbs)
{
	struct buf subject = BUF_INIT(NAMES_MAX_BYTES);
	struct buf sans = BUF_INIT(NAMES_MAX_BYTES);
	struct tbs_view v;
	enum rc rc = tbs_read(&v, tbs, NULL);

	if (rc == RC_OK)
		rc = name_print(&subject, v.subject);
	if (rc == RC_OK && v.san != NULL)
		rc = put_sans(&sans, v.san->value);
	if (rc != RC_OK) {
		buf_free(&subject);
		buf_free(&sans);
		return -1;
	}
	return json_object_set_new(out, "subject", text_of(&subject)) +
	        json_object_set_new(out, "names", text_of(&sans));
}

static json_t *describe_request(const struct store_waiting_get *get)
{
	struct buf text = BUF_INIT(2 * STORE_REQUEST_MAX_BYTES);
	json_t *out = describe_waiting(&get->waiting);

	buf_add_str(&text, "-----BEGIN CERTIFICATE REQUEST-----\n");
	base64_encode(&text, buf_bytes(&get->request), 64);
	buf_add_str(&text, "-----END CERTIFICATE REQUEST-----\n");
	if (json_object_set_new(out, "request", text_of(&text)) == 0 &&
	        add_names(out, buf_bytes(&get->tbs)) == 0)
		return out;
	json_decref(out);
	return NULL;
}

static void shown(struct store_op *op)
{
	struct call *c = op->ctx;
	struct decision *j = c->job;
	json_t *out = op->rc == RC_OK ? describe_request(&j->get) : NULL;

	buf_free(&j->get.request);
	buf_free(&j->get.tbs);
	if (op->rc != RC_OK)
		call_refuse(c, op->rc, &op->why);
	else
		call_answer(c, 200, out);
}

static enum rc read_id(const char *text, uint64_t *id, struct why *why)
{
	return text_u64(bytes_str(text), INT64_MAX, id) == RC_OK && *id != 0
	        ? RC_OK
	        : why_set(why, RC_NOTFOUND, "no such request");
}

void request_show(struct call *c)
{
	struct decision *j = call_job(c, sizeof(*j));
	struct why why = WHY_NONE;
	char rest[24];
	enum rc rc;

	if (j == NULL)
		return;
	rc = call_rest(c, rest, sizeof(rest), &why);
	if (rc == RC_OK)
		rc = read_id(rest, &j->get.id, &why);
	if (rc != RC_OK) {
		call_refuse(c, rc, &why);
		return;
	}
	j->get.request = BUF_INIT(STORE_REQUEST_MAX_BYTES);
	j->get.tbs = BUF_INIT(STORE_DER_MAX_BYTES);
	j->get.op = (struct store_op){ .done = shown, .ctx = c };
	call_store(&j->get.op, store_waiting_get(c->admin->o.store, &j->get));
}

/* --- to decide */

static void decided(struct store_op *op)
{
	struct call *c = op->ctx;
	const struct decision *j = c->job;

	if (op->rc != RC_OK)
		call_refuse(c, op->rc, &op->why);
	else
		call_answer(c, 200, describe_waiting(&j->decide.waiting));
}

/* …/ID/approve, …/ID/deny */
void request_decide(struct call *c)
{
	struct decision *j = call_job(c, sizeof(*j));
	struct why why = WHY_NONE;
	char rest[40], *verb;
	enum rc rc;

	if (j == NULL)
		return;
	rc = call_rest(c, rest, sizeof(rest), &why);
	verb = rc == RC_OK ? strchr(rest, '/') : NULL;
	if (rc == RC_OK && verb != NULL) {
		*verb++ = '\0';
		j->decide.approve = strcmp(verb, "approve") == 0;
	}
	if (rc == RC_OK &&
	        (verb == NULL ||
	                (!j->decide.approve && strcmp(verb, "deny") != 0)))
		rc = why_set(&why, RC_NOTFOUND, "want …/approve or …/deny");
	if (rc == RC_OK)
		rc = read_id(rest, &j->decide.id, &why);
	if (rc != RC_OK) {
		call_refuse(c, rc, &why);
		return;
	}
	j->decide.by = c->uid;
	j->decide.op = (struct store_op){
		.done = decided, .ctx = c, .actor = c->actor
	};
	call_store(&j->decide.op,
	        store_waiting_decide(c->admin->o.store, &j->decide));
}
