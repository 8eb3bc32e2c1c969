/* What the tables of the DER tests share. */
#ifndef MICA_TESTS_UNIT_TEST_DER_H
#define MICA_TESTS_UNIT_TEST_DER_H

#include "base/buf.h"
#include "base/why.h"
#include "der/reader.h"
#include <check.h>

TCase *test_der_reader(void);
TCase *test_der_writer(void);
TCase *test_der_time(void);
TCase *test_der_oid(void);
TCase *test_der_name(void);
TCase *test_der_alg(void);

/* Hex, spaces allowed, into a buffer that the caller frees. */
struct buf unhex(const char *hex);
/* rc is wanted, and a refusal's clause holds the given words. */
void check_result(const char *name, enum rc rc, enum rc want,
        const struct why *why, const char *clause);
void check_bytes(const char *name, struct bytes got, struct bytes want);

#endif
