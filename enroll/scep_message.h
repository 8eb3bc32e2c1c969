/* enroll/scep_message.h - pkiMessage of SCEP (RFC 8894 section 3): a client's,
 * read and checked from the outside in, and the CertRep that answers it. Whether
 * the sender may have anything is not asked here. Pure but for libcrypto's part
 * in enroll/scep_crypt.h. Needs ca/. */
#ifndef MICA_ENROLL_SCEP_MESSAGE_H
#define MICA_ENROLL_SCEP_MESSAGE_H

#include "ca/cert.h"
#include "ca/cms_read.h"
#include "der/alg.h"
#include "enroll/scep_crypt.h"

#define SCEP_MESSAGE_MAX_BYTES CMS_READ_MAX_BYTES
/* Clients send 40 hex digits, 77 decimal ones, or base64 (section 3.2.1.1). */
#define SCEP_TRANSACTION_MAX_BYTES 256
/* Section 3.2.1.5 has 16 octets; what came is given back as it came. */
#define SCEP_NONCE_MAX_BYTES 64
#define SCEP_NONCE_BYTES 16
#define SCEP_FAIL_TEXT_MAX_BYTES 256

enum scep_type { /* section 3.2.1.2 */
	SCEP_CERT_REP = 3,
	SCEP_RENEWAL_REQ = 17,
	SCEP_PKCS_REQ = 19,
	SCEP_CERT_POLL = 20,
	SCEP_GET_CERT = 21,
	SCEP_GET_CRL = 22,
};
enum scep_status { /* section 3.2.1.3 */
	SCEP_SUCCESS = 0,
	SCEP_FAILURE = 2,
	SCEP_PENDING = 3,
};

/* What only a label's configuration allows. */
struct scep_legacy {
	bool sha1; /* digests of messages and of the requests in them */
	bool des3; /* content encryption */
};

struct scep_message {
	struct buf der; /* the message; views are borrowed from it */
	struct cms_signed cms;
	uint64_t type; /* maybe none of enum scep_type */
	struct bytes transaction_id;
	struct bytes nonce; /* senderNonce's octets */
	struct cert signer; /* once checked */
	struct spki key;    /* the signer's, likewise */
	EVP_PKEY *pkey;     /* the same, imported */
	struct buf inner;   /* the envelope; its views are borrowed from it */
	struct cms_enveloped envelope; /* once it was read */
};

/* What an answer needs: DER or BER, one signer, transactionID, senderNonce, and
 * a messageType. Nothing is verified. Without this there is nothing to answer
 * with. Free with scep_message_free() whatever the result.
 * Errors: RC_MALFORMED RC_TOOBIG RC_UNSUPPORTED RC_NOMEM. */
MUST_CHECK enum rc scep_message_read(
        struct scep_message *m, struct bytes in, struct why *why);
void scep_message_free(struct scep_message *m);

/* A request of a type that there is, with algorithms that are allowed, by the
 * key of the certificate that stands beside it, which is RSA and fit for use,
 * over the content that is there (RFC 5652 sections 5.4 and 11). Who that
 * certificate is of, and what it is worth, is not asked.
 * Errors: RC_UNSUPPORTED RC_WEAKKEY RC_BADSIG RC_MALFORMED RC_INTERNAL. */
MUST_CHECK enum rc scep_message_check(struct scep_message *m,
        struct scep_crypt *crypt, const struct scep_legacy *legacy,
        struct why *why);

/* The pkcsPKIEnvelope (section 3.1): read, with a cipher that is allowed, and of
 * its recipients the one that is us: by our issuer and serial number or key
 * identifier, or else by our issuer, for an earlier certificate of ours over
 * the same key. *encrypted_key is borrowed from m.
 * Errors: RC_UNSUPPORTED RC_MALFORMED RC_TOOBIG; RC_NOTFOUND: not for us. */
MUST_CHECK enum rc scep_message_envelope(struct scep_message *m,
        const struct scep_legacy *legacy, const struct cms_id *us,
        struct bytes *encrypted_key, struct why *why);

/* The certificate was signed by its own key's holder for this message alone:
 * issuer and subject are the same (section 2.3). */
bool scep_signer_is_self(const struct scep_message *m);

/* IssuerAndSerialNumber of GetCert and GetCRL (section 3.3.4), IssuerAndSubject
 * of CertPoll (section 3.3.3). RC_MALFORMED */
MUST_CHECK enum rc scep_read_serial(
        struct cms_id *out, struct bytes der, struct why *why);
MUST_CHECK enum rc scep_read_subject(struct bytes *issuer,
        struct bytes *subject, struct bytes der, struct why *why);

/* AlgorithmIdentifier rsaEncryption, NULL: what clients read beside a signature
 */
#define SCEP_RSA_ENCRYPTION                                                    \
	"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"

/* CertRep (section 3.3.2) */
struct scep_reply {
	const struct scep_message *to;
	enum scep_status status;
	int fail;              /* SCEP_FAILURE: rc_info()'s scep_fail_info */
	const char *fail_text; /* SCEP_FAILURE: ASCII */
	struct bytes content;  /* SCEP_SUCCESS: EnvelopedData, DER */
	bool detached;         /* otherwise: no content, not an empty one */
	uint8_t nonce[SCEP_NONCE_BYTES]; /* senderNonce */
};
/* Append the SET OF attributes that is to be signed, with SHA-256.
 * Errors: RC_NOMEM RC_TOOBIG RC_INTERNAL. */
MUST_CHECK enum rc scep_reply_put_attrs(
        struct buf *b, const struct scep_reply *r, struct scep_crypt *crypt);
/* Append the pkiMessage. ra: the certificate whose key signed attrs.
 * Errors: those of b. */
struct scep_ra {
	struct bytes cert; /* DER */
	struct cms_id id;  /* issuer, serial, and the key's identifier */
};
MUST_CHECK enum rc scep_reply_put(struct buf *b, const struct scep_reply *r,
        const struct scep_ra *ra, struct bytes attrs, struct bytes signature);

#endif
