/* conf/mica.yaml and the schema table, held against each other. */
#include "tests/unit/test_conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE MICA_SOURCE_DIR "/conf/mica.yaml"
#define OPTIONS_MAX 256

/* A `#` before anything but a space comments an option out: put it in. */
static void uncomment(struct buf *out, struct bytes sample)
{
	struct bytes line;

	while (sample.n > 0) {
		size_t at = 0;

		(void)bytes_cut(sample, '\n', &line, &sample);
		while (at < line.n && line.p[at] == ' ')
			at++;
		if (at + 1 < line.n && line.p[at] == '#' &&
		        line.p[at + 1] != ' ') {
			buf_add(out, bytes_slice(line, 0, at));
			line = bytes_skip(line, at + 1);
		}
		buf_add(out, line);
		buf_add_u8(out, '\n');
	}
	ck_assert_ptr_nonnull(buf_cstr(out));
}

static struct node *parse(struct arena *arena, struct bytes yaml)
{
	static struct conf_errors errors;
	struct node *root;

	ck_assert_int_eq(node_parse(&root, arena, yaml, &errors), RC_OK);
	return root;
}

struct seen {
	bool live[OPTIONS_MAX];
	bool commented[OPTIONS_MAX];
	bool with_default[OPTIONS_MAX];
	bool *into; /* live, or commented */
};

static void note(void *ctx, size_t option, const struct node *n)
{
	struct seen *seen = ctx;
	char text[256];
	size_t count;
	const struct conf_option *o = &conf_options(&count)[option];

	seen->into[option] = true;
	if (o->fallback == NULL || o->fallback[0] == '\0' ||
	        strcmp(node_text(text, sizeof(text), n), o->fallback) == 0)
		seen->with_default[option] = true;
}

START_TEST(sample_loads)
{
	struct buf sample = slurp(SAMPLE);
	struct conf *c = load((const char *)sample.p);

	ck_assert_uint_eq(c->n_profiles, 6);
	ck_assert_ptr_nonnull(conf_profile(c, "sensor"));
	ck_assert_ptr_nonnull(conf_profile(c, "ldevid"));
	ck_assert_ptr_nonnull(conf_profile(c, "tls-server"));
	ck_assert_ptr_nonnull(conf_profile(c, "code-signing"));
	conf_free(c);
	buf_free(&sample);
}
END_TEST

START_TEST(sample_loads_with_everything_that_is_commented_out)
{
	struct buf sample = slurp(SAMPLE);
	struct buf full = BUF_INIT(1u << 20);

	uncomment(&full, buf_bytes(&sample));
	conf_free(load((const char *)full.p));
	buf_free(&full);
	buf_free(&sample);
}
END_TEST

/* What is in the sample and not in the table is an unknown key, which the two
 * tests above would meet. */
START_TEST(sample_has_every_option_live_or_commented_with_its_default)
{
	struct buf sample = slurp(SAMPLE);
	struct buf full = BUF_INIT(1u << 20);
	struct arena arena = ARENA_INIT;
	struct seen *seen = calloc(1, sizeof(*seen));
	size_t count;
	const struct conf_option *o = conf_options(&count);

	ck_assert_uint_lt(count, OPTIONS_MAX);
	uncomment(&full, buf_bytes(&sample));
	seen->into = seen->live;
	each_option(parse(&arena, buf_bytes(&sample)), note, seen);
	memset(seen->with_default, 0, sizeof(seen->with_default));
	seen->into = seen->commented;
	each_option(parse(&arena, buf_bytes(&full)), note, seen);
	for (size_t i = 0; i < count; i++) {
		ck_assert_msg(seen->commented[i], "%s is not in %s", o[i].path,
		        SAMPLE);
		ck_assert_msg(seen->live[i] || seen->with_default[i],
		        "%s is commented without its default, %s", o[i].path,
		        o[i].fallback);
	}
	free(seen);
	arena_free(&arena);
	buf_free(&full);
	buf_free(&sample);
}
END_TEST

START_TEST(sample_idevid_is_what_802_1ar_asks_for)
{
	struct buf sample = slurp(SAMPLE);
	struct conf *c = load((const char *)sample.p);
	const struct conf_profile *p = conf_profile(c, "idevid");

	ck_assert_int_eq(p->validity_s, 0);
	ck_assert_uint_eq(p->n_subject, 2);
	ck_assert_str_eq(p->subject[1].type, "serialNumber");
	ck_assert_str_eq(p->subject[1].value, "%{device}");
	ck_assert_uint_eq(p->n_san, 1);
	ck_assert_int_eq(p->san[0].kind, CONF_SAN_HARDWARE_MODULE);
	ck_assert_uint_eq(p->n_key_usage, 1);
	ck_assert_str_eq(p->key_usage[0], "digitalSignature");
	ck_assert_uint_eq(p->n_eku, 0);
	conf_free(c);
	buf_free(&sample);
}
END_TEST

/* Matter Core Specification section 6.2.2.3 */
START_TEST(sample_matter_dac_is_what_matter_asks_for)
{
	struct buf sample = slurp(SAMPLE);
	struct conf *c = load((const char *)sample.p);
	const struct conf_profile *p = conf_profile(c, "matter-dac");

	ck_assert_uint_eq(p->keys, CONF_KEY_P256);
	ck_assert_uint_eq(p->n_subject, 3);
	ck_assert_str_eq(p->subject[1].type, "1.3.6.1.4.1.37244.2.1");
	ck_assert_str_eq(p->subject[1].value, "FFF1");
	ck_assert_str_eq(p->subject[2].type, "1.3.6.1.4.1.37244.2.2");
	ck_assert_str_eq(p->subject[2].value, "8000");
	ck_assert(p->basic_constraints);
	ck_assert(p->subject_key_id);
	ck_assert_uint_eq(p->n_key_usage, 1);
	ck_assert_uint_eq(p->n_eku, 0);
	conf_free(c);
	buf_free(&sample);
}
END_TEST

TCase *test_conf_sample(void)
{
	TCase *t = tcase_create("sample");

	tcase_add_test(t, sample_loads);
	tcase_add_test(t, sample_loads_with_everything_that_is_commented_out);
	tcase_add_test(
	        t, sample_has_every_option_live_or_commented_with_its_default);
	tcase_add_test(t, sample_idevid_is_what_802_1ar_asks_for);
	tcase_add_test(t, sample_matter_dac_is_what_matter_asks_for);
	return t;
}
