/* Answers byte for byte as libcrypto makes them from the same data. */
#include "der/alg.h"
#include "ocsp/response.h"
#include "tests/unit/test_ocsp.h"

#include <openssl/ocsp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

#define NOW_S INT64_C(1900000000)

static EVP_PKEY *key;
static X509 *cert;
static OCSP_CERTID *id;
static uint8_t key_hash[RESPONSE_KEY_HASH_BYTES];
static struct buf id_der = BUF_INIT(4096), cert_der = BUF_INIT(65536);

static void world_open(void)
{
	ASN1_INTEGER *serial = ASN1_INTEGER_new();
	uint8_t *der = NULL;
	int n;

	key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	cert = X509_new();
	ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), 7);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN",
	        MBSTRING_ASC, (const uint8_t *)"responder", -1, -1, 0);
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
	X509_set_pubkey(cert, key);
	ck_assert_int_gt(X509_sign(cert, key, EVP_sha256()), 0);
	ck_assert_int_eq(
	        X509_pubkey_digest(cert, EVP_sha1(), key_hash, NULL), 1);
	ASN1_INTEGER_set_uint64(serial, 0x123456789abcdef0);
	id = OCSP_cert_id_new(EVP_sha1(), X509_get_subject_name(cert),
	        X509_get0_pubkey_bitstr(cert), serial);
	n = i2d_OCSP_CERTID(id, &der);
	buf_add(&id_der, bytes_of(der, (size_t)n));
	OPENSSL_free(der);
	der = NULL;
	n = i2d_X509(cert, &der);
	buf_add(&cert_der, bytes_of(der, (size_t)n));
	OPENSSL_free(der);
	ASN1_INTEGER_free(serial);
}

static void world_close(void)
{
	OCSP_CERTID_free(id);
	X509_free(cert);
	EVP_PKEY_free(key);
	buf_free(&id_der);
	buf_free(&cert_der);
}

/* --- the same data, both ways */
static const struct answer {
	const char *name;
	enum single_status status;
	int64_t revoked_s;
	enum cert_reason reason;
	int64_t invalidity_s;
	unsigned n; /* 0: one */
	const char *nonce;
	bool extended;
	bool by_ca; /* no certificate in it */
} answers[] = {
	{ .name = "good" },
	{ .name = "unknown", .status = SINGLE_UNKNOWN },
	{ .name = "revoked", .status = SINGLE_REVOKED, .revoked_s = NOW_S - 9 },
	{ .name = "revoked for a reason",
	        .status = SINGLE_REVOKED,
	        .revoked_s = NOW_S - 9,
	        .reason = REASON_KEY_COMPROMISE },
	{ .name = "on hold",
	        .status = SINGLE_REVOKED,
	        .revoked_s = NOW_S,
	        .reason = REASON_CERTIFICATE_HOLD },
	{ .name = "invalid since",
	        .status = SINGLE_REVOKED,
	        .revoked_s = NOW_S - 9,
	        .reason = REASON_KEY_COMPROMISE,
	        .invalidity_s = NOW_S - 99 },
	{ .name = "never issued",
	        .status = SINGLE_REVOKED,
	        .reason = REASON_CERTIFICATE_HOLD,
	        .extended = true },
	{ .name = "nonce",
	        .nonce = "\x04\x10"
	                 "0123456789abcdef" },
	{ .name = "nonce and extended",
	        .status = SINGLE_REVOKED,
	        .reason = REASON_CERTIFICATE_HOLD,
	        .nonce = "\x04\x01z",
	        .extended = true },
	{ .name = "several", .n = 32, .by_ca = true },
	{ .name = "by the CA's key", .by_ca = true },
};

static ASN1_GENERALIZEDTIME *gt(int64_t time_s)
{
	return ASN1_GENERALIZEDTIME_set(NULL, (time_t)time_s);
}

static void add_single(OCSP_BASICRESP *bs, const struct answer *a)
{
	static const int statuses[] = { V_OCSP_CERTSTATUS_GOOD,
		V_OCSP_CERTSTATUS_REVOKED, V_OCSP_CERTSTATUS_UNKNOWN };
	ASN1_GENERALIZEDTIME *this = gt(NOW_S), *next = gt(NOW_S + 600);
	ASN1_GENERALIZEDTIME *revoked = gt(a->revoked_s), *since;
	OCSP_SINGLERESP *s = OCSP_basic_add1_status(bs, id, statuses[a->status],
	        a->reason != REASON_UNSPECIFIED ? (int)a->reason
	                                        : OCSP_REVOKED_STATUS_NOSTATUS,
	        revoked, this, next);

	ck_assert_ptr_nonnull(s);
	if (a->invalidity_s != 0) {
		since = gt(a->invalidity_s);
		ck_assert_int_eq(OCSP_SINGLERESP_add1_ext_i2d(
		                         s, NID_invalidity_date, since, 0, 0),
		        1);
		ASN1_GENERALIZEDTIME_free(since);
	}
	ASN1_GENERALIZEDTIME_free(this);
	ASN1_GENERALIZEDTIME_free(next);
	ASN1_GENERALIZEDTIME_free(revoked);
}

static void add_extension(
        OCSP_BASICRESP *bs, const char *dotted, struct bytes value)
{
	ASN1_OBJECT *obj = OBJ_txt2obj(dotted, 1);
	ASN1_OCTET_STRING *octets = ASN1_OCTET_STRING_new();
	X509_EXTENSION *x;

	ASN1_OCTET_STRING_set(octets, value.p, (int)value.n);
	x = X509_EXTENSION_create_by_OBJ(NULL, obj, 0, octets);
	ck_assert_int_eq(OCSP_BASICRESP_add_ext(bs, x, -1), 1);
	X509_EXTENSION_free(x);
	ASN1_OCTET_STRING_free(octets);
	ASN1_OBJECT_free(obj);
}

static struct bytes theirs(const struct answer *a, struct bytes *signature)
{
	OCSP_BASICRESP *bs = OCSP_BASICRESP_new();
	unsigned long flags =
	        OCSP_RESPID_KEY | OCSP_NOTIME | (a->by_ca ? OCSP_NOCERTS : 0);
	const ASN1_OCTET_STRING *sig;
	ASN1_GENERALIZEDTIME *produced;
	OCSP_RESPONSE *resp;
	uint8_t *der = NULL;
	int n;

	for (unsigned i = 0; i < (a->n ? a->n : 1); i++)
		add_single(bs, a);
	if (a->nonce != NULL)
		add_extension(bs, "1.3.6.1.5.5.7.48.1.2", bytes_str(a->nonce));
	if (a->extended)
		add_extension(
		        bs, "1.3.6.1.5.5.7.48.1.9", BYTES_LIT("\x05\x00"));
	/* producedAt is there and not to be set from outside: by reference */
	produced = (ASN1_GENERALIZEDTIME *)OCSP_resp_get0_produced_at(bs);
	ASN1_GENERALIZEDTIME_set(produced, (time_t)NOW_S);
	ck_assert_int_eq(
	        OCSP_basic_sign(bs, cert, key, EVP_sha256(), NULL, flags), 1);
	sig = OCSP_resp_get0_signature(bs);
	*signature = bytes_of(
	        ASN1_STRING_get0_data(sig), (size_t)ASN1_STRING_length(sig));
	signature->p = OPENSSL_memdup(signature->p, signature->n);
	resp = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, bs);
	n = i2d_OCSP_RESPONSE(resp, &der);
	ck_assert_int_gt(n, 0);
	OCSP_RESPONSE_free(resp);
	OCSP_BASICRESP_free(bs);
	return bytes_of(der, (size_t)n);
}

static void ours(struct buf *out, const struct answer *a, struct bytes sig)
{
	struct buf data = BUF_INIT(65536);
	struct single list[32];
	struct response_data d = { .key_hash = key_hash,
		.produced_s = NOW_S,
		.this_update_s = NOW_S,
		.next_update_s = NOW_S + 600,
		.list = list,
		.n = a->n ? a->n : 1,
		.nonce = bytes_str(a->nonce),
		.extended_revoke = a->extended };

	for (size_t i = 0; i < d.n; i++)
		list[i] = (struct single){ .certid = buf_bytes(&id_der),
			.status = a->status,
			.revoked_s = a->revoked_s,
			.reason = a->reason,
			.invalidity_s = a->invalidity_s };
	response_put_data(&data, &d);
	response_put(out, buf_bytes(&data), alg_bytes(ALG_ECDSA_SHA256), sig,
	        a->by_ca ? BYTES_NONE : buf_bytes(&cert_der));
	ck_assert_int_eq(data.failed, RC_OK);
	ck_assert_int_eq(out->failed, RC_OK);
	buf_free(&data);
}

START_TEST(response_is_what_libcrypto_makes)
{
	const struct answer *a = &answers[_i];
	struct buf out = BUF_INIT(OCSP_RESPONSE_MAX_BYTES);
	struct bytes sig, want = theirs(a, &sig);

	ours(&out, a, sig);
	ck_assert_msg(bytes_eq(buf_bytes(&out), want), "%s", a->name);
	buf_free(&out);
	OPENSSL_free((void *)want.p);
	OPENSSL_free((void *)sig.p);
}
END_TEST

START_TEST(response_errors_are_what_libcrypto_makes)
{
	static const enum response_status all[] = { RESPONSE_MALFORMED,
		RESPONSE_INTERNAL_ERROR, RESPONSE_TRY_LATER,
		RESPONSE_UNAUTHORIZED };
	OCSP_RESPONSE *resp = OCSP_response_create((int)all[_i], NULL);
	uint8_t *der = NULL;
	int n = i2d_OCSP_RESPONSE(resp, &der);

	ck_assert(bytes_eq(response_error(all[_i]), bytes_of(der, (size_t)n)));
	OPENSSL_free(der);
	OCSP_RESPONSE_free(resp);
}
END_TEST

TCase *test_ocsp_response(void)
{
	TCase *t = tcase_create("response");

	tcase_add_checked_fixture(t, world_open, world_close);
	tcase_add_loop_test(t, response_is_what_libcrypto_makes, 0,
	        sizeof(answers) / sizeof(answers[0]));
	tcase_add_loop_test(t, response_errors_are_what_libcrypto_makes, 0, 4);
	return t;
}
