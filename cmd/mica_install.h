/* cmd/mica_install.h - what mica authority install is made of. Private to
 * mica_install*.c. */
#ifndef MICA_CMD_MICA_INSTALL_H
#define MICA_CMD_MICA_INSTALL_H

#include "ca/pem.h"
#include "cmd/mica_authority.h"

#define INSTALL_CERTS_MAX 9 /* an authority, and those above it */
#define INSTALL_SHA256_BYTES 32
#define INSTALL_CRL_MAX_BYTES (1u << 20)

/* Certificates in DER, one behind the other. */
struct install_certs {
	struct buf der[INSTALL_CERTS_MAX];
	size_t n;
};

struct install {
	const char *name;
	struct authority_conf conf;
	struct install_certs given; /* the authority's first */
	/* Above it, issuer first and the root last: what the configuration has,
	 * with what was given between. */
	struct install_certs chain;
	struct buf cert_pem, chain_pem; /* the files' new content */
	bool new_chain;                 /* chain_pem differs from the file's */
	struct buf crl;                 /* DER or PEM; empty: none */
	const char *crl_path;
	char subject[1024]; /* what was found, to be shown */
	char sha256[2 * INSTALL_SHA256_BYTES + 1];
	char chain_sha256[2 * INSTALL_SHA256_BYTES + 1]; /* of chain_pem */
	int64_t not_after_s;
};

void install_init(struct install *in, const char *name);
void install_free(struct install *in);
/* Read what the command line names and what the configuration has.
 * Errors: RC_IO RC_MALFORMED RC_TOOBIG RC_NOTFOUND (no root to hold it against)
 * RC_CONFLICT (another root was given, or the chain's file is not for what stands
 * between) RC_NOMEM. */
MUST_CHECK enum rc install_read(
        struct install *in, const struct cli *cli, struct why *why);
/* Is it fit to be that authority's? A CA's certificate, within its time, that
 * libcrypto follows up to the configured root by the letter of RFC 5280 and
 * that the CRL, if there is one, does not name; and the configuration with it is
 * one that micad takes. Nothing is written.
 * Errors: RC_DENIED RC_BADSIG RC_CONFIG RC_NOMEM. */
MUST_CHECK enum rc install_check(
        struct install *in, const struct cli *cli, struct why *why);

#endif
