/* ca/signer/ceremony_cross.c - what one generation of a CA says of another (RFC
 * 4210 section 4.4): the other's name and key under this one's signature. Whoever
 * trusts this one only can then follow what the other issued. */
#include "ca/signer/ceremony_ops.h"

#include "base/clock.h"
#include "ca/signer/ceremony_file.h"
#include "ca/signer/transcript.h"
#include "der/name.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

struct work {
	struct vault *vault; /* the key of the generation that speaks */
	struct ca_issuer *issuer;
	struct buf subject, spki; /* of the other */
	int64_t first_s, last_s;
	struct ca_cert_opts cert;
};

/* der is libcrypto's, and taken. */
static bool put_der(struct buf *out, uint8_t *der, int n)
{
	if (n > 0)
		buf_add(out, bytes_of(der, (size_t)n));
	OPENSSL_free(der);
	return n > 0 && out->failed == RC_OK;
}

static bool read_time(const ASN1_TIME *t, int64_t *out)
{
	ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
	int days = 0, seconds = 0;
	bool good = epoch && ASN1_TIME_diff(&days, &seconds, epoch, t) == 1;

	ASN1_TIME_free(epoch);
	*out = (int64_t)days * 86400 + seconds;
	return good;
}

/* What is taken over from the other's certificate. */
static enum rc take(struct work *w, X509 *x, struct why *why)
{
	uint8_t *name = NULL, *spki = NULL;
	long path_length = X509_get_pathlen(x);
	int n_name = i2d_X509_NAME(X509_get_subject_name(x), &name);
	int n_spki = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &spki);
	bool read = put_der(&w->subject, name, n_name);

	read = put_der(&w->spki, spki, n_spki) && read;
	if (X509_check_ca(x) != 1)
		return why_set(why, RC_DENIED, "it is not a CA's");
	/* They would hold no longer for what is followed this way. */
	if (X509_get_ext_by_NID(x, NID_name_constraints, -1) >= 0)
		return why_set(why, RC_UNSUPPORTED,
		        "it has nameConstraints, which would be lost");
	if (!read || !read_time(X509_get0_notBefore(x), &w->first_s) ||
	        !read_time(X509_get0_notAfter(x), &w->last_s))
		return why_set(why, RC_MALFORMED, "libcrypto cannot read it");
	w->cert.path_length =
	        path_length < 0 ? CA_CERT_NO_PATH_LENGTH : (int)path_length;
	return RC_OK;
}

static enum rc read_other(struct work *w, const char *path, struct why *why)
{
	struct buf pem = BUF_INIT(CA_CERT_MAX_BYTES);
	enum rc rc = ceremony_read(path, &pem, why);
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	X509 *x = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

	if (!rc)
		rc = x ? take(w, x, why)
		       : why_set(why, RC_MALFORMED, "no certificate in PEM");
	X509_free(x);
	BIO_free(bio);
	ERR_clear_error();
	buf_free(&pem);
	return why_prefix(why, rc, "%s", path);
}

static void plan(struct work *w)
{
	struct ca_cert_opts *o = &w->cert;

	o->issuer = w->issuer;
	o->cross = true;
	o->subject = buf_bytes(&w->subject);
	o->subject_spki = buf_bytes(&w->spki);
	o->not_before_s = clock_now_s() - CEREMONY_BACKDATE_S;
	if (o->not_before_s < ca_issuer_not_before_s(w->issuer))
		o->not_before_s = ca_issuer_not_before_s(w->issuer);
	if (o->not_before_s < w->first_s)
		o->not_before_s = w->first_s;
	o->not_after_s = ca_issuer_not_after_s(w->issuer);
	if (o->not_after_s > w->last_s)
		o->not_after_s = w->last_s;
}

static enum rc write_cross_transcript(const struct args *a,
        const struct work *w, struct bytes der, struct why *why)
{
	struct buf t = BUF_INIT(TRANSCRIPT_MAX_BYTES);

	transcript_begin(&t, "mica-signer",
	        "mica ceremony: one generation of a CA signs another");
	transcript_section(&t, "Signed: the key of");
	transcript_line(&t, "Certificate:", "%s", a->cert);
	transcript_name(&t, "Subject:", w->cert.subject);
	transcript_key(&t, w->cert.subject_spki);
	transcript_section(&t, "By");
	transcript_name(&t, "Issuer:", ca_issuer_subject(w->issuer));
	transcript_line(&t, "Issuer's key:", "%s", a->issuer_key);
	transcript_key(&t, vault_at(w->vault, 0)->spki);
	transcript_line(&t, "Written to:", "%s", a->out);
	transcript_cert(&t, "Certificate (DER; PEM below)", der);
	return ceremony_write_transcript(a->transcript, &t, why);
}

static enum rc write_cross(
        const struct args *a, const struct work *w, struct why *why)
{
	struct buf der = BUF_INIT(CA_CERT_MAX_BYTES);
	enum rc rc = ca_cert_sign(&der, w->vault, 0, &w->cert, why);

	if (!rc)
		rc = ceremony_write_pem(
		        a->out, "CERTIFICATE", buf_bytes(&der), why);
	if (!rc && a->transcript)
		rc = write_cross_transcript(a, w, buf_bytes(&der), why);
	buf_free(&der);
	return rc;
}

enum rc ceremony_cross(const struct args *a, struct why *why)
{
	struct work w = { .subject = BUF_INIT(NAME_MAX_BYTES),
		.spki = BUF_INIT(CA_CERT_MAX_BYTES) };
	enum rc rc = ceremony_absent(a->out, why);

	if (!rc)
		rc = ceremony_absent(a->transcript, why);
	if (!rc)
		rc = read_other(&w, a->cert, why);
	if (!rc)
		rc = vault_new(&w.vault);
	if (!rc)
		rc = ceremony_load_key(
		        w.vault, "issuer", ceremony_issuer_key(a), why);
	if (!rc)
		rc = ceremony_load_issuer(
		        &w.issuer, a->issuer_cert, vault_at(w.vault, 0), why);
	if (!rc) {
		plan(&w);
		rc = write_cross(a, &w, why);
	}
	ca_issuer_free(w.issuer);
	vault_free(w.vault);
	buf_free(&w.subject);
	buf_free(&w.spki);
	return rc;
}
