#include "tests/unit/code_make.h"
#include "der/writer.h"
#include <openssl/evp.h>
#include <string.h>

#define EKU_CODE BYTES_LIT("\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x03")

void code_spec_init(
        struct code_spec *s, int64_t now_s, enum sig_alg alg, struct bytes spki)
{
	static const enum oid types[] = { OID_CONTENT_TYPE, OID_MESSAGE_DIGEST,
		OID_SIGNING_TIME, OID_AA_SIGNING_CERTIFICATE_V2,
		OID_AA_CMS_ALGORITHM_PROTECT };

	memset(s, 0, sizeof(*s));
	tbs_spec_init(&s->cert, now_s);
	tbs_spec_ext(&s->cert, OID_EXT_KEY_USAGE, true, EKU_CODE);
	s->cert.spki = spki;
	s->alg = alg;
	s->digest_alg = alg_digest(alg);
	s->digest = bytes_slice(
	        CODE_SPEC_DIGEST, 0, alg_digest_bytes(s->digest_alg));
	s->content_type = OID_PKCS7_DATA;
	s->signing_s = now_s;
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		s->attrs[s->n_attrs++].oid = oid_bytes(types[i]);
}

struct code_attr *code_spec_attr(struct code_spec *s, enum oid type)
{
	for (size_t i = 0; i < s->n_attrs; i++)
		if (oid_is(s->attrs[i].oid, type))
			return &s->attrs[i];
	return NULL;
}

static void put_protect(struct buf *b, const struct code_spec *s)
{
	struct bytes alg = alg_bytes(s->alg);
	size_t seq = der_begin(b, DER_SEQUENCE);
	size_t digest = der_begin(b, DER_SEQUENCE);

	der_put_oid(b, oid_bytes(s->digest_alg));
	der_end(b, digest);
	der_put(b, DER_CONTEXT_CONS(1), bytes_skip(alg, 2));
	der_end(b, seq);
}

static void put_signing_certificate(struct buf *b, struct bytes sha256)
{
	size_t all = der_begin(b, DER_SEQUENCE);
	size_t certs = der_begin(b, DER_SEQUENCE);
	size_t id = der_begin(b, DER_SEQUENCE);

	der_put_octets(b, sha256);
	der_end(b, id);
	der_end(b, certs);
	der_end(b, all);
}

static void put_value(struct buf *b, const struct code_spec *s,
        const struct code_attr *a, struct bytes sha256)
{
	if (a->value.n > 0) {
		der_put_raw(b, a->value);
		return;
	}
	switch (oid_find(a->oid)) {
	case OID_CONTENT_TYPE:
		der_put_oid(b, oid_bytes(s->content_type));
		break;
	case OID_MESSAGE_DIGEST:
		der_put_octets(b, s->digest);
		break;
	case OID_SIGNING_TIME:
		der_put_time(b, s->signing_s);
		break;
	case OID_AA_SIGNING_CERTIFICATE_V2:
		put_signing_certificate(b, sha256);
		break;
	default:
		put_protect(b, s);
	}
}

static void put_attr(struct buf *b, const struct code_spec *s,
        const struct code_attr *a, struct bytes sha256)
{
	size_t attr = der_begin(b, DER_SEQUENCE);
	size_t values;

	der_put_oid(b, a->oid);
	values = der_begin(b, DER_SET);
	put_value(b, s, a, sha256);
	if (a->twice)
		put_value(b, s, a, sha256);
	der_end(b, values);
	der_end(b, attr);
}

static void put_cert(struct buf *b, const struct tbs_spec *cert)
{
	size_t seq = der_begin(b, DER_SEQUENCE);

	tbs_spec_build(cert, b);
	der_put_raw(b, cert->sig_alg);
	der_put_bits(b, BYTES_LIT("a signature"));
	der_end(b, seq);
}

void code_spec_build(const struct code_spec *s, struct buf *out)
{
	struct buf cert = BUF_INIT(CODE_SPEC_MAX_BYTES);
	uint8_t sha256[32];
	struct bytes hash = s->cert_sha256;
	size_t seq, set;

	put_cert(&cert, &s->cert);
	if (hash.n == 0) {
		if (EVP_Digest(cert.p, cert.n, sha256, NULL, EVP_sha256(),
		            NULL) != 1)
			out->failed = RC_INTERNAL;
		hash = BYTES_ARRAY(sha256);
	}
	seq = der_begin(out, DER_SEQUENCE);
	der_put_raw(out, buf_bytes(&cert));
	set = der_begin(out, DER_SET);
	for (size_t i = 0; i < s->n_attrs; i++)
		put_attr(out, s, &s->attrs[i], hash);
	if (s->unsorted)
		der_end(out, set);
	else
		der_end_set_of(out, set);
	der_put_raw(out, s->after_attrs);
	der_end(out, seq);
	buf_free(&cert);
}
