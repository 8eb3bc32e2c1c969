/* The profile of the certificate of an SCEP registration authority (RFC 8894
 * section 2.2): clients know it by its key usage, and by being no CA. */
#include "ca/profile_compile.h"
#include <stdio.h>

/* No name of the configuration has an `@`. */
#define RA_PROFILE_NAME "@ra"
#define RA_BACKDATE_S 300 /* the default of every profile */

static const char *RA_USAGE[] = { "digitalSignature", "keyEncipherment" };

void ra_profile_init(
        struct ra_profile *r, const struct conf_authority *authority)
{
	*r = (struct ra_profile){ .used = authority->ra_key != NULL };
	if (!r->used)
		return;
	(void)snprintf(r->cn_text, sizeof r->cn_text, "SCEP RA %.49s",
	        authority->name);
	(void)snprintf(r->device, sizeof r->device, RA_DEVICE_PREFIX "%s",
	        authority->name);
	r->cn = (struct conf_attribute){ "CN", r->cn_text };
	r->conf = (struct conf_profile){
		.name = RA_PROFILE_NAME,
		.keys = CONF_KEY_RSA2048 | CONF_KEY_RSA3072 | CONF_KEY_RSA4096,
		.validity_s = authority->ra_validity_s,
		.backdate_s = RA_BACKDATE_S,
		.subject = &r->cn,
		.n_subject = 1,
		.key_usage = RA_USAGE,
		.n_key_usage = sizeof RA_USAGE / sizeof *RA_USAGE,
		.subject_key_id = true,
	};
	r->own = (struct conf_code){
		.name = r->device,
		.key = authority->ra_key,
		.authority = authority,
		.profile = &r->conf,
		.device = r->device,
	};
}
