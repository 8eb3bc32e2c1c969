/* tests/p11/token.h - a SoftHSM token in a temporary folder, behind the module
 * that fails on purpose, and enough PKCS#11 to use it by hand. Errors end the
 * program with a word: this is for tests and benchmarks. */
#ifndef MICA_TESTS_P11_TOKEN_H
#define MICA_TESTS_P11_TOKEN_H

#include "tests/p11/fault.h"

#include <p11-kit/pkcs11.h>
#include <stdbool.h>
#include <stddef.h>

#define TOKEN_LABEL "mica-test"
#define TOKEN_PIN "2468-1357"
#define TOKEN_SO_PIN "8642-7531"
#define TOKEN_PATH_BYTES 128

struct token {
	char dir[TOKEN_PATH_BYTES];
	char control_path[TOKEN_PATH_BYTES];
	struct fault_control *control;
	CK_FUNCTION_LIST *p11; /* not yet initialized */
	CK_SLOT_ID slot;
};

/* Path of SoftHSM's module; NULL: it is not installed. */
const char *token_softhsm(void);
/* A folder with a configuration and a control file, which the environment names
 * from now on, and module (fault.so, or SoftHSM's own) loaded. */
void token_open(struct token *t, const char *module);
/* C_Initialize, and a token with PINs where there is none yet. */
void token_begin(struct token *t);
void token_end(struct token *t); /* C_Finalize */
/* Removes the folder. */
void token_close(struct token *t);

CK_SESSION_HANDLE token_session(struct token *t);
CK_RV token_login(struct token *t, CK_SESSION_HANDLE session, const char *pin);
/* A P-256 pair on the token, private half sensitive, named label and id. */
CK_OBJECT_HANDLE token_make_key(struct token *t, CK_SESSION_HANDLE session,
        const char *label, unsigned char id);
/* The private key of that label, or CK_INVALID_HANDLE. */
CK_OBJECT_HANDLE token_find(
        struct token *t, CK_SESSION_HANDLE session, const char *label);
#define TOKEN_DIGEST_BYTES 32
#define TOKEN_SIGNATURE_BYTES 64
CK_RV token_sign(struct token *t, CK_SESSION_HANDLE session,
        CK_OBJECT_HANDLE key, const unsigned char *digest,
        unsigned char *signature);
/* By the token's own C_Verify, which fault.so does not spoil. */
bool token_verifies(struct token *t, CK_SESSION_HANDLE session,
        unsigned char id, const unsigned char *digest,
        unsigned char *signature);

static inline void token_want(
        struct token *t, enum fault_want what, uint64_t value)
{
	atomic_store(&t->control->want[what], value);
}

static inline uint64_t token_did(const struct token *t, enum fault_did what)
{
	return atomic_load(&t->control->did[what]);
}

#endif
