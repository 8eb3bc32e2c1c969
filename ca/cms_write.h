/* ca/cms_write.h - CMS SignedData (RFC 5652 section 5), written: content
 * within or detached, certificates beside it, one signer, known by issuer and
 * serial number or by key identifier. What is signed is written first, as
 * cms_put_attrs() makes it; the signature of it is given to
 * cms_put_signed_data(). Pure. Needs base/ and der/. */
#ifndef MICA_CA_CMS_WRITE_H
#define MICA_CA_CMS_WRITE_H

#include "base/buf.h"
#include "der/oid.h"

#define CMS_CERTS_MAX 16 /* beside one signature */

/* One attribute with one value (section 5.3), as all that we write have. */
struct cms_attr {
	enum oid type;
	struct bytes value; /* DER */
};

/* Append the SET OF that is signed (section 5.4), in the order that DER has; at
 * most DER_SET_OF_MAX of them. Errors: those of b. */
MUST_CHECK enum rc cms_put_attrs(
        struct buf *b, const struct cms_attr *attrs, size_t n);

/* Values of the attributes of sections 11.1 and 11.2 and of RFC 6211 section 2,
 * by which nobody exchanges one algorithm for another. */
void cms_put_content_type(struct buf *b, enum oid type);
void cms_put_message_digest(struct buf *b, struct bytes digest);
/* sig_alg: AlgorithmIdentifier, DER. */
void cms_put_algorithm_protection(
        struct buf *b, enum oid digest, struct bytes sig_alg);
/* SigningCertificateV2 with one ESSCertIDv2 (RFC 5035 sections 3 and 4):
 * hashAlgorithm is SHA-256, its DEFAULT; no issuerSerial, which SignerInfo has. */
void cms_put_signing_certificate(struct buf *b, struct bytes sha256);

struct cms_signer {
	enum oid digest; /* digestAlgorithm; parameters absent (RFC 5754) */
	struct bytes sig_alg; /* AlgorithmIdentifier, DER */
	/* Either these, */
	struct bytes issuer; /* Name, DER */
	struct bytes serial; /* INTEGER's content octets */
	/* or, when it is not empty, subjectKeyIdentifier's content. */
	struct bytes key_id;
	struct bytes attrs; /* as cms_put_attrs() wrote it; empty: none */
	struct bytes signature;
};

struct cms_signed_data {
	enum oid content_type; /* eContentType */
	bool detached;         /* no eContent */
	struct bytes content;
	const struct bytes *certs; /* DER each, written in that order */
	size_t n_certs;
	const struct cms_signer *signer;
};

/* Append a ContentInfo. Errors: those of b. */
MUST_CHECK enum rc cms_put_signed_data(
        struct buf *b, const struct cms_signed_data *s);

#endif
