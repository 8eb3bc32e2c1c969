/* The notations of mica.yaml. */
#include "conf/value.h"
#include "tests/unit/test_conf.h"

static const struct {
	const char *text;
	int64_t ms; /* -1: not a duration */
} durations[] = {
	{ "0", 0 },
	{ "500ms", 500 },
	{ "30s", 30000 },
	{ "5min", 300000 },
	{ "24h", 86400000 },
	{ "90d", INT64_C(7776000000) },
	{ "2w", INT64_C(1209600000) },
	{ "1y", INT64_C(31536000000) },
	{ "100y", INT64_C(3153600000000) },
	{ "", -1 },
	{ "5", -1 },
	{ "d", -1 },
	{ "5m", -1 },
	{ "5 d", -1 },
	{ "-5d", -1 },
	{ "+5d", -1 },
	{ "1.5h", -1 },
	{ "1h30min", -1 },
	{ "5D", -1 },
	{ "never", -1 },
	{ "999999999999y", -1 },
	{ "99999999999999999999999s", -1 },
};

START_TEST(durations_are_a_number_and_a_unit)
{
	int64_t ms = -1;
	bool ok = value_duration_ms(durations[_i].text, &ms);

	ck_assert_msg(ok == (durations[_i].ms >= 0), "%s", durations[_i].text);
	if (ok)
		ck_assert_int_eq(ms, durations[_i].ms);
}
END_TEST

static const struct {
	const char *text;
	bool ok;
	uint64_t bytes;
} sizes[] = {
	{ "0B", true, 0 },
	{ "512B", true, 512 },
	{ "4KiB", true, 4096 },
	{ "64MiB", true, 67108864 },
	{ "64GiB", true, UINT64_C(68719476736) },
	{ "2TiB", true, UINT64_C(2199023255552) },
	{ "64", false, 0 },
	{ "64GB", false, 0 },
	{ "64G", false, 0 },
	{ "64 GiB", false, 0 },
	{ "-1GiB", false, 0 },
	{ "9999999999TiB", false, 0 },
	{ "", false, 0 },
};

START_TEST(sizes_are_a_number_and_a_binary_unit)
{
	uint64_t bytes = 1;

	ck_assert_msg(value_size_bytes(sizes[_i].text, &bytes) == sizes[_i].ok,
	        "%s", sizes[_i].text);
	if (sizes[_i].ok)
		ck_assert_uint_eq(bytes, sizes[_i].bytes);
}
END_TEST

static const struct {
	const char *text;
	bool ok;
	uint32_t permille;
} parts[] = {
	{ "0%", true, 0 },
	{ "66%", true, 660 },
	{ "99.5%", true, 995 },
	{ "100%", true, 1000 },
	{ "66", false, 0 },
	{ "66.25%", false, 0 },
	{ ".5%", false, 0 },
	{ "66.%", false, 0 },
	{ "66%%", false, 0 },
	{ "66% ", false, 0 },
	{ "-1%", false, 0 },
};

START_TEST(percentages_have_one_decimal_at_most)
{
	uint32_t permille = 1;

	ck_assert_msg(value_permille(parts[_i].text, &permille) == parts[_i].ok,
	        "%s", parts[_i].text);
	if (parts[_i].ok)
		ck_assert_uint_eq(permille, parts[_i].permille);
}
END_TEST

static const struct {
	const char *text;
	bool ok;
} addresses[] = {
	{ "0.0.0.0:8443", true },
	{ "127.0.0.1:1", true },
	{ "[::]:65535", true },
	{ "[2001:db8::1]:8443", true },
	{ "127.0.0.1", false },
	{ "127.0.0.1:", false },
	{ "127.0.0.1:0", true },
	{ "127.0.0.1:65536", false },
	{ "127.0.0.1:+80", false },
	{ "::1:8443", false },
	{ "[::1]", false },
	{ "[]:8443", false },
	{ "[127.0.0.1]:8443", false },
	{ "localhost:8443", false },
	{ ":8443", false },
	{ "8443", false },
	{ "", false },
};

START_TEST(addresses_are_numeric_with_a_port)
{
	ck_assert_msg(value_is_address(addresses[_i].text) == addresses[_i].ok,
	        "%s", addresses[_i].text);
}
END_TEST

static const struct {
	const char *text;
	bool ok;
} hosts[] = {
	{ "est.example.com", true },
	{ "localhost", true },
	{ "*.example.com", true },
	{ "192.0.2.1", true },
	{ "2001:db8::1", true },
	{ "a-b.example", true },
	{ "", false },
	{ ".", false },
	{ "a..b", false },
	{ "a.", false },
	{ "-a.example", false },
	{ "a-.example", false },
	{ "a_b.example", false },
	{ "a b", false },
	{ "*", false },
	{ "a.*.b", false },
	{ "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl",
	        false },
};

START_TEST(hosts_are_dns_names_or_addresses)
{
	ck_assert_msg(value_is_host(hosts[_i].text) == hosts[_i].ok, "%s",
	        hosts[_i].text);
}
END_TEST

START_TEST(urls_are_http_and_name_a_host)
{
	ck_assert(value_is_url("http://ca.example/ca.crt"));
	ck_assert(value_is_url("https://ca.example"));
	ck_assert(!value_is_url("ldap://ca.example/"));
	ck_assert(!value_is_url("http://"));
	ck_assert(!value_is_url("http:///ca.crt"));
	ck_assert(!value_is_url("http://ca.example/a b"));
	ck_assert(!value_is_url("http://ca.example/\n"));
	ck_assert(!value_is_url("ca.example"));
}
END_TEST

START_TEST(key_files_stay_in_their_folder)
{
	ck_assert(value_is_below("a.key"));
	ck_assert(value_is_below("a/b..c.key"));
	ck_assert(!value_is_below("../a.key"));
	ck_assert(!value_is_below("a/../../b.key"));
	ck_assert(!value_is_below("a/.."));
	ck_assert(!value_is_below("/a.key"));
	ck_assert(!value_is_below(""));
}
END_TEST

START_TEST(pkcs11_uris_name_a_key_and_no_secret)
{
	static const char *const good[] = { "pkcs11:object=a",
		"pkcs11:token=mica;object=issuing",
		"pkcs11:id=%01%ff;serial=0;type=private",
		"pkcs11:slot-id=3;object=a%20b%3B" };
	static const char *const bad[] = { "", "issuing.key",
		"pkcs11:", "pkcs11:token=mica",
		"pkcs11:object=", "pkcs11:object", "pkcs11:object=a b",
		"pkcs11:object=%2", "pkcs11:object=%zz",
		"pkcs11:object=a?pin-value=1",
		"pkcs11:object=a?module-path=/m.so", "pkcs11:objct=a;id=%01",
		"pkcs11:object=a;;id=%01" };

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		ck_assert_msg(
		        value_pkcs11_fault(good[i]) == NULL, "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ck_assert_msg(value_pkcs11_fault(bad[i]) != NULL, "%s", bad[i]);
}
END_TEST

START_TEST(values_are_shown_in_their_largest_unit)
{
	char text[VALUE_TEXT_BYTES];

	ck_assert_str_eq(value_duration_text(text, 0), "0s");
	ck_assert_str_eq(value_duration_text(text, 100), "100ms");
	ck_assert_str_eq(value_duration_text(text, 90000), "90s");
	ck_assert_str_eq(value_duration_text(text, VALUE_HOUR_MS), "1h");
	ck_assert_str_eq(value_duration_text(text, 10 * VALUE_YEAR_MS), "10y");
	ck_assert_str_eq(value_size_text(text, 1 << 20), "1MiB");
	ck_assert_str_eq(value_size_text(text, 1536), "1536B");
}
END_TEST

#define ROWS(a) ((int)(sizeof(a) / sizeof((a)[0])))

TCase *test_conf_values(void)
{
	TCase *t = tcase_create("values");

	tcase_add_loop_test(
	        t, durations_are_a_number_and_a_unit, 0, ROWS(durations));
	tcase_add_loop_test(
	        t, sizes_are_a_number_and_a_binary_unit, 0, ROWS(sizes));
	tcase_add_loop_test(
	        t, percentages_have_one_decimal_at_most, 0, ROWS(parts));
	tcase_add_loop_test(
	        t, addresses_are_numeric_with_a_port, 0, ROWS(addresses));
	tcase_add_loop_test(
	        t, hosts_are_dns_names_or_addresses, 0, ROWS(hosts));
	tcase_add_test(t, urls_are_http_and_name_a_host);
	tcase_add_test(t, key_files_stay_in_their_folder);
	tcase_add_test(t, pkcs11_uris_name_a_key_and_no_secret);
	tcase_add_test(t, values_are_shown_in_their_largest_unit);
	return t;
}
