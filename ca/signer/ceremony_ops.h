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

/* Where a private key is: in a file, maybe encrypted, or in a token. */
struct key_source {
	const char *key;    /* path, or a URI (RFC 7512) */
	const char *module; /* of the URI's token, an absolute path; or NULL */
	int secret_fd; /* passphrase of the file, PIN of the token; or -1 */
	const struct args *as; /* whose user a token is used as */
};
struct key_source ceremony_key(const struct args *a);
struct key_source ceremony_issuer_key(const struct args *a);
bool ceremony_is_uri(const char *key);
/* What a module writes belongs to --as, where we are root: whoever serves with a
 * token's files must be able to read them. RC_PERMISSION */
MUST_CHECK enum rc ceremony_become(const struct args *a, struct why *why);
/* To what we were; a process that cannot ends here. */
void ceremony_come_back(const struct args *a);
/* It goes into the vault. A token's process must not fork any more. */
MUST_CHECK enum rc ceremony_load_key(struct vault *v, const char *name,
        struct key_source from, struct why *why);
/* The certificate whose key that is. */
MUST_CHECK enum rc ceremony_load_issuer(struct ca_issuer **out,
        const char *path, const struct vault_key *key, struct why *why);

/* --- ceremony_create.c */
enum rc ceremony_create_key(const struct args *a, struct why *why);
/* --- ceremony_request.c */
enum rc ceremony_request(const struct args *a, struct why *why);
enum rc ceremony_check_key(const struct args *a, struct why *why);
/* --- ceremony_cross.c */
enum rc ceremony_cross(const struct args *a, struct why *why);
/* --- ceremony_sign.c */
enum rc ceremony_sign(const struct args *a, struct why *why);

#endif
