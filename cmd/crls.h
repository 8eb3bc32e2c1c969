/* cmd/crls.h - the keeper's CRLs: made by ca/crl_plan.h in the published folder,
 * told to the supervisor open. */
#ifndef MICA_CMD_CRLS_H
#define MICA_CMD_CRLS_H

#include "ca/crl_plan.h"
#include "cmd/runtime.h"

/* Runs the loop until what stands there was handed on: workers that start then
 * serve it. Errors: those of crl_plan_new(). */
MUST_CHECK enum rc crls_new(
        struct crl_plan **out, struct runtime *r, struct why *why);

#endif
