/* cmd/runtime.h - what a keeper and a worker have in common: the configuration
 * they inherited, the loop, the store, the authorities, the way to the signer,
 * the issuer and the authorizer, opened in that order and closed in reverse. */
#ifndef MICA_CMD_RUNTIME_H
#define MICA_CMD_RUNTIME_H

#include "base/ipc.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "base/sandbox.h"
#include "ca/authority.h"
#include "ca/issuer.h"
#include "ca/profile.h"
#include "ca/signer_client.h"
#include "cmd/child.h"
#include "cmd/control.h"
#include "conf/conf.h"
#include "enroll/authorize.h"
#include "enroll/trust.h"
#include "storage/store.h"

struct runtime {
	const struct child_args *args;
	char actor[32]; /* "system worker-1" */
	struct conf *conf;
	struct loop *loop;
	struct metrics *metrics;
	struct shared *shared;
	struct ipc *control;
	struct store *store;
	struct authorities *authorities;
	struct profiles *profiles;
	struct trust *trust;
	struct signer_client *signer;
	struct issuer *issuer;
	struct authorizer *authorizer;
	struct loop_watch *sigterm;
	ipc_fn *on_control;
	loop_fn *on_stop;
	void *ctx;
};

/* First half: configuration, loop, metrics, control pair, store, authorities.
 * on_control gets the supervisor's messages (may be NULL; it duplicates the
 * descriptors that it keeps), on_stop what CONTROL_DRAIN and SIGTERM ask for;
 * ctx goes to both. */
MUST_CHECK enum rc runtime_open(struct runtime *r,
        const struct child_args *args, ipc_fn *on_control, loop_fn *on_stop,
        void *ctx, struct why *why);
/* Second half, once the authorities are on record. */
MUST_CHECK enum rc runtime_open_ca(struct runtime *r, struct why *why);
/* CONTROL_READY with our slot. */
MUST_CHECK enum rc runtime_ready(struct runtime *r);
MUST_CHECK enum rc runtime_tell(
        struct runtime *r, uint16_t type, struct bytes body);
void runtime_close(struct runtime *r);

#endif
