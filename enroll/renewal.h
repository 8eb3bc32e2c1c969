/* enroll/renewal.h - the rules for renewing a certificate of ours (RFC 7030
 * section 4.2.2, and the profile's): when, with which key, under which names.
 * Pure. Needs conf/, der/, ca/. */
#ifndef MICA_ENROLL_RENEWAL_H
#define MICA_ENROLL_RENEWAL_H

#include "ca/cert.h"
#include "ca/grant.h"
#include "ca/san.h"
#include "conf/conf.h"

/* RC_DENIED: not yet valid, too early, or expired beyond the grace. */
MUST_CHECK enum rc renewal_check_time(const struct conf_profile *profile,
        const struct cert *old, int64_t now_s, struct why *why);

/* RFC 7030 section 4.2.2 has a client ask for the names of the certificate that
 * it renews. It gets those, whatever it asks for; one that asks for another is
 * refused, and one that leaves some out, as simple clients do with those that
 * the profile added, is not. Attributes compare by type and text, whatever
 * string type holds them. RC_DENIED. */
MUST_CHECK enum rc renewal_check_names(const struct cert *old,
        struct bytes subject, const struct san_list *sans, struct why *why);

/* The names that the old certificate was granted beside its device's, as an
 * operator can: to be granted again, since a renewal is for the same names.
 * They are what the profile's %{dns}, %{ip}, %{email} and %{uri} stand for in
 * its subjectAltName. */
struct renewal_names {
	struct grant_names names; /* borrowed from text */
	struct buf text;
};
/* Errors: RC_DENIED (a subjectAltName that cannot be read) RC_NOMEM. */
MUST_CHECK enum rc renewal_names_read(struct renewal_names *out,
        const struct cert *old, const struct conf_profile *profile,
        const char *device, struct why *why);
void renewal_names_free(struct renewal_names *n);

#endif
