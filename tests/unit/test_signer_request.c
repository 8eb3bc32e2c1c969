/* The offline root: a request, its answer, and what is refused. */
#include "tests/unit/signer_run.h"
#include "tests/unit/test_signer.h"

#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES 96

static struct signer_run run;
static char root_key[PATH_BYTES], root_pem[PATH_BYTES], key[PATH_BYTES],
        req[PATH_BYTES], pem[PATH_BYTES], text_file[PATH_BYTES];

static void place(char *out, const char *name)
{
	(void)snprintf(out, PATH_BYTES, "%s/%s", run.dir, name);
}

/* What the question is answered with; its text goes nowhere. */
static void answer(const char *text)
{
	int in[2], null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
	ck_assert_int_eq(
	        write(in[1], text, strlen(text)), (ssize_t)strlen(text));
	ck_assert_int_eq(dup2(in[0], 0), 0);
	ck_assert_int_eq(dup2(null, 1), 1);
	close(in[0]);
	close(in[1]);
	close(null);
}

static void make_root(void)
{
	const char *args[] = { "--ceremony", "root", "--key", root_key,
		"--subject", "O=Example", "--subject", "CN=Example Root",
		"--validity", "20y", "--path-length", "1", "--out", root_pem,
		NULL };

	ck_assert_int_eq(run_to_end(args, NULL), 0);
}

static int make_request(const char *organization)
{
	const char *args[] = { "--ceremony", "request", "--key", key,
		"--subject", organization, "--subject", "CN=Issuing",
		"--path-length", "0", "--out", req, "--transcript", text_file,
		NULL };

	(void)unlink(req);
	(void)unlink(text_file);
	return run_to_end(args, NULL);
}

static int sign_with(const char *validity, const char *path_length,
        const char *yes, const char **text)
{
	const char *args[] = { "--ceremony", "sign", "--issuer-key", root_key,
		"--issuer-cert", root_pem, "--request", req, "--validity",
		validity, "--path-length", path_length, "--out", pem, yes,
		NULL };

	return run_to_end(args, text);
}

static void open_dir(void)
{
	run_open(&run);
	place(root_key, "root.key");
	place(root_pem, "root.pem");
	place(key, "issuing.key");
	place(req, "req.pem");
	place(pem, "issuing.pem");
	place(text_file, "transcript");
	run_make_key(&run, "root", "p384");
	run_make_key(&run, "issuing", "p256");
	make_root();
	ck_assert_int_eq(make_request("O=Example"), 0);
	answer("no\n");
}

static void close_dir(void)
{
	(void)unlink(req);
	(void)unlink(text_file);
	run_close(&run);
}

static X509 *read_cert(const char *path)
{
	FILE *f = fopen(path, "re");
	X509 *cert = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;

	ck_assert_ptr_nonnull(cert);
	(void)fclose(f);
	return cert;
}

/* What stands in the file, which its last line has the digest of. */
static void check_transcript(const char *path, const char *needle)
{
	static char text[65536];
	static const char mark[] = "SHA-256 of all lines above: ";
	FILE *f = fopen(path, "re");
	unsigned char digest[EVP_MAX_MD_SIZE];
	char hex[65];
	char *last;
	size_t n;

	ck_assert_ptr_nonnull(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	(void)fclose(f);
	text[n] = '\0';
	ck_assert_msg(strstr(text, needle) != NULL, "%s", text);
	last = strstr(text, mark);
	ck_assert_ptr_nonnull(last);
	ck_assert_int_eq(EVP_Digest(text, (size_t)(last - text), digest, NULL,
	                         EVP_sha256(), NULL),
	        1);
	for (int i = 0; i < 32; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	last += sizeof(mark) - 1;
	ck_assert_int_eq(strncmp(last, hex, 64), 0);
	ck_assert_str_eq(last + 64, "\n");
}

START_TEST(request_is_proven_by_its_key_and_asks_for_a_ca)
{
	FILE *f = fopen(req, "re");
	X509_REQ *r = f ? PEM_read_X509_REQ(f, NULL, NULL, NULL) : NULL;
	STACK_OF(X509_EXTENSION) * all;
	BASIC_CONSTRAINTS *bc;

	ck_assert_ptr_nonnull(r);
	(void)fclose(f);
	ck_assert_int_eq(X509_REQ_verify(r, X509_REQ_get0_pubkey(r)), 1);
	all = X509_REQ_get_extensions(r);
	bc = X509V3_get_d2i(all, NID_basic_constraints, NULL, NULL);
	ck_assert(bc && bc->ca && ASN1_INTEGER_get(bc->pathlen) == 0);
	ck_assert_int_eq(sk_X509_EXTENSION_num(all), 2);
	BASIC_CONSTRAINTS_free(bc);
	sk_X509_EXTENSION_pop_free(all, X509_EXTENSION_free);
	X509_REQ_free(r);
	check_transcript(text_file, "O = Example, CN = Issuing");
	ck_assert_int_eq(run_to_end((const char *[]){ "--ceremony", "request",
	                                    "--key", key, "--subject", "CN=x",
	                                    "--out", req, NULL },
	                         NULL),
	        7);
}
END_TEST

START_TEST(sign_answers_with_a_certificate_for_the_requests_key)
{
	const char *check[] = { "--ceremony", "check-key", "--key", key,
		"--cert", pem, NULL };
	const char *text;
	X509 *root, *cert;

	ck_assert_msg(sign_with("10y", "0", "--yes", &text) == 0, "%s", text);
	root = read_cert(root_pem);
	cert = read_cert(pem);
	ck_assert_int_eq(X509_verify(cert, X509_get0_pubkey(root)), 1);
	ck_assert_int_eq(X509_check_ca(cert), 1);
	ck_assert_int_eq(X509_get_pathlen(cert), 0);
	ck_assert_int_eq(run_to_end(check, NULL), 0);
	check[3] = root_key;
	ck_assert_int_eq(run_to_end(check, &text), 3);
	ck_assert_msg(strstr(text, "another key") != NULL, "%s", text);
	X509_free(root);
	X509_free(cert);
}
END_TEST

START_TEST(sign_cuts_the_validity_to_the_issuers)
{
	X509 *root, *cert;

	ck_assert_int_eq(sign_with("50y", "0", "--yes", NULL), 0);
	root = read_cert(root_pem);
	cert = read_cert(pem);
	ck_assert_int_eq(ASN1_TIME_compare(X509_get0_notAfter(root),
	                         X509_get0_notAfter(cert)),
	        0);
	X509_free(root);
	X509_free(cert);
}
END_TEST

START_TEST(sign_writes_a_transcript_with_its_own_digest)
{
	const char *args[] = { "--ceremony", "sign", "--issuer-key", root_key,
		"--issuer-cert", root_pem, "--request", req, "--validity", "1y",
		"--path-length", "0", "--out", pem, "--transcript", text_file,
		"--yes", NULL };

	/* It stands there already: found before anything is signed. */
	ck_assert_int_eq(run_to_end(args, NULL), 7);
	ck_assert_int_eq(access(pem, F_OK), -1);
	ck_assert_int_eq(unlink(text_file), 0);
	ck_assert_int_eq(run_to_end(args, NULL), 0);
	check_transcript(text_file, "BEGIN CERTIFICATE-----");
}
END_TEST

START_TEST(sign_wants_to_hear_yes)
{
	static const char *const no[] = { "", "no\n", "y\n", "yes!\n", "yes" };
	const char *text;

	for (size_t i = 0; i < sizeof(no) / sizeof(*no); i++) {
		answer(no[i]);
		ck_assert_int_eq(sign_with("1y", "0", NULL, &text), 1);
		ck_assert_msg(strstr(text, "nothing was signed"), "%s", text);
		ck_assert_int_eq(access(pem, F_OK), -1);
	}
	answer("yes\n");
	ck_assert_int_eq(sign_with("1y", "0", NULL, NULL), 0);
}
END_TEST

/* --- requests that nobody here would write */

struct forged {
	const char *name, *clause;
	const char *organization; /* NULL: none */
	const char *constraints;  /* NULL: not asked for */
	bool foreign_key;         /* signed by another than it names */
};

static EVP_PKEY *read_key(const char *path)
{
	FILE *f = fopen(path, "re");
	EVP_PKEY *k = f ? PEM_read_PrivateKey(f, NULL, NULL, NULL) : NULL;

	ck_assert_ptr_nonnull(k);
	(void)fclose(f);
	return k;
}

static void add_constraints(X509_REQ *r, const char *value)
{
	STACK_OF(X509_EXTENSION) *all = sk_X509_EXTENSION_new_null();
	X509_EXTENSION *ext =
	        X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, value);

	ck_assert_ptr_nonnull(ext);
	sk_X509_EXTENSION_push(all, ext);
	ck_assert_int_eq(X509_REQ_add_extensions(r, all), 1);
	sk_X509_EXTENSION_pop_free(all, X509_EXTENSION_free);
}

static void write_forged(const struct forged *row)
{
	EVP_PKEY *own = read_key(key), *other = read_key(root_key);
	X509_REQ *r = X509_REQ_new();
	X509_NAME *name = X509_REQ_get_subject_name(r);
	FILE *f = fopen(req, "we");

	if (row->organization)
		X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8,
		        (const unsigned char *)row->organization, -1, -1, 0);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
	        (const unsigned char *)"Issuing", -1, -1, 0);
	if (row->constraints)
		add_constraints(r, row->constraints);
	ck_assert_int_eq(X509_REQ_set_pubkey(r, own), 1);
	ck_assert_int_gt(
	        X509_REQ_sign(r, row->foreign_key ? other : own, EVP_sha256()),
	        0);
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(PEM_write_X509_REQ(f, r), 1);
	(void)fclose(f);
	X509_REQ_free(r);
	EVP_PKEY_free(own);
	EVP_PKEY_free(other);
}

START_TEST(sign_refuses_requests_outside_the_roots_rules)
{
	static const struct forged rows[] = {
		{ "another key", "not signed by the key", "Example", "CA:TRUE",
		        true },
		{ "CA:FALSE", "does not ask for a CA", "Example", "CA:FALSE",
		        false },
		{ "no constraints", "does not ask for a CA", "Example", NULL,
		        false },
		{ "other organization", "has not the issuer's O", "Examp1e",
		        "CA:TRUE", false },
		{ "no organization", "has not the issuer's O", NULL, "CA:TRUE",
		        false },
	};
	const char *text;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		write_forged(&rows[i]);
		ck_assert_int_eq(sign_with("1y", "0", "--yes", &text), 1);
		ck_assert_msg(strstr(text, rows[i].clause), "%s: %s",
		        rows[i].name, text);
		ck_assert_int_eq(access(pem, F_OK), -1);
	}
}
END_TEST

START_TEST(sign_takes_another_subject_only_when_told_which)
{
	const char *args[] = { "--ceremony", "sign", "--issuer-key", root_key,
		"--issuer-cert", root_pem, "--request", req, "--validity", "1y",
		"--path-length", "0", "--out", pem, "--yes", "--subject",
		"O=Branch", "--subject", "CN=Other", NULL };
	const char *text;

	ck_assert_int_eq(make_request("O=Branch"), 0);
	ck_assert_int_eq(run_to_end(args, &text), 1);
	ck_assert_msg(strstr(text, "not that of --subject"), "%s", text);
	args[18] = "CN=Issuing";
	ck_assert_int_eq(run_to_end(args, NULL), 0);
}
END_TEST

START_TEST(sign_keeps_the_path_length_below_the_issuers)
{
	const char *text;

	ck_assert_int_eq(sign_with("1y", "1", "--yes", &text), 1);
	ck_assert_msg(strstr(text, "path length") != NULL, "%s", text);
	ck_assert_int_eq(access(pem, F_OK), -1);
}
END_TEST

/* --- URLs */

static int sign_with_url(const char *option, const char *url,
        const char *option2, const char *url2, const char **text)
{
	const char *args[] = { "--ceremony", "sign", "--issuer-key", root_key,
		"--issuer-cert", root_pem, "--request", req, "--validity", "1y",
		"--path-length", "0", "--out", pem, "--yes", option, url,
		option2, url2, NULL };

	return run_to_end(args, text);
}

static const char *const url_options[] = { "--crl-url", "--ca-issuers-url" };

static const char *const good_urls[] = {
	"http://a",
	"http://a?b",
	"http://pki.example/root.crl",
	"http://192.0.2.7:8080/root.crl?a=%20b",
	"http://[2001:db8::1]:1/~x/(1);y=',&$!*+@:",
};

static const char *const bad_urls[] = {
	"",
	"http://",
	"http:///root.crl",
	"http://:80/",
	"HTTP://pki.example/",
	"https://pki.example/root.crl",
	"ldap://pki.example/x",
	"pki.example/root.crl",
	"/root.crl",
	"http://pki example/",
	"http://pki.example/a b",
	"http://pki.example/a\nb",
	"http://user@pki.example/",
	"http://user:word@pki.example/",
	"http://pki_example/",
	"http://pki.example:/",
	"http://pki.example:0/",
	"http://pki.example:65536/",
	"http://pki.example:8O/",
	"http://[::1/",
	"http://[]/",
	"http://[::1]x/",
	"http://[pki]/",
	"http://pki.example/a#b",
	"http://pki.example/%",
	"http://pki.example/%2",
	"http://pki.example/%zz",
	"http://pki.example/\xc3\xa9",
	"http://pki.example/<a>",
	"http://pki.example/\"a\"",
	"http://pki.example/a\\b",
	"http://pki.example/{a}",
};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

START_TEST(sign_puts_urls_that_everybody_can_read)
{
	const char *text, *option = url_options[_i];
	X509 *cert;

	for (size_t i = 0; i < COUNT(good_urls); i++) {
		ck_assert_msg(sign_with_url(option, good_urls[i], NULL, NULL,
		                      &text) == 0,
		        "%s: %s", good_urls[i], text);
		cert = read_cert(pem);
		ck_assert_int_eq(X509_get_ext_by_NID(cert,
		                         NID_crl_distribution_points, -1) >= 0,
		        _i == 0);
		ck_assert_int_eq(
		        X509_get_ext_by_NID(cert, NID_info_access, -1) >= 0,
		        _i == 1);
		X509_free(cert);
		ck_assert_int_eq(unlink(pem), 0);
	}
	ck_assert_int_eq(
	        sign_with_url(option, good_urls[0], option, good_urls[1], NULL),
	        0);
}
END_TEST

START_TEST(sign_refuses_urls_that_not_everybody_can_read)
{
	const char *text, *option = url_options[_i];

	for (size_t i = 0; i < COUNT(bad_urls); i++) {
		ck_assert_msg(sign_with_url(option, bad_urls[i], NULL, NULL,
		                      &text) == 1,
		        "%s", bad_urls[i]);
		ck_assert_msg(strstr(text, "want an http:// URL"), "%s: %s",
		        bad_urls[i], text);
	}
	ck_assert_int_eq(sign_with_url(option, good_urls[0], option,
	                         good_urls[0], &text),
	        1);
	ck_assert_msg(strstr(text, "stands twice"), "%s", text);
	ck_assert_int_eq(access(pem, F_OK), -1);
}
END_TEST

START_TEST(sign_takes_so_many_urls_and_so_long_ones)
{
	static char url[1100] = "http://a/";
	const char *args[40] = { "--ceremony", "sign", "--issuer-key", root_key,
		"--issuer-cert", root_pem, "--request", req, "--validity", "1y",
		"--path-length", "0", "--out", pem, "--yes" };
	static char urls[9][24];
	const char *text;
	int n = 15;

	memset(url + 9, 'a', 1024 - 9);
	ck_assert_int_eq(sign_with_url("--crl-url", url, NULL, NULL, &text), 0);
	ck_assert_int_eq(unlink(pem), 0);
	url[1024] = 'a';
	ck_assert_int_eq(sign_with_url("--crl-url", url, NULL, NULL, &text), 1);
	for (int i = 0; i < 9; i++) {
		(void)snprintf(urls[i], sizeof(urls[i]), "http://a/%d", i);
		args[n++] = "--crl-url";
		args[n++] = urls[i];
	}
	ck_assert_int_eq(run_to_end(args, &text), 2);
	ck_assert_msg(strstr(text, "over 8 URLs"), "%s", text);
	args[n - 2] = NULL;
	ck_assert_int_eq(run_to_end(args, NULL), 0);
}
END_TEST

/* The root once more, with an extension that no ceremony of ours puts in. */
static void constrain_root(const char *value)
{
	X509 *root = read_cert(root_pem);
	EVP_PKEY *pkey = read_key(root_key);
	X509_EXTENSION *ext =
	        X509V3_EXT_conf_nid(NULL, NULL, NID_name_constraints, value);
	FILE *f = fopen(root_pem, "we");

	ck_assert_ptr_nonnull(ext);
	ck_assert_int_eq(X509_add_ext(root, ext, -1), 1);
	ck_assert_int_gt(X509_sign(root, pkey, EVP_sha384()), 0);
	ck_assert_int_eq(PEM_write_X509(f, root), 1);
	(void)fclose(f);
	X509_EXTENSION_free(ext);
	EVP_PKEY_free(pkey);
	X509_free(root);
}

START_TEST(sign_heeds_the_issuers_name_constraints)
{
	const char *text;

	constrain_root("critical,permitted;email:example.com");
	ck_assert_msg(sign_with("1y", "0", "--yes", &text) == 0, "%s", text);
	ck_assert_int_eq(unlink(pem), 0);
	ck_assert_int_eq(unlink(req), 0);
	ck_assert_int_eq(
	        run_to_end(
	                (const char *[]){ "--ceremony", "request", "--key", key,
	                        "--subject", "O=Example", "--subject", "CN=I",
	                        "--subject", "emailAddress=ca@other.example",
	                        "--path-length", "0", "--out", req, NULL },
	                NULL),
	        0);
	ck_assert_int_eq(sign_with("1y", "0", "--yes", &text), 1);
	ck_assert_msg(strstr(text, "nameConstraints") != NULL, "%s", text);
}
END_TEST

START_TEST(sign_refuses_the_issuers_own_key)
{
	const char *text;

	(void)snprintf(key, sizeof(key), "%s", root_key);
	ck_assert_int_eq(make_request("O=Example"), 0);
	ck_assert_int_eq(sign_with("1y", "0", "--yes", &text), 1);
	ck_assert_msg(strstr(text, "key is the issuer's"), "%s", text);
}
END_TEST

TCase *test_signer_request(void)
{
	TCase *t = tcase_create("request");

	tcase_add_checked_fixture(t, open_dir, close_dir);
	tcase_add_test(t, request_is_proven_by_its_key_and_asks_for_a_ca);
	tcase_add_test(t, sign_answers_with_a_certificate_for_the_requests_key);
	tcase_add_test(t, sign_cuts_the_validity_to_the_issuers);
	tcase_add_test(t, sign_writes_a_transcript_with_its_own_digest);
	tcase_add_test(t, sign_wants_to_hear_yes);
	tcase_add_test(t, sign_refuses_requests_outside_the_roots_rules);
	tcase_add_test(t, sign_takes_another_subject_only_when_told_which);
	tcase_add_test(t, sign_keeps_the_path_length_below_the_issuers);
	tcase_add_loop_test(t, sign_puts_urls_that_everybody_can_read, 0, 2);
	tcase_add_loop_test(
	        t, sign_refuses_urls_that_not_everybody_can_read, 0, 2);
	tcase_add_test(t, sign_takes_so_many_urls_and_so_long_ones);
	tcase_add_test(t, sign_heeds_the_issuers_name_constraints);
	tcase_add_test(t, sign_refuses_the_issuers_own_key);
	return t;
}
