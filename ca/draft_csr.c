#include "ca/draft_csr.h"
#include "ca/cert.h"
#include "der/name.h"
#include "der/oid.h"
#include "der/reader.h"

/* Longer than any attribute's upper bound, in UTF-8. */
#define ATTR_TEXT_MAX_BYTES 4096

/* An attribute as text. Ours are UTF8String, PrintableString and IA5String,
 * whose octets are UTF-8 already; a request may bring others. */
static enum rc attr_text(
        struct buf *scratch, const struct name_attr *a, struct bytes *out)
{
	enum rc rc;

	if (a->tag == DER_UTF8_STRING || a->tag == DER_PRINTABLE_STRING ||
	        a->tag == DER_IA5_STRING) {
		*out = a->value;
		return RC_OK;
	}
	buf_reset(scratch);
	rc = name_attr_text(scratch, a);
	*out = buf_bytes(scratch);
	return rc;
}

/* The refusal names both: what was asked for, and what would be given. */
static enum rc differs(const struct name_attr *asked, struct bytes text,
        struct bytes given, struct why *why)
{
	enum oid oid = oid_find(asked->oid);

	return why_set(why, RC_DENIED,
	        "the request's subject has %s \"%.*s\", to be issued is "
	        "\"%.*s\"",
	        oid == OID_NONE ? "an attribute" : oid_name(oid), (int)text.n,
	        (const char *)text.p, (int)given.n, (const char *)given.p);
}

static enum rc check_attr(struct buf *scratch, const struct draft *d,
        const struct name_attr *asked, struct why *why)
{
	struct bytes text, given = BYTES_NONE, subject;
	struct name_attr a;
	unsigned nth;
	enum rc rc = attr_text(scratch, asked, &text);

	subject = buf_bytes(&d->names.subject);
	for (nth = 0; rc == RC_OK && name_get(subject, asked->oid, nth, &a);
	        nth++) {
		given = a.value; /* written by us: UTF-8 */
		if (bytes_eq(given, text))
			return RC_OK;
	}
	return rc == RC_OK ? differs(asked, text, given, why) : rc;
}

static enum rc check_subject(
        const struct draft *d, const struct draft_input *in, struct why *why)
{
	struct buf scratch = BUF_INIT(ATTR_TEXT_MAX_BYTES);
	struct name_walk w = name_walk(csr_subject(in->csr));
	struct name_attr a;
	enum rc rc = RC_OK;

	while (rc == RC_OK && name_next(&w, &a))
		if (profile_identifies(in->profile, a.oid))
			rc = check_attr(&scratch, d, &a, why);
	buf_free(&scratch);
	return rc == RC_TOOBIG ? RC_DENIED : rc;
}

static bool same_name(const struct san *asked, const struct der_item *given)
{
	struct bytes full = given->full;

	/* The case of a DNS name says nothing (RFC 4343). */
	if (asked->kind == SAN_DNS)
		return bytes_eq_nocase(asked->full, full);
	return bytes_eq(asked->full, full);
}

static bool san_is_resolved(const struct draft *d, const struct san *asked)
{
	struct der names = der_of(buf_bytes(&d->names.san));
	struct der_item given;

	while (der_more(&names) &&
	        der_next(&names, &given, "GeneralName", NULL) == RC_OK)
		if (same_name(asked, &given))
			return true;
	return false;
}

static enum rc check_sans(
        const struct draft *d, const struct draft_input *in, struct why *why)
{
	const struct san_list *asked = csr_sans(in->csr);
	size_t i;

	for (i = 0; i < asked->n; i++) {
		struct buf text = BUF_INIT(WHY_MAX_BYTES);

		if (san_is_resolved(d, &asked->entries[i]))
			continue;
		if (san_text(&text, &asked->entries[i]) != RC_OK)
			buf_reset(&text);
		why_set(why, RC_DENIED,
		        "the request asks for the alternative name %s "
		        "\"%.*s\", which was not granted",
		        san_kind_name(asked->entries[i].kind), (int)text.n,
		        (const char *)text.p);
		buf_free(&text);
		return RC_DENIED;
	}
	return RC_OK;
}

static enum rc check_purposes(const struct draft_input *in, struct why *why)
{
	struct bytes oid;
	unsigned nth;

	for (nth = 0; csr_eku(in->csr, nth, &oid); nth++) {
		enum oid known = oid_find(oid);

		if (!profile_has_eku(in->profile, oid))
			return why_set(why, RC_DENIED,
			        "the request asks for the purpose %s, which "
			        "profile %s does not give",
			        known == OID_NONE ? "(unknown)"
			                          : oid_name(known),
			        profile_conf(in->profile)->name);
	}
	return RC_OK;
}

static enum rc check_ca(const struct draft_input *in, struct why *why)
{
	uint32_t usage;

	if (csr_wants_ca(in->csr))
		return why_set(why, RC_DENIED,
		        "the request asks for a CA certificate (RFC 5280 "
		        "section 4.2.1.9)");
	if (csr_key_usage(in->csr, &usage) &&
	        (usage & (USAGE_KEY_CERT_SIGN | USAGE_CRL_SIGN)) != 0)
		return why_set(why, RC_DENIED,
		        "the request asks for a CA's key usage (RFC 5280 "
		        "section 4.2.1.3)");
	return RC_OK;
}

enum rc draft_check_csr(
        const struct draft *d, const struct draft_input *in, struct why *why)
{
	enum rc rc = check_ca(in, why);

	if (rc == RC_OK)
		rc = check_purposes(in, why);
	if (rc == RC_OK)
		rc = check_subject(d, in, why);
	if (rc == RC_OK)
		rc = check_sans(d, in, why);
	return rc;
}
