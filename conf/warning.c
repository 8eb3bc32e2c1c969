/* What a configuration allows and should not for long. */
#include "conf/conf.h"

#include <stdio.h>

static void of_challenge(
        const struct conf *c, const struct conf_label *l, char *out)
{
	(void)snprintf(out, CONF_WARNING_BYTES,
	        "SCEP label \"%s\" has a shared challenge (legacy): who knows "
	        "it enrols as any device that has had no certificate, %s%s",
	        l->label,
	        l->approve == CONF_APPROVE_MANUAL
	                ? "once an operator approves"
	                : "and no operator looks (approve: auto)",
	        c->limits.scep_rate_per_address == 0
	                ? "; it may be guessed at any speed "
	                  "(limits.scep_rate_per_address: 0)"
	                : "");
}

bool conf_warning(const struct conf *c, size_t i, char out[CONF_WARNING_BYTES])
{
	for (size_t k = 0; k < c->n_scep; k++) {
		const struct conf_label *l = &c->scep[k];

		if ((l->legacy & CONF_LEGACY_SHARED_CHALLENGE) == 0 || i-- > 0)
			continue;
		of_challenge(c, l, out);
		return true;
	}
	return false;
}
