/* ca/tbs_check.h - what a key of ours may sign: a policy for each key, and the
 * check of a whole to-be-signed certificate (RFC 5280 section 4.1), CRL
 * (section 5.1), OCSP answer (RFC 6960 section 4.2.1) or code signature (RFC
 * 5652 section 5.4) against it.
 * The supervisor compiles policies from the configuration; mica-signer checks
 * every request with them, so that a worker that was taken over cannot mint a
 * CA, an OCSP responder, a name that its profiles do not have, or an answer
 * about another issuer's certificates or one that outlives its window.
 * Pure: no I/O, no clock, no globals. Needs base/ and der/. */
#ifndef MICA_CA_TBS_CHECK_H
#define MICA_CA_TBS_CHECK_H

#include "base/buf.h"
#include "base/bytes.h"
#include "base/why.h"

/* What a key may sign; a key has a set of them. */
enum signer_purpose {
	SIGNER_CERT = 1, /* TBSCertificate, RFC 5280 section 4.1 */
	SIGNER_CRL = 2,  /* TBSCertList, RFC 5280 section 5.1 */
	SIGNER_OCSP = 3, /* ResponseData, RFC 6960 section 4.2.1 */
	SIGNER_CODE = 4, /* signed attributes, RFC 5652 section 5.4 */
	/* Of an SCEP registration authority (RFC 8894): */
	SIGNER_CERTREP = 5, /* a CertRep's signed attributes */
	SIGNER_DECRYPT = 6, /* an encrypted content key: nothing is signed */
	/* Of an issuing authority, and of its registration authority: */
	SIGNER_NEXT_CA = 7, /* signed attributes of GetNextCACert's answer */
};
#define SIGNER_PURPOSE_BIT(purpose) (UINT32_C(1) << (purpose))
/* What a registration authority's key has: these two, and maybe
 * SIGNER_NEXT_CA. */
#define SIGNER_RA_PURPOSES                                                     \
	(SIGNER_PURPOSE_BIT(SIGNER_CERTREP) |                                  \
	        SIGNER_PURPOSE_BIT(SIGNER_DECRYPT))
/* Of an issuing authority's key, which may have SIGNER_NEXT_CA, too; and all
 * that there are. */
#define SIGNER_PURPOSES_ISSUER                                                 \
	(SIGNER_PURPOSE_BIT(SIGNER_CERT) | SIGNER_PURPOSE_BIT(SIGNER_CRL) |    \
	        SIGNER_PURPOSE_BIT(SIGNER_OCSP))
#define SIGNER_PURPOSES                                                        \
	(SIGNER_PURPOSES_ISSUER | SIGNER_PURPOSE_BIT(SIGNER_CODE) |            \
	        SIGNER_RA_PURPOSES | SIGNER_PURPOSE_BIT(SIGNER_NEXT_CA))

#define TBS_CHECK_MAX_BYTES 65536       /* one TBSCertificate, ResponseData */
#define TBS_CRL_MAX_BYTES (1023u << 20) /* one TBSCertList */
#define TBS_SINGLES_MAX 64          /* SingleResponses in one ResponseData */
#define TBS_EXTENSIONS_MAX 64       /* in one TBSCertificate */
#define TBS_SERIAL_BYTES 20         /* our serials, and RFC 5280's most */
#define TBS_FUTURE_MAX_S 3600       /* a beginning may lie so far ahead */
#define TBS_CODE_SKEW_S 300         /* of signingTime, to both sides */
#define TBS_CODE_CERT_HASH_BYTES 32 /* SHA-256 */
#define TBS_SHAPES_MAX 1024         /* in one policy */
#define TBS_ITEMS_MAX 256           /* of one list in a shape */
#define TBS_POLICY_MAX_BYTES (4u << 20) /* packed */

/* Which values a text may have. */
enum tbs_mode {
	TBS_FIXED = 1, /* exactly head */
	TBS_AFFIX = 2, /* head, at least one byte, tail */
	TBS_ANY = 3,   /* at least one byte */
};
struct tbs_text {
	enum tbs_mode mode;
	struct bytes head, tail; /* UTF-8; SAN_IP: 4 or 16 octets */
};

/* One attribute of the subject. Each stands in an RDN of its own. */
struct tbs_attr {
	struct bytes oid; /* content octets */
	struct tbs_text value;
	bool optional; /* may be left out */
};

enum tbs_san_form {
	TBS_SAN_DNS = 1,
	TBS_SAN_IP = 2, /* TBS_FIXED or TBS_ANY */
	TBS_SAN_EMAIL = 3,
	TBS_SAN_URI = 4,
	TBS_SAN_HARDWARE_MODULE = 5, /* RFC 4108: oid is hwType, the text is
				      * hwSerialNum's octets */
	TBS_SAN_PERMANENT_ID = 6,    /* RFC 4043: oid is the assigner, empty:
				      * none; the text is identifierValue */
};
/* GeneralNames are matched to entries in order, each to the first that takes
 * it and is not full: put the narrow before the wide. */
struct tbs_san {
	enum tbs_san_form form;
	struct bytes oid; /* the last two forms; else empty */
	struct tbs_text value;
	uint32_t min, max; /* how many names it takes; max 0 is no limit */
};

struct tbs_eku {
	struct bytes oid;
	bool required;
};

/* Any extension but keyUsage, extKeyUsage, subjectAltName and
 * basicConstraints, which have fields of their own. */
struct tbs_ext {
	struct bytes oid;
	bool critical; /* as the certificate must have it */
	bool required;
	bool fixed; /* extnValue's content must be value; else: any DER */
	struct bytes value;
	/* Wherever value has TBS_NUMBER_TO_COME, the certificate has that many
	 * decimal digits: of one number, from 1 to this. 0: nowhere. */
	uint16_t numbers;
};
/* Octets that no text has. */
#define TBS_NUMBER_TO_COME "\x01\x01\x01"
#define TBS_NUMBER_DIGITS 3
#define TBS_NUMBER_MAX 999

/* What certificates of one profile look like. */
struct tbs_shape {
	struct bytes name; /* the profile's, for clauses and the log */
	/* In order; the subject has these and no others. */
	const struct tbs_attr *subject;
	size_t n_subject;
	/* subjectAltName; none: the extension must be absent. Its absence is
	 * right when no entry has a min. Critical when the subject is empty
	 * (RFC 5280 section 4.1.2.6); otherwise as the certificate likes. */
	const struct tbs_san *san;
	size_t n_san;
	/* extKeyUsage; none: must be absent. Otherwise present, only with
	 * these, and with all those required. */
	const struct tbs_eku *eku;
	size_t n_eku;
	bool eku_critical;
	/* keyUsage: bit 0 is digitalSignature. 0: must be absent. Otherwise
	 * present, critical, some bits of these and no others. */
	uint32_t key_usage;
	bool basic_constraints; /* must be there, as an empty, critical or not,
				 * SEQUENCE (CA:FALSE); false: must be absent */
	const struct tbs_ext *ext;
	size_t n_ext;
	/* notAfter + 1 - notBefore, the backdate included. 0: only never. */
	int64_t max_validity_s;
	bool never;     /* notAfter 99991231235959Z is allowed (RFC 5280
			 * section 4.1.2.5), past the issuer's end too */
	bool held_only; /* only for keys that the signer itself holds */
	/* Only for the key that the signer has under that name, loaded or kept;
	 * empty: any. Keys that it made do not count: a listener's leaves it.
	 */
	struct bytes key_name;
};

/* What its CRLs look like. */
struct tbs_crl_rule {
	struct bytes key_id; /* keyIdentifier of authorityKeyIdentifier */
	int64_t max_s;       /* nextUpdate less thisUpdate */
};

/* Whom its OCSP answers are about: the one issuer, as a CertID has it (RFC
 * 6960 section 4.1.1). */
struct tbs_ocsp_rule {
	struct bytes name_sha1, key_sha1;
	struct bytes name_sha256, key_sha256;
	int64_t max_s; /* nextUpdate less thisUpdate */
};

/* A policy of a registration authority has SIGNER_RA_PURPOSES, maybe
 * SIGNER_NEXT_CA, and no shapes: what clients encrypt for it opens nothing
 * else.
 *
 * A policy for SIGNER_CODE has that purpose alone: who may fake an update may
 * not also issue. Its issuer and times are of the authority that certifies the
 * key.
 *
 * What one key may sign as one issuer. A key may have several policies; one
 * that allows is enough. */
struct tbs_policy {
	uint32_t purposes;   /* SIGNER_PURPOSE_BIT()s */
	struct bytes issuer; /* Name, DER: subject of the CA certificate */
	int64_t not_before_s, not_after_s; /* of the CA certificate */
	struct bytes sig_alg; /* AlgorithmIdentifier, DER; must fit the key.
			       * Empty with SIGNER_CODE: the key's own */
	const struct tbs_shape *shapes;
	size_t n_shapes;
	struct tbs_crl_rule crl;   /* with SIGNER_CRL; else empty */
	struct tbs_ocsp_rule ocsp; /* with SIGNER_OCSP; else empty */
	/* With SIGNER_NEXT_CA: the digest of what is told of the next CA, the
	 * one that alg_digest() has for sig_alg; else empty. */
	struct bytes next_ca;
};

/* Append the policy's packed form (base/pack.h). A failure stays in b. */
void tbs_policy_pack(struct buf *b, const struct tbs_policy *p);
/* The strict inverse: limits above, known purposes, modes and forms, a rule for
 * each purpose that has one and no other, no OID that has a field of its own, no keyCertSign or cRLSign, no byte left over. *out owns
 * all that it points to; free with tbs_policy_free().
 * Errors: RC_MALFORMED RC_TOOBIG RC_NOMEM. */
MUST_CHECK enum rc tbs_policy_unpack(
        struct tbs_policy **out, struct bytes packed, struct why *why);
void tbs_policy_free(struct tbs_policy *p); /* NULL is a no-op; only for what
					     * tbs_policy_unpack() made */

/* Is that public key (SubjectPublicKeyInfo, DER) one of the signer's own? With
 * a name, not empty: is it one that it has under that name? */
typedef bool tbs_held_fn(void *ctx, struct bytes name, struct bytes spki);

/* May a key with that policy sign tbs? now_s is Unix time. First what no
 * policy can allow: CA certificates, extensions that only CA certificates
 * have, OCSPSigning, cmcRA and their like, and id-pkix-ocsp-nocheck for a key
 * that is not held. Then one shape must allow everything; the clause is that
 * of the shape that came closest.
 * Errors: RC_DENIED; RC_MALFORMED, RC_TOOBIG and RC_UNSUPPORTED when it does
 * not parse. */
MUST_CHECK enum rc tbs_check(const struct tbs_policy *p, struct bytes tbs,
        int64_t now_s, tbs_held_fn *held, void *ctx, struct why *why);

/* The same of a TBSCertList: version 2, signature and issuer of the key, a
 * window that begins no later than TBS_FUTURE_MAX_S from now and is no longer
 * than the rule's, of extensions authorityKeyIdentifier, cRLNumber and
 * issuingDistributionPoint alone, of entry extensions reasonCode and
 * invalidityDate. Takes constant memory however many entries there are. */
MUST_CHECK enum rc tbs_check_crl(const struct tbs_policy *p, struct bytes tbs,
        int64_t now_s, struct why *why);

/* The same of a ResponseData. key_hash is the signing key's own (SHA-1 of the
 * content of its BIT STRING): responderID must be byKey of it (RFC 9919 section
 * 3.2.2). Each CertID names the rule's issuer by SHA-1 or SHA-256, each window
 * is as for a CRL, and of extensions there are nonce, extended-revoke and, of
 * single ones, invalidityDate alone. */
MUST_CHECK enum rc tbs_check_ocsp(const struct tbs_policy *p, struct bytes tbs,
        int64_t now_s, struct bytes key_hash, struct why *why);
/* Whose answer it says it is: the KeyHash of responderID, borrowed.
 * Errors: RC_MALFORMED RC_TOOBIG RC_UNSUPPORTED (byName). */
MUST_CHECK enum rc tbs_ocsp_responder(
        struct bytes *key_hash, struct bytes tbs, struct why *why);

/* A code signature is asked for as a SEQUENCE of the key's certificate and the
 * SET OF signed attributes (RFC 5652 section 5.4), of which the latter alone is
 * signed. cert may be NULL; both are borrowed.
 * Errors: RC_MALFORMED RC_TOOBIG RC_UNSUPPORTED. */
MUST_CHECK enum rc tbs_code_parts(struct bytes *cert, struct bytes *attrs,
        struct bytes tbs, struct why *why);

/* The key that it is asked of. */
struct tbs_code_key {
	struct bytes spki;
	struct bytes sig_alg; /* AlgorithmIdentifier, DER */
	/* SHA-256 of the certificate that tbs_code_parts() found */
	struct bytes cert_sha256;
};
/* The same of a code signature. The certificate is the key's, by the policy's
 * issuer, for code signing, no CA's, and valid now. The attributes, in DER's
 * order and no others: contentType id-data, a messageDigest as long as its
 * algorithm has it, signingTime within TBS_CODE_SKEW_S of now,
 * signingCertificateV2 (RFC 5035) with that certificate's SHA-256, and
 * cmsAlgorithmProtect (RFC 6211) of the key's algorithm and the digest that
 * goes with it. */
MUST_CHECK enum rc tbs_check_code(const struct tbs_policy *p, struct bytes tbs,
        int64_t now_s, const struct tbs_code_key *key, struct why *why);

/* The same of a CertRep's signed attributes (RFC 8894 section 3.3.2): a SET OF
 * in DER's order, of contentType id-data, messageDigest (SHA-256), messageType
 * CertRep, pkiStatus, transactionID, senderNonce and recipientNonce, with
 * failInfo and maybe failInfoText where the status is FAILURE, and no others.
 * So nothing else that is ever signed passes for one.
 * Errors: RC_DENIED; RC_MALFORMED RC_TOOBIG RC_UNSUPPORTED. */
MUST_CHECK enum rc tbs_check_certrep(struct bytes tbs, struct why *why);

/* The same of the answer to GetNextCACert (section 4.7.1): contentType id-data
 * and messageDigest alone, and that is the policy's next_ca: whom devices are to
 * trust next is not for those who answer them to say. */
MUST_CHECK enum rc tbs_check_next_ca(
        const struct tbs_policy *p, struct bytes tbs, struct why *why);

/* A content key to be decrypted is asked for as a SEQUENCE of the octets that
 * it has, 16, 24 or 32, and the OCTET STRING that is encrypted.
 * Errors: RC_MALFORMED RC_TOOBIG; RC_DENIED for another length. */
void tbs_put_decrypt(struct buf *b, size_t key_bytes, struct bytes encrypted);
MUST_CHECK enum rc tbs_decrypt_parts(size_t *key_bytes, struct bytes *encrypted,
        struct bytes tbs, struct why *why);

/* The most that may be signed for that purpose; 0: there is no such. */
size_t tbs_max_bytes(uint32_t purpose);

#endif
