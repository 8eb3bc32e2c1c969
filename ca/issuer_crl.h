/* ca/issuer_crl.h - the CRL of whoever certified an authority, such as an offline
 * root's own: made elsewhere, named by the configuration, served as it is. */
#ifndef MICA_CA_ISSUER_CRL_H
#define MICA_CA_ISSUER_CRL_H

#include "base/buf.h"
#include "base/why.h"
#include "conf/conf.h"

struct issuer_crl {
	const char *name; /* of the file, without folders; NULL: none given */
	struct buf der;
	int64_t this_update_s, next_update_s;
};

/* Read file, DER or PEM: a CRL with a nextUpdate of the subject and by the key
 * of issuer, a certificate. *out is for issuer_crl_free() in any case.
 * Errors: RC_CONFIG, what crl_parse() says, RC_NOMEM. */
MUST_CHECK enum rc issuer_crl_read(struct issuer_crl *out,
        const struct conf_file *file, struct bytes issuer, struct why *why);
void issuer_crl_free(struct issuer_crl *c);

#endif
