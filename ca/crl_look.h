/* ca/crl_look.h - published files held against their records: each is read to its
 * end and hashed, by a thread, for they can be large. */
#ifndef MICA_CA_CRL_LOOK_H
#define MICA_CA_CRL_LOOK_H

#include "base/loop.h"
#include "base/why.h"
#include "storage/store.h"
#include <pthread.h>

struct crl_look_item {
	/* in */
	const char *name; /* of the file; borrowed */
	struct store_crl crl;
	void *ctx;
	/* out */
	int fd;         /* open to read, the caller's; -1: another, or none */
	struct why why; /* what is wrong with it; empty: there is none */
};

/* The caller's, until done. */
struct crl_look {
	/* in */
	struct loop *loop;
	int dir;
	struct crl_look_item *items;
	size_t n;
	void (*done)(struct crl_look *look); /* on the loop */
	void *ctx;
	/* private */
	pthread_t thread;
	struct loop_task task;
};

/* Without a thread it is done here and now, all but the callback. */
void crl_look_begin(struct crl_look *look);

#endif
