/* ca/csr.h - certification requests (PKCS#10, RFC 2986): parse, prove
 * possession, read. Pure: no I/O, no clock, no globals. Needs der/, conf/ and
 * libcrypto.
 *
 * What a request asks for is only ever compared with what was granted: names
 * and extensions of a certificate come from the grant and the profile. */
#ifndef MICA_CA_CSR_H
#define MICA_CA_CSR_H

#include "base/buf.h"
#include "ca/pubkey.h"
#include "ca/san.h"

#define CSR_DER_MAX_BYTES 16384
/* A body may be armoured: base64, line ends, two PEM lines. */
#define CSR_WIRE_MAX_BYTES 24576
#define CSR_ATTRIBUTES_MAX 16
#define CSR_EXTENSIONS_MAX 32
/* pkcs-9-ub-challengePassword (RFC 2985 appendix A) */
#define CSR_CHALLENGE_MAX_BYTES 255

struct csr; /* opaque; immutable once parsed */

/* Parse one DER CertificationRequest (RFC 2986 section 4.2), hold its key
 * against the key policy and verify its self-signature. The input must be
 * consumed to its last byte and is not kept. On RC_OK *out is the caller's, to
 * be freed with csr_free(). On any other result *out is NULL and why names the
 * clause that failed.
 * Errors: RC_TOOBIG RC_MALFORMED RC_UNSUPPORTED RC_WEAKKEY RC_BADSIG RC_NOMEM
 * RC_INTERNAL. */
MUST_CHECK enum rc csr_parse(struct csr **out, struct pubkey_ctx *keys,
        struct bytes der, struct why *why);
/* What a request may be beyond that, or comes with. */
struct csr_opts {
	/* Old equipment's sha1WithRSAEncryption is taken, too: a proof of
	 * possession, made and looked at once. */
	bool sha1;
	/* It has proven possession before: its signature is not looked at. */
	bool proven;
	/* Where it is the request's key, it is not judged and imported again;
	 * .key NULL: none. */
	struct pubkey_known known;
};
MUST_CHECK enum rc csr_parse_with(struct csr **out, struct pubkey_ctx *keys,
        const struct csr_opts *opts, struct bytes der, struct why *why);
/* Append it as it may be kept and shown: its challengePassword, which may be a
 * secret, is overwritten, and so the signature is of no use any more. */
void csr_put_shown(struct buf *b, const struct csr *csr);
void csr_free(struct csr *csr); /* NULL is a no-op */
/* Is it, whatever else is wrong with it, a request for that key
 * (SubjectPublicKeyInfo, DER)? */
bool csr_is_for(struct bytes der, struct bytes spki);

/* The DER of a request as EST clients send it, appended to out: DER as it is,
 * base64 with or without breaks, or PEM under either of its labels
 * (CERTIFICATE REQUEST, NEW CERTIFICATE REQUEST; RFC 7468 section 7), also
 * below lines of explanatory text.
 * Errors: RC_MALFORMED RC_TOOBIG RC_NOMEM. */
MUST_CHECK enum rc csr_from_wire(
        struct buf *out, struct bytes body, struct why *why);

/* All views are borrowed from csr. */
struct bytes csr_der(const struct csr *csr);
struct bytes csr_subject(
        const struct csr *csr); /* a checked Name; maybe empty */
const struct spki *csr_spki(const struct csr *csr);
/* The key's enum conf_key_type bit (ca/keypolicy.h). */
uint32_t csr_key_type(const struct csr *csr);
/* challengePassword (RFC 2985 section 5.4.1) as its octets. */
bool csr_challenge(const struct csr *csr, struct bytes *out);
/* The content of an attribute's SET OF values; well-formed DER. */
bool csr_attribute(
        const struct csr *csr, struct bytes oid, struct bytes *values);

/* What extensionRequest (RFC 2985 section 5.4.2) asks for. */
struct csr_extension {
	struct bytes oid;   /* content octets */
	struct bytes value; /* the extension's DER */
	bool critical;
};
size_t csr_extension_count(const struct csr *csr);
const struct csr_extension *csr_extension_at(const struct csr *csr, size_t i);
/* NULL when it is not asked for. */
const struct csr_extension *csr_extension(
        const struct csr *csr, struct bytes oid);
/* Empty when none were asked for. */
const struct san_list *csr_sans(const struct csr *csr);
/* RFC 5280 section 4.2.1.3, bit 0 is digitalSignature. False: not asked for. */
bool csr_key_usage(const struct csr *csr, uint32_t *bits);
/* The nth (from 0) KeyPurposeId asked for; false past the last. */
bool csr_eku(const struct csr *csr, unsigned nth, struct bytes *oid);
bool csr_wants_ca(const struct csr *csr); /* RFC 5280 section 4.2.1.9 */

#endif
