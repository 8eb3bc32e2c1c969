/* One handler a kind of value: text in, the struct's member out, or a mistake
 * that says what would have been right. */
#include "base/text.h"
#include "conf/error.h"
#include "conf/load.h"
#include "conf/option.h"
#include "conf/value.h"
#include "der/oid.h"
#include "der/reader.h"

#include <stdio.h>
#include <string.h>

#define OID_MAX_BYTES 64    /* content octets; ours stay under 16 */
#define WORDS_MAX_BYTES 200 /* more than the longest list of words */

bool option_one_value(struct load *l, const struct node *n)
{
	if (n->kind != NODE_SCALAR)
		node_error(l->errors, n, "must be one value, not a %s",
		        n->kind == NODE_MAP ? "map" : "list");
	return n->kind == NODE_SCALAR;
}

static void put_str(const struct row *row, uint8_t *base, const char *s)
{
	*(const char **)(void *)(base + row->at) = s;
}

static void put_s64(const struct row *row, uint8_t *base, int64_t v)
{
	*(int64_t *)(void *)(base + row->at) = v;
}

static void on_text(struct load *l, const struct row *row, const struct node *n,
        uint8_t *base)
{
	size_t length = strlen(n->text);

	if (length < (size_t)row->min || length > (size_t)row->max)
		node_error(l->errors, n, "must have %d to %d characters",
		        (int)row->min, (int)row->max);
	put_str(row, base, n->text);
}

static void on_path(struct load *l, const struct row *row, const struct node *n,
        uint8_t *base)
{
	const char *path = load_join(l, n->text);

	if (n->text[0] == '\0')
		node_error(l->errors, n, "must be a path");
	else if (row->max > 0 && path != NULL &&
	        strlen(path) > (size_t)row->max)
		node_error(l->errors, n,
		        "is too long a path: %d characters at most",
		        (int)row->max);
	put_str(row, base, path);
}

static void on_below(struct load *l, const struct row *row,
        const struct node *n, uint8_t *base)
{
	if (!value_is_below(n->text))
		node_error(l->errors, n,
		        "must be a path inside process.keys, without .., "
		        "not " SHOW,
		        n->text);
	put_str(row, base, n->text);
}

static void on_pkcs11(struct load *l, const struct row *row,
        const struct node *n, uint8_t *base)
{
	const char *fault = value_pkcs11_fault(n->text);

	if (fault != NULL)
		node_error(l->errors, n, "a PKCS#11 URI %s", fault);
	put_str(row, base, n->text);
}

static void on_pin(struct load *l, const struct row *row, const struct node *n,
        uint8_t *base)
{
	const size_t head = sizeof(CONF_CREDENTIAL_PREFIX) - 1;
	bool is_credential =
	        strncmp(n->text, CONF_CREDENTIAL_PREFIX, head) == 0;

	if (is_credential ? !value_is_name(n->text + head)
	                  : !value_is_below(n->text))
		node_error(l->errors, n,
		        "must be a path inside process.keys, without .., or "
		        "credential:NAME");
	put_str(row, base, n->text);
}

static void on_file(struct load *l, const struct row *row, const struct node *n,
        uint8_t *base)
{
	struct conf_file *file = (void *)(base + row->at);

	file->path = n->text;
	if (n->text[0] == '\0')
		node_error(l->errors, n, "must be the path of a file");
	else if (!load_read(l, n, n->text, &file->content))
		file->path = NULL;
}

static void on_secret(struct load *l, const struct row *row,
        const struct node *n, uint8_t *base)
{
	struct conf_file *file = (void *)(base + row->at);
	struct bytes *line = &file->content;

	if (!load_read_secret(l, n, n->text, line))
		return;
	file->path = n->text;
	if (line->n > 0 && line->p[line->n - 1] == '\n')
		line->n--;
	if (line->n < (size_t)row->min || line->n > (size_t)row->max ||
	        !text_is_print(*line))
		node_error(l->errors, n,
		        "must name a file of one line of %d to %d printable "
		        "characters",
		        (int)row->min, (int)row->max);
}

static void on_label(struct load *l, const struct row *row,
        const struct node *n, uint8_t *base)
{
	/* RFC 7030 section 3.2.2: a label is no operation's name. */
	static const char *const operations[] = { "cacerts", "simpleenroll",
		"simplereenroll", "fullcmc", "serverkeygen", "csrattrs" };

	if (n->text[0] != '\0' && !value_is_name(n->text))
		node_error(l->errors, n,
		        "a label is 1 to 64 of A-Z a-z 0-9 . _ -, not " SHOW,
		        n->text);
	for (size_t i = 0; i < sizeof(operations) / sizeof(char *); i++) {
		if (strcmp(n->text, operations[i]) == 0)
			node_error(l->errors, n,
			        "\"%s\" is an EST operation and cannot be a "
			        "label",
			        n->text);
	}
	put_str(row, base, n->text);
}

static void on_address(struct load *l, const struct row *row,
        const struct node *n, uint8_t *base)
{
	if (n->text[0] != '\0' && !value_is_address(n->text))
		node_error(l->errors, n,
		        "must be an IP address and port such as 0.0.0.0:8443 "
		        "or [::]:8443, or \"\" for off, not " SHOW,
		        n->text);
	put_str(row, base, n->text);
}

static void on_url(struct load *l, const struct row *row, const struct node *n,
        uint8_t *base)
{
	if (n->text[0] != '\0' && !value_is_url(n->text))
		node_error(l->errors, n,
		        "must be a URL such as http://pki.example.com, "
		        "not " SHOW,
		        n->text);
	put_str(row, base, n->text);
}

bool option_is_oid(struct bytes text)
{
	struct buf b = BUF_INIT(OID_MAX_BYTES);
	bool ok = oid_parse(&b, text, NULL) == RC_OK;

	buf_free(&b);
	return ok;
}

static void on_oid(struct load *l, const struct row *row, const struct node *n,
        uint8_t *base)
{
	if (!option_is_oid(bytes_str(n->text)))
		node_error(l->errors, n,
		        "must be an OID such as 1.3.6.1.5.5.7.3.2, not " SHOW,
		        n->text);
	put_str(row, base, n->text);
}

static struct nearest nearest_word(const struct word *words, const char *text)
{
	struct nearest near = nearest_to(text);

	for (; words->name != NULL; words++)
		nearest_offer(&near, words->name);
	return near;
}

void option_not_a_word(struct load *l, const struct word *words,
        const struct node *n, const char *or_else)
{
	struct nearest near = nearest_word(words, n->text);
	struct buf list = BUF_INIT(WORDS_MAX_BYTES);

	if (near.best[0] != '\0') {
		node_error(l->errors, n,
		        "unknown value " SHOW " (did you mean \"%s\"?)",
		        n->text, near.best);
		return;
	}
	for (; words->name != NULL; words++) {
		bool last = words[1].name == NULL && or_else == NULL;

		if (list.n > 0)
			buf_add_str(&list, last ? " or " : ", ");
		buf_add_str(&list, words->name);
	}
	if (or_else != NULL)
		buf_addf(&list, " or %s", or_else);
	node_error(l->errors, n, "must be %s, not " SHOW, buf_cstr(&list),
	        n->text);
	buf_free(&list);
}

static bool is_attribute(const char *text)
{
	return schema_word(schema_attributes(), text) != NULL ||
	        option_is_oid(bytes_str(text));
}

void option_check_attribute(struct load *l, const struct node *n,
        const char *text, option_error_fn *error)
{
	struct nearest near = nearest_word(schema_attributes(), text);

	if (is_attribute(text))
		return;
	if (near.best[0] != '\0')
		error(l->errors, n,
		        "unknown attribute \"%.60s\" (did you mean \"%s\"?)",
		        text, near.best);
	else
		error(l->errors, n,
		        "must be a subject attribute such as CN or "
		        "serialNumber, or an OID, not \"%.60s\"",
		        text);
}

static void on_attribute_type(struct load *l, const struct row *row,
        const struct node *n, uint8_t *base)
{
	option_check_attribute(l, n, n->text, node_error);
	put_str(row, base, n->text);
}

static void on_hex(struct load *l, const struct row *row, const struct node *n,
        uint8_t *base)
{
	struct bytes *out = (void *)(base + row->at);
	struct buf b = BUF_INIT(NODE_SCALAR_MAX_BYTES);

	if (n->text[0] == '\0' || hex_decode(&b, bytes_str(n->text)) != RC_OK)
		node_error(l->errors, n,
		        "must be hexadecimal digits in pairs, such as 0500");
	else if (der_check(buf_bytes(&b), "der", NULL) != RC_OK)
		node_error(l->errors, n, "is hexadecimal, but not DER");
	out->p = (const uint8_t *)arena_copy(&l->arena, buf_bytes(&b));
	out->n = b.n;
	buf_free(&b);
}

static void on_bool(struct load *l, const struct row *row, const struct node *n,
        uint8_t *base)
{
	if (!value_bool(n->text, (bool *)(base + row->at)))
		node_error(
		        l->errors, n, "must be yes or no, not " SHOW, n->text);
}

static void on_number(struct load *l, const struct row *row,
        const struct node *n, uint8_t *base)
{
	uint64_t v = 0;
	enum rc rc = text_u64(bytes_str(n->text), UINT32_MAX, &v);

	if (rc == RC_MALFORMED)
		node_error(
		        l->errors, n, "must be a number, not " SHOW, n->text);
	else if (rc != RC_OK || v < (uint64_t)row->min ||
	        v > (uint64_t)row->max)
		node_error(l->errors, n, "must be between %lld and %lld",
		        (long long)row->min, (long long)row->max);
	*(uint32_t *)(void *)(base + row->at) = (uint32_t)v;
}

static void on_size(struct load *l, const struct row *row, const struct node *n,
        uint8_t *base)
{
	uint64_t *out = (void *)(base + row->at);
	char low[VALUE_TEXT_BYTES];
	char high[VALUE_TEXT_BYTES];

	if (!value_size_bytes(n->text, out))
		node_error(l->errors, n,
		        "must be a size with its unit (KiB MiB GiB TiB) such "
		        "as 64GiB, not " SHOW,
		        n->text);
	else if (*out < (uint64_t)row->min || *out > (uint64_t)row->max)
		node_error(l->errors, n, "must be between %s and %s, not %s",
		        value_size_text(low, (uint64_t)row->min),
		        value_size_text(high, (uint64_t)row->max), n->text);
}

static bool duration(struct load *l, const struct row *row,
        const struct node *n, const char *or_else, int64_t *ms)
{
	char low[VALUE_TEXT_BYTES];
	char high[VALUE_TEXT_BYTES];

	if (!value_duration_ms(n->text, ms)) {
		node_error(l->errors, n,
		        "must be a time with its unit (ms s min h d w y) such "
		        "as 90d%s, not " SHOW,
		        or_else, n->text);
		return false;
	}
	if (*ms < row->min || *ms > row->max) {
		node_error(l->errors, n, "must be between %s and %s, not %s",
		        value_duration_text(low, row->min),
		        value_duration_text(high, row->max), n->text);
		return false;
	}
	return true;
}

static void put_seconds(struct load *l, const struct row *row,
        const struct node *n, const char *or_else, uint8_t *base)
{
	int64_t ms;

	if (!duration(l, row, n, or_else, &ms))
		return;
	if (ms % VALUE_SECOND_MS != 0)
		node_error(
		        l->errors, n, "must be whole seconds, not %s", n->text);
	put_s64(row, base, ms / VALUE_SECOND_MS);
}

static void on_seconds(struct load *l, const struct row *row,
        const struct node *n, uint8_t *base)
{
	put_seconds(l, row, n, "", base);
}

static void on_seconds_or_never(struct load *l, const struct row *row,
        const struct node *n, uint8_t *base)
{
	if (strcmp(n->text, "never") == 0)
		put_s64(row, base, 0);
	else
		put_seconds(l, row, n, " or never", base);
}

static void on_millis(struct load *l, const struct row *row,
        const struct node *n, uint8_t *base)
{
	int64_t ms;

	if (duration(l, row, n, "", &ms))
		put_s64(row, base, ms);
}

static void on_part(struct load *l, const struct row *row, const struct node *n,
        uint8_t *base)
{
	uint32_t *permille = (void *)(base + row->at_n);

	if (strchr(n->text, '%') == NULL)
		put_seconds(l, row, n, " or 66%", base);
	else if (!value_permille(n->text, permille) || *permille > 1000)
		node_error(l->errors, n,
		        "must be 0%% to 100%%, with one decimal at most, "
		        "not " SHOW,
		        n->text);
}

static void on_enum(struct load *l, const struct row *row, const struct node *n,
        uint8_t *base)
{
	const struct word *w = schema_word(row->words, n->text);

	if (w == NULL)
		option_not_a_word(l, row->words, n, NULL);
	else
		/* The table's enums have no negative values, so the compiler
		 * gives each the size of an unsigned int. */
		*(unsigned *)(void *)(base + row->at) = w->value;
}

/* --- users and groups */
static void grantee(
        struct load *l, const struct node *n, bool is_group, uint8_t *base)
{
	struct conf_grantee *g = (void *)base;
	uint64_t number;

	g->is_group = is_group;
	if (text_u64(bytes_str(n->text), UINT32_MAX - 1, &number) == RC_OK)
		g->id = (uint32_t)number;
	else if (!load_id(l, is_group, n->text, &g->id))
		node_error(l->errors, n, "there is no %s " SHOW " here",
		        is_group ? "group" : "user", n->text);
}

static void on_user(struct load *l, const struct row *row, const struct node *n,
        uint8_t *base)
{
	(void)row;
	grantee(l, n, false, base);
}

static void on_group(struct load *l, const struct row *row,
        const struct node *n, uint8_t *base)
{
	(void)row;
	grantee(l, n, true, base);
}

static const struct {
	option_fn *fn;
	bool scalar; /* one value, not a list */
} handlers[KIND_COUNT] = {
	[KIND_TEXT] = { on_text, true },
	[KIND_PATH] = { on_path, true },
	[KIND_BELOW] = { on_below, true },
	[KIND_PKCS11] = { on_pkcs11, true },
	[KIND_PIN] = { on_pin, true },
	[KIND_FILE] = { on_file, true },
	[KIND_SECRET] = { on_secret, true },
	[KIND_LABEL] = { on_label, true },
	[KIND_ADDRESS] = { on_address, true },
	[KIND_OID] = { on_oid, true },
	[KIND_ATTRIBUTE_TYPE] = { on_attribute_type, true },
	[KIND_HEX] = { on_hex, true },
	[KIND_BOOL] = { on_bool, true },
	[KIND_NUMBER] = { on_number, true },
	[KIND_SIZE] = { on_size, true },
	[KIND_SECONDS] = { on_seconds, true },
	[KIND_SECONDS_OR_NEVER] = { on_seconds_or_never, true },
	[KIND_MILLIS] = { on_millis, true },
	[KIND_PART] = { on_part, true },
	[KIND_ENUM] = { on_enum, true },
	[KIND_BITS] = { option_bits, false },
	[KIND_WORDS] = { option_words, false },
	[KIND_WORDS_OR_OIDS] = { option_words_or_oids, false },
	[KIND_URL] = { on_url, true },
	[KIND_URLS] = { option_urls, false },
	[KIND_HOSTS] = { option_hosts, false },
	[KIND_REF] = { option_ref, true },
	[KIND_REFS] = { option_refs, false },
	[KIND_ATTRIBUTE] = { option_attribute, false },
	[KIND_SAN] = { option_san, false },
	[KIND_USER] = { on_user, true },
	[KIND_GROUP] = { on_group, true },
};

void load_option(struct load *l, const struct row *row, const struct node *n,
        uint8_t *base)
{
	if (!handlers[row->kind].scalar || option_one_value(l, n))
		handlers[row->kind].fn(l, row, n, base);
}
