/* One handler a kind of value: text in, the struct's member out, or a mistake
 * that says what would have been right. */
#include "base/text.h"
#include "conf/error.h"
#include "conf/load.h"
#include "conf/value.h"
#include "der/oid.h"
#include "der/reader.h"

#include <stdio.h>
#include <string.h>

#define OID_MAX_BYTES 64
#define WORDS_MAX_BYTES 200 /* more than the longest list of words */
#define SHOW "\"%.60s\""    /* what was written, cut */

typedef void option_fn(struct load *l, const struct row *row,
        const struct node *n, uint8_t *base);

static bool one_value(struct load *l, const struct node *n)
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

static bool is_oid(const char *text)
{
	struct buf b = BUF_INIT(OID_MAX_BYTES);
	bool ok = oid_parse(&b, bytes_str(text), NULL) == RC_OK;

	buf_free(&b);
	return ok;
}

static void on_oid(struct load *l, const struct row *row, const struct node *n,
        uint8_t *base)
{
	if (!is_oid(n->text))
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

/* "must be a, b or c"; or_else is one more way to say it, or NULL. */
static void not_a_word(struct load *l, const struct word *words,
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
	return schema_word(schema_attributes(), text) != NULL || is_oid(text);
}

/* At where it is written: the value of an option, or a key of a subject. */
typedef void error_fn(
        struct conf_errors *errors, const struct node *n, const char *fmt, ...);
static void check_attribute(
        struct load *l, const struct node *n, const char *text, error_fn *error)
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
	check_attribute(l, n, n->text, node_error);
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
		not_a_word(l, row->words, n, NULL);
	else
		/* The table's enums have no negative values, so the compiler
		 * gives each the size of an unsigned int. */
		*(unsigned *)(void *)(base + row->at) = w->value;
}

static bool is_list(struct load *l, const struct row *row, const struct node *n)
{
	if (n->kind != NODE_LIST) {
		node_error(l->errors, n, "must be a list, such as [a, b]");
		return false;
	}
	if (n->n < (size_t)row->min) {
		node_error(l->errors, n, "must not be empty");
		return false;
	}
	return true;
}

/* Has an earlier sibling the same text? That is a mistake. */
static bool twice(struct load *l, const struct node *item)
{
	const struct node *i = item->parent->first;

	while (i != item &&
	        (i->kind != NODE_SCALAR || strcmp(i->text, item->text) != 0))
		i = i->next;
	if (i != item)
		node_error(
		        l->errors, item, SHOW " stands here twice", item->text);
	return i != item;
}

static void on_bits(struct load *l, const struct row *row, const struct node *n,
        uint8_t *base)
{
	uint32_t *bits = (void *)(base + row->at);

	if (!is_list(l, row, n))
		return;
	for (const struct node *i = n->first; i != NULL; i = i->next) {
		const struct word *w;

		if (!one_value(l, i))
			continue;
		w = schema_word(row->words, i->text);
		if (w == NULL)
			not_a_word(l, row->words, i, NULL);
		else if (!twice(l, i))
			*bits |= w->value;
	}
}

/* --- lists of strings */
typedef void item_fn(
        struct load *l, const struct row *row, const struct node *item);

static void item_word(
        struct load *l, const struct row *row, const struct node *item)
{
	if (schema_word(row->words, item->text) == NULL)
		not_a_word(l, row->words, item, NULL);
}

static void item_word_or_oid(
        struct load *l, const struct row *row, const struct node *item)
{
	if ((row->words != NULL &&
	            schema_word(row->words, item->text) != NULL) ||
	        is_oid(item->text))
		return;
	if (row->words != NULL)
		not_a_word(l, row->words, item, "an OID");
	else
		node_error(l->errors, item,
		        "must be an OID such as 2.23.140.1.2.1, not " SHOW,
		        item->text);
}

static void item_url(
        struct load *l, const struct row *row, const struct node *item)
{
	(void)row;
	if (!value_is_url(item->text))
		node_error(l->errors, item,
		        "must be a URL such as http://ca.example/ca.crt, "
		        "not " SHOW,
		        item->text);
}

static void item_host(
        struct load *l, const struct row *row, const struct node *item)
{
	(void)row;
	if (!value_is_host(item->text))
		node_error(l->errors, item,
		        "must be a DNS name or an IP address, not " SHOW,
		        item->text);
}

static void strings(struct load *l, const struct row *row, const struct node *n,
        uint8_t *base, item_fn *check)
{
	const char **list;
	size_t count = 0;

	if (!is_list(l, row, n))
		return;
	list = arena_array(&l->arena, n->n, sizeof(*list));
	if (list == NULL)
		return;
	for (const struct node *i = n->first; i != NULL; i = i->next) {
		if (!one_value(l, i))
			continue;
		check(l, row, i);
		(void)twice(l, i);
		list[count++] = i->text;
	}
	*(const char ***)(void *)(base + row->at) = list;
	*(size_t *)(void *)(base + row->at_n) = count;
}

static void on_words(struct load *l, const struct row *row,
        const struct node *n, uint8_t *base)
{
	strings(l, row, n, base, item_word);
}

static void on_words_or_oids(struct load *l, const struct row *row,
        const struct node *n, uint8_t *base)
{
	strings(l, row, n, base, item_word_or_oid);
}

static void on_urls(struct load *l, const struct row *row, const struct node *n,
        uint8_t *base)
{
	strings(l, row, n, base, item_url);
}

static void on_hosts(struct load *l, const struct row *row,
        const struct node *n, uint8_t *base)
{
	strings(l, row, n, base, item_host);
}

/* --- references */
static void refer(struct load *l, const struct row *row, const struct node *n,
        const void **slot)
{
	struct load_ref *ref = arena_alloc(&l->arena, sizeof(*ref));

	if (ref == NULL)
		return;
	*ref = (struct load_ref){ l->refs, n, slot, row->target };
	l->refs = ref;
}

static void on_ref(struct load *l, const struct row *row, const struct node *n,
        uint8_t *base)
{
	refer(l, row, n, (void *)(base + row->at));
}

static void on_refs(struct load *l, const struct row *row, const struct node *n,
        uint8_t *base)
{
	const void **list;
	size_t count = 0;

	if (!is_list(l, row, n))
		return;
	list = arena_array(&l->arena, n->n, sizeof(*list));
	if (list == NULL)
		return;
	for (const struct node *i = n->first; i != NULL; i = i->next) {
		if (one_value(l, i) && !twice(l, i))
			refer(l, row, i, &list[count++]);
	}
	*(const void ***)(void *)(base + row->at) = list;
	*(size_t *)(void *)(base + row->at_n) = count;
}

/* --- templates */
struct templates { /* of one node: a text, or a list of them */
	const struct node *first;
	size_t n;
};

static bool templates_of(
        struct load *l, const struct node *n, struct templates *out)
{
	if (n->kind == NODE_MAP) {
		node_error(l->errors, n, "must be a text or a list of them");
		return false;
	}
	out->first = n->kind == NODE_LIST ? n->first : n;
	out->n = n->kind == NODE_LIST ? n->n : 1;
	if (out->n == 0)
		node_error(l->errors, n, "must not be empty");
	return out->n > 0;
}

static bool check_template(struct load *l, const struct node *n)
{
	if (!one_value(l, n))
		return false;
	if (n->text[0] == '\0' || !text_is_utf8(bytes_str(n->text)))
		node_error(l->errors, n, "must be a text, not an empty one");
	return true;
}

/* A list in base that grew by n elements of size; *old is how many there
 * were. NULL when memory is short. */
static uint8_t *extend(struct load *l, const struct row *row, uint8_t *base,
        size_t n, size_t size, size_t *old)
{
	const void **list = (void *)(base + row->at);
	size_t *count = (void *)(base + row->at_n);
	uint8_t *grown = arena_array(&l->arena, *count + n, size);

	if (grown == NULL)
		return NULL;
	if (*count > 0)
		memcpy(grown, *list, *count * size);
	*old = *count;
	*list = grown;
	*count += n;
	return grown;
}

static void on_attribute(struct load *l, const struct row *row,
        const struct node *n, uint8_t *base)
{
	struct conf_attribute *list;
	struct templates t;
	size_t count;

	if (node_is_null(n)) {
		node_error(l->errors, n, "has no value");
		return;
	}
	check_attribute(l, n, n->key, node_error_key);
	if (!templates_of(l, n, &t))
		return;
	list = (void *)extend(l, row, base, t.n, sizeof(*list), &count);
	for (const struct node *i = t.first; list != NULL && i != NULL;
	        i = n->kind == NODE_LIST ? i->next : NULL) {
		if (check_template(l, i))
			list[count++] =
			        (struct conf_attribute){ n->key, i->text };
	}
}

/* "OID TEXT": TEXT, when OID is one. */
static const char *after_oid(const char *text)
{
	struct bytes oid;
	struct bytes rest;
	struct buf b = BUF_INIT(OID_MAX_BYTES);
	bool ok = bytes_cut(bytes_str(text), ' ', &oid, &rest) &&
	        oid_parse(&b, oid, NULL) == RC_OK && rest.n > 0;

	buf_free(&b);
	return ok ? (const char *)rest.p : NULL;
}

static void on_san(struct load *l, const struct row *row, const struct node *n,
        uint8_t *base)
{
	struct conf_san *list;
	struct templates t;
	size_t count;

	if (!templates_of(l, n, &t))
		return;
	list = (void *)extend(l, row, base, t.n, sizeof(*list), &count);
	for (const struct node *i = t.first; list != NULL && i != NULL;
	        i = n->kind == NODE_LIST ? i->next : NULL) {
		if (!check_template(l, i))
			continue;
		if (row->min == CONF_SAN_HARDWARE_MODULE &&
		        after_oid(i->text) == NULL)
			node_error(l->errors, i,
			        "must be an OID, a space and the serial "
			        "number, such as "
			        "\"1.3.6.1.4.1.99999.1 %%{device}\"");
		list[count++] = (struct conf_san){ (enum conf_san_kind)row->min,
			i->text };
	}
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
	[KIND_FILE] = { on_file, true },
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
	[KIND_BITS] = { on_bits, false },
	[KIND_WORDS] = { on_words, false },
	[KIND_WORDS_OR_OIDS] = { on_words_or_oids, false },
	[KIND_URLS] = { on_urls, false },
	[KIND_HOSTS] = { on_hosts, false },
	[KIND_REF] = { on_ref, true },
	[KIND_REFS] = { on_refs, false },
	[KIND_ATTRIBUTE] = { on_attribute, false },
	[KIND_SAN] = { on_san, false },
	[KIND_USER] = { on_user, true },
	[KIND_GROUP] = { on_group, true },
};

void load_option(struct load *l, const struct row *row, const struct node *n,
        uint8_t *base)
{
	if (!handlers[row->kind].scalar || one_value(l, n))
		handlers[row->kind].fn(l, row, n, base);
}
