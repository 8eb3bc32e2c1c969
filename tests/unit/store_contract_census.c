/* Which generation the devices are at. */
#include "tests/unit/store_contract.h"

#include "base/clock.h"
#include <stdio.h>
#include <string.h>

static struct help *const h = &contract;
static struct store_census_row rows[STORE_ROWS_MAX + 1];

static uint64_t count(int64_t since_us)
{
	struct store_census op = { .rows = rows };
	uint64_t devices = 0;

	memset(rows, 0, sizeof(rows));
	for (size_t i = 0; i <= STORE_ROWS_MAX; i++)
		rows[i].since_us = since_us;
	do {
		ck_assert_int_eq(HELP_DO(h, store_census, &op), RC_OK);
		devices += op.looked;
	} while (op.more);
	return devices;
}

static uint32_t enter(const char *name, uint64_t *version)
{
	struct store_authority_put put = { .der = BYTES_LIT("another") };

	(void)snprintf(
	        put.authority.name, sizeof(put.authority.name), "%s", name);
	help_hash(put.authority.cert_hash, name);
	ck_assert_int_eq(HELP_DO(h, store_authority_put, &put), RC_OK);
	*version = put.authority.version;
	return put.authority.id;
}

START_TEST(census_counts_a_device_by_its_newest_valid_certificate)
{
	uint32_t old = h->authority, new;
	struct cert_key newest;
	int64_t since_us;

	help_certificate(h, "unit-1", 0, "a");
	help_certificate(h, "unit-2", 0, "b");
	help_certificate(h, "unit-3", 0, "c");
	since_us = clock_now_us();
	new = h->authority = enter("factory-2", &h->authority_version);
	newest = help_certificate(h, "unit-1", help_device(h, "unit-1"), "d");
	ck_assert_uint_eq(count(since_us), 3);
	ck_assert_uint_eq(rows[old].devices, 2);
	ck_assert_uint_eq(rows[old].recent, 0);
	ck_assert_uint_eq(rows[old].certs, 3);
	ck_assert_uint_eq(rows[new].devices, 1);
	ck_assert_uint_eq(rows[new].recent, 1);
	ck_assert_uint_eq(rows[new].certs, 1);
	ck_assert_int_gt(rows[new].end_s, since_us / 1000000);
	ck_assert_int_eq(help_revoke(h, &newest), RC_OK);
	(void)count(since_us);
	ck_assert_uint_eq(rows[old].devices, 3);
	ck_assert_uint_eq(rows[new].devices, 0);
	ck_assert_int_eq(rows[new].end_s, 0);
	clock_set_shift_s(INT64_C(200) * 365 * 86400);
	(void)count(since_us);
	clock_set_shift_s(0);
	ck_assert_uint_eq(rows[old].devices, 0);
}
END_TEST

START_TEST(census_goes_by_parts)
{
	static struct store_device_put puts[STORE_CENSUS_DEVICES + 10];
	struct store_op *ops[STORE_CENSUS_DEVICES + 10];
	size_t n = sizeof(puts) / sizeof(puts[0]);

	for (size_t i = 0; i < n; i++) {
		puts[i] = (struct store_device_put){ .expect_version = 0 };
		(void)snprintf(puts[i].device.id, sizeof(puts[i].device.id),
		        "d%zu", i);
		ops[i] = &puts[i].op;
	}
	ck_assert_uint_eq(
	        help_do_all(h, ops, n,
	                (help_send_fn *)(void (*)(void))store_device_put),
	        n);
	help_certificate(h, "last", 0, "a");
	ck_assert_uint_eq(count(0), STORE_CENSUS_DEVICES + 11);
	ck_assert_uint_eq(rows[h->authority].devices, 1);
}
END_TEST

void contract_census(TCase *tc)
{
	tcase_add_test(
	        tc, census_counts_a_device_by_its_newest_valid_certificate);
	tcase_add_test(tc, census_goes_by_parts);
}
