#include "ca/draft.h"
#include "ca/draft_csr.h"
#include "ca/keypolicy.h"
#include "ca/lint.h"
#include "base/pack.h"

#define REQUEST_MAX_BYTES 65536 /* what a request hash is taken over */

void draft_free(struct draft *d)
{
	profile_names_free(&d->names);
	buf_free(&d->tbs);
}

static enum rc check_key(const struct draft_input *in, struct why *why)
{
	const struct conf_profile *conf = profile_conf(in->profile);

	if ((keypolicy_type(in->spki) & conf->keys) == 0)
		return why_set(why, RC_DENIED,
		        "profile %s does not take %s keys of %u bits",
		        conf->name, key_type_name(in->spki->type),
		        in->spki->bits);
	return RC_OK;
}

static enum rc build(struct draft *d, const struct draft_input *in,
        struct digest *digest, struct why *why)
{
	const struct authority *a = profile_authority(in->profile);
	const struct tbs_input tbs = {
		.serial = d->serial,
		.validity = d->validity,
		.names = &d->names,
		.spki = in->spki,
	};
	enum rc rc;

	buf_reset(&d->tbs);
	rc = tbs_build(&d->tbs, in->profile, &tbs, digest);
	if (rc != RC_OK)
		return why_set(why, rc, "the TBS could not be built");
	return lint_tbs(buf_bytes(&d->tbs), a->sig_alg, a->subject, why);
}

enum rc draft_make(struct draft *d, const struct draft_input *in,
        struct digest *digest, struct why *why)
{
	enum rc rc = check_key(in, why);

	if (rc == RC_OK)
		rc = profile_resolve(
		        &d->names, in->profile, in->device, in->names, why);
	if (rc == RC_OK && in->csr != NULL)
		rc = draft_check_csr(d, in, why);
	if (rc == RC_OK)
		rc = tbs_validity(&d->validity, in->profile,
		        in->now_us / 1000000, in->max_validity_s, why);
	if (rc != RC_OK)
		return rc;
	serial_make(d->serial, in->now_us);
	return build(d, in, digest, why);
}

enum rc draft_request_hash(uint8_t out[DIGEST_SHA256_BYTES],
        const struct draft *d, const struct draft_input *in,
        const struct store_credential *credential, struct digest *digest)
{
	struct buf b = BUF_INIT(REQUEST_MAX_BYTES);
	enum rc rc;

	pack_str(&b, in->device);
	/* A retry is one across a rollover, too. */
	pack_bytes(&b,
	        BYTES_ARRAY(profile_authority(in->profile)->first->cert_hash));
	pack_str(&b, profile_conf(in->profile)->name);
	pack_bytes(&b, in->spki->der);
	pack_bytes(&b, buf_bytes(&d->names.subject));
	pack_bytes(&b, buf_bytes(&d->names.san));
	pack_u32(&b, credential->kind);
	pack_raw(&b, BYTES_ARRAY(credential->hash));
	pack_u32(&b, credential->cert.authority);
	pack_raw(&b, BYTES_ARRAY(credential->cert.serial));
	if (in->transaction != NULL && in->transaction[0] != '\0')
		pack_str(&b, in->transaction);
	rc = b.failed;
	if (rc == RC_OK)
		rc = digest_sha256(digest, buf_bytes(&b), out);
	buf_free(&b);
	return rc;
}
