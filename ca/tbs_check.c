/* ca/tbs_check.c - hold a TBSCertificate against a key's policy. */
#include "ca/tbs_check.h"

#include "ca/tbs_names.h"
#include "ca/tbs_read.h"
#include "der/oid.h"
#include "der/reader.h"
#include "der/time.h"

#define PROFILE_SHOWN_BYTES 64 /* of a shape's name, in a clause */

static bool has_ext(const struct tbs_view *v, enum oid oid)
{
	for (size_t i = 0; i < v->n_ext; i++)
		if (oid_is(v->ext[i].oid, oid))
			return true;
	return false;
}

/* RFC 5280 sections 4.2.1.3, 4.2.1.9 to 4.2.1.11, 4.2.1.14 and 4.2.1.5 */
static enum rc refuse_ca(const struct tbs_view *v, struct why *why)
{
	static const enum oid ca_only[] = { OID_NAME_CONSTRAINTS,
		OID_POLICY_MAPPINGS, OID_POLICY_CONSTRAINTS,
		OID_INHIBIT_ANY_POLICY };

	if (v->ca)
		return DENIED(why, "basicConstraints: a CA certificate");
	if (v->path_len)
		return DENIED(
		        why, "basicConstraints: pathLenConstraint is for CAs");
	if (v->key_usage & TBS_KEY_CERT_SIGN)
		return DENIED(why, "keyUsage: keyCertSign is for CAs");
	if (v->key_usage & TBS_CRL_SIGN)
		return DENIED(why, "keyUsage: cRLSign is for CAs");
	for (size_t i = 0; i < sizeof(ca_only) / sizeof(*ca_only); i++)
		if (has_ext(v, ca_only[i]))
			return DENIED(why, "extension %s is for CAs",
			        oid_name(ca_only[i]));
	return RC_OK;
}

/* What speaks for the authority itself: an OCSP responder (RFC 6960 section
 * 4.2.2.2), a registration authority and its like (RFC 6402 section 2.10, RFC
 * 8295's key generation). */
static enum rc refuse_not_held(const struct tbs_view *v, struct why *why)
{
	static const enum oid ours[] = { OID_KP_OCSP_SIGNING, OID_KP_CMC_RA,
		OID_KP_CMC_CA, OID_KP_CMC_ARCHIVE, OID_KP_CM_KGA };

	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		if (tbs_has_eku(v, oid_bytes(ours[i])))
			return DENIED(why,
			        "extKeyUsage %s for a key that the signer does "
			        "not hold",
			        oid_name(ours[i]));
	if (has_ext(v, OID_OCSP_NOCHECK))
		return DENIED(why,
		        "id-pkix-ocsp-nocheck for a key that the signer does "
		        "not hold");
	return RC_OK;
}

static enum rc check_head(const struct tbs_policy *p, const struct tbs_view *v,
        int64_t now_s, struct why *why)
{
	/* Ours are never shorter; RFC 5280 section 4.1.2.2 has positive ones of
	 * at most 20 octets. */
	if (v->serial.n != TBS_SERIAL_BYTES || v->serial.p[0] >= 0x80 ||
	        v->serial.p[0] == 0)
		return DENIED(why, "serialNumber is not %d positive octets",
		        TBS_SERIAL_BYTES);
	if (!bytes_eq(v->sig_alg, p->sig_alg))
		return DENIED(why, "signature is not the key's algorithm");
	if (!bytes_eq(v->issuer, p->issuer))
		return DENIED(why, "issuer is not the key's");
	if (v->not_before_s < p->not_before_s)
		return DENIED(why, "notBefore is before the issuer's");
	if (v->not_before_s > now_s + TBS_FUTURE_MAX_S)
		return DENIED(why, "notBefore lies in the future");
	if (v->not_after_s > p->not_after_s && v->not_after_s != TIME_NEVER_S)
		return DENIED(why, "notAfter is past the issuer's");
	return RC_OK;
}

static bool eku_is_listed(const struct tbs_shape *s, struct bytes oid)
{
	for (size_t i = 0; i < s->n_eku; i++)
		if (bytes_eq(s->eku[i].oid, oid))
			return true;
	return false;
}

static enum rc check_eku(
        const struct tbs_shape *s, const struct tbs_view *v, struct why *why)
{
	struct bytes oid;
	struct der d;
	enum rc rc;

	/* Absent, it would mean any purpose (RFC 5280 section 4.2.1.12). */
	if (!v->eku)
		return s->n_eku == 0 ? RC_OK
		                     : DENIED(why, "extKeyUsage is missing");
	rc = der_open(v->eku->value, DER_SEQUENCE, &d, "extKeyUsage", why);
	while (!rc && der_more(&d)) {
		rc = der_oid(&d, &oid, "extKeyUsage", why);
		if (!rc && !eku_is_listed(s, oid))
			rc = DENIED(why,
			        "extKeyUsage: %s is outside the profile",
			        tbs_oid_label(oid));
	}
	for (size_t i = 0; i < s->n_eku && !rc; i++)
		if (s->eku[i].required && !tbs_has_eku(v, s->eku[i].oid))
			rc = DENIED(why, "extKeyUsage: %s is missing",
			        tbs_oid_label(s->eku[i].oid));
	if (!rc && v->eku->critical != s->eku_critical)
		rc = DENIED(why,
		        "extKeyUsage: critical is not as the profile "
		        "has it");
	return rc;
}

/* keyUsage and basicConstraints */
static enum rc check_usage(
        const struct tbs_shape *s, const struct tbs_view *v, struct why *why)
{
	if (v->ku && (v->key_usage & ~s->key_usage))
		return DENIED(why, "keyUsage: a bit outside the profile");
	if (!v->ku && s->key_usage)
		return DENIED(why, "keyUsage is missing");
	if (v->ku && !v->ku->critical) /* RFC 5280 section 4.2.1.3 */
		return DENIED(why, "keyUsage is not critical");
	if (v->bc && !s->basic_constraints)
		return DENIED(why, "basicConstraints is outside the profile");
	if (!v->bc && s->basic_constraints)
		return DENIED(why, "basicConstraints is missing");
	return RC_OK;
}

static const struct tbs_view_ext *view_ext(
        const struct tbs_view *v, struct bytes oid)
{
	for (size_t i = 0; i < v->n_ext; i++)
		if (bytes_eq(v->ext[i].oid, oid))
			return &v->ext[i];
	return NULL;
}

static const struct tbs_ext *shape_ext(
        const struct tbs_shape *s, struct bytes oid)
{
	for (size_t i = 0; i < s->n_ext; i++)
		if (bytes_eq(s->ext[i].oid, oid))
			return &s->ext[i];
	return NULL;
}

static unsigned number_at(const uint8_t *p)
{
	unsigned number = 0;

	for (int i = 0; i < TBS_NUMBER_DIGITS; i++) {
		if (p[i] < '0' || p[i] > '9')
			return 0;
		number = 10 * number + (unsigned)(p[i] - '0');
	}
	return number;
}

/* The value, with the same number from 1 to e->numbers in all its places. */
static bool value_fits(const struct tbs_ext *e, struct bytes value)
{
	const struct bytes hole = BYTES_LIT(TBS_NUMBER_TO_COME);
	unsigned number = 0, here;

	if (e->numbers == 0 || value.n != e->value.n)
		return bytes_eq(value, e->value);
	for (size_t i = 0; i < value.n; i++) {
		if (!bytes_starts(bytes_skip(e->value, i), hole)) {
			if (value.p[i] != e->value.p[i])
				return false;
			continue;
		}
		here = number_at(value.p + i);
		if (here == 0 || here > e->numbers ||
		        (number != 0 && here != number))
			return false;
		number = here;
		i += TBS_NUMBER_DIGITS - 1;
	}
	return true;
}

static enum rc check_ext(
        const struct tbs_shape *s, const struct tbs_view *v, struct why *why)
{
	for (size_t i = 0; i < v->n_ext; i++) {
		const struct tbs_view_ext *e = &v->ext[i];
		const struct tbs_ext *allowed = shape_ext(s, e->oid);

		if (e == v->bc || e == v->ku || e == v->eku || e == v->san)
			continue;
		if (!allowed)
			return DENIED(why,
			        "extension %s is outside the profile",
			        tbs_oid_label(e->oid));
		if (e->critical != allowed->critical)
			return DENIED(why,
			        "extension %s: critical is not as the profile "
			        "has it",
			        tbs_oid_label(e->oid));
		if (allowed->fixed && !value_fits(allowed, e->value))
			return DENIED(why,
			        "extension %s is not as the profile has it",
			        tbs_oid_label(e->oid));
	}
	for (size_t i = 0; i < s->n_ext; i++)
		if (s->ext[i].required && !view_ext(v, s->ext[i].oid))
			return DENIED(why, "extension %s is missing",
			        tbs_oid_label(s->ext[i].oid));
	return RC_OK;
}

static enum rc check_validity(
        const struct tbs_shape *s, const struct tbs_view *v, struct why *why)
{
	if (v->not_after_s == TIME_NEVER_S) {
		if (!s->never)
			return DENIED(
			        why, "notAfter: never is not for this profile");
		return RC_OK;
	}
	/* Both ends belong to it (RFC 5280 section 4.1.2.5). */
	if (v->not_after_s - v->not_before_s + 1 > s->max_validity_s)
		return DENIED(why, "validity is longer than the profile's");
	return RC_OK;
}

typedef enum rc shape_check(
        const struct tbs_shape *s, const struct tbs_view *v, struct why *why);

/* Whose public key it is. */
struct holder {
	tbs_held_fn *held;
	void *ctx;
	bool is_held;
};

/* *steps says how many rules were met. */
static enum rc check_shape(const struct tbs_shape *s, const struct tbs_view *v,
        const struct holder *k, unsigned *steps, struct why *why)
{
	static shape_check *const checks[] = { tbs_check_subject, tbs_check_san,
		check_eku, check_usage, check_ext, check_validity };
	enum rc rc = RC_OK;

	*steps = 0;
	if (s->held_only && !k->is_held)
		return DENIED(why, "a key that the signer does not hold");
	if (s->key_name.n > 0 && !k->held(k->ctx, s->key_name, v->spki.der))
		return DENIED(why, "not the key that it is for");
	while (!rc && *steps < sizeof(checks) / sizeof(*checks)) {
		rc = checks[*steps](s, v, why);
		(*steps)++;
	}
	return rc;
}

static enum rc check_shapes(const struct tbs_policy *p,
        const struct tbs_view *v, const struct holder *k, struct why *why)
{
	const struct tbs_shape *best = NULL;
	unsigned best_steps = 0, steps;
	struct bytes shown;
	enum rc rc;

	for (size_t i = 0; i < p->n_shapes; i++) {
		/* Without a clause: most shapes are of other profiles. */
		if (!check_shape(&p->shapes[i], v, k, &steps, NULL))
			return RC_OK;
		if (!best || steps > best_steps) {
			best = &p->shapes[i];
			best_steps = steps;
		}
	}
	if (!best)
		return DENIED(why, "the key signs for no profile");
	rc = check_shape(best, v, k, &steps, why);
	shown = bytes_slice(best->name, 0, PROFILE_SHOWN_BYTES);
	return why_prefix(
	        why, rc, "profile %.*s", (int)shown.n, (const char *)shown.p);
}

enum rc tbs_check(const struct tbs_policy *p, struct bytes tbs, int64_t now_s,
        tbs_held_fn *held, void *ctx, struct why *why)
{
	struct holder k = { held, ctx, false };
	struct tbs_view v;
	enum rc rc = tbs_read(&v, tbs, why);

	if (rc)
		return rc;
	rc = refuse_ca(&v, why);
	if (rc)
		return rc;
	k.is_held = held(ctx, BYTES_NONE, v.spki.der);
	if (!k.is_held)
		rc = refuse_not_held(&v, why);
	if (!rc)
		rc = check_head(p, &v, now_s, why);
	if (!rc)
		rc = check_shapes(p, &v, &k, why);
	return rc;
}
