/* ca/signer/p11_private.h - what p11*.c share. */
#ifndef MICA_CA_SIGNER_P11_PRIVATE_H
#define MICA_CA_SIGNER_P11_PRIVATE_H

#include "ca/signer/p11.h"

#include <p11-kit/uri.h>
#include <pthread.h>
#include <stdatomic.h>

struct p11_uri {
	P11KitUri *kit;
	char *text;
};

struct p11_module {
	CK_FUNCTION_LIST *f;
	/* Whoever calls it holds this to read; whoever restarts it, to write. */
	pthread_rwlock_t gate;
	unsigned epoch; /* under gate: restarts */
	bool down;      /* under gate: it could not be initialised */
	atomic_uint n_sessions;
};

MUST_CHECK enum rc p11_uri_copy(
        struct p11_uri **out, const struct p11_uri *uri);
/* Whether both describe their token in the same way. */
bool p11_uri_is_same_token(const struct p11_uri *a, const struct p11_uri *b);
/* The label of its token; empty: it does not say. Borrowed. */
struct bytes p11_uri_token_label(const struct p11_uri *uri);
/* Whether it says no other class of object. */
bool p11_uri_is_private(const struct p11_uri *uri);
/* Whether uri is silent about that, or says the same. */
bool p11_uri_is_slot(const struct p11_uri *uri, CK_SLOT_ID id,
        const CK_SLOT_INFO *slot, const CK_TOKEN_INFO *token);
bool p11_uri_is_module(const struct p11_uri *uri, const CK_INFO *module);

#endif
