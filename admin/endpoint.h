/* admin/endpoint.h - what the routes of admin.c's table do. Each answers its
 * call exactly once. Private to admin/. */
#ifndef MICA_ADMIN_ENDPOINT_H
#define MICA_ADMIN_ENDPOINT_H

#include "admin/call.h"

call_fn status_get;
call_fn device_list, device_add, device_show, device_change;
call_fn token_create;
call_fn cert_list, cert_show, cert_issue;
call_fn cert_revoke;
call_fn code_list, code_sign;
call_fn crl_list, crl_generate;
call_fn authority_list, authority_change;
call_fn approval_list, approval_ask, approval_show, approval_decide;
call_fn request_list, request_show, request_decide;
call_fn floor_show, floor_lower;
call_fn audit_list;

/* Does a profile of enroll.est have room for a device of that id? RC_MALFORMED:
 * none has; why says what is wrong with the last. */
MUST_CHECK enum rc device_fits(
        const struct call *c, const char *device, struct why *why);

#endif
