/* ca/crl.h - certificate revocation lists (RFC 5280 section 5) written and read
 * in parts, so that a list of any length need not be held in memory. What is
 * written is byte for byte what libcrypto would write. Pure. Needs base/, der/
 * and the rows of storage/store.h. */
#ifndef MICA_CA_CRL_H
#define MICA_CA_CRL_H

#include "base/buf.h"
#include "base/why.h"
#include "der/reader.h"
#include "storage/store.h"

/* Serial 22, revocationDate 17, reasonCode 12, invalidityDate 26, headers. */
#define CRL_ENTRY_MAX_BYTES 96
#define CRL_URLS_MAX 16
/* Everything but the entries; an issuer's name is the largest of it. */
#define CRL_FRAME_MAX_BYTES 32768

/* What stands around the entries; all views borrowed. */
struct crl_frame {
	struct bytes sig_alg; /* AlgorithmIdentifier, DER */
	struct bytes issuer;  /* Name, DER */
	struct bytes key_id;  /* of the issuer's key */
	uint64_t number;
	int64_t this_update_s, next_update_s;
	/* issuingDistributionPoint, critical: on shards alone, since Mbed TLS
	 * takes no CRL with a critical extension (DESIGN rule 9). */
	bool shard;
	const char *urls[CRL_URLS_MAX]; /* the point's names, as in certificates
					 */
	size_t n_urls;
	bool only_user_certs; /* the issuer makes no CA certificates */
};

/* An element of revokedCertificates. reasonCode is left out when it says
 * nothing (section 5.3.1); a held certificate is certificateHold. */
void crl_put_entry(struct buf *b, const struct store_crl_row *row);
/* crlExtensions. */
void crl_put_tail(struct buf *b, const struct crl_frame *f);
/* From the TBSCertList's header to that of revokedCertificates, which is left
 * out when there are none (section 5.1.2.6). */
void crl_put_head(struct buf *b, const struct crl_frame *f,
        uint64_t entries_bytes, size_t tail_bytes);
/* The CertificateList's header, and what follows the TBS. */
void crl_put_outer(struct buf *head, struct buf *end, struct bytes sig_alg,
        struct bytes signature, uint64_t tbs_bytes);

/* A shard's number as it stands in names and URLs. */
#define CRL_SHARD_DIGITS 3
const char *crl_shard_text(char out[CRL_SHARD_DIGITS + 1], unsigned shard);
/* Append url with text in place of its CONF_SHARD_VARIABLE. */
void crl_put_url(struct buf *out, const char *url, const char *text);

/* All views are borrowed from the input. */
struct crl {
	struct bytes tbs;
	struct bytes issuer; /* Name, DER */
	int64_t this_update_s, next_update_s;
	bool has_next_update;
	struct bytes entries; /* elements side by side; may be empty */
	bool has_number;
	uint64_t number;
	struct bytes key_id;  /* of authorityKeyIdentifier; may be empty */
	struct bytes idp;     /* issuingDistributionPoint, DER; may be empty */
	struct bytes sig_alg; /* AlgorithmIdentifier, DER */
	struct bytes signature;
};

/* Exactly one CertificateList of version 2. Entries are not looked at, and a
 * critical extension other than issuingDistributionPoint is refused.
 * Errors: RC_MALFORMED RC_TOOBIG RC_UNSUPPORTED. */
MUST_CHECK enum rc crl_parse(
        struct crl *out, struct bytes der, struct why *why);

#endif
