/* Which CRL is made when, and what is an alarm. */
#include "base/clock.h"
#include "ca/crl_plan.h"
#include "tests/unit/crl_world.h"
#include "tests/unit/test_ca_crl.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct crl_plan *plan;
static unsigned told;
static char told_name[CRL_NAME_MAX];
static struct store_crl told_crl;

static void on_published(void *ctx, const struct crl_published *p)
{
	(void)ctx;
	told++;
	(void)snprintf(told_name, sizeof(told_name), "%s", p->name);
	told_crl = *p->crl;
	ck_assert_int_ge(p->fd, 0);
	ck_assert_int_lt(write(p->fd, "x", 1), 0);
}

static void open_plan(void)
{
	const struct crl_plan_opts o = { .loop = cw.store.loop,
		.store = cw.store.store,
		.authorities = cw.world.authorities,
		.signer = cw.signer.client,
		.dir = cw.dir,
		.actor = "system keeper",
		.published = on_published };
	struct why why = WHY_NONE;
	enum rc rc = crl_plan_new(&plan, &o, &why);

	ck_assert_msg(rc == RC_OK, "%s", why.text);
	while (crl_plan_busy(plan))
		crl_turn();
}

static void begin_with(const char *extra)
{
	told = 0;
	crl_begin("P-256", extra);
	open_plan();
}

static void begin(void)
{
	begin_with("    crl: { every: 1h, valid: 8h, after_revocation: 1h }\n");
}

static void close_plan(void)
{
	crl_plan_stop(plan);
	while (crl_plan_busy(plan))
		crl_turn();
	crl_plan_free(plan);
	plan = NULL;
}

static void end(void)
{
	close_plan();
	crl_end();
}

/* As the keeper does, until it has nothing to do. Gives how many CRLs were
 * published. */
static unsigned tick(void)
{
	unsigned before = told;

	crl_plan_tick(plan);
	while (crl_plan_busy(plan))
		crl_turn();
	return told - before;
}

static struct crl_plan_state state(void)
{
	struct crl_plan_state s;

	crl_plan_state(plan, &s);
	return s;
}

static void revoke_one(uint16_t shard)
{
	struct cert_key key = crl_certificate(shard, 86400);

	crl_revoke(&key, REASON_SUPERSEDED);
}

/* --- when */

START_TEST(crl_is_made_at_once_and_then_not_before_its_time)
{
	ck_assert_uint_eq(state().n_out, 1);
	ck_assert_int_eq(state().ends_s, 0);
	ck_assert_uint_eq(tick(), 1);
	ck_assert_str_eq(told_name, "factory.crl");
	ck_assert_uint_eq(tick(), 0);
	ck_assert_uint_eq(state().n_out, 0);
	ck_assert_int_eq(state().ends_s, told_crl.next_update_s);
	crl_clock(3590);
	ck_assert_uint_eq(tick(), 0);
	crl_clock(3610);
	ck_assert_uint_eq(tick(), 1);
	ck_assert_uint_eq(tick(), 0);
}
END_TEST

START_TEST(crl_is_made_again_at_half_its_life)
{
	end();
	begin_with("    crl: { every: 4h, valid: 8h }\n");
	ck_assert_uint_eq(tick(), 1);
	/* The configuration now has a longer time between CRLs. */
	close_plan();
	world_profiles(&cw.world, "  p: { subject: { CN: x } }\n",
	        "    crl: { every: 40h, valid: 80h }\n");
	world_authority(&cw.world)->id = cw.store.authority;
	open_plan();
	crl_clock(4 * 3600 - 10);
	ck_assert_uint_eq(tick(), 0);
	crl_clock(4 * 3600 + 10);
	ck_assert_uint_eq(tick(), 1);
	crl_clock(8 * 3600);
	ck_assert_uint_eq(tick(), 0);
}
END_TEST

START_TEST(first_revocation_is_published_at_once_and_others_share_the_next)
{
	ck_assert_uint_eq(tick(), 1);
	revoke_one(0);
	/* after_revocation has not passed since the last CRL. */
	ck_assert_uint_eq(tick(), 0);
	end();
	begin_with("    crl: { after_revocation: 0s }\n");
	ck_assert_uint_eq(tick(), 1);
	for (int i = 0; i < 3; i++) {
		revoke_one(0);
		revoke_one(0);
		ck_assert_uint_eq(tick(), 1);
		ck_assert_int_eq(crl_entries("factory.crl"), 2 * i + 2);
		ck_assert_uint_eq(tick(), 0);
	}
}
END_TEST

/* Many pages of the feed at once. */
START_TEST(many_revocations_are_one_crl)
{
	end();
	begin_with("    crl: { after_revocation: 0s }\n");
	ck_assert_uint_eq(tick(), 1);
	for (int i = 0; i < 2 * STORE_ROWS_MAX + 3; i++)
		revoke_one(0);
	ck_assert_uint_eq(tick(), 1);
	ck_assert_int_eq(crl_entries("factory.crl"), 2 * STORE_ROWS_MAX + 3);
	ck_assert_uint_eq(tick(), 0);
}
END_TEST

START_TEST(crl_is_made_when_somebody_asks)
{
	ck_assert_uint_eq(tick(), 1);
	ck_assert_uint_eq(crl_plan_want(plan, "nobody"), 0);
	ck_assert_uint_eq(tick(), 0);
	ck_assert_uint_eq(crl_plan_want(plan, "factory"), 1);
	ck_assert_uint_eq(tick(), 1);
	ck_assert_uint_eq(crl_plan_want(plan, NULL), 1);
	ck_assert_uint_eq(tick(), 1);
	ck_assert_uint_eq(tick(), 0);
}
END_TEST

START_TEST(crl_whose_file_was_touched_is_made_again)
{
	uint64_t first;
	int fd;

	ck_assert_uint_eq(tick(), 1);
	first = told_crl.number;
	ck_assert_int_eq(unlinkat(cw.dir, "factory.crl", 0), 0);
	ck_assert_uint_eq(tick(), 1);
	ck_assert_uint_gt(told_crl.number, first);
	fd = openat(cw.dir, "factory.crl", O_WRONLY);
	ck_assert_int_eq(write(fd, "x", 1), 1);
	(void)close(fd);
	ck_assert_uint_eq(tick(), 1);
	X509_CRL_free(crl_judge("factory.crl"));
	ck_assert_uint_eq(tick(), 0);
}
END_TEST

/* --- over restarts and hand-overs */

START_TEST(what_stands_is_served_again_after_a_restart)
{
	ck_assert_uint_eq(tick(), 1);
	close_plan();
	open_plan();
	ck_assert_uint_eq(told, 2);
	ck_assert_uint_eq(tick(), 0);
	close_plan();
	ck_assert_int_eq(unlinkat(cw.dir, "factory.crl", 0), 0);
	open_plan();
	ck_assert_uint_eq(told, 2);
	ck_assert_uint_eq(tick(), 1);
}
END_TEST

START_TEST(revocation_before_a_restart_is_not_forgotten)
{
	end();
	begin_with("    crl: { after_revocation: 0s }\n");
	ck_assert_uint_eq(tick(), 1);
	revoke_one(0);
	close_plan();
	open_plan();
	ck_assert_uint_eq(tick(), 1);
	ck_assert_int_eq(crl_entries("factory.crl"), 1);
}
END_TEST

START_TEST(two_keepers_of_a_hand_over_do_not_race)
{
	struct crl_plan *old;

	ck_assert_uint_eq(tick(), 1);
	old = plan;
	open_plan();
	(void)crl_plan_want(plan, NULL);
	ck_assert_uint_ge(tick(), 1);
	told = 0;
	for (int i = 0; i < 4; i++) {
		crl_plan_tick(i % 2 == 0 ? old : plan);
		while (crl_plan_busy(old) || crl_plan_busy(plan))
			crl_turn();
	}
	/* The old one took up what the new one made, and made none. */
	ck_assert_uint_eq(told, 1);
	crl_plan_stop(old);
	crl_plan_free(old);
}
END_TEST

/* --- which */

START_TEST(shards_have_their_own_and_old_ones_live_on)
{
	end();
	begin_with("    crl: { shards: 2, after_revocation: 0s }\n"
	           "    crl_urls: [\"http://p/c-%{shard}.crl\"]\n");
	ck_assert_uint_eq(state().n, 3);
	ck_assert_uint_eq(tick(), 3);
	revoke_one(2);
	/* The full one, and that of the shard. */
	ck_assert_uint_eq(tick(), 2);
	ck_assert_int_eq(crl_entries("factory.crl"), 1);
	ck_assert_int_eq(crl_entries("factory-001.crl"), 0);
	ck_assert_int_eq(crl_entries("factory-002.crl"), 1);
	close_plan();
	world_profiles(&cw.world, "  p: { subject: { CN: x } }\n",
	        "    crl: { shards: 1 }\n"
	        "    crl_urls: [\"http://p/c-%{shard}.crl\"]\n");
	world_authority(&cw.world)->id = cw.store.authority;
	open_plan();
	ck_assert_uint_eq(state().n, 3);
	/* Its last certificate ends after a day, rounded up to a whole one. */
	crl_clock(3 * 86400);
	ck_assert_uint_eq(tick(), 3);
	ck_assert_uint_eq(state().n, 2);
	crl_clock(4 * 86400);
	ck_assert_uint_eq(tick(), 2);
}
END_TEST

START_TEST(retired_authority_goes_on_until_its_last_certificate_ends)
{
	struct why why = WHY_NONE;

	revoke_one(0);
	(void)crl_certificate(0, 10 * 86400);
	ck_assert_uint_eq(tick(), 1);
	close_plan();
	ck_assert_int_eq(
	        world_load(&cw.world,
	                "listen: { est: { address: \"\" } }\n"
	                "keys: { factory: { file: factory.key } }\n"
	                "authorities: { factory: { certificate: ca.pem,\n"
	                "  chain: root.pem, key: factory, retired: yes } }\n",
	                &why),
	        RC_OK);
	world_authority(&cw.world)->id = cw.store.authority;
	open_plan();
	crl_clock(9 * 86400);
	ck_assert_uint_eq(tick(), 1);
	crl_clock(12 * 86400);
	ck_assert_uint_eq(tick(), 1);
	ck_assert_uint_eq(state().n, 0);
	/* The last one runs out, and that is no alarm. */
	crl_clock(30 * 86400);
	ck_assert_uint_eq(tick(), 0);
	ck_assert_uint_eq(state().n_out, 0);
	ck_assert_uint_eq(crl_plan_want(plan, NULL), 0);
}
END_TEST

/* Its certificate was renewed with the same name and key: readers cannot tell
 * the CRLs of the two apart. */
START_TEST(renewed_certificate_goes_on_with_the_same_crl)
{
	struct store_authority_put put = { .authority = { .name = "factory" } };
	struct authority *a;
	uint64_t first;

	revoke_one(0);
	ck_assert_uint_eq(tick(), 1);
	first = told_crl.number;
	close_plan();
	X509_free(cw.world.ca);
	cw.world.ca = world_ca(cw.world.ca_key, "Factory", cw.world.root,
	        cw.world.root_key,
	        "[ext]\nbasicConstraints=critical,CA:TRUE,pathlen:0\n"
	        "keyUsage=critical,keyCertSign,cRLSign\n"
	        "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n");
	buf_free(&cw.world.ca_pem);
	cw.world.ca_pem = world_pem(cw.world.ca);
	world_profiles(&cw.world, "  p: { subject: { CN: x } }\n",
	        "    crl: { after_revocation: 0s }\n");
	a = world_authority(&cw.world);
	put.der = a->der;
	memcpy(put.authority.cert_hash, a->cert_hash, sizeof(a->cert_hash));
	ck_assert_int_eq(HELP_DO(&cw.store, store_authority_put, &put), RC_OK);
	ck_assert_uint_ne(put.authority.id, cw.store.authority);
	a->id = put.authority.id;
	open_plan();
	ck_assert_uint_eq(tick(), 1);
	ck_assert_uint_gt(told_crl.number, first);
	ck_assert_int_eq(crl_entries("factory.crl"), 1);
	/* Of the earlier generation. */
	{
		struct cert_key key = { .authority = cw.store.authority };
		struct store_list list = { .by = LIST_BY_SEQUENCE };
		struct store_cert row;

		list.rows = &row;
		list.max = 1;
		ck_assert_int_eq(HELP_DO(&cw.store, store_list, &list), RC_OK);
		key = row.key;
		ck_assert_uint_eq(key.authority, cw.store.authority);
		crl_revoke(&key, REASON_KEY_COMPROMISE);
	}
	ck_assert_uint_eq(tick(), 1);
	ck_assert_int_eq(crl_entries("factory.crl"), 1);
}
END_TEST

START_TEST(authority_that_may_not_sign_crls_has_none)
{
	close_plan();
	X509_free(cw.world.ca);
	cw.world.ca = world_ca(cw.world.ca_key, "Factory", cw.world.root,
	        cw.world.root_key,
	        "[ext]\nbasicConstraints=critical,CA:TRUE\n"
	        "keyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\n"
	        "authorityKeyIdentifier=keyid\n");
	buf_free(&cw.world.ca_pem);
	cw.world.ca_pem = world_pem(cw.world.ca);
	world_profiles(&cw.world, "  p: { subject: { CN: x } }\n", "");
	open_plan();
	ck_assert_uint_eq(state().n, 0);
	ck_assert_uint_eq(tick(), 0);
}
END_TEST

/* --- alarms */

START_TEST(crl_that_cannot_be_made_is_an_alarm_and_tried_again)
{
	ck_assert_uint_eq(tick(), 1);
	cw.signer.mode = FAKE_REFUSES;
	crl_clock(7 * 3600);
	ck_assert_uint_eq(tick(), 0);
	ck_assert_uint_eq(state().n_out, 0);
	ck_assert_uint_eq(state().n_due, 1);
	ck_assert_uint_eq(state().n_late, 1);
	crl_clock(8 * 3600 + 5);
	ck_assert_uint_eq(tick(), 0);
	ck_assert_uint_eq(state().n_out, 1);
	ck_assert_uint_eq(state().n_late, 0);
	ck_assert_str_eq(state().ends, "factory.crl");
	cw.signer.mode = FAKE_SIGNS;
	/* Not at each tick: it waits between tries, unless asked. */
	ck_assert_uint_eq(tick(), 0);
	(void)crl_plan_want(plan, NULL);
	ck_assert_uint_eq(tick(), 1);
	ck_assert_uint_eq(state().n_out, 0);
}
END_TEST

START_TEST(clock_that_went_back_makes_no_crl_early)
{
	ck_assert_uint_eq(tick(), 1);
	crl_clock(-86400);
	ck_assert_uint_eq(tick(), 0);
	ck_assert_uint_eq(state().n_out, 0);
	(void)crl_plan_want(plan, NULL);
	ck_assert_uint_eq(tick(), 1);
	/* Dated at the floor, not before what was published. */
	ck_assert_int_ge(told_crl.this_update_s, WORLD_NOW_S - 301);
}
END_TEST

TCase *test_ca_crl_plan(void)
{
	TCase *tc = tcase_create("plan");

	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, crl_is_made_at_once_and_then_not_before_its_time);
	tcase_add_test(tc, crl_is_made_again_at_half_its_life);
	tcase_add_test(tc,
	        first_revocation_is_published_at_once_and_others_share_the_next);
	tcase_add_test(tc, many_revocations_are_one_crl);
	tcase_add_test(tc, crl_is_made_when_somebody_asks);
	tcase_add_test(tc, crl_whose_file_was_touched_is_made_again);
	tcase_add_test(tc, what_stands_is_served_again_after_a_restart);
	tcase_add_test(tc, revocation_before_a_restart_is_not_forgotten);
	tcase_add_test(tc, two_keepers_of_a_hand_over_do_not_race);
	tcase_add_test(tc, shards_have_their_own_and_old_ones_live_on);
	tcase_add_test(
	        tc, retired_authority_goes_on_until_its_last_certificate_ends);
	tcase_add_test(tc, renewed_certificate_goes_on_with_the_same_crl);
	tcase_add_test(tc, authority_that_may_not_sign_crls_has_none);
	tcase_add_test(tc, crl_that_cannot_be_made_is_an_alarm_and_tried_again);
	tcase_add_test(tc, clock_that_went_back_makes_no_crl_early);
	return tc;
}
