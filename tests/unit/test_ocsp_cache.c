/* The cache keeps to its size, and what is dropped is gone in every form. */
#include "ocsp/cache.h"
#include "tests/unit/test_ocsp.h"

#include <stdio.h>
#include <string.h>

#define BODY_BYTES 1000

static struct cache *cache;
static uint8_t body[BODY_BYTES];

static void open_small(void)
{
	ck_assert_int_eq(cache_new(&cache, 10 * (BODY_BYTES + 400)), RC_OK);
}

static void close_it(void)
{
	cache_free(cache);
}

static struct cache_key key(uint16_t issuer, uint8_t form, unsigned n)
{
	struct cache_key k = { .issuer = issuer, .form = form };

	(void)snprintf((char *)k.serial, sizeof(k.serial), "serial %u", n);
	return k;
}

static void put(const struct cache_key *k, uint8_t fill)
{
	struct ocsp_answer a = { .body = bytes_of(body, sizeof(body)),
		.this_update_s = fill };

	memset(body, fill, sizeof(body));
	cache_put(cache, k, &a);
	memset(body, 0, sizeof(body));
}

static bool has(const struct cache_key *k, uint8_t fill)
{
	const struct ocsp_answer *a = cache_find(cache, k);

	if (a == NULL)
		return false;
	ck_assert_uint_eq(a->body.n, BODY_BYTES);
	ck_assert_uint_eq(a->body.p[BODY_BYTES - 1], fill);
	ck_assert_int_eq(a->this_update_s, fill);
	return true;
}

START_TEST(cache_gives_back_what_was_put)
{
	struct cache_key a = key(0, 0, 1), b = key(0, 1, 1), c = key(1, 0, 1);

	put(&a, 1);
	put(&b, 2);
	ck_assert(has(&a, 1));
	ck_assert(has(&b, 2));
	ck_assert(!has(&c, 0));
	put(&a, 3);
	ck_assert(has(&a, 3));
	ck_assert_uint_eq(cache_count(cache), 2);
}
END_TEST

START_TEST(cache_forgets_the_least_recently_used)
{
	struct cache_key first = key(0, 0, 0), k;
	size_t full;

	put(&first, 7);
	for (unsigned i = 1; i < 100; i++) {
		k = key(0, 0, i);
		put(&k, 1);
		ck_assert(has(&first, 7));
		ck_assert(has(&k, 1));
		ck_assert_uint_le(cache_bytes(cache), 10 * (BODY_BYTES + 400));
	}
	full = cache_count(cache);
	ck_assert_uint_ge(full, 5);
	ck_assert_uint_le(full, 13);
	k = key(0, 0, 50);
	ck_assert(!has(&k, 1));
}
END_TEST

START_TEST(cache_drops_every_form_and_nothing_else)
{
	struct cache_key k;

	for (uint8_t form = 0; form < 4; form++) {
		k = key(2, form, 1);
		put(&k, form);
	}
	k = key(3, 0, 1);
	put(&k, 9);
	cache_drop(cache, 2, k.serial);
	ck_assert(has(&k, 9));
	ck_assert_uint_eq(cache_count(cache), 1);
	cache_drop(cache, 3, k.serial);
	cache_drop(cache, 3, k.serial);
	ck_assert_uint_eq(cache_count(cache), 0);
	ck_assert_uint_eq(cache_bytes(cache), 0);
}
END_TEST

START_TEST(cache_that_may_keep_nothing_keeps_nothing)
{
	struct cache_key k = key(0, 0, 1);

	cache_free(cache);
	ck_assert_int_eq(cache_new(&cache, 0), RC_OK);
	put(&k, 1);
	ck_assert(!has(&k, 1));
	ck_assert_uint_eq(cache_bytes(cache), 0);
}
END_TEST

START_TEST(cache_clears)
{
	struct cache_key k;

	for (unsigned i = 0; i < 5; i++) {
		k = key(0, 0, i);
		put(&k, 1);
	}
	cache_clear(cache);
	ck_assert(!has(&k, 1));
	ck_assert_uint_eq(cache_count(cache), 0);
	put(&k, 2);
	ck_assert(has(&k, 2));
}
END_TEST

TCase *test_ocsp_cache(void)
{
	TCase *t = tcase_create("cache");

	tcase_add_checked_fixture(t, open_small, close_it);
	tcase_add_test(t, cache_gives_back_what_was_put);
	tcase_add_test(t, cache_forgets_the_least_recently_used);
	tcase_add_test(t, cache_drops_every_form_and_nothing_else);
	tcase_add_test(t, cache_that_may_keep_nothing_keeps_nothing);
	tcase_add_test(t, cache_clears);
	return t;
}
