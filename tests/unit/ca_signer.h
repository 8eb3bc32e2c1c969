/* tests/unit/ca_signer.h - the other end of a signer client: signs what it is
 * asked with the world's CA key, or does what a broken signer would. */
#ifndef MICA_TESTS_UNIT_CA_SIGNER_H
#define MICA_TESTS_UNIT_CA_SIGNER_H

#include "base/ipc.h"
#include "ca/signer_client.h"
#include <openssl/evp.h>

enum fake_mode {
	FAKE_SIGNS,
	FAKE_REFUSES,   /* RC_DENIED, as its policy would */
	FAKE_WRONG_KEY, /* a signature by somebody else */
	FAKE_SILENT,
};

struct fake_signer {
	struct ipc *ipc;
	EVP_PKEY *key, *other;
	EVP_PKEY *kept; /* signs for "ocsp/factory"; borrowed, may be NULL */
	enum fake_mode mode;
	unsigned asked;
	uint64_t generation;
	struct signer_client *client; /* the end under test */
};

/* key is borrowed. */
void fake_signer_begin(struct fake_signer *f, struct loop *loop, EVP_PKEY *key);
/* Say hello as a new process does: what is unanswered comes again. */
void fake_signer_hello(struct fake_signer *f);
void fake_signer_end(struct fake_signer *f);

#endif
