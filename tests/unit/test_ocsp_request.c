/* OCSPRequest: what is read out of it, and what is refused. */
#include "der/oid.h"
#include "der/writer.h"
#include "ocsp/request.h"
#include "tests/unit/test_ocsp.h"

#include <openssl/ocsp.h>
#include <openssl/x509.h>
#include <string.h>

/* One request to be built, right unless a field says otherwise. */
struct build {
	enum oid hash;        /* 0: SHA-1 */
	bool absent;          /* parameters */
	bool odd;             /* an INTEGER as parameters */
	size_t name_n, key_n; /* 0: 20 octets */
	const char *serial;   /* content; NULL: 01 */
	size_t serial_n;
	unsigned n; /* requests; 0: one */
	bool none;  /* an empty requestList */
	/* extnValue's content of a nonce */
	const char *nonce;
	size_t nonce_n;
	bool nonce_twice, nonce_critical;
	enum oid other; /* a further extension */
	bool other_critical;
	bool single;        /* it is the first request's */
	bool false_encoded; /* critical FALSE is written */
	bool empty_list;    /* of extensions */
	bool version, name, bad_name, signature, certs, signed_wrong;
	bool trailing, trailing_inside;
};

static void put_extension(struct buf *b, enum oid oid, bool critical,
        bool false_encoded, struct bytes value)
{
	size_t ext = der_begin(b, DER_SEQUENCE);

	der_put_oid(b, oid_bytes(oid));
	if (critical || false_encoded)
		der_put_bool(b, critical);
	der_put_octets(b, value);
	der_end(b, ext);
}

static void put_certid(struct buf *b, const struct build *c, unsigned i)
{
	static const uint8_t hash[64] = { 0xab };
	size_t id = der_begin(b, DER_SEQUENCE), alg;
	uint8_t own[] = { 1, (uint8_t)i };

	alg = der_begin(b, DER_SEQUENCE);
	der_put_oid(b, oid_bytes(c->hash != OID_NONE ? c->hash : OID_SHA1));
	if (c->odd)
		der_put_u64(b, 7);
	else if (!c->absent)
		der_put_null(b);
	der_end(b, alg);
	der_put_octets(b, bytes_of(hash, c->name_n ? c->name_n : 20));
	der_put_octets(b, bytes_of(hash, c->key_n ? c->key_n : 20));
	der_put(b, DER_INTEGER,
	        c->serial != NULL ? bytes_of(c->serial, c->serial_n)
	                          : bytes_of(own, i > 0 ? 2 : 1));
	der_end(b, id);
}

static void put_other(struct buf *b, const struct build *c, uint8_t tag)
{
	size_t explicit = der_begin(b, tag);
	size_t list = der_begin(b, DER_SEQUENCE);

	if (c->nonce != NULL && !c->single) {
		put_extension(b, OID_OCSP_NONCE, c->nonce_critical, false,
		        bytes_of(c->nonce, c->nonce_n));
		if (c->nonce_twice)
			put_extension(b, OID_OCSP_NONCE, false, false,
			        bytes_of(c->nonce, c->nonce_n));
	}
	if (c->other != OID_NONE)
		put_extension(b, c->other, c->other_critical, c->false_encoded,
		        BYTES_LIT("\x05\x00"));
	der_end(b, list);
	der_end(b, explicit);
}

static void put_list(struct buf *b, const struct build *c)
{
	size_t list = der_begin(b, DER_SEQUENCE), one;

	for (unsigned i = 0; i < (c->none ? 0 : c->n ? c->n : 1); i++) {
		one = der_begin(b, DER_SEQUENCE);
		put_certid(b, c, i);
		if (c->single)
			put_other(b, c, DER_CONTEXT_CONS(0));
		der_end(b, one);
	}
	der_end(b, list);
}

static void put_tbs(struct buf *b, const struct build *c)
{
	size_t tbs = der_begin(b, DER_SEQUENCE), part;

	if (c->version) {
		part = der_begin(b, DER_CONTEXT_CONS(0));
		der_put_u64(b, 0);
		der_end(b, part);
	}
	if (c->name || c->bad_name) {
		part = der_begin(b, DER_CONTEXT_CONS(1));
		if (c->bad_name)
			buf_add_u8(b, 0x82);
		else
			der_put(b, DER_CONTEXT(2), BYTES_LIT("a.example"));
		der_end(b, part);
	}
	put_list(b, c);
	if (!c->single &&
	        (c->nonce != NULL || c->other != OID_NONE || c->empty_list))
		put_other(b, c, DER_CONTEXT_CONS(2));
	if (c->trailing_inside)
		der_put_null(b);
	der_end(b, tbs);
}

static void put_signature(struct buf *b, const struct build *c)
{
	size_t explicit = der_begin(b, DER_CONTEXT_CONS(0));
	size_t sig = der_begin(b, DER_SEQUENCE), part, list;

	part = der_begin(b, DER_SEQUENCE);
	der_put_oid(b, oid_bytes(OID_ECDSA_SHA256));
	der_end(b, part);
	if (c->signed_wrong)
		der_put_null(b);
	else
		der_put_bits(b, BYTES_LIT("signed"));
	if (c->certs) {
		part = der_begin(b, DER_CONTEXT_CONS(0));
		list = der_begin(b, DER_SEQUENCE);
		der_end(b, der_begin(b, DER_SEQUENCE));
		der_end(b, list);
		der_end(b, part);
	}
	der_end(b, sig);
	der_end(b, explicit);
}

static struct buf build(const struct build *c)
{
	struct buf b = BUF_INIT(4 * OCSP_REQUEST_MAX_BYTES);
	size_t all = der_begin(&b, DER_SEQUENCE);

	put_tbs(&b, c);
	if (c->signature)
		put_signature(&b, c);
	der_end(&b, all);
	if (c->trailing)
		buf_add_u8(&b, 0);
	ck_assert_int_eq(b.failed, RC_OK);
	return b;
}

#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define SERIAL_64 TEN TEN TEN TEN TEN TEN "1234"

static const struct accepted {
	const char *name;
	struct build c;
} accepted[] = {
	{ "plain", { 0 } },
	{ "sha1_without_parameters", { .absent = true } },
	{ "sha256", { .hash = OID_SHA256, .name_n = 32, .key_n = 32 } },
	{ "sha256_without_parameters",
	        { .hash = OID_SHA256,
	                .absent = true,
	                .name_n = 32,
	                .key_n = 32 } },
	{ "another_hash_is_read", { .hash = OID_SHA384, .name_n = 48 } },
	{ "another_hash_with_parameters", { .hash = OID_SHA384, .odd = true } },
	{ "as_many_as_the_limit", { .n = OCSP_REQUEST_CERTS_MAX } },
	{ "a_long_serial", { .serial = SERIAL_64, .serial_n = 64 } },
	{ "a_negative_serial", { .serial = "\x80", .serial_n = 1 } },
	{ "nonce_of_1", { .nonce = "\x04\x01z", .nonce_n = 3 } },
	{ "nonce_of_32",
	        { .nonce = "\x04\x20" TEN TEN TEN "12", .nonce_n = 34 } },
	{ "nonce_of_128",
	        { .nonce = "\x04\x81\x80" HUNDRED TEN TEN "12345678",
	                .nonce_n = 131 } },
	{ "nonce_that_is_critical",
	        { .nonce = "\x04\x01z",
	                .nonce_n = 3,
	                .nonce_critical = true } },
	{ "nonce_without_its_octet_string",
	        { .nonce = TEN "123456", .nonce_n = 16 } },
	{ "acceptable_responses", { .other = OID_OCSP_RESPONSE } },
	{ "acceptable_responses_critical",
	        { .other = OID_OCSP_RESPONSE, .other_critical = true } },
	{ "preferred_algorithms", { .other = OID_OCSP_PREF_SIG_ALGS } },
	{ "an_unknown_extension", { .other = OID_CRL_REASON } },
	{ "an_unknown_extension_of_one",
	        { .other = OID_CRL_REASON, .single = true } },
	{ "a_name", { .name = true } },
	{ "a_signature", { .name = true, .signature = true } },
	{ "a_signature_with_certificates",
	        { .name = true, .signature = true, .certs = true } },
};

START_TEST(request_is_read)
{
	const struct build *c = &accepted[_i].c;
	struct buf b = build(c);
	struct ocsp_request r;
	struct why why = WHY_NONE;
	enum rc rc = ocsp_request_parse(&r, buf_bytes(&b), &why);

	ck_assert_msg(rc == RC_OK, "%s: %s", accepted[_i].name, why.text);
	ck_assert_uint_eq(r.n, c->n ? c->n : 1);
	ck_assert_int_eq(r.list[0].null_params, !c->absent && !c->odd);
	ck_assert_int_eq(r.list[0].hash,
	        c->hash == OID_NONE             ? CERTID_SHA1
	                : c->hash == OID_SHA256 ? CERTID_SHA256
	                                        : CERTID_OTHER);
	ck_assert_uint_eq(r.list[0].der.p[0], DER_SEQUENCE);
	ck_assert_int_eq(r.has_nonce, c->nonce != NULL);
	ck_assert(bytes_eq(r.nonce, bytes_of(c->nonce, c->nonce_n)));
	if (c->serial != NULL)
		ck_assert(bytes_eq(
		        r.list[0].serial, bytes_of(c->serial, c->serial_n)));
	buf_free(&b);
}
END_TEST

static const struct refused {
	const char *name;
	struct build c;
	enum rc rc;
	const char *clause;
} refused[] = {
	{ "nothing_asked", { .none = true }, RC_MALFORMED,
	        "requestList: empty" },
	{ "too_many", { .n = OCSP_REQUEST_CERTS_MAX + 1 }, RC_TOOBIG,
	        "requestList: over 32" },
	{ "name_hash_too_short", { .name_n = 19 }, RC_MALFORMED,
	        "issuerNameHash: not the length" },
	{ "key_hash_too_long", { .key_n = 32 }, RC_MALFORMED,
	        "issuerKeyHash: not the length" },
	{ "sha256_of_20", { .hash = OID_SHA256 }, RC_MALFORMED,
	        "issuerNameHash: not the length" },
	{ "odd_parameters", { .odd = true }, RC_MALFORMED,
	        "hashAlgorithm: trailing bytes" },
	{ "empty_serial", { .serial = "", .serial_n = 0 }, RC_MALFORMED,
	        "serialNumber" },
	{ "padded_serial", { .serial = "\0\1", .serial_n = 2 }, RC_MALFORMED,
	        "serialNumber" },
	{ "serial_too_long", { .serial = SERIAL_64 "5", .serial_n = 65 },
	        RC_TOOBIG, "serialNumber: over 64 octets" },
	{ "nonce_of_0", { .nonce = "\x04\x00", .nonce_n = 2 }, RC_MALFORMED,
	        "nonce: empty" },
	{ "nonce_without_value", { .nonce = "", .nonce_n = 0 }, RC_MALFORMED,
	        "nonce: empty" },
	{ "nonce_of_129",
	        { .nonce = "\x04\x81\x81" HUNDRED TEN TEN "123456789",
	                .nonce_n = 132 },
	        RC_MALFORMED, "nonce: over 128 octets" },
	{ "bare_nonce_of_130", { .nonce = HUNDRED TEN TEN TEN, .nonce_n = 130 },
	        RC_MALFORMED, "nonce: over 128 octets" },
	{ "nonce_twice",
	        { .nonce = "\x04\x01z", .nonce_n = 3, .nonce_twice = true },
	        RC_MALFORMED, "extensions: one stands twice" },
	{ "unknown_critical",
	        { .other = OID_CRL_REASON, .other_critical = true },
	        RC_MALFORMED, "an unknown extension is critical" },
	{ "unknown_critical_of_one",
	        { .other = OID_CRL_REASON,
	                .other_critical = true,
	                .single = true },
	        RC_MALFORMED, "an unknown extension is critical" },
	{ "critical_false_encoded",
	        { .other = OID_CRL_REASON, .false_encoded = true },
	        RC_MALFORMED, "critical: FALSE is not encoded" },
	{ "empty_extensions", { .empty_list = true }, RC_MALFORMED,
	        "extensions: empty" },
	{ "version_encoded", { .version = true }, RC_MALFORMED,
	        "version: other than v1" },
	{ "broken_name", { .bad_name = true }, RC_MALFORMED, "requestorName" },
	{ "broken_signature", { .signature = true, .signed_wrong = true },
	        RC_MALFORMED, "signature" },
	{ "trailing_byte", { .trailing = true }, RC_MALFORMED,
	        "OCSPRequest: trailing bytes" },
	{ "trailing_element", { .trailing_inside = true }, RC_MALFORMED,
	        "tbsRequest: trailing bytes" },
};

START_TEST(request_is_refused)
{
	struct buf b = build(&refused[_i].c);
	struct ocsp_request r;
	struct why why = WHY_NONE;
	enum rc rc = ocsp_request_parse(&r, buf_bytes(&b), &why);

	ck_assert_msg(rc == refused[_i].rc, "%s: %s, %s", refused[_i].name,
	        rc_info(rc)->name, why.text);
	ck_assert_msg(strstr(why.text, refused[_i].clause) != NULL, "%s: %s",
	        refused[_i].name, why.text);
	buf_free(&b);
}
END_TEST

START_TEST(request_cut_anywhere_is_refused)
{
	struct build c = { .nonce = "\x04\x01z",
		.nonce_n = 3,
		.name = true,
		.signature = true,
		.certs = true };
	struct buf b = build(&c);
	struct ocsp_request r;
	struct why why;

	for (size_t n = 0; n < b.n; n++)
		ck_assert_int_ne(
		        ocsp_request_parse(&r, bytes_of(b.p, n), &why), RC_OK);
	buf_free(&b);
}
END_TEST

START_TEST(request_too_big_is_refused)
{
	static uint8_t big[OCSP_REQUEST_MAX_BYTES + 1];
	struct ocsp_request r;
	struct why why;

	ck_assert_int_eq(
	        ocsp_request_parse(&r, BYTES_ARRAY(big), &why), RC_TOOBIG);
}
END_TEST

/* What libcrypto writes, with each digest: read alike. */
START_TEST(request_of_libcrypto_is_read)
{
	const EVP_MD *md = _i == 0 ? EVP_sha1() : EVP_sha256();
	X509_NAME *issuer = X509_NAME_new();
	ASN1_BIT_STRING *key = ASN1_BIT_STRING_new();
	ASN1_INTEGER *serial = ASN1_INTEGER_new();
	OCSP_REQUEST *req = OCSP_REQUEST_new();
	OCSP_CERTID *id;
	struct ocsp_request r;
	struct why why = WHY_NONE;
	uint8_t *der = NULL, *id_der = NULL;
	int n, id_n;

	ASN1_BIT_STRING_set(key, (uint8_t *)"key", 3);
	ASN1_INTEGER_set_int64(serial, 0x8182838485);
	id = OCSP_cert_id_new(md, issuer, key, serial);
	id_n = i2d_OCSP_CERTID(id, &id_der);
	ck_assert_ptr_nonnull(OCSP_request_add0_id(req, id));
	ck_assert_int_eq(OCSP_request_add1_nonce(req, NULL, 16), 1);
	n = i2d_OCSP_REQUEST(req, &der);
	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(
	        ocsp_request_parse(&r, bytes_of(der, (size_t)n), &why), RC_OK);
	ck_assert_uint_eq(r.n, 1);
	ck_assert_int_eq(r.list[0].hash, _i == 0 ? CERTID_SHA1 : CERTID_SHA256);
	ck_assert(bytes_eq(r.list[0].der, bytes_of(id_der, (size_t)id_n)));
	ck_assert(bytes_eq(
	        r.list[0].serial, BYTES_LIT("\x00\x81\x82\x83\x84\x85")));
	ck_assert_uint_eq(r.nonce.n, 18);
	OPENSSL_free(der);
	OPENSSL_free(id_der);
	OCSP_REQUEST_free(req);
	ASN1_INTEGER_free(serial);
	ASN1_BIT_STRING_free(key);
	X509_NAME_free(issuer);
}
END_TEST

TCase *test_ocsp_request(void)
{
	TCase *t = tcase_create("request");

	tcase_add_loop_test(
	        t, request_is_read, 0, sizeof(accepted) / sizeof(accepted[0]));
	tcase_add_loop_test(
	        t, request_is_refused, 0, sizeof(refused) / sizeof(refused[0]));
	tcase_add_test(t, request_cut_anywhere_is_refused);
	tcase_add_test(t, request_too_big_is_refused);
	tcase_add_loop_test(t, request_of_libcrypto_is_read, 0, 2);
	return t;
}
