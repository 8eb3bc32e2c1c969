/* ca/signer/ceremony_file.c - what a ceremony reads and writes. */
#include "ca/signer/ceremony_file.h"

#include "base/file.h"
#include "base/rand.h"
#include "base/text.h"
#include "ca/signer/secret_file.h"
#include "ca/signer/transcript.h"
#include "ca/signer/vault.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PEM_COLUMNS 64
#define PEM_MAX_BYTES 131072 /* of a certificate of CA_CERT_MAX_BYTES */
/* 16 MiB and about 0.2 s for each guess; more memory than that, and OpenSSL
 * refuses to read the file with its default limit of 32 MiB. */
#define SCRYPT_N 16384
#define SCRYPT_R 8
#define SCRYPT_P 4
#define SALT_BYTES 16

static enum rc failed(struct why *why, const char *path)
{
	enum rc rc = errno == EEXIST ? RC_EXISTS
	        : errno == EACCES    ? RC_PERMISSION
	        : errno == ENOENT    ? RC_NOTFOUND
	                             : RC_IO;

	return why_set(why, rc, "%s: %s", path, strerror(errno));
}

/* path as folder and name; *dir_fd is the caller's. */
static enum rc open_folder(
        const char *path, int *dir_fd, const char **name, struct why *why)
{
	const char *slash = strrchr(path, '/');
	struct buf folder = BUF_INIT(PATH_MAX);
	const char *text;

	*name = slash ? slash + 1 : path;
	*dir_fd = -1;
	if (!secret_file_name_ok(*name))
		return why_set(
		        why, RC_MALFORMED, "%s: not a file's name", path);
	if (!slash)
		buf_add_str(&folder, ".");
	else if (slash == path)
		buf_add_str(&folder, "/");
	else
		buf_add(&folder, bytes_of(path, (size_t)(slash - path)));
	text = buf_cstr(&folder);
	if (text)
		*dir_fd = open(text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	else
		errno = ENAMETOOLONG;
	buf_free(&folder);
	return *dir_fd < 0 ? failed(why, path) : RC_OK;
}

enum rc ceremony_write(
        const char *path, mode_t mode, struct bytes content, struct why *why)
{
	const char *name;
	int dir_fd, fd;
	enum rc rc = open_folder(path, &dir_fd, &name, why);
	bool ok;

	if (rc)
		return rc;
	fd = openat(dir_fd, name,
	        O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		rc = failed(why, path);
		(void)close(dir_fd);
		return rc;
	}
	ok = file_write_all(fd, content) && fchmod(fd, mode) == 0 &&
	        fsync(fd) == 0;
	if (!ok)
		rc = failed(why, path);
	if (close(fd) != 0 && ok) {
		rc = failed(why, path);
		ok = false;
	}
	if (!ok)
		(void)unlinkat(dir_fd, name, 0);
	else if (fsync(dir_fd) != 0)
		rc = failed(why, path);
	(void)close(dir_fd);
	return rc;
}

enum rc ceremony_absent(const char *path, struct why *why)
{
	struct stat st;

	if (!path || lstat(path, &st) != 0)
		return RC_OK;
	return why_set(why, RC_EXISTS, "%s: exists", path);
}

enum rc ceremony_read_secret(const char *path, struct buf *out, struct why *why)
{
	const char *name;
	int dir_fd;
	enum rc rc = open_folder(path, &dir_fd, &name, why);

	if (rc)
		return rc;
	rc = secret_file_read(dir_fd, name, out, why);
	(void)close(dir_fd);
	return rc;
}

enum rc ceremony_read(const char *path, struct buf *out, struct why *why)
{
	enum rc rc;
	int fd;

	if (strcmp(path, "-") == 0)
		return secret_file_read_fd(STDIN_FILENO, path, out, why);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return failed(why, path);
	rc = secret_file_read_fd(fd, path, out, why);
	(void)close(fd);
	return rc;
}

enum rc ceremony_read_passphrase(int fd, struct buf *out, struct why *why)
{
	enum rc rc = secret_file_read_fd(fd, "passphrase", out, why);

	if (!rc && out->n > 0 && out->p[out->n - 1] == '\n')
		out->n--;
	if (!rc && out->n == 0)
		rc = why_set(why, RC_NOCRED, "passphrase: empty");
	return rc;
}

static enum rc put_pem(struct buf *out, const char *name, struct bytes der)
{
	buf_addf(out, "-----BEGIN %s-----\n", name);
	base64_encode(out, der, PEM_COLUMNS);
	buf_addf(out, "-----END %s-----\n", name);
	return out->failed;
}

enum rc ceremony_write_pem(
        const char *path, const char *name, struct bytes der, struct why *why)
{
	struct buf pem = BUF_INIT(PEM_MAX_BYTES);
	enum rc rc = put_pem(&pem, name, der);

	if (!rc)
		rc = ceremony_write(path, 0644, buf_bytes(&pem), why);
	buf_free(&pem);
	return rc;
}

enum rc ceremony_write_transcript(
        const char *path, struct buf *t, struct why *why)
{
	enum rc rc = transcript_end(t);

	if (!rc)
		rc = ceremony_write(path, 0644, buf_bytes(t), why);
	buf_free(t);
	return rc;
}

/* PBES2 (RFC 8018) with scrypt (RFC 7914). */
static X509_SIG *encrypt(EVP_PKEY *pkey, struct bytes passphrase)
{
	PKCS8_PRIV_KEY_INFO *p8 = EVP_PKEY2PKCS8(pkey);
	unsigned char salt[SALT_BYTES];
	X509_ALGOR *pbe;
	X509_SIG *sealed = NULL;

	rand_fill(salt, sizeof(salt));
	pbe = PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), salt, SALT_BYTES, NULL,
	        SCRYPT_N, SCRYPT_R, SCRYPT_P);
	if (p8 && pbe)
		sealed = PKCS8_set0_pbe(
		        (const char *)passphrase.p, (int)passphrase.n, p8, pbe);
	if (!sealed)
		X509_ALGOR_free(pbe);
	PKCS8_PRIV_KEY_INFO_free(p8);
	return sealed;
}

static enum rc put_encrypted(
        struct buf *out, EVP_PKEY *pkey, struct bytes passphrase)
{
	X509_SIG *sealed = encrypt(pkey, passphrase);
	unsigned char *der = NULL;
	int n = sealed ? i2d_X509_SIG(sealed, &der) : -1;
	enum rc rc = RC_INTERNAL;

	if (n > 0)
		rc = put_pem(
		        out, "ENCRYPTED PRIVATE KEY", bytes_of(der, (size_t)n));
	OPENSSL_free(der);
	X509_SIG_free(sealed);
	ERR_clear_error();
	return rc;
}

enum rc ceremony_key_pem(
        struct buf *out, EVP_PKEY *pkey, const struct bytes *passphrase)
{
	struct buf der = BUF_INIT(VAULT_FILE_MAX_BYTES);
	enum rc rc;

	if (passphrase)
		return put_encrypted(out, pkey, *passphrase);
	rc = vault_private(pkey, &der);
	if (!rc)
		rc = put_pem(out, "PRIVATE KEY", buf_bytes(&der));
	buf_wipe(&der);
	return rc;
}
