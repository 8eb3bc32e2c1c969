/* tests/unit/test_admin.h - what the parts of the admin API's tests share. */
#ifndef MICA_TESTS_UNIT_TEST_ADMIN_H
#define MICA_TESTS_UNIT_TEST_ADMIN_H

#include "tests/unit/enroll_world.h"

#include <check.h>
#include <jansson.h>

enum { ADMIN_UID_OWN = 4001, ADMIN_UID_ADMIN = 4004 };

struct conf *admin_test_conf(void); /* of the API under test; may be changed */
struct world *admin_test_world(void);
/* GET where body is NULL. The answer is the caller's. */
json_t *admin_test_ask(uid_t uid, const char *path, const char *query,
        const char *body, unsigned *status);
const char *admin_test_text(const json_t *o, const char *key);
/* Of a refusal. */
const char *admin_test_code(const json_t *o);

/* A server's certificate; names as JSON members, after a comma. */
json_t *admin_test_issue(const char *names, unsigned *status);

void admin_test_certs(TCase *tc);
void admin_test_approvals(TCase *tc);

#endif
