#include "tests/unit/store_tamper.h"

#include <stdio.h>
#include <string.h>

#define FAULTS_BYTES 4096

void tamper_with(struct help *h, const char *tree,
        int (*change)(void *ctx, MDB_txn *txn, MDB_dbi dbi), void *ctx)
{
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;

	store_close(h->store);
	h->store = NULL;
	ck_assert_int_eq(mdb_env_create(&env), 0);
	ck_assert_int_eq(mdb_env_set_maxdbs(env, 32), 0);
	ck_assert_int_eq(mdb_env_open(env, h->folder, 0, 0600), 0);
	ck_assert_int_eq(mdb_txn_begin(env, NULL, 0, &txn), 0);
	ck_assert_int_eq(mdb_dbi_open(txn, tree, 0, &dbi), 0);
	ck_assert_int_eq(change(ctx, txn, dbi), 0);
	ck_assert_int_eq(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
}

struct plain {
	int (*change)(MDB_txn *txn, MDB_dbi dbi);
};

static int change_plain(void *ctx, MDB_txn *txn, MDB_dbi dbi)
{
	return ((struct plain *)ctx)->change(txn, dbi);
}

void tamper(struct help *h, const char *tree,
        int (*change)(MDB_txn *txn, MDB_dbi dbi))
{
	struct plain p = { change };

	tamper_with(h, tree, change_plain, &p);
}

static void note(void *ctx, const char *text)
{
	char *out = ctx;
	size_t n = strlen(out);

	(void)snprintf(out + n, FAULTS_BYTES - n, "%s\n", text);
}

const char *tamper_faults(struct help *h)
{
	static char text[FAULTS_BYTES];
	struct store_check_report r = { .fault = note, .ctx = text };
	struct why why = WHY_NONE;
	enum rc rc;

	text[0] = '\0';
	rc = store_check(h->folder, &r, &why);
	ck_assert_msg(rc == RC_OK, "%s", why.text);
	ck_assert_int_eq(r.faults > 0, text[0] != '\0');
	return text;
}
