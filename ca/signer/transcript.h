/* ca/signer/transcript.h - what a ceremony did, as plain text that can be
 * printed and signed by those who saw it: who, when, which program, keys by
 * their fingerprints, requests and certificates whole. Its last line is the
 * SHA-256 of all lines above it. Bytes that are neither printable ASCII nor a
 * line's end are shown as `?`. Needs base/, der/, libcrypto. */
#ifndef MICA_CA_SIGNER_TRANSCRIPT_H
#define MICA_CA_SIGNER_TRANSCRIPT_H

#include "base/buf.h"

#define TRANSCRIPT_MAX_BYTES (1u << 20)
#define TRANSCRIPT_WITNESSES 3 /* lines to sign */

/* A failure stays in t: look at what transcript_end() returns. */
void transcript_begin(struct buf *t, const char *program, const char *what);
void transcript_section(struct buf *t, const char *title);
/* "title: text" */
void transcript_line(struct buf *t, const char *title, const char *fmt, ...)
        PRINTF_LIKE(3, 4);
/* A file's name without its folders, which mean nothing elsewhere; a URI whole. */
void transcript_file(struct buf *t, const char *title, const char *path);
/* A Name in DER, as RFC 4514 text. */
void transcript_name(struct buf *t, const char *title, struct bytes name);
void transcript_time(struct buf *t, const char *title, int64_t time_s);
void transcript_sha256(struct buf *t, const char *title, struct bytes data);
/* Type and fingerprint of a SubjectPublicKeyInfo. */
void transcript_key(struct buf *t, struct bytes spki);
/* Hashes, text and PEM of what is whole in DER. */
void transcript_cert(struct buf *t, const char *title, struct bytes der);
void transcript_request(struct buf *t, const char *title, struct bytes der);
void transcript_crl(struct buf *t, const char *title, struct bytes der);
/* Lines for the operator and the witnesses, and the digest. */
MUST_CHECK enum rc transcript_end(struct buf *t);

#endif
