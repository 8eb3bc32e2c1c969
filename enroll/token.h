/* enroll/token.h - one-time tokens: 128 random bits as text that survives being
 * read aloud, and the hash that alone is stored (DESIGN rule 15). Needs ca/'s
 * digest. */
#ifndef MICA_ENROLL_TOKEN_H
#define MICA_ENROLL_TOKEN_H

#include "base/bytes.h"
#include "base/rc.h"
#include "ca/digest.h"
#include "storage/store.h"

#define TOKEN_RANDOM_BYTES 16
/* ceil(128 / 5) characters of base32. */
#define TOKEN_TEXT_CHARS 26

/* NUL-terminated. Digits and small letters without i, l, o, u. A secret: the
 * caller wipes it. */
void token_make(char out[TOKEN_TEXT_CHARS + 1]);
/* SHA-256 of the text as given. Errors: RC_INTERNAL. */
MUST_CHECK enum rc token_hash(
        struct digest *d, struct bytes text, uint8_t out[STORE_HASH_BYTES]);

#endif
