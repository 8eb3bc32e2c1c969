/* ca/code.h - code signatures: a detached CMS SignedData (RFC 5652) over a file
 * that is known here by its digest alone. What the signer is sent for purpose
 * SIGNER_CODE, and what comes of its signature. ca/tbs_code.c has the other
 * side. Pure. Needs base/ and der/. */
#ifndef MICA_CA_CODE_H
#define MICA_CA_CODE_H

#include "ca/cms_write.h"
#include "ca/tbs_check.h"
#include "der/alg.h"

#define CODE_CMS_MAX_BYTES (512u << 10)

struct code_signature {
	enum sig_alg alg;    /* of the key; alg_digest() is the file's */
	struct bytes digest; /* of the file */
	int64_t time_s;      /* signingTime */
	struct bytes cert;   /* the key's certificate, DER */
	struct bytes cert_sha256;
};

/* Append the SEQUENCE of certificate and signed attributes that the signer is
 * asked about; *attrs is where the attributes stand in b: what it signs, valid
 * as long as b stays as it is. Errors: RC_MALFORMED RC_NOMEM RC_TOOBIG. */
MUST_CHECK enum rc code_tbs_put(
        struct buf *b, struct bytes *attrs, const struct code_signature *s);

/* Append the ContentInfo. chain: certificates to put beside the key's own;
 * issuer and serial are its (Name, DER; INTEGER's content octets). */
struct code_signed {
	enum sig_alg alg;
	struct bytes cert, issuer, serial;
	const struct bytes *chain;
	size_t n_chain;
	struct bytes attrs, signature;
};
MUST_CHECK enum rc code_cms_put(struct buf *b, const struct code_signed *s);

#endif
