#include "enroll/est_wire.h"

#include "base/text.h"

#include <string.h>

#define EST_PREFIX "/.well-known/est/"

/* --- paths */
static const struct {
	const char *name;
	enum est_op op;
} operations[] = {
	{ "cacerts", EST_CACERTS },
	{ "simpleenroll", EST_SIMPLEENROLL },
	{ "simplereenroll", EST_SIMPLEREENROLL },
	{ "csrattrs", EST_CSRATTRS },
};

static bool operation_find(struct bytes name, enum est_op *op)
{
	for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++) {
		if (bytes_eq_str(name, operations[i].name)) {
			*op = operations[i].op;
			return true;
		}
	}
	return false;
}

static bool is_label(struct bytes label)
{
	if (label.n == 0 || label.n > EST_LABEL_MAX)
		return false;
	for (size_t i = 0; i < label.n; i++) {
		uint8_t c = label.p[i];
		bool known = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
		        (c >= 'a' && c <= 'z') || c == '.' || c == '_' ||
		        c == '-';

		if (!known)
			return false;
	}
	return true;
}

enum rc est_path_parse(struct est_path *out, struct bytes path)
{
	struct bytes prefix = BYTES_LIT(EST_PREFIX);
	struct bytes label = BYTES_NONE;
	struct bytes inner;
	struct bytes head;
	struct bytes tail;
	bool outer = false;

	if (!bytes_starts(path, prefix)) {
		if (path.n == 0 || path.p[0] != '/')
			return RC_NOTFOUND;
		if (!bytes_cut(bytes_skip(path, 1), '/', &label, &tail))
			return RC_NOTFOUND;
		path = bytes_skip(path, 1 + label.n);
		outer = true;
		if (!is_label(label) || !bytes_starts(path, prefix))
			return RC_NOTFOUND;
	}
	inner = bytes_skip(path, prefix.n);
	if (!outer && bytes_cut(inner, '/', &head, &tail)) {
		if (!is_label(head))
			return RC_NOTFOUND;
		label = head;
		inner = tail;
	}
	if (!operation_find(inner, &out->op))
		return RC_NOTFOUND;
	out->label = label;
	return RC_OK;
}

/* --- Basic credentials */
static bool take_text(char *out, size_t size, struct bytes in)
{
	if (in.n == 0 || in.n >= size || !text_is_print(in))
		return false;
	memcpy(out, in.p, in.n);
	out[in.n] = '\0';
	return true;
}

static bool cut_at_last_colon(
        struct bytes in, struct bytes *user, struct bytes *secret)
{
	for (size_t i = in.n; i > 0; i--) {
		if (in.p[i - 1] == ':') {
			*user = bytes_slice(in, 0, i - 1);
			*secret = bytes_skip(in, i);
			return true;
		}
	}
	return false;
}

enum rc basic_parse(struct basic *out, struct bytes field)
{
	/* base64 decodes to less than it takes itself */
	struct buf text = BUF_INIT(sizeof(*out));
	struct bytes scheme;
	struct bytes code;
	struct bytes user;
	struct bytes secret;
	enum rc rc;

	if (!bytes_cut(field, ' ', &scheme, &code) ||
	        !bytes_eq_nocase(scheme, BYTES_LIT("Basic")))
		return RC_NOTFOUND;
	rc = base64_decode(&text, code);
	if (rc != RC_OK)
		goto out;
	rc = RC_MALFORMED;
	if (!cut_at_last_colon(buf_bytes(&text), &user, &secret))
		goto out;
	rc = user.n == 0 ? RC_NOTFOUND : RC_MALFORMED;
	if (take_text(out->user, sizeof(out->user), user) &&
	        take_text(out->secret, sizeof(out->secret), secret))
		rc = RC_OK;
out:
	if (rc != RC_OK)
		bytes_wipe(out, sizeof(*out));
	buf_wipe(&text);
	return rc;
}

/* --- clients with needs of their own */
static const struct est_quirk quirks[] = {
	/* Reads base64 with OpenSSL's BIO, which gives up on long lines. */
	{ .agent = "libest", .columns = 64 },
	/* libest before version 2 */
	{ .agent = "Cisco EST client", .columns = 64 },
	/* BouncyCastle names no agent. It closes a challenge without reading
	 * its body, and takes what it left unread for a broken connection. */
	{ .agent = "", .bare_challenge = true },
};

static const struct est_quirk no_quirk = { .agent = NULL };

const struct est_quirk *est_quirk(struct bytes user_agent)
{
	for (size_t i = 0; i < sizeof(quirks) / sizeof(*quirks); i++) {
		struct bytes agent = bytes_str(quirks[i].agent);

		if (agent.n == 0 ? user_agent.n == 0
		                 : bytes_starts(user_agent, agent))
			return &quirks[i];
	}
	return &no_quirk;
}
