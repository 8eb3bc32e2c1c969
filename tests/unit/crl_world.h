/* tests/unit/crl_world.h - what tests of CRLs share: a world, a true store with
 * its authority, a signer that can be made to fail, and a folder of published
 * files that libcrypto judges. */
#ifndef MICA_TESTS_UNIT_CRL_WORLD_H
#define MICA_TESTS_UNIT_CRL_WORLD_H

#include "ca/crl_run.h"
#include "tests/unit/ca_signer.h"
#include "tests/unit/ca_world.h"
#include "tests/unit/store_help.h"

struct crl_world {
	struct world world;
	struct help store;
	struct fake_signer signer;
	char folder[80];
	int dir;
};
extern struct crl_world cw; /* of this test's own process (CK_FORK) */

/* An authority "factory" with a key of that type, entered; extra is lines of its
 * configuration. The clock is at WORLD_NOW_S. */
void crl_begin(const char *key_type, const char *extra);
void crl_end(void);
/* The clock at WORLD_NOW_S + s. */
void crl_clock(int64_t s);
/* Issue one, revoke one. */
struct cert_key crl_certificate(uint16_t shard, int64_t valid_s);
void crl_revoke(const struct cert_key *key, enum cert_reason reason);
/* The file as libcrypto reads it, its signature verified. */
X509_CRL *crl_judge(const char *name);
/* Entries of that file; 0 when there are none. */
int crl_entries(const char *name);
unsigned crl_files(void);
/* Turn the loop for a while. */
void crl_turn(void);

#endif
