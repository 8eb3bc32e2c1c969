#include "base/clock.h"
#include "tests/unit/signer_run.h"
#include "tests/unit/test_signer.h"
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct signer_run run;
static char root_key[96], root_pem[96], key[96], pem[96], other[96], list[96];

static void place(char *out, const char *name)
{
	(void)snprintf(out, 96, "%s/%s", run.dir, name);
}

static void open_dir(void)
{
	run_open(&run);
	place(root_key, "root.key");
	place(root_pem, "root.pem");
	place(key, "issuing.key");
	place(pem, "issuing.pem");
	place(other, "other.pem");
	place(list, "list");
}

static void close_dir(void)
{
	run_close(&run);
}

/* An encrypted key costs its reader a fifth of a second. */
static int make_root_key(const char *passphrase)
{
	const char *args[] = { "--ceremony", "make-key", "--out", root_key,
		"--type", "p384", passphrase ? "--passphrase-fd" : NULL, "9",
		NULL };

	return run_to_end_secret(args, passphrase, NULL);
}

static int make_root(const char *passphrase)
{
	const char *args[] = { "--ceremony", "root", "--key", root_key,
		"--subject", "O=Example", "--subject", "CN=Example Root",
		"--validity", "20y", "--path-length", "1", "--out", root_pem,
		passphrase ? "--passphrase-fd" : NULL, "9", NULL };

	return run_to_end_secret(args, passphrase, NULL);
}

static int make_authority(const char *path_length, const char *validity,
        const char *out, const char *passphrase, const char **text)
{
	const char *args[] = { "--ceremony", "authority", "--issuer-key",
		root_key, "--issuer-cert", root_pem, "--key", key, "--subject",
		"CN=Issuing", "--path-length", path_length, "--validity",
		validity, "--out", out,
		passphrase ? "--issuer-passphrase-fd" : NULL, "9", NULL };

	return run_to_end_secret(args, passphrase, text);
}

static X509 *read_cert(const char *path)
{
	FILE *f = fopen(path, "re");
	X509 *cert;

	ck_assert_ptr_nonnull(f);
	cert = PEM_read_X509(f, NULL, NULL, NULL);
	(void)fclose(f);
	ck_assert_ptr_nonnull(cert);
	return cert;
}

static bool verifies(X509 *cert, X509 *root)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	bool ok;

	X509_STORE_set_flags(store, X509_V_FLAG_X509_STRICT);
	ck_assert_int_eq(X509_STORE_add_cert(store, root), 1);
	ck_assert_int_eq(X509_STORE_CTX_init(ctx, store, cert, NULL), 1);
	ok = X509_verify_cert(ctx) == 1;
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	return ok;
}

static void check_ca(X509 *cert, long path_length)
{
	uint32_t usage = X509_get_key_usage(cert);

	ck_assert_int_eq(X509_check_ca(cert), 1);
	ck_assert_int_eq(X509_get_pathlen(cert), path_length);
	ck_assert_uint_eq(usage, KU_KEY_CERT_SIGN | KU_CRL_SIGN);
	ck_assert_int_eq(
	        X509_EXTENSION_get_critical(X509_get_ext(cert,
	                X509_get_ext_by_NID(cert, NID_basic_constraints, -1))),
	        1);
	ck_assert_int_eq(X509_EXTENSION_get_critical(X509_get_ext(cert,
	                         X509_get_ext_by_NID(cert, NID_key_usage, -1))),
	        1);
	ck_assert_ptr_nonnull(X509_get0_subject_key_id(cert));
	ck_assert_ptr_nonnull(X509_get0_authority_key_id(cert));
	ck_assert_int_eq(ASN1_STRING_length(X509_get0_serialNumber(cert)), 20);
}

START_TEST(ceremony_makes_a_root_and_an_authority)
{
	const char *text;
	struct stat st;
	X509 *root, *cert;

	ck_assert_int_eq(make_root_key("secret\n"), 0);
	ck_assert_int_eq(make_root("secret\n"), 0);
	run_make_key(&run, "issuing", "p256");
	ck_assert_msg(make_authority("0", "10y", pem, "secret", &text) == 0,
	        "%s", text);
	root = read_cert(root_pem);
	cert = read_cert(pem);
	check_ca(root, 1);
	check_ca(cert, 0);
	ck_assert(verifies(root, root));
	ck_assert(verifies(cert, root));
	ck_assert_int_eq(X509_verify(cert, X509_get0_pubkey(root)), 1);
	ck_assert_int_eq(stat(root_key, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(stat(key, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	X509_free(root);
	X509_free(cert);
}
END_TEST

START_TEST(ceremony_overwrites_nothing)
{
	const char *text;

	ck_assert_int_eq(make_root_key(NULL), 0);
	ck_assert_int_eq(make_root_key(NULL), 7);
	ck_assert_int_eq(make_root(NULL), 0);
	ck_assert_int_eq(make_root(NULL), 7);
	run_make_key(&run, "issuing", "p256");
	ck_assert_int_eq(make_authority("0", "1y", root_pem, NULL, &text), 7);
}
END_TEST

START_TEST(ceremony_keeps_an_authority_inside_its_issuer)
{
	const char *text;

	ck_assert_int_eq(make_root_key(NULL), 0);
	ck_assert_int_eq(make_root(NULL), 0);
	run_make_key(&run, "issuing", "p256");
	ck_assert_int_eq(make_authority("0", "21y", pem, NULL, &text), 1);
	ck_assert_msg(strstr(text, "validity is outside") != NULL, "%s", text);
	ck_assert_int_eq(make_authority("1", "1y", pem, NULL, &text), 1);
	ck_assert_msg(strstr(text, "path length") != NULL, "%s", text);
	ck_assert_int_eq(access(pem, F_OK), -1);
}
END_TEST

START_TEST(ceremony_wants_the_issuers_own_key)
{
	const char *args[] = { "--ceremony", "authority", "--issuer-key", key,
		"--issuer-cert", root_pem, "--key", key, "--subject",
		"CN=Issuing", "--path-length", "0", "--validity", "1y", "--out",
		pem, NULL };
	const char *text;

	ck_assert_int_eq(make_root_key(NULL), 0);
	ck_assert_int_eq(make_root(NULL), 0);
	run_make_key(&run, "issuing", "p256");
	ck_assert_int_eq(run_to_end(args, &text), 3);
	ck_assert_msg(
	        strstr(text, "do not belong together") != NULL, "%s", text);
}
END_TEST

START_TEST(ceremony_says_that_a_passphrase_is_wrong)
{
	const char *none[] = { "--ceremony", "root", "--key", root_key,
		"--subject", "CN=x", "--validity", "1d", "--out", root_pem,
		NULL };

	ck_assert_int_eq(make_root_key("secret"), 0);
	ck_assert_int_eq(make_root("wrong"), 4);
	ck_assert_int_eq(make_root(""), 4);
	ck_assert_int_eq(run_to_end(none, NULL), 4);
	ck_assert_int_eq(chmod(root_key, 0640), 0);
	ck_assert_int_eq(make_root("secret"), 5);
	ck_assert_int_eq(access(root_pem, F_OK), -1);
}
END_TEST

static void write_list(const char *text)
{
	FILE *f = fopen(list, "we");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static int make_crl(const char *revoked, const char **text)
{
	const char *args[] = { "--ceremony", "crl", "--issuer-key", root_key,
		"--issuer-cert", root_pem, "--number", "7", "--validity", "1y",
		"--revoked", revoked, "--out", other, NULL };

	return run_to_end(args, text);
}

static X509_CRL *read_crl(void)
{
	FILE *f = fopen(other, "re");
	X509_CRL *crl;

	ck_assert_ptr_nonnull(f);
	crl = d2i_X509_CRL_fp(f, NULL);
	(void)fclose(f);
	ck_assert_ptr_nonnull(crl);
	return crl;
}

static int reason_of(X509_CRL *crl, int i)
{
	X509_REVOKED *r = sk_X509_REVOKED_value(X509_CRL_get_REVOKED(crl), i);
	ASN1_ENUMERATED *reason =
	        X509_REVOKED_get_ext_d2i(r, NID_crl_reason, NULL, NULL);
	int value = reason ? (int)ASN1_ENUMERATED_get(reason) : 0;

	ASN1_ENUMERATED_free(reason);
	return value;
}

START_TEST(ceremony_signs_a_crl)
{
	ASN1_INTEGER *number;
	const char *text;
	X509_CRL *crl;
	X509 *root;

	ck_assert_int_eq(make_root_key(NULL), 0);
	ck_assert_int_eq(make_root(NULL), 0);
	write_list("# gone\n\n"
	           "4d0f23 2025-11-22T10:00:00Z\tcACompromise\n"
	           "00ff 2025-11-22T10:00:00Z\r\n"
	           "  7f 2025-11-22T10:00:01Z keycompromise");
	ck_assert_msg(make_crl(list, &text) == 0, "%s", text);
	root = read_cert(root_pem);
	crl = read_crl();
	ck_assert_int_eq(X509_CRL_verify(crl, X509_get0_pubkey(root)), 1);
	ck_assert_int_eq(X509_NAME_cmp(X509_CRL_get_issuer(crl),
	                         X509_get_subject_name(root)),
	        0);
	number = X509_CRL_get_ext_d2i(crl, NID_crl_number, NULL, NULL);
	ck_assert_int_eq(ASN1_INTEGER_get(number), 7);
	ASN1_INTEGER_free(number);
	ck_assert_int_eq(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl)), 3);
	ck_assert_int_eq(reason_of(crl, 0), 2);
	ck_assert_int_eq(reason_of(crl, 1), 0);
	ck_assert_int_eq(reason_of(crl, 2), 1);
	ck_assert_int_gt(
	        X509_cmp_current_time(X509_CRL_get0_nextUpdate(crl)), 0);
	ck_assert_int_lt(
	        X509_cmp_current_time(X509_CRL_get0_lastUpdate(crl)), 0);
	X509_CRL_free(crl);
	X509_free(root);
	ck_assert_int_eq(make_crl(list, NULL), 7);
}
END_TEST

START_TEST(ceremony_signs_an_empty_crl)
{
	const char *text;
	X509_CRL *crl;

	ck_assert_int_eq(make_root_key(NULL), 0);
	ck_assert_int_eq(make_root(NULL), 0);
	ck_assert_msg(make_crl("/dev/null", &text) == 0, "%s", text);
	crl = read_crl();
	ck_assert_ptr_null(X509_CRL_get_REVOKED(crl));
	X509_CRL_free(crl);
}
END_TEST

/* As number, after the CRL in other; what came is in other when it worked. */
static int follow(const char *number, const char *revoked, const char **text)
{
	char next[sizeof(other) + 8];
	const char *args[] = { "--ceremony", "crl", "--issuer-key", root_key,
		"--issuer-cert", root_pem, "--number", number, "--validity",
		"1y", "--revoked", revoked, "--before", other, "--out", next,
		NULL };
	int status;

	(void)snprintf(next, sizeof(next), "%s.next", other);
	status = run_to_end(args, text);
	if (status == 0)
		ck_assert_int_eq(rename(next, other), 0);
	else
		ck_assert_int_eq(access(next, F_OK), -1);
	return status;
}

#define HELD "0a0b 2025-11-22T10:00:00Z certificateHold\n"
#define GONE "4d0f23 2025-11-22T10:00:00Z cACompromise\n"

START_TEST(ceremony_signs_no_crl_on_which_somebody_is_good_again)
{
	static const struct {
		const char *number, *list, *clause; /* NULL: signed */
	} rows[] = {
		{ "8", "", "4d0f23 is missing" },
		{ "8", HELD, "4d0f23 is missing" },
		{ "8", "4d0f24 2025-11-22T10:00:00Z\n", "4d0f23 is missing" },
		{ "7", GONE HELD, "not above" },
		{ "6", GONE HELD, "not above" },
		{ "8", GONE HELD, NULL },
		{ "9", GONE, NULL }, /* it was on hold alone */
		{ "10",
		        "004D0F23 2025-11-23T10:00:00Z\n7f "
		        "2025-11-22T10:00:00Z\n",
		        NULL },
		{ "11", GONE, "7f is missing" },
	};
	const char *text;

	ck_assert_int_eq(make_root_key(NULL), 0);
	ck_assert_int_eq(make_root(NULL), 0);
	write_list(GONE HELD);
	ck_assert_int_eq(make_crl(list, NULL), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		write_list(rows[i].list);
		ck_assert_msg(follow(rows[i].number, list, &text) ==
		                (rows[i].clause != NULL),
		        "%zu: %s", i, text);
		ck_assert_msg(rows[i].clause == NULL ||
		                strstr(text, rows[i].clause) != NULL,
		        "%zu: %s", i, text);
	}
}
END_TEST

START_TEST(ceremony_follows_a_crl_of_the_same_ca_alone)
{
	const char *text;
	FILE *f;

	ck_assert_int_eq(make_root_key(NULL), 0);
	ck_assert_int_eq(make_root(NULL), 0);
	f = fopen(other, "we");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs("no CRL", f), 0);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(follow("8", "/dev/null", &text), 1);
	ck_assert_msg(strstr(text, "no CRL in DER") != NULL, "%s", text);
	ck_assert_int_eq(unlink(other), 0);
	ck_assert_int_eq(make_crl("/dev/null", NULL), 0);
	ck_assert_int_eq(unlink(root_pem), 0);
	ck_assert_int_eq(run_to_end((const char *[]){ "--ceremony", "root",
	                                    "--key", root_key, "--subject",
	                                    "CN=Another", "--validity", "1y",
	                                    "--out", root_pem, NULL },
	                         NULL),
	        0);
	ck_assert_int_eq(follow("8", "/dev/null", &text), 1);
	ck_assert_msg(strstr(text, "another CA's") != NULL, "%s", text);
}
END_TEST

START_TEST(ceremony_refuses_a_list_that_it_cannot_read)
{
	static const struct {
		const char *text, *clause;
	} rows[] = {
		{ "4d0 2025-11-22T10:00:00Z\n", "line 1" },
		{ "#\n4d0f 2025-11-22 10:00:00\n", "line 2" },
		{ "4d0f 2025-11-22T10:00:00Z tired\n", "line 1" },
		{ "4d0f 2025-11-22T10:00:00Z superseded x\n", "line 1" },
		{ "4d0f\n", "line 1" },
		{ "4d0f 2025-13-22T10:00:00Z\n", "line 1" },
		{ "000102030405060708090a0b0c0d0e0f1011121314 "
		  "2025-11-22T10:00:00Z\n",
		        "line 1" },
		{ "4d0f 2099-11-22T10:00:00Z\n", "in the future" },
		{ "4d0f 2025-11-22T10:00:00Z\n004D0F 2025-11-22T10:00:00Z\n",
		        "line 2: that serial number stands twice" },
	};
	const char *text;

	ck_assert_int_eq(make_root_key(NULL), 0);
	ck_assert_int_eq(make_root(NULL), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		write_list(rows[i].text);
		ck_assert_int_eq(make_crl(list, &text), 1);
		ck_assert_msg(strstr(text, rows[i].clause) != NULL, "%zu: %s",
		        i, text);
		ck_assert_int_eq(access(other, F_OK), -1);
	}
}
END_TEST

START_TEST(ceremony_refuses_arguments_that_it_does_not_know)
{
	const char *rows[][12] = {
		{ "make-key", "--out", other, NULL },
		{ "make-key", "--out", other, "--type", "rsa1024", NULL },
		{ "make-key", "--out", other, "--type", "p256", "--type",
		        "p256", NULL },
		{ "make-key", "--out", other, "--type", "p256", "--subject",
		        "CN=x", NULL },
		{ "make-key", "--out", other, "--type", "p256", "more", NULL },
		{ "root", "--key", key, "--subject", "CN", "--validity", "1d",
		        "--out", other, NULL },
		{ "root", "--key", key, "--subject", "Nope=x", "--validity",
		        "1d", "--out", other, NULL },
		{ "root", "--key", key, "--subject", "CN=x", "--validity", "1",
		        "--out", other, NULL },
		{ "root", "--key", key, "--subject", "CN=x", "--validity",
		        "101y", "--out", other, NULL },
		{ "root", "--key", key, "--subject", "CN=x", "--validity", "0d",
		        "--out", other, NULL },
		{ "crl", "--issuer-key", key, "--issuer-cert", pem,
		        "--validity", "1y", "--revoked", "-", "--out", other,
		        NULL },
		{ "root", "--key", key, "--number", "1", NULL },
		{ "crl", "--number", "0", NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *args[16] = { "--ceremony" };
		const char *text;
		int status;

		memcpy(args + 1, rows[i], sizeof(rows[i]));
		status = run_to_end(args, &text);
		ck_assert_msg(status == 2, "row %zu: %d %s", i, status, text);
		ck_assert_int_eq(access(other, F_OK), -1);
	}
}
END_TEST

/* --- generations */

static int make_generation(
        const char *new_key, const char *subject, const char *out)
{
	const char *make[] = { "--ceremony", "make-key", "--out", new_key,
		"--type", "p256", NULL };
	const char *args[] = { "--ceremony", "authority", "--issuer-key",
		root_key, "--issuer-cert", root_pem, "--key", new_key,
		"--subject", subject, "--path-length", "0", "--validity", "5y",
		"--out", out, NULL };

	ck_assert_int_eq(run_to_end(make, NULL), 0);
	return run_to_end(args, NULL);
}

static int cross(const char *by_key, const char *by, const char *whom,
        const char *out, const char **text)
{
	const char *args[] = { "--ceremony", "cross", "--issuer-key", by_key,
		"--issuer-cert", by, "--cert", whom, "--out", out, NULL };

	return run_to_end(args, text);
}

/* NewWithOld and OldWithNew (RFC 4210 section 4.4). */
START_TEST(ceremony_crosses_generations_of_one_name)
{
	char new_key[96], new_pem[96], out[96];
	const char *text;
	X509 *a, *b, *x;

	place(new_key, "new.key");
	place(new_pem, "new.pem");
	place(out, "cross.pem");
	ck_assert_int_eq(make_root_key(NULL), 0);
	ck_assert_int_eq(make_root(NULL), 0);
	ck_assert_int_eq(make_generation(key, "CN=Issuing", pem), 0);
	ck_assert_int_eq(make_generation(new_key, "CN=Issuing", new_pem), 0);
	ck_assert_int_eq(cross(key, pem, new_pem, out, &text), 0);
	a = read_cert(pem);
	b = read_cert(new_pem);
	x = read_cert(out);
	check_ca(x, 0);
	ck_assert_int_eq(X509_verify(x, X509_get0_pubkey(a)), 1);
	ck_assert_int_eq(X509_check_issued(a, x), X509_V_OK);
	ck_assert_int_ne(X509_check_issued(b, x), X509_V_OK);
	ck_assert_int_eq(
	        EVP_PKEY_eq(X509_get0_pubkey(b), X509_get0_pubkey(x)), 1);
	ck_assert_int_eq(ASN1_OCTET_STRING_cmp(X509_get0_subject_key_id(b),
	                         X509_get0_subject_key_id(x)),
	        0);
	ck_assert_int_le(
	        ASN1_TIME_compare(X509_get0_notAfter(x), X509_get0_notAfter(a)),
	        0);
	X509_free(a);
	X509_free(b);
	X509_free(x);
	/* Twice, by a key that is not the certificate's, and for itself. */
	ck_assert_int_ne(cross(key, pem, new_pem, out, &text), 0);
	ck_assert_int_ne(cross(new_key, pem, new_pem, other, &text), 0);
	ck_assert_int_ne(cross(key, pem, pem, other, &text), 0);
	ck_assert_ptr_nonnull(strstr(text, "same key"));
	ck_assert_int_eq(access(other, F_OK), -1);
}
END_TEST

START_TEST(ceremony_crosses_another_name_only_where_paths_are_long_enough)
{
	char new_key[96], new_pem[96];
	const char *text;

	place(new_key, "new.key");
	place(new_pem, "new.pem");
	ck_assert_int_eq(make_root_key(NULL), 0);
	ck_assert_int_eq(make_root(NULL), 0);
	ck_assert_int_eq(make_generation(key, "CN=Issuing", pem), 0);
	ck_assert_int_eq(make_generation(new_key, "CN=Issuing 2", new_pem), 0);
	ck_assert_int_ne(cross(key, pem, new_pem, other, &text), 0);
	ck_assert_ptr_nonnull(strstr(text, "path length"));
	ck_assert_int_eq(cross(root_key, root_pem, new_pem, other, &text), 0);
}
END_TEST

TCase *test_signer_ceremony(void)
{
	TCase *t = tcase_create("ceremony");

	tcase_add_checked_fixture(t, open_dir, close_dir);
	tcase_add_test(t, ceremony_makes_a_root_and_an_authority);
	tcase_add_test(t, ceremony_overwrites_nothing);
	tcase_add_test(t, ceremony_keeps_an_authority_inside_its_issuer);
	tcase_add_test(t, ceremony_wants_the_issuers_own_key);
	tcase_add_test(t, ceremony_says_that_a_passphrase_is_wrong);
	tcase_add_test(t, ceremony_crosses_generations_of_one_name);
	tcase_add_test(t,
	        ceremony_crosses_another_name_only_where_paths_are_long_enough);
	tcase_add_test(t, ceremony_signs_a_crl);
	tcase_add_test(t, ceremony_signs_an_empty_crl);
	tcase_add_test(
	        t, ceremony_signs_no_crl_on_which_somebody_is_good_again);
	tcase_add_test(t, ceremony_follows_a_crl_of_the_same_ca_alone);
	tcase_add_test(t, ceremony_refuses_a_list_that_it_cannot_read);
	tcase_add_test(t, ceremony_refuses_arguments_that_it_does_not_know);
	return t;
}
