/* conf/option.h - the handlers that turn an option's node into a value, one a
 * kind, and what they share. Needs base/ and der/. */
#ifndef MICA_CONF_OPTION_H
#define MICA_CONF_OPTION_H

#include "conf/load.h"

/* What was written, in a message: cut. */
#define SHOW "\"%.60s\""

typedef void option_fn(struct load *l, const struct row *row,
        const struct node *n, uint8_t *base);

option_fn option_bits;
option_fn option_words;
option_fn option_words_or_oids;
option_fn option_urls;
option_fn option_hosts;
option_fn option_ref;
option_fn option_refs;
option_fn option_attribute;
option_fn option_san;

/* False, and a mistake, for a map or a list. */
bool option_one_value(struct load *l, const struct node *n);
bool option_is_oid(struct bytes text);
/* "must be a, b or c"; or_else is one more way to say it, or NULL. */
void option_not_a_word(struct load *l, const struct word *words,
        const struct node *n, const char *or_else);
/* The name of a subject attribute or an OID; a mistake is told at the node's
 * value or, by node_error_key, at its key. */
typedef void option_error_fn(
        struct conf_errors *errors, const struct node *n, const char *fmt, ...);
void option_check_attribute(struct load *l, const struct node *n,
        const char *text, option_error_fn *error);

#endif
