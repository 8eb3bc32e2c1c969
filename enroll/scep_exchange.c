/* One PKIOperation (RFC 8894 section 3): read, checked, opened by the signer,
 * authorized, answered with a CertRep that the signer signs. What cannot be
 * answered so, or may be tried again unchanged, is answered by HTTP's status.
 * Whatever is wrong before what came in the envelope has proven to be the
 * sender's own has one failInfo and one text for each messageType: nobody
 * learns what a ciphertext decrypts to, of which he is not the author. */
#include "enroll/scep_priv.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/text.h"
#include "ca/certs_only.h"
#include "ca/csr.h"
#include "ca/tbs_check.h"
#include "enroll/challenge.h"

#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define MESSAGE_TYPE "application/x-pki-message" /* section 4.3 */
#define SIGNER_WAIT_US (30 * INT64_C(1000000))
#define TBS_MAX_BYTES 8192

struct exchange {
	struct scep *scep;
	struct http_req *req;
	const struct scep_label *label;
	struct ra *ra;
	struct scep_message message;
	struct buf content; /* of the envelope, decrypted */
	struct signer_call call;
	struct buf tbs; /* what the signer is asked about */
	struct authorize a;
	struct basic basic;
	struct bytes chain[CMS_READ_CERTS_MAX];
	struct csr *csr;
	struct store_fetch fetch;
	struct store_waiting_get poll;
	struct scep_reply reply;
	struct buf sealed;
	char fail_text[SCEP_REFUSAL_TEXT_BYTES];
	char from[NET_ADDR_TEXT_BYTES];
	char transaction[SCEP_TRANSACTION_MAX_BYTES + 1];
};

static void exchange_free(struct exchange *x)
{
	x->scep->pending--;
	ra_unref(x->ra);
	scep_message_free(&x->message);
	buf_wipe(&x->content);
	buf_free(&x->tbs);
	buf_free(&x->sealed);
	buf_free(&x->fetch.der);
	buf_free(&x->poll.request);
	buf_free(&x->poll.tbs);
	csr_free(x->csr);
	bytes_wipe(&x->basic, sizeof(x->basic));
	free(x);
}

static void refuse_plain(struct exchange *x, enum rc rc, const struct why *why)
{
	scep_refuse_plain(x->scep, x->req,
	        &(struct scep_refusal){ rc, why, x->a.device, x->a.verified,
	                x->label->conf->label });
	exchange_free(x);
}

/* --- the signer */
static void ask_signer(struct exchange *x, enum signer_purpose purpose,
        void (*done)(struct signer_call *call))
{
	enum rc rc;

	x->call = (struct signer_call){ .key = x->ra->key_name,
		.purpose = purpose,
		.tbs = buf_bytes(&x->tbs),
		.done = done,
		.ctx = x,
		.deadline_us = clock_mono_us() + SIGNER_WAIT_US };
	rc = x->tbs.failed != RC_OK ? x->tbs.failed
	                            : signer_sign(x->scep->o.signer, &x->call);
	if (rc != RC_PENDING)
		refuse_plain(x, rc, &x->call.why);
}

/* --- the answer */
static void on_signed(struct signer_call *call)
{
	const struct http_header type = { "Content-Type", MESSAGE_TYPE };
	struct exchange *x = call->ctx;
	struct buf out = BUF_INIT(CERTS_ONLY_MAX_BYTES);
	enum rc rc = call->rc;

	if (rc == RC_OK)
		rc = scep_reply_put(&out, &x->reply, &x->ra->view,
		        buf_bytes(&x->tbs), call->signature);
	if (rc == RC_OK) {
		http_answer(x->req, 200, &type, 1, buf_bytes(&out));
		exchange_free(x);
	} else {
		/* Nothing that the client did. */
		refuse_plain(x,
		        rc_info(rc)->http_status == 503 ? rc : RC_INTERNAL,
		        &call->why);
	}
	buf_free(&out);
}

/* It tells no name, but alone asks that its messages are not cached. */
static bool is_cryptlib(const struct http_req *req)
{
	return http_req_header(req, "User-Agent").n == 0 &&
	        bytes_eq_str(http_req_header(req, "Cache-Control"),
	                "no-cache, no-store");
}

static void reply(struct exchange *x)
{
	struct why why = WHY_NONE;
	enum rc rc;

	x->reply.to = &x->message;
	x->reply.detached = is_cryptlib(x->req);
	rand_fill(x->reply.nonce, sizeof(x->reply.nonce));
	buf_reset(&x->tbs);
	rc = scep_reply_put_attrs(&x->tbs, &x->reply, x->scep->crypt);
	if (rc == RC_OK)
		ask_signer(x, SIGNER_CERTREP, on_signed);
	else
		refuse_plain(x, rc, &why);
}

static void fail(struct exchange *x, enum rc rc, const struct why *why)
{
	const struct rc_info *info = rc_info(rc);

	if (info->http_status >= 500) {
		refuse_plain(x, rc, why);
		return;
	}
	scep_refused(x->scep, x->req,
	        &(struct scep_refusal){ rc, why, x->a.device, x->a.verified,
	                x->label->conf->label },
	        x->fail_text);
	if (x->a.shared)
		metric_add_by(x->scep->o.metrics, METRIC_SHARED_REFUSED,
		        x->label->conf->label, 1);
	x->reply.status = SCEP_FAILURE;
	x->reply.fail = info->scep_fail_info;
	x->reply.fail_text = x->fail_text;
	reply(x);
}

/* A message without signature, for the key that signed the one that came
 * (section 3.3.2.1). */
static void succeed_with(struct exchange *x, struct bytes content)
{
	const struct cms_id to = { .issuer = x->message.signer.issuer,
		.serial = x->message.signer.serial };
	struct why why = WHY_NONE;
	enum rc rc = scep_crypt_seal(x->scep->crypt, &x->sealed,
	        x->message.envelope.cipher, x->message.pkey, &to, content);

	if (rc != RC_OK) {
		refuse_plain(x, RC_INTERNAL, &why);
		return;
	}
	x->reply.status = SCEP_SUCCESS;
	x->reply.content = buf_bytes(&x->sealed);
	reply(x);
}

static void succeed(struct exchange *x, struct bytes cert)
{
	struct buf certs = BUF_INIT(CERTS_ONLY_MAX_BYTES);
	struct why why = WHY_NONE;
	enum rc rc = certs_only_put(&certs, &cert, 1);

	if (rc == RC_OK)
		succeed_with(x, buf_bytes(&certs));
	else
		refuse_plain(x, rc, &why);
	buf_free(&certs);
}

/* --- PKCSReq and RenewalReq (section 3.3.1) */
static void log_issued(const struct exchange *x, const struct issued *result)
{
	struct buf serial = BUF_INIT(2 * STORE_SERIAL_BYTES + 1);
	struct metrics *m = x->scep->o.metrics;
	const char *event = "scep.enrolled";

	if (result->retried) {
		event = "scep.retried";
		metric_add(m, METRIC_SCEP_RETRIED, 1);
	} else if (x->a.message == MESSAGE_RENEW) {
		event = "scep.renewed";
		metric_add(m, METRIC_SCEP_RENEWED, 1);
	} else {
		metric_add(m, METRIC_SCEP_ENROLLED, 1);
		if (x->a.shared)
			metric_add_by(m, METRIC_SHARED_ENROLLED,
			        x->label->conf->label, 1);
	}
	hex_encode(&serial, BYTES_ARRAY(result->key.serial));
	log_event(LOG_INFO, event, "device", x->a.device, "serial",
	        buf_cstr(&serial), "label", x->label->conf->label, "credential",
	        x->a.shared ? "shared challenge" : NULL, "peer", x->from, NULL);
	buf_free(&serial);
}

/* An operator has not decided yet (section 3.3.2.3). */
static void reply_pending(struct exchange *x)
{
	log_event(LOG_INFO, "scep.waits", "device", x->a.device, "label",
	        x->label->conf->label, "peer", x->from, NULL);
	x->reply.status = SCEP_PENDING;
	reply(x);
}

static void on_issued(void *ctx, const struct issued *result)
{
	struct exchange *x = ctx;
	struct why why = result->why;

	if (result->rc == RC_WAITING) {
		reply_pending(x);
		return;
	}
	if (result->rc != RC_OK && result->rc != RC_DUPLICATE) {
		fail(x, result->rc, &why);
		return;
	}
	log_issued(x, result);
	/* Who shares his credential with others is no cause to trust him with
	 * more. */
	if (!result->retried && !x->a.shared)
		limit_give(x->scep->o.limit, http_req_addr(x->req), 1);
	succeed(x, result->der);
}

static void on_authorized(struct authorize *a)
{
	struct exchange *x = a->ctx;

	if (a->rc == RC_NOCRED && a->basic != NULL && challenge_is_on(a->label))
		metric_add_by(x->scep->o.metrics, METRIC_SHARED_WRONG,
		        x->label->conf->label, 1);
	if (a->rc != RC_OK)
		fail(x, a->rc, &a->why);
	else
		issuer_issue(x->scep->o.issuer, a->grant, x->csr, on_issued, x);
}

/* It was read before: the token stands in it. */
static enum rc bring_csr(struct authorize *a, struct why *why)
{
	struct exchange *x = a->ctx;

	(void)why;
	a->csr = x->csr;
	return RC_OK;
}

static enum rc take_challenge(struct exchange *x, struct why *why)
{
	struct bytes challenge;

	if (!csr_challenge(x->csr, &challenge) || challenge.n == 0)
		return RC_OK;
	if (challenge.n >= sizeof(x->basic.secret) || !text_is_print(challenge))
		return why_set(why, RC_NOCRED,
		        "challengePassword is nothing that a token can be");
	memcpy(x->basic.secret, challenge.p, challenge.n);
	x->a.basic = &x->basic;
	return RC_OK;
}

/* Own certificate first; the order of the others does not matter. What is no
 * certificate goes no further: libcrypto reads those that do. */
static void take_chain(struct exchange *x)
{
	const struct cms_signed *cms = &x->message.cms;
	struct cert other;

	x->chain[0] = x->message.signer.der;
	x->a.n_chain = 1;
	for (size_t i = 0; i < cms->n_certs; i++)
		if (!bytes_eq(cms->certs[i], x->chain[0]) &&
		        cert_parse(&other, cms->certs[i], NULL) == RC_OK)
			x->chain[x->a.n_chain++] = cms->certs[i];
	x->a.chain = x->chain;
}

/* Who signed the message: the request's own key, under a certificate that it
 * made itself (section 2.3), or the holder of a certificate, ours to be renewed
 * or one that an anchor vouches for. Older clients renew by PKCSReq. */
static enum rc bind_signer(struct exchange *x, struct why *why)
{
	const struct scep_message *m = &x->message;
	bool renewal = m->type == SCEP_RENEWAL_REQ;

	x->a.message = renewal ? MESSAGE_RENEW : MESSAGE_ENROLL;
	x->a.brought = !bytes_eq(m->key.der, csr_spki(x->csr)->der);
	if (!scep_signer_is_self(m)) {
		take_chain(x);
		if (authorities_by_issuer(x->scep->o.authorities,
		            m->signer.issuer, BYTES_NONE) != NULL)
			x->a.message = MESSAGE_RENEW;
		return RC_OK;
	}
	if (x->a.brought)
		return why_set(why, RC_BADSIG,
		        "the message is not signed by the request's key");
	return RC_OK;
}

static void take_transaction(struct exchange *x)
{
	memcpy(x->transaction, x->message.transaction_id.p,
	        x->message.transaction_id.n);
}

static void authorize(struct exchange *x)
{
	x->a.label = x->label->conf;
	x->a.from = x->from;
	x->a.transaction = x->transaction;
	x->a.poller = x->message.key.der;
	x->a.bring_csr = bring_csr;
	x->a.done = on_authorized;
	x->a.ctx = x;
	if (authorize_device(x->scep->o.authorizer, &x->a) != RC_PENDING)
		on_authorized(&x->a);
}

/* What does not open, and what opens but to no request that its key's holder
 * signed, or to nobody's certificate. The ciphertext may be another's, changed
 * block by block: which of these it was, would tell the plaintext. */
static enum rc not_opened(const struct exchange *x, enum rc rc)
{
	struct bytes key = x->message.key.der;

	if (rc == RC_NOMEM)
		return rc;
	/* No change brings the sender's own key into it: he made it. */
	if (rc == RC_UNSUPPORTED && csr_is_for(buf_bytes(&x->content), key))
		return rc;
	return x->message.type == SCEP_PKCS_REQ ||
	                x->message.type == SCEP_RENEWAL_REQ
	        ? RC_BADSIG
	        : RC_NOTFOUND;
}

/* A request is mostly for the key that signed the message. */
static enum rc read_csr(struct exchange *x, struct bytes der, struct why *why)
{
	const struct csr_opts opts = { .sha1 = x->label->legacy.sha1,
		.known = { x->message.key.der, x->message.pkey } };

	return csr_parse_with(&x->csr, x->scep->keys, &opts, der, why);
}

static void enrol(struct exchange *x)
{
	struct why why = WHY_NONE;
	enum rc rc = read_csr(x, buf_bytes(&x->content), &why);

	if (rc != RC_OK)
		rc = not_opened(x, rc);
	if (rc == RC_OK)
		rc = bind_signer(x, &why);
	if (rc == RC_OK && x->a.message == MESSAGE_ENROLL)
		rc = take_challenge(x, &why);
	if (rc != RC_OK) {
		fail(x, rc, &why);
		return;
	}
	take_transaction(x);
	authorize(x);
}

/* --- CertPoll (section 3.3.3): the request that waits is decided on anew, as
 * if it came again from who polls */
static void polled(struct exchange *x, enum rc rc)
{
	const struct store_waiting *w = &x->poll.waiting;
	const struct csr_opts opts = { .proven = true };
	struct why why = x->poll.op.why;

	if (rc == RC_OK)
		rc = csr_parse_with(&x->csr, x->scep->keys, &opts,
		        buf_bytes(&x->poll.request), &why);
	if (rc == RC_OK)
		rc = bind_signer(x, &why);
	if (rc != RC_OK) {
		fail(x, rc, &why);
		return;
	}
	x->a.poll = true;
	if (w->credential == CREDENTIAL_TOKEN)
		x->a.poll_token = w->token;
	x->a.poll_shared = w->credential == CREDENTIAL_SHARED;
	authorize(x);
}

static void on_polled(struct store_op *op)
{
	polled(op->ctx, op->rc);
}

/* sscep and cryptlib take who signs their answers for the issuer:
 * the registration authority, which issues nothing, stands for its authority. */
static bool is_our_issuer(const struct exchange *x, struct bytes name)
{
	return bytes_eq(name, x->label->authority->subject) ||
	        bytes_eq(name, x->ra->parsed.subject);
}

/* Whose the request is, key and transactionID say; the subject that clients put
 * in is not always that of their request. The issuer has to be there for who
 * polls to show that he made what he sent. */
static void poll(struct exchange *x)
{
	struct bytes issuer, subject;
	struct why why = WHY_NONE;
	enum rc rc = scep_read_subject(
	        &issuer, &subject, buf_bytes(&x->content), &why);

	if (rc != RC_OK)
		rc = not_opened(x, rc);
	else if (!is_our_issuer(x, issuer))
		rc = why_set(&why, RC_NOTFOUND, "another issuer's");
	take_transaction(x);
	if (rc == RC_OK)
		rc = authorize_poll_hash(x->scep->o.authorizer, x->poll.poll,
		        x->label->conf, x->transaction, x->message.key.der);
	if (rc != RC_OK) {
		fail(x, rc, &why);
		return;
	}
	x->poll.op = (struct store_op){ .done = on_polled, .ctx = x };
	rc = store_waiting_get(x->scep->o.store, &x->poll);
	if (rc != RC_PENDING)
		polled(x, rc);
}

/* --- GetCert (section 3.3.4): our certificates are no secrets, and serial
 * numbers cannot be guessed */
static void fetched(struct exchange *x, enum rc rc)
{
	struct why why = WHY_NONE;

	if (rc == RC_OK &&
	        (x->fetch.cert.state == CERT_INTENT ||
	                x->fetch.cert.state == CERT_ABANDONED))
		rc = RC_NOTFOUND;
	if (rc == RC_OK)
		succeed(x, buf_bytes(&x->fetch.der));
	else
		fail(x, rc, &why);
}

static void on_fetched(struct store_op *op)
{
	fetched(op->ctx, op->rc);
}

static enum rc serial_of(struct exchange *x, struct cms_id *id, struct why *why)
{
	const struct authority *a = x->label->authority;
	struct bytes serial;
	uint8_t *at = x->fetch.key.serial;

	if (!is_our_issuer(x, id->issuer))
		return why_set(why, RC_NOTFOUND, "another issuer's");
	serial = id->serial;
	if (serial.n > 0 && serial.p[0] == 0)
		serial = bytes_skip(serial, 1);
	if (serial.n == 0 || serial.n > STORE_SERIAL_BYTES)
		return why_set(why, RC_NOTFOUND, "no serial number of ours");
	memset(at, 0, STORE_SERIAL_BYTES);
	memcpy(at + STORE_SERIAL_BYTES - serial.n, serial.p, serial.n);
	x->fetch.key.authority = a->id;
	return RC_OK;
}

static void get_cert(struct exchange *x)
{
	struct why why = WHY_NONE;
	struct cms_id id;
	enum rc rc = scep_read_serial(&id, buf_bytes(&x->content), &why);

	rc = rc == RC_OK ? serial_of(x, &id, &why) : not_opened(x, rc);
	if (rc != RC_OK) {
		fail(x, rc, &why);
		return;
	}
	x->fetch.op = (struct store_op){ .done = on_fetched, .ctx = x };
	rc = store_fetch(x->scep->o.store, &x->fetch);
	if (rc != RC_PENDING)
		fetched(x, rc);
}

/* --- GetCRL (section 3.3.4): that of the issuer, whatever the serial number */
static enum rc read_crl(int fd, struct buf *out)
{
	uint8_t *room = buf_room(out, SCEP_CRL_MAX_BYTES);
	size_t n = 0;
	ssize_t got = 1;

	if (room == NULL)
		return RC_NOMEM;
	while (got > 0 && n < SCEP_CRL_MAX_BYTES) {
		got = pread(fd, room + n, SCEP_CRL_MAX_BYTES - n, (off_t)n);
		n += got > 0 ? (size_t)got : 0;
	}
	buf_added(out, n);
	if (got < 0 || n == 0)
		return RC_IO;
	return n == SCEP_CRL_MAX_BYTES ? RC_TOOBIG : RC_OK;
}

static enum rc put_own_crl(
        const struct scep_label *l, struct buf *message, struct why *why)
{
	struct buf crl = BUF_INIT(SCEP_CRL_MAX_BYTES);
	enum rc rc;

	if (l->crl_fd < 0)
		return why_set(why, RC_UNAVAILABLE, "there is no CRL yet");
	rc = read_crl(l->crl_fd, &crl);
	if (rc == RC_OK)
		rc = crls_only_put(message, buf_bytes(&crl));
	else
		why_set(why, rc, "the CRL is too large for SCEP or unreadable");
	buf_free(&crl);
	return rc;
}

/* Who asks whether the authority itself was revoked, as sscep does. */
static bool asks_about_authority(
        const struct authority *a, const struct cms_id *id)
{
	struct cert c;

	return cert_parse(&c, a->der, NULL) == RC_OK &&
	        bytes_eq(id->issuer, c.issuer) &&
	        bytes_eq(id->serial, c.serial);
}

static enum rc put_issuer_crl(
        const struct issuer_crl *crl, struct buf *message, struct why *why)
{
	if (crl->name == NULL)
		return why_set(why, RC_NOTFOUND,
		        "no CRL of the authority's issuer is configured");
	if (crl->der.n > SCEP_CRL_MAX_BYTES)
		return why_set(why, RC_TOOBIG, "the CRL is too large for SCEP");
	return crls_only_put(message, buf_bytes(&crl->der));
}

static enum rc put_crl(struct exchange *x, struct buf *message, struct why *why)
{
	const struct authority *a = x->label->authority;
	struct cms_id id;
	enum rc rc = scep_read_serial(&id, buf_bytes(&x->content), why);

	if (rc != RC_OK)
		return not_opened(x, rc);
	if (is_our_issuer(x, id.issuer))
		return put_own_crl(x->label, message, why);
	if (asks_about_authority(a, &id))
		return put_issuer_crl(&a->issuer_crl, message, why);
	return why_set(why, RC_NOTFOUND, "another issuer's");
}

static void get_crl(struct exchange *x)
{
	struct buf message = BUF_INIT(CERTS_ONLY_MAX_BYTES);
	struct why why = WHY_NONE;
	enum rc rc = put_crl(x, &message, &why);

	if (rc == RC_OK)
		succeed_with(x, buf_bytes(&message));
	else
		fail(x, rc, &why);
	buf_free(&message);
}

/* --- what came */
static void opened(struct exchange *x)
{
	switch (x->message.type) {
	case SCEP_PKCS_REQ:
	case SCEP_RENEWAL_REQ:
		enrol(x);
		return;
	case SCEP_GET_CERT:
		get_cert(x);
		return;
	case SCEP_GET_CRL:
		get_crl(x);
		return;
	default: /* CertPoll: scep_message_check() lets no other pass */
		poll(x);
	}
}

static void on_decrypted(struct signer_call *call)
{
	struct exchange *x = call->ctx;
	struct why why = call->why;
	enum rc rc = call->rc;

	if (rc == RC_OK)
		rc = scep_crypt_open(x->scep->crypt, &x->message.envelope,
		        call->signature, &x->content, &why);
	if (rc == RC_OK)
		opened(x);
	else if (rc_info(rc)->http_status <
	        500) /* no ciphertext of the key's */
		fail(x, not_opened(x, rc), &why);
	else
		fail(x, rc, &why);
}

static void decrypt(struct exchange *x)
{
	struct bytes encrypted;
	struct why why = WHY_NONE;
	enum rc rc = scep_message_check(
	        &x->message, x->scep->crypt, &x->label->legacy, &why);

	if (rc == RC_OK)
		rc = scep_message_envelope(&x->message, &x->label->legacy,
		        &x->ra->view.id, &encrypted, &why);
	if (rc != RC_OK) {
		fail(x, rc, &why);
		return;
	}
	tbs_put_decrypt(&x->tbs,
	        cms_cipher_key_bytes(x->message.envelope.cipher), encrypted);
	ask_signer(x, SIGNER_DECRYPT, on_decrypted);
}

void scep_exchange(struct scep *s, struct http_req *req,
        const struct scep_label *label, struct bytes message)
{
	struct exchange *x = calloc(1, sizeof(*x));
	struct why why = WHY_NONE;
	enum rc rc;

	if (x == NULL) {
		scep_refuse_plain(s, req,
		        &(struct scep_refusal){ RC_NOMEM, &why, "", false,
		                label->conf->label });
		return;
	}
	s->pending++;
	x->scep = s;
	x->req = req;
	x->label = label;
	x->ra = ra_ref(label->ra);
	x->content = BUF_INIT(SCEP_MESSAGE_MAX_BYTES);
	x->tbs = BUF_INIT(TBS_MAX_BYTES);
	x->sealed = BUF_INIT(CERTS_ONLY_MAX_BYTES);
	x->fetch.der = BUF_INIT(STORE_DER_MAX_BYTES);
	x->poll.request = BUF_INIT(STORE_REQUEST_MAX_BYTES);
	x->poll.tbs = BUF_INIT(STORE_DER_MAX_BYTES);
	net_addr_text(x->from, http_req_addr(req));
	rc = scep_message_read(&x->message, message, &why);
	if (rc == RC_OK)
		decrypt(x);
	else
		refuse_plain(x, rc, &why);
}
