#include "ca/digest.h"
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>

struct digest {
	EVP_MD *sha256, *sha1;
	EVP_MD_CTX *ctx;
};

enum rc digest_new(struct digest **out)
{
	struct digest *d = calloc(1, sizeof *d);

	*out = NULL;
	if (d == NULL)
		return RC_NOMEM;
	d->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	d->sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
	d->ctx = EVP_MD_CTX_new();
	if (d->sha256 == NULL || d->sha1 == NULL || d->ctx == NULL) {
		ERR_clear_error();
		digest_free(d);
		return RC_INTERNAL;
	}
	*out = d;
	return RC_OK;
}

void digest_free(struct digest *d)
{
	if (d == NULL)
		return;
	EVP_MD_free(d->sha256);
	EVP_MD_free(d->sha1);
	EVP_MD_CTX_free(d->ctx);
	free(d);
}

static enum rc digest_run(
        struct digest *d, const EVP_MD *md, struct bytes in, uint8_t *out)
{
	if (EVP_DigestInit_ex2(d->ctx, md, NULL) == 1 &&
	        EVP_DigestUpdate(d->ctx, in.p, in.n) == 1 &&
	        EVP_DigestFinal_ex(d->ctx, out, NULL) == 1)
		return RC_OK;
	ERR_clear_error();
	return RC_INTERNAL;
}

enum rc digest_sha256(
        struct digest *d, struct bytes in, uint8_t out[DIGEST_SHA256_BYTES])
{
	return digest_run(d, d->sha256, in, out);
}

enum rc digest_sha1(
        struct digest *d, struct bytes in, uint8_t out[DIGEST_SHA1_BYTES])
{
	return digest_run(d, d->sha1, in, out);
}

enum rc digest_sha2(enum oid digest, struct bytes in,
        uint8_t out[DIGEST_MAX_BYTES], size_t *n)
{
	const EVP_MD *md = digest == OID_SHA256 ? EVP_sha256()
	        : digest == OID_SHA384          ? EVP_sha384()
	        : digest == OID_SHA512          ? EVP_sha512()
	                                        : NULL;
	unsigned used = 0;
	bool ok = md != NULL && EVP_Digest(in.p, in.n, out, &used, md, NULL);

	ERR_clear_error();
	*n = used;
	return ok ? RC_OK : RC_INTERNAL;
}
