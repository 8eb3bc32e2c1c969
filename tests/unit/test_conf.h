/* What the tests of the configuration share. */
#ifndef MICA_TESTS_UNIT_TEST_CONF_H
#define MICA_TESTS_UNIT_TEST_CONF_H

#include "conf/conf.h"
#include "conf/node.h"
#include <check.h>

TCase *test_conf_errors(void);
TCase *test_conf_man(void);
TCase *test_conf_sample(void);
TCase *test_conf_values(void);
void test_conf_load(Suite *suite);

/* The least that loads: three lines. */
#define MINIMAL                                                                \
	"keys: { k: { file: k.key } }\n"                                       \
	"authorities: { a: { certificate: a.pem, key: k } }\n"                 \
	"profiles: { p: { subject: { CN: x } } }\n"

/* Answers every path with "content of PATH", but those that hold "missing". */
enum rc read_anything(
        void *ctx, const char *path, struct buf *out, struct why *why);
/* Load yaml as "etc/mica.yaml"; a mistake fails the test. */
struct conf *load(const char *yaml);
/* A whole file; the caller frees it. */
struct buf slurp(const char *path);

/* Each option's path in the table that yaml gives a value to, with its node:
 * "profiles.sensor.san.dns" comes as "profiles.*.san.dns". */
typedef void found_fn(void *ctx, size_t option, const struct node *n);
void each_option(const struct node *root, found_fn *fn, void *ctx);
/* A value as the table writes it: "[a, b]", "\"\"", or the text. */
const char *node_text(char *out, size_t size, const struct node *n);

#endif
