/* The handlers of options that hold several values: lists, references,
 * templates. */
#include "base/text.h"
#include "conf/load.h"
#include "conf/option.h"
#include "conf/value.h"

#include <string.h>

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

void option_bits(struct load *l, const struct row *row, const struct node *n,
        uint8_t *base)
{
	uint32_t *bits = (void *)(base + row->at);

	if (!is_list(l, row, n))
		return;
	for (const struct node *i = n->first; i != NULL; i = i->next) {
		const struct word *w;

		if (!option_one_value(l, i))
			continue;
		w = schema_word(row->words, i->text);
		if (w == NULL)
			option_not_a_word(l, row->words, i, NULL);
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
		option_not_a_word(l, row->words, item, NULL);
}

static void item_word_or_oid(
        struct load *l, const struct row *row, const struct node *item)
{
	if ((row->words != NULL &&
	            schema_word(row->words, item->text) != NULL) ||
	        option_is_oid(bytes_str(item->text)))
		return;
	if (row->words != NULL)
		option_not_a_word(l, row->words, item, "an OID");
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
		if (!option_one_value(l, i))
			continue;
		check(l, row, i);
		(void)twice(l, i);
		list[count++] = i->text;
	}
	*(const char ***)(void *)(base + row->at) = list;
	*(size_t *)(void *)(base + row->at_n) = count;
}

void option_words(struct load *l, const struct row *row, const struct node *n,
        uint8_t *base)
{
	strings(l, row, n, base, item_word);
}

void option_words_or_oids(struct load *l, const struct row *row,
        const struct node *n, uint8_t *base)
{
	strings(l, row, n, base, item_word_or_oid);
}

void option_urls(struct load *l, const struct row *row, const struct node *n,
        uint8_t *base)
{
	strings(l, row, n, base, item_url);
}

void option_hosts(struct load *l, const struct row *row, const struct node *n,
        uint8_t *base)
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

void option_ref(struct load *l, const struct row *row, const struct node *n,
        uint8_t *base)
{
	refer(l, row, n, (void *)(base + row->at));
}

void option_refs(struct load *l, const struct row *row, const struct node *n,
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
		if (option_one_value(l, i) && !twice(l, i))
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
	if (!option_one_value(l, n))
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

void option_attribute(struct load *l, const struct row *row,
        const struct node *n, uint8_t *base)
{
	struct conf_attribute *list;
	struct templates t;
	size_t count;

	if (node_is_null(n)) {
		node_error(l->errors, n, "has no value");
		return;
	}
	option_check_attribute(l, n, n->key, node_error_key);
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

/* "OID TEXT", RFC 4108's hwType and hwSerialNum. */
static bool is_hardware_module(const char *text)
{
	struct bytes oid;
	struct bytes serial;

	return bytes_cut(bytes_str(text), ' ', &oid, &serial) &&
	        option_is_oid(oid) && serial.n > 0;
}

void option_san(struct load *l, const struct row *row, const struct node *n,
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
		        !is_hardware_module(i->text))
			node_error(l->errors, i,
			        "must be an OID, a space and the serial "
			        "number, such as "
			        "\"1.3.6.1.4.1.99999.1 %%{device}\"");
		list[count++] = (struct conf_san){ (enum conf_san_kind)row->min,
			i->text };
	}
}
