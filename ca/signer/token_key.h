/* ca/signer/token_key.h - key pairs made inside a token, and what the token says
 * of them afterwards. For the ceremony alone. Needs base/, der/ and p11.h. */
#ifndef MICA_CA_SIGNER_TOKEN_KEY_H
#define MICA_CA_SIGNER_TOKEN_KEY_H

#include "base/buf.h"
#include "ca/signer/p11.h"
#include "der/alg.h"

#define TOKEN_KEY_ID_BYTES 20
#define TOKEN_KEY_FACTS_MAX 16

struct token_key_want {
	enum key_type type;
	unsigned rsa_bits;
	struct bytes label; /* CKA_LABEL */
	struct bytes id;    /* CKA_ID; empty: a random one is made */
	bool decrypt;       /* it may decrypt, too: RSA alone */
};

/* An attribute of the private key, as it was read back. */
struct token_key_fact {
	const char *name; /* "CKA_SENSITIVE" */
	bool value;
};
struct token_key {
	uint8_t id[TOKEN_KEY_ID_BYTES];
	size_t n_id;
	struct token_key_fact facts[TOKEN_KEY_FACTS_MAX];
	size_t n_facts;
	/* Of the attributes that hold the private half: the token showed none */
	const char *hidden[8];
	size_t n_hidden;
};

/* Make a pair in a session for writing: private, sensitive, never extractable,
 * to sign with and not to unwrap or derive with. Then read all that back, and
 * try to read the private half: where the token says otherwise, or shows it, the
 * pair is destroyed again.
 * Errors: RC_EXISTS for a label or id that a key of the token has; RC_DENIED
 * for a token that does not keep such keys; RC_UNSUPPORTED and those of p11.h.
 */
MUST_CHECK enum rc token_key_make(struct token_key *out, struct p11_session *s,
        const struct token_key_want *want, struct why *why);

#endif
