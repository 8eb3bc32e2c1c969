/* ca/signer/ceremony_ops.h - operations of mica-signer --ceremony that have a
 * file of their own, and what they share. Private to ceremony*.c. */
#ifndef MICA_CA_SIGNER_CEREMONY_OPS_H
#define MICA_CA_SIGNER_CEREMONY_OPS_H

#include "ca/signer/ca_cert.h"
#include "ca/signer/ceremony_args.h"
#include "ca/signer/vault.h"

/* Below the 5 minutes that certificates are backdated by, and a device's
 * skewed clock, the CA must be valid already. */
#define CEREMONY_BACKDATE_S 3600

/* A private key into the vault; passphrase_fd -1: it is not encrypted. */
MUST_CHECK enum rc ceremony_load_key(struct vault *v, const char *name,
        const char *path, int passphrase_fd, struct why *why);
/* The certificate whose key that is. */
MUST_CHECK enum rc ceremony_load_issuer(struct ca_issuer **out,
        const char *path, const struct vault_key *key, struct why *why);

/* --- ceremony_request.c */
enum rc ceremony_request(const struct args *a, struct why *why);
enum rc ceremony_check_key(const struct args *a, struct why *why);
/* --- ceremony_sign.c */
enum rc ceremony_sign(const struct args *a, struct why *why);

#endif
