/* ca/signer/token_key.c - key pairs made inside a token (PKCS#11 2.40). */
#include "ca/signer/token_key.h"

#include "base/rand.h"
#include "der/oid.h"
#include "der/writer.h"

#include <string.h>

#define TEMPLATE_MAX 20
#define PARAMS_MAX_BYTES 32

/* --- templates: what they point to outlives them */

struct template
{
	CK_ATTRIBUTE list[TEMPLATE_MAX];
	CK_ULONG n;
};

static const CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static const CK_OBJECT_CLASS private_class = CKO_PRIVATE_KEY;
static const CK_OBJECT_CLASS public_class = CKO_PUBLIC_KEY;
static const uint8_t exponent_65537[] = { 1, 0, 1 };

static void add(
        struct template *t, CK_ATTRIBUTE_TYPE type, const void *value, size_t n)
{
	/* The interface has no const. */
	t->list[t->n++] =
	        (CK_ATTRIBUTE){ type, (void *)(uintptr_t)value, (CK_ULONG)n };
}

static void add_bytes(
        struct template *t, CK_ATTRIBUTE_TYPE type, struct bytes value)
{
	add(t, type, value.p, value.n);
}

static void add_bool(struct template *t, CK_ATTRIBUTE_TYPE type, bool value)
{
	add(t, type, value ? &yes : &no, sizeof(yes));
}

/* --- what there is already */

static enum rc count(struct p11_session *s, const struct template *t,
        CK_ULONG *n, struct why *why)
{
	const CK_FUNCTION_LIST *f = p11_functions(p11_session_token(s));
	CK_SESSION_HANDLE h = p11_session_handle(s);
	struct template copy = *t;
	CK_OBJECT_HANDLE object;
	CK_RV rv = f->C_FindObjectsInit(h, copy.list, copy.n);

	*n = 0;
	if (rv != CKR_OK)
		return p11_failed(why, rv, "C_FindObjectsInit");
	rv = f->C_FindObjects(h, &object, 1, n);
	(void)f->C_FindObjectsFinal(h);
	return rv == CKR_OK ? RC_OK : p11_failed(why, rv, "C_FindObjects");
}

/* An object that is there may be the only one of its kind; and two of a name are
 * none, since nobody can say which is meant. */
static enum rc refuse_taken(struct p11_session *s, CK_ATTRIBUTE_TYPE type,
        struct bytes value, const char *what, struct why *why)
{
	const CK_OBJECT_CLASS *const classes[] = { &private_class,
		&public_class };
	CK_ULONG n = 0;
	enum rc rc = RC_OK;

	for (size_t i = 0; !rc && n == 0 && i < 2; i++) {
		struct template t = { .n = 0 };

		add(&t, CKA_CLASS, classes[i], sizeof(*classes[i]));
		add_bytes(&t, type, value);
		rc = count(s, &t, &n, why);
	}
	if (!rc && n > 0)
		rc = why_set(why, RC_EXISTS,
		        "token %s: a key has that %s already",
		        p11_token_label(p11_session_token(s)), what);
	return rc;
}

/* --- making */

/* What the three kinds of keys differ in. */
struct recipe {
	CK_MECHANISM mechanism;
	CK_KEY_TYPE key_type;
	CK_ULONG bits;
	struct buf params; /* CKA_EC_PARAMS */
};

static enum rc recipe_of(
        struct recipe *r, const struct token_key_want *want, struct why *why)
{
	*r = (struct recipe){ .params = BUF_INIT(PARAMS_MAX_BYTES) };
	switch (want->type) {
	case KEY_P256:
	case KEY_P384:
		r->mechanism.mechanism = CKM_EC_KEY_PAIR_GEN;
		r->key_type = CKK_EC;
		der_put_oid(&r->params,
		        oid_bytes(
		                want->type == KEY_P256 ? OID_P256 : OID_P384));
		return r->params.failed;
	case KEY_ED25519:
		r->mechanism.mechanism = CKM_EC_EDWARDS_KEY_PAIR_GEN;
		r->key_type = CKK_EC_EDWARDS;
		der_put_oid(&r->params, oid_bytes(OID_ED25519));
		return r->params.failed;
	case KEY_RSA:
		r->mechanism.mechanism = CKM_RSA_PKCS_KEY_PAIR_GEN;
		r->key_type = CKK_RSA;
		r->bits = want->rsa_bits;
		return RC_OK;
	case KEY_P521:
		break;
	}
	return why_set(why, RC_UNSUPPORTED, "no keys of type %s are made",
	        key_type_name(want->type));
}

static void fill_public(struct template *t, const struct recipe *r,
        const struct token_key_want *want, struct bytes id)
{
	add(t, CKA_CLASS, &public_class, sizeof(public_class));
	add(t, CKA_KEY_TYPE, &r->key_type, sizeof(r->key_type));
	add_bool(t, CKA_TOKEN, true);
	add_bool(t, CKA_PRIVATE, false);
	/* What anybody can do with a public key. A TPM has one bit for
	 * CKA_VERIFY and CKA_DECRYPT and another for CKA_ENCRYPT and CKA_SIGN:
	 * these two go as the private key's do. */
	if (want->decrypt) {
		add_bool(t, CKA_VERIFY, true);
		add_bool(t, CKA_ENCRYPT, true);
	}
	add_bool(t, CKA_WRAP, false);
	add_bytes(t, CKA_LABEL, want->label);
	add_bytes(t, CKA_ID, id);
	if (want->type == KEY_RSA) {
		add(t, CKA_MODULUS_BITS, &r->bits, sizeof(r->bits));
		add_bytes(t, CKA_PUBLIC_EXPONENT, BYTES_ARRAY(exponent_65537));
	} else {
		add_bytes(t, CKA_EC_PARAMS, buf_bytes(&r->params));
	}
}

static void fill_private(struct template *t, const struct recipe *r,
        const struct token_key_want *want, struct bytes id)
{
	add(t, CKA_CLASS, &private_class, sizeof(private_class));
	add(t, CKA_KEY_TYPE, &r->key_type, sizeof(r->key_type));
	add_bool(t, CKA_TOKEN, true);
	add_bool(t, CKA_PRIVATE, true);
	add_bool(t, CKA_SENSITIVE, true);
	add_bool(t, CKA_EXTRACTABLE, false);
	add_bool(t, CKA_SIGN, true);
	add_bool(t, CKA_DECRYPT, want->decrypt);
	add_bool(t, CKA_UNWRAP, false);
	add_bool(t, CKA_DERIVE, false);
	add_bytes(t, CKA_LABEL, want->label);
	add_bytes(t, CKA_ID, id);
}

struct pair {
	CK_OBJECT_HANDLE public_key, private_key;
};

static enum rc generate(struct pair *out, struct p11_session *s,
        const struct token_key_want *want, struct bytes id, struct why *why)
{
	const CK_FUNCTION_LIST *f = p11_functions(p11_session_token(s));
	struct template public_part = { .n = 0 }, private_part = { .n = 0 };
	struct recipe r;
	enum rc rc = recipe_of(&r, want, why);
	CK_RV rv;

	if (!rc) {
		fill_public(&public_part, &r, want, id);
		fill_private(&private_part, &r, want, id);
		rv = f->C_GenerateKeyPair(p11_session_handle(s), &r.mechanism,
		        public_part.list, public_part.n, private_part.list,
		        private_part.n, &out->public_key, &out->private_key);
		if (rv != CKR_OK)
			rc = p11_failed(why, rv, "C_GenerateKeyPair");
	}
	buf_free(&r.params);
	return rc;
}

static void destroy(struct p11_session *s, const struct pair *pair)
{
	const CK_FUNCTION_LIST *f = p11_functions(p11_session_token(s));

	(void)f->C_DestroyObject(p11_session_handle(s), pair->private_key);
	(void)f->C_DestroyObject(p11_session_handle(s), pair->public_key);
}

/* --- proving */

struct rule {
	CK_ATTRIBUTE_TYPE type;
	const char *name;
	bool value;
};
static const struct rule rules[] = {
	{ CKA_TOKEN, "CKA_TOKEN", true },
	{ CKA_PRIVATE, "CKA_PRIVATE", true },
	{ CKA_LOCAL, "CKA_LOCAL", true },
	{ CKA_SENSITIVE, "CKA_SENSITIVE", true },
	{ CKA_ALWAYS_SENSITIVE, "CKA_ALWAYS_SENSITIVE", true },
	{ CKA_EXTRACTABLE, "CKA_EXTRACTABLE", false },
	{ CKA_NEVER_EXTRACTABLE, "CKA_NEVER_EXTRACTABLE", true },
	{ CKA_SIGN, "CKA_SIGN", true },
	{ CKA_UNWRAP, "CKA_UNWRAP", false },
	{ CKA_DERIVE, "CKA_DERIVE", false },
};
#define RULES (sizeof(rules) / sizeof(rules[0]))

static enum rc check_fact(struct token_key *out, struct p11_session *s,
        CK_OBJECT_HANDLE key, const struct rule *rule, struct why *why)
{
	const CK_FUNCTION_LIST *f = p11_functions(p11_session_token(s));
	CK_BBOOL value = CK_FALSE;
	CK_ATTRIBUTE a = { rule->type, &value, sizeof(value) };
	CK_RV rv = f->C_GetAttributeValue(p11_session_handle(s), key, &a, 1);

	if (rv != CKR_OK)
		return p11_failed(why, rv, rule->name);
	if ((value != CK_FALSE) != rule->value)
		return why_set(why, RC_DENIED,
		        "the token made a key with %s %s, which is destroyed "
		        "again",
		        rule->name, value ? "on" : "off");
	out->facts[out->n_facts++] =
	        (struct token_key_fact){ rule->name, rule->value };
	return RC_OK;
}

static const struct secret {
	CK_ATTRIBUTE_TYPE type;
	const char *name;
	bool of_rsa, of_others;
} secrets[] = {
	{ CKA_VALUE, "CKA_VALUE", false, true },
	{ CKA_PRIVATE_EXPONENT, "CKA_PRIVATE_EXPONENT", true, false },
	{ CKA_PRIME_1, "CKA_PRIME_1", true, false },
	{ CKA_PRIME_2, "CKA_PRIME_2", true, false },
	{ CKA_EXPONENT_1, "CKA_EXPONENT_1", true, false },
	{ CKA_EXPONENT_2, "CKA_EXPONENT_2", true, false },
	{ CKA_COEFFICIENT, "CKA_COEFFICIENT", true, false },
};
#define SECRETS (sizeof(secrets) / sizeof(secrets[0]))

/* Asked for like any attribute: the token has to say no. */
static enum rc check_hidden(struct token_key *out, struct p11_session *s,
        CK_OBJECT_HANDLE key, const struct secret *secret, struct why *why)
{
	const CK_FUNCTION_LIST *f = p11_functions(p11_session_token(s));
	uint8_t room[1024];
	CK_ATTRIBUTE a = { secret->type, room, sizeof(room) };
	CK_RV rv = f->C_GetAttributeValue(p11_session_handle(s), key, &a, 1);

	bytes_wipe(room, sizeof(room));
	if (rv != CKR_ATTRIBUTE_SENSITIVE && rv != CKR_ATTRIBUTE_TYPE_INVALID)
		return why_set(why, RC_DENIED,
		        "the token answers %s to who reads %s; the key is "
		        "destroyed again",
		        p11_rv_name(rv), secret->name);
	out->hidden[out->n_hidden++] = secret->name;
	return RC_OK;
}

static enum rc prove(struct token_key *out, struct p11_session *s,
        CK_OBJECT_HANDLE key, const struct token_key_want *want,
        struct why *why)
{
	const struct rule decrypt = { CKA_DECRYPT, "CKA_DECRYPT",
		want->decrypt };
	enum rc rc = RC_OK;

	for (size_t i = 0; !rc && i < RULES; i++)
		rc = check_fact(out, s, key, &rules[i], why);
	if (!rc)
		rc = check_fact(out, s, key, &decrypt, why);
	for (size_t i = 0; !rc && i < SECRETS; i++)
		if (want->type == KEY_RSA ? secrets[i].of_rsa
		                          : secrets[i].of_others)
			rc = check_hidden(out, s, key, &secrets[i], why);
	return rc;
}

enum rc token_key_make(struct token_key *out, struct p11_session *s,
        const struct token_key_want *want, struct why *why)
{
	struct pair pair = { CK_INVALID_HANDLE, CK_INVALID_HANDLE };
	struct bytes id;
	enum rc rc;

	*out = (struct token_key){ .n_id = TOKEN_KEY_ID_BYTES };
	rand_fill(out->id, sizeof(out->id));
	if (want->decrypt && want->type != KEY_RSA)
		return why_set(why, RC_UNSUPPORTED,
		        "only RSA keys decrypt: type rsa2048 to rsa4096");
	if (want->id.n > sizeof(out->id))
		return why_set(why, RC_TOOBIG, "an id of over %d bytes",
		        TOKEN_KEY_ID_BYTES);
	if (want->id.n > 0) {
		out->n_id = want->id.n;
		memcpy(out->id, want->id.p, want->id.n);
	}
	id = bytes_of(out->id, out->n_id);
	rc = refuse_taken(s, CKA_LABEL, want->label, "label", why);
	if (!rc)
		rc = refuse_taken(s, CKA_ID, id, "id", why);
	if (!rc)
		rc = generate(&pair, s, want, id, why);
	if (rc)
		return rc;
	rc = prove(out, s, pair.private_key, want, why);
	if (rc)
		destroy(s, &pair);
	return rc;
}
