#include "tests/unit/tbs_rows.h"

#include "der/alg.h"
#include <string.h>

bool tbs_held_none(void *ctx, struct bytes name, struct bytes spki)
{
	(void)name;
	(void)ctx;
	(void)spki;
	return false;
}

bool tbs_held_all(void *ctx, struct bytes name, struct bytes spki)
{
	(void)name;
	(void)ctx;
	return bytes_eq(spki, spec_spki());
}

static void check_row(const struct tbs_row *row, const struct tbs_policy *p,
        tbs_held_fn *held)
{
	struct buf tbs = BUF_INIT(4 * TBS_CHECK_MAX_BYTES);
	struct why why = WHY_NONE;
	struct tbs_spec s;
	enum rc rc;

	tbs_spec_init(&s, SPEC_NOW_S);
	if (row->change)
		row->change(&s);
	tbs_spec_build(&s, &tbs);
	ck_assert_int_eq(tbs.failed, RC_OK);
	rc = tbs_check(p, buf_bytes(&tbs), SPEC_NOW_S, held, NULL, &why);
	ck_assert_msg(rc == row->rc, "%s: %s, not %s (%s)", row->name,
	        rc_info(rc)->name, rc_info(row->rc)->name, why.text);
	if (rc)
		ck_assert_msg(strstr(why.text, row->clause) != NULL,
		        "%s: clause \"%s\" lacks \"%s\"", row->name, why.text,
		        row->clause);
	buf_free(&tbs);
}

void tbs_check_rows(const struct tbs_row *rows, size_t n, tbs_held_fn *held)
{
	struct tbs_policy *p =
	        spec_policy("Issuing", alg_bytes(ALG_ECDSA_SHA256), SPEC_NOW_S);

	ck_assert_ptr_nonnull(p);
	for (size_t i = 0; i < n; i++)
		check_row(&rows[i], p, held);
	tbs_policy_free(p);
}

void tbs_row_server(struct tbs_spec *s)
{
	s->subject[0] = (struct spec_attr){ OID_CN, "www.example.com", false };
	s->n_subject = 1;
	s->san[0] = (struct spec_name){ DER_CONTEXT(2),
		BYTES_LIT("www.example.com") };
	s->not_after_s = s->not_before_s + 90 * SPEC_DAY_S - 1;
	tbs_spec_ext(s, OID_EXT_KEY_USAGE, true, SPEC_EKU_SERVER);
	tbs_spec_ext(s, OID_BASIC_CONSTRAINTS, true, SPEC_CA_FALSE);
}
