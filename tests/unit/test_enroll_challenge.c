/* A SCEP label's shared challenge: what it enrols, and all that it does not.
 * The front is left out: the authorizer decides, the issuer issues. */
#include "tests/unit/enroll_world.h"
#include "tests/unit/test_enroll.h"

#include "base/clock.h"
#include "ca/csr.h"
#include "enroll/challenge.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEVICE "router-1"
#define SECRET "correct horse battery"
#define ALICE 1001

struct scene {
	struct world w;
	struct conf_label label;
	enum enroll_message message;
	EVP_PKEY *key;
	const char *cn;
	const char *secret;
	struct bytes shown; /* a certificate beside it */
	/* out */
	bool done;
	struct issued issued;
	struct store_cert cert;
};

static void begin(struct scene *s)
{
	memset(s, 0, sizeof(*s));
	world_begin(&s->w, NULL);
	s->label = s->w.conf->labels[1];
	s->label.label = "old";
	s->label.legacy = CONF_LEGACY_SHARED_CHALLENGE;
	s->label.challenge = (struct conf_file){ "f", BYTES_LIT(SECRET) };
	s->label.challenge_identity = "CN";
	s->key = s->w.keys[0];
	s->cn = DEVICE;
	s->secret = SECRET;
}

static void end(struct scene *s)
{
	world_free(s->shown);
	world_end(&s->w);
}

struct attempt {
	struct scene *s;
	struct csr *csr;
	struct authorize a;
};

static enum rc bring(struct authorize *a, struct why *why)
{
	(void)why;
	a->csr = ((struct attempt *)a->ctx)->csr;
	return RC_OK;
}

static void on_authorized(struct authorize *a)
{
	(void)a;
	ck_abort_msg("this store answers inline");
}

static void on_issued(void *ctx, const struct issued *result)
{
	struct scene *s = ctx;

	s->issued = *result;
	s->done = true;
}

static enum rc issue(struct attempt *t)
{
	const struct timespec pause = { 0, 20000 };
	struct scene *s = t->s;
	struct store_fetch fetch = { .der = BUF_INIT(STORE_DER_MAX_BYTES) };

	s->done = false;
	issuer_issue(s->w.issuer, t->a.grant, t->csr, on_issued, s);
	for (int i = 0; !s->done && i < 100000; i++) {
		loop_poll(s->w.h.loop);
		if (!s->done)
			(void)nanosleep(&pause, NULL);
	}
	ck_assert(s->done);
	if (s->issued.rc != RC_OK)
		return s->issued.rc;
	fetch.key = s->issued.key;
	ck_assert_int_eq(HELP_DO(&s->w.h, store_fetch, &fetch), RC_OK);
	s->cert = fetch.cert;
	buf_free(&fetch.der);
	return RC_OK;
}

/* Decide on the request at hand, and issue. */
static enum rc enrol(struct scene *s)
{
	struct attempt t = { .s = s };
	struct basic basic = { .user = "" };
	struct bytes der = world_csr(s->key, s->cn, NULL, NULL);
	struct pubkey_ctx *keys;
	enum rc rc;

	ck_assert_int_eq(pubkey_ctx_new(&keys), RC_OK);
	ck_assert_int_eq(csr_parse(&t.csr, keys, der, NULL), RC_OK);
	t.a = (struct authorize){ .message = s->message,
		.label = &s->label,
		.from = "192.0.2.7",
		.transaction = "t1",
		.bring_csr = bring,
		.done = on_authorized,
		.ctx = &t };
	(void)snprintf(basic.secret, sizeof(basic.secret), "%s",
	        s->secret != NULL ? s->secret : "");
	t.a.basic = s->secret != NULL ? &basic : NULL;
	t.a.chain = &s->shown;
	t.a.n_chain = s->shown.n > 0;
	rc = authorize_device(s->w.authorizer, &t.a);
	if (rc == RC_OK)
		rc = issue(&t);
	else
		ck_assert(t.a.shared || rc == RC_NOCRED);
	csr_free(t.csr);
	pubkey_ctx_free(keys);
	world_free(der);
	return rc;
}

static const char *anchor_of(struct scene *s)
{
	static struct store_device_get get;

	get = (struct store_device_get){ .id = s->cn };
	if (HELP_DO(&s->w.h, store_device_get, &get) != RC_OK)
		return NULL;
	return get.device.anchor;
}

START_TEST(shared_challenge_enrols_a_device_that_nobody_knows)
{
	struct scene s;

	begin(&s);
	ck_assert_int_eq(enrol(&s), RC_OK);
	ck_assert_str_eq(anchor_of(&s), "scep/old");
	ck_assert_str_eq(s.cert.device, DEVICE);
	ck_assert_int_eq(s.cert.credential, CREDENTIAL_SHARED);
	ck_assert_str_eq(s.cert.requester,
	        "device " DEVICE
	        " via shared challenge of scep/old from 192.0.2.7");
	/* It is asked again, for the answer was lost. */
	ck_assert_int_eq(enrol(&s), RC_DUPLICATE);
	ck_assert_uint_eq(world_issued(&s.w), 1);
	s.cn = "router-2";
	ck_assert_int_eq(enrol(&s), RC_OK);
	end(&s);
}
END_TEST

/* --- devices that it does not enrol */
static void had(struct scene *s)
{
	ck_assert_int_eq(enrol(s), RC_OK);
	s->key = s->w.keys[1];
}

static void had_and_revoked(struct scene *s)
{
	struct store_set_status op = { .change = STATUS_REVOKE };

	had(s);
	op.key = s->issued.key;
	ck_assert_int_eq(HELP_DO(&s->w.h, store_set_status, &op), RC_OK);
}

static void had_and_expired(struct scene *s)
{
	had(s);
	clock_set_shift_s((WORLD_VALIDITY_DAYS + 1) * WORLD_DAY_S);
}

static void had_long_ago(struct scene *s)
{
	had(s);
	s->key = s->w.keys[0]; /* the same request, no retry any more */
	clock_set_shift_s(3601);
}

static void put(struct scene *s, const char *anchor)
{
	struct store_device_put op = { .op.actor = "operator uid 0" };

	(void)snprintf(op.device.id, sizeof(op.device.id), "%s", s->cn);
	(void)snprintf(
	        op.device.anchor, sizeof(op.device.anchor), "%s", anchor);
	ck_assert_int_eq(HELP_DO(&s->w.h, store_device_put, &op), RC_OK);
}

static void of_an_operator(struct scene *s)
{
	put(s, "");
}

static void of_a_token(struct scene *s)
{
	char text[TOKEN_TEXT_CHARS + 1];

	world_token(&s->w, DEVICE, s->label.profile->name, WORLD_DAY_S, text);
}

static void of_an_anchor(struct scene *s)
{
	put(s, "acme");
}

static void of_another_label(struct scene *s)
{
	put(s, "scep/new");
}

static void suspended(struct scene *s)
{
	struct store_device_suspend op = { .id = DEVICE };

	put(s, "scep/old");
	ck_assert_int_eq(HELP_DO(&s->w.h, store_device_suspend, &op), RC_OK);
}

static void no_name(struct scene *s)
{
	s->cn = "";
}

static void bad_name(struct scene *s)
{
	s->cn = "router/1";
}

static void beside_another_certificate(struct scene *s)
{
	s->shown = world_idevid(&s->w.acme, "router-2", NULL);
}

static void wrong(struct scene *s)
{
	s->secret = "correct horse batterz";
}

static void head(struct scene *s)
{
	s->secret = "correct horse batter";
}

static void longer(struct scene *s)
{
	s->secret = SECRET " ";
}

static void empty(struct scene *s)
{
	s->secret = "";
}

static void absent(struct scene *s)
{
	s->secret = NULL;
}

static void off(struct scene *s)
{
	s->label.legacy = CONF_LEGACY_SHA1 | CONF_LEGACY_DES3;
}

static void without_a_value(struct scene *s)
{
	s->label.challenge.content = BYTES_NONE;
	s->secret = "";
}

static void to_renew(struct scene *s)
{
	s->message = MESSAGE_RENEW;
}

static const struct {
	const char *name;
	void (*set)(struct scene *s);
	enum rc rc;
} refused[] = {
	{ "had a certificate", had, RC_DENIED },
	{ "had one that is revoked", had_and_revoked, RC_DENIED },
	{ "had one that has ended", had_and_expired, RC_DENIED },
	{ "same request, after the retry window", had_long_ago, RC_DENIED },
	{ "an operator's device", of_an_operator, RC_DENIED },
	{ "a token is out for it", of_a_token, RC_DENIED },
	{ "a trust anchor's device", of_an_anchor, RC_DENIED },
	{ "of another label's challenge", of_another_label, RC_DENIED },
	{ "suspended", suspended, RC_DENIED },
	{ "a request without a name", no_name, RC_DENIED },
	{ "a name that is no device id", bad_name, RC_DENIED },
	{ "another device's idevid beside it", beside_another_certificate,
	        RC_DENIED },
	{ "wrong", wrong, RC_NOCRED },
	{ "its head", head, RC_NOCRED },
	{ "more than it", longer, RC_NOCRED },
	{ "empty", empty, RC_NOCRED },
	{ "none", absent, RC_NOCRED },
	{ "legacy has not named it", off, RC_NOCRED },
	{ "nothing to compare with", without_a_value, RC_NOCRED },
	{ "to renew", to_renew, RC_NOCRED },
};

START_TEST(shared_challenge_enrols_nobody_else)
{
	uint64_t issued;
	struct scene s;
	enum rc rc;

	begin(&s);
	refused[_i].set(&s);
	issued = world_issued(&s.w);
	rc = enrol(&s);
	ck_assert_msg(rc == refused[_i].rc, "%s: %s", refused[_i].name,
	        rc_info(rc)->name);
	ck_assert_uint_eq(world_issued(&s.w), issued);
	end(&s);
}
END_TEST

START_TEST(device_of_the_challenge_comes_back_by_token)
{
	char text[TOKEN_TEXT_CHARS + 1];
	struct scene s;

	begin(&s);
	had(&s);
	world_token(&s.w, DEVICE, s.label.profile->name, WORLD_DAY_S, text);
	s.secret = text;
	ck_assert_int_eq(enrol(&s), RC_OK);
	ck_assert_int_eq(s.cert.credential, CREDENTIAL_TOKEN);
	ck_assert_str_eq(anchor_of(&s), "scep/old");
	end(&s);
}
END_TEST

static enum rc decide(struct scene *s, uint64_t id, bool approve)
{
	struct store_waiting_decide op = {
		.id = id, .by = ALICE, .approve = approve
	};

	return HELP_DO(&s->w.h, store_waiting_decide, &op);
}

/* Two come under one name: the operator's choice is the only one. */
START_TEST(shared_challenge_waits_for_an_operator_where_the_label_says_so)
{
	struct scene s;

	begin(&s);
	s.label.approve = CONF_APPROVE_MANUAL;
	ck_assert_int_eq(enrol(&s), RC_WAITING);
	ck_assert_ptr_null(anchor_of(&s));
	s.key = s.w.keys[1];
	ck_assert_int_eq(enrol(&s), RC_WAITING);
	ck_assert_int_eq(decide(&s, 1, true), RC_OK);
	ck_assert_int_eq(decide(&s, 2, true), RC_OK);
	ck_assert_int_eq(enrol(&s), RC_OK);
	s.key = s.w.keys[0];
	ck_assert_int_eq(enrol(&s), RC_DENIED);
	ck_assert_uint_eq(world_issued(&s.w), 1);
	end(&s);
}
END_TEST

TCase *test_enroll_challenge(void)
{
	TCase *tc = tcase_create("challenge");

	tcase_add_test(tc, shared_challenge_enrols_a_device_that_nobody_knows);
	tcase_add_loop_test(tc, shared_challenge_enrols_nobody_else, 0,
	        (int)(sizeof(refused) / sizeof(refused[0])));
	tcase_add_test(tc, device_of_the_challenge_comes_back_by_token);
	tcase_add_test(tc,
	        shared_challenge_waits_for_an_operator_where_the_label_says_so);
	return tc;
}
