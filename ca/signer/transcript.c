/* ca/signer/transcript.c - the record of a ceremony, to be printed. */
#include "ca/signer/transcript.h"

#include "base/clock.h"
#include "base/text.h"
#include "config.h"
#include "der/alg.h"
#include "der/name.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TITLE_COLUMNS 20
#define LINE_MAX_BYTES 4096
#define HOST_MAX_BYTES 256
#define SHA256_BYTES 32
#define SHA1_BYTES 20
#define CHUNK_BYTES 16384

static void add_printable(struct buf *t, struct bytes text)
{
	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];

		buf_add_u8(t, c == '\n' || (c >= 0x20 && c < 0x7f) ? c : '?');
	}
}

static void add_title(struct buf *t, uint8_t under, const char *title)
{
	size_t n = bytes_str(title).n;

	add_printable(t, bytes_str(title));
	buf_add_u8(t, '\n');
	while (n-- > 0)
		buf_add_u8(t, under);
	buf_add_u8(t, '\n');
}

void transcript_section(struct buf *t, const char *title)
{
	buf_add_u8(t, '\n');
	add_title(t, '-', title);
}

static void add_line(struct buf *t, const char *title, struct bytes text)
{
	buf_addf(t, "%-*s ", TITLE_COLUMNS, title);
	add_printable(t, text);
	buf_add_u8(t, '\n');
}

void transcript_line(struct buf *t, const char *title, const char *fmt, ...)
{
	char text[LINE_MAX_BYTES];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	add_line(t, title, bytes_str(text));
}

void transcript_file(struct buf *t, const char *title, const char *path)
{
	bool is_uri = bytes_starts(bytes_str(path), BYTES_LIT("pkcs11:"));
	const char *slash = strrchr(path, '/');

	transcript_line(
	        t, title, "%s", !is_uri && slash != NULL ? slash + 1 : path);
}

void transcript_name(struct buf *t, const char *title, struct bytes name)
{
	struct buf text = BUF_INIT(4 * NAME_MAX_BYTES);

	if (name_print(&text, name))
		buf_add_str(&text, "(cannot be shown)");
	add_line(t, title, buf_bytes(&text));
	buf_free(&text);
}

void transcript_time(struct buf *t, const char *title, int64_t time_s)
{
	char text[TEXT_TIME_BYTES];

	add_line(t, title, bytes_str(text_time(text, time_s)));
}

/* --- digests */

/* "ab:cd:…": what people read to each other. */
static void add_digest(
        struct buf *t, const char *title, const unsigned char *digest, size_t n)
{
	buf_addf(t, "%-*s ", TITLE_COLUMNS, title);
	for (size_t i = 0; i < n; i++)
		buf_addf(t, "%s%02x", i > 0 ? ":" : "", digest[i]);
	buf_add_u8(t, '\n');
}

static void add_hash(struct buf *t, const char *title, struct bytes data,
        const EVP_MD *md, size_t n)
{
	unsigned char digest[EVP_MAX_MD_SIZE];

	if (EVP_Digest(data.p, data.n, digest, NULL, md, NULL) == 1)
		add_digest(t, title, digest, n);
	else if (!t->failed)
		t->failed = RC_INTERNAL;
	ERR_clear_error();
}

void transcript_sha256(struct buf *t, const char *title, struct bytes data)
{
	add_hash(t, title, data, EVP_sha256(), SHA256_BYTES);
}

void transcript_key(struct buf *t, struct bytes der)
{
	struct spki spki;

	if (!spki_parse(&spki, der, NULL))
		transcript_line(t, "Key type:", "%s, %u bits",
		        key_type_name(spki.type), spki.bits);
	transcript_sha256(t, "Public key SHA-256:", der);
}

/* --- who and what */

static void add_program_digest(struct buf *t)
{
	FILE *f = fopen("/proc/self/exe", "re");
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char chunk[CHUNK_BYTES], digest[EVP_MAX_MD_SIZE];
	bool ok = f && ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;
	size_t n;

	while (ok && (n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		ok = EVP_DigestUpdate(ctx, chunk, n) == 1;
	if (ok && EVP_DigestFinal_ex(ctx, digest, NULL) == 1)
		add_digest(t, "Program SHA-256:", digest, SHA256_BYTES);
	EVP_MD_CTX_free(ctx);
	if (f)
		(void)fclose(f);
}

static void add_person(struct buf *t)
{
	uid_t uid = getuid();
	const struct passwd *user = getpwuid(uid);

	transcript_line(t, "Run by:", "uid %lu%s%s", (unsigned long)uid,
	        user ? ", " : "", user ? user->pw_name : "");
}

void transcript_begin(struct buf *t, const char *program, const char *what)
{
	char host[HOST_MAX_BYTES] = "";

	(void)gethostname(host, sizeof(host) - 1);
	add_title(t, '=', what);
	transcript_time(t, "Time:", clock_now_s());
	transcript_line(t, "Machine:", "%s", host);
	add_person(t);
	transcript_line(t, "Program:", "%s %s, %s", program, PACKAGE_VERSION,
	        OpenSSL_version(OPENSSL_VERSION));
	add_program_digest(t);
}

/* --- certificates and requests */

/* Text and PEM of the object; frees neither. */
static bool print_cert(BIO *bio, struct bytes der)
{
	const unsigned char *p = der.p;
	X509 *cert = d2i_X509(NULL, &p, (long)der.n);
	bool ok = cert &&
	        X509_print_ex(bio, cert,
	                XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB, 0) == 1 &&
	        PEM_write_bio_X509(bio, cert) == 1;

	X509_free(cert);
	return ok;
}

static bool print_request(BIO *bio, struct bytes der)
{
	const unsigned char *p = der.p;
	X509_REQ *req = d2i_X509_REQ(NULL, &p, (long)der.n);
	bool ok = req &&
	        X509_REQ_print_ex(bio, req,
	                XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB, 0) == 1 &&
	        PEM_write_bio_X509_REQ(bio, req) == 1;

	X509_REQ_free(req);
	return ok;
}

static bool print_crl(BIO *bio, struct bytes der)
{
	const unsigned char *p = der.p;
	X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)der.n);
	bool ok = crl &&
	        X509_CRL_print_ex(bio, crl,
	                XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB) == 1 &&
	        PEM_write_bio_X509_CRL(bio, crl) == 1;

	X509_CRL_free(crl);
	return ok;
}

static void add_object(struct buf *t, const char *title, struct bytes der,
        bool (*print)(BIO *bio, struct bytes der))
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	long n;

	transcript_section(t, title);
	add_hash(t, "SHA-256:", der, EVP_sha256(), SHA256_BYTES);
	add_hash(t, "SHA-1:", der, EVP_sha1(), SHA1_BYTES);
	if (bio && print(bio, der) && (n = BIO_get_mem_data(bio, &text)) > 0)
		add_printable(t, bytes_of(text, (size_t)n));
	else if (!t->failed)
		t->failed = RC_INTERNAL;
	BIO_free(bio);
	ERR_clear_error();
}

void transcript_cert(struct buf *t, const char *title, struct bytes der)
{
	add_object(t, title, der, print_cert);
}

void transcript_request(struct buf *t, const char *title, struct bytes der)
{
	add_object(t, title, der, print_request);
}

void transcript_crl(struct buf *t, const char *title, struct bytes der)
{
	add_object(t, title, der, print_crl);
}

/* --- the end */

static void add_signature_line(struct buf *t, const char *role)
{
	buf_addf(t,
	        "\n%-10s name ________________  signature "
	        "________________  date ________\n",
	        role);
}

enum rc transcript_end(struct buf *t)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	struct bytes all;

	transcript_section(t, "Seen and found right");
	add_signature_line(t, "Operator");
	for (int i = 1; i <= TRANSCRIPT_WITNESSES; i++) {
		char role[16];

		(void)snprintf(role, sizeof(role), "Witness %d", i);
		add_signature_line(t, role);
	}
	buf_add_u8(t, '\n');
	all = buf_bytes(t);
	if (t->failed)
		return t->failed;
	if (EVP_Digest(all.p, all.n, digest, NULL, EVP_sha256(), NULL) != 1) {
		ERR_clear_error();
		return RC_INTERNAL;
	}
	buf_add_str(t, "SHA-256 of all lines above: ");
	hex_encode(t, bytes_of(digest, SHA256_BYTES));
	buf_add_u8(t, '\n');
	return t->failed;
}
