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
static char root_key[96], root_pem[96], key[96], pem[96], other[96];

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

TCase *test_signer_ceremony(void)
{
	TCase *t = tcase_create("ceremony");

	tcase_add_checked_fixture(t, open_dir, close_dir);
	tcase_add_test(t, ceremony_makes_a_root_and_an_authority);
	tcase_add_test(t, ceremony_overwrites_nothing);
	tcase_add_test(t, ceremony_keeps_an_authority_inside_its_issuer);
	tcase_add_test(t, ceremony_wants_the_issuers_own_key);
	tcase_add_test(t, ceremony_says_that_a_passphrase_is_wrong);
	tcase_add_test(t, ceremony_refuses_arguments_that_it_does_not_know);
	return t;
}
