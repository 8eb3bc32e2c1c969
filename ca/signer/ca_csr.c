/* ca/signer/ca_csr.c - certification requests of CAs. */
#include "ca/signer/ca_csr.h"

#include "ca/signer/ca_cert.h"
#include "der/name.h"
#include "der/oid.h"
#include "der/writer.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#define VERSION_1 0
#define RSA_EXPONENT_MIN_BYTES 3 /* 65537 */

/* --- making */

static void put_extension_request(struct buf *b, int path_length)
{
	size_t attribute = der_begin(b, DER_SEQUENCE), set, list;

	der_put_oid(b, oid_bytes(OID_EXTENSION_REQUEST));
	set = der_begin(b, DER_SET);
	list = der_begin(b, DER_SEQUENCE);
	ca_cert_put_constraints(b, path_length);
	der_end(b, list);
	der_end(b, set);
	der_end(b, attribute);
}

/* CertificationRequestInfo, RFC 2986 section 4.1 */
static enum rc build_info(struct buf *b, const struct vault_key *key,
        struct bytes subject, int path_length)
{
	size_t info = der_begin(b, DER_SEQUENCE), attributes;

	der_put_u64(b, VERSION_1);
	der_put_raw(b, subject);
	der_put_raw(b, key->spki);
	attributes = der_begin(b, DER_CONTEXT_CONS(0));
	put_extension_request(b, path_length);
	der_end(b, attributes);
	der_end(b, info);
	return b->failed;
}

static enum rc take_der(struct buf *out, int n, unsigned char *der)
{
	if (n <= 0)
		return RC_MALFORMED;
	buf_add(out, bytes_of(der, (size_t)n));
	OPENSSL_free(der);
	return out->failed;
}

static enum rc read_parts(struct ca_csr *out, X509_REQ *req)
{
	unsigned char *der = NULL, *subject = NULL, *spki = NULL;
	int n = i2d_X509_REQ(req, &der);
	enum rc rc = take_der(&out->der, n, der);

	n = i2d_X509_NAME(X509_REQ_get_subject_name(req), &subject);
	if (!rc)
		rc = take_der(&out->subject, n, subject);
	n = i2d_X509_PUBKEY(X509_REQ_get_X509_PUBKEY(req), &spki);
	if (!rc)
		rc = take_der(&out->spki, n, spki);
	return rc;
}

/* By eyes other than those that wrote it. */
static enum rc check_result(struct bytes der, const struct vault_key *key,
        struct bytes subject, struct why *why)
{
	const unsigned char *p = der.p;
	X509_REQ *req = d2i_X509_REQ(NULL, &p, (long)der.n);
	struct ca_csr read = { .der = BUF_INIT(CA_CSR_MAX_BYTES),
		.subject = BUF_INIT(NAME_MAX_BYTES),
		.spki = BUF_INIT(CA_CSR_MAX_BYTES) };
	bool ok = req && p == der.p + der.n && !read_parts(&read, req) &&
	        X509_REQ_verify(req, X509_REQ_get0_pubkey(req)) == 1 &&
	        bytes_eq(buf_bytes(&read.spki), key->spki) &&
	        bytes_eq(buf_bytes(&read.subject), subject);

	X509_REQ_free(req);
	ca_csr_free(&read);
	ERR_clear_error();
	return ok ? RC_OK
	          : why_set(why, RC_BADSIG,
	                    "libcrypto does not accept what was signed");
}

enum rc ca_csr_sign(struct buf *out, struct vault *vault, size_t key,
        struct bytes subject, int path_length, struct why *why)
{
	const struct vault_key *k = vault_at(vault, key);
	struct buf signature = BUF_INIT(PROTO_SIGNATURE_MAX_BYTES);
	struct buf info = BUF_INIT(CA_CSR_MAX_BYTES);
	struct vault_hand *hand = NULL;
	size_t start = out->n, csr;
	enum rc rc = vault_hand_new(&hand, vault, k->token);

	if (!rc)
		rc = build_info(&info, k, subject, path_length);
	if (!rc)
		rc = vault_sign(hand, k, buf_bytes(&info), &signature, why);
	if (rc)
		goto out;
	csr = der_begin(out, DER_SEQUENCE);
	der_put_raw(out, buf_bytes(&info));
	alg_put(out, k->alg);
	der_put_bits(out, buf_bytes(&signature));
	der_end(out, csr);
	rc = out->failed;
	if (!rc)
		rc = check_result(
		        bytes_skip(buf_bytes(out), start), k, subject, why);
out:
	vault_hand_free(hand);
	buf_free(&signature);
	buf_free(&info);
	return rc;
}

/* --- reading */

static X509_REQ *read_one_pem(struct bytes pem)
{
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	X509_REQ *req =
	        bio ? PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL) : NULL;
	X509_REQ *second =
	        req ? PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL) : NULL;

	BIO_free(bio);
	ERR_clear_error();
	if (!second)
		return req;
	X509_REQ_free(second);
	X509_REQ_free(req);
	return NULL;
}

static enum rc check_key(struct bytes der, struct why *why)
{
	struct spki spki;
	enum rc rc = spki_parse(&spki, der, why);

	if (rc)
		return why_prefix(why, rc, "the request's key");
	if (vault_alg_for(spki.type) == ALG_NONE)
		return why_set(why, RC_UNSUPPORTED,
		        "the request's key: no CA of ours has keys of type %s",
		        key_type_name(spki.type));
	if (spki.type == KEY_RSA &&
	        (spki.bits < VAULT_RSA_MIN_BITS ||
	                spki.bits > VAULT_RSA_MAX_BITS ||
	                spki.exponent.n < RSA_EXPONENT_MIN_BYTES ||
	                !(spki.exponent.p[spki.exponent.n - 1] & 1)))
		return why_set(why, RC_WEAKKEY,
		        "the request's key: RSA of %u bits, want %d to %d "
		        "and an exponent from 65537 on",
		        spki.bits, VAULT_RSA_MIN_BITS, VAULT_RSA_MAX_BITS);
	return RC_OK;
}

/* What it asks for: a CA's certificate (RFC 5280 section 4.2.1.9), or nothing
 * is signed: a device's request must not end here by mistake. */
static enum rc check_asks(struct ca_csr *out, X509_REQ *req, struct why *why)
{
	STACK_OF(X509_EXTENSION) *all = X509_REQ_get_extensions(req);
	BASIC_CONSTRAINTS *bc =
	        X509V3_get_d2i(all, NID_basic_constraints, NULL, NULL);
	bool ca = bc && bc->ca;

	out->path_length = CA_CERT_NO_PATH_LENGTH;
	if (ca && bc->pathlen)
		out->path_length = (int)ASN1_INTEGER_get(bc->pathlen);
	BASIC_CONSTRAINTS_free(bc);
	sk_X509_EXTENSION_pop_free(all, X509_EXTENSION_free);
	return ca ? RC_OK
	          : why_set(why, RC_DENIED,
	                    "the request does not ask for a CA's certificate "
	                    "(basicConstraints CA:TRUE)");
}

enum rc ca_csr_read(struct ca_csr *out, struct bytes pem, struct why *why)
{
	X509_REQ *req = read_one_pem(pem);
	enum rc rc;

	*out = (struct ca_csr){ .der = BUF_INIT(CA_CSR_MAX_BYTES),
		.subject = BUF_INIT(NAME_MAX_BYTES),
		.spki = BUF_INIT(CA_CSR_MAX_BYTES) };
	if (!req)
		return why_set(why, RC_MALFORMED,
		        "not exactly one certification request in PEM");
	rc = read_parts(out, req);
	if (!rc)
		rc = check_key(buf_bytes(&out->spki), why);
	if (!rc)
		rc = name_check(buf_bytes(&out->subject), why);
	if (!rc && name_is_empty(buf_bytes(&out->subject)))
		rc = why_set(why, RC_DENIED, "the request's subject is empty");
	/* RFC 2986 section 3, its last step */
	if (!rc && X509_REQ_verify(req, X509_REQ_get0_pubkey(req)) != 1)
		rc = why_set(why, RC_BADSIG,
		        "the request was not signed by the key that it names");
	if (!rc)
		rc = check_asks(out, req, why);
	X509_REQ_free(req);
	ERR_clear_error();
	return rc;
}

void ca_csr_free(struct ca_csr *c)
{
	buf_free(&c->der);
	buf_free(&c->subject);
	buf_free(&c->spki);
}
