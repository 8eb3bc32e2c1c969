/* ca/crl_run.h - makes and publishes one CRL after the other: a number from the
 * store, the entries streamed from its index into a memfd, the signature, the
 * file, its check, the commit, and only then the name that readers see. Memory
 * does not grow with the list. Nothing waits on the loop: files are written and
 * checked in a thread of their own. Belongs to the keeper. */
#ifndef MICA_CA_CRL_RUN_H
#define MICA_CA_CRL_RUN_H

#include "base/loop.h"
#include "ca/authority.h"
#include "ca/crl.h"
#include "ca/signer_client.h"
#include "storage/store.h"

struct crl_maker;

struct crl_maker_opts {
	struct loop *loop;
	struct store *store;
	struct signer_client *signer;
	int dir;           /* the folder of published files; borrowed */
	const char *actor; /* for the audit trail; borrowed */
};
/* Errors: RC_NOMEM RC_INTERNAL. */
MUST_CHECK enum rc crl_maker_new(
        struct crl_maker **out, const struct crl_maker_opts *o);
/* Not while crl_maker_busy(). NULL is a no-op. */
void crl_maker_free(struct crl_maker *m);
bool crl_maker_busy(const struct crl_maker *m);

#define CRL_NAME_MAX 96 /* of a published file */
#define CRL_ALSO_MAX 16 /* generations of a certificate with the same key */

/* Is that the name of one that is not published yet? */
bool crl_is_temp(const char *name);

/* Held by the caller until done. */
struct crl_order {
	/* in */
	const struct authority *authority;
	uint16_t shard;
	uint32_t also[CRL_ALSO_MAX]; /* as store_crl_begin has it */
	size_t n_also;
	const char *urls[CRL_URLS_MAX]; /* a shard's */
	size_t n_urls;
	int64_t valid_s;
	bool regular;
	char name[CRL_NAME_MAX];               /* "factory.crl" */
	void (*done)(struct crl_order *order); /* on the loop */
	void *ctx;
	/* out */
	enum rc rc;
	struct why why;
	struct store_crl crl; /* as it is on record */
	int fd;               /* the published file, to read; the caller's */
};

/* RC_PENDING, and done is called; at once: RC_BUSY (another is being made).
 * Results: RC_FENCED (somebody else makes it), RC_INTERNAL (it did not pass its
 * check; why), RC_IO, what the store and the signer answer. */
MUST_CHECK enum rc crl_make(struct crl_maker *m, struct crl_order *order);

#endif
