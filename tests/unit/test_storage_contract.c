/* What storage/store.h promises, judged through it alone. Any engine must pass,
 * alone and behind the shim: give it an opener and a case. */
#include "tests/unit/store_contract.h"
#include "tests/unit/store_shim.h"

#include <stdlib.h>

struct help contract;

static void open_lmdb(void)
{
	help_begin(&contract);
	contract.opts.index_keys = true;
	help_open(&contract);
	help_authority(&contract);
}

static void open_lmdb_behind_shim(void)
{
	help_begin(&contract);
	contract.opts.index_keys = true;
	help_open(&contract);
	contract.store = shim_new(contract.store, contract.loop, 20090103);
	help_authority(&contract);
}

static void close_any(void)
{
	help_end(&contract);
}

static void add(Suite *s, const char *name, SFun open)
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, open, close_any);
	contract_changes(tc);
	contract_issue(tc);
	contract_finish(tc);
	contract_floor(tc);
	contract_records(tc);
	contract_revoke(tc);
	contract_lists(tc);
	contract_model(tc);
	contract_crl(tc);
	contract_approval(tc);
	contract_waiting(tc);
	contract_census(tc);
	suite_add_tcase(s, tc);
}

int main(void)
{
	Suite *s = suite_create("storage contract");
	SRunner *r;
	int failed;

	add(s, "lmdb", open_lmdb);
	add(s, "lmdb behind the shim", open_lmdb_behind_shim);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
