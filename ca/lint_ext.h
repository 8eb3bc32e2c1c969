/* ca/lint_ext.h - the lint of each extension's value; for lint.c alone. */
#ifndef MICA_CA_LINT_EXT_H
#define MICA_CA_LINT_EXT_H

#include "ca/cert.h"
#include "der/alg.h"

/* What an extension is held against, and what the next ones need of it. */
struct lint {
	const struct cert *cert;
	struct spki key;
	bool has_usage;
	uint32_t usage;
	bool ocsp_url; /* authorityInfoAccess names a responder */
};

/* One extension: its criticality, and its value. RC_INTERNAL. */
MUST_CHECK enum rc lint_extension(
        struct lint *l, const struct cert_ext *ext, struct why *why);

#endif
