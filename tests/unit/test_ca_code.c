/* Code signatures as libcrypto reads them. */
#include "ca/cert.h"
#include "ca/code.h"
#include "der/writer.h"
#include "tests/unit/test_ca.h"
#include <openssl/cms.h>
#include <openssl/err.h>
#include <string.h>

#define CONTENT "the firmware"
#define EXTS "[ext]\nextendedKeyUsage=critical,codeSigning\n"

struct signed_code {
	EVP_PKEY *key;
	X509 *x;
	struct buf cert, tbs, cms;
	struct bytes attrs;
	struct code_signature asked;
	struct code_signed made;
	uint8_t digest[EVP_MAX_MD_SIZE], cert_sha256[32], signature[1024];
};

static const struct alg_case {
	const char *key;
	enum sig_alg alg;
	const char *digest; /* of the content */
	const char *md;     /* of the signature */
} ALGS[] = {
	{ "P-256", ALG_ECDSA_SHA256, "SHA256", "SHA256" },
	{ "P-384", ALG_ECDSA_SHA384, "SHA384", "SHA384" },
	{ "RSA", ALG_RSA_SHA256, "SHA256", "SHA256" },
	/* RFC 8419 section 3.1. The CMS of OpenSSL 3.0 reads it, but does not
	 * verify it; others do, in tests/e2e. */
	{ "ED25519", ALG_ED25519, "SHA512", NULL },
};
#define N_ALGS (sizeof(ALGS) / sizeof(ALGS[0]))
#define N_VERIFIED (N_ALGS - 1)

static void hash(const char *md, struct bytes in, uint8_t *out, size_t *n)
{
	ck_assert_int_eq(EVP_Q_digest(NULL, md, NULL, in.p, in.n, out, n), 1);
}

static size_t sign(const struct alg_case *a, struct signed_code *c)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t n = sizeof(c->signature);

	ck_assert_int_eq(EVP_DigestSignInit_ex(
	                         ctx, NULL, a->md, NULL, NULL, c->key, NULL),
	        1);
	ck_assert_int_eq(
	        EVP_DigestSign(ctx, c->signature, &n, c->attrs.p, c->attrs.n),
	        1);
	EVP_MD_CTX_free(ctx);
	return n;
}

static void make(struct signed_code *c, const struct alg_case *a)
{
	struct cert cert;
	size_t n = 0;

	memset(c, 0, sizeof(*c));
	c->key = world_key(a->key);
	c->x = world_ca(c->key, "Firmware", NULL, c->key, EXTS);
	c->cert = world_der(c->x);
	c->tbs = BUF_INIT(CODE_CMS_MAX_BYTES);
	c->cms = BUF_INIT(CODE_CMS_MAX_BYTES);
	hash(a->digest, BYTES_LIT(CONTENT), c->digest, &n);
	hash("SHA256", buf_bytes(&c->cert), c->cert_sha256, NULL);
	c->asked = (struct code_signature){ a->alg, bytes_of(c->digest, n),
		WORLD_NOW_S, buf_bytes(&c->cert), BYTES_ARRAY(c->cert_sha256) };
	ck_assert_int_eq(code_tbs_put(&c->tbs, &c->attrs, &c->asked), RC_OK);
	n = sign(a, c);
	ck_assert_int_eq(cert_parse(&cert, buf_bytes(&c->cert), NULL), RC_OK);
	c->made = (struct code_signed){ .alg = a->alg,
		.cert = buf_bytes(&c->cert),
		.issuer = cert.issuer,
		.serial = cert.serial,
		.attrs = c->attrs,
		.signature = bytes_of(c->signature, n) };
	ck_assert_int_eq(code_cms_put(&c->cms, &c->made), RC_OK);
}

static void drop(struct signed_code *c)
{
	EVP_PKEY_free(c->key);
	X509_free(c->x);
	buf_free(&c->cert);
	buf_free(&c->tbs);
	buf_free(&c->cms);
}

static CMS_ContentInfo *read_cms(struct bytes der)
{
	const unsigned char *p = der.p;
	CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)der.n);

	ck_assert_ptr_nonnull(cms);
	ck_assert_ptr_eq(p, der.p + der.n);
	return cms;
}

static int verifies(const struct signed_code *c, struct bytes content)
{
	CMS_ContentInfo *cms = read_cms(buf_bytes(&c->cms));
	X509_STORE *store = X509_STORE_new();
	BIO *in = BIO_new_mem_buf(content.p, (int)content.n);
	X509_VERIFY_PARAM *param = X509_STORE_get0_param(store);
	int ok;

	X509_VERIFY_PARAM_set_time(param, WORLD_NOW_S);
	X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_ANY);
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
	X509_STORE_add_cert(store, c->x);
	ok = CMS_verify(cms, NULL, store, in, NULL, CMS_BINARY);
	BIO_free(in);
	X509_STORE_free(store);
	CMS_ContentInfo_free(cms);
	ERR_clear_error();
	return ok;
}

START_TEST(code_signature_is_verified_by_libcrypto)
{
	struct signed_code c;

	make(&c, &ALGS[_i]);
	ck_assert_msg(
	        verifies(&c, BYTES_LIT(CONTENT)) == 1, "%s", ALGS[_i].key);
	ck_assert_int_eq(verifies(&c, BYTES_LIT("another firmware")), 0);
	drop(&c);
}
END_TEST

START_TEST(code_signature_is_what_libcrypto_would_write)
{
	struct signed_code c;
	CMS_ContentInfo *cms;
	unsigned char *again = NULL;
	CMS_SignerInfo *info;
	int n;

	make(&c, &ALGS[_i]);
	cms = read_cms(buf_bytes(&c.cms));
	n = i2d_CMS_ContentInfo(cms, &again);
	ck_assert_int_eq(n, (int)c.cms.n);
	ck_assert_mem_eq(again, c.cms.p, c.cms.n);
	info = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0);
	ck_assert_int_eq(CMS_signed_get_attr_count(info), 5);
	ck_assert_int_eq(CMS_unsigned_get_attr_count(info), -1);
	OPENSSL_free(again);
	CMS_ContentInfo_free(cms);
	drop(&c);
}
END_TEST

/* The SET OF by libcrypto's own template (RFC 5652 section 5.4), which sorts it
 * by itself. */
START_TEST(signed_attributes_stand_in_the_order_of_der)
{
	struct signed_code c;
	CMS_ContentInfo *cms;
	CMS_SignerInfo *info;
	X509_ATTRIBUTE *attr;
	unsigned char *der = NULL;
	struct buf all = BUF_INIT(4096);
	size_t set;
	int n;

	make(&c, &ALGS[_i]);
	cms = read_cms(buf_bytes(&c.cms));
	info = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0);
	set = der_begin(&all, DER_SET);
	for (int i = CMS_signed_get_attr_count(info) - 1; i >= 0; i--) {
		attr = CMS_signed_get_attr(info, i);
		der = NULL;
		n = i2d_X509_ATTRIBUTE(attr, &der);
		ck_assert_int_gt(n, 0);
		der_put_raw(&all, bytes_of(der, (size_t)n));
		OPENSSL_free(der);
	}
	der_end_set_of(&all, set);
	ck_assert(bytes_eq(buf_bytes(&all), c.attrs));
	buf_free(&all);
	CMS_ContentInfo_free(cms);
	drop(&c);
}
END_TEST

START_TEST(signed_data_with_content_and_key_id)
{
	static const uint8_t key_id[] = { 1, 2, 3, 4 };
	struct signed_code c;
	struct cms_signer signer;
	struct cms_signed_data data;
	struct buf out = BUF_INIT(CODE_CMS_MAX_BYTES);
	CMS_ContentInfo *cms;
	unsigned char *again = NULL;
	ASN1_OCTET_STRING **content, *id = NULL;
	struct bytes certs[2];
	int n;

	make(&c, &ALGS[0]);
	certs[0] = certs[1] = buf_bytes(&c.cert);
	signer = (struct cms_signer){ .digest = OID_SHA256,
		.sig_alg = alg_bytes(ALG_ECDSA_SHA256),
		.key_id = BYTES_ARRAY(key_id),
		.signature = c.made.signature };
	data = (struct cms_signed_data){ .content_type = OID_PKCS7_DATA,
		.content = BYTES_LIT(CONTENT),
		.certs = certs,
		.n_certs = 2,
		.signer = &signer };
	ck_assert_int_eq(cms_put_signed_data(&out, &data), RC_OK);
	cms = read_cms(buf_bytes(&out));
	content = CMS_get0_content(cms);
	ck_assert_str_eq(
	        (const char *)ASN1_STRING_get0_data(*content), CONTENT);
	ck_assert_int_eq(
	        CMS_SignerInfo_get0_signer_id(
	                sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0),
	                &id, NULL, NULL),
	        1);
	ck_assert_int_eq(ASN1_STRING_length(id), 4);
	n = i2d_CMS_ContentInfo(cms, &again);
	ck_assert_int_eq(n, (int)out.n);
	ck_assert_mem_eq(again, out.p, out.n);
	OPENSSL_free(again);
	CMS_ContentInfo_free(cms);
	buf_free(&out);
	drop(&c);
}
END_TEST

TCase *test_ca_code(void)
{
	TCase *c = tcase_create("code");

	tcase_add_loop_test(
	        c, code_signature_is_verified_by_libcrypto, 0, N_VERIFIED);
	tcase_add_loop_test(
	        c, code_signature_is_what_libcrypto_would_write, 0, N_ALGS);
	tcase_add_loop_test(
	        c, signed_attributes_stand_in_the_order_of_der, 0, N_ALGS);
	tcase_add_test(c, signed_data_with_content_and_key_id);
	return c;
}
