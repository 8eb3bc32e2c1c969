/* Who vouches for a client's chain: what TLS verified is taken from it, all
 * else is judged here. */
#include "tests/unit/test_enroll.h"

#include "base/clock.h"
#include "tests/unit/enroll_world.h"
#include <string.h>

#define DEVICE "device-1"
#define LONG_DAYS 4000 /* past all that world_idevid() makes */

static struct world w;

static void begin(void)
{
	world_begin(&w, NULL);
}

static void end(void)
{
	world_end(&w);
}

static const struct conf_label *label_of(const char *name)
{
	for (size_t i = 0; i < w.conf->n_labels; i++) {
		if (strcmp(w.conf->labels[i].label, name) == 0)
			return &w.conf->labels[i];
	}
	ck_abort_msg("no label %s", name);
}

static const struct {
	const char *name;
	bool stranger; /* signed by one who calls itself Acme */
	const char *eku;
	size_t n; /* 1: without the anchor */
	bool verified;
	int64_t days;
	const char *label;
	enum rc rc;
} chains[] = {
	{ "verified by TLS", false, NULL, 2, true, 0, "keep", RC_OK },
	{ "verified by nobody yet", false, NULL, 1, false, 0, "keep", RC_OK },
	{ "for clients", false, "clientAuth", 2, true, 0, "keep", RC_OK },
	{ "for both", false, "serverAuth,clientAuth", 2, true, 0, "keep",
	        RC_OK },
	{ "for servers", false, "serverAuth", 2, true, 0, "keep", RC_NOCRED },
	{ "expired", false, NULL, 2, true, LONG_DAYS, "keep", RC_NOCRED },
	{ "not valid yet", false, NULL, 2, true, -2, "keep", RC_NOCRED },
	{ "anchor of another label", false, NULL, 2, true, 0, "ldevid",
	        RC_NOCRED },
	{ "label without anchors", false, NULL, 2, true, 0, "again",
	        RC_NOCRED },
	{ "forged, not verified", true, NULL, 2, false, 0, "keep", RC_NOCRED },
	{ "forged, no anchor in the chain", true, NULL, 1, true, 0, "keep",
	        RC_NOCRED },
	/* Its signature is TLS's to judge, and is not looked at again. */
	{ "signature left to TLS", true, NULL, 2, true, 0, "keep", RC_OK },
};

START_TEST(an_anchor_vouches_only_for_what_is_good_at_this_label)
{
	const struct world_ca *ca = chains[_i].stranger ? &w.stranger : &w.acme;
	struct bytes certs[] = { world_idevid(ca, DEVICE, chains[_i].eku),
		world_der(w.acme.cert) };
	const struct trust_chain chain = { certs, chains[_i].n,
		chains[_i].verified };
	struct trust_device device;
	struct why why = WHY_NONE;
	enum rc rc = trust_vouch(&device, w.trust, label_of(chains[_i].label),
	        &chain, clock_now_s() + chains[_i].days * WORLD_DAY_S, &why);

	ck_assert_msg(rc == chains[_i].rc, "%s: %s: %s", chains[_i].name,
	        rc_info(rc)->name, why.text);
	if (rc == RC_OK) {
		ck_assert_str_eq(device.id, DEVICE);
		ck_assert_str_eq(device.anchor->name, "acme");
	} else {
		ck_assert_str_ne(why.text, "");
	}
	world_free(certs[0]);
	world_free(certs[1]);
}

START_TEST(an_authority_may_stand_between)
{
	struct world_ca between = world_ca_below(&w.acme, true);
	struct bytes certs[] = { world_idevid(&between, DEVICE, NULL),
		world_der(between.cert), world_der(w.acme.cert) };
	const struct trust_chain chain = { certs, 3, true };
	struct trust_device device;
	struct why why;

	ck_assert_int_eq(trust_vouch(&device, w.trust, label_of("keep"), &chain,
	                         clock_now_s(), &why),
	        RC_OK);
	for (unsigned i = 0; i < 3; i++)
		world_free(certs[i]);
	world_ca_free(&between);
}

TCase *test_enroll_trust(void)
{
	TCase *tc = tcase_create("trust");

	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_loop_test(tc,
	        an_anchor_vouches_only_for_what_is_good_at_this_label, 0,
	        sizeof(chains) / sizeof(*chains));
	tcase_add_test(tc, an_authority_may_stand_between);
	return tc;
}
