/* Code signatures: of a file that never comes here, by its digest. What is
 * asked for is on record before the signer is asked, and the signature before it
 * is released (DESIGN rule 1). */
#include "admin/approval.h"
#include "admin/describe.h"
#include "admin/endpoint.h"
#include "admin/role.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "ca/cert.h"
#include "ca/code.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX 128 /* of its name */
#define DIGEST_MAX_BYTES 64
#define DIGEST_NAME_BYTES 8
#define TBS_MAX_BYTES (STORE_DER_MAX_BYTES + 4096)
#define SIGN_TIMEOUT_US (30 * INT64_C(1000000)) /* an HSM may stand behind it */

static const char *digest_name(enum sig_alg alg)
{
	switch (alg_digest(alg)) {
	case OID_SHA256:
		return "sha256";
	case OID_SHA384:
		return "sha384";
	case OID_SHA512:
		return "sha512";
	default:
		return "";
	}
}

struct signing {
	/* as it was asked for */
	const char *algorithm, *digest_text, *file;
	json_int_t size;
	uint8_t digest[DIGEST_MAX_BYTES];
	size_t n_digest;
	size_t index; /* of the key */
	/* of the key, as it was when the first entry was written */
	struct buf cert;
	enum sig_alg alg;
	char serial[SERIAL_TEXT_BYTES];
	struct buf tbs, cms;
	struct bytes attrs;
	/* steps */
	struct store_status_row row;
	struct store_status status;
	struct store_stat stat;
	struct signer_call ask;
	struct store_audit audit;
	char detail[STORE_TEXT_MAX + 1];
	enum rc failed;
	struct why why;
};

static const struct code_key *key_of(const struct call *c)
{
	const struct signing *j = c->job;

	return code_keys_at(c->admin->o.code, j->index);
}

static void forget(struct signing *j)
{
	buf_free(&j->cert);
	buf_free(&j->tbs);
	buf_free(&j->cms);
}

static void refuse(struct call *c, enum rc rc, const struct why *why)
{
	forget(c->job);
	call_refuse(c, rc, why);
}

/* --- the list */

static bool may_use(const struct call *c, const struct conf_code *code)
{
	struct role_asker who;
	gid_t groups[CALL_GROUPS_MAX];

	if (c->role < CONF_ROLE_OPERATOR)
		return false;
	if (c->role == CONF_ROLE_ADMIN || code->n_access == 0)
		return true;
	call_asker(c, &who, groups);
	return role_is_listed(code->access, code->n_access, &who);
}

static json_t *describe_key(const struct call *c, const struct code_key *k)
{
	const struct conf_code *conf = k->conf;
	char serial[SERIAL_TEXT_BYTES];
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:b}", "name",
	        conf->name, "key", conf->key->name, "authority",
	        conf->authority->name, "profile", conf->profile->name, "device",
	        conf->device, "approvals", (json_int_t)conf->approvals,
	        "may_use", may_use(c, conf));
	int bad = o == NULL;

	if (bad == 0 && k->spki.n > 0)
		bad = json_object_set_new(
		              o, "algorithm", json_string(alg_name(k->alg))) |
		        json_object_set_new(
		                o, "digest", json_string(digest_name(k->alg)));
	if (bad == 0 && k->cert.n > 0)
		bad = json_object_set_new(o, "serial",
		              json_string(serial_text(
		                      serial, k->cert_key.serial))) |
		        json_object_set_new(o, "not_after",
		                describe_time_s(k->not_after_s)) |
		        json_object_set_new(
		                o, "certificate", describe_pem(k->cert));
	if (bad == 0 && k->why.text[0] != '\0')
		bad = json_object_set_new(
		        o, "failure", json_string(k->why.text));
	if (bad == 0)
		return o;
	json_decref(o);
	return NULL;
}

void code_list(struct call *c)
{
	const struct code_keys *keys = c->admin->o.code;
	json_t *list = json_array();
	json_t *out = json_pack("{s:o}", "code", list);
	int bad = out == NULL;

	for (size_t i = 0; keys && bad == 0 && i < code_keys_count(keys); i++)
		bad = json_array_append_new(
		        list, describe_key(c, code_keys_at(keys, i)));
	if (bad != 0) {
		json_decref(out);
		out = NULL;
	}
	call_answer(c, 200, out);
}

/* --- what is wanted */

static enum rc find_key(struct call *c, const char *name, struct why *why)
{
	const struct code_keys *keys = c->admin->o.code;
	struct signing *j = c->job;
	size_t n = keys != NULL ? code_keys_count(keys) : 0;

	if (name == NULL && n != 1)
		return why_set(why, RC_NOTFOUND,
		        n == 0 ? "no code keys are configured"
		               : "key: which of the code keys?");
	for (j->index = 0; name != NULL && j->index < n; j->index++)
		if (strcmp(key_of(c)->conf->name, name) == 0)
			break;
	if (j->index == n)
		return why_set(why, RC_NOTFOUND, "no code key %s", name);
	if (!may_use(c, key_of(c)->conf))
		return why_set(why, RC_PERMISSION,
		        "uid %lu is not in code.%s.access",
		        (unsigned long)c->uid, key_of(c)->conf->name);
	return RC_OK;
}

static enum rc check_ready(const struct code_key *k, struct why *why)
{
	int64_t now_s = clock_now_s();

	if (k->cert.n == 0)
		return why_set(why, RC_UNAVAILABLE,
		        "code key %s has no certificate: %s", k->conf->name,
		        k->why.text);
	if (now_s < k->not_before_s || now_s > k->not_after_s)
		return why_set(why, RC_UNAVAILABLE,
		        "the certificate of code key %s is not valid now",
		        k->conf->name);
	return RC_OK;
}

static enum rc read_digest(
        struct signing *j, const struct code_key *k, struct why *why)
{
	struct buf b = BUF_INIT(DIGEST_MAX_BYTES);
	enum rc rc = RC_OK;

	if (strcmp(j->algorithm, digest_name(k->alg)) != 0)
		rc = why_set(why, RC_UNSUPPORTED,
		        "code key %s signs %s (RFC 5652 section 5.4, RFC 8419 "
		        "section 3.1)",
		        k->conf->name, digest_name(k->alg));
	if (rc == RC_OK &&
	        (hex_decode(&b, bytes_str(j->digest_text)) != RC_OK ||
	                b.n != alg_digest_bytes(alg_digest(k->alg))))
		rc = why_set(why, RC_MALFORMED,
		        "digest: want %zu octets in hexadecimal",
		        alg_digest_bytes(alg_digest(k->alg)));
	if (rc == RC_OK) {
		memcpy(j->digest, b.p, b.n);
		j->n_digest = b.n;
	}
	buf_free(&b);
	return rc;
}

static enum rc check_file(const struct signing *j, struct why *why)
{
	size_t n = strlen(j->file);

	if (n == 0 || n > FILE_MAX || !text_is_print(bytes_str(j->file)))
		return why_set(why, RC_MALFORMED,
		        "file: want a name of 1 to %d printable characters",
		        FILE_MAX);
	if (j->size < 0)
		return why_set(why, RC_MALFORMED, "size: under 0");
	return RC_OK;
}

static enum rc plan(struct call *c, struct signing *j, struct why *why)
{
	const char *name = NULL;
	enum rc rc = call_body(c, why, "{s?s, s:s, s:s, s:I, s:s}", "key",
	        &name, "algorithm", &j->algorithm, "digest", &j->digest_text,
	        "size", &j->size, "file", &j->file);

	if (rc == RC_OK)
		rc = find_key(c, name, why);
	if (rc == RC_OK)
		rc = check_ready(key_of(c), why);
	if (rc == RC_OK)
		rc = read_digest(j, key_of(c), why);
	return rc == RC_OK ? check_file(j, why) : rc;
}

/* What the other operator agrees to. */
static json_t *describe_plan(const struct call *c)
{
	const struct signing *j = c->job;

	return json_pack("{s:s, s:s, s:s, s:I, s:s}", "key",
	        key_of(c)->conf->name, "algorithm", j->algorithm, "digest",
	        j->digest_text, "size", j->size, "file", j->file);
}

/* --- on record */

static void enter(struct call *c, const char *event, uint64_t approval,
        store_done_fn *done)
{
	struct signing *j = c->job;

	j->audit = (struct store_audit){
		.op = { .done = done, .ctx = c, .actor = c->actor },
		.event = event,
		.object = key_of(c)->conf->name,
		.detail = j->detail,
		.approval = approval,
	};
	call_store(&j->audit.op, store_audit(c->admin->o.store, &j->audit));
}

static void failed(struct store_op *op)
{
	struct call *c = op->ctx;
	struct signing *j = c->job;

	refuse(c, j->failed, &j->why);
}

static void fail(struct call *c, enum rc rc, const struct why *why)
{
	struct signing *j = c->job;

	j->failed = rc;
	(void)why_set(&j->why, rc, "%s",
	        why->text[0] != '\0' ? why->text : rc_info(rc)->text);
	log_event(LOG_WARN, "code.not_signed", "key", key_of(c)->conf->name,
	        "why", j->why.text, NULL);
	(void)snprintf(j->detail, sizeof(j->detail), "%s %s not signed: %s",
	        j->algorithm, j->digest_text, j->why.text);
	enter(c, "code.fail", 0, failed);
}

/* --- in good standing */

static void look_up(struct call *c, store_done_fn *done)
{
	struct signing *j = c->job;

	j->status = (struct store_status){
		.op = { .done = done, .ctx = c },
		.rows = &j->row,
		.n = 1,
	};
	call_store(&j->status.op, store_status(c->admin->o.store, &j->status));
}

/* What is signed under a certificate that is held or revoked would be
 * refused. */
static enum rc check_status(const struct call *c, struct why *why)
{
	const struct signing *j = c->job;

	if (j->row.state == CERT_ISSUED)
		return RC_OK;
	return why_set(why, RC_DENIED,
	        "the certificate of code key %s is revoked or held",
	        key_of(c)->conf->name);
}

/* --- released */

static void signed_and_entered(struct store_op *op)
{
	struct call *c = op->ctx;
	struct signing *j = c->job;
	struct buf text = BUF_INIT(2 * CODE_CMS_MAX_BYTES);
	json_t *answer = NULL;

	if (op->rc != RC_OK) {
		struct why why = op->why;

		buf_free(&text);
		/* The approval is gone: what was signed is thrown away. */
		if (op->rc == RC_CONFLICT)
			fail(c, op->rc, &why);
		else
			refuse(c, op->rc, &why);
		return;
	}
	metric_add(c->admin->o.metrics, METRIC_CODE_SIGNED, 1);
	base64_encode(&text, buf_bytes(&j->cms), 0);
	if (buf_cstr(&text) != NULL)
		answer = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "key",
		        key_of(c)->conf->name, "cms", buf_cstr(&text), "serial",
		        j->serial, "algorithm", j->algorithm, "digest",
		        j->digest_text, "audit", (json_int_t)j->audit.number);
	buf_free(&text);
	forget(j);
	call_answer(c, 200, answer);
}

static enum rc assemble(struct call *c, struct bytes signature)
{
	const struct authority *a = key_of(c)->authority;
	struct signing *j = c->job;
	struct bytes certs[CMS_CERTS_MAX];
	struct cert *cert = malloc(sizeof(*cert));
	struct code_signed s = { .alg = j->alg,
		.cert = buf_bytes(&j->cert),
		.chain = certs,
		.attrs = j->attrs,
		.signature = signature };
	enum rc rc = cert == NULL
	        ? RC_NOMEM
	        : cert_parse(cert, buf_bytes(&j->cert), &j->why);

	/* All but the root, which the verifier has. */
	certs[s.n_chain++] = a->der;
	for (size_t i = 0; i + 1 < a->n_chain && s.n_chain < CMS_CERTS_MAX; i++)
		certs[s.n_chain++] = a->chain[i];
	if (rc == RC_OK) {
		s.issuer = cert->issuer;
		s.serial = cert->serial;
		rc = code_cms_put(&j->cms, &s);
	}
	free(cert);
	return rc;
}

/* A signer that signs wrongly is broken or not ours. */
static enum rc verify(struct call *c, struct bytes signature)
{
	struct signing *j = c->job;
	struct cert *cert = malloc(sizeof(*cert));
	struct spki spki;
	enum rc rc = cert == NULL
	        ? RC_NOMEM
	        : cert_parse(cert, buf_bytes(&j->cert), &j->why);

	if (rc == RC_OK)
		rc = spki_parse(&spki, cert->spki, &j->why);
	if (rc == RC_OK)
		rc = pubkey_prove(c->admin->keys, &spki, j->alg, j->attrs,
		        signature, &j->why);
	free(cert);
	if (rc == RC_OK || rc == RC_NOMEM)
		return rc;
	log_event(LOG_ERROR, "code.bad_signature", "key", key_of(c)->conf->name,
	        "why", j->why.text, NULL);
	return why_set(
	        &j->why, RC_INTERNAL, "the signer's signature does not verify");
}

/* It may have been revoked since. */
static void looked_up_again(struct store_op *op)
{
	struct call *c = op->ctx;
	struct why why = op->why;
	enum rc rc = op->rc != RC_OK ? op->rc : check_status(c, &why);

	if (rc == RC_OK)
		enter(c, "code.sign", call_approval(c), signed_and_entered);
	else
		fail(c, rc, &why);
}

static void on_signed(struct signer_call *ask)
{
	struct call *c = ask->ctx;
	struct signing *j = c->job;
	struct buf hex = BUF_INIT(2 * DIGEST_SHA256_BYTES);
	uint8_t hash[DIGEST_SHA256_BYTES];
	struct why why;
	enum rc rc = ask->rc;

	j->why = ask->why;
	if (rc == RC_OK)
		rc = verify(c, ask->signature);
	if (rc == RC_OK)
		rc = assemble(c, ask->signature);
	if (rc == RC_OK)
		rc = digest_sha256(c->admin->digest, buf_bytes(&j->cms), hash);
	if (rc == RC_OK) {
		hex_encode(&hex, BYTES_ARRAY(hash));
		rc = buf_cstr(&hex) != NULL ? RC_OK : RC_NOMEM;
	}
	if (rc != RC_OK) {
		why = j->why;
		fail(c, rc, &why);
	} else {
		(void)snprintf(j->detail, sizeof(j->detail),
		        "%s %s, certificate %s, CMS of sha256 %s", j->algorithm,
		        j->digest_text, j->serial, buf_cstr(&hex));
		look_up(c, looked_up_again);
	}
	buf_free(&hex);
}

/* --- signed */

static void sign(struct store_op *op)
{
	struct call *c = op->ctx;
	struct signing *j = c->job;
	enum rc rc;

	if (op->rc != RC_OK) {
		refuse(c, op->rc, &op->why);
		return;
	}
	j->ask = (struct signer_call){
		.key = key_of(c)->conf->key->name,
		.purpose = SIGNER_CODE,
		.tbs = buf_bytes(&j->tbs),
		.done = on_signed,
		.ctx = c,
		.deadline_us = clock_mono_us() + SIGN_TIMEOUT_US,
	};
	rc = signer_sign(c->admin->o.signer, &j->ask);
	if (rc != RC_PENDING) {
		struct why why = j->ask.why;

		fail(c, rc, &why);
	}
}

static enum rc build(struct call *c, struct why *why)
{
	const struct code_key *k = key_of(c);
	struct signing *j = c->job;
	struct code_signature s = { .alg = k->alg,
		.digest = bytes_of(j->digest, j->n_digest),
		.time_s = clock_now_s(),
		.cert_sha256 = BYTES_ARRAY(k->cert_sha256) };
	enum rc rc = check_ready(k, why);

	if (rc != RC_OK)
		return rc;
	/* The keeper may have the next one before this is signed. */
	buf_add(&j->cert, k->cert);
	j->alg = k->alg;
	serial_text(j->serial, k->cert_key.serial);
	s.cert = buf_bytes(&j->cert);
	return j->cert.failed != RC_OK ? j->cert.failed
	                               : code_tbs_put(&j->tbs, &j->attrs, &s);
}

/* Below the clock's floor (DESIGN rule 11) signingTime would be wrong. */
static enum rc judge(struct call *c, struct why *why)
{
	const struct signing *j = c->job;
	enum rc rc = check_status(c, why);

	if (rc != RC_OK)
		return rc;
	if (clock_now_us() < j->stat.clock_floor_us)
		return why_set(why, RC_UNAVAILABLE,
		        "the clock is behind what is on record: see mica "
		        "store floor");
	return RC_OK;
}

static void looked_up(struct store_op *op)
{
	struct call *c = op->ctx;
	struct signing *j = c->job;
	struct why why = op->why;
	enum rc rc = op->rc;

	if (rc == RC_OK)
		rc = judge(c, &why);
	if (rc == RC_OK)
		rc = build(c, &why);
	if (rc != RC_OK) {
		refuse(c, rc, &why);
		return;
	}
	(void)snprintf(j->detail, sizeof(j->detail),
	        "%s %s, certificate %s, %" JSON_INTEGER_FORMAT
	        " bytes, file %s",
	        j->algorithm, j->digest_text, j->serial, j->size, j->file);
	enter(c, "code.begin", 0, sign);
}

static void look_up_floor(struct store_op *op)
{
	struct call *c = op->ctx;
	struct signing *j = c->job;

	if (op->rc != RC_OK) {
		refuse(c, op->rc, &op->why);
		return;
	}
	j->stat.op = (struct store_op){ .done = looked_up, .ctx = c };
	call_store(&j->stat.op, store_stat(c->admin->o.store, &j->stat));
}

static void go(struct call *c)
{
	struct signing *j = c->job;

	j->row.key = key_of(c)->cert_key;
	look_up(c, look_up_floor);
}

void code_sign(struct call *c)
{
	struct signing *j = call_job(c, sizeof(*j));
	struct approval_want want = { .action = "code.sign", .later = true };
	struct why why = WHY_NONE;
	json_t *parameters = NULL;
	enum rc rc;

	if (j == NULL)
		return;
	j->cert = BUF_INIT(STORE_DER_MAX_BYTES);
	j->tbs = BUF_INIT(TBS_MAX_BYTES);
	j->cms = BUF_INIT(CODE_CMS_MAX_BYTES);
	rc = plan(c, j, &why);
	if (rc == RC_OK) {
		parameters = describe_plan(c);
		rc = parameters != NULL ? RC_OK : RC_NOMEM;
	}
	if (rc != RC_OK) {
		refuse(c, rc, &why);
		return;
	}
	want.object = key_of(c)->conf->name;
	want.parameters = parameters;
	want.approvals = key_of(c)->conf->approvals;
	call_approve(c, &want, go);
	json_decref(parameters);
}
