/* bench/fill.h - a store with certificates in it, for the benchmarks: each of a
 * new device, FILL_IN_FLIGHT at a time. Whatever fails ends the program. */
#ifndef MICA_BENCH_FILL_H
#define MICA_BENCH_FILL_H

#include "storage/store.h"

#define FILL_IN_FLIGHT 256

struct fill_flight {
	struct fill *fill;
	struct store_issue_begin t1;
	struct store_issue_finish t2;
	double since_us;
	char device[32];
	uint8_t der[600];
};

struct fill {
	/* in; NULL: not wanted */
	struct cert_key *keys; /* of all, in the order they were begun */
	double *waits_us;      /* of each T1 and each T2 */
	size_t waits_max;
	/* out */
	struct loop *loop;
	struct store *store;
	size_t n_waits;
	/* private */
	uint32_t authority;
	uint64_t authority_version;
	uint64_t begun, finished, want;
	struct fill_flight flights[FILL_IN_FLIGHT];
};

/* Make or open the store in folder. */
void fill_open(struct fill *f, const char *folder);
/* So many more. */
void fill_issue(struct fill *f, uint64_t n);
void fill_close(struct fill *f);
/* So many certificates of f's authority in a store that is not open, straight
 * into the trees that OCSP answers and CRLs are made from: millions within a
 * minute. All are CERT_ISSUED, or all CERT_REVOKED. They have no body, no device
 * and no audit entry. */
void fill_direct(const struct fill *f, const char *folder, uint64_t n,
        enum cert_state state);
/* Of which this is the number at. */
void fill_direct_key(struct cert_key *key, uint32_t authority, uint64_t at);
/* A folder that a store alone was in. */
void fill_remove(const char *folder);

#endif
