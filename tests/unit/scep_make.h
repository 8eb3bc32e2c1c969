/* SCEP messages as a client makes them with libcrypto's CMS: none of our code.
 * Failures abort. */
#ifndef MICA_TESTS_UNIT_SCEP_MAKE_H
#define MICA_TESTS_UNIT_SCEP_MAKE_H

#include "tests/unit/cms_make.h"

#define SCEP_OID "2.16.840.1.113733.1.9."
#define SCEP_TEXT_OID "1.3.6.1.5.5.7.24.1"

struct make_scep {
	const char *type;        /* messageType; NULL: none */
	const char *transaction; /* NULL: none */
	struct bytes nonce;      /* .p NULL: none */
	struct bytes content;    /* that is enveloped; .p NULL: no envelope */
	struct bytes bare;       /* content without one */
	const struct party *from, *to;
	const EVP_MD *md;               /* NULL: SHA-256 */
	const EVP_CIPHER *cipher;       /* NULL: AES-128-CBC */
	struct make_enveloped envelope; /* the rest of it */
	struct make_signed outer;       /* likewise */
	int transaction_type;           /* 0: PrintableString */
};
/* The caller frees. */
struct buf make_scep(const struct make_scep *m);

/* A CertificationRequest; challenge may be NULL. */
struct buf make_request(EVP_PKEY *key, const char *cn, const char *challenge);

#endif
