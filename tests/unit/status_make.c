#include "tests/unit/status_make.h"
#include "der/alg.h"
#include "der/writer.h"
#include <string.h>

#define CRL_NUMBER BYTES_LIT("\x02\x02\x12\x34")
#define KEY_ID_EXT                                                             \
	BYTES_LIT("\x30\x16\x80\x14"                                           \
	          "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a"                   \
	          "\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14")
#define SERIAL                                                                 \
	BYTES_LIT("\x41\x02\x03\x04\x05\x06\x07\x08\x09\x0a"                   \
	          "\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14")

static void put_exts(struct buf *b, const struct spec_ext *ext, size_t n)
{
	size_t list = der_begin(b, DER_SEQUENCE), one;

	for (size_t i = 0; i < n; i++) {
		one = der_begin(b, DER_SEQUENCE);
		der_put_oid(b, ext[i].oid);
		if (ext[i].critical)
			der_put_bool(b, true);
		der_put_octets(b, ext[i].value);
		der_end(b, one);
	}
	der_end(b, list);
}

/* --- CRLs */

void crl_spec_drop(struct crl_spec *s, enum oid oid)
{
	for (size_t i = 0; i < s->n_ext; i++) {
		if (!oid_is(s->ext[i].oid, oid))
			continue;
		s->n_ext--;
		memmove(&s->ext[i], &s->ext[i + 1],
		        (s->n_ext - i) * sizeof(*s->ext));
		return;
	}
}

void crl_spec_ext(
        struct crl_spec *s, enum oid oid, bool critical, struct bytes value)
{
	crl_spec_drop(s, oid);
	s->ext[s->n_ext++] =
	        (struct spec_ext){ oid_bytes(oid), critical, value };
}

void crl_spec_init(struct crl_spec *s, int64_t now_s)
{
	*s = (struct crl_spec){ .version = 1,
		.sig_alg = alg_bytes(ALG_ECDSA_SHA256),
		.issuer = "Issuing",
		.this_s = now_s,
		.next_s = now_s + SPEC_CRL_MAX_S,
		.n_entries = 3,
		.serial = SERIAL };
	s->entry_ext[0] = (struct spec_ext){ oid_bytes(OID_CRL_REASON), false,
		SPEC_REASON };
	s->entry_ext[1] = (struct spec_ext){ oid_bytes(OID_INVALIDITY_DATE),
		false, SPEC_DATE };
	s->n_entry_ext = 2;
	crl_spec_ext(s, OID_AUTHORITY_KEY_ID, false, KEY_ID_EXT);
	crl_spec_ext(s, OID_CRL_NUMBER, false, CRL_NUMBER);
}

static void entry_build(const struct crl_spec *s, struct buf *out)
{
	size_t entry = der_begin(out, DER_SEQUENCE);

	der_put_unsigned(out, s->serial);
	der_put_time(out, s->this_s - 3600);
	if (s->n_entry_ext > 0)
		put_exts(out, s->entry_ext, s->n_entry_ext);
	der_end(out, entry);
}

void crl_spec_build(const struct crl_spec *s, struct buf *out)
{
	struct buf entry = BUF_INIT(4096);
	size_t tbs = der_begin(out, DER_SEQUENCE), part;

	der_put_u64(out, s->version);
	der_put_raw(out, s->sig_alg);
	spec_issuer(out, s->issuer);
	der_put_time(out, s->this_s);
	if (!s->no_next)
		der_put_time(out, s->next_s);
	entry_build(s, &entry);
	if (s->n_entries > 0 || s->empty_list)
		der_put_header(out, DER_SEQUENCE, s->n_entries * entry.n);
	for (size_t i = 0; i < s->n_entries; i++)
		der_put_raw(out, buf_bytes(&entry));
	if (s->n_ext > 0 || s->empty_exts) {
		part = der_begin(out, DER_CONTEXT_CONS(0));
		put_exts(out, s->ext, s->n_ext);
		der_end(out, part);
	}
	der_put_raw(out, s->after_all);
	der_end(out, tbs);
	buf_free(&entry);
}

/* --- OCSP answers */

void ocsp_spec_ext(
        struct ocsp_spec *s, enum oid oid, bool critical, struct bytes value)
{
	s->ext[s->n_ext++] =
	        (struct spec_ext){ oid_bytes(oid), critical, value };
}

void ocsp_spec_init(struct ocsp_spec *s, int64_t now_s, struct bytes key_hash)
{
	*s = (struct ocsp_spec){ .responder_tag = DER_CONTEXT_CONS(2),
		.key_hash = key_hash,
		.produced_s = now_s,
		.this_s = now_s,
		.next_s = now_s + SPEC_OCSP_MAX_S,
		.hash = OID_SHA1,
		.name = SPEC_NAME_SHA1,
		.key = SPEC_KEY_SHA1,
		.serial = SERIAL,
		.n_singles = 1 };
}

static void put_cert_id(struct buf *b, const struct ocsp_spec *s)
{
	size_t id = der_begin(b, DER_SEQUENCE);
	size_t alg = der_begin(b, DER_SEQUENCE);

	der_put_oid(b, oid_bytes(s->hash));
	if (!s->no_params)
		der_put_null(b);
	der_end(b, alg);
	der_put_octets(b, s->name);
	der_put_octets(b, s->key);
	der_put_unsigned(b, s->serial);
	der_end(b, id);
}

static void put_single(struct buf *b, const struct ocsp_spec *s)
{
	size_t single = der_begin(b, DER_SEQUENCE), part;

	put_cert_id(b, s);
	if (s->status.n > 0)
		der_put_raw(b, s->status);
	else
		der_put(b, DER_CONTEXT(0), BYTES_NONE);
	der_put_generalized_time(b, s->this_s);
	if (!s->no_next) {
		part = der_begin(b, DER_CONTEXT_CONS(0));
		der_put_generalized_time(b, s->next_s);
		der_end(b, part);
	}
	if (s->n_single_ext > 0) {
		part = der_begin(b, DER_CONTEXT_CONS(1));
		put_exts(b, s->single_ext, s->n_single_ext);
		der_end(b, part);
	}
	der_end(b, single);
}

void ocsp_spec_build(const struct ocsp_spec *s, struct buf *out)
{
	size_t data = der_begin(out, DER_SEQUENCE), part;

	if (s->with_version) {
		part = der_begin(out, DER_CONTEXT_CONS(0));
		der_put_u64(out, 0);
		der_end(out, part);
	}
	part = der_begin(out, s->responder_tag);
	der_put_octets(out, s->key_hash);
	der_end(out, part);
	der_put_generalized_time(out, s->produced_s);
	part = der_begin(out, DER_SEQUENCE);
	for (size_t i = 0; i < s->n_singles; i++)
		put_single(out, s);
	der_end(out, part);
	if (s->n_ext > 0) {
		part = der_begin(out, DER_CONTEXT_CONS(1));
		put_exts(out, s->ext, s->n_ext);
		der_end(out, part);
	}
	der_put_raw(out, s->after_all);
	der_end(out, data);
}
