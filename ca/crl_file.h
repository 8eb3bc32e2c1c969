/* ca/crl_file.h - a published CRL as a file: put together from a TBS that stands
 * in a memfd, checked as a stranger would, and given its name. Blocks on the
 * disk: for a thread of its own. For crl_run.c, and for who looks at a file. */
#ifndef MICA_CA_CRL_FILE_H
#define MICA_CA_CRL_FILE_H

#include "ca/authority.h"
#include "ca/crl.h"

struct crl_file {
	/* in */
	int dir;
	const char *name;              /* that readers see */
	const char *temp;              /* until it is published */
	int memfd;                     /* holds the TBS */
	uint64_t tbs_at, tbs_bytes;    /* where in it */
	struct bytes signature;        /* the BIT STRING's content */
	const struct crl_frame *frame; /* what it must say */
	const struct authority *authority;
	uint64_t count; /* of entries, by the store */
	/* out */
	uint64_t bytes;
	uint8_t hash[STORE_HASH_BYTES]; /* SHA-256 of the file */
};

/* The number of the CRL that stands under that name; 0 when there is none, or
 * none by that authority. */
uint64_t crl_file_number(
        int dir, const char *name, const struct authority *authority);
/* Write the temporary file, durably. Errors: RC_IO RC_TOOBIG RC_NOMEM. */
MUST_CHECK enum rc crl_file_write(struct crl_file *f, struct why *why);
/* Read it again: form, issuer, number, dates, entries and their count, the
 * signature by the certificate's key; fills bytes and hash. Errors: RC_INTERNAL
 * (it is not what it must be) RC_IO RC_NOMEM. */
MUST_CHECK enum rc crl_file_check(struct crl_file *f, struct why *why);
/* Give it its name, durably; *fd is the file, open to read. RC_IO. */
MUST_CHECK enum rc crl_file_publish(
        struct crl_file *f, int *fd, struct why *why);
void crl_file_drop(const struct crl_file *f); /* the temporary one */

/* Is what stands in fd the CRL that is on record? Reads all of it.
 * RC_CONFLICT: no. RC_IO RC_NOMEM. */
MUST_CHECK enum rc crl_file_matches(
        int fd, const struct store_crl *crl, struct why *why);

#endif
