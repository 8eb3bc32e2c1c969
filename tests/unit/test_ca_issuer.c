/* The issuer on a true store, with a signer that can be made to fail and store
 * writes that can be lost or put in doubt. */
#include "base/clock.h"
#include "ca/cert.h"
#include "ca/grant_make.h"
#include "ca/issuer.h"
#include "tests/unit/ca_signer.h"
#include "tests/unit/ca_world.h"
#include "storage/engine.h"
#include "tests/unit/store_help.h"
#include <check.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define GRANT_LIFE_US (10 * INT64_C(1000000))

static struct world world;
static struct help store;
static struct fake_signer signer;
static struct issuer *issuer;
static struct pubkey_ctx *keys;

/* --- a store before the store, whose writes can go wrong */

enum fault {
	FAULT_NONE,
	FAULT_BUSY,  /* refused at once */
	FAULT_LOST,  /* not applied, and the caller cannot know */
	FAULT_DOUBT, /* applied, and the caller cannot know */
};
static enum fault begin_fault, finish_fault, abandon_fault;
static store_done_fn *true_done;

static void call_back_lost(void *ctx)
{
	struct store_op *op = ctx;

	op->done(op);
}
static struct loop_task lost = { .fn = call_back_lost };

static void in_doubt(struct store_op *op)
{
	op->rc = RC_UNKNOWN;
	true_done(op);
}

static enum fault take_fault(enum store_kind kind)
{
	enum fault *f = kind == KIND_ISSUE_BEGIN ? &begin_fault
	        : kind == KIND_ISSUE_FINISH      ? &finish_fault
	        : kind == KIND_ABANDON           ? &abandon_fault
	                                         : NULL;
	enum fault now = f != NULL ? *f : FAULT_NONE;

	if (f != NULL)
		*f = FAULT_NONE;
	return now;
}

static enum rc shim_write(struct store *s, struct store_op *op)
{
	(void)s;
	switch (take_fault(op->kind)) {
	case FAULT_BUSY:
		return RC_BUSY;
	case FAULT_LOST:
		op->rc = RC_UNKNOWN;
		lost.ctx = op;
		loop_post(store.loop, &lost);
		return RC_PENDING;
	case FAULT_DOUBT:
		true_done = op->done;
		op->done = in_doubt;
		break;
	case FAULT_NONE:
		break;
	}
	return store.store->engine->write(store.store, op);
}

static enum rc shim_read(struct store *s, struct store_op *op)
{
	(void)s;
	return store.store->engine->read(store.store, op);
}

static const struct store_engine SHIM = { .write = shim_write,
	.read = shim_read };
static struct store shim = { &SHIM };

/* --- fixtures */

#define PROFILES                                                               \
	"  sensor:\n"                                                          \
	"    keys: [p256]\n"                                                   \
	"    subject: { CN: \"%{device}\", O: Example Meters }\n"              \
	"    san: { uri: \"urn:dev:%{device}\", dns: \"%{dns}\" }\n"           \
	"    eku: [client_auth]\n"                                             \
	"  other:\n"                                                           \
	"    keys: [ed25519]\n"                                                \
	"    subject: { CN: \"%{device}\" }\n"

static void enter_authority(void)
{
	struct authority *a = world_authority(&world);
	struct store_authority_put put = { .authority = { .name = "factory" },
		.der = a->der };
	struct why why = WHY_NONE;

	ck_assert_int_eq(
	        authorities_resolve(world.authorities, store.store, &why),
	        RC_NOTFOUND);
	memcpy(put.authority.cert_hash, a->cert_hash, sizeof a->cert_hash);
	ck_assert_int_eq(HELP_DO(&store, store_authority_put, &put), RC_OK);
	ck_assert_int_eq(
	        authorities_resolve(world.authorities, store.store, &why),
	        RC_OK);
	ck_assert_uint_eq(a->id, put.authority.id);
	ck_assert_uint_gt(a->version, 0);
}

static void begin(void)
{
	struct issuer_opts o;

	clock_set_shift_s(0);
	clock_set_shift_s(WORLD_NOW_S - clock_now_s());
	begin_fault = finish_fault = abandon_fault = FAULT_NONE;
	world_begin(&world, "P-256");
	world_profiles(&world, PROFILES, "");
	help_begin(&store);
	help_open(&store);
	enter_authority();
	fake_signer_begin(&signer, store.loop, world.ca_key);
	o = (struct issuer_opts){ .loop = store.loop,
		.store = &shim,
		.signer = signer.client,
		.profiles = world.profiles,
		.retry_window_us = 3600 * INT64_C(1000000) };
	ck_assert_int_eq(issuer_new(&issuer, &o), RC_OK);
	ck_assert_int_eq(pubkey_ctx_new(&keys), RC_OK);
}

static void end(void)
{
	ck_assert_uint_eq(issuer_pending(issuer), 0);
	issuer_free(issuer);
	fake_signer_end(&signer);
	help_end(&store);
	pubkey_ctx_free(keys);
	world_end(&world);
}

/* --- asking */

struct ask {
	EVP_PKEY *key;
	struct csr *csr;
	struct grant_spec spec;
	struct grant_names names;
	/* out */
	bool done;
	struct issued result; /* der points into der */
	struct buf der;
};

/* subject is "CN=x"-like pairs, ended by NULL; exts as in world_add_exts(). */
static struct csr *make_csr(
        EVP_PKEY *key, const char *const *subject, const char *exts)
{
	X509_REQ *req = X509_REQ_new();
	unsigned char *der = NULL;
	struct why why = WHY_NONE;
	struct csr *csr;
	int n;

	X509_REQ_set_pubkey(req, key);
	for (; subject != NULL && *subject != NULL; subject += 2)
		X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(req),
		        subject[0], MBSTRING_UTF8,
		        (const unsigned char *)subject[1], -1, -1, 0);
	if (exts != NULL) {
		X509 *x = X509_new();

		world_add_exts(x, NULL, exts);
		X509_REQ_add_extensions(
		        req, (X509_EXTENSIONS *)X509_get0_extensions(x));
		X509_free(x);
	}
	ck_assert_int_gt(X509_REQ_sign(req, key, EVP_sha256()), 0);
	n = i2d_X509_REQ(req, &der);
	ck_assert_msg(
	        csr_parse(&csr, keys, bytes_of(der, (size_t)n), &why) == RC_OK,
	        "%s", why.text);
	OPENSSL_free(der);
	X509_REQ_free(req);
	return csr;
}

static void ask_begin(struct ask *a, const char *const *subject,
        const char *exts, uint64_t device_version)
{
	memset(a, 0, sizeof *a);
	a->key = world_key("P-256");
	a->csr = make_csr(a->key, subject, exts);
	a->der = BUF_INIT(65536);
	a->spec = (struct grant_spec){
		.device = "meter-1",
		.authority = world_authority(&world),
		.profile = conf_profile(world.conf, "sensor"),
		.names = &a->names,
		.credential = { .kind = CREDENTIAL_OPERATOR },
		.requester = "operator uid 0",
		.deadline_us = clock_now_us() + GRANT_LIFE_US,
		.device_version = device_version,
		.authority_version = world_authority(&world)->version,
	};
	ck_assert_int_eq(digest_sha256(world.digest, csr_spki(a->csr)->der,
	                         a->spec.spki_hash),
	        RC_OK);
}

static void ask_end(struct ask *a)
{
	csr_free(a->csr);
	EVP_PKEY_free(a->key);
	buf_free(&a->der);
}

static void on_issued(void *ctx, const struct issued *result)
{
	struct ask *a = ctx;

	ck_assert(!a->done);
	a->done = true;
	a->result = *result;
	buf_reset(&a->der);
	buf_add(&a->der, result->der);
	a->result.der = buf_bytes(&a->der);
}

static struct grant *granted(const struct ask *a)
{
	struct why why = WHY_NONE;
	struct grant *g;

	ck_assert_msg(grant_make(&g, &a->spec, &why) == RC_OK, "%s", why.text);
	return g;
}

static void turn_until(struct ask *a, bool idle)
{
	int64_t since_us = clock_mono_us();

	while (!a->done || (idle && issuer_pending(issuer) > 0)) {
		loop_poll(store.loop);
		ck_assert_msg(
		        clock_mono_us() - since_us < 20 * 1000000, "no answer");
	}
}

static enum rc issue(struct ask *a)
{
	a->done = false;
	issuer_issue(issuer, granted(a), a->csr, on_issued, a);
	ck_assert_msg(!a->done, "answered before it returned");
	turn_until(a, true);
	return a->result.rc;
}

#define ck_assert_issued(a)                                                    \
	ck_assert_msg(issue(a) == RC_OK, "%s", (a)->result.why.text)

static uint64_t count(enum cert_state state)
{
	struct store_stat s = help_stat(&store);

	switch (state) {
	case CERT_INTENT:
		return s.intents;
	case CERT_ISSUED:
		return s.issued;
	case CERT_ABANDONED:
		return s.abandoned;
	default:
		ck_abort();
	}
}

/* Neither released nor left behind. */
static void nothing_remains(const struct ask *a, uint64_t abandoned)
{
	ck_assert_uint_eq(a->result.der.n, 0);
	ck_assert_uint_eq(count(CERT_INTENT), 0);
	ck_assert_uint_eq(count(CERT_ISSUED), 0);
	ck_assert_uint_eq(count(CERT_ABANDONED), abandoned);
}

/* --- what must work */

static void check_record(const struct ask *a)
{
	struct store_fetch f = { .key = a->result.key,
		.der = BUF_INIT(STORE_DER_MAX_BYTES) };

	ck_assert_int_eq(store_fetch(store.store, &f), RC_OK);
	ck_assert_int_eq(f.cert.state, CERT_ISSUED);
	ck_assert_str_eq(f.cert.device, "meter-1");
	ck_assert_str_eq(f.cert.profile, "sensor");
	ck_assert_str_eq(f.cert.requester, "operator uid 0");
	ck_assert(bytes_eq(buf_bytes(&f.der), a->result.der));
	buf_free(&f.der);
}

START_TEST(certificate_is_released_when_it_is_on_record)
{
	const unsigned char *p;
	struct ask a;
	X509 *x;

	ask_begin(&a, NULL, NULL, 0);
	ck_assert_issued(&a);
	ck_assert(!a.result.retried);
	p = a.result.der.p;
	x = d2i_X509(NULL, &p, (long)a.result.der.n);
	ck_assert_ptr_nonnull(x);
	ck_assert_int_eq(X509_verify(x, world.ca_key), 1);
	ck_assert_int_eq(X509_check_issued(world.ca, x), X509_V_OK);
	ck_assert_int_eq(X509_check_private_key(x, a.key), 1);
	X509_free(x);
	check_record(&a);
	ck_assert_uint_eq(signer.asked, 1);
	ask_end(&a);
}
END_TEST

START_TEST(retry_gets_the_stored_certificate)
{
	struct buf first = BUF_INIT(65536);
	struct ask a;

	ask_begin(&a, NULL, NULL, 0);
	ck_assert_issued(&a);
	buf_add(&first, a.result.der);
	a.spec.device_version = 1;
	ck_assert_int_eq(issue(&a), RC_DUPLICATE);
	ck_assert(a.result.retried);
	ck_assert(bytes_eq(a.result.der, buf_bytes(&first)));
	ck_assert_uint_eq(signer.asked, 1);
	buf_free(&first);
	ask_end(&a);
}
END_TEST

/* A day later, within the third of its life in which it is not renewed yet. */
static enum rc ask_again_late(
        const char *transaction, enum credential_kind kind)
{
	struct ask a;
	enum rc rc;

	ask_begin(&a, NULL, NULL, 0);
	a.spec.transaction = transaction;
	a.spec.credential.kind = kind;
	ck_assert_issued(&a);
	a.spec.device_version = 1;
	clock_set_shift_s(clock_now_s() + 86400 - time(NULL));
	a.spec.deadline_us = clock_now_us() + GRANT_LIFE_US;
	rc = issue(&a);
	ask_end(&a);
	return rc;
}

START_TEST(signed_message_gets_nothing_new_before_renewal_is_due)
{
	ck_assert_int_eq(ask_again_late("t", CREDENTIAL_FOREIGN), RC_DUPLICATE);
}
END_TEST

START_TEST(request_over_a_fresh_channel_is_new_after_the_window)
{
	ck_assert_int_eq(ask_again_late(NULL, CREDENTIAL_FOREIGN), RC_OK);
}
END_TEST

START_TEST(another_key_is_no_retry)
{
	struct ask a, b;

	ask_begin(&a, NULL, NULL, 0);
	ck_assert_issued(&a);
	ask_begin(&b, NULL, NULL, 1);
	ck_assert_issued(&b);
	ck_assert(!b.result.retried);
	ask_end(&a);
	ask_end(&b);
}
END_TEST

START_TEST(many_in_flight_all_get_their_own)
{
	struct ask asks[40];
	size_t i;

	for (i = 0; i < 40; i++) {
		ask_begin(&asks[i], NULL, NULL, 0);
		asks[i].spec.device = NULL;
		asks[i].spec.profile = profiles_est(world.profiles);
		issuer_issue(issuer, granted(&asks[i]), asks[i].csr, on_issued,
		        &asks[i]);
	}
	for (i = 0; i < 40; i++) {
		turn_until(&asks[i], false);
		ck_assert_msg(asks[i].result.rc == RC_OK, "%s",
		        asks[i].result.why.text);
		ask_end(&asks[i]);
	}
	ck_assert_uint_eq(count(CERT_ISSUED), 40);
}
END_TEST

START_TEST(system_grant_needs_no_request)
{
	struct ask a;

	ask_begin(&a, NULL, NULL, 0);
	a.spec.device = NULL;
	a.spec.profile = profiles_est(world.profiles);
	a.spec.credential.kind = CREDENTIAL_SYSTEM;
	issuer_issue_system(
	        issuer, granted(&a), csr_spki(a.csr)->der, on_issued, &a);
	turn_until(&a, true);
	ck_assert_int_eq(a.result.rc, RC_DENIED);

	a.done = false;
	a.spec.system = true;
	issuer_issue_system(
	        issuer, granted(&a), csr_spki(a.csr)->der, on_issued, &a);
	turn_until(&a, true);
	ck_assert_msg(a.result.rc == RC_OK, "%s", a.result.why.text);
	ask_end(&a);
}
END_TEST

static void cut_short(void)
{
	clock_set_shift_s(0);
	clock_set_shift_s(WORLD_NOW_S + (WORLD_CA_DAYS - 1) * INT64_C(86400) -
	        clock_now_s());
}

START_TEST(validity_is_cut_to_the_issuers)
{
	struct ask a;
	struct cert c;
	struct why why = WHY_NONE;

	cut_short();
	ask_begin(&a, NULL, NULL, 0);
	ck_assert_issued(&a);
	ck_assert_int_eq(cert_parse(&c, a.result.der, &why), RC_OK);
	ck_assert_int_eq(c.not_after_s, world_authority(&world)->not_after_s);
	ask_end(&a);
}
END_TEST

/* --- what must be refused */

static void other_key(struct ask *a)
{
	a->spec.spki_hash[0] ^= 1;
}
static void too_late(struct ask *a)
{
	a->spec.deadline_us = clock_now_us() - 1;
}
static void other_key_type(struct ask *a)
{
	a->spec.profile = conf_profile(world.conf, "other");
}
static void stale_authority(struct ask *a)
{
	a->spec.authority_version++;
}
static void no_device(struct ask *a)
{
	a->spec.device = "";
}
static void foreign_name(struct ask *a)
{
	a->names.ip[0] = "192.0.2.1";
	a->names.n_ip = 1;
}

static const struct refusal_case {
	void (*breaks)(struct ask *a);
	enum rc rc;
	const char *clause;
} REFUSED[] = {
	{ other_key, RC_DENIED, "not the one that was granted" },
	{ too_late, RC_TIMEOUT, "deadline" },
	{ other_key_type, RC_DENIED, "does not take p256" },
	{ stale_authority, RC_STALE, "" },
	{ no_device, RC_DENIED, "%{device}" },
	{ foreign_name, RC_DENIED, "no place" },
};

START_TEST(grant_that_does_not_fit_is_refused)
{
	const struct refusal_case *c = &REFUSED[_i];
	struct ask a;

	ask_begin(&a, NULL, NULL, 0);
	c->breaks(&a);
	ck_assert_int_eq(issue(&a), c->rc);
	ck_assert_msg(strstr(a.result.why.text, c->clause) != NULL, "%s",
	        a.result.why.text);
	nothing_remains(&a, 0);
	ck_assert_uint_eq(signer.asked, 0);
	ask_end(&a);
}
END_TEST

static const struct csr_case {
	const char *subject[8];
	const char *exts;
	const char *clause; /* NULL: is issued */
} CSRS[] = {
	{ { "CN", "meter-1" }, NULL, NULL },
	{ { "CN", "meter-1", "O", "Somebody Else", "C", "US" }, NULL, NULL },
	{ { "O", "Example Meters" }, NULL, NULL },
	{ { "CN", "meter-2" }, NULL, "meter-2" },
	{ { "CN", "meter-1", "CN", "meter-2" }, NULL, "meter-2" },
	{ { "CN", "METER-1" }, NULL, "METER-1" },
	{ { NULL }, "[ext]\nsubjectAltName=URI:urn:dev:meter-1\n", NULL },
	{ { NULL }, "[ext]\nsubjectAltName=URI:urn:dev:meter-1,DNS:A.Example\n",
	        NULL },
	{ { NULL }, "[ext]\nsubjectAltName=URI:urn:dev:meter-2\n",
	        "urn:dev:meter-2" },
	{ { NULL }, "[ext]\nsubjectAltName=DNS:b.example\n", "b.example" },
	{ { NULL }, "[ext]\nsubjectAltName=IP:192.0.2.9\n", "192.0.2.9" },
	{ { NULL }, "[ext]\nsubjectAltName=email:a@b.c\n", "a@b.c" },
	{ { NULL }, "[ext]\nbasicConstraints=CA:TRUE\n", "4.2.1.9" },
	{ { NULL }, "[ext]\nbasicConstraints=CA:FALSE\n", NULL },
	{ { NULL }, "[ext]\nkeyUsage=keyCertSign\n", "4.2.1.3" },
	{ { NULL }, "[ext]\nkeyUsage=cRLSign\n", "4.2.1.3" },
	{ { NULL }, "[ext]\nkeyUsage=digitalSignature\n", NULL },
	{ { NULL }, "[ext]\nextendedKeyUsage=clientAuth\n", NULL },
	{ { NULL }, "[ext]\nextendedKeyUsage=clientAuth,serverAuth\n",
	        "serverAuth" },
	{ { NULL }, "[ext]\nextendedKeyUsage=OCSPSigning\n", "OCSPSigning" },
};

START_TEST(request_may_ask_only_for_what_is_granted)
{
	const struct csr_case *c = &CSRS[_i];
	struct ask a;

	ask_begin(&a, c->subject, c->exts, 0);
	a.names.dns[0] = "a.example";
	a.names.n_dns = 1;
	if (c->clause == NULL) {
		ck_assert_issued(&a);
	} else {
		ck_assert_int_eq(issue(&a), RC_DENIED);
		ck_assert_msg(strstr(a.result.why.text, c->clause) != NULL,
		        "%s", a.result.why.text);
		nothing_remains(&a, 0);
	}
	ask_end(&a);
}
END_TEST

/* --- what goes wrong on the way */

static void with_token(struct ask *a, uint8_t hash[STORE_HASH_BYTES])
{
	help_hash(hash, "token");
	a->spec.credential.kind = CREDENTIAL_TOKEN;
	memcpy(a->spec.credential.hash, hash, STORE_HASH_BYTES);
}

static void put_token(void)
{
	struct store_token_put put = {
		.token = { .device = "meter-1",
		        .profile = "sensor",
		        .authority = world_authority(&world)->id,
		        .expires_us = clock_now_us() + GRANT_LIFE_US }
	};

	help_hash(put.token.hash, "token");
	ck_assert_int_eq(HELP_DO(&store, store_token_put, &put), RC_OK);
}

static enum token_state token_state(const uint8_t hash[STORE_HASH_BYTES])
{
	struct store_token_get get = { .token = { .state = 0 } };

	memcpy(get.hash, hash, STORE_HASH_BYTES);
	ck_assert_int_eq(store_token_get(store.store, &get), RC_OK);
	return get.token.state;
}

static const enum fake_mode BROKEN[] = { FAKE_REFUSES, FAKE_WRONG_KEY };

START_TEST(what_is_not_signed_is_abandoned_and_the_token_comes_back)
{
	uint8_t hash[STORE_HASH_BYTES];
	struct ask a;

	put_token();
	ask_begin(&a, NULL, NULL, 1);
	with_token(&a, hash);
	signer.mode = BROKEN[_i];
	ck_assert_int_eq(issue(&a), RC_INTERNAL);
	nothing_remains(&a, 1);
	ck_assert_int_eq(token_state(hash), TOKEN_UNSPENT);
	signer.mode = FAKE_SIGNS;
	ck_assert_issued(&a);
	ck_assert_int_eq(token_state(hash), TOKEN_SPENT);
	ask_end(&a);
}
END_TEST

START_TEST(silent_signer_ends_at_the_grants_deadline)
{
	struct ask a;

	ask_begin(&a, NULL, NULL, 0);
	a.spec.deadline_us = clock_now_us() + 200000;
	signer.mode = FAKE_SILENT;
	ck_assert_int_eq(issue(&a), RC_TIMEOUT);
	nothing_remains(&a, 1);
	ask_end(&a);
}
END_TEST

START_TEST(abandoning_is_tried_until_it_succeeds)
{
	struct ask a;

	ask_begin(&a, NULL, NULL, 0);
	signer.mode = FAKE_REFUSES;
	abandon_fault = _i == 0 ? FAULT_BUSY : FAULT_DOUBT;
	ck_assert_int_eq(issue(&a), RC_INTERNAL);
	nothing_remains(&a, 1);
	ask_end(&a);
}
END_TEST

START_TEST(t1_that_was_not_applied_is_unavailable)
{
	struct ask a;

	ask_begin(&a, NULL, NULL, 0);
	begin_fault = FAULT_BUSY;
	ck_assert_int_eq(issue(&a), RC_BUSY);
	begin_fault = FAULT_LOST;
	ck_assert_int_eq(issue(&a), RC_UNAVAILABLE);
	nothing_remains(&a, 0);
	ck_assert_uint_eq(signer.asked, 0);
	ask_end(&a);
}
END_TEST

START_TEST(t1_in_doubt_is_asked_for_and_goes_on)
{
	struct ask a;

	ask_begin(&a, NULL, NULL, 0);
	begin_fault = FAULT_DOUBT;
	ck_assert_issued(&a);
	check_record(&a);
	ck_assert_uint_eq(count(CERT_ISSUED), 1);
	ask_end(&a);
}
END_TEST

static const enum fault FINISH_FAULTS[] = { FAULT_BUSY, FAULT_LOST,
	FAULT_DOUBT };

START_TEST(t2_is_repeated_or_asked_for_until_it_is_on_record)
{
	struct ask a;

	ask_begin(&a, NULL, NULL, 0);
	finish_fault = FINISH_FAULTS[_i];
	ck_assert_issued(&a);
	check_record(&a);
	ck_assert_uint_eq(count(CERT_ISSUED), 1);
	ck_assert_uint_eq(count(CERT_INTENT), 0);
	ask_end(&a);
}
END_TEST

START_TEST(device_suspended_between_t1_and_t2_gets_nothing)
{
	struct store_device_suspend suspend = { .id = "meter-1" };
	struct ask a;

	ask_begin(&a, NULL, NULL, help_device(&store, "meter-1"));
	signer.mode = FAKE_SILENT;
	issuer_issue(issuer, granted(&a), a.csr, on_issued, &a);
	while (signer.asked == 0)
		loop_poll(store.loop);
	ck_assert_int_eq(
	        HELP_DO(&store, store_device_suspend, &suspend), RC_OK);
	/* A signer that starts anew is asked again, and answers. */
	signer.mode = FAKE_SIGNS;
	fake_signer_hello(&signer);
	turn_until(&a, true);
	ck_assert_int_eq(a.result.rc, RC_DENIED);
	ck_assert_uint_eq(a.result.der.n, 0);
	ck_assert_uint_eq(help_stat(&store).revoked, 1);
	ask_end(&a);
}
END_TEST

/* --- the signer's policy takes what the issuer makes, and nothing else */

static enum rc policy_says(struct bytes der, bool held, struct why *why)
{
	struct cert c;

	ck_assert_int_eq(cert_parse(&c, der, why), RC_OK);
	return world_policy_says(&world, c.tbs, clock_now_s(), held, why);
}

START_TEST(policy_allows_what_the_issuer_makes)
{
	struct why why = WHY_NONE;
	struct ask a;

	ask_begin(&a, NULL, NULL, 0);
	a.names.dns[0] = "a.example";
	a.names.dns[1] = "b.example";
	a.names.n_dns = 2;
	ck_assert_issued(&a);
	ck_assert_msg(policy_says(a.result.der, false, &why) == RC_OK, "%s",
	        why.text);
	ask_end(&a);
}
END_TEST

START_TEST(policy_allows_the_listeners_certificate_for_held_keys_alone)
{
	struct why why = WHY_NONE;
	struct ask a;

	ask_begin(&a, NULL, NULL, 0);
	a.spec.device = NULL;
	a.spec.profile = profiles_est(world.profiles);
	ck_assert_issued(&a);
	ck_assert_int_eq(policy_says(a.result.der, false, &why), RC_DENIED);
	ck_assert_msg(
	        policy_says(a.result.der, true, &why) == RC_OK, "%s", why.text);
	ask_end(&a);
}
END_TEST

START_TEST(policy_allows_the_responders_certificate_for_held_keys_alone)
{
	struct why why = WHY_NONE;
	struct ask a;

	ask_begin(&a, NULL, NULL, 0);
	a.spec.device = NULL;
	a.spec.profile = profiles_ocsp(world.profiles, world_authority(&world));
	ck_assert_issued(&a);
	ck_assert_int_eq(policy_says(a.result.der, false, &why), RC_DENIED);
	ck_assert_msg(
	        policy_says(a.result.der, true, &why) == RC_OK, "%s", why.text);
	ask_end(&a);
}
END_TEST

static TCase *tests(void)
{
	TCase *t = tcase_create("issuer");

	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, certificate_is_released_when_it_is_on_record);
	tcase_add_test(t, retry_gets_the_stored_certificate);
	tcase_add_test(
	        t, signed_message_gets_nothing_new_before_renewal_is_due);
	tcase_add_test(t, request_over_a_fresh_channel_is_new_after_the_window);
	tcase_add_test(t, another_key_is_no_retry);
	tcase_add_test(t, many_in_flight_all_get_their_own);
	tcase_add_test(t, system_grant_needs_no_request);
	tcase_add_test(t, validity_is_cut_to_the_issuers);
	tcase_add_loop_test(t, grant_that_does_not_fit_is_refused, 0,
	        (int)(sizeof REFUSED / sizeof *REFUSED));
	tcase_add_loop_test(t, request_may_ask_only_for_what_is_granted, 0,
	        (int)(sizeof CSRS / sizeof *CSRS));
	tcase_add_loop_test(t,
	        what_is_not_signed_is_abandoned_and_the_token_comes_back, 0,
	        (int)(sizeof BROKEN / sizeof *BROKEN));
	tcase_add_test(t, silent_signer_ends_at_the_grants_deadline);
	tcase_add_loop_test(t, abandoning_is_tried_until_it_succeeds, 0, 2);
	tcase_add_test(t, t1_that_was_not_applied_is_unavailable);
	tcase_add_test(t, t1_in_doubt_is_asked_for_and_goes_on);
	tcase_add_loop_test(t,
	        t2_is_repeated_or_asked_for_until_it_is_on_record, 0,
	        (int)(sizeof FINISH_FAULTS / sizeof *FINISH_FAULTS));
	tcase_add_test(t, device_suspended_between_t1_and_t2_gets_nothing);
	tcase_add_test(t, policy_allows_what_the_issuer_makes);
	tcase_add_test(
	        t, policy_allows_the_listeners_certificate_for_held_keys_alone);
	tcase_add_test(t,
	        policy_allows_the_responders_certificate_for_held_keys_alone);
	return t;
}

int main(void)
{
	Suite *s = suite_create("ca/issuer");
	SRunner *r;
	int failed;

	suite_add_tcase(s, tests());
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
