/* Thousands of random operations against a model that fits in one's head. */
#include "tests/unit/store_contract.h"

#include <stdio.h>
#include <string.h>

static struct help *const h = &contract;

#define STEPS 4000
#define DEVICES 12
#define CERTS_MAX 4096
#define QUOTA 300
#define MAX_ACTIVE 4

struct model_cert {
	struct help_issue issue;
	int device;
	enum cert_state state;
	bool by_suspend;
	int64_t issued_us; /* 0: not yet */
};

struct model {
	struct model_cert certs[CERTS_MAX];
	int n;
	uint64_t version[DEVICES]; /* 0: not there */
	bool suspended[DEVICES];
	uint64_t used;
	uint64_t feed;
	uint32_t random;
};

static struct model m;
static char ids[DEVICES][16];

static int draw(int below)
{
	m.random ^= m.random << 13;
	m.random ^= m.random >> 17;
	m.random ^= m.random << 5;
	return (int)(m.random % (uint32_t)below);
}

static int active(int device)
{
	int n = 0;

	for (int i = 0; i < m.n; i++) {
		enum cert_state s = m.certs[i].state;

		n += m.certs[i].device == device &&
		        (s == CERT_INTENT || s == CERT_ISSUED ||
		                s == CERT_HELD);
	}
	return n;
}

static enum rc expect_begin(int device)
{
	if (m.suspended[device])
		return RC_DENIED;
	if (active(device) >= MAX_ACTIVE)
		return RC_QUOTA;
	return m.used >= QUOTA ? RC_QUOTA : RC_OK;
}

static void step_begin(int step)
{
	struct model_cert *c = &m.certs[m.n];
	int device = draw(DEVICES);
	enum rc expected = expect_begin(device);
	char text[24];

	if (m.n == CERTS_MAX)
		return;
	(void)snprintf(text, sizeof(text), "%d", step);
	help_issue(h, &c->issue, ids[device], m.version[device], text);
	c->issue.t1.max_active = MAX_ACTIVE;
	c->issue.t1.quota = "all";
	ck_assert_int_eq(help_t1(h, &c->issue), expected);
	if (expected != RC_OK)
		return;
	c->device = device;
	c->state = CERT_INTENT;
	m.n++;
	m.used++;
	if (m.version[device] == 0)
		m.version[device] = 1;
}

static enum rc expect_finish(struct model_cert *c)
{
	if (c->state != CERT_INTENT)
		return c->state == CERT_ISSUED       ? RC_OK
		        : c->state == CERT_ABANDONED ? RC_STALE
		                                     : RC_DENIED;
	if (!m.suspended[c->device]) {
		c->state = CERT_ISSUED;
		return RC_OK;
	}
	c->state = CERT_REVOKED;
	m.feed++;
	return RC_DENIED;
}

static void step_finish(struct model_cert *c)
{
	struct store_fetch fetch = { .key = c->issue.t1.key,
		.der = BUF_INIT(256) };
	enum rc expected = expect_finish(c);

	ck_assert_int_eq(help_t2(h, &c->issue), expected);
	ck_assert_int_eq(HELP_DO(h, store_fetch, &fetch), RC_OK);
	c->issued_us = fetch.cert.issued_us;
	buf_free(&fetch.der);
}

static void step_abandon(struct model_cert *c)
{
	struct store_abandon op = { .what = ABANDON_ONE,
		.key = c->issue.t1.key };
	enum rc rc = HELP_DO(h, store_abandon, &op);

	ck_assert_int_eq(rc, c->state == CERT_INTENT ? RC_OK : RC_STALE);
	if (rc != RC_OK)
		return;
	c->state = CERT_ABANDONED;
	m.used--;
}

static enum rc expect_status(
        struct model_cert *c, enum store_status_change change)
{
	if (c->state == CERT_INTENT)
		return RC_NOTFOUND;
	if (c->state == CERT_ABANDONED)
		return RC_CONFLICT;
	if (change == STATUS_REVOKE) {
		m.feed += c->state != CERT_REVOKED;
		c->state = CERT_REVOKED;
		return RC_OK;
	}
	if (change == STATUS_HOLD ? c->state != CERT_ISSUED
	                          : c->state != CERT_HELD || c->by_suspend)
		return RC_CONFLICT;
	c->state = change == STATUS_HOLD ? CERT_HELD : CERT_ISSUED;
	c->by_suspend = false;
	m.feed++;
	return RC_OK;
}

static void step_status(struct model_cert *c)
{
	enum store_status_change change = (enum store_status_change)draw(3);
	struct store_set_status op = { .key = c->issue.t1.key,
		.change = change,
		.reason = REASON_SUPERSEDED };
	enum rc expected = expect_status(c, change);

	ck_assert_int_eq(HELP_DO(h, store_set_status, &op), expected);
}

static void step_suspend(void)
{
	int device = draw(DEVICES);
	struct store_device_suspend op = { .id = ids[device],
		.resume = m.suspended[device] };
	enum rc rc = HELP_DO(h, store_device_suspend, &op);

	ck_assert_int_eq(rc, m.version[device] == 0 ? RC_NOTFOUND : RC_OK);
	if (rc != RC_OK)
		return;
	m.suspended[device] = !m.suspended[device];
	m.version[device]++;
	for (int i = 0; i < m.n; i++) {
		struct model_cert *c = &m.certs[i];

		if (c->device != device ||
		        (op.resume ? c->state != CERT_HELD || !c->by_suspend
		                   : c->state != CERT_ISSUED))
			continue;
		c->by_suspend = !op.resume;
		c->state = op.resume ? CERT_ISSUED : CERT_HELD;
		m.feed++;
	}
}

static void revoke_where(struct store_revoke *op)
{
	do {
		ck_assert_int_eq(HELP_DO(h, store_revoke, op), RC_OK);
		op->cursor = op->next;
	} while (op->more);
}

static void model_revoke(struct model_cert *c)
{
	if (c->state != CERT_ISSUED && c->state != CERT_HELD)
		return;
	c->state = CERT_REVOKED;
	c->by_suspend = false;
	m.feed++;
}

static void step_revoke_device(void)
{
	int device = draw(DEVICES);
	struct store_revoke op = { .by = REVOKE_BY_DEVICE,
		.device = ids[device] };

	if (m.version[device] == 0)
		return;
	revoke_where(&op);
	m.version[device] += !m.suspended[device];
	m.suspended[device] = true;
	for (int i = 0; i < m.n; i++)
		if (m.certs[i].device == device)
			model_revoke(&m.certs[i]);
}

static void step_revoke_lot(const struct model_cert *from)
{
	struct store_revoke op = { .by = REVOKE_BY_ISSUE,
		.from_us = from->issued_us,
		.to_us = from->issued_us + draw(100000) };

	if (from->issued_us == 0)
		return;
	revoke_where(&op);
	for (int i = 0; i < m.n; i++)
		if (m.certs[i].issued_us >= op.from_us &&
		        m.certs[i].issued_us < op.to_us)
			model_revoke(&m.certs[i]);
}

static void compare(void)
{
	struct store_quota_get quota = { .name = "all" };
	struct store_stat stat = help_stat(h);
	uint64_t n[CERT_ABANDONED + 1] = { 0 };

	for (int i = 0; i < m.n; i++) {
		n[m.certs[i].state]++;
		ck_assert_int_eq(help_state(h, &m.certs[i].issue.t1.key),
		        m.certs[i].state);
	}
	ck_assert_uint_eq(stat.intents, n[CERT_INTENT]);
	ck_assert_uint_eq(stat.abandoned, n[CERT_ABANDONED]);
	ck_assert_uint_eq(stat.held, n[CERT_HELD]);
	ck_assert_uint_eq(stat.revoked, n[CERT_REVOKED]);
	ck_assert_uint_eq(
	        stat.issued, n[CERT_ISSUED] + n[CERT_HELD] + n[CERT_REVOKED]);
	ck_assert_uint_eq(stat.feed_position, m.feed);
	ck_assert_int_eq(HELP_DO(h, store_quota_get, &quota), RC_OK);
	ck_assert_uint_eq(quota.quota.used, m.used);
}

START_TEST(random_operations_agree_with_a_model)
{
	struct store_quota_put quota = { .quota = { .name = "all",
		                                 .limit = QUOTA } };

	m.random = 11235813;
	for (int i = 0; i < DEVICES; i++)
		(void)snprintf(ids[i], sizeof(ids[i]), "unit-%d", i);
	ck_assert_int_eq(HELP_DO(h, store_quota_put, &quota), RC_OK);
	for (int i = 0; i < STEPS; i++) {
		/* Mostly the youngest: the old have found their end. */
		int young = m.n < 24 ? m.n : 24;
		struct model_cert *c =
		        young > 0 ? &m.certs[m.n - 1 - draw(young)] : NULL;
		int what = draw(10);

		if (c == NULL || what < 4)
			step_begin(i);
		else if (what < 7)
			step_finish(c);
		else if (what < 8)
			step_abandon(c);
		else if (what < 9)
			step_status(c);
		else if (draw(4) == 0)
			step_suspend();
		else if (draw(20) == 0)
			step_revoke_device();
		else if (draw(20) == 0)
			step_revoke_lot(c);
	}
	compare();
}
END_TEST

void contract_model(TCase *tc)
{
	tcase_add_test(tc, random_operations_agree_with_a_model);
}
