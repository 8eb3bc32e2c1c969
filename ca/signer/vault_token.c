/* ca/signer/vault_token.c - keys in tokens: found at the start, or when their
 * token appears, and used by the session that a hand has. */
#include "ca/signer/vault_private.h"

#include "base/log.h"
#include "base/rand.h"

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

size_t vault_tokens(const struct vault *v)
{
	return v->n_tokens;
}

unsigned vault_token_sessions(const struct vault *v, size_t token)
{
	return v->tokens[token - 1].sessions;
}

const char *vault_token_label(const struct vault *v, size_t token)
{
	return p11_token_label(v->tokens[token - 1].token);
}

bool vault_token_was_there(const struct vault *v, size_t token)
{
	return v->tokens[token - 1].was_there;
}

static void token_clear(struct vault_token *t)
{
	p11_session_close(t->first);
	p11_token_close(t->token);
	free(t->path);
	if (t->owns_module)
		p11_module_close(t->module);
	*t = (struct vault_token){ 0 };
}

/* Backwards: whoever owns a module came before the others that have it. */
void vault_tokens_close(struct vault *v)
{
	while (v->n_tokens > 0) {
		struct vault_token *t = &v->tokens[--v->n_tokens];

		(void)pthread_mutex_destroy(&t->learning);
		token_clear(t);
	}
}

/* --- at the start */

static enum rc open_module(struct vault *v, struct vault_token *t,
        const struct vault_token_key *k, struct why *why)
{
	const char *path = k->module;

	t->path = strdup(path);
	if (!t->path)
		return RC_NOMEM;
	for (size_t i = 0; i < v->n_tokens; i++)
		if (strcmp(v->tokens[i].path, path) == 0) {
			t->module = v->tokens[i].module;
			return RC_OK;
		}
	t->owns_module = true;
	return k->expect ? p11_module_expect(&t->module, path, why)
	                 : p11_module_open(&t->module, path, why);
}

/* One of before that is the same, or NULL. */
static struct vault_token *find_same(
        struct vault *v, const struct vault_token *t)
{
	for (size_t i = 0; i < v->n_tokens; i++) {
		struct vault_token *other = &v->tokens[i];

		if (p11_token_is_same(other->token, t->token))
			return other;
	}
	return NULL;
}

static enum rc share(struct vault_token *old, const struct vault_token_key *k,
        struct why *why)
{
	if (!p11_token_pin_is(old->token, k->pin))
		return why_set(why, RC_CONFLICT,
		        "token %s has another PIN for another key",
		        p11_token_label(old->token));
	if (k->sessions > old->sessions)
		old->sessions = k->sessions;
	return RC_OK;
}

static bool is_away(enum rc rc)
{
	return rc == RC_NOTFOUND || rc == RC_UNAVAILABLE || rc == RC_CLOSED ||
	        rc == RC_BUSY;
}

/* With a first session, or without where it is not there and may be. */
static enum rc see_token(struct vault_token *t, const struct vault_token_key *k,
        const struct p11_uri *uri, struct why *why)
{
	enum rc rc = p11_token_open(&t->token, t->module, uri, k->pin, why);

	t->was_there = !k->expect || !is_away(rc);
	if (!t->was_there)
		rc = p11_token_expect(&t->token, t->module, uri, k->pin, why);
	return rc;
}

static enum rc first_session(
        struct vault_token *t, const struct vault_token_key *k, struct why *why)
{
	enum rc rc;

	if (!t->was_there)
		return RC_OK;
	rc = p11_session_open(&t->first, t->token, P11_READ, why);
	t->was_there = !k->expect || !is_away(rc);
	return t->was_there ? rc : RC_OK;
}

/* The token of k; *number is from 1. */
static enum rc open_token(struct vault *v, const struct vault_token_key *k,
        const struct p11_uri *uri, size_t *number, struct why *why)
{
	struct vault_token t = { .sessions = k->sessions };
	struct vault_token *old;
	enum rc rc = open_module(v, &t, k, why);

	if (!rc)
		rc = see_token(&t, k, uri, why);
	old = rc ? NULL : find_same(v, &t);
	if (old) {
		rc = share(old, k, why);
		*number = (size_t)(old - v->tokens) + 1;
		token_clear(&t);
		return rc;
	}
	if (!rc && v->n_tokens == VAULT_TOKENS_MAX)
		rc = why_set(why, RC_TOOBIG, "keys in over %d tokens",
		        VAULT_TOKENS_MAX);
	if (!rc)
		rc = first_session(&t, k, why);
	if (rc) {
		token_clear(&t);
		return rc;
	}
	v->tokens[v->n_tokens++] = t;
	*number = v->n_tokens;
	(void)pthread_mutex_init(&v->tokens[*number - 1].learning, NULL);
	return RC_OK;
}

static enum rc set_public(
        struct vault_key *k, struct bytes spki, struct why *why)
{
	const unsigned char *p = spki.p;
	enum rc rc;

	k->pkey = d2i_PUBKEY(NULL, &p, (long)spki.n);
	ERR_clear_error();
	rc = k->pkey ? vault_key_describe(k, why)
	             : why_set(why, RC_MALFORMED, "its public half is no key");
	if (!rc)
		return RC_OK;
	EVP_PKEY_free(k->pkey);
	k->pkey = NULL;
	return rc;
}

static enum rc load_public(
        struct vault_key *k, struct p11_session *s, struct why *why)
{
	struct buf spki = BUF_INIT(SPKI_RSA_MAX_BYTES + 512);
	CK_OBJECT_HANDLE object;
	enum rc rc = p11_key_find(s, k->uri, &object, why);

	if (!rc)
		rc = p11_key_public(s, object, &spki, why);
	if (!rc)
		rc = set_public(k, buf_bytes(&spki), why);
	buf_free(&spki);
	return rc;
}

/* What it signs is verified by what was said of it, so that another key in its
 * place is found at the first signature. */
static enum rc expect_public(
        struct vault_key *k, struct bytes spki, struct why *why)
{
	return spki.n > 0 ? set_public(k, spki, why) : RC_OK;
}

/* A signature that is thrown away. */
static enum rc try_key(
        struct vault *v, const struct vault_key *k, struct why *why)
{
	struct buf signature = BUF_INIT(PROTO_SIGNATURE_MAX_BYTES);
	struct vault_hand *h = NULL;
	enum rc rc = vault_hand_new(&h, v, k->token);

	if (!rc)
		rc = vault_sign(h, k,
		        BYTES_LIT("mica: does this key fit its public half?"),
		        &signature, why);
	if (h && h->session) {
		h->token->first = h->session;
		h->session = NULL;
	}
	vault_hand_free(h);
	buf_free(&signature);
	return rc;
}

enum rc vault_load_token(
        struct vault *v, const struct vault_token_key *k, struct why *why)
{
	struct vault_key *key = NULL;
	struct p11_session *first = NULL;
	enum rc rc = vault_key_admit(v, k->name, why);

	if (!rc) {
		key = vault_key_new(k->name);
		rc = key ? p11_uri_parse(&key->uri, k->uri, why) : RC_NOMEM;
	}
	if (!rc)
		rc = open_token(v, k, key->uri, &key->token, why);
	if (!rc) {
		first = v->tokens[key->token - 1].first;
		rc = first ? load_public(key, first, why)
		           : expect_public(key, k->spki, why);
	}
	if (rc) {
		vault_key_unref(key);
	} else {
		vault_key_put(v, key);
		rc = first ? try_key(v, key, why) : RC_OK;
	}
	return why_prefix(why, rc, "key %s", k->name);
}

/* --- sessions of hands */

/* Keys of a token that was not there, and that nobody has told us of. One that
 * cannot be read now is tried again with the next session. */
static void learn(struct vault_hand *h)
{
	struct vault *v = h->vault;
	struct why why = WHY_NONE;
	enum rc rc;

	if (h->token->was_there)
		return;
	(void)pthread_mutex_lock(&h->token->learning);
	for (size_t i = 0; i < v->n; i++) {
		struct vault_key *k = v->keys[i];

		if (k->token == 0 || &v->tokens[k->token - 1] != h->token ||
		        vault_key_is_known(k))
			continue;
		rc = load_public(k, h->session, &why);
		if (rc)
			log_event(LOG_ERROR, "signer.key_not_found", "key",
			        k->name, "why", why.text, NULL);
		else
			log_event(LOG_NOTICE, "signer.key_found", "key",
			        k->name, NULL);
	}
	(void)pthread_mutex_unlock(&h->token->learning);
}

static enum rc open_session(struct vault_hand *h, struct why *why)
{
	struct p11_token *t = h->token->token;
	enum rc rc = p11_session_open(&h->session, t, P11_READ, why);

	if (rc != RC_UNAVAILABLE && rc != RC_CLOSED)
		return rc;
	/* It may be back in another slot. */
	rc = p11_token_find(t, why);
	return rc ? rc : p11_session_open(&h->session, t, P11_READ, why);
}

enum rc vault_hand_open(struct vault_hand *h, struct why *why)
{
	struct vault_token *t = h->token;
	enum rc rc;

	if (h->session)
		return RC_OK;
	if (!t)
		return why_set(why, RC_INTERNAL, "the key is in a token");
	if (t->first) {
		h->session = t->first;
		t->first = NULL;
		return RC_OK;
	}
	p11_enter(t->module);
	rc = open_session(h, why);
	if (!rc)
		learn(h);
	p11_leave(t->module);
	return rc;
}

enum rc vault_hand_restart(struct vault_hand *h, struct why *why)
{
	return p11_module_restart(h->token->module, why);
}

bool vault_hand_is_open(const struct vault_hand *h)
{
	return h->session != NULL;
}

void vault_hand_drop(struct vault_hand *h)
{
	if (h->session) {
		p11_enter(h->token->module);
		p11_session_close(h->session);
		p11_leave(h->token->module);
	}
	h->session = NULL;
	for (size_t i = 0; i < PROTO_KEYS_MAX; i++)
		h->grips[i].object = 0;
}

/* --- signing */

static enum rc verify_digest(
        const struct vault_hand *h, struct grip *g, const struct vault_key *k)
{
	struct bytes sig = buf_bytes(&h->signature);

	if (!g->pkey && !grip_make(g, h->vault, k))
		return RC_NOMEM;
	return EVP_PKEY_verify(g->pkey, sig.p, sig.n, h->data.p, h->data.n) == 1
	        ? RC_OK
	        : RC_BADSIG;
}

static enum rc verify_message(
        const struct vault_hand *h, struct grip *g, const struct vault_key *k)
{
	struct bytes sig = buf_bytes(&h->signature);

	if (!g->message)
		g->message = EVP_MD_CTX_new();
	if (!g->message ||
	        EVP_DigestVerifyInit(g->message, NULL, NULL, NULL, k->pkey) !=
	                1)
		return RC_NOMEM;
	return EVP_DigestVerify(
	               g->message, sig.p, sig.n, h->data.p, h->data.n) == 1
	        ? RC_OK
	        : RC_BADSIG;
}

/* Where the object is, in this session. After the token was away it may be
 * there no more, or not yet. */
static enum rc find_object(struct vault_hand *h, const struct vault_key *k,
        struct grip *g, struct why *why)
{
	enum rc rc;

	if (p11_session_is_stale(h->session))
		return why_set(why, RC_CLOSED, "the module began anew");
	if (g->object != 0)
		return RC_OK;
	rc = p11_key_find(h->session, k->uri, &g->object, why);
	if (rc)
		g->object = 0;
	return rc == RC_NOTFOUND || rc == RC_CONFLICT ? RC_CLOSED : rc;
}

enum rc vault_token_sign(struct vault_hand *h, const struct vault_key *k,
        struct grip *g, struct why *why)
{
	enum rc rc;

	if (!h->session)
		return why_set(why, RC_CLOSED, "no session");
	p11_enter(h->token->module);
	rc = find_object(h, k, g, why);
	if (!rc)
		rc = p11_sign(h->session, g->object, k->alg, h->data,
		        &h->signature, why);
	p11_leave(h->token->module);
	if (rc)
		return rc;
	rc = k->type == KEY_ED25519 ? verify_message(h, g, k)
	                            : verify_digest(h, g, k);
	ERR_clear_error();
	return rc == RC_BADSIG
	        ? why_set(why, rc, "the token's signature does not verify")
	        : rc;
}

/* The block, whatever zeros at its front the module has left out. */
static void take_raw(
        uint8_t *room, size_t got, struct bytes cipher, uint8_t *out, size_t n)
{
	memmove(room + cipher.n - got, room, got);
	memset(room, 0, cipher.n - got);
	vault_unpad(bytes_of(room, cipher.n), out, n);
}

/* Without raw, how long the message is, and so whether it is the one that was
 * expected, the module has told by its time already. */
static enum rc decrypt(struct vault_hand *h, const struct grip *g, bool raw,
        struct bytes cipher, uint8_t *out, size_t n, struct why *why)
{
	uint8_t room[VAULT_RSA_MAX_BITS / 8];
	size_t got = sizeof(room);
	enum rc rc = p11_decrypt(
	        h->session, g->object, raw, cipher, room, &got, why);

	if (!rc && raw && got <= cipher.n)
		take_raw(room, got, cipher, out, n);
	else if (!rc && !raw && got == n)
		memcpy(out, room, n);
	bytes_wipe(room, sizeof(room));
	return rc == RC_MALFORMED ? RC_OK : rc;
}

static bool encrypt(const struct vault_key *k, struct bytes message,
        uint8_t *out, size_t *n)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(k->pkey, NULL);
	bool ok = ctx && EVP_PKEY_encrypt_init(ctx) == 1 &&
	        EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
	        EVP_PKEY_encrypt(ctx, out, n, message.p, message.n) == 1;

	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return ok;
}

/* Not every token does RSA and leaves the padding to us, nor for every key: a
 * message that has to come back tells, once for each hand. */
static enum rc find_way(struct vault_hand *h, const struct vault_key *k,
        struct grip *g, struct why *why)
{
	uint8_t message[32], came[32] = { 0 }, cipher[VAULT_RSA_MAX_BITS / 8];
	size_t n = sizeof(cipher);
	enum rc rc;

	if (g->way != WAY_UNKNOWN)
		return RC_OK;
	rand_fill(message, sizeof(message));
	if (!encrypt(k, BYTES_ARRAY(message), cipher, &n))
		return why_set(why, RC_INTERNAL, "the key does not encrypt");
	rc = decrypt(h, g, true, bytes_of(cipher, n), came, sizeof(came), why);
	if (rc && rc != RC_UNSUPPORTED)
		return rc;
	g->way = bytes_eq(BYTES_ARRAY(came), BYTES_ARRAY(message)) ? WAY_RAW
	                                                           : WAY_PADDED;
	return RC_OK;
}

enum rc vault_token_decrypt(struct vault_hand *h, const struct vault_key *k,
        struct bytes cipher, uint8_t *out, size_t n, struct why *why)
{
	struct grip *g = &h->grips[k->place];
	enum rc rc = vault_hand_open(h, why);

	if (rc)
		return rc;
	p11_enter(h->token->module);
	rc = find_object(h, k, g, why);
	if (!rc)
		rc = find_way(h, k, g, why);
	if (!rc)
		rc = decrypt(h, g, g->way == WAY_RAW, cipher, out, n, why);
	p11_leave(h->token->module);
	return rc;
}
