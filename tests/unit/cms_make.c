#include "tests/unit/cms_make.h"

#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_MAX_BYTES (1u << 20)

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void add_ext(X509 *cert, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	must(ext != NULL && X509_add_ext(cert, ext, -1) == 1);
	X509_EXTENSION_free(ext);
}

void party_make(struct party *p, const char *cn, unsigned rsa_bits)
{
	EVP_PKEY *key =
	        rsa_bits > 0 ? EVP_RSA_gen(rsa_bits) : EVP_EC_gen("P-256");

	party_make_with(p, cn, key);
	EVP_PKEY_free(key);
}

void party_make_with(struct party *p, const char *cn, EVP_PKEY *key)
{
	X509_NAME *name = X509_NAME_new();
	unsigned char *der = NULL;
	int n;

	must(key != NULL && EVP_PKEY_up_ref(key) == 1);
	p->key = key;
	p->cert = X509_new();
	must(p->cert != NULL && name != NULL);
	must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
	             (const unsigned char *)cn, -1, -1, 0) == 1);
	must(X509_set_version(p->cert, X509_VERSION_3) == 1);
	must(ASN1_INTEGER_set(X509_get_serialNumber(p->cert), 0x1234) == 1);
	must(X509_set_subject_name(p->cert, name) == 1);
	must(X509_set_issuer_name(p->cert, name) == 1);
	must(X509_gmtime_adj(X509_getm_notBefore(p->cert), -60) != NULL);
	must(X509_gmtime_adj(X509_getm_notAfter(p->cert), 86400) != NULL);
	must(X509_set_pubkey(p->cert, p->key) == 1);
	add_ext(p->cert, NID_subject_key_identifier, "hash");
	must(X509_sign(p->cert, p->key, EVP_sha256()) > 0);
	n = i2d_X509(p->cert, &der);
	must(n > 0);
	p->der = BUF_INIT(MESSAGE_MAX_BYTES);
	buf_add(&p->der, bytes_of(der, (size_t)n));
	OPENSSL_free(der);
	X509_NAME_free(name);
}

void party_free(struct party *p)
{
	EVP_PKEY_free(p->key);
	X509_free(p->cert);
	buf_free(&p->der);
}

static struct buf written(
        CMS_ContentInfo *cms, struct bytes content, unsigned flags)
{
	struct buf out = BUF_INIT(MESSAGE_MAX_BYTES);
	BIO *from = BIO_new_mem_buf(content.p, (int)content.n);
	BIO *to = BIO_new(BIO_s_mem());
	char *p;
	long n;

	must(cms != NULL && from != NULL && to != NULL);
	if (flags & CMS_STREAM) {
		must(i2d_CMS_bio_stream(to, cms, from, (int)flags) == 1);
	} else {
		must(CMS_final(cms, from, NULL, flags) == 1);
		must(i2d_CMS_bio(to, cms) == 1);
	}
	n = BIO_get_mem_data(to, &p);
	must(n > 0);
	buf_add(&out, bytes_of(p, (size_t)n));
	BIO_free(from);
	BIO_free(to);
	CMS_ContentInfo_free(cms);
	return out;
}

static void add_recipient(CMS_ContentInfo *cms, const struct make_enveloped *m)
{
	unsigned flags = m->by_key_id ? CMS_USE_KEYID : 0;
	unsigned char *kek, *id;
	CMS_RecipientInfo *ri;
	EVP_PKEY_CTX *ctx;

	switch (m->kind) {
	case RECIPIENT_KEK:
		kek = OPENSSL_zalloc(16);
		id = OPENSSL_zalloc(4);
		must(CMS_add0_recipient_key(cms, NID_undef, kek, 16, id, 4,
		             NULL, NULL, NULL) != NULL);
		return;
	case RECIPIENT_PASSWORD:
		must(CMS_add0_recipient_password(cms, -1, NID_undef, NID_undef,
		             (unsigned char *)OPENSSL_strdup("secret"), -1,
		             NULL) != NULL);
		return;
	case RECIPIENT_OAEP:
		flags |= CMS_KEY_PARAM;
		break;
	case RECIPIENT_KEY_TRANSPORT:
	case RECIPIENT_KEY_AGREEMENT:
		break;
	}
	ri = CMS_add1_recipient_cert(cms, m->to->cert, flags);
	must(ri != NULL);
	if (m->kind != RECIPIENT_OAEP)
		return;
	ctx = CMS_RecipientInfo_get0_pkey_ctx(ri);
	must(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1);
}

struct buf make_enveloped(const struct make_enveloped *m)
{
	unsigned flags = CMS_BINARY | (m->stream ? CMS_STREAM : 0);
	CMS_ContentInfo *cms = CMS_encrypt(NULL, NULL,
	        m->cipher ? m->cipher : EVP_aes_128_cbc(), flags | CMS_PARTIAL);

	must(cms != NULL);
	for (unsigned i = 0; i < (m->n ? m->n : 1); i++)
		add_recipient(cms, m);
	return written(cms, m->content, flags);
}

static void add_attrs(CMS_SignerInfo *si, const struct make_signed *m)
{
	for (size_t i = 0; i < m->n_attrs; i++) {
		const struct make_attr *a = &m->attrs[i];
		ASN1_OBJECT *oid = OBJ_txt2obj(a->oid, 1);
		X509_ATTRIBUTE *attr = X509_ATTRIBUTE_create_by_OBJ(
		        NULL, oid, a->type, a->value.p, (int)a->value.n);

		must(oid != NULL && attr != NULL);
		if (a->twice)
			must(X509_ATTRIBUTE_set1_data(attr, a->type, a->value.p,
			             (int)a->value.n) == 1);
		must(CMS_signed_add1_attr(si, attr) == 1);
		X509_ATTRIBUTE_free(attr);
		ASN1_OBJECT_free(oid);
	}
}

static void add_signer(CMS_ContentInfo *cms, const struct make_signed *m)
{
	unsigned flags = CMS_BINARY | CMS_NOSMIMECAP |
	        (m->by_key_id ? CMS_USE_KEYID : 0) |
	        (m->no_attrs ? CMS_NOATTR : 0) |
	        (m->no_cert ? CMS_NOCERTS : 0) | (m->pss ? CMS_KEY_PARAM : 0);
	CMS_SignerInfo *si = CMS_add1_signer(cms, m->by->cert, m->by->key,
	        m->md ? m->md : EVP_sha256(), flags);

	must(si != NULL);
	if (m->pss)
		must(EVP_PKEY_CTX_set_rsa_padding(
		             CMS_SignerInfo_get0_pkey_ctx(si),
		             RSA_PKCS1_PSS_PADDING) == 1);
	add_attrs(si, m);
}

struct buf make_signed(const struct make_signed *m)
{
	unsigned flags = CMS_BINARY | (m->stream ? CMS_STREAM : 0) |
	        (m->detached ? CMS_DETACHED : 0);
	CMS_ContentInfo *cms =
	        CMS_sign(NULL, NULL, NULL, NULL, flags | CMS_PARTIAL);

	must(cms != NULL);
	for (unsigned i = 0; i < (m->signers ? m->signers : 1); i++)
		add_signer(cms, m);
	return written(cms, m->content, flags);
}
