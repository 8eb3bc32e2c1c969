#include "enroll/code_keys.h"

#include "base/clock.h"
#include "base/log.h"
#include "ca/keypolicy.h"
#include "der/time.h"

#include <stdlib.h>
#include <string.h>

#define SPKI_MAX_BYTES 4096
/* How soon the record is looked at again: for a revocation, or after a failure.
 * It is a few rows. */
#define LOOK_AGAIN_S 30
#define ROWS_MAX 32

struct one {
	struct code_keys *all;
	struct code_key key;
	struct buf spki, cert;
	uint8_t spki_hash[STORE_HASH_BYTES];
	int64_t look_s; /* not before then */
	bool busy;
	/* what the record says */
	struct store_list list;
	struct store_cert rows[ROWS_MAX];
	struct store_cert newest; /* of this key; state 0: none */
	struct store_fetch fetch;
	struct store_device_get device;
};

struct code_keys {
	struct code_keys_opts o;
	struct digest *digest;
	struct one *list;
	size_t n;
};

static void done(struct one *o)
{
	o->busy = false;
	o->look_s = clock_now_s() + LOOK_AGAIN_S;
}

static void tell(const struct one *o)
{
	if (o->all->o.changed != NULL)
		o->all->o.changed(o->all->o.ctx, &o->key);
}

/* Told once: the same again is no news. */
static void fail(struct one *o, enum rc rc, const struct why *why)
{
	struct why now = WHY_NONE;
	bool news;

	(void)why_set(&now, rc, "%s",
	        why->text[0] != '\0' ? why->text : rc_info(rc)->text);
	news = strcmp(now.text, o->key.why.text) != 0;
	if (news)
		log_event(LOG_ERROR, o->all->o.failed_event, "key",
		        o->key.conf->name, "why", now.text, NULL);
	o->key.why = now;
	o->key.cert = BYTES_NONE;
	/* What was refused is no more; what failed may be there still. */
	if (news && rc == RC_DENIED)
		tell(o);
	done(o);
}

static void run(struct store_op *op, enum rc begun)
{
	if (begun == RC_PENDING)
		return;
	op->rc = begun;
	op->done(op);
}

/* --- the certificate */

static enum rc take(struct one *o, struct bytes der, struct why *why)
{
	struct cert *c = malloc(sizeof(*c));
	enum rc rc;

	if (c == NULL)
		return RC_NOMEM;
	buf_reset(&o->cert);
	buf_add(&o->cert, der);
	rc = o->cert.failed;
	if (rc == RC_OK)
		rc = cert_parse(c, buf_bytes(&o->cert), why);
	if (rc == RC_OK)
		rc = digest_sha256(o->all->digest, buf_bytes(&o->cert),
		        o->key.cert_sha256);
	if (rc == RC_OK) {
		o->key.not_before_s = c->not_before_s;
		o->key.not_after_s = c->not_after_s;
		o->key.cert = buf_bytes(&o->cert);
		o->key.why = WHY_NONE;
	}
	free(c);
	return rc;
}

static void keep(struct one *o, enum rc rc, const struct cert_key *key,
        struct bytes der, struct why *why)
{
	if (rc == RC_OK)
		rc = take(o, der, why);
	if (rc != RC_OK) {
		fail(o, rc, why);
		return;
	}
	o->key.cert_key = *key;
	tell(o);
	done(o);
}

static void issued(void *ctx, const struct issued *result)
{
	struct one *o = ctx;
	struct why why = result->why;
	enum rc rc = result->rc == RC_DUPLICATE ? RC_OK : result->rc;

	keep(o, rc, &result->key, result->der, &why);
	if (o->key.cert.n > 0)
		log_event(LOG_NOTICE, o->all->o.issued_event, "key",
		        o->key.conf->name, "authority",
		        o->key.conf->authority->name, NULL);
}

static void issue(struct one *o, uint64_t device_version)
{
	struct why why = WHY_NONE;
	struct grant *grant = NULL;
	enum rc rc = authorize_code(o->all->o.authorizer, &grant, o->key.conf,
	        device_version, o->key.spki, &why);

	if (rc == RC_OK)
		issuer_issue_system(
		        o->all->o.issuer, grant, o->key.spki, issued, o);
	else
		fail(o, rc, &why);
}

static void on_device(struct store_op *op)
{
	struct one *o = op->ctx;

	if (op->rc == RC_OK)
		issue(o, o->device.device.version);
	else if (op->rc == RC_NOTFOUND)
		issue(o, 0);
	else
		fail(o, op->rc, &op->why);
}

static void want_one(struct one *o)
{
	o->device = (struct store_device_get){
		.op = { .done = on_device, .ctx = o },
		.id = o->key.conf->device,
	};
	run(&o->device.op, store_device_get(o->all->o.store, &o->device));
}

static void on_fetched(struct store_op *op)
{
	struct one *o = op->ctx;

	keep(o, op->rc, &o->fetch.key, buf_bytes(&o->fetch.der), &op->why);
	buf_free(&o->fetch.der);
}

static void fetch(struct one *o)
{
	if (o->key.cert.n > 0 &&
	        memcmp(&o->key.cert_key, &o->newest.key,
	                sizeof(o->newest.key)) == 0) {
		done(o);
		return;
	}
	o->fetch = (struct store_fetch){
		.op = { .done = on_fetched, .ctx = o },
		.key = o->newest.key,
		.der = BUF_INIT(STORE_DER_MAX_BYTES),
	};
	run(&o->fetch.op, store_fetch(o->all->o.store, &o->fetch));
}

/* --- what there is on record */

static bool is_due(const struct store_cert *c)
{
	int64_t life_s = c->not_after_s - c->not_before_s;

	if (c->not_after_s == TIME_NEVER_S)
		return false;
	return clock_now_s() >= c->not_before_s + life_s / 3 * 2;
}

static void judge(struct one *o)
{
	const struct store_cert *c = &o->newest;
	struct why why = WHY_NONE;

	switch (c->state) {
	case CERT_ISSUED:
		/* The issuer's own end may be near: then no other is better. */
		if (is_due(c) && c->not_after_s < o->key.authority->not_after_s)
			want_one(o);
		else
			fetch(o);
		break;
	case CERT_HELD:
		fail(o, why_set(&why, RC_DENIED, "its certificate is held"),
		        &why);
		break;
	case CERT_REVOKED:
		if (c->reason == REASON_SUPERSEDED)
			want_one(o);
		else
			fail(o,
			        why_set(&why, RC_DENIED,
			                "its certificate was revoked"),
			        &why);
		break;
	default:
		want_one(o);
	}
}

static void list_more(struct one *o);

static void on_listed(struct store_op *op)
{
	struct one *o = op->ctx;

	if (op->rc != RC_OK && op->rc != RC_NOTFOUND) {
		fail(o, op->rc, &op->why);
		return;
	}
	for (size_t i = 0; op->rc == RC_OK && i < o->list.n; i++) {
		const struct store_cert *c = &o->rows[i];

		if (c->key.authority == o->key.authority->id &&
		        memcmp(c->spki_hash, o->spki_hash, STORE_HASH_BYTES) ==
		                0 &&
		        (c->state == CERT_ISSUED || c->state == CERT_HELD ||
		                c->state == CERT_REVOKED))
			o->newest = *c;
	}
	if (op->rc == RC_OK && o->list.more)
		list_more(o);
	else
		judge(o);
}

static void list_more(struct one *o)
{
	o->list.op = (struct store_op){ .done = on_listed, .ctx = o };
	run(&o->list.op, store_list(o->all->o.store, &o->list));
}

static void look(struct one *o)
{
	o->busy = true;
	o->newest = (struct store_cert){ 0 };
	o->list = (struct store_list){ .by = LIST_BY_DEVICE,
		.device = o->key.conf->device,
		.rows = o->rows,
		.max = ROWS_MAX };
	list_more(o);
}

/* --- keys */

/* As the signer has it (mica-signer(8)). */
static enum sig_alg alg_of(enum key_type type, const struct conf_key *key)
{
	switch (type) {
	case KEY_P256:
		return ALG_ECDSA_SHA256;
	case KEY_P384:
		return ALG_ECDSA_SHA384;
	case KEY_ED25519:
		return ALG_ED25519;
	case KEY_RSA:
		return key->padding == CONF_PADDING_PSS ? ALG_RSA_PSS_SHA256
		                                        : ALG_RSA_SHA256;
	default:
		return ALG_NONE;
	}
}

static enum rc read_key(struct one *o, struct bytes der, struct why *why)
{
	struct spki spki;
	enum rc rc;

	buf_reset(&o->spki);
	buf_add(&o->spki, der);
	rc = o->spki.failed;
	if (rc == RC_OK)
		rc = spki_parse(&spki, buf_bytes(&o->spki), why);
	if (rc == RC_OK &&
	        !(keypolicy_type(&spki) & o->key.conf->profile->keys))
		rc = why_set(why, RC_DENIED,
		        "key %s is of a type that profile %s does not have",
		        o->key.conf->key->name, o->key.conf->profile->name);
	if (rc == RC_OK)
		rc = digest_sha256(
		        o->all->digest, buf_bytes(&o->spki), o->spki_hash);
	if (rc != RC_OK)
		return rc;
	o->key.alg = alg_of(spki.type, o->key.conf->key);
	o->key.spki = buf_bytes(&o->spki);
	return RC_OK;
}

static void loaded(struct one *o, struct bytes der)
{
	struct why why = WHY_NONE;
	enum rc rc;

	/* The signer's keys are the same for its whole life, and after it. */
	if (o->busy || bytes_eq(o->key.spki, der))
		return;
	o->key.spki = BYTES_NONE;
	rc = read_key(o, der, &why);
	if (rc == RC_OK)
		look(o);
	else
		fail(o, rc, &why);
}

void code_keys_loaded(struct code_keys *k, const char *name, struct bytes spki)
{
	for (size_t i = 0; i < k->n; i++)
		if (strcmp(k->list[i].key.conf->key->name, name) == 0)
			loaded(&k->list[i], spki);
}

void code_keys_tick(struct code_keys *k)
{
	int64_t now_s = clock_now_s();

	for (size_t i = 0; i < k->n; i++) {
		struct one *o = &k->list[i];

		if (o->key.spki.n > 0 && !o->busy && now_s >= o->look_s)
			look(o);
	}
}

bool code_keys_busy(const struct code_keys *k)
{
	for (size_t i = 0; i < k->n; i++)
		if (k->list[i].busy)
			return true;
	return false;
}

size_t code_keys_count(const struct code_keys *k)
{
	return k->n;
}

const struct code_key *code_keys_at(const struct code_keys *k, size_t i)
{
	return &k->list[i].key;
}

enum rc code_keys_new(struct code_keys **out, const struct code_keys_opts *o)
{
	struct code_keys *k = calloc(1, sizeof(*k));
	enum rc rc = RC_NOMEM;

	*out = NULL;
	if (k == NULL)
		return RC_NOMEM;
	k->o = *o;
	k->list = calloc(o->n + 1, sizeof(*k->list));
	if (k->list != NULL)
		rc = digest_new(&k->digest);
	if (rc != RC_OK) {
		code_keys_free(k);
		return rc;
	}
	for (; k->n < o->n; k->n++) {
		struct one *one = &k->list[k->n];
		const struct conf_code *c = &o->list[k->n];

		one->all = k;
		one->key.conf = c;
		one->key.authority =
		        authorities_find(o->authorities, c->authority->name);
		one->spki = BUF_INIT(SPKI_MAX_BYTES);
		one->cert = BUF_INIT(STORE_DER_MAX_BYTES);
		(void)why_set(&one->key.why, RC_UNAVAILABLE,
		        "the signer has not told of its key");
	}
	*out = k;
	return RC_OK;
}

void code_keys_free(struct code_keys *k)
{
	if (k == NULL)
		return;
	for (size_t i = 0; i < k->n; i++) {
		buf_free(&k->list[i].spki);
		buf_free(&k->list[i].cert);
	}
	digest_free(k->digest);
	free(k->list);
	free(k);
}
