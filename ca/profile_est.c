/* The profile of the EST listener's own TLS certificate: as a server it needs
 * serverAuth, as an EST server that stands for its CA, cmcRA (RFC 7030 section
 * 3.6.1, RFC 6402 section 2.10). */
#include "ca/profile_compile.h"
#include "ca/san_write.h"
#include <stdlib.h>
#include <string.h>

/* No name of the configuration has an `@`. */
#define EST_PROFILE_NAME "@est"
#define EST_BACKDATE_S 300 /* the default of every profile */
#define CN_MAX_BYTES 64    /* ub-common-name, RFC 5280 appendix A.1 */

static const char *EST_USAGE[] = { "digitalSignature" };
static const char *EST_EKU[] = { "server_auth", "1.3.6.1.5.5.7.3.28" };

static enum conf_san_kind kind_of(const char *name)
{
	uint8_t ip[SAN_IP_MAX_BYTES];

	return san_ip_octets(bytes_str(name), ip) > 0 ? CONF_SAN_IP
	                                              : CONF_SAN_DNS;
}

enum rc est_profile_init(
        struct est_profile *e, const struct conf *conf, struct why *why)
{
	const struct conf_listen *l = &conf->listen;
	size_t i;

	*e = (struct est_profile){ 0 };
	if (l->est[0] == '\0' || l->est_certificate.path != NULL ||
	        l->est_authority == NULL)
		return RC_OK;
	if (l->n_est_names == 0)
		return why_set(why, RC_CONFIG,
		        "listen.est.names: a server certificate needs a name");
	e->san = calloc(l->n_est_names, sizeof *e->san);
	if (e->san == NULL)
		return RC_NOMEM;
	for (i = 0; i < l->n_est_names; i++) {
		e->san[i].kind = kind_of(l->est_names[i]);
		e->san[i].value = l->est_names[i];
	}
	e->used = true;
	e->cn = (struct conf_attribute){ "CN", l->est_names[0] };
	e->conf = (struct conf_profile){
		.name = EST_PROFILE_NAME,
		.keys = CONF_KEY_P256,
		.validity_s = l->est_validity_s,
		.backdate_s = EST_BACKDATE_S,
		.subject = &e->cn,
		.n_subject = strlen(l->est_names[0]) <= CN_MAX_BYTES,
		.san = e->san,
		.n_san = l->n_est_names,
		.key_usage = EST_USAGE,
		.n_key_usage = sizeof EST_USAGE / sizeof *EST_USAGE,
		.eku = EST_EKU,
		.n_eku = sizeof EST_EKU / sizeof *EST_EKU,
		.subject_key_id = true,
	};
	return RC_OK;
}

void est_profile_clear(struct est_profile *e)
{
	free(e->san);
}
