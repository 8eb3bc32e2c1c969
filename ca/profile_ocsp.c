/* The profile of an OCSP responder's certificate (RFC 6960 section 4.2.2.2): no
 * CA, for that purpose alone, and so short-lived that nobody need ask whether
 * it was revoked (id-pkix-ocsp-nocheck, section 4.2.2.2.1). */
#include "ca/profile_compile.h"
#include "storage/store.h"
#include <stdio.h>

#define OCSP_BACKDATE_S 300 /* the default of every profile */

static const char *OCSP_USAGE[] = { "digitalSignature" };
static const char *OCSP_EKU[] = { "ocsp_signing" };

void ocsp_profile_init(
        struct ocsp_profile *o, const struct conf_authority *authority)
{
	*o = (struct ocsp_profile){ .used = authority->ocsp_key ==
		        CONF_OCSP_RESPONDER };
	if (!o->used)
		return;
	(void)snprintf(o->cn_text, sizeof o->cn_text, "OCSP responder %.49s",
	        authority->name);
	o->cn = (struct conf_attribute){ "CN", o->cn_text };
	o->conf = (struct conf_profile){
		/* No name of the configuration has an `@`. */
		.name = STORE_PROFILE_RESPONDER,
		.keys = CONF_KEY_P256,
		.validity_s = PROFILE_OCSP_SPARE_S + authority->ocsp_valid_s,
		.backdate_s = OCSP_BACKDATE_S,
		.subject = &o->cn,
		.n_subject = 1,
		.key_usage = OCSP_USAGE,
		.n_key_usage = sizeof OCSP_USAGE / sizeof *OCSP_USAGE,
		.eku = OCSP_EKU,
		.n_eku = sizeof OCSP_EKU / sizeof *OCSP_EKU,
		.basic_constraints = true,
		.subject_key_id = true,
	};
}
