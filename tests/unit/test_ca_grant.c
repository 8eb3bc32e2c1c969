/* Grants copy what they were made from, and default to no. */
#include "tests/unit/test_ca.h"
#include "ca/grant_make.h"
#include <stdlib.h>
#include <string.h>

static const struct conf_profile PROFILE = { .name = "p" };
static const struct authority AUTHORITY = { .id = 1 };

static struct grant_spec spec(void)
{
	return (struct grant_spec){
		.device = "meter-1",
		.authority = &AUTHORITY,
		.profile = &PROFILE,
		.credential = { .kind = CREDENTIAL_TOKEN },
		.requester = "device meter-1",
		.deadline_us = 1,
	};
}

START_TEST(grant_owns_its_strings)
{
	struct grant_names names = { .dns = { "a", "b" },
		.n_dns = 2,
		.uri = { "urn:x:1" },
		.n_uri = 1 };
	struct grant_spec s = spec();
	struct why why = WHY_NONE;
	char *device = strdup("meter-1"), *dns = strdup("a.example");
	struct grant *g;

	s.device = device;
	s.names = &names;
	names.dns[0] = dns;
	ck_assert_int_eq(grant_make(&g, &s, &why), RC_OK);
	memset(device, 'X', strlen(device));
	memset(dns, 'X', strlen(dns));
	free(device);
	free(dns);
	names.n_dns = 0;
	ck_assert_str_eq(grant_device(g), "meter-1");
	ck_assert_str_eq(grant_anchor(g), "");
	ck_assert_ptr_null(grant_quota(g));
	ck_assert_uint_eq(grant_names(g)->n_dns, 2);
	ck_assert_str_eq(grant_names(g)->dns[0], "a.example");
	ck_assert_str_eq(grant_names(g)->dns[1], "b");
	ck_assert_str_eq(grant_names(g)->uri[0], "urn:x:1");
	ck_assert_ptr_eq(grant_profile(g), &PROFILE);
	grant_free(g);
}
END_TEST

static char long_text[2048];

static void no_authority(struct grant_spec *s)
{
	s->authority = NULL;
}
static void no_profile(struct grant_spec *s)
{
	s->profile = NULL;
}
static void no_requester(struct grant_spec *s)
{
	s->requester = "";
}
static void no_credential(struct grant_spec *s)
{
	s->credential.kind = 0;
}
static void no_deadline(struct grant_spec *s)
{
	s->deadline_us = 0;
}
static void negative_validity(struct grant_spec *s)
{
	s->max_validity_s = -1;
}
static void long_device(struct grant_spec *s)
{
	s->device = long_text;
}
static void long_requester(struct grant_spec *s)
{
	s->requester = long_text;
}
static void device_with_control(struct grant_spec *s)
{
	s->device = "meter\n1";
}
static void empty_name(struct grant_spec *s)
{
	static const struct grant_names names = { .dns = { "" }, .n_dns = 1 };

	s->names = &names;
}
static void too_many(struct grant_spec *s)
{
	static const struct grant_names names = { .n_ip = GRANT_NAMES_MAX + 1 };

	s->names = &names;
}

static void (*const REFUSED[])(struct grant_spec *s) = { no_authority,
	no_profile, no_requester, no_credential, no_deadline, negative_validity,
	long_device, long_requester, device_with_control, empty_name,
	too_many };

START_TEST(grant_is_refused_when_something_is_missing)
{
	struct grant_spec s = spec();
	struct why why = WHY_NONE;
	struct grant *g;

	memset(long_text, 'a', sizeof long_text - 1);
	REFUSED[_i](&s);
	ck_assert_int_eq(grant_make(&g, &s, &why), RC_DENIED);
	ck_assert_ptr_null(g);
	ck_assert_str_ne(why.text, "");
}
END_TEST

TCase *test_ca_grant(void)
{
	TCase *t = tcase_create("grant");

	tcase_add_test(t, grant_owns_its_strings);
	tcase_add_loop_test(t, grant_is_refused_when_something_is_missing, 0,
	        (int)(sizeof REFUSED / sizeof *REFUSED));
	return t;
}
