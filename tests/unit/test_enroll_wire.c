/* The pure parts of enroll/: paths, Basic credentials, device ids, tokens,
 * certs-only messages, renewal windows. */
#include "tests/unit/test_enroll.h"

#include "base/buf.h"
#include "base/text.h"
#include "ca/certs_only.h"
#include "enroll/device.h"
#include "enroll/est_wire.h"
#include "enroll/renewal.h"
#include "enroll/token.h"
#include <openssl/objects.h>
#include <openssl/pkcs7.h>
#include <string.h>

#define COUNT(a) ((int)(sizeof(a) / sizeof(*(a))))

/* --- paths */
static const struct {
	const char *path;
	enum rc rc;
	enum est_op op;
	const char *label;
} paths[] = {
	{ "/.well-known/est/cacerts", RC_OK, EST_CACERTS, "" },
	{ "/.well-known/est/simpleenroll", RC_OK, EST_SIMPLEENROLL, "" },
	{ "/.well-known/est/simplereenroll", RC_OK, EST_SIMPLEREENROLL, "" },
	{ "/.well-known/est/csrattrs", RC_OK, EST_CSRATTRS, "" },
	{ "/.well-known/est/line1/cacerts", RC_OK, EST_CACERTS, "line1" },
	{ "/.well-known/est/a.b_c-9/csrattrs", RC_OK, EST_CSRATTRS, "a.b_c-9" },
	{ "/.well-known/est/cacerts/cacerts", RC_OK, EST_CACERTS, "cacerts" },
	{ "/line1/.well-known/est/cacerts", RC_OK, EST_CACERTS, "line1" },
	{ "/line1/.well-known/est/simpleenroll", RC_OK, EST_SIMPLEENROLL,
	        "line1" },
	{ "", RC_NOTFOUND, 0, NULL },
	{ "/", RC_NOTFOUND, 0, NULL },
	{ "/.well-known/est", RC_NOTFOUND, 0, NULL },
	{ "/.well-known/est/", RC_NOTFOUND, 0, NULL },
	{ "/.well-known/est/serverkeygen", RC_NOTFOUND, 0, NULL },
	{ "/.well-known/est/fullcmc", RC_NOTFOUND, 0, NULL },
	{ "/.well-known/est/CACERTS", RC_NOTFOUND, 0, NULL },
	{ "/.well-known/est/cacerts/", RC_NOTFOUND, 0, NULL },
	{ "/.well-known/est//cacerts", RC_NOTFOUND, 0, NULL },
	{ "/.well-known/est/a/b/cacerts", RC_NOTFOUND, 0, NULL },
	{ "/.well-known/est/a%2Fb/cacerts", RC_NOTFOUND, 0, NULL },
	{ "/.well-known/est/%6Cine1/cacerts", RC_NOTFOUND, 0, NULL },
	{ "/.well-known/est/../cacerts", RC_OK, EST_CACERTS, ".." },
	{ "//.well-known/est/cacerts", RC_NOTFOUND, 0, NULL },
	{ "/a/b/.well-known/est/cacerts", RC_NOTFOUND, 0, NULL },
	{ "/a/.well-known/est/b/cacerts", RC_NOTFOUND, 0, NULL },
	{ "/a/.well-known/est/cacerts/", RC_NOTFOUND, 0, NULL },
};

START_TEST(paths_are_compared_as_sent)
{
	struct est_path path;
	enum rc rc = est_path_parse(&path, bytes_str(paths[_i].path));

	ck_assert_msg(rc == paths[_i].rc, "%s", paths[_i].path);
	if (rc != RC_OK)
		return;
	ck_assert_int_eq(path.op, paths[_i].op);
	ck_assert(bytes_eq_str(path.label, paths[_i].label));
}
END_TEST

/* --- Basic */
static const struct {
	const char *field; /* `~` is where base64 of plain goes */
	const char *plain;
	enum rc rc;
	const char *user, *secret;
} basics[] = {
	{ "Basic ~", "meter-1:secret", RC_OK, "meter-1", "secret" },
	{ "basic ~", "meter-1:secret", RC_OK, "meter-1", "secret" },
	{ "Basic  ~", "meter-1:secret", RC_OK, "meter-1", "secret" },
	{ "Basic ~", "00:11:22:secret", RC_OK, "00:11:22", "secret" },
	{ "Basic ~", "PID:X SN:Y:secret", RC_OK, "PID:X SN:Y", "secret" },
	{ NULL, NULL, RC_NOTFOUND, NULL, NULL },
	{ "", NULL, RC_NOTFOUND, NULL, NULL },
	{ "Bearer abc", NULL, RC_NOTFOUND, NULL, NULL },
	{ "Basic", NULL, RC_NOTFOUND, NULL, NULL },
	{ "Basic ~", ":", RC_NOTFOUND, NULL, NULL },
	{ "Basic ~", ":secret", RC_NOTFOUND, NULL, NULL },
	{ "Basic ~", "meter-1:", RC_MALFORMED, NULL, NULL },
	{ "Basic ~", "meter-1", RC_MALFORMED, NULL, NULL },
	{ "Basic ", NULL, RC_MALFORMED, NULL, NULL },
	{ "Basic ???", NULL, RC_MALFORMED, NULL, NULL },
	{ "Basic ~", "meter\t1:secret", RC_MALFORMED, NULL, NULL },
	{ "Basic ~", "meter\xc3\xa9:secret", RC_MALFORMED, NULL, NULL },
};

static void fill_field(struct buf *out, const char *field, const char *plain)
{
	for (; field != NULL && *field != '\0'; field++) {
		if (*field == '~')
			base64_encode(out, bytes_str(plain), 0);
		else
			buf_add_u8(out, (uint8_t)*field);
	}
}

START_TEST(basic_is_parted_at_its_last_colon)
{
	struct buf field = BUF_INIT(1024);
	struct basic basic;
	enum rc rc;

	fill_field(&field, basics[_i].field, basics[_i].plain);
	rc = basic_parse(&basic, buf_bytes(&field));
	ck_assert_int_eq(rc, basics[_i].rc);
	if (rc == RC_OK) {
		ck_assert_str_eq(basic.user, basics[_i].user);
		ck_assert_str_eq(basic.secret, basics[_i].secret);
	}
	buf_free(&field);
}
END_TEST

START_TEST(basic_refuses_what_is_too_long)
{
	struct buf field = BUF_INIT(4096);
	struct buf plain = BUF_INIT(4096);
	struct basic basic;

	for (int i = 0; i < 129; i++)
		buf_add_u8(&plain, 'a');
	buf_add_str(&plain, ":secret");
	buf_add_str(&field, "Basic ");
	base64_encode(&field, buf_bytes(&plain), 0);
	ck_assert_int_eq(basic_parse(&basic, buf_bytes(&field)), RC_MALFORMED);
	buf_reset(&field);
	buf_add_str(&field, "Basic ");
	for (int i = 0; i < 200; i++)
		buf_add_str(&field, "YWFh");
	ck_assert_int_eq(basic_parse(&basic, buf_bytes(&field)), RC_TOOBIG);
	buf_free(&field);
	buf_free(&plain);
}
END_TEST

/* --- quirks */
static const struct {
	const char *agent;
	unsigned columns;
	bool bare_challenge;
} agents[] = {
	{ NULL, 0, true },
	{ "", 0, true },
	{ "curl/7.88.1", 0, false },
	{ "libest client 1.0", 64, false },
	{ "libest 3.2.0", 64, false },
	{ "Cisco EST client 1.0", 64, false },
	{ "not libest", 0, false },
};

START_TEST(only_known_clients_get_other_forms)
{
	const struct est_quirk *quirk = est_quirk(bytes_str(agents[_i].agent));

	ck_assert_uint_eq(quirk->columns, agents[_i].columns);
	ck_assert_int_eq(quirk->bare_challenge, agents[_i].bare_challenge);
}
END_TEST

/* --- device ids */
#define SIXTEEN "0123456789abcdef"
static const struct {
	const char *id;
	enum rc rc;
} ids[] = {
	{ "m", RC_OK },
	{ "meter-1", RC_OK },
	{ "00:11:22:33:44:55", RC_OK },
	{ "PID:C9300 SN:FOC1234ABCD", RC_OK },
	{ "urn:dev:x.y+z@w", RC_OK },
	{ SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN,
	        RC_OK },
	{ SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN "0",
	        RC_TOOBIG },
	{ "", RC_MALFORMED },
	{ " meter", RC_MALFORMED },
	{ "meter ", RC_MALFORMED },
	{ "-meter", RC_MALFORMED },
	{ "../meter", RC_MALFORMED },
	{ "a/b", RC_MALFORMED },
	{ "a%b", RC_MALFORMED },
	{ "a\"b", RC_MALFORMED },
	{ "a\\b", RC_MALFORMED },
	{ "a\nb", RC_MALFORMED },
	{ "m\xc3\xa9ter", RC_MALFORMED },
};

START_TEST(device_ids_have_one_form_everywhere)
{
	ck_assert_int_eq(
	        device_id_check(bytes_str(ids[_i].id), NULL), ids[_i].rc);
}
END_TEST

START_TEST(tokens_are_128_bits_that_can_be_read_aloud)
{
	char a[TOKEN_TEXT_CHARS + 1];
	char b[TOKEN_TEXT_CHARS + 1];

	token_make(a);
	token_make(b);
	ck_assert_str_ne(a, b);
	ck_assert_uint_eq(strlen(a), TOKEN_TEXT_CHARS);
	ck_assert_uint_eq(strspn(a, "0123456789abcdefghjkmnpqrstvwxyz"),
	        TOKEN_TEXT_CHARS);
	/* 26 characters carry 130 bits: the last has three of them. */
	ck_assert_ptr_nonnull(strchr("048cgmrw", a[TOKEN_TEXT_CHARS - 1]));
}
END_TEST

/* --- certs-only */
START_TEST(certs_only_is_what_libcrypto_reads)
{
	struct buf message = BUF_INIT(CERTS_ONLY_MAX_BYTES);
	uint8_t *again = NULL;
	const uint8_t *p;
	PKCS7 *pkcs7;
	int n;

	ck_assert_int_eq(certs_only_put(&message, NULL, 0), RC_OK);
	p = message.p;
	pkcs7 = d2i_PKCS7(NULL, &p, (long)message.n);
	ck_assert_ptr_nonnull(pkcs7);
	ck_assert_ptr_eq(p, message.p + message.n);
	ck_assert(PKCS7_type_is_signed(pkcs7));
	n = i2d_PKCS7(pkcs7, &again);
	ck_assert_int_gt(n, 0);
	PKCS7_free(pkcs7);
	OPENSSL_free(again);
	buf_free(&message);
}
END_TEST

/* --- renewal windows */
static const struct {
	const char *name;
	uint32_t permille;
	int64_t from_s, grace_s;
	int64_t now_s; /* the certificate lives from 1000 to 11000 */
	enum rc rc;
} windows[] = {
	{ "before it is valid", 0, 0, 0, 999, RC_DENIED },
	{ "at once, no window", 0, 0, 0, 1000, RC_OK },
	{ "half, too early", 500, 0, 0, 5999, RC_DENIED },
	{ "half, from the middle on", 500, 0, 0, 6000, RC_OK },
	{ "absolute, too early", 0, 3000, 0, 3999, RC_DENIED },
	{ "absolute, counts from notBefore", 0, 3000, 0, 4000, RC_OK },
	{ "last second", 500, 0, 0, 11000, RC_OK },
	{ "expired, no grace", 500, 0, 0, 11001, RC_DENIED },
	{ "expired, last second of the grace", 500, 0, 60, 11060, RC_OK },
	{ "expired, past the grace", 500, 0, 60, 11061, RC_DENIED },
};

START_TEST(renewal_keeps_to_its_window)
{
	const struct conf_profile profile = {
		.renew_from_permille = windows[_i].permille,
		.renew_from_s = windows[_i].from_s,
		.renew_grace_s = windows[_i].grace_s,
	};
	const struct cert old = { .not_before_s = 1000, .not_after_s = 11000 };

	ck_assert_msg(renewal_check_time(&profile, &old, windows[_i].now_s,
	                      NULL) == windows[_i].rc,
	        "%s", windows[_i].name);
}
END_TEST

TCase *test_enroll_wire(void)
{
	TCase *tc = tcase_create("wire");

	tcase_add_loop_test(tc, paths_are_compared_as_sent, 0, COUNT(paths));
	tcase_add_loop_test(
	        tc, basic_is_parted_at_its_last_colon, 0, COUNT(basics));
	tcase_add_test(tc, basic_refuses_what_is_too_long);
	tcase_add_loop_test(
	        tc, only_known_clients_get_other_forms, 0, COUNT(agents));
	tcase_add_loop_test(
	        tc, device_ids_have_one_form_everywhere, 0, COUNT(ids));
	tcase_add_test(tc, tokens_are_128_bits_that_can_be_read_aloud);
	tcase_add_test(tc, certs_only_is_what_libcrypto_reads);
	tcase_add_loop_test(tc, renewal_keeps_to_its_window, 0, COUNT(windows));
	return tc;
}
