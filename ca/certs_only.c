#include "ca/certs_only.h"

#include "der/oid.h"
#include "der/writer.h"

/* tag: of certificates or of crls (RFC 5652 section 5.1), whichever is there. */
static enum rc put(
        struct buf *out, uint8_t tag, const struct bytes *list, size_t n)
{
	size_t content_info = der_begin(out, DER_SEQUENCE);
	size_t explicit;
	size_t signed_data;
	size_t mark;

	der_put_oid(out, oid_bytes(OID_PKCS7_SIGNED_DATA));
	explicit = der_begin(out, DER_CONTEXT_CONS(0));
	signed_data = der_begin(out, DER_SEQUENCE);
	der_put_u64(out, 1); /* CMSVersion: no attribute certificates */
	der_put(out, DER_SET, BYTES_NONE); /* digestAlgorithms */
	mark = der_begin(out, DER_SEQUENCE);
	der_put_oid(out, oid_bytes(OID_PKCS7_DATA)); /* no eContent */
	der_end(out, mark);
	mark = der_begin(out, tag);
	for (size_t i = 0; i < n; i++)
		der_put_raw(out, list[i]);
	der_end(out, mark);
	der_put(out, DER_SET, BYTES_NONE); /* signerInfos */
	der_end(out, signed_data);
	der_end(out, explicit);
	der_end(out, content_info);
	return out->failed;
}

enum rc certs_only_put(struct buf *out, const struct bytes *certs, size_t n)
{
	return put(out, DER_CONTEXT_CONS(0), certs, n);
}

enum rc crls_only_put(struct buf *out, struct bytes crl)
{
	return put(out, DER_CONTEXT_CONS(1), &crl, 1);
}
