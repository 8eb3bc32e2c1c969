/* ca/profile_compile.h - parts of compiling profiles; for profile.c alone: the
 * constant runs of the TBS, and the built-in profiles of the EST listener and
 * of OCSP responders. */
#ifndef MICA_CA_PROFILE_COMPILE_H
#define MICA_CA_PROFILE_COMPILE_H

#include "ca/digest.h"
#include "ca/profile_parts.h"

#define PROFILE_RUN_MAX_BYTES 32768

/* Write p's constant runs; everything else in p is compiled. Refused: an
 * extension that is not the operator's to write, or is no DER.
 * Errors: RC_CONFIG RC_NOMEM RC_TOOBIG. */
MUST_CHECK enum rc profile_compile_runs(struct profile *p, struct why *why);

/* The EST listener's own profile, as if it stood in the configuration. */
struct est_profile {
	bool used;
	struct conf_profile conf;
	struct conf_attribute cn;
	struct conf_san *san;
};
/* used is false when the listener is off or has a certificate of its own.
 * Errors: RC_CONFIG RC_NOMEM. */
MUST_CHECK enum rc est_profile_init(
        struct est_profile *e, const struct conf *conf, struct why *why);
void est_profile_clear(struct est_profile *e);

/* An authority's OCSP responder's, likewise. Points into itself. */
struct ocsp_profile {
	bool used;
	struct conf_profile conf;
	struct conf_attribute cn;
	char cn_text[64 + 1]; /* ub-common-name, RFC 5280 appendix A.1 */
};
/* used is false when the authority's own key signs. */
void ocsp_profile_init(
        struct ocsp_profile *o, const struct conf_authority *authority);

/* The device that an authority's registration authority counts as. */
#define RA_DEVICE_PREFIX "ra:"

/* Its profile, likewise, and the key that it is for. Points into itself. */
struct ra_profile {
	bool used;
	struct conf_profile conf;
	struct conf_code own;
	struct conf_attribute cn;
	char cn_text[64 + 1];
	char device[sizeof(RA_DEVICE_PREFIX) + CONF_NAME_MAX];
};
/* used is false when the authority has none. */
void ra_profile_init(
        struct ra_profile *r, const struct conf_authority *authority);

#endif
