/* ca/signer/vault.c - private keys: from files, and made. */
#include "ca/signer/secret_file.h"
#include "ca/signer/vault_private.h"

#include "base/rand.h"

#include <limits.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

enum rc vault_new(struct vault **out)
{
	struct vault *v = calloc(1, sizeof(*v));

	*out = NULL;
	if (!v)
		return RC_NOMEM;
	rand_fill(v->secret, sizeof(v->secret));
	v->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	v->sha384 = EVP_MD_fetch(NULL, "SHA384", NULL);
	if (!v->sha256 || !v->sha384) {
		vault_free(v);
		return RC_NOMEM;
	}
	*out = v;
	return RC_OK;
}

struct vault_key *vault_key_ref(struct vault_key *k)
{
	atomic_fetch_add(&k->refs, 1);
	return k;
}

void vault_key_unref(struct vault_key *k)
{
	if (!k || atomic_fetch_sub(&k->refs, 1) > 1)
		return;
	EVP_PKEY_free(k->pkey);
	p11_uri_free(k->uri);
	free((void *)(uintptr_t)k->spki.p);
	free(k);
}

void vault_free(struct vault *v)
{
	if (!v)
		return;
	for (size_t i = 0; i < v->n; i++)
		vault_key_unref(v->keys[i]);
	vault_tokens_close(v);
	EVP_MD_free(v->sha256);
	EVP_MD_free(v->sha384);
	bytes_wipe(v->secret, sizeof(v->secret));
	free(v);
}

size_t vault_count(const struct vault *v)
{
	return v->n;
}

struct vault_key *vault_at(const struct vault *v, size_t i)
{
	return v->keys[i];
}

size_t vault_find(const struct vault *v, const char *name)
{
	size_t i = 0;

	while (i < v->n && strcmp(v->keys[i]->name, name) != 0)
		i++;
	return i;
}

enum sig_alg vault_alg_for(enum key_type type)
{
	switch (type) {
	case KEY_P256:
		return ALG_ECDSA_SHA256;
	case KEY_P384:
		return ALG_ECDSA_SHA384;
	case KEY_ED25519:
		return ALG_ED25519;
	case KEY_RSA:
		return ALG_RSA_SHA256;
	case KEY_P521:
		break;
	}
	return ALG_NONE;
}

bool vault_key_is_known(const struct vault_key *k)
{
	return atomic_load(&k->known);
}

static enum rc set_alg(struct vault_key *k, struct why *why)
{
	k->alg = vault_alg_for(k->type);
	if (k->alg == ALG_NONE)
		return why_set(why, RC_UNSUPPORTED,
		        "keys of type %s are not used for signing",
		        key_type_name(k->type));
	if (!k->pss)
		return RC_OK;
	if (k->type != KEY_RSA)
		return why_set(why, RC_CONFLICT,
		        "PSS is for RSA, and this is a key of type %s",
		        key_type_name(k->type));
	k->alg = ALG_RSA_PSS_SHA256;
	return RC_OK;
}

enum rc vault_use_pss(struct vault_key *k, struct why *why)
{
	k->pss = true;
	return vault_key_is_known(k) ? set_alg(k, why) : RC_OK;
}

enum rc vault_spki(EVP_PKEY *pkey, struct buf *out)
{
	unsigned char *der = NULL;
	int n = i2d_PUBKEY(pkey, &der);

	if (n <= 0) {
		ERR_clear_error();
		return RC_INTERNAL;
	}
	buf_add(out, bytes_of(der, (size_t)n));
	OPENSSL_free(der);
	return out->failed;
}

/* --- loading */

struct passphrase {
	const struct bytes *text; /* NULL: none was given */
	bool asked;               /* libcrypto found the file encrypted */
};

static int give_passphrase(char *out, int size, int rwflag, void *ctx)
{
	struct passphrase *p = ctx;

	(void)rwflag;
	p->asked = true;
	if (!p->text || size < 0 || p->text->n > (size_t)size)
		return -1;
	if (p->text->n > 0)
		memcpy(out, p->text->p, p->text->n);
	return (int)p->text->n;
}

static enum rc decode_pem(EVP_PKEY **out, struct bytes pem,
        struct passphrase *pass, struct why *why)
{
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);

	*out = NULL;
	if (!bio)
		return RC_NOMEM;
	*out = PEM_read_bio_PrivateKey(bio, NULL, give_passphrase, pass);
	BIO_free(bio);
	ERR_clear_error();
	if (*out)
		return RC_OK;
	if (pass->asked && !pass->text)
		return why_set(why, RC_NOCRED,
		        "is encrypted, and there is no passphrase");
	if (pass->asked)
		return why_set(why, RC_NOCRED, "wrong passphrase");
	return why_set(why, RC_MALFORMED, "no private key in PEM");
}

struct vault_key *vault_key_new(const char *name)
{
	struct vault_key *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	memcpy(k->name, name, strlen(name) + 1);
	atomic_init(&k->refs, 1);
	atomic_init(&k->known, false);
	return k;
}

enum rc vault_key_describe(struct vault_key *k, struct why *why)
{
	struct buf spki_der = BUF_INIT(SPKI_RSA_MAX_BYTES + 512);
	struct spki spki;
	size_t n;
	enum rc rc = vault_spki(k->pkey, &spki_der);

	if (!rc)
		rc = spki_parse(&spki, buf_bytes(&spki_der), why);
	if (rc)
		goto out;
	k->type = spki.type;
	rc = set_alg(k, why);
	if (rc)
		goto out;
	if (spki.type == KEY_RSA &&
	        (spki.bits < VAULT_RSA_MIN_BITS ||
	                spki.bits > VAULT_RSA_MAX_BITS)) {
		rc = why_set(why, RC_WEAKKEY, "RSA of %u bits, not %d to %d",
		        spki.bits, VAULT_RSA_MIN_BITS, VAULT_RSA_MAX_BITS);
		goto out;
	}
	if (EVP_Digest(spki.key.p, spki.key.n, k->hash, NULL, EVP_sha1(),
	            NULL) != 1) {
		ERR_clear_error();
		rc = RC_INTERNAL;
		goto out;
	}
	k->spki.p = buf_take(&spki_der, &n);
	k->spki.n = n;
	atomic_store(&k->known, true);
out:
	buf_free(&spki_der);
	return rc;
}

/* A private key whose public half is another's would make certificates that
 * nobody can verify: found here, not by the first device. */
static enum rc key_try(const struct vault_key *k, struct why *why)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(k->pkey, NULL);
	bool paired = ctx && EVP_PKEY_pairwise_check(ctx) == 1;

	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return paired ? RC_OK
	              : why_set(why, RC_WEAKKEY,
	                        "private and public half do not match");
}

enum rc vault_key_admit(
        const struct vault *v, const char *name, struct why *why)
{
	if (!proto_name_ok(name) || vault_find(v, name) < v->n)
		return why_set(why, RC_EXISTS, "bad or taken name");
	if (v->n == PROTO_KEYS_MAX)
		return why_set(why, RC_TOOBIG, "over %d keys", PROTO_KEYS_MAX);
	return RC_OK;
}

void vault_key_put(struct vault *v, struct vault_key *key)
{
	key->place = v->n;
	v->keys[v->n++] = key;
}

enum rc vault_add(struct vault *v, const char *name, struct bytes pem,
        const struct bytes *passphrase, struct why *why)
{
	struct passphrase pass = { passphrase, false };
	struct vault_key *key;
	enum rc rc = vault_key_admit(v, name, why);

	if (rc)
		return rc;
	key = vault_key_new(name);
	if (!key)
		return RC_NOMEM;
	rc = decode_pem(&key->pkey, pem, &pass, why);
	if (!rc)
		rc = vault_key_describe(key, why);
	if (!rc)
		rc = key_try(key, why);
	if (rc)
		vault_key_unref(key);
	else
		vault_key_put(v, key);
	return rc;
}

enum rc vault_load(struct vault *v, int dir_fd, const char *name,
        const char *file, const char *passphrase_file, struct why *why)
{
	struct buf text = BUF_INIT(VAULT_PASSPHRASE_MAX_BYTES);
	struct buf pem = BUF_INIT(VAULT_FILE_MAX_BYTES);
	struct bytes passphrase;
	enum rc rc = RC_OK;

	if (passphrase_file)
		rc = secret_file_read_line(dir_fd, passphrase_file, &text, why);
	if (!rc)
		rc = secret_file_read(dir_fd, file, &pem, why);
	if (!rc) {
		passphrase = buf_bytes(&text);
		rc = why_prefix(why,
		        vault_add(v, name, buf_bytes(&pem),
		                passphrase_file ? &passphrase : NULL, why),
		        "file %s", file);
	}
	buf_wipe(&text);
	buf_wipe(&pem);
	return why_prefix(why, rc, "key %s", name);
}

/* --- making */

EVP_PKEY *vault_make(enum key_type type, unsigned rsa_bits)
{
	EVP_PKEY *pkey = NULL;

	if (type == KEY_P256)
		pkey = EVP_EC_gen("P-256");
	else if (type == KEY_P384)
		pkey = EVP_EC_gen("P-384");
	else if (type == KEY_ED25519)
		pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	else if (type == KEY_RSA)
		pkey = EVP_RSA_gen(rsa_bits);
	ERR_clear_error();
	return pkey;
}

enum rc vault_keep(
        struct vault_key **out, const char *name, size_t place, uint64_t stamp)
{
	struct vault_key *k = vault_key_new(name);
	enum rc rc = RC_NOMEM;

	*out = NULL;
	if (k) {
		k->place = PROTO_KEYS_MAX + place;
		k->stamp = stamp;
		k->pkey = vault_make(KEY_P256, 0);
		rc = k->pkey ? vault_key_describe(k, NULL) : RC_INTERNAL;
	}
	if (rc)
		vault_key_unref(k);
	else
		*out = k;
	return rc;
}

enum rc vault_private(EVP_PKEY *pkey, struct buf *out)
{
	PKCS8_PRIV_KEY_INFO *p8 = EVP_PKEY2PKCS8(pkey);
	unsigned char *der = NULL;
	int n = p8 ? i2d_PKCS8_PRIV_KEY_INFO(p8, &der) : -1;

	PKCS8_PRIV_KEY_INFO_free(p8); /* wipes its copy */
	ERR_clear_error();
	if (n <= 0)
		return RC_INTERNAL;
	buf_add(out, bytes_of(der, (size_t)n));
	OPENSSL_clear_free(der, (size_t)n);
	return out->failed;
}
