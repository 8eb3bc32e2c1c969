/* Filling a profile's name templates for one certificate. */
#include "ca/profile_parts.h"
#include "ca/san_write.h"
#include "base/text.h"
#include "der/name.h"
#include <string.h>

#define TEXT_MAX_BYTES 4096 /* of one filled template */

static const struct var_name {
	const char *name;
	enum template_var var;
} VARS[] = {
	{ "device", VAR_DEVICE },
	{ "dns", VAR_DNS },
	{ "ip", VAR_IP },
	{ "email", VAR_EMAIL },
	{ "uri", VAR_URI },
};

static enum template_var var_find(struct bytes name)
{
	size_t i;

	for (i = 0; i < sizeof VARS / sizeof *VARS; i++)
		if (bytes_eq_str(name, VARS[i].name))
			return VARS[i].var;
	return VAR_NONE;
}

static const char *var_name(enum template_var var)
{
	size_t i;

	for (i = 0; i < sizeof VARS / sizeof *VARS; i++)
		if (VARS[i].var == var)
			return VARS[i].name;
	return "?";
}

/* The offset of the first "%{", or n. */
static size_t find_var(struct bytes text)
{
	size_t i;

	for (i = 0; i + 1 < text.n; i++)
		if (text.p[i] == '%' && text.p[i + 1] == '{')
			return i;
	return text.n;
}

enum rc template_parse(
        struct name_template *out, const char *text, struct why *why)
{
	struct bytes all = bytes_str(text), name;
	size_t at = find_var(all);

	*out = (struct name_template){ all, BYTES_NONE, VAR_NONE };
	if (at == all.n)
		return RC_OK;
	out->head = bytes_slice(all, 0, at);
	if (!bytes_cut(bytes_skip(all, at + 2), '}', &name, &out->tail))
		return why_set(why, RC_CONFIG, "\"%s\": no } after %%{", text);
	out->var = var_find(name);
	if (out->var == VAR_NONE)
		return why_set(why, RC_CONFIG,
		        "\"%s\": unknown variable; there are %%{device} "
		        "%%{dns} %%{ip} %%{email} %%{uri}",
		        text);
	if (find_var(out->tail) != out->tail.n)
		return why_set(
		        why, RC_CONFIG, "\"%s\": more than one variable", text);
	return RC_OK;
}

/* The values of a variable: how many, and the nth. */
static size_t list_count(enum template_var var, const struct grant_names *n)
{
	switch (var) {
	case VAR_DNS:
		return n ? n->n_dns : 0;
	case VAR_IP:
		return n ? n->n_ip : 0;
	case VAR_EMAIL:
		return n ? n->n_email : 0;
	case VAR_URI:
		return n ? n->n_uri : 0;
	case VAR_NONE:
	case VAR_DEVICE:
		break;
	}
	return 1;
}

static struct bytes list_value(enum template_var var, const char *device,
        const struct grant_names *n, size_t i)
{
	switch (var) {
	case VAR_DEVICE:
		return bytes_str(device);
	case VAR_DNS:
		return bytes_str(n->dns[i]);
	case VAR_IP:
		return bytes_str(n->ip[i]);
	case VAR_EMAIL:
		return bytes_str(n->email[i]);
	case VAR_URI:
		return bytes_str(n->uri[i]);
	case VAR_NONE:
		break;
	}
	return BYTES_NONE;
}

/* What has to be said about a value before it goes anywhere. */
static enum rc check_value(
        enum template_var var, struct bytes value, struct why *why)
{
	if (var != VAR_NONE && value.n == 0)
		return why_set(why, RC_DENIED,
		        "the profile needs %%{%s}, and the grant has none",
		        var_name(var));
	return RC_OK;
}

enum rc profile_put_san(struct buf *out, const struct profile_san *san,
        struct bytes text, struct why *why)
{
	uint8_t ip[SAN_IP_MAX_BYTES];
	struct bytes value = text;
	bool ok = text.n > 0;

	if (san->kind == SAN_DNS)
		ok = san_is_dns(text);
	else if (san->kind == SAN_EMAIL)
		ok = san_is_email(text);
	else if (san->kind == SAN_URI)
		ok = san_is_uri(text);
	else if (san->kind == SAN_PERMANENT_ID)
		ok = ok && text_is_utf8(text);
	else if (san->kind == SAN_IP)
		value = bytes_of(ip, san_ip_octets(text, ip));
	if (!ok || value.n == 0)
		return why_set(why, RC_DENIED,
		        "\"%.*s\" is not a %s name (RFC 5280 section "
		        "4.2.1.6)",
		        (int)text.n, (const char *)text.p,
		        san_kind_name(san->kind));
	san_put(out, san->kind, oid_value_bytes(&san->oid), value);
	return out->failed;
}

/* One entry of subjectAltName from one value. */
static enum rc add_san(struct buf *out, struct buf *scratch,
        const struct profile_san *san, struct bytes value, struct why *why)
{
	const struct name_template *t = &san->text;
	enum rc rc = check_value(t->var, value, why);

	if (rc != RC_OK)
		return rc;
	/* A device id is data: it may not become a wildcard, nor structure of
	 * a URI. Granted names are names already. */
	if (t->var == VAR_DEVICE && san->kind == SAN_DNS &&
	        memchr(value.p, '*', value.n) != NULL)
		return why_set(why, RC_DENIED,
		        "a device id with * cannot be a DNS name");
	buf_reset(scratch);
	buf_add(scratch, t->head);
	if (t->var == VAR_DEVICE && san->kind == SAN_URI)
		san_escape_uri(scratch, value);
	else
		buf_add(scratch, value);
	buf_add(scratch, t->tail);
	if (scratch->failed != RC_OK)
		return scratch->failed;
	return profile_put_san(out, san, buf_bytes(scratch), why);
}

static enum rc fill_san(struct profile_names *out, struct buf *scratch,
        const struct profile *p, const char *device,
        const struct grant_names *names, struct why *why)
{
	enum rc rc = RC_OK;
	size_t i, j;

	for (i = 0; i < p->n_san; i++) {
		const struct profile_san *san = &p->san[i];
		size_t n = list_count(san->text.var, names);

		for (j = 0; j < n && rc == RC_OK; j++)
			rc = add_san(&out->san, scratch, san,
			        list_value(san->text.var, device, names, j),
			        why);
	}
	return rc;
}

/* The subject with its variables: texts stand side by side in scratch, whose
 * memory may move until the last is written. */
static enum rc fill_subject(struct profile_names *out, struct buf *scratch,
        const struct profile *p, const char *device,
        const struct grant_names *names, struct why *why)
{
	struct name_part parts[PROFILE_SUBJECT_MAX];
	size_t ends[PROFILE_SUBJECT_MAX], start = 0, i;
	enum rc rc;

	buf_reset(scratch);
	for (i = 0; i < p->n_subject; i++) {
		const struct name_template *t = &p->subject[i].text;
		struct bytes value = BYTES_NONE;

		if (list_count(t->var, names) > 0)
			value = list_value(t->var, device, names, 0);
		rc = check_value(t->var, value, why);
		if (rc != RC_OK)
			return rc;
		buf_add(scratch, t->head);
		buf_add(scratch, value);
		buf_add(scratch, t->tail);
		ends[i] = scratch->n;
	}
	if (scratch->failed != RC_OK)
		return scratch->failed;
	for (i = 0; i < p->n_subject; i++) {
		parts[i].oid = oid_value_bytes(&p->subject[i].oid);
		parts[i].text =
		        bytes_slice(buf_bytes(scratch), start, ends[i] - start);
		start = ends[i];
	}
	rc = name_write(&out->subject, parts, p->n_subject, why);
	/* The profile was checked: what does not fit is the value. */
	return rc == RC_MALFORMED || rc == RC_TOOBIG ? RC_DENIED : rc;
}

/* Names that were granted but have no place would be lost without a word. */
static enum rc check_places(const struct profile *p,
        const struct grant_names *names, struct why *why)
{
	enum template_var var;

	for (var = VAR_DNS; var <= VAR_URI; var++) {
		size_t n = names ? list_count(var, names) : 0;
		bool placed = (p->san_vars & VAR_BIT(var)) != 0 ||
		        (n == 1 && (p->subject_vars & VAR_BIT(var)) != 0);

		if (n > 0 && !placed)
			return why_set(why, RC_DENIED,
			        "profile %s has no place for a granted %s name",
			        p->conf->name, var_name(var));
	}
	return RC_OK;
}

enum rc profile_resolve(struct profile_names *out, const struct profile *p,
        const char *device, const struct grant_names *names, struct why *why)
{
	struct buf scratch = BUF_INIT(TEXT_MAX_BYTES);
	enum rc rc;

	buf_reset(&out->subject);
	buf_reset(&out->san);
	rc = check_places(p, names, why);
	if (rc == RC_OK && p->subject_der.n > 0)
		buf_add(&out->subject, buf_bytes(&p->subject_der));
	else if (rc == RC_OK)
		rc = fill_subject(out, &scratch, p, device, names, why);
	if (rc == RC_OK)
		rc = fill_san(out, &scratch, p, device, names, why);
	if (rc == RC_OK)
		rc = out->subject.failed;
	/* RFC 5280 section 4.1.2.6: a subject, or a subjectAltName. */
	if (rc == RC_OK && p->n_subject == 0 && out->san.n == 0)
		rc = why_set(why, RC_DENIED,
		        "no name at all: the profile has no subject, and no "
		        "name was granted");
	buf_free(&scratch);
	return rc;
}

static enum rc check_subject(struct profile_names *n, struct buf *scratch,
        const struct profile *p, const char *device, struct why *why)
{
	enum rc rc = RC_OK;

	for (size_t i = 0; i < p->n_subject && rc == RC_OK; i++) {
		const struct name_template *t = &p->subject[i].text;
		struct name_part part = { .oid = oid_value_bytes(
			                          &p->subject[i].oid) };

		if (t->var != VAR_DEVICE)
			continue;
		buf_reset(scratch);
		buf_add(scratch, t->head);
		buf_add_str(scratch, device);
		buf_add(scratch, t->tail);
		part.text = buf_bytes(scratch);
		rc = scratch->failed;
		if (rc == RC_OK)
			rc = name_write(&n->subject, &part, 1, why);
	}
	return rc == RC_MALFORMED || rc == RC_TOOBIG ? RC_DENIED : rc;
}

enum rc profile_check_device(
        const struct profile *p, const char *device, struct why *why)
{
	struct profile_names n = PROFILE_NAMES_INIT;
	struct buf scratch = BUF_INIT(TEXT_MAX_BYTES);
	enum rc rc = check_subject(&n, &scratch, p, device, why);

	for (size_t i = 0; i < p->n_san && rc == RC_OK; i++)
		if (p->san[i].text.var == VAR_DEVICE)
			rc = add_san(&n.san, &scratch, &p->san[i],
			        bytes_str(device), why);
	buf_free(&scratch);
	profile_names_free(&n);
	return rc;
}

void profile_names_free(struct profile_names *n)
{
	buf_free(&n->subject);
	buf_free(&n->san);
}
