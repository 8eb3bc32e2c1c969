/* ca/profile_parts.h - what a compiled profile consists of; for profile.c,
 * profile_names.c, tbs.c and policy.c alone. */
#ifndef MICA_CA_PROFILE_PARTS_H
#define MICA_CA_PROFILE_PARTS_H

#include "ca/crl.h"
#include "ca/profile.h"
#include "ca/san.h"
#include "der/reader.h"

enum template_var {
	VAR_NONE,
	VAR_DEVICE,
	VAR_DNS,
	VAR_IP,
	VAR_EMAIL,
	VAR_URI,
};
#define VAR_BIT(var) (1u << (var))

/* Literal text around at most one variable; borrowed from the configuration. */
struct name_template {
	struct bytes head, tail; /* without a variable, all is head */
	enum template_var var;
};

struct oid_value {
	uint8_t n;
	uint8_t b[DER_OID_MAX_BYTES];
};
struct bytes oid_value_bytes(const struct oid_value *oid);

struct profile_attr {
	struct oid_value oid;
	struct name_template text;
};

struct profile_san {
	enum san_kind kind;
	struct oid_value oid; /* hwType, or the assigner (may be empty) */
	struct name_template text;
};

struct profile {
	const struct conf_profile *conf;
	const struct authority *authority;
	bool system; /* may have the EKUs of our own services */
	/* The code key, or registration authority's, that it is for, under this
	 * authority; NULL: it is for no one key. */
	const struct conf_code *code;
	struct profile_attr *subject;
	size_t n_subject;
	struct profile_san *san;
	size_t n_san;
	struct oid_value *eku;
	size_t n_eku;
	uint32_t key_usage;
	/* VAR_BITs of the lists that have a place */
	unsigned subject_vars, san_vars;
	/* The whole Name when no attribute has a variable; else empty. */
	struct buf subject_der;
	/* Constant runs of the TBS: signature and issuer; the extensions
	 * before subjectAltName; those behind it. */
	struct buf run_issuer, run_head, run_tail;
	/* Where in run_head the subjectKeyIdentifier's octets go; 0: it has
	 * none. */
	size_t ski_at;
	/* Where in run_tail the digits of the shard go. */
	size_t shard_at[CRL_URLS_MAX];
	size_t n_shard_at;
};

/* profile_names.c */

/* Cut text at its variable. RC_CONFIG: unknown variable, or more than one. */
MUST_CHECK enum rc template_parse(
        struct name_template *out, const char *text, struct why *why);
/* Append one GeneralName; text must be of its form. RC_DENIED. */
MUST_CHECK enum rc profile_put_san(struct buf *out,
        const struct profile_san *san, struct bytes text, struct why *why);

#endif
