/* ca/crl_scopes.h - which CRLs there are to be: of each configured authority
 * the full one, its shards, and the shards of an earlier configuration that
 * still have living certificates. For ca/crl_plan.c. */
#ifndef MICA_CA_CRL_SCOPES_H
#define MICA_CA_CRL_SCOPES_H

#include "base/log.h"
#include "ca/authority.h"
#include "ca/crl_run.h"

#define CRL_SCOPES_MAX 512

struct crl_scope {
	const struct authority *authority;
	uint16_t shard;
	char name[CRL_NAME_MAX]; /* of the file */
	/* Other generations of its certificate, with the same name and key: a
	 * reader cannot tell their CRLs apart, so this one covers them. */
	uint32_t also[CRL_ALSO_MAX];
	size_t n_also;
	char *urls[CRL_URLS_MAX]; /* of a shard */
	size_t n_urls;
	/* Nothing is added any more: it ends when its certificates have. */
	bool ends;
	struct store_crl crl; /* as it is on record; number 0: none yet */
	int64_t ends_s;       /* of all that it covers */
	/* For the plan: */
	bool standing; /* its file is what is on record */
	bool unseen;   /* that is still to be found out */
	uint64_t inode;
	int64_t file_us;           /* the file's change time */
	uint64_t changed_position; /* of the last change that concerns it */
	bool wanted;
	int64_t made_mono_us, regular_mono_us;
	int64_t retry_mono_us;
	unsigned failures;
	struct why failure;     /* of the last try; empty: it went well */
	int64_t warned_mono_us; /* 0: not */
	enum log_level warned;  /* how loudly */
};

struct crl_scopes {
	struct crl_scope *list;
	size_t n;
};

/* Reads the store, whose answers must come at once. An authority whose
 * certificate does not let it sign CRLs has none: a line in the log says so,
 * and another says whose certificates live on without any CRL. Errors: RC_NOMEM
 * RC_TOOBIG, and the store's. */
MUST_CHECK enum rc crl_scopes_read(struct crl_scopes *out, struct store *s,
        struct authorities *a, struct why *why);
void crl_scopes_free(struct crl_scopes *scopes);

#endif
