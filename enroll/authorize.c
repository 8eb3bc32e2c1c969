#include "enroll/authorize.h"

#include "base/clock.h"
#include "base/pack.h"
#include "base/text.h"
#include "ca/generations.h"
#include "ca/grant_make.h"
#include "enroll/challenge.h"
#include "enroll/device.h"
#include "enroll/renewal.h"
#include "enroll/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A label, an authority, a transaction and a public key. */
#define POLL_MAX_BYTES 16384

struct authorizer {
	struct authorizer_opts o;
	struct digest *digest;
};

/* A decision goes through these; each read is judged once it is there. */
enum step {
	STEP_CERT,
	STEP_CERT_READ,
	STEP_CREDENTIAL,
	STEP_TOKEN,
	STEP_TOKEN_READ,
	STEP_DEVICE,
	STEP_DEVICE_READ,
	STEP_REQUEST,
	STEP_DONE,
};

enum rc authorizer_new(struct authorizer **out, const struct authorizer_opts *o)
{
	struct authorizer *z = calloc(1, sizeof(*z));
	enum rc rc;

	*out = NULL;
	if (z == NULL)
		return RC_NOMEM;
	z->o = *o;
	rc = digest_new(&z->digest);
	if (rc != RC_OK) {
		free(z);
		return rc;
	}
	*out = z;
	return RC_OK;
}

void authorizer_free(struct authorizer *z)
{
	if (z == NULL)
		return;
	digest_free(z->digest);
	free(z);
}

static enum rc proceed(struct authorize *a);

static void on_read(struct store_op *op)
{
	struct authorize *a = op->ctx;

	a->read_rc = op->rc;
	if (proceed(a) != RC_PENDING)
		a->done(a);
}

static struct store_op read_op(struct authorize *a)
{
	return (struct store_op){ .done = on_read, .ctx = a };
}

static enum rc read_begun(struct authorize *a, enum rc rc, enum step next)
{
	a->step = (int)next;
	a->read_rc = rc;
	return rc == RC_PENDING ? RC_PENDING : RC_OK;
}

static enum rc device_is(struct authorize *a, const char *id)
{
	size_t n = strlen(id);

	if (n >= sizeof(a->device))
		return RC_INTERNAL;
	memcpy(a->device, id, n + 1);
	return RC_OK;
}

/* An INTEGER's content octets, positive, as the store has serials. False: no
 * serial of ours. */
static bool serial_key(struct cert_key *key, struct bytes serial)
{
	if (serial.n > 1 && serial.p[0] == 0)
		serial = bytes_skip(serial, 1);
	if (serial.n == 0 || serial.n > sizeof(key->serial))
		return false;
	memset(key->serial, 0, sizeof(key->serial));
	memcpy(key->serial + sizeof(key->serial) - serial.n, serial.p,
	        serial.n);
	return true;
}

/* --- is the certificate shown one of ours? By exact record, never by name
 * (DESIGN rule 6): several generations of an authority share a name. */
static enum rc cert_next(struct authorize *a)
{
	const struct authorizer *z = a->z;

	if (!serial_key(&a->cert.key, a->leaf.serial) ||
	        !trust_generation(z->o.trust, a->leaf.issuer, &a->generation,
	                &a->own_authority)) {
		a->step = STEP_CREDENTIAL;
		return RC_OK;
	}
	a->cert.op = read_op(a);
	a->cert.key.authority = a->own_authority;
	buf_reset(&a->cert.der);
	return read_begun(a, store_fetch(z->o.store, &a->cert), STEP_CERT_READ);
}

static enum rc cert_read(struct authorize *a)
{
	uint8_t hash[STORE_HASH_BYTES];
	enum rc rc;

	a->step = STEP_CERT;
	if (a->read_rc == RC_NOTFOUND)
		return RC_OK;
	if (a->read_rc != RC_OK)
		return a->read_rc;
	rc = digest_sha256(a->z->digest, a->chain[0], hash);
	if (rc != RC_OK)
		return rc;
	if (bytes_eq(BYTES_ARRAY(hash), BYTES_ARRAY(a->cert.cert.cert_hash))) {
		a->own = true;
		a->step = STEP_CREDENTIAL;
	}
	return RC_OK;
}

/* --- our own certificate, to be renewed */
static enum rc own_standing(const struct store_cert *cert, struct why *why)
{
	switch (cert->state) {
	case CERT_ISSUED:
		break;
	case CERT_HELD:
		return why_set(why, RC_DENIED, "the certificate is on hold");
	case CERT_REVOKED:
		return why_set(why, RC_DENIED, "the certificate is revoked");
	case CERT_INTENT:
	case CERT_ABANDONED:
		return why_set(
		        why, RC_DENIED, "the certificate was never released");
	}
	if (cert->device[0] == '\0')
		return why_set(why, RC_DENIED,
		        "the certificate does not belong to a device");
	return RC_OK;
}

/* The audit trail names a certificate by its serial. */
static enum rc own_is_credential(struct authorize *a)
{
	struct buf text = BUF_INIT(sizeof(a->credential_text));
	const struct store_cert *cert = &a->cert.cert;
	const char *s;
	enum rc rc = RC_OK;

	a->credential.kind = CREDENTIAL_OWN;
	a->credential.cert = a->cert.key;
	buf_add_str(&text, "certificate ");
	hex_encode(&text, BYTES_ARRAY(a->cert.key.serial));
	s = buf_cstr(&text);
	if (s == NULL)
		rc = RC_INTERNAL;
	else
		memcpy(a->credential_text, s, text.n + 1);
	buf_free(&text);
	return rc == RC_OK ? device_is(a, cert->device) : rc;
}

static enum rc basic_names_device(struct authorize *a)
{
	if (a->basic != NULL && a->basic->user[0] != '\0' &&
	        strcmp(a->basic->user, a->device) != 0)
		return why_set(&a->why, RC_DENIED,
		        "user name and certificate are of different devices");
	return RC_OK;
}

static enum rc vouch(struct authorize *a, struct trust_device *device)
{
	const struct trust_chain chain = { a->chain, a->n_chain,
		a->chain_verified };

	return trust_vouch(device, a->z->o.trust, a->label, &chain,
	        clock_now_s(), &a->why);
}

static enum rc renew_foreign(struct authorize *a)
{
	struct trust_device device;
	enum rc rc;

	if (a->n_chain == 0)
		return why_set(&a->why, RC_NOCRED,
		        "renewal without the certificate to be renewed");
	rc = vouch(a, &device);
	if (rc == RC_NOMEM)
		return rc;
	a->verified = rc != RC_NOCRED;
	return why_set(&a->why, a->verified ? RC_DENIED : RC_NOCRED,
	        "the certificate presented for renewal was not issued here");
}

static enum rc renew(struct authorize *a)
{
	const struct conf_label *label = a->label;
	const struct store_cert *cert = &a->cert.cert;
	const char *authority;
	enum rc rc;

	if (!a->own)
		return renew_foreign(a);
	a->verified = true;
	rc = own_is_credential(a);
	if (rc == RC_OK)
		rc = own_standing(cert, &a->why);
	if (rc == RC_OK)
		rc = basic_names_device(a);
	if (rc != RC_OK)
		return rc;
	if ((label->allow & CONF_ALLOW_RENEWAL) == 0)
		return why_set(&a->why, RC_DENIED, "this label does not renew");
	authority = trust_generation_name(a->z->o.trust, a->own_authority);
	if (authority == NULL ||
	        !generation_continues(label->authority, authority) ||
	        strcmp(cert->profile, label->profile->name) != 0)
		return why_set(&a->why, RC_DENIED,
		        "the certificate is of another authority or profile "
		        "than this label's");
	a->step = STEP_DEVICE;
	return renewal_check_time(
	        label->profile, &a->leaf, clock_now_s(), &a->why);
}

/* --- a certificate that a configured anchor vouches for, ours among them when
 * the configuration says so */
static enum rc foreign_is_credential(
        struct authorize *a, const struct trust_device *device)
{
	enum rc rc;

	rc = device_is(a, device->id);
	if (rc == RC_OK)
		rc = basic_names_device(a);
	if (rc != RC_OK)
		return rc;
	memcpy(a->anchor, device->anchor->name,
	        strlen(device->anchor->name) + 1);
	if (snprintf(a->credential_text, sizeof(a->credential_text),
	            "idevid %s", a->anchor) < 0)
		return RC_INTERNAL;
	a->credential.kind = CREDENTIAL_FOREIGN;
	a->step = STEP_DEVICE;
	rc = digest_sha256(a->z->digest, a->leaf.spki, a->credential.spki_hash);
	return rc != RC_OK
	        ? rc
	        : digest_sha256(a->z->digest, a->chain[0], a->credential.hash);
}

static enum rc enroll_by_certificate(struct authorize *a)
{
	struct trust_device device;
	enum rc rc;

	rc = vouch(a, &device);
	a->verified = rc == RC_OK || rc == RC_DENIED;
	if (rc != RC_OK)
		return rc;
	if (!a->own)
		return foreign_is_credential(a, &device);
	rc = own_is_credential(a);
	if (rc == RC_OK)
		rc = own_standing(&a->cert.cert, &a->why);
	if (rc == RC_OK)
		rc = basic_names_device(a);
	if (rc == RC_OK && strcmp(device.id, a->device) != 0)
		rc = why_set(&a->why, RC_DENIED,
		        "the certificate names another device than its record");
	a->step = STEP_DEVICE;
	return rc;
}

/* A certificate beside a token or a shared challenge decides nothing, but must
 * not contradict it. One that nobody vouches for says nothing. */
static enum rc certificate_agrees(struct authorize *a)
{
	struct trust_device device;
	const char *id = device.id;
	enum rc rc = RC_OK;

	if (a->own)
		id = a->cert.cert.device;
	else if (a->n_chain == 0)
		return RC_OK;
	else
		rc = vouch(a, &device);
	if (rc == RC_NOMEM)
		return rc;
	if (rc == RC_OK && strcmp(id, a->device) != 0)
		return why_set(&a->why, RC_DENIED,
		        "%s and certificate are of different devices",
		        a->shared ? "request" : "token");
	/* What stands in a request was not seen by who brings it, but by who
	 * encrypted it. */
	if (rc != RC_OK && a->brought)
		return why_set(&a->why, RC_BADSIG,
		        "the message is not signed by the request's key, and "
		        "nobody vouches for the other one");
	a->why = WHY_NONE;
	return RC_OK;
}

/* --- a shared challenge: who it is, the request says */
static bool challenge_came(const struct authorize *a)
{
	if (a->poll_shared)
		return challenge_is_on(a->label);
	return a->basic != NULL &&
	        challenge_is(
	                a->z->digest, a->label, bytes_str(a->basic->secret));
}

static enum rc enroll_by_challenge(struct authorize *a)
{
	enum rc rc;

	a->verified = true;
	a->shared = true;
	challenge_anchor(a->anchor, a->label);
	(void)snprintf(a->credential_text, sizeof(a->credential_text),
	        "shared challenge of %s", a->anchor);
	a->credential.kind = CREDENTIAL_SHARED;
	a->step = STEP_DEVICE;
	rc = digest_sha256(
	        a->z->digest, bytes_str(a->anchor), a->credential.hash);
	if (rc == RC_OK)
		rc = a->bring_csr(a, &a->why);
	if (rc == RC_OK)
		rc = challenge_device(
		        a->device, a->label, csr_subject(a->csr), &a->why);
	return rc == RC_OK ? certificate_agrees(a) : rc;
}

/* Ours, but no anchor of this label vouches for it: it has another use. */
static enum rc own_elsewhere(struct authorize *a)
{
	a->verified = true;
	return why_set(&a->why, RC_DENIED,
	        "a certificate of ours is renewed by simplereenroll");
}

static enum rc enroll(struct authorize *a)
{
	uint32_t allow = a->label->allow;
	enum rc rc = RC_NOCRED;

	if (challenge_came(a))
		return enroll_by_challenge(a);
	if ((a->basic != NULL || a->poll_token != NULL) &&
	        (allow & CONF_ALLOW_TOKEN) != 0) {
		a->step = STEP_TOKEN;
		return RC_OK;
	}
	if (a->basic == NULL && a->n_chain == 0)
		return why_set(&a->why, RC_NOCRED, "no credential");
	why_set(&a->why, rc, "no credential of a kind that this label takes");
	if (a->n_chain > 0 && (allow & CONF_ALLOW_IDEVID) != 0)
		rc = enroll_by_certificate(a);
	return rc == RC_NOCRED && a->own ? own_elsewhere(a) : rc;
}

static enum rc credential_choose(struct authorize *a)
{
	return a->message == MESSAGE_RENEW ? renew(a) : enroll(a);
}

/* --- a token */
static enum rc token_begin(struct authorize *a)
{
	enum rc rc;

	a->token.op = read_op(a);
	if (a->poll_token != NULL)
		memcpy(a->token.hash, a->poll_token, sizeof(a->token.hash));
	else {
		rc = token_hash(a->z->digest, bytes_str(a->basic->secret),
		        a->token.hash);
		if (rc != RC_OK)
			return rc;
	}
	return read_begun(
	        a, store_token_get(a->z->o.store, &a->token), STEP_TOKEN_READ);
}

/* A spent token goes on: T1 alone knows whether this is the retry of the very
 * request that spent it (DESIGN rule 3), and refuses all others. So does one that
 * expired, where its request may wait for an operator since before. */
static enum rc token_standing(const struct store_token *token,
        const struct conf_label *label, int64_t now_us, struct why *why)
{
	char when[TEXT_TIME_BYTES];

	if (token->state == TOKEN_UNSPENT &&
	        label->approve != CONF_APPROVE_MANUAL &&
	        now_us >= token->expires_us)
		return why_set(why, RC_DENIED, "the token expired at %s",
		        text_time(when, token->expires_us / 1000000));
	return RC_OK;
}

/* The issuer, or a generation that it replaces: what was handed out before a
 * rollover is good after it. */
static bool token_is_for(struct authorize *a, uint32_t authority)
{
	const char *name;

	a->credential.cert.authority = authority;
	if (authority == a->issuer->id)
		return true;
	name = trust_generation_name(a->z->o.trust, authority);
	return name != NULL && generation_continues(a->issuer->conf, name);
}

static enum rc token_read(struct authorize *a)
{
	const struct store_token *token = &a->token.token;
	enum rc rc;

	if (a->read_rc == RC_NOTFOUND)
		return why_set(&a->why, RC_NOCRED, "no such token");
	if (a->read_rc != RC_OK)
		return a->read_rc;
	if (a->basic != NULL && a->basic->user[0] != '\0' &&
	        strcmp(token->device, a->basic->user) != 0)
		return why_set(
		        &a->why, RC_NOCRED, "the token is not that device's");
	a->verified = true;
	a->credential.kind = CREDENTIAL_TOKEN;
	memcpy(a->credential.hash, a->token.hash, sizeof(a->token.hash));
	memcpy(a->credential_text, "token", sizeof("token"));
	rc = device_is(a, token->device);
	if (rc != RC_OK)
		return rc;
	if (!token_is_for(a, token->authority) ||
	        strcmp(token->profile, a->profile->name) != 0)
		return why_set(&a->why, RC_DENIED,
		        "the token is for another authority or profile");
	rc = token_standing(token, a->label, clock_now_us(), &a->why);
	if (rc == RC_OK)
		rc = certificate_agrees(a);
	a->step = STEP_DEVICE;
	return rc;
}

/* --- the device */
static enum rc record_begin(struct authorize *a)
{
	a->record.op = read_op(a);
	a->record.id = a->device;
	return read_begun(a, store_device_get(a->z->o.store, &a->record),
	        STEP_DEVICE_READ);
}

static enum rc record_read(struct authorize *a)
{
	struct store_device *device = &a->record.device;

	a->step = STEP_REQUEST;
	if (a->read_rc == RC_NOTFOUND) {
		memset(device, 0, sizeof(*device));
		if (a->credential.kind == CREDENTIAL_OWN)
			return why_set(&a->why, RC_DENIED,
			        "the device is not on record any more");
		return RC_OK; /* T1 creates it */
	}
	if (a->read_rc != RC_OK)
		return a->read_rc;
	if (device->state != DEVICE_ACTIVE)
		return why_set(&a->why, RC_DENIED, "the device is suspended");
	if ((a->credential.kind == CREDENTIAL_FOREIGN || a->shared) &&
	        strcmp(device->anchor, a->anchor) != 0)
		return why_set(&a->why, RC_DENIED,
		        device->anchor[0] == '\0'
		                ? "the device id is on record as the "
		                  "operator's own: it enrols by token"
		                : "another authority vouches for this device "
		                  "id");
	return RC_OK;
}

/* --- the request, and the grant */
static enum rc renewal_judge(struct authorize *a, const uint8_t *spki_hash)
{
	bool same_key = bytes_eq(bytes_of(spki_hash, STORE_HASH_BYTES),
	        BYTES_ARRAY(a->cert.cert.spki_hash));

	if (same_key && a->profile->renew_new_key == CONF_NEW_KEY_REQUIRED)
		return why_set(&a->why, RC_DENIED,
		        "the profile demands a new key for renewal");
	return renewal_check_names(
	        &a->leaf, csr_subject(a->csr), csr_sans(a->csr), &a->why);
}

static enum rc requester_text(const struct authorize *a, char *out, size_t size)
{
	int n;

	if (a->label == NULL)
		n = snprintf(out, size, "%s", a->actor);
	else
		n = snprintf(out, size, "device %s via %s from %s", a->device,
		        a->credential_text, a->from);
	return n < 0 ? RC_INTERNAL : RC_OK; /* a long one is cut */
}

enum rc authorize_poll_hash(struct authorizer *z, uint8_t out[STORE_HASH_BYTES],
        const struct conf_label *label, const char *transaction,
        struct bytes poller)
{
	struct buf b = BUF_INIT(POLL_MAX_BYTES);
	enum rc rc;

	pack_str(&b, label->label);
	pack_str(&b, label->authority->name);
	pack_str(&b, transaction);
	pack_bytes(&b, poller);
	rc = b.failed;
	if (rc == RC_OK)
		rc = digest_sha256(z->digest, buf_bytes(&b), out);
	buf_free(&b);
	return rc;
}

/* An operator's approval is one more condition, which T1 reads with all the
 * others: it is of the very request that T1 is asked for. */
static enum rc wait_fill(struct authorize *a, struct grant_wait *wait)
{
	if (a->label == NULL || a->label->approve != CONF_APPROVE_MANUAL)
		return RC_OK;
	wait->label = a->label->label;
	wait->life_us = a->z->o.approve_life_us;
	wait->only_look = a->poll;
	if (a->poller.n == 0)
		return RC_OK;
	return authorize_poll_hash(
	        a->z, wait->poll, a->label, a->transaction, a->poller);
}

/* What was decided, as a grant. */
static enum rc grant(struct authorize *a, const uint8_t *spki_hash,
        const struct grant_names *names)
{
	char requester[STORE_ACTOR_MAX + 1];
	struct grant_spec spec = {
		.device = a->device,
		.anchor = a->anchor,
		.transaction = a->label != NULL ? a->transaction : NULL,
		.authority = a->issuer,
		.profile = a->profile,
		.names = names,
		.credential = a->credential,
		.requester = requester,
		.deadline_us = clock_now_us() + GRANT_LIFE_S * 1000000ll,
		.device_version = a->record.device.version,
		.authority_version = a->issuer->version,
	};
	enum rc rc = requester_text(a, requester, sizeof(requester));

	memcpy(spec.spki_hash, spki_hash, sizeof(spec.spki_hash));
	if (rc == RC_OK)
		rc = wait_fill(a, &spec.wait);
	return rc == RC_OK ? grant_make(&a->grant, &spec, &a->why) : rc;
}

static enum rc renewal_grant(struct authorize *a, const uint8_t *spki_hash)
{
	struct renewal_names names;
	enum rc rc = renewal_judge(a, spki_hash);

	if (rc != RC_OK)
		return rc;
	rc = renewal_names_read(
	        &names, &a->leaf, a->profile, a->device, &a->why);
	if (rc == RC_OK)
		rc = grant(a, spki_hash, &names.names);
	renewal_names_free(&names);
	return rc;
}

static enum rc request_judge(struct authorize *a)
{
	bool renewal = a->label != NULL && a->message == MESSAGE_RENEW;
	uint8_t spki_hash[STORE_HASH_BYTES];
	enum rc rc = RC_OK;

	a->step = STEP_DONE;
	if (a->csr == NULL)
		rc = a->bring_csr(a, &a->why);
	if (rc == RC_OK)
		rc = digest_sha256(
		        a->z->digest, csr_spki(a->csr)->der, spki_hash);
	if (rc != RC_OK)
		return rc;
	return renewal ? renewal_grant(a, spki_hash)
	               : grant(a, spki_hash, a->names);
}

/* --- all of it */
static enum rc proceed(struct authorize *a)
{
	static enum rc (*const steps[STEP_DONE])(struct authorize *) = {
		[STEP_CERT] = cert_next,
		[STEP_CERT_READ] = cert_read,
		[STEP_CREDENTIAL] = credential_choose,
		[STEP_TOKEN] = token_begin,
		[STEP_TOKEN_READ] = token_read,
		[STEP_DEVICE] = record_begin,
		[STEP_DEVICE_READ] = record_read,
		[STEP_REQUEST] = request_judge,
	};
	enum rc rc = RC_OK;

	while (rc == RC_OK && a->step != STEP_DONE)
		rc = steps[a->step](a);
	if (rc == RC_PENDING)
		return rc;
	buf_free(&a->cert.der);
	a->rc = rc;
	if (rc != RC_OK && a->why.text[0] == '\0')
		why_set(&a->why, rc, "%s", rc_info(rc)->text);
	return rc;
}

static enum rc start(struct authorizer *z, struct authorize *a, enum step step)
{
	a->z = z;
	a->step = (int)step;
	a->rc = RC_INTERNAL;
	a->why = WHY_NONE;
	a->csr = NULL;
	a->grant = NULL;
	a->verified = false;
	a->shared = false;
	a->own = false;
	a->generation = 0;
	a->device[0] = '\0';
	a->anchor[0] = '\0';
	memset(&a->credential, 0, sizeof(a->credential));
	a->cert.der = BUF_INIT(STORE_DER_MAX_BYTES);
	a->issuer = authorities_find(z->o.authorities, a->authority->name);
	if (a->issuer == NULL)
		return why_set(&a->why, RC_INTERNAL, "no authority %s",
		        a->authority->name);
	return RC_OK;
}

enum rc authorize_device(struct authorizer *z, struct authorize *a)
{
	bool shown;
	enum rc rc;

	a->authority = a->label->authority;
	a->profile = a->label->profile;
	a->names = NULL;
	rc = start(z, a, STEP_CERT);
	if (rc != RC_OK)
		return a->rc = rc;
	shown = a->n_chain > 0 &&
	        cert_parse(&a->leaf, a->chain[0], NULL) == RC_OK;
	if (!shown)
		a->step = STEP_CREDENTIAL;
	return proceed(a);
}

enum rc authorize_operator(struct authorizer *z, struct authorize *a)
{
	enum rc rc;

	a->label = NULL;
	rc = start(z, a, STEP_DEVICE);
	a->verified = true;
	if (rc == RC_OK)
		rc = device_id_check(a->device_id, &a->why);
	if (rc != RC_OK)
		return a->rc = rc;
	memcpy(a->device, a->device_id.p, a->device_id.n);
	a->device[a->device_id.n] = '\0';
	a->credential.kind = CREDENTIAL_OPERATOR;
	return proceed(a);
}

static enum rc grant_system(struct authorizer *z, struct grant **out,
        struct grant_spec *spec, const struct conf_authority *authority,
        struct bytes spki, struct why *why)
{
	enum rc rc;

	*out = NULL;
	spec->authority = authorities_find(z->o.authorities, authority->name);
	spec->credential.kind = CREDENTIAL_SYSTEM;
	spec->requester = "system";
	spec->deadline_us = clock_now_us() + GRANT_LIFE_S * 1000000ll;
	spec->system = true;
	if (spec->authority == NULL)
		return why_set(
		        why, RC_INTERNAL, "no authority %s", authority->name);
	spec->authority_version = spec->authority->version;
	rc = digest_sha256(z->digest, spki, spec->spki_hash);
	return rc == RC_OK ? grant_make(out, spec, why) : rc;
}

enum rc authorize_system(struct authorizer *z, struct grant **out,
        const struct conf_authority *authority,
        const struct conf_profile *profile, struct bytes spki,
        const struct grant_names *names, struct why *why)
{
	struct grant_spec spec = { .profile = profile, .names = names };

	return grant_system(z, out, &spec, authority, spki, why);
}

enum rc authorize_code(struct authorizer *z, struct grant **out,
        const struct conf_code *code, uint64_t device_version,
        struct bytes spki, struct why *why)
{
	struct grant_spec spec = { .profile = code->profile,
		.device = code->device,
		.device_version = device_version };

	return grant_system(z, out, &spec, code->authority, spki, why);
}
