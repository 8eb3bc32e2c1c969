#include "storage/audit.h"
#include "storage/check.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

struct chain {
	EVP_MD *md;
	EVP_MD_CTX *ctx;
};

enum rc chain_new(struct chain **out)
{
	struct chain *c = calloc(1, sizeof(*c));

	*out = NULL;
	if (c == NULL)
		return RC_NOMEM;
	c->md = EVP_MD_fetch(NULL, "SHA256", NULL);
	c->ctx = EVP_MD_CTX_new();
	if (c->md == NULL || c->ctx == NULL) {
		chain_free(c);
		ERR_clear_error();
		return RC_NOMEM;
	}
	*out = c;
	return RC_OK;
}

void chain_free(struct chain *c)
{
	if (c == NULL)
		return;
	EVP_MD_CTX_free(c->ctx);
	EVP_MD_free(c->md);
	free(c);
}

bool chain_link(struct chain *c, const uint8_t before[STORE_HASH_BYTES],
        struct bytes entry, uint8_t out[STORE_HASH_BYTES])
{
	if (EVP_DigestInit_ex(c->ctx, c->md, NULL) == 1 &&
	        EVP_DigestUpdate(c->ctx, before, STORE_HASH_BYTES) == 1 &&
	        EVP_DigestUpdate(c->ctx, entry.p, entry.n) == 1 &&
	        EVP_DigestFinal_ex(c->ctx, out, NULL) == 1)
		return true;
	ERR_clear_error();
	return false;
}

enum rc audit_row_hash(const uint8_t before[STORE_HASH_BYTES],
        const struct store_audit_row *row, uint8_t out[STORE_HASH_BYTES])
{
	struct buf entry = BUF_INIT(2 * STORE_TEXT_MAX + 1024);
	struct chain *c = NULL;
	enum rc rc = chain_new(&c);

	rec_audit_pack(&entry, row);
	if (rc == RC_OK && entry.failed != RC_OK)
		rc = entry.failed;
	if (rc == RC_OK && !chain_link(c, before, buf_bytes(&entry), out))
		rc = RC_INTERNAL;
	chain_free(c);
	buf_free(&entry);
	return rc;
}

bool chain_read(
        struct bytes in, struct store_audit_row *row, struct bytes *entry)
{
	if (in.n < STORE_HASH_BYTES)
		return false;
	*entry = bytes_skip(in, STORE_HASH_BYTES);
	memcpy(row->hash, in.p, STORE_HASH_BYTES);
	return rec_audit_unpack(*entry, row);
}
