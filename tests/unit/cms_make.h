/* CMS messages as libcrypto makes them: what the tests of CMS and SCEP send,
 * made by none of our code. Failures abort. */
#ifndef MICA_TESTS_UNIT_CMS_MAKE_H
#define MICA_TESTS_UNIT_CMS_MAKE_H

#include "base/buf.h"

#include <openssl/cms.h>

/* A key and a certificate that it signed itself. */
struct party {
	EVP_PKEY *key;
	X509 *cert;
	struct buf der; /* of cert */
};
/* rsa_bits 0: P-256. */
void party_make(struct party *p, const char *cn, unsigned rsa_bits);
/* With a key that is there already; the caller keeps it. */
void party_make_with(struct party *p, const char *cn, EVP_PKEY *key);
void party_free(struct party *p);

enum recipient_kind {
	RECIPIENT_KEY_TRANSPORT,
	RECIPIENT_KEY_AGREEMENT,
	RECIPIENT_KEK,
	RECIPIENT_PASSWORD,
	RECIPIENT_OAEP,
};
struct make_enveloped {
	struct bytes content;
	const struct party *to;
	unsigned n;               /* that recipient so often; 0: once */
	const EVP_CIPHER *cipher; /* NULL: AES-128-CBC */
	enum recipient_kind kind;
	bool by_key_id;
	bool stream; /* BER */
};
/* The caller frees. */
struct buf make_enveloped(const struct make_enveloped *m);

struct make_attr {
	const char *oid;
	int type; /* V_ASN1_… */
	struct bytes value;
	bool twice; /* two values */
};
struct make_signed {
	struct bytes content;
	const struct party *by;
	const EVP_MD *md; /* NULL: SHA-256 */
	const struct make_attr *attrs;
	size_t n_attrs;
	bool by_key_id, stream, detached, no_attrs, no_cert, pss;
	unsigned signers; /* 0: one */
};
struct buf make_signed(const struct make_signed *m);

#endif
