/* cmd/mica_verify.c - mica sign --verify: is that the signature of this file, by
 * a certificate for code signing that leads to the given root? (RFC 5652 section
 * 5.6, RFC 5035.) No daemon is asked. */
#include "cmd/mica.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "ca/cert.h"
#include "ca/cms_read.h"
#include "ca/digest.h"
#include "ca/pem.h"
#include "ca/pubkey.h"
#include "der/alg.h"
#include "der/reader.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <string.h>

#define FILE_MAX_BYTES (1u << 20) /* a signature, certificates */
#define CRL_MAX_BYTES (64u << 20)

struct verification {
	struct buf raw, der;   /* of the signature, as it came, and as DER */
	struct cms_signed cms; /* into der */
	struct cert cert;      /* the signer's, into der */
	struct spki spki;      /* its key */
	enum sig_alg alg;
	int64_t signing_s;
	int64_t at_s; /* when it has to be good */
};

static enum rc bad(struct why *why, const char *clause)
{
	return why_set(why, RC_BADSIG, "not good: %s", clause);
}

/* --- reading */

/* DER, or PEM under either label (RFC 7468 sections 8 and 9). */
static enum rc read_signature(
        struct verification *v, const char *path, struct why *why)
{
	static const char *const labels[] = { "PKCS7", "CMS" };
	struct buf der = BUF_INIT(FILE_MAX_BYTES);
	struct bytes in;
	enum rc rc = file_read(&v->raw, path, why);

	in = buf_bytes(&v->raw);
	for (int i = 0; i < 2 && rc == RC_OK && der.n == 0; i++) {
		struct bytes text = in;

		if (in.n == 0 || in.p[0] == DER_SEQUENCE)
			break;
		rc = pem_next(&text, labels[i], &der, why);
		rc = rc == RC_NOTFOUND ? RC_OK : rc;
	}
	if (rc == RC_OK)
		rc = cms_from_ber(
		        &v->der, der.n > 0 ? buf_bytes(&der) : in, why);
	if (rc == RC_OK)
		rc = cms_read_signed(&v->cms, buf_bytes(&v->der), why);
	buf_free(&der);
	return rc == RC_OK ? RC_OK : why_prefix(why, rc, "%s", path);
}

/* --- the signer's certificate */

static bool is_signer(const struct cms_id *id, const struct cert *c)
{
	struct bytes key_id = BYTES_NONE;

	if (id->issuer.n > 0)
		return bytes_eq(id->issuer, c->issuer) &&
		        bytes_eq(id->serial, c->serial);
	return cert_subject_key_id(c, &key_id, NULL) == RC_OK && key_id.n > 0 &&
	        bytes_eq(id->key_id, key_id);
}

static enum rc find_signer(struct verification *v, struct why *why)
{
	for (size_t i = 0; i < v->cms.n_certs; i++)
		if (cert_parse(&v->cert, v->cms.certs[i], NULL) == RC_OK &&
		        is_signer(&v->cms.signer, &v->cert))
			return spki_parse(&v->spki, v->cert.spki, why);
	return bad(why, "the signer's certificate is not in it");
}

/* --- the signature */

static enum sig_alg alg_of(const struct spki *k, const struct cms_signed *cms)
{
	bool other = k->type == KEY_RSA && !cms->rsa; /* PSS */

	for (int a = ALG_NONE + 1; a < ALG_COUNT; a++) {
		enum sig_alg alg = (enum sig_alg)a;

		if (alg_fits_key(alg, k->type) &&
		        alg_digest(alg) == cms->digest &&
		        (!other || alg >= ALG_RSA_PSS_SHA256))
			return alg;
	}
	return ALG_NONE;
}

static enum rc check_digest(
        struct verification *v, const char *path, struct why *why)
{
	struct bytes value = BYTES_NONE, told;
	struct file_digest d;
	struct der at;
	enum rc rc = RC_OK;

	if (alg_digest_bytes(v->cms.digest) == 0)
		return bad(why, "its digest is not SHA-256, -384 or -512");
	rc = cms_attr_value(&v->cms, OID_MESSAGE_DIGEST, &value, why);
	at = der_of(value);
	if (rc == RC_OK)
		rc = der_octet_string(&at, &told, "messageDigest", why);
	if (rc != RC_OK)
		return rc;
	/* "id-sha256" */
	rc = file_digest(&d, path, oid_name(v->cms.digest) + 3, why);
	if (rc == RC_OK && !bytes_eq(told, bytes_of(d.b, d.n)))
		rc = bad(why, "it is another file's, or the file was changed");
	return rc;
}

static enum rc check_signature(struct verification *v, struct why *why)
{
	struct buf data = BUF_INIT(FILE_MAX_BYTES);
	struct pubkey_ctx *keys = NULL;
	enum rc rc;

	v->alg = alg_of(&v->spki, &v->cms);
	if (v->alg == ALG_NONE)
		return bad(why, "its digest does not go with the key");
	cms_put_what_is_signed(&data, &v->cms);
	rc = data.failed != RC_OK ? data.failed : pubkey_ctx_new(&keys);
	if (rc == RC_OK)
		rc = pubkey_prove(keys, &v->spki, v->alg, buf_bytes(&data),
		        v->cms.signature, why);
	if (rc == RC_BADSIG)
		rc = bad(why, "the signature is not the certificate's key's");
	pubkey_ctx_free(keys);
	buf_free(&data);
	return rc;
}

/* RFC 5035 section 4: the first ESSCertIDv2, by SHA-256. Without the attribute
 * there is nothing to hold it against. */
static enum rc check_certificate_id(struct verification *v, struct why *why)
{
	struct bytes value = BYTES_NONE, hash = BYTES_NONE;
	uint8_t own[DIGEST_SHA256_BYTES];
	struct der all, certs, id, at;
	struct digest *d = NULL;
	enum rc rc = cms_attr_value(
	        &v->cms, OID_AA_SIGNING_CERTIFICATE_V2, &value, why);

	if (rc == RC_NOTFOUND)
		return RC_OK;
	at = der_of(value);
	if (rc == RC_OK)
		rc = der_enter(
		        &at, DER_SEQUENCE, &all, "SigningCertificateV2", why);
	if (rc == RC_OK)
		rc = der_enter(&all, DER_SEQUENCE, &certs, "certs", why);
	if (rc == RC_OK)
		rc = der_enter(&certs, DER_SEQUENCE, &id, "ESSCertIDv2", why);
	if (rc == RC_OK && !der_at(&id, DER_OCTET_STRING))
		return bad(why, "it names its certificate by another hash");
	if (rc == RC_OK)
		rc = der_octet_string(&id, &hash, "certHash", why);
	if (rc == RC_OK)
		rc = digest_new(&d);
	if (rc == RC_OK)
		rc = digest_sha256(d, v->cert.der, own);
	digest_free(d);
	if (rc == RC_OK && !bytes_eq(hash, BYTES_ARRAY(own)))
		rc = bad(why, "it was made under another certificate");
	return rc;
}

static enum rc check_signing_time(struct verification *v, struct why *why)
{
	struct bytes value = BYTES_NONE;
	struct der at;
	enum rc rc = cms_attr_value(&v->cms, OID_SIGNING_TIME, &value, why);

	v->signing_s = 0;
	if (rc == RC_NOTFOUND)
		return RC_OK;
	at = der_of(value);
	return rc == RC_OK ? der_time(&at, &v->signing_s, "signingTime", why)
	                   : rc;
}

/* --- the chain */

static X509 *x509_of(struct bytes der)
{
	const unsigned char *p = der.p;

	return d2i_X509(NULL, &p, (long)der.n);
}

static enum rc load_roots(X509_STORE *store, const char *path, struct why *why)
{
	struct buf file = BUF_INIT(FILE_MAX_BYTES);
	struct buf der = BUF_INIT(PEM_DER_MAX_BYTES);
	enum rc rc = file_read(&file, path, why);
	struct bytes text = buf_bytes(&file);
	unsigned n = 0;
	X509 *x;

	while (rc == RC_OK) {
		buf_reset(&der);
		rc = pem_next(&text, "CERTIFICATE", &der, why);
		x = rc == RC_OK ? x509_of(buf_bytes(&der)) : NULL;
		if (rc == RC_OK &&
		        (x == NULL || X509_STORE_add_cert(store, x) != 1))
			rc = why_set(
			        why, RC_MALFORMED, "%s: no certificate", path);
		X509_free(x);
		n += rc == RC_OK;
	}
	buf_free(&file);
	buf_free(&der);
	if (rc != RC_NOTFOUND)
		return rc;
	return n > 0
	        ? RC_OK
	        : why_set(why, RC_MALFORMED, "%s: no certificate in PEM", path);
}

/* Held against the signer's own certificate. DER, or PEM. */
static enum rc load_crl(X509_STORE *store, const char *path, struct why *why)
{
	struct buf file = BUF_INIT(CRL_MAX_BYTES);
	struct buf der = BUF_INIT(CRL_MAX_BYTES);
	X509_VERIFY_PARAM *p = X509_STORE_get0_param(store);
	enum rc rc = file_read(&file, path, why);
	struct bytes in = buf_bytes(&file);
	const unsigned char *at;
	X509_CRL *crl = NULL;

	if (rc == RC_OK && in.n > 0 && in.p[0] != DER_SEQUENCE) {
		rc = pem_next(&in, "X509 CRL", &der, why);
		in = buf_bytes(&der);
	}
	at = in.p;
	if (rc == RC_OK)
		crl = d2i_X509_CRL(NULL, &at, (long)in.n);
	if ((rc == RC_OK && crl == NULL) || rc == RC_NOTFOUND)
		rc = why_set(why, RC_MALFORMED, "%s: no CRL", path);
	if (rc == RC_OK && X509_STORE_add_crl(store, crl) != 1)
		rc = RC_NOMEM;
	X509_VERIFY_PARAM_set_flags(p, X509_V_FLAG_CRL_CHECK);
	X509_CRL_free(crl);
	buf_free(&file);
	buf_free(&der);
	return rc;
}

static STACK_OF(X509) * others(const struct verification *v)
{
	STACK_OF(X509) *list = sk_X509_new_null();

	for (size_t i = 0; i < v->cms.n_certs && list != NULL; i++) {
		X509 *x = x509_of(v->cms.certs[i]);

		if (x != NULL && sk_X509_push(list, x) <= 0)
			X509_free(x);
	}
	return list;
}

static enum rc check_purpose(X509 *x, struct why *why)
{
	uint32_t usage = X509_get_key_usage(x);

	if (X509_get_ext_by_NID(x, NID_ext_key_usage, -1) < 0 ||
	        !(X509_get_extended_key_usage(x) & XKU_CODE_SIGN))
		return bad(why, "its certificate is not for code signing");
	if (usage != UINT32_MAX && !(usage & KU_DIGITAL_SIGNATURE))
		return bad(why, "its certificate is not for signatures");
	return RC_OK;
}

static enum rc check_chain(
        const struct verification *v, const struct cli *cli, struct why *why)
{
	const char *crl = cli_value(cli, OPT_CRL);
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	STACK_OF(X509) *list = others(v);
	X509 *x = x509_of(v->cert.der);
	enum rc rc = RC_NOMEM;

	if (store != NULL && ctx != NULL && list != NULL && x != NULL)
		rc = load_roots(store, cli_value(cli, OPT_CA), why);
	if (rc == RC_OK && crl != NULL)
		rc = load_crl(store, crl, why);
	if (rc == RC_OK && X509_STORE_CTX_init(ctx, store, x, list) != 1)
		rc = RC_NOMEM;
	if (rc == RC_OK) {
		X509_VERIFY_PARAM *p = X509_STORE_CTX_get0_param(ctx);

		X509_VERIFY_PARAM_set_flags(p, X509_V_FLAG_X509_STRICT);
		X509_VERIFY_PARAM_set_time(p, (time_t)v->at_s);
		if (X509_verify_cert(ctx) != 1)
			rc = bad(why,
			        X509_verify_cert_error_string(
			                X509_STORE_CTX_get_error(ctx)));
	}
	if (rc == RC_OK)
		rc = check_purpose(x, why);
	X509_free(x);
	sk_X509_pop_free(list, X509_free);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	ERR_clear_error();
	return rc;
}

/* --- all of it */

static enum rc verify(struct cli *cli, struct verification *v, struct why *why)
{
	enum rc rc = read_signature(v, cli->args[1], why);

	if (rc == RC_OK && v->cms.has_content)
		rc = bad(why, "its content is in it: not a detached one");
	if (rc == RC_OK)
		rc = find_signer(v, why);
	if (rc == RC_OK)
		rc = check_digest(v, cli->args[0], why);
	if (rc == RC_OK)
		rc = check_signature(v, why);
	if (rc == RC_OK)
		rc = check_certificate_id(v, why);
	if (rc == RC_OK)
		rc = check_signing_time(v, why);
	if (rc == RC_OK)
		rc = check_chain(v, cli, why);
	return rc;
}

static void say(const struct cli *cli, const struct verification *v)
{
	struct buf serial = BUF_INIT(64);
	char subject[256] = "", signed_at[TEXT_TIME_BYTES] = "";
	X509 *x = x509_of(v->cert.der);

	hex_encode(&serial, v->cert.serial);
	if (x != NULL)
		(void)X509_NAME_oneline(
		        X509_get_subject_name(x), subject, sizeof(subject));
	if (v->signing_s != 0)
		(void)text_time(signed_at, v->signing_s);
	if (cli->json)
		print_json_new(json_pack("{s:b, s:s, s:s, s:s, s:s}", "good", 1,
		        "subject", subject, "serial", buf_cstr(&serial),
		        "signed", signed_at, "algorithm", alg_name(v->alg)));
	else
		printf("good: signed by %s at %s, certificate %s\n", subject,
		        signed_at[0] != '\0' ? signed_at : "an unknown time",
		        buf_cstr(&serial));
	X509_free(x);
	buf_free(&serial);
}

enum cli_exit mica_verify(struct cli *cli)
{
	static struct verification v;
	const char *at = cli_value(cli, OPT_AT);
	struct why why = WHY_NONE;
	enum rc rc;

	if (cli->n_args != 2 || !cli_given(cli, OPT_CA))
		return cli_usage(
		        cli, "--verify: wants FILE, FILE.p7s and --ca");
	if (cli_given(cli, OPT_KEY) || cli_given(cli, OPT_OUT) ||
	        cli_given(cli, OPT_DIGEST) || cli_given(cli, OPT_PEM) ||
	        cli_given(cli, OPT_FORCE))
		return cli_usage(
		        cli, "--verify goes with --ca, --crl and --at alone");
	v.raw = BUF_INIT(FILE_MAX_BYTES);
	v.der = BUF_INIT(FILE_MAX_BYTES);
	v.at_s = clock_now_s();
	if (at != NULL && text_time_parse(at, &v.at_s) != RC_OK)
		return cli_usage(cli,
		        "--at: want a date as 2026-11-22 or a time as "
		        "2026-11-22T10:00:00Z");
	rc = verify(cli, &v, &why);
	if (rc == RC_OK)
		say(cli, &v);
	else
		(void)cli_fail(cli, rc, &why);
	buf_free(&v.raw);
	buf_free(&v.der);
	switch (rc) {
	case RC_OK:
		return CLI_OK;
	case RC_IO:
	case RC_NOMEM:
	case RC_INTERNAL:
		return CLI_FAILED;
	default:
		return CLI_BAD;
	}
}
