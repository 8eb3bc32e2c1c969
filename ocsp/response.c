#include "ocsp/response.h"

#include "der/oid.h"
#include "der/writer.h"

struct bytes response_error(enum response_status status)
{
	/* SEQUENCE { responseStatus ENUMERATED } */
	static const uint8_t answers[][5] = {
		{ 0x30, 3, DER_ENUMERATED, 1, RESPONSE_MALFORMED },
		{ 0x30, 3, DER_ENUMERATED, 1, RESPONSE_INTERNAL_ERROR },
		{ 0x30, 3, DER_ENUMERATED, 1, RESPONSE_TRY_LATER },
		{ 0x30, 3, DER_ENUMERATED, 1, RESPONSE_UNAUTHORIZED },
	};
	size_t i;

	for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		if (answers[i][4] == status)
			return BYTES_ARRAY(answers[i]);
	return BYTES_ARRAY(answers[1]);
}

static void put_extension(struct buf *b, enum oid oid, struct bytes value)
{
	size_t ext = der_begin(b, DER_SEQUENCE);

	der_put_oid(b, oid_bytes(oid));
	der_put_octets(b, value);
	der_end(b, ext);
}

/* RFC 5280 section 5.3.2, as a single extension (RFC 6960 section 4.4.5) */
static void put_invalidity(struct buf *b, int64_t invalidity_s)
{
	size_t explicit = der_begin(b, DER_CONTEXT_CONS(1));
	size_t list = der_begin(b, DER_SEQUENCE);
	size_t ext = der_begin(b, DER_SEQUENCE);
	size_t value;

	der_put_oid(b, oid_bytes(OID_INVALIDITY_DATE));
	value = der_begin(b, DER_OCTET_STRING);
	der_put_generalized_time(b, invalidity_s);
	der_end(b, value);
	der_end(b, ext);
	der_end(b, list);
	der_end(b, explicit);
}

static void put_revoked(struct buf *b, const struct single *s)
{
	size_t info = der_begin(b, DER_CONTEXT_CONS(1)), explicit;
	uint8_t reason = (uint8_t)s->reason;

	der_put_generalized_time(b, s->revoked_s);
	if (s->reason != REASON_UNSPECIFIED) {
		explicit = der_begin(b, DER_CONTEXT_CONS(0));
		der_put(b, DER_ENUMERATED, bytes_of(&reason, 1));
		der_end(b, explicit);
	}
	der_end(b, info);
}

static void put_single(
        struct buf *b, const struct single *s, const struct response_data *d)
{
	size_t single = der_begin(b, DER_SEQUENCE), explicit;

	der_put_raw(b, s->certid);
	if (s->status == SINGLE_REVOKED)
		put_revoked(b, s);
	else
		der_put(b, DER_CONTEXT(s->status == SINGLE_GOOD ? 0 : 2),
		        BYTES_NONE);
	der_put_generalized_time(b, d->this_update_s);
	explicit = der_begin(b, DER_CONTEXT_CONS(0));
	der_put_generalized_time(b, d->next_update_s);
	der_end(b, explicit);
	if (s->status == SINGLE_REVOKED && s->invalidity_s != 0)
		put_invalidity(b, s->invalidity_s);
	der_end(b, single);
}

static void put_extensions(struct buf *b, const struct response_data *d)
{
	size_t explicit, list;

	if (d->nonce.n == 0 && !d->extended_revoke)
		return;
	explicit = der_begin(b, DER_CONTEXT_CONS(1));
	list = der_begin(b, DER_SEQUENCE);
	if (d->nonce.n > 0)
		put_extension(b, OID_OCSP_NONCE, d->nonce);
	if (d->extended_revoke)
		put_extension(b, OID_OCSP_EXTENDED_REVOKE,
		        BYTES_LIT("\x05\x00")); /* NULL */
	der_end(b, list);
	der_end(b, explicit);
}

size_t response_put_data(struct buf *b, const struct response_data *d)
{
	size_t data = der_begin(b, DER_SEQUENCE), part, from_end;

	part = der_begin(b, DER_CONTEXT_CONS(2));
	der_put_octets(b, bytes_of(d->key_hash, RESPONSE_KEY_HASH_BYTES));
	der_end(b, part);
	der_put_generalized_time(b, d->produced_s);
	from_end = b->n;
	part = der_begin(b, DER_SEQUENCE);
	for (size_t i = 0; i < d->n; i++)
		put_single(b, &d->list[i], d);
	der_end(b, part);
	put_extensions(b, d);
	from_end = b->n - from_end; /* the head in front may still grow */
	der_end(b, data);
	return b->n - from_end;
}

/* How long an element with that content is. */
static size_t element(size_t content_bytes)
{
	return der_header_bytes(content_bytes) + content_bytes;
}

/* From the inside out all lengths are known: nothing is moved. */
void response_put(struct buf *b, struct bytes data, struct bytes sig_alg,
        struct bytes signature, struct bytes cert)
{
	static const uint8_t successful[] = { DER_ENUMERATED, 1, 0 };
	struct bytes type = oid_bytes(OID_OCSP_BASIC);
	size_t list = element(cert.n), certs = cert.n > 0 ? element(list) : 0;
	size_t basic = data.n + sig_alg.n + element(1 + signature.n) + certs;
	size_t octets = element(basic);
	size_t bytes = element(type.n) + element(octets);

	der_put_header(
	        b, DER_SEQUENCE, sizeof(successful) + element(element(bytes)));
	der_put_raw(b, BYTES_ARRAY(successful));
	der_put_header(b, DER_CONTEXT_CONS(0), element(bytes));
	der_put_header(b, DER_SEQUENCE, bytes);
	der_put_oid(b, type);
	der_put_header(b, DER_OCTET_STRING, octets);
	der_put_header(b, DER_SEQUENCE, basic);
	der_put_raw(b, data);
	der_put_raw(b, sig_alg);
	der_put_bits(b, signature);
	if (cert.n > 0) {
		der_put_header(b, DER_CONTEXT_CONS(0), list);
		der_put_header(b, DER_SEQUENCE, cert.n);
		der_put_raw(b, cert);
	}
}
