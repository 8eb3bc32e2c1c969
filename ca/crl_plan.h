/* ca/crl_plan.h - which CRL is made when: on a timer, at half of its life, soon
 * after a revocation, when its file is gone or changed, when somebody asks; one
 * after the other, and again after a failure. And what to be alarmed about.
 * Belongs to the keeper. */
#ifndef MICA_CA_CRL_PLAN_H
#define MICA_CA_CRL_PLAN_H

#include "base/metrics.h"
#include "ca/authority.h"
#include "ca/crl_run.h"
#include "ca/signer_client.h"

struct crl_plan;

/* A CRL stands in its place. All borrowed. */
struct crl_published {
	const char *name; /* of the file */
	const struct store_crl *crl;
	int64_t fresh_s; /* a new one may come so soon */
	int fd;          /* the file, open to read */
};

struct crl_plan_opts {
	struct loop *loop;
	struct store *store;
	struct authorities *authorities; /* resolved */
	struct signer_client *signer;
	struct metrics *metrics; /* may be NULL */
	int dir;                 /* of published files; borrowed */
	const char *actor;       /* borrowed */
	void (*published)(void *ctx, const struct crl_published *p);
	/* What stood there at first is known, and was told. May be NULL. */
	void (*looked)(void *ctx);
	void *ctx;
};

/* Begins to look at what stands there, reading all of it, and tells what is good
 * by published(), before it makes anything. Errors: RC_NOMEM RC_TOOBIG, and the store's. */
MUST_CHECK enum rc crl_plan_new(
        struct crl_plan **out, const struct crl_plan_opts *o, struct why *why);
/* Not while crl_plan_busy(). NULL is a no-op. */
void crl_plan_free(struct crl_plan *p);

/* Once a second: what changed, what is due, what is late. */
void crl_plan_tick(struct crl_plan *p);
/* Begin nothing more. */
void crl_plan_stop(struct crl_plan *p);
bool crl_plan_busy(const struct crl_plan *p);
/* New CRLs of that authority (NULL: of all) now; how many there are to be. */
size_t crl_plan_want(struct crl_plan *p, const char *authority);

/* One of them, in no special order; false past the last. Views are borrowed. */
struct crl_plan_row {
	const char *file, *authority;
	const struct store_crl *crl; /* number 0: none yet */
	bool out;                    /* run out or missing */
	bool due;                    /* about to be made */
	bool over;                   /* no more of it: all it was for ended */
	const char *failure;         /* why the last try failed; "" */
};
bool crl_plan_at(struct crl_plan *p, size_t i, struct crl_plan_row *out);

struct crl_plan_state {
	size_t n;           /* CRLs that there are to be */
	size_t n_out;       /* of them run out or missing */
	size_t n_late;      /* of them about to run out: tries failed */
	const char *late;   /* one of those; borrowed */
	size_t n_due;       /* of them about to be made */
	int64_t ends_s;     /* the first nextUpdate; 0: one is missing */
	const char *ends;   /* and whose; borrowed; NULL when n is 0 */
	uint64_t n_entries; /* of full CRLs */
};
void crl_plan_state(struct crl_plan *p, struct crl_plan_state *out);

#endif
