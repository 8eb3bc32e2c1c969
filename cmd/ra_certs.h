/* cmd/ra_certs.h - the certificates of SCEP's registration authorities: issued
 * by the keeper under system grants for keys that the configuration names and
 * the signer has loaded, found on record again after a restart, and renewed for
 * the same key before they end. Workers are told of each. */
#ifndef MICA_CMD_RA_CERTS_H
#define MICA_CMD_RA_CERTS_H

#include "base/bytes.h"
#include "base/rc.h"
#include <stdbool.h>

struct runtime;
struct ra_certs;

MUST_CHECK enum rc ra_certs_new(struct ra_certs **out, struct runtime *r);
/* Nothing may be in flight (ra_certs_busy). NULL is a no-op. */
void ra_certs_free(struct ra_certs *c);
bool ra_certs_busy(const struct ra_certs *c);
/* A key that the signer loaded, by the configuration's name of it. */
void ra_certs_loaded(struct ra_certs *c, const char *name, struct bytes spki);
/* Once a second. */
void ra_certs_tick(struct ra_certs *c);

#endif
