/* ca/signer/ceremony_request.c - where an authority's key is: ask for its
 * certificate, and prove that one is for it. */
#include "ca/signer/ceremony_ops.h"

#include "base/rand.h"
#include "ca/signer/ca_csr.h"
#include "ca/signer/ceremony_file.h"
#include "ca/signer/transcript.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#define CHALLENGE_BYTES 32

/* --- request */

static enum rc write_request_transcript(const struct args *a,
        const struct vault_key *key, struct bytes der, struct why *why)
{
	struct buf t = BUF_INIT(TRANSCRIPT_MAX_BYTES);

	transcript_begin(&t, "mica-signer",
	        "mica ceremony: request for a CA's certificate");
	transcript_section(&t, "Key");
	transcript_file(&t, "Where:", a->key);
	transcript_key(&t, key->spki);
	transcript_file(&t, "Written to:", a->out);
	transcript_request(&t, "Request (DER; PEM below)", der);
	return ceremony_write_transcript(a->transcript, &t, why);
}

static enum rc write_request(
        const struct args *a, struct vault *v, struct why *why)
{
	struct buf subject = BUF_INIT(NAME_MAX_BYTES);
	struct buf der = BUF_INIT(CA_CSR_MAX_BYTES);
	enum rc rc = name_write(&subject, a->parts, a->n_parts, why);

	if (!rc)
		rc = ca_csr_sign(
		        &der, v, 0, buf_bytes(&subject), a->path_length, why);
	if (!rc)
		rc = ceremony_write_pem(
		        a->out, "CERTIFICATE REQUEST", buf_bytes(&der), why);
	if (!rc && a->transcript)
		rc = write_request_transcript(
		        a, vault_at(v, 0), buf_bytes(&der), why);
	buf_free(&subject);
	buf_free(&der);
	return rc;
}

enum rc ceremony_request(const struct args *a, struct why *why)
{
	struct vault *v = NULL;
	enum rc rc = ceremony_absent(a->transcript, why);

	if (!rc)
		rc = vault_new(&v);
	if (!rc)
		rc = ceremony_load_key(v, "key", ceremony_key(a), why);
	if (!rc)
		rc = write_request(a, v, why);
	vault_free(v);
	return rc;
}

/* --- check-key */

static enum rc read_cert_key(const char *path, EVP_PKEY **out, struct why *why)
{
	struct buf pem = BUF_INIT(CA_CERT_MAX_BYTES);
	enum rc rc = ceremony_read(path, &pem, why);
	X509 *cert = NULL;
	BIO *bio;

	*out = NULL;
	if (!rc) {
		bio = BIO_new_mem_buf(pem.p, (int)pem.n);
		cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
		*out = cert ? X509_get_pubkey(cert) : NULL;
		BIO_free(bio);
		if (!*out)
			rc = why_set(why, RC_MALFORMED,
			        "%s: no certificate in PEM", path);
	}
	X509_free(cert);
	ERR_clear_error();
	buf_free(&pem);
	return rc;
}

static bool verifies(EVP_PKEY *pkey, enum key_type type, enum sig_alg alg,
        struct bytes data, struct bytes signature)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	const EVP_MD *md = type == KEY_ED25519 ? NULL
	        : alg == ALG_ECDSA_SHA384      ? EVP_sha384()
	                                       : EVP_sha256();
	bool ok = ctx && EVP_DigestVerifyInit(ctx, NULL, md, NULL, pkey) == 1 &&
	        EVP_DigestVerify(
	                ctx, signature.p, signature.n, data.p, data.n) == 1;

	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return ok;
}

/* The public halves are the same, and the private one is really there: what it
 * signs verifies. The text before the random bytes is no DER, so that it never
 * is a certificate. */
static enum rc prove(struct vault *v, EVP_PKEY *pkey, struct why *why)
{
	const struct vault_key *key = vault_at(v, 0);
	struct buf data = BUF_INIT(256), signature, spki = BUF_INIT(8192);
	uint8_t challenge[CHALLENGE_BYTES];
	struct vault_hand *hand = NULL;
	enum rc rc = vault_spki(pkey, &spki);

	signature = BUF_INIT(PROTO_SIGNATURE_MAX_BYTES);
	rand_fill(challenge, sizeof(challenge));
	buf_add_str(&data, "mica: proof of a key: ");
	buf_add(&data, BYTES_ARRAY(challenge));
	if (!rc && !bytes_eq(buf_bytes(&spki), key->spki))
		rc = why_set(
		        why, RC_CONFLICT, "the certificate is for another key");
	if (!rc)
		rc = vault_hand_new(&hand, v, key->token);
	if (!rc)
		rc = vault_sign(hand, key, buf_bytes(&data), &signature, why);
	if (!rc &&
	        !verifies(pkey, key->type, key->alg, buf_bytes(&data),
	                buf_bytes(&signature)))
		rc = why_set(
		        why, RC_CONFLICT, "what the key signs does not verify");
	vault_hand_free(hand);
	buf_free(&data);
	buf_free(&signature);
	buf_free(&spki);
	return rc;
}

enum rc ceremony_check_key(const struct args *a, struct why *why)
{
	EVP_PKEY *pkey = NULL;
	struct vault *v = NULL;
	enum rc rc = read_cert_key(a->cert, &pkey, why);

	if (!rc)
		rc = vault_new(&v);
	if (!rc)
		rc = ceremony_load_key(v, "key", ceremony_key(a), why);
	if (!rc)
		rc = prove(v, pkey, why);
	vault_free(v);
	EVP_PKEY_free(pkey);
	return rc;
}
