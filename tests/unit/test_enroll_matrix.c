/* Who may have a certificate: message type, credential, profile. What is not
 * listed as allowed is refused. */
#include "tests/unit/enroll_world.h"
#include "tests/unit/test_enroll.h"

#include "base/clock.h"
#include "ca/cert.h"
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEVICE "meter-1"
#define OTHER "meter-2"

/* One request to be made ready. */
struct scene {
	struct world w;
	const char *label;
	struct http_req req;
	char path[64];
	char basic[512];
	struct bytes csr;
	struct bytes shown; /* the client's certificate */
	struct bytes between;
	EVP_PKEY *key; /* of the request */
	const char *cn;
};

static void show(struct scene *s, struct bytes cert)
{
	s->shown = cert;
	s->req.chain[0] = cert;
	s->req.n_chain = 1;
}

static void say(struct scene *s, const char *user, const char *secret)
{
	s->req.authorization = world_basic(s->basic, user, secret);
}

/* A token of `of`, presented by DEVICE. */
static void with_token(
        struct scene *s, const char *of, const char *profile, int64_t life_s)
{
	char token[TOKEN_TEXT_CHARS + 1];

	world_token(&s->w, of, profile, life_s, token);
	say(s, DEVICE, token);
}

/* A certificate of ours with the first key, days after it was issued. */
static void with_own(struct scene *s, const char *device, int64_t days)
{
	show(s, world_enrol(&s->w, s->label, device, s->w.keys[0]));
	s->key = s->w.keys[1];
	clock_set_shift_s(days * WORLD_DAY_S);
}

static void none(struct scene *s)
{
	(void)s;
}

static void token(struct scene *s)
{
	with_token(s, DEVICE, s->label, WORLD_DAY_S);
}

static void token_wrong(struct scene *s)
{
	char text[TOKEN_TEXT_CHARS + 1];

	with_token(s, DEVICE, s->label, WORLD_DAY_S);
	token_make(text);
	say(s, DEVICE, text);
}

static void token_of_other(struct scene *s)
{
	with_token(s, OTHER, s->label, WORLD_DAY_S);
}

static void token_of_pair(struct scene *s)
{
	with_token(s, DEVICE, "server", WORLD_DAY_S);
}

static void token_expired(struct scene *s)
{
	with_token(s, DEVICE, s->label, 60);
	clock_set_shift_s(61);
}

/* Make the request at hand once, for the certificate that it gets. */
static void spend(struct scene *s)
{
	struct http_req first = s->req;

	first.method = HTTP_POST;
	first.path = strcmp(s->label, "keep") == 0
	        ? "/.well-known/est/keep/simpleenroll"
	        : "/.well-known/est/rotate/simpleenroll";
	first.body = world_csr(s->key, "", NULL, NULL);
	ck_assert_uint_eq(world_ask(&s->w, &first), 200);
	world_forget(&first);
	world_free(first.body);
}

static void token_used(struct scene *s)
{
	with_token(s, DEVICE, s->label, WORLD_DAY_S);
	spend(s);
}

static void token_used_for_other(struct scene *s)
{
	token_used(s);
	s->key = s->w.keys[1];
}

static void token_too_late_for_retry(struct scene *s)
{
	token_used(s);
	clock_set_shift_s(3601);
}

static void suspend(struct scene *s, const char *device)
{
	struct store_device_suspend op = { .id = device };

	ck_assert_int_eq(HELP_DO(&s->w.h, store_device_suspend, &op), RC_OK);
}

static void token_suspended(struct scene *s)
{
	token(s);
	suspend(s, DEVICE);
}

static void idevid(struct scene *s)
{
	show(s, world_idevid(&s->w.acme, DEVICE, NULL));
}

static void idevid_again(struct scene *s)
{
	idevid(s);
	spend(s);
}

static void idevid_for_clients(struct scene *s)
{
	show(s, world_idevid(&s->w.acme, DEVICE, "clientAuth"));
}

static void idevid_for_servers(struct scene *s)
{
	show(s, world_idevid(&s->w.acme, DEVICE, "serverAuth"));
}

/* The client sends what stands between it and the anchor. */
static void idevid_below(struct scene *s, bool is_ca)
{
	struct world_ca between = world_ca_below(&s->w.acme, is_ca);

	show(s, world_idevid(&between, DEVICE, NULL));
	s->between = world_der(between.cert);
	s->req.chain[1] = s->between;
	s->req.n_chain = 2;
	world_ca_free(&between);
}

static void idevid_of_intermediate(struct scene *s)
{
	idevid_below(s, true);
}

static void idevid_of_end_entity(struct scene *s)
{
	idevid_below(s, false);
}

static void idevid_known(struct scene *s)
{
	struct store_device_put put = { .device = { .anchor = "acme" } };

	memcpy(put.device.id, DEVICE, sizeof(DEVICE));
	ck_assert_int_eq(HELP_DO(&s->w.h, store_device_put, &put), RC_OK);
	idevid(s);
}

static void idevid_other_anchor(struct scene *s)
{
	idevid_known(s);
	world_free(s->shown);
	show(s, world_idevid(&s->w.umbra, DEVICE, NULL));
}

/* The operator's device: no foreign authority speaks for it. */
static void idevid_of_ours(struct scene *s)
{
	struct store_device_put put = { .device = { .anchor = "" } };

	memcpy(put.device.id, DEVICE, sizeof(DEVICE));
	ck_assert_int_eq(HELP_DO(&s->w.h, store_device_put, &put), RC_OK);
	idevid(s);
}

static void idevid_suspended(struct scene *s)
{
	idevid_known(s);
	suspend(s, DEVICE);
}

/* What it shows is known as stolen. */
static void idevid_blocked(struct scene *s)
{
	struct store_key_block op = { .op = { .actor = "operator uid 0" } };
	struct cert *c = malloc(sizeof(*c));

	idevid(s);
	ck_assert_ptr_nonnull(c);
	ck_assert_int_eq(cert_parse(c, s->shown, NULL), RC_OK);
	ck_assert_int_eq(EVP_Digest(c->spki.p, c->spki.n, op.spki_hash, NULL,
	                         EVP_sha256(), NULL),
	        1);
	free(c);
	ck_assert_int_eq(HELP_DO(&s->w.h, store_key_block, &op), RC_OK);
}

static void idevid_bad_id(struct scene *s)
{
	show(s, world_idevid(&s->w.acme, "meter/1", NULL));
}

static void idevid_expired(struct scene *s)
{
	idevid(s);
	clock_set_shift_s(3651 * WORLD_DAY_S);
}

static void foreign(struct scene *s)
{
	show(s, world_idevid(&s->w.stranger, DEVICE, NULL));
}

static void own(struct scene *s)
{
	with_own(s, DEVICE, 6);
}

static void own_same_key(struct scene *s)
{
	with_own(s, DEVICE, 6);
	s->key = s->w.keys[0];
}

static void own_early(struct scene *s)
{
	with_own(s, DEVICE, 4);
}

static void own_in_grace(struct scene *s)
{
	with_own(s, DEVICE, WORLD_VALIDITY_DAYS + 4);
}

static void own_past_grace(struct scene *s)
{
	with_own(s, DEVICE, WORLD_VALIDITY_DAYS + 6);
}

static void own_revoked(struct scene *s)
{
	struct store_set_status op = { .change = STATUS_REVOKE };

	own(s);
	op.key = world_cert_key(&s->w, s->shown);
	ck_assert_int_eq(HELP_DO(&s->w.h, store_set_status, &op), RC_OK);
}

static void own_held(struct scene *s)
{
	struct store_set_status op = { .change = STATUS_HOLD,
		.reason = REASON_CERTIFICATE_HOLD };

	own(s);
	op.key = world_cert_key(&s->w, s->shown);
	ck_assert_int_eq(HELP_DO(&s->w.h, store_set_status, &op), RC_OK);
}

static void own_suspended(struct scene *s)
{
	own(s);
	suspend(s, DEVICE);
}

static void own_resumed(struct scene *s)
{
	struct store_device_suspend op = { .id = DEVICE, .resume = true };

	own_suspended(s);
	ck_assert_int_eq(HELP_DO(&s->w.h, store_device_suspend, &op), RC_OK);
}

static void own_of_other(struct scene *s)
{
	with_own(s, OTHER, 6);
	s->cn = DEVICE;
}

static void own_of_other_profile(struct scene *s)
{
	const char *label = s->label;

	s->label = strcmp(label, "keep") == 0 ? "rotate" : "keep";
	own(s);
	s->label = label;
}

/* Issuer, serial and names as on record, another signature. */
static void own_forged(struct scene *s)
{
	uint8_t *copy;

	own(s);
	copy = (uint8_t *)s->shown.p;
	copy[s->shown.n - 1] ^= 1;
}

static void own_with_token(struct scene *s)
{
	own(s);
	with_token(s, DEVICE, s->label, WORLD_DAY_S);
}

static void own_of_other_with_token(struct scene *s)
{
	with_own(s, OTHER, 6);
	with_token(s, DEVICE, s->label, WORLD_DAY_S);
}

static void idevid_with_token(struct scene *s)
{
	idevid(s);
	with_token(s, DEVICE, s->label, WORLD_DAY_S);
}

static void idevid_of_other_with_token(struct scene *s)
{
	show(s, world_idevid(&s->w.acme, OTHER, NULL));
	with_token(s, DEVICE, s->label, WORLD_DAY_S);
}

static void foreign_with_token(struct scene *s)
{
	foreign(s);
	with_token(s, DEVICE, s->label, WORLD_DAY_S);
}

#define ISSUED 200
#define SAME 2000 /* 200 with the certificate that there is */
#define DENIED 400
#define NOCRED 401

/* Profile `rotate` wants a new key for a renewal, `keep` does not. */
static const struct row {
	const char *name;
	void (*set)(struct scene *s);
	struct {
		unsigned rotate, keep;
	} enroll, renew;
} matrix[] = {
	{ "none", none, { NOCRED, NOCRED }, { NOCRED, NOCRED } },
	{ "token", token, { ISSUED, ISSUED }, { NOCRED, NOCRED } },
	{ "wrong token", token_wrong, { NOCRED, NOCRED }, { NOCRED, NOCRED } },
	{ "another device's token", token_of_other, { NOCRED, NOCRED },
	        { NOCRED, NOCRED } },
	{ "token of another profile", token_of_pair, { DENIED, DENIED },
	        { NOCRED, NOCRED } },
	{ "expired token", token_expired, { DENIED, DENIED },
	        { NOCRED, NOCRED } },
	{ "used token, same request", token_used, { SAME, SAME },
	        { NOCRED, NOCRED } },
	{ "used token, another request", token_used_for_other,
	        { DENIED, DENIED }, { NOCRED, NOCRED } },
	{ "used token, after the retry window", token_too_late_for_retry,
	        { DENIED, DENIED }, { NOCRED, NOCRED } },
	{ "token, device suspended", token_suspended, { DENIED, DENIED },
	        { NOCRED, NOCRED } },
	{ "idevid", idevid, { ISSUED, ISSUED }, { DENIED, DENIED } },
	{ "idevid, same request", idevid_again, { SAME, SAME },
	        { DENIED, DENIED } },
	{ "idevid, EKU clientAuth", idevid_for_clients, { ISSUED, ISSUED },
	        { DENIED, DENIED } },
	{ "idevid, EKU serverAuth alone", idevid_for_servers,
	        { NOCRED, NOCRED }, { NOCRED, NOCRED } },
	{ "idevid of an intermediate", idevid_of_intermediate,
	        { ISSUED, ISSUED }, { DENIED, DENIED } },
	{ "idevid of what is no CA", idevid_of_end_entity, { NOCRED, NOCRED },
	        { NOCRED, NOCRED } },
	{ "idevid, known device", idevid_known, { ISSUED, ISSUED },
	        { DENIED, DENIED } },
	{ "same id, another anchor", idevid_other_anchor, { DENIED, DENIED },
	        { DENIED, DENIED } },
	{ "idevid of a device of ours", idevid_of_ours, { DENIED, DENIED },
	        { DENIED, DENIED } },
	{ "idevid, device suspended", idevid_suspended, { DENIED, DENIED },
	        { DENIED, DENIED } },
	{ "idevid, key known as compromised", idevid_blocked,
	        { DENIED, DENIED }, { DENIED, DENIED } },
	{ "idevid without a fit id", idevid_bad_id, { DENIED, DENIED },
	        { DENIED, DENIED } },
	{ "idevid expired", idevid_expired, { NOCRED, NOCRED },
	        { NOCRED, NOCRED } },
	{ "foreign CA, not configured", foreign, { NOCRED, NOCRED },
	        { NOCRED, NOCRED } },
	{ "own", own, { DENIED, DENIED }, { ISSUED, ISSUED } },
	{ "own, same key", own_same_key, { DENIED, DENIED },
	        { DENIED, ISSUED } },
	{ "own, too early", own_early, { DENIED, DENIED }, { DENIED, DENIED } },
	{ "own, expired inside the grace", own_in_grace, { DENIED, DENIED },
	        { ISSUED, ISSUED } },
	{ "own, expired outside the grace", own_past_grace, { DENIED, DENIED },
	        { DENIED, DENIED } },
	{ "own, revoked", own_revoked, { DENIED, DENIED }, { DENIED, DENIED } },
	{ "own, held", own_held, { DENIED, DENIED }, { DENIED, DENIED } },
	{ "own, device suspended", own_suspended, { DENIED, DENIED },
	        { DENIED, DENIED } },
	{ "own, device resumed", own_resumed, { DENIED, DENIED },
	        { ISSUED, ISSUED } },
	{ "another device's own", own_of_other, { DENIED, DENIED },
	        { DENIED, DENIED } },
	{ "own of another profile", own_of_other_profile, { DENIED, DENIED },
	        { DENIED, DENIED } },
	{ "own, forged", own_forged, { NOCRED, NOCRED }, { NOCRED, NOCRED } },
	{ "own and token", own_with_token, { ISSUED, ISSUED },
	        { ISSUED, ISSUED } },
	{ "another device's own, and token", own_of_other_with_token,
	        { DENIED, DENIED }, { DENIED, DENIED } },
	{ "idevid and token", idevid_with_token, { ISSUED, ISSUED },
	        { DENIED, DENIED } },
	{ "another device's idevid, and token", idevid_of_other_with_token,
	        { DENIED, DENIED }, { DENIED, DENIED } },
	{ "foreign CA, not configured, and token", foreign_with_token,
	        { ISSUED, ISSUED }, { NOCRED, NOCRED } },
};

#define CELLS_A_ROW 4

static void check_issued(struct scene *s, struct bytes before)
{
	struct bytes cert = world_answer_cert(&s->req);
	struct cert_key key = world_cert_key(&s->w, cert);

	ck_assert_int_eq(help_state(&s->w.h, &key), CERT_ISSUED);
	ck_assert(!bytes_eq(cert, before));
	world_free(cert);
}

/* What came into the audit trail: who got it, and by what; and of a refusal
 * nothing, however often it is asked for. */
static void check_trail(struct scene *s, uint64_t after, bool issued)
{
	static const char *const steps[] = { "issue.begin", "issue.finish" };
	static struct store_audit_row rows[STORE_ROWS_MAX];
	struct store_audit_scan scan = {
		.from = after + 1, .rows = rows, .max = STORE_ROWS_MAX
	};
	size_t n = 0;

	ck_assert_int_eq(HELP_DO(&s->w.h, store_audit_scan, &scan), RC_OK);
	ck_assert(!scan.broken && !scan.more);
	for (size_t i = 0; i < scan.n; i++) {
		ck_assert_msg(issued, "%s", rows[i].event);
		ck_assert_str_eq(rows[i].object, DEVICE);
		ck_assert(strncmp(rows[i].actor, "device " DEVICE " via ",
		                  strlen("device " DEVICE " via ")) == 0);
		if (i == 0 && strcmp(rows[i].event, "device.create") == 0)
			continue;
		ck_assert_uint_lt(n, 2);
		ck_assert_str_eq(rows[i].event, steps[n++]);
	}
	ck_assert_uint_eq(n, issued ? 2 : 0);
}

/* seed 0: on the store itself */
static void check_cell(int cell, uint32_t seed)
{
	const struct row *row = &matrix[cell / CELLS_A_ROW];
	bool renew = cell % 2 == 1;
	bool keep = cell / 2 % 2 == 1;
	struct scene s = { .label = keep ? "keep" : "rotate", .cn = "" };
	unsigned want = renew ? (keep ? row->renew.keep : row->renew.rotate)
	                      : (keep ? row->enroll.keep : row->enroll.rotate);
	uint64_t issued, trail;

	if (seed == 0)
		world_begin(&s.w, NULL);
	else
		world_begin_shimmed(&s.w, seed);
	s.key = s.w.keys[0];
	row->set(&s);
	(void)snprintf(s.path, sizeof(s.path), "/.well-known/est/%s/%s",
	        s.label, renew ? "simplereenroll" : "simpleenroll");
	s.csr = world_csr(s.key, s.cn, NULL, NULL);
	s.req.method = HTTP_POST;
	s.req.path = s.path;
	s.req.body = s.csr;
	issued = world_issued(&s.w);
	trail = help_stat(&s.w.h).audit_last;
	(void)world_ask(&s.w, &s.req);
	ck_assert_msg(s.req.status == (want == SAME ? ISSUED : want),
	        "%s at %s: %u, not %u: %.*s", row->name, s.path, s.req.status,
	        want, s.req.status == 200 ? 0 : (int)s.req.answer.n,
	        (const char *)s.req.answer.p);
	ck_assert_uint_eq(
	        world_issued(&s.w), issued + (want == ISSUED ? 1 : 0));
	if (want == ISSUED)
		check_issued(&s, s.shown);
	/* A store that misbehaves has one begin twice. */
	if (seed == 0)
		check_trail(&s, trail, want == ISSUED);
	world_forget(&s.req);
	world_free(s.csr);
	world_free(s.shown);
	world_free(s.between);
	world_end(&s.w);
}

START_TEST(only_what_is_listed_is_issued)
{
	check_cell(_i, 0);
}
END_TEST

/* One cell a row, where something is issued if anywhere: delays take time. */
START_TEST(only_what_is_listed_is_issued_by_a_store_that_misbehaves)
{
	int renew = matrix[_i].renew.rotate == ISSUED ? 1 : 0;

	check_cell(_i * CELLS_A_ROW + renew, (uint32_t)_i + 1);
}
END_TEST

TCase *test_enroll_matrix(void)
{
	TCase *tc = tcase_create("matrix");
	int n = (int)(sizeof(matrix) / sizeof(*matrix)) * CELLS_A_ROW;

	tcase_add_loop_test(tc, only_what_is_listed_is_issued, 0, n);
	tcase_add_loop_test(tc,
	        only_what_is_listed_is_issued_by_a_store_that_misbehaves, 0,
	        n / CELLS_A_ROW);
	return tc;
}
