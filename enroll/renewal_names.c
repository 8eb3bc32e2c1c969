#include "ca/san_write.h"
#include "enroll/renewal.h"

#include <string.h>

/* Of all names of one certificate together. */
#define NAMES_MAX_BYTES 32768

static const struct kind {
	enum san_kind kind;
	enum conf_san_kind conf;
	const char *variable;
} kinds[] = {
	{ SAN_DNS, CONF_SAN_DNS, "%{dns}" },
	{ SAN_IP, CONF_SAN_IP, "%{ip}" },
	{ SAN_EMAIL, CONF_SAN_EMAIL, "%{email}" },
	{ SAN_URI, CONF_SAN_URI, "%{uri}" },
};

#define DEVICE_VARIABLE "%{device}"

static const struct kind *kind_find(enum san_kind kind)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (kinds[i].kind == kind)
			return &kinds[i];
	}
	return NULL;
}

static void list_add(struct grant_names *n, enum san_kind kind, const char *s)
{
	if (kind == SAN_DNS)
		n->dns[n->n_dns++] = s;
	else if (kind == SAN_IP)
		n->ip[n->n_ip++] = s;
	else if (kind == SAN_EMAIL)
		n->email[n->n_email++] = s;
	else
		n->uri[n->n_uri++] = s;
}

/* Cut a template at a variable. */
static bool template_cut(const char *value, const char *variable,
        struct bytes *head, struct bytes *tail)
{
	const char *at = strstr(value, variable);

	if (at == NULL)
		return false;
	*head = bytes_of(value, (size_t)(at - value));
	*tail = bytes_str(at + strlen(variable));
	return true;
}

/* Does the template give that name to the device, with nothing granted? */
static bool derives(
        const struct conf_san *san, const char *device, struct bytes name)
{
	struct buf text = BUF_INIT(NAMES_MAX_BYTES);
	struct bytes head = bytes_str(san->value);
	struct bytes tail = BYTES_NONE;
	bool same;

	if (template_cut(san->value, DEVICE_VARIABLE, &head, &tail)) {
		buf_add(&text, head);
		if (san->kind == CONF_SAN_URI)
			san_escape_uri(&text, bytes_str(device));
		else
			buf_add_str(&text, device);
		buf_add(&text, tail);
	} else {
		buf_add(&text, head);
	}
	same = text.failed == RC_OK && bytes_eq(buf_bytes(&text), name);
	buf_free(&text);
	return same;
}

/* Undo the template: what stood for the variable. */
static bool granted(const struct conf_san *san, const struct kind *kind,
        struct bytes name, struct bytes *out)
{
	struct bytes head;
	struct bytes tail;

	if (san->kind != kind->conf ||
	        !template_cut(san->value, kind->variable, &head, &tail) ||
	        name.n <= head.n + tail.n || !bytes_starts(name, head) ||
	        !bytes_eq(bytes_skip(name, name.n - tail.n), tail))
		return false;
	*out = bytes_slice(name, head.n, name.n - head.n - tail.n);
	return true;
}

/* Empty: the profile gives that name by itself, or has no place for it. */
static struct bytes name_granted(const struct conf_profile *profile,
        const struct kind *kind, const char *device, struct bytes name)
{
	struct bytes out = BYTES_NONE;

	for (size_t i = 0; i < profile->n_san; i++) {
		if (profile->san[i].kind == kind->conf &&
		        derives(&profile->san[i], device, name))
			return BYTES_NONE;
	}
	for (size_t i = 0; i < profile->n_san; i++) {
		if (granted(&profile->san[i], kind, name, &out))
			break;
	}
	return out;
}

static enum rc text_add(struct buf *out, const struct san *san,
        const struct conf_profile *profile, const char *device)
{
	const struct kind *kind = kind_find(san->kind);
	struct buf text = BUF_INIT(NAMES_MAX_BYTES);
	enum rc rc = RC_OK;

	if (kind != NULL)
		rc = san_text(&text, san);
	if (rc == RC_OK && kind != NULL)
		buf_add(out,
		        name_granted(profile, kind, device, buf_bytes(&text)));
	buf_add_u8(out, '\0');
	buf_free(&text);
	return rc == RC_OK ? out->failed : rc;
}

enum rc renewal_names_read(struct renewal_names *out, const struct cert *old,
        const struct conf_profile *profile, const char *device, struct why *why)
{
	const struct cert_ext *san = cert_ext(old, OID_SUBJECT_ALT_NAME);
	struct san_list list = { .n = 0 };
	const char *s;
	enum rc rc = RC_OK;

	memset(&out->names, 0, sizeof(out->names));
	out->text = BUF_INIT(NAMES_MAX_BYTES);
	if (san != NULL)
		rc = san_parse(&list, san->value, why);
	if (rc != RC_OK)
		return why_prefix(why, RC_DENIED, "the certificate it renews");
	/* One string a name, maybe empty; pointers once they stand still. */
	for (size_t i = 0; rc == RC_OK && i < list.n; i++)
		rc = text_add(&out->text, &list.entries[i], profile, device);
	s = (const char *)out->text.p;
	for (size_t i = 0; rc == RC_OK && i < list.n; i++) {
		if (*s != '\0')
			list_add(&out->names, list.entries[i].kind, s);
		s += strlen(s) + 1;
	}
	return rc;
}

void renewal_names_free(struct renewal_names *n)
{
	buf_free(&n->text);
}
