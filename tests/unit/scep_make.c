#include "tests/unit/scep_make.h"

#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#define ATTRS_MAX 3

static void must(bool ok)
{
	if (!ok)
		abort();
}

struct buf make_scep(const struct make_scep *m)
{
	struct make_enveloped envelope = m->envelope;
	struct make_signed outer = m->outer;
	struct buf inside = BUF_INIT(1u << 20), out;
	struct make_attr attrs[ATTRS_MAX];
	size_t n = 0;

	if (m->type != NULL)
		attrs[n++] = (struct make_attr){ SCEP_OID "2",
			V_ASN1_PRINTABLESTRING, bytes_str(m->type), false };
	if (m->transaction != NULL)
		attrs[n++] = (struct make_attr){ SCEP_OID "7",
			m->transaction_type ? m->transaction_type
			                    : V_ASN1_PRINTABLESTRING,
			bytes_str(m->transaction), false };
	if (m->nonce.p != NULL)
		attrs[n++] = (struct make_attr){ SCEP_OID "5",
			V_ASN1_OCTET_STRING, m->nonce, false };
	buf_add(&inside, m->bare);
	if (m->content.p != NULL) {
		envelope.content = m->content;
		envelope.to = m->to;
		envelope.cipher = m->cipher;
		inside = make_enveloped(&envelope);
	}
	outer.content = buf_bytes(&inside);
	outer.by = m->from;
	outer.md = m->md;
	outer.attrs = attrs;
	outer.n_attrs = n;
	out = make_signed(&outer);
	buf_free(&inside);
	return out;
}

struct buf make_request(EVP_PKEY *key, const char *cn, const char *challenge)
{
	struct buf out = BUF_INIT(1u << 16);
	X509_NAME *name = X509_NAME_new();
	X509_REQ *req = X509_REQ_new();
	unsigned char *der = NULL;
	int n;

	must(name != NULL && req != NULL);
	must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
	             (const unsigned char *)cn, -1, -1, 0) == 1);
	must(X509_REQ_set_subject_name(req, name) == 1);
	must(X509_REQ_set_pubkey(req, key) == 1);
	if (challenge != NULL)
		must(X509_REQ_add1_attr_by_NID(req, NID_pkcs9_challengePassword,
		             MBSTRING_UTF8, (const unsigned char *)challenge,
		             (int)strlen(challenge)) == 1);
	must(X509_REQ_sign(req, key, EVP_sha256()) > 0);
	n = i2d_X509_REQ(req, &der);
	must(n > 0);
	buf_add(&out, bytes_of(der, (size_t)n));
	OPENSSL_free(der);
	X509_NAME_free(name);
	X509_REQ_free(req);
	return out;
}
