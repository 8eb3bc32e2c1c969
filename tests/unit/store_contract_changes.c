/* What changed since the last look: nothing is missed, nothing told twice. */
#include "tests/unit/store_contract.h"

#include <stdio.h>
#include <string.h>

static struct help *const h = &contract;
static struct store_status_row rows[3];
static struct store_changes look;

static void first_look(void)
{
	look = (struct store_changes){ .rows = rows, .max = 3 };
	ck_assert_int_eq(store_changes(h->store, &look), RC_OK);
	ck_assert(look.lost);
	ck_assert(!look.more);
	ck_assert_uint_eq(look.n, 0);
	ck_assert_uint_ne(look.snapshot, 0);
}

static void set(const struct cert_key *key, enum store_status_change change)
{
	struct store_set_status op = { .key = *key, .change = change };

	ck_assert_int_eq(HELP_DO(h, store_set_status, &op), RC_OK);
}

static bool is(const struct store_status_row *row, const struct cert_key *key,
        enum cert_state state)
{
	return memcmp(&row->key, key, sizeof(*key)) == 0 && row->state == state;
}

START_TEST(changes_are_told_once_and_in_order)
{
	struct cert_key a = help_certificate(h, "unit-1", 0, "a");
	struct cert_key b = help_certificate(h, "unit-2", 0, "b");
	uint64_t snapshot;

	first_look();
	set(&a, STATUS_HOLD);
	set(&b, STATUS_REVOKE);
	ck_assert_int_eq(store_changes(h->store, &look), RC_OK);
	ck_assert(!look.lost);
	ck_assert(!look.more);
	ck_assert_uint_eq(look.n, 2);
	ck_assert(is(&rows[0], &a, CERT_HELD));
	ck_assert(is(&rows[1], &b, CERT_REVOKED));
	snapshot = look.snapshot;
	ck_assert_int_eq(store_changes(h->store, &look), RC_OK);
	ck_assert_uint_eq(look.n, 0);
	ck_assert_uint_eq(look.snapshot, snapshot);
}
END_TEST

START_TEST(changes_that_touch_no_status_tell_of_none)
{
	uint64_t snapshot;

	first_look();
	snapshot = look.snapshot;
	(void)help_certificate(h, "unit-1", 0, "a");
	ck_assert_int_eq(store_changes(h->store, &look), RC_OK);
	ck_assert_uint_ne(look.snapshot, snapshot);
	ck_assert_uint_eq(look.n, 0);
	ck_assert(!look.lost);
}
END_TEST

START_TEST(changes_come_in_parts)
{
	struct cert_key keys[7];
	char id[16], text[16];
	size_t seen = 0;

	for (int i = 0; i < 7; i++) {
		(void)snprintf(id, sizeof(id), "unit-%d", i);
		(void)snprintf(text, sizeof(text), "%d", i);
		keys[i] = help_certificate(h, id, 0, text);
	}
	first_look();
	for (int i = 0; i < 7; i++)
		set(&keys[i], STATUS_REVOKE);
	do {
		ck_assert_int_eq(store_changes(h->store, &look), RC_OK);
		for (size_t i = 0; i < look.n; i++)
			ck_assert(is(&rows[i], &keys[seen++], CERT_REVOKED));
	} while (look.more);
	ck_assert_uint_eq(seen, 7);
}
END_TEST

START_TEST(changes_that_are_too_many_are_lost)
{
	struct cert_key a = help_certificate(h, "unit-1", 0, "a");

	first_look();
	for (int i = 0; i <= STORE_CHANGES_MAX / 2; i++) {
		set(&a, STATUS_HOLD);
		set(&a, STATUS_RELEASE);
	}
	ck_assert_int_eq(store_changes(h->store, &look), RC_OK);
	ck_assert(look.lost);
	ck_assert_uint_eq(look.n, 0);
	set(&a, STATUS_HOLD);
	ck_assert_int_eq(store_changes(h->store, &look), RC_OK);
	ck_assert(!look.lost);
	ck_assert_uint_eq(look.n, 1);
	ck_assert(is(&rows[0], &a, CERT_HELD));
}
END_TEST

void contract_changes(TCase *tc)
{
	tcase_add_test(tc, changes_are_told_once_and_in_order);
	tcase_add_test(tc, changes_that_touch_no_status_tell_of_none);
	tcase_add_test(tc, changes_come_in_parts);
	tcase_add_test(tc, changes_that_are_too_many_are_lost);
}
