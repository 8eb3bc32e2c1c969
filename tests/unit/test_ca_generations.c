/* Generations of an authority: what clients are given of them, and which cross
 * certificates are taken. */
#include "tests/unit/test_ca.h"

#include "ca/generations.h"

#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#define EXTS                                                                   \
	"[ext]\nbasicConstraints=critical,CA:TRUE\n"                           \
	"keyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n"
#define BELOW EXTS "authorityKeyIdentifier=keyid\n"

enum { ROOT, OLD, NEW, NEW_WITH_OLD, OLD_WITH_NEW, STRANGER, FILES };
static const char *const names[FILES] = { "root.pem", "old.pem", "new.pem",
	"nwo.pem", "own.pem", "stranger.pem" };

static EVP_PKEY *keys[4]; /* root, old, new, stranger */
static X509 *certs[FILES];
static const char *cross; /* what stands in cross.pem: letters */
static struct conf *conf;
static struct authorities *all;

static const char yaml[] =
        "store: { lmdb: { path: store } }\n"
        "listen: { est: { authority: old } }\n"
        "keys: { a: { file: a.key }, b: { file: b.key } }\n"
        "authorities:\n"
        "  old: { certificate: old.pem, chain: root.pem, key: a }\n"
        "  new: { certificate: new.pem, chain: root.pem, key: b,\n"
        "    replaces: old, cross: cross.pem }\n"
        "profiles: { p: { subject: { CN: x } } }\n";

static void open_certs(void)
{
	for (size_t i = 0; i < 4; i++)
		keys[i] = world_key("P-256");
	certs[ROOT] = world_ca(keys[0], "Root", NULL, NULL, EXTS);
	certs[OLD] = world_ca(keys[1], "Factory", certs[ROOT], keys[0], BELOW);
	certs[NEW] = world_ca(keys[2], "Factory", certs[ROOT], keys[0], BELOW);
	certs[NEW_WITH_OLD] =
	        world_ca(keys[2], "Factory", certs[OLD], keys[1], BELOW);
	certs[OLD_WITH_NEW] =
	        world_ca(keys[1], "Factory", certs[NEW], keys[2], BELOW);
	certs[STRANGER] = world_ca(keys[3], "Factory", NULL, NULL, EXTS);
	cross = "\3\4";
}

static void unload(void)
{
	authorities_free(all);
	conf_free(conf);
	all = NULL;
	conf = NULL;
}

static void close_certs(void)
{
	unload();
	for (size_t i = 0; i < FILES; i++)
		X509_free(certs[i]);
	for (size_t i = 0; i < 4; i++)
		EVP_PKEY_free(keys[i]);
}

static void add_pem(struct buf *out, size_t i)
{
	struct buf pem = world_pem(certs[i]);

	buf_add(out, buf_bytes(&pem));
	buf_free(&pem);
}

static enum rc read_pem(
        void *ctx, const char *path, struct buf *out, struct why *why)
{
	(void)ctx;
	(void)why;
	for (size_t i = 0; i < FILES; i++)
		if (strcmp(path, names[i]) == 0)
			add_pem(out, i);
	if (strcmp(path, "cross.pem") == 0)
		for (const char *c = cross; *c != '\0'; c++)
			add_pem(out, (size_t)*c);
	return out->failed;
}

static enum rc open_all(struct why *why)
{
	struct conf_errors *errors = calloc(1, sizeof(*errors));
	enum rc rc;

	unload();
	rc = conf_load(
	        &conf, "mica.yaml", bytes_str(yaml), read_pem, NULL, errors);
	if (rc != RC_OK)
		ck_abort_msg("%s", errors->list[0].text);
	free(errors);
	return authorities_new(&all, conf, why);
}

/* The files that a client of that authority is given, by their numbers. */
static const char *given(const char *name, int64_t now_s)
{
	static char out[GENERATIONS_CERTS_MAX + 1];
	struct bytes list[GENERATIONS_CERTS_MAX];
	size_t n;

	ck_assert_int_eq(generations_certs(list, &n, all, conf,
	                         authorities_find(all, name), now_s),
	        RC_OK);
	for (size_t i = 0; i < n; i++) {
		out[i] = '?';
		for (size_t k = 0; k < FILES; k++) {
			struct buf der = world_der(certs[k]);

			if (bytes_eq(buf_bytes(&der), list[i]))
				out[i] = (char)('0' + k);
			buf_free(&der);
		}
	}
	out[n] = '\0';
	return out;
}

START_TEST(clients_are_given_all_generations_their_own_first_nothing_twice)
{
	struct why why = WHY_NONE;

	ck_assert_msg(open_all(&why) == RC_OK, "%s", why.text);
	ck_assert_str_eq(given("old", WORLD_NOW_S), "10234");
	ck_assert_str_eq(given("new", WORLD_NOW_S), "20134");
}
END_TEST

START_TEST(clients_are_not_given_what_ended_or_was_revoked)
{
	int64_t end_s = WORLD_NOW_S + WORLD_CA_DAYS * INT64_C(86400);
	struct why why = WHY_NONE;

	ck_assert_int_eq(open_all(&why), RC_OK);
	ck_assert_str_eq(given("new", end_s), "20");
	authorities_find(all, "old")->state = AUTHORITY_REVOKED;
	ck_assert_str_eq(given("new", WORLD_NOW_S), "20");
}
END_TEST

START_TEST(next_is_the_newest_unless_it_is_revoked_or_over)
{
	int64_t end_s = WORLD_NOW_S + WORLD_CA_DAYS * INT64_C(86400);
	struct authority *old, *new;
	struct why why = WHY_NONE;

	ck_assert_int_eq(open_all(&why), RC_OK);
	old = authorities_find(all, "old");
	new = authorities_find(all, "new");
	ck_assert_ptr_eq(generations_next(all, conf, old, WORLD_NOW_S), new);
	ck_assert_ptr_eq(generations_next(all, conf, old, 0), new);
	ck_assert_ptr_null(generations_next(all, conf, new, WORLD_NOW_S));
	ck_assert_ptr_null(generations_next(all, conf, old, end_s));
	new->state = AUTHORITY_REVOKED;
	ck_assert_ptr_null(generations_next(all, conf, old, 0));
}
END_TEST

START_TEST(generations_stand_in_a_line)
{
	const struct conf_authority *old, *new;
	struct why why = WHY_NONE;

	ck_assert_int_eq(open_all(&why), RC_OK);
	old = conf_authority(conf, "old");
	new = conf_authority(conf, "new");
	ck_assert(generation_continues(new, "old"));
	ck_assert(generation_continues(new, "new"));
	ck_assert(!generation_continues(old, "new"));
	ck_assert_ptr_eq(generation_newest(conf, old), new);
	ck_assert_ptr_eq(generation_newest(conf, new), new);
	ck_assert_ptr_eq(authorities_find(all, "new")->first,
	        authorities_find(all, "old"));
}
END_TEST

static const struct {
	const char *name, *cross, *clause;
} crosses[] = {
	{ "none", "", NULL },
	{ "one of them", "\4", NULL },
	{ "the generation itself, by their root", "\2", NULL },
	{ "a stranger's", "\3\5", "cross, certificate 2: its key is of no" },
};
#define CROSSES ((int)(sizeof(crosses) / sizeof(crosses[0])))

START_TEST(cross_certificates_are_of_the_two_generations)
{
	struct why why = WHY_NONE;
	enum rc rc;

	cross = crosses[_i].cross;
	rc = open_all(&why);
	ck_assert_msg((rc == RC_OK) == (crosses[_i].clause == NULL), "%s: %s",
	        crosses[_i].name, why.text);
	if (crosses[_i].clause != NULL)
		ck_assert_msg(strstr(why.text, crosses[_i].clause) != NULL,
		        "%s", why.text);
}
END_TEST

TCase *test_ca_generations(void)
{
	TCase *t = tcase_create("generations");

	tcase_add_checked_fixture(t, open_certs, close_certs);
	tcase_add_test(t,
	        clients_are_given_all_generations_their_own_first_nothing_twice);
	tcase_add_test(t, clients_are_not_given_what_ended_or_was_revoked);
	tcase_add_test(t, next_is_the_newest_unless_it_is_revoked_or_over);
	tcase_add_test(t, generations_stand_in_a_line);
	tcase_add_loop_test(
	        t, cross_certificates_are_of_the_two_generations, 0, CROSSES);
	return t;
}
