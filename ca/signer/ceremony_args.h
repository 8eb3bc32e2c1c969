/* ca/signer/ceremony_args.h - the arguments of mica-signer --ceremony.
 * Private to ceremony*.c. */
#ifndef MICA_CA_SIGNER_CEREMONY_ARGS_H
#define MICA_CA_SIGNER_CEREMONY_ARGS_H

#include "base/buf.h"
#include "base/why.h"
#include "ca/signer/ca_urls.h"
#include "der/alg.h"
#include "der/name.h"

#include <sys/types.h>

enum ceremony_option {
	OPT_OUT = 1,
	OPT_TYPE,
	OPT_PASSPHRASE_FD,
	OPT_KEY,
	OPT_ISSUER_KEY,
	OPT_ISSUER_PASSPHRASE_FD,
	OPT_ISSUER_CERT,
	OPT_SUBJECT,
	OPT_VALIDITY,
	OPT_PATH_LENGTH,
	OPT_NUMBER,
	OPT_REVOKED,
	OPT_CERT,
	OPT_REQUEST,
	OPT_TRANSCRIPT,
	OPT_YES,
	OPT_MODULE,
	OPT_ISSUER_MODULE,
	OPT_DECRYPT,
	OPT_AS,
	OPT_QUIET,
	OPT_CRL_URL,
	OPT_CA_ISSUERS_URL,
	OPT_BEFORE,
	OPT_COUNT,
};
#define BIT(id) (UINT32_C(1) << (id))

struct key_kind {
	const char *name;
	enum key_type type;
	unsigned bits;
};

/* Strings are borrowed from argv. */
struct args {
	uint32_t given; /* BIT()s */
	const char *out, *key, *issuer_key, *issuer_cert, *revoked, *before;
	const char *cert, *request, *transcript;
	const char *module, *issuer_module; /* of keys in tokens */
	uid_t uid; /* of whoever serves with them; only with OPT_AS */
	gid_t gid;
	const struct key_kind *kind;
	int passphrase_fd, issuer_passphrase_fd;
	struct buf subject_oids; /* what parts' OIDs point into, at the end */
	struct name_part parts[NAME_ATTRS_MAX];
	size_t oid_at[NAME_ATTRS_MAX];
	size_t n_parts;
	int64_t validity_s;
	int path_length;
	uint64_t number;
	struct ca_urls crls, issuers;
};

/* Read argv[1] and on. args_free() it whatever the result. RC_MALFORMED */
MUST_CHECK enum rc args_read(
        struct args *a, int argc, char **argv, struct why *why);
/* All of need, and of the others only those of may. RC_MALFORMED */
MUST_CHECK enum rc args_check(
        const struct args *a, uint32_t need, uint32_t may, struct why *why);
void args_free(struct args *a);

#endif
