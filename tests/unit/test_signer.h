#ifndef MICA_TESTS_UNIT_TEST_SIGNER_H
#define MICA_TESTS_UNIT_TEST_SIGNER_H

#include <check.h>

TCase *test_tbs_check(void);
TCase *test_tbs_names(void);
TCase *test_tbs_certrep(void);
TCase *test_tbs_code(void);
TCase *test_tbs_policy(void);
TCase *test_tbs_status(void);
TCase *test_signer_code(void);
TCase *test_signer_code_token(void);
TCase *test_signer_ra(void);
TCase *test_signer_ra_twin(void);
TCase *test_signer_ra_token(void);
TCase *test_signer_proto(void);
TCase *test_signer_serve(void);
TCase *test_signer_serve_token(void);
TCase *test_signer_start(void);
TCase *test_signer_status(void);
TCase *test_signer_status_token(void);
TCase *test_signer_kept(void);
TCase *test_signer_client(void);
TCase *test_signer_ceremony(void);
TCase *test_signer_request(void);

#endif
