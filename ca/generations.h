/* ca/generations.h - rollover: an authority and those that it replaces, one
 * after the other, are its generations, with a key each. What clients are given
 * of them, and what counts as being of one line. Needs ca/authority.h. */
#ifndef MICA_CA_GENERATIONS_H
#define MICA_CA_GENERATIONS_H

#include "ca/authority.h"

#define GENERATIONS_CERTS_MAX 64

/* Does a continue the authority of that name: is it that, or does it replace it
 * or one that replaces it? */
bool generation_continues(const struct conf_authority *a, const char *name);
/* The newest of the line that a is of. */
const struct conf_authority *generation_newest(
        const struct conf *c, const struct conf_authority *a);

/* The newest of the line that a is of, when that is another: who is to issue
 * after it. NULL: a is the newest, or that one is revoked or has expired by
 * now_s (0: the latter is not asked). */
const struct authority *generations_next(struct authorities *all,
        const struct conf *conf, const struct authority *a, int64_t now_s);
/* What SCEP tells of next (RFC 8894 section 4.7.1): it and what stands above it.
 * Views of its set. RC_TOOBIG */
MUST_CHECK enum rc generations_next_certs(
        struct bytes certs[GENERATIONS_CERTS_MAX], size_t *n,
        const struct authority *next);
/* Append that as certs-only CMS: always the same. RC_TOOBIG RC_NOMEM */
MUST_CHECK enum rc generations_put_next(
        struct buf *out, const struct authority *next);

/* What a client of a is given (RFC 7030 section 4.1.3, RFC 4210 section 4.4): a
 * and what stands above it, issuer first; then the other generations, newest
 * first, each with what stands above it; then the cross certificates; nothing
 * twice. Left out are other generations that have expired or are revoked, and
 * what crosses to them. Views of a's set. Errors: RC_TOOBIG. */
MUST_CHECK enum rc generations_certs(struct bytes certs[GENERATIONS_CERTS_MAX],
        size_t *n, struct authorities *all, const struct conf *conf,
        const struct authority *a, int64_t now_s);

#endif
