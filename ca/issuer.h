/* ca/issuer.h - intent, sign, verify, record, release (DESIGN rule 1): a grant
 * and a certification request in, a certificate on record out. Never blocks:
 * several store writes and one signature, each by callback. */
#ifndef MICA_CA_ISSUER_H
#define MICA_CA_ISSUER_H

#include "base/bytes.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "base/why.h"
#include "ca/authority.h"
#include "ca/csr.h"
#include "ca/grant.h"
#include "ca/profile.h"
#include "ca/signer_client.h"
#include "storage/store.h"

struct issuer;

struct issuer_opts {
	struct loop *loop;
	struct store *store;
	struct signer_client *signer;
	const struct profiles *profiles;
	struct metrics *metrics; /* may be NULL */
	int64_t retry_window_us;
};
MUST_CHECK enum rc issuer_new(struct issuer **out, const struct issuer_opts *o);
/* Nothing may be in flight (issuer_pending). */
void issuer_free(struct issuer *i);
size_t issuer_pending(const struct issuer *i);

struct issued {
	enum rc rc; /* RC_OK; RC_DUPLICATE: the stored certificate of a retry;
		      * RC_WAITING: on record until an operator decides;
		      * else why has the clause and nothing was released */
	struct why why;
	struct cert_key key;
	struct bytes der; /* the certificate; borrowed until done returns */
	bool retried;
};
typedef void issuer_done_fn(void *ctx, const struct issued *result);

/* Consumes the grant, whatever the result. The csr is borrowed until this
 * returns. Always answers by done, on the loop, never before this returns;
 * what was begun goes on to its end (or is abandoned) even if the caller no
 * longer cares. The csr's key must be the grant's (RC_DENIED), its names must
 * not differ from those resolved (RC_DENIED), lint must pass (RC_INTERNAL). */
void issuer_issue(struct issuer *i, struct grant *grant, const struct csr *csr,
        issuer_done_fn *done, void *ctx);
/* As issuer_issue, for a bare SubjectPublicKeyInfo under a system grant: keys
 * that the signer made. */
void issuer_issue_system(struct issuer *i, struct grant *grant,
        struct bytes spki, issuer_done_fn *done, void *ctx);

#endif
