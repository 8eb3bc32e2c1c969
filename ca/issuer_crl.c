#include "ca/issuer_crl.h"

#include "ca/cert.h"
#include "ca/crl.h"
#include "ca/pem.h"
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#define DER_MAX_BYTES (1u << 20)

static enum rc take_der(
        struct issuer_crl *out, struct bytes content, struct why *why)
{
	enum rc rc;

	out->der = BUF_INIT(DER_MAX_BYTES);
	if (content.n > 0 && content.p[0] == DER_SEQUENCE) {
		buf_add(&out->der, content);
		return out->der.failed;
	}
	rc = pem_next(&content, "X509 CRL", &out->der, why);
	return rc != RC_NOTFOUND
	        ? rc
	        : why_set(why, RC_CONFIG, "no CRL in it, in DER or PEM");
}

static enum rc check_signature(
        const struct issuer_crl *c, struct bytes issuer, struct why *why)
{
	const uint8_t *p = issuer.p;
	X509 *cert = d2i_X509(NULL, &p, (long)issuer.n);
	X509_CRL *crl;
	bool good;

	p = c->der.p;
	crl = d2i_X509_CRL(NULL, &p, (long)c->der.n);
	good = cert != NULL && crl != NULL &&
	        X509_CRL_verify(crl, X509_get0_pubkey(cert)) == 1;
	ERR_clear_error();
	X509_CRL_free(crl);
	X509_free(cert);
	return good
	        ? RC_OK
	        : why_set(why, RC_CONFIG, "the signature is not the issuer's");
}

static enum rc check(struct issuer_crl *c, struct bytes issuer, struct why *why)
{
	struct cert *cert = calloc(1, sizeof(*cert));
	struct crl crl;
	enum rc rc = cert == NULL ? RC_NOMEM : cert_parse(cert, issuer, why);

	if (rc == RC_OK)
		rc = crl_parse(&crl, buf_bytes(&c->der), why);
	if (rc == RC_OK && !bytes_eq(crl.issuer, cert->subject))
		rc = why_set(why, RC_CONFIG, "it is of another issuer");
	free(cert);
	if (rc != RC_OK)
		return rc;
	if (!crl.has_next_update)
		return why_set(why, RC_CONFIG,
		        "it has no nextUpdate (RFC 5280 section 5.1.2.5)");
	c->this_update_s = crl.this_update_s;
	c->next_update_s = crl.next_update_s;
	return check_signature(c, issuer, why);
}

enum rc issuer_crl_read(struct issuer_crl *out, const struct conf_file *file,
        struct bytes issuer, struct why *why)
{
	const char *slash = strrchr(file->path, '/');
	enum rc rc;

	*out = (struct issuer_crl){ .name = slash != NULL ? slash + 1
		                                          : file->path };
	if (issuer.n == 0)
		return why_set(why, RC_CONFIG,
		        "issuer_crl: chain must have the issuer's certificate");
	rc = take_der(out, file->content, why);
	if (rc == RC_OK)
		rc = check(out, issuer, why);
	return rc == RC_OK || rc == RC_NOMEM
	        ? rc
	        : why_prefix(why, rc, "%s", file->path);
}

void issuer_crl_free(struct issuer_crl *c)
{
	buf_free(&c->der);
}
