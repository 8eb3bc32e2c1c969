/* ca/signer/ceremony_file.h - what a ceremony reads and writes. */
#ifndef MICA_CA_SIGNER_CEREMONY_FILE_H
#define MICA_CA_SIGNER_CEREMONY_FILE_H

#include "base/buf.h"
#include "base/why.h"

#include <openssl/evp.h>
#include <sys/types.h>

/* Create path, which must not exist, with that mode; content and folder are on
 * disk when it returns. Nothing is left behind on failure.
 * Errors: RC_EXISTS RC_PERMISSION RC_IO. */
MUST_CHECK enum rc ceremony_write(
        const char *path, mode_t mode, struct bytes content, struct why *why);
/* That nothing stands at path (NULL: there is none to look at), before work is
 * done whose result could not be written. RC_EXISTS */
MUST_CHECK enum rc ceremony_absent(const char *path, struct why *why);
/* secret_file_read() by path. */
MUST_CHECK enum rc ceremony_read_secret(
        const char *path, struct buf *out, struct why *why);
/* A certificate or a list: anyone's file. "-" is standard input. */
MUST_CHECK enum rc ceremony_read(
        const char *path, struct buf *out, struct why *why);
/* A passphrase from an inherited descriptor, to its end, less one trailing
 * newline. Refused when empty. */
MUST_CHECK enum rc ceremony_read_passphrase(
        int fd, struct buf *out, struct why *why);

/* Append a private key as PKCS#8 PEM; encrypted (AES-256-CBC, scrypt) when
 * there is a passphrase. buf_wipe() it. RC_INTERNAL RC_NOMEM */
MUST_CHECK enum rc ceremony_key_pem(
        struct buf *out, EVP_PKEY *pkey, const struct bytes *passphrase);
/* Write DER as PEM under that name, for all to read; as ceremony_write(). */
MUST_CHECK enum rc ceremony_write_pem(
        const char *path, const char *name, struct bytes der, struct why *why);
/* End the transcript t (ca/signer/transcript.h), write it, and free it. */
MUST_CHECK enum rc ceremony_write_transcript(
        const char *path, struct buf *t, struct why *why);

#endif
