/* ca/signer/ca_cert.c - certificates of CAs. */
#include "ca/signer/ca_cert.h"

#include "base/rand.h"
#include "der/name.h"
#include "der/oid.h"
#include "der/writer.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#define SERIAL_BYTES 20 /* RFC 5280 section 4.1.2.2: at most */
#define KEY_ID_BYTES 20
#define KEY_USAGE_CA (UINT32_C(1) << 5 | UINT32_C(1) << 6) /* 4.2.1.3 */
#define VERSION_3 2

struct ca_issuer {
	X509 *cert;
	struct buf der;
	struct buf subject;  /* Name, DER */
	struct bytes key_id; /* of cert */
	int64_t not_after_s, not_before_s;
	long path_length; /* -1: none */
};

void ca_issuer_free(struct ca_issuer *i)
{
	if (!i)
		return;
	X509_free(i->cert);
	buf_free(&i->der);
	buf_free(&i->subject);
	free(i);
}

int64_t ca_issuer_not_before_s(const struct ca_issuer *i)
{
	return i->not_before_s;
}

int64_t ca_issuer_not_after_s(const struct ca_issuer *i)
{
	return i->not_after_s;
}

struct bytes ca_issuer_der(const struct ca_issuer *i)
{
	return buf_bytes(&i->der);
}

struct bytes ca_issuer_subject(const struct ca_issuer *i)
{
	return buf_bytes(&i->subject);
}

struct bytes ca_issuer_key_id(const struct ca_issuer *i)
{
	return i->key_id;
}

bool ca_issuer_signs_crls(const struct ca_issuer *i)
{
	return X509_get_key_usage(i->cert) & KU_CRL_SIGN;
}

static X509 *read_one_pem(struct bytes pem)
{
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	X509 *second = cert ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

	BIO_free(bio);
	ERR_clear_error();
	if (!second)
		return cert;
	X509_free(second);
	X509_free(cert);
	return NULL;
}

static enum rc read_time(const ASN1_TIME *t, int64_t *out)
{
	ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
	int days = 0, seconds = 0;
	bool ok = epoch && ASN1_TIME_diff(&days, &seconds, epoch, t) == 1;

	ASN1_TIME_free(epoch);
	*out = (int64_t)days * 86400 + seconds;
	return ok ? RC_OK : RC_MALFORMED;
}

/* What we need of i->cert. */
static enum rc issuer_read(struct ca_issuer *i, struct why *why)
{
	const ASN1_OCTET_STRING *id = X509_get0_subject_key_id(i->cert);
	unsigned char *name = NULL, *der = NULL;
	int n_name = i2d_X509_NAME(X509_get_subject_name(i->cert), &name);
	int n = i2d_X509(i->cert, &der);

	if (n_name > 0)
		buf_add(&i->subject, bytes_of(name, (size_t)n_name));
	if (n > 0)
		buf_add(&i->der, bytes_of(der, (size_t)n));
	OPENSSL_free(name);
	OPENSSL_free(der);
	if (n_name <= 0 || n <= 0 || i->subject.failed || i->der.failed ||
	        !id ||
	        read_time(X509_get0_notBefore(i->cert), &i->not_before_s) ||
	        read_time(X509_get0_notAfter(i->cert), &i->not_after_s))
		return why_set(why, RC_MALFORMED,
		        "issuer certificate: no subjectKeyIdentifier, or "
		        "malformed");
	i->key_id = bytes_of(
	        ASN1_STRING_get0_data(id), (size_t)ASN1_STRING_length(id));
	i->path_length = X509_get_pathlen(i->cert);
	return RC_OK;
}

static bool has_key(X509 *cert, struct bytes spki)
{
	unsigned char *der = NULL;
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
	bool same = n > 0 && bytes_eq(bytes_of(der, (size_t)n), spki);

	OPENSSL_free(der);
	return same;
}

enum rc ca_issuer_parse(struct ca_issuer **out, struct bytes pem,
        const struct vault_key *key, struct why *why)
{
	struct ca_issuer *i = calloc(1, sizeof(*i));
	enum rc rc;

	*out = NULL;
	if (!i)
		return RC_NOMEM;
	i->subject = BUF_INIT(NAME_MAX_BYTES);
	i->der = BUF_INIT(CA_CERT_MAX_BYTES);
	i->cert = read_one_pem(pem);
	if (!i->cert)
		rc = why_set(why, RC_MALFORMED,
		        "issuer certificate: not exactly one in PEM");
	else if (X509_check_ca(i->cert) != 1 ||
	        !(X509_get_key_usage(i->cert) & KU_KEY_CERT_SIGN))
		rc = why_set(why, RC_DENIED,
		        "issuer certificate: not a CA's with keyCertSign");
	else if (!has_key(i->cert, key->spki))
		rc = why_set(why, RC_CONFLICT,
		        "issuer certificate and key do not belong together");
	else
		rc = issuer_read(i, why);
	ERR_clear_error();
	if (rc)
		ca_issuer_free(i);
	else
		*out = i;
	return rc;
}

/* --- building */

/* RFC 7093 section 2, method 1: the left 160 bits of SHA-256 over the key. */
static enum rc key_id(struct bytes subject_spki, uint8_t *out)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	struct spki spki;
	enum rc rc = spki_parse(&spki, subject_spki, NULL);

	if (rc)
		return rc;
	if (EVP_Digest(spki.key.p, spki.key.n, digest, NULL, EVP_sha256(),
	            NULL) != 1)
		return RC_INTERNAL;
	memcpy(out, digest, KEY_ID_BYTES);
	return RC_OK;
}

static size_t begin_ext(struct buf *b, enum oid oid, bool critical, size_t *in)
{
	size_t ext = der_begin(b, DER_SEQUENCE);

	der_put_oid(b, oid_bytes(oid));
	if (critical)
		der_put_bool(b, true);
	*in = der_begin(b, DER_OCTET_STRING);
	return ext;
}

static void end_ext(struct buf *b, size_t ext, size_t in)
{
	der_end(b, in);
	der_end(b, ext);
}

void ca_cert_put_constraints(struct buf *b, int path_length)
{
	size_t in, seq, ext = begin_ext(b, OID_BASIC_CONSTRAINTS, true, &in);

	seq = der_begin(b, DER_SEQUENCE);
	der_put_bool(b, true);
	if (path_length != CA_CERT_NO_PATH_LENGTH)
		der_put_u64(b, (uint64_t)path_length);
	der_end(b, seq);
	end_ext(b, ext, in);
	ext = begin_ext(b, OID_KEY_USAGE, true, &in);
	der_put_named_bits(b, KEY_USAGE_CA);
	end_ext(b, ext, in);
}

static void put_extensions(struct buf *b, const struct ca_cert_opts *o,
        struct bytes own_id, struct bytes issuer_id)
{
	size_t wrap = der_begin(b, DER_CONTEXT_CONS(3));
	size_t list = der_begin(b, DER_SEQUENCE);
	size_t ext, in, seq;

	ca_cert_put_constraints(b, o->path_length);
	ext = begin_ext(b, OID_SUBJECT_KEY_ID, false, &in);
	der_put_octets(b, own_id);
	end_ext(b, ext, in);
	ext = begin_ext(b, OID_AUTHORITY_KEY_ID, false, &in);
	seq = der_begin(b, DER_SEQUENCE);
	der_put(b, DER_CONTEXT(0), issuer_id);
	der_end(b, seq);
	end_ext(b, ext, in);
	ca_urls_put_crls(b, &o->crls);
	ca_urls_put_issuers(b, &o->issuers);
	der_end(b, list);
	der_end(b, wrap);
}

/* 158 random bits behind a leading byte that is positive and never zero. */
static void put_serial(struct buf *b)
{
	uint8_t serial[SERIAL_BYTES];

	rand_fill(serial, sizeof(serial));
	serial[0] = (serial[0] & 0x3f) | 0x40;
	der_put_unsigned(b, BYTES_ARRAY(serial));
}

static enum rc build_tbs(
        struct buf *b, const struct ca_cert_opts *o, enum sig_alg alg)
{
	uint8_t id[KEY_ID_BYTES];
	enum rc rc = key_id(o->subject_spki, id);
	size_t tbs, inside;

	if (rc)
		return rc;
	tbs = der_begin(b, DER_SEQUENCE);
	inside = der_begin(b, DER_CONTEXT_CONS(0));
	der_put_u64(b, VERSION_3);
	der_end(b, inside);
	put_serial(b);
	alg_put(b, alg);
	der_put_raw(b, o->issuer ? buf_bytes(&o->issuer->subject) : o->subject);
	inside = der_begin(b, DER_SEQUENCE);
	der_put_time(b, o->not_before_s);
	der_put_time(b, o->not_after_s);
	der_end(b, inside);
	der_put_raw(b, o->subject);
	der_put_raw(b, o->subject_spki);
	put_extensions(b, o, BYTES_ARRAY(id),
	        o->issuer ? o->issuer->key_id : BYTES_ARRAY(id));
	der_end(b, tbs);
	return b->failed;
}

static int name_allowed(const struct ca_issuer *i, struct bytes subject)
{
	NAME_CONSTRAINTS *rules =
	        X509_get_ext_d2i(i->cert, NID_name_constraints, NULL, NULL);
	const unsigned char *p = subject.p;
	X509_NAME *name = d2i_X509_NAME(NULL, &p, (long)subject.n);
	X509 *cert = X509_new();
	int result = X509_V_ERR_OUT_OF_MEM;

	if (name && cert && X509_set_subject_name(cert, name) == 1)
		result =
		        rules ? NAME_CONSTRAINTS_check(cert, rules) : X509_V_OK;
	X509_free(cert);
	X509_NAME_free(name);
	NAME_CONSTRAINTS_free(rules);
	ERR_clear_error();
	return result;
}

static enum rc check_constraints(
        const struct ca_issuer *i, struct bytes subject, struct why *why)
{
	int result = name_allowed(i, subject);

	return result == X509_V_OK
	        ? RC_OK
	        : why_set(why, RC_DENIED, "the issuer's nameConstraints: %s",
	                  X509_verify_cert_error_string(result));
}

enum rc ca_issuer_permits(
        const struct ca_issuer *i, struct bytes subject, struct why *why)
{
	if (bytes_eq(subject, buf_bytes(&i->subject)))
		return why_set(why, RC_DENIED,
		        "subject is the issuer's: that would be a "
		        "certificate for itself");
	return check_constraints(i, subject, why);
}

/* RFC 5280 section 4.2.1.9: what is self-issued is not counted. */
static enum rc check_self_issued(const struct ca_cert_opts *o, struct why *why)
{
	const struct ca_issuer *i = o->issuer;

	if (has_key(i->cert, o->subject_spki))
		return why_set(
		        why, RC_DENIED, "both generations have the same key");
	if (i->path_length >= 0 &&
	        (o->path_length == CA_CERT_NO_PATH_LENGTH ||
	                o->path_length > i->path_length))
		return why_set(why, RC_DENIED,
		        "path length is above the issuer's of %ld",
		        i->path_length);
	return check_constraints(i, o->subject, why);
}

static enum rc check_urls(const struct ca_cert_opts *o, struct why *why)
{
	enum rc rc = why_prefix(why, ca_urls_check(&o->crls, why), "CRL's URL");

	if (!rc)
		rc = why_prefix(
		        why, ca_urls_check(&o->issuers, why), "issuer's URL");
	if (!rc && !o->issuer && o->crls.n + o->issuers.n > 0)
		rc = why_set(why, RC_DENIED,
		        "a root has no issuer that URLs could be of");
	return rc;
}

enum rc ca_cert_check(const struct ca_cert_opts *o, struct why *why)
{
	const struct ca_issuer *i = o->issuer;
	enum rc rc = check_urls(o, why);

	if (rc)
		return rc;
	if (o->not_after_s <= o->not_before_s)
		return why_set(why, RC_DENIED, "validity is empty");
	if (!i)
		return RC_OK;
	if (o->not_after_s > i->not_after_s ||
	        o->not_before_s < i->not_before_s)
		return why_set(
		        why, RC_DENIED, "validity is outside the issuer's");
	if (o->cross && bytes_eq(o->subject, buf_bytes(&i->subject)))
		return check_self_issued(o, why);
	/* RFC 5280 section 4.2.1.9 */
	if (i->path_length >= 0 &&
	        (o->path_length == CA_CERT_NO_PATH_LENGTH ||
	                o->path_length >= i->path_length))
		return why_set(why, RC_DENIED,
		        "path length is not below the issuer's of %ld",
		        i->path_length);
	return ca_issuer_permits(i, o->subject, why);
}

/* Up to the issuer, by the letter of RFC 5280. */
static int verify_strictly(X509 *cert, X509 *issuer, int64_t at_s)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	int result = X509_V_ERR_OUT_OF_MEM;

	if (store && ctx && X509_STORE_add_cert(store, issuer) == 1 &&
	        X509_STORE_set_flags(store,
	                X509_V_FLAG_X509_STRICT | X509_V_FLAG_PARTIAL_CHAIN |
	                        X509_V_FLAG_CHECK_SS_SIGNATURE) == 1 &&
	        X509_STORE_CTX_init(ctx, store, cert, NULL) == 1) {
		X509_STORE_CTX_set_time(ctx, 0, (time_t)at_s);
		result = X509_verify_cert(ctx) == 1
		        ? X509_V_OK
		        : X509_STORE_CTX_get_error(ctx);
	}
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	return result;
}

/* By eyes other than those that wrote it. */
static enum rc check_result(struct bytes der, const struct vault_key *signer,
        const struct ca_cert_opts *o, struct why *why)
{
	const unsigned char *p = der.p, *q = signer->spki.p;
	X509 *cert = d2i_X509(NULL, &p, (long)der.n);
	EVP_PKEY *key = d2i_PUBKEY(NULL, &q, (long)signer->spki.n);
	X509 *issuer = o->issuer ? o->issuer->cert : cert;
	int result = X509_V_ERR_UNSPECIFIED;
	bool ok = cert && key && p == der.p + der.n &&
	        X509_verify(cert, key) == 1 && X509_check_ca(cert) == 1 &&
	        has_key(cert, o->subject_spki) &&
	        ca_urls_stand(cert, &o->crls, &o->issuers) &&
	        X509_check_issued(issuer, cert) == X509_V_OK;

	if (ok)
		result = verify_strictly(cert, issuer, o->not_before_s);
	X509_free(cert);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return result == X509_V_OK
	        ? RC_OK
	        : why_set(why, RC_BADSIG,
	                  "libcrypto does not accept what was signed: %s",
	                  X509_verify_cert_error_string(result));
}

enum rc ca_cert_sign(struct buf *out, struct vault *vault, size_t signer,
        const struct ca_cert_opts *o, struct why *why)
{
	const struct vault_key *key = vault_at(vault, signer);
	struct buf signature = BUF_INIT(PROTO_SIGNATURE_MAX_BYTES);
	struct buf tbs = BUF_INIT(CA_CERT_MAX_BYTES);
	struct vault_hand *hand = NULL;
	size_t start = out->n, cert;
	enum rc rc = ca_cert_check(o, why);

	if (!rc)
		rc = vault_hand_new(&hand, vault, key->token);
	if (!rc)
		rc = build_tbs(&tbs, o, key->alg);
	if (!rc)
		rc = vault_sign(hand, key, buf_bytes(&tbs), &signature, why);
	if (rc)
		goto out;
	cert = der_begin(out, DER_SEQUENCE);
	der_put_raw(out, buf_bytes(&tbs));
	alg_put(out, key->alg);
	der_put_bits(out, buf_bytes(&signature));
	der_end(out, cert);
	rc = out->failed;
	if (!rc)
		rc = check_result(
		        bytes_skip(buf_bytes(out), start), key, o, why);
out:
	vault_hand_free(hand);
	buf_free(&signature);
	buf_free(&tbs);
	return rc;
}
