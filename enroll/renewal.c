#include "enroll/renewal.h"

#include "base/text.h"
#include "ca/profile.h"
#include "der/name.h"

enum rc renewal_check_time(const struct conf_profile *profile,
        const struct cert *old, int64_t now_s, struct why *why)
{
	int64_t from_s = profile_renew_from_s(
	        profile, old->not_before_s, old->not_after_s);
	char when[TEXT_TIME_BYTES];

	if (now_s < old->not_before_s)
		return why_set(why, RC_DENIED,
		        "the certificate is not valid before %s",
		        text_time(when, old->not_before_s));
	if (now_s < from_s)
		return why_set(why, RC_DENIED,
		        "the certificate can be renewed from %s on",
		        text_time(when, from_s));
	if (now_s > old->not_after_s &&
	        now_s - old->not_after_s > profile->renew_grace_s)
		return why_set(why, RC_DENIED,
		        "the certificate expired at %s, longer ago than the "
		        "grace for renewal",
		        text_time(when, old->not_after_s));
	return RC_OK;
}

static bool attrs_equal(const struct name_attr *a, const struct name_attr *b)
{
	struct buf x = BUF_INIT(NAME_MAX_BYTES);
	struct buf y = BUF_INIT(NAME_MAX_BYTES);
	bool equal = false;

	if (bytes_eq(a->oid, b->oid) && name_attr_text(&x, a) == RC_OK &&
	        name_attr_text(&y, b) == RC_OK)
		equal = bytes_eq(buf_bytes(&x), buf_bytes(&y));
	buf_free(&x);
	buf_free(&y);
	return equal;
}

static bool name_has(struct bytes name, const struct name_attr *attr)
{
	struct name_walk walk = name_walk(name);
	struct name_attr other;

	while (name_next(&walk, &other)) {
		if (attrs_equal(&other, attr))
			return true;
	}
	return false;
}

static bool name_within(struct bytes a, struct bytes b)
{
	struct name_walk walk = name_walk(a);
	struct name_attr attr;

	while (name_next(&walk, &attr)) {
		if (!name_has(b, &attr))
			return false;
	}
	return true;
}

static bool san_has(const struct san_list *list, struct bytes name)
{
	for (size_t i = 0; i < list->n; i++) {
		if (bytes_eq(list->entries[i].full, name))
			return true;
	}
	return false;
}

static bool san_within(const struct san_list *a, const struct san_list *b)
{
	for (size_t i = 0; i < a->n; i++) {
		if (!san_has(b, a->entries[i].full))
			return false;
	}
	return true;
}

enum rc renewal_check_names(const struct cert *old, struct bytes subject,
        const struct san_list *sans, struct why *why)
{
	const struct cert_ext *san = cert_ext(old, OID_SUBJECT_ALT_NAME);
	struct san_list had = { .n = 0 };
	enum rc rc = RC_OK;

	if (!name_within(subject, old->subject))
		return why_set(why, RC_DENIED,
		        "the request's subject names what the certificate it "
		        "renews does not (RFC 7030 section 4.2.2)");
	if (san != NULL)
		rc = san_parse(&had, san->value, why);
	if (rc != RC_OK)
		return why_prefix(why, RC_DENIED, "the certificate it renews");
	if (!san_within(sans, &had))
		return why_set(why, RC_DENIED,
		        "the request's subjectAltName names what the "
		        "certificate it renews does not (RFC 7030 section "
		        "4.2.2)");
	return RC_OK;
}
