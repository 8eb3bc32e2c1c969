#include "ca/code.h"

#include "der/writer.h"

#define VALUES_MAX_BYTES 2048

/* RFC 5652 sections 5.3 (the first two must be there) and 11.3, RFC 5035
 * section 3, RFC 6211 section 2. */
static enum rc put_attrs(struct buf *b, const struct code_signature *s)
{
	struct cms_attr attrs[] = { { OID_CONTENT_TYPE, BYTES_NONE },
		{ OID_MESSAGE_DIGEST, BYTES_NONE },
		{ OID_SIGNING_TIME, BYTES_NONE },
		{ OID_AA_SIGNING_CERTIFICATE_V2, BYTES_NONE },
		{ OID_AA_CMS_ALGORITHM_PROTECT, BYTES_NONE } };
	enum { N = sizeof(attrs) / sizeof(*attrs) };
	struct buf v = BUF_INIT(VALUES_MAX_BYTES);
	size_t end[N];
	enum rc rc;

	cms_put_content_type(&v, OID_PKCS7_DATA);
	end[0] = v.n;
	cms_put_message_digest(&v, s->digest);
	end[1] = v.n;
	der_put_time(&v, s->time_s);
	end[2] = v.n;
	cms_put_signing_certificate(&v, s->cert_sha256);
	end[3] = v.n;
	cms_put_algorithm_protection(&v, alg_digest(s->alg), alg_bytes(s->alg));
	end[4] = v.n;
	rc = v.failed;
	for (size_t i = 0, at = 0; i < N && !rc; at = end[i++])
		attrs[i].value = bytes_slice(buf_bytes(&v), at, end[i] - at);
	if (!rc)
		rc = cms_put_attrs(b, attrs, N);
	buf_free(&v);
	return rc;
}

enum rc code_tbs_put(
        struct buf *b, struct bytes *attrs, const struct code_signature *s)
{
	size_t start = b->n;
	size_t seq = der_begin(b, DER_SEQUENCE);
	enum rc rc;

	der_put_raw(b, s->cert);
	rc = put_attrs(b, s);
	der_end(b, seq);
	if (!rc)
		rc = b->failed;
	if (rc)
		return rc;
	return tbs_code_parts(
	        NULL, attrs, bytes_skip(buf_bytes(b), start), NULL);
}

enum rc code_cms_put(struct buf *b, const struct code_signed *s)
{
	const struct cms_signer signer = {
		.digest = alg_digest(s->alg),
		.sig_alg = alg_bytes(s->alg),
		.issuer = s->issuer,
		.serial = s->serial,
		.attrs = s->attrs,
		.signature = s->signature,
	};
	struct bytes certs[CMS_CERTS_MAX];
	struct cms_signed_data data = {
		.content_type = OID_PKCS7_DATA,
		.detached = true,
		.certs = certs,
		.n_certs = 1,
		.signer = &signer,
	};

	certs[0] = s->cert;
	for (size_t i = 0; i < s->n_chain && data.n_certs < CMS_CERTS_MAX; i++)
		certs[data.n_certs++] = s->chain[i];
	return cms_put_signed_data(b, &data);
}
