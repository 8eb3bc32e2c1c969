/* What the tests of requests and keys share. */
#ifndef MICA_TESTS_UNIT_TEST_CA_CSR_H
#define MICA_TESTS_UNIT_TEST_CA_CSR_H

#include "ca/csr.h"
#include <check.h>
#include <openssl/evp.h>

TCase *test_ca_cms(void);
TCase *test_csr_attributes(void);
TCase *test_csr_wire(void);
TCase *test_ca_key(void);

/* Made once a test case, by an unchecked fixture: RSA keys are dear to make,
 * and a forked test only reads them. */
struct keys {
	struct pubkey_ctx *ctx;
	EVP_PKEY *p256, *p384, *ed25519, *rsa;
};
void keys_make(void);
void keys_free(void);
const struct keys *keys(void);

/* Hex into a buffer that the caller frees. */
struct buf unhex(const char *hex);
void check_result(const char *name, enum rc rc, enum rc want,
        const struct why *why, const char *clause);
/* key's SubjectPublicKeyInfo, by libcrypto; the caller frees. */
struct buf spki_of(EVP_PKEY *key);
/* A request over that info's fields, signed by key; the caller frees. */
struct csr_parts {
	EVP_PKEY *key;     /* signs */
	struct bytes spki; /* empty: key's */
	enum sig_alg alg;
	const char *hash; /* NULL for Ed25519 */
	bool pss;
	struct bytes attributes; /* with their tag; may be empty */
	unsigned version;
};
struct buf csr_make(const struct csr_parts *parts);

#endif
