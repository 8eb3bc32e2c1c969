#include "admin/describe.h"

#include "base/text.h"

#include <string.h>
#include <strings.h>

#define SECOND_US 1000000
/* DER in base64 with its line ends and the two lines around it. */
#define PEM_MAX_BYTES (STORE_DER_MAX_BYTES / 2 * 3)

void authority_names_init(struct authority_names *n)
{
	n->list.rows = n->rows;
	n->list.max = STORE_ROWS_MAX;
}

const char *authority_names_find(const struct authority_names *n, uint32_t id)
{
	for (size_t i = 0; i < n->list.n; i++)
		if (n->rows[i].id == id)
			return n->rows[i].name;
	return "?";
}

/* --- values */
json_t *describe_time_s(int64_t time_s)
{
	char text[TEXT_TIME_BYTES];

	return json_string(text_time(text, time_s));
}

json_t *describe_time_us(int64_t time_us)
{
	return describe_time_s(time_us / SECOND_US);
}

static json_t *text_of(struct buf *b)
{
	const char *text = buf_cstr(b);
	json_t *json = text != NULL ? json_string(text) : NULL;

	buf_free(b);
	return json;
}

json_t *describe_hex(struct bytes in)
{
	struct buf b = BUF_INIT(2 * in.n + 1);

	hex_encode(&b, in);
	return text_of(&b);
}

json_t *describe_cursor(const struct store_cursor *cursor)
{
	return describe_hex(bytes_of(cursor->b, cursor->n));
}

/* RFC 7468 section 5.1 */
json_t *describe_pem(struct bytes der)
{
	struct buf b = BUF_INIT(PEM_MAX_BYTES);

	buf_add_str(&b, "-----BEGIN CERTIFICATE-----\n");
	base64_encode(&b, der, 64);
	buf_add_str(&b, "-----END CERTIFICATE-----\n");
	return text_of(&b);
}

/* --- serial numbers */
const char *serial_text(char *out, const uint8_t serial[STORE_SERIAL_BYTES])
{
	static const char digits[] = "0123456789abcdef";
	size_t i = 0, n = 0;

	while (i < STORE_SERIAL_BYTES - 1 && serial[i] == 0)
		i++;
	for (; i < STORE_SERIAL_BYTES; i++) {
		out[n++] = digits[serial[i] >> 4];
		out[n++] = digits[serial[i] & 15];
	}
	out[n] = '\0';
	return out;
}

enum rc serial_parse(
        uint8_t out[STORE_SERIAL_BYTES], const char *text, struct why *why)
{
	char digits[2 * STORE_SERIAL_BYTES];
	size_t n = 0;

	for (; *text != '\0'; text++) {
		if (*text == ':')
			continue;
		if (hex_value((uint8_t)*text) < 0 || n == sizeof(digits))
			return why_set(why, RC_MALFORMED,
			        "serial: want up to %d octets in hexadecimal",
			        STORE_SERIAL_BYTES);
		digits[n++] = *text;
	}
	if (n == 0)
		return why_set(why, RC_MALFORMED, "serial: is empty");
	memset(out, 0, STORE_SERIAL_BYTES);
	for (size_t i = 0; i < n; i++) {
		int v = hex_value((uint8_t)digits[n - 1 - i]);

		out[STORE_SERIAL_BYTES - 1 - i / 2] |=
		        (uint8_t)(v << (i % 2 * 4));
	}
	return RC_OK;
}

/* --- records */
json_t *describe_device(const struct store_device *d)
{
	return json_pack("{s:s, s:s, s:s, s:I, s:o, s:o, s:s}", "id", d->id,
	        "state", d->state == DEVICE_ACTIVE ? "active" : "suspended",
	        "anchor", d->anchor, "version", (json_int_t)d->version,
	        "created", describe_time_us(d->created_us), "changed",
	        describe_time_us(d->changed_us), "note", d->note);
}

static const char *state_text(enum cert_state state)
{
	static const char *const texts[] = { [CERT_INTENT] = "intent",
		[CERT_ISSUED] = "issued",
		[CERT_HELD] = "held",
		[CERT_REVOKED] = "revoked",
		[CERT_ABANDONED] = "abandoned" };
	size_t i = (size_t)state;

	return i >= CERT_INTENT && i <= CERT_ABANDONED ? texts[i] : "?";
}

/* RFC 5280 section 5.3.1 */
static const struct {
	enum cert_reason reason;
	const char *text;
} reasons[] = {
	{ REASON_UNSPECIFIED, "unspecified" },
	{ REASON_KEY_COMPROMISE, "keyCompromise" },
	{ REASON_CA_COMPROMISE, "cACompromise" },
	{ REASON_AFFILIATION_CHANGED, "affiliationChanged" },
	{ REASON_SUPERSEDED, "superseded" },
	{ REASON_CESSATION_OF_OPERATION, "cessationOfOperation" },
	{ REASON_CERTIFICATE_HOLD, "certificateHold" },
	{ REASON_PRIVILEGE_WITHDRAWN, "privilegeWithdrawn" },
	{ REASON_AA_COMPROMISE, "aACompromise" },
};
#define REASONS (sizeof(reasons) / sizeof(reasons[0]))

const char *reason_text(enum cert_reason reason)
{
	for (size_t i = 0; i < REASONS; i++)
		if (reasons[i].reason == reason)
			return reasons[i].text;
	return "?";
}

enum rc reason_parse(const char *text, enum cert_reason *out, struct why *why)
{
	for (size_t i = 0; i < REASONS; i++)
		if (strcasecmp(reasons[i].text, text) == 0) {
			*out = reasons[i].reason;
			return RC_OK;
		}
	return why_set(why, RC_MALFORMED,
	        "reason: want unspecified, keyCompromise, cACompromise, "
	        "affiliationChanged, superseded, cessationOfOperation, "
	        "privilegeWithdrawn or aACompromise");
}

static const char *credential_text(enum credential_kind kind)
{
	switch (kind) {
	case CREDENTIAL_SYSTEM:
		return "system";
	case CREDENTIAL_OPERATOR:
		return "operator";
	case CREDENTIAL_TOKEN:
		return "token";
	case CREDENTIAL_OWN:
		return "own certificate";
	case CREDENTIAL_FOREIGN:
		return "foreign certificate";
	case CREDENTIAL_SHARED:
		return "shared challenge";
	}
	return "?";
}

static int set(json_t *object, const char *key, json_t *value)
{
	return json_object_set_new(object, key, value);
}

/* What only some states have. */
static int add_state(json_t *o, const struct store_cert *c)
{
	int bad = 0;

	if (c->state == CERT_HELD || c->state == CERT_REVOKED)
		bad |= set(o, "reason", json_string(reason_text(c->reason)));
	if (c->state == CERT_HELD)
		bad |= set(
		        o, "held_by_suspend", json_boolean(c->held_by_suspend));
	if (c->invalidity_s != 0)
		bad |= set(
		        o, "invalid_since", describe_time_s(c->invalidity_s));
	if (c->issued_us != 0) {
		bad |= set(
		        o, "sequence", json_integer((json_int_t)c->sequence));
		bad |= set(o, "issued", describe_time_us(c->issued_us));
		bad |= set(
		        o, "sha256", describe_hex(BYTES_ARRAY(c->cert_hash)));
	}
	return bad;
}

json_t *describe_cert(
        const struct store_cert *c, const struct authority_names *names)
{
	char serial[SERIAL_TEXT_BYTES];
	json_t *o = json_pack(
	        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o}",
	        "serial", serial_text(serial, c->key.serial), "authority",
	        authority_names_find(names, c->key.authority), "state",
	        state_text(c->state), "device", c->device, "profile",
	        c->profile, "requester", c->requester, "credential",
	        credential_text(c->credential), "not_before",
	        describe_time_s(c->not_before_s), "not_after",
	        describe_time_s(c->not_after_s), "begun",
	        describe_time_us(c->begun_us), "changed",
	        describe_time_us(c->status_us), "spki_sha256",
	        describe_hex(BYTES_ARRAY(c->spki_hash)));

	if (o != NULL && add_state(o, c) != 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}

json_t *describe_certs(const struct store_cert *rows, size_t n,
        const struct authority_names *names)
{
	json_t *list = json_array();

	for (size_t i = 0; list != NULL && i < n; i++) {
		if (json_array_append_new(
		            list, describe_cert(&rows[i], names)) != 0) {
			json_decref(list);
			list = NULL;
		}
	}
	return list;
}
