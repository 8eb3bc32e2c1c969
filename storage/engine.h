/* storage/engine.h - what stands behind store.h. store.c checks an operation's
 * inputs, marks its kind and hands it to the engine; the engine knows which
 * struct a kind means. Not for callers: engines and test shims include it. */
#ifndef MICA_STORAGE_ENGINE_H
#define MICA_STORAGE_ENGINE_H

#include "storage/store.h"

enum store_kind {
	KIND_ISSUE_BEGIN = 1,
	KIND_ISSUE_FINISH,
	KIND_ABANDON,
	KIND_SET_STATUS,
	KIND_REVOKE,
	KIND_DEVICE_PUT,
	KIND_DEVICE_SUSPEND,
	KIND_TOKEN_PUT,
	KIND_QUOTA_PUT,
	KIND_QUOTA_CHANGE,
	KIND_AUTHORITY_PUT,
	KIND_AUTHORITY_REVOKE,
	KIND_KEY_BLOCK,
	KIND_AUDIT,
	KIND_CRL_BEGIN,
	KIND_CRL_COMMIT,
	KIND_FLOOR_LOWER,
	KIND_SUPERSEDE,
	KIND_APPROVAL_ASK,
	KIND_APPROVAL_DECIDE,
	KIND_APPROVAL_EXPIRE,
	KIND_WAITING_DECIDE,
	KIND_WAITING_EXPIRE,
	KIND_FETCH,
	KIND_LIST,
	KIND_STATUS,
	KIND_FEED,
	KIND_DEVICE_GET,
	KIND_DEVICE_LIST,
	KIND_TOKEN_GET,
	KIND_QUOTA_GET,
	KIND_AUTHORITY_LIST,
	KIND_AUTHORITY_GET,
	KIND_AUDIT_SCAN,
	KIND_STAT,
	KIND_WOULD_SET_STATUS,
	KIND_WOULD_REVOKE,
	KIND_CHANGES, /* never RC_PENDING */
	KIND_CRL_SCAN,
	KIND_CRL_LAST,
	KIND_CRL_LIST,
	KIND_APPROVAL_GET,
	KIND_APPROVAL_LIST,
	KIND_WAITING_GET,
	KIND_WAITING_LIST,
	KIND_CENSUS,
	KIND_COUNT
};

struct store_engine {
	/* RC_PENDING, or a code at once and no callback. */
	enum rc (*write)(struct store *s, struct store_op *op);
	/* Results or an error at once, or RC_PENDING and a callback. */
	enum rc (*read)(struct store *s, struct store_op *op);
	uint64_t (*slot)(const struct store *s);
	void (*close)(struct store *s);
};

/* The first member of an engine's own struct. */
struct store {
	const struct store_engine *engine;
};

MUST_CHECK enum rc lmdb_store_open(struct store **out,
        const struct store_opts *o, struct loop *loop, struct why *why);

#endif
