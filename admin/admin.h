/* admin/admin.h - the control API behind the Unix socket: HTTP with JSON in and
 * out. Who asks is told by the kernel (SO_PEERCRED); what they may is their
 * role: an auditor reads, an operator makes devices, tokens and certificates and
 * takes them back, an admin does all. The paths stand in admin.c's table and in mica(1). */
#ifndef MICA_ADMIN_ADMIN_H
#define MICA_ADMIN_ADMIN_H

#include "base/metrics.h"
#include "base/why.h"
#include "ca/authority.h"
#include "ca/crl_plan.h"
#include "ca/issuer.h"
#include "conf/conf.h"
#include "enroll/authorize.h"
#include "enroll/code_keys.h"
#include "net/route.h"
#include "storage/store.h"
#include <sys/types.h>

struct admin;

/* One of the daemon's processes, for `mica status`. */
struct admin_process {
	char name[24];
	pid_t pid; /* 0: down */
	bool ready;
	uint32_t restarts;
};

/* A token whose keys the signer cannot use now. */
struct admin_away {
	char token[128], keys[256];
	int64_t since_s; /* Unix time */
	struct why why;
};
#define ADMIN_AWAY_MAX 16

struct admin_opts { /* all borrowed */
	const struct conf *conf;
	struct loop *loop;
	struct store *store;
	struct authorities *authorities; /* resolved */
	const struct profiles *profiles;
	struct authorizer *authorizer;
	struct issuer *issuer;
	struct metrics *metrics;
	struct crl_plan *crls; /* NULL: none are made here */
	/* NULL, both: no code is signed here */
	struct code_keys *code;
	struct signer_client *signer;
	bool own_uid; /* the signer has a uid of its own */
};
/* Errors: RC_NOMEM RC_INTERNAL. */
MUST_CHECK enum rc admin_new(struct admin **out, const struct admin_opts *o);
/* Requests that wait for the store or the issuer are answered even after this,
 * and need the store's close to call them back. NULL is a no-op. */
void admin_free(struct admin *a);
/* How many wait. */
size_t admin_pending(const struct admin *a);
/* For a listener on the Unix socket. Borrowed from a. */
const struct http_routes *admin_routes(const struct admin *a);
/* What the supervisor said last. Copied. */
void admin_set_processes(
        struct admin *a, const struct admin_process *list, size_t n);
void admin_set_away(struct admin *a, const struct admin_away *list, size_t n);

#endif
