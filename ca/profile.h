/* ca/profile.h - what a profile of the configuration means under one authority:
 * checked, and compiled into constant runs of DER with slots between them, so
 * that issuing is a splice.
 *
 * A name template is literal text around at most one variable:
 *   %{device}                      the device id of the grant
 *   %{dns} %{ip} %{email} %{uri}   the granted names of that kind; a SAN entry
 *                                  becomes one a name (none without names), a
 *                                  subject attribute takes the first name
 * Needs conf/, der/, libcrypto at compile time of a profile for key ids. */
#ifndef MICA_CA_PROFILE_H
#define MICA_CA_PROFILE_H

#include "ca/authority.h"
#include "ca/grant.h"
#include "ca/serial.h"
#include "conf/conf.h"

#define PROFILE_SUBJECT_MAX 32 /* attributes */
#define PROFILE_SAN_MAX 32     /* templates */
#define PROFILE_EKU_MAX 32

struct profile;
struct profiles;

/* Compile each profile for each authority that may issue it, and once for each
 * code key that it certifies by it, and the built-in ones of the EST listener
 * and of OCSP responders. Refused (RC_CONFIG, why
 * names the profile and the clause): unknown variables, attribute types, key usages and EKUs; CA key
 * usages; what only the signer's own keys may have (OCSPSigning, cmcRA,
 * ocsp-nocheck, anyExtendedKeyUsage); extensions that mica writes itself or
 * that CAs alone have; literal names of the wrong form; an empty subject
 * without a SAN; key usages that do not go with a permitted key type.
 * Errors: RC_CONFIG RC_NOMEM. conf and a outlive it. */
MUST_CHECK enum rc profiles_new(struct profiles **out, const struct conf *conf,
        struct authorities *a, struct why *why);
void profiles_free(struct profiles *p); /* NULL is a no-op */
/* NULL when that authority may not issue that profile. */
const struct profile *profiles_find(const struct profiles *p,
        const struct authority *a, const struct conf_profile *conf);
/* The nth (from 0) that this authority may issue; NULL behind the last. */
const struct profile *profiles_at(
        const struct profiles *p, const struct authority *a, size_t n);
/* The profile of the EST listener's own TLS certificate (serverAuth and cmcRA,
 * RFC 7030 section 3.6.1; names from listen.est.names), to name in a system
 * grant. NULL: the listener is off or has a certificate of its own. */
const struct conf_profile *profiles_est(const struct profiles *p);
/* The profile of that authority's OCSP responder. Its certificates live as long
 * as an answer and PROFILE_OCSP_SPARE_S. NULL: its own key signs answers. */
#define PROFILE_OCSP_SPARE_S INT64_C(604800)
const struct conf_profile *profiles_ocsp(
        const struct profiles *p, const struct authority *a);

/* The key of that authority's registration authority for SCEP, as one that is
 * for one purpose: its profile, and the device that its certificates belong to.
 * NULL: it has none. */
const struct conf_code *profiles_ra(
        const struct profiles *p, const struct authority *a);

const struct conf_profile *profile_conf(const struct profile *p);
const struct authority *profile_authority(const struct profile *p);

/* The shard of a certificate with that serial number, from its random end: 1 to
 * as many as its authority has; 0 when it has none. */
uint16_t profile_shard(
        const struct profile *p, const uint8_t serial[SERIAL_BYTES]);

/* The Unix second from which on the profile lets such a certificate be
 * renewed: renew.from counts from notBefore. */
int64_t profile_renew_from_s(const struct conf_profile *profile,
        int64_t not_before_s, int64_t not_after_s);

/* The names of one certificate. */
struct profile_names {
	struct buf subject; /* Name, DER */
	struct buf san; /* GeneralName elements, side by side; may be empty */
};
#define PROFILE_SUBJECT_MAX_BYTES 4096
#define PROFILE_SAN_MAX_BYTES 16384
#define PROFILE_NAMES_INIT                                                     \
	((struct profile_names){ BUF_INIT(PROFILE_SUBJECT_MAX_BYTES),          \
	        BUF_INIT(PROFILE_SAN_MAX_BYTES) })
void profile_names_free(struct profile_names *n);

/* Fill the templates. out is reset first. Refused (RC_DENIED): a device id or
 * name that its place cannot hold, a name the profile has no place for, a
 * variable without value, no name at all.
 * Errors: RC_DENIED RC_NOMEM. */
MUST_CHECK enum rc profile_resolve(struct profile_names *out,
        const struct profile *p, const char *device,
        const struct grant_names *names, struct why *why);

/* Can the places that the profile has for it hold that device id? What a
 * commonName cannot is known before anyone comes with a key.
 * Errors: RC_DENIED RC_NOMEM. */
MUST_CHECK enum rc profile_check_device(
        const struct profile *p, const char *device, struct why *why);

/* Is the value of that subject attribute (OID content octets) decided by
 * whom the certificate is for, rather than fixed by the profile? */
bool profile_identifies(const struct profile *p, struct bytes oid);
/* Is that purpose (OID content octets) in the profile? */
bool profile_has_eku(const struct profile *p, struct bytes oid);

#endif
