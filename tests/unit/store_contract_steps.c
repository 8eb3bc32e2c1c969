/* What the parts do again and again. */
#include "tests/unit/store_contract.h"

#include <stdio.h>

static struct help *const h = &contract;

struct store_token contract_token(const char *text)
{
	struct store_token_get get = { .token = { .authority = 0 } };

	help_hash(get.hash, text);
	ck_assert_int_eq(HELP_DO(h, store_token_get, &get), RC_OK);
	return get.token;
}

void contract_use_token(struct help_issue *i, const char *text)
{
	i->t1.credential.kind = CREDENTIAL_TOKEN;
	help_hash(i->t1.credential.hash, text);
}

void contract_use_own(struct help_issue *i, const struct cert_key *key)
{
	i->t1.credential.kind = CREDENTIAL_OWN;
	i->t1.credential.cert = *key;
}

void contract_next(struct help_issue *i, const char *device, const char *text)
{
	help_issue(h, i, device, help_device(h, device), text);
}

enum rc contract_status(const struct cert_key *key,
        enum store_status_change change, enum cert_reason reason,
        uint64_t *position)
{
	struct store_set_status op = {
		.key = *key, .change = change, .reason = reason
	};
	enum rc rc = HELP_DO(h, store_set_status, &op);

	if (position)
		*position = op.position;
	return rc;
}

enum rc contract_suspend(const char *id, bool resume, uint32_t *changed)
{
	struct store_device_suspend op = { .id = id, .resume = resume };
	enum rc rc = HELP_DO(h, store_device_suspend, &op);

	if (changed)
		*changed = op.changed;
	return rc;
}

void contract_put_quota(const char *name, uint64_t limit)
{
	struct store_quota_put op = { .quota = { .limit = limit } };

	(void)snprintf(op.quota.name, sizeof(op.quota.name), "%s", name);
	ck_assert_int_eq(HELP_DO(h, store_quota_put, &op), RC_OK);
}

uint64_t contract_quota_used(const char *name)
{
	struct store_quota_get op = { .name = name };

	ck_assert_int_eq(HELP_DO(h, store_quota_get, &op), RC_OK);
	return op.quota.used;
}

enum rc contract_abandon(const struct cert_key *key)
{
	struct store_abandon op = { .what = ABANDON_ONE, .key = *key };

	return HELP_DO(h, store_abandon, &op);
}

/* The whole trail holds together, and tells how long it is. */
uint64_t contract_audit_length(void)
{
	static struct store_audit_row rows[STORE_ROWS_MAX];
	struct store_audit_scan op = {
		.from = 1, .rows = rows, .max = STORE_ROWS_MAX
	};
	uint64_t last = 0;

	do {
		ck_assert_int_eq(HELP_DO(h, store_audit_scan, &op), RC_OK);
		ck_assert(!op.broken);
		last += op.n;
		op.from += op.n;
	} while (op.more);
	return last;
}
